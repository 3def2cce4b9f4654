// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm wedged
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: a copy engine that does not answer
 * Description: the engine is stopped before its memory is anybody's, SVM says so, and goes on without copies
 *
 * Each that wedges it ends with the driver bound anew, on which all is well again. A channel that
 * was killed, killed-*, does not wedge it: there is another.
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu_model.h"
#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("A copy engine that does not answer.");

#define NR (SZ_2M / SZ_4K)

/* The model's number of the engine that moves pages: the first copy engine off the runlist of the graphics engine. */
#define COPY_ENGINE 2

static char slot[64];

static bool wedged(void)
{
	char line[64] = "";
	FILE *f = svm_driver_open();

	igt_assert(f && fgets(line, sizeof(line), f));
	fclose(f);
	return !strcmp(line, "on migration wedged\n");
}

static void begin(void)
{
	volatile char *heap;
	struct svm svm;
	char *p;

	svm_gpu_slot(slot);
	svm_fail_in_end();
	/* One that failed may have left it so. */
	if (wedged()) {
		svm_driver_unbind(slot);
		svm_driver_bind(slot);
	}
	igt_assert(!wedged());
	svm_migrate_on_fault(false);
	/* The first mirror of a process takes mmap_lock for writing, for which it would wait while a copy hangs. */
	svm_open(&svm);
	p = svm_alloc(SZ_4K, PAGES_4K);
	svm_cpu_write_pages(p, 1, 0);
	svm_gpu_check_pages(&svm, p, 1, 0);
	svm_free(p, SZ_4K);
	svm_close(&svm);
	/* While a copy hangs mmap_lock is held: the heap must not grow. A reply of the model's takes 1 MiB. */
	mallopt(M_MMAP_THRESHOLD, 4 * SZ_1M);
	mallopt(M_TRIM_THRESHOLD, 32 * SZ_1M);
	heap = malloc(3 * SZ_1M);
	igt_assert(heap);
	*heap = 0;
	free((void *)heap);
}

static void hang(void)
{
	svm_inject(&(struct gpu_model_inject){ .point = "engine_hang", .arg = COPY_ENGINE });
}

/* The engine would go on now, if it had not been stopped. From here on nobody may touch [bus, bus + len). */
static int go_on(uint64_t bus, uint64_t len)
{
	struct gpu_model *m = gpu_model_open(0);
	int err = m ? 0 : -errno;

	if (m && len)
		err = gpu_model_watch(m, true, bus, len);
	if (m && !err)
		err = gpu_model_disarm(m, "engine_hang");
	if (m)
		gpu_model_close(m);
	return err;
}

static void untouched(uint64_t bus, uint64_t len)
{
	struct gpu_model *m = gpu_model_open(0);

	igt_assert(m);
	/* Long enough for any copy. */
	usleep(500000);
	igt_assert_eq_u64(gpu_model_sanitizer(m, "watched_access"), 0);
	igt_assert_eq(gpu_model_unwatch(m, true, bus, len), 0);
	gpu_model_close(m);
}

/* Without copies all is in place. */
static void works_in_place(struct svm *svm)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	uint64_t pages = UINT64_MAX;

	svm_migrate_on_fault(true);
	svm_cpu_write_pages(p, NR, 0x1000);
	svm_gpu_check_pages(svm, p, NR, 0x1000);
	svm_gpu_write_pages(svm, p, NR, 0x2000);
	igt_assert_eq(nv_svm_bind(&svm->dev, p, SZ_2M, true, &pages), 0);
	igt_assert_eq_u64(pages, 0);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), 0);
	svm_gpu_check_pages(svm, p, NR, 0x2000);
	/* A page that cannot move is the GPU's alone for a while. */
	svm_gpu_add(svm, p, 1, 32);
	igt_assert_eq_u32(*(volatile uint32_t *)p, 0x2000 + 32);
	svm_free(p, SZ_2M);
}

static void new_client_works_in_place(void)
{
	struct svm svm;

	svm_open(&svm);
	works_in_place(&svm);
	svm_close(&svm);
}

/* Bind the driver anew: it is another life. */
static void heal(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm svm;

	svm_driver_unbind(slot);
	svm_driver_bind(slot);
	igt_assert(!wedged());
	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x3000);
	svm_bind_vram(&svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	svm_gpu_write_pages(&svm, p, NR, 0x4000);
	svm_cpu_check_pages(p, NR, 0x4000, false);
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: cpu-fault
 * Description: the engine hangs over a CPU fault: SIGBUS, the page stays and the GPU has it; lost when the driver goes
 */
static void test_cpu_fault(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	uint32_t v = 0, i;
	struct svm svm;

	begin();
	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram(&svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	svm_gpu_write_pages(&svm, p, NR, 0x200);
	hang();
	igt_assert_f(!svm_cpu_try(p, &v), "the CPU reads %#x\n", v);
	igt_assert(wedged());
	igt_assert_eq(go_on(0, 0), 0);
	for (i = 1; i < NR; i += 100)
		igt_assert_f(!svm_cpu_try(p + i * SZ_4K, &v), "the CPU reads %#x in page %u\n", v, i);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	svm_gpu_check_pages(&svm, p, NR, 0x200);
	works_in_place(&svm);
	new_client_works_in_place();
	svm_close(&svm);
	/* Its data goes with the driver, and it can end. */
	svm_driver_unbind(slot);
	igt_assert_f(!svm_cpu_try(p, &v), "the CPU reads %#x\n", v);
	svm_free(p, SZ_2M);
	svm_driver_bind(slot);
	heal();
}

/**
 * SUBTEST: bind
 * Description: the engine hangs over SVM_BIND: nothing has moved, and the memory is not read any more
 */
static void test_bind(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_THP);
	uint64_t bus = svm_page_pfn(p) * SZ_4K, pages = UINT64_MAX;
	struct svm svm;

	begin();
	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x100);
	hang();
	igt_assert_eq(nv_svm_bind(&svm.dev, p, SZ_2M, true, &pages), 0);
	igt_assert_eq(go_on(bus, SZ_2M), 0);
	igt_assert_eq_u64(pages, 0);
	igt_assert(wedged());
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), NR);
	untouched(bus, SZ_2M);
	svm_cpu_check_pages(p, NR, 0x100, true);
	svm_gpu_check_pages(&svm, p, NR, 0x100);
	works_in_place(&svm);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	heal();
}

/**
 * SUBTEST: evict
 * Description: the engine hangs over an eviction: the block stays where it is, and the GPU has its data
 */
static void test_evict(void)
{
	uint64_t before = 0, evictions = 0, pages = UINT64_MAX;
	struct svm svm;
	uint32_t n, i;
	size_t len;
	char *p;

	begin();
	svm_open(&svm);
	len = svm_vram_size(&svm) + 8 * SZ_2M;
	p = svm_alloc(len, PAGES_THP);
	svm_cpu_write_pages(p, (uint32_t)(len / SZ_4K), 0x100);
	/* Until VRAM is full. Nothing but blocks is in there: buffers would move by an engine that hangs as well. */
	igt_assert(svm_driver_counter("evictions", &before));
	for (n = 0, evictions = before; evictions == before; n++) {
		igt_assert_lt_u64((n + 1) * SZ_2M, len);
		svm_bind_vram(&svm, p + n * SZ_2M, SZ_2M);
		igt_assert(svm_driver_counter("evictions", &evictions));
	}
	hang();
	igt_assert_eq(nv_svm_bind(&svm.dev, p + n * SZ_2M, SZ_2M, true, &pages), 0);
	igt_assert_eq(go_on(0, 0), 0);
	igt_assert_eq_u64(pages, 0);
	igt_assert(wedged());
	igt_assert_lte_u64((n - 2) * NR, svm_count_pages(p, len, PAGE_IN_VRAM));
	for (i = 0; i <= n; i++)
		svm_gpu_check_pages(&svm, p + i * SZ_2M, 8, 0x100 + i * (uint32_t)NR);
	works_in_place(&svm);
	svm_close(&svm);
	/* Not needed any more: freed without a copy. */
	svm_free(p, len);
	heal();
}

struct binder {
	struct svm svm;
	char *p;
	uint64_t bus, len, pages;
	pthread_barrier_t *start;
	int err;
};

static struct binder *first_back;

static void *binder_main(void *arg)
{
	struct binder *b = arg, *none = NULL;

	pthread_barrier_wait(b->start);
	nv_svm_bind(&b->svm.dev, b->p, SZ_2M, true, &b->pages);
	/* Whoever is back first has memory that nobody reads any more. */
	if (__atomic_compare_exchange_n(&first_back, &none, b, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		b->err = go_on(b->bus, b->len);
	return NULL;
}

/* Does a thread sleep in the copy engine's code until a fence ends? */
static bool waits_for_fence(const char *task)
{
	char path[320], stack[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stack", task);
	f = fopen(path, "r");
	/* It may be over. */
	if (!f)
		return false;
	len = fread(stack, 1, sizeof(stack) - 1, f);
	stack[len] = '\0';
	fclose(f);
	return strstr(stack, "nouveau_svm_ce_") && strstr(stack, "dma_fence_");
}

/* How many of the driver's threads do, that serve this process's address spaces and do its SVM_BIND? */
static uint32_t services_that_wait(void)
{
	uint32_t nr, i, waiting = 0;
	char task[16];
	pid_t own[16];

	nr = svm_services(own, ARRAY_SIZE(own), NULL);
	for (i = 0; i < nr; i++) {
		snprintf(task, sizeof(task), "%d", own[i]);
		waiting += waits_for_fence(task);
	}
	return waiting;
}

/* While the engine hangs nobody holds the lock: all wait for fences, of their own or for room in the ring. */
static bool all_wait_for_fences(uint32_t n)
{
	uint32_t tries;

	/* The driver gives the engine 15 s. */
	for (tries = 0; tries < 1000 && !wedged(); tries++) {
		if (services_that_wait() == n)
			return true;
		usleep(10000);
	}
	return false;
}

/* @n clients at once, each with a block of which every other page, @holes, is not there. */
static void hang_with(uint32_t n, bool holes)
{
	struct binder b[8] = { 0 };
	pthread_t thread[ARRAY_SIZE(b)];
	pthread_barrier_t start;
	uint32_t i, k;
	bool waited;

	begin();
	igt_assert_eq(pthread_barrier_init(&start, NULL, n), 0);
	first_back = NULL;
	for (i = 0; i < n; i++) {
		svm_open(&b[i].svm);
		b[i].start = &start;
		b[i].pages = UINT64_MAX;
		b[i].p = svm_alloc(SZ_2M, holes ? PAGES_4K : PAGES_THP);
		svm_cpu_write_pages(b[i].p, NR, 0x100 * (i + 1));
		/* A huge page is in one piece, and can be watched. */
		b[i].bus = svm_page_pfn(b[i].p) * SZ_4K;
		b[i].len = holes ? 0 : SZ_2M;
		for (k = 1; holes && k < NR; k += 2)
			igt_assert_eq(madvise(b[i].p + k * SZ_4K, SZ_4K, MADV_DONTNEED), 0);
	}
	hang();
	for (i = 0; i < n; i++)
		igt_assert_eq(pthread_create(&thread[i], NULL, binder_main, &b[i]), 0);
	waited = all_wait_for_fences(n);
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	igt_assert(waited);
	igt_assert(wedged());
	igt_assert_eq(first_back->err, 0);
	if (first_back->len)
		untouched(first_back->bus, first_back->len);
	for (i = 0; i < n; i++) {
		igt_assert_eq_u64(b[i].pages, 0);
		igt_assert_eq_u64(svm_count_pages(b[i].p, SZ_2M, PAGE_IN_VRAM), 0);
		for (k = 0; k < NR; k++)
			igt_assert_eq_u32(*(volatile uint32_t *)(b[i].p + k * SZ_4K),
					  holes && k % 2 ? 0 : 0x100 * (i + 1) + k);
		works_in_place(&b[i].svm);
	}
	for (i = 0; i < n; i++) {
		svm_close(&b[i].svm);
		svm_free(b[i].p, SZ_2M);
	}
	pthread_barrier_destroy(&start);
	heal();
}

/**
 * SUBTEST: two-at-once
 * Description: the engine hangs over the copies of two clients: neither is told before it has been stopped
 */
static void test_two(void)
{
	hang_with(2, false);
}

/**
 * SUBTEST: ring-full
 * Description: the engine hangs, and more copies come than the ring holds
 */
static void test_ring(void)
{
	/* Two of them fill it: 256 copies and 256 clears, 22 KiB of commands each, and the ring has 64 KiB. */
	hang_with(4, true);
}

static uint64_t copy_errors(void)
{
	uint64_t v = 0;

	igt_assert(svm_driver_counter("copy_errors", &v));
	return v;
}

/**
 * SUBTEST: idle-channel-killed
 * Description: the channel for copies is killed while nothing is copied: no access to memory fails for that
 */
static void test_idle_killed(void)
{
	uint64_t errors, pages = UINT64_MAX, killed = svm_injected("chan_error");
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	uint32_t v = 0;
	struct svm svm;

	begin();
	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram(&svm, p, SZ_2M);
	svm_gpu_write_pages(&svm, p, NR, 0x200);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	errors = copy_errors();

	igt_assert_eq(svm_kill_channel(svm_copy_channel()), 0);
	igt_assert_f(svm_cpu_try(p, &v), "SIGBUS, though nothing of it was copied\n");
	igt_assert_eq_u32(v, 0x200);
	igt_assert_eq_u64(copy_errors(), errors);
	svm_cpu_check_pages(p, NR, 0x200, false);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), NR);

	/* And the one that took its place. */
	svm_bind_vram(&svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	igt_assert_eq(svm_kill_channel(svm_copy_channel()), 0);
	igt_assert_f(svm_cpu_try(p + SZ_1M, &v), "SIGBUS, though nothing of it was copied\n");
	igt_assert_eq_u32(v, 0x200 + NR / 2);
	svm_cpu_check_pages(p, NR, 0x200, false);
	igt_assert_eq(nv_svm_bind(&svm.dev, p, SZ_2M, true, &pages), 0);
	igt_assert_eq_u64(pages, NR);
	igt_assert_eq_u64(copy_errors(), errors);
	igt_assert_eq_u64(svm_injected("chan_error") - killed, 2);
	igt_assert(!wedged());
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/* A program without SVM, which has a channel for copies. */
struct plain {
	struct nv_dev dev;
	struct nv_bo data;
	struct nv_chan chan;
};

static void plain_open(struct plain *plain)
{
	igt_assert_eq(nv_dev_init(&plain->dev, drm_open_driver_render(DRIVER_ANY)), 0);
	igt_assert_eq(nv_chan_new(&plain->dev, NV_ENGINE_CE, &plain->chan), 0);
	igt_assert_eq(nv_bo_new(&plain->dev, SZ_64K, NOUVEAU_GEM_DOMAIN_GART, &plain->data), 0);
}

static void plain_close(struct plain *plain)
{
	nv_bo_del(&plain->data);
	nv_chan_del(&plain->chan);
	nv_dev_close(&plain->dev);
}

/* Copies a page. -ENODEV: nothing is there, and the channel is gone. */
static int plain_copy(struct plain *plain, uint64_t dst, uint64_t src)
{
	int err;

	nv_use(&plain->chan, &plain->data);
	nv_copy(&plain->chan, dst, src, SZ_4K);
	err = nv_submit(&plain->chan);
	return err ? err : nv_wait(&plain->chan, 0);
}

static bool plain_owns(const struct plain *plain, uint64_t va)
{
	const struct nv_bo *const bo[] = { &plain->data, &plain->chan.push, &plain->chan.code, &plain->chan.launch,
					   &plain->chan.fence };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bo); i++)
		if (va - bo[i]->va < bo[i]->size)
			return true;
	return false;
}

/*
 * Does the kernel find in the page at @va which fences are over? It has 16 bytes for each channel, a number and a time.
 * With another submission both of them have grown for that channel, and nothing else has changed.
 */
static bool has_fences(struct plain *plain, uint64_t va)
{
	const uint32_t *a = plain->data.map, *b = a + SZ_4K / 4;
	uint32_t i, grown = 0, other = 0;

	if (plain_copy(plain, plain->data.va, va) || plain_copy(plain, plain->data.va + SZ_4K, va))
		return false;
	for (i = 0; i < SZ_4K / 4; i += 4) {
		if (!memcmp(a + i, b + i, 16))
			continue;
		if (b[i] - a[i] == 1 && a[i + 1] == b[i + 1] && a[i + 2] != b[i + 2])
			grown++;
		else
			other++;
	}
	return grown == 1 && !other;
}

struct toucher {
	const char *p;
	bool ok;
	pid_t tid;
	uint32_t word;
	int busy;
	/* all at once, if not NULL: a thread cannot be made while a copy hangs */
	pthread_barrier_t *start;
};

/* Is the engine at work, or soon at rest? Whoever hangs does not come to rest. */
static int engine_busy(void)
{
	struct gpu_model *m = gpu_model_open(0);
	int err = m ? gpu_model_wait_idle(m, 1000) : -ENOENT;

	if (m)
		gpu_model_close(m);
	return err;
}

static void *toucher_main(void *arg)
{
	struct toucher *t = arg;

	if (t->start)
		pthread_barrier_wait(t->start);
	__atomic_store_n(&t->tid, gettid(), __ATOMIC_RELEASE);
	t->ok = svm_cpu_try(t->p, &t->word);
	/* What was told has to be true now. */
	t->busy = engine_busy();
	return NULL;
}

/**
 * SUBTEST: forged-fence
 * Description: another program writes to the words that tell of the ends of fences: no copy is taken for done that is not
 */
static void test_forged(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_THP);
	pthread_barrier_t start;
	struct toucher t = { .p = p, .start = &start };
	struct plain plain;
	uint32_t i, nr = 0;
	pthread_t thread;
	struct svm svm;
	uint64_t va;

	begin();
	/* The kernel maps them when the channel is made; who looks where nothing is loses its channel. */
	for (va = SZ_4K; va < SZ_1M; va += SZ_4K) {
		plain_open(&plain);
		if (!plain_owns(&plain, va) && has_fences(&plain, va))
			break;
		plain_close(&plain);
	}
	igt_assert_f(va < SZ_1M, "where fences are told was not found\n");

	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram(&svm, p, SZ_2M);
	svm_gpu_write_pages(&svm, p, NR, 0x200);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);

	/* There it says now that all fences are over up to a number that is far off, whichever channel it is. */
	for (i = 0; i < SZ_4K / 4; i++)
		((volatile uint32_t *)plain.data.map)[i] = 0x20000000;
	for (; !plain_owns(&plain, va) && !plain_copy(&plain, va, plain.data.va); va += SZ_4K)
		nr++;
	igt_assert_lte(1, (int)nr);
	igt_assert_eq(pthread_barrier_init(&start, NULL, 2), 0);
	igt_assert_eq(pthread_create(&thread, NULL, toucher_main, &t), 0);
	/* The engine takes two seconds before it begins. */
	hang();
	pthread_barrier_wait(&start);
	usleep(2000000);
	igt_assert_eq(go_on(0, 0), 0);
	pthread_join(thread, NULL);
	igt_assert(t.ok);
	igt_assert_eq_u32(t.word, 0x200);
	igt_assert_eq(t.busy, 0);
	igt_assert(!wedged());
	svm_cpu_check_pages(p, NR, 0x200, false);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), NR);
	svm_gpu_check_pages(&svm, p, NR, 0x200);
	svm_close(&svm);
	plain_close(&plain);
	svm_free(p, SZ_2M);
	pthread_barrier_destroy(&start);
	/* Other channels' words are wrong too. */
	heal();
}

static bool comes_to_wait(const pid_t *tid)
{
	char task[64];
	int tries;

	for (tries = 0; tries < 1000 && !wedged(); tries++) {
		snprintf(task, sizeof(task), "self/task/%d", __atomic_load_n(tid, __ATOMIC_ACQUIRE));
		if (waits_for_fence(task))
			return true;
		usleep(10000);
	}
	return false;
}

/**
 * SUBTEST: killed-cpu-fault
 * Description: the channel is killed over the copy of a CPU fault: SIGBUS comes when the engine has let go of it
 */
static void test_killed_cpu_fault(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct toucher t = { .p = p };
	uint64_t errors, id;
	pthread_t thread;
	struct svm svm;
	bool waited;
	int err;

	begin();
	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram(&svm, p, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_VRAM), NR);
	svm_gpu_write_pages(&svm, p, NR, 0x200);
	errors = copy_errors();
	id = svm_copy_channel();
	hang();
	igt_assert_eq(pthread_create(&thread, NULL, toucher_main, &t), 0);
	waited = comes_to_wait(&t.tid);
	err = svm_kill_channel(id);
	pthread_join(thread, NULL);
	igt_assert_eq(go_on(0, 0), 0);
	igt_assert(waited);
	igt_assert_eq(err, 0);
	igt_assert_f(!t.ok, "the CPU reads %#x\n", t.word);
	igt_assert_f(t.busy == 0, "the copy was under way when it had failed: %s\n", strerror(-t.busy));
	igt_assert_eq_u64(copy_errors(), errors + 1);
	igt_assert(!wedged());
	/* With the next channel it succeeds. */
	svm_cpu_check_pages(p, NR, 0x200, false);
	igt_assert_eq_u64(copy_errors(), errors + 1);
	svm_injected("chan_error");
	svm_close(&svm);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: killed-cpu-faults
 * Description: the channel is killed over the copies of four CPU faults: copies on the next one are waited for
 */
static void test_killed_cpu_faults(void)
{
	char *p = svm_alloc(4 * SZ_2M, PAGES_THP);
	struct toucher t[4] = { 0 };
	pthread_barrier_t start;
	uint64_t errors, id;
	pthread_t thread[4];
	bool waited = true;
	struct svm svm;
	int err, i;

	begin();
	svm_open(&svm);
	svm_cpu_write_pages(p, 4 * NR, 0x100);
	svm_bind_vram(&svm, p, 4 * SZ_2M);
	igt_assert_eq_u64(svm_count_pages(p, 4 * SZ_2M, PAGE_IN_VRAM), 4 * NR);
	svm_gpu_write_pages(&svm, p, 4 * NR, 0x200);
	errors = copy_errors();
	id = svm_copy_channel();
	igt_assert_eq(pthread_barrier_init(&start, NULL, 5), 0);
	for (i = 0; i < 4; i++) {
		t[i].p = p + i * SZ_2M;
		t[i].start = &start;
		igt_assert_eq(pthread_create(&thread[i], NULL, toucher_main, &t[i]), 0);
	}
	hang();
	pthread_barrier_wait(&start);
	for (i = 0; i < 4; i++)
		waited &= comes_to_wait(&t[i].tid);
	err = svm_kill_channel(id);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	igt_assert_eq(go_on(0, 0), 0);
	igt_assert(waited);
	igt_assert_eq(err, 0);
	for (i = 0; i < 4; i++)
		igt_assert_f(!t[i].ok, "the CPU reads %#x\n", t[i].word);
	igt_assert_eq_u64(copy_errors(), errors + 4);
	igt_assert(!wedged());
	/* The next may have the number of the first. What that one's last fences were, no other's must be taken for. */
	svm_inject(&(struct gpu_model_inject){ .point = "link", .launch_us = 300000 });
	svm_cpu_check_pages(p, 4 * NR, 0x200, false);
	svm_injected("link");
	igt_assert_eq_u64(copy_errors(), errors + 4);
	igt_assert(!wedged());
	svm_injected("chan_error");
	pthread_barrier_destroy(&start);
	svm_close(&svm);
	svm_free(p, 4 * SZ_2M);
}

/**
 * SUBTEST: killed-bind
 * Description: the channel is killed over SVM_BIND: when that is back, nobody reads the memory any more
 */
static void test_killed_bind(void)
{
	char *p = svm_alloc(SZ_2M, PAGES_4K), *q = svm_alloc(SZ_2M, PAGES_THP);
	struct binder b = { .p = q, .len = SZ_2M, .pages = UINT64_MAX };
	pthread_barrier_t start;
	uint64_t errors, id;
	pthread_t thread;
	bool waited;
	int err;

	begin();
	svm_open(&b.svm);
	/* So that it is known which channel it is. */
	svm_bind_vram(&b.svm, p, SZ_2M);
	svm_cpu_write_pages(q, NR, 0x100);
	/* A huge page is in one piece, and can be watched. */
	b.bus = svm_page_pfn(q) * SZ_4K;
	errors = copy_errors();
	igt_assert_eq(pthread_barrier_init(&start, NULL, 1), 0);
	b.start = &start;
	first_back = NULL;
	id = svm_copy_channel();
	hang();
	igt_assert_eq(pthread_create(&thread, NULL, binder_main, &b), 0);
	waited = all_wait_for_fences(1);
	err = svm_kill_channel(id);
	pthread_join(thread, NULL);
	igt_assert(waited);
	igt_assert_eq(err, 0);
	igt_assert_eq(b.err, 0);
	untouched(b.bus, b.len);
	igt_assert_eq_u64(b.pages, 0);
	igt_assert_eq_u64(copy_errors(), errors + 1);
	igt_assert(!wedged());
	igt_assert_eq_u64(svm_count_pages(q, SZ_2M, PAGE_IN_RAM), NR);
	svm_cpu_check_pages(q, NR, 0x100, true);
	/* The next channel is there, sooner or later. */
	svm_cpu_check_pages(p, 1, 0, false);
	svm_bind_vram(&b.svm, q, SZ_2M);
	igt_assert_eq_u64(svm_count_pages(q, SZ_2M, PAGE_IN_VRAM), NR);
	svm_cpu_check_pages(q, NR, 0x100, true);
	svm_injected("chan_error");
	pthread_barrier_destroy(&start);
	svm_close(&b.svm);
	svm_free(p, SZ_2M);
	svm_free(q, SZ_2M);
}

/**
 * SUBTEST: killed-unbind
 * Description: the channel was killed, and it takes 5 s to make another: unbind waits for it, no data is lost
 */
static void test_killed_unbind(void)
{
	char *p = svm_alloc(3 * SZ_2M, PAGES_THP);
	struct svm svm;

	begin();
	svm_open(&svm);
	svm_cpu_write_pages(p, 3 * NR, 0x100);
	svm_bind_vram(&svm, p, 3 * SZ_2M);
	svm_gpu_write_pages(&svm, p, 3 * NR, 0x200);
	igt_assert_eq_u64(svm_count_pages(p, 3 * SZ_2M, PAGE_IN_VRAM), 3 * NR);
	svm_fail_in("nouveau_svm_ce_work", 1);
	igt_assert_eq(svm_kill_channel(svm_copy_channel()), 0);
	svm_driver_unbind(slot);
	svm_cpu_check_pages(p, 3 * NR, 0x200, false);
	igt_assert_eq_u32(svm_fail_in_left(), 0);
	svm_injected("chan_error");
	svm_close(&svm);
	svm_driver_bind(slot);
	svm_free(p, 3 * SZ_2M);
}

int igt_main()
{
	igt_fixture()
		igt_require_f(svm_driver_open(), "this driver does not say whether it is wedged\n");
	igt_describe("The engine hangs over a CPU fault");
	igt_subtest("cpu-fault")
		test_cpu_fault();
	igt_describe("The engine hangs over SVM_BIND");
	igt_subtest("bind")
		test_bind();
	igt_describe("The engine hangs over an eviction");
	igt_subtest("evict")
		test_evict();
	igt_describe("The engine hangs over the copies of two clients");
	igt_subtest("two-at-once")
		test_two();
	igt_describe("The engine hangs with the ring full");
	igt_subtest("ring-full")
		test_ring();
	igt_describe("Another program says that a copy is over");
	igt_subtest("forged-fence")
		test_forged();
	igt_describe("The channel is killed while it is idle");
	igt_subtest("idle-channel-killed")
		test_idle_killed();
	igt_describe("The channel is killed over a CPU fault");
	igt_subtest("killed-cpu-fault")
		test_killed_cpu_fault();
	igt_describe("The channel is killed over the copies of four CPU faults");
	igt_subtest("killed-cpu-faults")
		test_killed_cpu_faults();
	igt_describe("The channel is killed over SVM_BIND");
	igt_subtest("killed-bind")
		test_killed_bind();
	igt_describe("The driver is unbound while the channel that was killed is replaced");
	igt_subtest("killed-unbind")
		test_killed_unbind();
}
