/* SPDX-License-Identifier: MIT */
/*
 * A hardware block of BAR0: a range of registers, each described once with its
 * name, reset value and source, and callbacks for those that do something.
 * What has no callback is plain storage: a read returns the last write.
 *
 * Context of all callbacks: gpu->lock held.
 */
#ifndef HW_BLOCK_H
#define HW_BLOCK_H

#include "gpu.h"

enum hw_reg_flags {
	REG_RO = BIT(0),	/* writes are ignored */
	REG_W1C = BIT(1),	/* writing a one clears the bit */
	REG_WO = BIT(2),	/* reads return the reset value */
};

struct hw_reg {
	uint32_t addr;		/* BAR0 offset of the first instance */
	const char *name;	/* as the public document or nouveau calls it */
	uint32_t reset;
	uint32_t flags;
	uint16_t count;		/* instances (0 means 1) */
	uint32_t stride;	/* bytes from one to the next */
	const char *source;	/* document, rnndb file or nouveau function that says so */
	/*
	 * @i: instance.  NULL: storage.  A write callback stores what it wants kept with hw_set();
	 * nothing is stored for it, but REG_W1C has cleared its bits before, and REG_RO is never called.
	 */
	uint32_t (*read)(struct gpu *gpu, const struct hw_reg *reg, unsigned int i);
	void (*write)(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val);
};

/**
 * struct hw_block - one hardware block.
 * @regs: described registers; an access that matches none falls to @read/@write, then to storage.
 * @reset: power-on; runs after the registers' reset values are stored.  May be NULL.
 * @step: autonomous work, bounded to 100 microseconds.  May be NULL.
 */
struct hw_block {
	const char *name;
	uint32_t base, size;	/* BAR0 window, not overlapping another block's */
	const struct hw_reg *regs;
	size_t nr_regs;
	bool (*read)(struct gpu *gpu, uint32_t addr, uint32_t *val);	/* false: not mine */
	bool (*write)(struct gpu *gpu, uint32_t addr, uint32_t val);
	int (*init)(struct gpu *gpu);
	void (*fini)(struct gpu *gpu);
	void (*reset)(struct gpu *gpu);
	enum step_result (*step)(struct gpu *gpu);
	/* For the control command "state": tell of live objects as flat keys ("chan.3.enabled").  May be NULL. */
	void (*state)(struct gpu *gpu, void (*put)(void *priv, const char *key, uint64_t val), void *priv);
};

/* All blocks, NULL terminated, in the order of reset and step; hw/block.c holds the table, one line a block. */
const struct hw_block *const *hw_block_list(const struct gpu *gpu);

#define BAR0_SIZE (16 * MiB)

int hw_init(struct gpu *gpu);
/*
 * The same with these blocks only, NULL terminated: for unit tests.
 * Return: 0, -ENOMEM, -EINVAL or -EEXIST for a wrong description, or what a block's init says;
 * hw_fini() is due when gpu->hw was set.
 */
int hw_init_blocks(struct gpu *gpu, const struct hw_block *const *blocks);
void hw_fini(struct gpu *gpu);
void hw_reset(struct gpu *gpu);

/* BAR0 access, 32-bit aligned.  Goes through described registers and counts in the ledger. */
uint32_t hw_rd32(struct gpu *gpu, uint32_t addr);
void hw_wr32(struct gpu *gpu, uint32_t addr, uint32_t val);

/* The stored value behind a register, without side effects: for blocks' own use. */
uint32_t hw_get(const struct gpu *gpu, uint32_t addr);
void hw_set(struct gpu *gpu, uint32_t addr, uint32_t val);

/* How many registers software touched that no block describes: each counts once. */
uint64_t hw_undescribed(const struct gpu *gpu);

/*
 * The other BARs.  @bar is nouveau's resource index: 1 = BAR1, 3 = BAR2/INST.
 * Any size of 1, 2, 4, 8 bytes; both are translated (hw/bar.c).
 */
uint64_t hw_bar_read(struct gpu *gpu, int bar, uint64_t addr, unsigned int size);
void hw_bar_write(struct gpu *gpu, int bar, uint64_t addr, unsigned int size, uint64_t val);

/*
 * PMC interrupt tree (hw/pmc.c).  A source is a bit of 000100 (leaf 0) or
 * 000104 (leaf 1) whose level is set here; an MSI is sent when an enabled bit
 * becomes pending or when software re-arms.
 */
void pmc_intr_set(struct gpu *gpu, unsigned int bit, bool level);
/* Re-evaluate and send an MSI when (pending & enable) != 0. */
void pmc_intr_update(struct gpu *gpu);

/* PMC bit numbers: nouveau gp100_mc_intrs[] and PTOP */
enum {
	PMC_BIT_FIFO = 8,
	PMC_BIT_REPLAYABLE_FAULT = 9,
	PMC_BIT_GR = 12,
	PMC_BIT_SEC2 = 15,
	PMC_BIT_TIMER = 20,
	PMC_BIT_PMU = 24,
};

#endif
