/* SPDX-License-Identifier: MIT */
/*
 * Falcon: the small processor in front of several units.  Its memories, ports
 * and control registers are modelled, its instructions are not: a falcon that
 * is started looks up the name of the stand-in firmware (firmware/standin.h)
 * at its start address and does at once what the real one would have done.
 * Code that bears no such name halts the falcon at once, with an error in
 * mailbox 0.
 *
 * Sources: envytools, hw/falcon/ (registers, memory ports); nouveau
 * nvkm/falcon/{base,v1,gm200,gp102}.c.
 */
#ifndef HW_FALCON_H
#define HW_FALCON_H

#include "gpu.h"
#include "hw/block.h"
#include "hw/mmu.h"
#include "firmware/standin.h"

#define FALCON_IMEM_SIZE 0x8000u
#define FALCON_DMEM_SIZE 0x8000u
#define FALCON_EMEM_SIZE 0x2000u
#define FALCON_PAGE 0x100u	/* unit of IMEM tags */

struct falcon;

/**
 * struct falcon_ops - what differs from one falcon to another.
 * @run: do what the firmware named @fw does.  NULL @fw: the light-secure firmware that the
 *       ACR has loaded.  The falcon counts as running; call falcon_halt() when it ends.
 */
struct falcon_ops {
	const char *name;
	uint32_t base;
	int intr_bit;		/* PMC, -1: not routed */
	void (*run)(struct gpu *gpu, struct falcon *f, const char *fw);
};

struct falcon_port {
	uint32_t addr;		/* byte offset */
	bool inc_wr, inc_rd;
};

struct falcon {
	const struct falcon_ops *ops;
	uint8_t imem[FALCON_IMEM_SIZE], dmem[FALCON_DMEM_SIZE], emem[FALCON_EMEM_SIZE];
	uint16_t tag[FALCON_IMEM_SIZE / FALCON_PAGE];	/* virtual page that an IMEM page holds */
	bool tagged[FALCON_IMEM_SIZE / FALCON_PAGE];
	struct falcon_port imem_port, dmem_port, emem_port;
	uint16_t next_tag;
	uint32_t irqstat, irqmask, irqdest;
	uint32_t mailbox[2];
	bool halted, running;
	bool ls_loaded;		/* the ACR has put signed firmware into it */
	uint32_t bind_stat;	/* context bind state machine: 5 = valid, 0 = idle */
	bool bound;
	struct mmu_space space;	/* of the bound instance block */
};

/* Register offsets within a falcon */
enum {
	FALCON_IRQSSET = 0x000,
	FALCON_IRQSCLR = 0x004,
	FALCON_IRQSTAT = 0x008,
	FALCON_IRQMSET = 0x010,
	FALCON_IRQMCLR = 0x014,
	FALCON_IRQMASK = 0x018,
	FALCON_IRQDEST = 0x01c,
	FALCON_MAILBOX0 = 0x040,
	FALCON_MAILBOX1 = 0x044,
	FALCON_ITFEN = 0x048,
	FALCON_CTXBIND = 0x054,
	FALCON_CTXACK = 0x058,
	FALCON_RM = 0x084,
	FALCON_DEBUG1 = 0x090,
	FALCON_ENGCTL = 0x0a4,
	FALCON_CTXSTAT = 0x0dc,
	FALCON_CPUCTL = 0x100,
	FALCON_BOOTVEC = 0x104,
	FALCON_HWCFG = 0x108,
	FALCON_DMACTL = 0x10c,
	FALCON_HWCFG1 = 0x12c,
	FALCON_CPUCTL_ALIAS = 0x130,
	FALCON_IMEMC = 0x180,
	FALCON_IMEMD = 0x184,
	FALCON_IMEMT = 0x188,
	FALCON_DMEMC = 0x1c0,
	FALCON_DMEMD = 0x1c4,
	FALCON_ENGINE_RESET = 0x3c0,
	FALCON_EMEMC = 0xac0,
	FALCON_EMEMD = 0xac4,
};

/* CPUCTL */
#define FALCON_CPUCTL_STARTCPU BIT(1)
#define FALCON_CPUCTL_HALTED BIT(4)
#define FALCON_CPUCTL_ALIAS_EN BIT(6)
/* IRQSTAT */
#define FALCON_IRQ_CTX BIT(3)
#define FALCON_IRQ_HALT BIT(4)
#define FALCON_IRQ_SWGEN0 BIT(6)
/* Context bind status: envytools "CTX_STATUS"; nouveau gm200_flcn_bind_stat() waits for 5, then 0 */
#define FALCON_BIND_VALID 5u
/* Mailbox 0 of a falcon that was given code it has no model of */
#define FALCON_MBOX_UNKNOWN_FIRMWARE 0x0badc0deu

struct falcon *falcon_at(struct gpu *gpu, uint32_t addr);
void falcon_init(struct falcon *f, const struct falcon_ops *ops);
/* Engine reset: registers and memories lost (scrubbed). */
void falcon_reset(struct gpu *gpu, struct falcon *f);
void falcon_halt(struct gpu *gpu, struct falcon *f, uint32_t mailbox0);
void falcon_raise(struct gpu *gpu, struct falcon *f, uint32_t irq);
/* A write to one of the context-bind registers. */
void falcon_bind(struct gpu *gpu, struct falcon *f, uint32_t val);
/* Virtual memory of the bound instance.  Return: 0 or -EFAULT. */
int falcon_dma_read(struct gpu *gpu, struct falcon *f, uint64_t va, void *buf, size_t len);
uint32_t falcon_dmem_rd32(const struct falcon *f, uint32_t addr);
uint32_t falcon_emem_rd32(const struct falcon *f, uint32_t addr);
void falcon_emem_write(struct falcon *f, uint32_t addr, const void *buf, size_t len);
void falcon_start(struct gpu *gpu, struct falcon *f);

/* Callbacks of the registers in FALCON_REGS() */
uint32_t falcon_reg_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i);
void falcon_reg_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val);

#define FALCON_REG(base, off, name, reset, flags, source) \
	{ (base) + (off), name, reset, flags, 0, 0, source, falcon_reg_read, falcon_reg_write }

/* The registers that every falcon has. */
#define FALCON_REGS(base)                                                                           \
	FALCON_REG(base, FALCON_IRQSSET, "FALCON_IRQSSET", 0, 0, "envytools falcon/intr"),          \
	FALCON_REG(base, FALCON_IRQSCLR, "FALCON_IRQSCLR", 0, 0, "envytools falcon/intr"),          \
	FALCON_REG(base, FALCON_IRQSTAT, "FALCON_IRQSTAT", 0, REG_RO, "envytools falcon/intr"),     \
	FALCON_REG(base, FALCON_IRQMSET, "FALCON_IRQMSET", 0, 0, "envytools falcon/intr"),          \
	FALCON_REG(base, FALCON_IRQMCLR, "FALCON_IRQMCLR", 0, 0, "envytools falcon/intr"),          \
	FALCON_REG(base, FALCON_IRQMASK, "FALCON_IRQMASK", 0, REG_RO, "envytools falcon/intr"),     \
	FALCON_REG(base, FALCON_IRQDEST, "FALCON_IRQDEST", 0, 0, "envytools falcon/intr"),          \
	FALCON_REG(base, FALCON_MAILBOX0, "FALCON_MAILBOX0", 0, 0, "nouveau gm200_flcn_fw_boot"),   \
	FALCON_REG(base, FALCON_MAILBOX1, "FALCON_MAILBOX1", 0, 0, "nouveau gm200_flcn_fw_boot"),   \
	{ (base) + FALCON_ITFEN, "FALCON_ITFEN", 0, 0, 0, 0, "nouveau gm200_flcn_fw_load",          \
	  NULL, NULL },                                                                             \
	FALCON_REG(base, FALCON_CTXBIND, "FALCON_CTXBIND", 0, 0, "nouveau gm200_flcn_bind_inst"),   \
	FALCON_REG(base, FALCON_CTXACK, "FALCON_CTXACK", 0, 0, "nouveau gm200_flcn_fw_load"),       \
	FALCON_REG(base, FALCON_CTXSTAT, "FALCON_CTXSTAT", 0, REG_RO,                               \
		   "nouveau gm200_flcn_bind_stat"),                                                 \
	{ (base) + FALCON_RM, "FALCON_RM", 0, 0, 0, 0, "nouveau gm200_flcn_enable", NULL, NULL },      \
	{ (base) + FALCON_DEBUG1, "FALCON_DEBUG1", 0, 0, 0, 0, "nouveau gm200_flcn_bind_inst", NULL,    \
	  NULL },                                                                                   \
	{ (base) + FALCON_ENGCTL, "FALCON_ENGCTL", 0, 0, 0, 0, "nouveau gm200_flcn_bind_inst", NULL,    \
	  NULL },                                                                                   \
	FALCON_REG(base, FALCON_CPUCTL, "FALCON_CPUCTL", 0, 0, "envytools falcon/proc"),            \
	{ (base) + FALCON_BOOTVEC, "FALCON_BOOTVEC", 0, 0, 0, 0, "envytools falcon/proc", NULL,     \
	  NULL },                                                                                   \
	FALCON_REG(base, FALCON_HWCFG, "FALCON_HWCFG", 0, REG_RO, "nouveau nvkm_falcon_oneinit"),   \
	FALCON_REG(base, FALCON_DMACTL, "FALCON_DMACTL", 0, 0,                                      \
		   "nouveau gm200_flcn_reset_wait_mem_scrubbing"),                                  \
	FALCON_REG(base, FALCON_HWCFG1, "FALCON_HWCFG1", 0, REG_RO, "nouveau nvkm_falcon_oneinit"), \
	FALCON_REG(base, FALCON_CPUCTL_ALIAS, "FALCON_CPUCTL_ALIAS", 0, 0,                          \
		   "nouveau nvkm_falcon_v1_start"),                                                 \
	FALCON_REG(base, FALCON_IMEMC, "FALCON_IMEMC(0)", 0, 0, "envytools falcon/xfer"),           \
	FALCON_REG(base, FALCON_IMEMD, "FALCON_IMEMD(0)", 0, 0, "envytools falcon/xfer"),           \
	FALCON_REG(base, FALCON_IMEMT, "FALCON_IMEMT(0)", 0, 0, "envytools falcon/xfer"),           \
	FALCON_REG(base, FALCON_DMEMC, "FALCON_DMEMC(0)", 0, 0, "envytools falcon/xfer"),           \
	FALCON_REG(base, FALCON_DMEMD, "FALCON_DMEMD(0)", 0, 0, "envytools falcon/xfer"),           \
	FALCON_REG(base, FALCON_ENGINE_RESET, "FALCON_ENGINE_RESET", 0, 0,                          \
		   "nouveau gp102_flcn_reset_eng")

/* hw/acr.c: what the ACR's high-secure firmware does on the falcon @f that runs it. */
bool acr_load(struct gpu *gpu, struct falcon *f, uint64_t image, uint64_t data);
void acr_unload(struct gpu *gpu);
/* Put the firmware of falcon @id (LSF id) from the protected region into it.  Return: error code, 0 = good. */
uint32_t acr_bootstrap(struct gpu *gpu, uint32_t id);
/* Run the high-secure firmware behind a bootloader that was loaded by the host. */
void acr_run_hs(struct gpu *gpu, struct falcon *f);

#endif
