// SPDX-License-Identifier: MIT
/*
 * Graphics engine: classes, inline data, report semaphores, grids and their
 * faults, replay and cancel, context switches, time slices, traps.
 */
#include <stdlib.h>

#include "chan_harness.h"
#include "hw/fault.h"

#define FAULT_VA 0x7f0000000000ull

static struct harness h;
static struct chan c, d;

static int setup(void **state)
{
	struct chan *list[2] = { &c, &d };

	h_new(&h, NULL);
	c_host_init(&h);
	c_new(&h, &c, 3, 0);
	c_new(&h, &d, 4, 0);
	c_runlist(&h, 0, list, 2);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

/* Longer than a time slice (1 ms), so that each channel had its turn. */
static void run_slices(void)
{
	for (int i = 0; i < 20; i++) {
		gpu_run(h.gpu, 20);
		usleep(300);
	}
}

static void classes(void **state)
{
	objects(&c);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(reg(&c, 0x400100), 0);
	assert_int_equal(reg(&c, 0x404200), 0xc197);
	assert_int_equal(reg(&c, 0x404204), 0xc1c0);
	assert_int_equal(reg(&c, 0x409b00), 0x80000000u | (uint32_t)(c.s.inst >> 12));
}

static void illegal_class(void **state)
{
	regw(&c, 0x000160, 0xffffffff);
	p_1(&c, 0, 0, 0xb197);
	p_1(&c, 0, 0x1234, 0);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(reg(&c, 0x400100), 0x20);
	assert_int_equal(reg(&c, 0x000100) & BIT(12), BIT(12));
	assert_int_equal(reg(&c, 0x400704) & 0x3ffc, 0);
	assert_int_equal(reg(&c, 0x400708), 0xb197);
	assert_int_equal(c_data(&c, 0), 0);
	regw(&c, 0x400100, 0x20);
	regw(&c, 0x400500, 0x10001);
	c_run(&c);
	/* the next method has no object either */
	assert_int_equal(reg(&c, 0x400100), 0x20);
	assert_int_equal(reg(&c, 0x400704) & 0x3ffc, 0x1234);
	regw(&c, 0x400100, 0x20);
	regw(&c, 0x400500, 0x10001);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(reg(&c, 0x000100) & BIT(12), 0);
}

/* Inline data of @n bytes to @va through subchannel @subch. */
static void inline_data(struct chan *k, unsigned int subch, uint64_t va, uint32_t pitch, uint32_t n,
			uint32_t lines, uint32_t launch)
{
	p_inc(k, subch, 0x180, 5);
	p(k, n);
	p(k, lines);
	p(k, va >> 32);
	p(k, (uint32_t)va);
	p(k, pitch);
	p_1(k, subch, 0x1b0, launch);
	p(k, 3u << 29 | (n + 3) / 4 * lines << 16 | subch << 13 | 0x1b4 >> 2);
	for (uint32_t i = 0; i < (n + 3) / 4 * lines; i++)
		p(k, 0x01010101u * (i + 1));
}

static void inline_to_memory(void **state)
{
	objects(&c);
	memset(h.gpu->vram + c.data, 0xff, 0x400);
	inline_data(&c, 2, C_DATA + 1, 0, 9, 1, 0x1001);
	inline_data(&c, 1, C_DATA + 0x40, 0x10, 6, 3, 0x41);
	inline_data(&c, 0, C_DATA + 0x100, 0, 4, 1, 0x1);
	/* with a semaphore */
	p_inc(&c, 2, 0x1dc, 3);
	p(&c, C_DATA >> 32);
	p(&c, (uint32_t)C_DATA + 0x200);
	p(&c, 0x99);
	inline_data(&c, 2, C_DATA + 0x210, 0, 4, 1, 1 | 2 << 4 | 1 << 12);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 0x010101ff);
	assert_int_equal(c_data(&c, 4), 0x02020201);
	assert_int_equal(c_data(&c, 8), 0xffff0302);
	assert_int_equal(c_data(&c, 0x40), 0x01010101);
	assert_int_equal(c_data(&c, 0x44), 0xffff0202);
	assert_int_equal(c_data(&c, 0x50), 0x03030303);
	assert_int_equal(c_data(&c, 0x60), 0x05050505);
	assert_int_equal(c_data(&c, 0x64), 0xffff0606);
	assert_int_equal(c_data(&c, 0x100), 0x01010101);
	assert_int_equal(c_data(&c, 0x200), 0x99);
	assert_int_equal(c_data(&c, 0x204), 0xffffffff);
}

static void expect_gr_fault(struct chan *k, uint64_t va, unsigned int client, unsigned int hub,
			    unsigned int access)
{
	uint32_t type = reg(k, 0x00280c);

	assert_int_equal(reg(k, 0x00259c), BIT(0));
	assert_int_equal(reg(k, 0x002800), k->s.inst >> 12);
	assert_int_equal(reg(k, 0x002804), (uint32_t)va & ~0xfffu);
	assert_int_equal(reg(k, 0x002808), va >> 32);
	assert_int_equal(type >> 8 & 0x7f, client);
	assert_int_equal(type >> 20 & 1, hub);
	assert_int_equal(type >> 16 & 7, access);
	assert_int_equal(reg(k, 0x002640) & 0xc0003fff, 0xc0003000u | k->tsg);
	assert_int_equal(h_count(&h, LEDGER_fault_replayable), 0);
}

/* The front end's faults are fatal, though the address space replays faults of the shader cores. */
static void inline_fault(void **state)
{
	objects(&c);
	inline_data(&c, 2, FAULT_VA, 0, 4, 1, 1);
	p_kick(&c);
	c_run(&c);
	expect_gr_fault(&c, FAULT_VA, 0x04, 1, 1);
}

static void report_semaphores(void **state)
{
	objects(&c);
	memset(h.gpu->vram + c.data, 0xff, 0x100);
	report(&c, 0, C_DATA, 0x11, 0x1000f010);	/* Mesa's fence */
	report(&c, 1, C_DATA + 0x10, 0x22, 0);		/* four words */
	report(&c, 0, C_DATA + 0x20, 5, BIT(3) | 0x10000000);	/* add */
	report(&c, 0, C_DATA + 0x30, 7, BIT(20) | 0x10000000);	/* awaken */
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 0x11);
	assert_int_equal(c_data(&c, 4), 0xffffffff);
	assert_int_equal(c_data(&c, 0x10), 0x22);
	assert_int_equal(c_data(&c, 0x14), 0);
	assert_true(h_vram64(&h, c.data + 0x18) <= gpu_now(h.gpu));
	assert_int_equal(c_data(&c, 0x20), 4);
	assert_int_equal(c_data(&c, 0x30), 7);
	assert_int_equal(reg(&c, 0x002100) & BIT(31), BIT(31));
}

static void report_acquire_and_fault(void **state)
{
	objects(&c);
	report(&c, 0, C_DATA, 3, 1);
	report(&c, 0, C_DATA + 4, 1, 0x10000000);
	report(&c, 0, 0x20000000, 1, 0x10000000);
	p_kick(&c);
	gpu_run(h.gpu, 50);
	assert_int_equal(c_data(&c, 4), 0);
	c_wr(&c, c.data, 3);
	c_run(&c);
	assert_int_equal(c_data(&c, 4), 1);
	expect_gr_fault(&c, 0x20000000, 0x04, 1, 1);
}

static void constant_buffer(void **state)
{
	objects(&c);
	p_inc(&c, 0, 0x2380, 3);
	p(&c, 0x100);
	p(&c, C_DATA >> 32);
	p(&c, (uint32_t)C_DATA);
	p(&c, 5u << 29 | 4 << 16 | 0x238c >> 2);
	p(&c, 0x20);
	p(&c, 1);
	p(&c, 2);
	p(&c, 3);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0x20), 1);
	assert_int_equal(c_data(&c, 0x24), 2);
	assert_int_equal(c_data(&c, 0x28), 3);
}

static void compute(void **state)
{
	struct code k;

	objects(&c);
	store_kernel(&k, C_DATA + 0x40, 0xcafe);
	grid(&c, &k);
	p_1(&c, 1, 0x110, 0);
	report(&c, 0, C_DATA, 1, 0x1000f010);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0x40), 0xcafe);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(h_count(&h, LEDGER_grid), 1);
	assert_int_equal(h_count(&h, LEDGER_cta), 1);
	assert_int_equal(h_count(&h, LEDGER_fault_replayable), 0);
}

static void qmd_refused(void **state)
{
	struct code k;

	objects(&c);
	store_kernel(&k, C_DATA + 0x40, 0xcafe);
	grid(&c, &k);
	c_wr(&c, c.data + C_QMD + 18 * 4, 0);	/* no threads */
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(reg(&c, 0x400100), 0x200000);
	assert_int_equal(reg(&c, 0x400108), 0x100);
	assert_int_equal(reg(&c, 0x407020) & 0x3fffffff, 0x800000);
	regw(&c, 0x400108, 0x100);
	regw(&c, 0x400100, 0x200000);
	regw(&c, 0x400500, 0x10001);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 1);
}

static void qmd_fault(void **state)
{
	objects(&c);
	p_1(&c, 1, 0x2b4, 0x20000000 >> 8);
	p_1(&c, 1, 0x2bc, 3);
	p_kick(&c);
	c_run(&c);
	expect_gr_fault(&c, 0x20000000, 0x1e, 1, 0);
}

/* The replayable buffer, as nouveau arms it: BAR2 is not enabled, so the address is VRAM's. */
static uint64_t arm_fault_buffer(void)
{
	uint64_t at = h_alloc(&h, 0x2000);

	hw_wr32(h.gpu, 0x002a74, (uint32_t)(at >> 32));
	hw_wr32(h.gpu, 0x002a78, 256);
	hw_wr32(h.gpu, 0x002a70, (uint32_t)at);
	hw_wr32(h.gpu, 0x002a70, (uint32_t)at | 1);
	return at;
}

static void replay(void)
{
	h_invalidate(&h, NULL, 0xb);
}

static void parked_kernel(struct chan *k)
{
	struct code code;

	objects(k);
	store_kernel(&code, FAULT_VA + 0x10, 0xbeef);
	grid(k, &code);
	p_sema(k, 0, 1, SEM_REL4);
	p_kick(k);
}

static void replayable_fault(void **state)
{
	uint64_t buf = arm_fault_buffer(), page = h_alloc(&h, 4096);

	parked_kernel(&c);
	gpu_run(h.gpu, 500);
	assert_int_equal(hw_rd32(h.gpu, 0x002a80), 1);
	assert_int_equal(c_rd(&c, buf), (uint32_t)c.s.inst);
	assert_int_equal(c_rd(&c, buf + 8), (uint32_t)FAULT_VA);
	assert_int_equal(c_rd(&c, buf + 0xc), FAULT_VA >> 32);
	assert_int_equal(c_rd(&c, buf + 0x18), 0);
	assert_int_equal(c_rd(&c, buf + 0x1c) >> 31, 1);
	assert_int_equal(c_rd(&c, buf + 0x1c) >> 16 & 0xf, 1);	/* write */
	assert_int_equal(c_rd(&c, buf + 0x1c) >> 20 & 1, 0);	/* GPC */
	assert_int_equal(c_rd(&c, buf + 0x1c) >> 8 & 0x7f, 1);	/* T1_0 */
	assert_int_equal(c_data(&c, 0), 0);
	/* a replay without a mapping raises it again */
	hw_wr32(h.gpu, 0x002a7c, 1);
	replay();
	gpu_run(h.gpu, 500);
	assert_int_equal(hw_rd32(h.gpu, 0x002a80), 2);
	h_map(&h, &c.s, FAULT_VA, 12, AP_VRAM, page, 0);
	hw_wr32(h.gpu, 0x002a7c, 2);
	replay();
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(c_rd(&c, page + 0x10), 0xbeef);
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 0);
	assert_int_equal(h_findings(&h), 0);
}

static void fatal_without_replay(void **state)
{
	c_wr(&c, c.s.inst + 0x200, c_rd(&c, c.s.inst + 0x200) & ~0x30u);
	parked_kernel(&c);
	gpu_run(h.gpu, 500);
	expect_gr_fault(&c, FAULT_VA, 0x01, 0, 1);
	assert_int_equal(c_data(&c, 0), 0);
}

static void cancelled(void **state)
{
	arm_fault_buffer();
	parked_kernel(&c);
	gpu_run(h.gpu, 500);
	assert_int_equal(hw_rd32(h.gpu, 0x002a80), 1);
	assert_int_equal(hw_rd32(h.gpu, 0x409b00), 0x80000000u | (uint32_t)(c.s.inst >> 12));
	assert_false(gr_cancel(h.gpu, false, 0, 0x0d));
	assert_true(gr_cancel(h.gpu, false, 0, 0x01));
	gpu_run(h.gpu, 500);
	assert_int_equal(reg(&c, 0x00259c), 1);
	assert_int_equal(reg(&c, 0x002804), (uint32_t)FAULT_VA);
	assert_int_equal(c_data(&c, 0), 0);
	/* the engine is back after its reset, for the other channel */
	regw(&c, 0x002630, 1);
	regw(&c, 0x800004 + c.id * 8, 0x800);
	fifo_engine_reset(h.gpu, gr_engine(h.gpu));
	c_runlist(&h, 0, &(struct chan *){ &d }, 1);
	regw(&c, 0x00262c, 1);
	regw(&c, 0x002630, 0);
	{
		struct code k;

		objects(&d);
		store_kernel(&k, C_DATA + 0x40, 0xcafe);
		grid(&d, &k);
		p_sema(&d, 0, 1, SEM_REL4);
		p_kick(&d);
		assert_int_equal(c_run(&d), STEP_IDLE);
		assert_int_equal(c_data(&d, 0x40), 0xcafe);
	}
}

/* A cancel tries once more: what has been mapped meanwhile goes on. */
static void cancelled_too_late(void **state)
{
	uint64_t page = h_alloc(&h, 4096);

	arm_fault_buffer();
	parked_kernel(&c);
	gpu_run(h.gpu, 500);
	assert_int_equal(hw_rd32(h.gpu, 0x002a80), 1);
	h_map(&h, &c.s, FAULT_VA, 12, AP_VRAM, page, 0);
	h_invalidate(&h, NULL, 3u | 3u << 3 | 0x01u << 9);	/* gp100_vmm_fault_cancel() of T1_0 */
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(c_rd(&c, page + 0x10), 0xbeef);
	assert_int_equal(h_count(&h, LEDGER_cancel), 0);
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 0);
	assert_int_equal(hw_rd32(h.gpu, 0x002a80), 1);
}

/* CANCEL_GLOBAL: whichever client waits. */
static void cancelled_globally(void **state)
{
	arm_fault_buffer();
	parked_kernel(&c);
	gpu_run(h.gpu, 500);
	h_invalidate(&h, NULL, 3u | 4u << 3);
	gpu_run(h.gpu, 500);
	assert_int_equal(h_count(&h, LEDGER_cancel), 1);
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 1);
	assert_int_equal(reg(&c, 0x002804), (uint32_t)FAULT_VA);
	assert_int_equal(c_data(&c, 0), 0);
	/* nobody waits: nothing is cancelled */
	h_invalidate(&h, NULL, 3u | 4u << 3);
	assert_int_equal(h_count(&h, LEDGER_cancel), 1);
}

/* A preempt of a channel parked on a fault stays pending until the replay. */
static void preempt_parked(void **state)
{
	uint64_t page = h_alloc(&h, 4096);

	arm_fault_buffer();
	parked_kernel(&c);
	gpu_run(h.gpu, 500);
	assert_int_equal(reg(&c, 0x002640) & 0x1000e000, 0x2000);
	regw(&c, 0x002634, 1u << 24 | c.tsg);
	gpu_run(h.gpu, 500);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), BIT(20));
	/* busy, CTXSW_SAVE, the group's id */
	assert_int_equal(reg(&c, 0x002640) & 0x8000ffff, 0x8000d000u | c.tsg);
	h_map(&h, &c.s, FAULT_VA, 12, AP_VRAM, page, 0);
	replay();
	gpu_run(h.gpu, 500);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), 0);
	assert_int_equal(c_rd(&c, page + 0x10), 0xbeef);
}

/* While one channel is parked the other waits for the engine; host work and copies go on. */
static void switch_waits_for_replay(void **state)
{
	uint64_t page = h_alloc(&h, 4096);
	struct chan ce, *list[1] = { &ce };

	arm_fault_buffer();
	parked_kernel(&c);
	gpu_run(h.gpu, 500);
	objects(&d);
	p_sema(&d, 0, 1, SEM_REL4);
	p_kick(&d);
	run_slices();
	assert_int_equal(c_data(&d, 0), 0);
	/* CTXSW_SWITCH, to d's group */
	assert_int_equal(reg(&c, 0x002640) & 0xe000, 0xe000);
	assert_int_equal(reg(&c, 0x002640) >> 16 & 0x1fff, 0x1000 | d.tsg);
	assert_int_equal(reg(&c, 0x409b00), 0x80000000u | (uint32_t)(c.s.inst >> 12));
	/* the copy engine of another runlist goes on */
	c_new(&h, &ce, 9, 1);
	c_runlist(&h, 1, list, 1);
	p_1(&ce, 4, 0, 0xc1b5);
	p_inc(&ce, 4, 0x240, 3);
	p(&ce, C_DATA >> 32);
	p(&ce, (uint32_t)C_DATA);
	p(&ce, 6);
	p_1(&ce, 4, 0x300, 1u << 3);
	p_kick(&ce);
	gpu_run(h.gpu, 500);
	assert_int_equal(c_data(&ce, 0), 6);
	h_map(&h, &c.s, FAULT_VA, 12, AP_VRAM, page, 0);
	replay();
	run_slices();
	assert_int_equal(c_data(&d, 0), 1);
	assert_int_equal(c_data(&c, 0), 1);
	assert_true(h_count(&h, LEDGER_ctx_switch) >= 2);
}

/* Each channel finds its own state again, also over a loss of power. */
static void context_switch(void **state)
{
	uint8_t *vram = malloc(64 * MiB);

	assert_non_null(vram);
	objects(&c);
	p_inc(&c, 0, 0x2384, 2);
	p(&c, C_DATA >> 32);
	p(&c, (uint32_t)C_DATA);
	p_kick(&c);
	c_run(&c);
	objects(&d);
	p_inc(&d, 0, 0x2384, 2);
	p(&d, C_DATA >> 32);
	p(&d, (uint32_t)C_DATA + 0x100);
	p_kick(&d);
	c_run(&d);
	regw(&c, 0x002634, 1u << 24 | d.tsg);
	gpu_run(h.gpu, 100);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), 0);
	assert_int_equal(reg(&c, 0x409b00), 0);
	memcpy(vram, h.gpu->vram, 64 * MiB);
	gpu_reset(h.gpu);
	memcpy(h.gpu->vram, vram, 64 * MiB);
	free(vram);
	c_host_init(&h);
	c_bind(&c);
	c_bind(&d);
	c_runlist(&h, 0, (struct chan *[]){ &c, &d }, 2);
	p_1(&c, 0, 0x238c, 0);
	p_1(&c, 0, 0x2390, 0xc);
	p_kick(&c);
	p_1(&d, 0, 0x238c, 0);
	p_1(&d, 0, 0x2390, 0xd);
	p_kick(&d);
	c_run(&c);
	assert_int_equal(c_data(&c, 0), 0xc);
	assert_int_equal(c_data(&d, 0x100), 0xd);
	assert_int_equal(c_data(&d, 0), 0);
}

/* A channel that never ends its work does not keep others from theirs. */
static void time_slices(void **state)
{
	objects(&c);
	p_sema(&c, 0, 1, 1);	/* an acquire without switch */
	p_sema(&c, 4, 1, SEM_REL4);
	p_kick(&c);
	objects(&d);
	p_sema(&d, 0, 1, SEM_REL4);
	p_kick(&d);
	for (int i = 0; i < 100 && !c_data(&d, 0); i++) {
		gpu_run(h.gpu, 10);
		usleep(200);
	}
	assert_int_equal(c_data(&d, 0), 1);
	assert_int_equal(c_data(&c, 4), 0);
	c_wr(&c, c.data, 1);
	for (int i = 0; i < 100 && !c_data(&c, 4); i++) {
		gpu_run(h.gpu, 10);
		usleep(200);
	}
	assert_int_equal(c_data(&c, 4), 1);
}

/* Two processes' grids by turns: both get on, though neither ever runs out of work before its end. */
static void slices_of_two_processes(void **state)
{
	enum { GRIDS = 40 };
	struct chan *k[2] = { &c, &d };
	uint32_t at[2] = { 0, 0 };
	unsigned int turns = 0, last = 2;
	struct code code;

	for (unsigned int i = 0; i < 2; i++) {
		objects(k[i]);
		store_kernel(&code, C_DATA + 0x40, 0xcafe + i);
		for (uint32_t g = 1; g <= GRIDS; g++) {
			grid_of(k[i], &code, 64, 1);
			p_1(k[i], 1, 0x110, 0);
			report(k[i], 1, C_DATA, g, 0x1000f010);
		}
		p_kick(k[i]);
	}
	for (unsigned int n = 0; n < 20000 && at[0] + at[1] < 2 * GRIDS; n++) {
		gpu_run(h.gpu, 5);
		usleep(50);
		for (unsigned int i = 0; i < 2; i++) {
			uint32_t now = c_data(k[i], 0);

			if (now == at[i])
				continue;
			/* who runs is who 409b00 names */
			turns += i != last;
			last = i;
			at[i] = now;
		}
	}
	assert_int_equal(at[0], GRIDS);
	assert_int_equal(at[1], GRIDS);
	assert_in_range(turns, 3, 2 * GRIDS);
	assert_in_range(h_count(&h, LEDGER_ctx_switch), 3, 4 * GRIDS);
	assert_int_equal(h_count(&h, LEDGER_grid), 2 * GRIDS);
	assert_int_equal(c_data(&c, 0x40), 0xcafe);
	assert_int_equal(c_data(&d, 0x40), 0xcaff);
	assert_int_equal(h_findings(&h), 0);
}

/* RED.ADD of @v at @va. */
static void add_kernel(struct code *k, uint64_t va, uint32_t v)
{
	memset(k, 0, sizeof(*k));
	mov32i(k, 0, (uint32_t)va);
	mov32i(k, 1, va >> 32);
	mov32i(k, 2, v);
	emit(k, 0xebf9000000070000ull | 2);
	finish(k);
}

/* Atomics on VRAM and on PCIe memory; a PTE that forbids them raises an atomic fault, once for a read-only page too. */
static void atomics(void **state)
{
	static const struct {
		uint64_t va;
		enum mmu_fault_type type;
		uint64_t flags;
	} page[] = {
		{ FAULT_VA, MMU_OK, 0 },				/* VRAM */
		{ FAULT_VA + 0x1000, MMU_OK, 0 },			/* system memory */
		{ FAULT_VA + 0x2000, MMU_FAULT_ATOMIC, PTE_ATOMIC_DISABLE },
		{ FAULT_VA + 0x3000, MMU_FAULT_RO, PTE_RO },
	};
	uint64_t buf = arm_fault_buffer(), vram = h_alloc(&h, 4096);
	unsigned int faults = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(page); i++)
		h_map(&h, &c.s, page[i].va, 12, i ? AP_SYS_COH : AP_VRAM, i ? H_IOVA + i * 4096 : vram, page[i].flags);
	objects(&c);
	for (unsigned int i = 0; i < ARRAY_SIZE(page); i++) {
		struct code code;

		c_wr(&c, c.data, 0);
		add_kernel(&code, page[i].va, 3);
		grid_of(&c, &code, 2, 16);
		p_1(&c, 1, 0x110, 0);
		report(&c, 1, C_DATA, 1, 0x1000f010);
		p_kick(&c);
		gpu_run(h.gpu, 2000);
		if (page[i].type != MMU_OK) {
			uint32_t w = c_rd(&c, buf + faults * 32 + 0x1c);

			assert_int_equal(c_data(&c, 0), 0);
			assert_int_equal(hw_rd32(h.gpu, 0x002a80), ++faults);
			assert_int_equal(w & 0x1f, page[i].type);
			assert_int_equal(w >> 16 & 0xf, MMU_ATOMIC);
			/* nothing was done; allowed, it goes on */
			assert_int_equal(h.sys[i * 4096], 0);
			h_map(&h, &c.s, page[i].va, 12, AP_SYS_COH, H_IOVA + i * 4096, 0);
			replay();
			gpu_run(h.gpu, 2000);
		}
		assert_int_equal(c_data(&c, 0), 1);
		assert_int_equal(i ? h.sys[i * 4096] : h.gpu->vram[vram], 96);
	}
	assert_int_equal(h_count(&h, LEDGER_fault_atomic), 2);
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 0);
	assert_int_equal(h_findings(&h), 0);
}

/* What a grid executes is counted exactly: MOV32I three times, ST, EXIT. */
static void instructions_counted(void **state)
{
	struct code code;

	objects(&c);
	store_kernel(&code, C_DATA + 0x40, 1);
	grid_of(&c, &code, 7, 1);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(h_count(&h, LEDGER_warp_instruction), 7 * 5);
	assert_int_equal(h_count(&h, LEDGER_cta), 7);
}

/* An engine that hangs: its grid does not end, a switch times out, the reset brings it back. */
static void injected_hang(void **state)
{
	struct inject_arm arm = { .arg = 0 };
	struct code code;

	inject_arm(h.gpu, INJECT_engine_hang, &arm);
	objects(&c);
	store_kernel(&code, C_DATA + 0x40, 1);
	grid(&c, &code);
	p_1(&c, 1, 0x110, 0);
	report(&c, 1, C_DATA, 1, 0x1000f010);
	p_kick(&c);
	gpu_run(h.gpu, 500);
	assert_int_equal(c_data(&c, 0x40), 0);
	assert_int_equal(c_data(&c, 0), 0);
	assert_int_equal(inject_fired(h.gpu, INJECT_engine_hang), 1);
	regw(&c, 0x002a0c, 0x80000001);
	regw(&c, 0x002634, 1u << 24 | c.tsg);
	for (int i = 0; i < 1000 && !(reg(&c, 0x002100) & BIT(8)); i++) {
		usleep(100);
		gpu_run(h.gpu, 10);
	}
	assert_int_equal(reg(&c, 0x00254c), 0x0a);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), BIT(20));
	inject_disarm(h.gpu, INJECT_engine_hang);
	/* recovery: the channel's state on the engine is lost, and the channel with it */
	regw(&c, 0x002630, 1);
	regw(&c, 0x800004 + c.id * 8, 0x800);
	fifo_engine_reset(h.gpu, gr_engine(h.gpu));
	c_runlist(&h, 0, &(struct chan *){ &d }, 1);
	regw(&c, 0x002630, 0);
	gpu_run(h.gpu, 100);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), 0);
	assert_int_equal(c_data(&c, 0), 0);
	objects(&d);
	store_kernel(&code, C_DATA + 0x40, 2);
	grid(&d, &code);
	p_kick(&d);
	run_slices();
	assert_int_equal(c_data(&d, 0x40), 2);
}

/*
 * Code is read once: what is written over it later runs after an invalidation, and not before.  Each way to do it, and
 * each method with its bit for code not set.
 */
static void code_is_cached(void **state)
{
	enum { OTHER_CHANNEL = 1 };
	static const struct {
		unsigned int subch;
		uint32_t mthd, data, pcas, qmd5;
		bool fresh;
	} step[] = {
		{ 0, OTHER_CHANNEL, 0, 2, 0, true },	/* the first launch of all */
		{ 0, 0, 0, 2, 0, false },
		{ 0, 0x21c, 0x1010, 2, 0, false },	/* 3D, INVALIDATE_SHADER_CACHES: data, constants */
		{ 0, 0x21c, 0x0001, 2, 0, true },
		{ 0, 0xda4, 0x1010, 2, 0, false },	/* 3D, INVALIDATE_SHADER_CACHES_NO_WFI */
		{ 0, 0xda4, 0x0001, 2, 0, true },
		{ 1, 0x21c, 0x1010, 2, 0, false },	/* compute */
		{ 1, 0x21c, 0x1011, 2, 0, true },
		{ 1, 0x1698, 0x1000, 2, 0, false },
		{ 1, 0x1698, 0x0001, 2, 0, true },
		{ 0, 0, 0, 2, 0, false },
		{ 0, 0, 0, 3, 0, true },		/* SEND_SIGNALING_PCAS_B: INVALIDATE */
		{ 0, 0, 0, 2, BIT(31) | BIT(29), false },	/* QMD: INVALIDATE_SHADER_CONSTANT_, _DATA_CACHE */
		{ 0, 0, 0, 2, BIT(30), true },		/* QMD: INVALIDATE_INSTRUCTION_CACHE */
		{ 0, OTHER_CHANNEL, 0, 2, 0, true },
	};
	uint32_t last = 0;

	objects(&c);
	objects(&d);
	for (unsigned int i = 0; i < ARRAY_SIZE(step); i++) {
		struct code code;

		if (step[i].mthd == OTHER_CHANNEL) {
			report(&d, 0, C_DATA, i + 1, 0x1000f010);
			p_kick(&d);
			for (unsigned int n = 0; n < 100 && c_data(&d, 0) != i + 1; n++)
				run_slices();
			assert_int_equal(c_data(&d, 0), i + 1);
		} else if (step[i].mthd) {
			p_1(&c, step[i].subch, step[i].mthd, step[i].data);
		}
		store_kernel(&code, C_DATA + 0x40, 100 + i);
		grid_by(&c, &code, 1, 1, step[i].pcas, step[i].qmd5);
		p_1(&c, 1, 0x110, 0);
		report(&c, 1, C_DATA, i + 1, 0x1000f010);
		c_wr(&c, c.data + 0x40, 0);
		p_kick(&c);
		for (unsigned int n = 0; n < 100 && c_data(&c, 0) != i + 1; n++)
			run_slices();
		assert_int_equal(c_data(&c, 0), i + 1);
		if (step[i].fresh)
			last = 100 + i;
		if (c_data(&c, 0x40) != last)
			fail_msg("step %u: %u ran, expected %u", i, c_data(&c, 0x40), last);
	}
	assert_int_equal(h_findings(&h), 0);
}

/* The watchdog, set through either class: 2^(1 + 4) instructions of a CTA. */
static void watchdog(void **state)
{
	for (unsigned int subch = 0; subch < 2; subch++) {
		uint64_t before = h_count(&h, LEDGER_warp_instruction);
		struct code k;

		regw(&c, 0x50464c, 0x80000105);
		objects(&c);
		p_1(&c, subch, 0xde4, 1);
		endless_kernel(&k);
		grid(&c, &k);
		p_sema(&c, 0, 1, SEM_REL4);
		p_kick(&c);
		gpu_run(h.gpu, 500);
		assert_int_equal(reg(&c, 0x504650), 0x80000000);	/* TIMEOUT */
		assert_int_equal(reg(&c, 0x504648), 0);
		assert_int_equal(reg(&c, 0x504508), 2);
		assert_int_equal(reg(&c, 0x400108), 1u << 24);
		assert_int_equal(h_count(&h, LEDGER_warp_instruction) - before, 32);
		/* cleared as gf100_gr_trap_mp() does, and not reported when the mask has it not; nothing goes on */
		regw(&c, 0x504650, 0x80000000);
		assert_int_equal(reg(&c, 0x504508), 0);
		gpu_run(h.gpu, 500);
		assert_int_equal(c_data(&c, 0), 0);
		assert_int_equal(h_count(&h, LEDGER_warp_instruction) - before, 32);
		gpu_reset(h.gpu);
		c_host_init(&h);
		c_new(&h, &c, 3, 0);
		c_runlist(&h, 0, (struct chan *[]){ &c }, 1);
	}
}

/* Not set, it stops nothing; nor does a mask without it report anything, as nouveau's. */
static void watchdog_off(void **state)
{
	struct code k;

	regw(&c, 0x50464c, 0x105);
	objects(&c);
	endless_kernel(&k);
	grid(&c, &k);
	p_kick(&c);
	gpu_run(h.gpu, 500);
	assert_false(gr_work_done(h.gpu));
	assert_int_equal(reg(&c, 0x504650), 0);
	gr_reset(h.gpu);
	assert_true(h_count(&h, LEDGER_warp_instruction) > 100000);
	c_bind(&c);
	c_new(&h, &c, 5, 0);
	c_runlist(&h, 0, (struct chan *[]){ &c }, 1);
	objects(&c);
	p_1(&c, 0, 0xde4, 1);
	grid(&c, &k);
	p_kick(&c);
	gpu_run(h.gpu, 500);
	assert_int_equal(reg(&c, 0x504650), 0x80000000);
	assert_int_equal(reg(&c, 0x504508), 0);
	assert_int_equal(reg(&c, 0x400100), 0);
}

/*
 * An endless grid loses the engine to PFIFO's time-out before the kernel gives up the jobs that wait for it, ten
 * seconds after they were submitted (nouveau_sched.c, NOUVEAU_SCHED_JOB_TIMEOUT_MS).
 */
static void time_out_before_the_jobs(void **state)
{
	struct engine *e = gr_engine(h.gpu);
	uint64_t ns = (reg(&c, 0x002a0c) & 0x7fffffffull) * 1024;
	struct code k;

	assert_int_equal(e->ops->switch_clock(h.gpu, e), 4);
	objects(&c);
	endless_kernel(&k);
	grid(&c, &k);
	p_kick(&c);
	gpu_run(h.gpu, 500);
	assert_false(gr_work_done(h.gpu));
	assert_in_range(e->ops->switch_clock(h.gpu, e), 1, 4);
	assert_in_range(ns * 4 / e->ops->switch_clock(h.gpu, e), 4000000000ull, 9500000000ull);
}

/* A fault that waits uses nothing of the watchdog's time, however long it is and however often it is retried. */
static void watchdog_and_fault(void **state)
{
	uint64_t page = h_alloc(&h, 4096);

	arm_fault_buffer();
	p_1(&c, 0, 0, 0xc197);
	p_1(&c, 0, 0xde4, 1);	/* 32 instructions; the kernel has 5 */
	parked_kernel(&c);
	gpu_run(h.gpu, 500);
	for (unsigned int i = 1; i <= 50; i++) {
		assert_int_equal(hw_rd32(h.gpu, 0x002a80), i);
		hw_wr32(h.gpu, 0x002a7c, i);
		usleep(1000);
		replay();
		gpu_run(h.gpu, 500);
	}
	assert_int_equal(reg(&c, 0x504650), 0);
	h_map(&h, &c.s, FAULT_VA, 12, AP_VRAM, page, 0);
	replay();
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(c_rd(&c, page + 0x10), 0xbeef);
	assert_int_equal(reg(&c, 0x504650), 0);
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 0);
}

/* An illegal instruction: the trap that nouveau decodes, then a switch times out. */
static void mp_exception(void **state)
{
	struct code k = { 0 };

	regw(&c, 0x000160, 0xffffffff);
	objects(&c);
	emit(&k, 0xfffull << 52);
	finish(&k);
	grid(&c, &k);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	gpu_run(h.gpu, 500);
	assert_int_equal(reg(&c, 0x400100), 0x200000);
	assert_int_equal(reg(&c, 0x400108), 1u << 24);
	assert_int_equal(reg(&c, 0x400118), 1);
	assert_int_equal(reg(&c, 0x502c90), 0x10000);
	assert_int_equal(reg(&c, 0x504508), 2);
	assert_int_equal(reg(&c, 0x504648), 9);
	assert_int_equal(reg(&c, 0x504650), 0);
	assert_int_equal(reg(&c, 0x504654), (uint32_t)(C_DATA + C_CODE) + 8);
	/* what gf100_gr_trap_intr() writes */
	regw(&c, 0x504648, 0);
	regw(&c, 0x504650, 0);
	regw(&c, 0x502c90, 0x10000);
	regw(&c, 0x400118, 1);
	regw(&c, 0x400108, 1u << 24);
	regw(&c, 0x400100, 0x200000);
	regw(&c, 0x400500, 0x10001);
	assert_int_equal(reg(&c, 0x400100), 0);
	gpu_run(h.gpu, 500);
	assert_int_equal(c_data(&c, 0), 0);
	/* the engine does not let go: NV_PFIFO_INTR_SCHED_ERROR, CTXSW_TIMEOUT */
	regw(&c, 0x002a0c, 0x80000001);
	regw(&c, 0x002634, 1u << 24 | c.tsg);
	for (int i = 0; i < 100 && !(reg(&c, 0x002100) & BIT(8)); i++) {
		usleep(100);
		gpu_run(h.gpu, 10);
	}
	assert_int_equal(reg(&c, 0x002100) & BIT(8), BIT(8));
	assert_int_equal(reg(&c, 0x00254c), 0x0a);
	assert_int_equal(reg(&c, 0x002640) & 0x8000c000, 0x8000c000);
	/* gf100_engn_mmu_fault_trigger() */
	regw(&c, 0x002a30, 0x100);
	assert_int_equal(reg(&c, 0x00259c), 1);
	assert_int_equal(reg(&c, 0x002640) & BIT(30), BIT(30));
	regw(&c, 0x002a30, 0);
	regw(&c, 0x00259c, 1);
	fifo_engine_reset(h.gpu, gr_engine(h.gpu));
	gpu_run(h.gpu, 100);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), 0);
	assert_int_equal(reg(&c, 0x002640), 0);
}

/* Two warps err: the first one's error and number stay, the second makes it MULTIPLE_WARP_ERRORS. */
static void mp_exceptions(void **state)
{
	struct code k = { 0 };

	regw(&c, 0x50464c, 0x105);
	objects(&c);
	emit(&k, 0xfffull << 52);
	finish(&k);
	grid_of(&c, &k, 1, 64);
	p_kick(&c);
	gpu_run(h.gpu, 500);
	assert_int_equal(reg(&c, 0x504648) & 0xffff, 9);
	assert_int_equal(reg(&c, 0x504650), 4);
	assert_int_equal(reg(&c, 0x504508), 2);
	regw(&c, 0x504648, 0);
	assert_int_equal(reg(&c, 0x504508), 2);
	regw(&c, 0x504650, 4);
	assert_int_equal(reg(&c, 0x504508), 0);
	fifo_engine_reset(h.gpu, gr_engine(h.gpu));
	assert_int_equal(reg(&c, 0x504648), 0);
}

/* What is not in the report mask stays in the ESR and interrupts nobody. */
static void mp_exception_masked(void **state)
{
	struct code k = { 0 };

	objects(&c);
	p_kick(&c);
	c_run(&c);
	regw(&c, 0x504644, 0x00dffffe & ~(1u << 9));
	emit(&k, 0xfffull << 52);
	finish(&k);
	grid(&c, &k);
	p_kick(&c);
	gpu_run(h.gpu, 500);
	assert_int_equal(reg(&c, 0x504648), 9);
	assert_int_equal(reg(&c, 0x504508), 0);
	assert_int_equal(reg(&c, 0x400100), 0);
	fifo_engine_reset(h.gpu, gr_engine(h.gpu));
}

/* FECS's method 4 clears OOR_ADDR in the report mask of this context alone, as NVK has it do. */
static void report_mask_of_a_context(void **state)
{
	struct code k = { 0 };

	objects(&c);
	p_inc(&c, 0, 0x3400, 3);
	p(&c, 0);
	p(&c, 0);
	p(&c, 1u << 14);
	p_1(&c, 0, 0x2310, 0x419e44);
	/* ld.shared r4, [0x100000], beyond all; then store what came */
	mov32i(&k, 4, 77);
	emit(&k, 0xef4cull << 48 | 7ull << 16 | 255 << 8 | 0x100000ull << 20 | 4);
	mov32i(&k, 2, (uint32_t)C_DATA + 0x40);
	mov32i(&k, 3, C_DATA >> 32);
	st32(&k, 2, 4);
	finish(&k);
	c_wr(&c, c.data + 0x40, 55);
	grid(&c, &k);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(c_data(&c, 0x40), 0);
	assert_int_equal(reg(&c, 0x504644), 0x00dfbffe);
	assert_int_equal(reg(&c, 0x400100), 0);
	/* another context still has it */
	objects(&d);
	grid(&d, &k);
	p_kick(&d);
	run_slices();
	assert_int_equal(reg(&c, 0x504644), 0x00dffffe);
	assert_int_equal(reg(&c, 0x504648) & 0xffff, 0xe);
	assert_int_equal(reg(&c, 0x504508), 2);
	fifo_engine_reset(h.gpu, gr_engine(h.gpu));
}

static void pause_holds_switches(void **state)
{
	objects(&c);
	p_kick(&c);
	c_run(&c);
	gr_ctxsw_pause(h.gpu);
	objects(&d);
	p_sema(&d, 0, 1, SEM_REL4);
	p_kick(&d);
	gpu_run(h.gpu, 200);
	assert_int_equal(c_data(&d, 0), 0);
	assert_int_equal(reg(&c, 0x409b00), 0x80000000u | (uint32_t)(c.s.inst >> 12));
	gr_ctxsw_resume(h.gpu);
	run_slices();
	assert_int_equal(c_data(&d, 0), 1);
}

static void golden_image(void **state)
{
	c_wr(&c, c.ctx + GR_CTX_OFFSET, 0);
	assert_int_equal(gr_ctxsw_bind(h.gpu, c.s.inst), 0);
	assert_int_equal(gr_current_inst(h.gpu), 0x80000000u | (uint32_t)(c.s.inst >> 12));
	assert_int_equal(gr_golden_save(h.gpu, c.s.inst), 0);
	assert_int_equal(gr_ctxsw_bind(h.gpu, 0), 0);
	assert_int_equal(gr_current_inst(h.gpu), 0);
	assert_int_equal(c_rd(&c, c.ctx + GR_CTX_OFFSET), GR_CTX_MAGIC);
	assert_int_equal(c_rd(&c, c.ctx), 0);	/* the driver's page is the driver's */
}

static void no_context_image(void **state)
{
	c_wr(&c, c.s.inst + 0x210, 0);
	objects(&c);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(reg(&c, 0x00259c), 1);
	assert_int_equal(reg(&c, 0x00280c) >> 8 & 0x7f, 0x05);	/* FECS */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(classes), T(illegal_class), T(inline_to_memory), T(inline_fault), T(report_semaphores),
		T(report_acquire_and_fault), T(constant_buffer), T(compute), T(qmd_refused), T(qmd_fault),
		T(replayable_fault), T(fatal_without_replay), T(cancelled), T(cancelled_too_late), T(cancelled_globally), T(preempt_parked),
		T(switch_waits_for_replay), T(context_switch), T(time_slices), T(slices_of_two_processes),
		T(atomics), T(instructions_counted), T(code_is_cached), T(watchdog), T(watchdog_off),
		T(time_out_before_the_jobs), T(watchdog_and_fault), T(injected_hang), T(mp_exception), T(mp_exceptions),
		T(mp_exception_masked), T(report_mask_of_a_context),
		T(pause_holds_switches), T(golden_image), T(no_context_image),
	};

	return cmocka_run_group_tests_name("gr", tests, NULL, NULL);
}
