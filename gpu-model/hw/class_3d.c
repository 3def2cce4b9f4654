// SPDX-License-Identifier: MIT
/*
 * PASCAL_A and PASCAL_B (c097, c197): state is kept (it is what macros read
 * back), macros are run, inline data, constant buffer updates and report
 * semaphores are executed.  Drawing is not modelled: logged once, dropped.
 *
 * Owns nothing.  Lock order: gpu->lock.  Source: clc197.h.
 */
#include "hw/gr_priv.h"
#include "sm/sm.h"

enum {
	M3D_WAIT_FOR_IDLE = 0x110,
	M3D_LOAD_MME_INSTRUCTION_RAM_POINTER = 0x114,
	M3D_LOAD_MME_INSTRUCTION_RAM = 0x118,
	M3D_LOAD_MME_START_ADDRESS_RAM_POINTER = 0x11c,
	M3D_LOAD_MME_START_ADDRESS_RAM = 0x120,
	M3D_I2M_FIRST = 0x180,
	M3D_I2M_LAST = 0x1e4,
	M3D_INVALIDATE_SHADER_CACHES = 0x21c,
	M3D_INVALIDATE_SHADER_CACHES_NO_WFI = 0xda4,
	M3D_BEGIN = 0x1618,
	M3D_CLEAR_SURFACE = 0x19d0,
	M3D_SET_REPORT_SEMAPHORE_D = 0x1b0c,
	M3D_SET_FALCON04 = 0x2310,
	M3D_SET_CONSTANT_BUFFER_SELECTOR_B = 0x2384,
	M3D_SET_CONSTANT_BUFFER_SELECTOR_C = 0x2388,
	M3D_LOAD_CONSTANT_BUFFER_OFFSET = 0x238c,
	M3D_LOAD_CONSTANT_BUFFER_FIRST = 0x2390,
	M3D_LOAD_CONSTANT_BUFFER_LAST = 0x23cc,
	M3D_SET_MME_SHADOW_SCRATCH0 = 0x3400,
	M3D_SET_MME_SHADOW_SCRATCH1 = 0x3404,
	M3D_SET_MME_SHADOW_SCRATCH2 = 0x3408,
	M3D_CALL_MME_MACRO0 = 0x3800,
};

static enum method_result m3d_load_constant(struct gpu *gpu, struct channel *ch, uint32_t *m, uint32_t data)
{
	uint32_t off = field(m[M3D_LOAD_CONSTANT_BUFFER_OFFSET / 4], 15, 0);
	uint64_t va = (uint64_t)field(m[M3D_SET_CONSTANT_BUFFER_SELECTOR_B / 4], 7, 0) << 32 |
		      m[M3D_SET_CONSTANT_BUFFER_SELECTOR_C / 4];
	uint64_t fault_va;
	enum mmu_fault_type t;

	t = mmu_write(gpu, &ch->space, TLB_HUB, CLIENT_FE, va + off, &data, 4, &fault_va);
	if (t != MMU_OK)
		return gr_fault(gpu, ch, FIFO_CLIENT_FE, fault_va, MMU_WRITE, t);
	m[M3D_LOAD_CONSTANT_BUFFER_OFFSET / 4] = off + 4;
	return METHOD_DONE;
}

enum method_result class_3d_send(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data)
{
	struct gr_ctx *ctx = &gpu->gr->ctx;
	uint32_t *m = ctx->m3d;

	if (mthd >= M3D_I2M_FIRST && mthd <= M3D_I2M_LAST)
		return i2m_method(gpu, ch, &ctx->i2m[0], m, mthd, data);
	if (mthd >= M3D_LOAD_CONSTANT_BUFFER_FIRST && mthd <= M3D_LOAD_CONSTANT_BUFFER_LAST)
		return m3d_load_constant(gpu, ch, m, data);
	switch (mthd) {
	case M3D_WAIT_FOR_IDLE:
		return gr_work_done(gpu) ? METHOD_DONE : METHOD_BUSY;
	case M3D_LOAD_MME_INSTRUCTION_RAM_POINTER:
		ctx->mme_code_ptr = data;
		break;
	case M3D_LOAD_MME_INSTRUCTION_RAM:
		ctx->mme_code[ctx->mme_code_ptr++ % MME_CODE_WORDS] = data;
		return METHOD_DONE;
	case M3D_LOAD_MME_START_ADDRESS_RAM_POINTER:
		ctx->mme_start_ptr = data;
		break;
	case M3D_LOAD_MME_START_ADDRESS_RAM:
		ctx->mme_start[ctx->mme_start_ptr++ % MME_MACROS] = data;
		return METHOD_DONE;
	case M3D_INVALIDATE_SHADER_CACHES:
	case M3D_INVALIDATE_SHADER_CACHES_NO_WFI:
		if ((data & BIT(0)) && gpu->sm)
			sm_invalidate_icache(gpu->sm);
		break;
	case SET_SM_TIMEOUT_INTERVAL:
		ctx->compute[SET_SM_TIMEOUT_INTERVAL / 4] = data;
		break;
	case M3D_SET_REPORT_SEMAPHORE_D:
		return report_semaphore(gpu, ch, m, data);
	case M3D_SET_FALCON04:
		/* FECS writes a register for the macro and answers in scratch 0 (Mesa com9097.mme,
		 * MACRO_SET_PRIV_REG, and nvk_mme_set_priv_reg()) */
		gr_priv_write(gpu, data, m[M3D_SET_MME_SHADOW_SCRATCH1 / 4], m[M3D_SET_MME_SHADOW_SCRATCH2 / 4]);
		m[M3D_SET_MME_SHADOW_SCRATCH0 / 4] = 1;
		break;
	case M3D_BEGIN:
		if (gr_once(gpu, 16))
			gpu_log(gpu, 0, "channel %u: drawing is not modelled", ch->id);
		break;
	case M3D_CLEAR_SURFACE:
		if (gr_once(gpu, 17))
			gpu_log(gpu, 0, "channel %u: CLEAR_SURFACE is not modelled", ch->id);
		break;
	}
	m[mthd / 4 % CLASS_3D_WORDS] = data;
	return METHOD_DONE;
}

enum method_result class_3d_method(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data)
{
	struct mme_state *s = &gpu->gr->ctx.mme;
	enum method_result r;

	if (s->active || s->send_valid) {
		r = mme_run(gpu, ch);
		if (r == METHOD_BUSY || r == METHOD_FAULT)
			return r;
	}
	if (mthd >= M3D_CALL_MME_MACRO0) {
		unsigned int index = (mthd - M3D_CALL_MME_MACRO0) / 8;

		if (mthd & 4)
			r = mme_param(gpu, ch, data);
		else
			r = mme_call(gpu, ch, index, data);
		if (r != METHOD_DONE)
			return r;
		r = mme_run(gpu, ch);
		/* the call itself is taken; what the macro waits for holds back what follows */
		return r == METHOD_BUSY ? METHOD_DONE : r;
	}
	if (s->active && s->waits)
		return mme_starve(gpu);
	return class_3d_send(gpu, ch, mthd, data);
}
