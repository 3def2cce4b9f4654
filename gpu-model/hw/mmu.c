// SPDX-License-Identifier: MIT
/*
 * GPU MMU: instance blocks, walks of the five-level page tables, invalidation
 * and the registers for it (100c80..100cbf, 100ce8..100cef).
 *
 * Format: NVIDIA open-gpu-doc pascal/gp100-mmu-format.pdf.  Registers: NVIDIA
 * open-gpu-doc manuals/volta/gv100/pri_mmu_hub.ref.txt, whose INVALIDATE agrees
 * with what nouveau writes on Pascal (gf100_vmm_invalidate(), gp100_vmm_flush(),
 * gp100_vmm_fault_replay(), gp100_vmm_fault_cancel()); 100c80's FIFO bits: the
 * same functions.
 *
 * A privileged channel asks for the same by MEM_OP_D (clc06f.h, whose fields say what
 * they do in gv100 dev_pbdma.ref.txt).
 *
 * A request that is written to 100cbc joins a queue.  Without late_invalidate
 * it completes within the write, or, when the shader cores are in the middle of a
 * slice, at the slice's end, and 100c80 says so.  With it, completion comes some engine steps
 * later, in order, although 100c80 already says that the FIFO is empty: the
 * request has left the register, not yet reached all TLBs.  Bit 31 of 100cbc tells when
 * it has.  With SYS_MEMBAR and ACK = GLOBALLY, stores that are late land before that.
 *
 * Sparse pages (V=0, VOL=1) are cached like valid ones: the MMU has an answer for
 * them.  Reads return 0 and writes are dropped, as for TEX ("silent NACK").
 *
 * Not modelled: privilege (P bit of valid PTEs), encryption, compression (kind
 * and tags are kept but data is never compressed), peer memory, page tables of
 * the old two-level format, 128 KiB pages.
 *
 * Locks: gpu->lock for registers and the hub's TLB.  A GPC translation needs
 * sm_gate shared, or gpu->lock; completing an invalidate takes sm_gate exclusively
 * inside gpu->lock, without waiting for it under a host's access.
 */
#include "hw/mmu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/block.h"
#include "hw/fault.h"
#include "hw/late.h"
#include "hw/mmu_priv.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"
#include "ledger/sanitizer.h"
#include "pci/dma.h"

#define VA_BITS 49

#define REG_MMU_CTRL 0x100c80
#define REG_INVALIDATE_VADDR 0x100cb4
#define REG_INVALIDATE_PDB 0x100cb8
#define REG_INVALIDATE 0x100cbc
#define REG_INVALIDATE_UPPER_VADDR 0x100ce8
#define REG_INVALIDATE_UPPER_PDB 0x100cec

/* Instance block: gv100 dev_ram.ref.txt NV_RAMIN_PAGE_DIR_BASE_*; nouveau gp100_vmm_join() */
#define RAMIN_PDB 0x200
#define RAMIN_LIMIT 0x208

/* REPLAY values of INVALIDATE */
enum { REPLAY_NONE, REPLAY_START, REPLAY_START_ACK_ALL, REPLAY_CANCEL_TARGETED, REPLAY_CANCEL_GLOBAL };

/* All a request for a replay is on Pascal: PAGE_ALL, ALL_PDB, START (gp100_vmm_fault_replay()) */
#define REPLAY_GLOBAL (BIT(31) | REPLAY_START << 3 | BIT(1) | BIT(0))

/* ACK values: NONE_REQUIRED, GLOBALLY, INTRANODE */
enum { ACK_GLOBALLY = 1 };

enum { TELL_FORMAT, TELL_BIG_PAGE, TELL_INVAL_BITS, TELL_REPLAY, TELL_CANCEL_ACCESS, TELL_VA_ALL };

static void tell_once(struct gpu *gpu, unsigned int id, const char *what, uint32_t val)
{
	uint32_t old = __atomic_fetch_or(&gpu->mmu->told, BIT(id), __ATOMIC_RELAXED);

	__atomic_fetch_add(&gpu->mmu->not_modelled, 1, __ATOMIC_RELAXED);
	if (!(old & BIT(id)))
		gpu_log(gpu, 0, "mmu: not modelled: %s (%08x)", what, val);
}

/* ---- instance blocks ---- */

int mmu_space_load(struct gpu *gpu, enum aperture ap, uint64_t inst, struct mmu_space *out)
{
	uint64_t pdb, limit;

	memset(out, 0, sizeof(*out));
	out->inst = inst;
	out->inst_ap = ap;
	if (mem_read(gpu, CLIENT_MMU, ap, inst + RAMIN_PDB, &pdb, 8) ||
	    mem_read(gpu, CLIENT_MMU, ap, inst + RAMIN_LIMIT, &limit, 8))
		return -EFAULT;
	if (!(pdb & BIT(10))) {
		/* An unbound instance block is all zeroes; that isn't a format. */
		if (pdb)
			tell_once(gpu, TELL_FORMAT, "page tables of the old format", (uint32_t)pdb);
		return -EFAULT;
	}
	if ((pdb & 3) == AP_PEER)	/* NV_RAMIN_PAGE_DIR_BASE_TARGET_INVALID */
		return -EFAULT;
	out->pdb_ap = (enum aperture)(pdb & 3);
	out->pdb = pdb & ~0xfffull;
	out->replay_tex = pdb & BIT(4);
	out->replay_gcc = pdb & BIT(5);
	out->big_64k = pdb & BIT(11);
	if (!out->big_64k)
		tell_once(gpu, TELL_BIG_PAGE, "big pages of 128 KiB", (uint32_t)pdb);
	out->limit = limit | 0xfff;
	if (ap == AP_VRAM)
		mmu_count_space(gpu, gpu->mmu->count, inst);
	return 0;
}

/* ---- walks ---- */

struct walk {
	struct gpu *gpu;
	const struct mmu_space *sp;
	struct tlb *tlb;	/* NULL: look at memory alone, count nothing */
	uint64_t key;
	uint64_t va;
	struct tlb_pde *pd0;	/* NULL, or room for the entry of PD0 that the last walk went through */
	uint64_t pte_reads;	/* not yet in the ledger */
	struct tlb_leaf leaf;	/* result */
};

static int read_entry(struct walk *w, enum aperture ap, uint64_t addr, void *buf, size_t len)
{
	return mem_read(w->gpu, CLIENT_MMU, ap, addr, buf, len);
}

/* A directory entry that the TLB kept though software invalidated below it: is it still true? */
static void check_pde(struct walk *w, enum mmu_level lvl, const struct tlb_pde *e)
{
	uint64_t now[2] = { 0, 0 };

	if (read_entry(w, e->at_ap, e->at, now, lvl == LVL_PD0 ? 16 : 8))
		return;
	if (memcmp(now, e->raw, sizeof(now)))
		san_report(w->gpu, SAN_stale_translation,
			   "PD%d entry of va %012llx, pdb %llx: cached %llx %llx, in memory %llx %llx",
			   lvl - LVL_PD0, (unsigned long long)w->va, (unsigned long long)w->sp->pdb,
			   (unsigned long long)e->raw[0], (unsigned long long)e->raw[1],
			   (unsigned long long)now[0], (unsigned long long)now[1]);
	tlb_add_pde(w->tlb, lvl, e);
}

/* Entry of directory level @lvl, from the TLB or from the table at @at.  Return: 0 or -EFAULT. */
static int get_pde(struct walk *w, enum mmu_level lvl, uint64_t index, enum aperture at_ap,
		   uint64_t at, struct tlb_pde *e)
{
	memset(e, 0, sizeof(*e));
	if (read_entry(w, at_ap, at, e->raw, lvl == LVL_PD0 ? 16 : 8))
		return -EFAULT;
	if (w->tlb)
		LEDGER(w->gpu, pde_read);
	e->pdb = w->key;
	e->index = index;
	e->at = at;
	e->at_ap = at_ap;
	return 0;
}

static bool cached_pde(struct walk *w, enum mmu_level lvl, uint64_t index, struct tlb_pde *e)
{
	bool suspect;

	if (!w->tlb || !tlb_find_pde(w->tlb, lvl, w->key, index, e, &suspect))
		return false;
	if (suspect)
		check_pde(w, lvl, e);
	return true;
}

static enum mmu_fault_type leaf_pte(struct walk *w, uint64_t pte, uint8_t shift)
{
	struct tlb_leaf *l = &w->leaf;
	uint64_t mask;

	l->pdb = w->key;
	l->pte = pte;
	l->shift = shift;
	l->page = w->va >> shift;
	if (!(pte & PTE_VALID)) {
		if (!(pte & PTE_VOL))
			return MMU_FAULT_PTE;
		l->sparse = true;
		l->ap = AP_INVALID;
		return MMU_OK;
	}
	l->ap = entry_ap(pte);
	if (l->ap == AP_PEER)
		return MMU_FAULT_UNSUPPORTED_APERTURE;
	/* PA[39:12] in video memory, whose upper bits are a compression tag; PA[57:12] in system memory */
	mask = l->ap == AP_VRAM ? 0x0000000fffffff00ull : 0x003fffffffffff00ull;
	l->addr = (pte & mask) << 4 & ~(BIT64(shift) - 1);
	l->kind = pte >> 56;
	if (l->kind == 0xff)	/* KIND_INVALID, nouveau gm200_mmu_kind() */
		return MMU_FAULT_KIND;
	l->vol = pte & PTE_VOL;
	l->ro = pte & PTE_RO;
	l->atomic_disable = pte & PTE_ATOMIC_DISABLE;
	return MMU_OK;
}

static enum mmu_fault_type read_pte(struct walk *w, enum aperture ap, uint64_t table,
				    unsigned int index, uint64_t *pte)
{
	if (read_entry(w, ap, table + index * 8, pte, 8))
		return MMU_FAULT_POISON;
	w->pte_reads++;
	return MMU_OK;
}

/* From an entry of PD0 to the leaf: a 2 MiB PTE, or tables of 64 KiB and 4 KiB pages. */
static enum mmu_fault_type walk_pd0(struct walk *w, const struct tlb_pde *e)
{
	uint64_t lo = e->raw[0], hi = e->raw[1], pte;
	enum mmu_fault_type ret;

	w->leaf.pte = lo;
	if (lo & PTE_VALID)
		return leaf_pte(w, lo, 21);
	if (!entry_ap(lo) && !entry_ap(hi)) {
		if (lo & PDE_VOL)
			return leaf_pte(w, PTE_VOL, 21);
		return MMU_FAULT_PDE;
	}
	if (w->pd0 && w->pd0 != e)
		*w->pd0 = *e;
	if (entry_ap(lo)) {
		ret = read_pte(w, pde_ap(lo), pde_addr(lo, true), (w->va >> 16) & 31, &pte);
		if (ret != MMU_OK)
			return ret;
		/* Valid or sparse: that is the answer.  Invalid and P: no small pages below. */
		if ((pte & (PTE_VALID | PTE_VOL | PTE_PRIV)) || !entry_ap(hi))
			return leaf_pte(w, pte, 16);
	}
	ret = read_pte(w, pde_ap(hi), pde_addr(hi, false), (w->va >> 12) & 511, &pte);
	if (ret != MMU_OK)
		return ret;
	return leaf_pte(w, pte, 12);
}

static const struct {
	uint8_t shift;
	uint16_t mask;
} level_index[MMU_LEVELS] = {
	[LVL_PD0] = { 21, 0xff },
	[LVL_PD1] = { 29, 0x1ff },
	[LVL_PD2] = { 38, 0x1ff },
	[LVL_PD3] = { 47, 0x3 },
};

static enum mmu_fault_type walk(struct walk *w)
{
	enum aperture ap = w->sp->pdb_ap;
	uint64_t table = w->sp->pdb;
	enum mmu_level from = LVL_PD3;
	struct tlb_pde e;

	memset(&w->leaf, 0, sizeof(w->leaf));
	/* The walk of the page before went through the same entry: the TLB has it, unchanged. */
	if (w->pd0 && w->pd0->pdb && w->pd0->index == w->va >> level_index[LVL_PD0].shift)
		return walk_pd0(w, w->pd0);
	/* Begin at the lowest directory entry that the TLB has. */
	for (enum mmu_level lvl = LVL_PD0; lvl <= LVL_PD3; lvl++) {
		if (!cached_pde(w, lvl, w->va >> level_index[lvl].shift, &e))
			continue;
		if (lvl == LVL_PD0)
			return walk_pd0(w, &e);
		ap = pde_ap(e.raw[0]);
		table = pde_addr(e.raw[0], false);
		from = lvl - 1;
		break;
	}
	for (enum mmu_level lvl = from;; lvl--) {
		uint64_t index = w->va >> level_index[lvl].shift;
		uint64_t at = table + (index & level_index[lvl].mask) * (lvl == LVL_PD0 ? 16 : 8);

		if (get_pde(w, lvl, index, ap, at, &e))
			return MMU_FAULT_POISON;
		if (lvl == LVL_PD0) {
			/* A 2 MiB PTE is a leaf: kept as such, not as a directory entry. */
			if (w->tlb && !(e.raw[0] & PTE_VALID) && (entry_ap(e.raw[0]) || entry_ap(e.raw[1])))
				tlb_add_pde(w->tlb, lvl, &e);
			return walk_pd0(w, &e);
		}
		w->leaf.pte = e.raw[0];
		if (e.raw[0] & PTE_VALID)	/* "should be 0 for all levels" */
			return MMU_FAULT_PDE_SIZE;
		if (!entry_ap(e.raw[0])) {
			if (!(e.raw[0] & PDE_VOL))
				return MMU_FAULT_PDE;
			/* The whole range is sparse; kept for 2 MiB of it. */
			return leaf_pte(w, PTE_VOL, 21);
		}
		if (w->tlb)
			tlb_add_pde(w->tlb, lvl, &e);
		ap = pde_ap(e.raw[0]);
		table = pde_addr(e.raw[0], false);
	}
}

/* ---- translation ---- */

static enum mmu_fault_type check_access(const struct tlb_leaf *l, enum mmu_access access)
{
	if (l->sparse)
		return MMU_OK;
	if ((access == MMU_WRITE || access == MMU_ATOMIC) && l->ro)
		return MMU_FAULT_RO;
	if (access == MMU_ATOMIC && l->atomic_disable)
		return MMU_FAULT_ATOMIC;
	return MMU_OK;
}

static void fill_xlat(const struct tlb_leaf *l, uint64_t va, struct mmu_xlat *out)
{
	uint64_t size = BIT64(l->shift), off = va & (size - 1);

	*out = (struct mmu_xlat) {
		.ap = (enum aperture)l->ap,
		.addr = l->addr + off,
		.left = size - off,
		.page_va = va - off,
		.page_shift = l->shift,
		.kind = l->kind,
		.ro = l->ro,
		.vol = l->vol,
		.atomic_disable = l->atomic_disable,
		.sparse = l->sparse,
		.generation = l->generation,
	};
}

/* IOVA generation of a leaf in system memory; 0 when the host took it away. */
static uint64_t leaf_generation(struct gpu *gpu, const struct tlb_leaf *l)
{
	uint64_t left, gen = 0;

	dma_lookup(gpu->dma, l->addr, false, &left, &gen);
	return gen;
}

static bool in_sysmem(const struct tlb_leaf *l)
{
	return l->ap == AP_SYS_COH || l->ap == AP_SYS_NCOH;
}

/* The leaf outlived an invalidate that did not reach this TLB: compare it with the tables. */
static void check_leaf(struct gpu *gpu, const struct mmu_space *sp, struct walk *w,
		       const struct tlb_leaf *l, enum mmu_access access)
{
	struct walk now = { .gpu = gpu, .sp = sp, .key = w->key, .va = w->va };
	enum mmu_fault_type ret = walk(&now);

	if (ret == MMU_OK && now.leaf.pte == l->pte)
		return;
	if (ret == MMU_OK && now.leaf.ro && !l->ro && (access == MMU_WRITE || access == MMU_ATOMIC))
		san_report(gpu, SAN_stale_write, "va %012llx, pdb %llx: cached %016llx, in memory %016llx",
			   (unsigned long long)w->va, (unsigned long long)sp->pdb,
			   (unsigned long long)l->pte, (unsigned long long)now.leaf.pte);
	else
		san_report(gpu, SAN_stale_translation,
			   "va %012llx, pdb %llx, access %d: cached %016llx, in memory %016llx (%s)",
			   (unsigned long long)w->va, (unsigned long long)sp->pdb, access,
			   (unsigned long long)l->pte, (unsigned long long)now.leaf.pte,
			   ret == MMU_OK ? "valid" : "invalid");
}

static void check_hit(struct gpu *gpu, const struct mmu_space *sp, struct walk *w,
		      struct tlb_leaf *l, bool suspect, enum mmu_access access)
{
	uint32_t epoch = __atomic_load_n(&gpu->mmu->dma_epoch, __ATOMIC_RELAXED);

	if (suspect)
		check_leaf(gpu, sp, w, l, access);
	if (in_sysmem(l) && l->dma_epoch != epoch) {
		uint64_t gen = leaf_generation(gpu, l);

		if (gen != l->generation)
			san_report(gpu, SAN_iova_stale,
				   "va %012llx: bus address %llx was mapped anew (%llu, now %llu) since it was cached",
				   (unsigned long long)w->va, (unsigned long long)l->addr,
				   (unsigned long long)l->generation, (unsigned long long)gen);
		l->dma_epoch = epoch;
		l->generation = gen;
		suspect = true;
	}
	if (suspect)
		tlb_checked(w->tlb, l);
}

/*
 * A sparse PTE has VOL alone.  With an aperture or an address beside it, it is what is left of a valid
 * one whose V bit was cleared: the MMU takes it for sparse all the same, and drops writes.
 */
static void tell_half_cleared(struct gpu *gpu, const struct tlb_leaf *l, uint64_t va, enum mmu_access access)
{
	if (__atomic_fetch_add(&gpu->mmu->half_cleared, 1, __ATOMIC_RELAXED) < 8)
		gpu_log(gpu, 1, "mmu: va %012llx, access %d: PTE %016llx is sparse (V=0, VOL=1)",
			(unsigned long long)va, access, (unsigned long long)l->pte);
}

struct xlat_counts {
	uint64_t hits, misses;
};

/* Translate w->va.  Context: as mmu_translate(). */
static enum mmu_fault_type translate(struct walk *w, enum mem_client c, enum mmu_access access,
				     struct mmu_xlat *out, struct xlat_counts *n)
{
	struct gpu *gpu = w->gpu;
	enum mmu_fault_type ret;
	bool suspect;

	if (w->va >> VA_BITS || w->va > w->sp->limit)
		return MMU_FAULT_LIMIT;
	if (tlb_find(w->tlb, w->key, w->va, &w->leaf, &suspect)) {
		ret = check_access(&w->leaf, access);
		n->hits++;
		if (ret == MMU_OK)
			check_hit(gpu, w->sp, w, &w->leaf, suspect, access);
	} else {
		n->misses++;
		ret = walk(w);
		if (ret != MMU_OK)
			return ret;
		if (in_sysmem(&w->leaf)) {
			w->leaf.generation = leaf_generation(gpu, &w->leaf);
			w->leaf.dma_epoch = __atomic_load_n(&gpu->mmu->dma_epoch, __ATOMIC_RELAXED);
		}
		tlb_add(w->tlb, &w->leaf);
		ret = check_access(&w->leaf, access);
		if (ret == MMU_OK && w->tlb == gpu->mmu->tlb[TLB_GPC])
			san_translated(gpu, w->sp->inst, w->va, access);
	}
	fill_xlat(&w->leaf, w->va, out);
	if (out->sparse && w->leaf.pte != PTE_VOL)
		tell_half_cleared(gpu, &w->leaf, w->va, access);
	if (!out->sparse)
		out->nocache = san_watched(gpu, c, out->ap, w->leaf.addr, BIT64(out->page_shift),
					   access == MMU_WRITE || access == MMU_ATOMIC, false);
	return ret;
}

static void count_translations(const struct walk *w, const struct xlat_counts *n)
{
	if (n->hits)
		LEDGER_ADD(w->gpu, tlb_hit, n->hits);
	if (n->misses)
		LEDGER_ADD(w->gpu, tlb_miss, n->misses);
	if (w->pte_reads)
		LEDGER_ADD(w->gpu, pte_read, w->pte_reads);
}

enum mmu_fault_type mmu_translate(struct gpu *gpu, const struct mmu_space *sp, enum tlb_id tlb,
				  enum mem_client c, uint64_t va, enum mmu_access access,
				  struct mmu_xlat *out)
{
	struct walk w = {
		.gpu = gpu, .sp = sp, .tlb = gpu->mmu->tlb[tlb], .va = va,
		.key = tlb_pdb_key(sp->pdb, sp->pdb_ap),
	};
	struct xlat_counts n = { 0 };
	enum mmu_fault_type ret = translate(&w, c, access, out, &n);

	count_translations(&w, &n);
	return ret;
}

/* Does @b go on where @a ends? */
static bool continues(const struct mmu_xlat *a, const struct mmu_xlat *b)
{
	return a->ap == b->ap && !a->sparse && !b->sparse && !a->nocache && !b->nocache &&
	       a->addr + a->left == b->addr;
}

enum mmu_fault_type mmu_translate_run(struct gpu *gpu, const struct mmu_space *sp, enum tlb_id tlb,
				      enum mem_client c, uint64_t va, uint64_t len, enum mmu_access access,
				      struct mmu_xlat *out, unsigned int max, unsigned int *nr)
{
	struct tlb_pde pd0 = { 0 };
	struct walk w = {
		.gpu = gpu, .sp = sp, .tlb = gpu->mmu->tlb[tlb], .va = va,
		.key = tlb_pdb_key(sp->pdb, sp->pdb_ap), .pd0 = &pd0,
	};
	enum mmu_fault_type ret = MMU_OK;
	struct xlat_counts n = { 0 };
	struct mmu_xlat x;
	unsigned int k = 0;

	while (len && k < max) {
		ret = translate(&w, c, access, &x, &n);
		if (ret != MMU_OK)
			break;
		if (x.left > len)
			x.left = len;
		w.va += x.left;
		len -= x.left;
		if (k && continues(&out[k - 1], &x))
			out[k - 1].left += x.left;
		else
			out[k++] = x;
	}
	count_translations(&w, &n);
	*nr = k;
	return k ? MMU_OK : ret;
}

enum mmu_fault_type mmu_peek(struct gpu *gpu, const struct mmu_space *sp, uint64_t va,
			     enum mmu_access access, struct mmu_xlat *out, uint64_t *pte)
{
	struct walk w = { .gpu = gpu, .sp = sp, .va = va, .key = tlb_pdb_key(sp->pdb, sp->pdb_ap) };
	enum mmu_fault_type ret;

	if (pte)
		*pte = 0;
	if (va >> VA_BITS || va > sp->limit)
		return MMU_FAULT_LIMIT;
	ret = walk(&w);
	if (pte)
		*pte = w.leaf.pte;
	if (ret != MMU_OK)
		return ret;
	fill_xlat(&w.leaf, va, out);
	return check_access(&w.leaf, access);
}

/* Accesses that the memory does not answer read as all ones (mem.h); software sees no fault. */
enum mmu_fault_type mmu_read(struct gpu *gpu, const struct mmu_space *sp, enum tlb_id tlb,
			     enum mem_client c, uint64_t va, void *buf, size_t len, uint64_t *fault_va)
{
	uint8_t *p = buf;

	while (len) {
		struct mmu_xlat x;
		enum mmu_fault_type ret = mmu_translate(gpu, sp, tlb, c, va, MMU_READ, &x);
		size_t n;

		if (ret != MMU_OK) {
			*fault_va = va;
			return ret;
		}
		n = len < x.left ? len : x.left;
		if (x.sparse)
			memset(p, 0, n);
		else
			mem_read(gpu, c, x.ap, x.addr, p, n);
		p += n;
		va += n;
		len -= n;
	}
	return MMU_OK;
}

enum mmu_fault_type mmu_write(struct gpu *gpu, const struct mmu_space *sp, enum tlb_id tlb,
			      enum mem_client c, uint64_t va, const void *buf, size_t len, uint64_t *fault_va)
{
	const uint8_t *p = buf;

	while (len) {
		struct mmu_xlat x;
		enum mmu_fault_type ret = mmu_translate(gpu, sp, tlb, c, va, MMU_WRITE, &x);
		size_t n;

		if (ret != MMU_OK) {
			*fault_va = va;
			return ret;
		}
		n = len < x.left ? len : x.left;
		if (!x.sparse)
			mem_write(gpu, c, x.ap, x.addr, p, n);
		p += n;
		va += n;
		len -= n;
	}
	return MMU_OK;
}

void mmu_dma_changed(struct gpu *gpu)
{
	/* The TLBs keep no host pointers; a hit looks its IOVA's generation up again. */
	if (gpu->mmu)
		__atomic_fetch_add(&gpu->mmu->dma_epoch, 1, __ATOMIC_RELAXED);
}

void mmu_cpu_wrote(struct gpu *gpu, uint64_t vram_addr, size_t len)
{
	mmu_count_wrote(gpu, gpu->mmu->count, vram_addr, len);
}

/* ---- invalidation ---- */

static void invalidate(struct gpu *gpu, const struct mmu_inval *inv, const uint64_t *va)
{
	struct mmu *mmu = gpu->mmu;

	tlb_invalidate(mmu->tlb[TLB_HUB], inv, va);
	if (inv->hub_only)
		tlb_suspect(mmu->tlb[TLB_GPC], inv);
	else
		tlb_invalidate(mmu->tlb[TLB_GPC], inv, va);
}

/* Context: gpu->lock, sm_gate exclusive. */
static void complete(struct gpu *gpu, const struct mmu_request *r)
{
	const uint64_t *va = r->all_va ? NULL : &r->va;

	invalidate(gpu, &r->inv, va);
	if (r->replay == REPLAY_NONE)
		late_invalidate(gpu, &r->inv, va, r->membar);
	if (r->membar)
		late_flush(gpu);
	switch (r->replay) {
	case REPLAY_START:
	case REPLAY_START_ACK_ALL:
		if (inject_fire(gpu, INJECT_replay_lost, 0, 0, NULL))
			break;
		LEDGER(gpu, replay);
		gr_replay(gpu);
		break;
	case REPLAY_CANCEL_TARGETED:
		if (!r->hub && gr_cancel(gpu, false, r->gpc, r->client))
			LEDGER(gpu, cancel);
		break;
	case REPLAY_CANCEL_GLOBAL:
		if (gr_cancel(gpu, true, 0, 0))
			LEDGER(gpu, cancel);
		break;
	}
	gpu->mmu->completed = r->number;
	gpu_kick(gpu);
}

/* Complete the oldest request.  Return: false when a slice of the shader cores holds it up. */
static bool complete_head(struct gpu *gpu, bool wait)
{
	struct mmu *mmu = gpu->mmu;
	struct mmu_request r = mmu->queue[mmu->head];

	if (wait)
		gpu_gate_wait(gpu);
	else if (!gpu_gate_try(gpu))
		return false;
	mmu->head = (mmu->head + 1) % MMU_QUEUE;
	mmu->queued--;
	complete(gpu, &r);
	gpu_gate_release(gpu, true);
	return true;
}

static void enqueue(struct gpu *gpu, struct mmu_request *r)
{
	struct mmu *mmu = gpu->mmu;

	/* PRI would stall: the oldest request completes first. */
	if (mmu->queued == MMU_QUEUE - 1)
		complete_head(gpu, true);
	if (gpu->cfg.late_invalidate) {
		mmu->rng = mmu->rng * 6364136223846793005ull + 1442695040888963407ull;
		r->due = gpu->step + 1 + (mmu->rng >> 58);
	}
	mmu->queue[(mmu->head + mmu->queued++) % MMU_QUEUE] = *r;
	gpu_kick(gpu);
}

/*
 * Replays and cancels drop TLB entries too (nouveau asks for all of them) but
 * how many come depends on time, so inval_* leave them out: replay and cancel
 * count them.  Of what form a replay is does not depend on time.
 */
static void count_invalidate(struct gpu *gpu, const struct mmu_request *r)
{
	if ((r->replay == REPLAY_START || r->replay == REPLAY_START_ACK_ALL) && !r->usual)
		LEDGER(gpu, replay_other_form);
	if (r->replay != REPLAY_NONE)
		return;
	if (r->inv.all_pdb)
		LEDGER(gpu, inval_all);
	else
		LEDGER(gpu, inval_pdb);
	if (r->inv.hub_only)
		LEDGER(gpu, inval_hub);
}

/* A request from the register or from a channel. */
static void submit(struct gpu *gpu, struct mmu_request *r)
{
	count_invalidate(gpu, r);
	r->number = ++gpu->mmu->taken;
	if (gpu->cfg.late_invalidate || gpu->mmu->queued || !gpu_gate_try(gpu)) {
		enqueue(gpu, r);
		return;
	}
	complete(gpu, r);
	gpu_gate_release(gpu, true);
}

/* Fill @r from the registers.  Return: false for what no public source describes. */
static bool decode_invalidate(struct gpu *gpu, uint32_t val, struct mmu_request *r)
{
	uint32_t pdb = hw_get(gpu, REG_INVALIDATE_PDB);
	uint32_t level = field(val, 26, 24);

	if (val & 0x78600000) {	/* USE_PASID, USE_SIZE, and bits without a name */
		tell_once(gpu, TELL_INVAL_BITS, "TLB invalidate by size or PASID", val);
		return false;
	}
	*r = (struct mmu_request) {
		.all_va = val & BIT(0),
		.inv = {
			.all_pdb = val & BIT(1),
			.hub_only = val & BIT(2),
			.pdb = ((uint64_t)hw_get(gpu, REG_INVALIDATE_UPPER_PDB) << 32 | (pdb & ~0xfu)) << 8,
			.pdb_ap = pdb & BIT(1) ? AP_SYS_COH : AP_VRAM,
			/* 0: all levels; 1: PTEs only; 2: up to PD0 ... */
			.level = level == 0 || level > LVL_PD3 + 1 ? LVL_PD3 : level - 1,
		},
		.va = (uint64_t)hw_get(gpu, REG_INVALIDATE_UPPER_VADDR) << 40 |
		      (uint64_t)(hw_get(gpu, REG_INVALIDATE_VADDR) & ~0xfu) << 8,
		.replay = field(val, 5, 3),
		.usual = val == REPLAY_GLOBAL,
		/* a membar picks up what was translated if all units have acknowledged */
		.membar = val & BIT(6) && field(val, 8, 7) == ACK_GLOBALLY,
		.client = field(val, 14, 9),
		.gpc = field(val, 19, 15),
		.hub = val & BIT(20),
	};
	if (!r->all_va && r->inv.all_pdb) {
		tell_once(gpu, TELL_VA_ALL, "TLB invalidate of one page in all address spaces", val);
		return false;
	}
	if (r->replay > REPLAY_CANCEL_GLOBAL) {
		tell_once(gpu, TELL_REPLAY, "fault cancel of one address", val);
		r->replay = REPLAY_NONE;
	}
	if (r->replay == REPLAY_CANCEL_TARGETED || r->replay == REPLAY_CANCEL_GLOBAL) {
		/* Volta has an access class to cancel here; nouveau writes 0 and means all. */
		if (level)
			tell_once(gpu, TELL_CANCEL_ACCESS, "cancel of one class of accesses", val);
		r->inv.level = LVL_PD3;
	}
	return true;
}

static void write_invalidate(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct mmu_request r;

	hw_set(gpu, REG_INVALIDATE, val & ~BIT(31));
	if (!(val & BIT(31)) || !decode_invalidate(gpu, val, &r))
		return;
	submit(gpu, &r);
}

/* NVC06F_MEM_OP_D_OPERATION */
#define OP_INVALIDATE_TARGETED 0x0a

bool mmu_host_invalidate(struct gpu *gpu, const uint32_t mem_op[4], uint64_t *number)
{
	uint32_t a = mem_op[0], c = mem_op[2], d = mem_op[3], level = field(c, 9, 7);
	struct mmu_request r = {
		.all_va = field(d, 31, 27) != OP_INVALIDATE_TARGETED,
		.inv = {
			.all_pdb = c & BIT(0),
			.hub_only = c & BIT(1),
			.pdb = (uint64_t)field(d, 26, 0) << 32 | (c & 0xfffff000),
			.pdb_ap = field(c, 11, 10) ? AP_SYS_COH : AP_VRAM,
			.level = level == 0 || level > LVL_PD3 + 1 ? LVL_PD3 : level - 1,
		},
		.va = (uint64_t)mem_op[1] << 32 | (a & 0xfffff000),
		/* of the GPCs' TLBs alone */
		.replay = c & BIT(1) ? REPLAY_NONE : field(c, 4, 2),
		.membar = a & BIT(11) && field(c, 6, 5) == ACK_GLOBALLY,
		.client = field(a, 5, 0),
		.gpc = field(a, 10, 6),
	};

	if (!r.all_va && r.inv.all_pdb) {
		tell_once(gpu, TELL_VA_ALL, "TLB invalidate of one page in all address spaces", c);
		return false;
	}
	if (r.replay > REPLAY_CANCEL_GLOBAL) {
		tell_once(gpu, TELL_REPLAY, "fault cancel of one address", c);
		return false;
	}
	submit(gpu, &r);
	*number = r.number;
	return true;
}

bool mmu_host_done(struct gpu *gpu, uint64_t number)
{
	return gpu->mmu->completed >= number;
}

/* Requests that wait for a slice of the shader cores; those that are late on purpose have left the FIFO. */
static bool pending(struct gpu *gpu)
{
	return gpu->mmu->queued && !gpu->cfg.late_invalidate;
}

static uint32_t read_ctrl(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	uint32_t free_slots = MMU_QUEUE - 1 - gpu->mmu->queued;

	return (hw_get(gpu, REG_MMU_CTRL) & 0x1fff) | free_slots << 16 | (pending(gpu) ? 0 : BIT(15));
}

static uint32_t read_invalidate(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return hw_get(gpu, REG_INVALIDATE) | (gpu->mmu->completed < gpu->mmu->taken ? BIT(31) : 0);
}

/* ---- block ---- */

static const struct hw_reg mmu_regs[] = {
	{ .addr = REG_MMU_CTRL, .name = "PRI_MMU_CTRL", .read = read_ctrl,
	  .source = "nouveau gf100_vmm_invalidate(): 15 FIFO empty, 23:16 free slots; gm200_fb_init_page()" },
	{ .addr = REG_INVALIDATE_VADDR, .name = "PRI_MMU_INVALIDATE_VADDR",
	  .source = "gv100 pri_mmu_hub.ref.txt" },
	{ .addr = REG_INVALIDATE_PDB, .name = "PRI_MMU_INVALIDATE_PDB",
	  .source = "gv100 pri_mmu_hub.ref.txt; nouveau gp100_vmm_invalidate_pdb()" },
	{ .addr = REG_INVALIDATE, .name = "PRI_MMU_INVALIDATE", .read = read_invalidate, .write = write_invalidate,
	  .source = "gv100 pri_mmu_hub.ref.txt; nouveau gf100_vmm_invalidate()" },
	{ .addr = REG_INVALIDATE_UPPER_VADDR, .name = "PRI_MMU_INVALIDATE_UPPER_VADDR",
	  .source = "gv100 pri_mmu_hub.ref.txt" },
	{ .addr = REG_INVALIDATE_UPPER_PDB, .name = "PRI_MMU_INVALIDATE_UPPER_PDB",
	  .source = "gv100 pri_mmu_hub.ref.txt; nouveau gp100_vmm_invalidate_pdb()" },
};

static void mmu_fini(struct gpu *gpu)
{
	struct mmu *mmu = gpu->mmu;

	if (!mmu)
		return;
	tlb_del(&mmu->tlb[TLB_HUB]);
	tlb_del(&mmu->tlb[TLB_GPC]);
	mmu_count_del(&mmu->count);
	free(mmu);
	gpu->mmu = NULL;
}

static int mmu_init(struct gpu *gpu)
{
	struct mmu *mmu = calloc(1, sizeof(*mmu));

	if (!mmu)
		return -ENOMEM;
	gpu->mmu = mmu;
	if (tlb_new(gpu->cfg.seed, &mmu->tlb[TLB_HUB]) ||
	    tlb_new(gpu->cfg.seed + 1, &mmu->tlb[TLB_GPC]) ||
	    mmu_count_new(gpu, &mmu->count)) {
		mmu_fini(gpu);
		return -ENOMEM;
	}
	mmu->rng = gpu->cfg.seed;
	return 0;
}

static void mmu_reset(struct gpu *gpu)
{
	struct mmu *mmu = gpu->mmu;

	tlb_reset(mmu->tlb[TLB_HUB]);
	tlb_reset(mmu->tlb[TLB_GPC]);
	mmu_count_reset(mmu->count);
	mmu->head = mmu->queued = 0;
	mmu->taken = mmu->completed = 0;
	mmu->rng = gpu->cfg.seed;
}

static enum step_result mmu_step(struct gpu *gpu)
{
	struct mmu *mmu = gpu->mmu;

	if (!mmu->queued)
		return STEP_IDLE;
	if (mmu->queue[mmu->head].due <= gpu->step && !complete_head(gpu, false))
		return STEP_POLL;	/* the end of the slice kicks */
	return STEP_BUSY;
}

static void mmu_state(struct gpu *gpu, void (*put)(void *priv, const char *key, uint64_t val), void *priv)
{
	put(priv, "mmu.queued", gpu->mmu->queued);
	put(priv, "mmu.not_modelled", gpu->mmu->not_modelled);
	put(priv, "mmu.half_cleared", __atomic_load_n(&gpu->mmu->half_cleared, __ATOMIC_RELAXED));
}

const struct hw_block hw_mmu = {
	.name = "mmu",
	.regs = mmu_regs, .nr_regs = ARRAY_SIZE(mmu_regs),
	.init = mmu_init, .fini = mmu_fini, .reset = mmu_reset, .step = mmu_step, .state = mmu_state,
};
