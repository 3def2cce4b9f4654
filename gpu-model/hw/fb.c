// SPDX-License-Identifier: MIT
/*
 * Frame buffer: how much VRAM there is, in the terms of both chips; the
 * protected regions' bounds; and the registers in which software leaves buffer
 * addresses for the hub.
 *
 * GP104 tells the size in one register (LMR: magnitude and scale).  GP100 tells
 * it by partition: nouveau adds up (FBPs x FBPAs), and wants it to divide evenly
 * over the L2 slices, or it takes the board for one with mixed memory.  One
 * partition with one slice group satisfies that for every size.
 * The MMU's own registers in this page are hw/mmu.c's.
 */
#include "hw/units.h"

enum {
	FB_NUM_ACTIVE_LTCS = 0x100800,
	FB_FBPA_CONFIG = 0x100804,
	FB_NISO_FLUSH_SYSMEM_ADDR = 0x100c10,
	FB_HSHUB_CONFIG = 0x100c14,
	FB_MMU_DEBUG_CTRL = 0x100cc4,
	FB_MMU_DEBUG_WR = 0x100cc8,
	FB_MMU_DEBUG_RD = 0x100ccc,
	FB_MMU_VPR_INFO = 0x100cd0,
	FB_MMU_WPR_INFO = 0x100cd4,
	FB_MMU_LOCAL_MEMORY_RANGE = 0x100ce0,
	PEXTDEV_BOOT_0 = 0x101000,
	FBPA_CLKGATE = 0x10ecc0,
	PRIV_MASTER_NUM_LTCS = 0x12006c,
	HSHUB_MMU_CTRL = 0x1fac80,
	FBPA_CSTATUS = 0x90020c,
	FBPA_BCAST_0160 = 0x9a0160,
	FBPA_BCAST_0584 = 0x9a0584,
	FBPA_BCAST_STATE = 0x9a065c,
};

/* 27 MHz crystal; memory strap 0: nouveau nvkm_device_ctor(), nvbios_ramcfg_strap() */
#define PEXTDEV_BOOT_0_CRYSTAL_27000 BIT(22)

/* LOCAL_MEMORY_RANGE: size = mag << (scale + 20), six bits and four */
#define LMR_MAG_MAX 63u

/* WPR_INFO answers for what was written: nouveau gm200_acr_wpr_check() */
enum { WPR_INFO_START = 2, WPR_INFO_END = 3 };
/* the end is told as the start of the last granule */
#define WPR_GRANULE 0x20000u

static uint32_t lmr_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	uint32_t mag = gpu->vram_size / MiB, scale = 0;

	while (mag > LMR_MAG_MAX && !(mag & 1)) {
		mag >>= 1;
		scale++;
	}
	return mag << 4 | scale;
}

static uint32_t cstatus_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gpu->vram_size / MiB;
}

static uint32_t wpr_info_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	uint32_t index = hw_get(gpu, FB_MMU_WPR_INFO);
	const struct wpr *w = &gpu->units->wpr;

	if (!w->end)
		return index;
	if (index == WPR_INFO_START)
		return (uint32_t)(w->start >> 8) | index;
	if (index == WPR_INFO_END)
		return (uint32_t)((w->end - WPR_GRANULE) >> 8) | index;
	return index;
}

static void info_index_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, reg->addr, val & 0xf);
}

static const struct hw_reg fb_regs[] = {
	{ FB_NUM_ACTIVE_LTCS, "FB_NUM_ACTIVE_LTCS", 1, 0, 0, 0, "nouveau gm200_gr_init_num_active_ltcs", NULL,
	  NULL },
	{ FB_FBPA_CONFIG, "FB_100804", 1, 0, 0, 0, "nouveau gm200_gr_init_num_active_ltcs", NULL, NULL },
	{ FB_NISO_FLUSH_SYSMEM_ADDR, "FB_NISO_FLUSH_SYSMEM_ADDR", 0, 0, 0, 0,
	  "nouveau gf100_fb_sysmem_flush_page_init", NULL, NULL },
	{ FB_HSHUB_CONFIG, "FB_100C14", 0, 0, 0, 0, "nouveau gp100_fb_init_remapper", NULL, NULL },
	{ FB_MMU_DEBUG_CTRL, "FB_MMU_DEBUG_CTRL", 0, 0, 0, 0, "nouveau gm200_fb_init", NULL, NULL },
	{ FB_MMU_DEBUG_WR, "FB_MMU_DEBUG_WR", 0, 0, 0, 0, "nouveau gm200_fb_init", NULL, NULL },
	{ FB_MMU_DEBUG_RD, "FB_MMU_DEBUG_RD", 0, 0, 0, 0, "nouveau gm200_fb_init", NULL, NULL },
	{ FB_MMU_VPR_INFO, "FB_MMU_VPR_INFO", 0, 0, 0, 0,
	  "nouveau gp102_fb_vpr_scrub_required: bit 4 = locked; it never is", NULL, info_index_write },
	{ FB_MMU_WPR_INFO, "FB_MMU_WPR_INFO", 0, 0, 0, 0, "nouveau gm200_acr_wpr_check", wpr_info_read,
	  info_index_write },
	{ FB_MMU_LOCAL_MEMORY_RANGE, "FB_MMU_LOCAL_MEMORY_RANGE", 0, REG_RO, 0, 0,
	  "nouveau gp102_fb_vidmem_size", lmr_read, NULL },
	{ PEXTDEV_BOOT_0, "PEXTDEV_BOOT_0", PEXTDEV_BOOT_0_CRYSTAL_27000, 0, 0, 0, "nouveau nvkm_device_ctor",
	  NULL, NULL },
	{ FBPA_CLKGATE, "FBPA_10ECC0", 0, 0, 0, 0, "nouveau gp100_ram_init", NULL, NULL },
	{ PRIV_MASTER_NUM_LTCS, "PRIV_MASTER_NUM_LTCS", 1, REG_RO, 0, 0,
	  "nouveau gp100_ltc_oneinit, gm200_gr_rops", NULL, NULL },
	{ HSHUB_MMU_CTRL, "HSHUB_MMU_CTRL", 0, 0, 0, 0, "nouveau gp100_fb_init_unkn", NULL, NULL },
	{ HSHUB_MMU_CTRL + 0x44, "HSHUB_MMU_DEBUG", 0, 0, 3, 4, "nouveau gp100_fb_init_unkn", NULL, NULL },
	{ FBPA_CSTATUS, "FBPA_CSTATUS", 0, REG_RO, 0, 0, "nouveau gp100_ram_probe_fbpa: MiB", cstatus_read,
	  NULL },
	{ FBPA_BCAST_0160, "FBPA_9A0160", 0, 0, 0, 0, "nouveau gp100_ram_init", NULL, NULL },
	{ FBPA_BCAST_0584, "FBPA_9A0584", 0, 0, 0, 0, "nouveau gp100_ram_init", NULL, NULL },
	{ FBPA_BCAST_STATE, "FBPA_9A065C", 0, 0, 0, 0, "nouveau gp100_ram_init", NULL, NULL },
};

static void fb_power_on(struct gpu *gpu)
{
	gpu->units->wpr = (struct wpr){ 0 };
}

const struct hw_block hw_fb = {
	.name = "fb",
	.regs = fb_regs,
	.nr_regs = ARRAY_SIZE(fb_regs),
	.reset = fb_power_on,
};
