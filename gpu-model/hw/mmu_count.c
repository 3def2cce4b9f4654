// SPDX-License-Identifier: MIT
/*
 * Counts the valid leaf PTEs that the CPU writes (ledger: pte_write_4k, _64k,
 * _2m), exactly, for page tables in VRAM of address spaces that channels use.
 *
 * Page tables are plain memory, so the model has to know which memory is a page
 * table.  It learns that from the top: a channel's instance block names a root
 * directory, each directory entry names the next table.  Once a table is known
 * each CPU write to it is seen at once: an entry of a directory links or unlinks the
 * table below, a valid leaf counts.  A leaf counts each time its lower half is
 * written with V=1, whatever was there before; upper halves alone don't count.
 *
 * Tables may be filled before they are linked.  For memory that is not (yet) a
 * table, one bit for each 8 bytes remembers "last CPU write had bit 0 set".  When
 * the memory turns out to be a table, the bits that are leaves are counted once
 * and cleared.  So a table that is unlinked and linked again is not counted twice.
 *
 * A table is known while something refers to it: unlinking a directory entry or
 * clearing the instance block (nouveau gf100_vmm_part()) forgets what was below.
 * The instance blocks of BAR1 and BAR2 are not channels and are left out.
 *
 * Not seen: page tables in system memory, and those the GPU writes itself.
 *
 * Locks: gpu->lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/block.h"
#include "hw/mmu_priv.h"
#include "ledger/ledger.h"

#define PAGE 4096u
#define GRANULE 256u	/* size of the smallest table, 32 PTEs of 64 KiB pages */
#define GRANULES (PAGE / GRANULE)
#define RAMIN_PDB 0x200u

/* A guest that makes a page table of everything gets no more than this many directories counted. */
#define MAX_DIRS 65536u

enum kind { KIND_PT4K, KIND_PT64K, KIND_PD0, KIND_PD1, KIND_PD2, KIND_PD3, KIND_INST };

struct table {
	uint64_t addr;		/* in VRAM */
	enum kind kind;
	unsigned int refs;	/* entries (and instance blocks) that point here */
	struct table **child;	/* directories and instance blocks: by 8-byte slot */
};

struct page {
	uint64_t pending[PAGE / 8 / 64];
	struct table *owner[GRANULES];
};

struct mmu_count {
	uint64_t nr_pages;
	struct page **page;
	unsigned int dirs;
};

static const struct {
	uint16_t size;		/* bytes that belong to it */
	uint16_t align;
} kinds[] = {
	[KIND_PT4K] = { PAGE, PAGE },
	[KIND_PT64K] = { GRANULE, GRANULE },
	[KIND_PD0] = { PAGE, PAGE },
	[KIND_PD1] = { PAGE, PAGE },
	[KIND_PD2] = { PAGE, PAGE },
	[KIND_PD3] = { 32, GRANULE },	/* four entries */
	[KIND_INST] = { 8, GRANULE },	/* the root's address, at offset 0x200 */
};

static bool is_leaf_slot(const struct table *t, unsigned int slot)
{
	return t->kind == KIND_PT4K || t->kind == KIND_PT64K || (t->kind == KIND_PD0 && !(slot & 1));
}

static void count_leaf(struct gpu *gpu, const struct table *t)
{
	if (t->kind == KIND_PT4K)
		LEDGER(gpu, pte_write_4k);
	else if (t->kind == KIND_PT64K)
		LEDGER(gpu, pte_write_64k);
	else
		LEDGER(gpu, pte_write_2m);
}

static struct page *get_page(struct mmu_count *c, uint64_t addr, bool make)
{
	struct page **p;

	if (addr / PAGE >= c->nr_pages)
		return NULL;
	p = &c->page[addr / PAGE];
	if (!*p && make)
		*p = calloc(1, sizeof(**p));
	return *p;
}

/* Slots are numbered within their page. */
static bool pending(struct page *p, unsigned int slot)
{
	return p->pending[slot / 64] & BIT64(slot % 64);
}

static void set_pending(struct page *p, unsigned int slot, bool on)
{
	if (on)
		p->pending[slot / 64] |= BIT64(slot % 64);
	else
		p->pending[slot / 64] &= ~BIT64(slot % 64);
}

static uint64_t slot_value(struct gpu *gpu, const struct table *t, unsigned int slot)
{
	uint64_t v;

	memcpy(&v, gpu->vram + t->addr + slot * 8, 8);
	return v;
}

static void unref(struct mmu_count *c, struct table *t)
{
	if (!t || --t->refs)
		return;
	if (t->child) {
		for (unsigned int i = 0; i < kinds[t->kind].size / 8; i++)
			unref(c, t->child[i]);
		free(t->child);
		c->dirs--;
	}
	for (unsigned int off = 0; off < kinds[t->kind].size; off += GRANULE)
		get_page(c, t->addr + off, false)->owner[(t->addr + off) % PAGE / GRANULE] = NULL;
	free(t);
}

static void link_slot(struct gpu *gpu, struct mmu_count *c, struct table *t, unsigned int slot);

/* Count what was written before the table was known, then follow its entries. */
static void learn(struct gpu *gpu, struct mmu_count *c, struct table *t)
{
	struct page *p = get_page(c, t->addr, false);
	unsigned int first = t->addr % PAGE / 8;

	for (unsigned int i = 0; i < kinds[t->kind].size / 8; i++) {
		if (is_leaf_slot(t, i) && pending(p, first + i))
			count_leaf(gpu, t);
		set_pending(p, first + i, false);
	}
	if (t->child)
		for (unsigned int i = 0; i < kinds[t->kind].size / 8; i++)
			link_slot(gpu, c, t, i);
}

/* The table of @kind at @addr, with one more reference.  NULL: not one that can be counted. */
static struct table *get_table(struct gpu *gpu, struct mmu_count *c, uint64_t addr, enum kind kind)
{
	unsigned int size = kinds[kind].size;
	struct page *p;
	struct table *t;

	if (addr % kinds[kind].align || addr >= c->nr_pages * PAGE)
		return NULL;
	p = get_page(c, addr, true);
	if (!p)
		return NULL;
	t = p->owner[addr % PAGE / GRANULE];
	if (t && t->addr == addr && t->kind == kind) {
		t->refs++;
		return t;
	}
	/* Memory that serves as two kinds of table belongs to the first. */
	for (unsigned int off = 0; off < size; off += GRANULE)
		if (p->owner[(addr + off) % PAGE / GRANULE])
			return NULL;
	if (kind >= KIND_PD0 && c->dirs == MAX_DIRS)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->addr = addr;
	t->kind = kind;
	t->refs = 1;
	if (kind >= KIND_PD0) {
		t->child = calloc(size / 8, sizeof(*t->child));
		if (!t->child) {
			free(t);
			return NULL;
		}
		c->dirs++;
	}
	for (unsigned int off = 0; off < size; off += GRANULE)
		p->owner[(addr + off) % PAGE / GRANULE] = t;
	learn(gpu, c, t);
	return t;
}

/* What slot @slot of @t points to now, as address and kind.  Return: false for no table in VRAM. */
static bool slot_target(struct gpu *gpu, const struct table *t, unsigned int slot, uint64_t *addr,
			enum kind *kind)
{
	uint64_t e = slot_value(gpu, t, slot);

	switch (t->kind) {
	case KIND_INST:
		*addr = e & ~0xfffull;
		*kind = KIND_PD3;
		return (e & BIT(10)) && (e & 3) == AP_VRAM;
	case KIND_PD0:
		if (slot_value(gpu, t, slot & ~1u) & PTE_VALID)
			return false;
		*addr = pde_addr(e, !(slot & 1));
		*kind = slot & 1 ? KIND_PT4K : KIND_PT64K;
		return entry_ap(e) == 1;
	default:
		*addr = pde_addr(e, false);
		*kind = t->kind - 1;
		return !(e & PTE_VALID) && entry_ap(e) == 1;
	}
}

static void link_slot(struct gpu *gpu, struct mmu_count *c, struct table *t, unsigned int slot)
{
	struct table *old = t->child[slot];
	enum kind kind;
	uint64_t addr;
	bool points = slot_target(gpu, t, slot, &addr, &kind);

	if (points && old && old->addr == addr && old->kind == kind)
		return;
	t->child[slot] = NULL;
	unref(c, old);
	if (points)
		t->child[slot] = get_table(gpu, c, addr, kind);
}

/* An instance block without a root refers to nothing: its memory may become anything. */
static void forget_unused(struct mmu_count *c, struct table *inst)
{
	if (!inst->child[0])
		unref(c, inst);
}

static void wrote_slot(struct gpu *gpu, struct mmu_count *c, uint64_t at, bool low)
{
	bool valid = gpu->vram[at] & 1;
	struct page *p = get_page(c, at, low && valid);
	struct table *t;
	unsigned int slot;

	if (!p)
		return;
	t = p->owner[at % PAGE / GRANULE];
	if (!t || at - t->addr >= kinds[t->kind].size) {
		if (low)
			set_pending(p, at % PAGE / 8, valid);
		return;
	}
	slot = (at - t->addr) / 8;
	if (low && valid && is_leaf_slot(t, slot))
		count_leaf(gpu, t);
	if (!t->child)
		return;
	link_slot(gpu, c, t, slot);
	if (t->kind == KIND_INST) {
		forget_unused(c, t);
		return;
	}
	if (t->kind == KIND_PD0)
		link_slot(gpu, c, t, slot ^ 1);
}

void mmu_count_wrote(struct gpu *gpu, struct mmu_count *c, uint64_t addr, size_t len)
{
	uint64_t end = addr + len;

	if (end > c->nr_pages * PAGE || end < addr)
		return;
	for (uint64_t at = addr & ~7ull; at < end; at += 8)
		wrote_slot(gpu, c, at, at >= addr);
}

/* The registers of PBUS that bind BAR1 and BAR2: nouveau gf100_bar_bar1_init(), _bar2_init() */
static bool is_bar_inst(struct gpu *gpu, uint64_t inst)
{
	static const uint32_t regs[] = { 0x001704, 0x001714 };

	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
		uint32_t v = hw_get(gpu, regs[i]);

		if ((v & BIT(31)) && (uint64_t)field(v, 27, 0) << 12 == inst)
			return true;
	}
	return false;
}

void mmu_count_space(struct gpu *gpu, struct mmu_count *c, uint64_t inst)
{
	uint64_t at = inst + RAMIN_PDB;
	struct page *p;
	struct table *t;

	if (inst % PAGE || inst >= c->nr_pages * PAGE || is_bar_inst(gpu, inst))
		return;
	p = get_page(c, at, false);
	t = p ? p->owner[at % PAGE / GRANULE] : NULL;
	if (t && t->kind == KIND_INST)
		return;
	t = get_table(gpu, c, at, KIND_INST);
	if (t)
		forget_unused(c, t);
}

int mmu_count_new(struct gpu *gpu, struct mmu_count **out)
{
	struct mmu_count *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->nr_pages = gpu->vram_size / PAGE;
	c->page = calloc(c->nr_pages, sizeof(*c->page));
	if (!c->page) {
		free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void mmu_count_reset(struct mmu_count *c)
{
	for (uint64_t i = 0; i < c->nr_pages; i++) {
		struct page *p = c->page[i];

		if (!p)
			continue;
		for (unsigned int g = 0; g < GRANULES; g++) {
			struct table *t = p->owner[g];

			if (!t)
				continue;
			/* an owner's granules follow one another within the page */
			g += (kinds[t->kind].size - 1) / GRANULE;
			free(t->child);
			free(t);
		}
		free(p);
		c->page[i] = NULL;
	}
	c->dirs = 0;
}

void mmu_count_del(struct mmu_count **c)
{
	if (!*c)
		return;
	mmu_count_reset(*c);
	free((*c)->page);
	free(*c);
	*c = NULL;
}
