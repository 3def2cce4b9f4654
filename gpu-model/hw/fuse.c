// SPDX-License-Identifier: MIT
/*
 * Fuses and floor sweeping: what of the chip is there.  The board has no
 * display outputs, so the display is fused off, as on a Tesla.  One frame
 * buffer partition with one L2 slice group stands for all of VRAM (fb.c).
 */
#include "hw/units.h"

enum {
	FUSE_BASE = 0x021000,
	FUSE_STATUS_OPT_CE = 0x021c00,
	FUSE_STATUS_OPT_DISPLAY = 0x021c04,
	FUSE_STATUS_OPT_FBP = 0x021c14,
	FUSE_STATUS_OPT_FBP_BLANK = 0x021d38,
	FUSE_STATUS_OPT_ROP_L2_FBP = 0x021d70,
	PTOP_DEBUG_1 = 0x02240c,
	PTOP_SCAL_NUM_FBPS = 0x022438,
	PTOP_SCAL_NUM_LTC_PER_FBP = 0x022450,
	PTOP_SCAL_NUM_FBPA_PER_FBP = 0x022458,
	PTOP_FS_FBPA = 0x022554,
};

/* Set by the devinit script, lost with power: nouveau gf100_devinit_preinit() */
#define PTOP_DEBUG_1_DEVINIT_DONE BIT(1)

void fuse_devinit_done(struct gpu *gpu)
{
	hw_set(gpu, PTOP_DEBUG_1, hw_get(gpu, PTOP_DEBUG_1) | PTOP_DEBUG_1_DEVINIT_DONE);
}

static const struct hw_reg fuse_regs[] = {
	{ FUSE_STATUS_OPT_CE, "FUSE_STATUS_OPT_CE", 0, REG_RO, 0, 0,
	  "nouveau gm107_devinit_disable: no CE fused off", NULL, NULL },
	{ FUSE_STATUS_OPT_DISPLAY, "FUSE_STATUS_OPT_DISPLAY", 1, REG_RO, 0, 0,
	  "nouveau gm107_devinit_disable", NULL, NULL },
	{ FUSE_STATUS_OPT_FBP, "FUSE_STATUS_OPT_FBP", 0, REG_RO, 0, 0, "nouveau gm107_ram_probe_fbp", NULL,
	  NULL },
	{ FUSE_STATUS_OPT_FBP_BLANK, "FUSE_STATUS_OPT_FBP_BLANK", 0, REG_RO, 0, 0,
	  "nouveau gm200_ram_probe_fbp_amount", NULL, NULL },
	{ FUSE_STATUS_OPT_ROP_L2_FBP, "FUSE_STATUS_OPT_ROP_L2_FBP", 0, REG_RO, 16, 4,
	  "nouveau gm200_ram_probe_fbp_amount", NULL, NULL },
	{ PTOP_DEBUG_1, "PTOP_DEBUG_1", 0, 0, 0, 0, "nouveau gf100_devinit_preinit: bit 1 = devinit has run",
	  NULL, NULL },
	{ PTOP_SCAL_NUM_FBPS, "PTOP_SCAL_NUM_FBPS", 1, REG_RO, 0, 0, "nouveau gf100_ram_ctor", NULL, NULL },
	{ PTOP_SCAL_NUM_LTC_PER_FBP, "PTOP_SCAL_NUM_LTC_PER_FBP", 1, REG_RO, 0, 0,
	  "nouveau gm200_ram_probe_fbp_amount", NULL, NULL },
	{ PTOP_SCAL_NUM_FBPA_PER_FBP, "PTOP_SCAL_NUM_FBPA_PER_FBP", 1, REG_RO, 0, 0,
	  "nouveau gm200_ram_probe_fbp_amount", NULL, NULL },
	{ PTOP_FS_FBPA, "PTOP_FS_STATUS_FBPA", 0, REG_RO, 0, 0, "nouveau gf100_ram_probe_fbp", NULL, NULL },
};

const struct hw_block hw_fuse = {
	.name = "fuse",
	.base = FUSE_BASE,
	.size = 0x1000,
	.regs = fuse_regs,
	.nr_regs = ARRAY_SIZE(fuse_regs),
};
