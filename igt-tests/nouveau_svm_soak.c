// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm soak
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: everything at random, for long
 * Description: processes do everything at random to memory that GPUs work on; a shadow copy says what must be there
 *
 * Environment: NVSVM_SOAK_MINUTES (1), NVSVM_SOAK_SEED (the time), NVSVM_SOAK_PROCESSES (3); NVSVM_SOAK_DISK, a block
 * device for O_DIRECT, and NVSVM_SOAK_CGROUP, the directory of theirs, whose memory is reclaimed now and then (soak.sh).
 * The seed is printed; each process prints its last operations when it fails.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("Everything at random, for long.");

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define REGIONS 16u
#define MAX_PAGES 2048u		/* of a region */
#define CLIENTS 2u
#define DISK_SHARE (16 * SZ_1M)	/* of a process */
#define LAST_OPS 1000
#define LAST_SHOWN 48u

enum kind { ANON, SHARED, OF_FILE, HUGETLB, NR_KINDS };

/* Memory, and what word 0 (written) and word 2 (counted in) of each page must hold. */
struct region {
	char *p;
	uint32_t pages;
	enum kind kind;
	int fd, pin;
	bool merged;
	struct {
		uint32_t word, count;
	} shadow[MAX_PAGES];
};

/* A launch that nobody has waited for: its region is left alone until then. */
struct pending {
	struct region *r;
};

static struct region regions[REGIONS];
static struct svm clients[CLIENTS];
static struct pending pending[CLIENTS];
static uint32_t rng;
static uint64_t nr_ops;

/* The one that is locked, if any: memory must remain for others. */
static struct region *locked;
static int disk = -1;
static off_t disk_at;
static struct {
	uint32_t hugetlb, locks, direct, merges, reclaims, holes, forks, refused, killed;
} done;

static struct {
	const char *what;
	uint32_t region, first, n, value;
} last[LAST_OPS];

static uint32_t rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 17;
	rng ^= rng << 5;
	return rng % n;
}

static void note(const char *what, const struct region *r, uint32_t first, uint32_t n, uint32_t value)
{
	last[nr_ops % LAST_OPS].what = what;
	last[nr_ops % LAST_OPS].region = (uint32_t)(r - regions);
	last[nr_ops % LAST_OPS].first = first;
	last[nr_ops % LAST_OPS].n = n;
	last[nr_ops % LAST_OPS].value = value;
	nr_ops++;
}

/* The last ones, and those before that were done to a region. */
static void print_last(const struct region *r)
{
	uint64_t i;

	for (i = nr_ops > LAST_OPS ? nr_ops - LAST_OPS : 0; i < nr_ops; i++) {
		uint32_t k = i % LAST_OPS;

		if (i + LAST_SHOWN < nr_ops && (!r || &regions[last[k].region] != r))
			continue;
		igt_warn("%" PRIu64 ": %s region %u (%p, kind %d) page %u + %u value %#x\n", i, last[k].what, last[k].region,
			 regions[last[k].region].p, regions[last[k].region].kind, last[k].first, last[k].n,
			 last[k].value);
	}
}

/* EXPR is evaluated once, and errno is what it left. */
#define check(expr, ...)                                                                           \
	do {                                                                                       \
		const bool ok_ = (expr);                                                           \
		const int err_ = errno;                                                            \
                                                                                                   \
		if (!ok_) {                                                                        \
			print_last(NULL);                                                          \
			errno = err_;                                                              \
			igt_assert_f(ok_, __VA_ARGS__);                                            \
		}                                                                                  \
	} while (0)

static volatile uint32_t *word(const struct region *r, uint32_t page)
{
	return (volatile uint32_t *)(r->p + page * SZ_4K);
}

static void region_new(struct region *r)
{
	size_t len;
	bool huge = rnd(2);

	memset(r, 0, sizeof(*r));
	r->fd = r->pin = -1;
	r->kind = rnd(8) < 6 ? ANON : SHARED + rnd(NR_KINDS - SHARED);
	if (r->kind == HUGETLB) {
		r->pages = 512 * (1 + rnd(2));
		r->p = mmap(NULL, r->pages * SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		if (r->p != MAP_FAILED) {
			done.hugetlb++;
			note("new", r, 0, r->pages, huge);
			return;
		}
		/* Others have what was set aside. */
		r->kind = ANON;
	}
	r->pages = huge ? 512 * (1 + rnd(4)) : 1 + rnd(900);
	len = r->pages * SZ_4K;
	if (r->kind == OF_FILE) {
		char name[] = "/tmp/soak.XXXXXX";

		r->fd = mkstemp(name);
		igt_assert_fd(r->fd);
		unlink(name);
		igt_assert_eq(ftruncate(r->fd, (off_t)len), 0);
	}
	r->p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    (r->kind == ANON ? MAP_PRIVATE : MAP_SHARED) | (r->fd < 0 ? MAP_ANONYMOUS : 0), r->fd, 0);
	check(r->p != MAP_FAILED, "mmap: %s\n", strerror(errno));
	if (r->kind == ANON)
		igt_assert_eq(madvise(r->p, len, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), 0);
	note("new", r, 0, r->pages, huge);
}

static void unpin(struct region *r)
{
	if (r->pin >= 0)
		close(r->pin);
	r->pin = -1;
}

static void unlock(void)
{
	if (!locked)
		return;
	note("munlock", locked, 0, locked->pages, 0);
	igt_assert_eq(munlock(locked->p, locked->pages * SZ_4K), 0);
	locked = NULL;
}

static void region_del(struct region *r)
{
	note("del", r, 0, r->pages, 0);
	unpin(r);
	if (locked == r)
		locked = NULL;
	igt_assert_eq(munmap(r->p, r->pages * SZ_4K), 0);
	if (r->fd >= 0)
		close(r->fd);
}

/* All pages that are wrong, with what is in them: words of others, of an earlier life, or nothing that was ever here? */
static void print_wrong(const struct region *r, uint32_t first, uint32_t n)
{
	const volatile uint32_t *p;
	uint32_t i, k, shown = 0;

	print_last(r);
	for (i = first; i < first + n && shown < 40; i++) {
		p = word(r, i);
		if (p[0] == r->shadow[i].word && p[2] == r->shadow[i].count)
			continue;
		shown++;
		igt_warn("page %u, frame %#" PRIx64 "%s: %08x %08x %08x %08x %08x %08x, expected %08x ? %08x\n", i,
			 svm_page_pfn((const void *)(uintptr_t)p), svm_count_pages((const void *)(uintptr_t)p, SZ_4K, PAGE_IN_VRAM) ? " (VRAM)" : "",
			 p[0], p[1], p[2], p[3], p[4], p[5], r->shadow[i].word, r->shadow[i].count);
		for (k = 6; k < SZ_4K / 4 && !p[k]; k++)
			;
		igt_warn("  next word that is not 0: %u of %u\n", k, (uint32_t)(SZ_4K / 4));
	}
}

static void cpu_check(struct region *r, uint32_t first, uint32_t n)
{
	uint32_t i;

	note("cpu check", r, first, n, 0);
	for (i = first; i < first + n; i++) {
		uint32_t a = word(r, i)[0], b = word(r, i)[2];

		if (a != r->shadow[i].word || b != r->shadow[i].count)
			print_wrong(r, first, n);
		check(a == r->shadow[i].word && b == r->shadow[i].count,
		      "region %u page %u: the CPU reads %#x, %#x, expected %#x, %#x\n", (uint32_t)(r - regions), i, a, b,
		      r->shadow[i].word, r->shadow[i].count);
	}
}

/* A launch takes whole CTAs. */
static uint32_t whole(uint32_t n)
{
	return n < NV_THREADS ? n : n / NV_THREADS * NV_THREADS;
}

static void launch(struct svm *svm, const struct nv_kernel *kernel, uint32_t n, const struct nv_args *args)
{
	uint32_t threads = n < NV_THREADS ? n : NV_THREADS;

	nv_use(&svm->chan, &svm->out);
	check(nv_launch(&svm->chan, kernel, n / threads, threads, args, sizeof(*args)) == 0, "nv_launch failed\n");
	check(nv_submit(&svm->chan) == 0, "nv_submit failed\n");
}

static void settle(uint32_t c)
{
	int err;

	if (!pending[c].r)
		return;
	err = nv_wait(&clients[c].chan, 0);
	check(!err, "client %u: %s\n", c, strerror(-err));
	pending[c].r = NULL;
}

static void settle_all(void)
{
	uint32_t c;

	for (c = 0; c < CLIENTS; c++)
		settle(c);
}

static void gpu_check(uint32_t c, struct region *r, uint32_t first, uint32_t n)
{
	const struct nv_args args = { .dst = clients[c].out.va, .src = (uintptr_t)word(r, first) };
	volatile uint32_t *out = clients[c].out.map;
	uint32_t i;
	int err;

	note("gpu check", r, first, n, c);
	for (i = 0; i < n; i++)
		out[i] = 0xdeadbeef;
	launch(&clients[c], &clients[c].read_page, n, &args);
	err = nv_wait(&clients[c].chan, 0);
	check(!err, "client %u: %s\n", c, strerror(-err));
	for (i = 0; i < n; i++)
		check(out[i] == r->shadow[first + i].word, "region %u page %u: the GPU reads %#x, expected %#x\n",
		      (uint32_t)(r - regions), first + i, out[i], r->shadow[first + i].word);
}

static void gpu_write(uint32_t c, struct region *r, uint32_t first, uint32_t n)
{
	const struct nv_args args = { .dst = (uintptr_t)word(r, first), .value = rng };
	uint32_t i;

	note("gpu write", r, first, n, rng);
	for (i = 0; i < n; i++)
		r->shadow[first + i].word = args.value + i;
	launch(&clients[c], &clients[c].write_page, n, &args);
	pending[c].r = r;
	if (rnd(2))
		settle(c);
}

static void gpu_add(uint32_t c, struct region *r, uint32_t first, uint32_t n)
{
	const struct nv_args args = { .dst = (uintptr_t)&word(r, first)[2], .value = 1 + rnd(99) };
	uint32_t i;

	note("gpu add", r, first, n, args.value);
	for (i = 0; i < n; i++)
		r->shadow[first + i].count += args.value;
	launch(&clients[c], &clients[c].add_page, n, &args);
	pending[c].r = r;
	if (rnd(2))
		settle(c);
}

static void cpu_write(struct region *r, uint32_t first, uint32_t n)
{
	uint32_t i;

	note("cpu write", r, first, n, rng);
	for (i = first; i < first + n; i++) {
		r->shadow[i].word = rng + i;
		word(r, i)[0] = rng + i;
	}
}

/* What of the process's mappings touches LEN bytes from P on. */
static void print_maps(const char *what, const char *p, size_t len)
{
	uintptr_t from, to;
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "re");

	igt_assert(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2 && from < (uintptr_t)p + len && to > (uintptr_t)p)
			igt_warn("%s %s", what, line);
	fclose(maps);
}

/* Where the mapping ends that P is in. */
static uintptr_t mapping_end(const char *p)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t from, to, end = 0;
	char line[256];

	igt_assert(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2 && from <= (uintptr_t)p && to > (uintptr_t)p)
			end = to;
	fclose(maps);
	igt_assert(end);
	return end;
}

/*
 * Mappings that differ are moved by one call, but for those that may be merged: a signal ends that between two mappings, and
 * the kernel makes the call once more, of which the first part has moved (M18 of Documentation/defects.rst).
 */
static void move(struct region *r)
{
	size_t len = r->pages * SZ_4K, from, to, part;
	char *place = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;
	char *q;

	note("mremap", r, 0, r->pages, 0);
	igt_assert(place != MAP_FAILED);
	for (from = 0; from < len; from = to) {
		part = r->merged ? mapping_end(r->p + from) - (uintptr_t)(r->p + from) : len;
		to = from + part < len ? from + part : len;
		q = mremap(r->p + from, to - from, to - from, MREMAP_MAYMOVE | MREMAP_FIXED, place + from);
		err = errno;
		if (q != place + from) {
			print_maps("from", r->p, len);
			print_maps("to", place, len);
		}
		check(q == place + from, "mremap: %p, %s\n", q, strerror(err));
	}
	r->p = place;
}

/* Returns -1 if there is no memory for it. */
static pid_t fork_for(const char *what, const struct region *r)
{
	pid_t pid;

	note(what, r, 0, r->pages, 0);
	pid = fork();
	/* A page that is the GPU's alone, and locked just now: M10 of Documentation/defects.rst. */
	if (pid < 0 && errno == ENOMEM) {
		done.refused++;
		return -1;
	}
	check(pid >= 0, "fork: %s\n", strerror(errno));
	done.forks++;
	return pid;
}

static void child_checks(struct region *r)
{
	pid_t pid = fork_for("fork", r);
	int st;

	if (pid < 0)
		return;
	if (!pid) {
		uint32_t i;

		for (i = 0; i < r->pages; i++) {
			if (word(r, i)[0] != r->shadow[i].word || word(r, i)[2] != r->shadow[i].count)
				_exit(1);
			if (r->kind == ANON)
				word(r, i)[0] = 0xc0ffee;
		}
		_exit(0);
	}
	/* Half of the time this process goes on meanwhile. */
	if (rnd(2)) {
		cpu_check(r, 0, r->pages);
		gpu_check(0, r, 0, whole(r->pages));
	}
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	check(st == 0, "the child ended with %#x\n", st);
}

/* A client whose kernels write to memory of its own, and to what it has inherited if that has become its own. */
static void work_until_killed(const struct region *r, int ready)
{
	const uint32_t own_pages = 1024;
	char *own = mmap(NULL, own_pages * SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct svm svm;
	uint32_t i;

	igt_assert_eq(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	igt_assert(own != MAP_FAILED);
	if (rnd(2))
		igt_assert_eq(madvise(own, own_pages * SZ_4K, MADV_HUGEPAGE), 0);
	svm_open(&svm);
	for (i = 0;; i++) {
		bool inherited = r->kind == ANON && rnd(2);
		char *p = inherited ? r->p : own;
		uint32_t n = whole(inherited ? r->pages : own_pages);
		const struct nv_args args = { .dst = (uintptr_t)p, .value = 0xdead0000 + i };

		launch(&svm, &svm.write_page, n, &args);
		if (rnd(2))
			igt_assert_eq(nv_svm_bind(&svm.dev, p, n * SZ_4K, rnd(2), NULL), 0);
		if (!i)
			igt_assert_eq(write(ready, "x", 1), 1);
		igt_assert_eq(nv_wait(&svm.chan, 0), 0);
		if (rnd(2))
			igt_assert_eq(madvise(own, own_pages * SZ_4K, MADV_DONTNEED), 0);
	}
}

/* In the midst of work, and now and then before it has begun. */
static void kill_client(struct region *r)
{
	int st, ready[2];
	char c;
	pid_t pid;

	igt_assert_eq(pipe(ready), 0);
	pid = fork_for("kill", r);
	if (!pid)
		work_until_killed(r, ready[1]);
	close(ready[1]);
	if (pid > 0) {
		/* How it ended by itself, if it did, is seen below. */
		if (rnd(4) && read(ready[0], &c, 1) != 1)
			igt_warn("the client to be killed did not come to work\n");
		usleep(rnd(500000));
		igt_assert_eq(kill(pid, SIGKILL), 0);
		igt_assert_eq(waitpid(pid, &st, 0), pid);
		check(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL, "the client to be killed ended with %#x\n", st);
		done.killed++;
		cpu_check(r, 0, r->pages);
	}
	close(ready[0]);
}

/* Pages at an end or in the middle are unmapped, and new ones come in their place: of a file the same again. */
static void hole(struct region *r, uint32_t c, uint32_t first, uint32_t n)
{
	int flags = (r->kind == ANON ? MAP_PRIVATE : MAP_SHARED) | (r->fd < 0 ? MAP_ANONYMOUS : 0) | MAP_FIXED;
	uint32_t end, i;
	char *at;

	if (rnd(4) == 0)
		first = rnd(2) ? 0 : r->pages - n;
	end = first + n;
	at = r->p + first * SZ_4K;
	note("hole", r, first, n, 0);
	/* Or what is mapped there unmaps them. */
	if (rnd(4)) {
		igt_assert_eq(munmap(at, n * SZ_4K), 0);
		if (first)
			gpu_check(c, r, 0, whole(first));
		if (end < r->pages)
			gpu_check(c, r, end, whole(r->pages - end));
		flags |= MAP_FIXED_NOREPLACE;
	}
	check(mmap(at, n * SZ_4K, PROT_READ | PROT_WRITE, flags, r->fd, (off_t)(first * SZ_4K)) == at, "mmap: %s\n",
	      strerror(errno));
	if (r->kind == ANON)
		igt_assert_eq(madvise(at, n * SZ_4K, rnd(2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), 0);
	for (i = first; i < end && r->kind != OF_FILE; i++)
		r->shadow[i].word = r->shadow[i].count = 0;
	done.holes++;
}

static void drop(struct region *r, uint32_t first, uint32_t n)
{
	uint32_t i;

	note("drop", r, first, n, 0);
	unpin(r);
	if (locked == r)
		unlock();
	igt_assert_eq(madvise(r->p + first * SZ_4K, n * SZ_4K, MADV_DONTNEED), 0);
	for (i = first; i < first + n; i++)
		r->shadow[i].word = r->shadow[i].count = 0;
}

/* What is in VRAM comes back for it at once, or on its next fault. */
static void lock(struct region *r, uint32_t first, uint32_t n)
{
	bool onfault = rnd(2);

	unlock();
	note(onfault ? "mlock on fault" : "mlock", r, first, n, 0);
	check(mlock2(r->p + first * SZ_4K, n * SZ_4K, onfault ? MLOCK_ONFAULT : 0) == 0, "mlock2: %s\n", strerror(errno));
	locked = r;
	done.locks++;
}

/* Memory to a disk, and from there to other memory, without a copy between: the disk works on the process's own pages. */
static void direct(const struct region *from, uint32_t first, uint32_t n)
{
	struct region *to = &regions[rnd(REGIONS)];
	uint32_t at;
	size_t len;

	if (disk < 0)
		return;
	settle_all();
	if (n > to->pages)
		n = to->pages;
	at = rnd(to->pages - n + 1);
	len = n * SZ_4K;
	note("direct write", from, first, n, 0);
	if (pwrite(disk, from->p + first * SZ_4K, len, disk_at) != (ssize_t)len) {
		/* zram wants memory for it. */
		check(errno == ENOMEM || errno == EIO, "O_DIRECT write: %s\n", strerror(errno));
		return;
	}
	note("direct read", to, at, n, 0);
	check(pread(disk, to->p + at * SZ_4K, len, disk_at) == (ssize_t)len, "O_DIRECT read: %s\n", strerror(errno));
	memmove(&to->shadow[at], &from->shadow[first], n * sizeof(to->shadow[0]));
	done.direct++;
}

/* Equal pages become one (KSM), or each its own again. */
static void merge(struct region *r, uint32_t first, uint32_t n)
{
	bool on = rnd(3);

	r->merged = true;
	note(on ? "mergeable" : "unmergeable", r, first, n, 0);
	check(madvise(r->p + first * SZ_4K, n * SZ_4K, on ? MADV_MERGEABLE : MADV_UNMERGEABLE) == 0, "KSM: %s\n",
	      strerror(errno));
	done.merges++;
}

/* All of the processes' memory is looked through for what can be swapped out or dropped. */
static void reclaim(void)
{
	const char *cgroup = getenv("NVSVM_SOAK_CGROUP");
	char text[256];
	int fd;

	if (!cgroup)
		return;
	note("reclaim", regions, 0, 0, 0);
	snprintf(text, sizeof(text), "%s/memory.reclaim", cgroup);
	fd = open(text, O_WRONLY | O_CLOEXEC);
	igt_assert_fd(fd);
	snprintf(text, sizeof(text), "%uM", 1 + rnd(16));
	check(write(fd, text, strlen(text)) > 0 || errno == EAGAIN, "memory.reclaim: %s\n", strerror(errno));
	close(fd);
	done.reclaims++;
}

static void reopen(uint32_t c)
{
	note("reopen", regions, 0, 0, c);
	settle(c);
	svm_close(&clients[c]);
	svm_open(&clients[c]);
}

/* A client of its own does what it must not. */
static void crash(void)
{
	struct svm bad;

	note("crash", regions, 0, 0, 0);
	svm_open(&bad);
	check(svm_gpu_try(&bad, &bad.write, 0x1000, 0, 1) == -ENODEV, "a write to nothing went through\n");
	svm_close(&bad);
}

static void buffers(uint32_t c)
{
	struct nv_bo bo[8];
	uint32_t n = 0;

	note("buffers", regions, 0, 0, c);
	while (n < 8 && !nv_bo_new(&clients[c].dev, (1 + rnd(8)) * 8 * SZ_1M, NOUVEAU_GEM_DOMAIN_VRAM, &bo[n]))
		n++;
	while (n)
		nv_bo_del(&bo[--n]);
}

static void step(void)
{
	struct region *r = &regions[rnd(REGIONS)];
	uint32_t c = rnd(CLIENTS), first, n, k;
	bool bound;

	for (k = 0; k < CLIENTS; k++)
		if (pending[k].r == r || k == c)
			settle(k);
	first = rnd(r->pages);
	n = whole(1 + rnd(r->pages - first));

	switch (rnd(34)) {
	case 0: case 1: case 2:
		cpu_write(r, first, n);
		break;
	case 3: case 4: case 5:
		cpu_check(r, first, n);
		break;
	case 6: case 7: case 8: case 9:
		gpu_write(c, r, first, n);
		break;
	case 10: case 11: case 12:
		gpu_check(c, r, first, n);
		break;
	case 13: case 14:
		if (r->kind == ANON)
			gpu_add(c, r, first, n);
		break;
	case 15: case 16: case 17:
		bound = rnd(3);
		note(bound ? "bind vram" : "bind ram", r, first, n, c);
		check(nv_svm_bind(&clients[c].dev, r->p + first * SZ_4K, n * SZ_4K, bound, NULL) == 0, "SVM_BIND\n");
		break;
	case 18:
		if (r->kind == ANON)
			drop(r, first, n);
		break;
	case 19:
		note("pageout", r, first, n, 0);
		madvise(r->p + first * SZ_4K, n * SZ_4K, MADV_PAGEOUT);
		break;
	case 20:
		/* Half a huge page of hugetlb cannot be had. */
		if (r->kind != HUGETLB)
			move(r);
		break;
	case 21:
		if (r->kind == HUGETLB)
			break;
		note("read-only", r, first, n, 0);
		igt_assert_eq(mprotect(r->p + first * SZ_4K, n * SZ_4K, PROT_READ), 0);
		gpu_check(c, r, first, n);
		cpu_check(r, first, n);
		igt_assert_eq(mprotect(r->p + first * SZ_4K, n * SZ_4K, PROT_READ | PROT_WRITE), 0);
		break;
	case 22:
		child_checks(r);
		break;
	case 23:
		unpin(r);
		if (r->kind == ANON && rnd(2)) {
			note("pin", r, first, n, 0);
			r->pin = svm_pin(r->p + first * SZ_4K, n * SZ_4K);
		}
		break;
	case 24:
		note("collapse", r, 0, r->pages, 0);
		if (r->kind == ANON)
			madvise(r->p, r->pages * SZ_4K, rnd(2) ? MADV_COLLAPSE : MADV_NOHUGEPAGE);
		break;
	case 25:
		region_del(r);
		region_new(r);
		break;
	case 26:
		if (rnd(8) == 0)
			reopen(c);
		else if (rnd(8) == 0)
			crash();
		break;
	case 27:
		if (rnd(4) == 0)
			buffers(c);
		break;
	case 28:
		if (rnd(3))
			lock(r, first, n);
		else
			unlock();
		break;
	case 29:
		direct(r, first, n);
		break;
	case 30:
		if (r->kind == ANON)
			merge(r, first, n);
		break;
	case 31:
		if (rnd(4) == 0)
			reclaim();
		break;
	case 32:
		if (r->kind != HUGETLB)
			hole(r, c, first, n);
		break;
	case 33:
		if (getenv("NVSVM_SOAK_KILL") && rnd(2))
			kill_client(r);
		break;
	}
}

static void run(uint32_t seed, time_t end, uint32_t nr)
{
	const char *device = getenv("NVSVM_SOAK_DISK");
	uint32_t i;

	rng = seed ? seed : 1;
	if (device) {
		disk = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
		igt_assert_fd(disk);
		disk_at = (off_t)nr * DISK_SHARE;
	}
	for (i = 0; i < CLIENTS; i++)
		svm_open(&clients[i]);
	for (i = 0; i < REGIONS; i++)
		region_new(&regions[i]);
	while (time(NULL) < end) {
		step();
		if (rnd(500) == 0) {
			settle_all();
			for (i = 0; i < REGIONS; i++)
				cpu_check(&regions[i], 0, regions[i].pages);
		}
	}
	settle_all();
	for (i = 0; i < REGIONS; i++) {
		cpu_check(&regions[i], 0, regions[i].pages);
		region_del(&regions[i]);
	}
	for (i = 0; i < CLIENTS; i++)
		svm_close(&clients[i]);
	printf("soak: %" PRIu64 " operations with seed %u; %u hugetlb, %u mlock, %u O_DIRECT, %u KSM, %u reclaims, "
	       "%u holes, %u forks and %u without memory, %u clients killed\n",
	       nr_ops, seed, done.hugetlb, done.locks, done.direct, done.merges, done.reclaims, done.holes, done.forks,
	       done.refused, done.killed);
	check(done.refused * 10 <= done.forks + 10, "%u of %u forks were refused\n", done.refused,
	      done.forks + done.refused);
	fflush(stdout);
}

static uint32_t setting(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);

	return text ? (uint32_t)strtoul(text, NULL, 0) : otherwise;
}

/**
 * SUBTEST: soak
 * Description: everything at random, checked against a shadow copy
 */
int igt_main()
{
	igt_describe("Everything at random");
	igt_subtest("soak") {
		time_t end = time(NULL) + 60 * (time_t)setting("NVSVM_SOAK_MINUTES", 1);
		uint32_t seed = setting("NVSVM_SOAK_SEED", (uint32_t)time(NULL));

		printf("soak: seed %u\n", seed);
		fflush(stdout);
		svm_migrate_on_fault(true);
		igt_fork(child, setting("NVSVM_SOAK_PROCESSES", 3))
			run(seed + (uint32_t)child * 7919, end, (uint32_t)child);
		igt_waitchildren();
	}
}
