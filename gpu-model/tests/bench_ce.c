// SPDX-License-Identifier: MIT
/*
 * Speed of copies against memcpy on the same memory: by physical address; by 2 MiB pages; by 4 KiB pages that lie
 * side by side; by 4 KiB pages of system memory that lie anyhow, to VRAM and back, as memory of a process does.
 * Each line gives the best and the middle of RUNS, memcpy measured between the copies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "chan_harness.h"

#define SIZE (32 * MiB)
#define SRC 0x40000000ull
#define DST 0x60000000ull
#define SYS 0x100000000ull

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static struct harness h;
static struct chan c;

#define RUNS 9

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double launch(uint64_t from, uint64_t to, uint64_t size, uint32_t flags)
{
	double t;

	c.at = c.start = 0;
	p_inc(&c, 4, 0x400, 8);
	p(&c, from >> 32);
	p(&c, (uint32_t)from);
	p(&c, to >> 32);
	p(&c, (uint32_t)to);
	p(&c, 4096);
	p(&c, 4096);
	p(&c, 4096);
	p(&c, size / 4096);
	p_1(&c, 4, 0x300, 0x386 | flags);
	p_kick(&c);
	t = seconds();
	gpu_run(h.gpu, 1000000);
	return size / (seconds() - t);
}

/* @hfrom, @hto: memory of the same size, for memcpy */
static void copy(const char *what, uint64_t from, uint64_t to, uint64_t size, uint32_t flags, const uint8_t *hfrom,
		 uint8_t *hto)
{
	double rate[RUNS], plain[RUNS], ratio[RUNS];
	uint64_t moved = h_count(&h, LEDGER_ce_bytes_vram_to_vram) + h_count(&h, LEDGER_ce_bytes_sys_to_vram) +
			 h_count(&h, LEDGER_ce_bytes_vram_to_sys);

	for (int k = 0; k < RUNS; k++) {
		double t = seconds();

		memcpy(hto, hfrom, size);
		plain[k] = size / (seconds() - t);
		rate[k] = launch(from, to, size, flags);
		ratio[k] = 100 * rate[k] / plain[k];
	}
	assert_int_equal(h_count(&h, LEDGER_ce_bytes_vram_to_vram) + h_count(&h, LEDGER_ce_bytes_sys_to_vram) +
				 h_count(&h, LEDGER_ce_bytes_vram_to_sys) - moved, RUNS * size);
	qsort(rate, RUNS, sizeof(*rate), by_value);
	qsort(plain, RUNS, sizeof(*plain), by_value);
	qsort(ratio, RUNS, sizeof(*ratio), by_value);
	printf("%-34s %6.2f GB/s (memcpy %6.2f), %3.0f %%; middle %3.0f %%\n", what, rate[RUNS - 1] * 1e-9,
	       plain[RUNS - 1] * 1e-9, 100 * rate[RUNS - 1] / plain[RUNS - 1], ratio[RUNS / 2]);
}

static void bench(void **state)
{
	uint64_t src, dst;

	h_new(&h, NULL);
	c_start(&h, &c, 3, 0);
	src = h_alloc(&h, SIZE);
	dst = h_alloc(&h, SIZE);
	p_1(&c, 4, 0, 0xc1b5);
	p_kick(&c);
	gpu_run(h.gpu, 1000);
	memset(h.gpu->vram + src, 1, SIZE);
	memset(h.gpu->vram + dst, 2, SIZE);
	memset(h.sys, 3, H_SYS_SIZE);
	for (uint64_t o = 0; o < SIZE; o += 4096) {
		h_map(&h, &c.s, SRC + o, 12, AP_VRAM, src + o, 0);
		h_map(&h, &c.s, DST + o, 12, AP_VRAM, dst + o, 0);
	}
	for (uint64_t o = 0; o < SIZE; o += 2 * MiB) {
		h_map(&h, &c.s, SRC + GiB + o, 21, AP_VRAM, src + o, 0);
		h_map(&h, &c.s, DST + GiB + o, 21, AP_VRAM, dst + o, 0);
	}
	/* pages in an order of no pattern: 4093 is prime to their number */
	for (uint64_t i = 0; i < H_SYS_SIZE / 4096; i++)
		h_map(&h, &c.s, SYS + i * 4096, 12, AP_SYS_COH, H_IOVA + i * 4093 % (H_SYS_SIZE / 4096) * 4096, 0);
	copy("physical", src, dst, SIZE, 0x3000, h.gpu->vram + src, h.gpu->vram + dst);
	copy("virtual, 2 MiB pages", SRC + GiB, DST + GiB, SIZE, 0, h.gpu->vram + src, h.gpu->vram + dst);
	copy("virtual, 4 KiB pages", SRC, DST, SIZE, 0, h.gpu->vram + src, h.gpu->vram + dst);
	copy("scattered 4 KiB pages to VRAM", SYS, DST, H_SYS_SIZE, 0, h.sys, h.gpu->vram + dst);
	copy("VRAM to scattered 4 KiB pages", SRC, SYS, H_SYS_SIZE, 0, h.gpu->vram + src, h.sys);
	h_del(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bench) };

	return cmocka_run_group_tests_name("bench_ce", tests, NULL, NULL);
}
