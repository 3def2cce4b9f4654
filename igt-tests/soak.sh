#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# In the guest: the soak test with stress-ng beside it, under memory pressure. The environment sets minutes and seed.
# stress-ng has to run, and work, until the end.
set -euo pipefail

seconds=$((${NVSVM_SOAK_MINUTES:-1} * 60))
log=/tmp/stress-ng

# one to swap to, one for O_DIRECT
modprobe zram num_devices=2
echo 1G >/sys/block/zram0/disksize
echo 64M >/sys/block/zram1/disksize
mkswap /dev/zram0 >/dev/null
swapon /dev/zram0
echo 16 >/proc/sys/vm/nr_hugepages
[[ $(</proc/sys/vm/nr_hugepages) == 16 ]] || { echo "soak: no huge pages of hugetlb"; exit 1; }
echo 1 >/sys/kernel/mm/ksm/run
cgroup=/run/nvsvm-cgroup
mkdir -p "$cgroup"
mount -t cgroup2 none "$cgroup"
echo +memory >"$cgroup/cgroup.subtree_control"
mkdir "$cgroup/soak"

# About two thirds of memory come and go, mappings and processes churn. Its workers may be killed for want of memory
# (stress-ng sees to that, and begins them again): the soak may not.
start=$SECONDS
{
	ended=0
	stress-ng --metrics-brief --timeout "$seconds" --vm 2 --vm-bytes 60% --vm-keep --mmap 1 \
		--mmap-bytes "${NVSVM_SOAK_MMAP:-128M}" --fork 1 \
		--mremap 1 --mremap-bytes 32M >"$log" 2>&1 || ended=$?
	# one that is told to end says that all is well, too
	echo "stress-ng ended with status $ended after $((SECONDS - start)) s" >>"$log"
	((ended == 0 && SECONDS - start >= seconds))
} &
stress=$!
echo -900 >/proc/self/oom_score_adj
echo $$ >"$cgroup/soak/cgroup.procs"

# M9 of Documentation/defects.rst: with CONFIG_DEBUG_VM the log is flooded, and the machine hardly gets on
if [[ ${NVSVM_SOAK_RECLAIM:-1} == 1 ]]; then
	export NVSVM_SOAK_CGROUP=$cgroup/soak
fi

# M14: without patches/mm the kernel does not survive huge pages in VRAM for long
if [[ -e /sys/module/nouveau/parameters/svm_huge_pages ]]; then
	echo "${NVSVM_SOAK_HUGE:-Y}" >/sys/module/nouveau/parameters/svm_huge_pages
fi

status=0
NVSVM_SOAK_DISK=/dev/zram1 build/guest/igt/nouveau_svm_soak --run-subtest soak || status=$?
if ((status == 0)); then
	if ! wait "$stress"; then
		echo "soak: stress-ng did not run to its end"
		status=1
	fi
	for stressor in vm mmap fork mremap; do
		# "stress-ng: metrc: [PID] NAME OPERATIONS ..."
		if ! grep -qE "\] $stressor +[1-9]" "$log"; then
			echo "soak: stress-ng did nothing of $stressor"
			status=1
		fi
	done
fi
cat "$log"
grep -E 'SwapTotal|SwapFree|HugePages_(Total|Free)' /proc/meminfo
grep -H . /sys/kernel/mm/ksm/pages_{shared,sharing,scanned}
# "NAME VALUE" lines, our driver's only
if [[ -e /sys/kernel/debug/dri/0/svm ]]; then
	head -20 /sys/kernel/debug/dri/0/svm | tee /tmp/svm
	if ! grep -qx 'on migration yes' /tmp/svm; then
		echo "soak: migration is off at the end"
		status=1
	fi
	for counter in faults batches replays maps invalidates bytes_to_vram bytes_to_ram evictions; do
		if ! grep -qE "^$counter [1-9]" /tmp/svm; then
			echo "soak: the driver did nothing of $counter"
			status=1
		fi
	done
	if ! grep -qx 'copy_errors 0' /tmp/svm; then
		echo "soak: copies failed, of which none was told to"
		status=1
	fi
fi
exit "$status"
