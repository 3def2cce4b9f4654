/* SPDX-License-Identifier: MIT */
/**
 * DOC: nouveau channels by raw ioctls
 *
 * What a test needs to make a Pascal GPU run a hand-made kernel: a device with
 * shared virtual memory switched on, buffers, a channel, push building, launch
 * descriptors (QMD) and fences.  No library below it but libc.
 *
 * Class and method numbers: NVIDIA's open-gpu-doc class headers (clc06f,
 * clc1b5, clc1c0, clc1c0qmd); ioctls: Linux' nouveau_drm.h and nvif/ioctl.h.
 *
 * Functions return 0 or a negative errno unless said otherwise.
 */
#ifndef NOUVEAU_CHAN_H
#define NOUVEAU_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sm6x.h"

/* Object classes, GP104; GP100 has its own 3D, compute and copy class. */
#define NV_SW_GF100 ((int32_t)0xfffffff9)	/* handle 906e */
#define NV_FERMI_TWOD_A 0x902d
#define NV_KEPLER_INLINE_TO_MEMORY_B 0xa140
#define NV_PASCAL_A 0xc097
#define NV_PASCAL_B 0xc197
#define NV_PASCAL_COMPUTE_A 0xc0c0
#define NV_PASCAL_COMPUTE_B 0xc1c0
#define NV_PASCAL_DMA_COPY_A 0xc0b5
#define NV_PASCAL_DMA_COPY_B 0xc1b5

/* Subchannels, as Mesa assigns them */
enum nv_subc { NV_SUBC_3D = 0, NV_SUBC_COMPUTE = 1, NV_SUBC_I2M = 2, NV_SUBC_2D = 3, NV_SUBC_COPY = 4, NV_SUBC_SW = 7 };

/* Engines of a channel: CHANNEL_ALLOC's tt_ctxdma_handle on Kepler and later */
enum nv_engine { NV_ENGINE_GR = 0x01, NV_ENGINE_CE = 0x30 };

#define NV_CUTOUT_BASE (1ull << 36)	/* below 1 << 40: push buffers and QMDs have 40-bit addresses */
#define NV_CUTOUT_SIZE (1ull << 32)

/** struct nv_dev - an open file of the render node */
struct nv_dev {
	/** @fd: the file */
	int fd;
	/** @cutout: reserved addresses that buffers of this file live at, NULL before nv_svm_init() */
	void *cutout;
	/** @chipset: 0x130 and up */
	uint32_t chipset;
	/** @next_object: next key of an NVIF object; the kernel wants them unique in a file */
	uint64_t next_object;
};

/** struct nv_bo - a buffer object, mapped for the CPU */
struct nv_bo {
	/** @dev: its file */
	struct nv_dev *dev;
	/** @handle: GEM handle */
	uint32_t handle;
	/** @domain: NOUVEAU_GEM_DOMAIN_VRAM or _GART */
	uint32_t domain;
	/** @va: GPU address */
	uint64_t va;
	/** @size: bytes */
	uint64_t size;
	/** @map: CPU mapping */
	void *map;
};

#define NV_CHAN_MAX_BO 16

/** struct nv_chan - a channel with the buffers that every submission uses */
struct nv_chan {
	/** @dev: its file */
	struct nv_dev *dev;
	/** @id: kernel's number */
	int id;
	/** @engine: what it runs on */
	enum nv_engine engine;
	/** @compute_class: class of the compute object, 0: none */
	uint32_t compute_class;
	/** @copy_class: class of the copy object */
	uint32_t copy_class;
	/** @push: push buffer, @put: words written, @start: first word not submitted */
	struct nv_bo push;
	uint32_t put, start;
	/** @code: programs, @code_used: bytes */
	struct nv_bo code;
	uint32_t code_used;
	/** @launch: a ring of QMDs and kernel arguments, @launch_next: next slot */
	struct nv_bo launch;
	uint32_t launch_next;
	/** @fence: word 0 is the number of the last submission that completed */
	struct nv_bo fence;
	/** @seq: number of the last submission */
	uint32_t seq;
	/** @extra: further buffers of the next submission, @nr_extra: how many */
	struct nv_bo *extra[NV_CHAN_MAX_BO];
	uint32_t nr_extra;
};

/** struct nv_kernel - a program in a channel's code buffer */
struct nv_kernel {
	/** @offset: from the start of the code buffer */
	uint32_t offset;
	/** @regs: registers a thread */
	uint32_t regs;
	/** @shared: bytes of shared memory a CTA; nv_kernel_load() sets 0 */
	uint32_t shared;
};

/**
 * nv_dev_open() - open a render node driven by nouveau.
 * @path: "/dev/dri/renderD128", or NULL for the first one.
 */
int nv_dev_open(struct nv_dev *dev, const char *path);
/** nv_dev_init() - use a file that is open already. */
int nv_dev_init(struct nv_dev *dev, int fd);
void nv_dev_close(struct nv_dev *dev);
int nv_getparam(struct nv_dev *dev, uint64_t param, uint64_t *value);

/**
 * nv_svm_init() - share the address space of this process with the GPU.
 *
 * Reserves the cut-out and calls SVM_INIT.  Comes before buffers and channels.
 */
int nv_svm_init(struct nv_dev *dev);
/** nv_svm_init_raw() - SVM_INIT with these numbers. */
int nv_svm_init_raw(int fd, uint64_t addr, uint64_t size);

/**
 * nv_svm_bind() - move [addr, addr + len) to VRAM (or, @vram false, to system memory).
 * @pages: gets the kernel's count of migrated pages; may be NULL.
 */
int nv_svm_bind(struct nv_dev *dev, const void *addr, size_t len, bool vram, uint64_t *pages);
int nv_svm_bind_raw(int fd, uint64_t header, uint64_t start, uint64_t end, uint64_t npages, uint64_t *pages);

int nv_bo_new(struct nv_dev *dev, uint64_t size, uint32_t domain, struct nv_bo *bo);
/** nv_bo_import() - the buffer behind a dma-buf, @fd, of @size bytes, without a CPU mapping. */
int nv_bo_import(struct nv_dev *dev, int fd, uint64_t size, struct nv_bo *bo);
void nv_bo_del(struct nv_bo *bo);
/** nv_bo_prep() - wait for the GPU to be done with @bo. */
int nv_bo_prep(struct nv_bo *bo, bool write);

/** nv_chan_new() - make a channel; GR channels get a compute and a copy object, CE channels a copy object. */
int nv_chan_new(struct nv_dev *dev, enum nv_engine engine, struct nv_chan *chan);
void nv_chan_del(struct nv_chan *chan);
/** nv_object_new() - make an object of class @oclass on the channel. */
int nv_object_new(struct nv_chan *chan, uint32_t handle, int32_t oclass);
/** nv_chan_alive() - Return: false once the kernel has killed the channel. */
bool nv_chan_alive(struct nv_chan *chan);

/** nv_method() - add one method with one datum to the push buffer. */
void nv_method(struct nv_chan *chan, enum nv_subc subc, uint32_t method, uint32_t data);
/** nv_methods() - add @n data for methods that count up from @method. */
void nv_methods(struct nv_chan *chan, enum nv_subc subc, uint32_t method, const uint32_t *data, uint32_t n);
/** nv_use() - the next submission uses @bo. */
void nv_use(struct nv_chan *chan, struct nv_bo *bo);
/** nv_submit() - hand over what was pushed; a fence follows it. */
int nv_submit(struct nv_chan *chan);
/**
 * nv_wait() - wait for the last submission.
 * @timeout_ms: 0 for a default that suits a slow emulator, or what the environment says (NV_WAIT_MS).
 *
 * Return: 0, -ENODEV when the channel was killed, -ETIMEDOUT.
 */
int nv_wait(struct nv_chan *chan, unsigned int timeout_ms);

/** nv_copy() - push a copy of @len bytes by the copy engine, GPU virtual addresses. */
void nv_copy(struct nv_chan *chan, uint64_t dst, uint64_t src, uint32_t len);

/** nv_kernel_load() - put a program into the channel's code buffer. */
int nv_kernel_load(struct nv_chan *chan, const struct sm6x *prog, struct nv_kernel *kernel);
/**
 * nv_launch() - push a launch.
 * @ctas: how many CTAs, @threads: threads in each.
 * @args: the kernel's arguments, constant bank 0; @len: bytes, up to 128.
 */
int nv_launch(struct nv_chan *chan, const struct nv_kernel *kernel, uint32_t ctas, uint32_t threads,
	      const void *args, size_t len);
/** nv_run() - launch, submit and wait. */
int nv_run(struct nv_chan *chan, const struct nv_kernel *kernel, uint32_t ctas, uint32_t threads, const void *args,
	   size_t len);

/* Ready-made programs; i is the thread's number in the grid, CTAs have 1 << @log2_threads threads. */
#define NV_LOG2_THREADS 5
#define NV_THREADS (1u << NV_LOG2_THREADS)

/** struct nv_args - what the ready-made programs take */
struct nv_args {
	/** @dst: written */
	uint64_t dst;
	/** @src: read */
	uint64_t src;
	/** @value: see each program */
	uint32_t value;
	/** @count: see each program */
	uint32_t count;
};

/** nv_asm_read() - dst[i] = word at src + (i << log2_stride) */
void nv_asm_read(struct sm6x *p, unsigned int log2_stride);
/** nv_asm_write() - word at dst + (i << log2_stride) = value + i */
void nv_asm_write(struct sm6x *p, unsigned int log2_stride);
/** nv_asm_add() - word at dst + (i << log2_stride) += value, atomically; log2_stride 32: all at dst */
void nv_asm_add(struct sm6x *p, unsigned int log2_stride);
/** nv_asm_copy() - dst[i] = src[i], words */
void nv_asm_copy(struct sm6x *p);
/** nv_asm_walk() - one thread: sum of @count words from src on, stride 1 << log2_stride, to dst */
void nv_asm_walk(struct sm6x *p, unsigned int log2_stride);
/** nv_asm_paint() - one thread: @count words from dst on, stride 1 << log2_stride, get value, value + 1, ... */
void nv_asm_paint(struct sm6x *p, unsigned int log2_stride);
/**
 * nv_asm_chase() - one thread: follow the list at src, whose nodes are {next, u32 value, u32 seen}.
 *
 * Adds up the values, sets each seen to @value, writes the sum to dst.
 */
void nv_asm_chase(struct sm6x *p);

#endif
