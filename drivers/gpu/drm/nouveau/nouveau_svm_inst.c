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
	/** @vm: the address space, no reference */
	struct nouveau_svm_vm *vm;
};

/**
 * nouveau_svm_inst_lookup() - Find the address space that a channel uses
 * @svm: the device
 * @addr: address of the channel's instance block; the low bits do not count
 *
 * Return: the address space with a reference for the caller, or NULL.
 */
struct nouveau_svm_vm *
nouveau_svm_inst_lookup(struct nouveau_svm_dev *svm, u64 addr)
{
	struct nouveau_svm_vm *vm = NULL;
	struct nouveau_svm_inst *inst;

	addr &= ~0xfffULL;
	spin_lock(&svm->inst_lock);
	list_for_each_entry(inst, &svm->insts, head) {
		if (inst->inst == addr) {
			vm = inst->vm;
			kref_get(&vm->ref);
			break;
		}
	}
	spin_unlock(&svm->inst_lock);
	return vm;
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

	spin_lock(&vm->svm->inst_lock);
	list_add(&inst->head, &vm->svm->insts);
	spin_unlock(&vm->svm->inst_lock);
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
	spin_lock(&svm->inst_lock);
	list_for_each_entry_safe(inst, next, &svm->insts, head) {
		if (inst->inst == addr) {
			list_del(&inst->head);
			kfree(inst);
		}
	}
	spin_unlock(&svm->inst_lock);
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
