// SPDX-License-Identifier: MIT
/* What the TLBs keep, what each invalidate drops, late completion, the sanitizer's findings, PTE counting. */
#include "harness.h"

#include <pthread.h>

static struct harness h;
static struct h_space s, other;

static int setup(void **state)
{
	h_new(&h, NULL);
	h_space_new(&h, &s);
	h_space_new(&h, &other);
	return 0;
}

static void late(struct gpu_config *cfg)
{
	cfg->late_invalidate = true;
}

static int setup_late(void **state)
{
	h_new(&h, late);
	h_space_new(&h, &s);
	h_space_new(&h, &other);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

#define VA 0x123456600000ull
#define A 0x200000ull
#define B 0x400000ull

#define HUB_ONLY 4u
#define ALL_PDB 2u
#define LEVEL(n) ((n) << 24)

/* Physical address that @va translates to, or the fault type negated. */
static int64_t at(const struct h_space *sp, enum tlb_id tlb, uint64_t va, enum mmu_access access)
{
	struct mmu_xlat x;
	enum mmu_fault_type r = mmu_translate(h.gpu, &sp->sp, tlb, CLIENT_SM_TEX, va, access, &x);

	if (r != MMU_OK)
		return -(int64_t)r - 1;
	return (int64_t)x.addr;
}

#define assert_at(sp, tlb, va, want) assert_int_equal(at(sp, tlb, va, MMU_READ), want)
#define FAULTS(type) (-(int64_t)(type) - 1)

/* Two spaces, both TLBs hold A for VA; the tables then say B. */
static void fill_and_change(unsigned int shift)
{
	h_map(&h, &s, VA, shift, AP_VRAM, A, 0);
	h_map(&h, &other, VA, shift, AP_VRAM, A, 0);
	for (enum tlb_id t = TLB_HUB; t <= TLB_GPC; t++) {
		assert_at(&s, t, VA, A);
		assert_at(&other, t, VA, A);
	}
	h_map(&h, &s, VA, shift, AP_VRAM, B, 0);
	h_map(&h, &other, VA, shift, AP_VRAM, B, 0);
}

static void expect(int64_t s_hub, int64_t s_gpc, int64_t o_hub, int64_t o_gpc)
{
	assert_at(&s, TLB_HUB, VA, s_hub);
	assert_at(&s, TLB_GPC, VA, s_gpc);
	assert_at(&other, TLB_HUB, VA, o_hub);
	assert_at(&other, TLB_GPC, VA, o_gpc);
}

static void stale_until_invalidate(void **state)
{
	static const uint8_t shift[] = { 12, 16, 21 };

	for (unsigned int i = 0; i < ARRAY_SIZE(shift); i++) {
		uint64_t off = i * GiB;

		h_map(&h, &s, VA + off, shift[i], AP_VRAM, A, 0);
		assert_at(&s, TLB_GPC, VA + off, A);
		h_set_pte(&h, &s, VA + off, shift[i], 0);
		assert_at(&s, TLB_GPC, VA + off, A);
		h_invalidate(&h, &s, 1);
		assert_int_equal(at(&s, TLB_GPC, VA + off, MMU_READ),
				 FAULTS(shift[i] == 21 ? MMU_FAULT_PDE : MMU_FAULT_PTE));
		/* an invalid entry is never kept: no invalidate needed */
		h_map(&h, &s, VA + off, shift[i], AP_VRAM, B, 0);
		assert_at(&s, TLB_GPC, VA + off, B);
	}
	assert_int_equal(h_findings(&h), 0);
	assert_int_equal(h_count(&h, LEDGER_inval_pdb), 3);
	assert_int_equal(h_count(&h, LEDGER_inval_all), 0);
}

static void scope_one_pdb(void **state)
{
	fill_and_change(12);
	expect(A, A, A, A);
	h_invalidate(&h, &s, 1);
	expect(B, B, A, A);
	h_invalidate(&h, &other, 1);
	expect(B, B, B, B);
	assert_int_equal(h_findings(&h), 0);
}

static void scope_all_pdb(void **state)
{
	fill_and_change(16);
	h_invalidate(&h, NULL, 1 | ALL_PDB);
	expect(B, B, B, B);
	assert_int_equal(h_count(&h, LEDGER_inval_all), 1);
	assert_int_equal(h_count(&h, LEDGER_inval_pdb), 0);
}

static void scope_hub(void **state)
{
	fill_and_change(21);
	h_invalidate(&h, &s, 1 | HUB_ONLY);
	/* the GPC entry is used although its space was invalidated: hub only was the wrong scope */
	expect(B, A, A, A);
	assert_int_equal(san_count(h.gpu, SAN_stale_translation), 1);
	/* told once for each invalidate */
	expect(B, A, A, A);
	assert_int_equal(san_count(h.gpu, SAN_stale_translation), 1);
	h_invalidate(&h, NULL, 1 | HUB_ONLY | ALL_PDB);
	expect(B, A, B, A);
	assert_int_equal(san_count(h.gpu, SAN_stale_translation), 3);
	assert_int_equal(h_count(&h, LEDGER_inval_hub), 2);
	h_invalidate(&h, NULL, 1 | ALL_PDB);
	expect(B, B, B, B);
	assert_int_equal(san_count(h.gpu, SAN_stale_translation), 3);
}

static void hub_scope_without_change(void **state)
{
	h_map(&h, &s, VA, 12, AP_VRAM, A, 0);
	assert_at(&s, TLB_GPC, VA, A);
	h_invalidate(&h, &s, 1 | HUB_ONLY);
	assert_at(&s, TLB_GPC, VA, A);
	assert_int_equal(h_findings(&h), 0);
	/* compared then; changed without an invalidate: stale, but nobody promised otherwise */
	h_map(&h, &s, VA, 12, AP_VRAM, B, 0);
	assert_at(&s, TLB_GPC, VA, A);
	assert_int_equal(h_findings(&h), 0);
}

static void stale_write(void **state)
{
	h_map(&h, &s, VA, 12, AP_VRAM, A, 0);
	assert_int_equal(at(&s, TLB_GPC, VA, MMU_WRITE), A);
	h_map(&h, &s, VA, 12, AP_VRAM, A, PTE_RO);
	assert_int_equal(at(&s, TLB_GPC, VA, MMU_WRITE), A);
	assert_int_equal(h_findings(&h), 0);
	h_invalidate(&h, &s, 1 | HUB_ONLY);
	assert_int_equal(at(&s, TLB_GPC, VA, MMU_WRITE), A);
	assert_int_equal(san_count(h.gpu, SAN_stale_write), 1);
	h_invalidate(&h, &s, 1);
	assert_int_equal(at(&s, TLB_GPC, VA, MMU_WRITE), FAULTS(MMU_FAULT_RO));
	assert_int_equal(h_findings(&h), 1);
}

/* A directory entry that changes is seen again only when its level is invalidated. */
static void cache_levels(void **state)
{
	static const uint8_t shift[] = { 21, 29, 38, 47 };

	h_map(&h, &s, VA, 12, AP_VRAM, A, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(shift); i++) {
		/* a copy of the tables below, with another leaf, hung in at this level */
		struct h_space copy;
		uint64_t entry = h_entry(&h, &s, VA, shift[i]) + (shift[i] == 21 ? 8 : 0);
		uint64_t old = h_vram64(&h, entry);
		uint64_t found = san_count(h.gpu, SAN_stale_translation);

		h_space_new(&h, &copy);
		h_map(&h, &copy, VA, 12, AP_VRAM, B, 0);
		h_invalidate(&h, &s, 1);
		assert_at(&s, TLB_GPC, VA, A);
		h_wr64(&h, entry, h_vram64(&h, h_entry(&h, &copy, VA, shift[i]) + (shift[i] == 21 ? 8 : 0)));
		for (unsigned int level = 1; level <= i + 1; level++) {
			h_invalidate(&h, &s, 1 | LEVEL(level));
			/* walked again, from a directory entry that is stale */
			assert_at(&s, TLB_GPC, VA, A);
		}
		assert_true(san_count(h.gpu, SAN_stale_translation) > found);
		h_invalidate(&h, &s, 1 | LEVEL(i + 2));
		found = san_count(h.gpu, SAN_stale_translation);
		assert_at(&s, TLB_GPC, VA, B);
		assert_int_equal(san_count(h.gpu, SAN_stale_translation), found);
		h_wr64(&h, entry, old);
	}
}

/*
 * nouveau's gp100_vmm_pfn_clear() takes V away and leaves VOL: that is the form of a sparse page
 * (gp100-mmu-format.pdf, VOL), and the TLB may keep it until the PTE is zero and invalidated again.
 */
static void half_cleared_is_sparse(void **state)
{
	struct mmu_xlat x;
	uint64_t pte = h_pte(AP_SYS_COH, H_IOVA, PTE_VOL);

	h_set_pte(&h, &s, VA, 12, pte);
	assert_at(&s, TLB_GPC, VA, H_IOVA);
	h_set_pte(&h, &s, VA, 12, pte & ~PTE_VALID);
	h_invalidate(&h, &s, 1 | LEVEL(1u));
	assert_int_equal(mmu_translate(h.gpu, &s.sp, TLB_GPC, CLIENT_SM_TEX, VA, MMU_WRITE, &x), MMU_OK);
	assert_true(x.sparse);
	assert_int_equal(h.gpu->mmu->half_cleared, 1);
	h_set_pte(&h, &s, VA, 12, 0);
	assert_int_equal(mmu_translate(h.gpu, &s.sp, TLB_GPC, CLIENT_SM_TEX, VA, MMU_WRITE, &x), MMU_OK);
	assert_true(x.sparse);
	h_invalidate(&h, &s, 1 | LEVEL(1u));
	assert_int_equal(at(&s, TLB_GPC, VA, MMU_WRITE), FAULTS(MMU_FAULT_PTE));
}

/* nouveau's way: a flush limited to PTEs while no directory changed finds nothing. */
static void pte_only_is_enough(void **state)
{
	h_map(&h, &s, VA, 12, AP_VRAM, A, 0);
	assert_at(&s, TLB_GPC, VA, A);
	h_map(&h, &s, VA, 12, AP_VRAM, B, 0);
	h_invalidate(&h, &s, 1 | LEVEL(1u));
	assert_at(&s, TLB_GPC, VA, B);
	assert_int_equal(h_findings(&h), 0);
	/* the directories came from the TLB */
	assert_int_equal(h_count(&h, LEDGER_pde_read), 4);
	assert_int_equal(h_count(&h, LEDGER_pte_read), 2);
	assert_int_equal(h_count(&h, LEDGER_tlb_miss), 2);
	assert_int_equal(h_count(&h, LEDGER_tlb_hit), 0);
}

static void one_va(void **state)
{
	h_map(&h, &s, VA, 12, AP_VRAM, A, 0);
	h_map(&h, &s, VA + 4096, 12, AP_VRAM, A, 0);
	assert_at(&s, TLB_GPC, VA, A);
	assert_at(&s, TLB_GPC, VA + 4096, A);
	h_map(&h, &s, VA, 12, AP_VRAM, B, 0);
	h_map(&h, &s, VA + 4096, 12, AP_VRAM, B, 0);
	hw_wr32(h.gpu, 0x100cb4, (uint32_t)(VA >> 12 << 4));
	hw_wr32(h.gpu, 0x100ce8, (uint32_t)(VA >> 40));
	h_invalidate(&h, &s, 0);
	assert_at(&s, TLB_GPC, VA, B);
	assert_at(&s, TLB_GPC, VA + 4096, A);
}

static void refused_forms(void **state)
{
	fill_and_change(12);
	h_invalidate(&h, &s, 1 | BIT(21));	/* PASID */
	h_invalidate(&h, &s, 1 | BIT(22));	/* size */
	h_invalidate(&h, &s, 1 | BIT(29));
	h_invalidate(&h, &s, ALL_PDB);		/* one VA everywhere */
	hw_wr32(h.gpu, 0x100cbc, 1 | ALL_PDB);	/* no trigger */
	expect(A, A, A, A);
	assert_int_equal(h_count(&h, LEDGER_inval_all) + h_count(&h, LEDGER_inval_pdb), 0);
	/* cancel of one address (Volta's): the invalidate is done, the cancel isn't */
	h_invalidate(&h, NULL, 1 | ALL_PDB | 5 << 3);
	expect(B, B, B, B);
	assert_int_equal(h_count(&h, LEDGER_cancel), 0);
}

static void replay_drops_all(void **state)
{
	fill_and_change(12);
	h_invalidate(&h, NULL, 0x0b);
	expect(B, B, B, B);
	assert_int_equal(h_count(&h, LEDGER_replay), 1);
	/* how often it happens depends on time: not among the exact counts */
	assert_int_equal(h_count(&h, LEDGER_inval_all), 0);

	struct inject_arm arm = { .nth = 1, .count = 1 };

	inject_arm(h.gpu, INJECT_replay_lost, &arm);
	h_invalidate(&h, NULL, 0x0b);
	assert_int_equal(h_count(&h, LEDGER_replay), 1);
	h_invalidate(&h, NULL, 0x0b);
	assert_int_equal(h_count(&h, LEDGER_replay), 2);
}

/* Pascal's one form that is known good, and others: in one space, of PTEs alone, acknowledged, lost; not a cancel. */
static void replay_forms(void **state)
{
	struct inject_arm arm = { .nth = 1, .count = 1 };

	h_invalidate(&h, NULL, 0x0b);
	h_invalidate(&h, &s, 1);
	h_invalidate(&h, NULL, 1 | ALL_PDB);
	h_invalidate(&h, NULL, 1 | ALL_PDB | 3 << 3);
	h_invalidate(&h, NULL, 1 | ALL_PDB | 4 << 3);
	h_invalidate(&h, NULL, 1 | ALL_PDB | 5 << 3);
	assert_int_equal(h_count(&h, LEDGER_replay), 1);
	assert_int_equal(h_count(&h, LEDGER_replay_other_form), 0);
	h_invalidate(&h, &s, 0x09);
	assert_int_equal(h_count(&h, LEDGER_replay_other_form), 1);
	h_invalidate(&h, NULL, 0x0b | LEVEL(1u));
	assert_int_equal(h_count(&h, LEDGER_replay_other_form), 2);
	h_invalidate(&h, NULL, 1 | ALL_PDB | 2 << 3);
	assert_int_equal(h_count(&h, LEDGER_replay_other_form), 3);
	h_invalidate(&h, NULL, 0x0b | BIT(6));	/* SYS_MEMBAR */
	assert_int_equal(h_count(&h, LEDGER_replay_other_form), 4);
	assert_int_equal(h_count(&h, LEDGER_replay), 5);
	inject_arm(h.gpu, INJECT_replay_lost, &arm);
	h_invalidate(&h, NULL, 0x0f);	/* HUB_ONLY */
	assert_int_equal(h_count(&h, LEDGER_replay_other_form), 5);
	assert_int_equal(h_count(&h, LEDGER_replay), 5);
}

static void status(void **state)
{
	hw_wr32(h.gpu, 0x100c80, 0xffffffff);
	assert_int_equal(hw_rd32(h.gpu, 0x100c80), 0x00ff9fff);
	assert_int_equal(hw_rd32(h.gpu, 0x100cbc) >> 31, 0);
}

static void late_completion(void **state)
{
	unsigned int steps = 0;

	fill_and_change(12);
	h_invalidate(&h, &s, 1);
	h_invalidate(&h, &other, 1);
	/* the register says "taken", the TLBs don't know yet */
	assert_int_equal(hw_rd32(h.gpu, 0x100c80) & 0x00ff8000, 0x00fd8000);
	assert_int_equal(hw_rd32(h.gpu, 0x100cbc) >> 31, 1);
	expect(A, A, A, A);
	while (at(&s, TLB_GPC, VA, MMU_READ) == A) {
		assert_true(++steps < 1000);
		assert_int_equal(gpu_engine_step(h.gpu), STEP_BUSY);
	}
	assert_true(steps >= 1);
	while (at(&other, TLB_GPC, VA, MMU_READ) == A) {
		assert_true(++steps < 1000);
		gpu_engine_step(h.gpu);
	}
	expect(B, B, B, B);
	assert_int_equal(hw_rd32(h.gpu, 0x100c80) & 0x00ff8000, 0x00ff8000);
	assert_int_equal(hw_rd32(h.gpu, 0x100cbc) >> 31, 0);
	assert_int_equal(h_findings(&h), 0);
}

static unsigned int steps_until_done(uint64_t seed)
{
	unsigned int steps = 0;

	h.gpu->cfg.seed = seed;
	gpu_reset(h.gpu);
	for (unsigned int i = 0; i < 10; i++)
		h_invalidate(&h, NULL, 3);
	while ((hw_rd32(h.gpu, 0x100c80) >> 16 & 0xff) != 0xff) {
		gpu_engine_step(h.gpu);
		steps++;
	}
	return steps;
}

static void late_by_seed(void **state)
{
	unsigned int a = steps_until_done(1), differ = 0;

	assert_int_equal(steps_until_done(1), a);
	for (uint64_t seed = 2; seed < 10; seed++)
		differ += steps_until_done(seed) != a;
	assert_true(differ > 0);
}

static void late_full(void **state)
{
	/* more requests than slots: the oldest completes, none is lost */
	fill_and_change(12);
	h_invalidate(&h, &s, 1);
	for (unsigned int i = 0; i < 254; i++)
		h_invalidate(&h, &other, 1 | HUB_ONLY);
	assert_int_equal(hw_rd32(h.gpu, 0x100c80) & 0x00ff0000, 0);
	assert_at(&s, TLB_HUB, VA, A);
	h_invalidate(&h, &other, 1);
	assert_at(&s, TLB_HUB, VA, B);
	gpu_run(h.gpu, 100000);
	expect(B, B, B, B);
}

static void reset_drops(void **state)
{
	fill_and_change(12);
	gpu_reset(h.gpu);
	assert_int_equal(at(&s, TLB_HUB, VA, MMU_READ), FAULTS(MMU_FAULT_PDE));
	assert_int_equal(at(&s, TLB_GPC, VA, MMU_READ), FAULTS(MMU_FAULT_PDE));
}

static void capacity(void **state)
{
	uint64_t hits;

	/* 4 MiB in pages of 4 KiB has room; 16 MiB has not */
	for (uint64_t off = 0; off < 16 * MiB; off += 4096)
		h_map(&h, &s, VA + off, 12, AP_VRAM, off, 0);
	for (uint64_t off = 0; off < 16 * MiB; off += 4096)
		assert_at(&s, TLB_GPC, VA + off, (int64_t)off);
	hits = h_count(&h, LEDGER_tlb_hit);
	for (uint64_t off = 0; off < 16 * MiB; off += 4096)
		assert_at(&s, TLB_GPC, VA + off, (int64_t)off);
	hits = h_count(&h, LEDGER_tlb_hit) - hits;
	assert_in_range(hits, 1, 2048);
	for (unsigned int n = 0; n < 2; n++) {
		hits = h_count(&h, LEDGER_tlb_hit);
		for (uint64_t off = 0; off < MiB; off += 4096)
			assert_at(&s, TLB_HUB, VA + off, (int64_t)off);
	}
	assert_true(h_count(&h, LEDGER_tlb_hit) - hits >= 250);
}

static void iova_generation(void **state)
{
	uint64_t iova = 0x700000000ull;

	assert_int_equal(dma_map(h.gpu->dma, iova, 4096, h.sys_fd, 0, true, true), 0);
	mmu_dma_changed(h.gpu);
	h_map(&h, &s, VA, 12, AP_SYS_COH, iova, 0);
	assert_at(&s, TLB_HUB, VA, (int64_t)iova);
	/* another range comes and goes: nothing to tell */
	assert_int_equal(dma_map(h.gpu->dma, iova + 4096, 4096, h.sys_fd, 4096, true, true), 0);
	mmu_dma_changed(h.gpu);
	assert_int_equal(dma_unmap(h.gpu->dma, iova + 4096, 4096), 0);
	mmu_dma_changed(h.gpu);
	assert_at(&s, TLB_HUB, VA, (int64_t)iova);
	assert_int_equal(h_findings(&h), 0);
	/* the page is taken and its address given to another */
	assert_int_equal(dma_unmap(h.gpu->dma, iova, 4096), 0);
	mmu_dma_changed(h.gpu);
	assert_int_equal(dma_map(h.gpu->dma, iova, 4096, h.sys_fd, 8192, true, true), 0);
	mmu_dma_changed(h.gpu);
	assert_at(&s, TLB_HUB, VA, (int64_t)iova);
	assert_int_equal(san_count(h.gpu, SAN_iova_stale), 1);
	assert_at(&s, TLB_HUB, VA, (int64_t)iova);
	assert_int_equal(san_count(h.gpu, SAN_iova_stale), 1);
}

static void workers(struct gpu_config *cfg)
{
	cfg->deterministic = false;
}

static int setup_workers(void **state)
{
	h_new(&h, workers);
	h_space_new(&h, &s);
	h_space_new(&h, &other);
	return 0;
}

static uint32_t entered;

static void *enter(void *priv)
{
	gpu_gate_enter(h.gpu);
	__atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
	gpu_gate_leave(h.gpu);
	return NULL;
}

/*
 * A slice of the shader cores is under way: the write returns, the registers say "not yet" and nothing has been
 * dropped.  No slice begins from then on; at the end of the one that runs the requests complete, in order.
 */
static void pending_in_a_slice(void **state)
{
	pthread_t t;

	fill_and_change(12);
	gpu_gate_enter(h.gpu);
	h_invalidate(&h, &s, 1);
	h_invalidate(&h, NULL, 0x0b);
	assert_int_equal(hw_rd32(h.gpu, 0x100c80) & 0x00ff8000, 0x00fd0000);
	assert_int_equal(hw_rd32(h.gpu, 0x100cbc) >> 31, 1);
	assert_int_equal(gpu_engine_step(h.gpu), STEP_POLL);
	expect(A, A, A, A);
	assert_int_equal(h_count(&h, LEDGER_replay), 0);
	entered = 0;
	assert_int_equal(pthread_create(&t, NULL, enter, NULL), 0);
	usleep(20000);
	assert_int_equal(__atomic_load_n(&entered, __ATOMIC_SEQ_CST), 0);
	gpu_gate_leave(h.gpu);
	for (unsigned int i = 0; i < 10 && hw_rd32(h.gpu, 0x100cbc) >> 31; i++)
		gpu_engine_step(h.gpu);
	assert_int_equal(hw_rd32(h.gpu, 0x100c80) & 0x00ff8000, 0x00ff8000);
	assert_int_equal(hw_rd32(h.gpu, 0x100cbc) >> 31, 0);
	expect(B, B, B, B);
	assert_int_equal(h_count(&h, LEDGER_replay), 1);
	assert_int_equal(h_count(&h, LEDGER_inval_pdb), 1);
	pthread_join(t, NULL);
	assert_int_equal(entered, 1);
	/* a power loss while one is pending: nobody waits for it, then or later */
	gpu_gate_enter(h.gpu);
	h_invalidate(&h, &s, 1);
	gpu_gate_leave(h.gpu);
	gpu_reset(h.gpu);
	entered = 0;
	assert_int_equal(pthread_create(&t, NULL, enter, NULL), 0);
	pthread_join(t, NULL);
	assert_int_equal(entered, 1);
	assert_int_equal(hw_rd32(h.gpu, 0x100c80) & 0x8000, 0x8000);
	/* and an end of the model with one pending, which teardown does */
	gpu_gate_enter(h.gpu);
	h_invalidate(&h, &s, 1);
	gpu_gate_leave(h.gpu);
}

/* SM workers translate while the device invalidates: each sees one of the two leaves, whole. */
static bool stop;

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void set_stop(bool on)
{
	__atomic_store_n(&stop, on, __ATOMIC_RELAXED);
}

static void *reader(void *priv)
{
	while (!stopped()) {
		pthread_rwlock_rdlock(&h.gpu->sm_gate);
		for (unsigned int i = 0; i < 100; i++) {
			struct mmu_xlat x;
			uint64_t va = VA + (i % 64) * 4096;

			if (mmu_translate(h.gpu, &s.sp, TLB_GPC, CLIENT_SM_TEX, va, MMU_READ, &x) != MMU_OK ||
			    (x.addr != A + i % 64 * 4096 && x.addr != B + i % 64 * 4096) || x.page_va != va)
				set_stop(true);
		}
		pthread_rwlock_unlock(&h.gpu->sm_gate);
	}
	return NULL;
}

static void concurrent(void **state)
{
	pthread_t t[2];

	for (unsigned int i = 0; i < 64; i++)
		h_map(&h, &s, VA + i * 4096, 12, AP_VRAM, A + i * 4096, 0);
	set_stop(false);
	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, reader, NULL), 0);
	for (unsigned int n = 0; n < 2000 && !stopped(); n++) {
		for (unsigned int i = 0; i < 64; i++) {
			uint64_t pte = h_pte(AP_VRAM, (n & 1 ? A : B) + i * 4096, 0);
			uint64_t *p = (uint64_t *)(h.gpu->vram + h_entry(&h, &s, VA + i * 4096, 12));

			__atomic_store_n(p, pte, __ATOMIC_RELEASE);
		}
		h_invalidate(&h, &s, 1);
	}
	assert_false(stopped());
	set_stop(true);
	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(h_findings(&h), 0);
}

/* ---- leaves that the CPU writes ---- */

static void counts(uint64_t n4k, uint64_t n64k, uint64_t n2m)
{
	assert_int_equal(h_count(&h, LEDGER_pte_write_4k), n4k);
	assert_int_equal(h_count(&h, LEDGER_pte_write_64k), n64k);
	assert_int_equal(h_count(&h, LEDGER_pte_write_2m), n2m);
}

static void count_thp(void **state)
{
	h.cpu_writes = true;
	/* 64 MiB in huge pages: 32 leaves of 2 MiB and nothing else */
	for (unsigned int i = 0; i < 32; i++)
		h_map(&h, &s, VA + i * 2 * MiB, 21, AP_SYS_COH, H_IOVA + i * 2 * MiB, PTE_VOL);
	counts(0, 0, 32);
	/* unmapping writes no valid leaf */
	for (unsigned int i = 0; i < 32; i++)
		h_set_pte(&h, &s, VA + i * 2 * MiB, 21, 0);
	counts(0, 0, 32);
}

static void count_each_size(void **state)
{
	h.cpu_writes = true;
	for (unsigned int i = 0; i < 5; i++)
		h_map(&h, &s, VA + i * 4096, 12, AP_VRAM, A, 0);
	counts(5, 0, 0);
	h_map(&h, &s, VA + 2 * MiB, 16, AP_VRAM, A, 0);
	h_map(&h, &s, VA + 2 * MiB + 65536, 16, AP_VRAM, A, 0);
	counts(5, 2, 0);
	/* written again with the same value: a write is a write */
	h_map(&h, &s, VA, 12, AP_VRAM, A, 0);
	counts(6, 2, 0);
	/* sparse, hidden, invalid: none of them is a valid leaf */
	h_set_pte(&h, &s, VA, 12, PTE_VOL);
	h_set_pte(&h, &s, VA + 2 * MiB, 16, PTE_PRIV);
	h_set_pte(&h, &s, VA, 12, 0);
	counts(6, 2, 0);
	/* the upper half alone */
	memset(h.gpu->vram + h_entry(&h, &s, VA + 4096, 12) + 4, 0, 4);
	mmu_cpu_wrote(h.gpu, h_entry(&h, &s, VA + 4096, 12) + 4, 4);
	counts(6, 2, 0);
	/* byte by byte: one leaf */
	uint64_t e = h_entry(&h, &s, VA + 8192, 12), v = h_pte(AP_VRAM, B, 0);

	for (unsigned int i = 0; i < 8; i++) {
		memcpy(h.gpu->vram + e + i, (uint8_t *)&v + i, 1);
		mmu_cpu_wrote(h.gpu, e + i, 1);
	}
	counts(7, 2, 0);
}

static void count_filled_before_linked(void **state)
{
	uint64_t pt = h_alloc(&h, 4096), pd0;

	h.cpu_writes = true;
	pd0 = h_entry(&h, &s, VA, 21);
	for (unsigned int i = 0; i < 10; i++)
		h_cpu_wr64(&h, pt + i * 8, h_pte(AP_VRAM, A, 0));
	h_cpu_wr64(&h, pt + 9 * 8, 0);
	counts(0, 0, 0);
	h_cpu_wr64(&h, pd0 + 8, pt >> 4 | 2);
	counts(9, 0, 0);
	/* unlinked and linked again: counted already; new ones count at once or at the link */
	h_cpu_wr64(&h, pd0 + 8, 0);
	h_cpu_wr64(&h, pt + 100 * 8, h_pte(AP_VRAM, A, 0));
	counts(9, 0, 0);
	h_cpu_wr64(&h, pd0 + 8, pt >> 4 | 2);
	counts(10, 0, 0);
	h_cpu_wr64(&h, pt + 101 * 8, h_pte(AP_VRAM, A, 0));
	counts(11, 0, 0);
}

/* All tables were written before the first channel of their space is loaded. */
static void count_late_channel(void **state)
{
	struct h_space n = { .inst = h_alloc(&h, 4096), .pdb = h_alloc(&h, 4096) };

	h.cpu_writes = true;
	h_map(&h, &n, VA, 12, AP_VRAM, A, 0);
	h_map(&h, &n, VA + 2 * MiB, 21, AP_VRAM, A, 0);
	h_map(&h, &n, VA + 4 * MiB, 16, AP_VRAM, A, 0);
	h_inst_write(&h, n.inst, n.pdb);
	counts(0, 0, 0);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, n.inst, &n.sp), 0);
	counts(1, 1, 1);
}

static void count_two_channels(void **state)
{
	uint64_t second = h_alloc(&h, 4096);
	struct mmu_space sp;

	h.cpu_writes = true;
	h_inst_write(&h, second, s.pdb);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, second, &sp), 0);
	h_map(&h, &s, VA, 12, AP_VRAM, A, 0);
	counts(1, 0, 0);
	/* one channel goes, the space stays */
	h_cpu_wr64(&h, s.inst + 0x200, 0);
	h_map(&h, &s, VA + 4096, 12, AP_VRAM, A, 0);
	counts(2, 0, 0);
	/* both gone: memory again */
	h_cpu_wr64(&h, second + 0x200, 0);
	h_map(&h, &s, VA + 8192, 12, AP_VRAM, A, 0);
	counts(2, 0, 0);
	/* a new channel in the same space: what is new counts, once */
	h_inst_write(&h, second, s.pdb);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, second, &sp), 0);
	counts(3, 0, 0);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, second, &sp), 0);
	counts(3, 0, 0);
}

static void count_not_bars(void **state)
{
	uint64_t inst = h_alloc(&h, 4096), pdb = h_alloc(&h, 4096);
	struct h_space bar = { .inst = inst, .pdb = pdb };

	h.cpu_writes = true;
	h_inst_write(&h, inst, pdb);
	hw_wr32(h.gpu, 0x001714, 0x80000000 | (uint32_t)(inst >> 12));
	h_map(&h, &bar, VA, 12, AP_VRAM, A, 0);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, inst, &bar.sp), 0);
	h_map(&h, &bar, VA + 4096, 12, AP_VRAM, A, 0);
	counts(0, 0, 0);
}

static void count_reuse(void **state)
{
	/* a page that was a table becomes another kind of table, and plain memory */
	uint64_t pd0, pt = h_alloc(&h, 4096);

	h.cpu_writes = true;
	pd0 = h_entry(&h, &s, VA, 21);
	h_cpu_wr64(&h, pd0 + 8, pt >> 4 | 2);
	h_cpu_wr64(&h, pt, h_pte(AP_VRAM, A, 0));
	counts(1, 0, 0);
	h_cpu_wr64(&h, pd0 + 8, 0);
	h_cpu_wr64(&h, pt, 0);
	h_cpu_wr64(&h, pd0, (pt + 256) >> 4 | 2);
	h_cpu_wr64(&h, pt + 256, h_pte(AP_VRAM, A, 0));
	h_cpu_wr64(&h, pt + 512, h_pte(AP_VRAM, A, 0));	/* beyond the small table */
	counts(1, 1, 0);
	h_cpu_wr64(&h, pd0, h_pte(AP_VRAM, A, 0));
	h_cpu_wr64(&h, pt + 256, h_pte(AP_VRAM, A, 0));
	counts(1, 1, 1);
	h_cpu_wr64(&h, pd0, 0);
	h_cpu_wr64(&h, pd0 + 8, pt >> 4 | 2);
	/* the last two valid values were never counted as 4 KiB leaves: linking counts them */
	counts(3, 1, 1);
}

static void count_hostile(void **state)
{
	uint64_t inst = h_alloc(&h, 4096), loop = h_alloc(&h, 4096);
	struct mmu_space sp;

	/* a root that is its own next level at each level, entries past VRAM, unaligned inst */
	h.cpu_writes = true;
	for (unsigned int i = 0; i < 512; i++)
		h_cpu_wr64(&h, loop + i * 8, loop >> 4 | 2);
	h_inst_write(&h, inst, loop);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, inst, &sp), 0);
	for (unsigned int i = 0; i < 512; i++)
		h_cpu_wr64(&h, loop + i * 8, (h.gpu->vram_size + i * 4096) >> 4 | 2);
	h_cpu_wr64(&h, loop, h_pte(AP_VRAM, A, 0));
	mmu_cpu_wrote(h.gpu, h.gpu->vram_size - 4, 8);
	mmu_cpu_wrote(h.gpu, UINT64_MAX - 3, 8);
	mmu_space_load(h.gpu, AP_VRAM, inst + 8, &sp);
	h_cpu_wr64(&h, inst + 0x200, 0);
	counts(0, 0, 0);
	gpu_reset(h.gpu);
	counts(0, 0, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define L(f) cmocka_unit_test_setup_teardown(f, setup_late, teardown)
	const struct CMUnitTest tests[] = {
		T(stale_until_invalidate), T(scope_one_pdb), T(scope_all_pdb), T(scope_hub),
		T(hub_scope_without_change), T(stale_write), T(cache_levels), T(pte_only_is_enough),
		T(half_cleared_is_sparse), T(one_va), T(refused_forms), T(replay_drops_all), T(replay_forms), T(status),
		L(late_completion), L(late_by_seed), L(late_full), T(reset_drops), T(capacity), T(iova_generation),
		T(concurrent), cmocka_unit_test_setup_teardown(pending_in_a_slice, setup_workers, teardown),
		T(count_thp), T(count_each_size), T(count_filled_before_linked), T(count_late_channel), T(count_two_channels),
		T(count_not_bars), T(count_reuse), T(count_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
