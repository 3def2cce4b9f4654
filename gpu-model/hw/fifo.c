// SPDX-License-Identifier: MIT
/*
 * PFIFO: the registers of the host interface, the channel RAM (PCCSR), USERD
 * doorbells, interrupts, and the step that drives runlists and engines.
 *
 * Owns struct fifo with all channels, and the live copies of the engines that
 * hw/ptop.c lists.  Scheduling is hw/runlist.c's, GPFIFO and methods are
 * hw/pbdma.c's, what engines do with methods is hw/ce.c's and hw/gr.c's.
 *
 * Lock order: everything here runs under gpu->lock and takes nothing inside
 * it, but gr.c takes gpu->sm_gate.
 *
 * Sources: NVIDIA open-gpu-doc manuals/volta/gv100/dev_fifo.ref.txt (the
 * nearest public manual; Pascal's layout where nouveau differs), nouveau
 * nvkm/engine/fifo/{gf100,gk104,gk110,gm107,gm200,gp100}.c.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/fifo_priv.h"
#include "hw/fault.h"
#include "hw/units.h"
#include "ledger/ledger.h"

#define PFIFO_CFG0 0x002004
#define PFIFO_CFG1 0x002008
#define PFIFO_INTR_0 0x002100
#define PFIFO_INTR_EN_0 0x002140
#define PFIFO_USERD_BASE 0x002254
#define PFIFO_RUNLIST_BASE 0x002270
#define PFIFO_RUNLIST 0x002274
#define PFIFO_ENG_RUNLIST_BASE 0x002280
#define PFIFO_ENG_RUNLIST 0x002284
#define PFIFO_PBDMA_MAP 0x002390
#define PFIFO_BIND_ERROR 0x00252c
#define PFIFO_SCHED_ERROR 0x00254c
#define PFIFO_CHSW_ERROR 0x00256c
#define PFIFO_MMU_FAULT 0x00259c
#define PFIFO_PBDMA_INTR 0x0025a0
#define PFIFO_FAULT_CLEAR 0x00262c
#define PFIFO_SCHED_DISABLE 0x002630
#define PFIFO_PREEMPT 0x002634
#define PFIFO_ENGINE_STATUS 0x002640
#define PFIFO_RUNLIST_EVENT 0x002a00
#define PFIFO_FB_TIMEOUT 0x002a04
#define PFIFO_PB_TIMEOUT 0x002a08
#define PFIFO_ENG_TIMEOUT 0x002a0c
#define PFIFO_FAULT_TRIGGER 0x002a30
#define PCCSR_CHANNEL_INST 0x800000
#define PCCSR_CHANNEL 0x800004

#define USERD_STRIDE 0x200u	/* NV_RAMUSERD_CHAN_SIZE */
#define USERD_GP_PUT 0x8cu	/* NV_RAMUSERD_GP_PUT */

struct channel *fifo_channel(struct gpu *gpu, unsigned int id)
{
	return id < FIFO_CHANNELS && gpu->fifo ? gpu->fifo->chan[id] : NULL;
}

struct channel *fifo_channel_by_inst(struct gpu *gpu, uint64_t inst)
{
	for (unsigned int i = 0; i < FIFO_CHANNELS; i++) {
		struct channel *ch = gpu->fifo->chan[i];

		if (ch && ch->bound && ch->space.inst == inst)
			return ch;
	}
	return NULL;
}

static struct channel *fifo_channel_get(struct gpu *gpu, unsigned int id)
{
	struct fifo *f = gpu->fifo;

	if (!f->chan[id]) {
		f->chan[id] = calloc(1, sizeof(*f->chan[id]));
		if (f->chan[id])
			f->chan[id]->id = id;
	}
	return f->chan[id];
}

struct engine *fifo_engine(struct gpu *gpu, unsigned int id)
{
	for (unsigned int i = 0; i < gpu->fifo->nr_engines; i++)
		if (gpu->fifo->engine[i].id == id)
			return &gpu->fifo->engine[i];
	return NULL;
}

bool fifo_same_context(const struct channel *a, const struct channel *b)
{
	if (a == b)
		return true;
	return a && b && a->in_tsg && b->in_tsg && a->runlist == b->runlist && a->tsg == b->tsg;
}

/* Interrupts */

static uint32_t fifo_pbdma_intr(const struct fifo *f)
{
	uint32_t m = 0;

	for (unsigned int i = 0; i < f->nr_runlists; i++)
		if ((f->pbdma[i].intr & f->pbdma[i].intr_en) ||
		    (f->pbdma[i].hce_intr & f->pbdma[i].hce_intr_en))
			m |= BIT(i);
	return m;
}

static uint32_t fifo_intr_raw(const struct fifo *f)
{
	uint32_t v = f->intr;

	if (f->mmu_fault)
		v |= PFIFO_INTR_MMU_FAULT;
	if (fifo_pbdma_intr(f))
		v |= PFIFO_INTR_PBDMA;
	if (f->runlist_event)
		v |= PFIFO_INTR_RUNLIST;
	return v;
}

void fifo_intr_update(struct gpu *gpu)
{
	pmc_intr_set(gpu, PMC_BIT_FIFO, (fifo_intr_raw(gpu->fifo) & gpu->fifo->intr_en) != 0);
}

/**
 * fifo_nonstall() - non-stall interrupt: NV_PFIFO_INTR_0_CHANNEL_INTR, one bit for the whole host.
 * @e: the engine that asked, NULL for a host method.
 * Context: gpu->lock held.
 */
void fifo_nonstall(struct gpu *gpu, struct engine *e)
{
	LEDGER(gpu, nonstall_intr);
	gpu->fifo->intr |= PFIFO_INTR_CHANNEL;
	fifo_intr_update(gpu);
	/* each request is an event of its own, also when the bit is set already */
	pmc_intr_update(gpu);
}

void fifo_mmu_fault(struct gpu *gpu, unsigned int unit)
{
	gpu->fifo->mmu_fault |= BIT(unit & 31);
	fifo_intr_update(gpu);
	pmc_intr_update(gpu);
}

void fifo_sched_error(struct gpu *gpu, uint32_t code)
{
	hw_set(gpu, PFIFO_SCHED_ERROR, code);
	gpu->fifo->intr |= PFIFO_INTR_SCHED_ERROR;
	fifo_intr_update(gpu);
}

static void fifo_bind_error(struct gpu *gpu, uint32_t code)
{
	hw_set(gpu, PFIFO_BIND_ERROR, code);
	gpu->fifo->intr |= PFIFO_INTR_BIND_ERROR;
	fifo_intr_update(gpu);
}

/**
 * fifo_channel_fault() - stop @ch until software resets it.
 * An engine on which it is resident freezes with it, as hardware does, until its reset or
 * until 00262c is written for the runlist.
 * Context: gpu->lock held.
 */
void fifo_channel_fault(struct gpu *gpu, struct channel *ch)
{
	struct fifo *f = gpu->fifo;

	if (!ch->faulted)
		LEDGER(gpu, channel_reset);
	ch->faulted = true;
	for (unsigned int i = 0; i < f->nr_engines; i++) {
		struct engine *e = &f->engine[i];

		if (e->next == ch)
			e->next = NULL;
	}
	gpu_kick(gpu);
}

void fifo_hub_fault(struct gpu *gpu, struct channel *ch, unsigned int engine, unsigned int client,
		    uint64_t va, enum mmu_access access, enum mmu_fault_type type)
{
	struct mmu_fault mf = {
		.inst = ch->space.inst,
		.inst_ap = ch->space.inst_ap,
		.va = va & ~0xfffull,
		.access = access,
		.type = type,
		.client = client,
		.hub = true,
		.engine = engine,
	};

	gpu_log(gpu, 1, "channel %u: fatal fault at %#llx, engine %#x client %#x type %#x access %u", ch->id,
		(unsigned long long)va, engine, client, type, access);
	fault_post_fatal(gpu, &mf);
	for (unsigned int i = 0; i < gpu->fifo->nr_engines; i++) {
		struct engine *e = &gpu->fifo->engine[i];

		if (e->fault_id == engine && e->resident && fifo_same_context(e->resident, ch))
			e->faulted = true;
	}
	if (engine >= FIFO_FAULT_HOST0 && engine < FIFO_FAULT_HOST0 + FIFO_MAX_PBDMAS)
		ch->pbdma_faulted = true;
	else
		ch->eng_faulted = true;
	fifo_channel_fault(gpu, ch);
}

uint64_t fifo_timestamp(struct gpu *gpu)
{
	/* PTIMER's low five bits are zero */
	return (gpu_now(gpu) + (uint64_t)gpu->units->ptimer.offset) & ~31ull;
}

bool fifo_has_work(const struct channel *ch)
{
	return ch->m_valid || ch->mthd_count || ch->pb_get < ch->pb_end || ch->gp_get != ch->gp_put;
}

/* Doorbells */

static struct channel *fifo_userd_channel(struct gpu *gpu, uint64_t bar1_addr, uint32_t *off)
{
	uint32_t base = hw_get(gpu, PFIFO_USERD_BASE);
	uint64_t start = (uint64_t)field(base, 27, 0) << 12;
	uint64_t id;

	/* bit 28: USERD at BAR1 is on (nouveau gk104_fifo_init) */
	if (!(base & BIT(28)) || bar1_addr < start)
		return NULL;
	id = (bar1_addr - start) / USERD_STRIDE;
	if (id >= FIFO_USABLE_CHANNELS)
		return NULL;
	*off = (bar1_addr - start) % USERD_STRIDE;
	return fifo_channel(gpu, id);
}

/**
 * fifo_userd_write() - BAR1 write into USERD: GP_PUT is a doorbell.
 * Return: true when it was a bound channel's; the memory behind USERD has been written then.
 */
bool fifo_userd_write(struct gpu *gpu, uint64_t bar1_addr, uint32_t val)
{
	uint32_t off;
	struct channel *ch = fifo_userd_channel(gpu, bar1_addr, &off);

	if (!ch || !ch->bound)
		return false;
	mem_wr32(gpu, CLIENT_BAR, ch->userd_ap, ch->userd + off, val);
	if (off == USERD_GP_PUT) {
		LEDGER(gpu, doorbell);
		if (ch->loaded)
			ch->gp_put = val;
		ch->kicked = true;
		gpu_kick(gpu);
	}
	return true;
}

bool fifo_userd_read(struct gpu *gpu, uint64_t bar1_addr, uint32_t *val)
{
	uint32_t off;
	struct channel *ch = fifo_userd_channel(gpu, bar1_addr, &off);

	if (!ch || !ch->bound)
		return false;
	*val = mem_rd32(gpu, CLIENT_BAR, ch->userd_ap, ch->userd + off);
	return true;
}

/* PCCSR: channel RAM */

static void fifo_channel_forget(struct channel *ch)
{
	struct channel keep = { .id = ch->id };

	*ch = keep;
}

static void fifo_unbind(struct gpu *gpu, struct channel *ch)
{
	struct fifo *f = gpu->fifo;

	for (unsigned int i = 0; i < f->nr_engines; i++) {
		struct engine *e = &f->engine[i];

		if (e->next == ch)
			e->next = NULL;
		if (e->resident != ch)
			continue;
		if (e->faulted || !e->ops->save(gpu, e, ch)) {
			gpu_log(gpu, 0, "channel %u unbound while resident on %s", ch->id, e->name);
			/* NV_PFIFO_INTR_BIND_ERROR_CODE_UNBIND_WHILE_RUNNING */
			if (!e->faulted)
				fifo_bind_error(gpu, 3);
			e->ops->reset(gpu, e);
			e->faulted = false;
		}
		e->resident = NULL;
		e->unloading = false;
	}
	runlist_unload(gpu, ch);
	fifo_channel_forget(ch);
}

static void fifo_bind(struct gpu *gpu, struct channel *ch, uint32_t val)
{
	/* NV_PCCSR_CHANNEL_INST_TARGET, PTR */
	static const enum aperture target[4] = { AP_VRAM, AP_INVALID, AP_SYS_COH, AP_SYS_NCOH };
	enum aperture ap = target[field(val, 29, 28)];
	uint64_t inst = (uint64_t)field(val, 27, 0) << 12;
	uint8_t ud[8];
	uint64_t userd;

	if (ch->bound)
		fifo_unbind(gpu, ch);
	if (ap == AP_INVALID || mmu_space_load(gpu, ap, inst, &ch->space) ||
	    mem_read(gpu, CLIENT_HOST, ap, inst + 8, ud, sizeof(ud))) {
		fifo_bind_error(gpu, 6);	/* INVALID_CTX_TGT */
		return;
	}
	ch->space.inst = inst;
	ch->space.inst_ap = ap;
	ch->bound = true;
	ch->kicked = true;
	/* RAMFC_USERD, needed for the doorbell before the channel is first loaded */
	memcpy(&userd, ud, 8);
	ch->userd_ap = target[userd & 3] == AP_INVALID ? AP_VRAM : target[userd & 3];
	ch->userd = userd & 0xfffffffe00ull;
	for (unsigned int r = 0; r < FIFO_MAX_RUNLISTS; r++)
		for (unsigned int i = 0; i < gpu->fifo->rl[r].n; i++)
			if (gpu->fifo->rl[r].entries[i].chid == ch->id) {
				ch->listed = true;
				ch->runlist = r;
				ch->tsg = gpu->fifo->rl[r].entries[i].tsg;
				ch->in_tsg = gpu->fifo->rl[r].entries[i].in_tsg;
			}
	gpu_kick(gpu);
}

static void pccsr_inst_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct channel *ch = fifo_channel_get(gpu, i);

	hw_set(gpu, reg->addr + i * reg->stride, val);
	if (!ch)
		return;
	if (val & BIT(31))	/* BIND */
		fifo_bind(gpu, ch, val);
	else if (ch->bound)
		fifo_unbind(gpu, ch);
}

static uint32_t pccsr_channel_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	const struct channel *ch = fifo_channel(gpu, i);
	uint32_t v;

	if (!ch)
		return 0;
	v = ch->enabled ? BIT(0) : 0;
	v |= (uint32_t)ch->runlist << 16;	/* nouveau gk104_chan_bind() */
	if (ch->pbdma_faulted)
		v |= BIT(22);
	if (ch->eng_faulted)
		v |= BIT(23);
	/* STATUS: pending (1) while it has work, else idle */
	if (ch->bound && ch->enabled && (ch->kicked || fifo_has_work(ch)))
		v |= 1u << 24;
	return v;
}

static void pccsr_channel_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct channel *ch = fifo_channel_get(gpu, i);

	if (!ch)
		return;
	if (val & BIT(10))	/* ENABLE_SET */
		ch->enabled = true;
	if (val & BIT(11))	/* ENABLE_CLR */
		ch->enabled = false;
	if (val & BIT(22))
		ch->pbdma_faulted = false;
	if (val & BIT(23))
		ch->eng_faulted = false;
	ch->kicked = true;
	gpu_kick(gpu);
}

static const struct hw_reg pccsr_regs[] = {
	{ .addr = PCCSR_CHANNEL_INST, .name = "NV_PCCSR_CHANNEL_INST", .count = FIFO_CHANNELS, .stride = 8,
	  .source = "gv100 dev_fifo; nouveau gk104_chan_bind_inst()", .write = pccsr_inst_write },
	{ .addr = PCCSR_CHANNEL, .name = "NV_PCCSR_CHANNEL", .count = FIFO_CHANNELS, .stride = 8,
	  .source = "gv100 dev_fifo; nouveau gk104_chan_start()", .read = pccsr_channel_read,
	  .write = pccsr_channel_write },
};

const struct hw_block hw_pccsr = {
	.name = "PCCSR",
	.base = 0x800000,
	.size = FIFO_CHANNELS * 8,
	.regs = pccsr_regs,
	.nr_regs = ARRAY_SIZE(pccsr_regs),
};

/* PFIFO registers */

static uint32_t pfifo_cfg0_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gpu->fifo->nr_runlists;	/* NUM_PBDMA */
}

static uint32_t pfifo_pbdma_map_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return i < gpu->fifo->nr_runlists && gpu->fifo->rl[i].present ? BIT(i) : 0;
}

static uint32_t pfifo_intr_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return fifo_intr_raw(gpu->fifo);
}

static void pfifo_intr_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	gpu->fifo->intr &= ~val;
	fifo_intr_update(gpu);
}

static uint32_t pfifo_intr_en_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gpu->fifo->intr_en;
}

static void pfifo_intr_en_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	gpu->fifo->intr_en = val;
	fifo_intr_update(gpu);
	pmc_intr_update(gpu);
}

static void pfifo_runlist_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	static const enum aperture target[4] = { AP_VRAM, AP_INVALID, AP_SYS_COH, AP_SYS_NCOH };
	uint32_t base = hw_get(gpu, PFIFO_RUNLIST_BASE);
	unsigned int id = field(val, 23, 20);

	hw_set(gpu, PFIFO_RUNLIST, val);
	if (id >= FIFO_MAX_RUNLISTS || !gpu->fifo->rl[id].present) {
		gpu_log(gpu, 0, "runlist %u submitted, there is none", id);
		return;
	}
	hw_set(gpu, PFIFO_ENG_RUNLIST_BASE + id * 8, base);
	hw_set(gpu, PFIFO_ENG_RUNLIST + id * 8, field(val, 15, 0));
	runlist_submit(gpu, id, target[field(base, 29, 28)], (uint64_t)field(base, 27, 0) << 12,
		       field(val, 15, 0));
}

static uint32_t pfifo_mmu_fault_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gpu->fifo->mmu_fault;
}

static void pfifo_mmu_fault_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	gpu->fifo->mmu_fault &= ~val;
	fault_fatal_acked(gpu, val);
	fifo_intr_update(gpu);
}

static uint32_t pfifo_pbdma_intr_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return fifo_pbdma_intr(gpu->fifo);
}

static void pfifo_sched_disable_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, PFIFO_SCHED_DISABLE, val);
	gpu_kick(gpu);
}

/* Software has dealt with the fault: engines of these runlists may go on. */
static void pfifo_fault_clear_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct fifo *f = gpu->fifo;

	for (unsigned int j = 0; j < f->nr_engines; j++) {
		struct engine *e = &f->engine[j];

		if (!(val & BIT(e->runlist)) || !e->faulted)
			continue;
		/* not reset: what the dead channel left is thrown away */
		e->ops->reset(gpu, e);
		e->resident = NULL;
		e->faulted = false;
		e->unloading = false;
	}
	gpu_kick(gpu);
}

static uint32_t pfifo_preempt_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	const struct fifo *f = gpu->fifo;

	/* ID, PENDING, TYPE */
	return f->preempt_id | (f->preempt_pending ? BIT(20) : 0) | (f->preempt_is_tsg ? BIT(24) : 0);
}

static void pfifo_preempt_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct fifo *f = gpu->fifo;

	f->preempt_id = field(val, 11, 0);
	f->preempt_is_tsg = field(val, 25, 24) == 1;
	f->preempt_pending = true;
	runlist_preempt_try(gpu);
	gpu_kick(gpu);
}

static uint32_t engine_context(const struct channel *ch)
{
	return ch->in_tsg ? BIT(12) | ch->tsg : ch->id;
}

static uint32_t pfifo_engine_status_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	struct engine *e = fifo_engine(gpu, i);
	uint32_t v = 0;

	if (!e)
		return 0;
	if (e->resident)
		v |= engine_context(e->resident);
	if (e->next)
		v |= engine_context(e->next) << 16;
	/* CTX_STATUS */
	if (e->next && e->resident)
		v |= 7u << 13;	/* CTXSW_SWITCH */
	else if (e->next)
		v |= 5u << 13;	/* CTXSW_LOAD */
	else if (e->resident && e->unloading)
		v |= 6u << 13;	/* CTXSW_SAVE */
	else if (e->resident)
		v |= 1u << 13;	/* VALID */
	if (e->faulted)
		v |= BIT(30);
	if (e->next || e->unloading || e->faulted || !e->ops->idle(gpu, e))
		v |= BIT(31);
	return v;
}

static void pfifo_fault_trigger_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct engine *e = fifo_engine(gpu, i);

	hw_set(gpu, reg->addr + i * reg->stride, val);
	if (!(val & BIT(8)))
		return;
	if (e && e->resident) {
		e->faulted = true;
		e->resident->eng_faulted = true;
		fifo_channel_fault(gpu, e->resident);
	}
	fifo_mmu_fault(gpu, field(val, 4, 0));
}

static uint32_t pfifo_runlist_event_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gpu->fifo->runlist_event;
}

static void pfifo_runlist_event_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	gpu->fifo->runlist_event &= ~val;
	fifo_intr_update(gpu);
}

static const struct hw_reg fifo_regs[] = {
    {.addr = PFIFO_CFG0,
     .name = "NV_PFIFO_CFG0",
     .flags = REG_RO,
     .source = "gv100 dev_fifo; nouveau gm200_fifo_runq_nr()",
     .read = pfifo_cfg0_read},
    {.addr = PFIFO_CFG1,
     .name = "NV_PFIFO_CFG1",
     .flags = REG_RO,
     .reset = FIFO_USABLE_CHANNELS,
     .source = "gv100 dev_fifo; nouveau gm200_fifo_chid_nr()"},
    {.addr = PFIFO_INTR_0,
     .name = "NV_PFIFO_INTR_0",
     .source = "gv100 dev_fifo; nouveau gk104_fifo_intr()",
     .read = pfifo_intr_read,
     .write = pfifo_intr_write},
    {.addr = PFIFO_INTR_EN_0,
     .name = "NV_PFIFO_INTR_EN_0",
     .source = "gv100 dev_fifo",
     .read = pfifo_intr_en_read,
     .write = pfifo_intr_en_write},
    {.addr = PFIFO_USERD_BASE, .name = "PFIFO_USERD_BASE", .source = "nouveau gk104_fifo_init()"},
    {.addr = PFIFO_RUNLIST_BASE, .name = "NV_PFIFO_RUNLIST_BASE", .source = "gv100 dev_fifo"},
    {.addr = PFIFO_RUNLIST,
     .name = "NV_PFIFO_RUNLIST",
     .source = "gv100 dev_fifo; nouveau gk104_runl_commit()",
     .write = pfifo_runlist_write},
    {.addr = PFIFO_ENG_RUNLIST_BASE,
     .name = "NV_PFIFO_ENG_RUNLIST_BASE",
     .flags = REG_RO,
     .count = FIFO_MAX_RUNLISTS,
     .stride = 8,
     .source = "gv100 dev_fifo"},
    {.addr = PFIFO_ENG_RUNLIST,
     .name = "NV_PFIFO_ENG_RUNLIST",
     .flags = REG_RO,
     .count = FIFO_MAX_RUNLISTS,
     .stride = 8,
     .source = "gv100 dev_fifo; nouveau gk104_runl_pending()"},
    {.addr = PFIFO_PBDMA_MAP,
     .name = "NV_PFIFO_PBDMA_MAP",
     .flags = REG_RO,
     .count = FIFO_MAX_PBDMAS,
     .stride = 4,
     .source = "gv100 dev_fifo; nouveau gk104_runq_runm()",
     .read = pfifo_pbdma_map_read},
    {.addr = PFIFO_BIND_ERROR,
     .name = "NV_PFIFO_INTR_BIND_ERROR",
     .flags = REG_RO,
     .source = "gv100 dev_fifo"},
    {.addr = PFIFO_SCHED_ERROR,
     .name = "NV_PFIFO_INTR_SCHED_ERROR",
     .flags = REG_RO,
     .source = "gv100 dev_fifo; nouveau gf100_fifo_intr_sched()"},
    {.addr = PFIFO_CHSW_ERROR,
     .name = "NV_PFIFO_INTR_CHSW_ERROR",
     .flags = REG_W1C,
     .source = "gv100 dev_fifo"},
    {.addr = PFIFO_MMU_FAULT,
     .name = "PFIFO_MMU_FAULT",
     .source = "nouveau gf100_fifo_intr_mmu_fault()",
     .read = pfifo_mmu_fault_read,
     .write = pfifo_mmu_fault_write},
    {.addr = PFIFO_PBDMA_INTR,
     .name = "PFIFO_PBDMA_INTR",
     .flags = REG_RO,
     .source = "nouveau gf100_fifo_intr_pbdma()",
     .read = pfifo_pbdma_intr_read},
    {.addr = PFIFO_FAULT_CLEAR,
     .name = "PFIFO_FAULT_CLEAR",
     .source = "nouveau gk104_runl_fault_clear()",
     .write = pfifo_fault_clear_write},
    {.addr = PFIFO_SCHED_DISABLE,
     .name = "NV_PFIFO_SCHED_DISABLE",
     .source = "gv100 dev_fifo; nouveau gk104_runl_block()",
     .write = pfifo_sched_disable_write},
    {.addr = PFIFO_PREEMPT,
     .name = "NV_PFIFO_PREEMPT",
     .source = "gv100 dev_fifo; nouveau gk110_cgrp_preempt()",
     .read = pfifo_preempt_read,
     .write = pfifo_preempt_write},
    {.addr = PFIFO_ENGINE_STATUS,
     .name = "NV_PFIFO_ENGINE_STATUS",
     .flags = REG_RO,
     .count = FIFO_MAX_ENGINES,
     .stride = 8,
     .source = "gv100 dev_fifo; nouveau gk104_engn_status()",
     .read = pfifo_engine_status_read},
};

static const struct hw_reg fifo_sched_regs[] = {
	{ .addr = PFIFO_RUNLIST_EVENT, .name = "PFIFO_RUNLIST_EVENT", .source = "nouveau gk104_fifo_intr_runlist()",
	  .read = pfifo_runlist_event_read, .write = pfifo_runlist_event_write },
	{ .addr = PFIFO_FB_TIMEOUT, .name = "PFIFO_FB_TIMEOUT", .source = "nouveau gk104_fifo_init_pbdmas()" },
	{ .addr = PFIFO_PB_TIMEOUT, .name = "PFIFO_PB_TIMEOUT", .source = "nvgpu hw_fifo_gp10b.h" },
	{ .addr = PFIFO_ENG_TIMEOUT, .name = "NV_PFIFO_ENG_TIMEOUT", .reset = 0x803fffff, .source = "gv100 dev_fifo" },
	{ .addr = PFIFO_FAULT_TRIGGER, .name = "PFIFO_FAULT_TRIGGER", .count = FIFO_MAX_ENGINES, .stride = 4,
	  .source = "nouveau gf100_engn_mmu_fault_trigger()", .write = pfifo_fault_trigger_write },
};

static uint32_t pbdma_read(struct gpu *gpu, uint32_t addr, bool *known)
{
	unsigned int id = (addr - hw_pbdma.base) / 0x2000;

	*known = false;
	if (id >= gpu->fifo->nr_runlists)
		return 0;
	return pbdma_read_reg(gpu, id, (addr - hw_pbdma.base) % 0x2000, known);
}

static bool pbdma_block_read(struct gpu *gpu, uint32_t addr, uint32_t *val)
{
	bool known;

	*val = pbdma_read(gpu, addr, &known);
	return known;
}

static bool pbdma_block_write(struct gpu *gpu, uint32_t addr, uint32_t val)
{
	unsigned int id = (addr - hw_pbdma.base) / 0x2000;

	if (id >= gpu->fifo->nr_runlists)
		return false;
	return pbdma_write_reg(gpu, id, (addr - hw_pbdma.base) % 0x2000, val);
}

static const struct hw_reg pbdma_regs[] = {
	{ .addr = 0x04012c, .name = "PBDMA_TIMEOUT", .count = FIFO_MAX_PBDMAS, .stride = 0x2000,
	  .source = "nouveau gk208_runq_init()" },
	{ .addr = 0x04013c, .name = "NV_PPBDMA_INTR_STALL", .count = FIFO_MAX_PBDMAS, .stride = 0x2000,
	  .source = "gv100 dev_pbdma; every cause stalls here" },
};

const struct hw_block hw_pbdma = {
	.name = "PBDMA",
	.base = 0x040000,
	.size = 0x20000,
	.regs = pbdma_regs,
	.nr_regs = ARRAY_SIZE(pbdma_regs),
	.read = pbdma_block_read,
	.write = pbdma_block_write,
};

/* Life */

static int fifo_init(struct gpu *gpu)
{
	struct fifo *f = calloc(1, sizeof(*f));
	const struct engine *list;
	size_t n;

	if (!f)
		return -1;
	gpu->fifo = f;
	list = ptop_engines(gpu, &n);
	for (size_t i = 0; i < n && i < FIFO_MAX_ENGINES; i++) {
		struct engine *e = &f->engine[f->nr_engines++];

		*e = list[i];
		e->resident = NULL;
		e->priv = NULL;
		e->ops = e->type == 0 ? &gr_engine_ops : &ce_engine_ops;
		if (e->runlist < FIFO_MAX_RUNLISTS) {
			f->rl[e->runlist].present = true;
			if (e->runlist + 1u > f->nr_runlists)
				f->nr_runlists = e->runlist + 1;
		}
	}
	return 0;
}

static void fifo_fini(struct gpu *gpu)
{
	struct fifo *f = gpu->fifo;

	if (!f)
		return;
	for (unsigned int i = 0; i < FIFO_CHANNELS; i++)
		free(f->chan[i]);
	for (unsigned int i = 0; i < FIFO_MAX_RUNLISTS; i++)
		free(f->rl[i].entries);
	for (unsigned int i = 0; i < f->nr_engines; i++)
		free(f->engine[i].priv);
	free(f);
	gpu->fifo = NULL;
}

void fifo_engine_reset(struct gpu *gpu, struct engine *e)
{
	e->ops->reset(gpu, e);
	e->resident = NULL;
	e->next = NULL;
	e->unloading = false;
	e->faulted = false;
	gpu_kick(gpu);
}

void fifo_reset(struct gpu *gpu)
{
	struct fifo *f = gpu->fifo;

	for (unsigned int i = 0; i < f->nr_engines; i++)
		fifo_engine_reset(gpu, &f->engine[i]);
	for (unsigned int i = 0; i < FIFO_CHANNELS; i++)
		if (f->chan[i])
			fifo_channel_forget(f->chan[i]);
	for (unsigned int i = 0; i < FIFO_MAX_RUNLISTS; i++) {
		f->rl[i].n = 0;
		f->rl[i].pos = 0;
		memset(&f->pbdma[i], 0, sizeof(f->pbdma[i]));
	}
	f->intr = 0;
	f->intr_en = 0;
	f->mmu_fault = 0;
	fault_fatal_forget(gpu);
	f->runlist_event = 0;
	f->preempt_pending = false;
	f->preempt_id = 0;
	f->preempt_is_tsg = false;
	fifo_intr_update(gpu);
}

/**
 * fifo_step() - one bounded step of all runlists and all engines.
 * Context: gpu->lock held.
 */
enum step_result fifo_step(struct gpu *gpu)
{
	struct fifo *f = gpu->fifo;
	enum step_result res = STEP_IDLE, r;

	if (f->preempt_pending)
		runlist_preempt_try(gpu);
	for (unsigned int i = 0; i < f->nr_runlists; i++) {
		if (!f->rl[i].present)
			continue;
		r = runlist_step(gpu, i);
		if (r > res)
			res = r;
	}
	/* after the runlists, so that work just handed over counts as work */
	for (unsigned int i = 0; i < f->nr_engines; i++) {
		struct engine *e = &f->engine[i];

		if (e->faulted || !e->ops->step)
			continue;
		r = e->ops->step(gpu, e);
		if (r > res)
			res = r;
	}
	r = runlist_switch_step(gpu);
	if (r > res)
		res = r;
	return res;
}

static void fifo_state(struct gpu *gpu, void (*put)(void *priv, const char *key, uint64_t val), void *priv)
{
	struct fifo *f = gpu->fifo;
	uint64_t bound = 0;
	char key[64];

	for (unsigned int i = 0; i < FIFO_CHANNELS; i++) {
		const struct channel *ch = f->chan[i];

		if (!ch || !ch->bound)
			continue;
		bound++;
		snprintf(key, sizeof(key), "chan.%u.enabled", i);
		put(priv, key, ch->enabled);
		snprintf(key, sizeof(key), "chan.%u.faulted", i);
		put(priv, key, ch->faulted);
		snprintf(key, sizeof(key), "chan.%u.runlist", i);
		put(priv, key, ch->runlist);
		snprintf(key, sizeof(key), "chan.%u.gp_get", i);
		put(priv, key, ch->gp_get);
		snprintf(key, sizeof(key), "chan.%u.gp_put", i);
		put(priv, key, ch->gp_put);
	}
	put(priv, "channels", bound);
	for (unsigned int i = 0; i < f->nr_engines; i++) {
		snprintf(key, sizeof(key), "engine.%s.resident", f->engine[i].name);
		put(priv, key, f->engine[i].resident ? f->engine[i].resident->id + 1u : 0);
	}
}

const struct hw_block hw_fifo = {
	.name = "PFIFO",
	.base = 0x002000,
	.size = 0x800,
	.regs = fifo_regs,
	.nr_regs = ARRAY_SIZE(fifo_regs),
	.init = fifo_init,
	.fini = fifo_fini,
	.reset = fifo_reset,
	.step = fifo_step,
	.state = fifo_state,
};

const struct hw_block hw_fifo_sched = {
	.name = "PFIFO_SCHED",
	.base = 0x002a00,
	.size = 0x70,
	.regs = fifo_sched_regs,
	.nr_regs = ARRAY_SIZE(fifo_sched_regs),
};
