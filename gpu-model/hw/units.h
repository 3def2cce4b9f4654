/* SPDX-License-Identifier: MIT */
/*
 * State of the units around the engines: master control, timer, BAR windows,
 * VBIOS, frame buffer, falcons.  hw/pmc.c makes it (first in the table of
 * blocks) and frees it; each part belongs to the file named beside it.
 */
#ifndef HW_UNITS_H
#define HW_UNITS_H

#include "gpu.h"
#include "hw/block.h"
#include "hw/falcon.h"
#include "hw/fifo.h"
#include "hw/mmu.h"

/* More logical copy engines than this no Pascal chip has: nouveau's chip table, .ce of GP100 */
#define PTOP_MAX_CE 6

/* hw/pmc.c */
struct pmc {
	uint32_t pending[2], enable[2];
};

/* hw/ptimer.c */
struct ptimer {
	int64_t offset; /* PTIMER minus GPU time, ns: software sets the time */
	uint32_t set_hi; /* TIME_1, waiting for TIME_0 */
	uint64_t alarm_at; /* GPU time of the next alarm, 0: none armed */
};

/* hw/bar.c */
struct bar_window {
	bool enabled; /* translated; otherwise physical VRAM */
	struct mmu_space space;
};

/* hw/acr.c */
struct wpr {
	uint64_t start, end; /* write-protected region in VRAM, set up by the ACR firmware */
};

struct hw_units {
	struct pmc pmc;
	struct ptimer ptimer;
	struct bar_window bar1, bar2;
	struct wpr wpr;
	uint8_t *vbios;
	size_t vbios_size;
	struct falcon pmu, sec2, fecs, gpccs;
	struct engine engines[1 + PTOP_MAX_CE];
	size_t nr_engines;
};

/* Writes of 001704 and 001714 (hw/pbus.c owns the registers, hw/bar.c the windows). */
void bar_bind(struct gpu *gpu, struct bar_window *bar, uint32_t val);

/* Is the unit behind bit @bit of PMC's enable register out of reset? */
bool pmc_enabled(const struct gpu *gpu, unsigned int bit);

/* PMC reset bits that PTOP does not tell of: nouveau gk104_mc_reset[] and GP104's PTOP */
enum {
	PMC_RESET_FIFO = 8,
	PMC_RESET_GR = 12,
	PMC_RESET_PMU = 13,
	PMC_RESET_SEC2 = 14,
};

/* The board's devinit script has run (hw/pmu.c); false from power-on until then. */
void fuse_devinit_done(struct gpu *gpu);

#endif
