/* SPDX-License-Identifier: MIT */
/*
 * A GPU in the test's own process: no transport, no engine thread, no SM workers
 * (deterministic mode).  Page tables are built in VRAM, system memory is a memfd
 * that the test and the model share.
 *
 *	struct harness h;
 *	struct h_space s;
 *
 *	h_new(&h, NULL);
 *	h_space_new(&h, &s);
 *	h_map(&h, &s, 0x10000, 12, AP_VRAM, h_alloc(&h, 4096), 0);
 *	...
 *	h_del(&h);
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"
#include "hw/block.h"
#include "hw/mem.h"
#include "hw/mmu.h"
#include "hw/mmu_priv.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"
#include "ledger/sanitizer.h"
#include "pci/dma.h"

#define H_UNUSED __attribute__((unused))

#define H_IOVA 0x100000000ull	/* bus address of the shared memory */
#define H_SYS_SIZE (16 * MiB)

struct harness {
	struct gpu *gpu;
	uint64_t next;		/* VRAM, handed out upwards */
	uint8_t *sys;		/* H_SYS_SIZE bytes at H_IOVA */
	int sys_fd;
	/* page tables are written as the CPU would, in halves, and counted */
	bool cpu_writes;
};

/* An address space with its instance block. */
struct h_space {
	uint64_t inst, pdb;
	struct mmu_space sp;
};

/* 1 MiB at the bottom stays free: PRAMIN tests and BAR blocks may use it. */
static H_UNUSED void h_new(struct harness *h, void (*tweak)(struct gpu_config *cfg))
{
	struct gpu_config cfg;

	memset(h, 0, sizeof(*h));
	gpu_config_default(&cfg);
	cfg.vram_size = 256 * MiB;
	cfg.sms = 1;
	cfg.deterministic = true;
	cfg.seed = 7;
	if (tweak)
		tweak(&cfg);
	assert_int_equal(gpu_new(&cfg, &h->gpu), 0);
	h->next = MiB;
	h->sys_fd = memfd_create("harness", MFD_CLOEXEC);
	assert_true(h->sys_fd >= 0);
	assert_int_equal(ftruncate(h->sys_fd, H_SYS_SIZE), 0);
	h->sys = mmap(NULL, H_SYS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, h->sys_fd, 0);
	assert_ptr_not_equal(h->sys, MAP_FAILED);
	assert_int_equal(dma_map(h->gpu->dma, H_IOVA, H_SYS_SIZE, h->sys_fd, 0, true, true), 0);
}

static H_UNUSED void h_del(struct harness *h)
{
	gpu_del(&h->gpu);
	munmap(h->sys, H_SYS_SIZE);
	close(h->sys_fd);
}

/* VRAM, aligned to its size rounded up to a power of two (4 KiB to 2 MiB). */
static H_UNUSED uint64_t h_alloc(struct harness *h, uint64_t size)
{
	uint64_t align = 4096, at;

	while (align < size && align < 2 * MiB)
		align *= 2;
	at = (h->next + align - 1) & ~(align - 1);
	h->next = at + size;
	assert_true(h->next <= h->gpu->vram_size);
	memset(h->gpu->vram + at, 0, size);
	return at;
}

static H_UNUSED uint64_t h_vram64(struct harness *h, uint64_t at)
{
	uint64_t v;

	memcpy(&v, h->gpu->vram + at, 8);
	return v;
}

/* A CPU write to VRAM in 4-byte halves, low half first: nouveau's nvkm_wo64(). */
static H_UNUSED void h_cpu_wr64(struct harness *h, uint64_t at, uint64_t v)
{
	memcpy(h->gpu->vram + at, &v, 4);
	mmu_cpu_wrote(h->gpu, at, 4);
	memcpy(h->gpu->vram + at + 4, (uint8_t *)&v + 4, 4);
	mmu_cpu_wrote(h->gpu, at + 4, 4);
}

static H_UNUSED void h_wr64(struct harness *h, uint64_t at, uint64_t v)
{
	if (h->cpu_writes)
		h_cpu_wr64(h, at, v);
	else
		memcpy(h->gpu->vram + at, &v, 8);
}

/* Instance block fields: 49 bits, 64 KiB pages, TEX and GCC faults replay. */
static H_UNUSED void h_inst_write(struct harness *h, uint64_t inst, uint64_t pdb)
{
	h_wr64(h, inst + 0x200, pdb | BIT(4) | BIT(5) | BIT(10) | BIT(11));
	h_wr64(h, inst + 0x208, BIT64(49) - 1);
}

static H_UNUSED void h_space_new(struct harness *h, struct h_space *s)
{
	s->inst = h_alloc(h, 4096);
	s->pdb = h_alloc(h, 4096);
	h_inst_write(h, s->inst, s->pdb);
	assert_int_equal(mmu_space_load(h->gpu, AP_VRAM, s->inst, &s->sp), 0);
}

/* Table that directory entry @at points to, made when there is none.  @big: PD0's lower half. */
static H_UNUSED uint64_t h_table(struct harness *h, uint64_t at, bool big)
{
	uint64_t e = h_vram64(h, at), table;

	if (entry_ap(e))
		return pde_addr(e, big);
	table = h_alloc(h, 4096);
	h_wr64(h, at, table >> 4 | 1 << 1);
	return table;
}

/* Address of the 8-byte entry that maps @va with pages of 1 << @shift bytes. */
static H_UNUSED uint64_t h_entry(struct harness *h, const struct h_space *s, uint64_t va, unsigned int shift)
{
	uint64_t t = s->pdb;

	if (shift == 47)
		return t + (va >> 47 & 3) * 8;
	t = h_table(h, t + (va >> 47 & 3) * 8, false);
	if (shift == 38)
		return t + (va >> 38 & 511) * 8;
	t = h_table(h, t + (va >> 38 & 511) * 8, false);
	if (shift == 29)
		return t + (va >> 29 & 511) * 8;
	t = h_table(h, t + (va >> 29 & 511) * 8, false);
	t += (va >> 21 & 255) * 16;
	if (shift == 21)
		return t;
	if (shift == 16)
		return h_table(h, t, true) + (va >> 16 & 31) * 8;
	return h_table(h, t + 8, false) + (va >> 12 & 511) * 8;
}

/* A valid PTE for @addr; @flags: PTE_RO, PTE_ATOMIC_DISABLE, PTE_VOL, kind << 56. */
static H_UNUSED uint64_t h_pte(enum aperture ap, uint64_t addr, uint64_t flags)
{
	return addr >> 4 | (uint64_t)ap << 1 | PTE_VALID | flags;
}

static H_UNUSED void h_set_pte(struct harness *h, const struct h_space *s, uint64_t va, unsigned int shift,
			       uint64_t pte)
{
	h_wr64(h, h_entry(h, s, va, shift), pte);
}

static H_UNUSED void h_map(struct harness *h, const struct h_space *s, uint64_t va, unsigned int shift,
			   enum aperture ap, uint64_t addr, uint64_t flags)
{
	h_set_pte(h, s, va, shift, h_pte(ap, addr, flags));
}

/* What nouveau's gf100_vmm_invalidate() writes; @bits: 1 | hub only 4 | level << 24 ... */
static H_UNUSED void h_invalidate(struct harness *h, const struct h_space *s, uint32_t bits)
{
	if (s) {
		uint64_t a = s->pdb >> 12 << 4;

		hw_wr32(h->gpu, 0x100cb8, (uint32_t)a);
		hw_wr32(h->gpu, 0x100cec, (uint32_t)(a >> 32));
	}
	hw_wr32(h->gpu, 0x100cbc, 0x80000000u | bits);
}

static H_UNUSED uint64_t h_count(struct harness *h, enum ledger_id id)
{
	return ledger_get(h->gpu->ledger, id);
}

static H_UNUSED uint64_t h_findings(struct harness *h)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < SAN_NR; i++)
		n += san_count(h->gpu, (enum san_id)i);
	return n;
}

#endif
