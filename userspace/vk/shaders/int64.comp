// SPDX-License-Identifier: MIT
/* One operation on pairs of 64-bit integers; a specialization constant says which. */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint op = 0;

void main()
{
	uint i = gl_GlobalInvocationID.x;
	uint64_t r = 0;

	if (i >= p.n)
		return;
	uint64_t x = Longs(p.src).w[2 * i], y = Longs(p.src).w[2 * i + 1];
	int64_t sx = int64_t(x), sy = int64_t(y);
	uint s = uint(y) & 63;

	switch (op) {
	case 0: r = x + y; break;
	case 1: r = x - y; break;
	case 2: r = x * y; break;
	case 3: r = y != 0 ? x / y : 0; break;
	/* not "%", and no "/" with signs: the register allocator of Mesa 26.1.6 panics over them on Pascal */
	case 4: r = x << s; break;
	case 5: r = x >> s; break;
	case 6: r = uint64_t(sx >> s); break;
	case 7: r = min(x, y); break;
	case 8: r = uint64_t(max(sx, sy)); break;
	case 9: r = (x & y) ^ ~(x | y); break;
	case 10: r = uint64_t(uint(x)) * uint64_t(uint(y)); break;
	case 11: r = uint64_t(int64_t(int(x)) * int64_t(int(y))); break;
	case 12: r = (x < y ? 1ul : 0ul) | (sx < sy ? 2ul : 0ul) | (x == y ? 4ul : 0ul); break;
	case 13: r = uint64_t(abs(sx)); break;
	case 14: r = y != 0 ? x - x / y * y : 0; break;
	}
	Longs(p.dst).w[i] = r;
}
