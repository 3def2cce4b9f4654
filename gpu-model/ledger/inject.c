// SPDX-License-Identifier: MIT
/*
 * Owns the injection points: what is armed, how often it was passed and fired.
 * Locks: a mutex of its own, a leaf, because SM workers pass points too; a
 * bit mask read without it keeps unarmed points cheap.
 */
#include "ledger/inject.h"

#include <errno.h>
#include <stdlib.h>

struct point {
	struct inject_arm arm;
	uint64_t visits;	/* since it was armed */
	uint64_t left;		/* firings left; UINT64_MAX: no limit */
	uint64_t fired;		/* since the model started */
};

struct inject {
	pthread_mutex_t m;
	uint32_t armed;		/* bit per point */
	bool dark;
	struct point p[INJECT_NR];
};

static const char *const names[] = {
#define X(name, what) #name,
	INJECT_POINTS(X)
#undef X
};

const char *inject_name(enum inject_id id)
{
	return names[id];
}

int inject_new(struct gpu *gpu, struct inject **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	pthread_mutex_init(&(*out)->m, NULL);
	return 0;
}

void inject_del(struct inject **inj)
{
	free(*inj);
	*inj = NULL;
}

static bool is_armed(const struct inject *inj, enum inject_id id)
{
	return __atomic_load_n(&inj->armed, __ATOMIC_RELAXED) & BIT(id);
}

static void set_armed(struct inject *inj, enum inject_id id, bool on)
{
	if (on)
		__atomic_or_fetch(&inj->armed, BIT(id), __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&inj->armed, ~BIT(id), __ATOMIC_RELAXED);
}

static bool touches(const struct inject_arm *a, uint64_t addr, uint64_t len)
{
	if (!a->len)
		return true;
	/* Written so that neither end can wrap. */
	if (addr >= a->addr)
		return addr - a->addr < a->len;
	return len > a->addr - addr;
}

bool inject_fire(struct gpu *gpu, enum inject_id id, uint64_t addr, uint64_t len, struct inject_arm *arm)
{
	struct inject *inj = gpu->inject;
	struct point *p = &inj->p[id];
	bool fire = false;

	if (!is_armed(inj, id))
		return false;
	pthread_mutex_lock(&inj->m);
	if (is_armed(inj, id) && touches(&p->arm, addr, len) && ++p->visits >= p->arm.nth) {
		fire = true;
		p->fired++;
		if (arm) {
			*arm = p->arm;
			arm->visit = p->visits;
		}
		if (p->left != UINT64_MAX && !--p->left)
			set_armed(inj, id, false);
	}
	pthread_mutex_unlock(&inj->m);
	return fire;
}

bool inject_armed(const struct gpu *gpu, enum inject_id id, struct inject_arm *arm)
{
	struct inject *inj = gpu->inject;
	bool armed;

	if (!is_armed(inj, id))
		return false;
	pthread_mutex_lock(&inj->m);
	armed = is_armed(inj, id);
	if (armed && arm)
		*arm = inj->p[id].arm;
	pthread_mutex_unlock(&inj->m);
	return armed;
}

bool inject_covers(const struct gpu *gpu, enum inject_id id, uint64_t addr, uint64_t len)
{
	struct inject_arm arm;

	return inject_armed(gpu, id, &arm) && touches(&arm, addr, len);
}

int inject_arm(struct gpu *gpu, enum inject_id id, const struct inject_arm *arm)
{
	struct inject *inj = gpu->inject;

	if ((unsigned int)id >= INJECT_NR)
		return -EINVAL;
	pthread_mutex_lock(&inj->m);
	inj->p[id].arm = *arm;
	inj->p[id].visits = 0;
	inj->p[id].left = arm->count ? arm->count : UINT64_MAX;
	set_armed(inj, id, true);
	if (id == INJECT_go_dark)
		__atomic_store_n(&inj->dark, !arm->nth, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&inj->m);
	return 0;
}

void inject_disarm(struct gpu *gpu, enum inject_id id)
{
	struct inject *inj = gpu->inject;

	pthread_mutex_lock(&inj->m);
	if (id == INJECT_NR)
		__atomic_store_n(&inj->armed, 0, __ATOMIC_RELAXED);
	else
		set_armed(inj, id, false);
	if (id == INJECT_NR || id == INJECT_go_dark)
		__atomic_store_n(&inj->dark, false, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&inj->m);
	/* What hung or was slowed goes on. */
	gpu_kick(gpu);
}

uint64_t inject_fired(const struct gpu *gpu, enum inject_id id)
{
	struct inject *inj = gpu->inject;
	uint64_t n;

	pthread_mutex_lock(&inj->m);
	n = inj->p[id].fired;
	pthread_mutex_unlock(&inj->m);
	return n;
}

bool inject_dark(const struct gpu *gpu)
{
	return __atomic_load_n(&gpu->inject->dark, __ATOMIC_RELAXED);
}

bool inject_dark_access(struct gpu *gpu)
{
	if (inject_dark(gpu))
		return true;
	if (!inject_fire(gpu, INJECT_go_dark, 0, 0, NULL))
		return false;
	__atomic_store_n(&gpu->inject->dark, true, __ATOMIC_RELAXED);
	return true;
}
