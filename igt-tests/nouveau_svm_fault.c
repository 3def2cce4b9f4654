// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm fault
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: faults that cannot be resolved, and atomics
 * Description: what the GPU may not have kills its channel, with a reason recorded, and nobody else's
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "igt.h"
#include "gpu_model.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("What the GPU may not have kills its channel, with a reason recorded, and nobody else's.");

#define NR (SZ_2M / SZ_4K)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

/* The access kills the channel of @bad, is recorded and told with @error, and leaves @good alone. */
static void expect_killed(struct svm *bad, struct svm *good, const struct nv_kernel *kernel, void *at, int error)
{
	bool writes = kernel != &bad->read;
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	uint64_t before = 0, after;
	char where[64], name[32], number[32];
	int record;

	svm_cpu_write_pages(p, 8, 0x10);
	svm_gpu_check_pages(good, p, 8, 0x10);
	/* The kernel's log has no more than ten of such lines within five seconds. */
	usleep(600000);
	svm_log_start();
	svm_driver_counter("cancels", &before);
	igt_assert_eq(svm_gpu_try(bad, kernel, writes ? (uintptr_t)at : bad->out.va, writes ? 0 : (uintptr_t)at, 1),
		      -ENODEV);
	igt_assert(!nv_chan_alive(&bad->chan));
	igt_assert(nv_chan_alive(&good->chan));
	svm_gpu_write_pages(good, p, 8, 0x20);
	svm_cpu_check_pages(p, 8, 0x20, false);
	svm_free(p, SZ_2M);
	/* Linux 7.3's own code records nothing. */
	if (svm_driver_counter("cancels", &after)) {
		record = svm_fault_record(at);
		igt_assert_f(record == error, "recorded error %d, expected %d\n", record, error);
		igt_assert_eq_u64(after - before, 1);
		snprintf(where, sizeof(where), "svm: fault at %016" PRIxPTR " cancelled: ",
			 (uintptr_t)at & ~(SZ_4K - 1));
		igt_assert_eq((int)svm_log_lines("svm: fault at ", NULL), 1);
		/* A kernel without CONFIG_SYMBOLIC_ERRNAME has the number. */
		snprintf(name, sizeof(name), ": -%s\n", strerrorname_np(-error));
		snprintf(number, sizeof(number), ": %d\n", error);
		igt_assert_f(svm_log_lines(where, name) + svm_log_lines(where, number) == 1,
			     "the kernel's log has no line \"%s...%s\"\n", where, name);
	}
}

static void *map_kind(const char *kind, int *fd)
{
	const char *nr = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
	bool hugetlb = !strcmp(kind, "hugetlb"), file = !strcmp(kind, "file");
	char *p;

	*fd = -1;
	if (hugetlb) {
		int h = open(nr, O_WRONLY | O_CLOEXEC);

		igt_assert_fd(h);
		igt_assert_eq((int)write(h, "4", 1), 1);
		close(h);
	}
	if (file) {
		char name[] = "/tmp/nvsvm.XXXXXX";

		*fd = mkstemp(name);
		igt_assert_fd(*fd);
		unlink(name);
		igt_assert_eq(ftruncate(*fd, SZ_2M), 0);
	}
	p = mmap(NULL, SZ_2M, PROT_READ | PROT_WRITE,
		 (hugetlb || !strcmp(kind, "read-only") ? MAP_PRIVATE : MAP_SHARED) | (file ? 0 : MAP_ANONYMOUS) |
			 (hugetlb ? MAP_HUGETLB : 0), *fd, 0);
	igt_assert_f(p != MAP_FAILED, "mmap: %s\n", strerror(errno));
	svm_cpu_write_pages(p, NR, 0x100);
	if (!strcmp(kind, "read-only"))
		igt_assert_eq(mprotect(p, SZ_2M, PROT_READ), 0);
	return p;
}

/**
 * SUBTEST: atomic-%s
 * Description: an atomic on %arg[1] memory cannot be: its fault is cancelled and the reason recorded
 *
 * arg[1]:
 *
 * @file: a file's
 * @shmem: shared anonymous
 * @hugetlb: hugetlbfs's
 * @read-only: read-only
 */
static void test_atomic_refused(struct svm *bad, struct svm *good, const char *kind)
{
	int fd;
	char *p = map_kind(kind, &fd);

	/* What is mapped already makes no difference. */
	svm_gpu_check_pages(bad, p, 8, 0x100);
	expect_killed(bad, good, &bad->add, p + 3 * SZ_4K, -EACCES);
	svm_cpu_check_pages(p, NR, 0x100, true);
	munmap(p, SZ_2M);
	if (fd >= 0)
		close(fd);
	if (!strcmp(kind, "hugetlb")) {
		int h = open("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", O_WRONLY | O_CLOEXEC);

		igt_assert_eq((int)write(h, "0", 1), 1);
		close(h);
	}
}

/**
 * SUBTEST: %s-nothing
 * Description: the GPU %arg[1] where nothing is mapped
 *
 * arg[1]:
 *
 * @read: reads
 * @write: writes
 * @atomic: adds
 */
static void test_nothing(struct svm *bad, struct svm *good, const struct nv_kernel *kernel)
{
	/* Far from where mmap() puts things. */
	char *p = (char *)(1ull << 45);
	unsigned char there;

	igt_assert(mincore(p + SZ_1M, SZ_4K, &there) == -1 && errno == ENOMEM);
	expect_killed(bad, good, kernel, p + SZ_1M, -EFAULT);
}

/**
 * SUBTEST: prot-none
 * Description: a read of memory without any right
 */
static void test_prot_none(struct svm *bad, struct svm *good)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_cpu_write_pages(p, NR, 0x200);
	svm_gpu_check_pages(bad, p, 16, 0x200);
	igt_assert_eq(mprotect(p, SZ_2M, PROT_NONE), 0);
	/* To mm, memory without any right is as good as none. */
	expect_killed(bad, good, &bad->read, p + 5 * SZ_4K, -EFAULT);
	igt_assert_eq(mprotect(p, SZ_2M, PROT_READ | PROT_WRITE), 0);
	svm_cpu_check_pages(p, NR, 0x200, true);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: beyond-file
 * Description: a file becomes shorter than its mapping: what is left can be used, what is beyond cannot
 */
static void test_beyond_file(struct svm *bad, struct svm *good)
{
	int fd;
	char *p = map_kind("file", &fd);

	svm_gpu_check_pages(bad, p, NR, 0x100);
	igt_assert_eq(ftruncate(fd, SZ_64K), 0);
	svm_gpu_check_pages(bad, p, 16, 0x100);
	expect_killed(bad, good, &bad->read, p + SZ_64K + SZ_4K, -EFAULT);
	munmap(p, SZ_2M);
	close(fd);
}

/**
 * SUBTEST: guard-page
 * Description: a guard page (MADV_GUARD_INSTALL) in memory that the GPU works on stops it too
 */
static void test_guard(struct svm *bad, struct svm *good)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_cpu_write_pages(p, NR, 0x300);
	svm_gpu_check_pages(bad, p, NR, 0x300);
	igt_require_f(madvise(p + 20 * SZ_4K, SZ_4K, MADV_GUARD_INSTALL) == 0, "MADV_GUARD_INSTALL: %s\n",
		      strerror(errno));
	svm_gpu_check_pages(bad, p, 16, 0x300);
	expect_killed(bad, good, &bad->write, p + 20 * SZ_4K, -EFAULT);
	igt_assert_eq(madvise(p + 20 * SZ_4K, SZ_4K, MADV_GUARD_REMOVE), 0);
	svm_cpu_check_pages(p, 16, 0x300, true);
	svm_free(p, SZ_2M);
}

static void be_told(int sig)
{
}

/**
 * SUBTEST: poisoned-page-%s
 * Description: a page whose memory is bad (MADV_HWPOISON), %arg[1], stops the GPU where it stops the CPU; its neighbours do
 *	not, and can move
 *
 * arg[1]:
 *
 * @ram: in RAM
 * @vram: in VRAM when that happens, from where it comes back to be bad
 */
static void test_poisoned(struct svm *bad, struct svm *good, bool vram)
{
	const struct sigaction told = { .sa_handler = be_told };
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct sigaction before;

	/* madvise() itself raises it. */
	igt_assert_eq(sigaction(SIGBUS, &told, &before), 0);
	svm_migrate_on_fault(vram);
	svm_cpu_write_pages(p, NR, 0x700);
	svm_gpu_check_pages(bad, p, NR, 0x700);
	igt_require_f(madvise(p + 64 * SZ_4K, SZ_4K, MADV_HWPOISON) == 0, "MADV_HWPOISON: %s\n", strerror(errno));
	igt_assert_eq(sigaction(SIGBUS, &before, NULL), 0);
	svm_gpu_check_pages(bad, p, 64, 0x700);
	svm_gpu_write_pages(bad, p + 65 * SZ_4K, 15, 0x800 + 65);
	svm_gpu_write_pages(bad, p + 128 * SZ_4K, NR - 128, 0x800 + 128);
	expect_killed(bad, good, &bad->write, p + 64 * SZ_4K, -EFAULT);
	svm_bind_vram_some(good, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, 64 * SZ_4K, PAGE_IN_VRAM), 64);
	igt_assert_eq_u64(svm_count_pages(p + 65 * SZ_4K, SZ_2M - 65 * SZ_4K, PAGE_IN_VRAM), NR - 65);
	svm_gpu_check_pages(good, p + 65 * SZ_4K, 15, 0x800 + 65);
	svm_cpu_check_pages(p, 64, 0x700, false);
	svm_cpu_check_pages(p + 65 * SZ_4K, 15, 0x800 + 65, false);
	svm_cpu_check_pages(p + 80 * SZ_4K, 48, 0x700 + 80, false);
	svm_cpu_check_pages(p + 128 * SZ_4K, NR - 128, 0x800 + 128, false);
	svm_migrate_on_fault(true);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: address-%s
 * Description: an address that no process has (%arg[1])
 *
 * arg[1]:
 *
 * @zero: 0
 * @top: the last page of user space and beyond
 * @kernel: one of the kernel's
 */
static void test_address(struct svm *bad, struct svm *good, uint64_t addr)
{
	expect_killed(bad, good, &bad->read, (void *)(uintptr_t)addr, -EFAULT);
}

/**
 * SUBTEST: many-at-once
 * Description: 512 threads at once touch a block with a page in it that they must not touch
 */
static void test_many(struct svm *bad, struct svm *good)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	const struct nv_args args = { .dst = bad->out.va, .src = (uintptr_t)p };

	svm_cpu_write_pages(p, NR, 0x400);
	igt_assert_eq(mprotect(p + 333 * SZ_4K, SZ_4K, PROT_NONE), 0);
	svm_gpu_check_pages(good, p, 256, 0x400);
	nv_use(&bad->chan, &bad->out);
	igt_assert_eq(nv_run(&bad->chan, &bad->read_page, NR / NV_THREADS, NV_THREADS, &args, sizeof(args)), -ENODEV);
	svm_gpu_write_pages(good, p, 256, 0x500);
	svm_cpu_check_pages(p, 256, 0x500, false);
	igt_assert_eq(mprotect(p + 333 * SZ_4K, SZ_4K, PROT_READ | PROT_WRITE), 0);
	svm_cpu_check_pages(p + 333 * SZ_4K, 1, 0x400 + 333, true);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: atomic-exclusive-%s
 * Description: VRAM is full: an atomic makes its page (%arg[1]) the GPU's alone, until the CPU wants it
 *
 * arg[1]:
 *
 * @4k: 4 KiB
 * @thp: of a huge page
 */
static void test_exclusive(struct svm *svm, enum page_kind kind)
{
	uint32_t *p = svm_alloc(SZ_2M, kind), i;
	uint64_t before = 0, after = 0;
	struct svm_vram fill;
	bool counted;

	svm_cpu_write_pages(p, NR, 0x600);
	svm_gpu_check_pages(svm, p, 32, 0x600);
	igt_assert_eq(nv_svm_bind(&svm->dev, p, SZ_2M, false, NULL), 0);
	svm_vram_fill(svm, &fill);
	counted = svm_driver_counter("exclusive_pages", &before);
	for (i = 0; i < 8; i++) {
		svm_gpu_add(svm, &p[7 * SZ_4K / 4 + 3], 5, 64);
		igt_assert_eq_u32(p[7 * SZ_4K / 4 + 3], (i + 1) * 5 * 64);
		p[7 * SZ_4K / 4 + 2]++;
	}
	igt_assert_eq_u32(p[7 * SZ_4K / 4 + 2], 8);
	/* The rest of the block is as it was, for both. */
	svm_gpu_check_pages(svm, p, 256, 0x600);
	svm_cpu_check_pages(p, NR, 0x600, true);
	if (counted) {
		igt_assert(svm_driver_counter("exclusive_pages", &after));
		igt_assert_lte_u64(before + 1, after);
	}
	svm_vram_release(&fill);
	/* With room again it moves to VRAM and still counts. */
	usleep(1100000);
	svm_gpu_add(svm, &p[7 * SZ_4K / 4 + 3], 1, 32);
	igt_assert_eq_u32(p[7 * SZ_4K / 4 + 3], 8 * 5 * 64 + 32);
	svm_free(p, SZ_2M);
}

struct adder {
	uint32_t *p;
	uint32_t n;
};

static void *adder_main(void *arg)
{
	struct adder *a = arg;
	uint32_t i;

	for (i = 0; i < a->n; i++)
		__atomic_fetch_add(a->p, 1, __ATOMIC_RELAXED);
	return NULL;
}

/**
 * SUBTEST: atomic-both-%s
 * Description: CPU and GPU add to the same word at the same time (%arg[1]): nothing is lost
 *
 * arg[1]:
 *
 * @vram: VRAM has room
 * @full: VRAM is full
 */
static void test_both(struct svm *svm, bool full)
{
	uint32_t *p = svm_alloc(SZ_2M, PAGES_4K), i;
	struct adder a = { .p = &p[16], .n = 2000 };
	struct svm_vram fill = { 0 };
	pthread_t thread;

	if (full)
		svm_vram_fill(svm, &fill);
	for (i = 0; i < 4; i++) {
		igt_assert_eq(pthread_create(&thread, NULL, adder_main, &a), 0);
		svm_gpu_add(svm, &p[16], 1, 512);
		svm_gpu_add(svm, &p[16], 1, 512);
		pthread_join(thread, NULL);
		igt_assert_eq_u32(p[16], (i + 1) * (2000 + 1024));
	}
	if (full)
		svm_vram_release(&fill);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: atomic-pinned
 * Description: an atomic on a page that is pinned in RAM: the page stays, nothing is lost
 */
static void test_atomic_pinned(struct svm *svm)
{
	uint32_t *p = svm_alloc(SZ_2M, PAGES_4K);
	int pin = svm_pin(p, SZ_4K);
	uint64_t pfn = svm_page_pfn(p);

	p[9] = 100;
	svm_gpu_add(svm, &p[9], 2, 64);
	igt_assert_eq_u32(p[9], 100 + 128);
	igt_assert_eq_u64(svm_page_pfn(p), pfn);
	close(pin);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: atomic-mixed
 * Description: atomics on pages of RAM, one after the other, of a range of which the rest is in VRAM
 */
static void test_atomic_mixed(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	uint64_t before, after;
	struct svm other;
	uint32_t i;
	int pin;

	svm_cpu_write_pages(p, NR, 0x100);
	/* Keeps its piece of 64 KiB in RAM. */
	pin = svm_pin(p + 5 * SZ_4K, SZ_4K);
	svm_bind_vram_some(svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR - 16);
	igt_assert(svm_driver_counter("exclusive_pages", &before));
	for (i = 0; i < 20; i++)
		svm_gpu_add(svm, p + i * SZ_4K, 3, 32);
	/* Those in RAM are the GPU's alone, all at once. */
	igt_assert(svm_driver_counter("exclusive_pages", &after));
	igt_assert_eq_u64(after - before, 16);
	for (i = 0; i < NR; i++)
		igt_assert_eq_u32(*(volatile uint32_t *)(p + i * SZ_4K), 0x100 + i + (i < 20 ? 96 : 0));
	/* The first fault of an address space is on a page in VRAM: that stays there. */
	svm_migrate_on_fault(false);
	svm_bind_vram_some(svm, p, SZ_2M);
	svm_open(&other);
	svm_gpu_add(&other, p + 100 * SZ_4K, 5, 32);
	svm_close(&other);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR - 16);
	igt_assert(svm_driver_counter("exclusive_pages", &before));
	igt_assert_eq_u64(before, after);
	igt_assert_eq_u32(*(volatile uint32_t *)(p + 100 * SZ_4K), 0x100 + 100 + 160);
	svm_migrate_on_fault(true);
	close(pin);
	svm_free(p, SZ_2M);
}

struct protector {
	int fd, err;
	char *p;
	/* how long after it was lifted it protects the page again, once; -1: not at all */
	int again_us;
	uint32_t lifted;
	bool stop;
};

static int protect(struct protector *w, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)w->p, SZ_4K },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(w->fd, UFFDIO_WRITEPROTECT, &wp);
}

/* Lifts the protection for who waits for that. */
static void *protector_main(void *arg)
{
	struct protector *w = arg;
	struct uffd_msg msg;
	uint64_t until;
	int us;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		struct pollfd pfd = { .fd = w->fd, .events = POLLIN };

		if (poll(&pfd, 1, 20) <= 0 || read(w->fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		us = __atomic_exchange_n(&w->again_us, -1, __ATOMIC_ACQ_REL);
		until = svm_now_us() + (us > 0 ? us : 0);
		w->err |= protect(w, false);
		w->lifted++;
		while (us >= 0 && svm_now_us() < until)
			;
		if (us >= 0)
			w->err |= protect(w, true);
	}
	return NULL;
}

/**
 * SUBTEST: atomic-write-protected
 * Description: VRAM is full, and a page is write-protected by userfaultfd again and again while the
 *	GPU adds to it: each addition waits for its process, and none is refused
 */
static void test_write_protected(struct svm *svm)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	uint32_t *p = svm_alloc(SZ_2M, PAGES_4K), i;
	struct uffdio_register reg = {
		.range = { (uintptr_t)p, SZ_2M },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct protector w = { .p = (char *)p, .again_us = -1 };
	uint64_t before, after, end;
	struct svm_vram fill;
	pthread_t thread;
	int err = 0;

	w.fd = (int)syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	igt_require_f(w.fd >= 0, "userfaultfd: %s\n", strerror(errno));
	igt_require_f(!ioctl(w.fd, UFFDIO_API, &api), "no write protection: %s\n", strerror(errno));
	igt_assert_eq(ioctl(w.fd, UFFDIO_REGISTER, &reg), 0);
	svm_vram_fill(svm, &fill);
	igt_require(svm_driver_counter("cancels", &before));
	igt_assert_eq(pthread_create(&thread, NULL, protector_main, &w), 0);
	/* One delay or the other is that between the driver's two looks at the page. */
	end = svm_now_us() + 15 * 1000000;
	for (i = 0; i < 120 && !err && svm_now_us() < end; i++) {
		const struct nv_args args = { .dst = (uintptr_t)&p[16], .value = 1 };

		__atomic_store_n(&w.again_us, (int)i * 15, __ATOMIC_RELEASE);
		igt_assert_eq(protect(&w, true), 0);
		err = nv_run(&svm->chan, &svm->add_same, 1, 32, &args, sizeof(args));
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	igt_assert_eq(pthread_join(thread, NULL), 0);
	close(w.fd);
	svm_vram_release(&fill);
	igt_info("lifted %u times in %u rounds\n", w.lifted, i);
	igt_assert_f(!err, "round %u: %s\n", i, strerror(-err));
	igt_assert_eq(w.err, 0);
	igt_assert(svm_driver_counter("cancels", &after));
	igt_assert_eq_u64(after, before);
	igt_assert_eq_u32(p[16], i * 32);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: foreign-entry
 * Description: an entry of another instance is written beside each fault: it is dropped, ours are served
 */
static void test_foreign(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, NR, 0x700);
	svm_inject(&(struct gpu_model_inject){ .point = "fault_foreign", .count = 20, .arg = 0x12345 });
	svm_gpu_check_pages(svm, p, NR, 0x700);
	svm_gpu_write_pages(svm, p, NR, 0x800);
	igt_assert_lte_u64(1, svm_injected("fault_foreign"));
	svm_cpu_check_pages(p, NR, 0x800, false);
	svm_migrate_on_fault(true);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: foreign-entry-plain
 * Description: the instance of an entry is that of a channel without SVM, for it lies where one lay that is gone: it lives
 */
static void test_foreign_plain(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm plain = { 0 };

	igt_assert_eq(nv_dev_init(&plain.dev, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(nv_chan_new(&plain.dev, NV_ENGINE_GR, &plain.chan), 0);
	svm_migrate_on_fault(false);
	svm_cpu_write_pages(p, NR, 0x700);
	svm_inject(&(struct gpu_model_inject){ .point = "fault_foreign", .count = 2, .arg = svm_chan_inst(&plain) });
	svm_gpu_check_pages(svm, p, NR, 0x700);
	igt_assert_lte_u64(1, svm_injected("fault_foreign"));
	svm_gpu_write_pages(svm, p, NR, 0x800);
	igt_assert(nv_chan_alive(&plain.chan));
	igt_assert(nv_chan_alive(&svm->chan));
	svm_migrate_on_fault(true);
	nv_chan_del(&plain.chan);
	nv_dev_close(&plain.dev);
	svm_free(p, SZ_2M);
}

/* Waits until a counter of the driver's has come to @value. */
static bool counter_comes_to(const char *name, uint64_t value)
{
	uint64_t now = 0;
	int tries;

	for (tries = 0; tries < 300; tries++) {
		igt_assert(svm_driver_counter(name, &now));
		if (now >= value)
			return true;
		usleep(100000);
	}
	return false;
}

/*
 * The GPU reads the page at @p, and its fault comes twice, the second time in an entry that is not valid until the page is
 * not to be had any more, and the channel is another if @reused. Return: false if the entry was valid too soon or too
 * late: the driver waits for one for 400 ms or more.
 */
static bool stale_fault(struct svm *bad, char *p, bool reused)
{
	uint64_t faults, gone, after, late = svm_injected("fault_late_valid"), inst = svm_chan_inst(bad);

	igt_assert_eq(mprotect(p, SZ_4K, PROT_READ | PROT_WRITE), 0);
	svm_cpu_write_pages(p, 1, 0x700);
	igt_assert(svm_driver_counter("faults", &faults));
	svm_inject(&(struct gpu_model_inject){ .point = "fault_dup", .nth = 1 });
	svm_inject(&(struct gpu_model_inject){ .point = "fault_late_valid", .nth = 2, .delay_us = 380000 });
	igt_assert_eq_u32(svm_gpu_read(bad, p), 0x700);
	igt_assert_eq(mprotect(p, SZ_4K, PROT_NONE), 0);
	if (reused) {
		nv_chan_del(&bad->chan);
		igt_assert_eq(nv_chan_new(&bad->dev, NV_ENGINE_GR, &bad->chan), 0);
		igt_assert_eq_u64(svm_chan_inst(bad), inst);
	}
	igt_assert(svm_driver_counter("faults", &gone));
	usleep(1500000);
	igt_assert_eq_u64(svm_injected("fault_late_valid"), late + 1);
	igt_assert(svm_driver_counter("faults", &after));
	igt_assert(nv_chan_alive(&bad->chan));
	return gone == faults + 1 && after == gone + 1;
}

/**
 * SUBTEST: stale-entry
 * Description: an entry becomes valid when its fault was served and its page cannot be had any more: nobody waits for it
 *
 * SUBTEST: stale-entry-reused
 * Description: the same, and the channel has gone too, another one lies where it lay: that one lives
 */
static void test_stale(struct svm *bad, bool reused)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	bool stale = false;
	uint32_t i;

	svm_migrate_on_fault(false);
	for (i = 0; i < 12 && !stale; i++) {
		stale = stale_fault(bad, p + i * SZ_64K, reused);
		if (reused) {
			svm_close(bad);
			svm_open(bad);
		}
	}
	svm_migrate_on_fault(true);
	svm_free(p, SZ_2M);
	igt_require_f(stale, "no entry came when its page had gone\n");
}

/*
 * Three entries of one fault: from the first on whoever waits is served, and the others lie there until then. Return:
 * false if one of them was valid too soon or too late.
 */
static bool stale_entries(struct svm *bad, char *p, bool spurious)
{
	uint64_t late = svm_injected("fault_late_valid"), faults, now, before, after;

	igt_assert_eq(mprotect(p, SZ_4K, PROT_READ | PROT_WRITE), 0);
	igt_assert_eq(madvise(p, SZ_4K, MADV_DONTNEED), 0);
	svm_cpu_write_pages(p, 1, 0x700);
	igt_require(svm_driver_counter("stale", &before));
	igt_assert(svm_driver_counter("faults", &faults));
	svm_inject(&(struct gpu_model_inject){ .point = "fault_foreign", .nth = 1, .arg = svm_chan_inst(bad) });
	svm_inject(&(struct gpu_model_inject){ .point = "fault_dup", .nth = 1 });
	svm_inject(&(struct gpu_model_inject){
		.point = "fault_late_valid", .nth = 2, .count = 2, .delay_us = 250000, .arg = 250000 });
	igt_assert_eq_u32(svm_gpu_read(bad, p), 0x700);
	for (now = 0; spurious && now < faults + 2; usleep(10000))
		igt_assert(svm_driver_counter("faults", &now));
	igt_assert_eq(mprotect(p, SZ_4K, PROT_NONE), 0);
	igt_assert(svm_driver_counter("stale", &before));
	usleep(1500000);
	igt_assert_eq_u64(svm_injected("fault_late_valid"), late + 2);
	igt_assert(nv_chan_alive(&bad->chan));
	igt_assert(svm_driver_counter("stale", &after));
	igt_info("%" PRIu64 " entries were stale when the page had gone\n", after - before);
	return after == before + (spurious ? 1 : 2);
}

/**
 * SUBTEST: stale-entries
 * Description: two entries of a fault that was served become valid one after the other, and its page cannot be had
 *
 * SUBTEST: stale-after-spurious
 * Description: the same, and it can be had when the first does
 */
static void test_stale_entries(struct svm *bad, bool spurious)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	bool stale = false;
	uint32_t i;

	svm_migrate_on_fault(false);
	for (i = 0; i < 12 && !stale; i++)
		stale = stale_entries(bad, p, spurious);
	igt_assert_f(stale, "no entries came when their page had gone\n");

	igt_assert_eq(mprotect(p, SZ_4K, PROT_READ | PROT_WRITE), 0);
	igt_assert_eq_u32(svm_gpu_read(bad, p), 0x700);
	svm_migrate_on_fault(true);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: entry-never-valid
 * Description: the only entry is not valid for longer than the driver waits: who waits for its page is served
 */
static void test_never_valid(struct svm *svm)
{
	uint64_t late = svm_injected("fault_late_valid");
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_cpu_write_pages(p, 2, 0x740);
	svm_log_start();
	svm_inject(&(struct gpu_model_inject){ .point = "fault_late_valid", .nth = 1, .delay_us = 8000000 });
	igt_assert_eq_u32(svm_gpu_read(svm, p), 0x740);
	igt_assert_eq_u64(svm_injected("fault_late_valid"), late + 1);
	igt_assert_eq(svm_log_lines("fault entry", "is not valid"), 1);
	igt_assert_eq_u32(svm_gpu_read(svm, p + SZ_4K), 0x741);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: channel-gone
 * Description: a channel goes while its faults are in service, the next one lies where it lay: that is not cancelled
 */
static void test_channel_gone(struct svm *bad, struct svm *good)
{
	char *p = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct nv_args args = { .dst = bad->out.va, .src = (uintptr_t)p };
	uint64_t batches, before, cancels, inst = svm_chan_inst(bad);
	char *q = svm_alloc(SZ_2M, PAGES_4K);
	struct svm_slow slow, last;

	igt_assert(p != MAP_FAILED);
	igt_require(svm_driver_counter("cancels", &before));
	svm_migrate_on_fault(false);
	/*
	 * Of four pages three are not to be had and the last takes its time: they are replayed, once. Then the first
	 * kills the channel, the second takes its time, and the third is not to be had still.
	 */
	igt_assert_eq(mprotect(p, 3 * SZ_4K, PROT_NONE), 0);
	svm_slow_begin(&last, p + 3 * SZ_4K, SZ_4K);
	igt_assert(svm_driver_counter("batches", &batches));
	nv_use(&bad->chan, &bad->out);
	igt_assert_eq(nv_launch(&bad->chan, &bad->read_page, 1, 4, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&bad->chan), 0);
	igt_assert(svm_slow_hit(&last, 30000));
	igt_assert_eq(mprotect(p + SZ_4K, SZ_4K, PROT_READ | PROT_WRITE), 0);
	svm_slow_begin(&slow, p + SZ_4K, SZ_4K);
	svm_slow_end(&last, 0x1233);
	igt_assert(svm_slow_hit(&slow, 30000));
	igt_assert(counter_comes_to("cancels", before + 1));
	igt_assert(!nv_chan_alive(&bad->chan));

	nv_chan_del(&bad->chan);
	igt_assert_eq(nv_chan_new(&bad->dev, NV_ENGINE_GR, &bad->chan), 0);
	igt_assert_eq_u64(svm_chan_inst(bad), inst);
	svm_slow_end(&slow, 0x1234);
	igt_assert(counter_comes_to("batches", batches + 2));
	usleep(500000);
	igt_assert(svm_driver_counter("cancels", &cancels));
	igt_assert_eq(svm_fault_record(p + 2 * SZ_4K), -EFAULT);
	igt_assert(nv_chan_alive(&bad->chan));
	igt_assert_eq_u64(cancels, before + 1);

	svm_cpu_write_pages(q, NR, 0x500);
	svm_gpu_check_pages(good, q, NR, 0x500);
	svm_migrate_on_fault(true);
	munmap(p, SZ_64K);
	svm_free(q, SZ_2M);
}

/**
 * SUBTEST: duplicates-reordered-late
 * Description: entries come twice, in another order and late: what waits already is not queued again, and all data is
 *	right
 */
static void test_unruly(struct svm *svm)
{
	uint64_t dup = svm_injected("fault_dup"), reorder = svm_injected("fault_reorder");
	uint64_t late = svm_injected("fault_late_valid"), before, after;
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	igt_require(svm_driver_counter("duplicates", &before));
	svm_cpu_write_pages(p, NR, 0x900);
	svm_inject(&(struct gpu_model_inject){ .point = "fault_dup", .count = 50 });
	svm_inject(&(struct gpu_model_inject){ .point = "fault_reorder", .count = 50 });
	svm_inject(&(struct gpu_model_inject){ .point = "fault_late_valid", .count = 50, .delay_us = 200 });
	svm_gpu_check_pages(svm, p, NR, 0x900);
	svm_gpu_write_pages(svm, p, NR, 0xa00);
	igt_assert_lt_u64(dup, svm_injected("fault_dup"));
	igt_assert_lt_u64(reorder, svm_injected("fault_reorder"));
	igt_assert_lt_u64(late, svm_injected("fault_late_valid"));
	igt_assert(svm_driver_counter("duplicates", &after));
	igt_info("%" PRIu64 " entries were duplicates\n", after - before);
	igt_assert_lt_u64(before, after);
	svm_cpu_check_pages(p, NR, 0xa00, false);
	svm_free(p, SZ_2M);
}

/* How often the driver may try a page; the model's sanitizer would find more than 64 (fault_storm). */
#define TRIES 60

/**
 * SUBTEST: %s-for-good-%s
 * Description: memory for service of faults %arg[1], and it stays so, for %arg[2]: it is tried TRIES times, and given up
 *
 * arg[1]:
 *
 * @short: runs short
 * @busy: does not hold still
 *
 * arg[2]:
 *
 * @one: one page
 * @many: 32 pages at once
 */
static void test_for_good(struct svm *bad, struct svm *good, bool busy, uint32_t pages)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K), *q = svm_alloc(SZ_2M, PAGES_4K);
	const struct nv_args args = { .dst = bad->out.va, .src = (uintptr_t)p };
	uint64_t before, after;
	uint32_t i, given_up = 0;
	int err;

	svm_cpu_write_pages(p, NR, 0xb00);
	svm_cpu_write_pages(q, NR, 0xb80);
	svm_gpu_check_pages(good, q, 8, 0xb80);
	nv_use(&bad->chan, &bad->out);
	igt_require(svm_driver_counter("batches", &before));
	/* Many more than it may take. What binds a range is asked 32 times for each try. */
	if (busy)
		svm_fail_in("nouveau_svm_range_bind", 10 * TRIES * pages * 32);
	else
		svm_fail_in("nouveau_svm_vm_make_present", 10 * TRIES * pages);
	err = nv_run(&bad->chan, &bad->read_page, 1, pages, &args, sizeof(args));
	svm_fail_in_end();
	igt_assert_eq(err, -ENODEV);
	igt_assert(svm_driver_counter("batches", &after));
	igt_info("%" PRIu64 " batches\n", after - before);
	/* Each of them may come in more than one. */
	igt_assert_lte_u64(after - before, 4 * TRIES);
	for (i = 0; i < pages; i++)
		given_up += svm_fault_record(p + i * SZ_4K) == (busy ? -EBUSY : -ENOMEM);
	igt_assert_lte_u64(1, given_up);
	igt_assert(!nv_chan_alive(&bad->chan));
	igt_assert(nv_chan_alive(&good->chan));
	svm_gpu_write_pages(good, q, 8, 0xbc0);
	svm_cpu_check_pages(q, 8, 0xbc0, false);
	svm_free(p, SZ_2M);
	svm_free(q, SZ_2M);
}

/**
 * SUBTEST: short-for-a-while-%s
 * Description: memory for service of faults runs short for 20 tries of %arg[1]: then all get what they want
 *
 * arg[1]:
 *
 * @one: one page
 * @many: 32 pages at once
 */
static void test_for_a_while(struct svm *svm, uint32_t pages)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	uint64_t before, after, cancels, cancelled;

	svm_cpu_write_pages(p, NR, 0xc00);
	igt_require(svm_driver_counter("batches", &before) && svm_driver_counter("cancels", &cancels));
	svm_fail_in("nouveau_svm_vm_make_present", 20 * pages);
	svm_gpu_check_pages(svm, p, pages, 0xc00);
	svm_fail_in_end();
	igt_assert(svm_driver_counter("batches", &after) && svm_driver_counter("cancels", &cancelled));
	igt_assert_lte_u64(20, after - before);
	igt_assert_eq_u64(cancels, cancelled);
	svm_gpu_write_pages(svm, p, pages, 0xc80);
	svm_cpu_check_pages(p, pages, 0xc80, false);
	svm_free(p, SZ_2M);
}

/* All of a file, whatever is in it. */
static void read_all(FILE *f)
{
	char line[256];

	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		;
	fclose(f);
}

/* A process of others_look() that has been killed, but waits. */
static pid_t left_behind;

/* Another process reads what there is to be read of a client, and opens one. Return: false if it does not come to an end. */
static bool others_look(struct svm *svm)
{
	char path[64];
	int st = -1, i;
	pid_t pid, got = 0;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", getpid(), svm->dev.fd);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		struct nv_dev other;

		read_all(fopen(path, "re"));
		read_all(svm_driver_open());
		/* A channel would have to wait for the engine. */
		if (nv_dev_init(&other, drm_open_driver_render(DRIVER_ANY)) || nv_svm_init(&other))
			_exit(1);
		nv_dev_close(&other);
		_exit(0);
	}
	for (i = 0; i < 600 && !got; i++) {
		got = waitpid(pid, &st, WNOHANG);
		usleep(100000);
	}
	if (!got)
		kill(pid, SIGKILL);
	left_behind = got ? 0 : pid;
	return got == pid && st == 0;
}

/* Wait for the one that did not come to an end, when it can. */
static void others_end(void)
{
	if (left_behind)
		waitpid(left_behind, NULL, 0);
	left_behind = 0;
}

/**
 * SUBTEST: look-while-missing
 * Description: service of a fault waits for a page that a process keeps back: others read debugfs and fdinfo, and come
 */
static void test_look(struct svm *svm)
{
	char *p = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct nv_args args = { .dst = svm->out.va, .src = (uintptr_t)p };
	struct svm_slow slow;
	bool came;

	igt_assert(p != MAP_FAILED);
	svm_slow_begin(&slow, p, SZ_64K);
	nv_use(&svm->chan, &svm->out);
	igt_assert_eq(nv_launch(&svm->chan, &svm->read, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&svm->chan), 0);
	igt_assert(svm_slow_hit(&slow, 30000));
	came = others_look(svm);
	svm_slow_end(&slow, 0xd00);
	igt_assert_eq(nv_wait(&svm->chan, 0), 0);
	igt_assert_eq_u32(*(volatile uint32_t *)svm->out.map, 0xd00);
	others_end();
	igt_assert_f(came, "who only looks does not come to an end\n");
	munmap(p, SZ_64K);
}

static struct svm *submitting;

static void *submit_main(void *arg)
{
	struct drm_nouveau_gem_pushbuf req = {
		.channel = (uint32_t)submitting->chan.id, .nr_push = 1, .push = (uintptr_t)arg,
	};

	return (void *)(intptr_t)ioctl(submitting->dev.fd,
				       DRM_IOWR(DRM_COMMAND_BASE + DRM_NOUVEAU_GEM_PUSHBUF,
						struct drm_nouveau_gem_pushbuf), &req);
}

/**
 * SUBTEST: look-while-submitting
 * Description: an ioctl waits for arguments that its process keeps back: others read debugfs and fdinfo, and come
 */
static void test_look_submitting(struct svm *svm)
{
	char *p = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct svm_slow slow;
	pthread_t thread;
	bool came;

	igt_assert(p != MAP_FAILED);
	svm_slow_begin(&slow, p, SZ_64K);
	submitting = svm;
	igt_assert_eq(pthread_create(&thread, NULL, submit_main, p), 0);
	igt_assert(svm_slow_hit(&slow, 30000));
	came = others_look(svm);
	svm_slow_end(&slow, 0);
	pthread_join(thread, NULL);
	others_end();
	igt_assert_f(came, "who only looks does not come to an end\n");
	munmap(p, SZ_64K);
}

/**
 * SUBTEST: dax-file
 * Description: a file on persistent memory (DAX) is not for the GPU: the fault is cancelled at once, SVM_BIND passes it over
 *
 * Wants a machine with such memory: own-boot.list.
 */
static void test_dax(struct svm *svm, struct svm *other)
{
	const size_t len = 16 * SZ_1M;
	uint64_t begin, moved = 0;
	char *p;
	int fd;

	igt_require_f(system("modprobe -a nd_pmem nd_e820; sleep 1; mkfs.ext4 -q -b 4096 /dev/pmem0 && "
			     "mkdir -p /tmp/dax && mount -o dax=always /dev/pmem0 /tmp/dax") == 0,
		      "there is no persistent memory\n");
	fd = open("/tmp/dax/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	igt_assert_fd(fd);
	igt_assert_eq(posix_fallocate(fd, 0, (off_t)len), 0);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	igt_assert(p != MAP_FAILED);
	svm_cpu_write_pages(p, (uint32_t)(len / SZ_4K), 0x900);
	begin = svm_now_us();
	igt_assert_eq(nv_svm_bind(&svm->dev, p, len, true, &moved), 0);
	igt_assert_eq_u64(moved, 0);
	igt_info("SVM_BIND of %zu MiB took %" PRIu64 " ms\n", len / SZ_1M, (svm_now_us() - begin) / 1000);
	expect_killed(svm, other, &svm->read, p, -EACCES);
	svm_cpu_check_pages(p, (uint32_t)(len / SZ_4K), 0x900, true);
	munmap(p, len);
	close(fd);
	igt_assert_eq(umount("/tmp/dax"), 0);
}

/* Store value to dst, and go on until the word at src is not 0. */
static void asm_store_and_stay(struct sm6x *p)
{
	enum { DST = 0, SRC = 2, VAL = 4 };
	uint32_t top;

	sm6x_init(p);
	sm6x_mov_c(p, DST, 0, offsetof(struct nv_args, dst));
	sm6x_mov_c(p, DST + 1, 0, offsetof(struct nv_args, dst) + 4);
	sm6x_mov_c(p, SRC, 0, offsetof(struct nv_args, src));
	sm6x_mov_c(p, SRC + 1, 0, offsetof(struct nv_args, src) + 4);
	sm6x_mov_c(p, VAL, 0, offsetof(struct nv_args, value));
	sm6x_st(p, SM6X_B32, DST, 0, VAL);
	top = sm6x_size(p);
	sm6x_ld(p, SM6X_B32, VAL, SRC, 0);
	sm6x_isetp(p, 0, SM6X_EQ, VAL, SM6X_RZ);
	p->guard = 0;
	sm6x_bra(p, top);
	p->guard = SM6X_PT;
	sm6x_exit(p);
}

static uint64_t stores_held(void)
{
	struct gpu_model *m = gpu_model_open(0);
	uint64_t n;

	igt_assert(m);
	n = gpu_model_state(m, "late.held");
	gpu_model_close(m);
	return n;
}

/* A kernel that goes on has stored @value to @to, and that is on its way when this returns: for minutes, if nobody asks. */
static void store_late_begin(struct svm *svm, uint32_t *to, uint32_t value)
{
	const struct nv_args args = { .dst = (uintptr_t)to, .src = svm->out.va, .value = value };
	struct nv_kernel kernel;
	struct sm6x p;
	uint32_t i;

	asm_store_and_stay(&p);
	igt_assert_eq(nv_kernel_load(&svm->chan, &p, &kernel), 0);
	*(volatile uint32_t *)svm->out.map = 0;
	svm_inject(&(struct gpu_model_inject){ .point = "store_late", .nth = 1, .addr = (uintptr_t)to, .len = 4,
					       .arg = 1, .delay_us = 300000000 });
	nv_use(&svm->chan, &svm->out);
	igt_assert_eq(nv_launch(&svm->chan, &kernel, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&svm->chan), 0);
	for (i = 0; i < 300 && !stores_held(); i++)
		usleep(100000);
	igt_assert_eq_u64(stores_held(), 1);
}

/* The kernel ends: what it has stored has landed when this returns. */
static void store_late_end(struct svm *svm)
{
	__atomic_store_n((uint32_t *)svm->out.map, 1, __ATOMIC_RELEASE);
	igt_assert_eq(nv_wait(&svm->chan, 0), 0);
	igt_assert_eq_u64(stores_held(), 0);
}

/**
 * SUBTEST: late-store-%s
 * Description: what the GPU has stored to a page of a file is on its way to memory when the page is %arg[1]: it is there
 *	before the call returns, and does not fall on what is written to the file after that
 *
 * arg[1]:
 *
 * @munmap: unmapped
 * @dontneed: given up by MADV_DONTNEED
 */
static void test_late_file(struct svm *svm, bool unmap)
{
	int fd = memfd_create("late-store", MFD_CLOEXEC);
	uint32_t *gpu, *cpu, seen;

	igt_assert_fd(fd);
	igt_assert_eq(ftruncate(fd, SZ_4K), 0);
	gpu = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cpu = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	igt_assert(gpu != MAP_FAILED && cpu != MAP_FAILED);
	svm_gpu_write(svm, gpu, 0x100);
	store_late_begin(svm, gpu, 0x200);
	igt_assert_eq_u32(*(volatile uint32_t *)cpu, 0x100);
	igt_assert_eq(unmap ? munmap(gpu, SZ_4K) : madvise(gpu, SZ_4K, MADV_DONTNEED), 0);
	seen = __atomic_exchange_n(cpu, 0x300, __ATOMIC_SEQ_CST);
	store_late_end(svm);
	igt_assert_eq_u32(*(volatile uint32_t *)cpu, 0x300);
	igt_assert_eq_u32(seen, 0x200);
	if (!unmap)
		igt_assert_eq_u32(svm_gpu_read(svm, gpu), 0x300);
	munmap(cpu, SZ_4K);
	if (!unmap)
		munmap(gpu, SZ_4K);
	close(fd);
}

/**
 * SUBTEST: late-store-to-%s
 * Description: what the GPU has stored is on its way to memory when its page moves to %arg[1]: the copy has it
 *
 * arg[1]:
 *
 * @vram: VRAM, by SVM_BIND
 * @ram: RAM, because the CPU reads it
 */
static void test_late_moved(struct svm *svm, bool vram)
{
	uint32_t *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_migrate_on_fault(false);
	if (!vram)
		svm_bind_vram(svm, p, SZ_4K);
	svm_gpu_write(svm, p, 0x100);
	igt_assert_eq(svm_page_place(p), vram ? PAGE_IN_RAM : PAGE_IN_VRAM);
	store_late_begin(svm, p, 0x200);
	if (vram)
		svm_bind_vram(svm, p, SZ_4K);
	else
		(void)*(volatile uint32_t *)p;
	igt_assert_eq(svm_page_place(p), vram ? PAGE_IN_VRAM : PAGE_IN_RAM);
	store_late_end(svm);
	igt_assert_eq_u32(*(volatile uint32_t *)p, 0x200);
	igt_assert_eq_u32(svm_gpu_read(svm, p), 0x200);
	svm_migrate_on_fault(true);
	svm_free(p, SZ_2M);
}

static struct svm bad, good;

/* A client in a process of its own, which goes on when it is asked, and says a number then. */
static struct {
	int ask[2], say[2];
} neighbour;

#define SLOW_PAGES 16

static void neighbour_says(uint64_t n)
{
	char c;

	igt_assert_eq((int)write(neighbour.say[1], &n, sizeof(n)), (int)sizeof(n));
	igt_assert_eq((int)read(neighbour.ask[0], &c, 1), 1);
}

static uint64_t neighbour_said(void)
{
	uint64_t n = 0;

	igt_assert_eq((int)read(neighbour.say[0], &n, sizeof(n)), (int)sizeof(n));
	return n;
}

static uint64_t neighbour_ask(void)
{
	igt_assert_eq((int)write(neighbour.ask[1], "x", 1), 1);
	return neighbour_said();
}

/* Keeps back the pages at @at, of which it reads (@grid), or is made to seem to. */
static void neighbour_main(char *at, bool grid)
{
	struct nv_args args = { .src = (uintptr_t)at };
	struct svm_slow slow;
	struct svm mine;

	close(neighbour.ask[1]);
	close(neighbour.say[0]);
	close(bad.dev.fd);
	close(good.dev.fd);
	svm_open(&mine);
	/* In place of what it has of its parent's. */
	igt_assert(mmap(at, SLOW_PAGES * SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			0) == at);
	svm_slow_begin(&slow, at, SLOW_PAGES * SZ_4K);
	neighbour_says(svm_chan_inst(&mine));
	if (grid) {
		args.dst = mine.out.va;
		nv_use(&mine.chan, &mine.out);
		igt_assert_eq(nv_launch(&mine.chan, &mine.read_page, 1, SLOW_PAGES, &args, sizeof(args)), 0);
		igt_assert_eq(nv_submit(&mine.chan), 0);
	}
	neighbour_says(svm_slow_hit(&slow, 30000));
	/* Nobody has supplied a page, so whoever asked for one still waits. */
	neighbour_says(svm_count_pages(at, SLOW_PAGES * SZ_4K, PAGE_NOWHERE));
	svm_slow_end(&slow, 0x7700);
	if (grid)
		igt_assert_eq(nv_wait(&mine.chan, 0), 0);
	svm_gpu_check_pages(&mine, at, SLOW_PAGES, 0x7700);
	svm_cpu_check_pages(at, SLOW_PAGES, 0x7700, false);
	svm_close(&mine);
}

/* Address spaces that the driver cannot look at, because a fault of theirs takes long. */
static unsigned int busy_spaces(void)
{
	FILE *f = svm_driver_open();
	unsigned int n = 0;
	char line[256];

	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		n += !strncmp(line, "vm ", 3) && strstr(line, " busy\n");
	fclose(f);
	return n;
}

/* As svm_gpu_check_pages(), for one who does not wait for others. */
static void check_pages_soon(struct svm *svm, const char *p, uint32_t n, uint32_t first)
{
	const struct nv_args args = { .dst = svm->out.va, .src = (uintptr_t)p };
	const volatile uint32_t *out = svm->out.map;
	uint32_t i;

	nv_use(&svm->chan, &svm->out);
	igt_assert_eq(nv_launch(&svm->chan, &svm->read_page, n < NV_THREADS ? 1 : n / NV_THREADS,
				n < NV_THREADS ? n : NV_THREADS, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&svm->chan), 0);
	igt_assert_f(nv_wait(&svm->chan, 60000) == 0, "its faults wait for a page of another process\n");
	for (i = 0; i < n; i++)
		igt_assert_eq_u32(out[i], first + i);
}

/**
 * SUBTEST: slow-fault-alone-%s
 * Description: a fault of one client waits for a page that its process keeps back (userfaultfd): those of another
 *	client, in another process, are served meanwhile. The warp that waits keeps the shader cores, so one
 *	of the two faults is an entry that the model is made to write beside the other's: %arg[1]
 *
 * arg[1]:
 *
 * @entry: the one that waits
 * @grid: the one that is served
 */
static void test_slow_alone(struct svm *svm, bool grid)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K), *at = p + 96 * SZ_4K, text[64];
	struct gpu_model_inject beside = { .point = "fault_foreign", .count = 1, .len = SZ_4K };
	uint64_t before, after;
	uint32_t turn;

	igt_require(svm_driver_counter("cancels", &before));
	igt_assert_eq(pipe(neighbour.ask), 0);
	igt_assert_eq(pipe(neighbour.say), 0);
	svm_migrate_on_fault(false);
	igt_fork(child, 1)
		neighbour_main(at, grid);
	close(neighbour.ask[0]);
	close(neighbour.say[1]);
	svm_cpu_write_pages(p, NR, 0x100);
	/* An entry that is to be served comes behind some that wait. */
	beside.addr = (uintptr_t)at + (grid ? SLOW_PAGES / 2 * SZ_4K : 0);
	beside.arg = neighbour_said();
	if (grid)
		beside.arg = svm_chan_inst(svm);
	svm_inject(&beside);
	if (grid)
		svm_trace_on();
	else
		check_pages_soon(svm, at, 1, 0x100 + 96);
	igt_assert_f(neighbour_ask(), "the fault never asked for its page\n");
	igt_assert_lte_u64(1, svm_injected("fault_foreign"));
	if (grid) {
		snprintf(text, sizeof(text), "addr=%#" PRIx64 " ", beside.addr);
		for (turn = 0; turn < 300 && !svm_traced("nouveau_svm_fault", text, NULL); turn++)
			usleep(100000);
		svm_trace_off();
		igt_assert_eq((int)svm_traced("nouveau_svm_fault", text, "spurious=0 error=0"), 1);
	}
	for (turn = 0; !grid && turn < 4; turn++) {
		igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
		svm_migrate_on_fault(turn & 1);
		svm_cpu_write_pages(p, NR, 0x1000 * turn);
		svm_ledger_start();
		check_pages_soon(svm, p, NR, 0x1000 * turn);
		svm_ledger_stop();
		igt_assert_lt_u64(0, svm_ledger("fault_replayable"));
	}
	igt_assert_eq((int)busy_spaces(), 1);
	igt_assert_eq_u64(neighbour_ask(), SLOW_PAGES);
	igt_assert_eq((int)write(neighbour.ask[1], "x", 1), 1);
	igt_waitchildren();
	igt_assert(svm_driver_counter("cancels", &after));
	igt_assert_eq_u64(after, before);
	if (grid) {
		/* It was served for good. */
		svm_ledger_start();
		svm_gpu_check_pages(svm, p, NR, 0x100);
		svm_ledger_stop();
		igt_assert_eq_u64(svm_ledger("fault_replayable"), 0);
	}
	close(neighbour.ask[1]);
	close(neighbour.say[0]);
	svm_migrate_on_fault(true);
	svm_free(p, SZ_2M);
}

/* Its GPU faults on one page at @at again and again, from when it is asked to until it is asked once more. */
static void storm_neighbour(char *at)
{
	struct pollfd asked = { .fd = neighbour.ask[0], .events = POLLIN };
	struct svm mine;
	uint32_t turn;

	close(neighbour.ask[1]);
	close(neighbour.say[0]);
	close(bad.dev.fd);
	close(good.dev.fd);
	svm_open(&mine);
	/* In place of what it has of its parent's. */
	igt_assert(mmap(at, SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
	neighbour_says(0);
	for (turn = 0; !poll(&asked, 1, 0); turn++) {
		igt_assert_eq(madvise(at, SZ_4K, MADV_DONTNEED), 0);
		*(volatile uint32_t *)at = 0x7700 + turn;
		igt_assert_eq_u32(svm_gpu_read(&mine, at), 0x7700 + turn);
	}
	neighbour_says(turn);
	svm_close(&mine);
}

/**
 * SUBTEST: storm-of-mapped-page
 * Description: entries of a page that is mapped come again and again: service slows down, and gives up after TRIES,
 *	which kills the channel. Others go on, in this process and another, and the client can have another channel
 *
 * Another process faults at the same address, and the model writes an entry of this one beside each.
 */
static void test_storm(struct svm *svm, struct svm *other)
{
	/* Before each replay from the 8th try on: 1, 2, 4 to 64 ms, and then 128. */
	const uint64_t slow_us = (127 + (TRIES - 15) * 128) * 1000;
	uint64_t cancels, cancelled, spurious, after, fired, begin_us, took;
	char *p = svm_alloc(SZ_2M, PAGES_4K), *at = p + 5 * SZ_4K;
	char where[64], name[32], number[32];
	struct sm6x again;

	igt_require(svm_driver_counter("cancels", &cancels));
	igt_assert_eq(pipe(neighbour.ask), 0);
	igt_assert_eq(pipe(neighbour.say), 0);
	svm_migrate_on_fault(false);
	igt_fork(child, 1)
		storm_neighbour(at);
	close(neighbour.ask[0]);
	close(neighbour.say[1]);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_check_pages(svm, p, 16, 0x100);
	neighbour_said();
	igt_assert(svm_driver_counter("spurious", &spurious));
	fired = svm_injected("fault_foreign");
	svm_inject(&(struct gpu_model_inject){ .point = "fault_foreign", .addr = (uintptr_t)at, .len = SZ_4K,
					       .arg = svm_chan_inst(svm) });
	svm_log_start();
	begin_us = svm_now_us();
	igt_assert_eq((int)write(neighbour.ask[1], "x", 1), 1);
	igt_assert(counter_comes_to("cancels", cancels + 1) || counter_comes_to("cancels", cancels + 1));
	took = svm_now_us() - begin_us;
	fired = svm_injected("fault_foreign") - fired;
	/* The other way round: it is asked, and says how far it has come. */
	igt_info("given up after %" PRIu64 " ms and %" PRIu64 " entries; the other came round %" PRIu64 " times\n",
		 took / 1000, fired, neighbour_ask());
	igt_assert_eq((int)write(neighbour.ask[1], "x", 1), 1);
	igt_waitchildren();

	igt_assert_lte_u64(TRIES, fired);
	igt_assert_lte_u64(slow_us, took);
	igt_assert(svm_driver_counter("spurious", &after));
	igt_assert_lte_u64(TRIES, after - spurious);
	igt_assert_eq(svm_fault_record(at), -ETIMEDOUT);
	snprintf(where, sizeof(where), "svm: fault at %016" PRIxPTR " cancelled: ", (uintptr_t)at);
	/* A kernel without CONFIG_SYMBOLIC_ERRNAME has the number. */
	snprintf(name, sizeof(name), ": -%s\n", strerrorname_np(ETIMEDOUT));
	snprintf(number, sizeof(number), ": %d\n", -ETIMEDOUT);
	igt_assert_eq((int)(svm_log_lines(where, name) + svm_log_lines(where, number)), 1);
	igt_assert(svm_driver_counter("cancels", &cancelled));
	igt_assert_eq_u64(cancelled, cancels + 1);

	igt_assert(!nv_chan_alive(&svm->chan));
	igt_assert(nv_chan_alive(&other->chan));
	svm_gpu_check_pages(other, p, NR, 0x100);
	svm_gpu_write_pages(other, p, NR, 0x200);
	svm_cpu_check_pages(p, NR, 0x200, false);
	/* The page is mapped still, and when it is not its fault is served. */
	nv_chan_del(&svm->chan);
	igt_assert_eq(nv_chan_new(&svm->dev, NV_ENGINE_GR, &svm->chan), 0);
	nv_asm_read(&again, 12);
	igt_assert_eq(nv_kernel_load(&svm->chan, &again, &svm->read_page), 0);
	svm_ledger_start();
	svm_gpu_check_pages(svm, p, 16, 0x200);
	svm_ledger_stop();
	igt_assert_eq_u64(svm_ledger("fault_replayable"), 0);
	igt_assert_eq(madvise(p, SZ_2M, MADV_DONTNEED), 0);
	svm_cpu_write_pages(p, NR, 0x300);
	svm_gpu_check_pages(svm, p, NR, 0x300);
	close(neighbour.ask[1]);
	close(neighbour.say[0]);
	svm_migrate_on_fault(true);
	svm_free(p, SZ_2M);
}

static bool begin(void)
{
	/* One that failed may have left it on. */
	svm_fail_in_end();
	svm_open(&bad);
	svm_open(&good);
	svm_migrate_on_fault(true);
	return true;
}

static bool end(void)
{
	svm_close(&bad);
	svm_close(&good);
	return false;
}

/* Each subtest has channels of its own: one that was killed stays so. */
#define with_channels() for (bool go = begin(); go; go = end())

int igt_main()
{
	static const char *const refused[] = { "file", "shmem", "hugetlb", "read-only" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		igt_describe("An atomic that cannot be");
		igt_subtest_f("atomic-%s", refused[i])
			with_channels()
				test_atomic_refused(&bad, &good, refused[i]);
	}
	igt_describe("Nothing is there");
	igt_subtest("read-nothing")
		with_channels()
			test_nothing(&bad, &good, &bad.read);
	igt_subtest("write-nothing")
		with_channels()
			test_nothing(&bad, &good, &bad.write);
	igt_subtest("atomic-nothing")
		with_channels()
			test_nothing(&bad, &good, &bad.add);
	igt_describe("No right");
	igt_subtest("prot-none")
		with_channels()
			test_prot_none(&bad, &good);
	igt_describe("Beyond the end of a file");
	igt_subtest("beyond-file")
		with_channels()
			test_beyond_file(&bad, &good);
	igt_describe("A guard page");
	igt_subtest("guard-page")
		with_channels()
			test_guard(&bad, &good);
	igt_describe("A page whose memory is bad");
	igt_subtest("poisoned-page-ram")
		with_channels()
			test_poisoned(&bad, &good, false);
	igt_subtest("poisoned-page-vram")
		with_channels()
			test_poisoned(&bad, &good, true);
	igt_describe("Addresses that nobody has");
	igt_subtest("address-zero")
		with_channels()
			test_address(&bad, &good, 0);
	igt_subtest("address-top")
		with_channels()
			test_address(&bad, &good, (1ull << 47) - SZ_4K);
	igt_subtest("address-kernel")
		with_channels()
			test_address(&bad, &good, (1ull << 47) + SZ_2M);
	igt_describe("Many threads, one of them does wrong");
	igt_subtest("many-at-once")
		with_channels()
			test_many(&bad, &good);
	igt_describe("Atomics on RAM");
	igt_subtest("atomic-exclusive-4k")
		with_channels()
			test_exclusive(&good, PAGES_4K);
	igt_subtest("atomic-exclusive-thp")
		with_channels()
			test_exclusive(&good, PAGES_THP);
	igt_subtest("atomic-pinned")
		with_channels()
			test_atomic_pinned(&good);
	igt_subtest("atomic-mixed")
		with_channels()
			test_atomic_mixed(&good);
	igt_subtest("atomic-write-protected")
		with_channels()
			test_write_protected(&good);
	igt_describe("Atomics of both");
	igt_subtest("atomic-both-vram")
		with_channels()
			test_both(&good, false);
	igt_subtest("atomic-both-full")
		with_channels()
			test_both(&good, true);
	igt_describe("Memory runs short, or does not hold still");
	for (i = 0; i < 4; i++)
		igt_subtest_f("%s-for-good-%s", i & 2 ? "busy" : "short", i & 1 ? "many" : "one")
			with_channels()
				test_for_good(&bad, &good, i & 2, i & 1 ? 32 : 1);
	for (i = 0; i < 2; i++)
		igt_subtest_f("short-for-a-while-%s", i ? "many" : "one")
			with_channels()
				test_for_a_while(&good, i ? 32 : 1);
	igt_describe("A fault that takes long");
	igt_subtest("look-while-missing")
		with_channels()
			test_look(&good);
	igt_subtest("slow-fault-alone-entry")
		with_channels()
			test_slow_alone(&good, false);
	igt_subtest("slow-fault-alone-grid")
		with_channels()
			test_slow_alone(&good, true);
	igt_subtest("look-while-submitting")
		with_channels()
			test_look_submitting(&good);
	igt_describe("Persistent memory");
	igt_subtest("dax-file")
		with_channels()
			test_dax(&bad, &good);
	igt_describe("Unruly fault buffers");
	igt_subtest("foreign-entry-plain")
		with_channels()
			test_foreign_plain(&good);
	igt_subtest("stale-entry")
		with_channels()
			test_stale(&bad, false);
	igt_subtest("stale-entry-reused")
		with_channels()
			test_stale(&bad, true);
	igt_subtest("stale-entries")
		with_channels()
			test_stale_entries(&bad, false);
	igt_subtest("stale-after-spurious")
		with_channels()
			test_stale_entries(&bad, true);
	igt_subtest("entry-never-valid")
		with_channels()
			test_never_valid(&good);
	igt_subtest("channel-gone")
		with_channels()
			test_channel_gone(&bad, &good);
	igt_subtest("foreign-entry")
		with_channels()
			test_foreign(&good);
	igt_subtest("storm-of-mapped-page")
		with_channels()
			test_storm(&bad, &good);
	igt_subtest("duplicates-reordered-late")
		with_channels()
			test_unruly(&good);
	igt_describe("A store that takes long to reach memory");
	igt_subtest("late-store-munmap")
		with_channels()
			test_late_file(&good, true);
	igt_subtest("late-store-dontneed")
		with_channels()
			test_late_file(&good, false);
	igt_subtest("late-store-to-vram")
		with_channels()
			test_late_moved(&good, true);
	igt_subtest("late-store-to-ram")
		with_channels()
			test_late_moved(&good, false);
}
