// SPDX-License-Identifier: MIT
/*
 * TLB: one look-aside buffer.  The model has two, one for the hub's clients
 * (host, copy engines, front end) and one for the GPCs' (the SMs).
 *
 * What it keeps: valid and sparse leaves, and valid entries of the page
 * directories.  An invalid entry is never kept, so a fault needs no invalidate
 * to go away, but everything that is kept stays, stale or not, until an
 * invalidate that covers it completes or it is replaced.
 *
 * Size and shape are guesses in the order of magnitude that microbenchmarks
 * found on Pascal (second-level TLB of a P100: 2 GiB of reach with 2 MiB
 * pages): 1024 leaves of each page size, four ways; 64 entries of each
 * directory level, four ways.  The victim is pseudo-random, by seed.
 *
 * Invalidation is by sequence number: each completed invalidate raises the
 * number, an entry is valid while no covering invalidate has a higher one than
 * the entry had at its fill.  Address spaces share 256 counters by hash; a
 * collision drops more than was asked for, which is no worse than a capacity miss.
 *
 * Locks: each set has a sequence lock, innermost of all.  A look-up takes none:
 * it reads the set and does so again when a writer was at it.  Writers exclude
 * each other by the counter's lowest bit, for the copy of one entry.  The
 * invalidates' numbers are written with sm_gate held exclusively and read with it
 * held shared (or under gpu->lock, for the hub's).
 */
#include "hw/tlb.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 4
#define LEAF_SETS 256
#define PDE_SETS 16
#define PDB_SLOTS 256
#define NR_SIZES 3

static const uint8_t leaf_shift[NR_SIZES] = { 12, 16, 21 };
static const uint8_t pde_shift[MMU_LEVELS] = { 0, 21, 29, 38, 47 };

struct set_lock {
	uint32_t seq;		/* odd: a writer is at it */
	uint32_t rng;
};

/* A set's first cache line tells what is in it, so that a look-up that finds nothing reads no other. */
struct leaf_set {
	struct set_lock lock;
	uint32_t tag[WAYS];	/* lower half of the page's number */
	uint64_t since[WAYS];	/* the leaf's seq + 1; 0: free */
	struct tlb_leaf way[WAYS];
} __attribute__((aligned(64)));

struct pde_set {
	struct set_lock lock;
	struct tlb_pde way[WAYS];
};

struct pdb_slot {
	uint64_t seq[MMU_LEVELS];	/* last invalidate that covered the level */
	uint64_t suspect_pdb;		/* key of the space that the last suspicion is about */
	uint64_t suspect_seq;
};

struct tlb {
	uint64_t seed;
	uint64_t seq;
	uint64_t all_seq[MMU_LEVELS];
	uint64_t all_suspect_seq;
	/* entries of this size were ever added since the last reset: spares look-ups */
	bool has_size[NR_SIZES];
	struct pdb_slot slot[PDB_SLOTS];
	struct leaf_set leaf[NR_SIZES][LEAF_SETS];
	struct pde_set pde[MMU_LEVELS][PDE_SETS];
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

static void set_lock(struct set_lock *l)
{
	for (unsigned int spins = 0;; spins++) {
		uint32_t seq = __atomic_load_n(&l->seq, __ATOMIC_RELAXED);

		if (!(seq & 1) && __atomic_compare_exchange_n(&l->seq, &seq, seq + 1, true,
							      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			break;
		if (spins > 100)
			sched_yield();
	}
	/* pairs with the fence in read_ended(): who sees our data sees the odd number */
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void set_unlock(struct set_lock *l)
{
	__atomic_store_n(&l->seq, __atomic_load_n(&l->seq, __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
}

static uint32_t read_begin(const struct set_lock *l)
{
	uint32_t seq;

	while ((seq = __atomic_load_n(&l->seq, __ATOMIC_ACQUIRE)) & 1)
		sched_yield();
	return seq;
}

/* Return: false when what was read since read_begin() may be torn. */
static bool read_ended(const struct set_lock *l, uint32_t seq)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&l->seq, __ATOMIC_RELAXED) == seq;
}

/* Entries move by words, so that a look-up that races with a writer is no more than torn. */
static void load_words(void *dst, const void *src, size_t size)
{
	uint64_t *d = dst;
	const uint64_t *s = src;

	for (size_t i = 0; i < size / 8; i++)
		d[i] = __atomic_load_n(&s[i], __ATOMIC_RELAXED);
}

static void store_words(void *dst, const void *src, size_t size)
{
	uint64_t *d = dst;
	const uint64_t *s = src;

	for (size_t i = 0; i < size / 8; i++)
		__atomic_store_n(&d[i], s[i], __ATOMIC_RELAXED);
}

_Static_assert(sizeof(struct tlb_leaf) % 8 == 0 && sizeof(struct tlb_pde) % 8 == 0, "entries move by words");

static unsigned int victim(struct set_lock *l)
{
	l->rng = l->rng * 1664525u + 1013904223u;
	return l->rng >> 30;
}

static struct pdb_slot *slot_of(struct tlb *t, uint64_t pdb)
{
	return &t->slot[mix(pdb) % PDB_SLOTS];
}

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t valid_from(struct tlb *t, uint64_t pdb, enum mmu_level lvl)
{
	return max64(t->all_seq[lvl], slot_of(t, pdb)->seq[lvl]);
}

int tlb_new(uint64_t seed, struct tlb **out)
{
	struct tlb *t = aligned_alloc(64, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->seed = seed;
	tlb_reset(t);
	*out = t;
	return 0;
}

void tlb_del(struct tlb **t)
{
	free(*t);
	*t = NULL;
}

void tlb_reset(struct tlb *t)
{
	uint64_t seed = t->seed;

	memset(t, 0, sizeof(*t));
	t->seed = seed;
	for (unsigned int s = 0; s < NR_SIZES; s++)
		for (unsigned int i = 0; i < LEAF_SETS; i++)
			t->leaf[s][i].lock.rng = mix(seed + s * LEAF_SETS + i);
	for (unsigned int s = 0; s < MMU_LEVELS; s++)
		for (unsigned int i = 0; i < PDE_SETS; i++)
			t->pde[s][i].lock.rng = mix(~seed + s * PDE_SETS + i);
}

static struct leaf_set *leaf_set(struct tlb *t, unsigned int size, uint64_t pdb, uint64_t page)
{
	/* neighbours in neighbouring sets, which the host's caches see coming */
	return &t->leaf[size][(page + mix(pdb)) % LEAF_SETS];
}

static bool find_leaf(const struct leaf_set *set, uint64_t pdb, uint64_t page, uint64_t from,
		      struct tlb_leaf *out)
{
	bool found;
	uint32_t seq;

	do {
		seq = read_begin(&set->lock);
		found = false;
		for (unsigned int w = 0; w < WAYS && !found; w++) {
			if (__atomic_load_n(&set->tag[w], __ATOMIC_RELAXED) != (uint32_t)page ||
			    __atomic_load_n(&set->since[w], __ATOMIC_RELAXED) <= from)
				continue;
			load_words(out, &set->way[w], sizeof(*out));
			found = out->page == page && out->pdb == pdb;
		}
	} while (!read_ended(&set->lock, seq));
	return found;
}

bool tlb_find(struct tlb *t, uint64_t pdb, uint64_t va, struct tlb_leaf *out, bool *suspect)
{
	uint64_t from = valid_from(t, pdb, LVL_PT);

	for (unsigned int size = NR_SIZES; size-- > 0;) {
		uint64_t page = va >> leaf_shift[size];
		if (!__atomic_load_n(&t->has_size[size], __ATOMIC_RELAXED))
			continue;
		if (find_leaf(leaf_set(t, size, pdb, page), pdb, page, from, out)) {
			const struct pdb_slot *s = slot_of(t, pdb);
			uint64_t since = t->all_suspect_seq;

			if (s->suspect_pdb == pdb)
				since = max64(since, s->suspect_seq);
			*suspect = out->checked < since;
			return true;
		}
	}
	return false;
}

void tlb_add(struct tlb *t, const struct tlb_leaf *l)
{
	unsigned int size = l->shift == 12 ? 0 : l->shift == 16 ? 1 : 2;
	uint64_t from = valid_from(t, l->pdb, LVL_PT);
	struct leaf_set *set = leaf_set(t, size, l->pdb, l->page);
	struct tlb_leaf e = *l;
	int at = -1;

	__atomic_store_n(&t->has_size[size], true, __ATOMIC_RELAXED);
	set_lock(&set->lock);
	for (unsigned int w = 0; w < WAYS; w++) {
		const struct tlb_leaf *old = &set->way[w];

		if (!set->since[w]) {
			at = at < 0 ? (int)w : at;
		} else if (set->tag[w] == (uint32_t)l->page && old->pdb == l->pdb && old->page == l->page) {
			at = (int)w;
			break;
		} else if (at < 0 && set->since[w] <= from && old->pdb == l->pdb) {
			at = (int)w;
		}
	}
	if (at < 0)
		at = (int)victim(&set->lock);
	e.seq = e.checked = t->seq;
	store_words(&set->way[at], &e, sizeof(e));
	__atomic_store_n(&set->tag[at], (uint32_t)e.page, __ATOMIC_RELAXED);
	__atomic_store_n(&set->since[at], e.seq + 1, __ATOMIC_RELAXED);
	set_unlock(&set->lock);
}

void tlb_checked(struct tlb *t, const struct tlb_leaf *l)
{
	unsigned int size = l->shift == 12 ? 0 : l->shift == 16 ? 1 : 2;
	struct leaf_set *set = leaf_set(t, size, l->pdb, l->page);

	set_lock(&set->lock);
	for (unsigned int w = 0; w < WAYS; w++) {
		struct tlb_leaf *at = &set->way[w], e = *at;

		if (set->since[w] && e.pdb == l->pdb && e.page == l->page && e.seq == l->seq) {
			e.checked = t->seq;
			e.dma_epoch = l->dma_epoch;
			e.generation = l->generation;
			store_words(at, &e, sizeof(e));
		}
	}
	set_unlock(&set->lock);
}

static struct pde_set *pde_set(struct tlb *t, enum mmu_level lvl, uint64_t pdb, uint64_t index)
{
	return &t->pde[lvl][mix(index ^ pdb << 20) % PDE_SETS];
}

bool tlb_find_pde(struct tlb *t, enum mmu_level lvl, uint64_t pdb, uint64_t index,
		  struct tlb_pde *out, bool *suspect)
{
	uint64_t from = valid_from(t, pdb, lvl);
	struct pde_set *set = pde_set(t, lvl, pdb, index);
	bool found;
	uint32_t seq;

	do {
		seq = read_begin(&set->lock);
		found = false;
		for (unsigned int w = 0; w < WAYS && !found; w++) {
			const struct tlb_pde *e = &set->way[w];

			if (__atomic_load_n(&e->index, __ATOMIC_RELAXED) != index ||
			    __atomic_load_n(&e->pdb, __ATOMIC_RELAXED) != pdb)
				continue;
			load_words(out, e, sizeof(*e));
			found = out->seq >= from;
		}
	} while (!read_ended(&set->lock, seq));
	if (found) {
		/* The leaves below were invalidated later, this level not, or not in this TLB. */
		const struct pdb_slot *s = slot_of(t, pdb);
		uint64_t since = max64(t->all_suspect_seq, valid_from(t, pdb, LVL_PT));

		if (s->suspect_pdb == pdb)
			since = max64(since, s->suspect_seq);
		*suspect = out->checked < since;
	}
	return found;
}

void tlb_add_pde(struct tlb *t, enum mmu_level lvl, const struct tlb_pde *l)
{
	uint64_t from = valid_from(t, l->pdb, lvl);
	struct pde_set *set = pde_set(t, lvl, l->pdb, l->index);
	struct tlb_pde *at = NULL, e = *l;

	set_lock(&set->lock);
	for (unsigned int w = 0; w < WAYS; w++) {
		struct tlb_pde *old = &set->way[w];

		if (old->pdb == l->pdb && old->index == l->index) {
			at = old;
			break;
		}
		if (!at && (!old->pdb || (old->pdb == l->pdb && old->seq < from)))
			at = old;
	}
	if (!at)
		at = &set->way[victim(&set->lock)];
	/* An entry that is in use again keeps its age: only the comparison is new. */
	if (at->pdb == l->pdb && at->index == l->index && at->seq >= from &&
	    !memcmp(at->raw, l->raw, sizeof(l->raw)))
		e.seq = at->seq;
	else
		e.seq = t->seq;
	e.checked = t->seq;
	store_words(at, &e, sizeof(e));
	set_unlock(&set->lock);
}

static void drop_va(struct tlb *t, const struct mmu_inval *inv, uint64_t pdb, uint64_t va)
{
	for (unsigned int size = 0; size < NR_SIZES; size++) {
		uint64_t page = va >> leaf_shift[size];
		struct leaf_set *set = leaf_set(t, size, pdb, page);

		for (unsigned int w = 0; w < WAYS; w++)
			if (set->since[w] && set->way[w].pdb == pdb && set->way[w].page == page)
				set->since[w] = 0;
	}
	for (unsigned int lvl = LVL_PD0; lvl <= inv->level; lvl++) {
		uint64_t index = va >> pde_shift[lvl];
		struct pde_set *set = pde_set(t, lvl, pdb, index);

		for (unsigned int w = 0; w < WAYS; w++)
			if (set->way[w].pdb == pdb && set->way[w].index == index)
				set->way[w].pdb = 0;
	}
}

void tlb_invalidate(struct tlb *t, const struct mmu_inval *inv, const uint64_t *va)
{
	uint64_t pdb = tlb_pdb_key(inv->pdb, inv->pdb_ap);
	uint64_t *seq = inv->all_pdb ? t->all_seq : slot_of(t, pdb)->seq;

	t->seq++;
	if (va) {
		drop_va(t, inv, pdb, *va);
		return;
	}
	for (unsigned int lvl = 0; lvl <= inv->level && lvl < MMU_LEVELS; lvl++)
		seq[lvl] = t->seq;
}

void tlb_suspect(struct tlb *t, const struct mmu_inval *inv)
{
	t->seq++;
	if (inv->all_pdb) {
		t->all_suspect_seq = t->seq;
	} else {
		uint64_t pdb = tlb_pdb_key(inv->pdb, inv->pdb_ap);
		struct pdb_slot *s = slot_of(t, pdb);

		s->suspect_pdb = pdb;
		s->suspect_seq = t->seq;
	}
}
