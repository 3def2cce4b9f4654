/* SPDX-License-Identifier: MIT */
/*
 * The graphics engine's context switching, as its front-end falcon (FECS) sees
 * it.  hw/gr.c owns which channel is resident; hw/fecs.c owns the falcon's
 * registers and methods and calls these.
 */
#ifndef HW_GR_H
#define HW_GR_H

#include "gpu.h"

/*
 * Bytes of a context image, as FECS answers method 0x10.  nouveau keeps a
 * golden image of this size plus its own 0x80000 bytes (gf100_grctx_generate).
 */
#define GR_CTX_IMAGE_SIZE 0x10000u
/* Bytes of the zcull and performance-monitor images (methods 0x16, 0x25). */
#define GR_CTX_ZCULL_SIZE 0x1000u
#define GR_CTX_PM_SIZE 0x1000u

/**
 * gr_ctxsw_pause() - FECS method 0x38: no context switch starts until resumed.
 * The resident channel stays; a switch that has begun ends first.
 * Context of all: gpu->lock held.
 */
void gr_ctxsw_pause(struct gpu *gpu);
/** gr_ctxsw_resume() - FECS method 0x39. */
void gr_ctxsw_resume(struct gpu *gpu);

/**
 * gr_ctxsw_bind() - FECS method 0x03: make a context resident outside the runlist
 * (nouveau does so once, to make its golden image).
 * @inst: byte address of the instance block in VRAM; 0 drops the one that was bound so
 * (nouveau clears the valid bit of 409b00 when its golden image is saved).
 * Return: 0, -EBUSY while a channel of the runlist is resident, or -EFAULT.
 */
int gr_ctxsw_bind(struct gpu *gpu, uint64_t inst);

/**
 * gr_golden_save() - FECS method 0x09: write the image of the context made
 * resident by gr_ctxsw_bind() to the memory that its instance names (offset 0x210).
 * Return: 0 or -EFAULT.
 */
int gr_golden_save(struct gpu *gpu, uint64_t inst);

/**
 * gr_current_inst() - register 409b00, CURRENT_CTX.
 * Return: bit 31 (valid) | instance block >> 12, or 0 when no channel is resident.
 */
uint32_t gr_current_inst(struct gpu *gpu);

/*
 * How the SMs of the configuration lie in the chip (hw/fecs.c): GP104 has one SM in a
 * texture processing cluster, GP100 two; at most 5 TPCs make a GPC, at most 6 GPCs a chip.
 */
#define GR_MAX_GPCS 6u
#define GR_MAX_TPCS_PER_GPC 5u
unsigned int gr_sms_per_tpc(const struct gpu *gpu);
unsigned int gr_tpcs(const struct gpu *gpu);
unsigned int gr_gpcs(const struct gpu *gpu);
unsigned int gr_gpc_tpcs(const struct gpu *gpu, unsigned int gpc);

/**
 * gr_reset() - the engine's reset bit (PMC 000200) was pulsed: the resident channel is
 * dropped, parked accesses are forgotten, launched grids end.
 */
void gr_reset(struct gpu *gpu);

#endif
