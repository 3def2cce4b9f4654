// SPDX-License-Identifier: MIT
/* vecadd [-n N]: c[i] = a[i] + b[i] on three malloc'd arrays. */
#include "clsvm.h"

#include <stdlib.h>

static const char source[] =
	"__kernel void vecadd(__global const float *a, __global const float *b, __global float *c, uint n)\n"
	"{\n"
	"	uint i = get_global_id(0);\n"
	"	if (i < n)\n"
	"		c[i] = a[i] + b[i];\n"
	"}\n";

int main(int argc, char **argv)
{
	size_t n = clsvm_option(argc, argv, 'n', 16384), i, bad = 0;
	float *a = clsvm_alloc(n * 4), *b = clsvm_alloc(n * 4), *c = clsvm_alloc(n * 4);
	struct clsvm cl;
	double t;

	for (i = 0; i < n; i++) {
		a[i] = (float)i;
		b[i] = 0.5f * (float)(i % 1000);
		c[i] = -1.0f;
	}
	clsvm_open(&cl, source);
	t = clsvm_now();
	clsvm_run(&cl, "vecadd", (n + 63) / 64 * 64, 64, "pppu", a, b, c, (cl_uint)n);
	t = clsvm_now() - t;
	for (i = 0; i < n; i++)
		bad += c[i] != a[i] + b[i];
	clsvm_close(&cl);
	free(a);
	free(b);
	free(c);
	return clsvm_verdict(&cl, "vecadd", !bad, t, "%zu elements, %zu wrong", n, bad);
}
