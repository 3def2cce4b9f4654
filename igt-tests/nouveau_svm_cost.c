// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm cost
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: what work costs
 * Description: bounds on what the hardware has to do, by the ledger of the emulated GPU
 *
 * Set-up of each test: memory aligned to 2 MiB by posix_memalign(), written by
 * the CPU first, page kind verified in /proc/kpageflags, one warp that goes
 * through it in order unless the test says otherwise, counted from idle to idle.
 * What the launch itself costs (its doorbell, its fence) is counted in a launch
 * that faults on nothing, and taken off.  Each prints a line
 * "cost: NAME counter=N ..." before it asserts, for Documentation/costs.rst.
 *
 * One cost belongs to nouveau's core and is told apart from SVM's: a directory of
 * a page table that comes or goes costs an invalidate.  Where invalidates are
 * counted a neighbour of the memory keeps the directories.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("What work costs, by the ledger of the emulated GPU.");

#define BLOCKS 32u
#define LEN (BLOCKS * SZ_2M)
#define PAGES_OF(len) ((uint32_t)((len) / SZ_4K))
#define SZ_512M (512 * SZ_1M)

static const char *const counters[] = {
	"fault_replayable", "replay", "cancel", "inval_all", "inval_pdb", "pte_write_4k", "pte_write_64k",
	"pte_write_2m", "doorbell", "semaphore_release", "ce_launch", "ce_bytes_sys_to_vram",
	"ce_bytes_vram_to_sys", "ce_bytes_set", "mmio_read", "mmio_write", "msi",
};

static uint64_t own[ARRAY_SIZE(counters)];	/* what a launch costs by itself */
static uint64_t cost_of[ARRAY_SIZE(counters)];

static unsigned int index_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		if (!strcmp(counters[i], name))
			return i;
	igt_assert_f(false, "no counter %s\n", name);
	return 0;
}

/* A counter of the last measurement, without the launch's own share. */
static uint64_t cost(const char *name)
{
	return cost_of[index_of(name)];
}

static uint64_t leaves(void)
{
	return cost("pte_write_4k") + cost("pte_write_64k") + cost("pte_write_2m");
}

static uint64_t invalidates(void)
{
	return cost("inval_all") + cost("inval_pdb");
}

static uint64_t semaphores(void)
{
	return cost("semaphore_release");
}

/*
 * Registers that the CPU read and wrote: so many for each of @blocks, and for each interrupt message. That of a fault
 * comes again until its entry has been read, so how many there are depends on how soon. Documentation/costs.rst tells
 * which registers they are.
 */
static void registers_at_most(uint32_t blocks, unsigned int most, unsigned int per_message)
{
	int64_t n = (int64_t)(cost("mmio_read") + cost("mmio_write")), messages = (int64_t)cost("msi");

	igt_assert_f(n <= (int64_t)blocks * most + messages * per_message,
		     "%" PRId64 " registers for %u blocks and %" PRId64 " messages, not %u and %u each\n",
		     n, blocks, messages, most, per_message);
}

/* End a measurement that held @launches launches, print it. */
static void stop(const char *name, uint64_t launches)
{
	char line[1024];
	unsigned int i;
	int n = 0;

	svm_ledger_stop();
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		cost_of[i] = svm_ledger(counters[i]) - launches * own[i];
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %s=%" PRId64, counters[i], (int64_t)cost_of[i]);
	}
	printf("cost: %s%s\n", name, line);
}

static void print_count(const char *name, const char *what, uint64_t n)
{
	printf("cost: %s %s=%" PRIu64 "\n", name, what, n);
}

/* One warp reads the first word of @n pages in order. */
static void walk(struct svm *svm, const void *addr, uint32_t n, uint32_t sum)
{
	const struct nv_args args = { .dst = svm->out.va, .src = (uintptr_t)addr, .count = n };
	volatile uint32_t *out = svm->out.map;

	out[0] = 0xdeadbeef;
	nv_use(&svm->chan, &svm->out);
	igt_assert_eq(nv_run(&svm->chan, &svm->walk_page, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq_u32(out[0], sum);
}

/* The sum that walk() finds after svm_cpu_write_pages(). */
static uint32_t sum_of(uint32_t n, uint32_t first)
{
	uint32_t i, sum = 0;

	for (i = 0; i < n; i++)
		sum += first + i;
	return sum;
}

/*
 * Memory of @len bytes with a block behind it that the GPU has mapped, so that the
 * directories above its leaves exist.  All of it lies in one 512 MiB, or the test
 * would count the directories of two.
 */
static char *alloc_with_neighbour(struct svm *svm, size_t len, enum page_kind kind)
{
	char *spare[8], *p;
	unsigned int n = 0;

	for (;;) {
		uintptr_t a;

		p = svm_alloc(len + SZ_2M, kind);
		a = (uintptr_t)p;
		if (a / SZ_512M == (a + len + SZ_2M - 1) / SZ_512M)
			break;
		igt_assert(n < ARRAY_SIZE(spare));
		spare[n++] = p;
	}
	while (n)
		svm_free(spare[--n], len + SZ_2M);
	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p + len, 1, 1);
	walk(svm, p + len, 1, 1);
	return p;
}

/* What a launch costs that faults on nothing. */
static void measure_launch(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	unsigned int i;

	svm_cpu_write_pages(p, 1, 1);
	walk(svm, p, 1, 1);
	walk(svm, p, 1, 1);
	svm_ledger_start();
	walk(svm, p, 1, 1);
	svm_ledger_stop();
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		own[i] = svm_ledger(counters[i]);
	igt_assert_eq_u64(own[index_of("fault_replayable")], 0);
	igt_assert_eq_u64(own[index_of("ce_launch")], 0);
	igt_assert_eq_u64(own[index_of("pte_write_4k")], 0);
	svm_free(p, SZ_2M);
}

/* Physically contiguous runs of [addr, addr + len), each within a block of 2 MiB. */
static uint32_t runs_of(const void *addr, size_t len)
{
	uint64_t last = 0;
	uint32_t runs = 0;
	size_t i;

	for (i = 0; i < len; i += SZ_4K) {
		uint64_t pfn = svm_page_pfn((const char *)addr + i);

		igt_assert(pfn);
		runs += i % SZ_2M == 0 || pfn != last + 1;
		last = pfn;
	}
	return runs;
}

/* --- tracing: CPU faults that reach the driver --- */

#define TRACEFS "/sys/kernel/tracing/"
#define CPU_FAULT TRACEFS "events/nouveau_svm/nouveau_svm_cpu_fault/"

static bool trace_start(void)
{
	return svm_write_text(TRACEFS "trace", "\n") && svm_write_text(CPU_FAULT "enable", "1") &&
	       svm_write_text(TRACEFS "tracing_on", "1");
}

static uint64_t trace_stop(void)
{
	char line[1024];
	uint64_t n = 0;
	FILE *f;

	igt_assert(svm_write_text(CPU_FAULT "enable", "0"));
	f = fopen(TRACEFS "trace", "re");
	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "nouveau_svm_cpu_fault:") != NULL;
	fclose(f);
	return n;
}

/**
 * SUBTEST: map-64m-thp
 * Description: map in place, 64 MiB of huge pages: 32 valid 2 MiB leaves, no 4 KiB leaf, at most 32 replays
 */
static void test_map_thp(struct svm *svm)
{
	char *p = svm_alloc(LEN, PAGES_THP);
	uint32_t n = PAGES_OF(LEN);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, n, 0x100);
	svm_ledger_start();
	walk(svm, p, n, sum_of(n, 0x100));
	stop("map-64m-thp", 1);
	svm_free(p, LEN);
	igt_assert_eq_u64(cost("pte_write_2m"), BLOCKS);
	igt_assert_eq_u64(cost("pte_write_64k"), 0);
	igt_assert_eq_u64(cost("pte_write_4k"), 0);
	igt_assert_lte_u64(cost("replay"), BLOCKS);
	igt_assert_eq_u64(cost("ce_launch"), 0);
	igt_assert_eq_u64(cost("cancel"), 0);
}

/**
 * SUBTEST: map-64m-4k
 * Description: map in place, 64 MiB of 4 KiB pages: 16384 valid leaves, at most 32 replays
 */
static void test_map_4k(struct svm *svm)
{
	char *p = svm_alloc(LEN, PAGES_4K);
	uint32_t n = PAGES_OF(LEN);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, n, 0x200);
	svm_ledger_start();
	walk(svm, p, n, sum_of(n, 0x200));
	stop("map-64m-4k", 1);
	svm_free(p, LEN);
	igt_assert_eq_u64(cost("pte_write_2m"), 0);
	igt_assert_eq_u64(cost("pte_write_4k") + 16 * cost("pte_write_64k"), n);
	igt_assert_lte_u64(cost("replay"), BLOCKS);
	igt_assert_eq_u64(svm_ledger("replay_other_form"), 0);	/* Pascal has one that is known good */
	igt_assert_eq_u64(cost("ce_launch"), 0);
}

/* One thread a CTA; CTA i sums up count words from src + (i << log2_share) on, stride 4 KiB, to dst[i]. */
static void asm_walk_shares(struct sm6x *p, unsigned int log2_share)
{
	enum { I = 0, DST = 2, SRC = 4, VAL = 6, TMP = 7, CNT = 8, SUM = 9 };
	uint32_t top;

	sm6x_init(p);
	sm6x_s2r(p, I, SM6X_SR_CTAID_X);
	sm6x_mov_c(p, DST, 0, offsetof(struct nv_args, dst));
	sm6x_mov_c(p, DST + 1, 0, offsetof(struct nv_args, dst) + 4);
	sm6x_mov_c(p, SRC, 0, offsetof(struct nv_args, src));
	sm6x_mov_c(p, SRC + 1, 0, offsetof(struct nv_args, src) + 4);
	sm6x_mov_c(p, CNT, 0, offsetof(struct nv_args, count));
	sm6x_shl(p, TMP, I, log2_share);
	sm6x_iadd(p, SRC, SRC, TMP, SM6X_CC);
	sm6x_shr(p, TMP, I, 32 - log2_share);
	sm6x_iadd(p, SRC + 1, SRC + 1, TMP, SM6X_X);
	sm6x_shl(p, TMP, I, 2);
	sm6x_iadd(p, DST, DST, TMP, SM6X_CC);
	sm6x_iadd(p, DST + 1, DST + 1, SM6X_RZ, SM6X_X);
	sm6x_mov32i(p, SUM, 0);
	top = sm6x_size(p);
	sm6x_ld(p, SM6X_B32, VAL, SRC, 0);
	sm6x_iadd(p, SUM, SUM, VAL, SM6X_NC);
	sm6x_mov32i(p, TMP, SZ_4K);
	sm6x_iadd(p, SRC, SRC, TMP, SM6X_CC);
	sm6x_iadd(p, SRC + 1, SRC + 1, SM6X_RZ, SM6X_X);
	sm6x_iadd_i(p, CNT, CNT, -1, SM6X_NC);
	sm6x_isetp(p, 0, SM6X_NE, CNT, SM6X_RZ);
	p->guard = 0;
	sm6x_bra(p, top);
	p->guard = SM6X_PT;
	sm6x_st(p, SM6X_B32, DST, 0, SUM);
	sm6x_exit(p);
}

/**
 * SUBTEST: map-64m-%s-64-warps
 * Description: 64 warps at once map 64 MiB of %arg[1] pages in place: no more replays than batches drained
 *
 * arg[1]:
 *
 * @4k: 4 KiB
 * @thp: 2 MiB
 */
static void test_map_warps(struct svm *svm, enum page_kind kind)
{
	const uint32_t warps = 64, each = PAGES_OF(LEN) / 64;
	char *p = svm_alloc(LEN, kind);
	volatile uint32_t *out = svm->out.map;
	const struct nv_args args = { .dst = svm->out.va, .src = (uintptr_t)p, .count = each };
	const char *name = kind == PAGES_THP ? "map-64m-thp-64-warps" : "map-64m-4k-64-warps";
	uint64_t before = 0, batches = 0;
	struct nv_kernel kernel;
	struct sm6x prog;
	bool counted;
	uint32_t i;

	asm_walk_shares(&prog, 20);
	igt_assert_eq(nv_kernel_load(&svm->chan, &prog, &kernel), 0);
	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, PAGES_OF(LEN), 0x300);
	counted = svm_driver_counter("batches", &before);
	svm_ledger_start();
	nv_use(&svm->chan, &svm->out);
	igt_assert_eq(nv_run(&svm->chan, &kernel, warps, 1, &args, sizeof(args)), 0);
	stop(name, 1);
	for (i = 0; i < warps; i++)
		igt_assert_eq_u32(out[i], sum_of(each, 0x300 + i * each));
	svm_free(p, LEN);
	if (kind == PAGES_THP)
		igt_assert_eq_u64(cost("pte_write_2m"), BLOCKS);
	else
		igt_assert_eq_u64(cost("pte_write_4k") + 16 * cost("pte_write_64k"), PAGES_OF(LEN));
	igt_assert_f(counted, "the driver does not count its batches\n");
	igt_assert(svm_driver_counter("batches", &batches));
	print_count(name, "batches", batches - before);
	igt_assert_lte_u64(cost("replay"), batches - before);
}

/**
 * SUBTEST: migrate-64m-thp
 * Description: migrate on fault, 64 MiB of huge pages: 32 launches of 2 MiB, 32 semaphores, no invalidate
 */
static void test_migrate_thp(struct svm *svm)
{
	char *p = alloc_with_neighbour(svm, LEN, PAGES_THP);
	uint32_t n = PAGES_OF(LEN);

	svm_migrate_on_fault(true);
	svm_cpu_write_pages(p, n, 0x400);
	svm_ledger_start();
	walk(svm, p, n, sum_of(n, 0x400));
	stop("migrate-64m-thp", 1);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_VRAM), n);
	svm_free(p, LEN + SZ_2M);
	igt_assert_eq_u64(cost("ce_launch"), BLOCKS);
	igt_assert_eq_u64(cost("ce_bytes_sys_to_vram"), LEN);
	igt_assert_eq_u64(semaphores(), BLOCKS);
	igt_assert_eq_u64(invalidates(), 0);
	igt_assert_eq_u64(cost("pte_write_2m"), BLOCKS);
	igt_assert_eq_u64(cost("pte_write_4k") + cost("pte_write_64k"), 0);
	igt_assert_lte_u64(cost("replay"), BLOCKS);
	registers_at_most(BLOCKS, 24, 16);
}

/**
 * SUBTEST: migrate-64m-thp-mapped
 * Description: the same, moved by SVM_BIND while the GPU has it mapped: 1 invalidate a block
 */
static void test_migrate_mapped(struct svm *svm)
{
	char *p = alloc_with_neighbour(svm, LEN, PAGES_THP);
	uint32_t n = PAGES_OF(LEN);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, n, 0x500);
	walk(svm, p, n, sum_of(n, 0x500));
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_RAM), n);
	svm_ledger_start();
	svm_bind_vram(svm, p, LEN);
	stop("migrate-64m-thp-mapped", 0);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_VRAM), n);
	walk(svm, p, n, sum_of(n, 0x500));
	svm_free(p, LEN + SZ_2M);
	igt_assert_eq_u64(cost("ce_launch"), BLOCKS);
	igt_assert_eq_u64(cost("ce_bytes_sys_to_vram"), LEN);
	igt_assert_eq_u64(semaphores(), BLOCKS);
	igt_assert_eq_u64(invalidates(), BLOCKS);
}

/**
 * SUBTEST: migrate-2m-scattered
 * Description: 2 MiB of 4 KiB pages in 500 runs or more: a launch each, one doorbell, one semaphore
 */
static void test_migrate_scattered(struct svm *svm)
{
	const uint32_t n = PAGES_OF(SZ_2M);
	uint32_t order[SZ_2M / SZ_4K], i, runs;
	void *v;
	char *p;

	igt_assert_eq(posix_memalign(&v, SZ_2M, SZ_2M), 0);
	p = v;
	igt_assert_eq(madvise(p, SZ_2M, MADV_NOHUGEPAGE), 0);
	igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
	/* Touched in another order than that of the addresses: neighbours have no neighbouring frames. */
	for (i = 0; i < n; i++)
		order[i] = i;
	srand(1);
	for (i = n - 1; i; i--) {
		uint32_t k = (uint32_t)rand() % (i + 1), t = order[i];

		order[i] = order[k];
		order[k] = t;
	}
	for (i = 0; i < n; i++)
		*(volatile uint32_t *)(p + order[i] * SZ_4K) = 0;
	svm_cpu_write_pages(p, n, 0x600);
	for (i = 0; i < n; i++)
		igt_assert_f(!svm_page_is_thp(p + i * SZ_4K), "page %u is a huge page\n", i);
	runs = runs_of(p, SZ_2M);
	igt_assert_lte(500, (int)runs);
	svm_migrate_on_fault(true);
	svm_ledger_start();
	walk(svm, p, 1, 0x600);
	stop("migrate-2m-scattered", 1);
	print_count("migrate-2m-scattered", "runs", runs);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), n);
	svm_gpu_check_pages(svm, p, n, 0x600);
	svm_free(p, SZ_2M);
	igt_assert_eq_u64(cost("ce_launch"), runs);
	igt_assert_eq_u64(cost("doorbell"), 1);
	igt_assert_eq_u64(semaphores(), 1);
	igt_assert_eq_u64(cost("ce_bytes_sys_to_vram"), SZ_2M);
}

/**
 * SUBTEST: back-64m-4k
 * Description: the CPU touches each page of 64 MiB of 4 KiB pages in VRAM: 32 faults, doorbells and semaphores
 */
static void test_back(struct svm *svm)
{
	char *p = svm_alloc(LEN, PAGES_4K);
	uint32_t n = PAGES_OF(LEN), runs;
	uint64_t faults = 0;
	bool traced;

	svm_cpu_write_pages(p, n, 0x700);
	svm_bind_vram(svm, p, LEN);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_VRAM), n);
	traced = trace_start();
	svm_ledger_start();
	svm_cpu_check_pages(p, n, 0x700, true);
	stop("back-64m-4k", 0);
	if (traced) {
		faults = trace_stop();
		print_count("back-64m-4k", "cpu_faults", faults);
	}
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_RAM), n);
	runs = runs_of(p, LEN);
	print_count("back-64m-4k", "runs", runs);
	svm_free(p, LEN);
	igt_assert_eq_u64(cost("ce_bytes_vram_to_sys"), LEN);
	igt_assert_eq_u64(cost("doorbell"), BLOCKS);
	igt_assert_eq_u64(semaphores(), BLOCKS);
	igt_assert_eq_u64(cost("ce_launch"), runs);
	igt_assert_f(traced, "the driver does not trace CPU faults\n");
	igt_assert_eq_u64(faults, BLOCKS);
	registers_at_most(BLOCKS, 32, 0);
}

/**
 * SUBTEST: prefetch-1g-thp
 * Description: SVM_BIND of 1 GiB: 512 launches; again: nothing; after a write to one page: one block
 */
static void test_prefetch(struct svm *svm)
{
	const size_t len = 1024 * SZ_1M;
	char *p = svm_alloc(len, PAGES_THP);
	uint32_t n = PAGES_OF(len);
	uint64_t launches, bytes, again;

	svm_cpu_write_pages(p, n, 0x800);
	svm_ledger_start();
	svm_bind_vram(svm, p, len);
	stop("prefetch-1g-thp", 0);
	registers_at_most(512, 24, 0);
	launches = cost("ce_launch");
	bytes = cost("ce_bytes_sys_to_vram");
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), n);

	svm_ledger_start();
	svm_bind_vram(svm, p, len);
	stop("prefetch-1g-thp-again", 0);
	again = cost("ce_bytes_sys_to_vram") + cost("ce_bytes_vram_to_sys") + cost("ce_bytes_set");

	*(volatile uint32_t *)(p + 100 * SZ_2M + 7 * SZ_4K + 64) = 0x5a5a;
	svm_ledger_start();
	svm_bind_vram(svm, p, len);
	stop("prefetch-1g-thp-dirty", 0);
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), n);
	walk(svm, p, n, sum_of(n, 0x800));
	igt_assert_eq_u32(svm_gpu_read(svm, p + 100 * SZ_2M + 7 * SZ_4K + 64), 0x5a5a);
	svm_free(p, len);
	igt_assert_eq_u64(launches, 512);
	igt_assert_eq_u64(bytes, len);
	igt_assert_eq_u64(again, 0);
	igt_assert_eq_u64(cost("ce_bytes_sys_to_vram"), SZ_2M);
	igt_assert_eq_u64(cost("ce_bytes_vram_to_sys") + cost("ce_bytes_set"), 0);
}

/**
 * SUBTEST: fresh-32-blocks
 * Description: the GPU touches a page in each of 32 blocks that nobody has touched: no more than those blocks
 *
 * SUBTEST: fresh-32-blocks-leaves
 * Description: the same, and each block has one leaf of 2 MiB
 */
static void test_fresh(struct svm *svm, bool leaf_2m)
{
	void *v;
	char *p;
	uint32_t i;

	igt_assert_eq(posix_memalign(&v, SZ_2M, 2 * LEN), 0);
	p = v;
	igt_assert_eq(madvise(p, 2 * LEN, MADV_HUGEPAGE), 0);
	igt_assert_eq(madvise(p, 2 * LEN, MADV_DONTNEED), 0);
	svm_migrate_on_fault(true);
	svm_ledger_start();
	/* Every other block. */
	for (i = 0; i < BLOCKS; i++)
		walk(svm, p + 2 * i * SZ_2M + i * SZ_4K, 1, 0);
	stop(leaf_2m ? "fresh-32-blocks-leaves" : "fresh-32-blocks", BLOCKS);
	for (i = 0; i < BLOCKS; i++)
		igt_assert_eq_u64(svm_count_pages(p + (2 * i + 1) * SZ_2M, SZ_2M, PAGE_NOWHERE), PAGES_OF(SZ_2M));
	svm_free(p, 2 * LEN);
	igt_assert_lte_u64(cost("ce_bytes_set") + cost("ce_bytes_sys_to_vram"), LEN);
	igt_assert_lte_u64(cost("ce_launch"), BLOCKS);
	igt_assert_lte_u64(cost("replay"), BLOCKS);
	if (leaf_2m) {
		igt_assert_lte_u64(cost("pte_write_2m"), BLOCKS);
		igt_assert_eq_u64(cost("pte_write_4k") + cost("pte_write_64k"), 0);
	}
}

/**
 * SUBTEST: init-alone
 * Description: SVM_INIT alone: no leaf, no byte
 */
static void test_init_alone(void)
{
	struct nv_dev dev;
	int fd = drm_open_driver_render(DRIVER_ANY);

	igt_assert_eq(nv_dev_init(&dev, fd), 0);
	svm_ledger_start();
	igt_assert_eq(nv_svm_init(&dev), 0);
	stop("init-alone", 0);
	nv_dev_close(&dev);
	igt_assert_eq_u64(leaves(), 0);
	igt_assert_eq_u64(cost("ce_launch"), 0);
	igt_assert_eq_u64(cost("ce_bytes_sys_to_vram") + cost("ce_bytes_vram_to_sys") + cost("ce_bytes_set"), 0);
}

/**
 * SUBTEST: reread
 * Description: data that is mapped is read again: no fault, no invalidate
 */
static void test_reread(struct svm *svm)
{
	char *p = svm_alloc(LEN, PAGES_THP);
	uint32_t n = PAGES_OF(LEN);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, n, 0x900);
	walk(svm, p, n, sum_of(n, 0x900));
	svm_ledger_start();
	walk(svm, p, n, sum_of(n, 0x900));
	stop("reread", 1);
	svm_free(p, LEN);
	igt_assert_eq_u64(cost("fault_replayable") + cost("replay"), 0);
	igt_assert_eq_u64(invalidates(), 0);
	igt_assert_eq_u64(leaves(), 0);
}

/**
 * SUBTEST: notify-unmapped
 * Description: mprotect and MADV_DONTNEED of a range without a mapping of the GPU: no invalidate, no leaf
 */
static void test_notify_unmapped(struct svm *svm)
{
	char *p = svm_alloc(LEN, PAGES_THP);
	uint32_t n = PAGES_OF(LEN);
	uint64_t writes;

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, n, 0xa00);
	walk(svm, p, n, sum_of(n, 0xa00));
	/* The ranges are there, and the notifier; from here on nothing is mapped. */
	igt_assert_eq(mprotect(p, LEN, PROT_READ), 0);
	igt_assert_eq(mprotect(p, LEN, PROT_READ | PROT_WRITE), 0);
	svm_ledger_start();
	igt_assert_eq(mprotect(p, LEN, PROT_READ), 0);
	igt_assert_eq(mprotect(p, LEN, PROT_READ | PROT_WRITE), 0);
	igt_assert_eq(madvise(p, LEN, MADV_DONTNEED), 0);
	stop("notify-unmapped", 0);
	writes = svm_ledger("bar1_write") + svm_ledger("bar2_write");
	print_count("notify-unmapped", "bar_writes", writes);
	free(p);
	igt_assert_eq_u64(invalidates(), 0);
	igt_assert_eq_u64(leaves(), 0);
	/* Page tables are written through BAR2: invalid leaves are too. */
	igt_assert_eq_u64(writes, 0);
}

/**
 * SUBTEST: %s-64m
 * Description: %arg[1] of 64 MiB that the GPU maps: one invalidate a notifier
 *
 * arg[1]:
 *
 * @munmap: munmap()
 * @mprotect: mprotect()
 */
static void test_unmap(struct svm *svm, bool protect)
{
	char *p = alloc_with_neighbour(svm, LEN, PAGES_THP);
	uint32_t n = PAGES_OF(LEN);

	svm_cpu_write_pages(p, n, 0xb00);
	walk(svm, p, n, sum_of(n, 0xb00));
	svm_ledger_start();
	if (protect)
		igt_assert_eq(mprotect(p, LEN, PROT_READ), 0);
	else
		igt_assert_eq(munmap(p, LEN), 0);
	/* What is put off is counted too. */
	usleep(300000);
	stop(protect ? "mprotect-64m" : "munmap-64m", 0);
	if (protect) {
		walk(svm, p, n, sum_of(n, 0xb00));
		igt_assert_eq(mprotect(p, LEN, PROT_READ | PROT_WRITE), 0);
	} else {
		/* Give the heap its mapping back. */
		igt_assert(mmap(p, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	}
	svm_free(p, LEN + SZ_2M);
	/* A notifier watches 512 MiB (svm_notifier_mib), so there is one. */
	igt_assert_eq_u64(invalidates(), 1);
	igt_assert_eq_u64(leaves(), 0);
}

/**
 * SUBTEST: munmap-64m-two-notifiers
 * Description: munmap() of 64 MiB that lie across the border of what two notifiers watch: one invalidate each
 */
static void test_unmap_two(struct svm *svm)
{
	/* Half of it on each side, and a block that keeps the directories of either side. */
	char *border = (char *)(1ull << 44) + SZ_512M, *p = border - LEN / 2, *all = p - SZ_2M;
	uint32_t n = PAGES_OF(LEN);
	size_t len = LEN + 2 * SZ_2M;

	igt_assert(mmap(all, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
		   all);
	igt_assert_eq(madvise(all, len, MADV_HUGEPAGE), 0);
	svm_migrate_on_fault(false);
	svm_cpu_write_pages(all, PAGES_OF(len), 0xb00);
	igt_assert(svm_page_is_thp(border - SZ_4K) && svm_page_is_thp(border));
	walk(svm, all, PAGES_OF(len), sum_of(PAGES_OF(len), 0xb00));
	svm_ledger_start();
	igt_assert_eq(munmap(p, LEN), 0);
	/* What is put off is counted too. */
	usleep(300000);
	stop("munmap-64m-two-notifiers", 0);
	walk(svm, all, 1, 0xb00);
	walk(svm, p + LEN, 1, 0xb00 + PAGES_OF(SZ_2M) + n);
	munmap(all, SZ_2M);
	munmap(p + LEN, SZ_2M);
	igt_assert_eq_u64(invalidates(), 2);
	igt_assert_eq_u64(leaves(), 0);
}

/**
 * SUBTEST: million-atomics
 * Description: a million atomics on one page in VRAM: at most one fault, no byte
 */
static void test_atomics(struct svm *svm)
{
	const uint32_t million = 1u << 20;
	uint32_t *p = svm_alloc(SZ_2M, PAGES_THP);

	p[5] = 7;
	svm_bind_vram(svm, p, SZ_2M);
	igt_assert_eq(svm_page_place(p), PAGE_IN_VRAM);
	svm_ledger_start();
	svm_gpu_add(svm, &p[5], 3, million);
	stop("million-atomics", 1);
	igt_assert_eq(svm_page_place(p), PAGE_IN_VRAM);
	igt_assert_eq_u32(p[5], 7 + 3 * million);
	igt_assert_eq_u32(p[4] + p[6], 0);
	svm_free(p, SZ_2M);
	igt_assert_lte_u64(cost("fault_replayable"), 1);
	igt_assert_eq_u64(cost("ce_bytes_sys_to_vram") + cost("ce_bytes_vram_to_sys") + cost("ce_bytes_set"), 0);
}

/**
 * SUBTEST: exclusive-512
 * Description: an atomic on each page of a block that is pinned in RAM: a leaf each, besides those of the block;
 *	faults that are served together
 */
static void test_exclusive(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	const uint32_t n = PAGES_OF(SZ_2M);
	const struct nv_args args = { .dst = (uintptr_t)p, .value = 1 };
	int pin = svm_pin(p, SZ_2M);
	uint32_t i;

	svm_migrate_on_fault(true);
	svm_cpu_write_pages(p, n, 0xb00);
	svm_ledger_start();
	igt_assert_eq(nv_run(&svm->chan, &svm->add_page, n / NV_THREADS, NV_THREADS, &args, sizeof(args)), 0);
	stop("exclusive-512", 1);
	for (i = 0; i < n; i++)
		igt_assert_eq_u32(*(volatile uint32_t *)(p + i * SZ_4K), 0xb01 + i);
	close(pin);
	svm_free(p, SZ_2M);
	/* In place, split into small ones, and one by one. */
	igt_assert_lte_u64(leaves(), 3 * n);
	/* What the ring holds is served together: few fault again for no reason of theirs. */
	igt_assert_lte_u64(cost("fault_replayable"), 4 * n);
}

/**
 * SUBTEST: three-times-vram
 * Description: the GPU reads three times its VRAM in order: bytes to VRAM at most 1.1 times what was touched
 */
static void test_three_times(struct svm *svm)
{
	uint64_t vram = svm_vram_size(svm);
	size_t len = 3 * vram;
	uint32_t n = PAGES_OF(len);
	char *p;

	igt_require_f(vram <= SZ_512M, "VRAM of 512 MiB or less, so that memory holds three times that\n");
	p = svm_alloc(len, PAGES_THP);
	svm_migrate_on_fault(true);
	svm_cpu_write_pages(p, n, 0xc00);
	svm_ledger_start();
	walk(svm, p, n, sum_of(n, 0xc00));
	stop("three-times-vram", 1);
	print_count("three-times-vram", "in_vram", svm_count_pages(p, len, PAGE_IN_VRAM));
	print_count("three-times-vram", "touched", len);
	/* Some of it does move, or the bound says nothing. */
	igt_assert_lte_u64(vram / 2, cost("ce_bytes_sys_to_vram"));
	igt_assert_lte_u64(cost("ce_bytes_sys_to_vram"), len + len / 10);
	svm_cpu_check_pages(p, n, 0xc00, true);
	svm_free(p, len);
}

int igt_main()
{
	struct svm svm;

	igt_fixture()
		igt_assert_eq(setvbuf(stdout, NULL, _IOLBF, 0), 0);

	igt_describe("SVM_INIT alone costs nothing");
	igt_subtest("init-alone")
		test_init_alone();

	igt_subtest_group() {
		igt_fixture() {
			svm_open(&svm);
			measure_launch(&svm);
		}
		igt_describe("Mapping huge pages in place");
		igt_subtest("map-64m-thp")
			test_map_thp(&svm);
		igt_describe("Mapping small pages in place");
		igt_subtest("map-64m-4k")
			test_map_4k(&svm);
		igt_describe("64 warps at once map small pages in place");
		igt_subtest("map-64m-4k-64-warps")
			test_map_warps(&svm, PAGES_4K);
		igt_describe("64 warps at once map huge pages in place");
		igt_subtest("map-64m-thp-64-warps")
			test_map_warps(&svm, PAGES_THP);
		igt_describe("Migration on fault of huge pages");
		igt_subtest("migrate-64m-thp")
			test_migrate_thp(&svm);
		igt_describe("Migration of huge pages that the GPU has mapped");
		igt_subtest("migrate-64m-thp-mapped")
			test_migrate_mapped(&svm);
		igt_describe("Migration of scattered pages");
		igt_subtest("migrate-2m-scattered")
			test_migrate_scattered(&svm);
		igt_describe("CPU faults bring whole blocks back");
		igt_subtest("back-64m-4k")
			test_back(&svm);
		igt_describe("Prefetch moves what is not there, once");
		igt_subtest("prefetch-1g-thp")
			test_prefetch(&svm);
		igt_describe("Fresh memory in VRAM, as far as it is touched");
		igt_subtest("fresh-32-blocks")
			test_fresh(&svm, false);
		igt_describe("Fresh memory with MADV_HUGEPAGE takes a 2 MiB leaf a block");
		igt_subtest("fresh-32-blocks-leaves")
			test_fresh(&svm, true);
		igt_describe("Reading again is free");
		igt_subtest("reread")
			test_reread(&svm);
		igt_describe("Notifications about what is not mapped are free");
		igt_subtest("notify-unmapped")
			test_notify_unmapped(&svm);
		igt_describe("munmap costs one invalidate");
		igt_subtest("munmap-64m")
			test_unmap(&svm, false);
		igt_describe("munmap of what two notifiers watch costs two");
		igt_subtest("munmap-64m-two-notifiers")
			test_unmap_two(&svm);
		igt_describe("mprotect costs one invalidate");
		igt_subtest("mprotect-64m")
			test_unmap(&svm, true);
		igt_describe("Atomics on memory that cannot move");
		igt_subtest("exclusive-512")
			test_exclusive(&svm);
		igt_describe("Atomics in VRAM");
		igt_subtest("million-atomics")
			test_atomics(&svm);
		igt_describe("Three times VRAM");
		igt_subtest("three-times-vram")
			test_three_times(&svm);
		igt_fixture()
			svm_close(&svm);
	}
}
