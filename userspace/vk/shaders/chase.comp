// SPDX-License-Identifier: MIT
/* Follow a list through its pointers: dst[0] = sum of values, dst[1] = nodes; each node's seen = a. */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "words.glsl"
layout(local_size_x = 1) in;

layout(buffer_reference) buffer Node;
layout(buffer_reference, scalar) buffer Node { uint64_t next; uint value; uint seen; };

void main()
{
	uint64_t at = p.src;
	uint sum = 0, n = 0;

	while (at != 0) {
		Node node = Node(at);

		sum += node.value;
		node.seen = p.a;
		at = node.next;
		n++;
	}
	Words(p.dst).w[0] = sum;
	Words(p.dst).w[1] = n;
}
