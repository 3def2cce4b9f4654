// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm evict
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: more data than VRAM
 * Description: VRAM runs short, by buffers and by shared memory itself, while owners live and when they are dead
 *
 * Wants VRAM of 256 MiB (vm/run --model=vram=256M), so that memory holds several
 * times that.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("More data than VRAM.");

#define NR (SZ_2M / SZ_4K)

static uint32_t pages_of(size_t len)
{
	return (uint32_t)(len / SZ_4K);
}

static size_t in_vram(const char *p, size_t len)
{
	return svm_count_pages(p, len, PAGE_IN_VRAM);
}

/* One warp reads the first word of each page in order; the sum tells whether all were right. */
static void walk_sum(struct svm *svm, const char *p, uint32_t n, uint32_t sum)
{
	const struct nv_args args = { .dst = svm->out.va, .src = (uintptr_t)p, .count = n };
	volatile uint32_t *out = svm->out.map;

	nv_use(&svm->chan, &svm->out);
	igt_assert_eq(nv_run(&svm->chan, &svm->walk_page, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq_u32(out[0], sum);
}

static uint32_t sum_of(uint32_t n, uint32_t first)
{
	uint32_t sum = 0, i;

	for (i = 0; i < n; i++)
		sum += first + i;
	return sum;
}

static void walk(struct svm *svm, const char *p, uint32_t n, uint32_t first)
{
	walk_sum(svm, p, n, sum_of(n, first));
}

/* GPU writes, page by page of @n, in pieces that one launch takes. */
static void gpu_write(struct svm *svm, char *p, uint32_t n, uint32_t first)
{
	uint32_t i;

	for (i = 0; i < n; i += 4 * NR)
		svm_gpu_write_pages(svm, p + i * SZ_4K, n - i < 4 * NR ? n - i : 4 * NR, first + i);
}

/**
 * SUBTEST: by-buffers-%s
 * Description: buffers want the VRAM that data (%arg[1]) is in: it goes back to RAM, and is right
 *
 * arg[1]:
 *
 * @4k: 4 KiB pages
 * @thp: huge pages
 */
static void test_buffers(struct svm *svm, enum page_kind kind)
{
	const size_t len = 32 * SZ_1M;
	char *p = svm_alloc(len, kind);
	struct svm_vram fill;

	svm_cpu_write_pages(p, pages_of(len), 0x100);
	gpu_write(svm, p, pages_of(len), 0x200);
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), pages_of(len));
	svm_vram_fill(svm, &fill);
	igt_assert_lte((int)svm_count_pages(p, len, PAGE_IN_VRAM), (int)pages_of(len) / 8);
	walk(svm, p, pages_of(len), 0x200);
	gpu_write(svm, p, pages_of(len), 0x300);
	svm_cpu_check_pages(p, pages_of(len), 0x300, false);
	svm_vram_release(&fill);
	walk(svm, p, pages_of(len), 0x300);
	svm_free(p, len);
}

/**
 * SUBTEST: by-bind
 * Description: SVM_BIND of 1.5 times VRAM, piece by piece: each piece gets in, all data is right
 */
static void test_bind(struct svm *svm)
{
	const size_t len = svm_vram_size(svm) / 2 * 3 / (16 * SZ_1M) * 16 * SZ_1M;
	char *p = svm_alloc(len, PAGES_THP);
	size_t i;

	svm_cpu_write_pages(p, pages_of(len), 0x400);
	for (i = 0; i < len; i += 16 * SZ_1M) {
		svm_bind_vram(svm, p + i, 16 * SZ_1M);
		igt_assert_eq_u64(svm_count_pages(p + i, 16 * SZ_1M, PAGE_IN_VRAM), pages_of(16 * SZ_1M));
	}
	walk(svm, p, pages_of(len), 0x400);
	svm_cpu_check_pages(p, pages_of(len), 0x400, true);
	svm_free(p, len);
}

struct binder {
	struct svm *svm;
	char *p;
	size_t len;
	uint64_t pages;
	int ret;
};

static void *binder_main(void *arg)
{
	struct binder *b = arg;

	b->ret = nv_svm_bind(&b->svm->dev, b->p, b->len, true, &b->pages);
	return NULL;
}

/**
 * SUBTEST: bind-beside-fault
 * Description: SVM_BIND waits for VRAM that a kernel uses; that kernel touches new memory: it is served meanwhile
 */
static void test_bind_beside_fault(struct svm *svm)
{
	struct binder b = { .svm = svm, .len = svm_vram_size(svm) / 16 * 5, .ret = -1 };
	char *p = svm_alloc(SZ_2M, PAGES_4K);
	struct svm_busy busy;
	pthread_t thread;

	b.p = svm_alloc(b.len, PAGES_THP);
	svm_cpu_write_pages(p, NR, 0x440);
	svm_cpu_write_pages(b.p, pages_of(b.len), 0x480);
	svm_busy_begin(svm, &busy, p + 3 * SZ_4K);
	igt_assert_eq(pthread_create(&thread, NULL, binder_main, &b), 0);
	/* It has taken what is free, and waits for the rest. */
	usleep(2000000);
	igt_assert_f(b.ret == -1, "SVM_BIND is over already: %d, %" PRIu64 " pages of %u\n", b.ret, b.pages,
		     pages_of(b.len));
	svm_busy_go(&busy);
	/* TTM waits for 15 seconds for each buffer. */
	igt_assert_eq_u32(svm_busy_end(&busy, 10000), 0x443);
	pthread_join(thread, NULL);
	igt_assert_eq(b.ret, 0);
	igt_assert_eq_u64(b.pages, pages_of(b.len));
	svm_cpu_check_pages(b.p, pages_of(b.len), 0x480, true);
	svm_free(b.p, b.len);
	svm_free(p, SZ_2M);
}

/**
 * SUBTEST: three-times-read
 * Description: a working set of three times VRAM, the GPU reads all of it, twice
 */
static void test_three_read(struct svm *svm)
{
	const size_t len = 3 * svm_vram_size(svm);
	char *p = svm_alloc(len, PAGES_THP);

	svm_cpu_write_pages(p, pages_of(len), 0x500);
	walk(svm, p, pages_of(len), 0x500);
	svm_cpu_check_pages(p, pages_of(len), 0x500, true);
	walk(svm, p, pages_of(len), 0x500);
	svm_free(p, len);
}

/**
 * SUBTEST: three-times-write
 * Description: a working set of three times VRAM, the GPU writes 64 pages of each block and reads all of it
 */
static void test_three_write(struct svm *svm)
{
	const size_t len = 3 * svm_vram_size(svm);
	char *p = svm_alloc(len, PAGES_THP);
	uint32_t n = pages_of(len), i;

	svm_cpu_write_pages(p, n, 0x500);
	for (i = 0; i < n; i += NR)
		svm_gpu_write_pages(svm, p + i * SZ_4K, 64, 0x600 + i);
	walk_sum(svm, p, n, sum_of(n, 0x500) + n / NR * 64 * 0x100);
	for (i = 0; i < n; i += NR) {
		svm_cpu_check_pages(p + i * SZ_4K, 64, 0x600 + i, false);
		svm_cpu_check_pages(p + (i + 64) * SZ_4K, NR - 64, 0x500 + i + 64, true);
	}
	walk_sum(svm, p, n, sum_of(n, 0x500) + n / NR * 64 * 0x100);
	svm_free(p, len);
}

/**
 * SUBTEST: dead-owner
 * Description: a child shares what is in VRAM, its parent is gone: buffers get the VRAM, the child its data
 */
static void test_dead_owner(struct svm *svm)
{
	const size_t len = 16 * SZ_1M;
	int go[2], out[2], st;
	struct svm_vram fill;
	char c = 0;
	pid_t pid;

	igt_assert_eq(pipe(go), 0);
	igt_assert_eq(pipe(out), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		struct svm mine;
		uint32_t i;
		char *p;

		close(svm->dev.fd);
		p = svm_alloc(len, PAGES_4K);
		svm_open(&mine);
		svm_cpu_write_pages(p, pages_of(len), 0x700);
		gpu_write(&mine, p, pages_of(len), 0x800);
		igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), pages_of(len));
		pid = fork();
		if (pid)
			_exit(pid < 0);
		close(mine.dev.fd);
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		c = svm_count_pages(p, len, PAGE_IN_VRAM) > pages_of(len) / 8 ? 'v' : 'x';
		for (i = 0; i < pages_of(len) && c == 'x'; i++)
			if (*(volatile uint32_t *)(p + i * SZ_4K) != 0x800 + i)
				c = 'n';
		if (write(out[1], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	igt_assert_eq(st, 0);
	svm_vram_fill(svm, &fill);
	igt_assert_eq((int)write(go[1], "x", 1), 1);
	igt_assert_eq((int)read(out[0], &c, 1), 1);
	igt_assert_f(c != 'v', "the child's data is still in VRAM\n");
	igt_assert_f(c == 'x', "the child reads other data\n");
	svm_vram_release(&fill);
}

/* A kernel that adds one to each page of @p, again and again. */
struct worker {
	struct svm *svm;
	char *p;
	size_t len;
	uint32_t rounds;
	int err;
	bool stop;
};

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	const struct nv_args args = { .dst = (uintptr_t)w->p, .value = 1 };

	while (!w->err && !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		w->err = nv_run(&w->svm->chan, &w->svm->add_page, pages_of(w->len) / NV_THREADS, NV_THREADS, &args,
				sizeof(args));
		__atomic_fetch_add(&w->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* It gets @rounds further. */
static void worker_goes_on(struct worker *w, uint32_t rounds)
{
	uint32_t first = __atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE);
	uint64_t end = svm_now_us() + 60 * 1000000;

	while (__atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE) - first < rounds && svm_now_us() < end)
		usleep(1000);
	igt_assert_lte_u64(rounds, __atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE) - first);
}

/**
 * SUBTEST: while-working
 * Description: buffers take VRAM from memory that a kernel adds to, again and again: no sum is lost
 */
static void test_while(struct svm *svm)
{
	struct worker w = { .svm = svm, .len = 8 * SZ_1M };
	uint64_t before, after;
	struct svm_vram fill;
	pthread_t thread;
	uint32_t i, turn;
	struct svm other;

	svm_open(&other);
	w.p = svm_alloc(w.len, PAGES_THP);
	igt_assert_eq(pthread_create(&thread, NULL, worker_main, &w), 0);
	for (turn = 0; turn < 4; turn++) {
		svm_bind_vram(svm, w.p, w.len);
		worker_goes_on(&w, 1);
		igt_assert_lt(0, (int)in_vram(w.p, w.len));
		igt_require(svm_driver_counter("evictions", &before));
		svm_vram_fill(&other, &fill);
		igt_assert(svm_driver_counter("evictions", &after));
		igt_info("%" PRIu64 " evictions, round %u\n", after - before, w.rounds);
		igt_assert_lte_u64(before + w.len / SZ_2M, after);
		worker_goes_on(&w, 2);
		svm_vram_release(&fill);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	igt_assert_eq(w.err, 0);
	for (i = 0; i < pages_of(w.len); i++)
		igt_assert_eq_u32(*(volatile uint32_t *)(w.p + i * SZ_4K), w.rounds);
	svm_close(&other);
	svm_free(w.p, w.len);
}

/*
 * RAM without a free huge page, and none that compaction can make: a page of each 64 KiB is pinned, the others are
 * free, and what huge pages there are elsewhere are taken.
 */
struct hog {
	char *small, *huge;
	size_t small_len, huge_len;
	int pin[4];
	unsigned int pins;
};

static size_t available(void)
{
	uint64_t kib = 0, n;
	char line[256];
	FILE *f = fopen("/proc/meminfo", "re");

	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64, &n) == 1)
			kib = n;
	fclose(f);
	return kib * 1024;
}

static char *hog_map(size_t len, int advice)
{
	char *p = mmap(NULL, len + SZ_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	igt_assert(p != MAP_FAILED);
	p = (char *)(((uintptr_t)p + SZ_2M - 1) & ~(SZ_2M - 1));
	igt_assert_eq(madvise(p, len, advice), 0);
	return p;
}

static void hog_begin(struct hog *hog)
{
	const size_t left = 128 * SZ_1M, per_pin = 16384 * SZ_64K;
	struct iovec *iov = calloc(16384, sizeof(*iov));
	size_t at, n;

	memset(hog, 0, sizeof(*hog));
	hog->small_len = (available() - left) & ~(SZ_64K - 1);
	hog->small = hog_map(hog->small_len, MADV_NOHUGEPAGE);
	igt_assert(iov && hog->small_len <= ARRAY_SIZE(hog->pin) * per_pin);
	for (at = 0; at < hog->small_len; at += SZ_4K)
		hog->small[at] = 1;
	for (at = 0; at < hog->small_len;) {
		for (n = 0; n < 16384 && at < hog->small_len; n++, at += SZ_64K)
			iov[n] = (struct iovec){ .iov_base = hog->small + at, .iov_len = SZ_4K };
		hog->pin[hog->pins++] = svm_pin_all(iov, (unsigned int)n);
	}
	free(iov);
	for (at = 0; at < hog->small_len; at += SZ_64K)
		igt_assert_eq(madvise(hog->small + at + SZ_4K, SZ_64K - SZ_4K, MADV_DONTNEED), 0);

	hog->huge_len = 2 * left;
	hog->huge = hog_map(hog->huge_len, MADV_HUGEPAGE);
	for (at = 0, n = 0; at < hog->huge_len && n < 4; at += SZ_2M) {
		hog->huge[at] = 1;
		n = svm_page_is_thp(hog->huge + at) ? 0 : n + 1;
	}
	igt_assert_lt(0, (int)n);
	igt_info("%zu huge pages were left\n", at / SZ_2M - n);
}

static void hog_end(struct hog *hog)
{
	while (hog->pins)
		close(hog->pin[--hog->pins]);
	munmap(hog->small, hog->small_len);
	munmap(hog->huge, hog->huge_len);
}

/* Buffers take VRAM, RAM has no free huge page. Return: how many pages of @p @left() then finds in VRAM. */
static size_t pressed_out(struct svm *svm, size_t (*left)(const char *p, size_t len), const char *p, size_t len)
{
	struct svm_vram fill;
	struct hog hog;
	size_t n;

	hog_begin(&hog);
	svm_vram_fill(svm, &fill);
	n = left(p, len);
	svm_vram_release(&fill);
	hog_end(&hog);
	return n;
}

/**
 * SUBTEST: no-order-9-%s
 * Description: buffers want VRAM, RAM has no free huge page: huge pages (%arg[1]) leave VRAM as small ones
 *
 * arg[1]:
 *
 * @buffers: where they were put
 * @moved: moved to another address since
 */
static void test_no_order_9_buffers(struct svm *svm, bool moved)
{
	const size_t len = 32 * SZ_1M;
	char *p = svm_alloc(len, PAGES_THP), *q = p;
	size_t left;

	svm_cpu_write_pages(p, pages_of(len), 0xb00);
	gpu_write(svm, p, pages_of(len), 0xc00);
	if (moved) {
		q = svm_alloc(len, PAGES_THP);
		igt_assert(mremap(p, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	}
	igt_assert_eq_u64(in_vram(q, len), pages_of(len));
	left = pressed_out(svm, in_vram, q, len);
	igt_assert_lte((int)left, (int)pages_of(len) / 8);
	svm_cpu_check_pages(q, pages_of(len), 0xc00, false);
	svm_free(q, len);
}

/* A child that has what its parent brought to VRAM, and answers by a pipe. */
static struct {
	int ask[2], say[2];
	pid_t owner;
} heir;

/* Owner: moves memory to VRAM, leaves it to a child, and ends, or (@unmaps) lets go of it only. */
static void heir_owner(size_t len, bool unmaps)
{
	struct svm mine;
	uint32_t i;
	size_t n;
	char *p, c;

	/* Not longer than the test. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	svm_open(&mine);
	p = svm_alloc(len, PAGES_THP);
	svm_cpu_write_pages(p, pages_of(len), 0xd00);
	gpu_write(&mine, p, pages_of(len), 0xe00);
	igt_assert_eq_u64(in_vram(p, len), pages_of(len));
	if (fork()) {
		if (unmaps)
			munmap(p, len);
		while (unmaps)
			pause();
		_exit(0);
	}
	close(mine.dev.fd);
	n = in_vram(p, len);
	while (write(heir.say[1], &n, sizeof(n)) == sizeof(n) && read(heir.ask[0], &c, 1) == 1) {
		n = in_vram(p, len);
		for (i = 0; c == 'd' && i < pages_of(len); i++)
			if (*(volatile uint32_t *)(p + i * SZ_4K) != 0xe00 + i)
				n = SIZE_MAX;
	}
	_exit(0);
}

static size_t heir_ask(const char *what)
{
	size_t n = 0;

	igt_assert_eq((int)write(heir.ask[1], what, 1), 1);
	igt_assert_eq((int)read(heir.say[0], &n, sizeof(n)), (int)sizeof(n));
	return n;
}

static size_t heir_left(const char *p, size_t len)
{
	return heir_ask("n");
}

/**
 * SUBTEST: no-order-9-%s
 * Description: the same for huge pages that only a child has; its parent %arg[1]
 *
 * arg[1]:
 *
 * @dead-owner: is gone
 * @unmapped: has unmapped them
 */
static void test_no_order_9_heir(struct svm *svm, bool unmaps)
{
	const size_t len = 32 * SZ_1M;
	size_t left;
	int st;

	igt_assert_eq(pipe(heir.ask), 0);
	igt_assert_eq(pipe(heir.say), 0);
	heir.owner = fork();
	igt_assert(heir.owner >= 0);
	if (!heir.owner) {
		close(svm->dev.fd);
		close(heir.ask[1]);
		heir_owner(len, unmaps);
	}
	close(heir.ask[0]);
	close(heir.say[1]);
	igt_assert_eq((int)read(heir.say[0], &left, sizeof(left)), (int)sizeof(left));
	igt_assert_eq_u64(left, pages_of(len));
	if (!unmaps) {
		igt_assert_eq(waitpid(heir.owner, &st, 0), heir.owner);
		igt_assert_eq(st, 0);
	}
	left = pressed_out(svm, heir_left, NULL, 0);
	igt_assert_lte((int)left, (int)pages_of(len) / 8);
	igt_assert_f(heir_ask("d") != SIZE_MAX, "the child reads other data\n");
	if (unmaps) {
		kill(heir.owner, SIGKILL);
		igt_assert_eq(waitpid(heir.owner, &st, 0), heir.owner);
	}
	close(heir.ask[1]);
	close(heir.say[0]);
}

/* Blocks of @p that are huge pages in RAM. */
static size_t huge_blocks(const char *p, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i += SZ_2M)
		n += svm_page_is_thp(p + i);
	return n;
}

/**
 * SUBTEST: no-order-9
 * Description: what the CPU brings back from VRAM comes in huge pages, and in small ones when RAM has no free huge page
 */
static void test_no_order_9(struct svm *svm)
{
	const size_t len = 32 * SZ_1M;
	char *p = svm_alloc(len, PAGES_THP);
	struct hog hog;
	uint32_t i;

	svm_cpu_write_pages(p, pages_of(len), 0x900);
	gpu_write(svm, p, pages_of(len), 0xa00);
	igt_assert_eq_u64(in_vram(p, len), pages_of(len));
	svm_cpu_check_pages(p, pages_of(len), 0xa00, false);
	igt_assert_lte((int)(len / SZ_2M / 2), (int)huge_blocks(p, len));

	gpu_write(svm, p, pages_of(len), 0xa80);
	igt_assert_eq_u64(in_vram(p, len), pages_of(len));
	hog_begin(&hog);
	svm_cpu_check_pages(p, pages_of(len), 0xa80, false);
	/* Compaction, which finds nothing, has some in its hands. */
	for (i = 0; i < 100 && svm_count_pages(p, len, PAGE_IN_RAM) < pages_of(len); i++)
		usleep(100000);
	igt_assert_lt((int)i, 100);
	/* Compaction that was put off may make some later. */
	igt_info("%zu huge blocks\n", huge_blocks(p, len));
	igt_assert_lt((int)huge_blocks(p, len), (int)(len / SZ_2M / 2));
	hog_end(&hog);
	walk(svm, p, pages_of(len), 0xa80);
	svm_free(p, len);
}

int igt_main()
{
	struct svm svm;

	igt_subtest_group() {
		igt_fixture() {
			svm_open(&svm);
			svm_migrate_on_fault(true);
			igt_require_f(svm_vram_size(&svm) <= 256 * SZ_1M, "VRAM of 256 MiB or less\n");
		}
		igt_describe("Buffers want VRAM");
		igt_subtest("by-buffers-4k")
			test_buffers(&svm, PAGES_4K);
		igt_subtest("by-buffers-thp")
			test_buffers(&svm, PAGES_THP);
		igt_describe("SVM_BIND wants VRAM");
		igt_subtest("by-bind")
			test_bind(&svm);
		igt_subtest("bind-beside-fault")
			test_bind_beside_fault(&svm);
		igt_describe("Three times VRAM");
		igt_subtest("three-times-read")
			test_three_read(&svm);
		igt_subtest("three-times-write")
			test_three_write(&svm);
		igt_describe("The owner is dead");
		igt_subtest("dead-owner")
			test_dead_owner(&svm);
		igt_describe("A kernel works on it");
		igt_subtest("while-working")
			test_while(&svm);
		igt_describe("RAM is in pieces");
		igt_subtest("no-order-9")
			test_no_order_9(&svm);
		igt_subtest("no-order-9-buffers")
			test_no_order_9_buffers(&svm, false);
		igt_subtest("no-order-9-moved")
			test_no_order_9_buffers(&svm, true);
		igt_subtest("no-order-9-dead-owner")
			test_no_order_9_heir(&svm, false);
		igt_subtest("no-order-9-unmapped")
			test_no_order_9_heir(&svm, true);
		igt_fixture()
			svm_close(&svm);
	}
}
