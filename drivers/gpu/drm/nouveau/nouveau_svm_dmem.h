/* SPDX-License-Identifier: MIT */
#ifndef __NOUVEAU_SVM_DMEM_H__
#define __NOUVEAU_SVM_DMEM_H__

#include <linux/types.h>

#include <drm/drm_pagemap.h>

struct mm_struct;
struct nouveau_drm;
struct nouveau_svm_dev;
struct nouveau_svm_devmem;
struct ttm_resource;

/* Address in the VRAM of the device that maps it. */
#define NOUVEAU_SVM_INTERCONNECT_VRAM	DRM_INTERCONNECT_DRIVER

#if IS_ENABLED(CONFIG_DRM_NOUVEAU_SVM)
int nouveau_svm_dmem_init(struct nouveau_svm_dev *svm);
void nouveau_svm_dmem_unplug(struct nouveau_svm_dev *svm);
void nouveau_svm_dmem_fini(struct nouveau_svm_dev *svm);
int nouveau_svm_dmem_evict_all(struct nouveau_svm_dev *svm);

struct drm_pagemap *nouveau_svm_dmem_get(struct nouveau_svm_dev *svm);
int nouveau_svm_dmem_populate(struct drm_pagemap *dpagemap, struct mm_struct *mm,
			      unsigned long start, unsigned long end);
int nouveau_svm_dmem_make_room(struct nouveau_svm_dev *svm, unsigned long size);

int nouveau_svm_devmem_evict(struct nouveau_svm_devmem *devmem);
int nouveau_svm_dmem_clear(struct nouveau_drm *drm, struct ttm_resource *reg);
#else
static inline int
nouveau_svm_devmem_evict(struct nouveau_svm_devmem *devmem)
{
	return -ENODEV;
}

static inline int
nouveau_svm_dmem_clear(struct nouveau_drm *drm, struct ttm_resource *reg)
{
	return 0;
}
#endif
#endif
