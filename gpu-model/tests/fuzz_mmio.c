// SPDX-License-Identifier: MIT
/*
 * Fuzz target: register programs.  The input is a list of host accesses
 * (struct op; tests/trace-to-corpus makes one from a trace): BAR0 anywhere and
 * at the described registers, BAR1 and BAR2, configuration space,
 * PRAMIN (so that instance blocks, runlists, page tables and GPFIFO entries are
 * hostile too), system memory changing under the device, engine steps.
 */
#include "tests/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/block.h"
#include "pci/pci.h"

#define RAM_SIZE (1u << 20)

static struct gpu *gpu;
static uint8_t *ram;
static int ram_fd;
static uint32_t *regs;
static size_t nr_regs;

static void init(void)
{
	gpu = fuzz_gpu();
	ram_fd = memfd_create("guest", MFD_CLOEXEC);
	if (ftruncate(ram_fd, RAM_SIZE))
		abort();
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ram_fd, 0);
	for (const struct hw_block *const *b = hw_block_list(gpu); *b; b++)
		for (size_t i = 0; i < (*b)->nr_regs; i++) {
			const struct hw_reg *r = &(*b)->regs[i];
			unsigned int n = r->count ? r->count : 1;

			/* The first and the last of an array stand for it. */
			regs = realloc(regs, (nr_regs + 2) * sizeof(*regs));
			regs[nr_regs++] = r->addr;
			regs[nr_regs++] = r->addr + (n - 1) * r->stride;
		}
}

struct op {
	uint8_t what, a;
	uint16_t b;
	uint32_t addr, c;
} __attribute__((packed));

/* Values that mean something more often than random ones do */
static uint32_t value(const struct op *op)
{
	switch (op->a & 7) {
	case 0:
		return op->c & 0xff;
	case 1:
		return 1u << (op->c & 31);
	case 2:
		return op->c & 0xff000;		/* a page of RAM or low VRAM */
	case 3:
		return 0x80000000u | (op->c & 0xfff);
	case 4:
		return ~0u;
	}
	return op->c;
}

static void run(const struct op *op)
{
	uint32_t v = value(op);
	uint64_t v8 = (uint64_t)op->c << 32 | v;
	uint8_t buf[8] = { 0 };
	size_t len = 1u << (op->a >> 3 & 3);
	uint32_t off = op->b * 4u;

	switch (op->what % 12) {
	case 0:
	case 1:
	case 2:
		pci_host_write(gpu, 0, regs[op->b % nr_regs], &v, 4);
		break;
	case 3:
		pci_host_read(gpu, 0, regs[op->b % nr_regs], buf, 4);
		break;
	case 4:
		pci_host_write(gpu, 0, op->addr & 0xffffff, &v8, len);
		break;
	case 5:
		pci_host_read(gpu, 0, op->addr & 0xffffff, buf, len);
		break;
	case 6:
		pci_host_write(gpu, 0, 0x700000 + off, &op->c, 4);
		break;
	case 7:
		if (op->a & 0x40)
			pci_host_write(gpu, op->a & 0x80 ? 1 : 3, off, &v8, len);
		else
			pci_host_read(gpu, op->a & 0x80 ? 1 : 3, off, buf, len);
		break;
	case 8:
		memcpy(ram + (off & (RAM_SIZE - 8) & ~7u), &v8, 8);
		break;
	case 9:
		fuzz_steps(gpu, 1 + (op->b & 31));
		break;
	case 10:
		pci_host_write(gpu, 7, op->b & 0xff, &v, op->a & 0x20 ? 4 : 1);
		break;
	case 11:
		if (op->a & 1)
			pci_host_dma_unmap(gpu, op->b & 1 ? 0 : RAM_SIZE, RAM_SIZE);
		else
			pci_host_dma_map(gpu, op->b & 1 ? 0 : RAM_SIZE, RAM_SIZE, ram_fd, 0, true, op->a & 2);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct op op;
	int nr = 0;

	if (!gpu)
		init();
	memset(ram, 0, RAM_SIZE);
	pci_host_dma_map(gpu, 0, RAM_SIZE, ram_fd, 0, true, true);
	for (; size >= sizeof(op) && nr++ < 4096; data += sizeof(op), size -= sizeof(op)) {
		memcpy(&op, data, sizeof(op));
		run(&op);
	}
	fuzz_steps(gpu, 200);
	pci_host_dma_unmap_all(gpu);
	pci_host_reset(gpu);
	return 0;
}
