/* SPDX-License-Identifier: MIT */
/*
 * The sanitizer: what a driver must never make the hardware do.  On by default.
 * Each finding has a name and a count, and its first occurrences are logged
 * with all that is known.  ledger/sanitizer.c.
 */
#ifndef SANITIZER_H
#define SANITIZER_H

#include "gpu.h"
#include "hw/mem.h"
#include "hw/mmu.h"

#define SANITIZER_FINDINGS(X)                                                                        \
	X(stale_translation, "use of a translation that a completed invalidate should have dropped") \
	X(watched_access, "access to a page that the driver has let go")                             \
	X(stale_write, "write let through by a stale entry after its PTE was made read-only")        \
	X(fault_storm, "the same fault raised more than 64 times with an unchanged translation")     \
	X(dma_outside, "DMA outside the memory that the host gave")                                  \
	X(dma_readonly, "DMA write to memory given read-only")                                       \
	X(iova_stale, "DMA through an IOVA of an older generation")                                  \
	X(iova_leak, "IOVA mappings left at unload")                                                 \
	X(vram_outside, "access beyond the end of VRAM")

enum san_id {
#define X(name, what) SAN_##name,
	SANITIZER_FINDINGS(X)
#undef X
	SAN_NR
};

int san_new(struct gpu *gpu, struct sanitizer **out);
void san_del(struct sanitizer **san);
void san_report(struct gpu *gpu, enum san_id id, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
uint64_t san_count(const struct gpu *gpu, enum san_id id);
const char *san_name(enum san_id id);
void san_reset(struct gpu *gpu);

/* Watches: by physical page of 4 KiB.  Context of san_watch(): gpu->lock and sm_gate exclusive. */
int san_watch(struct gpu *gpu, enum aperture ap, uint64_t addr, uint64_t len, bool on);
bool san_any_watch(const struct gpu *gpu);
/* Fast test for "is any watch armed", then the exact one.  Reports a hit when @report. */
bool san_watched(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, uint64_t len, bool write, bool report);
/* A replayable fault was raised: counts towards fault_storm unless the translation changed. */
void san_fault_raised(struct gpu *gpu, uint64_t inst, uint64_t va, enum mmu_access access, uint64_t pte);
/* A shader access was translated: its faults so far were of another translation.  Context: as mmu_translate(). */
void san_translated(struct gpu *gpu, uint64_t inst, uint64_t va, enum mmu_access access);

#endif
