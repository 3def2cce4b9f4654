// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm evict
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: more data than VRAM
 * Description: VRAM runs short, by buffers and by shared memory itself, while owners live and when they are dead
 *
 * Wants VRAM of 256 MiB (vm/run --model=vram=256M), so that memory holds several
 * times that.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("More data than VRAM.");

#define NR (SZ_2M / SZ_4K)

static uint32_t pages_of(size_t len)
{
	return (uint32_t)(len / SZ_4K);
}

/* One warp reads the first word of each page in order; the sum tells whether all were right. */
static void walk_sum(struct svm *svm, const char *p, uint32_t n, uint32_t sum)
{
	const struct nv_args args = { .dst = svm->out.va, .src = (uintptr_t)p, .count = n };
	volatile uint32_t *out = svm->out.map;

	nv_use(&svm->chan, &svm->out);
	igt_assert_eq(nv_run(&svm->chan, &svm->walk_page, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq_u32(out[0], sum);
}

static uint32_t sum_of(uint32_t n, uint32_t first)
{
	uint32_t sum = 0, i;

	for (i = 0; i < n; i++)
		sum += first + i;
	return sum;
}

static void walk(struct svm *svm, const char *p, uint32_t n, uint32_t first)
{
	walk_sum(svm, p, n, sum_of(n, first));
}

/* GPU writes, page by page of @n, in pieces that one launch takes. */
static void gpu_write(struct svm *svm, char *p, uint32_t n, uint32_t first)
{
	uint32_t i;

	for (i = 0; i < n; i += 4 * NR)
		svm_gpu_write_pages(svm, p + i * SZ_4K, n - i < 4 * NR ? n - i : 4 * NR, first + i);
}

/**
 * SUBTEST: by-buffers-%s
 * Description: buffers want the VRAM that data (%arg[1]) is in: it goes back to RAM, and is right
 *
 * arg[1]:
 *
 * @4k: 4 KiB pages
 * @thp: huge pages
 */
static void test_buffers(struct svm *svm, enum page_kind kind)
{
	const size_t len = 32 * SZ_1M;
	char *p = svm_alloc(len, kind);
	struct svm_vram fill;

	svm_cpu_write_pages(p, pages_of(len), 0x100);
	gpu_write(svm, p, pages_of(len), 0x200);
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), pages_of(len));
	svm_vram_fill(svm, &fill);
	igt_assert_lte((int)svm_count_pages(p, len, PAGE_IN_VRAM), (int)pages_of(len) / 8);
	walk(svm, p, pages_of(len), 0x200);
	gpu_write(svm, p, pages_of(len), 0x300);
	svm_cpu_check_pages(p, pages_of(len), 0x300, false);
	svm_vram_release(&fill);
	walk(svm, p, pages_of(len), 0x300);
	svm_free(p, len);
}

/**
 * SUBTEST: by-bind
 * Description: SVM_BIND of 1.5 times VRAM, piece by piece: each piece gets in, all data is right
 */
static void test_bind(struct svm *svm)
{
	const size_t len = svm_vram_size(svm) / 2 * 3 / (16 * SZ_1M) * 16 * SZ_1M;
	char *p = svm_alloc(len, PAGES_THP);
	size_t i;

	svm_cpu_write_pages(p, pages_of(len), 0x400);
	for (i = 0; i < len; i += 16 * SZ_1M) {
		svm_bind_vram(svm, p + i, 16 * SZ_1M);
		igt_assert_eq_u64(svm_count_pages(p + i, 16 * SZ_1M, PAGE_IN_VRAM), pages_of(16 * SZ_1M));
	}
	walk(svm, p, pages_of(len), 0x400);
	svm_cpu_check_pages(p, pages_of(len), 0x400, true);
	svm_free(p, len);
}

/**
 * SUBTEST: three-times-read
 * Description: a working set of three times VRAM, the GPU reads all of it, twice
 */
static void test_three_read(struct svm *svm)
{
	const size_t len = 3 * svm_vram_size(svm);
	char *p = svm_alloc(len, PAGES_THP);

	svm_cpu_write_pages(p, pages_of(len), 0x500);
	walk(svm, p, pages_of(len), 0x500);
	svm_cpu_check_pages(p, pages_of(len), 0x500, true);
	walk(svm, p, pages_of(len), 0x500);
	svm_free(p, len);
}

/**
 * SUBTEST: three-times-write
 * Description: a working set of three times VRAM, the GPU writes 64 pages of each block and reads all of it
 */
static void test_three_write(struct svm *svm)
{
	const size_t len = 3 * svm_vram_size(svm);
	char *p = svm_alloc(len, PAGES_THP);
	uint32_t n = pages_of(len), i;

	svm_cpu_write_pages(p, n, 0x500);
	for (i = 0; i < n; i += NR)
		svm_gpu_write_pages(svm, p + i * SZ_4K, 64, 0x600 + i);
	walk_sum(svm, p, n, sum_of(n, 0x500) + n / NR * 64 * 0x100);
	for (i = 0; i < n; i += NR) {
		svm_cpu_check_pages(p + i * SZ_4K, 64, 0x600 + i, false);
		svm_cpu_check_pages(p + (i + 64) * SZ_4K, NR - 64, 0x500 + i + 64, true);
	}
	walk_sum(svm, p, n, sum_of(n, 0x500) + n / NR * 64 * 0x100);
	svm_free(p, len);
}

/**
 * SUBTEST: dead-owner
 * Description: a child shares what is in VRAM, its parent is gone: buffers get the VRAM, the child its data
 */
static void test_dead_owner(struct svm *svm)
{
	const size_t len = 16 * SZ_1M;
	int go[2], out[2], st;
	struct svm_vram fill;
	char c = 0;
	pid_t pid;

	igt_assert_eq(pipe(go), 0);
	igt_assert_eq(pipe(out), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		struct svm mine;
		uint32_t i;
		char *p;

		close(svm->dev.fd);
		p = svm_alloc(len, PAGES_4K);
		svm_open(&mine);
		svm_cpu_write_pages(p, pages_of(len), 0x700);
		gpu_write(&mine, p, pages_of(len), 0x800);
		igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), pages_of(len));
		pid = fork();
		if (pid)
			_exit(pid < 0);
		close(mine.dev.fd);
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		for (i = 0, c = 'x'; i < pages_of(len) && c == 'x'; i++)
			if (*(volatile uint32_t *)(p + i * SZ_4K) != 0x800 + i)
				c = 'n';
		if (write(out[1], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	igt_assert_eq(st, 0);
	svm_vram_fill(svm, &fill);
	igt_assert_eq((int)write(go[1], "x", 1), 1);
	igt_assert_eq((int)read(out[0], &c, 1), 1);
	igt_assert_f(c == 'x', "the child reads other data\n");
	svm_vram_release(&fill);
}

/**
 * SUBTEST: while-working
 * Description: buffers take VRAM from memory that a kernel adds to: no sum is lost
 */
static void test_while(struct svm *svm)
{
	const size_t len = 8 * SZ_1M;
	char *p = svm_alloc(len, PAGES_THP);
	const struct nv_args args = { .dst = (uintptr_t)p, .value = 1 };
	struct svm_vram fill;
	uint32_t i, round;
	struct svm other;

	svm_open(&other);
	for (i = 0; i < pages_of(len); i++)
		*(volatile uint32_t *)(p + i * SZ_4K) = 0;
	for (round = 0; round < 4; round++) {
		igt_assert_eq(nv_launch(&svm->chan, &svm->add_page, pages_of(len) / NV_THREADS, NV_THREADS, &args,
					sizeof(args)), 0);
		igt_assert_eq(nv_launch(&svm->chan, &svm->add_page, pages_of(len) / NV_THREADS, NV_THREADS, &args,
					sizeof(args)), 0);
		igt_assert_eq(nv_submit(&svm->chan), 0);
		svm_vram_fill(&other, &fill);
		igt_assert_eq(nv_wait(&svm->chan, 0), 0);
		svm_vram_release(&fill);
	}
	for (i = 0; i < pages_of(len); i++)
		igt_assert_f(*(volatile uint32_t *)(p + i * SZ_4K) == 8, "page %u holds %u, expected 8\n", i,
			     *(volatile uint32_t *)(p + i * SZ_4K));
	svm_close(&other);
	svm_free(p, len);
}

/**
 * SUBTEST: no-order-9
 * Description: RAM has no free huge page: what comes back from VRAM comes in small ones
 */
static void test_no_order_9(struct svm *svm)
{
	const size_t len = 32 * SZ_1M, grain = SZ_1M;
	char *p = svm_alloc(len, PAGES_THP), *hog, line[256];
	size_t hog_len, i;
	uint64_t free_kib = 0, kib;
	FILE *f;

	svm_cpu_write_pages(p, pages_of(len), 0x900);
	gpu_write(svm, p, pages_of(len), 0xa00);
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), pages_of(len));
	f = fopen("/proc/meminfo", "re");
	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			free_kib = kib;
	fclose(f);
	/* Take all but 96 MiB in small pages, give every other MiB of the last 256 back. */
	hog_len = (free_kib * 1024 - 96 * SZ_1M) / grain * grain;
	hog = mmap(NULL, hog_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(hog != MAP_FAILED);
	igt_assert_eq(madvise(hog, hog_len, MADV_NOHUGEPAGE), 0);
	for (i = 0; i < hog_len; i += SZ_4K)
		hog[i] = 1;
	for (i = hog_len - 256 * SZ_1M; i < hog_len; i += SZ_64K)
		igt_assert_eq(madvise(hog + i, SZ_64K / 2, MADV_DONTNEED), 0);
	svm_cpu_check_pages(p, pages_of(len), 0xa00, false);
	igt_info("%d of %zu blocks came back as huge pages\n",
		 (int)(svm_page_is_thp(p) + svm_page_is_thp(p + len - SZ_2M)), len / SZ_2M);
	munmap(hog, hog_len);
	walk(svm, p, pages_of(len), 0xa00);
	svm_free(p, len);
}

int igt_main()
{
	struct svm svm;

	igt_subtest_group() {
		igt_fixture() {
			svm_open(&svm);
			svm_migrate_on_fault(true);
			igt_require_f(svm_vram_size(&svm) <= 256 * SZ_1M, "VRAM of 256 MiB or less\n");
		}
		igt_describe("Buffers want VRAM");
		igt_subtest("by-buffers-4k")
			test_buffers(&svm, PAGES_4K);
		igt_subtest("by-buffers-thp")
			test_buffers(&svm, PAGES_THP);
		igt_describe("SVM_BIND wants VRAM");
		igt_subtest("by-bind")
			test_bind(&svm);
		igt_describe("Three times VRAM");
		igt_subtest("three-times-read")
			test_three_read(&svm);
		igt_subtest("three-times-write")
			test_three_write(&svm);
		igt_describe("The owner is dead");
		igt_subtest("dead-owner")
			test_dead_owner(&svm);
		igt_describe("A kernel works on it");
		igt_subtest("while-working")
			test_while(&svm);
		igt_describe("RAM is in pieces");
		igt_subtest("no-order-9")
			test_no_order_9(&svm);
		igt_fixture()
			svm_close(&svm);
	}
}
