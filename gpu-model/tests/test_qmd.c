// SPDX-License-Identifier: MIT
/* QMD V02_01: both Mesa flavours as recorded, each field, and what SKED refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/qmd.h"

/* The lines of the golden file, checked in as data: address, then 64 words. */
static const char *const golden_files[] = { "tests/data/qmds.txt", "gpu-model/tests/data/qmds.txt" };

static FILE *golden_open(void)
{
	for (size_t i = 0; i < sizeof(golden_files) / sizeof(golden_files[0]); i++) {
		FILE *f = fopen(golden_files[i], "r");

		if (f)
			return f;
	}
	return NULL;
}

static void golden(void **state)
{
	FILE *f = golden_open();
	char line[2048];
	unsigned int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		uint32_t w[QMD_WORDS];
		struct qmd q;
		char *p = strchr(line, '@');

		if (!p)
			continue;
		strtoull(p + 1, &p, 16);
		for (int i = 0; i < QMD_WORDS; i++)
			w[i] = strtoul(p, &p, 16);
		assert_int_equal(qmd_parse(w, &q), SKED_OK);
		n++;
		if (n == 1) {	/* rusticl's vecadd */
			assert_int_equal(q.version, 0);
			assert_int_equal(q.program_offset, 0x7ef00);
			assert_int_equal(q.grid[0], 4);
			assert_int_equal(q.grid[1], 1);
			assert_int_equal(q.grid[2], 1);
			assert_int_equal(q.block[0], 64);
			assert_int_equal(q.block[1], 1);
			assert_int_equal(q.block[2], 1);
			assert_int_equal(q.regs, 8);
			assert_int_equal(q.crs_size, 0x800);
			assert_true(q.cb[0].valid);
			assert_int_equal(q.cb[0].va, 0x102f0000);
			assert_int_equal(q.cb[0].size, 0x10000);
			assert_true(q.cb[7].valid);
			assert_int_equal(q.cb[7].va, 0x10350000);
			assert_int_equal(q.cb[7].size, 0x800);
			assert_false(q.cb[1].valid);
		}
		if (q.major == 2) {	/* NVK's */
			assert_int_equal(q.version, 1);
			assert_int_equal(q.program_offset, 0xea80);
			assert_int_equal(q.shared_size, 0x400);
			assert_int_equal(q.regs, 0x18);
			assert_int_equal(q.barriers, 1);
			assert_int_equal(q.cb[0].va, 0x3efdf6e000ull);
			assert_int_equal(q.cb[0].size, 0x800);
		}
	}
	fclose(f);
	assert_int_equal(n, 4);
}

static void good(uint32_t w[QMD_WORDS])
{
	memset(w, 0, QMD_WORDS * 4);
	w[12] = 1;
	w[13] = 1;
	w[14] = 1;
	w[18] = 32u << 16 | 0x21;
	w[19] = 1 << 16 | 1;
	w[30] = 8u << 24;
}

static void checks(void **state)
{
	uint32_t w[QMD_WORDS];
	struct qmd q;

	good(w);
	assert_int_equal(qmd_parse(w, &q), SKED_OK);
	w[18] &= 0xffff;
	assert_int_equal(qmd_parse(w, &q), SKED_CTA_THREAD_DIMENSION_ZERO);
	good(w);
	w[19] = 33u << 16 | 1;
	assert_int_equal(qmd_parse(w, &q), SKED_TOTAL_THREADS);
	good(w);
	w[30] = 0;
	assert_int_equal(qmd_parse(w, &q), SKED_REGISTER_COUNT);
	good(w);
	w[17] = 0xc100;
	assert_int_equal(qmd_parse(w, &q), SKED_SHARED_MEMORY_SIZE);
	good(w);
	w[20] = 1;
	w[33] = 0x1001u << 19;
	assert_int_equal(qmd_parse(w, &q), SKED_CONSTANT_BUFFER_SIZE);
	good(w);
	w[18] = 32u << 16 | 0x13;
	assert_int_equal(qmd_parse(w, &q), -1);
}

static void releases(void **state)
{
	uint32_t w[QMD_WORDS];
	struct qmd q;

	good(w);
	w[4] = 1 << 10 | 1 << 11;	/* SEMAPHORE_RELEASE_ENABLE0, 1 */
	w[23] = 0x89abcdef;
	w[24] = 0x80000000u | 1u << 26 | 5 << 20 | 0x12;
	w[25] = 0x1111;
	w[26] = 0x1000;
	w[28] = 0x2222;
	assert_int_equal(qmd_parse(w, &q), SKED_OK);
	assert_true(q.release[0].enable && q.release[1].enable);
	assert_int_equal(q.release[0].va, 0x1289abcdefull);
	assert_true(q.release[0].one_word && q.release[0].reduction);
	assert_int_equal(q.release[0].op, 5);
	assert_int_equal(q.release[0].payload, 0x1111);
	assert_int_equal(q.release[1].va, 0x1000);
	assert_false(q.release[1].one_word);
	assert_int_equal(q.release[1].payload, 0x2222);
}

/* Random words never make it read or write elsewhere, and give a verdict. */
static void hostile(void **state)
{
	uint32_t w[QMD_WORDS];
	struct qmd q;

	srand(1);
	for (int k = 0; k < 20000; k++) {
		for (int i = 0; i < QMD_WORDS; i++)
			w[i] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
		if (k & 1)
			w[18] &= ~0xffu;
		qmd_parse(w, &q);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),
		cmocka_unit_test(checks),
		cmocka_unit_test(releases),
		cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests_name("qmd", tests, NULL, NULL);
}
