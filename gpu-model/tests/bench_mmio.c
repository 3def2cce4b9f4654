// SPDX-License-Identifier: MIT
/*
 * What an MMIO access costs at the client's end of the socket: with nothing to do, while a copy, a grid and both run
 * without end, beside the bare round trip of a message between two threads.  A write that drops translations does
 * not wait for the shader cores' slices; who polls 100c80 for the end does.  Run by "make bench".
 */
#include <stdio.h>

#include "live_harness.h"

#define N 20000

static struct live l;
static uint64_t t[N];

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void show(const char *what, unsigned int n)
{
	unsigned int late = 0;

	qsort(t, n, sizeof(t[0]), by_value);
	for (unsigned int i = 0; i < n; i++)
		late += t[i] > 1000000;
	printf("%-38s middle %6.1f us, 99 %% %7.1f us, 99.9 %% %7.1f us, worst %7.1f us; %u of %u above 1 ms\n", what,
	       t[n / 2] * 1e-3, t[(uint64_t)n * 99 / 100] * 1e-3, t[(uint64_t)n * 999 / 1000] * 1e-3, t[n - 1] * 1e-3,
	       late, n);
}

static void *echo(void *priv)
{
	int fd = *(int *)priv;
	char buf[64];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)n, 0) != n)
			break;
	return NULL;
}

static void round_trip(void)
{
	pthread_t tid;
	char buf[36] = { 0 };
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(pthread_create(&tid, NULL, echo, &fd[1]), 0);
	for (unsigned int i = 0; i < N; i++) {
		uint64_t from = l_ns(CLOCK_MONOTONIC);

		assert_int_equal(send(fd[0], buf, 32, 0), 32);
		assert_int_equal(recv(fd[0], buf, 36, 0), 32);
		t[i] = l_ns(CLOCK_MONOTONIC) - from;
	}
	close(fd[0]);
	pthread_join(tid, NULL);
	close(fd[1]);
	show("round trip on a socket", N);
}

static void accesses(const char *what, bool copy, bool grid)
{
	char name[64];

	live_new(&l, live_config);
	if (copy)
		live_copy(&l);
	if (grid)
		live_grid(&l);
	live_start(&l);
	usleep(100000);
	for (unsigned int i = 0; i < N; i++) {
		uint64_t from = l_ns(CLOCK_MONOTONIC);

		live_rd(&l, 0);
		t[i] = l_ns(CLOCK_MONOTONIC) - from;
	}
	snprintf(name, sizeof(name), "read, %s", what);
	show(name, N);
	for (unsigned int i = 0; i < N / 10; i++) {
		uint64_t from;

		live_wr(&l, 0x100cb8, 0);
		from = l_ns(CLOCK_MONOTONIC);
		live_wr(&l, 0x100cbc, 0x80000001);
		t[i] = l_ns(CLOCK_MONOTONIC) - from;
	}
	snprintf(name, sizeof(name), "TLB invalidate, %s", what);
	show(name, N / 10);
	for (unsigned int i = 0; i < N / 10; i++) {
		uint64_t from = l_ns(CLOCK_MONOTONIC);

		live_wr(&l, 0x100cbc, 0x80000001);
		while (!(live_rd(&l, 0x100c80) & BIT(15)))
			;
		t[i] = l_ns(CLOCK_MONOTONIC) - from;
	}
	snprintf(name, sizeof(name), "  until done, %s", what);
	show(name, N / 10);
	live_reset(&l);
	live_del(&l);
}

static void bench(void **state)
{
	round_trip();
	accesses("nothing to do", false, false);
	accesses("copy", true, false);
	accesses("grid", false, true);
	accesses("copy and grid", true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bench) };

	return cmocka_run_group_tests_name("bench_mmio", tests, NULL, NULL);
}
