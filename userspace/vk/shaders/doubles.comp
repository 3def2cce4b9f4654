// SPDX-License-Identifier: MIT
/* Eight results a pair of doubles */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 64) in;

void main()
{
	uint i = gl_GlobalInvocationID.x, o = i * 8;
	Doubles dst = Doubles(p.dst);

	if (i >= p.n)
		return;
	double x = Doubles(p.src).w[2 * i], y = Doubles(p.src).w[2 * i + 1];

	dst.w[o + 0] = x + y;
	dst.w[o + 1] = x * y;
	dst.w[o + 2] = x / y;
	dst.w[o + 3] = fma(x, y, 1.5lf);
	dst.w[o + 4] = sqrt(abs(x));
	dst.w[o + 5] = floor(x);
	dst.w[o + 6] = min(x, y);
	dst.w[o + 7] = double(floatBitsToUint(float(x))) + double(int(y * 0.125lf));
}
