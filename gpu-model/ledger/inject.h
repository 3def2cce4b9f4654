/* SPDX-License-Identifier: MIT */
/*
 * Injection: faults of the hardware that a test arms through the control
 * socket.  Each point asks whether it should fail now; an armed point counts
 * down to its n-th visit.  ledger/inject.c.
 */
#ifndef INJECT_H
#define INJECT_H

#include "gpu.h"

#define INJECT_POINTS(X)                                                              \
	X(ce_error, "copy launch fails: n-th launch, or any that touches addr..+len") \
	X(intr_lost, "an interrupt message is not sent")                              \
	X(intr_late, "an interrupt message is sent delay_us later")                   \
	X(replay_lost, "a replay request does nothing")                               \
	X(fault_dup, "a fault entry is written twice")                                \
	X(fault_reorder, "a fault entry changes places with the next")                \
	X(fault_foreign, "an entry of another instance (arg) is written beside")      \
	X(fault_overflow, "the fault buffer is full for the next entry")              \
	X(fault_late_valid, "an entry's valid bit comes delay_us after PUT")          \
	X(fault_overflow_volta, "overflow shows in bit 31 of GET and PUT")            \
	X(store_late, "a shader's store lands delay_us after its translation")        \
	X(vram_read_error, "reads of VRAM in addr..+len fail")                        \
	X(engine_hang, "an engine (arg: id) makes no progress")                       \
	X(chan_error, "the PBDMA of a channel (arg: id) reports an error of it")      \
	X(dma_map_refused, "a mapping of the guest's memory is refused: ENOSPC")      \
	X(go_dark, "surprise removal: reads are all ones, writes go nowhere")         \
	X(link, "copies take bytes / rate_gbps + launch_us of GPU time")

enum inject_id {
#define X(name, what) INJECT_##name,
	INJECT_POINTS(X)
#undef X
	INJECT_NR
};

struct inject_arm {
	uint64_t nth;		/* fires at this visit from now, 1 = next; 0: every visit */
	uint64_t count;		/* how many times it fires; 0: until disarmed */
	uint64_t addr, len;	/* restricts where that makes sense; len 0: everywhere */
	uint64_t arg;
	uint64_t delay_us;
	double rate_gbps;
	double launch_us;
	uint64_t visit;		/* inject_fire(): which visit since it was armed */
};

int inject_new(struct gpu *gpu, struct inject **out);
void inject_del(struct inject **inj);
/* True when the point fires now; @arm (may be NULL) gets its parameters.  Cheap when nothing is armed. */
bool inject_fire(struct gpu *gpu, enum inject_id id, uint64_t addr, uint64_t len, struct inject_arm *arm);
bool inject_armed(const struct gpu *gpu, enum inject_id id, struct inject_arm *arm);
/* True when the point is armed for a range that touches addr..+len; doesn't count as a visit. */
bool inject_covers(const struct gpu *gpu, enum inject_id id, uint64_t addr, uint64_t len);
int inject_arm(struct gpu *gpu, enum inject_id id, const struct inject_arm *arm);
void inject_disarm(struct gpu *gpu, enum inject_id id);	/* INJECT_NR: all */
uint64_t inject_fired(const struct gpu *gpu, enum inject_id id);
/* A host access to a region: counts towards go_dark.  Return: true when the device is gone. */
bool inject_dark_access(struct gpu *gpu);
/* True once go_dark has fired, until it is disarmed. */
bool inject_dark(const struct gpu *gpu);
const char *inject_name(enum inject_id id);

#endif
