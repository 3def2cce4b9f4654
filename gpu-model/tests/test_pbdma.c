// SPDX-License-Identifier: MIT
/* PBDMA: GPFIFO entries, every method header form, host methods, and what it refuses. */
#include <stdlib.h>

#include "chan_harness.h"

static struct harness h;
static struct chan c;

static int setup(void **state)
{
	h_new(&h, NULL);
	c_start(&h, &c, 3, 0);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

/* Methods that were carried out, each once: not headers, not what END_PB_SEGMENT drops. */
static void methods_counted(void **state)
{
	for (unsigned int i = 0; i < 10; i++)
		p_1(&c, 0, 0x08, i);
	p(&c, 3u << 29 | 7 << 16 | 0x08 >> 2);
	for (unsigned int i = 0; i < 7; i++)
		p(&c, i);
	p_imm(&c, 0, 0x08, 1);
	p_segment(&c, 0);
	p_sema(&c, 0, 1, SEM_REL4);
	p(&c, 7u << 29);
	p_1(&c, 0, 0x08, 0);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(h_count(&h, LEDGER_method), 10 + 7 + 1 + 4);
	assert_int_equal(h_count(&h, LEDGER_gpfifo_entry), 2);
	assert_int_equal(h_count(&h, LEDGER_doorbell), 1);
	assert_int_equal(h_count(&h, LEDGER_semaphore_release), 1);
}

/* 906f SEMAPHORE release, one word and four words with a timestamp */
static void semaphore_release(void **state)
{
	memset(h.gpu->vram + c.data, 0xff, 32);
	p_sema(&c, 0, 0x1234, SEM_REL4);
	p_sema(&c, 16, 0x5678, 2);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 0x1234);
	assert_int_equal(c_data(&c, 4), 0xffffffff);
	assert_int_equal(c_data(&c, 16), 0x5678);
	assert_true(h_vram64(&h, c.data + 24) <= gpu_now(h.gpu));
	assert_int_equal(h_count(&h, LEDGER_semaphore_release), 2);
	assert_int_equal(h_count(&h, LEDGER_gpfifo_entry), 1);
	assert_int_equal(h_count(&h, LEDGER_doorbell), 1);
	/* GP_GET is written back */
	assert_int_equal(c_rd(&c, c.userd + 0x88), 1);
}

/* inc, non-inc, immediate, inc-once, and the two old forms reach the same methods */
static void header_forms(void **state)
{
	uint64_t va = C_DATA + 64;

	p_inc(&c, 0, 0x10, 2);
	p(&c, va >> 32);
	p(&c, (uint32_t)va);
	/* non-incrementing: the last of three is what stays */
	p(&c, 3u << 29 | 3 << 16 | 0x18 >> 2);
	p(&c, 1);
	p(&c, 2);
	p(&c, 77);
	p(&c, 1u << 29 | 1 << 16 | 0x1c >> 2);
	p(&c, SEM_REL4);
	/* increment once: 14, then 18, 18 */
	p(&c, 5u << 29 | 3 << 16 | 0x14 >> 2);
	p(&c, (uint32_t)va + 4);
	p(&c, 1);
	p(&c, 78);
	p_1(&c, 0, 0x1c, SEM_REL4);
	/* immediate */
	p_imm(&c, 0, 0x18, 0x1fff);
	p_1(&c, 0, 0x14, (uint32_t)va + 8);
	p_1(&c, 0, 0x1c, SEM_REL4);
	/* old incrementing form: count 28:18, method 12:2 */
	p(&c, 2u << 18 | 0x14);
	p(&c, (uint32_t)va + 12);
	p(&c, 80);
	p_1(&c, 0, 0x1c, SEM_REL4);
	/* old non-incrementing form */
	p(&c, 2u << 29 | 2u << 18 | 0x18);
	p(&c, 3);
	p(&c, 81);
	p_1(&c, 0, 0x14, (uint32_t)va + 16);
	p_1(&c, 0, 0x1c, SEM_REL4);
	p(&c, 0);	/* NV906F_DMA_NOP */
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 64), 77);
	assert_int_equal(c_data(&c, 68), 78);
	assert_int_equal(c_data(&c, 72), 0x1fff);
	assert_int_equal(c_data(&c, 76), 80);
	assert_int_equal(c_data(&c, 80), 81);
	assert_int_equal(reg(&c, 0x040108), 0);
}

static void end_of_segment_drops_the_rest(void **state)
{
	p_sema(&c, 0, 1, SEM_REL4);
	p(&c, 7u << 29);
	p_sema(&c, 0, 2, SEM_REL4);
	p_segment(&c, 0);
	p_sema(&c, 4, 3, SEM_REL4);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(c_data(&c, 4), 3);
}

/* SET_SUBDEVICE_MASK without subdevice 0 hides what follows until it comes back */
static void subdevice_mask(void **state)
{
	p(&c, 1u << 16 | 2 << 4);
	p_sema(&c, 0, 1, SEM_REL4);
	p(&c, 1u << 16 | 1 << 4);
	p_sema(&c, 4, 2, SEM_REL4);
	/* STORE, then USE */
	p(&c, 2u << 16 | 2 << 4);
	p(&c, 3u << 16);
	p_sema(&c, 8, 3, SEM_REL4);
	p(&c, 2u << 16 | 1 << 4);
	p(&c, 3u << 16);
	p_sema(&c, 12, 4, SEM_REL4);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 0);
	assert_int_equal(c_data(&c, 4), 2);
	assert_int_equal(c_data(&c, 8), 0);
	assert_int_equal(c_data(&c, 12), 4);
}

/* A method sequence may begin in one segment and end in the next. */
static void sequence_across_segments(void **state)
{
	uint64_t va = C_DATA;

	p_inc(&c, 0, 0x10, 4);
	p(&c, va >> 32);
	p_segment(&c, 0);
	p(&c, (uint32_t)va);
	p(&c, 9);
	p_segment(&c, 1ull << 41);	/* subroutine */
	p(&c, SEM_REL4);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 9);
}

static void gpfifo_wraps(void **state)
{
	for (unsigned int i = 0; i < C_ENTRIES + 40; i++) {
		c.at = c.start = 0;
		p_sema(&c, 0, i, SEM_REL4);
		p_kick(&c);
		assert_int_equal(c_run(&c), STEP_IDLE);
		assert_int_equal(c_data(&c, 0), i);
	}
	assert_int_equal(h_count(&h, LEDGER_gpfifo_entry), C_ENTRIES + 40);
}

static void acquire_waits(void **state)
{
	p_sema(&c, 0, 5, 1 | 1u << 12);
	p_sema(&c, 4, 1, SEM_REL4);
	p_kick(&c);
	assert_int_equal(gpu_run(h.gpu, 100), STEP_POLL);
	assert_int_equal(c_data(&c, 4), 0);
	c_wr(&c, c.data, 5);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 4), 1);
	assert_int_equal(h_count(&h, LEDGER_semaphore_acquire), 1);
}

static void acquire_geq_and(void **state)
{
	c_wr(&c, c.data, 0x80000001);
	c_wr(&c, c.data + 4, 0x10);
	p_sema(&c, 0, 0x80000000, 4);	/* GEQ, circular */
	p_sema(&c, 8, 1, SEM_REL4);
	p_sema(&c, 4, 0x0f, 8);		/* AND: not yet */
	p_sema(&c, 12, 1, SEM_REL4);
	p_kick(&c);
	assert_int_equal(gpu_run(h.gpu, 100), STEP_POLL);
	assert_int_equal(c_data(&c, 8), 1);
	assert_int_equal(c_data(&c, 12), 0);
	c_wr(&c, c.data + 4, 0x18);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 12), 1);
}

static void acquire_time_out(void **state)
{
	/* 1024 * 1 * 2^0 ns */
	c_wr(&c, c.s.inst + 0x30, 0x80000000u | 1 << 15);
	p_sema(&c, 0, 5, 1);
	p_sema(&c, 4, 1, SEM_REL4);
	p_kick(&c);
	for (int i = 0; i < 1000 && !reg(&c, 0x0025a0); i++) {
		gpu_run(h.gpu, 10);
		usleep(10);
	}
	assert_int_equal(reg(&c, 0x0025a0), 1);
	assert_int_equal(reg(&c, 0x002100) & BIT(29), BIT(29));
	assert_int_equal(reg(&c, 0x040108), BIT(26));
	assert_int_equal(reg(&c, 0x040120) & 0xfff, c.id);
	assert_int_equal(reg(&c, 0x0400c0) & 0x3ffc, 0x1c);
	/* software replaces the method by a NOP, as nouveau does */
	regw(&c, 0x0400c0, 0x80600008);
	regw(&c, 0x040108, BIT(26));
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 4), 1);
}

static void reductions(void **state)
{
	c_wr(&c, c.data, 10);
	p_sema(&c, 0, 5, 16 | 5u << 27);	/* add */
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 15);
	p_sema(&c, 0, 0x80000000, 16 | 0u << 27);	/* signed min */
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 0x80000000);
	p_sema(&c, 0, 3, 16 | 1u << 31 | 0u << 27);	/* unsigned min */
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 3);
	p_sema(&c, 0, 3, 16 | 6u << 27);	/* inc wraps at the payload */
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 0);
	p_sema(&c, 0, 3, 16 | 7u << 27);	/* dec wraps to it */
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 3);
}

static void nonstall_and_reference(void **state)
{
	regw(&c, 0x000160, 0xffffffff);
	p_imm(&c, 0, 0x20, 0);
	p_1(&c, 0, 0x50, 0xabcd);
	p_imm(&c, 0, 0x78, 0);
	p_imm(&c, 0, 0x80, 0);
	p_imm(&c, 0, 0x24, 0);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(reg(&c, 0x002100) & BIT(31), BIT(31));
	assert_int_equal(reg(&c, 0x000100) & BIT(8), BIT(8));
	regw(&c, 0x002100, BIT(31));
	assert_int_equal(reg(&c, 0x002100) & BIT(31), 0);
	assert_int_equal(h_count(&h, LEDGER_nonstall_intr), 1);
	assert_int_equal(c_rd(&c, c.userd + 0x48), 0xabcd);
}

/* A software method freezes the PBDMA until software has dealt with it. */
static void software_method(void **state)
{
	p_1(&c, 7, 0, 0x906e);
	p_1(&c, 7, 0x500, 1);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	c_run(&c);
	for (unsigned int k = 0; k < 2; k++) {
		assert_int_equal(reg(&c, 0x040108), BIT(23));
		assert_int_equal(reg(&c, 0x0400c0) >> 16 & 7, 7);
		assert_int_equal(reg(&c, 0x0400c0) & 0x3ffc, k ? 0x500 : 0);
		assert_int_equal(reg(&c, 0x0400c4), k ? 1 : 0x906e);
		assert_int_equal(c_data(&c, 0), 0);
		regw(&c, 0x0400c0, 0x80600008);
		regw(&c, 0x040108, BIT(23));
		c_run(&c);
	}
	assert_int_equal(c_data(&c, 0), 1);
}

static void illegal(uint32_t bit)
{
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(reg(&c, 0x040108), bit);
	assert_int_equal(c_data(&c, 0), 0);
	regw(&c, 0x0400c0, 0x80600008);
	regw(&c, 0x040108, bit);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 1);
	c_wr(&c, c.data, 0);
}

static void refused(void **state)
{
	p_1(&c, 0, 0x04, 0);	/* ILLEGAL */
	illegal(BIT(21));
	p_1(&c, 0, 0x40, 0);	/* no such host method */
	illegal(BIT(21));
	p_1(&c, 0, 0x80, 3);	/* unknown YIELD */
	illegal(BIT(21));
	p_sema(&c, 0, 1, 3);	/* no such operation */
	illegal(BIT(25));
	p(&c, 6u << 29);	/* reserved header */
	illegal(BIT(18));
	p(&c, 2u << 29 | 1 << 16);	/* group 2 with a tertiary op */
	illegal(BIT(18));
	/* control entry with an unknown opcode */
	p_entry(&c, 1ull << 32);
	illegal(BIT(15));
	/* a segment that ends at the end of the address space */
	p_entry(&c, 0xfffffffffcull | 1ull << 42);
	illegal(BIT(15));
}

static void mem_op(uint32_t a, uint32_t b, uint32_t cc, uint32_t d)
{
	p_inc(&c, 0, 0x28, 4);
	p(&c, a);
	p(&c, b);
	p(&c, cc);
	p(&c, d);
}

#define MEM_OP_ONE 0u
#define MEM_OP_ALL 1u
#define MEM_OP_HUB 2u

static void pages_are(uint64_t a, uint64_t b)
{
	struct mmu_xlat x;

	assert_int_equal(mmu_translate(h.gpu, &c.s.sp, TLB_GPC, CLIENT_SM_TEX, 0x40000000, MMU_READ, &x), MMU_OK);
	assert_int_equal(x.addr, a);
	assert_int_equal(mmu_translate(h.gpu, &c.s.sp, TLB_GPC, CLIENT_SM_TEX, 0x40001000, MMU_READ, &x), MMU_OK);
	assert_int_equal(x.addr, b);
}

/* Two pages that the TLB knows at @from, in the tables at @to. */
static void pages_move(uint64_t from, uint64_t to)
{
	for (unsigned int i = 0; i < 2; i++) {
		h_map(&h, &c.s, 0x40000000 + i * 4096, 12, AP_VRAM, from + i * 4096, 0);
	}
	h_invalidate(&h, NULL, 3);
	ledger_reset(h.gpu->ledger);
	pages_are(from, from + 4096);
	for (unsigned int i = 0; i < 2; i++)
		h_map(&h, &c.s, 0x40000000 + i * 4096, 12, AP_VRAM, to + i * 4096, 0);
	pages_are(from, from + 4096);
}

static void privileged_start(void)
{
	c_wr(&c, c.s.inst + 0xf4, BIT(8));	/* NV_RAMFC_CONFIG: AUTH_LEVEL */
}

/* TLB invalidates by MEM_OP_D: of one space, of one page, of another space, of the hub's alone, of all. */
static void host_invalidate(void **state)
{
	uint64_t x = h_alloc(&h, 8192), y = h_alloc(&h, 8192);
	uint32_t lo = (uint32_t)c.s.pdb, hi = c.s.pdb >> 32;

	privileged_start();
	pages_move(x, y);
	mem_op(0, 0, MEM_OP_ONE | lo, 9u << 27 | hi);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	pages_are(y, y + 4096);
	assert_int_equal(h_count(&h, LEDGER_inval_pdb), 1);

	pages_move(x, y);
	mem_op(0x40001000, 0, MEM_OP_ONE | lo, 10u << 27 | hi);
	p_kick(&c);
	c_run(&c);
	pages_are(x, y + 4096);

	pages_move(x, y);
	mem_op(0, 0, MEM_OP_ONE | (lo + 4096), 9u << 27 | hi);
	p_kick(&c);
	c_run(&c);
	pages_are(x, x + 4096);
	mem_op(0, 0, MEM_OP_ALL, 9u << 27);
	p_kick(&c);
	c_run(&c);
	pages_are(y, y + 4096);
	assert_int_equal(h_count(&h, LEDGER_inval_all), 1);

	/* a replay goes with it, but not without the GPCs */
	assert_int_equal(h_count(&h, LEDGER_replay), 0);
	mem_op(0, 0, MEM_OP_ALL | MEM_OP_HUB | 1u << 2, 9u << 27);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(h_count(&h, LEDGER_replay), 0);
	assert_int_equal(h_count(&h, LEDGER_inval_hub), 1);
	mem_op(0, 0, MEM_OP_ALL | 1u << 2, 9u << 27);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(h_count(&h, LEDGER_replay), 1);
	assert_int_equal(h_count(&h, LEDGER_replay_other_form), 1);
	assert_int_equal(reg(&c, 0x040108), 0);
	assert_int_equal(h_findings(&h), 0);
	/* one page of all spaces, a cancel by address: no public text for Pascal */
	mem_op(0x40001000, 0, MEM_OP_ALL, 10u << 27);
	illegal(BIT(21));
	mem_op(0, 0, MEM_OP_ONE | 5u << 2 | lo, 9u << 27 | hi);
	illegal(BIT(21));
}

/* A channel without the privilege, as all of nouveau's are. */
static void host_invalidate_refused(void **state)
{
	uint64_t x = h_alloc(&h, 8192), y = h_alloc(&h, 8192);

	pages_move(x, y);
	mem_op(0, 0, MEM_OP_ALL, 9u << 27);
	illegal(BIT(21));
	pages_are(x, x + 4096);
	assert_int_equal(h_count(&h, LEDGER_inval_all), 0);
}

static void late(struct gpu_config *cfg)
{
	cfg->late_invalidate = true;
}

/* Host goes on when the request has completed, also when that takes a while and the channel is preempted meanwhile. */
static void host_invalidate_waits(void **state)
{
	uint64_t x, y;
	unsigned int steps = 0, waited = 0;

	h_del(&h);
	h_new(&h, late);
	c_start(&h, &c, 3, 0);
	x = h_alloc(&h, 8192);
	y = h_alloc(&h, 8192);
	privileged_start();
	for (unsigned int round = 0; round < 8; round++) {
		pages_move(x, y);
		while (h.gpu->mmu->queued)
			gpu_engine_step(h.gpu);
		mem_op(0, 0, MEM_OP_ALL, 9u << 27);
		p_sema(&c, 0, round + 1, SEM_REL4);
		p_kick(&c);
		for (steps = 0; c_data(&c, 0) != round + 1 && steps < 1000; steps++) {
			assert_int_equal(h_count(&h, LEDGER_semaphore_release), 0);
			if (steps == 3)
				regw(&c, 0x002634, 1u << 24 | c.tsg);
			gpu_engine_step(h.gpu);
			waited += h.gpu->mmu->queued > 0;
		}
		assert_int_equal(h.gpu->mmu->queued, 0);
		assert_int_equal(h_count(&h, LEDGER_inval_all), 1);
	}
	assert_true(waited > 20);
}

static void bad_put(void **state)
{
	p_sema(&c, 0, 1, SEM_REL4);
	p_segment(&c, 0);
	c.put = 4096;
	p_ring(&c);
	c_run(&c);
	assert_int_equal(reg(&c, 0x040108), BIT(14));
	assert_int_equal(c_data(&c, 0), 0);
}

static void expect_injected(void)
{
	gpu_run(h.gpu, 100);
	assert_int_equal(inject_fired(h.gpu, INJECT_chan_error), 1);
	assert_int_equal(reg(&c, 0x040108), BIT(14));
	assert_int_equal(reg(&c, 0x040120), c.id | BIT(13));
	assert_int_equal(reg(&c, 0x0025a0), BIT(0));
	assert_int_equal(reg(&c, 0x002100) & BIT(29), BIT(29));
}

/* An error of a channel that has nothing to do, and of no other; it stands until that is cleared. */
static void injected_idle(void **state)
{
	struct inject_arm arm = { .arg = c.id + 1, .count = 1 };

	inject_arm(h.gpu, INJECT_chan_error, &arm);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(inject_fired(h.gpu, INJECT_chan_error), 0);
	assert_int_equal(reg(&c, 0x040120), 0);
	arm.arg = c.id;
	inject_arm(h.gpu, INJECT_chan_error, &arm);
	expect_injected();
	p_sema(&c, 0, 2, SEM_REL4);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 1);
	regw(&c, 0x040108, BIT(14));
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 2);
	assert_int_equal(inject_fired(h.gpu, INJECT_chan_error), 1);
}

/* The same of one that waits; disabled and preempted as nouveau does then, it does not go on. */
static void injected_waiting(void **state)
{
	struct inject_arm arm = { .arg = c.id, .count = 1 };

	p_sema(&c, 4, 5, 1);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	assert_int_equal(gpu_run(h.gpu, 100), STEP_POLL);
	inject_arm(h.gpu, INJECT_chan_error, &arm);
	expect_injected();
	regw(&c, 0x800004 + c.id * 8, 0x800);
	regw(&c, 0x002634, 1u << 24 | c.tsg);
	gpu_run(h.gpu, 100);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), 0);
	regw(&c, 0x0400c0, 0x80600008);
	regw(&c, 0x040108, BIT(14));
	c_wr(&c, c.data + 4, 5);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 0);
}

static void bad_signature(void **state)
{
	c_wr(&c, c.s.inst + 0x10, 0xbeef);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(reg(&c, 0x040108), BIT(31));
	regw(&c, 0x040108, BIT(31));
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 0);
}

static void expect_host_fault(uint64_t va, uint32_t access)
{
	uint32_t type = reg(&c, 0x00280c + 16 * 6);

	assert_int_equal(reg(&c, 0x00259c), BIT(6));	/* HOST0 */
	assert_int_equal(reg(&c, 0x002100) & BIT(28), BIT(28));
	assert_int_equal(reg(&c, 0x002800 + 16 * 6), c.s.inst >> 12);
	assert_int_equal(reg(&c, 0x002804 + 16 * 6), (uint32_t)va & ~0xfffu);
	assert_int_equal(type >> 8 & 0x7f, 0x06);	/* HOST */
	assert_int_equal(type >> 20 & 1, 1);		/* hub */
	assert_int_equal(type >> 16 & 7, access);
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 1);
	assert_int_equal(h_count(&h, LEDGER_channel_reset), 1);
}

static void push_buffer_fault(void **state)
{
	p_entry(&c, 0x20000000ull | 16ull << 42);
	p_ring(&c);
	c_run(&c);
	expect_host_fault(0x20000000, 0);
	regw(&c, 0x00259c, BIT(6));
	assert_int_equal(reg(&c, 0x002100) & BIT(28), 0);
	/* the channel stays stopped */
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 0);
}

/* The GPFIFO itself is not there. */
static void gpfifo_fault(void **state)
{
	p_sema(&c, 0, 1, SEM_REL4);
	p_segment(&c, 0);
	h_set_pte(&h, &c.s, C_GPFIFO, 12, 0);
	h_invalidate(&h, NULL, 3);
	p_ring(&c);
	c_run(&c);
	expect_host_fault(C_GPFIFO, 0);
	assert_int_equal(c_data(&c, 0), 0);
	assert_int_equal(h_count(&h, LEDGER_fault_replayable), 0);
}

static void semaphore_fault(void **state)
{
	p_sema(&c, 0x10000000, 1, SEM_REL4);
	p_kick(&c);
	c_run(&c);
	expect_host_fault(C_DATA + 0x10000000, 1);
}

static void acquire_fault(void **state)
{
	p_sema(&c, 0x10000000, 1, 1);
	p_kick(&c);
	c_run(&c);
	expect_host_fault(C_DATA + 0x10000000, 0);
}

/* Suspend: the model loses power, software brings VRAM back; no push is played twice. */
static void power_loss(void **state)
{
	uint8_t *vram = malloc(64 * MiB);

	assert_non_null(vram);
	p_1(&c, 0, 0x50, 0x77);
	p_sema(&c, 0, 1, SEM_REL4);
	p_sema(&c, 4, 5, 1 | 1u << 12);		/* still waiting when the power goes */
	p_sema(&c, 8, 2, SEM_REL4);
	p_kick(&c);
	assert_int_equal(gpu_run(h.gpu, 100), STEP_POLL);
	assert_int_equal(c_data(&c, 0), 1);
	/* disable, preempt, empty runlist, unbind: as nouveau's fini does */
	regw(&c, 0x800004 + c.id * 8, 0x800);
	regw(&c, 0x002634, 1u << 24 | c.tsg);
	gpu_run(h.gpu, 100);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), 0);
	c_runlist(&h, 0, NULL, 0);
	regw(&c, 0x800000 + c.id * 8, 0);
	memcpy(vram, h.gpu->vram, 64 * MiB);
	gpu_reset(h.gpu);
	memcpy(h.gpu->vram, vram, 64 * MiB);
	free(vram);
	c_wr(&c, c.data, 0);
	c_host_init(&h);
	c_bind(&c);
	c_runlist(&h, 0, &(struct chan *){ &c }, 1);
	assert_int_equal(gpu_run(h.gpu, 100), STEP_POLL);
	assert_int_equal(c_data(&c, 0), 0);	/* not again */
	assert_int_equal(c_data(&c, 8), 0);
	c_wr(&c, c.data + 4, 5);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 8), 2);
	assert_int_equal(c_rd(&c, c.userd + 0x48), 0x77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(methods_counted), T(semaphore_release), T(header_forms), T(end_of_segment_drops_the_rest), T(subdevice_mask),
		T(sequence_across_segments), T(gpfifo_wraps), T(acquire_waits), T(acquire_geq_and),
		T(acquire_time_out), T(reductions), T(nonstall_and_reference), T(software_method), T(refused), T(host_invalidate), T(host_invalidate_refused), T(host_invalidate_waits),
		T(bad_put), T(injected_idle), T(injected_waiting), T(bad_signature),
		T(push_buffer_fault), T(gpfifo_fault), T(semaphore_fault), T(acquire_fault),
		T(power_loss),
	};

	return cmocka_run_group_tests_name("pbdma", tests, NULL, NULL);
}
