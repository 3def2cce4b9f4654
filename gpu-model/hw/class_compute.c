// SPDX-License-Identifier: MIT
/*
 * PASCAL_COMPUTE_A and _B (c0c0, c1c0): state, inline data, semaphores, and the
 * launch of grids by QMD.
 *
 * Not modelled: queues and dependent QMDs (QMD IS_QUEUE,
 * DEPENDENT_QMD_SCHEDULE_ENABLE), SEND_PCAS_B's ranges.
 *
 * Owns nothing.  Lock order: gpu->lock.  Sources: clc1c0.h, clc0c0qmd.h.
 */
#include <string.h>

#include "hw/gr_priv.h"
#include "hw/qmd.h"
#include "sm/sm.h"

enum {
	CP_WAIT_FOR_IDLE = 0x110,
	CP_I2M_FIRST = 0x180,
	CP_I2M_LAST = 0x1e4,
	CP_SHARED_MEMORY_WINDOW = 0x214,
	CP_INVALIDATE_SHADER_CACHES = 0x21c,
	CP_WAIT_FOR_IDLE_SCG_TYPE = 0x294,
	CP_INVALIDATE_SKED_CACHES = 0x298,
	CP_SHARED_MEMORY_WINDOW_A = 0x2a0,
	CP_SHARED_MEMORY_WINDOW_B = 0x2a4,
	CP_SEND_PCAS_A = 0x2b4,
	CP_SEND_PCAS_B = 0x2b8,
	CP_SEND_SIGNALING_PCAS_B = 0x2bc,
	CP_LOCAL_MEMORY_NON_THROTTLED_A = 0x2e4,
	CP_LOCAL_MEMORY_NON_THROTTLED_B = 0x2e8,
	CP_LOCAL_MEMORY_WINDOW = 0x77c,
	CP_LOCAL_MEMORY_A = 0x790,
	CP_LOCAL_MEMORY_B = 0x794,
	CP_LOCAL_MEMORY_WINDOW_A = 0x7b0,
	CP_LOCAL_MEMORY_WINDOW_B = 0x7b4,
	CP_PROGRAM_REGION_A = 0x1608,
	CP_PROGRAM_REGION_B = 0x160c,
	CP_INVALIDATE_SHADER_CACHES_NO_WFI = 0x1698,
	CP_SET_REPORT_SEMAPHORE_D = 0x1b0c,
};

/* NVC1C0_SEND_SIGNALING_PCAS_B */
#define PCAS_INVALIDATE BIT(0)
#define PCAS_SCHEDULE BIT(1)

#define GR_SKED_STATUS 0x407020

static uint64_t addr49(const uint32_t *m, uint32_t mthd)
{
	return (uint64_t)field(m[mthd / 4], 16, 0) << 32 | m[mthd / 4 + 1];
}

static enum method_result sked_error(struct gpu *gpu, struct channel *ch, uint64_t va, uint32_t err)
{
	gpu_log(gpu, 0, "channel %u: QMD at %#llx is refused: %#x", ch->id, (unsigned long long)va, err);
	hw_set(gpu, GR_SKED_STATUS, err);
	gr_trap_unit(gpu, GR_TRAP_SKED);
	return METHOD_ERROR;
}

static void compute_release(struct qmd_release out[2], const struct qmd *q)
{
	for (unsigned int i = 0; i < 2; i++) {
		out[i].enable = q->release[i].enable;
		out[i].one_word = q->release[i].one_word;
		out[i].reduction = q->release[i].reduction;
		out[i].is_signed = q->release[i].is_signed;
		out[i].va = q->release[i].va;
		out[i].payload = q->release[i].payload;
		out[i].op = q->release[i].op;
	}
}

static enum method_result compute_launch(struct gpu *gpu, struct channel *ch)
{
	struct gr_ctx *ctx = &gpu->gr->ctx;
	const uint32_t *m = ctx->compute;
	uint64_t va = (uint64_t)ctx->pcas_a << 8, fault_va;
	struct qmd_release release[2];
	uint32_t w[QMD_WORDS];
	struct sm_launch l;
	struct qmd q;
	enum mmu_fault_type t;
	int err;

	t = mmu_read(gpu, &ch->space, TLB_HUB, CLIENT_FE, va, w, sizeof(w), &fault_va);
	if (t != MMU_OK)
		return gr_fault(gpu, ch, FIFO_CLIENT_SKED, fault_va, MMU_READ, t);
	err = qmd_parse(w, &q);
	if (err < 0) {
		gpu_log(gpu, 0, "channel %u: QMD version %u.%u is not modelled", ch->id, q.major, q.version);
		return sked_error(gpu, ch, va, 0);
	}
	if (err)
		return sked_error(gpu, ch, va, err);
	if ((q.is_queue || q.dependent) && gr_once(gpu, 24))
		gpu_log(gpu, 0, "channel %u: QMD queues and dependent QMDs are not modelled", ch->id);
	if (q.invalidate_icache && gpu->sm)
		sm_invalidate_icache(gpu->sm);

	memset(&l, 0, sizeof(l));
	l.code_base = addr49(m, CP_PROGRAM_REGION_A);
	l.program_va = l.code_base + q.program_offset;
	for (unsigned int i = 0; i < 3; i++) {
		l.grid[i] = q.grid[i];
		l.block[i] = q.block[i];
	}
	l.regs = q.regs;
	l.shared_size = q.shared_size;
	l.local_low = q.local_low;
	l.local_high = q.local_high;
	l.crs_size = q.crs_size;
	l.barriers = q.barriers;
	l.local_va = addr49(m, CP_LOCAL_MEMORY_A);
	l.local_size_per_tpc = (uint64_t)field(m[CP_LOCAL_MEMORY_NON_THROTTLED_A / 4], 7, 0) << 32 |
			       m[CP_LOCAL_MEMORY_NON_THROTTLED_B / 4];
	l.local_window = m[CP_LOCAL_MEMORY_WINDOW / 4];
	l.shared_window = m[CP_SHARED_MEMORY_WINDOW / 4];
	for (unsigned int i = 0; i < QMD_CONST_BANKS && i < SM_CONST_BANKS; i++) {
		l.cb[i].valid = q.cb[i].valid;
		l.cb[i].va = q.cb[i].va;
		l.cb[i].size = q.cb[i].size;
	}
	l.ignore_oor = !(ctx->warp_esr_report_mask & BIT(SM_ERR_OOR_ADDR));
	compute_release(release, &q);
	return gr_launch(gpu, ch, &l, release);
}

enum method_result class_compute_method(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data)
{
	struct gr_ctx *ctx = &gpu->gr->ctx;
	uint32_t *m = ctx->compute;

	if (mthd / 4 >= CLASS_COMPUTE_WORDS) {
		/* MME shadow methods: c1c0 has no macros of its own */
		if (gr_once(gpu, 25))
			gpu_log(gpu, 0, "method %04x of class c1c0 is not modelled", mthd);
		return METHOD_DONE;
	}
	if (mthd >= CP_I2M_FIRST && mthd <= CP_I2M_LAST)
		return i2m_method(gpu, ch, &ctx->i2m[1], m, mthd, data);
	switch (mthd) {
	case CP_WAIT_FOR_IDLE:
	case CP_WAIT_FOR_IDLE_SCG_TYPE:
		return gr_work_done(gpu) ? METHOD_DONE : METHOD_BUSY;
	case CP_INVALIDATE_SHADER_CACHES:
	case CP_INVALIDATE_SHADER_CACHES_NO_WFI:
		if ((data & BIT(0)) && gpu->sm)
			sm_invalidate_icache(gpu->sm);
		break;
	case SET_SM_TIMEOUT_INTERVAL:
		ctx->m3d[SET_SM_TIMEOUT_INTERVAL / 4] = data;
		break;
	case CP_SHARED_MEMORY_WINDOW_B:
		m[CP_SHARED_MEMORY_WINDOW / 4] = data;
		break;
	case CP_LOCAL_MEMORY_WINDOW_B:
		m[CP_LOCAL_MEMORY_WINDOW / 4] = data;
		break;
	case CP_SEND_PCAS_A:
		ctx->pcas_a = data;
		break;
	case CP_SEND_PCAS_B:
		if (gr_once(gpu, 26))
			gpu_log(gpu, 0, "channel %u: SEND_PCAS_B is not modelled", ch->id);
		break;
	case CP_SEND_SIGNALING_PCAS_B:
		/* NVK puts new programs where old ones were and invalidates code in no other way */
		if ((data & PCAS_INVALIDATE) && gpu->sm)
			sm_invalidate_icache(gpu->sm);
		if (data & PCAS_SCHEDULE)
			return compute_launch(gpu, ch);
		break;
	case CP_SET_REPORT_SEMAPHORE_D:
		return report_semaphore(gpu, ch, m, data);
	}
	m[mthd / 4] = data;
	return METHOD_DONE;
}
