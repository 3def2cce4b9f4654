// SPDX-License-Identifier: MIT

/**
 * DOC: Address spaces
 *
 * A &struct nouveau_svm_vm mirrors the address space of a process into one of the
 * GPU: drm_gpusvm cuts it into ranges of 2 MiB, 64 KiB and 4 KiB, tells where the
 * memory of a range is, and when that ceases to be true.
 *
 * Life of a range: a GPU fault or a prefetch finds or makes it, moves its memory
 * to VRAM or not, asks where it is, marks pages dirty that the GPU may write to,
 * takes references to page tables of the right kind, and writes leaves, under
 * the notifier lock and only if nothing changed meanwhile. A notification clears
 * the leaves, invalidates the TLB once, and gives up the DMA mapping, in this order.
 * The range stays, to be mapped again, until its addresses are unmapped, or too many
 * have been lost since: then it is collected.
 *
 * What this file owns: ranges, leaves, and references to page tables. References:
 * the owner of the address space and each range hold the &struct nouveau_svm_vm;
 * that holds the mm_struct, not its users, the pagemap, and until it is closed one
 * count of runtime power: a leaf that is cleared while page tables are without power
 * is there again when they are restored. The machine sleeps all the same: before that
 * all leaves are cleared, see nouveau_svm_vm_clear(). A page holds nothing of this
 * file.
 *
 * Lock order, outermost first:
 *
 * 1. &nouveau_svm_vm.lock, drm_gpusvm's driver lock. Never in a notifier, never
 *    with mmap_lock held.
 * 2. mmap_lock, reservations, folio locks (see nouveau_svm_dmem.c).
 * 3. The notifier lock of drm_gpusvm. Reclaim takes it: below it nothing
 *    allocates, waits for a fence, or takes a lock under which somebody does.
 * 4. The locks of nvkm/subdev/mmu/vmmpfn.c; &nouveau_svm_vm.gc_lock.
 *
 * Service, prefetch and collection are work of a thread that the address space has.
 * They may wait for a page that a process supplies, or never does: a thread can be
 * killed when nobody is to wait for it any more.
 *
 * Failure: service of a fault never waits for work of users, and takes only VRAM
 * that is free; who wants a prefetch has others give up some, with no lock held. If
 * memory cannot move it is mapped where it is. If that fails too, the caller cancels
 * the fault.
 */
#include "nouveau_svm_vm.h"
#include "nouveau_svm_dmem.h"
#include "nouveau_svm_trace.h"
#include "nouveau_drv.h"
#include "nouveau_vmm.h"

#include <nvif/if000c.h>
#include <nvif/vmm.h>

#include <linux/backing-dev.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/hmm.h>
#include <linux/kthread.h>
#include <linux/memremap.h>
#include <linux/moduleparam.h>
#include <linux/pm_runtime.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/userfaultfd_k.h>

#include <drm/drm_drv.h>

MODULE_PARM_DESC(svm_migrate_on_fault,
		 "Move memory to VRAM when the GPU faults on it (default: 1)");
static int nouveau_svm_migrate_on_fault = 1;
module_param_named(svm_migrate_on_fault, nouveau_svm_migrate_on_fault, int, 0644);

MODULE_PARM_DESC(svm_notifier_mib,
		 "Size of what one MMU notifier watches, in MiB, a power of two (default: 512)");
uint nouveau_svm_notifier_mib = 512;
module_param_named(svm_notifier_mib, nouveau_svm_notifier_mib, uint, 0444);

/* A range that left VRAM this often in that time stays in RAM for a while. */
#define NOUVEAU_SVM_BOUNCE_MAX	3
#define NOUVEAU_SVM_BOUNCE_TIME	msecs_to_jiffies(100)
#define NOUVEAU_SVM_BOUNCE_STAY	msecs_to_jiffies(1000)

/*
 * Address spaces of a device. Each has a thread and some ten pages of memory, which no
 * limit of a user's counts. They are for channels, of which there are 4096 at most.
 */
#define NOUVEAU_SVM_MIRRORS	2048

/* How often the CPU's mappings may change under us before we give up. */
#define NOUVEAU_SVM_TRIES	32
/* How often mm may say no to the smallest range before we believe it. */
#define NOUVEAU_SVM_REFUSALS	4
/* How often memory that others hold is tried once more. */
#define NOUVEAU_SVM_PASSES	3
/* How often others may be faster in taking room that was made for us. */
#define NOUVEAU_SVM_ROOM_TRIES	4
/* How long service may not get on when somebody waits for it, in tenths of a second. */
#define NOUVEAU_SVM_SETTLE	50
/* How long who is interrupted waits for the range that is being moved. */
#define NOUVEAU_SVM_STOP	(HZ / 10)
/* How often who only looks tries for the lock, a millisecond or two apart. */
#define NOUVEAU_SVM_LOOK	1000

/*
 * How many ranges that the GPU has not mapped are kept, with their page tables, for
 * when it comes back: 4 GiB in ranges of 2 MiB.
 */
#define NOUVEAU_SVM_IDLE_MAX	2048

#define NOUVEAU_SVM_VA_BITS	47

static struct nouveau_svm_vm *
to_nouveau_svm_vm(struct drm_gpusvm *gpusvm)
{
	return container_of(gpusvm, struct nouveau_svm_vm, gpusvm);
}

static struct nouveau_svm_range *
to_nouveau_svm_range(struct drm_gpusvm_range *base)
{
	return container_of(base, struct nouveau_svm_range, base);
}

static unsigned long
nouveau_svm_range_pages(struct nouveau_svm_range *range)
{
	return drm_gpusvm_range_size(&range->base) >> PAGE_SHIFT;
}

/* The flags of a range change in notifications. Advice only. */
static bool
nouveau_svm_range_may_migrate(struct nouveau_svm_range *range)
{
	struct drm_gpusvm_range_flags flags = {
		/* Pairs with WRITE_ONCE() in drm_gpusvm.c, as in the next two. */
		.__flags = READ_ONCE(range->base.flags.__flags),
	};

	return flags.migrate_devmem;
}

static bool
nouveau_svm_range_partly_unmapped(struct nouveau_svm_range *range)
{
	struct drm_gpusvm_range_flags flags = {
		.__flags = READ_ONCE(range->base.flags.__flags),
	};

	return flags.partial_unmap;
}

static struct drm_device *
nouveau_svm_vm_drm(struct nouveau_svm_vm *vm)
{
	return vm->vmm->cli->drm->dev;
}

/* References. */

static void
nouveau_svm_vm_free(struct kref *ref)
{
	struct nouveau_svm_vm *vm = container_of(ref, struct nouveau_svm_vm, ref);

	mutex_destroy(&vm->lock);
	kvfree(vm);
}

/**
 * nouveau_svm_vm_put() - Give up a reference
 * @vm: the address space
 */
void
nouveau_svm_vm_put(struct nouveau_svm_vm *vm)
{
	kref_put(&vm->ref, nouveau_svm_vm_free);
}

static struct drm_gpusvm_range *
nouveau_svm_range_alloc(struct drm_gpusvm *gpusvm)
{
	struct nouveau_svm_vm *vm = to_nouveau_svm_vm(gpusvm);
	struct nouveau_svm_range *range = kzalloc_obj(*range);

	if (!range)
		return NULL;

	INIT_LIST_HEAD(&range->gc_link);
	drm_gpusvm_init_pages(&range->pages, nouveau_svm_vm_drm(vm));
	kref_get(&vm->ref);
	return &range->base;
}

static void
nouveau_svm_range_free(struct drm_gpusvm_range *base)
{
	struct nouveau_svm_range *range = to_nouveau_svm_range(base);
	struct nouveau_svm_vm *vm = to_nouveau_svm_vm(base->gpusvm);

	drm_gpusvm_free_pages(base->gpusvm, &range->pages,
			      nouveau_svm_range_pages(range));
	bitmap_free(range->exclusive);
	kfree(range);
	nouveau_svm_vm_put(vm);
}

/* Take a range off the list that it is on. */
static void
nouveau_svm_range_unlist(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	lockdep_assert_held(&vm->gc_lock);
	list_del_init(&range->gc_link);
	vm->idle_nr -= range->idle;
	range->idle = false;
}

/* Leaves. */

static const struct {
	u8 leaf;
	u8 shift;
} nouveau_svm_leaf[] = {
	{ NOUVEAU_SVM_LEAF_4K, PAGE_SHIFT },
	{ NOUVEAU_SVM_LEAF_64K, ilog2(SZ_64K) },
	{ NOUVEAU_SVM_LEAF_2M, ilog2(SZ_2M) },
};

/* Make the leaves of a range invalid. The TLB is the caller's business. */
static bool
nouveau_svm_range_clear(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	unsigned int i;

	lockdep_assert_held(&vm->gpusvm.notifier_lock);
	if (!range->live)
		return false;

	for (i = 0; i < ARRAY_SIZE(nouveau_svm_leaf); i++) {
		if (!(range->live & nouveau_svm_leaf[i].leaf))
			continue;
		WARN_ON(nvif_vmm_raw_pfnclr(&vm->vmm->vmm,
					    drm_gpusvm_range_start(&range->base),
					    drm_gpusvm_range_size(&range->base),
					    nouveau_svm_leaf[i].shift, false));
	}

	/* Pairs with READ_ONCE() in nouveau_svm_range_show(). */
	WRITE_ONCE(range->live, 0);
	range->atomic = false;
	if (range->exclusive)
		bitmap_zero(range->exclusive, nouveau_svm_range_pages(range));
	return true;
}

static void
nouveau_svm_vm_flush(struct nouveau_svm_vm *vm)
{
	WARN_ON(nvif_vmm_raw_pfnclr(&vm->vmm->vmm, 0, 0, PAGE_SHIFT, true));
}

static void
nouveau_svm_range_unref(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	unsigned int i;

	lockdep_assert_held(&vm->lock);
	for (i = 0; i < ARRAY_SIZE(nouveau_svm_leaf); i++) {
		if (range->refs & nouveau_svm_leaf[i].leaf)
			nvif_vmm_raw_put(&vm->vmm->vmm,
					 drm_gpusvm_range_start(&range->base),
					 drm_gpusvm_range_size(&range->base),
					 nouveau_svm_leaf[i].shift);
	}
	range->refs = 0;
}

/* Clear the leaves for good measure, outside of a notifier. */
static void
nouveau_svm_range_zap(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	lockdep_assert_held(&vm->lock);
	drm_gpusvm_notifier_lock(&vm->gpusvm);
	if (nouveau_svm_range_clear(vm, range))
		nouveau_svm_vm_flush(vm);
	drm_gpusvm_notifier_unlock(&vm->gpusvm);
}

/*
 * Hold page tables for some kinds of leaves. Those of 4 KiB and 64 KiB go together,
 * one of 2 MiB is instead of both. References change only while nothing is live.
 */
static int
nouveau_svm_range_ref(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
		      u8 leaves)
{
	unsigned int i;
	int ret;

	lockdep_assert_held(&vm->lock);
	if ((range->refs & leaves) == leaves)
		return 0;

	nouveau_svm_range_zap(vm, range);
	if ((range->refs | leaves) & NOUVEAU_SVM_LEAF_2M)
		nouveau_svm_range_unref(vm, range);

	for (i = 0; i < ARRAY_SIZE(nouveau_svm_leaf); i++) {
		if (!(leaves & ~range->refs & nouveau_svm_leaf[i].leaf))
			continue;
		ret = nvif_vmm_raw_get(&vm->vmm->vmm,
				       drm_gpusvm_range_start(&range->base),
				       drm_gpusvm_range_size(&range->base),
				       nouveau_svm_leaf[i].shift);
		if (ret)
			return ret;
		range->refs |= nouveau_svm_leaf[i].leaf;
	}

	return 0;
}

/*
 * Write into &nouveau_svm_vm.pfns what 4 KiB leaves would be, and find out which
 * larger ones can stand for them: one of 2 MiB, or one of 64 KiB for each bit of
 * @big. Of system memory that is what was mapped for DMA in one piece; VRAM needs
 * to be contiguous only, as blocks are whatever the order of their pages. With
 * pages that are exclusive all leaves are small. @page is made exclusive right
 * now, or -1.
 *
 * Return: the kinds of leaves that the range needs.
 */
static u8
nouveau_svm_range_leaves(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			 bool ro, long page, u32 *big, bool *vram)
{
	const unsigned long chunk = SZ_64K >> PAGE_SHIFT;
	unsigned long npages = nouveau_svm_range_pages(range), i, j, k;
	const struct drm_pagemap_addr *addr = &range->pages.dma_addr[0];
	bool split = page >= 0;
	u32 whole = 0;
	u8 leaves = 0;

	if (range->exclusive)
		split |= !bitmap_empty(range->exclusive, npages);
	*big = 0;
	*vram = true;

	/* Dense: one entry for each mapping, whatever its order. */
	for (i = 0, j = 0; i < npages; j++) {
		unsigned long nr = 1UL << addr[j].order;
		u64 pfn = NVIF_VMM_PFNMAP_V0_V;
		u32 skew = 0;

		if (!ro)
			pfn |= NVIF_VMM_PFNMAP_V0_W;
		if (addr[j].proto == NOUVEAU_SVM_INTERCONNECT_VRAM) {
			pfn |= NVIF_VMM_PFNMAP_V0_VRAM;
			skew = range->skew;
			if (!ro)
				pfn |= NVIF_VMM_PFNMAP_V0_A;
		} else {
			*vram = false;
		}

		for (k = 0; k < nr && i < npages; k++, i++) {
			if (IS_ALIGNED(i, chunk) &&
			    (nr - k >= chunk || pfn & NVIF_VMM_PFNMAP_V0_VRAM))
				whole |= BIT(i / chunk);
			vm->pfns[i] = (addr[j].addr + skew + k * PAGE_SIZE) | pfn;
			if (i == page || (range->exclusive && test_bit(i, range->exclusive)))
				vm->pfns[i] |= NVIF_VMM_PFNMAP_V0_A;
		}
	}

	if (split || npages < chunk)
		return NOUVEAU_SVM_LEAF_4K;

	for (i = 0; i < npages; i += chunk) {
		u64 first = vm->pfns[i];

		for (k = 1; k < chunk; k++) {
			if (vm->pfns[i + k] != first + k * PAGE_SIZE)
				break;
		}

		if (k == chunk && whole & BIT(i / chunk) &&
		    IS_ALIGNED(first & PAGE_MASK, SZ_64K)) {
			*big |= BIT(i / chunk);
			leaves |= NOUVEAU_SVM_LEAF_64K;
		} else {
			leaves |= NOUVEAU_SVM_LEAF_4K;
		}
	}

	/* Nothing but 64 KiB leaves, one after the other: is it one of 2 MiB? */
	if (npages != SZ_2M >> PAGE_SHIFT || leaves != NOUVEAU_SVM_LEAF_64K ||
	    !IS_ALIGNED(addr->addr, SZ_2M))
		return leaves;
	if (addr->order != ilog2(SZ_2M) - PAGE_SHIFT &&
	    addr->proto != NOUVEAU_SVM_INTERCONNECT_VRAM)
		return leaves;
	for (i = chunk; i < npages; i += chunk) {
		if (vm->pfns[i] != vm->pfns[0] + i * PAGE_SIZE)
			return leaves;
	}

	return NOUVEAU_SVM_LEAF_2M;
}

/* Write the leaves that nouveau_svm_range_leaves() has prepared. */
static int
nouveau_svm_range_write(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			u8 leaves, u32 big)
{
	const unsigned long chunk = SZ_64K >> PAGE_SHIFT;
	unsigned long npages = nouveau_svm_range_pages(range), i, end;
	u64 start = drm_gpusvm_range_start(&range->base);
	u64 size = drm_gpusvm_range_size(&range->base);
	struct nvif_vmm *vmm = &vm->vmm->vmm;
	int ret = 0;

	if (leaves == NOUVEAU_SVM_LEAF_2M)
		return nvif_vmm_raw_pfnmap(vmm, start, size, ilog2(SZ_2M), vm->pfns,
					   false);

	if (leaves & NOUVEAU_SVM_LEAF_64K) {
		/* One that is not valid leads to small ones. */
		for (i = 0; i < npages; i += chunk)
			vm->big[i / chunk] = big & BIT(i / chunk) ? vm->pfns[i] : 0;
		ret = nvif_vmm_raw_pfnmap(vmm, start, size, ilog2(SZ_64K), vm->big,
					  false);
	}

	if (!(leaves & NOUVEAU_SVM_LEAF_4K))
		return ret;

	/* The small ones in between, run by run. */
	for (i = 0; i < npages && !ret; i = end) {
		end = min(i + chunk, npages);
		if (big & BIT(i / chunk))
			continue;
		while (end < npages && !(big & BIT(end / chunk)))
			end += chunk;
		ret = nvif_vmm_raw_pfnmap(vmm, start + (i << PAGE_SHIFT),
					  (u64)(end - i) << PAGE_SHIFT, PAGE_SHIFT,
					  &vm->pfns[i], false);
	}

	return ret;
}

static int
nouveau_svm_range_write_page(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			     unsigned long page)
{
	u64 addr = drm_gpusvm_range_start(&range->base) + (page << PAGE_SHIFT);

	return nvif_vmm_raw_pfnmap(&vm->vmm->vmm, addr, PAGE_SIZE, PAGE_SHIFT,
				   &vm->pfns[page], false);
}

/*
 * Make a range present for the GPU. @page is a page that was made exclusive for
 * the GPU right now, or -1.
 */
static int
nouveau_svm_range_bind(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
		       bool ro, long page)
{
	bool vram, flush;
	u8 leaves;
	u32 big;
	int ret;

	/* The array stays while the lock is held, even if it is out of date. */
	lockdep_assert_held(&vm->lock);
	drm_gpusvm_notifier_lock(&vm->gpusvm);
	leaves = nouveau_svm_range_leaves(vm, range, ro, page, &big, &vram);
	drm_gpusvm_notifier_unlock(&vm->gpusvm);
	ret = nouveau_svm_range_ref(vm, range, leaves);
	if (ret)
		return ret;

	drm_gpusvm_notifier_lock(&vm->gpusvm);
	if (!drm_gpusvm_pages_valid(&vm->gpusvm, &range->pages)) {
		ret = -EAGAIN;
		goto unlock;
	}

	/* A notification may have ended what was exclusive. */
	leaves = nouveau_svm_range_leaves(vm, range, ro, page, &big, &vram);
	if (leaves & ~range->refs) {
		ret = -EAGAIN;
		goto unlock;
	}

	/* Leaves of another size give way first. */
	flush = range->live;
	if (range->live && (range->live != leaves || range->big != big))
		nouveau_svm_range_clear(vm, range);

	/* One page becomes exclusive, and the others stay as they are? */
	if (page >= 0 && range->live == NOUVEAU_SVM_LEAF_4K && range->ro == ro)
		ret = nouveau_svm_range_write_page(vm, range, page);
	else
		ret = nouveau_svm_range_write(vm, range, leaves, big);
	/* Pairs with READ_ONCE() in nouveau_svm_range_show(). */
	WRITE_ONCE(range->live, leaves);
	range->big = big;
	spin_lock(&vm->gc_lock);
	if (range->idle)
		nouveau_svm_range_unlist(vm, range);
	spin_unlock(&vm->gc_lock);
	if (ret)
		flush = nouveau_svm_range_clear(vm, range);
	if (flush)
		nouveau_svm_vm_flush(vm);
	if (ret)
		goto unlock;

	if (page >= 0)
		__set_bit(page, range->exclusive);
	range->ro = ro;
	range->atomic = vram && !ro;
	range->was_vram = vram;
	nouveau_svm_count(vm->svm, NOUVEAU_SVM_STAT_MAP, 1);
unlock:
	drm_gpusvm_notifier_unlock(&vm->gpusvm);
	trace_nouveau_svm_range(vm, &range->base, leaves, vram, ro, ret);
	return ret;
}

/* Notification. */

/*
 * The GPU has lost a range, @unmapped: for good. A process may have lost its memory too
 * and still have the address, so that ranges would be without number: those lost longest
 * ago go. Returns whether there is something to collect.
 */
static bool
nouveau_svm_range_lost(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
		       bool unmapped)
{
	bool collect = unmapped;

	lockdep_assert_held_write(&vm->gpusvm.notifier_lock);
	spin_lock(&vm->gc_lock);
	if (range->idle)
		nouveau_svm_range_unlist(vm, range);
	if (!list_empty(&range->gc_link))
		goto unlock;
	if (unmapped) {
		list_add_tail(&range->gc_link, &vm->gc_list);
		goto unlock;
	}

	list_add_tail(&range->gc_link, &vm->idle_list);
	range->idle = true;
	if (++vm->idle_nr > NOUVEAU_SVM_IDLE_MAX) {
		range = list_first_entry(&vm->idle_list, struct nouveau_svm_range,
					 gc_link);
		nouveau_svm_range_unlist(vm, range);
		list_add_tail(&range->gc_link, &vm->gc_list);
		collect = true;
	}
unlock:
	spin_unlock(&vm->gc_lock);
	return collect;
}

/*
 * Reclaim may be the caller. No allocation, no fence, no lock but those of the
 * leaves and the list of garbage.
 */
static void
nouveau_svm_invalidate(struct drm_gpusvm *gpusvm, struct drm_gpusvm_notifier *notifier,
		       const struct mmu_notifier_range *mmu)
{
	struct nouveau_svm_vm *vm = to_nouveau_svm_vm(gpusvm);
	struct drm_gpusvm_ctx ctx = { .in_notifier = true };
	struct drm_gpusvm_range *base, *first;
	bool unmapped = mmu->event == MMU_NOTIFY_UNMAP;
	bool flush = false, collect = false, closed;
	unsigned long start, end;

	lockdep_assert_held_write(&gpusvm->notifier_lock);

	/* Somebody makes a page exclusive for us. We map it next. */
	if (mmu->event == MMU_NOTIFY_EXCLUSIVE && mmu->owner == vm)
		return;

	/*
	 * Closing frees the ranges without a look at the lists. Pairs with WRITE_ONCE()
	 * in nouveau_svm_vm_close().
	 */
	closed = READ_ONCE(vm->queue.closed);

	start = max(mmu->start, drm_gpusvm_notifier_start(notifier));
	end = min(mmu->end, drm_gpusvm_notifier_end(notifier));
	first = drm_gpusvm_range_find(notifier, start, end);
	if (!first)
		return;

	base = first;
	drm_gpusvm_for_each_range(base, notifier, start, end)
		flush |= nouveau_svm_range_clear(vm, to_nouveau_svm_range(base));
	if (flush) {
		nouveau_svm_vm_flush(vm);
		nouveau_svm_count(vm->svm, NOUVEAU_SVM_STAT_INVALIDATE, 1);
	}
	trace_nouveau_svm_invalidate(vm, start, end, mmu->event, flush);

	base = first;
	drm_gpusvm_for_each_range(base, notifier, start, end) {
		struct nouveau_svm_range *range = to_nouveau_svm_range(base);

		drm_gpusvm_unmap_pages(gpusvm, &range->pages,
				       nouveau_svm_range_pages(range), &ctx);
		/* Pairs with READ_ONCE() in nouveau_svm_vm_make_present(). */
		WRITE_ONCE(range->pages_known, false);
		if (unmapped)
			drm_gpusvm_range_set_unmapped(base, &range->pages, 1, mmu);
		if (!closed)
			collect |= nouveau_svm_range_lost(vm, range, unmapped);
	}

	if (collect)
		kthread_queue_work(vm->worker, &vm->gc_work);
}

static const struct drm_gpusvm_ops nouveau_svm_gpusvm_ops = {
	.range_alloc = nouveau_svm_range_alloc,
	.range_free = nouveau_svm_range_free,
	.invalidate = nouveau_svm_invalidate,
};

/* What mm says. */

static int
nouveau_svm_vm_hmm(struct nouveau_svm_vm *vm, struct hmm_range *hmm)
{
	int ret;

	lockdep_assert_held(&vm->lock);
	hmm->dev_private_owner = vm->dpagemap ? vm->dpagemap->pagemap->owner : NULL;
	if (!mmget_not_zero(vm->gpusvm.mm))
		return -EFAULT;
	ret = hmm_range_fault_unlocked_timeout(hmm,
					       msecs_to_jiffies(HMM_RANGE_DEFAULT_TIMEOUT));
	mmput(vm->gpusvm.mm);
	return ret;
}

/*
 * Ask HMM for the pages of a range, into &nouveau_svm_vm.pfns. @flags are what each
 * of them must be: 0 to look only, %HMM_PFN_REQ_FAULT to have those brought that are
 * absent. The answer holds until a notification, see &nouveau_svm_vm.seq.
 */
static int
nouveau_svm_range_snapshot(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			   unsigned long flags)
{
	struct hmm_range hmm = {
		.notifier = &range->base.notifier->notifier,
		.start = drm_gpusvm_range_start(&range->base),
		.end = drm_gpusvm_range_end(&range->base),
		.hmm_pfns = (unsigned long *)vm->pfns,
		.default_flags = flags,
	};
	int ret;

	BUILD_BUG_ON(sizeof(*hmm.hmm_pfns) != sizeof(vm->pfns[0]));
	ret = nouveau_svm_vm_hmm(vm, &hmm);
	vm->seq = hmm.notifier_seq;
	return ret;
}

/* Have one page of a range brought. */
static int
nouveau_svm_range_fault_page(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			     unsigned long page, bool ro)
{
	unsigned long pfn = 0;
	struct hmm_range hmm = {
		.notifier = &range->base.notifier->notifier,
		.start = drm_gpusvm_range_start(&range->base) + (page << PAGE_SHIFT),
		.hmm_pfns = &pfn,
		.default_flags = HMM_PFN_REQ_FAULT | (ro ? 0 : HMM_PFN_REQ_WRITE),
	};

	hmm.end = hmm.start + PAGE_SIZE;
	return nouveau_svm_vm_hmm(vm, &hmm);
}

/* Is one of the pages of the last snapshot of a range so? */
static bool
nouveau_svm_range_any(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
		      bool (*so)(const struct page *page))
{
	unsigned long npages = nouveau_svm_range_pages(range), i;

	for (i = 0; i < npages; i++) {
		if (vm->pfns[i] & HMM_PFN_VALID && so(hmm_pfn_to_page(vm->pfns[i])))
			return true;
	}

	return false;
}

static bool
nouveau_svm_page_devmem(const struct page *page)
{
	return is_device_private_page(page);
}

static bool
nouveau_svm_page_foreign(const struct page *page)
{
	return is_zone_device_page(page) && !is_device_private_page(page);
}

static bool
nouveau_svm_page_merged(const struct page *page)
{
	return folio_test_ksm(page_folio(page));
}

/* Is memory of a range in this device's VRAM? Also if that cannot be told. */
static bool
nouveau_svm_range_has_devmem(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	return nouveau_svm_range_snapshot(vm, range, 0) ||
	       nouveau_svm_range_any(vm, range, nouveau_svm_page_devmem);
}

/* Collection. */

static void
nouveau_svm_range_remove(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	struct drm_gpusvm_ctx ctx = { .in_notifier = false };

	lockdep_assert_held(&vm->lock);
	nouveau_svm_range_zap(vm, range);
	nouveau_svm_range_unref(vm, range);
	/* Still in the tree: no notification can miss its DMA mapping. */
	drm_gpusvm_unmap_pages(&vm->gpusvm, &range->pages,
			       nouveau_svm_range_pages(range), &ctx);

	/* Until it is off the tree, a notification may list it once more. */
	drm_gpusvm_range_get(&range->base);
	drm_gpusvm_range_remove(&vm->gpusvm, &range->base);
	spin_lock(&vm->gc_lock);
	nouveau_svm_range_unlist(vm, range);
	spin_unlock(&vm->gc_lock);
	drm_gpusvm_range_put(&range->base);
}

static struct nouveau_svm_range *
nouveau_svm_vm_garbage(struct nouveau_svm_vm *vm)
{
	struct nouveau_svm_range *range;

	spin_lock(&vm->gc_lock);
	range = list_first_entry_or_null(&vm->gc_list, struct nouveau_svm_range,
					 gc_link);
	if (range)
		nouveau_svm_range_unlist(vm, range);
	spin_unlock(&vm->gc_lock);
	return range;
}

static void
nouveau_svm_vm_collect(struct nouveau_svm_vm *vm)
{
	struct nouveau_svm_range *range;

	lockdep_assert_held(&vm->lock);
	while ((range = nouveau_svm_vm_garbage(vm))) {
		/* What is left has to be cut anew, and a block cannot be cut. */
		if (nouveau_svm_range_partly_unmapped(range) &&
		    nouveau_svm_range_has_devmem(vm, range))
			drm_gpusvm_range_evict(&vm->gpusvm, &range->base);
		nouveau_svm_range_remove(vm, range);
	}
}

static void
nouveau_svm_vm_gc_work(struct kthread_work *work)
{
	struct nouveau_svm_vm *vm = container_of(work, struct nouveau_svm_vm, gc_work);

	mutex_lock(&vm->lock);
	/*
	 * Page tables are given back on the device. Who suspends it takes the lock before
	 * that is asleep, and nouveau_svm_fault_unblock() has us here again. Pairs with
	 * WRITE_ONCE() in nouveau_svm_fault_block().
	 */
	if (!nouveau_svm_vm_going(vm) && !READ_ONCE(vm->svm->fault.blocked))
		nouveau_svm_vm_collect(vm);
	mutex_unlock(&vm->lock);
	nouveau_svm_vm_going(vm);
}

/* Making things present. */

/* The part of the address space around @addr that mirrors the process. */
static int
nouveau_svm_vm_region(struct nouveau_svm_vm *vm, u64 addr, unsigned long *start,
		      unsigned long *end)
{
	unsigned long limit = vm->gpusvm.mm_start + vm->gpusvm.mm_range;

	if (addr >= limit || (addr >= vm->hole.start && addr < vm->hole.end))
		return -EFAULT;

	*start = addr < vm->hole.start ? 0 : vm->hole.end;
	*end = addr < vm->hole.start ? min(vm->hole.start, limit) : limit;
	return 0;
}

/* Does the leaf of a page allow atomics? Pages are as they were got while it is live. */
static bool
nouveau_svm_range_page_atomic(struct nouveau_svm_range *range, unsigned long page)
{
	const struct drm_pagemap_addr *addr = range->pages.dma_addr;
	unsigned long end = 0;

	if (!range->live)
		return false;
	if (range->atomic || (range->exclusive && test_bit(page, range->exclusive)))
		return true;

	for (; ; addr++) {
		end += 1UL << addr->order;
		if (page < end)
			return !range->ro && addr->proto == NOUVEAU_SVM_INTERCONNECT_VRAM;
	}
}

/* Does the GPU get what it wants without further ado? */
static bool
nouveau_svm_range_present(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			  u64 addr, u8 access)
{
	bool ok;

	drm_gpusvm_notifier_lock(&vm->gpusvm);
	ok = range->live;
	if (access == NOUVEAU_SVM_ACCESS_WRITE)
		ok = ok && !range->ro;
	if (access == NOUVEAU_SVM_ACCESS_ATOMIC)
		ok = nouveau_svm_range_page_atomic(range,
						   (addr - drm_gpusvm_range_start(&range->base)) >>
						   PAGE_SHIFT);
	drm_gpusvm_notifier_unlock(&vm->gpusvm);
	return ok;
}

/*
 * Does the GPU have pages of a range for itself? An attempt to move it would end
 * that for all of them, and atomics of many threads on it would hardly get on.
 */
static bool
nouveau_svm_range_has_exclusive(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	bool has;

	drm_gpusvm_notifier_lock(&vm->gpusvm);
	has = range->exclusive &&
	      !bitmap_empty(range->exclusive, nouveau_svm_range_pages(range));
	drm_gpusvm_notifier_unlock(&vm->gpusvm);
	return has;
}

/* Pages of a range that are in VRAM now. */
static unsigned long
nouveau_svm_range_vram(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	unsigned long npages = nouveau_svm_range_pages(range), i, j, nr = 0;

	lockdep_assert_held(&vm->lock);
	drm_gpusvm_notifier_lock(&vm->gpusvm);
	if (drm_gpusvm_pages_valid(&vm->gpusvm, &range->pages)) {
		for (i = 0, j = 0; i < npages; j++) {
			const struct drm_pagemap_addr *addr = &range->pages.dma_addr[j];

			if (addr->proto == NOUVEAU_SVM_INTERCONNECT_VRAM)
				nr += 1UL << addr->order;
			i += 1UL << addr->order;
		}
	}
	drm_gpusvm_notifier_unlock(&vm->gpusvm);
	return nr;
}

/* Has the range been moving back and forth? Advice only. */
static bool
nouveau_svm_range_bounces(struct nouveau_svm_range *range)
{
	unsigned long now = jiffies;

	if (range->stay_until && time_before(now, range->stay_until))
		return true;
	range->stay_until = 0;

	if (!range->was_vram)
		return false;
	range->was_vram = false;

	if (!range->bounces || time_after(now, range->bounce_time +
					  NOUVEAU_SVM_BOUNCE_TIME)) {
		range->bounces = 0;
		range->bounce_time = now;
	}
	if (++range->bounces < NOUVEAU_SVM_BOUNCE_MAX)
		return false;

	range->bounces = 0;
	range->stay_until = (now + NOUVEAU_SVM_BOUNCE_STAY) | 1;
	return true;
}

/*
 * Get pages of a range that are neither in RAM nor in this device's VRAM, but
 * swapped out or in another's: those do not move here directly. Returns whether
 * there were any, and now are in RAM.
 */
static bool
nouveau_svm_range_fetch(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	unsigned long npages = nouveau_svm_range_pages(range), i;

	if (nouveau_svm_range_snapshot(vm, range, 0))
		return false;

	for (i = 0; i < npages; i++) {
		if (!(vm->pfns[i] & HMM_PFN_VALID))
			return !nouveau_svm_range_snapshot(vm, range, HMM_PFN_REQ_FAULT);
	}

	return false;
}

/*
 * From a page that is absent HMM has everything to the end of the range faulted in, by
 * which device pages come back to RAM. Where there are some, absent ones are had one by
 * one before. If that fails, who gets the pages finds out why.
 */
static void
nouveau_svm_range_fill(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range, bool ro)
{
	unsigned long npages = nouveau_svm_range_pages(range), i;
	bool valid;

	drm_gpusvm_notifier_lock(&vm->gpusvm);
	valid = drm_gpusvm_pages_valid(&vm->gpusvm, &range->pages);
	drm_gpusvm_notifier_unlock(&vm->gpusvm);
	if (valid || nouveau_svm_range_snapshot(vm, range, 0) ||
	    !nouveau_svm_range_any(vm, range, nouveau_svm_page_devmem))
		return;

	for (i = 0; i < npages; i++) {
		if (!(vm->pfns[i] & HMM_PFN_VALID) &&
		    nouveau_svm_range_fault_page(vm, range, i, ro))
			return;
	}
}

/* Is a range one huge page in RAM? */
static bool
nouveau_svm_range_huge(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	if (nouveau_svm_range_pages(range) != PFN_DOWN(SZ_2M) ||
	    nouveau_svm_range_snapshot(vm, range, 0))
		return false;

	return vm->pfns[0] & HMM_PFN_VALID &&
	       hmm_pfn_to_map_order(vm->pfns[0]) >= ilog2(PFN_DOWN(SZ_2M)) &&
	       !is_device_private_page(hmm_pfn_to_page(vm->pfns[0]));
}

/*
 * Is a page of a range merged with others (KSM)? One that was swapped out stays so where
 * nothing is merged any more. See nouveau_svm_populate_locked(). Who does not get to look
 * is told yes. Advice only.
 */
static bool
nouveau_svm_range_merged(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	return IS_ENABLED(CONFIG_KSM) &&
	       (nouveau_svm_range_snapshot(vm, range, 0) ||
		nouveau_svm_range_any(vm, range, nouveau_svm_page_merged));
}

/*
 * Is userfaultfd to be asked before some of a range is accessed (UFFDIO_REGISTER_MODE_RWP)?
 * To protect the pages notifies, to register them does not. True also for who is killed.
 */
static bool
nouveau_svm_range_guarded(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	struct mm_struct *mm = vm->gpusvm.mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	bool guarded = false;

	if (!IS_ENABLED(CONFIG_USERFAULTFD) || !mmget_not_zero(mm))
		return false;
	if (mmap_read_lock_killable(mm)) {
		mmput(mm);
		return true;
	}
	vma_iter_init(&vmi, mm, drm_gpusvm_range_start(&range->base));
	for_each_vma_range(vmi, vma, drm_gpusvm_range_end(&range->base)) {
		guarded = userfaultfd_rwp(vma);
		if (guarded)
			break;
	}
	mmap_read_unlock(mm);
	mmput(mm);
	return guarded;
}

/* Are all pages of a range in VRAM, whatever the GPU has mapped? Advice only. */
static bool
nouveau_svm_range_in_vram(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	return drm_gpusvm_scan_mm(&range->base, vm->dpagemap->pagemap->owner,
				  vm->dpagemap->pagemap) == DRM_GPUSVM_SCAN_EQUAL;
}

/**
 * enum nouveau_svm_piece - What keeps a piece of a range out of VRAM
 * @NOUVEAU_SVM_THERE: nothing, it is there
 * @NOUVEAU_SVM_MAY_MOVE: somebody who holds a page in passing, if anybody
 * @NOUVEAU_SVM_HELD: a page that is pinned or not anonymous, or in VRAM by itself
 */
enum nouveau_svm_piece {
	NOUVEAU_SVM_THERE,
	NOUVEAU_SVM_MAY_MOVE,
	NOUVEAU_SVM_HELD,
};

/* Of pages of the last snapshot, which is valid. */
static enum nouveau_svm_piece
nouveau_svm_piece(struct nouveau_svm_vm *vm, unsigned long first, unsigned long npages)
{
	unsigned long i, there = 0;
	bool held = false;

	for (i = first; i < first + npages; i++) {
		struct folio *folio;

		if (!(vm->pfns[i] & HMM_PFN_VALID))
			continue;
		folio = page_folio(hmm_pfn_to_page(vm->pfns[i]));
		if (folio_is_device_private(folio))
			there++;
		else if (!folio_test_anon(folio) || folio_maybe_dma_pinned(folio))
			held = true;
	}

	if (there == npages)
		return NOUVEAU_SVM_THERE;
	return there || held ? NOUVEAU_SVM_HELD : NOUVEAU_SVM_MAY_MOVE;
}

/*
 * Look at a range in pieces of @size, and write into @wanted which are not in VRAM, and
 * with @again only those that may move. Returns 0 if there are none, -EBUSY if there
 * are, or if that cannot be told.
 */
static int
nouveau_svm_range_wanted(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			 unsigned long size, bool again, u32 *wanted)
{
	unsigned long npages = nouveau_svm_range_pages(range), chunk = PFN_DOWN(size), i;
	enum nouveau_svm_piece piece;

	*wanted = 0;
	if (nouveau_svm_range_snapshot(vm, range, 0))
		return -EBUSY;

	/* As long as the snapshot is valid its pages are not freed. */
	drm_gpusvm_notifier_lock(&vm->gpusvm);
	if (mmu_interval_read_retry(&range->base.notifier->notifier, vm->seq)) {
		drm_gpusvm_notifier_unlock(&vm->gpusvm);
		return -EBUSY;
	}
	for (i = 0; i < npages; i += chunk) {
		piece = nouveau_svm_piece(vm, i, chunk);
		if (piece == NOUVEAU_SVM_MAY_MOVE || (piece == NOUVEAU_SVM_HELD && !again))
			*wanted |= BIT(i / chunk);
	}
	drm_gpusvm_notifier_unlock(&vm->gpusvm);

	return *wanted ? -EBUSY : 0;
}

/* Wait a moment, if there are pieces of a range for which that may be of use. */
static bool
nouveau_svm_range_settle(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			 unsigned long size, u32 *wanted)
{
	nouveau_svm_range_wanted(vm, range, size, true, wanted);
	if (!*wanted)
		return false;

	usleep_range(1000, 2000);
	return true;
}

/*
 * Move pieces of a range, each of which moves or stays, by itself.
 * Returns -ENOSPC if there was not enough VRAM, or an error if some stayed, else 0.
 */
static int
nouveau_svm_range_migrate_pieces(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
				 unsigned long size, u32 wanted)
{
	unsigned long start = drm_gpusvm_range_start(&range->base);
	int ret = 0, err;

	for (; wanted; wanted >>= 1, start += size) {
		if (!(wanted & 1))
			continue;
		err = nouveau_svm_dmem_populate(vm->dpagemap, vm->gpusvm.mm, start,
						start + size);
		if (err == -ENOSPC || err == -ENODEV)
			return err;
		/* Of several reasons the one that may pass. */
		if (err == -EBUSY || !ret)
			ret = err;
	}

	return ret;
}

/*
 * Move a range to VRAM as far as that is possible. One page that cannot move
 * keeps a block where it is, so a large range is tried again in small pieces.
 * A huge page is tried again as a whole before: a block in pieces stays in pieces.
 * Others hold a page in passing, as DAMON does, or have it to themselves, as khugepaged
 * and compaction. Who asks for the memory to be moved waits a moment for them, faults do
 * not. Who pins a page for DMA says so, and may keep it for good.
 * Returns -ENOSPC if there was not enough VRAM for all of it, else 0.
 */
static int
nouveau_svm_range_migrate(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			  bool evict)
{
	unsigned long start = drm_gpusvm_range_start(&range->base);
	unsigned long size = drm_gpusvm_range_size(&range->base);
	struct mm_struct *mm = vm->gpusvm.mm;
	u32 wanted;
	int ret, try;

	range->moved = nouveau_svm_range_in_vram(vm, range);
	if (range->moved)
		return 0;
	if (!evict && nouveau_svm_range_bounces(range))
		return 0;
	/* Of a part of it, too: or the rest would go, and be brought back. */
	if (nouveau_svm_range_merged(vm, range) || nouveau_svm_range_guarded(vm, range))
		goto stays;

	ret = nouveau_svm_dmem_populate(vm->dpagemap, mm, start, start + size);
	if ((ret == -EBUSY || ret == -E2BIG) && evict && nouveau_svm_range_fetch(vm, range)) {
		/* What was swapped out may come back merged. */
		if (nouveau_svm_range_merged(vm, range))
			goto stays;
		ret = nouveau_svm_dmem_populate(vm->dpagemap, mm, start, start + size);
	}
	for (try = 0; ret == -EBUSY && try < NOUVEAU_SVM_PASSES &&
	     nouveau_svm_range_huge(vm, range); try++) {
		if (evict && !nouveau_svm_range_settle(vm, range, size, &wanted))
			break;
		ret = nouveau_svm_dmem_populate(vm->dpagemap, mm, start, start + size);
	}
	/* Of a hole that became a huge page drm_pagemap counts one page only. */
	if (ret == -EBUSY && nouveau_svm_range_in_vram(vm, range))
		ret = 0;
	/* Or a large range lies in two VMAs by now. */
	if (size == SZ_2M && (ret == -EBUSY || ret == -E2BIG || ret == -EINVAL)) {
		size = SZ_64K;
		ret = nouveau_svm_range_wanted(vm, range, size, false, &wanted);
		if (wanted)
			ret = nouveau_svm_range_migrate_pieces(vm, range, size, wanted);
	}
	for (try = 0; ret == -EBUSY && evict && try < NOUVEAU_SVM_PASSES &&
	     nouveau_svm_range_settle(vm, range, size, &wanted); try++)
		ret = nouveau_svm_range_migrate_pieces(vm, range, size, wanted);
	range->moved = !ret;
	if (ret)
		nouveau_svm_count(vm->svm, NOUVEAU_SVM_STAT_MIGRATE_FAIL, 1);
	return ret == -ENOSPC ? ret : 0;

stays:
	nouveau_svm_count(vm->svm, NOUVEAU_SVM_STAT_MIGRATE_FAIL, 1);
	return 0;
}

/*
 * HMM gives the first page of a huge device page for whatever address within it a walk
 * begins at (hmm_vma_handle_absent_pmd()). How far off is a range that begins in the
 * middle of one? Others have moved the block, so this address space's range is smaller.
 */
static u32
nouveau_svm_range_skew(struct nouveau_svm_range *range, unsigned long pfn)
{
	unsigned long first = drm_gpusvm_range_start(&range->base) >> PAGE_SHIFT;
	unsigned int order = hmm_pfn_to_map_order(pfn);
	struct page *page = hmm_pfn_to_page(pfn);

	if (!is_device_private_page(page) || !order)
		return 0;

	return ((first & ((1UL << order) - 1)) -
		folio_page_idx(page_folio(page), page)) << PAGE_SHIFT;
}

/*
 * A page that the GPU may write to is dirty, whatever the CPU's page table says: tmpfs,
 * for one, maps a page writable that was only read, and a clean page is dropped by
 * reclaim and not swapped out. Memory that was given up by MADV_FREE is clean as well,
 * and so it is when it comes back from VRAM, unless this tells otherwise. Where there is
 * writeback a page becomes writable by a fault that dirties it (vma_wants_writenotify()).
 * For the others no lock is taken.
 */
static void
nouveau_svm_folio_dirty(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);

	if (!mapping || !mapping_can_writeback(mapping))
		folio_mark_dirty(folio);
}

/*
 * Look at the pages of a range that were got, and at what the GPU may do to them unless
 * they are for reading. Device pages are shared for reading after fork(), and HMM gives
 * them out for writing all the same: it does not fault on its owner's pages. Those to
 * be written to become dirty. Both hold as long as the pages stay valid, because fork()
 * notifies, and nobody cleans a page without a notification. Nor does it ask userfaultfd.
 *
 * Return: 0. -EPERM: device pages that must not be written to. -EOPNOTSUPP: device pages
 * that must not even be read. -EAGAIN: not valid any more. Other errors of HMM.
 */
static int
nouveau_svm_range_look(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range, bool ro)
{
	unsigned long first = drm_gpusvm_range_start(&range->base) >> PAGE_SHIFT;
	unsigned long npages = nouveau_svm_range_pages(range), i;
	struct folio *folio, *last = NULL;
	bool guarded;
	int ret;

	ret = nouveau_svm_range_snapshot(vm, range, 0);
	if (ret)
		return ret == -EBUSY ? -EAGAIN : ret;
	guarded = nouveau_svm_range_any(vm, range, nouveau_svm_page_devmem) &&
		  nouveau_svm_range_guarded(vm, range);

	/* As long as they are valid pages are not freed, nor taken from their file. */
	drm_gpusvm_notifier_lock(&vm->gpusvm);
	if (!drm_gpusvm_pages_valid(&vm->gpusvm, &range->pages))
		ret = -EAGAIN;
	else
		range->skew = vm->pfns[0] & HMM_PFN_VALID ?
			      nouveau_svm_range_skew(range, vm->pfns[0]) : 0;

	for (i = 0; i < npages && !ret;) {
		unsigned long pfn = vm->pfns[i];
		unsigned int order = hmm_pfn_to_map_order(pfn);

		/* A page that is ours alone is not there for HMM. */
		if (range->exclusive && test_bit(i, range->exclusive)) {
			i++;
			continue;
		}
		if (!(pfn & HMM_PFN_VALID)) {
			ret = -EAGAIN;
			break;
		}
		folio = page_folio(hmm_pfn_to_page(pfn));
		if (guarded && folio_is_device_private(folio)) {
			ret = -EOPNOTSUPP;
			break;
		}
		if (!ro && folio_is_device_private(folio) && !(pfn & HMM_PFN_WRITE)) {
			ret = -EPERM;
			break;
		}
		if (!ro && folio != last && pfn & HMM_PFN_WRITE) {
			nouveau_svm_folio_dirty(folio);
			last = folio;
		}
		/* A large mapping may begin before the range. */
		i = ALIGN_DOWN(i + first, 1UL << order) + (1UL << order) - first;
	}
	/* Pairs with READ_ONCE() in nouveau_svm_vm_make_present(). */
	WRITE_ONCE(range->pages_known, !ret);
	drm_gpusvm_notifier_unlock(&vm->gpusvm);

	return ret;
}

/* Let the GPU, and nobody else, have a page of anonymous system memory. */
static int
nouveau_svm_range_make_exclusive(struct nouveau_svm_vm *vm,
				 struct nouveau_svm_range *range, u64 addr)
{
	unsigned long first = drm_gpusvm_range_start(&range->base);
	struct mm_struct *mm = vm->gpusvm.mm;
	unsigned long *exclusive;
	struct folio *folio;
	struct page *page;
	int ret;

	if (!range->exclusive) {
		exclusive = bitmap_zalloc(nouveau_svm_range_pages(range),
					  GFP_KERNEL);
		if (!exclusive)
			return -ENOMEM;
		/* Notifications look at it. */
		drm_gpusvm_notifier_lock(&vm->gpusvm);
		range->exclusive = exclusive;
		drm_gpusvm_notifier_unlock(&vm->gpusvm);
	}

	if (!mmget_not_zero(mm))
		return -EFAULT;
	mmap_read_lock(mm);
	page = make_device_exclusive(mm, addr & PAGE_MASK, vm, &folio);
	mmap_read_unlock(mm);
	if (IS_ERR(page)) {
		ret = PTR_ERR(page);
		if (ret == -EBUSY)
			ret = -EAGAIN;
		else if (ret != -ENOMEM && ret != -EINTR && ret != -EFAULT)
			ret = -EACCES; /* File, shmem, hugetlb. */
		goto put;
	}

	/* Nobody takes the right away while the folio is locked. */
	ret = nouveau_svm_range_bind(vm, range, false, (addr - first) >> PAGE_SHIFT);
	folio_unlock(folio);
	folio_put(folio);
	if (!ret)
		nouveau_svm_count(vm->svm, NOUVEAU_SVM_STAT_EXCLUSIVE, 1);
put:
	mmput(mm);
	return ret;
}

/*
 * Give up a range of which some pages cannot be had: they have other rights than
 * the rest since mprotect(), are guarded, or lie beyond the end of a file. What is
 * made next around @addr is smaller. Returns false if it cannot be.
 */
static bool
nouveau_svm_range_shrink(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range,
			 u64 addr, unsigned long *gs, unsigned long *ge)
{
	unsigned long size = drm_gpusvm_range_size(&range->base);
	unsigned long next = size > SZ_64K ? SZ_64K : SZ_4K;

	if (size <= SZ_4K)
		return false;

	nouveau_svm_range_remove(vm, range);
	*gs = max_t(unsigned long, *gs, ALIGN_DOWN(addr, next));
	*ge = min_t(unsigned long, *ge, ALIGN_DOWN(addr, next) + next);
	return true;
}

/*
 * Have pages brought to RAM that cannot be had where they are. Returns -EAGAIN: look
 * again. -ENOMEM if memory runs short, -EINTR if killed: it makes no sense to go on.
 */
static int
nouveau_svm_range_to_ram(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	int ret = drm_gpusvm_range_evict(&vm->gpusvm, &range->base);

	return ret == -ENOMEM || ret == -EINTR ? ret : -EAGAIN;
}

/*
 * Is there memory in a range that is a device's, and not private? drm_gpusvm maps no DAX,
 * and to have it brought to RAM changes nothing.
 */
static bool
nouveau_svm_range_has_foreign(struct nouveau_svm_vm *vm, struct nouveau_svm_range *range)
{
	return !nouveau_svm_range_snapshot(vm, range, 0) &&
	       nouveau_svm_range_any(vm, range, nouveau_svm_page_foreign);
}

/**
 * enum nouveau_svm_where - Where memory should be
 * @NOUVEAU_SVM_ASIS: where it is
 * @NOUVEAU_SVM_VRAM: in VRAM, if there is some and it does not bounce
 * @NOUVEAU_SVM_VRAM_EVICT: in VRAM, and -ENOSPC if there is none
 * @NOUVEAU_SVM_RAM: in system memory
 */
enum nouveau_svm_where {
	NOUVEAU_SVM_ASIS,
	NOUVEAU_SVM_VRAM,
	NOUVEAU_SVM_VRAM_EVICT,
	NOUVEAU_SVM_RAM,
};

/*
 * Does a file system want to be told before its file is written to? Then it makes room
 * for the page, and the file is a changed one: to read is no reason.
 */
static bool
nouveau_svm_vm_tells(struct nouveau_svm_vm *vm, unsigned long addr)
{
	struct mm_struct *mm = vm->gpusvm.mm;
	struct vm_area_struct *vma;
	bool tells;

	if (!mmget_not_zero(mm))
		return false;
	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	tells = vma && vma->vm_flags & VM_SHARED && vma->vm_ops && vma->vm_ops->page_mkwrite;
	mmap_read_unlock(mm);
	mmput(mm);
	return tells;
}

/* Make memory present for the GPU. */
static int
nouveau_svm_vm_make_present(struct nouveau_svm_vm *vm, u64 addr, u8 access,
			    unsigned long gs, unsigned long ge,
			    enum nouveau_svm_where where, bool *spurious,
			    struct nouveau_svm_range **prange)
{
	struct drm_gpusvm_ctx ctx = {
		.devmem_possible = !!vm->dpagemap,
		.allow_mixed = true,
	};
	bool reads = access == NOUVEAU_SVM_ACCESS_READ ||
		     access == NOUVEAU_SVM_ACCESS_PREFETCH;
	bool atomic = access == NOUVEAU_SVM_ACCESS_ATOMIC;
	struct nouveau_svm_range *range;
	struct drm_gpusvm_range *base;
	unsigned int try, refused = 0;
	int ret = -EBUSY;

	lockdep_assert_held(&vm->lock);
	*spurious = false;
	ctx.read_only = reads && nouveau_svm_vm_tells(vm, addr);

	for (try = 0; try < NOUVEAU_SVM_TRIES; try++) {
		nouveau_svm_vm_collect(vm);

		ctx.device_private_page_owner = NULL;
		if (vm->dpagemap && where != NOUVEAU_SVM_RAM)
			ctx.device_private_page_owner = vm->dpagemap->pagemap->owner;

		base = drm_gpusvm_range_find_or_insert(&vm->gpusvm, addr, gs, ge, &ctx);
		if (PTR_ERR_OR_ZERO(base) == -EPERM && !ctx.read_only && reads) {
			ctx.read_only = true;
			base = drm_gpusvm_range_find_or_insert(&vm->gpusvm, addr, gs, ge,
							       &ctx);
		}
		if (IS_ERR(base)) {
			ret = PTR_ERR(base);
			if (ret == -EPERM)
				return -EACCES;
			return ret == -ENOENT || ret == -EINVAL ? -EFAULT : ret;
		}
		range = to_nouveau_svm_range(base);
		*prange = range;

		if (!try && nouveau_svm_range_present(vm, range, addr, access) &&
		    (where <= NOUVEAU_SVM_VRAM ||
		     (where == NOUVEAU_SVM_VRAM_EVICT &&
		      nouveau_svm_range_vram(vm, range) ==
		      nouveau_svm_range_pages(range)))) {
			*spurious = true;
			return 0;
		}

		/* Rights may grow: what was got for reading has to be got again. */
		if (!ctx.read_only && range->pages_ro) {
			nouveau_svm_range_zap(vm, range);
			drm_gpusvm_unmap_pages(&vm->gpusvm, &range->pages,
					       nouveau_svm_range_pages(range),
					       &(struct drm_gpusvm_ctx){});
			range->pages_ro = false;
			WRITE_ONCE(range->pages_known, false);
		}

		ret = 0;
		if (where == NOUVEAU_SVM_RAM) {
			ret = drm_gpusvm_range_evict(&vm->gpusvm, base);
		} else if (where != NOUVEAU_SVM_ASIS && !try && vm->dpagemap &&
			   nouveau_svm_range_may_migrate(range) &&
			   (where == NOUVEAU_SVM_VRAM_EVICT ||
			    ((atomic || drm_gpusvm_range_size(base) >= SZ_64K) &&
			     !nouveau_svm_range_has_exclusive(vm, range)))) {
			ret = nouveau_svm_range_migrate(vm, range,
							where == NOUVEAU_SVM_VRAM_EVICT);
			/* The caller can make room, where it holds no lock. */
			if (ret && where == NOUVEAU_SVM_VRAM_EVICT)
				return ret;
			ret = 0;
		}

		if (!ret && vm->dpagemap && where != NOUVEAU_SVM_RAM)
			nouveau_svm_range_fill(vm, range, ctx.read_only);
		if (!ret)
			ret = drm_gpusvm_get_pages(&vm->gpusvm, &range->pages,
						   vm->gpusvm.mm,
						   &base->notifier->notifier,
						   drm_gpusvm_range_start(base),
						   drm_gpusvm_range_end(base), &ctx);
		if (ret == -EOPNOTSUPP) {
			if (nouveau_svm_range_has_foreign(vm, range)) {
				nouveau_svm_range_remove(vm, range);
				return -EACCES;
			}
			ret = nouveau_svm_range_to_ram(vm, range);
			if (ret != -EAGAIN)
				return ret;
			continue;
		}
		/* A page of the range is not as the others. Is it the one? */
		if ((ret == -EFAULT || ret == -EPERM) &&
		    nouveau_svm_range_shrink(vm, range, addr, &gs, &ge))
			continue;
		/* There may be no room for what a write would make. */
		if (ret == -EFAULT && reads && !ctx.read_only) {
			ctx.read_only = true;
			continue;
		}
		if (ret == -EFAULT || ret == -EPERM) {
			if (++refused < NOUVEAU_SVM_REFUSALS)
				continue;
			/* No page of it can be had: do not keep a range for each. */
			nouveau_svm_range_remove(vm, range);
			return ret == -EPERM ? -EACCES : ret;
		}
		if (ret == -EAGAIN)
			continue;
		if (ret)
			return ret;
		range->pages_ro = ctx.read_only;

		/* Advice only: who finds that they are not valid any more starts anew. */
		if (!READ_ONCE(range->pages_known)) {
			ret = nouveau_svm_range_look(vm, range, ctx.read_only);
			if (ret == -EPERM && reads) {
				/* Reading is no reason to end the sharing. */
				ctx.read_only = true;
			} else if (ret == -EPERM || ret == -EOPNOTSUPP) {
				/* In RAM they can be copied on write, and asked for. */
				ret = nouveau_svm_range_to_ram(vm, range);
				if (ret != -EAGAIN)
					return ret;
				continue;
			} else if (ret == -EAGAIN) {
				continue;
			} else if (ret) {
				return ret;
			}
			range->pages_ro = ctx.read_only;
		}

		/* What is there may do but for the atomics. Advice only. */
		if (!atomic || !READ_ONCE(range->live))
			ret = nouveau_svm_range_bind(vm, range, ctx.read_only, -1);
		/* Splits a large leaf: the page turned out to be in RAM. */
		if (!ret && atomic && !nouveau_svm_range_present(vm, range, addr, access)) {
			ret = nouveau_svm_range_make_exclusive(vm, range, addr);
			/* Not writable, or gone since, and to be waited for anew. */
			if (ret == -EFAULT)
				ret = ++refused < NOUVEAU_SVM_REFUSALS ? -EAGAIN : -EACCES;
		}
		if (ret != -EAGAIN)
			return ret;
	}

	return ret == -EAGAIN ? -EBUSY : ret;
}

/**
 * nouveau_svm_vm_fault() - Resolve a GPU fault
 * @vm: the address space
 * @addr: the page
 * @access: NOUVEAU_SVM_ACCESS_*
 * @spurious: returns whether there was nothing to do
 *
 * Called with &nouveau_svm_vm.lock held.
 *
 * Return: 0, then the access will succeed when it is replayed. -EFAULT: there is
 * no memory, or the process is gone. -EACCES: no right to access it that way.
 * -ENOMEM: memory ran out. -EBUSY: it did not hold still. -EIO: not mappable.
 * -EINTR: the client goes.
 */
int
nouveau_svm_vm_fault(struct nouveau_svm_vm *vm, u64 addr, u8 access, bool *spurious)
{
	enum nouveau_svm_where where = NOUVEAU_SVM_ASIS;
	struct nouveau_svm_range *range;
	unsigned long gs, ge;
	int ret;

	ret = nouveau_svm_vm_region(vm, addr, &gs, &ge);
	if (ret)
		return ret;

	if (vm->dpagemap && (READ_ONCE(nouveau_svm_migrate_on_fault) ||
			     access == NOUVEAU_SVM_ACCESS_ATOMIC))
		where = NOUVEAU_SVM_VRAM;

	return nouveau_svm_vm_make_present(vm, addr, access, gs, ge, where,
					   spurious, &range);
}

/*
 * The first address from @start on that the process may read, so that there is
 * something to move or map. ULONG_MAX if there is none before @end.
 */
static unsigned long
nouveau_svm_vm_readable(struct nouveau_svm_vm *vm, unsigned long start, unsigned long end)
{
	struct mm_struct *mm = vm->gpusvm.mm;
	unsigned long addr = ULONG_MAX;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	if (!mmget_not_zero(mm))
		return addr;
	mmap_read_lock(mm);
	vma_iter_init(&vmi, mm, start);
	for_each_vma_range(vmi, vma, end) {
		if (!(vma->vm_flags & VM_READ) ||
		    vma->vm_flags & (VM_IO | VM_PFNMAP) || vma_is_dax(vma))
			continue;
		addr = max(start, vma->vm_start);
		break;
	}
	mmap_read_unlock(mm);
	mmput(mm);
	return addr;
}

/**
 * struct nouveau_svm_prefetch - Memory that a process wants moved and mapped
 *
 * On the stack of who waits for it. The thread has it while it is listed, or its turn.
 */
struct nouveau_svm_prefetch {
	/** @link: in &nouveau_svm_vm.prefetch, empty when it is its turn. Under queue.lock. */
	struct list_head link;
	/** @done: the thread is done with it */
	struct completion done;
	/** @stop: nobody waits for the rest. Under queue.lock. */
	bool stop;
	/** @ret: why the thread is: 0 if nothing is left of it */
	int ret;

	/** @start: first address that is still to be looked at */
	u64 start;
	/** @end: address after the last */
	u64 end;
	/** @vram: to VRAM, else to system memory */
	bool vram;
	/** @stay: there is no VRAM for what is at @start */
	bool stay;
	/** @tries: how often that was tried */
	unsigned int tries;
	/** @size: bytes that it takes, if @ret is -ENOSPC */
	unsigned long size;
	/** @svm: the device that shall have them */
	struct nouveau_svm_dev *svm;
	/** @again: how often what is at @start has left VRAM before it was mapped */
	unsigned int again;
	/** @pages: pages that are where they should be */
	u64 pages;
	/** @first: error of the first range that could not be had */
	int first;
};

/*
 * Move and map one range.
 *
 * Return: 0 if there may be more to do. -ENOSPC if others have to give up VRAM first.
 * -EINTR if killed, -ENODEV if the address space is closed.
 */
static int
nouveau_svm_vm_prefetch_range(struct nouveau_svm_vm *vm, struct nouveau_svm_prefetch *prefetch)
{
	enum nouveau_svm_where where = NOUVEAU_SVM_RAM;
	struct nouveau_svm_range *range;
	unsigned long gs, ge, nr;
	bool spurious;
	int ret;

	lockdep_assert_held(&vm->lock);
	if (nouveau_svm_vm_going(vm))
		return -ENODEV;
	if (prefetch->vram)
		where = vm->dpagemap && !prefetch->stay ? NOUVEAU_SVM_VRAM_EVICT :
			NOUVEAU_SVM_ASIS;

	prefetch->start = nouveau_svm_vm_readable(vm, prefetch->start, prefetch->end);
	if (nouveau_svm_vm_region(vm, prefetch->start, &gs, &ge)) {
		if (prefetch->start < vm->hole.end)
			prefetch->start = vm->hole.end;
		else
			prefetch->start = prefetch->end;
		return 0;
	}

	/* New ranges keep to what was asked for. */
	ret = nouveau_svm_vm_make_present(vm, prefetch->start, NOUVEAU_SVM_ACCESS_PREFETCH,
					  max_t(u64, gs, prefetch->start),
					  min_t(u64, ge, prefetch->end), where,
					  &spurious, &range);
	if (ret == -ENOSPC && where == NOUVEAU_SVM_VRAM_EVICT) {
		prefetch->size = drm_gpusvm_range_size(&range->base);
		prefetch->svm = vm->svm;
		return ret;
	}
	if (ret == -EINTR)
		return ret;
	/* Try once more: to leave a page out would cut up its block. */
	if (ret == -ENOMEM && !prefetch->tries++)
		return 0;
	prefetch->tries = 0;
	nr = ret ? 0 : nouveau_svm_range_vram(vm, range);
	/*
	 * khugepaged, which looked at a range before, brings all of it back, and so does who
	 * touches it.
	 */
	if (!ret && where == NOUVEAU_SVM_VRAM_EVICT && range->moved &&
	    nr < nouveau_svm_range_pages(range) && prefetch->again++ < NOUVEAU_SVM_PASSES)
		return 0;
	prefetch->again = 0;
	prefetch->stay = false;
	if (!ret) {
		if (!prefetch->vram)
			nr = nouveau_svm_range_pages(range) - nr;
		/* A range that was there already may be larger than what was asked for. */
		ge = min_t(u64, drm_gpusvm_range_end(&range->base), prefetch->end);
		prefetch->pages += min_t(u64, nr, PHYS_PFN(ge - prefetch->start));
		prefetch->start = drm_gpusvm_range_end(&range->base);
	} else {
		prefetch->start += PAGE_SIZE;
		prefetch->first = prefetch->first ?: ret;
	}
	return 0;
}

/* A range of who waits longest. What the GPU waits for goes before the next. */
static void
nouveau_svm_vm_prefetch_work(struct kthread_work *work)
{
	struct nouveau_svm_vm *vm = container_of(work, struct nouveau_svm_vm, prefetch.work);
	struct nouveau_svm_prefetch *prefetch;
	int ret;

	spin_lock(&vm->queue.lock);
	prefetch = list_first_entry_or_null(&vm->prefetch.list, struct nouveau_svm_prefetch,
					    link);
	if (prefetch)
		list_del_init(&prefetch->link);
	vm->prefetch.now = prefetch;
	spin_unlock(&vm->queue.lock);
	if (!prefetch)
		return;

	mutex_lock(&vm->lock);
	ret = nouveau_svm_vm_prefetch_range(vm, prefetch);
	mutex_unlock(&vm->lock);

	spin_lock(&vm->queue.lock);
	vm->prefetch.now = NULL;
	/* It was for this one. With one, a thread does not sleep. */
	flush_signals(current);
	if (prefetch->start >= prefetch->end)
		ret = 0;
	else if (vm->prefetch.over)
		ret = -ENODEV;
	else if (!ret && prefetch->stop)
		ret = -EINTR;
	else if (!ret)
		list_add_tail(&prefetch->link, &vm->prefetch.list);

	/* Then it is gone, as the stack that it is on may be. */
	if (list_empty(&prefetch->link)) {
		prefetch->ret = ret;
		complete(&prefetch->done);
	}
	if (!list_empty(&vm->prefetch.list))
		kthread_queue_work(vm->worker, work);
	spin_unlock(&vm->queue.lock);
}

/* Have the thread do it, and wait until it has. Return: as @prefetch says, or -EINTR. */
static int
nouveau_svm_vm_prefetch_wait(struct nouveau_svm_vm *vm, struct nouveau_svm_prefetch *prefetch)
{
	if (signal_pending(current))
		return -EINTR;

	spin_lock(&vm->queue.lock);
	if (vm->prefetch.over) {
		spin_unlock(&vm->queue.lock);
		return -ENODEV;
	}
	list_add_tail(&prefetch->link, &vm->prefetch.list);
	kthread_queue_work(vm->worker, &vm->prefetch.work);
	spin_unlock(&vm->queue.lock);
	if (!wait_for_completion_interruptible(&prefetch->done))
		return prefetch->ret;

	spin_lock(&vm->queue.lock);
	prefetch->stop = true;
	if (!list_empty(&prefetch->link)) {
		list_del_init(&prefetch->link);
		prefetch->ret = -EINTR;
		complete(&prefetch->done);
	}
	spin_unlock(&vm->queue.lock);

	/* A range that was begun and gets on is finished: each attempt gets something done. */
	if (wait_for_completion_timeout(&prefetch->done, NOUVEAU_SVM_STOP))
		return prefetch->ret;

	/* But not if its page does not come. */
	spin_lock(&vm->queue.lock);
	if (vm->prefetch.now == prefetch)
		send_sig(SIGKILL, vm->worker->task, 1);
	spin_unlock(&vm->queue.lock);
	wait_for_completion(&prefetch->done);
	return prefetch->ret;
}

/**
 * nouveau_svm_vm_prefetch() - Move memory and map it, before it is touched
 * @vm: the address space
 * @start: first address
 * @end: address after the last
 * @vram: to VRAM, else to system memory
 * @pages: returns the number of pages that are there afterwards
 *
 * Best effort: what cannot move is left out of the count, which is all if the device
 * has no VRAM to offer. Memory that the process has not mapped, or may not read, is
 * skipped. Others are made to give up VRAM by the caller, who holds no lock: what they
 * do with it may wait for a fault to be served. All else the address space's thread
 * does, which can be killed when a page does not come.
 *
 * Return: 0, -EINTR if interrupted, -ENODEV if the device goes, or an error of the
 * first range if nothing could be done.
 */
int
nouveau_svm_vm_prefetch(struct nouveau_svm_vm *vm, u64 start, u64 end, bool vram,
			u64 *pages)
{
	struct nouveau_svm_prefetch prefetch = {
		.link = LIST_HEAD_INIT(prefetch.link),
		.done = COMPLETION_INITIALIZER_ONSTACK(prefetch.done),
		.start = start,
		.end = end,
		.vram = vram,
	};
	int ret;

	while ((ret = nouveau_svm_vm_prefetch_wait(vm, &prefetch)) == -ENOSPC) {
		/* The client is not closed during its own system call. */
		if (prefetch.tries++ < NOUVEAU_SVM_ROOM_TRIES)
			ret = nouveau_svm_dmem_make_room(prefetch.svm, prefetch.size);
		if (ret == -ERESTARTSYS || ret == -EINTR) {
			ret = -EINTR;
			break;
		}
		/* There is none to be had: this one stays where it is. */
		prefetch.stay = ret;
	}

	*pages = prefetch.pages;
	return ret || prefetch.pages ? ret : prefetch.first;
}

/**
 * nouveau_svm_vm_end_prefetch() - Let nobody wait for prefetch any more
 * @vm: the address space
 *
 * The device goes: a system call may wait for a page that a process keeps back, and
 * removal for the system call.
 */
void
nouveau_svm_vm_end_prefetch(struct nouveau_svm_vm *vm)
{
	struct nouveau_svm_prefetch *prefetch, *next;

	spin_lock(&vm->queue.lock);
	vm->prefetch.over = true;
	list_for_each_entry_safe(prefetch, next, &vm->prefetch.list, link) {
		list_del_init(&prefetch->link);
		prefetch->ret = -ENODEV;
		complete(&prefetch->done);
	}
	if (vm->prefetch.now)
		send_sig(SIGKILL, vm->worker->task, 1);
	spin_unlock(&vm->queue.lock);
}

/**
 * nouveau_svm_look() - Take a lock only to look at what it protects
 * @lock: one that others may hold for as long as a process keeps a page back
 *
 * Return: true with @lock held, false if it cannot be had.
 */
bool
nouveau_svm_look(struct mutex *lock)
{
	unsigned int i;

	for (i = 0; i < NOUVEAU_SVM_LOOK; i++) {
		if (mutex_trylock(lock))
			return true;
		if (signal_pending(current))
			break;
		usleep_range(1000, 2000);
	}

	return false;
}

/**
 * nouveau_svm_vm_look() - Take the lock of an address space only to look at it
 * @vm: the address space
 *
 * Service of a fault, or a prefetch, may hold it for as long as a process keeps a page
 * back. Who only looks does not wait for that.
 *
 * Return: true with &nouveau_svm_vm.lock held, false if it cannot be had.
 */
bool
nouveau_svm_vm_look(struct nouveau_svm_vm *vm)
{
	return nouveau_svm_look(&vm->lock);
}

/**
 * nouveau_svm_vm_resident() - Count an address space's memory in VRAM
 * @vm: the address space
 *
 * Return: bytes of it that are mapped and in VRAM; the last answer if service of a
 * fault, or a prefetch, takes long.
 */
u64
nouveau_svm_vm_resident(struct nouveau_svm_vm *vm)
{
	struct drm_gpusvm_notifier *notifier;
	u64 pages = 0;

	if (!nouveau_svm_vm_look(vm))
		return READ_ONCE(vm->resident) << PAGE_SHIFT;

	if (vm->svm) {
		drm_gpusvm_for_each_notifier(notifier, &vm->gpusvm, 0, LONG_MAX) {
			struct drm_gpusvm_range *base = NULL;

			drm_gpusvm_for_each_range(base, notifier, 0, LONG_MAX)
				pages += nouveau_svm_range_vram(vm, to_nouveau_svm_range(base));
		}
	}
	/* Pairs with READ_ONCE() above. */
	WRITE_ONCE(vm->resident, pages);
	mutex_unlock(&vm->lock);
	return pages << PAGE_SHIFT;
}

/* Life. */

/* Signals are ignored by a thread of the kernel's unless it says otherwise itself. */
static void
nouveau_svm_vm_allow_kill(struct kthread_work *work)
{
	allow_kernel_signal(SIGKILL);
}

/* The end of what a thread has to do. */
static void
nouveau_svm_vm_rest_work(struct kthread_work *work)
{
	struct nouveau_svm_vm *vm = container_of(work, struct nouveau_svm_vm, rest.work);

	/* With one, a thread does not sleep. */
	flush_signals(current);
	complete(&vm->rest.done);
}

static int
nouveau_svm_vm_start(struct nouveau_svm_vm *vm, kthread_work_func_t service)
{
	struct kthread_work allow;

	vm->pid = task_pid_nr(current);
	kthread_init_work(&vm->work, service);
	kthread_init_work(&vm->rest.work, nouveau_svm_vm_rest_work);
	init_completion(&vm->rest.done);
	kthread_init_work(&vm->gc_work, nouveau_svm_vm_gc_work);
	kthread_init_work(&vm->prefetch.work, nouveau_svm_vm_prefetch_work);
	vm->worker = kthread_run_worker(0, "nouveau_svm/%d", vm->pid);
	if (IS_ERR(vm->worker))
		return PTR_ERR(vm->worker);

	/* The GPU waits for it. */
	set_user_nice(vm->worker->task, MIN_NICE);
	kthread_init_work(&allow, nouveau_svm_vm_allow_kill);
	kthread_queue_work(vm->worker, &allow);
	kthread_flush_work(&allow);
	return 0;
}

/* What faults pages in gives up, now and from now on. */
static void
nouveau_svm_vm_kill(struct nouveau_svm_vm *vm)
{
	/* Pairs with READ_ONCE() in nouveau_svm_vm_going(). */
	WRITE_ONCE(vm->going, true);
	send_sig(SIGKILL, vm->worker->task, 1);
	/* If it had nothing to do any more, this takes the signal away. */
	kthread_queue_work(vm->worker, &vm->gc_work);
}

/**
 * nouveau_svm_vm_new() - Mirror the current process
 * @svm: the device
 * @vmm: the GPU's address space, of RAW type, with replayable faults
 * @hole_start: first of the addresses that the client maps by itself
 * @hole_end: address after the last
 * @pvm: returns the address space, with one reference
 *
 * Return: 0. -ENOSPC: there are as many as there can be. -ENODEV: the device is going.
 * -EINTR: a signal came. -ENOMEM, or what nvkm says: memory ran out.
 */
int
nouveau_svm_vm_new(struct nouveau_svm_dev *svm, struct nouveau_vmm *vmm,
		   u64 hole_start, u64 hole_end, struct nouveau_svm_vm **pvm)
{
	static const unsigned long chunks[] = { SZ_2M, SZ_64K, SZ_4K };
	struct drm_pagemap *dpagemap;
	struct nouveau_svm_vm *vm;
	int ret;

	if (!atomic_add_unless(&svm->mirrors, 1, NOUVEAU_SVM_MIRRORS))
		return -ENOSPC;

	vm = kvzalloc_obj(*vm);
	if (!vm) {
		atomic_dec(&svm->mirrors);
		return -ENOMEM;
	}

	kref_init(&vm->ref);
	vm->svm = svm;
	vm->vmm = vmm;
	vm->hole.start = hole_start;
	vm->hole.end = hole_end;
	mutex_init(&vm->lock);
	spin_lock_init(&vm->gc_lock);
	INIT_LIST_HEAD(&vm->gc_list);
	INIT_LIST_HEAD(&vm->idle_list);
	spin_lock_init(&vm->queue.lock);
	INIT_LIST_HEAD(&vm->drained);
	INIT_LIST_HEAD(&vm->prefetch.list);
	ret = nouveau_svm_vm_start(vm, svm->fault.service);
	if (ret)
		goto err;

	dpagemap = nouveau_svm_dmem_get(svm);
	if (PTR_ERR_OR_ZERO(dpagemap) == -EINTR) {
		ret = -EINTR;
		goto err_worker;
	}
	vm->dpagemap = IS_ERR(dpagemap) ? NULL : dpagemap;

	ret = drm_gpusvm_init(&vm->gpusvm, "nouveau", current->mm, 0,
			      min_t(u64, TASK_SIZE, BIT_ULL(NOUVEAU_SVM_VA_BITS)),
			      (unsigned long)nouveau_svm_notifier_mib << 20,
			      &nouveau_svm_gpusvm_ops, chunks, ARRAY_SIZE(chunks));
	if (ret)
		goto err_pagemap;
	drm_gpusvm_driver_set_lock(&vm->gpusvm, &vm->lock);

	mutex_lock(&svm->lock);
	ret = svm->leaving ? -ENODEV : 0;
	if (!ret) {
		list_add_tail(&vm->head, &svm->vms);
		queue_delayed_work(svm->wq, &svm->fault.work, 0);
	}
	mutex_unlock(&svm->lock);
	if (ret)
		goto err_gpusvm;
	pm_runtime_get_noresume(svm->drm->dev->dev);

	*pvm = vm;
	return 0;

err_gpusvm:
	mutex_lock(&vm->lock);
	drm_gpusvm_fini(&vm->gpusvm);
	mutex_unlock(&vm->lock);
err_pagemap:
	drm_pagemap_put(vm->dpagemap);
err_worker:
	kthread_destroy_worker(vm->worker);
err:
	nouveau_svm_vm_put(vm);
	atomic_dec(&svm->mirrors);
	return ret;
}

/* Clear all leaves. What they need stays. */
static void
nouveau_svm_vm_clear_all(struct nouveau_svm_vm *vm)
{
	struct drm_gpusvm_notifier *notifier;
	struct drm_gpusvm_range *base;
	bool flush = false;

	lockdep_assert_held(&vm->lock);
	drm_gpusvm_notifier_lock(&vm->gpusvm);
	drm_gpusvm_for_each_notifier(notifier, &vm->gpusvm, 0, LONG_MAX) {
		base = NULL;
		drm_gpusvm_for_each_range(base, notifier, 0, LONG_MAX)
			flush |= nouveau_svm_range_clear(vm, to_nouveau_svm_range(base));
	}
	if (flush)
		nouveau_svm_vm_flush(vm);
	drm_gpusvm_notifier_unlock(&vm->gpusvm);
}

/**
 * nouveau_svm_vm_clear() - Clear all leaves before page tables are saved
 * @vm: the address space, whose thread is at rest
 *
 * From then on until something is bound again notifications find nothing to clear: they
 * leave page tables alone, which may be without power, and what is restored later has no
 * leaf of a page that the process has lost meanwhile. DMA mappings and references to
 * page tables stay: what is still valid is bound again by the next fault.
 *
 * Return: 0. -EBUSY if the lock cannot be had: somebody is at work.
 */
int
nouveau_svm_vm_clear(struct nouveau_svm_vm *vm)
{
	if (!nouveau_svm_vm_look(vm))
		return -EBUSY;

	nouveau_svm_vm_clear_all(vm);
	mutex_unlock(&vm->lock);
	return 0;
}

/* Clear all leaves, then give up what they needed. */
static void
nouveau_svm_vm_unmap_all(struct nouveau_svm_vm *vm)
{
	struct drm_gpusvm_ctx ctx = { .in_notifier = false };
	struct drm_gpusvm_notifier *notifier;
	struct drm_gpusvm_range *base;

	nouveau_svm_vm_clear_all(vm);

	drm_gpusvm_for_each_notifier(notifier, &vm->gpusvm, 0, LONG_MAX) {
		base = NULL;
		drm_gpusvm_for_each_range(base, notifier, 0, LONG_MAX) {
			struct nouveau_svm_range *range = to_nouveau_svm_range(base);

			drm_gpusvm_unmap_pages(&vm->gpusvm, &range->pages,
					       nouveau_svm_range_pages(range), &ctx);
			nouveau_svm_range_unref(vm, range);
		}
	}
}

/**
 * nouveau_svm_vm_going() - Is the thread of an address space to do nothing any more?
 * @vm: the address space, whose thread the caller is
 *
 * Takes the signal away that said so: with one, a thread does not sleep.
 *
 * Return: true if nothing may be done that may wait for a page.
 */
bool
nouveau_svm_vm_going(struct nouveau_svm_vm *vm)
{
	/* Pairs with WRITE_ONCE() in nouveau_svm_vm_kill(). */
	if (!READ_ONCE(vm->going))
		return false;

	flush_signals(current);
	return true;
}

/* Is a fault in service, or does one wait for it, be it behind something else? */
static bool
nouveau_svm_vm_has_faults(struct nouveau_svm_vm *vm)
{
	bool has;

	spin_lock(&vm->queue.lock);
	has = vm->serving || vm->queue.nr;
	spin_unlock(&vm->queue.lock);
	return has;
}

/**
 * nouveau_svm_vm_gets_on() - Does service of an address space's faults get on?
 * @vm: the address space
 *
 * Returns at once if there is nothing to serve, and waits for a while if there is.
 *
 * Return: false if it does not get on, because its page has to come from a process
 * that does not supply it.
 */
bool
nouveau_svm_vm_gets_on(struct nouveau_svm_vm *vm)
{
	/* Pairs with WRITE_ONCE() in nouveau_svm_fault_service(), as below. */
	unsigned int served = READ_ONCE(vm->served), i;

	for (i = 0; i < NOUVEAU_SVM_SETTLE; i++) {
		if (!nouveau_svm_vm_has_faults(vm) || READ_ONCE(vm->served) != served)
			return true;
		schedule_timeout_uninterruptible(HZ / 10);
	}

	return false;
}

/**
 * nouveau_svm_vm_settle() - The client goes, its channels are still there
 * @vm: the address space
 *
 * Faults of channels that are at work are still served. But if service of one does
 * not get on, because its page has to come from a process, maybe the one that goes,
 * it is given up: then the fault is cancelled, and the channel can end.
 */
void
nouveau_svm_vm_settle(struct nouveau_svm_vm *vm)
{
	if (!nouveau_svm_vm_gets_on(vm))
		nouveau_svm_vm_kill(vm);
}

/**
 * nouveau_svm_vm_rest() - Let the thread of an address space come to rest
 * @vm: the address space, whose queue gets no more faults
 *
 * Service that does not get on is interrupted, which leaves its faults as they are:
 * they come again when they are replayed. If even that does not end it, because a file
 * system in user space has to answer first, it goes on when that is done.
 *
 * Return: false if it has not come to rest, or left some.
 */
bool
nouveau_svm_vm_rest(struct nouveau_svm_vm *vm)
{
	unsigned int served, i;

	/* One of an earlier attempt may wait, before faults that came since. */
	kthread_cancel_work_sync(&vm->rest.work);
	/* Pairs with READ_ONCE() below; the thread is told by the queue of its work. */
	WRITE_ONCE(vm->left, false);
	reinit_completion(&vm->rest.done);
	kthread_queue_work(vm->worker, &vm->rest.work);
	for (i = 0; i < NOUVEAU_SVM_SETTLE; i++) {
		/* Pairs with WRITE_ONCE() in nouveau_svm_fault_service(). */
		served = READ_ONCE(vm->served);
		if (wait_for_completion_timeout(&vm->rest.done, HZ / 10))
			return !READ_ONCE(vm->left);
		if (READ_ONCE(vm->served) != served)
			i = 0;
	}

	/* Again and again: the end of a prefetch takes it away. */
	for (i = 0; i < NOUVEAU_SVM_SETTLE; i++) {
		send_sig(SIGKILL, vm->worker->task, 1);
		if (wait_for_completion_timeout(&vm->rest.done, HZ / 10))
			break;
	}
	/*
	 * It may have come to rest before the signal came. If not, its work stays in the
	 * queue, and takes the signal away when it is done at last.
	 */
	kthread_queue_work(vm->worker, &vm->rest.work);
	return wait_for_completion_timeout(&vm->rest.done, HZ) && !READ_ONCE(vm->left);
}

/**
 * nouveau_svm_vm_close() - End the mirror
 * @vm: the address space; the caller's reference stays
 *
 * Nothing is mapped afterwards, and no pointer to the device or to page tables is
 * followed any more. May be called twice. Data in VRAM stays there: it belongs to
 * the process.
 */
void
nouveau_svm_vm_close(struct nouveau_svm_vm *vm)
{
	struct nouveau_svm_dev *svm = vm->svm;

	if (!svm)
		return;

	mutex_lock(&svm->lock);
	list_del_init(&vm->head);
	mutex_unlock(&svm->lock);
	nouveau_svm_inst_drop(svm, vm);

	spin_lock(&vm->queue.lock);
	/* Pairs with READ_ONCE() in nouveau_svm_invalidate(). */
	WRITE_ONCE(vm->queue.closed, true);
	spin_unlock(&vm->queue.lock);
	nouveau_svm_vm_end_prefetch(vm);
	nouveau_svm_vm_kill(vm);
	kthread_cancel_work_sync(&vm->work);
	kthread_cancel_work_sync(&vm->prefetch.work);

	/*
	 * A notification that saw it open has queued by the time it is over. Later ones
	 * do not, nor do they touch the list, which names ranges that are freed below.
	 */
	down_write(&vm->gpusvm.notifier_lock);
	up_write(&vm->gpusvm.notifier_lock);
	kthread_cancel_work_sync(&vm->gc_work);
	kthread_destroy_worker(vm->worker);

	mutex_lock(&vm->lock);
	nouveau_svm_vm_unmap_all(vm);
	drm_gpusvm_fini(&vm->gpusvm);
	drm_pagemap_put(vm->dpagemap);
	vm->dpagemap = NULL;
	vm->svm = NULL;
	atomic_dec(&svm->mirrors);
	mutex_unlock(&vm->lock);
	pm_runtime_put_autosuspend(svm->drm->dev->dev);
}
