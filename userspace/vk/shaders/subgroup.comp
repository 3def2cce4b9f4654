// SPDX-License-Identifier: MIT
/* Twenty-four results a thread; the second half of the words with only some lanes active */
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_vote : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_shuffle_relative : require
#extension GL_KHR_shader_subgroup_clustered : require
#extension GL_KHR_shader_subgroup_quad : require
#include "words.glsl"
layout(local_size_x = 96) in;

void main()
{
	uint i = gl_GlobalInvocationID.x, o = i * 32, lane = gl_SubgroupInvocationID;
	Words dst = Words(p.dst);
	uint v = Words(p.src).w[i];

	dst.w[o + 0] = gl_SubgroupSize << 16 | gl_NumSubgroups << 8 | gl_SubgroupID;
	dst.w[o + 1] = lane;
	dst.w[o + 2] = subgroupBallot((v & 1) != 0).x;
	dst.w[o + 3] = subgroupAdd(v);
	dst.w[o + 4] = subgroupInclusiveAdd(v);
	dst.w[o + 5] = subgroupExclusiveAdd(v);
	dst.w[o + 6] = subgroupMin(v);
	dst.w[o + 7] = subgroupMax(v);
	dst.w[o + 8] = subgroupXor(v);
	dst.w[o + 9] = subgroupBroadcast(v, 5);
	dst.w[o + 10] = subgroupBroadcastFirst(v);
	dst.w[o + 11] = subgroupElect() ? 1 : 0;
	dst.w[o + 12] = subgroupShuffle(v, (lane * 7 + 3) & 31);
	dst.w[o + 13] = subgroupShuffleXor(v, 9);
	uint up = subgroupShuffleUp(v, 3), down = subgroupShuffleDown(v, 4);
	dst.w[o + 14] = lane >= 3 ? up : 0;
	dst.w[o + 15] = lane < 28 ? down : 0;
	dst.w[o + 16] = subgroupClusteredAdd(v, 8);
	dst.w[o + 17] = subgroupQuadSwapHorizontal(v);
	dst.w[o + 18] = (subgroupAll((v & 3) != 3) ? 1 : 0) | (subgroupAny((v & 63) == 63) ? 2 : 0) |
			(subgroupAllEqual(v >> 31) ? 4 : 0);
	dst.w[o + 19] = subgroupBallotBitCount(subgroupBallot((v & 2) != 0));
	dst.w[o + 20] = gl_SubgroupLtMask.x;
	dst.w[o + 21] = gl_SubgroupGeMask.x;
	if (v % 3 == 0) {
		dst.w[o + 22] = subgroupBallot(true).x;
		dst.w[o + 23] = subgroupAdd(v);
		dst.w[o + 24] = subgroupElect() ? 1 : 0;
		dst.w[o + 25] = subgroupBroadcastFirst(v);
		dst.w[o + 26] = subgroupExclusiveAdd(1);
	} else {
		dst.w[o + 22] = subgroupBallot((v & 4) != 0).x;
		dst.w[o + 23] = subgroupMax(v);
		dst.w[o + 24] = subgroupBallotBitCount(subgroupBallot(true));
		dst.w[o + 25] = subgroupAnd(v);
		dst.w[o + 26] = subgroupInclusiveOr(v);
	}
}
