/* SPDX-License-Identifier: MIT */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nouveau_svm

#if !defined(_NOUVEAU_SVM_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _NOUVEAU_SVM_TRACE_H_

#include <linux/device.h>
#include <linux/tracepoint.h>

#include "nouveau_svm_vm.h"

TRACE_EVENT(nouveau_svm_fault,
	    TP_PROTO(struct nouveau_svm_vm *vm, const struct nouveau_svm_fault *fault,
		     bool spurious, int error),
	    TP_ARGS(vm, fault, spurious, error),
	    TP_STRUCT__entry(__field(void *, vm)
			     __field(u64, addr)
			     __field(u64, time)
			     __field(u8, access)
			     __field(bool, spurious)
			     __field(int, error)
	    ),
	    TP_fast_assign(__entry->vm = vm;
			   __entry->addr = fault->addr;
			   __entry->time = fault->time;
			   __entry->access = fault->access;
			   __entry->spurious = spurious;
			   __entry->error = error;
	    ),
	    TP_printk("vm=%p addr=0x%llx access=%u gpu_time=%llu spurious=%d error=%d",
		      __entry->vm, __entry->addr, __entry->access, __entry->time,
		      __entry->spurious, __entry->error)
);

TRACE_EVENT(nouveau_svm_replay,
	    TP_PROTO(struct nouveau_svm_vm *vm, unsigned int faults),
	    TP_ARGS(vm, faults),
	    TP_STRUCT__entry(__field(void *, vm)
			     __field(unsigned int, faults)
	    ),
	    TP_fast_assign(__entry->vm = vm;
			   __entry->faults = faults;
	    ),
	    TP_printk("vm=%p faults=%u", __entry->vm, __entry->faults)
);

TRACE_EVENT(nouveau_svm_range,
	    TP_PROTO(struct nouveau_svm_vm *vm, struct drm_gpusvm_range *range, u8 leaves,
		     bool vram, bool ro, int error),
	    TP_ARGS(vm, range, leaves, vram, ro, error),
	    TP_STRUCT__entry(__field(void *, vm)
			     __field(unsigned long, start)
			     __field(unsigned long, end)
			     __field(u8, leaves)
			     __field(bool, vram)
			     __field(bool, ro)
			     __field(int, error)
	    ),
	    TP_fast_assign(__entry->vm = vm;
			   __entry->start = drm_gpusvm_range_start(range);
			   __entry->end = drm_gpusvm_range_end(range);
			   __entry->leaves = leaves;
			   __entry->vram = vram;
			   __entry->ro = ro;
			   __entry->error = error;
	    ),
	    TP_printk("vm=%p start=0x%lx end=0x%lx leaves=%#x vram=%d ro=%d error=%d",
		      __entry->vm, __entry->start, __entry->end, __entry->leaves,
		      __entry->vram, __entry->ro, __entry->error)
);

TRACE_EVENT(nouveau_svm_invalidate,
	    TP_PROTO(struct nouveau_svm_vm *vm, unsigned long start, unsigned long end,
		     unsigned int event, bool flush),
	    TP_ARGS(vm, start, end, event, flush),
	    TP_STRUCT__entry(__field(void *, vm)
			     __field(unsigned long, start)
			     __field(unsigned long, end)
			     __field(unsigned int, event)
			     __field(bool, flush)
	    ),
	    TP_fast_assign(__entry->vm = vm;
			   __entry->start = start;
			   __entry->end = end;
			   __entry->event = event;
			   __entry->flush = flush;
	    ),
	    TP_printk("vm=%p start=0x%lx end=0x%lx event=%u flush=%d", __entry->vm,
		      __entry->start, __entry->end, __entry->event, __entry->flush)
);

TRACE_EVENT(nouveau_svm_migrate,
	    TP_PROTO(struct device *dev, void *mm, unsigned long start, unsigned long end,
		     int error),
	    TP_ARGS(dev, mm, start, end, error),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(void *, mm)
			     __field(unsigned long, start)
			     __field(unsigned long, end)
			     __field(int, error)
	    ),
	    TP_fast_assign(__assign_str(dev);
			   __entry->mm = mm;
			   __entry->start = start;
			   __entry->end = end;
			   __entry->error = error;
	    ),
	    TP_printk("%s mm=%p start=0x%lx end=0x%lx error=%d", __get_str(dev),
		      __entry->mm, __entry->start, __entry->end, __entry->error)
);

TRACE_EVENT(nouveau_svm_evict,
	    TP_PROTO(struct device *dev, void *mm, size_t size, int error),
	    TP_ARGS(dev, mm, size, error),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(void *, mm)
			     __field(size_t, size)
			     __field(int, error)
	    ),
	    TP_fast_assign(__assign_str(dev);
			   __entry->mm = mm;
			   __entry->size = size;
			   __entry->error = error;
	    ),
	    TP_printk("%s mm=%p size=%zu error=%d", __get_str(dev), __entry->mm,
		      __entry->size, __entry->error)
);

TRACE_EVENT(nouveau_svm_copy,
	    TP_PROTO(struct device *dev, bool to_vram, unsigned long npages, int error),
	    TP_ARGS(dev, to_vram, npages, error),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(bool, to_vram)
			     __field(unsigned long, npages)
			     __field(int, error)
	    ),
	    TP_fast_assign(__assign_str(dev);
			   __entry->to_vram = to_vram;
			   __entry->npages = npages;
			   __entry->error = error;
	    ),
	    TP_printk("%s to=%s npages=%lu error=%d", __get_str(dev),
		      __entry->to_vram ? "vram" : "ram", __entry->npages, __entry->error)
);

TRACE_EVENT(nouveau_svm_cpu_fault,
	    TP_PROTO(struct device *dev, void *mm, unsigned long addr, u32 result),
	    TP_ARGS(dev, mm, addr, result),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(void *, mm)
			     __field(unsigned long, addr)
			     __field(u32, result)
	    ),
	    TP_fast_assign(__assign_str(dev);
			   __entry->mm = mm;
			   __entry->addr = addr;
			   __entry->result = result;
	    ),
	    TP_printk("%s mm=%p addr=0x%lx result=0x%x", __get_str(dev), __entry->mm,
		      __entry->addr, __entry->result)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE nouveau_svm_trace
#include <trace/define_trace.h>
