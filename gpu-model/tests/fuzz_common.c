// SPDX-License-Identifier: MIT
/* Owns what tests/fuzz.h tells of.  Locks: takes gpu->lock for the steps. */
#include "tests/fuzz.h"

#include <stdlib.h>
#include <time.h>

struct gpu *fuzz_gpu(void)
{
	struct gpu_config cfg;
	struct gpu *gpu;

	gpu_config_default(&cfg);
	cfg.vram_size = 256 * MiB;
	cfg.sms = 2;
	cfg.deterministic = true;
	cfg.verbose = -1;
	if (gpu_new(&cfg, &gpu))
		abort();
	return gpu;
}

void fuzz_steps(struct gpu *gpu, uint64_t n)
{
	fair_lock(&gpu->lock);
	gpu_run(gpu, n);
	fair_unlock(&gpu->lock);
}
