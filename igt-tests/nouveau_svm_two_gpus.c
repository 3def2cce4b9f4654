// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm two gpus
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: two GPUs and one process
 * Description: each GPU is served by itself, and both work on the same memory
 *
 * Wants two GPUs (vm/run --gpus=2): on one, the warp that waits holds the shader
 * cores, so that no other client could fault meanwhile.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "igt.h"
#include "svm_test.h"

IGT_TEST_DESCRIPTION("Each GPU is served by itself, and both work on the same memory.");

#define NR (SZ_2M / SZ_4K)

/**
 * SUBTEST: slow-fault-alone
 * Description: a fault of one GPU waits for its page (userfaultfd): those of the other are served meanwhile
 */
static void test_slow(struct svm *slow_one, struct svm *quick)
{
	char *p = mmap(NULL, 16 * SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *q = svm_alloc(SZ_2M, PAGES_4K);
	const struct nv_args args = { .dst = slow_one->out.va, .src = (uintptr_t)p };
	volatile uint32_t *out = slow_one->out.map;
	struct svm_slow slow;
	uint32_t turn;

	igt_assert(p != MAP_FAILED);
	svm_slow_begin(&slow, p, 16 * SZ_4K);
	out[0] = 0xdeadbeef;
	nv_use(&slow_one->chan, &slow_one->out);
	igt_assert_eq(nv_launch(&slow_one->chan, &slow_one->read_page, 1, 16, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&slow_one->chan), 0);
	igt_assert_f(svm_slow_hit(&slow, 30000), "the fault never asked for its page\n");
	for (turn = 0; turn < 5; turn++) {
		svm_cpu_write_pages(q, NR, 0x1000 * turn);
		svm_gpu_check_pages(quick, q, NR, 0x1000 * turn);
		svm_gpu_write_pages(quick, q, NR, 0x1000 * turn + 1);
		svm_cpu_check_pages(q, NR, 0x1000 * turn + 1, false);
	}
	igt_assert_eq(nv_wait(&slow_one->chan, 100), -ETIMEDOUT);
	svm_slow_end(&slow, 0x7700);
	igt_assert_eq(nv_wait(&slow_one->chan, 0), 0);
	for (turn = 0; turn < 16; turn++)
		igt_assert_eq_u32(out[turn], 0x7700 + turn);
	munmap(p, 16 * SZ_4K);
	svm_free(q, SZ_2M);
}

/**
 * SUBTEST: turns-%s
 * Description: the GPUs take turns on the same memory (%arg[1]); each sees what the other wrote
 *
 * arg[1]:
 *
 * @4k: 4 KiB pages
 * @thp: a huge page
 */
static void test_turns(struct svm *a, struct svm *b, enum page_kind kind)
{
	char *p = svm_alloc(SZ_2M, kind);
	uint32_t i;

	svm_cpu_write_pages(p, NR, 0x100);
	for (i = 0; i < 6; i++) {
		svm_gpu_check_pages(i & 1 ? b : a, p, NR, 0x100 + i);
		svm_gpu_write_pages(i & 1 ? b : a, p, NR, 0x101 + i);
		if (i == 3) {
			svm_bind_vram(a, p, SZ_2M);
			igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
			svm_bind_vram(b, p, SZ_2M);
			igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
		}
	}
	svm_cpu_check_pages(p, NR, 0x106, false);
	svm_free(p, SZ_2M);
}

struct half {
	struct svm *svm;
	char *p;
	uint32_t first;
};

static void *half_main(void *arg)
{
	struct half *h = arg;
	const struct nv_args args = { .dst = (uintptr_t)h->p, .value = h->first };
	uint32_t i;

	for (i = 0; i < 10; i++)
		if (nv_run(&h->svm->chan, &h->svm->write_page, NR / 2 / NV_THREADS, NV_THREADS, &args, sizeof(args)))
			return (void *)1;
	return NULL;
}

/**
 * SUBTEST: halves-at-once
 * Description: each GPU writes its half of a block, at once; no write is lost
 */
static void test_halves(struct svm *a, struct svm *b)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct half h[2] = { { a, p, 0x1000 }, { b, p + SZ_1M, 0x2000 } };
	pthread_t t[2];
	void *err;
	int i, turn;

	for (turn = 0; turn < 4; turn++) {
		svm_cpu_write_pages(p, NR, 0x100);
		for (i = 0; i < 2; i++)
			igt_assert_eq(pthread_create(&t[i], NULL, half_main, &h[i]), 0);
		for (i = 0; i < 2; i++) {
			igt_assert_eq(pthread_join(t[i], &err), 0);
			igt_assert_f(!err, "GPU %d failed\n", i);
		}
		svm_cpu_check_pages(p, NR / 2, 0x1000, false);
		svm_cpu_check_pages(p + SZ_1M, NR / 2, 0x2000, false);
	}
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: one-is-killed
 * Description: a channel of one GPU is killed: the other GPU goes on, the first for others too
 */
static void test_killed(struct svm *a, struct svm *b)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm c;

	svm_open_on(&c, 0);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_check_pages(b, p, NR, 0x100);
	igt_assert_eq(svm_gpu_try(a, &a->read, a->out.va, 0x1000, 1), -ENODEV);
	svm_gpu_write_pages(b, p, NR, 0x200);
	svm_gpu_check_pages(&c, p, NR, 0x200);
	svm_gpu_write_pages(&c, p, NR, 0x300);
	svm_cpu_check_pages(p, NR, 0x300, false);
	svm_close(&c);
	svm_free(p, SZ_2M);
}

int igt_main()
{
	struct svm a, b;

	igt_subtest_group() {
		igt_fixture() {
			svm_open_on(&a, 0);
			svm_open_on(&b, 1);
			svm_migrate_on_fault(true);
		}
		igt_describe("A slow fault holds up its own GPU only");
		igt_subtest("slow-fault-alone")
			test_slow(&a, &b);
		igt_describe("Both GPUs on the same memory");
		igt_subtest("turns-4k")
			test_turns(&a, &b, PAGES_4K);
		igt_subtest("turns-thp")
			test_turns(&a, &b, PAGES_THP);
		igt_subtest("halves-at-once")
			test_halves(&a, &b);
		igt_describe("A channel is killed");
		igt_subtest("one-is-killed")
			test_killed(&a, &b);
		igt_fixture() {
			svm_close(&a);
			svm_close(&b);
		}
	}
}
