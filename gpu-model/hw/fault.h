/* SPDX-License-Identifier: MIT */
/*
 * Fault reporting: the replayable fault buffer (002a70..) and the fatal faults
 * of hub clients (002800.., 00259c).  hw/fault.c.
 */
#ifndef HW_FAULT_H
#define HW_FAULT_H

#include "hw/mmu.h"

struct mmu_fault {
	uint64_t inst;		/* of the channel */
	enum aperture inst_ap;
	uint64_t va;		/* page aligned in the entry */
	enum mmu_access access;
	enum mmu_fault_type type;
	uint8_t client;		/* GPC or hub client number, dev_fault */
	bool hub;
	uint8_t gpc;
	uint8_t engine;		/* MMU engine id: GR 0x00, CE 0x15.., HOST 6 + pbdma */
};

/* client numbers: envytools rnndb and nouveau gp100_fault_gpcclient[]/hubclient[] */
enum {
	GPC_CLIENT_L1_0 = 0x00,
	GPC_CLIENT_T1_0 = 0x01,		/* TEX of TPC 0 */
	GPC_CLIENT_GCC = 0x0b,		/* confirm against nouveau's table */
	HUB_CLIENT_CE0 = 0x02,
	HUB_CLIENT_FE = 0x04,
	HUB_CLIENT_HOST = 0x06,
	HUB_CLIENT_SKED = 0x0b,
};

/**
 * fault_post_replayable() - append an entry, advance PUT, raise the interrupt.
 * A full buffer drops it (ledger: fault_dropped); it comes again after a replay.
 * Return: true when it was stored.
 * Context: gpu->lock held.
 */
bool fault_post_replayable(struct gpu *gpu, const struct mmu_fault *f);

/**
 * fault_post_fatal() - record a non-replayable fault of @f->engine, raise PFIFO's
 * MMU-fault interrupt.  The caller stops the channel.
 * Context: gpu->lock held.
 */
void fault_post_fatal(struct gpu *gpu, const struct mmu_fault *f);

/*
 * fault_fatal_acked() - software cleared bits of 00259c: the units' records may be overwritten.
 * hw/fifo.c calls it.  Context: gpu->lock held.
 */
void fault_fatal_acked(struct gpu *gpu, uint32_t units);
/* PFIFO was reset: fatal faults that nobody read are gone.  hw/fifo.c calls it.  Context: gpu->lock. */
void fault_fatal_forget(struct gpu *gpu);

struct hw_block;
extern const struct hw_block hw_fault;	/* 002800..0029ff, 002a70..002a83 */

/*
 * What a write to 100cbc asks of the parked clients.  mmu.c calls these, with sm_gate held exclusively; gr.c implements them.
 */
void gr_replay(struct gpu *gpu);
/*
 * Parked accesses of one client, or of @all, are tried once more and do not park again: one that still does not
 * translate is fatal to its channel.  Return: true when one was.
 */
bool gr_cancel(struct gpu *gpu, bool all, uint8_t gpc, uint8_t client);

#endif
