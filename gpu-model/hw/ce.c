// SPDX-License-Identifier: MIT
/*
 * Copy engines: classes PASCAL_DMA_COPY_A (c0b5) and _B (c1b5).
 *
 * Owns struct ce_job, one an engine: the launch in progress.  Methods are kept
 * in struct channel (they travel with RAMFC); a launch copies what it needs.
 * An engine takes no further method while it copies, so launches complete in
 * order whether they are called pipelined or not.  A step moves 128 KiB at
 * most, to keep gpu->lock short, and long ones without it: translated, looked at
 * and counted with the lock, moved after the step (gpu_defer()), and the launch
 * ends in a step after that.  The host may stop the thread that moves them, and
 * MMIO goes on.
 *
 * A virtual address that does not translate is fatal to the channel: Pascal
 * replays faults of TEX and GCC only.
 *
 * Not modelled: block-linear layouts (a launch that asks for one ends with
 * LAUNCHERR), FORCE_RMWDISABLE, L2 hints, VPR.
 *
 * Lock order: gpu->lock.
 *
 * Sources: clc0b5.h, clc1b5.h; nouveau gp100_ce_intr().
 */
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "hw/fifo_priv.h"
#include "hw/fault.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"

#define CLASS_DMA_COPY_A 0xc0b5
#define CLASS_DMA_COPY_B 0xc1b5

/* Words of channel.ce[], in the order of the methods below */
enum ce_word {
	CE_SEMAPHORE_A, CE_SEMAPHORE_B, CE_SEMAPHORE_PAYLOAD,
	CE_RENDER_ENABLE_A, CE_RENDER_ENABLE_B,
	CE_RENDER_ENABLE_C,		/* ^ 1: zero is MODE_TRUE */
	CE_SRC_PHYS_MODE, CE_DST_PHYS_MODE,
	CE_OFFSET_IN_UPPER, CE_OFFSET_IN_LOWER, CE_OFFSET_OUT_UPPER, CE_OFFSET_OUT_LOWER,
	CE_PITCH_IN, CE_PITCH_OUT, CE_LINE_LENGTH_IN, CE_LINE_COUNT,
	CE_REMAP_CONST_A, CE_REMAP_CONST_B, CE_REMAP_COMPONENTS,
	CE_BLOCK_SIZE,			/* 70c..73c: 13 words, stored only */
	CE_ORIGIN = CE_BLOCK_SIZE + 13,	/* 744..750 */
	CE_WORDS = CE_ORIGIN + 4,
};
_Static_assert(CE_WORDS <= CE_STATE_WORDS, "channel.ce[] too small");

static const struct ce_method {
	uint16_t first, last;
	uint8_t word;
} ce_methods[] = {
	{ 0x240, 0x248, CE_SEMAPHORE_A },
	{ 0x254, 0x25c, CE_RENDER_ENABLE_A },
	{ 0x260, 0x264, CE_SRC_PHYS_MODE },
	{ 0x400, 0x41c, CE_OFFSET_IN_UPPER },
	{ 0x700, 0x73c, CE_REMAP_CONST_A },
	{ 0x744, 0x750, CE_ORIGIN },
};

#define CE_NOP 0x100
#define CE_PM_TRIGGER 0x140
#define CE_LAUNCH_DMA 0x300
#define CE_PM_TRIGGER_END 0x1114

/* NVC1B5_LAUNCH_DMA */
#define LAUNCH_SRC_PITCH BIT(7)
#define LAUNCH_DST_PITCH BIT(8)
#define LAUNCH_MULTI_LINE BIT(9)
#define LAUNCH_REMAP BIT(10)
#define LAUNCH_SRC_PHYSICAL BIT(12)
#define LAUNCH_DST_PHYSICAL BIT(13)
#define LAUNCH_REDUCTION BIT(19)
enum { REMAP_CONST_A = 4, REMAP_CONST_B = 5, REMAP_NO_WRITE = 6 };

/* 104410 + 0x80 * n: nouveau gp100_ce_intr() */
#define CE_INTR_BLOCKPIPE BIT(0)
#define CE_INTR_NONBLOCKPIPE BIT(1)
#define CE_INTR_LAUNCHERR BIT(2)
/* 104418, nouveau gp100_ce_launcherr_report[] */
enum {
	LAUNCHERR_INVALID_ARGUMENT = 0x2,
	LAUNCHERR_BAD_SRC_PIXEL_COMP_REF = 0x8,
	LAUNCHERR_INVALID_CONFIG = 0xd
};

#define CE_REG_BASE 0x104000
#define CE_REG_INTR_EN 0x10440c
#define CE_REG_INTR 0x104410
#define CE_REG_LAUNCHERR 0x104418
#define CE_REG_STRIDE 0x80
#define CE_MAX 8

#define CE_CHUNK (128u << 10)
#define CE_BOUNCE 4096u
#define CE_DEFER (32u << 10)	/* what is shorter takes less time than letting go of the lock and taking it again */
#define CE_STREAM_BYTES (1u << 20)
#define CE_PIECES (CE_CHUNK / 4096 + 1)

struct ce_side {
	bool physical;
	enum aperture ap;
	uint64_t base;		/* of the current line */
	uint32_t pitch;
};

/* What is known of where a side's next bytes are.  Good for one step: gpu->lock is held throughout. */
struct ce_run {
	struct mmu_xlat x[CE_PIECES];
	unsigned int n, i;	/* pieces, and the current one */
};

#define CE_MOVES 320

/* Pieces of a step that are yet to be moved. */
struct ce_batch {
	struct gpu_work work;
	bool stream;
	unsigned int n;
	size_t bytes;
	struct ce_piece {
		uint8_t *d;
		const uint8_t *s;
		size_t len;
	} piece[CE_MOVES];
};

struct ce_job {
	bool active;
	bool copy;		/* bytes are left to move */
	uint32_t launch;
	struct ce_side src, dst;
	uint64_t line_bytes;	/* of the destination */
	uint32_t lines;
	uint64_t pos;		/* bytes of the current line written */
	/* remap: bytes of one element on each side, and what makes it up */
	bool remap, reads;
	uint32_t comp_size, nsrc, ndst, components;
	uint32_t konst[2];
	uint64_t done_at;	/* ns: not before (link injection) */
	bool timed;
	bool stream;		/* long enough to go past the caches */
	uint32_t sem_payload;
	uint64_t sem_va;
};

/* e->priv */
struct ce_state {
	struct ce_job job;	/* first: what the rest of the file takes e->priv for */
	struct ce_batch batch;
};

static void ce_intr_update(struct gpu *gpu, const struct engine *e)
{
	uint32_t off = e->inst * CE_REG_STRIDE;

	pmc_intr_set(gpu, e->intr_bit,
		     (hw_get(gpu, CE_REG_INTR + off) & hw_get(gpu, CE_REG_INTR_EN + off)) != 0);
}

static void ce_raise(struct gpu *gpu, const struct engine *e, uint32_t bit)
{
	uint32_t reg = CE_REG_INTR + e->inst * CE_REG_STRIDE;

	hw_set(gpu, reg, hw_get(gpu, reg) | bit);
	ce_intr_update(gpu, e);
}

static void ce_launch_error(struct gpu *gpu, const struct engine *e, uint32_t code)
{
	hw_set(gpu, CE_REG_LAUNCHERR + e->inst * CE_REG_STRIDE, code);
	ce_raise(gpu, e, CE_INTR_LAUNCHERR);
}

static unsigned int ce_client(const struct engine *e)
{
	static const uint8_t client[] = { FIFO_CLIENT_GR_CE, FIFO_CLIENT_CE1, FIFO_CLIENT_CE2 };

	return e->inst < ARRAY_SIZE(client) ? client[e->inst] : FIFO_CLIENT_CE0;
}

static void ce_fault(struct gpu *gpu, struct engine *e, uint64_t va, enum mmu_access access,
		     enum mmu_fault_type t)
{
	struct ce_job *j = e->priv;

	j->active = false;
	fifo_hub_fault(gpu, e->resident, e->fault_id, ce_client(e), va, access, t);
	e->faulted = true;
}

static int ce_word(uint32_t mthd)
{
	for (size_t i = 0; i < ARRAY_SIZE(ce_methods); i++)
		if (mthd >= ce_methods[i].first && mthd <= ce_methods[i].last)
			return ce_methods[i].word + (mthd - ce_methods[i].first) / 4;
	return -1;
}

/* NVC1B5_SET_RENDER_ENABLE_C_MODE.  Return: false after a fault. */
static bool ce_render_enabled(struct gpu *gpu, struct engine *e, struct channel *ch, bool *enabled)
{
	uint64_t va = (uint64_t)field(ch->ce[CE_RENDER_ENABLE_A], 7, 0) << 32 | ch->ce[CE_RENDER_ENABLE_B];
	uint32_t mode = field(ch->ce[CE_RENDER_ENABLE_C] ^ 1, 2, 0), v[6];
	uint64_t fault_va;
	enum mmu_fault_type t;

	*enabled = mode != 0;
	if (mode < 2)
		return true;
	t = mmu_read(gpu, &ch->space, TLB_HUB, CLIENT_CE, va, v, mode == 2 ? 4 : sizeof(v), &fault_va);
	if (t != MMU_OK) {
		ce_fault(gpu, e, fault_va, MMU_READ, t);
		return false;
	}
	if (mode == 2)
		*enabled = v[0] != 0;
	else
		*enabled = (v[0] == v[4] && v[1] == v[5]) == (mode == 3);
	return true;
}

static void ce_side_set(struct ce_side *s, bool physical, uint32_t mode, uint32_t hi, uint32_t lo,
			uint32_t pitch)
{
	static const enum aperture target[4] = { AP_VRAM, AP_SYS_COH, AP_SYS_NCOH, AP_INVALID };

	s->physical = physical;
	s->ap = target[field(mode, 1, 0)];
	s->base = (uint64_t)field(hi, 16, 0) << 32 | lo;
	s->pitch = pitch;
}

static void ce_remap_set(struct ce_job *j, const struct channel *ch)
{
	uint32_t c = ch->ce[CE_REMAP_COMPONENTS];

	j->remap = true;
	j->components = c;
	j->comp_size = field(c, 17, 16) + 1;
	j->nsrc = field(c, 21, 20) + 1;
	j->ndst = field(c, 25, 24) + 1;
	j->konst[0] = ch->ce[CE_REMAP_CONST_A];
	j->konst[1] = ch->ce[CE_REMAP_CONST_B];
	j->reads = false;
	for (unsigned int i = 0; i < j->ndst; i++)
		if (field(c, i * 4 + 2, i * 4) < REMAP_CONST_A)
			j->reads = true;
}

/* A component that no source pixel has.  Return: true when there is one. */
static bool ce_remap_bad(const struct ce_job *j)
{
	for (unsigned int i = 0; i < j->ndst; i++) {
		uint32_t sel = field(j->components, i * 4 + 2, i * 4);

		if (sel > REMAP_NO_WRITE || (sel < REMAP_CONST_A && sel >= j->nsrc))
			return true;
	}
	return false;
}

static enum method_result ce_launch(struct gpu *gpu, struct engine *e, struct channel *ch, uint32_t data)
{
	struct ce_job *j = e->priv;
	struct inject_arm arm = { 0 };
	uint64_t total;
	bool enabled;

	memset(j, 0, sizeof(*j));
	j->launch = data;
	j->sem_va = (uint64_t)field(ch->ce[CE_SEMAPHORE_A], 16, 0) << 32 | ch->ce[CE_SEMAPHORE_B];
	j->sem_payload = ch->ce[CE_SEMAPHORE_PAYLOAD];
	LEDGER(gpu, ce_launch);

	if (!ce_render_enabled(gpu, e, ch, &enabled))
		return METHOD_FAULT;
	j->copy = enabled && field(data, 1, 0) != 0;
	if (j->copy) {
		if (field(data, 1, 0) == 3 || field(data, 4, 3) == 3) {
			ce_launch_error(gpu, e, LAUNCHERR_INVALID_ARGUMENT);
			return METHOD_ERROR;
		}
		if ((data & LAUNCH_MULTI_LINE) &&
		    (data & (LAUNCH_SRC_PITCH | LAUNCH_DST_PITCH)) != (LAUNCH_SRC_PITCH | LAUNCH_DST_PITCH)) {
			gpu_log(gpu, 0, "%s: block-linear copy (launch %#x) is not modelled", e->name, data);
			ce_launch_error(gpu, e, LAUNCHERR_INVALID_CONFIG);
			return METHOD_ERROR;
		}
		ce_side_set(&j->src, data & LAUNCH_SRC_PHYSICAL, ch->ce[CE_SRC_PHYS_MODE],
			    ch->ce[CE_OFFSET_IN_UPPER], ch->ce[CE_OFFSET_IN_LOWER], ch->ce[CE_PITCH_IN]);
		ce_side_set(&j->dst, data & LAUNCH_DST_PHYSICAL, ch->ce[CE_DST_PHYS_MODE],
			    ch->ce[CE_OFFSET_OUT_UPPER], ch->ce[CE_OFFSET_OUT_LOWER], ch->ce[CE_PITCH_OUT]);
		j->reads = true;
		j->comp_size = j->nsrc = j->ndst = 1;
		if (data & LAUNCH_REMAP) {
			ce_remap_set(j, ch);
			if (ce_remap_bad(j)) {
				ce_launch_error(gpu, e, LAUNCHERR_BAD_SRC_PIXEL_COMP_REF);
				return METHOD_ERROR;
			}
		}
		j->line_bytes = (uint64_t)ch->ce[CE_LINE_LENGTH_IN] * j->comp_size * j->ndst;
		j->lines = data & LAUNCH_MULTI_LINE ? ch->ce[CE_LINE_COUNT] : 1;
		/* lines without gaps are one line */
		if (j->lines > 1 && j->dst.pitch == j->line_bytes &&
		    (!j->reads || (uint64_t)j->src.pitch ==
				      (uint64_t)ch->ce[CE_LINE_LENGTH_IN] * j->comp_size * j->nsrc)) {
			j->line_bytes *= j->lines;
			j->lines = 1;
		}
		if (!j->line_bytes || !j->lines)
			j->copy = false;
	}
	total = j->copy ? j->line_bytes * j->lines : 0;
	j->stream = total >= CE_STREAM_BYTES;
	if (inject_armed(gpu, INJECT_ce_error, &arm)) {
		uint64_t a = j->src.base;

		/* one visit a launch, whichever side the range is on */
		if (arm.len && !(j->reads && a < arm.addr + arm.len && arm.addr < a + total))
			a = j->dst.base;
		if (inject_fire(gpu, INJECT_ce_error, a, total ? total : 1, &arm)) {
			j->active = false;
			if (arm.arg == 1) {	/* a launch error, the channel goes on */
				ce_launch_error(gpu, e, LAUNCHERR_INVALID_CONFIG);
				return METHOD_ERROR;
			}
			ce_fault(gpu, e, a, MMU_READ, MMU_FAULT_POISON);
			return METHOD_FAULT;
		}
	}
	if (inject_armed(gpu, INJECT_link, &arm)) {
		double ns = arm.launch_us * 1e3;

		if (arm.rate_gbps > 0)
			ns += total / arm.rate_gbps;
		j->done_at = gpu_now(gpu) + (uint64_t)ns;
		j->timed = true;
	}
	j->active = true;
	gpu_kick(gpu);
	return METHOD_DONE;
}

static enum method_result ce_method(struct gpu *gpu, struct engine *e, struct channel *ch, unsigned int subch,
				    uint32_t cls, uint32_t mthd, uint32_t data)
{
	struct ce_job *j = e->priv;
	int w;

	if (!j || j->active || (hw_get(gpu, CE_REG_INTR + e->inst * CE_REG_STRIDE) & CE_INTR_BLOCKPIPE))
		return METHOD_BUSY;
	switch (mthd) {
	case 0:	/* SET_OBJECT */
		if ((data & 0xffff) != CLASS_DMA_COPY_A &&
		    ((data & 0xffff) != CLASS_DMA_COPY_B || gpu->cfg.chip == CHIP_GP100)) {
			gpu_log(gpu, 0, "channel %u: class %04x on %s", ch->id, data & 0xffff, e->name);
			ce_launch_error(gpu, e, LAUNCHERR_INVALID_CONFIG);
			return METHOD_ERROR;
		}
		return METHOD_DONE;
	case CE_NOP:
	case CE_PM_TRIGGER:
	case CE_PM_TRIGGER_END:
		return METHOD_DONE;
	case CE_LAUNCH_DMA:
		return ce_launch(gpu, e, ch, data);
	}
	w = ce_word(mthd);
	if (w < 0) {
		gpu_log(gpu, 0, "channel %u: method %04x of class %04x is unknown", ch->id, mthd, cls);
		ce_launch_error(gpu, e, LAUNCHERR_INVALID_ARGUMENT);
		return METHOD_ERROR;
	}
	ch->ce[w] = w == CE_RENDER_ENABLE_C ? data ^ 1 : data;
	return METHOD_DONE;
}

/*
 * Where a side's byte @off of the current line is.  *@len: in: wanted, out: in one piece there.
 * Return: MMU_OK or the fault type.
 */
static enum mmu_fault_type ce_locate(struct gpu *gpu, struct engine *e, const struct ce_side *s, uint64_t off,
				     bool write, struct mmu_xlat *x, size_t *len)
{
	enum mmu_fault_type t;

	if (s->physical) {
		memset(x, 0, sizeof(*x));
		x->ap = s->ap;
		x->addr = s->base + off;
		return s->ap == AP_INVALID ? MMU_FAULT_UNSUPPORTED_APERTURE : MMU_OK;
	}
	t = mmu_translate(gpu, &e->resident->space, TLB_HUB, CLIENT_CE, s->base + off,
			  write ? MMU_WRITE : MMU_READ, x);
	if (t == MMU_OK && *len > x->left)
		*len = x->left;
	return t;
}

/* Bytes moved in a step, by counter.  The ledger gets them at its end: atomic additions wait for streamed stores. */
struct ce_tally {
	uint64_t set, vram_to_vram, vram_to_sys, sys_to_vram, sys_to_sys;
};

static void ce_count(struct ce_tally *n, const struct ce_job *j, enum aperture from, enum aperture to, uint64_t bytes)
{
	if (!j->reads)
		n->set += bytes;
	else if (from == AP_VRAM && to == AP_VRAM)
		n->vram_to_vram += bytes;
	else if (from == AP_VRAM)
		n->vram_to_sys += bytes;
	else if (to == AP_VRAM)
		n->sys_to_vram += bytes;
	else
		n->sys_to_sys += bytes;
}

static void ce_tally_post(struct gpu *gpu, const struct ce_tally *n)
{
	if (n->set)
		LEDGER_ADD(gpu, ce_bytes_set, n->set);
	if (n->vram_to_vram)
		LEDGER_ADD(gpu, ce_bytes_vram_to_vram, n->vram_to_vram);
	if (n->vram_to_sys)
		LEDGER_ADD(gpu, ce_bytes_vram_to_sys, n->vram_to_sys);
	if (n->sys_to_vram)
		LEDGER_ADD(gpu, ce_bytes_sys_to_vram, n->sys_to_vram);
	if (n->sys_to_sys)
		LEDGER_ADD(gpu, ce_bytes_sys_to_sys, n->sys_to_sys);
}

#ifdef __SSE2__
/*
 * A long copy's pieces go past the caches: each byte is touched once, and reading
 * the destination's lines first would cost a third of the memory's bandwidth.
 */
static void ce_stream(uint8_t *d, const uint8_t *s, size_t len)
{
	size_t head = -(uintptr_t)d & 15;

	memcpy(d, s, head);
	d += head;
	s += head;
	len -= head;
	for (; len >= 64; len -= 64, d += 64, s += 64) {
		__m128i a = _mm_loadu_si128((const __m128i *)s),
			b = _mm_loadu_si128((const __m128i *)(s + 16));
		__m128i c = _mm_loadu_si128((const __m128i *)(s + 32)),
			e = _mm_loadu_si128((const __m128i *)(s + 48));

		_mm_stream_si128((__m128i *)d, a);
		_mm_stream_si128((__m128i *)(d + 16), b);
		_mm_stream_si128((__m128i *)(d + 32), c);
		_mm_stream_si128((__m128i *)(d + 48), e);
	}
	memcpy(d, s, len);
}
#endif

static void ce_move(bool stream, uint8_t *d, const uint8_t *s, size_t len)
{
#ifdef __SSE2__
	if (stream && len >= 512 && (d + len <= s || s + len <= d)) {
		ce_stream(d, s, len);
		return;
	}
#endif
	memmove(d, s, len);
}

static void ce_batch_run(struct ce_batch *b)
{
	for (unsigned int i = 0; i < b->n; i++)
		ce_move(b->stream, b->piece[i].d, b->piece[i].s, b->piece[i].len);
	b->n = 0;
	b->bytes = 0;
#ifdef __SSE2__
	if (b->stream)
		_mm_sfence();	/* before anybody is told */
#endif
}

static void ce_work(struct gpu_work *w)
{
	ce_batch_run((struct ce_batch *)((char *)w - offsetof(struct ce_batch, work)));
}

static void ce_batch_add(struct ce_batch *b, uint8_t *d, const uint8_t *s, size_t len)
{
	if (b->n == CE_MOVES)
		ce_batch_run(b);
	b->piece[b->n++] = (struct ce_piece){ d, s, len };
	b->bytes += len;
}

/*
 * Have the current piece of @r hold what is at byte @off of the current line.  *@len: in: what the
 * step moves from there at most; out: bytes in one piece.
 * Return: MMU_OK or the fault type.
 */
static enum mmu_fault_type ce_run_fill(struct gpu *gpu, struct engine *e, const struct ce_side *s, uint64_t off,
				       bool write, struct ce_run *r, size_t *len)
{
	enum mmu_fault_type t = MMU_OK;

	if (r->i == r->n) {
		r->i = 0;
		r->n = 1;
		if (s->physical) {
			size_t n = *len;

			t = ce_locate(gpu, e, s, off, write, &r->x[0], &n);
			r->x[0].left = n;
		} else {
			t = mmu_translate_run(gpu, &e->resident->space, TLB_HUB, CLIENT_CE, s->base + off, *len,
					      write ? MMU_WRITE : MMU_READ, r->x, CE_PIECES, &r->n);
		}
		if (t != MMU_OK) {
			r->n = 0;
			return t;
		}
	}
	if (*len > r->x[r->i].left)
		*len = r->x[r->i].left;
	return MMU_OK;
}

static void ce_run_advance(struct ce_run *r, size_t len)
{
	struct mmu_xlat *x = &r->x[r->i];

	x->addr += len;
	x->left -= len;
	if (!x->left)
		r->i++;
}

/*
 * One piece of a plain copy, of @len bytes at most.  @sr and @dr end with the line.
 * Return: bytes moved, 0 after a fault.
 */
static size_t ce_copy_piece(struct gpu *gpu, struct engine *e, struct ce_job *j, size_t len, struct ce_run *sr,
			    struct ce_run *dr, struct ce_tally *tally)
{
	struct ce_batch *b = &((struct ce_state *)e->priv)->batch;
	struct mmu_xlat sx, dx;
	uint8_t bounce[CE_BOUNCE];
	enum mmu_fault_type t;
	void *sp = NULL, *dp = NULL;
	size_t n = len;

	t = ce_run_fill(gpu, e, &j->src, j->pos, false, sr, &n);
	if (t != MMU_OK) {
		ce_fault(gpu, e, j->src.base + j->pos, MMU_READ, t);
		return 0;
	}
	t = ce_run_fill(gpu, e, &j->dst, j->pos, true, dr, &len);
	if (t != MMU_OK) {
		ce_fault(gpu, e, j->dst.base + j->pos, MMU_WRITE, t);
		return 0;
	}
	if (len > n)
		len = n;
	sx = sr->x[sr->i];
	dx = dr->x[dr->i];
	if (!sx.sparse && !dx.sparse && !sx.nocache && !dx.nocache) {
		n = len;
		sp = mem_ptr(gpu, CLIENT_CE, sx.ap, sx.addr, &n, false);
		if (sp) {
			if (len > n)
				len = n;
			n = len;
			dp = mem_ptr(gpu, CLIENT_CE, dx.ap, dx.addr, &n, true);
			if (dp && len > n)
				len = n;
		}
	}
	if (dp) {
		ce_batch_add(b, dp, sp, len);
	} else {
		/* in order: what comes before may be what is read */
		ce_batch_run(b);
		if (len > CE_BOUNCE)
			len = CE_BOUNCE;
		if (sx.sparse)
			memset(bounce, 0, len);
		else if (mem_read(gpu, CLIENT_CE, sx.ap, sx.addr, bounce, len)) {
			ce_fault(gpu, e, j->src.base + j->pos, MMU_READ, MMU_FAULT_POISON);
			return 0;
		}
		if (!dx.sparse && mem_write(gpu, CLIENT_CE, dx.ap, dx.addr, bounce, len)) {
			ce_fault(gpu, e, j->dst.base + j->pos, MMU_WRITE, MMU_FAULT_REGION);
			return 0;
		}
	}
	ce_count(tally, j, sx.ap, dx.ap, len);
	ce_run_advance(sr, len);
	ce_run_advance(dr, len);
	return len;
}

static bool ce_access(struct gpu *gpu, struct engine *e, const struct ce_side *s, uint64_t off, uint8_t *buf,
		      size_t len, bool write, enum aperture *ap)
{
	while (len) {
		size_t n = len;
		struct mmu_xlat x;
		enum mmu_fault_type t = ce_locate(gpu, e, s, off, write, &x, &n);
		int err = 0;

		if (t == MMU_OK) {
			*ap = x.ap;
			if (x.sparse && !write)
				memset(buf, 0, n);
			else if (!x.sparse)
				err = write ? mem_write(gpu, CLIENT_CE, x.ap, x.addr, buf, n)
					    : mem_read(gpu, CLIENT_CE, x.ap, x.addr, buf, n);
			if (err)
				t = write ? MMU_FAULT_REGION : MMU_FAULT_POISON;
		}
		if (t != MMU_OK) {
			ce_fault(gpu, e, s->base + off, write ? MMU_WRITE : MMU_READ, t);
			return false;
		}
		off += n;
		buf += n;
		len -= n;
	}
	return true;
}

/* One piece with component remapping, whole elements.  Return: bytes written, 0 after a fault. */
static size_t ce_remap_piece(struct gpu *gpu, struct engine *e, struct ce_job *j, size_t len,
			     struct ce_tally *tally)
{
	uint32_t cs = j->comp_size, sb = cs * j->nsrc, db = cs * j->ndst;
	uint8_t src[CE_BOUNCE], dst[CE_BOUNCE];
	enum aperture sap = AP_VRAM, dap = AP_VRAM;
	uint64_t elem = j->pos / db;
	bool keep = false;
	size_t n;

	for (unsigned int i = 0; i < j->ndst; i++)
		keep |= field(j->components, i * 4 + 2, i * 4) == REMAP_NO_WRITE;
	n = len / db;
	if (n > CE_BOUNCE / db)
		n = CE_BOUNCE / db;
	if (n > CE_BOUNCE / sb)
		n = CE_BOUNCE / sb;
	if (j->reads && !ce_access(gpu, e, &j->src, elem * sb, src, n * sb, false, &sap))
		return 0;
	if (keep && !ce_access(gpu, e, &j->dst, j->pos, dst, n * db, false, &dap))
		return 0;
	for (size_t k = 0; k < n; k++) {
		for (unsigned int i = 0; i < j->ndst; i++) {
			uint32_t sel = field(j->components, i * 4 + 2, i * 4);
			uint8_t *d = dst + k * db + i * cs;

			if (sel < REMAP_CONST_A)
				memcpy(d, src + k * sb + sel * cs, cs);
			else if (sel != REMAP_NO_WRITE)
				memcpy(d, &j->konst[sel - REMAP_CONST_A], cs);
		}
	}
	if (!ce_access(gpu, e, &j->dst, j->pos, dst, n * db, true, &dap))
		return 0;
	ce_count(tally, j, sap, dap, n * db);
	return n * db;
}

/* Return: false after a fault. */
static bool ce_chunk(struct gpu *gpu, struct engine *e, struct ce_job *j, struct ce_tally *tally)
{
	/* remapping goes element by element: keep its step as short as a plain copy's */
	size_t budget = j->remap ? CE_CHUNK / 2 : CE_CHUNK;
	struct ce_run sr, dr;

	sr.n = sr.i = dr.n = dr.i = 0;
	while (j->copy && budget) {
		uint64_t left = j->line_bytes - j->pos;
		size_t n = left < budget ? left : budget;

		if (j->remap) {
			if (n < j->comp_size * j->ndst)
				break;
			n = ce_remap_piece(gpu, e, j, n, tally);
		} else {
			n = ce_copy_piece(gpu, e, j, n, &sr, &dr, tally);
		}
		if (!n)
			return false;
		budget -= n;
		/* the cost of many short lines is in the translations */
		if (n < 4096)
			budget -= budget < 512 ? budget : 512;
		j->pos += n;
		if (j->pos < j->line_bytes)
			continue;
		j->pos = 0;
		sr.n = sr.i = dr.n = dr.i = 0;
		/* pitches are signed: surfaces may run upwards */
		j->src.base += (int64_t)(int32_t)j->src.pitch;
		j->dst.base += (int64_t)(int32_t)j->dst.pitch;
		if (!--j->lines)
			j->copy = false;
	}
	return true;
}

static uint32_t ce_reduce(uint32_t old, uint32_t b, uint32_t launch)
{
	bool is_unsigned = launch & BIT(18);
	float fa, fb;

	switch (field(launch, 17, 14)) {
	case 0x0:
		return is_unsigned ? (old < b ? old : b) : ((int32_t)old < (int32_t)b ? old : b);
	case 0x1:
		return is_unsigned ? (old > b ? old : b) : ((int32_t)old > (int32_t)b ? old : b);
	case 0x2:
		return old ^ b;
	case 0x3:
		return old & b;
	case 0x4:
		return old | b;
	case 0x5:
		return old + b;
	case 0x6:
		return old >= b ? 0 : old + 1;
	case 0x7:
		return old == 0 || old > b ? b : old - 1;
	case 0xa:
		memcpy(&fa, &old, 4);
		memcpy(&fb, &b, 4);
		fa += fb;
		memcpy(&old, &fa, 4);
		return old;
	}
	return b;
}

/* Return: false after a fault. */
static bool ce_semaphore(struct gpu *gpu, struct engine *e, const struct ce_job *j)
{
	const struct mmu_space *sp = &e->resident->space;
	uint32_t type = field(j->launch, 4, 3), v = j->sem_payload, old;
	uint64_t stamp = fifo_timestamp(gpu), fault_va = j->sem_va;
	enum mmu_fault_type t = MMU_OK;

	if (!type)
		return true;
	if (type == 2)	/* the payload becomes visible last */
		t = mmu_write(gpu, sp, TLB_HUB, CLIENT_CE, j->sem_va + 8, &stamp, 8, &fault_va);
	if (t == MMU_OK && (j->launch & LAUNCH_REDUCTION)) {
		t = mmu_read(gpu, sp, TLB_HUB, CLIENT_CE, j->sem_va, &old, 4, &fault_va);
		v = ce_reduce(old, v, j->launch);
	}
	if (t == MMU_OK)
		t = mmu_write(gpu, sp, TLB_HUB, CLIENT_CE, j->sem_va, &v, 4, &fault_va);
	if (t != MMU_OK) {
		ce_fault(gpu, e, fault_va, MMU_WRITE, t);
		return false;
	}
	LEDGER(gpu, semaphore_release);
	return true;
}

static enum step_result ce_step(struct gpu *gpu, struct engine *e)
{
	struct ce_job *j = e->priv;
	struct ce_batch *b;
	struct ce_tally tally = { 0 };
	struct inject_arm arm;
	bool go_on;

	if (!j || !j->active)
		return STEP_IDLE;
	if (inject_armed(gpu, INJECT_engine_hang, &arm) && arm.arg == e->id)
		return STEP_POLL;
	b = &((struct ce_state *)e->priv)->batch;
	b->stream = j->stream;
	go_on = ce_chunk(gpu, e, j, &tally);
	ce_tally_post(gpu, &tally);
	/* steps of a trace are what they are: there, and where it takes no time, at once */
	if (go_on && b->bytes >= CE_DEFER && !gpu->cfg.deterministic) {
		b->work.run = ce_work;
		gpu_defer(gpu, &b->work);
		return STEP_BUSY;
	}
	ce_batch_run(b);
	if (!go_on)
		return STEP_IDLE;
	if (j->copy)
		return STEP_BUSY;
	if (j->timed && gpu_now(gpu) < j->done_at) {
		gpu_wake_at(gpu, j->done_at);
		return STEP_IDLE;
	}
	if (!ce_semaphore(gpu, e, j))
		return STEP_IDLE;
	j->active = false;
	switch (field(j->launch, 6, 5)) {
	case 1:
		ce_raise(gpu, e, CE_INTR_BLOCKPIPE);
		break;
	case 2:
		fifo_nonstall(gpu, e);
		break;
	}
	return STEP_BUSY;
}

static bool ce_load(struct gpu *gpu, struct engine *e, struct channel *ch)
{
	if (!e->priv)
		e->priv = calloc(1, sizeof(struct ce_state));
	return e->priv != NULL;
}

static bool ce_idle(struct gpu *gpu, struct engine *e)
{
	const struct ce_job *j = e->priv;

	return !j || !j->active;
}

static bool ce_save(struct gpu *gpu, struct engine *e, struct channel *ch)
{
	return ce_idle(gpu, e);
}

static void ce_reset(struct gpu *gpu, struct engine *e)
{
	struct ce_job *j = e->priv;

	/* memory that is still being moved may be let go next */
	gpu_deferred_wait(gpu);
	if (j)
		j->active = false;
	hw_set(gpu, CE_REG_INTR + e->inst * CE_REG_STRIDE, 0);
	ce_intr_update(gpu, e);
}

const struct engine_ops ce_engine_ops = {
	.name = "copy engine",
	.load = ce_load,
	.save = ce_save,
	.method = ce_method,
	.idle = ce_idle,
	.step = ce_step,
	.reset = ce_reset,
};

static const struct engine *ce_by_inst(struct gpu *gpu, unsigned int inst)
{
	for (unsigned int i = 0; gpu->fifo && i < gpu->fifo->nr_engines; i++)
		if (gpu->fifo->engine[i].type == 0x13 && gpu->fifo->engine[i].inst == inst)
			return &gpu->fifo->engine[i];
	return NULL;
}

static void ce_intr_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	const struct engine *e = ce_by_inst(gpu, i);
	uint32_t addr = reg->addr + i * reg->stride;

	hw_set(gpu, addr, hw_get(gpu, addr) & ~val);
	if (e)
		ce_intr_update(gpu, e);
	gpu_kick(gpu);
}

static void ce_intr_en_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	const struct engine *e = ce_by_inst(gpu, i);

	hw_set(gpu, reg->addr + i * reg->stride, val);
	if (e)
		ce_intr_update(gpu, e);
}

static const struct hw_reg ce_regs[] = {
    {.addr = CE_REG_INTR_EN,
     .name = "CE_INTR_EN",
     .count = CE_MAX,
     .stride = CE_REG_STRIDE,
     .reset = CE_INTR_BLOCKPIPE | CE_INTR_NONBLOCKPIPE | CE_INTR_LAUNCHERR,
     .source = "nouveau gp100_ce_intr()",
     .write = ce_intr_en_write},
    {.addr = CE_REG_INTR,
     .name = "CE_INTR",
     .count = CE_MAX,
     .stride = CE_REG_STRIDE,
     .source = "nouveau gp100_ce_intr()",
     .write = ce_intr_write},
    {.addr = CE_REG_LAUNCHERR,
     .name = "CE_LAUNCHERR",
     .count = CE_MAX,
     .stride = CE_REG_STRIDE,
     .source = "nouveau gp100_ce_intr_launcherr()"},
};

const struct hw_block hw_ce = {
	.name = "CE",
	.base = CE_REG_BASE,
	.size = 0x1000,
	.regs = ce_regs,
	.nr_regs = ARRAY_SIZE(ce_regs),
};
