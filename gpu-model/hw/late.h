/* SPDX-License-Identifier: MIT */
/*
 * Stores of the shader cores that are translated and have not yet reached memory: the injection store_late.
 * hw/late.c.
 */
#ifndef HW_LATE_H
#define HW_LATE_H

#include "hw/mmu.h"

/**
 * late_covers() - must accesses to a page pass late_hold() and late_touch()?
 * @va: any address of it, translated to @ap, @addr.
 * Context of all: gpu->lock held, or gpu->sm_gate shared.
 */
bool late_covers(struct gpu *gpu, uint64_t va, enum aperture ap, uint64_t addr);

/**
 * late_hold() - hold a thread's store back, if store_late fires on it.
 * @x: the translation of @va; @buf: up to 16 bytes.
 * Return: false if it is to be done now.
 */
bool late_hold(struct gpu *gpu, const struct mmu_space *sp, uint64_t va, const struct mmu_xlat *x, const void *buf,
	       size_t len);

/* The shader cores access a page: stores to it that are held land first. */
void late_touch(struct gpu *gpu, enum aperture ap, uint64_t addr);

/* A barrier of a channel's own, named by its instance block: what it has stored lands. */
void late_land(struct gpu *gpu, uint64_t inst);

/* A flush: all that is on its way lands. */
void late_flush(struct gpu *gpu);

/*
 * An invalidate, for all addresses or for one, that does not come with a replay: what is held of its translations has
 * got them at last, and lands before it completes (@membar, with late_flush()) or too late.
 */
void late_invalidate(struct gpu *gpu, const struct mmu_inval *inv, const uint64_t *va, bool membar);

struct hw_block;
extern const struct hw_block hw_late;

#endif
