// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm fork
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: fork() of a process whose memory a GPU works on
 * Description: parent, child and GPU each see their own, whoever writes first and wherever the data is
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "igt.h"
#include "svm_test.h"

IGT_TEST_DESCRIPTION("Parent, child and GPU each see their own.");

#define NR (SZ_2M / SZ_4K)

/* Two gates between parent and child, each passed once. */
struct gates {
	int to_child[2], to_parent[2];
};

static void gates_open(struct gates *g)
{
	igt_assert_eq(pipe(g->to_child), 0);
	igt_assert_eq(pipe(g->to_parent), 0);
}

static void gates_close(struct gates *g)
{
	close(g->to_child[0]);
	close(g->to_child[1]);
	close(g->to_parent[0]);
	close(g->to_parent[1]);
}

static void pass(const int gate[2])
{
	igt_assert_eq((int)write(gate[1], "x", 1), 1);
}

static void await(const int gate[2])
{
	char c;

	igt_assert_eq((int)read(gate[0], &c, 1), 1);
}

enum writer { CHILD_CPU, PARENT_CPU, PARENT_GPU };

/**
 * SUBTEST: %s-first-%s
 * Description: after fork the first to write is %arg[1]; the data was in %arg[2]
 *
 * arg[1]:
 *
 * @child: the child
 * @parent: the parent's CPU
 * @gpu: the parent's GPU
 *
 * arg[2]:
 *
 * @ram-4k: RAM, 4 KiB pages
 * @ram-thp: RAM, a huge page
 * @vram-4k: VRAM, 4 KiB pages
 * @vram-thp: VRAM, a huge page
 */
static void test_first(struct svm *svm, enum writer writer, bool vram, enum page_kind kind)
{
	char *p = svm_alloc(SZ_2M, kind);
	struct gates g;

	gates_open(&g);
	svm_migrate_on_fault(vram);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_write_pages(svm, p, NR, 0x200);
	igt_assert_eq(svm_page_place(p), vram ? PAGE_IN_VRAM : PAGE_IN_RAM);
	igt_fork(child, 1) {
		if (writer == CHILD_CPU) {
			svm_cpu_write_pages(p, NR, 0x300);
			pass(g.to_parent);
			await(g.to_child);
			svm_cpu_check_pages(p, NR, 0x300, true);
		} else {
			await(g.to_child);
			svm_cpu_check_pages(p, NR, 0x200, false);
			svm_cpu_write_pages(p, NR, 0x300);
			pass(g.to_parent);
			svm_cpu_check_pages(p, NR, 0x300, true);
		}
	}
	if (writer == CHILD_CPU)
		await(g.to_parent);
	else if (writer == PARENT_CPU)
		svm_cpu_write_pages(p, NR, 0x400);
	else
		svm_gpu_write_pages(svm, p, NR, 0x400);
	if (writer != CHILD_CPU) {
		pass(g.to_child);
		await(g.to_parent);
		svm_gpu_check_pages(svm, p, NR, 0x400);
	} else {
		svm_gpu_check_pages(svm, p, NR, 0x200);
		svm_gpu_write_pages(svm, p, NR, 0x400);
		pass(g.to_child);
	}
	igt_waitchildren();
	svm_cpu_check_pages(p, NR, 0x400, false);
	svm_gpu_write_pages(svm, p, NR, 0x500);
	svm_cpu_check_pages(p, NR, 0x500, false);
	gates_close(&g);
	svm_migrate_on_fault(true);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: while-gpu-writes
 * Description: fork again and again while a kernel writes: the child sees each word old or new, the parent all new
 */
static void test_while(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	const struct nv_args args = { .dst = (uintptr_t)p, .value = 0x1000 };
	uint32_t round;

	for (round = 0; round < 10; round++) {
		svm_cpu_write_pages(p, NR, 0x500);
		igt_assert_eq(nv_launch(&svm->chan, &svm->write_page, NR / NV_THREADS, NV_THREADS, &args, sizeof(args)), 0);
		igt_assert_eq(nv_submit(&svm->chan), 0);
		igt_fork(child, 2) {
			uint32_t i, v, w;

			for (i = 0; i < NR; i++) {
				v = *(volatile uint32_t *)(p + i * SZ_4K);
				igt_assert_f(v == 0x500 + i || v == 0x1000 + i, "page %u reads %#x in the child\n", i, v);
				w = *(volatile uint32_t *)(p + i * SZ_4K);
				igt_assert_f(v == w, "page %u changed in the child: %#x to %#x\n", i, v, w);
			}
		}
		igt_assert_eq(nv_wait(&svm->chan, 0), 0);
		igt_waitchildren();
		svm_cpu_check_pages(p, NR, 0x1000, false);
	}
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: while-gpu-has-pages-alone
 * Description: fork again and again while a kernel's atomics make pages of RAM the GPU's alone: the child sees each word
 *	old or new, the parent all new
 *
 * mm gives such a page back first, and says ENOMEM when somebody has it locked at that moment (M10 of
 * Documentation/defects.rst): the driver, for one, which is just making it the GPU's.
 */
static void test_while_exclusive(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	const struct nv_args args = { .dst = (uintptr_t)p, .value = 1 };
	uint32_t round, i, forks = 0, refused = 0;
	struct nv_kernel kernel;
	uint64_t before, after;
	struct sm6x prog;

	nv_asm_add(&prog, 12);
	igt_assert_eq(nv_kernel_load(&svm->chan, &prog, &kernel), 0);
	/* That keeps it in RAM. */
	igt_assert_eq(madvise(p, SZ_2M, MADV_MERGEABLE), 0);
	svm_cpu_write_pages(p, NR, 0x500);
	igt_require(svm_driver_counter("exclusive_pages", &before));
	for (round = 0; round < 10; round++) {
		igt_assert_eq(nv_launch(&svm->chan, &kernel, NR / NV_THREADS, NV_THREADS, &args, sizeof(args)), 0);
		igt_assert_eq(nv_submit(&svm->chan), 0);
		for (i = 0; i < 5; i++) {
			pid_t pid = fork();

			if (!pid) {
				for (i = 0; i < NR; i++)
					if (*(volatile uint32_t *)(p + i * SZ_4K) - (0x500 + i + round) > 1)
						_exit(1);
				_exit(0);
			}
			if (pid > 0) {
				int st;

				igt_assert_eq(waitpid(pid, &st, 0), pid);
				igt_assert_f(!st, "round %u: the child ends with %#x\n", round, st);
				forks++;
			} else {
				igt_assert_eq(errno, ENOMEM);
				refused++;
			}
		}
		igt_assert_eq(nv_wait(&svm->chan, 0), 0);
		svm_cpu_check_pages(p, NR, 0x500 + round + 1, false);
	}
	igt_assert(svm_driver_counter("exclusive_pages", &after));
	igt_info("%u forks, %u refused; pages made the GPU's alone: %" PRIu64 "\n", forks, refused, after - before);
	igt_assert_lte_u64(10 * NR, after - before);
	igt_assert_lt(0, forks);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: grandchild
 * Description: three generations share what is in VRAM, the middle one goes first
 */
static void test_grandchild(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct gates g;

	gates_open(&g);
	svm_cpu_write_pages(p, NR, 0x600);
	svm_gpu_write_pages(svm, p, NR, 0x700);
	igt_fork(child, 1) {
		pid_t pid = fork();

		igt_assert(pid >= 0);
		if (!pid) {
			uint32_t i;
			char c = 'x';

			if (read(g.to_child[0], &c, 1) != 1)
				_exit(2);
			for (i = 0; i < NR && c == 'x'; i++)
				if (*(volatile uint32_t *)(p + i * SZ_4K) != 0x700 + i)
					c = 'n';
			if (write(g.to_parent[1], &c, 1) != 1)
				_exit(2);
			_exit(0);
		}
	}
	igt_waitchildren();
	svm_gpu_write_pages(svm, p, NR, 0x800);
	pass(g.to_child);
	{
		char c = 0;

		igt_assert_eq((int)read(g.to_parent[0], &c, 1), 1);
		igt_assert_f(c == 'x', "the grandchild reads other data\n");
	}
	svm_cpu_check_pages(p, NR, 0x800, false);
	gates_close(&g);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: %s
 * Description: memory that is not copied to the child (%arg[1]) stays the parent's
 *
 * arg[1]:
 *
 * @dont-fork: MADV_DONTFORK
 * @wipe-on-fork: MADV_WIPEONFORK
 */
static void test_advice(struct svm *svm, bool wipe)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_cpu_write_pages(p, NR, 0x900);
	svm_gpu_write_pages(svm, p, NR, 0xa00);
	igt_assert_eq(madvise(p, SZ_2M, wipe ? MADV_WIPEONFORK : MADV_DONTFORK), 0);
	igt_fork(child, 1) {
		uint32_t i;

		if (wipe)
			for (i = 0; i < NR; i++)
				igt_assert_eq_u32(*(volatile uint32_t *)(p + i * SZ_4K), 0);
		else
			igt_assert(mmap(p, SZ_2M, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p);
	}
	svm_gpu_write_pages(svm, p, NR, 0xb00);
	igt_waitchildren();
	svm_cpu_check_pages(p, NR, 0xb00, false);
	igt_assert_eq(madvise(p, SZ_2M, wipe ? MADV_KEEPONFORK : MADV_DOFORK), 0);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: child-with-own-gpu
 * Description: the child opens a file of its own: its GPU works on its copy, the parent's on the parent's
 */
static void test_own_gpu(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct gates g;

	gates_open(&g);
	svm_cpu_write_pages(p, NR, 0xc00);
	svm_gpu_write_pages(svm, p, NR, 0xd00);
	igt_fork(child, 1) {
		struct svm mine;

		svm_open(&mine);
		svm_gpu_check_pages(&mine, p, NR, 0xd00);
		svm_gpu_write_pages(&mine, p, NR, 0xe00);
		pass(g.to_parent);
		await(g.to_child);
		svm_gpu_check_pages(&mine, p, NR, 0xe00);
		svm_cpu_check_pages(p, NR, 0xe00, false);
		svm_close(&mine);
	}
	await(g.to_parent);
	svm_gpu_check_pages(svm, p, NR, 0xd00);
	svm_gpu_write_pages(svm, p, NR, 0xf00);
	pass(g.to_child);
	igt_waitchildren();
	svm_cpu_check_pages(p, NR, 0xf00, false);
	gates_close(&g);
	svm_free(p, SZ_2M);
}

int igt_main()
{
	static const char *const writers[] = { "child", "parent", "gpu" };
	struct svm svm;
	unsigned int i;

	igt_subtest_group() {
		igt_fixture() {
			svm_open(&svm);
			svm_migrate_on_fault(true);
		}
		for (i = 0; i < 12; i++) {
			igt_describe("Who writes first after fork");
			igt_subtest_f("%s-first-%s-%s", writers[i / 4], i & 2 ? "vram" : "ram", i & 1 ? "thp" : "4k")
				test_first(&svm, i / 4, i & 2, i & 1 ? PAGES_THP : PAGES_4K);
		}
		igt_describe("fork while a kernel writes");
		igt_subtest("while-gpu-writes")
			test_while(&svm);
		igt_describe("Fork while a kernel's atomics have pages alone");
		igt_subtest("while-gpu-has-pages-alone")
			test_while_exclusive(&svm);
		igt_describe("Three generations");
		igt_subtest("grandchild")
			test_grandchild(&svm);
		igt_describe("Memory that the child does not get");
		igt_subtest("dont-fork")
			test_advice(&svm, false);
		igt_subtest("wipe-on-fork")
			test_advice(&svm, true);
		igt_describe("A GPU for the child");
		igt_subtest("child-with-own-gpu")
			test_own_gpu(&svm);
		igt_fixture()
			svm_close(&svm);
	}
}
