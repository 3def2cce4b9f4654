// SPDX-License-Identifier: MIT
/*
 * What all falcons have in common: memories and their ports, control,
 * interrupts, context binding.  See falcon.h.
 */
#include <string.h>

#include "hw/falcon.h"
#include "hw/mem.h"
#include "hw/units.h"

/* Size and capability registers, as nouveau nvkm_falcon_oneinit() takes them apart */
#define HWCFG_VALUE ((FALCON_IMEM_SIZE >> 8) | (FALCON_DMEM_SIZE >> 8) << 9)
/* version 6, secure mode 0, one port each for code and data */
#define HWCFG1_VALUE 0x1106u

/* Port control: byte address, auto-increment on write and read */
#define PORT_ADDR_MASK 0xfffffcu
#define PORT_AINCW BIT(24)
#define PORT_AINCR BIT(25)

struct falcon *falcon_at(struct gpu *gpu, uint32_t addr)
{
	struct hw_units *u = gpu->units;
	struct falcon *all[] = { &u->pmu, &u->sec2, &u->fecs, &u->gpccs };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i]->ops && (addr & ~0xfffu) == all[i]->ops->base)
			return all[i];
	}
	return NULL;
}

void falcon_init(struct falcon *f, const struct falcon_ops *ops)
{
	memset(f, 0, sizeof(*f));
	f->ops = ops;
	f->halted = true;
}

static void falcon_update_intr(struct gpu *gpu, struct falcon *f)
{
	uint32_t host = f->irqdest & ~(f->irqdest >> 16) & 0xffff;

	if (f->ops->intr_bit >= 0)
		pmc_intr_set(gpu, f->ops->intr_bit, f->irqstat & f->irqmask & host);
}

void falcon_reset(struct gpu *gpu, struct falcon *f)
{
	const struct falcon_ops *ops = f->ops;

	if (!ops)
		return;
	falcon_init(f, ops);
	hw_set(gpu, ops->base + FALCON_ITFEN, 0);
	hw_set(gpu, ops->base + FALCON_BOOTVEC, 0);
	falcon_update_intr(gpu, f);
}

void falcon_halt(struct gpu *gpu, struct falcon *f, uint32_t mailbox0)
{
	f->running = false;
	f->halted = true;
	f->mailbox[0] = mailbox0;
	falcon_raise(gpu, f, FALCON_IRQ_HALT);
}

void falcon_raise(struct gpu *gpu, struct falcon *f, uint32_t irq)
{
	f->irqstat |= irq;
	falcon_update_intr(gpu, f);
}

void falcon_bind(struct gpu *gpu, struct falcon *f, uint32_t val)
{
	/* Same fields in FALCON_CTXBIND and PMU's 480: nouveau gm200_flcn_bind_inst() */
	enum aperture ap = field(val, 29, 28);

	f->bound = (val & BIT(30)) && !mmu_space_load(gpu, ap, (uint64_t)field(val, 27, 0) << 12, &f->space);
	f->bind_stat = f->bound ? FALCON_BIND_VALID : 0;
	if (f->bound)
		falcon_raise(gpu, f, FALCON_IRQ_CTX);
	else
		gpu_log(gpu, 1, "%s: bad context bind %08x", f->ops->name, val);
}

int falcon_dma_read(struct gpu *gpu, struct falcon *f, uint64_t va, void *buf, size_t len)
{
	uint64_t fault_va = va;
	enum mmu_fault_type r;

	if (!f->bound) {
		gpu_log(gpu, 1, "%s: DMA without a context", f->ops->name);
		return -1;
	}
	r = mmu_read(gpu, &f->space, TLB_HUB, CLIENT_FECS, va, buf, len, &fault_va);
	if (r != MMU_OK)
		gpu_log(gpu, 1, "%s: DMA read of %#llx faults, type %d", f->ops->name,
			(unsigned long long)fault_va, r);
	return r == MMU_OK ? 0 : -1;
}

static uint32_t ram_rd32(const uint8_t *ram, size_t size, uint32_t addr)
{
	uint32_t v = 0;

	addr &= ~3u;
	if (addr + 4 <= size)
		memcpy(&v, ram + addr, 4);
	return v;
}

static void ram_wr32(uint8_t *ram, size_t size, uint32_t addr, uint32_t v)
{
	addr &= ~3u;
	if (addr + 4 <= size)
		memcpy(ram + addr, &v, 4);
}

uint32_t falcon_dmem_rd32(const struct falcon *f, uint32_t addr)
{
	return ram_rd32(f->dmem, sizeof(f->dmem), addr);
}

uint32_t falcon_emem_rd32(const struct falcon *f, uint32_t addr)
{
	return ram_rd32(f->emem, sizeof(f->emem), addr);
}

void falcon_emem_write(struct falcon *f, uint32_t addr, const void *buf, size_t len)
{
	if (addr < sizeof(f->emem) && len <= sizeof(f->emem) - addr)
		memcpy(f->emem + addr, buf, len);
}

/* Name of the code at virtual address @vec of IMEM, NULL when the page holds none. */
static const char *falcon_code_name(const struct falcon *f, uint32_t vec)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->tag); i++) {
		const char *s = (const char *)f->imem + i * FALCON_PAGE + vec % FALCON_PAGE;

		if (f->tagged[i] && f->tag[i] == (uint16_t)(vec / FALCON_PAGE) &&
		    vec % FALCON_PAGE + STANDIN_NAME_SIZE <= FALCON_PAGE)
			return s[STANDIN_NAME_SIZE - 1] == '\0' ? s : NULL;
	}
	return NULL;
}

void falcon_start(struct gpu *gpu, struct falcon *f)
{
	const char *name = falcon_code_name(f, hw_get(gpu, f->ops->base + FALCON_BOOTVEC));

	if (f->running)
		return;
	f->running = true;
	f->halted = false;
	if (!name && !f->ls_loaded) {
		gpu_log(gpu, 1, "%s: started without firmware that the model knows", f->ops->name);
		falcon_halt(gpu, f, FALCON_MBOX_UNKNOWN_FIRMWARE);
		return;
	}
	gpu_log(gpu, 1, "%s: runs %s", f->ops->name, name ? name : "what the ACR loaded");
	f->ops->run(gpu, f, name);
}

static uint32_t port_control(const struct falcon_port *p)
{
	return p->addr | (p->inc_wr ? PORT_AINCW : 0) | (p->inc_rd ? PORT_AINCR : 0);
}

static void port_set(struct falcon_port *p, uint32_t val)
{
	p->addr = val & PORT_ADDR_MASK;
	p->inc_wr = val & PORT_AINCW;
	p->inc_rd = val & PORT_AINCR;
}

static uint32_t port_read(struct falcon_port *p, const uint8_t *ram, size_t size)
{
	uint32_t v = ram_rd32(ram, size, p->addr);

	if (p->inc_rd)
		p->addr = (p->addr + 4) & PORT_ADDR_MASK;
	return v;
}

static void port_write(struct falcon_port *p, uint8_t *ram, size_t size, uint32_t val)
{
	ram_wr32(ram, size, p->addr, val);
	if (p->inc_wr)
		p->addr = (p->addr + 4) & PORT_ADDR_MASK;
}

static void imem_write(struct falcon *f, uint32_t val)
{
	uint32_t page = f->imem_port.addr / FALCON_PAGE;

	if (page < ARRAY_SIZE(f->tag) && f->imem_port.addr % FALCON_PAGE == 0) {
		f->tag[page] = f->next_tag;
		f->tagged[page] = true;
	}
	port_write(&f->imem_port, f->imem, sizeof(f->imem), val);
}

uint32_t falcon_reg_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	struct falcon *f = falcon_at(gpu, reg->addr);

	if (!f)
		return 0;
	switch (reg->addr & 0xfff) {
	case FALCON_IRQSTAT:
		return f->irqstat;
	case FALCON_IRQMASK:
		return f->irqmask;
	case FALCON_IRQDEST:
		return f->irqdest;
	case FALCON_MAILBOX0:
		return f->mailbox[0];
	case FALCON_MAILBOX1:
		return f->mailbox[1];
	case FALCON_CTXSTAT:
		return f->bind_stat << 12;
	case FALCON_CPUCTL:
		return (f->halted ? FALCON_CPUCTL_HALTED : 0) | (f->ls_loaded ? FALCON_CPUCTL_ALIAS_EN : 0);
	case FALCON_HWCFG:
		return HWCFG_VALUE;
	case FALCON_HWCFG1:
		return HWCFG1_VALUE;
	case FALCON_IMEMC:
		return port_control(&f->imem_port);
	case FALCON_IMEMD:
		return port_read(&f->imem_port, f->imem, sizeof(f->imem));
	case FALCON_DMEMC:
		return port_control(&f->dmem_port);
	case FALCON_DMEMD:
		return port_read(&f->dmem_port, f->dmem, sizeof(f->dmem));
	case FALCON_EMEMC:
		return port_control(&f->emem_port);
	case FALCON_EMEMD:
		return port_read(&f->emem_port, f->emem, sizeof(f->emem));
	case FALCON_ENGINE_RESET:
		return hw_get(gpu, reg->addr);
	default: /* triggers; DMACTL: scrubbing is done at once */
		return 0;
	}
}

void falcon_reg_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct falcon *f = falcon_at(gpu, reg->addr);

	if (!f)
		return;
	switch (reg->addr & 0xfff) {
	case FALCON_IRQSSET:
		falcon_raise(gpu, f, val);
		break;
	case FALCON_IRQSCLR:
		f->irqstat &= ~val;
		falcon_update_intr(gpu, f);
		break;
	case FALCON_IRQMSET:
		f->irqmask |= val;
		falcon_update_intr(gpu, f);
		break;
	case FALCON_IRQMCLR:
		f->irqmask &= ~val;
		falcon_update_intr(gpu, f);
		break;
	case FALCON_IRQDEST:
		f->irqdest = val;
		falcon_update_intr(gpu, f);
		break;
	case FALCON_MAILBOX0:
		f->mailbox[0] = val;
		break;
	case FALCON_MAILBOX1:
		f->mailbox[1] = val;
		break;
	case FALCON_CTXBIND:
		falcon_bind(gpu, f, val);
		break;
	case FALCON_CTXACK:
		if (val & BIT(1))
			f->bind_stat = 0;
		break;
	case FALCON_CPUCTL:
		if (val & FALCON_CPUCTL_STARTCPU)
			falcon_start(gpu, f);
		break;
	case FALCON_CPUCTL_ALIAS:
		if ((val & FALCON_CPUCTL_STARTCPU) && f->ls_loaded)
			falcon_start(gpu, f);
		break;
	case FALCON_IMEMC:
		port_set(&f->imem_port, val);
		break;
	case FALCON_IMEMD:
		imem_write(f, val);
		break;
	case FALCON_IMEMT:
		f->next_tag = val;
		break;
	case FALCON_DMEMC:
		port_set(&f->dmem_port, val);
		break;
	case FALCON_DMEMD:
		port_write(&f->dmem_port, f->dmem, sizeof(f->dmem), val);
		break;
	case FALCON_EMEMC:
		port_set(&f->emem_port, val);
		break;
	case FALCON_EMEMD:
		port_write(&f->emem_port, f->emem, sizeof(f->emem), val);
		break;
	case FALCON_ENGINE_RESET:
		if (val & BIT(0))
			falcon_reset(gpu, f);
		hw_set(gpu, reg->addr, val & BIT(0));
		break;
	default:
		break;
	}
}
