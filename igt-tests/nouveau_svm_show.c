// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm show
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: what the driver shows of itself
 * Description: debugfs, fdinfo and trace points tell what happens, while it happens and when clients are gone
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "gpu_model.h"
#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("Debugfs, fdinfo and trace points tell what happens.");

#define NR (SZ_2M / SZ_4K)

static uint64_t counter(const char *name)
{
	uint64_t v = 0;

	igt_assert_f(svm_driver_counter(name, &v), "debugfs has no line \"%s\"\n", name);
	return v;
}

/* Wait until a counter is @want: blocks go where it is allowed to sleep, a moment later. */
static void expect_counter(const char *name, uint64_t want)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 100; i++) {
		v = counter(name);
		if (v == want)
			return;
		usleep(50000);
	}
	igt_assert_f(false, "%s is %" PRIu64 ", expected %" PRIu64 "\n", name, v, want);
}

static const char *const names[] = {
	"faults", "duplicates", "spurious", "stale", "batches", "replays", "cancels", "overflows", "maps",
	"invalidates", "bytes_to_vram", "bytes_to_ram", "evictions", "copy_errors", "migrate_failures",
	"exclusive_pages",
};

static uint64_t base[ARRAY_SIZE(names)];

static void counters_start(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		base[i] = counter(names[i]);
}

static uint64_t since(const char *name)
{
	unsigned int i;

	for (i = 0; strcmp(names[i], name); i++)
		igt_assert(i + 1 < ARRAY_SIZE(names));
	return counter(name) - base[i];
}

/* Wait until a counter has risen to @want: what is done by threads is counted a moment later. */
static void expect_since(const char *name, uint64_t want)
{
	int i;

	for (i = 0; i < 100 && since(name) < want; i++)
		usleep(50000);
	igt_assert_f(since(name) == want, "%s rose by %" PRIu64 ", expected %" PRIu64 "\n", name, since(name), want);
}

/* Memory that nobody has mapped, with new contents. */
static void renew(char *p, uint32_t first)
{
	igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
	svm_cpu_write_pages(p, NR, first);
}

/**
 * SUBTEST: counters-rare
 * Description: what does not happen every day is counted: duplicates, spurious faults, overflows, copies that fail,
 *	moves that fail, evictions, and pages that the GPU has for itself
 *
 * Entries that are stale: nouveau_svm_fault@stale-entries.
 */
static void test_counters_rare(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm svm, other;
	struct svm_vram fill;
	int pin;

	svm_open(&svm);
	svm_open(&other);
	svm_migrate_on_fault(false);

	/* An entry that comes twice. */
	renew(p, 0x100);
	counters_start();
	svm_inject(&(struct gpu_model_inject){ .point = "fault_dup", .nth = 1 });
	igt_assert_eq_u32(svm_gpu_read(&svm, p), 0x100);
	expect_since("batches", 1);
	igt_assert_eq_u64(since("duplicates"), 1);
	igt_assert_eq_u64(since("faults"), 2);
	igt_assert_eq_u64(since("spurious"), 0);

	/* An entry of a page that is mapped, beside one of another client's that is not. */
	counters_start();
	svm_inject(&(struct gpu_model_inject){ .point = "fault_foreign", .nth = 1, .arg = svm_chan_inst(&svm) });
	igt_assert_eq_u32(svm_gpu_read(&other, p), 0x100);
	expect_since("spurious", 1);
	igt_assert_eq_u64(since("duplicates"), 0);
	igt_assert_eq_u64(since("cancels"), 0);

	/* The buffer overflows, which shows as Volta's does. */
	renew(p, 0x200);
	counters_start();
	svm_inject(&(struct gpu_model_inject){ .point = "fault_overflow_volta" });
	svm_inject(&(struct gpu_model_inject){ .point = "fault_overflow", .nth = 1 });
	igt_assert_eq_u32(svm_gpu_read(&svm, p), 0x200);
	expect_since("overflows", 1);
	svm_injected("fault_overflow");

	/* A page that is pinned does not move, and the GPU has it for itself. */
	renew(p, 0x300);
	pin = svm_pin(p, SZ_4K);
	counters_start();
	svm_bind_vram_some(&svm, p, SZ_4K);
	igt_assert_eq_u64(since("migrate_failures"), 1);
	/* The rest of the range goes, but for its piece of 64 KiB. */
	igt_assert_eq_u64(since("bytes_to_vram"), SZ_2M - SZ_64K);
	svm_gpu_add(&svm, p, 1, 32);
	igt_assert_eq_u64(since("exclusive_pages"), 1);
	igt_assert_eq_u32(*(volatile uint32_t *)p, 0x300 + 32);
	close(pin);

	/* A copy that fails. */
	renew(p, 0x400);
	counters_start();
	svm_inject(&(struct gpu_model_inject){ .point = "ce_error", .nth = 1 });
	igt_assert_eq(nv_svm_bind(&svm.dev, p, SZ_2M, true, NULL), 0);
	igt_assert_eq_u64(since("copy_errors"), 1);
	svm_cpu_check_pages(p, NR, 0x400, true);

	/* Buffers want the room. */
	renew(p, 0x500);
	svm_bind_vram(&svm, p, SZ_2M);
	counters_start();
	svm_vram_fill(&svm, &fill);
	igt_assert_lte_u64(1, since("evictions"));
	igt_assert_eq_u64(since("bytes_to_ram"), SZ_2M);
	svm_vram_release(&fill);
	svm_cpu_check_pages(p, NR, 0x500, true);
	svm_close(&other);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	svm_migrate_on_fault(true);
}

/**
 * SUBTEST: counters
 * Description: the counters of faults, batches, replays, maps, invalidates, cancels and bytes rise by what was done,
 *	and by nothing else
 */
static void test_counters(void)
{
	char *p, *q;
	struct svm svm;
	int i;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(SZ_2M, PAGES_4K);
	q = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_cpu_write_pages(q, 8, 0x200);
	svm_gpu_check_pages(&svm, q, 8, 0x200);

	/* Nothing happens: nothing is counted. */
	counters_start();
	svm_gpu_check_pages(&svm, q, 8, 0x200);
	igt_assert_eq_u64(since("faults"), 0);
	igt_assert_eq_u64(since("maps"), 0);
	igt_assert_eq_u64(since("replays"), 0);
	igt_assert_eq_u64(since("invalidates"), 0);

	counters_start();
	svm_bind_vram(&svm, p, SZ_2M);
	igt_assert_eq_u64(since("bytes_to_vram"), SZ_2M);
	igt_assert_eq_u64(since("bytes_to_ram"), 0);
	igt_assert_eq_u64(since("maps"), 1);
	igt_assert_eq_u64(since("faults"), 0);
	igt_assert_eq_u64(since("migrate_failures"), 0);
	expect_counter("blocks", 1);

	counters_start();
	svm_cpu_check_pages(p, NR, 0x100, true);
	igt_assert_eq_u64(since("bytes_to_ram"), SZ_2M);
	igt_assert_eq_u64(since("bytes_to_vram"), 0);
	igt_assert_eq_u64(since("invalidates"), 1);
	igt_assert_eq_u64(since("evictions"), 0);
	expect_counter("blocks", 0);

	/* One warp reads one page: one fault, one batch, one replay, one range. */
	counters_start();
	igt_assert_eq_u32(svm_gpu_read(&svm, p), 0x100);
	igt_assert_eq_u64(since("faults"), 1);
	igt_assert_eq_u64(since("batches"), 1);
	/* It is counted when it has been sent, and the warp goes on. */
	for (i = 0; i < 100 && !since("replays"); i++)
		usleep(50000);
	igt_assert_eq_u64(since("replays"), 1);
	igt_assert_eq_u64(since("maps"), 1);
	igt_assert_eq_u64(since("cancels"), 0);

	/* A page that may not be had. */
	counters_start();
	igt_assert_eq(mprotect(p, SZ_2M, PROT_NONE), 0);
	igt_assert_eq(svm_gpu_try(&svm, &svm.read, svm.out.va, (uintptr_t)p + SZ_64K, 1), -ENODEV);
	igt_assert_eq_u64(since("cancels"), 1);
	igt_assert_eq_u64(since("invalidates"), 1);
	igt_assert_eq(svm_fault_record(p + SZ_64K), -EFAULT);
	svm_close(&svm);
	igt_assert_eq(mprotect(p, SZ_2M, PROT_READ | PROT_WRITE), 0);
	svm_free(p, SZ_2M);
	svm_free(q, SZ_2M);
	svm_migrate_on_fault(true);
}

static void expect_range(const void *addr, const char *want, const char *or_want)
{
	const char *line = svm_driver_range(addr);

	igt_assert_f(line, "no range at %p\n", addr);
	igt_assert_f(!strcmp(line, want) || (or_want && !strcmp(line, or_want)), "the range at %p has \"%s\", not \"%s\"\n",
		     addr, line, want);
}

/**
 * SUBTEST: ranges
 * Description: the ranges of a client are listed with their leaves, until their memory is unmapped
 */
static void test_ranges(void)
{
	struct svm svm;
	char *p, *q;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(SZ_2M, PAGES_THP);
	q = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(q != MAP_FAILED);
	igt_assert(!svm_driver_range(p));
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_check_pages(&svm, p, 8, 0x100);
	expect_range(p, " 2M", NULL);
	svm_bind_vram(&svm, p, SZ_2M);
	expect_range(p, " 2M vram", NULL);
	/* It came back: the range is there, and nothing is mapped. */
	svm_cpu_check_pages(p, NR, 0x100, true);
	igt_assert(svm_driver_range(p));
	igt_assert_f(!strstr(svm_driver_range(p), "2M") && !strstr(svm_driver_range(p), "vram"), "\"%s\"\n", svm_driver_range(p));
	/* A file's page, for reading only. */
	munmap(q, SZ_64K);
	q = mmap(NULL, SZ_4K, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(q != MAP_FAILED);
	igt_assert_eq_u32(svm_gpu_read(&svm, q), 0);
	expect_range(q, " 4K ro", NULL);
	munmap(q, SZ_4K);
	igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
	free(p);
	/* Collected where it is allowed to sleep. */
	usleep(300000);
	igt_assert(!svm_driver_range(q));
	svm_close(&svm);
	svm_migrate_on_fault(true);
}

/* How many address spaces are listed, all of them with our hole. */
static unsigned int address_spaces(FILE *f)
{
	uint64_t start, end, unresolved;
	char line[256], vm[32], rest[64];
	unsigned int n = 0;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "vm %31s hole %" SCNx64 "-%" SCNx64 "%63[a-z ]%" SCNu64, vm, &start, &end, rest,
			   &unresolved) != 5)
			continue;
		igt_assert_eq_u64(start, NV_CUTOUT_BASE);
		igt_assert_eq_u64(end, NV_CUTOUT_BASE + NV_CUTOUT_SIZE);
		igt_assert_f(!strcmp(rest, " devmem unresolved "), "\"%s\"\n", rest);
		igt_assert_eq_u64(unresolved, 0);
		n++;
	}
	return n;
}

static unsigned int address_spaces_now(void)
{
	FILE *f = svm_driver_open();
	unsigned int n;

	igt_assert(f);
	n = address_spaces(f);
	fclose(f);
	return n;
}

/**
 * SUBTEST: closed-while-open
 * Description: a client goes while the file in debugfs is open: it shows who is left
 */
static void test_closed(void)
{
	struct svm a;
	/* The cut-out of a process is at one place: the second client is a child. */
	int ready[2], go[2];
	FILE *f;
	char c;

	igt_assert_eq(pipe(ready), 0);
	igt_assert_eq(pipe(go), 0);
	igt_fork(child, 1) {
		struct svm b;

		svm_open(&b);
		igt_assert_eq((int)write(ready[1], "x", 1), 1);
		igt_assert_eq((int)read(go[0], &c, 1), 1);
		svm_close(&b);
	}
	igt_assert_eq((int)read(ready[0], &c, 1), 1);
	igt_assert_eq((int)address_spaces_now(), 1);
	svm_open(&a);
	igt_assert_eq((int)address_spaces_now(), 2);
	/* Opened now, read after one has gone. */
	f = svm_driver_open();
	igt_assert(f);
	svm_close(&a);
	igt_assert_eq((int)address_spaces(f), 1);
	fclose(f);
	igt_assert_eq((int)write(go[1], "x", 1), 1);
	igt_waitchildren();
	igt_assert_eq((int)address_spaces_now(), 0);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
}

static volatile bool reader_stop;
static volatile unsigned int reader_turns;

static void *reader_main(void *arg)
{
	char line[256];

	while (!reader_stop) {
		FILE *f = svm_driver_open();

		while (f && fgets(line, sizeof(line), f))
			;
		if (f)
			fclose(f);
		reader_turns++;
	}
	return NULL;
}

/**
 * SUBTEST: read-beside
 * Description: the file is read without a pause while clients come, work and go
 */
static void test_beside(void)
{
	pthread_t thread;
	uint32_t i;

	reader_stop = false;
	reader_turns = 0;
	igt_assert_eq(pthread_create(&thread, NULL, reader_main, NULL), 0);
	for (i = 0; i < 20; i++) {
		char *p = svm_alloc(SZ_2M, PAGES_4K);
		struct svm svm;

		svm_open(&svm);
		svm_cpu_write_pages(p, NR, i);
		svm_gpu_check_pages(&svm, p, NR, i);
		svm_gpu_write_pages(&svm, p, NR, 0x100 + i);
		svm_cpu_check_pages(p, NR, 0x100 + i, false);
		svm_close(&svm);
		svm_free(p, SZ_2M);
	}
	reader_stop = true;
	pthread_join(thread, NULL);
	igt_assert_lte(20, (int)reader_turns);
	igt_assert_eq((int)address_spaces_now(), 0);
}

/**
 * SUBTEST: unbound-while-open
 * Description: the driver is unbound while the file in debugfs is open: reading fails, and nothing else
 */
static void test_unbound(void)
{
	char slot[64], line[256];
	FILE *f;

	svm_gpu_slot(slot);
	f = svm_driver_open();
	igt_assert(f);
	svm_driver_unbind(slot);
	igt_assert(!fgets(line, sizeof(line), f));
	fclose(f);
	svm_driver_bind(slot);
	f = svm_driver_open();
	igt_assert(f);
	igt_assert(fgets(line, sizeof(line), f));
	igt_assert_f(!strcmp(line, "on migration yes\n"), "\"%s\"\n", line);
	fclose(f);
}

/* The number behind a key of our file's fdinfo in KiB; -1: there is no such line. */
static int64_t fdinfo(int fd, const char *key)
{
	char path[64], line[256];
	int64_t kib = -1;
	size_t n = strlen(key);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, n) && line[n] == ':')
			igt_assert_eq(sscanf(line + n + 1, "%" SCNd64 " KiB", &kib), 1);
	fclose(f);
	return kib;
}

/**
 * SUBTEST: fdinfo
 * Description: fdinfo of a client tells how much of its process's memory is in VRAM
 */
static void test_fdinfo(void)
{
	const char *key = "drm-resident-svm-vram";
	struct nv_dev plain;
	struct svm svm;
	char *p, *q, *r;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	r = svm_alloc(SZ_2M, PAGES_4K);
	p = svm_alloc(2 * SZ_2M, PAGES_THP);
	q = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, 2 * NR, 0x100);
	svm_cpu_write_pages(q, NR, 0x100);
	igt_assert_eq((int)fdinfo(svm.dev.fd, key), 0);
	svm_gpu_check_pages(&svm, q, NR, 0x100);
	igt_assert_eq((int)fdinfo(svm.dev.fd, key), 0);
	svm_bind_vram(&svm, p, 2 * SZ_2M);
	igt_assert_eq((int)fdinfo(svm.dev.fd, key), 4096);
	/* A new range keeps to what was asked for. */
	svm_bind_vram(&svm, r, SZ_64K);
	igt_assert_eq((int)fdinfo(svm.dev.fd, key), 4096 + 64);
	igt_assert_eq_u32(*(volatile uint32_t *)p, 0x100);
	igt_assert_eq((int)fdinfo(svm.dev.fd, key), 2048 + 64);
	/* A client without SVM has no such line. */
	igt_assert_eq(nv_dev_open(&plain, NULL), 0);
	igt_assert_eq((int)fdinfo(plain.fd, key), -1);
	nv_dev_close(&plain);
	svm_free(p, 2 * SZ_2M);
	igt_assert_eq((int)fdinfo(svm.dev.fd, key), 64);
	svm_free(r, SZ_2M);
	svm_free(q, SZ_2M);
	svm_close(&svm);
	svm_migrate_on_fault(true);
}

/* --- trace points --- */

static void expect_traced(const char *event, const char *with, const char *and_with)
{
	igt_assert_f(svm_traced(event, with, and_with), "no event %s with \"%s\" and \"%s\"\n", event, with ? with : "",
		     and_with ? and_with : "");
}

/**
 * SUBTEST: trace
 * Description: each trace point fires with what it is about; switched off, none does
 */
static void test_trace(void)
{
	char page[64], start[64];
	struct svm_vram fill;
	struct svm svm;
	char *p, *q;

	svm_open(&svm);
	svm_migrate_on_fault(true);
	p = svm_alloc(SZ_2M, PAGES_THP);
	q = svm_alloc(SZ_2M, PAGES_THP);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_cpu_write_pages(q, NR, 0x200);
	svm_trace_on();
	igt_assert_eq_u32(svm_gpu_read(&svm, p + 3 * SZ_4K), 0x103);
	svm_cpu_check_pages(p, NR, 0x100, true);
	svm_bind_vram(&svm, q, SZ_2M);
	svm_vram_fill(&svm, &fill);
	svm_vram_release(&fill);
	svm_cpu_check_pages(q, NR, 0x200, true);
	svm_free(p, SZ_2M);
	svm_trace_off();

	snprintf(page, sizeof(page), "addr=%#" PRIx64 " access=0", (uint64_t)(uintptr_t)p + 3 * SZ_4K);
	expect_traced("nouveau_svm_fault", page, "spurious=0 error=0");
	expect_traced("nouveau_svm_replay", "faults=1", NULL);
	snprintf(start, sizeof(start), "start=%#" PRIx64 " ", (uint64_t)(uintptr_t)p);
	expect_traced("nouveau_svm_migrate", start, "error=0");
	expect_traced("nouveau_svm_range", start, "vram=1 ro=0 error=0");
	expect_traced("nouveau_svm_invalidate", start, "flush=1");
	expect_traced("nouveau_svm_copy", "to=vram npages=512", "error=0");
	expect_traced("nouveau_svm_copy", "to=ram npages=512", "error=0");
	snprintf(page, sizeof(page), "addr=%#" PRIx64, (uint64_t)(uintptr_t)p);
	expect_traced("nouveau_svm_cpu_fault", page, "result=0x0");
	expect_traced("nouveau_svm_evict", "size=2097152", "error=0");

	svm_trace_drop();
	svm_gpu_write_pages(&svm, q, NR, 0x300);
	svm_cpu_check_pages(q, NR, 0x300, false);
	igt_assert_eq((int)svm_traced("nouveau_svm_fault", NULL, NULL), 0);
	igt_assert_eq((int)svm_traced("nouveau_svm_copy", NULL, NULL), 0);
	svm_free(q, SZ_2M);
	svm_close(&svm);
}

int igt_main()
{
	igt_fixture()
		igt_require_f(svm_driver_open(), "this driver shows nothing\n");
	igt_describe("Counters");
	igt_subtest("counters")
		test_counters();
	igt_subtest("counters-rare")
		test_counters_rare();
	igt_describe("Ranges of a client");
	igt_subtest("ranges")
		test_ranges();
	igt_describe("A client goes while the file is open");
	igt_subtest("closed-while-open")
		test_closed();
	igt_describe("Read while clients come and go");
	igt_subtest("read-beside")
		test_beside();
	igt_describe("The driver goes while the file is open");
	igt_subtest("unbound-while-open")
		test_unbound();
	igt_describe("fdinfo");
	igt_subtest("fdinfo")
		test_fdinfo();
	igt_describe("Trace points");
	igt_subtest("trace")
		test_trace();
}
