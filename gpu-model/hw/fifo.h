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

/* Host's view of one channel; what RAMFC holds on hardware is loaded from and saved there. */
struct channel {
	uint16_t id;
	bool bound, enabled;
	uint8_t runlist, runq, tsg;
	bool in_tsg;
	struct mmu_space space;
	uint64_t userd;			/* byte address */
	enum aperture userd_ap;
	uint64_t gpfifo;		/* VA */
	uint32_t gp_entries;
	uint32_t gp_get, gp_put;	/* indices */
	/* the push segment being processed */
	uint64_t pb_get, pb_end;
	uint32_t mthd, mthd_count, mthd_op, mthd_subch;
	uint32_t subch_class[FIFO_SUBCH];
	uint32_t sema[4];		/* SEMAPHORE A..D as written */
	bool acquire_pending;
	uint64_t acquire_deadline;	/* ns; 0: none */
	bool faulted;			/* stopped until software resets it */
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
	void *priv;
};

/* The list that PTOP reports and PFIFO schedules, by topology: hw/ptop.c. */
const struct engine *ptop_engines(struct gpu *gpu, size_t *n);
struct engine *fifo_engine(struct gpu *gpu, unsigned int id);

/* USERD doorbell: a write to BAR1 at base + chid * 0x200 + 0x8c (GP_PUT); hw/bar.c calls it. */
bool fifo_userd_write(struct gpu *gpu, uint64_t bar1_addr, uint32_t val);
bool fifo_userd_read(struct gpu *gpu, uint64_t bar1_addr, uint32_t *val);

/* Non-stall interrupt of an engine (class methods and host method 0x20 raise it). */
void fifo_nonstall(struct gpu *gpu, struct engine *e);
/* Stop @ch until software resets it; the runlist's other channels go on. */
void fifo_channel_fault(struct gpu *gpu, struct channel *ch);

enum step_result fifo_step(struct gpu *gpu);

#endif
