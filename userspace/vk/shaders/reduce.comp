// SPDX-License-Identifier: MIT
/* dst[group] = sum of the group's 256 words of src, through shared memory */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 256) in;
shared uint part[256];

void main()
{
	uint i = gl_GlobalInvocationID.x, l = gl_LocalInvocationID.x;

	part[l] = i < p.n ? Words(p.src).w[i] : 0;
	for (uint step = 128; step > 0; step >>= 1) {
		barrier();
		if (l < step)
			part[l] += part[l + step];
	}
	if (l == 0)
		Words(p.dst).w[gl_WorkGroupID.x] = part[0];
}
