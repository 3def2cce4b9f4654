// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm leaves
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: page tables
 * Description: memory is mapped by the largest leaves that it allows, and all sizes get along in one block
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "igt.h"
#include "svm_test.h"

IGT_TEST_DESCRIPTION("Leaves of 4 KiB, 64 KiB and 2 MiB.");

#define BLOCK (SZ_2M / SZ_4K)
#define CHUNK (SZ_64K / SZ_4K)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static void leaves_are(uint64_t n4k, uint64_t n64k, uint64_t n2m)
{
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("pte_write_4k"), n4k);
	igt_assert_eq_u64(svm_ledger("pte_write_64k"), n64k);
	igt_assert_eq_u64(svm_ledger("pte_write_2m"), n2m);
}

/* 64 KiB of memory, aligned, with nothing around it. */
static char *alloc_64k(void)
{
	char *p = mmap(NULL, 2 * SZ_2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *q;

	igt_assert(p != MAP_FAILED);
	q = (char *)(((uintptr_t)p + SZ_2M - 1) & -SZ_2M) + SZ_1M;
	igt_assert(mmap(q, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == q);
	igt_assert_eq(madvise(q, SZ_64K, MADV_NOHUGEPAGE), 0);
	return q;
}

/**
 * SUBTEST: vram-64k
 * Description: 64 KiB in VRAM are one leaf, also to write and for atomics, and none when they are back in RAM
 */
static void test_64k(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = alloc_64k();
	svm_cpu_write_pages(p, CHUNK, 0x100);
	svm_ledger_start();
	svm_bind_vram(&svm, p, SZ_64K);
	leaves_are(0, 1, 0);
	svm_ledger_start();
	svm_gpu_check_pages(&svm, p, CHUNK, 0x100);
	svm_gpu_write_pages(&svm, p, CHUNK, 0x200);
	svm_gpu_add(&svm, p + 5 * SZ_4K, 1, 32);
	leaves_are(0, 0, 0);
	igt_assert_eq_u64(svm_ledger("fault_replayable"), 0);
	igt_assert_eq_u32(*(volatile uint32_t *)(p + 5 * SZ_4K), 0x205 + 32);
	*(volatile uint32_t *)(p + 5 * SZ_4K) = 0x205;
	svm_cpu_check_pages(p, CHUNK, 0x200, false);
	svm_ledger_start();
	svm_gpu_check_pages(&svm, p, CHUNK, 0x200);
	leaves_are(CHUNK, 0, 0);
	svm_bind_vram(&svm, p, SZ_64K);
	svm_gpu_check_pages(&svm, p, CHUNK, 0x200);
	munmap(p, SZ_64K);
	svm_close(&svm);
}

/**
 * SUBTEST: mixed
 * Description: one page of a block is pinned: the rest goes to VRAM in pieces of 64 KiB, each mapped by one leaf,
 *	the 16 pages around the pinned one by small leaves, and so on as pieces come back and go
 */
static void test_mixed(void)
{
	struct svm svm;
	struct iovec io;
	int pipes[2];
	uint32_t i;
	char *p;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, BLOCK, 0x1000);
	igt_assert_eq(pipe(pipes), 0);
	io = (struct iovec){ .iov_base = p + 100 * SZ_4K, .iov_len = SZ_4K };
	igt_assert_eq((int)vmsplice(pipes[1], &io, 1, 0), (int)SZ_4K);

	svm_ledger_start();
	svm_bind_vram_some(&svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), BLOCK - CHUNK);
	leaves_are(CHUNK, BLOCK / CHUNK - 1, 0);
	svm_gpu_check_pages(&svm, p, BLOCK, 0x1000);
	svm_gpu_write_pages(&svm, p, BLOCK, 0x2000);

	/* The first, the last, and two neighbours in the middle come back. */
	for (i = 0; i < 4; i++) {
		static const uint32_t page[] = { 3, BLOCK - 1, 200, 220 };

		igt_assert_eq_u32(*(volatile uint32_t *)(p + page[i] * SZ_4K), 0x2000 + page[i]);
	}
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), BLOCK - 5 * CHUNK);
	svm_ledger_start();
	svm_gpu_check_pages(&svm, p, BLOCK, 0x2000);
	leaves_are(5 * CHUNK, BLOCK / CHUNK - 5, 0);
	svm_gpu_write_pages(&svm, p, BLOCK, 0x3000);
	svm_cpu_check_pages(p, BLOCK, 0x3000, false);

	/* Without the pin the block goes as a whole, and is contiguous: one leaf. */
	close(pipes[0]);
	close(pipes[1]);
	svm_ledger_start();
	svm_bind_vram(&svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), BLOCK);
	leaves_are(0, 0, 1);
	svm_gpu_check_pages(&svm, p, BLOCK, 0x3000);
	svm_gpu_write_pages(&svm, p, BLOCK, 0x4000);
	svm_cpu_check_pages(p, BLOCK, 0x4000, false);
	svm_free(p, SZ_2M);
	svm_close(&svm);
}

/**
 * SUBTEST: thp-then-mixed-then-thp
 * Description: a block changes between one huge leaf, small ones, 64 KiB ones and back; each kind gives way to the
 *	next, and nothing that was written is lost
 */
static void test_change(void)
{
	struct svm svm;
	uint32_t round;
	char *p;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(SZ_2M, PAGES_THP);
	for (round = 0; round < 3; round++) {
		uint32_t base = (round + 1) << 16;

		svm_cpu_write_pages(p, BLOCK, base);
		svm_ledger_start();
		svm_gpu_check_pages(&svm, p, BLOCK, base);
		leaves_are(0, 0, 1);
		svm_gpu_write_pages(&svm, p, BLOCK, base + 0x1000);
		/* 4 KiB pages from here on. */
		igt_assert_eq(madvise(p, SZ_2M, MADV_NOHUGEPAGE), 0);
		igt_assert_eq(madvise(p + 7 * SZ_4K, SZ_4K, MADV_DONTNEED), 0);
		*(volatile uint32_t *)(p + 7 * SZ_4K) = base + 0x1007;
		svm_gpu_check_pages(&svm, p, BLOCK, base + 0x1000);
		svm_gpu_write_pages(&svm, p, BLOCK, base + 0x2000);
		svm_cpu_check_pages(p, BLOCK, base + 0x2000, false);
		svm_bind_vram(&svm, p, SZ_2M);
		svm_gpu_check_pages(&svm, p, BLOCK, base + 0x2000);
		svm_gpu_write_pages(&svm, p, BLOCK, base + 0x3000);
		svm_cpu_check_pages(p, BLOCK, base + 0x3000, false);
		igt_assert_eq(madvise(p, SZ_2M, MADV_HUGEPAGE), 0);
		igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
		*(volatile uint32_t *)p = 0;
		igt_require(svm_page_is_thp(p));
	}
	svm_free(p, SZ_2M);
	svm_close(&svm);
}

/**
 * SUBTEST: gpu-first
 * Description: the GPU is the first to touch memory that a huge page fits on: it is made in VRAM
 *	in one go, mapped by one leaf, and comes back as a huge page
 */
static void test_gpu_first(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	svm_migrate_on_fault(true);
	p = svm_alloc(SZ_2M, PAGES_THP);
	igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_NOWHERE), BLOCK);

	svm_trace_on();
	svm_ledger_start();
	igt_assert_eq_u32(svm_gpu_read(&svm, p + 3 * SZ_4K), 0);
	leaves_are(0, 0, 1);
	svm_trace_off();
	igt_info("%u attempts, %u copies\n", svm_traced("nouveau_svm_migrate", NULL, NULL),
		 svm_traced("nouveau_svm_copy", NULL, NULL));
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), BLOCK);
	/* Of the whole, and none of pieces. */
	igt_assert_eq((int)svm_traced("nouveau_svm_migrate", NULL, NULL), 1);

	svm_gpu_write_pages(&svm, p, BLOCK, 0x5000);
	svm_cpu_check_pages(p, BLOCK, 0x5000, false);
	igt_assert(svm_page_is_thp(p));
	svm_free(p, SZ_2M);
	svm_close(&svm);
}

/* The range that begins at @p has these kinds of leaves. */
static void expect_leaves(const char *p, const char *want)
{
	const char *line = svm_driver_range(p);

	igt_assert_f(line, "no range at %p\n", p);
	igt_assert_f(!strcmp(line, want), "the range at %p has \"%s\", not \"%s\"\n", p, line, want);
}

/**
 * SUBTEST: exclusive-splits
 * Description: a range with VRAM in pieces of 64 KiB, and the rest in RAM: while the GPU has pages of it alone, for
 *	atomics, all of its leaves are small; when that ends each piece is one leaf again
 */
static void test_exclusive(void)
{
	uint64_t before, after;
	struct svm svm;
	uint32_t i;
	char *p;
	int pin;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, BLOCK, 0x6000);
	pin = svm_pin(p + 5 * SZ_4K, SZ_4K);
	svm_ledger_start();
	svm_bind_vram_some(&svm, p, SZ_2M);
	leaves_are(CHUNK, BLOCK / CHUNK - 1, 0);
	igt_require(svm_driver_counter("exclusive_pages", &before));

	expect_leaves(p, " 4K 64K vram");

	/* The first one splits all, once it was tried to move what is in RAM; a further one writes its own leaf only. */
	svm_ledger_start();
	svm_gpu_add(&svm, p + 3 * SZ_4K, 1, 32);
	svm_ledger_stop();
	igt_assert_lte_u64(BLOCK, svm_ledger("pte_write_4k"));
	expect_leaves(p, " 4K vram");
	svm_ledger_start();
	svm_gpu_add(&svm, p + 7 * SZ_4K, 1, 32);
	leaves_are(1, 0, 0);
	igt_assert(svm_driver_counter("exclusive_pages", &after));
	igt_assert_eq_u64(after - before, 2);
	/* So it stays, and nothing faults, not even an atomic in VRAM. */
	svm_ledger_start();
	svm_gpu_check_pages(&svm, p + SZ_1M, BLOCK / 2, 0x6000 + BLOCK / 2);
	svm_gpu_add(&svm, p + 3 * SZ_4K, 1, 32);
	svm_gpu_add(&svm, p + 100 * SZ_4K, 1, 32);
	leaves_are(0, 0, 0);
	igt_assert_eq_u64(svm_ledger("fault_replayable"), 0);
	expect_leaves(p, " 4K vram");

	/* The CPU wants one of the two. */
	igt_assert_eq_u32(*(volatile uint32_t *)(p + 3 * SZ_4K), 0x6003 + 64);
	svm_ledger_start();
	igt_assert_eq_u32(svm_gpu_read(&svm, p + 3 * SZ_4K), 0x6003 + 64);
	leaves_are(CHUNK, BLOCK / CHUNK - 1, 0);
	expect_leaves(p, " 4K 64K vram");
	for (i = 0; i < BLOCK; i++)
		igt_assert_eq_u32(*(volatile uint32_t *)(p + i * SZ_4K),
				  0x6000 + i + (i == 3 ? 64 : i == 7 || i == 100 ? 32 : 0));
	close(pin);
	svm_free(p, SZ_2M);
	svm_close(&svm);
}

/**
 * SUBTEST: exclusive-splits-thp
 * Description: VRAM is full, and the GPU has a page of a huge page alone: the one leaf becomes small ones, and is one
 *	again when the CPU had the page and the process has it made a huge page again
 */
static void test_exclusive_thp(void)
{
	struct svm_vram fill;
	struct svm svm;
	int err, i;
	char *p;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	svm_vram_fill(&svm, &fill);
	p = svm_alloc(SZ_2M, PAGES_THP);
	svm_cpu_write_pages(p, BLOCK, 0x7000);
	svm_ledger_start();
	svm_gpu_check_pages(&svm, p, BLOCK, 0x7000);
	leaves_are(0, 0, 1);
	svm_ledger_start();
	svm_gpu_add(&svm, p + 9 * SZ_4K, 1, 32);
	svm_gpu_check_pages(&svm, p + 16 * SZ_4K, 256, 0x7010);
	svm_ledger_stop();
	igt_assert_lte_u64(BLOCK, svm_ledger("pte_write_4k"));
	igt_assert_eq_u64(svm_ledger("pte_write_64k") + svm_ledger("pte_write_2m"), 0);
	expect_leaves(p, " 4K");

	igt_assert_eq_u32(*(volatile uint32_t *)(p + 9 * SZ_4K), 0x7009 + 32);
	*(volatile uint32_t *)(p + 9 * SZ_4K) = 0x7009;
	/* Something else may hold a page of it for a moment. */
	for (i = 0, err = EAGAIN; i < 50 && err; i++) {
		err = madvise(p, SZ_2M, MADV_COLLAPSE) ? errno : 0;
		if (err)
			usleep(100000);
	}
	igt_assert_f(!err, "MADV_COLLAPSE: %s\n", strerror(err));
	igt_assert(svm_page_is_thp(p));
	svm_ledger_start();
	svm_gpu_check_pages(&svm, p, BLOCK, 0x7000);
	leaves_are(0, 0, 1);
	svm_vram_release(&fill);
	svm_migrate_on_fault(true);
	svm_cpu_check_pages(p, BLOCK, 0x7000, true);
	svm_free(p, SZ_2M);
	svm_close(&svm);
}

int igt_main()
{
	igt_describe("A leaf of 64 KiB");
	igt_subtest("vram-64k")
		test_64k();
	igt_describe("Leaves of two sizes in one block");
	igt_subtest("mixed")
		test_mixed();
	igt_describe("One block, all sizes in turn");
	igt_subtest("thp-then-mixed-then-thp")
		test_change();
	igt_describe("The GPU is first");
	igt_subtest("gpu-first")
		test_gpu_first();
	igt_describe("Pages that the GPU has alone");
	igt_subtest("exclusive-splits")
		test_exclusive();
	igt_subtest("exclusive-splits-thp")
		test_exclusive_thp();
}
