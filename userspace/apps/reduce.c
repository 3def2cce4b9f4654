// SPDX-License-Identifier: MIT
/* reduce [-n N]: groups add up in local memory, one atomic a group adds to the total. */
#include "clsvm.h"

#include <stdlib.h>

static const char source[] =
	"__kernel void reduce(__global const int *in, __global int *total, __local int *part, uint n)\n"
	"{\n"
	"	uint i = get_global_id(0), l = get_local_id(0);\n"
	"	part[l] = i < n ? in[i] : 0;\n"
	"	barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	for (uint s = get_local_size(0) / 2; s; s /= 2) {\n"
	"		if (l < s)\n"
	"			part[l] += part[l + s];\n"
	"		barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	}\n"
	"	if (!l)\n"
	"		atomic_add(total, part[0]);\n"
	"}\n";

int main(int argc, char **argv)
{
	size_t n = clsvm_option(argc, argv, 'n', 16384), i;
	int *in = clsvm_alloc(n * 4), *total = clsvm_alloc(4), sum = 0;
	uint32_t seed = 3;
	struct clsvm cl;
	double t;
	bool ok;

	for (i = 0; i < n; i++) {
		in[i] = (int)(clsvm_random(&seed) % 20001) - 10000;
		sum += in[i];
	}
	*total = 0;
	clsvm_open(&cl, source);
	t = clsvm_now();
	clsvm_run(&cl, "reduce", (n + 127) / 128 * 128, 128, "pplu", in, total, (size_t)(128 * 4), (cl_uint)n);
	t = clsvm_now() - t;
	ok = *total == sum;
	clsvm_close(&cl);
	free(in);
	free(total);
	return clsvm_verdict(&cl, "reduce", ok, t, "%zu elements, sum %s", n, ok ? "right" : "wrong");
}
