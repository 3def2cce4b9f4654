/* SPDX-License-Identifier: MIT */
/*
 * One translation look-aside buffer: leaves of three sizes and the entries of
 * the page directories above them.  Private to hw/mmu.c and hw/tlb.c.
 */
#ifndef HW_TLB_H
#define HW_TLB_H

#include "hw/mmu.h"

/* Levels, counted from the leaves up */
enum mmu_level { LVL_PT, LVL_PD0, LVL_PD1, LVL_PD2, LVL_PD3, MMU_LEVELS };

/*
 * A root page directory as key: its address (4 KiB aligned), bit 1 when in
 * system memory, bit 0 always set.  The invalidate register knows video and
 * system memory alone (gv100 pri_mmu_hub, INVALIDATE_PDB_APERTURE).
 */
static inline uint64_t tlb_pdb_key(uint64_t pdb, enum aperture ap)
{
	return (pdb & ~0xfffull) | (ap == AP_VRAM ? 0 : 2) | 1;
}

struct tlb_leaf {
	uint64_t pdb;		/* key */
	uint64_t page;		/* VA >> shift */
	uint64_t pte;		/* as read */
	uint64_t addr;		/* of the page's first byte */
	uint64_t generation;	/* of the IOVA at fill time */
	uint64_t seq;		/* of the last invalidate before the fill */
	uint64_t checked;	/* likewise, before the last comparison with the tables */
	uint32_t dma_epoch;	/* of the last look at @generation */
	uint8_t ap, kind, shift;
	bool ro, vol, atomic_disable, sparse;
};

/* Entry of a page directory: what it says of the next level. */
struct tlb_pde {
	uint64_t pdb;		/* key; 0: free */
	uint64_t index;		/* VA >> shift of the level */
	uint64_t raw[2];	/* as read; [1] for PD0 only */
	uint64_t at;		/* physical address of the entry */
	uint8_t at_ap;
	uint64_t seq, checked;
};

struct tlb;

int tlb_new(uint64_t seed, struct tlb **out);
void tlb_del(struct tlb **t);
/* Power-on state.  Context: sm_gate exclusive, or no SM runs. */
void tlb_reset(struct tlb *t);

/*
 * tlb_find() - look a leaf up.
 * @suspect: set when the entry survived an invalidate of its address space that
 * did not reach this TLB (hub only), and wasn't compared with the tables since.
 * Context: sm_gate shared, or gpu->lock.  Takes no lock.
 */
bool tlb_find(struct tlb *t, uint64_t pdb, uint64_t va, struct tlb_leaf *out, bool *suspect);
/* Add a leaf, or replace the one of the same page.  Sets @l->seq.  Context: as tlb_find(). */
void tlb_add(struct tlb *t, const struct tlb_leaf *l);
/* The leaf was compared with the tables and its IOVA looked up, or @dma_epoch alone. */
void tlb_checked(struct tlb *t, const struct tlb_leaf *l);

bool tlb_find_pde(struct tlb *t, enum mmu_level lvl, uint64_t pdb, uint64_t index,
		  struct tlb_pde *out, bool *suspect);
void tlb_add_pde(struct tlb *t, enum mmu_level lvl, const struct tlb_pde *e);

/*
 * tlb_invalidate() - drop what @inv covers.
 * @va: NULL for all addresses.
 * Context: gpu->lock and sm_gate exclusive.
 */
void tlb_invalidate(struct tlb *t, const struct mmu_inval *inv, const uint64_t *va);
/* An invalidate passed by: entries of its address space are compared at their next use. */
void tlb_suspect(struct tlb *t, const struct mmu_inval *inv);

#endif
