// SPDX-License-Identifier: MIT
/* Sorts 24 words in an array of the thread's own, indexed by data */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 32) in;

void main()
{
	uint i = gl_GlobalInvocationID.x, v[24];

	if (i >= p.n)
		return;
	for (uint k = 0; k < 24; k++) {
		uint x = Words(p.src).w[i * 24 + k], at = k;

		while (at > 0 && v[at - 1] > x) {
			v[at] = v[at - 1];
			at--;
		}
		v[at] = x;
	}
	for (uint k = 0; k < 24; k++)
		Words(p.dst).w[i * 24 + k] = v[k];
}
