// SPDX-License-Identifier: MIT
/*
 * Bus interface: its own interrupts (none are raised), the instance blocks of
 * BAR1 and BAR2, the PRAMIN window's base, the mirror of PCI configuration
 * space with its MSI re-arm register, and L2 flushes asked for by the CPU; and
 * the few registers that software touches in units that the board lacks (pads,
 * sensor, VGA).
 */
#include "hw/late.h"
#include "hw/units.h"

enum {
	PBUS_INTR = 0x001100,
	PBUS_INTR_EN = 0x001140,
	PBUS_BAR0_WINDOW = 0x001700,
	PBUS_BAR1_BLOCK = 0x001704,
	PBUS_BIND_STATUS = 0x001710,
	PBUS_BAR2_BLOCK = 0x001714,
	GPIO_INTR = 0x00dc00,
	AUX_INTR = 0x00dc60,
	GPIO_INTR_1 = 0x00dc80,
	THERM_TSENSOR = 0x020460,
	PCI_MIRROR_ROM_CTRL = 0x088050,
	PCI_MIRROR_MSI_REARM = 0x088704,
	VGA_CRTC = 0x6013d4,
	FLUSH_BAR = 0x070000,
	FLUSH_LTC_INVALIDATE = 0x070004,
	FLUSH_LTC = 0x070010,
};

static void bar1_block_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, reg->addr, val);
	bar_bind(gpu, &gpu->units->bar1, val);
}

static void bar2_block_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, reg->addr, val);
	bar_bind(gpu, &gpu->units->bar2, val);
}

static void fb_flush(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	late_flush(gpu);
}

static void msi_rearm(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	pmc_intr_update(gpu);
}

static const struct hw_reg pbus_regs[] = {
	{ PBUS_INTR, "PBUS_INTR_0", 0, REG_W1C, 0, 0, "nouveau gf100_bus_intr", NULL, NULL },
	{ PBUS_INTR_EN, "PBUS_INTR_EN_0", 0, 0, 0, 0, "nouveau gf100_bus_init", NULL, NULL },
	{ PBUS_BAR0_WINDOW, "PBUS_BAR0_WINDOW", 0, 0, 0, 0,
	  "open-gpu-doc dev_bus; nouveau nv50_instobj_wr32_slow", NULL, NULL },
	{ PBUS_BAR1_BLOCK, "PBUS_BAR1_BLOCK", 0, 0, 0, 0, "open-gpu-doc dev_bus; nouveau gf100_bar_bar1_init",
	  NULL, bar1_block_write },
	{ PBUS_BIND_STATUS, "PBUS_BIND_STATUS", 0, REG_RO, 0, 0, "nouveau gm107_bar_bar1_wait: 0 is done",
	  NULL, NULL },
	{ PBUS_BAR2_BLOCK, "PBUS_BAR2_BLOCK", 0, 0, 0, 0, "open-gpu-doc dev_bus; nouveau gf100_bar_bar2_init",
	  NULL, bar2_block_write },
	{ PCI_MIRROR_MSI_REARM, "XVE_CYA_MSI_REARM", 0, REG_WO, 0, 0, "nouveau gp100_pci_msi_rearm", NULL,
	  msi_rearm },
	/*
	 * Memory is coherent here: a flush has nothing to do but for stores that are late, and is done when it is asked
	 * about.
	 */
	{ FLUSH_BAR, "FLUSH_FB", 0, 0, 0, 0, "nouveau g84_bar_flush; NV_UFLUSH_FB_FLUSH of open-gpu-kernel-modules", NULL,
	  fb_flush },
	{ FLUSH_LTC_INVALIDATE, "FLUSH_L2_SYSMEM_INVALIDATE", 0, REG_RO, 0, 0, "nouveau gf100_ltc_invalidate",
	  NULL, NULL },
	{ FLUSH_LTC, "FLUSH_L2_DIRTY", 0, REG_RO, 0, 0, "nouveau gf100_ltc_flush", NULL, NULL },
	{ GPIO_INTR, "GPIO_INTR_STAT(0)", 0, REG_W1C, 0, 0, "nouveau gk104_gpio_intr_stat", NULL, NULL },
	{ GPIO_INTR + 8, "GPIO_INTR_MASK(0)", 0, 0, 0, 0, "nouveau gk104_gpio_intr_mask", NULL, NULL },
	{ AUX_INTR, "AUX_INTR_STAT", 0, REG_W1C, 0, 0, "nouveau gk104_aux_stat", NULL, NULL },
	{ AUX_INTR + 8, "AUX_INTR_MASK", 0, 0, 0, 0, "nouveau gk104_aux_mask", NULL, NULL },
	{ GPIO_INTR_1, "GPIO_INTR_STAT(1)", 0, REG_W1C, 0, 0, "nouveau gk104_gpio_intr_stat", NULL, NULL },
	{ GPIO_INTR_1 + 8, "GPIO_INTR_MASK(1)", 0, 0, 0, 0, "nouveau gk104_gpio_intr_mask", NULL, NULL },
	{ THERM_TSENSOR, "THERM_TSENSOR", 0, REG_RO, 0, 0, "nouveau gp100_temp_get: bit 29 clear, no sensor",
	  NULL, NULL },
	{ PCI_MIRROR_ROM_CTRL, "XVE_ROM_CTRL", 0, 0, 0, 0, "nouveau nvkm_pci_rom_shadow", NULL, NULL },
	{ VGA_CRTC, "VGA_CRTC", 0, 0, 0, 0, "nouveau nvkm_lockvgac: index and data", NULL, NULL },
};

const struct hw_block hw_pbus = {
	.name = "pbus",
	.base = 0x001000,
	.size = 0x1000,
	.regs = pbus_regs,
	.nr_regs = ARRAY_SIZE(pbus_regs),
};
