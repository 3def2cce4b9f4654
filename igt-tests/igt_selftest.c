// SPDX-License-Identifier: MIT
/**
 * TEST: igt selftest
 * Category: Infrastructure
 * Description: every result that a test can have, so that the runner's reading of our stand-in can be checked
 *
 * vm/check runs it under igt_runner and compares the verdicts with
 * igt_selftest.expected; most of its subtests do not pass, on purpose.
 */
#include <signal.h>

#include "igt.h"

IGT_TEST_DESCRIPTION("Every result that a test can have; checks the stand-in for IGT's library.");

int igt_main()
{
	int fixtures = 0, i;

	igt_fixture()
		fixtures++;

	/**
	 * SUBTEST: pass
	 * Description: passes
	 */
	igt_describe("passes");
	igt_subtest("pass")
		igt_assert_eq(fixtures, 1);

	/**
	 * SUBTEST: fail
	 * Description: fails by an assertion
	 */
	igt_describe("fails by an assertion");
	igt_subtest("fail") {
		igt_debug("a debug message is shown when the test fails\n");
		igt_assert_eq(fixtures, 2);
	}

	/**
	 * SUBTEST: skip
	 * Description: skips by a requirement
	 */
	igt_subtest("skip")
		igt_require_f(fixtures == 2, "needs two fixtures\n");

	/**
	 * SUBTEST: crash
	 * Description: dies of a signal
	 */
	igt_subtest("crash") {
		volatile int *nowhere = NULL;

		nowhere += fixtures - 1;
		*nowhere = 1;
	}

	/**
	 * SUBTEST: hang
	 * Description: never ends
	 */
	igt_subtest("hang") {
		for (;;)
			pause();
	}

	/**
	 * SUBTEST: many-%d
	 * Description: a name made by a format
	 */
	for (i = 0; i < 2; i++) {
		igt_subtest_f("many-%d", i)
			igt_assert_lt(i, 2);
	}

	/**
	 * SUBTEST: dynamic
	 * Description: dynamic subtests, one of which fails
	 */
	igt_subtest_with_dynamic("dynamic") {
		for (i = 0; i < 3; i++) {
			igt_dynamic_f("engine-%d", i)
				igt_assert_lt(i, 2);
		}
	}

	/**
	 * SUBTEST: dynamic-none
	 * Description: no dynamic subtest ran: a skip
	 */
	igt_subtest_with_dynamic("dynamic-none")
		igt_debug("nothing here\n");

	/**
	 * SUBTEST: fork-pass
	 * Description: children that succeed
	 */
	igt_subtest("fork-pass") {
		igt_fork(child, 3)
			igt_assert_lte(child, 2);
		igt_waitchildren();
	}

	/**
	 * SUBTEST: fork-fail
	 * Description: a child that fails
	 */
	igt_subtest("fork-fail") {
		igt_fork(child, 3)
			igt_assert_lt(child, 2);
		igt_waitchildren();
	}

	/**
	 * SUBTEST: warn
	 * Description: passes with a warning on stderr
	 */
	igt_subtest("warn")
		igt_warn("mind this\n");

	igt_subtest_group() {
		igt_fixture()
			igt_skip("this group has to skip\n");

		/**
		 * SUBTEST: group-skip
		 * Description: skipped by its group's fixture
		 */
		igt_subtest("group-skip")
			igt_assert(false);
	}

	/**
	 * SUBTEST: after-group
	 * Description: runs although the group before it was skipped
	 */
	igt_subtest("after-group")
		igt_assert_eq(fixtures, 1);
}
