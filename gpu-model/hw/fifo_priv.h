/* SPDX-License-Identifier: MIT */
/*
 * What fifo.c, runlist.c and pbdma.c share.  All of it is under gpu->lock.
 */
#ifndef HW_FIFO_PRIV_H
#define HW_FIFO_PRIV_H

#include "hw/block.h"
#include "hw/fifo.h"

#define FIFO_MAX_ENGINES 16
#define FIFO_MAX_PBDMAS FIFO_MAX_RUNLISTS
#define FIFO_USABLE_CHANNELS 256	/* what 002008 tells: keeps USERD (0x200 each) small */
#define RUNLIST_MAX_ENTRIES 4096

/* PB fetch: never across a page, so that a fault is the needed page's */
#define PB_FETCH_MAX 4096u

/* One PBDMA serves one runlist (002390), its number is the runlist's. */
struct pbdma {
	uint32_t intr, intr_en;		/* NV_PPBDMA_INTR_0, INTR_EN_0 */
	uint32_t hce_intr, hce_intr_en;	/* HCE (host class engine) interrupts: none is raised yet */
	uint32_t method0, data0;	/* as software sees and patches them while frozen */
	uint32_t header;		/* of the last PB entry that was refused */
	struct channel *ch;		/* loaded, NULL none */
	/* fetched and not yet consumed dwords of the current segment */
	uint64_t buf_va;
	uint32_t buf_len;		/* bytes */
	uint32_t buf[PB_FETCH_MAX / 4];
};

struct runlist_entry {
	uint16_t chid;
	uint16_t tsg;
	bool in_tsg;
	uint64_t slice_ns;
};

struct runlist {
	bool present;
	struct runlist_entry *entries;
	unsigned int n;
	unsigned int pos;		/* of the loaded channel */
	uint64_t slice_end;
	uint64_t switches;
	unsigned int looked;		/* channels run since one last made progress, over steps */
};

struct fifo {
	struct channel *chan[FIFO_CHANNELS];	/* made at first use, kept until the end */
	struct engine engine[FIFO_MAX_ENGINES];
	unsigned int nr_engines;
	struct runlist rl[FIFO_MAX_RUNLISTS];
	struct pbdma pbdma[FIFO_MAX_PBDMAS];
	unsigned int nr_runlists;
	uint32_t intr, intr_en;			/* bits without a register of their own */
	uint32_t mmu_fault;			/* 00259c */
	uint32_t runlist_event;			/* 002a00 */
	/* 002634 */
	bool preempt_pending, preempt_is_tsg;
	uint32_t preempt_id;
};

/* NV_PFIFO_INTR_0 */
#define PFIFO_INTR_BIND_ERROR BIT(0)
#define PFIFO_INTR_SCHED_ERROR BIT(8)
#define PFIFO_INTR_MMU_FAULT BIT(28)	/* nouveau gk104_fifo_intr() */
#define PFIFO_INTR_PBDMA BIT(29)
#define PFIFO_INTR_RUNLIST BIT(30)
#define PFIFO_INTR_CHANNEL BIT(31)

/* NV_PPBDMA_INTR_0; names as nouveau gk104_runq_intr_0_names[] */
#define PBDMA_INTR_GPFIFO BIT(13)
#define PBDMA_INTR_GPPTR BIT(14)
#define PBDMA_INTR_GPENTRY BIT(15)
#define PBDMA_INTR_PBENTRY BIT(18)
#define PBDMA_INTR_METHOD BIT(21)
#define PBDMA_INTR_DEVICE BIT(23)
#define PBDMA_INTR_SEMAPHORE BIT(25)
#define PBDMA_INTR_ACQUIRE BIT(26)
#define PBDMA_INTR_SIGNATURE BIT(31)

/* Recompute the interrupt levels and tell PMC. */
void fifo_intr_update(struct gpu *gpu);
void fifo_sched_error(struct gpu *gpu, uint32_t code);
bool fifo_has_work(const struct channel *ch);
/* Two channels that an engine holds as one context: the same, or of the same TSG. */
bool fifo_same_context(const struct channel *a, const struct channel *b);

/* hw/runlist.c */
void runlist_submit(struct gpu *gpu, unsigned int id, enum aperture ap, uint64_t addr, unsigned int n);
enum step_result runlist_step(struct gpu *gpu, unsigned int id);
void runlist_preempt_try(struct gpu *gpu);
/* Take @ch off its PBDMA and save it. */
void runlist_unload(struct gpu *gpu, struct channel *ch);
enum step_result runlist_switch_step(struct gpu *gpu);
struct engine *runlist_engine(struct gpu *gpu, unsigned int id, uint8_t type);

/* hw/pbdma.c */
enum pbdma_result {
	PBDMA_PROGRESS,		/* stopped at its bound, has more */
	PBDMA_IDLE,		/* nothing left to do */
	PBDMA_WAIT,		/* waits for an engine or a semaphore, keeps the PBDMA */
	PBDMA_YIELD,		/* waits and gives the PBDMA away */
	PBDMA_STOPPED,		/* the channel faulted, or an interrupt freezes the PBDMA */
};
bool pbdma_load(struct gpu *gpu, unsigned int id, struct channel *ch);
void pbdma_save(struct gpu *gpu, unsigned int id);
/* An exception, the loaded channel's if there is one: the PBDMA stands still until it is cleared. */
void pbdma_raise(struct gpu *gpu, unsigned int id, uint32_t bit);
/* What a step of a runlist may yet do, all its channels together. */
struct pbdma_budget {
	unsigned int dwords;
	uint64_t start;		/* ns */
};
#define PBDMA_STEP_DWORDS 1024u
#define PBDMA_LOAD_DWORDS 32u	/* as many take the time of loading a channel and saving it */
enum pbdma_result pbdma_run(struct gpu *gpu, unsigned int id, struct pbdma_budget *left);
static inline bool pbdma_frozen(const struct pbdma *p)
{
	return p->intr != 0;
}
uint32_t pbdma_read_reg(struct gpu *gpu, unsigned int id, uint32_t off, bool *known);
bool pbdma_write_reg(struct gpu *gpu, unsigned int id, uint32_t off, uint32_t val);

#endif
