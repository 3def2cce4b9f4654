// SPDX-License-Identifier: MIT
/*
 * The CPU's windows into memory: PRAMIN (a megabyte of BAR0 over physical
 * memory), BAR1 and BAR2 (translated by the MMU once software has given them
 * an instance block, physical VRAM before).  USERD is recognised in BAR1, where
 * writes to GP_PUT are doorbells.
 *
 * Sources: open-gpu-doc dev_bus (BAR0_WINDOW, BAR1_BLOCK, BAR2_BLOCK), nouveau
 * nvkm/subdev/{bar/gf100.c,instmem/nv50.c}.
 */
#include <string.h>

#include "hw/fault.h"
#include "hw/mem.h"
#include "hw/units.h"
#include "ledger/ledger.h"

enum {
	PRAMIN_BASE = 0x700000,
	PRAMIN_SIZE = 0x100000,
	PBUS_BAR0_WINDOW = 0x001700,
};

/* BAR0_WINDOW: base in units of 64 KiB, and the aperture */
#define WINDOW_BASE(v) ((uint64_t)field(v, 23, 0) << 16)
#define WINDOW_TARGET(v) field(v, 25, 24)

/* BAR1_BLOCK, BAR2_BLOCK: instance block >> 12, its aperture, virtual or physical mode */
#define BLOCK_PTR(v) ((uint64_t)field(v, 27, 0) << 12)
#define BLOCK_TARGET(v) field(v, 29, 28)
#define BLOCK_VIRTUAL BIT(31)

/* MMU engine ids: nouveau gp100_fifo_mmu_fault_engine[] */
enum { FAULT_ENGINE_BAR1 = 0x04, FAULT_ENGINE_BAR2 = 0x05 };
/* Hub clients: nouveau gk104_fifo_mmu_fault_hubclient[], "HOST_CPU" */
enum { HUB_CLIENT_HOST_CPU = 0x06 };

/* BARs by nouveau's index */
enum { BAR1_INDEX = 1, BAR2_INDEX = 3 };

/* The target of a window has 0 = VRAM, 2 and 3 = system memory, as in PTEs. */
static enum aperture window_aperture(uint32_t target)
{
	return (enum aperture)target;
}

void bar_bind(struct gpu *gpu, struct bar_window *bar, uint32_t val)
{
	memset(bar, 0, sizeof(*bar));
	if (!(val & BLOCK_VIRTUAL))
		return;
	bar->enabled = true;
	if (mmu_space_load(gpu, window_aperture(BLOCK_TARGET(val)), BLOCK_PTR(val), &bar->space)) {
		gpu_log(gpu, 1, "bar: no instance block at %#llx", (unsigned long long)BLOCK_PTR(val));
		/* nothing is mapped there: every access faults */
		bar->space.pdb_ap = AP_INVALID;
	}
}

static void bar_fault(struct gpu *gpu, const struct bar_window *bar, uint64_t va, enum mmu_access access,
		      enum mmu_fault_type type)
{
	struct mmu_fault f = {
		.inst = bar->space.inst,
		.inst_ap = bar->space.inst_ap,
		.va = va & ~0xfffull,
		.access = access,
		.type = type,
		.client = HUB_CLIENT_HOST_CPU,
		.hub = true,
		.engine = bar == &gpu->units->bar1 ? FAULT_ENGINE_BAR1 : FAULT_ENGINE_BAR2,
	};

	gpu_log(gpu, 1, "bar%d: fault at %#llx, type %d", bar == &gpu->units->bar1 ? 1 : 2,
		(unsigned long long)va, type);
	fault_post_fatal(gpu, &f);
}

/* Physical place behind a window's address.  Return: false when the access faults. */
static bool bar_resolve(struct gpu *gpu, const struct bar_window *bar, uint64_t addr, enum mmu_access access,
			struct mmu_xlat *x)
{
	enum mmu_fault_type r;

	if (!bar->enabled) {
		*x = (struct mmu_xlat){ .ap = AP_VRAM, .addr = addr };
		return true;
	}
	if (bar->space.pdb_ap == AP_INVALID)
		r = MMU_FAULT_UNBOUND_INST;
	else
		r = mmu_translate(gpu, &bar->space, TLB_HUB, CLIENT_BAR, addr, access, x);
	if (r == MMU_OK)
		return true;
	bar_fault(gpu, bar, addr, access, r);
	return false;
}

static void phys_write(struct gpu *gpu, enum aperture ap, uint64_t addr, const void *buf, size_t len)
{
	mem_write(gpu, CLIENT_BAR, ap, addr, buf, len);
	if (ap == AP_VRAM)
		mmu_cpu_wrote(gpu, addr, len);
}

static uint64_t window_read(struct gpu *gpu, struct bar_window *bar, uint64_t addr, unsigned int size)
{
	struct mmu_xlat x;
	uint64_t val = 0;

	if (!bar_resolve(gpu, bar, addr, MMU_READ, &x))
		return UINT64_MAX;
	if (!x.sparse)
		mem_read(gpu, CLIENT_BAR, x.ap, x.addr, &val, size);
	return val;
}

static void window_write(struct gpu *gpu, struct bar_window *bar, uint64_t addr, unsigned int size,
			 uint64_t val)
{
	struct mmu_xlat x;

	if (bar_resolve(gpu, bar, addr, MMU_WRITE, &x) && !x.sparse)
		phys_write(gpu, x.ap, x.addr, &val, size);
}

static uint64_t bar1_read(struct gpu *gpu, uint64_t addr, unsigned int size)
{
	uint32_t lo, hi;

	if (size == 4 && fifo_userd_read(gpu, addr, &lo))
		return lo;
	if (size == 8 && fifo_userd_read(gpu, addr, &lo) && fifo_userd_read(gpu, addr + 4, &hi))
		return (uint64_t)hi << 32 | lo;
	return window_read(gpu, &gpu->units->bar1, addr, size);
}

static void bar1_write(struct gpu *gpu, uint64_t addr, unsigned int size, uint64_t val)
{
	for (unsigned int done = 0; size % 4 == 0 && done < size; done += 4) {
		if (!fifo_userd_write(gpu, addr + done, (uint32_t)(val >> done * 8)))
			window_write(gpu, &gpu->units->bar1, addr + done, 4, (uint32_t)(val >> done * 8));
	}
	if (size % 4)
		window_write(gpu, &gpu->units->bar1, addr, size, val);
}

static bool size_ok(uint64_t addr, unsigned int size)
{
	return (size == 1 || size == 2 || size == 4 || size == 8) && addr % size == 0;
}

uint64_t hw_bar_read(struct gpu *gpu, int bar, uint64_t addr, unsigned int size)
{
	uint64_t val;

	if (!size_ok(addr, size))
		return UINT64_MAX;
	if (bar == BAR1_INDEX) {
		LEDGER(gpu, bar1_read);
		val = bar1_read(gpu, addr, size);
	} else {
		LEDGER(gpu, bar2_read);
		val = window_read(gpu, &gpu->units->bar2, addr, size);
	}
	return size == 8 ? val : val & (BIT64(size * 8) - 1);
}

void hw_bar_write(struct gpu *gpu, int bar, uint64_t addr, unsigned int size, uint64_t val)
{
	if (!size_ok(addr, size))
		return;
	if (bar == BAR1_INDEX) {
		LEDGER(gpu, bar1_write);
		bar1_write(gpu, addr, size, val);
	} else {
		LEDGER(gpu, bar2_write);
		window_write(gpu, &gpu->units->bar2, addr, size, val);
	}
}

static bool pramin_read(struct gpu *gpu, uint32_t addr, uint32_t *val)
{
	uint32_t window = hw_get(gpu, PBUS_BAR0_WINDOW);

	LEDGER(gpu, pramin_read);
	*val = mem_rd32(gpu, CLIENT_BAR, window_aperture(WINDOW_TARGET(window)),
			WINDOW_BASE(window) + (addr - PRAMIN_BASE));
	return true;
}

static bool pramin_write(struct gpu *gpu, uint32_t addr, uint32_t val)
{
	uint32_t window = hw_get(gpu, PBUS_BAR0_WINDOW);

	LEDGER(gpu, pramin_write);
	phys_write(gpu, window_aperture(WINDOW_TARGET(window)), WINDOW_BASE(window) + (addr - PRAMIN_BASE),
		   &val, 4);
	return true;
}

static void bar_power_on(struct gpu *gpu)
{
	memset(&gpu->units->bar1, 0, sizeof(gpu->units->bar1));
	memset(&gpu->units->bar2, 0, sizeof(gpu->units->bar2));
}

const struct hw_block hw_bar = {
	.name = "pramin",
	.base = PRAMIN_BASE,
	.size = PRAMIN_SIZE,
	.read = pramin_read,
	.write = pramin_write,
	.reset = bar_power_on,
};
