// SPDX-License-Identifier: MIT
/*
 * Owns the stores that the injection store_late holds back.
 *
 * A store that has been translated is on its way: through the crossbar, the L2 cache, PCI Express.  An invalidate of
 * its translation does not wait for it, unless SYS_MEMBAR with ACK = GLOBALLY is asked for, and it lands where it was
 * translated to, whosever memory that is by then (uvm_pascal_host.c, uvm_hal_pascal_host_tlb_invalidate_all() in
 * open-gpu-kernel-modules; clc06f.h).  The model's stores land at once, but for those held here: until their time has
 * come, the page is accessed again, or a barrier wants them.
 *
 * A store may also wait in its SM, and get its translation right before that goes (arg 1): flushes until then do not
 * know of it.  nouveau flushes between its write of a PTE and the invalidate (nv50_instobj_release()).
 *
 * Pages where that may happen have no host pointer (late_covers()), so that the cores ask for each access, and those
 * of other pages cost nothing.
 *
 * Locks: one of its own, inside gpu->lock and sm_gate; accesses to memory are made with it held, so that who finds
 * nothing held finds it landed.
 */
#include "hw/late.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/block.h"
#include "hw/tlb.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"
#include "ledger/sanitizer.h"
#include "pci/dma.h"

#define PAGE 4096ull
#define LATE_MAX 64		/* more land at once */

struct late_store {
	uint64_t inst, pdb;	/* whose: instance block, key of its page tables */
	uint64_t va, addr;
	enum aperture ap;
	uint8_t page_shift;
	bool waits;		/* in its SM */
	bool invalidated;	/* the translation */
	uint64_t generation;	/* of the IOVA */
	uint64_t delay_ns;
	uint64_t due;		/* 0: the next step sets it, the cores have no clock */
	uint8_t data[16];
	uint8_t len;
};

struct late {
	pthread_mutex_t m;
	unsigned int nr;	/* atomic: read without @m, where nothing is held most often */
	struct late_store store[LATE_MAX];
};

static unsigned int held(const struct late *l)
{
	return __atomic_load_n(&l->nr, __ATOMIC_ACQUIRE);
}

static void set_held(struct late *l, unsigned int nr)
{
	/* pairs with held(): who reads 0 sees what has landed */
	__atomic_store_n(&l->nr, nr, __ATOMIC_RELEASE);
}

static void land(struct gpu *gpu, unsigned int i)
{
	struct late *l = gpu->late;
	const struct late_store s = l->store[i];
	uint64_t left, gen = 0;

	if (s.ap != AP_VRAM) {
		dma_lookup(gpu->dma, s.addr, true, &left, &gen);
		if (gen != s.generation)
			san_report(gpu, SAN_iova_stale,
				   "a late store, va %012llx: bus address %llx was mapped anew (%llu, now %llu)",
				   (unsigned long long)s.va, (unsigned long long)s.addr,
				   (unsigned long long)s.generation, (unsigned long long)gen);
	}
	mem_write(gpu, CLIENT_SM_TEX, s.ap, s.addr, s.data, s.len);
	if (s.invalidated)
		LEDGER(gpu, stores_after_invalidate);
	gpu_log(gpu, 1, "a late store to va %012llx lands%s", (unsigned long long)s.va,
		s.invalidated ? ", its translation is gone" : "");
	l->store[i] = l->store[l->nr - 1];
	set_held(l, l->nr - 1);
}

static bool same_page(const struct late_store *s, enum aperture ap, uint64_t addr)
{
	return s->ap == ap && s->addr / PAGE == addr / PAGE;
}

bool late_covers(struct gpu *gpu, uint64_t va, enum aperture ap, uint64_t addr)
{
	struct late *l = gpu->late;
	bool covers = inject_covers(gpu, INJECT_store_late, va & ~(PAGE - 1), PAGE);

	if (covers || !held(l))
		return covers;
	pthread_mutex_lock(&l->m);
	for (unsigned int i = 0; i < l->nr; i++)
		covers |= same_page(&l->store[i], ap, addr);
	pthread_mutex_unlock(&l->m);
	return covers;
}

bool late_hold(struct gpu *gpu, const struct mmu_space *sp, uint64_t va, const struct mmu_xlat *x, const void *buf,
	       size_t len)
{
	struct late *l = gpu->late;
	struct inject_arm arm;
	bool fired;

	if (!inject_armed(gpu, INJECT_store_late, NULL))
		return false;
	pthread_mutex_lock(&l->m);
	fired = l->nr < LATE_MAX && len <= sizeof(l->store[0].data) &&
		inject_fire(gpu, INJECT_store_late, va, len, &arm);
	if (fired) {
		struct late_store *s = &l->store[l->nr];

		*s = (struct late_store) {
			.inst = sp->inst,
			.pdb = tlb_pdb_key(sp->pdb, sp->pdb_ap),
			.va = va,
			.addr = x->addr,
			.ap = x->ap,
			.page_shift = x->page_shift,
			.generation = x->generation,
			.waits = arm.arg,
			.delay_ns = arm.delay_us * 1000,
			.len = (uint8_t)len,
		};
		memcpy(s->data, buf, len);
		set_held(l, l->nr + 1);
	}
	pthread_mutex_unlock(&l->m);
	if (fired)
		gpu_kick(gpu);
	return fired;
}

void late_touch(struct gpu *gpu, enum aperture ap, uint64_t addr)
{
	struct late *l = gpu->late;

	if (!held(l))
		return;
	pthread_mutex_lock(&l->m);
	for (unsigned int i = l->nr; i--;)
		if (same_page(&l->store[i], ap, addr))
			land(gpu, i);
	pthread_mutex_unlock(&l->m);
}

void late_land(struct gpu *gpu, uint64_t inst)
{
	struct late *l = gpu->late;

	if (!held(l))
		return;
	pthread_mutex_lock(&l->m);
	for (unsigned int i = l->nr; i--;)
		if (l->store[i].inst == inst)
			land(gpu, i);
	pthread_mutex_unlock(&l->m);
}

void late_flush(struct gpu *gpu)
{
	struct late *l = gpu->late;

	if (!held(l))
		return;
	pthread_mutex_lock(&l->m);
	for (unsigned int i = l->nr; i--;)
		if (!l->store[i].waits)
			land(gpu, i);
	pthread_mutex_unlock(&l->m);
}

void late_invalidate(struct gpu *gpu, const struct mmu_inval *inv, const uint64_t *va, bool membar)
{
	struct late *l = gpu->late;
	uint64_t pdb = tlb_pdb_key(inv->pdb, inv->pdb_ap);

	if (inv->hub_only || !held(l))
		return;
	pthread_mutex_lock(&l->m);
	for (unsigned int i = 0; i < l->nr; i++) {
		struct late_store *s = &l->store[i];

		if ((inv->all_pdb || s->pdb == pdb) && (!va || s->va >> s->page_shift == *va >> s->page_shift)) {
			s->waits = false;
			s->invalidated |= !membar;
		}
	}
	pthread_mutex_unlock(&l->m);
}

/* block */

static enum step_result late_step(struct gpu *gpu)
{
	struct late *l = gpu->late;

	if (!held(l))
		return STEP_IDLE;
	pthread_mutex_lock(&l->m);
	for (unsigned int i = l->nr; i--;) {
		struct late_store *s = &l->store[i];

		if (!s->due)
			s->due = gpu->now_ns + s->delay_ns;
		if (s->due <= gpu->now_ns)
			land(gpu, i);
		else
			gpu_wake_at(gpu, s->due);
	}
	pthread_mutex_unlock(&l->m);
	return STEP_IDLE;
}

static int late_init(struct gpu *gpu)
{
	gpu->late = calloc(1, sizeof(*gpu->late));
	if (!gpu->late)
		return -ENOMEM;
	pthread_mutex_init(&gpu->late->m, NULL);
	return 0;
}

static void late_fini(struct gpu *gpu)
{
	free(gpu->late);
	gpu->late = NULL;
}

static void late_reset(struct gpu *gpu)
{
	set_held(gpu->late, 0);
}

static void late_state(struct gpu *gpu, void (*put)(void *priv, const char *key, uint64_t val), void *priv)
{
	put(priv, "late.held", held(gpu->late));
}

const struct hw_block hw_late = {
	.name = "late",
	.init = late_init, .fini = late_fini, .reset = late_reset, .step = late_step, .state = late_state,
};
