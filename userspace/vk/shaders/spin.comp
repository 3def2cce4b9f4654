// SPDX-License-Identifier: MIT
/* Does not end before somebody makes dst[0] other than a: nobody does. */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 32) in;

void main()
{
	while (atomicAdd(Words(p.dst).w[0], 0) == p.a)
		;
}
