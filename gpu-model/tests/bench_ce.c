// SPDX-License-Identifier: MIT
/* Speed of copies against memcpy on the same memory: VRAM to VRAM by 4 KiB pages, by 2 MiB pages, and by physical address. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "chan_harness.h"

#define SIZE (32 * MiB)
#define SRC 0x40000000ull
#define DST 0x60000000ull

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static struct harness h;
static struct chan c;

static void copy(const char *what, uint64_t from, uint64_t to, uint32_t flags, double memcpy_rate)
{
	double best = 0;

	for (int k = 0; k < 5; k++) {
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
		p(&c, SIZE / 4096);
		p_1(&c, 4, 0x300, 0x386 | flags);
		p_kick(&c);
		t = seconds();
		gpu_run(h.gpu, 1000000);
		t = seconds() - t;
		if (SIZE / t > best)
			best = SIZE / t;
	}
	printf("%-28s %7.2f GB/s, %3.0f %% of memcpy\n", what, best * 1e-9, 100 * best / memcpy_rate);
}

static void bench(void **state)
{
	uint64_t src, dst;
	double rate = 0;

	h_new(&h, NULL);
	c_start(&h, &c, 3, 0);
	src = h_alloc(&h, SIZE);
	dst = h_alloc(&h, SIZE);
	for (int k = 0; k < 5; k++) {
		double t = seconds();

		memcpy(h.gpu->vram + dst, h.gpu->vram + src, SIZE);
		t = seconds() - t;
		if (SIZE / t > rate)
			rate = SIZE / t;
	}
	printf("%-28s %7.2f GB/s\n", "memcpy", rate * 1e-9);
	p_1(&c, 4, 0, 0xc1b5);
	p_kick(&c);
	gpu_run(h.gpu, 1000);
	copy("physical", src, dst, 0x3000, rate);
	for (uint64_t o = 0; o < SIZE; o += 4096) {
		h_map(&h, &c.s, SRC + o, 12, AP_VRAM, src + o, 0);
		h_map(&h, &c.s, DST + o, 12, AP_VRAM, dst + o, 0);
	}
	copy("virtual, 4 KiB pages", SRC, DST, 0, rate);
	for (uint64_t o = 0; o < SIZE; o += 2 * MiB) {
		h_map(&h, &c.s, SRC + GiB + o, 21, AP_VRAM, src + o, 0);
		h_map(&h, &c.s, DST + GiB + o, 21, AP_VRAM, dst + o, 0);
	}
	copy("virtual, 2 MiB pages", SRC + GiB, DST + GiB, 0, rate);
	h_del(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bench) };

	return cmocka_run_group_tests_name("bench_ce", tests, NULL, NULL);
}
