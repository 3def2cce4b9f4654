// SPDX-License-Identifier: MIT

/**
 * DOC: Shared virtual memory in nouveau
 *
 * A pointer of the CPU is valid on the GPU. The parts: address spaces that mirror
 * processes (nouveau_svm_vm.c), faults of the GPU (nouveau_svm_fault.c), device
 * memory and its movement (nouveau_svm_dmem.c), the copy engine
 * (nouveau_svm_ce.c), the leaves of page tables (nvkm/subdev/mmu/vmmpfn.c), and
 * the ioctls that were there first (nouveau_svm_legacy.c). drm_gpusvm and
 * drm_pagemap deal with mm.
 *
 * This file owns &struct nouveau_svm_dev and says in which order its parts come
 * and go. The DRM device holds it. Address spaces point to it without a reference:
 * they are closed before it goes.
 *
 * Going away, in this order: have nobody wait for a prefetch any more; bring data
 * back while copies are still possible; drm_dev_unplug(), after which a CPU fault on
 * what is left gets SIGBUS; wait for the system calls that are under way; close the
 * clients, whoever still has a file open, while faults are still served in place, so
 * that channels can come to rest; take no more faults; give up the copy engine. What is
 * left of pages in VRAM goes when its users do: pages hold the DRM device, which
 * holds TTM. If the device has vanished already, no data comes back, and the rest is
 * the same.
 *
 * Suspend: let channels finish what they have; take no more faults; bring data back;
 * clear all leaves. It fails rather than lose data, or a shader: one whose page has to
 * come from a process that does not supply it, being frozen, cannot be stopped. Threads
 * of the kernel are not all frozen, and may take pages from processes while the machine
 * sleeps: page tables are saved after the last leaf has gone, and nothing writes one
 * until faults are taken again. Hibernation goes the same way.
 *
 * Shutdown: processes are at work. Have nobody wait for a prefetch any more, bring data
 * back, and then as for suspend, but wait for nobody.
 *
 * If SVM is not available, one line in the kernel log says why.
 */
#include "nouveau_svm_core.h"
#include "nouveau_svm_ce.h"
#include "nouveau_svm_dmem.h"
#include "nouveau_svm_vm.h"
#include "nouveau_drv.h"
#include "nouveau_abi16.h"
#include "nouveau_chan.h"

#include <linux/dma-mapping.h>
#include <linux/swiotlb.h>

static int
nouveau_svm_dev_ctor(struct nouveau_svm_dev *svm, const char **why)
{
	struct nouveau_drm *drm = svm->drm;
	int ret;

	svm->wq = alloc_workqueue("nouveau_svm", WQ_UNBOUND | WQ_HIGHPRI, 0);
	svm->free_wq = alloc_workqueue("nouveau_svm_free", WQ_UNBOUND, 0);
	*why = "no memory";
	if (!svm->wq || !svm->free_wq)
		return -ENOMEM;

	*why = "no replayable fault buffer";
	ret = nouveau_svm_fault_init(svm);
	if (ret)
		return ret;

	ret = nouveau_svm_dmem_init(svm);
	if (ret)
		NV_INFO(drm, "svm: memory stays in place: %s: %pe\n",
			ret == -ENODEV ? "no copy engine of its own" : "set-up failed",
			ERR_PTR(ret));

	return 0;
}

static void
nouveau_svm_dev_dtor(struct nouveau_svm_dev *svm)
{
	/* nouveau_drm_clients_fini() has closed them. */
	WARN_ON(!list_empty(&svm->vms));
	if (svm->wq)
		nouveau_svm_fault_fini(svm);
	if (svm->free_wq)
		destroy_workqueue(svm->free_wq);
	nouveau_svm_dmem_fini(svm);
	if (svm->wq)
		destroy_workqueue(svm->wq);
	mutex_destroy(&svm->cancel_lock);
	mutex_destroy(&svm->fault.lock);
	mutex_destroy(&svm->lock);
	kfree(svm);
}

/**
 * nouveau_svm_dev_init() - Offer SVM on a device, if it can do that
 * @drm: the device
 */
void
nouveau_svm_dev_init(struct nouveau_drm *drm)
{
	const char *why = NULL;
	struct nouveau_svm_dev *svm;
	int ret = -ENODEV;

	/* Channel recovery does not work with pending faults on later ones. */
	if (drm->client.device.info.family != NV_DEVICE_INFO_V0_PASCAL)
		why = "needs Pascal";
	else if (dma_addressing_limited(drm->dev->dev))
		why = "DMA does not reach all memory";
	else if (is_swiotlb_force_bounce(drm->dev->dev))
		why = "DMA goes through bounce buffers";
	else if (PAGE_SIZE != SZ_4K)
		why = "needs pages of 4 KiB";
	else if (!is_power_of_2(nouveau_svm_notifier_mib) ||
		 nouveau_svm_notifier_mib < 2)
		why = "svm_notifier_mib is not a power of two";
	if (why)
		goto off;

	svm = kzalloc_obj(*svm);
	if (!svm) {
		ret = -ENOMEM;
		why = "no memory";
		goto off;
	}

	svm->drm = drm;
	mutex_init(&svm->lock);
	mutex_init(&svm->fault.lock);
	INIT_LIST_HEAD(&svm->vms);
	spin_lock_init(&svm->blocks_lock);
	INIT_LIST_HEAD(&svm->blocks);
	mutex_init(&svm->cancel_lock);
	spin_lock_init(&svm->inst_lock);
	INIT_LIST_HEAD(&svm->insts);

	ret = nouveau_svm_dev_ctor(svm, &why);
	if (!ret) {
		drm->svm_dev = svm;
		NV_INFO(drm, "svm: on%s\n", svm->ce ? ", with migration" : "");
		return;
	}

	nouveau_svm_dev_dtor(svm);
off:
	NV_INFO(drm, "svm: off: %s: %pe\n", why, ERR_PTR(ret));
}

/**
 * nouveau_svm_dev_unplug() - End prefetch and bring data back before the device goes
 * @drm: the device, before drm_dev_unplug(), or before the machine goes down
 */
void
nouveau_svm_dev_unplug(struct nouveau_drm *drm)
{
	struct nouveau_svm_dev *svm = drm->svm_dev;
	struct nouveau_svm_vm *vm;

	if (!svm)
		return;

	/* Some may wait for pages, and removal for them. */
	mutex_lock(&svm->lock);
	svm->leaving = true;
	list_for_each_entry(vm, &svm->vms, head)
		nouveau_svm_vm_end_prefetch(vm);
	nouveau_svm_dmem_unplug(svm);
	mutex_unlock(&svm->lock);

	if (svm->ce && nouveau_svm_dmem_evict_all(svm))
		NV_ERROR(drm, "svm: %d blocks of data are lost with the device\n",
			 atomic_read(&svm->devmems));
}

/**
 * nouveau_svm_dev_fini() - Undo nouveau_svm_dev_init()
 * @drm: the device, its clients closed, before kernel channels and TTM go
 */
void
nouveau_svm_dev_fini(struct nouveau_drm *drm)
{
	struct nouveau_svm_dev *svm = drm->svm_dev;

	if (!svm)
		return;

	drm->svm_dev = NULL;
	nouveau_svm_dev_dtor(svm);
}

/*
 * Let the channels that use SVM finish what they have, while faults are served: a
 * shader that waits for a page keeps its channel from being stopped. Those of which
 * service does not get on are left to nouveau_svm_fault_block(). Returns -EBUSY if one
 * takes too long.
 */
static int
nouveau_svm_dev_idle(struct nouveau_drm *drm)
{
	struct nouveau_abi16_chan *chan;
	struct nouveau_cli *cli;
	int ret = 0;

	mutex_lock(&drm->clients_lock);
	list_for_each_entry(cli, &drm->clients, head) {
		struct nouveau_abi16 *abi16;

		mutex_lock(&cli->mutex);
		abi16 = cli->abi16;
		if (abi16 && cli->svm.svm_vm && nouveau_svm_vm_gets_on(cli->svm.svm_vm)) {
			list_for_each_entry(chan, &abi16->channels, head)
				ret = ret ?: nouveau_channel_idle(chan->chan);
		}
		mutex_unlock(&cli->mutex);
	}
	mutex_unlock(&drm->clients_lock);
	return ret;
}

/*
 * Clear all leaves. No new ones are written: threads are at rest, and who would have them
 * prefetch is frozen, or turned away. At run time there are no address spaces here: each
 * holds a count of runtime power.
 */
static int
nouveau_svm_dev_clear(struct nouveau_svm_dev *svm)
{
	struct nouveau_svm_vm *vm;
	int ret = 0;

	mutex_lock(&svm->lock);
	list_for_each_entry(vm, &svm->vms, head) {
		if (nouveau_svm_vm_clear(vm)) {
			dev_info(svm->drm->dev->dev,
				 "svm: the address space of process %d is in use\n", vm->pid);
			ret = -EBUSY;
		}
	}
	mutex_unlock(&svm->lock);
	return ret;
}

/**
 * nouveau_svm_dev_suspend() - Get everything out of VRAM, and nothing mapped
 * @drm: the device
 * @runtime: only the device is suspended, processes are at work
 *
 * Faults that come until the channels stop stay in the hardware, and are there
 * again after resume.
 *
 * After nouveau_svm_dev_unplug() the machine goes down, and processes are still at work:
 * they are waited for no longer than it takes to interrupt them, faults that do not get on
 * are cancelled, and what is left is lost.
 *
 * Return: 0, or -EBUSY if data would be lost, or a shader that waits for a page or takes
 * too long, or if an address space is in use: do not suspend.
 */
int
nouveau_svm_dev_suspend(struct nouveau_drm *drm, bool runtime)
{
	struct nouveau_svm_dev *svm = drm->svm_dev;
	struct nouveau_svm_vm *vm;
	int ret;

	if (!svm)
		return 0;

	if (svm->leaving) {
		/* A shader that waits for a page cannot be stopped: it waits no more. */
		mutex_lock(&svm->lock);
		list_for_each_entry(vm, &svm->vms, head)
			nouveau_svm_vm_settle(vm);
		mutex_unlock(&svm->lock);
		nouveau_svm_fault_block(svm);
		if (svm->ce)
			nouveau_svm_ce_settle(svm->ce);
		nouveau_svm_dev_clear(svm);
		return 0;
	}

	/* Clients at work may hold their mutex, and wait for us. */
	ret = runtime ? 0 : nouveau_svm_dev_idle(drm);
	if (ret)
		return ret;
	ret = nouveau_svm_fault_block(svm);
	if (!ret && svm->ce) {
		ret = nouveau_svm_dmem_evict_all(svm);
		if (ret)
			NV_ERROR(drm, "svm: %d blocks do not leave VRAM\n",
				 atomic_read(&svm->devmems));
	}
	if (!ret)
		ret = nouveau_svm_dev_clear(svm);
	if (ret)
		nouveau_svm_dev_resume(drm);
	return ret;
}

/**
 * nouveau_svm_dev_resume() - Undo nouveau_svm_dev_suspend()
 * @drm: the device
 */
void
nouveau_svm_dev_resume(struct nouveau_drm *drm)
{
	struct nouveau_svm_dev *svm = drm->svm_dev;

	if (!svm || svm->leaving)
		return;

	/* Pairs with READ_ONCE() in nouveau_svm_populate_locked(). */
	WRITE_ONCE(svm->no_devmem, false);
	if (nouveau_svm_fault_unblock(svm))
		NV_ERROR(drm, "svm: off: no fault interrupts after resume\n");
}
