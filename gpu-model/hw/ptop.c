// SPDX-License-Identifier: MIT
/*
 * Device topology: the table from which software learns which engines there
 * are, on which runlists, with which interrupt, reset and fault numbers.
 *
 * Source: nouveau gk104_top_parse() for the format.  GR's interrupt and reset
 * bits are those of nouveau's older tables (nv50_mc_intrs[], nv04_mc_reset[]).
 * The copy engines' numbers differ between boards; those here avoid what
 * nouveau's tables give away (gp100_mc_intrs[], gk104_mc_reset[],
 * gp100_fifo_mmu_fault_engine[]).
 */
#include <errno.h>

#include "hw/units.h"

enum {
	PTOP_DEVICE_INFO = 0x022700,
	PTOP_ENTRIES = 64,
	PTOP_TYPE_GR = 0x00,
	PTOP_TYPE_SEC2 = 0x0d,
	PTOP_TYPE_LCE = 0x13,
	GR_ADDR = 0x400000,
	LCE_ADDR = 0x104000,	/* of LCE 0, 0x1000 each: nouveau gp100_ce_new */
	SEC2_ADDR = 0x840000,
	GR_FAULT_ID = 0x00,
};

static const struct {
	uint8_t intr, reset, fault;
} lce_info[PTOP_MAX_CE] = {
	{ 5, 6, 0x15 }, { 6, 7, 0x16 }, { 7, 21, 0x1b }, { 10, 22, 0x1c }, { 11, 23, 0x1d }, { 14, 24, 0x1e },
};

const struct engine *ptop_engines(struct gpu *gpu, size_t *n)
{
	*n = gpu->units->nr_engines;
	return gpu->units->engines;
}

static int ptop_init(struct gpu *gpu)
{
	static const char *const ce_names[PTOP_MAX_CE] = { "ce0", "ce1", "ce2", "ce3", "ce4", "ce5" };
	/* nouveau's chip table knows four copy engines on GP104, six on GP100 */
	int max_ce = gpu->cfg.chip == CHIP_GP100 ? PTOP_MAX_CE : 4;
	int nr_ce = gpu->cfg.copy_engines;
	struct hw_units *u = gpu->units;

	if (nr_ce > max_ce) {
		gpu_log(gpu, 0, "this chip has %d copy engines at most", max_ce);
		return -EINVAL;
	}
	u->engines[0] = (struct engine){
		.name = "gr",
		.type = PTOP_TYPE_GR,
		.intr_bit = PMC_BIT_GR,
		.reset_bit = PMC_RESET_GR,
		.fault_id = GR_FAULT_ID,
		.addr = GR_ADDR,
	};
	for (int i = 0; i < nr_ce; i++) {
		u->engines[1 + i] = (struct engine){
			.name = ce_names[i],
			.type = PTOP_TYPE_LCE,
			.inst = i,
			.id = 1 + i,
			.runlist = gpu->cfg.topology == TOPOLOGY_SINGLE ? 0 : i,
			.intr_bit = lce_info[i].intr,
			.reset_bit = lce_info[i].reset,
			.fault_id = lce_info[i].fault,
			.addr = LCE_ADDR + i * 0x1000,
		};
	}
	u->nr_engines = 1 + nr_ce;
	return 0;
}

/* Kinds of entry in bits 1:0; bit 31 says that the next entry goes on with the same device */
enum { PTOP_DATA = 1, PTOP_ENUM = 2, PTOP_ENGINE_TYPE = 3 };
#define PTOP_CHAIN BIT(31)
#define PTOP_ENTRIES_PER_DEVICE 3

static uint32_t ptop_engine_entry(const struct engine *e, unsigned int k)
{
	switch (k) {
	case 0:
		return PTOP_CHAIN | PTOP_ENUM | BIT(5) | (uint32_t)e->id << 26 | BIT(4) |
		       (uint32_t)e->runlist << 21 | BIT(3) | (uint32_t)e->intr_bit << 15 | BIT(2) |
		       (uint32_t)e->reset_bit << 9;
	case 1:
		return PTOP_CHAIN | PTOP_DATA | (uint32_t)e->inst << 26 | e->addr | BIT(2) |
		       (uint32_t)e->fault_id << 3;
	default:
		return PTOP_ENGINE_TYPE | (uint32_t)e->type << 2;
	}
}

static uint32_t ptop_sec2_entry(unsigned int k)
{
	switch (k) {
	case 0:
		return PTOP_CHAIN | PTOP_ENUM | BIT(3) | PMC_BIT_SEC2 << 15 | BIT(2) | PMC_RESET_SEC2 << 9;
	case 1:
		return PTOP_CHAIN | PTOP_DATA | SEC2_ADDR;
	default:
		return PTOP_ENGINE_TYPE | PTOP_TYPE_SEC2 << 2;
	}
}

static uint32_t device_info_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	unsigned int dev = i / PTOP_ENTRIES_PER_DEVICE, k = i % PTOP_ENTRIES_PER_DEVICE;
	const struct hw_units *u = gpu->units;

	if (dev < u->nr_engines)
		return ptop_engine_entry(&u->engines[dev], k);
	/* SEC2 takes over the ACR's work from GP102 on: nouveau nv132_chipset */
	if (dev == u->nr_engines && gpu->cfg.chip != CHIP_GP100)
		return ptop_sec2_entry(k);
	return 0;
}

static const struct hw_reg ptop_regs[] = {
	{ PTOP_DEVICE_INFO, "PTOP_DEVICE_INFO", 0, REG_RO, PTOP_ENTRIES, 4, "nouveau gk104_top_parse",
	  device_info_read, NULL },
};

const struct hw_block hw_ptop = {
	.name = "ptop",
	.base = PTOP_DEVICE_INFO,
	.size = PTOP_ENTRIES * 4,
	.regs = ptop_regs,
	.nr_regs = ARRAY_SIZE(ptop_regs),
	.init = ptop_init,
};
