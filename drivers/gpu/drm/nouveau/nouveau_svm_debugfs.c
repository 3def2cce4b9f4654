// SPDX-License-Identifier: MIT

/**
 * DOC: What debugfs shows of SVM
 *
 * The file "svm" in the device's directory: counters, then each address space with
 * its ranges and the last faults that could not be resolved, or "busy" if service of
 * a fault, or SVM_BIND, takes long. Owns nothing.
 * Lock order: &nouveau_svm_dev.lock, then &nouveau_svm_vm.lock.
 */
#include "nouveau_svm_core.h"
#include "nouveau_svm_ce.h"
#include "nouveau_svm_vm.h"
#include "nouveau_drv.h"

#include <linux/seq_file.h>

static const char * const nouveau_svm_stat_name[] = {
	[NOUVEAU_SVM_STAT_FAULT] = "faults",
	[NOUVEAU_SVM_STAT_DUP] = "duplicates",
	[NOUVEAU_SVM_STAT_SPURIOUS] = "spurious",
	[NOUVEAU_SVM_STAT_STALE] = "stale",
	[NOUVEAU_SVM_STAT_BATCH] = "batches",
	[NOUVEAU_SVM_STAT_REPLAY] = "replays",
	[NOUVEAU_SVM_STAT_CANCEL] = "cancels",
	[NOUVEAU_SVM_STAT_OVERFLOW] = "overflows",
	[NOUVEAU_SVM_STAT_MAP] = "maps",
	[NOUVEAU_SVM_STAT_INVALIDATE] = "invalidates",
	[NOUVEAU_SVM_STAT_TO_VRAM] = "bytes_to_vram",
	[NOUVEAU_SVM_STAT_TO_RAM] = "bytes_to_ram",
	[NOUVEAU_SVM_STAT_EVICT] = "evictions",
	[NOUVEAU_SVM_STAT_COPY_ERROR] = "copy_errors",
	[NOUVEAU_SVM_STAT_MIGRATE_FAIL] = "migrate_failures",
	[NOUVEAU_SVM_STAT_EXCLUSIVE] = "exclusive_pages",
};

static void
nouveau_svm_range_show(struct drm_gpusvm_range *base, struct seq_file *m)
{
	struct nouveau_svm_range *range =
		container_of(base, struct nouveau_svm_range, base);
	struct drm_gpusvm_pages_flags flags = {
		/* Pairs with WRITE_ONCE() in drm_gpusvm.c. */
		.__flags = READ_ONCE(range->pages.flags.__flags),
	};
	u8 live;

	/* Pairs with WRITE_ONCE() in nouveau_svm_vm.c. A moment's view. */
	live = READ_ONCE(range->live);
	seq_printf(m, "  range %lx-%lx leaves%s%s%s%s%s%s\n",
		   drm_gpusvm_range_start(base), drm_gpusvm_range_end(base),
		   live & NOUVEAU_SVM_LEAF_4K ? " 4K" : "",
		   live & NOUVEAU_SVM_LEAF_64K ? " 64K" : "",
		   live & NOUVEAU_SVM_LEAF_2M ? " 2M" : "",
		   range->ro ? " ro" : "", flags.has_devmem_pages ? " vram" : "",
		   range->stay_until ? " stays" : "");
}

static void
nouveau_svm_vm_show(struct nouveau_svm_vm *vm, struct seq_file *m)
{
	struct drm_gpusvm_notifier *notifier;
	u64 i;

	if (!nouveau_svm_vm_look(vm)) {
		seq_printf(m, "vm %p busy\n", vm);
		return;
	}
	seq_printf(m, "vm %p hole %llx-%llx%s unresolved %llu\n", vm, vm->hole.start,
		   vm->hole.end, vm->dpagemap ? " devmem" : "", vm->records);
	for (i = vm->records > NOUVEAU_SVM_RECORD_MAX ?
		 vm->records - NOUVEAU_SVM_RECORD_MAX : 0; i < vm->records; i++) {
		const struct nouveau_svm_record *record =
			&vm->record[i % NOUVEAU_SVM_RECORD_MAX];

		seq_printf(m, "  fault %llx access %u reason %u error %d\n",
			   record->fault.addr, record->fault.access,
			   record->fault.reason, record->error);
	}

	drm_gpusvm_for_each_notifier(notifier, &vm->gpusvm, 0, LONG_MAX) {
		struct drm_gpusvm_range *base = NULL;

		drm_gpusvm_for_each_range(base, notifier, 0, LONG_MAX)
			nouveau_svm_range_show(base, m);
	}
	mutex_unlock(&vm->lock);
}

/**
 * nouveau_svm_debugfs_show() - Print the state of SVM
 * @drm: the device
 * @m: where to print
 */
void
nouveau_svm_debugfs_show(struct nouveau_drm *drm, struct seq_file *m)
{
	struct nouveau_svm_dev *svm = drm->svm_dev;
	struct nouveau_svm_vm *vm;
	unsigned int i;

	if (!svm) {
		seq_puts(m, "off\n");
		return;
	}

	seq_printf(m, "on migration %s\n", !svm->ce ? "no" :
		   nouveau_svm_ce_wedged(svm->ce) ? "wedged" : "yes");
	seq_printf(m, "blocks %d\n", atomic_read(&svm->devmems));
	for (i = 0; i < NOUVEAU_SVM_STAT_NR; i++)
		seq_printf(m, "%s %llu\n", nouveau_svm_stat_name[i],
			   (u64)atomic64_read(&svm->stat[i]));

	mutex_lock(&svm->lock);
	list_for_each_entry(vm, &svm->vms, head)
		nouveau_svm_vm_show(vm, m);
	mutex_unlock(&svm->lock);
}
