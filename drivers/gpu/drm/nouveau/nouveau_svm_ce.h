/* SPDX-License-Identifier: MIT */
#ifndef __NOUVEAU_SVM_CE_H__
#define __NOUVEAU_SVM_CE_H__

#include <linux/types.h>

struct nouveau_svm_ce;
struct nouveau_svm_dev;

/**
 * struct nouveau_svm_run - A stretch of memory that one launch moves
 */
struct nouveau_svm_run {
	/** @vram: address in VRAM */
	u64 vram;
	/**
	 * @dma: address for DMA of the other side, %NOUVEAU_SVM_RUN_CLEAR or
	 * %NOUVEAU_SVM_RUN_CLEAR_VMM if none
	 */
	u64 dma;
	/** @bytes: length, a multiple of the page size */
	u32 bytes;
};

/* There is no other side: fill VRAM with zeroes. */
#define NOUVEAU_SVM_RUN_CLEAR	(~0ULL)

/* The same; &nouveau_svm_run.vram is an address of the kernel's address space. */
#define NOUVEAU_SVM_RUN_CLEAR_VMM	(~0ULL - 1)

/* Launches that one submission holds: 12 words each fill half of the ring. */
#define NOUVEAU_SVM_RUN_MAX	640

struct nouveau_svm_ce *nouveau_svm_ce_new(struct nouveau_svm_dev *svm);
void nouveau_svm_ce_del(struct nouveau_svm_ce **pce);
bool nouveau_svm_ce_wedged(struct nouveau_svm_ce *ce);
void nouveau_svm_ce_settle(struct nouveau_svm_ce *ce);
int nouveau_svm_ce_submit(struct nouveau_svm_ce *ce, bool to_vram,
			  const struct nouveau_svm_run *run, unsigned int nr);
unsigned int nouveau_svm_run_add(struct nouveau_svm_run *run, unsigned int nr,
				 u64 vram, u64 dma, u64 bytes);
#endif
