/* SPDX-License-Identifier: MIT */
/*
 * GPU MMU: page directories of five levels ("version 2"), TLBs, invalidation.
 * hw/mmu.c walks, hw/tlb.c caches, hw/fault.c reports.
 * Format: NVIDIA open-gpu-doc, pascal/gp100-mmu-format.pdf.
 */
#ifndef HW_MMU_H
#define HW_MMU_H

#include "gpu.h"
#include "hw/mem.h"

/* Fault entry's access field: values that nouveau's and gv100's fault buffer use */
enum mmu_access { MMU_READ = 0, MMU_WRITE = 1, MMU_ATOMIC = 2, MMU_PREFETCH = 3 };

/* Fault types: NVIDIA dev_fault; nouveau gp100_fault_reason[] */
enum mmu_fault_type {
	MMU_FAULT_PDE = 0x00,
	MMU_FAULT_PDE_SIZE = 0x01,
	MMU_FAULT_PTE = 0x02,
	MMU_FAULT_LIMIT = 0x03,
	MMU_FAULT_UNBOUND_INST = 0x04,
	MMU_FAULT_PRIV = 0x05,
	MMU_FAULT_RO = 0x06,
	MMU_FAULT_WO = 0x07,
	MMU_FAULT_PITCH_MASK = 0x08,
	MMU_FAULT_WORK_CREATION = 0x09,
	MMU_FAULT_UNSUPPORTED_APERTURE = 0x0a,
	MMU_FAULT_COMPRESSION = 0x0b,
	MMU_FAULT_KIND = 0x0c,
	MMU_FAULT_REGION = 0x0d,
	MMU_FAULT_POISON = 0x0e,
	MMU_FAULT_ATOMIC = 0x0f,
	MMU_OK = 0xff,
};

/* Which TLB a client looks into: invalidates can be limited to the hub. */
enum tlb_id { TLB_HUB, TLB_GPC };

/* The address space of an instance block, as read at bind or channel load. */
struct mmu_space {
	uint64_t inst;		/* instance block, byte address in VRAM or sysmem */
	enum aperture inst_ap;
	uint64_t pdb;		/* root page directory, byte address */
	enum aperture pdb_ap;
	bool replay_tex, replay_gcc;
	bool big_64k;
	uint64_t limit;		/* last valid address */
};

/* Read fields 200..20c of the instance block.  Return: 0 or -EFAULT. */
int mmu_space_load(struct gpu *gpu, enum aperture ap, uint64_t inst, struct mmu_space *out);

struct mmu_xlat {
	enum aperture ap;
	uint64_t addr;		/* physical byte address of the VA asked for */
	uint64_t left;		/* bytes from there to the end of the translated page */
	uint64_t page_va;	/* VA of the page's first byte */
	uint8_t page_shift;	/* 12, 16, 21 */
	uint8_t kind;
	bool ro, vol, atomic_disable;
	bool sparse;		/* reads return 0, writes are dropped, no address */
	bool nocache;		/* watched: ask again for each access */
	uint64_t generation;	/* of the IOVA at fill time (sanitizer) */
};

/**
 * mmu_translate() - translate through the TLB, walking the tables on a miss.
 * @tlb: TLB_HUB for host, CE, FE; TLB_GPC for SM clients.
 * @access: checked against read-only and atomic-disable.
 *
 * Valid translations are cached at all levels, invalid ones never; an entry stays, stale, until
 * an invalidate that covers it completes.
 *
 * Return: MMU_OK, or the fault type; nothing is reported to software here.
 * Context: gpu->lock held, or gpu->sm_gate shared (TLB_GPC only; internally locked).
 */
enum mmu_fault_type mmu_translate(struct gpu *gpu, const struct mmu_space *sp, enum tlb_id tlb,
				  enum mem_client c, uint64_t va, enum mmu_access access,
				  struct mmu_xlat *out);

/**
 * mmu_translate_run() - translate @len bytes from @va on, in pieces.
 * @len: bytes that the client accesses now, at least 1.
 * @out: @max pieces; pages that follow each other in physical memory are one piece, and
 *	mmu_xlat.left is the length of the piece (page_va and what is beside it: of its first page).
 * @nr: pieces filled.  Translation ends before the first page that does not translate.
 *
 * As mmu_translate() page by page, but a table's entries are read in a row.
 *
 * Return: MMU_OK when there is a piece, else the fault type of the page at @va.
 */
enum mmu_fault_type mmu_translate_run(struct gpu *gpu, const struct mmu_space *sp, enum tlb_id tlb,
				      enum mem_client c, uint64_t va, uint64_t len, enum mmu_access access,
				      struct mmu_xlat *out, unsigned int max, unsigned int *nr);

/*
 * Read or write virtual memory for a hub client, page by page.
 * Return: MMU_OK or the fault type with *@fault_va set; bytes before that were transferred.
 */
enum mmu_fault_type mmu_read(struct gpu *gpu, const struct mmu_space *sp, enum tlb_id tlb,
			     enum mem_client c, uint64_t va, void *buf, size_t len, uint64_t *fault_va);
enum mmu_fault_type mmu_write(struct gpu *gpu, const struct mmu_space *sp, enum tlb_id tlb,
			      enum mem_client c, uint64_t va, const void *buf, size_t len, uint64_t *fault_va);

/**
 * mmu_cpu_wrote() - the CPU wrote VRAM, through BAR1, BAR2 or PRAMIN.
 * @vram_addr: byte address in VRAM, @len: bytes, 1 to 8 (more is fine).
 *
 * Counts the valid leaves that land in page tables of channels (ledger: pte_write_*).
 * hw/bar.c calls it once for each CPU write that went to VRAM, after the bytes have changed.
 * Context: gpu->lock held.
 */
void mmu_cpu_wrote(struct gpu *gpu, uint64_t vram_addr, size_t len);

/*
 * Walk the page tables as they are now, without TLB, counters or reports.
 * @pte: the entry that decided (may be NULL).
 * Return: as mmu_translate().
 */
enum mmu_fault_type mmu_peek(struct gpu *gpu, const struct mmu_space *sp, uint64_t va,
			     enum mmu_access access, struct mmu_xlat *out, uint64_t *pte);

/* What an invalidate drops; levels count from the leaves: 0 PTEs, 1 up to PD0, ... 4 up to PD3. */
struct mmu_inval {
	bool all_pdb;
	uint64_t pdb;
	enum aperture pdb_ap;
	bool hub_only;
	uint8_t level;
};

/**
 * mmu_host_invalidate() - MEM_OP_D with MMU_TLB_INVALIDATE or MMU_TLB_INVALIDATE_TARGETED.
 * @mem_op: operands A to D.
 * @number: set to what mmu_host_done() is asked with.
 * Return: false for a form that no public source describes.
 * Context: gpu->lock held, sm_gate not.
 */
bool mmu_host_invalidate(struct gpu *gpu, const uint32_t mem_op[4], uint64_t *number);
/* Has it completed? */
bool mmu_host_done(struct gpu *gpu, uint64_t number);

/*
 * Called by hw/dma.c with gpu->lock and sm_gate exclusive when the DMA map
 * changes: host pointers that a TLB keeps are dropped, translations stay.
 */
void mmu_dma_changed(struct gpu *gpu);

struct hw_block;
extern const struct hw_block hw_mmu;	/* 100c80, 100cb4..100cbc, 100ce8, 100cec */

#endif
