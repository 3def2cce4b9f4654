// SPDX-License-Identifier: MIT
/* Sixteen results a pair of floats */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 64) in;

void main()
{
	uint i = gl_GlobalInvocationID.x, o = i * 16;
	Floats dst = Floats(p.dst);

	if (i >= p.n)
		return;
	float x = Floats(p.src).w[2 * i], y = Floats(p.src).w[2 * i + 1];

	dst.w[o + 0] = x + y;
	dst.w[o + 1] = x * y;
	dst.w[o + 2] = x / y;
	dst.w[o + 3] = fma(x, y, 1.5);
	dst.w[o + 4] = sqrt(abs(x));
	dst.w[o + 5] = inversesqrt(abs(x));
	dst.w[o + 6] = sin(x);
	dst.w[o + 7] = cos(x);
	dst.w[o + 8] = exp2(y);
	dst.w[o + 9] = log2(abs(x));
	dst.w[o + 10] = floor(x);
	dst.w[o + 11] = roundEven(x);
	dst.w[o + 12] = trunc(y);
	dst.w[o + 13] = min(x, y);
	dst.w[o + 14] = float(int(x)) + float(uint(abs(y)));
	dst.w[o + 15] = x < y ? ldexp(x, 3) : mix(x, y, 0.25);
}
