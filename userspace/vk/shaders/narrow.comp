// SPDX-License-Identifier: MIT
/* 8- and 16-bit loads, stores and arithmetic */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 64) in;
layout(buffer_reference, scalar) buffer Bytes { int8_t w[]; };
layout(buffer_reference, scalar) buffer Shorts { uint16_t w[]; };

void main()
{
	uint i = gl_GlobalInvocationID.x;

	if (i >= p.n)
		return;
	int8_t b = Bytes(p.src).w[i];
	uint16_t s = Shorts(p.src).w[i];

	Bytes(p.dst).w[i] = int8_t(b * int8_t(3) - int8_t(s >> 9us));
	Shorts(p.aux).w[i] = uint16_t(s * 7us + uint16_t(b));
}
