/* SPDX-License-Identifier: MIT */
#ifndef __NOUVEAU_SVM_LEGACY_H__
#define __NOUVEAU_SVM_LEGACY_H__

#include <linux/errno.h>

struct drm_device;
struct drm_file;
struct drm_printer;
struct nouveau_vmm;

#if IS_ENABLED(CONFIG_DRM_NOUVEAU_SVM)
int nouveau_svm_ioctl_init(struct drm_device *dev, void *data, struct drm_file *file);
int nouveau_svm_ioctl_bind(struct drm_device *dev, void *data, struct drm_file *file);
void nouveau_svm_vmm_settle(struct nouveau_vmm *vmm);
void nouveau_svm_vmm_fini(struct nouveau_vmm *vmm);
void nouveau_svm_show_fdinfo(struct drm_printer *p, struct drm_file *file);
#else
static inline int
nouveau_svm_ioctl_init(struct drm_device *dev, void *data, struct drm_file *file)
{
	return -ENOSYS;
}

static inline int
nouveau_svm_ioctl_bind(struct drm_device *dev, void *data, struct drm_file *file)
{
	return -ENOSYS;
}

static inline void nouveau_svm_vmm_settle(struct nouveau_vmm *vmm) {}
static inline void nouveau_svm_vmm_fini(struct nouveau_vmm *vmm) {}
static inline void nouveau_svm_show_fdinfo(struct drm_printer *p, struct drm_file *file) {}
#endif
#endif
