// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm limits
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: limits on memory and mappings
 * Description: memory cgroups, swap, locked memory, address space, number of mappings
 */
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "igt.h"
#include "svm_test.h"

IGT_TEST_DESCRIPTION("Limits on memory and mappings.");

#define NR (SZ_2M / SZ_4K)

static uint32_t pages_of(size_t len)
{
	return (uint32_t)(len / SZ_4K);
}

/**
 * SUBTEST: memcg-swap-%s
 * Description: a cgroup holds less than half of a working set that the GPU uses (%arg[1]); the rest is swapped (zram)
 *
 * arg[1]:
 *
 * @ram: from RAM
 * @vram: by way of VRAM, a block of 2 MiB at a time
 */
static void test_memcg_swap(bool vram)
{
	const size_t len = 24 * SZ_1M, max = 10 * SZ_1M;

	svm_swap_on(128 * SZ_1M);
	svm_migrate_on_fault(vram);
	igt_fork(child, 1) {
		struct svm svm;
		uint32_t turn, i;
		char *p;

		svm_open(&svm);
		svm_cgroup_enter(max);
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		igt_assert(p != MAP_FAILED);
		igt_assert_eq(madvise(p, len, MADV_NOHUGEPAGE), 0);
		for (turn = 0; turn < 2; turn++) {
			size_t moved = 0;

			if (!vram) {
				svm_cpu_write_pages(p, pages_of(len), 0x100 + turn);
				/* All of it was written, and no more than that has room. */
				igt_assert_lte_u64(pages_of(len - max), svm_count_pages(p, len, PAGE_SWAPPED));
			}
			for (i = 0; i < pages_of(len); i += NR) {
				char *block = p + i * SZ_4K;

				if (vram)
					svm_cpu_write_pages(block, NR, 0x100 + turn + i);
				svm_gpu_check_pages(&svm, block, NR, 0x100 + turn + i);
				svm_gpu_write_pages(&svm, block, NR, 0x200 + turn + i);
				if (!vram)
					continue;
				/* Back again: what is in VRAM is charged, and reclaim does not find it. */
				moved += svm_count_pages(block, SZ_2M, PAGE_IN_VRAM);
				svm_cpu_check_pages(block, NR, 0x200 + turn + i, false);
			}
			if (vram)
				igt_assert_lte_u64(pages_of(len) / 2, moved);
			igt_assert_lte_u64(pages_of(len - max), svm_count_pages(p, len, PAGE_SWAPPED));
			svm_cpu_check_pages(p, pages_of(len), 0x200 + turn, false);
		}
		munmap(p, len);
		svm_close(&svm);
		svm_cgroup_leave();
	}
	igt_waitchildren();
	svm_migrate_on_fault(true);
	svm_swap_off();
}

/**
 * SUBTEST: memcg-oom
 * Description: a cgroup has no room for what its process brings to VRAM, beside what came back from there: that process is
 *	killed, others go on
 *
 * What is in VRAM is charged. The CPU touches no more than half of what the cgroup may hold.
 */
static void test_memcg_oom(void)
{
	const size_t len = 64 * SZ_1M, max = 24 * SZ_1M, back = 12 * SZ_1M;
	struct {
		/* pages: back in RAM, and after that moved to VRAM as well */
		uint64_t back, beside;
		bool over;
	} *said = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct svm good;
	char *q = svm_alloc(SZ_2M, PAGES_4K);
	pid_t pid;
	int st;

	igt_assert(said != MAP_FAILED);
	svm_open(&good);
	svm_cpu_write_pages(q, NR, 0x300);
	svm_gpu_check_pages(&good, q, NR, 0x300);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		struct svm svm;
		size_t i;
		char *p;

		svm_open(&svm);
		svm_cgroup_enter(max);
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		igt_assert(p != MAP_FAILED);
		/* Holes: nothing of it was ever in RAM. */
		for (i = 0; i < back; i += SZ_2M)
			svm_bind_vram(&svm, p + i, SZ_2M);
		for (i = 0; i < back; i += SZ_4K)
			if (*(volatile uint32_t *)(p + i))
				_exit(3);
		said->back = svm_count_pages(p, back, PAGE_IN_RAM);
		for (; i < len; i += SZ_2M) {
			svm_bind_vram_some(&svm, p + i, SZ_2M);
			said->beside = svm_count_pages(p + back, len - back, PAGE_IN_VRAM);
		}
		said->over = true;
		_exit(0);
	}
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	igt_info("%" PRIu64 " pages came back, %" PRIu64 " were in VRAM beside them\n", said->back, said->beside);
	igt_assert_eq_u64(svm_cgroup_event("oom_kill"), 1);
	svm_cgroup_leave();
	igt_assert_f(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL, "it ended with %#x, not by SIGKILL\n", st);
	igt_assert(!said->over);
	igt_assert_eq_u64(said->back, pages_of(back));
	/* Page tables and the like have the rest. */
	igt_assert_lte_u64(pages_of(max - back) / 2, said->beside);
	igt_assert_lte_u64(said->beside, pages_of(max - back));
	svm_gpu_write_pages(&good, q, NR, 0x400);
	svm_cpu_check_pages(q, NR, 0x400, false);
	svm_close(&good);
	svm_free(q, SZ_2M);
	munmap(said, SZ_4K);
}

/**
 * SUBTEST: many-mappings
 * Description: 2048 mappings of a page each, alternately read-only: the GPU reads all, writes the writable ones
 */
static void test_many_mappings(void)
{
	const uint32_t n = 2048;
	char *p = mmap(NULL, n * SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct svm svm;
	uint32_t i;

	igt_assert(p != MAP_FAILED);
	svm_open(&svm);
	svm_migrate_on_fault(true);
	svm_cpu_write_pages(p, n, 0x500);
	for (i = 0; i < n; i += 2)
		igt_assert_eq(mprotect(p + i * SZ_4K, SZ_4K, PROT_READ), 0);
	for (i = 0; i < n; i += 512)
		svm_gpu_check_pages(&svm, p + i * SZ_4K, 512, 0x500 + i);
	for (i = 1; i < n; i += 101) {
		uint32_t page = i | 1;

		svm_gpu_write(&svm, p + page * SZ_4K, 0x99);
		igt_assert_eq_u32(*(volatile uint32_t *)(p + page * SZ_4K), 0x99);
		*(volatile uint32_t *)(p + page * SZ_4K) = 0x500 + page;
	}
	igt_assert_eq(svm_gpu_try(&svm, &svm.write, (uintptr_t)(p + 1000 * SZ_4K), 0, 1), -ENODEV);
	svm_cpu_check_pages(p, n, 0x500, true);
	svm_close(&svm);
	munmap(p, n * SZ_4K);
}

/* The right to lock memory whatever the limit. */
static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	igt_assert_eq((int)syscall(SYS_capget, &head, caps), 0);
	caps[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
	caps[CAP_TO_INDEX(CAP_IPC_LOCK)].permitted &= ~CAP_TO_MASK(CAP_IPC_LOCK);
	igt_assert_eq((int)syscall(SYS_capset, &head, caps), 0);
}

/**
 * SUBTEST: memlock
 * Description: RLIMIT_MEMLOCK of nothing limits no SVM: no page is pinned for it
 */
static void test_memlock(void)
{
	igt_fork(child, 1) {
		struct rlimit none = { 0, 0 };
		char *p = svm_alloc(SZ_2M, PAGES_4K);
		struct svm svm;

		igt_assert_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
		drop_ipc_lock();
		/* It does limit others. */
		igt_assert_eq(mlock(p, SZ_4K), -1);
		svm_open(&svm);
		svm_cpu_write_pages(p, NR, 0x600);
		svm_gpu_check_pages(&svm, p, NR, 0x600);
		svm_gpu_write_pages(&svm, p, NR, 0x700);
		svm_cpu_check_pages(p, NR, 0x700, false);
		svm_close(&svm);
	}
	igt_waitchildren();
}

/**
 * SUBTEST: huge-reservation
 * Description: a terabyte of reserved addresses, a page of it used here and there
 */
static void test_reservation(void)
{
	const size_t len = 1ul << 40;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct svm svm;
	uint32_t i;

	igt_assert(p != MAP_FAILED);
	igt_assert_eq(madvise(p, len, MADV_NOHUGEPAGE), 0);
	svm_open(&svm);
	for (i = 0; i < 32; i++) {
		uint32_t *at = (uint32_t *)(p + i * (len / 32) + i * 5 * SZ_4K);

		svm_gpu_write(&svm, at, 0x800 + i);
		igt_assert_eq_u32(*(volatile uint32_t *)at, 0x800 + i);
	}
	svm_close(&svm);
	munmap(p, len);
}

/* Ranges that the driver keeps within [p, p + len). */
static unsigned int ranges_in(const char *p, size_t len)
{
	uint64_t start, end, lo = (uintptr_t)p;
	FILE *f = svm_driver_open();
	unsigned int n = 0;
	char line[256];

	igt_require_f(f, "the driver tells its ranges\n");
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, " range %" SCNx64 "-%" SCNx64, &start, &end) == 2 && start >= lo && end <= lo + len;
	fclose(f);
	return n;
}

/* Ranges that the driver knows of this process, whose only address space of the GPU it is. */
static unsigned int ranges(void)
{
	FILE *f = svm_driver_open();
	char line[512];
	unsigned int n = 0;

	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		n += !strncmp(line, "  range ", 8);
	fclose(f);
	return n;
}

/**
 * SUBTEST: many-given-up
 * Description: a page each of thousands of blocks is bound, and given up: what the driver keeps for them has an end
 */
static void test_given_up(void)
{
	const unsigned int nr = 3000, most = 2048;
	const size_t len = (size_t)nr * SZ_2M;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned int i, n = 0;
	struct svm svm;

	igt_assert(p != MAP_FAILED);
	igt_assert_eq(madvise(p, len, MADV_NOHUGEPAGE), 0);
	svm_open(&svm);
	for (i = 0; i < nr; i++) {
		char *at = p + (size_t)i * SZ_2M;

		*(volatile uint32_t *)at = i;
		igt_assert_eq(nv_svm_bind(&svm.dev, at, SZ_4K, false, NULL), 0);
		igt_assert_eq(madvise(at, SZ_4K, MADV_DONTNEED), 0);
	}
	/* They go in the background. */
	for (i = 0; i < 100; i++) {
		n = ranges();
		if (n <= most)
			break;
		usleep(100000);
	}
	igt_info("%u ranges of %u are left\n", n, nr);
	igt_assert_lte_u64(n, most);
	svm_gpu_write(&svm, (uint32_t *)p, 0x123);
	igt_assert_eq_u32(*(volatile uint32_t *)p, 0x123);
	munmap(p, len);
	svm_close(&svm);
}

/**
 * SUBTEST: many-mirrors
 * Description: as many clients as files can be open: the driver serves so many, each with a thread, and refuses the next
 */
static void test_mirrors(void)
{
	enum { MOST = 2048 };
	const struct rlimit files = { MOST + 64, MOST + 64 };
	static struct nv_dev dev[MOST + 1];
	uint32_t i, all;
	uint64_t stale;
	int err = 0;

	igt_require_f(svm_driver_counter("stale", &stale), "the driver has a thread for each\n");
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	for (i = 0; i < ARRAY_SIZE(dev) && !err; i++) {
		igt_assert_eq(nv_dev_init(&dev[i], drm_open_driver_render(DRIVER_ANY)), 0);
		err = nv_svm_init_raw(dev[i].fd, NV_CUTOUT_BASE, NV_CUTOUT_SIZE);
	}
	svm_services(NULL, 0, &all);
	igt_info("%u clients, %u threads\n", i, all);
	igt_assert_eq(err, -ENOSPC);
	igt_assert_lte_u64(all, MOST);
	igt_assert_lte_u64(MOST - 16, all);
	/* When one has gone there is room for another. */
	nv_dev_close(&dev[0]);
	igt_assert_eq(nv_svm_init_raw(dev[i - 1].fd, NV_CUTOUT_BASE, NV_CUTOUT_SIZE), 0);
	while (--i)
		nv_dev_close(&dev[i]);
}

/**
 * SUBTEST: bind-unreadable
 * Description: SVM_BIND of memory that nobody may read, and of a file beyond its end: the driver keeps nothing of it
 */
static void test_bind_unreadable(void)
{
	const size_t len = 16 * SZ_1M, at = 5 * SZ_1M + SZ_4K;
	char *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q, name[] = "/tmp/nvsvm.XXXXXX";
	int fd = mkstemp(name);
	uint64_t pages = 0;
	struct svm svm;

	igt_assert(p != MAP_FAILED);
	igt_assert_fd(fd);
	unlink(name);
	igt_assert_eq(ftruncate(fd, SZ_4K), 0);
	q = mmap(NULL, SZ_1M, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	igt_assert(q != MAP_FAILED);
	igt_assert_eq(mprotect(p + at, SZ_4K, PROT_READ | PROT_WRITE), 0);
	svm_cpu_write_pages(p + at, 1, 0x900);
	svm_cpu_write_pages(q, 1, 0x910);
	svm_open(&svm);

	igt_assert_eq(nv_svm_bind(&svm.dev, p, len, true, &pages), 0);
	igt_assert_eq_u64(pages, 1);
	igt_assert_lte((int)ranges_in(p, len), 1);
	svm_gpu_check_pages(&svm, p + at, 1, 0x900);
	svm_cpu_check_pages(p + at, 1, 0x900, true);

	/* A file does not move, but what there is of it does for the GPU. */
	igt_assert_eq(nv_svm_bind(&svm.dev, q, SZ_1M, false, &pages), 0);
	igt_assert_eq_u64(pages, 1);
	igt_assert_lte((int)ranges_in(q, SZ_1M), 1);
	svm_gpu_check_pages(&svm, q, 1, 0x910);

	svm_close(&svm);
	munmap(p, len);
	munmap(q, SZ_1M);
	close(fd);
}

int igt_main()
{
	igt_fixture()
		svm_migrate_on_fault(true);
	igt_describe("A memory cgroup with swap");
	igt_subtest("memcg-swap-ram")
		test_memcg_swap(false);
	igt_subtest("memcg-swap-vram")
		test_memcg_swap(true);
	igt_describe("A memory cgroup without swap");
	igt_subtest("memcg-oom")
		test_memcg_oom();
	igt_describe("Many mappings");
	igt_subtest("many-mappings")
		test_many_mappings();
	igt_describe("No locked memory");
	igt_subtest("memlock")
		test_memlock();
	igt_describe("A large reservation");
	igt_subtest("huge-reservation")
		test_reservation();
	igt_describe("Many ranges without memory");
	igt_subtest("many-given-up")
		test_given_up();
	igt_describe("Very many clients");
	igt_subtest("many-mirrors")
		test_mirrors();
	igt_describe("Nothing to bind");
	igt_subtest("bind-unreadable")
		test_bind_unreadable();
}
