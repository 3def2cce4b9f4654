// SPDX-License-Identifier: MIT
/*
 * Runlists: which channel is on a PBDMA, for how long, and which context is on
 * an engine.
 *
 * Owns struct runlist.  Each runlist has one PBDMA and goes its own way.  A
 * channel keeps the PBDMA for its time-slice group's slice and gives it away
 * earlier when it has no work, waits for a semaphore with ACQUIRE_SWITCH, or
 * waits for an engine that another channel holds.  An engine holds one context
 * at a time.  It switches when a channel of another context needs it, when a
 * preempt asks for it, or when its channel has left the runlist; a switch begun
 * stays pending until the engine lets go, which a graphics engine with grids
 * in flight or parked on a replayable fault does not.  While it is pending the
 * PBDMA serves channels that do not need that engine.
 *
 * Lock order: gpu->lock.
 *
 * Sources: gv100 dev_ram "RUN-LIST RAM", dev_fifo; nouveau gp100_runl,
 * gk110_runl_insert_cgrp(), gp100_runl_insert_chan().
 */
#include <stdlib.h>

#include "hw/fifo_priv.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"

/* Runlist entry, first word: Pascal's format as nouveau writes it */
#define RL_ENTRY_SIZE 8u
#define RL_IS_TSG BIT(13)

#define PFIFO_SCHED_DISABLE 0x002630
#define PFIFO_ENG_TIMEOUT 0x002a0c
#define SCHED_ERROR_CTXSW_TIMEOUT 0x0a
#define SCHED_ERROR_BAD_TSG 0x20

#define DEFAULT_SLICE_NS ((128ull << 3) * 1024)

struct engine *runlist_engine(struct gpu *gpu, unsigned int id, uint8_t type)
{
	struct fifo *f = gpu->fifo;

	for (unsigned int i = 0; i < f->nr_engines; i++)
		if (f->engine[i].runlist == id && f->engine[i].type == type)
			return &f->engine[i];
	return NULL;
}

static bool runlist_being_preempted(const struct fifo *f, const struct channel *ch)
{
	if (!f->preempt_pending)
		return false;
	if (f->preempt_is_tsg)
		return ch->in_tsg && ch->tsg == f->preempt_id;
	return ch->id == f->preempt_id;
}

static bool runlist_runnable(const struct fifo *f, const struct channel *ch)
{
	return ch && ch->bound && ch->enabled && ch->listed && !ch->faulted &&
	       !runlist_being_preempted(f, ch) && (ch->kicked || fifo_has_work(ch));
}

/* A channel that does not run any more must not hold up an engine by a switch it asked for. */
static void runlist_cancel_switch(struct fifo *f, const struct channel *ch)
{
	for (unsigned int i = 0; i < f->nr_engines; i++)
		if (f->engine[i].next == ch)
			f->engine[i].next = NULL;
}

/**
 * runlist_submit() - NV_PFIFO_RUNLIST written: take over a new list.
 * @ap, @addr: where it is.
 * @n: entries.
 * The entries are read at once, so that NV_PFIFO_ENG_RUNLIST_PENDING is never seen set.
 * Context: gpu->lock held.
 */
void runlist_submit(struct gpu *gpu, unsigned int id, enum aperture ap, uint64_t addr, unsigned int n)
{
	struct fifo *f = gpu->fifo;
	struct runlist *rl = &f->rl[id];
	struct runlist_entry *list = NULL;
	uint64_t slice = DEFAULT_SLICE_NS;
	unsigned int left = 0, nr = 0;
	uint16_t tsg = 0;
	bool bad = false;

	if (n > RUNLIST_MAX_ENTRIES) {
		gpu_log(gpu, 0, "runlist %u: %u entries, taking %u", id, n, RUNLIST_MAX_ENTRIES);
		n = RUNLIST_MAX_ENTRIES;
	}
	if (n) {
		list = calloc(n, sizeof(*list));
		if (!list)
			return;
	}
	for (unsigned int i = 0; i < n; i++) {
		uint32_t w = mem_rd32(gpu, CLIENT_HOST, ap, addr + i * RL_ENTRY_SIZE);

		if (w & RL_IS_TSG) {
			if (left)
				bad = true;
			tsg = field(w, 11, 0);
			left = field(w, 31, 26);
			slice = ((uint64_t)field(w, 25, 18) << field(w, 17, 14)) * 1024;
			if (!slice)
				slice = 1024;
			if (!left)
				bad = true;
			continue;
		}
		list[nr].chid = field(w, 11, 0);
		list[nr].in_tsg = left > 0;
		list[nr].tsg = tsg;
		list[nr].slice_ns = left ? slice : DEFAULT_SLICE_NS;
		nr++;
		if (left)
			left--;
	}
	if (left)
		bad = true;

	for (unsigned int i = 0; i < FIFO_CHANNELS; i++) {
		struct channel *ch = f->chan[i];

		if (ch && ch->listed && ch->runlist == id)
			ch->listed = false;
	}
	for (unsigned int i = 0; i < nr; i++) {
		struct channel *ch = f->chan[list[i].chid];

		if (!ch)
			continue;
		ch->listed = true;
		ch->runlist = id;
		ch->in_tsg = list[i].in_tsg;
		ch->tsg = list[i].tsg;
		ch->kicked = true;
	}
	free(rl->entries);
	rl->entries = list;
	rl->n = nr;
	rl->pos = 0;
	rl->slice_end = 0;
	if (f->pbdma[id].ch && !f->pbdma[id].ch->listed)
		runlist_unload(gpu, f->pbdma[id].ch);
	if (bad)
		fifo_sched_error(gpu, SCHED_ERROR_BAD_TSG);
	f->runlist_event |= BIT(id);
	fifo_intr_update(gpu);
	gpu_kick(gpu);
}

void runlist_unload(struct gpu *gpu, struct channel *ch)
{
	struct fifo *f = gpu->fifo;

	for (unsigned int i = 0; i < FIFO_MAX_PBDMAS; i++)
		if (f->pbdma[i].ch == ch)
			pbdma_save(gpu, i);
	runlist_cancel_switch(f, ch);
}

static void runlist_switch_begin(struct gpu *gpu, struct engine *e)
{
	e->switch_spent = 0;
	e->switch_seen = gpu_now(gpu);
}

/* Let @e go of its context.  Return: true when it has. */
static bool runlist_engine_unload(struct gpu *gpu, struct engine *e)
{
	if (!e->resident)
		return true;
	if (e->faulted)
		return false;	/* frozen until software resets it */
	if (!e->ops->save(gpu, e, e->resident)) {
		if (!e->unloading && !e->next)
			runlist_switch_begin(gpu, e);
		e->unloading = true;
		return false;
	}
	e->resident = NULL;
	e->unloading = false;
	return true;
}

/**
 * runlist_preempt_try() - carry out NV_PFIFO_PREEMPT as far as possible now.
 * Done when the channel or group is on no PBDMA and on no engine.
 * Context: gpu->lock held.
 */
void runlist_preempt_try(struct gpu *gpu)
{
	struct fifo *f = gpu->fifo;
	bool done = true;

	if (!f->preempt_pending)
		return;
	for (unsigned int i = 0; i < f->nr_runlists; i++) {
		struct channel *ch = f->pbdma[i].ch;

		if (ch && runlist_being_preempted(f, ch))
			runlist_unload(gpu, ch);
	}
	for (unsigned int i = 0; i < f->nr_engines; i++) {
		struct engine *e = &f->engine[i];

		if (e->next && runlist_being_preempted(f, e->next))
			e->next = NULL;
		if (e->resident && runlist_being_preempted(f, e->resident) && !runlist_engine_unload(gpu, e))
			done = false;
	}
	if (done) {
		f->preempt_pending = false;
		gpu_kick(gpu);
	}
}

bool fifo_engine_acquire(struct gpu *gpu, struct engine *e, struct channel *ch)
{
	if (e->resident && e->resident != ch && !e->faulted && !e->next && !e->unloading &&
	    fifo_same_context(e->resident, ch)) {
		/* channels of a group share the context, but the subchannel state is each one's own */
		if (!e->ops->save(gpu, e, e->resident))
			return false;
		e->resident = NULL;
	}
	if (e->resident == ch && !e->next && !e->unloading)
		return !e->faulted;
	if (e->faulted)
		return false;
	if (!e->next) {
		e->next = ch;
		if (!e->unloading)
			runlist_switch_begin(gpu, e);
	}
	if (e->next != ch)
		return false;
	if (e->resident) {
		if (!e->ops->save(gpu, e, e->resident))
			return false;
		e->resident = NULL;
		e->unloading = false;
	}
	if (!e->ops->load(gpu, e, ch))
		return false;
	e->resident = ch;
	e->next = NULL;
	e->unloading = false;
	return true;
}

/**
 * runlist_switch_step() - go on with pending unloads and watch their time.
 * NV_PFIFO_ENG_TIMEOUT: units of 1024 ns.
 * Context: gpu->lock held.
 */
enum step_result runlist_switch_step(struct gpu *gpu)
{
	struct fifo *f = gpu->fifo;
	uint32_t cfg = hw_get(gpu, PFIFO_ENG_TIMEOUT);
	uint64_t period = (uint64_t)field(cfg, 30, 0) * 1024;
	enum step_result res = STEP_IDLE;

	for (unsigned int i = 0; i < f->nr_engines; i++) {
		struct engine *e = &f->engine[i];

		if (e->faulted)
			continue;
		if (e->next && !runlist_runnable(f, e->next))
			e->next = NULL;
		/* a channel that left its runlist or was disabled and preempted is switched out */
		if (e->resident && !e->resident->listed && !e->next)
			runlist_engine_unload(gpu, e);
		if (!e->next && !e->unloading)
			continue;
		if (e->unloading && !e->next && !(e->resident && !e->resident->listed) &&
		    !(e->resident && runlist_being_preempted(f, e->resident))) {
			e->unloading = false;	/* nobody wants that any more */
			continue;
		}
		res = STEP_POLL;
		e->switch_spent += (gpu_now(gpu) - e->switch_seen) *
				   (e->ops->switch_clock ? e->ops->switch_clock(gpu, e) : 4) / 4;
		e->switch_seen = gpu_now(gpu);
		if ((cfg & BIT(31)) && e->switch_spent > period) {
			e->switch_spent = 0;
			gpu_log(gpu, 1, "%s: context switch time-out", e->name);
			fifo_sched_error(gpu, SCHED_ERROR_CTXSW_TIMEOUT);
		}
	}
	return res;
}

/*
 * The next channel after the loaded one that may run.  @same: another one of the loaded
 * channel's group.  Return: its index, or -1.
 */
static int runlist_pick(struct fifo *f, struct runlist *rl, const struct channel *cur, bool same)
{
	for (unsigned int k = 1; k <= rl->n; k++) {
		unsigned int i = (rl->pos + k) % rl->n;
		struct channel *ch = f->chan[rl->entries[i].chid];

		if (!runlist_runnable(f, ch))
			continue;
		if (same && (ch == cur || !fifo_same_context(cur, ch)))
			continue;
		return i;
	}
	return -1;
}

static bool runlist_others(struct fifo *f, struct runlist *rl, const struct channel *cur)
{
	for (unsigned int i = 0; i < rl->n; i++) {
		struct channel *ch = f->chan[rl->entries[i].chid];

		if (ch != cur && runlist_runnable(f, ch))
			return true;
	}
	return false;
}

static bool runlist_load_next(struct gpu *gpu, unsigned int id)
{
	struct fifo *f = gpu->fifo;
	struct runlist *rl = &f->rl[id];
	struct channel *cur = f->pbdma[id].ch;
	int i = -1;

	if (!rl->n || (hw_get(gpu, PFIFO_SCHED_DISABLE) & BIT(id)))
		return false;
	if (cur && gpu_now(gpu) < rl->slice_end)
		i = runlist_pick(f, rl, cur, true);
	if (i < 0)
		i = runlist_pick(f, rl, cur, false);
	if (i < 0)
		return false;
	if (cur)
		pbdma_save(gpu, id);
	if (!cur || !fifo_same_context(cur, f->chan[rl->entries[i].chid]) || gpu_now(gpu) >= rl->slice_end)
		rl->slice_end = gpu_now(gpu) + rl->entries[i].slice_ns;
	rl->pos = i;
	rl->switches++;
	return pbdma_load(gpu, id, f->chan[rl->entries[i].chid]);
}

/* Load the next channel as part of a step. */
static bool runlist_step_load(struct gpu *gpu, unsigned int id, struct pbdma_budget *left)
{
	left->dwords -= left->dwords < PBDMA_LOAD_DWORDS ? left->dwords : PBDMA_LOAD_DWORDS;
	return runlist_load_next(gpu, id);
}

/*
 * Injection: a channel of this runlist, idle or not, has a GP_PUT that its PBDMA refuses,
 * as bad_put of tests/test_pbdma.c has.
 */
static void runlist_inject(struct gpu *gpu, unsigned int id)
{
	struct pbdma *p = &gpu->fifo->pbdma[id];
	struct inject_arm arm;
	struct channel *ch;

	if (!inject_armed(gpu, INJECT_chan_error, &arm))
		return;
	ch = fifo_channel(gpu, arm.arg < FIFO_CHANNELS ? arm.arg : FIFO_CHANNELS);
	if (!ch || !ch->bound || !ch->enabled || !ch->listed || ch->faulted || ch->runlist != id)
		return;
	if (p->ch != ch && (hw_get(gpu, PFIFO_SCHED_DISABLE) & BIT(id)))
		return;
	if (!inject_fire(gpu, INJECT_chan_error, 0, 0, NULL))
		return;
	if (p->ch != ch) {
		pbdma_save(gpu, id);
		if (!pbdma_load(gpu, id, ch))
			return;
	}
	pbdma_raise(gpu, id, PBDMA_INTR_GPPTR);
}

/**
 * runlist_step() - one bounded step of a runlist: the loaded channel, then others if it waits.
 * Context: gpu->lock held.
 */
enum step_result runlist_step(struct gpu *gpu, unsigned int id)
{
	struct pbdma_budget left = { PBDMA_STEP_DWORDS, gpu_now(gpu) };
	struct fifo *f = gpu->fifo;
	struct runlist *rl = &f->rl[id];
	struct pbdma *p = &f->pbdma[id];
	bool waiting = false;

	if (!pbdma_frozen(p))
		runlist_inject(gpu, id);
	if (pbdma_frozen(p))
		return STEP_IDLE;
	if (p->ch && !runlist_runnable(f, p->ch))
		runlist_unload(gpu, p->ch);
	/* each channel once at most: what waits is polled again in the next step */
	for (unsigned int k = 0; k <= rl->n; k++) {
		if (!p->ch && !runlist_step_load(gpu, id, &left))
			return waiting && runlist_others(f, rl, NULL) ? STEP_POLL : STEP_IDLE;
		if (!left.dwords) {
			/* more channels wait than a step can look at: go on with the next, until all have been seen */
			if (rl->looked < rl->n)
				return STEP_BUSY;
			rl->looked = 0;
			return waiting ? STEP_POLL : STEP_BUSY;
		}
		rl->looked++;
		switch (pbdma_run(gpu, id, &left)) {
		case PBDMA_PROGRESS:
			rl->looked = 0;
			if (gpu_now(gpu) >= rl->slice_end && runlist_others(f, rl, p->ch))
				runlist_load_next(gpu, id);
			return STEP_BUSY;
		case PBDMA_IDLE:
			pbdma_save(gpu, id);
			break;
		case PBDMA_WAIT:
			waiting = true;
			if (gpu_now(gpu) < rl->slice_end || !runlist_others(f, rl, p->ch))
				return STEP_POLL;
			runlist_step_load(gpu, id, &left);
			break;
		case PBDMA_YIELD:
			waiting = true;
			if (!runlist_others(f, rl, p->ch))
				return STEP_POLL;
			runlist_step_load(gpu, id, &left);
			break;
		case PBDMA_STOPPED:
			if (pbdma_frozen(p))
				return STEP_IDLE;
			runlist_unload(gpu, p->ch);
			break;
		}
	}
	rl->looked = 0;
	return waiting ? STEP_POLL : STEP_BUSY;
}
