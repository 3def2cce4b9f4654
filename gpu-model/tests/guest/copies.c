// SPDX-License-Identifier: MIT
/*
 * copies NODE GPU N SEED: N times over, SEED's pattern goes from system memory to
 * VRAM and back by the copy engine, on a channel of the render node NODE.  What
 * comes back must be the pattern, and the ledger of GPU number GPU must count these
 * copies and no others; "-" for GPU: nobody asks the ledger.  With N 0 it stops itself
 * (SIGSTOP) while the pattern is in VRAM, and brings it back once it is continued.
 * Prints one line, and says what went wrong on stderr.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_model.h"
#include "nouveau_chan.h"

#define LEN 65536u
#define GEM_DOMAIN_VRAM 2u
#define GEM_DOMAIN_GART 4u

static uint32_t word(uint32_t seed, uint32_t turn, uint32_t i)
{
	return (seed + turn) * 2246822519u ^ i * 2654435761u;
}

static int submit(struct nv_chan *chan)
{
	int ret = nv_submit(chan);

	return ret ? ret : nv_wait(chan, 0);
}

/* One copy there and back, @stop: with a stop between.  Return: NULL, or what went wrong. */
static const char *there_and_back(struct nv_chan *chan, struct nv_bo bo[3], uint32_t seed, uint32_t turn, bool stop)
{
	uint32_t *src = bo[0].map, *back = bo[2].map;

	for (uint32_t i = 0; i < LEN / 4; i++) {
		src[i] = word(seed, turn, i);
		back[i] = ~src[i];
	}
	for (int i = 0; i < 3; i++)
		nv_use(chan, &bo[i]);
	nv_copy(chan, bo[1].va, bo[0].va, LEN);
	if (stop) {
		if (submit(chan))
			return "the copy to VRAM did not end";
		memset(src, 0, LEN);
		raise(SIGSTOP);
		for (int i = 0; i < 3; i++)
			nv_use(chan, &bo[i]);
	}
	nv_copy(chan, bo[2].va, bo[1].va, LEN);
	if (submit(chan))
		return "the copy did not end";
	for (uint32_t i = 0; i < LEN / 4; i++) {
		if (back[i] != word(seed, turn, i))
			return "other data came back";
	}
	return NULL;
}

static const char *count(struct gpu_model *model, uint32_t turns)
{
	uint64_t launches = gpu_model_ledger(model, "ce_launch");
	uint64_t up = gpu_model_ledger(model, "ce_bytes_sys_to_vram");
	uint64_t down = gpu_model_ledger(model, "ce_bytes_vram_to_sys");

	if (launches == 2ull * turns && up == (uint64_t)LEN * turns && down == (uint64_t)LEN * turns)
		return NULL;
	fprintf(stderr, "copies: %llu launches, %llu bytes there, %llu back, in %u turns\n", (unsigned long long)launches,
		(unsigned long long)up, (unsigned long long)down, turns);
	return "the ledger counts otherwise";
}

int main(int argc, char **argv)
{
	static const uint32_t domain[3] = { GEM_DOMAIN_GART, GEM_DOMAIN_VRAM, GEM_DOMAIN_GART };
	uint32_t turns, seed, turn = 0;
	struct gpu_model *model = NULL;
	const char *bad = NULL;
	struct nv_dev dev;
	struct nv_chan chan;
	struct nv_bo bo[3];

	if (argc != 5) {
		fputs("usage: copies NODE GPU N SEED\n", stderr);
		return 2;
	}
	turns = (uint32_t)strtoul(argv[3], NULL, 0);
	seed = (uint32_t)strtoul(argv[4], NULL, 0);
	if (strcmp(argv[2], "-"))
		model = gpu_model_open(atoi(argv[2]));
	if ((!model && strcmp(argv[2], "-")) || nv_dev_open(&dev, argv[1]) || nv_chan_new(&dev, NV_ENGINE_GR, &chan)) {
		fprintf(stderr, "copies: no control port, no render node or no channel (%s)\n", strerror(errno));
		return 1;
	}
	for (int i = 0; i < 3; i++) {
		if (nv_bo_new(&dev, LEN, domain[i], &bo[i])) {
			fputs("copies: no buffer\n", stderr);
			return 1;
		}
	}
	if (model && gpu_model_ledger_reset(model))
		bad = "no ledger";
	if (turns == 0)
		bad = there_and_back(&chan, bo, seed, turn, true);
	for (; turn < turns && !bad; turn++)
		bad = there_and_back(&chan, bo, seed, turn, false);
	if (model && turns && !bad)
		bad = count(model, turns);
	for (int i = 0; i < 3; i++)
		nv_bo_del(&bo[i]);
	nv_chan_del(&chan);
	nv_dev_close(&dev);
	if (model)
		gpu_model_close(model);
	if (bad) {
		fprintf(stderr, "copies: turn %u of %u: %s\n", turn, turns, bad);
		return 1;
	}
	printf("%u copies there and back on %s\n", turns ? turns : 1, argv[1]);
	return 0;
}
