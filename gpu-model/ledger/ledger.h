/* SPDX-License-Identifier: MIT */
/*
 * The ledger: what the hardware did, in counters.  ledger/ledger.c.
 * EXACT counters are the same for the same work on every machine, TIMING ones
 * depend on who was faster.  Relaxed atomics: SM workers count too.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "gpu.h"

/* X(name, kind, what it counts) */
#define LEDGER_COUNTERS(X)                                                               \
	X(mmio_read, TIMING, "BAR0 reads by the CPU")                                    \
	X(mmio_write, TIMING, "BAR0 writes by the CPU")                                  \
	X(pramin_read, TIMING, "reads through the PRAMIN window")                        \
	X(pramin_write, TIMING, "writes through the PRAMIN window")                      \
	X(bar1_read, TIMING, "BAR1 reads")                                               \
	X(bar1_write, TIMING, "BAR1 writes")                                             \
	X(bar2_read, TIMING, "BAR2 reads")                                               \
	X(bar2_write, TIMING, "BAR2 writes")                                             \
	X(msi, TIMING, "MSIs sent")                                                      \
	X(doorbell, EXACT, "GP_PUT writes to USERD")                                     \
	X(gpfifo_entry, EXACT, "GPFIFO entries fetched")                                 \
	X(method, EXACT, "methods processed by the PBDMAs")                              \
	X(semaphore_release, EXACT, "host and engine semaphores released")               \
	X(semaphore_acquire, EXACT, "host semaphore acquires that succeeded")            \
	X(nonstall_intr, EXACT, "non-stall interrupts asked for")                        \
	X(fault_replayable, TIMING, "entries written to the replayable fault buffer")    \
	X(fault_read, TIMING, "of these: reads")                                         \
	X(fault_write, TIMING, "of these: writes")                                       \
	X(fault_atomic, TIMING, "of these: atomics")                                     \
	X(fault_dropped, TIMING, "replayable faults dropped for want of room")           \
	X(fault_fatal, EXACT, "non-replayable faults")                                   \
	X(replay, TIMING, "replays started")                                             \
	X(replay_other_form, EXACT, "replays asked for otherwise than by 8000000b")      \
	X(cancel, EXACT, "faults cancelled")                                             \
	X(stores_after_invalidate, TIMING, "late stores whose translation had gone")     \
	X(inval_all, EXACT, "TLB invalidates of all address spaces")                     \
	X(inval_pdb, EXACT, "TLB invalidates of one address space")                      \
	X(inval_hub, EXACT, "of these: limited to the hub")                              \
	X(pte_read, TIMING, "PTEs read by walks")                                        \
	X(pde_read, TIMING, "PDEs read by walks")                                        \
	X(pte_write_4k, EXACT, "valid 4 KiB leaves written by the CPU")                  \
	X(pte_write_64k, EXACT, "valid 64 KiB leaves written by the CPU")                \
	X(pte_write_2m, EXACT, "valid 2 MiB leaves written by the CPU")                  \
	X(tlb_hit, TIMING, "translations served by a TLB")                               \
	X(tlb_miss, TIMING, "translations that walked")                                  \
	X(ce_launch, EXACT, "copy engine launches")                                      \
	X(ce_bytes_vram_to_sys, EXACT, "bytes copied from VRAM to system memory")        \
	X(ce_bytes_sys_to_vram, EXACT, "bytes copied from system memory to VRAM")        \
	X(ce_bytes_vram_to_vram, EXACT, "bytes copied within VRAM")                      \
	X(ce_bytes_sys_to_sys, EXACT, "bytes copied within system memory")               \
	X(ce_bytes_set, EXACT, "bytes written from remap constants")                     \
	X(ctx_switch, TIMING, "GR context switches")                                     \
	X(grid, EXACT, "grids launched")                                                 \
	X(cta, EXACT, "CTAs completed")                                                  \
	X(warp_instruction, EXACT, "warp instructions executed")                         \
	X(channel_reset, EXACT, "channels stopped by a fault or an exception")           \
	X(dma_map, TIMING, "DMA ranges mapped by the host")                              \
	X(dma_unmap, TIMING, "DMA ranges unmapped by the host")

enum ledger_id {
#define X(name, kind, what) LEDGER_##name,
	LEDGER_COUNTERS(X)
#undef X
	LEDGER_NR
};

struct ledger {
	uint64_t v[LEDGER_NR];
};

static inline void ledger_add(struct gpu *gpu, enum ledger_id id, uint64_t n)
{
	__atomic_fetch_add(&gpu->ledger->v[id], n, __ATOMIC_RELAXED);
}
#define LEDGER(gpu, name) ledger_add(gpu, LEDGER_##name, 1)
#define LEDGER_ADD(gpu, name, n) ledger_add(gpu, LEDGER_##name, n)

void ledger_reset(struct ledger *l);
uint64_t ledger_get(const struct ledger *l, enum ledger_id id);
const char *ledger_name(enum ledger_id id);
bool ledger_is_exact(enum ledger_id id);
/* Write {"exact": {...}, "timing": {...}, "sanitizer": {...}, "live": {...}} to @path ("-": stdout). */
int ledger_write_json(struct gpu *gpu, const char *path);

#endif
