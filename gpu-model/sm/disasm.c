// SPDX-License-Identifier: MIT
/*
 * Disassembler, for logs and for the golden test: prints a word the way envytools'
 * envydis does.  Owns constant tables of modifier names; no locks.
 *
 * The format of a row (struct sm_row.fmt) is a list of items:
 *   d a b c       operands; b6: shift amount of six bits
 *   pN PN         predicate at bit N; with its "not" bit three above
 *   bN:w zN:w     word w if bit N is set, clear
 *   =w            word w
 *   @tableN       word from a table, its field at bit N
 *   uW@N sW@N     number
 *   rN            register at bit N
 *   gN nN lN sN   memory operand with an offset of N bits; ca: constant bank
 *   target abs    code address
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sm/isa.h"

struct names {
	const char *name;
	uint8_t bits;
	const char *v[32];
};

#define FCMP                                                                                                 \
	{                                                                                                    \
		"f", "lt", "eq", "le", "gt", "ne", "ge", "num", "nan", "ltu", "equ", "leu", "gtu", "neu",    \
		    "geu", "t"                                                                               \
	}
#define CC(t) { "f", "lt", "eq", "le", "gt", "ne", "ge", "num", "nan", "ltu", "equ", "leu", "gtu", "neu", "geu", t, \
	"off", "lo", "sff", "ls", "hi", "sft", "hs", "oft", "csm_ta", "csm_tr", "csm_mx", "fcsm_ta", "fcsm_tr", \
	"fcsm_mx", "rle", "rgt" }

static const struct names tables[] = {
	{ "prmt", 4, { "", "f4e", "b4e", "rc8", "ecl", "ecr", "rc16" } },
	{ "i3sh", 2, { "", "rs", "ls" } },
	{ "i3h", 2, { "", "h0", "h1" } },
	{ "us", 1, { "u32", "s32" } },
	{ "u", 1, { "u32", "" } },
	{ "xmty", 2, { "", "s16 u16", "u16 s16", "s16 s16" } },
	{ "xmad", 3, { "", "clo", "chi", "csfu", "cbcc" } },
	{ "xmac", 2, { "", "clo", "chi", "csfu" } },
	{ "mnx", 2, { "", "xlo", "xmed", "xhi" } },
	{ "lop", 2, { "and", "or", "xor", "pass_b" } },
	{ "lopp", 2, { "", "t", "z", "nz" } },
	{ "shf", 2, { "", "", "u64", "s64" } },
	{ "shfx", 2, { "", "hi", "x", "xhi" } },
	{ "icmp", 3, { "f", "lt", "eq", "le", "gt", "ne", "ge", "t" } },
	{ "bool", 2, { "and", "or", "xor" } },
	{ "fcmp", 4, FCMP },
	{ "cc", 5, CC("") },
	{ "flow", 5, CC("") },
	{ "prcc", 1, { "pr", "cc" } },
	{ "byte", 2, { "", "b1", "b2", "b3" } },
	{ "rnd", 2, { "", "rm", "rp", "rz" } },
	{ "irnd", 2, { "", "floor", "ceil", "trunc" } },
	{ "ftz", 2, { "", "ftz", "fmz" } },
	{ "pdiv", 3, { "", "d2", "d4", "d8", "m8", "m4", "m2" } },
	{ "mufu", 4, { "cos", "sin", "ex2", "lg2", "rcp", "rsq", "rcp64h", "rsq64h", "sqrt" } },
	{ "rro", 1, { "sincos", "ex2" } },
	{ "fsz", 2, { "", "f16", "f32", "f64" } },
	{ "shfl", 2, { "idx", "up", "down", "bfly" } },
	{ "vote", 2, { "all", "any", "eq" } },
	{ "ldc", 2, { "", "il", "is", "isl" } },
	{ "size", 3, { "u8", "s8", "u16", "s16", "b32", "b64", "b128", "u b128" } },
	{ "stc", 2, { "", "cg", "cs", "wt" } },
	{ "ldlc", 2, { "", "lu", "ci", "cv" } },
	{ "sz", 1, { "b32", "b64" } },
	{ "atom", 4, { "add", "min", "max", "inc", "dec", "and", "or", "xor", "exch", "", "safeadd" } },
	{ "red", 3, { "add", "min", "max", "inc", "dec", "and", "or", "xor" } },
	{ "aty", 3, { "u32", "s32", "u64", "ftz rn f32", "u128", "s64" } },
	{ "asty", 2, { "u32", "s32", "u64", "s64" } },
	{ "ascas", 2, { "cast", "cast spin", "cas" } },
	{ "mbar", 2, { "cta", "gl", "sys", "vc" } },
	{ "mbiv", 2, { "", "ivalld", "ivallt", "ivalltd" } },
	{ "cctl", 4, { "qry1", "pf1", "pf1.5", "pf2", "wb", "iv", "ivall", "rs", "what?", "rslb" } },
	{ "cctlc", 3, { "", "u", "c", "i", "crs" } },
};

/* envydis sys_sr */
static const char *const sys_names[256] = {
	[0x00] = "laneid", [0x01] = "clock", [0x02] = "virtcfg", [0x03] = "virtid",
	[0x20] = "tid", [0x21] = "tidx", [0x22] = "tidy", [0x23] = "tidz", [0x25] = "ctaidx",
	[0x26] = "ctaidy", [0x27] = "ctaidz", [0x28] = "ntid", [0x30] = "swinlo", [0x34] = "lwinlo",
	[0x38] = "eqmask", [0x39] = "ltmask", [0x3a] = "lemask", [0x3b] = "gtmask", [0x3c] = "gemask",
	[0x50] = "clocklo", [0x51] = "clockhi", [0x52] = "globaltimerlo", [0x53] = "globaltimerhi",
};

struct out {
	char *buf;
	size_t size, len;
};

static void put(struct out *o, const char *fmt, ...)
{
	char t[96];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t, sizeof(t), fmt, ap);
	va_end(ap);
	if (!n)
		return;
	if (o->len) {
		if (o->len + 1 < o->size)
			o->buf[o->len] = ' ';
		o->len++;
	}
	for (int j = 0; j < n; j++) {
		if (o->len + 1 < o->size)
			o->buf[o->len] = t[j];
		o->len++;
	}
	if (o->size)
		o->buf[o->len < o->size ? o->len : o->size - 1] = 0;
}

static void put_reg(struct out *o, unsigned int r)
{
	if (r == SM_RZ)
		put(o, "0x0");
	else
		put(o, "$r%u", r);
}

static void put_pred(struct out *o, unsigned int p, bool not)
{
	if (not)
		put(o, "not");
	if (p == SM_PT)
		put(o, "0x1");
	else
		put(o, "$p%u", p);
}

static void put_num(struct out *o, int64_t v)
{
	if (v < 0)
		put(o, "-0x%llx", (unsigned long long)-v);
	else
		put(o, "0x%llx", (unsigned long long)v);
}

static void put_mem(struct out *o, const char *space, unsigned int r, int64_t off)
{
	char reg[8], disp[24] = "";

	snprintf(reg, sizeof(reg), "$r%u", r);
	if (r == SM_RZ) {
		snprintf(disp, sizeof(disp), "%s0x%llx", off < 0 ? "-" : "", (unsigned long long)llabs(off));
		reg[0] = 0;
	} else if (off) {
		snprintf(disp, sizeof(disp), "%c0x%llx", off < 0 ? '-' : '+', (unsigned long long)llabs(off));
	}
	put(o, "%s[%s%s]", space, reg, disp);
}

static void put_b(struct out *o, const struct sm_insn *i, const char *item)
{
	uint64_t w = i->word;

	switch (i->form) {
	case FORM_R:
	case FORM_RC:
		put_reg(o, i->rb);
		break;
	case FORM_C:
		put(o, "c%u[0x%x]", i->cb, i->cb_off);
		break;
	case FORM_I:
		put_num(o, item[1] ? (int64_t)i->imm : (int32_t)i->imm);
		break;
	case FORM_D:
		put(o, "0x%llx", (unsigned long long)i->imm << 32);
		break;
	case FORM_L:
		put(o, "0x%x", (uint32_t)sm_bits(w, 20, 32));
		break;
	default:
		put(o, "0x%x", i->imm);
	}
}

static void put_table(struct out *o, const char *item, uint64_t w)
{
	size_t n = strcspn(item, "0123456789");

	/* names that end in digits would be taken for the position: there are none */
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		const struct names *d = &tables[t];
		const char *s;

		if (strlen(d->name) != n || strncmp(d->name, item, n))
			continue;
		s = d->v[sm_bits(w, atoi(item + n), d->bits)];
		if (!s)
			put(o, "???");
		else if (s[0])
			put(o, "%s", s);
		return;
	}
	if (!strncmp(item, "idst", 4) || !strncmp(item, "isrc", 4)) {
		unsigned int pos = item[4] == '8' ? 8 : 10, sign = pos == 8 ? 12 : 13;

		put(o, "%c%u", sm_bits(w, sign, 1) ? 's' : 'u', 8u << sm_bits(w, pos, 2));
	} else if (!strncmp(item, "f2f", 3)) {
		static const char *const r[8] = { "", "", "", "pass", "round", "floor", "ceil", "trunc" };
		unsigned int v = sm_bits(w, 39, 2) | sm_bits(w, 42, 1) << 2;

		if (r[v][0])
			put(o, "%s", r[v]);
	} else if (!strncmp(item, "bar", 3)) {
		unsigned int v = sm_bits(w, 32, 3), k = sm_bits(w, 35, 2);
		static const char *const red[4] = { "popc", "and", "or", "???" };

		put(o, "%s", v == 0 ? "sync" : v == 1 ? "arrive" : v == 2 ? "red" : v == 3 ? "scan" : "???");
		if (v == 2)
			put(o, "%s", red[k]);
	} else {
		put(o, "???");
	}
}

static void put_item(struct out *o, const char *item, const struct sm_insn *i, uint64_t pc)
{
	uint64_t w = i->word;
	const char *colon = strchr(item, ':'), *at = strchr(item, '@');
	int n = atoi(item + 1);

	if (item[0] == '@') {
		put_table(o, item + 1, w);
	} else if (item[0] == '=') {
		put(o, "%s", item + 1);
	} else if (colon) {
		if (sm_bits(w, n, 1) == (item[0] == 'b'))
			put(o, "%s", colon + 1);
	} else if (at) {
		int pos = atoi(at + 1);

		put_num(o, item[0] == 's' ? sm_sbits(w, pos, n) : (int64_t)sm_bits(w, pos, n));
	} else if (!strcmp(item, "d")) {
		put_reg(o, sm_bits(w, 0, 8));
	} else if (!strcmp(item, "a")) {
		put_reg(o, sm_bits(w, 8, 8));
	} else if (!strcmp(item, "b") || !strcmp(item, "b6")) {
		put_b(o, i, item);
	} else if (!strcmp(item, "c")) {
		if (i->form == FORM_RC)
			put(o, "c%u[0x%x]", i->cb, i->cb_off);
		else
			put_reg(o, i->rc);
	} else if (!strcmp(item, "sys")) {
		const char *s = sys_names[sm_bits(w, 20, 8)];

		if (s)
			put(o, "$%s", s);
		else
			put(o, "$s%u", (unsigned int)sm_bits(w, 20, 8));
	} else if (!strcmp(item, "ca")) {
		char bank[8];

		snprintf(bank, sizeof(bank), "c%u", (unsigned int)sm_bits(w, 36, 5));
		put_mem(o, bank, sm_bits(w, 8, 8), sm_sbits(w, 20, 16));
	} else if (!strcmp(item, "shfl")) {
		if (sm_bits(w, 28, 1))
			put_num(o, sm_bits(w, 20, 5));
		else
			put_reg(o, sm_bits(w, 20, 8));
		if (sm_bits(w, 29, 1))
			put_num(o, sm_bits(w, 34, 13));
		else
			put_reg(o, sm_bits(w, 39, 8));
	} else if (!strcmp(item, "barsrc")) {
		if (sm_bits(w, 44, 1))
			put_num(o, sm_bits(w, 8, 8));
		else
			put_reg(o, sm_bits(w, 8, 8));
		if (sm_bits(w, 43, 1))
			put_num(o, sm_bits(w, 20, 12));
		else
			put_reg(o, sm_bits(w, 20, 8));
	} else if (!strcmp(item, "target") || !strcmp(item, "abs") || !strcmp(item, "brx")) {
		if (item[0] == 'b')
			put_reg(o, sm_bits(w, 8, 8));
		if (sm_bits(w, 5, 1))
			put(o, "c%u[0x%x]", (unsigned int)sm_bits(w, 36, 5),
			    (unsigned int)sm_bits(w, 20, 16));
		else if (item[0] == 't')
			put_num(o, (int64_t)(pc + 8) + sm_sbits(w, 20, 24));
		else
			put_num(o, item[0] == 'a' ? (int64_t)sm_bits(w, 20, 32) : sm_sbits(w, 20, 24));
	} else if (item[0] == 'p') {
		put_pred(o, sm_bits(w, n, 3), false);
	} else if (item[0] == 'P') {
		put_pred(o, sm_bits(w, n, 3), sm_bits(w, n + 3, 1));
	} else if (item[0] == 'r') {
		put_reg(o, sm_bits(w, n, 8));
	} else {
		/* memory: where the offset stands follows from its width */
		static const struct { char c; uint8_t bits, pos, shift; const char *space; } mems[] = {
			{ 'g', 32, 20, 0, "g" }, { 'g', 20, 28, 0, "g" }, { 'g', 30, 22, 2, "g" },
			{ 'n', 24, 20, 0, "ncg" }, { 'l', 24, 20, 0, "l" }, { 'l', 22, 22, 2, "l" },
			{ 's', 24, 20, 0, "s" }, { 's', 22, 30, 2, "s" },
		};

		for (size_t t = 0; t < sizeof(mems) / sizeof(mems[0]); t++)
			if (mems[t].c == item[0] && mems[t].bits == n)
				put_mem(o, mems[t].space, sm_bits(w, 8, 8),
					sm_sbits(w, mems[t].pos, n) * (1 << mems[t].shift));
	}
}

int sm_disasm(uint64_t word, uint64_t pc, char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	const struct sm_row *r = sm_row_of(word);
	char fmt[160], *save = NULL;
	struct sm_insn i;

	if (size)
		buf[0] = 0;
	if (!r) {
		put(&o, "??? 0x%016llx", (unsigned long long)word);
		return o.len;
	}
	sm_decode(word, NULL, &i);
	switch (r->op) {
	case OP_SSY: case OP_PBK: case OP_PCNT: case OP_PRET: case OP_CAL: case OP_BPT:
		break;		/* no guard field */
	default:
		if (sm_bits(word, 16, 4) == 15)
			put(&o, "never");
		else if (sm_bits(word, 16, 4) != 7)
			put_pred(&o, sm_bits(word, 16, 3), sm_bits(word, 19, 1));
	}
	put(&o, "%s", r->name);
	snprintf(fmt, sizeof(fmt), "%s", r->fmt);
	for (char *s = strtok_r(fmt, " ", &save); s; s = strtok_r(NULL, " ", &save))
		put_item(&o, s, &i, pc);
	return o.len;
}
