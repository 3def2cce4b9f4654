// SPDX-License-Identifier: MIT
/*
 * Fuzz target: push buffers.  The input is GPFIFO entries and a push buffer for
 * a graphics channel and a copy channel, whose memory (GPFIFO, push buffer, context
 * image, QMDs, code, semaphores) is one writable page of 2 MiB, so that methods
 * reach all of it.  Copies by physical address reach RAMFC and page tables.
 * Interrupts are acknowledged as a driver does, dead channels are recovered.
 */
#include "tests/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "hw/block.h"
#include "hw/fifo_priv.h"
#include "hw/gr_priv.h"

#define VA 0x10000000ull
#define PAGE (2 * MiB)
#define PD3 0x100000u
#define PD2 0x101000u
#define PD1 0x102000u
#define PD0 0x103000u
#define INST 0x110000u		/* one page a channel */
#define USERD 0x120000u
#define LIST 0x121000u
#define DATA 0x200000u
#define GPFIFO_OFF 0x0u
#define PUSH_OFF 0x1000u
#define CTX_OFF 0x100000u
#define CHANNELS 2u
#define USERD_BAR1 0x100000ull
#define ENTRIES 16u

static struct gpu *gpu;

static void put32(uint64_t at, uint32_t v)
{
	memcpy(gpu->vram + at, &v, 4);
}

static void put64(uint64_t at, uint64_t v)
{
	memcpy(gpu->vram + at, &v, 8);
}

static void memory(void)
{
	memset(gpu->vram + PD3, 0, 0x22000);
	memset(gpu->vram + DATA, 0, PAGE);
	put64(PD3, PD2 >> 4 | 1 << 1);
	put64(PD2, PD1 >> 4 | 1 << 1);
	put64(PD1, PD0 >> 4 | 1 << 1);
	put64(PD0 + (VA >> 21 & 255) * 16, DATA >> 4 | 1);
	for (unsigned int c = 0; c < CHANNELS; c++) {
		uint64_t i = INST + c * 0x1000, ctx = VA + CTX_OFF + c * GR_CTX_IMAGE_SIZE;

		put32(i + 0x08, USERD + c * 0x200);
		put32(i + 0x10, 0xface);
		put32(i + 0x30, 0xfffff902);
		put32(i + 0x48, (uint32_t)(VA + GPFIFO_OFF + c * ENTRIES * 8));
		put32(i + 0x4c, 4 << 16);
		put32(i + 0x84, 0x20400000);
		put32(i + 0x94, 0x30000fff);
		put64(i + 0x200, PD3 | BIT(4) | BIT(5) | BIT(10) | BIT(11));
		put64(i + 0x208, BIT64(49) - 1);
		put64(i + 0x210, ctx | 4);
		put32(DATA + CTX_OFF + c * GR_CTX_IMAGE_SIZE + GR_CTX_OFFSET, GR_CTX_MAGIC);
		put32(DATA + CTX_OFF + c * GR_CTX_IMAGE_SIZE + GR_CTX_OFFSET + 4, GR_CTX_VERSION);
		put64(LIST + c * 16, 1u << 26 | 128 << 18 | 3 << 14 | 0x2000 | (c + 16));
		put64(LIST + c * 16 + 8, c + 1);
	}
}

static void host(void)
{
	fair_lock(&gpu->lock);
	fifo_reset(gpu);
	hw_wr32(gpu, 0x100cbc, 0x80000003);
	hw_wr32(gpu, 0x002254, 0x10000000 | (uint32_t)(USERD_BAR1 >> 12));
	hw_wr32(gpu, 0x002140, 0xffffffff);
	hw_wr32(gpu, 0x04010c, 0xfffffeff);
	hw_wr32(gpu, 0x04210c, 0xfffffeff);
	hw_wr32(gpu, 0x002a0c, 0x80000001);	/* time-outs come at once */
	for (unsigned int c = 0; c < CHANNELS; c++) {
		hw_wr32(gpu, 0x800000 + (c + 1) * 8, 0x80000000u | (INST + c * 0x1000) >> 12);
		hw_wr32(gpu, 0x800004 + (c + 1) * 8, 0x400);
		hw_wr32(gpu, 0x002270, (LIST + c * 16) >> 12);
	}
	hw_wr32(gpu, 0x002270, LIST >> 12);
	hw_wr32(gpu, 0x002274, CHANNELS * 2);
	fair_unlock(&gpu->lock);
}

/* What a driver's interrupt handlers write. */
static void handle(void)
{
	fair_lock(&gpu->lock);
	for (unsigned int i = 0; i < 2; i++) {
		hw_wr32(gpu, 0x0400c0 + i * 0x2000, 0x80600008);
		hw_wr32(gpu, 0x040108 + i * 0x2000, 0xffffffff);
		hw_wr32(gpu, 0x104410 + i * 0x80, 7);
	}
	hw_wr32(gpu, 0x400108, 0xffffffff);
	hw_wr32(gpu, 0x400100, 0xffffffff);
	hw_wr32(gpu, 0x400500, 0x10001);
	hw_wr32(gpu, 0x002100, 0xffffffff);
	if (hw_rd32(gpu, 0x00259c)) {
		hw_wr32(gpu, 0x00259c, 0xffffffff);
		hw_wr32(gpu, 0x00262c, 0xff);
	}
	fair_unlock(&gpu->lock);
}

static uint64_t executed(void)
{
	struct sm_stats s;

	sm_get_stats(gpu->sm, &s);
	return s.warp_instructions;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t before;
	unsigned int n, c;

	if (!gpu)
		gpu = fuzz_gpu();
	if (size < 4)
		return 0;
	memory();
	/* byte 0: entries to take literally; the rest of the entries cut the push buffer in pieces */
	n = data[0] % (ENTRIES * 2);
	if (size < 4 + n * 8)
		n = 0;
	memcpy(gpu->vram + DATA + GPFIFO_OFF, data + 4, n * 8);
	data += 4 + n * 8;
	size -= 4 + n * 8;
	if (size > CTX_OFF - PUSH_OFF)
		size = CTX_OFF - PUSH_OFF;
	memcpy(gpu->vram + DATA + PUSH_OFF, data, size);
	for (; n < ENTRIES * 2; n++) {
		uint64_t at = size / 4 * (n % ENTRIES) / (ENTRIES - 1) * 4, len = size / 4 / (ENTRIES - 1);

		put64(DATA + GPFIFO_OFF + n * 8, (VA + PUSH_OFF + at) | len << 42);
	}
	host();
	for (c = 0; c < CHANNELS; c++) {
		fair_lock(&gpu->lock);
		fifo_userd_write(gpu, USERD_BAR1 + (c + 1) * 0x200 + 0x8c, ENTRIES - 1);
		fair_unlock(&gpu->lock);
	}
	/* a grid that never ends has shown what it does after some thousand instructions */
	before = executed();
	for (unsigned int k = 0; k < 20 && executed() - before < 50000; k++) {
		fuzz_steps(gpu, 60);
		handle();
	}
	/* preempt both, then take them away */
	for (c = 0; c < CHANNELS; c++) {
		fair_lock(&gpu->lock);
		hw_wr32(gpu, 0x002634, 1u << 24 | (c + 16));
		fair_unlock(&gpu->lock);
		fuzz_steps(gpu, 20);
		fair_lock(&gpu->lock);
		hw_wr32(gpu, 0x800000 + (c + 1) * 8, 0);
		fair_unlock(&gpu->lock);
	}
	fuzz_steps(gpu, 20);
	return 0;
}
