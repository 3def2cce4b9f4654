// SPDX-License-Identifier: MIT
/* Page-table walks: instance blocks, all levels, all leaves, access checks; a reference walker. */
#include "harness.h"

static struct harness h;
static struct h_space s;

static int setup(void **state)
{
	h_new(&h, NULL);
	h_space_new(&h, &s);
	return 0;
}

static int teardown(void **state)
{
	h_del(&h);
	return 0;
}

static enum mmu_fault_type xlat(uint64_t va, enum mmu_access access, struct mmu_xlat *x)
{
	memset(x, 0, sizeof(*x));
	return mmu_translate(h.gpu, &s.sp, TLB_HUB, CLIENT_CE, va, access, x);
}

#define VA 0x123456789000ull	/* all indices differ from 0 */

static void inst_fields(void **state)
{
	struct mmu_space sp;

	assert_int_equal(s.sp.pdb, s.pdb);
	assert_int_equal(s.sp.pdb_ap, AP_VRAM);
	assert_true(s.sp.replay_tex && s.sp.replay_gcc && s.sp.big_64k);
	assert_int_equal(s.sp.limit, BIT64(49) - 1);

	/* old format, invalid target, nothing, outside VRAM */
	h_wr64(&h, s.inst + 0x200, s.pdb);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, s.inst, &sp), -EFAULT);
	h_wr64(&h, s.inst + 0x200, s.pdb | BIT(10) | 1);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, s.inst, &sp), -EFAULT);
	h_wr64(&h, s.inst + 0x200, 0);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, s.inst, &sp), -EFAULT);
	assert_int_equal(mmu_space_load(h.gpu, AP_VRAM, h.gpu->vram_size, &sp), -EFAULT);
	assert_int_equal(san_count(h.gpu, SAN_vram_outside), 1);

	/* an instance block in system memory, without replay and with 128 KiB pages asked for */
	uint64_t pdb = s.pdb | BIT(10), limit = 0xffffffffffull;

	memcpy(h.sys + 0x200, &pdb, 8);
	memcpy(h.sys + 0x208, &limit, 8);
	assert_int_equal(mmu_space_load(h.gpu, AP_SYS_COH, H_IOVA, &sp), 0);
	assert_false(sp.replay_tex || sp.replay_gcc || sp.big_64k);
	assert_int_equal(sp.limit, limit);
	assert_int_equal(sp.inst_ap, AP_SYS_COH);
}

static void each_level_invalid(void **state)
{
	static const uint8_t shift[] = { 47, 38, 29, 21 };
	struct mmu_xlat x;

	assert_int_equal(xlat(VA, MMU_READ, &x), MMU_FAULT_PDE);
	h_map(&h, &s, VA, 12, AP_VRAM, 0x5000, 0);
	assert_int_equal(xlat(VA, MMU_READ, &x), MMU_OK);
	for (unsigned int i = 0; i < ARRAY_SIZE(shift); i++) {
		uint64_t at = h_entry(&h, &s, VA, shift[i]), old = h_vram64(&h, at);
		uint64_t at_hi = at + 8, old_hi = h_vram64(&h, at_hi);

		h_wr64(&h, at, 0);
		if (shift[i] == 21)
			h_wr64(&h, at_hi, 0);
		h_invalidate(&h, &s, 1);
		assert_int_equal(xlat(VA, MMU_READ, &x), MMU_FAULT_PDE);
		/* invalid and volatile: sparse */
		h_wr64(&h, at, PDE_VOL);
		assert_int_equal(xlat(VA, MMU_READ, &x), MMU_OK);
		assert_true(x.sparse);
		assert_int_equal(x.page_shift, 21);
		/* the V bit belongs to PTEs; only PD0 may hold one */
		h_wr64(&h, at, h_pte(AP_VRAM, 0, 0));
		h_invalidate(&h, &s, 1);
		assert_int_equal(xlat(VA, MMU_READ, &x), shift[i] == 21 ? MMU_OK : MMU_FAULT_PDE_SIZE);
		h_wr64(&h, at, old);
		h_wr64(&h, at_hi, old_hi);
		h_invalidate(&h, &s, 1);
		assert_int_equal(xlat(VA, MMU_READ, &x), MMU_OK);
		assert_false(x.sparse);
	}
	h_set_pte(&h, &s, VA, 12, 0);
	h_invalidate(&h, &s, 1);
	assert_int_equal(xlat(VA, MMU_READ, &x), MMU_FAULT_PTE);
	assert_int_equal(h_findings(&h), 0);
}

static void each_leaf(void **state)
{
	static const uint8_t shift[] = { 12, 16, 21 };
	struct mmu_xlat x;

	for (unsigned int i = 0; i < ARRAY_SIZE(shift); i++) {
		uint64_t size = BIT64(shift[i]), va = (VA + (i + 1) * GiB) & ~(size - 1), pa = h_alloc(&h, size);

		h_map(&h, &s, va, shift[i], AP_VRAM, pa, 0);
		assert_int_equal(xlat(va + size - 5, MMU_WRITE, &x), MMU_OK);
		assert_int_equal(x.ap, AP_VRAM);
		assert_int_equal(x.addr, pa + size - 5);
		assert_int_equal(x.left, 5);
		assert_int_equal(x.page_va, va);
		assert_int_equal(x.page_shift, shift[i]);
		assert_false(x.ro || x.vol || x.atomic_disable || x.sparse || x.nocache);
		/* low address bits below the page's alignment are not there */
		h_map(&h, &s, va, shift[i], AP_SYS_NCOH, H_IOVA + 0x1000, PTE_VOL | 0xfe00000000000000ull);
		h_invalidate(&h, &s, 1);
		assert_int_equal(xlat(va, MMU_READ, &x), MMU_OK);
		assert_int_equal(x.addr, shift[i] == 12 ? H_IOVA + 0x1000 : H_IOVA);
		assert_int_equal(x.ap, AP_SYS_NCOH);
		assert_int_equal(x.kind, 0xfe);
		assert_true(x.vol);
		h_map(&h, &s, va, shift[i], AP_PEER, 0, 0);
		h_invalidate(&h, &s, 1);
		assert_int_equal(xlat(va, MMU_READ, &x), MMU_FAULT_UNSUPPORTED_APERTURE);
		h_map(&h, &s, va, shift[i], AP_VRAM, pa, 0xff00000000000000ull);
		assert_int_equal(xlat(va, MMU_READ, &x), MMU_FAULT_KIND);
		h_set_pte(&h, &s, va, shift[i], PTE_VOL);
		assert_int_equal(xlat(va, MMU_WRITE, &x), MMU_OK);
		assert_true(x.sparse);
	}
}

static void vram_tags(void **state)
{
	struct mmu_xlat x;

	/* compression tags share the upper address bits in video memory */
	h_map(&h, &s, VA, 12, AP_VRAM, 0x7000, 0x3ffffull << 36);
	assert_int_equal(xlat(VA, MMU_READ, &x), MMU_OK);
	assert_int_equal(x.addr, 0x7000);
	h_map(&h, &s, VA + 4096, 12, AP_SYS_COH, 0x0000700000001000ull, 0);
	assert_int_equal(xlat(VA + 4096, MMU_READ, &x), MMU_OK);
	assert_int_equal(x.addr, 0x0000700000001000ull);
}

static void access_checks(void **state)
{
	static const struct {
		uint64_t flags;
		enum mmu_fault_type read, write, atomic, prefetch;
	} t[] = {
		{ 0, MMU_OK, MMU_OK, MMU_OK, MMU_OK },
		{ PTE_RO, MMU_OK, MMU_FAULT_RO, MMU_FAULT_RO, MMU_OK },
		{ PTE_ATOMIC_DISABLE, MMU_OK, MMU_OK, MMU_FAULT_ATOMIC, MMU_OK },
		{ PTE_RO | PTE_ATOMIC_DISABLE, MMU_OK, MMU_FAULT_RO, MMU_FAULT_RO, MMU_OK },
	};
	struct mmu_xlat x;

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		uint64_t va = VA + i * 4096;

		h_map(&h, &s, va, 12, AP_VRAM, 0x9000, t[i].flags);
		/* twice: from the tables and from the TLB */
		for (unsigned int n = 0; n < 2; n++) {
			assert_int_equal(xlat(va, MMU_READ, &x), t[i].read);
			assert_int_equal(xlat(va, MMU_WRITE, &x), t[i].write);
			assert_int_equal(xlat(va, MMU_ATOMIC, &x), t[i].atomic);
			assert_int_equal(xlat(va, MMU_PREFETCH, &x), t[i].prefetch);
		}
		assert_int_equal(x.ro, !!(t[i].flags & PTE_RO));
		assert_int_equal(x.atomic_disable, !!(t[i].flags & PTE_ATOMIC_DISABLE));
	}
}

static void dual_pd0(void **state)
{
	uint64_t va = VA & ~0xffffull, small = h_alloc(&h, 4096), big = h_alloc(&h, 65536);
	struct mmu_xlat x;

	/* both tables there: the big PTE decides unless it is invalid */
	h_map(&h, &s, va, 12, AP_VRAM, small, 0);
	h_set_pte(&h, &s, va, 16, 0);
	assert_int_equal(xlat(va, MMU_READ, &x), MMU_OK);
	assert_int_equal(x.addr, small);
	assert_int_equal(x.page_shift, 12);
	h_invalidate(&h, &s, 1);

	h_map(&h, &s, va, 16, AP_VRAM, big, 0);
	assert_int_equal(xlat(va, MMU_READ, &x), MMU_OK);
	assert_int_equal(x.addr, big);
	assert_int_equal(x.page_shift, 16);
	h_invalidate(&h, &s, 1);

	/* invalid and P: the small PTEs are hidden */
	h_set_pte(&h, &s, va, 16, PTE_PRIV);
	assert_int_equal(xlat(va, MMU_READ, &x), MMU_FAULT_PTE);
	/* invalid and volatile: sparse */
	h_set_pte(&h, &s, va, 16, PTE_VOL);
	assert_int_equal(xlat(va, MMU_READ, &x), MMU_OK);
	assert_true(x.sparse);
	h_invalidate(&h, &s, 1);
	/* a small PTE that is sparse */
	h_set_pte(&h, &s, va, 16, 0);
	h_set_pte(&h, &s, va, 12, PTE_VOL);
	assert_int_equal(xlat(va, MMU_READ, &x), MMU_OK);
	assert_true(x.sparse);
	assert_int_equal(x.page_shift, 12);
}

static void limits(void **state)
{
	struct mmu_xlat x;

	assert_int_equal(xlat(BIT64(49), MMU_READ, &x), MMU_FAULT_LIMIT);
	assert_int_equal(xlat(UINT64_MAX, MMU_READ, &x), MMU_FAULT_LIMIT);
	assert_int_equal(mmu_peek(h.gpu, &s.sp, BIT64(49), MMU_READ, &x, NULL), MMU_FAULT_LIMIT);
	h_map(&h, &s, BIT64(49) - 4096, 12, AP_VRAM, 0x3000, 0);
	assert_int_equal(xlat(BIT64(49) - 1, MMU_READ, &x), MMU_OK);
	s.sp.limit = 0xffffffffffull;
	assert_int_equal(xlat(BIT64(49) - 1, MMU_READ, &x), MMU_FAULT_LIMIT);
	h_map(&h, &s, 0xfffffff000ull, 12, AP_VRAM, 0x3000, 0);
	assert_int_equal(xlat(0xffffffffffull, MMU_READ, &x), MMU_OK);
}

static void tables_in_sysmem(void **state)
{
	uint64_t root = s.pdb, sys = 0, other = VA ^ BIT64(47);
	uint64_t e, next;
	struct mmu_xlat x;

	h_map(&h, &s, VA, 12, AP_VRAM, 0xb000, 0);
	/* PD2 (from PD3's entry) moves to system memory, coherent; PD1 likewise, non-coherent */
	e = h_vram64(&h, root + (VA >> 47 & 3) * 8);
	memcpy(h.sys + sys, h.gpu->vram + pde_addr(e, false), 4096);
	h_wr64(&h, root + (VA >> 47 & 3) * 8, (H_IOVA + sys) >> 4 | 2 << 1 | PDE_VOL);
	memcpy(&next, h.sys + sys + (VA >> 38 & 511) * 8, 8);
	memcpy(h.sys + 4096, h.gpu->vram + pde_addr(next, false), 4096);
	next = (H_IOVA + 4096) >> 4 | 3 << 1;
	memcpy(h.sys + sys + (VA >> 38 & 511) * 8, &next, 8);
	assert_int_equal(xlat(VA, MMU_READ, &x), MMU_OK);
	assert_int_equal(x.addr, 0xb000);
	/* a table that isn't there */
	next = 0x7700000000ull >> 4 | 2 << 1;
	memcpy(h.sys + sys + (VA >> 38 & 511) * 8, &next, 8);
	h_invalidate(&h, &s, 1);
	assert_int_equal(xlat(VA, MMU_READ, &x), MMU_FAULT_POISON);
	assert_int_equal(san_count(h.gpu, SAN_dma_outside), 1);
	/* and a PTE that isn't */
	h_wr64(&h, h_entry(&h, &s, other, 21), (h.gpu->vram_size) >> 4 | 1 << 1);
	assert_int_equal(xlat(other, MMU_READ, &x), MMU_FAULT_POISON);
	h_wr64(&h, h_entry(&h, &s, other, 21), 0);
	h_wr64(&h, h_entry(&h, &s, other, 21) + 8, (h.gpu->vram_size) >> 4 | 1 << 1);
	h_invalidate(&h, &s, 1);
	assert_int_equal(xlat(other, MMU_READ, &x), MMU_FAULT_POISON);
	assert_int_equal(san_count(h.gpu, SAN_vram_outside), 2);
}

static void read_write(void **state)
{
	uint64_t a = h_alloc(&h, 4096), fault;
	uint8_t buf[12288], back[12288];

	for (unsigned int i = 0; i < sizeof(buf); i++)
		buf[i] = i * 7 + 3;
	h_map(&h, &s, VA, 12, AP_VRAM, a, 0);
	h_set_pte(&h, &s, VA + 4096, 12, PTE_VOL);
	h_map(&h, &s, VA + 8192, 12, AP_SYS_COH, H_IOVA + 0x5000, 0);
	assert_int_equal(mmu_write(h.gpu, &s.sp, TLB_HUB, CLIENT_CE, VA, buf, sizeof(buf), &fault), MMU_OK);
	assert_memory_equal(h.gpu->vram + a, buf, 4096);
	assert_memory_equal(h.sys + 0x5000, buf + 8192, 4096);
	assert_int_equal(mmu_read(h.gpu, &s.sp, TLB_HUB, CLIENT_CE, VA, back, sizeof(back), &fault), MMU_OK);
	memset(buf + 4096, 0, 4096);	/* sparse */
	assert_memory_equal(back, buf, sizeof(buf));
	/* what lies before the fault was transferred */
	assert_int_equal(mmu_write(h.gpu, &s.sp, TLB_HUB, CLIENT_CE, VA + 12280, buf, 16, &fault), MMU_FAULT_PTE);
	assert_int_equal(fault, VA + 12288);
	assert_memory_equal(h.sys + 0x5ff8, buf, 8);
	assert_int_equal(mmu_read(h.gpu, &s.sp, TLB_HUB, CLIENT_CE, VA + 12280, back, 16, &fault), MMU_FAULT_PTE);
	assert_memory_equal(back, buf, 8);
}

static void watched(void **state)
{
	struct mmu_xlat x;

	h_map(&h, &s, VA & ~0xffffull, 16, AP_VRAM, 0x40000, 0);
	assert_int_equal(xlat(VA, MMU_READ, &x), MMU_OK);
	assert_false(x.nocache);
	/* any watched page in the leaf makes it so */
	san_watch(h.gpu, AP_VRAM, 0x4f000, 4096, true);
	assert_int_equal(xlat(VA & ~0xffffull, MMU_READ, &x), MMU_OK);
	assert_true(x.nocache);
	assert_int_equal(h_findings(&h), 0);
	san_watch(h.gpu, AP_VRAM, 0x4f000, 4096, false);
	assert_int_equal(xlat(VA, MMU_READ, &x), MMU_OK);
	assert_false(x.nocache);
}

/* ---- a second walker, written from the format's table alone, to compare with ---- */

struct ref {
	enum mmu_fault_type type;
	bool sparse, ro, ad;
	uint64_t addr;
	unsigned int shift, ap, kind;
};

static struct ref ref_pte(uint64_t pte, unsigned int shift, uint64_t va)
{
	struct ref r = { .type = MMU_OK, .shift = shift };
	uint64_t off = va % (1ull << shift);

	if (pte % 2 == 0) {
		r.sparse = pte >> 3 & 1;
		if (!r.sparse)
			r.type = MMU_FAULT_PTE;
		return r;
	}
	r.ap = pte >> 1 & 3;
	r.kind = pte >> 56;
	r.ro = pte >> 6 & 1;
	r.ad = pte >> 7 & 1;
	r.addr = r.ap == 0 ? (pte >> 8 & 0xfffffff) * 4096 : (pte >> 8 & 0x3fffffffffff) * 4096;
	r.addr = r.addr - r.addr % (1ull << shift) + off;
	if (r.ap == 1)
		r.type = MMU_FAULT_UNSUPPORTED_APERTURE;
	else if (r.kind == 255)
		r.type = MMU_FAULT_KIND;
	return r;
}

static struct ref ref_walk(uint64_t va)
{
	static const struct { unsigned int shift, bits; } up[] = { { 47, 2 }, { 38, 9 }, { 29, 9 } };
	uint64_t t = s.pdb, lo, hi;

	for (unsigned int i = 0; i < 3; i++) {
		uint64_t e = h_vram64(&h, t + (va >> up[i].shift) % (1u << up[i].bits) * 8);

		if (e & 1)
			return (struct ref){ .type = MMU_FAULT_PDE_SIZE };
		if ((e >> 1 & 3) == 0)
			return e >> 3 & 1 ? (struct ref){ .type = MMU_OK, .sparse = true, .shift = 21 } :
					    (struct ref){ .type = MMU_FAULT_PDE };
		t = (e >> 8 & 0x3fffffffffff) * 4096;
	}
	lo = h_vram64(&h, t + (va >> 21) % 256 * 16);
	hi = h_vram64(&h, t + (va >> 21) % 256 * 16 + 8);
	if (lo & 1)
		return ref_pte(lo, 21, va);
	bool has_big = lo >> 1 & 3, has_small = hi >> 1 & 3;

	if (!has_big && !has_small)
		return lo >> 3 & 1 ? (struct ref){ .type = MMU_OK, .sparse = true, .shift = 21 } :
				     (struct ref){ .type = MMU_FAULT_PDE };
	if (has_big) {
		uint64_t pte = h_vram64(&h, (lo >> 4 & 0x3ffffffffffff) * 256 + (va >> 16) % 32 * 8);
		bool ignore = !(pte & 1) && !(pte >> 3 & 1) && !(pte >> 5 & 1);

		if (!ignore || !has_small)
			return ref_pte(pte, 16, va);
	}
	return ref_pte(h_vram64(&h, (hi >> 8 & 0x3fffffffffff) * 4096 + (va >> 12) % 512 * 8), 12, va);
}

static uint64_t rng = 99;
static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	return rng ^= rng << 17;
}

static uint64_t random_pte(void)
{
	switch (rnd() % 8) {
	case 0:
		return 0;
	case 1:
		return PTE_VOL;
	case 2:
		return PTE_PRIV;
	default:
		return (rnd() & ~BIT64(0) & ~0x00fffff000000000ull) | (rnd() % 4 != 0);
	}
}

static enum mmu_fault_type expected(const struct ref *r, enum mmu_access access)
{
	if (r->type == MMU_OK && !r->sparse && access != MMU_READ && r->ro)
		return MMU_FAULT_RO;
	if (r->type == MMU_OK && !r->sparse && access == MMU_ATOMIC && r->ad)
		return MMU_FAULT_ATOMIC;
	return r->type;
}

/* A translated run is what page by page comes to, in as few pieces as can be.  Return: pieces. */
static unsigned int check_run(uint64_t va, uint64_t len, enum mmu_access access)
{
	struct mmu_xlat x[5];
	unsigned int n = 99;
	uint64_t at = va;
	enum mmu_fault_type got = mmu_translate_run(h.gpu, &s.sp, TLB_HUB, CLIENT_CE, va, len, access, x,
						    ARRAY_SIZE(x), &n);

	assert_int_equal(got == MMU_OK, n > 0);
	for (unsigned int i = 0; i < n; i++) {
		for (uint64_t o = 0, step; o < x[i].left; o += step) {
			struct ref r = ref_walk(at + o);

			step = 4096 - (at + o) % 4096;
			assert_int_equal(expected(&r, access), MMU_OK);
			assert_int_equal(x[i].sparse, r.sparse);
			if (r.sparse)
				continue;
			assert_int_equal(x[i].ap, r.ap);
			assert_int_equal(x[i].addr + o, r.addr);
		}
		if (i && !x[i].sparse && !x[i - 1].sparse && x[i].ap == x[i - 1].ap)
			assert_int_not_equal(x[i].addr, x[i - 1].addr + x[i - 1].left);
		at += x[i].left;
	}
	assert_true(at - va <= len);
	if (n < ARRAY_SIZE(x) && at < va + len) {
		struct ref r = ref_walk(at);

		assert_int_not_equal(expected(&r, access), MMU_OK);
		if (!n)
			assert_int_equal(got, expected(&r, access));
	}
	return n;
}

static void random_tables(void **state)
{
	uint64_t n_ok = 0, n_fault = 0, n_pieces = 0;

	for (unsigned int round = 0; round < 30; round++) {
		uint64_t base = rnd() & (BIT64(49) - 1) & ~(BIT64(24) - 1);

		/* 16 MiB of address space with pages of all sizes over one another */
		for (unsigned int i = 0; i < 60; i++) {
			uint64_t va = base + rnd() % (16 * MiB), at;
			unsigned int shift = (unsigned int[]){ 12, 12, 12, 16, 16, 21 }[rnd() % 6];

			at = h_entry(&h, &s, va, 21);
			if (shift != 21 && (h_vram64(&h, at) & 1))
				continue;
			if (shift == 21 && (entry_ap(h_vram64(&h, at)) || rnd() % 4))
				continue;
			h_set_pte(&h, &s, va, shift, random_pte() | (shift == 21 ? PTE_VALID : 0));
		}
		h_invalidate(&h, NULL, 3);
		for (unsigned int i = 0; i < 600; i++) {
			uint64_t va = base + rnd() % (16 * MiB);
			enum mmu_access access = rnd() % 3;
			struct ref r = ref_walk(va);
			struct mmu_xlat x, p;
			enum mmu_fault_type want = expected(&r, access), got;

			got = mmu_translate(h.gpu, &s.sp, i & 1 ? TLB_GPC : TLB_HUB, CLIENT_SM_TEX, va, access, &x);
			assert_int_equal(got, want);
			assert_int_equal(mmu_peek(h.gpu, &s.sp, va, access, &p, NULL), want);
			if (got != MMU_OK) {
				n_fault++;
				continue;
			}
			n_ok++;
			assert_int_equal(x.sparse, r.sparse);
			assert_int_equal(x.page_shift, r.shift);
			if (r.sparse)
				continue;
			assert_int_equal(x.addr, r.addr);
			assert_int_equal(x.ap, r.ap);
			assert_int_equal(x.kind, r.kind);
			assert_int_equal(x.ro, r.ro);
			assert_int_equal(x.atomic_disable, r.ad);
			assert_int_equal(p.addr, r.addr);
		}
		/* a run of neighbours among the random pages */
		for (unsigned int i = 0; i < 24; i++)
			h_set_pte(&h, &s, base + 5 * MiB + i * 4096, 12,
				  h_pte(AP_VRAM, 0x800000 + i * 4096 + (i >= 17) * 4096, i == 9 ? PTE_RO : 0));
		h_invalidate(&h, NULL, 3);
		for (unsigned int i = 0; i < 200; i++) {
			uint64_t va = base + (i & 1 ? 5 * MiB + rnd() % (24 * 4096) : rnd() % (16 * MiB));

			n_pieces += check_run(va, rnd() % (200 * 1024) + 1, rnd() % 3);
		}
	}
	assert_true(n_ok > 1000 && n_fault > 1000 && n_pieces > 3000);
	assert_int_equal(san_count(h.gpu, SAN_stale_translation), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(inst_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(each_level_invalid, setup, teardown),
		cmocka_unit_test_setup_teardown(each_leaf, setup, teardown),
		cmocka_unit_test_setup_teardown(vram_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(access_checks, setup, teardown),
		cmocka_unit_test_setup_teardown(dual_pd0, setup, teardown),
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(tables_in_sysmem, setup, teardown),
		cmocka_unit_test_setup_teardown(read_write, setup, teardown),
		cmocka_unit_test_setup_teardown(watched, setup, teardown),
		cmocka_unit_test_setup_teardown(random_tables, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
