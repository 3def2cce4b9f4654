// SPDX-License-Identifier: MIT
/*
 * Every arithmetic instruction against an independent reference in scalar C, with
 * edge values and random ones, in both builds of the lane arithmetic.
 */
#include <fenv.h>
#include <math.h>

#include "tests/sm_harness.h"

/* What a lane gets. */
struct in {
	uint64_t a, b, c;	/* 64-bit operands whole, 32-bit ones in the lower half */
	bool cc_c, cc_z, cc_s, cc_o;
	bool p0, p1;
	int lane;
};

typedef uint64_t (*ref_fn)(const struct in *x);

static const uint32_t edge32[] = {
    0,
    1,
    2,
    3,
    5,
    7,
    15,
    16,
    17,
    31,
    32,
    33,
    63,
    64,
    65,
    127,
    128,
    255,
    256,
    0x7fff,
    0x8000,
    0xffff,
    0x10000,
    0x7fffffff,
    0x80000000,
    0x80000001,
    0xffffffff,
    0xfffffffe,
    0xffff8000,
    0xaaaaaaaa,
    0x0810,
    0x2000,
    0x1f01,
    /* floats: 1, -1, 0.5, max, min normal, denormals, Inf, NaNs, 2^31, 2^32, 2^63, 1.5, 2.5, -2.5, pi */
    0x3f800000,
    0xbf800000,
    0x3f000000,
    0x7f7fffff,
    0x00800000,
    0x00000001,
    0x007fffff,
    0x80000001,
    0x807fffff,
    0x7f800000,
    0xff800000,
    0x7fc00000,
    0xffc00000,
    0x7f800001,
    0x4f000000,
    0x4f800000,
    0x5f000000,
    0xcf000000,
    0x3fc00000,
    0x40200000,
    0xc0200000,
    0x40490fdb,
    0xbf000000,
    0x4effffff,
    0x34000000,
    0x33800000,
};
static const uint64_t edge64[] = {
    0,
    1,
    ~0ull,
    1ull << 63,
    0x3ff0000000000000,
    0xbff0000000000000,
    0x3fe0000000000000,
    0x7fefffffffffffff,
    0x0010000000000000,
    0x000fffffffffffff,
    0x8000000000000001,
    0x7ff0000000000000,
    0xfff0000000000000,
    0x7ff8000000000000,
    0x4004000000000000,
    0xc004000000000000,
    0x43e0000000000000,
    0xc3e0000000000000,
    0x41e0000000000000,
    0x41dfffffffc00000,
    0x400921fb54442d18,
    0x7fffffffffffffff,
    0x36a0000000000000,
    0x47efffffe0000000,
    0x47efffffefffffff,
    0x3e50000000000000,
    0x41f0000000000000,
};
#define N32 (sizeof(edge32) / sizeof(edge32[0]))
#define N64 (sizeof(edge64) / sizeof(edge64[0]))

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t value(bool wide)
{
	uint64_t r = rnd64();

	if (wide)
		return r & 0x100 ? edge64[(r >> 16) % N64] : rnd64();
	if (r & 0x300)
		return edge32[(r >> 16) % N32];
	return (uint32_t)rnd64();
}

static void fill_lane(uint32_t *rows, int l, uint64_t v)
{
	rows[l] = v;
	rows[32 + l] = v >> 32;
}

/* Which result to compare. */
enum what { D32 = 1, D64 = 2, P3 = 4, P0 = 8, CC = 16 };

#define CC_BITS(c, z, s, o) ((uint64_t)((c) ? 1 : 0) | ((z) ? 2 : 0) | ((s) ? 4 : 0) | ((o) ? 8 : 0))

#define ROUNDS 100

static bool nan_equal;	/* any NaN equals any NaN */

static bool same(uint64_t a, uint64_t b, enum what what)
{
	if (a == b)
		return true;
	if (what == P3 && b == 2)
		return true;	/* either */
	if (nan_equal && (what & D64))
		return (a << 1) > 0xffe0000000000000 && (b << 1) > 0xffe0000000000000;
	return false;
}

/*
 * Run @word over operands from the edge lists and compare.  @what D32/D64: the
 * register; P3, P0: predicate 3, and predicate 4 where bits 2:0 name it; CC.
 */
static void sweep_word(const char *name, uint64_t word, bool wa, bool wb, bool wc, enum what what, ref_fn ref)
{
	const sm_alu_fn *const tables[2] = { sm_alu_base, sm_alu_v3 };
	static uint32_t a[64], b[64], c[64], d[64];
	static struct sm_warp w;
	int last = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct in in[32];
		uint32_t p0 = rnd64(), p1 = rnd64(), cc[4] = { rnd64(), rnd64(), rnd64(), rnd64() };

		for (int l = 0; l < 32; l++) {
			in[l] = (struct in){ value(wa), value(wb), value(wc), cc[0] >> l & 1, cc[1] >> l & 1,
					     cc[2] >> l & 1, cc[3] >> l & 1, p0 >> l & 1, p1 >> l & 1, l };
			fill_lane(a, l, in[l].a);
			fill_lane(b, l, in[l].b);
			fill_lane(c, l, in[l].c);
		}
		for (int t = 0; t <= last; t++) {
			struct sm_alu x = { d, a, b, c, ~0u, &w };
			struct sm_insn i;

			memset(&w, 0, offsetof(struct sm_warp, stack));
			w.p[0] = p0;
			w.p[1] = p1;
			w.p[7] = ~0u;
			w.cc_c = cc[0];
			w.cc_z = cc[1];
			w.cc_s = cc[2];
			w.cc_o = cc[3];
			memset(d, 0xee, sizeof(d));
			sm_decode(word, tables[t], &i);
			assert_non_null(i.fn);
			/* immediates replace B */
			for (int l = 0; l < 32 && i.form >= FORM_I && i.form <= FORM_U16; l++) {
				in[l].b = i.form == FORM_D ? (uint64_t)i.imm << 32
					  : i.nb == 2	   ? (uint64_t)(int64_t)(int32_t)i.imm
							   : i.imm;
				fill_lane(b, l, in[l].b);
			}
			i.fn(&i, &x);
			for (int l = 0; l < 32; l++) {
				uint64_t want = ref(&in[l]), got;

				if (what & D32)
					got = d[l];
				else if (what & D64)
					got = d[l] | (uint64_t)d[32 + l] << 32;
				else if (what & P3)
					got = (w.p[3] >> l & 1) | (what & P0 ? (w.p[4] >> l & 1) << 1 : 0);
				else
					got = CC_BITS(w.cc_c >> l & 1, w.cc_z >> l & 1, w.cc_s >> l & 1,
						      w.cc_o >> l & 1);
				if (!same(got, want, what)) {
					print_error("%s %016llx build %d: a %llx b %llx c %llx cc %d%d p "
						    "%d%d got %llx want %llx\n",
						    name, (long long)word, t, (long long)in[l].a,
						    (long long)in[l].b, (long long)in[l].c, in[l].cc_c,
						    in[l].cc_z, in[l].p0, in[l].p1, (long long)got,
						    (long long)want);
					fail();
				}
			}
		}
	}
}

/*
 * The same for all forms of the operation whose modifiers stand where those of @word stand: the register
 * form's B from a constant bank, as an immediate, and C from a constant bank.
 */
static void sweep(const char *name, uint64_t word, bool wa, bool wb, bool wc, enum what what, ref_fn ref)
{
	/* bits 38:20 and 56 */
	static const uint32_t ints[] = { 0, 1, 31, 32, 0x1f01, 0x2000, 0x7ffff, 0xfffff, 0x80000 };
	static const uint32_t floats[] = { 0x00000, 0x3f800, 0x40490, 0x7f800, 0x7fc00, 0x00400, 0xbf800, 0xcf000, 0x4effe };
	static const uint32_t doubles[] = { 0x00000, 0x3ff00, 0x40092, 0x7ff00, 0x7ff80, 0x00080, 0xbff00, 0xc3e00, 0x41dff };
	const struct sm_row *r = sm_row_of(word), *rows;
	size_t n;

	sweep_word(name, word, wa, wb, wc, what, ref);
	cover(word);
	rows = sm_rows(&n);
	for (size_t j = 0; j < n && r->form == FORM_R; j++) {
		const struct sm_row *s = &rows[j];
		uint64_t w = (word & ~((uint64_t)r->mask << 48) & ~fld(0x7ffff, 20)) | (uint64_t)s->match << 48;

		if (s == r || s->op != r->op || strcmp(s->name, r->name) || strcmp(s->fmt, r->fmt))
			continue;
		if (s->form == FORM_C || s->form == FORM_RC) {
			sweep_word(name, w, wa, wb, wc, what, ref);
			cover(w);
		} else {
			struct sm_insn i;

			sm_decode(w, NULL, &i);
			for (size_t k = 0; k < 9; k++) {
				uint32_t v = i.form == FORM_F ? floats[k] : i.form == FORM_D ? doubles[k] : ints[k];

				sweep_word(name, w | fld(v & 0x7ffff, 20) | fld(v >> 19, 56), wa, wb, wc, what, ref);
			}
			cover(w);
		}
	}
}

#define REF(name) static uint64_t r_##name(const struct in *x)
#define SW(word, what, ref) sweep(#ref, word, false, false, false, what, r_##ref)
#define R(op) enc(op, 0, 4, 8, 0)		/* d r0, a r4, b r8 */
#define R3(op) enc(op, 0, 4, 8, 12)		/* c r12 */
#define A ((uint32_t)x->a)
#define Bv ((uint32_t)x->b)
#define C ((uint32_t)x->c)
#define SA ((int32_t)x->a)
#define SB ((int32_t)x->b)
#define SC ((int32_t)x->c)
#define PSRC(p, not) (fld(p, 39) | ((not) ? bit(42) : 0))

/* --- integer ---------------------------------------------------------------- */

REF(mov) { return Bv; }
REF(sel_p0) { return x->p0 ? A : Bv; }
REF(sel_np1) { return !x->p1 ? A : Bv; }
REF(iadd) { return (uint32_t)(A + Bv); }
REF(isub) { return (uint32_t)(A - Bv); }
REF(irsub) { return (uint32_t)(Bv - A); }
REF(iadd_po) { return (uint32_t)(A + Bv + 1); }
REF(iadd_x) { return (uint32_t)(A + Bv + x->cc_c); }
REF(isub_x) { return (uint32_t)(A + ~Bv + x->cc_c); }
REF(iadd_sat)
{
	int64_t v = (int64_t)SA + SB;

	return (uint32_t)(v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v);
}
REF(iadd_cc)
{
	uint64_t v = (uint64_t)A + Bv;
	int64_t s = (int64_t)SA + SB;

	return CC_BITS(v >> 32, !(uint32_t)v, v & 0x80000000, s != (int32_t)s);
}
REF(isub_cc)
{
	uint32_t v = A - Bv;
	int64_t s = (int64_t)SA - SB;

	return CC_BITS(A >= Bv, !v, v >> 31, s != (int32_t)s);
}
REF(iaddx_cc)
{
	uint64_t v = (uint64_t)A + Bv + x->cc_c;
	int64_t s = (int64_t)SA + SB + x->cc_c;

	return CC_BITS(v >> 32, !(uint32_t)v, v & 0x80000000, s != (int32_t)s);
}
REF(iadd3_n) { return (uint32_t)(A - Bv + C); }
REF(iadd3_h) { return (uint32_t)((A >> 16) + (Bv & 0xffff) + C); }
REF(iscadd7) { return (uint32_t)((A << 7) + Bv); }
REF(iscadd_n) { return (uint32_t)(Bv - (A << 7)); }
REF(lea) { return (uint32_t)((A << 3) + Bv); }
REF(lea_hi) { return (uint32_t)(((((uint64_t)C << 32) | A) >> (32 - 5)) + Bv); }
REF(imul) { return (uint32_t)((uint64_t)A * Bv); }
REF(imul_uhi) { return ((uint64_t)A * Bv) >> 32; }
REF(imul_shi) { return (uint32_t)(((int64_t)SA * SB) >> 32); }
REF(imul_suhi) { return (uint32_t)(((__int128)SA * Bv) >> 32); }
REF(imad) { return (uint32_t)((uint64_t)A * Bv + C); }
REF(imad_n) { return (uint32_t)(C - (uint64_t)A * Bv); }
REF(imad_nc) { return (uint32_t)((uint64_t)A * Bv - C); }
REF(imad_shi) { return (uint32_t)((((int64_t)SA * SB) >> 32) + C); }
REF(imad_uhix) { return (uint32_t)((((uint64_t)A * Bv) >> 32) + C + x->cc_c); }
REF(imad_cc)
{
	uint64_t v = (uint64_t)(uint32_t)(A * Bv) + C;
	int64_t s = (int64_t)(int32_t)(A * Bv) + SC;

	return CC_BITS(v >> 32, !(uint32_t)v, v & 0x80000000, s != (int32_t)s);
}
REF(xmad) { return (uint32_t)((A & 0xffff) * (Bv & 0xffff) + C); }
REF(xmad_h1h1) { return (uint32_t)((A >> 16) * (Bv >> 16) + C); }
REF(xmad_psl_cbcc) { return (uint32_t)((((A >> 16) * (Bv >> 16)) << 16) + C + (Bv << 16)); }
REF(xmad_mrg) { return (((A & 0xffff) * (Bv >> 16) + C) & 0xffff) | Bv << 16; }
REF(xmad_s) { return (uint32_t)((int16_t)A * (int16_t)Bv) + (uint32_t)C; }
REF(xmad_clo) { return (uint32_t)((A & 0xffff) * (Bv & 0xffff) + (C & 0xffff)); }
REF(xmad_chi) { return (uint32_t)((A & 0xffff) * (Bv & 0xffff) + (C >> 16)); }
REF(imin_s) { return (uint32_t)(SA < SB ? SA : SB); }
REF(imax_u) { return A > Bv ? A : Bv; }
REF(imnmx_p0) { return (uint32_t)(x->p0 ? SA < SB ? SA : SB : SA > SB ? SA : SB); }

/* The three parts of a long minimum: what the upper word leaves in CC, and what lower words make of it. */
REF(imnmx_xhi_cc) { return CC_BITS(SA >= SB, SA == SB, SA < SB, 0); }
#define LOWER_LESS(x) ((x)->cc_z ? A < Bv : !(x)->cc_c)
REF(imin_xlo) { return LOWER_LESS(x) ? A : Bv; }
REF(imax_xlo) { return LOWER_LESS(x) ? Bv : A; }
REF(imin_xmed_cc) { return CC_BITS(!LOWER_LESS(x), x->cc_z && A == Bv, LOWER_LESS(x), 0); }

REF(iadd3_x0) { return (uint32_t)(A + Bv + C); }
REF(iadd3_nnc) { return (uint32_t)(C - A - Bv); }
REF(iadd3_x) { return (uint32_t)(A + Bv + C + x->cc_c); }
REF(iadd3_cc)
{
	uint64_t v = (uint64_t)A + Bv + C;

	return CC_BITS(v >> 32, !(uint32_t)v, v & 0x80000000, 0);
}
REF(lea_n) { return (uint32_t)(Bv - (A << 3)); }
REF(lea_x) { return (uint32_t)((A << 3) + Bv + x->cc_c); }
REF(lea_cc)
{
	uint64_t v = (uint64_t)(A << 3) + Bv;
	int64_t s = (int64_t)(int32_t)(A << 3) + SB;

	return CC_BITS(v >> 32, !(uint32_t)v, v & 0x80000000, s != (int32_t)s);
}
REF(lea_hin)
{
	uint64_t v = -((uint64_t)C << 32 | A);

	return (uint32_t)((uint32_t)(v >> 27) + Bv);
}
REF(lea_hix) { return (uint32_t)(((((uint64_t)C << 32) | A) >> 27) + Bv + x->cc_c); }
REF(imad32i_n) { return (uint32_t)(C - A * Bv); }
REF(imad32i_nc) { return (uint32_t)(A * Bv - C); }
REF(imad32i_cc)
{
	uint64_t v = (uint64_t)(uint32_t)(A * Bv) + C;
	int64_t s = (int64_t)(int32_t)(A * Bv) + SC;

	return CC_BITS(v >> 32, !(uint32_t)v, v & 0x80000000, s != (int32_t)s);
}
static uint32_t half(uint32_t v, bool h1, bool s)
{
	v = h1 ? v >> 16 : v & 0xffff;
	return s && v & 0x8000 ? v | 0xffff0000 : v;
}
/* nv50_ir.h: "if both operands to the multiplication are non-zero, subtract 65536 for each negative operand" */
static uint32_t csfu(uint32_t a, uint32_t b, uint32_t c)
{
	if (a && b)
		c -= (a & 0x8000 ? 65536 : 0) + (b & 0x8000 ? 65536 : 0);
	return a * b + c;
}
REF(xmad_csfu) { return csfu(half(A, false, false), half(Bv, false, false), C); }
REF(xmad_csfu_h1) { return csfu(half(A, true, false), half(Bv, true, false), C); }
REF(xmad_csfu_b1) { return csfu(half(A, false, false), half(Bv, true, false), C); }
REF(xmad_su_h1) { return half(A, true, true) * half(Bv, false, false) + C; }
REF(xmad_us_h1) { return half(A, false, false) * half(Bv, true, true) + C; }
REF(xmad_x) { return (A & 0xffff) * (Bv & 0xffff) + C + x->cc_c; }
REF(xmad_cc)
{
	uint32_t p = (A & 0xffff) * (Bv & 0xffff);
	uint64_t v = (uint64_t)p + C;
	int64_t s = (int64_t)(int32_t)p + SC;

	return CC_BITS(v >> 32, !(uint32_t)v, v & 0x80000000, s != (int32_t)s);
}
REF(xmad_psl) { return (((A & 0xffff) * (Bv & 0xffff)) << 16) + C; }
REF(imul_cc)
{
	uint32_t v = A * Bv;

	return CC_BITS(0, !v, v >> 31, 0);
}

static void t_int(void **state)
{
	SW(R(0x5c98), D32, mov);
	SW(i_mov32(0, 0xdeadbeef), D32, mov);
	SW(R(0x3898) | fld(0x12345, 20), D32, mov);
	SW(R(0x5ca0) | PSRC(0, 0), D32, sel_p0);
	SW(R(0x5ca0) | PSRC(1, 1), D32, sel_np1);
	SW(R(0x5c10), D32, iadd);
	SW(i_iaddi(0, 4, -77), D32, iadd);
	SW(R(0x5c10) | bit(48), D32, isub);
	SW(R(0x5c10) | bit(49), D32, irsub);
	SW(R(0x5c10) | bit(49) | bit(48), D32, iadd_po);
	SW(R(0x5c10) | bit(43), D32, iadd_x);
	SW(R(0x5c10) | bit(43) | bit(48), D32, isub_x);
	SW(R(0x5c10) | bit(50), D32, iadd_sat);
	SW(R(0x5c10) | bit(47), CC, iadd_cc);
	SW(R(0x5c10) | bit(47) | bit(48), CC, isub_cc);
	SW(R(0x5c10) | bit(47) | bit(43), CC, iaddx_cc);
	SW(enc(0x1c00, 0, 4, 0, 0) | fld(0x89abcdef, 20), D32, iadd);
	SW(enc(0x1c00, 0, 4, 0, 0) | fld(0x89abcdef, 20) | bit(52), CC, iadd_cc);
	SW(enc(0x1d00, 0, 4, 0, 0) | fld(0x89abcdef, 20), D32, irsub);
	SW(enc(0x1d80, 0, 4, 0, 0) | fld(0x89abcdef, 20), D32, iadd_po);
	SW(R3(0x5cc0) | bit(50), D32, iadd3_n);
	SW(R3(0x5cc0) | fld(2, 35) | fld(1, 33), D32, iadd3_h);
	SW(R(0x5c18) | fld(7, 39), D32, iscadd7);
	SW(R(0x5c18) | fld(7, 39) | bit(49), D32, iscadd_n);
	SW(enc(0x1400, 0, 4, 0, 0) | fld(0x1000, 20) | fld(7, 53), D32, iscadd7);
	SW(R(0x5bd0) | fld(3, 39) | fld(7, 48), D32, lea);
	SW(R3(0x5bd8) | fld(5, 28) | fld(7, 48), D32, lea_hi);
	SW(enc(0x4cc0, 0, 4, 0, 12) | bit(50), D32, iadd3_n);
	SW(enc(0x38c0, 0, 4, 0, 12) | fld(0x4321, 20) | bit(50), D32, iadd3_n);
	SW(enc(0x38c0, 0, 4, 0, 12) | fld(0x70000, 20) | bit(56), D32, iadd3_x0);
	SW(R3(0x5cc0) | bit(51) | bit(50), D32, iadd3_nnc);
	SW(R3(0x5cc0) | bit(48), D32, iadd3_x);
	SW(enc(0x4cc0, 0, 4, 0, 12) | bit(48), D32, iadd3_x);
	SW(R3(0x5cc0) | bit(47), CC, iadd3_cc);
	for (int f = 0; f < 3; f++) {
		static const uint16_t op[] = { 0x5bd0, 0x4bd0, 0x36d0 };
		uint64_t w = enc(op[f], 0, 4, 8, 0) | fld(3, 39) | fld(7, 48);

		SW(w, D32, lea);
		SW(w | bit(45), D32, lea_n);
		SW(w | bit(46), D32, lea_x);
		SW(w | bit(47), CC, lea_cc);
	}
	SW(R3(0x5bd8) | fld(5, 28) | fld(7, 48) | bit(37), D32, lea_hin);
	SW(R3(0x5bd8) | fld(5, 28) | fld(7, 48) | bit(38), D32, lea_hix);
	SW(enc(0x1800, 0, 4, 0, 12) | fld(5, 51) | fld(7, 48), D32, lea_hi);
	SW(enc(0x1800, 0, 4, 0, 12) | fld(5, 51) | fld(7, 48) | bit(56), D32, lea_hin);
	SW(enc(0x1800, 0, 4, 0, 12) | fld(5, 51) | fld(7, 48) | bit(57), D32, lea_hix);
	SW(R(0x5c38), D32, imul);
	SW(R(0x5c38) | bit(47), CC, imul_cc);
	SW(enc(0x1f00, 0, 4, 0, 0) | fld(0x10001, 20), D32, imul);
	SW(enc(0x1f00, 0, 4, 0, 0) | fld(0xcccccccd, 20) | bit(53) | bit(54) | bit(55), D32, imul_shi);
	SW(enc(0x1000, 0, 4, 0, 0) | fld(0x89abcdef, 20), D32, imad);
	SW(enc(0x1000, 0, 4, 0, 0) | fld(0x89abcdef, 20) | bit(56), D32, imad32i_n);
	SW(enc(0x1000, 0, 4, 0, 0) | fld(0x89abcdef, 20) | bit(55), D32, imad32i_nc);
	SW(enc(0x1000, 0, 4, 0, 0) | fld(0x89abcdef, 20) | bit(53) | bit(54) | bit(57), D32, imad_shi);
	SW(enc(0x1000, 0, 4, 0, 0) | fld(0x00012345, 20) | bit(52), CC, imad32i_cc);
	SW(R(0x5c38) | bit(39), D32, imul_uhi);
	SW(R(0x5c38) | bit(39) | bit(40) | bit(41), D32, imul_shi);
	SW(R(0x5c38) | bit(39) | bit(40), D32, imul_suhi);
	SW(enc(0x1f00, 0, 4, 0, 0) | fld(0xcccccccd, 20) | bit(53), D32, imul_uhi);
	SW(R3(0x5a00), D32, imad);
	SW(R3(0x5a00) | bit(51), D32, imad_n);
	SW(R3(0x5a00) | bit(52), D32, imad_nc);
	SW(R3(0x5a00) | bit(54) | bit(48) | bit(53), D32, imad_shi);
	SW(R3(0x5a00) | bit(54) | bit(49), D32, imad_uhix);
	SW(R3(0x5a00) | bit(47), CC, imad_cc);
	SW(enc(0x3400, 0, 4, 0, 12) | fld(1000, 20), D32, imad);
	SW(R3(0x5b00), D32, xmad);
	SW(R3(0x5b00) | bit(53) | bit(35), D32, xmad_h1h1);
	SW(R3(0x5b00) | bit(53) | bit(35) | bit(36) | fld(4, 50), D32, xmad_psl_cbcc);
	SW(R3(0x5b00) | bit(35) | bit(37), D32, xmad_mrg);
	SW(R3(0x5b00) | fld(3, 48), D32, xmad_s);
	SW(R3(0x5b00) | fld(1, 50), D32, xmad_clo);
	SW(R3(0x5b00) | fld(2, 50), D32, xmad_chi);
	for (int f = 0; f < 4; f++) {
		/* register; constant; constant as C; 16 bits */
		static const struct {
			uint16_t op;
			uint8_t xin, h1b, mode;
		} k[] = { { 0x5b00, 38, 35, 3 }, { 0x4e00, 54, 52, 2 }, { 0x5100, 54, 52, 2 }, { 0x3600, 38, 0, 3 } };
		uint64_t w = f == 3 ? enc(k[f].op, 0, 4, 0, 12) | fld(0x8765, 20) : enc(k[f].op, 0, 4, f == 2 ? 0 : 8, 12);

		SW(w, D32, xmad);
		SW(w | bit(k[f].xin), D32, xmad_x);
		SW(w | bit(47), CC, xmad_cc);
		SW(w | fld(3, 48), D32, xmad_s);
		SW(w | fld(1, 48) | bit(53), D32, xmad_su_h1);
		SW(w | fld(3, 50), D32, xmad_csfu);
		SW(w | fld(1, 50), D32, xmad_clo);
		SW(w | fld(2, 50), D32, xmad_chi);
		if (f == 3)
			continue;
		SW(w | bit(53) | bit(k[f].h1b) | fld(3, 50), D32, xmad_csfu_h1);
		SW(w | bit(k[f].h1b) | fld(3, 50), D32, xmad_csfu_b1);
		SW(w | fld(2, 48) | bit(k[f].h1b), D32, xmad_us_h1);
	}
	SW(R3(0x5b00) | bit(36), D32, xmad_psl);
	SW(R3(0x4e00) | bit(55), D32, xmad_psl);
	SW(R3(0x3600) | bit(36), D32, xmad_psl);
	SW(R3(0x3600) | fld(0, 28), D32, xmad);
	SW(R3(0x4e00), D32, xmad);
	SW(R3(0x4e00) | bit(53) | bit(52), D32, xmad_h1h1);
	SW(R3(0x4e00) | bit(52) | bit(56), D32, xmad_mrg);
	SW(R3(0x5100) | bit(53) | bit(52), D32, xmad_h1h1);
	SW(R(0x5c20) | bit(48) | PSRC(7, 0), D32, imin_s);
	SW(R(0x5c20) | PSRC(7, 1), D32, imax_u);
	SW(R(0x5c20) | bit(48) | PSRC(0, 0), D32, imnmx_p0);
	SW(R(0x5c20) | bit(48) | fld(3, 43) | PSRC(7, 0), D32, imin_s);
	SW(R(0x5c20) | bit(48) | fld(3, 43) | bit(47) | PSRC(7, 0), CC, imnmx_xhi_cc);
	SW(R(0x5c20) | fld(1, 43) | PSRC(7, 0), D32, imin_xlo);
	SW(R(0x5c20) | bit(48) | fld(1, 43) | PSRC(7, 1), D32, imax_xlo);
	SW(R(0x5c20) | fld(2, 43) | bit(47) | PSRC(7, 0), CC, imin_xmed_cc);
}

/* --- logic, shifts, bits ------------------------------------------------------ */

REF(land) { return A & Bv; }
REF(lor_i) { return A | ~Bv; }
REF(lxor) { return A ^ Bv; }
REF(lpass_n) { return (uint32_t)~Bv; }
REF(land_na) { return ~A & Bv; }
REF(lop_z) { return (A & Bv) == 0; }
REF(lop_nz) { return (A & Bv) != 0; }
REF(lop3_96) { return A ^ Bv ^ C; }
REF(lop3_e8) { return (A & Bv) | (A & C) | (Bv & C); }
REF(shl_w) { return (uint32_t)(A << (Bv & 31)); }
REF(shl_c) { return Bv > 31 ? 0 : (uint32_t)(A << Bv); }
REF(shr_uw) { return A >> (Bv & 31); }
REF(shr_uc) { return Bv > 31 ? 0 : A >> Bv; }
REF(shr_sw) { return (uint32_t)(SA >> (Bv & 31)); }
REF(shr_sc) { return (uint32_t)(SA >> (Bv > 31 ? 31 : Bv)); }
static uint32_t rev(uint32_t v)
{
	uint32_t r = 0;

	for (int n = 0; n < 32; n++)
		r |= (v >> n & 1) << (31 - n);
	return r;
}
REF(shr_brev) { return rev(A); }
static uint64_t funnel(const struct in *x, bool left, bool w, int ty, bool hi)
{
	unsigned int max = ty >= 2 ? 63 : 31, s = w ? Bv & max : Bv > max ? max + 1 : Bv;
	unsigned __int128 v = (uint64_t)C << 32 | A;

	if (left)
		return (uint32_t)((v << s) >> 32);
	if (ty == 3)
		v = (unsigned __int128)((__int128)(int64_t)(uint64_t)v >> s);
	else
		v >>= s;
	return (uint32_t)(hi ? v >> 32 : v);
}
REF(shfl_w64) { return funnel(x, true, true, 3, false); }
REF(shfl_c64) { return funnel(x, true, false, 3, false); }
REF(shfl_w32) { return funnel(x, true, true, 0, false); }
REF(shfl_c32) { return funnel(x, true, false, 0, false); }
REF(shfr_w64) { return funnel(x, false, true, 2, false); }
REF(shfr_c64h) { return funnel(x, false, false, 2, true); }
REF(shfr_s64) { return funnel(x, false, false, 3, false); }
REF(shfr_s64h) { return funnel(x, false, true, 3, true); }
REF(shfr_w32) { return funnel(x, false, true, 0, false); }
/* PTX ISA, bfe: bit by bit */
static uint32_t bfe(uint32_t a, uint32_t b, bool s)
{
	unsigned int pos = b & 255, len = b >> 8 & 255, r = 0;
	unsigned int msb = 31, sbit;

	if (!s || len == 0)
		sbit = 0;
	else
		sbit = a >> (pos + len - 1 < msb ? pos + len - 1 : msb) & 1;
	for (unsigned int n = 0; n <= msb; n++)
		r |= (n < len && pos + n <= msb ? a >> (pos + n) & 1 : sbit) << n;
	return r;
}
REF(bfe_u) { return bfe(A, Bv, false); }
REF(bfe_s) { return bfe(A, Bv, true); }
REF(bfe_rev) { return bfe(rev(A), Bv, false); }
REF(bfi)
{
	unsigned int pos = Bv & 255, len = Bv >> 8 & 255;
	uint32_t r = C;

	for (unsigned int n = 0; n < len && pos + n <= 31; n++)
		r = (r & ~(1u << (pos + n))) | (A >> n & 1) << (pos + n);
	return r;
}
static uint32_t flo(uint32_t v, bool s, bool sh)
{
	if (s && v >> 31)
		v = ~v;
	for (int n = 31; n >= 0; n--)
		if (v >> n & 1)
			return sh ? 31 - n : n;
	return ~0u;
}
REF(flo_u) { return flo(Bv, false, false); }
REF(flo_s) { return flo(Bv, true, false); }
REF(flo_sh) { return flo(~Bv, false, true); }
REF(popc)
{
	int k = 0;

	for (int n = 0; n < 32; n++)
		k += Bv >> n & 1;
	return k;
}
REF(prmt)
{
	uint8_t by[8];
	uint32_t r = 0;

	memcpy(by, &x->a, 4);
	memcpy(by + 4, &x->c, 4);
	for (int n = 0; n < 4; n++) {
		unsigned int k = Bv >> (4 * n) & 15;
		uint32_t v = by[k & 7];

		r |= (k & 8 ? v & 0x80 ? 0xffu : 0u : v) << (8 * n);
	}
	return r;
}
REF(prmt_f4e) { return (uint32_t)(((uint64_t)C << 32 | A) >> (8 * (Bv & 3))); }
REF(prmt_rc8) { return (A >> (8 * (Bv & 3)) & 255) * 0x01010101u; }
REF(prmt_rc16) { return (A >> (16 * (Bv & 1)) & 0xffff) * 0x00010001u; }

REF(lop3_z) { return r_lop3_e8(x) == 0; }
REF(lop3_cc)
{
	uint32_t v = (uint32_t)r_lop3_e8(x);

	return CC_BITS(0, !v, v >> 31, 0);
}
/* PTX ISA, prmt: backward 4 extract, edge clamp left and right */
static uint32_t bytes_of(const struct in *x, const int sel[4])
{
	uint64_t v = (uint64_t)C << 32 | A;
	uint32_t r = 0;

	for (int n = 0; n < 4; n++)
		r |= (uint32_t)(v >> (8 * sel[n]) & 255) << (8 * n);
	return r;
}
REF(prmt_b4e)
{
	int k = Bv & 3, sel[4] = { k, (k + 7) & 7, (k + 6) & 7, (k + 5) & 7 };

	return bytes_of(x, sel);
}
REF(prmt_ecl)
{
	static const int t[4][4] = { { 0, 1, 2, 3 }, { 1, 1, 2, 3 }, { 2, 2, 2, 3 }, { 3, 3, 3, 3 } };

	return bytes_of(x, t[Bv & 3]);
}
REF(prmt_ecr)
{
	static const int t[4][4] = { { 0, 0, 0, 0 }, { 0, 1, 1, 1 }, { 0, 1, 2, 2 }, { 0, 1, 2, 3 } };

	return bytes_of(x, t[Bv & 3]);
}

static void t_logic(void **state)
{
	SW(R(0x5c40) | fld(7, 48), D32, land);
	SW(R(0x5c40) | fld(1, 41) | bit(40) | fld(7, 48), D32, lor_i);
	SW(R(0x5c40) | fld(2, 41) | fld(7, 48), D32, lxor);
	SW(R(0x5c40) | fld(3, 41) | bit(40) | fld(7, 48), D32, lpass_n);
	SW(R(0x5c40) | bit(39) | fld(7, 48), D32, land_na);
	SW(R(0x5c40) | fld(3, 48) | fld(2, 44), P3, lop_z);
	SW(R(0x5c40) | fld(3, 48) | fld(3, 44), P3, lop_nz);
	SW(enc(0x0400, 0, 4, 0, 0) | fld(0xf0f0f0f0, 20), D32, land);
	SW(enc(0x0400, 0, 4, 0, 0) | fld(0xf0f0f0f0, 20) | fld(1, 53) | bit(56), D32, lor_i);
	SW(enc(0x0400, 0, 4, 0, 0) | fld(0xf0f0f0f0, 20) | fld(2, 53), D32, lxor);
	SW(R3(0x5be0) | fld(0x96, 28) | fld(7, 48), D32, lop3_96);
	SW(R3(0x5be0) | fld(0xe8, 28) | fld(7, 48), D32, lop3_e8);
	SW(enc(0x0200, 0, 4, 0, 12) | fld(0x96, 48), D32, lop3_96);
	SW(enc(0x0200, 0, 4, 0, 12) | fld(0xe8, 48), D32, lop3_e8);
	SW(enc(0x3c00, 0, 4, 0, 12) | fld(0x96, 48) | fld(0x3a5a5, 20), D32, lop3_96);
	SW(enc(0x3c00, 0, 4, 0, 12) | fld(0xe8, 48) | fld(0x3a5a5, 20) | bit(56), D32, lop3_e8);
	SW(R3(0x5be0) | fld(0xe8, 28) | fld(3, 48) | fld(2, 36), P3, lop3_z);
	SW(R3(0x5be0) | fld(0xe8, 28) | fld(7, 48) | bit(47), CC, lop3_cc);
	SW(enc(0x0400, 0, 4, 0, 0) | fld(0xf0f0f0f0, 20) | fld(3, 53) | bit(56), D32, lpass_n);
	SW(R(0x5c48) | bit(39), D32, shl_w);
	for (unsigned int k = 0; k < 64; k += k < 4 ? 1 : 7)
		for (int wrap = 0; wrap < 2; wrap++) {
			uint64_t l = enc(0x36f8, 0, 4, 0, 12) | fld(k, 20) | fld(wrap, 50);
			uint64_t r = enc(0x38f8, 0, 4, 0, 12) | fld(k, 20) | fld(wrap, 50);

			if (wrap) {
				SW(l | fld(3, 37), D32, shfl_w64);
				SW(l, D32, shfl_w32);
				SW(r | fld(2, 37), D32, shfr_w64);
				SW(r | fld(3, 37) | bit(48), D32, shfr_s64h);
				SW(r, D32, shfr_w32);
			} else {
				SW(l | fld(3, 37), D32, shfl_c64);
				SW(l, D32, shfl_c32);
				SW(r | fld(2, 37) | bit(48), D32, shfr_c64h);
				SW(r | fld(3, 37), D32, shfr_s64);
			}
		}
	SW(R(0x5c48), D32, shl_c);
	SW(R(0x5c28) | bit(39), D32, shr_uw);
	SW(R(0x5c28), D32, shr_uc);
	SW(R(0x5c28) | bit(39) | bit(48), D32, shr_sw);
	SW(R(0x5c28) | bit(48), D32, shr_sc);
	SW(enc(0x3828, 0, 4, 0, 0) | bit(40), D32, shr_brev);
	SW(R3(0x5bf8) | fld(3, 37) | bit(50), D32, shfl_w64);
	SW(R3(0x5bf8) | fld(3, 37), D32, shfl_c64);
	SW(R3(0x5bf8) | bit(50), D32, shfl_w32);
	SW(R3(0x5bf8), D32, shfl_c32);
	SW(R3(0x5cf8) | fld(2, 37) | bit(50), D32, shfr_w64);
	SW(R3(0x5cf8) | fld(2, 37) | bit(48), D32, shfr_c64h);
	SW(R3(0x5cf8) | fld(3, 37), D32, shfr_s64);
	SW(R3(0x5cf8) | fld(3, 37) | bit(50) | bit(48), D32, shfr_s64h);
	SW(R3(0x5cf8) | bit(50), D32, shfr_w32);
	SW(R(0x5c00), D32, bfe_u);
	SW(R(0x5c00) | bit(48), D32, bfe_s);
	SW(R(0x5c00) | bit(40), D32, bfe_rev);
	SW(R3(0x5bf0), D32, bfi);
	SW(R(0x5c30), D32, flo_u);
	SW(R(0x5c30) | bit(48), D32, flo_s);
	SW(R(0x5c30) | bit(40) | bit(41), D32, flo_sh);
	SW(R(0x5c08), D32, popc);
	SW(R3(0x5bc0), D32, prmt);
	SW(R3(0x5bc0) | fld(1, 48), D32, prmt_f4e);
	SW(R3(0x5bc0) | fld(2, 48), D32, prmt_b4e);
	SW(R3(0x5bc0) | fld(3, 48), D32, prmt_rc8);
	SW(R3(0x5bc0) | fld(4, 48), D32, prmt_ecl);
	SW(R3(0x5bc0) | fld(5, 48), D32, prmt_ecr);
	SW(R3(0x5bc0) | fld(6, 48), D32, prmt_rc16);
}

/* --- compares and predicates ---------------------------------------------------- */

static unsigned int cond, boolop;
static bool sgn;

static bool combine(bool v, bool acc)
{
	return boolop == 0 ? v && acc : boolop == 1 ? v || acc : v != acc;
}

static bool icond(int64_t a, int64_t b)
{
	return (a < b && (cond & 1)) || (a == b && (cond & 2)) || (a > b && (cond & 4));
}

static bool icmp(const struct in *x)
{
	return sgn ? icond(SA, SB) : icond(A, Bv);
}
REF(isetp) { return combine(icmp(x), x->p0) | combine(!icmp(x), x->p0) << 1; }
/* .X after the lower words' IADD.CC: a 64-bit compare whose lower words gave C and Z */
REF(isetp_x)
{
	int64_t ah = sgn ? SA : (int64_t)A, bh = sgn ? SB : (int64_t)Bv;
	bool lt = ah < bh || (ah == bh && !x->cc_c), eq = ah == bh && x->cc_z;
	bool v = (lt && !eq && (cond & 1)) || (eq && (cond & 2)) || (!lt && !eq && (cond & 4));

	return combine(v, x->p0);
}
REF(iset) { return combine(icmp(x), x->p0) ? 0xffffffff : 0; }
REF(iset_bf) { return combine(icmp(x), x->p0) ? 0x3f800000 : 0; }
REF(icmpsel) { return (sgn ? icond(SC, 0) : icond(C, 0)) ? A : Bv; }
REF(psetp) { return combine(x->p0 || !x->p1, x->p0) | combine(!(x->p0 || !x->p1), x->p0) << 1; }
REF(pset) { return combine(x->p0 && x->p1, x->p0) ? ~0u : 0; }
REF(csetp_z) { return x->cc_z && !x->cc_s; }
REF(csetp_cs) { return x->cc_c; }
REF(p2r) { return (A & 0xffff00ff) | ((x->p0 | x->p1 << 1) & Bv & 3) << 8; }
REF(r2p) { return Bv >> 3 & 1 ? A >> 11 & 1 : 0; }

/* Each condition by the meaning of its name (envydis tabf0f8_0): flags of a subtraction, or of a float. */
static unsigned int cc_code;
static bool cc_holds(const struct in *x)
{
	bool z = x->cc_z, s = x->cc_s, c = x->cc_c, o = x->cc_o;
	bool lt = s != o, nan = z && s && !o;

	switch (cc_code) {
	case 0x00: return false;
	case 0x05: return !z;			/* neu */
	case 0x0a: return z;			/* equ */
	case 0x06: return !lt;			/* ge, without the unordered case of floats */
	case 0x09: return lt;			/* ltu */
	case 0x0b: return z || lt;		/* leu */
	case 0x07: return !nan;
	case 0x08: return nan;
	case 0x0f: return true;
	case 0x10: return !o;
	case 0x11: return !c;
	case 0x12: return !s;
	case 0x13: return z || !c;		/* ls: lower or same */
	case 0x14: return c && !z;		/* hi */
	case 0x15: return s;
	case 0x16: return c;
	case 0x17: return o;
	}
	return false;
}
REF(csetp_any) { return combine(cc_holds(x), x->p0) | combine(!cc_holds(x), x->p0) << 1; }
REF(cset_any) { return combine(cc_holds(x), x->p0) ? 0xffffffff : 0; }
REF(cset_any_bf) { return combine(cc_holds(x), x->p0) ? 0x3f800000 : 0; }

/*
 * FCHK.DIVIDE asks whether a / b by reciprocal and correction may go wrong.  What must be told: operands that
 * are zero, denormal, Inf or NaN, and quotients or reciprocals that leave the range of normal numbers.
 */
static bool must_be_slow(const struct in *x)
{
	float a, b, q, r;
	uint32_t ua = A, ub = Bv;

	memcpy(&a, &ua, 4);
	memcpy(&b, &ub, 4);
	if (!isnormal(a) || !isnormal(b))
		return true;
	q = a / b;
	r = 1 / b;
	return !isnormal(q) || !isnormal(r);
}
static unsigned int fchk_slow, fchk_all;
REF(fchk)
{
	uint32_t ea = A >> 23 & 255, eb = Bv >> 23 & 255;
	bool plain = ea >= 64 && ea <= 190 && eb >= 64 && eb <= 190 && (int)ea - (int)eb < 100 && (int)eb - (int)ea < 100;

	fchk_all++;
	fchk_slow += must_be_slow(x);
	/* between "must" and "plainly not" the hardware's choice is not public: both are right */
	return must_be_slow(x) ? 1 : plain ? 0 : 2;
}

static void t_compare(void **state)
{
	for (cond = 0; cond < 8; cond++)
		for (boolop = 0; boolop < 3; boolop++)
			for (int s = 0; s < 2; s++) {
				uint64_t m = fld(cond, 49) | fld(boolop, 45) | fld(s, 48) | PSRC(0, 0);

				sgn = s;
				SW(((R(0x5b60) & ~0xffull) | 3 << 3 | 4) | m, P3 | P0, isetp);
				SW(((R(0x5b60) & ~0xffull) | 3 << 3 | 7) | m | bit(43), P3, isetp_x);
				SW(R(0x5b50) | m, D32, iset);
				SW(R(0x5b50) | m | bit(44), D32, iset_bf);
				SW(R3(0x5b40) | fld(cond, 49) | fld(s, 48), D32, icmpsel);
			}
	for (boolop = 0; boolop < 3; boolop++) {
		uint64_t m = fld(boolop, 45) | PSRC(0, 0) | 7ull << 16;

		SW(0x5090000000000000ull | m | 3 << 3 | 4 | fld(1, 24) | fld(1, 29) | bit(32), P3 | P0,
		   psetp);
		SW(0x5088000000000000ull | m | fld(1, 29), D32, pset);
	}
	SW(0x50a0000000070000ull | 3 << 3 | 7 | fld(2, 8) | PSRC(7, 0), P3, csetp_z);
	SW(0x50a0000000070000ull | 3 << 3 | 7 | fld(0x16, 8) | PSRC(7, 0), P3, csetp_cs);
	for (cc_code = 0; cc_code < 0x18; cc_code++) {
		/* the ordered and unordered flavours that differ only in floats' NaN are left to t_cc */
		if ((cc_code >= 0x01 && cc_code <= 0x04) || (cc_code >= 0x0c && cc_code <= 0x0e))
			continue;
		for (boolop = 0; boolop < 3; boolop++) {
			uint64_t m = fld(cc_code, 8) | fld(boolop, 45) | PSRC(0, 0) | 7ull << 16;

			SW(0x50a0000000000000ull | m | 3 << 3 | 4, P3 | P0, csetp_any);
			SW(0x5098000000000000ull | m, D32, cset_any);
			SW(0x5098000000000000ull | m | bit(44), D32, cset_any_bf);
		}
	}
	boolop = 0;
	SW((R(0x5c88) & ~0xffull) | 3 << 3, P3, fchk);
	assert_true(fchk_slow > 0 && fchk_slow < fchk_all);
	SW(R(0x5ce8) | fld(1, 41), D32, p2r);
	SW(R(0x5cf0) | fld(1, 41), P3, r2p);
}

/* --- float ---------------------------------------------------------------------- */

static float uf(uint32_t u)
{
	float f;

	memcpy(&f, &u, 4);
	return f;
}

static uint32_t fu(float f)
{
	uint32_t u;

	memcpy(&u, &f, 4);
	return u;
}

static double ud(uint64_t u)
{
	double f;

	memcpy(&f, &u, 8);
	return f;
}

static uint64_t du(double f)
{
	uint64_t u;

	memcpy(&u, &f, 8);
	return u;
}

static int rmode;	/* 0 nearest, 1 down, 2 up, 3 zero */
static bool ftz, sat, m_na, m_aa, m_nb, m_ab, m_nc;

static void host_round(int m)
{
	static const int r[4] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };

	fesetround(r[m]);
}

static uint32_t flush(uint32_t v)
{
	return ftz && !(v & 0x7f800000) ? v & 0x80000000 : v;
}

static float mod(uint32_t v, bool abs, bool neg)
{
	v = flush(v);
	if (abs)
		v &= 0x7fffffff;
	return uf(neg ? v ^ 0x80000000 : v);
}

static uint32_t result(float f)
{
	uint32_t v = fu(f);

	if (isnan(f))
		return sat ? 0 : 0x7fffffff;
	v = flush(v);
	if (sat)
		return uf(v) > 0 ? uf(v) < 1 ? v : 0x3f800000 : 0;
	return v;
}

REF(fadd)
{
	volatile float a = mod(A, m_aa, m_na), b = mod(Bv, m_ab, m_nb), r;

	host_round(rmode);
	r = a + b;
	host_round(0);
	return result(r);
}
REF(fmul)
{
	volatile float a = mod(A, false, false), b = mod(Bv, false, m_nb), r;

	host_round(rmode);
	r = a * b;
	host_round(0);
	return result(r);
}
REF(ffma)
{
	volatile float a = mod(A, false, false), b = mod(Bv, false, m_nb), c = mod(C, false, m_nc), r;

	host_round(rmode);
	r = fmaf(a, b, c);
	host_round(0);
	return result(r);
}
REF(ffma32i)
{
	return result(fmaf(mod(A, false, false), mod(Bv, false, false), mod(C, false, false)));
}
REF(ffma_fmz)
{
	float a = mod(A, 0, 0), b = mod(Bv, 0, 0), c = mod(C, 0, 0);

	return result(a == 0 || b == 0 ? c : fmaf(a, b, c));
}
REF(fmul_d2) { return result(mod(A, 0, 0) * mod(Bv, 0, 0) * 0.5f); }
static uint64_t fminmax(const struct in *x, bool min)
{
	float a = mod(A, m_aa, m_na), b = mod(Bv, m_ab, m_nb);

	if (isnan(a) && isnan(b))
		return 0x7fffffff;
	if (isnan(a))
		return fu(b);
	if (isnan(b))
		return fu(a);
	if (a == b)
		return fu(!!signbit(a) == min ? a : b);
	return fu((a < b) == min ? a : b);
}
REF(ffmin) { return fminmax(x, true); }
REF(ffmax) { return fminmax(x, false); }
static bool fcond(double a, double b)
{
	return isnan(a) || isnan(b) ? cond >> 3 & 1 :
	       (a < b && (cond & 1)) || (a == b && (cond & 2)) || (a > b && (cond & 4));
}
REF(fsetp)
{
	bool v = fcond(mod(A, m_aa, m_na), mod(Bv, m_ab, m_nb));

	return combine(v, x->p0) | combine(!v, x->p0) << 1;
}
REF(fset) { return combine(fcond(mod(A, m_aa, m_na), mod(Bv, m_ab, m_nb)), x->p0) ? 0x3f800000 : 0; }
REF(fcmpsel) { return fcond(mod(C, 0, 0), 0) ? A : Bv; }

/* range reduction is the identity here; SIN, COS and EX2 take the plain value */
REF(rro) { return Bv; }
REF(rro_na) { return Bv | 0x80000000; }
/* nv50_ir's QUADOP(q, r, s, t): upper left, lane 0, in bits 7:6; 0 a + b, 1 b - a, 2 a - b, 3 b */
static unsigned int fswz;
REF(fswzadd)
{
	volatile float a = mod(A, false, false), b = mod(Bv, false, false), r;

	host_round(rmode);
	switch (fswz >> (6 - 2 * (x->lane & 3)) & 3) {
	case 0: r = a + b; break;
	case 1: r = b - a; break;
	case 2: r = a - b; break;
	default: r = b;
	}
	host_round(0);
	return result(r);
}

static void t_float(void **state)
{
	for (int k = 0; k < 64; k++) {
		rmode = k & 3;
		ftz = k >> 2 & 1;
		sat = k >> 3 & 1;
		m_na = k >> 4 & 1;
		m_nb = k >> 5 & 1;
		m_aa = k % 3 == 0;
		m_ab = k % 5 == 0;
		m_nc = k % 7 < 3;
		SW(R(0x5c58) | fld(rmode, 39) | fld(ftz, 44) | fld(sat, 50) | fld(m_na, 48) | fld(m_aa, 46) |
		   fld(m_nb, 45) | fld(m_ab, 49), D32, fadd);
		SW(R(0x5c68) | fld(rmode, 39) | fld(ftz, 44) | fld(sat, 50) | fld(m_nb, 48), D32, fmul);
		SW(R3(0x5980) | fld(rmode, 51) | fld(ftz, 53) | fld(sat, 50) | fld(m_nb, 48) | fld(m_nc, 49),
		   D32, ffma);
		if (rmode == 0) {
			SW(enc(0x0c00, 0, 4, 0, 0) | fld(0x40490fdb, 20) | fld(ftz, 53) | fld(sat, 55), D32,
			   ffma32i);
			SW(R(0x5c60) | PSRC(7, 0) | fld(ftz, 44) | fld(m_na, 48) | fld(m_aa, 46) |
			       fld(m_nb, 45) | fld(m_ab, 49),
			   D32, ffmin);
			SW(R(0x5c60) | PSRC(7, 1) | fld(ftz, 44) | fld(m_na, 48) | fld(m_aa, 46) |
			       fld(m_nb, 45) | fld(m_ab, 49),
			   D32, ffmax);
		}
	}
	rmode = 0;
	sat = m_na = m_nb = m_aa = m_ab = m_nc = false;
	ftz = true;
	SW(R3(0x5980) | fld(2, 53), D32, ffma_fmz);
	ftz = false;
	SW(R(0x3868) | fld(0x40490, 20), D32, fmul);
	SW(R(0x5c90), D32, rro);
	m_ab = m_nb = true;
	SW(R(0x5c90) | bit(45) | bit(49), D32, rro_na);
	m_ab = m_nb = false;
	for (fswz = 0; fswz < 256; fswz += 5) {
		for (rmode = 0; rmode < 4; rmode++) {
			ftz = rmode & 1;
			SW(R(0x50f8) | fld(fswz, 28) | fld(ftz, 44) | fld(rmode, 39), D32, fswzadd);
		}
		rmode = 0;
		ftz = false;
	}
	SW(enc(0x1e00, 0, 4, 0, 0) | fld(0x40490fdb, 20), D32, fmul);
	SW(enc(0x0800, 0, 4, 0, 0) | fld(0x40490fdb, 20), D32, fadd);
	SW(R(0x5c68) | fld(1, 41), D32, fmul_d2);
	for (cond = 0; cond < 16; cond++)
		for (boolop = 0; boolop < 3; boolop++) {
			ftz = cond & 1;
			m_na = boolop == 1;
			m_ab = boolop == 2;
			SW(((R(0x5bb0) & ~0xffull) | 3 << 3 | 4) | fld(cond, 48) | fld(boolop, 45) |
			       PSRC(0, 0) | fld(ftz, 47) | fld(m_na, 43) | fld(m_ab, 44),
			   P3 | P0, fsetp);
			SW(R(0x5800) | fld(cond, 48) | fld(boolop, 45) | PSRC(0, 0) | fld(ftz, 55) | bit(52) |
			   fld(m_na, 43) | fld(m_ab, 44), D32, fset);
			m_na = m_ab = false;
			SW(R3(0x5ba0) | fld(cond, 48) | fld(ftz, 47), D32, fcmpsel);
		}
	ftz = false;
}

/* MUFU: within 2 ulp of the exact value; special values exactly. */
static int mufu_op;
static uint64_t mufu_in;
static bool close32(uint32_t got, double want, double ulps)
{
	float w = (float)want;
	double ulp;

	if (isnan(want))
		return got == 0x7fffffff;
	if (fabs(want) < 0x1p-126)
		return (got & 0x7fffffff) <= 0x00800000;
	if (isinf(w))
		return fu(w) == got;
	ulp = ldexp(1, ilogb(want) - 23);
	return fabs((double)uf(got) - want) <= ulps * ulp;
}

static void t_mufu(void **state)
{
	const sm_alu_fn *const tables[2] = { sm_alu_base, sm_alu_v3 };
	int last = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
	static uint32_t a[64], d[64];
	static struct sm_warp w;

	for (int t = 0; t <= last; t++)
		for (mufu_op = 0; mufu_op <= 8; mufu_op++)
			for (int k = 0; k < 200; k++) {
				struct sm_alu x = { d, a, a, a, ~0u, &w };
				struct sm_insn i;

				if (mufu_op == 6 || mufu_op == 7)
					continue;
				for (int l = 0; l < 32; l++)
					a[l] = value(false);
				sm_decode(enc(0x5080, 0, 4, 0, 0) | fld(mufu_op, 20), tables[t], &i);
				cover(i.word);
				i.fn(&i, &x);
				for (int l = 0; l < 32; l++) {
					uint32_t u = a[l] & 0x7f800000 ? a[l] : a[l] & 0x80000000;
					double v = uf(u), r;

					switch (mufu_op) {
					case 0: r = cos(v); break;
					case 1: r = sin(v); break;
					case 2: r = exp2(v); break;
					case 3: r = v < 0 ? NAN : log2(v); break;
					case 4: r = 1 / v; break;
					case 5: r = v < 0 ? NAN : 1 / sqrt(v); break;
					default: r = v < 0 ? NAN : sqrt(v);
					}
					mufu_in = u;
					if (!close32(d[l], r, 2)) {
						print_error("mufu %d (%08x) got %08x want %.9g\n", mufu_op,
							    a[l], d[l], r);
						fail();
					}
				}
			}
}

REF(rcp64h)
{
	uint64_t r;

	if (!(A & 0x7ff00000))
		return (A & 0x80000000) | 0x7ff00000;
	r = du(1 / ud((uint64_t)A << 32));
	if (isnan(ud(r)))
		return 0x7fffffff;
	return (r >> 52 & 0x7ff ? r : r & 1ull << 63) >> 32;
}

REF(rsq64h)
{
	uint64_t r;
	double v;

	if (!(A & 0x7ff00000))
		return (A & 0x80000000) | 0x7ff00000;
	v = ud((uint64_t)A << 32);
	if (!(v >= 0))
		return 0x7fffffff;
	r = du(1 / sqrt(v));
	return r >> 32;
}

static void t_mufu64(void **state)
{
	SW(enc(0x5080, 0, 4, 0, 0) | fld(7, 20), D32, rsq64h);
	SW(enc(0x5080, 0, 4, 0, 0) | fld(6, 20), D32, rcp64h);
}

/* --- double ---------------------------------------------------------------------- */

#define SWD(word, what, ref) sweep(#ref, word, true, true, true, what, r_##ref)

static double modd(uint64_t v, bool abs, bool neg)
{
	if (abs)
		v &= ~0ull >> 1;
	return ud(neg ? v ^ 1ull << 63 : v);
}
REF(dadd)
{
	volatile double a = modd(x->a, m_aa, m_na), b = modd(x->b, m_ab, m_nb), r;

	host_round(rmode);
	r = a + b;
	host_round(0);
	return du(r);
}
REF(dmul)
{
	volatile double a = ud(x->a), b = modd(x->b, false, m_nb), r;

	host_round(rmode);
	r = a * b;
	host_round(0);
	return du(r);
}
REF(dfma)
{
	volatile double a = ud(x->a), b = modd(x->b, false, m_nb), c = modd(x->c, false, m_nc), r;

	host_round(rmode);
	r = fma(a, b, c);
	host_round(0);
	return du(r);
}
REF(dmin)
{
	double a = modd(x->a, m_aa, m_na), b = modd(x->b, m_ab, m_nb);

	if (isnan(a))
		return du(b);
	if (isnan(b))
		return du(a);
	if (a == b)
		return du(signbit(a) ? a : b);
	return du(a < b ? a : b);
}
REF(dsetp)
{
	bool v = fcond(modd(x->a, m_aa, m_na), modd(x->b, m_ab, m_nb));

	return combine(v, x->p0) | combine(!v, x->p0) << 1;
}
REF(dset) { return combine(fcond(ud(x->a), ud(x->b)), x->p0) ? 0xffffffff : 0; }

static void t_double(void **state)
{
	nan_equal = true;
	for (int k = 0; k < 16; k++) {
		rmode = k & 3;
		m_na = k >> 2 & 1;
		m_nb = k >> 3 & 1;
		m_aa = k % 3 == 0;
		m_ab = k % 5 == 0;
		m_nc = k % 7 < 3;
		SWD(R(0x5c70) | fld(rmode, 39) | fld(m_na, 48) | fld(m_aa, 46) | fld(m_nb, 45) |
			fld(m_ab, 49),
		    D64, dadd);
		SWD(R(0x5c80) | fld(rmode, 39) | fld(m_nb, 48), D64, dmul);
		SWD(R3(0x5b70) | fld(rmode, 50) | fld(m_nb, 48) | fld(m_nc, 49), D64, dfma);
		SWD(R(0x5c50) | PSRC(7, 0) | fld(m_na, 48) | fld(m_aa, 46) | fld(m_nb, 45) | fld(m_ab, 49),
		    D64, dmin);
	}
	rmode = 0;
	m_na = m_nb = m_aa = m_ab = m_nc = false;
	SWD(R(0x3870) | fld(0x3ff80, 20), D64, dadd);
	for (cond = 0; cond < 16; cond++)
		for (boolop = 0; boolop < 3; boolop++) {
			m_aa = boolop == 1;
			m_nb = boolop == 2;
			SWD(((R(0x5b80) & ~0xffull) | 3 << 3 | 4) | fld(cond, 48) | fld(boolop, 45) |
				PSRC(0, 0) | fld(m_aa, 7) | fld(m_nb, 6),
			    P3 | P0, dsetp);
			SWD(R(0x5900) | fld(cond, 48) | fld(boolop, 45) | PSRC(0, 0), D32, dset);
		}
	m_aa = m_nb = false;
	nan_equal = false;
}

/* --- conversions ------------------------------------------------------------------ */

static int dsz, ssz, bsel;
static bool dsg, ssg, c_abs, c_neg;

static __int128 isource(const struct in *x)
{
	uint64_t v = x->b;

	if (ssz == 3)
		return ssg ? (__int128)(int64_t)v : (__int128)v;
	v = (uint32_t)v;
	if (ssz < 2)
		v >>= 8 * bsel;
	if (ssz == 0)
		return ssg ? (__int128)(int8_t)v : (__int128)(uint8_t)v;
	if (ssz == 1)
		return ssg ? (__int128)(int16_t)v : (__int128)(uint16_t)v;
	return ssg ? (__int128)(int32_t)v : (__int128)(uint32_t)v;
}
REF(i2i)
{
	__int128 v = isource(x);
	int bits = 8 << dsz;
	uint32_t r;

	if (c_abs && v < 0)
		v = -v;
	if (c_neg)
		v = -v;
	if (sat) {
		__int128 hi = dsg ? ((__int128)1 << (bits - 1)) - 1 : ((__int128)1 << bits) - 1;
		__int128 lo = dsg ? -((__int128)1 << (bits - 1)) : 0;

		v = v < lo ? lo : v > hi ? hi : v;
	}
	r = (uint32_t)v;
	if (bits < 32) {
		r &= (1u << bits) - 1;
		if (dsg && r >> (bits - 1))
			r |= ~0u << bits;
	}
	return r;
}
/* Integer to float by hand: exact value against both neighbours. */
static double i2d(__int128 v, int mode, int mant)
{
	bool neg = v < 0;
	unsigned __int128 m = neg ? -v : v;
	int sh = 0;
	unsigned __int128 rest = 0, half;

	while ((m >> sh) >> mant)
		sh++;
	if (sh) {
		rest = m & (((unsigned __int128)1 << sh) - 1);
		half = (unsigned __int128)1 << (sh - 1);
		m >>= sh;
		if ((mode == 0 && (rest > half || (rest == half && (m & 1)))) || (mode == 1 && neg && rest) ||
		    (mode == 2 && !neg && rest))
			m++;
	}
	return ldexp((double)(uint64_t)m, sh) * (neg ? -1 : 1);
}
REF(i2f)
{
	__int128 v = isource(x);

	/* 64-bit unsigned values stay as they are under ABS */
	if (c_abs && v < 0)
		v = -v;
	if (c_neg)
		v = ssz == 3 ? (ssg ? (__int128)(int64_t) - (uint64_t)v : (__int128)(uint64_t) - (uint64_t)v)
			     : -v;
	if (dsz == 3)
		return du(i2d(v, rmode, 53));
	return fu((float)i2d(v, rmode, 24));
}
static double fsource(const struct in *x)
{
	double v;

	if (ssz == 3)
		v = ud(x->b);
	else
		v = uf(flush(Bv));
	if (c_abs)
		v = fabs(v);
	return c_neg ? -v : v;
}
static double rounded(double v)
{
	double i = floor(v), f = v - i;

	if (!isfinite(v))
		return v;
	if (f == 0)
		return v;
	if (rmode == 0) {
		double r = f < 0.5 ? i : f > 0.5 ? i + 1 : fmod(i, 2) == 0 ? i : i + 1;

		return r == 0 ? copysign(0, v) : r;
	}
	if (rmode == 1)
		return i;
	if (rmode == 2)
		return i + 1 == 0 ? -0.0 : i + 1;
	return v < 0 ? i + 1 == 0 ? -0.0 : i + 1 : i;
}
REF(f2i)
{
	double v = fsource(x);
	int bits = 8 << dsz;
	uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1, r;

	if (isnan(v))
		return ssz == 3 || dsz == 3 ? 1ull << (bits - 1) : 0;
	v = rounded(v);
	if (dsg) {
		if (v >= ldexp(1, bits - 1))
			r = mask >> 1;
		else if (v < -ldexp(1, bits - 1))
			r = ~(mask >> 1);
		else
			r = (uint64_t)(int64_t)v;
	} else {
		if (v <= 0)
			r = 0;
		else if (v >= ldexp(1, bits))
			r = mask;
		else
			r = (uint64_t)v;
	}
	return bits == 64 ? r : (uint32_t)r;
}
REF(f2f_int)
{
	double v = rounded(fsource(x));

	if (ssz == 3)
		return du(v);
	return isnan(v) ? 0x7fffffff : fu((float)v);
}
REF(f2f_narrow)
{
	volatile double v = fsource(x);
	volatile float f;

	host_round(rmode);
	f = (float)v;
	host_round(0);
	return isnan(v) ? 0x7fffffff : fu(f);
}
REF(f2f_wide)
{
	double v = fsource(x);

	return isnan(v) ? 0x7fffffffffffffff : du(v);
}
/* Half precision by value: the nearest representable in the direction asked for. */
REF(f2f_half)
{
	double v = fsource(x), a = fabs(v), q, m, f;
	uint32_t s = signbit(v) ? 0x8000 : 0, up, h;
	int e;

	if (isnan(v))
		return 0x7fff;
	if (isinf(v))
		return s | 0x7c00;
	e = a == 0 ? -14 : ilogb(a) < -14 ? -14 : ilogb(a);
	q = ldexp(1, e - 10);
	m = floor(a / q);
	f = a / q - m;
	up = rmode == 0	  ? f > 0.5 || (f == 0.5 && fmod(m, 2) == 1)
	     : rmode == 1 ? f > 0 && s
	     : rmode == 2 ? f > 0 && !s
			  : 0;
	m += up;
	if (m * q >= 65536)
		return s | (rmode == 0 || (rmode == 1 && s) || (rmode == 2 && !s) ? 0x7c00 : 0x7bff);
	h = m < 1024	? (uint32_t)m
	    : m == 2048 ? (uint32_t)(e + 16) << 10
			: (uint32_t)(e + 15) << 10 | ((uint32_t)m - 1024);
	return s | h;
}
REF(f2f_from_half)
{
	uint32_t h = bsel ? Bv >> 16 : Bv & 0xffff, e = h >> 10 & 31, m = h & 1023;
	double v = e == 31 ? m ? NAN : INFINITY : e ? ldexp(1024 + m, (int)e - 25) : ldexp(m, -24);

	return isnan(v) ? 0x7fffffff : fu((float)(h & 0x8000 ? -v : v));
}

static void t_convert(void **state)
{
	for (int k = 0; k < 4 * 4 * 4; k++) {
		rmode = k & 3;
		ssg = k >> 2 & 1;
		dsg = k >> 3 & 1;
		c_abs = k >> 4 & 1;
		c_neg = k >> 5 & 1;
		for (ssz = 0; ssz < 4; ssz++)
			for (dsz = 0; dsz < 4; dsz++) {
				uint64_t t = fld(dsz, 8) | fld(ssz, 10);
				uint64_t m = fld(c_abs, 49) | fld(c_neg, 45), base = 0x70000;

				bsel = ssz == 0 ? k & 3 : ssz == 1 ? (k & 1) * 2 : 0;
				if (ssz < 3 && dsz < 3) {
					for (int s = 0; s < 2; s++) {
						sat = s;
						SW(0x5ce0000000000000ull | base | t | m | fld(dsg, 12) |
						       fld(ssg, 13) | fld(bsel, 41) | fld(sat, 50),
						   D32, i2i);
					}
					sat = false;
				}
				if (dsz >= 2 && !(ssz == 3 && c_abs))
					sweep("i2f",
					      0x5cb8000000000000ull | base | t | m | fld(ssg, 13) |
						  fld(bsel, 41) | fld(rmode, 39),
					      false, ssz == 3, false, dsz == 3 ? D64 : D32, r_i2f);
				if (ssz >= 2) {
					ftz = k & 1;
					sweep("f2i",
					      0x5cb0000000000000ull | base | t | m | fld(dsg, 12) |
						  fld(rmode, 39) | fld(ftz, 44),
					      false, ssz == 3, false, dsz == 3 ? D64 : D32, r_f2i);
					ftz = false;
				}
				nan_equal = true;
				if (ssz >= 2 && ssz == dsz)
					sweep("f2f round",
					      0x5ca8000000000000ull | base | t | m | bit(42) | fld(rmode, 39),
					      false, ssz == 3, false, dsz == 3 ? D64 : D32, r_f2f_int);
				if (ssz == 3 && dsz == 2)
					sweep("f2f narrow",
					      0x5ca8000000000000ull | base | t | m | fld(rmode, 39), false,
					      true, false, D32, r_f2f_narrow);
				if (ssz == 2 && dsz == 3)
					SW(0x5ca8000000000000ull | base | t | m, D64, f2f_wide);
				if (ssz == 2 && dsz == 1)
					SW(0x5ca8000000000000ull | base | t | m | fld(rmode, 39), D32,
					   f2f_half);
				nan_equal = false;
			}
	}
	ssz = 1;
	for (bsel = 0; bsel < 2; bsel++)
		SW(0x5ca8000000070000ull | fld(2, 8) | fld(1, 10) | fld(bsel, 41), D32, f2f_from_half);
	c_abs = c_neg = false;
	rmode = 0;
}

/* --- across lanes ------------------------------------------------------------------ */

static void t_shfl_vote(void **state)
{
	static uint32_t a[64], b[64], c[64], d[64];
	static struct sm_warp w;
	struct sm_alu x = { d, a, b, c, ~0u, &w };
	struct sm_insn i;

	for (int mode = 0; mode < 4; mode++)
		for (int k = 0; k < 200; k++) {
			for (int l = 0; l < 32; l++) {
				a[l] = rnd64();
				b[l] = rnd64() & 63;
				c[l] = rnd64() & 0x1f1f;
			}
			memset(&w, 0, offsetof(struct sm_warp, stack));
			sm_decode(enc(0xef10, 0, 4, 8, 12) | fld(mode, 30) | fld(3, 48), sm_alu_base, &i);
			i.fn(&i, &x);
			/* PTX ISA, shfl */
			for (int l = 0; l < 32; l++) {
				int bv = b[l] & 31, cv = c[l] & 31, seg = c[l] >> 8 & 31;
				int max = (l & seg) | (cv & ~seg & 31), min = l & seg, j, p;

				if (mode == 1) {
					j = l - bv;
					p = j >= max;
				} else if (mode == 2) {
					j = l + bv;
					p = j <= max;
				} else if (mode == 3) {
					j = l ^ bv;
					p = j <= max;
				} else {
					j = min | (bv & ~seg);
					p = j <= max;
				}
				if (!p)
					j = l;
				assert_int_equal(d[l], a[j & 31]);
				assert_int_equal(w.p[3] >> l & 1, p);
				cover(i.word);
			}
		}
	for (int mode = 0; mode < 3; mode++)
		for (int k = 0; k < 300; k++) {
			uint32_t v = k == 0   ? 0
				     : k == 1 ? ~0u
					      : rnd64(),
				 m = k % 3 ? ~0u : (uint32_t)rnd64() | 1, want;

			memset(&w, 0, offsetof(struct sm_warp, stack));
			w.p[0] = v;
			x.mask = m;
			sm_decode(enc(0x50d8, 0, 0, 0, 0) | fld(mode, 48) | fld(3, 45) | PSRC(0, 0),
				  sm_alu_v3, &i);
			i.fn(&i, &x);
			want = mode == 0   ? (v & m) == m
			       : mode == 1 ? (v & m) != 0
					   : (v & m) == m || (v & m) == 0;
			assert_int_equal(d[5], v & m);
			assert_int_equal(w.p[3], want ? m : 0);
			cover(i.word);
		}
}

/* Every row of arithmetic was compared above. */
static void every_row(void **state)
{
	cover_check("test_sm_alu");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sm_test(t_int), sm_test(t_logic), sm_test(t_compare), sm_test(t_float), sm_test(t_mufu),
		sm_test(t_mufu64), sm_test(t_double), sm_test(t_convert), sm_test(t_shfl_vote),
		cmocka_unit_test(every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
