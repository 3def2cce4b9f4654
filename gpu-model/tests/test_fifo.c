// SPDX-License-Identifier: MIT
/* PFIFO: registers, channel RAM, runlists and groups, preempt, doorbells, interrupts, recovery. */
#include "chan_harness.h"

static struct harness h;
static struct chan a, b;

static int setup(void **state)
{
	h_new(&h, NULL);
	c_host_init(&h);
	c_new(&h, &a, 1, 0);
	c_new(&h, &b, 2, 0);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

static uint32_t rd(uint32_t addr)
{
	return hw_rd32(h.gpu, addr);
}

static void wr(uint32_t addr, uint32_t v)
{
	hw_wr32(h.gpu, addr, v);
}

static void single(struct gpu_config *cfg)
{
	cfg->topology = TOPOLOGY_SINGLE;
}

static void topology(void **state)
{
	/* real: each runlist has its PBDMA */
	assert_int_equal(rd(0x002004) & 0xff, h.gpu->cfg.copy_engines);
	for (int i = 0; i < h.gpu->cfg.copy_engines; i++)
		assert_int_equal(rd(0x002390 + i * 4), BIT(i));
	assert_int_equal(rd(0x002008), FIFO_USABLE_CHANNELS);
	h_del(&h);
	h_new(&h, single);
	assert_int_equal(rd(0x002004) & 0xff, 1);
	assert_int_equal(rd(0x002390), 1);
}

static void work(struct chan *k, uint32_t payload)
{
	p_sema(k, 0, payload, SEM_REL4);
	p_kick(k);
	gpu_run(h.gpu, 1000);
}

/* Runs only what is bound, enabled and in a runlist. */
static void enable(void **state)
{
	struct chan *list[2] = { &a, &b };

	work(&a, 1);
	assert_int_equal(c_data(&a, 0), 0);	/* in no runlist */
	c_runlist(&h, 0, list, 2);
	gpu_run(h.gpu, 1000);
	assert_int_equal(c_data(&a, 0), 1);
	wr(0x800004 + 8 * a.id, 0x800);
	assert_int_equal(rd(0x800004 + 8 * a.id) & 0xc01, 0);
	work(&a, 2);
	assert_int_equal(c_data(&a, 0), 1);	/* disabled */
	assert_int_equal(rd(0x800004 + 8 * b.id) & 0xc01, 1);
	work(&b, 7);
	assert_int_equal(c_data(&b, 0), 7);
	wr(0x800004 + 8 * a.id, 0x400);
	gpu_run(h.gpu, 1000);
	assert_int_equal(c_data(&a, 0), 2);
	/* off the list again */
	c_runlist(&h, 0, list + 1, 1);
	work(&a, 3);
	assert_int_equal(c_data(&a, 0), 2);
	assert_int_equal(rd(0x800000 + 8 * a.id), 0x80000000u | (uint32_t)(a.s.inst >> 12));
	wr(0x800000 + 8 * a.id, 0);
	assert_false(fifo_userd_write(h.gpu, C_USERD_BAR1 + a.id * 0x200 + 0x8c, 0));
}

static void runlist_event(void **state)
{
	struct chan *list[1] = { &a };

	c_runlist(&h, 0, list, 1);
	c_runlist(&h, 1, NULL, 0);
	assert_int_equal(rd(0x002a00), 3);
	assert_int_equal(rd(0x002284) & BIT(20), 0);
	assert_int_equal(rd(0x002284) & 0xffff, 2);
	assert_int_equal(rd(0x002100) & BIT(30), BIT(30));
	wr(0x002a00, 1);
	assert_int_equal(rd(0x002100) & BIT(30), BIT(30));
	wr(0x002a00, 2);
	assert_int_equal(rd(0x002100), 0);
	/* there is no such runlist: nothing happens */
	wr(0x002274, 15 << 20);
	assert_int_equal(rd(0x002a00), 0);
}

static void bad_groups(void **state)
{
	uint64_t list = h_alloc(&h, 4096);

	h_wr64(&h, list, 0u << 26 | 0x2000 | 5);	/* a group of none */
	wr(0x002270, (uint32_t)(list >> 12));
	wr(0x002274, 1);
	assert_int_equal(rd(0x002100) & BIT(8), BIT(8));
	assert_int_equal(rd(0x00254c), 0x20);
	wr(0x002100, BIT(8));
	h_wr64(&h, list, 3u << 26 | 0x2000 | 5);	/* a list that ends within its group */
	h_wr64(&h, list + 8, 1);
	wr(0x002274, 2);
	assert_int_equal(rd(0x002100) & BIT(8), BIT(8));
}

static void bind_errors(void **state)
{
	wr(0x800000 + 8 * 9, 0x80000000u | 1u << 28 | 5);	/* no such aperture */
	assert_int_equal(rd(0x002100) & BIT(0), BIT(0));
	assert_int_equal(rd(0x00252c), 6);
	wr(0x002100, BIT(0));
	wr(0x800000 + 8 * 9, 0x80000000u | 0x0fffffff);		/* beyond VRAM */
	assert_int_equal(rd(0x002100) & BIT(0), BIT(0));
}

/* Channels of one group take turns within its slice. */
static void group(void **state)
{
	uint64_t list = h_alloc(&h, 4096);

	h_wr64(&h, list, 2u << 26 | 128 << 18 | 3 << 14 | 0x2000 | 77);
	h_wr64(&h, list + 8, a.id);
	h_wr64(&h, list + 16, b.id);
	wr(0x002270, (uint32_t)(list >> 12));
	wr(0x002274, 3);
	p_1(&a, 0, 0, 0xc197);
	p_sema(&a, 0, 1, 1 | 1u << 12);		/* a waits for b */
	p_sema(&a, 4, 1, SEM_REL4);
	p_kick(&a);
	p_1(&b, 0, 0, 0xc197);
	p_sema(&b, 0, 1, SEM_REL4);
	p_kick(&b);
	gpu_run(h.gpu, 200);
	assert_int_equal(c_data(&b, 0), 1);
	assert_int_equal(rd(0x002640) & 0x3fff, 1 << 13 | 1 << 12 | 77);
	c_wr(&a, a.data, 1);
	assert_int_equal(gpu_run(h.gpu, 1000), STEP_IDLE);
	assert_int_equal(c_data(&a, 4), 1);
	/* a preempt of the group takes both off */
	wr(0x002634, 1u << 24 | 77);
	assert_int_equal(rd(0x002634) & BIT(20), 0);
	assert_int_equal(rd(0x002640), 0);
}

/* A preempt takes the channel off the PBDMA and its state to RAMFC. */
static void preempt(void **state)
{
	struct chan *list[2] = { &a, &b };

	c_runlist(&h, 0, list, 2);
	p_sema(&a, 0, 5, 1);
	p_sema(&a, 4, 1, SEM_REL4);
	p_kick(&a);
	assert_int_equal(gpu_run(h.gpu, 20), STEP_POLL);
	assert_int_equal(rd(0x040120), a.id | BIT(13));
	wr(0x800004 + 8 * a.id, 0x800);
	wr(0x002634, 1u << 24 | a.tsg);
	assert_int_equal(rd(0x002634), 1u << 24 | a.tsg);
	assert_int_equal(rd(0x040120), 0);
	assert_int_equal(c_rd(&a, a.s.inst + 0x14), 1);			/* GP_GET */
	assert_int_equal(c_rd(&a, a.s.inst + 0xc0) & 0x80003ffc, 0x8000001c);	/* METHOD0 */
	assert_int_equal(c_rd(&a, a.s.inst + 0xc4), 1);
	assert_int_equal(c_rd(&a, a.userd + 0x88), 1);
	/* by channel id too */
	wr(0x800004 + 8 * a.id, 0x400);
	gpu_run(h.gpu, 20);
	wr(0x800004 + 8 * a.id, 0x800);
	wr(0x002634, a.id);
	assert_int_equal(rd(0x002634), a.id);
	assert_int_equal(rd(0x040120), 0);
}

static void sched_disable(void **state)
{
	struct chan *list[1] = { &a };

	c_runlist(&h, 0, list, 1);
	wr(0x002630, 1);
	work(&a, 1);
	assert_int_equal(c_data(&a, 0), 0);
	wr(0x002630, 0);
	gpu_run(h.gpu, 1000);
	assert_int_equal(c_data(&a, 0), 1);
}

static void doorbell_of_others(void **state)
{
	struct chan *list[1] = { &a };
	uint32_t v = 0;

	c_runlist(&h, 0, list, 1);
	assert_false(fifo_userd_write(h.gpu, C_USERD_BAR1 - 4, 1));
	assert_false(fifo_userd_write(h.gpu, C_USERD_BAR1 + FIFO_USABLE_CHANNELS * 0x200ull, 1));
	assert_false(fifo_userd_write(h.gpu, C_USERD_BAR1 + 77 * 0x200, 1));	/* never bound */
	/* other words of USERD are memory */
	assert_true(fifo_userd_write(h.gpu, C_USERD_BAR1 + a.id * 0x200 + 0x100, 0x55));
	assert_true(fifo_userd_read(h.gpu, C_USERD_BAR1 + a.id * 0x200 + 0x100, &v));
	assert_int_equal(v, 0x55);
	assert_int_equal(c_rd(&a, a.userd + 0x100), 0x55);
	assert_int_equal(h_count(&h, LEDGER_doorbell), 0);
}

static void interrupt_enable(void **state)
{
	wr(0x000160, 0xffffffff);
	wr(0x002140, 0);
	fifo_nonstall(h.gpu, NULL);
	assert_int_equal(rd(0x002100), BIT(31));
	assert_int_equal(rd(0x000100) & BIT(8), 0);
	wr(0x002140, BIT(31));
	assert_int_equal(rd(0x000100) & BIT(8), BIT(8));
	wr(0x002100, BIT(31));
	assert_int_equal(rd(0x000100) & BIT(8), 0);
}

/* Fifty channels killed in a row, on either engine; each time another one works afterwards. */
static void kill_fifty(void **state)
{
	for (unsigned int k = 0; k < 50; k++) {
		struct chan bad, good;
		bool gr = k & 1;
		uint32_t unit;

		h.next = 16 * MiB;	/* the memory of the round before */
		c_new(&h, &bad, 10, 0);
		c_new(&h, &good, 11, 0);
		c_runlist(&h, 0, (struct chan *[]){ &bad, &good }, 2);
		if (gr) {
			p_1(&bad, 0, 0, 0xc197);
			p_inc(&bad, 0, 0x1b00, 4);
			p(&bad, 0);
			p(&bad, 0x40000000);
			p(&bad, 1);
			p(&bad, 0x10000000);
		} else {
			p_1(&bad, 4, 0, 0xc1b5);
			p_inc(&bad, 4, 0x400, 4);
			for (int i = 0; i < 4; i++)
				p(&bad, 0x40000000);
			p_1(&bad, 4, 0x418, 16);
			p_1(&bad, 4, 0x300, 0x182);
		}
		p_kick(&bad);
		gpu_run(h.gpu, 2000);
		unit = h.gpu->fifo->engine[gr ? 0 : 1].fault_id;
		assert_int_equal(rd(0x00259c), BIT(unit));
		/* nvkm_runl_rc() */
		wr(0x00259c, BIT(unit));
		wr(0x002630, 1);
		wr(0x800004 + 8 * bad.id, 0x800);
		assert_int_equal(rd(0x002640 + 8 * !gr) & 0x3fff, 1 << 13 | 1 << 12 | bad.tsg);
		fifo_engine_reset(h.gpu, fifo_engine(h.gpu, !gr));
		c_runlist(&h, 0, (struct chan *[]){ &good }, 1);
		wr(0x00262c, 1);
		wr(0x002630, 0);
		p_1(&good, 0, 0, 0xc197);
		p_1(&good, 4, 0, 0xc1b5);
		work(&good, k + 1);
		assert_int_equal(c_data(&good, 0), k + 1);
		for (unsigned int i = 10; i < 12; i++) {
			wr(0x800004 + 8 * i, 0x800);
			wr(0x002634, 1u << 24 | (i + 16));
			gpu_run(h.gpu, 100);
			assert_int_equal(rd(0x002634) & BIT(20), 0);
		}
		c_runlist(&h, 0, NULL, 0);
		for (unsigned int i = 10; i < 12; i++)
			wr(0x800000 + 8 * i, 0);
		assert_int_equal(rd(0x002100) & ~BIT(30), 0);
	}
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 50);
	assert_int_equal(h_count(&h, LEDGER_channel_reset), 50);
}

/* Memory goes away under an enabled channel: no crash, and nothing is written after the unbind. */
static void unbind_while_busy(void **state)
{
	struct chan *list[1] = { &a };
	uint8_t *page = h.gpu->vram + a.s.inst;

	c_runlist(&h, 0, list, 1);
	p_sema(&a, 0, 5, 1);
	p_kick(&a);
	gpu_run(h.gpu, 20);
	wr(0x800000 + 8 * a.id, 0);
	memset(page, 0x33, 4096);
	gpu_run(h.gpu, 1000);
	for (unsigned int i = 0; i < 4096; i++)
		assert_int_equal(page[i], 0x33);
}

/* A step looks at some of the channels that wait, the next step at others; once round, and it is time to sleep. */
static void many_wait(void **state)
{
	enum { CHANNELS = 80, A_STEP = PBDMA_STEP_DWORDS / PBDMA_LOAD_DWORDS };
	static struct chan many[CHANNELS];
	struct chan *list[CHANNELS];
	const struct runlist *rl = &h.gpu->fifo->rl[1];
	unsigned int polls = 0;

	for (unsigned int i = 0; i < CHANNELS; i++) {
		list[i] = &many[i];
		c_new(&h, list[i], 20 + i, 1);
	}
	c_runlist(&h, 1, list, CHANNELS);
	for (unsigned int i = 0; i < CHANNELS; i++) {
		p_sema(list[i], 0, 5, 1 | 1u << 12);
		p_sema(list[i], 4, 1, SEM_REL4);
		p_kick(list[i]);
	}
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t switches = rl->switches;
		enum step_result r = gpu_engine_step(h.gpu);

		assert_in_range(rl->switches - switches, 0, A_STEP);
		assert_in_range(r, STEP_POLL, STEP_BUSY);
		polls += r == STEP_POLL;
	}
	/* 80 by 32 are three steps: two in a row work, and not more */
	assert_in_range(polls, 100 / 4, 100 / 2);
	/* whichever goes on, it is found */
	for (unsigned int i = 0; i < CHANNELS; i += 13) {
		c_wr(list[i], list[i]->data, 5);
		gpu_run(h.gpu, 2 * CHANNELS / A_STEP + 4);
		assert_int_equal(c_data(list[i], 4), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    T(topology),	 T(enable),	   T(runlist_event),
	    T(bad_groups),	 T(bind_errors),   T(group),
	    T(preempt),		 T(sched_disable), T(doorbell_of_others),
	    T(interrupt_enable), T(kill_fifty),	   T(unbind_while_busy),
	    T(many_wait),
	};

	return cmocka_run_group_tests_name("fifo", tests, NULL, NULL);
}
