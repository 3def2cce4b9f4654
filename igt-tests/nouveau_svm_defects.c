// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm defects
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: regressions
 * Description: one test for each defect of Linux 7.3's SVM code that can be shown
 *
 * Each test states the promise that should hold; on Linux 7.3's code it fails,
 * and expected-failures-upstream.txt says with what evidence.  The number is
 * that of the table in Documentation/defects.rst.  Some take the
 * machine down with them: own-boot.list gives each of those its own boot.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "gpu_model.h"
#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("The promises that Linux 7.3's SVM code does not keep.");

#define NR 16u
#define LEN (NR * SZ_4K)

/* VM_INIT: not in the libdrm header of every release. */
struct vm_init {
	uint64_t kernel_managed_addr, kernel_managed_size;
};
#define IOCTL_VM_INIT _IOWR(DRM_IOCTL_BASE, DRM_COMMAND_BASE + 0x10, struct vm_init)

/**
 * SUBTEST: a1-bind-after-gpu-touch
 * Description: SVM_BIND of pages that the GPU has mapped from RAM: what it writes from then on is not lost
 */
static void test_a1(enum page_kind kind)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, kind);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_write_pages(&svm, p, NR, 0x200);
	svm_bind_vram(&svm, p, kind == PAGES_THP ? SZ_2M : LEN);
	svm_gpu_check_pages(&svm, p, NR, 0x200);
	svm_gpu_write_pages(&svm, p, NR, 0x300);
	svm_cpu_check_pages(p, NR, 0x300, false);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: a2-second-client
 * Description: two files of a process share memory with the GPU: when one moves pages, the other sees it
 */
static void test_a2(void)
{
	struct svm a, b;
	char *p;

	svm_open(&a);
	svm_open(&b);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_write_pages(&a, p, NR, 0x200);
	svm_bind_vram(&b, p, LEN);
	svm_gpu_check_pages(&b, p, NR, 0x200);
	svm_gpu_write_pages(&a, p, NR, 0x300);
	svm_gpu_check_pages(&b, p, NR, 0x300);
	svm_cpu_check_pages(p, NR, 0x300, false);
	svm_close(&a);
	svm_close(&b);
	svm_free(p, SZ_2M);
}

static sigjmp_buf bus_error;

static void on_sigbus(int sig)
{
	siglongjmp(bus_error, 1);
}

/* Read a word that may raise SIGBUS.  Return: false when it did. */
static bool read_or_bus_error(const volatile uint32_t *p, uint32_t *out)
{
	struct sigaction sa = { .sa_handler = on_sigbus }, old;
	bool ok = false;

	sigaction(SIGBUS, &sa, &old);
	if (!sigsetjmp(bus_error, 1)) {
		*out = *p;
		ok = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return ok;
}

static void inject(const struct gpu_model_inject *inj)
{
	struct gpu_model *m = gpu_model_open(0);

	igt_require(m);
	igt_assert_eq(gpu_model_inject(m, inj), 0);
	gpu_model_close(m);
}

static uint64_t injected(const char *point)
{
	struct gpu_model *m = gpu_model_open(0);
	uint64_t n;

	igt_require(m);
	n = gpu_model_injected(m, point);
	gpu_model_disarm(m, NULL);
	gpu_model_close(m);
	return n;
}

/* Reads all pages after a copy that failed.  Return: how many of them raise SIGBUS; the others have their data. */
static uint32_t bus_errors(const char *p)
{
	uint32_t i, v = 0, n = 0;

	for (i = 0; i < NR; i++) {
		if (read_or_bus_error((const uint32_t *)(p + i * SZ_4K), &v))
			igt_assert_f(v == 0x100 + i, "page %u reads %#x after a failed copy, expected %#x\n", i, v,
				     0x100 + i);
		else
			n++;
	}
	igt_info("%u of %u pages raise SIGBUS\n", n, NR);
	return n;
}

/* Linux 7.3's own code has nothing in debugfs. */
static bool driver_is_ours(void)
{
	uint64_t v;

	return svm_driver_counter("faults", &v);
}

/**
 * SUBTEST: a3-copy-error-cpu-fault
 * Description: the copy of a CPU fault fails: SIGBUS or the right data, never other data; on ours for that access only,
 *	and a later one has the data
 */
static void test_a3(void)
{
	uint64_t before = injected("ce_error");
	struct svm svm;
	uint32_t n;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram(&svm, p, LEN);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_VRAM), NR);
	inject(&(struct gpu_model_inject){ .point = "ce_error", .nth = 1 });
	n = bus_errors(p);
	igt_assert_eq_u64(injected("ce_error"), before + 1);
	if (driver_is_ours()) {
		igt_assert_lte((int)n, 1);
		igt_assert_eq((int)bus_errors(p), 0);
		svm_cpu_check_pages(p, NR, 0x100, true);
	}
	svm_close(&svm);
}

/**
 * SUBTEST: a4-copy-error-bind
 * Description: the copy of an SVM_BIND fails: the data is still there, on ours without a SIGBUS
 */
static void test_a4(void)
{
	uint64_t before = injected("ce_error");
	struct svm svm;
	uint32_t n;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	/* The channel of the migrations exists from here on. */
	svm_bind_vram(&svm, p + SZ_1M, SZ_4K);
	inject(&(struct gpu_model_inject){ .point = "ce_error", .nth = 1 });
	nv_svm_bind(&svm.dev, p, LEN, true, NULL);
	igt_assert_eq_u64(injected("ce_error"), before + 1);
	n = bus_errors(p);
	if (driver_is_ours()) {
		igt_assert_eq((int)n, 0);
		svm_cpu_check_pages(p, NR, 0x100, true);
	}
	svm_close(&svm);
}

/**
 * SUBTEST: a5-cpu-fault-in-split-thp
 * Description: a huge page in VRAM is mapped by small entries; a CPU fault brings the page that was touched
 */
static void test_a5(void)
{
	const uint32_t n = SZ_2M / SZ_4K;
	struct svm svm;
	uint32_t i;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_THP);
	svm_cpu_write_pages(p, n, 0x1000);
	svm_bind_vram(&svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), n);
	/* Another protection of a page in the middle: the huge mapping is split. */
	igt_assert_eq(mprotect(p + 256 * SZ_4K, SZ_4K, PROT_READ), 0);
	igt_debug("%zu pages are in VRAM now\n", svm_count_pages(p, SZ_2M, PAGE_IN_VRAM));
	for (i = 300; i < n; i += 50) {
		uint32_t got = *(volatile uint32_t *)(p + i * SZ_4K);

		igt_assert_f(got == 0x1000 + i, "page %u reads %#x, expected %#x\n", i, got, 0x1000 + i);
	}
	svm_cpu_check_pages(p, n, 0x1000, true);
	igt_assert_eq(mprotect(p + 256 * SZ_4K, SZ_4K, PROT_READ | PROT_WRITE), 0);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: a6-cpu-touch-after-close
 * Description: the file is closed while data is in VRAM: the CPU still gets its data
 */
static void test_a6_close(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram(&svm, p, LEN);
	svm_close(&svm);
	svm_cpu_check_pages(p, NR, 0x100, true);
	svm_free(p, SZ_2M);
}

/* Unmaps all that is mapped of a device of DRM.  Return: whether there was some. */
static bool unmap_buffers(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	struct {
		void *p;
		size_t len;
	} map[64];
	uint32_t nr = 0, i;
	char line[512];
	uint64_t a, b;

	while (f && nr < ARRAY_SIZE(map) && fgets(line, sizeof(line), f))
		if (strstr(line, "/dev/dri/") && sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &a, &b) == 2) {
			map[nr].p = (void *)(uintptr_t)a;
			map[nr++].len = b - a;
		}
	if (f)
		fclose(f);
	for (i = 0; i < nr; i++)
		munmap(map[i].p, map[i].len);
	return nr && nr < ARRAY_SIZE(map);
}

/**
 * SUBTEST: a6-child-outlives-parent
 * Description: a forked child touches pages in VRAM after its parent, whose SVM it was, has closed the file
 */
static void test_a6_fork(void)
{
	int gate[2], st;
	struct svm svm;
	char *p, c;
	pid_t pid;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram(&svm, p, LEN);
	igt_assert_eq(pipe(gate), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (pid == 0) {
		uint32_t i;

		/* The last reference to the file must be the parent's; a mapped buffer is one too. */
		close(svm.dev.fd);
		if (!unmap_buffers())
			_exit(3);
		close(gate[1]);
		if (read(gate[0], &c, 1) < 0)
			_exit(2);
		for (i = 0; i < NR; i++) {
			if (*(volatile uint32_t *)(p + i * SZ_4K) != 0x100 + i)
				_exit(1);
		}
		_exit(0);
	}
	close(gate[0]);
	munmap(p, LEN);
	svm_close(&svm);
	close(gate[1]);
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	igt_assert_f(st == 0, "the child ended with status %#x\n", st);
}

/**
 * SUBTEST: a7-foreign-mm
 * Description: SVM_BIND on a file whose address space is another process's is refused: -EACCES
 */
static void test_a7(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	igt_fork(child, 1) {
		svm_cpu_write_pages(p, NR, 0x200);
		igt_assert_eq(nv_svm_bind(&svm.dev, p, LEN, true, NULL), -EACCES);
		svm_cpu_check_pages(p, NR, 0x200, true);
	}
	igt_waitchildren();
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	svm_cpu_check_pages(p, NR, 0x100, true);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: a8-hole-within-thp
 * Description: the cut-out begins within a huge page: the part below it can be used, the GPU's own buffers too
 */
static void test_a8(void)
{
	const uintptr_t base = 1ull << 37;
	struct nv_kernel read;
	struct nv_args args;
	struct nv_chan chan;
	struct nv_dev dev;
	struct nv_bo out;
	struct sm6x p;
	uint32_t i;
	char *m;

	m = mmap((void *)base, SZ_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	igt_assert(m == (char *)base);
	igt_assert_eq(madvise(m, SZ_2M, MADV_HUGEPAGE), 0);
	svm_cpu_write_pages(m, SZ_2M / SZ_4K, 0x100);
	igt_require(svm_page_is_thp(m));
	igt_assert_eq(nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(nv_svm_init_raw(dev.fd, base + SZ_1M, 1ull << 32), 0);
	igt_assert_eq(nv_chan_new(&dev, NV_ENGINE_GR, &chan), 0);
	igt_assert_eq(nv_bo_new(&dev, SZ_64K, NOUVEAU_GEM_DOMAIN_GART, &out), 0);
	nv_asm_read(&p, 12);
	igt_assert_eq(nv_kernel_load(&chan, &p, &read), 0);
	args = (struct nv_args){ .dst = out.va, .src = base };
	nv_use(&chan, &out);
	igt_assert_eq(nv_launch(&chan, &read, 2, NV_THREADS, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&chan), 0);
	igt_assert_eq(nv_wait(&chan, 20000), 0);
	for (i = 0; i < 2 * NV_THREADS; i++)
		igt_assert_eq_u32(((volatile uint32_t *)out.map)[i], 0x100 + i);
	nv_chan_del(&chan);
	nv_dev_close(&dev);
	munmap(m, SZ_2M);
}

/**
 * SUBTEST: a9-mixed-page-sizes
 * Description: the GPU has a huge page and small pages side by side mapped: taking away either is seen
 */
static void test_a9(void)
{
	struct svm svm;
	char *p, *small;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(2 * SZ_2M, PAGES_4K);
	small = p + SZ_2M;
	igt_assert_eq(madvise(p, SZ_2M, MADV_HUGEPAGE), 0);
	igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
	*(volatile uint32_t *)p = 0;
	igt_require(svm_page_is_thp(p));
	svm_cpu_write_pages(p, NR, 0x100);
	svm_cpu_write_pages(small, NR, 0x200);
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	svm_gpu_check_pages(&svm, small, NR, 0x200);

	/* A single small page goes, then all small ones, then the huge one. */
	igt_assert_eq(madvise(small + 3 * SZ_4K, SZ_4K, MADV_DONTNEED), 0);
	*(volatile uint32_t *)(small + 3 * SZ_4K) = 0x333;
	igt_assert_eq_u32(svm_gpu_read(&svm, small + 3 * SZ_4K), 0x333);
	igt_assert_eq(madvise(small, SZ_2M, MADV_DONTNEED), 0);
	svm_cpu_write_pages(small, NR, 0x400);
	svm_gpu_check_pages(&svm, small, NR, 0x400);
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
	svm_cpu_write_pages(p, NR, 0x500);
	svm_gpu_check_pages(&svm, p, NR, 0x500);
	svm_gpu_write_pages(&svm, p, NR, 0x600);
	svm_cpu_check_pages(p, NR, 0x600, false);
	svm_close(&svm);
	svm_free(p, 2 * SZ_2M);
}

/**
 * SUBTEST: a10-binds-at-once
 * Description: processes that move memory at the same time do not disturb each other
 */
static void test_a10(void)
{
	igt_fork(child, 4) {
		uint32_t first = 0x10000 * (uint32_t)(child + 1), round;
		struct nv_dev dev;
		char *p = svm_alloc(SZ_2M, PAGES_4K);

		igt_assert_eq(nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)), 0);
		igt_assert_eq(nv_svm_init(&dev), 0);
		for (round = 0; round < 30; round++) {
			svm_cpu_write_pages(p, NR, first + 0x100 * round);
			svm_bind_vram_dev(&dev, p, LEN);
			svm_cpu_check_pages(p, NR, first + 0x100 * round, true);
		}
		nv_dev_close(&dev);
	}
	igt_waitchildren();
}

/**
 * SUBTEST: a11-unbind-%s
 * Description: the driver is unbound while data in pages of %arg[1] is in VRAM: the data comes back first
 *
 * arg[1]:
 *
 * @4k: 4 KiB
 * @thp: 2 MiB
 */
static void test_a11(enum page_kind kind)
{
	const uint32_t n = kind == PAGES_THP ? SZ_2M / SZ_4K : NR;
	struct nv_dev dev;
	char slot[64];
	char *p;

	igt_assert_eq(nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(nv_svm_init(&dev), 0);
	p = svm_alloc(SZ_2M, kind);
	svm_cpu_write_pages(p, n, 0x100);
	svm_bind_vram_dev(&dev, p, n * SZ_4K);
	igt_assert_eq_u64(svm_count_pages(p, n * SZ_4K, PAGE_IN_VRAM), n);
	svm_gpu_slot(slot);
	svm_must_write("/sys/bus/pci/drivers/nouveau/unbind", slot);
	igt_assert_eq_u64(svm_count_pages(p, n * SZ_4K, PAGE_IN_RAM), n);
	svm_cpu_check_pages(p, n, 0x100, true);
	nv_dev_close(&dev);
	svm_must_write("/sys/bus/pci/drivers/nouveau/bind", slot);
}

/**
 * SUBTEST: a11-unbind-copy-error
 * Description: the copies fail that bring data back when the driver is unbound: SIGBUS, and not what was in the new pages
 */
static void test_a11_error(void)
{
	struct nv_dev dev;
	char slot[64];
	uint32_t i, v;
	char *p;

	igt_assert_eq(nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(nv_svm_init(&dev), 0);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram_dev(&dev, p, LEN);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_VRAM), NR);
	svm_gpu_slot(slot);
	inject(&(struct gpu_model_inject){ .point = "ce_error" });
	svm_must_write("/sys/bus/pci/drivers/nouveau/unbind", slot);
	igt_assert_lte_u64(1, injected("ce_error"));
	for (i = 0; i < NR; i++)
		if (read_or_bus_error((uint32_t *)(p + i * SZ_4K), &v))
			igt_assert_f(v == 0x100 + i, "page %u reads %#x, expected %#x\n", i, v, 0x100 + i);
	nv_dev_close(&dev);
	svm_must_write("/sys/bus/pci/drivers/nouveau/bind", slot);
}

/* The GPU's device in the guest comes back and works. */
static void rescan_and_use(void)
{
	struct svm svm;
	char *p;

	svm_must_write("/sys/bus/pci/rescan", "1");
	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x300);
	svm_bind_vram(&svm, p, LEN);
	svm_gpu_check_pages(&svm, p, NR, 0x300);
	svm_cpu_check_pages(p, NR, 0x300, true);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

static void remove_device(void)
{
	char slot[64], path[128];

	svm_gpu_slot(slot);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", slot);
	svm_must_write(path, "1");
}

/**
 * SUBTEST: a13-remove-live-client
 * Description: the device goes while a process has a channel, buffers and data in VRAM: the data comes back
 *	first, ioctls fail with ENODEV, buffers that are mapped can be read, and the process can end
 */
static void test_a13(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, 2 * NR, 0x100);
	svm_bind_vram(&svm, p, LEN);
	svm_gpu_check_pages(&svm, p, 2 * NR, 0x100);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_VRAM), NR);
	remove_device();
	igt_assert_eq_u64(svm_count_pages(p, 2 * LEN, PAGE_IN_RAM), 2 * NR);
	svm_cpu_check_pages(p, 2 * NR, 0x100, true);
	igt_assert_eq(nv_svm_bind(&svm.dev, p, LEN, true, NULL), -ENODEV);
	igt_assert_eq_u32(*(volatile uint32_t *)svm.out.map, 0);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	rescan_and_use();
}

/**
 * SUBTEST: a13-unbind-while-faulting
 * Description: the driver is unbound while a shader works on memory of the process: no oops, no hang, and the
 *	process has all that was written before
 */
static void test_a13_busy(void)
{
	struct nv_args args = { .value = 0x100, .count = SZ_1M / 4 };
	struct sm6x prog;
	struct nv_kernel kernel;
	struct svm svm;
	char slot[64];
	uint32_t *p, i;

	svm_open(&svm);
	nv_asm_paint(&prog, 2);
	igt_assert_eq(nv_kernel_load(&svm.chan, &prog, &kernel), 0);
	p = svm_alloc(SZ_2M, PAGES_4K);
	args.dst = (uintptr_t)p;
	for (i = 0; i < 20; i++)
		igt_assert_eq(nv_launch(&svm.chan, &kernel, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&svm.chan), 0);
	while (((volatile uint32_t *)p)[SZ_64K / 4] != 0x100 + SZ_64K / 4)
		sched_yield();
	svm_gpu_slot(slot);
	svm_must_write("/sys/bus/pci/drivers/nouveau/unbind", slot);
	for (i = 0; i <= SZ_64K / 4; i++)
		igt_assert_eq_u32(p[i], 0x100 + i);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	svm_must_write("/sys/bus/pci/drivers/nouveau/bind", slot);
}

/**
 * SUBTEST: a13-surprise-removal
 * Description: the device stops answering with data in VRAM, and is then removed: SIGBUS for that data and
 *	never other data, everything else goes on, and the device can come back
 */
static void test_a13_surprise(void)
{
	struct gpu_model *m;
	struct svm svm;
	char *p, *q;
	uint32_t i, v = 0;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	q = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_cpu_write_pages(q, NR, 0x200);
	svm_bind_vram(&svm, p, LEN);
	svm_migrate_on_fault(false);
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	svm_gpu_check_pages(&svm, q, NR, 0x200);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_VRAM), NR);
	igt_assert_eq_u64(svm_count_pages(q, LEN, PAGE_IN_RAM), NR);

	m = gpu_model_open(0);
	igt_require(m);
	igt_assert_eq(gpu_model_go_dark(m), 0);
	for (i = 0; i < NR; i++)
		igt_assert_f(!read_or_bus_error((uint32_t *)(p + i * SZ_4K), &v), "page %u reads %#x\n", i, v);
	svm_cpu_check_pages(q, NR, 0x200, true);
	remove_device();
	for (i = 0; i < NR; i++)
		igt_assert_f(!read_or_bus_error((uint32_t *)(p + i * SZ_4K), &v), "page %u reads %#x\n", i, v);
	svm_cpu_check_pages(q, NR, 0x200, true);
	igt_assert_eq(nv_svm_bind(&svm.dev, q, LEN, true, NULL), -ENODEV);

	/* Some of the lost pages go before the file, some after. */
	igt_assert_eq(madvise(p, 2 * SZ_4K, MADV_DONTNEED), 0);
	igt_assert_eq_u32(*(volatile uint32_t *)p, 0);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	svm_free(q, SZ_2M);
	igt_assert_eq(gpu_model_disarm(m, "go_dark"), 0);
	gpu_model_close(m);
	rescan_and_use();
}

/**
 * SUBTEST: a14-atomic-in-vram
 * Description: atomics of the GPU on pages in VRAM leave them there
 */
static void test_a14(void)
{
	struct svm svm;
	uint32_t *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	p[0] = 7;
	svm_bind_vram(&svm, p, LEN);
	svm_ledger_start();
	svm_gpu_add(&svm, p, 2, 64);
	svm_ledger_stop();
	igt_assert_eq(svm_page_place(p), PAGE_IN_VRAM);
	igt_assert_eq_u64(svm_ledger("ce_bytes_vram_to_sys"), 0);
	igt_assert_eq_u32(p[0], 7 + 2 * 64);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: a14-atomic-in-thp
 * Description: an atomic of the GPU works on a huge page in RAM
 */
static void test_a14_thp(void)
{
	struct svm svm;
	uint32_t *p;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(SZ_2M, PAGES_THP);
	p[5000] = 7;
	svm_gpu_add(&svm, &p[5000], 2, 64);
	igt_assert_eq_u32(p[5000], 7 + 2 * 64);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: m1-first-touch-within-thp
 * Description: the GPU's first touch of a huge page in VRAM is in its middle: it reads the page that it means
 *
 * The defect is not nouveau's: hmm_vma_handle_absent_pmd() of Linux 7.3 (mm/hmm.c) returns the frame of the
 * huge page's head whatever part of it was asked for.
 */
static void test_m1(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_THP);
	svm_cpu_write_pages(p, SZ_2M / SZ_4K, 0x1000);
	svm_bind_vram(&svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), SZ_2M / SZ_4K);
	igt_assert_eq_u32(svm_gpu_read(&svm, p + 300 * SZ_4K), 0x1000 + 300);
	igt_assert_eq_u32(svm_gpu_read(&svm, p), 0x1000);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

struct painter {
	struct svm *svm;
	struct nv_kernel kernel;
	uint32_t *mem, first;
	int err;
};

static void *paint(void *arg)
{
	struct painter *t = arg;
	const struct nv_args args = { .dst = (uintptr_t)t->mem, .value = t->first, .count = SZ_1M / 4 };

	nv_use(&t->svm->chan, &t->svm->out);
	t->err = nv_run(&t->svm->chan, &t->kernel, 1, 1, &args, sizeof(args));
	return NULL;
}

/**
 * SUBTEST: m1-ranges-within-thp
 * Description: a client that has parts of a block only reads and writes the right pages after another moved all of it
 */
static void test_m1_ranges(void)
{
	const uint32_t nr = SZ_2M / SZ_4K;
	struct svm whole, parts;
	uint64_t pages;
	char *p;

	svm_open(&whole);
	svm_open(&parts);
	svm_migrate_on_fault(false);
	p = svm_alloc(SZ_2M, PAGES_THP);
	svm_cpu_write_pages(p, nr, 0x100);
	/* Upstream knows no target but VRAM, and no ranges. */
	nv_svm_bind(&parts.dev, p + 16 * SZ_4K, SZ_64K, false, &pages);
	nv_svm_bind(&parts.dev, p + 353 * SZ_4K, SZ_4K, false, &pages);
	nv_svm_bind(&parts.dev, p + 356 * SZ_4K, 2 * SZ_4K, false, &pages);
	svm_bind_vram(&whole, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), nr);
	svm_gpu_check_pages(&parts, p + 16 * SZ_4K, 16, 0x100 + 16);
	svm_gpu_check_pages(&parts, p + 353 * SZ_4K, 8, 0x100 + 353);
	svm_gpu_write_pages(&parts, p, nr, 0x300);
	svm_gpu_check_pages(&whole, p, nr, 0x300);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), nr);
	svm_cpu_check_pages(p, nr, 0x300, false);
	svm_migrate_on_fault(true);
	svm_close(&parts);
	svm_close(&whole);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: v1-write-while-invalidated
 * Description: no write of a kernel is lost when the process forks meanwhile
 *
 * gp100_vmm_pfn_clear() clears V and leaves VOL, flushes, and only later writes 0: for that time the PTE
 * is a sparse one (NVIDIA gp100-mmu-format.pdf, VOL), and the MMU drops writes without a fault.
 */
static void test_v1(void)
{
	struct painter t = { 0 };
	struct sm6x prog;
	struct svm svm;
	uint32_t i, round;

	svm_open(&svm);
	t.svm = &svm;
	t.mem = svm_alloc(SZ_2M, PAGES_4K);
	nv_asm_paint(&prog, 2);
	igt_assert_eq(nv_kernel_load(&svm.chan, &prog, &t.kernel), 0);
	for (round = 1; round <= 15; round++) {
		pthread_t thread;
		pid_t child;

		/* All pages are mapped, so that the invalidate takes a while. */
		t.first = round << 24;
		paint(&t);
		igt_assert_eq(t.err, 0);
		t.first |= 1u << 20;
		igt_assert_eq(pthread_create(&thread, NULL, paint, &t), 0);
		while (*(volatile uint32_t *)&t.mem[SZ_64K / 4] != t.first + SZ_64K / 4)
			sched_yield();
		child = fork();
		if (!child)
			_exit(0);
		igt_assert_lt(0, child);
		igt_assert_eq(waitpid(child, NULL, 0), child);
		pthread_join(thread, NULL);
		igt_assert_eq(t.err, 0);
		for (i = 0; i < SZ_1M / 4; i++)
			igt_assert_f(t.mem[i] == t.first + i, "round %u: word %#x is %#x, expected %#x\n", round, i,
				     t.mem[i], t.first + i);
	}
	svm_free(t.mem, SZ_2M);
	svm_close(&svm);
}

/**
 * SUBTEST: d1-write-to-free-vram
 * Description: the same, and the GPU writes to it in VRAM, from where it comes back because the CPU reads it
 *
 * A page of VRAM remembers that it has been ordinary memory once (PG_swapbacked), hence a boot of its own.
 */
static void test_d1_free_vram(void)
{
	const uint32_t nr = SZ_2M / SZ_4K;
	struct svm svm;
	char *p;

	svm_swap_on(64 * SZ_1M);
	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, nr, 0x1900);
	igt_assert_eq(madvise(p, SZ_2M, MADV_FREE), 0);
	/* Has all CPUs let go of the last ones. */
	svm_must_write("/proc/sys/vm/drop_caches", "1");
	svm_bind_vram_some(&svm, p, SZ_2M);
	igt_assert_lte_u64(nr / 2, svm_count_pages(p, SZ_2M, PAGE_IN_VRAM));
	svm_gpu_write_pages(&svm, p, nr, 0x2900);
	svm_cpu_check_pages(p, nr, 0x2900, false);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), nr);
	igt_assert_eq(madvise(p, SZ_2M, MADV_PAGEOUT), 0);
	igt_assert_eq(madvise(p, SZ_2M, MADV_PAGEOUT), 0);
	igt_assert_lte_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), nr / 2);
	svm_cpu_check_pages(p, nr, 0x2900, false);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	svm_swap_off();
}

/**
 * SUBTEST: result-is-true
 * Description: one SVM_BIND moves all of a megabyte of 4 KiB pages, and the kernel says how many
 */
static void test_result(void)
{
	struct svm svm;
	uint64_t moved = 0;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, 256, 0x100);
	igt_assert_eq(nv_svm_bind(&svm.dev, p, SZ_1M, true, &moved), 0);
	igt_assert_eq_u64(svm_count_pages(p, SZ_1M, PAGE_IN_VRAM), 256);
	igt_assert_eq_u64(moved, 256);
	/* No more than what was asked for, though that is part of a larger range. */
	igt_assert_eq(nv_svm_bind(&svm.dev, p + 7 * SZ_4K, 3 * SZ_4K, true, &moved), 0);
	igt_assert_eq_u64(moved, 3);
	igt_assert_eq(nv_svm_bind(&svm.dev, p + 7 * SZ_4K, SZ_4K, false, &moved), 0);
	igt_assert_eq_u64(moved, 1);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: c9-svm-init-then-vm-init
 * Description: a file has one kind of address space: VM_INIT after SVM_INIT is refused
 */
static void test_c9(void)
{
	struct vm_init vm = { .kernel_managed_addr = 1ull << 39, .kernel_managed_size = 1ull << 39 };
	struct nv_dev dev;

	igt_assert_eq(nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(nv_svm_init(&dev), 0);
	igt_assert_eq(igt_ioctl(dev.fd, IOCTL_VM_INIT, &vm), -1);
	nv_dev_close(&dev);
}

/**
 * SUBTEST: c9-vm-init-then-svm-init
 * Description: a file has one kind of address space: SVM_INIT after VM_INIT is refused
 */
static void test_c9_other(void)
{
	struct vm_init vm = { .kernel_managed_addr = 1ull << 39, .kernel_managed_size = 1ull << 39 };
	struct nv_dev dev;

	igt_assert_eq(nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(igt_ioctl(dev.fd, IOCTL_VM_INIT, &vm), 0);
	igt_assert_lt(nv_svm_init(&dev), 0);
	nv_dev_close(&dev);
}

/**
 * SUBTEST: bind-to-system
 * Description: SVM_BIND with target 0, which stock Mesa sends, brings pages back to RAM
 */
static void test_bind_to_system(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram(&svm, p, LEN);
	igt_assert_eq(nv_svm_bind(&svm.dev, p, LEN, false, NULL), 0);
	igt_assert_eq_u64(svm_count_pages(p, LEN, PAGE_IN_RAM), NR);
	svm_cpu_check_pages(p, NR, 0x100, true);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: dark-while-faulting
 * Description: the device stops answering while it is used: no oops
 */
static void test_dark(void)
{
	struct gpu_model *m;
	struct svm svm;
	char *p;
	int i;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	m = gpu_model_open(0);
	igt_require(m);
	for (i = 0; i < 4; i++) {
		const struct nv_args args = { .dst = (uintptr_t)p, .value = 1 };

		igt_assert_eq(nv_launch(&svm.chan, &svm.write_page, 8, NV_THREADS, &args, sizeof(args)), 0);
	}
	igt_assert_eq(nv_submit(&svm.chan), 0);
	igt_assert_eq(gpu_model_go_dark(m), 0);
	igt_assert_lt(nv_wait(&svm.chan, 3000), 0);
	gpu_model_close(m);
}

/* Go on when the word at src is not 0, and store it to dst then. */
static void asm_stay_and_store(struct sm6x *p)
{
	enum { DST = 0, SRC = 2, VAL = 4 };
	uint32_t top;

	sm6x_init(p);
	sm6x_mov_c(p, DST, 0, offsetof(struct nv_args, dst));
	sm6x_mov_c(p, DST + 1, 0, offsetof(struct nv_args, dst) + 4);
	sm6x_mov_c(p, SRC, 0, offsetof(struct nv_args, src));
	sm6x_mov_c(p, SRC + 1, 0, offsetof(struct nv_args, src) + 4);
	top = sm6x_size(p);
	sm6x_ld(p, SM6X_B32, VAL, SRC, 0);
	sm6x_isetp(p, 0, SM6X_EQ, VAL, SM6X_RZ);
	p->guard = 0;
	sm6x_bra(p, top);
	p->guard = SM6X_PT;
	sm6x_st(p, SM6X_B32, DST, 0, VAL);
	sm6x_exit(p);
}

/**
 * SUBTEST: dark-while-faulting-get
 * Description: the device stops answering after the driver has read PUT of the fault buffer, when it reads GET: no oops
 *
 * The moment is counted in accesses of the device (vm/run --model=trace=FILE): eight for the interrupt, 000180, 000184,
 * 088704, 000100, 000104, 000000, 000160 and 000164; the ninth is 002a80, PUT, and the tenth 002a7c, GET. Should there
 * be others some day, the device goes dark at another moment, and the test passes on upstream.
 */
static void test_dark_get(void)
{
	struct nv_kernel kernel;
	struct gpu_model *m;
	struct nv_args args;
	struct sm6x prog;
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	asm_stay_and_store(&prog);
	igt_assert_eq(nv_kernel_load(&svm.chan, &prog, &kernel), 0);
	args = (struct nv_args){ .dst = (uintptr_t)p, .src = svm.out.va };
	*(volatile uint32_t *)svm.out.map = 0;
	nv_use(&svm.chan, &svm.out);
	igt_assert_eq(nv_launch(&svm.chan, &kernel, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&svm.chan), 0);
	/* It runs, and nobody looks at the device until it faults. */
	usleep(1500000);
	/* The interrupt is a level, until GET is written: its second message would come in between. */
	inject(&(struct gpu_model_inject){ .point = "intr_late", .nth = 2, .count = 1000, .delay_us = 2000000 });
	inject(&(struct gpu_model_inject){ .point = "go_dark", .nth = 10 });
	__atomic_store_n((uint32_t *)svm.out.map, 1, __ATOMIC_RELEASE);
	igt_assert_lt(nv_wait(&svm.chan, 3000), 0);
	m = gpu_model_open(0);
	igt_assert(m);
	igt_assert_eq_u64(gpu_model_injected(m, "go_dark"), 1);
	gpu_model_close(m);
}

/**
 * SUBTEST: overflow-volta
 * Description: a fault buffer that overflows as Volta's manual tells is emptied and goes on
 */
static void test_overflow(void)
{
	uint64_t before = 0, overflows;
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_driver_counter("overflows", &before);
	inject(&(struct gpu_model_inject){ .point = "fault_overflow_volta" });
	inject(&(struct gpu_model_inject){ .point = "fault_overflow", .nth = 1 });
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	igt_assert_lte_u64(1, injected("fault_overflow"));
	/* Ours tells of it. */
	if (svm_driver_counter("overflows", &overflows))
		igt_assert_lt_u64(before, overflows);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: overflow-pascal
 * Description: a fault buffer that is full drops entries and shows nothing of it, the default of the model: what was
 *	dropped comes again with the replay of what was not
 */
static void test_overflow_pascal(void)
{
	uint64_t before = injected("fault_overflow"), drops;
	struct svm svm;
	char *p, *q;

	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(2 * SZ_2M, PAGES_4K);
	/* One warp, on pages of two blocks: to resolve the second does nothing for the first. */
	q = p + SZ_2M - NR / 2 * SZ_4K;
	svm_cpu_write_pages(q, NR, 0x100);
	inject(&(struct gpu_model_inject){ .point = "fault_overflow", .count = NR / 2, .addr = (uintptr_t)q,
					   .len = LEN / 2 });
	svm_ledger_start();
	svm_gpu_check_pages(&svm, q, NR, 0x100);
	svm_ledger_stop();
	drops = injected("fault_overflow") - before;
	igt_info("%" PRIu64 " entries were dropped\n", drops);
	igt_assert_eq_u64(drops, NR / 2);
	igt_assert_lte_u64(drops, svm_ledger("fault_dropped"));
	/* The dropped ones of the first block, in two batches or more. */
	igt_assert_lte_u64(2, svm_ledger("replay"));
	svm_gpu_write_pages(&svm, q, NR, 0x200);
	svm_cpu_check_pages(q, NR, 0x200, false);
	svm_migrate_on_fault(true);
	svm_close(&svm);
	svm_free(p, 2 * SZ_2M);
}

/**
 * SUBTEST: late-valid
 * Description: an entry of the fault buffer whose valid bit comes after PUT has moved is not lost
 */
static void test_late_valid(void)
{
	struct svm svm;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	inject(&(struct gpu_model_inject){ .point = "fault_late_valid", .nth = 1, .delay_us = 300000 });
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	igt_assert_lte_u64(1, injected("fault_late_valid"));
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: n1-bind-many-pages
 * Description: one SVM_BIND of more small pages than the kernel's ring has room for copies of
 */
static void test_n1(void)
{
	const uint32_t nr = 4096;
	struct svm svm;
	uint32_t lap;
	char *p;

	svm_open(&svm);
	p = svm_alloc(nr * SZ_4K, PAGES_4K);
	for (lap = 0; lap < 2; lap++) {
		svm_cpu_write_pages(p, nr, 0x10000 * (lap + 1));
		svm_bind_vram(&svm, p, nr * SZ_4K);
		svm_cpu_check_pages(p, nr, 0x10000 * (lap + 1), true);
	}
	svm_close(&svm);
	svm_free(p, nr * SZ_4K);
}

/**
 * SUBTEST: d1-write-to-shared
 * Description: the GPU alone writes to shared memory, and that is reclaimed: what was written is not lost
 *
 * tmpfs maps a page that is read for the first time writable, and clean. HMM then has no need for a fault to get it for
 * writing, so that nobody but the driver can tell mm that it is dirty. A page that is clean is dropped, not swapped out.
 */
static void test_d1(void)
{
	const size_t len = SZ_2M;
	struct svm svm;
	uint32_t i;
	char *p;

	svm_swap_on(64 * SZ_1M);
	svm_open(&svm);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(p != MAP_FAILED);
	for (i = 0; i < len / SZ_4K; i++)
		igt_assert_eq_u32(*(volatile uint32_t *)(p + i * SZ_4K), 0);
	svm_gpu_write_pages(&svm, p, len / SZ_4K, 0x1700);
	igt_assert_eq(madvise(p, len, MADV_PAGEOUT), 0);
	igt_assert_lte_u64(svm_count_pages(p, len, PAGE_IN_RAM), len / SZ_4K / 2);
	svm_cpu_check_pages(p, len / SZ_4K, 0x1700, false);
	svm_close(&svm);
	munmap(p, len);
	svm_swap_off();
}

/**
 * SUBTEST: d1-write-to-free
 * Description: the GPU writes to memory that was given up by MADV_FREE, and that is reclaimed: what was written counts
 */
static void test_d1_free(void)
{
	const uint32_t nr = SZ_2M / SZ_4K;
	struct svm svm;
	char *p;

	svm_swap_on(64 * SZ_1M);
	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, nr, 0x1800);
	/* Its pages are clean and writable from now on. */
	igt_assert_eq(madvise(p, SZ_2M, MADV_FREE), 0);
	svm_gpu_write_pages(&svm, p, nr, 0x2800);
	/* The first time reclaim drops what is clean, and finds out that the rest is not to be had for free. */
	igt_assert_eq(madvise(p, SZ_2M, MADV_PAGEOUT), 0);
	igt_assert_eq(madvise(p, SZ_2M, MADV_PAGEOUT), 0);
	igt_assert_lte_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), nr / 2);
	svm_cpu_check_pages(p, nr, 0x2800, false);
	svm_migrate_on_fault(true);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	svm_swap_off();
}

/**
 * SUBTEST: u3-buffer-before-init
 * Description: a buffer is older than SVM_INIT and held by somebody else when the file is closed: it can move and go
 *
 * SUBTEST: u3-buffer-before-vm-init
 * Description: the same with VM_INIT, and a buffer that came from somebody else
 */
static void test_u3(bool vm_init)
{
	enum { FILES = 8 };
	struct drm_prime_handle prime[FILES];
	struct svm_vram fill;
	struct svm other;
	int i;

	svm_open(&other);
	for (i = 0; i < FILES; i++) {
		struct nv_dev dev;
		struct nv_bo bo;

		igt_assert_eq(nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)), 0);
		igt_assert_eq(nv_bo_new(&dev, SZ_2M, NOUVEAU_GEM_DOMAIN_VRAM, &bo), 0);
		prime[i] = (struct drm_prime_handle){ .handle = bo.handle, .flags = DRM_CLOEXEC | DRM_RDWR };
		igt_assert_eq(ioctl(dev.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime[i]), 0);
		if (vm_init) {
			struct vm_init vm = { .kernel_managed_addr = 1ull << 39, .kernel_managed_size = 1ull << 39 };
			struct nv_dev next;

			igt_assert_eq(nv_dev_init(&next, drm_open_driver_render(DRIVER_ANY)), 0);
			igt_assert_eq(ioctl(next.fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime[i]), 0);
			igt_assert_eq(ioctl(next.fd, IOCTL_VM_INIT, &vm), 0);
			nv_dev_close(&next);
		} else {
			igt_assert_eq(nv_svm_init(&dev), 0);
		}
		nv_bo_del(&bo);
		nv_dev_close(&dev);
	}
	/* Some have to make way for others' buffers. */
	svm_vram_fill(&other, &fill);
	svm_vram_release(&fill);
	for (i = 0; i < FILES; i++)
		close(prime[i].fd);
	svm_close(&other);
}

/**
 * SUBTEST: u2-mapped-again
 * Description: pages that the GPU has read, and then writes, have one mapping of the IOMMU each, and none when they go
 *
 * After a fork they may only be read until somebody writes to them; the child is gone then, they need no copy, and the
 * leaf for reading is written over by the one for writing.
 */
static void test_u2(void)
{
	uint64_t before, after = UINT64_MAX;
	struct gpu_model *m;
	struct svm svm;
	int tries;
	pid_t child;
	char *p;

	igt_require_f(!system("ls -d /sys/class/iommu/* >/dev/null 2>&1"), "the machine has no IOMMU\n");
	svm_open(&svm);
	svm_migrate_on_fault(false);
	p = svm_alloc(SZ_2M, PAGES_4K);
	/* All else that the process needs is mapped by now. */
	svm_cpu_write_pages(p, 2 * NR, 0x100);
	svm_gpu_check_pages(&svm, p + NR * SZ_4K, NR, 0x100 + NR);
	child = fork();
	if (!child)
		_exit(0);
	igt_assert_lt(0, child);
	igt_assert_eq(waitpid(child, NULL, 0), child);

	m = gpu_model_open(0);
	igt_require_f(m, "needs the GPU model\n");
	igt_assert_eq(gpu_model_wait_idle(m, 30000), 0);
	before = gpu_model_state(m, "dma_maps");
	gpu_model_close(m);
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	svm_gpu_write_pages(&svm, p, NR, 0x200);
	svm_cpu_check_pages(p, NR, 0x200, false);
	igt_assert_eq(madvise(p, NR * SZ_4K, MADV_DONTNEED), 0);
	for (tries = 0; tries < 50 && after > before; tries++) {
		usleep(100000);
		m = gpu_model_open(0);
		igt_assert(m);
		after = gpu_model_state(m, "dma_maps");
		gpu_model_close(m);
	}
	igt_info("mappings: %" PRIu64 " before, %" PRIu64 " when the pages are gone\n", before, after);
	igt_assert_lte_u64(after, before);
	svm_migrate_on_fault(true);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: unload-leaves-no-vram
 * Description: unloading the driver after SVM was used finds all of VRAM free
 */
static void test_unload(void)
{
	struct svm svm;
	char line[1024];
	bool clean = true;
	FILE *log;
	char *p;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	svm_bind_vram(&svm, p, LEN);
	svm_cpu_check_pages(p, NR, 0x100, true);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	igt_assert_eq(system("rmmod nouveau"), 0);
	log = popen("dmesg", "r");
	igt_assert(log);
	while (fgets(line, sizeof(line), log)) {
		if (strstr(line, "mm not clean"))
			clean = false;
	}
	pclose(log);
	igt_assert_f(clean, "the kernel's log says: mm not clean\n");
	igt_assert_eq(system("modprobe nouveau"), 0);
}

int igt_main()
{
	igt_describe("SVM_BIND of small pages that the GPU has mapped");
	igt_subtest("a1-bind-after-gpu-touch")
		test_a1(PAGES_4K);
	igt_describe("SVM_BIND of a huge page that the GPU has mapped");
	igt_subtest("a1-bind-after-gpu-touch-thp")
		test_a1(PAGES_THP);
	igt_describe("Two clients in one process");
	igt_subtest("a2-second-client")
		test_a2();
	igt_describe("A failed copy on a CPU fault");
	igt_subtest("a3-copy-error-cpu-fault")
		test_a3();
	igt_describe("A failed copy on SVM_BIND");
	igt_subtest("a4-copy-error-bind")
		test_a4();
	igt_describe("A CPU fault in a split huge page");
	igt_subtest("a5-cpu-fault-in-split-thp")
		test_a5();
	igt_describe("The CPU touches pages in VRAM after close");
	igt_subtest("a6-cpu-touch-after-close")
		test_a6_close();
	igt_describe("A child touches pages in VRAM after its parent's close");
	igt_subtest("a6-child-outlives-parent")
		test_a6_fork();
	igt_describe("SVM_BIND by another process");
	igt_subtest("a7-foreign-mm")
		test_a7();
	igt_describe("The cut-out begins within a huge page");
	igt_subtest("a8-hole-within-thp")
		test_a8();
	igt_describe("Huge and small pages side by side");
	igt_subtest("a9-mixed-page-sizes")
		test_a9();
	igt_describe("Processes that move memory at the same time");
	igt_subtest("a10-binds-at-once")
		test_a10();
	igt_describe("Unbind with small pages in VRAM");
	igt_subtest("a11-unbind-4k")
		test_a11(PAGES_4K);
	igt_describe("Unbind with a huge page in VRAM");
	igt_subtest("a11-unbind-thp")
		test_a11(PAGES_THP);
	igt_describe("Unbind, and copies fail");
	igt_subtest("a11-unbind-copy-error")
		test_a11_error();
	igt_describe("Removal with a live client");
	igt_subtest("a13-remove-live-client")
		test_a13();
	igt_describe("Unbind with a shader at work");
	igt_subtest("a13-unbind-while-faulting")
		test_a13_busy();
	igt_describe("Surprise removal with data in VRAM");
	igt_subtest("a13-surprise-removal")
		test_a13_surprise();
	igt_describe("Atomics on pages in VRAM");
	igt_subtest("a14-atomic-in-vram")
		test_a14();
	igt_describe("Atomics on a huge page in RAM");
	igt_subtest("a14-atomic-in-thp")
		test_a14_thp();
	igt_describe("First touch in the middle of a huge page in VRAM");
	igt_subtest("m1-first-touch-within-thp")
		test_m1();
	igt_describe("A kernel writes while the process forks");
	igt_subtest("v1-write-while-invalidated")
		test_v1();
	igt_describe("SVM_BIND of thousands of pages at once");
	igt_subtest("n1-bind-many-pages")
		test_n1();
	igt_describe("Ranges within a huge device page");
	igt_subtest("m1-ranges-within-thp")
		test_m1_ranges();
	igt_describe("The GPU alone writes to shared memory");
	igt_subtest("d1-write-to-shared")
		test_d1();
	igt_describe("The GPU writes to memory that was given up");
	igt_subtest("d1-write-to-free")
		test_d1_free();
	igt_describe("The GPU writes to memory in VRAM that was given up");
	igt_subtest("d1-write-to-free-vram")
		test_d1_free_vram();
	igt_describe("A buffer from before SVM_INIT");
	igt_subtest("u3-buffer-before-init")
		test_u3(false);
	igt_subtest("u3-buffer-before-vm-init")
		test_u3(true);
	igt_describe("Pages that are mapped by an IOMMU, for reading and then for writing");
	igt_subtest("u2-mapped-again")
		test_u2();
	igt_describe("SVM_BIND says how many pages it moved");
	igt_subtest("result-is-true")
		test_result();
	igt_describe("VM_INIT after SVM_INIT");
	igt_subtest("c9-svm-init-then-vm-init")
		test_c9();
	igt_describe("SVM_INIT after VM_INIT");
	igt_subtest("c9-vm-init-then-svm-init")
		test_c9_other();
	igt_describe("SVM_BIND to system memory");
	igt_subtest("bind-to-system")
		test_bind_to_system();
	igt_describe("The device stops answering");
	igt_subtest("dark-while-faulting")
		test_dark();
	igt_subtest("dark-while-faulting-get")
		test_dark_get();
	igt_describe("The fault buffer overflows");
	igt_subtest("overflow-volta")
		test_overflow();
	igt_subtest("overflow-pascal")
		test_overflow_pascal();
	igt_describe("A fault entry becomes valid late");
	igt_subtest("late-valid")
		test_late_valid();
	igt_describe("Unload after use");
	igt_subtest("unload-leaves-no-vram")
		test_unload();
}
