/* SPDX-License-Identifier: MIT */
/*
 * Inside the shader cores: warps, CTAs, SMs, workers.
 *
 * Ownership: an SM, with its CTAs and warps, belongs to the worker that runs its
 * slice (sm_core.owner) and to the array's mutex otherwise.  Code pages and
 * micro-TLBs belong to the worker.  The only lock is sm_array.lock, a leaf.
 */
#ifndef SM_CORE_H
#define SM_CORE_H

#include <pthread.h>

#include "sm/isa.h"
#include "sm/sm.h"

#define SM_MAX_WARPS 64		/* an SM; NVIDIA "Pascal Tuning Guide", occupancy */
#define SM_MAX_CTAS 32
#define SM_MAX_REGS 65536
#define SM_MAX_SHARED 98304	/* GP104: 96 KiB */
#define SM_MAX_BARRIERS 16
#define SM_STACK 320		/* entries a warp, spilled ones included */
#define SM_PAGE 4096

enum sm_warp_state {
	WARP_READY,
	WARP_BARRIER,
	WARP_PARKED,	/* on a fault, until sm_replay() */
	WARP_STOPPED,	/* by an exception, for good */
	WARP_DONE,
};

enum sm_token { TOK_DIV, TOK_SSY, TOK_PBK, TOK_PCNT, TOK_CALL };

struct sm_stack_entry {
	uint64_t pc;
	uint32_t mask;
	uint32_t type;
};

struct sm_warp {
	uint32_t *regs;		/* [nregs][32] */
	uint32_t nregs;
	uint32_t active;	/* lanes that execute */
	uint32_t exited;	/* lanes that are gone, those that never were included */
	uint32_t p[8];		/* predicates as lane masks; p[7] is true */
	uint32_t cc_c, cc_z, cc_s, cc_o;
	uint64_t pc;
	enum sm_warp_state state;
	struct sm_cta *cta;
	unsigned int slot;	/* warp id on the SM */
	unsigned int wid;	/* warp of the CTA */
	unsigned int sp;
	unsigned int tokens;	/* of the stack, branches that split not counted */
	unsigned int bar_id;
	uint32_t bar_result;
	struct sm_stack_entry stack[SM_STACK];
};

struct sm_barrier {
	unsigned int arrived;	/* warps, those that went on (ARV) included */
	unsigned int expected;	/* 0: all live warps */
	uint32_t popc, and, or;
};

struct sm_cta {
	struct sm_grid *grid;
	uint32_t ctaid[3];
	unsigned int nr_warps, live;
	uint8_t *shared;
	uint32_t shared_size;
	unsigned int regs_used;
	struct sm_barrier bar[SM_MAX_BARRIERS];
	uint64_t issued;	/* instructions of its warps: the watchdog's clock */
	struct sm_warp *warps;
	uint32_t *regs;
};

struct sm_grid {
	struct sm_launch l;
	uint64_t id;
	uint64_t next;		/* CTA to place next */
	uint64_t total, done;
	unsigned int warps;	/* of a CTA */
	bool killed;		/* read without lock by workers, a hint between instructions */
	bool refused;		/* no SM can hold its CTAs */
	bool finished;
	struct sm_grid *link;
};

struct sm_core {
	int index;
	struct sm_worker *owner;
	struct sm_cta *cta[SM_MAX_CTAS];
	struct sm_warp *slot[SM_MAX_WARPS];
	unsigned int nr_ctas, nr_warps, regs, shared;
	unsigned int rr;	/* slot to run next */
	bool replay;		/* the owner lets what is parked go on, when it gives the core back */
	uint64_t cycles;	/* warp instructions issued; the clock registers show it */
};

struct sm_tlb_entry {
	uint64_t tag;		/* va >> 12, ~0: empty */
	void *space;
	uint8_t *host;		/* of the 4 KiB, NULL: none */
	uint8_t flags;
};
#define TLB_W 1
#define TLB_A 2
#define TLB_SYS 4
#define TLB_SPARSE 8
#define TLB_NR 128

/* A page of the instruction cache: it keeps what it has read until it is dropped, the translation is checked each slice. */
struct sm_code_page {
	uint64_t page;		/* va >> 12 */
	uint64_t space_id;
	bool used;
	uint32_t slice;		/* the slice that checked the translation last */
	uint64_t raw[SM_PAGE / 8];
	struct sm_insn insn[SM_PAGE / 8];
};
#define CODE_PAGES 64

struct sm_worker {
	struct sm_array *sm;
	pthread_t thread;
	int index;
	uint32_t slice;
	uint64_t icache_gen;
	struct sm_core *core;	/* the one it runs */
	struct sm_tlb_entry tlb[TLB_NR];	/* data */
	struct sm_tlb_entry ctlb[TLB_NR];	/* constants */
	struct sm_code_page *code[CODE_PAGES];
	struct sm_event pend[40];	/* events of the running instruction */
	int nr_pend;
	struct sm_stats stats;
};

struct sm_array {
	pthread_mutex_t lock;
	pthread_cond_t idle;	/* a worker ended its slice */
	uint32_t work;		/* atomic, a futex: changes when a worker may find something to do */
	uint32_t sleepers;	/* atomic: workers that wait for that */
	struct sm_ops ops;
	void *priv;
	void (*wake)(void *priv);
	int nr;
	int nr_workers;
	bool threaded;		/* there are workers; never changes */
	bool quit;		/* atomic */
	struct sm_core *cores;
	struct sm_worker *workers;	/* nr_workers, or one for sm_step() */
	struct sm_grid *grids;		/* in launch order, the finished ones taken out */
	struct sm_grid **grids_tail;
	uint64_t next_id;		/* the engines' */
	uint64_t icache_gen;
	/* Without the lock, atomic */
	struct sm_request *requests;	/* newest first */
	bool replay;			/* asked for */
	struct sm_event_node *ev_in;	/* newest first */
	uint64_t pending;		/* grids, launched or in @requests, and events: 0 is idle */
	struct sm_stats stats;
	struct sm_event_node *ev_out;	/* the engines': taken from @ev_in, oldest first */
	bool fresh;			/* events came since the lock was taken */
	const sm_alu_fn *alu;
	pthread_mutex_t stripe[64];	/* sysmem atomics; below nothing, above nothing */
};

/* Operands of an arithmetic instruction, rows of 32 lanes; 64-bit ones take two rows. */
struct sm_alu {
	uint32_t *d;
	const uint32_t *a, *b, *c;
	uint32_t mask;		/* lanes whose predicates and CC may change */
	struct sm_warp *w;
};

extern const sm_alu_fn sm_alu_base[OP_COUNT];
extern const sm_alu_fn sm_alu_v3[OP_COUNT];

extern const uint32_t sm_lane_bit[SM_WARP];
extern const uint32_t sm_zero_rows[4][SM_WARP];

/* exec.c */
enum sm_run { RUN_BUDGET, RUN_WAIT, RUN_DONE };

/**
 * sm_run_warp() - run one warp up to @budget instructions.
 * The caller owns the core.  Adds what ran to *@ran.
 * Return: RUN_BUDGET if it may go on, RUN_WAIT if it is not READY any more, RUN_DONE at its end.
 */
enum sm_run sm_run_warp(struct sm_worker *k, struct sm_warp *w, uint64_t budget, uint64_t *ran);

/* Barriers of a CTA after a warp came, or ended: release those that are complete. */
void sm_barrier_check(struct sm_cta *cta);

/* mem.c */
enum sm_step_result { STEP_OK, STEP_FAULT, STEP_ERROR };

/* An instruction's exception: queue the event (delivered by the caller of sm_run_warp()). */
void sm_raise(struct sm_worker *k, struct sm_warp *w, enum sm_warp_error err, uint64_t pc, uint64_t word);

/* The watchdog: the warp's CTA stands still for good. */
void sm_raise_timeout(struct sm_worker *k, struct sm_warp *w);

/**
 * sm_mem() - run a memory instruction for the lanes of @m.
 * Nothing happens before every lane's address is translated.
 * Return: STEP_OK; STEP_FAULT: events queued, nothing done; STEP_ERROR: *@err says what.
 */
enum sm_step_result sm_mem(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i,
			   uint32_t m, enum sm_warp_error *err);

/* sm_const() - read @n words of a bank for all lanes (rows of 32).  Return as sm_mem(). */
enum sm_step_result sm_const(struct sm_worker *k, struct sm_warp *w, unsigned int bank,
			     uint32_t off, unsigned int n, uint32_t *row, enum sm_warp_error *err);

/* sm_fetch() - the decoded page of code at @pc.  Return as sm_mem(). */
enum sm_step_result sm_fetch(struct sm_worker *k, struct sm_warp *w, uint64_t pc,
			     struct sm_code_page **out);

/* Forget translations. */
void sm_worker_flush(struct sm_worker *k);
/* Forget code. */
void sm_worker_drop_code(struct sm_worker *k);

#endif
