// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau exec system allocator
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: kernels of a GPU on memory of every origin, in every shape of use
 * Description: what allocators and the kernel's memory calls do to memory, with a GPU at work on it
 *
 * The shapes (how many launches, how large, by how many queues, threads and
 * processes) and sections (where memory comes from and what happens to it) are
 * those of Intel's test of xe of this name; sections that need xe's VM_BIND have
 * no counterpart in nouveau's SVM ioctls and are left out.
 *
 * A launch works on a slot: it takes its input, adds a value, stores the result.
 * Each launch has a value of its own, so a result of another one shows.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("Kernels of a GPU on memory of every origin, in every shape of use.");

/* What memory goes through */
#define MMAP (1u << 0)		/* mmap(), else aligned_alloc() */
#define NEW (1u << 1)		/* other memory for each launch */
#define FREE (1u << 2)		/* freed after each launch */
#define NOMEMSET (1u << 3)	/* the CPU does not touch it first */
#define FORK_READ (1u << 4)	/* a child reads it before the GPU works on it */
#define FORK_READ_AFTER (1u << 5)	/* a child reads it afterwards */
#define LOCK (1u << 6)		/* mlock() */
#define RACE (1u << 7)		/* the CPU works on the same page meanwhile */
#define BUSY (1u << 8)		/* SVM_BIND moves it to and fro meanwhile */
#define MULTI_FAULT (1u << 9)	/* 32 threads of a launch on 32 pages */
#define PREFETCH (1u << 10)	/* SVM_BIND to VRAM first */
#define REMAP (1u << 11)	/* mremap() to another address after each launch */
#define DONTUNMAP (1u << 12)	/* with MREMAP_DONTUNMAP */
#define RO_REMAP (1u << 13)	/* and read-only there */
#define EVERY_OTHER (1u << 14)	/* the CPU looks at every other launch only */
#define HUGE (1u << 15)		/* MADV_HUGEPAGE */
#define SHARED (1u << 16)	/* MAP_SHARED, without a file */
#define FILE_BACKED (1u << 17)	/* MAP_SHARED of a file in tmpfs */
#define ATOMIC (1u << 18)	/* the launch adds to a counter, atomically */
#define HUGETLB (1u << 19)	/* MAP_HUGETLB */

#define LANES 32u		/* of MULTI_FAULT */

/* What a launch works on; the counter is the CPU's and the GPU's together. */
struct slot {
	uint32_t in, out, count, cpu;
};

struct shape {
	const char *name;
	uint32_t launches, queues;
	size_t size;		/* of an allocation, at least */
	size_t stride;		/* between the slots of launches */
	enum { ALONE, THREADS, THREADS_SHARED_VM, PROCESSES } mode;
};

#define MAX_QUEUES 4u
#define WORKERS 3u

static const struct shape shapes[] = {
	{ "once", 1, 1, 0, 64, ALONE },
	{ "once-large", 1, 1, SZ_2M, 64, ALONE },
	{ "twice", 2, 1, 0, 64, ALONE },
	{ "twice-large", 2, 1, SZ_2M, SZ_64K, ALONE },
	{ "many", 32, 1, 0, 64, ALONE },
	{ "many-stride", 32, 1, 0, 4096 + 256, ALONE },
	{ "many-execqueues", 32, MAX_QUEUES, 0, 64, ALONE },
	{ "many-64k", 16, 1, SZ_64K, 2048, ALONE },
	{ "many-large", 16, 1, SZ_2M, SZ_64K, ALONE },
	{ "many-large-execqueues", 16, MAX_QUEUES, SZ_2M, SZ_64K, ALONE },
	{ "threads-many", 16, 1, 0, 64, THREADS },
	{ "threads-many-stride", 16, 1, 0, 4096 + 256, THREADS },
	{ "threads-many-execqueues", 16, 2, 0, 64, THREADS },
	{ "threads-many-large", 8, 1, SZ_2M, SZ_64K, THREADS },
	{ "threads-many-large-execqueues", 8, 2, SZ_2M, SZ_64K, THREADS },
	{ "threads-shared-vm-many", 16, 1, 0, 64, THREADS_SHARED_VM },
	{ "threads-shared-vm-many-stride", 16, 1, 0, 4096 + 256, THREADS_SHARED_VM },
	{ "threads-shared-vm-many-execqueues", 16, 2, 0, 64, THREADS_SHARED_VM },
	{ "threads-shared-vm-many-large", 8, 1, SZ_2M, SZ_64K, THREADS_SHARED_VM },
	{ "threads-shared-vm-many-large-execqueues", 8, 2, SZ_2M, SZ_64K, THREADS_SHARED_VM },
	{ "process-many", 16, 1, 0, 64, PROCESSES },
	{ "process-many-stride", 16, 1, 0, 4096 + 256, PROCESSES },
	{ "process-many-execqueues", 16, 2, 0, 64, PROCESSES },
	{ "process-many-large", 8, 1, SZ_2M, SZ_64K, PROCESSES },
	{ "process-many-large-execqueues", 8, 2, SZ_2M, SZ_64K, PROCESSES },
};

static const struct section {
	const char *name;
	uint32_t flags;
} sections[] = {
	{ "malloc", 0 },
	{ "malloc-prefetch", PREFETCH },
	{ "malloc-multi-fault", MULTI_FAULT },
	{ "malloc-fork-read", FORK_READ },
	{ "malloc-fork-read-after", FORK_READ_AFTER },
	{ "malloc-mlock", LOCK },
	{ "malloc-race", RACE },
	{ "malloc-prefetch-race", RACE | PREFETCH },
	{ "malloc-busy", BUSY },
	{ "malloc-atomic", ATOMIC },
	{ "malloc-prefetch-atomic", ATOMIC | PREFETCH },
	{ "malloc-atomic-race", ATOMIC | RACE },
	{ "mmap", MMAP },
	{ "mmap-prefetch", MMAP | PREFETCH },
	{ "mmap-mlock", MMAP | LOCK },
	{ "mmap-race", MMAP | RACE },
	{ "mmap-remap", MMAP | REMAP },
	{ "mmap-remap-dontunmap", MMAP | REMAP | DONTUNMAP },
	{ "mmap-remap-ro", MMAP | REMAP | RO_REMAP },
	{ "mmap-remap-ro-dontunmap", MMAP | REMAP | RO_REMAP | DONTUNMAP },
	{ "mmap-remap-eocheck", MMAP | REMAP | EVERY_OTHER },
	{ "mmap-remap-dontunmap-eocheck", MMAP | REMAP | DONTUNMAP | EVERY_OTHER },
	{ "mmap-prefetch-remap", MMAP | PREFETCH | REMAP },
	{ "mmap-prefetch-remap-dontunmap", MMAP | PREFETCH | REMAP | DONTUNMAP },
	{ "mmap-prefetch-remap-ro-dontunmap-eocheck", MMAP | PREFETCH | REMAP | RO_REMAP | DONTUNMAP | EVERY_OTHER },
	{ "mmap-huge", MMAP | HUGE },
	{ "mmap-huge-prefetch", MMAP | HUGE | PREFETCH },
	{ "mmap-huge-atomic", MMAP | HUGE | ATOMIC },
	{ "mmap-huge-fork-read", MMAP | HUGE | FORK_READ },
	{ "mmap-huge-prefetch-fork-read-after", MMAP | HUGE | PREFETCH | FORK_READ_AFTER },
	{ "mmap-huge-remap", MMAP | HUGE | REMAP },
	{ "mmap-hugetlb", MMAP | HUGETLB },
	{ "mmap-shared", MMAP | SHARED },
	{ "mmap-shared-fork-read-after", MMAP | SHARED | FORK_READ_AFTER },
	{ "mmap-shared-remap", MMAP | SHARED | REMAP },
	{ "mmap-shared-remap-dontunmap", MMAP | SHARED | REMAP | DONTUNMAP },
	{ "mmap-file", MMAP | FILE_BACKED },
	{ "mmap-file-mlock", MMAP | FILE_BACKED | LOCK },
	{ "mmap-file-race", MMAP | FILE_BACKED | RACE },
	{ "free", NEW | FREE },
	{ "free-prefetch", NEW | FREE | PREFETCH },
	{ "free-race", NEW | FREE | RACE },
	{ "new", NEW },
	{ "new-prefetch", NEW | PREFETCH },
	{ "new-race", NEW | RACE },
	{ "new-busy", NEW | BUSY },
	{ "mmap-free", MMAP | NEW | FREE },
	{ "mmap-free-prefetch", MMAP | NEW | FREE | PREFETCH },
	{ "mmap-free-huge", MMAP | NEW | FREE | HUGE },
	{ "mmap-free-file", MMAP | NEW | FREE | FILE_BACKED },
	{ "mmap-new", MMAP | NEW },
	{ "mmap-new-prefetch", MMAP | NEW | PREFETCH },
	{ "mmap-new-huge", MMAP | NEW | HUGE },
	{ "malloc-nomemset", NOMEMSET },
	{ "malloc-prefetch-nomemset", NOMEMSET | PREFETCH },
	{ "malloc-multi-fault-nomemset", NOMEMSET | MULTI_FAULT },
	{ "malloc-atomic-nomemset", NOMEMSET | ATOMIC },
	{ "mmap-nomemset", MMAP | NOMEMSET },
	{ "mmap-prefetch-nomemset", MMAP | NOMEMSET | PREFETCH },
	{ "mmap-huge-nomemset", MMAP | NOMEMSET | HUGE },
	{ "mmap-shared-nomemset", MMAP | NOMEMSET | SHARED },
	{ "mmap-file-nomemset", MMAP | NOMEMSET | FILE_BACKED },
	{ "free-nomemset", NEW | FREE | NOMEMSET },
	{ "new-nomemset", NEW | NOMEMSET },
	{ "mmap-free-nomemset", MMAP | NEW | FREE | NOMEMSET },
	{ "mmap-new-nomemset", MMAP | NEW | NOMEMSET },
	{ "mmap-new-huge-nomemset", MMAP | NEW | HUGE | NOMEMSET },
};

/* --- the kernels --- */

enum { R_T = 0, R_TMP = 1, R_DST = 2, R_VAL = 4, R_IN = 5, R_CNT = 6, R_ONE = 7 };

/* Slot of this thread: dst + (thread << 12). */
static void asm_slot(struct sm6x *p)
{
	sm6x_init(p);
	sm6x_s2r(p, R_T, SM6X_SR_TID_X);
	sm6x_mov_c(p, R_DST, 0, offsetof(struct nv_args, dst));
	sm6x_mov_c(p, R_DST + 1, 0, offsetof(struct nv_args, dst) + 4);
	sm6x_mov_c(p, R_VAL, 0, offsetof(struct nv_args, value));
	sm6x_shl(p, R_TMP, R_T, 12);
	sm6x_iadd(p, R_DST, R_DST, R_TMP, SM6X_CC);
	sm6x_iadd(p, R_DST + 1, R_DST + 1, SM6X_RZ, SM6X_X);
}

/* @repeat: args.count times, reading the input anew each time; @atomic: counts each pass */
static void asm_step(struct sm6x *p, bool repeat, bool atomic)
{
	uint32_t top;

	asm_slot(p);
	sm6x_mov_c(p, R_CNT, 0, offsetof(struct nv_args, count));
	sm6x_mov32i(p, R_ONE, 1);
	top = sm6x_size(p);
	sm6x_ld(p, SM6X_B32, R_IN, R_DST, offsetof(struct slot, in));
	sm6x_iadd(p, R_IN, R_IN, R_VAL, SM6X_NC);
	sm6x_st(p, SM6X_B32, R_DST, offsetof(struct slot, out), R_IN);
	if (atomic)
		sm6x_red(p, SM6X_ADD, R_DST, offsetof(struct slot, count), R_ONE);
	if (repeat) {
		sm6x_iadd_i(p, R_CNT, R_CNT, -1, SM6X_NC);
		sm6x_isetp(p, 0, SM6X_NE, R_CNT, SM6X_RZ);
		p->guard = 0;
		sm6x_bra(p, top);
		p->guard = SM6X_PT;
	}
	sm6x_exit(p);
}

/* A queue: a channel with the kernels. */
struct queue {
	struct nv_chan chan;
	struct nv_kernel once, once_atomic, loop, loop_atomic;
};

static void queue_open(struct nv_dev *dev, struct queue *q)
{
	struct sm6x p;

	igt_assert_eq(nv_chan_new(dev, NV_ENGINE_GR, &q->chan), 0);
	asm_step(&p, false, false);
	igt_assert_eq(nv_kernel_load(&q->chan, &p, &q->once), 0);
	asm_step(&p, false, true);
	igt_assert_eq(nv_kernel_load(&q->chan, &p, &q->once_atomic), 0);
	asm_step(&p, true, false);
	igt_assert_eq(nv_kernel_load(&q->chan, &p, &q->loop), 0);
	asm_step(&p, true, true);
	igt_assert_eq(nv_kernel_load(&q->chan, &p, &q->loop_atomic), 0);
}

/* --- memory --- */

struct mem {
	char *p;
	size_t size;
	int fd;			/* of its file, -1: none */
	uint32_t flags;
};

static void mem_new(struct mem *m, size_t size, uint32_t flags)
{
	int share = flags & (SHARED | FILE_BACKED) ? MAP_SHARED : MAP_PRIVATE;
	int map = share | (flags & FILE_BACKED ? 0 : MAP_ANONYMOUS);

	memset(m, 0, sizeof(*m));
	m->size = size;
	m->flags = flags;
	m->fd = -1;
	if (!(flags & MMAP)) {
		m->p = aligned_alloc(size >= SZ_2M ? SZ_2M : SZ_4K, size);
		igt_assert(m->p);
		return;
	}
	if (flags & FILE_BACKED) {
		char name[] = "/tmp/nvsvm.XXXXXX";

		m->fd = mkstemp(name);
		igt_assert_fd(m->fd);
		unlink(name);
		igt_assert_eq(ftruncate(m->fd, (off_t)size), 0);
	}
	if (flags & (HUGE | HUGETLB)) {
		char *a = mmap(NULL, size + SZ_2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *p = (char *)(((uintptr_t)a + SZ_2M - 1) & ~(SZ_2M - 1));

		igt_assert(a != MAP_FAILED);
		if (p != a)
			munmap(a, (size_t)(p - a));
		munmap(p + size, SZ_2M - (size_t)(p - a));
		m->p = mmap(p, size, PROT_READ | PROT_WRITE,
			    map | MAP_FIXED | (flags & HUGETLB ? MAP_HUGETLB : 0), m->fd, 0);
	} else {
		m->p = mmap(NULL, size, PROT_READ | PROT_WRITE, map, m->fd, 0);
	}
	igt_assert_f(m->p != MAP_FAILED, "mmap: %s\n", strerror(errno));
	if (flags & HUGE)
		igt_assert_eq(madvise(m->p, size, MADV_HUGEPAGE), 0);
}

static void mem_free(struct mem *m)
{
	if (m->flags & MMAP)
		igt_assert_eq(munmap(m->p, m->size), 0);
	else
		free(m->p);
	if (m->fd >= 0)
		close(m->fd);
	m->p = NULL;
}

/* Move it elsewhere.  Return: what stays mapped at the old place, NULL: nothing. */
static char *mem_remap(struct mem *m)
{
	char *old = m->p, *place, *p;
	size_t before;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	place = mmap(NULL, m->size + SZ_2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(place != MAP_FAILED);
	/* At the same offset within 2 MiB, so that huge pages may stay huge. */
	before = ((uintptr_t)old - (uintptr_t)place) & (SZ_2M - 1);
	p = place + before;
	/* The place itself stays taken until it is replaced: other threads map memory too. */
	if (before)
		igt_assert_eq(munmap(place, before), 0);
	igt_assert_eq(munmap(p + m->size, SZ_2M - before), 0);
	if (m->flags & DONTUNMAP)
		flags |= MREMAP_DONTUNMAP;
	m->p = mremap(old, m->size, m->size, flags, p);
	igt_assert_f(m->p == p, "mremap: %s\n", strerror(errno));
	return m->flags & DONTUNMAP ? old : NULL;
}

static uint32_t value_of(uint32_t worker, uint32_t i)
{
	return (worker + 1) * 0x1000000 + (i + 1) * 0x101;
}

static uint32_t input_of(uint32_t worker, uint32_t i, uint32_t flags)
{
	return flags & NOMEMSET ? 0 : 0x40000000 + worker * 0x10000 + i;
}

/* A child sees the same memory. */
static void child_reads(volatile struct slot *slot, uint32_t lanes, uint32_t in, uint32_t out, bool done)
{
	uint32_t lane;
	int status;
	pid_t pid;

	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		for (lane = 0; lane < lanes; lane++) {
			volatile struct slot *s = (volatile struct slot *)((volatile char *)slot + lane * SZ_4K);

			if (s->in != in || (done && s->out != out))
				_exit(1);
		}
		_exit(0);
	}
	igt_assert(waitpid(pid, &status, 0) == pid);
	igt_assert_f(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child reads other data\n");
}

struct work {
	const struct shape *shape;
	uint32_t flags, worker;
	struct nv_dev *dev;
	struct queue *queues;
};

/* Where other threads have memory beside it, and touch it, it may be back at once. */
static void to_vram(const struct work *w, const struct mem *m)
{
	if (w->shape->mode == ALONE || w->shape->mode == PROCESSES)
		svm_bind_vram_dev(w->dev, m->p, m->size);
	else
		igt_assert_eq(nv_svm_bind(w->dev, m->p, m->size, true, NULL), 0);
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static void check_slot(const volatile struct slot *slot, uint32_t lane, uint32_t i, uint32_t in, uint32_t out)
{
	igt_assert_f(slot->in == in, "launch %u lane %u: the input became %#x, was %#x\n", i, lane, slot->in, in);
	igt_assert_f(slot->out == out, "launch %u lane %u: the result is %#x, expected %#x\n", i, lane, slot->out, out);
}

static void do_launches(struct work *w)
{
	const struct shape *s = w->shape;
	uint32_t flags = w->flags, lanes = flags & MULTI_FAULT ? LANES : 1, i, lane;
	size_t stride = flags & MULTI_FAULT ? round_up(s->stride, 16) : s->stride;
	size_t size = round_up(s->launches * stride + lanes * SZ_4K, SZ_4K);
	struct mem mem[32], *m = NULL;
	uint32_t nr_mem = 0;

	if (size < s->size)
		size = s->size;
	if (flags & (HUGE | HUGETLB))
		size = round_up(size, SZ_2M);
	igt_assert(s->launches <= ARRAY_SIZE(mem));

	for (i = 0; i < s->launches; i++) {
		struct queue *q = &w->queues[i % s->queues];
		bool loops = flags & (RACE | BUSY), check = !(flags & EVERY_OTHER) || i % 2;
		const struct nv_kernel *kernel = loops ? flags & ATOMIC ? &q->loop_atomic : &q->loop :
						 flags & ATOMIC ? &q->once_atomic : &q->once;
		struct nv_args args = { .value = value_of(w->worker, i), .count = loops ? 200 : 1 };
		uint32_t in = input_of(w->worker, i, flags), out = in + args.value, turns = 0;
		volatile struct slot *slot;
		char *left = NULL;

		if (!m || flags & NEW) {
			m = &mem[nr_mem++];
			mem_new(m, size, flags);
			if (!(flags & NOMEMSET))
				memset(m->p, 5, size);
			if (flags & LOCK)
				igt_assert_f(mlock(m->p, size) == 0, "mlock: %s\n", strerror(errno));
		}
		slot = (volatile struct slot *)(m->p + i * stride);
		for (lane = 0; lane < lanes && !(flags & NOMEMSET); lane++) {
			volatile struct slot *l = (volatile struct slot *)((volatile char *)slot + lane * SZ_4K);

			l->in = in;
			l->out = 0;
			l->count = 0;
			l->cpu = 0;
		}
		if (flags & FORK_READ)
			child_reads(slot, lanes, in, 0, false);
		if (flags & PREFETCH)
			to_vram(w, m);

		args.dst = (uintptr_t)slot;
		igt_assert_eq(nv_launch(&q->chan, kernel, 1, lanes, &args, sizeof(args)), 0);
		igt_assert_eq(nv_submit(&q->chan), 0);
		if (flags & RACE) {
			/* Its neighbours are the CPU's. */
			while (turns < 50) {
				__atomic_fetch_add(&slot->cpu, 1, __ATOMIC_RELAXED);
				if (flags & ATOMIC)
					__atomic_fetch_add(&slot->count, 1, __ATOMIC_RELAXED);
				turns++;
				usleep(50);
			}
		}
		if (flags & BUSY) {
			for (turns = 0; turns < 2; turns++) {
				to_vram(w, m);
				igt_assert_eq(nv_svm_bind(w->dev, m->p, size, false, NULL), 0);
			}
			turns = 0;
		}
		igt_assert_f(nv_wait(&q->chan, 0) == 0, "launch %u: the channel is dead or hangs\n", i);

		if (flags & REMAP) {
			left = mem_remap(m);
			slot = (volatile struct slot *)(m->p + i * stride);
			if (flags & RO_REMAP)
				igt_assert_eq(mprotect(m->p, size, PROT_READ), 0);
		}
		for (lane = 0; lane < lanes && check; lane++) {
			volatile struct slot *l = (volatile struct slot *)((volatile char *)slot + lane * SZ_4K);

			check_slot(l, lane, i, in, out);
			if (flags & RACE && !lane)
				igt_assert_eq_u32(l->cpu, turns);
			if (flags & ATOMIC)
				igt_assert_eq_u32(l->count, args.count + (lane ? 0 : turns));
			if (!(flags & NOMEMSET))
				igt_assert_eq_u32(((volatile uint32_t *)l)[4], 0x05050505);
		}
		if (left && flags & (SHARED | FILE_BACKED))
			/* Both places show the same memory. */
			check_slot((volatile struct slot *)(left + i * stride), 0, i, in, out);
		else if (left)
			igt_assert_eq_u32(((volatile struct slot *)(left + i * stride))->out, 0);
		if (left)
			igt_assert_eq(munmap(left, size), 0);
		if (flags & FILE_BACKED) {
			struct slot f;

			igt_assert_eq((int)pread(m->fd, &f, sizeof(f), (off_t)(i * stride)), (int)sizeof(f));
			check_slot(&f, 0, i, in, out);
		}
		if (flags & FORK_READ_AFTER)
			child_reads(slot, lanes, in, out, true);
		if (flags & RO_REMAP)
			igt_assert_eq(mprotect(m->p, size, PROT_READ | PROT_WRITE), 0);
		if (flags & FREE) {
			mem_free(m);
			m = NULL;
			nr_mem--;
		}
	}

	/* What was not looked at in time is still right. */
	for (i = 0; i < s->launches && !(flags & FREE) && stride > sizeof(struct slot) && lanes == 1; i++) {
		struct mem *at = flags & NEW ? &mem[i] : m;
		uint32_t in = input_of(w->worker, i, flags);

		check_slot((volatile struct slot *)(at->p + i * stride), 0, i, in, in + value_of(w->worker, i));
	}
	while (nr_mem)
		mem_free(&mem[--nr_mem]);
}

static void *thread_main(void *arg)
{
	do_launches(arg);
	return NULL;
}

/* One file with @queues queues. */
struct client {
	struct nv_dev dev;
	struct queue queues[MAX_QUEUES * WORKERS];
	uint32_t nr;
};

static void client_open(struct client *c, uint32_t queues)
{
	int fd = drm_open_driver_render(DRIVER_ANY);

	memset(c, 0, sizeof(*c));
	igt_require_nouveau(fd);
	igt_assert_eq(nv_dev_init(&c->dev, fd), 0);
	igt_assert_eq(nv_svm_init(&c->dev), 0);
	for (c->nr = 0; c->nr < queues; c->nr++)
		queue_open(&c->dev, &c->queues[c->nr]);
}

static void client_close(struct client *c)
{
	while (c->nr)
		nv_chan_del(&c->queues[--c->nr].chan);
	nv_dev_close(&c->dev);
}

/*
 * The thread that fails an assertion cannot jump out of another thread's stack:
 * threads run in a child, whose death is the failure.
 */
static void run_threads(const struct shape *s, uint32_t flags)
{
	bool shared = s->mode == THREADS_SHARED_VM;
	static struct client clients[WORKERS];
	struct work work[WORKERS];
	pthread_t threads[WORKERS];
	uint32_t i;

	for (i = 0; i < (shared ? 1 : WORKERS); i++)
		client_open(&clients[i], shared ? WORKERS * s->queues : s->queues);
	for (i = 0; i < WORKERS; i++) {
		struct client *c = &clients[shared ? 0 : i];

		work[i] = (struct work){ .shape = s, .flags = flags, .worker = i, .dev = &c->dev,
					 .queues = &c->queues[shared ? i * s->queues : 0] };
		igt_assert_eq(pthread_create(&threads[i], NULL, thread_main, &work[i]), 0);
	}
	for (i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < (shared ? 1 : WORKERS); i++)
		client_close(&clients[i]);
}

static void run_alone(const struct shape *s, uint32_t flags, uint32_t worker)
{
	static struct client c;
	struct work w = { .shape = s, .flags = flags, .worker = worker, .dev = &c.dev, .queues = c.queues };

	client_open(&c, s->queues);
	do_launches(&w);
	client_close(&c);
}

/* Huge pages of hugetlbfs are set aside by the administrator. */
static void reserve_hugetlb(const char *n)
{
	int fd = open("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", O_WRONLY | O_CLOEXEC);

	igt_assert_fd(fd);
	igt_assert_eq((int)write(fd, n, strlen(n)), (int)strlen(n));
	close(fd);
}

static void test(const struct shape *s, uint32_t flags)
{
	svm_migrate_on_fault(true);
	if (flags & HUGETLB)
		reserve_hugetlb("32");
	switch (s->mode) {
	case ALONE:
		run_alone(s, flags, 0);
		break;
	case PROCESSES:
		igt_fork(child, WORKERS)
			run_alone(s, flags, (uint32_t)child);
		igt_waitchildren();
		break;
	default:
		igt_fork(child, 1)
			run_threads(s, flags);
		igt_waitchildren();
	}
	if (flags & HUGETLB)
		reserve_hugetlb("0");
}

/* --- tests that are not of that pattern --- */

/**
 * SUBTEST: partial-%s
 * Description: a part of memory that the GPU works on is unmapped or moved: the rest goes on
 */
static void test_partial(bool middle, bool remap, bool atomic, bool cpu_fault)
{
	const size_t len = SZ_2M, part = SZ_2M / 4;
	size_t at = middle ? part : 0, i;
	static struct client c;
	struct queue *q;
	char *p, *moved = NULL;

	client_open(&c, 1);
	q = &c.queues[0];
	p = svm_alloc(2 * len, PAGES_THP);	/* the second half is never touched by the GPU */
	svm_migrate_on_fault(true);
	for (i = 0; i < len; i += part) {
		volatile struct slot *slot = (volatile struct slot *)(p + i);
		struct nv_args args = { .dst = (uintptr_t)slot, .value = 0x100, .count = 1 };

		slot->in = (uint32_t)i;
		igt_assert_eq(nv_run(&q->chan, atomic ? &q->once_atomic : &q->once, 1, 1, &args, sizeof(args)), 0);
	}
	if (cpu_fault)
		for (i = 0; i < len; i += part)
			check_slot((volatile struct slot *)(p + i), 0, (uint32_t)(i / part), (uint32_t)i,
				   (uint32_t)i + 0x100);
	if (remap) {
		moved = mmap(NULL, part, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		igt_assert(moved != MAP_FAILED);
		igt_assert(mremap(p + at, part, part, MREMAP_MAYMOVE | MREMAP_FIXED, moved) == moved);
	} else {
		igt_assert_eq(munmap(p + at, part), 0);
	}
	for (i = 0; i < len; i += part) {
		volatile struct slot *slot = (volatile struct slot *)(i == at ? moved : p + i);
		struct nv_args args = { .dst = (uintptr_t)slot, .value = 0x200, .count = 1 };

		if (!slot)
			continue;
		igt_assert_eq(nv_run(&q->chan, atomic ? &q->once_atomic : &q->once, 1, 1, &args, sizeof(args)), 0);
		check_slot(slot, 0, (uint32_t)(i / part), (uint32_t)i, (uint32_t)i + 0x200);
		if (atomic)
			igt_assert_eq_u32(slot->count, 2);
	}
	/* Other memory at the old place. */
	igt_assert(mmap(p + at, part, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + at);
	{
		volatile struct slot *slot = (volatile struct slot *)(p + at);
		struct nv_args args = { .dst = (uintptr_t)slot, .value = 0x300, .count = 1 };

		igt_assert_eq(nv_run(&q->chan, &q->once, 1, 1, &args, sizeof(args)), 0);
		check_slot(slot, 0, 99, 0, 0x300);
	}
	if (moved)
		munmap(moved, part);
	client_close(&c);
	svm_free(p, 2 * len);
}

/**
 * SUBTEST: unaligned-alloc
 * Description: slots that begin at any word of any page, up to the last of the allocation
 */
static void test_unaligned(void)
{
	static struct client c;
	struct queue *q;
	size_t size = 5 * SZ_4K + 48, off;
	char *p = malloc(size);

	igt_assert(p);
	memset(p, 0x11, size);
	client_open(&c, 1);
	q = &c.queues[0];
	for (off = 16; off + sizeof(struct slot) <= size; off += 1020) {
		volatile struct slot *slot = (volatile struct slot *)(p + (off & ~3ul));
		struct nv_args args = { .dst = (uintptr_t)slot, .value = (uint32_t)off, .count = 1 };

		slot->in = 0x77;
		igt_assert_eq(nv_run(&q->chan, &q->once, 1, 1, &args, sizeof(args)), 0);
		check_slot(slot, 0, (uint32_t)off, 0x77, 0x77 + (uint32_t)off);
	}
	client_close(&c);
	free(p);
}

static void evict(uint32_t worker, bool mix_bo, size_t total)
{
	static struct client c;
	struct nv_bo bo[8];
	struct queue *q;
	uint32_t i, n = (uint32_t)(total / SZ_2M), nr_bo = 0;
	char *p = svm_alloc(total, PAGES_THP);

	client_open(&c, 1);
	q = &c.queues[0];
	svm_migrate_on_fault(true);
	for (i = 0; i < n; i++) {
		volatile struct slot *slot = (volatile struct slot *)(p + i * SZ_2M + (i % 511) * SZ_4K);
		struct nv_args args = { .dst = (uintptr_t)slot, .value = value_of(worker, i), .count = 1 };

		slot->in = i;
		if (mix_bo && i % (n / 8) == n / 16 && nr_bo < 8)
			igt_assert_eq(nv_bo_new(&c.dev, 2 * SZ_2M, NOUVEAU_GEM_DOMAIN_VRAM, &bo[nr_bo++]), 0);
		/* Half of it by force, half on fault. */
		if (i & 1)
			igt_assert_eq(nv_svm_bind(&c.dev, p + i * SZ_2M, SZ_2M, true, NULL), 0);
		igt_assert_eq(nv_run(&q->chan, &q->once, 1, 1, &args, sizeof(args)), 0);
	}
	for (i = 0; i < n; i++)
		check_slot((volatile struct slot *)(p + i * SZ_2M + (i % 511) * SZ_4K), 0, i, i, i + value_of(worker, i));
	while (nr_bo)
		nv_bo_del(&bo[--nr_bo]);
	client_close(&c);
	svm_free(p, total);
}

/**
 * SUBTEST: evict-malloc
 * Description: more memory than VRAM, by SVM_BIND and on faults, all of it right
 */
static void test_evict(uint32_t processes, bool mix_bo)
{
	struct nv_dev dev;
	uint64_t vram = 0;
	int fd = drm_open_driver_render(DRIVER_ANY);

	igt_assert_eq(nv_dev_init(&dev, fd), 0);
	igt_assert_eq(nv_getparam(&dev, NOUVEAU_GETPARAM_FB_SIZE, &vram), 0);
	nv_dev_close(&dev);
	igt_require_f(vram <= 256 * SZ_1M, "VRAM of 256 MiB or less, so that memory holds more\n");
	igt_fork(child, processes)
		evict((uint32_t)child, mix_bo, (vram + vram / 2) / processes / SZ_2M * SZ_2M);
	igt_waitchildren();
}

int igt_main()
{
	static const char *const yes_no[2][4] = { { "", "", "munmap", "no-cpu-fault" },
						  { "middle-", "atomic-", "remap", "cpu-fault" } };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(shapes); i++)
		for (k = 0; k < ARRAY_SIZE(sections); k++) {
			igt_describe_f("%s: launches %u, queues %u", sections[k].name, shapes[i].launches,
				       shapes[i].queues);
			igt_subtest_f("%s-%s", shapes[i].name, sections[k].name)
				test(&shapes[i], sections[k].flags);
		}
	for (i = 0; i < 16; i++) {
		bool b[4] = { i & 1, i & 2, i & 4, i & 8 };

		igt_describe("A part of memory that the GPU works on goes or moves");
		igt_subtest_f("partial-%s%s%s-%s", yes_no[b[1]][1], yes_no[b[0]][0], yes_no[b[2]][2], yes_no[b[3]][3])
			test_partial(b[0], b[2], b[1], b[3]);
	}
	igt_describe("Slots anywhere");
	igt_subtest("unaligned-alloc")
		test_unaligned();
	igt_describe("More memory than VRAM");
	igt_subtest("evict-malloc")
		test_evict(1, false);
	igt_subtest("evict-malloc-mix-bo")
		test_evict(1, true);
	igt_subtest("processes-evict-malloc")
		test_evict(3, false);
	igt_subtest("processes-evict-malloc-mix-bo")
		test_evict(3, true);
}
