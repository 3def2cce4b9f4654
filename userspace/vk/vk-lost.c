// SPDX-License-Identifier: MIT
/*
 * vk-lost fault|hang: a shader that writes to an address where nothing is, or one that does not end.  The device
 * must be lost, and a new one compute rightly.  Prints "PASS vk-lost@NAME" or "FAIL vk-lost@NAME: reason".
 *
 * A hang is ended by the kernel: by PFIFO's time-out when another channel wants the engine, else by the job's (10 s).
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "map.spv.h"
#include "poke.spv.h"
#include "spin.spv.h"
#include "vkc.h"

/* Push constants of the shaders (words.glsl) */
struct push {
	uint64_t dst, src, aux;
	uint32_t n, a, b, pad;
};
#define PUSH_BYTES 36u
/* below what NVK maps from the top of its 256 GiB down */
#define NOWHERE 0x1000000000ull

static struct vkc vk;

#define PIPE(name, p) vkc_pipe_new(&vk, spv_##name, sizeof(spv_##name), PUSH_BYTES, NULL, 0, NULL, p)

static void compute(void)
{
	const uint32_t n = 1000;
	VkCommandBuffer cmd = vkc_begin(&vk);
	struct vkc_buf src, dst;
	struct vkc_pipe p;

	PIPE(map, &p);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &src);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &dst);
	for (uint32_t i = 0; i < n; i++)
		((uint32_t *)src.map)[i] = i * 0x9e3779b9;
	vkc_dispatch(cmd, &p, &(struct push){ .dst = dst.va, .src = src.va, .n = n, .a = 5, .b = 6 }, PUSH_BYTES,
		     (n + 63) / 64, 1, 1);
	vkc_must(&vk, vkc_run(&vk, cmd), "a good dispatch");
	for (uint32_t i = 0; i < n; i++) {
		uint32_t v = i * 0x9e3779b9;

		if (((uint32_t *)dst.map)[i] != 5 * v + (v >> 3 ^ 6))
			vkc_die(&vk, "word %u is %08x", i, ((uint32_t *)dst.map)[i]);
	}
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &p);
}

static void lose(bool hang)
{
	VkCommandBuffer cmd = vkc_begin(&vk);
	struct vkc_buf b;
	struct vkc_pipe p;
	VkResult r;

	if (hang)
		PIPE(spin, &p);
	else
		PIPE(poke, &p);
	vkc_buf_new(&vk, 4096, VKC_HOST, &b);
	vkc_dispatch(cmd, &p, &(struct push){ .dst = hang ? b.va : NOWHERE }, PUSH_BYTES, 1, 1, 1);
	r = vkc_run(&vk, cmd);
	/* the submission may be taken and its fence signalled with the error: then the next one says so */
	if (r == VK_SUCCESS) {
		cmd = vkc_begin(&vk);
		r = vkc_run(&vk, cmd);
	}
	if (r != VK_ERROR_DEVICE_LOST)
		vkc_die(&vk, "VkResult %d, not VK_ERROR_DEVICE_LOST", r);
	vkc_buf_del(&vk, &b);
	vkc_pipe_del(&vk, &p);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "fault";

	setvbuf(stdout, NULL, _IOLBF, 0);
	vkc_open(&vk, "vk-lost");
	vk.test = name;
	compute();
	lose(!strcmp(name, "hang"));
	vkc_close(&vk);
	vkc_open(&vk, "vk-lost");
	vk.test = name;
	compute();
	vkc_close(&vk);
	printf("PASS vk-lost@%s\n", name);
	return 0;
}
