// SPDX-License-Identifier: MIT
/*
 * Owns BAR0: the table of blocks, the storage behind all registers and the
 * dispatch of an access.  An index with one entry a dword, made at start from
 * the described registers, makes an access O(1).
 *
 * Locks: gpu->lock held by every caller.
 */
#include "hw/block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ledger/ledger.h"

/*
 * One line a block, in the order of reset and of the engines' steps.  A unit
 * test that links a part of the model leaves blocks out, hence weak.
 */
#define HW_BLOCKS(X) \
	X(pmc)       \
	X(pbus)      \
	X(ptimer)    \
	X(ptop)      \
	X(fuse)      \
	X(bar)       \
	X(vbios)     \
	X(fb)        \
	X(ltc)       \
	X(pmu)       \
	X(sec2)      \
	X(fecs)      \
	X(mmu)       \
	X(fault)     \
	X(late)      \
	X(pccsr)     \
	X(pbdma)     \
	X(fifo_sched) \
	X(gr)        \
	X(ce)        \
	X(fifo)

#define X(name) extern const struct hw_block hw_##name __attribute__((weak));
HW_BLOCKS(X)
#undef X

static const struct hw_block *const table[] = {
#define X(name) &hw_##name,
	HW_BLOCKS(X)
#undef X
};

#define MAX_BLOCKS ARRAY_SIZE(table)
#define NR_DWORDS (BAR0_SIZE / 4)
#define MAX_SLOTS 0xffff

struct hw_slot {
	const struct hw_reg *reg;
	const struct hw_block *block;
};

struct hw_state {
	const struct hw_block *blocks[MAX_BLOCKS + 1];
	uint32_t *store;		/* BAR0, sparse; zero at power-on */
	uint16_t *index;		/* by dword: slot + 1, 0: not described.  Sparse */
	struct hw_slot *slots;
	size_t nr_slots;
	/* blocks with a window, by base, and by 4 KiB page the first that may cover an address in it */
	const struct hw_block *window[MAX_BLOCKS + 1];
	uint8_t page[BAR0_SIZE / 4096];
	uint32_t *seen;			/* undescribed registers touched: a bit each */
	uint64_t undescribed;
	size_t nr_init;			/* blocks whose init succeeded */
};

static void *sparse(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static unsigned int reg_count(const struct hw_reg *r)
{
	return r->count ? r->count : 1;
}

static uint32_t reg_addr(const struct hw_reg *r, unsigned int i)
{
	return r->addr + i * r->stride;
}

static int index_block(struct gpu *gpu, const struct hw_block *b)
{
	struct hw_state *hw = gpu->hw;

	for (size_t n = 0; n < b->nr_regs; n++) {
		const struct hw_reg *r = &b->regs[n];

		if (hw->nr_slots == MAX_SLOTS)
			return -ENOSPC;
		hw->slots[hw->nr_slots++] = (struct hw_slot){ r, b };
		for (unsigned int i = 0; i < reg_count(r); i++) {
			uint32_t a = reg_addr(r, i);

			if (a & 3 || a >= BAR0_SIZE || (i && !r->stride)) {
				gpu_log(gpu, 0, "%s: register %s has no such address %06x", b->name, r->name, a);
				return -EINVAL;
			}
			if (hw->index[a / 4]) {
				struct hw_slot *o = &hw->slots[hw->index[a / 4] - 1];

				gpu_log(gpu, 0, "%06x is described twice: %s %s, %s %s", a, o->block->name,
					o->reg->name, b->name, r->name);
				return -EEXIST;
			}
			hw->index[a / 4] = (uint16_t)hw->nr_slots;
		}
	}
	return 0;
}

static int window_cmp(const void *pa, const void *pb)
{
	const struct hw_block *const *a = pa, *const *b = pb;

	return (*a)->base < (*b)->base ? -1 : (*a)->base > (*b)->base;
}

static int index_windows(struct gpu *gpu)
{
	struct hw_state *hw = gpu->hw;
	size_t n = 0, w = 0;

	for (const struct hw_block *const *b = hw_block_list(gpu); *b; b++)
		if ((*b)->size)
			hw->window[n++] = *b;
	qsort(hw->window, n, sizeof(hw->window[0]), window_cmp);
	for (size_t i = 1; i < n; i++)
		if (hw->window[i]->base < hw->window[i - 1]->base + hw->window[i - 1]->size) {
			gpu_log(gpu, 0, "blocks %s and %s overlap", hw->window[i - 1]->name, hw->window[i]->name);
			return -EEXIST;
		}
	for (uint32_t p = 0; p < BAR0_SIZE / 4096; p++) {
		while (hw->window[w] && hw->window[w]->base + hw->window[w]->size <= p * 4096)
			w++;
		hw->page[p] = (uint8_t)w;
	}
	return 0;
}

const struct hw_block *const *hw_block_list(const struct gpu *gpu)
{
	return gpu->hw->blocks;
}

static int storage_new(struct hw_state *hw, size_t nr_regs)
{
	hw->store = sparse(BAR0_SIZE);
	hw->index = sparse(NR_DWORDS * sizeof(*hw->index));
	hw->seen = sparse(NR_DWORDS / 8);
	hw->slots = calloc(nr_regs + 1, sizeof(*hw->slots));
	return hw->store && hw->index && hw->seen && hw->slots ? 0 : -ENOMEM;
}

int hw_init_blocks(struct gpu *gpu, const struct hw_block *const *blocks)
{
	struct hw_state *hw = calloc(1, sizeof(*hw));
	size_t n = 0, nr_regs = 0;
	int ret;

	if (!hw)
		return -ENOMEM;
	gpu->hw = hw;
	for (; blocks[n] && n < MAX_BLOCKS; n++) {
		hw->blocks[n] = blocks[n];
		nr_regs += blocks[n]->nr_regs;
	}
	ret = storage_new(hw, nr_regs);
	for (size_t i = 0; i < n && !ret; i++)
		ret = index_block(gpu, blocks[i]);
	if (!ret)
		ret = index_windows(gpu);
	while (!ret && hw->nr_init < n) {
		const struct hw_block *b = blocks[hw->nr_init];

		ret = b->init ? b->init(gpu) : 0;
		if (ret)
			gpu_log(gpu, 0, "%s: init: %s", b->name, strerror(-ret));
		else
			hw->nr_init++;
	}
	return ret;
}

int hw_init(struct gpu *gpu)
{
	const struct hw_block *list[MAX_BLOCKS + 1];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i])
			list[n++] = table[i];
	list[n] = NULL;
	return hw_init_blocks(gpu, list);
}

void hw_fini(struct gpu *gpu)
{
	struct hw_state *hw = gpu->hw;

	while (hw->nr_init) {
		const struct hw_block *b = hw->blocks[--hw->nr_init];

		if (b->fini)
			b->fini(gpu);
	}
	if (hw->store)
		munmap(hw->store, BAR0_SIZE);
	if (hw->index)
		munmap(hw->index, NR_DWORDS * sizeof(*hw->index));
	if (hw->seen)
		munmap(hw->seen, NR_DWORDS / 8);
	free(hw->slots);
	free(hw);
	gpu->hw = NULL;
}

void hw_reset(struct gpu *gpu)
{
	struct hw_state *hw = gpu->hw;

	madvise(hw->store, BAR0_SIZE, MADV_DONTNEED);
	for (size_t n = 0; n < hw->nr_slots; n++) {
		const struct hw_reg *r = hw->slots[n].reg;

		for (unsigned int i = 0; r->reset && i < reg_count(r); i++)
			hw->store[reg_addr(r, i) / 4] = r->reset;
	}
	for (const struct hw_block *const *b = hw_block_list(gpu); *b; b++)
		if ((*b)->reset)
			(*b)->reset(gpu);
}

/* The block whose window covers @addr, or NULL. */
static const struct hw_block *window_at(const struct hw_state *hw, uint32_t addr)
{
	for (size_t w = hw->page[addr / 4096]; hw->window[w] && hw->window[w]->base <= addr; w++)
		if (addr - hw->window[w]->base < hw->window[w]->size)
			return hw->window[w];
	return NULL;
}

/* Software touched what nobody describes: plain storage, counted once a register. */
static void undescribed(struct gpu *gpu, uint32_t addr, const char *how, uint32_t val)
{
	struct hw_state *hw = gpu->hw;
	uint32_t bit = BIT(addr / 4 % 32), *word = &hw->seen[addr / 128];

	if (*word & bit)
		return;
	*word |= bit;
	hw->undescribed++;
	if (gpu->cfg.bind_log)
		gpu_log(gpu, 0, "not modelled: register %06x %s %08x", addr, how, val);
}

uint32_t hw_rd32(struct gpu *gpu, uint32_t addr)
{
	struct hw_state *hw = gpu->hw;
	const struct hw_block *b;
	uint32_t val;
	uint16_t slot;

	if (addr & 3 || addr >= BAR0_SIZE)
		return 0xffffffff;
	LEDGER(gpu, mmio_read);
	slot = hw->index[addr / 4];
	if (slot) {
		const struct hw_reg *r = hw->slots[slot - 1].reg;

		if (r->read)
			return r->read(gpu, r, r->stride ? (addr - r->addr) / r->stride : 0);
		return r->flags & REG_WO ? r->reset : hw->store[addr / 4];
	}
	b = window_at(hw, addr);
	if (b && b->read && b->read(gpu, addr, &val))
		return val;
	undescribed(gpu, addr, "reads", hw->store[addr / 4]);
	return hw->store[addr / 4];
}

void hw_wr32(struct gpu *gpu, uint32_t addr, uint32_t val)
{
	struct hw_state *hw = gpu->hw;
	const struct hw_block *b;
	uint16_t slot;

	if (addr & 3 || addr >= BAR0_SIZE)
		return;
	LEDGER(gpu, mmio_write);
	slot = hw->index[addr / 4];
	if (slot) {
		const struct hw_reg *r = hw->slots[slot - 1].reg;

		if (r->flags & REG_RO)
			return;
		if (r->flags & REG_W1C)
			hw->store[addr / 4] &= ~val;
		if (r->write)
			r->write(gpu, r, r->stride ? (addr - r->addr) / r->stride : 0, val);
		else if (!(r->flags & REG_W1C))
			hw->store[addr / 4] = val;
		return;
	}
	b = window_at(hw, addr);
	if (b && b->write && b->write(gpu, addr, val))
		return;
	undescribed(gpu, addr, "written", val);
	hw->store[addr / 4] = val;
}

uint32_t hw_get(const struct gpu *gpu, uint32_t addr)
{
	return addr & 3 || addr >= BAR0_SIZE ? 0xffffffff : gpu->hw->store[addr / 4];
}

void hw_set(struct gpu *gpu, uint32_t addr, uint32_t val)
{
	if (!(addr & 3) && addr < BAR0_SIZE)
		gpu->hw->store[addr / 4] = val;
}

uint64_t hw_undescribed(const struct gpu *gpu)
{
	return gpu->hw->undescribed;
}
