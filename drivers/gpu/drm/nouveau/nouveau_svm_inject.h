/* SPDX-License-Identifier: MIT */
#ifndef __NOUVEAU_SVM_INJECT_H__
#define __NOUVEAU_SVM_INJECT_H__

#include <linux/types.h>

/* Is this the place where something is to fail? */
#define NOUVEAU_SVM_INJECT()	nouveau_svm_inject(__func__, __LINE__)

#if IS_ENABLED(CONFIG_DRM_NOUVEAU_SVM_INJECT)
bool nouveau_svm_inject(const char *func, unsigned int line);
void nouveau_svm_inject_init(void);
void nouveau_svm_inject_exit(void);
#else
static inline bool nouveau_svm_inject(const char *func, unsigned int line)
{
	return false;
}

static inline void nouveau_svm_inject_init(void) {}
static inline void nouveau_svm_inject_exit(void) {}
#endif
#endif
