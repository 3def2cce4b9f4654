/* SPDX-License-Identifier: MIT */
#ifndef __NOUVEAU_SVM_VM_H__
#define __NOUVEAU_SVM_VM_H__

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/kref.h>

#include <drm/drm_gpusvm.h>

#include "nouveau_svm_core.h"

struct nouveau_svm_prefetch;
struct nouveau_vmm;

#define NOUVEAU_SVM_QUEUE_MAX	256
#define NOUVEAU_SVM_RECORD_MAX	64

#define NOUVEAU_SVM_LEAF_4K	BIT(0)
#define NOUVEAU_SVM_LEAF_64K	BIT(1)
#define NOUVEAU_SVM_LEAF_2M	BIT(2)

/**
 * struct nouveau_svm_range - A range that the GPU may have mapped
 */
struct nouveau_svm_range {
	/** @base: what drm_gpusvm knows */
	struct drm_gpusvm_range base;
	/** @pages: where the memory is */
	struct drm_gpusvm_pages pages;
	/** @gc_link: in &nouveau_svm_vm.gc_list or .idle_list, under their lock */
	struct list_head gc_link;
	/** @idle: in the latter. As @gc_link. */
	bool idle;
	/**
	 * @refs: leaves that page tables are referenced for, NOUVEAU_SVM_LEAF_*.
	 * Under &nouveau_svm_vm.lock.
	 */
	u8 refs;
	/**
	 * @live: leaves of which some are valid. Under the notifier lock: cleared
	 * by writers, set by a reader that holds &nouveau_svm_vm.lock.
	 */
	u8 live;
	/** @big: which 64 KiB of it have a leaf of that size. As @live. */
	u32 big;
	/** @ro: they are read-only. As @live. */
	bool ro;
	/** @atomic: all of them allow atomics. As @live. */
	bool atomic;
	/**
	 * @pages_ro: @pages were got for reading. Under &nouveau_svm_vm.lock, as
	 * all below.
	 */
	bool pages_ro;
	/**
	 * @pages_known: @pages were looked at since they were got. Under the
	 * notifier lock too, as @skew.
	 */
	bool pages_known;
	/** @skew: what to add to the addresses of those in VRAM */
	u32 skew;
	/** @moved: all of it was in VRAM when it was last moved */
	bool moved;
	/** @was_vram: the memory was in VRAM when last mapped */
	bool was_vram;
	/** @bounces: how often it had left VRAM by the next fault, lately */
	u8 bounces;
	/** @bounce_time: jiffies of the first of @bounces */
	unsigned long bounce_time;
	/** @stay_until: do not migrate before these jiffies, if not 0 */
	unsigned long stay_until;
	/**
	 * @exclusive: pages with the exclusive right to access, NULL if none.
	 * Bits are set like @live, and cleared with it.
	 */
	unsigned long *exclusive;
};

/**
 * struct nouveau_svm_record - Why a fault was not resolved
 */
struct nouveau_svm_record {
	/** @fault: the fault */
	struct nouveau_svm_fault fault;
	/** @error: negative errno */
	int error;
};

/**
 * struct nouveau_svm_trouble - A page that was tried again and again
 */
struct nouveau_svm_trouble {
	/** @addr: the page */
	u64 addr;
	/** @batch: the last batch that had it, by &nouveau_svm_vm.batches */
	unsigned int batch;
	/** @tries: how often it was tried for nothing */
	unsigned int tries;
	/** @asked: it cannot be had, and who still waits for it asks again */
	bool asked;
	/** @error: what failed the last time, 0 if there was nothing to do */
	int error;
};

/**
 * struct nouveau_svm_vm - A GPU address space that mirrors a process
 */
struct nouveau_svm_vm {
	/** @gpusvm: what drm_gpusvm knows; holds the mm_struct, not its users */
	struct drm_gpusvm gpusvm;
	/** @ref: one of the owner, one of each range, one of each use by inst */
	struct kref ref;
	/** @svm: the device, NULL once closed, under @lock */
	struct nouveau_svm_dev *svm;
	/** @vmm: the GPU's page tables, a RAW address space */
	struct nouveau_vmm *vmm;
	/** @head: in &nouveau_svm_dev.vms */
	struct list_head head;
	/** @hole: addresses that the client maps by itself */
	struct {
		/** @hole.start: first address */
		u64 start;
		/** @hole.end: address after the last */
		u64 end;
	} hole;

	/** @lock: serialises service, prefetch, collection and closing */
	struct mutex lock;
	/** @dpagemap: VRAM, NULL if memory does not migrate */
	struct drm_pagemap *dpagemap;
	/** @pfns: room for the 4 KiB leaves of the largest range, under @lock */
	u64 pfns[512];
	/** @seq: of the notifier when HMM wrote a range's pages there, under @lock */
	unsigned long seq;
	/** @big: room for its 64 KiB leaves, under @lock */
	u64 big[32];

	/** @gc_lock: protects @gc_list, @idle_list and @idle_nr, taken in notifiers */
	spinlock_t gc_lock;
	/** @gc_list: ranges of which memory was unmapped, or of which there are too many */
	struct list_head gc_list;
	/** @idle_list: others that the GPU lost, longest ago first */
	struct list_head idle_list;
	/** @idle_nr: how many they are */
	unsigned int idle_nr;
	/** @gc_work: collects them if no fault comes along */
	struct kthread_work gc_work;

	/** @queue: faults that wait for service */
	struct {
		/** @queue.lock: protects the others */
		spinlock_t lock;
		/** @queue.nr: how many there are */
		unsigned int nr;
		/** @queue.closed: take no more */
		bool closed;
		/** @queue.fault: the faults, one for each page */
		struct nouveau_svm_fault fault[NOUVEAU_SVM_QUEUE_MAX];
	} queue;
	/** @drained: among those that got faults right now, under fault.lock of the device */
	struct list_head drained;
	/** @batch: faults in service, belongs to @work */
	struct nouveau_svm_fault batch[NOUVEAU_SVM_QUEUE_MAX];
	/** @prefetch: what processes want moved, under queue.lock */
	struct {
		/** @prefetch.list: who waits for a turn */
		struct list_head list;
		/** @prefetch.now: whose turn it is: the thread may be killed for that */
		struct nouveau_svm_prefetch *now;
		/** @prefetch.over: take no more */
		bool over;
		/** @prefetch.work: moves a range, and comes again if there is more */
		struct kthread_work work;
	} prefetch;
	/**
	 * @worker: a thread of its own for @work, @prefetch and @gc_work. They fault pages
	 * in, which may take for ever if a process supplies them: a thread can be killed.
	 */
	struct kthread_worker *worker;
	/** @pid: the process that is mirrored, for the log */
	int pid;
	/** @work: serves faults */
	struct kthread_work work;
	/** @serving: it does so right now. Under queue.lock. */
	bool serving;
	/** @served: how many it has */
	unsigned int served;
	/** @going: no more of them, nor of anything else that faults pages in */
	bool going;
	/** @rest: the end of what it has to do */
	struct {
		/** @rest.work: gets there */
		struct kthread_work work;
		/** @rest.done: it has */
		struct completion done;
	} rest;
	/** @left: it was interrupted, and left faults that were in service */
	bool left;
	/** @trouble: pages that were tried for nothing, under @lock as the next two */
	struct nouveau_svm_trouble trouble[NOUVEAU_SVM_QUEUE_MAX];
	/** @troubles: how many there are */
	unsigned int troubles;
	/** @batches: number of the batch in service */
	unsigned int batches;

	/** @record: the last faults that were not resolved, under @lock */
	struct nouveau_svm_record record[NOUVEAU_SVM_RECORD_MAX];
	/** @records: how many there were */
	u64 records;
	/** @resident: pages in VRAM when somebody looked last */
	unsigned long resident;
};

int nouveau_svm_vm_new(struct nouveau_svm_dev *svm, struct nouveau_vmm *vmm,
		       u64 hole_start, u64 hole_end, struct nouveau_svm_vm **pvm);
bool nouveau_svm_vm_going(struct nouveau_svm_vm *vm);
bool nouveau_svm_vm_gets_on(struct nouveau_svm_vm *vm);
void nouveau_svm_vm_settle(struct nouveau_svm_vm *vm);
bool nouveau_svm_vm_rest(struct nouveau_svm_vm *vm);
int nouveau_svm_vm_clear(struct nouveau_svm_vm *vm);
void nouveau_svm_vm_close(struct nouveau_svm_vm *vm);
void nouveau_svm_vm_put(struct nouveau_svm_vm *vm);

int nouveau_svm_vm_fault(struct nouveau_svm_vm *vm, u64 addr, u8 access,
			 bool *spurious);
int nouveau_svm_vm_prefetch(struct nouveau_svm_vm *vm, u64 start, u64 end,
			    bool vram, u64 *pages);
void nouveau_svm_vm_end_prefetch(struct nouveau_svm_vm *vm);
bool nouveau_svm_look(struct mutex *lock);
bool nouveau_svm_vm_look(struct nouveau_svm_vm *vm);
u64 nouveau_svm_vm_resident(struct nouveau_svm_vm *vm);
#endif
