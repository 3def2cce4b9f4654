// SPDX-License-Identifier: MIT
/*
 * PMU, SEC2, FECS and GPCCS as nouveau meets them: ACR boot, command queue,
 * GR's firmware after each engine reset; and what hostile contents do.
 */
#include "harness.h"

#include "hw/gr.h"
#include "hw/units.h"

enum { PMU = 0x10a000, SEC2 = 0x840000, FECS = 0x409000, GPCCS = 0x41a000 };
enum { LSF_FECS = 2, LSF_GPCCS = 3, LSF_SEC2 = 7 };

#define IMAGE_VA 0x200000ull
#define IMAGE_SIZE 0x1000u
#define WPR_SIZE 0x40000u

static struct harness h;
static struct h_space s;
static uint64_t image, shadow, wpr; /* VRAM */

static uint32_t rd(uint32_t addr)
{
	return hw_rd32(h.gpu, addr);
}

static void wr(uint32_t addr, uint32_t val)
{
	hw_wr32(h.gpu, addr, val);
}

static uint32_t mask(uint32_t addr, uint32_t m, uint32_t v)
{
	uint32_t old = rd(addr);

	wr(addr, (old & ~m) | v);
	return old;
}

static void vram32(uint64_t at, uint32_t v)
{
	memcpy(h.gpu->vram + at, &v, 4);
}

static void prepare(void (*tweak)(struct gpu_config *cfg))
{
	h_new(&h, tweak);
	h_space_new(&h, &s);
	wr(0x000200, 0xffffffff);
	image = h_alloc(&h, IMAGE_SIZE);
	shadow = h_alloc(&h, WPR_SIZE);
	wpr = h_alloc(&h, WPR_SIZE);
	h_map(&h, &s, IMAGE_VA, 12, AP_VRAM, image, 0);
}

static int setup(void **state)
{
	prepare(NULL);
	return 0;
}

static void gp100(struct gpu_config *cfg)
{
	cfg->chip = CHIP_GP100;
}

static int setup_gp100(void **state)
{
	prepare(gp100);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

/* A protected region's headers: nouveau gp102_acr_wpr_build(), gm200_acr_wpr_build() */
static void build_wpr(uint64_t at, const uint32_t *ids, int n)
{
	size_t size = h.gpu->cfg.chip == CHIP_GP100 ? 20 : 24;

	for (int i = 0; i < n; i++) {
		vram32(at + i * size, ids[i]);
		vram32(at + i * size + 4, 0x1000 * (i + 1));
		vram32(at + i * size + size - 4, 1);
	}
	vram32(at + n * size, 0xffffffff);
}

static void describe_image(const char *name, uint64_t start, uint64_t end, uint64_t from)
{
	uint32_t d = STANDIN_ACR_DATA;

	memset(h.gpu->vram + image, 0, IMAGE_SIZE);
	strncpy((char *)h.gpu->vram + image, name, STANDIN_NAME_SIZE);
	if (h.gpu->cfg.chip == CHIP_GP100) {
		vram32(image + d + 0x20c, 2);
		vram32(image + d + 0x210, (uint32_t)(start >> 8));
		vram32(image + d + 0x214, (uint32_t)(end >> 8));
	} else {
		vram32(image + d + 0x21c, 2);
		vram32(image + d + 0x220, (uint32_t)(start >> 8));
		vram32(image + d + 0x224, (uint32_t)(end >> 8));
		vram32(image + d + 0x238, (uint32_t)(from >> 8));
	}
}

/* Falcon reset, context bind, bootloader, descriptor, start: nouveau nvkm_falcon_fw_boot() */
static uint32_t boot_hs(uint32_t base, const char *bl)
{
	uint32_t bl_desc[19] = { 0 };
	uint32_t limit, word;

	wr(base + 0x3c0, 1);
	wr(base + 0x3c0, 0);
	assert_int_equal(rd(base + 0x10c) & 6, 0);
	mask(base + 0x048, 1, 1);
	if (base == PMU)
		wr(PMU + 0x480, BIT(30) | (uint32_t)(s.inst >> 12));
	else
		wr(base + 0x054, BIT(30) | (uint32_t)(s.inst >> 12));
	if (base != PMU)
		assert_true(rd(base + 0x008) & 8);
	assert_int_equal(field(rd(base + 0x0dc), 14, 12), 5);
	mask(base + 0x004, 8, 8);
	mask(base + 0x058, 2, 2);
	assert_int_equal(field(rd(base + 0x0dc), 14, 12), 0);

	limit = (rd(base + 0x108) & 0x1ff) << 8;
	wr(base + 0x180, 0x01000000 | (limit - 0x100));
	wr(base + 0x188, 0xfd);
	for (int i = 0; i < 64; i++) {
		word = 0;
		if (i < STANDIN_NAME_SIZE / 4)
			memcpy(&word, bl + i * 4, 4);
		wr(base + 0x184, word);
	}
	bl_desc[9] = (uint32_t)IMAGE_VA;
	bl_desc[16] = (uint32_t)IMAGE_VA + STANDIN_ACR_DATA;
	wr(base + 0x1c0, 0x01000000);
	for (size_t i = 0; i < ARRAY_SIZE(bl_desc); i++)
		wr(base + 0x1c4, bl_desc[i]);
	wr(base + 0x040, 0xcafebeef);
	wr(base + 0x104, 0xfd00);
	wr(base + 0x100, 2);
	assert_true(rd(base + 0x100) & 0x10);
	mask(base + 0x004, 0xffffffff, 0x10);
	return rd(base + 0x040);
}

/* nvkm_falcon_v1_start() */
static void start(uint32_t base)
{
	wr(rd(base + 0x100) & BIT(6) ? base + 0x130 : base + 0x100, 2);
}

static void wpr_check(uint64_t want_start, uint64_t want_end)
{
	wr(0x100cd4, 2);
	assert_int_equal((uint64_t)(rd(0x100cd4) & 0xffffff00) << 8, want_start);
	wr(0x100cd4, 3);
	assert_int_equal(((uint64_t)(rd(0x100cd4) & 0xffffff00) << 8) + 0x20000, want_end);
}

static const uint32_t all_ids[] = { LSF_FECS, LSF_GPCCS, LSF_SEC2 };

static void acr_boot(void)
{
	build_wpr(shadow, all_ids, 3);
	describe_image(STANDIN_ACR_LOAD, wpr, wpr + WPR_SIZE, shadow);
	assert_int_equal(boot_hs(SEC2, STANDIN_BOOTLOADER), 0);
	wpr_check(wpr, wpr + WPR_SIZE);
}

static uint32_t msg_at;

static void emem_read(uint32_t at, void *buf, size_t len)
{
	uint32_t *w = buf;

	wr(SEC2 + 0xac0, BIT(25) | (at - 0x01000000));
	for (size_t i = 0; i < len / 4; i++)
		w[i] = rd(SEC2 + 0xac4);
}

static void rtos_boot(void)
{
	uint32_t init[8];

	wr(SEC2 + 0x014, 0xffffffff);
	wr(0x000160, 0);
	start(SEC2);
	assert_true(rd(SEC2 + 0x008) & rd(SEC2 + 0x01c) & 0x40);
	assert_true(rd(0x000100) & BIT(PMC_BIT_SEC2));
	msg_at = rd(SEC2 + 0xa34);
	emem_read(msg_at, init, sizeof(init));
	assert_int_equal(init[0], 32 << 8 | 1);
	assert_int_equal(init[1] & 0xffff, 2 << 8);
	msg_at += 32;
	wr(SEC2 + 0xa34, msg_at);
	assert_int_equal(rd(SEC2 + 0xa30), msg_at);
	wr(SEC2 + 0x004, 0x40);
	assert_false(rd(0x000100) & BIT(PMC_BIT_SEC2));
}

static uint32_t cmd_at = 0x01000000;

/* nvkm_falcon_cmdq_send() and the answer: error code */
static uint32_t command(uint32_t unit, uint32_t size, uint32_t falcon, uint32_t seq)
{
	uint32_t head = rd(SEC2 + 0xa00), cmd[4] = { unit | size << 8 | 3 << 16 | seq << 24, 0, 0, falcon },
		 msg[4];

	cmd_at = head;
	if (cmd_at + size + 4 > 0x01000080) {
		wr(SEC2 + 0xac0, BIT(24) | (cmd_at - 0x01000000));
		wr(SEC2 + 0xac4, 4 << 8); /* rewind */
		cmd_at = 0x01000000;
	}
	wr(SEC2 + 0xac0, BIT(24) | (cmd_at - 0x01000000));
	for (uint32_t i = 0; i < size / 4; i++)
		wr(SEC2 + 0xac4, cmd[i]);
	wr(SEC2 + 0xa00, cmd_at + size);
	assert_int_equal(rd(SEC2 + 0xa04), cmd_at + size);
	assert_true(rd(SEC2 + 0x008) & 0x40);
	if (rd(SEC2 + 0xa30) < msg_at)
		msg_at = 0x01000080;
	emem_read(msg_at, msg, size);
	assert_int_equal(msg[0] & 0xff, unit);
	assert_int_equal(msg[0] >> 24, seq);
	msg_at += (msg[0] >> 8 & 0xff);
	assert_int_equal(rd(SEC2 + 0xa30), msg_at);
	wr(SEC2 + 0xa34, msg_at);
	wr(SEC2 + 0x004, 0x40);
	return size == 16 ? msg[2] : 0;
}

static void fecs_start(void)
{
	wr(FECS + 0x800, 0);
	start(GPCCS);
	assert_int_equal(rd(FECS + 0x800), 0);
	start(FECS);
	assert_int_equal(rd(FECS + 0x800) & 1, 1);
}

static uint32_t fecs_size(uint32_t mthd)
{
	wr(FECS + 0x800, 0);
	wr(FECS + 0x500, 0);
	wr(FECS + 0x504, mthd);
	return rd(FECS + 0x800);
}

static uint32_t fecs_ctrl(uint32_t mthd)
{
	wr(FECS + 0x804, 0xffffffff);
	wr(FECS + 0x800, 0);
	wr(FECS + 0x500, 0xffffffff);
	wr(FECS + 0x504, mthd);
	return rd(FECS + 0x804);
}

static void gr_boot(uint32_t seq)
{
	assert_int_equal(command(8, 16, LSF_FECS, seq), 0);
	assert_int_equal(command(8, 16, LSF_GPCCS, seq + 1), 0);
	fecs_start();
	assert_int_equal(fecs_size(0x10), GR_CTX_IMAGE_SIZE);
	assert_int_not_equal(fecs_size(0x16), 0);
	assert_int_not_equal(fecs_size(0x25), 0);
	assert_int_equal(fecs_ctrl(0x38), 1);
	assert_int_equal(fecs_ctrl(0x39), 1);
}

/* --- tests ------------------------------------------------------------------ */

static void caps(void **state)
{
	static const uint32_t bases[] = { PMU, SEC2, FECS, GPCCS };

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		assert_int_equal(rd(bases[i] + 0x12c), 0x1106);
		assert_int_equal((rd(bases[i] + 0x108) & 0x1ff) << 8, FALCON_IMEM_SIZE);
		assert_int_equal((rd(bases[i] + 0x108) & 0x3fe00) >> 1, FALCON_DMEM_SIZE);
	}
}

static void memory_ports(void **state)
{
	wr(SEC2 + 0x1c0, 0x01000000 | 0x40);
	wr(SEC2 + 0x1c4, 1);
	wr(SEC2 + 0x1c4, 2);
	assert_int_equal(rd(SEC2 + 0x1c0), 0x01000000 | 0x48);
	wr(SEC2 + 0x1c0, 0x02000000 | 0x40);
	assert_int_equal(rd(SEC2 + 0x1c4), 1);
	assert_int_equal(rd(SEC2 + 0x1c4), 2);
	wr(SEC2 + 0x1c0, 0x44);
	assert_int_equal(rd(SEC2 + 0x1c4), 2);
	assert_int_equal(rd(SEC2 + 0x1c4), 2);
	/* beyond the end: nothing */
	wr(SEC2 + 0x1c0, 0x01fffffc);
	wr(SEC2 + 0x1c4, 7);
	wr(SEC2 + 0x1c0, 0xfffffc);
	assert_int_equal(rd(SEC2 + 0x1c4), 0);
}

static void gp104_life(void **state)
{
	acr_boot();
	assert_int_equal(rd(SEC2 + 0x100) & 0x40, 0x40);
	/* the loader has copied the region and loaded SEC2's own firmware */
	assert_memory_equal(h.gpu->vram + wpr, h.gpu->vram + shadow, 48);
	rtos_boot();
	gr_boot(1);
	/* shut down: reply, halt, unload on the PMU */
	command(6, 4, 0, 9);
	assert_true(rd(SEC2 + 0x100) & 0x10);
	describe_image(STANDIN_ACR_UNLOAD, 0, 0, 0);
	assert_int_equal(boot_hs(PMU, STANDIN_BOOTLOADER), 0x1d);
	wr(0x100cd4, 2);
	assert_int_equal(rd(0x100cd4) & 0xffffff00, 0);
	/* and up again */
	acr_boot();
	rtos_boot();
	gr_boot(1);
	assert_int_equal(h_findings(&h), 0);
}

/* nouveau gf100_gr_reset(), once for each killed channel */
static void fifty_resets(void **state)
{
	acr_boot();
	rtos_boot();
	for (uint32_t i = 0; i < 50; i++) {
		gr_boot(i * 2 & 0x7f);
		assert_int_equal(fecs_ctrl(0x04), 1);
		mask(0x000200, BIT(12), 0);
		mask(0x000200, BIT(12), BIT(12));
		assert_int_equal(rd(FECS + 0x100) & 0x40, 0);
		/* no firmware: neither starts nor answers */
		wr(FECS + 0x800, 0);
		start(FECS);
		assert_int_equal(rd(FECS + 0x800), 0);
		assert_int_equal(fecs_size(0x10), 0);
	}
	gr_boot(0);
}

static void gp100_life(void **state)
{
	static const uint32_t ids[] = { LSF_FECS, LSF_GPCCS };

	assert_int_equal(rd(SEC2 + 0x12c), 0);
	build_wpr(wpr, ids, 2);
	for (int i = 0; i < 3; i++) {
		describe_image(STANDIN_ACR_LOAD, wpr, wpr + WPR_SIZE, 0);
		assert_int_equal(boot_hs(PMU, STANDIN_BOOTLOADER), 0);
		wr(PMU + 0x200, 0x30e);
		assert_int_equal(field(rd(PMU + 0x20c), 14, 12), 0);
		wpr_check(wpr, wpr + WPR_SIZE);
		fecs_start();
		assert_int_equal(fecs_size(0x10), GR_CTX_IMAGE_SIZE);
		describe_image(STANDIN_ACR_UNLOAD, 0, 0, 0);
		assert_int_equal(boot_hs(PMU, STANDIN_BOOTLOADER), 0);
		mask(0x000200, BIT(12), 0);
		mask(0x000200, BIT(12), BIT(12));
	}
}

static void power_loss(void **state)
{
	acr_boot();
	rtos_boot();
	gpu_reset(h.gpu);
	assert_int_equal(rd(SEC2 + 0x100), 0x10);
	assert_int_equal(rd(SEC2 + 0x008), 0);
	wr(SEC2 + 0xa00, 0x01000010);
	assert_int_equal(rd(SEC2 + 0x008), 0);
	wr(0x100cd4, 3);
	assert_int_equal(rd(0x100cd4) & 0xffffff00, 0);
}

static void refused(void **state)
{
	/* real or random firmware */
	describe_image("not a stand-in", wpr, wpr + WPR_SIZE, shadow);
	assert_int_equal(boot_hs(SEC2, STANDIN_BOOTLOADER), FALCON_MBOX_UNKNOWN_FIRMWARE);
	assert_int_equal(boot_hs(SEC2, "\xf8\xf8\xf8\xf8 no name  "), FALCON_MBOX_UNKNOWN_FIRMWARE);
	/* a region that is upside down, outside VRAM, huge */
	describe_image(STANDIN_ACR_LOAD, wpr + WPR_SIZE, wpr, shadow);
	assert_int_not_equal(boot_hs(SEC2, STANDIN_BOOTLOADER), 0);
	describe_image(STANDIN_ACR_LOAD, h.gpu->vram_size - 4096, h.gpu->vram_size + 0x100000, shadow);
	assert_int_not_equal(boot_hs(SEC2, STANDIN_BOOTLOADER), 0);
	describe_image(STANDIN_ACR_LOAD, 0, h.gpu->vram_size, shadow);
	assert_int_not_equal(boot_hs(SEC2, STANDIN_BOOTLOADER), 0);
	/* no image of that falcon, no such falcon */
	build_wpr(shadow, all_ids + 2, 1);
	describe_image(STANDIN_ACR_LOAD, wpr, wpr + WPR_SIZE, shadow);
	assert_int_equal(boot_hs(SEC2, STANDIN_BOOTLOADER), 0);
	rtos_boot();
	assert_int_not_equal(command(8, 16, LSF_FECS, 1), 0);
	assert_int_not_equal(command(8, 16, 77, 2), 0);
	/* heads that lead nowhere */
	wr(SEC2 + 0xa00, 0xffffffff);
	wr(SEC2 + 0xa00, 0);
	wr(SEC2 + 0xa00, 0x01000001);
	/* an unmapped image */
	h_set_pte(&h, &s, IMAGE_VA, 12, 0);
	h_invalidate(&h, &s, 1);
	assert_int_not_equal(boot_hs(SEC2, STANDIN_BOOTLOADER), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(caps),
		T(memory_ports),
		T(gp104_life),
		T(fifty_resets),
		cmocka_unit_test_setup_teardown(gp100_life, setup_gp100, teardown),
		T(power_loss),
		T(refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
