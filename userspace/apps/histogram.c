// SPDX-License-Identifier: MIT
/* histogram [-n N]: bytes are counted by atomics on a malloc'd table. */
#include "clsvm.h"

#include <stdlib.h>
#include <string.h>

static const char source[] =
	"__kernel void histogram(__global const uchar *in, __global uint *bin, uint n)\n"
	"{\n"
	"	__local uint mine[256];\n"
	"	for (uint i = get_local_id(0); i < 256; i += get_local_size(0))\n"
	"		mine[i] = 0;\n"
	"	barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	for (uint i = get_global_id(0); i < n; i += get_global_size(0))\n"
	"		atomic_inc(&mine[in[i]]);\n"
	"	barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	for (uint i = get_local_id(0); i < 256; i += get_local_size(0))\n"
	"		atomic_add(&bin[i], mine[i]);\n"
	"}\n";

int main(int argc, char **argv)
{
	size_t n = clsvm_option(argc, argv, 'n', 65536), i, bad = 0;
	const size_t piece = 32u << 20;	/* bytes a launch */
	uint8_t *in = clsvm_alloc(n);
	uint32_t *bin = clsvm_alloc(256 * 4), want[256] = { 0 }, seed = 5;
	struct clsvm cl;
	double t;

	for (i = 0; i < n; i++) {
		in[i] = (uint8_t)(clsvm_random(&seed) >> 13 & clsvm_random(&seed));
		want[in[i]]++;
	}
	memset(bin, 0, 256 * 4);
	clsvm_open(&cl, source);
	t = clsvm_now();
	for (i = 0; i < n; i += piece)
		clsvm_run(&cl, "histogram", 1024, 128, "ppu", in + i, bin, (cl_uint)(n - i < piece ? n - i : piece));
	t = clsvm_now() - t;
	for (i = 0; i < 256; i++)
		bad += bin[i] != want[i];
	clsvm_close(&cl);
	free(in);
	free(bin);
	return clsvm_verdict(&cl, "histogram", !bad, t, "%zu bytes, %zu bins wrong", n, bad);
}
