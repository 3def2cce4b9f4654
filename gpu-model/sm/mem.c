// SPDX-License-Identifier: MIT
/*
 * Memory as the cores see it: translation with a micro-TLB a worker, code and
 * constants through the GCC port, data through TEX, shared memory, local memory,
 * atomics.
 *
 * Owns the workers' TLBs and code pages.  Takes sm_array.stripe[] around atomics
 * on system memory, nothing inside it.
 *
 * Local memory lies in GPU memory: SHADER_LOCAL_MEMORY base + SM number * bytes a
 * TPC + warp slot * (low + high) * 32 bytes, in it granules of 16 bytes interleaved
 * by lane.  How the hardware interleaves is not public; it fits what Mesa reserves
 * (nvc0_screen_resize_tls_area).  The divergence stack never goes to memory.
 */
#include <stdlib.h>
#include <string.h>

#include "sm/core.h"

static uint8_t xlat(struct sm_worker *k, enum sm_port port, void *space, uint64_t va,
		    enum sm_access access, uint8_t **host, uint8_t *flags)
{
	struct sm_tlb_entry *e = port == SM_PORT_TEX ? k->tlb : k->ctlb;
	struct sm_page pg;
	uint8_t r, f = 0;

	e += (va >> 12) % TLB_NR;
	if (e->tag == va >> 12 && e->space == space &&
	    (access == SM_READ || (e->flags & (access == SM_WRITE ? TLB_W : TLB_A)))) {
		*host = e->host ? e->host + (va & 4095) : NULL;
		*flags = e->flags;
		return SM_XLAT_OK;
	}
	memset(&pg, 0, sizeof(pg));
	r = k->sm->ops.translate(k->sm->priv, space, port, va, access, &pg);
	if (r != SM_XLAT_OK)
		return r;
	f |= pg.writable ? TLB_W : 0;
	f |= pg.atomic_ok ? TLB_A : 0;
	f |= pg.sysmem ? TLB_SYS : 0;
	f |= pg.sparse ? TLB_SPARSE : 0;
	*host = pg.host ? pg.host + (va - pg.va) : NULL;
	*flags = f;
	if (!pg.nocache && pg.size >= 4096 && !(pg.va & 4095)) {
		e->tag = va >> 12;
		e->space = space;
		e->host = *host ? *host - (va & 4095) : NULL;
		e->flags = f;
	}
	return SM_XLAT_OK;
}

/* One event a page: look whether this instruction has it already. */
static void pend_fault(struct sm_worker *k, struct sm_warp *w, uint64_t va, enum sm_access access,
		       enum sm_port port, uint8_t type)
{
	struct sm_event *e;

	for (int n = 0; n < k->nr_pend; n++)
		if (k->pend[n].type == SM_EVENT_FAULT && k->pend[n].va >> 12 == va >> 12)
			return;
	if (k->nr_pend == (int)(sizeof(k->pend) / sizeof(k->pend[0])))
		return;
	e = &k->pend[k->nr_pend++];
	memset(e, 0, sizeof(*e));
	e->type = SM_EVENT_FAULT;
	e->grid = w->cta->grid->id;
	e->cookie = w->cta->grid->l.cookie;
	e->va = va;
	e->access = access;
	e->port = port;
	e->fault_type = type;
	e->sm = e->tpc = k->core ? k->core->index : 0;
	k->stats.faults++;
}

void sm_worker_flush(struct sm_worker *k)
{
	for (int n = 0; n < TLB_NR; n++)
		k->tlb[n].tag = k->ctlb[n].tag = ~0ull;
}

void sm_worker_drop_code(struct sm_worker *k)
{
	for (int n = 0; n < CODE_PAGES; n++)
		if (k->code[n])
			k->code[n]->used = false;
}

/* --- code ------------------------------------------------------------------ */

enum sm_step_result sm_fetch(struct sm_worker *k, struct sm_warp *w, uint64_t pc,
			     struct sm_code_page **out)
{
	const struct sm_launch *l = &w->cta->grid->l;
	uint64_t base = pc & ~4095ull;
	struct sm_code_page *c;
	unsigned int h = ((pc >> 12) ^ l->space_id >> 12) % CODE_PAGES;
	struct sm_page pg;
	uint8_t r;
	bool hit;

	c = k->code[h];
	hit = c && c->used && c->page == pc >> 12 && c->space_id == l->space_id;
	if (hit && c->slice == k->slice) {
		*out = c;
		return STEP_OK;
	}
	memset(&pg, 0, sizeof(pg));
	r = k->sm->ops.translate(k->sm->priv, l->space, SM_PORT_GCC, pc, SM_FETCH, &pg);
	if (r != SM_XLAT_OK) {
		pend_fault(k, w, pc, SM_FETCH, SM_PORT_GCC, r);
		return STEP_FAULT;
	}
	if (!c) {
		c = k->code[h] = calloc(1, sizeof(*c));
		if (!c)
			return STEP_FAULT;
	}
	c->slice = k->slice;
	*out = c;
	if (hit)
		return STEP_OK;
	memset(c->raw, 0, sizeof(c->raw));
	if (pg.sparse) {
		/* reads zero */
	} else if (pg.host) {
		uint64_t lo = pg.va > base ? pg.va : base;
		uint64_t hi = pg.va + pg.size < base + SM_PAGE ? pg.va + pg.size : base + SM_PAGE;

		memcpy((uint8_t *)c->raw + (lo - base), pg.host + (lo - pg.va), hi - lo);
	} else {
		k->sm->ops.read(k->sm->priv, l->space, SM_PORT_GCC, base, c->raw, sizeof(c->raw));
	}
	for (int n = 0; n < SM_PAGE / 8; n++)
		c->insn[n].valid = false;
	c->used = true;
	c->page = pc >> 12;
	c->space_id = l->space_id;
	return STEP_OK;
}

/* --- constants ------------------------------------------------------------- */

/* Return: STEP_OK with the word in *v.  Beyond the bank's size reads 0. */
static enum sm_step_result const_word(struct sm_worker *k, struct sm_warp *w, unsigned int bank,
				      uint32_t off, void *v, unsigned int size, enum sm_warp_error *err,
				      enum sm_warp_error bad)
{
	const struct sm_launch *l = &w->cta->grid->l;
	const struct sm_const_bank *cb;
	uint8_t *host, f, r;

	memset(v, 0, size);
	if (bank >= SM_CONST_BANKS || !l->cb[bank].valid) {
		*err = bad;
		return STEP_ERROR;
	}
	cb = &l->cb[bank];
	if (off & (size - 1)) {
		*err = SM_ERR_MISALIGNED_ADDR;
		return STEP_ERROR;
	}
	if ((uint64_t)off + size > cb->size)
		return STEP_OK;
	r = xlat(k, SM_PORT_GCC, l->space, cb->va + off, SM_READ, &host, &f);
	if (r != SM_XLAT_OK) {
		pend_fault(k, w, cb->va + off, SM_READ, SM_PORT_GCC, r);
		return STEP_FAULT;
	}
	if (host)
		memcpy(v, host, size);
	else if (!(f & TLB_SPARSE))
		k->sm->ops.read(k->sm->priv, l->space, SM_PORT_GCC, cb->va + off, v, size);
	return STEP_OK;
}

enum sm_step_result sm_const(struct sm_worker *k, struct sm_warp *w, unsigned int bank,
			     uint32_t off, unsigned int n, uint32_t *row, enum sm_warp_error *err)
{
	for (unsigned int j = 0; j < n; j++) {
		enum sm_step_result r;
		uint32_t v;

		r = const_word(k, w, bank, off + 4 * j, &v, 4, err, SM_ERR_INVALID_CONST_ADDR);
		if (r != STEP_OK)
			return r;
		for (int l = 0; l < SM_WARP; l++)
			row[32 * j + l] = v;
	}
	return STEP_OK;
}

static enum sm_step_result do_ldc(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i,
				  uint32_t m, enum sm_warp_error *err)
{
	static const uint8_t bytes[8] = { 1, 1, 2, 2, 4, 8, 16, 16 };
	unsigned int sz = sm_bits(i->word, 48, 3), mode = sm_bits(i->word, 44, 2), n = bytes[sz];
	uint32_t val[SM_WARP][4];
	bool fault = false;

	for (int l = 0; l < SM_WARP; l++) {
		enum sm_step_result r;
		uint32_t a, off, bank = i->cb;

		if (!(m & sm_lane_bit[l]))
			continue;
		a = i->ra == SM_RZ ? 0 : w->regs[i->ra * 32 + l];
		off = a + i->imm;
		if (mode >= 2) {	/* segmented: the upper half chooses the bank */
			bank += a >> 16;
			off = (a & 0xffff) + i->imm;
		}
		r = const_word(k, w, bank, off, val[l], n, err, SM_ERR_INVALID_CONST_ADDR_LDC);
		if (r == STEP_ERROR)
			return r;
		fault |= r == STEP_FAULT;
		if (sz == 0)
			val[l][0] = (uint8_t)val[l][0];
		else if (sz == 1)
			val[l][0] = (uint32_t)(int32_t)(int8_t)val[l][0];
		else if (sz == 2)
			val[l][0] = (uint16_t)val[l][0];
		else if (sz == 3)
			val[l][0] = (uint32_t)(int32_t)(int16_t)val[l][0];
	}
	if (fault)
		return STEP_FAULT;
	if (i->rd == SM_RZ)
		return STEP_OK;
	for (int l = 0; l < SM_WARP; l++)
		if (m & sm_lane_bit[l])
			for (unsigned int j = 0; j < i->nd; j++)
				w->regs[(i->rd + j) * 32 + l] = val[l][j];
	return STEP_OK;
}

/* --- data ------------------------------------------------------------------ */

enum mem_kind { MEM_LOAD, MEM_STORE, MEM_ATOM, MEM_CAS };
enum mem_space { SPC_GLOBAL, SPC_GENERIC, SPC_LOCAL, SPC_SHARED };

/* What is done at each lane's place. */
struct access {
	enum mem_kind kind;
	enum mem_space space;
	unsigned int bytes;	/* a lane */
	bool sign;
	bool wide;		/* 64-bit address */
	unsigned int op;	/* atomic */
	unsigned int type;	/* atomic: 0 u32, 1 s32, 2 u64, 3 f32, 5 s64 */
	uint64_t va[SM_WARP];
	uint8_t *ptr[SM_WARP];	/* NULL: slow or sparse */
	uint8_t fl[SM_WARP];
	bool linear;		/* all lanes, side by side from ptr[0] on */
	uint32_t slow;		/* lanes that go through read/write callbacks */
	uint32_t sparse;
	uint32_t shared;	/* lanes in shared memory */
};

static bool mem_setup(const struct sm_insn *i, struct access *a)
{
	static const uint8_t bytes[8] = { 1, 1, 2, 2, 4, 8, 16, 16 };
	uint64_t w = i->word;
	unsigned int sz = 4;

	memset(a, 0, offsetof(struct access, va));
	a->slow = a->sparse = a->shared = 0;
	a->linear = false;
	switch (i->op) {
	case OP_LD: case OP_ST:
		a->space = SPC_GENERIC;
		a->wide = SM_BIT(i, 52);
		sz = sm_bits(w, 53, 3);
		break;
	case OP_LDG: case OP_STG:
		a->space = SPC_GLOBAL;
		a->wide = SM_BIT(i, 45);
		sz = sm_bits(w, 48, 3);
		break;
	case OP_LDL: case OP_STL:
		a->space = SPC_LOCAL;
		sz = sm_bits(w, 48, 3);
		break;
	case OP_LDS: case OP_STS:
		a->space = SPC_SHARED;
		sz = sm_bits(w, 48, 3);
		break;
	case OP_ATOM:
		a->space = SPC_GENERIC;
		a->wide = SM_BIT(i, 48);
		a->op = sm_bits(w, 52, 4);
		a->type = sm_bits(w, 49, 3);
		break;
	case OP_RED:
		a->space = SPC_GENERIC;
		a->wide = SM_BIT(i, 48);
		a->op = sm_bits(w, 23, 3);
		a->type = sm_bits(w, 20, 3);
		break;
	case OP_ATOM_CAS:
		a->space = SPC_GENERIC;
		a->wide = SM_BIT(i, 48);
		a->type = SM_BIT(i, 49) ? 2 : 0;
		break;
	case OP_ATOMS:
		a->space = SPC_SHARED;
		a->op = sm_bits(w, 52, 4);
		a->type = sm_bits(w, 28, 2) == 3 ? 5 : sm_bits(w, 28, 2);
		break;
	case OP_ATOMS_CAS:
		a->space = SPC_SHARED;
		a->type = SM_BIT(i, 52) ? 2 : 0;
		break;
	}
	switch (i->op) {
	case OP_LD: case OP_LDG: case OP_LDL: case OP_LDS:
		a->kind = MEM_LOAD;
		a->bytes = bytes[sz];
		a->sign = sz == 1 || sz == 3;
		break;
	case OP_ST: case OP_STG: case OP_STL: case OP_STS:
		a->kind = MEM_STORE;
		a->bytes = bytes[sz];
		break;
	default:
		a->kind = i->op == OP_ATOM_CAS || i->op == OP_ATOMS_CAS ? MEM_CAS : MEM_ATOM;
		a->bytes = a->type == 2 || a->type == 5 ? 8 : 4;
		if (a->type == 4 || a->type > 5)
			return false;
		if (a->kind == MEM_ATOM && a->op > 8 && a->op != 10)
			return false;
		/* floats: only addition and exchange */
		if (a->type == 3 && a->kind == MEM_ATOM && a->op != 0 && a->op != 8)
			return false;
	}
	return true;
}

static void mem_addresses(const struct sm_insn *i, const struct sm_warp *w, struct access *a)
{
	int64_t off = (int32_t)i->imm;

	if (i->ra == SM_RZ) {
		for (int l = 0; l < SM_WARP; l++)
			a->va[l] = a->wide ? (uint64_t)off : (uint32_t)off;
	} else if (a->wide) {
		const uint32_t *lo = w->regs + i->ra * 32, *hi = lo + 32;

		for (int l = 0; l < SM_WARP; l++)
			a->va[l] = ((uint64_t)hi[l] << 32 | lo[l]) + off;
	} else {
		const uint32_t *lo = w->regs + i->ra * 32;

		for (int l = 0; l < SM_WARP; l++)
			a->va[l] = (uint32_t)(lo[l] + off);
	}
}

/* Place of a lane's local byte @off.  Return: false if out of range. */
static bool local_va(struct sm_worker *k, const struct sm_warp *w, unsigned int lane, uint32_t off,
		     unsigned int bytes, uint64_t *va)
{
	const struct sm_launch *l = &w->cta->grid->l;
	uint64_t thread = (l->local_low + l->local_high + 15) & ~15ull;
	uint64_t stride = thread * SM_WARP;
	uint64_t top = 1u << 24;

	off &= 0xffffff;
	if (off + bytes > l->local_low) {
		/* the high part counts down from the window's end */
		if (off < top - l->local_high)
			return false;
		off = l->local_low + (off - (top - l->local_high));
	}
	if ((w->slot + 1) * stride > l->local_size_per_tpc)
		return false;
	*va = l->local_va + k->core->index * l->local_size_per_tpc + w->slot * stride +
	      (off >> 4) * (16 * SM_WARP) + lane * 16 + (off & 15);
	return true;
}

/* A lane's address is beyond its window's memory.  Return: false if that is an exception. */
static bool out_of_range(const struct sm_launch *l, struct access *a, unsigned int lane, enum sm_warp_error *err)
{
	a->sparse |= sm_lane_bit[lane];	/* reads 0, writes are dropped */
	a->ptr[lane] = NULL;
	*err = SM_ERR_OOR_ADDR;
	return l->ignore_oor;
}

static enum sm_step_result mem_translate(struct sm_worker *k, struct sm_warp *w, struct access *a,
					 uint32_t m, enum sm_warp_error *err)
{
	const struct sm_launch *l = &w->cta->grid->l;
	enum sm_access acc = a->kind == MEM_LOAD ? SM_READ : a->kind == MEM_STORE ? SM_WRITE : SM_ATOMIC;
	unsigned int n = a->bytes;
	bool fault = false;
	uint64_t all = 0, page = ~0ull, same = 0;
	uint8_t *host = NULL, f = 0;
	int first;

	if (m == ~0u)
		for (int j = 0; j < SM_WARP; j++)
			all |= a->va[j];
	else
		for (int j = 0; j < SM_WARP; j++)
			all |= m & sm_lane_bit[j] ? a->va[j] : 0;
	if (all & (n - 1)) {
		*err = SM_ERR_MISALIGNED_ADDR;
		return STEP_ERROR;
	}
	if (a->space == SPC_SHARED) {
		uint64_t size = w->cta->shared_size;

		a->shared = m;
		for (int j = 0; j < SM_WARP; j++) {
			if (!(m & sm_lane_bit[j]))
				continue;
			if (a->va[j] + n > size) {
				if (!out_of_range(l, a, j, err))
					return STEP_ERROR;
				continue;
			}
			a->ptr[j] = w->cta->shared + a->va[j];
		}
		return STEP_OK;
	}
	if (a->space == SPC_GLOBAL || (a->space == SPC_GENERIC && (all >> 32))) {
		/* all lanes in one page, as most often: one look-up */
		uint64_t apart = 1;

		first = __builtin_ctz(m);
		if (m == ~0u) {
			apart = 0;
			for (int j = 0; j < SM_WARP; j++)
				same |= a->va[j] ^ a->va[0];
			for (int j = 0; j < SM_WARP; j++)
				apart |= a->va[j] ^ (a->va[0] + (uint64_t)j * 4);
		} else {
			for (int j = 0; j < SM_WARP; j++)
				same |= m & sm_lane_bit[j] ? a->va[j] ^ a->va[first] : 0;
		}
		if (same < 4096 && (a->space == SPC_GLOBAL || a->va[first] >> 32)) {
			uint8_t r = xlat(k, SM_PORT_TEX, l->space, a->va[first], acc, &host, &f);

			if (r != SM_XLAT_OK) {
				pend_fault(k, w, a->va[first], acc, SM_PORT_TEX, r);
				return STEP_FAULT;
			}
			if (host) {
				uint8_t *base = host - (a->va[first] & 4095);

				a->linear = !apart && n == 4 && (acc == SM_READ || acc == SM_WRITE);
				if (a->linear) {
					a->ptr[0] = host;
					return STEP_OK;
				}
				for (int j = 0; j < SM_WARP; j++)
					a->ptr[j] = base + (a->va[j] & 4095);
				memset(a->fl, f, sizeof(a->fl));
				return STEP_OK;
			}
		}
	}
	for (int j = 0; j < SM_WARP; j++) {
		uint64_t va = a->va[j];
		uint8_t r;

		if (!(m & sm_lane_bit[j]))
			continue;
		if (a->space == SPC_LOCAL) {
			if (!local_va(k, w, j, va, n, &va)) {
				if (!out_of_range(l, a, j, err))
					return STEP_ERROR;
				continue;
			}
		} else if (a->space == SPC_GENERIC && !(va >> 32)) {
			if (va - l->shared_window < 1u << 24) {
				va -= l->shared_window;
				if (va + n > w->cta->shared_size) {
					if (!out_of_range(l, a, j, err))
						return STEP_ERROR;
					continue;
				}
				a->ptr[j] = w->cta->shared + va;
				a->fl[j] = 0;
				a->shared |= sm_lane_bit[j];
				continue;
			}
			if (va - l->local_window < 1u << 24 &&
			    !local_va(k, w, j, va - l->local_window, n, &va)) {
				if (!out_of_range(l, a, j, err))
					return STEP_ERROR;
				continue;
			}
		}
		a->va[j] = va;
		if (va >> 12 != page) {
			r = xlat(k, SM_PORT_TEX, l->space, va, acc, &host, &f);
			if (r != SM_XLAT_OK) {
				pend_fault(k, w, va, acc, SM_PORT_TEX, r);
				fault = true;
				continue;
			}
			page = va >> 12;
			host = host ? host - (va & 4095) : NULL;
		}
		a->fl[j] = f;
		a->ptr[j] = host ? host + (va & 4095) : NULL;
		if (f & TLB_SPARSE) {
			a->sparse |= sm_lane_bit[j];
			a->ptr[j] = NULL;
		} else if (!host) {
			a->slow |= sm_lane_bit[j];
		}
	}
	return fault ? STEP_FAULT : STEP_OK;
}

#define RD32(p) __atomic_load_n((uint32_t *)(p), __ATOMIC_RELAXED)
#define RD64(p) __atomic_load_n((uint64_t *)(p), __ATOMIC_RELAXED)
#define WR32(p, v) __atomic_store_n((uint32_t *)(p), v, __ATOMIC_RELAXED)
#define WR64(p, v) __atomic_store_n((uint64_t *)(p), v, __ATOMIC_RELAXED)

static void load_lane(const struct access *a, const uint8_t *p, uint32_t *d, int l)
{
	switch (a->bytes) {
	case 1:
		d[l] = a->sign ? (uint32_t)(int32_t)(int8_t)*p : *p;
		break;
	case 2: {
		uint16_t v = __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);

		d[l] = a->sign ? (uint32_t)(int32_t)(int16_t)v : v;
		break;
	}
	case 4:
		d[l] = RD32(p);
		break;
	default:
		for (unsigned int j = 0; j < a->bytes; j += 8) {
			uint64_t v = RD64(p + j);

			d[(j / 4) * 32 + l] = v;
			d[(j / 4 + 1) * 32 + l] = v >> 32;
		}
	}
}

static void do_load(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i,
		    struct access *a, uint32_t m)
{
	uint32_t trash[4 * SM_WARP];
	uint32_t *d = i->rd == SM_RZ ? trash : w->regs + i->rd * 32;
	uint32_t fast = m & ~(a->slow | a->sparse);

	if (a->linear) {
		memcpy(d, a->ptr[0], 4 * SM_WARP);
		return;
	}
	if (fast == ~0u && a->bytes == 4) {
		for (int l = 0; l < SM_WARP; l++)
			d[l] = RD32(a->ptr[l]);
		return;
	}
	for (int l = 0; l < SM_WARP; l++)
		if (fast & sm_lane_bit[l])
			load_lane(a, a->ptr[l], d, l);
	for (int l = 0; l < SM_WARP && (a->slow | a->sparse); l++) {
		uint64_t buf[2] = { 0, 0 };

		if (!((a->slow | a->sparse) & sm_lane_bit[l]))
			continue;
		if ((a->slow & sm_lane_bit[l]) &&
		    k->sm->ops.read(k->sm->priv, w->cta->grid->l.space, SM_PORT_TEX, a->va[l], buf, a->bytes))
			memset(buf, 0xff, sizeof(buf));
		load_lane(a, (uint8_t *)buf, d, l);
	}
}

static void store_lane(const struct access *a, uint8_t *p, const uint32_t *d, unsigned int step, int l)
{
	switch (a->bytes) {
	case 1:
		__atomic_store_n(p, (uint8_t)d[l], __ATOMIC_RELAXED);
		break;
	case 2:
		__atomic_store_n((uint16_t *)p, (uint16_t)d[l], __ATOMIC_RELAXED);
		break;
	case 4:
		WR32(p, d[l]);
		break;
	default:
		for (unsigned int j = 0; j < a->bytes; j += 8)
			WR64(p + j, d[(j / 4) * step + l] | (uint64_t)d[(j / 4 + 1) * step + l] << 32);
	}
}

static void do_store(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i,
		     struct access *a, uint32_t m)
{
	const uint32_t *d = i->rd == SM_RZ ? sm_zero_rows[0] : w->regs + i->rd * 32;
	uint32_t fast = m & ~(a->slow | a->sparse);

	if (a->linear) {
		memcpy(a->ptr[0], d, 4 * SM_WARP);
		return;
	}
	if (fast == ~0u && a->bytes == 4) {
		for (int l = 0; l < SM_WARP; l++)
			WR32(a->ptr[l], d[l]);
		return;
	}
	for (int l = 0; l < SM_WARP; l++)
		if (fast & sm_lane_bit[l])
			store_lane(a, a->ptr[l], d, 32, l);
	for (int l = 0; l < SM_WARP && a->slow; l++) {
		uint64_t buf[2];

		if (!(a->slow & sm_lane_bit[l]))
			continue;
		store_lane(a, (uint8_t *)buf, d, 32, l);
		k->sm->ops.post(k->sm->priv, w->cta->grid->l.space, SM_PORT_TEX, a->va[l], buf, a->bytes);
	}
}

/* The value an atomic leaves. */
static uint64_t atom_value(const struct access *a, uint64_t old, uint64_t b)
{
	bool is64 = a->bytes == 8;

	if (a->type == 3 && a->op == 0) {
		union { uint32_t u; float f; } x, y;

		/* .FTZ.RN */
		x.u = (old & 0x7f800000) ? old : old & 0x80000000;
		y.u = (b & 0x7f800000) ? b : b & 0x80000000;
		x.f += y.f;
		if ((x.u & 0x7fffffff) > 0x7f800000)
			return 0x7fffffff;
		return (x.u & 0x7f800000) ? x.u : x.u & 0x80000000;
	}
	switch (a->op) {
	case 0: case 10:
		return is64 ? old + b : (uint32_t)(old + b);
	case 1: case 2: {
		bool less = a->type == 1 ? (int32_t)b < (int32_t)old :
			    a->type == 5 ? (int64_t)b < (int64_t)old : b < old;

		return less == (a->op == 1) ? b : old;
	}
	case 3:
		return old >= b ? 0 : old + 1;
	case 4:
		return old == 0 || old > b ? b : old - 1;
	case 5:
		return old & b;
	case 6:
		return old | b;
	case 7:
		return old ^ b;
	}
	return b;	/* exchange */
}

static uint64_t atom_host(struct sm_worker *k, const struct access *a, uint8_t *p, uint8_t fl,
			  bool shared, uint64_t cmp, uint64_t b)
{
	uint64_t old, new;

	if (shared || (fl & TLB_SYS)) {
		pthread_mutex_t *s = shared ? NULL : &k->sm->stripe[((uintptr_t)p >> 6) & 63];

		if (s)
			pthread_mutex_lock(s);
		old = a->bytes == 8 ? RD64(p) : RD32(p);
		if (a->kind != MEM_CAS || old == cmp) {
			new = a->kind == MEM_CAS ? b : atom_value(a, old, b);
			if (a->bytes == 8)
				WR64(p, new);
			else
				WR32(p, (uint32_t)new);
		}
		if (s)
			pthread_mutex_unlock(s);
		return old;
	}
	if (a->bytes == 8) {
		uint64_t o = RD64(p);

		if (a->kind == MEM_CAS) {
			o = cmp;
			__atomic_compare_exchange_n((uint64_t *)p, &o, b, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST);
			return o;
		}
		if (a->op == 0)
			return __atomic_fetch_add((uint64_t *)p, b, __ATOMIC_SEQ_CST);
		while (!__atomic_compare_exchange_n((uint64_t *)p, &o, atom_value(a, o, b), false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
		return o;
	}
	{
		uint32_t o = RD32(p);

		if (a->kind == MEM_CAS) {
			o = cmp;
			__atomic_compare_exchange_n((uint32_t *)p, &o, (uint32_t)b, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST);
			return o;
		}
		if (a->op == 0 && a->type != 3)
			return __atomic_fetch_add((uint32_t *)p, (uint32_t)b, __ATOMIC_SEQ_CST);
		while (!__atomic_compare_exchange_n((uint32_t *)p, &o, (uint32_t)atom_value(a, o, b), false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
		return o;
	}
}

static uint64_t atom_slow(struct sm_worker *k, struct sm_warp *w, const struct access *a, uint64_t va,
			  bool red, uint64_t cmp, uint64_t b)
{
	void *space = w->cta->grid->l.space;
	const struct sm_ops *ops = &k->sm->ops;
	pthread_mutex_t *s = &k->sm->stripe[(va >> 6) & 63];
	uint64_t old = 0, new;

	pthread_mutex_lock(s);
	if (!ops->read(k->sm->priv, space, SM_PORT_TEX, va, &old, a->bytes) &&
	    (a->kind != MEM_CAS || old == cmp)) {
		new = a->kind == MEM_CAS ? b : atom_value(a, old, b);
		/* Nobody waits for a reduction.  What is posted is its result. */
		(red ? ops->post : ops->write)(k->sm->priv, space, SM_PORT_TEX, va, &new, a->bytes);
	}
	pthread_mutex_unlock(s);
	return old;
}

static void do_atomic(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i,
		      struct access *a, uint32_t m)
{
	bool red = i->op == OP_RED;
	unsigned int rs = red ? i->rd : i->rb, words = a->bytes / 4;
	const uint32_t *src = rs == SM_RZ ? sm_zero_rows[0] : w->regs + rs * 32;
	uint32_t *d = red || i->rd == SM_RZ ? NULL : w->regs + i->rd * 32;
	uint64_t res[SM_WARP];

	for (int l = 0; l < SM_WARP; l++) {
		uint64_t b, cmp = 0;

		if (!(m & sm_lane_bit[l]))
			continue;
		b = src[l];
		if (words == 2)
			b |= (uint64_t)src[32 + l] << 32;
		if (a->kind == MEM_CAS) {
			const uint32_t *n = rs == SM_RZ ? sm_zero_rows[0] : src + 32 * words;

			cmp = b;
			b = n[l];
			if (words == 2)
				b |= (uint64_t)n[32 + l] << 32;
		}
		if (a->sparse & sm_lane_bit[l])
			res[l] = 0;
		else if (a->slow & sm_lane_bit[l])
			res[l] = atom_slow(k, w, a, a->va[l], red, cmp, b);
		else
			res[l] = atom_host(k, a, a->ptr[l], a->fl[l], a->shared & sm_lane_bit[l], cmp, b);
		k->stats.atomics++;
	}
	if (!d)
		return;
	for (int l = 0; l < SM_WARP; l++) {
		if (!(m & sm_lane_bit[l]))
			continue;
		d[l] = res[l];
		if (words == 2)
			d[32 + l] = res[l] >> 32;
	}
}

enum sm_step_result sm_mem(struct sm_worker *k, struct sm_warp *w, const struct sm_insn *i,
			   uint32_t m, enum sm_warp_error *err)
{
	enum sm_step_result r;
	struct access a;

	if (i->op == OP_LDC)
		return do_ldc(k, w, i, m, err);
	if (!mem_setup(i, &a)) {
		*err = SM_ERR_ILLEGAL_INSTR_PARAM;
		return STEP_ERROR;
	}
	mem_addresses(i, w, &a);
	r = mem_translate(k, w, &a, m, err);
	if (r != STEP_OK)
		return r;
	switch (a.kind) {
	case MEM_LOAD:
		do_load(k, w, i, &a, m);
		break;
	case MEM_STORE:
		do_store(k, w, i, &a, m);
		break;
	default:
		do_atomic(k, w, i, &a, m);
	}
	return STEP_OK;
}
