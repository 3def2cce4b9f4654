// SPDX-License-Identifier: MIT

/**
 * DOC: Channels
 *
 * An entry of the fault buffer names the instance block of a channel, and nothing
 * else tells whose fault it is. This file owns the list of instance blocks and the
 * address spaces that their channels use. A channel joins when it is made and
 * parts when it goes; an address space that is closed drops all of its channels.
 *
 * The list holds no reference to an address space. Lookup takes one, under
 * &nouveau_svm_dev.inst_lock, which is a leaf.
 *
 * A channel parts before its instance block is freed, and the next one may lie where it
 * lay. So a channel has a number of its own here, which no later one gets: a fault may be
 * in service for long, and who cancels it looks whether it is that channel still, under
 * &nouveau_svm_dev.cancel_lock. That is held over nvkm's locks of runlists.
 */
#include "nouveau_svm_core.h"
#include "nouveau_svm_vm.h"

#include <linux/slab.h>

/**
 * struct nouveau_svm_inst - A channel that uses an address space
 */
struct nouveau_svm_inst {
	/** @head: in &nouveau_svm_dev.insts */
	struct list_head head;
	/** @inst: address of its instance block */
	u64 inst;
	/** @nr: the channel's number, not 0 */
	u64 nr;
	/** @vm: the address space, no reference */
	struct nouveau_svm_vm *vm;
};

/**
 * nouveau_svm_inst_lookup() - Find the address space that a channel uses
 * @svm: the device
 * @addr: address of the channel's instance block; the low bits do not count
 * @nr: the channel's number, 0 if it is not known
 *
 * Return: the address space with a reference for the caller, or NULL.
 */
struct nouveau_svm_vm *
nouveau_svm_inst_lookup(struct nouveau_svm_dev *svm, u64 addr, u64 *nr)
{
	struct nouveau_svm_vm *vm = NULL;
	struct nouveau_svm_inst *inst;

	*nr = 0;
	addr &= ~0xfffULL;
	spin_lock(&svm->inst_lock);
	list_for_each_entry(inst, &svm->insts, head) {
		if (inst->inst == addr) {
			vm = inst->vm;
			kref_get(&vm->ref);
			*nr = inst->nr;
			break;
		}
	}
	spin_unlock(&svm->inst_lock);
	return vm;
}

/**
 * nouveau_svm_inst_is() - Is it still that channel that lies there?
 * @svm: the device, &nouveau_svm_dev.cancel_lock held: as long as it is none joins or parts
 * @addr: address of the channel's instance block; the low bits do not count
 * @nr: the channel's number, 0 if it was not known
 *
 * Return: true if the channel of that number uses SVM; if it was not known, if none there does.
 */
bool
nouveau_svm_inst_is(struct nouveau_svm_dev *svm, u64 addr, u64 nr)
{
	struct nouveau_svm_inst *inst;
	u64 now = 0;

	lockdep_assert_held(&svm->cancel_lock);
	addr &= ~0xfffULL;
	spin_lock(&svm->inst_lock);
	list_for_each_entry(inst, &svm->insts, head) {
		if (inst->inst == addr)
			now = inst->nr;
	}
	spin_unlock(&svm->inst_lock);
	return now == nr;
}

/**
 * nouveau_svm_inst_join() - A channel starts to use an address space
 * @vm: the address space, may be NULL
 * @addr: address of the channel's instance block
 *
 * Return: 0 or -ENOMEM. -ENODEV if it is closed.
 */
int
nouveau_svm_inst_join(struct nouveau_svm_vm *vm, u64 addr)
{
	struct nouveau_svm_inst *inst;

	if (!vm)
		return 0;
	if (!vm->svm)
		return -ENODEV;

	inst = kzalloc_obj(*inst);
	if (!inst)
		return -ENOMEM;
	inst->vm = vm;
	inst->inst = addr & ~0xfffULL;

	mutex_lock(&vm->svm->cancel_lock);
	spin_lock(&vm->svm->inst_lock);
	inst->nr = ++vm->svm->inst_nr;
	list_add(&inst->head, &vm->svm->insts);
	spin_unlock(&vm->svm->inst_lock);
	mutex_unlock(&vm->svm->cancel_lock);
	return 0;
}

/**
 * nouveau_svm_inst_part() - A channel ends to use an address space
 * @vm: the address space, may be NULL
 * @addr: address of the channel's instance block
 */
void
nouveau_svm_inst_part(struct nouveau_svm_vm *vm, u64 addr)
{
	struct nouveau_svm_inst *inst, *next;
	struct nouveau_svm_dev *svm;

	/* Closing drops them all. */
	if (!vm || !vm->svm)
		return;

	svm = vm->svm;
	addr &= ~0xfffULL;
	mutex_lock(&svm->cancel_lock);
	spin_lock(&svm->inst_lock);
	list_for_each_entry_safe(inst, next, &svm->insts, head) {
		if (inst->inst == addr) {
			list_del(&inst->head);
			kfree(inst);
		}
	}
	spin_unlock(&svm->inst_lock);
	mutex_unlock(&svm->cancel_lock);
}

/**
 * nouveau_svm_inst_drop() - All channels of an address space end to use it
 * @svm: the device
 * @vm: the address space
 */
void
nouveau_svm_inst_drop(struct nouveau_svm_dev *svm, struct nouveau_svm_vm *vm)
{
	struct nouveau_svm_inst *inst, *next;

	spin_lock(&svm->inst_lock);
	list_for_each_entry_safe(inst, next, &svm->insts, head) {
		if (inst->vm == vm) {
			list_del(&inst->head);
			kfree(inst);
		}
	}
	spin_unlock(&svm->inst_lock);
}
