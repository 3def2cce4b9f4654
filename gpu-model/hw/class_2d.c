// SPDX-License-Identifier: MIT
/*
 * FERMI_TWOD_A (902d): state is kept; drawing is not modelled (logged once by
 * kind, and dropped).  Mesa's compute and buffer paths do not draw with it.
 *
 * Owns nothing.  Lock order: gpu->lock.  Source: cl902d.h.
 */
#include "hw/gr_priv.h"

enum {
	TWOD_WAIT_FOR_IDLE = 0x110,
	TWOD_PIXELS_FROM_CPU_DATA = 0x860,
	TWOD_PIXELS_FROM_MEMORY_SRC_Y0_INT = 0x8dc,	/* the last of its block starts the copy */
	TWOD_RENDER_SOLID_PRIM_POINT_FIRST = 0x600,
	TWOD_RENDER_SOLID_PRIM_POINT_END = 0x800,
	TWOD_MME_METHODS = 0x3400,
};

enum method_result class_2d_method(struct gpu *gpu, struct channel *ch, uint32_t mthd, uint32_t data)
{
	if (mthd == TWOD_WAIT_FOR_IDLE)
		return gr_work_done(gpu) ? METHOD_DONE : METHOD_BUSY;
	if (mthd == TWOD_PIXELS_FROM_MEMORY_SRC_Y0_INT && gr_once(gpu, 8))
		gpu_log(gpu, 0, "channel %u: 902d PIXELS_FROM_MEMORY is not modelled", ch->id);
	if (mthd == TWOD_PIXELS_FROM_CPU_DATA && gr_once(gpu, 9))
		gpu_log(gpu, 0, "channel %u: 902d PIXELS_FROM_CPU is not modelled", ch->id);
	if (mthd >= TWOD_RENDER_SOLID_PRIM_POINT_FIRST && mthd < TWOD_RENDER_SOLID_PRIM_POINT_END &&
	    gr_once(gpu, 10))
		gpu_log(gpu, 0, "channel %u: 902d RENDER_SOLID_PRIM is not modelled", ch->id);
	if (mthd / 4 < CLASS_2D_WORDS)
		gpu->gr->ctx.m2d[mthd / 4] = data;
	else if (mthd < TWOD_MME_METHODS && gr_once(gpu, 11))
		gpu_log(gpu, 0, "method %04x of class 902d is not modelled", mthd);
	return METHOD_DONE;
}
