// SPDX-License-Identifier: MIT
/* dst[i] = a * src[i] + (src[i] >> 3 ^ b) for i < n */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 64) in;

void main()
{
	uint i = gl_GlobalInvocationID.x;

	if (i >= p.n)
		return;
	uint v = Words(p.src).w[i];
	Words(p.dst).w[i] = p.a * v + (v >> 3 ^ p.b);
}
