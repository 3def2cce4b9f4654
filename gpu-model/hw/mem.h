/* SPDX-License-Identifier: MIT */
/*
 * Physical memory as the GPU sees it: VRAM and, through the DMA map, system
 * memory.  hw/mem.c.  Every access names its client, so that a sanitizer
 * finding or an out-of-range access can say who it was.
 */
#ifndef HW_MEM_H
#define HW_MEM_H

#include "gpu.h"

/* PTE and PDE aperture codes, gp100-mmu-format.pdf */
enum aperture { AP_VRAM = 0, AP_PEER = 1, AP_SYS_COH = 2, AP_SYS_NCOH = 3, AP_INVALID = 0xff };

enum mem_client {
	CLIENT_HOST,	/* PBDMA, runlists, host semaphores, USERD */
	CLIENT_BAR,	/* BAR1, BAR2, PRAMIN: the CPU */
	CLIENT_MMU,	/* page-table walks */
	CLIENT_FAULT,	/* the fault buffer's writer */
	CLIENT_CE,
	CLIENT_FE,	/* front end: inline-to-memory, report semaphores, QMD fetch, 2D, MME */
	CLIENT_FECS,	/* context save and restore */
	CLIENT_SM_TEX,	/* loads, stores, atomics */
	CLIENT_SM_GCC,	/* instruction and constant fetch */
};
const char *mem_client_name(enum mem_client c);

/**
 * mem_read() - read physical memory.
 * @addr: byte address in the aperture: VRAM offset, or bus address (IOVA) for system memory.
 *
 * VRAM reads pass the injection "read error on a range" (inject.h) and the
 * sanitizer's watches; system reads pass the DMA map, the sanitizer, and the
 * trace when recording or replaying.
 *
 * Return: 0, or -EFAULT (outside VRAM, not mapped for DMA, or injected); @buf is then all ones.
 * Context: gpu->lock held, or gpu->sm_gate shared for SM clients.
 */
int mem_read(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, void *buf, size_t len);
int mem_write(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, const void *buf, size_t len);
uint32_t mem_rd32(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr);
uint64_t mem_rd64(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr);
void mem_wr32(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, uint32_t val);

/**
 * mem_ptr() - host pointer for a run of physical memory, for bulk copies and SM accesses.
 * @len: in: bytes wanted; out: bytes that are contiguous in host memory from there (>= 1).
 * @write: the run will be written.
 *
 * NULL when the page is watched by the sanitizer or under an injected error, when a trace
 * records or replays system memory, or when it isn't there: use mem_read()/mem_write() then.
 * Valid until gpu->lock is released (SM: until sm_gate is).
 */
void *mem_ptr(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, size_t *len, bool write);

#endif
