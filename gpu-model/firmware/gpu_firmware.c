// SPDX-License-Identifier: MIT
/*
 * gpu-firmware OUTDIR: writes OUTDIR/nvidia/{gp100,gp104}/..., the stand-in
 * firmware that lets an unmodified nouveau drive the model.
 *
 * The containers follow nouveau's readers: nvfw/{fw,hs,ls,acr,flcn}.h,
 * nvkm/falcon/fw.c, nvkm/subdev/acr/lsfw.c, nvkm/engine/gr/gk20a.c.  They
 * hold a name (standin.h) and filler, no code.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "firmware/standin.h"

#define BIN_MAGIC 0x3b1d14f0u /* nvkm_falcon_fw_ctor_hs(): the earlier format */
#define PAGE 0x100u /* falcon code comes in pages of 256 bytes */

struct bin_hdr {
	uint32_t magic, version, size, header_offset, data_offset, data_size;
};

struct bl_desc {
	uint32_t start_tag, dmem_load_off, code_off, code_size, data_off, data_size;
};

struct hs_header {
	uint32_t sig_dbg_offset, sig_dbg_size, sig_prod_offset, sig_prod_size;
	uint32_t patch_loc, patch_sig, hdr_offset, hdr_size;
};

struct hs_load_header {
	uint32_t non_sec_code_off, non_sec_code_size, data_dma_base, data_size, nr_apps, app_offset, app_size;
};

/* lsf_signature: 76 bytes; lsf_signature_v1: 192 */
struct lsf_signature {
	uint8_t prd_keys[2][16], dbg_keys[2][16];
	uint32_t prd_present, dbg_present, falcon_id;
};
struct lsf_signature_v1 {
	struct lsf_signature v0;
	uint32_t supports_versioning, version, depmap_count;
	uint8_t depmap[11 * 2 * 4], kdf[16];
};
_Static_assert(sizeof(struct lsf_signature) == 76, "nouveau compares the size");
_Static_assert(sizeof(struct lsf_signature_v1) == 192, "nouveau compares the size");

/* nvfw_ls_desc_v1 */
struct ls_desc_v1 {
	uint32_t descriptor_size, image_size, tools_version, app_version;
	char date[64];
	uint32_t bl_start_offset, bl_size, bl_imem_offset, bl_entry_point;
	uint32_t app_start_offset, app_size, app_imem_offset, app_imem_entry, app_dmem_offset;
	uint32_t code_offset, code_size, data_offset, data_size;
	uint32_t nr_imem_overlays, nr_dmem_overlays;
	struct {
		uint32_t start, size;
	} overlay[64];
	uint32_t compressed;
};
_Static_assert(sizeof(struct ls_desc_v1) == 656, "nvfw_ls_desc_v1");

/* nvkm_acr_lsf_id */
enum { LSF_FECS = 2, LSF_GPCCS = 3, LSF_SEC2 = 7 };

/* Where the host puts a bootloader: the last page of a 32 KiB IMEM would have tag 7f; any tag does */
#define BL_START_TAG 0xfdu

static const char *outdir;

static void die(const char *what)
{
	fprintf(stderr, "gpu-firmware: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void make_parents(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			die(path);
		*p = '/';
	}
}

static void put(const char *chip, const char *name, const void *buf, size_t len)
{
	char path[4096], tmp[4096 + 8];
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/nvidia/%s/%s", outdir, chip, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		die(outdir);
	}
	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	make_parents(path);
	/* by a rename: a guest that boots meanwhile sees whole files only */
	f = fopen(tmp, "wb");
	if (!f || fwrite(buf, 1, len, f) != len || fclose(f) || rename(tmp, path))
		die(path);
}

/* A bootloader: header at 0x20, one page of code at 0x100. */
static void put_bl(const char *chip, const char *name, const char *code)
{
	enum { HEADER = 0x20, DATA = 0x100 };
	uint8_t img[DATA + PAGE] = { 0 };
	struct bin_hdr hdr = { BIN_MAGIC, 1, sizeof(img), HEADER, DATA, PAGE };
	struct bl_desc desc = { .start_tag = BL_START_TAG, .code_size = PAGE };

	memcpy(img, &hdr, sizeof(hdr));
	memcpy(img + HEADER, &desc, sizeof(desc));
	memcpy(img + DATA, code, STANDIN_NAME_SIZE);
	put(chip, name, img, sizeof(img));
}

/* A high-secure image: non-secure code, secure code, data. */
static void put_hs(const char *chip, const char *name, const char *code)
{
	enum { HEADER = 0x20, SIG_DBG = 0x60, SIG_PROD = 0x70, SIG_SIZE = 16, LOAD = 0x80, DATA = 0x100 };
	enum { SIZE = STANDIN_ACR_DATA + STANDIN_ACR_DATA_SIZE };
	uint8_t img[DATA + SIZE] = { 0 };
	struct bin_hdr hdr = { BIN_MAGIC, 1, sizeof(img), HEADER, DATA, SIZE };
	struct hs_header hs = { SIG_DBG,	  SIG_SIZE, SIG_PROD, SIG_SIZE,
				STANDIN_ACR_DATA, 0,	    LOAD,     sizeof(struct hs_load_header) };
	struct hs_load_header load = {
		0, STANDIN_ACR_CODE, STANDIN_ACR_DATA, STANDIN_ACR_DATA_SIZE, 1, STANDIN_ACR_CODE, PAGE
	};

	memcpy(img, &hdr, sizeof(hdr));
	memcpy(img + HEADER, &hs, sizeof(hs));
	memcpy(img + LOAD, &load, sizeof(load));
	memcpy(img + DATA, code, STANDIN_NAME_SIZE);
	put(chip, name, img, sizeof(img));
}

static void put_sig(const char *chip, const char *name, uint32_t falcon, int v1)
{
	struct lsf_signature_v1 sig = { .v0 = { .prd_present = 1, .dbg_present = 1, .falcon_id = falcon } };

	put(chip, name, &sig, v1 ? sizeof(sig) : sizeof(sig.v0));
}

static void put_page(const char *chip, const char *name, const char *code)
{
	uint8_t page[PAGE] = { 0 };

	memcpy(page, code, STANDIN_NAME_SIZE);
	put(chip, name, page, sizeof(page));
}

static void put_sec2(const char *chip)
{
	uint8_t img[3 * PAGE] = { 0 };
	struct ls_desc_v1 desc = {
		.descriptor_size = sizeof(desc),
		.image_size = sizeof(img),
		.bl_size = PAGE,
		.app_start_offset = PAGE,
		.app_size = 2 * PAGE,
		.code_size = PAGE,
		.data_offset = PAGE,
		.data_size = PAGE,
	};

	memcpy(img, STANDIN_BOOTLOADER, STANDIN_NAME_SIZE);
	memcpy(img + PAGE, STANDIN_RTOS, STANDIN_NAME_SIZE);
	/* nouveau asks for the second version first, and takes the first if that is not there */
	put(chip, "sec2/image-1.bin", img, sizeof(img));
	put(chip, "sec2/desc-1.bin", &desc, sizeof(desc));
	put_sig(chip, "sec2/sig-1.bin", LSF_SEC2, 1);
	put(chip, "sec2/image.bin", img, sizeof(img));
	put(chip, "sec2/desc.bin", &desc, sizeof(desc));
	put_sig(chip, "sec2/sig.bin", LSF_SEC2, 1);
}

/*
 * GR's register lists.  NVIDIA's hold what a context starts with; the model needs none of
 * it, nouveau one record a file.  {address, data}, {address, index, data}.
 */
static void put_gr_lists(const char *chip)
{
	static const uint32_t nonctx[] = { 0x404154, 0x00000000 }; /* FE idle timeout: none */
	static const uint32_t ctx[] = { 0x404004, 0, 0x00000000 }; /* FE state at start: zero */
	static const uint32_t bundle[] = { 0x00001000,
					   0x00000001 }; /* first bundle of every list in nouveau */
	static const uint32_t method[] = { 0x01000000 | 0x902d, 0x00000000 }; /* 2D no-operation */

	put(chip, "gr/sw_nonctx.bin", nonctx, sizeof(nonctx));
	put(chip, "gr/sw_ctx.bin", ctx, sizeof(ctx));
	put(chip, "gr/sw_bundle_init.bin", bundle, sizeof(bundle));
	put(chip, "gr/sw_method_init.bin", method, sizeof(method));
}

static void put_chip(const char *chip, int has_sec2)
{
	put_bl(chip, "acr/bl.bin", STANDIN_BOOTLOADER);
	put_hs(chip, "acr/ucode_load.bin", STANDIN_ACR_LOAD);
	put_hs(chip, "acr/ucode_unload.bin", STANDIN_ACR_UNLOAD);
	if (has_sec2) {
		put_bl(chip, "acr/unload_bl.bin", STANDIN_BOOTLOADER);
		put_sec2(chip);
		/* opens locked memory; never run, since the model's is not locked (register 100cd0) */
		put_hs(chip, "nvdec/scrubber.bin", STANDIN_SCRUBBER);
	}
	put_bl(chip, "gr/fecs_bl.bin", STANDIN_BOOTLOADER);
	put_page(chip, "gr/fecs_inst.bin", STANDIN_FECS);
	put_page(chip, "gr/fecs_data.bin", STANDIN_FECS);
	put_sig(chip, "gr/fecs_sig.bin", LSF_FECS, has_sec2);
	put_bl(chip, "gr/gpccs_bl.bin", STANDIN_BOOTLOADER);
	put_page(chip, "gr/gpccs_inst.bin", STANDIN_GPCCS);
	put_page(chip, "gr/gpccs_data.bin", STANDIN_GPCCS);
	put_sig(chip, "gr/gpccs_sig.bin", LSF_GPCCS, has_sec2);
	put_gr_lists(chip);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: gpu-firmware OUTDIR\n");
		return 2;
	}
	outdir = argv[1];
	put_chip("gp100", 0);
	put_chip("gp104", 1);
	return 0;
}
