// SPDX-License-Identifier: MIT
/*
 * FECS and GPCCS, the falcons that switch contexts in GR: their registers, the
 * methods that software sends to FECS, and how many units GR has.  What the
 * methods do to contexts is hw/gr.c's.
 *
 * Sources: nouveau nvkm/engine/gr/gf100.c (gf100_gr_fecs_*, gf100_gr_oneinit,
 * gf100_gr_init_ctxctl_ext), ctxgf100.c; open-gpu-doc and nvgpu names for
 * the registers (FECS_METHOD_DATA, FECS_METHOD_PUSH, FECS_CTXSW_MAILBOX).
 */
#include <errno.h>

#include "hw/gr.h"
#include "hw/units.h"

enum {
	FECS_BASE = 0x409000,
	FECS_METHOD_DATA = 0x409500,
	FECS_METHOD_PUSH = 0x409504,
	FECS_FS = 0x409604,
	FECS_CTXSW_RESET_CTL = 0x409614,
	FECS_CTXSW_MAILBOX = 0x409800,
	FECS_CURRENT_CTX = 0x409b00,
	FECS_NEW_CTX = 0x409b04,
	FECS_HOST_INT_STATUS = 0x409c18,
	FECS_HOST_INT_ENABLE = 0x409c24,
	GPCCS_BASE = 0x41a000,
	/* per GPC, 0x8000 apart */
	GPC0_GPCCS_FS = 0x502608,
	GPC0_PPC_TPC_MASK = 0x500c30,
	GPC0_SWDX_PES_MASK = 0x500c50,
	GPC_STRIDE = 0x8000,
};

/* Mailbox 0 answers most methods, mailbox 1 those of gf100_gr_fecs_ctrl_ctxsw() */
enum { MAILBOX_STATUS = 0, MAILBOX_CTRL = 1, NR_MAILBOXES = 16 };

enum fecs_method {
	FECS_BIND_POINTER = 0x03,
	FECS_HALT_PIPELINE = 0x04,
	FECS_WFI_GOLDEN_SAVE = 0x09,
	FECS_IMAGE_SIZE = 0x10,
	FECS_ZCULL_IMAGE_SIZE = 0x16,
	FECS_SET_WATCHDOG_TIMEOUT = 0x21,
	FECS_PM_IMAGE_SIZE = 0x25,
	FECS_REGLIST_IMAGE_SIZE = 0x30,
	FECS_REGLIST_BIND_INSTANCE = 0x31,
	FECS_REGLIST_SET_VIRTUAL_ADDRESS = 0x32,
	FECS_STOP_CTXSW = 0x38,
	FECS_START_CTXSW = 0x39,
};

#define STATUS_READY BIT(0)
#define STATUS_OK BIT(0)
#define STATUS_ERROR BIT(1)
#define STATUS_BIND_OK BIT(4)
#define STATUS_BIND_ERROR BIT(5)
#define CTRL_OK 1u

/* Method data and CURRENT_CTX: bit 31 valid, instance block >> 12 */
#define CTX_VALID BIT(31)
#define CTX_PTR(v) ((uint64_t)field(v, 27, 0) << 12)
/* Some bytes, never used: nouveau has power gating's register list compiled out */
#define REGLIST_IMAGE_SIZE 0x100u

/* --- units ------------------------------------------------------------------ */

unsigned int gr_sms_per_tpc(const struct gpu *gpu)
{
	return gpu->cfg.chip == CHIP_GP100 ? 2 : 1;
}

unsigned int gr_tpcs(const struct gpu *gpu)
{
	unsigned int per = gr_sms_per_tpc(gpu);

	return ((unsigned int)gpu->cfg.sms + per - 1) / per;
}

unsigned int gr_gpcs(const struct gpu *gpu)
{
	return (gr_tpcs(gpu) + GR_MAX_TPCS_PER_GPC - 1) / GR_MAX_TPCS_PER_GPC;
}

unsigned int gr_gpc_tpcs(const struct gpu *gpu, unsigned int gpc)
{
	unsigned int tpcs = gr_tpcs(gpu), gpcs = gr_gpcs(gpu);

	if (gpc >= gpcs)
		return 0;
	return tpcs / gpcs + (gpc < tpcs % gpcs);
}

/* Which of a GPC's TPCs hang off its @ppc-th primitive unit: two each on GP104, three on GP100. */
static uint32_t ppc_tpc_mask(const struct gpu *gpu, unsigned int gpc, unsigned int ppc)
{
	unsigned int per = gpu->cfg.chip == CHIP_GP100 ? 3 : 2;
	uint32_t all = BIT(gr_gpc_tpcs(gpu, gpc)) - 1;

	return all & (BIT(per) - 1) << ppc * per;
}

static uint32_t fs_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	/* one ROP partition for the one L2 slice group of fb.c */
	return 1u << 16 | gr_gpcs(gpu);
}

static uint32_t gpccs_fs_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gr_gpc_tpcs(gpu, i);
}

static uint32_t ppc_mask_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return ppc_tpc_mask(gpu, i, (reg->addr - GPC0_PPC_TPC_MASK) / 4);
}

static uint32_t pes_mask_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	uint32_t mask = 0;

	for (unsigned int ppc = 0; ppc < 3; ppc++)
		mask |= ppc_tpc_mask(gpu, i, ppc) ? BIT(ppc) : 0;
	return mask;
}

/* --- methods ------------------------------------------------------------------ */

static void mailbox_or(struct gpu *gpu, unsigned int n, uint32_t bits)
{
	uint32_t addr = FECS_CTXSW_MAILBOX + n * 4;

	hw_set(gpu, addr, hw_get(gpu, addr) | bits);
}

static void mailbox_set(struct gpu *gpu, unsigned int n, uint32_t val)
{
	hw_set(gpu, FECS_CTXSW_MAILBOX + n * 4, val);
}

static void fecs_method(struct gpu *gpu, enum fecs_method mthd, uint32_t data)
{
	switch (mthd) {
	case FECS_BIND_POINTER:
		mailbox_or(gpu, MAILBOX_STATUS,
			   (data & CTX_VALID) && !gr_ctxsw_bind(gpu, CTX_PTR(data)) ? STATUS_BIND_OK
										    : STATUS_BIND_ERROR);
		break;
	case FECS_WFI_GOLDEN_SAVE:
		mailbox_or(gpu, MAILBOX_STATUS,
			   (data & CTX_VALID) && !gr_golden_save(gpu, CTX_PTR(data)) ? STATUS_OK
										     : STATUS_ERROR);
		break;
	case FECS_IMAGE_SIZE:
		mailbox_set(gpu, MAILBOX_STATUS, GR_CTX_IMAGE_SIZE);
		break;
	case FECS_ZCULL_IMAGE_SIZE:
		mailbox_set(gpu, MAILBOX_STATUS, GR_CTX_ZCULL_SIZE);
		break;
	case FECS_PM_IMAGE_SIZE:
		mailbox_set(gpu, MAILBOX_STATUS, GR_CTX_PM_SIZE);
		break;
	case FECS_REGLIST_IMAGE_SIZE:
		mailbox_set(gpu, MAILBOX_STATUS, REGLIST_IMAGE_SIZE);
		break;
	case FECS_REGLIST_BIND_INSTANCE:
	case FECS_REGLIST_SET_VIRTUAL_ADDRESS:
		mailbox_set(gpu, MAILBOX_STATUS, STATUS_OK);
		break;
	case FECS_SET_WATCHDOG_TIMEOUT:
		break;
	case FECS_STOP_CTXSW:
		gr_ctxsw_pause(gpu);
		mailbox_set(gpu, MAILBOX_CTRL, CTRL_OK);
		break;
	case FECS_START_CTXSW:
		gr_ctxsw_resume(gpu);
		mailbox_set(gpu, MAILBOX_CTRL, CTRL_OK);
		break;
	case FECS_HALT_PIPELINE:
		/* an engine reset follows: gf100_gr_reset() */
		mailbox_set(gpu, MAILBOX_CTRL, CTRL_OK);
		break;
	default:
		gpu_log(gpu, 1, "fecs: method %02x not modelled", mthd);
		break;
	}
}

static void method_push(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, FECS_METHOD_PUSH, val);
	if (gpu->units->fecs.running)
		fecs_method(gpu, val, hw_get(gpu, FECS_METHOD_DATA));
	else
		gpu_log(gpu, 1, "fecs: method %02x while it is not running", val);
}

static uint32_t current_ctx_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gr_current_inst(gpu);
}

static void current_ctx_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	if (!(val & CTX_VALID))
		gr_ctxsw_bind(gpu, 0);
}

static void fecs_run(struct gpu *gpu, struct falcon *f, const char *fw)
{
	/* FECS waits for GPCCS, then says that it is ready: gf100_gr_init_ctxctl_ext() */
	if (gpu->units->fecs.running && gpu->units->gpccs.running)
		mailbox_or(gpu, MAILBOX_STATUS, STATUS_READY);
}

static const struct falcon_ops fecs_ops = {
	.name = "fecs",
	.base = FECS_BASE,
	.intr_bit = -1, /* through GR's own interrupt */
	.run = fecs_run,
};

static const struct falcon_ops gpccs_ops = {
	.name = "gpccs",
	.base = GPCCS_BASE,
	.intr_bit = -1,
	.run = fecs_run,
};

static const struct hw_reg fecs_regs[] = {
	FALCON_REGS(FECS_BASE),
	FALCON_REGS(GPCCS_BASE),
	{ FECS_METHOD_DATA, "FECS_METHOD_DATA", 0, 0, 0, 0, "nouveau gf100_gr_fecs_bind_pointer", NULL,
	  NULL },
	{ FECS_METHOD_PUSH, "FECS_METHOD_PUSH", 0, 0, 0, 0, "nouveau gf100_gr_fecs_bind_pointer", NULL,
	  method_push },
	{ FECS_FS, "FECS_FS", 0, REG_RO, 0, 0, "nouveau gf100_gr_oneinit: GPCs 4:0, ROPs 20:16", fs_read,
	  NULL },
	{ FECS_CTXSW_RESET_CTL, "FECS_CTXSW_RESET_CTL", 0, 0, 0, 0, "nouveau gf100_gr_fecs_reset", NULL,
	  NULL },
	{ FECS_CTXSW_MAILBOX, "FECS_CTXSW_MAILBOX", 0, 0, NR_MAILBOXES, 4, "nouveau gf100_gr_fecs_ctrl_ctxsw",
	  NULL, NULL },
	{ FECS_CURRENT_CTX, "FECS_CURRENT_CTX", 0, 0, 0, 0,
	  "nouveau gf100_gr_ctxsw_inst, gf100_grctx_generate", current_ctx_read, current_ctx_write },
	{ FECS_NEW_CTX, "FECS_NEW_CTX", 0, 0, 0, 0, "nouveau gf100_grctx_generate", NULL, NULL },
	{ FECS_HOST_INT_STATUS, "FECS_HOST_INT_STATUS", 0, REG_RO, 0, 0, "nouveau gf100_gr_ctxctl_isr", NULL,
	  NULL },
	{ FECS_HOST_INT_ENABLE, "FECS_HOST_INT_ENABLE", 0, 0, 0, 0, "nouveau gp100_gr_init_fecs_exceptions",
	  NULL, NULL },
	{ GPC0_GPCCS_FS, "GPCCS_FS_GPC", 0, REG_RO, GR_MAX_GPCS, GPC_STRIDE, "nouveau gf100_gr_oneinit: TPCs",
	  gpccs_fs_read, NULL },
	{ GPC0_PPC_TPC_MASK, "GPC_PPC0_TPC_MASK", 0, REG_RO, GR_MAX_GPCS, GPC_STRIDE,
	  "nouveau gf100_gr_oneinit", ppc_mask_read, NULL },
	{ GPC0_PPC_TPC_MASK + 4, "GPC_PPC1_TPC_MASK", 0, REG_RO, GR_MAX_GPCS, GPC_STRIDE,
	  "nouveau gf100_gr_oneinit", ppc_mask_read, NULL },
	{ GPC0_PPC_TPC_MASK + 8, "GPC_PPC2_TPC_MASK", 0, REG_RO, GR_MAX_GPCS, GPC_STRIDE,
	  "nouveau gf100_gr_oneinit", ppc_mask_read, NULL },
	{ GPC0_SWDX_PES_MASK, "GPC_SWDX_PES_MASK", 0, REG_RO, GR_MAX_GPCS, GPC_STRIDE,
	  "nouveau gp102_gr_init_swdx_pes_mask", pes_mask_read, NULL },
};

static int fecs_init(struct gpu *gpu)
{
	unsigned int max = GR_MAX_GPCS * GR_MAX_TPCS_PER_GPC;

	if (gr_tpcs(gpu) <= max)
		return 0;
	gpu_log(gpu, 0, "this chip has %u SMs at most", max * gr_sms_per_tpc(gpu));
	return -EINVAL;
}

static void fecs_power_on(struct gpu *gpu)
{
	falcon_init(&gpu->units->fecs, &fecs_ops);
	falcon_init(&gpu->units->gpccs, &gpccs_ops);
}

const struct hw_block hw_fecs = {
	.name = "fecs",
	.regs = fecs_regs,
	.nr_regs = ARRAY_SIZE(fecs_regs),
	.init = fecs_init,
	.reset = fecs_power_on,
};
