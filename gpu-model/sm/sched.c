// SPDX-License-Identifier: MIT
/*
 * The array of SMs: grids in, CTAs onto SMs, workers, events out.
 *
 * Owns everything in struct sm_array.  One lock, sm_array.lock, a leaf.  A worker
 * enters a slice first (sm_ops.slice_begin: the gate) and then takes a core, so
 * that who holds the gate exclusively knows that no core is owned.
 *
 * Workers run at a low priority, and the host may stop one that has the lock for many
 * milliseconds.  The engines, which MMIO waits for, therefore never take it: what they ask
 * for (launch, kill, replay) is a list that workers take up, events are a list that they
 * leave, both without a lock.  A reset alone waits: for the cores, in any case.
 *
 * CTAs start in launch order on the SM with the fewest warps that has room:
 * 64 warps, 32 CTAs, 65536 registers (in units of 8 a thread), 96 KiB of shared
 * memory.  A slice ends after 100 us of host time.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sm/core.h"

#define SLICE_NS 100000
#define TURN 256		/* instructions of a warp before the next has its turn */

static uint64_t host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- lists without a lock ---------------------------------------------------- */

/* What the engines ask of the array. */
struct sm_request {
	struct sm_request *next;
	struct sm_grid *launch;		/* NULL: kill @grid */
	uint64_t grid;
};

struct sm_event_node {
	struct sm_event_node *next;
	struct sm_event e;
};

/* Any thread.  Whoever takes the list gets it newest first. */
static void event_push(struct sm_array *sm, const struct sm_event *e)
{
	struct sm_event_node *n = malloc(sizeof(*n));

	if (!n)
		return;
	n->e = *e;
	__atomic_add_fetch(&sm->pending, 1, __ATOMIC_SEQ_CST);
	n->next = __atomic_load_n(&sm->ev_in, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&sm->ev_in, &n->next, n, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* The same with the array's lock: array_unlock() wakes who takes events. */
static void event_put(struct sm_array *sm, const struct sm_event *e)
{
	event_push(sm, e);
	sm->fresh = true;
}

/* The oldest event, or NULL; the caller frees it.  One thread at a time: the engines' side. */
static struct sm_event_node *event_pop(struct sm_array *sm)
{
	struct sm_event_node *n;

	if (!sm->ev_out) {
		struct sm_event_node *in = __atomic_exchange_n(&sm->ev_in, NULL, __ATOMIC_ACQUIRE);

		while (in) {
			n = in;
			in = n->next;
			n->next = sm->ev_out;
			sm->ev_out = n;
		}
	}
	n = sm->ev_out;
	if (n) {
		sm->ev_out = n->next;
		__atomic_sub_fetch(&sm->pending, 1, __ATOMIC_SEQ_CST);
	}
	return n;
}

static void events_drop(struct sm_array *sm)
{
	struct sm_event_node *n;

	while ((n = event_pop(sm)))
		free(n);
}

static void array_unlock(struct sm_array *sm)
{
	bool wake = sm->fresh;

	sm->fresh = false;
	pthread_mutex_unlock(&sm->lock);
	if (wake && sm->wake)
		sm->wake(sm->priv);
}

/* --- workers' sleep ------------------------------------------------------------ */

static void work_wait(struct sm_array *sm, uint32_t seen)
{
	__atomic_add_fetch(&sm->sleepers, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &sm->work, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	__atomic_sub_fetch(&sm->sleepers, 1, __ATOMIC_SEQ_CST);
}

/* There may be something to run.  Any context. */
static void work_post(struct sm_array *sm)
{
	__atomic_add_fetch(&sm->work, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&sm->sleepers, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &sm->work, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* --- grids and CTAs (array lock held) --------------------------------------- */

static void grid_unlink(struct sm_array *sm, struct sm_grid *g)
{
	struct sm_grid **p = &sm->grids;

	while (*p != g)
		p = &(*p)->link;
	*p = g->link;
	if (sm->grids_tail == &g->link)
		sm->grids_tail = p;
	__atomic_sub_fetch(&sm->pending, 1, __ATOMIC_SEQ_CST);
}

/* Return: true if the grid is over; it is gone then. */
static bool grid_check(struct sm_array *sm, struct sm_grid *g)
{
	struct sm_event e = { .type = SM_EVENT_DONE };

	if (g->killed)
		g->total = g->next;
	if (g->done < g->total || g->next < g->total)
		return false;
	e.grid = g->id;
	e.cookie = g->l.cookie;
	event_put(sm, &e);
	grid_unlink(sm, g);
	free(g);
	return true;
}

static void cta_free(struct sm_core *c, unsigned int n)
{
	struct sm_cta *t = c->cta[n];

	for (unsigned int j = 0; j < t->nr_warps; j++)
		c->slot[t->warps[j].slot] = NULL;
	c->nr_warps -= t->nr_warps;
	c->regs -= t->regs_used;
	c->shared -= t->shared_size;
	c->nr_ctas--;
	c->cta[n] = NULL;
	free(t->warps);
	free(t->regs);
	free(t->shared);
	free(t);
}

/* Take out of an unowned core what ended or was killed.  Return: true if anything. */
static bool core_reap(struct sm_array *sm, struct sm_core *c)
{
	bool any = false;

	for (unsigned int n = 0; n < SM_MAX_CTAS; n++) {
		struct sm_cta *t = c->cta[n];
		struct sm_grid *g;

		if (!t || (t->live && !t->grid->killed))
			continue;
		g = t->grid;
		cta_free(c, n);
		g->done++;
		grid_check(sm, g);
		any = true;
	}
	return any;
}

static unsigned int grid_regs(const struct sm_launch *l)
{
	unsigned int r = (l->regs + 7) & ~7u;

	return r < 8 ? 8 : r > 256 ? 256 : r;
}

static bool cta_fits(const struct sm_core *c, const struct sm_grid *g)
{
	return !c->owner && c->nr_ctas < SM_MAX_CTAS && c->nr_warps + g->warps <= SM_MAX_WARPS &&
	       c->regs + grid_regs(&g->l) * SM_WARP * g->warps <= SM_MAX_REGS &&
	       c->shared + g->l.shared_size <= SM_MAX_SHARED;
}

static struct sm_cta *cta_new(struct sm_grid *g, uint64_t index)
{
	unsigned int nregs = grid_regs(&g->l), threads = g->l.block[0] * g->l.block[1] * g->l.block[2];
	struct sm_cta *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->grid = g;
	t->ctaid[0] = index % g->l.grid[0];
	t->ctaid[1] = index / g->l.grid[0] % g->l.grid[1];
	t->ctaid[2] = index / g->l.grid[0] / g->l.grid[1];
	t->nr_warps = t->live = g->warps;
	t->regs_used = nregs * SM_WARP * g->warps;
	t->shared_size = g->l.shared_size;
	/* rows are vectors: align them */
	t->regs = aligned_alloc(64, (size_t)g->warps * nregs * SM_WARP * 4);
	t->warps = malloc(sizeof(*t->warps) * g->warps);
	t->shared = calloc(1, g->l.shared_size + 64);
	if (!t->regs || !t->warps || !t->shared) {
		free(t->regs);
		free(t->warps);
		free(t->shared);
		free(t);
		return NULL;
	}
	memset(t->regs, 0, (size_t)g->warps * nregs * SM_WARP * 4);
	for (unsigned int n = 0; n < g->warps; n++) {
		struct sm_warp *w = &t->warps[n];
		unsigned int lanes = threads - n * SM_WARP;

		memset(w, 0, offsetof(struct sm_warp, stack));
		w->regs = t->regs + (size_t)n * nregs * SM_WARP;
		w->nregs = nregs;
		w->active = lanes >= SM_WARP ? ~0u : (1u << lanes) - 1;
		w->exited = ~w->active;
		w->p[SM_PT] = ~0u;
		w->pc = g->l.program_va;
		w->cta = t;
		w->wid = n;
	}
	return t;
}

/* Start CTAs wherever there is room. */
static void place(struct sm_array *sm)
{
	for (struct sm_grid *g = sm->grids; g; g = g->link) {
		while (g->next < g->total && !g->killed && !g->refused) {
			struct sm_core *best = NULL;
			struct sm_cta *t;
			unsigned int n = 0, s = 0;

			for (int j = 0; j < sm->nr; j++)
				if (cta_fits(&sm->cores[j], g) &&
				    (!best || sm->cores[j].nr_warps < best->nr_warps))
					best = &sm->cores[j];
			if (!best)
				return;		/* those behind it wait too: launch order */
			t = cta_new(g, g->next);
			if (!t)
				return;
			g->next++;
			while (best->cta[n])
				n++;
			best->cta[n] = t;
			best->nr_ctas++;
			best->nr_warps += t->nr_warps;
			best->regs += t->regs_used;
			best->shared += t->shared_size;
			for (unsigned int j = 0; j < t->nr_warps; j++) {
				while (best->slot[s])
					s++;
				best->slot[s] = &t->warps[j];
				t->warps[j].slot = s;
			}
		}
	}
}

/* Requests (array lock held) */

static void request_launch(struct sm_array *sm, struct sm_grid *g)
{
	g->link = NULL;
	*sm->grids_tail = g;
	sm->grids_tail = &g->link;
	/* what no SM could ever hold would wait for ever: it is an exception instead */
	if (g->warps > SM_MAX_WARPS || g->l.shared_size > SM_MAX_SHARED ||
	    grid_regs(&g->l) * SM_WARP * g->warps > SM_MAX_REGS) {
		struct sm_event e = { .type = SM_EVENT_EXCEPTION, .grid = g->id, .cookie = g->l.cookie,
				      .error = SM_ERR_ILLEGAL_INSTR_PARAM, .pc = g->l.program_va };

		g->refused = true;
		event_put(sm, &e);
	}
	grid_check(sm, g);
}

static void request_kill(struct sm_array *sm, uint64_t grid)
{
	struct sm_grid *g;
	uint64_t left;

	for (g = sm->grids; g && g->id != grid; g = g->link)
		;
	if (!g)
		return;
	__atomic_store_n(&g->killed, true, __ATOMIC_RELAXED);
	g->total = g->next;
	left = g->total - g->done;
	for (int n = 0; n < sm->nr && left; n++)
		if (!sm->cores[n].owner)
			core_reap(sm, &sm->cores[n]);
	if (!left)
		grid_check(sm, g);
}

static void core_replay(struct sm_core *c)
{
	for (int s = 0; s < SM_MAX_WARPS; s++)
		if (c->slot[s] && c->slot[s]->state == WARP_PARKED)
			c->slot[s]->state = WARP_READY;
	c->replay = false;
}

static void take_requests(struct sm_array *sm)
{
	struct sm_request *in, *list = NULL, *r;

	if (__atomic_load_n(&sm->requests, __ATOMIC_RELAXED)) {
		in = __atomic_exchange_n(&sm->requests, NULL, __ATOMIC_ACQUIRE);
		while ((r = in)) {
			in = r->next;
			r->next = list;
			list = r;
		}
	}
	while ((r = list)) {
		list = r->next;
		if (r->launch)
			request_launch(sm, r->launch);
		else
			request_kill(sm, r->grid);
		free(r);
	}
	if (__atomic_load_n(&sm->replay, __ATOMIC_RELAXED) &&
	    __atomic_exchange_n(&sm->replay, false, __ATOMIC_ACQUIRE))
		for (int n = 0; n < sm->nr; n++) {
			/* owned: by who has run without the gate; its owner does it */
			if (sm->cores[n].owner)
				sm->cores[n].replay = true;
			else
				core_replay(&sm->cores[n]);
		}
}

static bool warp_runnable(const struct sm_warp *w)
{
	/* others may set the flag at any time: a hint, looked at again each turn */
	return w && w->state == WARP_READY && !__atomic_load_n(&w->cta->grid->killed, __ATOMIC_RELAXED);
}

static bool core_runnable(const struct sm_core *c)
{
	if (c->nr_ctas)
		for (int n = 0; n < SM_MAX_WARPS; n++)
			if (warp_runnable(c->slot[n]))
				return true;
	return false;
}

/* A core that has something to run, from @from on. */
static struct sm_core *pick(struct sm_array *sm, int from)
{
	take_requests(sm);
	place(sm);
	for (int j = 0; j < sm->nr; j++) {
		struct sm_core *c = &sm->cores[(from + j) % sm->nr];

		if (!c->owner && core_runnable(c))
			return c;
	}
	return NULL;
}

/* --- running ---------------------------------------------------------------- */

/* A worker's events reach the queue at once: others may wait for them. */
static void flush_pend(struct sm_worker *k)
{
	struct sm_array *sm = k->sm;

	if (!k->nr_pend)
		return;
	for (int n = 0; n < k->nr_pend; n++)
		event_push(sm, &k->pend[n]);
	k->nr_pend = 0;
	if (sm->wake)
		sm->wake(sm->priv);
}

/* Run a core's warps in turn, at most @limit instructions; @until: host time or 0. */
static uint64_t core_run(struct sm_worker *k, struct sm_core *c, uint64_t limit, uint64_t until)
{
	uint64_t ran = 0;
	bool some = true;

	k->core = c;
	while (some && ran < limit) {
		some = false;
		for (int n = 0; n < SM_MAX_WARPS && ran < limit; n++) {
			unsigned int s = (c->rr + 1) % SM_MAX_WARPS;
			struct sm_warp *w = c->slot[s];

			c->rr = s;
			if (!warp_runnable(w))
				continue;
			if (sm_run_warp(k, w, limit - ran < TURN ? limit - ran : TURN, &ran) == RUN_BUDGET)
				some = true;
			else
				some |= w->state == WARP_DONE || w->state == WARP_BARRIER;
			flush_pend(k);
			if (until && host_ns() >= until)
				return ran;
		}
	}
	return ran;
}

static void slice_enter(struct sm_worker *k)
{
	struct sm_array *sm = k->sm;

	if (sm->ops.slice_begin)
		sm->ops.slice_begin(sm->priv);
	sm_worker_flush(k);
	k->slice++;
}

/*
 * Take a core for a slice; array lock held.  What was launched after an invalidation of code finds its worker without
 * that code: the generation is read after the grid is seen.
 */
static void core_take(struct sm_worker *k, struct sm_core *c)
{
	uint64_t gen = __atomic_load_n(&k->sm->icache_gen, __ATOMIC_ACQUIRE);

	if (gen != k->icache_gen)
		sm_worker_drop_code(k);
	k->icache_gen = gen;
	c->owner = k;
}

static void slice_leave(struct sm_worker *k)
{
	if (k->sm->ops.slice_end)
		k->sm->ops.slice_end(k->sm->priv);
}

static void stat_add(uint64_t *to, uint64_t n)
{
	__atomic_add_fetch(to, n, __ATOMIC_RELAXED);
}

/* After a run: give the core back, count, free what ended. */
static void core_return(struct sm_worker *k, struct sm_core *c)
{
	struct sm_array *sm = k->sm;

	c->owner = NULL;
	k->core = NULL;
	stat_add(&sm->stats.warp_instructions, k->stats.warp_instructions);
	stat_add(&sm->stats.lane_instructions, k->stats.lane_instructions);
	stat_add(&sm->stats.faults, k->stats.faults);
	stat_add(&sm->stats.atomics, k->stats.atomics);
	memset(&k->stats, 0, sizeof(k->stats));
	if (c->replay)
		core_replay(c);
	core_reap(sm, c);
}

/* More cores than @mine, which the caller takes itself, can run. */
static bool work_for_others(const struct sm_array *sm, int mine)
{
	int n = 0;

	for (int j = 0; j < sm->nr && n <= mine; j++)
		n += !sm->cores[j].owner && core_runnable(&sm->cores[j]);
	return n > mine;
}

static void *worker_main(void *arg)
{
	struct sm_worker *k = arg;
	struct sm_array *sm = k->sm;
	struct sched_param sp = { 0 };
	id_t tid = (id_t)syscall(SYS_gettid);
	int from = k->index;

	pthread_setschedparam(pthread_self(), SCHED_BATCH, &sp);
	/* below the vCPUs, which run as the process was started */
	setpriority(PRIO_PROCESS, tid, getpriority(PRIO_PROCESS, tid) + 5);
	while (!__atomic_load_n(&sm->quit, __ATOMIC_SEQ_CST)) {
		uint32_t seen = __atomic_load_n(&sm->work, __ATOMIC_SEQ_CST);
		struct sm_core *c;
		bool more;

		pthread_mutex_lock(&sm->lock);
		c = pick(sm, from);
		array_unlock(sm);
		if (!c) {
			/* a quit since then has changed the word as well */
			if (!__atomic_load_n(&sm->quit, __ATOMIC_SEQ_CST))
				work_wait(sm, seen);
			continue;
		}
		/* the gate first, then a core: pick again once inside */
		slice_enter(k);
		pthread_mutex_lock(&sm->lock);
		c = sm->quit ? NULL : pick(sm, from);
		if (c) {
			core_take(k, c);
			from = c->index + 1;
			more = work_for_others(sm, 0);
			array_unlock(sm);
			if (more)
				work_post(sm);
			core_run(k, c, UINT64_MAX, host_ns() + SLICE_NS);
			pthread_mutex_lock(&sm->lock);
			core_return(k, c);
			place(sm);
			more = work_for_others(sm, 1);
			pthread_cond_broadcast(&sm->idle);
		} else {
			more = false;
		}
		array_unlock(sm);
		if (more)
			work_post(sm);
		slice_leave(k);
	}
	return NULL;
}

uint64_t sm_step(struct sm_array *sm, uint64_t instructions)
{
	struct sm_worker *k = &sm->workers[sm->nr_workers];
	uint64_t ran = 0;

	while (ran < instructions) {
		uint64_t chunk = instructions - ran < 4096 ? instructions - ran : 4096;
		struct sm_core *c;

		slice_enter(k);
		pthread_mutex_lock(&sm->lock);
		c = pick(sm, k->index);
		if (!c) {
			array_unlock(sm);
			slice_leave(k);
			break;
		}
		core_take(k, c);
		k->index = (c->index + 1) % sm->nr;
		array_unlock(sm);
		ran += core_run(k, c, chunk, 0);
		pthread_mutex_lock(&sm->lock);
		core_return(k, c);
		array_unlock(sm);
		slice_leave(k);
	}
	return ran;
}

/* --- the interface ---------------------------------------------------------- */

int sm_new(int nr, int workers, const struct sm_ops *ops, void *priv, struct sm_array **out)
{
	struct sm_array *sm = calloc(1, sizeof(*sm));

	if (!sm)
		return -ENOMEM;
	sm->cores = calloc(nr, sizeof(*sm->cores));
	sm->workers = calloc(workers + 1, sizeof(*sm->workers));
	if (!sm->cores || !sm->workers) {
		free(sm->cores);
		free(sm->workers);
		free(sm);
		return -ENOMEM;
	}
	pthread_mutex_init(&sm->lock, NULL);
	pthread_cond_init(&sm->idle, NULL);
	for (int n = 0; n < 64; n++)
		pthread_mutex_init(&sm->stripe[n], NULL);
	sm->ops = *ops;
	if (!sm->ops.post)
		sm->ops.post = sm->ops.write;
	sm->priv = priv;
	sm->nr = nr;
	sm->threaded = workers > 0;
	sm->grids_tail = &sm->grids;
	sm->alu = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? sm_alu_v3 : sm_alu_base;
	for (int n = 0; n < nr; n++)
		sm->cores[n].index = n;
	for (int n = 0; n <= workers; n++) {
		sm->workers[n].sm = sm;
		sm->workers[n].index = n;
	}
	sm->workers[workers].index = 0;	/* sm_step()'s starts with the first core */
	for (int n = 0; n < workers; n++) {
		if (pthread_create(&sm->workers[n].thread, NULL, worker_main, &sm->workers[n])) {
			sm->nr_workers = n;
			sm_del(&sm);
			return -ENOMEM;
		}
		sm->nr_workers = n + 1;
	}
	*out = sm;
	return 0;
}

/* Wait until no worker owns a core; lock held. */
static void wait_unowned(struct sm_array *sm)
{
	for (int n = 0; n < sm->nr; n++) {
		while (sm->cores[n].owner) {
			pthread_cond_wait(&sm->idle, &sm->lock);
			n = 0;
		}
	}
}

static void drop_all(struct sm_array *sm)
{
	take_requests(sm);
	for (struct sm_grid *g = sm->grids; g; g = g->link)
		__atomic_store_n(&g->killed, true, __ATOMIC_RELAXED);
	wait_unowned(sm);
	for (int n = 0; n < sm->nr; n++)
		for (unsigned int j = 0; j < SM_MAX_CTAS; j++)
			if (sm->cores[n].cta[j])
				cta_free(&sm->cores[n], j);
	while (sm->grids) {
		struct sm_grid *g = sm->grids;

		grid_unlink(sm, g);
		free(g);
	}
	events_drop(sm);
	sm->fresh = false;
}

void sm_del(struct sm_array **psm)
{
	struct sm_array *sm = *psm;

	if (!sm)
		return;
	pthread_mutex_lock(&sm->lock);
	__atomic_store_n(&sm->quit, true, __ATOMIC_SEQ_CST);
	drop_all(sm);
	pthread_mutex_unlock(&sm->lock);
	work_post(sm);
	for (int n = 0; n < sm->nr_workers; n++)
		pthread_join(sm->workers[n].thread, NULL);
	for (int n = 0; n <= sm->nr_workers; n++)
		for (int j = 0; j < CODE_PAGES; j++)
			free(sm->workers[n].code[j]);
	free(sm->cores);
	free(sm->workers);
	free(sm);
	*psm = NULL;
}

/* A list entry for workers to take up, or, where there are none, taken up at once. */
static void request(struct sm_array *sm, struct sm_request *r)
{
	r->next = __atomic_load_n(&sm->requests, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&sm->requests, &r->next, r, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static void request_served(struct sm_array *sm)
{
	if (sm->threaded) {
		work_post(sm);
		return;
	}
	pthread_mutex_lock(&sm->lock);
	take_requests(sm);
	array_unlock(sm);
}

uint64_t sm_launch(struct sm_array *sm, const struct sm_launch *l)
{
	struct sm_grid *g = calloc(1, sizeof(*g));
	struct sm_request *r = calloc(1, sizeof(*r));
	uint64_t id, threads = (uint64_t)l->block[0] * l->block[1] * l->block[2];

	if (!g || !r) {
		free(g);
		free(r);
		return 0;
	}
	g->l = *l;
	g->total = (uint64_t)l->grid[0] * l->grid[1] * l->grid[2];
	g->warps = (threads + SM_WARP - 1) / SM_WARP;
	if (!threads)
		g->total = 0;
	id = g->id = ++sm->next_id;
	r->launch = g;
	__atomic_add_fetch(&sm->pending, 1, __ATOMIC_SEQ_CST);
	request(sm, r);
	request_served(sm);
	return id;
}

bool sm_idle(struct sm_array *sm)
{
	return !__atomic_load_n(&sm->pending, __ATOMIC_SEQ_CST);
}

bool sm_stalled(struct sm_array *sm)
{
	bool r;

	pthread_mutex_lock(&sm->lock);
	r = sm->grids != NULL;
	for (int n = 0; n < sm->nr && r; n++)
		r = !sm->cores[n].owner;
	if (r)
		r = !pick(sm, 0);
	array_unlock(sm);
	return r;
}

void sm_replay(struct sm_array *sm)
{
	__atomic_store_n(&sm->replay, true, __ATOMIC_RELEASE);
	request_served(sm);
}

void sm_kill(struct sm_array *sm, uint64_t grid)
{
	struct sm_request *r = calloc(1, sizeof(*r));

	if (r) {
		r->grid = grid;
		request(sm, r);
		request_served(sm);
		return;
	}
	pthread_mutex_lock(&sm->lock);
	take_requests(sm);
	request_kill(sm, grid);
	array_unlock(sm);
	work_post(sm);
}

void sm_reset(struct sm_array *sm)
{
	pthread_mutex_lock(&sm->lock);
	drop_all(sm);
	sm_invalidate_icache(sm);
	pthread_mutex_unlock(&sm->lock);
}

void sm_invalidate_icache(struct sm_array *sm)
{
	__atomic_add_fetch(&sm->icache_gen, 1, __ATOMIC_RELEASE);
}

int sm_poll_events(struct sm_array *sm, struct sm_event *ev, int n)
{
	struct sm_event_node *e;
	int r = 0;

	while (r < n && (e = event_pop(sm))) {
		ev[r++] = e->e;
		free(e);
	}
	return r;
}

void sm_set_wake(struct sm_array *sm, void (*wake)(void *priv))
{
	sm->wake = wake;
}

void sm_get_stats(struct sm_array *sm, struct sm_stats *out)
{
	out->warp_instructions = __atomic_load_n(&sm->stats.warp_instructions, __ATOMIC_RELAXED);
	out->lane_instructions = __atomic_load_n(&sm->stats.lane_instructions, __ATOMIC_RELAXED);
	out->faults = __atomic_load_n(&sm->stats.faults, __ATOMIC_RELAXED);
	out->atomics = __atomic_load_n(&sm->stats.atomics, __ATOMIC_RELAXED);
}
