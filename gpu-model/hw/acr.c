// SPDX-License-Identifier: MIT
/*
 * Access-controlled regions: what the high-secure stand-in firmware does on
 * the falcon that runs it (PMU on GP100, SEC2 on GP104).  It sets up the
 * write-protected region in VRAM, checks that the falcons' images are there,
 * and loads them.
 *
 * Sources: nouveau nvkm/subdev/acr/{base,gm200,gp102}.c, nvfw/acr.h.
 * Not modelled: signatures, protection of the region against the CPU.
 */
#include <string.h>

#include "hw/falcon.h"
#include "hw/mem.h"
#include "hw/units.h"

/* flcn_bl_dmem_desc_v1: what the bootloader finds at DMEM 0 */
enum {
	BL_CODE_DMA_BASE = 36,
	BL_NON_SEC_CODE_OFF = 44,
	BL_DATA_DMA_BASE = 64,
};

/* flcn_acr_desc (GP100) and flcn_acr_desc_v1: addresses are in units of 256 bytes */
struct acr_desc_layout {
	uint32_t nr_regions, start, end, shadow;
};
static const struct acr_desc_layout acr_desc_v0 = { 0x20c, 0x210, 0x214, 0 };
static const struct acr_desc_layout acr_desc_v1 = { 0x21c, 0x220, 0x224, 0x238 };

/* wpr_header and wpr_header_v1 */
enum {
	WPR_FALCON_ID = 0,
	WPR_LSB_OFFSET = 4,
	WPR_HEADER_SIZE = 20,
	WPR_HEADER_V1_SIZE = 24,
	WPR_MAX_LSF = 11,
	WPR_STATUS_BOOTSTRAP_READY = 6,
};
#define WPR_FALCON_ID_INVALID 0xffffffffu
/* The region is 256 KiB and more, multiples of 128 KiB: granularity of register 100cd4 */
#define WPR_MAX_SIZE (16 * MiB)

/* Falcon ids: nouveau enum nvkm_acr_lsf_id */
enum { LSF_PMU = 0, LSF_FECS = 2, LSF_GPCCS = 3, LSF_SEC2 = 7 };

/* Error codes of our own */
enum { ACR_OK = 0, ACR_ERROR_NO_WPR = 1, ACR_ERROR_NO_IMAGE = 2, ACR_ERROR_FALCON = 3 };

static struct falcon *acr_falcon(struct gpu *gpu, uint32_t id)
{
	switch (id) {
	case LSF_PMU:
		return &gpu->units->pmu;
	case LSF_FECS:
		return &gpu->units->fecs;
	case LSF_GPCCS:
		return &gpu->units->gpccs;
	case LSF_SEC2:
		return gpu->units->sec2.ops ? &gpu->units->sec2 : NULL;
	default:
		return NULL;
	}
}

/* Address of the region's header for falcon @id, 0 when it has none. */
static uint64_t wpr_find(struct gpu *gpu, uint32_t id, size_t size)
{
	const struct wpr *w = &gpu->units->wpr;

	for (unsigned int i = 0; i < WPR_MAX_LSF; i++) {
		uint64_t at = w->start + i * size;
		uint32_t fid = mem_rd32(gpu, CLIENT_FECS, AP_VRAM, at + WPR_FALCON_ID);
		uint32_t lsb = mem_rd32(gpu, CLIENT_FECS, AP_VRAM, at + WPR_LSB_OFFSET);

		if (fid == WPR_FALCON_ID_INVALID)
			break;
		if (fid == id)
			return lsb && lsb < w->end - w->start ? at : 0;
	}
	return 0;
}

uint32_t acr_bootstrap(struct gpu *gpu, uint32_t id)
{
	bool v1 = gpu->cfg.chip != CHIP_GP100;
	size_t size = v1 ? WPR_HEADER_V1_SIZE : WPR_HEADER_SIZE;
	struct falcon *f = acr_falcon(gpu, id);
	uint64_t hdr;

	if (!gpu->units->wpr.end)
		return ACR_ERROR_NO_WPR;
	if (!f)
		return ACR_ERROR_FALCON;
	hdr = wpr_find(gpu, id, size);
	if (!hdr)
		return ACR_ERROR_NO_IMAGE;
	if (id == LSF_FECS || id == LSF_GPCCS)
		falcon_reset(gpu, f);
	f->ls_loaded = true;
	memset(f->tagged, 0, sizeof(f->tagged));
	/* status is the last word of both headers */
	mem_wr32(gpu, CLIENT_FECS, AP_VRAM, hdr + size - 4, WPR_STATUS_BOOTSTRAP_READY);
	return ACR_OK;
}

static bool acr_copy_shadow(struct gpu *gpu, uint64_t from, uint64_t to, uint64_t len)
{
	uint8_t buf[4096];

	for (uint64_t done = 0; done < len; done += sizeof(buf)) {
		if (mem_read(gpu, CLIENT_FECS, AP_VRAM, from + done, buf, sizeof(buf)) ||
		    mem_write(gpu, CLIENT_FECS, AP_VRAM, to + done, buf, sizeof(buf)))
			return false;
	}
	return true;
}

bool acr_load(struct gpu *gpu, struct falcon *f, uint64_t image, uint64_t data)
{
	const struct acr_desc_layout *l = gpu->cfg.chip == CHIP_GP100 ? &acr_desc_v0 : &acr_desc_v1;
	uint32_t nr = 0, start = 0, end = 0, shadow = 0;
	struct wpr *w = &gpu->units->wpr;

	if (falcon_dma_read(gpu, f, data + l->nr_regions, &nr, 4) ||
	    falcon_dma_read(gpu, f, data + l->start, &start, 4) ||
	    falcon_dma_read(gpu, f, data + l->end, &end, 4) ||
	    (l->shadow && falcon_dma_read(gpu, f, data + l->shadow, &shadow, 4)))
		return false;
	w->start = (uint64_t)start << 8;
	w->end = (uint64_t)end << 8;
	if (!nr || w->end <= w->start || w->end > gpu->vram_size || w->end - w->start > WPR_MAX_SIZE ||
	    (w->end - w->start) % 4096) {
		gpu_log(gpu, 1, "acr: bad region %#llx..%#llx", (unsigned long long)w->start,
			(unsigned long long)w->end);
		*w = (struct wpr){ 0 };
		return false;
	}
	if (shadow && !acr_copy_shadow(gpu, (uint64_t)shadow << 8, w->start, w->end - w->start))
		return false;
	if (gpu->cfg.chip == CHIP_GP100) {
		/* no service falcon: everything is loaded now */
		acr_bootstrap(gpu, LSF_FECS);
		acr_bootstrap(gpu, LSF_GPCCS);
	} else {
		acr_bootstrap(gpu, LSF_SEC2);
	}
	return true;
}

void acr_unload(struct gpu *gpu)
{
	gpu->units->wpr = (struct wpr){ 0 };
}

void acr_run_hs(struct gpu *gpu, struct falcon *f)
{
	char name[STANDIN_NAME_SIZE];
	uint64_t code = falcon_dmem_rd32(f, BL_CODE_DMA_BASE) |
			(uint64_t)falcon_dmem_rd32(f, BL_CODE_DMA_BASE + 4) << 32;
	uint64_t data = falcon_dmem_rd32(f, BL_DATA_DMA_BASE) |
			(uint64_t)falcon_dmem_rd32(f, BL_DATA_DMA_BASE + 4) << 32;

	if (falcon_dma_read(gpu, f, code + falcon_dmem_rd32(f, BL_NON_SEC_CODE_OFF), name, sizeof(name))) {
		falcon_halt(gpu, f, FALCON_MBOX_UNKNOWN_FIRMWARE);
	} else if (!memcmp(name, STANDIN_ACR_LOAD, sizeof(name))) {
		bool ok = acr_load(gpu, f, code, data);

		falcon_halt(gpu, f, ok ? 0 : FALCON_MBOX_UNKNOWN_FIRMWARE);
	} else if (!memcmp(name, STANDIN_ACR_UNLOAD, sizeof(name))) {
		acr_unload(gpu);
		/* what nouveau expects: gp102_acr_unload_fwif[], gm200_acr_unload_fwif[] */
		falcon_halt(gpu, f, gpu->cfg.chip == CHIP_GP100 ? 0 : 0x1d);
	} else {
		gpu_log(gpu, 1, "%s: high-secure firmware without a name", f->ops->name);
		falcon_halt(gpu, f, FALCON_MBOX_UNKNOWN_FIRMWARE);
	}
}
