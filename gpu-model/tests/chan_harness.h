/* SPDX-License-Identifier: MIT */
/*
 * A channel for tests of the host interface and the engines: instance block,
 * RAMFC and USERD as nouveau's gm107_chan_ramfc_write() lays them out, GPFIFO and
 * push buffer in VRAM, a page for semaphores, a runlist with one group.
 */
#ifndef TESTS_CHAN_HARNESS_H
#define TESTS_CHAN_HARNESS_H

#include "harness.h"

#include "hw/fifo_priv.h"
#include "hw/gr.h"
#include "hw/gr_priv.h"

#define C_GPFIFO 0x10000000ull	/* VAs, the same in each channel */
#define C_PUSH 0x10100000ull
#define C_DATA 0x10200000ull
#define C_CTX 0x10300000ull
#define C_PUSH_SIZE 0x40000u
#define C_DATA_SIZE 0x40000u
#define C_ENTRIES 128u
#define C_USERD_BAR1 0x100000ull
#define C_CODE 0x8000u			/* offsets in the data area */
#define C_QMD 0x9000u

struct chan {
	struct harness *h;
	struct h_space s;
	unsigned int id, tsg, rl;
	uint64_t userd, gpfifo, push, data, ctx;
	uint32_t put;		/* GPFIFO index */
	uint32_t at, start;	/* dwords in the push buffer: next, begin of the segment */
};

static H_UNUSED uint32_t c_rd(struct chan *c, uint64_t vram)
{
	uint32_t v;

	memcpy(&v, c->h->gpu->vram + vram, 4);
	return v;
}

static H_UNUSED void c_wr(struct chan *c, uint64_t vram, uint32_t v)
{
	memcpy(c->h->gpu->vram + vram, &v, 4);
}

/* Map @size bytes of new VRAM at @va by 4 KiB pages.  Return: its VRAM address. */
static H_UNUSED uint64_t c_map_new(struct harness *h, struct h_space *s, uint64_t va, uint64_t size)
{
	uint64_t at = h_alloc(h, size);

	for (uint64_t o = 0; o < size; o += 4096)
		h_map(h, s, va + o, 12, AP_VRAM, at + o, 0);
	return at;
}

static H_UNUSED void c_ramfc(struct chan *c)
{
	uint64_t i = c->s.inst;

	c_wr(c, i + 0x08, (uint32_t)c->userd);
	c_wr(c, i + 0x0c, c->userd >> 32);
	c_wr(c, i + 0x10, 0xface);
	c_wr(c, i + 0x30, 0xfffff902);
	c_wr(c, i + 0x48, (uint32_t)C_GPFIFO);
	c_wr(c, i + 0x4c, (C_GPFIFO >> 32) | 7 << 16);	/* log2(C_ENTRIES) */
	c_wr(c, i + 0x84, 0x20400000);
	c_wr(c, i + 0x94, 0x30000fff);
	c_wr(c, i + 0x9c, 0x100);
	c_wr(c, i + 0xac, 0x1f);
	c_wr(c, i + 0xe4, 0);
	c_wr(c, i + 0xe8, c->id);
	c_wr(c, i + 0xf8, 0x10003080);
	c_wr(c, i + 0xfc, 0x10000010);
	c_wr(c, i + 0x210, (uint32_t)C_CTX | 4);
	c_wr(c, i + 0x214, C_CTX >> 32);
}

static H_UNUSED void c_bind(struct chan *c)
{
	hw_wr32(c->h->gpu, 0x800000 + c->id * 8, 0x80000000u | (uint32_t)(c->s.inst >> 12));
	hw_wr32(c->h->gpu, 0x800004 + c->id * 8, 0x400);
}

static H_UNUSED void c_host_init(struct harness *h)
{
	hw_wr32(h->gpu, 0x002254, 0x10000000 | (uint32_t)(C_USERD_BAR1 >> 12));
	hw_wr32(h->gpu, 0x002100, 0xffffffff);
	hw_wr32(h->gpu, 0x002140, 0xffffffff);
	for (unsigned int i = 0; i < h->gpu->fifo->nr_runlists; i++) {
		hw_wr32(h->gpu, 0x04010c + i * 0x2000, 0xfffffeff);
		hw_wr32(h->gpu, 0x04014c + i * 0x2000, 0xffffffff);
	}
	hw_wr32(h->gpu, 0x40013c, 0xffffffff);
	hw_wr32(h->gpu, 0x400138, 0xffffffff);
}

/* Put a list of channels, each a group of its own, on runlist @rl. */
static H_UNUSED void c_runlist(struct harness *h, unsigned int rl, struct chan **c, unsigned int n)
{
	uint64_t list = h_alloc(h, 4096);

	for (unsigned int i = 0; i < n; i++) {
		h_wr64(h, list + i * 16, 1u << 26 | 128 << 18 | 3 << 14 | 0x2000 | c[i]->tsg);
		h_wr64(h, list + i * 16 + 8, c[i]->id | (c[i]->s.inst >> 12) << 32);
	}
	hw_wr32(h->gpu, 0x002270, (uint32_t)(list >> 12));
	hw_wr32(h->gpu, 0x002274, rl << 20 | n * 2);
}

/* A channel with memory, not yet on a runlist. */
static H_UNUSED void c_new(struct harness *h, struct chan *c, unsigned int id, unsigned int rl)
{
	memset(c, 0, sizeof(*c));
	c->h = h;
	c->id = id;
	c->tsg = id + 16;
	c->rl = rl;
	h_space_new(h, &c->s);
	c->userd = h_alloc(h, 4096);
	c->gpfifo = c_map_new(h, &c->s, C_GPFIFO, 4096);
	c->push = c_map_new(h, &c->s, C_PUSH, C_PUSH_SIZE);
	c->data = c_map_new(h, &c->s, C_DATA, C_DATA_SIZE);
	c->ctx = c_map_new(h, &c->s, C_CTX, GR_CTX_IMAGE_SIZE);
	/* what gr_golden_save() writes: state after power-on */
	c_wr(c, c->ctx + GR_CTX_OFFSET, GR_CTX_MAGIC);
	c_wr(c, c->ctx + GR_CTX_OFFSET + 4, GR_CTX_VERSION);
	c_wr(c, c->ctx + GR_CTX_OFFSET + offsetof(struct gr_ctx, warp_esr_report_mask), 0x00dffffe);
	c_ramfc(c);
	c_bind(c);
}

static H_UNUSED void c_start(struct harness *h, struct chan *c, unsigned int id, unsigned int rl)
{
	struct chan *list[1] = { c };

	c_host_init(h);
	c_new(h, c, id, rl);
	c_runlist(h, rl, list, 1);
}

/* Push buffer */

static H_UNUSED void p(struct chan *c, uint32_t v)
{
	assert_true(c->at * 4 < C_PUSH_SIZE);
	c_wr(c, c->push + c->at * 4, v);
	c->at++;
}

/* Incrementing header */
static H_UNUSED void p_inc(struct chan *c, unsigned int subch, uint32_t mthd, unsigned int n)
{
	p(c, 1u << 29 | n << 16 | subch << 13 | mthd >> 2);
}

static H_UNUSED void p_1(struct chan *c, unsigned int subch, uint32_t mthd, uint32_t v)
{
	p_inc(c, subch, mthd, 1);
	p(c, v);
}

static H_UNUSED void p_imm(struct chan *c, unsigned int subch, uint32_t mthd, uint32_t v)
{
	p(c, 4u << 29 | v << 16 | subch << 13 | mthd >> 2);
}

static H_UNUSED void p_entry(struct chan *c, uint64_t entry)
{
	h_wr64(c->h, c->gpfifo + c->put * 8, entry);
	c->put = (c->put + 1) % C_ENTRIES;
}

/* GPFIFO entry over what was pushed since the last one. */
static H_UNUSED void p_segment(struct chan *c, uint64_t flags)
{
	p_entry(c, (C_PUSH + c->start * 4) | (uint64_t)(c->at - c->start) << 42 | flags);
	c->start = c->at;
}

static H_UNUSED void p_ring(struct chan *c)
{
	assert_true(fifo_userd_write(c->h->gpu, C_USERD_BAR1 + c->id * 0x200 + 0x8c, c->put));
}

static H_UNUSED void p_kick(struct chan *c)
{
	p_segment(c, 0);
	p_ring(c);
}

static H_UNUSED enum step_result c_run(struct chan *c)
{
	return gpu_run(c->h->gpu, 20000);
}

/* Host semaphore at offset @off of the data page. */
static H_UNUSED void p_sema(struct chan *c, uint32_t off, uint32_t payload, uint32_t exec)
{
	uint64_t va = C_DATA + off;

	p_inc(c, 0, 0x10, 4);
	p(c, va >> 32);
	p(c, (uint32_t)va);
	p(c, payload);
	p(c, exec);
}

#define SEM_REL4 (2u | 1u << 24)
#define SEM_REL4_NOWFI (SEM_REL4 | 1u << 20)

static H_UNUSED uint32_t c_data(struct chan *c, uint32_t off)
{
	return c_rd(c, c->data + off);
}

static H_UNUSED uint32_t reg(struct chan *c, uint32_t addr)
{
	return hw_rd32(c->h->gpu, addr);
}

static H_UNUSED void regw(struct chan *c, uint32_t addr, uint32_t v)
{
	hw_wr32(c->h->gpu, addr, v);
}

/* Grids */

/* nouveau's subchannels */
static H_UNUSED void objects(struct chan *k)
{
	p_1(k, 0, 0, 0xc197);
	p_1(k, 1, 0, 0xc1c0);
	p_1(k, 2, 0, 0xa140);
	p_1(k, 3, 0, 0x902d);
	p_1(k, 4, 0, 0xc1b5);
}

/* Report semaphore of the class on @subch. */
static H_UNUSED void report(struct chan *k, unsigned int subch, uint64_t va, uint32_t payload, uint32_t op)
{
	p_inc(k, subch, 0x1b00, 4);
	p(k, va >> 32);
	p(k, (uint32_t)va);
	p(k, payload);
	p(k, op);
}

/* SM6x code: groups of a scheduling word and three instructions. */
struct code {
	uint64_t w[64];
	unsigned int n;
};

static H_UNUSED void emit(struct code *k, uint64_t insn)
{
	if (k->n % 4 == 0)
		k->w[k->n++] = 0;
	k->w[k->n++] = insn;
}

static H_UNUSED void mov32i(struct code *k, unsigned int r, uint32_t imm)
{
	emit(k, 0x0100ull << 48 | (uint64_t)imm << 20 | 0xf000 | 7ull << 16 | r);
}

static H_UNUSED void st32(struct code *k, unsigned int a, unsigned int r)
{
	emit(k, 0xbc1ull << 52 | 4ull << 53 | 7ull << 16 | (uint64_t)a << 8 | r);
}

static H_UNUSED void finish(struct code *k)
{
	emit(k, 0xe300ull << 48 | 7ull << 16 | 0xf);
	while (k->n % 4)
		emit(k, 0x50b0ull << 48 | 7ull << 16 | 0xf00);
}

/* A grid of @ctas of @threads: @code at C_CODE in the data area, launched on subchannel 1 by @pcas; @qmd5: QMD word 5. */
static H_UNUSED void grid_by(struct chan *k, const struct code *code, uint32_t ctas, uint32_t threads, uint32_t pcas,
			     uint32_t qmd5)
{
	uint32_t q[64] = { [5] = qmd5 };

	memcpy(k->h->gpu->vram + k->data + C_CODE, code->w, code->n * 8);
	q[8] = 0;				/* PROGRAM_OFFSET */
	q[12] = ctas;				/* CTA_RASTER_WIDTH */
	q[13] = 1;
	q[14] = 1;
	q[18] = threads << 16;			/* CTA_THREAD_DIMENSION0 */
	q[19] = 1 << 16 | 1;
	q[30] = 16u << 24;			/* REGISTER_COUNT */
	q[31] = 0x800;				/* CRS */
	memcpy(k->h->gpu->vram + k->data + C_QMD, q, sizeof(q));
	p_inc(k, 1, 0x1608, 2);
	p(k, (C_DATA + C_CODE) >> 32);
	p(k, (uint32_t)(C_DATA + C_CODE));
	p_1(k, 1, 0x77c, 0xff000000);
	p_1(k, 1, 0x214, 0xfe000000);
	p_1(k, 1, 0x2b4, (uint32_t)((C_DATA + C_QMD) >> 8));
	p_1(k, 1, 0x2bc, pcas);
}

static H_UNUSED void grid_of(struct chan *k, const struct code *code, uint32_t ctas, uint32_t threads)
{
	grid_by(k, code, ctas, threads, 3, 0);
}

static H_UNUSED void grid(struct chan *k, const struct code *code)
{
	grid_of(k, code, 1, 1);
}

/* Counts in a register until the engine is reset. */
static H_UNUSED void endless_kernel(struct code *k)
{
	memset(k, 0, sizeof(*k));
	mov32i(k, 0, 1);
	/* BRA to itself */
	emit(k, 0xe240ull << 48 | 0xfffff8ull << 20 | 7ull << 16 | 0xf);
	finish(k);
}

static H_UNUSED void store_kernel(struct code *k, uint64_t va, uint32_t v)
{
	memset(k, 0, sizeof(*k));
	mov32i(k, 0, (uint32_t)va);
	mov32i(k, 1, va >> 32);
	mov32i(k, 2, v);
	st32(k, 0, 2);
	finish(k);
}

#endif
