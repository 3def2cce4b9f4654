// SPDX-License-Identifier: MIT
/*
 * The macro method expander: runs the small programs that a driver uploads and
 * calls by CALL_MME_MACRO.  They compute, and send methods to the 3D class.
 *
 * A macro may wait, for a parameter that the push buffer has yet to bring, or
 * for the engine that does not take a method now; its state is part of the
 * context (struct mme_state), so that a context switch meets it at any point.
 *
 * Owns nothing.  Lock order: gpu->lock.
 *
 * Source: envytools envydis/macro.c (the instruction set and its semantics).
 */
#include <string.h>

#include "hw/gr_priv.h"

/* Instructions in one go; then the lock is given back */
#define MME_BOUND 4096u

enum mme_op {
	OP_ALU = 0,
	OP_ADDI = 1,
	OP_INSERT = 2,
	OP_SHL_DST = 3,
	OP_SHL_REG = 4,
	OP_READ = 5,
	OP_BRANCH = 7
};
enum mme_alu {
	ALU_ADD = 0,
	ALU_ADC = 1,
	ALU_SUB = 2,
	ALU_SBB = 3,
	ALU_XOR = 8,
	ALU_OR = 9,
	ALU_AND = 10,
	ALU_ANDN = 11,
	ALU_NAND = 12
};
/* What becomes of a result: tabdst[] */
enum mme_dst {
	DST_PARM_IGN = 0,
	DST_MOV = 1,
	DST_MADDR = 2,
	DST_PARM_SEND = 3,
	DST_SEND = 4,
	DST_PARM_MADDR = 5,
	DST_PARMSEND_MADDR = 6,
	DST_MADDR_SEND = 7
};
#define INSN_EXIT BIT(7)
#define INSN_BRANCH_NZ BIT(4)
#define INSN_BRANCH_ANNUL BIT(5)

void mme_reset(struct mme_state *s)
{
	memset(s, 0, sizeof(*s));
}

static uint32_t mme_mask(uint32_t size)
{
	return size >= 32 ? ~0u : (1u << size) - 1;
}

static uint32_t mme_shr(uint32_t v, uint32_t n)
{
	return n > 31 ? 0 : v >> n;
}

static uint32_t mme_shl(uint32_t v, uint32_t n)
{
	return n > 31 ? 0 : v << n;
}

static uint32_t mme_alu(struct mme_state *s, uint32_t op, uint32_t a, uint32_t b)
{
	uint64_t r;

	switch (op) {
	case ALU_ADD:
		r = (uint64_t)a + b;
		s->carry = r >> 32;
		return r;
	case ALU_ADC:
		r = (uint64_t)a + b + s->carry;
		s->carry = r >> 32;
		return r;
	case ALU_SUB:	/* carry: no borrow */
		s->carry = a >= b;
		return a - b;
	case ALU_SBB:
		r = (uint64_t)a - b - !s->carry;
		s->carry = !(r >> 63);
		return r;
	case ALU_XOR:
		return a ^ b;
	case ALU_OR:
		return a | b;
	case ALU_AND:
		return a & b;
	case ALU_ANDN:
		return a & ~b;
	case ALU_NAND:
		return ~(a & b);
	}
	return 0;
}

static bool mme_needs_param(uint32_t insn)
{
	uint32_t dst = field(insn, 6, 4);

	if (field(insn, 2, 0) == OP_BRANCH)
		return false;
	return dst == DST_PARM_IGN || dst == DST_PARM_SEND || dst == DST_PARM_MADDR ||
	       dst == DST_PARMSEND_MADDR;
}

static uint32_t mme_take_param(struct mme_state *s)
{
	return s->params[s->get++ % MME_PARAMS];
}

static void mme_set_reg(struct mme_state *s, uint32_t r, uint32_t v)
{
	if (r)
		s->reg[r] = v;
}

static void mme_set_addr(struct mme_state *s, uint32_t v)
{
	s->addr = field(v, 11, 0);
	s->inc = field(v, 17, 12);
}

/* One method a instruction at most; the caller offers it until it is taken. */
static void mme_send(struct mme_state *s, uint32_t data)
{
	s->send_valid = 1;
	s->send_addr = (s->addr & 0xfff) << 2;
	s->send_data = data;
	s->addr = (s->addr + s->inc) & 0xfff;
}

static void mme_result(struct mme_state *s, uint32_t insn, uint32_t v)
{
	uint32_t r = field(insn, 10, 8);

	switch (field(insn, 6, 4)) {
	case DST_PARM_IGN:
		mme_set_reg(s, r, mme_take_param(s));
		break;
	case DST_MOV:
		mme_set_reg(s, r, v);
		break;
	case DST_MADDR:
		mme_set_addr(s, v);
		mme_set_reg(s, r, v);
		break;
	case DST_PARM_SEND:
		mme_send(s, v);
		mme_set_reg(s, r, mme_take_param(s));
		break;
	case DST_SEND:
		mme_send(s, v);
		mme_set_reg(s, r, v);
		break;
	case DST_PARM_MADDR:
		mme_set_addr(s, v);
		mme_set_reg(s, r, mme_take_param(s));
		break;
	case DST_PARMSEND_MADDR:
		mme_set_addr(s, v);
		mme_set_reg(s, r, v);
		mme_send(s, mme_take_param(s));
		break;
	case DST_MADDR_SEND:
		mme_set_addr(s, v);
		mme_set_reg(s, r, v);
		mme_send(s, field(v, 17, 12));
		break;
	}
}

/* Execute one instruction other than a branch.  Return: false for an encoding that isn't one. */
static bool mme_execute(struct gpu *gpu, struct mme_state *s, uint32_t insn)
{
	uint32_t a = s->reg[field(insn, 13, 11)], b = s->reg[field(insn, 16, 14)];
	uint32_t src = field(insn, 21, 17), size = field(insn, 26, 22), dst = field(insn, 31, 27);
	int32_t imm = (int32_t)insn >> 14;

	switch (field(insn, 2, 0)) {
	case OP_ALU: {
		uint32_t op = field(insn, 21, 17);

		if (op > ALU_SBB && (op < ALU_XOR || op > ALU_NAND))
			return false;
		mme_result(s, insn, mme_alu(s, op, a, b));
		return true;
	}
	case OP_ADDI:
		mme_result(s, insn, a + imm);
		return true;
	case OP_INSERT: {
		uint32_t m = mme_mask(size);

		mme_result(s, insn, (a & ~(m << dst)) | ((b >> src) & m) << dst);
		return true;
	}
	case OP_SHL_DST:
		mme_result(s, insn, (mme_shr(b, a) & mme_mask(size)) << dst);
		return true;
	case OP_SHL_REG:
		mme_result(s, insn, mme_shl((b >> src) & mme_mask(size), a));
		return true;
	case OP_READ:
		mme_result(s, insn, gpu->gr->ctx.m3d[(a + imm) & 0xfff]);
		return true;
	}
	return false;
}

/* 404490.. : nouveau gf100_macro_error[]: 1 TOO_FEW_PARAMS, 2 TOO_MANY_PARAMS, 4 ILLEGAL_OPCODE, 8
 * DOUBLE_BRANCH */
enum {
	MACRO_TOO_FEW_PARAMS = 0x1,
	MACRO_TOO_MANY_PARAMS = 0x2,
	MACRO_ILLEGAL_OPCODE = 0x4,
	MACRO_DOUBLE_BRANCH = 0x8
};
#define GR_MACRO_STATUS 0x404490
#define GR_MACRO_PC 0x404494
#define GR_MACRO_OP 0x40449c

static enum method_result mme_error(struct gpu *gpu, uint32_t what, uint32_t pc, uint32_t op)
{
	hw_set(gpu, GR_MACRO_STATUS, what);
	hw_set(gpu, GR_MACRO_PC, pc | BIT(28));
	hw_set(gpu, GR_MACRO_OP, op);
	gpu->gr->ctx.mme.active = 0;
	gpu->gr->ctx.mme.send_valid = 0;
	gr_trap_unit(gpu, GR_TRAP_MACRO);
	return METHOD_ERROR;
}

static void mme_advance(struct mme_state *s)
{
	bool end = s->exit;

	if (s->branch)
		s->pc = s->target;
	else
		s->pc++;
	s->branch = 0;
	s->exit = 0;
	if (end)
		s->active = 0;
}

enum method_result mme_run(struct gpu *gpu, struct channel *ch)
{
	struct gr_ctx *ctx = &gpu->gr->ctx;
	struct mme_state *s = &ctx->mme;

	for (unsigned int n = 0; n < MME_BOUND; n++) {
		uint32_t insn, pc;
		bool exit_now;

		if (s->send_valid) {
			enum method_result r = class_3d_send(gpu, ch, s->send_addr, s->send_data);

			if (r == METHOD_BUSY)
				return r;
			s->send_valid = 0;
			if (r == METHOD_FAULT) {
				s->active = 0;
				return r;
			}
		}
		if (!s->active)
			return METHOD_DONE;
		pc = s->pc & (MME_CODE_WORDS - 1);
		insn = ctx->mme_code[pc];
		if (field(insn, 2, 0) == OP_BRANCH) {
			bool nz = s->reg[field(insn, 13, 11)] != 0;
			bool taken = nz == ((insn & INSN_BRANCH_NZ) != 0);
			uint32_t target = pc + ((int32_t)insn >> 14);

			if (s->branch || s->exit)
				return mme_error(gpu, MACRO_DOUBLE_BRANCH, pc, insn);
			if (taken && (insn & INSN_BRANCH_ANNUL)) {
				s->pc = target;
			} else {
				s->pc++;
				s->branch = taken;
				s->target = target;
				/* exit with a branch: exits when it is not taken */
				if (!taken && (insn & INSN_EXIT))
					s->exit = 1;
			}
			/*
			 * The delay slot: s->branch and s->exit are applied by the next
			 * instruction's mme_advance().
			 */
			continue;
		}
		s->waits = mme_needs_param(insn) && s->get == s->put;
		if (s->waits)
			return METHOD_DONE;	/* CALL_MME_DATA brings it */
		exit_now = insn & INSN_EXIT;
		if (!mme_execute(gpu, s, insn))
			return mme_error(gpu, MACRO_ILLEGAL_OPCODE, pc, insn);
		mme_advance(s);
		if (exit_now && s->active)
			s->exit = 1;
	}
	return METHOD_BUSY;
}

enum method_result mme_starve(struct gpu *gpu)
{
	struct gr_ctx *ctx = &gpu->gr->ctx;
	uint32_t pc = ctx->mme.pc & (MME_CODE_WORDS - 1);

	return mme_error(gpu, MACRO_TOO_FEW_PARAMS, pc, ctx->mme_code[pc]);
}

enum method_result mme_call(struct gpu *gpu, struct channel *ch, unsigned int index, uint32_t data)
{
	struct gr_ctx *ctx = &gpu->gr->ctx;
	struct mme_state *s = &ctx->mme;

	if (s->active)	/* it waits for a parameter that does not come */
		return mme_starve(gpu);
	mme_reset(s);
	s->active = 1;
	s->pc = ctx->mme_start[index % MME_MACROS];
	s->reg[1] = data;
	return METHOD_DONE;
}

enum method_result mme_param(struct gpu *gpu, struct channel *ch, uint32_t data)
{
	struct mme_state *s = &gpu->gr->ctx.mme;

	if (!s->active)
		return METHOD_DONE;	/* more than the macro took: ignored */
	if (s->put - s->get >= MME_PARAMS)
		return METHOD_BUSY;
	s->params[s->put++ % MME_PARAMS] = data;
	s->waits = 0;
	return METHOD_DONE;
}
