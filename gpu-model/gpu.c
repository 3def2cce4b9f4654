// SPDX-License-Identifier: MIT
/*
 * Owns the GPU object, the device lock, GPU time, VRAM and the engine thread.
 *
 * Locks, outer first: gpu->lock, gpu->sm_gate, gpu->gate_m, gpu_thread.m.  The last is a leaf
 * that guards nothing but the wake-up flag of the engine thread, so that
 * gpu_kick() may be called from any context.
 */
#include "gpu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "hw/block.h"
#include "hw/fifo.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"
#include "ledger/sanitizer.h"
#include "ledger/trace.h"
#include "pci/dma.h"
#include "pci/pci.h"
#include "sm/sm.h"

#define POLL_MIN_NS 50000ull	/* an engine that waits for memory looks again after this... */
#define POLL_MAX_NS 1000000ull	/* ...growing to this while nothing happens */
#define TICK_NS 100000ull	/* granularity of time in a trace, between host events */

struct gpu_thread {
	pthread_t tid;
	bool started;
	pthread_mutex_t m;
	pthread_cond_t c;
	bool stop;
	uint64_t kicks;		/* wake-ups asked for */
	uint64_t seen;		/* of these: known to the step that runs or ran last */
	uint64_t served;	/* of these: followed by a whole step */
};

/* --- fair lock ------------------------------------------------------------ */

void fair_lock_init(struct fair_lock *l)
{
	memset(l, 0, sizeof(*l));
	pthread_mutex_init(&l->m, NULL);
	pthread_cond_init(&l->c, NULL);
}

void fair_lock(struct fair_lock *l)
{
	pthread_mutex_lock(&l->m);
	uint64_t ticket = l->next;

	/* Stores are atomic for fair_lock_contended(), which reads without the mutex. */
	__atomic_store_n(&l->next, ticket + 1, __ATOMIC_RELAXED);
	while (l->serving != ticket)
		pthread_cond_wait(&l->c, &l->m);
	l->owner = pthread_self();
	l->held = true;
	pthread_mutex_unlock(&l->m);
}

void fair_unlock(struct fair_lock *l)
{
	pthread_mutex_lock(&l->m);
	l->held = false;
	__atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELAXED);
	bool waiters = l->serving != l->next;
	pthread_mutex_unlock(&l->m);
	if (waiters)
		pthread_cond_broadcast(&l->c);
}

bool fair_lock_contended(struct fair_lock *l)
{
	/* Advisory: a stale answer only ends a step early or late. */
	uint64_t next = __atomic_load_n(&l->next, __ATOMIC_RELAXED);

	return next - __atomic_load_n(&l->serving, __ATOMIC_RELAXED) > 1;
}

/* --- time ------------------------------------------------------------------ */

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void time_take(struct gpu *gpu)
{
	uint64_t now = clock_ns() - gpu->clock_base;

	if (now > gpu->now_ns)
		gpu->now_ns = now;
}

/*
 * With a trace time moves at host events and ticks only, which carry it: a
 * block that looks at the clock in between sees the time of the last of them.
 */
void gpu_time_refresh(struct gpu *gpu)
{
	if (!gpu->trace)
		time_take(gpu);
}

static void step_time(struct gpu *gpu)
{
	if (!gpu->trace) {
		time_take(gpu);
	} else if (trace_replaying(gpu)) {
		trace_tick(gpu);
	} else if (clock_ns() - gpu->clock_base >= gpu->now_ns + TICK_NS) {
		time_take(gpu);
		trace_event(gpu, "tick");
	}
}

void gpu_lock(struct gpu *gpu)
{
	fair_lock(&gpu->lock);
	if (!gpu->trace || !trace_replaying(gpu))
		time_take(gpu);
}

void gpu_unlock(struct gpu *gpu)
{
	fair_unlock(&gpu->lock);
}

/* --- the gate ----------------------------------------------------------------- */

/* Exclusively, with gpu->lock: nothing runs that is not done. */
static bool gate_have(struct gpu *gpu, int err)
{
	if (err)
		return false;
	gpu->deferred_runs = false;
	return true;
}

void gpu_gate_wait(struct gpu *gpu)
{
	gate_have(gpu, pthread_rwlock_wrlock(&gpu->sm_gate));
}

static void gate_want(struct gpu *gpu, bool wanted)
{
	pthread_mutex_lock(&gpu->gate_m);
	__atomic_store_n(&gpu->gate_wanted, wanted, __ATOMIC_SEQ_CST);
	if (!wanted)
		pthread_cond_broadcast(&gpu->gate_c);
	pthread_mutex_unlock(&gpu->gate_m);
}

static bool gate_wanted(struct gpu *gpu)
{
	return __atomic_load_n(&gpu->gate_wanted, __ATOMIC_SEQ_CST);
}

bool gpu_gate_try(struct gpu *gpu)
{
	/* Without workers there is nobody to wait for, and who asks gets it now. */
	if (gpu->cfg.deterministic)
		return gate_have(gpu, pthread_rwlock_wrlock(&gpu->sm_gate));
	if (gate_have(gpu, pthread_rwlock_trywrlock(&gpu->sm_gate)))
		return true;
	gate_want(gpu, true);
	/* the last slice may have ended before it saw that */
	return gate_have(gpu, pthread_rwlock_trywrlock(&gpu->sm_gate));
}

void gpu_gate_release(struct gpu *gpu, bool held)
{
	if (held)
		pthread_rwlock_unlock(&gpu->sm_gate);
	if (gate_wanted(gpu))
		gate_want(gpu, false);
}

void gpu_gate_enter(struct gpu *gpu)
{
	for (;;) {
		pthread_rwlock_rdlock(&gpu->sm_gate);
		if (!gate_wanted(gpu))
			return;
		pthread_rwlock_unlock(&gpu->sm_gate);
		gpu_kick(gpu);
		pthread_mutex_lock(&gpu->gate_m);
		while (gpu->gate_wanted)
			pthread_cond_wait(&gpu->gate_c, &gpu->gate_m);
		pthread_mutex_unlock(&gpu->gate_m);
	}
}

void gpu_gate_leave(struct gpu *gpu)
{
	pthread_rwlock_unlock(&gpu->sm_gate);
	if (gate_wanted(gpu))
		gpu_kick(gpu);
}

/* --- configuration ----------------------------------------------------------- */

void gpu_config_default(struct gpu_config *cfg)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	memset(cfg, 0, sizeof(*cfg));
	cfg->chip = CHIP_GP104;
	cfg->vram_size = GiB;
	cfg->sms = n < 1 ? 1 : n > 20 ? 20 : (int)n;
	cfg->copy_engines = 2;
	cfg->topology = TOPOLOGY_REAL;
	cfg->seed = 1;
}

static int config_check(const struct gpu_config *cfg)
{
	const char *why = NULL;

	if (cfg->chip != CHIP_GP104 && cfg->chip != CHIP_GP100)
		why = "chip is gp104 or gp100";
	else if (cfg->vram_size < 256 * MiB || cfg->vram_size > 8 * GiB || cfg->vram_size % (64 * MiB))
		why = "vram is 256M to 8G, a multiple of 64M";
	else if (cfg->sms < 1 || cfg->sms > 56)
		why = "sms is 1 to 56";
	else if (cfg->copy_engines < 1 || cfg->copy_engines > 6)
		why = "copy-engines is 1 to 6";
	else if (cfg->topology == TOPOLOGY_REAL && cfg->copy_engines < 2)
		why = "the real topology has 2 copy engines or more";
	if (!why)
		return 0;
	fprintf(stderr, "gpu-model: no such board: %s\n", why);
	return -EINVAL;
}

/* --- life ---------------------------------------------------------------------- */

int gpu_new(const struct gpu_config *cfg, struct gpu **out)
{
	pthread_rwlockattr_t rwattr;
	pthread_condattr_t cattr;
	struct gpu *gpu;
	int ret = config_check(cfg);

	if (ret)
		return ret;
	gpu = calloc(1, sizeof(*gpu));
	if (!gpu)
		return -ENOMEM;
	gpu->cfg = *cfg;
	gpu->wake_ns = UINT64_MAX;
	gpu->last_step = STEP_IDLE;
	gpu->vram_fd = -1;
	gpu->deferred_tail = &gpu->deferred;
	gpu->clock_base = clock_ns();
	fair_lock_init(&gpu->lock);
	/* A writer waits for the slices that run, never for those that want to begin. */
	pthread_rwlockattr_init(&rwattr);
	pthread_rwlockattr_setkind_np(&rwattr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&gpu->sm_gate, &rwattr);
	pthread_rwlockattr_destroy(&rwattr);
	pthread_mutex_init(&gpu->gate_m, NULL);
	pthread_cond_init(&gpu->gate_c, NULL);

	ret = -ENOMEM;
	gpu->thread = calloc(1, sizeof(*gpu->thread));
	gpu->ledger = calloc(1, sizeof(*gpu->ledger));
	if (!gpu->thread || !gpu->ledger)
		goto err;
	pthread_mutex_init(&gpu->thread->m, NULL);
	pthread_condattr_init(&cattr);
	pthread_condattr_setclock(&cattr, CLOCK_MONOTONIC);
	pthread_cond_init(&gpu->thread->c, &cattr);
	pthread_condattr_destroy(&cattr);

	gpu->vram_size = cfg->vram_size;
	gpu->vram_fd = memfd_create("gpu-model-vram", MFD_CLOEXEC);
	if (gpu->vram_fd < 0 || ftruncate(gpu->vram_fd, (off_t)gpu->vram_size))
		goto err;
	gpu->vram = mmap(NULL, gpu->vram_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			 gpu->vram_fd, 0);
	if (gpu->vram == MAP_FAILED) {
		gpu->vram = NULL;
		goto err;
	}
	ret = san_new(gpu, &gpu->san);
	if (!ret)
		ret = inject_new(gpu, &gpu->inject);
	if (!ret)
		ret = dma_new(gpu, &gpu->dma);
	if (!ret)
		ret = pci_new(gpu, &gpu->pci);
	if (!ret)
		ret = hw_init(gpu);
	if (ret)
		goto err;
	hw_reset(gpu);
	*out = gpu;
	return 0;
err:
	gpu_del(&gpu);
	return ret;
}

void gpu_del(struct gpu **pgpu)
{
	struct gpu *gpu = *pgpu;

	if (!gpu)
		return;
	gpu_stop(gpu);
	/* nobody is left who would take it */
	gpu_gate_release(gpu, false);
	if (gpu->hw)
		hw_fini(gpu);
	trace_del(&gpu->trace);
	pci_del(&gpu->pci);
	dma_del(&gpu->dma);
	inject_del(&gpu->inject);
	san_del(&gpu->san);
	if (gpu->vram)
		munmap(gpu->vram, gpu->vram_size);
	if (gpu->vram_fd >= 0)
		close(gpu->vram_fd);
	free(gpu->ledger);
	free(gpu->thread);
	free(gpu);
	*pgpu = NULL;
}

void gpu_reset(struct gpu *gpu)
{
	gpu_lock(gpu);
	if (gpu->trace)
		trace_event(gpu, "reset");
	gpu_gate_wait(gpu);
	if (fallocate(gpu->vram_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)gpu->vram_size))
		memset(gpu->vram, 0, gpu->vram_size);
	pci_power_on(gpu);
	hw_reset(gpu);
	gpu->last_step = STEP_IDLE;
	gpu_gate_release(gpu, true);
	fair_unlock(&gpu->lock);
	gpu_kick(gpu);
}

/* --- engines ----------------------------------------------------------------------- */

void gpu_defer(struct gpu *gpu, struct gpu_work *w)
{
	w->next = NULL;
	*gpu->deferred_tail = w;
	gpu->deferred_tail = &w->next;
}

static struct gpu_work *deferred_take(struct gpu *gpu)
{
	struct gpu_work *w = gpu->deferred;

	gpu->deferred = NULL;
	gpu->deferred_tail = &gpu->deferred;
	return w;
}

static void deferred_run(struct gpu_work *w)
{
	while (w) {
		struct gpu_work *next = w->next;

		w->run(w);
		w = next;
	}
}

void gpu_deferred_wait(struct gpu *gpu)
{
	/* in a step, and for who has the gate exclusively, nothing is under way */
	if (!gpu->deferred_runs)
		return;
	gpu_gate_wait(gpu);
	pthread_rwlock_unlock(&gpu->sm_gate);
}

static enum step_result engine_step(struct gpu *gpu)
{
	enum step_result r;

	gpu->step++;
	step_time(gpu);
	gpu->wake_ns = UINT64_MAX;
	r = pci_step(gpu);
	if (!inject_dark(gpu)) {
		for (const struct hw_block *const *b = hw_block_list(gpu); *b; b++) {
			enum step_result s = (*b)->step ? (*b)->step(gpu) : STEP_IDLE;

			if (s > r)
				r = s;
		}
	}
	gpu->last_step = r;
	return r;
}

enum step_result gpu_engine_step(struct gpu *gpu)
{
	enum step_result r = engine_step(gpu);

	deferred_run(deferred_take(gpu));
	return r;
}

bool gpu_idle(struct gpu *gpu)
{
	struct gpu_thread *t = gpu->thread;
	bool served;

	pthread_mutex_lock(&t->m);
	served = t->served == t->kicks;
	pthread_mutex_unlock(&t->m);
	return served && gpu->last_step == STEP_IDLE && (!gpu->sm || sm_idle(gpu->sm));
}

enum step_result gpu_run(struct gpu *gpu, uint64_t max)
{
	enum step_result r = STEP_BUSY;

	for (uint64_t i = 0; i < max && r != STEP_IDLE; i++)
		r = gpu_engine_step(gpu);
	return r;
}

void gpu_kick(struct gpu *gpu)
{
	struct gpu_thread *t = gpu->thread;

	pthread_mutex_lock(&t->m);
	t->kicks++;
	pthread_cond_signal(&t->c);
	pthread_mutex_unlock(&t->m);
}

/* Sleep until a kick or until @ns from now (UINT64_MAX: no limit).  Return: true when kicked. */
static bool engine_sleep(struct gpu_thread *t, uint64_t ns)
{
	struct timespec ts;
	bool kicked;

	if (ns != UINT64_MAX) {
		uint64_t end = clock_ns() + ns;

		ts.tv_sec = (time_t)(end / 1000000000ull);
		ts.tv_nsec = (long)(end % 1000000000ull);
	}
	pthread_mutex_lock(&t->m);
	while (t->kicks == t->seen && !t->stop) {
		if (ns == UINT64_MAX)
			pthread_cond_wait(&t->c, &t->m);
		else if (pthread_cond_timedwait(&t->c, &t->m, &ts))
			break;
	}
	kicked = t->kicks != t->seen;
	pthread_mutex_unlock(&t->m);
	return kicked;
}

/* A whole step has followed the kicks that engine_begin() saw. */
static void engine_end(struct gpu_thread *t)
{
	pthread_mutex_lock(&t->m);
	t->served = t->seen;
	pthread_mutex_unlock(&t->m);
}

/* Consume a wake-up.  Return: false when the thread shall end. */
static bool engine_begin(struct gpu_thread *t)
{
	bool stop;

	pthread_mutex_lock(&t->m);
	t->seen = t->kicks;
	stop = t->stop;
	pthread_mutex_unlock(&t->m);
	return !stop;
}

static void *engine_main(void *priv)
{
	struct gpu *gpu = priv;
	uint64_t poll = POLL_MIN_NS, wake;
	struct gpu_work *work;
	enum step_result r;

	prctl(PR_SET_NAME, "gpu-engine");
	prctl(PR_SET_TIMERSLACK, 5000);
	while (engine_begin(gpu->thread)) {
		fair_lock(&gpu->lock);
		gpu->deferred_runs = false;
		r = engine_step(gpu);
		engine_end(gpu->thread);
		work = deferred_take(gpu);
		if (work) {
			/* nobody has the gate exclusively, or waits for it so, without gpu->lock */
			pthread_rwlock_rdlock(&gpu->sm_gate);
			gpu->deferred_runs = true;
		}
		wake = gpu->wake_ns == UINT64_MAX ? UINT64_MAX :
		       gpu->wake_ns > gpu->now_ns ? gpu->wake_ns - gpu->now_ns : 0;
		fair_unlock(&gpu->lock);
		if (work) {
			deferred_run(work);
			pthread_rwlock_unlock(&gpu->sm_gate);
		}

		if (r == STEP_BUSY) {
			poll = POLL_MIN_NS;
			continue;
		}
		if (r == STEP_IDLE)
			poll = POLL_MIN_NS;
		else if (wake > poll)
			wake = poll;
		if (engine_sleep(gpu->thread, wake))
			poll = POLL_MIN_NS;
		else if (r == STEP_POLL && poll < POLL_MAX_NS)
			poll = poll * 2 > POLL_MAX_NS ? POLL_MAX_NS : poll * 2;
	}
	return NULL;
}

int gpu_start(struct gpu *gpu)
{
	int ret;

	pthread_mutex_lock(&gpu->thread->m);
	gpu->thread->stop = false;
	gpu->thread->kicks++;
	pthread_mutex_unlock(&gpu->thread->m);
	ret = pthread_create(&gpu->thread->tid, NULL, engine_main, gpu);
	if (ret)
		return -ret;
	gpu->thread->started = true;
	return 0;
}

void gpu_stop(struct gpu *gpu)
{
	struct gpu_thread *t = gpu->thread;

	if (!t || !t->started)
		return;
	pthread_mutex_lock(&t->m);
	t->stop = true;
	pthread_cond_signal(&t->c);
	pthread_mutex_unlock(&t->m);
	pthread_join(t->tid, NULL);
	t->started = false;
}

void gpu_log(const struct gpu *gpu, int level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (gpu && level > gpu->cfg.verbose)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* One write a line: several threads log. */
	fprintf(stderr, "gpu-model: %s\n", line);
}
