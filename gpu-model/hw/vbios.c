// SPDX-License-Identifier: MIT
/*
 * The board's VBIOS, as the PROM window of BAR0 shows it.  The image is made
 * here from the structures below; it holds what nouveau looks for and, as code,
 * a stand-in for the devinit application that runs on the PMU.
 *
 * Sources: nouveau nvkm/subdev/bios/ (bit.c, pcir.c, M0203.c, rammap.c, pmu.c,
 * dcb.c), nvkm/subdev/devinit/gm200.c; PCI firmware specification (option ROM);
 * envytools vbios documentation (BIT).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/standin.h"
#include "hw/units.h"

enum { PROM_BASE = 0x300000, PROM_SIZE = 0x100000, ROM_SIZE = 0x1000, ROM_UNIT = 512 };

#define PACKED __attribute__((packed))

/* PCI option ROM header */
struct PACKED rom_header {
	uint16_t signature; /* aa55 */
	uint8_t size; /* in units of 512 bytes */
	uint8_t entry[21];
	uint16_t pcir; /* 0x18 */
	uint8_t pad[0x36 - 0x1a];
	uint16_t dcb; /* 0x36: nouveau dcb_table() */
};

struct PACKED pcir {
	char signature[4];
	uint16_t vendor, device, vpd, length;
	uint8_t revision, class_code[3];
	uint16_t image_size, code_revision;
	uint8_t type, last;
	uint16_t runtime_size;
};

struct PACKED bit_header {
	uint8_t magic[2]; /* ff b8 */
	char name[4]; /* "BIT" */
	uint16_t version;
	uint8_t header_size, entry_size, nr_entries, checksum;
};

struct PACKED bit_entry {
	uint8_t id, version;
	uint16_t length, offset;
};

/* BIT 'i': version of the image.  Longer than 14 bytes: nouveau nvbios_init_table */
struct PACKED bit_version {
	uint8_t micro, minor, chip, major, patch;
	uint8_t pad[11];
	uint8_t more[16];
};

/* BIT 'I': what devinit needs.  nouveau gm200_devinit_post() */
struct PACKED bit_init {
	uint8_t pad[0x14];
	uint16_t tables, tables_size;
	uint16_t scripts, scripts_size;
};

/* BIT 'M' version 2: memory */
struct PACKED bit_memory {
	uint8_t straps;
	uint16_t xlat, m0203;
	uint8_t pad[11];
};

/* BIT 'P' version 2: performance.  nouveau nvbios_rammapTe() */
struct PACKED bit_perf {
	uint32_t perf, rammap;
	uint8_t pad[0x38];
};

/* BIT 'p': PMU applications.  nouveau nvbios_pmuTe() */
struct PACKED bit_pmu {
	uint32_t table, pad;
};

/* Memory type by strap: nouveau nvbios_M0203Em() */
struct PACKED m0203 {
	uint8_t version, header_size, entry_size, nr_entries;
	uint8_t type;
	uint16_t pointer;
	uint8_t entry_type, entry_group;
};
/* nouveau M0203E_TYPE: HBM2 and GDDR5 */
enum { MEMORY_HBM2 = 6, MEMORY_GDDR5 = 3 };

struct PACKED rammap {
	uint8_t version, header_size, entry_size, sub_size, nr_sub, nr_entries;
	uint8_t pad[10];
	uint32_t scripts; /* 0x10 */
	uint8_t nr_scripts; /* 0x14: nouveau gp100_ram_init() */
	uint8_t more[3];
};

struct PACKED pmu_table {
	uint8_t version, header_size, entry_size, nr_entries;
	uint8_t app_type, pad;
	uint32_t app;
};
enum { PMU_APP_DEVINIT = 4 }; /* nouveau gm200_devinit_post() */

/* A PMU application: nouveau nvbios_pmuRm() */
struct PACKED pmu_app {
	uint32_t pad0, pad1;
	uint32_t init_addr, args_addr;
	uint32_t imem_base, pad14;
	uint32_t boot_start, boot_end;
	uint32_t code_size;
	uint32_t data_offset, data_addr, data_size;
	/* 0x30 */
	char boot[0x100]; /* begins with the stand-in's name */
	uint8_t code[0x100];
	uint32_t data[0x40];
};

/* DMEM of the devinit application: arguments at 0, which point to where tables and scripts go */
enum {
	DEVINIT_ARGS = 0x00,
	DEVINIT_ARGS_TABLES_PTR = DEVINIT_ARGS + 0x08,
	DEVINIT_PTRS = 0x20,
	DEVINIT_TABLES = 0x400,
	DEVINIT_SCRIPTS = 0x500,
};

struct PACKED dcb {
	uint8_t version, header_size, nr_entries, entry_size;
	uint16_t conn;
	uint32_t signature; /* 4edcbdcb: nouveau dcb_table() */
	uint8_t pad[0x23 - 10];
};

enum { NR_BIT = 5 };

struct PACKED vbios {
	struct rom_header rom;
	uint8_t pad0[8];
	struct pcir pcir;
	uint8_t pad1[0x40];
	struct bit_header bit;
	struct bit_entry entry[NR_BIT];
	struct bit_version version;
	struct bit_init init;
	struct bit_memory memory;
	struct bit_perf perf;
	struct bit_pmu pmu;
	struct m0203 m0203;
	struct rammap rammap;
	struct pmu_table pmu_table;
	struct dcb dcb;
	uint32_t tables[4];
	uint32_t scripts[4];
	struct pmu_app devinit;
	uint8_t checksum;
};
_Static_assert(sizeof(struct vbios) <= ROM_SIZE, "the image fits");
_Static_assert(offsetof(struct rom_header, pcir) == 0x18, "option ROM header");
_Static_assert(offsetof(struct rom_header, dcb) == 0x36, "pointer to the DCB");
_Static_assert(offsetof(struct pmu_app, boot) == 0x30, "PMU application header");
_Static_assert(sizeof(struct bit_init) >= 0x1c, "gm200_devinit_post() wants 28 bytes");

#define AT(member) ((uint16_t)offsetof(struct vbios, member))
#define BIT_ENTRY(id_, version_, member)                                                                     \
	((struct bit_entry){ (id_), (version_), sizeof(((struct vbios *)0)->member), AT(member) })

static void vbios_fill_devinit(struct vbios *v)
{
	struct pmu_app *a = &v->devinit;

	a->init_addr = 0;
	a->args_addr = DEVINIT_ARGS;
	a->boot_end = sizeof(a->boot);
	a->code_size = sizeof(a->code);
	a->data_offset = offsetof(struct pmu_app, data) - offsetof(struct pmu_app, boot);
	a->data_size = sizeof(a->data);
	memcpy(a->boot, STANDIN_DEVINIT, STANDIN_NAME_SIZE);
	a->data[DEVINIT_ARGS_TABLES_PTR / 4] = DEVINIT_PTRS;
	a->data[(DEVINIT_PTRS + 0x08) / 4] = DEVINIT_TABLES;
	a->data[(DEVINIT_PTRS + 0x10) / 4] = DEVINIT_SCRIPTS;
}

static void vbios_fill(struct vbios *v, enum gpu_chip chip)
{
	v->rom.signature = 0xaa55;
	v->rom.size = ROM_SIZE / ROM_UNIT;
	v->rom.pcir = AT(pcir);
	v->rom.dcb = AT(dcb);
	v->pcir = (struct pcir){
		.signature = { 'P', 'C', 'I', 'R' },
		.vendor = 0x10de,
		.device = chip == CHIP_GP100 ? 0x15f8 : 0x1bb3,
		.length = sizeof(struct pcir),
		.revision = 3,
		.class_code = { 0x00, 0x02, 0x03 }, /* 3D controller */
		.image_size = ROM_SIZE / ROM_UNIT,
		.last = 0x80,
		.runtime_size = ROM_SIZE / ROM_UNIT,
	};
	v->bit = (struct bit_header){
		.magic = { 0xff, 0xb8 },
		.name = "BIT",
		.version = 0x0100,
		.header_size = sizeof(struct bit_header),
		.entry_size = sizeof(struct bit_entry),
		.nr_entries = NR_BIT,
	};
	v->entry[0] = BIT_ENTRY('i', 2, version);
	v->entry[1] = BIT_ENTRY('I', 1, init);
	v->entry[2] = BIT_ENTRY('M', 2, memory);
	v->entry[3] = BIT_ENTRY('P', 2, perf);
	v->entry[4] = BIT_ENTRY('p', 2, pmu);
	v->version = (struct bit_version){
		.major = 0x86,
		.chip = chip == CHIP_GP100 ? 0x00 : 0x04,
	};
	v->init.tables = AT(tables);
	v->init.tables_size = sizeof(v->tables);
	v->init.scripts = AT(scripts);
	v->init.scripts_size = sizeof(v->scripts);
	v->memory.m0203 = AT(m0203);
	v->perf.rammap = AT(rammap);
	v->pmu.table = AT(pmu_table);
	v->m0203 = (struct m0203){
		.version = 0x10,
		.header_size = offsetof(struct m0203, entry_type),
		.entry_size = 2,
		.nr_entries = 1,
		.entry_type = chip == CHIP_GP100 ? MEMORY_HBM2 : MEMORY_GDDR5,
	};
	v->rammap = (struct rammap){
		.version = 0x11,
		.header_size = sizeof(struct rammap),
		.entry_size = 0x10,
		.sub_size = 0x10,
	};
	v->pmu_table = (struct pmu_table){
		.version = 1,
		.header_size = offsetof(struct pmu_table, app_type),
		.entry_size = 6,
		.nr_entries = 1,
		.app_type = PMU_APP_DEVINIT,
		.app = AT(devinit),
	};
	v->dcb = (struct dcb){
		.version = 0x41,
		.header_size = sizeof(struct dcb),
		.entry_size = 8,
		.signature = 0x4edcbdcb,
	};
	vbios_fill_devinit(v);
}

static int vbios_init(struct gpu *gpu)
{
	struct hw_units *u = gpu->units;
	uint8_t sum = 0;

	u->vbios_size = ROM_SIZE;
	u->vbios = calloc(1, ROM_SIZE);
	if (!u->vbios)
		return -ENOMEM;
	vbios_fill((struct vbios *)u->vbios, gpu->cfg.chip);
	for (size_t i = 0; i < ROM_SIZE; i++)
		sum += u->vbios[i];
	((struct vbios *)u->vbios)->checksum -= sum;
	return 0;
}

static bool prom_read(struct gpu *gpu, uint32_t addr, uint32_t *val)
{
	uint32_t off = addr - PROM_BASE;

	/* beyond the image: erased flash */
	*val = 0xffffffff;
	if (off + 4 <= gpu->units->vbios_size)
		memcpy(val, gpu->units->vbios + off, 4);
	return true;
}

static bool prom_write(struct gpu *gpu, uint32_t addr, uint32_t val)
{
	return true; /* a flash ROM: plain writes do nothing */
}

const struct hw_block hw_vbios = {
	.name = "prom",
	.base = PROM_BASE,
	.size = PROM_SIZE,
	.init = vbios_init,
	.read = prom_read,
	.write = prom_write,
};
