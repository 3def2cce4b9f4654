// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm failnth
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: error paths
 * Description: each allocation of the kernel's fails once, by the kernel's own fault injection
 *
 * nouveau_svm_inject.c asks the driver's injection points. This asks the kernel
 * (Documentation/fault-injection/): the N-th allocation of a thread fails, be it the
 * driver's, drm_gpusvm's, TTM's, nvkm's or mm's. The same work is done with N = 1, 2, ...
 * until a whole turn of it has no N-th allocation. The thread is this one, or the one of
 * the kernel's that serves the faults of this address space, and does its SVM_BIND.
 *
 * Whatever fails: a system call succeeds, or says ENOMEM and has changed nothing; SVM_BIND
 * succeeds, maybe with less moved; a fault of the CPU or of the GPU succeeds; data is
 * right; the next piece of work succeeds; and blocks, VRAM, address spaces and threads are
 * as many as before.
 *
 * Needs a kernel with CONFIG_FAULT_INJECTION: vm/run --kernel=debug.
 */
#include <dirent.h>
#include <fcntl.h>
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

IGT_TEST_DESCRIPTION("Each allocation fails once, by the kernel's fault injection.");

#define NTH_MAX 3000
#define BLOCK (SZ_2M / SZ_4K)
#define RENDER_NODE "/dev/dri/renderD128"

/* Newer than libdrm's header: bytes of VRAM that are taken. */
#ifndef NOUVEAU_GETPARAM_VRAM_USED
#define NOUVEAU_GETPARAM_VRAM_USED 19
#endif

/* Something is done to the second sixteenth of the memory. */
#define CUT_AT (s.len / 16)
#define CUT_LEN (s.len / 16)

/* Functions of the kernel's: an allocation counts only within one, or only outside. */
enum where { ANYWHERE, IN_DMA_DEBUG, IN_COPY_PAGE_RANGE, IN_JOIN, IN_EVICT, IN_MEMREMAP, IN_RANGE_EVICT, IN_SUBMIT, WHERES };
static struct {
	const char *name;
	uint64_t start, end;
} where[WHERES] = {
	[IN_DMA_DEBUG] = { "add_dma_entry" },
	[IN_COPY_PAGE_RANGE] = { "copy_page_range" },
	[IN_JOIN] = { "nouveau_svm_inst_join" },
	[IN_EVICT] = { "nouveau_svm_devmem_evict" },
	[IN_MEMREMAP] = { "memremap_pages" },
	[IN_RANGE_EVICT] = { "drm_gpusvm_range_evict" },
	[IN_SUBMIT] = { "nouveau_svm_ce_submit" },
};

/* What one turn works on. */
static struct {
	struct svm svm;
	char *mem, *spare;
	/* bytes of it, and pages that are looked at */
	size_t len;
	uint32_t nr;
	/* outcome of a system call: 0 or a negative errno */
	int ret;
	uint32_t word;
	unsigned int nth;
	bool failed, came_back;
	int pipes[2];
	pid_t child;
} s;

/* A client of no address space, to ask how much VRAM is in use. */
static struct nv_dev observer = { .fd = -1 };

/* --- the kernel's fault injection --- */

static void find_functions(void)
{
	uint64_t addr;
	char line[512], name[256];
	int pass, i;
	FILE *f;

	for (pass = 0; pass < 2; pass++) {
		f = fopen("/proc/kallsyms", "re");
		igt_assert(f);
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%" SCNx64 " %*c %255s", &addr, name) != 2)
				continue;
			for (i = 1; i < WHERES; i++) {
				if (!pass && !strcmp(name, where[i].name))
					where[i].start = addr;
				/* It ends where the next one begins. */
				if (pass && addr > where[i].start && (!where[i].end || addr < where[i].end))
					where[i].end = addr;
			}
		}
		fclose(f);
	}
	for (i = 1; i < WHERES; i++)
		igt_assert_f(where[i].start && where[i].end, "the kernel has no %s()\n", where[i].name);
}

/* A setting of both kinds of failing allocations. */
static void set_both(const char *file, uint64_t value)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	char path[128], text[32];
	size_t i;

	snprintf(text, sizeof(text), "%#" PRIx64, value);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kinds[i], file);
		svm_must_write(path, text);
	}
}

static void count_only(enum where within)
{
	set_both("require-start", within ? where[within].start : 0);
	set_both("require-end", within ? where[within].end : UINT64_MAX);
}

static void do_not_count(enum where without)
{
	set_both("reject-start", where[without].start);
	set_both("reject-end", where[without].end);
}

/*
 * All but those of kmemleak, which has a spare object for each that it does not get, but
 * not forever. What looks for errors must not be switched off: DMA debugging would be.
 */
static void choose_caches(void)
{
	static const char dir[] = "/sys/kernel/slab";
	DIR *d = opendir(dir);
	unsigned int nr = 0;
	struct dirent *e;
	char path[300];

	igt_assert(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || !strncmp(e->d_name, "kmemleak_", strlen("kmemleak_")))
			continue;
		snprintf(path, sizeof(path), "%s/%s/failslab", dir, e->d_name);
		if (svm_write_text(path, "1"))
			nr++;
		else
			igt_info("shared with others, does not fail: %s\n", path);
	}
	closedir(d);
	igt_assert_f(nr > 50, "only %u caches can fail\n", nr);
	svm_must_write("/sys/kernel/debug/failslab/cache-filter", "1");
}

static void setup(void)
{
	const char *stacks = getenv("NVSVM_FAILNTH_STACKS");

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	igt_require_f(access("/proc/self/fail-nth", W_OK) == 0 && access("/sys/kernel/debug/failslab", F_OK) == 0,
		      "the kernel has no fault injection\n");
	igt_require_f(access(RENDER_NODE, F_OK) == 0, "there is no GPU\n");
	igt_require_f(svm_driver_counter("blocks", &(uint64_t){ 0 }), "the driver does not tell what it holds\n");

	/* By default allocations that may wait are spared, and so are single pages. */
	set_both("ignore-gfp-wait", 0);
	svm_must_write("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "0");
	svm_must_write("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	/* A log without a line for each; with one, and the stack, for who looks for the place. */
	set_both("verbose", stacks && *stacks == '1' ? 2 : 0);
	choose_caches();
	find_functions();
	do_not_count(IN_DMA_DEBUG);
	count_only(ANYWHERE);
	igt_assert_eq(nv_dev_init(&observer, open(RENDER_NODE, O_RDWR | O_CLOEXEC)), 0);
}

/* A file of the one thread that serves this process's address space. Return: -1 if there is none. */
static int open_service(const char *file)
{
	char path[64];
	pid_t own[2];
	uint32_t nr = svm_services(own, ARRAY_SIZE(own), NULL);

	if (!nr)
		return -1;
	igt_assert_eq(nr, 1);
	snprintf(path, sizeof(path), "/proc/%d/%s", own[0], file);
	return open(path, O_RDWR | O_CLOEXEC);
}

static uint32_t services(void)
{
	uint32_t all;

	svm_services(NULL, 0, &all);
	return all;
}

static int open_fail_nth(bool kernel)
{
	char path[64];
	int fd = -1;

	if (kernel) {
		fd = open_service("fail-nth");
	} else {
		snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", getpid());
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	igt_assert_fd(fd);
	return fd;
}

static void arm(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	igt_assert_eq((int)write(fd, text, (size_t)len), len);
}

/* Return: true when something has failed since arm(). */
static bool disarm(int fd)
{
	char text[16] = "";

	igt_assert_lt(0, (int)pread(fd, text, sizeof(text) - 1, 0));
	arm(fd, 0);
	return atoi(text) == 0;
}

/* --- what there is, and has to be again --- */

struct usage {
	uint64_t blocks, vram, spaces, threads, cancels;
};

static struct usage usage(bool threads)
{
	struct usage u = { .threads = threads ? services() : 0 };
	FILE *f = svm_driver_open();
	char line[256];

	igt_assert(f);
	while (fgets(line, sizeof(line), f)) {
		u.spaces += !strncmp(line, "vm ", 3);
		sscanf(line, "blocks %" SCNu64, &u.blocks);
		sscanf(line, "cancels %" SCNu64, &u.cancels);
	}
	fclose(f);
	igt_assert_eq(nv_getparam(&observer, NOUVEAU_GETPARAM_VRAM_USED, &u.vram), 0);
	return u;
}

/* Blocks and buffers are freed by work items. */
static void expect_usage(const struct usage *want, bool threads)
{
	struct usage u;
	int i;

	for (i = 0; i < 500; i++) {
		u = usage(threads);
		if (!memcmp(&u, want, sizeof(u)))
			return;
		usleep(10000);
	}
	igt_assert_f(false,
		     "turn %u: %" PRIu64 " blocks, %#" PRIx64 " bytes of VRAM, %" PRIu64 " spaces, %" PRIu64
		     " threads, %" PRIu64 " cancelled; before: %" PRIu64 ", %#" PRIx64 ", %" PRIu64 ", %" PRIu64
		     ", %" PRIu64 "\n",
		     s.nth, u.blocks, u.vram, u.spaces, u.threads, u.cancels, want->blocks, want->vram, want->spaces,
		     want->threads, want->cancels);
}

/* --- memory --- */

/* A place for @len bytes @offset after a multiple of 2 MiB: mapped afresh, gone after munmap(). */
static char *map_at(size_t len, size_t offset, int prot)
{
	size_t room = len + 2 * SZ_2M;
	char *p = mmap(NULL, room, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	igt_assert(p != MAP_FAILED);
	q = (char *)(((uintptr_t)p + SZ_2M - 1) / SZ_2M * SZ_2M) + offset;
	if (q != p)
		igt_assert_eq(munmap(p, (size_t)(q - p)), 0);
	igt_assert_eq(munmap(q + len, (size_t)(p + room - q) - len), 0);
	return q;
}

static void map(size_t len, enum page_kind kind)
{
	s.len = len;
	s.nr = (uint32_t)(len / SZ_4K);
	s.mem = map_at(len, 0, PROT_READ | PROT_WRITE);
	igt_assert_eq(madvise(s.mem, len, kind == PAGES_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), 0);
}

static void populate(size_t len, enum page_kind kind)
{
	map(len, kind);
	svm_cpu_write_pages(s.mem, s.nr, 0x100);
	igt_assert_eq(svm_page_is_thp(s.mem), kind == PAGES_THP);
}

static void to_vram(void)
{
	size_t in_vram;
	uint32_t i;

	svm_bind_vram(&s.svm, s.mem, s.len);
	in_vram = svm_count_pages(s.mem, s.len, PAGE_IN_VRAM);
	for (i = 0; in_vram != s.nr && i < s.nr - 1; i++)
		if (svm_page_place(s.mem + i * SZ_4K) != PAGE_IN_VRAM)
			break;
	igt_assert_f(in_vram == s.nr, "turn %u: %zu pages of %u in VRAM, not page %u\n", s.nth, in_vram, s.nr, i);
}

static void begin_4k(void)
{
	populate(SZ_2M, PAGES_4K);
}

static void begin_thp(void)
{
	populate(SZ_2M, PAGES_THP);
}

static void begin_64k(void)
{
	populate(SZ_64K, PAGES_4K);
}

static void begin_64k_stay(void)
{
	svm_migrate_on_fault(false);
	begin_64k();
}

static void begin_thp_stay(void)
{
	svm_migrate_on_fault(false);
	begin_thp();
}

static void begin_hole(void)
{
	map(SZ_64K, PAGES_4K);
}

static void begin_hole_stay(void)
{
	svm_migrate_on_fault(false);
	begin_hole();
}

static void begin_64k_in_vram(void)
{
	begin_64k();
	to_vram();
}

static void begin_4k_in_vram(void)
{
	begin_4k();
	to_vram();
}

static void begin_thp_in_vram(void)
{
	begin_thp();
	to_vram();
}

/* The GPU has leaves for it too. */
static void begin_thp_in_use(void)
{
	begin_thp_in_vram();
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
}

static void begin_4k_in_use(void)
{
	begin_4k_in_vram();
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
}

static void begin_64k_in_use(void)
{
	begin_64k_in_vram();
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
}

static void begin_spare(void)
{
	begin_thp_in_use();
	s.spare = map_at(s.len, SZ_64K, PROT_NONE);
}

/* A pipe holds a page, which cannot move. */
static void begin_pinned(void)
{
	struct iovec io;

	begin_64k();
	io = (struct iovec){ .iov_base = s.mem, .iov_len = SZ_4K };
	igt_assert_eq(pipe(s.pipes), 0);
	igt_assert_eq((int)vmsplice(s.pipes[1], &io, 1, 0), (int)SZ_4K);
}

/* A child has the pages too, until it is told to look at them. */
static void fork_child(void)
{
	char c;
	uint32_t i;

	s.child = fork();
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

static void end_child(void)
{
	int st;

	if (s.child > 0) {
		igt_assert_eq((int)write(s.pipes[1], "x", 1), 1);
		igt_assert_eq(waitpid(s.child, &st, 0), s.child);
		igt_assert_f(st == 0, "turn %u: the child ended with %#x\n", s.nth, st);
	}
	close(s.pipes[0]);
	close(s.pipes[1]);
}

static void begin_pipe(void)
{
	begin_thp_in_use();
	igt_assert_eq(pipe(s.pipes), 0);
}

static void begin_forked(void)
{
	begin_64k_in_vram();
	igt_assert_eq(pipe(s.pipes), 0);
	fork_child();
	igt_assert_lt(0, s.child);
}

/* The memory is there, whatever happened, and can be used like any other. */
static void end_from(uint32_t first)
{
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, first);
	svm_cpu_check_pages(s.mem, s.nr, first, false);
	to_vram();
	svm_cpu_check_pages(s.mem, s.nr, first, false);
	igt_assert_eq(munmap(s.mem, s.len), 0);
	svm_migrate_on_fault(true);
}

static void end(void)
{
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
	svm_cpu_check_pages(s.mem, s.nr, 0x100, true);
	end_from(0x200);
}

/* A system call that either did it or changed nothing. */
static void expect_enomem(void)
{
	igt_assert_f(s.ret == 0 || (s.failed && s.ret == -ENOMEM), "turn %u: error %d\n", s.nth, s.ret);
}

static int ret_of(int ret)
{
	return ret < 0 ? -errno : 0;
}

/* --- the work --- */

static void work_bind(void)
{
	s.ret = nv_svm_bind(&s.svm.dev, s.mem, s.len, true, NULL);
}

static void work_bind_ram(void)
{
	s.ret = nv_svm_bind(&s.svm.dev, s.mem, s.len, false, NULL);
}

static void end_bind(void)
{
	igt_assert_f(s.ret == 0, "turn %u: SVM_BIND: %s\n", s.nth, strerror(-s.ret));
	end();
}

static void work_cpu_read(void)
{
	s.word = *(volatile uint32_t *)s.mem;
}

/* Memory that runs short is no reason for SIGBUS, which would have ended this. */
static void end_cpu_read(void)
{
	igt_assert_eq_u32(s.word, 0x100);
	svm_cpu_check_pages(s.mem, s.nr, 0x100, true);
	igt_assert_eq_u64(svm_count_pages(s.mem, s.len, PAGE_IN_RAM), s.nr);
	end();
}

static void work_gpu(void)
{
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
}

static void end_gpu(void)
{
	svm_cpu_check_pages(s.mem, s.nr, 0x200, false);
	end_from(0x300);
}

static void work_gpu_writes(void)
{
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
}

static void work_gpu_adds(void)
{
	svm_gpu_add(&s.svm, s.mem, 1, 32);
}

static void end_gpu_adds(void)
{
	igt_assert_eq_u32(*(volatile uint32_t *)s.mem, 0x100 + 32);
	close(s.pipes[0]);
	close(s.pipes[1]);
	svm_cpu_write_pages(s.mem, 1, 0x100);
	end();
}

static void end_forked(void)
{
	svm_cpu_check_pages(s.mem, s.nr, 0x200, false);
	end_child();
	end_from(0x300);
}

static void work_munmap(void)
{
	s.ret = ret_of(munmap(s.mem + CUT_AT, CUT_LEN));
}

/* Fill the gap, so that all is there again. */
static void refill(void)
{
	if (s.ret)
		return;
	igt_assert(mmap(s.mem + CUT_AT, CUT_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			0) == s.mem + CUT_AT);
	svm_cpu_write_pages(s.mem + CUT_AT, CUT_LEN / SZ_4K, 0x100 + CUT_AT / SZ_4K);
}

static void end_munmap(void)
{
	expect_enomem();
	/* What is before the gap, and then the rest. */
	svm_gpu_check_pages(&s.svm, s.mem, CUT_AT / SZ_4K, 0x100);
	refill();
	end();
}

/* The thread collects what munmap() left of a block, and serves faults on it. */
static void work_collect(void)
{
	work_munmap();
	svm_gpu_check_pages(&s.svm, s.mem, CUT_AT / SZ_4K, 0x100);
}

static void work_mprotect(void)
{
	s.ret = ret_of(mprotect(s.mem + CUT_AT, CUT_LEN, PROT_READ));
}

static void end_mprotect(void)
{
	expect_enomem();
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
	igt_assert_eq(mprotect(s.mem, s.len, PROT_READ | PROT_WRITE), 0);
	end();
}

static void work_mremap(void)
{
	void *p = mremap(s.mem, s.len, s.len, MREMAP_MAYMOVE | MREMAP_FIXED, s.spare);

	s.ret = p == MAP_FAILED ? -errno : 0;
}

static void end_mremap(void)
{
	expect_enomem();
	/* Maybe it was made free already. */
	if (s.ret)
		munmap(s.spare, s.len);
	else
		s.mem = s.spare;
	end();
}

static void work_fork(void)
{
	fork_child();
	s.ret = ret_of(s.child);
}

static void end_fork(void)
{
	expect_enomem();
	svm_gpu_check_pages(&s.svm, s.mem, s.nr, 0x100);
	/* Not for the child to see. */
	svm_gpu_write_pages(&s.svm, s.mem, s.nr, 0x200);
	end_child();
	svm_cpu_check_pages(s.mem, s.nr, 0x200, false);
	end_from(0x300);
}

static struct nv_chan chan;

static void begin_nothing(void)
{
}

static void work_channel(void)
{
	s.ret = nv_chan_new(&s.svm.dev, NV_ENGINE_GR, &chan);
}

static void end_channel(void)
{
	expect_enomem();
	if (s.ret)
		igt_assert_eq(nv_chan_new(&s.svm.dev, NV_ENGINE_GR, &chan), 0);
	nv_chan_del(&chan);
	begin_64k();
	end();
}

/* Buffers take all of VRAM, at the cost of the block. */
static void work_pressure(void)
{
	struct svm_vram fill;

	svm_vram_fill(&s.svm, &fill);
	svm_vram_release(&fill);
	s.came_back = svm_count_pages(s.mem, s.len, PAGE_IN_RAM) == s.nr;
}

static void end_pressure(void)
{
	igt_assert_f(s.failed || s.came_back, "nothing has failed, but the block is in VRAM\n");
	end();
}

/* A client of its own, from nothing but the open file, or from before that. */
static struct nv_dev dev;

static void begin_init(void)
{
	begin_64k();
	igt_assert_eq(nv_dev_init(&dev, open(RENDER_NODE, O_RDWR | O_CLOEXEC)), 0);
	s.spare = map_at(SZ_2M, 0, PROT_NONE);
}

/* Nobody uses the device pages: they are given up, and have to be made again. */
static void begin_pagemap(void)
{
	char line[256];
	bool there = true;
	int i;

	for (i = 0; i < 20 && there; i++) {
		FILE *f;

		/* They are given up by a work item. */
		usleep(100000);
		svm_must_write("/proc/sys/vm/drop_caches", "2");
		f = fopen("/proc/iomem", "re");
		igt_assert(f);
		for (there = false; fgets(line, sizeof(line), f);)
			there |= strstr(line, "nouveau-svm") != NULL;
		fclose(f);
	}
	igt_assert(!there);
	begin_init();
}

static void work_init(void)
{
	s.ret = nv_svm_init_raw(dev.fd, (uintptr_t)s.spare, SZ_2M);
}

static void end_client(void)
{
	uint64_t pages = 0;

	svm_cpu_check_pages(s.mem, s.nr, 0x100, true);
	if (dev.fd >= 0) {
		/* One that was refused may ask again. One that was not may have to do without VRAM. */
		if (s.ret)
			igt_assert_eq(nv_svm_init_raw(dev.fd, (uintptr_t)s.spare, SZ_2M), 0);
		igt_assert_eq(nv_svm_bind(&dev, s.mem, s.len, true, &pages), 0);
		igt_assert(pages == s.nr || (s.failed && !s.ret && pages == 0));
		igt_assert_eq_u64(svm_count_pages(s.mem, s.len, PAGE_IN_VRAM), pages);
		nv_dev_close(&dev);
	}
	svm_cpu_check_pages(s.mem, s.nr, 0x100, true);
	igt_assert_eq(munmap(s.mem, s.len), 0);
	igt_assert_eq(munmap(s.spare, SZ_2M), 0);
}

static void end_init(void)
{
	expect_enomem();
	end_client();
}

static void begin_life(void)
{
	begin_64k();
	s.spare = map_at(SZ_2M, 0, PROT_NONE);
}

static void work_life(void)
{
	int fd = open(RENDER_NODE, O_RDWR | O_CLOEXEC);

	s.ret = ret_of(fd);
	/* nvkm has a second way to say that a class could not be asked for. */
	if (s.ret == -ENODEV)
		s.ret = -ENOMEM;
	if (fd < 0)
		return;
	s.ret = nv_svm_init_raw(fd, (uintptr_t)s.spare, SZ_2M);
	dev.fd = fd;
	if (!s.ret)
		igt_assert_eq(nv_svm_bind(&dev, s.mem, s.len, true, NULL), 0);
	close(fd);
	dev.fd = -1;
}

/* --- the loops --- */

/* Before svm_open(): the client itself is what is worked on. */
#define NO_CLIENT 1
/* The allocations are those of the thread that serves faults, and SVM_BIND. */
#define SERVICE 2

/*
 * The turns. At least @least allocations have to be there and fail, or the loop has not
 * looked at what it should.
 */
static void turns(unsigned int flags, enum where within, unsigned int least, void (*begin)(void), void (*work)(void),
		  void (*after)(void))
{
	struct usage before;
	int fd;

	memset(&s, 0, sizeof(s));
	dev.fd = -1;
	if (!(flags & NO_CLIENT))
		svm_open(&s.svm);
	svm_migrate_on_fault(true);
	fd = open_fail_nth(flags & SERVICE);

	/* Once without: what is made on first use is there then. */
	begin();
	work();
	after();
	sleep(1);
	before = usage(flags & NO_CLIENT);

	count_only(within);
	for (s.nth = 1;; s.nth++) {
		igt_assert_lt_u64(s.nth, NTH_MAX);
		s.ret = 0;
		begin();
		arm(fd, s.nth);
		work();
		s.failed = disarm(fd);
		after();
		expect_usage(&before, flags & NO_CLIENT);
		if (!s.failed)
			break;
	}
	count_only(ANYWHERE);
	igt_info("failnth: %s: %u allocations have failed\n", igt_subtest_name(), s.nth - 1);
	igt_assert_f(s.nth > least, "only %u allocations have failed, not %u\n", s.nth - 1, least);
	close(fd);
	if (!(flags & NO_CLIENT))
		svm_close(&s.svm);
}

#define FAILSLAB "/sys/kernel/debug/failslab/"
#define MANY 1000000000

/* How often a small allocation has failed since there were @MANY to fail. */
static uint64_t have_failed(void)
{
	FILE *f = fopen(FAILSLAB "times", "re");
	long long left = -1;

	igt_assert(f);
	igt_assert_eq(fscanf(f, "%lld", &left), 1);
	fclose(f);
	return (uint64_t)(MANY - left);
}

/* From now on each small one of the thread @fd fails that counts, or none. */
static void memory_is_short(int fd, bool is)
{
	char times[16];

	snprintf(times, sizeof(times), "%d", is ? MANY : 1);
	svm_must_write(FAILSLAB "times", times);
	svm_must_write(FAILSLAB "task-filter", is ? "Y" : "N");
	igt_assert_eq((int)write(fd, is ? "1" : "0", 1), 1);
	svm_must_write(FAILSLAB "probability", is ? "100" : "0");
}

/**
 * SUBTEST: short-for-a-while
 * Description: the GPU writes to memory in VRAM that a child has too, while memory is short for a second: it succeeds
 */
static void test_short(void)
{
	struct nv_args args = { .value = 0x200 };
	uint64_t before = 0, cancels = 0, failed;
	int fd = -1;

	memset(&s, 0, sizeof(s));
	svm_open(&s.svm);
	svm_migrate_on_fault(true);
	fd = open_service("make-it-fail");
	igt_assert_fd(fd);
	begin_forked();
	args.dst = (uintptr_t)s.mem;
	igt_assert(svm_driver_counter("cancels", &before));
	/* It has to come to RAM, where it can be copied on write. */
	count_only(IN_RANGE_EVICT);
	memory_is_short(fd, true);
	igt_assert_eq(nv_launch(&s.svm.chan, &s.svm.write_page, 1, s.nr, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&s.svm.chan), 0);
	sleep(1);
	failed = have_failed();
	memory_is_short(fd, false);
	count_only(ANYWHERE);
	close(fd);
	igt_info("%" PRIu64 " allocations have failed\n", failed);
	igt_assert_lt_u64(0, failed);
	igt_assert_eq(nv_wait(&s.svm.chan, 60000), 0);
	igt_assert(svm_driver_counter("cancels", &cancels));
	igt_assert_eq_u64(cancels, before);
	end_forked();
	svm_close(&s.svm);
}

/* Reads a word that the CPU has left in VRAM, when told to. Does not return. */
static void read_when_told(int ready, int go)
{
	struct svm svm;
	char c = 0;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, BLOCK, 0x300);
	svm_bind_vram(&svm, p, SZ_2M);
	if (svm_count_pages(p, SZ_2M, PAGE_IN_VRAM) != BLOCK || write(ready, &c, 1) != 1 || read(go, &c, 1) != 1)
		_exit(2);
	/* SIGBUS ends the process. */
	_exit(*(volatile uint32_t *)p == 0x300 ? 0 : 1);
}

/**
 * SUBTEST: short-beside-failed-copies
 * Description: short of memory in the middle of a CPU fault is not SIGBUS, be it that another's copies fail meanwhile
 */
static void test_short_beside(void)
{
	char path[64], c = 0, *p;
	int ready[2], go[2], fd, st;
	uint64_t failed, start;
	unsigned int errors = 0;
	struct svm svm;
	uint32_t v;
	pid_t pid;

	igt_assert_eq(pipe(ready), 0);
	igt_assert_eq(pipe(go), 0);
	pid = fork();
	igt_assert_lte(0, pid);
	if (!pid)
		read_when_told(ready[1], go[0]);

	svm_open(&svm);
	p = svm_alloc(SZ_64K, PAGES_4K);
	svm_cpu_write_pages(p, SZ_64K / SZ_4K, 0x400);
	svm_bind_vram(&svm, p, SZ_64K);
	igt_assert_eq_u64(svm_count_pages(p, SZ_64K, PAGE_IN_VRAM), SZ_64K / SZ_4K);
	igt_assert_eq((int)read(ready[0], &c, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/make-it-fail", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_fd(fd);

	/* The other gets as far as to the copy, and never beyond: all copies are ours. */
	count_only(IN_SUBMIT);
	memory_is_short(fd, true);
	igt_assert_eq((int)write(go[1], &c, 1), 1);
	start = svm_now_us();
	/* Five seconds, or on a slow machine until it came to something. */
	while (svm_now_us() < start + (errors > 4 && have_failed() ? 5 : 60) * 1000000ull) {
		svm_inject(&(struct gpu_model_inject){ .point = "ce_error", .nth = 1 });
		if (!svm_cpu_try(p, &v)) {
			errors++;
			continue;
		}
		/* A channel that was being made had it. */
		svm_injected("ce_error");
		svm_bind_vram_some(&svm, p, SZ_64K);
	}
	igt_assert_lt_u64(0, svm_injected("ce_error"));
	failed = have_failed();
	memory_is_short(fd, false);
	count_only(ANYWHERE);
	close(fd);
	igt_info("%u copies and %" PRIu64 " allocations have failed\n", errors, failed);
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	igt_assert_f(st == 0, "the other ended with %#x\n", st);
	igt_assert_lt(4, (int)errors);
	igt_assert_lt_u64(0, failed);
	igt_assert(svm_cpu_try(p, &v));
	igt_assert_eq_u32(v, 0x400);
	munmap(p, SZ_64K);
	svm_close(&svm);
}

/**
 * SUBTEST: init
 * Description: SVM_INIT
 *
 * SUBTEST: pagemap
 * Description: SVM_INIT of the first client, which makes the device pages
 *
 * SUBTEST: life
 * Description: open, SVM_INIT, SVM_BIND, close
 *
 * SUBTEST: channel
 * Description: the driver's part of a new channel
 *
 * SUBTEST: bind-%s
 * Description: SVM_BIND to VRAM, in pages of %arg[1]
 *
 * SUBTEST: bind-ram
 * Description: SVM_BIND to RAM
 *
 * SUBTEST: cpu-fault-%s
 * Description: the CPU touches memory in VRAM, in pages of %arg[1]
 *
 * SUBTEST: munmap-%s
 * Description: part of a block in VRAM is unmapped, in pages of %arg[1]
 *
 * SUBTEST: mprotect-%s
 * Description: part of a block in VRAM becomes read-only, in pages of %arg[1]
 *
 * SUBTEST: mremap
 * Description: a block in VRAM moves to an address that is not aligned like it
 *
 * SUBTEST: fork
 * Description: fork() copies the page tables of memory in VRAM
 *
 * SUBTEST: gpu-stay-%s
 * Description: faults of the GPU on memory that stays, in pages of %arg[1]
 *
 * SUBTEST: gpu-migrate-%s
 * Description: faults of the GPU on memory that moves, in pages of %arg[1]
 *
 * SUBTEST: gpu-stay-hole
 * Description: faults of the GPU where there is no memory yet
 *
 * SUBTEST: gpu-migrate-hole
 * Description: faults of the GPU where there is no memory yet, and it comes in VRAM
 *
 * SUBTEST: gpu-exclusive
 * Description: atomics on a page that cannot move
 *
 * SUBTEST: gpu-forked
 * Description: the GPU writes to memory in VRAM that a child has too
 *
 * SUBTEST: gpu-collect
 * Description: what is left of a block is collected, and faults on it are served
 *
 * SUBTEST: evict-%s
 * Description: buffers need the VRAM, memory in pages of %arg[1] makes way
 *
 * arg[1]:
 *
 * @4k: 4 KiB
 * @thp: 2 MiB
 */
int igt_main()
{
	igt_fixture()
		setup();

	igt_describe("SVM_INIT");
	igt_subtest("init")
		turns(NO_CLIENT, ANYWHERE, 12, begin_init, work_init, end_init);
	igt_describe("SVM_INIT that makes the device pages");
	igt_subtest("pagemap") {
		/* mm cannot: what it has of a part of a pagemap it keeps, and is in its own way from then on. */
		do_not_count(IN_MEMREMAP);
		turns(NO_CLIENT, ANYWHERE, 15, begin_pagemap, work_init, end_init);
	}
	igt_describe("Open to close");
	igt_subtest("life")
		turns(NO_CLIENT, ANYWHERE, 60, begin_life, work_life, end_init);
	igt_describe("A channel joins the address space");
	igt_subtest("channel")
		turns(0, IN_JOIN, 1, begin_nothing, work_channel, end_channel);
	igt_describe("SVM_BIND of small pages");
	igt_subtest("bind-4k")
		turns(SERVICE, ANYWHERE, 15, begin_4k, work_bind, end_bind);
	igt_describe("SVM_BIND of huge pages");
	igt_subtest("bind-thp")
		turns(SERVICE, ANYWHERE, 15, begin_thp, work_bind, end_bind);
	igt_describe("SVM_BIND to RAM");
	igt_subtest("bind-ram")
		turns(SERVICE, ANYWHERE, 15, begin_64k_in_vram, work_bind_ram, end_bind);
	igt_describe("CPU faults on small pages");
	igt_subtest("cpu-fault-4k")
		turns(0, ANYWHERE, 16, begin_64k_in_vram, work_cpu_read, end_cpu_read);
	igt_describe("CPU faults on huge pages");
	igt_subtest("cpu-fault-thp")
		turns(0, ANYWHERE, 3, begin_thp_in_vram, work_cpu_read, end_cpu_read);
	igt_describe("munmap() of small pages");
	igt_subtest("munmap-4k")
		turns(0, ANYWHERE, 4, begin_4k_in_use, work_munmap, end_munmap);
	igt_describe("munmap() of part of a huge page");
	igt_subtest("munmap-thp")
		turns(0, ANYWHERE, 4, begin_thp_in_use, work_munmap, end_munmap);
	igt_describe("mprotect() of small pages");
	igt_subtest("mprotect-4k")
		turns(0, ANYWHERE, 4, begin_4k_in_use, work_mprotect, end_mprotect);
	igt_describe("mprotect() of part of a huge page");
	igt_subtest("mprotect-thp")
		turns(0, ANYWHERE, 4, begin_thp_in_use, work_mprotect, end_mprotect);
	igt_describe("mremap()");
	igt_subtest("mremap")
		turns(0, ANYWHERE, 6, begin_spare, work_mremap, end_mremap);
	igt_describe("fork()");
	igt_subtest("fork")
		turns(0, IN_COPY_PAGE_RANGE, 15, begin_pipe, work_fork, end_fork);
	igt_describe("Faults in place, small pages");
	igt_subtest("gpu-stay-4k")
		turns(SERVICE, ANYWHERE, 6, begin_64k_stay, work_gpu, end_gpu);
	igt_describe("Faults in place, huge pages");
	igt_subtest("gpu-stay-thp")
		turns(SERVICE, ANYWHERE, 5, begin_thp_stay, work_gpu, end_gpu);
	igt_describe("Faults that move small pages");
	igt_subtest("gpu-migrate-4k")
		turns(SERVICE, ANYWHERE, 16, begin_64k, work_gpu, end_gpu);
	igt_describe("Faults that move huge pages");
	igt_subtest("gpu-migrate-thp")
		turns(SERVICE, ANYWHERE, 15, begin_thp, work_gpu, end_gpu);
	igt_describe("Faults where there is nothing");
	igt_subtest("gpu-stay-hole")
		turns(SERVICE, ANYWHERE, 18, begin_hole_stay, work_gpu_writes, end_gpu);
	igt_describe("Faults where there is nothing, with migration");
	igt_subtest("gpu-migrate-hole")
		turns(SERVICE, ANYWHERE, 18, begin_hole, work_gpu_writes, end_gpu);
	igt_describe("Atomics on a page that cannot move");
	igt_subtest("gpu-exclusive")
		turns(SERVICE, ANYWHERE, 15, begin_pinned, work_gpu_adds, end_gpu_adds);
	igt_describe("Faults on memory that a child has too");
	igt_subtest("gpu-forked")
		turns(SERVICE, ANYWHERE, 28, begin_forked, work_gpu_writes, end_forked);
	igt_describe("The same, and memory is short for a second");
	igt_subtest("short-for-a-while")
		test_short();
	igt_describe("A CPU fault, short of memory, beside copies that fail");
	igt_subtest("short-beside-failed-copies")
		test_short_beside();
	igt_describe("Collection");
	igt_subtest("gpu-collect")
		turns(SERVICE, ANYWHERE, 9, begin_64k_in_use, work_collect, end_munmap);
	igt_describe("Eviction of small pages");
	igt_subtest("evict-4k")
		turns(0, IN_EVICT, 16, begin_64k_in_vram, work_pressure, end_pressure);
	igt_describe("Eviction of huge pages");
	igt_subtest("evict-thp")
		turns(0, IN_EVICT, 3, begin_thp_in_vram, work_pressure, end_pressure);
}
