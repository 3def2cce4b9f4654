/* SPDX-License-Identifier: MIT */
/*
 * What gr.c, the class files, qmd.c and mme.c share.  All under gpu->lock.
 */
#ifndef HW_GR_PRIV_H
#define HW_GR_PRIV_H

#include "hw/block.h"
#include "hw/fifo.h"
#include "hw/gr.h"
#include "sm/sm.h"

#define MME_CODE_WORDS 0x800u	/* envytools envydis/macro.c: "0x800 32-bit words" */
#define MME_MACROS 256u		/* CALL_MME_MACRO(j) at 3800 + 8 * j, up to 3fff */
#define MME_PARAMS 64u

/* Where a macro is: it stops for a parameter that has not come, or for an engine that is busy. */
struct mme_state {
	uint32_t active;
	uint32_t waits;		/* for a parameter: it has nothing to do until then */
	uint32_t pc;		/* of the next instruction */
	uint32_t target;	/* of a taken branch, when @branch */
	uint32_t branch, exit;	/* take effect after the next instruction */
	uint32_t reg[8];
	uint32_t carry;
	uint32_t addr, inc;	/* "maddr": method and increment, in dwords */
	uint32_t params[MME_PARAMS], get, put;
	/* a method that was sent and not taken yet, and what is left of the instruction */
	uint32_t send_valid, send_addr, send_data;
};

/* Inline-to-memory: a block of methods that 3D, compute and a140 have alike */
struct i2m_state {
	uint32_t active;
	uint32_t launch;
	uint32_t line_bytes, lines, pitch;
	uint32_t offset, line;	/* progress */
	uint64_t va;
	uint64_t sem_va;
	uint32_t sem_payload;
	uint32_t pad;
};

#define CLASS_3D_WORDS 0x1000u
#define CLASS_COMPUTE_WORDS 0xc00u
#define CLASS_2D_WORDS 0x400u
#define CLASS_I2M_WORDS 0x200u

#define GR_CTX_MAGIC 0x43475647u	/* "GVGC" */
#define GR_CTX_VERSION 2u
/*
 * Where the state is in the context image.  The first page is the driver's header
 * (nouveau gf100_gr_chan_bind() writes words 0x10..0x2c and 0xf4..0xf8).
 */
#define GR_CTX_OFFSET 0x1000u

/* Method of 3D and compute alike (clc197.h, clc1c0.h): it acts on the shader cores, so the two have one value. */
#define SET_SM_TIMEOUT_INTERVAL 0xde4

struct gr_ctx {
	uint32_t magic, version;
	uint32_t subch_class[FIFO_SUBCH];
	struct i2m_state i2m[3];
	uint32_t pcas_a;
	uint32_t warp_esr_report_mask;	/* register 419e44; bit n: error n of enum sm_warp_error */
	struct mme_state mme;
	uint32_t mme_code_ptr, mme_start_ptr;
	uint32_t mme_start[MME_MACROS];
	uint32_t mme_code[MME_CODE_WORDS];
	uint32_t m3d[CLASS_3D_WORDS];
	uint32_t compute[CLASS_COMPUTE_WORDS];
	uint32_t m2d[CLASS_2D_WORDS];
	uint32_t mi2m[CLASS_I2M_WORDS];
};
_Static_assert(sizeof(struct gr_ctx) + GR_CTX_OFFSET <= GR_CTX_IMAGE_SIZE, "context image too small");

struct qmd_release {
	bool enable, one_word, reduction;
	uint64_t va;
	uint32_t payload, op;
	bool is_signed;
};

/* A launched grid; the cookie of its events. */
struct gr_grid {
	struct gr_grid *next;
	struct mmu_space space;
	uint16_t chid;
	uint64_t id;		/* sm_launch()'s */
	uint64_t ctas;
	bool killed;
	struct qmd_release release[2];
};

struct gr_parked {
	uint64_t inst, page;
	enum mmu_access access;
	uint8_t client, gpc, type;
	struct gr_grid *grid;
};

#define GR_MAX_PARKED 1024u

/*
 * Grids that have ended are kept for a while: a worker's translations are keyed by the address of
 * the grid's space, which must not come back, as another space's, within the worker's slice.
 */
#define GR_GRAVES 64u

struct gr {
	struct gr_ctx ctx;		/* of the resident channel, or of the bound instance */
	bool ctx_loaded;
	bool paused;
	uint64_t bound_inst;		/* FECS method 3, outside the runlists */
	struct gr_grid *grids;
	struct gr_grid *grave[GR_GRAVES];
	unsigned int next_grave;
	struct gr_parked parked[GR_MAX_PARKED];
	unsigned int nr_parked;
	bool wedged;			/* warps that stand still after exceptions, or a hang: ends with the engine reset */
	struct sm_stats stats;		/* as counted in the ledger already */
	uint64_t logged[8];		/* what is not modelled is logged once: bits by gr_once() */
};

struct engine *gr_engine(struct gpu *gpu);
/* Grids, macros, traps: all of what this engine was given has completed. */
bool gr_work_done(struct gpu *gpu);
void gr_trap(struct gpu *gpu, uint32_t intr, unsigned int subch, uint32_t mthd, uint32_t data);
/* 400100 */
#define GR_INTR_ILLEGAL_MTHD BIT(4)
#define GR_INTR_ILLEGAL_CLASS BIT(5)
#define GR_INTR_DATA_ERROR BIT(20)
#define GR_INTR_TRAP BIT(21)
/* 400108 */
#define GR_TRAP_MACRO BIT(7)
#define GR_TRAP_SKED BIT(8)
#define GR_TRAP_GPC BIT(24)
void gr_trap_unit(struct gpu *gpu, uint32_t trap);
/* FECS's firmware method 4: change @mask's bits of a register of the context to @val's. */
void gr_priv_write(struct gpu *gpu, uint32_t addr, uint32_t val, uint32_t mask);
/* A fatal fault of a hub client of the graphics engine. */
enum method_result gr_fault(struct gpu *gpu, struct channel *ch, unsigned int client, uint64_t va,
			    enum mmu_access access, enum mmu_fault_type type);
/* True the first time @id (0..511) is asked for. */
bool gr_once(struct gpu *gpu, unsigned int id);

enum method_result class_3d_method(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data);
/* A 3D method that a macro sent: everything but macro calls. */
enum method_result class_3d_send(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data);
enum method_result class_2d_method(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data);
enum method_result class_i2m_method(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data);
enum method_result class_compute_method(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data);

/* The inline-to-memory block 180..1e4 of a class whose registers are @m. */
enum method_result i2m_method(struct gpu *gpu, struct channel *ch, struct i2m_state *s, uint32_t *m,
			      uint32_t mthd, uint32_t data);
/* SET_REPORT_SEMAPHORE_D of a class whose registers are @m. */
enum method_result report_semaphore(struct gpu *gpu, struct channel *ch, const uint32_t *m, uint32_t data);
/* Write a semaphore of one or four words; @client for the fault. */
enum method_result gr_semaphore_write(struct gpu *gpu, struct channel *ch, unsigned int client, uint64_t va,
				      uint64_t value, bool one_word);

/* Launch a grid.  Return: METHOD_DONE, or METHOD_ERROR after a trap. */
enum method_result gr_launch(struct gpu *gpu, struct channel *ch, const struct sm_launch *l,
			     const struct qmd_release release[2]);

/* hw/mme.c */
void mme_reset(struct mme_state *s);
/* CALL_MME_MACRO(@index). */
enum method_result mme_call(struct gpu *gpu, struct channel *ch, unsigned int index, uint32_t data);
/* CALL_MME_DATA. */
enum method_result mme_param(struct gpu *gpu, struct channel *ch, uint32_t data);
/* Another method came while a macro waits for a parameter: TOO_FEW_PARAMS (envytools envydis/macro.c). */
enum method_result mme_starve(struct gpu *gpu);
/* Go on with a macro.  Return: METHOD_DONE when it ended or waits for a parameter. */
enum method_result mme_run(struct gpu *gpu, struct channel *ch);
/* A macro has things to do; one that waits for a parameter has none. */
static inline bool mme_busy(const struct mme_state *s)
{
	return s->send_valid || (s->active && !s->waits);
}

#endif
