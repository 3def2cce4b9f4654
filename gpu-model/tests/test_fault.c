// SPDX-License-Identifier: MIT
/* The replayable fault buffer and the records of fatal faults. */
#include "harness.h"

#include "hw/fault.h"

static struct harness h;
static struct h_space s;

/* The buffer lies behind BAR2, at a BAR2 address whose pages are not in order in VRAM. */
#define BUF_VA 0x20000ull
static uint64_t page[2];

#define REG_LO 0x002a70
#define REG_HI 0x002a74
#define REG_SIZE 0x002a78
#define REG_GET 0x002a7c
#define REG_PUT 0x002a80

static void enable(void)
{
	struct h_space bar = { .inst = h_alloc(&h, 4096), .pdb = h_alloc(&h, 4096) };

	page[1] = h_alloc(&h, 4096);
	page[0] = h_alloc(&h, 4096);
	h_inst_write(&h, bar.inst, bar.pdb);
	for (unsigned int i = 0; i < 2; i++)
		h_map(&h, &bar, BUF_VA + i * 4096, 12, AP_VRAM, page[i], 0);
	hw_wr32(h.gpu, 0x001714, 0x80000000 | (uint32_t)(bar.inst >> 12));
	/* as nouveau's gp100_fault_buffer_init() does */
	hw_wr32(h.gpu, REG_HI, 0);
	hw_wr32(h.gpu, REG_LO, BUF_VA);
	hw_wr32(h.gpu, REG_LO, BUF_VA | 1);
}

static int setup(void **state)
{
	h_new(&h, NULL);
	h_space_new(&h, &s);
	enable();
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

static bool pending(void)
{
	return hw_rd32(h.gpu, 0x000100) & BIT(PMC_BIT_REPLAYABLE_FAULT);
}

static uint32_t word(unsigned int entry, unsigned int i)
{
	uint32_t off = entry * 32 + i * 4, v;

	memcpy(&v, h.gpu->vram + page[off / 4096] + off % 4096, 4);
	return v;
}

static bool post(uint64_t va)
{
	struct mmu_fault f = {
		.inst = s.inst, .inst_ap = AP_VRAM, .va = va, .access = MMU_WRITE, .type = MMU_FAULT_PTE,
		.client = GPC_CLIENT_T1_0, .gpc = 3, .engine = 0,
	};

	return fault_post_replayable(h.gpu, &f);
}

static void one_entry(void **state)
{
	struct mmu_fault f = {
		.inst = s.inst, .va = 0x123456789abcull, .access = MMU_ATOMIC, .type = MMU_FAULT_ATOMIC,
		.client = 0x55, .gpc = 0x11, .hub = true, .engine = 0x1f,
	};

	assert_int_equal(hw_rd32(h.gpu, REG_SIZE), 256);
	assert_false(pending());
	h.gpu->now_ns = 0x1122334455667788ull;
	assert_true(fault_post_replayable(h.gpu, &f));
	assert_int_equal(word(0, 0), (uint32_t)s.inst);
	assert_int_equal(word(0, 1), 0);
	assert_int_equal(word(0, 2), 0x56789000);
	assert_int_equal(word(0, 3), 0x1234);
	assert_int_equal(word(0, 4), 0x55667788);
	assert_int_equal(word(0, 5), 0x11223344);
	assert_int_equal(word(0, 6), 0x1f);
	assert_int_equal(word(0, 7), 0x80000000 | 0x11 << 24 | 1 << 20 | 2 << 16 | 0x55 << 8 | 0x0f);
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 1);
	assert_true(pending());
	hw_wr32(h.gpu, REG_GET, 1);
	assert_false(pending());
	assert_int_equal(h_count(&h, LEDGER_fault_replayable), 1);
	assert_int_equal(h_count(&h, LEDGER_fault_atomic), 1);
	/* an instance block in system memory says so */
	f.inst_ap = AP_SYS_COH;
	f.access = MMU_READ;
	assert_true(fault_post_replayable(h.gpu, &f));
	assert_int_equal(word(1, 0), (uint32_t)s.inst | 2 << 8);
	assert_int_equal(h_count(&h, LEDGER_fault_read), 1);
}

static void put_is_read_only(void **state)
{
	hw_wr32(h.gpu, REG_PUT, 17);
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 0);
}

static void wraps(void **state)
{
	for (unsigned int n = 0; n < 600; n++) {
		assert_true(post((uint64_t)n << 12));
		assert_int_equal(word(n % 256, 2), n << 12);
		assert_int_equal(hw_rd32(h.gpu, REG_PUT), (n + 1) % 256);
		assert_true(pending());
		hw_wr32(h.gpu, REG_GET, (n + 1) % 256);
		assert_false(pending());
	}
	assert_int_equal(h_count(&h, LEDGER_fault_write), 600);
	assert_int_equal(h_findings(&h), 0);
}

static void overflow_drops(void **state)
{
	for (unsigned int n = 0; n < 255; n++)
		assert_true(post((uint64_t)n << 12));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 255);
	/* one slot stays free: full and empty look different */
	assert_false(post(0xaaaa000));
	assert_false(post(0xbbbb000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 255);
	assert_int_equal(hw_rd32(h.gpu, REG_GET), 0);
	assert_int_equal(h_count(&h, LEDGER_fault_dropped), 2);
	assert_int_equal(h_count(&h, LEDGER_fault_replayable), 255);
	hw_wr32(h.gpu, REG_GET, 10);
	assert_true(post(0xcccc000));
	assert_int_equal(word(255, 2), 0xcccc000);
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 0);
}

static void disabled(void **state)
{
	assert_true(post(0x1000));
	hw_wr32(h.gpu, REG_LO, BUF_VA);
	assert_false(pending());
	assert_false(post(0x2000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 1);
	hw_wr32(h.gpu, REG_LO, BUF_VA | 1);
	assert_true(pending());
}

static void size_register(void **state)
{
	hw_wr32(h.gpu, REG_SIZE, 4);
	for (unsigned int n = 0; n < 3; n++)
		assert_true(post(0x1000));
	assert_false(post(0x1000));
	hw_wr32(h.gpu, REG_GET, 3);
	assert_true(post(0x1000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 0);
	/* sizes that make no sense hold nothing and hurt nobody */
	hw_wr32(h.gpu, REG_SIZE, 0);
	assert_false(post(0x1000));
	hw_wr32(h.gpu, REG_SIZE, 0xffffffff);
	assert_int_equal(hw_rd32(h.gpu, REG_SIZE), 0xfffff);
	hw_wr32(h.gpu, REG_GET, 0x7fffffff);
	post(0x1000);
}

static void unwritable(void **state)
{
	/* a BAR2 address without a page */
	hw_wr32(h.gpu, REG_LO, 0x900001);
	assert_false(post(0x1000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 0);
	assert_int_equal(h_count(&h, LEDGER_fault_dropped), 1);
	assert_false(pending());
}

static void physical_bar2(void **state)
{
	uint64_t at = h_alloc(&h, 8192);

	hw_wr32(h.gpu, 0x001714, 0);
	hw_wr32(h.gpu, REG_LO, (uint32_t)at | 1);
	assert_true(post(0x5000));
	assert_int_equal(h_vram64(&h, at + 8), 0x5000);
}

static void arm(enum inject_id id, uint64_t arg, uint64_t delay_us)
{
	struct inject_arm a = { .nth = 1, .count = 1, .arg = arg, .delay_us = delay_us };

	assert_int_equal(inject_arm(h.gpu, id, &a), 0);
}

static void injected_dup(void **state)
{
	arm(INJECT_fault_dup, 0, 0);
	assert_true(post(0x1000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 2);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(word(0, i), word(1, i));
	assert_true(post(0x2000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 3);
}

static void injected_reorder(void **state)
{
	arm(INJECT_fault_reorder, 0, 0);
	assert_true(post(0x1000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 0);
	assert_true(post(0x2000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 2);
	assert_int_equal(word(0, 2), 0x2000);
	assert_int_equal(word(1, 2), 0x1000);
	/* without a second fault the first comes alone, after a while */
	arm(INJECT_fault_reorder, 0, 0);
	assert_true(post(0x3000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 2);
	for (unsigned int i = 0; i < 100 && hw_rd32(h.gpu, REG_PUT) == 2; i++) {
		usleep(100);
		gpu_engine_step(h.gpu);
	}
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 3);
	assert_int_equal(word(2, 2), 0x3000);
}

static void injected_foreign(void **state)
{
	arm(INJECT_fault_foreign, 0x7777000, 0);
	assert_true(post(0x1000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 2);
	assert_int_equal(word(0, 0), 0x7777000);
	assert_int_equal(word(1, 0), (uint32_t)s.inst);
}

static void injected_overflow(void **state)
{
	arm(INJECT_fault_overflow, 0, 0);
	assert_false(post(0x1000));
	assert_int_equal(h_count(&h, LEDGER_fault_dropped), 1);
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 0);
	assert_true(post(0x1000));
}

static void injected_volta(void **state)
{
	struct inject_arm a = { .nth = 0, .count = 0 };

	assert_int_equal(inject_arm(h.gpu, INJECT_fault_overflow_volta, &a), 0);
	assert_true(post(0x1000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 1);
	arm(INJECT_fault_overflow, 0, 0);
	assert_false(post(0x2000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 0x80000001);
	assert_int_equal(hw_rd32(h.gpu, REG_GET), 0x80000000);
	/* room doesn't help until the status is cleared */
	hw_wr32(h.gpu, REG_GET, 1);
	assert_false(post(0x2000));
	hw_wr32(h.gpu, REG_GET, 0x80000001);
	assert_int_equal(hw_rd32(h.gpu, REG_GET), 1);
	assert_true(post(0x2000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 2);
}

static void injected_late_valid(void **state)
{
	arm(INJECT_fault_late_valid, 0, 500);
	assert_true(post(0x1000));
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 1);
	assert_true(pending());
	assert_int_equal(word(0, 7) >> 31, 0);
	gpu_engine_step(h.gpu);
	for (unsigned int i = 0; i < 100 && !(word(0, 7) >> 31); i++) {
		usleep(100);
		gpu_engine_step(h.gpu);
	}
	assert_int_equal(word(0, 7) >> 31, 1);
	assert_int_equal(word(0, 7) & 31, MMU_FAULT_PTE);
}

static void storm(void **state)
{
	for (unsigned int i = 0; i < 64; i++) {
		assert_true(post(0x123456789000ull));
		hw_wr32(h.gpu, REG_GET, hw_rd32(h.gpu, REG_PUT));
	}
	assert_int_equal(h_findings(&h), 0);
	/* the translation changes: a new count begins */
	h_set_pte(&h, &s, 0x123456789000ull, 12, 0x4000000);
	for (unsigned int i = 0; i < 64; i++)
		assert_true(post(0x123456789000ull));
	assert_int_equal(h_findings(&h), 0);
	assert_true(post(0x123456789000ull));
	assert_int_equal(san_count(h.gpu, SAN_fault_storm), 1);
}

/* A page that goes back and forth faults again and again; each time it was there in between. */
static void no_storm(void **state)
{
	struct mmu_xlat x;

	for (unsigned int i = 0; i < 300; i++) {
		h_set_pte(&h, &s, 0x123456789000ull, 12, 0);
		h_invalidate(&h, &s, 1);
		assert_true(post(0x123456789000ull));
		hw_wr32(h.gpu, REG_GET, hw_rd32(h.gpu, REG_PUT));
		h_map(&h, &s, 0x123456789000ull, 12, AP_VRAM, 0, 0);
		assert_int_equal(mmu_translate(h.gpu, &s.sp, TLB_GPC, CLIENT_SM_TEX, 0x123456789000ull, MMU_WRITE, &x),
				 MMU_OK);
	}
	assert_int_equal(h_findings(&h), 0);
}

static void fatal_records(void **state)
{
	struct mmu_fault f = {
		.inst = s.inst, .va = 0x123456789000ull, .access = MMU_WRITE, .type = MMU_FAULT_RO,
		.client = 0x06, .hub = true, .gpc = 0, .engine = 0x15,
	};
	const uint32_t rec = 0x2800 + 0x15 * 16;

	hw_wr32(h.gpu, 0x002140, 0x10000000);
	fault_post_fatal(h.gpu, &f);
	assert_int_equal(hw_rd32(h.gpu, 0x00259c), BIT(0x15));
	assert_int_equal(hw_rd32(h.gpu, 0x002100) & BIT(28), BIT(28));
	assert_true(hw_rd32(h.gpu, 0x000100) & BIT(PMC_BIT_FIFO));
	assert_int_equal(hw_rd32(h.gpu, rec), s.inst >> 12);
	assert_int_equal(hw_rd32(h.gpu, rec + 4), 0x56789000);
	assert_int_equal(hw_rd32(h.gpu, rec + 8), 0x1234);
	assert_int_equal(hw_rd32(h.gpu, rec + 12), 1 << 20 | 1 << 16 | 6 << 8 | 6);
	/* the next one of the unit waits until this one was read */
	f.va = 0x5000;
	fault_post_fatal(h.gpu, &f);
	assert_int_equal(hw_rd32(h.gpu, rec + 4), 0x56789000);
	hw_wr32(h.gpu, 0x00259c, BIT(0x15));
	assert_int_equal(hw_rd32(h.gpu, 0x00259c), BIT(0x15));
	assert_int_equal(hw_rd32(h.gpu, rec + 4), 0x5000);
	hw_wr32(h.gpu, 0x00259c, BIT(0x15));
	assert_int_equal(hw_rd32(h.gpu, 0x00259c), 0);
	assert_int_equal(hw_rd32(h.gpu, 0x002100) & BIT(28), 0);
	/* other units don't wait */
	f.engine = 6;
	fault_post_fatal(h.gpu, &f);
	f.engine = 7;
	fault_post_fatal(h.gpu, &f);
	assert_int_equal(hw_rd32(h.gpu, 0x00259c), BIT(6) | BIT(7));
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 4);
	/* more than anybody reads: lost, not a loop */
	for (unsigned int i = 0; i < 20; i++)
		fault_post_fatal(h.gpu, &f);
	for (unsigned int i = 0; i < 20; i++)
		hw_wr32(h.gpu, 0x00259c, 0xffffffff);
	assert_int_equal(hw_rd32(h.gpu, 0x00259c), 0);
}

static void reset(void **state)
{
	struct mmu_fault f = { .inst = s.inst, .engine = 3 };

	assert_true(post(0x1000));
	fault_post_fatal(h.gpu, &f);
	gpu_reset(h.gpu);
	assert_int_equal(hw_rd32(h.gpu, REG_PUT), 0);
	assert_int_equal(hw_rd32(h.gpu, REG_LO), 0);
	assert_int_equal(hw_rd32(h.gpu, REG_SIZE), 256);
	assert_false(pending());
	assert_int_equal(hw_rd32(h.gpu, 0x00259c), 0);
	assert_false(post(0x1000));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(one_entry), T(put_is_read_only), T(wraps), T(overflow_drops), T(disabled), T(size_register),
		T(unwritable), T(physical_bar2), T(injected_dup), T(injected_reorder), T(injected_foreign),
		T(injected_overflow), T(injected_volta), T(injected_late_valid), T(storm), T(no_storm), T(fatal_records), T(reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
