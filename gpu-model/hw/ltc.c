// SPDX-License-Identifier: MIT
/*
 * L2 cache: its presence, compression-tag clears and zero-bandwidth-clear
 * tables.  Nothing is compressed and nothing is cached, so every operation is
 * complete when software asks.
 */
#include "hw/units.h"

enum {
	LTC_BCAST = 0x17e000,
	LTC_LTS0_CBC_CTRL = 0x14046c, /* of slice 0: 4 means a clear is under way */
	LTC_LTS0_INTR = 0x14040c,
	LTC_ZBC_STENCIL = 0x17e204,
	LTC_CBC_CTRL1 = 0x17e26c,
	LTC_CBC_START = 0x17e270,
	LTC_CBC_END = 0x17e274,
	LTC_PARAM = 0x17e280,
	LTC_ZBC_INDEX = 0x17e338,
	LTC_ZBC_COLOR = 0x17e33c,
	LTC_ZBC_DEPTH = 0x17e34c,
};

/* one slice */
#define LTC_PARAM_SLICES(n) ((uint32_t)(n) << 28)

static const struct hw_reg ltc_regs[] = {
	{ LTC_LTS0_INTR, "LTC0_LTS0_INTR", 0, REG_W1C, 0, 0, "nouveau gm107_ltc_intr_lts", NULL, NULL },
	{ LTC_LTS0_CBC_CTRL, "LTC0_LTS0_CBC_CTRL", 0, REG_RO, 0, 0, "nouveau gm107_ltc_cbc_wait", NULL,
	  NULL },
	{ LTC_ZBC_STENCIL, "LTC_ZBC_STENCIL", 0, 0, 0, 0, "nouveau gp102_ltc_zbc_clear_stencil", NULL, NULL },
	{ LTC_CBC_CTRL1, "LTC_CBC_CTRL1", 0, REG_WO, 0, 0, "nouveau gm107_ltc_cbc_clear", NULL, NULL },
	{ LTC_CBC_START, "LTC_CBC_START", 0, 0, 0, 0, "nouveau gm107_ltc_cbc_clear", NULL, NULL },
	{ LTC_CBC_END, "LTC_CBC_END", 0, 0, 0, 0, "nouveau gm107_ltc_cbc_clear", NULL, NULL },
	{ LTC_PARAM, "LTC_CBC_PARAM", LTC_PARAM_SLICES(1), REG_RO, 0, 0, "nouveau gp100_ltc_oneinit", NULL,
	  NULL },
	{ LTC_ZBC_INDEX, "LTC_ZBC_INDEX", 0, 0, 0, 0, "nouveau gm107_ltc_zbc_clear_color", NULL, NULL },
	{ LTC_ZBC_COLOR, "LTC_ZBC_COLOR", 0, 0, 4, 4, "nouveau gm107_ltc_zbc_clear_color", NULL, NULL },
	{ LTC_ZBC_DEPTH, "LTC_ZBC_DEPTH", 0, 0, 0, 0, "nouveau gm107_ltc_zbc_clear_depth", NULL, NULL },
};

const struct hw_block hw_ltc = {
	.name = "ltc",
	.base = LTC_BCAST,
	.size = 0x1000,
	.regs = ltc_regs,
	.nr_regs = ARRAY_SIZE(ltc_regs),
};
