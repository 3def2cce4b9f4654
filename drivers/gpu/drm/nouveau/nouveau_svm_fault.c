// SPDX-License-Identifier: MIT

/**
 * DOC: GPU faults
 *
 * Shaders wait at an access that the MMU could not translate, and go on when the
 * accesses are replayed. The fault buffer, a ring in BAR2, says which accesses
 * those are.
 *
 * One work item of a device takes entries from the ring and puts each into the
 * queue of the address space that it belongs to, unless its page waits there
 * already. When all that the ring had are there, the thread of each address space
 * takes what is in its queue as one batch, resolves it, and sends one replay.
 * So a slow fault of one address space does not hold another's. Slow it may be: the
 * page may be one that a process has to supply, which never does. The thread is
 * killed when its client goes.
 *
 * A replay is for all: accesses of others that are not resolved yet fault again,
 * and are found in the queue, or found resolved when their turn comes. That is
 * also why an entry may be dropped when a queue or the ring is full: the replay
 * that follows brings it back.
 *
 * For the same reason what is in the ring, and in the queue of the address space
 * that was served, is dropped right before the replay. Those accesses succeed now,
 * or come back. If their entries stayed they would be found later, when the memory
 * may be gone or have moved for good.
 *
 * A fault that cannot be resolved is replayed once, since an entry that is older than
 * the last replay may be found all the same. If it comes again it is cancelled, which
 * lets the shader drain, and its channel is killed. The reason is in the kernel log
 * and in the address space's record. Memory that runs short or does not hold still is
 * tried again, as often as %NOUVEAU_SVM_STORM_MAX for each page, and more slowly after
 * a while: it may take time to become free, but a shader that waits keeps others from
 * the engine.
 *
 * What this file owns: the fault buffer and the queues. Which address space an
 * entry belongs to, nouveau_svm_inst.c knows.
 *
 * Lock order: &nouveau_svm_vm.lock is outermost, held during service.
 * &nouveau_svm_dev.fault.lock is for GET and replays, and not nested with it.
 * Either is held over &nouveau_svm_dev.cancel_lock, and that over nvkm's of runlists.
 * &nouveau_svm_dev.inst_lock and &nouveau_svm_vm.queue.lock are not nested, and
 * leaves but for locks of the kernel's own that queue work, complete, or signal.
 *
 * The form of a replay that nvkm writes is known to be right on Pascal, and on nothing
 * else.
 */
#include "nouveau_svm_core.h"
#include "nouveau_svm_vm.h"
#include "nouveau_svm_trace.h"
#include "nouveau_drv.h"

#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/ratelimit.h>
#include <linux/sort.h>

#include <nvif/class.h>
#include <nvif/clb069.h>
#include <nvif/ifc00d.h>

/* Size and layout of an entry: MaxwellFaultBufferA, hwref dev_fault. */
#define NOUVEAU_SVM_ENTRY_SIZE		0x20
#define NOUVEAU_SVM_ENTRY_INST_LO	0x00
#define NOUVEAU_SVM_ENTRY_INST_HI	0x04
#define NOUVEAU_SVM_ENTRY_ADDR_LO	0x08
#define NOUVEAU_SVM_ENTRY_ADDR_HI	0x0c
#define NOUVEAU_SVM_ENTRY_TIME_LO	0x10
#define NOUVEAU_SVM_ENTRY_TIME_HI	0x14
#define NOUVEAU_SVM_ENTRY_INFO		0x1c
#define   NOUVEAU_SVM_INFO_VALID	BIT(31)
#define   NOUVEAU_SVM_INFO_GPC		GENMASK(28, 24)
#define   NOUVEAU_SVM_INFO_HUB		BIT(20)
#define   NOUVEAU_SVM_INFO_ACCESS	GENMASK(19, 16)
#define   NOUVEAU_SVM_INFO_CLIENT	GENMASK(14, 8)
#define   NOUVEAU_SVM_INFO_REASON	GENMASK(4, 0)

/* GET and PUT. The flag is Volta's, and reads as zero before. */
#define NOUVEAU_SVM_PTR_INDEX		GENMASK(19, 0)
#define NOUVEAU_SVM_PTR_OVERFLOW	BIT(31)

/* Entries taken before others get a chance. */
#define NOUVEAU_SVM_DRAIN_MAX		256
/* PUT runs ahead of the entry: wait that long, and come back that often. */
#define NOUVEAU_SVM_VALID_US		100
#define NOUVEAU_SVM_LATE_MAX		100
/*
 * An overflow that leaves no entry has no interrupt: look that often while there
 * are address spaces.
 */
#define NOUVEAU_SVM_POLL		HZ

/*
 * Tries of a page that got its shader nowhere, until we slow down, and give up. From
 * 1 ms to 128 ms before each replay: six seconds in all.
 */
#define NOUVEAU_SVM_STORM_SLOW		8
#define NOUVEAU_SVM_STORM_SHIFT_MAX	7
#define NOUVEAU_SVM_STORM_MAX		60
/* They are not in a row if so many batches came without that page. */
#define NOUVEAU_SVM_STORM_GAP		64

/* Replay and cancel. */

static void
nouveau_svm_replay(struct nouveau_svm_dev *svm)
{
	struct gp100_vmm_fault_replay_vn args = {};

	lockdep_assert_held(&svm->fault.lock);
	WARN_ON(nvif_object_mthd(&svm->drm->client.vmm.vmm.object,
				 GP100_VMM_VN_FAULT_REPLAY, &args, sizeof(args)));
	nouveau_svm_count(svm, NOUVEAU_SVM_STAT_REPLAY, 1);
}

/*
 * Kill the channel of a fault. Returns false if there was nothing to do: it has parted
 * since, and whose its instance block is now is not ours to say.
 */
static bool
nouveau_svm_cancel(struct nouveau_svm_dev *svm, const struct nouveau_svm_fault *fault,
		   int error)
{
	struct gp100_vmm_fault_cancel_v0 args = {
		.hub = fault->hub,
		.gpc = fault->gpc,
		.client = fault->client,
		.inst = fault->inst,
	};

	mutex_lock(&svm->cancel_lock);
	if (!nouveau_svm_inst_is(svm, fault->inst, fault->nr)) {
		mutex_unlock(&svm->cancel_lock);
		return false;
	}

	/*
	 * Any program can cause it, as it can a segmentation fault: no warning, and
	 * none about lines left out. A counter has them all.
	 */
	if (__ratelimit(&svm->fault.limit))
		dev_info(svm->drm->dev->dev,
			 "svm: fault at %016llx cancelled: access %u reason %u inst %010llx: %pe\n",
			 fault->addr, fault->access, fault->reason, fault->inst,
			 ERR_PTR(error));
	WARN_ON(nvif_object_mthd(&svm->drm->client.vmm.vmm.object,
				 GP100_VMM_VN_FAULT_CANCEL, &args, sizeof(args)));
	mutex_unlock(&svm->cancel_lock);
	nouveau_svm_count(svm, NOUVEAU_SVM_STAT_CANCEL, 1);
	return true;
}

/* The ring. */

/* PUT may be there before the entry is. Returns 0 if the entry does not come. */
static u32
nouveau_svm_fault_info(struct nouveau_svm_dev *svm, u32 index)
{
	u32 offset = index * NOUVEAU_SVM_ENTRY_SIZE + NOUVEAU_SVM_ENTRY_INFO;
	unsigned int us;
	u32 info;

	for (us = 0; us < NOUVEAU_SVM_VALID_US; us++) {
		info = nvif_rd32(&svm->fault.object, offset);
		if (info == ~0U)
			return 0; /* It has fallen off the bus. */
		if (info & NOUVEAU_SVM_INFO_VALID) {
			/* The next lap must not take this one for its own. */
			nvif_wr32(&svm->fault.object, offset,
				  info & ~NOUVEAU_SVM_INFO_VALID);
			return info;
		}
		udelay(1);
	}

	return 0;
}

static bool
nouveau_svm_fault_read(struct nouveau_svm_dev *svm, u32 index,
		       struct nouveau_svm_fault *fault)
{
	struct nvif_object *object = &svm->fault.object;
	u32 entry = index * NOUVEAU_SVM_ENTRY_SIZE;
	u32 info = nouveau_svm_fault_info(svm, index);

	if (!info)
		return false;

	fault->inst = nvif_rd32(object, entry + NOUVEAU_SVM_ENTRY_INST_LO) |
		      (u64)nvif_rd32(object, entry + NOUVEAU_SVM_ENTRY_INST_HI) << 32;
	fault->addr = (nvif_rd32(object, entry + NOUVEAU_SVM_ENTRY_ADDR_LO) |
		       (u64)nvif_rd32(object, entry + NOUVEAU_SVM_ENTRY_ADDR_HI) << 32) &
		      PAGE_MASK;
	/* Each word is a read across the bus: what nobody looks at is left out. */
	fault->time = !trace_nouveau_svm_fault_enabled() ? 0 :
		      nvif_rd32(object, entry + NOUVEAU_SVM_ENTRY_TIME_LO) |
		      (u64)nvif_rd32(object, entry + NOUVEAU_SVM_ENTRY_TIME_HI) << 32;
	fault->gpc = FIELD_GET(NOUVEAU_SVM_INFO_GPC, info);
	fault->hub = FIELD_GET(NOUVEAU_SVM_INFO_HUB, info);
	fault->access = FIELD_GET(NOUVEAU_SVM_INFO_ACCESS, info);
	fault->client = FIELD_GET(NOUVEAU_SVM_INFO_CLIENT, info);
	fault->reason = FIELD_GET(NOUVEAU_SVM_INFO_REASON, info);
	return true;
}

/* Where the ring begins and ends. Nothing in it if the device is not there. */
static bool
nouveau_svm_fault_ring(struct nouveau_svm_dev *svm, u32 *get, u32 *put, bool *overflow)
{
	struct nvif_object *device = &svm->drm->client.device.object;
	u32 raw = nvif_rd32(device, svm->fault.putaddr);

	lockdep_assert_held(&svm->fault.lock);
	*overflow = raw & NOUVEAU_SVM_PTR_OVERFLOW;
	*put = raw & NOUVEAU_SVM_PTR_INDEX;
	*get = nvif_rd32(device, svm->fault.getaddr) & NOUVEAU_SVM_PTR_INDEX;

	/* All ones: it has fallen off the bus. */
	return raw != ~0U && *get < svm->fault.entries && *put < svm->fault.entries;
}

/*
 * Tell how far the ring was read. The hardware takes no entries from an overflow
 * until it is told in a write of its own, after GET made room. What it dropped is
 * reported again after a replay, which the caller sends.
 */
static void
nouveau_svm_fault_advance(struct nouveau_svm_dev *svm, u32 get, bool overflow)
{
	struct nvif_object *device = &svm->drm->client.device.object;

	nvif_wr32(device, svm->fault.getaddr, get);
	if (overflow) {
		nouveau_svm_count(svm, NOUVEAU_SVM_STAT_OVERFLOW, 1);
		nvif_wr32(device, svm->fault.getaddr, get | NOUVEAU_SVM_PTR_OVERFLOW);
	}
}

/*
 * Drop what is in the ring, and what is not valid yet when it comes. A replay follows,
 * upon which whoever waits asks again.
 */
static void
nouveau_svm_fault_flush(struct nouveau_svm_dev *svm)
{
	u32 get, put, first;
	bool overflow;

	svm->fault.stale = 0;
	if (!nouveau_svm_fault_ring(svm, &get, &put, &overflow))
		return;

	for (first = get; get != put; get = (get + 1) % svm->fault.entries) {
		if (!nouveau_svm_fault_info(svm, get))
			break;
		nouveau_svm_count(svm, NOUVEAU_SVM_STAT_STALE, 1);
	}
	svm->fault.stale = (put + svm->fault.entries - get) % svm->fault.entries;
	if (get != first || overflow)
		nouveau_svm_fault_advance(svm, get, overflow);
}

/* Service. */

/* The strongest access comes first on a page, and implies the others. */
static unsigned int
nouveau_svm_access_rank(u8 access)
{
	switch (access) {
	case NOUVEAU_SVM_ACCESS_PREFETCH:
		return 0;
	case NOUVEAU_SVM_ACCESS_READ:
		return 1;
	case NOUVEAU_SVM_ACCESS_WRITE:
		return 2;
	default:
		return 3;
	}
}

static int
nouveau_svm_fault_cmp(const void *a, const void *b)
{
	const struct nouveau_svm_fault *fa = a, *fb = b;

	if (fa->addr != fb->addr)
		return fa->addr < fb->addr ? -1 : 1;
	return 0;
}

/*
 * The record of a page that was tried before, or a place for one: the page with the
 * fewest tries makes way.
 */
static struct nouveau_svm_trouble *
nouveau_svm_trouble_get(struct nouveau_svm_vm *vm, u64 addr)
{
	struct nouveau_svm_trouble *trouble, *place = NULL;
	unsigned int i;

	for (i = 0; i < vm->troubles; i++) {
		trouble = &vm->trouble[i];
		if (vm->batches - trouble->batch > NOUVEAU_SVM_STORM_GAP) {
			trouble->tries = 0;
			trouble->asked = false;
		}
		if (trouble->addr == addr)
			return trouble;
		if (!place || trouble->tries < place->tries)
			place = trouble;
	}

	if (vm->troubles < ARRAY_SIZE(vm->trouble))
		place = &vm->trouble[vm->troubles++];
	*place = (struct nouveau_svm_trouble) { .addr = addr };
	return place;
}

static void
nouveau_svm_trouble_drop(struct nouveau_svm_vm *vm, unsigned int i)
{
	vm->trouble[i] = vm->trouble[--vm->troubles];
}

/* A page was made present. Others that were mapped all along have a new chance too. */
static void
nouveau_svm_trouble_over(struct nouveau_svm_vm *vm, u64 addr)
{
	unsigned int i;

	for (i = vm->troubles; i--;) {
		if (vm->trouble[i].addr == addr || !vm->trouble[i].error)
			nouveau_svm_trouble_drop(vm, i);
	}
}

/*
 * A shader that gets nothing done: service of its page fails for now, by @error, or
 * the page is mapped, and it faults on it again and again. Slow down, and give up at
 * last. Each page has a count of its own: a batch may be all of such pages, and
 * others may get on meanwhile.
 */
static int
nouveau_svm_storm(struct nouveau_svm_vm *vm, const struct nouveau_svm_fault *fault,
		  int error, unsigned int *tries)
{
	struct nouveau_svm_trouble *trouble = nouveau_svm_trouble_get(vm, fault->addr);

	lockdep_assert_held(&vm->lock);
	trouble->batch = vm->batches;
	trouble->error = error;
	if (++trouble->tries >= NOUVEAU_SVM_STORM_MAX) {
		nouveau_svm_trouble_drop(vm, trouble - vm->trouble);
		return error ?: -ETIMEDOUT;
	}

	*tries = max(*tries, trouble->tries);
	return 0;
}

/*
 * An access that cannot be had. Its entry may be older than the last replay, if it came
 * while that was being sent: then the access is over, the memory may be gone, and the
 * channel is healthy or even somebody else's. Whoever waits asks again after a replay.
 */
static bool
nouveau_svm_fault_asked_again(struct nouveau_svm_vm *vm, const struct nouveau_svm_fault *fault,
			      int error)
{
	struct nouveau_svm_trouble *trouble = nouveau_svm_trouble_get(vm, fault->addr);

	lockdep_assert_held(&vm->lock);
	if (trouble->asked) {
		nouveau_svm_trouble_drop(vm, trouble - vm->trouble);
		return true;
	}

	trouble->batch = vm->batches;
	trouble->error = error;
	trouble->asked = true;
	/* It does not make way for one that was never tried. */
	trouble->tries++;
	return false;
}

static void
nouveau_svm_record(struct nouveau_svm_vm *vm, const struct nouveau_svm_fault *fault,
		   int error)
{
	struct nouveau_svm_record *record =
		&vm->record[vm->records++ % NOUVEAU_SVM_RECORD_MAX];

	lockdep_assert_held(&vm->lock);
	record->fault = *fault;
	record->error = error;
}

static bool
nouveau_svm_fault_give_up(struct nouveau_svm_vm *vm, const struct nouveau_svm_fault *fault,
			  int error)
{
	nouveau_svm_record(vm, fault, error);
	return nouveau_svm_cancel(vm->svm, fault, error);
}

/*
 * Return: 0 if it may be replayed, -ERESTARTSYS if it is to be left as it is, another
 * error if it is to be cancelled.
 */
static int
nouveau_svm_fault_resolve(struct nouveau_svm_vm *vm, const struct nouveau_svm_fault *fault,
			  bool *spurious, unsigned int *tries)
{
	int ret;

	*spurious = false;
	ret = nouveau_svm_vm_going(vm) ? -EINTR :
	      nouveau_svm_vm_fault(vm, fault->addr, fault->access, spurious);
	if (!ret && !*spurious)
		nouveau_svm_trouble_over(vm, fault->addr);
	/* By nouveau_svm_vm_rest(). */
	if (ret == -EINTR && !READ_ONCE(vm->going))
		return -ERESTARTSYS;
	/* What nobody waits for may fail. */
	if (fault->access == NOUVEAU_SVM_ACCESS_PREFETCH)
		return 0;
	/* Memory is short, or did not hold still: they will be back. */
	if (ret == -ENOMEM || ret == -EBUSY || ret == -EAGAIN) {
		ret = nouveau_svm_storm(vm, fault, ret, tries);
		cond_resched();
	} else if (ret && ret != -EINTR && !nouveau_svm_fault_asked_again(vm, fault, ret)) {
		ret = 0;
	}
	return ret;
}

/* Resolve the faults of an address space. */
static void
nouveau_svm_fault_service(struct kthread_work *work)
{
	struct nouveau_svm_vm *vm = container_of(work, struct nouveau_svm_vm, work);
	struct nouveau_svm_fault *batch = vm->batch;
	unsigned int nr, i, replay = 0, spurious_nr = 0, tries = 0;
	bool spurious, left = false;
	int ret;

	spin_lock(&vm->queue.lock);
	nr = vm->queue.nr;
	memcpy(batch, vm->queue.fault, nr * sizeof(*batch));
	vm->queue.nr = 0;
	vm->serving = nr;
	spin_unlock(&vm->queue.lock);
	if (!nr)
		return;

	sort(batch, nr, sizeof(*batch), nouveau_svm_fault_cmp, NULL);

	mutex_lock(&vm->lock);
	vm->batches++;
	for (i = 0; i < nr; i++) {
		ret = nouveau_svm_fault_resolve(vm, &batch[i], &spurious, &tries);
		spurious_nr += spurious;
		trace_nouveau_svm_fault(vm, &batch[i], spurious, ret);
		if (ret == -ERESTARTSYS) {
			/* Pairs with READ_ONCE() in nouveau_svm_vm_rest(). */
			WRITE_ONCE(vm->left, true);
			left = true;
			break;
		}
		/* Whoever else waits for the page of a channel that has gone asks again. */
		if (!ret || !nouveau_svm_fault_give_up(vm, &batch[i], ret))
			replay++;
		/* Pairs with READ_ONCE() in nouveau_svm_vm_gets_on(). */
		WRITE_ONCE(vm->served, vm->served + 1);
	}
	/* A fault on what an earlier one of its batch had mapped is no trouble. */
	for (i = 0; i < nr && spurious_nr == nr; i++) {
		ret = nouveau_svm_storm(vm, &batch[i], 0, &tries);
		if (ret && nouveau_svm_fault_give_up(vm, &batch[i], ret))
			replay--;
	}
	nouveau_svm_count(vm->svm, NOUVEAU_SVM_STAT_BATCH, 1);
	nouveau_svm_count(vm->svm, NOUVEAU_SVM_STAT_SPURIOUS, spurious_nr);
	mutex_unlock(&vm->lock);
	spin_lock(&vm->queue.lock);
	vm->serving = false;
	spin_unlock(&vm->queue.lock);
	nouveau_svm_vm_going(vm);

	if (tries >= NOUVEAU_SVM_STORM_SLOW)
		fsleep(USEC_PER_MSEC << min(tries - NOUVEAU_SVM_STORM_SLOW,
					    NOUVEAU_SVM_STORM_SHIFT_MAX));
	if (!replay && !left)
		return;

	mutex_lock(&vm->svm->fault.lock);
	/* What is left is replayed by who takes faults again, unless that has been. */
	if (replay || !vm->svm->fault.blocked) {
		trace_nouveau_svm_replay(vm, replay);
		nouveau_svm_fault_flush(vm->svm);
		spin_lock(&vm->queue.lock);
		vm->queue.nr = 0;
		spin_unlock(&vm->queue.lock);
		nouveau_svm_replay(vm->svm);
	}
	mutex_unlock(&vm->svm->fault.lock);
}

/* Put a fault into a queue, unless the page waits there. */
static void
nouveau_svm_fault_queue(struct nouveau_svm_dev *svm, struct nouveau_svm_vm *vm,
			const struct nouveau_svm_fault *fault)
{
	unsigned int i;

	spin_lock(&vm->queue.lock);
	if (vm->queue.closed)
		goto unlock;

	for (i = 0; i < vm->queue.nr; i++) {
		if (vm->queue.fault[i].addr != fault->addr)
			continue;
		if (nouveau_svm_access_rank(vm->queue.fault[i].access) <
		    nouveau_svm_access_rank(fault->access))
			vm->queue.fault[i] = *fault;
		nouveau_svm_count(svm, NOUVEAU_SVM_STAT_DUP, 1);
		goto unlock;
	}

	/* If it is full, a replay will follow and bring this one back. */
	if (i < NOUVEAU_SVM_QUEUE_MAX)
		vm->queue.fault[vm->queue.nr++] = *fault;
unlock:
	spin_unlock(&vm->queue.lock);
}

/*
 * Have the faults served that were taken from the ring, now that all are there: a
 * service that began with the first would replay, and drop the others. Takes the
 * references of the list.
 */
static void
nouveau_svm_fault_serve(struct nouveau_svm_dev *svm, struct list_head *drained)
{
	struct nouveau_svm_vm *vm, *next;

	lockdep_assert_held(&svm->fault.lock);
	list_for_each_entry_safe(vm, next, drained, drained) {
		list_del_init(&vm->drained);
		spin_lock(&vm->queue.lock);
		if (!vm->queue.closed)
			kthread_queue_work(vm->worker, &vm->work);
		spin_unlock(&vm->queue.lock);
		nouveau_svm_vm_put(vm);
	}
}

static void
nouveau_svm_fault_drain(struct work_struct *work)
{
	struct nouveau_svm_dev *svm =
		container_of(to_delayed_work(work), struct nouveau_svm_dev, fault.work);
	bool late = false, lost = false, overflow;
	unsigned int nr = 0;
	LIST_HEAD(drained);
	u32 get, put;

	mutex_lock(&svm->fault.lock);
	if (!nouveau_svm_fault_ring(svm, &get, &put, &overflow))
		goto unlock;

	while (get != put && nr < NOUVEAU_SVM_DRAIN_MAX) {
		struct nouveau_svm_fault fault;
		struct nouveau_svm_vm *vm;

		if (!nouveau_svm_fault_read(svm, get, &fault)) {
			late = ++svm->fault.late < NOUVEAU_SVM_LATE_MAX;
			if (late)
				break;
			/* It will not come. A replay brings back what it was. */
			dev_warn_ratelimited(svm->drm->dev->dev,
					     "svm: fault entry %u is not valid\n", get);
			lost = true;
			goto next;
		}

		if (svm->fault.stale) {
			nouveau_svm_count(svm, NOUVEAU_SVM_STAT_STALE, 1);
			goto next;
		}

		vm = nouveau_svm_inst_lookup(svm, fault.inst, &fault.nr);
		if (vm) {
			nouveau_svm_fault_queue(svm, vm, &fault);
			if (list_empty(&vm->drained))
				list_add_tail(&vm->drained, &drained);
			else
				nouveau_svm_vm_put(vm);
		} else {
			nouveau_svm_cancel(svm, &fault, -ENOENT);
		}
next:
		svm->fault.stale -= !!svm->fault.stale;
		svm->fault.late = 0;
		if (++get == svm->fault.entries)
			get = 0;
		nr++;
	}

	if (nr)
		nouveau_svm_count(svm, NOUVEAU_SVM_STAT_FAULT, nr);
	if (nr || overflow)
		nouveau_svm_fault_advance(svm, get, overflow);
	nouveau_svm_fault_serve(svm, &drained);
	if (overflow || lost)
		nouveau_svm_replay(svm);

	if (late || get != put || overflow)
		queue_delayed_work(svm->wq, &svm->fault.work, late);
	else if (!list_empty_careful(&svm->vms))
		queue_delayed_work(svm->wq, &svm->fault.work, NOUVEAU_SVM_POLL);
unlock:
	mutex_unlock(&svm->fault.lock);
}

static int
nouveau_svm_fault_event(struct nvif_event *event, void *argv, u32 argc)
{
	struct nouveau_svm_dev *svm =
		container_of(event, struct nouveau_svm_dev, fault.notify);

	mod_delayed_work(svm->wq, &svm->fault.work, 0);
	return NVIF_EVENT_KEEP;
}

/* Start to take faults. */
static int
nouveau_svm_fault_allow(struct nouveau_svm_dev *svm)
{
	int ret = nvif_event_allow(&svm->fault.notify);

	/* There may be some from before. */
	if (!ret)
		mod_delayed_work(svm->wq, &svm->fault.work, 0);
	return ret;
}

/**
 * nouveau_svm_fault_block() - Take no more faults, and finish those in service
 * @svm: the device
 *
 * Nor are page tables given back from then on: nouveau_svm_dev_clear() finds those at rest
 * who did. Closing an address space goes on to do that.
 *
 * Return: 0. -EBUSY if the page of one does not come: its shader still waits.
 */
int
nouveau_svm_fault_block(struct nouveau_svm_dev *svm)
{
	struct nouveau_svm_vm *vm;
	int ret = 0;

	nvif_event_block(&svm->fault.notify);
	cancel_delayed_work_sync(&svm->fault.work);
	mutex_lock(&svm->fault.lock);
	/* Pairs with READ_ONCE() in nouveau_svm_vm_gc_work(). */
	WRITE_ONCE(svm->fault.blocked, true);
	mutex_unlock(&svm->fault.lock);

	mutex_lock(&svm->lock);
	list_for_each_entry(vm, &svm->vms, head) {
		if (!nouveau_svm_vm_rest(vm)) {
			dev_info(svm->drm->dev->dev,
				 "svm: process %d waits for a page that does not come\n",
				 vm->pid);
			ret = -EBUSY;
		}
	}
	mutex_unlock(&svm->lock);
	return ret;
}

/**
 * nouveau_svm_fault_unblock() - Undo nouveau_svm_fault_block()
 * @svm: the device
 *
 * Faults that were left come again.
 *
 * Return: 0 or a negative errno.
 */
int
nouveau_svm_fault_unblock(struct nouveau_svm_dev *svm)
{
	int ret = nouveau_svm_fault_allow(svm);
	struct nouveau_svm_vm *vm;

	mutex_lock(&svm->fault.lock);
	WRITE_ONCE(svm->fault.blocked, false);
	/* Service that ended since then may have looked at the ring that was. */
	svm->fault.stale = 0;
	nouveau_svm_replay(svm);
	mutex_unlock(&svm->fault.lock);

	/* What could not be collected meanwhile. */
	mutex_lock(&svm->lock);
	list_for_each_entry(vm, &svm->vms, head)
		kthread_queue_work(vm->worker, &vm->gc_work);
	mutex_unlock(&svm->lock);
	return ret;
}

/**
 * nouveau_svm_fault_init() - Take over the fault buffer
 * @svm: the device
 *
 * Return: 0, -ENODEV if there is none, or another negative errno.
 */
int
nouveau_svm_fault_init(struct nouveau_svm_dev *svm)
{
	static const struct nvif_mclass buffers[] = {
		{ MAXWELL_FAULT_BUFFER_A, 0 },
		{}
	};
	struct nvif_object *device = &svm->drm->client.device.object;
	struct nvif_clb069_v0 args = {};
	int ret;

	svm->fault.service = nouveau_svm_fault_service;
	INIT_DELAYED_WORK(&svm->fault.work, nouveau_svm_fault_drain);
	ratelimit_default_init(&svm->fault.limit);
	ratelimit_set_flags(&svm->fault.limit, RATELIMIT_MSG_ON_RELEASE);

	ret = nvif_mclass(device, buffers);
	if (ret < 0)
		return -ENODEV;

	ret = nvif_object_ctor(device, "svmFaultBuffer", 0, buffers[ret].oclass,
			       &args, sizeof(args), &svm->fault.object);
	if (ret)
		return ret;

	svm->fault.entries = args.entries;
	svm->fault.getaddr = args.get;
	svm->fault.putaddr = args.put;
	ret = nvif_object_map(&svm->fault.object, NULL, 0);
	if (ret)
		goto err;

	ret = nvif_event_ctor(&svm->fault.object, "svmFault", 0,
			      nouveau_svm_fault_event, true, NULL, 0,
			      &svm->fault.notify);
	if (ret)
		goto err;

	ret = nouveau_svm_fault_allow(svm);
	if (ret)
		goto err;

	return 0;

err:
	nouveau_svm_fault_fini(svm);
	return ret;
}

/**
 * nouveau_svm_fault_fini() - Give the fault buffer back
 * @svm: the device
 */
void
nouveau_svm_fault_fini(struct nouveau_svm_dev *svm)
{
	if (!nvif_object_constructed(&svm->fault.object))
		return;

	nouveau_svm_fault_block(svm);
	nvif_event_dtor(&svm->fault.notify);
	nvif_object_dtor(&svm->fault.object);
}
