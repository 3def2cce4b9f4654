// SPDX-License-Identifier: MIT
/* sort [-n N]: bitonic sort of a malloc'd array; N is rounded up to a power of two. */
#include "clsvm.h"

#include <stdlib.h>

static const char source[] =
	"__kernel void exchange(__global uint *a, uint size, uint stride)\n"
	"{\n"
	"	uint i = get_global_id(0);\n"
	"	uint l = 2 * i - (i & (stride - 1)), r = l + stride;\n"
	"	uint x = a[l], y = a[r];\n"
	"	if ((x > y) == !(l & size)) {\n"
	"		a[l] = y;\n"
	"		a[r] = x;\n"
	"	}\n"
	"}\n";

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t want = clsvm_option(argc, argv, 'n', 2048), n = 128, i, bad = 0;
	uint32_t *a, *ref, seed = 23;
	struct clsvm cl;
	cl_uint size, stride;
	double t;

	while (n < want)
		n *= 2;
	a = clsvm_alloc(n * 4);
	ref = clsvm_alloc(n * 4);
	for (i = 0; i < n; i++)
		a[i] = ref[i] = clsvm_random(&seed);
	clsvm_open(&cl, source);
	t = clsvm_now();
	for (size = 2; size <= n; size *= 2) {
		for (stride = size / 2; stride; stride /= 2)
			clsvm_run(&cl, "exchange", n / 2, 64, "puu", a, size, stride);
	}
	t = clsvm_now() - t;
	qsort(ref, n, 4, compare);
	for (i = 0; i < n; i++)
		bad += a[i] != ref[i];
	clsvm_close(&cl);
	free(a);
	free(ref);
	return clsvm_verdict(&cl, "sort", !bad, t, "%zu numbers, %zu out of place", n, bad);
}
