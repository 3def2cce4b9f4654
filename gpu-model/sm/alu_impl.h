/* SPDX-License-Identifier: MIT */
/*
 * Lane arithmetic, included once for each host instruction set (alu_base.c,
 * alu_v3.c), with SM_ALU_TABLE the name of the table it defines.
 *
 * Every function computes all 32 lanes, the inactive ones too (their results are
 * dropped by the caller), so that the loops have no conditions and vectorise.
 * Only predicates and CC are masked here.  No locks, no state but the warp's.
 *
 * Accuracy.  FADD, FMUL, FFMA and the double operations are IEEE with all four
 * rounding modes.  NaN results of single precision are 0x7fffffff, those of
 * double are the host's (quiet input or 0xfff8000000000000), as CUDA's "Floating
 * Point and IEEE 754" says of the hardware.  MUFU is computed in double and
 * rounded once: at most 1 ulp from exact where the hardware has 1 to 2 ulp (and
 * 2^-20.9 absolute for SIN and COS); denormal inputs and results are flushed.
 * RRO is the identity and SIN, COS, EX2 take the plain value; compilers always
 * use them in pairs.
 */
#include <float.h>
#include <immintrin.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "sm/core.h"

#pragma GCC optimize("no-trapping-math", "no-math-errno")

#define LANES _Pragma("GCC ivdep") for (int l = 0; l < SM_WARP; l++)
/*
 * Write D lane by lane.  The operands' addresses are taken before the loop: the
 * compiler must not think that storing a lane could move them.
 */
#define OUT(expr) do {							\
	uint32_t *d_ = x->d;						\
	const uint32_t *a_ = x->a, *b_ = x->b, *c_ = x->c;		\
									\
	(void)a_, (void)b_, (void)c_;					\
	LANES d_[l] = (expr);						\
} while (0)
#define B(n) SM_BIT(i, n)
#define ALU(name) static void name(const struct sm_insn *i, struct sm_alu *x)

static inline uint32_t to_mask(const uint32_t *t)
{
	uint32_t m = 0;

	for (int k = 0; k < 8; k++)
		m |= (uint32_t)_mm_movemask_ps(_mm_loadu_ps((const float *)(t + 4 * k))) << (4 * k);
	return m;
}

static inline void set_pred(struct sm_alu *x, unsigned int p, uint32_t v)
{
	if (p != SM_PT)
		x->w->p[p] = (x->w->p[p] & ~x->mask) | (v & x->mask);
}

static inline uint32_t get_pred(const struct sm_alu *x, const struct sm_insn *i, int pos, int neg)
{
	uint32_t v = x->w->p[sm_bits(i->word, pos, 3)];

	return SM_BIT(i, neg) ? ~v : v;
}

static inline uint32_t bool_op(unsigned int op, uint32_t a, uint32_t b)
{
	return op == 0 ? a & b : op == 1 ? a | b : a ^ b;
}

static inline void put(uint32_t *old, uint32_t v, uint32_t m)
{
	*old = (*old & ~m) | (v & m);
}

static void set_cc(struct sm_alu *x, uint32_t c, uint32_t z, uint32_t s, uint32_t o)
{
	put(&x->w->cc_c, c, x->mask);
	put(&x->w->cc_z, z, x->mask);
	put(&x->w->cc_s, s, x->mask);
	put(&x->w->cc_o, o, x->mask);
}

/* Z and S of a result; carry and overflow as given. */
static void cc_of(struct sm_alu *x, const uint32_t *r, uint32_t c, uint32_t o)
{
	uint32_t z[SM_WARP];

	LANES z[l] = r[l] == 0 ? ~0u : 0;
	set_cc(x, c, to_mask(z), to_mask(r), o);
}

/* The float flavour: carry and overflow clear; Z and S both set: NaN. */
static void cc_of_float(struct sm_alu *x, const uint32_t *r)
{
	uint32_t z[SM_WARP], s[SM_WARP];

	LANES {
		uint32_t m = r[l] & 0x7fffffff;

		z[l] = m == 0 || m > 0x7f800000 ? ~0u : 0;
		s[l] = (r[l] >> 31 && m != 0) || m > 0x7f800000 ? ~0u : 0;
	}
	set_cc(x, 0, to_mask(z), to_mask(s), 0);
}

static void cc_of_64(struct sm_alu *x, const uint32_t *lo, const uint32_t *hi)
{
	uint32_t z[SM_WARP];

	LANES z[l] = (lo[l] | hi[l]) == 0 ? ~0u : 0;
	set_cc(x, 0, to_mask(z), to_mask(hi), 0);
}

static inline void lanes_of(uint32_t m, uint32_t *t, uint32_t v)
{
	LANES t[l] = (m & sm_lane_bit[l]) ? v : 0;
}

/* --- moves ---------------------------------------------------------------- */

ALU(alu_mov)
{
	OUT(b_[l]);
}

ALU(alu_sel)
{
	uint32_t t[SM_WARP];

	lanes_of(get_pred(x, i, 39, 42), t, ~0u);
	OUT((a_[l] & t[l]) | (b_[l] & ~t[l]));
}

static uint32_t prmt(unsigned int mode, uint32_t a, uint32_t s, uint32_t c)
{
	uint64_t v = (uint64_t)c << 32 | a;
	unsigned int sel[4], k = s & 3;
	uint32_t r = 0;

	switch (mode) {
	case 1:	/* forward 4 extract */
		for (int n = 0; n < 4; n++)
			sel[n] = k + n;
		break;
	case 2:	/* backward 4 extract */
		for (int n = 0; n < 4; n++)
			sel[n] = (k - n) & 7;
		break;
	case 3:	/* replicate byte */
		for (int n = 0; n < 4; n++)
			sel[n] = k;
		break;
	case 4:	/* edge clamp left */
		for (unsigned int n = 0; n < 4; n++)
			sel[n] = n < k ? k : n;
		break;
	case 5:	/* edge clamp right */
		for (unsigned int n = 0; n < 4; n++)
			sel[n] = n < k ? n : k;
		break;
	case 6:	/* replicate half */
		for (int n = 0; n < 4; n++)
			sel[n] = (k & 1) * 2 + (n & 1);
		break;
	default:
		for (int n = 0; n < 4; n++) {
			unsigned int q = s >> (4 * n) & 15;
			uint32_t byte = v >> (8 * (q & 7)) & 0xff;

			if (q & 8)
				byte = byte & 0x80 ? 0xff : 0;
			r |= byte << (8 * n);
		}
		return r;
	}
	for (int n = 0; n < 4; n++)
		r |= (uint32_t)(v >> (8 * sel[n]) & 0xff) << (8 * n);
	return r;
}

ALU(alu_prmt)
{
	unsigned int mode = sm_bits(i->word, 48, 4);

	for (int l = 0; l < SM_WARP; l++)
		x->d[l] = prmt(mode, x->a[l], x->b[l], x->c[l]);
}

/* --- integer -------------------------------------------------------------- */

/* d = a + b + cin with everything an adder has. */
static void add_core(struct sm_alu *x, const uint32_t *a, const uint32_t *b, uint32_t cin_mask,
		     bool sat, bool cc, uint32_t *d)
{
	uint32_t cin[SM_WARP], r[SM_WARP], c[SM_WARP], o[SM_WARP];

	lanes_of(cin_mask, cin, 1);
	LANES {
		uint32_t t = a[l] + b[l];

		r[l] = t + cin[l];
		c[l] = t < a[l] || r[l] < t ? ~0u : 0;
		o[l] = (a[l] ^ r[l]) & (b[l] ^ r[l]);
	}
	if (sat) {
		/* an overflowed sum has the wrong sign */
		LANES r[l] = (int32_t)o[l] < 0 ? (int32_t)r[l] < 0 ? 0x7fffffffu : 0x80000000u : r[l];
	}
	if (cc)
		cc_of(x, r, to_mask(c), to_mask(o));
	memcpy(d, r, sizeof(r));
}

static void add_neg(struct sm_alu *x, bool na, bool nb, bool xin, bool sat, bool cc)
{
	uint32_t ta[SM_WARP], tb[SM_WARP], xa = 0, xb = 0, cin = 0;

	if (!na && !nb && !xin && !sat && !cc) {
		OUT(a_[l] + b_[l]);
		return;
	}
	if (!xin && na != nb && !sat && !cc) {
		if (nb)
			OUT(a_[l] - b_[l]);
		else
			OUT(b_[l] - a_[l]);
		return;
	}
	if (na && nb && !xin) {
		cin = ~0u;	/* .PO: plus one */
	} else {
		xa = na ? ~0u : 0;
		xb = nb ? ~0u : 0;
		cin = xin ? x->w->cc_c : na || nb ? ~0u : 0;
	}
	LANES ta[l] = x->a[l] ^ xa;
	LANES tb[l] = x->b[l] ^ xb;
	add_core(x, ta, tb, cin, sat, cc, x->d);
}

ALU(alu_iadd)
{
	add_neg(x, B(49), B(48), B(43), B(50), B(47));
}

ALU(alu_iadd32i)
{
	bool po = B(55) && B(56);

	add_neg(x, B(56), po, B(53), B(54), B(52));
}

static inline uint32_t half_of(uint32_t v, unsigned int h)
{
	return h == 1 ? v & 0xffff : h == 2 ? v >> 16 : v;
}

ALU(alu_iadd3)
{
	uint64_t na = B(51), nb = B(50), nc = B(49);
	unsigned int ha = 0, hb = 0, hc = 0, sh = 0;
	uint32_t cin[SM_WARP], c[SM_WARP], r[SM_WARP];

	if (i->form == FORM_R) {
		ha = sm_bits(i->word, 35, 2);
		hb = sm_bits(i->word, 33, 2);
		hc = sm_bits(i->word, 31, 2);
		sh = sm_bits(i->word, 37, 2);
	}
	lanes_of(B(48) ? x->w->cc_c : 0, cin, 1);
	for (int l = 0; l < SM_WARP; l++) {
		uint32_t a = half_of(x->a[l], ha), b = half_of(x->b[l], hb), k = half_of(x->c[l], hc);
		uint64_t t;

		a = na ? -a : a;
		b = nb ? -b : b;
		k = nc ? -k : k;
		t = (uint64_t)a + b;
		if (sh == 1)
			t = (t & 0x1ffffffffull) >> 16;
		else if (sh == 2)
			t = (uint32_t)(t << 16);
		t = (uint32_t)t + (sh ? 0 : t >> 32 << 32) + k + cin[l];
		r[l] = t;
		c[l] = t >> 32 ? ~0u : 0;
	}
	if (B(47))
		cc_of(x, r, to_mask(c), 0);
	memcpy(x->d, r, sizeof(r));
}

static void scadd(struct sm_alu *x, unsigned int sh, bool na, bool nb, bool cc)
{
	uint32_t ta[SM_WARP];
	struct sm_alu y = *x;

	LANES ta[l] = x->a[l] << sh;
	y.a = ta;
	add_neg(&y, na, nb, false, false, cc);
}

ALU(alu_iscadd)
{
	scadd(x, sm_bits(i->word, 39, 5), B(49), B(48), B(47));
}

ALU(alu_iscadd32i)
{
	scadd(x, sm_bits(i->word, 53, 5), false, false, B(52));
}

ALU(alu_lea)
{
	unsigned int sh = sm_bits(i->word, 39, 5);
	uint32_t ta[SM_WARP];

	LANES ta[l] = x->a[l] << sh;
	if (B(45))
		LANES ta[l] = -ta[l];
	add_core(x, ta, x->b, B(46) ? x->w->cc_c : 0, false, B(47), x->d);
}

ALU(alu_lea_hi)
{
	bool cform = i->form == FORM_C;
	unsigned int sh = cform ? sm_bits(i->word, 51, 5) : sm_bits(i->word, 28, 5);
	bool neg = cform ? B(56) : B(37), xin = cform ? B(57) : B(38);
	uint32_t ta[SM_WARP];

	LANES {
		uint64_t v = (uint64_t)x->c[l] << 32 | x->a[l];

		v = neg ? -v : v;
		ta[l] = (v << sh) >> 32;
	}
	add_core(x, ta, x->b, xin ? x->w->cc_c : 0, false, B(47), x->d);
}

/* Product of 32-bit values, each signed or not, 64 bits. */
static void mul_core(const uint32_t *a, const uint32_t *b, bool sa, bool sb, bool hi, uint32_t *r)
{
	if (!hi) {
		LANES r[l] = a[l] * b[l];
		return;
	}
	LANES r[l] = ((uint64_t)a[l] * b[l]) >> 32;
	if (sa)
		LANES r[l] -= (uint32_t)((int32_t)a[l] >> 31) & b[l];
	if (sb)
		LANES r[l] -= (uint32_t)((int32_t)b[l] >> 31) & a[l];
}

ALU(alu_imul)
{
	uint32_t r[SM_WARP];

	mul_core(x->a, x->b, B(40), B(41), B(39), r);
	if (B(47))
		cc_of(x, r, 0, 0);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_imul32i)
{
	uint32_t r[SM_WARP];

	mul_core(x->a, x->b, B(54), B(55), B(53), r);
	if (B(52))
		cc_of(x, r, 0, 0);
	memcpy(x->d, r, sizeof(r));
}

/* -(product), both halves, for negated multiplicands */
static void mul_neg(const uint32_t *a, const uint32_t *b, bool sa, bool sb, bool hi, uint32_t *r)
{
	for (int l = 0; l < SM_WARP; l++) {
		uint64_t va = sa ? (uint64_t)(int64_t)(int32_t)a[l] : a[l];
		uint64_t vb = sb ? (uint64_t)(int64_t)(int32_t)b[l] : b[l];
		uint64_t v = -(va * vb);

		r[l] = hi ? v >> 32 : v;
	}
}

ALU(alu_imad)
{
	uint32_t t[SM_WARP], tc[SM_WARP], cin = B(49) ? x->w->cc_c : 0;
	const uint32_t *c = x->c;

	if (B(51))
		mul_neg(x->a, x->b, B(48), B(53), B(54), t);
	else
		mul_core(x->a, x->b, B(48), B(53), B(54), t);
	if (B(52)) {
		LANES tc[l] = ~x->c[l];
		c = tc;
		cin = B(49) ? x->w->cc_c : ~0u;
	} else if (!cin && !B(47) && !B(50)) {
		OUT(t[l] + c[l]);
		return;
	}
	add_core(x, t, c, cin, B(50), B(47), x->d);
}

ALU(alu_imad32i)
{
	uint32_t t[SM_WARP], tc[SM_WARP];

	if (B(56))
		mul_neg(x->a, x->b, B(54), B(57), B(53), t);
	else
		mul_core(x->a, x->b, B(54), B(57), B(53), t);
	LANES tc[l] = B(55) ? -x->c[l] : x->c[l];
	add_core(x, t, tc, 0, false, B(52), x->d);
}

ALU(alu_xmad)
{
	bool psl = false, mrg = false, h1b = false, xin, h1a = B(53);
	unsigned int mode, ty = sm_bits(i->word, 48, 2);
	uint32_t t[SM_WARP], k[SM_WARP];

	switch (i->form) {
	case FORM_R:
	case FORM_U16:
		psl = B(36);
		mrg = B(37);
		xin = B(38);
		h1b = i->form == FORM_R && B(35);
		mode = sm_bits(i->word, 50, 3);
		break;
	case FORM_C:
		psl = B(55);
		mrg = B(56);
		/* fall through */
	default:
		xin = B(54);
		h1b = B(52);
		mode = sm_bits(i->word, 50, 2);
		break;
	}
	LANES {
		uint32_t a = h1a ? x->a[l] >> 16 : x->a[l] & 0xffff;
		uint32_t b = h1b ? x->b[l] >> 16 : x->b[l] & 0xffff;

		if (ty & 1)
			a = (uint32_t)((int32_t)(a << 16) >> 16);
		if (ty & 2)
			b = (uint32_t)((int32_t)(b << 16) >> 16);
		t[l] = a * b;
	}
	if (psl)
		LANES t[l] <<= 16;
	switch (mode) {
	case 1:
		LANES k[l] = x->c[l] & 0xffff;
		break;
	case 2:
		LANES k[l] = x->c[l] >> 16;
		break;
	case 4:
		LANES k[l] = x->c[l] + (x->b[l] << 16);
		break;
	case 3:
		/*
		 * CSFU, by nv50_ir.h: "if both operands to the multiplication are non-zero, subtract 65536 for
		 * each negative operand"
		 */
		LANES {
			uint32_t a = h1a ? x->a[l] >> 16 : x->a[l] & 0xffff;
			uint32_t b = h1b ? x->b[l] >> 16 : x->b[l] & 0xffff;
			uint32_t f = ((a & 0x8000) + (b & 0x8000)) << 1;

			k[l] = x->c[l] - (a && b ? f : 0);
		}
		break;
	default:
		memcpy(k, x->c, sizeof(k));
	}
	if (mrg) {
		uint32_t m[SM_WARP];

		LANES m[l] = x->b[l] << 16;
		if (xin || B(47))
			add_core(x, t, k, xin ? x->w->cc_c : 0, false, B(47), t);
		else
			LANES t[l] += k[l];
		OUT((t[l] & 0xffff) | m[l]);
	} else if (xin || B(47)) {
		add_core(x, t, k, xin ? x->w->cc_c : 0, false, B(47), x->d);
	} else {
		OUT(t[l] + k[l]);
	}
}

/*
 * .XHI, .XMED, .XLO: minimum and maximum of longer integers, upper word first.  .XHI leaves in CC how the
 * upper words compare (carry: no borrow, zero: equal); a lower word decides, unsigned, only where all above
 * it were equal, else the choice made above holds.  nv50_ir's LoweringHelper::handleMAXMIN is written to
 * this; which CC bits carry it is not public, the model takes those of a subtraction.
 */
ALU(alu_imnmx)
{
	enum { WHOLE, XLO, XMED, XHI } part = sm_bits(i->word, 43, 2);
	bool lower = part == XLO || part == XMED;
	uint32_t min[SM_WARP], r[SM_WARP], lt[SM_WARP], eq[SM_WARP], above[SM_WARP], less[SM_WARP];
	uint32_t s = B(48) && !lower ? 0x80000000u : 0;

	lanes_of(get_pred(x, i, 39, 42), min, ~0u);
	lanes_of(lower ? ~x->w->cc_z : 0, above, ~0u);
	lanes_of(~x->w->cc_c, less, ~0u);
	LANES {
		uint32_t take_a;

		eq[l] = x->a[l] == x->b[l] ? ~0u : 0;
		lt[l] = (x->a[l] ^ s) < (x->b[l] ^ s) ? ~0u : 0;
		lt[l] = (lt[l] & ~above[l]) | (less[l] & above[l]);
		eq[l] &= ~above[l];
		take_a = ~(lt[l] ^ min[l]);
		r[l] = (x->a[l] & take_a) | (x->b[l] & ~take_a);
	}
	if (B(47) && part == WHOLE)
		cc_of(x, r, 0, 0);
	else if (B(47))
		set_cc(x, ~to_mask(lt), to_mask(eq), to_mask(lt), 0);
	memcpy(x->d, r, sizeof(r));
}

/* --- logic and shifts ----------------------------------------------------- */

static void lop_core(struct sm_alu *x, unsigned int op, bool ia, bool ib, bool cc, uint32_t *r)
{
	uint32_t na = ia ? ~0u : 0, nb = ib ? ~0u : 0;

	switch (op) {
	case 0:
		LANES r[l] = (x->a[l] ^ na) & (x->b[l] ^ nb);
		break;
	case 1:
		LANES r[l] = (x->a[l] ^ na) | (x->b[l] ^ nb);
		break;
	case 2:
		LANES r[l] = (x->a[l] ^ na) ^ (x->b[l] ^ nb);
		break;
	default:
		LANES r[l] = x->b[l] ^ nb;
	}
	if (cc)
		cc_of(x, r, 0, 0);
}

/* The predicate of LOP and LOP3: false, true, zero, not zero. */
static void lop_pred(struct sm_alu *x, const struct sm_insn *i, int mode_pos, const uint32_t *r)
{
	unsigned int p = sm_bits(i->word, 48, 3), mode = sm_bits(i->word, mode_pos, 2);
	uint32_t z[SM_WARP], v;

	if (p == SM_PT)
		return;
	LANES z[l] = r[l] == 0 ? ~0u : 0;
	v = to_mask(z);
	set_pred(x, p, mode == 0 ? 0 : mode == 1 ? ~0u : mode == 2 ? v : ~v);
}

ALU(alu_lop)
{
	uint32_t r[SM_WARP];

	lop_core(x, sm_bits(i->word, 41, 2), B(39), B(40), B(47), r);
	lop_pred(x, i, 44, r);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_lop32i)
{
	uint32_t r[SM_WARP];

	lop_core(x, sm_bits(i->word, 53, 2), B(55), B(56), B(52), r);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_lop3)
{
	unsigned int lut = i->form == FORM_R ? sm_bits(i->word, 28, 8) : sm_bits(i->word, 48, 8);
	uint32_t r[SM_WARP];

	memset(r, 0, sizeof(r));
	for (unsigned int k = 0; k < 8; k++) {
		uint32_t na = k & 4 ? 0 : ~0u, nb = k & 2 ? 0 : ~0u, nc = k & 1 ? 0 : ~0u;

		if (lut & (1u << k))
			LANES r[l] |= (x->a[l] ^ na) & (x->b[l] ^ nb) & (x->c[l] ^ nc);
	}
	if (B(47))
		cc_of(x, r, 0, 0);
	if (i->form == FORM_R)
		lop_pred(x, i, 36, r);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_shl)
{
	uint32_t r[SM_WARP];

	if (B(39))
		LANES r[l] = x->a[l] << (x->b[l] & 31);
	else
		LANES r[l] = x->b[l] > 31 ? 0 : x->a[l] << (x->b[l] & 31);
	if (B(47))
		cc_of(x, r, 0, 0);
	memcpy(x->d, r, sizeof(r));
}

static inline uint32_t brev(uint32_t v)
{
	v = (v >> 1 & 0x55555555) | (v & 0x55555555) << 1;
	v = (v >> 2 & 0x33333333) | (v & 0x33333333) << 2;
	v = (v >> 4 & 0x0f0f0f0f) | (v & 0x0f0f0f0f) << 4;
	return __builtin_bswap32(v);
}

ALU(alu_shr)
{
	uint32_t r[SM_WARP], a[SM_WARP], s[SM_WARP];

	if (B(40))
		LANES a[l] = brev(x->a[l]);
	else
		memcpy(a, x->a, sizeof(a));
	if (B(39))
		LANES s[l] = x->b[l] & 31;
	else
		LANES s[l] = x->b[l] > 32 ? 32 : x->b[l];
	if (B(48))
		LANES r[l] = (uint32_t)((int32_t)a[l] >> (s[l] > 31 ? 31 : s[l]));
	else
		LANES r[l] = s[l] > 31 ? 0 : a[l] >> (s[l] & 31);
	if (B(47))
		cc_of(x, r, 0, 0);
	memcpy(x->d, r, sizeof(r));
}

/* Shift amount of a funnel: 32 bits wide or 64, wrapped or clamped. */
static void shf_amount(const struct sm_insn *i, const uint32_t *b, uint32_t *s)
{
	uint32_t wide = B(38) ? 63 : 31;

	if (B(50))
		LANES s[l] = b[l] & wide;
	else
		LANES s[l] = b[l] > wide ? wide + 1 : b[l];
}

ALU(alu_shf_l)
{
	uint32_t s[SM_WARP], r[SM_WARP];

	shf_amount(i, x->b, s);
	LANES {
		uint64_t v = (uint64_t)x->c[l] << 32 | x->a[l];

		r[l] = s[l] > 63 ? 0 : (v << (s[l] & 63)) >> 32;
	}
	if (B(47))
		cc_of(x, r, 0, 0);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_shf_r)
{
	uint32_t s[SM_WARP], r[SM_WARP];
	bool hi = B(48), arith = sm_bits(i->word, 37, 2) == 3;

	shf_amount(i, x->b, s);
	for (int l = 0; l < SM_WARP; l++) {
		uint64_t v = (uint64_t)x->c[l] << 32 | x->a[l];

		if (arith)
			v = (uint64_t)((int64_t)v >> (s[l] > 63 ? 63 : s[l]));
		else
			v = s[l] > 63 ? 0 : v >> (s[l] & 63);
		r[l] = hi ? v >> 32 : v;
	}
	if (B(47))
		cc_of(x, r, 0, 0);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_bfe)
{
	uint32_t r[SM_WARP], a[SM_WARP];
	bool s = B(48);

	if (B(40))
		LANES a[l] = brev(x->a[l]);
	else
		memcpy(a, x->a, sizeof(a));
	LANES {
		uint32_t pos = x->b[l] & 0xff, len = x->b[l] >> 8 & 0xff;
		uint32_t end = pos + len > 32 ? 32 : pos + len;
		uint32_t keep = len > 31 ? ~0u : (1u << (len & 31)) - 1;
		uint32_t v = pos > 31 ? 0 : a[l] >> (pos & 31);
		uint32_t sign = 0;

		v &= keep;
		if (s && len) {
			sign = end ? a[l] >> ((end - 1) & 31) & 1 : 0;
			if (pos > 31)
				sign = a[l] >> 31;
		}
		/* the sign fills from the field's width, or from where the word ended */
		if (sign) {
			uint32_t have = pos > 31 ? 0 : end - pos;

			v |= have > 31 ? 0 : ~0u << (have & 31);
		}
		r[l] = v;
	}
	if (B(47))
		cc_of(x, r, 0, 0);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_bfi)
{
	uint32_t r[SM_WARP];

	LANES {
		uint32_t pos = x->b[l] & 0xff, len = x->b[l] >> 8 & 0xff;
		uint32_t m = len > 31 ? ~0u : (1u << (len & 31)) - 1;

		m = pos > 31 ? 0 : m << (pos & 31);
		r[l] = (x->c[l] & ~m) | ((pos > 31 ? 0 : x->a[l] << (pos & 31)) & m);
	}
	if (B(47))
		cc_of(x, r, 0, 0);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_flo)
{
	uint32_t r[SM_WARP], inv = B(40) ? ~0u : 0;

	for (int l = 0; l < SM_WARP; l++) {
		uint32_t v = x->b[l] ^ inv;

		if (B(48) && (int32_t)v < 0)
			v = ~v;
		if (!v)
			r[l] = ~0u;
		else
			r[l] = B(41) ? (uint32_t)__builtin_clz(v) : 31 - (uint32_t)__builtin_clz(v);
	}
	if (B(47))
		cc_of(x, r, 0, 0);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_popc)
{
	uint32_t inv = B(40) ? ~0u : 0;

	for (int l = 0; l < SM_WARP; l++)
		x->d[l] = __builtin_popcount(x->b[l] ^ inv);
}

/* --- compares ------------------------------------------------------------- */

/* cond: bit 0 less, bit 1 equal, bit 2 greater */
static uint32_t icmp_core(unsigned int cond, bool s, const uint32_t *a, const uint32_t *b)
{
	uint32_t t[SM_WARP], f = s ? 0x80000000u : 0;

	switch (cond & 7) {
	case 0:
		return 0;
	case 1:
		LANES t[l] = (int32_t)(a[l] ^ f ^ 0x80000000u) < (int32_t)(b[l] ^ f ^ 0x80000000u) ? ~0u : 0;
		break;
	case 2:
		LANES t[l] = a[l] == b[l] ? ~0u : 0;
		break;
	case 3:
		LANES t[l] = (int32_t)(a[l] ^ f ^ 0x80000000u) <= (int32_t)(b[l] ^ f ^ 0x80000000u) ? ~0u : 0;
		break;
	case 4:
		LANES t[l] = (int32_t)(a[l] ^ f ^ 0x80000000u) > (int32_t)(b[l] ^ f ^ 0x80000000u) ? ~0u : 0;
		break;
	case 5:
		LANES t[l] = a[l] != b[l] ? ~0u : 0;
		break;
	case 6:
		LANES t[l] = (int32_t)(a[l] ^ f ^ 0x80000000u) >= (int32_t)(b[l] ^ f ^ 0x80000000u) ? ~0u : 0;
		break;
	default:
		return ~0u;
	}
	return to_mask(t);
}

/*
 * .X: the upper word of a 64-bit compare.  CC holds carry (no borrow) and zero of
 * the lower words' difference: upper words decide, the lower ones when they are equal.
 */
static uint32_t icmp_x(struct sm_alu *x, unsigned int cond, bool s)
{
	uint32_t lt = icmp_core(1, s, x->a, x->b), eq = icmp_core(2, s, x->a, x->b);
	uint32_t less = lt | (eq & ~x->w->cc_c), same = eq & x->w->cc_z;
	uint32_t r = 0;

	if (cond & 1)
		r |= less & ~same;
	if (cond & 2)
		r |= same;
	if (cond & 4)
		r |= ~less & ~same;
	return r;
}

static uint32_t icmp_insn(const struct sm_insn *i, struct sm_alu *x)
{
	unsigned int cond = sm_bits(i->word, 49, 3);

	if (B(43))
		return icmp_x(x, cond, B(48));
	return icmp_core(cond, B(48), x->a, x->b);
}

static void setp(const struct sm_insn *i, struct sm_alu *x, uint32_t v)
{
	uint32_t acc = get_pred(x, i, 39, 42);
	unsigned int op = sm_bits(i->word, 45, 2);

	set_pred(x, sm_bits(i->word, 3, 3), bool_op(op, v, acc));
	set_pred(x, sm_bits(i->word, 0, 3), bool_op(op, ~v, acc));
}

static void set_result(const struct sm_insn *i, struct sm_alu *x, uint32_t v, bool bf)
{
	v = bool_op(sm_bits(i->word, 45, 2), v, get_pred(x, i, 39, 42));
	lanes_of(v, x->d, bf ? 0x3f800000 : ~0u);
}

ALU(alu_isetp)
{
	setp(i, x, icmp_insn(i, x));
}

ALU(alu_iset)
{
	set_result(i, x, icmp_insn(i, x), B(44));
	if (B(47))
		cc_of(x, x->d, 0, 0);
}

ALU(alu_icmp)
{
	uint32_t t[SM_WARP];

	lanes_of(icmp_core(sm_bits(i->word, 49, 3), B(48), x->c, sm_zero_rows[0]), t, ~0u);
	OUT((a_[l] & t[l]) | (b_[l] & ~t[l]));
}

static uint32_t pset_value(const struct sm_insn *i, struct sm_alu *x)
{
	return bool_op(sm_bits(i->word, 24, 2), get_pred(x, i, 12, 15), get_pred(x, i, 29, 32));
}

ALU(alu_psetp)
{
	setp(i, x, pset_value(i, x));
}

ALU(alu_pset)
{
	set_result(i, x, pset_value(i, x), B(44));
	if (B(47))
		cc_of(x, x->d, 0, 0);
}

/* Condition codes as lane masks; envydis tab50b0_0 names them. */
uint32_t sm_cc_test(const struct sm_warp *w, unsigned int code);

ALU(alu_csetp)
{
	setp(i, x, sm_cc_test(x->w, sm_bits(i->word, 8, 5)));
}

ALU(alu_cset)
{
	set_result(i, x, sm_cc_test(x->w, sm_bits(i->word, 8, 5)), B(44));
}

ALU(alu_p2r)
{
	unsigned int sh = 8 * sm_bits(i->word, 41, 2);
	uint32_t keep = ~(0xffu << sh);

	for (int l = 0; l < SM_WARP; l++) {
		uint32_t v = 0;

		if (B(40)) {
			v = (x->w->cc_z >> l & 1) | (x->w->cc_s >> l & 1) << 1 |
			    (x->w->cc_c >> l & 1) << 2 | (x->w->cc_o >> l & 1) << 3;
		} else {
			for (int p = 0; p < 7; p++)
				v |= (x->w->p[p] >> l & 1) << p;
		}
		v &= x->b[l];
		x->d[l] = (x->a[l] & keep & ~0u) | (v & 0xff) << sh;
	}
}

ALU(alu_r2p)
{
	unsigned int sh = 8 * sm_bits(i->word, 41, 2);
	uint32_t v[8] = { 0 }, m[8] = { 0 };

	for (int l = 0; l < SM_WARP; l++)
		for (int p = 0; p < 7; p++) {
			v[p] |= (x->a[l] >> (sh + p) & 1) << l;
			m[p] |= (x->b[l] >> p & 1) << l;
		}
	if (B(40)) {
		put(&x->w->cc_z, v[0], m[0] & x->mask);
		put(&x->w->cc_s, v[1], m[1] & x->mask);
		put(&x->w->cc_c, v[2], m[2] & x->mask);
		put(&x->w->cc_o, v[3], m[3] & x->mask);
		return;
	}
	for (int p = 0; p < 7; p++)
		put(&x->w->p[p], v[p], m[p] & x->mask);
}

/* --- single precision ----------------------------------------------------- */

#define NAN32 0x7fffffffu

static inline uint32_t ftz1(uint32_t v)
{
	return (v & 0x7f800000) ? v : v & 0x80000000;
}

/* Operand with its modifiers; returns @s itself when there are none. */
static inline const uint32_t *fsrc(const uint32_t *s, uint32_t *t, bool abs, bool neg, bool ftz)
{
	uint32_t keep = abs ? 0x7fffffff : ~0u, flip = neg ? 0x80000000u : 0;

	if (!abs && !neg && !ftz)
		return s;
	if (ftz)
		LANES t[l] = (ftz1(s[l]) & keep) ^ flip;
	else
		LANES t[l] = (s[l] & keep) ^ flip;
	return t;
}

static inline uint32_t f2u(float f)
{
	uint32_t u;

	memcpy(&u, &f, 4);
	return u;
}

static inline float u2f(uint32_t u)
{
	float f;

	memcpy(&f, &u, 4);
	return f;
}

static inline void fpost(uint32_t *r, bool ftz, bool sat)
{
	LANES r[l] = (r[l] & 0x7fffffff) > 0x7f800000 ? NAN32 : r[l];
	if (ftz)
		LANES r[l] = ftz1(r[l]);
	if (sat)
		LANES {
			float f = u2f(r[l]);

			/* NaN and negatives become +0 */
			r[l] = f > 0.0f ? f < 1.0f ? r[l] : 0x3f800000u : 0;
		}
}

/* Round to nearest, down, up, to zero: MXCSR 14:13 has the same order. */
static inline unsigned int rnd_set(unsigned int mode)
{
	unsigned int old = _mm_getcsr();

	if (mode)
		_mm_setcsr((old & ~0x6000u) | mode << 13);
	__asm__ volatile("" ::: "memory");
	return old;
}

static inline void rnd_restore(unsigned int old, unsigned int mode)
{
	__asm__ volatile("" ::: "memory");
	if (mode)
		_mm_setcsr(old);
}

static __attribute__((noinline)) void loop_fadd(float *r, const float *a, const float *b)
{
	LANES r[l] = a[l] + b[l];
}

static __attribute__((noinline)) void loop_fmul(float *r, const float *a, const float *b)
{
	LANES r[l] = a[l] * b[l];
}

static __attribute__((noinline)) void loop_ffma(float *r, const float *a, const float *b, const float *c)
{
	LANES r[l] = __builtin_fmaf(a[l], b[l], c[l]);
}

static void fadd_core(struct sm_alu *x, bool aa, bool na, bool ab, bool nb, bool ftz, bool sat,
		      unsigned int rnd, bool cc)
{
	uint32_t ta[SM_WARP], tb[SM_WARP], r[SM_WARP];
	const uint32_t *a = fsrc(x->a, ta, aa, na, ftz), *b = fsrc(x->b, tb, ab, nb, ftz);
	unsigned int old = rnd_set(rnd);

	loop_fadd((float *)r, (const float *)a, (const float *)b);
	rnd_restore(old, rnd);
	fpost(r, ftz, sat);
	if (cc)
		cc_of_float(x, r);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_fadd)
{
	fadd_core(x, B(46), B(48), B(49), B(45), B(44), B(50), sm_bits(i->word, 39, 2), B(47));
}

ALU(alu_fadd32i)
{
	fadd_core(x, B(54), B(56), B(57), B(53), B(55), false, 0, B(52));
}

/* .FMZ: zero times anything is +0 */
static void fmz_fix(const uint32_t *a, const uint32_t *b, uint32_t *r, const uint32_t *c)
{
	LANES r[l] = !(a[l] & 0x7fffffff) || !(b[l] & 0x7fffffff) ? c[l] : r[l];
}

static void fmul_core(struct sm_alu *x, bool nb, unsigned int dz, unsigned int pdiv, bool sat,
		      unsigned int rnd, bool cc)
{
	static const float scale[8] = { 1, .5f, .25f, .125f, 8, 4, 2, 1 };
	uint32_t ta[SM_WARP], tb[SM_WARP], r[SM_WARP];
	bool ftz = dz != 0;
	const uint32_t *a = fsrc(x->a, ta, false, false, ftz), *b = fsrc(x->b, tb, false, nb, ftz);
	unsigned int old = rnd_set(rnd);

	loop_fmul((float *)r, (const float *)a, (const float *)b);
	if (pdiv)
		LANES ((float *)r)[l] *= scale[pdiv];
	rnd_restore(old, rnd);
	if (dz == 2)
		fmz_fix(a, b, r, sm_zero_rows[0]);
	fpost(r, ftz, sat);
	if (cc)
		cc_of_float(x, r);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_fmul)
{
	fmul_core(x, B(48), sm_bits(i->word, 44, 2), sm_bits(i->word, 41, 3), B(50),
		  sm_bits(i->word, 39, 2), B(47));
}

ALU(alu_fmul32i)
{
	fmul_core(x, false, sm_bits(i->word, 53, 2), 0, B(55), 0, B(52));
}

static void ffma_core(struct sm_alu *x, bool nb, bool nc, unsigned int dz, bool sat,
		      unsigned int rnd, bool cc)
{
	uint32_t tb[SM_WARP], tc[SM_WARP], ta[SM_WARP], r[SM_WARP];
	bool ftz = dz != 0;
	const uint32_t *a = fsrc(x->a, ta, false, false, ftz), *b = fsrc(x->b, tb, false, nb, ftz);
	const uint32_t *c = fsrc(x->c, tc, false, nc, ftz);
	unsigned int old;

	if (!ftz && !sat && !rnd && !cc) {
		uint32_t *d = x->d;

		/* two loops: fused into one, compilers leave it scalar */
		loop_ffma((float *)r, (const float *)a, (const float *)b, (const float *)c);
		LANES d[l] = (r[l] & 0x7fffffff) > 0x7f800000 ? NAN32 : r[l];
		return;
	}
	old = rnd_set(rnd);
	loop_ffma((float *)r, (const float *)a, (const float *)b, (const float *)c);
	rnd_restore(old, rnd);
	if (dz == 2)
		fmz_fix(a, b, r, c);
	fpost(r, ftz, sat);
	if (cc)
		cc_of_float(x, r);
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_ffma)
{
	ffma_core(x, B(48), B(49), sm_bits(i->word, 53, 2), B(50), sm_bits(i->word, 51, 2), B(47));
}

ALU(alu_ffma32i)
{
	ffma_core(x, B(56), B(57), sm_bits(i->word, 53, 2), B(55), 0, B(52));
}

ALU(alu_fmnmx)
{
	uint32_t ta[SM_WARP], tb[SM_WARP], min[SM_WARP], r[SM_WARP];
	const uint32_t *a = fsrc(x->a, ta, B(46), B(48), B(44));
	const uint32_t *b = fsrc(x->b, tb, B(49), B(45), B(44));

	lanes_of(get_pred(x, i, 39, 42), min, ~0u);
	LANES {
		/* order floats as integers: -0 < +0 */
		int32_t ka = (int32_t)(a[l] ^ ((uint32_t)((int32_t)a[l] >> 31) >> 1));
		int32_t kb = (int32_t)(b[l] ^ ((uint32_t)((int32_t)b[l] >> 31) >> 1));
		uint32_t take_a = ~((ka < kb ? ~0u : 0) ^ min[l]);
		uint32_t nan_a = (a[l] & 0x7fffffff) > 0x7f800000 ? ~0u : 0;
		uint32_t nan_b = (b[l] & 0x7fffffff) > 0x7f800000 ? ~0u : 0;

		take_a = (take_a | nan_b) & ~nan_a;
		r[l] = (a[l] & take_a) | (b[l] & ~take_a);
		r[l] = nan_a & nan_b ? NAN32 : r[l];
	}
	if (B(47))
		cc_of_float(x, r);
	memcpy(x->d, r, sizeof(r));
}

/* cond bits: 0 less, 1 equal, 2 greater, 3 unordered */
static uint32_t fcmp_core(unsigned int cond, const uint32_t *a, const uint32_t *b)
{
	uint32_t t[SM_WARP];
	uint32_t cl = cond & 1 ? ~0u : 0, ce = cond & 2 ? ~0u : 0, cg = cond & 4 ? ~0u : 0;
	uint32_t cu = cond & 8 ? ~0u : 0;

	LANES {
		float fa = u2f(a[l]), fb = u2f(b[l]);
		uint32_t lt = fa < fb ? ~0u : 0, eq = fa == fb ? ~0u : 0, gt = fa > fb ? ~0u : 0;

		t[l] = (lt & cl) | (eq & ce) | (gt & cg) | (~(lt | eq | gt) & cu);
	}
	return to_mask(t);
}

ALU(alu_fsetp)
{
	uint32_t ta[SM_WARP], tb[SM_WARP];

	setp(i, x, fcmp_core(sm_bits(i->word, 48, 4), fsrc(x->a, ta, B(7), B(43), B(47)),
			     fsrc(x->b, tb, B(44), B(6), B(47))));
}

ALU(alu_fset)
{
	uint32_t ta[SM_WARP], tb[SM_WARP];

	set_result(i, x, fcmp_core(sm_bits(i->word, 48, 4), fsrc(x->a, ta, B(54), B(43), B(55)),
				   fsrc(x->b, tb, B(44), B(53), B(55))), B(52));
	if (B(47))
		cc_of(x, x->d, 0, 0);
}

ALU(alu_fcmp)
{
	uint32_t tc[SM_WARP], t[SM_WARP];

	lanes_of(fcmp_core(sm_bits(i->word, 48, 4), fsrc(x->c, tc, false, false, B(47)),
			   sm_zero_rows[0]), t, ~0u);
	OUT((a_[l] & t[l]) | (b_[l] & ~t[l]));
}

/* FCHK.DIVIDE: true where a/b needs the slow path (exponents far apart or special). */
ALU(alu_fchk)
{
	uint32_t t[SM_WARP];

	LANES {
		int ea = x->a[l] >> 23 & 0xff, eb = x->b[l] >> 23 & 0xff;
		int q = ea - eb;

		t[l] = ea == 255 || ea == 0 || eb == 255 || eb == 0 || eb > 252 || q > 125 || q < -124 ||
		       ea < 25 ? ~0u : 0;
	}
	set_pred(x, sm_bits(i->word, 3, 3), to_mask(t));
}

/* Lane 0 of a quad has bits 7:6, and "mov2" is B, by what handleManualTXD() of nv50_ir wants of it. */
ALU(alu_fswzadd)
{
	unsigned int sw = sm_bits(i->word, 28, 8), rnd = sm_bits(i->word, 39, 2), old;
	uint32_t ta[SM_WARP], tb[SM_WARP], r[SM_WARP];
	const uint32_t *a = fsrc(x->a, ta, false, false, B(44)), *b = fsrc(x->b, tb, false, false, B(44));

	old = rnd_set(rnd);
	for (int l = 0; l < SM_WARP; l++) {
		unsigned int op = sw >> (6 - 2 * (l & 3)) & 3;
		volatile float fa = u2f(a[l]), fb = u2f(b[l]);

		r[l] = f2u(op == 0 ? fa + fb : op == 1 ? fb - fa : op == 2 ? fa - fb : fb);
	}
	rnd_restore(old, rnd);
	fpost(r, B(44), false);
	memcpy(x->d, r, sizeof(r));
}

static uint32_t mufu1(unsigned int op, uint32_t u)
{
	double v;
	float f;
	uint64_t q;

	switch (op) {
	case 6:	/* RCP64H: upper words */
	case 7:
		if (!(u & 0x7ff00000))
			return op == 6 ? (u & 0x80000000) | 0x7ff00000 : (u & 0x80000000) | 0x7ff00000;
		q = (uint64_t)u << 32;
		memcpy(&v, &q, 8);
		v = op == 6 ? 1.0 / v : v < 0 ? NAN : 1.0 / sqrt(v);
		memcpy(&q, &v, 8);
		if ((q >> 52 & 0x7ff) == 0)
			q &= 1ull << 63;
		return v != v ? 0x7fffffff : q >> 32;
	}
	f = u2f(ftz1(u));
	switch (op) {
	case 0: v = cosf(f); break;
	case 1: v = sinf(f); break;
	case 2: v = exp2f(f); break;
	case 3: v = f < 0 ? NAN : log2f(f); break;
	case 4: v = 1.0 / (double)f; break;
	case 5: v = f < 0 ? NAN : 1.0 / sqrt((double)f); break;
	case 8: v = f < 0 ? NAN : sqrt((double)f); break;
	default: v = 0;
	}
	f = (float)v;
	return f2u(f);
}

ALU(alu_mufu)
{
	unsigned int op = sm_bits(i->word, 20, 4);
	uint32_t ta[SM_WARP], r[SM_WARP];
	const uint32_t *a = fsrc(x->a, ta, B(46), B(48), false);

	if (op == 4)
		LANES r[l] = f2u(1.0f / u2f(ftz1(a[l])));
	else if (op == 8)
		LANES r[l] = f2u(__builtin_sqrtf(u2f(ftz1(a[l]))));
	else
		for (int l = 0; l < SM_WARP; l++)
			r[l] = (x->mask & sm_lane_bit[l]) ? mufu1(op, a[l]) : 0;
	if (op != 6 && op != 7)
		fpost(r, true, B(50));
	memcpy(x->d, r, sizeof(r));
}

ALU(alu_rro)
{
	uint32_t t[SM_WARP];
	const uint32_t *b = fsrc(x->b, t, B(49), B(45), false);

	OUT(b[l]);
}

/* --- double --------------------------------------------------------------- */

static inline void dsrc(const uint32_t *s, double *r, bool abs, bool neg)
{
	uint64_t keep = abs ? ~0ull >> 1 : ~0ull, flip = neg ? 1ull << 63 : 0;
	uint64_t t[SM_WARP];

	LANES t[l] = ((((uint64_t)s[32 + l] << 32) | s[l]) & keep) ^ flip;
	memcpy(r, t, sizeof(t));
}

static inline void dput(struct sm_alu *x, const double *r, bool cc)
{
	uint64_t t[SM_WARP];

	memcpy(t, r, sizeof(t));
	OUT((uint32_t)t[l]);
	LANES x->d[32 + l] = t[l] >> 32;
	if (cc)
		cc_of_64(x, x->d, x->d + 32);
}

static __attribute__((noinline)) void loop_dadd(double *r, const double *a, const double *b)
{
	LANES r[l] = a[l] + b[l];
}

static __attribute__((noinline)) void loop_dmul(double *r, const double *a, const double *b)
{
	LANES r[l] = a[l] * b[l];
}

static __attribute__((noinline)) void loop_dfma(double *r, const double *a, const double *b, const double *c)
{
	LANES r[l] = __builtin_fma(a[l], b[l], c[l]);
}

ALU(alu_dadd)
{
	double a[SM_WARP], b[SM_WARP], r[SM_WARP];
	unsigned int rnd = sm_bits(i->word, 39, 2), old;

	dsrc(x->a, a, B(46), B(48));
	dsrc(x->b, b, B(49), B(45));
	old = rnd_set(rnd);
	loop_dadd(r, a, b);
	rnd_restore(old, rnd);
	dput(x, r, B(47));
}

ALU(alu_dmul)
{
	double a[SM_WARP], b[SM_WARP], r[SM_WARP];
	unsigned int rnd = sm_bits(i->word, 39, 2), old;

	dsrc(x->a, a, false, false);
	dsrc(x->b, b, false, B(48));
	old = rnd_set(rnd);
	loop_dmul(r, a, b);
	rnd_restore(old, rnd);
	dput(x, r, B(47));
}

ALU(alu_dfma)
{
	double a[SM_WARP], b[SM_WARP], c[SM_WARP], r[SM_WARP];
	unsigned int rnd = sm_bits(i->word, 50, 2), old;

	dsrc(x->a, a, false, false);
	dsrc(x->b, b, false, B(48));
	dsrc(x->c, c, false, B(49));
	old = rnd_set(rnd);
	loop_dfma(r, a, b, c);
	rnd_restore(old, rnd);
	dput(x, r, B(47));
}

ALU(alu_dmnmx)
{
	double a[SM_WARP], b[SM_WARP], r[SM_WARP];
	uint32_t min = get_pred(x, i, 39, 42);

	dsrc(x->a, a, B(46), B(48));
	dsrc(x->b, b, B(49), B(45));
	for (int l = 0; l < SM_WARP; l++) {
		bool less = a[l] < b[l] || (a[l] == b[l] && signbit(a[l]) && !signbit(b[l]));

		if (a[l] != a[l])
			r[l] = b[l];
		else if (b[l] != b[l])
			r[l] = a[l];
		else
			r[l] = less == (min >> l & 1) ? a[l] : b[l];
	}
	dput(x, r, B(47));
}

static uint32_t dcmp_core(unsigned int cond, const double *a, const double *b)
{
	uint32_t m = 0;

	for (int l = 0; l < SM_WARP; l++) {
		unsigned int rel = a[l] < b[l] ? 1 : a[l] == b[l] ? 2 : a[l] > b[l] ? 4 : 8;

		m |= (uint32_t)!!(rel & cond) << l;
	}
	return m;
}

ALU(alu_dsetp)
{
	double a[SM_WARP], b[SM_WARP];

	dsrc(x->a, a, B(7), B(43));
	dsrc(x->b, b, B(44), B(6));
	setp(i, x, dcmp_core(sm_bits(i->word, 48, 4), a, b));
}

ALU(alu_dset)
{
	double a[SM_WARP], b[SM_WARP];

	dsrc(x->a, a, B(54), B(43));
	dsrc(x->b, b, B(44), B(53));
	set_result(i, x, dcmp_core(sm_bits(i->word, 48, 4), a, b), B(52));
	if (B(47))
		cc_of(x, x->d, 0, 0);
}

/* --- conversions ---------------------------------------------------------- */

/* An integer operand: size 0..3 (8 to 64 bits), byte selector, as 64 bits. */
static int64_t isrc(const uint32_t *b, int l, unsigned int size, bool s, unsigned int byte)
{
	uint64_t v = b[l];

	if (size == 3)
		return (int64_t)(v | (uint64_t)b[32 + l] << 32);
	if (size < 2)
		v >>= 8 * byte;
	if (size == 0)
		return s ? (int64_t)(int8_t)v : (int64_t)(uint8_t)v;
	if (size == 1)
		return s ? (int64_t)(int16_t)v : (int64_t)(uint16_t)v;
	return s ? (int64_t)(int32_t)v : (int64_t)(uint32_t)v;
}

ALU(alu_i2i)
{
	unsigned int ds = sm_bits(i->word, 8, 2), ss = sm_bits(i->word, 10, 2),
		     byte = sm_bits(i->word, 41, 2);
	bool dsign = B(12), ssign = B(13);
	uint32_t r[2][SM_WARP];

	for (int l = 0; l < SM_WARP; l++) {
		int64_t v = isrc(x->b, l, ss, ssign, byte);

		if (B(49) && v < 0)
			v = -v;
		if (B(45))
			v = (int64_t)-(uint64_t)v;
		if (B(50) && ds < 3) {
			int bits = 8 << ds;
			int64_t lo = dsign ? -(1ll << (bits - 1)) : 0;
			int64_t hi = dsign ? (1ll << (bits - 1)) - 1 : (1ll << bits) - 1;

			v = v < lo ? lo : v > hi ? hi : v;
		}
		if (ds == 0)
			v = dsign ? (int64_t)(int8_t)v : (int64_t)(uint8_t)v;
		else if (ds == 1)
			v = dsign ? (int64_t)(int16_t)v : (int64_t)(uint16_t)v;
		r[0][l] = v;
		r[1][l] = (uint64_t)v >> 32;
	}
	if (B(47))
		cc_of(x, r[0], 0, 0);
	memcpy(x->d, r, 128 * i->nd);
}

/* Half precision, both ways; rounding by mode. */
static float h2f(uint16_t h)
{
	uint32_t s = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff;

	if (e == 31)
		return u2f(s | 0x7f800000 | m << 13);
	if (e == 0)
		return u2f(s | f2u((float)m * 0x1p-24f));
	return u2f(s | (e + 112) << 23 | m << 13);
}

static uint16_t f2h(float f, unsigned int rnd)
{
	uint32_t u = f2u(f), s = u >> 16 & 0x8000, a = u & 0x7fffffff;
	uint32_t m, drop, half, up;
	int e, sh;

	if (a > 0x7f800000)
		return 0x7fff;
	if (a == 0x7f800000)
		return s | 0x7c00;
	e = (int)(a >> 23) - 127;
	m = (a & 0x7fffff) | (a >> 23 ? 0x800000 : 0);
	sh = e < -14 ? 13 + (-14 - e) : 13;
	if (e < -14 && sh > 26)
		sh = 26;
	drop = m & ((1u << sh) - 1);
	half = 1u << (sh - 1);
	m >>= sh;
	if (rnd == 0)
		up = drop > half || (drop == half && (m & 1));
	else if (rnd == 1)
		up = drop && s;
	else if (rnd == 2)
		up = drop && !s;
	else
		up = 0;
	m += up;
	if (e >= -14)
		m += (uint32_t)(e + 14) << 10;
	if (m >= 0x7c00) {
		/* overflow: infinity or the greatest, by direction */
		bool inf = rnd == 0 || (rnd == 1 && s) || (rnd == 2 && !s);

		return s | (inf ? 0x7c00 : 0x7bff);
	}
	return s | m;
}

ALU(alu_i2f)
{
	unsigned int ds = sm_bits(i->word, 8, 2), ss = sm_bits(i->word, 10, 2),
		     byte = sm_bits(i->word, 41, 2);
	unsigned int rnd = sm_bits(i->word, 39, 2), old;
	bool ssign = B(13);

	if (ds == 2 && ss == 2 && !rnd && !B(45) && !B(49) && !B(47)) {
		if (ssign)
			OUT(f2u((float)(int32_t)b_[l]));
		else
			OUT(f2u((float)b_[l]));
		return;
	}
	{
		uint32_t r[2][SM_WARP];

		memset(r, 0, sizeof(r));
		old = rnd_set(rnd);
		for (int l = 0; l < SM_WARP; l++) {
			volatile int64_t v = isrc(x->b, l, ss, ssign, byte);
			bool big = ss == 3 && !ssign;	/* 64 bits unsigned */

			if (B(49) && v < 0 && !big)
				v = -v;
			if (B(45))
				v = (int64_t)-(uint64_t)v;
			if (ds == 3) {
				volatile double d = big ? (double)(uint64_t)v : (double)v;
				double e = d;
				uint64_t u;

				memcpy(&u, &e, 8);
				r[0][l] = u;
				r[1][l] = u >> 32;
			} else if (ds == 2) {
				volatile float f = big ? (float)(uint64_t)v : (float)v;

				r[0][l] = f2u(f);
			} else {
				/* 64 bits do not fit half precision anyway; float is exact to 2^24 */
				volatile float f = big ? (float)(uint64_t)v : (float)v;

				r[0][l] = f2h(f, rnd);
			}
		}
		rnd_restore(old, rnd);
		if (B(47))
			cc_of(x, r[0], 0, 0);
		memcpy(x->d, r, 128 * i->nd);
	}
}

static double round_int(double v, unsigned int mode)
{
	switch (mode) {
	case 1: return floor(v);
	case 2: return ceil(v);
	case 3: return trunc(v);
	}
	return rint(v);
}

/* A float operand, size 1..3, as double (exact). */
static double fsrc1(const uint32_t *b, int l, unsigned int size, bool hi, bool ftz, bool abs, bool neg)
{
	double v;

	if (size == 3) {
		uint64_t u = b[l] | (uint64_t)b[32 + l] << 32;

		memcpy(&v, &u, 8);
	} else if (size == 1) {
		v = h2f(hi ? b[l] >> 16 : b[l]);
	} else {
		v = u2f(ftz ? ftz1(b[l]) : b[l]);
	}
	if (abs)
		v = fabs(v);
	return neg ? -v : v;
}

ALU(alu_f2i)
{
	unsigned int ds = sm_bits(i->word, 8, 2), ss = sm_bits(i->word, 10, 2), rnd = sm_bits(i->word, 39, 2);
	bool dsign = B(12);
	uint32_t r[2][SM_WARP];

	for (int l = 0; l < SM_WARP; l++) {
		double v = fsrc1(x->b, l, ss, B(41), B(44), B(49), B(45));
		int bits = 8 << ds;
		uint64_t q;

		if (v != v) {
			/* PTX ISA, cvt: 0, or the sign bit where 64 bits are involved */
			q = ss == 3 || ds == 3 ? 1ull << (bits - 1) : 0;
		} else {
			double lo = dsign ? -ldexp(1, bits - 1) : 0, hi = ldexp(1, dsign ? bits - 1 : bits);

			v = round_int(v, rnd);
			if (v < lo)
				v = lo;
			if (v >= hi)
				q = dsign ? (1ull << (bits - 1)) - 1 : ds == 3 ? ~0ull : (1ull << bits) - 1;
			else
				q = dsign ? (uint64_t)(int64_t)v : (uint64_t)v;
		}
		r[0][l] = q;
		r[1][l] = q >> 32;
	}
	if (B(47))
		cc_of(x, r[0], 0, 0);
	memcpy(x->d, r, 128 * i->nd);
}

ALU(alu_f2f)
{
	unsigned int ds = sm_bits(i->word, 8, 2), ss = sm_bits(i->word, 10, 2), rnd = sm_bits(i->word, 39, 2);
	bool to_int = B(42), ftz = B(44), sat = B(50);
	uint32_t r[2][SM_WARP];
	unsigned int old;

	memset(r, 0, sizeof(r));
	for (int l = 0; l < SM_WARP; l++) {
		double v = fsrc1(x->b, l, ss, B(41), ftz, B(49), B(45));

		if (to_int)
			v = round_int(v, rnd);
		if (sat)
			v = v > 0 ? v < 1 ? v : 1 : 0;
		if (ds == 3) {
			uint64_t u;

			memcpy(&u, &v, 8);
			if (v != v && ss != 3)
				u = 0x7fffffffffffffffull;
			r[0][l] = u;
			r[1][l] = u >> 32;
		} else if (ds == 2) {
			volatile double in = v;
			volatile float f;

			old = rnd_set(to_int ? 0 : rnd);
			f = (float)in;
			rnd_restore(old, to_int ? 0 : rnd);
			r[0][l] = v != v ? NAN32 : f2u(f);
			if (ftz)
				r[0][l] = ftz1(r[0][l]);
		} else {
			r[0][l] = f2h((float)v, to_int ? 0 : rnd);
		}
	}
	if (B(47))
		cc_of_float(x, r[0]);
	memcpy(x->d, r, 128 * i->nd);
}

/* --- across lanes --------------------------------------------------------- */

ALU(alu_shfl)
{
	unsigned int mode = sm_bits(i->word, 30, 2);
	uint32_t r[SM_WARP], ok = 0;

	for (int l = 0; l < SM_WARP; l++) {
		uint32_t lane = B(28) ? sm_bits(i->word, 20, 5) : x->b[l] & 31;
		uint32_t c = B(29) ? sm_bits(i->word, 34, 13) : x->c[l];
		int clamp = c & 31, seg = c >> 8 & 31;
		int max = (l & seg) | (clamp & ~seg), min = l & seg, src;
		bool in;

		switch (mode) {
		case 0:
			src = min | ((int)lane & ~seg);
			in = src <= max;
			break;
		case 1:
			src = l - (int)lane;
			in = src >= max;
			break;
		case 2:
			src = l + (int)lane;
			in = src <= max;
			break;
		default:
			src = l ^ (int)lane;
			in = src <= max;
		}
		r[l] = x->a[in ? src & 31 : l];
		ok |= (uint32_t)in << l;
	}
	memcpy(x->d, r, sizeof(r));
	set_pred(x, sm_bits(i->word, 48, 3), ok);
}

ALU(alu_vote)
{
	uint32_t v = get_pred(x, i, 39, 42) & x->mask, r;

	switch (sm_bits(i->word, 48, 2)) {
	case 0:
		r = v == x->mask;
		break;
	case 1:
		r = v != 0;
		break;
	default:
		r = v == 0 || v == x->mask;
	}
	OUT(v);
	set_pred(x, sm_bits(i->word, 45, 3), r ? ~0u : 0);
}

const sm_alu_fn SM_ALU_TABLE[OP_COUNT] = {
	[OP_MOV] = alu_mov, [OP_SEL] = alu_sel, [OP_PRMT] = alu_prmt, [OP_IADD] = alu_iadd,
	[OP_IADD32I] = alu_iadd32i, [OP_IADD3] = alu_iadd3, [OP_ISCADD] = alu_iscadd,
	[OP_ISCADD32I] = alu_iscadd32i, [OP_LEA] = alu_lea, [OP_LEA_HI] = alu_lea_hi,
	[OP_IMUL] = alu_imul, [OP_IMUL32I] = alu_imul32i, [OP_IMAD] = alu_imad,
	[OP_IMAD32I] = alu_imad32i, [OP_XMAD] = alu_xmad, [OP_IMNMX] = alu_imnmx,
	[OP_LOP] = alu_lop, [OP_LOP32I] = alu_lop32i, [OP_LOP3] = alu_lop3, [OP_SHL] = alu_shl,
	[OP_SHR] = alu_shr, [OP_SHF_L] = alu_shf_l, [OP_SHF_R] = alu_shf_r, [OP_BFE] = alu_bfe,
	[OP_BFI] = alu_bfi, [OP_FLO] = alu_flo, [OP_POPC] = alu_popc, [OP_ISETP] = alu_isetp,
	[OP_ISET] = alu_iset, [OP_ICMP] = alu_icmp, [OP_PSETP] = alu_psetp, [OP_PSET] = alu_pset,
	[OP_CSETP] = alu_csetp, [OP_CSET] = alu_cset, [OP_P2R] = alu_p2r, [OP_R2P] = alu_r2p,
	[OP_FADD] = alu_fadd, [OP_FADD32I] = alu_fadd32i, [OP_FMUL] = alu_fmul,
	[OP_FMUL32I] = alu_fmul32i, [OP_FFMA] = alu_ffma, [OP_FFMA32I] = alu_ffma32i,
	[OP_FMNMX] = alu_fmnmx, [OP_MUFU] = alu_mufu, [OP_RRO] = alu_rro, [OP_FSETP] = alu_fsetp,
	[OP_FSET] = alu_fset, [OP_FCMP] = alu_fcmp, [OP_FCHK] = alu_fchk, [OP_FSWZADD] = alu_fswzadd,
	[OP_DADD] = alu_dadd, [OP_DMUL] = alu_dmul, [OP_DFMA] = alu_dfma, [OP_DMNMX] = alu_dmnmx,
	[OP_DSETP] = alu_dsetp, [OP_DSET] = alu_dset, [OP_I2I] = alu_i2i, [OP_I2F] = alu_i2f,
	[OP_F2I] = alu_f2i, [OP_F2F] = alu_f2f, [OP_SHFL] = alu_shfl, [OP_VOTE] = alu_vote,
};
