/* SPDX-License-Identifier: MIT */
/*
 * Host: runlists, time-slice groups, PBDMAs, channels, and the engines behind
 * them.  hw/fifo.c (registers, interrupts), hw/runlist.c (scheduling),
 * hw/pbdma.c (GPFIFO, methods), hw/ce.c, hw/gr.c and hw/class_*.c (engines).
 */
#ifndef HW_FIFO_H
#define HW_FIFO_H

#include "gpu.h"
#include "hw/mmu.h"

#define FIFO_CHANNELS 4096	/* channel ids of GP10x; the register 002008 says how many are usable */
#define FIFO_SUBCH 8
#define FIFO_MAX_RUNLISTS 8

struct engine;

/* Words of a copy engine's state that travel with the channel (hw/ce.c). */
#define CE_STATE_WORDS 40

/* Host's view of one channel; what RAMFC holds on hardware is loaded from and saved there. */
struct channel {
	uint16_t id;
	bool bound, enabled;
	bool loaded;			/* the fields below are valid: taken from RAMFC */
	bool kicked;			/* there may be work: look at it */
	bool listed;			/* in the runlist below */
	uint8_t runlist, runq;
	uint16_t tsg;
	bool in_tsg;
	struct mmu_space space;
	uint64_t userd;			/* byte address */
	enum aperture userd_ap;
	uint64_t gpfifo;		/* VA */
	uint32_t gp_entries;
	uint32_t gp_get, gp_put;	/* indices */
	/* the push segment being processed */
	uint64_t pb_get, pb_end, pb_top;
	bool pb_sub;			/* subroutine level: TOP_LEVEL_GET stays */
	/* the method header being expanded: next method address, methods left, increments */
	uint32_t mthd, mthd_count, mthd_op, mthd_subch;
	/* the method at the head of the method FIFO, offered until its receiver takes it */
	bool m_valid;
	uint32_t m_subch, m_addr, m_data;
	uint32_t subdevice;		/* NV_PPBDMA_SUBDEVICE */
	uint32_t target;		/* NV_PPBDMA_TARGET: the engine that got methods last */
	uint32_t ref, acquire, mem_op[4];
	uint64_t mem_op_waits;		/* for this request to the MMU; 0: none */
	bool privileged;		/* NV_PPBDMA_CONFIG_AUTH_LEVEL */
	uint32_t subch_class[FIFO_SUBCH];
	uint32_t sema[4];		/* SEMAPHORE A..D as written */
	bool acquire_pending;
	uint64_t acquire_deadline;	/* ns; 0: none */
	bool faulted;			/* stopped until software resets it */
	bool pbdma_faulted, eng_faulted;	/* how it shows in PCCSR */
	uint32_t ce[CE_STATE_WORDS];	/* copy-engine methods, hw/ce.c */
	void *ctx;			/* the engine's own context, keyed by instance */
};

/* What became of a method that was handed to an engine. */
enum method_result {
	METHOD_DONE,
	METHOD_BUSY,	/* not accepted now (engine busy, wait for idle): offer it again */
	METHOD_FAULT,	/* the channel took a fatal fault, reported already */
	METHOD_ERROR,	/* illegal method or data: engine exception raised already */
};

struct engine_ops {
	const char *name;
	/* Load / save the context of @ch.  Return: false while it can't be done yet (parked fault). */
	bool (*load)(struct gpu *gpu, struct engine *e, struct channel *ch);
	bool (*save)(struct gpu *gpu, struct engine *e, struct channel *ch);
	enum method_result (*method)(struct gpu *gpu, struct engine *e, struct channel *ch,
				     unsigned int subch, uint32_t cls, uint32_t mthd, uint32_t data);
	/* All work handed over has completed, grids included. */
	bool (*idle)(struct gpu *gpu, struct engine *e);
	/* Autonomous work of one step. */
	enum step_result (*step)(struct gpu *gpu, struct engine *e);
	void (*reset)(struct gpu *gpu, struct engine *e);
	/*
	 * How fast PFIFO's context-switch time-out runs now, in quarters of real time; NULL: 4.
	 * The model's shader cores are slower than hardware's, so that a grid that makes progress
	 * is given longer, but not so long that the kernel's own limit for a job (10 s) comes before
	 * the 4.3 s of hardware: then every job that waits for the engine would be ended, not the
	 * one that holds it.  A warp parked on a replayable fault stops the clock.
	 */
	unsigned int (*switch_clock)(struct gpu *gpu, struct engine *e);
};

/* An engine as PTOP (hw/ptop.c) tells of it. */
struct engine {
	const struct engine_ops *ops;
	const char *name;
	uint8_t type;		/* PTOP: 0 GR, 0x13 LCE */
	uint8_t inst;		/* LCE number */
	uint8_t id;		/* engine index of PFIFO (002640 + 8 * id) */
	uint8_t runlist, runq;
	uint8_t intr_bit;	/* PMC */
	uint8_t reset_bit;	/* PMC 000200 */
	uint8_t fault_id;	/* MMU engine id */
	uint32_t addr;		/* PRI base */
	struct channel *resident;
	/* a context switch to this channel has begun and waits for the engine to let go */
	struct channel *next;
	uint64_t switch_spent;	/* ns of the time-out */
	uint64_t switch_seen;	/* ns: when that was counted last */
	bool unloading;		/* the pending switch is a preempt: to no channel */
	bool faulted;		/* its resident channel took a fatal fault: frozen until reset */
	void *priv;
};

/* The list that PTOP reports and PFIFO schedules, by topology: hw/ptop.c. */
const struct engine *ptop_engines(struct gpu *gpu, size_t *n);
struct engine *fifo_engine(struct gpu *gpu, unsigned int id);

/* USERD doorbell: a write to BAR1 at base + chid * 0x200 + 0x8c (GP_PUT); hw/bar.c calls it. */
bool fifo_userd_write(struct gpu *gpu, uint64_t bar1_addr, uint32_t val);
bool fifo_userd_read(struct gpu *gpu, uint64_t bar1_addr, uint32_t *val);

/* What semaphores with a timestamp carry: PTIMER, with the time that software set. */
uint64_t fifo_timestamp(struct gpu *gpu);
/* Non-stall interrupt of an engine (class methods and host method 0x20 raise it). */
void fifo_nonstall(struct gpu *gpu, struct engine *e);
/* Stop @ch until software resets it; the runlist's other channels go on. */
void fifo_channel_fault(struct gpu *gpu, struct channel *ch);

/*
 * fifo_mmu_fault() - a fatal MMU fault of engine @unit was recorded in 002800 + 16 * @unit:
 * set its bit in 00259c and raise PFIFO's MMU_FAULT interrupt.  fault_post_fatal() calls it.
 * 00259c itself (write 1 to clear) belongs to fifo.c, the records of 002800.. to fault.c.
 */
void fifo_mmu_fault(struct gpu *gpu, unsigned int unit);

/* The engine's reset bit in PMC 000200 went low: drop its channel and its work. */
void fifo_engine_reset(struct gpu *gpu, struct engine *e);
/* PFIFO's own reset bit (8) in PMC 000200 went low. */
void fifo_reset(struct gpu *gpu);

/* Channel by instance block, NULL when none is bound there. */
struct channel *fifo_channel_by_inst(struct gpu *gpu, uint64_t inst);
struct channel *fifo_channel(struct gpu *gpu, unsigned int id);
/* Make @ch resident on @e.  Return: false while that can't be done yet: offer again. */
bool fifo_engine_acquire(struct gpu *gpu, struct engine *e, struct channel *ch);

/*
 * Hub client numbers of fatal faults as nouveau decodes them for Pascal
 * (gk104_fifo_mmu_fault_hubclient[], used by gp100_fifo).
 */
enum {
	FIFO_CLIENT_CE0 = 0x01,
	FIFO_CLIENT_CE1 = 0x02,
	FIFO_CLIENT_FE = 0x04,
	FIFO_CLIENT_FECS = 0x05,
	FIFO_CLIENT_HOST = 0x06,
	FIFO_CLIENT_RASTERTWOD = 0x13,
	FIFO_CLIENT_SCC = 0x14,
	FIFO_CLIENT_GR_CE = 0x18,
	FIFO_CLIENT_CE2 = 0x19,
	FIFO_CLIENT_SKED = 0x1e,
};
/* MMU engine id of PBDMA 0 (gp100_fifo_mmu_fault_engine[]: HOST0) */
#define FIFO_FAULT_HOST0 0x06

/* Report a fatal fault of a hub client for @ch and stop the channel. */
void fifo_hub_fault(struct gpu *gpu, struct channel *ch, unsigned int engine, unsigned int client,
		    uint64_t va, enum mmu_access access, enum mmu_fault_type type);

enum step_result fifo_step(struct gpu *gpu);

/* copy engines, hw/ce.c; graphics and compute, hw/gr.c */
extern const struct engine_ops ce_engine_ops;
extern const struct engine_ops gr_engine_ops;

struct hw_block;
extern const struct hw_block hw_fifo;		/* 002000..0027ff but fault.c's records */
extern const struct hw_block hw_fifo_sched;	/* 002a00..002a6f */
extern const struct hw_block hw_pccsr;		/* 800000..807fff: channel RAM */
extern const struct hw_block hw_pbdma;		/* 040000..05ffff */
extern const struct hw_block hw_ce;		/* 104000..104fff */

#endif
