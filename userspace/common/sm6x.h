/* SPDX-License-Identifier: MIT */
/**
 * DOC: an assembler for a handful of SM6x instructions
 *
 * Enough to write the kernels of the tests by hand.  Machine code comes in
 * groups of four 64-bit words: one of scheduling control, then three
 * instructions.  Encodings: envytools' gm107 tables (the instruction set of
 * Maxwell and Pascal), checked against code that Mesa's compiler makes.
 *
 * Scheduling is the safest and slowest there is: each instruction waits for all
 * barriers and stalls 15 cycles, and the ones of unknown latency set barrier 0.
 */
#ifndef SM6X_H
#define SM6X_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define SM6X_MAX_WORDS 256
#define SM6X_RZ 255		/* reads 0, writes go nowhere */
#define SM6X_PT 7		/* always true */
#define SM6X_NOT 8		/* added to a predicate: inverted */

/* Special registers of S2R */
#define SM6X_SR_LANEID 0x00
#define SM6X_SR_TID_X 0x21
#define SM6X_SR_CTAID_X 0x25

/* Sizes of LD and ST */
enum sm6x_size { SM6X_U8 = 0, SM6X_U16 = 2, SM6X_B32 = 4, SM6X_B64 = 5, SM6X_B128 = 6 };
/* Operations of RED and ATOM */
enum sm6x_atom { SM6X_ADD = 0, SM6X_MIN = 1, SM6X_MAX = 2, SM6X_AND = 5, SM6X_OR = 6, SM6X_XOR = 7 };
/* Comparisons of ISETP */
enum sm6x_cmp { SM6X_LT = 1, SM6X_EQ = 2, SM6X_LE = 3, SM6X_GT = 4, SM6X_NE = 5, SM6X_GE = 6 };
/* Carry: set it from this sum, or add it in */
enum sm6x_carry { SM6X_NC = 0, SM6X_CC = 1, SM6X_X = 2 };

/**
 * struct sm6x - a program being assembled
 */
struct sm6x {
	/** @word: the code */
	uint64_t word[SM6X_MAX_WORDS];
	/** @n: words used */
	unsigned int n;
	/** @guard: predicate of the instructions that follow (SM6X_PT: none) */
	unsigned int guard;
};

#define SM6X_SCHED_WAIT 0x1ffefull	/* stall 15, no barrier set, wait for all six */
#define SM6X_SCHED_WR (0x7ull << 5)	/* cleared: barrier 0 is set when the result is there */
#define SM6X_SCHED_RD (0x7ull << 8)	/* cleared: barrier 0 is set when the operands were read */

static inline void sm6x_init(struct sm6x *p)
{
	memset(p, 0, sizeof(*p));
	p->guard = SM6X_PT;
}

/* Bytes of code so far; the next instruction's offset, unless a control word comes first. */
static inline uint32_t sm6x_size(const struct sm6x *p)
{
	return p->n * 8;
}

static inline void sm6x_emit(struct sm6x *p, uint64_t insn, uint64_t sched)
{
	unsigned int slot;

	if (p->n % 4 == 0)
		p->word[p->n++] = 0;
	assert(p->n < SM6X_MAX_WORDS);
	slot = p->n % 4 - 1;
	p->word[p->n & ~3u] |= sched << (21 * slot);
	p->word[p->n++] = insn | (uint64_t)p->guard << 16;
}

static inline uint64_t sm6x_rrr(uint64_t op, unsigned int d, unsigned int a, unsigned int b)
{
	return op << 48 | (uint64_t)b << 20 | (uint64_t)a << 8 | d;
}

/* d = special register */
static inline void sm6x_s2r(struct sm6x *p, unsigned int d, unsigned int sr)
{
	sm6x_emit(p, sm6x_rrr(0xf0c8, d, 0, sr), SM6X_SCHED_WAIT & ~SM6X_SCHED_WR);
}

/* d = a */
static inline void sm6x_mov(struct sm6x *p, unsigned int d, unsigned int a)
{
	sm6x_emit(p, sm6x_rrr(0x5c98, d, 0, a) | 0xfull << 39, SM6X_SCHED_WAIT);
}

/* d = constant bank @bank, byte @off */
static inline void sm6x_mov_c(struct sm6x *p, unsigned int d, unsigned int bank, unsigned int off)
{
	sm6x_emit(p, 0x4c98ull << 48 | 0xfull << 39 | (uint64_t)bank << 34 | (uint64_t)(off >> 2) << 20 | d,
		  SM6X_SCHED_WAIT);
}

/* d = imm */
static inline void sm6x_mov32i(struct sm6x *p, unsigned int d, uint32_t imm)
{
	sm6x_emit(p, 0x0100ull << 48 | (uint64_t)imm << 20 | 0xf000 | d, SM6X_SCHED_WAIT);
}

/* d = a + b (+ carry) */
static inline void sm6x_iadd(struct sm6x *p, unsigned int d, unsigned int a, unsigned int b, enum sm6x_carry c)
{
	sm6x_emit(p, sm6x_rrr(0x5c10, d, a, b) | (uint64_t)!!(c & SM6X_CC) << 47 | (uint64_t)!!(c & SM6X_X) << 43,
		  SM6X_SCHED_WAIT);
}

/* d = a + imm, imm in 20 bits with sign */
static inline void sm6x_iadd_i(struct sm6x *p, unsigned int d, unsigned int a, int32_t imm, enum sm6x_carry c)
{
	assert(imm >= -(1 << 19) && imm < (1 << 19));
	sm6x_emit(p,
		  0x3810ull << 48 | (uint64_t)(imm < 0) << 56 | (uint64_t)((uint32_t)imm & 0x7ffff) << 20 |
			  (uint64_t)!!(c & SM6X_CC) << 47 | (uint64_t)!!(c & SM6X_X) << 43 | (uint64_t)a << 8 | d,
		  SM6X_SCHED_WAIT);
}

/* d = a << n */
static inline void sm6x_shl(struct sm6x *p, unsigned int d, unsigned int a, unsigned int n)
{
	sm6x_emit(p, 0x3848ull << 48 | (uint64_t)n << 20 | (uint64_t)a << 8 | d, SM6X_SCHED_WAIT);
}

/* d = a >> n, zeroes come in */
static inline void sm6x_shr(struct sm6x *p, unsigned int d, unsigned int a, unsigned int n)
{
	sm6x_emit(p, 0x3828ull << 48 | (uint64_t)n << 20 | (uint64_t)a << 8 | d, SM6X_SCHED_WAIT);
}

/* d (and the registers after it) = memory at a:a+1 plus @off */
static inline void sm6x_ld(struct sm6x *p, enum sm6x_size size, unsigned int d, unsigned int a, uint32_t off)
{
	sm6x_emit(p,
		  0x9c1ull << 52 | (uint64_t)size << 53 | (uint64_t)off << 20 | (uint64_t)a << 8 | d,
		  SM6X_SCHED_WAIT & ~SM6X_SCHED_WR);
}

/* memory at a:a+1 plus @off = s (and the registers after it) */
static inline void sm6x_st(struct sm6x *p, enum sm6x_size size, unsigned int a, uint32_t off, unsigned int s)
{
	sm6x_emit(p,
		  0xbc1ull << 52 | (uint64_t)size << 53 | (uint64_t)off << 20 | (uint64_t)a << 8 | s,
		  SM6X_SCHED_WAIT & ~SM6X_SCHED_RD);
}

/* memory at a:a+1 op= s, 32 bit unsigned */
static inline void sm6x_red(struct sm6x *p, enum sm6x_atom op, unsigned int a, uint32_t off, unsigned int s)
{
	sm6x_emit(p, 0xebf9ull << 48 | (uint64_t)off << 28 | (uint64_t)op << 23 | (uint64_t)a << 8 | s,
		  SM6X_SCHED_WAIT & ~SM6X_SCHED_RD);
}

/* pd = a cmp b, unsigned, with X the borrow of a subtraction before joins in */
static inline void sm6x_isetp(struct sm6x *p, unsigned int pd, enum sm6x_cmp cmp, unsigned int a, unsigned int b)
{
	sm6x_emit(p,
		  0x5b60ull << 48 | (uint64_t)cmp << 49 | 7ull << 39 | (uint64_t)b << 20 | (uint64_t)a << 8 |
			  (uint64_t)pd << 3 | SM6X_PT,
		  SM6X_SCHED_WAIT);
}

/* Go on at byte @target of the program (all lanes the same way). */
static inline void sm6x_bra(struct sm6x *p, uint32_t target)
{
	uint32_t next;

	if (p->n % 4 == 0)
		p->word[p->n++] = 0;
	next = sm6x_size(p) + 8;
	sm6x_emit(p, 0xe24ull << 52 | (uint64_t)((target - next) & 0xffffff) << 20 | 0xf, SM6X_SCHED_WAIT);
}

static inline void sm6x_membar_gl(struct sm6x *p)
{
	sm6x_emit(p, 0xef98ull << 48 | 1ull << 8, SM6X_SCHED_WAIT & ~SM6X_SCHED_RD);
}

static inline void sm6x_exit(struct sm6x *p)
{
	sm6x_emit(p, 0xe300ull << 48 | 0xf, SM6X_SCHED_WAIT);
	while (p->n % 4) {
		/* Fill the group with NOPs, so that no fetch finds half a group. */
		unsigned int guard = p->guard;

		p->guard = SM6X_PT;
		sm6x_emit(p, 0x50b0ull << 48 | 0xf00, SM6X_SCHED_WAIT);
		p->guard = guard;
	}
}

#endif
