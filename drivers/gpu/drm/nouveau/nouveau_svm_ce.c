// SPDX-License-Identifier: MIT

/**
 * DOC: Copy engine
 *
 * Pages move between VRAM and system memory by a copy engine, on a kernel
 * channel that nothing else uses. It must not share its runlist with the
 * graphics engine: a shader that waits for a page could then hold up the copy
 * of that very page. Without such an engine memory does not migrate.
 *
 * A caller hands in runs: stretches that are contiguous on both sides, or have
 * no other side and are to be cleared. All runs of a call are one submission
 * with one fence, whose error is looked at. The fence also says how far the ring
 * has been read, so it is the only semaphore that a submission releases.
 *
 * Until the call returns, and only until then, the engine touches the memory, even
 * if the engine hangs: it is stopped before a timeout is reported. After that the
 * device is wedged, and each further call fails at once. A device that has vanished
 * is found out within a fraction of a second, and touches nothing any more. A
 * channel that was killed, because a copy of it went wrong, is taken from the engine
 * before that copy is reported, and replaced in the background. Calls are turned away
 * until it is, which is no failure of a copy.
 *
 * What this file owns: the channel, its ring, and whether it is wedged. The
 * device (&struct nouveau_svm_dev) owns the &struct nouveau_svm_ce.
 *
 * Lock order: &nouveau_svm_ce.lock is a leaf under folio locks and mmap_lock,
 * since CPU faults come here. It is held to write commands to the ring, never
 * over a fence wait, an allocation, or a lock of mm. Nor over a wait for room in
 * the ring: who finds none lets go and waits for the oldest submission's fence.
 */
#include "nouveau_svm_ce.h"
#include "nouveau_svm_core.h"
#include "nouveau_bo.h"
#include "nouveau_chan.h"
#include "nouveau_dma.h"
#include "nouveau_drv.h"
#include "nouveau_fence.h"
#include "nouveau_vmm.h"

#include <linux/completion.h>
#include <linux/sched/mm.h>

#include <nvif/class.h>
#include <nvif/fifo.h>
#include <nvif/push906f.h>

#include <nvhw/class/cla0b5.h>

#define NOUVEAU_SVM_CE_MARKS	16

/* Words in the ring. */
#define NOUVEAU_SVM_CE_SETUP	4
#define NOUVEAU_SVM_CE_COPY	10
#define NOUVEAU_SVM_CE_CLEAR	12
/* What nouveau_fence_emit() writes, and the ring's own bookkeeping. */
#define NOUVEAU_SVM_CE_FENCE	16
/* Entries of the GPFIFO: an empty one, the submission, and the one kept free. */
#define NOUVEAU_SVM_CE_GPFIFO	3

/**
 * struct nouveau_svm_ce_mark - The end of a submission
 */
struct nouveau_svm_ce_mark {
	/** @fence: its fence; a reference if the mark is one of &nouveau_svm_ce.mark */
	struct nouveau_fence *fence;
	/** @push: word of the push buffer after it */
	u32 push;
	/** @gpfifo: entry of the GPFIFO after it */
	u32 gpfifo;
};

/**
 * struct nouveau_svm_ce - The copy engine of a device
 */
struct nouveau_svm_ce {
	/** @svm: the device */
	struct nouveau_svm_dev *svm;
	/** @chan: the channel, NULL after it was deleted and before there is another */
	struct nouveau_channel *chan;
	/** @nth: another number for each; one may lie where an earlier one was */
	unsigned int nth;
	/**
	 * @copy: the object of the engine's class on @chan. Its address is its name
	 * for nvif, so it stays where it is.
	 */
	struct nvif_object *copy;
	/** @lock: protects which channel there is, @nth, its ring, @dead and @wedged */
	struct mutex lock;
	/** @func: the channel's operations, less the ring's own semaphore */
	struct nvif_chan_func func;
	/**
	 * @word: a page whose first word is the last fence that is over. Those of
	 * other channels are in a buffer that all clients have mapped, to write to
	 * it: one of them could say that a copy is over. In RAM, so that it is
	 * there after a sleep.
	 */
	struct nouveau_bo *word;
	/** @vma: where the channel has @word; no client's address space has it */
	struct nouveau_vma *vma;
	/** @mark: where submissions end that may not be over, oldest first */
	struct nouveau_svm_ce_mark mark[NOUVEAU_SVM_CE_MARKS];
	/** @marks: how many there are */
	unsigned int marks;
	/** @done: end of the last one that is over */
	struct nouveau_svm_ce_mark done;
	/** @dead: @chan was killed, @work replaces it */
	bool dead;
	/** @lost: @work could not, which the next caller says. Under @lock. */
	bool lost;
	/** @quiet: since when a channel that was killed touches nothing any more */
	struct completion quiet;
	/** @wedged: the engine hung and was stopped, nothing can be copied */
	bool wedged;
	/** @stopped: since when a wedged engine touches nothing any more */
	struct completion stopped;
	/** @work: replaces the channel */
	struct work_struct work;
};

/* Wait for a copy in steps, to see whether the device is still there. */
#define NOUVEAU_SVM_CE_STEP	(HZ / 4)
#define NOUVEAU_SVM_CE_STEPS	60

/**
 * nouveau_svm_run_add() - Append memory to a list of runs
 * @run: the runs so far, with room for one more
 * @nr: number of runs so far
 * @vram: address in VRAM
 * @dma: DMA address of the other side, or %NOUVEAU_SVM_RUN_CLEAR
 * @bytes: length
 *
 * Extends the last run if the memory continues it on both sides.
 *
 * Return: the new number of runs.
 */
unsigned int
nouveau_svm_run_add(struct nouveau_svm_run *run, unsigned int nr,
		    u64 vram, u64 dma, u64 bytes)
{
	if (nr) {
		struct nouveau_svm_run *last = &run[nr - 1];
		bool clear = dma == NOUVEAU_SVM_RUN_CLEAR;
		bool last_clear = last->dma == NOUVEAU_SVM_RUN_CLEAR;

		if (clear == last_clear &&
		    last->vram + last->bytes == vram &&
		    (clear || last->dma + last->bytes == dma)) {
			last->bytes += bytes;
			return nr;
		}
	}

	run[nr] = (struct nouveau_svm_run) {
		.vram = vram,
		.dma = dma,
		.bytes = bytes,
	};
	return nr + 1;
}

static struct nouveau_svm_ce *
to_nouveau_svm_ce(struct nvif_chan *nvif)
{
	return container_of(nvif->func, struct nouveau_svm_ce, func);
}

/* &nouveau_fence_chan.emit of a channel that was adopted. */
static int
nouveau_svm_ce_fence_emit(struct nouveau_fence *fence)
{
	struct nouveau_channel *chan = unrcu_pointer(fence->channel);
	struct nouveau_fence_chan *fctx = chan->fence;

	return fctx->emit32(chan, to_nouveau_svm_ce(&chan->chan)->vma->addr,
			    fence->base.seqno);
}

/* &nouveau_fence_chan.read of a channel that was adopted. */
static u32
nouveau_svm_ce_fence_read(struct nouveau_channel *chan)
{
	u32 seqno = nouveau_bo_rd32(to_nouveau_svm_ce(&chan->chan)->word, 0);

	/*
	 * Pairs with the engine, which writes the word after all that it copied
	 * (FLUSH_ENABLE of the last run, and the release waits for that): what was
	 * copied is read after it.
	 */
	dma_rmb();
	return seqno;
}

/* How far the engine has read the ring: to the end of what its fences say is over. */
static struct nouveau_svm_ce *
nouveau_svm_ce_progress(struct nvif_chan *nvif)
{
	struct nouveau_svm_ce *ce = to_nouveau_svm_ce(nvif);
	u32 seqno = nouveau_svm_ce_fence_read(ce->chan);
	unsigned int over = 0;

	lockdep_assert_held(&ce->lock);
	while (over < ce->marks &&
	       (s32)(seqno - lower_32_bits(ce->mark[over].fence->base.seqno)) >= 0) {
		ce->done = ce->mark[over];
		nouveau_fence_unref(&ce->mark[over++].fence);
	}
	ce->marks -= over;
	memmove(ce->mark, ce->mark + over, ce->marks * sizeof(ce->mark[0]));
	return ce;
}

static u32
nouveau_svm_ce_push_get(struct nvif_chan *nvif)
{
	return nouveau_svm_ce_progress(nvif)->done.push;
}

static u32
nouveau_svm_ce_gpfifo_get(struct nvif_chan *nvif)
{
	return nouveau_svm_ce_progress(nvif)->done.gpfifo;
}

static struct nouveau_svm_ce_mark
nouveau_svm_ce_here(struct nouveau_channel *chan, struct nouveau_fence *fence)
{
	const struct nvif_push *push = &chan->chan.push;

	return (struct nouveau_svm_ce_mark) {
		.fence = fence,
		.push = push->cur - (__force u32 *)push->mem.object.map.ptr,
		.gpfifo = chan->chan.gpfifo.cur,
	};
}

/* A submission ends here. If there is no room the last mark stands for both. */
static void
nouveau_svm_ce_note(struct nouveau_svm_ce *ce, struct nouveau_fence *fence)
{
	lockdep_assert_held(&ce->lock);
	nouveau_svm_ce_progress(&ce->chan->chan);
	if (ce->marks == NOUVEAU_SVM_CE_MARKS)
		nouveau_fence_unref(&ce->mark[--ce->marks].fence);
	dma_fence_get(&fence->base);
	ce->mark[ce->marks++] = nouveau_svm_ce_here(ce->chan, fence);
}

/*
 * Is there room for a submission? Else PUSH_WAIT() would poll for it. It wraps if
 * the end of the ring is too short, with an entry of the GPFIFO that is empty.
 */
static bool
nouveau_svm_ce_room(struct nouveau_svm_ce *ce, u32 words)
{
	struct nvif_chan *chan = &ce->chan->chan;
	const struct nvif_push *push = &chan->push;
	u32 cur = push->cur - (__force u32 *)push->mem.object.map.ptr;
	u32 get = nouveau_svm_ce_progress(chan)->done.push;

	if (((ce->done.gpfifo - chan->gpfifo.cur - 1) & chan->gpfifo.max) <
	    NOUVEAU_SVM_CE_GPFIFO)
		return false;
	if (get > cur)
		return get - cur - 1 >= words;
	return push->hw.max - cur >= words || get > words;
}

/* Forget where submissions end, of a channel of which none is in flight. */
static void
nouveau_svm_ce_forget(struct nouveau_svm_ce *ce)
{
	while (ce->marks)
		nouveau_fence_unref(&ce->mark[--ce->marks].fence);
}

/* Use a channel that is idle, and has no fence. */
static void
nouveau_svm_ce_adopt(struct nouveau_svm_ce *ce)
{
	struct nouveau_fence_chan *fctx = ce->chan->fence;

	ce->func = *ce->chan->chan.func;
	ce->func.push.read_get = nouveau_svm_ce_push_get;
	ce->func.gpfifo.read_get = nouveau_svm_ce_gpfifo_get;
	ce->func.gpfifo.post = NULL;
	ce->func.gpfifo.post_size = 0;
	ce->chan->chan.func = &ce->func;
	nouveau_bo_wr32(ce->word, 0, fctx->sequence);
	fctx->emit = nouveau_svm_ce_fence_emit;
	fctx->read = nouveau_svm_ce_fence_read;
	ce->nth++;
	nouveau_svm_ce_forget(ce);
	ce->done = nouveau_svm_ce_here(ce->chan, NULL);
}

static u32
nouveau_svm_ce_launch(bool first, bool last)
{
	return (first ? NVDEF(NVA0B5, LAUNCH_DMA, DATA_TRANSFER_TYPE, NON_PIPELINED) :
			NVDEF(NVA0B5, LAUNCH_DMA, DATA_TRANSFER_TYPE, PIPELINED)) |
	       (last ? NVDEF(NVA0B5, LAUNCH_DMA, FLUSH_ENABLE, TRUE) :
		       NVDEF(NVA0B5, LAUNCH_DMA, FLUSH_ENABLE, FALSE)) |
	       NVDEF(NVA0B5, LAUNCH_DMA, SEMAPHORE_TYPE, NONE) |
	       NVDEF(NVA0B5, LAUNCH_DMA, INTERRUPT_TYPE, NONE) |
	       NVDEF(NVA0B5, LAUNCH_DMA, SRC_MEMORY_LAYOUT, PITCH) |
	       NVDEF(NVA0B5, LAUNCH_DMA, DST_MEMORY_LAYOUT, PITCH) |
	       NVDEF(NVA0B5, LAUNCH_DMA, MULTI_LINE_ENABLE, FALSE) |
	       NVDEF(NVA0B5, LAUNCH_DMA, BYPASS_L2, USE_PTE_SETTING) |
	       NVDEF(NVA0B5, LAUNCH_DMA, SRC_TYPE, PHYSICAL) |
	       NVDEF(NVA0B5, LAUNCH_DMA, DST_TYPE, PHYSICAL);
}

static void
nouveau_svm_ce_push_copy(struct nvif_push *push, u64 dst, u64 src, u32 bytes,
			 bool first, bool last)
{
	const u32 in_upper =
		NVVAL(NVA0B5, OFFSET_IN_UPPER, UPPER, upper_32_bits(src));
	const u32 out_upper =
		NVVAL(NVA0B5, OFFSET_OUT_UPPER, UPPER, upper_32_bits(dst));

	PUSH_MTHD(push, NVA0B5, OFFSET_IN_UPPER, in_upper,
		  OFFSET_IN_LOWER, lower_32_bits(src),
		  OFFSET_OUT_UPPER, out_upper,
		  OFFSET_OUT_LOWER, lower_32_bits(dst));
	PUSH_MTHD(push, NVA0B5, LINE_LENGTH_IN, bytes,
		  LINE_COUNT, 1);
	PUSH_MTHD(push, NVA0B5, LAUNCH_DMA, nouveau_svm_ce_launch(first, last) |
		  NVDEF(NVA0B5, LAUNCH_DMA, REMAP_ENABLE, FALSE));
}

static void
nouveau_svm_ce_push_clear(struct nvif_push *push, u64 dst, u32 bytes, bool vmm,
			  bool first, bool last)
{
	const u32 launch = nouveau_svm_ce_launch(first, last) &
			   ~(vmm ? DRF_SMASK(NVA0B5_LAUNCH_DMA_DST_TYPE) : 0);
	/* Elements of 8 bytes: both constants, which are zero. */
	const u32 components =
		NVDEF(NVA0B5, SET_REMAP_COMPONENTS, COMPONENT_SIZE, FOUR) |
		NVDEF(NVA0B5, SET_REMAP_COMPONENTS, NUM_DST_COMPONENTS, TWO) |
		NVDEF(NVA0B5, SET_REMAP_COMPONENTS, DST_X, CONST_A) |
		NVDEF(NVA0B5, SET_REMAP_COMPONENTS, DST_Y, CONST_B);

	PUSH_MTHD(push, NVA0B5, SET_REMAP_CONST_A, 0,
		  SET_REMAP_CONST_B, 0,
		  SET_REMAP_COMPONENTS, components);
	PUSH_MTHD(push, NVA0B5, OFFSET_OUT_UPPER, upper_32_bits(dst),
		  OFFSET_OUT_LOWER, lower_32_bits(dst));
	PUSH_MTHD(push, NVA0B5, LINE_LENGTH_IN, bytes >> 3,
		  LINE_COUNT, 1);
	PUSH_MTHD(push, NVA0B5, LAUNCH_DMA, launch |
		  NVDEF(NVA0B5, LAUNCH_DMA, REMAP_ENABLE, TRUE));
}

/* Write all of a submission. The fence's commands ring the doorbell, once. */
static void
nouveau_svm_ce_push(struct nouveau_svm_ce *ce, bool to_vram,
		    const struct nouveau_svm_run *run, unsigned int nr)
{
	const u32 src = to_vram ?
		NVDEF(NVA0B5, SET_SRC_PHYS_MODE, TARGET, COHERENT_SYSMEM) :
		NVDEF(NVA0B5, SET_SRC_PHYS_MODE, TARGET, LOCAL_FB);
	const u32 dst = to_vram ?
		NVDEF(NVA0B5, SET_DST_PHYS_MODE, TARGET, LOCAL_FB) :
		NVDEF(NVA0B5, SET_DST_PHYS_MODE, TARGET, COHERENT_SYSMEM);
	struct nvif_push *push = &ce->chan->chan.push;
	unsigned int i;

	lockdep_assert_held(&ce->lock);
	PUSH_MTHD(push, NVA0B5, SET_SRC_PHYS_MODE, src,
		  SET_DST_PHYS_MODE, dst);

	for (i = 0; i < nr; i++) {
		bool first = i == 0, last = i == nr - 1;

		if (run[i].dma >= NOUVEAU_SVM_RUN_CLEAR_VMM)
			nouveau_svm_ce_push_clear(push, run[i].vram, run[i].bytes,
						  run[i].dma == NOUVEAU_SVM_RUN_CLEAR_VMM,
						  first, last);
		else if (to_vram)
			nouveau_svm_ce_push_copy(push, run[i].vram, run[i].dma,
						 run[i].bytes, first, last);
		else
			nouveau_svm_ce_push_copy(push, run[i].dma, run[i].vram,
						 run[i].bytes, first, last);
	}
}

/*
 * The engine does not answer. Take the channel away from it, after which no copy
 * is in flight any more, and let all who wait for one know. Does not wait if
 * somebody else is at it.
 */
static void
nouveau_svm_ce_stop(struct nouveau_svm_ce *ce, unsigned int nth)
{
	struct nouveau_channel *chan;
	bool stop;

	mutex_lock(&ce->lock);
	chan = ce->chan;
	stop = !ce->wedged && !ce->dead && ce->nth == nth;
	/* From now on it is not replaced. */
	if (stop)
		WRITE_ONCE(ce->wedged, true);
	mutex_unlock(&ce->lock);
	if (!stop)
		return;

	NV_ERROR(ce->svm->drm, "svm: off: the copy engine does not answer\n");
	/* Who waits is told first, and waits on: somebody else's channel may get the number. */
	nouveau_channel_kill(chan);
	nvif_object_dtor(ce->copy);
	nvif_object_dtor(&chan->user);
	complete_all(&ce->stopped);
}

/* The channel was killed. Have it taken from the engine, and get another. */
static void
nouveau_svm_ce_replace(struct nouveau_svm_ce *ce)
{
	lockdep_assert_held(&ce->lock);
	if (ce->dead || ce->wedged)
		return;

	reinit_completion(&ce->quiet);
	ce->dead = true;
	queue_work(ce->svm->free_wq, &ce->work);
}

/*
 * A copy on a channel failed. Its fences end as soon as an error is seen, or somebody
 * begins to stop the engine, which may be at work on an earlier run still: wait until it
 * is not. One that was replaced has been deleted.
 */
static void
nouveau_svm_ce_failed(struct nouveau_svm_ce *ce, unsigned int nth)
{
	struct completion *over = NULL;

	mutex_lock(&ce->lock);
	if (ce->nth == nth) {
		nouveau_svm_ce_replace(ce);
		over = ce->wedged ? &ce->stopped : &ce->quiet;
	}
	mutex_unlock(&ce->lock);
	if (over)
		wait_for_completion(over);
}

static bool
nouveau_svm_ce_wait(struct nouveau_svm_ce *ce, struct dma_fence *fence)
{
	struct nvif_object *device = &ce->svm->drm->client.device.object;
	unsigned int step;

	lockdep_assert_not_held(&ce->lock);
	for (step = 0; step < NOUVEAU_SVM_CE_STEPS; step++) {
		/* If it is the interrupt that is late, the fence knows all the same. */
		if (dma_fence_wait_timeout(fence, false, NOUVEAU_SVM_CE_STEP) ||
		    dma_fence_is_signaled(fence))
			return true;
		/* The chip's name is all ones if nobody answers. */
		if (nvif_rd32(device, 0x000000) == ~0U)
			break;
	}

	return false;
}

/*
 * Take the lock with room for @words in the ring of a channel that lives, @nth.
 * Waits for room without the lock: CPU faults of all processes come by.
 */
static int
nouveau_svm_ce_begin(struct nouveau_svm_ce *ce, u32 words, unsigned int *nth)
{
	struct dma_fence *oldest;
	bool waited;
	int ret;

	for (;;) {
		mutex_lock(&ce->lock);
		*nth = ce->nth;
		if (ce->wedged) {
			ret = -EIO;
			break;
		}
		if (!ce->chan || atomic_read(&ce->chan->killed))
			nouveau_svm_ce_replace(ce);
		if (ce->dead) {
			ret = ce->lost ? -EIO : -EAGAIN;
			ce->lost = false;
			break;
		}
		/* An idle ring has room for whatever is submitted at once. */
		if (nouveau_svm_ce_room(ce, words) || !ce->marks) {
			ret = PUSH_WAIT(&ce->chan->chan.push, words);
			if (!WARN_ON_ONCE(ret))
				return 0;
			ret = -EIO;
			break;
		}
		oldest = dma_fence_get(&ce->mark[0].fence->base);
		mutex_unlock(&ce->lock);

		waited = nouveau_svm_ce_wait(ce, oldest);
		dma_fence_put(oldest);
		if (!waited) {
			/* The ring does not move. */
			nouveau_svm_ce_stop(ce, *nth);
			return -EIO;
		}
	}
	mutex_unlock(&ce->lock);
	return ret;
}

/**
 * nouveau_svm_ce_submit() - Copy or clear memory, and wait for it
 * @ce: the copy engine
 * @to_vram: runs go to VRAM, else they come from there
 * @run: what to do
 * @nr: number of runs, %NOUVEAU_SVM_RUN_MAX at most
 *
 * Return: 0 if all is done. Negative errno if the destination must not be used:
 * -EIO if the engine failed or had failed before, -ENOMEM, -EAGAIN if the channel
 * is being replaced, or -ENODEV if it was killed. In any case nothing is in flight
 * any more.
 */
int
nouveau_svm_ce_submit(struct nouveau_svm_ce *ce, bool to_vram,
		      const struct nouveau_svm_run *run, unsigned int nr)
{
	struct nouveau_fence *fence;
	unsigned int nth, i;
	u64 bytes = 0;
	int ret;

	if (WARN_ON_ONCE(nr > NOUVEAU_SVM_RUN_MAX))
		return -EINVAL;
	if (!nr)
		return 0;

	fence = kzalloc_obj(*fence);
	if (!fence)
		return -ENOMEM;

	ret = nouveau_svm_ce_begin(ce, NOUVEAU_SVM_CE_SETUP +
				   nr * NOUVEAU_SVM_CE_CLEAR + NOUVEAU_SVM_CE_FENCE,
				   &nth);
	if (ret) {
		kfree(fence);
		if (ret == -EAGAIN)
			return ret;
		goto out;
	}

	nouveau_svm_ce_push(ce, to_vram, run, nr);
	RCU_INIT_POINTER(fence->channel, ce->chan);
	ret = nouveau_fence_emit(fence);
	if (!ret)
		nouveau_svm_ce_note(ce, fence);
	mutex_unlock(&ce->lock);

	if (!ret && !nouveau_svm_ce_wait(ce, &fence->base)) {
		nouveau_svm_ce_stop(ce, nth);
		ret = -EIO;
	}
	if (!ret)
		ret = min(dma_fence_get_status(&fence->base), 0);
	if (ret)
		nouveau_svm_ce_failed(ce, nth);
	nouveau_fence_unref(&fence);

	if (!ret) {
		for (i = 0; i < nr; i++) {
			if (run[i].dma != NOUVEAU_SVM_RUN_CLEAR_VMM)
				bytes += run[i].bytes;
		}
		nouveau_svm_count(ce->svm, to_vram ? NOUVEAU_SVM_STAT_TO_VRAM :
				  NOUVEAU_SVM_STAT_TO_RAM, bytes);
	}
out:
	if (ret)
		nouveau_svm_count(ce->svm, NOUVEAU_SVM_STAT_COPY_ERROR, 1);
	return ret;
}

/**
 * nouveau_svm_ce_wedged() - Has the engine been stopped?
 * @ce: the copy engine
 *
 * Advisory without the lock; nouveau_svm_ce_submit() looks again.
 *
 * Return: true if nothing can be copied any more.
 */
bool
nouveau_svm_ce_wedged(struct nouveau_svm_ce *ce)
{
	/* Pairs with WRITE_ONCE() in nouveau_svm_ce_stop(). */
	return READ_ONCE(ce->wedged);
}

/**
 * nouveau_svm_ce_settle() - Wait until no channel is being replaced
 * @ce: the copy engine
 *
 * Until then copies are turned away, and the device is in use. Where nobody submits any
 * more that is so from then on. Waits as long as it takes to make a channel, or for the
 * device not to answer. Does not wait for itself where a channel is made.
 */
void
nouveau_svm_ce_settle(struct nouveau_svm_ce *ce)
{
	if (current_work() != &ce->work)
		flush_work(&ce->work);
}

/* Make a channel with an object of the engine's class on it. */
static int
nouveau_svm_ce_chan_new(struct nouveau_svm_dev *svm, struct nvif_object **pcopy,
			struct nouveau_channel **pchan)
{
	static const struct nvif_mclass classes[] = {
		{ TURING_DMA_COPY_A, -1 },
		{  VOLTA_DMA_COPY_A, -1 },
		{ PASCAL_DMA_COPY_B, -1 },
		{ PASCAL_DMA_COPY_A, -1 },
		{}
	};
	struct nouveau_drm *drm = svm->drm;
	struct nvif_device *device = &drm->client.device;
	struct nouveau_channel *chan = NULL;
	struct nvif_object *copy;
	struct nvif_push *push;
	u64 runm;
	s32 oclass;
	int ret;

	runm = nvif_fifo_runlist_ce(device) &
	       ~nvif_fifo_runlist(device, NV_DEVICE_HOST_RUNLIST_ENGINES_GR);
	if (!runm)
		return -ENODEV;

	copy = kzalloc_obj(*copy);
	if (!copy)
		return -ENOMEM;

	ret = nouveau_channel_new(&drm->client, true, runm, NvDmaFB, NvDmaTT, &chan);
	if (ret)
		goto err_free;

	ret = nvif_mclass(&chan->user, classes);
	if (ret < 0) {
		ret = -ENODEV;
		goto err;
	}

	oclass = classes[ret].oclass;
	ret = nvif_object_ctor(&chan->user, "svmCopy", oclass | 4 << 16, oclass,
			       NULL, 0, copy);
	if (ret)
		goto err;

	push = &chan->chan.push;
	ret = PUSH_WAIT(push, 2);
	if (ret)
		goto err;
	PUSH_NVSQ(push, NVA0B5, 0x0000, oclass);
	PUSH_KICK(push);
	ret = nouveau_channel_idle(chan);
	if (ret)
		goto err;

	*pchan = chan;
	*pcopy = copy;
	return 0;

err:
	nvif_object_dtor(copy);
	nouveau_channel_del(&chan);
err_free:
	kfree(copy);
	return ret;
}

static void
nouveau_svm_ce_work(struct work_struct *work)
{
	struct nouveau_svm_ce *ce = container_of(work, struct nouveau_svm_ce, work);
	struct nouveau_channel *chan = NULL;
	struct nvif_object *copy = NULL;
	int ret;

	/*
	 * Nobody else stops, replaces or uses it while it is dead. As in nouveau_channel_del()
	 * its fences go before its number, which any other channel may get at once: their end
	 * writes to the word of memory by which that number's fences are told. Who waits for
	 * one is told before, and waits on in nouveau_svm_ce_failed().
	 */
	if (ce->chan) {
		nouveau_channel_kill(ce->chan);
		nvif_event_dtor(&ce->chan->kill);
		nouveau_fence(ce->svm->drm)->context_del(ce->chan);
		nvif_object_dtor(ce->copy);
		nvif_object_dtor(&ce->chan->user);
	}
	complete_all(&ce->quiet);

	/* Nothing of it is left when there is another. */
	mutex_lock(&ce->lock);
	nouveau_svm_ce_forget(ce);
	ce->nth++;
	swap(ce->chan, chan);
	swap(ce->copy, copy);
	mutex_unlock(&ce->lock);
	kfree(copy);
	copy = NULL;
	nouveau_channel_del(&chan);

	ret = nouveau_svm_ce_chan_new(ce->svm, &copy, &chan);
	if (ret) {
		NV_ERROR(ce->svm->drm, "svm: no copies until a channel is made: %pe\n",
			 ERR_PTR(ret));
		mutex_lock(&ce->lock);
		/* Who finds none has another tried for, and fails. */
		ce->lost = true;
		ce->dead = false;
		mutex_unlock(&ce->lock);
		return;
	}

	mutex_lock(&ce->lock);
	ce->chan = chan;
	ce->copy = copy;
	nouveau_svm_ce_adopt(ce);
	ce->dead = false;
	mutex_unlock(&ce->lock);
}

static void
nouveau_svm_ce_word_del(struct nouveau_svm_ce *ce)
{
	nouveau_vma_del(&ce->vma);
	nouveau_bo_unpin_del(&ce->word);
}

/**
 * nouveau_svm_ce_new() - Find a copy engine and make a channel on it
 * @svm: the device
 *
 * Return: the copy engine, or an error pointer. -ENODEV: the device has no copy
 * engine of a known class off the runlist of the graphics engine.
 */
struct nouveau_svm_ce *
nouveau_svm_ce_new(struct nouveau_svm_dev *svm)
{
	struct nouveau_svm_ce *ce;
	int ret;

	ce = kzalloc_obj(*ce);
	if (!ce)
		return ERR_PTR(-ENOMEM);

	ce->svm = svm;
	mutex_init(&ce->lock);
	/* Nothing is allocated under it. */
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&ce->lock);
	fs_reclaim_release(GFP_KERNEL);
	init_completion(&ce->stopped);
	init_completion(&ce->quiet);
	INIT_WORK(&ce->work, nouveau_svm_ce_work);
	ret = nouveau_bo_new_map_gpu(&svm->drm->client,
				     NOUVEAU_GEM_DOMAIN_GART | NOUVEAU_GEM_DOMAIN_COHERENT,
				     sizeof(u32), &ce->word, &ce->vma);
	if (ret)
		goto err_free;

	ret = nouveau_svm_ce_chan_new(svm, &ce->copy, &ce->chan);
	if (ret)
		goto err_word;

	nouveau_svm_ce_adopt(ce);
	return ce;

err_word:
	nouveau_svm_ce_word_del(ce);
err_free:
	kfree(ce);
	return ERR_PTR(ret);
}

/**
 * nouveau_svm_ce_del() - Give up the channel
 * @pce: the copy engine, NULL afterwards
 *
 * The caller makes sure that nobody submits any more.
 */
void
nouveau_svm_ce_del(struct nouveau_svm_ce **pce)
{
	struct nouveau_svm_ce *ce = *pce;

	if (!ce)
		return;
	*pce = NULL;

	/* It is idle: whoever submitted has waited. */
	cancel_work_sync(&ce->work);
	nouveau_svm_ce_forget(ce);
	if (ce->copy)
		nvif_object_dtor(ce->copy);
	kfree(ce->copy);
	nouveau_channel_del(&ce->chan);
	nouveau_svm_ce_word_del(ce);
	mutex_destroy(&ce->lock);
	kfree(ce);
}
