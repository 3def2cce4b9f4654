// SPDX-License-Identifier: MIT

/**
 * DOC: SVM_INIT and SVM_BIND
 *
 * The first SVM interface of nouveau, which Mesa uses: SVM_INIT turns the client's
 * address space into a mirror of the process but for one hole, where buffers go.
 * SVM_BIND moves memory. Everything else happens on faults.
 *
 * This file owns nothing. The client's &struct nouveau_vmm holds the reference to
 * the &struct nouveau_svm_vm that SVM_INIT makes, from then to the end of the
 * client. Lock: the client's mutex, outside of all others of SVM.
 */
#include "nouveau_svm_legacy.h"
#include "nouveau_svm_core.h"
#include "nouveau_svm_vm.h"
#include "nouveau_drv.h"

#include <nvif/if000c.h>
#include <nvif/ifc00d.h>
#include <nvif/vmm.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>

/**
 * nouveau_svm_ioctl_init() - DRM_NOUVEAU_SVM_INIT
 * @dev: the device
 * @data: &struct drm_nouveau_svm_init
 * @file: the client
 *
 * Return: 0. -ENOSYS: the device has no SVM. -EBUSY: the client has done this, or
 * VM_INIT. -EINVAL: the hole is not one. -ENOSPC: too many have. -ENODEV: the device is
 * going. -EINTR: a signal came. -ENOMEM, or what nvkm says, as memory runs out.
 */
int
nouveau_svm_ioctl_init(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_nouveau_svm_init *args = data;
	struct nouveau_cli *cli = nouveau_cli(file);
	struct nouveau_svm_dev *svm = cli->drm->svm_dev;
	struct gp100_vmm_v0 vmm = { .fault_replay = true };
	struct nouveau_svm_vm *vm;
	u64 end;
	int ret;

	if (!svm)
		return -ENOSYS;
	if (check_add_overflow(args->unmanaged_addr, args->unmanaged_size, &end) ||
	    !PAGE_ALIGNED(args->unmanaged_addr) || !PAGE_ALIGNED(end))
		return -EINVAL;

	mutex_lock(&cli->mutex);
	if (cli->svm.cli || nouveau_cli_uvmm(cli)) {
		ret = -EBUSY;
		goto unlock;
	}

	ret = nvif_vmm_ctor(&cli->mmu, "svmVmm", cli->vmm.vmm.object.oclass, RAW,
			    args->unmanaged_addr, args->unmanaged_size,
			    &vmm, sizeof(vmm), &cli->svm.vmm);
	if (ret)
		goto unlock;

	ret = nouveau_svm_vm_new(svm, &cli->svm, args->unmanaged_addr, end, &vm);
	if (ret) {
		nvif_vmm_dtor(&cli->svm.vmm);
		goto unlock;
	}

	/* Pairs with READ_ONCE() in nouveau_svm_show_fdinfo(). */
	WRITE_ONCE(cli->svm.svm_vm, vm);
	/* From now on the client's buffers go there: nothing can fail any more. */
	cli->svm.cli = cli;
	/* Nor can it have a VM_BIND address space, for which it asks under the mutex. */
	cli->uvmm.disabled = true;
unlock:
	mutex_unlock(&cli->mutex);
	return ret;
}

/**
 * nouveau_svm_ioctl_bind() - DRM_NOUVEAU_SVM_BIND
 * @dev: the device
 * @data: &struct drm_nouveau_svm_bind
 * @file: the client
 *
 * Moves memory to VRAM, or to system memory. Returns in the structure the number
 * of pages that are there afterwards.
 *
 * Return: 0, even if some could not move. -EINVAL: not a request. -EACCES: the
 * caller is not the process that is mirrored. -EINTR: interrupted. -ENODEV: the
 * device goes.
 */
int
nouveau_svm_ioctl_bind(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_nouveau_svm_bind *args = data;
	struct nouveau_cli *cli = nouveau_cli(file);
	struct nouveau_svm_vm *vm = NULL;
	u64 start, end, pages = 0;
	u32 command, target;
	bool vram;
	int ret;

	start = args->va_start & PAGE_MASK;
	end = ALIGN(args->va_end, PAGE_SIZE);

	if (args->reserved0 || args->reserved1 || args->stride)
		return -EINVAL;
	if (args->header & ~NOUVEAU_SVM_BIND_VALID_MASK)
		return -EINVAL;
	if (start >= end)
		return -EINVAL;

	command = args->header >> NOUVEAU_SVM_BIND_COMMAND_SHIFT &
		  NOUVEAU_SVM_BIND_COMMAND_MASK;
	target = args->header >> NOUVEAU_SVM_BIND_TARGET_SHIFT &
		 NOUVEAU_SVM_BIND_TARGET_MASK;
	if (command != NOUVEAU_SVM_BIND_COMMAND__MIGRATE)
		return -EINVAL;
	vram = target == NOUVEAU_SVM_BIND_TARGET__GPU_VRAM;
	if (!vram && target)
		return -EINVAL;

	mutex_lock(&cli->mutex);
	if (cli->svm.svm_vm) {
		vm = cli->svm.svm_vm;
		kref_get(&vm->ref);
	}
	mutex_unlock(&cli->mutex);
	if (!vm)
		return -EINVAL;

	if (current->mm != vm->gpusvm.mm) {
		ret = -EACCES;
	} else {
		ret = nouveau_svm_vm_prefetch(vm, start, end, vram, &pages);
		/* Best effort, but for those who want to be told. */
		if (ret != -EINTR && ret != -ENODEV)
			ret = 0;
	}

	args->result = pages;
	nouveau_svm_vm_put(vm);
	return ret;
}

/**
 * nouveau_svm_vmm_settle() - The client is about to go
 * @vmm: its address space, before its channels go
 */
void
nouveau_svm_vmm_settle(struct nouveau_vmm *vmm)
{
	if (vmm->svm_vm)
		nouveau_svm_vm_settle(vmm->svm_vm);
}

/**
 * nouveau_svm_vmm_fini() - The client goes
 * @vmm: its address space, before its page tables go
 */
void
nouveau_svm_vmm_fini(struct nouveau_vmm *vmm)
{
	struct nouveau_svm_vm *vm = vmm->svm_vm;

	if (!vm)
		return;

	vmm->svm_vm = NULL;
	nouveau_svm_vm_close(vm);
	nouveau_svm_vm_put(vm);
}

/**
 * nouveau_svm_show_fdinfo() - Tell how much SVM memory a client has in VRAM
 * @p: where to print; nothing, if an ioctl of the client takes long
 * @file: the client
 */
void
nouveau_svm_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct nouveau_cli *cli = nouveau_cli(file);
	struct nouveau_svm_vm *vm = NULL;

	/* Pairs with WRITE_ONCE() in nouveau_svm_ioctl_init(); it goes with the file only. */
	if (!READ_ONCE(cli->svm.svm_vm))
		return;
	/* An ioctl may hold it for as long as a process keeps its arguments back. */
	if (!nouveau_svm_look(&cli->mutex))
		return;
	if (cli->svm.svm_vm) {
		vm = cli->svm.svm_vm;
		kref_get(&vm->ref);
	}
	mutex_unlock(&cli->mutex);
	if (!vm)
		return;

	drm_printf(p, "drm-resident-svm-vram:\t%llu KiB\n",
		   nouveau_svm_vm_resident(vm) >> 10);
	nouveau_svm_vm_put(vm);
}
