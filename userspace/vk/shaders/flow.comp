// SPDX-License-Identifier: MIT
/* Collatz steps of src[i], with loops that end at different times, a switch, and a break out of the middle */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 64) in;

void main()
{
	uint i = gl_GlobalInvocationID.x;

	if (i >= p.n)
		return;
	uint v = Words(p.src).w[i] & 0xffff | 1, steps = 0, mix = 0;

	while (v != 1) {
		steps++;
		switch (v & 7) {
		case 0:
			v >>= 3;
			steps += 2;
			continue;
		case 2:
		case 4:
		case 6:
			v >>= 1;
			mix += v;
			break;
		case 3:
			mix ^= v;
			/* fall through */
		default:
			v = 3 * v + 1;
			break;
		}
		if (steps > 100)
			break;
		for (uint k = 0; k < (v & 3); k++) {
			if (k == 2)
				continue;
			mix = mix * 5 + k;
		}
	}
	Words(p.dst).w[i] = steps << 24 ^ mix;
}
