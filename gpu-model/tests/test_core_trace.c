// SPDX-License-Identifier: MIT
/*
 * Record and replay: a session of host events, recorded, then replayed in a new
 * GPU, takes the same engine steps, reads the same values and leaves the same
 * ledger; a trace that was tampered with is refused.
 */
#include <jansson.h>
#include <stdlib.h>

#include "chan_harness.h"
#include "ledger/control.h"
#include "ledger/trace.h"
#include "pci/pci.h"

static void config(struct gpu_config *cfg)
{
	gpu_config_default(cfg);
	cfg->vram_size = 256 * MiB;
	cfg->deterministic = true;
	cfg->seed = 7;
	cfg->verbose = -1;
}

static void wr(struct gpu *gpu, unsigned int region, uint64_t off, uint32_t v)
{
	assert_int_equal(pci_host_write(gpu, region, off, &v, 4), 0);
}

static uint32_t rd(struct gpu *gpu, unsigned int region, uint64_t off)
{
	uint32_t v;

	assert_int_equal(pci_host_read(gpu, region, off, &v, 4), 0);
	return v;
}

static void control(struct gpu *gpu, const char *text)
{
	json_t *req = json_loads(text, 0, NULL);

	json_decref(control_request(gpu, req));
	json_decref(req);
}

/* A PTIMER alarm, VRAM through PRAMIN, system memory as BAR1's page table, interrupts, a reset. */
static void session(struct gpu *gpu)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	uint32_t word = 0x5;	/* runlist entry: channel 5 */

	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_int_equal(pwrite(fd, &word, 4, 0x2000), 4);
	pci_host_dma_map(gpu, 0, 1 << 20, fd, 0, true, true);
	pci_host_irq_set(gpu, PCI_IRQ_MSI, dup(fd));
	for (uint32_t i = 0; i < 64; i++)
		wr(gpu, 0, 0x700000 + 4 * i, i * i);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(rd(gpu, 0, 0x700000 + 4 * i), i * i);
	rd(gpu, 0, 0x009400);
	/* An alarm 3 ms from now, waited for by polling */
	wr(gpu, 0, 0x000160, BIT(PMC_BIT_TIMER));
	wr(gpu, 0, 0x009140, 1);
	wr(gpu, 0, 0x009420, rd(gpu, 0, 0x009400) + 3000000);
	for (int i = 0; i < 1000 && !(rd(gpu, 0, 0x000100) & BIT(PMC_BIT_TIMER)); i++)
		usleep(1000);
	assert_true(rd(gpu, 0, 0x000100) & BIT(PMC_BIT_TIMER));
	wr(gpu, 0, 0x009100, 1);
	/* A runlist of one channel in system memory: the device reads it, now or in a step of its own */
	wr(gpu, 0, 0x002270, 2u << 28 | 2);
	wr(gpu, 0, 0x002274, 1);
	for (int i = 0; i < 1000 && rd(gpu, 0, 0x002284) & BIT(20); i++)
		usleep(1000);
	control(gpu, "{\"cmd\":\"watch\",\"aperture\":\"vram\",\"addr\":4096}");
	wr(gpu, 0, 0x701000, 5);
	control(gpu, "{\"cmd\":\"unwatch\",\"aperture\":\"vram\",\"addr\":4096}");
	control(gpu, "{\"cmd\":\"inject\",\"point\":\"intr_lost\",\"nth\":1}");
	wr(gpu, 7, 0x64, 3);
	wr(gpu, 7, 0x64, 0);
	assert_int_equal(rd(gpu, 0, 0x700004), 0);
	pci_host_dma_unmap(gpu, 0, 1 << 20);
	pci_host_dma_map(gpu, 0x1000, 0x1000, -1, 0, true, false);
	pci_host_dma_unmap_all(gpu);
	close(fd);
}

/*
 * All engines: what chan_harness.h lays out in a GPU of its own goes to the recorded one as a host would put it
 * there, by PRAMIN.  A grid that faults, is replayed late and goes on; a grid that is cancelled; a copy out of
 * system memory; TLB invalidates that complete late, by the seed.
 */
static void poke(struct gpu *gpu, uint64_t at, uint32_t v)
{
	wr(gpu, 0, 0x001700, (uint32_t)(at >> 16));
	wr(gpu, 0, 0x700000 + (at & 0xffff), v);
}

static uint32_t peek(struct gpu *gpu, uint64_t at)
{
	wr(gpu, 0, 0x001700, (uint32_t)(at >> 16));
	return rd(gpu, 0, 0x700000 + (at & 0xffff));
}

static void wait_for(struct gpu *gpu, uint64_t at, uint32_t v)
{
	for (int i = 0; i < 20000 && peek(gpu, at) != v; i++)
		usleep(300);
	assert_int_equal(peek(gpu, at), v);
}

#define T_FAULT 0x7f0000000000ull
#define T_SYS 0x40000000ull
#define T_DST 0x40100000ull
#define T_COPY 0x8000u

static void engines(struct gpu *gpu)
{
	static struct harness h;
	static struct chan gr, ce;
	uint64_t buf, page, dst, pte;
	struct code code;
	uint8_t *guest;
	int fd = memfd_create("guest", MFD_CLOEXEC);
	uint32_t put;

	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	guest = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(guest, MAP_FAILED);
	for (uint32_t i = 0; i < 1 << 20; i++)
		guest[i] = (uint8_t)(i * 7 + (i >> 9));

	h_new(&h, NULL);
	c_new(&h, &gr, 3, 0);
	c_new(&h, &ce, 5, 1);
	buf = h_alloc(&h, 0x2000);
	page = h_alloc(&h, 4096);
	dst = h_alloc(&h, T_COPY);
	for (uint64_t o = 0; o < T_COPY; o += 4096) {
		h_map(&h, &ce.s, T_SYS + o, 12, AP_SYS_COH, 0x100000 + o, 0);
		h_map(&h, &ce.s, T_DST + o, 12, AP_VRAM, dst + o, 0);
	}
	pte = h_entry(&h, &gr.s, T_FAULT, 12);
	objects(&gr);
	for (uint32_t i = 0; i < 2; i++) {
		store_kernel(&code, T_FAULT + 0x10 + i * 0x1000, 0xbeef);
		grid_of(&gr, &code, 4, 2);
		p_1(&gr, 1, 0x110, 0);
		report(&gr, 1, C_DATA, i + 1, 0x1000f010);
		p_segment(&gr, 0);
		/* the second grid's code is put in place when the first is done */
		if (!i)
			memcpy(h.gpu->vram + gr.data + 0xa000, h.gpu->vram + gr.data + C_CODE, 0x200);
	}
	memcpy(h.gpu->vram + gr.data + 0xa200, h.gpu->vram + gr.data + C_CODE, 0x200);
	memcpy(h.gpu->vram + gr.data + C_CODE, h.gpu->vram + gr.data + 0xa000, 0x200);
	p_1(&ce, 4, 0, 0xc1b5);
	p_inc(&ce, 4, 0x240, 3);
	p(&ce, C_DATA >> 32);
	p(&ce, (uint32_t)C_DATA);
	p(&ce, 9);
	p_inc(&ce, 4, 0x400, 8);
	p(&ce, T_SYS >> 32);
	p(&ce, (uint32_t)T_SYS);
	p(&ce, T_DST >> 32);
	p(&ce, (uint32_t)T_DST);
	p(&ce, 0);
	p(&ce, 0);
	p(&ce, T_COPY);
	p(&ce, 1);
	p_1(&ce, 4, 0x300, 0x38e);
	p_segment(&ce, 0);

	/* what the driver would have written */
	wr(gpu, 7, 4, 6);
	assert_int_equal(pci_host_dma_map(gpu, 0x100000, 1 << 20, fd, 0, true, true), 0);
	for (uint64_t at = MiB; at < h.next; at += 4)
		if (c_rd(&gr, at))
			poke(gpu, at, c_rd(&gr, at));
	wr(gpu, 0, 0x002254, 0x10000000 | (uint32_t)(C_USERD_BAR1 >> 12));
	wr(gpu, 0, 0x002140, 0xffffffff);
	for (unsigned int i = 0; i < 2; i++)
		wr(gpu, 0, 0x04010c + i * 0x2000, 0xfffffeff);
	wr(gpu, 0, 0x002a78, 256);
	wr(gpu, 0, 0x002a70, (uint32_t)buf | 1);
	for (unsigned int i = 0; i < 2; i++) {
		struct chan *k = i ? &ce : &gr;
		uint64_t list = h_alloc(&h, 4096);

		wr(gpu, 0, 0x800000 + k->id * 8, 0x80000000u | (uint32_t)(k->s.inst >> 12));
		wr(gpu, 0, 0x800004 + k->id * 8, 0x400);
		poke(gpu, list, 1u << 26 | 128 << 18 | 3 << 14 | 0x2000 | k->tsg);
		poke(gpu, list + 8, k->id);
		poke(gpu, list + 12, (uint32_t)(k->s.inst >> 12));
		wr(gpu, 0, 0x002270, (uint32_t)(list >> 12));
		wr(gpu, 0, 0x002274, i << 20 | 2);
		wr(gpu, 1, C_USERD_BAR1 + k->id * 0x200 + 0x8c, 1);
	}

	/* the first fault: mapped, and replayed in vain once more before that */
	for (int i = 0; i < 20000 && rd(gpu, 0, 0x002a80) == 0; i++)
		usleep(300);
	put = rd(gpu, 0, 0x002a80);
	assert_true(put > 0);
	wr(gpu, 0, 0x002a7c, put);
	wr(gpu, 0, 0x100cbc, 0x8000000b);
	for (int i = 0; i < 20000 && rd(gpu, 0, 0x002a80) == put; i++)
		usleep(300);
	assert_int_not_equal(rd(gpu, 0, 0x002a80), put);
	poke(gpu, pte, (uint32_t)h_pte(AP_VRAM, page, 0));
	wr(gpu, 0, 0x002a7c, rd(gpu, 0, 0x002a80));
	put = rd(gpu, 0, 0x002a80);
	wr(gpu, 0, 0x100cbc, 0x8000000b);
	wait_for(gpu, gr.data, 1);
	assert_int_equal(peek(gpu, page + 0x10), 0xbeef);
	wait_for(gpu, ce.data, 9);
	for (uint32_t i = 0; i < T_COPY; i += 0x7fc)
		assert_int_equal(peek(gpu, dst + i), *(uint32_t *)(guest + i));
	/* the second grid stores where nothing is, and is cancelled */
	for (uint64_t o = 0; o < 0x200; o += 4)
		poke(gpu, gr.data + C_CODE + o, c_rd(&gr, gr.data + 0xa200 + o));
	wr(gpu, 0, 0x100cbc, 0x80000003);
	wr(gpu, 1, C_USERD_BAR1 + gr.id * 0x200 + 0x8c, gr.put);
	for (int i = 0; i < 20000 && rd(gpu, 0, 0x002a80) == put; i++)
		usleep(300);
	wr(gpu, 0, 0x100cbc, 0x8000001b | 1 << 9);
	for (int i = 0; i < 20000 && !rd(gpu, 0, 0x00259c); i++)
		usleep(300);
	assert_int_equal(rd(gpu, 0, 0x00259c), 1);
	h_del(&h);
	munmap(guest, 1 << 20);
	close(fd);
}

struct outcome {
	uint64_t step, v[LEDGER_NR], san;
};

static void take(struct gpu *gpu, struct outcome *o)
{
	o->step = gpu->step;
	for (int i = 0; i < LEDGER_NR; i++)
		o->v[i] = ledger_get(gpu->ledger, i);
	o->san = san_count(gpu, SAN_watched_access);
}

static void record_of(const char *path, struct outcome *o, void (*what)(struct gpu *gpu), bool late)
{
	struct gpu_config cfg;
	struct gpu *gpu;

	config(&cfg);
	cfg.late_invalidate = late;
	assert_int_equal(gpu_new(&cfg, &gpu), 0);
	assert_int_equal(trace_record_new(gpu, path, &gpu->trace), 0);
	assert_true(trace_recording(gpu));
	rd(gpu, 7, 0);		/* an event before the first step */
	assert_int_equal(gpu_start(gpu), 0);
	what(gpu);
	gpu_stop(gpu);
	trace_event(gpu, "end");
	take(gpu, o);
	gpu_del(&gpu);
}

static void record(const char *path, struct outcome *o)
{
	record_of(path, o, session, false);
}

static int replay(const char *path, struct outcome *o)
{
	struct gpu_config cfg;
	struct gpu *gpu;
	int ret;

	config(&cfg);
	cfg.seed = 0;
	cfg.vram_size = 0;
	assert_int_equal(trace_config(path, &cfg), 0);
	assert_int_equal(cfg.seed, 7);
	assert_int_equal(cfg.vram_size, 256 * MiB);
	assert_int_equal(gpu_new(&cfg, &gpu), 0);
	ret = trace_replay(gpu, path);
	take(gpu, o);
	gpu_del(&gpu);
	return ret;
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static void spew(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static void temp(char *path)
{
	strcpy(path, "/tmp/gpu-model-trace-XXXXXX");
	close(mkstemp(path));
}

static void test_round_trip(void **state)
{
	struct outcome a, b, c;
	char path[64];

	temp(path);
	record(path, &a);
	assert_int_equal(a.san, 1);
	assert_true(a.v[LEDGER_mmio_write] > 64);
	assert_int_equal(replay(path, &b), 0);
	assert_int_equal(a.step, b.step);
	assert_memory_equal(a.v, b.v, sizeof(a.v));
	assert_int_equal(a.san, b.san);
	assert_int_equal(replay(path, &c), 0);
	assert_memory_equal(&b, &c, sizeof(b));
	unlink(path);
}

static void test_engines(void **state)
{
	static const enum ledger_id happened[] = {
		LEDGER_grid, LEDGER_cta, LEDGER_warp_instruction, LEDGER_fault_replayable, LEDGER_replay, LEDGER_cancel,
		LEDGER_fault_fatal, LEDGER_ce_bytes_sys_to_vram, LEDGER_semaphore_release, LEDGER_doorbell,
		LEDGER_gpfifo_entry, LEDGER_ctx_switch, LEDGER_inval_all, LEDGER_tlb_miss, LEDGER_channel_reset,
	};
	struct outcome a, b;
	char path[64];

	for (unsigned int late = 0; late < 2; late++) {
		temp(path);
		record_of(path, &a, engines, late);
		for (unsigned int i = 0; i < ARRAY_SIZE(happened); i++)
			assert_in_range(a.v[happened[i]], 1, UINT32_MAX);
		assert_int_equal(a.v[LEDGER_ce_bytes_sys_to_vram], T_COPY);
		assert_int_equal(replay(path, &b), 0);
		for (int i = 0; i < LEDGER_NR; i++)
			if (a.v[i] != b.v[i])
				print_error("%s: %u recorded, %u replayed\n", ledger_name(i), (unsigned int)a.v[i],
					    (unsigned int)b.v[i]);
		assert_memory_equal(&a, &b, sizeof(a));
		unlink(path);
	}
}

/* Change the first line that contains @what: its last hex digit, or cut it to @what. */
static int replay_changed(const char *text, const char *what, const char *with)
{
	char *copy = strdup(text), *at = strstr(copy, what), path[64];
	struct outcome o;
	int ret;

	assert_non_null(at);
	if (with) {
		memcpy(at, with, strlen(with));
	} else {
		char *nl = strchr(at, '\n');

		nl[-1] = nl[-1] == '0' ? '1' : '0';
	}
	temp(path);
	spew(path, copy);
	ret = replay(path, &o);
	unlink(path);
	free(copy);
	return ret;
}

static void test_tampered(void **state)
{
	struct outcome a;
	char path[64], *text;

	temp(path);
	record(path, &a);
	text = slurp(path);
	unlink(path);
	assert_non_null(strstr(text, " dma 2000 05000000"));
	assert_int_equal(replay_changed(text, " dma 2000", " dma 2001"), -EIO);
	assert_int_equal(replay_changed(text, "rd 0 700010", NULL), -EIO);
	assert_int_equal(replay_changed(text, " dma_map ", " dma_mop "), -EINVAL);
	assert_int_equal(replay_changed(text, " rd 0 ", " rd x "), -EINVAL);
	assert_int_equal(replay_changed(text, " wr 0 ", " wr 0g"), -EINVAL);
	assert_int_equal(replay_changed(text, "intr_lost", "intr_xxxx"), 0);	/* refused then as now: no such point */
	assert_int_equal(replay_changed(text, "control {", "control ["), -EINVAL);
	assert_int_equal(replay_changed(text, "\n0 ", "\nx "), -EINVAL);
	free(text);
}

static void test_not_a_trace(void **state)
{
	struct gpu_config cfg;
	char path[64];

	temp(path);
	spew(path, "hello\n");
	config(&cfg);
	assert_int_equal(trace_config(path, &cfg), -EINVAL);
	unlink(path);
	assert_int_equal(trace_config(path, &cfg), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_engines),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_not_a_trace),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
