// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm setup
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: set-up of a device
 * Description: what a device cannot do, or a step of its set-up that fails, leaves the rest usable
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("What a device cannot do, or a step of its set-up that fails, leaves the rest usable.");

#define NR (SZ_2M / SZ_4K)
#define FAIL_NTH "/sys/kernel/debug/nouveau_svm/fail-nth"
#define PARAMETERS "/sys/module/nouveau/parameters/"

enum state { SVM_OFF, SVM_IN_PLACE, SVM_MIGRATES };

/* What debugfs says. */
static enum state state(void)
{
	char line[64] = "";
	FILE *f = svm_driver_open();

	igt_assert(f && fgets(line, sizeof(line), f));
	fclose(f);
	if (!strcmp(line, "off\n"))
		return SVM_OFF;
	if (!strcmp(line, "on migration no\n"))
		return SVM_IN_PLACE;
	igt_assert_f(!strcmp(line, "on migration yes\n"), "\"%s\"\n", line);
	return SVM_MIGRATES;
}

/* What it says is so. */
static void expect_state(enum state want)
{
	uint64_t pages = UINT64_MAX;
	struct nv_dev dev;
	struct svm svm;
	struct nv_bo bo;
	char *p;

	igt_assert_eq(state(), want);
	/* Buffers have nothing to do with it. */
	igt_assert_eq(nv_dev_open(&dev, NULL), 0);
	if (want == SVM_OFF) {
		igt_assert_eq(nv_svm_init(&dev), -ENOSYS);
		nv_dev_close(&dev);
		return;
	}
	igt_assert_eq(nv_svm_init(&dev), 0);
	igt_assert_eq(nv_bo_new(&dev, SZ_2M, NOUVEAU_GEM_DOMAIN_VRAM, &bo), 0);
	nv_bo_del(&bo);
	nv_dev_close(&dev);

	p = svm_alloc(SZ_2M, PAGES_THP);
	svm_open(&svm);
	svm_migrate_on_fault(true);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	svm_gpu_write_pages(&svm, p, NR, 0x200);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), want == SVM_MIGRATES ? NR : 0);
	svm_cpu_check_pages(p, NR, 0x200, false);
	igt_assert_eq(nv_svm_bind(&svm.dev, p, SZ_2M, true, &pages), 0);
	igt_assert_eq_u64(pages, want == SVM_MIGRATES ? NR : 0);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), pages);
	svm_gpu_write_pages(&svm, p, NR, 0x300);
	/* The page stays the GPU's where it cannot move. */
	svm_gpu_add(&svm, p + 5 * SZ_4K, 1, 32);
	igt_assert_eq_u32(*(volatile uint32_t *)(p + 5 * SZ_4K), 0x305 + 32);
	svm_gpu_write_pages(&svm, p, NR, 0x400);
	igt_assert_eq(nv_svm_bind(&svm.dev, p, SZ_2M, false, NULL), 0);
	svm_cpu_check_pages(p, NR, 0x400, false);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: no-copy-engine
 * Description: all copy engines share the runlist of the graphics engine: memory stays in place, all else works
 */
static void test_no_copy_engine(void)
{
	expect_state(SVM_IN_PLACE);
}

/* What the kernel's log has of one set-up that ended in @want, since svm_log_start(): one line, with a reason (@why). */
static void expect_log(enum state want, const char *why)
{
	igt_assert_eq((int)svm_log_lines(" svm: off: ", NULL), want == SVM_OFF);
	igt_assert_eq((int)svm_log_lines(" svm: memory stays in place: ", NULL), want == SVM_IN_PLACE);
	igt_assert_eq((int)svm_log_lines(" svm: on", NULL), want != SVM_OFF);
	igt_assert_eq((int)svm_log_lines(" svm: on, with migration\n", NULL), want == SVM_MIGRATES);
	if (want != SVM_MIGRATES)
		igt_assert_f(svm_log_lines(want == SVM_OFF ? " svm: off: " : " svm: memory stays in place: ", why) == 1,
			     "the line does not tell why: \"%s\"\n", why);
}

static void arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth), fd = open(FAIL_NTH, O_WRONLY | O_CLOEXEC);

	igt_require_f(fd >= 0, "the driver has no injection points\n");
	igt_assert_eq((int)write(fd, text, (size_t)len), len);
	close(fd);
}

/* Return: true when something has failed since arm(). */
static bool disarm(unsigned int nth)
{
	char text[128] = "";
	long left = -1;
	FILE *f = fopen(FAIL_NTH, "re");

	igt_assert(f && fgets(text, sizeof(text), f));
	fclose(f);
	igt_assert_eq(sscanf(text, "%ld", &left), 1);
	arm(0);
	if (left == 0)
		igt_info("%u: %s", nth, text + 2);
	return left == 0;
}

/**
 * SUBTEST: probe-fails-%s
 * Description: the driver binds, and each of the %arg[1] steps of SVM's set-up fails once: no SVM, or none that
 *	migrates, and one line in the kernel's log says why
 *
 * arg[1]:
 *
 * @first: first eight
 * @last: other
 */
static void test_probe(bool last)
{
	const unsigned int half = 8;
	unsigned int nth, offs = 0, in_place = 0;
	char slot[64];
	bool failed;

	svm_gpu_slot(slot);
	for (nth = last ? half + 1 : 1; last || nth <= half; nth++) {
		igt_assert_lt((int)nth, 50);
		svm_driver_unbind(slot);
		arm(nth);
		svm_log_start();
		svm_driver_bind(slot);
		failed = disarm(nth);
		igt_assert_f(failed == (state() != SVM_MIGRATES), "step %u %s, and SVM is in state %d\n", nth,
			     failed ? "has failed" : "is not there", state());
		offs += state() == SVM_OFF;
		in_place += state() == SVM_IN_PLACE;
		expect_state(state());
		/* The error that a failed step returned. */
		expect_log(state(), ": -");
		if (!failed)
			break;
	}
	igt_info("%u times without SVM, %u times in place\n", offs, in_place);
	igt_assert(last ? in_place : offs);
	if (!last) {
		svm_driver_unbind(slot);
		svm_driver_bind(slot);
	}
	expect_state(SVM_MIGRATES);
}

static void reload(const char *parameters)
{
	char command[128];

	igt_assert_eq(system("rmmod nouveau"), 0);
	svm_log_start();
	snprintf(command, sizeof(command), "modprobe nouveau %s", parameters);
	igt_assert_eq(system(command), 0);
	svm_wait_node();
}

/**
 * SUBTEST: notifier-size
 * Description: svm_notifier_mib: the smallest value works, one that is no power of two switches SVM off, which one line
 *	in the kernel's log tells
 */
static void test_notifier_size(void)
{
	reload("svm_notifier_mib=3");
	expect_state(SVM_OFF);
	expect_log(SVM_OFF, "off: svm_notifier_mib is not a power of two: -");
	reload("svm_notifier_mib=1");
	expect_state(SVM_OFF);
	expect_log(SVM_OFF, "off: svm_notifier_mib is not a power of two: -");
	reload("svm_notifier_mib=2");
	expect_state(SVM_MIGRATES);
	expect_log(SVM_MIGRATES, NULL);
	reload("");
	expect_state(SVM_MIGRATES);
	expect_log(SVM_MIGRATES, NULL);
}

static long parameter(const char *name)
{
	char path[128], line[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	f = fopen(path, "re");
	igt_assert_f(f && fgets(line, sizeof(line), f), "%s: %s\n", path, strerror(errno));
	fclose(f);
	return strtol(line, NULL, 0);
}

/**
 * SUBTEST: defaults
 * Description: the module is loaded without parameters: a fault moves memory to VRAM, and it does not if it was
 *	loaded with svm_migrate_on_fault=0
 */
static void test_defaults(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm svm;
	long on;

	for (on = 0; on < 2; on++) {
		reload(on ? "" : "svm_migrate_on_fault=0");
		igt_assert_eq((int)parameter("svm_migrate_on_fault"), (int)on);
		igt_assert_eq((int)parameter("svm_notifier_mib"), 512);
		svm_open(&svm);
		svm_cpu_write_pages(p, NR, 0x500);
		svm_gpu_check_pages(&svm, p, NR, 0x500);
		igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), on ? NR : 0);
		igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), on ? 0 : NR);
		svm_cpu_check_pages(p, NR, 0x500, true);
		svm_close(&svm);
	}
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: bounced
 * Description: all DMA goes through bounce buffers (swiotlb=force): the GPU would not see the process's memory, so no
 *	SVM, which one line in the kernel's log tells
 */
static void test_bounced(void)
{
	char line[2048] = "";
	FILE *f = fopen("/proc/cmdline", "re");

	igt_assert(f && fgets(line, sizeof(line), f));
	fclose(f);
	igt_require_f(strstr(line, "swiotlb=force"), "wants to be booted with swiotlb=force\n");
	expect_state(SVM_OFF);
	/* Loaded once, as the machine booted. */
	svm_log_whole();
	expect_log(SVM_OFF, "off: DMA goes through bounce buffers: -");
}

static void shrink(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC), i;

	igt_assert_fd(fd);
	for (i = 0; i < 20 && svm_has_pagemap(); i++) {
		igt_assert_eq((int)write(fd, "2", 1), 1);
		usleep(100000);
	}
	close(fd);
}

/**
 * SUBTEST: pagemap-shrinks
 * Description: the device pages stay as long as somebody uses them, go when memory is short, and come again
 */
static void test_pagemap(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm svm;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		svm_open(&svm);
		igt_assert(svm_has_pagemap());
		svm_cpu_write_pages(p, NR, 0x100 + i);
		svm_bind_vram(&svm, p, SZ_2M);
		shrink();
		igt_assert(svm_has_pagemap());
		svm_close(&svm);
		/* The client has gone, its process's memory has not. */
		shrink();
		igt_assert(svm_has_pagemap());
		svm_cpu_check_pages(p, NR, 0x100 + i, true);
		shrink();
		igt_assert(!svm_has_pagemap());
	}
	svm_free(p, SZ_2M);
	expect_state(SVM_MIGRATES);
}

/* What runtime power management says of the GPU. */
static bool power_is(const char *want)
{
	char slot[64], path[128], line[32] = "";
	FILE *f;

	svm_gpu_slot(slot);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power/runtime_status", slot);
	f = fopen(path, "re");
	igt_assert(f && fgets(line, sizeof(line), f));
	fclose(f);
	line[strcspn(line, "\n")] = 0;
	return !strcmp(line, want);
}

static void power_wait(const char *want)
{
	int i;

	/* To save what is in instance memory takes its time. */
	for (i = 0; i < 600 && !power_is(want); i++)
		usleep(100000);
	igt_assert_f(power_is(want), "it is not %s\n", want);
}

/**
 * SUBTEST: runtime-power
 * Description: a GPU that nobody uses is suspended at run time, one that mirrors a process is not: what it has mapped may go
 */
static void test_runtime_power(void)
{
	char slot[64], path[128], *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm svm;
	bool active;

	reload("runpm=1");
	svm_gpu_slot(slot);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power/autosuspend_delay_ms", slot);
	svm_must_write(path, "100");
	power_wait("suspended");

	svm_open(&svm);
	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	sleep(10);
	active = power_is("active");
	igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
	svm_cpu_write_pages(p, NR, 0x300);
	svm_gpu_check_pages(&svm, p, NR, 0x300);
	igt_assert(active);
	svm_close(&svm);
	power_wait("suspended");
	svm_free(p, SZ_2M);
	reload("");
	expect_state(SVM_MIGRATES);
}

int igt_main()
{
	igt_describe("No copy engine off the runlist of the graphics engine");
	igt_subtest("no-copy-engine")
		test_no_copy_engine();
	igt_describe("Steps of set-up fail");
	igt_subtest("probe-fails-first")
		test_probe(false);
	igt_subtest("probe-fails-last")
		test_probe(true);
	igt_describe("Sizes of what a notifier watches");
	igt_subtest("notifier-size")
		test_notifier_size();
	igt_describe("Without parameters");
	igt_subtest("defaults")
		test_defaults();
	igt_describe("Bounce buffers");
	igt_subtest("bounced")
		test_bounced();
	igt_describe("Power at run time");
	igt_subtest("runtime-power")
		test_runtime_power();
	igt_describe("Memory for device pages");
	igt_subtest("pagemap-shrinks")
		test_pagemap();
}
