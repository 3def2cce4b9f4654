// SPDX-License-Identifier: MIT
/*
 * Inline-to-memory (KEPLER_INLINE_TO_MEMORY_B, a140), the same block of methods
 * inside 3D and compute, and the semaphores that these classes release.
 *
 * The front end writes; it is a hub client, so an address that does not
 * translate is fatal to the channel.
 *
 * Not modelled: block-linear destinations (logged, the data is dropped).
 *
 * Owns nothing.  Lock order: gpu->lock.
 *
 * Sources: cla140.h; clc197.h, clc1c0.h (SET_REPORT_SEMAPHORE_*).
 */
#include <string.h>

#include "hw/gr_priv.h"
#include "ledger/ledger.h"

enum {
	I2M_WAIT_FOR_IDLE = 0x110,
	I2M_LINE_LENGTH_IN = 0x180,
	I2M_LINE_COUNT = 0x184,
	I2M_OFFSET_OUT_UPPER = 0x188,
	I2M_OFFSET_OUT = 0x18c,
	I2M_PITCH_OUT = 0x190,
	I2M_LAUNCH_DMA = 0x1b0,
	I2M_LOAD_INLINE_DATA = 0x1b4,
	I2M_SEMAPHORE_A = 0x1dc,
	I2M_SEMAPHORE_B = 0x1e0,
	I2M_SEMAPHORE_C = 0x1e4,
};

/* NVA140_LAUNCH_DMA */
#define I2M_LAUNCH_PITCH BIT(0)
#define I2M_LAUNCH_ONE_WORD BIT(12)
#define I2M_COMPLETION_SEMAPHORE 2

enum { SEM_A = 0x1b00, SEM_B = 0x1b04, SEM_C = 0x1b08 };

enum method_result gr_semaphore_write(struct gpu *gpu, struct channel *ch, unsigned int client, uint64_t va,
				      uint64_t value, bool one_word)
{
	uint64_t stamp = fifo_timestamp(gpu), fault_va = va;
	enum mmu_fault_type t = MMU_OK;

	/* the payload becomes visible last */
	if (!one_word)
		t = mmu_write(gpu, &ch->space, TLB_HUB, CLIENT_FE, va + 8, &stamp, 8, &fault_va);
	if (t == MMU_OK)
		t = mmu_write(gpu, &ch->space, TLB_HUB, CLIENT_FE, va, &value, one_word ? 4 : 8, &fault_va);
	if (t != MMU_OK)
		return gr_fault(gpu, ch, client, fault_va, MMU_WRITE, t);
	LEDGER(gpu, semaphore_release);
	return METHOD_DONE;
}

/* NVC197_SET_REPORT_SEMAPHORE_D_REDUCTION_OP */
static uint32_t report_reduce(uint32_t old, uint32_t b, uint32_t op, bool is_signed)
{
	switch (op) {
	case 0:
		return old + b;
	case 1:
		return is_signed ? ((int32_t)old < (int32_t)b ? old : b) : (old < b ? old : b);
	case 2:
		return is_signed ? ((int32_t)old > (int32_t)b ? old : b) : (old > b ? old : b);
	case 3:
		return old >= b ? 0 : old + 1;
	case 4:
		return old == 0 || old > b ? b : old - 1;
	case 5:
		return old & b;
	case 6:
		return old | b;
	default:
		return old ^ b;
	}
}

static enum method_result report_acquire(struct gpu *gpu, struct channel *ch, uint64_t va, uint32_t payload,
					 uint32_t d)
{
	uint64_t fault_va;
	uint32_t v;
	enum mmu_fault_type t = mmu_read(gpu, &ch->space, TLB_HUB, CLIENT_FE, va, &v, 4, &fault_va);

	if (t != MMU_OK)
		return gr_fault(gpu, ch, FIFO_CLIENT_FE, fault_va, MMU_READ, t);
	/* COMPARISON: EQ, GE */
	if (d & BIT(16) ? (int32_t)(v - payload) < 0 : v != payload)
		return METHOD_BUSY;
	LEDGER(gpu, semaphore_acquire);
	return METHOD_DONE;
}

enum method_result report_semaphore(struct gpu *gpu, struct channel *ch, const uint32_t *m, uint32_t d)
{
	uint64_t va = (uint64_t)field(m[SEM_A / 4], 7, 0) << 32 | m[SEM_B / 4];
	uint32_t payload = m[SEM_C / 4];
	bool one_word = d & BIT(28);
	enum method_result r = METHOD_DONE;
	uint64_t value = payload, fault_va;
	enum mmu_fault_type t;
	uint32_t old;

	switch (field(d, 1, 0)) {	/* OPERATION */
	case 1:
		return report_acquire(gpu, ch, va, payload, d);
	case 0:	/* RELEASE */
	case 2:	/* REPORT_ONLY */
		if (!gr_work_done(gpu))
			return METHOD_BUSY;
		/* REPORT 27:23: NONE is the payload; the statistics counters are not modelled and read 0 */
		if (field(d, 27, 23) && !one_word)
			value = 0;
		if (d & BIT(3)) {	/* REDUCTION_ENABLE */
			t = mmu_read(gpu, &ch->space, TLB_HUB, CLIENT_FE, va, &old, 4, &fault_va);
			if (t != MMU_OK)
				return gr_fault(gpu, ch, FIFO_CLIENT_FE, fault_va, MMU_ATOMIC, t);
			value = report_reduce(old, payload, field(d, 11, 9), field(d, 18, 17) == 1);
			one_word = true;
		}
		r = gr_semaphore_write(gpu, ch, FIFO_CLIENT_FE, va, value, one_word);
		break;
	case 3:	/* TRAP */
		break;
	}
	if (r == METHOD_DONE && (d & BIT(20)))	/* AWAKEN_ENABLE */
		fifo_nonstall(gpu, gr_engine(gpu));
	return r;
}

static enum method_result i2m_launch(struct gpu *gpu, struct channel *ch, struct i2m_state *s,
				     const uint32_t *m, uint32_t data)
{
	s->launch = data;
	s->line_bytes = m[I2M_LINE_LENGTH_IN / 4];
	s->lines = m[I2M_LINE_COUNT / 4];
	s->pitch = m[I2M_PITCH_OUT / 4];
	s->va = (uint64_t)field(m[I2M_OFFSET_OUT_UPPER / 4], 16, 0) << 32 | m[I2M_OFFSET_OUT / 4];
	s->sem_va = (uint64_t)field(m[I2M_SEMAPHORE_A / 4], 16, 0) << 32 | m[I2M_SEMAPHORE_B / 4];
	s->sem_payload = m[I2M_SEMAPHORE_C / 4];
	s->offset = 0;
	s->line = 0;
	s->active = s->line_bytes && s->lines;
	if (!(data & I2M_LAUNCH_PITCH) && s->lines > 1 && gr_once(gpu, 0))
		gpu_log(gpu, 0, "channel %u: block-linear inline-to-memory is not modelled", ch->id);
	return METHOD_DONE;
}

static enum method_result i2m_complete(struct gpu *gpu, struct channel *ch, struct i2m_state *s)
{
	enum method_result r = METHOD_DONE;

	s->active = 0;
	if (field(s->launch, 5, 4) == I2M_COMPLETION_SEMAPHORE)
		r = gr_semaphore_write(gpu, ch, FIFO_CLIENT_FE, s->sem_va, s->sem_payload,
				       s->launch & I2M_LAUNCH_ONE_WORD);
	if (r == METHOD_DONE && field(s->launch, 9, 8) == 1)
		fifo_nonstall(gpu, gr_engine(gpu));
	return r;
}

static enum method_result i2m_data(struct gpu *gpu, struct channel *ch, struct i2m_state *s, uint32_t data)
{
	uint32_t n;

	if (!s->active)
		return METHOD_DONE;	/* more than was announced: dropped */
	n = s->line_bytes - s->offset;
	if (n > 4)
		n = 4;
	if ((s->launch & I2M_LAUNCH_PITCH) || s->lines == 1) {
		uint64_t va = s->va + (uint64_t)s->line * s->pitch + s->offset, fault_va;
		enum mmu_fault_type t =
		    mmu_write(gpu, &ch->space, TLB_HUB, CLIENT_FE, va, &data, n, &fault_va);

		if (t != MMU_OK) {
			s->active = 0;
			return gr_fault(gpu, ch, FIFO_CLIENT_FE, fault_va, MMU_WRITE, t);
		}
	}
	s->offset += n;
	if (s->offset < s->line_bytes)
		return METHOD_DONE;
	s->offset = 0;	/* each line begins with a dword of its own */
	if (++s->line < s->lines)
		return METHOD_DONE;
	return i2m_complete(gpu, ch, s);
}

enum method_result i2m_method(struct gpu *gpu, struct channel *ch, struct i2m_state *s, uint32_t *m,
			      uint32_t mthd, uint32_t data)
{
	switch (mthd) {
	case I2M_LAUNCH_DMA:
		return i2m_launch(gpu, ch, s, m, data);
	case I2M_LOAD_INLINE_DATA:
		return i2m_data(gpu, ch, s, data);
	}
	m[mthd / 4] = data;
	return METHOD_DONE;
}

enum method_result class_i2m_method(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data)
{
	struct gr_ctx *ctx = &gpu->gr->ctx;

	if (mthd / 4 >= CLASS_I2M_WORDS) {
		if (gr_once(gpu, 1))
			gpu_log(gpu, 0, "method %04x of class a140 is not modelled", mthd);
		return METHOD_DONE;
	}
	if (mthd == I2M_WAIT_FOR_IDLE)
		return gr_work_done(gpu) ? METHOD_DONE : METHOD_BUSY;
	return i2m_method(gpu, ch, &ctx->i2m[2], ctx->mi2m, mthd, data);
}
