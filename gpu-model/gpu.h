/* SPDX-License-Identifier: MIT */
/*
 * The GPU as a whole: configuration, the device lock, time and the engine
 * thread.  Every block of the model hangs off struct gpu.
 *
 * Threads
 *   transport   serves vfio-user messages (pci/vfio_user.c)
 *   engine      runs the autonomous engines, one bounded step at a time (gpu.c)
 *   SM workers  execute warps (sm/), none in deterministic mode
 *   control     answers control-socket commands (ledger/control.c)
 *
 * Locks, outer first
 *   gpu->lock     FIFO-fair mutex.  All device state but the one below.  Held for
 *                 100 microseconds at most at a time: an MMIO read waits for it.  Nobody
 *                 waits under it for what an SM worker holds, but resets and changes of
 *                 the DMA map; a copy's bytes are moved without it (gpu_defer()).
 *   gpu->sm_gate  rwlock.  SM workers hold it shared for one slice (100
 *                 microseconds at most), the engine thread while it moves memory; whoever takes a translation or a host
 *                 pointer away from them (TLB invalidate, DMA unmap, watch,
 *                 reset) takes it exclusively, inside gpu->lock.  An SM worker
 *                 never takes gpu->lock with the gate held.  A worker that the host
 *                 does not run keeps the gate, so MMIO does not wait for it: what a
 *                 write asks for and needs the gate is tried (gpu_gate_try()), and
 *                 done by the engine thread when it did not succeed.
 *   gpu->gate_m   a leaf: workers wait under it while the gate is wanted.
 */
#ifndef GPU_H
#define GPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1u << (n))
#define BIT64(n) (1ull << (n))
#define MiB (1ull << 20)
#define GiB (1ull << 30)

/* Field @hi..@lo of a 32-bit register value. */
static inline uint32_t field(uint32_t v, int hi, int lo)
{
	return (v >> lo) & (uint32_t)((1ull << (hi - lo + 1)) - 1);
}

enum gpu_chip { CHIP_GP100 = 0x130, CHIP_GP104 = 0x134 };

enum gpu_topology {
	/* GR and one copy engine on runlist 0, one runlist for each other copy engine */
	TOPOLOGY_REAL,
	/* everything on runlist 0, for a driver without the non-stall fix */
	TOPOLOGY_SINGLE,
};

/** struct gpu_config - what the command line says; never changes after start. */
struct gpu_config {
	enum gpu_chip chip;
	uint64_t vram_size;		/* bytes, 256 MiB to 8 GiB */
	int sms;			/* streaming multiprocessors, truthfully reported */
	int copy_engines;		/* logical copy engines, >= 1 (real topology: >= 2) */
	enum gpu_topology topology;
	uint64_t seed;			/* of every pseudo-random choice of the model */
	bool late_invalidate;		/* TLB invalidates may complete late, by @seed */
	bool deterministic;		/* SM slices run inside the engine thread */
	const char *socket_path;	/* vfio-user */
	const char *control_path;	/* JSON lines */
	const char *ledger_path;	/* written at exit, or NULL */
	const char *trace_path;		/* record host events here, or NULL */
	const char *replay_path;	/* replay this trace, no transport, or NULL */
	bool once;			/* exit when the first client leaves */
	bool bind_log;			/* name each undescribed register that software touches */
	int verbose;
};

/* FIFO-fair mutex: the engine thread takes it again and again, MMIO must get its turn. */
struct fair_lock {
	pthread_mutex_t m;
	pthread_cond_t c;
	uint64_t next, serving;
	pthread_t owner;
	bool held;
};

void fair_lock_init(struct fair_lock *l);
void fair_lock(struct fair_lock *l);
void fair_unlock(struct fair_lock *l);
/* True when another thread waits: a long step should end. */
bool fair_lock_contended(struct fair_lock *l);

struct ledger;
struct sanitizer;
struct inject;
struct trace;
struct dma;
struct pci_dev;
struct hw_state;
struct hw_units;
struct mmu;
struct fault_unit;
struct late;
struct fifo;
struct gr;
struct sm_array;

struct gpu {
	struct gpu_config cfg;
	struct fair_lock lock;
	pthread_rwlock_t sm_gate;
	pthread_mutex_t gate_m;
	pthread_cond_t gate_c;
	bool gate_wanted;		/* no slice begins.  Atomic; changes under @gate_m */

	/* VRAM: a sparse memfd, mapped once, read and written with plain accesses */
	uint8_t *vram;
	uint64_t vram_size;

	/* GPU time in ns as of the current engine step or host event (see gpu_now()) */
	uint64_t now_ns;
	/* engine steps executed so far; host events in a trace are placed by it */
	uint64_t step;

	struct ledger *ledger;
	struct sanitizer *san;
	struct inject *inject;
	struct trace *trace;		/* NULL: neither recording nor replaying */
	struct dma *dma;
	struct pci_dev *pci;
	struct hw_state *hw;		/* register storage and block table: hw/block.c */
	struct hw_units *units;		/* PMC, PTIMER, BARs, falcons: hw/units.h */
	struct mmu *mmu;
	struct fault_unit *fault;
	struct late *late;
	struct fifo *fifo;
	struct gr *gr;
	struct sm_array *sm;

	/* earliest time at which a block wants a step though idle; see gpu_wake_at() */
	uint64_t wake_ns;
	/* result of the last engine step; STEP_IDLE at start.  Under @lock */
	int last_step;
	/* see gpu_defer(); under @lock */
	struct gpu_work *deferred, **deferred_tail;
	bool deferred_runs;		/* some may: from the end of a step until the next, or until sm_gate is had exclusively */
	struct gpu_thread *thread;	/* engine thread, private to gpu.c */
	int vram_fd;
	uint64_t clock_base;
};

/**
 * gpu_new() - make a GPU in its power-on state, with no host attached.
 * @cfg: copied.
 * @out: the GPU; free it with gpu_del().
 *
 * Return: 0, -ENOMEM, or -EINVAL for a configuration that no board has (the reason is on stderr).
 */
int gpu_new(const struct gpu_config *cfg, struct gpu **out);
void gpu_del(struct gpu **gpu);

/** gpu_config_default() - Tesla P4: GP104, 1 GiB of VRAM, one SM a host core. */
void gpu_config_default(struct gpu_config *cfg);

/**
 * gpu_reset() - power loss: VRAM, registers, TLB and engines back to power-on.
 * Called for vfio-user's DEVICE_RESET, function level reset and D3hot.
 * Context: takes gpu->lock and gpu->sm_gate.
 */
void gpu_reset(struct gpu *gpu);

/** gpu_start() - start the engine thread and the SM workers. */
int gpu_start(struct gpu *gpu);
void gpu_stop(struct gpu *gpu);

/** gpu_kick() - something was made runnable: wake the engine thread.  Any context. */
void gpu_kick(struct gpu *gpu);

/**
 * gpu_now() - GPU time in ns (PTIMER without the host's offset).
 * Monotonic; equal to gpu->now_ns within one step, refreshed by gpu_time_refresh().
 */
static inline uint64_t gpu_now(const struct gpu *gpu)
{
	return gpu->now_ns;
}
/* Refresh gpu->now_ns from the clock (not while a trace is recorded or replayed).  gpu->lock held. */
void gpu_time_refresh(struct gpu *gpu);

/* Take gpu->lock and refresh the time: how a host event (one that a trace records) begins. */
void gpu_lock(struct gpu *gpu);
void gpu_unlock(struct gpu *gpu);

/**
 * gpu_wake_at() - ask for an engine step at time @ns although nothing else is to do.
 * To be called again in each step while it is wanted.  Context: gpu->lock held.
 */
static inline void gpu_wake_at(struct gpu *gpu, uint64_t ns)
{
	if (ns < gpu->wake_ns)
		gpu->wake_ns = ns;
}

/* True when no engine has work and no grid is queued, running or parked.  gpu->lock held. */
bool gpu_idle(struct gpu *gpu);

/**
 * gpu_gate_try() - take sm_gate exclusively if no slice runs.
 * Return: false when one does; none begins from then on, the end of the last one kicks the engine thread, and the
 * caller tries again in a step, until gpu_gate_release().
 * Context: gpu->lock held.
 */
bool gpu_gate_try(struct gpu *gpu);
/* Take sm_gate exclusively, and wait for what runs: resets and changes of the DMA map.  Context: gpu->lock held. */
void gpu_gate_wait(struct gpu *gpu);
/* Let go of the gate, or of the wish for it.  @held: gpu_gate_try() succeeded. */
void gpu_gate_release(struct gpu *gpu, bool held);
/* A worker's slice: the gate, shared. */
void gpu_gate_enter(struct gpu *gpu);
void gpu_gate_leave(struct gpu *gpu);

/* What one step of an engine came to. */
enum step_result {
	STEP_IDLE,	/* nothing to do until somebody kicks */
	STEP_POLL,	/* waits for memory or time: try again in a while (50 us to 1 ms) */
	STEP_BUSY,	/* did work, has more */
};

/* The part of a step that moves memory and looks at nothing of the device. */
struct gpu_work {
	struct gpu_work *next;
	void (*run)(struct gpu_work *w);
};

/**
 * gpu_defer() - have the engine thread run @w after this step, with gpu->lock released.
 * It holds sm_gate shared meanwhile: host pointers stay good, and an invalidate that the memory's translation falls
 * under does not complete.  No step begins before the end.  To take memory away by other means, gpu_deferred_wait().
 * Context: gpu->lock held, in a step.
 */
void gpu_defer(struct gpu *gpu, struct gpu_work *w);
/* Wait for what runs.  Context: gpu->lock held; sm_gate exclusively or not at all. */
void gpu_deferred_wait(struct gpu *gpu);

/**
 * gpu_engine_step() - run one bounded step of every engine that has work.
 * The engine thread's body; unit tests call it directly (deterministic mode).
 * Context: gpu->lock held; each step stays below 100 microseconds.
 */
enum step_result gpu_engine_step(struct gpu *gpu);

/* Run steps until STEP_IDLE or @max steps.  For unit tests and replay. */
enum step_result gpu_run(struct gpu *gpu, uint64_t max);

/* Log to stderr with a prefix; level 0 always, 1 with -v, 2 with -vv. */
void gpu_log(const struct gpu *gpu, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
