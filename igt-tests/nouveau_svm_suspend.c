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
#include <linux/fuse.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "gpu_model.h"
#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("The machine sleeps with memory of a process in VRAM.");

#define WAKE_AFTER "+25"

/* Documentation/admin-guide/mm/damon/usage.rst */
#define KDAMONDS "/sys/kernel/mm/damon/admin/kdamonds/"
#define KDAMOND KDAMONDS "0/"
#define CONTEXT KDAMOND "contexts/0/"
#define SCHEME CONTEXT "schemes/0/"
#define DAMON_STAT "/sys/module/damon_stat/parameters/enabled"
#define TRACEFS "/sys/kernel/tracing/"
#define PM_TEST_DELAY "/sys/module/suspend/parameters/pm_test_delay"

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

/*
 * Somebody outside presses a key when the log says that all is idle, and if that does not help the power button
 * (vm/lib/wake.py): the debug kernel knows no keyboard.
 */
static void let_somebody_wake(void)
{
	igt_require_f(write_to("/sys/devices/platform/i8042/serio0/power/wakeup", "enabled") == 0 ||
		      access("/sys/devices/platform/LNXPWRBN:00", F_OK) == 0, "no keyboard, no button\n");
	igt_require_f(write_to("/sys/power/pm_debug_messages", "1") == 0, "the log would not tell\n");
}

/* The debug kernel lets nobody set the alarm. Who has booted the machine may say that he wakes it (vm/lib/wake.py). */
static void set_alarm_clock(void)
{
	bool set = write_to("/sys/class/rtc/rtc0/wakealarm", "0") == 0 &&
		   write_to("/sys/class/rtc/rtc0/wakealarm", WAKE_AFTER) == 0;

	igt_require_f(set || getenv("NVSVM_WAKER"), "no alarm clock\n");
}

/*
 * @test: what the kernel only pretends. NULL: sleep for real, woken by the clock, or from idle, which the clock's
 * alarm does not end, by a key.
 */
static void go_to_sleep(const char *how, const char *test)
{
	uint64_t before = sleeps();

	if (test)
		igt_assert_eq(write_to("/sys/power/pm_test", test), 0);
	else if (!strcmp(how, "s2idle"))
		let_somebody_wake();
	else
		set_alarm_clock();
	igt_require_f(write_to("/sys/power/mem_sleep", how) == 0, "no %s\n", how);
	igt_assert_eq(write_to("/sys/power/state", "mem"), 0);
	igt_assert_eq_u64(sleeps(), before + 1);
	if (test)
		igt_assert_eq(write_to("/sys/power/pm_test", "none"), 0);
}

/* All devices are suspended and resumed, or not. Return: 0 or a negative errno. */
static int try_to_sleep(void)
{
	int err;

	igt_assert_eq(write_to("/sys/power/pm_test", "devices"), 0);
	err = write_to("/sys/power/state", "mem");
	igt_assert_eq(write_to("/sys/power/pm_test", "none"), 0);
	return err;
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
	igt_assert_eq(try_to_sleep(), -EBUSY);

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

/**
 * SUBTEST: replacing
 * Description: the channel for copies was killed, and it takes 5 s to make another: sleep waits for it, data is right
 */
static void test_replacing(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm svm;

	svm_open(&svm);
	svm_cpu_write_pages(p, 64, 0x1000);
	svm_bind_vram(&svm, p, 64 * SZ_4K);
	svm_gpu_write_pages(&svm, p, 64, 0x1100);
	svm_fail_in("nouveau_svm_ce_work", 1);
	igt_assert_eq(svm_kill_channel(svm_copy_channel()), 0);
	/* After sleep the model does not answer any more. */
	svm_injected("chan_error");
	igt_assert_eq(try_to_sleep(), 0);
	igt_assert_eq_u32(svm_fail_in_left(), 0);
	igt_assert_eq_u64(svm_count_pages(p, 64 * SZ_4K, PAGE_IN_RAM), 64);
	svm_gpu_check_pages(&svm, p, 64, 0x1100);
	svm_cpu_check_pages(p, 64, 0x1100, false);
	svm_bind_vram(&svm, p, 64 * SZ_4K);
	igt_assert_eq_u64(svm_count_pages(p, 64 * SZ_4K, PAGE_IN_VRAM), 64);
	svm_cpu_check_pages(p, 64, 0x1100, false);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/* The child's fault waits, and again after it was interrupted; when the child may go on the machine can sleep. */
static void stays_awake(int ready, int go)
{
	char c;

	igt_assert_eq((int)read(ready, &c, 1), 1);
	igt_assert_eq(try_to_sleep(), -EBUSY);
	igt_assert_eq(try_to_sleep(), -EBUSY);
	igt_assert_eq((int)write(go, "x", 1), 1);
	igt_waitchildren();
	igt_assert_eq(try_to_sleep(), 0);
}

/**
 * SUBTEST: unanswered
 * Description: service of a fault waits for a page that a process does not supply, since it is frozen: no sleep, no hang
 */
static void test_unanswered(void)
{
	int ready[2], go[2];
	char c;

	igt_assert_eq(pipe(ready), 0);
	igt_assert_eq(pipe(go), 0);
	igt_fork(child, 1) {
		char *p = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct nv_args args = { .src = (uintptr_t)p };
		struct svm_slow slow;
		struct svm svm;

		igt_assert(p != MAP_FAILED);
		svm_open(&svm);
		svm_slow_begin(&slow, p, SZ_64K);
		args.dst = svm.out.va;
		nv_use(&svm.chan, &svm.out);
		igt_assert_eq(nv_launch(&svm.chan, &svm.read, 1, 1, &args, sizeof(args)), 0);
		igt_assert_eq(nv_submit(&svm.chan), 0);
		igt_assert(svm_slow_hit(&slow, 30000));
		igt_assert_eq((int)write(ready[1], "x", 1), 1);
		/* The machine sleeps, or not. */
		igt_assert_eq((int)read(go[0], &c, 1), 1);
		svm_slow_end(&slow, 0x1234);
		igt_assert_eq(nv_wait(&svm.chan, 0), 0);
		igt_assert_eq_u32(*(volatile uint32_t *)svm.out.map, 0x1234);
		svm_close(&svm);
	}
	stays_awake(ready[0], go[1]);
}

/* A file system in user space (fuse(4)) with one file, of which nothing can be read until it is told to answer. */
struct stuck {
	int dev;		/* /dev/fuse */
	int hit[2], go[2];	/* pipes: somebody reads the file; answer from now on */
	char *p;		/* the file, mapped */
};

#define STUCK_DIR "/tmp/svm-stuck"

static void fuse_reply(int dev, uint64_t unique, int error, const void *data, size_t len)
{
	struct fuse_out_header out = { .len = (uint32_t)(sizeof(out) + len), .error = error, .unique = unique };
	struct iovec iov[] = { { &out, sizeof(out) }, { (void *)(uintptr_t)data, len } };

	igt_assert_eq(writev(dev, iov, 2), (ssize_t)out.len);
}

static struct fuse_attr fuse_attr(uint64_t ino)
{
	return (struct fuse_attr){ .ino = ino, .nlink = 1, .blksize = SZ_4K, .size = ino == 1 ? 0 : SZ_64K,
				   .mode = ino == 1 ? S_IFDIR | 0755 : S_IFREG | 0644 };
}

static void fuse_read_file(struct stuck *s, uint64_t unique, const struct fuse_read_in *in)
{
	static uint32_t data[SZ_64K / 4];
	uint32_t i, size = in->size < sizeof(data) ? in->size : sizeof(data);
	char c;

	igt_assert_eq((int)write(s->hit[1], "x", 1), 1);
	/* At its end everybody gets an answer. */
	igt_assert_lte((int)read(s->go[0], &c, 1), 1);
	for (i = 0; i < size; i += SZ_4K)
		data[i / 4] = 0x1234 + (uint32_t)(in->offset + i) / SZ_4K;
	fuse_reply(s->dev, unique, 0, data, size);
}

static void *stuck_main(void *arg)
{
	static char buf[SZ_64K + SZ_4K];
	const struct fuse_in_header *in = (const void *)buf;
	struct stuck *s = arg;

	while (read(s->dev, buf, sizeof(buf)) >= (ssize_t)sizeof(*in) || errno == EINTR) {
		switch (in->opcode) {
		case FUSE_INIT:
			fuse_reply(s->dev, in->unique, 0,
				   &(struct fuse_init_out){ .major = FUSE_KERNEL_VERSION,
							    .minor = FUSE_KERNEL_MINOR_VERSION,
							    .max_write = SZ_4K }, sizeof(struct fuse_init_out));
			break;
		case FUSE_LOOKUP:
			fuse_reply(s->dev, in->unique, 0,
				   &(struct fuse_entry_out){ .nodeid = 2, .entry_valid = 1000, .attr_valid = 1000,
							     .attr = fuse_attr(2) }, sizeof(struct fuse_entry_out));
			break;
		case FUSE_GETATTR:
			fuse_reply(s->dev, in->unique, 0,
				   &(struct fuse_attr_out){ .attr_valid = 1000, .attr = fuse_attr(in->nodeid) },
				   sizeof(struct fuse_attr_out));
			break;
		case FUSE_OPEN:
			fuse_reply(s->dev, in->unique, 0, &(struct fuse_open_out){ 0 }, sizeof(struct fuse_open_out));
			break;
		case FUSE_READ:
			fuse_read_file(s, in->unique, (const void *)(in + 1));
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			break;	/* no answer */
		default:
			fuse_reply(s->dev, in->unique, -ENOSYS, NULL, 0);
		}
	}
	return NULL;
}

static void stuck_begin(struct stuck *s, pthread_t *thread)
{
	char options[80];
	int fd;

	igt_assert_eq(pipe(s->hit), 0);
	igt_assert_eq(pipe(s->go), 0);
	if (system("modprobe fuse"))
		igt_info("no module fuse: built in?\n");
	s->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	igt_require_f(s->dev >= 0, "fuse: %s\n", strerror(errno));
	igt_assert(mkdir(STUCK_DIR, 0700) == 0 || errno == EEXIST);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", s->dev);
	igt_assert_eq(mount("stuck", STUCK_DIR, "fuse", 0, options), 0);
	igt_assert_eq(pthread_create(thread, NULL, stuck_main, s), 0);
	fd = open(STUCK_DIR "/file", O_RDONLY | O_CLOEXEC);
	igt_assert(fd >= 0);
	s->p = mmap(NULL, SZ_64K, PROT_READ, MAP_SHARED, fd, 0);
	igt_assert(s->p != MAP_FAILED);
	/* Without this who touches it has it read ahead, and waits for that, which SIGKILL ends. */
	igt_assert_eq(madvise(s->p, SZ_64K, MADV_RANDOM), 0);
	close(fd);
}

/**
 * SUBTEST: unanswered-file
 * Description: as unanswered, but the page is of a file system in user space, and not even SIGKILL ends the wait
 */
static void test_unanswered_file(void)
{
	int ready[2], go[2];
	char c;

	igt_assert_eq(pipe(ready), 0);
	igt_assert_eq(pipe(go), 0);
	igt_fork(child, 1) {
		struct nv_args args;
		struct stuck stuck;
		pthread_t thread;
		struct svm svm;

		svm_open(&svm);
		stuck_begin(&stuck, &thread);
		args = (struct nv_args){ .src = (uintptr_t)stuck.p, .dst = svm.out.va };
		nv_use(&svm.chan, &svm.out);
		igt_assert_eq(nv_launch(&svm.chan, &svm.read, 1, 1, &args, sizeof(args)), 0);
		igt_assert_eq(nv_submit(&svm.chan), 0);
		igt_assert_eq((int)read(stuck.hit[0], &c, 1), 1);
		igt_assert_eq((int)write(ready[1], "x", 1), 1);
		/* The machine sleeps, or not. */
		igt_assert_eq((int)read(go[0], &c, 1), 1);
		close(stuck.go[1]);
		igt_assert_eq(nv_wait(&svm.chan, 0), 0);
		igt_assert_eq_u32(*(volatile uint32_t *)svm.out.map, 0x1234);
		svm_gpu_check_pages(&svm, stuck.p, SZ_64K / SZ_4K, 0x1234);
		svm_close(&svm);
		munmap(stuck.p, SZ_64K);
		igt_assert_eq(umount(STUCK_DIR), 0);
	}
	stays_awake(ready[0], go[1]);
}

static struct svm binding;

static void *bind_main(void *arg)
{
	return (void *)(intptr_t)nv_svm_bind(&binding.dev, arg, SZ_64K, true, NULL);
}

/**
 * SUBTEST: binding
 * Description: SVM_BIND waits for a page that its process does not supply, since it is frozen: sleep, and it goes on
 */
static void test_binding(void)
{
	int ready[2], go[2];
	char c;

	igt_assert_eq(pipe(ready), 0);
	igt_assert_eq(pipe(go), 0);
	igt_fork(child, 1) {
		char *p = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct svm_slow slow;
		pthread_t thread;
		void *ret;

		igt_assert(p != MAP_FAILED);
		svm_open(&binding);
		svm_slow_begin(&slow, p, SZ_64K);
		igt_assert_eq(pthread_create(&thread, NULL, bind_main, p), 0);
		igt_assert(svm_slow_hit(&slow, 30000));
		igt_assert_eq((int)write(ready[1], "x", 1), 1);
		/* The machine sleeps, or not. */
		igt_assert_eq((int)read(go[0], &c, 1), 1);
		/* It has asked again. */
		igt_assert(svm_slow_hit(&slow, 30000));
		svm_slow_end(&slow, 0x1234);
		igt_assert_eq(pthread_join(thread, &ret), 0);
		igt_assert_eq((int)(intptr_t)ret, 0);
		svm_gpu_check_pages(&binding, p, SZ_64K / SZ_4K, 0x1234);
		svm_close(&binding);
	}
	igt_assert_eq((int)read(ready[0], &c, 1), 1);
	igt_assert_eq(try_to_sleep(), 0);
	igt_assert_eq((int)write(go[1], "x", 1), 1);
	igt_waitchildren();
	igt_assert_eq(try_to_sleep(), 0);
}

/* Counts down from args.count, then reads the word at args.src. */
static void asm_late_read(struct sm6x *p)
{
	enum { DST = 0, SRC = 2, VAL = 4, LEFT = 5 };
	uint32_t top;

	sm6x_init(p);
	sm6x_mov_c(p, DST, 0, offsetof(struct nv_args, dst));
	sm6x_mov_c(p, DST + 1, 0, offsetof(struct nv_args, dst) + 4);
	sm6x_mov_c(p, SRC, 0, offsetof(struct nv_args, src));
	sm6x_mov_c(p, SRC + 1, 0, offsetof(struct nv_args, src) + 4);
	sm6x_mov_c(p, LEFT, 0, offsetof(struct nv_args, count));
	top = sm6x_size(p);
	sm6x_iadd_i(p, LEFT, LEFT, -1, SM6X_NC);
	sm6x_isetp(p, 0, SM6X_NE, LEFT, SM6X_RZ);
	p->guard = 0;
	sm6x_bra(p, top);
	p->guard = SM6X_PT;
	sm6x_ld(p, SM6X_B32, VAL, SRC, 0);
	sm6x_st(p, SM6X_B32, DST, 0, VAL);
	sm6x_exit(p);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A kernel counts for so many @seconds, then reads a page that is new to the GPU. Devices are suspended meanwhile. */
static void sleep_beside_kernel(double length, int outcome)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K), *q = svm_alloc(SZ_2M, PAGES_4K);
	struct nv_args args = { .src = (uintptr_t)p, .count = 1u << 21 };
	struct nv_kernel late;
	struct sm6x program;
	struct svm svm;
	double t;
	int err;

	svm_open(&svm);
	svm_cpu_write_pages(p, 1, 0x600);
	svm_cpu_write_pages(q, 1, 0x700);
	asm_late_read(&program);
	igt_assert_eq(nv_kernel_load(&svm.chan, &program, &late), 0);
	args.dst = svm.out.va;

	/* How many turns that is, without the faults, which are the first run's. */
	for (int i = 0; i < 2; i++) {
		t = seconds();
		nv_use(&svm.chan, &svm.out);
		igt_assert_eq(nv_run(&svm.chan, &late, 1, 1, &args, sizeof(args)), 0);
		t = seconds() - t;
	}
	igt_assert_eq_u32(*(volatile uint32_t *)svm.out.map, 0x600);
	args.count = (uint32_t)(args.count * length / t);
	igt_info("%u turns\n", args.count);

	args.src = (uintptr_t)q;
	nv_use(&svm.chan, &svm.out);
	igt_assert_eq(nv_launch(&svm.chan, &late, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&svm.chan), 0);
	igt_assert_eq(nv_wait(&svm.chan, 1), -ETIMEDOUT);
	igt_assert_eq(try_to_sleep(), outcome);
	while ((err = nv_wait(&svm.chan, 0)) == -ETIMEDOUT)
		igt_assert_f(seconds() - t < 600, "the kernel does not end\n");
	igt_assert_eq(err, 0);
	igt_assert_eq_u32(*(volatile uint32_t *)svm.out.map, 0x700);
	svm_gpu_check_pages(&svm, q, 1, 0x700);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	svm_free(q, SZ_2M);
}

/**
 * SUBTEST: working
 * Description: devices are suspended while a kernel is at work that then touches a new page: it gets it, and ends
 */
static void test_working(void)
{
	sleep_beside_kernel(4, 0);
}

/**
 * SUBTEST: working-long
 * Description: a kernel takes longer than its channel is waited for (15 s): no sleep, and it ends as it should
 */
static void test_working_long(void)
{
	sleep_beside_kernel(60, -EBUSY);
}

static void *submit_main(void *arg)
{
	struct svm *svm = &binding;
	struct drm_nouveau_gem_pushbuf req = {
		.channel = (uint32_t)svm->chan.id, .nr_push = 1, .push = (uintptr_t)arg,
	};

	return (void *)(intptr_t)ioctl(svm->dev.fd, DRM_IOWR(DRM_COMMAND_BASE + DRM_NOUVEAU_GEM_PUSHBUF,
								struct drm_nouveau_gem_pushbuf), &req);
}

/**
 * SUBTEST: going-down
 * Description: restart without a word to processes, which have data in VRAM, and keep pages back that others wait for:
 * a fault of the GPU, SVM_BIND, and a submission, which has the client's mutex
 *
 * Does not come back: stage suspend-svm has a machine for it.
 */
static void test_going_down(void)
{
	int ready[2];
	char c;

	igt_assert_eq(pipe(ready), 0);
	igt_fork(child, 3) {
		char *p = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct nv_args args = { .src = (uintptr_t)p };
		struct svm_slow slow;
		pthread_t thread;
		char *q = svm_alloc(SZ_2M, PAGES_4K);

		igt_assert(p != MAP_FAILED);
		svm_open(&binding);
		svm_cpu_write_pages(q, 16, 0x100);
		svm_bind_vram(&binding, q, 16 * SZ_4K);
		svm_slow_begin(&slow, p, SZ_64K);
		if (child == 0) {
			args.dst = binding.out.va;
			nv_use(&binding.chan, &binding.out);
			igt_assert_eq(nv_launch(&binding.chan, &binding.read, 1, 1, &args, sizeof(args)), 0);
			igt_assert_eq(nv_submit(&binding.chan), 0);
		} else {
			igt_assert_eq(pthread_create(&thread, NULL, child == 1 ? bind_main : submit_main, p), 0);
		}
		igt_assert(svm_slow_hit(&slow, 30000));
		igt_assert_eq((int)write(ready[1], "x", 1), 1);
		pause();
	}
	for (int i = 0; i < 3; i++)
		igt_assert_eq((int)read(ready[0], &c, 1), 1);
	igt_assert_eq(reboot(RB_AUTOBOOT), 0);
}

static void write_number(const char *path, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	svm_must_write(path, text);
}

/*
 * DAMON's thread is not frozen when the machine goes to sleep. It takes all pages of [addr, addr + len) away @after
 * seconds from now, and once more after as many again: it counts samples, which it takes one a second.
 */
static void take_pages(const void *addr, size_t len, unsigned int after)
{
	const uint64_t second = 1000000;

	igt_require_f(svm_write_text(KDAMONDS "nr_kdamonds", "1"), "the kernel has no DAMON\n");
	/* Suffers no other beside it. */
	svm_write_text(DAMON_STAT, "N");
	svm_must_write(KDAMOND "contexts/nr_contexts", "1");
	svm_must_write(CONTEXT "operations", "fvaddr");
	write_number(CONTEXT "monitoring_attrs/intervals/sample_us", second);
	write_number(CONTEXT "monitoring_attrs/intervals/aggr_us", 1000 * second);
	write_number(CONTEXT "monitoring_attrs/intervals/update_us", 1000 * second);
	svm_must_write(CONTEXT "targets/nr_targets", "1");
	write_number(CONTEXT "targets/0/pid_target", (uint64_t)getpid());
	svm_must_write(CONTEXT "targets/0/regions/nr_regions", "1");
	write_number(CONTEXT "targets/0/regions/0/start", (uintptr_t)addr);
	write_number(CONTEXT "targets/0/regions/0/end", (uintptr_t)addr + len);
	svm_must_write(CONTEXT "schemes/nr_schemes", "1");
	svm_must_write(SCHEME "action", "pageout");
	write_number(SCHEME "access_pattern/sz/max", len);
	write_number(SCHEME "access_pattern/nr_accesses/max", 1000000);
	write_number(SCHEME "access_pattern/age/max", 1000000);
	write_number(SCHEME "apply_interval_us", after * second);
	svm_must_write(KDAMOND "state", "on");
}

static void take_no_more(void)
{
	svm_must_write(KDAMOND "state", "off");
	svm_must_write(KDAMONDS "nr_kdamonds", "0");
	svm_write_text(DAMON_STAT, "Y");
}

static void trace_sleep(bool on)
{
	if (on)
		svm_must_write(TRACEFS "trace", "\n");
	svm_must_write(TRACEFS "events/power/suspend_resume/enable", on ? "1" : "0");
	svm_must_write(TRACEFS "events/vmscan/mm_vmscan_write_folio/enable", on ? "1" : "0");
	if (on)
		svm_must_write(TRACEFS "tracing_on", "1");
}

/* At least @n pages were swapped out, all while all devices were suspended. */
static void expect_taken_asleep(unsigned int n)
{
	enum { BEFORE, ASLEEP, AFTER } when = BEFORE;
	unsigned int taken[3] = { 0 };
	char line[1024];
	FILE *f = fopen(TRACEFS "trace", "re");

	igt_assert(f);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, " suspend_resume: dpm_suspend[") && strstr(line, " end"))
			when = ASLEEP;
		else if (strstr(line, " suspend_resume: dpm_resume[") && strstr(line, " begin"))
			when = AFTER;
		else if (strstr(line, " mm_vmscan_write_folio: "))
			taken[when]++;
	}
	fclose(f);
	igt_require_f(!taken[BEFORE] && !taken[AFTER], "%u pages were taken before, %u after\n", taken[BEFORE],
		      taken[AFTER]);
	igt_assert_eq(when, AFTER);
	igt_assert_lte(n, taken[ASLEEP]);
}

/**
 * SUBTEST: notified-asleep
 * Description: a thread of the kernel takes pages that the GPU has mapped from a process while devices are suspended
 */
static void test_notified_asleep(void)
{
	const size_t half = 64 * SZ_4K;
	uint64_t found_before, found;
	unsigned int after;
	bool counted;
	struct svm svm;
	double t;
	char *p;

	igt_require_f(access(TRACEFS "events/vmscan", F_OK) == 0, "the kernel does not trace\n");
	svm_open(&svm);
	svm_swap_on(64 * SZ_1M);
	p = svm_alloc(SZ_2M, PAGES_4K);
	svm_cpu_write_pages(p, 128, 0x1000);
	svm_migrate_on_fault(false);
	svm_gpu_write_pages(&svm, p, 64, 0x2000);
	svm_gpu_write_pages(&svm, p + half, 64, 0x2100);
	igt_assert_eq_u64(svm_count_pages(p, 2 * half, PAGE_IN_RAM), 128);

	/* How long does it take to suspend devices and to resume them? The first should take less than twice that. */
	write_number(PM_TEST_DELAY, 0);
	t = seconds();
	go_to_sleep("deep", "devices");
	t = seconds() - t;
	after = 2 * (unsigned int)t + 5;
	igt_info("%.1f s, so pages are taken after %u\n", t, after);
	/* Once more, for all has to be mapped. */
	svm_gpu_write_pages(&svm, p, 64, 0x2000);
	svm_gpu_write_pages(&svm, p + half, 64, 0x2100);
	igt_assert_eq_u64(svm_count_pages(p, 2 * half, PAGE_IN_RAM), 128);

	write_number(PM_TEST_DELAY, after);
	trace_sleep(true);
	counted = svm_driver_counter("invalidates", &found_before);
	take_pages(p, 2 * half, after);
	go_to_sleep("deep", "devices");
	if (counted)
		igt_assert(svm_driver_counter("invalidates", &found));
	take_no_more();
	trace_sleep(false);
	write_number(PM_TEST_DELAY, 1);
	expect_taken_asleep(128);
	igt_assert_eq_u64(svm_count_pages(p, 2 * half, PAGE_SWAPPED), 128);

	/* Whose pages does the GPU have now? What it reads first, before it destroys what is not ours. */
	svm_cpu_write_pages(p, 64, 0x3000);
	svm_gpu_check_pages(&svm, p, 64, 0x3000);
	svm_gpu_write_pages(&svm, p + half, 64, 0x3100);
	svm_cpu_check_pages(p + half, 64, 0x3100, false);
	svm_gpu_write_pages(&svm, p, 64, 0x4000);
	svm_cpu_check_pages(p, 64, 0x4000, false);
	/* Who notified found nothing to clear, and left the sleeping device alone. */
	if (counted)
		igt_assert_eq_u64(found - found_before, 0);
	svm_migrate_on_fault(true);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	svm_swap_off();
}

/* Of ranges without leaves the driver keeps 2048. Those that it collects first have page tables of their own. */
enum { APART = 32, RANGES = APART + 2048 };

static char *nth_range(char *p, uint32_t i)
{
	return i < APART ? p + i * SZ_2M : p + APART * SZ_2M + (i - APART) * SZ_4K;
}

/**
 * SUBTEST: collected-asleep
 * Description: as notified-asleep, from more ranges than the driver keeps while the GPU has nothing of them mapped: their
 *	page tables are given back when the device is awake
 */
static void test_collected_asleep(void)
{
	const size_t len = APART * SZ_2M + (RANGES - APART) * SZ_4K;
	unsigned int after;
	struct svm svm;
	uint32_t i;
	double t;
	char *p;

	igt_require_f(access(TRACEFS "events/vmscan", F_OK) == 0, "the kernel does not trace\n");
	svm_open(&svm);
	svm_swap_on(64 * SZ_1M);
	p = mmap(NULL, len + SZ_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	igt_assert(p != MAP_FAILED);
	igt_assert_eq(madvise(p, len + SZ_2M, MADV_NOHUGEPAGE), 0);
	p += SZ_2M - (uintptr_t)p % SZ_2M;
	svm_migrate_on_fault(false);

	/* As in notified-asleep. */
	write_number(PM_TEST_DELAY, 0);
	t = seconds();
	go_to_sleep("deep", "devices");
	after = 4 * (unsigned int)(seconds() - t) + 10;
	for (i = 0; i < RANGES; i++) {
		svm_cpu_write_pages(nth_range(p, i), 1, 0x1000 + i);
		igt_assert_eq(nv_svm_bind(&svm.dev, nth_range(p, i), SZ_4K, false, NULL), 0);
	}
	igt_assert(svm_driver_range(p));

	write_number(PM_TEST_DELAY, after);
	trace_sleep(true);
	take_pages(p, len, after);
	go_to_sleep("deep", "devices");
	take_no_more();
	trace_sleep(false);
	write_number(PM_TEST_DELAY, 1);
	expect_taken_asleep(RANGES - APART / 2);

	for (i = 0; i < RANGES; i += i < APART ? 1 : 50) {
		igt_assert_eq_u32(svm_gpu_read(&svm, nth_range(p, i)), 0x1000 + i);
		svm_gpu_write(&svm, nth_range(p, i), 0x2000 + i);
		igt_assert_eq_u32(*(volatile uint32_t *)nth_range(p, i), 0x2000 + i);
	}
	svm_migrate_on_fault(true);
	svm_close(&svm);
	munmap(p, len);
	svm_swap_off();
}

/**
 * SUBTEST: exclusive
 * Description: devices are suspended while the GPU has pages of RAM for itself: its atomics go on, and it sees what the
 *   CPU writes
 */
static void test_exclusive(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	volatile uint32_t *second = (volatile uint32_t *)(p + SZ_4K);
	/* Keeps those around it from moving. */
	int pin = svm_pin(p + 5 * SZ_4K, SZ_4K);
	uint64_t before, after;
	struct svm svm;
	bool counted;
	uint32_t i;

	svm_open(&svm);
	svm_cpu_write_pages(p, 16, 0x100);
	counted = svm_driver_counter("exclusive_pages", &before);
	for (i = 0; i < 4; i++)
		svm_gpu_add(&svm, p + i * SZ_4K, 3, 32);
	if (counted) {
		igt_assert(svm_driver_counter("exclusive_pages", &after));
		igt_assert_eq_u64(after - before, 4);
	}

	go_to_sleep("deep", "devices");

	svm_gpu_add(&svm, p, 1, 32);
	igt_assert_eq_u32(svm_gpu_read(&svm, p + SZ_4K), 0x101 + 3 * 32);
	*second = 0x900;
	igt_assert_eq_u32(svm_gpu_read(&svm, p + SZ_4K), 0x900);
	svm_gpu_add(&svm, p + SZ_4K, 1, 32);
	igt_assert_eq_u32(*second, 0x900 + 32);
	igt_assert_eq_u32(*(volatile uint32_t *)p, 0x100 + 4 * 32);
	svm_gpu_add(&svm, p + 2 * SZ_4K, 1, 32);
	svm_gpu_check_pages(&svm, p + 2 * SZ_4K, 1, 0x102 + 4 * 32);
	svm_cpu_check_pages(p + 3 * SZ_4K, 1, 0x103 + 3 * 32, false);
	close(pin);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

int igt_main()
{
	igt_describe("Suspend is refused");
	igt_subtest("refused")
		test_refused();
	igt_describe("The channel for copies is being replaced");
	igt_subtest("replacing")
		test_replacing();
	igt_describe("A fault that nobody answers");
	igt_subtest("unanswered")
		test_unanswered();
	igt_describe("A fault on a file that nobody answers for");
	igt_subtest("unanswered-file")
		test_unanswered_file();
	igt_describe("SVM_BIND that nobody answers");
	igt_subtest("binding")
		test_binding();
	igt_describe("Devices suspended under a kernel's feet");
	igt_subtest("working")
		test_working();
	igt_describe("A kernel that takes too long to be waited for");
	igt_subtest("working-long")
		test_working_long();
	igt_describe("The machine goes down with processes at work");
	igt_subtest("going-down")
		test_going_down();
	igt_describe("Devices suspended and resumed");
	igt_subtest("devices-4k")
		test_sleep("deep", "devices", PAGES_4K);
	igt_describe("Devices suspended with pages that the GPU has for itself");
	igt_subtest("exclusive")
		test_exclusive();
	igt_describe("Pages taken away meanwhile");
	igt_subtest("notified-asleep")
		test_notified_asleep();
	igt_describe("Page tables not given back meanwhile");
	igt_subtest("collected-asleep")
		test_collected_asleep();
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
