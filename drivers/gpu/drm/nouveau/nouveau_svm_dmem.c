// SPDX-License-Identifier: MIT

/**
 * DOC: Device memory
 *
 * All VRAM of a device stands behind one device-private pagemap: the page that
 * lies at an offset in the pagemap is the page of VRAM at that offset. VRAM is
 * taken in blocks of 2 MiB, 64 KiB or 4 KiB, naturally aligned, each an ordinary
 * buffer of TTM, which accounts it and may evict it for anybody who needs VRAM.
 *
 * What this file owns: the pagemap, the blocks, and all movement of pages. Who
 * holds which reference:
 *
 * - Each device page holds its &struct drm_pagemap_zdd, which holds the block
 *   (&struct nouveau_svm_devmem) and the &struct drm_pagemap, which holds the
 *   &struct drm_device and the module. A block thus lives until the last of its
 *   pages is freed.
 * - A block holds its buffer object, its mm_struct (without its users), the
 *   &struct drm_pagemap, since who evicts it may hold none of its pages, the
 *   &struct drm_device, with which TTM stays, and one count of runtime power.
 * - Each address space holds the &struct drm_pagemap. When nobody does any more,
 *   it is handed to drm_pagemap's shrinker. While the device goes, so does what the
 *   device manages.
 *
 * Pages may outlive the device. So nothing that is reached from a page follows a
 * pointer to the device outside of drm_dev_enter().
 *
 * Lock order: mmap_lock, then the reservation of the block's buffer, then folio
 * locks, then the copy engine's. migrate_to_ram takes no lock of this file.
 * Eviction goes by physical pages and takes neither mmap_lock nor a lock of an
 * address space; it only tries for mmap_lock, of whoever maps it, to split a huge
 * page that RAM has no place for. Who makes room for a block holds none of them:
 * buffers are not moved before the work that uses them is over, and that may wait
 * for a page.
 *
 * Failure: a copy that fails leaves the pages where they are. On the way to VRAM
 * the block is given back and the range mapped in place; on the way back the CPU
 * gets SIGBUS for that access, and a later one may succeed. Memory that runs
 * short is not a copy that fails: that is tried again, and then is
 * VM_FAULT_OOM. Nor is a channel that is being replaced: the access comes again,
 * without mmap_lock in between, until there is one. Each page of a block is
 * copied to or cleared before it is anybody's.
 */
#include "nouveau_svm_ce.h"
#include "nouveau_svm_core.h"
#include "nouveau_svm_dmem.h"
#include "nouveau_svm_trace.h"
#include "nouveau_bo.h"
#include "nouveau_drv.h"
#include "nouveau_mem.h"

#include <linux/cpu.h>
#include <linux/dma-mapping.h>
#include <linux/memcontrol.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/pm_runtime.h>
#include <linux/sched/mm.h>
#include <linux/userfaultfd_k.h>

#include <drm/drm_drv.h>
#include <drm/drm_pagemap_util.h>
#include <drm/ttm/ttm_bo.h>

#include <nvif/if900d.h>

#include <subdev/fb.h>

/*
 * mm frees a huge page that is on its way from VRAM when the memory that it belongs to is
 * unmapped, by another process that shares it for instance: zap_huge_pmd() takes what stands
 * for it meanwhile for a mapping of it. Small pages it treats right.
 */
MODULE_PARM_DESC(svm_huge_pages,
		 "Keep huge pages whole in VRAM; N for kernels whose zap_huge_pmd() is not mended (default: Y)");
static bool nouveau_svm_huge_pages = true;
module_param_named(svm_huge_pages, nouveau_svm_huge_pages, bool, 0644);

/*
 * Pages of processes that are looked at to find out who has a block: eight mappings of a
 * whole one. To look takes some microseconds, and who wants a buffer may meet many blocks.
 */
#define NOUVEAU_SVM_SPLIT_LOOKS	4096

/* VRAM that SVM leaves free at most. */
#define NOUVEAU_SVM_RESERVE_MAX	SZ_4M

static DRM_PAGEMAP_OWNER_LIST_DEFINE(nouveau_svm_owner_list);

/* Frees what must not be freed where it is found. Pages may outlive their device. */
static struct workqueue_struct *nouveau_svm_dmem_wq;

/**
 * nouveau_svm_module_init() - The module comes
 *
 * Return: 0 or -ENOMEM.
 */
int
nouveau_svm_module_init(void)
{
	nouveau_svm_dmem_wq = alloc_workqueue("nouveau_svm_dmem", WQ_UNBOUND, 0);
	return nouveau_svm_dmem_wq ? 0 : -ENOMEM;
}

/**
 * nouveau_svm_module_exit() - The module goes, after all devices and pages
 */
void
nouveau_svm_module_exit(void)
{
	destroy_workqueue(nouveau_svm_dmem_wq);
}

/**
 * struct nouveau_svm_pagemap - The device pages of one device
 */
struct nouveau_svm_pagemap {
	/** @pagemap: what mm knows */
	struct dev_pagemap pagemap;
	/** @dpagemap: what drm_pagemap knows */
	struct drm_pagemap dpagemap;
	/** @peer: membership in the group of devices that share an owner */
	struct drm_pagemap_peer peer;
	/** @ops: drm_pagemap's operations, with our migrate_to_ram */
	struct dev_pagemap_ops ops;
	/** @core: drm_pagemap's operations */
	const struct dev_pagemap_ops *core;
	/** @base: physical address that stands for VRAM address 0 */
	u64 base;
	/** @size: bytes of VRAM behind it */
	u64 size;
	/** @failed: a bit a page, set if its copy to RAM failed; who looks holds the folio */
	unsigned long *failed;
	/** @turned_away: the other half of @failed: the channel was being replaced */
	unsigned long *turned_away;
	/** @svm: the device, valid inside drm_dev_enter() */
	struct nouveau_svm_dev *svm;
	/** @destroy_work: frees this where it is allowed to sleep */
	struct work_struct destroy_work;
};

/**
 * struct nouveau_svm_devmem - A block of VRAM
 */
struct nouveau_svm_devmem {
	/** @base: what drm_pagemap knows */
	struct drm_pagemap_devmem base;
	/** @ref: one of the pages, one of who makes the block or evicts it */
	struct kref ref;
	/** @link: in &nouveau_svm_dev.blocks, under its lock; void after unplug */
	struct list_head link;
	/** @bo: the buffer, which points back by &nouveau_bo.svm */
	struct nouveau_bo *bo;
	/** @drm: the DRM device */
	struct drm_device *drm;
	/** @svm: the device, valid inside drm_dev_enter() */
	struct nouveau_svm_dev *svm;
	/** @free_work: gives VRAM back */
	struct work_struct free_work;
};

static struct nouveau_svm_pagemap *
to_nouveau_svm_pagemap(struct drm_pagemap *dpagemap)
{
	return container_of(dpagemap, struct nouveau_svm_pagemap, dpagemap);
}

static struct nouveau_svm_devmem *
to_nouveau_svm_devmem(struct drm_pagemap_devmem *base)
{
	return container_of(base, struct nouveau_svm_devmem, base);
}

static u64
nouveau_svm_page_vram(struct page *page)
{
	struct nouveau_svm_pagemap *np =
		container_of(page_pgmap(page), struct nouveau_svm_pagemap, pagemap);

	return PFN_PHYS(page_to_pfn(page)) - np->base;
}

/* Blocks. */

static void
nouveau_svm_devmem_free(struct nouveau_svm_devmem *devmem)
{
	struct drm_device *drm = devmem->drm;
	int idx;

	/* TTM may be about to evict the buffer, and knows us by it. */
	ttm_bo_reserve(&devmem->bo->bo, false, false, NULL);
	devmem->bo->svm = NULL;
	ttm_bo_unreserve(&devmem->bo->bo);

	nouveau_bo_fini(devmem->bo);
	mmdrop(devmem->base.mm);
	drm_pagemap_put(devmem->base.dpagemap);

	if (drm_dev_enter(drm, &idx)) {
		spin_lock(&devmem->svm->blocks_lock);
		list_del(&devmem->link);
		spin_unlock(&devmem->svm->blocks_lock);
		pm_runtime_put_autosuspend(drm->dev);
		atomic_dec_and_wake_up(&devmem->svm->devmems);
		drm_dev_exit(idx);
	} else {
		pm_runtime_put_noidle(drm->dev);
	}

	kfree(devmem);
	drm_dev_put(drm);
}

static void
nouveau_svm_devmem_free_work(struct work_struct *work)
{
	nouveau_svm_devmem_free(container_of(work, struct nouveau_svm_devmem, free_work));
}

static void
nouveau_svm_devmem_release(struct kref *ref)
{
	struct nouveau_svm_devmem *devmem =
		container_of(ref, struct nouveau_svm_devmem, ref);

	/* Freed pages come from anywhere, from interrupts too. */
	queue_work(nouveau_svm_dmem_wq, &devmem->free_work);
}

static void
nouveau_svm_devmem_put(struct nouveau_svm_devmem *devmem)
{
	kref_put(&devmem->ref, nouveau_svm_devmem_release);
}

static void
nouveau_svm_devmem_release_now(struct kref *ref)
{
	nouveau_svm_devmem_free(container_of(ref, struct nouveau_svm_devmem, ref));
}

/*
 * For who may sleep, with no reservation held. A block that could not be filled does not
 * lie in the way of the next one until somebody finds time to free it.
 */
static void
nouveau_svm_devmem_put_now(struct nouveau_svm_devmem *devmem)
{
	kref_put(&devmem->ref, nouveau_svm_devmem_release_now);
}

static void
nouveau_svm_devmem_op_release(struct drm_pagemap_devmem *base)
{
	dma_fence_put(base->pre_migrate_fence);
	nouveau_svm_devmem_put(to_nouveau_svm_devmem(base));
}

static int
nouveau_svm_devmem_op_pfn(struct drm_pagemap_devmem *base, unsigned long npages,
			  unsigned long *pfn)
{
	struct nouveau_svm_devmem *devmem = to_nouveau_svm_devmem(base);
	struct nouveau_svm_pagemap *np = to_nouveau_svm_pagemap(base->dpagemap);
	unsigned long first = PHYS_PFN(np->base + devmem->bo->offset);
	unsigned long i;

	for (i = 0; i < npages; i++)
		pfn[i] = first + i;

	return 0;
}

/*
 * Remember whose data could not be brought back, or not just now. drm_pagemap says SIGBUS
 * for everything, short of memory too, and nouveau_svm_dmem_to_ram() has to tell them apart.
 */
static void
nouveau_svm_copy_remember(unsigned long *bits, struct page **pages,
			  struct drm_pagemap_addr *addr, unsigned long npages)
{
	unsigned long i, j, first;

	for (i = 0; i < npages; i += 1UL << addr[i].order) {
		if (!pages[i])
			continue;
		first = PHYS_PFN(nouveau_svm_page_vram(pages[i]));
		for (j = 0; j < 1UL << addr[i].order; j++)
			set_bit(first + j, bits);
	}
}

/* Submit what has been collected, or wait for more if it is not enough yet. */
static int
nouveau_svm_copy_flush(struct nouveau_svm_ce *ce, bool to_vram,
		       struct nouveau_svm_run *run, unsigned int *nr, bool all)
{
	int ret;

	if (!all && *nr < NOUVEAU_SVM_RUN_MAX)
		return 0;

	ret = nouveau_svm_ce_submit(ce, to_vram, run, *nr);
	*nr = 0;
	return ret;
}

/*
 * Has somebody paid for all pages that are to leave VRAM? mm puts what comes to RAM on a
 * list of its memory cgroup, and where there is none it looks for it for good, with a CPU
 * (folio_lruvec_lock_irqsave()). A page whose data has moved is like that until it is
 * freed. The pages are locked, and nobody should have it moved again.
 */
static bool
nouveau_svm_pages_charged(struct nouveau_svm_pagemap *np, struct page **pages,
			  struct drm_pagemap_addr *addr, unsigned long npages)
{
	unsigned long i;

	if (mem_cgroup_disabled())
		return true;

	for (i = 0; i < npages; i++) {
		/* What drm_pagemap knows to have moved is among them, with nowhere to go. */
		if (drm_WARN_ON_ONCE(np->dpagemap.drm, pages[i] && addr[i].addr &&
				     !folio_memcg_charged(page_folio(pages[i]))))
			return false;
	}

	return true;
}

/*
 * Copy between device pages and DMA addresses. @addr is sparse: the entry of a
 * large folio is at the place of its first page. An entry without an address is
 * a hole in the address space on the way to VRAM, and of no interest on the way
 * back.
 */
static int
nouveau_svm_copy(struct page **pages, struct drm_pagemap_addr *addr,
		 unsigned long npages, bool to_vram)
{
	struct nouveau_svm_pagemap *np;
	struct nouveau_svm_run *run;
	struct nouveau_svm_ce *ce;
	unsigned long i = 0;
	unsigned int nr = 0;
	int ret = 0;

	while (i < npages && !pages[i])
		i++;
	if (i == npages)
		return 0;

	np = container_of(page_pgmap(pages[i]), struct nouveau_svm_pagemap, pagemap);
	if (!to_vram && !nouveau_svm_pages_charged(np, pages, addr, npages))
		return -EAGAIN;
	ce = np->svm->ce;

	run = kvmalloc_array(min(npages, NOUVEAU_SVM_RUN_MAX), sizeof(*run),
			     GFP_KERNEL);
	if (!run)
		return -ENOMEM;

	while (i < npages && !ret) {
		struct page *page = pages[i];
		bool hole = !addr[i].addr && addr[i].dir == DMA_BIDIRECTIONAL;
		unsigned int order;

		if (!page || (hole && !to_vram)) {
			i++;
			continue;
		}

		order = hole ? folio_order(page_folio(page)) : addr[i].order;
		nr = nouveau_svm_run_add(run, nr, nouveau_svm_page_vram(page),
					 hole ? NOUVEAU_SVM_RUN_CLEAR : addr[i].addr,
					 PAGE_SIZE << order);
		i += 1UL << order;
		ret = nouveau_svm_copy_flush(ce, to_vram, run, &nr, false);
	}
	if (!ret)
		ret = nouveau_svm_copy_flush(ce, to_vram, run, &nr, true);
	if (ret && ret != -ENOMEM && !to_vram)
		nouveau_svm_copy_remember(ret == -EAGAIN ? np->turned_away : np->failed,
					  pages, addr, npages);

	/* mm may have freed a huge page meanwhile, see svm_huge_pages. */
	if (!ret && !to_vram && !nouveau_svm_pages_charged(np, pages, addr, npages))
		ret = -EAGAIN;

	trace_nouveau_svm_copy(np->svm->drm->dev->dev, to_vram, npages, ret);
	kvfree(run);
	return ret;
}

static int
nouveau_svm_devmem_op_to_vram(struct page **pages, struct drm_pagemap_addr *addr,
			      unsigned long npages, struct dma_fence *pre)
{
	return nouveau_svm_copy(pages, addr, npages, true);
}

static int
nouveau_svm_devmem_op_to_ram(struct page **pages, struct drm_pagemap_addr *addr,
			     unsigned long npages, struct dma_fence *pre)
{
	return nouveau_svm_copy(pages, addr, npages, false);
}

static const struct drm_pagemap_devmem_ops nouveau_svm_devmem_ops = {
	.devmem_release = nouveau_svm_devmem_op_release,
	.populate_devmem_pfn = nouveau_svm_devmem_op_pfn,
	.copy_to_devmem = nouveau_svm_devmem_op_to_vram,
	.copy_to_ram = nouveau_svm_devmem_op_to_ram,
};

/*
 * Page tables come out of the same VRAM, and nobody gives any up for them: without a page for
 * one not even memory in place can be mapped, and TTM moves buffers by the CPU. So some of it
 * is left to them, enough for 4 KiB leaves of 512 times as much memory. Of buffers TTM does
 * not know that.
 */
static u64
nouveau_svm_vram_reserve(struct nouveau_svm_dev *svm)
{
	return min_t(u64, svm->drm->client.device.info.ram_size / 128, NOUVEAU_SVM_RESERVE_MAX);
}

/* How much VRAM is free, counted as far as @enough. */
static u64
nouveau_svm_vram_free(struct nouveau_svm_dev *svm, u64 enough)
{
	struct nvkm_ram *ram = nvxx_fb(svm->drm)->ram;
	struct nvkm_mm_node *node;
	u64 room = 0;

	mutex_lock(&ram->mutex);
	list_for_each_entry(node, &ram->vram.free, fl_entry) {
		room += (u64)node->length << NVKM_RAM_MM_SHIFT;
		if (room >= enough)
			break;
	}
	mutex_unlock(&ram->mutex);
	return room;
}

/**
 * nouveau_svm_dmem_clear() - Clear VRAM that a buffer is about to get
 * @drm: the device
 * @reg: the VRAM
 *
 * Whoever gets the buffer may read it, and must not find what processes had in blocks of
 * pages there. Does nothing until there was a block: nobody pays who does not use SVM.
 * Blocks are not cleared, since all of one is filled or cleared when pages come.
 *
 * Context: The buffer is reserved. Waits for the copy engine, not for anybody's work.
 * Return: 0 if nothing of a process is there. Negative errno if the copy engine cannot be
 * used for now, see nouveau_svm_ce_submit(), or there is no memory for page tables, or
 * the device goes.
 */
int
nouveau_svm_dmem_clear(struct nouveau_drm *drm, struct ttm_resource *reg)
{
	struct nvif_vmm *vmm = &drm->client.vmm.vmm;
	struct nouveau_mem *mem = nouveau_mem(reg);
	struct gf100_vmm_map_v0 args = {};
	struct nvif_vma vma = {};
	struct nouveau_svm_dev *svm;
	u64 at, bytes;
	int idx, ret;

	if (!drm_dev_enter(drm->dev, &idx))
		return -ENODEV;

	ret = 0;
	svm = drm->svm_dev;
	/* Pairs with WRITE_ONCE() in nouveau_svm_devmem_new(). */
	if (!svm || !READ_ONCE(svm->had_devmem))
		goto out;

	/* It may be in pieces. As plain memory, whatever kind the buffer is of. */
	ret = nvif_vmm_get(vmm, LAZY, false, mem->mem.page, 0, mem->mem.size, &vma);
	if (ret)
		goto out;
	ret = nvif_vmm_map(vmm, vma.addr, mem->mem.size, &args, sizeof(args), &mem->mem, 0);

	for (at = 0; !ret && at < mem->mem.size; at += bytes) {
		struct nouveau_svm_run run = {
			.vram = vma.addr + at,
			.dma = NOUVEAU_SVM_RUN_CLEAR_VMM,
		};

		bytes = min_t(u64, mem->mem.size - at, SZ_1G);
		run.bytes = bytes;
		ret = nouveau_svm_ce_submit(svm->ce, true, &run, 1);
		if (ret == -EAGAIN || ret == -ENODEV) {
			nouveau_svm_ce_settle(svm->ce);
			ret = nouveau_svm_ce_submit(svm->ce, true, &run, 1);
		}
	}
	nvif_vmm_put(vmm, &vma);
out:
	drm_dev_exit(idx);
	return ret;
}

/* Takes free VRAM. Returns a block whose buffer is reserved, so that nobody evicts it. */
static struct nouveau_svm_devmem *
nouveau_svm_devmem_new(struct nouveau_svm_pagemap *np, struct mm_struct *mm,
		       unsigned long size)
{
	struct nouveau_svm_dev *svm = np->svm;
	struct nouveau_drm *drm = svm->drm;
	struct ttm_operation_ctx ctx = {
		.no_wait_gpu = true,
		.gfp_retry_mayfail = true,
	};
	struct nouveau_svm_devmem *devmem;
	u64 reserve;
	int ret;

	devmem = kzalloc_obj(*devmem);
	if (!devmem)
		return ERR_PTR(-ENOMEM);

	ret = nouveau_bo_new_vram(&drm->client, size, TTM_PL_FLAG_DESIRED, &ctx,
				  &devmem->bo);
	if (ret) {
		if (ret == -ENOMEM)
			ret = -ENOSPC; /* TTM does not tell them apart. */
		goto err_free;
	}

	if (WARN_ON_ONCE(!IS_ALIGNED(devmem->bo->offset, size) ||
			 devmem->bo->offset + size > np->size)) {
		ret = -EINVAL;
		goto err_bo;
	}

	/* Somebody else may have seen the same room. */
	reserve = nouveau_svm_vram_reserve(svm);
	if (nouveau_svm_vram_free(svm, reserve) < reserve) {
		ret = -ENOSPC;
		goto err_bo;
	}

	/* Who finds it there waits for the buffer. */
	kref_init(&devmem->ref);
	spin_lock(&svm->blocks_lock);
	if (svm->no_devmem) {
		spin_unlock(&svm->blocks_lock);
		ret = -ENODEV;
		goto err_bo;
	}
	list_add_tail(&devmem->link, &svm->blocks);
	atomic_inc(&svm->devmems);
	spin_unlock(&svm->blocks_lock);

	drm_pagemap_devmem_init(&devmem->base, drm->dev->dev, mm,
				&nouveau_svm_devmem_ops, &np->dpagemap, size,
				NULL);
	drm_pagemap_get(&np->dpagemap);
	drm_dev_get(drm->dev);
	INIT_WORK(&devmem->free_work, nouveau_svm_devmem_free_work);
	devmem->drm = drm->dev;
	devmem->svm = svm;
	devmem->bo->svm = devmem;
	/* Pairs with READ_ONCE() in nouveau_svm_dmem_clear(): before VRAM is given back. */
	WRITE_ONCE(svm->had_devmem, true);
	mmgrab(mm);
	pm_runtime_get_noresume(drm->dev->dev);
	return devmem;

err_bo:
	ttm_bo_unreserve(&devmem->bo->bo);
	nouveau_bo_fini(devmem->bo);
err_free:
	kfree(devmem);
	return ERR_PTR(ret);
}

static int
nouveau_svm_populate_locked(struct nouveau_svm_pagemap *np, struct mm_struct *mm,
			    unsigned long start, unsigned long end,
			    unsigned long timeslice_ms)
{
	struct drm_pagemap_migrate_details details = {
		.timeslice_ms = timeslice_ms,
	};
	struct nouveau_svm_devmem *devmem;
	struct vm_area_struct *vma;
	int idx, ret;
	u64 enough;

	/*
	 * mm would move a page of KSM's too, and KSM then compare others with a page
	 * that the CPU cannot read. Here they come and go. And of pages in VRAM HMM does
	 * not ask userfaultfd whether they may be accessed.
	 */
	mmap_assert_locked(mm);
	if (end - start >= SZ_2M && !READ_ONCE(nouveau_svm_huge_pages))
		return -E2BIG;
	vma = vma_lookup(mm, start);
	if (vma && (vma->vm_flags & VM_MERGEABLE || userfaultfd_rwp(vma)))
		return -EPERM;

	if (!drm_dev_enter(np->dpagemap.drm, &idx))
		return -ENODEV;

	/* Pairs with WRITE_ONCE() in nouveau_svm_dmem_evict_all(). */
	if (READ_ONCE(np->svm->no_devmem) || nouveau_svm_ce_wedged(np->svm->ce)) {
		ret = -ENODEV;
		goto out;
	}

	enough = nouveau_svm_vram_reserve(np->svm) + (end - start);
	if (nouveau_svm_vram_free(np->svm, enough) < enough) {
		ret = -ENOSPC;
		goto out;
	}

	devmem = nouveau_svm_devmem_new(np, mm, end - start);
	if (IS_ERR(devmem)) {
		ret = PTR_ERR(devmem);
		goto out;
	}

	/* Takes over the reference that the pages will hold. */
	kref_get(&devmem->ref);
	ret = drm_pagemap_migrate_to_devmem(&devmem->base, mm, start, end, &details);
	ttm_bo_unreserve(&devmem->bo->bo);
	nouveau_svm_devmem_put_now(devmem);
	trace_nouveau_svm_migrate(np->svm->drm->dev->dev, mm, start, end, ret);
out:
	drm_dev_exit(idx);
	return ret;
}

/**
 * nouveau_svm_dmem_populate() - Move a range of an address space to VRAM
 * @dpagemap: the device's pagemap
 * @mm: the address space
 * @start: first address
 * @end: address after the last, so that the size is that of a block
 *
 * All of the range moves or nothing. Anonymous memory moves, and holes are
 * filled with zeroes. Takes free VRAM, and waits for nobody's work: callers hold
 * locks that service of faults needs. See nouveau_svm_dmem_make_room().
 *
 * Return: 0 if the range is in VRAM. -ENOSPC: no free VRAM but what is left to page
 * tables. -EBUSY: a page is pinned, swapped out, not anonymous, or part of the range was
 * in VRAM. -E2BIG: it is too large for svm_huge_pages=N. -EPERM: it may be merged (KSM),
 * or userfaultfd is asked before it is accessed. -ENODEV: suspended, unplugged or wedged.
 * Others as mm gives them.
 */
int
nouveau_svm_dmem_populate(struct drm_pagemap *dpagemap, struct mm_struct *mm,
			  unsigned long start, unsigned long end)
{
	int ret;

	if (!mmget_not_zero(mm))
		return -EFAULT;
	mmap_read_lock(mm);
	ret = nouveau_svm_populate_locked(to_nouveau_svm_pagemap(dpagemap), mm,
					  start, end, 0);
	mmap_read_unlock(mm);
	mmput(mm);
	return ret;
}

/**
 * nouveau_svm_dmem_make_room() - Let others give up VRAM
 * @svm: the device
 * @size: bytes, that of a block
 *
 * For callers that hold no lock of SVM and no mmap_lock: a buffer is not moved
 * before the work that uses it is over, and that may wait for a page. Nothing
 * keeps the room for the caller, who tries again if somebody else was faster.
 * What is left to page tables is there again afterwards.
 *
 * Return: 0 if there is room now. -ENOMEM or -EBUSY: nobody gives any up, or memory
 * ran out. -ERESTARTSYS: interrupted.
 */
int
nouveau_svm_dmem_make_room(struct nouveau_svm_dev *svm, unsigned long size)
{
	struct ttm_operation_ctx ctx = {
		.interruptible = true,
		.gfp_retry_mayfail = true,
	};
	u64 reserve = nouveau_svm_vram_reserve(svm);
	struct nouveau_bo *bo[1 + NOUVEAU_SVM_RESERVE_MAX / SZ_2M];
	unsigned int n = 0;
	int ret;

	/* As they are reserved, none of them is evicted for the next. */
	ret = nouveau_bo_new_vram(&svm->drm->client, size, 0, &ctx, &bo[n]);
	while (!ret) {
		n++;
		if (n == ARRAY_SIZE(bo) || nouveau_svm_vram_free(svm, reserve) >= reserve)
			break;
		ret = nouveau_bo_new_vram(&svm->drm->client, SZ_2M, 0, &ctx, &bo[n]);
	}
	while (n--) {
		ttm_bo_unreserve(&bo[n]->bo);
		nouveau_bo_fini(bo[n]);
	}
	return ret;
}

/* Eviction. */

/* What has moved is not collected once more, as drm_pagemap does it. */
static void
nouveau_svm_devmem_retire(const unsigned long *src, unsigned long npages)
{
	unsigned long i, nr;

	for (i = 0; i < npages; i += nr) {
		struct page *page = migrate_pfn_to_page(src[i]);
		struct folio *folio;
		unsigned long data;

		nr = 1;
		if (!page)
			continue;

		folio = page_folio(page);
		if (src[i] & MIGRATE_PFN_COMPOUND)
			nr = folio_nr_pages(folio);
		if (!(src[i] & MIGRATE_PFN_MIGRATE))
			continue;

		data = (unsigned long)folio_zone_device_data(folio);
		folio_set_zone_device_data(folio,
					   (void *)(data | DRM_PAGEMAP_ZDD_FLAG_MIGRATED));
	}
}

/*
 * Bring a block back whose owner mm is gone, but not all of its users: a forked
 * child has its pages. drm_pagemap_evict_to_ram() wants the owner alive.
 */
static int
nouveau_svm_devmem_evict_orphan(struct nouveau_svm_devmem *devmem)
{
	struct device *dev = devmem->base.dev;
	unsigned long npages = devmem->base.size >> PAGE_SHIFT, i;
	struct drm_pagemap_addr *addr;
	unsigned long *src, *dst;
	struct page **pages;
	int ret;

	src = kvcalloc(npages, sizeof(*src), GFP_KERNEL);
	dst = kvcalloc(npages, sizeof(*dst), GFP_KERNEL);
	addr = kvcalloc(npages, sizeof(*addr), GFP_KERNEL);
	pages = kvcalloc(npages, sizeof(*pages), GFP_KERNEL);
	ret = -ENOMEM;
	if (!src || !dst || !addr || !pages)
		goto out;

	nouveau_svm_devmem_op_pfn(&devmem->base, npages, src);
	ret = migrate_device_pfns(src, npages);
	if (ret)
		goto out;

	for (i = 0; i < npages && !ret;) {
		struct page *page = migrate_pfn_to_page(src[i]);
		struct folio *folio, *new;
		unsigned int order = 0;
		dma_addr_t dma;

		if (!page || !(src[i] & MIGRATE_PFN_MIGRATE))
			goto next;

		folio = page_folio(page);
		if (src[i] & MIGRATE_PFN_COMPOUND)
			order = folio_order(folio);
		if ((unsigned long)folio_zone_device_data(folio) &
		    DRM_PAGEMAP_ZDD_FLAG_MIGRATED)
			goto next;

		new = folio_alloc(GFP_HIGHUSER | __GFP_NOWARN, order);
		if (!new) {
			ret = -ENOMEM;
			break;
		}
		folio_lock(new);
		dst[i] = migrate_pfn(folio_pfn(new));
		if (order)
			dst[i] |= MIGRATE_PFN_COMPOUND;

		dma = dma_map_page(dev, folio_page(new, 0), 0, PAGE_SIZE << order,
				   DMA_FROM_DEVICE);
		if (dma_mapping_error(dev, dma)) {
			ret = -EFAULT;
			break;
		}
		addr[i] = drm_pagemap_addr_encode(dma, DRM_INTERCONNECT_SYSTEM,
						  order, DMA_FROM_DEVICE);
		pages[i] = page;
next:
		i += 1UL << order;
	}

	if (!ret)
		ret = nouveau_svm_copy(pages, addr, npages, false);

	for (i = 0; i < npages; i++) {
		struct folio *new;

		if (addr[i].dir)
			dma_unmap_page(dev, addr[i].addr,
				       PAGE_SIZE << addr[i].order, DMA_FROM_DEVICE);
		if (!ret || !dst[i])
			continue;

		new = page_folio(migrate_pfn_to_page(dst[i]));
		folio_unlock(new);
		folio_put(new);
		dst[i] = 0;
	}

	migrate_device_pages(src, dst, npages);
	nouveau_svm_devmem_retire(src, npages);
	migrate_device_finalize(src, dst, npages);
	if (!ret && !completion_done(&devmem->base.detached))
		ret = -EBUSY;
out:
	kvfree(pages);
	kvfree(addr);
	kvfree(dst);
	kvfree(src);
	return ret;
}

/* Is a block one huge page? Returns where in its owner's address space it was put, in pages. */
static bool
nouveau_svm_devmem_huge(struct nouveau_svm_devmem *devmem, pgoff_t *index)
{
	struct folio *folio;
	unsigned long pfn;
	bool huge;

	nouveau_svm_devmem_op_pfn(&devmem->base, 1, &pfn);
	folio = page_folio(pfn_to_page(pfn));
	if (!folio_try_get(folio))
		return false;

	huge = folio_test_large(folio);
	*index = folio->index;
	folio_put(folio);
	return huge;
}

/*
 * To collect one page of it for migration splits a huge page; the page stays. It keeps
 * its index wherever a mapping goes, be it moved or inherited, so that is how to find
 * it. Called with any locks of TTM's and maybe mmap_lock held, hence trylock. Looks at
 * @looks pages at most: a process can have any number of mappings with that index.
 */
static void
nouveau_svm_devmem_split_in(struct nouveau_svm_devmem *devmem, struct mm_struct *mm,
			    pgoff_t index, unsigned int *looks)
{
	pgoff_t end = index + PHYS_PFN(devmem->base.size), at;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	unsigned long src, dst;
	struct migrate_vma migrate = {
		.src = &src,
		.dst = &dst,
		.pgmap_owner = devmem->base.dpagemap->pagemap->owner,
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
	};

	if (!mmap_read_trylock(mm))
		return;

	vma_iter_init(&vmi, mm, 0);
	for_each_vma(vmi, vma) {
		if (!vma_is_anonymous(vma))
			continue;
		migrate.vma = vma;
		for (at = max(index, vma->vm_pgoff);
		     at < min(end, vma->vm_pgoff + vma_pages(vma)); at++) {
			if (!*looks || fatal_signal_pending(current))
				goto unlock;
			--*looks;
			src = 0;
			dst = 0;
			migrate.start = vma->vm_start + PFN_PHYS(at - vma->vm_pgoff);
			migrate.end = migrate.start + PAGE_SIZE;
			if (!migrate_vma_setup(&migrate)) {
				migrate_vma_pages(&migrate);
				migrate_vma_finalize(&migrate);
			}
			if (!nouveau_svm_devmem_huge(devmem, &index))
				goto unlock;
		}
	}
unlock:
	mmap_read_unlock(mm);
}

/* The address space of the next process from a number on, NULL if there are no more. */
static struct mm_struct *
nouveau_svm_next_mm(int *nr)
{
	struct mm_struct *mm = NULL;
	struct task_struct *task;
	struct pid *pid;

	rcu_read_lock();
	while (!mm) {
		pid = find_ge_pid(*nr, &init_pid_ns);
		if (!pid)
			break;
		*nr = pid_nr(pid) + 1;
		task = pid_task(pid, PIDTYPE_PID);
		if (task)
			mm = get_task_mm(task);
	}
	rcu_read_unlock();
	return mm;
}

/*
 * Split the huge page that a block is. Eviction by physical pages cannot: if RAM has
 * no free huge page, a huge page stays where it is. mm splits it where it is mapped
 * only: by its owner, or else by whoever inherited it, who is found among all
 * processes. Few evictions come here. Returns whether it may be worth another try.
 */
static bool
nouveau_svm_devmem_split(struct nouveau_svm_devmem *devmem)
{
	unsigned int looks = NOUVEAU_SVM_SPLIT_LOOKS;
	struct mm_struct *mm = devmem->base.mm;
	pgoff_t index;
	int nr = 1;

	if (!nouveau_svm_devmem_huge(devmem, &index))
		return false;

	if (mmget_not_zero(mm)) {
		nouveau_svm_devmem_split_in(devmem, mm, index, &looks);
		mmput_async(mm);
	}

	while (nouveau_svm_devmem_huge(devmem, &index)) {
		/* Who needs the VRAM is not to wait for long, and may be told to go. */
		if (!looks || fatal_signal_pending(current))
			return false;
		mm = nouveau_svm_next_mm(&nr);
		if (!mm)
			return false;
		nouveau_svm_devmem_split_in(devmem, mm, index, &looks);
		mmput_async(mm);
		cond_resched();
	}

	return true;
}

static int
nouveau_svm_devmem_to_ram(struct nouveau_svm_devmem *devmem)
{
	int ret;

	ret = drm_pagemap_evict_to_ram(&devmem->base);
	if (ret == -EFAULT)
		ret = nouveau_svm_devmem_evict_orphan(devmem);
	return ret;
}

/**
 * nouveau_svm_devmem_evict() - Bring all pages of a block back to RAM
 * @devmem: the block, its buffer reserved
 *
 * For TTM. Knows no address space, takes no mmap_lock.
 *
 * Return: 0 if no page is left, -ENOSPC if some are, so that TTM looks for
 * another buffer. -ENODEV: the device has gone.
 */
int
nouveau_svm_devmem_evict(struct nouveau_svm_devmem *devmem)
{
	struct drm_device *drm = devmem->base.dpagemap->drm;
	int idx, ret;

	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;

	ret = nouveau_svm_devmem_to_ram(devmem);
	if ((ret == -EBUSY || ret == -ENOMEM) && nouveau_svm_devmem_split(devmem))
		ret = nouveau_svm_devmem_to_ram(devmem);
	trace_nouveau_svm_evict(drm->dev, devmem->base.mm, devmem->base.size, ret);
	if (!ret)
		nouveau_svm_count(devmem->svm, NOUVEAU_SVM_STAT_EVICT, 1);

	drm_dev_exit(idx);
	return ret ? -ENOSPC : 0;
}

static long
nouveau_svm_devmem_evict_here(void *data)
{
	return nouveau_svm_devmem_evict(data);
}

/*
 * A page may be on a list that a CPU keeps for itself, mlock's for one, which holds it.
 * Migration empties those of the CPU that it runs on.
 */
static int
nouveau_svm_devmem_evict_anywhere(struct nouveau_svm_devmem *devmem)
{
	int ret = nouveau_svm_devmem_evict(devmem), cpu;

	if (ret != -ENOSPC)
		return ret;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		ret = work_on_cpu(cpu, nouveau_svm_devmem_evict_here, devmem);
		if (ret != -ENOSPC)
			break;
	}
	cpus_read_unlock();

	return ret;
}

/* Bring back what is in VRAM, whatever becomes of some of it. */
static void
nouveau_svm_dmem_evict_each(struct nouveau_svm_dev *svm)
{
	struct nouveau_svm_devmem *devmem;
	LIST_HEAD(todo);

	spin_lock(&svm->blocks_lock);
	list_splice_init(&svm->blocks, &todo);
	while (!list_empty(&todo)) {
		devmem = list_first_entry(&todo, struct nouveau_svm_devmem, link);
		list_move_tail(&devmem->link, &svm->blocks);
		/* Its last page is free, and it goes by itself. */
		if (nouveau_svm_ce_wedged(svm->ce) || !kref_get_unless_zero(&devmem->ref))
			continue;
		spin_unlock(&svm->blocks_lock);

		ttm_bo_reserve(&devmem->bo->bo, false, false, NULL);
		nouveau_svm_devmem_evict_anywhere(devmem);
		ttm_bo_unreserve(&devmem->bo->bo);
		nouveau_svm_devmem_put(devmem);

		spin_lock(&svm->blocks_lock);
	}
	spin_unlock(&svm->blocks_lock);
}

/**
 * nouveau_svm_dmem_evict_all() - Bring back what is in VRAM, and keep it there
 * @svm: the device
 *
 * No block is made from now on until &nouveau_svm_dev.no_devmem is false again. One
 * that does not leave VRAM keeps no other there. Nor is a channel for copies being made
 * when all have left.
 *
 * Return: 0, or -EBUSY if data is still in VRAM.
 */
int
nouveau_svm_dmem_evict_all(struct nouveau_svm_dev *svm)
{
	int try;

	/*
	 * Of blocks that are freed after drm_dev_unplug() the list is not told: none is
	 * added any more by then. Pairs with READ_ONCE() in nouveau_svm_populate_locked().
	 */
	spin_lock(&svm->blocks_lock);
	WRITE_ONCE(svm->no_devmem, true);
	spin_unlock(&svm->blocks_lock);
	for (try = 0; try < 3 && atomic_read(&svm->devmems); try++) {
		if (nouveau_svm_ce_wedged(svm->ce))
			break;
		/* Meanwhile all copies are turned away. */
		nouveau_svm_ce_settle(svm->ce);
		nouveau_svm_dmem_evict_each(svm);
		wait_var_event_timeout(&svm->devmems,
				       !atomic_read(&svm->devmems), HZ);
	}
	/* The last copy, which may have been one to VRAM, may have failed. */
	nouveau_svm_ce_settle(svm->ce);

	return atomic_read(&svm->devmems) ? -EBUSY : 0;
}

/* The pagemap. */

static struct drm_pagemap_addr
nouveau_svm_dmem_device_map(struct drm_pagemap *dpagemap, struct device *dev,
			    struct page *page, unsigned int order,
			    enum dma_data_direction dir)
{
	dma_addr_t addr = DMA_MAPPING_ERROR;

	/* The owner is not shared, so nobody else sees the page. */
	if (!WARN_ON_ONCE(dev != dpagemap->drm->dev))
		addr = nouveau_svm_page_vram(page);

	return drm_pagemap_addr_encode(addr, NOUVEAU_SVM_INTERCONNECT_VRAM,
				       order, dir);
}

static int
nouveau_svm_dmem_populate_mm(struct drm_pagemap *dpagemap, unsigned long start,
			     unsigned long end, struct mm_struct *mm,
			     unsigned long timeslice_ms)
{
	return nouveau_svm_populate_locked(to_nouveau_svm_pagemap(dpagemap), mm,
					   start, end, timeslice_ms);
}

static void
nouveau_svm_dmem_destroy_work(struct work_struct *work)
{
	struct nouveau_svm_pagemap *np =
		container_of(work, struct nouveau_svm_pagemap, destroy_work);

	memunmap_pages(&np->pagemap);
	release_mem_region(np->pagemap.range.start, range_len(&np->pagemap.range));
	drm_pagemap_release_owner(&np->peer);
	kvfree(np->failed);
	kfree(np);
}

static void
nouveau_svm_dmem_destroy(struct drm_pagemap *dpagemap, bool atomic)
{
	struct nouveau_svm_pagemap *np = to_nouveau_svm_pagemap(dpagemap);

	if (atomic)
		queue_work(nouveau_svm_dmem_wq, &np->destroy_work);
	else
		nouveau_svm_dmem_destroy_work(&np->destroy_work);
}

static const struct drm_pagemap_ops nouveau_svm_dpagemap_ops = {
	.device_map = nouveau_svm_dmem_device_map,
	.populate_mm = nouveau_svm_dmem_populate_mm,
	.destroy = nouveau_svm_dmem_destroy,
};

/*
 * The CPU touches a page, not the first, of a huge page that is mapped by small entries. mm
 * would split it on the way, and then take its first page for the one that was touched,
 * and for locked (migrate_vma_collect_pmd() looks for that folio before): two at once could
 * move it. Or it takes a reference to the one that was touched when that may be free
 * (migrate_vma_split_folio()). So it is split with the first page as the one that was
 * touched, to which the caller's lock and reference go with the folio, and the access
 * comes again.
 */
static void
nouveau_svm_fault_split(struct nouveau_svm_pagemap *np, struct vm_fault *vmf)
{
	struct page *head = folio_page(page_folio(vmf->page), 0);
	unsigned long src = 0, dst = 0;
	struct migrate_vma migrate = {
		.vma = vmf->vma,
		.src = &src,
		.dst = &dst,
		.start = vmf->address & PAGE_MASK,
		.end = (vmf->address & PAGE_MASK) + PAGE_SIZE,
		.pgmap_owner = np->pagemap.owner,
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
		.fault_page = head,
	};

	if (!migrate_vma_setup(&migrate)) {
		migrate_vma_pages(&migrate);
		migrate_vma_finalize(&migrate);
	}
	/* What the caller unlocks and puts. */
	vmf->page = head;
}

/*
 * The CPU touches a page in VRAM. mmap_lock and the folio are held, and nothing
 * here takes more than the copy engine's leaf lock.
 */
static vm_fault_t
nouveau_svm_dmem_to_ram(struct vm_fault *vmf)
{
	struct nouveau_svm_pagemap *np =
		container_of(page_pgmap(vmf->page), struct nouveau_svm_pagemap,
			     pagemap);
	unsigned long page = PHYS_PFN(nouveau_svm_page_vram(vmf->page));
	vm_fault_t ret;
	int idx, try;

	/* Unplugged: the data is gone, and so is everything behind np->svm. */
	if (!drm_dev_enter(np->dpagemap.drm, &idx))
		return VM_FAULT_SIGBUS;

	if (PageTail(vmf->page)) {
		nouveau_svm_fault_split(np, vmf);
		drm_dev_exit(idx);
		return 0;
	}

	for (try = 0; try < 2; try++) {
		/* Nobody else copies it: the caller holds the folio's lock. */
		clear_bit(page, np->failed);
		clear_bit(page, np->turned_away);
		ret = np->core->migrate_to_ram(vmf);
		if (!(ret & VM_FAULT_SIGBUS))
			break;

		/* The core says SIGBUS for everything. Was it a copy? */
		if (test_bit(page, np->failed))
			break;
		schedule_timeout_uninterruptible(HZ / 100 + 1);
		/* Nothing was copied, and the access comes again. */
		ret = 0;
		if (test_bit(page, np->turned_away))
			break;
		ret = VM_FAULT_OOM;
	}
	trace_nouveau_svm_cpu_fault(np->dpagemap.drm->dev, vmf->vma->vm_mm,
				    vmf->address, (__force u32)ret);
	drm_dev_exit(idx);
	return ret;
}

/* Devices do not reach each other's VRAM. */
static bool
nouveau_svm_has_interconnect(struct drm_pagemap_peer *a, struct drm_pagemap_peer *b)
{
	return a == b;
}

static struct nouveau_svm_pagemap *
nouveau_svm_pagemap_new(struct nouveau_svm_dev *svm)
{
	struct nouveau_drm *drm = svm->drm;
	struct nouveau_svm_pagemap *np;
	struct resource *res;
	size_t longs;
	void *ptr;
	int ret;

	np = kzalloc_obj(*np);
	if (!np)
		return ERR_PTR(-ENOMEM);

	INIT_WORK(&np->destroy_work, nouveau_svm_dmem_destroy_work);
	np->svm = svm;
	np->size = drm->client.device.info.ram_size;
	np->core = drm_pagemap_pagemap_ops_get();
	np->ops = *np->core;
	np->ops.migrate_to_ram = nouveau_svm_dmem_to_ram;

	longs = BITS_TO_LONGS(np->size >> PAGE_SHIFT);
	np->failed = kvzalloc_objs(*np->failed, 2 * longs);
	if (!np->failed) {
		ret = -ENOMEM;
		goto err_free;
	}

	np->turned_away = np->failed + longs;

	res = request_free_mem_region(&iomem_resource, np->size, "nouveau-svm");
	if (IS_ERR(res)) {
		ret = PTR_ERR(res);
		goto err_failed;
	}

	ret = drm_pagemap_acquire_owner(&np->peer, &nouveau_svm_owner_list,
					nouveau_svm_has_interconnect);
	if (ret)
		goto err_region;

	np->base = res->start;
	np->pagemap.type = MEMORY_DEVICE_PRIVATE;
	np->pagemap.range.start = res->start;
	np->pagemap.range.end = res->end;
	np->pagemap.nr_range = 1;
	np->pagemap.owner = np->peer.owner;
	np->pagemap.ops = &np->ops;

	/* Not devm_: pages may outlive the driver's hold on the device. */
	ptr = memremap_pages(&np->pagemap, dev_to_node(drm->dev->dev));
	if (IS_ERR(ptr)) {
		ret = PTR_ERR(ptr);
		goto err_owner;
	}

	ret = drm_pagemap_init(&np->dpagemap, &np->pagemap, drm->dev,
			       &nouveau_svm_dpagemap_ops);
	if (ret)
		goto err_unmap;

	return np;

err_unmap:
	memunmap_pages(&np->pagemap);
err_owner:
	drm_pagemap_release_owner(&np->peer);
err_region:
	release_mem_region(res->start, resource_size(res));
err_failed:
	kvfree(np->failed);
err_free:
	kfree(np);
	return ERR_PTR(ret);
}

/**
 * nouveau_svm_dmem_get() - Get the pagemap of a device
 * @svm: the device
 *
 * Makes it for the first user, or takes it back from the shrinker. Under the device's
 * lock, so that nouveau_svm_dmem_unplug() finds it, or there is none from then on.
 *
 * Return: a reference, to be put with drm_pagemap_put(). -ENODEV: the device has
 * no copy engine for it, or goes. Other error pointers as memory or address space run
 * out.
 */
struct drm_pagemap *
nouveau_svm_dmem_get(struct nouveau_svm_dev *svm)
{
	struct drm_pagemap *dpagemap;
	struct nouveau_svm_pagemap *np;
	int ret;

	if (!svm->ce)
		return ERR_PTR(-ENODEV);

	mutex_lock(&svm->lock);
	ret = svm->leaving ? -ENODEV : drm_pagemap_cache_lock_lookup(svm->cache);
	if (ret) {
		mutex_unlock(&svm->lock);
		return ERR_PTR(ret);
	}

	dpagemap = drm_pagemap_get_from_cache(svm->cache);
	if (!dpagemap) {
		np = nouveau_svm_pagemap_new(svm);
		if (IS_ERR(np)) {
			dpagemap = ERR_CAST(np);
		} else {
			dpagemap = &np->dpagemap;
			drm_pagemap_cache_set_pagemap(svm->cache, dpagemap);
		}
	}

	drm_pagemap_cache_unlock_lookup(svm->cache);
	mutex_unlock(&svm->lock);
	return dpagemap;
}

/**
 * struct nouveau_svm_hold - What stays until drm_pagemap's shrinker and cache have gone
 */
struct nouveau_svm_hold {
	/** @ddev: the DRM device: they look at it when they go, after the driver gave it up */
	struct drm_device *ddev;
	/**
	 * @dpagemap: the pagemap, if there was one when the device went. Between
	 * drm_dev_unplug() and the end of the cache it must not be freed: the cache has a
	 * pointer to it still.
	 */
	struct drm_pagemap *dpagemap;
};

static void
nouveau_svm_dmem_unhold(void *data)
{
	struct nouveau_svm_hold *hold = data;

	drm_pagemap_put(hold->dpagemap);
	drm_dev_put(hold->ddev);
	kfree(hold);
}

/**
 * nouveau_svm_dmem_unplug() - Prepare for the end of the device
 * @svm: the device, before drm_dev_unplug(), &nouveau_svm_dev.lock held, and
 *	&nouveau_svm_dev.leaving set
 *
 * Its last user may be about to hand the pagemap to the shrinker: that is waited for.
 */
void
nouveau_svm_dmem_unplug(struct nouveau_svm_dev *svm)
{
	struct drm_pagemap *dpagemap = NULL;
	int ret;

	lockdep_assert_held(&svm->lock);
	if (!svm->ce || svm->hold->dpagemap)
		return;

	/*
	 * A module that goes has no users: the shrinker has the pagemap. It cannot be
	 * taken back from there, since a pagemap in use holds the module.
	 */
	if (!try_module_get(THIS_MODULE))
		return;

	/* What drm_pagemap would have interrupted is short. */
	do {
		ret = drm_pagemap_cache_lock_lookup(svm->cache);
		if (!ret) {
			dpagemap = drm_pagemap_get_from_cache(svm->cache);
			ret = PTR_ERR_OR_ZERO(dpagemap);
			drm_pagemap_cache_unlock_lookup(svm->cache);
		}
		if (ret == -EINTR)
			schedule_timeout_uninterruptible(1);
	} while (ret == -EINTR);

	/* If it could not be taken back from the shrinker it is gone. */
	svm->hold->dpagemap = ret ? NULL : dpagemap;
	module_put(THIS_MODULE);
}

/**
 * nouveau_svm_dmem_init() - Prepare for device memory
 * @svm: the device
 *
 * Return: 0, or a negative errno: then memory is mapped in place only.
 */
int
nouveau_svm_dmem_init(struct nouveau_svm_dev *svm)
{
	struct drm_device *ddev = svm->drm->dev;
	int ret;

	svm->hold = kzalloc_obj(*svm->hold);
	if (!svm->hold)
		return -ENOMEM;

	/* What is managed goes in reverse order: this after the shrinker and the cache. */
	drm_dev_get(ddev);
	svm->hold->ddev = ddev;
	ret = devm_add_action_or_reset(ddev->dev, nouveau_svm_dmem_unhold, svm->hold);
	if (ret)
		return ret;

	svm->shrinker = drm_pagemap_shrinker_create_devm(ddev);
	if (IS_ERR(svm->shrinker))
		return PTR_ERR(svm->shrinker);

	svm->cache = drm_pagemap_cache_create_devm(svm->shrinker);
	if (IS_ERR(svm->cache))
		return PTR_ERR(svm->cache);

	svm->ce = nouveau_svm_ce_new(svm);
	if (IS_ERR(svm->ce)) {
		ret = PTR_ERR(svm->ce);
		svm->ce = NULL;
		return ret;
	}

	return 0;
}

/**
 * nouveau_svm_dmem_fini() - Undo nouveau_svm_dmem_init()
 * @svm: the device, all address spaces closed and drm_dev_unplug() done
 */
void
nouveau_svm_dmem_fini(struct nouveau_svm_dev *svm)
{
	nouveau_svm_ce_del(&svm->ce);
}
