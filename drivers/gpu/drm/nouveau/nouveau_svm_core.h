/* SPDX-License-Identifier: MIT */
#ifndef __NOUVEAU_SVM_CORE_H__
#define __NOUVEAU_SVM_CORE_H__

#include <linux/atomic.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/ratelimit_types.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <nvif/event.h>
#include <nvif/object.h>

struct drm_pagemap_cache;
struct drm_pagemap_shrinker;
struct nouveau_cli;
struct nouveau_drm;
struct nouveau_svm_ce;
struct nouveau_svm_hold;
struct nouveau_svm_vm;
struct seq_file;

/**
 * enum nouveau_svm_stat - What a device counts, for debugfs
 * @NOUVEAU_SVM_STAT_FAULT: entries taken from the fault buffer
 * @NOUVEAU_SVM_STAT_DUP: entries dropped, their page was waiting already
 * @NOUVEAU_SVM_STAT_SPURIOUS: faults on what was mapped by the time of service
 * @NOUVEAU_SVM_STAT_STALE: entries dropped before a replay
 * @NOUVEAU_SVM_STAT_BATCH: batches served
 * @NOUVEAU_SVM_STAT_REPLAY: replays sent
 * @NOUVEAU_SVM_STAT_CANCEL: faults cancelled
 * @NOUVEAU_SVM_STAT_OVERFLOW: times the fault buffer was full
 * @NOUVEAU_SVM_STAT_MAP: ranges mapped
 * @NOUVEAU_SVM_STAT_INVALIDATE: notifications that found something mapped
 * @NOUVEAU_SVM_STAT_TO_VRAM: bytes copied or cleared on the way to VRAM
 * @NOUVEAU_SVM_STAT_TO_RAM: bytes copied back
 * @NOUVEAU_SVM_STAT_EVICT: blocks of VRAM evicted
 * @NOUVEAU_SVM_STAT_COPY_ERROR: batches of copies that failed
 * @NOUVEAU_SVM_STAT_MIGRATE_FAIL: ranges mapped in place because of no VRAM, or
 * because their pages could not move
 * @NOUVEAU_SVM_STAT_EXCLUSIVE: pages made device-exclusive for atomics
 * @NOUVEAU_SVM_STAT_NR: number of counters
 */
enum nouveau_svm_stat {
	NOUVEAU_SVM_STAT_FAULT,
	NOUVEAU_SVM_STAT_DUP,
	NOUVEAU_SVM_STAT_SPURIOUS,
	NOUVEAU_SVM_STAT_STALE,
	NOUVEAU_SVM_STAT_BATCH,
	NOUVEAU_SVM_STAT_REPLAY,
	NOUVEAU_SVM_STAT_CANCEL,
	NOUVEAU_SVM_STAT_OVERFLOW,
	NOUVEAU_SVM_STAT_MAP,
	NOUVEAU_SVM_STAT_INVALIDATE,
	NOUVEAU_SVM_STAT_TO_VRAM,
	NOUVEAU_SVM_STAT_TO_RAM,
	NOUVEAU_SVM_STAT_EVICT,
	NOUVEAU_SVM_STAT_COPY_ERROR,
	NOUVEAU_SVM_STAT_MIGRATE_FAIL,
	NOUVEAU_SVM_STAT_EXCLUSIVE,
	NOUVEAU_SVM_STAT_NR
};

/**
 * struct nouveau_svm_fault - One entry of the fault buffer, decoded
 */
struct nouveau_svm_fault {
	/** @inst: address of the channel's instance block, aperture in bits 9:8 */
	u64 inst;
	/** @nr: the channel's number, see nouveau_svm_inst.c */
	u64 nr;
	/** @addr: GPU virtual address, of the page */
	u64 addr;
	/** @time: GPU time in ns, if it is traced */
	u64 time;
	/** @access: NOUVEAU_SVM_ACCESS_* */
	u8 access;
	/** @reason: the MMU's fault type */
	u8 reason;
	/** @gpc: which GPC, if not @hub */
	u8 gpc;
	/** @client: which unit of the GPC or hub */
	u8 client;
	/** @hub: the client sits on the hub */
	bool hub;
};

#define NOUVEAU_SVM_ACCESS_READ		0
#define NOUVEAU_SVM_ACCESS_WRITE	1
#define NOUVEAU_SVM_ACCESS_ATOMIC	2
#define NOUVEAU_SVM_ACCESS_PREFETCH	3

/**
 * struct nouveau_svm_dev - SVM of one device
 */
struct nouveau_svm_dev {
	/** @drm: the device, which owns this */
	struct nouveau_drm *drm;

	/** @wq: empties the fault buffer */
	struct workqueue_struct *wq;
	/** @free_wq: runs what must not be done where it is found necessary */
	struct workqueue_struct *free_wq;

	/** @ce: the copy engine, NULL if memory cannot migrate */
	struct nouveau_svm_ce *ce;
	/** @hold: what stays until @shrinker and @cache have gone, device-managed as they are */
	struct nouveau_svm_hold *hold;
	/** @shrinker: frees a pagemap that nobody uses, device-managed */
	struct drm_pagemap_shrinker *shrinker;
	/** @cache: holds the pagemap between two users, device-managed */
	struct drm_pagemap_cache *cache;
	/** @devmems: blocks of VRAM that exist */
	atomic_t devmems;
	/** @blocks_lock: protects @blocks, a leaf */
	spinlock_t blocks_lock;
	/** @blocks: all of them, until the device is unplugged */
	struct list_head blocks;
	/** @no_devmem: refuse to make blocks of VRAM: suspended or going away */
	bool no_devmem;
	/** @had_devmem: there was a block; VRAM that a buffer gets may be of one */
	bool had_devmem;

	/** @lock: protects @vms and @leaving; outside of &nouveau_svm_vm.lock */
	struct mutex lock;
	/** @leaving: it goes away: nothing is opened or prefetched any more */
	bool leaving;
	/** @vms: all address spaces, by &nouveau_svm_vm.head */
	struct list_head vms;
	/** @mirrors: how many there are, or are being made */
	atomic_t mirrors;

	/** @cancel_lock: held over a cancel: no channel joins or parts */
	struct mutex cancel_lock;
	/** @inst_lock: protects @insts, its links to address spaces, and @inst_nr */
	spinlock_t inst_lock;
	/** @insts: channels' instance blocks and the address spaces they use */
	struct list_head insts;
	/** @inst_nr: number of the channel that joined last */
	u64 inst_nr;

	/** @fault: the replayable fault buffer */
	struct {
		/** @fault.object: the buffer, mapped through BAR2 */
		struct nvif_object object;
		/** @fault.notify: fires when there is something in it */
		struct nvif_event notify;
		/** @fault.service: resolves the faults of one address space */
		kthread_work_func_t service;
		/** @fault.work: empties it */
		struct delayed_work work;
		/** @fault.lock: serialises use of GET, and replays */
		struct mutex lock;
		/** @fault.entries: how many fit */
		u32 entries;
		/** @fault.getaddr: the register GET */
		u32 getaddr;
		/** @fault.putaddr: the register PUT */
		u32 putaddr;
		/** @fault.limit: keeps lines about cancelled faults from filling the log */
		struct ratelimit_state limit;
		/** @fault.blocked: none are taken, those that are left wait for a replay */
		bool blocked;
		/** @fault.late: how often in a row an entry was not valid in time */
		unsigned int late;
		/** @fault.stale: the next so many entries are older than the last replay */
		u32 stale;
	} fault;

	/** @stat: counters, see &enum nouveau_svm_stat */
	atomic64_t stat[NOUVEAU_SVM_STAT_NR];
};

static inline void
nouveau_svm_count(struct nouveau_svm_dev *svm, enum nouveau_svm_stat stat, u64 n)
{
	atomic64_add(n, &svm->stat[stat]);
}

#if IS_ENABLED(CONFIG_DRM_NOUVEAU_SVM)
extern uint nouveau_svm_notifier_mib;

int nouveau_svm_module_init(void);
void nouveau_svm_module_exit(void);
void nouveau_svm_dev_init(struct nouveau_drm *drm);
void nouveau_svm_dev_unplug(struct nouveau_drm *drm);
void nouveau_svm_dev_fini(struct nouveau_drm *drm);
int nouveau_svm_dev_suspend(struct nouveau_drm *drm, bool runtime);
void nouveau_svm_dev_resume(struct nouveau_drm *drm);

int nouveau_svm_fault_init(struct nouveau_svm_dev *svm);
void nouveau_svm_fault_fini(struct nouveau_svm_dev *svm);
int nouveau_svm_fault_block(struct nouveau_svm_dev *svm);
int nouveau_svm_fault_unblock(struct nouveau_svm_dev *svm);

struct nouveau_svm_vm *nouveau_svm_inst_lookup(struct nouveau_svm_dev *svm, u64 addr,
					       u64 *nr);
bool nouveau_svm_inst_is(struct nouveau_svm_dev *svm, u64 addr, u64 nr);
int nouveau_svm_inst_join(struct nouveau_svm_vm *vm, u64 inst);
void nouveau_svm_inst_part(struct nouveau_svm_vm *vm, u64 inst);
void nouveau_svm_inst_drop(struct nouveau_svm_dev *svm, struct nouveau_svm_vm *vm);

void nouveau_svm_debugfs_show(struct nouveau_drm *drm, struct seq_file *m);
#else
static inline int nouveau_svm_module_init(void)
{
	return 0;
}

static inline void nouveau_svm_module_exit(void) {}
static inline void nouveau_svm_dev_init(struct nouveau_drm *drm) {}
static inline void nouveau_svm_dev_unplug(struct nouveau_drm *drm) {}
static inline void nouveau_svm_dev_fini(struct nouveau_drm *drm) {}
static inline int nouveau_svm_dev_suspend(struct nouveau_drm *drm, bool runtime)
{
	return 0;
}

static inline void nouveau_svm_dev_resume(struct nouveau_drm *drm) {}

static inline int
nouveau_svm_inst_join(struct nouveau_svm_vm *vm, u64 inst)
{
	return 0;
}

static inline void nouveau_svm_inst_part(struct nouveau_svm_vm *vm, u64 inst) {}
static inline void nouveau_svm_debugfs_show(struct nouveau_drm *drm, struct seq_file *m) {}
#endif
#endif
