// SPDX-License-Identifier: MIT
/*
 * Owns the findings, the watched pages and the memory of recent faults.
 *
 * Locks: findings are counted under a mutex of its own, a leaf.  Watches change
 * with gpu->lock and sm_gate exclusive and are looked up with either of them
 * (the gate shared).  The fault history needs gpu->lock, but for ending a row of
 * faults, which SM workers do: its words are atomics.
 */
#include "ledger/sanitizer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/trace.h"

#define PAGE 4096ull
#define LOG_FIRST 16		/* occurrences of a finding that are logged in full */
#define STORM_LIMIT 64		/* issue text: more than 64 times in a row */
#define STORM_ENTRIES 1024

static const struct {
	const char *name, *what;
} findings[] = {
#define X(id, text) { #id, text },
	SANITIZER_FINDINGS(X)
#undef X
};

/* Disjoint, sorted, inclusive of neither end's neighbour: [first, end) in pages. */
struct interval {
	uint64_t first, end;
};

struct watch_set {
	struct interval *v;
	size_t nr, cap;
};

struct storm {
	uint64_t inst, va, pte;
	enum mmu_access access;
	uint32_t count;
};

struct sanitizer {
	pthread_mutex_t m;
	uint64_t count[SAN_NR];
	struct watch_set vram, sys;
	bool any_watch;
	struct storm storm[STORM_ENTRIES];
};

int san_new(struct gpu *gpu, struct sanitizer **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	pthread_mutex_init(&(*out)->m, NULL);
	return 0;
}

void san_del(struct sanitizer **san)
{
	if (!*san)
		return;
	free((*san)->vram.v);
	free((*san)->sys.v);
	free(*san);
	*san = NULL;
}

const char *san_name(enum san_id id)
{
	return findings[id].name;
}

void san_report(struct gpu *gpu, enum san_id id, const char *fmt, ...)
{
	struct sanitizer *san = gpu->san;
	char text[256];
	uint64_t n;
	va_list ap;

	pthread_mutex_lock(&san->m);
	n = ++san->count[id];
	pthread_mutex_unlock(&san->m);
	if (n > LOG_FIRST)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gpu_log(gpu, 0, "sanitizer: %s (%s): %s [step %llu]%s", findings[id].name, findings[id].what, text,
		(unsigned long long)gpu->step, n == LOG_FIRST ? "; further ones are only counted" : "");
}

uint64_t san_count(const struct gpu *gpu, enum san_id id)
{
	struct sanitizer *san = gpu->san;
	uint64_t n;

	pthread_mutex_lock(&san->m);
	n = san->count[id];
	pthread_mutex_unlock(&san->m);
	return n;
}

void san_reset(struct gpu *gpu)
{
	pthread_mutex_lock(&gpu->san->m);
	memset(gpu->san->count, 0, sizeof(gpu->san->count));
	pthread_mutex_unlock(&gpu->san->m);
}

/* --- watches ------------------------------------------------------------------ */

static struct watch_set *set_of(struct sanitizer *san, enum aperture ap)
{
	return ap == AP_VRAM ? &san->vram : ap == AP_SYS_COH || ap == AP_SYS_NCOH ? &san->sys : NULL;
}

/* Index of the first interval that ends after @page. */
static size_t set_find(const struct watch_set *s, uint64_t page)
{
	size_t lo = 0, hi = s->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->v[mid].end > page)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static bool set_touches(const struct watch_set *s, uint64_t first, uint64_t end)
{
	size_t i = set_find(s, first);

	return i < s->nr && s->v[i].first < end;
}

/* Remove [first, end), then put @with in its place when it isn't empty. */
static int set_change(struct watch_set *s, uint64_t first, uint64_t end, bool on)
{
	struct interval keep[3];
	size_t i, j, n = 0;

	if (s->nr + 2 > s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		struct interval *v = realloc(s->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->cap = cap;
	}
	for (i = j = set_find(s, first); j < s->nr && s->v[j].first < end; j++)
		;
	if (i < j && s->v[i].first < first)
		keep[n++] = (struct interval){ s->v[i].first, first };
	if (on)
		keep[n++] = (struct interval){ first, end };
	if (i < j && s->v[j - 1].end > end)
		keep[n++] = (struct interval){ end, s->v[j - 1].end };
	memmove(s->v + i + n, s->v + j, (s->nr - j) * sizeof(*s->v));
	memcpy(s->v + i, keep, n * sizeof(*keep));
	s->nr = s->nr - (j - i) + n;
	return 0;
}

int san_watch(struct gpu *gpu, enum aperture ap, uint64_t addr, uint64_t len, bool on)
{
	struct sanitizer *san = gpu->san;
	struct watch_set *s = set_of(san, ap);
	int ret;

	if (!s || !len || addr + (len - 1) < addr)
		return -EINVAL;
	ret = set_change(s, addr / PAGE, (addr + (len - 1)) / PAGE + 1, on);
	__atomic_store_n(&san->any_watch, san->vram.nr || san->sys.nr, __ATOMIC_RELAXED);
	return ret;
}

bool san_any_watch(const struct gpu *gpu)
{
	return __atomic_load_n(&gpu->san->any_watch, __ATOMIC_RELAXED);
}

bool san_watched(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, uint64_t len, bool write,
		 bool report)
{
	struct watch_set *s;
	uint64_t last = addr + (len - 1);

	if (!san_any_watch(gpu) || !len)
		return false;
	s = set_of(gpu->san, ap);
	if (last < addr)
		last = UINT64_MAX;
	if (!s || !set_touches(s, addr / PAGE, last / PAGE + 1))
		return false;
	if (report)
		san_report(gpu, SAN_watched_access, "%s %s %s %#llx+%#llx", mem_client_name(c),
			   write ? "writes" : "reads", ap == AP_VRAM ? "vram" : "sys", (unsigned long long)addr,
			   (unsigned long long)len);
	return true;
}

/* --- fault storms ---------------------------------------------------------------- */

static struct storm *storm_of(struct gpu *gpu, uint64_t inst, uint64_t page, enum mmu_access access)
{
	uint64_t hash = (page * 0x9e3779b97f4a7c15ull) ^ (inst >> 12) * 0xc2b2ae3d27d4eb4full ^ (uint64_t)access << 60;

	return &gpu->san->storm[hash >> 32 & (STORM_ENTRIES - 1)];
}

static bool storm_is(const struct storm *s, uint64_t inst, uint64_t page, enum mmu_access access)
{
	return __atomic_load_n(&s->count, __ATOMIC_RELAXED) && __atomic_load_n(&s->inst, __ATOMIC_RELAXED) == inst &&
	       __atomic_load_n(&s->va, __ATOMIC_RELAXED) == page &&
	       __atomic_load_n(&s->access, __ATOMIC_RELAXED) == access;
}

void san_fault_raised(struct gpu *gpu, uint64_t inst, uint64_t va, enum mmu_access access, uint64_t pte)
{
	uint64_t page = va / PAGE;
	struct storm *s = storm_of(gpu, inst, page, access);
	uint32_t count;

	if (!storm_is(s, inst, page, access) || s->pte != pte) {
		__atomic_store_n(&s->inst, inst, __ATOMIC_RELAXED);
		__atomic_store_n(&s->va, page, __ATOMIC_RELAXED);
		__atomic_store_n(&s->access, access, __ATOMIC_RELAXED);
		s->pte = pte;
		__atomic_store_n(&s->count, 1, __ATOMIC_RELAXED);
		return;
	}
	count = __atomic_add_fetch(&s->count, 1, __ATOMIC_RELAXED);
	if (count == STORM_LIMIT + 1)
		san_report(gpu, SAN_fault_storm, "inst %#llx va %#llx access %d pte %#llx", (unsigned long long)inst,
			   (unsigned long long)va, access, (unsigned long long)pte);
}

void san_translated(struct gpu *gpu, uint64_t inst, uint64_t va, enum mmu_access access)
{
	struct storm *s = storm_of(gpu, inst, va / PAGE, access);

	if (storm_is(s, inst, va / PAGE, access))
		__atomic_store_n(&s->count, 0, __ATOMIC_RELAXED);
}
