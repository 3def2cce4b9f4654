// SPDX-License-Identifier: MIT
/*
 * Page-frame operations on client-managed address spaces.
 */

/**
 * DOC: PFN operations of RAW address spaces
 *
 * A client that mirrors a CPU address space writes leaf entries itself, from
 * addresses that are already mapped for DMA, and clears them from an MMU
 * notifier. Reclaim may be the caller there, so nothing on that way may
 * allocate memory or wait for somebody who does.
 *
 * What this file owns: the encoding of a leaf, and the lookup of the page table
 * that holds it. It owns no memory. Page tables exist and stay mapped for the
 * CPU between the client's RAW GET and RAW PUT of the same addresses and page
 * size (see nvkm_vmm_pfn_pin()), and the client promises to map and clear in
 * between only.
 *
 * Lock order, outermost first: &nvkm_vmm.mutex.ref (GET and PUT, allocates),
 * or &nvkm_vmm.mutex.map (map and clear, never allocates); nvkm_mmu.mutex
 * (TLB). The map mutex of these address spaces has a lock class of its own,
 * because other users of RAW address spaces do allocate under theirs.
 *
 * Leaves exist of 4 KiB, 64 KiB and 2 MiB. A slot of the lowest page directory is
 * either a 2 MiB leaf or points to a table of 4 KiB leaves, one of 64 KiB leaves, or
 * both: the client clears the leaves and puts the references of the former before it
 * gets those of the latter, and the other way round. Where both tables are, a valid
 * 64 KiB leaf counts, and an invalid one leads to those of 4 KiB; but GET and PUT of
 * 4 KiB leaves write 64 KiB leaves that are in the way of them, so the client clears
 * leaves of 64 KiB before it gets, or puts, small ones at the same addresses.
 */
#include "vmm.h"

#include <linux/sched/mm.h>

static struct lock_class_key nvkm_vmm_pfn_map_key;

/**
 * nvkm_vmm_pfn_init() - Prepare an address space for PFN operations
 * @vmm: the address space, without page tables so far
 *
 * From now on page tables are kept mapped for the CPU. Tells lockdep at once
 * what a notifier will take under reclaim, so that it need not meet reclaim.
 */
void
nvkm_vmm_pfn_init(struct nvkm_vmm *vmm)
{
	vmm->managed.pin = true;
	lockdep_set_class(&vmm->mutex.map, &nvkm_vmm_pfn_map_key);

	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&vmm->mutex.map);
	might_lock(&vmm->mmu->mutex);
	fs_reclaim_release(GFP_KERNEL);
}

static const struct nvkm_vmm_page *
nvkm_vmm_pfn_page(struct nvkm_vmm *vmm, u8 shift)
{
	const struct nvkm_vmm_page *page;

	for (page = vmm->func->page; page->shift; page++) {
		const struct nvkm_vmm_desc *desc = page->desc;

		/* 64 KiB leaves are encoded like those that PFNMAP knows. */
		if (page->shift == shift && (desc->func->pfn || desc->type == LPT))
			return page;
	}

	return NULL;
}

/* Find the table that holds the leaf of @addr, without touching the tree. */
static struct nvkm_mmu_pt *
nvkm_vmm_pfn_pt(struct nvkm_vmm *vmm, const struct nvkm_vmm_page *page, u64 addr)
{
	const struct nvkm_vmm_desc *desc = page->desc;
	struct nvkm_vmm_pt *pgt = vmm->pd;
	int shift = page->shift, lvl;

	for (lvl = 0; desc[lvl].bits; lvl++)
		shift += desc[lvl].bits;

	while (--lvl) {
		u32 pdei;

		shift -= desc[lvl].bits;
		pdei = (addr >> shift) & ((1 << desc[lvl].bits) - 1);
		pgt = pgt->pde[pdei];
		if (NVKM_VMM_PDE_INVALID(pgt))
			return NULL;
	}

	return pgt->pt[desc->type == SPT];
}

/* NV_MMU_VER2_PTE, see open-gpu-doc's manuals/pascal/gp100-mmu-format.pdf. */
static u64
nvkm_vmm_pfn_pte(u64 pfn)
{
	u64 data = (pfn & NVKM_VMM_PFN_ADDR) >> 4;

	if (!(pfn & NVKM_VMM_PFN_V))
		return 0;

	data |= BIT_ULL(0); /* VALID */
	if (!(pfn & NVKM_VMM_PFN_VRAM)) {
		data |= 2ULL << 1; /* APERTURE_SYSTEM_COHERENT_MEMORY */
		data |= BIT_ULL(3); /* VOL */
	}
	if (!(pfn & NVKM_VMM_PFN_W))
		data |= BIT_ULL(6); /* READ_ONLY */
	if (!(pfn & NVKM_VMM_PFN_A))
		data |= BIT_ULL(7); /* ATOMIC_DISABLE */

	return data;
}

/*
 * A leaf is written as two words, of which the lower one makes it valid, and the GPU
 * looks at it at any moment. So the upper ones are there before: those that are not 0,
 * of addresses above 64 GiB.
 */
static void
nvkm_vmm_pfn_upper(struct nvkm_vmm *vmm, struct nvkm_mmu_pt *pt,
		   const struct nvkm_vmm_desc *desc, u32 ptei, u32 ptes, const u64 *pfn)
{
	bool any = false;

	for (; ptes; ptes--, ptei++, pfn++) {
		u32 upper = upper_32_bits(nvkm_vmm_pfn_pte(*pfn));

		if (upper) {
			VMM_WO032(pt, vmm, ptei * desc->size + 4, upper);
			any = true;
		}
	}

	if (any) {
		/* Pairs with the walk of page tables by the GPU. */
		wmb();
	}
}

/* Write @nr leaves from @addr, invalid ones if there is no @pfn. */
static int
nvkm_vmm_pfn_write(struct nvkm_vmm *vmm, u8 shift, u64 addr, u64 nr, const u64 *pfn)
{
	const struct nvkm_vmm_page *page = nvkm_vmm_pfn_page(vmm, shift);
	const struct nvkm_vmm_desc *desc;
	u64 limit;

	if (!page || !IS_ALIGNED(addr, 1ULL << shift) ||
	    check_add_overflow(addr, nr << shift, &limit) || limit > vmm->limit)
		return -EINVAL;
	desc = page->desc;

	lockdep_assert_held(&vmm->mutex.map);
	while (nr) {
		struct nvkm_mmu_pt *pt = nvkm_vmm_pfn_pt(vmm, page, addr);
		u32 pten = 1 << desc->bits;
		u32 ptei = (addr >> shift) & (pten - 1);
		u32 ptes = min_t(u64, nr, pten - ptei);

		if (WARN_ON_ONCE(!pt))
			return -ENOENT;

		nr -= ptes;
		addr += (u64)ptes << shift;

		/* Mapped since RAW GET: takes a reference and nothing else. */
		nvkm_kmap(pt->memory);
		if (pfn)
			nvkm_vmm_pfn_upper(vmm, pt, desc, ptei, ptes, pfn);
		for (; ptes; ptes--, ptei++) {
			u64 data = pfn ? nvkm_vmm_pfn_pte(*pfn++) : 0;

			VMM_WO064(pt, vmm, ptei * desc->size, data);
		}
		nvkm_done(pt->memory);
	}

	return 0;
}

/**
 * nvkm_vmm_raw_pfn_map() - Write leaf entries
 * @vmm: the address space
 * @shift: log2 of the size of a leaf, 12, 16 or 21
 * @addr: GPU virtual address of the first leaf
 * @pfn: one word a leaf: NVKM_VMM_PFN_*, the address mapped for DMA or in VRAM
 * @nr: number of leaves
 * @flush: invalidate the TLB, needed if any of them was valid before
 *
 * The caller holds RAW GET references of the same addresses and @shift.
 *
 * Return: 0, -EINVAL if the hardware has no such leaf, -ENOENT if the caller has
 * no reference.
 */
int
nvkm_vmm_raw_pfn_map(struct nvkm_vmm *vmm, u8 shift, u64 addr, const u64 *pfn,
		     u64 nr, bool flush)
{
	int ret;

	mutex_lock(&vmm->mutex.map);
	ret = nvkm_vmm_pfn_write(vmm, shift, addr, nr, pfn);
	if (!ret && flush)
		vmm->func->flush(vmm, 0);
	mutex_unlock(&vmm->mutex.map);
	return ret;
}

/**
 * nvkm_vmm_raw_pfn_clear() - Make leaf entries invalid
 * @vmm: the address space
 * @shift: log2 of the size of a leaf, 12, 16 or 21
 * @addr: GPU virtual address of the first leaf
 * @size: bytes; with 0 only the TLB is looked at
 * @flush: invalidate the TLB
 *
 * Safe in a notifier: neither allocates nor waits for anything but the TLB.
 * The memory behind the leaves may be given up after a call with @flush only.
 *
 * Return: 0, -EINVAL or -ENOENT as nvkm_vmm_raw_pfn_map().
 */
int
nvkm_vmm_raw_pfn_clear(struct nvkm_vmm *vmm, u8 shift, u64 addr, u64 size, bool flush)
{
	int ret = 0;

	mutex_lock(&vmm->mutex.map);
	if (size)
		ret = nvkm_vmm_pfn_write(vmm, shift, addr, size >> shift, NULL);
	if (flush)
		vmm->func->flush(vmm, 0);
	mutex_unlock(&vmm->mutex.map);
	return ret;
}
