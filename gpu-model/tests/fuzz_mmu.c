// SPDX-License-Identifier: MIT
/*
 * Fuzz target: page-table programs.  The input is a list of entry writes to a
 * few pages that point to one another, instance blocks among them, with
 * translations, accesses, invalidates, faults and CPU writes between.  After each
 * translation no answer may leave its page, and after an invalidate of all the TLB
 * must say what a walk without it says.
 */
#include "tests/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "hw/block.h"
#include "hw/fault.h"
#include "hw/mmu.h"
#include "ledger/sanitizer.h"

#define PAGES 24u		/* of tables, at the bottom of VRAM */
#define INSTS 4u		/* of these: instance blocks, at the end */

static struct gpu *gpu;
static struct mmu_space space[INSTS];
static bool loaded[INSTS];

struct op {
	uint8_t what, a, b, c;
	uint32_t d;
} __attribute__((packed));

/* An entry that leads somewhere more often than a random one */
static uint64_t entry(const struct op *op)
{
	uint64_t flags = op->d & 0xff, at = (uint64_t)(op->d >> 8 & 0xff) % PAGES << 12;

	switch (op->c & 7) {
	case 0:
		return (uint64_t)op->d << 32 | op->d;
	case 1:
		return at >> 4 | (op->d & 0xf0) | 1 << 1;	/* directory in VRAM, any 256 bytes */
	case 2:
		return at >> 4 | 1 << 1;
	case 3:
		return at >> 4 | flags | 1;			/* PTE */
	case 4:
		return gpu->vram_size >> 4 | flags;		/* beyond the end */
	case 5:
		return at | 1 << 10 | (flags & 0x3b) | (op->d & 1) << 11;	/* root of an instance block */
	case 6:
		return flags;
	}
	return at >> 4 | flags;
}

static uint64_t address(const struct op *op)
{
	uint64_t va = (uint64_t)(op->a & 3) << 47 | (uint64_t)(op->b & 3) << 38 | (uint64_t)(op->b >> 2 & 3) << 29 |
		      (uint64_t)(op->b >> 4 & 3) << 21 | (op->d & 0x1fffff);

	return op->b & 0x80 ? va | 1ull << 49 : va;
}

static void cpu_write(uint64_t at, const void *buf, size_t len)
{
	memcpy(gpu->vram + at, buf, len);
	mmu_cpu_wrote(gpu, at, len);
}

static void translate(const struct op *op, const struct mmu_space *sp)
{
	enum mmu_access access = op->c & 3;
	struct mmu_xlat x, now;
	uint64_t va = address(op);
	enum mmu_fault_type r = mmu_translate(gpu, sp, op->c & 4 ? TLB_GPC : TLB_HUB, CLIENT_SM_TEX, va, access, &x);

	if (r == MMU_OK && (!x.left || x.left > 1ull << x.page_shift || va < x.page_va ||
			    va - x.page_va + x.left != 1ull << x.page_shift))
		abort();
	/* nothing invalid is cached: what the tables allow after an invalidate of all, the TLB allows */
	if (op->c & 8 && !gpu->cfg.late_invalidate) {
		hw_wr32(gpu, 0x100cbc, 0x80000003);
		r = mmu_translate(gpu, sp, TLB_GPC, CLIENT_SM_TEX, va, access, &x);
		if (r != mmu_peek(gpu, sp, va, access, &now, NULL))
			abort();
		if (r == MMU_OK && (x.addr != now.addr || x.ap != now.ap || x.sparse != now.sparse || x.ro != now.ro))
			abort();
	}
}

static void run(const struct op *op)
{
	unsigned int i = op->a % INSTS;
	uint64_t e = entry(op), at, va;
	uint8_t buf[64];
	struct mmu_fault f;

	switch (op->what % 11) {
	case 0:
	case 1:
	case 2:
	case 3:
		at = (op->a % PAGES << 12) + op->b * 8u + (op->c >> 7) * 2048u;
		cpu_write(at, &e, op->c & 0x40 ? 4 : 8);
		break;
	case 4:
		at = ((PAGES - INSTS + i) << 12) + 0x200 + (op->b & 8);
		if (op->b & 8)
			e = op->d & 1 ? ~0ull : op->d;
		cpu_write(at, &e, 8);
		break;
	case 5:
		loaded[i] = !mmu_space_load(gpu, AP_VRAM, (PAGES - INSTS + i) << 12, &space[i]);
		break;
	case 6:
		if (loaded[i])
			translate(op, &space[i]);
		break;
	case 7:
		if (!loaded[i])
			break;
		va = address(op);
		if (op->c & 16)
			mmu_read(gpu, &space[i], TLB_HUB, CLIENT_CE, va, buf, sizeof(buf), &va);
		else
			mmu_write(gpu, &space[i], TLB_HUB, CLIENT_CE, va, memset(buf, op->c, sizeof(buf)),
				  sizeof(buf), &va);
		break;
	case 8:
		hw_wr32(gpu, 0x100cb8, (uint32_t)(op->b % PAGES) << 4);
		hw_wr32(gpu, 0x100cbc, 0x80000000 | (op->d & 0x071fffff));
		break;
	case 9:
		f = (struct mmu_fault){ .inst = (PAGES - INSTS + i) << 12, .va = address(op), .access = op->c & 15,
					.type = op->b & 31, .client = op->c, .gpc = op->b, .engine = op->d };
		if (op->d & 0x100)
			fault_post_fatal(gpu, &f);
		else
			fault_post_replayable(gpu, &f);
		break;
	case 10:
		hw_wr32(gpu, 0x002a70 + op->b % 5 * 4, op->d & (op->c & 1 ? ~0u : 0x1ffff));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct op op;

	if (!gpu)
		gpu = fuzz_gpu();
	memset(loaded, 0, sizeof(loaded));
	gpu->cfg.late_invalidate = size & 1;
	fair_lock(&gpu->lock);
	for (; size >= sizeof(op); data += sizeof(op), size -= sizeof(op)) {
		memcpy(&op, data, sizeof(op));
		run(&op);
		if (gpu->cfg.late_invalidate && op.d & 1)
			gpu_engine_step(gpu);
	}
	/* power loss, as far as it matters here: gpu_reset() would take a thousand times as long */
	memset(gpu->vram, 0, PAGES << 12);
	hw_mmu.reset(gpu);
	hw_fault.reset(gpu);
	for (uint32_t r = 0x002a70; r < 0x002a84; r += 4)
		hw_set(gpu, r, r == 0x002a78 ? 256 : 0);
	san_reset(gpu);
	fair_unlock(&gpu->lock);
	return 0;
}
