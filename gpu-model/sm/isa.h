/* SPDX-License-Identifier: MIT */
/*
 * The SM6x instruction set as data: one row an encoding, one sm_insn a decoded
 * word.  Owns nothing but constant tables; no locks.
 *
 * Facts (field positions) were read from envytools envydis/gm107.c and from
 * Mesa's two code emitters (nv50_ir_emit_gm107.cpp, nak/sm50.rs).
 */
#ifndef SM_ISA_H
#define SM_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_RZ 255
#define SM_PT 7

enum sm_opcode {
	OP_ILLEGAL,
	/* pure lane arithmetic: write registers, predicates or CC, touch nothing else */
	OP_MOV, OP_SEL, OP_PRMT, OP_IADD, OP_IADD32I, OP_IADD3, OP_ISCADD, OP_ISCADD32I,
	OP_LEA, OP_LEA_HI, OP_IMUL, OP_IMUL32I, OP_IMAD, OP_IMAD32I, OP_XMAD,
	OP_IMNMX, OP_LOP, OP_LOP32I, OP_LOP3, OP_SHL, OP_SHR, OP_SHF_L, OP_SHF_R,
	OP_BFE, OP_BFI, OP_FLO, OP_POPC, OP_ISETP, OP_ISET, OP_ICMP,
	OP_PSETP, OP_PSET, OP_CSETP, OP_CSET, OP_P2R, OP_R2P,
	OP_FADD, OP_FADD32I, OP_FMUL, OP_FMUL32I, OP_FFMA, OP_FFMA32I, OP_FMNMX,
	OP_MUFU, OP_RRO, OP_FSETP, OP_FSET, OP_FCMP, OP_FCHK, OP_FSWZADD,
	OP_DADD, OP_DMUL, OP_DFMA, OP_DMNMX, OP_DSETP, OP_DSET,
	OP_I2I, OP_I2F, OP_F2I, OP_F2F,
	OP_SHFL, OP_VOTE,
	OP_ALU_LAST = OP_VOTE,
	/* read machine state */
	OP_S2R, OP_CS2R, OP_LEPC, OP_B2R,
	/* memory */
	OP_LDC, OP_LD, OP_ST, OP_LDG, OP_STG, OP_LDL, OP_STL, OP_LDS, OP_STS,
	OP_ATOM, OP_ATOM_CAS, OP_RED, OP_ATOMS, OP_ATOMS_CAS,
	/* nothing to do in a core without caches and with in-order issue */
	OP_NOP, OP_MEMBAR, OP_CCTL, OP_CCTLL, OP_CCTLT, OP_DEPBAR, OP_VOTE_VTG,
	/* control */
	OP_BAR, OP_BRA, OP_BRX, OP_JMP, OP_JMX, OP_SSY, OP_SYNC, OP_PBK, OP_BRK,
	OP_PCNT, OP_CONT, OP_PRET, OP_RET, OP_CAL, OP_JCAL, OP_EXIT, OP_KIL, OP_BPT,
	OP_COUNT
};

/* What stands for operand B (and C). */
enum sm_form {
	FORM_NONE,
	FORM_R,		/* B: register 27:20 */
	FORM_C,		/* B: constant bank 38:34, word 33:20 */
	FORM_I,		/* B: signed 20 bits, 38:20 and 56 */
	FORM_F,		/* B: the upper 20 bits of a float */
	FORM_D,		/* B: the upper 20 bits of a double */
	FORM_L,		/* B: 32 bits, 51:20 */
	FORM_U16,	/* B: unsigned 16 bits, 35:20 */
	FORM_RC,	/* B: register 46:39, C: constant bank */
};

/* A row of the table: an encoding.  @match and @mask are of bits 63:48. */
struct sm_row {
	uint16_t match, mask;
	uint8_t op;
	uint8_t form;
	uint8_t nd, na, nb, nc;	/* registers of D, A, B, C; 0: no such operand */
	uint8_t cbit;		/* where register C stands: 39, or 0 for register 7:0 */
	const char *name;	/* mnemonic in the disassembly */
	const char *fmt;	/* the rest, see disasm.c */
};

struct sm_insn;
struct sm_alu;
typedef void (*sm_alu_fn)(const struct sm_insn *i, struct sm_alu *x);

/* A decoded word. */
struct sm_insn {
	uint64_t word;
	sm_alu_fn fn;		/* of the arithmetic ones */
	uint32_t imm;
	uint16_t cb_off;	/* bytes */
	uint8_t cb;
	uint8_t op;
	uint8_t form;
	uint8_t rd, ra, rb, rc;
	uint8_t nd, na, nb, nc;
	uint8_t pred;		/* guard, PT: always */
	bool pred_not;
	bool valid;		/* decoded */
	uint8_t maxreg;		/* highest register it names, 0 if none */
	bool odd;		/* a modifier whose meaning is not known: an exception, not a guess */
	bool badreg;		/* a register group that is not aligned to its size */
};

static inline uint64_t sm_bits(uint64_t w, unsigned int pos, unsigned int n)
{
	return (w >> pos) & ((1ull << n) - 1);
}

static inline int64_t sm_sbits(uint64_t w, unsigned int pos, unsigned int n)
{
	return (int64_t)(w << (64 - pos - n)) >> (64 - n);
}

#define SM_BIT(i, n) (((i)->word >> (n)) & 1)

/**
 * sm_row_of() - find the table's row of an instruction word.
 * Return: the row, NULL for an encoding that is not known.
 */
const struct sm_row *sm_row_of(uint64_t word);

/* sm_rows() - the whole table.  @n: set to the number of rows. */
const struct sm_row *sm_rows(size_t *n);

/**
 * sm_decode() - decode one word.
 * @alu: handlers by opcode, NULL to leave out->fn NULL
 * Unknown encodings come out as OP_ILLEGAL.
 */
void sm_decode(uint64_t word, const sm_alu_fn *alu, struct sm_insn *out);

/**
 * sm_disasm() - print a word as envydis does.
 * @pc: byte offset of the word (for branch targets)
 * Return: length, as snprintf().
 */
int sm_disasm(uint64_t word, uint64_t pc, char *buf, size_t size);

#endif
