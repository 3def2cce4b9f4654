// SPDX-License-Identifier: MIT
/* matmul [-n N]: C = A * B, N by N, tiles in local memory; rows are separate allocations. */
#include "clsvm.h"

#include <math.h>
#include <stdlib.h>

#define TILE 8

static const char source[] =
	"#define TILE 8\n"
	"/* OpenCL C has no pointers to pointers among its parameters; a structure may hold one. */\n"
	"typedef struct row { __global float *at; } row;\n"
	"__kernel void matmul(__global row *a, __global row *b, __global row *c, uint n)\n"
	"{\n"
	"	__local float at[TILE][TILE], bt[TILE][TILE];\n"
	"	uint r = get_global_id(1), k = get_global_id(0), lr = get_local_id(1), lk = get_local_id(0);\n"
	"	float s = 0;\n"
	"	for (uint t = 0; t < n; t += TILE) {\n"
	"		at[lr][lk] = a[r].at[t + lk];\n"
	"		bt[lr][lk] = b[t + lr].at[k];\n"
	"		barrier(CLK_LOCAL_MEM_FENCE);\n"
	"		for (uint i = 0; i < TILE; i++)\n"
	"			s = fma(at[lr][i], bt[i][lk], s);\n"
	"		barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	}\n"
	"	c[r].at[k] = s;\n"
	"}\n";

/* An array of pointers to rows, as C programs often have it: the GPU follows those too. */
static float **matrix(size_t n, uint32_t *seed)
{
	float **m = clsvm_alloc(n * sizeof(*m));
	size_t r, k;

	for (r = 0; r < n; r++) {
		m[r] = clsvm_alloc(n * 4);
		for (k = 0; k < n; k++)
			m[r][k] = seed ? (float)(clsvm_random(seed) % 200) / 100.0f - 1.0f : 0.0f;
	}
	return m;
}

static void drop(float **m, size_t n)
{
	size_t r;

	for (r = 0; r < n; r++)
		free(m[r]);
	free(m);
}

int main(int argc, char **argv)
{
	size_t n = clsvm_option(argc, argv, 'n', 64), r, k, i, bad = 0;
	uint32_t seed = 11;
	float **a, **b, **c;
	struct clsvm cl;
	double t;

	n = (n + TILE - 1) / TILE * TILE;
	a = matrix(n, &seed);
	b = matrix(n, &seed);
	c = matrix(n, NULL);
	clsvm_open(&cl, source);
	cl.piece = (1u << 26) / n;
	t = clsvm_now();
	clsvm_run2(&cl, "matmul", (const size_t[2]){ n, n }, (const size_t[2]){ TILE, TILE }, "pppu", a, b, c,
		   (cl_uint)n);
	t = clsvm_now() - t;
	for (r = 0; r < n; r++) {
		for (k = 0; k < n; k++) {
			float s = 0;

			for (i = 0; i < n; i++)
				s = fmaf(a[r][i], b[i][k], s);
			/* The same operations in the same order: the same bits. */
			bad += s != c[r][k];
		}
	}
	clsvm_close(&cl);
	drop(a, n);
	drop(b, n);
	drop(c, n);
	return clsvm_verdict(&cl, "matmul", !bad, t, "%zu x %zu, %zu elements wrong", n, n, bad);
}
