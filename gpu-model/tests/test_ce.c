// SPDX-License-Identifier: MIT
/* Copy engines: every launch form against a naive copy, remapping, semaphores, faults, injections. */
#include <stdlib.h>

#include "chan_harness.h"

#define SRC (C_DATA + 0x1000)
#define DST (C_DATA + 0x20000)
#define PIPELINED 1u
#define NON_PIPELINED 2u
#define FLUSH BIT(2)
#define SEM_ONE (1u << 3)
#define SEM_FOUR (2u << 3)
#define INTR_BLOCKING (1u << 5)
#define INTR_NON_BLOCKING (2u << 5)
#define PITCH (BIT(7) | BIT(8))
#define MULTI BIT(9)
#define REMAP BIT(10)
#define SRC_PHYS BIT(12)
#define DST_PHYS BIT(13)

static struct harness h;
static struct chan c;

static int setup(void **state)
{
	h_new(&h, NULL);
	c_start(&h, &c, 5, 0);
	p_1(&c, 4, 0, 0xc1b5);
	for (uint32_t i = 0; i < 0x10000; i++)
		h.gpu->vram[c.data + 0x1000 + i] = i * 7 + (i >> 8);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

static uint8_t src(uint32_t i)
{
	return h.gpu->vram[c.data + 0x1000 + i];
}

static uint8_t dst(uint32_t i)
{
	return h.gpu->vram[c.data + 0x20000 + i];
}

static void addresses(uint64_t from, uint64_t to)
{
	p_inc(&c, 4, 0x400, 4);
	p(&c, from >> 32);
	p(&c, (uint32_t)from);
	p(&c, to >> 32);
	p(&c, (uint32_t)to);
}

static void geometry(uint32_t pitch_in, uint32_t pitch_out, uint32_t len, uint32_t lines)
{
	p_inc(&c, 4, 0x410, 4);
	p(&c, pitch_in);
	p(&c, pitch_out);
	p(&c, len);
	p(&c, lines);
}

static void launch(uint32_t flags)
{
	p_1(&c, 4, 0x300, flags);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
}

static void one_line(void **state)
{
	addresses(SRC + 1, DST + 3);
	geometry(0, 0, 0x8765, 0);
	launch(NON_PIPELINED | FLUSH | PITCH);
	for (uint32_t i = 0; i < 0x8765; i++)
		assert_int_equal(dst(i + 3), src(i + 1));
	assert_int_equal(dst(2), 0);
	assert_int_equal(dst(0x8768), 0);
	assert_int_equal(h_count(&h, LEDGER_ce_launch), 1);
	assert_int_equal(h_count(&h, LEDGER_ce_bytes_vram_to_vram), 0x8765);
}

static void lines(void **state)
{
	addresses(SRC, DST);
	geometry(300, 500, 257, 33);
	launch(PIPELINED | PITCH | MULTI);
	for (uint32_t y = 0; y < 33; y++)
		for (uint32_t x = 0; x < 500; x++)
			assert_int_equal(dst(y * 500 + x), x < 257 ? src(y * 300 + x) : 0);
	assert_int_equal(h_count(&h, LEDGER_ce_bytes_vram_to_vram), 257 * 33);
}

/* A negative pitch walks upwards. */
static void upwards(void **state)
{
	addresses(SRC + 9 * 64, DST);
	geometry(-64u, 64, 64, 10);
	launch(PIPELINED | PITCH | MULTI);
	for (uint32_t y = 0; y < 10; y++)
		for (uint32_t x = 0; x < 64; x++)
			assert_int_equal(dst(y * 64 + x), src((9 - y) * 64 + x));
}

static void contiguous_lines(void **state)
{
	addresses(SRC, DST);
	geometry(4096, 4096, 4096, 16);
	launch(PIPELINED | PITCH | MULTI);
	for (uint32_t i = 0; i < 0x10000; i++)
		assert_int_equal(dst(i), src(i));
	assert_int_equal(h_count(&h, LEDGER_ce_bytes_vram_to_vram), 0x10000);
}

static void physical_to_system_and_back(void **state)
{
	p_1(&c, 4, 0x260, 0);
	p_1(&c, 4, 0x264, 1);
	addresses(c.data + 0x1000, H_IOVA + 0x100);
	geometry(0, 0, 0x3000, 1);
	launch(PIPELINED | PITCH | SRC_PHYS | DST_PHYS);
	for (uint32_t i = 0; i < 0x3000; i++)
		assert_int_equal(h.sys[0x100 + i], src(i));
	p_1(&c, 4, 0x260, 2);
	addresses(H_IOVA + 0x100, DST);
	launch(PIPELINED | PITCH | SRC_PHYS);
	for (uint32_t i = 0; i < 0x3000; i++)
		assert_int_equal(dst(i), src(i));
	p_1(&c, 4, 0x264, 2);
	addresses(H_IOVA + 0x100, H_IOVA + 0x8000);
	launch(PIPELINED | PITCH | SRC_PHYS | DST_PHYS);
	assert_memory_equal(h.sys + 0x100, h.sys + 0x8000, 0x3000);
	assert_int_equal(h_count(&h, LEDGER_ce_bytes_vram_to_sys), 0x3000);
	assert_int_equal(h_count(&h, LEDGER_ce_bytes_sys_to_vram), 0x3000);
	assert_int_equal(h_count(&h, LEDGER_ce_bytes_sys_to_sys), 0x3000);
	assert_int_equal(h_findings(&h), 0);
}

/* What nouveau's dmem clears pages with: constants A and B, two components of four bytes. */
static void clear(void **state)
{
	memset(h.gpu->vram + c.data + 0x20000, 0xee, 0x3000);
	p_inc(&c, 4, 0x700, 3);
	p(&c, 0x11223344);
	p(&c, 0x55667788);
	p(&c, 1u << 24 | 3u << 16 | 5 << 4 | 4);
	addresses(0, DST);
	geometry(0, 0, 0x2000 / 8, 1);
	launch(PIPELINED | PITCH | REMAP);
	for (uint32_t i = 0; i < 0x2000; i += 8) {
		assert_int_equal(c_data(&c, 0x20000 + i), 0x11223344);
		assert_int_equal(c_data(&c, 0x20004 + i), 0x55667788);
	}
	assert_int_equal(dst(0x2000), 0xee);
	assert_int_equal(h_count(&h, LEDGER_ce_bytes_set), 0x2000);
}

/* Every component size and number, with sources, constants and holes. */
static void remap(void **state)
{
	uint32_t konst[2] = { 0xa1a2a3a4, 0xb1b2b3b4 };

	srand(1);
	for (unsigned int k = 0; k < 200; k++) {
		uint32_t cs = rand() % 4 + 1, ns = rand() % 4 + 1, nd = rand() % 4 + 1, sel[4], w, n = 50,
			 rows = rand() % 3 + 1;

		w = (cs - 1) << 16 | (ns - 1) << 20 | (nd - 1) << 24;
		for (unsigned int i = 0; i < 4; i++) {
			sel[i] = rand() % 7;
			if (sel[i] < 4)
				sel[i] %= ns;
			w |= sel[i] << (4 * i);
		}
		memset(h.gpu->vram + c.data + 0x20000, 0x5a, 0x4000);
		c.at = c.start = 0;
		p_inc(&c, 4, 0x700, 3);
		p(&c, konst[0]);
		p(&c, konst[1]);
		p(&c, w);
		addresses(SRC, DST);
		geometry(1024, 2048, n, rows);
		launch(NON_PIPELINED | PITCH | REMAP | MULTI);
		for (uint32_t y = 0; y < rows; y++)
			for (uint32_t x = 0; x < n; x++)
				for (uint32_t i = 0; i < nd * cs; i++) {
					uint32_t s = sel[i / cs], b = i % cs, want;

					if (s < 4)
						want = src(y * 1024 + x * ns * cs + s * cs + b);
					else if (s == 6)
						want = 0x5a;
					else
						want = konst[s - 4] >> (8 * b) & 0xff;
					assert_int_equal(dst(y * 2048 + x * nd * cs + i), want);
				}
		assert_int_equal(dst(n * nd * cs), 0x5a);
	}
}

static void semaphores(void **state)
{
	p_inc(&c, 4, 0x240, 3);
	p(&c, C_DATA >> 32);
	p(&c, (uint32_t)C_DATA);
	p(&c, 0x42);
	addresses(SRC, DST);
	geometry(0, 0, 16, 1);
	launch(PIPELINED | PITCH | SEM_ONE);
	assert_int_equal(c_data(&c, 0), 0x42);
	assert_int_equal(c_data(&c, 8), 0);
	p_1(&c, 4, 0x248, 0x43);
	launch(SEM_FOUR);	/* no transfer */
	assert_int_equal(c_data(&c, 0), 0x43);
	assert_true(h_vram64(&h, c.data + 8) > 0);
	/* reduction: unsigned add */
	p_1(&c, 4, 0x248, 7);
	launch(SEM_ONE | BIT(19) | 5u << 14 | BIT(18));
	assert_int_equal(c_data(&c, 0), 0x4a);
	assert_int_equal(h_count(&h, LEDGER_semaphore_release), 3);
}

static void interrupts(void **state)
{
	addresses(SRC, DST);
	geometry(0, 0, 16, 1);
	launch(PIPELINED | PITCH | INTR_NON_BLOCKING);
	assert_int_equal(reg(&c, 0x002100) & BIT(31), BIT(31));
	p_1(&c, 4, 0x300, PIPELINED | PITCH | INTR_BLOCKING);
	p_1(&c, 4, 0x300, PIPELINED | PITCH);
	p_kick(&c);
	assert_int_not_equal(gpu_run(h.gpu, 200), STEP_IDLE);
	assert_int_equal(reg(&c, 0x104410), 1);
	assert_int_equal(h_count(&h, LEDGER_ce_launch), 2);
	regw(&c, 0x104410, 1);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(h_count(&h, LEDGER_ce_launch), 3);
}

static void render_enable(void **state)
{
	addresses(SRC, DST);
	geometry(0, 0, 16, 1);
	p_inc(&c, 4, 0x254, 3);
	p(&c, C_DATA >> 32);
	p(&c, (uint32_t)C_DATA);
	p(&c, 0);
	launch(PIPELINED | PITCH);
	assert_int_equal(dst(1), 0);
	p_1(&c, 4, 0x25c, 2);	/* conditional: zero in memory */
	launch(PIPELINED | PITCH);
	assert_int_equal(dst(1), 0);
	c_wr(&c, c.data, 1);
	launch(PIPELINED | PITCH);
	assert_int_equal(dst(1), src(1));
}

static void expect_fault(uint64_t va, unsigned int access)
{
	uint32_t unit = h.gpu->fifo->engine[1].fault_id, type = reg(&c, 0x00280c + 16 * unit);

	assert_int_equal(reg(&c, 0x00259c), BIT(unit));
	assert_int_equal(reg(&c, 0x002804 + 16 * unit), (uint32_t)va & ~0xfffu);
	assert_int_equal(type >> 16 & 7, access);
	assert_int_equal(type >> 20 & 1, 1);
	assert_int_equal(type >> 8 & 0x7f, 0x18);	/* GR_CE */
	/* busy, faulted, with its channel */
	assert_int_equal(reg(&c, 0x002640 + 8 * 1) & 0xc0003fff, 0xc0000000u | 1 << 13 | 1 << 12 | c.tsg);
	assert_int_equal(h_count(&h, LEDGER_channel_reset), 1);
}

static void source_fault(void **state)
{
	addresses(0x30000000, DST);
	geometry(0, 0, 16, 1);
	launch(PIPELINED | PITCH);
	expect_fault(0x30000000, 0);
}

/*
 * Copies over pages that lie anyhow in VRAM and system memory, some of them watched, read-only, sparse or
 * not there, against a copy byte by byte.
 */
static void scattered_pages(void **state)
{
	enum { PAGES = 64, HOLE = 50 };
	static uint8_t want[PAGES * 4096];
	uint64_t va[2] = { 0x40000000, 0x50000000 }, pool = h_alloc(&h, 2 * PAGES * 4096);
	uint8_t *at[2][PAGES];
	uint64_t moved = 0, watched = 0;

	srand(5);
	for (unsigned int side = 0; side < 2; side++) {
		for (unsigned int i = 0; i < PAGES; i++) {
			/* neighbours often, so that there are long runs too */
			unsigned int n = i % 8 < 5 ? i : (i & ~7u) + 5 + (i % 8 - 4) % 3;
			uint64_t off = (side * PAGES + n) * 4096;
			bool vram = (i / 16 + side) & 1;

			at[side][i] = vram ? h.gpu->vram + pool + off : h.sys + off;
			if (i == HOLE)
				continue;
			if (side == 0 && i == 20) {
				h_set_pte(&h, &c.s, va[0] + i * 4096, 12, PTE_VOL);
				at[0][i] = NULL;
				continue;
			}
			h_map(&h, &c.s, va[side] + i * 4096, 12, vram ? AP_VRAM : AP_SYS_COH,
			      vram ? pool + off : H_IOVA + off, side == 1 && i == 45 ? PTE_RO : 0);
		}
	}
	san_watch(h.gpu, AP_VRAM, pool + 17 * 4096, 4096, true);
	san_watch(h.gpu, AP_SYS_COH, H_IOVA + (PAGES + 17) * 4096, 4096, true);
	for (unsigned int k = 0; k < 100; k++) {
		uint32_t from = rand() % (40 * 4096), to = rand() % (40 * 4096), len = rand() % (5 * 4096) + 1;

		if (from + len > 45 * 4096)
			from = 45 * 4096 - len;
		if (to + len > 45 * 4096)
			to = 45 * 4096 - len;
		for (uint32_t i = 0; i < PAGES * 4096; i++) {
			uint32_t p = i / 4096;

			if (at[0][p])
				at[0][p][i % 4096] = rand();
		}
		for (unsigned int p = 0; p < PAGES; p++)
			memset(at[1][p], 0x77, 4096);
		memset(want, 0x77, sizeof(want));
		for (uint32_t i = 0; i < len; i++) {
			uint8_t *s = at[0][(from + i) / 4096];

			want[to + i] = s ? s[(from + i) % 4096] : 0;
		}
		c.at = c.start = 0;
		addresses(va[0] + from, va[1] + to);
		geometry(0, 0, len, 1);
		launch(PIPELINED | PITCH);
		moved += len;
		for (unsigned int p = 0; p < PAGES; p++)
			if (p != HOLE)
				assert_memory_equal(at[1][p], want + p * 4096, 4096);
	}
	assert_int_equal(h_count(&h, LEDGER_ce_bytes_vram_to_vram) + h_count(&h, LEDGER_ce_bytes_vram_to_sys) +
				 h_count(&h, LEDGER_ce_bytes_sys_to_vram) + h_count(&h, LEDGER_ce_bytes_sys_to_sys),
			 moved);
	watched = san_count(h.gpu, SAN_watched_access);
	assert_true(watched > 0);
	assert_int_equal(h_findings(&h), watched);
	/* all that is before the read-only page is written, nothing of it or behind it */
	memset(at[1][44], 0x77, 4096);
	memset(at[1][45], 0x77, 4096);
	memset(at[0][1], 0x66, 4096);
	addresses(va[0] + 4096, va[1] + 44 * 4096 + 100);
	geometry(0, 0, 8192, 1);
	launch(PIPELINED | PITCH);
	assert_int_equal(at[1][44][99], 0x77);
	assert_int_equal(at[1][44][100], 0x66);
	assert_int_equal(at[1][44][4095], 0x66);
	assert_int_equal(at[1][45][0], 0x77);
	expect_fault(va[1] + 45 * 4096, 1);
	assert_int_equal(reg(&c, 0x00280c + 16 * h.gpu->fifo->engine[1].fault_id) & 0x1f, MMU_FAULT_RO);
}

/* A stale translation is used as long as no invalidate has come, in a long copy as in a short one. */
static void stale_pages(void **state)
{
	uint64_t old = h_alloc(&h, 32 * 4096), now = h_alloc(&h, 32 * 4096);

	memset(h.gpu->vram + old, 1, 32 * 4096);
	memset(h.gpu->vram + now, 2, 32 * 4096);
	for (unsigned int i = 0; i < 32; i++)
		h_map(&h, &c.s, 0x40000000 + i * 4096, 12, AP_VRAM, old + i * 4096, 0);
	/* two pages become known to the TLB */
	addresses(0x40000000 + 7 * 4096, DST);
	geometry(0, 0, 2 * 4096, 1);
	launch(PIPELINED | PITCH);
	for (unsigned int i = 0; i < 32; i++)
		h_map(&h, &c.s, 0x40000000 + i * 4096, 12, AP_VRAM, now + i * 4096, 0);
	addresses(0x40000000, DST);
	geometry(0, 0, 16 * 4096, 1);
	launch(PIPELINED | PITCH);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(dst(i * 4096 + 5), i == 7 || i == 8 ? 1 : 2);
	h_invalidate(&h, &c.s, 1);
	launch(PIPELINED | PITCH);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(dst(i * 4096 + 5), 2);
}

/* The fault comes at the first byte that does not translate; what is before has been written. */
static void destination_fault(void **state)
{
	addresses(SRC, C_DATA + C_DATA_SIZE - 32);
	geometry(0, 0, 64, 1);
	launch(PIPELINED | PITCH);
	expect_fault(C_DATA + C_DATA_SIZE, 1);
	assert_int_equal(h.gpu->vram[c.data + C_DATA_SIZE - 1], src(31));
	/* nouveau's recovery: block, disable, reset the engine, runlist without the channel, clear, allow */
	regw(&c, 0x002630, 1);
	regw(&c, 0x800004 + c.id * 8, 0x800);
	fifo_engine_reset(h.gpu, fifo_engine(h.gpu, 1));
	c_runlist(&h, 0, NULL, 0);
	regw(&c, 0x00262c, 1);
	regw(&c, 0x002630, 0);
	assert_int_equal(reg(&c, 0x002640 + 8) & 0xe000f000, 0);
	/* another channel goes on */
	{
		struct chan d, *list[1] = { &d };

		c_new(&h, &d, 6, 0);
		c_runlist(&h, 0, list, 1);
		p_sema(&d, 0, 1, SEM_REL4);
		p_kick(&d);
		assert_int_equal(c_run(&d), STEP_IDLE);
		assert_int_equal(c_data(&d, 0), 1);
	}
}

static void injected_error(void **state)
{
	struct inject_arm arm = { .nth = 2, .count = 1 };

	addresses(SRC, DST);
	geometry(0, 0, 16, 1);
	inject_arm(h.gpu, INJECT_ce_error, &arm);
	launch(PIPELINED | PITCH);
	assert_int_equal(dst(1), src(1));
	assert_int_equal(reg(&c, 0x00259c), 0);
	launch(PIPELINED | PITCH);
	assert_int_equal(reg(&c, 0x00259c), BIT(h.gpu->fifo->engine[1].fault_id));
}

static void injected_on_range(void **state)
{
	struct inject_arm arm = { .count = 1, .addr = DST + 0x100, .len = 16, .arg = 1 };

	inject_arm(h.gpu, INJECT_ce_error, &arm);
	addresses(SRC, DST);
	geometry(0, 0, 0x100, 1);
	launch(PIPELINED | PITCH);
	assert_int_equal(reg(&c, 0x104410), 0);
	geometry(0, 0, 0x101, 1);
	launch(PIPELINED | PITCH);
	assert_int_equal(reg(&c, 0x104410), 4);
	assert_int_equal(reg(&c, 0x104418), 0xd);
	assert_int_equal(dst(0x100), 0);
}

static void hang_and_link(void **state)
{
	struct inject_arm arm = { .arg = 1 };

	addresses(SRC, DST);
	geometry(0, 0, 16, 1);
	inject_arm(h.gpu, INJECT_engine_hang, &arm);
	p_1(&c, 4, 0x300, PIPELINED | PITCH);
	p_kick(&c);
	assert_int_equal(gpu_run(h.gpu, 50), STEP_POLL);
	assert_int_equal(dst(1), 0);
	/* a preempt does not come through */
	regw(&c, 0x002634, 1u << 24 | c.tsg);
	gpu_run(h.gpu, 50);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), BIT(20));
	inject_disarm(h.gpu, INJECT_engine_hang);
	gpu_run(h.gpu, 50);
	assert_int_equal(reg(&c, 0x002634) & BIT(20), 0);
	assert_int_equal(dst(1), src(1));
	/* 5 ms for one launch */
	arm = (struct inject_arm){ .launch_us = 5000, .rate_gbps = 1 };
	inject_arm(h.gpu, INJECT_link, &arm);
	p_1(&c, 4, 0x300, PIPELINED | PITCH);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	gpu_run(h.gpu, 20);
	assert_int_equal(c_data(&c, 0), 0);
	usleep(6000);
	gpu_run(h.gpu, 200);
	assert_int_equal(c_data(&c, 0), 1);
}

static void illegal_class_and_method(void **state)
{
	p_1(&c, 4, 0x2fc, 0);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(reg(&c, 0x104410), 4);
	regw(&c, 0x104410, 4);
	p_1(&c, 4, 0, 0xa0b5);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(reg(&c, 0x104410), 4);
}

/* Registers of a copy survive a switch to another channel of the same engine. */
static void state_is_the_channels(void **state)
{
	struct chan d, *list[2] = { &c, &d };

	c_new(&h, &d, 6, 0);
	c_runlist(&h, 0, list, 2);
	addresses(SRC, DST);
	geometry(0, 0, 16, 1);
	p_kick(&c);
	c_run(&c);
	p_1(&d, 4, 0, 0xc0b5);
	p_1(&d, 4, 0x418, 99);
	p_kick(&d);
	c_run(&d);
	launch(PIPELINED | PITCH);
	assert_int_equal(dst(15), src(15));
	assert_int_equal(dst(16), 0);
}

static unsigned int target(const struct chan *k)
{
	return h_vram64(&h, k->s.inst + 0xac) & 0x1f;	/* NV_RAMFC_TARGET_ENGINE */
}

/* Graphics gets no method while a copy of the same channel is under way, another channel's does. */
static void copy_then_graphics(void **state)
{
	struct inject_arm arm = { .arg = 1 };
	struct chan d, *list[2] = { &c, &d };

	c_new(&h, &d, 6, 0);
	c_runlist(&h, 0, list, 2);
	objects(&c);
	p_1(&d, 0, 0, 0xc197);
	addresses(SRC, DST);
	geometry(0, 0, 16, 1);
	inject_arm(h.gpu, INJECT_engine_hang, &arm);
	p_1(&c, 4, 0x300, PIPELINED | PITCH);
	/* a host method asks for no engine */
	p_sema(&c, 0, 1, SEM_REL4_NOWFI);
	report(&c, 0, C_DATA + 0x10, 2, BIT(28));
	p_kick(&c);
	gpu_run(h.gpu, 50);
	assert_int_equal(c_data(&c, 0), 1);
	/* off the PBDMA and back: it is known still which engine works */
	report(&d, 0, C_DATA + 0x10, 3, BIT(28));
	p_kick(&d);
	for (unsigned int i = 0; i < 100 && !c_data(&d, 0x10); i++) {
		usleep(1000);
		gpu_run(h.gpu, 50);
	}
	assert_int_equal(c_data(&d, 0x10), 3);
	gpu_run(h.gpu, 50);
	assert_int_equal(c_data(&c, 0x10), 0);
	assert_int_equal(dst(15), 0);
	inject_disarm(h.gpu, INJECT_engine_hang);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(dst(15), src(15));
	assert_int_equal(c_data(&c, 0x10), 2);
	assert_int_equal(target(&c), 0);
}

/* A copy of what a grid of the same channel writes */
static void graphics_then_copy(void **state)
{
	struct code k;

	objects(&c);
	store_kernel(&k, SRC, 0x1234abcd);
	grid(&c, &k);
	addresses(SRC, DST);
	geometry(0, 0, 4, 1);
	launch(PIPELINED | PITCH);
	assert_int_equal(c_data(&c, 0x20000), 0x1234abcd);
	assert_int_equal(target(&c), 1);
	/* what Host does itself, and SET_OBJECT, which goes no further than Host here, change nothing */
	p_1(&c, 0, 0, 0xc197);
	p_1(&c, 4, 0, 0xc1b5);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	assert_int_equal(c_run(&c), STEP_IDLE);
	assert_int_equal(target(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    T(one_line),
	    T(lines),
	    T(upwards),
	    T(contiguous_lines),
	    T(physical_to_system_and_back),
	    T(clear),
	    T(remap),
	    T(semaphores),
	    T(interrupts),
	    T(render_enable),
	    T(source_fault),
	    T(scattered_pages),
	    T(stale_pages),
	    T(destination_fault),
	    T(injected_error),
	    T(injected_on_range),
	    T(hang_and_link),
	    T(illegal_class_and_method),
	    T(state_is_the_channels),
	    T(copy_then_graphics),
	    T(graphics_then_copy),
	};

	return cmocka_run_group_tests_name("ce", tests, NULL, NULL);
}
