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
#include <sys/utsname.h>
#include <sys/wait.h>

#include "gpu_model.h"
#include "igt.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("More data than VRAM.");

#define NR (SZ_2M / SZ_4K)
#define HUGE_PAGES "/sys/module/nouveau/parameters/svm_huge_pages"

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

/* How many words of @value buffers in all of VRAM have, one of each page looked at. */
static uint32_t words_in_buffers(struct svm *svm, uint32_t value)
{
	struct svm_vram fill;
	uint32_t i, hits = 0;
	size_t at;

	svm_vram_fill(svm, &fill);
	for (i = 0; i < fill.nr; i++)
		for (at = 64; at < fill.bo[i].size; at += SZ_4K)
			hits += *(volatile uint32_t *)((char *)fill.bo[i].map + at) == value;
	svm_vram_release(&fill);
	return hits;
}

/**
 * SUBTEST: buffers-are-clear-%s
 * Description: buffers of another program get VRAM in which a process had its memory, %arg[1]: they do not show it
 *
 * arg[1]:
 *
 * @gone: which it has unmapped
 * @evicted: which has to make way
 */
static void test_clear(struct svm *svm, bool gone)
{
	const size_t len = 32 * SZ_1M;
	char *p = svm_alloc(len, PAGES_THP);
	struct svm other;

	svm_open(&other);
	memset(p, 0x5e, len);
	svm_bind_vram(svm, p, len);
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), pages_of(len));
	if (gone)
		svm_free(p, len);
	igt_assert_eq_u32(words_in_buffers(&other, 0x5e5e5e5e), 0);
	if (!gone) {
		igt_assert_lte((int)svm_count_pages(p, len, PAGE_IN_VRAM), (int)pages_of(len) / 8);
		igt_assert(p[0] == 0x5e && !memcmp(p, p + 1, len - 1));
		svm_free(p, len);
	}
	svm_close(&other);
}

static void *submit_main(void *arg)
{
	return (void *)(intptr_t)nv_submit(arg);
}

/**
 * SUBTEST: buffers-are-clear-moved
 * Description: a buffer moves to VRAM in which a process had its memory, and a kernel that uses it is at work: it does
 *	not see that memory
 *
 * The buffer has its place there before it is filled: who looks then finds zeroes.
 */
static void test_clear_moved(struct svm *svm)
{
	const size_t len = svm_vram_size(svm) / 2 / SZ_2M * SZ_2M;
	char *p = svm_alloc(len, PAGES_THP);
	struct svm_busy busy;
	struct nv_chan chan;
	pthread_t thread;
	struct svm other;
	struct nv_bo bo;
	uint32_t word, i;
	void *ret;

	/* There is room for all that. */
	memset(p, 0x5e, len);
	svm_bind_vram(svm, p, len);
	igt_assert_eq_u64(svm_count_pages(p, len, PAGE_IN_VRAM), pages_of(len));
	svm_open(&other);
	igt_assert_eq(nv_chan_new(&other.dev, NV_ENGINE_CE, &chan), 0);
	igt_assert_eq(nv_bo_new(&other.dev, 16 * SZ_1M, NOUVEAU_GEM_DOMAIN_GART | NOUVEAU_GEM_DOMAIN_VRAM, &bo), 0);
	/* It is in RAM when the kernel begins. */
	bo.domain = NOUVEAU_GEM_DOMAIN_GART;
	nv_use(&chan, &bo);
	nv_copy(&chan, other.out.va, bo.va, 4);
	nv_use(&chan, &other.out);
	igt_assert_eq(nv_submit(&chan), 0);
	igt_assert_eq(nv_wait(&chan, 0), 0);
	for (i = 0; i < bo.size / 4; i++)
		((uint32_t *)bo.map)[i] = 0x4321;
	nv_use(&other.chan, &bo);
	svm_busy_begin_watch(&other, &busy, (void *)(uintptr_t)(bo.va + SZ_1M), 0x4321);
	svm_free(p, len);

	/* Another channel wants it in VRAM. The kernel ends when it sees something else in it. */
	bo.domain = NOUVEAU_GEM_DOMAIN_VRAM;
	nv_use(&chan, &bo);
	nv_copy(&chan, bo.va + SZ_2M, bo.va, 4);
	igt_assert_eq(pthread_create(&thread, NULL, submit_main, &chan), 0);
	/* TTM waits for 15 seconds. */
	if (nv_wait(&other.chan, 10000))
		svm_busy_go(&busy);
	word = svm_busy_end(&busy, 0);
	pthread_join(thread, &ret);
	igt_assert_eq((int)(intptr_t)ret, 0);
	igt_assert_eq(nv_wait(&chan, 0), 0);
	igt_assert_f(word != 0x4321, "it has not moved while the kernel was at work\n");
	igt_assert_eq_u32(word, 0);
	for (i = 0; i < bo.size / 4; i += SZ_4K / 4)
		igt_assert_eq_u32(((volatile uint32_t *)bo.map)[i], 0x4321);

	nv_bo_del(&bo);
	nv_chan_del(&chan);
	svm_close(&other);
}

/**
 * SUBTEST: by-bind
 * Description: SVM_BIND of 1.5 times VRAM, piece by piece: each piece gets in, all data is right
 */
static void test_bind(struct svm *svm)
{
	const size_t len = svm_vram_size(svm) / 2 * 3 / (16 * SZ_1M) * 16 * SZ_1M;
	char *p = svm_alloc(len, PAGES_THP);
	size_t i, at;

	svm_cpu_write_pages(p, pages_of(len), 0x400);
	for (i = 0; i < len; i += 16 * SZ_1M) {
		svm_bind_vram(svm, p + i, 16 * SZ_1M);
		for (at = i; at < i + 16 * SZ_1M && in_vram(p + i, 16 * SZ_1M) < pages_of(16 * SZ_1M); at += SZ_2M)
			igt_info("at %zu MiB %zu of 512 pages are in VRAM, %s\n", at / SZ_1M, in_vram(p + at, SZ_2M),
				 svm_driver_range(p + at));
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
 * SUBTEST: pieces-by-bind
 * Description: by-bind in blocks of 64 KiB, which would fill VRAM to its last page: enough is left for page tables
 */
static void test_pieces(struct svm *svm)
{
	svm_must_write(HUGE_PAGES, "N");
	svm_log_start();
	test_bind(svm);
	svm_must_write(HUGE_PAGES, "Y");
	igt_assert_eq(svm_log_lines("imem: OOM", NULL), 0);
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
 *
 * SUBTEST: dead-owner-thp
 * Description: the same in huge pages, for which RAM has room
 */
static void test_dead_owner(struct svm *svm, enum page_kind kind)
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
		p = svm_alloc(len, kind);
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

/**
 * SUBTEST: while-working
 * Description: buffers take VRAM from memory that a kernel adds to, again and again: no sum is lost
 */
static void test_while(struct svm *svm)
{
	struct svm_worker w = { .svm = svm, .len = 8 * SZ_1M };
	uint64_t before, after;
	struct svm_vram fill;
	uint32_t turn;
	struct svm other;

	svm_open(&other);
	w.p = svm_alloc(w.len, PAGES_THP);
	svm_worker_begin(&w);
	for (turn = 0; turn < 4; turn++) {
		svm_bind_vram(svm, w.p, w.len);
		svm_worker_goes_on(&w, 1);
		igt_assert_lt(0, (int)in_vram(w.p, w.len));
		igt_require(svm_driver_counter("evictions", &before));
		svm_vram_fill(&other, &fill);
		igt_assert(svm_driver_counter("evictions", &after));
		igt_info("%" PRIu64 " evictions, round %u\n", after - before, w.rounds);
		igt_assert_lte_u64(before + w.len / SZ_2M, after);
		svm_worker_goes_on(&w, 2);
		svm_vram_release(&fill);
	}
	svm_worker_end(&w);
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

/* Bytes, by /proc/meminfo. */
static size_t meminfo(const char *name)
{
	char line[256], key[64];
	uint64_t kib = 0, n;
	FILE *f = fopen("/proc/meminfo", "re");

	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63[^:]: %" SCNu64, key, &n) == 2 && !strcmp(key, name))
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
	hog->small_len = (meminfo("MemAvailable") - left) & ~(SZ_64K - 1);
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
	/* who has decoys stays until this is closed */
	int stay[2];
	pid_t owner;
} heir;

/* What the one who has decoys says, beside their number. */
#define DECOYS (1ul << 63)

/* Many mappings that look as if they had pages that were mapped at @p once. Return: how many. */
static uint32_t decoys(char *p, size_t len, uint32_t nr)
{
	char *room = mmap(NULL, len * nr, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *q;
	uint32_t i;

	if (room == MAP_FAILED || munmap(p, len))
		return 0;
	for (i = 0; i < nr; i++) {
		q = mmap(p, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
		if (q != p || madvise(q, len, MADV_NOHUGEPAGE))
			break;
		/* From its first page on a mapping keeps its place in the file that it has none of. */
		*(volatile char *)q = 1;
		if (mremap(q, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, room + i * len) == MAP_FAILED)
			break;
	}
	return i;
}

/*
 * Owner: moves memory to VRAM, leaves it to a child, and ends, or (@unmaps) lets go of it only. Before that child another
 * one may get @nr_decoys mappings.
 */
static void heir_owner(size_t len, bool unmaps, uint32_t nr_decoys)
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
	if (nr_decoys && !fork()) {
		prctl(PR_SET_PDEATHSIG, 0);
		n = decoys(p, len, nr_decoys) | DECOYS;
		if (write(heir.say[1], &n, sizeof(n)) != sizeof(n))
			_exit(1);
		while (read(heir.stay[0], &c, 1) == 1)
			;
		_exit(0);
	}
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

/* As heir_owner(), in a process of its own. */
static void heir_begin(struct svm *svm, size_t len, bool unmaps, uint32_t nr_decoys)
{
	igt_assert_eq(pipe(heir.ask), 0);
	igt_assert_eq(pipe(heir.say), 0);
	igt_assert_eq(pipe(heir.stay), 0);
	heir.owner = fork();
	igt_assert(heir.owner >= 0);
	if (!heir.owner) {
		close(svm->dev.fd);
		close(heir.ask[1]);
		close(heir.stay[1]);
		heir_owner(len, unmaps, nr_decoys);
	}
	close(heir.ask[0]);
	close(heir.say[1]);
	close(heir.stay[0]);
}

/* Who has them goes. */
static void heir_end(void)
{
	close(heir.ask[1]);
	close(heir.say[0]);
	close(heir.stay[1]);
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

	heir_begin(svm, len, unmaps, 0);
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
	heir_end();
}

/**
 * SUBTEST: no-order-9-decoys
 * Description: the same, and a process has made itself thousands of mappings that have to be looked at: who wants the
 *	VRAM does not wait for a minute, and the data stays
 */
static void test_no_order_9_decoys(struct svm *svm)
{
	const size_t len = 32 * SZ_1M;
	const uint32_t nr = 3000;
	size_t said, had = 0, made = 0, left;
	uint64_t at = svm_now_us();
	struct hog hog;
	pid_t buyer;
	int st, i;

	heir_begin(svm, len, false, nr);
	/* Both children are there. */
	for (i = 0; i < 2; i++) {
		igt_assert_eq((int)read(heir.say[0], &said, sizeof(said)), (int)sizeof(said));
		*(said & DECOYS ? &made : &had) = said & ~DECOYS;
	}
	igt_assert_eq_u64(made, nr);
	igt_assert_eq_u64(had, pages_of(len));
	igt_assert_eq(waitpid(heir.owner, &st, 0), heir.owner);
	igt_assert_eq(st, 0);

	igt_info("%" PRIu64 " ms until all are there\n", (svm_now_us() - at) / 1000);
	hog_begin(&hog);
	igt_info("%" PRIu64 " ms until RAM is full\n", (svm_now_us() - at) / 1000);
	buyer = fork();
	igt_assert(buyer >= 0);
	if (!buyer) {
		struct svm_vram fill;

		svm_vram_fill(svm, &fill);
		_exit(0);
	}
	at = svm_now_us();
	for (i = 0; i < 600 && waitpid(buyer, &st, WNOHANG) != buyer; i++)
		usleep(100000);
	igt_info("%" PRIu64 " ms for all VRAM\n", (svm_now_us() - at) / 1000);
	if (i == 600) {
		kill(buyer, SIGKILL);
		waitpid(buyer, &st, 0);
		igt_info("%" PRIu64 " ms until who wants it is gone\n", (svm_now_us() - at) / 1000);
	}
	left = heir_ask("n");
	igt_info("%zu pages of %zu are still in VRAM\n", left, had);
	hog_end(&hog);
	igt_assert_lt(i, 600);
	igt_assert_f(st == 0, "who wants the VRAM ended with %#x\n", st);
	/* Without the mappings it leaves: no-order-9-dead-owner. */
	igt_assert_lte_u64(had / 2, left);
	igt_assert_f(heir_ask("d") != SIZE_MAX, "the child reads other data\n");
	heir_end();
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

/*
 * Huge pages that somebody else lets go of while they are copied: for that, each copy lasts LINK_US. As many blocks as
 * processes that hold them beside the owner: one goes with each copy.
 */
#define LINK_US 300000
#define BLOCKS 8
#define BLOCKS_LEN (BLOCKS * SZ_2M)

/* Processes that do nothing but hold what their parent has. */
struct holders {
	pid_t pid[BLOCKS];
	unsigned int left;
};

static void holders_begin(struct holders *h)
{
	for (h->left = 0; h->left < BLOCKS; h->left++) {
		h->pid[h->left] = fork();
		igt_assert(h->pid[h->left] >= 0);
		if (h->pid[h->left])
			continue;
		/* Not longer than the test. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (true)
			pause();
	}
}

/* Ends one of them. */
static void holders_one_goes(struct holders *h)
{
	uint64_t end = svm_now_us() + 20 * 1000000;
	pid_t pid, ended = 0;
	int st = 0;

	igt_assert_lt(0, (int)h->left);
	pid = h->pid[--h->left];
	igt_assert_eq(kill(pid, SIGKILL), 0);
	while (!ended && svm_now_us() < end) {
		ended = waitpid(pid, &st, WNOHANG);
		usleep(1000);
	}
	igt_assert_f(ended == pid && WIFSIGNALED(st), "a process that ends is stuck: %d, %#x\n", ended, st);
}

static void holders_end(struct holders *h)
{
	while (h->left)
		holders_one_goes(h);
}

static void slow_copies(void)
{
	svm_inject(&(struct gpu_model_inject){ .point = "link", .launch_us = LINK_US });
}

/* Which block of @p is being copied.  Return: -1 when none is within @ms, or before *@done. */
static int in_flight(const char *p, unsigned int ms, const bool *done)
{
	uint64_t end = svm_now_us() + ms * 1000;
	int b;

	while (svm_now_us() < end && !(done && __atomic_load_n(done, __ATOMIC_ACQUIRE))) {
		for (b = 0; b < BLOCKS; b++)
			if (svm_page_moves(p + b * SZ_2M))
				return b;
		usleep(1000);
	}
	return -1;
}

static void await_landing(const char *p, unsigned int copies)
{
	uint64_t end = svm_now_us() + 20 * 1000000;

	while (svm_page_moves(p) && svm_now_us() < end)
		usleep(1000);
	igt_assert_f(!svm_page_moves(p), "copy %u does not end\n", copies);
}

/* What the kernel counts as mapped while all is in RAM. */
static size_t anon_pages, anon_huge;

/*
 * patches/mm is in the kernels for debugging. Others hang, or crash, if they are asked (NVSVM_UNMENDED=1): M14 of
 * Documentation/defects.rst, which no driver makes up for.
 */
static bool kernel_is_mended(void)
{
	struct utsname uts;

	igt_assert_eq(uname(&uts), 0);
	return strstr(uts.release, "-nvsvm");
}

/* Back in RAM: the kernel found nothing to say since svm_log_start(), and counts what it did before. */
static void kernel_is_right(const char *p)
{
	/* Other processes come and go; CPUs keep a part to themselves. */
	const int other = 4 * SZ_1M;

	for (size_t i = 0; i < BLOCKS_LEN; i += SZ_4K)
		(void)*(const volatile uint32_t *)(p + i);
	igt_info("AnonPages %zu KiB, before %zu; AnonHugePages %zu KiB, before %zu\n", meminfo("AnonPages") / 1024,
		 anon_pages / 1024, meminfo("AnonHugePages") / 1024, anon_huge / 1024);
	igt_assert_lte(abs((int)(meminfo("AnonPages") - anon_pages)), other);
	igt_assert_eq(svm_log_lines("BUG:", NULL), 0);
	igt_assert_eq(svm_log_lines("WARNING:", NULL), 0);
}

static char *huge_in_vram(struct svm *svm, char *p)
{
	uint32_t n = pages_of(BLOCKS_LEN);

	igt_require_f(kernel_is_mended() || getenv("NVSVM_UNMENDED"), "a kernel with patches/mm (M14)\n");
	igt_require_f(svm_driver_counter("evictions", &(uint64_t){ 0 }), "a driver that evicts\n");
	svm_cpu_write_pages(p, n, 0x100);
	anon_pages = meminfo("AnonPages");
	anon_huge = meminfo("AnonHugePages");
	gpu_write(svm, p, n, 0x200);
	igt_assert_eq_u64(in_vram(p, BLOCKS_LEN), n);
	return p;
}

/* Buffers take VRAM, in a thread. */
struct filler {
	struct svm *svm;
	struct svm_vram fill;
	pthread_t thread;
	bool done;
};

static void *filler_main(void *arg)
{
	struct filler *f = arg;

	svm_vram_fill(f->svm, &f->fill);
	__atomic_store_n(&f->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void filler_begin(struct filler *f, struct svm *svm)
{
	*f = (struct filler){ .svm = svm };
	igt_assert_eq(pthread_create(&f->thread, NULL, filler_main, f), 0);
}

static void filler_end(struct filler *f)
{
	svm_injected("link");
	pthread_join(f->thread, NULL);
}

/**
 * SUBTEST: zapped-while-leaving-shared
 * Description: a process that shares huge pages ends while buffers take their VRAM, one with the copy of each: data and
 *	counts are right
 */
static void test_zapped_shared(struct svm *svm)
{
	char *p = huge_in_vram(svm, svm_alloc(BLOCKS_LEN, PAGES_THP));
	unsigned int copies = 0, within = 0;
	struct holders holders;
	struct filler filler;
	int b;

	holders_begin(&holders);
	igt_assert_eq_u64(in_vram(p, BLOCKS_LEN), pages_of(BLOCKS_LEN));
	svm_log_start();
	slow_copies();
	filler_begin(&filler, svm);
	while (holders.left && (b = in_flight(p, 20000, &filler.done)) >= 0) {
		copies++;
		holders_one_goes(&holders);
		within += svm_page_moves(p + b * SZ_2M);
		await_landing(p + b * SZ_2M, copies);
	}
	igt_info("%u copies with somebody who ends, %u lasted longer\n", copies, within);
	filler_end(&filler);
	igt_assert_lte(BLOCKS / 2, (int)copies);
	igt_assert_lte((int)in_vram(p, BLOCKS_LEN), (int)pages_of(BLOCKS_LEN) / 8);
	svm_cpu_check_pages(p, pages_of(BLOCKS_LEN), 0x200, false);
	svm_vram_release(&filler.fill);
	gpu_write(svm, p, pages_of(BLOCKS_LEN), 0x300);
	svm_cpu_check_pages(p, pages_of(BLOCKS_LEN), 0x300, false);
	holders_end(&holders);
	kernel_is_right(p);
	svm_free(p, BLOCKS_LEN);
}

/**
 * SUBTEST: zapped-while-leaving-dontneed
 * Description: the owner lets go of huge pages (MADV_DONTNEED, mmap over them) while buffers take their VRAM, each time of the
 *	one that is being copied: it is empty, the others are right
 */
static void test_zapped_dontneed(struct svm *svm)
{
	char *p = huge_in_vram(svm, hog_map(BLOCKS_LEN, MADV_HUGEPAGE));
	enum { KEPT, DROPPED, REPLACED } state[BLOCKS] = { KEPT };
	unsigned int copies = 0, within = 0, i;
	struct filler filler;
	int b;

	svm_log_start();
	slow_copies();
	filler_begin(&filler, svm);
	while ((b = in_flight(p, 20000, &filler.done)) >= 0) {
		char *block = p + b * SZ_2M;

		if (state[b] == KEPT && copies % 3 < 2) {
			state[b] = copies % 3 ? REPLACED : DROPPED;
			if (state[b] == DROPPED)
				igt_assert_eq(madvise(block, SZ_2M, MADV_DONTNEED), 0);
			else
				igt_assert(mmap(block, SZ_2M, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == block);
			within++;
		}
		copies++;
		if (state[b] == KEPT)
			await_landing(block, copies);
		else
			igt_assert(!svm_page_moves(block));
	}
	igt_info("%u copies, %u let go of\n", copies, within);
	filler_end(&filler);
	igt_assert_lte(BLOCKS / 2, (int)within);
	for (i = 0; i < BLOCKS; i++) {
		char *block = p + i * SZ_2M;
		uint32_t j;

		if (state[i] == KEPT)
			svm_cpu_check_pages(block, NR, 0x200 + i * NR, false);
		for (j = 0; state[i] != KEPT && j < NR; j++)
			igt_assert_eq_u32(*(volatile uint32_t *)(block + j * SZ_4K), 0);
	}
	svm_vram_release(&filler.fill);
	gpu_write(svm, p, pages_of(BLOCKS_LEN), 0x300);
	svm_cpu_check_pages(p, pages_of(BLOCKS_LEN), 0x300, false);
	kernel_is_right(p);
	igt_assert_eq(munmap(p, BLOCKS_LEN), 0);
}

/* A thread whose CPU touches a block each time that it is told to. */
struct toucher {
	const char *p;
	pthread_t thread;
	uint32_t asked, done;
};

static void *toucher_main(void *arg)
{
	struct toucher *t = arg;
	uint32_t i;

	for (i = 0; i < BLOCKS; i++) {
		while (__atomic_load_n(&t->asked, __ATOMIC_ACQUIRE) <= i)
			usleep(1000);
		(void)*(const volatile uint32_t *)(t->p + i * SZ_2M + i % 2 * 3 * SZ_4K);
		__atomic_store_n(&t->done, i + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/**
 * SUBTEST: zapped-while-back
 * Description: a process that shares huge pages ends while the CPU brings one back from VRAM, one with each: data and
 *	counts are right
 */
static void test_zapped_back(struct svm *svm)
{
	char *p = huge_in_vram(svm, svm_alloc(BLOCKS_LEN, PAGES_THP));
	struct toucher t = { .p = p };
	unsigned int copies = 0, within = 0, round, i;
	struct holders holders;

	holders_begin(&holders);
	igt_assert_eq_u64(in_vram(p, BLOCKS_LEN), pages_of(BLOCKS_LEN));
	svm_log_start();
	igt_assert_eq(pthread_create(&t.thread, NULL, toucher_main, &t), 0);
	slow_copies();
	for (i = 0; i < BLOCKS; i++) {
		uint64_t end = svm_now_us() + 20 * 1000000;
		const char *block = p + i * SZ_2M;

		__atomic_store_n(&t.asked, i + 1, __ATOMIC_RELEASE);
		while (!svm_page_moves(block) && __atomic_load_n(&t.done, __ATOMIC_ACQUIRE) <= i && svm_now_us() < end)
			usleep(1000);
		if (svm_page_moves(block)) {
			copies++;
			holders_one_goes(&holders);
			within += svm_page_moves(block);
		}
		while (__atomic_load_n(&t.done, __ATOMIC_ACQUIRE) <= i && svm_now_us() < end)
			usleep(1000);
		igt_assert_lt_u64(i, __atomic_load_n(&t.done, __ATOMIC_ACQUIRE));
	}
	igt_info("%u copies with somebody who ends, %u lasted longer\n", copies, within);
	svm_injected("link");
	pthread_join(t.thread, NULL);
	igt_assert_lte(BLOCKS / 2, (int)copies);
	svm_cpu_check_pages(p, pages_of(BLOCKS_LEN), 0x200, false);
	for (round = 0; round < 2; round++) {
		gpu_write(svm, p, pages_of(BLOCKS_LEN), 0x300 + round);
		svm_cpu_check_pages(p, pages_of(BLOCKS_LEN), 0x300 + round, false);
	}
	holders_end(&holders);
	kernel_is_right(p);
	svm_free(p, BLOCKS_LEN);
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
		igt_describe("What buffers find in VRAM");
		igt_subtest("buffers-are-clear-gone")
			test_clear(&svm, true);
		igt_subtest("buffers-are-clear-evicted")
			test_clear(&svm, false);
		igt_subtest("buffers-are-clear-moved")
			test_clear_moved(&svm);
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
		igt_describe("Page tables want VRAM");
		igt_subtest("pieces-by-bind")
			test_pieces(&svm);
		igt_describe("The owner is dead");
		igt_subtest("dead-owner")
			test_dead_owner(&svm, PAGES_4K);
		igt_subtest("dead-owner-thp")
			test_dead_owner(&svm, PAGES_THP);
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
		igt_subtest("no-order-9-decoys")
			test_no_order_9_decoys(&svm);
		igt_describe("Somebody lets go of it while it is copied");
		igt_subtest("zapped-while-leaving-shared")
			test_zapped_shared(&svm);
		igt_subtest("zapped-while-leaving-dontneed")
			test_zapped_dontneed(&svm);
		igt_subtest("zapped-while-back")
			test_zapped_back(&svm);
		igt_fixture() {
			svm_close(&svm);
			/* Whichever failed. */
			svm_injected("link");
			if (!access(HUGE_PAGES, F_OK))
				svm_must_write(HUGE_PAGES, "Y");
		}
	}
}
