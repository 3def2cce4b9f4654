// SPDX-License-Identifier: MIT
/*
 * Running a warp: fetch, guard, operands, control flow.
 *
 * Divergence is kept as the hardware keeps it, in a stack of tokens a warp: SSY,
 * PBK, PCNT and calls push {target, active lanes}; a branch that splits the warp
 * pushes the lanes that jump.  Lanes that SYNC, BRK, CONT or RET leave: they are
 * taken out of the tokens above theirs and of the active lanes; when no lane is
 * active, the top token says who goes on where.  EXIT takes lanes out of all.
 *
 * Owns nothing beyond what the caller lends (a core and its warps); no locks.
 */
#include <string.h>

#include "sm/core.h"

const uint32_t sm_lane_bit[SM_WARP] = {
	1u << 0, 1u << 1, 1u << 2, 1u << 3, 1u << 4, 1u << 5, 1u << 6, 1u << 7,
	1u << 8, 1u << 9, 1u << 10, 1u << 11, 1u << 12, 1u << 13, 1u << 14, 1u << 15,
	1u << 16, 1u << 17, 1u << 18, 1u << 19, 1u << 20, 1u << 21, 1u << 22, 1u << 23,
	1u << 24, 1u << 25, 1u << 26, 1u << 27, 1u << 28, 1u << 29, 1u << 30, 1u << 31,
};
const uint32_t sm_zero_rows[4][SM_WARP];

uint32_t sm_cc_test(const struct sm_warp *w, unsigned int code);

/* Lanes whose CC meets a condition; the order is envydis tabf0f8_0. */
uint32_t sm_cc_test(const struct sm_warp *w, unsigned int code)
{
	uint32_t z = w->cc_z, s = w->cc_s, c = w->cc_c, o = w->cc_o, nan = z & s & ~o;

	switch (code) {
	case 0x00: return 0;
	case 0x01: return (s ^ o) & ~z;
	case 0x02: return z & ~s;
	case 0x03: return s ^ (z | o);
	case 0x04: return ~z & ~(s ^ o);
	case 0x05: return ~z;
	case 0x06: return ~(s ^ o);
	case 0x07: return ~nan;
	case 0x08: return nan;
	case 0x09: return s ^ o;
	case 0x0a: return z;
	case 0x0b: return z | (s ^ o);
	case 0x0c: return ~(s ^ (z | o));
	case 0x0d: return ~z | s;
	case 0x0e: return ~(s ^ o) | z;
	case 0x0f: return ~0u;
	case 0x10: return ~o;
	case 0x11: return ~c;
	case 0x12: return ~s;
	case 0x13: return z | ~c;
	case 0x14: return c & ~z;
	case 0x15: return s;
	case 0x16: return c;
	case 0x17: return o;
	case 0x1e: return ~z & ~s ? ~0u : z | s;
	default: return 0;
	}
}

void sm_raise(struct sm_worker *k, struct sm_warp *w, enum sm_warp_error err, uint64_t pc, uint64_t word)
{
	const struct sm_grid *g = w->cta->grid;
	struct sm_event *e = &k->pend[0];

	w->state = WARP_STOPPED;
	memset(e, 0, sizeof(*e));
	e->type = SM_EVENT_EXCEPTION;
	e->grid = g->id;
	e->cookie = g->l.cookie;
	e->error = err;
	e->pc = pc;
	e->word = word;
	e->sm = e->tpc = k->core->index;
	e->warp = w->slot;
	k->nr_pend = 1;
}

void sm_raise_timeout(struct sm_worker *k, struct sm_warp *w)
{
	struct sm_cta *t = w->cta;

	sm_raise(k, w, SM_ERR_NONE, w->pc, 0);
	k->pend[0].global = SM_GLOBAL_TIMEOUT;
	for (unsigned int n = 0; n < t->nr_warps; n++)
		if (t->warps[n].state != WARP_DONE)
			t->warps[n].state = WARP_STOPPED;
}

/* --- control flow ---------------------------------------------------------- */

static bool push(struct sm_warp *w, enum sm_token type, uint64_t pc, uint32_t mask)
{
	/*
	 * On chip there are 16; the rest spills to crs_size bytes, 16 an entry (NAK's
	 * crs_size()).  Compilers count what they push, so splits do not count; there
	 * are never more of them than lanes.
	 */
	unsigned int limit = 16 + w->cta->grid->l.crs_size / 16;

	if (w->sp >= SM_STACK || (type != TOK_DIV && w->tokens >= limit))
		return false;
	w->tokens += type != TOK_DIV;
	w->stack[w->sp].type = type;
	w->stack[w->sp].pc = pc;
	w->stack[w->sp].mask = mask;
	w->sp++;
	return true;
}

/* Nobody is active: go on with the next token that has lanes. */
static void pop(struct sm_warp *w)
{
	while (w->sp) {
		struct sm_stack_entry *e = &w->stack[--w->sp];
		uint32_t m = e->mask & ~w->exited;

		w->tokens -= e->type != TOK_DIV;
		if (m) {
			w->active = m;
			w->pc = e->pc;
			return;
		}
	}
	w->state = WARP_DONE;
}

/* @lanes go to their innermost token of @type.  Return: false if they have none. */
static bool leave(struct sm_warp *w, enum sm_token type, uint32_t lanes)
{
	int n;

	for (n = (int)w->sp - 1; n >= 0; n--)
		if (w->stack[n].type == type && (w->stack[n].mask & lanes))
			break;
	if (n < 0)
		return false;
	for (int j = n + 1; j < (int)w->sp; j++)
		w->stack[j].mask &= ~lanes;
	w->active &= ~lanes;
	if (!w->active)
		pop(w);
	return true;
}

static void leave_grid(struct sm_warp *w, uint32_t lanes)
{
	w->exited |= lanes;
	w->active &= ~lanes;
	if (!w->active)
		pop(w);
}

static bool branch(struct sm_warp *w, uint32_t lanes, uint64_t target)
{
	if (lanes == w->active) {
		w->pc = target;
		return true;
	}
	if (!push(w, TOK_DIV, target, lanes))
		return false;
	w->active &= ~lanes;
	return true;
}

/* Lanes with targets of their own: one token each distinct target but one. */
static bool branch_indexed(struct sm_warp *w, const struct sm_insn *i, uint32_t m, uint64_t base)
{
	uint64_t t[SM_WARP];
	uint32_t rest = m;

	for (int l = 0; l < SM_WARP; l++) {
		uint32_t r = i->ra == SM_RZ ? 0 : w->regs[i->ra * 32 + l];

		t[l] = base + (int32_t)r;
	}
	if (m != w->active) {
		if (!push(w, TOK_DIV, w->pc, w->active & ~m))
			return false;
		w->active = m;
	}
	while (rest) {
		int first = __builtin_ctz(rest);
		uint32_t g = 0;

		for (int l = first; l < SM_WARP; l++)
			if ((rest & sm_lane_bit[l]) && t[l] == t[first])
				g |= sm_lane_bit[l];
		rest &= ~g;
		if (!rest) {
			w->active = g;
			w->pc = t[first];
		} else if (!push(w, TOK_DIV, t[first], g)) {
			return false;
		}
	}
	return true;
}

void sm_barrier_check(struct sm_cta *cta)
{
	for (unsigned int id = 0; id < SM_MAX_BARRIERS; id++) {
		struct sm_barrier *b = &cta->bar[id];
		unsigned int need = b->expected ? b->expected : cta->live;

		if (!b->arrived || b->arrived < need)
			continue;
		for (unsigned int n = 0; n < cta->nr_warps; n++) {
			struct sm_warp *w = &cta->warps[n];

			if (w->state != WARP_BARRIER || w->bar_id != id)
				continue;
			w->state = WARP_READY;
			w->bar_result = b->popc;
		}
		memset(b, 0, sizeof(*b));
	}
}

static bool do_bar(struct sm_warp *w, const struct sm_insn *i, uint32_t m)
{
	unsigned int op = sm_bits(i->word, 32, 3), redop = sm_bits(i->word, 35, 2), id, count = 0;
	int first = __builtin_ctz(m);
	struct sm_barrier *b;
	uint32_t v;

	if (SM_BIT(i, 44)) {
		id = sm_bits(i->word, 8, 8);
	} else {
		unsigned int r = sm_bits(i->word, 8, 8);

		id = r == SM_RZ ? 0 : w->regs[r * 32 + first];
	}
	if (SM_BIT(i, 43)) {
		count = sm_bits(i->word, 20, 12);
	} else if (SM_BIT(i, 44) || sm_bits(i->word, 20, 8)) {
		/* both fields 0 and RZ is how NAK says "barrier 0, everybody" */
		unsigned int r = sm_bits(i->word, 20, 8);

		count = r == SM_RZ ? 0 : w->regs[r * 32 + first];
	}
	if (id >= SM_MAX_BARRIERS || op > 2)	/* not SCAN */
		return false;
	b = &w->cta->bar[id];
	b->arrived++;
	if (count)
		b->expected = (count + SM_WARP - 1) / SM_WARP;
	v = w->p[sm_bits(i->word, 39, 3)];
	v = (SM_BIT(i, 42) ? ~v : v) & m;
	if (op == 2) {
		if (redop == 0)
			b->popc += __builtin_popcount(v);
		else if (redop == 1)	/* and: count who is false, turned over on release */
			b->popc = (b->arrived == 1 || b->popc) && v == m;
		else
			b->popc |= v != 0;
	}
	if (op != 1) {
		w->state = WARP_BARRIER;
		w->bar_id = id;
	}
	sm_barrier_check(w->cta);
	return true;
}

/* Return: SM_ERR_NONE or what is wrong.  w->pc is the next instruction's. */
static enum sm_warp_error do_flow(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i,
				  uint32_t m)
{
	uint64_t base = w->cta->grid->l.code_base;
	uint64_t rel = w->pc + (uint64_t)sm_sbits(i->word, 20, 24);
	uint64_t abs = base + sm_bits(i->word, 20, 32);
	bool ok = true;

	/* targets in a constant bank */
	if (SM_BIT(i, 5) && i->op != OP_EXIT && i->op != OP_SYNC && i->op != OP_BRK && i->op != OP_CONT &&
	    i->op != OP_RET && i->op != OP_KIL) {
		uint32_t v[SM_WARP];
		enum sm_warp_error err;

		if (i->op == OP_BRX || i->op == OP_JMX)
			return SM_ERR_ILLEGAL_INSTR_PARAM;
		if (sm_const(k, w, sm_bits(i->word, 36, 5), sm_bits(i->word, 20, 16), 1, v, &err) != STEP_OK)
			return SM_ERR_INVALID_CONST_ADDR;
		rel = w->pc + (int32_t)v[0];
		abs = base + v[0];
	}
	switch (i->op) {
	case OP_BRA: case OP_JMP: case OP_BRX: case OP_JMX:
	case OP_SYNC: case OP_BRK: case OP_CONT: case OP_RET: case OP_EXIT: case OP_KIL:
		m &= sm_cc_test(w, sm_bits(i->word, 0, 5));
		if (!m)
			return SM_ERR_NONE;
	}
	switch (i->op) {
	case OP_BRA:
		ok = branch(w, m, rel);
		break;
	case OP_JMP:
		ok = branch(w, m, abs);
		break;
	case OP_BRX:
		ok = branch_indexed(w, i, m, rel);
		break;
	case OP_JMX:
		ok = branch_indexed(w, i, m, base + (int32_t)sm_bits(i->word, 20, 32));
		break;
	case OP_SSY:
		ok = push(w, TOK_SSY, rel, w->active);
		break;
	case OP_PBK:
		ok = push(w, TOK_PBK, rel, w->active);
		break;
	case OP_PCNT:
		ok = push(w, TOK_PCNT, rel, w->active);
		break;
	case OP_PRET:
		ok = push(w, TOK_CALL, rel, w->active);
		break;
	case OP_CAL:
	case OP_JCAL:
		ok = push(w, TOK_CALL, w->pc, w->active);
		w->pc = i->op == OP_CAL ? rel : abs;
		break;
	case OP_SYNC:
		ok = leave(w, TOK_SSY, m);
		break;
	case OP_BRK:
		ok = leave(w, TOK_PBK, m);
		break;
	case OP_CONT:
		ok = leave(w, TOK_PCNT, m);
		break;
	case OP_RET:
		if (!leave(w, TOK_CALL, m))
			return SM_ERR_RET_EMPTY_STACK;
		break;
	case OP_EXIT:
	case OP_KIL:
		leave_grid(w, m);
		break;
	case OP_BAR:
		return do_bar(w, i, m) ? SM_ERR_NONE : SM_ERR_ILLEGAL_INSTR_PARAM;
	default:
		return SM_ERR_ILLEGAL_INSTR_PARAM;
	}
	return ok ? SM_ERR_NONE : SM_ERR_STACK;
}

/* --- machine state --------------------------------------------------------- */

static void lane_tid(const struct sm_warp *w, int l, uint32_t *t)
{
	const uint32_t *b = w->cta->grid->l.block;
	uint32_t n = w->wid * SM_WARP + l;

	t[0] = n % b[0];
	t[1] = n / b[0] % b[1];
	t[2] = n / b[0] / b[1];
}

static uint32_t sys_value(struct sm_worker *k, const struct sm_warp *w, unsigned int id, int l,
			  uint64_t clock)
{
	const struct sm_launch *g = &w->cta->grid->l;
	uint32_t t[3];

	switch (id) {
	case 0x00: return l;
	case 0x01: return clock;
	case 0x02: return (uint32_t)SM_MAX_WARPS << 8 | (uint32_t)k->sm->nr << 20;
	case 0x03: return w->slot << 8 | (uint32_t)k->core->index << 20;
	case 0x20:
		lane_tid(w, l, t);
		return t[0] | t[1] << 16 | t[2] << 26;
	case 0x21: case 0x22: case 0x23:
		lane_tid(w, l, t);
		return t[id - 0x21];
	case 0x25: case 0x26: case 0x27:
		return w->cta->ctaid[id - 0x25];
	case 0x28: return g->block[0] | g->block[1] << 16 | g->block[2] << 26;
	case 0x30: return g->shared_window;
	case 0x31: return 1u << 24;
	case 0x32: return g->shared_size;
	case 0x33: return 32;
	case 0x34: return g->local_window;
	case 0x35: return 1u << 24;
	case 0x36: return g->local_low;
	case 0x37: return (1u << 24) - g->local_high;
	case 0x38: return 1u << l;
	case 0x39: return (1u << l) - 1;
	case 0x3a: return (2u << l) - 1;
	case 0x3b: return ~((2u << l) - 1);
	case 0x3c: return ~((1u << l) - 1);
	case 0x3d: return w->nregs;
	case 0x3e: return g->barriers;
	case 0x50: return clock;
	case 0x51: return clock >> 32;
	}
	return 0;
}

static void do_membar(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i)
{
	const struct sm_array *sm = k->sm;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* 0 is CTA: who shares its SM sees all stores in order anyway */
	if (sm->ops.membar && sm_bits(i->word, 8, 2))
		sm->ops.membar(sm->priv, w->cta->grid->l.space);
}

static void do_state(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i, uint32_t m,
		     uint64_t pc, uint64_t clock)
{
	unsigned int id = sm_bits(i->word, 20, 8);
	uint32_t *d;
	uint64_t ns = 0;

	if (i->rd == SM_RZ)
		return;
	d = w->regs + i->rd * 32;
	if (id == 0x52 || id == 0x53)
		ns = k->sm->ops.now_ns ? k->sm->ops.now_ns(k->sm->priv) : 0;
	for (int l = 0; l < SM_WARP; l++) {
		uint32_t v;

		if (!(m & sm_lane_bit[l]))
			continue;
		if (i->op == OP_LEPC)
			v = pc;
		else if (i->op == OP_B2R)
			v = w->bar_result;
		else if (id == 0x52 || id == 0x53)
			v = id == 0x52 ? ns : ns >> 32;
		else
			v = sys_value(k, w, id, l, clock);
		d[l] = v;
	}
}

/* --- the loop -------------------------------------------------------------- */

static inline const uint32_t *row(const struct sm_warp *w, unsigned int r)
{
	return r == SM_RZ ? sm_zero_rows[0] : w->regs + r * 32;
}

static inline void fill(uint32_t *t, uint32_t v)
{
	for (int l = 0; l < SM_WARP; l++)
		t[l] = v;
}

static enum sm_step_result do_alu(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i,
				  uint32_t m, enum sm_warp_error *err)
{
	uint32_t tb[2 * SM_WARP], td[2 * SM_WARP];
	enum sm_step_result r;
	struct sm_alu x;

	x.w = w;
	x.mask = m;
	x.a = row(w, i->ra);
	x.c = row(w, i->rc);
	switch (i->form) {
	case FORM_C:
		r = sm_const(k, w, i->cb, i->cb_off, i->nb, tb, err);
		if (r != STEP_OK)
			return r;
		x.b = tb;
		break;
	case FORM_RC:
		x.b = row(w, i->rb);
		r = sm_const(k, w, i->cb, i->cb_off, i->nc, tb, err);
		if (r != STEP_OK)
			return r;
		x.c = tb;
		break;
	case FORM_I: case FORM_F: case FORM_L: case FORM_U16:
		fill(tb, i->imm);
		if (i->nb == 2)
			fill(tb + SM_WARP, i->imm >> 31 ? ~0u : 0);
		x.b = tb;
		break;
	case FORM_D:
		fill(tb, 0);
		fill(tb + SM_WARP, i->imm);
		x.b = tb;
		break;
	default:
		x.b = row(w, i->rb);
	}
	if (m == ~0u && i->rd != SM_RZ) {
		x.d = w->regs + i->rd * 32;
		i->fn(i, &x);
		return STEP_OK;
	}
	x.d = td;
	i->fn(i, &x);
	if (i->rd == SM_RZ)
		return STEP_OK;
	for (unsigned int n = 0; n < i->nd; n++) {
		uint32_t *d = w->regs + (i->rd + n) * 32;

		for (int l = 0; l < SM_WARP; l++)
			d[l] = m & sm_lane_bit[l] ? td[32 * n + l] : d[l];
	}
	return STEP_OK;
}

enum sm_run sm_run_warp(struct sm_worker *k, struct sm_warp *w, uint64_t budget, uint64_t *ran)
{
	struct sm_grid *g = w->cta->grid;
	struct sm_code_page *code = NULL;
	uint64_t n = 0, lanes = 0;

	if (__atomic_load_n(&g->killed, __ATOMIC_RELAXED))
		return RUN_WAIT;
	if (g->l.timeout && budget > g->l.timeout - w->cta->issued)
		budget = g->l.timeout - w->cta->issued;
	while (n < budget && w->state == WARP_READY) {
		enum sm_step_result r = STEP_OK;
		enum sm_warp_error err = SM_ERR_NONE;
		struct sm_insn *i;
		uint64_t pc = w->pc;
		uint32_t m;

		/* each fourth word is the scheduler's */
		if (!(pc & 31))
			pc += 8;
		if (pc & 7) {
			sm_raise(k, w, SM_ERR_MISALIGNED_PC, pc, 0);
			break;
		}
		if (!code || code->page != pc >> 12) {
			if (sm_fetch(k, w, pc, &code) != STEP_OK) {
				code = NULL;
				w->state = WARP_PARKED;
				break;
			}
		}
		i = &code->insn[(pc >> 3) & (SM_PAGE / 8 - 1)];
		if (!i->valid)
			sm_decode(code->raw[(pc >> 3) & (SM_PAGE / 8 - 1)], k->sm->alu, i);
		m = w->p[i->pred];
		if (i->pred_not)
			m = ~m;
		m &= w->active;
		n++;
		if (i->op == OP_ILLEGAL) {
			sm_raise(k, w, SM_ERR_ILLEGAL_INSTR_ENCODING, pc, i->word);
			break;
		}
		w->pc = pc + 8;
		if (!m)
			continue;
		lanes += m == ~0u ? SM_WARP : (unsigned int)__builtin_popcount(m);
		if (i->maxreg >= w->nregs || i->badreg || i->odd) {
			err = i->odd	  ? SM_ERR_ILLEGAL_INSTR_PARAM
			      : i->badreg ? SM_ERR_MISALIGNED_REG
					  : SM_ERR_OOR_REG;
			w->pc = pc;
			sm_raise(k, w, err, pc, i->word);
			break;
		}
		if (i->op <= OP_ALU_LAST)
			r = do_alu(k, w, i, m, &err);
		else if (i->op <= OP_B2R)
			do_state(k, w, i, m, pc, k->core->cycles + n);
		else if (i->op <= OP_ATOMS_CAS)
			r = sm_mem(k, w, i, m, &err);
		else if (i->op == OP_MEMBAR)
			do_membar(k, w, i);
		else if (i->op >= OP_BAR) {
			err = do_flow(k, w, i, m);
			if (k->nr_pend)
				r = STEP_FAULT;	/* a target in a constant bank that is away */
			else if (err)
				r = STEP_ERROR;
		}
		if (r == STEP_FAULT) {
			w->pc = pc;
			w->state = WARP_PARKED;
			n--;
			lanes -= __builtin_popcount(m);
		} else if (r == STEP_ERROR) {
			w->pc = pc;
			sm_raise(k, w, err, pc, i->word);
		}
	}
	k->core->cycles += n;
	w->cta->issued += n;
	/* the watchdog counts what was issued: a warp that waits, for a page or for others, uses nothing of it */
	if (g->l.timeout && w->cta->issued >= g->l.timeout && w->state == WARP_READY)
		sm_raise_timeout(k, w);
	k->stats.warp_instructions += n;
	k->stats.lane_instructions += lanes;
	*ran += n;
	if (w->state == WARP_DONE) {
		w->cta->live--;
		sm_barrier_check(w->cta);
		return RUN_DONE;
	}
	return w->state == WARP_READY ? RUN_BUDGET : RUN_WAIT;
}
