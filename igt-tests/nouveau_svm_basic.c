// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm basic
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: SVM_INIT, SVM_BIND, replayable faults
 * Description: a kernel of a GPU works on the memory of its process
 */
#include <signal.h>
#include <sys/mman.h>

#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("Shared virtual memory: a kernel of a GPU works on the memory of its process.");

#define NR 64u			/* pages of most tests */
#define LEN (NR * SZ_4K)

/**
 * SUBTEST: init
 * Description: SVM_INIT works once on a file, and says -EBUSY from then on
 */
static void test_init(void)
{
	struct nv_dev dev;
	int fd = drm_open_driver_render(DRIVER_ANY);

	igt_require_nouveau(fd);
	igt_assert_eq(nv_dev_init(&dev, fd), 0);
	igt_assert_eq(nv_svm_init(&dev), 0);
	igt_assert_eq(nv_svm_init_raw(fd, NV_CUTOUT_BASE, NV_CUTOUT_SIZE), -EBUSY);
	nv_dev_close(&dev);
}

/**
 * SUBTEST: init-only-costs-nothing
 * Description: SVM_INIT alone writes no leaf of a page table for process memory and copies nothing
 */
static void test_init_only(void)
{
	struct nv_dev dev;
	int fd = drm_open_driver_render(DRIVER_ANY);

	igt_assert_eq(nv_dev_init(&dev, fd), 0);
	svm_ledger_start();
	igt_assert_eq(nv_svm_init(&dev), 0);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("pte_write_4k"), 0);
	igt_assert_eq_u64(svm_ledger("pte_write_64k"), 0);
	igt_assert_eq_u64(svm_ledger("pte_write_2m"), 0);
	igt_assert_eq_u64(svm_ledger("ce_launch"), 0);
	nv_dev_close(&dev);
}

/**
 * SUBTEST: bind-arguments
 * Description: SVM_BIND refuses what it does not know
 */
static void test_bind_arguments(void)
{
	const uint64_t vram = (uint64_t)NOUVEAU_SVM_BIND_TARGET__GPU_VRAM << NOUVEAU_SVM_BIND_TARGET_SHIFT;
	struct svm svm;
	uint64_t a;
	void *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	a = (uintptr_t)p;
	igt_assert_eq(nv_svm_bind_raw(svm.dev.fd, vram | 1ull << 63, a, a + SZ_4K, 1, NULL), -EINVAL);
	igt_assert_eq(nv_svm_bind_raw(svm.dev.fd, vram | 0x7f, a, a + SZ_4K, 1, NULL), -EINVAL);
	igt_assert_eq(nv_svm_bind_raw(svm.dev.fd, vram, a + SZ_4K, a, 1, NULL), -EINVAL);
	igt_assert_eq(nv_svm_bind_raw(svm.dev.fd, vram, 0, 0, 0, NULL), -EINVAL);
	/* A start within a page stands for the page: Mesa passes such. */
	igt_assert_eq(nv_svm_bind_raw(svm.dev.fd, vram, a + 0x123, a + SZ_4K, 1, NULL), 0);
	svm_free(p, SZ_2M);
	svm_close(&svm);
}

/**
 * SUBTEST: bind-needs-init
 * Description: SVM_BIND on a file without SVM_INIT is an error
 */
static void test_bind_needs_init(void)
{
	struct nv_dev dev;
	int fd = drm_open_driver_render(DRIVER_ANY);
	void *p = svm_alloc(SZ_2M, PAGES_4K);

	igt_assert_eq(nv_dev_init(&dev, fd), 0);
	igt_assert_eq(nv_svm_bind(&dev, p, SZ_4K, true, NULL), -EINVAL);
	svm_free(p, SZ_2M);
	nv_dev_close(&dev);
}

/**
 * SUBTEST: read-%s
 * Description: a kernel reads memory that the CPU wrote, in pages of %arg[1]; it stays in RAM
 *
 * arg[1]:
 *
 * @4k: 4 KiB
 * @thp: 2 MiB
 */
static void test_read(struct svm *svm, enum page_kind kind)
{
	char *p = svm_alloc(SZ_2M, kind);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, NR, 0x1000);
	svm_gpu_check_pages(svm, p, NR, 0x1000);
	svm_cpu_check_pages(p, NR, 0x1000, true);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_RAM), NR);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: write-%s
 * Description: a kernel writes memory, the CPU sees it, what lies beside is untouched; pages of %arg[1]
 *
 * arg[1]:
 *
 * @4k: 4 KiB
 * @thp: 2 MiB
 */
static void test_write(struct svm *svm, enum page_kind kind)
{
	char *p = svm_alloc(SZ_2M, kind);
	uint32_t i;

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, NR, 0x2000);
	svm_gpu_write_pages(svm, p, NR, 0x3000);
	svm_cpu_check_pages(p, NR, 0x3000, false);
	for (i = 0; i < NR; i++) {
		const uint32_t *page = (const uint32_t *)(p + i * SZ_4K);

		igt_assert_eq_u32(page[1], 0);
		igt_assert_eq_u32(page[SZ_4K / 4 - 1], ~(0x2000 + i));
	}
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: write-fresh
 * Description: a kernel writes memory that nobody has touched: the rest of each page is zero
 */
static void test_write_fresh(struct svm *svm)
{
	char *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t i, k;

	igt_assert(p != MAP_FAILED);
	igt_assert_eq(madvise(p, LEN, MADV_NOHUGEPAGE), 0);
	svm_gpu_write_pages(svm, p, NR, 0x4000);
	for (i = 0; i < NR; i++) {
		const uint32_t *page = (const uint32_t *)(p + i * SZ_4K);

		igt_assert_eq_u32(page[0], 0x4000 + i);
		for (k = 1; k < SZ_4K / 4; k++)
			igt_assert_eq_u32(page[k], 0);
	}
	munmap(p, LEN);
}

/**
 * SUBTEST: read-fresh
 * Description: a kernel reads memory that nobody has touched and sees zeroes
 */
static void test_read_fresh(struct svm *svm)
{
	char *p = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	igt_assert(p != MAP_FAILED);
	igt_assert_eq_u32(svm_gpu_read(svm, p + 0x40), 0);
	/* The zero page must not stay mapped once there is a page of its own. */
	*(volatile uint32_t *)(p + 0x40) = 77;
	igt_assert_eq_u32(svm_gpu_read(svm, p + 0x40), 77);
	munmap(p, SZ_4K);
}

/**
 * SUBTEST: map-thp-ledger
 * Description: reading a huge page in place writes one valid 2 MiB leaf and no 4 KiB one
 */
static void test_map_thp_ledger(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_THP);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, NR, 0x5000);
	svm_ledger_start();
	svm_gpu_check_pages(svm, p, NR, 0x5000);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("pte_write_2m"), 1);
	igt_assert_eq_u64(svm_ledger("pte_write_64k"), 0);
	igt_assert_eq_u64(svm_ledger("pte_write_4k"), 0);
	igt_assert_eq_u64(svm_ledger("ce_launch"), 0);
	igt_assert_lte_u64(1, svm_ledger("replay"));
	igt_assert_eq_u64(svm_ledger("cancel"), 0);
	igt_assert_eq_u64(svm_ledger("grid"), 1);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: map-4k-ledger
 * Description: reading 4 KiB pages in place copies nothing and leaves one valid leaf a page
 */
static void test_map_4k_ledger(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, NR, 0x5800);
	svm_ledger_start();
	svm_gpu_check_pages(svm, p, NR, 0x5800);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("pte_write_2m"), 0);
	igt_assert_lte_u64(NR, svm_ledger("pte_write_4k") + 16 * svm_ledger("pte_write_64k"));
	igt_assert_eq_u64(svm_ledger("ce_launch"), 0);
	igt_assert_eq_u64(svm_ledger("fault_fatal"), 0);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: leaf-2m-vram
 * Description: 4 KiB pages that moved to one block of VRAM are contiguous there, and take one 2 MiB leaf
 */
static void test_leaf_2m_vram(struct svm *svm)
{
	const uint32_t n = SZ_2M / SZ_4K;
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, n, 0x10000);
	svm_ledger_start();
	svm_bind_vram(svm, p, SZ_2M);
	svm_gpu_check_pages(svm, p, n, 0x10000);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), n);
	igt_assert_eq_u64(svm_ledger("pte_write_2m"), 1);
	igt_assert_eq_u64(svm_ledger("pte_write_64k"), 0);
	igt_assert_eq_u64(svm_ledger("pte_write_4k"), 0);
	svm_cpu_check_pages(p, n, 0x10000, false);
	svm_free(p, SZ_2M);
}

/* Of any number of pages: grids are whole CTAs, or one smaller. */
static void check_any(struct svm *svm, char *p, uint32_t n, uint32_t value)
{
	uint32_t whole = n - n % NV_THREADS;

	if (whole)
		svm_gpu_check_pages(svm, p, whole, value);
	if (n > whole)
		svm_gpu_check_pages(svm, p + (size_t)whole * SZ_4K, n - whole, value + whole);
}

static void write_any(struct svm *svm, char *p, uint32_t n, uint32_t value)
{
	uint32_t whole = n - n % NV_THREADS;

	if (whole)
		svm_gpu_write_pages(svm, p, whole, value);
	if (n > whole)
		svm_gpu_write_pages(svm, p + (size_t)whole * SZ_4K, n - whole, value + whole);
}

/**
 * SUBTEST: leaf-64k-beside-4k
 * Description: 64 KiB blocks in VRAM take 64 KiB leaves, beside 4 KiB ones under the same 2 MiB; each kind
 *   comes, goes and takes the other's place without harm to its neighbours
 */
static void test_leaf_64k(struct svm *svm)
{
	const size_t len = 7 * SZ_64K + 5 * SZ_4K;
	const uint32_t n = (uint32_t)(len / SZ_4K), block = SZ_64K / SZ_4K;
	char *hole = mmap(NULL, 2 * SZ_2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *p;

	/* Too small a mapping for a range of 2 MiB: seven of 64 KiB, then five of 4 KiB. */
	igt_assert(hole != MAP_FAILED);
	p = (char *)(((uintptr_t)hole + SZ_2M - 1) & -(uintptr_t)SZ_2M) + SZ_64K;
	igt_assert_eq(mprotect(p, len, PROT_READ | PROT_WRITE), 0);
	igt_assert_eq(madvise(p, len, MADV_NOHUGEPAGE), 0);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, n, 0x20000);
	svm_ledger_start();
	svm_bind_vram(svm, p, len);
	check_any(svm, p, n, 0x20000);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), n);
	igt_assert_eq_u64(svm_ledger("pte_write_2m"), 0);
	igt_assert_eq_u64(svm_ledger("pte_write_64k"), 7);
	igt_assert_eq_u64(svm_ledger("pte_write_4k"), 5);

	/* One block comes back, and its small pages take the place of the large leaf. */
	*(volatile uint32_t *)(p + 3 * SZ_64K) = 0x20000 + 3 * block;
	igt_assert_eq(svm_page_place(p + 3 * SZ_64K), PAGE_IN_RAM);
	igt_assert_eq(svm_page_place(p + 2 * SZ_64K), PAGE_IN_VRAM);
	igt_assert_eq(svm_page_place(p + 4 * SZ_64K), PAGE_IN_VRAM);
	svm_ledger_start();
	check_any(svm, p, n, 0x20000);
	write_any(svm, p, n, 0x30000);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("pte_write_64k"), 0);
	igt_assert_eq_u64(svm_ledger("pte_write_4k"), block);
	igt_assert_eq_u64(svm_ledger("cancel"), 0);

	/* And the other way. */
	svm_ledger_start();
	svm_bind_vram(svm, p + 3 * SZ_64K, SZ_64K);
	check_any(svm, p, n, 0x30000);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("pte_write_64k"), 1);
	igt_assert_eq_u64(svm_ledger("pte_write_4k"), 0);

	/* What goes is gone for the GPU too, what is beside it stays. */
	igt_assert_eq(munmap(p + 7 * SZ_64K, 5 * SZ_4K), 0);
	igt_assert_eq(madvise(p + SZ_64K, SZ_64K, MADV_DONTNEED), 0);
	check_any(svm, p, block, 0x30000);
	check_any(svm, p + 2 * SZ_64K, 5 * block, 0x30000 + 2 * block);
	igt_assert_eq_u32(svm_gpu_read(svm, p + SZ_64K + 5 * SZ_4K), 0);
	igt_assert_eq(madvise(p + SZ_64K, SZ_64K, MADV_DONTNEED), 0);
	svm_cpu_check_pages(p, block, 0x30000, false);
	svm_cpu_check_pages(p + 2 * SZ_64K, 5 * block, 0x30000 + 2 * block, false);
	munmap(hole, 2 * SZ_2M);
}

/**
 * SUBTEST: reread-is-free
 * Description: data that the GPU has mapped costs no fault, no invalidate and no leaf when it is read again
 */
static void test_reread(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_cpu_write_pages(p, NR, 0x6000);
	svm_gpu_check_pages(svm, p, NR, 0x6000);
	svm_ledger_start();
	svm_gpu_check_pages(svm, p, NR, 0x6000);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("fault_replayable"), 0);
	igt_assert_eq_u64(svm_ledger("replay"), 0);
	igt_assert_eq_u64(svm_ledger("inval_all") + svm_ledger("inval_pdb"), 0);
	igt_assert_eq_u64(svm_ledger("pte_write_4k") + svm_ledger("pte_write_64k") + svm_ledger("pte_write_2m"), 0);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: bind-vram-%s
 * Description: SVM_BIND moves pages of %arg[1] to VRAM; GPU and CPU find their data there and back in RAM
 *
 * arg[1]:
 *
 * @4k: 4 KiB
 * @thp: 2 MiB
 */
static void test_bind_vram(struct svm *svm, enum page_kind kind)
{
	size_t len = kind == PAGES_THP ? SZ_2M : LEN;
	uint32_t n = (uint32_t)(len / SZ_4K);
	char *p = svm_alloc(SZ_2M, kind);

	svm_cpu_write_pages(p, n, 0x7000);
	svm_ledger_start();
	svm_bind_vram(svm, p, len);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), n);
	igt_assert_eq_u64(svm_ledger("ce_bytes_sys_to_vram"), len);
	igt_assert_eq_u64(svm_ledger("ce_bytes_vram_to_sys"), 0);
	igt_assert_lte_u64(1, svm_ledger("ce_launch"));
	igt_assert_lte_u64(svm_ledger("ce_launch"), kind == PAGES_THP ? 1 : n);

	/* The first page first: m1-first-touch-within-thp of nouveau_svm_defects.c does otherwise. */
	igt_assert_eq_u32(svm_gpu_read(svm, p), 0x7000);
	svm_gpu_check_pages(svm, p, n, 0x7000);
	svm_gpu_write_pages(svm, p, n, 0x8000);
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), n);

	svm_ledger_start();
	svm_cpu_check_pages(p, n, 0x8000, false);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_RAM), n);
	igt_assert_eq_u64(svm_ledger("ce_bytes_vram_to_sys"), len);
	igt_assert_eq_u64(svm_ledger("ce_bytes_sys_to_vram"), 0);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: bind-one-page
 * Description: SVM_BIND of one 4 KiB page is one launch of 4096 bytes; its neighbours stay in RAM
 */
static void test_bind_one_page(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_cpu_write_pages(p, NR, 0x9000);
	svm_ledger_start();
	svm_bind_vram(svm, p + 5 * SZ_4K, SZ_4K);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("ce_launch"), 1);
	igt_assert_eq_u64(svm_ledger("ce_bytes_sys_to_vram"), SZ_4K);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_VRAM), 1);
	igt_assert_eq(svm_page_place(p + 5 * SZ_4K), PAGE_IN_VRAM);
	svm_cpu_check_pages(p, NR, 0x9000, true);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: bind-holes
 * Description: SVM_BIND of memory that nobody has touched shows zeroes to GPU and CPU
 */
static void test_bind_holes(struct svm *svm)
{
	char *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t i;

	igt_assert(p != MAP_FAILED);
	igt_assert_eq(madvise(p, LEN, MADV_NOHUGEPAGE), 0);
	/* Fill VRAM with something else first, so that a page that is not cleared shows. */
	memset(p, 0xa5, LEN);
	svm_bind_vram(svm, p, LEN);
	igt_assert_eq(madvise(p, LEN, MADV_DONTNEED), 0);
	svm_bind_vram(svm, p, LEN);
	for (i = 0; i < NR; i++)
		igt_assert_eq_u32(svm_gpu_read(svm, p + i * SZ_4K + 16 * i), 0);
	for (i = 0; i < LEN; i += 4)
		igt_assert_eq_u32(*(volatile uint32_t *)(p + i), 0);
	munmap(p, LEN);
}

/**
 * SUBTEST: munmap-while-mapped-%s
 * Description: the GPU has memory mapped %arg[1]; after munmap and a new mmap it sees the new pages
 *
 * arg[1]:
 *
 * @ram: from RAM
 * @vram: from VRAM
 */
static void test_munmap(struct svm *svm, bool vram)
{
	char *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	igt_assert(p != MAP_FAILED);
	svm_cpu_write_pages(p, NR, 0xa000);
	if (vram)
		svm_bind_vram(svm, p, LEN);
	svm_gpu_check_pages(svm, p, NR, 0xa000);
	svm_gpu_write_pages(svm, p, NR, 0xa100);
	igt_assert_eq(munmap(p, LEN), 0);
	q = mmap(p, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	igt_assert(q == p);
	svm_cpu_write_pages(q, NR, 0xb000);
	svm_gpu_check_pages(svm, q, NR, 0xb000);
	svm_gpu_write_pages(svm, q, NR, 0xc000);
	svm_cpu_check_pages(q, NR, 0xc000, false);
	munmap(q, LEN);
}

/**
 * SUBTEST: madvise-dontneed
 * Description: after MADV_DONTNEED the GPU sees zeroes, not the pages that it had mapped
 */
static void test_dontneed(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	uint32_t i;

	svm_cpu_write_pages(p, NR, 0xd000);
	svm_gpu_check_pages(svm, p, NR, 0xd000);
	igt_assert_eq(madvise(p, LEN, MADV_DONTNEED), 0);
	for (i = 0; i < NR; i += 7)
		igt_assert_eq_u32(svm_gpu_read(svm, p + i * SZ_4K), 0);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: fork-%s
 * Description: after fork each process keeps its own data; the GPU had the pages mapped %arg[1]
 *
 * arg[1]:
 *
 * @ram: from RAM
 * @vram: from VRAM
 */
static void test_fork(struct svm *svm, bool vram)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_cpu_write_pages(p, NR, 0xe000);
	if (vram)
		svm_bind_vram(svm, p, LEN);
	svm_gpu_write_pages(svm, p, NR, 0xe100);
	igt_fork(child, 1) {
		/* Old data first; then what the child writes is the child's alone. */
		sleep(1);
		svm_cpu_check_pages(p, NR, 0xe100, false);
		svm_cpu_write_pages(p, NR, 0xe200);
		svm_cpu_check_pages(p, NR, 0xe200, true);
	}
	svm_gpu_write_pages(svm, p, NR, 0xe300);
	svm_gpu_check_pages(svm, p, NR, 0xe300);
	igt_waitchildren();
	svm_cpu_check_pages(p, NR, 0xe300, false);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: mprotect-while-mapped
 * Description: memory that the GPU could write becomes read-only: it may read on, a write kills its channel
 */
static void test_mprotect(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0xf000);
	svm_gpu_write_pages(&svm, p, NR, 0xf100);
	igt_assert_eq(mprotect(p, LEN, PROT_READ), 0);
	svm_gpu_check_pages(&svm, p, NR, 0xf100);
	igt_assert_eq(svm_gpu_try(&svm, &svm.write, (uintptr_t)p, 0, 1), -ENODEV);
	svm_cpu_check_pages(p, NR, 0xf100, false);
	svm_close(&svm);
	igt_assert_eq(mprotect(p, LEN, PROT_READ | PROT_WRITE), 0);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: write-read-only
 * Description: a kernel that writes read-only memory loses its channel; the memory is as before
 */
static void test_write_read_only(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x11000);
	igt_assert_eq(mprotect(p, LEN, PROT_READ), 0);
	svm_ledger_start();
	igt_assert_eq(svm_gpu_try(&svm, &svm.write, (uintptr_t)p, 0, 1), -ENODEV);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("channel_reset"), 1);
	svm_cpu_check_pages(p, NR, 0x11000, true);
	svm_close(&svm);
	igt_assert_eq(mprotect(p, LEN, PROT_READ | PROT_WRITE), 0);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: mremap-while-mapped
 * Description: memory that the GPU has mapped moves: it is found at the new address, the old one leads nowhere
 */
static void test_mremap(void)
{
	struct svm svm;
	char *p, *q;

	svm_open(&svm);
	p = mmap(NULL, 2 * LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(p != MAP_FAILED);
	svm_cpu_write_pages(p, NR, 0x12000);
	svm_gpu_write_pages(&svm, p, NR, 0x12100);
	q = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, p + LEN);
	igt_assert(q == p + LEN);
	svm_gpu_check_pages(&svm, q, NR, 0x12100);
	svm_gpu_write_pages(&svm, q, NR, 0x12200);
	svm_cpu_check_pages(q, NR, 0x12200, false);
	igt_assert_eq(svm_gpu_try(&svm, &svm.write, (uintptr_t)p, 0, 1), -ENODEV);
	svm_cpu_check_pages(q, NR, 0x12200, false);
	svm_close(&svm);
	munmap(q, LEN);
}

/**
 * SUBTEST: access-nothing-%s
 * Description: a kernel %arg[1] an address where nothing is: its channel is killed, another one lives on
 *
 * arg[1]:
 *
 * @read: reads
 * @write: writes
 */
static void test_access_nothing(bool write)
{
	struct svm bad, good;
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	void *hole = mmap(NULL, SZ_2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t a;

	igt_assert(hole != MAP_FAILED);
	a = (uintptr_t)hole;
	munmap(hole, SZ_2M);
	svm_open(&good);
	svm_open(&bad);
	svm_cpu_write_pages(p, NR, 0x13000);
	svm_gpu_check_pages(&good, p, NR, 0x13000);
	svm_ledger_start();
	if (write)
		igt_assert_eq(svm_gpu_try(&bad, &bad.write, a, 0, 1), -ENODEV);
	else
		igt_assert_eq(svm_gpu_try(&bad, &bad.read, bad.out.va, a, 0), -ENODEV);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("cancel"), 1);
	igt_assert_eq_u64(svm_ledger("channel_reset"), 1);
	igt_assert(!nv_chan_alive(&bad.chan));
	igt_assert(nv_chan_alive(&good.chan));
	svm_gpu_write_pages(&good, p, NR, 0x13100);
	svm_cpu_check_pages(p, NR, 0x13100, false);
	svm_close(&bad);
	svm_gpu_check_pages(&good, p, NR, 0x13100);
	svm_close(&good);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: atomic-ram
 * Description: 1024 threads add to one word in RAM, nothing is lost
 */
static void test_atomic_ram(struct svm *svm)
{
	uint32_t *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_migrate_on_fault(false);
	p[3] = 5;
	svm_gpu_add(svm, &p[3], 3, 1024);
	igt_assert_eq_u32(p[3], 5 + 3 * 1024);
	igt_assert_eq_u32(p[2], 0);
	igt_assert_eq_u32(p[4], 0);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: ping-pong
 * Description: CPU and GPU take turns in adding to the same words
 */
static void test_ping_pong(struct svm *svm)
{
	uint32_t *p = svm_alloc(SZ_2M, PAGES_4K);
	uint32_t i;

	for (i = 0; i < 20; i++) {
		p[0]++;
		svm_gpu_write(svm, &p[1], p[0]);
		igt_assert_eq_u32(p[1], i + 1);
		p[2] = i;
		igt_assert_eq_u32(svm_gpu_read(svm, &p[2]), i);
	}
	svm_free(p, SZ_2M);
}

/* A node of the list that nv_asm_chase() follows. */
struct node {
	struct node *next;
	uint32_t value, seen;
};

/**
 * SUBTEST: linked-list
 * Description: a kernel follows pointers through a list of separate malloc'd nodes and marks each
 */
static void test_linked_list(struct svm *svm)
{
	struct nv_args args = { .dst = svm->out.va, .value = 0x600d };
	volatile uint32_t *out = svm->out.map;
	struct node *head = NULL, *n;
	uint32_t i, sum = 0;

	for (i = 1; i <= 500; i++) {
		n = malloc(sizeof(*n) + 64 * (i % 40));
		igt_assert(n);
		n->next = head;
		n->value = i * i;
		n->seen = 0;
		sum += i * i;
		head = n;
	}
	args.src = (uintptr_t)head;
	nv_use(&svm->chan, &svm->out);
	igt_assert_eq(nv_run(&svm->chan, &svm->chase, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq_u32(out[0], sum);
	while (head) {
		n = head;
		igt_assert_eq_u32(n->seen, 0x600d);
		head = n->next;
		free(n);
	}
}

/**
 * SUBTEST: stack-data-bss
 * Description: a kernel reaches the stack, initialised data and zeroed data of the program
 */
static uint32_t in_data = 0x1234, in_bss;

static void test_stack_data_bss(struct svm *svm)
{
	volatile uint32_t on_stack = 0x4321;

	igt_assert_eq_u32(svm_gpu_read(svm, &in_data), 0x1234);
	igt_assert_eq_u32(svm_gpu_read(svm, (const void *)&on_stack), 0x4321);
	svm_gpu_write(svm, &in_bss, 0x99);
	svm_gpu_write(svm, (void *)&on_stack, 0x77);
	igt_assert_eq_u32(*(volatile uint32_t *)&in_bss, 0x99);
	igt_assert_eq_u32(on_stack, 0x77);
	in_bss = 0;
}

/**
 * SUBTEST: two-processes
 * Description: two processes use the GPU on the same addresses at the same time, each sees its own data
 */
static void test_two_processes(void)
{
	void *where = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	igt_assert(where != MAP_FAILED);
	igt_fork(child, 2) {
		struct svm svm;
		uint32_t i, first = 0x20000 + 0x10000 * (uint32_t)child;

		svm_open(&svm);
		for (i = 0; i < 5; i++) {
			svm_cpu_write_pages(where, NR, first + i);
			svm_gpu_check_pages(&svm, where, NR, first + i);
			svm_gpu_write_pages(&svm, where, NR, first + 0x1000 + i);
			svm_cpu_check_pages(where, NR, first + 0x1000 + i, false);
		}
		svm_close(&svm);
	}
	igt_waitchildren();
	munmap(where, LEN);
}

/**
 * SUBTEST: threads-at-once
 * Description: 4096 threads of one grid write a word each of memory that nobody has touched
 */
static void test_threads_at_once(struct svm *svm)
{
	const uint32_t n = 4096;
	uint32_t *p = mmap(NULL, n * 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct nv_args args = { .dst = (uintptr_t)p, .value = 1000 };
	uint32_t i;

	igt_assert(p != MAP_FAILED);
	igt_assert_eq(nv_run(&svm->chan, &svm->write, n / NV_THREADS, NV_THREADS, &args, sizeof(args)), 0);
	for (i = 0; i < n; i++)
		igt_assert_eq_u32(p[i], 1000 + i);
	munmap(p, n * 4);
}

int igt_main()
{
	static const struct {
		const char *name;
		enum page_kind kind;
	} kinds[] = { { "4k", PAGES_4K }, { "thp", PAGES_THP } };
	struct svm svm;
	unsigned int k;

	igt_describe("SVM_INIT works once on a file");
	igt_subtest("init")
		test_init();
	igt_describe("SVM_INIT alone costs no leaf and no copy");
	igt_subtest("init-only-costs-nothing")
		test_init_only();
	igt_describe("SVM_BIND refuses what it does not know");
	igt_subtest("bind-arguments")
		test_bind_arguments();
	igt_describe("SVM_BIND needs SVM_INIT");
	igt_subtest("bind-needs-init")
		test_bind_needs_init();

	igt_subtest_group() {
		igt_fixture()
			svm_open(&svm);

		for (k = 0; k < ARRAY_SIZE(kinds); k++) {
			igt_describe("A kernel reads what the CPU wrote");
			igt_subtest_f("read-%s", kinds[k].name)
				test_read(&svm, kinds[k].kind);
			igt_describe("The CPU reads what a kernel wrote");
			igt_subtest_f("write-%s", kinds[k].name)
				test_write(&svm, kinds[k].kind);
			igt_describe("SVM_BIND to VRAM and CPU faults back");
			igt_subtest_f("bind-vram-%s", kinds[k].name)
				test_bind_vram(&svm, kinds[k].kind);
		}
		igt_describe("A kernel writes untouched memory");
		igt_subtest("write-fresh")
			test_write_fresh(&svm);
		igt_describe("A kernel reads untouched memory");
		igt_subtest("read-fresh")
			test_read_fresh(&svm);
		igt_describe("A huge page takes one leaf");
		igt_subtest("map-thp-ledger")
			test_map_thp_ledger(&svm);
		igt_describe("Mapping 4 KiB pages in place copies nothing");
		igt_subtest("map-4k-ledger")
			test_map_4k_ledger(&svm);
		igt_describe("A block of VRAM takes one leaf, whatever its pages");
		igt_subtest("leaf-2m-vram")
			test_leaf_2m_vram(&svm);
		igt_describe("Leaves of 64 KiB beside leaves of 4 KiB");
		igt_subtest("leaf-64k-beside-4k")
			test_leaf_64k(&svm);
		igt_describe("Reading again costs nothing");
		igt_subtest("reread-is-free")
			test_reread(&svm);
		igt_describe("SVM_BIND of a page moves a page");
		igt_subtest("bind-one-page")
			test_bind_one_page(&svm);
		igt_describe("SVM_BIND of untouched memory");
		igt_subtest("bind-holes")
			test_bind_holes(&svm);
		igt_describe("munmap while the GPU has it mapped");
		igt_subtest("munmap-while-mapped-ram")
			test_munmap(&svm, false);
		igt_describe("munmap while the GPU has it mapped in VRAM");
		igt_subtest("munmap-while-mapped-vram")
			test_munmap(&svm, true);
		igt_describe("MADV_DONTNEED while the GPU has it mapped");
		igt_subtest("madvise-dontneed")
			test_dontneed(&svm);
		igt_describe("fork while the GPU has it mapped");
		igt_subtest("fork-ram")
			test_fork(&svm, false);
		igt_describe("fork while the data is in VRAM");
		igt_subtest("fork-vram")
			test_fork(&svm, true);
		igt_describe("Atomics on RAM");
		igt_subtest("atomic-ram")
			test_atomic_ram(&svm);
		igt_describe("CPU and GPU take turns");
		igt_subtest("ping-pong")
			test_ping_pong(&svm);
		igt_describe("Pointers lead the GPU through malloc'd memory");
		igt_subtest("linked-list")
			test_linked_list(&svm);
		igt_describe("Stack, data and bss");
		igt_subtest("stack-data-bss")
			test_stack_data_bss(&svm);
		igt_describe("Many threads on untouched memory");
		igt_subtest("threads-at-once")
			test_threads_at_once(&svm);

		igt_fixture()
			svm_close(&svm);
	}

	igt_describe("mprotect while the GPU has it mapped");
	igt_subtest("mprotect-while-mapped")
		test_mprotect();
	igt_describe("A write to read-only memory kills the channel");
	igt_subtest("write-read-only")
		test_write_read_only();
	igt_describe("mremap while the GPU has it mapped");
	igt_subtest("mremap-while-mapped")
		test_mremap();
	igt_describe("A read of nothing kills the channel, others live");
	igt_subtest("access-nothing-read")
		test_access_nothing(false);
	igt_describe("A write to nothing kills the channel, others live");
	igt_subtest("access-nothing-write")
		test_access_nothing(true);
	igt_describe("Two processes at once");
	igt_subtest("two-processes")
		test_two_processes();
}
