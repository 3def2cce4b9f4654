// SPDX-License-Identifier: MIT
/* One step of a bitonic sort of dst[0..n) */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 256) in;

void main()
{
	uint i = gl_GlobalInvocationID.x, j = i ^ p.b;
	Words dst = Words(p.dst);

	if (j <= i)
		return;
	uint x = dst.w[i], y = dst.w[j];
	if ((x > y) == ((i & p.a) == 0)) {
		dst.w[i] = y;
		dst.w[j] = x;
	}
}
