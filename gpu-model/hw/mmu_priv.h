/* SPDX-License-Identifier: MIT */
/* Shared by hw/mmu.c (walks, registers) and hw/mmu_count.c (page-table writes). */
#ifndef HW_MMU_PRIV_H
#define HW_MMU_PRIV_H

#include "hw/mmu.h"
#include "hw/tlb.h"

/* Entry fields of the five-level format: gp100-mmu-format.pdf */
#define PTE_VALID BIT64(0)
#define PTE_VOL BIT64(3)
#define PTE_PRIV BIT64(5)	/* in an invalid 64 KiB PTE: no small pages here */
#define PTE_RO BIT64(6)
#define PTE_ATOMIC_DISABLE BIT64(7)
#define PDE_VOL BIT64(3)

static inline unsigned int entry_ap(uint64_t e)
{
	return (e >> 1) & 3;
}

/* Where a directory entry's table is.  PA[57:12] at bits 53:8; PA[57:8] at 53:4 for PD0's big half. */
static inline uint64_t pde_addr(uint64_t e, bool big)
{
	return (e & (big ? 0x003ffffffffffff0ull : 0x003fffffffffff00ull)) << 4;
}

/* PDE apertures: 0 invalid, 1 video memory, else as in a PTE. */
static inline enum aperture pde_ap(uint64_t e)
{
	return entry_ap(e) == 1 ? AP_VRAM : (enum aperture)entry_ap(e);
}

struct mmu_count;
int mmu_count_new(struct gpu *gpu, struct mmu_count **out);
void mmu_count_del(struct mmu_count **c);
void mmu_count_reset(struct mmu_count *c);
/* A channel's instance block in VRAM: count the leaves of its address space from now on. */
void mmu_count_space(struct gpu *gpu, struct mmu_count *c, uint64_t inst);
void mmu_count_wrote(struct gpu *gpu, struct mmu_count *c, uint64_t addr, size_t len);

#define MMU_QUEUE 256	/* requests; 100c80 shows up to 255 free slots in 8 bits */

struct mmu_request {
	struct mmu_inval inv;
	bool all_va;
	uint64_t va;
	uint8_t replay;
	bool usual;		/* what nouveau writes for a replay, 0x8000000b */
	bool membar;		/* wait for what was translated before */
	bool hub;
	uint8_t gpc, client;
	uint64_t due;		/* engine step */
	uint64_t number;	/* in the order of arrival, from 1 on */
};

struct mmu {
	struct tlb *tlb[2];
	struct mmu_count *count;
	struct mmu_request queue[MMU_QUEUE];
	unsigned int head, queued;
	uint64_t taken, completed;	/* requests, by number */
	uint64_t rng;		/* of late completion */
	uint32_t dma_epoch;	/* raised by each change of the DMA map */
	uint64_t half_cleared;	/* accesses to PTEs that are sparse by V=0 and VOL=1 but hold an address */
	uint64_t not_modelled;	/* requests refused for that */
	uint32_t told;		/* "not modelled" lines already given, by number */
};

#endif
