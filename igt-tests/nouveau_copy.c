// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau copy
 * Category: Core
 * Mega feature: General Core features
 * Sub-category: channels and buffers
 * Description: channels, their objects and the copy engine, without SVM
 */
#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("Channels, their objects and the copy engine, without SVM.");

#define LEN (1u << 16)	/* each word of VRAM that the CPU reads is a trap to the emulator */

static void open_dev(struct nv_dev *dev)
{
	int fd = drm_open_driver_render(DRIVER_ANY);

	igt_require_nouveau(fd);
	igt_assert_eq(nv_dev_init(dev, fd), 0);
}

static void fill(struct nv_bo *bo, uint32_t seed)
{
	uint32_t i;

	for (i = 0; i < bo->size / 4; i++)
		((volatile uint32_t *)bo->map)[i] = seed ^ i * 2654435761u;
}

static void check(struct nv_bo *bo, uint32_t seed)
{
	uint32_t i;

	for (i = 0; i < bo->size / 4; i++) {
		uint32_t got = ((volatile uint32_t *)bo->map)[i];

		igt_assert_f(got == (seed ^ i * 2654435761u), "word %u is %#x, expected %#x\n", i, got,
			     seed ^ i * 2654435761u);
	}
}

static void new_bo(struct nv_dev *dev, uint32_t domain, struct nv_bo *bo)
{
	int err = nv_bo_new(dev, LEN, domain, bo);

	igt_assert_f(err == 0, "buffer: %s\n", strerror(-err));
}

static void new_chan(struct nv_dev *dev, enum nv_engine engine, struct nv_chan *chan)
{
	int err = nv_chan_new(dev, engine, chan);

	igt_assert_f(err == 0, "channel: %s\n", strerror(-err));
}

/**
 * SUBTEST: classes
 * Description: a channel takes objects of all classes that user space makes on it
 */
static void test_classes(void)
{
	struct nv_dev dev;
	struct nv_chan chan;

	open_dev(&dev);
	/* Compute and copy come with the channel. */
	new_chan(&dev, NV_ENGINE_GR, &chan);
	igt_assert_eq(nv_object_new(&chan, 0x906e, NV_SW_GF100), 0);
	igt_assert_eq(nv_object_new(&chan, 0xbeef902d, NV_FERMI_TWOD_A), 0);
	igt_assert_eq(nv_object_new(&chan, 0xbeef323f, NV_KEPLER_INLINE_TO_MEMORY_B), 0);
	igt_assert_eq(nv_object_new(&chan, 0xbeef003d, dev.chipset == 0x130 ? NV_PASCAL_A : NV_PASCAL_B), 0);
	igt_assert(nv_object_new(&chan, 0xbeef1234, 0x1234) < 0);
	igt_assert(nv_chan_alive(&chan));
	nv_chan_del(&chan);
	nv_dev_close(&dev);
}

/**
 * SUBTEST: copy-%s
 * Description: a buffer goes %arg[1] by the copy engine and arrives
 *
 * arg[1]:
 *
 * @gart-vram: from system memory to VRAM and back
 * @vram-vram: within VRAM
 * @gart-gart: within system memory
 */
static void test_copy(enum nv_engine engine, uint32_t src_domain, uint32_t dst_domain)
{
	struct nv_dev dev;
	struct nv_chan chan;
	struct nv_bo src, dst, back;

	open_dev(&dev);
	new_chan(&dev, engine, &chan);
	new_bo(&dev, src_domain, &src);
	new_bo(&dev, dst_domain, &dst);
	new_bo(&dev, NOUVEAU_GEM_DOMAIN_GART, &back);
	fill(&src, 0x1111);
	fill(&dst, 0x2222);
	fill(&back, 0x3333);
	svm_ledger_start();
	nv_use(&chan, &src);
	nv_use(&chan, &dst);
	nv_use(&chan, &back);
	nv_copy(&chan, dst.va, src.va, LEN);
	nv_copy(&chan, back.va, dst.va, LEN);
	igt_assert_eq(nv_submit(&chan), 0);
	igt_assert_eq(nv_wait(&chan, 0), 0);
	svm_ledger_stop();
	check(&back, 0x1111);
	check(&dst, 0x1111);
	check(&src, 0x1111);
	igt_assert_eq_u64(svm_ledger("ce_launch"), 2);
	igt_assert_eq_u64(svm_ledger("ce_bytes_sys_to_vram") + svm_ledger("ce_bytes_vram_to_sys") +
				  svm_ledger("ce_bytes_vram_to_vram") + svm_ledger("ce_bytes_sys_to_sys"),
			  2 * LEN);
	igt_assert_eq_u64(svm_ledger("fault_fatal"), 0);
	nv_bo_del(&src);
	nv_bo_del(&dst);
	nv_bo_del(&back);
	nv_chan_del(&chan);
	nv_dev_close(&dev);
}

/**
 * SUBTEST: kernel-fence
 * Description: GEM_CPU_PREP waits for the kernel's fence of a submission
 */
static void test_kernel_fence(enum nv_engine engine)
{
	struct nv_dev dev;
	struct nv_chan chan;
	struct nv_bo src, dst;
	uint32_t i;

	open_dev(&dev);
	new_chan(&dev, engine, &chan);
	new_bo(&dev, NOUVEAU_GEM_DOMAIN_GART, &src);
	new_bo(&dev, NOUVEAU_GEM_DOMAIN_GART, &dst);
	for (i = 0; i < 8; i++) {
		fill(&src, i);
		nv_use(&chan, &src);
		nv_use(&chan, &dst);
		nv_copy(&chan, dst.va, src.va, LEN);
		igt_assert_eq(nv_submit(&chan), 0);
		igt_assert_eq(nv_bo_prep(&dst, true), 0);
		check(&dst, i);
	}
	nv_bo_del(&src);
	nv_bo_del(&dst);
	nv_chan_del(&chan);
	nv_dev_close(&dev);
}

/* Make the copy engine read an address where nothing is. */
static void kill_by_copy(struct nv_chan *chan, struct nv_bo *bo)
{
	int err;

	nv_use(chan, bo);
	nv_copy(chan, bo->va, 0xdead000000ull, 4096);
	/* the fault may be handled before the kernel has put its fence behind the push */
	err = nv_submit(chan);
	igt_assert(err == 0 || err == -ENODEV);
	igt_assert_eq(nv_wait(chan, 0), -ENODEV);
}

/**
 * SUBTEST: copy-fault
 * Description: a copy from nowhere kills its channel; another channel goes on
 */
static void test_copy_fault(void)
{
	struct nv_dev dev;
	struct nv_chan bad, good;
	struct nv_bo src, dst;

	open_dev(&dev);
	new_chan(&dev, NV_ENGINE_GR, &good);
	new_chan(&dev, NV_ENGINE_GR, &bad);
	new_bo(&dev, NOUVEAU_GEM_DOMAIN_VRAM, &src);
	new_bo(&dev, NOUVEAU_GEM_DOMAIN_GART, &dst);
	svm_ledger_start();
	kill_by_copy(&bad, &dst);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("fault_fatal"), 1);
	igt_assert(nv_chan_alive(&good));
	fill(&src, 0x77);
	nv_use(&good, &src);
	nv_use(&good, &dst);
	nv_copy(&good, dst.va, src.va, LEN);
	igt_assert_eq(nv_submit(&good), 0);
	igt_assert_eq(nv_wait(&good, 0), 0);
	check(&dst, 0x77);
	nv_bo_del(&src);
	nv_bo_del(&dst);
	nv_chan_del(&bad);
	nv_chan_del(&good);
	nv_dev_close(&dev);
}

/**
 * SUBTEST: kill-50
 * Description: 50 channels in a row are killed by a GPU fault; after each, a new one computes
 */
static void test_kill_50(void)
{
	struct nv_dev dev;
	struct nv_bo out;
	uint32_t i;

	open_dev(&dev);
	igt_assert_eq(nv_bo_new(&dev, SZ_64K, NOUVEAU_GEM_DOMAIN_GART, &out), 0);
	for (i = 0; i < 50; i++) {
		struct nv_args args = { .dst = out.va, .value = 1000 * i };
		struct nv_kernel write;
		struct nv_chan chan;
		struct sm6x p;
		uint32_t k;

		igt_debug("round %u\n", i);
		new_chan(&dev, NV_ENGINE_GR, &chan);
		nv_asm_write(&p, 2);
		igt_assert_eq(nv_kernel_load(&chan, &p, &write), 0);
		nv_use(&chan, &out);
		igt_assert_eq(nv_run(&chan, &write, 2, NV_THREADS, &args, sizeof(args)), 0);
		for (k = 0; k < 2 * NV_THREADS; k++)
			igt_assert_eq_u32(((volatile uint32_t *)out.map)[k], 1000 * i + k);
		/* By a kernel and by the copy engine in turn. */
		if (i % 2) {
			kill_by_copy(&chan, &out);
		} else {
			args.dst = 0xdead000000ull;
			igt_assert_eq(nv_run(&chan, &write, 1, 1, &args, sizeof(args)), -ENODEV);
		}
		nv_chan_del(&chan);
	}
	nv_bo_del(&out);
	nv_dev_close(&dev);
}

/**
 * SUBTEST: two-channels-share-gr
 * Description: two channels of two files run kernels on GR in turns and at the same time
 */
static void test_two_channels(void)
{
	struct nv_dev dev[2];
	struct nv_chan chan[2];
	struct nv_kernel add[2];
	struct nv_bo out[2];
	struct sm6x p;
	uint32_t c, i;

	for (c = 0; c < 2; c++) {
		open_dev(&dev[c]);
		new_chan(&dev[c], NV_ENGINE_GR, &chan[c]);
		igt_assert_eq(nv_bo_new(&dev[c], SZ_64K, NOUVEAU_GEM_DOMAIN_GART, &out[c]), 0);
		memset(out[c].map, 0, SZ_64K);
		nv_asm_add(&p, 2);
		igt_assert_eq(nv_kernel_load(&chan[c], &p, &add[c]), 0);
	}
	for (i = 0; i < 30; i++) {
		for (c = 0; c < 2; c++) {
			struct nv_args args = { .dst = out[c].va, .value = c + 1 };

			nv_use(&chan[c], &out[c]);
			igt_assert_eq(nv_launch(&chan[c], &add[c], 8, NV_THREADS, &args, sizeof(args)), 0);
			igt_assert_eq(nv_submit(&chan[c]), 0);
		}
	}
	for (c = 0; c < 2; c++) {
		igt_assert_eq(nv_wait(&chan[c], 0), 0);
		for (i = 0; i < 8 * NV_THREADS; i++)
			igt_assert_eq_u32(((volatile uint32_t *)out[c].map)[i], 30 * (c + 1));
	}
	for (c = 0; c < 2; c++) {
		nv_bo_del(&out[c]);
		nv_chan_del(&chan[c]);
		nv_dev_close(&dev[c]);
	}
}

/**
 * SUBTEST: many-channels
 * Description: 16 channels live at once, each computes
 */
static void test_many_channels(void)
{
	enum { NR = 16 };
	struct nv_chan chan[NR];
	struct nv_kernel write;
	struct nv_dev dev;
	struct nv_bo out;
	struct sm6x p;
	uint32_t c, k;

	open_dev(&dev);
	igt_assert_eq(nv_bo_new(&dev, SZ_64K, NOUVEAU_GEM_DOMAIN_GART, &out), 0);
	for (c = 0; c < NR; c++)
		new_chan(&dev, NV_ENGINE_GR, &chan[c]);
	for (c = 0; c < NR; c++) {
		const struct nv_args args = { .dst = out.va, .value = c };

		nv_asm_write(&p, 2);
		igt_assert_eq(nv_kernel_load(&chan[c], &p, &write), 0);
		nv_use(&chan[c], &out);
		igt_assert_eq(nv_run(&chan[c], &write, 1, NV_THREADS, &args, sizeof(args)), 0);
		for (k = 0; k < NV_THREADS; k++)
			igt_assert_eq_u32(((volatile uint32_t *)out.map)[k], c + k);
	}
	for (c = 0; c < NR; c++)
		nv_chan_del(&chan[c]);
	nv_bo_del(&out);
	nv_dev_close(&dev);
}

int igt_main()
{
	igt_describe("Objects of all classes");
	igt_subtest("classes")
		test_classes();
	igt_describe("System memory to VRAM and back");
	igt_subtest("copy-gart-vram")
		test_copy(NV_ENGINE_GR, NOUVEAU_GEM_DOMAIN_GART, NOUVEAU_GEM_DOMAIN_VRAM);
	igt_describe("Within VRAM");
	igt_subtest("copy-vram-vram")
		test_copy(NV_ENGINE_GR, NOUVEAU_GEM_DOMAIN_VRAM, NOUVEAU_GEM_DOMAIN_VRAM);
	igt_describe("Within system memory");
	igt_subtest("copy-gart-gart")
		test_copy(NV_ENGINE_GR, NOUVEAU_GEM_DOMAIN_GART, NOUVEAU_GEM_DOMAIN_GART);
	igt_describe("On a channel of a copy engine alone");
	igt_subtest("copy-ce-channel")
		test_copy(NV_ENGINE_CE, NOUVEAU_GEM_DOMAIN_GART, NOUVEAU_GEM_DOMAIN_VRAM);
	igt_describe("The kernel's fence on a GR channel");
	igt_subtest("kernel-fence-gr")
		test_kernel_fence(NV_ENGINE_GR);
	igt_describe("The kernel's fence on a channel of another runlist");
	igt_subtest("kernel-fence-ce")
		test_kernel_fence(NV_ENGINE_CE);
	igt_describe("A copy from nowhere");
	igt_subtest("copy-fault")
		test_copy_fault();
	igt_describe("50 channel kills in a row");
	igt_subtest("kill-50")
		test_kill_50();
	igt_describe("Two channels share GR");
	igt_subtest("two-channels-share-gr")
		test_two_channels();
	igt_describe("Many channels");
	igt_subtest("many-channels")
		test_many_channels();
}
