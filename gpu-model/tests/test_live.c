// SPDX-License-Identifier: MIT
/*
 * The model with its threads: an MMIO access waits for one bounded step of the
 * engines, not for what they work on; nothing runs when there is nothing to do;
 * the shader cores' workers stay below the vCPUs.  Run under "make tsan" too.
 */
#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "live_harness.h"
#include "sm/core.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 1
#else
#define SLOW 0
#endif

/* What one step may do: hw/ce.c, hw/pbdma.c, hw/gr.c */
#define STEP_COPY (128u << 10)
#define STEP_METHODS 1024u
#define STEP_INSTRUCTIONS 4096u

static struct live l;

static uint64_t copied(void)
{
	return h_count(&l.h, LEDGER_ce_bytes_vram_to_vram);
}

/* --- one step ------------------------------------------------------------------ */

struct worst {
	uint64_t copy, methods, instructions, cpu_ns;
};

/* The ledger gets them when a grid has events; an endless one has none. */
static uint64_t executed(void)
{
	struct sm_stats s;

	sm_get_stats(l.h.gpu->sm, &s);
	return s.warp_instructions;
}

static void step(struct worst *w)
{
	uint64_t copy = copied(), methods = h_count(&l.h, LEDGER_method), instructions = executed(), t = l_ns(CLOCK_THREAD_CPUTIME_ID);

	gpu_engine_step(l.h.gpu);
	t = l_ns(CLOCK_THREAD_CPUTIME_ID) - t;
	copy = copied() - copy;
	methods = h_count(&l.h, LEDGER_method) - methods;
	instructions = executed() - instructions;
	w->copy = copy > w->copy ? copy : w->copy;
	w->methods = methods > w->methods ? methods : w->methods;
	w->instructions = instructions > w->instructions ? instructions : w->instructions;
	w->cpu_ns = t > w->cpu_ns ? t : w->cpu_ns;
}

/* gpu->lock is held for one step: a copy, a grid and a push buffer without end are cut into small ones. */
static void steps_are_bounded(void **state)
{
	struct worst w = { 0 };
	unsigned int slow = 0;

	live_new(&l, NULL);
	live_copy(&l);
	live_grid(&l);
	/* methods for as long as the test runs, from the other channel of the runlist */
	while (l.spare.at < C_PUSH_SIZE / 4 - 0x1000) {
		p(&l.spare, 3u << 29 | 0xfffu << 16 | 0x8 >> 2);	/* NVC06F_NOP, not incrementing */
		for (unsigned int i = 0; i < 0xfff; i++)
			p(&l.spare, i);
	}
	for (unsigned int i = 0; i < 100; i++)
		p_entry(&l.spare, C_PUSH | (uint64_t)l.spare.at << 42);
	p_ring(&l.spare);
	for (unsigned int i = 0; i < 3000; i++) {
		struct worst one = { 0 };

		step(&one);
		slow += one.cpu_ns > 1000000;
		w.copy = one.copy > w.copy ? one.copy : w.copy;
		w.methods = one.methods > w.methods ? one.methods : w.methods;
		w.instructions = one.instructions > w.instructions ? one.instructions : w.instructions;
		w.cpu_ns = one.cpu_ns > w.cpu_ns ? one.cpu_ns : w.cpu_ns;
	}
	printf("# worst step: %u bytes, %u methods, %u warp instructions, %.0f us of processor time\n",
	       (unsigned int)w.copy, (unsigned int)w.methods, (unsigned int)w.instructions, w.cpu_ns * 1e-3);
	/* all three went on, */
	assert_true(copied() > 3000 / 2 * STEP_COPY);
	assert_true(h_count(&l.h, LEDGER_method) > 100000);
	assert_true(w.instructions > 100);
	/* each by no more than its share a step */
	assert_in_range(w.copy, 1, STEP_COPY);
	assert_in_range(w.methods, 1, 2 * STEP_METHODS);
	assert_in_range(w.instructions, 1, STEP_INSTRUCTIONS);
	/* a step in a hundred may meet the host's own interrupts and page faults */
	if (!SLOW)
		assert_in_range(slow, 0, 30);
	live_del(&l);
}

/* --- threads ------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t steps(void)
{
	uint64_t n;

	gpu_lock(l.h.gpu);
	n = l.h.gpu->step;
	gpu_unlock(l.h.gpu);
	return n;
}

/* Reads come through while a grid and a copy that never end run, and these go on as well. */
static void reads_while_busy(void **state)
{
	enum { READS = 4000 };
	static uint64_t t[READS];
	uint64_t copy, instructions;

	live_new(&l, live_config);
	live_copy(&l);
	live_grid(&l);
	live_start(&l);
	while (!copied() || !h_count(&l.h, LEDGER_grid))
		usleep(1000);
	copy = copied();
	instructions = executed();
	for (unsigned int i = 0; i < READS; i++) {
		uint64_t from = l_ns(CLOCK_MONOTONIC);

		assert_int_equal(live_rd(&l, 0), 0x134000a1);
		t[i] = l_ns(CLOCK_MONOTONIC) - from;
	}
	qsort(t, READS, sizeof(t[0]), by_value);
	printf("# read: middle %.0f us, 99 %% %.0f us, worst %.0f us\n", t[READS / 2] * 1e-3,
	       t[READS * 99 / 100] * 1e-3, t[READS - 1] * 1e-3);
	/* neither is starved, and reads do not wait for their ends, which never come */
	assert_true(copied() > copy);
	assert_true(executed() > instructions);
	if (!SLOW)
		assert_in_range(t[READS / 2], 0, 1000000);
	/* requests that take the shader cores' gate for themselves: no slice holds them up for long */
	for (unsigned int i = 0; i < 300; i++) {
		live_wr(&l, 0x100cb8, 0);
		live_wr(&l, 0x100cbc, 0x80000001);
	}
	assert_int_equal(h_count(&l.h, LEDGER_inval_pdb), 300);
	/* they complete, though a slice always runs somewhere */
	while (!(live_rd(&l, 0x100c80) & BIT(15)))
		;
	/* a preempt stays pending: the grid is still there */
	live_wr(&l, 0x002634, 1u << 24 | l.gr.tsg);
	usleep(2000);
	assert_int_equal(live_rd(&l, 0x002634) & BIT(20), BIT(20));
	live_reset(&l);
	assert_int_equal(live_rd(&l, 0x002634) & BIT(20), 0);
	assert_int_equal(h_findings(&l.h), 0);
	live_del(&l);
}

/*
 * What follows stops a thread where the host may stop it, for as long as the test likes: an access has to be answered
 * meanwhile, however long that is.
 */

/* Answers that must not wait for the thread that is stopped; an answer that does not come fails the test. */
static void reads_go_on(void)
{
	struct timeval limit = { .tv_sec = 30 };

	assert_int_equal(setsockopt(l.fd[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	for (unsigned int i = 0; i < 500; i++)
		assert_int_equal(live_rd(&l, 0), 0x134000a1);
}

/* A worker of the shader cores that has their lock. */
static void reads_beside_a_stopped_worker(void **state)
{
	struct code k;
	uint64_t before;

	live_new(&l, live_config);
	live_copy(&l);
	objects(&l.gr);
	store_kernel(&k, C_DATA + 0x40, 1);
	live_start(&l);
	while (!copied())
		usleep(1000);
	pthread_mutex_lock(&l.h.gpu->sm->lock);
	before = steps();
	reads_go_on();
	/* a grid is launched, the engines go on, and it is not idle */
	grid(&l.gr, &k);
	gpu_lock(l.h.gpu);
	p_kick(&l.gr);
	gpu_unlock(l.h.gpu);
	while (!h_count(&l.h, LEDGER_grid) || steps() < before + 100)
		reads_go_on();
	gpu_lock(l.h.gpu);
	assert_false(gpu_idle(l.h.gpu));
	gpu_unlock(l.h.gpu);
	assert_int_equal(h_count(&l.h, LEDGER_cta), 0);
	pthread_mutex_unlock(&l.h.gpu->sm->lock);
	while (!h_count(&l.h, LEDGER_cta))
		reads_go_on();
	live_reset(&l);
	live_del(&l);
}

static uint8_t *stop_page;
static bool stopped_there, go_on;

/* The first access to the page stops here. */
static void stop_handler(int sig, siginfo_t *info, void *context)
{
	if ((uint8_t *)info->si_addr < stop_page || (uint8_t *)info->si_addr >= stop_page + 4096)
		abort();
	__atomic_store_n(&stopped_there, true, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&go_on, __ATOMIC_SEQ_CST))
		usleep(1000);
	mprotect(stop_page, 4096, PROT_READ | PROT_WRITE);
}

/* The engine thread in the middle of a copy. */
static void reads_beside_a_stopped_copy(void **state)
{
	struct sigaction sa = { .sa_sigaction = stop_handler, .sa_flags = SA_SIGINFO }, old;
	uint64_t dst = 0, before, bytes;

	live_new(&l, live_config);
	dst = live_copy(&l);
	stop_page = l.h.gpu->vram + dst + L_LINE / 2;
	stopped_there = go_on = false;
	sigemptyset(&sa.sa_mask);
	assert_int_equal(sigaction(SIGSEGV, &sa, &old), 0);
	live_start(&l);
	while (!copied())
		usleep(1000);
	assert_int_equal(mprotect(stop_page, 4096, PROT_NONE), 0);
	while (!__atomic_load_n(&stopped_there, __ATOMIC_SEQ_CST))
		usleep(1000);
	before = steps();
	bytes = copied();
	reads_go_on();
	/* its translations are in use: an invalidate is taken, and not done */
	live_wr(&l, 0x100cb8, 0);
	live_wr(&l, 0x100cbc, 0x80000001);
	reads_go_on();
	assert_int_equal(live_rd(&l, 0x100c80) & BIT(15), 0);
	assert_int_equal(steps(), before);
	assert_int_equal(copied(), bytes);
	__atomic_store_n(&go_on, true, __ATOMIC_SEQ_CST);
	while (!(live_rd(&l, 0x100c80) & BIT(15)))
		;
	while (copied() == bytes)
		usleep(1000);
	live_reset(&l);
	assert_int_equal(h_findings(&l.h), 0);
	live_del(&l);
	assert_int_equal(sigaction(SIGSEGV, &old, NULL), 0);
}

/* Messages from several sides at once: what ThreadSanitizer looks at. */
static void *control_side(void *priv)
{
	struct gpu *gpu = l.h.gpu;
	bool *stop = priv;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		gpu_lock(gpu);
		pthread_rwlock_wrlock(&gpu->sm_gate);
		san_watch(gpu, AP_VRAM, 200 * MiB, 4096, true);
		san_watch(gpu, AP_VRAM, 200 * MiB, 4096, false);
		pthread_rwlock_unlock(&gpu->sm_gate);
		gpu_unlock(gpu);
		for (unsigned int i = 0; i < LEDGER_NR; i++)
			ledger_get(gpu->ledger, (enum ledger_id)i);
		gpu_lock(gpu);
		gpu_idle(gpu);
		gpu_unlock(gpu);
		usleep(200);
	}
	return NULL;
}

/* Payload of the last report. */
static uint32_t last(void)
{
	return __atomic_load_n((uint32_t *)(l.h.gpu->vram + l.gr.data), __ATOMIC_ACQUIRE);
}

/* Grids that fault, replays, invalidates, DMA maps that come and go, resets: all at once. */
static void everything_at_once(void **state)
{
	uint64_t page, buf, *pte;
	uint64_t deadline;
	uint32_t seen = 0;
	bool stop = false;
	pthread_t control;

	live_new(&l, live_config);
	live_copy(&l);
	page = h_alloc(&l.h, 4096);
	pte = (uint64_t *)(l.h.gpu->vram + h_entry(&l.h, &l.gr.s, 0x7f0000000000ull, 12));
	buf = h_alloc(&l.h, 0x2000);
	hw_wr32(l.h.gpu, 0x002a78, 256);
	hw_wr32(l.h.gpu, 0x002a70, (uint32_t)buf | 1);
	objects(&l.gr);
	for (unsigned int i = 0; i < 60; i++) {
		struct code k;

		/* one code and one QMD for all */
		store_kernel(&k, 0x7f0000000000ull, 0xbeef);
		grid_of(&l.gr, &k, 8, 1);
		report(&l.gr, 0, C_DATA, i + 1, 0x1000f010);
		p_segment(&l.gr, 0);
	}
	p_ring(&l.gr);
	live_start(&l);
	assert_int_equal(pthread_create(&control, NULL, control_side, &stop), 0);
	/* until all grids are done and there were faults; the deadline is for a model that hangs */
	deadline = l_ns(CLOCK_MONOTONIC) + 60000000000ull;
	for (unsigned int i = 0; (last() != 60 || h_count(&l.h, LEDGER_replay) < 5) && l_ns(CLOCK_MONOTONIC) < deadline;
	     i++) {
		uint32_t get = live_rd(&l, 0x002a7c), put = live_rd(&l, 0x002a80);

		if (i % 7 == 3)
			assert_int_equal(pci_host_dma_map(l.h.gpu, 0x700000000000ull, 4096, l.h.sys_fd, 0, true, true), 0);
		if (i % 7 == 5)
			assert_int_equal(pci_host_dma_unmap(l.h.gpu, 0x700000000000ull, 4096), 0);
		/* mapped for two faults of three, and away again once a grid has got on: a storm would be ours */
		gpu_lock(l.h.gpu);
		if (get != put && i % 3)
			__atomic_store_n(pte, h_pte(AP_VRAM, page, 0), __ATOMIC_RELEASE);
		else if (last() != seen)
			__atomic_store_n(pte, 0, __ATOMIC_RELEASE);
		seen = last();
		gpu_unlock(l.h.gpu);
		if (get != put) {
			live_wr(&l, 0x002a7c, put);
			live_wr(&l, 0x100cbc, 0x8000000b);
		} else {
			live_wr(&l, 0x100cbc, 0x80000003);
		}
	}
	assert_int_equal(last(), 60);
	assert_in_range(h_count(&l.h, LEDGER_replay), 5, UINT32_MAX);
	assert_int_equal(h_count(&l.h, LEDGER_grid), 60);
	assert_int_equal(h_count(&l.h, LEDGER_cta), 60 * 8);
	live_reset(&l);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(control, NULL);
	assert_int_equal(h_findings(&l.h), 0);
	live_del(&l);
}

/* --- nothing to do -------------------------------------------------------------- */


static void idle_costs_nothing(void **state)
{
	struct rusage before, after;
	uint64_t first, us;
	struct code k;
	bool idle = false;

	live_new(&l, live_config);
	/* something has happened before, on both engines */
	objects(&l.gr);
	store_kernel(&k, C_DATA + 0x40, 1);
	grid(&l.gr, &k);
	p_sema(&l.gr, 0, 1, SEM_REL4);
	p_kick(&l.gr);
	p_1(&l.ce, 4, 0, 0xc1b5);
	p_sema(&l.ce, 0, 1, SEM_REL4);
	p_kick(&l.ce);
	live_start(&l);
	for (unsigned int i = 0; i < 5000 && !idle; i++) {
		usleep(1000);
		gpu_lock(l.h.gpu);
		idle = gpu_idle(l.h.gpu) && h_count(&l.h, LEDGER_semaphore_release) == 2;
		gpu_unlock(l.h.gpu);
	}
	assert_true(idle);
	usleep(50000);
	first = steps();
	getrusage(RUSAGE_SELF, &before);
	poll(NULL, 0, 2000);
	getrusage(RUSAGE_SELF, &after);
	us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) *
		     1000000ull +
	     (uint64_t)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec -
			before.ru_stime.tv_usec);
	printf("# 2 s idle: %u us of processor time, %ld wake-ups, %u engine steps\n", (unsigned int)us,
	       after.ru_nvcsw - before.ru_nvcsw, (unsigned int)(steps() - first));
	assert_int_equal(steps(), first);
	/* this thread's own sleep is one */
	assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, SLOW ? 50 : 2);
	assert_in_range(us, 0, SLOW ? 50000 : 5000);
	live_del(&l);
}

static void count_threads(int mine, int *below, int *others)
{
	struct dirent *d;
	DIR *dir = opendir("/proc/self/task");

	assert_non_null(dir);
	*below = *others = 0;
	while ((d = readdir(dir))) {
		int tid = atoi(d->d_name);

		if (!tid)
			continue;
		if (getpriority(PRIO_PROCESS, (id_t)tid) == mine + 5 && sched_getscheduler(tid) == SCHED_BATCH)
			(*below)++;
		else
			(*others)++;
	}
	closedir(dir);
}

/* Workers run below what else the machine does: batch class, five nice levels down. */
static void workers_are_below(void **state)
{
	/* as many as SMs, at most as many as cores */
	int mine = getpriority(PRIO_PROCESS, 0), want = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1;
	int below = 0, others = 0;

	live_new(&l, live_config);
	/* Each does it by itself, when it gets to run. */
	for (int i = 0; i < 1000 && below != want; i++) {
		usleep(10000);
		count_threads(mine, &below, &others);
	}
	assert_int_equal(below, want);
	/* ThreadSanitizer has a thread of its own */
	assert_in_range(others, 1, SLOW ? 2 : 1);
	live_del(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_bounded),
		cmocka_unit_test(reads_while_busy),
		cmocka_unit_test(reads_beside_a_stopped_worker),
		cmocka_unit_test(reads_beside_a_stopped_copy),
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(idle_costs_nothing),
		cmocka_unit_test(workers_are_below),
	};

	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
