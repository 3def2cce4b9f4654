// SPDX-License-Identifier: MIT
/*
 * PBDMA: fetches GPFIFO entries and push buffer segments, expands method
 * headers, executes host methods and hands the others to the engines.
 *
 * Owns struct pbdma (one a runlist) and, while a channel is loaded, that
 * channel's host state; RAMFC in the instance block holds it otherwise, so that
 * a channel survives a power loss when software restores VRAM.  Words of RAMFC
 * that no public manual describes for what the model needs (subchannel classes,
 * copy-engine methods, the 64-bit acquire deadline) are kept in RAMFC's unused
 * upper half, see enum ramfc.
 *
 * Lock order: gpu->lock.
 *
 * Sources: gv100 dev_ram (RAMFC, RAMUSERD, FIFO_DMA), gv100 dev_pbdma,
 * cl906f.h, clc06f.h; nouveau gf100_runq_intr(), gm107_chan_ramfc_write().
 */
#include <string.h>

#include "hw/fifo_priv.h"
#include "hw/fault.h"
#include "hw/late.h"
#include "ledger/ledger.h"

/* RAMFC, byte offsets in the instance block: NV_RAMFC_* of gv100 dev_ram */
enum ramfc {
	RAMFC_GP_PUT = 0 * 4,
	RAMFC_MEM_OP_A = 1 * 4,
	RAMFC_USERD = 2 * 4,
	RAMFC_USERD_HI = 3 * 4,
	RAMFC_SIGNATURE = 4 * 4,
	RAMFC_GP_GET = 5 * 4,
	RAMFC_PB_GET = 6 * 4,
	RAMFC_PB_GET_HI = 7 * 4,
	RAMFC_PB_TOP_LEVEL_GET = 8 * 4,
	RAMFC_PB_TOP_LEVEL_GET_HI = 9 * 4,
	RAMFC_REF = 10 * 4,
	RAMFC_ACQUIRE = 12 * 4,
	RAMFC_SEM_ADDR_HI = 14 * 4,
	RAMFC_SEM_ADDR_LO = 15 * 4,
	RAMFC_SEM_PAYLOAD_LO = 16 * 4,
	RAMFC_SEM_EXECUTE = 17 * 4,
	RAMFC_GP_BASE = 18 * 4,
	RAMFC_GP_BASE_HI = 19 * 4,
	RAMFC_GP_FETCH = 20 * 4,
	RAMFC_PB_FETCH = 21 * 4,
	RAMFC_PB_FETCH_HI = 22 * 4,
	RAMFC_PB_PUT = 23 * 4,
	RAMFC_PB_PUT_HI = 24 * 4,
	RAMFC_MEM_OP_B = 25 * 4,
	RAMFC_PB_HEADER = 33 * 4,
	RAMFC_PB_COUNT = 34 * 4,
	RAMFC_SUBDEVICE = 37 * 4,
	RAMFC_MEM_OP_C = 40 * 4,
	RAMFC_TARGET = 43 * 4,
	RAMFC_METHOD0 = 48 * 4,
	RAMFC_DATA0 = 49 * 4,
	RAMFC_CONFIG = 61 * 4,
	/* the model's own places, from here on unused by any public layout */
	RAMFC_OWN_SUBCH = 64 * 4,				/* 8 words: classes of SET_OBJECT */
	RAMFC_OWN_CE = RAMFC_OWN_SUBCH + FIFO_SUBCH * 4,	/* CE_STATE_WORDS words */
	RAMFC_OWN_DEADLINE = RAMFC_OWN_CE + CE_STATE_WORDS * 4,	/* 2 words, ns */
	RAMFC_OWN_FLAGS = RAMFC_OWN_DEADLINE + 8,		/* bit 0: acquire pending */
	RAMFC_SIZE = 0x200,
};
_Static_assert(RAMFC_OWN_FLAGS < RAMFC_SIZE, "RAMFC overflows");

#define RAMFC_SIGNATURE_VALUE 0xfaceu	/* NV_PPBDMA_SIGNATURE_HW_VALID; nouveau writes it */

/* RAMUSERD, byte offsets */
#define USERD_GET 0x44u
#define USERD_REF 0x48u
#define USERD_TOP_LEVEL_GET 0x58u
#define USERD_TOP_LEVEL_GET_HI 0x5cu
#define USERD_GET_HI 0x60u
#define USERD_GP_GET 0x88u
#define USERD_GP_PUT 0x8cu

/* NV_PPBDMA_SUBDEVICE: MASK 11:0, STATUS_ACTIVE 28.  There is one subdevice, number 0. */
#define SUBDEVICE_ACTIVE BIT(28)

/* NV_PPBDMA_TARGET: ENGINE 4:0, 31 for software's; nouveau writes 31 */
#define TARGET_ENGINE 0x1fu

/* NV_PPBDMA_METHOD0 */
#define METHOD0_VALID BIT(31)

/* NV_PPBDMA_PB_HEADER */
#define PB_HEADER_LEVEL_SUBROUTINE BIT(20)

/* NV906F_DMA_SEC_OP */
enum {
	OP_GRP0 = 0,
	OP_INC = 1,
	OP_GRP2 = 2,
	OP_NONINC = 3,
	OP_IMMD = 4,
	OP_INC_ONCE = 5,
	OP_END_SEGMENT = 7
};

/* cl906f.h, clc06f.h */
enum host_method {
	HOST_SET_OBJECT = 0x00,
	HOST_ILLEGAL = 0x04,
	HOST_NOP = 0x08,
	HOST_SEMAPHOREA = 0x10,
	HOST_SEMAPHOREB = 0x14,
	HOST_SEMAPHOREC = 0x18,
	HOST_SEMAPHORED = 0x1c,
	HOST_NON_STALL_INTERRUPT = 0x20,
	HOST_FB_FLUSH = 0x24,
	HOST_MEM_OP_A = 0x28,
	HOST_MEM_OP_B = 0x2c,
	HOST_MEM_OP_C = 0x30,
	HOST_MEM_OP_D = 0x34,
	HOST_SET_REFERENCE = 0x50,
	HOST_WFI = 0x78,
	HOST_CRC_CHECK = 0x7c,
	HOST_YIELD = 0x80,
	HOST_METHODS_END = 0x100,
};

/* NVC06F_MEM_OP_D_OPERATION */
enum { MEM_OP_MEMBAR = 0x05, MEM_OP_TLB_INVALIDATE = 0x09,
       MEM_OP_TLB_INVALIDATE_TARGETED = 0x0a, MEM_OP_L2_PEERMEM = 0x0d, MEM_OP_L2_SYSMEM = 0x0e,
       MEM_OP_L2_CLEAN = 0x0f, MEM_OP_L2_FLUSH = 0x10, MEM_OP_L2_WAIT_READS = 0x15 };

/* NVC06F_SEMAPHORED_OPERATION */
enum { SEM_ACQUIRE = 1, SEM_RELEASE = 2, SEM_ACQ_GEQ = 4, SEM_ACQ_AND = 8, SEM_REDUCTION = 16 };
#define SEM_ACQUIRE_SWITCH BIT(12)
#define SEM_RELEASE_WFI_DIS BIT(20)
#define SEM_RELEASE_4BYTE BIT(24)

#define SUBCH_GRCE 4u	/* dev_ram: the graphics runlist's copy subchannel */
#define SUBCH_SW 5u	/* and up: software methods */

#define CONFIG_AUTH_LEVEL BIT(8)
#define GP_ENTRY_SIZE 8u
#define VA40_END (1ull << 40)
#define PBDMA_STEP_NS 60000ull

enum offer { OFFER_DONE, OFFER_WAIT, OFFER_YIELD, OFFER_STOP };

static void ramfc_put(uint8_t *fc, unsigned int off, uint32_t v)
{
	memcpy(fc + off, &v, 4);
}

static uint32_t ramfc_get(const uint8_t *fc, unsigned int off)
{
	uint32_t v;

	memcpy(&v, fc + off, 4);
	return v;
}

static uint64_t ramfc_get64(const uint8_t *fc, unsigned int lo, unsigned int hi)
{
	return ramfc_get(fc, lo) | (uint64_t)ramfc_get(fc, hi) << 32;
}

void pbdma_raise(struct gpu *gpu, unsigned int id, uint32_t bit)
{
	struct pbdma *p = &gpu->fifo->pbdma[id];

	p->intr |= bit;
	if (p->ch && p->ch->m_valid) {
		p->method0 = METHOD0_VALID | (p->ch->m_subch & 7) << 16 | (p->ch->m_addr & 0x3ffc);
		p->data0 = p->ch->m_data;
	}
	fifo_intr_update(gpu);
}

/* A fatal fault of the host itself */
static void pbdma_fault(struct gpu *gpu, unsigned int id, uint64_t va, enum mmu_access access,
			enum mmu_fault_type type)
{
	fifo_hub_fault(gpu, gpu->fifo->pbdma[id].ch, FIFO_FAULT_HOST0 + id, FIFO_CLIENT_HOST, va, access,
		       type);
}

/**
 * pbdma_load() - take a channel's host state from RAMFC.
 * Return: false when RAMFC is not valid; the channel is stopped then.
 * Context: gpu->lock held.
 */
bool pbdma_load(struct gpu *gpu, unsigned int id, struct channel *ch)
{
	struct pbdma *p = &gpu->fifo->pbdma[id];
	uint8_t fc[RAMFC_SIZE];
	uint32_t v;

	p->ch = ch;
	p->buf_len = 0;
	/* the address space may have moved since the bind: it is written before the channel is enabled */
	if (mmu_space_load(gpu, ch->space.inst_ap, ch->space.inst, &ch->space) ||
	    mem_read(gpu, CLIENT_HOST, ch->space.inst_ap, ch->space.inst, fc, sizeof(fc))) {
		ch->faulted = true;
		p->ch = NULL;
		return false;
	}
	if ((ramfc_get(fc, RAMFC_SIGNATURE) & 0xffff) != RAMFC_SIGNATURE_VALUE) {
		gpu_log(gpu, 0, "channel %u: RAMFC signature %#x", ch->id, ramfc_get(fc, RAMFC_SIGNATURE));
		pbdma_raise(gpu, id, PBDMA_INTR_SIGNATURE);
		ch->faulted = true;
		return false;
	}
	v = ramfc_get(fc, RAMFC_GP_BASE_HI);
	ch->gpfifo = (ramfc_get(fc, RAMFC_GP_BASE) & ~7u) | (uint64_t)field(v, 7, 0) << 32;
	ch->gp_entries = 1u << field(v, 20, 16);
	ch->gp_get = ramfc_get(fc, RAMFC_GP_GET) & (ch->gp_entries - 1);
	/* USERD has the newest GP_PUT; RAMFC's is what was seen last */
	ch->gp_put = mem_rd32(gpu, CLIENT_HOST, ch->userd_ap, ch->userd + USERD_GP_PUT);
	ch->pb_get = ramfc_get64(fc, RAMFC_PB_GET, RAMFC_PB_GET_HI) & (VA40_END - 4);
	ch->pb_end = ramfc_get64(fc, RAMFC_PB_PUT, RAMFC_PB_PUT_HI) & (VA40_END - 4);
	ch->pb_top = ramfc_get64(fc, RAMFC_PB_TOP_LEVEL_GET, RAMFC_PB_TOP_LEVEL_GET_HI);
	v = ramfc_get(fc, RAMFC_PB_HEADER);
	ch->mthd = v & 0x3ffc;
	ch->mthd_subch = field(v, 18, 16);
	ch->mthd_op = field(v, 31, 29);
	ch->pb_sub = v & PB_HEADER_LEVEL_SUBROUTINE;
	ch->mthd_count = field(ramfc_get(fc, RAMFC_PB_COUNT), 12, 0);
	v = ramfc_get(fc, RAMFC_METHOD0);
	ch->m_valid = v & METHOD0_VALID;
	ch->m_addr = v & 0x3ffc;
	ch->m_subch = field(v, 18, 16);
	ch->m_data = ramfc_get(fc, RAMFC_DATA0);
	ch->subdevice = ramfc_get(fc, RAMFC_SUBDEVICE);
	ch->ref = ramfc_get(fc, RAMFC_REF);
	ch->acquire = ramfc_get(fc, RAMFC_ACQUIRE);
	ch->sema[0] = ramfc_get(fc, RAMFC_SEM_ADDR_HI);
	ch->sema[1] = ramfc_get(fc, RAMFC_SEM_ADDR_LO);
	ch->sema[2] = ramfc_get(fc, RAMFC_SEM_PAYLOAD_LO);
	ch->sema[3] = ramfc_get(fc, RAMFC_SEM_EXECUTE);
	ch->mem_op[0] = ramfc_get(fc, RAMFC_MEM_OP_A);
	ch->mem_op[1] = ramfc_get(fc, RAMFC_MEM_OP_B);
	ch->mem_op[2] = ramfc_get(fc, RAMFC_MEM_OP_C);
	ch->target = ramfc_get(fc, RAMFC_TARGET);
	ch->privileged = ramfc_get(fc, RAMFC_CONFIG) & CONFIG_AUTH_LEVEL;
	for (unsigned int i = 0; i < FIFO_SUBCH; i++)
		ch->subch_class[i] = ramfc_get(fc, RAMFC_OWN_SUBCH + i * 4);
	for (unsigned int i = 0; i < CE_STATE_WORDS; i++)
		ch->ce[i] = ramfc_get(fc, RAMFC_OWN_CE + i * 4);
	ch->acquire_deadline = ramfc_get64(fc, RAMFC_OWN_DEADLINE, RAMFC_OWN_DEADLINE + 4);
	ch->acquire_pending = ramfc_get(fc, RAMFC_OWN_FLAGS) & 1;
	ch->loaded = true;
	return true;
}

static void pbdma_userd_writeback(struct gpu *gpu, struct channel *ch)
{
	uint64_t get = ch->pb_get;

	mem_wr32(gpu, CLIENT_HOST, ch->userd_ap, ch->userd + USERD_GP_GET, ch->gp_get);
	mem_wr32(gpu, CLIENT_HOST, ch->userd_ap, ch->userd + USERD_GET, get);
	mem_wr32(gpu, CLIENT_HOST, ch->userd_ap, ch->userd + USERD_GET_HI, get >> 32);
	if (!ch->pb_sub)
		ch->pb_top = get;
	mem_wr32(gpu, CLIENT_HOST, ch->userd_ap, ch->userd + USERD_TOP_LEVEL_GET, ch->pb_top);
	mem_wr32(gpu, CLIENT_HOST, ch->userd_ap, ch->userd + USERD_TOP_LEVEL_GET_HI, ch->pb_top >> 32);
	mem_wr32(gpu, CLIENT_HOST, ch->userd_ap, ch->userd + USERD_REF, ch->ref);
}

/**
 * pbdma_save() - write the loaded channel's host state to RAMFC and USERD, and let go of it.
 * Context: gpu->lock held.
 */
void pbdma_save(struct gpu *gpu, unsigned int id)
{
	struct pbdma *p = &gpu->fifo->pbdma[id];
	struct channel *ch = p->ch;
	uint8_t fc[RAMFC_SIZE];

	if (!ch)
		return;
	p->ch = NULL;
	p->buf_len = 0;
	if (!ch->loaded || mem_read(gpu, CLIENT_HOST, ch->space.inst_ap, ch->space.inst, fc, sizeof(fc)))
		return;
	ramfc_put(fc, RAMFC_GP_PUT, ch->gp_put);
	ramfc_put(fc, RAMFC_GP_GET, ch->gp_get);
	ramfc_put(fc, RAMFC_GP_FETCH, ch->gp_get);
	ramfc_put(fc, RAMFC_PB_GET, ch->pb_get);
	ramfc_put(fc, RAMFC_PB_GET_HI, ch->pb_get >> 32);
	ramfc_put(fc, RAMFC_PB_FETCH, ch->pb_get);
	ramfc_put(fc, RAMFC_PB_FETCH_HI, ch->pb_get >> 32);
	ramfc_put(fc, RAMFC_PB_PUT, ch->pb_end);
	ramfc_put(fc, RAMFC_PB_PUT_HI, ch->pb_end >> 32);
	if (!ch->pb_sub)
		ch->pb_top = ch->pb_get;
	ramfc_put(fc, RAMFC_PB_TOP_LEVEL_GET, ch->pb_top);
	ramfc_put(fc, RAMFC_PB_TOP_LEVEL_GET_HI, ch->pb_top >> 32);
	ramfc_put(fc, RAMFC_PB_HEADER, ch->mthd_op << 29 | (ch->mthd_subch & 7) << 16 | (ch->mthd & 0x3ffc) |
				       (ch->pb_sub ? PB_HEADER_LEVEL_SUBROUTINE : 0));
	ramfc_put(fc, RAMFC_PB_COUNT, ch->mthd_count);
	ramfc_put(fc, RAMFC_METHOD0, (ch->m_valid ? METHOD0_VALID : 0) | (ch->m_subch & 7) << 16 |
				     (ch->m_addr & 0x3ffc));
	ramfc_put(fc, RAMFC_DATA0, ch->m_data);
	ramfc_put(fc, RAMFC_SUBDEVICE, ch->subdevice);
	ramfc_put(fc, RAMFC_REF, ch->ref);
	ramfc_put(fc, RAMFC_SEM_ADDR_HI, ch->sema[0]);
	ramfc_put(fc, RAMFC_SEM_ADDR_LO, ch->sema[1]);
	ramfc_put(fc, RAMFC_SEM_PAYLOAD_LO, ch->sema[2]);
	ramfc_put(fc, RAMFC_SEM_EXECUTE, ch->sema[3]);
	ramfc_put(fc, RAMFC_MEM_OP_A, ch->mem_op[0]);
	ramfc_put(fc, RAMFC_MEM_OP_B, ch->mem_op[1]);
	ramfc_put(fc, RAMFC_MEM_OP_C, ch->mem_op[2]);
	ramfc_put(fc, RAMFC_TARGET, ch->target);
	for (unsigned int i = 0; i < FIFO_SUBCH; i++)
		ramfc_put(fc, RAMFC_OWN_SUBCH + i * 4, ch->subch_class[i]);
	for (unsigned int i = 0; i < CE_STATE_WORDS; i++)
		ramfc_put(fc, RAMFC_OWN_CE + i * 4, ch->ce[i]);
	ramfc_put(fc, RAMFC_OWN_DEADLINE, ch->acquire_deadline);
	ramfc_put(fc, RAMFC_OWN_DEADLINE + 4, ch->acquire_deadline >> 32);
	ramfc_put(fc, RAMFC_OWN_FLAGS, ch->acquire_pending ? 1 : 0);
	mem_write(gpu, CLIENT_HOST, ch->space.inst_ap, ch->space.inst, fc, sizeof(fc));
	pbdma_userd_writeback(gpu, ch);
}

/*
 * The engine to which @ch sent methods last: NV_PPBDMA_TARGET.  One that the runlist doesn't have stands for the
 * lowest numbered one that it has.
 */
static struct engine *pbdma_last_engine(struct gpu *gpu, unsigned int id, const struct channel *ch)
{
	struct engine *e = fifo_engine(gpu, ch->target & TARGET_ENGINE);

	for (unsigned int i = 0; (!e || e->runlist != id) && i < gpu->fifo->nr_engines; i++)
		e = fifo_engine(gpu, i);
	return e && e->runlist == id ? e : NULL;
}

/*
 * All work that @ch gave to the engine that it sent methods to last has completed, and with that all of its work:
 * Host waits for an engine before it turns to another (pbdma_offer()).
 */
static bool pbdma_engine_idle(struct gpu *gpu, unsigned int id, const struct channel *ch)
{
	struct engine *e = pbdma_last_engine(gpu, id, ch);

	return !e || !e->resident || !fifo_same_context(e->resident, ch) || e->ops->idle(gpu, e);
}

static enum offer pbdma_semaphore_release(struct gpu *gpu, unsigned int id, struct channel *ch, uint64_t va,
					  uint32_t exec)
{
	uint32_t payload = ch->sema[2];
	uint64_t fault_va, stamp = fifo_timestamp(gpu);
	enum mmu_fault_type t;

	if (!(exec & SEM_RELEASE_WFI_DIS) && !pbdma_engine_idle(gpu, id, ch))
		return OFFER_WAIT;
	late_land(gpu, ch->space.inst);
	if (!(exec & SEM_RELEASE_4BYTE)) {
		/* the payload becomes visible last */
		t = mmu_write(gpu, &ch->space, TLB_HUB, CLIENT_HOST, va + 8, &stamp, 8, &fault_va);
		if (t != MMU_OK) {
			pbdma_fault(gpu, id, fault_va, MMU_WRITE, t);
			return OFFER_STOP;
		}
	}
	t = mmu_write(gpu, &ch->space, TLB_HUB, CLIENT_HOST, va, &payload, 4, &fault_va);
	if (t != MMU_OK) {
		pbdma_fault(gpu, id, fault_va, MMU_WRITE, t);
		return OFFER_STOP;
	}
	LEDGER(gpu, semaphore_release);
	return OFFER_DONE;
}

/* NVC06F_SEMAPHORED_REDUCTION; INC and DEC wrap at the payload as the SM's atomics do */
static uint32_t semaphore_reduce(uint32_t old, uint32_t b, uint32_t exec)
{
	bool is_unsigned = exec & BIT(31);

	switch (field(exec, 30, 27)) {
	case 0:
		return is_unsigned ? (old < b ? old : b) : ((int32_t)old < (int32_t)b ? old : b);
	case 1:
		return is_unsigned ? (old > b ? old : b) : ((int32_t)old > (int32_t)b ? old : b);
	case 2:
		return old ^ b;
	case 3:
		return old & b;
	case 4:
		return old | b;
	case 5:
		return old + b;
	case 6:
		return old >= b ? 0 : old + 1;
	case 7:
		return old == 0 || old > b ? b : old - 1;
	}
	return old;
}

static enum offer pbdma_semaphore_acquire(struct gpu *gpu, unsigned int id, struct channel *ch, uint64_t va,
					  uint32_t exec)
{
	uint32_t payload = ch->sema[2], val;
	uint64_t fault_va;
	enum mmu_fault_type t;
	bool ok;

	t = mmu_read(gpu, &ch->space, TLB_HUB, CLIENT_HOST, va, &val, 4, &fault_va);
	if (t != MMU_OK) {
		pbdma_fault(gpu, id, fault_va, MMU_READ, t);
		return OFFER_STOP;
	}
	switch (field(exec, 4, 0)) {
	case SEM_ACQUIRE:
		ok = val == payload;
		break;
	case SEM_ACQ_GEQ:
		ok = (int32_t)(val - payload) >= 0;
		break;
	default:
		ok = (val & payload) != 0;
		break;
	}
	if (ok) {
		LEDGER(gpu, semaphore_acquire);
		ch->acquire_pending = false;
		ch->acquire_deadline = 0;
		return OFFER_DONE;
	}
	if (!ch->acquire_pending) {
		ch->acquire_pending = true;
		/* NV_PPBDMA_ACQUIRE_TIMEOUT: 1024 * MAN * 2^EXP ns, limited to 0x7fff8000 periods */
		if (ch->acquire & BIT(31)) {
			uint64_t n = (uint64_t)field(ch->acquire, 30, 15) << field(ch->acquire, 14, 11);

			ch->acquire_deadline = gpu_now(gpu) + 1024 * (n > 0x7fff8000 ? 0x7fff8000 : n);
		}
	}
	if (ch->acquire_deadline && gpu_now(gpu) > ch->acquire_deadline) {
		ch->acquire_deadline = 0;
		ch->acquire_pending = false;
		pbdma_raise(gpu, id, PBDMA_INTR_ACQUIRE);
		return OFFER_STOP;
	}
	return exec & SEM_ACQUIRE_SWITCH ? OFFER_YIELD : OFFER_WAIT;
}

static enum offer pbdma_semaphore(struct gpu *gpu, unsigned int id, struct channel *ch)
{
	uint32_t exec = ch->m_data;
	/* NV906F_SEMAPHOREA_OFFSET_UPPER 7:0, SEMAPHOREB_OFFSET_LOWER 31:2 */
	uint64_t va = (uint64_t)field(ch->sema[0], 7, 0) << 32 | (ch->sema[1] & ~3u);

	ch->sema[3] = exec;
	switch (field(exec, 4, 0)) {
	case SEM_RELEASE:
		return pbdma_semaphore_release(gpu, id, ch, va, exec);
	case SEM_REDUCTION: {
		uint64_t fault_va;
		uint32_t v;
		enum mmu_fault_type t;

		if (!(exec & SEM_RELEASE_WFI_DIS) && !pbdma_engine_idle(gpu, id, ch))
			return OFFER_WAIT;
		late_land(gpu, ch->space.inst);
		t = mmu_read(gpu, &ch->space, TLB_HUB, CLIENT_HOST, va, &v, 4, &fault_va);
		if (t == MMU_OK) {
			v = semaphore_reduce(v, ch->sema[2], exec);
			t = mmu_write(gpu, &ch->space, TLB_HUB, CLIENT_HOST, va, &v, 4, &fault_va);
		}
		if (t != MMU_OK) {
			pbdma_fault(gpu, id, fault_va, MMU_ATOMIC, t);
			return OFFER_STOP;
		}
		LEDGER(gpu, semaphore_release);
		return OFFER_DONE;
	}
	case SEM_ACQUIRE:
	case SEM_ACQ_GEQ:
	case SEM_ACQ_AND:
		return pbdma_semaphore_acquire(gpu, id, ch, va, exec);
	}
	pbdma_raise(gpu, id, PBDMA_INTR_SEMAPHORE);
	return OFFER_STOP;
}

static enum offer pbdma_mem_op(struct gpu *gpu, unsigned int id, struct channel *ch)
{
	switch (field(ch->m_data, 31, 27)) {
	case MEM_OP_MEMBAR:
		late_flush(gpu);
		return OFFER_DONE;
	case MEM_OP_L2_PEERMEM:
	case MEM_OP_L2_SYSMEM:
	case MEM_OP_L2_CLEAN:
	case MEM_OP_L2_FLUSH:
	case MEM_OP_L2_WAIT_READS:
	case 6:		/* NV906F SOFT_FLUSH */
		return OFFER_DONE;	/* there is no cache to flush */
	case MEM_OP_TLB_INVALIDATE:
	case MEM_OP_TLB_INVALIDATE_TARGETED:
		if (!ch->privileged)
			break;
		ch->mem_op[3] = ch->m_data;
		if (!ch->mem_op_waits && !mmu_host_invalidate(gpu, ch->mem_op, &ch->mem_op_waits))
			break;
		/* Host waits until the request has completed */
		if (!mmu_host_done(gpu, ch->mem_op_waits))
			return OFFER_WAIT;
		ch->mem_op_waits = 0;
		return OFFER_DONE;
	}
	pbdma_raise(gpu, id, PBDMA_INTR_METHOD);
	return OFFER_STOP;
}

static enum offer pbdma_host_method(struct gpu *gpu, unsigned int id, struct channel *ch)
{
	switch (ch->m_addr) {
	case HOST_NOP:
	case HOST_FB_FLUSH:
	case HOST_CRC_CHECK:
		return OFFER_DONE;
	case HOST_SEMAPHOREA:
	case HOST_SEMAPHOREB:
	case HOST_SEMAPHOREC:
		ch->sema[(ch->m_addr - HOST_SEMAPHOREA) / 4] = ch->m_data;
		return OFFER_DONE;
	case HOST_SEMAPHORED:
		return pbdma_semaphore(gpu, id, ch);
	case HOST_NON_STALL_INTERRUPT:
		fifo_nonstall(gpu, NULL);
		return OFFER_DONE;
	case HOST_MEM_OP_A:
	case HOST_MEM_OP_C:
		ch->mem_op[(ch->m_addr - HOST_MEM_OP_A) / 4] = ch->m_data;
		return OFFER_DONE;
	case HOST_MEM_OP_B:
		/* 906f executes with B, c06f with D: B's operation field is zero in the newer form */
		ch->mem_op[1] = ch->m_data;
		return OFFER_DONE;
	case HOST_MEM_OP_D:
		return pbdma_mem_op(gpu, id, ch);
	case HOST_SET_REFERENCE:
		if (!pbdma_engine_idle(gpu, id, ch))
			return OFFER_WAIT;
		ch->ref = ch->m_data;
		return OFFER_DONE;
	case HOST_WFI:
		return pbdma_engine_idle(gpu, id, ch) ? OFFER_DONE : OFFER_WAIT;
	case HOST_YIELD:
		if (field(ch->m_data, 1, 0) == 1)	/* gv100: OP_TSG; no more than a hint here */
			return OFFER_DONE;
		if (field(ch->m_data, 1, 0) == 0)
			return OFFER_DONE;
		break;
	}
	pbdma_raise(gpu, id, PBDMA_INTR_METHOD);
	return OFFER_STOP;
}

static struct engine *pbdma_target(struct gpu *gpu, unsigned int id, unsigned int subch)
{
	struct engine *gr = runlist_engine(gpu, id, 0);
	struct engine *ce = runlist_engine(gpu, id, 0x13);

	if (subch >= SUBCH_SW)
		return NULL;
	if (gr && subch != SUBCH_GRCE)
		return gr;
	return ce;
}

/* Offer the method at the head of the method FIFO to its receiver. */
static enum offer pbdma_offer(struct gpu *gpu, unsigned int id, struct channel *ch)
{
	struct engine *e;
	bool sent;

	if (ch->m_addr != HOST_SET_OBJECT && ch->m_addr < HOST_METHODS_END)
		return pbdma_host_method(gpu, id, ch);

	e = pbdma_target(gpu, id, ch->m_subch);
	if (!e) {
		if (ch->m_addr == HOST_SET_OBJECT)
			ch->subch_class[ch->m_subch] = ch->m_data & 0xffff;
		pbdma_raise(gpu, id, PBDMA_INTR_DEVICE);
		return OFFER_STOP;
	}
	/*
	 * From graphics to the copy engine of its runlist, or back: first the one has completed its work, then the other
	 * gets a method (tu104 dev_ram, FIFO_DMA_SUBCHANNEL).  Mesa's fences depend on it.  A copy engine's SET_OBJECT
	 * is not sent to it.
	 */
	sent = ch->m_addr != HOST_SET_OBJECT || e == runlist_engine(gpu, id, 0);
	if (sent && e != pbdma_last_engine(gpu, id, ch) && !pbdma_engine_idle(gpu, id, ch))
		return OFFER_WAIT;
	if (!fifo_engine_acquire(gpu, e, ch))
		return OFFER_YIELD;
	if (ch->m_addr == HOST_SET_OBJECT)
		ch->subch_class[ch->m_subch] = ch->m_data & 0xffff;
	switch (
	    e->ops->method(gpu, e, ch, ch->m_subch, ch->subch_class[ch->m_subch], ch->m_addr, ch->m_data)) {
	case METHOD_DONE:
	case METHOD_ERROR:	/* the engine's interrupt holds what follows back */
		if (sent)
			ch->target = (ch->target & ~TARGET_ENGINE) | e->id;
		return OFFER_DONE;
	case METHOD_BUSY:
		return OFFER_WAIT;
	case METHOD_FAULT:
		break;
	}
	return OFFER_STOP;
}

/* One dword of the push buffer.  Return: false after a fault. */
static bool pbdma_fetch(struct gpu *gpu, unsigned int id, struct channel *ch, uint32_t *dw)
{
	struct pbdma *p = &gpu->fifo->pbdma[id];

	if (ch->pb_get < p->buf_va || ch->pb_get >= p->buf_va + p->buf_len) {
		uint64_t n = ch->pb_end - ch->pb_get, page = PB_FETCH_MAX - (ch->pb_get & (PB_FETCH_MAX - 1));
		uint64_t fault_va;
		enum mmu_fault_type t;

		if (n > page)
			n = page;
		t = mmu_read(gpu, &ch->space, TLB_HUB, CLIENT_HOST, ch->pb_get, p->buf, n, &fault_va);
		if (t != MMU_OK) {
			pbdma_fault(gpu, id, fault_va, MMU_READ, t);
			return false;
		}
		p->buf_va = ch->pb_get;
		p->buf_len = n;
	}
	*dw = p->buf[(ch->pb_get - p->buf_va) / 4];
	ch->pb_get += 4;
	return true;
}

/* A dword that is a header.  Return: false for one that Host refuses. */
static bool pbdma_header(struct channel *ch, uint32_t h)
{
	bool active = ch->subdevice & SUBDEVICE_ACTIVE;

	ch->mthd_subch = field(h, 15, 13);
	ch->mthd = field(h, 11, 0) << 2;
	ch->mthd_count = field(h, 28, 16);
	ch->mthd_op = field(h, 31, 29);
	switch (ch->mthd_op) {
	case OP_GRP0:
	case OP_GRP2:
		/* the old forms: NV906F_DMA_METHOD_ADDRESS_OLD 12:2, COUNT_OLD 28:18, TERT_OP 17:16 */
		ch->mthd = h & 0x1ffc;
		ch->mthd_count = field(h, 28, 18);
		if (field(h, 17, 16) == 0) {
			ch->mthd_op = ch->mthd_op == OP_GRP0 ? OP_INC : OP_NONINC;
			break;
		}
		ch->mthd_count = 0;
		if (ch->mthd_op == OP_GRP2)
			return false;
		if (field(h, 17, 16) == 1)	/* SET_SUB_DEV_MASK */
			ch->subdevice =
			    (ch->subdevice & ~SUBDEVICE_ACTIVE) | (h & BIT(4) ? SUBDEVICE_ACTIVE : 0);
		else if (field(h, 17, 16) == 2)	/* STORE */
			ch->subdevice = (ch->subdevice & ~0xfffu) | field(h, 15, 4);
		else				/* USE */
			ch->subdevice = (ch->subdevice & ~SUBDEVICE_ACTIVE) |
					(ch->subdevice & 1 ? SUBDEVICE_ACTIVE : 0);
		return true;
	case OP_INC:
	case OP_NONINC:
	case OP_INC_ONCE:
		break;
	case OP_IMMD:
		ch->m_valid = active;
		ch->m_subch = ch->mthd_subch;
		ch->m_addr = ch->mthd;
		ch->m_data = ch->mthd_count;
		ch->mthd_count = 0;
		break;
	case OP_END_SEGMENT:
		ch->mthd_count = 0;
		ch->pb_get = ch->pb_end;
		break;
	default:
		ch->mthd_count = 0;
		return false;
	}
	return true;
}

static void pbdma_data(struct channel *ch, uint32_t dw)
{
	ch->m_valid = ch->subdevice & SUBDEVICE_ACTIVE;
	ch->m_subch = ch->mthd_subch;
	ch->m_addr = ch->mthd;
	ch->m_data = dw;
	if (ch->mthd_op == OP_INC || ch->mthd_op == OP_INC_ONCE)
		ch->mthd = (ch->mthd + 4) & 0x3ffc;
	if (ch->mthd_op == OP_INC_ONCE)
		ch->mthd_op = OP_NONINC;
	ch->mthd_count--;
}

/* Take the next GPFIFO entry.  Return: false when there is none, or after an exception. */
static bool pbdma_gp_entry(struct gpu *gpu, unsigned int id, struct channel *ch, enum pbdma_result *res)
{
	uint64_t va = ch->gpfifo + (uint64_t)ch->gp_get * GP_ENTRY_SIZE, fault_va, start, len;
	uint32_t e[2];
	enum mmu_fault_type t;

	if (ch->gp_get == ch->gp_put) {
		*res = PBDMA_IDLE;
		return false;
	}
	*res = PBDMA_STOPPED;
	if (ch->gp_put >= ch->gp_entries ||
	    ch->gpfifo + (uint64_t)ch->gp_entries * GP_ENTRY_SIZE > VA40_END) {
		bool put = ch->gp_put >= ch->gp_entries;

		gpu_log(gpu, 1, "channel %u: GP_PUT %#x of %u, GPFIFO at %#llx", ch->id, ch->gp_put,
			ch->gp_entries, (unsigned long long)ch->gpfifo);
		ch->gp_put = ch->gp_get;
		pbdma_raise(gpu, id, put ? PBDMA_INTR_GPPTR : PBDMA_INTR_GPFIFO);
		return false;
	}
	t = mmu_read(gpu, &ch->space, TLB_HUB, CLIENT_HOST, va, e, sizeof(e), &fault_va);
	if (t != MMU_OK) {
		pbdma_fault(gpu, id, fault_va, MMU_READ, t);
		return false;
	}
	ch->gp_get = (ch->gp_get + 1) & (ch->gp_entries - 1);
	mem_wr32(gpu, CLIENT_HOST, ch->userd_ap, ch->userd + USERD_GP_GET, ch->gp_get);
	LEDGER(gpu, gpfifo_entry);
	len = (uint64_t)field(e[1], 30, 10) * 4;
	if (!len) {	/* control entry: OPCODE */
		if (field(e[1], 7, 0) == 0 || field(e[1], 7, 0) == 2 || field(e[1], 7, 0) == 3)
			return true;	/* NOP; the CRCs are not modelled and never differ */
		pbdma_raise(gpu, id, PBDMA_INTR_GPENTRY);
		return false;
	}
	start = (e[0] & ~3u) | (uint64_t)field(e[1], 7, 0) << 32;
	if (start + len >= VA40_END) {
		pbdma_raise(gpu, id, PBDMA_INTR_GPENTRY);
		return false;
	}
	/* FETCH_CONDITIONAL: not at all while the subdevice is masked off */
	if ((e[0] & 1) && !(ch->subdevice & SUBDEVICE_ACTIVE))
		return true;
	ch->pb_get = start;
	ch->pb_end = start + len;
	ch->pb_sub = e[1] & BIT(9);
	return true;
}

/**
 * pbdma_run() - go on with the loaded channel for what is left of a bounded step.
 * Context: gpu->lock held.
 */
enum pbdma_result pbdma_run(struct gpu *gpu, unsigned int id, struct pbdma_budget *left)
{
	struct pbdma *p = &gpu->fifo->pbdma[id];
	struct channel *ch = p->ch;
	enum pbdma_result res = PBDMA_PROGRESS;

	if (pbdma_frozen(p))
		return PBDMA_STOPPED;
	p->buf_len = 0;
	while (left->dwords) {
		uint32_t dw;

		left->dwords--;
		if (ch->m_valid) {
			switch (pbdma_offer(gpu, id, ch)) {
			case OFFER_DONE:
				LEDGER(gpu, method);
				ch->m_valid = false;
				break;
			case OFFER_WAIT:
				return PBDMA_WAIT;
			case OFFER_YIELD:
				return PBDMA_YIELD;
			case OFFER_STOP:
				return PBDMA_STOPPED;
			}
			if (pbdma_frozen(p))
				return PBDMA_STOPPED;
		}
		if (ch->pb_get >= ch->pb_end) {
			if (!pbdma_gp_entry(gpu, id, ch, &res)) {
				if (res == PBDMA_IDLE)
					ch->kicked = false;
				return res;
			}
			continue;
		}
		if (!pbdma_fetch(gpu, id, ch, &dw))
			return PBDMA_STOPPED;
		if (ch->mthd_count) {
			pbdma_data(ch, dw);
		} else if (!pbdma_header(ch, dw)) {
			p->header = dw;
			gpu_log(gpu, 1, "channel %u: push buffer header %#x at %#llx", ch->id, dw,
				(unsigned long long)ch->pb_get - 4);
			pbdma_raise(gpu, id, PBDMA_INTR_PBENTRY);
			return PBDMA_STOPPED;
		}
		if ((left->dwords & 63) == 0) {
			gpu_time_refresh(gpu);
			if (gpu_now(gpu) - left->start > PBDMA_STEP_NS)
				break;
			/* when a trace is to be repeated, a step's end must not depend on other threads */
			if (!gpu->cfg.deterministic && !gpu->trace && fair_lock_contended(&gpu->lock))
				break;
		}
	}
	return res;
}

/* Registers of one PBDMA */

enum {
	PPBDMA_GP_PUT = 0x000,
	PPBDMA_GP_GET = 0x014,
	PPBDMA_GET = 0x018,
	PPBDMA_GET_HI = 0x01c,
	PPBDMA_PB_HEADER = 0x084,
	PPBDMA_METHOD0 = 0x0c0,
	PPBDMA_DATA0 = 0x0c4,
	PPBDMA_INTR_0 = 0x108,
	PPBDMA_INTR_EN_0 = 0x10c,
	PPBDMA_CHANNEL = 0x120,
	PPBDMA_HCE_INTR = 0x148,
	PPBDMA_HCE_INTR_EN = 0x14c,
};

uint32_t pbdma_read_reg(struct gpu *gpu, unsigned int id, uint32_t off, bool *known)
{
	const struct pbdma *p = &gpu->fifo->pbdma[id];

	*known = true;
	switch (off) {
	case PPBDMA_GP_PUT:
		return p->ch ? p->ch->gp_put : 0;
	case PPBDMA_GP_GET:
		return p->ch ? p->ch->gp_get : 0;
	case PPBDMA_GET:
		return p->ch ? p->ch->pb_get : 0;
	case PPBDMA_GET_HI:
		return p->ch ? p->ch->pb_get >> 32 : 0;
	case PPBDMA_PB_HEADER:
		return p->header;
	case PPBDMA_METHOD0:
		return p->method0;
	case PPBDMA_DATA0:
		return p->data0;
	case PPBDMA_INTR_0:
		return p->intr;
	case PPBDMA_INTR_EN_0:
		return p->intr_en;
	case PPBDMA_CHANNEL:
		/* CHID 11:0, VALID 13 */
		return p->ch ? p->ch->id | BIT(13) : 0;
	case PPBDMA_HCE_INTR:
		return p->hce_intr;
	case PPBDMA_HCE_INTR_EN:
		return p->hce_intr_en;
	}
	*known = false;
	return 0;
}

/* Software has cleared all causes: take over the method as it patched it, and go on. */
static void pbdma_thaw(struct gpu *gpu, struct pbdma *p)
{
	struct channel *ch = p->ch;

	if (ch && ch->m_valid) {
		ch->m_valid = p->method0 & METHOD0_VALID;
		ch->m_addr = p->method0 & 0x3ffc;
		ch->m_subch = field(p->method0, 18, 16);
		ch->m_data = p->data0;
	}
	gpu_kick(gpu);
}

bool pbdma_write_reg(struct gpu *gpu, unsigned int id, uint32_t off, uint32_t val)
{
	struct pbdma *p = &gpu->fifo->pbdma[id];

	switch (off) {
	case PPBDMA_METHOD0:
		p->method0 = val;
		return true;
	case PPBDMA_DATA0:
		p->data0 = val;
		return true;
	case PPBDMA_INTR_0:
		if (p->intr && !(p->intr & ~val))
			pbdma_thaw(gpu, p);
		p->intr &= ~val;
		fifo_intr_update(gpu);
		return true;
	case PPBDMA_INTR_EN_0:
		p->intr_en = val;
		fifo_intr_update(gpu);
		return true;
	case PPBDMA_HCE_INTR:
		p->hce_intr &= ~val;
		fifo_intr_update(gpu);
		return true;
	case PPBDMA_HCE_INTR_EN:
		p->hce_intr_en = val;
		fifo_intr_update(gpu);
		return true;
	}
	return false;
}
