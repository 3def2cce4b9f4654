// SPDX-License-Identifier: MIT
/* dst[i] = a, whatever is at dst */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 64) in;

void main()
{
	Words(p.dst).w[gl_GlobalInvocationID.x] = p.a;
}
