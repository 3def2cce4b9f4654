/* SPDX-License-Identifier: MIT */
/*
 * The shader cores: an array of streaming multiprocessors (SM) that executes
 * grids of SM6x machine code.  It knows nothing of channels and registers: what
 * it needs of the machine comes through struct sm_ops, so that unit tests run it
 * on plain memory.
 *
 * Threads: sm_start() makes workers, each runs slices of warps with the gate
 * (sm_ops.slice_begin/slice_end) held; in deterministic mode there are none and
 * sm_step() runs a slice in the caller's thread.  Events (faults, completions,
 * exceptions) are queued and delivered by sm_poll_events() in the caller's
 * thread, never from a worker.
 *
 * Locks: the array's own mutex, a leaf: no callback is called with it held.
 */
#ifndef SM_H
#define SM_H

#include <stdbool.h>
#include <stdint.h>

#define SM_WARP 32
#define SM_CONST_BANKS 8	/* banks a QMD can bind */

enum sm_access { SM_READ, SM_WRITE, SM_ATOMIC, SM_FETCH };
enum sm_port { SM_PORT_TEX, SM_PORT_GCC };	/* data; instruction and constant fetch */

/* A translated page; @host may be NULL (use the read/write callbacks). */
struct sm_page {
	uint8_t *host;		/* of the page's first byte */
	uint64_t va;		/* of the page's first byte */
	uint64_t size;
	bool writable;		/* a write needs no new translation */
	bool atomic_ok;
	bool sysmem;		/* atomics are atomic against the GPU only */
	bool sparse;		/* reads 0, writes dropped */
	bool nocache;		/* don't keep it past this access */
};

#define SM_XLAT_OK 0xff		/* else an MMU fault type (hw/mmu.h) */

struct sm_ops {
	/* A worker's slice (100 us at most) begins/ends: translations live within. */
	void (*slice_begin)(void *priv);
	void (*slice_end)(void *priv);
	/* Return: SM_XLAT_OK or a fault type. @space is the grid's. */
	uint8_t (*translate)(void *priv, void *space, enum sm_port port, uint64_t va,
			     enum sm_access access, struct sm_page *out);
	/* Slow path for pages without a host pointer.  Return: 0 or -EFAULT. */
	int (*read)(void *priv, void *space, enum sm_port port, uint64_t va, void *buf, unsigned int len);
	int (*write)(void *priv, void *space, enum sm_port port, uint64_t va, const void *buf, unsigned int len);
	/* As write, of a store or reduction that may reach memory later.  NULL: write. */
	int (*post)(void *priv, void *space, enum sm_port port, uint64_t va, const void *buf, unsigned int len);
	/* What was posted reaches memory: MEMBAR.GL or .SYS.  NULL: nothing to do. */
	void (*membar)(void *priv, void *space);
	uint64_t (*now_ns)(void *priv);	/* for the clock registers */
};

struct sm_const_bank {
	bool valid;
	uint64_t va;
	uint32_t size;		/* bytes */
};

/* A launch, decoded from a QMD and the channel's compute state (hw/class_compute.c). */
struct sm_launch {
	void *space;			/* opaque to the SM: address space of the channel */
	uint64_t space_id;		/* what code is cached by: launches with the same one see the same code */
	uint64_t program_va;		/* code base + PROGRAM_OFFSET */
	uint64_t code_base;		/* JCAL and JMP targets are relative to it */
	uint32_t grid[3], block[3];
	uint32_t regs;			/* registers a thread */
	uint32_t shared_size;		/* bytes a CTA */
	uint32_t local_low, local_high, crs_size;	/* bytes a thread / a warp */
	uint32_t barriers;
	uint64_t local_va;		/* SET_SHADER_LOCAL_MEMORY base */
	uint64_t local_size_per_tpc;
	uint32_t local_window, shared_window;	/* bits 31:0 of the 16 MiB windows */
	struct sm_const_bank cb[SM_CONST_BANKS];
	bool ignore_oor;		/* accesses out of range read 0 and write nothing: not an exception */
	uint64_t timeout;		/* the watchdog: instructions that the warps of a CTA may issue, 0: no limit */
	void *cookie;			/* the caller's */
};

enum sm_event_type {
	SM_EVENT_FAULT,		/* a warp parked on a page */
	SM_EVENT_DONE,		/* grid completed, or ended after a kill */
	SM_EVENT_EXCEPTION,	/* MP exception: the warp stands still, its grid cannot complete */
};

/*
 * Warp errors: nouveau gf100_mp_warp_error[].  nvgpu's hw_gr_gm20b.h has bit n for error n in the report mask
 * (gr_gpcs_tpcs_sm_hww_warp_esr_report_mask_*_report_f()), which agrees.
 */
enum sm_warp_error {
	SM_ERR_NONE = 0x00,
	SM_ERR_STACK = 0x01,
	SM_ERR_API_STACK = 0x02,
	SM_ERR_RET_EMPTY_STACK = 0x03,
	SM_ERR_PC_WRAP = 0x04,
	SM_ERR_MISALIGNED_PC = 0x05,
	SM_ERR_PC_OVERFLOW = 0x06,
	SM_ERR_MISALIGNED_IMMC_ADDR = 0x07,
	SM_ERR_MISALIGNED_REG = 0x08,
	SM_ERR_ILLEGAL_INSTR_ENCODING = 0x09,
	SM_ERR_ILLEGAL_SPH_INSTR = 0x0a,
	SM_ERR_ILLEGAL_INSTR_PARAM = 0x0b,
	SM_ERR_INVALID_CONST_ADDR = 0x0c,
	SM_ERR_OOR_REG = 0x0d,
	SM_ERR_OOR_ADDR = 0x0e,
	SM_ERR_MISALIGNED_ADDR = 0x0f,
	SM_ERR_INVALID_ADDR_SPACE = 0x10,
	SM_ERR_INVALID_CONST_ADDR_LDC = 0x12,
};

/* Errors of an SM that are no warp's: nouveau gf100_mp_global_error[] */
#define SM_GLOBAL_TIMEOUT 0x80000000u

struct sm_event {
	enum sm_event_type type;
	uint64_t grid;			/* id that sm_launch() gave */
	void *cookie;
	/* FAULT */
	uint64_t va;
	enum sm_access access;
	enum sm_port port;
	uint8_t fault_type;
	uint8_t sm, tpc, gpc;
	/* EXCEPTION */
	uint8_t warp;			/* its slot on the SM */
	enum sm_warp_error error;
	uint64_t pc;
	uint64_t word;			/* the instruction */
	uint32_t global;		/* SM_GLOBAL_TIMEOUT: a CTA stands still, @error is SM_ERR_NONE */
};

/*
 * Callers of what follows are serialised by themselves (gpu->lock).  None but sm_reset(), sm_del() and, without workers,
 * sm_step() and sm_stalled() waits for a worker.
 */
struct sm_array;

/**
 * sm_new() - make an array of @nr SMs, idle.
 * @workers: host threads that run them; 0: deterministic, the caller runs sm_step().
 * Return: 0 or -ENOMEM.
 */
int sm_new(int nr, int workers, const struct sm_ops *ops, void *priv, struct sm_array **out);
void sm_del(struct sm_array **sm);

/* sm_launch() - queue a grid.  Its CTAs start in launch order.  Return: grid id (> 0), 0: no memory. */
uint64_t sm_launch(struct sm_array *sm, const struct sm_launch *l);
/* True when no grid is queued, running or parked and no event waits. */
bool sm_idle(struct sm_array *sm);
/* True when every live warp is parked on a fault: no progress without a replay. */
bool sm_stalled(struct sm_array *sm);

/* Retry every parked access (all grids).  Caller holds the gate exclusively or runs deterministic. */
void sm_replay(struct sm_array *sm);
/* Kill a grid: warps end at their next instruction; SM_EVENT_DONE follows. */
void sm_kill(struct sm_array *sm, uint64_t grid);
/* Stop everything at once, drop events: engine reset. */
void sm_reset(struct sm_array *sm);
/*
 * Drop the code that workers have read and decoded (INVALIDATE_SHADER_CACHES and friends).  What is launched after
 * this sees memory as it is now, what runs does from its next slice on.  Until then code that was written since it was
 * first executed may run as it was.
 */
void sm_invalidate_icache(struct sm_array *sm);

/* Run up to @instructions warp instructions in this thread (deterministic mode).  Return: executed. */
uint64_t sm_step(struct sm_array *sm, uint64_t instructions);
/* Take up to @n events.  Return: how many. */
int sm_poll_events(struct sm_array *sm, struct sm_event *ev, int n);
/* A callback that is called (from a worker) when an event was queued: it must only wake somebody. */
void sm_set_wake(struct sm_array *sm, void (*wake)(void *priv));

struct sm_stats { uint64_t warp_instructions, lane_instructions, faults, atomics; };
void sm_get_stats(struct sm_array *sm, struct sm_stats *out);

#endif
