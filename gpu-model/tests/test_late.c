// SPDX-License-Identifier: MIT
/* Stores that are held back (store_late): what they wait for, what does not wait for them, where they land. */
#include "chan_harness.h"
#include "hw/late.h"

#define VA 0x7f0000000000ull
#define OTHER_VA (VA + 0x1000)
#define HOUR 3600000000ull	/* microseconds */

/* 100cbc; ALL_VA, and one address space */
#define INVAL 1u
#define SYS_MEMBAR BIT(6)
#define ACK_GLOBALLY (1u << 7)
#define ACK_INTRANODE (2u << 7)

static struct harness h;
static struct chan c, d;
static uint64_t page, other;	/* VRAM at VA and OTHER_VA */

static void setup_with(void (*tweak)(struct gpu_config *cfg))
{
	struct chan *list[2] = { &c, &d };

	h_new(&h, tweak);
	c_host_init(&h);
	c_new(&h, &c, 3, 0);
	c_new(&h, &d, 4, 0);
	c_runlist(&h, 0, list, 2);
	page = c_map_new(&h, &c.s, VA, 4096);
	other = c_map_new(&h, &c.s, OTHER_VA, 4096);
}

static int setup(void **state)
{
	setup_with(NULL);
	return 0;
}

static void workers(struct gpu_config *cfg)
{
	cfg->deterministic = false;
}

static int setup_workers(void **state)
{
	setup_with(workers);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

/* Kernels: r0 is the address of what is stored, r2 a value, r4 another address. */

static void begin(struct code *k, uint64_t va, uint32_t v)
{
	memset(k, 0, sizeof(*k));
	mov32i(k, 0, (uint32_t)va);
	mov32i(k, 1, va >> 32);
	mov32i(k, 2, v);
	mov32i(k, 4, (uint32_t)OTHER_VA);
	mov32i(k, 5, OTHER_VA >> 32);
}

static void ld32(struct code *k, unsigned int r, unsigned int a)
{
	emit(k, 0x9c1ull << 52 | 4ull << 53 | 7ull << 16 | (uint64_t)a << 8 | r);
}

static void membar(struct code *k, unsigned int level)
{
	emit(k, 0xef98ull << 48 | (uint64_t)level << 8 | 7ull << 16);
}

/* BRA to itself */
static void spin(struct code *k)
{
	emit(k, 0xe240ull << 48 | 0xfffff8ull << 20 | 7ull << 16 | 0xf);
	finish(k);
}

/* The next store to the word at VA; @arg 1: it waits in its SM. */
static void arm(uint64_t arg, uint64_t delay_us)
{
	const struct inject_arm a = { .nth = 1, .count = 1, .addr = VA, .len = 4, .arg = arg, .delay_us = delay_us };

	inject_arm(h.gpu, INJECT_store_late, &a);
}

static unsigned int fired(void)
{
	return (unsigned int)inject_fired(h.gpu, INJECT_store_late);
}

static void put(void *priv, const char *key, uint64_t val)
{
	*(uint64_t *)priv = val;
}

static uint64_t held(void)
{
	uint64_t n = 0;

	hw_late.state(h.gpu, put, &n);
	return n;
}

static uint64_t count(void)
{
	return h_count(&h, LEDGER_stores_after_invalidate);
}

static void run(const struct code *k)
{
	objects(&c);
	grid(&c, k);
	p_kick(&c);
	for (unsigned int i = 0; i < 1000 && !fired(); i++) {
		gpu_run(h.gpu, 10);
		if (!h.gpu->cfg.deterministic)
			usleep(1000);
	}
	gpu_run(h.gpu, 50);
}

/* A grid that goes on has stored 0xcafe to VA, which is on its way. */
static void store_held(uint64_t arg)
{
	struct code k;

	arm(arg, HOUR);
	begin(&k, VA, 0xcafe);
	st32(&k, 0, 2);
	spin(&k);
	run(&k);
	assert_int_equal(fired(), 1);
	assert_int_equal(c_rd(&c, page), 0);
	assert_int_equal(held(), 1);
}

/* An invalidate does not wait for it, nor do its halves, and the ACK of fewer units; and it is counted. */
static void invalidate(void **state)
{
	static const uint32_t bits[] = { 0, SYS_MEMBAR, ACK_GLOBALLY, SYS_MEMBAR | ACK_INTRANODE };

	store_held(0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		h_invalidate(&h, &c.s, INVAL | bits[i]);
		assert_int_equal(hw_rd32(h.gpu, 0x100cbc) >> 31, 0);
		gpu_run(h.gpu, 50);
		assert_int_equal(c_rd(&c, page), 0);
	}
	assert_int_equal(count(), 0);
	/* whose page it is by now, nobody asks */
	h_set_pte(&h, &c.s, VA, 12, 0);
	hw_wr32(h.gpu, 0x070000, 1);
	assert_int_equal(c_rd(&c, page), 0xcafe);
	assert_int_equal(count(), 1);
	assert_int_equal(held(), 0);
	assert_int_equal(h_findings(&h), 0);
}

static void membar_invalidate(void **state)
{
	store_held(0);
	h_invalidate(&h, &c.s, INVAL | SYS_MEMBAR | ACK_GLOBALLY);
	assert_int_equal(hw_rd32(h.gpu, 0x100cbc) >> 31, 0);
	assert_int_equal(c_rd(&c, page), 0xcafe);
	assert_int_equal(count(), 0);
	assert_int_equal(h_findings(&h), 0);
}

/* Bit 31 tells when: a slice of the shader cores may hold it up. */
static void membar_in_a_slice(void **state)
{
	store_held(0);
	h_invalidate(&h, &c.s, INVAL | SYS_MEMBAR | ACK_GLOBALLY);
	for (unsigned int i = 0; i < 10000 && hw_rd32(h.gpu, 0x100cbc) >> 31; i++) {
		gpu_engine_step(h.gpu);
		usleep(100);
	}
	assert_int_equal(hw_rd32(h.gpu, 0x100cbc) >> 31, 0);
	assert_int_equal(c_rd(&c, page), 0xcafe);
	assert_int_equal(count(), 0);
}

/* Of other address spaces and other pages, of the hub alone, or that come with a replay: not counted. */
static void other_invalidates(void **state)
{
	store_held(0);
	h_invalidate(&h, &d.s, INVAL);
	h_invalidate(&h, &c.s, INVAL | BIT(2));
	h_invalidate(&h, NULL, 0x0b);
	hw_wr32(h.gpu, 0x100cb4, (uint32_t)(OTHER_VA >> 12 << 4));
	hw_wr32(h.gpu, 0x100ce8, (uint32_t)(OTHER_VA >> 40));
	h_invalidate(&h, &c.s, 0);
	hw_wr32(h.gpu, 0x070000, 1);
	assert_int_equal(c_rd(&c, page), 0xcafe);
	assert_int_equal(count(), 0);
}

static void fb_flush(void **state)
{
	store_held(0);
	hw_wr32(h.gpu, 0x070000, 1);
	assert_int_equal(hw_rd32(h.gpu, 0x070000), 0);
	assert_int_equal(c_rd(&c, page), 0xcafe);
	assert_int_equal(count(), 0);
}

/* In its SM it is not seen by flushes; it gets its translation when that goes, and then it is as any. */
static void in_its_sm(void **state)
{
	for (unsigned int membar = 0; membar < 2; membar++) {
		if (membar) {
			teardown(state);
			setup(state);
		}
		store_held(1);
		hw_wr32(h.gpu, 0x070000, 1);
		h_invalidate(&h, &d.s, INVAL | SYS_MEMBAR | ACK_GLOBALLY);
		h_invalidate(&h, NULL, 0x0b);
		hw_wr32(h.gpu, 0x070000, 1);
		gpu_run(h.gpu, 50);
		assert_int_equal(c_rd(&c, page), 0);
		h_invalidate(&h, &c.s, INVAL | (membar ? SYS_MEMBAR | ACK_GLOBALLY : 0));
		gpu_run(h.gpu, 50);
		assert_int_equal(c_rd(&c, page), membar ? 0xcafe : 0);
		hw_wr32(h.gpu, 0x070000, 1);
		assert_int_equal(c_rd(&c, page), 0xcafe);
		assert_int_equal(count(), !membar);
	}
}

static void delay(void **state)
{
	struct code k;

	arm(0, 400000);
	begin(&k, VA, 0xcafe);
	st32(&k, 0, 2);
	spin(&k);
	run(&k);
	assert_int_equal(held(), 1);
	assert_int_equal(c_rd(&c, page), 0);
	usleep(500000);
	gpu_engine_step(h.gpu);
	assert_int_equal(held(), 0);
	assert_int_equal(c_rd(&c, page), 0xcafe);
}

/* Who loads what it has stored gets it. */
static void own_load(void **state)
{
	struct code k;

	arm(0, HOUR);
	begin(&k, VA, 0xcafe);
	st32(&k, 0, 2);
	ld32(&k, 6, 0);
	st32(&k, 4, 6);
	spin(&k);
	run(&k);
	assert_int_equal(fired(), 1);
	assert_int_equal(c_rd(&c, other), 0xcafe);
	assert_int_equal(c_rd(&c, page), 0xcafe);
}

/* What goes on in another page makes no difference. */
static void other_page(void **state)
{
	struct code k;

	arm(0, HOUR);
	begin(&k, VA, 0xcafe);
	st32(&k, 0, 2);
	ld32(&k, 6, 4);
	st32(&k, 4, 2);
	spin(&k);
	run(&k);
	assert_int_equal(c_rd(&c, other), 0xcafe);
	assert_int_equal(c_rd(&c, page), 0);
	assert_int_equal(held(), 1);
}

static void membar_instruction(void **state)
{
	for (unsigned int level = 0; level < 3; level++) {
		struct code k;

		if (level) {
			teardown(state);
			setup(state);
		}
		arm(0, HOUR);
		begin(&k, VA, 0xcafe);
		st32(&k, 0, 2);
		membar(&k, level);
		spin(&k);
		run(&k);
		assert_int_equal(fired(), 1);
		/* CTA: not for the world */
		assert_int_equal(c_rd(&c, page), level ? 0xcafe : 0);
	}
}

/* The end of the grid comes after its stores, a semaphore after that. */
static void end_of_grid(void **state)
{
	struct code k;

	arm(0, HOUR);
	store_kernel(&k, VA, 0xcafe);
	objects(&c);
	grid(&c, &k);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(c_data(&c, 0), 1);
	assert_int_equal(fired(), 1);
	assert_int_equal(c_rd(&c, page), 0xcafe);
}

/* Run what was pushed to @k, and a semaphore of Host's that does not wait for the grid. */
static void run_host(struct chan *k, uint32_t payload)
{
	p_sema(k, 0, payload, SEM_REL4_NOWFI);
	p_kick(k);
	for (unsigned int i = 0; i < 1000 && c_data(k, 0) != payload; i++) {
		gpu_run(h.gpu, 20);
		usleep(300);
	}
	assert_int_equal(c_data(k, 0), payload);
}

/* So does what the channel releases by Host; other channels do not matter. */
static void semaphore(void **state)
{
	store_held(0);
	run_host(&d, 1);
	assert_int_equal(c_rd(&c, page), 0);
	run_host(&c, 1);
	assert_int_equal(c_rd(&c, page), 0xcafe);
}

static void mem_op(struct chan *k, uint32_t ma, uint32_t mb, uint32_t mc, uint32_t md)
{
	p_inc(k, 0, 0x28, 4);
	p(k, ma);
	p(k, mb);
	p(k, mc);
	p(k, md);
}

/* Invalidates and barriers by methods, of another channel: MEM_OP_A 11:11 SYSMEMBAR, MEM_OP_C 6:5 ACK_TYPE. */
static void host_methods(void **state)
{
	enum { MEMBAR, INVAL_INTRANODE, INVAL_GLOBALLY, FORMS };

	for (unsigned int i = 0; i < FORMS; i++) {
		if (i) {
			teardown(state);
			setup(state);
		}
		c_wr(&d, d.s.inst + 0xf4, BIT(8));	/* privileged */
		store_held(0);
		mem_op(&d, BIT(11), 0, 1, 9u << 27);
		mem_op(&d, 0, 0, 1 | 1u << 5, 9u << 27);
		run_host(&d, 1);
		assert_int_equal(c_rd(&c, page), 0);
		if (i == MEMBAR)
			mem_op(&d, 0, 0, 0, 5u << 27);
		else
			mem_op(&d, BIT(11), 0, 1 | (i == INVAL_GLOBALLY ? 1u : 2u) << 5, 9u << 27);
		run_host(&d, 2);
		assert_int_equal(c_rd(&c, page), i == INVAL_INTRANODE ? 0 : 0xcafe);
	}
}

/* RED is a store, whose value is the sum; ATOM, which returns one, is not. */
static void reduction(void **state)
{
	struct code k;

	c_wr(&c, page, 5);
	arm(0, HOUR);
	begin(&k, VA, 3);
	emit(&k, 0xed00ull << 48 | 2ull << 20 | 7ull << 16 | 0ull << 8 | 6 | BIT64(48));	/* ATOM.E.ADD r6, [r0], r2 */
	emit(&k, 0xebf9ull << 48 | 7ull << 16 | 0ull << 8 | 2);				/* RED.E.ADD [r0], r2 */
	spin(&k);
	run(&k);
	assert_int_equal(fired(), 1);
	assert_int_equal(c_rd(&c, page), 8);
	hw_wr32(h.gpu, 0x070000, 1);
	assert_int_equal(c_rd(&c, page), 11);
}

/* nth counts the threads' stores within the range. */
static void nth(void **state)
{
	const struct inject_arm a = { .nth = 2, .count = 1, .addr = VA, .len = 8, .delay_us = HOUR };
	struct code k;

	inject_arm(h.gpu, INJECT_store_late, &a);
	begin(&k, VA + 8, 1);
	st32(&k, 0, 2);			/* outside */
	mov32i(&k, 0, (uint32_t)VA);
	st32(&k, 0, 2);
	mov32i(&k, 0, (uint32_t)VA + 4);
	st32(&k, 0, 2);
	spin(&k);
	run(&k);
	assert_int_equal(fired(), 1);
	assert_int_equal(c_rd(&c, page), 1);
	assert_int_equal(c_rd(&c, page + 4), 0);
	assert_int_equal(c_rd(&c, page + 8), 1);
}

/* The bus address of what is held goes, and is given to other memory. */
static void bus_address(void **state)
{
	const uint64_t iova = 0x700000000ull;

	for (unsigned int again = 0; again < 2; again++) {
		if (again) {
			teardown(state);
			setup(state);
		}
		assert_int_equal(dma_map(h.gpu->dma, iova, 4096, h.sys_fd, 0, true, true), 0);
		h_map(&h, &c.s, VA, 12, AP_SYS_COH, iova, 0);
		store_held(0);
		assert_int_equal(dma_unmap(h.gpu->dma, iova, 4096), 0);
		if (again)
			assert_int_equal(dma_map(h.gpu->dma, iova, 4096, h.sys_fd, 8192, true, true), 0);
		mmu_dma_changed(h.gpu);
		hw_wr32(h.gpu, 0x070000, 1);
		assert_int_equal(san_count(h.gpu, SAN_iova_stale), 1);
		assert_int_equal(san_count(h.gpu, SAN_dma_outside), !again);
		assert_int_equal(*(uint32_t *)h.sys, 0);
		assert_int_equal(*(uint32_t *)(h.sys + 8192), again ? 0xcafe : 0);
	}
}

static void power_loss(void **state)
{
	store_held(0);
	gpu_reset(h.gpu);
	hw_wr32(h.gpu, 0x070000, 1);
	assert_int_equal(c_rd(&c, page), 0);
	assert_int_equal(held(), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define W(f) cmocka_unit_test_setup_teardown(f, setup_workers, teardown)
	const struct CMUnitTest tests[] = {
		T(invalidate), T(membar_invalidate), W(membar_in_a_slice), T(other_invalidates), T(fb_flush), T(in_its_sm),
		T(delay), T(own_load), T(other_page), T(membar_instruction), T(end_of_grid), T(semaphore),
		T(host_methods), T(reduction), T(nth), T(bus_address), T(power_loss),
	};

	return cmocka_run_group_tests_name("late", tests, NULL, NULL);
}
