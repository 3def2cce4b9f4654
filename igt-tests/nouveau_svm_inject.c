// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm inject
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: error paths
 * Description: each step of the driver that may fail fails once
 *
 * The same work is done again and again, and each time the next of the driver's
 * injection points fails (nouveau_svm/fail-nth in debugfs), until none is left.
 * Whatever fails, data is right or there is an error, the log is silent, and the
 * next piece of work succeeds.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "gpu_model.h"
#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("Each step of the driver that may fail fails once.");

#define FAIL_NTH "/sys/kernel/debug/nouveau_svm/fail-nth"
#define NTH_MAX 1000
#define BLOCK (SZ_2M / SZ_4K)

static int fail_nth = -1;

static void arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	/* seq_file takes no pwrite() */
	igt_assert_eq((int)write(fail_nth, text, (size_t)len), len);
}

/* Return: true when something has failed since arm(), then in function @where. */
static bool disarm(unsigned int nth, char where[64])
{
	char text[128] = "";
	long left = -1;
	int fd = open(FAIL_NTH, O_RDONLY | O_CLOEXEC);

	igt_assert_fd(fd);
	igt_assert_lt(0, (int)read(fd, text, sizeof(text) - 1));
	close(fd);
	igt_assert_eq(sscanf(text, "%ld", &left), 1);
	arm(0);
	*where = 0;
	if (left == 0) {
		igt_info("%u: %s", nth, text + 2);
		sscanf(text + 2, "%63[^:]", where);
	}
	return left == 0;
}

static void setup(void)
{
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (access("/dev/dri/renderD128", F_OK) == 0)
		fail_nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	igt_require_f(fail_nth >= 0, "the driver has no injection points\n");
	arm(0);
}

/* What one round works on. */
#define HOGS 6

static struct {
	struct svm svm;
	char *mem;
	/* bytes of it, and pages that are looked at */
	size_t len;
	uint32_t nr;
	int pipes[2];
	/* which question fails, whether it did, and whether the block came back */
	unsigned int nth;
	bool failed, came_back;
	pid_t child;
	/* copies that went wrong so far */
	uint64_t errors;
	/* the function that failed, and how often it was the one of which a test asks */
	char where[64];
	unsigned int busy;
	/* a program without SVM, and its buffers */
	struct svm hog;
	struct nv_bo hogs[HOGS];
} s;

static sigjmp_buf bus_error;

static void on_sigbus(int sig)
{
	siglongjmp(bus_error, 1);
}

/* A read that may end in SIGBUS, fewer than @max times. */
static uint32_t read_times(const volatile uint32_t *p, int max)
{
	struct sigaction sa = { .sa_handler = on_sigbus }, old;
	volatile int tries = 0;
	uint32_t v;

	sigaction(SIGBUS, &sa, &old);
	if (sigsetjmp(bus_error, 1))
		igt_assert_lt(++tries, max);
	v = *p;
	sigaction(SIGBUS, &old, NULL);
	return v;
}

/* A read that may end in SIGBUS, once. */
static uint32_t read_again(const volatile uint32_t *p)
{
	return read_times(p, 2);
}

static void begin_len(size_t len, uint32_t nr, enum page_kind kind, bool migrate)
{
	/* One that failed may have left it on. */
	svm_fail_in_end();
	svm_open(&s.svm);
	svm_migrate_on_fault(migrate);
	s.len = len;
	s.nr = nr;
	s.mem = svm_alloc(len, kind);
	svm_cpu_write_pages(s.mem, nr, 0x100);
}

static void begin(enum page_kind kind, bool migrate)
{
	begin_len(SZ_2M, 8, kind, migrate);
}

static void begin_4k(void)
{
	begin(PAGES_4K, false);
}

static void begin_4k_migrate(void)
{
	begin(PAGES_4K, true);
}

static void begin_thp_migrate(void)
{
	begin(PAGES_THP, true);
}

static void pin(uint32_t page)
{
	struct iovec io = { .iov_base = s.mem + page * SZ_4K, .iov_len = SZ_4K };

	igt_assert_eq(pipe(s.pipes), 0);
	igt_assert_eq((int)vmsplice(s.pipes[1], &io, 1, 0), (int)SZ_4K);
}

static void begin_pinned(void)
{
	begin(PAGES_4K, false);
	pin(3);
}

/* So small that it is not tried again in pieces: each of them has all points of a move. */
static void begin_pinned_64k(void)
{
	begin_len(SZ_64K, 4, PAGES_4K, false);
	pin(3);
}

static void begin_in_vram(void)
{
	begin(PAGES_4K, false);
	svm_bind_vram(&s.svm, s.mem, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(s.mem, SZ_2M, PAGE_IN_VRAM), BLOCK);
}

static void begin_thp_in_vram(void)
{
	begin(PAGES_THP, false);
	svm_bind_vram(&s.svm, s.mem, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(s.mem, SZ_2M, PAGE_IN_VRAM), BLOCK);
}

/* A page is swapped out. */
static void begin_swapped(void)
{
	int turn;

	begin_len(SZ_64K, SZ_64K / SZ_4K, PAGES_4K, false);
	/* It passes over pages that another CPU has not put on the list of pages yet. */
	for (turn = 0; turn < 200 && !svm_count_pages(s.mem, SZ_64K, PAGE_SWAPPED); turn++) {
		igt_assert_eq(madvise(s.mem + 3 * SZ_4K, SZ_4K, MADV_PAGEOUT), 0);
		usleep(10000);
		/* To drop caches has all CPUs do that. */
		if (turn % 50 == 49)
			svm_must_write("/proc/sys/vm/drop_caches", "1");
	}
	igt_assert_eq_u64(svm_count_pages(s.mem, SZ_64K, PAGE_SWAPPED), 1);
}

/* A child has the pages too, until it is told to look at them. */
static void begin_forked(void)
{
	char c;
	uint32_t i;

	begin_len(SZ_64K, SZ_64K / SZ_4K, PAGES_4K, false);
	svm_bind_vram(&s.svm, s.mem, s.len);
	igt_assert_eq_u64(svm_count_pages(s.mem, s.len, PAGE_IN_VRAM), s.nr);
	igt_assert_eq(pipe(s.pipes), 0);
	s.child = fork();
	igt_assert_lte(0, s.child);
	if (s.child)
		return;
	close(s.pipes[1]);
	if (read(s.pipes[0], &c, 1) != 1)
		_exit(1);
	for (i = 0; i < s.nr; i++)
		if (*(volatile uint32_t *)(s.mem + i * SZ_4K) != 0x100 + i)
			_exit(2);
	_exit(0);
}

static void begin_64k_in_vram(void)
{
	begin_len(SZ_64K, SZ_64K / SZ_4K, PAGES_4K, false);
	svm_bind_vram(&s.svm, s.mem, s.len);
	igt_assert_eq_u64(svm_count_pages(s.mem, s.len, PAGE_IN_VRAM), s.nr);
}

/* Nobody uses the device pages: they are given up, and have to be made again. */
static void forget_pagemap(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	igt_assert_fd(fd);
	igt_assert_eq((int)write(fd, "2", 1), 1);
	close(fd);
}

/* The memory is there, whatever happened, and can be used like any other. */
static void end(void)
{
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x200);
	svm_cpu_check_pages(s.mem, s.nr, 0x200, false);
	svm_bind_vram(&s.svm, s.mem, s.len);
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x300);
	svm_cpu_check_pages(s.mem, s.nr, 0x300, false);
	svm_migrate_on_fault(true);
	svm_close(&s.svm);
	svm_free(s.mem, s.len);
}

static void end_pinned(void)
{
	close(s.pipes[0]);
	close(s.pipes[1]);
	end();
}

static void end_forked(void)
{
	int st;

	igt_assert_eq((int)write(s.pipes[1], "x", 1), 1);
	igt_assert_eq(waitpid(s.child, &st, 0), s.child);
	igt_assert_f(st == 0, "the child ended with %#x\n", st);
	end_pinned();
}

static void gpu_touches(void)
{
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
}

static void gpu_adds(void)
{
	uint32_t i;

	for (i = 0; i < 4; i++)
		svm_gpu_add(&s.svm, s.mem + i * SZ_4K, 1, 32);
	for (i = 0; i < 4; i++)
		igt_assert_eq_u32(read_again((uint32_t *)(s.mem + i * SZ_4K)), 0x100 + i + 32);
	svm_cpu_write_pages(s.mem, s.nr, 0x200);
}

static void prefetches(void)
{
	igt_assert_eq(nv_svm_bind(&s.svm.dev, s.mem, s.len, true, NULL), 0);
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
	igt_assert_eq(nv_svm_bind(&s.svm.dev, s.mem, s.len, false, NULL), 0);
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x200);
}

static void prefetches_counted(void)
{
	svm_ledger_start();
	igt_assert_eq(nv_svm_bind(&s.svm.dev, s.mem, s.len, true, NULL), 0);
	svm_ledger_stop();
}

static void gpu_touches_counted(void)
{
	svm_ledger_start();
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
	svm_ledger_stop();
}

/* A huge page that was in use in that moment, and is no more, has moved as one. */
static void whole(void)
{
	if (!strcmp(s.where, "nouveau_svm_populate_locked")) {
		igt_assert_eq_u64(svm_ledger("ce_launch"), 1);
		igt_assert_eq_u64(svm_ledger("ce_bytes_sys_to_vram"), SZ_2M);
		igt_assert_eq_u64(svm_ledger("pte_write_2m"), 1);
		igt_assert_eq_u64(svm_ledger("pte_write_64k") + svm_ledger("pte_write_4k"), 0);
		s.busy++;
	}
	svm_cpu_write_pages(s.mem, s.nr, 0x200);
	end();
}

static void cpu_touches(void)
{
	uint32_t i;

	for (i = 0; i < s.nr; i++)
		igt_assert_eq_u32(read_again((uint32_t *)(s.mem + i * SZ_4K)), 0x100 + i);
	/* Some did not come back the first time. */
	for (i = 0; i < s.len / SZ_4K; i++)
		read_again((uint32_t *)(s.mem + i * SZ_4K));
	igt_assert_eq_u64(svm_count_pages(s.mem, s.len, PAGE_IN_RAM), s.len / SZ_4K);
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
}

/* It uses its buffers, for which those that are in RAM come back to VRAM. That may fail. The large one stays in use. */
static void hog_works(void)
{
	uint32_t i;

	for (i = 0; i <= HOGS; i++) {
		nv_use(&s.hog.chan, &s.hogs[i % HOGS]);
		nv_copy(&s.hog.chan, s.hogs[i % HOGS].va, s.hogs[i % HOGS].va + SZ_4K, 4);
		if (!nv_submit(&s.hog.chan))
			igt_assert_eq(nv_wait(&s.hog.chan, 0), 0);
	}
}

/*
 * Another program, whose buffers are a little more than VRAM holds: a large one and some small ones. It has them from
 * before: one that is new is cleared, which fails too, and what the CPU clears instead takes the machine its time.
 */
static void hog_open(void)
{
	uint32_t i;

	igt_assert_eq(nv_dev_init(&s.hog.dev, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(nv_chan_new(&s.hog.dev, NV_ENGINE_CE, &s.hog.chan), 0);
	for (i = 0; i < HOGS; i++)
		igt_assert_eq(nv_bo_new(&s.hog.dev, i ? SZ_2M : svm_vram_size(&s.hog) - 6 * SZ_2M,
					NOUVEAU_GEM_DOMAIN_VRAM, &s.hogs[i]), 0);
	/* What has to make way is a small one: the large one would be cleared when it comes back, by the CPU. */
	hog_works();
}

static void hog_close(void)
{
	uint32_t i;

	for (i = 0; i < HOGS; i++)
		nv_bo_del(&s.hogs[i]);
	nv_chan_del(&s.hog.chan);
	nv_dev_close(&s.hog.dev);
}

/* Buffers take all of VRAM, at the cost of the block. */
static void pressure(void)
{
	uint32_t p;

	hog_works();
	s.came_back = svm_count_pages(s.mem, s.len, PAGE_IN_RAM) == s.len / SZ_4K;
	for (p = 0; p < s.nr; p++)
		igt_assert_eq_u32(read_again((uint32_t *)(s.mem + p * SZ_4K)), 0x100 + p);
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
}

/* A copy goes wrong, which kills the channel; another takes its place. */
static void loses_channel(void)
{
	uint32_t i;

	svm_inject(&(struct gpu_model_inject){ .point = "ce_error", .nth = 1 });
	for (i = 0; i < s.nr; i++)
		igt_assert_eq_u32(read_times((uint32_t *)(s.mem + i * SZ_4K), 4), 0x100 + i);
	igt_assert_eq_u64(svm_count_pages(s.mem, s.len, PAGE_IN_RAM), s.nr);
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
	igt_assert_eq_u64(svm_injected("ce_error") - s.errors, 1);
	s.errors++;
}

/* Again and again there is no channel when the CPU touches the memory, and each time there is one at once. */
static void turned_away(void)
{
	begin_64k_in_vram();
	svm_log_start();
	svm_fail_in("nouveau_svm_ce_begin", 5);
	svm_cpu_check_pages(s.mem, s.nr, 0x100, true);
	igt_assert_eq_u32(svm_fail_in_left(), 0);
	igt_assert_eq_u64(svm_count_pages(s.mem, s.len, PAGE_IN_RAM), s.nr);
	/* "Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF" */
	igt_assert_eq(svm_log_lines("VM_FAULT_OOM", NULL), 0);
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
	end();
}

static void nothing(void)
{
}

/* From the first ioctl to the last. */
static void whole_life(void)
{
	struct nv_chan chan;
	struct nv_dev dev;
	uint32_t *p;
	int err;

	igt_assert_eq(nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)), 0);
	err = nv_svm_init(&dev);
	if (!err) {
		p = svm_alloc(SZ_2M, PAGES_4K);
		*p = 0x1234;
		err = nv_chan_new(&dev, NV_ENGINE_GR, &chan);
		if (!err)
			nv_chan_del(&chan);
		err = nv_svm_bind(&dev, p, SZ_64K, true, NULL);
		igt_assert_eq(err, 0);
		igt_assert_eq_u32(read_again(p), 0x1234);
		svm_free(p, SZ_2M);
	}
	nv_dev_close(&dev);
}

/* VM_INIT: not in the libdrm header of every release. */
struct vm_init {
	uint64_t kernel_managed_addr, kernel_managed_size;
};
#define IOCTL_VM_INIT _IOWR(DRM_IOCTL_BASE, DRM_COMMAND_BASE + 0x10, struct vm_init)

static unsigned int refused;

/* A file gets the one kind of address space, or else the other is still to be had. */
static void either_kind(void)
{
	struct vm_init init = { .kernel_managed_addr = 1ull << 39, .kernel_managed_size = 1ull << 39 };
	struct nv_dev dev;
	int err;

	igt_assert_eq(nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)), 0);
	err = nv_svm_init(&dev);
	refused += err != 0;
	igt_assert_f((igt_ioctl(dev.fd, IOCTL_VM_INIT, &init) == 0) == (err != 0),
		     "SVM_INIT: %s, VM_INIT then: %s\n", strerror(-err), strerror(errno));
	nv_dev_close(&dev);
}

static void use_once(void)
{
	begin_4k();
	gpu_touches();
	end();
}

/*
 * Block of a dead owner: a child has its pages, the parent that moved them is gone.
 * A small one: each of its pages takes a few steps.
 */
static void orphan(void)
{
	char *p = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct svm svm = { 0 };
	int st, gate[2];
	unsigned int n;
	pid_t pid;

	/* How it gets to VRAM is the business of others. */
	arm(0);
	igt_assert_eq(pipe(gate), 0);
	pid = fork();
	igt_assert_lte(0, pid);
	if (!pid) {
		char *mem, c;
		uint32_t i;

		/* The owner: moves its memory, leaves it to its child, and ends. */
		close(gate[1]);
		if (nv_dev_init(&svm.dev, drm_open_driver_render(DRIVER_ANY)) || nv_svm_init(&svm.dev))
			_exit(1);
		mem = svm_alloc(SZ_64K, PAGES_4K);
		svm_cpu_write_pages(mem, SZ_64K / SZ_4K, 0x1000);
		if (nv_svm_bind(&svm.dev, mem, SZ_64K, true, NULL) ||
		    svm_count_pages(mem, SZ_64K, PAGE_IN_VRAM) != SZ_64K / SZ_4K)
			_exit(2);
		if (fork())
			_exit(0);
		close(svm.dev.fd);
		if (read(gate[0], &c, 1) < 0)
			_exit(3);
		p[2] = svm_count_pages(mem, SZ_64K, PAGE_IN_RAM) == SZ_64K / SZ_4K;
		for (i = 0; i < SZ_64K / SZ_4K; i++) {
			if (read_again((uint32_t *)(mem + i * SZ_4K)) != 0x1000 + i)
				p[1] = 1;
		}
		p[0] = 1;
		_exit(0);
	}
	close(gate[0]);
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	igt_assert_eq(st, 0);
	arm(s.nth);
	hog_works();
	close(gate[1]);
	for (n = 0; n < 2000 && !*(volatile char *)&p[0]; n++)
		usleep(10000);
	igt_assert_eq(p[0], 1);
	igt_assert_eq(p[1], 0);
	s.came_back = p[2];
	munmap(p, SZ_4K);
}

static void evicted(void)
{
	igt_assert_f(s.failed || s.came_back, "nothing has failed, but the block is in VRAM\n");
}

static void after_pressure(void)
{
	evicted();
	end();
}

static void after_orphan(void)
{
	evicted();
	use_once();
}

/*
 * Each of the first questions fails, and each of the last. In between, where the
 * pieces of a block repeat the same few steps, it is every 29th, or each if
 * NVSVM_NTH_STEP=1.
 */
#define NTH_ALL 40
#define NTH_STEP 29

static unsigned int nth_step(void)
{
	const char *text = getenv("NVSVM_NTH_STEP");
	int step = text ? atoi(text) : NTH_STEP;

	return step > 0 ? (unsigned int)step : NTH_STEP;
}

static void rounds(void (*prepare)(void), void (*work)(void), void (*after)(void))
{
	unsigned int last = 0;
	bool tail = false;

	for (s.nth = 1;;) {
		igt_assert_lt_u64(s.nth, NTH_MAX);
		prepare();
		arm(s.nth);
		work();
		s.failed = disarm(s.nth, s.where);
		after();
		if (s.failed)
			last = s.nth;
		else if (s.nth == last + 1)
			break;
		else
			tail = true;
		s.nth = last + (tail || last < NTH_ALL ? 1 : nth_step());
	}
	igt_assert_f(last > 1, "nothing has failed\n");
}

static void rounds_beside_hog(void (*prepare)(void), void (*work)(void), void (*after)(void))
{
	hog_open();
	rounds(prepare, work, after);
	hog_close();
}

/**
 * SUBTEST: life
 * Description: from SVM_INIT to close
 *
 * SUBTEST: either-kind
 * Description: SVM_INIT that fails leaves the file as it was: VM_INIT succeeds, and is refused if it did not fail
 *
 * SUBTEST: fault-in-place
 * Description: faults of the GPU on memory that stays where it is
 *
 * SUBTEST: fault-migrate-%s
 * Description: faults of the GPU on memory that moves to VRAM, in pages of %arg[1]
 *
 * SUBTEST: fault-pinned
 * Description: SVM_BIND and faults on a block with a page that cannot move
 *
 * SUBTEST: atomic
 * Description: atomics on memory that is to move to VRAM
 *
 * SUBTEST: atomic-exclusive
 * Description: atomics on a page that cannot move
 *
 * SUBTEST: prefetch-%s
 * Description: SVM_BIND to VRAM and to RAM, in pages of %arg[1]
 *
 * SUBTEST: busy-prefetch-thp
 * Description: a huge page is in use at SVM_BIND's first try: it moves as one all the same
 *
 * SUBTEST: busy-fault-thp
 * Description: the same with a fault of the GPU
 *
 * SUBTEST: cpu-fault-%s
 * Description: the CPU touches memory in VRAM, in pages of %arg[1]
 *
 * SUBTEST: replace-channel
 * Description: a copy goes wrong for the model's reasons, and the driver makes another channel
 *
 * SUBTEST: turned-away
 * Description: no channel for copies, five times when the CPU touches memory in VRAM: the access comes again, unnoticed
 *
 * SUBTEST: prefetch-swapped
 * Description: SVM_BIND of memory of which a page is swapped out
 *
 * SUBTEST: fault-forked
 * Description: faults of the GPU on memory in VRAM that a child has too
 *
 * SUBTEST: evict-%s
 * Description: buffers need the VRAM, memory in pages of %arg[1] makes way
 *
 * SUBTEST: evict-orphan
 * Description: memory of a process that has ended makes way, a child of it has it
 *
 * arg[1]:
 *
 * @4k: 4 KiB
 * @thp: 2 MiB
 */
/**
 * SUBTEST: clear-by-cpu
 * Description: a buffer gets VRAM, in which there may have been memory of a process, and the copy engine cannot clear it
 */
static void clear_by_cpu(void)
{
	static const struct {
		const char *fails;
		bool by_engine;
	} turn[] = {
		{ NULL, true },
		{ "nouveau_svm_dmem_clear", false },
		{ "nouveau_svm_ce_submit", false },
		/* The channel is being replaced: it is waited for. */
		{ "nouveau_svm_ce_begin", true },
	};
	struct nv_bo bo;
	size_t i, at;

	/* There was some: from now on buffers are cleared. */
	begin_64k_in_vram();
	for (i = 0; i < ARRAY_SIZE(turn); i++) {
		igt_assert_eq(nv_bo_new(&s.svm.dev, SZ_64K, NOUVEAU_GEM_DOMAIN_VRAM, &bo), 0);
		for (at = 0; at < SZ_64K; at += SZ_4K)
			*(volatile uint32_t *)((char *)bo.map + at) = 0x5e5e5e5e;
		nv_bo_del(&bo);
		/* The next one of this size lies where it lay. */
		svm_ledger_start();
		if (turn[i].fails)
			svm_fail_in(turn[i].fails, 1);
		igt_assert_eq(nv_bo_new(&s.svm.dev, SZ_64K, NOUVEAU_GEM_DOMAIN_VRAM, &bo), 0);
		if (turn[i].fails) {
			igt_assert_eq_u32(svm_fail_in_left(), 0);
			svm_fail_in_end();
		}
		svm_ledger_stop();
		igt_assert_eq_u64(svm_ledger("ce_launch"), turn[i].by_engine);
		for (at = 0; at < SZ_64K; at += SZ_4K)
			igt_assert_eq_u32(*(volatile uint32_t *)((char *)bo.map + at), 0);
		nv_bo_del(&bo);
	}
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
	end();
}

int igt_main()
{
	igt_fixture()
		setup();

	igt_describe("SVM_INIT to close");
	igt_subtest("life")
		rounds(forget_pagemap, whole_life, use_once);
	igt_describe("SVM_INIT that fails, and VM_INIT");
	igt_subtest("either-kind") {
		rounds(nothing, either_kind, nothing);
		/* The address space of nvkm's, ours, its thread, and drm_gpusvm's. */
		igt_assert_lt(3, (int)refused);
	}
	igt_describe("Faults in place");
	igt_subtest("fault-in-place")
		rounds(begin_4k, gpu_touches, end);
	igt_describe("Faults that move small pages");
	igt_subtest("fault-migrate-4k")
		rounds(begin_4k_migrate, gpu_touches, end);
	igt_describe("Faults that move huge pages");
	igt_subtest("fault-migrate-thp")
		rounds(begin_thp_migrate, gpu_touches, end);
	igt_describe("A pinned page in the block");
	igt_subtest("fault-pinned")
		rounds(begin_pinned, prefetches, end_pinned);
	igt_describe("Atomics");
	igt_subtest("atomic")
		rounds(begin_4k_migrate, gpu_adds, end);
	igt_describe("Atomics on a page that cannot move");
	igt_subtest("atomic-exclusive")
		rounds(begin_pinned_64k, gpu_adds, end_pinned);
	igt_describe("SVM_BIND of small pages");
	igt_subtest("prefetch-4k")
		rounds(begin_4k, prefetches, end);
	igt_describe("SVM_BIND of huge pages");
	igt_subtest("prefetch-thp")
		rounds(begin_thp_migrate, prefetches, end);
	igt_describe("SVM_BIND of a huge page that is in use for a moment");
	igt_subtest("busy-prefetch-thp") {
		s.busy = 0;
		rounds(begin_thp_migrate, prefetches_counted, whole);
		igt_assert_lt(0, (int)s.busy);
	}
	igt_describe("Faults on a huge page that is in use for a moment");
	igt_subtest("busy-fault-thp") {
		s.busy = 0;
		rounds(begin_thp_migrate, gpu_touches_counted, whole);
		igt_assert_lt(0, (int)s.busy);
	}
	igt_describe("CPU faults on small pages");
	igt_subtest("cpu-fault-4k")
		rounds(begin_in_vram, cpu_touches, end);
	igt_describe("CPU faults on huge pages");
	igt_subtest("cpu-fault-thp")
		rounds(begin_thp_in_vram, cpu_touches, end);
	igt_describe("Another channel for copies");
	igt_subtest("replace-channel") {
		s.errors = svm_injected("ce_error");
		rounds(begin_64k_in_vram, loses_channel, end);
	}
	igt_describe("The channel for copies is being replaced");
	igt_subtest("turned-away")
		turned_away();
	igt_describe("The CPU clears what a buffer gets");
	igt_subtest("clear-by-cpu")
		clear_by_cpu();
	igt_describe("SVM_BIND of swapped memory");
	igt_subtest("prefetch-swapped") {
		svm_swap_on(64 * SZ_1M);
		rounds(begin_swapped, prefetches, end);
		svm_swap_off();
	}
	igt_describe("Faults on memory that a child has too");
	igt_subtest("fault-forked")
		rounds(begin_forked, gpu_touches, end_forked);
	igt_describe("Eviction of small pages");
	igt_subtest("evict-4k")
		rounds_beside_hog(begin_in_vram, pressure, after_pressure);
	igt_describe("Eviction of huge pages");
	igt_subtest("evict-thp")
		rounds_beside_hog(begin_thp_in_vram, pressure, after_pressure);
	igt_describe("Eviction of a dead process's pages");
	igt_subtest("evict-orphan")
		rounds_beside_hog(nothing, orphan, after_orphan);
}
