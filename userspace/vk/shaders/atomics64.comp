// SPDX-License-Identifier: MIT
/* dst: 0 add, 1 min, 2 max, 3 xor, 4 signed max, 5 or of what add returned, 6 compare and swap's winners */
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_atomic_int64 : require
#include "words.glsl"
layout(local_size_x = 64) in;
layout(buffer_reference, scalar) buffer Slongs { int64_t w[]; };

void main()
{
	uint i = gl_GlobalInvocationID.x;
	Longs dst = Longs(p.dst);

	uint64_t v = Longs(p.src).w[i];
	uint64_t was = atomicAdd(dst.w[0], v);
	atomicMin(dst.w[1], v);
	atomicMax(dst.w[2], v);
	atomicXor(dst.w[3], v);
	atomicMax(Slongs(p.dst).w[4], int64_t(v));
	Longs(p.aux).w[i] = was;
	if (atomicCompSwap(dst.w[6], 0ul, v | 1ul) == 0ul)
		atomicAdd(dst.w[7], 1ul);
}
