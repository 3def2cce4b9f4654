// SPDX-License-Identifier: MIT
/*
 * The graphics engine: which context is resident and how it is saved and
 * restored, grids in flight on the shader cores, accesses parked on replayable
 * faults, traps.
 *
 * Owns struct gr, gpu->sm, and the cookies of grids.  What the classes do with
 * methods is in class_*.c; FECS's methods come in through gr.h.
 *
 * One context is resident.  It is loaded from and saved to the context image
 * that the instance block names (offset 210), through the channel's address
 * space, so that it outlives a power loss if the driver restores VRAM.  A save
 * waits until all grids have completed (wait-for-idle preemption, what nouveau
 * sets up), and a grid with a warp parked on a replayable fault has not.
 *
 * Shader faults.  TEX and GCC faults of an address space that asks for it go to
 * the replayable buffer, one entry a page, access and client; a replay lets all
 * parked warps try again.  Others, and cancelled ones, are fatal to the channel.
 *
 * MP exceptions.  The warp stands still, the others go on.  The first error of
 * an SM is in its warp ESR with the warp's number, further ones set
 * MULTIPLE_WARP_ERRORS, and what the report masks say is reported as a trap.
 * Software can clear the ESRs, but that moves no warp: the grid does not complete,
 * and a switch to another context runs into PFIFO's time-out, upon which the
 * driver resets the engine.  That is what users' logs show: a MP trap, 4 seconds
 * later SCHED_ERROR 0a [CTXSW_TIMEOUT].
 *
 * The watchdog (SET_SM_TIMEOUT_INTERVAL) ends like that too, with TIMEOUT in the
 * global ESR, which the report mask that nouveau sets (105) does not let through.
 *
 * Lock order: gpu->lock, then gpu->sm_gate (exclusively, for a replay).  The
 * callbacks of struct sm_ops run in SM workers with the gate shared and touch
 * nothing of struct gr.
 *
 * Sources: nouveau nvkm/engine/gr/{gf100,gm200,gp100,gp104}.c (gf100_gr_intr()
 * and the trap decoders below it), ctxgf100.c; envytools rnndb graph.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hw/fault.h"
#include "hw/gr_priv.h"
#include "hw/late.h"
#include "hw/mem.h"
#include "hw/units.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"

#define GR_INTR 0x400100
#define GR_TRAP 0x400108
#define GR_DATA_ERROR 0x400110
#define GR_TRAP_GPCS 0x400118
#define GR_TRAP_EN 0x400138
#define GR_INTR_EN 0x40013c
#define GR_FE_CONTROL 0x400500
#define GR_ACTIVITY 0x40060c
#define GR_STATUS 0x400700
#define GR_TRAPPED_ADDR 0x400704
#define GR_TRAPPED_DATA 0x400708
#define GR_FE_CONFIG 0x404170
#define GR_OBJECT 0x404200
#define GPC_BASE(gpc) (0x500000 + (gpc) * 0x8000)
#define TPC_BASE(gpc, tpc) (0x504000 + (gpc) * 0x8000 + (tpc) * 0x800)
#define GPC_TRAP 0x2c90
#define TPC_TRAP 0x508
#define TPC_TRAP_MP BIT(1)
/* nvgpu hw_gr_gp10b.h, gr_gpc0_tpc0_sm_hww_*; nouveau gp100_gr_init_shader_exceptions(), gf100_gr_trap_mp() */
#define SM_WARP_ESR_REPORT_MASK 0x644
#define SM_WARP_ESR 0x648
#define SM_GLOBAL_ESR_REPORT_MASK 0x64c
#define SM_GLOBAL_ESR 0x650
#define SM_WARP_ESR_PC 0x654
#define SM_MULTIPLE_WARP_ERRORS BIT(2)
#define GPCS_TPCS_SM_WARP_ESR_REPORT_MASK 0x419e44
#define TPC_STRIDE 0x800

/* Instance block: nouveau gk104_ectx_bind() */
#define INST_GR_CTX 0x210

/* GPC clients: nouveau gk104_fifo_mmu_fault_gpcclient[] */
#define GPC_CLIENT_GCC_NR 0x0d
static const uint8_t gpc_client_t1[] = { 0x01, 0x04, 0x07, 0x0a, 0x14, 0x17, 0x1a, 0x1d };

#define GR_STEP_INSTRUCTIONS 2000u
#define GR_EVENTS 32

struct engine *gr_engine(struct gpu *gpu)
{
	return fifo_engine(gpu, 0);
}

bool gr_once(struct gpu *gpu, unsigned int id)
{
	uint64_t *w = &gpu->gr->logged[id / 64 % ARRAY_SIZE(gpu->gr->logged)];
	bool first = !(*w & BIT64(id % 64));

	*w |= BIT64(id % 64);
	return first;
}

/* Interrupts and traps */

static void gr_intr_update(struct gpu *gpu)
{
	pmc_intr_set(gpu, PMC_BIT_GR, (hw_get(gpu, GR_INTR) & hw_get(gpu, GR_INTR_EN)) != 0);
}

void gr_trap(struct gpu *gpu, uint32_t intr, unsigned int subch, uint32_t mthd, uint32_t data)
{
	hw_set(gpu, GR_TRAPPED_ADDR, BIT(31) | subch << 16 | (mthd & 0x3ffc));
	hw_set(gpu, GR_TRAPPED_DATA, data);
	hw_set(gpu, GR_INTR, hw_get(gpu, GR_INTR) | intr);
	gr_intr_update(gpu);
}

void gr_trap_unit(struct gpu *gpu, uint32_t trap)
{
	hw_set(gpu, GR_TRAP, hw_get(gpu, GR_TRAP) | trap);
	hw_set(gpu, GR_INTR, hw_get(gpu, GR_INTR) | GR_INTR_TRAP);
	gr_intr_update(gpu);
}

enum method_result gr_fault(struct gpu *gpu, struct channel *ch, unsigned int client, uint64_t va,
			    enum mmu_access access, enum mmu_fault_type type)
{
	struct engine *e = gr_engine(gpu);

	fifo_hub_fault(gpu, ch, e->fault_id, client, va, access, type);
	e->faulted = true;
	return METHOD_FAULT;
}

/* What SM number @sm is: hw/fecs.c tells how SMs make TPCs and GPCs. */
static void gr_locate_sm(struct gpu *gpu, unsigned int sm, unsigned int *gpc, unsigned int *tpc)
{
	unsigned int t = sm / gr_sms_per_tpc(gpu), g = 0;

	while (g + 1 < gr_gpcs(gpu) && t >= gr_gpc_tpcs(gpu, g))
		t -= gr_gpc_tpcs(gpu, g++);
	*gpc = g;
	*tpc = t;
}

/* An error that an SM has and that its report masks let through */
static bool gr_sm_reports(struct gpu *gpu, uint32_t tpc_base)
{
	uint32_t esr = hw_get(gpu, tpc_base + SM_WARP_ESR);

	return (esr && hw_get(gpu, tpc_base + SM_WARP_ESR_REPORT_MASK) & BIT(esr % 32)) ||
	       hw_get(gpu, tpc_base + SM_GLOBAL_ESR) & hw_get(gpu, tpc_base + SM_GLOBAL_ESR_REPORT_MASK);
}

static void gr_mp_exception(struct gpu *gpu, const struct sm_event *ev)
{
	unsigned int gpc, tpc;
	uint32_t a, base;

	gr_locate_sm(gpu, ev->sm, &gpc, &tpc);
	base = TPC_BASE(gpc, tpc);
	if (ev->global)
		gpu_log(gpu, 0, "SM %u: warp %u: the watchdog stops its CTA at %#llx", ev->sm, ev->warp,
			(unsigned long long)ev->pc);
	else
		gpu_log(gpu, 0, "SM %u: warp %u: error %#x at %#llx, instruction %016llx", ev->sm, ev->warp, ev->error,
			(unsigned long long)ev->pc, (unsigned long long)ev->word);
	if (ev->global) {
		hw_set(gpu, base + SM_GLOBAL_ESR, hw_get(gpu, base + SM_GLOBAL_ESR) | ev->global);
	} else if (hw_get(gpu, base + SM_WARP_ESR)) {
		hw_set(gpu, base + SM_GLOBAL_ESR, hw_get(gpu, base + SM_GLOBAL_ESR) | SM_MULTIPLE_WARP_ERRORS);
	} else {
		/* the warp's number above the error: as in users' logs, and nvgpu's gv11b WRAP_ID */
		hw_set(gpu, base + SM_WARP_ESR, ev->error | (uint32_t)ev->warp << 16);
		hw_set(gpu, base + SM_WARP_ESR_PC, (uint32_t)ev->pc);
	}
	gpu->gr->wedged = true;
	if (!gr_sm_reports(gpu, base))
		return;
	a = GPC_BASE(gpc) + GPC_TRAP;
	hw_set(gpu, a, hw_get(gpu, a) | 0x10000u << tpc);
	hw_set(gpu, GR_TRAP_GPCS, hw_get(gpu, GR_TRAP_GPCS) | BIT(gpc));
	gr_trap_unit(gpu, GR_TRAP_GPC);
}

/* struct sm_ops: from SM workers, gate held shared */

static void op_slice_begin(void *priv)
{
	gpu_gate_enter(priv);
}

static void op_slice_end(void *priv)
{
	gpu_gate_leave(priv);
}

static enum mmu_access to_mmu_access(enum sm_access a)
{
	switch (a) {
	case SM_WRITE:
		return MMU_WRITE;
	case SM_ATOMIC:
		return MMU_ATOMIC;
	default:
		return MMU_READ;
	}
}

static enum mem_client to_mem_client(enum sm_port port)
{
	return port == SM_PORT_GCC ? CLIENT_SM_GCC : CLIENT_SM_TEX;
}

static uint8_t op_translate(void *priv, void *space, enum sm_port port, uint64_t va, enum sm_access access,
			    struct sm_page *out)
{
	struct gpu *gpu = priv;
	enum mem_client c = to_mem_client(port);
	struct mmu_xlat x;
	enum mmu_fault_type t = mmu_translate(gpu, space, TLB_GPC, c, va, to_mmu_access(access), &x);
	uint64_t off, base;
	size_t want, len;

	if (t != MMU_OK)
		return t;
	memset(out, 0, sizeof(*out));
	out->sparse = x.sparse;
	out->nocache = x.nocache;
	out->sysmem = x.ap != AP_VRAM;
	out->atomic_ok = !x.atomic_disable && !x.ro;
	out->writable = !x.ro;
	out->va = x.page_va;
	out->size = 1ull << x.page_shift;
	if (x.sparse || x.nocache || late_covers(gpu, va, x.ap, x.addr)) {
		out->va = va & ~0xfffull;
		out->size = 0x1000;
		return SM_XLAT_OK;
	}
	/* the whole page if the host has it in one piece, else 4 KiB of it */
	off = va - x.page_va;
	base = x.addr - off;
	want = len = out->size;
	out->host = mem_ptr(gpu, c, x.ap, base, &len, out->writable);
	if (!out->host || len < want) {
		out->va = va & ~0xfffull;
		out->size = want = len = 0x1000;
		base = x.addr & ~0xfffull;
		out->host = mem_ptr(gpu, c, x.ap, base, &len, out->writable);
		if (!out->host && out->writable) {
			len = want;
			out->host = mem_ptr(gpu, c, x.ap, base, &len, false);
			out->writable = false;
			/* a write has to take the slow path, and its error */
			if (access == SM_WRITE || access == SM_ATOMIC)
				out->host = NULL;
		}
		if (len < want)
			out->host = NULL;
	}
	if (!out->host)
		out->nocache = true;
	return SM_XLAT_OK;
}

enum access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_POST };

static int op_access(struct gpu *gpu, void *space, enum sm_port port, uint64_t va, void *buf,
		     unsigned int len, enum access_kind kind)
{
	bool write = kind != ACCESS_READ;
	enum mem_client c = to_mem_client(port);
	uint8_t *p = buf;

	while (len) {
		struct mmu_xlat x;
		size_t n = len;

		if (mmu_translate(gpu, space, TLB_GPC, c, va, write ? MMU_WRITE : MMU_READ, &x) != MMU_OK)
			return -EFAULT;
		if (n > x.left)
			n = x.left;
		if (!x.sparse)
			late_touch(gpu, x.ap, x.addr);
		if (x.sparse) {
			if (!write)
				memset(p, 0, n);
		} else if (kind == ACCESS_POST && late_hold(gpu, space, va, &x, p, n)) {
			/* on its way */
		} else if (write ? mem_write(gpu, c, x.ap, x.addr, p, n)
				 : mem_read(gpu, c, x.ap, x.addr, p, n)) {
			return -EFAULT;
		}
		va += n;
		p += n;
		len -= n;
	}
	return 0;
}

static int op_read(void *priv, void *space, enum sm_port port, uint64_t va, void *buf, unsigned int len)
{
	return op_access(priv, space, port, va, buf, len, ACCESS_READ);
}

static int op_write(void *priv, void *space, enum sm_port port, uint64_t va, const void *buf,
		    unsigned int len)
{
	return op_access(priv, space, port, va, (void *)(uintptr_t)buf, len, ACCESS_WRITE);
}

static int op_post(void *priv, void *space, enum sm_port port, uint64_t va, const void *buf, unsigned int len)
{
	return op_access(priv, space, port, va, (void *)(uintptr_t)buf, len, ACCESS_POST);
}

static void op_membar(void *priv, void *space)
{
	const struct mmu_space *sp = space;

	late_land(priv, sp->inst);
}

static uint64_t op_now(void *priv)
{
	const struct gpu *gpu = priv;
	struct timespec ts;
	uint64_t offset;

	/* the device's time stands still between steps; a worker's clock must not, but for a trace */
	offset = (uint64_t)__atomic_load_n(&gpu->units->ptimer.offset, __ATOMIC_RELAXED);
	if (gpu->trace || gpu->cfg.deterministic)
		return __atomic_load_n(&gpu->now_ns, __ATOMIC_RELAXED) + offset;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec - gpu->clock_base + offset;
}

static void op_wake(void *priv)
{
	gpu_kick(priv);
}

static const struct sm_ops gr_sm_ops = {
	.slice_begin = op_slice_begin,
	.slice_end = op_slice_end,
	.translate = op_translate,
	.read = op_read,
	.write = op_write,
	.post = op_post,
	.membar = op_membar,
	.now_ns = op_now,
};

/* Grids */

static void gr_grid_bury(struct gr *gr, struct gr_grid *g)
{
	free(gr->grave[gr->next_grave]);
	gr->grave[gr->next_grave] = g;
	gr->next_grave = (gr->next_grave + 1) % GR_GRAVES;
}

static void gr_release_semaphores(struct gpu *gpu, struct gr_grid *g)
{
	struct channel *ch = fifo_channel(gpu, g->chid);

	for (unsigned int i = 0; ch && ch->bound && ch->space.inst == g->space.inst && i < 2; i++) {
		struct qmd_release *r = &g->release[i];
		uint64_t v = r->payload;

		if (!r->enable)
			continue;
		if (r->reduction && gr_once(gpu, 33))
			gpu_log(gpu, 0, "channel %u: QMD release with reduction is not modelled", g->chid);
		if (gr_semaphore_write(gpu, ch, FIFO_CLIENT_SKED, r->va, v, r->one_word) != METHOD_DONE)
			break;
	}
}

/*
 * COUNTER_BIT (bits 5:0), of which the class headers give no unit: Mesa's 0x17 is "about 1 second (at 100 MHz)"
 * (nvc0_screen.c), so 16 clocks a count, here instructions.  0, which is also what a context starts with: off.
 */
static uint64_t gr_timeout(uint32_t interval)
{
	unsigned int n = field(interval, 5, 0);

	return n ? BIT64(n + 4 < 63 ? n + 4 : 63) : 0;
}

enum method_result gr_launch(struct gpu *gpu, struct channel *ch, const struct sm_launch *launch,
			     const struct qmd_release release[2])
{
	struct gr *gr = gpu->gr;
	struct gr_grid *g = calloc(1, sizeof(*g));
	struct sm_launch l = *launch;
	struct inject_arm arm;

	if (!g)
		return METHOD_BUSY;
	g->space = ch->space;
	g->chid = ch->id;
	g->ctas = (uint64_t)l.grid[0] * l.grid[1] * l.grid[2];
	memcpy(g->release, release, sizeof(g->release));
	l.space = &g->space;
	l.space_id = g->space.inst;
	l.timeout = gr_timeout(gr->ctx.compute[SET_SM_TIMEOUT_INTERVAL / 4]);
	l.cookie = g;
	LEDGER(gpu, grid);
	if (!g->ctas) {	/* nothing to run, complete at once */
		gr_release_semaphores(gpu, g);
		free(g);
		return METHOD_DONE;
	}
	g->next = gr->grids;
	gr->grids = g;
	if (inject_armed(gpu, INJECT_engine_hang, &arm) && arm.arg == gr_engine(gpu)->id) {
		inject_fire(gpu, INJECT_engine_hang, 0, 0, &arm);
		gr->wedged = true;
		return METHOD_DONE;
	}
	g->id = sm_launch(gpu->sm, &l);
	if (!g->id) {
		gr->grids = g->next;
		free(g);
		return METHOD_BUSY;
	}
	gpu_log(gpu, 2, "channel %u: grid %llu, %ux%ux%u CTAs of %ux%ux%u at %#llx", ch->id,
		(unsigned long long)g->id, l.grid[0], l.grid[1], l.grid[2], l.block[0], l.block[1],
		l.block[2], (unsigned long long)l.program_va);
	gpu_kick(gpu);
	return METHOD_DONE;
}

bool gr_work_done(struct gpu *gpu)
{
	return !gpu->gr->grids && !gpu->gr->wedged;
}

static void gr_forget_parked(struct gr *gr, const struct gr_grid *g)
{
	unsigned int k = 0;

	for (unsigned int i = 0; i < gr->nr_parked; i++)
		if (gr->parked[i].grid != g)
			gr->parked[k++] = gr->parked[i];
	gr->nr_parked = k;
}

static void gr_grid_done(struct gpu *gpu, struct gr_grid *g)
{
	struct gr *gr = gpu->gr;

	for (struct gr_grid **p = &gr->grids; *p; p = &(*p)->next) {
		if (*p != g)
			continue;
		*p = g->next;
		break;
	}
	gr_forget_parked(gr, g);
	/* what follows, semaphores first, comes after its stores */
	late_land(gpu, g->space.inst);
	if (!g->killed) {
		LEDGER_ADD(gpu, cta, g->ctas);
		gr_release_semaphores(gpu, g);
	}
	gr_grid_bury(gr, g);
}

static bool gr_grid_live(const struct gr *gr, const struct gr_grid *g)
{
	for (const struct gr_grid *p = gr->grids; p; p = p->next)
		if (p == g)
			return true;
	return false;
}

static void gr_kill_grids(struct gpu *gpu, uint64_t inst)
{
	for (struct gr_grid *g = gpu->gr->grids; g; g = g->next) {
		if (g->space.inst != inst || g->killed)
			continue;
		g->killed = true;
		sm_kill(gpu->sm, g->id);
	}
}

/* A shader access that will not be retried: the channel's end. */
static void gr_fatal(struct gpu *gpu, struct gr_grid *g, const struct gr_parked *p)
{
	struct engine *e = gr_engine(gpu);
	struct channel *ch = fifo_channel(gpu, g->chid);
	struct mmu_fault f = {
		.inst = p->inst,
		.inst_ap = g->space.inst_ap,
		.va = p->page,
		.access = p->access,
		.type = p->type,
		.client = p->client,
		.gpc = p->gpc,
		.engine = e->fault_id,
	};

	if (g->killed)
		return;
	gpu_log(gpu, 1, "channel %u: fatal shader fault at %#llx, client %#x type %#x access %u", g->chid,
		(unsigned long long)p->page, p->client, p->type, p->access);
	fault_post_fatal(gpu, &f);
	gr_kill_grids(gpu, p->inst);
	e->faulted = true;
	if (ch && ch->bound && ch->space.inst == p->inst) {
		ch->eng_faulted = true;
		fifo_channel_fault(gpu, ch);
	}
}

static void gr_shader_fault(struct gpu *gpu, const struct sm_event *ev)
{
	struct gr *gr = gpu->gr;
	struct gr_grid *g = ev->cookie;
	struct gr_parked p;
	struct mmu_fault f;
	unsigned int gpc, tpc;

	if (!gr_grid_live(gr, g) || g->killed)
		return;
	gr_locate_sm(gpu, ev->sm, &gpc, &tpc);
	p = (struct gr_parked){
	    .inst = g->space.inst,
	    .page = ev->va & ~0xfffull,
	    .access = to_mmu_access(ev->access),
	    .client =
		ev->port == SM_PORT_GCC ? GPC_CLIENT_GCC_NR : gpc_client_t1[tpc % ARRAY_SIZE(gpc_client_t1)],
	    .gpc = gpc,
	    .type = ev->fault_type,
	    .grid = g,
	};
	if (!(ev->port == SM_PORT_GCC ? g->space.replay_gcc : g->space.replay_tex)) {
		gr_fatal(gpu, g, &p);
		return;
	}
	/* a miss on a page that the same client has reported already is not reported again */
	for (unsigned int i = 0; i < gr->nr_parked; i++)
		if (gr->parked[i].inst == p.inst && gr->parked[i].page == p.page &&
		    gr->parked[i].access == p.access && gr->parked[i].client == p.client &&
		    gr->parked[i].gpc == p.gpc)
			return;
	f = (struct mmu_fault){
		.inst = p.inst,
		.inst_ap = g->space.inst_ap,
		.va = p.page,
		.access = p.access,
		.type = p.type,
		.client = p.client,
		.gpc = p.gpc,
		.engine = gr_engine(gpu)->fault_id,
	};
	/* dropped for want of room: it comes again after the next replay */
	if (!fault_post_replayable(gpu, &f))
		return;
	if (gr->nr_parked < GR_MAX_PARKED)
		gr->parked[gr->nr_parked++] = p;
}

static void gr_event(struct gpu *gpu, const struct sm_event *ev, bool faults)
{
	switch (ev->type) {
	case SM_EVENT_FAULT:
		if (faults)
			gr_shader_fault(gpu, ev);
		break;
	case SM_EVENT_DONE:
		if (gr_grid_live(gpu->gr, ev->cookie))
			gr_grid_done(gpu, ev->cookie);
		break;
	case SM_EVENT_EXCEPTION:
		if (gr_grid_live(gpu->gr, ev->cookie))
			gr_mp_exception(gpu, ev);
		break;
	}
}

/* Take the shader cores' events; @faults: also report their faults.  Return: any was there. */
static bool gr_drain(struct gpu *gpu, bool faults)
{
	struct sm_event ev[GR_EVENTS];
	bool any = false;
	int n;

	while ((n = sm_poll_events(gpu->sm, ev, GR_EVENTS)) > 0) {
		any = true;
		for (int i = 0; i < n; i++)
			gr_event(gpu, &ev[i], faults);
	}
	return any;
}

static void gr_count(struct gpu *gpu)
{
	struct sm_stats s;

	sm_get_stats(gpu->sm, &s);
	LEDGER_ADD(gpu, warp_instruction, s.warp_instructions - gpu->gr->stats.warp_instructions);
	gpu->gr->stats = s;
}

void gr_replay(struct gpu *gpu)
{
	struct gr *gr = gpu->gr;

	/* what has not been reported yet is retried like the rest, and reported then if need be */
	gr_drain(gpu, false);
	gr->nr_parked = 0;
	sm_replay(gpu->sm);
	gpu_kick(gpu);
}

bool gr_cancel(struct gpu *gpu, bool all, uint8_t gpc, uint8_t client)
{
	struct gr *gr = gpu->gr;
	struct engine *e = gr_engine(gpu);
	bool retry = false;

	gr_drain(gpu, true);
	for (unsigned int i = 0; i < gr->nr_parked;) {
		struct gr_parked p = gr->parked[i];
		struct mmu_xlat x;

		if ((!all && (p.gpc != gpc || p.client != client)) ||
		    (e->resident && e->resident->space.inst != p.inst)) {
			i++;
			continue;
		}
		if (mmu_peek(gpu, &p.grid->space, p.page, p.access, &x, NULL) != MMU_OK) {
			gr_fatal(gpu, p.grid, &p);
			gr_forget_parked(gr, p.grid);
			return true;
		}
		retry = true;
		gr->nr_parked--;
		memmove(&gr->parked[i], &gr->parked[i + 1], (gr->nr_parked - i) * sizeof(p));
	}
	if (retry) {
		/* what others wait for has not changed: they park again, and it is not reported again */
		sm_replay(gpu->sm);
		gpu_kick(gpu);
	}
	return false;
}

/* Context */

static bool gr_image_va(struct gpu *gpu, enum aperture ap, uint64_t inst, uint64_t *va)
{
	uint32_t p[2];

	if (mem_read(gpu, CLIENT_FECS, ap, inst + INST_GR_CTX, p, sizeof(p)))
		return false;
	/* bit 2 says virtual (nouveau gk104_ectx_bind()); the address is page aligned */
	*va = ((uint64_t)p[1] << 32 | p[0]) & ~0xfffull;
	return true;
}

/* A new context: registers of the context are as software left them. */
static void gr_ctx_default(struct gpu *gpu, struct gr_ctx *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
	ctx->magic = GR_CTX_MAGIC;
	ctx->version = GR_CTX_VERSION;
	ctx->warp_esr_report_mask = hw_get(gpu, TPC_BASE(0, 0) + SM_WARP_ESR_REPORT_MASK);
}

static void gr_show_report_mask(struct gpu *gpu)
{
	for (unsigned int g = 0; g < gr_gpcs(gpu); g++)
		for (unsigned int t = 0; t < gr_gpc_tpcs(gpu, g); t++)
			hw_set(gpu, TPC_BASE(g, t) + SM_WARP_ESR_REPORT_MASK,
			       gpu->gr->ctx.warp_esr_report_mask);
}

void gr_priv_write(struct gpu *gpu, uint32_t addr, uint32_t val, uint32_t mask)
{
	struct gr_ctx *ctx = &gpu->gr->ctx;

	/* the one register that does something here */
	if (addr != GPCS_TPCS_SM_WARP_ESR_REPORT_MASK)
		return;
	ctx->warp_esr_report_mask = (ctx->warp_esr_report_mask & ~mask) | (val & mask);
	gr_show_report_mask(gpu);
}

static enum mmu_fault_type gr_image_write(struct gpu *gpu, const struct mmu_space *sp, uint64_t va,
					  const struct gr_ctx *ctx, uint64_t *fault_va)
{
	return mmu_write(gpu, sp, TLB_HUB, CLIENT_FECS, va + GR_CTX_OFFSET, ctx, sizeof(*ctx), fault_va);
}

static void gr_show_classes(struct gpu *gpu)
{
	for (unsigned int i = 0; i < FIFO_SUBCH; i++)
		hw_set(gpu, GR_OBJECT + i * 4, gpu->gr->ctx.subch_class[i]);
}

static bool gr_load(struct gpu *gpu, struct engine *e, struct channel *ch)
{
	struct gr *gr = gpu->gr;
	uint64_t va, fault_va = 0;
	enum mmu_fault_type t = MMU_FAULT_UNBOUND_INST;

	if (gr->paused)
		return false;
	if (gr_image_va(gpu, ch->space.inst_ap, ch->space.inst, &va))
		t = mmu_read(gpu, &ch->space, TLB_HUB, CLIENT_FECS, va + GR_CTX_OFFSET, &gr->ctx,
			     sizeof(gr->ctx), &fault_va);
	if (t != MMU_OK) {
		gr->ctx_loaded = false;
		e->resident = ch;
		gr_fault(gpu, ch, FIFO_CLIENT_FECS, fault_va, MMU_READ, t);
		return false;
	}
	if (gr->ctx.magic != GR_CTX_MAGIC || gr->ctx.version != GR_CTX_VERSION) {
		gpu_log(gpu, 0, "channel %u: context image at %#llx is not one that FECS saved", ch->id,
			(unsigned long long)va);
		gr_ctx_default(gpu, &gr->ctx);
	}
	gr->ctx_loaded = true;
	gr->bound_inst = 0;
	/* another context's code may be at the same addresses */
	sm_invalidate_icache(gpu->sm);
	gr_show_classes(gpu);
	gr_show_report_mask(gpu);
	LEDGER(gpu, ctx_switch);
	return true;
}

static bool gr_busy(const struct gr *gr)
{
	return gr->grids || gr->wedged || (gr->ctx_loaded && mme_busy(&gr->ctx.mme));
}

static bool gr_save(struct gpu *gpu, struct engine *e, struct channel *ch)
{
	struct gr *gr = gpu->gr;
	uint64_t va, fault_va = 0;
	enum mmu_fault_type t = MMU_FAULT_UNBOUND_INST;

	if (gr->paused || gr_busy(gr) || hw_get(gpu, GR_INTR))
		return false;
	if (!gr->ctx_loaded)
		return true;
	if (gr_image_va(gpu, ch->space.inst_ap, ch->space.inst, &va))
		t = gr_image_write(gpu, &ch->space, va, &gr->ctx, &fault_va);
	if (t != MMU_OK) {
		gr_fault(gpu, ch, FIFO_CLIENT_FECS, fault_va, MMU_WRITE, t);
		return false;
	}
	gr->ctx_loaded = false;
	return true;
}

void gr_ctxsw_pause(struct gpu *gpu)
{
	gpu->gr->paused = true;
}

void gr_ctxsw_resume(struct gpu *gpu)
{
	gpu->gr->paused = false;
	gpu_kick(gpu);
}

int gr_ctxsw_bind(struct gpu *gpu, uint64_t inst)
{
	struct gr *gr = gpu->gr;
	struct engine *e = gr_engine(gpu);

	if (!inst) {
		gr->bound_inst = 0;
		return 0;
	}
	if (e && e->resident)
		return -EBUSY;
	gr_ctx_default(gpu, &gr->ctx);
	gr->bound_inst = inst;
	return 0;
}

int gr_golden_save(struct gpu *gpu, uint64_t inst)
{
	struct gr *gr = gpu->gr;
	struct mmu_space sp;
	uint64_t va, fault_va;

	if (gr->bound_inst && gr->bound_inst != inst)
		return -EFAULT;
	if (mmu_space_load(gpu, AP_VRAM, inst, &sp) || !gr_image_va(gpu, AP_VRAM, inst, &va))
		return -EFAULT;
	if (!gr_engine(gpu)->resident)
		gr_ctx_default(gpu, &gr->ctx);
	return gr_image_write(gpu, &sp, va, &gr->ctx, &fault_va) == MMU_OK ? 0 : -EFAULT;
}

uint32_t gr_current_inst(struct gpu *gpu)
{
	struct engine *e = gpu->fifo ? gr_engine(gpu) : NULL;

	if (e && e->resident)
		return BIT(31) | (uint32_t)(e->resident->space.inst >> 12);
	if (gpu->gr && gpu->gr->bound_inst)
		return BIT(31) | (uint32_t)(gpu->gr->bound_inst >> 12);
	return 0;
}

/* Methods */

static bool gr_class_known(const struct gpu *gpu, uint32_t cls)
{
	switch (cls) {
	case 0x902d:
	case 0xa140:
		return true;
	case 0xc097:
	case 0xc0c0:
		return gpu->cfg.chip == CHIP_GP100;
	case 0xc197:
	case 0xc1c0:
		return gpu->cfg.chip != CHIP_GP100;
	}
	return false;
}

static enum method_result gr_method(struct gpu *gpu, struct engine *e, struct channel *ch, unsigned int subch,
				    uint32_t cls, uint32_t mthd, uint32_t data)
{
	struct gr *gr = gpu->gr;

	if (hw_get(gpu, GR_INTR) || gr->wedged)
		return METHOD_BUSY;
	if (!mthd) {
		cls = data & 0xffff;
		gr->ctx.subch_class[subch] = cls;
		hw_set(gpu, GR_OBJECT + subch * 4, cls);
		if (gr_class_known(gpu, cls))
			return METHOD_DONE;
		gr->ctx.subch_class[subch] = 0;
		gr_trap(gpu, GR_INTR_ILLEGAL_CLASS, subch, mthd, data);
		return METHOD_ERROR;
	}
	switch (gr->ctx.subch_class[subch]) {
	case 0xc097:
	case 0xc197:
		return class_3d_method(gpu, ch, mthd, data);
	case 0xc0c0:
	case 0xc1c0:
		return class_compute_method(gpu, ch, mthd, data);
	case 0x902d:
		return class_2d_method(gpu, ch, mthd, data);
	case 0xa140:
		return class_i2m_method(gpu, ch, mthd, data);
	}
	gr_trap(gpu, GR_INTR_ILLEGAL_CLASS, subch, mthd, data);
	return METHOD_ERROR;
}

static bool gr_idle(struct gpu *gpu, struct engine *e)
{
	return !gr_busy(gpu->gr);
}

static unsigned int gr_switch_clock(struct gpu *gpu, struct engine *e)
{
	const struct gr *gr = gpu->gr;

	if (gr->wedged || !gr->grids)
		return 4;
	return gr->nr_parked ? 0 : 2;
}

static enum step_result gr_engine_step(struct gpu *gpu, struct engine *e)
{
	struct gr *gr = gpu->gr;
	struct channel *ch = e->resident;

	/* the shader cores' turn comes in gr_step() */
	if (gpu->cfg.deterministic && gr->grids && !gr->wedged && !sm_stalled(gpu->sm))
		return STEP_BUSY;
	if (!ch || !gr->ctx_loaded || !mme_busy(&gr->ctx.mme) || hw_get(gpu, GR_INTR))
		return STEP_IDLE;
	if (mme_run(gpu, ch) == METHOD_BUSY)
		return gr->ctx.mme.send_valid ? STEP_POLL : STEP_BUSY;
	return STEP_IDLE;
}

/* The shader cores' side of a step; runs also while the engine is frozen by a fault. */
static enum step_result gr_step(struct gpu *gpu)
{
	struct gr *gr = gpu->gr;
	enum step_result res = STEP_IDLE;

	if (gpu->cfg.deterministic && gr->grids && sm_step(gpu->sm, GR_STEP_INSTRUCTIONS))
		res = STEP_BUSY;
	if (gr_drain(gpu, true)) {
		gr_count(gpu);
		res = STEP_BUSY;
	}
	return res;
}

void gr_reset(struct gpu *gpu)
{
	struct gr *gr = gpu->gr;
	struct engine *e = gpu->fifo ? gr_engine(gpu) : NULL;

	if (!gr)
		return;
	if (gpu->sm) {
		sm_reset(gpu->sm);
		gr_count(gpu);
	}
	while (gr->grids) {
		struct gr_grid *g = gr->grids;

		gr->grids = g->next;
		gr_grid_bury(gr, g);
	}
	gr->nr_parked = 0;
	gr->wedged = false;
	gr->paused = false;
	gr->ctx_loaded = false;
	gr->bound_inst = 0;
	mme_reset(&gr->ctx.mme);
	if (e) {
		e->resident = NULL;
		e->unloading = false;
		e->faulted = false;
	}
	hw_set(gpu, GR_INTR, 0);
	hw_set(gpu, GR_TRAP, 0);
	hw_set(gpu, GR_TRAP_GPCS, 0);
	for (unsigned int g = 0; g < gr_gpcs(gpu); g++) {
		hw_set(gpu, GPC_BASE(g) + GPC_TRAP, 0);
		for (unsigned int t = 0; t < gr_gpc_tpcs(gpu, g); t++) {
			hw_set(gpu, TPC_BASE(g, t) + SM_WARP_ESR, 0);
			hw_set(gpu, TPC_BASE(g, t) + SM_GLOBAL_ESR, 0);
		}
	}
	gr_intr_update(gpu);
	gpu_kick(gpu);
}

static void gr_engine_reset(struct gpu *gpu, struct engine *e)
{
	gr_reset(gpu);
}

const struct engine_ops gr_engine_ops = {
	.name = "graphics",
	.load = gr_load,
	.save = gr_save,
	.method = gr_method,
	.idle = gr_idle,
	.step = gr_engine_step,
	.switch_clock = gr_switch_clock,
	.reset = gr_engine_reset,
};

/* Registers */

static void gr_intr_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	uint32_t v = hw_get(gpu, GR_INTR) & ~val;

	/* a trap stays as long as a unit has one */
	if (hw_get(gpu, GR_TRAP))
		v |= GR_INTR_TRAP;
	hw_set(gpu, GR_INTR, v);
	gr_intr_update(gpu);
	gpu_kick(gpu);
}

static void gr_intr_en_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, GR_INTR_EN, val);
	gr_intr_update(gpu);
}

static uint32_t gr_activity_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gr_busy(gpu->gr) ? 1 : 0;
}

/* Bit 4 is a request that completes at once: nouveau gm200_gr_init_*, waits for it to clear. */
static void gr_fe_config_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, GR_FE_CONFIG, val & ~BIT(4));
}

static void gr_fe_control_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, GR_FE_CONTROL, val);
	gpu_kick(gpu);
}

static uint32_t tpc_trap_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gr_sm_reports(gpu, reg->addr + i * reg->stride - TPC_TRAP) ? TPC_TRAP_MP : 0;
}

/* What nouveau's context lists set on Maxwell (ctxgm107.c, 419e44 and 419e4c); Pascal's reset values are not public. */
#define SM_WARP_ESR_MASK_RESET 0x00d3eff2
#define SM_GLOBAL_ESR_MASK_RESET 0x0000007f
#define GPC_REGS(g)                                                                                                \
	{ .addr = GPC_BASE(g) + GPC_TRAP, .name = "GPC_TRAP", .flags = REG_W1C, .source = "nouveau gf100_gr_trap_gpc()" }, \
	{ .addr = TPC_BASE(g, 0) + TPC_TRAP, .name = "TPC_TRAP", .flags = REG_RO, .count = GR_MAX_TPCS_PER_GPC,    \
	  .stride = TPC_STRIDE, .source = "nouveau gf100_gr_trap_tpc()", .read = tpc_trap_read },                  \
	{ .addr = TPC_BASE(g, 0) + SM_WARP_ESR_REPORT_MASK, .name = "SM_HWW_WARP_ESR_REPORT_MASK",                 \
	  .reset = SM_WARP_ESR_MASK_RESET, .count = GR_MAX_TPCS_PER_GPC, .stride = TPC_STRIDE,                    \
	  .source = "nouveau gp100_gr_init_shader_exceptions()" },                                                \
	{ .addr = TPC_BASE(g, 0) + SM_GLOBAL_ESR_REPORT_MASK, .name = "SM_HWW_GLOBAL_ESR_REPORT_MASK",             \
	  .reset = SM_GLOBAL_ESR_MASK_RESET, .count = GR_MAX_TPCS_PER_GPC, .stride = TPC_STRIDE,                  \
	  .source = "nouveau gp100_gr_init_shader_exceptions()" },                                                \
	{ .addr = TPC_BASE(g, 0) + SM_WARP_ESR_PC, .name = "SM_HWW_WARP_ESR_PC", .flags = REG_RO,                  \
	  .count = GR_MAX_TPCS_PER_GPC, .stride = TPC_STRIDE, .source = "nvgpu hw_gr_gp10b.h" },                   \
	{ .addr = TPC_BASE(g, 0) + SM_WARP_ESR, .name = "SM_HWW_WARP_ESR", .count = GR_MAX_TPCS_PER_GPC,           \
	  .stride = TPC_STRIDE, .source = "nouveau gf100_gr_trap_mp()" },                                          \
	{ .addr = TPC_BASE(g, 0) + SM_GLOBAL_ESR, .name = "SM_HWW_GLOBAL_ESR", .flags = REG_W1C,                   \
	  .count = GR_MAX_TPCS_PER_GPC, .stride = TPC_STRIDE, .source = "nouveau gf100_gr_trap_mp()" }

/*
 * Registers that nouveau writes when it starts the engine and makes its golden image, and that do
 * nothing in the model: units' trap controls, maps of GPCs, TPCs and ROPs, context buffers.
 */
#define S(a, n, c, s) { .addr = (a), .name = (n), .count = (c), .stride = 4, .source = (s) }
#define G(off, n)                                                                                            \
	{ .addr = GPC_BASE(0) + (off), .name = (n), .count = GR_MAX_GPCS, .stride = GPC_BASE(1) - GPC_BASE(0),   \
	  .source = "nouveau gf100_gr_init(), ctxgf100.c, ctxgf117.c" }
#define T(g, off, n)                                                                                         \
	{ .addr = TPC_BASE(g, 0) + (off), .name = (n), .count = GR_MAX_TPCS_PER_GPC, .stride = TPC_STRIDE,       \
	  .source = "nouveau gf100_gr_init(), ctxgf100.c, ctxgm107.c" }
/* A GPC's primitive units: nouveau PPC_UNIT() */
#define PPC_STORE(m, n) \
	G((m) + 0x018, n "_018"), \
	G((m) + 0x038, n "_038"), \
	G((m) + 0x0c0, n "_0c0"), \
	G((m) + 0x0e4, n "_0e4"), \
	G((m) + 0x0f0, n "_0f0"), \
	G((m) + 0x0f4, n "_0f4"), \
	G((m) + 0x0f8, n "_0f8")
#define TPC_STORE(g) \
	T(g, 0x084, "TPC_084"), \
	T(g, 0x088, "TPC_088"), \
	T(g, 0x224, "TPC_224"), \
	T(g, 0x430, "TPC_430"), \
	T(g, 0x48c, "TPC_48c"), \
	T(g, 0x50c, "TPC_50c"), \
	T(g, 0x698, "TPC_698")

static const struct hw_reg gr_regs[] = {
	{ .addr = GR_INTR, .name = "PGRAPH_INTR", .source = "nouveau gf100_gr_intr()", .write = gr_intr_write },
	{ .addr = GR_TRAP, .name = "PGRAPH_TRAP", .flags = REG_W1C, .source = "nouveau gf100_gr_trap_intr()" },
	{ .addr = GR_DATA_ERROR, .name = "PGRAPH_DATA_ERROR", .flags = REG_RO, .source = "nouveau gf100_gr_intr()" },
	{ .addr = GR_TRAP_GPCS, .name = "PGRAPH_TRAP_GPCS", .flags = REG_W1C,
	  .source = "nouveau gf100_gr_trap_intr()" },
	{ .addr = GR_TRAP_EN, .name = "PGRAPH_TRAP_EN", .source = "nouveau gf100_gr_init()" },
	{ .addr = GR_INTR_EN, .name = "PGRAPH_INTR_EN", .source = "nouveau gf100_gr_init()",
	  .write = gr_intr_en_write },
	{ .addr = GR_FE_CONTROL, .name = "PGRAPH_FE_CONTROL", .source = "nouveau gf100_gr_intr()",
	  .write = gr_fe_control_write },
	{ .addr = GR_ACTIVITY, .name = "PGRAPH_ACTIVITY", .flags = REG_RO, .source = "nouveau gf100_gr_wait_idle()",
	  .read = gr_activity_read },
	{ .addr = GR_STATUS, .name = "PGRAPH_STATUS", .flags = REG_RO, .source = "nouveau gf100_gr_wait_idle()" },
	{ .addr = GR_TRAPPED_ADDR, .name = "PGRAPH_TRAPPED_ADDR", .source = "nouveau gf100_gr_intr()" },
	{ .addr = GR_TRAPPED_DATA, .name = "PGRAPH_TRAPPED_DATA", .source = "nouveau gf100_gr_intr()" },
	{ .addr = GR_FE_CONFIG, .name = "PGRAPH_FE_CONFIG", .source = "nouveau gf100_grctx_generate()",
	  .write = gr_fe_config_write },
	{ .addr = GR_OBJECT, .name = "PGRAPH_OBJECT", .count = FIFO_SUBCH, .stride = 4, .flags = REG_RO,
	  .source = "nouveau gf100_gr_intr(): the class of a subchannel" },
	{ .addr = 0x404490, .name = "PGRAPH_MACRO_STATUS", .source = "nouveau gf100_gr_trap_intr()" },
	{ .addr = 0x404494, .name = "PGRAPH_MACRO_PC", .source = "nouveau gf100_gr_trap_intr()" },
	{ .addr = 0x40449c, .name = "PGRAPH_MACRO_OP", .source = "nouveau gf100_gr_trap_intr()" },
	{ .addr = 0x407020, .name = "PGRAPH_SKED_STATUS", .source = "nouveau gf100_gr_trap_intr()" },
	GPC_REGS(0),
	GPC_REGS(1),
	GPC_REGS(2),
	GPC_REGS(3),
	GPC_REGS(4),
	GPC_REGS(5),
	S(0x400000, "PGRAPH_CTX_CONTROL", 1, "nouveau gf100_gr_init()"),
	S(0x40011c, "PGRAPH_TRAP_ROPS", 1, "nouveau gf100_gr_init()"),
	S(0x400124, "PGRAPH_TRAP_UNK124", 1, "nouveau gf100_gr_init()"),
	S(0x400130, "PGRAPH_TRAP_ROPS_EN", 1, "nouveau gf100_gr_init()"),
	S(0x400134, "PGRAPH_TRAP_UNK134", 1, "nouveau gf100_gr_init()"),
	S(0x400200, "PGRAPH_ICMD_CMD", 3, "nouveau gf100_gr_icmd()"),
	S(0x404000, "PGRAPH_DISPATCH_TRAP", 2, "nouveau gf100_gr_trap_intr()"),
	S(0x404154, "PGRAPH_IDLE_TIMEOUT", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x4041c4, "FE_4041c4", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x404488, "PGRAPH_MTHD_CMD", 2, "nouveau gf100_gr_mthd()"),
	S(0x404600, "PGRAPH_M2MF_TRAP", 1, "nouveau gf100_gr_trap_intr()"),
	S(0x405800, "PD_405800", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x405830, "PD_405830", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x405840, "PGRAPH_SHADER_TRAP", 4, "nouveau gf100_gr_trap_intr()"),
	S(0x40585c, "PD_40585c", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x405870, "PD_405870", 4, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x405b00, "PD_405b00", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x405b60, "PD_405b60", 8, "nouveau gm200_grctx_generate_smid_config()"),
	S(0x405ba0, "PD_405ba0", 16, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x406018, "PGRAPH_UNK6_TRAP_EN", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x406028, "DS_406028", 4, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x4064c0, "DS_4064c0", 3, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x4064d0, "DS_4064d0", 8, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x406500, "DS_406500", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x40780c, "RSTR2D_40780c", 6, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x4078bc, "RSTR2D_4078bc", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x408004, "SCC_408004", 4, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x40802c, "SCC_40802c", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x408030, "PGRAPH_CCACHE_TRAP", 1, "nouveau gf100_gr_trap_intr()"),
	S(0x408850, "SCC_408850", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x408958, "SCC_408958", 1, "nouveau ctxgf100.c, ctxgm107.c, ctxgp100.c"),
	S(0x410070, "ROP0_410070", 1, "nouveau gf100_gr_init_rop_exceptions()"),
	S(0x410144, "ROP0_410144", 1, "nouveau gf100_gr_init_rop_exceptions()"),
	S(0x410204, "ROP0_410204", 2, "nouveau gf100_gr_init_rop_exceptions()"),
	S(0x418010, "GPCS_418010", 4, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x41804c, "GPCS_41804c", 4, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418088, "GPCS_418088", 4, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x4180c4, "GPCS_4180c4", 4, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418100, "GPCS_418100", 6, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x41814c, "GPCS_41814c", 7, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418198, "GPCS_418198", 4, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x4181d0, "GPCS_4181d0", 1, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x4181e4, "GPCS_4181e4", 1, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x41833c, "GPCS_41833c", 1, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418810, "GPCS_418810", 1, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418880, "GPCS_418880", 1, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418890, "GPCS_418890", 2, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x4188ac, "GPCS_4188ac", 4, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418980, "GPCS_418980", 4, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418b08, "GPCS_418b08", 6, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418bb8, "GPCS_418bb8", 1, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418c6c, "GPCS_418c6c", 1, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418e24, "GPCS_418e24", 2, "nouveau ctxgf100.c, ctxgm200.c: all GPCs"),
	S(0x418ea0, "GPCS_418ea0", 3 * GR_MAX_GPCS, "nouveau gp100_grctx_generate_attrib(): one a PPC"),
	S(0x418eec, "GPCS_418eec", 1, "nouveau gp100_grctx_generate_attrib()"),
	S(0x419004, "TPCS_419004", 2, "nouveau ctxgf100.c, ctxgm107.c: all TPCs"),
	S(0x41980c, "TPCS_41980c", 1, "nouveau ctxgf100.c, ctxgm107.c: all TPCs"),
	S(0x419848, "TPCS_419848", 1, "nouveau ctxgf100.c, ctxgm107.c: all TPCs"),
	S(0x419a3c, "TPCS_419a3c", 1, "nouveau ctxgf100.c, ctxgm107.c: all TPCs"),
	S(0x419b00, "TPCS_419b00", 2, "nouveau ctxgf100.c, ctxgm107.c: all TPCs"),
	S(0x419c00, "TPCS_419c00", 1, "nouveau ctxgf100.c, ctxgm107.c: all TPCs"),
	S(0x419c2c, "TPCS_419c2c", 1, "nouveau ctxgf100.c, ctxgm107.c: all TPCs"),
	S(0x419c9c, "TPCS_419c9c", 1, "nouveau gp100_gr_init_419c9c()"),
	S(0x419cc0, "TPCS_419cc0", 1, "nouveau ctxgf100.c, ctxgm107.c: all TPCs"),
	S(0x41be08, "PPCS_41be08", 1, "nouveau ctxgf117.c: all PPCs"),
	S(0x41befc, "PPCS_41befc", 7, "nouveau ctxgf117.c: all PPCs"),
	S(0x41bfd0, "PPCS_41bfd0", 2, "nouveau ctxgf117.c: all PPCs"),
	S(0x41bfe4, "PPCS_41bfe4", 1, "nouveau ctxgf117.c: all PPCs"),
	G(0x420, "GPC_420"),
	G(0x824, "GPC_824"),
	G(0x900, "GPC_900"),
	G(0x910, "GPC_910"),
	G(0x914, "GPC_914"),
	G(0x918, "GPC_918"),
	G(0xc10, "GPC_c10"),
	G(0xc14, "GPC_c14"),
	G(0xc18, "GPC_c18"),
	G(0xc1c, "GPC_c1c"),
	G(0xc20, "GPC_c20"),
	G(0xc44, "GPC_c44"),
	G(0xc48, "GPC_c48"),
	G(0xc4c, "GPC_c4c"),
	G(0x1028, "GPC_1028"),
	G(0x2c94, "GPC_2c94"),
	PPC_STORE(0x3000, "PPC0"),
	PPC_STORE(0x3200, "PPC1"),
	PPC_STORE(0x3400, "PPC2"),
	TPC_STORE(0),
	TPC_STORE(1),
	TPC_STORE(2),
	TPC_STORE(3),
	TPC_STORE(4),
	TPC_STORE(5),
};
#undef S
#undef G
#undef T

static int gr_init(struct gpu *gpu)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int workers = gpu->cfg.sms < cores ? gpu->cfg.sms : (int)cores;

	gpu->gr = calloc(1, sizeof(*gpu->gr));
	if (!gpu->gr)
		return -ENOMEM;
	gr_ctx_default(gpu, &gpu->gr->ctx);
	if (workers < 1)
		workers = 1;
	if (sm_new(gpu->cfg.sms, gpu->cfg.deterministic ? 0 : workers, &gr_sm_ops, gpu, &gpu->sm))
		return -ENOMEM;
	sm_set_wake(gpu->sm, op_wake);
	return 0;
}

static void gr_fini(struct gpu *gpu)
{
	struct gr *gr = gpu->gr;

	if (gpu->sm) {
		sm_reset(gpu->sm);
		sm_del(&gpu->sm);
	}
	while (gr && gr->grids) {
		struct gr_grid *g = gr->grids;

		gr->grids = g->next;
		free(g);
	}
	for (unsigned int i = 0; gr && i < GR_GRAVES; i++)
		free(gr->grave[i]);
	free(gr);
	gpu->gr = NULL;
}

static void gr_state(struct gpu *gpu, void (*put)(void *priv, const char *key, uint64_t val), void *priv)
{
	uint64_t n = 0;

	for (const struct gr_grid *g = gpu->gr->grids; g; g = g->next)
		n++;
	put(priv, "gr.grids", n);
	put(priv, "gr.parked", gpu->gr->nr_parked);
	put(priv, "gr.wedged", gpu->gr->wedged);
	put(priv, "gr.current", gr_current_inst(gpu));
}

const struct hw_block hw_gr = {
	.name = "PGRAPH",
	.base = 0x400000,
	.size = 0x9000,
	.regs = gr_regs,
	.nr_regs = ARRAY_SIZE(gr_regs),
	.init = gr_init,
	.fini = gr_fini,
	.reset = gr_reset,
	.step = gr_step,
	.state = gr_state,
};
