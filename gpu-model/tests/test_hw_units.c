// SPDX-License-Identifier: MIT
/* PMC, PBUS, PTIMER, PTOP, fuses, frame buffer and L2: what software reads, and what its writes do. */
#include "harness.h"

#include <sys/eventfd.h>

#include "hw/gr.h"
#include "hw/units.h"
#include "pci/pci.h"

static struct harness h;

static int setup(void **state)
{
	h_new(&h, NULL);
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

static void gp100(struct gpu_config *cfg)
{
	cfg->chip = CHIP_GP100;
}

static void identity(void **state)
{
	assert_int_equal(rd(0x000000), 0x134000a1);
	assert_int_equal(rd(0x000004), 0);
	wr(0x000000, 0);
	wr(0x000004, 0x01000001);
	assert_int_equal(rd(0x000000), 0x134000a1);
	assert_int_equal(rd(0x000004), 0);
	h_del(&h);
	h_new(&h, gp100);
	assert_int_equal(rd(0x000000), 0x130000a1);
}

static void pending_is_raw(void **state)
{
	assert_int_equal(rd(0x000140), 0);
	pmc_intr_set(h.gpu, PMC_BIT_GR, true);
	pmc_intr_set(h.gpu, 32 + 3, true);
	assert_int_equal(rd(0x000100), BIT(PMC_BIT_GR));
	assert_int_equal(rd(0x000104), BIT(3));
	assert_int_equal(h_count(&h, LEDGER_msi), 0);
	wr(0x000100, 0xffffffff);
	assert_int_equal(rd(0x000100), BIT(PMC_BIT_GR));
	pmc_intr_set(h.gpu, PMC_BIT_GR, false);
	assert_int_equal(rd(0x000100), 0);
}

/* Enables are set and cleared by writes of ones, leaf by leaf. */
static void enables(void **state)
{
	wr(0x000160, 0x1100);
	wr(0x000164, 0x3);
	assert_int_equal(rd(0x000140), 0x1100);
	assert_int_equal(rd(0x000144), 0x3);
	wr(0x000180, 0x100);
	wr(0x000184, 0xffffffff);
	assert_int_equal(rd(0x000140), 0x1000);
	assert_int_equal(rd(0x000144), 0);
}

static uint64_t msis(void)
{
	return h_count(&h, LEDGER_msi);
}

/* A message for a new source, for a late enable, for a re-arm; none while all is masked. */
static void messages(void **state)
{
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t n;

	assert_true(efd >= 0);
	pci_host_irq_set(h.gpu, PCI_IRQ_MSI, efd); /* takes it over */
	wr(0x000160, BIT(PMC_BIT_FIFO));
	n = msis();
	pmc_intr_set(h.gpu, PMC_BIT_GR, true);
	assert_int_equal(msis(), n);
	pmc_intr_set(h.gpu, PMC_BIT_FIFO, true);
	assert_int_equal(msis(), n + 1);
	pmc_intr_set(h.gpu, PMC_BIT_FIFO, true);
	assert_int_equal(msis(), n + 1);
	/* as nouveau's handler: all off, re-arm, look, all on again */
	wr(0x000180, 0xffffffff);
	wr(0x088704, 0);
	assert_int_equal(msis(), n + 1);
	wr(0x000160, BIT(PMC_BIT_FIFO));
	assert_int_equal(msis(), n + 2);
	wr(0x088704, 0);
	assert_int_equal(msis(), n + 3);
	pmc_intr_set(h.gpu, PMC_BIT_FIFO, false);
	wr(0x088704, 0);
	assert_int_equal(msis(), n + 3);
}

static void engine_reset(void **state)
{
	wr(0x000200, 0xffffffff);
	h.gpu->units->fecs.ls_loaded = true;
	h.gpu->units->sec2.ls_loaded = true;
	wr(0x000200, ~BIT(PMC_RESET_GR));
	assert_false(h.gpu->units->fecs.ls_loaded);
	assert_true(h.gpu->units->sec2.ls_loaded);
	assert_false(pmc_enabled(h.gpu, PMC_RESET_GR));
	wr(0x000200, 0xffffffff);
	wr(0x000200, ~BIT(PMC_RESET_SEC2));
	assert_false(h.gpu->units->sec2.ls_loaded);
}

static uint64_t ptimer(void)
{
	return (uint64_t)rd(0x009410) << 32 | rd(0x009400);
}

static void timer_set(void **state)
{
	uint64_t t;

	wr(0x009410, 0x12345678);
	wr(0x009400, 0x9abcdeff);
	t = ptimer();
	assert_true(t >= 0x123456789abcdee0ull && t < 0x123456789abcdee0ull + 1000000000ull);
	assert_int_equal(t & 31, 0);
	gpu_time_refresh(h.gpu);
	usleep(1000);
	gpu_time_refresh(h.gpu);
	assert_true(ptimer() > t);
}

static void timer_alarm(void **state)
{
	gpu_time_refresh(h.gpu);
	wr(0x009420, rd(0x009400) + 2000000);
	wr(0x009140, 1);
	gpu_engine_step(h.gpu);
	assert_int_equal(rd(0x009100), 0);
	usleep(3000);
	gpu_engine_step(h.gpu);
	assert_int_equal(rd(0x009100), 1);
	assert_int_equal(rd(0x000100), BIT(PMC_BIT_TIMER));
	wr(0x009100, 1);
	assert_int_equal(rd(0x000100), 0);
	/* disabled: it may pass unseen */
	wr(0x009140, 0);
	wr(0x009420, rd(0x009400) + 64);
	usleep(200);
	gpu_engine_step(h.gpu);
	assert_int_equal(rd(0x000100), 0);
}

/* Take the table apart as software does: the last entry of a device has no chain bit. */
struct device {
	int type, inst, engine, runlist, intr, reset, fault;
	uint32_t addr;
};

static int parse_ptop(struct device *d, int max)
{
	int n = 0;
	bool open = false;

	for (int i = 0; i < 64; i++) {
		uint32_t v = rd(0x022700 + i * 4);

		if (!(v & 3))
			continue;
		assert_true(n < max);
		if (!open)
			d[n] = (struct device){ -1, -1, -1, -1, -1, -1, -1, 0 };
		open = true;
		if ((v & 3) == 1) {
			d[n].inst = field(v, 29, 26);
			d[n].addr = v & 0xfff000;
			d[n].fault = v & 4 ? (int)field(v, 9, 3) : -1;
		} else if ((v & 3) == 2) {
			d[n].engine = v & 0x20 ? (int)field(v, 29, 26) : -1;
			d[n].runlist = v & 0x10 ? (int)field(v, 24, 21) : -1;
			d[n].intr = v & 8 ? (int)field(v, 19, 15) : -1;
			d[n].reset = v & 4 ? (int)field(v, 13, 9) : -1;
		} else {
			d[n].type = field(v, 30, 2);
		}
		if (!(v & BIT(31))) {
			n++;
			open = false;
		}
	}
	assert_false(open);
	return n;
}

static void ces4(struct gpu_config *cfg)
{
	cfg->copy_engines = 4;
}

static void single(struct gpu_config *cfg)
{
	cfg->copy_engines = 3;
	cfg->topology = TOPOLOGY_SINGLE;
}

static void topology_check(int want_ce, bool one_runlist, bool sec2)
{
	struct device d[16];
	int n = parse_ptop(d, 16), ce = 0;
	uint32_t intr = 0, reset = 0;

	assert_int_equal(n, 1 + want_ce + sec2);
	for (int i = 0; i < n; i++) {
		assert_false(intr & BIT(d[i].intr));
		assert_false(reset & BIT(d[i].reset));
		intr |= BIT(d[i].intr);
		reset |= BIT(d[i].reset);
		if (d[i].type == 0) {
			assert_int_equal(d[i].engine, 0);
			assert_int_equal(d[i].runlist, 0);
			assert_int_equal(d[i].intr, PMC_BIT_GR);
			assert_int_equal(d[i].addr, 0x400000);
		} else if (d[i].type == 0x13) {
			assert_int_equal(d[i].inst, ce);
			assert_int_equal(d[i].runlist, one_runlist ? 0 : ce);
			assert_int_equal(d[i].addr, 0x104000 + ce * 0x1000);
			ce++;
		} else {
			assert_int_equal(d[i].type, 0x0d);
			assert_int_equal(d[i].engine, -1);
			assert_int_equal(d[i].addr, 0x840000);
			assert_int_equal(d[i].intr, PMC_BIT_SEC2);
		}
	}
	assert_int_equal(ce, want_ce);
	/* bits of others: PFIFO 8, replayable faults 9, timer 20, PMU 24 */
	assert_false(intr & (BIT(8) | BIT(9) | BIT(20) | BIT(24)));
	assert_false(reset & (BIT(8) | BIT(13)));
}

static void topology(void **state)
{
	topology_check(2, false, true);
	h_del(&h);
	h_new(&h, ces4);
	topology_check(4, false, true);
	h_del(&h);
	h_new(&h, single);
	topology_check(3, true, true);
	h_del(&h);
	h_new(&h, gp100);
	topology_check(2, false, false);
}

/* nouveau's arithmetic: gp102_fb_vidmem_size() and gf100_ram_ctor() */
static void check_size(uint64_t size)
{
	uint32_t lmr = rd(0x100ce0), fbps = rd(0x022438), ltcs = rd(0x022450), fbpas = rd(0x022458);
	uint64_t total = 0;

	assert_int_equal(rd(0x100ce0) & 0x40000000, 0);
	assert_int_equal((uint64_t)field(lmr, 9, 4) << (field(lmr, 3, 0) + 20), size);
	for (uint32_t i = 0; i < fbps * fbpas; i++)
		total += (uint64_t)rd(0x90020c + i * 0x4000) << 20;
	assert_int_equal(total, size);
	assert_int_equal((size / MiB / ltcs) * ltcs * fbps, size / MiB);
	assert_int_equal(rd(0x12006c), fbps * ltcs);
}

static uint64_t want_size;

static void sized(struct gpu_config *cfg)
{
	cfg->vram_size = want_size;
}

static void vram_sizes(void **state)
{
	static const uint64_t sizes[] = { 256 * MiB,  320 * MiB, GiB,	     1536 * MiB,
					  4032 * MiB, 4 * GiB,	 7680 * MiB, 8 * GiB };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		h_del(&h);
		want_size = sizes[i];
		h_new(&h, sized);
		check_size(sizes[i]);
	}
}

static void regions_and_flushes(void **state)
{
	wr(0x100cd0, 2);
	assert_int_equal(rd(0x100cd0) & 0x10, 0); /* not locked: no scrubber */
	wr(0x100cd4, 2);
	assert_int_equal(rd(0x100cd4) & 0xffffff00, 0);
	for (uint32_t a = 0x070000; a <= 0x070010; a += 4) {
		wr(a, 1);
		if (a == 0x070000 || a == 0x070004 || a == 0x070010)
			assert_int_equal(rd(a) & 3, 0);
	}
	assert_int_equal(rd(0x17e280) >> 28, 1);
	assert_int_equal(rd(0x001710), 0);
	assert_int_equal(rd(0x021c04) & 1, 1);
	assert_int_equal(rd(0x101000) & 0x00400040, 0x00400000);
}

static int sms;

static void with_sms(struct gpu_config *cfg)
{
	cfg->sms = sms;
}

static void with_sms_gp100(struct gpu_config *cfg)
{
	cfg->sms = sms;
	cfg->chip = CHIP_GP100;
}

static void count_units(int per_tpc, int ppcs)
{
	int gpcs = rd(0x409604) & 0x1f, tpcs = 0;

	assert_in_range(gpcs, 1, 6);
	assert_int_equal(field(rd(0x409604), 20, 16), rd(0x12006c));
	for (int g = 0; g < gpcs; g++) {
		uint32_t n = rd(0x502608 + g * 0x8000), mask = 0, pes = 0;

		assert_in_range(n, 1, 5);
		for (int p = 0; p < ppcs; p++) {
			uint32_t m = rd(0x500c30 + g * 0x8000 + p * 4);

			assert_int_equal(mask & m, 0);
			mask |= m;
			pes |= m ? BIT(p) : 0;
		}
		assert_int_equal(mask, BIT(n) - 1);
		assert_int_equal(rd(0x500c50 + g * 0x8000), pes);
		tpcs += (int)n;
	}
	for (int g = gpcs; g < 6; g++)
		assert_int_equal(rd(0x502608 + g * 0x8000), 0);
	assert_int_equal(tpcs, (sms + per_tpc - 1) / per_tpc);
}

static void shader_units(void **state)
{
	for (sms = 1; sms <= 30; sms++) {
		h_del(&h);
		h_new(&h, with_sms);
		count_units(1, 3);
	}
	for (sms = 1; sms <= 56; sms += 5) {
		h_del(&h);
		h_new(&h, with_sms_gp100);
		count_units(2, 2);
	}
}

static void too_many(void **state)
{
	struct gpu_config cfg;
	struct gpu *gpu = NULL;

	gpu_config_default(&cfg);
	cfg.vram_size = 256 * MiB;
	cfg.sms = 31;
	assert_int_equal(gpu_new(&cfg, &gpu), -EINVAL);
	cfg.sms = 30;
	cfg.copy_engines = 5;
	assert_int_equal(gpu_new(&cfg, &gpu), -EINVAL);
	cfg.chip = CHIP_GP100;
	assert_int_equal(gpu_new(&cfg, &gpu), 0);
	gpu_del(&gpu);
}

static void power_loss(void **state)
{
	wr(0x000160, 0xff);
	wr(0x009410, 0x1000);
	wr(0x009400, 0);
	wr(0x022700, 1);
	fuse_devinit_done(h.gpu);
	assert_int_equal(rd(0x02240c) & 2, 2);
	gpu_reset(h.gpu);
	assert_int_equal(rd(0x000140), 0);
	assert_true(rd(0x009410) < 0x1000);
	assert_int_equal(rd(0x02240c), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(identity),	 T(pending_is_raw), T(enables),	   T(messages),	  T(engine_reset),
		T(timer_set),	 T(timer_alarm),    T(topology),   T(vram_sizes), T(regions_and_flushes),
		T(shader_units), T(too_many),   T(power_loss),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
