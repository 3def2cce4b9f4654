// SPDX-License-Identifier: MIT
/* A uniform block, two storage blocks, specialization constants; reads beyond the end are 0. */
#version 460
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint factor = 1;
layout(constant_id = 2) const bool twice = false;
layout(set = 0, binding = 0, std140) uniform Table { uvec4 t[64]; };
layout(set = 0, binding = 1, std430) readonly buffer In { uint src[]; };
layout(set = 0, binding = 2, std430) buffer Out { uint dst[]; };

void main()
{
	uint i = gl_GlobalInvocationID.x;
	uint v = src[i] * factor + t[src[i] & 63][i & 3];

	if (twice)
		v *= 2;
	/* src ends before dst does: the last few are beyond it */
	dst[i] = v + src.length();
}
