// SPDX-License-Identifier: MIT
/*
 * Macros: arithmetic, branches with and without delay slot, parameters that come
 * late, errors; and the recorded method streams of stock Mesa, whose macros run.
 */
#include <stdlib.h>

#include "chan_harness.h"

static struct harness h;
static struct chan c;

static int setup(void **state)
{
	h_new(&h, NULL);
	c_start(&h, &c, 3, 0);
	p_1(&c, 0, 0, 0xc197);
	p_kick(&c);
	c_run(&c);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

/* Instructions: envytools envydis/macro.c */
enum { ADD = 0, ADC = 1, SUB = 2, SBB = 3, XOR = 8, OR = 9, AND = 10, ANDN = 11, NAND = 12 };
enum { IGN = 0, MOV = 1, MADDR = 2, PARMSEND = 3, SEND = 4, PARMADDR = 5, MADDRPARMSEND = 6, MADDRSEND = 7 };
#define EXIT 0x80u
#define ALU(op, dst, r, a, b) ((op) << 17 | (b) << 14 | (a) << 11 | (r) << 8 | (dst) << 4)
#define ADDI(dst, r, a, imm) ((uint32_t)(imm) << 14 | (a) << 11 | (r) << 8 | (dst) << 4 | 1)
#define INS(dst, r, a, b, sp, sz, dp) ((uint32_t)(dp) << 27 | (sz) << 22 | (sp) << 17 | (b) << 14 | (a) << 11 | (r) << 8 | (dst) << 4 | 2)
#define SHL_D(dst, r, a, b, sz, dp) ((uint32_t)(dp) << 27 | (sz) << 22 | (b) << 14 | (a) << 11 | (r) << 8 | (dst) << 4 | 3)
#define SHL_R(dst, r, a, b, sp, sz) ((sz) << 22 | (sp) << 17 | (b) << 14 | (a) << 11 | (r) << 8 | (dst) << 4 | 4)
#define READ(r, a, imm) ((uint32_t)(imm) << 14 | (a) << 11 | (r) << 8 | 0x15)
#define BRA(flags, a, off) ((uint32_t)(off) << 14 | (a) << 11 | (flags) | 7)
#define NZ 0x10u
#define ANNUL 0x20u
#define PARM(r) (1u | (r) << 8)
#define NOP 0x11u
/* SET_MME_SHADOW_SCRATCH(32) and up: where results are sent */
#define OUT 0x3480u

static void upload(const uint32_t *code, unsigned int n, unsigned int macro, uint32_t at)
{
	p_inc(&c, 0, 0x11c, 2);
	p(&c, macro);
	p(&c, at);
	p(&c, 5u << 29 | (n + 1) << 16 | 0x114 >> 2);
	p(&c, at);
	for (unsigned int i = 0; i < n; i++)
		p(&c, code[i]);
}

static uint32_t out(unsigned int i)
{
	return h.gpu->gr->ctx.m3d[OUT / 4 + i];
}

static void run(const uint32_t *code, unsigned int n, const uint32_t *params, unsigned int np)
{
	upload(code, n, 5, 16);
	for (unsigned int i = 0; i < np; i++)
		p_1(&c, 0, 0x3800 + 5 * 8 + (i ? 4 : 0), params[i]);
	p_kick(&c);
	if (c_run(&c) != STEP_IDLE)
		fail_msg("%08x: intr %08x trap %08x pbdma %08x mme %u send %x=%x", code[2], reg(&c, 0x400100), reg(&c, 0x400108),
			reg(&c, 0x040108), h.gpu->gr->ctx.mme.active, h.gpu->gr->ctx.mme.send_addr, h.gpu->gr->ctx.mme.send_valid);
}

static uint32_t one(uint32_t insn, uint32_t a, uint32_t b)
{
	uint32_t code[] = {
		PARM(2),
		ADDI(MADDR, 0, 0, OUT / 4),
		insn,		/* r3 = r1 op r2 */
		ALU(ADD, SEND, 0, 3, 0) | EXIT,
		NOP,
	};
	uint32_t params[] = { a, b };

	c.at = c.start = 0;
	run(code, ARRAY_SIZE(code), params, 2);
	if (h.gpu->gr->ctx.mme.active || reg(&c, 0x400108))
		fail_msg("%08x: trap %08x, macro %x at %x", insn, reg(&c, 0x400108), reg(&c, 0x404490), reg(&c, 0x404494));
	return out(0);
}

static void arithmetic(void **state)
{
	static const uint32_t v[] = { 0, 1, 2, 31, 0x7fffffff, 0x80000000, 0xffffffff, 0x12345678 };

	for (unsigned int i = 0; i < ARRAY_SIZE(v); i++)
		for (unsigned int k = 0; k < ARRAY_SIZE(v); k++) {
			uint32_t a = v[i], b = v[k];

			assert_int_equal(one(ALU(ADD, MOV, 3, 1, 2), a, b), a + b);
			assert_int_equal(one(ALU(SUB, MOV, 3, 1, 2), a, b), a - b);
			assert_int_equal(one(ALU(XOR, MOV, 3, 1, 2), a, b), a ^ b);
			assert_int_equal(one(ALU(OR, MOV, 3, 1, 2), a, b), a | b);
			assert_int_equal(one(ALU(AND, MOV, 3, 1, 2), a, b), a & b);
			assert_int_equal(one(ALU(ANDN, MOV, 3, 1, 2), a, b), a & ~b);
			assert_int_equal(one(ALU(NAND, MOV, 3, 1, 2), a, b), ~(a & b));
			assert_int_equal(one(ADDI(MOV, 3, 1, -5), a, b), a - 5);
			assert_int_equal(one(INS(MOV, 3, 1, 2, 4, 8, 12), a, b), (a & ~0xff000u) | (b >> 4 & 0xff) << 12);
			assert_int_equal(one(SHL_D(MOV, 3, 1, 2, 8, 4), a, b), a > 31 ? 0 : (b >> a & 0xff) << 4);
			assert_int_equal(one(SHL_R(MOV, 3, 1, 2, 4, 8), a, b), a > 31 ? 0 : (b >> 4 & 0xff) << a);
		}
}

/* 64-bit add and subtract by carry */
static void carry(void **state)
{
	uint32_t code[] = {
		PARM(2), PARM(3), PARM(4),
		ADDI(MADDR, 0, 0, (OUT / 4) | 1 << 12),
		ALU(ADD, SEND, 0, 1, 3), ALU(ADC, SEND, 0, 2, 4),
		ALU(SUB, SEND, 0, 1, 3), ALU(SBB, SEND, 0, 2, 4) | EXIT,
		NOP,
	};
	uint32_t params[] = { 0x80000001, 5, 0x90000000, 2 };

	run(code, ARRAY_SIZE(code), params, 4);
	assert_int_equal(out(0), 0x10000001);
	assert_int_equal(out(1), 8);
	assert_int_equal(out(2), 0xf0000001);
	assert_int_equal(out(3), 2);
}

/* A loop counts down; the delay slot runs also when the branch is taken, an annulled one doesn't. */
static void loops(void **state)
{
	uint32_t code[] = {
		ADDI(MADDR, 0, 0, OUT / 4),
		ADDI(MOV, 2, 2, 3),			/* loop: */
		ADDI(MOV, 1, 1, -1),
		BRA(NZ | ANNUL, 1, -2),
		BRA(0, 0, 2),				/* always: r0 is zero */
		ADDI(MOV, 2, 2, 100),			/* its delay slot */
		ALU(ADD, SEND, 0, 2, 0) | EXIT,
		NOP,
	};
	uint32_t params[] = { 7 };

	run(code, ARRAY_SIZE(code), params, 1);
	assert_int_equal(out(0), 121);
}

static void destinations(void **state)
{
	uint32_t code[] = {
		ADDI(MADDR, 2, 0, (OUT / 4) | 2 << 12),	/* r2 = address, step 2 */
		ALU(ADD, PARMSEND, 3, 1, 0),		/* send r1, r3 = parameter */
		ALU(ADD, SEND, 0, 3, 0),
		ADDI(MADDRPARMSEND, 0, 0, (OUT / 4 + 8) | 1 << 12),	/* and send a parameter */
		ADDI(MADDRSEND, 0, 0, (OUT / 4 + 10) | 5 << 12),	/* and send bits 17:12 */
		READ(4, 0, OUT / 4),
		ALU(ADD, SEND, 0, 4, 0) | EXIT,
		NOP,
	};
	uint32_t params[] = { 0x11, 0x22, 0x33 };

	run(code, ARRAY_SIZE(code), params, 3);
	assert_int_equal(out(0), 0x11);
	assert_int_equal(out(2), 0x22);
	assert_int_equal(out(8), 0x33);
	assert_int_equal(out(10), 5);
	assert_int_equal(out(15), 0x11);
}

/* A parameter that comes in a later push, after other channels' work and a context switch. */
static void late_parameter(void **state)
{
	uint32_t code[] = {
		PARM(2),
		ADDI(MADDR, 0, 0, OUT / 4),
		ALU(ADD, SEND, 0, 1, 2) | EXIT,
		NOP,
	};
	uint32_t params[] = { 40 };
	struct chan d;

	run(code, ARRAY_SIZE(code), params, 1);
	assert_int_equal(h.gpu->gr->ctx.mme.active, 1);
	c_new(&h, &d, 4, 0);
	c_runlist(&h, 0, (struct chan *[]){ &c, &d }, 2);
	p_1(&d, 0, 0, 0xc197);
	p_kick(&d);
	c_run(&d);
	assert_int_equal(h.gpu->gr->ctx.mme.active, 0);
	p_1(&c, 0, 0x3800 + 5 * 8 + 4, 2);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(out(0), 42);
	assert_int_equal(h.gpu->gr->ctx.mme.active, 0);
}

static void errors(void **state)
{
	uint32_t few[] = { PARM(2), NOP | EXIT, NOP }, bad[] = { 0x16 };
	uint32_t params[] = { 1 };

	run(few, ARRAY_SIZE(few), params, 1);
	p_1(&c, 0, 0x3800 + 5 * 8, 1);
	p_kick(&c);
	c_run(&c);
	assert_int_equal(reg(&c, 0x400100), 0x200000);
	assert_int_equal(reg(&c, 0x400108), 0x80);
	assert_int_equal(reg(&c, 0x404490), 1);
	regw(&c, 0x400108, 0x80);
	regw(&c, 0x400100, 0x200000);
	regw(&c, 0x400500, 0x10001);
	run(bad, ARRAY_SIZE(bad), params, 1);
	assert_int_equal(reg(&c, 0x404490), 4);
	assert_int_equal(reg(&c, 0x404494) & 0x7ff, 16);
	assert_int_equal(reg(&c, 0x40449c), 0x16);
}

/* A macro that never ends gives the lock back, and goes with the engine's reset. */
static void endless(void **state)
{
	uint32_t code[] = { BRA(ANNUL, 0, 0) };
	uint32_t params[] = { 1 };

	upload(code, 1, 5, 16);
	p_1(&c, 0, 0x3800 + 5 * 8, params[0]);
	p_sema(&c, 0, 1, SEM_REL4);
	p_kick(&c);
	assert_int_equal(gpu_run(h.gpu, 200), STEP_BUSY);
	assert_int_equal(c_data(&c, 0), 0);
	gr_reset(h.gpu);
	assert_int_equal(h.gpu->gr->ctx.mme.active, 0);
}

/*
 * Recorded streams (see tests/data): label, subchannel, class, method, kind of
 * header (I incrementing, 1 incrementing once, M immediate), name, data.
 */
static unsigned int stream(const char *name)
{
	static const char *const dirs[] = { "tests/data", "gpu-model/tests/data" };
	char path[256], line[4096];
	FILE *f = NULL;
	unsigned int n = 0, macro = 0;
	bool cut[256] = { false };	/* macros of which the file has the beginning only */

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !f; i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		f = fopen(path, "r");
	}
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned int subch, cls, mthd, nv = 0;
		uint32_t v[128];
		char kind[8], what[128], *s;
		int at;

		if (sscanf(line, "%*s s%u %x %x %7s %127s %n", &subch, &cls, &mthd, kind, what, &at) != 5)
			continue;
		for (s = line + at; nv < 128;) {
			char *end;
			unsigned long x = strtoul(s, &end, 16);

			if (end == s)
				break;
			v[nv++] = x;
			s = end;
		}
		if (!nv)
			continue;
		/* GP102's copy class is GP100's; grids have their own tests */
		if (!mthd && subch == 4)
			v[0] = 0xc1b5;
		if (mthd == 0x2bc && cls == 0xc1c0)
			v[0] &= ~2u;
		if (cls == 0xc197 && mthd == 0x11c)
			macro = v[0] & 255;
		if (cls == 0xc197 && mthd == 0x114)
			cut[macro] = strstr(line, "...") != NULL;
		if (cls == 0xc197 && mthd >= 0x3800 && cut[(mthd - 0x3800) / 8 & 255])
			continue;
		if (subch == 7 || (subch == 4 && mthd == 0x300))
			continue;
		c.at = c.start = 0;
		if (*kind == '1')
			p(&c, 5u << 29 | nv << 16 | subch << 13 | mthd >> 2);
		else
			p_inc(&c, subch, mthd, nv);
		for (unsigned int i = 0; i < nv; i++)
			p(&c, v[i]);
		p_kick(&c);
		assert_int_equal(c_run(&c), STEP_IDLE);
		if (h.gpu->gr->logged[0] || reg(&c, 0x400100) || reg(&c, 0x00259c) || reg(&c, 0x040108) || reg(&c, 0x104410))
			fail_msg("%s", line);
		n++;
	}
	fclose(f);
	return n;
}

static void map_stream_memory(void)
{
	for (uint64_t va = 0x10240000; va < 0x10400000; va += 0x1000)
		if (va < C_CTX || va >= C_CTX + GR_CTX_IMAGE_SIZE)
			h_map(&h, &c.s, va, 12, AP_VRAM, h_alloc(&h, 0x1000), 0);
	for (uint64_t va = 0x10400000; va < 0x10e00000; va += 2 * MiB)
		h_map(&h, &c.s, va, 21, AP_VRAM, h_alloc(&h, 2 * MiB), 0);
	for (uint64_t va = 0x3efd000000; va < 0x3f00000000; va += 16 * MiB)
		h_map(&h, &c.s, va + 14 * MiB, 21, AP_VRAM, h_alloc(&h, 2 * MiB), 0);
}

static void stream_rusticl(void **state)
{
	map_stream_memory();
	/* of 554 lines all but the software object's, four copies, and the call of a macro that is cut off */
	assert_int_equal(stream("methods-rusticl-26.1.6-gp102.txt"), 548);
	assert_int_equal(h.gpu->gr->ctx.subch_class[1], 0xc1c0);
	assert_int_equal(h.gpu->gr->logged[0], 0);	/* nothing that the model doesn't know */
	assert_int_equal(h.gpu->gr->ctx.mme.active, 0);
}

static void stream_nvk(void **state)
{
	map_stream_memory();
	assert_int_equal(stream("methods-nvk-26.1.6-gp102.txt"), 294);	/* all of its lines */
	assert_int_equal(h.gpu->gr->logged[0], 0);
	/* MACRO_SET_PRIV_REG ran to its end: FECS's answer is in scratch 0 */
	assert_int_equal(h.gpu->gr->ctx.m3d[0x3400 / 4], 1);
	assert_int_equal(h.gpu->gr->ctx.mme.active, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(arithmetic), T(carry), T(loops), T(destinations), T(late_parameter), T(errors), T(endless),
		T(stream_rusticl), T(stream_nvk),
	};

	return cmocka_run_group_tests_name("mme", tests, NULL, NULL);
}
