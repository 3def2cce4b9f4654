// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm suspend
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: suspend and resume
 * Description: the machine sleeps with memory of a process in VRAM
 *
 * VRAM loses its contents in sleep.  These need a machine whose root can sleep:
 * stage suspend-svm boots one.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "gpu_model.h"
#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("The machine sleeps with memory of a process in VRAM.");

#define WAKE_AFTER "+25"

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = -errno;
	close(fd);
	return err;
}

static uint64_t sleeps(void)
{
	uint64_t n = 0;
	FILE *f = fopen("/sys/power/suspend_stats/success", "re");

	igt_assert(f);
	igt_assert_eq(fscanf(f, "%" SCNu64, &n), 1);
	fclose(f);
	return n;
}

/* Somebody outside presses a key when the log says that all is idle (vm/lib/wake.py). */
static void let_keyboard_wake(void)
{
	igt_require_f(write_to("/sys/devices/platform/i8042/serio0/power/wakeup", "enabled") == 0, "no keyboard\n");
	igt_require_f(write_to("/sys/power/pm_debug_messages", "1") == 0, "the log would not tell\n");
}

static void set_alarm_clock(void)
{
	igt_require_f(write_to("/sys/class/rtc/rtc0/wakealarm", "0") == 0 &&
		      write_to("/sys/class/rtc/rtc0/wakealarm", WAKE_AFTER) == 0, "no alarm clock\n");
}

/*
 * @test: what the kernel only pretends. NULL: sleep for real, woken by the clock, or from idle, which the clock's
 * alarm does not end, by the keyboard.
 */
static void go_to_sleep(const char *how, const char *test)
{
	uint64_t before = sleeps();

	if (test)
		igt_assert_eq(write_to("/sys/power/pm_test", test), 0);
	else if (!strcmp(how, "s2idle"))
		let_keyboard_wake();
	else
		set_alarm_clock();
	igt_require_f(write_to("/sys/power/mem_sleep", how) == 0, "no %s\n", how);
	igt_assert_eq(write_to("/sys/power/state", "mem"), 0);
	igt_assert_eq_u64(sleeps(), before + 1);
	if (test)
		igt_assert_eq(write_to("/sys/power/pm_test", "none"), 0);
}

/**
 * SUBTEST: devices-4k
 * Description: all devices are suspended and resumed, with data in VRAM
 *
 * SUBTEST: s3-%s
 * Description: suspend to RAM with data in VRAM, in pages of %arg[1]
 *
 * SUBTEST: s2idle-%s
 * Description: suspend to idle with data in VRAM, in pages of %arg[1]
 *
 * arg[1]:
 *
 * @4k: 4 KiB
 * @thp: 2 MiB
 */
static void test_sleep(const char *how, const char *test, enum page_kind kind)
{
	const uint32_t n = kind == PAGES_THP ? SZ_2M / SZ_4K : 64;
	struct svm svm;
	struct nv_bo big;
	char *p, *q;

	svm_open(&svm);
	p = svm_alloc(SZ_2M, kind);
	q = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, n, 0x1000);
	svm_cpu_write_pages(q, 16, 0x100);
	/* Something in VRAM below the pages goes away before: what comes back may lie elsewhere. */
	igt_assert_eq(nv_bo_new(&svm.dev, 64ul << 20, NOUVEAU_GEM_DOMAIN_VRAM, &big), 0);
	svm_bind_vram(&svm, p, n * SZ_4K);
	igt_assert_eq_u64(svm_count_pages(p, n * SZ_4K, PAGE_IN_VRAM), n);
	/* One is mapped where it is, one in VRAM, and both are used again. */
	svm_migrate_on_fault(false);
	svm_gpu_check_pages(&svm, p, n, 0x1000);
	svm_gpu_write_pages(&svm, p, n, 0x2000);
	svm_gpu_check_pages(&svm, q, 16, 0x100);
	nv_bo_del(&big);

	go_to_sleep(how, test);

	svm_gpu_check_pages(&svm, p, n, 0x2000);
	svm_gpu_check_pages(&svm, q, 16, 0x100);
	svm_cpu_check_pages(p, n, 0x2000, false);
	/* Memory moves as before. */
	svm_bind_vram(&svm, p, n * SZ_4K);
	igt_assert_eq_u64(svm_count_pages(p, n * SZ_4K, PAGE_IN_VRAM), n);
	svm_gpu_write_pages(&svm, p, n, 0x3000);
	svm_cpu_check_pages(p, n, 0x3000, false);
	svm_migrate_on_fault(true);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	svm_free(q, SZ_2M);
}

/**
 * SUBTEST: refused
 * Description: data cannot leave VRAM, the copy engine does not answer: the machine stays awake, and all has its data
 */
static void test_refused(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K), *q = svm_alloc(SZ_2M, PAGES_4K), slot[64];
	struct gpu_model *m;
	struct svm svm;
	uint32_t v = 0;
	int err;

	igt_require_f(svm_migrate_on_fault(false), "this driver does not stop copy engines\n");
	svm_gpu_slot(slot);
	svm_open(&svm);
	svm_cpu_write_pages(p, 64, 0x1000);
	svm_cpu_write_pages(q, 64, 0x100);
	svm_bind_vram(&svm, p, 64 * SZ_4K);
	/* The first copy engine off the runlist of the graphics engine. */
	svm_inject(&(struct gpu_model_inject){ .point = "engine_hang", .arg = 2 });
	igt_assert_f(!svm_cpu_try(p, &v), "the CPU reads %#x\n", v);
	m = gpu_model_open(0);
	igt_assert(m);
	igt_assert_eq(gpu_model_disarm(m, "engine_hang"), 0);
	gpu_model_close(m);

	/* If it does go to sleep, then not for long. */
	igt_assert_eq(write_to("/sys/power/pm_test", "devices"), 0);
	err = write_to("/sys/power/state", "mem");
	igt_assert_eq(write_to("/sys/power/pm_test", "none"), 0);
	igt_assert_eq(err, -EBUSY);

	svm_gpu_check_pages(&svm, p, 64, 0x1000);
	/* Faults are served again. */
	svm_gpu_check_pages(&svm, q, 64, 0x100);
	svm_gpu_write_pages(&svm, q, 64, 0x200);
	svm_cpu_check_pages(q, 64, 0x200, false);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	svm_free(q, SZ_2M);
	/* For those who come after. */
	svm_driver_unbind(slot);
	svm_driver_bind(slot);
	svm_migrate_on_fault(true);
}

int igt_main()
{
	igt_describe("Suspend is refused");
	igt_subtest("refused")
		test_refused();
	igt_describe("Devices suspended and resumed");
	igt_subtest("devices-4k")
		test_sleep("deep", "devices", PAGES_4K);
	igt_describe("Suspend to idle, small pages");
	igt_subtest("s2idle-4k")
		test_sleep("s2idle", NULL, PAGES_4K);
	igt_describe("Suspend to idle, a huge page");
	igt_subtest("s2idle-thp")
		test_sleep("s2idle", NULL, PAGES_THP);
	igt_describe("Suspend to RAM, small pages");
	igt_subtest("s3-4k")
		test_sleep("deep", NULL, PAGES_4K);
	igt_describe("Suspend to RAM, a huge page");
	igt_subtest("s3-thp")
		test_sleep("deep", NULL, PAGES_THP);
}
