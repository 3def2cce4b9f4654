// SPDX-License-Identifier: MIT
/*
 * The core: fair lock, register dispatch, physical memory, DMA map, PCI
 * configuration, interrupts, ledger, injection, sanitizer, control commands.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hw/block.h"
#include "hw/mem.h"
#include "ledger/control.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"
#include "ledger/sanitizer.h"
#include "pci/dma.h"
#include "pci/pci.h"

static struct gpu *gpu;

static int setup(void **state)
{
	struct gpu_config cfg;

	gpu_config_default(&cfg);
	cfg.vram_size = 256 * MiB;
	cfg.deterministic = true;
	return gpu_new(&cfg, &gpu);
}

static int teardown(void **state)
{
	gpu_del(&gpu);
	return gpu != NULL;
}

/* A file of guest memory.  @size bytes. */
static int guest_memory(size_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* --- fair lock ------------------------------------------------------------------ */

struct greedy {
	struct fair_lock lock;
	int stop;
	uint64_t turns;
};

static void *greedy_main(void *priv)
{
	struct greedy *g = priv;

	while (!__atomic_load_n(&g->stop, __ATOMIC_RELAXED)) {
		fair_lock(&g->lock);
		__atomic_store_n(&g->turns, g->turns + 1, __ATOMIC_RELAXED);
		for (volatile int i = 0; i < 20000; i++)
			;
		fair_unlock(&g->lock);
	}
	return NULL;
}

/* Against a thread that takes the lock again at once, each acquisition waits for one turn at most. */
static void test_fair_lock(void **state)
{
	struct greedy g = { .stop = 0 };
	pthread_t tid;
	uint64_t worst = 0;

	fair_lock_init(&g.lock);
	assert_int_equal(pthread_create(&tid, NULL, greedy_main, &g), 0);
	while (!__atomic_load_n(&g.turns, __ATOMIC_RELAXED))
		;
	for (int i = 0; i < 200; i++) {
		uint64_t before, after;

		before = __atomic_load_n(&g.turns, __ATOMIC_RELAXED);
		fair_lock(&g.lock);
		after = g.turns;
		fair_unlock(&g.lock);
		if (after - before > worst)
			worst = after - before;
	}
	__atomic_store_n(&g.stop, 1, __ATOMIC_RELAXED);
	pthread_join(tid, NULL);
	/* The turns that passed between the look at the counter and taking a ticket don't count;
	 * a descheduled test sees some of them.  An unfair lock starves for thousands. */
	assert_in_range(worst, 0, 500);
}

static void *contender(void *priv)
{
	fair_lock(priv);
	fair_unlock(priv);
	return NULL;
}

static void test_contended(void **state)
{
	struct fair_lock l;
	pthread_t tid;

	fair_lock_init(&l);
	fair_lock(&l);
	assert_false(fair_lock_contended(&l));
	assert_int_equal(pthread_create(&tid, NULL, contender, &l), 0);
	while (!fair_lock_contended(&l))
		usleep(100);
	fair_unlock(&l);
	pthread_join(tid, NULL);
	fair_lock(&l);
	assert_false(fair_lock_contended(&l));
	fair_unlock(&l);
}

/* --- dispatch --------------------------------------------------------------------- */

static struct {
	unsigned int i;
	uint32_t val;
	int reads, writes, window_reads;
} seen;

static uint32_t cb_read(struct gpu *g, const struct hw_reg *reg, unsigned int i)
{
	seen.reads++;
	seen.i = i;
	return 0xc0de0000 | i;
}

static void cb_write(struct gpu *g, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	seen.writes++;
	seen.i = i;
	seen.val = val;
}

static bool window_read(struct gpu *g, uint32_t addr, uint32_t *val)
{
	seen.window_reads++;
	*val = addr ^ 0xffffffff;
	return addr < 0xf00080;
}

static const struct hw_reg test_regs[] = {
	{ .addr = 0xf00000, .name = "PLAIN", .reset = 0x12345678 },
	{ .addr = 0xf00004, .name = "RO", .reset = 7, .flags = REG_RO, .write = cb_write },
	{ .addr = 0xf00008, .name = "W1C", .reset = 0xff, .flags = REG_W1C },
	{ .addr = 0xf0000c, .name = "WO", .reset = 5, .flags = REG_WO },
	{ .addr = 0xf00010, .name = "ARRAY", .count = 4, .stride = 8, .read = cb_read, .write = cb_write },
};

static const struct hw_block test_block = {
	.name = "test", .base = 0xf00000, .size = 0x100,
	.regs = test_regs, .nr_regs = ARRAY_SIZE(test_regs), .read = window_read,
};

/* Exchange the model's blocks for @block while a GPU is made; the test's GPU stays alive beside it. */
static struct gpu *gpu_with_block(const struct hw_block *block);

static void test_dispatch(void **state)
{
	struct gpu *g = gpu_with_block(&test_block);

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(hw_rd32(g, 0xf00000), 0x12345678);
	hw_wr32(g, 0xf00000, 1);
	assert_int_equal(hw_rd32(g, 0xf00000), 1);
	hw_wr32(g, 0xf00004, 1);
	assert_int_equal(hw_rd32(g, 0xf00004), 7);
	assert_int_equal(seen.writes, 0);
	hw_wr32(g, 0xf00008, 0x0f);
	assert_int_equal(hw_rd32(g, 0xf00008), 0xf0);
	hw_wr32(g, 0xf0000c, 9);
	assert_int_equal(hw_rd32(g, 0xf0000c), 5);
	assert_int_equal(hw_get(g, 0xf0000c), 9);
	/* Instances, and what lies between them */
	assert_int_equal(hw_rd32(g, 0xf00018), 0xc0de0001);
	hw_wr32(g, 0xf00028, 77);
	assert_int_equal(seen.i, 3);
	assert_int_equal(seen.val, 77);
	assert_int_equal(hw_get(g, 0xf00028), 0);
	assert_int_equal(hw_rd32(g, 0xf00014), ~0xf00014u);
	assert_int_equal(hw_rd32(g, 0xf00030), ~0xf00030u);
	/* The window refuses: storage, counted once */
	hw_wr32(g, 0xf00080, 3);
	assert_int_equal(hw_rd32(g, 0xf00080), 3);
	assert_int_equal(hw_undescribed(g), 1);
	/* Nonsense */
	assert_int_equal(hw_rd32(g, 0xf00002), 0xffffffff);
	assert_int_equal(hw_rd32(g, 0x1000000), 0xffffffff);
	hw_wr32(g, 0x1000000, 1);
	/* Reset */
	hw_reset(g);
	assert_int_equal(hw_rd32(g, 0xf00000), 0x12345678);
	assert_int_equal(hw_rd32(g, 0xf00008), 0xff);
	assert_int_equal(hw_get(g, 0xf00080), 0);
	hw_fini(g);
	free(g->ledger);
	free(g);
}

static const struct hw_reg twice_regs[] = {
	{ .addr = 0xf00000, .name = "A", .count = 4, .stride = 4 },
	{ .addr = 0xf00008, .name = "B" },
};
static const struct hw_block twice_block = { .name = "twice", .regs = twice_regs, .nr_regs = 2 };

static const struct hw_reg odd_regs[] = { { .addr = 0xf00002, .name = "ODD" } };
static const struct hw_block odd_block = { .name = "odd", .regs = odd_regs, .nr_regs = 1 };

static int init_of(const struct hw_block *block)
{
	struct gpu *g = calloc(1, sizeof(*g));
	const struct hw_block *list[] = { block, NULL };
	int ret;

	g->ledger = calloc(1, sizeof(*g->ledger));
	g->cfg.verbose = -1;
	ret = hw_init_blocks(g, list);
	hw_fini(g);
	free(g->ledger);
	free(g);
	return ret;
}

static struct gpu *gpu_with_block(const struct hw_block *block)
{
	struct gpu *g = calloc(1, sizeof(*g));
	const struct hw_block *list[] = { block, NULL };

	g->ledger = calloc(1, sizeof(*g->ledger));
	assert_int_equal(hw_init_blocks(g, list), 0);
	hw_reset(g);
	return g;
}

static void test_bad_description(void **state)
{
	assert_int_equal(init_of(&twice_block), -EEXIST);
	assert_int_equal(init_of(&odd_block), -EINVAL);
	assert_int_equal(init_of(&test_block), 0);
}

/* Every register of the model has a name and a source, and reads its reset value or by a callback. */
static void test_descriptions(void **state)
{
	size_t n = 0;

	for (const struct hw_block *const *b = hw_block_list(gpu); *b; b++) {
		assert_non_null((*b)->name);
		for (size_t i = 0; i < (*b)->nr_regs; i++, n++) {
			const struct hw_reg *r = &(*b)->regs[i];

			assert_non_null(r->name);
			if (!r->source)
				fail_msg("%s %s has no source", (*b)->name, r->name);
		}
	}
	assert_in_range(n, 50, 100000);
}

/* Parts of dwords and 8 bytes at a time through the host's door */
static void test_bar0_sizes(void **state)
{
	uint64_t v8 = 0x1122334455667788;
	uint32_t v4;
	uint8_t v1 = 0xab;
	uint16_t v2;

	assert_int_equal(pci_host_write(gpu, 0, 0x700100, &v8, 8), 0);
	assert_int_equal(pci_host_read(gpu, 0, 0x700100, &v4, 4), 0);
	assert_int_equal(v4, 0x55667788);
	assert_int_equal(pci_host_write(gpu, 0, 0x700101, &v1, 1), 0);
	assert_int_equal(pci_host_read(gpu, 0, 0x700100, &v4, 4), 0);
	assert_int_equal(v4, 0x5566ab88);
	assert_int_equal(pci_host_read(gpu, 0, 0x700103, &v2, 2), 0);
	assert_int_equal(v2, 0x4455);
	assert_int_equal(pci_host_read(gpu, 0, 0xfffffc, &v8, 8), -EINVAL);
	assert_int_equal(v8, UINT64_MAX);
	assert_int_equal(pci_host_read(gpu, 2, 0, &v4, 4), -EINVAL);
	assert_int_equal(pci_host_write(gpu, 8, 0, &v4, 4), -EINVAL);
	assert_int_equal(pci_host_read(gpu, 0, UINT64_MAX, &v4, 4), -EINVAL);
	/* BAR1 without an instance block is physical VRAM, like PRAMIN after power-on */
	assert_int_equal(pci_host_read(gpu, 1, 0x104, &v4, 4), 0);
	assert_int_equal(v4, 0x11223344);
}

/* --- DMA map -------------------------------------------------------------------------- */

#define MODEL_PAGES 256

/* Random maps, unmaps and look-ups against an array that says what each page is. */
static void test_dma_random(void **state)
{
	struct {
		int start;	/* first page of the range that covers it, -1 none */
		int pages;
		uint64_t offset;
		bool w;
	} page[MODEL_PAGES];
	const uint64_t base = 0xfffff00000000000ull;
	int fds[2] = { guest_memory(MODEL_PAGES * 4096), guest_memory(MODEL_PAGES * 4096) };
	uint64_t seed = 88172645463325252ull, gen = 0;
	struct dma *d;
	size_t live = 0, several = 0;

	assert_int_equal(dma_new(gpu, &d), 0);
	for (int f = 0; f < 2; f++)
		for (uint32_t i = 0; i < MODEL_PAGES; i++) {
			uint32_t tag = (uint32_t)f << 16 | i;

			assert_int_equal(pwrite(fds[f], &tag, 4, i * 4096), 4);
		}
	for (int i = 0; i < MODEL_PAGES; i++)
		page[i].start = -1;
	for (int round = 0; round < 20000; round++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		int at = (int)(seed >> 8) % MODEL_PAGES, n = 1 + (int)(seed >> 20) % 8, f = seed >> 40 & 1;

		if (at < 0)
			at += MODEL_PAGES;
		if (n < 1)
			n += 8;
		if (at + n > MODEL_PAGES)
			n = MODEL_PAGES - at;
		if (seed & 1) {
			bool clash = false, w = seed & 2;
			int ret, off = (int)(seed >> 48) % (MODEL_PAGES - n + 1);

			for (int i = at; i < at + n; i++)
				clash |= page[i].start >= 0;
			ret = dma_map(d, base + (uint64_t)at * 4096, (uint64_t)n * 4096, fds[f], (uint64_t)off * 4096, true, w);
			assert_int_equal(ret, clash ? -EINVAL : 0);
			if (ret)
				continue;
			live++;
			for (int i = 0; i < n; i++) {
				page[at + i].start = at;
				page[at + i].pages = n;
				page[at + i].offset = (uint64_t)f << 16 | (uint64_t)(off + i);
				page[at + i].w = w;
			}
		} else {
			/* Most unmaps name a range that is there. */
			if (page[at].start >= 0 && seed >> 61) {
				n = page[at].pages;
				at = page[at].start;
			}
			int end = at + n, gone = 0;
			bool cut = (page[at].start >= 0 && page[at].start < at) ||
				   (page[end - 1].start >= 0 && page[end - 1].start + page[end - 1].pages > end);
			int ret = dma_unmap(d, base + (uint64_t)at * 4096, (uint64_t)n * 4096);

			for (int i = at; i < end; i++)
				gone += page[i].start == i;
			assert_int_equal(ret, cut ? -EINVAL : gone ? 0 : -ENOENT);
			if (ret)
				continue;
			live -= gone;
			if (gone > 1)
				several++;
			for (int i = 0; i < n; i++)
				page[at + i].start = -1;
		}
		assert_int_equal(dma_live(d), live);
		at = (int)(seed >> 32 & 0x7fff) % MODEL_PAGES;
		uint64_t left = 0, g = 0;
		uint8_t *p = dma_lookup(d, base + (uint64_t)at * 4096 + 4, false, &left, &g);

		if (page[at].start < 0) {
			assert_null(p);
			continue;
		}
		assert_non_null(p);
		assert_int_equal(*(uint32_t *)(p - 4), page[at].offset);
		assert_int_equal(left, (uint64_t)(page[at].start + page[at].pages - at) * 4096 - 4);
		assert_int_not_equal(g, 0);
		if (g > gen)
			gen = g;
		assert_int_equal(dma_lookup(d, base + (uint64_t)at * 4096, true, NULL, NULL) != NULL, page[at].w);
	}
	assert_in_range(gen, 1000, 20000);
	assert_in_range(several, 100, 20000);
	dma_unmap_all(d);
	assert_int_equal(dma_live(d), 0);
	dma_del(&d);
	close(fds[0]);
	close(fds[1]);
}

/* A range mapped anew has another generation, though the same page lies behind it. */
static void test_dma_generation(void **state)
{
	int fd = guest_memory(8192);
	uint64_t a, b;

	assert_int_equal(dma_map(gpu->dma, 0x10000, 4096, fd, 0, true, true), 0);
	assert_non_null(dma_lookup(gpu->dma, 0x10000, false, NULL, &a));
	assert_int_equal(dma_unmap(gpu->dma, 0x10000, 4096), 0);
	assert_int_equal(dma_map(gpu->dma, 0x10000, 4096, fd, 0, true, true), 0);
	assert_non_null(dma_lookup(gpu->dma, 0x10000, false, NULL, &b));
	assert_int_not_equal(a, b);
	close(fd);
}

static void test_dma_refused(void **state)
{
	struct inject_arm once = { .count = 1 };
	int fd = guest_memory(8192), ro;
	char path[64];

	inject_arm(gpu, INJECT_dma_map_refused, &once);
	assert_int_equal(pci_host_dma_map(gpu, 0, 4096, fd, 0, true, true), -ENOSPC);
	assert_int_equal(pci_host_dma_unmap(gpu, 0, 4096), -ENOENT);
	assert_int_equal(pci_host_dma_map(gpu, 0, 4096, fd, 0, true, true), 0);
	assert_int_equal(pci_host_dma_unmap(gpu, 0, 4096), 0);

	assert_int_equal(dma_map(gpu->dma, 0, 0, fd, 0, true, true), -EINVAL);
	assert_int_equal(dma_map(gpu->dma, UINT64_MAX - 4095, 8192, fd, 0, true, true), -EINVAL);
	assert_int_equal(dma_map(gpu->dma, 0, 8192, fd, 4096, true, true), -EINVAL);
	assert_int_equal(dma_map(gpu->dma, 0, 4096, fd, UINT64_MAX - 100, true, true), -EINVAL);
	assert_int_equal(dma_map(gpu->dma, 0, 4096, 4711, 0, true, true), -EBADF);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY);
	assert_int_equal(dma_map(gpu->dma, 0, 4096, ro, 0, true, true), -EACCES);
	assert_int_equal(dma_map(gpu->dma, 0, 4096, ro, 0, true, false), 0);
	/* The same file, now writable: one mapping serves both */
	assert_int_equal(dma_map(gpu->dma, 4096, 4096, fd, 4096, true, true), 0);
	assert_non_null(dma_lookup(gpu->dma, 0, false, NULL, NULL));
	assert_null(dma_lookup(gpu->dma, 0, true, NULL, NULL));
	assert_non_null(dma_lookup(gpu->dma, 4096, true, NULL, NULL));
	/* The last byte of the address space */
	assert_int_equal(dma_map(gpu->dma, UINT64_MAX - 4095, 4096, fd, 0, true, true), 0);
	assert_non_null(dma_lookup(gpu->dma, UINT64_MAX, true, NULL, NULL));
	assert_int_equal(dma_live(gpu->dma), 3);
	close(ro);
	close(fd);
}

/* A file that grew after it was mapped */
static void test_dma_grow(void **state)
{
	int fd = guest_memory(4096);

	assert_int_equal(dma_map(gpu->dma, 0, 4096, fd, 0, true, true), 0);
	*dma_lookup(gpu->dma, 0, true, NULL, NULL) = 0x5a;
	assert_int_equal(ftruncate(fd, 65536), 0);
	assert_int_equal(dma_map(gpu->dma, 4096, 61440, fd, 4096, true, true), 0);
	*dma_lookup(gpu->dma, 65535, true, NULL, NULL) = 0xa5;
	assert_int_equal(*dma_lookup(gpu->dma, 0, true, NULL, NULL), 0x5a);
	close(fd);
}

/* --- memory ------------------------------------------------------------------------------ */

static void test_mem(void **state)
{
	int fd = guest_memory(3 * 4096);
	uint8_t buf[6000], back[6000];
	size_t len;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7);
	assert_int_equal(mem_write(gpu, CLIENT_CE, AP_VRAM, 0x1003, buf, sizeof(buf)), 0);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_VRAM, 0x1003, back, sizeof(back)), 0);
	assert_memory_equal(buf, back, sizeof(buf));
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_VRAM, gpu->vram_size - 4, back, 8), -EFAULT);
	assert_int_equal(back[7], 0xff);
	assert_int_equal(mem_write(gpu, CLIENT_CE, AP_VRAM, UINT64_MAX - 2, buf, 8), -EFAULT);
	assert_int_equal(san_count(gpu, SAN_vram_outside), 2);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_PEER, 0, back, 4), -EFAULT);

	/* Two ranges side by side that lie apart in the file */
	assert_int_equal(dma_map(gpu->dma, 0x10000, 4096, fd, 8192, true, true), 0);
	assert_int_equal(dma_map(gpu->dma, 0x11000, 4096, fd, 0, true, false), 0);
	assert_int_equal(mem_write(gpu, CLIENT_CE, AP_SYS_COH, 0x10ffc, buf, 4), 0);
	assert_int_equal(mem_write(gpu, CLIENT_CE, AP_SYS_COH, 0x10ffc, buf, 8), -EFAULT);
	assert_int_equal(san_count(gpu, SAN_dma_readonly), 1);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_SYS_NCOH, 0x10ff0, back, 32), 0);
	assert_memory_equal(back + 12, buf, 4);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_SYS_COH, 0x11ffe, back, 4), -EFAULT);
	assert_int_equal(back[0], 0xff);
	assert_int_equal(san_count(gpu, SAN_dma_outside), 1);

	len = 100000;
	assert_non_null(mem_ptr(gpu, CLIENT_CE, AP_SYS_COH, 0x10800, &len, true));
	assert_int_equal(len, 0x800);
	len = 16;
	assert_non_null(mem_ptr(gpu, CLIENT_CE, AP_SYS_COH, 0x11000, &len, false));
	assert_null(mem_ptr(gpu, CLIENT_CE, AP_SYS_COH, 0x11000, &len, true));
	assert_null(mem_ptr(gpu, CLIENT_CE, AP_VRAM, gpu->vram_size, &len, false));
	len = SIZE_MAX;
	assert_non_null(mem_ptr(gpu, CLIENT_CE, AP_VRAM, 4096, &len, false));
	assert_int_equal(len, gpu->vram_size - 4096);
	mem_wr32(gpu, CLIENT_MMU, AP_VRAM, 64, 0xdeadbeef);
	assert_int_equal(mem_rd32(gpu, CLIENT_MMU, AP_VRAM, 64), 0xdeadbeef);
	assert_int_equal(mem_rd64(gpu, CLIENT_MMU, AP_VRAM, 60) >> 32, 0xdeadbeef);
	close(fd);
}

static void test_power_loss(void **state)
{
	struct stat st;

	mem_wr32(gpu, CLIENT_BAR, AP_VRAM, 64 * MiB, 0x600df00d);
	assert_int_equal(fstat(gpu->vram_fd, &st), 0);
	assert_in_range(st.st_blocks, 1, 1 << 20);
	pci_host_reset(gpu);
	assert_int_equal(mem_rd32(gpu, CLIENT_BAR, AP_VRAM, 64 * MiB), 0);
	pci_host_reset(gpu);
	assert_int_equal(fstat(gpu->vram_fd, &st), 0);
	/* What blocks set up at power-on is all that takes memory. */
	assert_in_range(st.st_blocks, 0, 4096);
}

/* --- PCI ------------------------------------------------------------------------------------ */

static uint32_t cfg_rd(unsigned int off, unsigned int len)
{
	uint32_t v = 0;

	assert_int_equal(pci_host_read(gpu, PCI_REGION_CONFIG, off, &v, len), 0);
	return v;
}

static void cfg_wr(unsigned int off, uint32_t v, unsigned int len)
{
	assert_int_equal(pci_host_write(gpu, PCI_REGION_CONFIG, off, &v, len), 0);
}

static void test_config(void **state)
{
	assert_int_equal(cfg_rd(0, 4), 0x1bb310de);
	assert_int_equal(cfg_rd(8, 4), 0x030200a1);
	cfg_wr(0, 0, 4);
	assert_int_equal(cfg_rd(0, 4), 0x1bb310de);
	/* BAR sizes as software asks for them */
	cfg_wr(0x10, 0xffffffff, 4);
	cfg_wr(0x14, 0xffffffff, 4);
	cfg_wr(0x18, 0xffffffff, 4);
	cfg_wr(0x1c, 0xffffffff, 4);
	cfg_wr(0x24, 0xffffffff, 4);
	assert_int_equal(cfg_rd(0x10, 4), 0xff000000);
	assert_int_equal(cfg_rd(0x14, 4), 0xf000000c);
	assert_int_equal(cfg_rd(0x18, 4), 0xffffffff);
	assert_int_equal(cfg_rd(0x1c, 4), 0xfe00000c);
	assert_int_equal(cfg_rd(0x24, 4), 0);
	/* The capability list ends and holds the three */
	unsigned int at = cfg_rd(0x34, 1), ids = 0, n = 0;

	for (; at && n < 10; n++, at = cfg_rd(at + 1, 1))
		ids |= BIT(cfg_rd(at, 1));
	assert_int_equal(n, 3);
	assert_int_equal(ids, BIT(0x01) | BIT(0x05) | BIT(0x10));
	assert_int_equal(cfg_rd(0x100, 4), 0);
}

static void test_d3_and_flr(void **state)
{
	static const struct {
		unsigned int off;
		uint32_t first, then;
		bool loses;
	} way[] = {
		{ 0x64, 3, 0, true },		/* D3hot, D0 */
		{ 0x64, 0, 0, false },		/* D0, D0 */
		{ 0x64, 3, 3, false },		/* stays in D3hot */
		{ 0x80, 0xa810, 0x2810, true },	/* FLR */
		{ 0x80, 0x2810, 0x2810, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(way); i++) {
		cfg_wr(0x64, 0, 2);
		mem_wr32(gpu, CLIENT_BAR, AP_VRAM, 64 * MiB, 1);
		cfg_wr(way[i].off, way[i].first, 2);
		cfg_wr(way[i].off, way[i].then, 2);
		assert_int_equal(mem_rd32(gpu, CLIENT_BAR, AP_VRAM, 64 * MiB), !way[i].loses);
	}
	/* The trigger reads 0 */
	assert_int_equal(cfg_rd(0x80, 2) & 0x8000, 0);
}

/* With a host attached the device reaches memory as long as the command register lets it. */
static void test_bus_master(void **state)
{
	int fd = guest_memory(4096);
	uint32_t v;
	size_t len = 4;

	assert_int_equal(dma_map(gpu->dma, 0, 4096, fd, 0, true, true), 0);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_SYS_COH, 0, &v, 4), 0);
	pci_host_attach(gpu, true);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_SYS_COH, 0, &v, 4), -EFAULT);
	assert_int_equal(mem_write(gpu, CLIENT_CE, AP_SYS_COH, 0, &v, 4), -EFAULT);
	assert_null(mem_ptr(gpu, CLIENT_CE, AP_SYS_COH, 0, &len, false));
	assert_int_equal(san_count(gpu, SAN_dma_outside), 2);
	cfg_wr(4, 0x0006, 2);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_SYS_COH, 0, &v, 4), 0);
	assert_non_null(mem_ptr(gpu, CLIENT_CE, AP_SYS_COH, 0, &len, false));
	pci_host_reset(gpu);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_SYS_COH, 0, &v, 4), -EFAULT);
	close(fd);
}

static bool fired(int efd)
{
	struct pollfd p = { .fd = efd, .events = POLLIN };
	uint64_t n;

	return poll(&p, 1, 0) == 1 && read(efd, &n, sizeof(n)) == sizeof(n);
}

/* Level of the interrupt that an interrupt tree with one enabled, pending leaf has */
static void intr_level(bool on)
{
	gpu_lock(gpu);
	hw_wr32(gpu, on ? 0x000160 : 0x000180, BIT(PMC_BIT_GR));
	pmc_intr_set(gpu, PMC_BIT_GR, on);
	gpu_unlock(gpu);
}

static void test_msi(void **state)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	pci_host_irq_set(gpu, PCI_IRQ_MSI, dup(efd));
	assert_false(fired(efd));
	intr_level(true);
	assert_true(fired(efd));
	assert_int_equal(ledger_get(gpu->ledger, LEDGER_msi), 1);
	intr_level(false);
	assert_false(fired(efd));
	pci_host_irq_set(gpu, PCI_IRQ_MSI, -1);
	intr_level(true);
	assert_false(fired(efd));
	/* Who comes late hears of what is pending */
	pci_host_irq_set(gpu, PCI_IRQ_MSI, dup(efd));
	assert_true(fired(efd));
	close(efd);
}

static void test_intx(void **state)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	pci_host_irq_set(gpu, PCI_IRQ_INTX, dup(efd));
	intr_level(true);
	assert_true(fired(efd));
	/* Automasked until the host unmasks; the level fires again then */
	gpu_lock(gpu);
	pmc_intr_update(gpu);
	gpu_unlock(gpu);
	assert_false(fired(efd));
	pci_host_irq_mask(gpu, PCI_IRQ_INTX, false);
	assert_true(fired(efd));
	intr_level(false);
	pci_host_irq_mask(gpu, PCI_IRQ_INTX, false);
	assert_false(fired(efd));
	/* Disabled in the command register */
	cfg_wr(4, 0x0400, 2);
	intr_level(true);
	assert_false(fired(efd));
	close(efd);
}

static void test_lost_and_late(void **state)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct inject_arm once = { .nth = 1, .count = 1 }, late = { .nth = 1, .count = 1, .delay_us = 20000 };
	struct timespec t0, t1;

	pci_host_irq_set(gpu, PCI_IRQ_MSI, dup(efd));
	inject_arm(gpu, INJECT_intr_lost, &once);
	intr_level(true);
	assert_false(fired(efd));
	intr_level(false);
	inject_arm(gpu, INJECT_intr_late, &late);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	intr_level(true);
	assert_false(fired(efd));
	fair_lock(&gpu->lock);
	while (!fired(efd)) {
		gpu_engine_step(gpu);
		assert_true(gpu->wake_ns != UINT64_MAX || gpu_now(gpu));
		usleep(500);
	}
	fair_unlock(&gpu->lock);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_true((t1.tv_sec - t0.tv_sec) * 1000000000ll + t1.tv_nsec - t0.tv_nsec >= 20000000ll);
	close(efd);
}

/* A full pipe in place of an eventfd doesn't hold the device up. */
static void test_irq_foreign_fd(void **state)
{
	char junk[4096] = { 0 };
	int p[2];

	assert_int_equal(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
	while (write(p[1], junk, sizeof(junk)) > 0)
		;
	assert_int_equal(fcntl(p[1], F_SETFL, 0), 0);
	pci_host_irq_set(gpu, PCI_IRQ_MSI, p[1]);
	alarm(10);
	intr_level(true);
	alarm(0);
	assert_int_equal(ledger_get(gpu->ledger, LEDGER_msi), 1);
	close(p[0]);
}

/* --- injection ------------------------------------------------------------------------------- */

static void test_inject(void **state)
{
	struct inject_arm third = { .nth = 3, .count = 2 }, range = { .addr = 0x1000, .len = 0x1000 }, arm;

	assert_false(inject_fire(gpu, INJECT_ce_error, 0, 1, NULL));
	inject_arm(gpu, INJECT_ce_error, &third);
	assert_true(inject_armed(gpu, INJECT_ce_error, &arm));
	assert_int_equal(arm.nth, 3);
	assert_false(inject_fire(gpu, INJECT_ce_error, 0, 1, NULL));
	assert_false(inject_fire(gpu, INJECT_ce_error, 0, 1, NULL));
	assert_true(inject_fire(gpu, INJECT_ce_error, 0, 1, NULL));
	assert_true(inject_fire(gpu, INJECT_ce_error, 0, 1, NULL));
	assert_false(inject_fire(gpu, INJECT_ce_error, 0, 1, NULL));
	assert_false(inject_armed(gpu, INJECT_ce_error, NULL));
	assert_int_equal(inject_fired(gpu, INJECT_ce_error), 2);

	inject_arm(gpu, INJECT_ce_error, &range);
	assert_false(inject_fire(gpu, INJECT_ce_error, 0xfff, 1, NULL));
	assert_true(inject_fire(gpu, INJECT_ce_error, 0xfff, 2, NULL));
	assert_true(inject_fire(gpu, INJECT_ce_error, 0x1fff, 1, NULL));
	assert_false(inject_fire(gpu, INJECT_ce_error, 0x2000, 1, NULL));
	assert_true(inject_covers(gpu, INJECT_ce_error, 0, UINT64_MAX));
	inject_disarm(gpu, INJECT_NR);
	assert_false(inject_fire(gpu, INJECT_ce_error, 0x1fff, 1, NULL));
	assert_int_equal(inject_arm(gpu, INJECT_NR, &range), -EINVAL);
}

static void test_vram_read_error(void **state)
{
	struct inject_arm range = { .addr = 0x100000, .len = 0x1000 };
	size_t len = 0x3000;
	uint32_t v;

	inject_arm(gpu, INJECT_vram_read_error, &range);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_VRAM, 0x100ffc, &v, 4), -EFAULT);
	assert_int_equal(v, 0xffffffff);
	assert_int_equal(mem_read(gpu, CLIENT_CE, AP_VRAM, 0x101000, &v, 4), 0);
	assert_int_equal(mem_write(gpu, CLIENT_CE, AP_VRAM, 0x100000, &v, 4), 0);
	/* A bulk reader comes up to it and no further */
	assert_non_null(mem_ptr(gpu, CLIENT_CE, AP_VRAM, 0xff000, &len, false));
	assert_int_equal(len, 0x1000);
	assert_null(mem_ptr(gpu, CLIENT_CE, AP_VRAM, 0x100000, &len, false));
	assert_non_null(mem_ptr(gpu, CLIENT_CE, AP_VRAM, 0x100000, &len, true));
}

static void test_go_dark(void **state)
{
	struct inject_arm third = { .nth = 3 };
	uint32_t v;

	inject_arm(gpu, INJECT_go_dark, &third);
	for (int i = 1; i <= 5; i++) {
		pci_host_read(gpu, 0, 0, &v, 4);
		assert_int_equal(v == 0xffffffff, i >= 3);
	}
	assert_int_equal(cfg_rd(0, 4), 0xffffffff);
	v = 0x1234;
	pci_host_write(gpu, 0, 0x700000, &v, 4);
	inject_disarm(gpu, INJECT_go_dark);
	pci_host_read(gpu, 0, 0x700000, &v, 4);
	assert_int_equal(v, 0);
}

/* --- sanitizer --------------------------------------------------------------------------------- */

static void test_watch(void **state)
{
	uint32_t v = 0;
	size_t len = 0x10000;

	assert_int_equal(san_watch(gpu, AP_VRAM, 0x101000, 0x2000, true), 0);
	mem_read(gpu, CLIENT_CE, AP_VRAM, 0x100ffc, &v, 4);
	assert_int_equal(san_count(gpu, SAN_watched_access), 0);
	mem_read(gpu, CLIENT_CE, AP_VRAM, 0x101000, &v, 4);
	mem_write(gpu, CLIENT_SM_TEX, AP_VRAM, 0x102ffc, &v, 4);
	mem_read(gpu, CLIENT_CE, AP_VRAM, 0x103000, &v, 4);
	assert_int_equal(san_count(gpu, SAN_watched_access), 2);
	assert_non_null(mem_ptr(gpu, CLIENT_CE, AP_VRAM, 0x100000, &len, true));
	assert_int_equal(len, 0x1000);
	assert_null(mem_ptr(gpu, CLIENT_CE, AP_VRAM, 0x101000, &len, true));
	/* System memory has pages of its own */
	mem_read(gpu, CLIENT_CE, AP_SYS_COH, 0x101000, &v, 4);
	assert_int_equal(san_count(gpu, SAN_watched_access), 2);
	san_reset(gpu);
	assert_int_equal(san_count(gpu, SAN_watched_access), 0);
	assert_int_equal(san_watch(gpu, AP_VRAM, 0, UINT64_MAX, false), 0);
	assert_false(san_any_watch(gpu));
	assert_int_equal(san_watch(gpu, AP_VRAM, UINT64_MAX, 2, true), -EINVAL);
	assert_int_equal(san_watch(gpu, AP_PEER, 0, 2, true), -EINVAL);
}

/* Random watches against a bitmap */
static void test_watch_random(void **state)
{
	bool on[512] = { 0 };
	uint64_t seed = 362436069;

	for (int round = 0; round < 20000; round++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		unsigned int at = seed >> 40 & 511, n = 1 + (seed >> 52 & 15);
		bool set = seed >> 33 & 1, any = false;

		if (at + n > 512)
			n = 512 - at;
		assert_int_equal(san_watch(gpu, AP_SYS_COH, at * 4096ull, n * 4096ull, set), 0);
		for (unsigned int i = at; i < at + n; i++)
			on[i] = set;
		at = seed >> 20 & 511;
		n = 1 + (seed >> 12 & 7);
		for (unsigned int i = at; i < at + n && i < 512; i++)
			any |= on[i];
		assert_int_equal(san_watched(gpu, CLIENT_CE, AP_SYS_NCOH, at * 4096ull, n * 4096ull, false, false), any);
	}
}

static void test_fault_storm(void **state)
{
	for (int i = 0; i < 64; i++)
		san_fault_raised(gpu, 0x1000, 0x7000, MMU_READ, 0);
	assert_int_equal(san_count(gpu, SAN_fault_storm), 0);
	san_fault_raised(gpu, 0x1000, 0x7000, MMU_READ, 0);
	assert_int_equal(san_count(gpu, SAN_fault_storm), 1);
	/* Progress: the translation changes each time */
	for (uint64_t i = 0; i < 1000; i++)
		san_fault_raised(gpu, 0x1000, 0x7000, MMU_READ, i);
	assert_int_equal(san_count(gpu, SAN_fault_storm), 1);
	/* the page comes and goes, the access is let through in between */
	for (int i = 0; i < 1000; i++) {
		san_fault_raised(gpu, 0x1000, 0x7000, MMU_WRITE, 0);
		if (i % 50 == 49)
			san_translated(gpu, 0x1000, 0x7123, MMU_WRITE);
	}
	assert_int_equal(san_count(gpu, SAN_fault_storm), 1);
	/* what another space, page or access comes to is nothing to it */
	for (int i = 0; i < 65; i++) {
		san_fault_raised(gpu, 0x1000, 0x7000, MMU_WRITE, 0);
		san_translated(gpu, 0x2000, 0x7000, MMU_WRITE);
		san_translated(gpu, 0x1000, 0x8000, MMU_WRITE);
		san_translated(gpu, 0x1000, 0x7000, MMU_READ);
	}
	assert_int_equal(san_count(gpu, SAN_fault_storm), 2);
}

/* --- ledger and control -------------------------------------------------------------------------- */

static json_t *command(const char *text)
{
	json_t *req = json_loads(text, 0, NULL), *rep = control_request(gpu, req);

	json_decref(req);
	assert_non_null(rep);
	return rep;
}

static void expect(const char *text, bool ok)
{
	json_t *rep = command(text);

	if (json_is_true(json_object_get(rep, "ok")) != ok)
		fail_msg("%s: ok isn't %d", text, ok);
	assert_int_equal(json_is_string(json_object_get(rep, "error")), !ok);
	json_decref(rep);
}

static uint64_t value(const char *text, const char *key)
{
	json_t *rep = command(text);
	uint64_t v;

	assert_true(json_is_integer(json_object_get(rep, key)));
	v = (uint64_t)json_integer_value(json_object_get(rep, key));
	json_decref(rep);
	return v;
}

static uint64_t count(enum ledger_id id)
{
	return ledger_get(gpu->ledger, id);
}

/* Accesses of the host, each counted where it went, and DMA ranges. */
static void test_ledger_accesses(void **state)
{
	uint64_t v = 0;
	int fd = guest_memory(1 << 16);

	for (int i = 0; i < 3; i++)
		pci_host_read(gpu, PCI_REGION_BAR0, 0, &v, 4);
	for (int i = 0; i < 2; i++)
		pci_host_write(gpu, PCI_REGION_BAR0, 0x000140, &v, 4);
	for (int i = 0; i < 5; i++)
		pci_host_read(gpu, PCI_REGION_BAR0, 0x700000, &v, 4);
	for (int i = 0; i < 4; i++)
		pci_host_write(gpu, PCI_REGION_BAR0, 0x700000, &v, 4);
	for (int i = 0; i < 6; i++)
		pci_host_read(gpu, PCI_REGION_BAR1, 0x1000, &v, 8);
	for (int i = 0; i < 7; i++)
		pci_host_write(gpu, PCI_REGION_BAR1, 0x1000, &v, 8);
	pci_host_read(gpu, PCI_REGION_BAR2, 0x1000, &v, 1);
	pci_host_write(gpu, PCI_REGION_BAR2, 0x1000, &v, 2);
	pci_host_write(gpu, PCI_REGION_BAR2, 0x1000, &v, 4);
	/* by PRAMIN: a part of BAR0 */
	assert_int_equal(count(LEDGER_mmio_read), 3 + 5);
	assert_int_equal(count(LEDGER_mmio_write), 2 + 4);
	assert_int_equal(count(LEDGER_pramin_read), 5);
	assert_int_equal(count(LEDGER_pramin_write), 4);
	assert_int_equal(count(LEDGER_bar1_read), 6);
	assert_int_equal(count(LEDGER_bar1_write), 7);
	assert_int_equal(count(LEDGER_bar2_read), 1);
	assert_int_equal(count(LEDGER_bar2_write), 2);

	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(pci_host_dma_map(gpu, 0x10000 * i, 4096, fd, 0, true, true), 0);
	assert_int_equal(pci_host_dma_unmap(gpu, 0, 4096), 0);
	assert_int_equal(pci_host_dma_unmap(gpu, 0, 4096), -ENOENT);
	/* two in one message, as they go with a directory of the IOMMU's page table */
	assert_int_equal(pci_host_dma_unmap(gpu, 0x10000, 0x20000), 0);
	assert_int_equal(count(LEDGER_dma_unmap), 3);
	assert_int_equal(pci_host_dma_unmap(gpu, 0x30000, 0x800), -EINVAL);
	pci_host_dma_unmap_all(gpu);
	assert_int_equal(count(LEDGER_dma_map), 5);
	assert_int_equal(count(LEDGER_dma_unmap), 5);
	close(fd);
	ledger_reset(gpu->ledger);
	for (int i = 0; i < LEDGER_NR; i++)
		assert_int_equal(count(i), 0);
}

static void test_ledger_json(void **state)
{
	char path[] = "/tmp/gpu-model-ledger-XXXXXX";
	json_t *root, *kind;
	int fd = mkstemp(path);
	size_t n = 0;

	close(fd);
	LEDGER_ADD(gpu, ce_launch, 5);
	LEDGER(gpu, replay);
	assert_int_equal(ledger_write_json(gpu, path), 0);
	root = json_load_file(path, 0, NULL);
	unlink(path);
	assert_non_null(root);
	kind = json_object_get(root, "exact");
	assert_int_equal(json_integer_value(json_object_get(kind, "ce_launch")), 5);
	n += json_object_size(kind);
	kind = json_object_get(root, "timing");
	assert_int_equal(json_integer_value(json_object_get(kind, "replay")), 1);
	n += json_object_size(kind);
	assert_int_equal(n, LEDGER_NR);
	assert_int_equal(json_object_size(json_object_get(root, "sanitizer")), SAN_NR);
	assert_true(json_is_integer(json_object_get(json_object_get(root, "live"), "dma_maps")));
	json_decref(root);
	assert_int_equal(ledger_write_json(gpu, "/nonexistent/x"), -EIO);
	assert_true(ledger_is_exact(LEDGER_ce_launch));
	assert_false(ledger_is_exact(LEDGER_replay));
}

static void test_control(void **state)
{
	json_t *rep = command("{\"cmd\":\"info\",\"id\":\"x7\"}");

	assert_string_equal(json_string_value(json_object_get(rep, "id")), "x7");
	assert_string_equal(json_string_value(json_object_get(rep, "chip")), "gp104");
	json_decref(rep);

	LEDGER_ADD(gpu, ce_launch, 3);
	assert_int_equal(value("{\"cmd\":\"ledger\"}", "ce_launch"), 3);
	expect("{\"cmd\":\"ledger_reset\"}", true);
	assert_int_equal(value("{\"cmd\":\"ledger\"}", "ce_launch"), 0);

	expect("{\"cmd\":\"watch\",\"aperture\":\"vram\",\"addr\":\"0x2000\",\"len\":1}", true);
	mem_rd32(gpu, CLIENT_CE, AP_VRAM, 0x2ffc);
	assert_int_equal(value("{\"cmd\":\"sanitizer\"}", "watched_access"), 1);
	assert_int_equal(value("{\"cmd\":\"sanitizer\"}", "total"), 1);
	expect("{\"cmd\":\"unwatch\",\"aperture\":\"vram\",\"addr\":8192}", true);
	expect("{\"cmd\":\"sanitizer_reset\"}", true);
	assert_int_equal(value("{\"cmd\":\"sanitizer\"}", "total"), 0);

	expect("{\"cmd\":\"inject\",\"point\":\"ce_error\",\"nth\":2}", true);
	assert_false(inject_fire(gpu, INJECT_ce_error, 0, 0, NULL));
	assert_true(inject_fire(gpu, INJECT_ce_error, 0, 0, NULL));
	assert_false(inject_fire(gpu, INJECT_ce_error, 0, 0, NULL));
	assert_int_equal(value("{\"cmd\":\"injected\"}", "ce_error"), 1);
	expect("{\"cmd\":\"inject\",\"point\":\"link\",\"rate_gbps\":2.5,\"launch_us\":3}", true);
	expect("{\"cmd\":\"disarm\",\"point\":\"link\"}", true);
	assert_false(inject_armed(gpu, INJECT_link, NULL));
	expect("{\"cmd\":\"go_dark\"}", true);
	assert_true(inject_dark(gpu));
	expect("{\"cmd\":\"disarm\"}", true);
	assert_false(inject_dark(gpu));

	fair_lock(&gpu->lock);
	gpu_run(gpu, 100);
	fair_unlock(&gpu->lock);
	expect("{\"cmd\":\"unloaded\"}", true);
	assert_int_equal(value("{\"cmd\":\"sanitizer\"}", "iova_leak"), 0);
	assert_int_equal(dma_map(gpu->dma, 0x5000, 4096, -1, 0, true, true), 0);
	assert_int_equal(value("{\"cmd\":\"state\"}", "dma_maps"), 1);
	expect("{\"cmd\":\"unloaded\"}", true);
	assert_int_equal(value("{\"cmd\":\"sanitizer\"}", "iova_leak"), 1);
}

static void test_control_refuses(void **state)
{
	static const char *const bad[] = {
		"{}", "[]", "3", "{\"cmd\":5}", "{\"cmd\":\"nothing\"}",
		"{\"cmd\":\"watch\"}", "{\"cmd\":\"watch\",\"aperture\":\"moon\",\"addr\":0}",
		"{\"cmd\":\"watch\",\"aperture\":\"sys\"}",
		"{\"cmd\":\"watch\",\"aperture\":\"sys\",\"addr\":\"ten\"}",
		"{\"cmd\":\"watch\",\"aperture\":\"sys\",\"addr\":1,\"len\":0}",
		"{\"cmd\":\"watch\",\"aperture\":\"sys\",\"addr\":\"0xffffffffffffffff\",\"len\":2}",
		"{\"cmd\":\"inject\"}", "{\"cmd\":\"inject\",\"point\":\"moon\"}",
		"{\"cmd\":\"inject\",\"point\":\"link\",\"rate_gbps\":\"fast\"}",
		"{\"cmd\":\"inject\",\"point\":\"link\",\"rate_gbps\":-1}",
		"{\"cmd\":\"inject\",\"point\":\"ce_error\",\"nth\":1.5}",
		"{\"cmd\":\"disarm\",\"point\":\"moon\"}",
		"{\"cmd\":\"wait_idle\",\"timeout_ms\":[]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect(bad[i], false);
}

/* --- engine thread ----------------------------------------------------------------------------------- */

static uint64_t steps(void)
{
	uint64_t n;

	fair_lock(&gpu->lock);
	n = gpu->step;
	fair_unlock(&gpu->lock);
	return n;
}

static void test_idle_thread(void **state)
{
	uint64_t before, after;

	assert_int_equal(gpu_start(gpu), 0);
	usleep(100000);
	before = steps();
	usleep(200000);
	after = steps();
	assert_int_equal(before, after);
	gpu_kick(gpu);
	for (int i = 0; i < 1000 && steps() == after; i++)
		usleep(1000);
	assert_true(steps() > after);
	for (int i = 0; i < 1000; i++) {
		bool idle;

		fair_lock(&gpu->lock);
		idle = gpu_idle(gpu);
		fair_unlock(&gpu->lock);
		if (idle)
			break;
		assert_int_not_equal(i, 999);
		usleep(1000);
	}
	gpu_stop(gpu);
}

static void test_config_refused(void **state)
{
	struct gpu_config cfg;
	struct gpu *g = NULL;

	gpu_config_default(&cfg);
	cfg.vram_size = 100 * MiB;
	assert_int_equal(gpu_new(&cfg, &g), -EINVAL);
	gpu_config_default(&cfg);
	cfg.copy_engines = 1;
	assert_int_equal(gpu_new(&cfg, &g), -EINVAL);
	cfg.topology = TOPOLOGY_SINGLE;
	assert_int_equal(gpu_new(&cfg, &g), 0);
	gpu_del(&g);
	gpu_config_default(&cfg);
	cfg.sms = 0;
	assert_int_equal(gpu_new(&cfg, &g), -EINVAL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fair_lock),
		cmocka_unit_test(test_contended),
		T(test_dispatch),
		cmocka_unit_test(test_bad_description),
		T(test_descriptions),
		T(test_bar0_sizes),
		T(test_dma_random),
		T(test_dma_generation),
		T(test_dma_refused),
		T(test_dma_grow),
		T(test_mem),
		T(test_power_loss),
		T(test_config),
		T(test_d3_and_flr),
		T(test_bus_master),
		T(test_msi),
		T(test_intx),
		T(test_lost_and_late),
		T(test_irq_foreign_fd),
		T(test_inject),
		T(test_vram_read_error),
		T(test_go_dark),
		T(test_watch),
		T(test_watch_random),
		T(test_fault_storm),
		T(test_ledger_accesses),
		T(test_ledger_json),
		T(test_control),
		T(test_control_refuses),
		T(test_idle_thread),
		cmocka_unit_test(test_config_refused),
	};

	return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
