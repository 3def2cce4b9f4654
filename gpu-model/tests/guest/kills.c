// SPDX-License-Identifier: MIT
/*
 * kills N: N times over, a channel of GR computes rightly, then does what kills
 * it, in turns: a shader's write to nothing, inline data to nothing.  The next channel must
 * find GR in order.  Prints result lines of Documentation/testing.rst.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nouveau_chan.h"

#define BO_SIZE 65536u
#define NOWHERE 0x7f0000000000ull /* nothing is mapped there */
#define GEM_DOMAIN_GART 4u

/* cla140.h */
enum { I2M_LINE_LENGTH_IN = 0x180, I2M_LAUNCH_DMA = 0x1b0, I2M_LOAD_INLINE_DATA = 0x1b4 };
#define I2M_LAUNCH_PITCH 1u

static int compute(struct nv_chan *chan, uint64_t dst)
{
	struct nv_args args = { .dst = dst, .value = 1000 };
	struct nv_kernel kernel;
	struct sm6x prog = { 0 };
	int ret;

	chan->code_used = 0;
	nv_asm_write(&prog, 2);
	ret = nv_kernel_load(chan, &prog, &kernel);
	return ret ? ret : nv_run(chan, &kernel, 1, NV_THREADS, &args, sizeof(args));
}

static int inline_data(struct nv_chan *chan, uint64_t dst)
{
	const uint32_t lines[] = { 4, 1, (uint32_t)(dst >> 32), (uint32_t)dst };
	int ret;

	if (nv_object_new(chan, NV_KEPLER_INLINE_TO_MEMORY_B, NV_KEPLER_INLINE_TO_MEMORY_B))
		return -ENODEV;
	nv_method(chan, NV_SUBC_I2M, 0, NV_KEPLER_INLINE_TO_MEMORY_B);
	nv_methods(chan, NV_SUBC_I2M, I2M_LINE_LENGTH_IN, lines, 4);
	nv_method(chan, NV_SUBC_I2M, I2M_LAUNCH_DMA, I2M_LAUNCH_PITCH);
	nv_method(chan, NV_SUBC_I2M, I2M_LOAD_INLINE_DATA, 0x12345678);
	ret = nv_submit(chan);
	return ret ? ret : nv_wait(chan, 0);
}

/* One life of a channel.  Return: NULL, or what went wrong. */
static const char *life(struct nv_dev *dev, int turn)
{
	const char *bad = NULL;
	struct nv_chan chan;
	struct nv_bo bo;
	uint32_t *w;

	if (nv_chan_new(dev, NV_ENGINE_GR, &chan))
		return "no channel";
	if (nv_bo_new(dev, BO_SIZE, GEM_DOMAIN_GART, &bo)) {
		nv_chan_del(&chan);
		return "no buffer";
	}
	w = bo.map;
	memset(w, 0, BO_SIZE);
	nv_use(&chan, &bo);
	if (compute(&chan, bo.va))
		bad = "a good kernel failed";
	for (uint32_t i = 0; i < NV_THREADS && !bad; i++) {
		if (w[i] != 1000 + i)
			bad = "wrong results";
	}
	if (!bad && (turn % 2 ? inline_data(&chan, NOWHERE) : compute(&chan, NOWHERE)) == 0)
		bad = "an access to nothing went through";
	if (!bad && nv_chan_alive(&chan))
		bad = "the channel lives on";
	nv_bo_del(&bo);
	nv_chan_del(&chan);
	return bad;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 50;
	const char *bad = NULL;
	struct nv_dev dev;
	int turn = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (nv_dev_open(&dev, NULL)) {
		puts("FAIL kills/open: no render node of nouveau");
		return 1;
	}
	for (; turn < n && !bad; turn++)
		bad = life(&dev, turn);
	nv_dev_close(&dev);
	if (bad) {
		printf("FAIL kills/each: channel %d of %d: %s\n", turn, n, bad);
		return 1;
	}
	printf("%d channels killed\nPASS kills/each\n", n);
	return 0;
}
