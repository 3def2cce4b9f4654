// SPDX-License-Identifier: MIT
/* PRAMIN, BAR1, BAR2: physical and translated, every access size, faults; the VBIOS window. */
#include "harness.h"

#include "hw/units.h"

enum { BAR1 = 1, BAR2 = 3 };

static struct harness h;
static struct h_space s;

static int setup(void **state)
{
	h_new(&h, NULL);
	h_space_new(&h, &s);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

static uint32_t rd(uint32_t addr)
{
	return hw_rd32(h.gpu, addr);
}

static void wr(uint32_t addr, uint32_t val)
{
	hw_wr32(h.gpu, addr, val);
}

static void pramin(void **state)
{
	wr(0x001700, 0x00000012);
	wr(0x700004, 0xcafe0123);
	assert_int_equal(*(uint32_t *)(h.gpu->vram + 0x120004), 0xcafe0123);
	*(uint32_t *)(h.gpu->vram + 0x21fffc) = 0x55aa55aa;
	assert_int_equal(rd(0x7ffffc), 0x55aa55aa);
	assert_int_equal(h_count(&h, LEDGER_pramin_read), 1);
	assert_int_equal(h_count(&h, LEDGER_pramin_write), 1);
	/* over system memory: target 2 */
	wr(0x001700, 0x02000000 | (uint32_t)(H_IOVA >> 16));
	wr(0x700010, 0x11223344);
	assert_int_equal(*(uint32_t *)(h.sys + 0x10), 0x11223344);
}

static void pramin_beyond_vram(void **state)
{
	wr(0x001700, (uint32_t)(h.gpu->vram_size >> 16));
	assert_int_equal(rd(0x700000), 0xffffffff);
	wr(0x700000, 0);
	assert_true(san_count(h.gpu, SAN_vram_outside) >= 1);
}

static void physical_until_bound(void **state)
{
	hw_bar_write(h.gpu, BAR2, 0x100000, 4, 0x01020304);
	assert_int_equal(*(uint32_t *)(h.gpu->vram + 0x100000), 0x01020304);
	assert_int_equal(hw_bar_read(h.gpu, BAR1, 0x100000, 4), 0x01020304);
	assert_int_equal(hw_bar_read(h.gpu, BAR1, 0x100002, 2), 0x0102);
}

static void sizes_at(int bar, uint64_t va, uint8_t *mem)
{
	for (unsigned int size = 1; size <= 8; size *= 2) {
		for (unsigned int off = 0; off < 16; off += size) {
			uint64_t v = 0x1122334455667788ull * (off + 1), want = 0;

			hw_bar_write(h.gpu, bar, va + off, size, v);
			memcpy(&want, mem + off, size);
			assert_memory_equal(mem + off, &v, size);
			assert_int_equal(hw_bar_read(h.gpu, bar, va + off, size), want);
		}
	}
	/* an access that straddles its size is no access that a CPU makes */
	hw_bar_write(h.gpu, bar, va + 1, 4, 0);
	assert_int_equal(hw_bar_read(h.gpu, bar, va + 1, 4), UINT64_MAX);
}

static void translated(void **state)
{
	uint64_t page = h_alloc(&h, 4096);

	h_map(&h, &s, 0x5000, 12, AP_VRAM, page, 0);
	h_map(&h, &s, 0x7000, 12, AP_SYS_COH, H_IOVA + 0x3000, 0);
	wr(0x001704, 0x80000000 | (uint32_t)(s.inst >> 12));
	wr(0x001714, 0x80000000 | (uint32_t)(s.inst >> 12));
	sizes_at(BAR1, 0x5000, h.gpu->vram + page);
	sizes_at(BAR2, 0x5000, h.gpu->vram + page);
	sizes_at(BAR2, 0x7000, h.sys + 0x3000);
	/* unbound again: physical */
	wr(0x001704, 0);
	assert_int_equal(hw_bar_read(h.gpu, BAR1, page, 1), h.gpu->vram[page]);
	assert_int_equal(h_findings(&h), 0);
}

static void faults(void **state)
{
	uint64_t page = h_alloc(&h, 4096);

	h_map(&h, &s, 0x5000, 12, AP_VRAM, page, PTE_RO);
	wr(0x001704, 0x80000000 | (uint32_t)(s.inst >> 12));
	assert_int_equal(hw_bar_read(h.gpu, BAR1, 0x9000, 8), UINT64_MAX);
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 1);
	/* engine 4 is BAR1 */
	assert_int_equal(rd(0x002800 + 16 * 4), s.inst >> 12);
	h.gpu->vram[page] = 7;
	hw_bar_write(h.gpu, BAR1, 0x5000, 1, 9);
	assert_int_equal(h.gpu->vram[page], 7);
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 2);
}

/* An instance block that holds nothing: everything faults, nothing else happens. */
static void bad_instance(void **state)
{
	uint64_t inst = h_alloc(&h, 4096);

	wr(0x001714, 0x80000000 | (uint32_t)(inst >> 12));
	assert_int_equal(hw_bar_read(h.gpu, BAR2, 0, 4), 0xffffffff);
	hw_bar_write(h.gpu, BAR2, 0, 4, 1);
	assert_int_equal(h_count(&h, LEDGER_fault_fatal), 2);
}

static void stale_until_invalidated(void **state)
{
	uint64_t a = h_alloc(&h, 4096), b = h_alloc(&h, 4096);

	h.gpu->vram[a] = 1;
	h.gpu->vram[b] = 2;
	h_map(&h, &s, 0x5000, 12, AP_VRAM, a, 0);
	wr(0x001714, 0x80000000 | (uint32_t)(s.inst >> 12));
	assert_int_equal(hw_bar_read(h.gpu, BAR2, 0x5000, 1), 1);
	h_map(&h, &s, 0x5000, 12, AP_VRAM, b, 0);
	assert_int_equal(hw_bar_read(h.gpu, BAR2, 0x5000, 1), 1);
	h_invalidate(&h, &s, 1 | 4);
	assert_int_equal(hw_bar_read(h.gpu, BAR2, 0x5000, 1), 2);
}

/* --- VBIOS ------------------------------------------------------------------ */

static uint8_t rom[4096];

static void read_rom(void)
{
	for (uint32_t i = 0; i < sizeof(rom); i += 4) {
		uint32_t v = rd(0x300000 + i);

		memcpy(rom + i, &v, 4);
	}
}

static uint16_t rom16(unsigned int at)
{
	return (uint16_t)(rom[at] | rom[at + 1] << 8);
}

static uint32_t rom32(unsigned int at)
{
	return rom16(at) | (uint32_t)rom16(at + 2) << 16;
}

/* Offset of a BIT entry's table, 0 when there is none. */
static unsigned int bit_table(char id, unsigned int *len)
{
	for (unsigned int i = 0; i + 12 < sizeof(rom); i++) {
		if (memcmp(rom + i,
			   "\xff\xb8"
			   "BIT",
			   5))
			continue;
		for (unsigned int n = 0; n < rom[i + 10]; n++) {
			unsigned int e = i + rom[i + 8] + n * rom[i + 9];

			if (rom[e] == (uint8_t)id) {
				*len = rom16(e + 2);
				return rom16(e + 4);
			}
		}
	}
	return 0;
}

static void vbios_image(void **state)
{
	unsigned int pcir, len = 0, t;
	uint8_t sum = 0;

	read_rom();
	assert_int_equal(rom16(0), 0xaa55);
	assert_int_equal(rom[2] * 512, sizeof(rom));
	for (size_t i = 0; i < sizeof(rom); i++)
		sum += rom[i];
	assert_int_equal(sum, 0);
	pcir = rom16(0x18);
	assert_memory_equal(rom + pcir, "PCIR", 4);
	assert_int_equal(rom16(pcir + 4), 0x10de);
	assert_int_equal(rom16(pcir + 6), 0x1bb3);
	assert_int_equal(rom16(pcir + 0x10) * 512, sizeof(rom));
	assert_true(rom[pcir + 0x15] & 0x80);
	assert_int_equal(rom32(rom16(0x36) + 6), 0x4edcbdcb);
	assert_int_not_equal(t = bit_table('i', &len), 0);
	assert_true(len >= 15);
	assert_int_equal(rom16(t + 13), 0);
	assert_int_not_equal(bit_table('I', &len), 0);
	assert_true(len >= 0x1c);
	assert_int_not_equal(t = bit_table('M', &len), 0);
	assert_true(len >= 7);
	assert_int_equal(rom[rom16(t + 3)], 0x10);
	assert_int_not_equal(t = bit_table('P', &len), 0);
	assert_true(rom[rom32(t + 4) + 1] >= 0x15);
	/* erased flash beyond, and no writes */
	assert_int_equal(rd(0x300000 + sizeof(rom)), 0xffffffff);
	wr(0x300000, 0);
	assert_int_equal(rd(0x300000) & 0xffff, 0xaa55);
}

static void imem(uint32_t at, unsigned int img, unsigned int len)
{
	wr(0x10a180, 0x01000000 | at);
	for (unsigned int i = 0; i < len; i += 4) {
		if (i % 256 == 0)
			wr(0x10a188, (at + i) >> 8);
		wr(0x10a184, rom32(img + i));
	}
}

static void dmem(uint32_t at, unsigned int img, unsigned int len)
{
	wr(0x10a1c0, 0x01000000 | at);
	for (unsigned int i = 0; i < len; i += 4)
		wr(0x10a1c4, rom32(img + i));
}

static uint32_t argument(uint32_t ptr, uint32_t off)
{
	wr(0x10a1c0, ptr);
	wr(0x10a1c0, rd(0x10a1c4) + off);
	return rd(0x10a1c4);
}

/* Bring the board up after power-on, step by step as gm200_devinit_post() does. */
static void devinit(void **state)
{
	unsigned int len, init, app = 0, t, boot, boot_len, args;

	read_rom();
	init = bit_table('I', &len);
	t = rom32(bit_table('p', &len));
	for (unsigned int i = 0; i < rom[t + 3]; i++) {
		if (rom[t + rom[t + 1] + i * rom[t + 2]] == 4)
			app = rom32(t + rom[t + 1] + i * rom[t + 2] + 2);
	}
	assert_int_not_equal(app, 0);
	assert_int_equal(rd(0x02240c) & 2, 0);
	/* reset: memories scrubbed */
	wr(0x10a3c0, 1);
	wr(0x10a3c0, 0);
	assert_int_equal(rd(0x10a10c) & 6, 0);
	boot = app + 0x30;
	boot_len = rom32(app + 0x1c) - rom32(app + 0x18);
	imem(rom32(app + 0x10) + rom32(app + 0x18), boot, boot_len);
	imem(rom32(app + 0x10) + rom32(app + 0x18) + boot_len, boot + boot_len, rom32(app + 0x20));
	dmem(rom32(app + 0x28), boot + rom32(app + 0x24), rom32(app + 0x2c));
	args = rom32(app + 0x0c);
	dmem(argument(args + 8, 0x08), rom16(init + 0x14), rom16(init + 0x16));
	dmem(argument(args + 8, 0x10), rom16(init + 0x18), rom16(init + 0x1a));
	assert_int_not_equal(argument(args + 8, 0x08), argument(args + 8, 0x10));
	wr(0x10a040, 0x5000);
	wr(0x10a104, rom32(app + 0x08));
	wr(0x10a10c, 0);
	assert_int_equal(rd(0x10a040) & 0x2000, 0);
	wr(0x10a100, 2);
	assert_int_equal(rd(0x10a040) & 0x2000, 0x2000);
	assert_int_equal(rd(0x02240c) & 2, 2);
	gpu_reset(h.gpu);
	assert_int_equal(rd(0x02240c) & 2, 0);
}

/* Code without a name that the model knows: the falcon halts and says so. */
static void unknown_code(void **state)
{
	wr(0x10a180, 0x01000000);
	wr(0x10a188, 0);
	for (int i = 0; i < 64; i++)
		wr(0x10a184, 0xf8f8f8f8);
	wr(0x10a040, 0x5000);
	wr(0x10a104, 0);
	wr(0x10a100, 2);
	assert_int_equal(rd(0x10a100) & 0x10, 0x10);
	assert_int_equal(rd(0x10a040), FALCON_MBOX_UNKNOWN_FIRMWARE);
	assert_int_equal(rd(0x02240c) & 2, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(pramin),  T(pramin_beyond_vram), T(physical_until_bound),    T(translated),
		T(faults),  T(bad_instance),	   T(stale_until_invalidated), T(vbios_image),
		T(devinit), T(unknown_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
