// SPDX-License-Identifier: MIT
/*
 * dst: 0 add, 1 umin, 2 umax, 3 and, 4 or, 5 xor, 6 imin, 7 imax, 8 sum of what exchange took out,
 * 9 its last value, 10 lock-free list's head; 16.. histogram of 256 by way of shared memory.
 * aux: the list's links.
 */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 128) in;
shared uint bins[256];
layout(buffer_reference, scalar) buffer Ints { int w[]; };

void main()
{
	uint i = gl_GlobalInvocationID.x, l = gl_LocalInvocationID.x;
	Words dst = Words(p.dst);

	bins[l] = 0;
	bins[l + 128] = 0;
	barrier();
	uint v = Words(p.src).w[i];
	atomicAdd(bins[v & 255], 1);
	atomicAdd(dst.w[0], v);
	atomicMin(dst.w[1], v);
	atomicMax(dst.w[2], v);
	atomicAnd(dst.w[3], v | 0xff);
	atomicOr(dst.w[4], v & 0xff00ff);
	atomicXor(dst.w[5], v);
	atomicMin(Ints(p.dst).w[6], int(v));
	atomicMax(Ints(p.dst).w[7], int(v));
	atomicAdd(dst.w[8], atomicExchange(dst.w[9], v));
	uint head = dst.w[10];
	for (;;) {
		Words(p.aux).w[i] = head;
		memoryBarrierBuffer();
		uint was = atomicCompSwap(dst.w[10], head, i + 1);
		if (was == head)
			break;
		head = was;
	}
	barrier();
	atomicAdd(dst.w[16 + l], bins[l]);
	atomicAdd(dst.w[16 + l + 128], bins[l + 128]);
}
