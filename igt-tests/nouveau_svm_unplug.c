// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm unplug
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: the device or its driver goes
 * Description: unbind, removal and unload with data in VRAM: the data comes back first, users go on without a GPU
 *
 * Each wants a machine of its own: own-boot.list.
 */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "gpu_model.h"
#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("Unbind, removal and unload with data in VRAM.");

#define NR (SZ_2M / SZ_4K)
#define OPENING_ROUNDS 2

enum way { UNBIND, REMOVE };

static void take_away(enum way way, const char *slot)
{
	char path[128];

	if (way == UNBIND) {
		svm_driver_unbind(slot);
	} else {
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", slot);
		svm_must_write(path, "1");
	}
}

static void bring_back(enum way way, const char *slot)
{
	if (way == UNBIND) {
		svm_driver_bind(slot);
	} else {
		svm_must_write("/sys/bus/pci/rescan", "1");
		svm_wait_node();
	}
}

/* The GPU works again. */
static void works(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm svm;

	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x4000);
	svm_bind_vram(&svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	svm_gpu_write_pages(&svm, p, NR, 0x5000);
	svm_cpu_check_pages(p, NR, 0x5000, false);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: %s-data-left
 * Description: %arg[1]: the client is closed, its process still has data in VRAM: the data comes back first
 *
 * arg[1]:
 *
 * @unbind: the driver is unbound
 * @remove: the device is removed
 */
static void test_data_left(enum way way)
{
	char *p = svm_alloc(SZ_2M, PAGES_THP), *q = svm_alloc(SZ_2M, PAGES_4K), slot[64];
	struct svm svm;

	svm_gpu_slot(slot);
	svm_migrate_on_fault(true);
	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_cpu_write_pages(q, NR, 0x200);
	svm_gpu_write_pages(&svm, p, NR, 0x300);
	svm_gpu_write_pages(&svm, q, NR, 0x400);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	igt_assert_eq_u64(svm_count_pages(q, SZ_2M, PAGE_IN_VRAM), NR);
	svm_close(&svm);
	take_away(way, slot);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), NR);
	svm_cpu_check_pages(p, NR, 0x300, false);
	svm_cpu_check_pages(q, NR, 0x400, false);
	bring_back(way, slot);
	works();
	svm_free(p, SZ_2M);
	svm_free(q, SZ_2M);
}

/**
 * SUBTEST: %s-live
 * Description: %arg[1] while a client has a channel and data in VRAM: the data comes back first, the client can end
 *
 * arg[1]:
 *
 * @unbind: the driver is unbound
 * @remove: the device is removed
 */
static void test_live(enum way way)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K), slot[64];
	struct svm svm;

	svm_gpu_slot(slot);
	svm_migrate_on_fault(true);
	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_write_pages(&svm, p, NR, 0x300);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	take_away(way, slot);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), NR);
	svm_cpu_check_pages(p, NR, 0x300, false);
	svm_cpu_write_pages(p, NR, 0x400);
	igt_assert_lt(nv_svm_bind(&svm.dev, p, SZ_2M, true, NULL), 0);
	svm_cpu_check_pages(p, NR, 0x400, true);
	svm_close(&svm);
	bring_back(way, slot);
	works();
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: unbind-exported
 * Description: another GPU works with a buffer of the one whose driver is unbound: its memory is not anybody else's
 *
 * Wants two GPUs.
 */
static void test_exported(void)
{
	const size_t len = SZ_2M, memory = 512 * SZ_1M;
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	struct nv_bo mine, theirs;
	struct nv_dev first;
	struct svm second;
	char slot[64];
	uint32_t i, turn, *q;

	svm_gpu_slot(slot);
	svm_open_on(&second, 1);
	igt_assert_eq(nv_dev_init(&first, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(nv_bo_new(&first, len, NOUVEAU_GEM_DOMAIN_GART, &mine), 0);
	for (i = 0; i < len / SZ_4K; i++)
		((volatile uint32_t *)mine.map)[i * SZ_4K / 4] = 0x900 + i;
	prime.handle = mine.handle;
	igt_assert_eq(ioctl(first.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	igt_assert_eq(nv_bo_import(&second.dev, prime.fd, len, &theirs), 0);

	for (turn = 0; turn < 2; turn++) {
		for (i = 0; i < len / SZ_4K; i += 8) {
			nv_use(&second.chan, &theirs);
			nv_use(&second.chan, &second.out);
			nv_copy(&second.chan, second.out.va, theirs.va + i * SZ_4K, 4);
			igt_assert_eq(nv_submit(&second.chan), 0);
			igt_assert_eq(nv_wait(&second.chan, 0), 0);
			igt_assert_eq_u32(*(volatile uint32_t *)second.out.map, 0x900 + i);
		}
		if (turn)
			break;
		svm_driver_unbind(slot);
		/* Whatever was freed is in use again. */
		q = mmap(NULL, memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		igt_assert(q != MAP_FAILED);
		memset(q, 0x5e, memory);
	}
	munmap(q, memory);
	nv_bo_del(&theirs);
	close(prime.fd);
	nv_bo_del(&mine);
	nv_dev_close(&first);
	svm_close(&second);
	svm_driver_bind(slot);
	works();
}

/**
 * SUBTEST: unbind-beside-stuck
 * Description: a block does not leave VRAM when it is asked to, three times: those behind it come back all the same
 */
static void test_beside_stuck(void)
{
	const size_t len = 16 * SZ_1M;
	char *p = svm_alloc(len, PAGES_4K), slot[64];
	uint32_t i, v, lost = 0;
	struct svm svm;

	svm_gpu_slot(slot);
	svm_open(&svm);
	svm_cpu_write_pages(p, (uint32_t)(len / SZ_4K), 0x100);
	svm_bind_vram(&svm, p, len);
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), len / SZ_4K);
	svm_fail_in("nouveau_svm_devmem_to_ram", 3);
	take_away(UNBIND, slot);
	for (i = 0; i < len / SZ_4K; i++) {
		if (!svm_cpu_try(p + i * SZ_4K, &v))
			lost++;
		else
			igt_assert_eq_u32(v, 0x100 + i);
	}
	igt_assert_eq_u32(lost, 0);
	svm_close(&svm);
	bring_back(UNBIND, slot);
	works();
	svm_free(p, len);
}

static struct svm live;

static void *bind_main(void *arg)
{
	return (void *)(intptr_t)nv_svm_bind(&live.dev, arg, svm_vram_size(&live) / 16 * 5, true, NULL);
}

/**
 * SUBTEST: unbind-while-binding
 * Description: SVM_BIND waits for VRAM when the driver is unbound: it brings no more data there, which would be lost
 */
static void test_while_binding(void)
{
	char *p, *q = svm_alloc(SZ_2M, PAGES_4K), slot[64];
	struct svm_busy busy;
	pthread_t binder;
	uint32_t v, lost = 0;
	void *ret;
	size_t len, i;

	svm_gpu_slot(slot);
	svm_open(&live);
	len = svm_vram_size(&live) / 16 * 5;
	p = svm_alloc(len, PAGES_THP);
	svm_cpu_write_pages(p, (uint32_t)(len / SZ_4K), 0x100);
	svm_busy_begin(&live, &busy, q);
	igt_assert_eq(pthread_create(&binder, NULL, bind_main, p), 0);
	usleep(2000000);
	/* At once, since the mapping by which it is told is taken away: what is in SVM_BIND's way is then copied out. */
	svm_busy_go(&busy);
	take_away(UNBIND, slot);
	pthread_join(binder, &ret);
	/* It was under way, or this has shown nothing. */
	igt_assert_eq((int)(intptr_t)ret, -ENODEV);
	for (i = 0; i < len / SZ_4K; i++) {
		if (!svm_cpu_try(p + i * SZ_4K, &v))
			lost++;
		else
			igt_assert_eq_u32(v, 0x100 + (uint32_t)i);
	}
	igt_assert_eq_u32(lost, 0);
	/* A mapping keeps the old device's name. */
	for (i = 0; i < ARRAY_SIZE(busy.bo); i++)
		nv_bo_del(&busy.bo[i]);
	svm_close(&live);
	bring_back(UNBIND, slot);
	works();
	svm_free(p, len);
	svm_free(q, SZ_2M);
}

struct leaver {
	enum way way;
	char slot[64];
};

static void *leaver_main(void *arg)
{
	struct leaver *leaver = arg;

	take_away(leaver->way, leaver->slot);
	return NULL;
}

static void *bind_some_main(void *arg)
{
	return (void *)(intptr_t)nv_svm_bind(&live.dev, arg, SZ_64K, true, NULL);
}

/* Return: false if it does not end within a minute. */
static bool ends(pthread_t thread, void **ret)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	return pthread_timedjoin_np(thread, ret, &until) == 0;
}

/**
 * SUBTEST: %s-while-missing
 * Description: %arg[1] while SVM_BIND waits for a page that its process keeps back: nobody waits for that page
 *
 * arg[1]:
 *
 * @unbind: the driver is unbound
 * @remove: the device is removed
 */
static void test_while_missing(enum way way)
{
	char *p = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *q = svm_alloc(SZ_2M, PAGES_4K), *r = svm_alloc(SZ_2M, PAGES_4K);
	pthread_t binder, second, goer;
	struct leaver leaver = { way };
	struct svm_slow slow;
	void *ret;

	igt_assert(p != MAP_FAILED);
	svm_gpu_slot(leaver.slot);
	svm_open(&live);
	svm_cpu_write_pages(q, NR, 0x100);
	svm_cpu_write_pages(r, NR, 0x200);
	svm_gpu_write_pages(&live, q, NR, 0x300);
	igt_assert_eq_u64(svm_count_pages(q, SZ_2M, PAGE_IN_VRAM), NR);
	svm_slow_begin(&slow, p, SZ_64K);
	igt_assert_eq(pthread_create(&binder, NULL, bind_some_main, p), 0);
	igt_assert_f(svm_slow_hit(&slow, 30000), "SVM_BIND does not ask for the page\n");
	/* One that waits behind it. */
	igt_assert_eq(pthread_create(&second, NULL, bind_some_main, r), 0);
	usleep(500000);
	igt_assert_eq(pthread_create(&goer, NULL, leaver_main, &leaver), 0);
	igt_assert_f(ends(goer, NULL), "the driver's end waits for the page\n");
	igt_assert_f(ends(binder, &ret), "SVM_BIND does not end\n");
	igt_assert_eq((int)(intptr_t)ret, -ENODEV);
	igt_assert_f(ends(second, &ret), "the other SVM_BIND does not end\n");
	igt_assert_eq((int)(intptr_t)ret, -ENODEV);
	/* Only now does it come. */
	igt_assert_eq_u64(svm_count_pages(p, SZ_64K, PAGE_NOWHERE), SZ_64K / SZ_4K);
	svm_slow_end(&slow, 0x700);
	svm_cpu_check_pages(p, SZ_64K / SZ_4K, 0x700, false);
	svm_cpu_check_pages(q, NR, 0x300, false);
	svm_cpu_check_pages(r, NR, 0x200, true);
	svm_close(&live);
	bring_back(way, leaver.slot);
	works();
	munmap(p, SZ_64K);
	svm_free(q, SZ_2M);
	svm_free(r, SZ_2M);
}

/**
 * SUBTEST: unbind-while-waiting
 * Description: a process waits for a sync object that nobody will ever signal when the driver is unbound
 */
static void test_while_waiting(void)
{
	struct leaver leaver = { UNBIND };
	pthread_t goer;
	pid_t waiter;
	int st;

	svm_gpu_slot(leaver.slot);
	waiter = fork();
	igt_assert(waiter >= 0);
	if (!waiter) {
		struct drm_syncobj_create create = { 0 };
		struct drm_syncobj_wait wait = {
			.timeout_nsec = INT64_MAX, .count_handles = 1, .flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
		};
		int fd = drm_open_driver_render(DRIVER_ANY);

		if (ioctl(fd, DRM_IOCTL_SYNCOBJ_CREATE, &create))
			_exit(1);
		wait.handles = (uintptr_t)&create.handle;
		ioctl(fd, DRM_IOCTL_SYNCOBJ_WAIT, &wait);
		_exit(2);
	}
	usleep(1000000);
	igt_assert_eq(waitpid(waiter, &st, WNOHANG), 0);
	igt_assert_eq(pthread_create(&goer, NULL, leaver_main, &leaver), 0);
	igt_assert_f(ends(goer, NULL), "the driver's end waits for the sync object\n");
	kill(waiter, SIGKILL);
	igt_assert_eq(waitpid(waiter, &st, 0), waiter);
	igt_assert(WIFSIGNALED(st));
	svm_driver_bind(leaver.slot);
	works();
}

/**
 * SUBTEST: unbind-beside-missing
 * Description: SVM_BIND on another GPU waits for a page that its process keeps back when the driver of the first is unbound
 *
 * Wants two GPUs.
 */
static void test_beside_missing(void)
{
	char *p = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct leaver leaver = { UNBIND };
	pthread_t binder, goer;
	struct svm_slow slow;
	void *ret;

	igt_assert(p != MAP_FAILED);
	svm_gpu_slot(leaver.slot);
	svm_open_on(&live, 1);
	svm_slow_begin(&slow, p, SZ_64K);
	igt_assert_eq(pthread_create(&binder, NULL, bind_some_main, p), 0);
	igt_assert_f(svm_slow_hit(&slow, 30000), "SVM_BIND does not ask for the page\n");
	igt_assert_eq(pthread_create(&goer, NULL, leaver_main, &leaver), 0);
	igt_assert_f(ends(goer, NULL), "one GPU's end waits for a call on another\n");
	svm_slow_end(&slow, 0x700);
	igt_assert_f(ends(binder, &ret), "SVM_BIND does not end\n");
	igt_assert_eq((int)(intptr_t)ret, 0);
	svm_cpu_check_pages(p, SZ_64K / SZ_4K, 0x700, false);
	svm_close(&live);
	svm_driver_bind(leaver.slot);
	works();
	munmap(p, SZ_64K);
}

/* Of nouveau_drm.h, where libdrm has no such yet. */
struct vm_init {
	uint64_t kernel_managed_addr;
	uint64_t kernel_managed_size;
};

struct vm_bind_op {
	uint32_t op, flags, handle, pad;
	uint64_t addr, bo_offset, range;
};

struct vm_sync {
	uint32_t flags, handle;
	uint64_t timeline_value;
};

struct vm_bind {
	uint32_t op_count, flags, wait_count, sig_count;
	uint64_t wait_ptr, sig_ptr, op_ptr;
};

#define IOCTL_VM_INIT DRM_IOWR(DRM_COMMAND_BASE + 0x10, struct vm_init)
#define IOCTL_VM_BIND DRM_IOWR(DRM_COMMAND_BASE + 0x11, struct vm_bind)
#define VM_BIND_RUN_ASYNC 1
#define VM_BIND_OP_MAP 0
#define VM_BIND_SPARSE (1 << 8)
#define SYNC_SYNCOBJ 0

/* A sync file of the work that uses a buffer, by its dma-buf. */
static int export_work(int fd, uint32_t handle)
{
	struct drm_prime_handle prime = { .handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR };
	struct dma_buf_export_sync_file out = { .flags = DMA_BUF_SYNC_RW, .fd = -1 };

	igt_assert_eq(ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	igt_assert_eq(ioctl(prime.fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &out), 0);
	close(prime.fd);
	return out.fd;
}

/* Bind addresses after what a sync file waits for, and wait for that. */
static void vm_bind_after(int sync_file)
{
	struct vm_init init = { .kernel_managed_addr = 1ull << 36, .kernel_managed_size = 1ull << 32 };
	struct drm_syncobj_create create = { 0 };
	struct drm_syncobj_handle file = { .flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE, .fd = sync_file };
	struct vm_bind_op op = {
		.op = VM_BIND_OP_MAP, .flags = VM_BIND_SPARSE, .addr = SZ_2M, .range = SZ_2M,
	};
	struct vm_sync sync = { .flags = SYNC_SYNCOBJ };
	struct vm_bind bind = {
		.op_count = 1, .op_ptr = (uintptr_t)&op, .wait_count = 1, .wait_ptr = (uintptr_t)&sync,
		.flags = VM_BIND_RUN_ASYNC,
	};
	int fd = drm_open_driver_render(DRIVER_ANY);

	if (ioctl(fd, IOCTL_VM_INIT, &init) || ioctl(fd, DRM_IOCTL_SYNCOBJ_CREATE, &create))
		_exit(1);
	file.handle = create.handle;
	sync.handle = create.handle;
	if (ioctl(fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &file) || ioctl(fd, IOCTL_VM_BIND, &bind))
		_exit(2);
	op.addr += SZ_2M;
	bind.flags = 0;
	bind.wait_count = 0;
	ioctl(fd, IOCTL_VM_BIND, &bind);
	pause();
	_exit(3);
}

/**
 * SUBTEST: unbind-while-vm-binding
 * Description: VM_BIND waits for the work of another process, which does not end, when the driver is unbound
 */
static void test_vm_binding(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct leaver leaver = { UNBIND };
	struct svm_busy busy;
	pthread_t goer;
	int sync_file, st;
	pid_t binder;
	uint32_t i;

	svm_gpu_slot(leaver.slot);
	svm_cpu_write_pages(p, NR, 0x800);
	svm_open(&live);
	svm_busy_begin(&live, &busy, p);
	sync_file = export_work(live.dev.fd, busy.bo[0].handle);
	binder = fork();
	igt_assert_lte(0, binder);
	if (!binder)
		vm_bind_after(sync_file);
	usleep(2000000);
	igt_assert_eq(waitpid(binder, &st, WNOHANG), 0);
	igt_assert_eq(pthread_create(&goer, NULL, leaver_main, &leaver), 0);
	igt_assert_f(ends(goer, NULL), "the driver's end waits for VM_BIND\n");
	for (i = 0; i < ARRAY_SIZE(busy.bo); i++)
		nv_bo_del(&busy.bo[i]);
	kill(binder, SIGKILL);
	igt_assert_eq(waitpid(binder, &st, 0), binder);
	close(sync_file);
	svm_cpu_check_pages(p, NR, 0x800, true);
	svm_close(&live);
	svm_driver_bind(leaver.slot);
	works();
}

/**
 * SUBTEST: unbind-foreign-fence
 * Description: a buffer waits for work of another GPU, which does not end, when the driver of its own is unbound
 *
 * Wants two GPUs.
 */
static void test_foreign_fence(void)
{
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	struct dma_buf_import_sync_file in = { .flags = DMA_BUF_SYNC_RW };
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct leaver leaver = { UNBIND };
	struct svm_busy busy;
	struct nv_dev first;
	struct nv_bo mine;
	pthread_t goer;

	svm_gpu_slot(leaver.slot);
	svm_cpu_write_pages(p, NR, 0x800);
	svm_open_on(&live, 1);
	igt_assert_eq(nv_dev_init(&first, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(nv_bo_new(&first, SZ_2M, NOUVEAU_GEM_DOMAIN_GART, &mine), 0);
	*(volatile uint32_t *)mine.map = 0x901;
	prime.handle = mine.handle;
	igt_assert_eq(ioctl(first.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	svm_busy_begin(&live, &busy, p);
	in.fd = export_work(live.dev.fd, busy.bo[0].handle);
	igt_assert_eq(ioctl(prime.fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in), 0);

	igt_assert_eq(pthread_create(&goer, NULL, leaver_main, &leaver), 0);
	igt_assert_f(ends(goer, NULL), "the driver's end waits for another GPU\n");
	svm_busy_go(&busy);
	igt_assert_eq_u32(svm_busy_end(&busy, 0), 0x800);
	close(in.fd);
	close(prime.fd);
	nv_bo_del(&mine);
	nv_dev_close(&first);
	svm_close(&live);
	svm_driver_bind(leaver.slot);
	works();
}

/**
 * SUBTEST: unbind-foreign-fence-freed
 * Description: a buffer in VRAM that is being freed waits for work of another GPU when the driver of its own is unbound, and
 *	another buffer in VRAM is freed after that
 *
 * Wants two GPUs.
 */
static void test_foreign_fence_freed(void)
{
	struct drm_prime_handle freed = { .flags = DRM_CLOEXEC | DRM_RDWR }, kept = freed, last = freed;
	struct dma_buf_import_sync_file in = { .flags = DMA_BUF_SYNC_RW };
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct leaver leaver = { UNBIND };
	struct nv_bo bo[3];
	struct svm_busy busy;
	struct nv_dev first;
	pthread_t goer;
	uint32_t i;

	svm_gpu_slot(leaver.slot);
	svm_cpu_write_pages(p, NR, 0x800);
	svm_open_on(&live, 1);
	igt_assert_eq(nv_dev_init(&first, drm_open_driver_render(DRIVER_ANY)), 0);
	for (i = 0; i < ARRAY_SIZE(bo); i++) {
		igt_assert_eq(nv_bo_new(&first, SZ_2M, NOUVEAU_GEM_DOMAIN_VRAM, &bo[i]), 0);
		*(volatile uint32_t *)bo[i].map = 0x902 + i;
	}
	freed.handle = bo[0].handle;
	kept.handle = bo[1].handle;
	last.handle = bo[2].handle;
	igt_assert_eq(ioctl(first.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &freed), 0);
	igt_assert_eq(ioctl(first.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &kept), 0);
	igt_assert_eq(ioctl(first.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &last), 0);
	svm_busy_begin(&live, &busy, p);
	in.fd = export_work(live.dev.fd, busy.bo[0].handle);
	igt_assert_eq(ioctl(freed.fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in), 0);
	close(freed.fd);
	for (i = 0; i < ARRAY_SIZE(bo); i++)
		nv_bo_del(&bo[i]);
	nv_dev_close(&first);

	igt_assert_eq(pthread_create(&goer, NULL, leaver_main, &leaver), 0);
	igt_assert_f(ends(goer, NULL), "the driver's end waits for another GPU\n");
	close(kept.fd);
	svm_busy_go(&busy);
	igt_assert_eq_u32(svm_busy_end(&busy, 0), 0x800);
	close(in.fd);
	/* The last one takes TTM with it, which waits for what is being freed. */
	close(last.fd);
	svm_close(&live);
	svm_driver_bind(leaver.slot);
	works();
}

#define FREERS 4

/* Has buffers mapped, says so, and from when the device has gone on unmaps them, the youngest first. */
static void freer_main(int ready)
{
	enum { NR_BO = 400 };
	static struct nv_bo bo[NR_BO];
	struct nv_dev dev;
	uint64_t value;
	int i, err;

	alarm(120);
	if (nv_dev_init(&dev, drm_open_driver_render(DRIVER_ANY)))
		_exit(1);
	for (i = 0; i < NR_BO; i++) {
		err = nv_bo_new(&dev, SZ_64K, NOUVEAU_GEM_DOMAIN_GART, &bo[i]);
		if (err)
			_exit(-err);
		memset(bo[i].map, 0x5e, SZ_64K);
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	while (!nv_getparam(&dev, NOUVEAU_GETPARAM_CHIPSET_ID, &value))
		usleep(1000);
	while (i--) {
		munmap(bo[i].map, SZ_64K);
		usleep(1000);
	}
	_exit(0);
}

/**
 * SUBTEST: unbind-while-freeing
 * Description: processes unmap their last buffers when the driver is unbound
 *
 * Without the change it locks up in one run of three.
 */
static void test_while_freeing(void)
{
	struct leaver leaver = { UNBIND };
	pid_t freer[FREERS];
	int i, st, ready[2];
	pthread_t goer;
	char c;

	svm_gpu_slot(leaver.slot);
	igt_assert_eq(pipe(ready), 0);
	for (i = 0; i < FREERS; i++) {
		freer[i] = fork();
		igt_assert(freer[i] >= 0);
		if (!freer[i])
			freer_main(ready[1]);
	}
	for (i = 0; i < FREERS; i++)
		igt_assert_eq((int)read(ready[0], &c, 1), 1);
	igt_assert_eq(pthread_create(&goer, NULL, leaver_main, &leaver), 0);
	igt_assert_f(ends(goer, NULL), "the driver's end does not come\n");
	for (i = 0; i < FREERS; i++) {
		igt_assert_eq(waitpid(freer[i], &st, 0), freer[i]);
		igt_assert_eq(st, 0);
	}
	svm_driver_bind(leaver.slot);
	works();
}

/* Who opens while the driver goes: what they and the parent know of each other. */
struct opening {
	bool stop;
	uint32_t inits;
};

static void drop_device_pages(void)
{
	/* Those that nobody uses. */
	svm_must_write("/proc/sys/vm/drop_caches", "2");
}

/*
 * Open, SVM_INIT, close, whether there is a driver or not. One client @drops the device pages, so
 * that they have to be made again; one that is @alone waits until they have gone, by work items.
 */
static void open_all_the_time(struct opening *o, bool alone, bool drops)
{
	struct nv_dev dev;

	alarm(120);
	while (!__atomic_load_n(&o->stop, __ATOMIC_RELAXED)) {
		if (alone && svm_has_pagemap()) {
			usleep(20000);
			drop_device_pages();
			continue;
		}
		if (drops)
			drop_device_pages();
		if (nv_dev_open(&dev, NULL)) {
			usleep(1000);
			continue;
		}
		if (!nv_svm_init(&dev))
			__atomic_fetch_add(&o->inits, 1, __ATOMIC_RELAXED);
		nv_dev_close(&dev);
	}
}

/* Wait for the moment in which their making begins. Return: false if it has not come within a while. */
static bool await_device_pages(void)
{
	bool before = true;
	uint32_t i;

	for (i = 0; i < 2000; i++) {
		bool there = svm_has_pagemap();

		if (there && !before)
			return true;
		before = there;
		usleep(1000);
	}
	return false;
}

/**
 * SUBTEST: unbind-while-opening
 * Description: clients come and go when the driver is unbound: device pages that are just made, or put away, go too
 */
static void test_while_opening(void)
{
	struct opening *o = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char slot[64];
	uint32_t round, clients;
	bool being_made;

	igt_assert(o != MAP_FAILED);
	svm_gpu_slot(slot);
	for (round = 0; round < OPENING_ROUNDS; round++) {
		o->stop = false;
		o->inits = 0;
		/* Several, or one: others would keep the pages in use. */
		clients = round % 2 ? 3 : 1;
		igt_fork(child, clients)
			open_all_the_time(o, clients == 1, child == 0);
		being_made = await_device_pages();
		take_away(UNBIND, slot);
		__atomic_store_n(&o->stop, true, __ATOMIC_RELAXED);
		igt_waitchildren();
		igt_info("round %u: %u SVM_INIT, unbound while device pages were %s\n", round, o->inits,
			 being_made ? "being made" : "there");
		igt_assert(being_made || clients > 1);
		bring_back(UNBIND, slot);
		works();
	}
	munmap(o, SZ_4K);
}

/**
 * SUBTEST: unload
 * Description: the module is unloaded while a process has data in VRAM and no file open
 */
static void test_unload(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm svm;
	int status;

	svm_migrate_on_fault(true);
	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_write_pages(&svm, p, NR, 0x300);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	svm_close(&svm);
	/* Device pages hold the module: it goes when they are gone, not before. */
	status = system("rmmod nouveau 2>/dev/null");
	svm_cpu_check_pages(p, NR, 0x300, false);
	if (status) {
		igt_info("the module was busy while data was in VRAM\n");
		usleep(2000000);
		igt_assert_eq(system("rmmod nouveau"), 0);
	}
	svm_cpu_check_pages(p, NR, 0x300, false);
	igt_assert_eq(system("modprobe nouveau"), 0);
	works();
	svm_free(p, SZ_2M);
}

static sigjmp_buf bus_error;

static void on_sigbus(int sig)
{
	siglongjmp(bus_error, 1);
}

/**
 * SUBTEST: surprise
 * Description: the device vanishes with data in VRAM: the CPU gets SIGBUS for that, its other data, and can end
 */
static void test_surprise(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K), *q = svm_alloc(SZ_2M, PAGES_4K), slot[64];
	struct sigaction sa = { .sa_handler = on_sigbus };
	volatile uint32_t sigbus = 0, i;
	struct gpu_model *m;
	struct svm svm;

	svm_gpu_slot(slot);
	svm_migrate_on_fault(true);
	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_cpu_write_pages(q, NR, 0x200);
	svm_gpu_write_pages(&svm, p, NR, 0x300);
	m = gpu_model_open(0);
	igt_require(m);
	igt_assert_eq(gpu_model_go_dark(m), 0);
	gpu_model_close(m);
	sigaction(SIGBUS, &sa, NULL);
	for (i = 0; i < NR; i += 64) {
		if (sigsetjmp(bus_error, 1)) {
			sigbus++;
			continue;
		}
		igt_assert_eq_u32(*(volatile uint32_t *)(p + i * SZ_4K), 0x300 + i);
	}
	igt_info("%u of 8 reads raised SIGBUS\n", sigbus);
	/* Nothing can be read from a device that is not there. */
	igt_assert_eq_u32(sigbus, 8);
	svm_cpu_check_pages(q, NR, 0x200, true);
	take_away(REMOVE, slot);
	svm_cpu_check_pages(q, NR, 0x200, true);
	/* Nor when its driver has gone. */
	if (!sigsetjmp(bus_error, 1)) {
		i = *(volatile uint32_t *)p;
		igt_assert_f(false, "the CPU reads %#x of a device that is gone\n", i);
	}
	signal(SIGBUS, SIG_DFL);
	munmap(p, SZ_2M);
	svm_close(&svm);
}

int igt_main()
{
	igt_describe("The client is closed, data is left in VRAM");
	igt_subtest("unbind-data-left")
		test_data_left(UNBIND);
	igt_subtest("remove-data-left")
		test_data_left(REMOVE);
	igt_describe("Another GPU has a buffer");
	igt_subtest("unbind-exported")
		test_exported();
	igt_describe("Unbind beside a block that stays");
	igt_subtest("unbind-beside-stuck")
		test_beside_stuck();
	igt_describe("A client is at work");
	igt_subtest("unbind-live")
		test_live(UNBIND);
	igt_subtest("remove-live")
		test_live(REMOVE);
	igt_subtest("unbind-while-binding")
		test_while_binding();
	igt_subtest("unbind-while-missing")
		test_while_missing(UNBIND);
	igt_subtest("remove-while-missing")
		test_while_missing(REMOVE);
	igt_describe("Somebody waits for a sync object");
	igt_subtest("unbind-while-waiting")
		test_while_waiting();
	igt_describe("Somebody waits on another GPU");
	igt_subtest("unbind-beside-missing")
		test_beside_missing();
	igt_describe("Somebody waits for work that does not end");
	igt_subtest("unbind-while-vm-binding")
		test_vm_binding();
	igt_subtest("unbind-foreign-fence")
		test_foreign_fence();
	igt_describe("A buffer that is being freed waits for another GPU, and keeps others");
	igt_subtest("unbind-foreign-fence-freed")
		test_foreign_fence_freed();
	igt_describe("Buffers are freed");
	igt_subtest("unbind-while-freeing")
		test_while_freeing();
	igt_describe("Clients come and go");
	igt_subtest("unbind-while-opening")
		test_while_opening();
	igt_describe("The module goes");
	igt_subtest("unload")
		test_unload();
	igt_describe("The device is gone without a word");
	igt_subtest("surprise")
		test_surprise();
}
