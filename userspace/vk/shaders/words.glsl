// SPDX-License-Identifier: MIT
/* What all programs share: buffers by their addresses, and the push constants of vk-compute.c (struct push). */
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_shader_explicit_arithmetic_types : require

layout(buffer_reference, scalar) buffer Words { uint w[]; };
layout(buffer_reference, scalar) buffer Longs { uint64_t w[]; };
layout(buffer_reference, scalar) buffer Floats { float w[]; };
layout(buffer_reference, scalar) buffer Doubles { double w[]; };

layout(push_constant, scalar) uniform Push {
	uint64_t dst;
	uint64_t src;
	uint64_t aux;
	uint n;
	uint a;
	uint b;
} p;
