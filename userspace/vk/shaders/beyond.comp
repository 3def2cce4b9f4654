// SPDX-License-Identifier: MIT
/* Words a of 64 in shared memory and in an array of the thread's own; where a is beyond, NVK has it ignored. */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 64) in;
shared uint s[64];

void main()
{
	uint l = gl_LocalInvocationID.x;

	s[l] = l + 1;
	barrier();
	s[l + p.a] = l + 100;
	barrier();
	Words(p.dst).w[l] = s[l];
	Words(p.dst).w[64 + l] = s[l + p.a];
}
