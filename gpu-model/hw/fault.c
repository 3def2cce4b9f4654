// SPDX-License-Identifier: MIT
/*
 * Fault reporting: the replayable fault buffer with its registers 002a70..002a83,
 * and the records of fatal faults in 002800..0029ff.
 *
 * Registers and indices: nouveau gp100_fault_buffer_init(), gp100_fault_intr(),
 * nouveau_svm_fault_cache(); a fault's 32 bytes: the same and NVIDIA open-gpu-doc
 * manuals/volta/gv100/dev_mmu_fault.ref.txt.  No public text describes what
 * Pascal's buffer does when it is full; this follows Volta's manual in what is
 * dropped (the new entry; its access stays parked and is reported again after a
 * replay), with plain indices.  The injection fault_overflow_volta shows the
 * overflow as Volta does: bit 31 of GET and PUT, entries dropped until a one is
 * written to GET's bit.
 *
 * PMC bit 9 is a level: raised while the buffer is enabled and GET is not PUT.
 *
 * A unit's fatal record holds until software clears the unit's bit in 00259c
 * (hw/fifo.c); faults that come before wait in a short queue behind it.
 *
 * Locks: gpu->lock for everything.
 */
#include "hw/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/block.h"
#include "hw/fifo.h"
#include "hw/units.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"
#include "ledger/sanitizer.h"

#define REG_RECORDS 0x002800
#define REG_BUFFER_LO 0x002a70
#define REG_BUFFER_HI 0x002a74
#define REG_BUFFER_SIZE 0x002a78
#define REG_BUFFER_GET 0x002a7c
#define REG_BUFFER_PUT 0x002a80

#define BUFFER_ENTRIES 256	/* at power-on: what nouveau's bring-up on GP100 reported */
#define BUFFER_MAX 0x80000u	/* gv100: 20 bits of entries; half of that is plenty */
#define OVERFLOW BIT(31)	/* gv100 pri_mmu_hub, FAULT_BUFFER_GET_OVERFLOW */
#define ENTRY_VALID BIT(31)
#define ENTRY_SIZE 32u
#define REORDER_NS 1000000ull	/* a held entry without a successor is written alone after this */

#define FATAL_UNITS 32
#define FATAL_QUEUE 8
#define LATE_MAX 64

struct entry {
	uint32_t w[ENTRY_SIZE / 4];
};

struct record {
	uint32_t w[4];
};

struct fault_unit {
	uint32_t get, put;
	bool overflowed;		/* Volta-like mode */
	bool told_buffer, told_fatal;	/* lines given since reset */
	/* injection fault_reorder: written after the next entry */
	bool held;
	struct entry held_entry;
	uint64_t held_since;
	/* injection fault_late_valid: valid bits to come */
	struct {
		uint64_t va, due;
		uint32_t word;
	} late[LATE_MAX];
	unsigned int nr_late;
	/* fatal: the unit's bit in 00259c is set, and what waits for it to go */
	bool busy[FATAL_UNITS];
	struct record queue[FATAL_UNITS][FATAL_QUEUE];
	unsigned int queued[FATAL_UNITS];
};

/* ---- replayable ---- */

static bool enabled(struct gpu *gpu)
{
	return hw_get(gpu, REG_BUFFER_LO) & 1;
}

static uint32_t entries(struct gpu *gpu)
{
	uint32_t n = hw_get(gpu, REG_BUFFER_SIZE);

	return n < 1 ? 1 : n > BUFFER_MAX ? BUFFER_MAX : n;
}

static void update_intr(struct gpu *gpu)
{
	struct fault_unit *fu = gpu->fault;

	pmc_intr_set(gpu, PMC_BIT_REPLAYABLE_FAULT, enabled(gpu) && fu->get != fu->put);
}

static uint64_t entry_va(struct gpu *gpu, uint32_t index)
{
	uint64_t base = (uint64_t)hw_get(gpu, REG_BUFFER_HI) << 32 | hw_get(gpu, REG_BUFFER_LO);

	return (base & ~0xfffull) + (uint64_t)index * ENTRY_SIZE;
}

/* The buffer's address is one of BAR2's. */
static bool buffer_write(struct gpu *gpu, uint64_t va, const void *buf, size_t len)
{
	const struct bar_window *bar2 = &gpu->units->bar2;
	uint64_t at;

	if (!bar2->enabled)
		return !mem_write(gpu, CLIENT_FAULT, AP_VRAM, va, buf, len);
	return mmu_write(gpu, &bar2->space, TLB_HUB, CLIENT_FAULT, va, buf, len, &at) == MMU_OK;
}

/* Is there room for @n more entries? */
static bool full(struct gpu *gpu, uint32_t n)
{
	struct fault_unit *fu = gpu->fault;
	uint32_t size = entries(gpu);

	return (fu->put % size + size - fu->get % size) % size + n > size - 1;
}

static void late_valid(struct gpu *gpu, uint64_t va, uint32_t word, uint64_t due)
{
	struct fault_unit *fu = gpu->fault;

	if (fu->nr_late == LATE_MAX) {
		buffer_write(gpu, va, &word, 4);
		return;
	}
	fu->late[fu->nr_late].va = va;
	fu->late[fu->nr_late].word = word;
	fu->late[fu->nr_late++].due = due;
	gpu_kick(gpu);
}

/* Write @e at PUT and advance.  Return: false when the buffer can't be written. */
static bool put_entry(struct gpu *gpu, const struct entry *e)
{
	struct fault_unit *fu = gpu->fault;
	uint64_t va = entry_va(gpu, fu->put);
	struct entry first = *e;
	struct inject_arm arm;
	bool late = inject_fire(gpu, INJECT_fault_late_valid, 0, 0, &arm);

	if (late)
		first.w[7] &= ~ENTRY_VALID;
	if (!buffer_write(gpu, va, &first, sizeof(first))) {
		if (!fu->told_buffer)
			gpu_log(gpu, 0, "fault: the buffer at BAR2 address %llx can't be written",
				(unsigned long long)va);
		fu->told_buffer = true;
		return false;
	}
	if (late)
		late_valid(gpu, va + 28, e->w[7],
			   gpu_now(gpu) + (arm.delay_us + (arm.visit - arm.nth) * arm.arg) * 1000);
	fu->put = (fu->put + 1) % entries(gpu);
	LEDGER(gpu, fault_replayable);
	switch (field(e->w[7], 19, 16)) {
	case MMU_READ:
		LEDGER(gpu, fault_read);
		break;
	case MMU_WRITE:
		LEDGER(gpu, fault_write);
		break;
	case MMU_ATOMIC:
		LEDGER(gpu, fault_atomic);
		break;
	}
	return true;
}

static struct entry make_entry(struct gpu *gpu, const struct mmu_fault *f)
{
	uint64_t now = gpu_now(gpu);

	return (struct entry){ .w = {
		(uint32_t)(f->inst & 0xfffff000) | (f->inst_ap & 3) << 8,
		(uint32_t)(f->inst >> 32),
		(uint32_t)(f->va & 0xfffff000),
		(uint32_t)(f->va >> 32),
		(uint32_t)now,
		(uint32_t)(now >> 32),
		f->engine,
		ENTRY_VALID | (f->gpc & 31u) << 24 | (uint32_t)f->hub << 20 |
			(f->access & 15u) << 16 | (f->client & 127u) << 8 | (f->type & 31u),
	} };
}

/* For the sanitizer: is it the same fault again, with an unchanged translation? */
static void storm_check(struct gpu *gpu, const struct mmu_fault *f)
{
	struct mmu_space sp;
	struct mmu_xlat x;
	uint64_t pte = 0;

	if (!mmu_space_load(gpu, f->inst_ap, f->inst, &sp))
		mmu_peek(gpu, &sp, f->va, f->access, &x, &pte);
	san_fault_raised(gpu, f->inst, f->va & ~0xfffull, f->access, pte);
}

static bool dropped(struct gpu *gpu)
{
	if (inject_armed(gpu, INJECT_fault_overflow_volta, NULL))
		gpu->fault->overflowed = true;
	LEDGER(gpu, fault_dropped);
	return false;
}

static bool flush_held(struct gpu *gpu)
{
	struct fault_unit *fu = gpu->fault;

	if (!fu->held)
		return true;
	fu->held = false;
	if (full(gpu, 1))
		return dropped(gpu);
	return put_entry(gpu, &fu->held_entry);
}

bool fault_post_replayable(struct gpu *gpu, const struct mmu_fault *f)
{
	struct fault_unit *fu = gpu->fault;
	struct entry e = make_entry(gpu, f);
	struct inject_arm arm;
	bool was_held = fu->held;

	if (!enabled(gpu))
		return dropped(gpu);
	storm_check(gpu, f);
	if (fu->overflowed || inject_fire(gpu, INJECT_fault_overflow, f->va, 1, NULL) ||
	    full(gpu, was_held ? 2 : 1))
		return dropped(gpu);
	if (!was_held && inject_fire(gpu, INJECT_fault_reorder, f->va, 1, NULL)) {
		fu->held = true;
		fu->held_entry = e;
		fu->held_since = gpu_now(gpu);
		gpu_kick(gpu);
		return true;
	}
	if (inject_fire(gpu, INJECT_fault_foreign, f->va, 1, &arm) && !full(gpu, 2)) {
		struct mmu_fault other = *f;
		struct entry o;

		other.inst = arm.arg;
		o = make_entry(gpu, &other);
		put_entry(gpu, &o);
	}
	if (!put_entry(gpu, &e))
		return dropped(gpu);
	if (inject_fire(gpu, INJECT_fault_dup, f->va, 1, NULL) && !full(gpu, 1))
		put_entry(gpu, &e);
	flush_held(gpu);
	update_intr(gpu);
	return true;
}

/* ---- fatal ---- */

static void store_record(struct gpu *gpu, unsigned int unit, const struct record *r)
{
	for (unsigned int i = 0; i < 4; i++)
		hw_set(gpu, REG_RECORDS + unit * 16 + i * 4, r->w[i]);
	gpu->fault->busy[unit] = true;
	fifo_mmu_fault(gpu, unit);
}

void fault_post_fatal(struct gpu *gpu, const struct mmu_fault *f)
{
	struct fault_unit *fu = gpu->fault;
	unsigned int unit = f->engine % FATAL_UNITS;
	struct record r = { {
		(uint32_t)(f->inst >> 12) | (f->inst_ap & 3u) << 28,
		(uint32_t)f->va,
		(uint32_t)(f->va >> 32),
		(f->type & 31u) | (f->client & 127u) << 8 | (f->access & 7u) << 16 |
			(uint32_t)f->hub << 20 | (f->gpc & 31u) << 24,
	} };

	LEDGER(gpu, fault_fatal);
	if (!fu->busy[unit])
		store_record(gpu, unit, &r);
	else if (fu->queued[unit] < FATAL_QUEUE)
		fu->queue[unit][fu->queued[unit]++] = r;
	else if (!fu->told_fatal) {
		fu->told_fatal = true;
		gpu_log(gpu, 0, "fault: unit %02x has %u unread fatal faults, more are lost", unit, FATAL_QUEUE + 1);
	}
}

void fault_fatal_acked(struct gpu *gpu, uint32_t units)
{
	struct fault_unit *fu = gpu->fault;

	for (unsigned int unit = 0; unit < FATAL_UNITS; unit++) {
		struct record r;

		if (!(units & BIT(unit)))
			continue;
		fu->busy[unit] = false;
		if (!fu->queued[unit])
			continue;
		r = fu->queue[unit][0];
		fu->queued[unit]--;
		memmove(&fu->queue[unit][0], &fu->queue[unit][1], fu->queued[unit] * sizeof(r));
		store_record(gpu, unit, &r);
	}
}

void fault_fatal_forget(struct gpu *gpu)
{
	memset(gpu->fault->busy, 0, sizeof(gpu->fault->busy));
	memset(gpu->fault->queued, 0, sizeof(gpu->fault->queued));
}

/* ---- registers ---- */

static void write_lo(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, REG_BUFFER_LO, val & 0xfffff001);
	update_intr(gpu);
}

static void write_size(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct fault_unit *fu = gpu->fault;

	hw_set(gpu, REG_BUFFER_SIZE, val & 0xfffff);
	fu->put %= entries(gpu);
	update_intr(gpu);
}

static uint32_t overflow_bit(struct gpu *gpu)
{
	return gpu->fault->overflowed ? OVERFLOW : 0;
}

static uint32_t read_get(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gpu->fault->get | overflow_bit(gpu);
}

static void write_get(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct fault_unit *fu = gpu->fault;

	if (val & OVERFLOW)
		fu->overflowed = false;
	fu->get = val & 0xfffff;
	update_intr(gpu);
}

static uint32_t read_put(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return gpu->fault->put | overflow_bit(gpu);
}

static const struct hw_reg fault_regs[] = {
	{ .addr = REG_RECORDS + 0x0, .name = "PFIFO_MMU_FAULT_INST", .count = FATAL_UNITS, .stride = 16,
	  .source = "nouveau gp100_fifo_intr_mmu_fault_unit()" },
	{ .addr = REG_RECORDS + 0x4, .name = "PFIFO_MMU_FAULT_ADDR_LO", .count = FATAL_UNITS, .stride = 16,
	  .source = "nouveau gp100_fifo_intr_mmu_fault_unit()" },
	{ .addr = REG_RECORDS + 0x8, .name = "PFIFO_MMU_FAULT_ADDR_HI", .count = FATAL_UNITS, .stride = 16,
	  .source = "nouveau gp100_fifo_intr_mmu_fault_unit()" },
	{ .addr = REG_RECORDS + 0xc, .name = "PFIFO_MMU_FAULT_INFO", .count = FATAL_UNITS, .stride = 16,
	  .source = "nouveau gp100_fifo_intr_mmu_fault_unit()" },
	{ .addr = REG_BUFFER_LO, .name = "REPLAY_FAULT_BUFFER_LO", .write = write_lo,
	  .source = "nouveau gp100_fault_buffer_init(): BAR2 address, bit 0 enable" },
	{ .addr = REG_BUFFER_HI, .name = "REPLAY_FAULT_BUFFER_HI",
	  .source = "nouveau gp100_fault_buffer_init()" },
	{ .addr = REG_BUFFER_SIZE, .name = "REPLAY_FAULT_BUFFER_SIZE", .reset = BUFFER_ENTRIES, .write = write_size,
	  .source = "nouveau gp100_fault_buffer_info(): entries of 32 bytes" },
	{ .addr = REG_BUFFER_GET, .name = "REPLAY_FAULT_BUFFER_GET", .read = read_get, .write = write_get,
	  .source = "nouveau gp100_fault_buffer_info(): an index" },
	{ .addr = REG_BUFFER_PUT, .name = "REPLAY_FAULT_BUFFER_PUT", .flags = REG_RO, .read = read_put,
	  .source = "nouveau gp100_fault_buffer_info(): an index" },
};

/* ---- block ---- */

static int fault_init(struct gpu *gpu)
{
	gpu->fault = calloc(1, sizeof(*gpu->fault));
	return gpu->fault ? 0 : -ENOMEM;
}

static void fault_fini(struct gpu *gpu)
{
	free(gpu->fault);
	gpu->fault = NULL;
}

static void fault_reset(struct gpu *gpu)
{
	memset(gpu->fault, 0, sizeof(*gpu->fault));
}

/* What injections put off. */
static enum step_result fault_step(struct gpu *gpu)
{
	struct fault_unit *fu = gpu->fault;
	uint64_t now = gpu_now(gpu);

	if (fu->held && now - fu->held_since >= REORDER_NS) {
		flush_held(gpu);
		update_intr(gpu);
	}
	if (fu->held)
		gpu_wake_at(gpu, fu->held_since + REORDER_NS);
	for (unsigned int i = 0; i < fu->nr_late;) {
		if (fu->late[i].due > now) {
			gpu_wake_at(gpu, fu->late[i++].due);
			continue;
		}
		buffer_write(gpu, fu->late[i].va, &fu->late[i].word, 4);
		fu->late[i] = fu->late[--fu->nr_late];
	}
	return fu->held || fu->nr_late ? STEP_POLL : STEP_IDLE;
}

static void fault_state(struct gpu *gpu, void (*put)(void *priv, const char *key, uint64_t val), void *priv)
{
	put(priv, "fault.get", gpu->fault->get);
	put(priv, "fault.put", gpu->fault->put);
	put(priv, "fault.enabled", enabled(gpu));
}

const struct hw_block hw_fault = {
	.name = "fault",
	.regs = fault_regs, .nr_regs = ARRAY_SIZE(fault_regs),
	.init = fault_init, .fini = fault_fini, .reset = fault_reset, .step = fault_step, .state = fault_state,
};
