# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# For stages of vm/check-debug.d: groups of IGT tests, a machine for each. The stage has the directory $work and two
# functions: groups, which prints a line for each group (name; options for vm/run, "-": none; seconds; expression for the
# tests; expression for those of them that are left out, "-": none), and group NAME OPTIONS SECONDS, which runs the tests
# of $work/NAME/list.

# All groups. NVSVM_GROUPS narrows the groups, NVSVM_TESTS the tests: a group may have none left then, and only then.
run_groups() {
	local test name options seconds want not
	: >"$work/all.list"
	for test in igt-tests/nouveau_*.c; do
		test=$(basename "$test" .c)
		vm/guest -- "build/guest/igt/$test" --list-subtests | sed "s/^/igt@$test@/" >>"$work/all.list"
	done
	sed 's/#.*//' igt-tests/own-boot.list | awk 'NF { print $1 }' >"$work/own.list"
	grep -vxFf "$work/own.list" "$work/all.list" >"$work/together.list"

	while IFS=$'\t' read -r name options seconds want not; do
		[[ $name =~ ${NVSVM_GROUPS:-.} ]] || continue
		rm -rf "${work:?}/$name"
		mkdir -p "$work/$name"
		grep -E "@$want" "$work/together.list" >"$work/$name/list" || true
		if [[ $not != - ]]; then
			sed -i -E "\#$not#d" "$work/$name/list"
		fi
		if [[ ! -s $work/$name/list ]]; then
			echo "FAIL ours/tests-$name: no test has the name that this group is of"
			continue
		fi
		if [[ -n ${NVSVM_TESTS:-} ]]; then
			grep -E "$NVSVM_TESTS" "$work/$name/list" >"$work/$name/less" || continue
			mv "$work/$name/less" "$work/$name/list"
		fi
		group "$name" "$options" "$seconds" </dev/null
	done < <(groups)
}
