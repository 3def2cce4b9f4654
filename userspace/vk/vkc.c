// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vkc.h"

#define TIMEOUT_NS 60000000000ull

void vkc_die(const struct vkc *c, const char *fmt, ...)
{
	va_list ap;

	printf("FAIL %s@%s: ", c->prefix, c->test ? c->test : "device");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	exit(1);
}

void vkc_must(const struct vkc *c, VkResult r, const char *what)
{
	if (r != VK_SUCCESS)
		vkc_die(c, "%s: VkResult %d", what, r);
}

static bool is_nvk(VkPhysicalDevice gpu)
{
	VkPhysicalDeviceDriverProperties drv = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES };
	VkPhysicalDeviceProperties2 prop = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &drv };

	vkGetPhysicalDeviceProperties2(gpu, &prop);
	return drv.driverID == VK_DRIVER_ID_MESA_NVK;
}

static void open_gpu(struct vkc *c)
{
	VkApplicationInfo app = { .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3 };
	VkInstanceCreateInfo inst = { .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app };
	VkPhysicalDevice gpus[8];
	uint32_t n = 8;

	vkc_must(c, vkCreateInstance(&inst, NULL, &c->instance), "vkCreateInstance");
	if (vkEnumeratePhysicalDevices(c->instance, &n, gpus) < 0)
		vkc_die(c, "no devices");
	for (uint32_t i = 0; i < n && !c->gpu; i++) {
		if (is_nvk(gpus[i]))
			c->gpu = gpus[i];
	}
	if (!c->gpu)
		vkc_die(c, "none of %u devices is NVK's", n);
}

static void open_device(struct vkc *c)
{
	static const char *const extensions[] = { VK_EXT_ROBUSTNESS_2_EXTENSION_NAME };
	static const float priority = 1;
	VkPhysicalDeviceVulkan11Features f11 = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES };
	VkPhysicalDeviceVulkan12Features f12 = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
						 .pNext = &f11 };
	VkPhysicalDeviceVulkan13Features f13 = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
						 .pNext = &f12 };
	VkPhysicalDeviceRobustness2FeaturesEXT rob = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT, .pNext = &f13 };
	/* every feature that there is, so that reads beyond a buffer's end are 0 */
	VkPhysicalDeviceFeatures2 f = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &rob };
	VkDeviceQueueCreateInfo q = { .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
				      .queueCount = 1, .pQueuePriorities = &priority };
	VkDeviceCreateInfo dev = { .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &f,
				   .queueCreateInfoCount = 1, .pQueueCreateInfos = &q,
				   .enabledExtensionCount = 1, .ppEnabledExtensionNames = extensions };
	VkCommandPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO };
	VkQueueFamilyProperties fam[8];
	uint32_t n = 8;

	vkGetPhysicalDeviceFeatures2(c->gpu, &f);
	vkGetPhysicalDeviceQueueFamilyProperties(c->gpu, &n, fam);
	while (c->family < n && !(fam[c->family].queueFlags & VK_QUEUE_COMPUTE_BIT))
		c->family++;
	if (c->family == n)
		vkc_die(c, "no compute queue");
	q.queueFamilyIndex = pool.queueFamilyIndex = c->family;
	vkc_must(c, vkCreateDevice(c->gpu, &dev, NULL, &c->dev), "vkCreateDevice");
	vkGetDeviceQueue(c->dev, c->family, 0, &c->queue);
	vkc_must(c, vkCreateCommandPool(c->dev, &pool, NULL, &c->pool), "vkCreateCommandPool");
}

void vkc_open(struct vkc *c, const char *prefix)
{
	memset(c, 0, sizeof(*c));
	c->prefix = prefix;
	open_gpu(c);
	open_device(c);
}

void vkc_close(struct vkc *c)
{
	vkDestroyCommandPool(c->dev, c->pool, NULL);
	vkDestroyDevice(c->dev, NULL);
	vkDestroyInstance(c->instance, NULL);
}

/* NVK on Pascal has three types: the card's, the card's through BAR1, the host's. */
static uint32_t memory_type(struct vkc *c, uint32_t allowed, enum vkc_place place)
{
	VkMemoryPropertyFlags want = place == VKC_HOST ? 0 : VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
	VkPhysicalDeviceMemoryProperties mem;

	if (place != VKC_VRAM)
		want |= VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
	vkGetPhysicalDeviceMemoryProperties(c->gpu, &mem);
	for (uint32_t i = 0; i < mem.memoryTypeCount; i++) {
		VkMemoryPropertyFlags flags = mem.memoryTypes[i].propertyFlags;

		if (allowed & 1u << i && (flags & want) == want &&
		    (place != VKC_HOST || !(flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT)))
			return i;
	}
	vkc_die(c, "no memory of kind %d", place);
}

static void buffer(struct vkc *c, size_t size, enum vkc_place place, VkBuffer *buf, VkDeviceMemory *mem)
{
	VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
		.size = size,
		.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
			 VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT |
			 VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
	};
	VkMemoryAllocateFlagsInfo flags = { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
					    .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT };
	VkMemoryAllocateInfo alloc = { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .pNext = &flags };
	VkMemoryRequirements req;

	vkc_must(c, vkCreateBuffer(c->dev, &info, NULL, buf), "vkCreateBuffer");
	vkGetBufferMemoryRequirements(c->dev, *buf, &req);
	alloc.allocationSize = req.size;
	alloc.memoryTypeIndex = memory_type(c, req.memoryTypeBits, place);
	vkc_must(c, vkAllocateMemory(c->dev, &alloc, NULL, mem), "vkAllocateMemory");
	vkc_must(c, vkBindBufferMemory(c->dev, *buf, *mem, 0), "vkBindBufferMemory");
}

void vkc_buf_new(struct vkc *c, size_t size, enum vkc_place place, struct vkc_buf *b)
{
	VkBufferDeviceAddressInfo addr = { .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO };

	memset(b, 0, sizeof(*b));
	b->size = size;
	b->place = place;
	buffer(c, size, place, &b->buf, &b->mem);
	if (place == VKC_VRAM)
		buffer(c, size, VKC_HOST, &b->copy, &b->copy_mem);
	vkc_must(c, vkMapMemory(c->dev, place == VKC_VRAM ? b->copy_mem : b->mem, 0, VK_WHOLE_SIZE, 0, &b->map),
		 "vkMapMemory");
	addr.buffer = b->buf;
	b->va = vkGetBufferDeviceAddress(c->dev, &addr);
	memset(b->map, 0, size);
	b->next = c->first;
	c->first = b;
}

void vkc_buf_del(struct vkc *c, struct vkc_buf *b)
{
	struct vkc_buf **p = &c->first;

	while (*p != b)
		p = &(*p)->next;
	*p = b->next;
	vkDestroyBuffer(c->dev, b->buf, NULL);
	vkFreeMemory(c->dev, b->mem, NULL);
	if (b->place == VKC_VRAM) {
		vkDestroyBuffer(c->dev, b->copy, NULL);
		vkFreeMemory(c->dev, b->copy_mem, NULL);
	}
}

void vkc_pipe_new(struct vkc *c, const uint32_t *code, size_t bytes, uint32_t push,
		  const VkDescriptorSetLayoutBinding *bindings, uint32_t n, const VkSpecializationInfo *spec,
		  struct vkc_pipe *p)
{
	VkShaderModuleCreateInfo mod = { .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
					 .codeSize = bytes, .pCode = code };
	VkDescriptorSetLayoutCreateInfo set = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
						.bindingCount = n, .pBindings = bindings };
	VkPushConstantRange range = { .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = push };
	VkPipelineLayoutCreateInfo layout = { .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
					      .pushConstantRangeCount = !!push, .pPushConstantRanges = &range };
	VkComputePipelineCreateInfo pipe = {
		.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
		.stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
			   .stage = VK_SHADER_STAGE_COMPUTE_BIT, .pName = "main", .pSpecializationInfo = spec },
	};

	memset(p, 0, sizeof(*p));
	vkc_must(c, vkCreateShaderModule(c->dev, &mod, NULL, &pipe.stage.module), "vkCreateShaderModule");
	if (n) {
		vkc_must(c, vkCreateDescriptorSetLayout(c->dev, &set, NULL, &p->set_layout), "set layout");
		layout.setLayoutCount = 1;
		layout.pSetLayouts = &p->set_layout;
	}
	vkc_must(c, vkCreatePipelineLayout(c->dev, &layout, NULL, &p->layout), "vkCreatePipelineLayout");
	pipe.layout = p->layout;
	vkc_must(c, vkCreateComputePipelines(c->dev, VK_NULL_HANDLE, 1, &pipe, NULL, &p->pipe),
		 "vkCreateComputePipelines");
	vkDestroyShaderModule(c->dev, pipe.stage.module, NULL);
}

void vkc_pipe_del(struct vkc *c, struct vkc_pipe *p)
{
	vkDestroyPipeline(c->dev, p->pipe, NULL);
	vkDestroyPipelineLayout(c->dev, p->layout, NULL);
	if (p->set_layout)
		vkDestroyDescriptorSetLayout(c->dev, p->set_layout, NULL);
}

VkCommandBuffer vkc_begin(struct vkc *c)
{
	VkCommandBufferAllocateInfo info = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
					     .commandPool = c->pool, .commandBufferCount = 1 };
	VkCommandBufferBeginInfo begin = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
					   .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT };
	VkCommandBuffer cmd;

	vkc_must(c, vkAllocateCommandBuffers(c->dev, &info, &cmd), "vkAllocateCommandBuffers");
	vkc_must(c, vkBeginCommandBuffer(cmd, &begin), "vkBeginCommandBuffer");
	return cmd;
}

void vkc_dispatch(VkCommandBuffer cmd, const struct vkc_pipe *p, const void *push, uint32_t bytes, uint32_t x,
		  uint32_t y, uint32_t z)
{
	vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, p->pipe);
	vkCmdPushConstants(cmd, p->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, bytes, push);
	vkCmdDispatch(cmd, x, y, z);
}

void vkc_barrier(VkCommandBuffer cmd)
{
	VkMemoryBarrier2 mb = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
		.srcStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
		.srcAccessMask = VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT,
		.dstStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
		.dstAccessMask = VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT,
	};
	VkDependencyInfo dep = { .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
				 .memoryBarrierCount = 1, .pMemoryBarriers = &mb };

	vkCmdPipelineBarrier2(cmd, &dep);
}

VkResult vkc_submit(struct vkc *c, VkCommandBuffer cmd, VkSemaphore wait, uint64_t wait_value, VkSemaphore signal,
		    uint64_t signal_value, VkFence fence)
{
	VkSemaphoreSubmitInfo w = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO, .semaphore = wait,
				    .value = wait_value, .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT };
	VkSemaphoreSubmitInfo s = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO, .semaphore = signal,
				    .value = signal_value, .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT };
	VkCommandBufferSubmitInfo b = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, .commandBuffer = cmd };
	VkSubmitInfo2 submit = {
		.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
		.waitSemaphoreInfoCount = wait != VK_NULL_HANDLE,
		.pWaitSemaphoreInfos = &w,
		.commandBufferInfoCount = 1,
		.pCommandBufferInfos = &b,
		.signalSemaphoreInfoCount = signal != VK_NULL_HANDLE,
		.pSignalSemaphoreInfos = &s,
	};

	return vkQueueSubmit2(c->queue, 1, &submit, fence);
}

/* End recording, submit, wait, free. */
static VkResult run(struct vkc *c, VkCommandBuffer cmd)
{
	VkFenceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO };
	VkFence fence;
	VkResult r;

	vkc_must(c, vkCreateFence(c->dev, &info, NULL, &fence), "vkCreateFence");
	r = vkEndCommandBuffer(cmd);
	if (r == VK_SUCCESS)
		r = vkc_submit(c, cmd, VK_NULL_HANDLE, 0, VK_NULL_HANDLE, 0, fence);
	if (r == VK_SUCCESS)
		r = vkWaitForFences(c->dev, 1, &fence, VK_TRUE, TIMEOUT_NS);
	if (r == VK_TIMEOUT)	/* the GPU may still use them */
		return r;
	vkDestroyFence(c->dev, fence, NULL);
	vkFreeCommandBuffers(c->dev, c->pool, 1, &cmd);
	return r;
}

VkResult vkc_sync(struct vkc *c, bool up)
{
	VkCommandBuffer cmd = VK_NULL_HANDLE;

	for (struct vkc_buf *b = c->first; b; b = b->next) {
		const VkBufferCopy all = { 0, 0, b->size };

		if (b->place != VKC_VRAM)
			continue;
		if (cmd == VK_NULL_HANDLE)
			cmd = vkc_begin(c);
		vkCmdCopyBuffer(cmd, up ? b->copy : b->buf, up ? b->buf : b->copy, 1, &all);
	}
	return cmd == VK_NULL_HANDLE ? VK_SUCCESS : run(c, cmd);
}

VkResult vkc_run(struct vkc *c, VkCommandBuffer cmd)
{
	VkResult r = vkc_sync(c, true);

	if (r == VK_SUCCESS)
		r = run(c, cmd);
	if (r == VK_SUCCESS)
		r = vkc_sync(c, false);
	return r;
}

VkSemaphore vkc_timeline(struct vkc *c, uint64_t value)
{
	VkSemaphoreTypeCreateInfo type = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
					   .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE, .initialValue = value };
	VkSemaphoreCreateInfo info = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type };
	VkSemaphore sem;

	vkc_must(c, vkCreateSemaphore(c->dev, &info, NULL, &sem), "vkCreateSemaphore");
	return sem;
}
