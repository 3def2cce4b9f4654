/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets have in common: a quiet, deterministic GPU, bounded
 * engine steps, and (tests/fuzz_main.c) a random driver for compilers without
 * libFuzzer.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "gpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A new GPU, never freed.  Aborts when there is none. */
struct gpu *fuzz_gpu(void);
/* Up to @n engine steps. */
void fuzz_steps(struct gpu *gpu, uint64_t n);

#endif
