// SPDX-License-Identifier: MIT
/*
 * Record and replay: a session of host events, recorded, then replayed in a new
 * GPU, takes the same engine steps, reads the same values and leaves the same
 * ledger; a trace that was tampered with is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/block.h"
#include "hw/mem.h"
#include "ledger/control.h"
#include "ledger/ledger.h"
#include "ledger/sanitizer.h"
#include "ledger/trace.h"
#include "pci/dma.h"
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

static void record(const char *path, struct outcome *o)
{
	struct gpu_config cfg;
	struct gpu *gpu;

	config(&cfg);
	assert_int_equal(gpu_new(&cfg, &gpu), 0);
	assert_int_equal(trace_record_new(gpu, path, &gpu->trace), 0);
	assert_true(trace_recording(gpu));
	rd(gpu, 7, 0);		/* an event before the first step */
	assert_int_equal(gpu_start(gpu), 0);
	session(gpu);
	gpu_stop(gpu);
	trace_event(gpu, "end");
	take(gpu, o);
	gpu_del(&gpu);
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
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_not_a_trace),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
