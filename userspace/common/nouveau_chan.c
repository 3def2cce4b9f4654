// SPDX-License-Identifier: MIT
/* nouveau channels by raw ioctls; nouveau_chan.h has the interface. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <drm.h>
#include <nouveau_drm.h>

#include "nouveau_chan.h"

#define PUSH_SIZE (256u << 10)
#define PUSH_WORDS (PUSH_SIZE / 4)
#define PUSH_SLACK 64			/* words kept free for what nv_submit() and nv_launch() add */
#define CODE_SIZE (64u << 10)
#define LAUNCH_SLOT 512u		/* 256 bytes of QMD, 256 of constant bank 0 */
#define LAUNCH_SLOTS 64u
#define LAUNCH_ARGS_MAX 128u
#define FENCE_SIZE 4096u
#define WAIT_DEFAULT_MS 120000u

/* struct nvif_ioctl_v0 with nvif_ioctl_new_v0 behind it: nvif/ioctl.h */
struct nvif_new {
	uint8_t version, type, pad02[4], owner, route;
	uint64_t token, object;
	struct {
		uint8_t version, pad01[6], route;
		uint64_t token, object;
		uint32_t handle;
		int32_t oclass;
	} arg;
};
#define NVIF_NEW 0x02
#define NVIF_OWNER_ANY 0xff
#define NVIF_ROUTE_CHANNEL 0xff

static int nv_ioctl(int fd, unsigned long nr, void *arg, size_t size, unsigned int dir)
{
	unsigned long req = _IOC(dir, DRM_IOCTL_BASE, DRM_COMMAND_BASE + nr, size);
	int ret;

	do {
		ret = ioctl(fd, req, arg);
	} while (ret == -1 && (errno == EINTR || errno == EAGAIN));
	return ret ? -errno : 0;
}

#define NV_W (_IOC_WRITE)
#define NV_RW (_IOC_READ | _IOC_WRITE)

int nv_getparam(struct nv_dev *dev, uint64_t param, uint64_t *value)
{
	struct drm_nouveau_getparam p = { .param = param };
	int ret = nv_ioctl(dev->fd, DRM_NOUVEAU_GETPARAM, &p, sizeof(p), NV_RW);

	if (!ret)
		*value = p.value;
	return ret;
}

int nv_dev_init(struct nv_dev *dev, int fd)
{
	uint64_t chipset = 0;
	int ret;

	memset(dev, 0, sizeof(*dev));
	dev->fd = fd;
	dev->next_object = 1;
	ret = nv_getparam(dev, NOUVEAU_GETPARAM_CHIPSET_ID, &chipset);
	dev->chipset = (uint32_t)chipset;
	return ret;
}

int nv_dev_open(struct nv_dev *dev, const char *path)
{
	char first[32];
	int fd = -1, i, ret;

	for (i = 128; !path && fd < 0 && i < 192; i++) {
		snprintf(first, sizeof(first), "/dev/dri/renderD%d", i);
		fd = open(first, O_RDWR | O_CLOEXEC);
	}
	if (path)
		fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno ? -errno : -ENODEV;
	ret = nv_dev_init(dev, fd);
	if (ret)
		close(fd);
	return ret;
}

void nv_dev_close(struct nv_dev *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
	if (dev->cutout)
		munmap(dev->cutout, NV_CUTOUT_SIZE);
	dev->cutout = NULL;
}

int nv_svm_init_raw(int fd, uint64_t addr, uint64_t size)
{
	struct drm_nouveau_svm_init init = { .unmanaged_addr = addr, .unmanaged_size = size };

	return nv_ioctl(fd, DRM_NOUVEAU_SVM_INIT, &init, sizeof(init), NV_RW);
}

int nv_svm_init(struct nv_dev *dev)
{
	uint64_t base;
	void *p = MAP_FAILED;
	int ret;

	/* Several files in a process: each has a cut-out of its own. */
	for (base = NV_CUTOUT_BASE; p == MAP_FAILED && base + NV_CUTOUT_SIZE <= 1ull << 40; base += NV_CUTOUT_SIZE)
		p = mmap((void *)(uintptr_t)base, NV_CUTOUT_SIZE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	ret = nv_svm_init_raw(dev->fd, (uintptr_t)p, NV_CUTOUT_SIZE);
	if (ret)
		munmap(p, NV_CUTOUT_SIZE);
	else
		dev->cutout = p;
	return ret;
}

int nv_svm_bind_raw(int fd, uint64_t header, uint64_t start, uint64_t end, uint64_t npages, uint64_t *pages)
{
	struct drm_nouveau_svm_bind bind = {
		.header = header, .va_start = start, .va_end = end, .npages = npages,
	};
	int ret = nv_ioctl(fd, DRM_NOUVEAU_SVM_BIND, &bind, sizeof(bind), NV_RW);

	if (pages)
		*pages = bind.result;
	return ret;
}

int nv_svm_bind(struct nv_dev *dev, const void *addr, size_t len, bool vram, uint64_t *pages)
{
	uint64_t target = vram ? NOUVEAU_SVM_BIND_TARGET__GPU_VRAM : 0;
	uint64_t header = (uint64_t)NOUVEAU_SVM_BIND_COMMAND__MIGRATE << NOUVEAU_SVM_BIND_COMMAND_SHIFT |
			  target << NOUVEAU_SVM_BIND_TARGET_SHIFT;
	uint64_t start = (uintptr_t)addr;

	return nv_svm_bind_raw(dev->fd, header, start, start + len, (len + 4095) / 4096, pages);
}

/* --- buffers --- */

int nv_bo_new(struct nv_dev *dev, uint64_t size, uint32_t domain, struct nv_bo *bo)
{
	struct drm_nouveau_gem_new req = {
		.info = { .domain = domain | NOUVEAU_GEM_DOMAIN_MAPPABLE, .size = size },
		.align = 4096,
	};
	int ret;

	memset(bo, 0, sizeof(*bo));
	if (domain == NOUVEAU_GEM_DOMAIN_GART)
		req.info.domain |= NOUVEAU_GEM_DOMAIN_COHERENT;
	ret = nv_ioctl(dev->fd, DRM_NOUVEAU_GEM_NEW, &req, sizeof(req), NV_RW);
	if (ret)
		return ret;
	bo->dev = dev;
	bo->handle = req.info.handle;
	bo->domain = domain;
	bo->va = req.info.offset;
	bo->size = req.info.size;
	bo->map = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd, (off_t)req.info.map_handle);
	if (bo->map == MAP_FAILED) {
		ret = -errno;
		bo->map = NULL;
		nv_bo_del(bo);
	}
	return ret;
}

int nv_bo_import(struct nv_dev *dev, int fd, uint64_t size, struct nv_bo *bo)
{
	struct drm_prime_handle prime = { .fd = fd };
	struct drm_nouveau_gem_info info = { 0 };
	int ret;

	memset(bo, 0, sizeof(*bo));
	if (ioctl(dev->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		return -errno;
	bo->dev = dev;
	bo->handle = info.handle = prime.handle;
	bo->domain = NOUVEAU_GEM_DOMAIN_GART;
	bo->size = size;
	ret = nv_ioctl(dev->fd, DRM_NOUVEAU_GEM_INFO, &info, sizeof(info), NV_RW);
	if (ret)
		nv_bo_del(bo);
	else
		bo->va = info.offset;
	return ret;
}

void nv_bo_del(struct nv_bo *bo)
{
	struct drm_gem_close req = { .handle = bo->handle };

	if (!bo->dev)
		return;
	if (bo->map)
		munmap(bo->map, bo->size);
	ioctl(bo->dev->fd, DRM_IOCTL_GEM_CLOSE, &req);
	memset(bo, 0, sizeof(*bo));
}

int nv_bo_prep(struct nv_bo *bo, bool write)
{
	struct drm_nouveau_gem_cpu_prep req = {
		.handle = bo->handle, .flags = write ? NOUVEAU_GEM_CPU_PREP_WRITE : 0,
	};

	return nv_ioctl(bo->dev->fd, DRM_NOUVEAU_GEM_CPU_PREP, &req, sizeof(req), NV_W);
}

/* --- channels --- */

int nv_object_new(struct nv_chan *chan, uint32_t handle, int32_t oclass)
{
	struct nvif_new req = {
		.type = NVIF_NEW, .owner = NVIF_OWNER_ANY, .route = NVIF_ROUTE_CHANNEL,
		.token = (uint64_t)(uint32_t)chan->id,
	};

	req.arg.object = req.arg.token = chan->dev->next_object++;
	req.arg.handle = handle;
	req.arg.oclass = oclass;
	return nv_ioctl(chan->dev->fd, DRM_NOUVEAU_NVIF, &req, sizeof(req), NV_RW);
}

static int start_engines(struct nv_chan *chan)
{
	int ret;

	nv_method(chan, NV_SUBC_COPY, 0, chan->copy_class);
	if (chan->engine == NV_ENGINE_GR) {
		nv_method(chan, NV_SUBC_COMPUTE, 0, chan->compute_class);
		nv_method(chan, NV_SUBC_COMPUTE, 0x077c, 0xff000000);	/* SET_SHADER_LOCAL_MEMORY_WINDOW */
		nv_method(chan, NV_SUBC_COMPUTE, 0x0214, 0xfe000000);	/* SET_SHADER_SHARED_MEMORY_WINDOW */
		nv_method(chan, NV_SUBC_COMPUTE, 0x0310, 0x400);	/* SET_SPA_VERSION */
		nv_method(chan, NV_SUBC_COMPUTE, 0x1608, (uint32_t)(chan->code.va >> 32)); /* SET_PROGRAM_REGION */
		nv_method(chan, NV_SUBC_COMPUTE, 0x160c, (uint32_t)chan->code.va);
	}
	ret = nv_submit(chan);
	return ret ? ret : nv_wait(chan, 0);
}

int nv_chan_new(struct nv_dev *dev, enum nv_engine engine, struct nv_chan *chan)
{
	struct drm_nouveau_channel_alloc req = { .fb_ctxdma_handle = ~0u, .tt_ctxdma_handle = (uint32_t)engine };
	bool gp100 = dev->chipset == 0x130;
	int ret;

	memset(chan, 0, sizeof(*chan));
	ret = nv_ioctl(dev->fd, DRM_NOUVEAU_CHANNEL_ALLOC, &req, sizeof(req), NV_RW);
	if (ret)
		return ret;
	chan->dev = dev;
	chan->id = req.channel;
	chan->engine = engine;
	chan->copy_class = gp100 ? NV_PASCAL_DMA_COPY_A : NV_PASCAL_DMA_COPY_B;
	ret = nv_object_new(chan, 0xbeef0001, (int32_t)chan->copy_class);
	if (!ret && engine == NV_ENGINE_GR) {
		chan->compute_class = gp100 ? NV_PASCAL_COMPUTE_A : NV_PASCAL_COMPUTE_B;
		ret = nv_object_new(chan, 0xbeef0002, (int32_t)chan->compute_class);
	}
	if (!ret)
		ret = nv_bo_new(dev, PUSH_SIZE, NOUVEAU_GEM_DOMAIN_GART, &chan->push);
	if (!ret)
		ret = nv_bo_new(dev, CODE_SIZE, NOUVEAU_GEM_DOMAIN_GART, &chan->code);
	if (!ret)
		ret = nv_bo_new(dev, LAUNCH_SLOT * LAUNCH_SLOTS, NOUVEAU_GEM_DOMAIN_GART, &chan->launch);
	if (!ret)
		ret = nv_bo_new(dev, FENCE_SIZE, NOUVEAU_GEM_DOMAIN_GART, &chan->fence);
	if (!ret) {
		memset(chan->fence.map, 0, FENCE_SIZE);
		ret = start_engines(chan);
	}
	if (ret)
		nv_chan_del(chan);
	return ret;
}

void nv_chan_del(struct nv_chan *chan)
{
	struct drm_nouveau_channel_free req = { .channel = chan->id };

	if (!chan->dev)
		return;
	nv_ioctl(chan->dev->fd, DRM_NOUVEAU_CHANNEL_FREE, &req, sizeof(req), NV_W);
	nv_bo_del(&chan->push);
	nv_bo_del(&chan->code);
	nv_bo_del(&chan->launch);
	nv_bo_del(&chan->fence);
	memset(chan, 0, sizeof(*chan));
}

static int pushbuf(struct nv_chan *chan, struct drm_nouveau_gem_pushbuf_bo *bo, uint32_t nr_bo,
		   struct drm_nouveau_gem_pushbuf_push *push, uint32_t nr_push)
{
	struct drm_nouveau_gem_pushbuf req = {
		.channel = (uint32_t)chan->id,
		.nr_buffers = nr_bo,
		.buffers = (uintptr_t)bo,
		.nr_push = nr_push,
		.push = (uintptr_t)push,
	};

	return nv_ioctl(chan->dev->fd, DRM_NOUVEAU_GEM_PUSHBUF, &req, sizeof(req), NV_RW);
}

bool nv_chan_alive(struct nv_chan *chan)
{
	return pushbuf(chan, NULL, 0, NULL, 0) == 0;
}

/* Room for @words more; when the buffer is full, what is in it runs first. */
static void reserve(struct nv_chan *chan, uint32_t words)
{
	if (chan->put + words + PUSH_SLACK < PUSH_WORDS)
		return;
	if (chan->put != chan->start)
		nv_submit(chan);
	nv_wait(chan, 0);
	chan->put = chan->start = 0;
}

static void put_word(struct nv_chan *chan, uint32_t v)
{
	((volatile uint32_t *)chan->push.map)[chan->put++] = v;
}

void nv_methods(struct nv_chan *chan, enum nv_subc subc, uint32_t method, const uint32_t *data, uint32_t n)
{
	uint32_t i;

	reserve(chan, n + 1);
	put_word(chan, 1u << 29 | n << 16 | (uint32_t)subc << 13 | method >> 2);
	for (i = 0; i < n; i++)
		put_word(chan, data[i]);
}

void nv_method(struct nv_chan *chan, enum nv_subc subc, uint32_t method, uint32_t data)
{
	nv_methods(chan, subc, method, &data, 1);
}

void nv_use(struct nv_chan *chan, struct nv_bo *bo)
{
	uint32_t i;

	for (i = 0; i < chan->nr_extra; i++) {
		if (chan->extra[i] == bo)
			return;
	}
	if (chan->nr_extra < NV_CHAN_MAX_BO)
		chan->extra[chan->nr_extra++] = bo;
}

static void use_bo(struct drm_nouveau_gem_pushbuf_bo *ref, const struct nv_bo *bo)
{
	ref->handle = bo->handle;
	ref->read_domains = ref->write_domains = ref->valid_domains = bo->domain;
}

int nv_submit(struct nv_chan *chan)
{
	struct drm_nouveau_gem_pushbuf_bo bo[4 + NV_CHAN_MAX_BO];
	struct drm_nouveau_gem_pushbuf_push push;
	uint32_t n = 0, i;
	int ret;

	/* Fence: a semaphore release by the host, after the engines are idle. */
	put_word(chan, 1u << 29 | 4u << 16 | 0x0010 >> 2);	/* SEMAPHOREA..D */
	put_word(chan, (uint32_t)(chan->fence.va >> 32));
	put_word(chan, (uint32_t)chan->fence.va);
	put_word(chan, ++chan->seq);
	put_word(chan, 1u << 24 | 2);				/* one word, release, wait for idle */

	memset(bo, 0, sizeof(bo));
	use_bo(&bo[n++], &chan->push);
	use_bo(&bo[n++], &chan->code);
	use_bo(&bo[n++], &chan->launch);
	use_bo(&bo[n++], &chan->fence);
	for (i = 0; i < chan->nr_extra; i++)
		use_bo(&bo[n++], chan->extra[i]);
	chan->nr_extra = 0;

	memset(&push, 0, sizeof(push));
	push.offset = chan->start * 4ull;
	push.length = (chan->put - chan->start) * 4ull;
	ret = pushbuf(chan, bo, n, &push, 1);
	chan->start = chan->put;
	return ret;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int nv_wait(struct nv_chan *chan, unsigned int timeout_ms)
{
	const char *patience = getenv("NV_WAIT_MS");
	uint64_t end = now_ms() + (timeout_ms ? timeout_ms : patience ? strtoul(patience, NULL, 0) : WAIT_DEFAULT_MS);
	unsigned int turn;

	for (turn = 0;; turn++) {
		struct timespec pause = { .tv_nsec = turn < 20 ? 50000 : 500000 };

		/* Pairs with the GPU's release: what it wrote before is seen after. */
		if (__atomic_load_n((uint32_t *)chan->fence.map, __ATOMIC_ACQUIRE) == chan->seq)
			return 0;
		if (turn % 16 == 15) {
			if (!nv_chan_alive(chan))
				return -ENODEV;
			if (now_ms() > end)
				return -ETIMEDOUT;
		}
		nanosleep(&pause, NULL);
	}
}

void nv_copy(struct nv_chan *chan, uint64_t dst, uint64_t src, uint32_t len)
{
	const uint32_t addr[4] = { (uint32_t)(src >> 32), (uint32_t)src, (uint32_t)(dst >> 32), (uint32_t)dst };

	nv_methods(chan, NV_SUBC_COPY, 0x0400, addr, 4);	/* OFFSET_IN_UPPER.. */
	nv_method(chan, NV_SUBC_COPY, 0x0418, len);		/* LINE_LENGTH_IN */
	/* LAUNCH_DMA: non-pipelined, flush, pitch on both sides, one line */
	nv_method(chan, NV_SUBC_COPY, 0x0300, 2 | 1 << 2 | 1 << 7 | 1 << 8);
}

/* --- kernels --- */

int nv_kernel_load(struct nv_chan *chan, const struct sm6x *prog, struct nv_kernel *kernel)
{
	uint32_t size = (sm6x_size(prog) + 255) & ~255u;

	/* The fetcher reads ahead: keep a page of the buffer unused at its end. */
	if (chan->code_used + size + 4096 > CODE_SIZE)
		return -ENOSPC;
	kernel->offset = chan->code_used;
	kernel->regs = 32;
	kernel->shared = 0;
	memcpy((char *)chan->code.map + chan->code_used, prog->word, sm6x_size(prog));
	chan->code_used += size;
	return 0;
}

static void qmd_set(uint32_t *qmd, unsigned int hi, unsigned int lo, uint32_t v)
{
	unsigned int word = lo / 32, shift = lo % 32;
	uint32_t mask = hi - lo == 31 ? ~0u : (1u << (hi - lo + 1)) - 1;

	qmd[word] = (qmd[word] & ~(mask << shift)) | (v & mask) << shift;
}

int nv_launch(struct nv_chan *chan, const struct nv_kernel *kernel, uint32_t ctas, uint32_t threads,
	      const void *args, size_t len)
{
	uint32_t slot = chan->launch_next % LAUNCH_SLOTS;
	uint64_t qmd_va = chan->launch.va + slot * LAUNCH_SLOT, cb_va = qmd_va + 256;
	uint32_t qmd[64] = { 0 };
	int ret;

	if (len > LAUNCH_ARGS_MAX)
		return -EINVAL;
	if (chan->launch_next && slot == 0) {
		/* Each slot may still be in use: let all end before the ring starts again. */
		ret = nv_submit(chan);
		if (!ret)
			ret = nv_wait(chan, 0);
		if (ret)
			return ret;
	}
	chan->launch_next++;

	/* QMD V02_01, clc1c0qmd.h */
	qmd_set(qmd, 134, 134, 1);			/* SM_GLOBAL_CACHING_ENABLE */
	qmd_set(qmd, 287, 256, kernel->offset);		/* PROGRAM_OFFSET */
	qmd_set(qmd, 378, 378, 1);			/* API_VISIBLE_CALL_LIMIT_NO_CHECK */
	qmd_set(qmd, 415, 384, ctas);			/* CTA_RASTER_WIDTH, HEIGHT, DEPTH */
	qmd_set(qmd, 431, 416, 1);
	qmd_set(qmd, 463, 448, 1);
	qmd_set(qmd, 561, 544, kernel->shared);		/* SHARED_MEMORY_SIZE */
	qmd_set(qmd, 579, 576, 1);			/* QMD_VERSION, QMD_MAJOR_VERSION */
	qmd_set(qmd, 583, 580, 2);
	qmd_set(qmd, 607, 592, threads);		/* CTA_THREAD_DIMENSION0..2 */
	qmd_set(qmd, 623, 608, 1);
	qmd_set(qmd, 639, 624, 1);
	qmd_set(qmd, 640, 640, 1);			/* CONSTANT_BUFFER_VALID(0) */
	qmd_set(qmd, 991, 984, kernel->regs);		/* REGISTER_COUNT */
	qmd_set(qmd, 1055, 1024, (uint32_t)cb_va);	/* CONSTANT_BUFFER_ADDR(0) */
	qmd_set(qmd, 1072, 1056, (uint32_t)(cb_va >> 32));
	qmd_set(qmd, 1087, 1075, 256 >> 4);		/* CONSTANT_BUFFER_SIZE_SHIFTED4(0) */
	memcpy((char *)chan->launch.map + slot * LAUNCH_SLOT, qmd, sizeof(qmd));
	memcpy((char *)chan->launch.map + slot * LAUNCH_SLOT + 256, args, len);

	nv_method(chan, NV_SUBC_COMPUTE, 0x021c, 0x1011);	/* INVALIDATE_SHADER_CACHES: code, data, constants */
	nv_method(chan, NV_SUBC_COMPUTE, 0x02b4, (uint32_t)(qmd_va >> 8));	/* SEND_PCAS_A */
	nv_method(chan, NV_SUBC_COMPUTE, 0x02bc, 3);	/* SEND_SIGNALING_PCAS_B: invalidate, schedule */
	nv_method(chan, NV_SUBC_COMPUTE, 0x0110, 0);	/* WAIT_FOR_IDLE */
	return 0;
}

int nv_run(struct nv_chan *chan, const struct nv_kernel *kernel, uint32_t ctas, uint32_t threads, const void *args,
	   size_t len)
{
	int ret = nv_launch(chan, kernel, ctas, threads, args, len);

	if (!ret)
		ret = nv_submit(chan);
	return ret ? ret : nv_wait(chan, 0);
}

/* Registers of the ready-made programs */
enum { R_I = 0, R_T = 1, R_DST = 2, R_SRC = 4, R_VAL = 6, R_TMP = 7, R_CNT = 8, R_SUM = 9, R_NODE = 10 };

#define ARG(member) ((unsigned int)offsetof(struct nv_args, member))

static void asm_pair(struct sm6x *p, unsigned int reg, unsigned int arg)
{
	sm6x_mov_c(p, reg, 0, arg);
	sm6x_mov_c(p, reg + 1, 0, arg + 4);
}

static void asm_start(struct sm6x *p)
{
	sm6x_init(p);
	sm6x_s2r(p, R_I, SM6X_SR_CTAID_X);
	sm6x_s2r(p, R_T, SM6X_SR_TID_X);
	sm6x_shl(p, R_I, R_I, NV_LOG2_THREADS);
	sm6x_iadd(p, R_I, R_I, R_T, SM6X_NC);
	asm_pair(p, R_DST, ARG(dst));
	asm_pair(p, R_SRC, ARG(src));
	sm6x_mov_c(p, R_VAL, 0, ARG(value));
}

/* reg:reg+1 += i << log2 */
static void asm_index(struct sm6x *p, unsigned int reg, unsigned int log2)
{
	sm6x_shl(p, R_TMP, R_I, log2);
	sm6x_iadd(p, reg, reg, R_TMP, SM6X_CC);
	/* What a shift by log2 pushes out of 32 bits belongs to the upper word. */
	if (log2)
		sm6x_shr(p, R_TMP, R_I, 32 - log2);
	else
		sm6x_mov32i(p, R_TMP, 0);
	sm6x_iadd(p, reg + 1, reg + 1, R_TMP, SM6X_X);
}

void nv_asm_read(struct sm6x *p, unsigned int log2_stride)
{
	asm_start(p);
	asm_index(p, R_SRC, log2_stride);
	asm_index(p, R_DST, 2);
	sm6x_ld(p, SM6X_B32, R_TMP, R_SRC, 0);
	sm6x_st(p, SM6X_B32, R_DST, 0, R_TMP);
	sm6x_exit(p);
}

void nv_asm_write(struct sm6x *p, unsigned int log2_stride)
{
	asm_start(p);
	asm_index(p, R_DST, log2_stride);
	sm6x_iadd(p, R_VAL, R_VAL, R_I, SM6X_NC);
	sm6x_st(p, SM6X_B32, R_DST, 0, R_VAL);
	sm6x_exit(p);
}

void nv_asm_add(struct sm6x *p, unsigned int log2_stride)
{
	asm_start(p);
	if (log2_stride < 32)
		asm_index(p, R_DST, log2_stride);
	sm6x_red(p, SM6X_ADD, R_DST, 0, R_VAL);
	sm6x_exit(p);
}

void nv_asm_copy(struct sm6x *p)
{
	nv_asm_read(p, 2);
}

static void asm_advance(struct sm6x *p, unsigned int reg, unsigned int log2_stride)
{
	sm6x_mov32i(p, R_TMP, 1u << log2_stride);
	sm6x_iadd(p, reg, reg, R_TMP, SM6X_CC);
	sm6x_iadd(p, reg + 1, reg + 1, SM6X_RZ, SM6X_X);
}

static void asm_loop_end(struct sm6x *p, uint32_t top)
{
	sm6x_iadd_i(p, R_CNT, R_CNT, -1, SM6X_NC);
	sm6x_isetp(p, 0, SM6X_NE, R_CNT, SM6X_RZ);
	p->guard = 0;
	sm6x_bra(p, top);
	p->guard = SM6X_PT;
}

void nv_asm_walk(struct sm6x *p, unsigned int log2_stride)
{
	uint32_t top;

	asm_start(p);
	sm6x_mov_c(p, R_CNT, 0, ARG(count));
	sm6x_mov32i(p, R_SUM, 0);
	top = sm6x_size(p);
	sm6x_ld(p, SM6X_B32, R_VAL, R_SRC, 0);
	sm6x_iadd(p, R_SUM, R_SUM, R_VAL, SM6X_NC);
	asm_advance(p, R_SRC, log2_stride);
	asm_loop_end(p, top);
	sm6x_st(p, SM6X_B32, R_DST, 0, R_SUM);
	sm6x_exit(p);
}

void nv_asm_paint(struct sm6x *p, unsigned int log2_stride)
{
	uint32_t top;

	asm_start(p);
	sm6x_mov_c(p, R_CNT, 0, ARG(count));
	top = sm6x_size(p);
	sm6x_st(p, SM6X_B32, R_DST, 0, R_VAL);
	sm6x_iadd_i(p, R_VAL, R_VAL, 1, SM6X_NC);
	asm_advance(p, R_DST, log2_stride);
	asm_loop_end(p, top);
	sm6x_exit(p);
}

void nv_asm_chase(struct sm6x *p)
{
	uint32_t top;

	asm_start(p);
	sm6x_mov32i(p, R_SUM, 0);
	top = sm6x_size(p);
	sm6x_ld(p, SM6X_B32, R_TMP, R_SRC, 8);
	sm6x_iadd(p, R_SUM, R_SUM, R_TMP, SM6X_NC);
	sm6x_st(p, SM6X_B32, R_SRC, 12, R_VAL);
	sm6x_ld(p, SM6X_B64, R_NODE, R_SRC, 0);
	sm6x_mov(p, R_SRC, R_NODE);
	sm6x_mov(p, R_SRC + 1, R_NODE + 1);
	/* Addresses of a process are never 0 in their lower half at a node. */
	sm6x_isetp(p, 0, SM6X_NE, R_SRC, SM6X_RZ);
	p->guard = 0;
	sm6x_bra(p, top);
	p->guard = SM6X_PT;
	sm6x_st(p, SM6X_B32, R_DST, 0, R_SUM);
	sm6x_exit(p);
}
