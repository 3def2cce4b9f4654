// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm bench
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: what operations cost, beside test_hmm
 * Description: migrates, faults, brings back, evicts and prefetches on nouveau and, in the same boot, on test_hmm
 *
 * Not one of the tests that igt_runner gets: bench/run starts it and makes a table of the lines "bench: {...}".
 * The same operations on the kernel's test_hmm (lib/test_hmm.c), whose device is memory that the CPU copies:
 *
 * ========  ==============================  =====================================
 * name      nouveau                         test_hmm
 * ========  ==============================  =====================================
 * prefetch  SVM_BIND to VRAM                HMM_DMIRROR_MIGRATE_TO_DEV
 * back      the CPU reads a word of each page that is in device memory, in order
 * fault     the GPU reads pages in place    HMM_DMIRROR_READ, which copies them
 * migrate   the GPU reads, pages move       -
 * evict     buffers fill VRAM               HMM_DMIRROR_RELEASE, of all memory
 *           both less what that costs when the device's memory is empty
 * ========  ==============================  =====================================
 *
 * Times are the least of several rounds. "cpu_ns" is CPU time of this thread, so of the system call or of the CPU
 * faults, for prefetch of the driver's thread that does the work too, and for faults of the GPU of that alone. nouveau's
 * copies run elsewhere, test_hmm's are in there: "copy_ns" is what memcpy() takes for as many pages of that kind.
 * Accesses to registers are traps into the emulator, and counted: "mmio", at "mmio_read_ns" and "mmio_write_ns" each.
 * For that the kernel has to let user space map registers (iomem=relaxed).
 * NVSVM_OPS names the operations to measure, if not all.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "gpu_model.h"
#include "igt.h"
#include "svm_test.h"

#include <test_hmm_uapi.h>

IGT_TEST_DESCRIPTION("What operations cost, beside test_hmm.");

#define ROUNDS 5
#define PMC_BOOT_0 0x000000
#define PBUS_BAR0_WINDOW 0x001700	/* writing what it holds changes nothing */
#define ACCESSES 2000

enum op { PREFETCH, BACK, FAULT, MIGRATE, EVICT, NR_OPS };
static const char *const op_name[] = { "prefetch", "back", "fault", "migrate", "evict" };
static const char *const kind_name[] = { [PAGES_4K] = "4k", [PAGES_THP] = "2m" };

/* What is printed of the GPU; of the first ones the least, as of times: how many interrupts there are varies. */
#define REGISTERS 2
static const char *const counters[] = {
	"mmio_read", "mmio_write", "doorbell", "ce_launch", "ce_bytes_sys_to_vram", "ce_bytes_vram_to_sys",
	"replay", "inval_all", "inval_pdb", "pte_write_4k", "pte_write_64k", "pte_write_2m",
};

struct sample {
	uint64_t wall, cpu;
	uint64_t count[ARRAY_SIZE(counters)];
};

static struct svm svm;
static int dmirror = -1;

/* Of the kernel's thread that serves this process, if the driver has one. */
static clockid_t worker_clock;
static bool has_worker;

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void find_worker(void)
{
	char path[300], comm[64] = "", own[64];
	DIR *dir = opendir("/proc");
	struct dirent *d;
	FILE *f;

	snprintf(own, sizeof(own), "nouveau_svm/%d\n", getpid());
	igt_assert(dir);
	while (!has_worker && (d = readdir(dir))) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		has_worker = fgets(comm, sizeof(comm), f) && !strcmp(comm, own) &&
			     clock_getcpuclockid(atoi(d->d_name), &worker_clock) == 0;
		fclose(f);
	}
	closedir(dir);
}

static uint64_t cpu_time(bool hmm, enum op op)
{
	uint64_t t = 0;

	/* Who waits for the GPU looks whether it has ended, again and again. */
	if (hmm || !has_worker || (op != FAULT && op != MIGRATE))
		t += now(CLOCK_THREAD_CPUTIME_ID);
	if (!hmm && has_worker && (op == PREFETCH || op == FAULT || op == MIGRATE))
		t += now(worker_clock);
	return t;
}

static void start(struct sample *s, bool hmm, enum op op)
{
	if (!hmm)
		svm_ledger_start();
	s->cpu = cpu_time(hmm, op);
	s->wall = now(CLOCK_MONOTONIC);
}

static void stop(struct sample *s, bool hmm, enum op op)
{
	unsigned int i;

	s->wall = now(CLOCK_MONOTONIC) - s->wall;
	s->cpu = cpu_time(hmm, op) - s->cpu;
	if (hmm)
		return;
	svm_ledger_stop();
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		s->count[i] = svm_ledger(counters[i]);
}

/* The least: what other work on the host added is noise. */
static void least(struct sample *to, const struct sample *s)
{
	const struct sample was = *to;
	unsigned int i;

	if (s->wall < to->wall)
		*to = *s;
	if (was.wall == UINT64_MAX)
		return;
	to->cpu = was.cpu < s->cpu ? was.cpu : s->cpu;
	for (i = 0; i < REGISTERS; i++)
		to->count[i] = was.count[i] < s->count[i] ? was.count[i] : s->count[i];
}

/* Without what @base has. */
static void less(struct sample *s, const struct sample *base)
{
	unsigned int i;

	s->wall -= base->wall < s->wall ? base->wall : s->wall;
	s->cpu -= base->cpu < s->cpu ? base->cpu : s->cpu;
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		s->count[i] -= base->count[i] < s->count[i] ? base->count[i] : s->count[i];
}

/* --- test_hmm --- */

/* Its first device is device-private memory (dmirror_devices[] in lib/test_hmm.c). */
static int dmirror_open(void)
{
	char line[64];
	int major = -1;
	FILE *f = fopen("/proc/devices", "r");

	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "HMM_DMIRROR"))
			major = atoi(line);
	fclose(f);
	if (major < 0)
		return -1;
	if (mknod("/tmp/bench-dmirror", S_IFCHR | 0600, makedev((unsigned int)major, 0)) && errno != EEXIST)
		return -1;
	return open("/tmp/bench-dmirror", O_RDWR | O_CLOEXEC);
}

/* Returns false if it has to be done again: test_hmm reads what it has moved, and says ENOENT if that moved on. */
static bool dmirror_do(unsigned long request, const void *addr, size_t len, void *ptr)
{
	struct hmm_dmirror_cmd cmd = { .addr = (uintptr_t)addr, .ptr = (uintptr_t)ptr, .npages = len / SZ_4K };
	int err = ioctl(dmirror, request, &cmd) ? errno : 0;

	if (request == HMM_DMIRROR_MIGRATE_TO_DEV && err == ENOENT)
		return false;
	igt_assert_f(!err, "test_hmm: %s\n", strerror(err));
	if (request == HMM_DMIRROR_MIGRATE_TO_DEV)
		igt_assert_eq_u64(cmd.cpages, cmd.npages);
	return true;
}

/* --- operations --- */

static void cpu_read_pages(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += SZ_4K)
		(void)*(const volatile uint32_t *)(p + i);
}

static void gpu_read_pages(const char *p, size_t len)
{
	const struct nv_args args = { .dst = svm.out.va, .src = (uintptr_t)p, .count = (uint32_t)(len / SZ_4K) };

	nv_use(&svm.chan, &svm.out);
	igt_assert_eq(nv_run(&svm.chan, &svm.walk_page, 1, 1, &args, sizeof(args)), 0);
}

static bool do_op(bool hmm, enum op op, char *p, size_t len, char *copy, struct svm_vram *fill)
{
	switch (op) {
	case PREFETCH:
		if (hmm)
			return dmirror_do(HMM_DMIRROR_MIGRATE_TO_DEV, p, len, copy);
		svm_bind_vram(&svm, p, len);
		break;
	case BACK:
		cpu_read_pages(p, len);
		break;
	case FAULT:
	case MIGRATE:
		if (hmm)
			return dmirror_do(HMM_DMIRROR_READ, p, len, copy);
		gpu_read_pages(p, len);
		break;
	case EVICT:
		if (hmm)
			return dmirror_do(HMM_DMIRROR_RELEASE, p, len, NULL);
		svm_vram_fill(&svm, fill);
		break;
	case NR_OPS:
		break;
	}
	return true;
}

static uint64_t copy_time(char *copy, size_t len, enum page_kind kind)
{
	char *from = svm_alloc(len, kind);
	uint64_t best = UINT64_MAX, t;
	size_t i;
	int n;

	for (n = 0; n < ROUNDS; n++) {
		t = now(CLOCK_THREAD_CPUTIME_ID);
		for (i = 0; i < len; i += SZ_4K)
			memcpy(copy + i, from + i, SZ_4K);
		t = now(CLOCK_THREAD_CPUTIME_ID) - t;
		if (t < best)
			best = t;
	}
	svm_free(from, len);
	return best;
}

static unsigned int wrong_pages(const char *p, size_t len)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < len / SZ_4K; i++)
		n += *(const volatile uint32_t *)(p + i * SZ_4K) != 0x100 + i;
	return n;
}

static void measure(const char *device, enum op op, size_t len, enum page_kind kind)
{
	bool hmm = !strcmp(device, "test_hmm");
	char *copy = svm_alloc(len, kind);
	uint64_t copy_ns = copy_time(copy, len, kind);
	struct sample best = { .wall = UINT64_MAX, .cpu = UINT64_MAX }, base = best, s = { 0 };
	struct svm_vram fill = { 0 };
	unsigned int i, round, wrong = 0, again = 0;
	bool done;
	char *p;

	/*
	 * What filling VRAM costs that everything has left, and giving up test_hmm's memory. Something has to have been
	 * there: from then on ours clears VRAM before buffers get it, and test_hmm has memory.
	 */
	for (round = 0; round < (hmm ? 2 : ROUNDS) && op == EVICT; round++) {
		p = svm_alloc(len, kind);
		svm_cpu_write_pages(p, (uint32_t)(len / SZ_4K), 0x100);
		while (!do_op(hmm, PREFETCH, p, len, copy, NULL))
			igt_assert_lte(++again, 10);
		svm_free(p, len);
		start(&s, hmm, op);
		do_op(hmm, op, copy, len, NULL, &fill);
		stop(&s, hmm, op);
		if (!hmm)
			svm_vram_release(&fill);
		least(&base, &s);
	}
	for (round = 0; round < ROUNDS; round++) {
		p = svm_alloc(len, kind);
		svm_cpu_write_pages(p, (uint32_t)(len / SZ_4K), 0x100);
		if (!hmm)
			svm_migrate_on_fault(op == MIGRATE);
		/* What goes back and forth too often stays (NOUVEAU_SVM_BOUNCE_TIME), and malloc() gives the same again. */
		if (op == MIGRATE)
			usleep(100000);
		if (op == BACK || op == EVICT) {
			while (!do_op(hmm, PREFETCH, p, len, copy, NULL))
				igt_assert_lte(++again, 10);
			igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), len / SZ_4K);
		}
		start(&s, hmm, op);
		done = do_op(hmm, op, p, len, copy, &fill);
		stop(&s, hmm, op);
		if (op == EVICT)
			igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), 0);
		/* What has not moved has no time. */
		if ((op == PREFETCH && done) || op == MIGRATE)
			igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), len / SZ_4K);
		if (op == EVICT && !hmm)
			svm_vram_release(&fill);
		if (done)
			least(&best, &s);
		else
			igt_assert_lte(++again, 10);
		round -= !done;
		if (!strcmp(device, "upstream"))	/* loses copies: N1 of Documentation/defects.rst */
			wrong += wrong_pages(p, len);
		else
			svm_cpu_check_pages(p, (uint32_t)(len / SZ_4K), 0x100, true);
		svm_free(p, len);
	}
	svm_free(copy, len);
	if (op == EVICT)
		less(&best, &base);
	printf("bench: {\"device\": \"%s\", \"op\": \"%s\", \"kind\": \"%s\", \"bytes\": %zu, \"wall_ns\": %" PRIu64
	       ", \"cpu_ns\": %" PRIu64 ", \"copy_ns\": %" PRIu64
	       ", \"wrong_pages\": %u",
	       device, op_name[op], kind_name[kind], len, best.wall, best.cpu, copy_ns,
	       wrong);
	for (i = 0; !hmm && i < ARRAY_SIZE(counters); i++)
		printf(", \"%s\": %" PRIu64, counters[i], best.count[i]);
	printf("}\n");
}

/* --- what a register costs here --- */

static void measure_mmio(void)
{
	volatile uint32_t *bar;
	uint64_t t_read, t_write;
	uint32_t window;
	char path[300];
	struct dirent *d;
	int i, fd = -1;
	DIR *dir = opendir("/sys/bus/pci/drivers/nouveau");

	igt_assert(dir);
	while (fd < 0 && (d = readdir(dir)))
		if (strchr(d->d_name, ':')) {
			snprintf(path, sizeof(path), "/sys/bus/pci/drivers/nouveau/%s/resource0", d->d_name);
			fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
		}
	closedir(dir);
	bar = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	igt_assert_f(bar != MAP_FAILED, "registers: %s (iomem=relaxed?)\n", strerror(errno));
	t_read = now(CLOCK_THREAD_CPUTIME_ID);
	for (i = 0; i < ACCESSES; i++)
		(void)bar[PMC_BOOT_0 / 4];
	t_read = now(CLOCK_THREAD_CPUTIME_ID) - t_read;
	munmap((void *)bar, SZ_4K);
	bar = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PBUS_BAR0_WINDOW & ~0xfff);
	igt_assert(bar != MAP_FAILED);
	window = bar[(PBUS_BAR0_WINDOW & 0xfff) / 4];
	t_write = now(CLOCK_THREAD_CPUTIME_ID);
	for (i = 0; i < ACCESSES; i++)
		bar[(PBUS_BAR0_WINDOW & 0xfff) / 4] = window;
	t_write = now(CLOCK_THREAD_CPUTIME_ID) - t_write;
	munmap((void *)bar, SZ_4K);
	close(fd);
	printf("bench: {\"device\": \"registers\", \"mmio_read_ns\": %" PRIu64 ", \"mmio_write_ns\": %" PRIu64 "}\n",
	       t_read / ACCESSES, t_write / ACCESSES);
}

/* --- where the time goes --- */

#define TRACING "/sys/kernel/tracing/"

/* In the kernel's call order; what is not there (inlined, or another driver's) is left out. */
static const char *const profiled[] = {
	"drm_pagemap_migrate_to_devmem", "migrate_vma_setup", "nouveau_svm_ce_submit", "migrate_vma_pages",
	"migrate_vma_finalize", "nouveau_svm_devmem_new", "drm_gpusvm_range_find_or_insert", "drm_gpusvm_get_pages",
	"nouveau_svm_range_bind", "nouveau_svm_invalidate",
};

static bool tracing(const char *file, const char *value, int flags)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	if (fd < 0)
		return false;
	n = write(fd, value, strlen(value));
	close(fd);
	return n == (ssize_t)strlen(value);
}

/* The name and the time in ns of a line of function_graph that ends a function; NULL: another line. */
static const char *profile_line(char *line, uint64_t *ns)
{
	char *bar = strchr(line, '|'), *unit = strstr(line, " us "), *name, *end;

	if (!bar || !unit || unit > bar)
		return NULL;
	for (end = unit; end > line && strchr("0123456789.", end[-1]); end--)
		;
	*ns = (uint64_t)(strtod(end, NULL) * 1000);
	name = strstr(bar, "/* ");
	name = name ? name + 3 : bar + 1 + strspn(bar + 1, " ");
	name[strcspn(name, " (\n")] = '\0';
	return name;
}

/* Once more, with the kernel's function graph of what is in profiled[]. Times include those of functions within. */
static void profile(enum op op, size_t len, enum page_kind kind)
{
	uint64_t ns[ARRAY_SIZE(profiled)] = { 0 }, calls[ARRAY_SIZE(profiled)] = { 0 }, t;
	char *p = svm_alloc(len, kind), line[512];
	const char *name;
	unsigned int i;
	FILE *f;

	svm_cpu_write_pages(p, (uint32_t)(len / SZ_4K), 0x100);
	tracing("set_ftrace_filter", "\n", O_TRUNC);
	for (i = 0; i < ARRAY_SIZE(profiled); i++) {
		snprintf(line, sizeof(line), "%s\n", profiled[i]);
		tracing("set_ftrace_filter", line, O_APPEND);
	}
	if (!tracing("options/funcgraph-tail", "1", 0) || !tracing("current_tracer", "function_graph", 0)) {
		fprintf(stderr, "the kernel has no function graph: no profile\n");
		svm_free(p, len);
		return;
	}
	do_op(false, op, p, len, NULL, NULL);
	tracing("tracing_on", "0", 0);
	f = fopen(TRACING "trace", "re");
	igt_assert(f);
	while (fgets(line, sizeof(line), f)) {
		name = profile_line(line, &t);
		for (i = 0; name && i < ARRAY_SIZE(profiled); i++)
			if (!strcmp(name, profiled[i])) {
				ns[i] += t;
				calls[i]++;
			}
	}
	fclose(f);
	tracing("current_tracer", "nop", 0);
	tracing("set_ftrace_filter", "\n", O_TRUNC);
	tracing("tracing_on", "1", 0);
	for (i = 0; i < ARRAY_SIZE(profiled); i++)
		if (calls[i])
			printf("bench: {\"device\": \"profile\", \"function\": \"%s\", \"calls\": %" PRIu64
			       ", \"ns\": %" PRIu64 ", \"bytes\": %zu}\n", profiled[i], calls[i], ns[i], len);
	svm_free(p, len);
}

/* Prefetch over a link of 12.5 GB/s (PCIe 3 x16, less its overhead) and 1.5 us a launch. */
static void measure_link(const char *device)
{
	const struct gpu_model_inject link = { .point = "link", .rate_gbps = 12.5, .launch_us = 1.5 };

	svm_inject(&link);
	printf("bench: {\"device\": \"link\", \"rate_gbps\": 12.5, \"launch_us\": 1.5}\n");
	measure(device, PREFETCH, 64 * SZ_1M, PAGES_THP);
	profile(PREFETCH, 64 * SZ_1M, PAGES_THP);
	svm_injected("link");
	printf("bench: {\"device\": \"link\"}\n");
}

int igt_simple_main()
{
	static const size_t sizes[] = { SZ_2M, 16 * SZ_1M, 64 * SZ_1M };
	const char *device = getenv("NVSVM_DRIVER");
	const char *ops = getenv("NVSVM_OPS");
	bool ours;
	unsigned int i;
	int op, kind;

	igt_assert_f(device, "NVSVM_DRIVER says whose nouveau this is\n");
	igt_assert_eq(setvbuf(stdout, NULL, _IOLBF, 0), 0);
	svm_open(&svm);
	find_worker();
	dmirror = dmirror_open();
	igt_assert_f(dmirror >= 0, "test_hmm: %s\n", strerror(errno));
	ours = svm_migrate_on_fault(true);
	igt_assert_eq(has_worker, ours);
	measure_mmio();
	for (op = 0; op < NR_OPS; op++) {
		if (ops && !strstr(ops, op_name[op]))
			continue;
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			for (kind = PAGES_4K; kind <= PAGES_THP; kind++) {
				if (ours || (op != MIGRATE && op != EVICT))
					measure(device, op, sizes[i], kind);
				if (op != MIGRATE)
					measure("test_hmm", op, sizes[i], kind);
			}
		}
	}
	if (!ops)
		measure_link(device);
	svm_close(&svm);
}
