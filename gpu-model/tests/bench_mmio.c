// SPDX-License-Identifier: MIT
/*
 * What an MMIO access costs at the client's end of the socket: with nothing to do, while a copy, a grid and both run
 * without end, beside the bare round trip of a message between two threads.  A write that drops translations does
 * not wait for the shader cores' slices; who polls 100c80 for the end does.  Run by "make bench".
 *
 * Reads are measured again, more slowly, for what of it is not the host's scheduling: without the time that this thread
 * and the one that answers could have run and did not (/proc/self/task/TID/schedstat), which leaves what they wait for
 * the engine thread; and without such time of the engine thread as well.
 */
#include <dirent.h>
#include <fcntl.h>
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
	printf("%-44s middle %6.1f us, 99 %% %7.1f us, 99.9 %% %7.1f us, worst %7.1f us; %u of %u above 1 ms\n", what,
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

/* The engine thread's id. */
static pid_t engine_tid(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	pid_t tid = 0;

	assert_non_null(dir);
	while (!tid && (d = readdir(dir))) {
		char name[300], comm[16] = "";
		FILE *f;

		snprintf(name, sizeof(name), "/proc/self/task/%s/comm", d->d_name);
		f = fopen(name, "r");
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) && !strcmp(comm, "gpu-engine\n"))
			tid = atoi(d->d_name);
		fclose(f);
	}
	closedir(dir);
	assert_true(tid);
	return tid;
}

static int schedstat(pid_t tid)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/self/task/%d/schedstat", tid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* ns that the threads have spent runnable and not running */
static uint64_t queued(const int *fd, unsigned int threads)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < threads; i++) {
		unsigned long long delay = 0;
		char buf[128];
		ssize_t n = pread(fd[i], buf, sizeof(buf) - 1, 0);

		assert_true(n > 0);
		buf[n] = 0;
		assert_int_equal(sscanf(buf, "%*u %llu", &delay), 1);
		sum += delay;
	}
	return sum;
}

static void less_queued(const char *what, unsigned int threads)
{
	int fd[3] = { schedstat(gettid()), schedstat(__atomic_load_n(&l.server_tid, __ATOMIC_RELAXED)),
		      schedstat(engine_tid()) };
	char name[64];

	for (unsigned int i = 0; i < N; i++) {
		uint64_t q = queued(fd, threads), from = l_ns(CLOCK_MONOTONIC), all;

		live_rd(&l, 0);
		all = l_ns(CLOCK_MONOTONIC) - from;
		q = queued(fd, threads) - q;
		t[i] = all > q ? all - q : 0;
	}
	for (unsigned int i = 0; i < 3; i++)
		close(fd[i]);
	snprintf(name, sizeof(name), threads == 2 ? "  less its threads' queueing, %s" :
						    "  and the engine thread's, %s", what);
	show(name, N);
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
	less_queued(what, 2);
	less_queued(what, 3);
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
