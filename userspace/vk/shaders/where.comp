// SPDX-License-Identifier: MIT
/* Each thread adds 1 to a word of its own, and dst[0..2] gets the size of the grid. */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 4, local_size_y = 3, local_size_z = 2) in;

void main()
{
	uvec3 g = gl_GlobalInvocationID, n = gl_NumWorkGroups * gl_WorkGroupSize;
	uint i = (g.z * n.y + g.y) * n.x + g.x;

	if (i == 0) {
		Words(p.dst).w[0] = gl_NumWorkGroups.x;
		Words(p.dst).w[1] = gl_NumWorkGroups.y;
		Words(p.dst).w[2] = gl_NumWorkGroups.z;
	}
	atomicAdd(Words(p.dst).w[16 + i], 1 + (gl_LocalInvocationIndex << 8) + (gl_WorkGroupID.x << 16) +
		  (gl_WorkGroupID.y << 20) + (gl_WorkGroupID.z << 24));
}
