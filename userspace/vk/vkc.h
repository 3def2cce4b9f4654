/* SPDX-License-Identifier: MIT */
/*
 * Vulkan compute in few words, for the programs of this directory: one NVK device with one queue, buffers that are
 * mapped and have addresses, pipelines, command buffers that run once.
 *
 * Whatever fails in Vulkan and is not the test's own question ends the program through vkc_die().
 */
#ifndef VKC_H
#define VKC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vulkan/vulkan.h>

/** struct vkc - a device and its queue */
struct vkc {
	/** @instance, @gpu, @dev, @queue: Vulkan's */
	VkInstance instance;
	VkPhysicalDevice gpu;
	VkDevice dev;
	VkQueue queue;
	/** @family: the queue's */
	uint32_t family;
	/** @pool: command buffers come from here */
	VkCommandPool pool;
	/** @first: the buffers that live */
	struct vkc_buf *first;
	/** @prefix: of result lines */
	const char *prefix;
	/** @test: name of the test that runs */
	const char *test;
};

/**
 * enum vkc_place - where a buffer's memory is
 * @VKC_HOST: system memory
 * @VKC_VRAM: the card's; the CPU has a copy, which vkc_run() brings up to date before and after
 * @VKC_BAR: the card's, mapped for the CPU through BAR1: slow
 */
enum vkc_place { VKC_HOST, VKC_VRAM, VKC_BAR };

/** struct vkc_buf - a buffer that the CPU sees */
struct vkc_buf {
	/** @next: of struct vkc's list */
	struct vkc_buf *next;
	/** @place: where it is */
	enum vkc_place place;
	/** @buf, @mem: Vulkan's */
	VkBuffer buf;
	VkDeviceMemory mem;
	/** @copy, @copy_mem: the CPU's copy of VKC_VRAM */
	VkBuffer copy;
	VkDeviceMemory copy_mem;
	/** @va: what shaders call it by */
	VkDeviceAddress va;
	/** @map: what the CPU calls it by */
	void *map;
	/** @size: bytes */
	size_t size;
};

/** struct vkc_pipe - a compute pipeline */
struct vkc_pipe {
	/** @layout, @set_layout, @pipe: Vulkan's; the set layout is NULL without descriptors */
	VkPipelineLayout layout;
	VkDescriptorSetLayout set_layout;
	VkPipeline pipe;
};

/** vkc_die() - report the running test as failed and end the program. */
void vkc_die(const struct vkc *c, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));
/** vkc_must() - vkc_die() unless @r is VK_SUCCESS. */
void vkc_must(const struct vkc *c, VkResult r, const char *what);

/** vkc_open() - the NVK device, with the features that these programs use. */
void vkc_open(struct vkc *c, const char *prefix);
void vkc_close(struct vkc *c);

/** vkc_buf_new() - a buffer; its contents are zero. */
void vkc_buf_new(struct vkc *c, size_t size, enum vkc_place place, struct vkc_buf *b);
void vkc_buf_del(struct vkc *c, struct vkc_buf *b);

/**
 * vkc_pipe_new() - a pipeline of @code (SPIR-V).
 * @push: bytes of push constants; @bindings: of set 0, @n: how many; @spec: may be NULL.
 */
void vkc_pipe_new(struct vkc *c, const uint32_t *code, size_t bytes, uint32_t push,
		  const VkDescriptorSetLayoutBinding *bindings, uint32_t n, const VkSpecializationInfo *spec,
		  struct vkc_pipe *p);
void vkc_pipe_del(struct vkc *c, struct vkc_pipe *p);

/** vkc_begin() - a command buffer that is being recorded. */
VkCommandBuffer vkc_begin(struct vkc *c);
/** vkc_dispatch() - bind, push @push, dispatch. */
void vkc_dispatch(VkCommandBuffer cmd, const struct vkc_pipe *p, const void *push, uint32_t bytes, uint32_t x,
		  uint32_t y, uint32_t z);
/** vkc_barrier() - everything before is done, and seen by everything after. */
void vkc_barrier(VkCommandBuffer cmd);
/**
 * vkc_submit() - hand over; waits for @wait to be @wait_value, and sets @signal to @signal_value, where not NULL.
 */
VkResult vkc_submit(struct vkc *c, VkCommandBuffer cmd, VkSemaphore wait, uint64_t wait_value, VkSemaphore signal,
		    uint64_t signal_value, VkFence fence);
/**
 * vkc_run() - end recording, submit, wait, free.
 *
 * The CPU's copies of buffers in the card's memory go there first, and come back afterwards.
 * Return: VK_SUCCESS or how it failed.
 */
VkResult vkc_run(struct vkc *c, VkCommandBuffer cmd);
/** vkc_sync() - the copying that vkc_run() does, by itself: @up to the card, else from it. */
VkResult vkc_sync(struct vkc *c, bool up);
/** vkc_timeline() - a timeline semaphore. */
VkSemaphore vkc_timeline(struct vkc *c, uint64_t value);

#endif
