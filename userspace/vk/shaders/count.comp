// SPDX-License-Identifier: MIT
/* What a dispatch to come gets as its size: dst[0..2], from the data. */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 1) in;

void main()
{
	uint n = 0;

	for (uint i = 0; i < p.n; i++)
		n += Words(p.src).w[i] & 1;
	Words(p.dst).w[0] = n;
	Words(p.dst).w[1] = p.a;
	Words(p.dst).w[2] = p.b;
}
