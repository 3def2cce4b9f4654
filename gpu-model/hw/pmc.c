// SPDX-License-Identifier: MIT
/*
 * Master control: identity, interrupt tree, engine enables.
 *
 * Interrupts: two leaves.  A pending bit shows its source's level, whatever
 * the mask says.  A message is sent when an enabled bit becomes pending, when
 * software enables bits that are pending, and when it re-arms (088704, pbus.c)
 * while one is pending.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "hw/units.h"
#include "pci/dma.h"

enum {
	PMC_BOOT_0 = 0x000000,
	PMC_BOOT_1 = 0x000004,
	PMC_INTR = 0x000100,
	PMC_INTR_EN = 0x000140,
	PMC_INTR_EN_SET = 0x000160,
	PMC_INTR_EN_CLEAR = 0x000180,
	PMC_INTR_LTC = 0x0001c0,
	PMC_ENABLE = 0x000200,
	PMC_ENABLE_PB = 0x000204,
};

/* Stepping a1 of each chip: nouveau nvkm_device_ctor() takes the chip from bits 28:20 */
#define PMC_BOOT_0_STEPPING 0xa1u

void pmc_intr_update(struct gpu *gpu)
{
	const struct pmc *p = &gpu->units->pmc;

	if ((p->pending[0] & p->enable[0]) || (p->pending[1] & p->enable[1]))
		pci_msi_raise(gpu);
}

void pmc_intr_set(struct gpu *gpu, unsigned int bit, bool level)
{
	struct pmc *p = &gpu->units->pmc;
	uint32_t mask = BIT(bit % 32);
	unsigned int leaf = bit / 32 % 2;
	bool was = p->pending[leaf] & mask;

	if (!level) {
		p->pending[leaf] &= ~mask;
		return;
	}
	p->pending[leaf] |= mask;
	if (!was && (p->enable[leaf] & mask))
		pci_msi_raise(gpu);
}

bool pmc_enabled(const struct gpu *gpu, unsigned int bit)
{
	return hw_get(gpu, PMC_ENABLE) & BIT(bit);
}

static uint32_t boot_0_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return (uint32_t)gpu->cfg.chip << 20 | PMC_BOOT_0_STEPPING;
}

static uint32_t intr_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gpu->units->pmc.pending[i];
}

static uint32_t intr_en_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gpu->units->pmc.enable[i];
}

static void intr_en_set(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct pmc *p = &gpu->units->pmc;

	p->enable[i] |= val;
	if (p->pending[i] & p->enable[i])
		pci_msi_raise(gpu);
}

static void intr_en_clear(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	gpu->units->pmc.enable[i] &= ~val;
}

static void pmc_reset_engines(struct gpu *gpu, uint32_t off)
{
	struct hw_units *u = gpu->units;

	for (size_t i = 0; i < u->nr_engines; i++) {
		struct engine *e;

		if (!(off & BIT(u->engines[i].reset_bit)))
			continue;
		e = fifo_engine(gpu, u->engines[i].id);
		if (e)
			fifo_engine_reset(gpu, e);
	}
	if (off & BIT(PMC_RESET_GR)) {
		falcon_reset(gpu, &u->fecs);
		falcon_reset(gpu, &u->gpccs);
	}
	if (off & BIT(PMC_RESET_PMU))
		falcon_reset(gpu, &u->pmu);
	if (off & BIT(PMC_RESET_SEC2))
		falcon_reset(gpu, &u->sec2);
	if (off & BIT(PMC_RESET_FIFO))
		fifo_reset(gpu);
}

static void enable_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	uint32_t off = hw_get(gpu, PMC_ENABLE) & ~val;

	hw_set(gpu, PMC_ENABLE, val);
	if (off)
		pmc_reset_engines(gpu, off);
}

static const struct hw_reg pmc_regs[] = {
	{ PMC_BOOT_0, "PMC_BOOT_0", 0, REG_RO, 0, 0, "nouveau nvkm_device_ctor", boot_0_read, NULL },
	{ PMC_BOOT_1, "PMC_BOOT_1", 0, REG_RO, 0, 0, "nouveau nvkm_device_endianness: 0 is little-endian",
	  NULL, NULL },
	{ PMC_INTR, "PMC_INTR", 0, REG_RO, 2, 4, "nouveau nv04_mc_intr_pending", intr_read, NULL },
	{ PMC_INTR_EN, "PMC_INTR_EN", 0, REG_RO, 2, 4, "rnndb bus/pmc.xml", intr_en_read, NULL },
	{ PMC_INTR_EN_SET, "PMC_INTR_EN_SET", 0, REG_WO, 2, 4, "nouveau gp100_mc_intr_allow", NULL,
	  intr_en_set },
	{ PMC_INTR_EN_CLEAR, "PMC_INTR_EN_CLEAR", 0, REG_WO, 2, 4, "nouveau gp100_mc_intr_block", NULL,
	  intr_en_clear },
	{ PMC_INTR_LTC, "PMC_INTR_LTC", 0, REG_RO, 0, 0, "nouveau gp100_ltc_intr", NULL, NULL },
	{ PMC_ENABLE, "PMC_ENABLE", 0, 0, 0, 0, "nouveau nv04_mc_device, gk104_mc_reset, nv50_mc_init", NULL,
	  enable_write },
	{ PMC_ENABLE_PB, "PMC_ENABLE_PB", 0, 0, 0, 0, "nouveau gk104_fifo_init_pbdmas", NULL, NULL },
};

static int pmc_init(struct gpu *gpu)
{
	gpu->units = calloc(1, sizeof(*gpu->units));
	return gpu->units ? 0 : -ENOMEM;
}

static void pmc_fini(struct gpu *gpu)
{
	if (gpu->units)
		free(gpu->units->vbios);
	free(gpu->units);
	gpu->units = NULL;
}

static void pmc_power_on(struct gpu *gpu)
{
	gpu->units->pmc = (struct pmc){ 0 };
}

/* Memory of this process that is its own, in KiB: a leak shows here. */
static uint64_t process_anon_kb(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long long kb = 0;
	char line[128];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %llu kB", &kb) == 1)
			break;
	}
	fclose(f);
	return kb;
}

/* Files that this process has open, this one listing included. */
static uint64_t process_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_name[0] != '.')
			n++;
	}
	closedir(dir);
	return n;
}

static void pmc_state(struct gpu *gpu, void (*put)(void *priv, const char *key, uint64_t val), void *priv)
{
	put(priv, "pmc.pending.0", gpu->units->pmc.pending[0]);
	put(priv, "pmc.pending.1", gpu->units->pmc.pending[1]);
	put(priv, "pmc.enable.0", gpu->units->pmc.enable[0]);
	put(priv, "pmc.enable.1", gpu->units->pmc.enable[1]);
	put(priv, "process.anon_kb", process_anon_kb());
	put(priv, "process.fds", process_fds());
}

const struct hw_block hw_pmc = {
	.name = "pmc",
	.base = 0x000000,
	.size = 0x1000,
	.regs = pmc_regs,
	.nr_regs = ARRAY_SIZE(pmc_regs),
	.init = pmc_init,
	.fini = pmc_fini,
	.reset = pmc_power_on,
	.state = pmc_state,
};
