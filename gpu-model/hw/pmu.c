// SPDX-License-Identifier: MIT
/*
 * PMU, the power management falcon: runs the VBIOS's devinit application
 * after a power loss, and the ACR's high-secure firmware (all of it on GP100,
 * the unload part on GP104).
 *
 * Sources: nouveau nvkm/subdev/pmu/{gm200,gp102}.c, nvkm/subdev/devinit/gm200.c.
 */
#include <string.h>

#include "hw/units.h"

enum {
	PMU_BASE = 0x10a000,
	PMU_ICD_CMD = PMU_BASE + 0x200,
	PMU_ICD_RDATA = PMU_BASE + 0x20c,
	PMU_NEW_INSTBLK = PMU_BASE + 0x480,
	PMU_QUEUE_HEAD = PMU_BASE + 0x4a0,
	PMU_QUEUE_TAIL = PMU_BASE + 0x4b0,
	PMU_MSGQ_HEAD = PMU_BASE + 0x4c8,
	PMU_MSGQ_TAIL = PMU_BASE + 0x4cc,
	PMU_DEBUG_INFO = PMU_BASE + 0xc08,
	PMU_TRANSCFG = PMU_BASE + 0xe00,
};

/* In-circuit debugger: "read special register CTXSTAT", as gm200_pmu_flcn_bind_stat() asks */
#define ICD_CMD_READ_STATUS 0x0000030eu

/* Mailbox 0 of devinit: the request and the answer in nouveau gm200_devinit_post() */
#define DEVINIT_REQUEST 0x00005000u
#define DEVINIT_DONE 0x00002000u

static void pmu_devinit(struct gpu *gpu, struct falcon *f)
{
	uint32_t answer = f->mailbox[0];

	if (answer & DEVINIT_REQUEST) {
		fuse_devinit_done(gpu);
		answer |= DEVINIT_DONE;
	}
	falcon_halt(gpu, f, answer);
}

static void pmu_run(struct gpu *gpu, struct falcon *f, const char *fw)
{
	if (fw && !strcmp(fw, STANDIN_DEVINIT))
		pmu_devinit(gpu, f);
	else if (fw && !strcmp(fw, STANDIN_BOOTLOADER))
		acr_run_hs(gpu, f);
	else
		falcon_halt(gpu, f, FALCON_MBOX_UNKNOWN_FIRMWARE);
}

static const struct falcon_ops pmu_ops = {
	.name = "pmu",
	.base = PMU_BASE,
	.intr_bit = PMC_BIT_PMU,
	.run = pmu_run,
};

static uint32_t icd_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return hw_get(gpu, PMU_ICD_CMD) == ICD_CMD_READ_STATUS ? gpu->units->pmu.bind_stat << 12 : 0;
}

static void instblk_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, reg->addr, val);
	falcon_bind(gpu, &gpu->units->pmu, val);
}

static const struct hw_reg pmu_regs[] = {
	FALCON_REGS(PMU_BASE),
	{ PMU_ICD_CMD, "PMU_ICD_CMD", 0, 0, 0, 0, "nouveau gm200_pmu_flcn_bind_stat", NULL, NULL },
	{ PMU_ICD_RDATA, "PMU_ICD_RDATA", 0, REG_RO, 0, 0, "nouveau gm200_pmu_flcn_bind_stat", icd_read,
	  NULL },
	{ PMU_NEW_INSTBLK, "PMU_NEW_INSTBLK", 0, 0, 0, 0, "nouveau gm200_pmu_flcn_bind_inst", NULL,
	  instblk_write },
	{ PMU_QUEUE_HEAD, "PMU_QUEUE_HEAD", 0, 0, 4, 4, "nouveau gm200_pmu_flcn", NULL, NULL },
	{ PMU_QUEUE_TAIL, "PMU_QUEUE_TAIL", 0, 0, 4, 4, "nouveau gm200_pmu_flcn", NULL, NULL },
	{ PMU_MSGQ_HEAD, "PMU_MSGQ_HEAD", 0, 0, 0, 0, "nouveau gm200_pmu_flcn", NULL, NULL },
	{ PMU_MSGQ_TAIL, "PMU_MSGQ_TAIL", 0, 0, 0, 0, "nouveau gm200_pmu_flcn", NULL, NULL },
	{ PMU_DEBUG_INFO, "PMU_DEBUG_INFO", 0, REG_RO, 0, 0,
	  "nouveau gm200_flcn_fw_signature: production keys", NULL, NULL },
	{ PMU_TRANSCFG, "PMU_FBIF_TRANSCFG", 0, 0, 5, 4, "nouveau gm200_pmu_flcn_bind_inst", NULL, NULL },
};

static void pmu_power_on(struct gpu *gpu)
{
	falcon_init(&gpu->units->pmu, &pmu_ops);
}

const struct hw_block hw_pmu = {
	.name = "pmu",
	.base = PMU_BASE,
	.size = 0x1000,
	.regs = pmu_regs,
	.nr_regs = ARRAY_SIZE(pmu_regs),
	.reset = pmu_power_on,
};
