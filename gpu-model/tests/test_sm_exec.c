// SPDX-License-Identifier: MIT
/*
 * Running warps: memory of all kinds and sizes, faults, replay and kill,
 * exceptions, barriers, divergence, machine state, workers.  Programs are
 * assembled here; each stores what is to be seen at AT_DATA.
 */
#include <math.h>
#include <sched.h>

#include "tests/sm_harness.h"

#define OUT AT_DATA

struct prog {
	uint64_t w[256];
	int n;
};

static void add(struct prog *p, uint64_t w)
{
	assert_true(p->n < 256);
	p->w[p->n++] = w;
}

/* R2:R3 = VA + OUT + (tid.x + ctaid.x * block) * @size; R0 = tid.x, R1 = ctaid.x */
static void prologue(struct prog *p, unsigned int block, unsigned int shift, uint32_t base)
{
	add(p, i_s2r(0, 0x21));
	add(p, i_s2r(1, 0x25));
	add(p, i_mov32(4, block));
	add(p, enc(0x5a00, 4, 1, 4, 0));	/* imad r4 = r1 * r4 + r0 */
	add(p, i_shl(4, 4, shift));
	add(p, i_mov32(2, (uint32_t)(VA + base)));
	add(p, i_iadd(2, 2, 4));
	add(p, i_mov32(3, VA >> 32));
}

/* A branch whose target is not known yet: at(), then patch(). */
static int hole(struct prog *p)
{
	add(p, 0);
	return p->n - 1;
}

static void patch(struct prog *p, int where, unsigned int op, int to, int pred, bool not)
{
	uint64_t w = i_flow(op, place_of(where), place_of(to));

	p->w[where] = guard(w, pred, not);
}

struct ctx {
	struct plain *p;
	struct sm_array *sm;
	struct sm_launch l;
};

static void ctx_new(struct ctx *c, int workers, unsigned int grid, unsigned int block)
{
	c->p = plain_new();
	c->l = plain_launch(c->p, grid, block);
	assert_int_equal(sm_new(2, workers, &plain_ops, c->p, &c->sm), 0);
}

static void ctx_code(struct ctx *c, const struct prog *p)
{
	for (int j = 0; j < p->n; j++)
		cover(p->w[j]);
	plain_code(c->p, AT_CODE, p->w, p->n);
}

static uint64_t ctx_launch(struct ctx *c, const struct prog *p)
{
	ctx_code(c, p);
	sm_invalidate_icache(c->sm);
	return sm_launch(c->sm, &c->l);
}

static void ctx_del(struct ctx *c)
{
	sm_del(&c->sm);
	assert_null(c->sm);
	assert_int_equal(c->p->begins, c->p->ends);
	plain_del(c->p);
}

/* Run to the one DONE event. */
static void ctx_done(struct ctx *c)
{
	struct sm_event ev[8];
	int n = plain_run(c->sm, ev, 8);

	for (int j = 0; j < n; j++)
		if (ev[j].type != SM_EVENT_DONE)
			print_error("event %d error %x pc %llx word %016llx va %llx\n", ev[j].type,
				    ev[j].error, (unsigned long long)(ev[j].pc - VA),
				    (unsigned long long)ev[j].word, (unsigned long long)ev[j].va);
	assert_int_equal(n, 1);
	assert_int_equal(ev[0].type, SM_EVENT_DONE);
	assert_true(sm_idle(c->sm));
	assert_false(sm_stalled(c->sm));
}

static void run(struct prog *p, struct ctx *c, unsigned int block)
{
	add(p, i_exit());
	ctx_new(c, 0, 1, block);
}

/* isetp.<cond>.s32 p<d>, a, b */
static uint64_t i_isetp(unsigned int d, unsigned int cond, unsigned int a, unsigned int b)
{
	return (enc(0x5b61, 0, a, b, 0) & ~0xffull) | d << 3 | 7 | fld(cond, 49) | fld(7, 39);
}

static uint64_t i_isetpi(unsigned int d, unsigned int cond, unsigned int a, int imm)
{
	return (enc(0x3661, 0, a, 0, 0) & ~0xffull) | d << 3 | 7 | fld(cond, 49) | fld(7, 39) |
	       fld(imm & 0x7ffff, 20) | (imm < 0 ? bit(56) : 0);
}

#define LT 1
#define EQ 2
#define GT 4
#define NE 5
#define GE 6

#define I_SYNC 0xf0f800000007000full
#define I_BRK 0xe34000000007000full
#define I_CONT 0xe35000000007000full
#define I_RET 0xe32000000007000full
#define I_BAR 0xf0a81b8000070000ull

/* --- memory ------------------------------------------------------------------- */

static void sizes(void **state)
{
	static const struct { int code, bytes, regs; } sz[] = {
		{ 0, 1, 1 }, { 1, 1, 1 }, { 2, 2, 1 }, { 3, 2, 1 }, { 4, 4, 1 }, { 5, 8, 2 }, { 6, 16, 4 },
	};

	/* space: 0 LDG/STG, 1 LD/ST, 2 shared, 3 local, 4 LD in the shared window, 5 in the local window */
	for (int space = 0; space < 6; space++)
		for (size_t k = 0; k < 7; k++) {
			struct prog p = { .n = 0 };
			struct ctx c;
			uint8_t *in, *out;
			uint64_t off = 16;

			prologue(&p, 32, 4, AT_DATA);
			/* data in R8..R11 from in[]; out[] from R12..R15 after a round trip */
			add(&p, i_ldg(8, 2, 0, 6));
			add(&p, i_shl(16, 0, 4));
			add(&p, i_mov32(17, 0));
			if (space >= 4) {
				add(&p, i_mov32(18, space == 4 ? 0xfe000000 : 0xff000000));
				add(&p, i_iadd(16, 16, 18));
			}
			for (int r = 12; r < 16; r++)
				add(&p, i_mov32(r, 0));
			switch (space) {
			case 0:
				add(&p, i_stg(8, 2, 0x8000, sz[k].code));
				add(&p, i_ldg(12, 2, 0x8000, sz[k].code));
				break;
			case 1:
				add(&p, 0xbc10000000070000ull | 8 | 2 << 8 | fld(0x8000, 20) |
					    fld(sz[k].code, 53));
				add(&p, 0x9c10000000070000ull | 12 | 2 << 8 | fld(0x8000, 20) |
					    fld(sz[k].code, 53));
				break;
			case 2:
				add(&p,
				    0xef58000000070000ull | 8 | 16 << 8 | fld(off, 20) | fld(sz[k].code, 48));
				add(&p, 0xef48000000070000ull | 12 | 16 << 8 | fld(off, 20) |
					    fld(sz[k].code, 48));
				break;
			case 3:
				add(&p,
				    0xef50000000070000ull | 8 | 16 << 8 | fld(off, 20) | fld(sz[k].code, 48));
				add(&p, 0xef40000000070000ull | 12 | 16 << 8 | fld(off, 20) |
					    fld(sz[k].code, 48));
				break;
			default:
				add(&p,
				    0xbc10000000070000ull | 8 | 16 << 8 | fld(off, 20) | fld(sz[k].code, 53));
				add(&p, 0x9c10000000070000ull | 12 | 16 << 8 | fld(off, 20) |
					    fld(sz[k].code, 53));
			}
			add(&p, i_stg(12, 2, 0x4000, 6));
			run(&p, &c, 32);
			c.l.shared_size = 1024;
			c.l.local_low = 1024;
			in = at(c.p, AT_DATA);
			out = at(c.p, AT_DATA + 0x4000);
			for (int j = 0; j < 512; j++)
				in[j] = j * 37 + 200;
			assert_true(ctx_launch(&c, &p) > 0);
			ctx_done(&c);
			for (int l = 0; l < 32; l++) {
				uint8_t want[16] = { 0 };
				int32_t v;

				memcpy(want, in + 16 * l, sz[k].bytes);
				v = sz[k].code == 1   ? (int8_t)want[0]
				    : sz[k].code == 3 ? (int16_t)(want[0] | want[1] << 8)
						      : 0;
				if (v)
					memcpy(want, &v, 4);
				assert_memory_equal(out + 16 * l, want, 16);
				if (space < 2) {
					assert_memory_equal(in + 0x8000 + 16 * l, in + 16 * l, sz[k].bytes);
					assert_int_equal(in[0x8000 + 16 * l + sz[k].bytes],
							 sz[k].bytes < 16 ? 0
							 : l < 31	  ? in[16 * l + 16]
									  : 0);
				}
			}
			ctx_del(&c);
		}
}

static void ldc(void **state)
{
	struct prog p = { .n = 0 };
	struct ctx c;
	uint32_t *o, *cb;

	prologue(&p, 32, 4, OUT);
	add(&p, i_shl(8, 0, 2));
	/* ldc.b32 r9, c[0][r8 + 0x40]; ldc.s8 r10, c[0][r0 + 0x40]; beyond the end: 0; mov c[7][4] */
	add(&p, 0xef94000000070000ull | 9 | 8 << 8 | fld(0x40, 20));
	add(&p, 0xef91000000070000ull | 10 | 0 << 8 | fld(0x40, 20));
	add(&p, i_mov32(11, 0x10000));
	add(&p, 0xef94000000070000ull | 11 | 11 << 8);
	add(&p, i_stg(9, 2, 0, 4));
	add(&p, i_stg(10, 2, 4, 4));
	add(&p, i_stg(11, 2, 8, 4));
	add(&p, i_movc(9, 7, 0x104));
	add(&p, i_stg(9, 2, 12, 4));
	run(&p, &c, 32);
	cb = at(c.p, AT_CB0);
	for (int j = 0; j < 64; j++)
		cb[16 + j] = 0x80f1e2d3 * (j + 1);
	((uint32_t *)at(c.p, AT_CB7))[0x41] = 0x77;
	ctx_launch(&c, &p);
	ctx_done(&c);
	o = at(c.p, OUT);
	for (int l = 0; l < 32; l++) {
		assert_int_equal(o[4 * l], cb[16 + l]);
		assert_int_equal((int32_t)o[4 * l + 1], ((int8_t *)(cb + 16))[l]);
		assert_int_equal(o[4 * l + 2], 0);
		assert_int_equal(o[4 * l + 3], 0x77);
	}
	ctx_del(&c);
}

/* Pages without host pointer, sparse, uncached: the same program gives the same result. */
static void page_kinds(void **state)
{
	for (int kind = PG_NOHOST; kind <= PG_NOCACHE; kind++) {
		struct prog p = { .n = 0 };
		struct ctx c;
		uint32_t *o;

		prologue(&p, 64, 3, OUT);
		add(&p, i_ldg(8, 2, 0, 5));
		add(&p, i_iaddi(8, 8, 5));
		add(&p, i_stg(8, 2, 0, 5));
		/* red.add.u32 [r2+4], r0 */
		add(&p, 0xebf9000000070000ull | 0 | 2 << 8 | fld(4, 28));
		run(&p, &c, 64);
		o = at(c.p, OUT);
		for (int j = 0; j < 128; j++)
			o[j] = 1000 + j;
		c.p->kind[OUT >> 12] = kind;
		ctx_launch(&c, &p);
		ctx_done(&c);
		for (int j = 0; j < 64; j++) {
			assert_int_equal(o[2 * j], kind == PG_SPARSE ? 1000 + 2 * j : 1005 + 2 * j);
			assert_int_equal(o[2 * j + 1], kind == PG_SPARSE ? 1001 + 2 * j : 1001 + 2 * j + j);
		}
		ctx_del(&c);
	}
}

static uint64_t ref_atom(int op, int type, uint64_t old, uint64_t b)
{
	bool w = type == 2 || type == 5;
	uint64_t r;

	if (type == 3 && op == 0) {
		float x, y;
		uint32_t o = old, v = b;

		/* denormals in are zero; sums of these values are never denormal */
		o = o & 0x7f800000 ? o : o & 0x80000000;
		v = v & 0x7f800000 ? v : v & 0x80000000;
		memcpy(&x, &o, 4);
		memcpy(&y, &v, 4);
		x += y;
		memcpy(&o, &x, 4);
		return isnan(x) ? 0x7fffffff : o;
	}
	switch (op) {
	case 0: r = old + b; break;
	case 1:
		r = type == 1	? (int32_t)old < (int32_t)b ? old : b
		    : type == 5 ? (int64_t)old < (int64_t)b ? old : b
		    : old < b	? old
				: b;
		break;
	case 2:
		r = type == 1	? (int32_t)old > (int32_t)b ? old : b
		    : type == 5 ? (int64_t)old > (int64_t)b ? old : b
		    : old > b	? old
				: b;
		break;
	case 3: r = old >= b ? 0 : old + 1; break;
	case 4: r = old == 0 || old > b ? b : old - 1; break;
	case 5: r = old & b; break;
	case 6: r = old | b; break;
	case 7: r = old ^ b; break;
	default: r = b;
	}
	return w ? r : (uint32_t)r;
}

/* Every operation and type, ATOM, RED and ATOMS, on video memory, system memory and without host pointer. */
static void atomics(void **state)
{
	static const int types[] = { 0, 1, 2, 3, 5 };
	static const uint64_t olds[] = { 0, 5, 0x80000001, 0xfffffffffffffff0ull, 0x3fc00000, 1ull << 40 };
	static const uint64_t bs[] = { 0, 3, 0xffffffff, 0x8000000000000000ull, 0x40400000, 7 };

	for (int form = 0; form < 3; form++)
		for (size_t t = 0; t < 5; t++)
			for (int op = 0; op < 9; op++)
				for (int kind = 0; kind < 3; kind++) {
					struct prog p = { .n = 0 };
					bool w = types[t] == 2 || types[t] == 5;
					unsigned int as = types[t] == 5 ? 3 : types[t];
					struct ctx c;
					uint64_t *o;

					if (types[t] == 3 && op != 0 && op != 8)
						continue;
					if ((form == 1 && op == 8) || (form == 2 && types[t] == 3))
						continue;
					/* lane l: 32 bytes: old, b, result; form 2 goes through shared memory
					 */
					prologue(&p, 32, 5, OUT);
					add(&p, i_ldg(8, 2, 0, 5));
					add(&p, i_ldg(10, 2, 8, 5));
					add(&p, i_shl(16, 0, 3));
					add(&p, i_mov32(12, 0));
					add(&p, i_mov32(13, 0));
					if (form == 0)
						add(&p, enc(0xed00, 12, 2, 10, 0) | fld(op, 52) |
							    fld(types[t], 49) | bit(48));
					else if (form == 1)
						add(&p, (enc(0xebf8, 10, 2, 0, 0)) | fld(op, 23) |
							    fld(types[t], 20) | bit(48));
					else {
						add(&p, 0xef5d000000070000ull | 8 | 16 << 8);
						add(&p,
						    enc(0xec00, 12, 16, 10, 0) | fld(op, 52) | fld(as, 28));
						add(&p, 0xef4d000000070000ull | 8 | 16 << 8);
						add(&p, i_stg(8, 2, 0, w ? 5 : 4));
					}
					add(&p, i_stg(12, 2, 16, 5));
					run(&p, &c, 32);
					c.l.shared_size = 256;
					c.p->kind[OUT >> 12] = kind == 0   ? PG_OK
							       : kind == 1 ? PG_SYSMEM
									   : PG_NOHOST;
					o = at(c.p, OUT);
					for (int l = 0; l < 32; l++) {
						o[4 * l] = olds[l % 6];
						o[4 * l + 1] = bs[l / 6 % 6];
					}
					ctx_launch(&c, &p);
					ctx_done(&c);
					for (int l = 0; l < 32; l++) {
						uint64_t old = olds[l % 6], b = bs[l / 6 % 6], want;

						if (!w) {
							old = (uint32_t)old;
							b = (uint32_t)b;
						}
						want = ref_atom(op, types[t], old, b);
						if (w)
							assert_true(o[4 * l] == want);
						else
							assert_true((uint32_t)o[4 * l] == (uint32_t)want);
						if (form != 1)
							assert_true(o[4 * l + 2] == old);
					}
					ctx_del(&c);
				}
}

static void compare_and_swap(void **state)
{
	for (int form = 0; form < 2; form++)
		for (int w = 0; w < 2; w++) {
			struct prog p = { .n = 0 };
			struct ctx c;
			uint64_t *o;

			prologue(&p, 32, 5, OUT);
			add(&p, i_ldg(8, 2, 0, 5));
			/* packed: compare in r12(:13), new value behind it */
			add(&p, i_ldg(12, 2, 8, w ? 5 : 4));
			add(&p, i_ldg(w ? 14 : 13, 2, 16, w ? 5 : 4));
			add(&p, i_shl(20, 0, 3));
			add(&p, i_mov32(16, 0));
			add(&p, i_mov32(17, 0));
			if (form == 0) {
				add(&p, enc(0xeef0, 16, 2, 12, 0) | bit(48) | fld(w, 49));
			} else {
				add(&p, 0xef5d000000070000ull | 8 | 20 << 8);
				add(&p, enc(0xee40, 16, 20, 12, 0) | fld(w, 52));
				add(&p, 0xef4d000000070000ull | 8 | 20 << 8);
				add(&p, i_stg(8, 2, 0, 5));
			}
			add(&p, i_stg(16, 2, 24, 5));
			run(&p, &c, 32);
			c.l.shared_size = 256;
			o = at(c.p, OUT);
			for (int l = 0; l < 32; l++) {
				o[4 * l] = 100 + l + ((uint64_t)w << 40);
				o[4 * l + 1] = o[4 * l] + (l & 1);
				o[4 * l + 2] = 7000 + l;
			}
			ctx_launch(&c, &p);
			ctx_done(&c);
			for (int l = 0; l < 32; l++) {
				uint64_t old = 100 + l + ((uint64_t)w << 40);

				assert_true(o[4 * l + 3] == (w ? old : (uint32_t)old));
				assert_true(o[4 * l] == (l & 1 ? old : (uint64_t)7000 + l));
			}
			ctx_del(&c);
		}
}

/* Operands from constant banks and immediates, in every position, one and two words wide. */
static void forms(void **state)
{
	struct prog p = { .n = 0 };
	struct ctx c;
	uint32_t *cb;
	float *o, f[4] = { 1.5f, -2.25f, 1000, 0.125f };
	double d[2] = { 3.75, -1e100 }, *od;
	uint64_t cb0 = fld(0x40 / 4, 20), cb8 = fld(0x48 / 4, 20), cbd = fld(0x50 / 4, 20);

	prologue(&p, 32, 6, OUT);
	add(&p, enc(0x5cb8, 8, 0, 0, 0) | fld(2, 8) | fld(2, 10));	/* r8 = (float)t */
	p.w[p.n - 1] = 0x5cb8000000070000ull | 8 | fld(2, 8) | fld(2, 10) | fld(0, 20);
	add(&p, 0x5ca8000000070000ull | 10 | fld(3, 8) | fld(2, 10) | fld(8, 20)); /* r10:11 = (double)r8 */
	/* fadd c, ffma a*c+b, ffma a*b+c (rc), ffma imm, iadd c, sel c */
	add(&p, enc(0x4c58, 16, 8, 0, 0) | cb0);
	add(&p, i_stg(16, 2, 0, 4));
	add(&p, enc(0x4980, 16, 8, 0, 8) | cb8);
	add(&p, i_stg(16, 2, 4, 4));
	add(&p, enc(0x5180, 16, 8, 0, 8) | cb8);
	add(&p, i_stg(16, 2, 8, 4));
	add(&p, enc(0x3280, 16, 8, 0, 8) | fld(0x40400, 20));	/* 3.0 */
	add(&p, i_stg(16, 2, 12, 4));
	add(&p, enc(0x4c10, 16, 0, 0, 0) | fld(0x60 / 4, 20));
	add(&p, i_stg(16, 2, 16, 4));
	/* dadd c, dfma c, dfma rc, dmul imm -0.5 */
	add(&p, enc(0x4c70, 16, 10, 0, 0) | cbd);
	add(&p, i_stg(16, 2, 24, 5));
	add(&p, enc(0x4b70, 16, 10, 0, 10) | cbd);
	add(&p, i_stg(16, 2, 32, 5));
	add(&p, enc(0x5370, 16, 10, 0, 10) | cbd);
	add(&p, i_stg(16, 2, 40, 5));
	add(&p, enc(0x3880, 16, 10, 0, 0) | fld(0x3fe00, 20) | bit(56));
	add(&p, i_stg(16, 2, 48, 5));
	/* xmad c, isetp c with a guard on the store */
	add(&p, enc(0x4e00, 16, 0, 0, 0) | fld(0x60 / 4, 20));
	add(&p, (enc(0x4b61, 0, 0, 0, 0) & ~0xffull) | 7 | fld(LT, 49) | fld(7, 39) | fld(0x64 / 4, 20));
	add(&p, guard(i_stg(16, 2, 20, 4), 0, false));
	run(&p, &c, 32);
	cb = at(c.p, AT_CB0);
	memcpy(cb + 16, f, 16);
	memcpy(cb + 20, d, 16);
	cb[0x60 / 4] = 777;
	cb[0x64 / 4] = 9;
	ctx_launch(&c, &p);
	ctx_done(&c);
	for (int t = 0; t < 32; t++) {
		o = (float *)((uint8_t *)at(c.p, OUT) + 64 * t);
		od = (double *)o;
		assert_true(o[0] == t + 1.5f);
		assert_true(o[1] == t * 1000.0f + t);
		assert_true(o[2] == (float)t * t + 1000.0f);
		assert_true(o[3] == t * 3.0f + t);
		assert_int_equal(((uint32_t *)o)[4], t + 777);
		assert_true(od[3] == t + 3.75);
		assert_true(od[4] == t * 3.75 + t);
		assert_true(od[5] == (double)t * t + 3.75);
		assert_true(od[6] == t * -0.5);
		assert_int_equal(((uint32_t *)o)[5], t < 9 ? t * 777 + t : 0);
	}
	ctx_del(&c);
}

/* --- faults -------------------------------------------------------------------- */

/* One event a page, no lane's store before all lanes can, others go on, replay finishes. */
static void fault_store(void **state)
{
	struct prog p = { .n = 0 };
	struct sm_event ev[16];
	struct ctx c;
	uint32_t *o;
	int n;

	/* lanes 512 bytes apart: 32 lanes over 4 pages; CTA 1 lies on present pages */
	prologue(&p, 32, 9, OUT);
	add(&p, i_stg(0, 2, 0, 4));
	add(&p, i_exit());
	ctx_new(&c, 0, 2, 32);
	c.p->kind[(OUT >> 12) + 1] = PG_AWAY;
	c.p->kind[(OUT >> 12) + 3] = PG_RO;
	ctx_launch(&c, &p);
	n = plain_run(c.sm, ev, 16);
	assert_int_equal(n, 2);
	for (int j = 0; j < 2; j++) {
		assert_int_equal(ev[j].type, SM_EVENT_FAULT);
		assert_int_equal(ev[j].access, SM_WRITE);
		assert_int_equal(ev[j].port, SM_PORT_TEX);
	}
	assert_int_equal(ev[0].va & ~0xfffull, VA + OUT + 0x1000);
	assert_int_equal(ev[0].fault_type, FAULT_PTE);
	assert_int_equal(ev[1].va & ~0xfffull, VA + OUT + 0x3000);
	assert_int_equal(ev[1].fault_type, FAULT_RO);
	assert_true(sm_stalled(c.sm));
	assert_false(sm_idle(c.sm));
	o = at(c.p, OUT);
	for (int l = 1; l < 32; l++)
		assert_int_equal(o[l * 128], 0);
	for (int l = 0; l < 32; l++)
		assert_int_equal(o[0x1000 + l * 128], l);	/* CTA 1 */
	/* half a repair: it faults again, for the other page only */
	c.p->kind[(OUT >> 12) + 1] = PG_OK;
	sm_replay(c.sm);
	n = plain_run(c.sm, ev, 16);
	assert_int_equal(n, 1);
	assert_int_equal(ev[0].va & ~0xfffull, VA + OUT + 0x3000);
	assert_int_equal(o[128], 0);
	c.p->kind[(OUT >> 12) + 3] = PG_OK;
	sm_replay(c.sm);
	assert_false(sm_stalled(c.sm));
	ctx_done(&c);
	for (int l = 0; l < 32; l++)
		assert_int_equal(o[l * 128], l);
	ctx_del(&c);
}

static void fault_load_atomic_fetch_const(void **state)
{
	static const struct { uint32_t page; enum sm_access access; enum sm_port port; } want[] = {
		{ OUT, SM_READ, SM_PORT_TEX }, { OUT + 0x4000, SM_ATOMIC, SM_PORT_TEX },
		{ AT_CODE, SM_FETCH, SM_PORT_GCC }, { AT_CB0, SM_READ, SM_PORT_GCC },
		{ AT_CB7, SM_READ, SM_PORT_GCC },
	};

	for (size_t k = 0; k < 5; k++) {
		struct prog p = { .n = 0 };
		struct sm_event ev[16];
		struct ctx c;
		uint32_t *o;
		int n;

		prologue(&p, 32, 2, OUT);
		add(&p, i_ldg(8, 2, 0, 4));
		add(&p, enc(0xed00, 9, 2, 0, 0) | fld(0x4000, 28) | bit(48));	/* atom.add [r2+0x4000], r0 */
		add(&p, i_movc(10, 0, 8));
		add(&p, 0xef94000000070000ull | 11 | RZ << 8 | fld(7, 36) | fld(0x10, 20));
		add(&p, i_iadd(8, 8, 10));
		add(&p, i_iadd(8, 8, 11));
		add(&p, i_stg(8, 2, 0x2000, 4));
		add(&p, i_exit());
		ctx_new(&c, 0, 1, 32);
		((uint32_t *)at(c.p, AT_CB0))[2] = 1000;
		((uint32_t *)at(c.p, AT_CB7))[4] = 50000;
		for (int l = 0; l < 32; l++)
			((uint32_t *)at(c.p, OUT))[l] = l;
		plain_code(c.p, AT_CODE, p.w, p.n);
		c.p->kind[want[k].page >> 12] = PG_AWAY;
		sm_launch(c.sm, &c.l);
		n = plain_run(c.sm, ev, 16);
		assert_int_equal(n, 1);
		assert_int_equal(ev[0].type, SM_EVENT_FAULT);
		assert_int_equal(ev[0].access, want[k].access);
		assert_int_equal(ev[0].port, want[k].port);
		assert_int_equal(ev[0].va & ~0xfffull, VA + want[k].page);
		assert_true(sm_stalled(c.sm));
		c.p->kind[want[k].page >> 12] = PG_OK;
		sm_replay(c.sm);
		ctx_done(&c);
		o = at(c.p, OUT + 0x2000);
		for (int l = 0; l < 32; l++) {
			assert_int_equal(o[l], 51000 + l);
			assert_int_equal(((uint32_t *)at(c.p, OUT + 0x4000))[l], l);	/* once, not twice */
		}
		ctx_del(&c);
	}
}

static void kill_parked_and_running(void **state)
{
	struct prog p = { .n = 0 };
	struct sm_event ev[4];
	struct ctx c;
	uint64_t id;
	int top;

	prologue(&p, 32, 2, OUT);
	add(&p, i_ldg(8, 2, 0, 4));
	add(&p, i_exit());
	ctx_new(&c, 0, 100, 32);
	c.p->kind[OUT >> 12] = PG_AWAY;
	id = ctx_launch(&c, &p);
	while (sm_step(c.sm, 10000))
		;
	while (sm_poll_events(c.sm, ev, 4))
		;
	sm_kill(c.sm, id);
	assert_int_equal(sm_poll_events(c.sm, ev, 4), 1);
	assert_int_equal(ev[0].type, SM_EVENT_DONE);
	assert_true(ev[0].grid == id);
	assert_true(sm_idle(c.sm));
	/* an endless loop */
	p.n = 0;
	add(&p, i_mov32(0, 1));
	top = p.n;
	add(&p, i_iaddi(0, 0, 1));
	patch(&p, hole(&p), 0xe240, top, PT, false);
	id = ctx_launch(&c, &p);
	assert_int_equal(sm_step(c.sm, 5000), 5000);
	assert_int_equal(sm_poll_events(c.sm, ev, 4), 0);
	sm_kill(c.sm, id);
	sm_step(c.sm, 1000);
	assert_int_equal(sm_poll_events(c.sm, ev, 4), 1);
	assert_int_equal(ev[0].type, SM_EVENT_DONE);
	/* a reset drops everything without an event */
	ctx_launch(&c, &p);
	sm_step(c.sm, 5000);
	sm_reset(c.sm);
	assert_int_equal(sm_poll_events(c.sm, ev, 4), 0);
	assert_true(sm_idle(c.sm));
	ctx_del(&c);
}

/* --- exceptions ----------------------------------------------------------------- */

static void exceptions(void **state)
{
	uint64_t ssy_loop = i_flow(0xe290, 0, 64);
	const struct { uint64_t w; enum sm_warp_error err; uint32_t regs, shared;
	} k[] = {
	    {0xfff8000000070000ull, SM_ERR_ILLEGAL_INSTR_ENCODING, 64, 0},
	    {enc(0xdeb8, 0, 0, 0, 0), SM_ERR_ILLEGAL_INSTR_ENCODING, 64, 0}, /* TEX: not modelled */
	    {i_iadd(70, 1, 2), SM_ERR_OOR_REG, 64, 0},
	    {enc(0x5c70, 1, 2, 4, 0), SM_ERR_MISALIGNED_REG, 64, 0},
	    {i_ldg(8, 2, 2, 4), SM_ERR_MISALIGNED_ADDR, 64, 0},
	    {i_stg(8, 2, 4, 5), SM_ERR_MISALIGNED_ADDR, 64, 0},
	    {0xef4c000000070000ull | 8 | RZ << 8 | fld(256, 20), SM_ERR_OOR_ADDR, 64, 256}, /* LDS */
	    {0xef44000000070000ull | 8 | RZ << 8 | fld(512, 20), SM_ERR_OOR_ADDR, 64, 0},   /* LDL */
	    {i_movc(8, 3, 0), SM_ERR_INVALID_CONST_ADDR, 64, 0},
	    {0xef94000000070000ull | 8 | RZ << 8 | fld(5, 36), SM_ERR_INVALID_CONST_ADDR_LDC, 64, 0},
	    {I_RET, SM_ERR_RET_EMPTY_STACK, 64, 0},
	    {I_SYNC, SM_ERR_STACK, 64, 0},
	    {I_BRK, SM_ERR_STACK, 64, 0},
	    {enc(0xed80, 8, 2, 4, 0) | fld(7, 49), SM_ERR_ILLEGAL_INSTR_PARAM, 64, 0},
	    {ssy_loop, SM_ERR_STACK, 64, 0},
	};

	for (size_t j = 0; j < sizeof(k) / sizeof(k[0]); j++) {
		struct prog p = { .n = 0 };
		struct sm_event ev[4];
		struct ctx c;
		int n, where;
		uint64_t id;

		prologue(&p, 32, 4, OUT);
		where = p.n;
		add(&p, k[j].w);
		/* back: only the stack test comes here */
		patch(&p, hole(&p), 0xe240, where, PT, false);
		ctx_new(&c, 0, 1, 32);
		c.l.regs = k[j].regs;
		c.l.shared_size = k[j].shared;
		c.l.local_low = 512;
		id = ctx_launch(&c, &p);
		n = plain_run(c.sm, ev, 4);
		assert_int_equal(n, 1);
		assert_int_equal(ev[0].type, SM_EVENT_EXCEPTION);
		if (ev[0].error != k[j].err)
			print_error("case %zu: error %x, want %x\n", j, ev[0].error, k[j].err);
		assert_int_equal(ev[0].error, k[j].err);
		assert_true(ev[0].pc == VA + place_of(where));
		assert_true(ev[0].word == k[j].w);
		assert_true(ev[0].grid == id);
		assert_true(sm_stalled(c.sm));
		sm_kill(c.sm, id);
		assert_int_equal(sm_poll_events(c.sm, ev, 4), 1);
		assert_int_equal(ev[0].type, SM_EVENT_DONE);
		assert_true(sm_idle(c.sm));
		ctx_del(&c);
	}
}

/* A warp that raises an exception stands still; the other warps and CTAs go on, and the grid does not complete. */
static void exception_stops_a_warp(void **state)
{
	struct prog p = { .n = 0 };
	struct sm_event ev[16];
	uint32_t seen = 0;
	uint64_t id;
	struct ctx c;
	int over, n;

	/* warps 1 and 3 of each CTA of 4: the third instruction after the prologue is illegal for them */
	prologue(&p, 128, 2, OUT);
	add(&p, enc(0x3828, 5, 0, 0, 0) | fld(5, 20));	/* r5 = tid >> 5 */
	add(&p, enc(0x3847, 5, 5, 0, 0) | fld(1, 20));	/* r5 &= 1 */
	add(&p, i_isetpi(0, 2, 5, 1));
	over = hole(&p);
	add(&p, 0xfff8000000070000ull);
	patch(&p, over, 0xe240, p.n, 0, true);
	add(&p, i_iaddi(6, 4, 1000));
	add(&p, i_stg(6, 2, 0, 4));
	add(&p, i_exit());
	ctx_new(&c, 0, 3, 128);
	id = ctx_launch(&c, &p);
	n = plain_run(c.sm, ev, 16);
	assert_int_equal(n, 6);
	for (int j = 0; j < n; j++) {
		assert_int_equal(ev[j].type, SM_EVENT_EXCEPTION);
		assert_int_equal(ev[j].error, SM_ERR_ILLEGAL_INSTR_ENCODING);
		assert_int_equal(ev[j].warp & 1, 1);
		seen |= 1u << (ev[j].sm * 16 + ev[j].warp);
	}
	/* two SMs: CTAs 0 and 2 on the first, in slots 0 to 7, CTA 1 on the second */
	assert_int_equal(seen, 0x000a00aa);
	for (uint32_t t = 0; t < 384; t++)
		assert_int_equal(((uint32_t *)at(c.p, OUT))[t], t >> 5 & 1 ? 0 : t * 4 + 1000);
	assert_false(sm_idle(c.sm));
	sm_kill(c.sm, id);
	assert_int_equal(sm_poll_events(c.sm, ev, 4), 1);
	assert_int_equal(ev[0].type, SM_EVENT_DONE);
	assert_true(sm_idle(c.sm));
	ctx_del(&c);
}

/* Lanes out of range: an exception, or with OOR_ADDR not reported they read 0 and write nothing, others do. */
static void out_of_range(void **state)
{
	static const uint64_t access[][2] = {
	    /* store, load of 32 bits at [r8]: shared, local, generic in the windows of both */
	    {0xef5c000000070000ull | 9 | 8 << 8, 0xef4c000000070000ull | 10 | 8 << 8},
	    {0xef54000000070000ull | 9 | 8 << 8, 0xef44000000070000ull | 10 | 8 << 8},
	    {0xa800000000070000ull | 9 | 8 << 8, 0x8800000000070000ull | 10 | 8 << 8},
	    {0xa800000000070000ull | 9 | 8 << 8, 0x8800000000070000ull | 10 | 8 << 8},
	};

	for (size_t k = 0; k < 8; k++) {
		struct prog p = { .n = 0 };
		struct sm_event ev[4];
		size_t j = k / 2;
		struct ctx c;

		prologue(&p, 32, 2, OUT);
		/* lanes 0 to 15 are within 256 bytes */
		add(&p, i_mov32(8, j == 2 ? 0xfe000000 : j == 3 ? 0xff000000 : 0));
		add(&p, i_shl(9, 0, 4));
		add(&p, i_iadd(8, 8, 9));
		add(&p, i_iaddi(9, 0, 7));
		add(&p, i_mov32(10, 99));
		add(&p, access[j][0]);
		add(&p, access[j][1]);
		add(&p, i_stg(10, 2, 0, 4));
		run(&p, &c, 32);
		c.l.shared_size = 256;
		c.l.local_low = 256;
		c.l.ignore_oor = k % 2;
		ctx_launch(&c, &p);
		if (!c.l.ignore_oor) {
			assert_int_equal(plain_run(c.sm, ev, 4), 1);
			assert_int_equal(ev[0].type, SM_EVENT_EXCEPTION);
			assert_int_equal(ev[0].error, SM_ERR_OOR_ADDR);
			assert_true(ev[0].word == access[j][0]);
			ctx_del(&c);
			continue;
		}
		ctx_done(&c);
		for (uint32_t t = 0; t < 32; t++)
			assert_int_equal(((uint32_t *)at(c.p, OUT))[t], t < 16 ? t + 7 : 0);
		ctx_del(&c);
	}
}

/* A CTA that no SM can hold does not wait for ever. */
static void too_big(void **state)
{
	struct prog p = { .n = 0 };
	struct sm_event ev[4];
	struct ctx c;

	run(&p, &c, 1024);
	c.l.regs = 255;
	ctx_launch(&c, &p);
	assert_int_equal(sm_poll_events(c.sm, ev, 4), 1);
	assert_int_equal(ev[0].type, SM_EVENT_EXCEPTION);
	ctx_del(&c);
}

/* --- control flow ----------------------------------------------------------------- */

/* if (t < 20) { if (t & 1) r = 100; else r = 200; r += t; } else r = 300; r += 1000 */
static void if_else(void **state)
{
	struct prog p = { .n = 0 };
	int ssy1, ssy2, els, els2;
	struct ctx c;
	uint32_t *o;

	prologue(&p, 32, 2, OUT);
	ssy1 = hole(&p);
	add(&p, i_isetpi(0, LT, 0, 20));
	els = hole(&p);
	ssy2 = hole(&p);
	add(&p, enc(0x3840, 8, 0, 0, 0) | fld(1, 20) | fld(7, 48));
	add(&p, i_isetpi(1, EQ, 8, 0));
	els2 = hole(&p);
	add(&p, i_mov32(9, 100));
	add(&p, I_SYNC);
	patch(&p, els2, 0xe240, p.n, 1, false);
	add(&p, i_mov32(9, 200));
	add(&p, I_SYNC);
	patch(&p, ssy2, 0xe290, p.n, PT, false);
	add(&p, i_iadd(9, 9, 0));
	add(&p, I_SYNC);
	patch(&p, els, 0xe240, p.n, 0, true);
	add(&p, i_mov32(9, 300));
	add(&p, I_SYNC);
	patch(&p, ssy1, 0xe290, p.n, PT, false);
	add(&p, i_iaddi(9, 9, 1000));
	/* all lanes are together again: the ballot shows it */
	add(&p, enc(0x50d8, 10, 0, 0, 0) | fld(1, 48) | fld(7, 45) | fld(7, 39));
	add(&p, i_stg(9, 2, 0, 4));
	add(&p, i_stg(10, 2, 0x1000, 4));
	run(&p, &c, 32);
	ctx_launch(&c, &p);
	ctx_done(&c);
	o = at(c.p, OUT);
	for (int t = 0; t < 32; t++) {
		assert_int_equal(o[t], 1000 + (t < 20 ? (t & 1 ? 100 : 200) + t : 300));
		assert_int_equal(o[0x400 + t], 0xffffffff);
	}
	ctx_del(&c);
}

/* Loop with break and continue out of a nested if; each lane its own count; some exit inside. */
static void loops(void **state)
{
	struct prog p = { .n = 0 };
	int pbk, pcnt, top, ssy, skip_, cont;
	struct ctx c;
	uint32_t *o;

	/*
	 * r8 = 0; r9 = 0
	 * for (;;) { r8++; if (r8 > t) break; if (r8 & 1) { if (t == 7) exit; continue; } r9 += r8; }
	 */
	prologue(&p, 32, 2, OUT);
	add(&p, i_mov32(8, 0));
	add(&p, i_mov32(9, 0));
	pbk = hole(&p);
	top = p.n;
	pcnt = hole(&p);
	add(&p, i_iaddi(8, 8, 1));
	add(&p, i_isetp(0, GT, 8, 0));
	add(&p, guard(I_BRK, 0, false));
	ssy = hole(&p);
	add(&p, enc(0x3840, 10, 8, 0, 0) | fld(1, 20) | fld(7, 48));
	add(&p, i_isetpi(1, EQ, 10, 0));
	skip_ = hole(&p);
	add(&p, i_isetpi(2, EQ, 0, 7));
	add(&p, guard(i_exit(), 2, false));
	add(&p, I_CONT);
	patch(&p, skip_, 0xe240, p.n, 1, false);
	add(&p, I_SYNC);
	patch(&p, ssy, 0xe290, p.n, PT, false);
	add(&p, i_iadd(9, 9, 8));
	add(&p, I_CONT);
	cont = p.n;
	patch(&p, hole(&p), 0xe240, top, PT, false);
	patch(&p, pcnt, 0xe2b0, cont, PT, false);
	patch(&p, pbk, 0xe2a0, p.n, PT, false);
	add(&p, i_stg(9, 2, 0, 4));
	run(&p, &c, 32);
	o = at(c.p, OUT);
	o[7] = 0x5555;
	ctx_launch(&c, &p);
	ctx_done(&c);
	for (int t = 0; t < 32; t++) {
		uint32_t s = 0;

		for (int k = 1; k <= t; k++)
			s += k & 1 ? 0 : k;
		assert_int_equal(o[t], t == 7 ? 0x5555 : s);
	}
	ctx_del(&c);
}

/* A loop that lanes leave one by one by a plain branch, without a stack in memory: 31 splits. */
static void splits(void **state)
{
	struct prog p = { .n = 0 };
	int top, out, ssy;
	struct ctx c;
	uint32_t *o;

	prologue(&p, 32, 2, OUT);
	add(&p, i_mov32(8, 0));
	ssy = hole(&p);
	top = p.n;
	add(&p, i_isetp(0, EQ, 8, 0));
	out = hole(&p);
	add(&p, i_iaddi(8, 8, 1));
	patch(&p, hole(&p), 0xe240, top, PT, false);
	patch(&p, out, 0xe240, p.n, 0, false);
	add(&p, I_SYNC);
	patch(&p, ssy, 0xe290, p.n, PT, false);
	add(&p, i_stg(8, 2, 0, 4));
	run(&p, &c, 32);
	c.l.crs_size = 0;
	ctx_launch(&c, &p);
	ctx_done(&c);
	o = at(c.p, OUT);
	for (int t = 0; t < 32; t++)
		assert_int_equal(o[t], t);
	ctx_del(&c);
}

/* Calls: CAL with divergent RET, JCAL relative to the code base, PRET, BRX with 4 targets. */
static void calls(void **state)
{
	struct prog p = { .n = 0 };
	int cal, jcal, over, f, g, ssy, pret, brx, t[4];
	struct ctx c;
	uint32_t *o;

	prologue(&p, 32, 2, OUT);
	add(&p, i_mov32(9, 0));
	cal = hole(&p);
	jcal = hole(&p);
	over = hole(&p);
	f = p.n;	/* r9 += t < 5 ? 1 : 2 */
	add(&p, i_isetpi(0, LT, 0, 5));
	add(&p, guard(i_iaddi(9, 9, 1), 0, false));
	add(&p, guard(I_RET, 0, false));
	add(&p, i_iaddi(9, 9, 2));
	add(&p, I_RET);
	g = p.n;	/* r9 += 10, through PRET */
	pret = hole(&p);
	add(&p, i_iaddi(9, 9, 10));
	add(&p, I_RET);
	patch(&p, pret, 0xe270, p.n, PT, false);
	add(&p, i_iaddi(9, 9, 100));
	add(&p, I_RET);
	patch(&p, cal, 0xe260, f, PT, false);
	p.w[jcal] = 0xe220000000070000ull | fld(place_of(g), 20);
	patch(&p, over, 0xe240, p.n, PT, false);
	/* brx: r8 = byte offset of case (t & 3) */
	ssy = hole(&p);
	add(&p, enc(0x3840, 10, 0, 0, 0) | fld(3, 20) | fld(7, 48));
	add(&p, i_mov32(8, 0));
	for (int k = 0; k < 4; k++) {
		add(&p, i_isetpi(0, EQ, 10, k));
		t[k] = hole(&p);
	}
	brx = hole(&p);
	for (int k = 0; k < 4; k++) {
		p.w[t[k]] = guard(i_mov32(8, place_of(p.n)), 0, false);
		add(&p, i_iaddi(9, 9, 1000 * (k + 1)));
		add(&p, I_SYNC);
	}
	p.w[brx] = 0xe25000000007000full | 8 << 8 | fld((-(place_of(brx) + 8)) & 0xffffff, 20);
	patch(&p, ssy, 0xe290, p.n, PT, false);
	add(&p, i_stg(9, 2, 0, 4));
	run(&p, &c, 32);
	ctx_launch(&c, &p);
	ctx_done(&c);
	o = at(c.p, OUT);
	for (int l = 0; l < 32; l++)
		assert_int_equal(o[l], (l < 5 ? 1 : 2) + 110 + 1000 * ((l & 3) + 1));
	ctx_del(&c);
}

/* --- barriers ------------------------------------------------------------------------ */

/* Each thread reads what its mirror wrote; 200 threads: the last warp is not full; a third exit before. */
static void barrier(void **state)
{
	for (int workers = 0; workers <= 2; workers += 2) {
		struct prog p = { .n = 0 };
		struct sm_event ev[4];
		struct ctx c;
		uint32_t *o;

		prologue(&p, 200, 2, OUT);
		add(&p, i_shl(8, 0, 2));
		add(&p, i_mov32(9, 796));
		add(&p, enc(0x5c10, 9, 9, 8, 0) | bit(48));	/* r9 = 796 - r8 */
		add(&p, 0xef5c000000070000ull | 0 | 8 << 8);	/* sts [r8] = t */
		add(&p, I_BAR);
		add(&p, 0xef4c000000070000ull | 10 | 9 << 8);	/* r10 = [r9] */
		add(&p, I_BAR);
		add(&p, i_isetpi(0, GE, 0, 160));
		add(&p, guard(i_exit(), 0, false));
		add(&p, 0xef5c000000070000ull | 10 | 8 << 8);
		/* as Mesa's two compilers write it: RZ for all, and zeroes */
		add(&p, 0xf0a8038000070000ull | 0xff00 | fld(RZ, 20));
		add(&p, 0xf0a8038000070000ull | 0xff00);
		add(&p, 0xef4c000000070000ull | 11 | 8 << 8);
		add(&p, i_stg(11, 2, 0, 4));
		add(&p, i_exit());
		ctx_new(&c, workers, 20, 200);
		c.l.shared_size = 1024;
		ctx_launch(&c, &p);
		if (!workers) {
			ctx_done(&c);
		} else {
			while (!sm_poll_events(c.sm, ev, 4))
				usleep(500);
			assert_int_equal(ev[0].type, SM_EVENT_DONE);
		}
		o = at(c.p, OUT);
		for (int b = 0; b < 20; b++)
			for (int t = 0; t < 200; t++)
				assert_int_equal(o[b * 200 + t], t < 160 ? 199 - t : 0);
		ctx_del(&c);
	}
}

/* Producer and consumer warps: BAR.ARV and BAR.SYNC with a thread count on barrier 1. */
static void barrier_arrive(void **state)
{
	struct prog p = { .n = 0 };
	int cons;
	struct ctx c;
	uint32_t *o;

	prologue(&p, 64, 2, OUT);
	add(&p, i_shl(8, 0, 2));
	add(&p, i_isetpi(0, LT, 0, 32));
	cons = hole(&p);
	add(&p, 0xef5c000000070000ull | 0 | 8 << 8);	/* producers: warp 1 */
	add(&p, 0xf0a81b8100070000ull | 1 << 8 | fld(64, 20));
	add(&p, i_exit());
	patch(&p, cons, 0xe240, p.n, 0, false);
	add(&p, 0xf0a81b8000070000ull | 1 << 8 | fld(64, 20));
	add(&p, 0xef4c000000070000ull | 9 | 8 << 8 | fld(128, 20));
	add(&p, i_stg(9, 2, 0, 4));
	run(&p, &c, 64);
	c.l.shared_size = 256;
	ctx_launch(&c, &p);
	ctx_done(&c);
	o = at(c.p, OUT);
	for (int t = 0; t < 32; t++)
		assert_int_equal(o[t], t + 32);
	ctx_del(&c);
}

/* BAR.RED counts, ands and ors a predicate over the CTA; B2R reads the result; another barrier's is not mixed in. */
static void barrier_reduce(void **state)
{
	for (int red = 0; red < 3; red++)
		for (int kind = 0; kind < 4; kind++) {
			struct prog p = { .n = 0 };
			unsigned int want = 0, threads = 80;	/* the last warp is half full */
			struct ctx c;
			uint32_t *o;

			prologue(&p, threads, 3, OUT);
			/* p0: t < 40; for all; for none; p0 negated */
			add(&p, i_isetpi(0, LT, 0, kind == 1 ? 1000 : kind == 2 ? -1 : 40));
			add(&p, 0xf0a8000000070000ull | 3 << 8 | fld(2 | red << 3, 32) | bit(43) | bit(44) |
				    (kind == 3 ? bit(42) : 0));
			add(&p, 0xf0b8000000070000ull | 8);
			/* a plain barrier must not change what was read, nor what B2R reads after a second reduction */
			add(&p, I_BAR);
			add(&p, 0xf0a8000000070000ull | 5 << 8 | fld(2, 32) | bit(43) | bit(44) | fld(PT, 39));
			add(&p, 0xf0b8000000070000ull | 9);
			add(&p, i_stg(8, 2, 0, 5));
			run(&p, &c, threads);
			ctx_launch(&c, &p);
			ctx_done(&c);
			for (unsigned int t = 0; t < threads; t++) {
				bool v = kind == 1 || (kind == 0 && t < 40) || (kind == 3 && t >= 40);

				want = red == 0 ? want + v : red == 1 ? (t ? want && v : v) : want || v;
			}
			o = at(c.p, OUT);
			for (unsigned int t = 0; t < threads; t++) {
				if (red == 0)
					assert_int_equal(o[2 * t], want);
				else
					assert_int_equal(!!o[2 * t], want);
				assert_int_equal(o[2 * t + 1], threads);
			}
			ctx_del(&c);
		}
}

/* JMP relative to the code base, its target in a constant bank, JMX with targets of each lane's own, KIL, LEPC. */
static void jumps(void **state)
{
	struct prog p = { .n = 0 };
	int jmp, jmpc, jmx, t[2], lepc, target, bra, skip[2];
	struct ctx c;
	uint32_t *o;

	prologue(&p, 32, 3, OUT);
	add(&p, i_mov32(9, 0));
	jmp = hole(&p);
	add(&p, i_iaddi(9, 9, 1));	/* jumped over */
	target = p.n;
	p.w[jmp] = 0xe21000000007000full | fld(place_of(target), 20);
	jmpc = hole(&p);
	add(&p, i_iaddi(9, 9, 2));
	p.w[jmpc] = 0xe21000000007002full | fld(0x80, 20);	/* c[0][0x80] */
	/* even lanes to t[0], odd ones to t[1] */
	skip[0] = p.n;
	add(&p, enc(0x3840, 10, 0, 0, 0) | fld(1, 20) | fld(7, 48));
	add(&p, i_isetpi(1, EQ, 10, 1));
	t[0] = hole(&p);
	t[1] = hole(&p);
	bra = hole(&p);
	jmx = hole(&p);
	p.w[jmx] = 0xe20000000007000full | 11 << 8;
	p.w[t[0]] = i_mov32(11, place_of(p.n));
	add(&p, i_iaddi(9, 9, 100));
	skip[1] = hole(&p);
	p.w[t[1]] = guard(i_mov32(11, place_of(p.n)), 1, false);
	add(&p, i_iaddi(9, 9, 200));
	patch(&p, skip[1], 0xe240, p.n, PT, false);
	patch(&p, bra, 0xe290, p.n, PT, false);
	lepc = p.n;
	add(&p, 0x50d0000000070000ull | 8);
	add(&p, i_stg(8, 2, 0, 5));
	/* lanes 5 on are killed before the second store */
	add(&p, i_isetpi(0, GE, 0, 5));
	add(&p, guard(0xe33000000007000full, 0, false));
	add(&p, i_stg(0, 2, 0x1000, 4));
	run(&p, &c, 32);
	((uint32_t *)at(c.p, AT_CB0))[0x20] = place_of(skip[0]);
	ctx_launch(&c, &p);
	ctx_done(&c);
	o = at(c.p, OUT);
	for (int l = 0; l < 32; l++) {
		assert_int_equal(o[2 * l], (uint32_t)(VA + place_of(lepc)));
		assert_int_equal(o[2 * l + 1], l & 1 ? 200 : 100);
		assert_int_equal(o[0x400 + 2 * l], l < 5 ? l : 0);
	}
	ctx_del(&c);
}

/*
 * LDC.IS and .ISL: the register's upper half names the bank, its lower half the place (nv50_ir inserts the
 * index of the buffer there with INSBF 0x1010); .IL as without.
 */
static void ldc_modes(void **state)
{
	for (int mode = 0; mode < 4; mode++) {
		struct prog p = { .n = 0 };
		struct ctx c;
		uint32_t *o, *b0, *b7;

		prologue(&p, 32, 2, OUT);
		add(&p, i_shl(8, 0, 2));
		if (mode >= 2) {
			/* odd lanes: bank 0 + 7 */
			add(&p, enc(0x3840, 9, 0, 0, 0) | fld(1, 20) | fld(7, 48));
			add(&p, i_mov32(10, 7 << 16));
			add(&p, enc(0x5a00, 8, 9, 10, 8));
		}
		add(&p, 0xef94000000070000ull | 11 | 8 << 8 | fld(0x10, 20) | fld(mode, 44));
		add(&p, i_stg(11, 2, 0, 4));
		run(&p, &c, 32);
		b0 = at(c.p, AT_CB0);
		b7 = at(c.p, AT_CB7);
		for (int j = 0; j < 64; j++) {
			b0[j] = 1000 + j;
			b7[j] = 7000 + j;
		}
		ctx_launch(&c, &p);
		ctx_done(&c);
		o = at(c.p, OUT);
		for (int l = 0; l < 32; l++)
			assert_int_equal(o[l], (mode >= 2 && (l & 1) ? 7004 : 1004) + l);
		ctx_del(&c);
	}
}

/* What has nothing to do here leaves registers, predicates, memory and the lanes as they were. */
static void no_effect(void **state)
{
	const uint64_t words[] = {
		0x50b0000000070f00ull, 0xef98000000070000ull, 0xef98000000070200ull, 0xef60000000070000ull | 2 << 8 | bit(52),
		0xef80000000070000ull, 0xebf0000000070000ull, 0xf0f0000000070000ull | fld(3, 26), 0x50e0000000070000ull,
	};
	struct prog p = { .n = 0 };
	struct ctx c;
	uint32_t *o;

	prologue(&p, 32, 3, OUT);
	add(&p, i_mov32(8, 0x1234));
	add(&p, i_isetpi(0, LT, 0, 7));
	for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++) {
		add(&p, words[j]);
		add(&p, i_iaddi(8, 8, 1));
	}
	add(&p, enc(0x50d8, 9, 0, 0, 0) | fld(1, 48) | fld(7, 45));	/* ballot of p0 */
	add(&p, i_stg(8, 2, 0, 5));
	run(&p, &c, 32);
	ctx_launch(&c, &p);
	ctx_done(&c);
	o = at(c.p, OUT);
	for (int l = 0; l < 32; l++) {
		assert_int_equal(o[2 * l], 0x1234 + sizeof(words) / sizeof(words[0]));
		assert_int_equal(o[2 * l + 1], 0x7f);
	}
	ctx_del(&c);
}

/* BPT has no debugger to stop for: an exception that names it. */
static void breakpoint(void **state)
{
	struct prog p = { .n = 0 };
	struct sm_event ev[4];
	struct ctx c;
	uint64_t id;

	add(&p, 0xe3a0000000070000ull);
	run(&p, &c, 32);
	id = ctx_launch(&c, &p);
	assert_int_equal(plain_run(c.sm, ev, 4), 1);
	assert_int_equal(ev[0].type, SM_EVENT_EXCEPTION);
	assert_int_equal(ev[0].error, SM_ERR_ILLEGAL_INSTR_PARAM);
	assert_true(ev[0].word == p.w[0]);
	sm_kill(c.sm, id);
	assert_int_equal(sm_poll_events(c.sm, ev, 4), 1);
	ctx_del(&c);
}

/* Every row that is not arithmetic ran in a program above whose outcome was compared. */
static void every_row(void **state)
{
	cover_check("test_sm_exec");
}

/* --- state and scheduling --------------------------------------------------------------- */

static void registers(void **state)
{
	static const uint8_t sr[] = {0x00, 0x20, 0x21, 0x22, 0x23, 0x25, 0x26, 0x27, 0x38,
				     0x39, 0x3a, 0x3b, 0x3c, 0x30, 0x34, 0x52, 0x53};
	struct prog p = { .n = 0 };
	struct ctx c;
	uint32_t *o;

	/* linear thread number from the parts: block 4x3x5, grid 2x2x2 */
	add(&p, i_s2r(0, 0x21));
	add(&p, i_s2r(1, 0x22));
	add(&p, i_s2r(2, 0x23));
	add(&p, i_mov32(4, 4));
	add(&p, i_mov32(5, 12));
	add(&p, enc(0x5a00, 0, 1, 4, 0));
	add(&p, enc(0x5a00, 0, 2, 5, 0));
	add(&p, i_s2r(6, 0x25));
	add(&p, i_s2r(7, 0x26));
	add(&p, i_s2r(8, 0x27));
	add(&p, i_shl(7, 7, 1));
	add(&p, i_shl(8, 8, 2));
	add(&p, i_iadd(6, 6, 7));
	add(&p, i_iadd(6, 6, 8));
	add(&p, i_mov32(4, 60));
	add(&p, enc(0x5a00, 0, 6, 4, 0));
	add(&p, i_shl(0, 0, 7));
	add(&p, i_mov32(2, (uint32_t)(VA + OUT)));
	add(&p, i_iadd(2, 2, 0));
	add(&p, i_mov32(3, VA >> 32));
	for (size_t j = 0; j < sizeof(sr); j++) {
		add(&p, i_s2r(10, sr[j]));
		add(&p, i_stg(10, 2, 4 * j, 4));
	}
	/* the clock runs */
	add(&p, i_s2r(10, 0x50));
	add(&p, enc(0x50c8, 11, 0, 0, 0) | fld(0x50, 20));
	add(&p, enc(0x5c10, 10, 11, 10, 0) | bit(48));
	add(&p, i_stg(10, 2, 4 * sizeof(sr), 4));
	run(&p, &c, 1);
	c.l.block[0] = 4;
	c.l.block[1] = 3;
	c.l.block[2] = 5;
	c.l.grid[0] = c.l.grid[1] = c.l.grid[2] = 2;
	ctx_launch(&c, &p);
	ctx_done(&c);
	o = at(c.p, OUT);
	for (uint32_t b = 0; b < 8; b++)
		for (uint32_t t = 0; t < 60; t++, o += 32) {
			uint32_t l = t & 31, x = t % 4, y = t / 4 % 3, z = t / 12;
			const uint32_t want[] = {l,
						 x | y << 16 | z << 26,
						 x,
						 y,
						 z,
						 b & 1,
						 b >> 1 & 1,
						 b >> 2,
						 1u << l,
						 (1u << l) - 1,
						 (1u << l) | ((1u << l) - 1),
						 ~((1u << l) | ((1u << l) - 1)),
						 ~((1u << l) - 1),
						 0xfe000000,
						 0xff000000,
						 123456789,
						 0};

			assert_memory_equal(o, want, sizeof(want));
			assert_int_equal(o[17], 1);
		}
	ctx_del(&c);
}

/* Code is kept until it is dropped, for each address space by itself; guards with the predicate negated; "never". */
static void new_code(void **state)
{
	static const struct {
		uint64_t space;
		bool drop;
		int want;
	} step[] = {
		{ 0, false, 0 }, { 0, false, 0 }, { 0, true, 2 }, { 0x1000, false, 3 }, { 0, false, 2 },
		{ 0x1000, false, 3 }, { 0x1000, true, 6 }, { 0, false, 7 }, { 0x40000, false, 8 },	/* in its place */
	};
	struct ctx c;
	uint32_t *o;

	ctx_new(&c, 0, 1, 32);
	for (int k = 0; k < (int)(sizeof(step) / sizeof(step[0])); k++) {
		struct prog p = { .n = 0 };

		prologue(&p, 32, 2, OUT);
		add(&p, i_mov32(8, k));
		add(&p, guard(i_mov32(8, 99), PT, true));
		add(&p, i_stg(8, 2, 0, 4));
		add(&p, i_exit());
		if (step[k].drop)
			sm_invalidate_icache(c.sm);
		c.l.space_id = step[k].space;
		o = at(c.p, OUT);
		memset(o, 0xff, 128);
		ctx_code(&c, &p);
		assert_true(sm_launch(c.sm, &c.l) > 0);
		ctx_done(&c);
		for (int l = 0; l < 32; l++)
			assert_int_equal(o[l], step[k].want);
	}
	ctx_del(&c);
}

/* What was launched after code was dropped never runs the old, whatever the workers do meanwhile. */
static void new_code_workers(void **state)
{
	struct ctx c;

	ctx_new(&c, 2, 4, 32);
	for (int k = 1; k <= 500; k++) {
		struct prog p = { .n = 0 };
		struct sm_event ev;
		uint32_t *o = at(c.p, OUT);

		prologue(&p, 32, 2, OUT);
		add(&p, i_mov32(8, k));
		add(&p, i_stg(8, 2, 0, 4));
		add(&p, i_exit());
		plain_code(c.p, AT_CODE, p.w, p.n);
		sm_invalidate_icache(c.sm);
		assert_true(sm_launch(c.sm, &c.l) > 0);
		while (!sm_poll_events(c.sm, &ev, 1))
			sched_yield();
		assert_int_equal(ev.type, SM_EVENT_DONE);
		for (int l = 0; l < 128; l++)
			assert_int_equal(o[l], k);
	}
	ctx_del(&c);
}

/* R0 counts down from @loops, three instructions a turn; then 1 to OUT. */
static void counting(struct prog *p, int loops)
{
	int top, bra;

	prologue(p, 0, 2, OUT);
	add(p, i_mov32(0, loops));
	top = p->n;
	add(p, i_iaddi(0, 0, -1));
	add(p, i_isetpi(0, NE, 0, 0));
	bra = hole(p);
	patch(p, bra, 0xe240, top, 0, false);
	add(p, i_mov32(8, 1));
	add(p, i_stg(8, 2, 0, 4));
	add(p, i_exit());
}

/* The watchdog stops a CTA after as many instructions as it is set to, of all its warps together. */
static void watchdog(void **state)
{
	const uint64_t all = 8 + 1 + 3 * 1000 + 3;	/* of a warp */

	for (unsigned int warps = 1; warps <= 3; warps++) {
		/* in the middle of all warps; one instruction short; just enough; enough */
		for (int d = -2; d <= 1; d++) {
			struct prog p = { .n = 0 };
			struct sm_event ev[8];
			struct sm_stats st;
			uint64_t id;
			struct ctx c;
			int n;

			counting(&p, 1000);
			ctx_new(&c, 0, 1, 32 * warps);
			c.l.timeout = d == -2 ? 1000 : warps * all + d;
			id = ctx_launch(&c, &p);
			n = plain_run(c.sm, ev, 8);
			sm_get_stats(c.sm, &st);
			assert_int_equal(n, 1);
			if (d >= 0) {
				assert_int_equal(ev[0].type, SM_EVENT_DONE);
				assert_int_equal(st.warp_instructions, warps * all);
			} else {
				assert_int_equal(ev[0].type, SM_EVENT_EXCEPTION);
				assert_int_equal(ev[0].error, SM_ERR_NONE);
				assert_int_equal(ev[0].global, SM_GLOBAL_TIMEOUT);
				assert_int_equal(st.warp_instructions, c.l.timeout);
				assert_false(sm_idle(c.sm));
				assert_int_equal(sm_step(c.sm, 1000), 0);	/* nor does another of its warps */
				sm_kill(c.sm, id);
				assert_int_equal(sm_poll_events(c.sm, ev, 8), 1);
				assert_int_equal(ev[0].type, SM_EVENT_DONE);
			}
			ctx_del(&c);
		}
	}
}

/* It is no clock on the wall, nor the SM's: a CTA that waits for a page stays while others run many times its limit. */
static void watchdog_waits(void **state)
{
	struct prog p = { .n = 0 };
	struct sm_event ev[64];
	uint32_t *o;
	struct ctx c;
	int done = 0;

	counting(&p, 100);
	ctx_new(&c, 0, 1, 32);
	c.l.timeout = 400;
	c.p->kind[OUT >> 12] = PG_AWAY;
	ctx_launch(&c, &p);
	assert_int_equal(plain_run(c.sm, ev, 64), 1);
	assert_int_equal(ev[0].type, SM_EVENT_FAULT);
	assert_true(sm_stalled(c.sm));
	/* 50 grids on the two SMs, retries between */
	p = (struct prog){ .n = 0 };
	add(&p, i_mov32(0, 100));
	add(&p, i_iaddi(0, 0, -1));
	add(&p, i_isetpi(0, NE, 0, 0));
	add(&p, guard(i_flow(0xe240, place_of(3), place_of(1)), 0, false));
	add(&p, i_exit());
	plain_code(c.p, 0x8000, p.w, p.n);
	for (int k = 0; k < 50; k++) {
		struct sm_launch l = c.l;
		int n;

		l.program_va = VA + 0x8000;
		assert_true(sm_launch(c.sm, &l) > 0);
		usleep(1000);
		sm_replay(c.sm);
		n = plain_run(c.sm, ev, 64);
		for (int j = 0; j < n; j++) {
			assert_int_not_equal(ev[j].type, SM_EVENT_EXCEPTION);
			done += ev[j].type == SM_EVENT_DONE;
		}
	}
	assert_int_equal(done, 50);
	c.p->kind[OUT >> 12] = PG_OK;
	sm_replay(c.sm);
	ctx_done(&c);
	o = at(c.p, OUT);
	assert_int_equal(o[0], 1);
	ctx_del(&c);
}

/* Grids end in any order but start in launch order; all of 40 finish. */
static void many_grids(void **state)
{
	struct prog p = { .n = 0 };
	struct sm_event ev[64];
	uint64_t id[40];
	struct ctx c;
	int n;

	prologue(&p, 32, 2, OUT);
	add(&p, 0xebf9000000070000ull | 0 | 2 << 8);
	run(&p, &c, 32);
	plain_code(c.p, AT_CODE, p.w, p.n);
	for (int j = 0; j < 40; j++)
		id[j] = sm_launch(c.sm, &c.l);
	n = plain_run(c.sm, ev, 64);
	assert_int_equal(n, 40);
	for (int j = 0; j < 40; j++) {
		assert_int_equal(ev[j].type, SM_EVENT_DONE);
		assert_true(ev[j].grid == id[0] + j || ev[j].grid != 0);
	}
	for (int l = 0; l < 32; l++)
		assert_int_equal(((uint32_t *)at(c.p, OUT))[l], 40 * l);
	ctx_del(&c);
}

/* Workers, faults on every page, a replay after each: everything is done exactly once. */
static void workers_fault(void **state)
{
	struct prog p = { .n = 0 };
	struct sm_event ev[64];
	bool done = false;
	struct ctx c;
	int faults = 0;
	uint32_t *o;

	prologue(&p, 64, 4, OUT);
	add(&p, i_ldg(8, 2, 0, 4));
	add(&p, i_iaddi(8, 8, 1));
	add(&p, i_stg(8, 2, 0, 4));
	add(&p, 0xebf9000000070000ull | 0 | 2 << 8 | fld(4, 28));
	add(&p, i_exit());
	ctx_new(&c, 2, 200, 64);
	for (int j = 0; j < 50; j++)
		c.p->kind[(OUT >> 12) + j] = PG_AWAY;
	ctx_launch(&c, &p);
	for (int turn = 0; turn < 20000 && !done; turn++) {
		int n = sm_poll_events(c.sm, ev, 64);

		for (int j = 0; j < n; j++) {
			if (ev[j].type == SM_EVENT_DONE) {
				done = true;
				continue;
			}
			assert_int_equal(ev[j].type, SM_EVENT_FAULT);
			__atomic_store_n(&c.p->kind[(ev[j].va - VA) >> 12], PG_OK, __ATOMIC_RELEASE);
			faults++;
		}
		if (n)
			sm_replay(c.sm);
		else
			usleep(200);
	}
	assert_true(done);
	assert_true(faults >= 50);
	o = at(c.p, OUT);
	for (int t = 0; t < 200 * 64; t++) {
		assert_int_equal(o[4 * t], 1);
		assert_int_equal(o[4 * t + 1], t & 63);
	}
	ctx_del(&c);
}

/* A grid of endless loops in workers ends on kill; del with work under way returns. */
static void workers_kill(void **state)
{
	struct prog p = { .n = 0 };
	struct sm_event ev[4];
	struct ctx c;
	uint64_t id;
	int top, n = 0;

	add(&p, i_mov32(0, 1));
	top = p.n;
	add(&p, i_iaddi(0, 0, 1));
	patch(&p, hole(&p), 0xe240, top, PT, false);
	ctx_new(&c, 2, 64, 64);
	id = ctx_launch(&c, &p);
	usleep(20000);
	sm_kill(c.sm, id);
	for (int t = 0; t < 5000 && !n; t++) {
		n = sm_poll_events(c.sm, ev, 4);
		usleep(200);
	}
	assert_int_equal(n, 1);
	assert_int_equal(ev[0].type, SM_EVENT_DONE);
	ctx_launch(&c, &p);
	usleep(5000);
	sm_reset(c.sm);
	assert_true(sm_idle(c.sm));
	ctx_launch(&c, &p);
	usleep(5000);
	ctx_del(&c);
}

/* Words with any bits in any field: whatever they do, the model survives and the grid ends. */
static void random_words(void **state)
{
	const char *count = getenv("SM_WORDS_COUNT");
	int programs = count ? atoi(count) : 300;
	uint64_t x = 88172645463325252ull;
	const struct sm_row *rows;
	size_t nr;
	struct ctx c;

	rows = sm_rows(&nr);
	ctx_new(&c, 0, 2, 70);
	for (int k = 0; k < programs; k++) {
		struct sm_event ev[64];
		struct prog p = { .n = 0 };
		bool done = false;
		uint64_t id;
		int n;

		prologue(&p, 70, 2, OUT);
		for (int j = 0; j < 40; j++) {
			const struct sm_row *r;
			uint64_t w;

			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			r = &rows[x % nr];
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			w = (x & ~((uint64_t)r->mask << 48)) | (uint64_t)r->match << 48;
			/* mostly registers that exist, addresses that are good, no guard */
			if (x & 1)
				w &= ~0xe0ull;
			if (x & 2)
				w = (w & ~0xff00ull) | 2 << 8;
			if (x & 4)
				w &= ~(0xe0ull << 20 | 0xe0ull << 39);
			if (x & 8)
				w = guard(w, PT, false);
			add(&p, x & 0x7000 ? w : x);
		}
		add(&p, i_exit());
		c.l.regs = k & 1 ? 255 : 40;
		c.l.shared_size = k & 2 ? 512 : 0;
		c.l.local_low = k & 4 ? 64 : 0;
		c.p->kind[(OUT >> 12) + 1] = k & 8 ? PG_NOHOST : PG_SPARSE;
		id = ctx_launch(&c, &p);
		for (int turn = 0; turn < 5 && !done; turn++) {
			sm_step(c.sm, 1000);
			while ((n = sm_poll_events(c.sm, ev, 64)))
				for (int j = 0; j < n; j++)
					done |= ev[j].type == SM_EVENT_DONE;
			sm_replay(c.sm);
		}
		if (!done) {
			sm_kill(c.sm, id);
			sm_step(c.sm, 1000);
			n = sm_poll_events(c.sm, ev, 64);
			assert_true(n >= 1);
			assert_int_equal(ev[n - 1].type, SM_EVENT_DONE);
		}
		assert_true(sm_idle(c.sm));
	}
	ctx_del(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    sm_test(sizes),
	    sm_test(forms),
	    sm_test(ldc),
	    sm_test(page_kinds),
	    sm_test(atomics),
	    sm_test(compare_and_swap),
	    sm_test(fault_store),
	    sm_test(fault_load_atomic_fetch_const),
	    sm_uncounted(kill_parked_and_running),
	    sm_uncounted(exceptions),
	    sm_uncounted(exception_stops_a_warp),
	    sm_uncounted(out_of_range),
	    sm_uncounted(too_big),
	    sm_test(if_else),
	    sm_test(loops),
	    sm_test(calls),
	    sm_test(splits),
	    sm_test(barrier),
	    sm_test(barrier_arrive),
	    sm_test(barrier_reduce),
	    sm_test(jumps),
	    sm_test(ldc_modes),
	    sm_test(no_effect),
	    sm_test(breakpoint),
	    sm_test(registers),
	    sm_test(new_code), sm_uncounted(new_code_workers), sm_uncounted(watchdog), sm_uncounted(watchdog_waits),
	    sm_test(many_grids),
	    sm_test(workers_fault),
	    sm_uncounted(workers_kill),
	    cmocka_unit_test(every_row),
	    sm_uncounted(random_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
