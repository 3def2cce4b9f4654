#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# In the guest: the soak test with stress-ng beside it, under memory pressure. The environment sets minutes and seed.
set -euo pipefail

modprobe zram num_devices=1
echo 1G >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null
swapon /dev/zram0

# About two thirds of memory come and go, mappings and processes churn. It may be killed for want of memory: the
# soak may not.
stress-ng --quiet --timeout "$((${NVSVM_SOAK_MINUTES:-1} * 60 + 30))" --vm 2 --vm-bytes 60% --vm-keep \
	--mmap 1 --mmap-bytes 128M --fork 1 --mremap 1 --mremap-bytes 32M >/dev/null 2>&1 &
stress=$!
echo 1000 >"/proc/$stress/oom_score_adj" || true
echo -900 >/proc/self/oom_score_adj

status=0
build/guest/igt/nouveau_svm_soak --run-subtest soak || status=$?
kill "$stress" 2>/dev/null || true
grep -E 'SwapTotal|SwapFree' /proc/meminfo
head -20 /sys/kernel/debug/dri/0/svm 2>/dev/null || true
exit "$status"
