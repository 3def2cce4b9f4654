// SPDX-License-Identifier: MIT
/*
 * vk-compute [--until FILE] [TEST...]: Vulkan compute through NVK, each result checked against the CPU.  Without
 * names all tests run; "--list" names them.  Prints "PASS vk@TEST" or "FAIL vk@TEST: reason", a line each.  With
 * "--until" they run over and over until FILE is there; it prints "turn 1" after the first turn, and at the end
 * "PASS vk@turns: how many".
 *
 * No test keeps the GPU busy for more than a fraction of what NVK's jobs may take (10 s), on the model included.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomics.spv.h"
#include "atomics64.spv.h"
#include "beyond.spv.h"
#include "bitonic.spv.h"
#include "chase.spv.h"
#include "count.spv.h"
#include "descriptors.spv.h"
#include "doubles.spv.h"
#include "floats.spv.h"
#include "flow.spv.h"
#include "int64.spv.h"
#include "map.spv.h"
#include "narrow.spv.h"
#include "reduce.spv.h"
#include "scratch.spv.h"
#include "subgroup.spv.h"
#include "vkc.h"
#include "where.spv.h"

/* Push constants of the shaders (words.glsl) */
struct push {
	uint64_t dst, src, aux;
	uint32_t n, a, b, pad;
};
#define PUSH_BYTES 36u

static struct vkc vk;
/* Go on until this file is there */
static const char *until;

#define PIPE(name, p) vkc_pipe_new(&vk, spv_##name, sizeof(spv_##name), PUSH_BYTES, NULL, 0, NULL, p)

static uint64_t seed;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 32);
}

static void fill(struct vkc_buf *b)
{
	uint32_t *w = b->map;

	for (size_t i = 0; i < b->size / 4; i++)
		w[i] = rnd();
}

static void must_run(VkCommandBuffer cmd)
{
	vkc_must(&vk, vkc_run(&vk, cmd), "the submission");
}

/* One dispatch in a submission of its own. */
static void run1(const struct vkc_pipe *p, const struct push *push, uint32_t groups)
{
	VkCommandBuffer cmd = vkc_begin(&vk);

	vkc_dispatch(cmd, p, push, PUSH_BYTES, groups, 1, 1);
	must_run(cmd);
}

static void want32(const uint32_t *got, uint32_t at, uint32_t want)
{
	if (got[at] != want)
		vkc_die(&vk, "word %u is %08x, not %08x", at, got[at], want);
}

static void want64(const uint64_t *got, uint32_t at, uint64_t want)
{
	if (got[at] != want)
		vkc_die(&vk, "long %u is %016llx, not %016llx", at, (unsigned long long)got[at],
			(unsigned long long)want);
}

/* What map.comp does */
static uint32_t mapped(uint32_t v, uint32_t a, uint32_t b)
{
	return a * v + (v >> 3 ^ b);
}

static void test_push_constants(void)
{
	struct vkc_buf src, dst;
	struct vkc_pipe p;

	PIPE(map, &p);
	for (int i = 0; i < 3; i++) {
		static const enum vkc_place from[3] = { VKC_HOST, VKC_VRAM, VKC_VRAM };
		static const enum vkc_place to[3] = { VKC_HOST, VKC_HOST, VKC_VRAM };

		vkc_buf_new(&vk, 100000 * 4, from[i], &src);
		vkc_buf_new(&vk, 100064 * 4, to[i], &dst);
		fill(&src);
		run1(&p, &(struct push){ .dst = dst.va, .src = src.va, .n = 100000, .a = 0x9e3779b9, .b = 0x1234567 },
		     1563);
		for (uint32_t k = 0; k < 100000; k++)
			want32(dst.map, k, mapped(((uint32_t *)src.map)[k], 0x9e3779b9, 0x1234567));
		for (uint32_t k = 100000; k < 100064; k++)
			want32(dst.map, k, 0);
		vkc_buf_del(&vk, &src);
		vkc_buf_del(&vk, &dst);
	}
	vkc_pipe_del(&vk, &p);
}

/* A list that is linked through the device addresses of two buffers, in an order without pattern */
static void test_device_address(void)
{
	enum { NODES = 5000 };
	struct node {
		uint64_t next;
		uint32_t value, seen;
	} *node[NODES];
	struct vkc_buf half[2], dst;
	uint64_t va[NODES], head = 0;
	struct vkc_pipe p;
	uint32_t sum = 0;

	PIPE(chase, &p);
	vkc_buf_new(&vk, 8, VKC_HOST, &dst);
	for (int i = 0; i < 2; i++)
		vkc_buf_new(&vk, NODES * sizeof(struct node), i ? VKC_VRAM : VKC_HOST, &half[i]);
	for (uint32_t i = 0; i < NODES; i++) {
		node[i] = (struct node *)half[i & 1].map + i;
		va[i] = half[i & 1].va + i * sizeof(struct node);
	}
	for (uint32_t i = 0; i < NODES; i++) {
		uint32_t at = (uint32_t)((i * 3571ull) % NODES);

		node[at]->next = head;
		node[at]->value = rnd();
		sum += node[at]->value;
		head = va[at];
	}
	run1(&p, &(struct push){ .dst = dst.va, .src = head, .a = 77 }, 1);
	want32(dst.map, 0, sum);
	want32(dst.map, 1, NODES);
	for (uint32_t i = 0; i < NODES; i++)
		if (node[i]->seen != 77)
			vkc_die(&vk, "node %u was not seen", i);
	for (int i = 0; i < 2; i++)
		vkc_buf_del(&vk, &half[i]);
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &p);
}

/* Sum of 64 Ki words: three dispatches, each on what the one before wrote */
static void test_shared_memory(void)
{
	const uint32_t n = 65536;
	struct vkc_buf src, part, dst;
	uint32_t sum[256] = { 0 }, total = 0;
	VkCommandBuffer cmd;
	struct vkc_pipe p;

	PIPE(reduce, &p);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &src);
	vkc_buf_new(&vk, 256 * 4, VKC_VRAM, &part);
	vkc_buf_new(&vk, 4, VKC_HOST, &dst);
	fill(&src);
	for (uint32_t i = 0; i < n; i++)
		sum[i / 256] += ((uint32_t *)src.map)[i];
	cmd = vkc_begin(&vk);
	vkc_dispatch(cmd, &p, &(struct push){ .dst = part.va, .src = src.va, .n = n }, PUSH_BYTES, 256, 1, 1);
	vkc_barrier(cmd);
	vkc_dispatch(cmd, &p, &(struct push){ .dst = dst.va, .src = part.va, .n = 256 }, PUSH_BYTES, 1, 1, 1);
	must_run(cmd);
	for (uint32_t i = 0; i < 256; i++) {
		want32(part.map, i, sum[i]);
		total += sum[i];
	}
	want32(dst.map, 0, total);
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &part);
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &p);
}

/* What int64.comp does */
static uint64_t int64_op(uint32_t op, uint64_t x, uint64_t y)
{
	int64_t sx = (int64_t)x, sy = (int64_t)y;
	unsigned int s = y & 63;

	switch (op) {
	case 0: return x + y;
	case 1: return x - y;
	case 2: return x * y;
	case 3: return y ? x / y : 0;
	case 4: return x << s;
	case 5: return x >> s;
	case 6: return (uint64_t)(sx >> s);
	case 7: return x < y ? x : y;
	case 8: return (uint64_t)(sx > sy ? sx : sy);
	case 9: return (x & y) ^ ~(x | y);
	case 10: return (uint64_t)(uint32_t)x * (uint32_t)y;
	case 11: return (uint64_t)((int64_t)(int32_t)x * (int32_t)y);
	case 12: return (x < y) | (uint64_t)(sx < sy) << 1 | (uint64_t)(x == y) << 2;
	case 13: return sx < 0 ? 0 - x : x;
	default: return y ? x % y : 0;
	}
}

static void test_int64(uint32_t op)
{
	static const uint64_t edge[] = { 0, 1, 2, 3, 63, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
					 0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001,
					 0xffffffffffffffff, 0xffffffff00000000, 0xfedcba9876543210 };
	const uint32_t edges = sizeof(edge) / sizeof(*edge), n = edges * edges + 1000;
	const VkSpecializationMapEntry entry = { 0, 0, 4 };
	const VkSpecializationInfo spec = { 1, &entry, 4, &op };
	struct vkc_buf src, dst;
	struct vkc_pipe p;
	uint64_t *v;

	vkc_buf_new(&vk, n * 16, VKC_HOST, &src);
	vkc_buf_new(&vk, n * 8, VKC_VRAM, &dst);
	fill(&src);
	v = src.map;
	for (uint32_t i = 0; i < edges * edges; i++) {
		v[2 * i] = edge[i / edges];
		v[2 * i + 1] = edge[i % edges];
	}
	/* divisors of every length */
	for (uint32_t i = edges * edges; i < n; i++)
		v[2 * i + 1] >>= i % 64;
	vkc_pipe_new(&vk, spv_int64, sizeof(spv_int64), PUSH_BYTES, NULL, 0, &spec, &p);
	run1(&p, &(struct push){ .dst = dst.va, .src = src.va, .n = n }, (n + 63) / 64);
	for (uint32_t i = 0; i < n; i++)
		want64(dst.map, i, int64_op(op, v[2 * i], v[2 * i + 1]));
	vkc_pipe_del(&vk, &p);
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &dst);
}

/* The list of test_atomics: each of @n nodes is in it once. */
static void check_list(const uint32_t *next, uint32_t head, uint32_t n)
{
	uint8_t seen[8192] = { 0 };
	uint32_t len = 0;

	for (uint32_t at = head; at; at = next[at - 1]) {
		if (at > n || seen[at - 1]++)
			vkc_die(&vk, "the list goes to %u after %u nodes", at, len);
		len++;
	}
	if (len != n)
		vkc_die(&vk, "the list has %u nodes, not %u", len, n);
}

static void test_atomics(void)
{
	const uint32_t n = 8192;
	uint32_t add = 0, lo = ~0u, hi = 0, and = ~0u, or = 0, xor = 0, bins[256] = { 0 };
	struct vkc_buf src, dst, aux;
	int32_t slo = INT32_MAX, shi = INT32_MIN;
	struct vkc_pipe p;
	uint32_t *d, *s;

	PIPE(atomics, &p);
	for (int vram = 0; vram < 2; vram++) {
		vkc_buf_new(&vk, n * 4, VKC_VRAM, &src);
		vkc_buf_new(&vk, n * 4, VKC_VRAM, &aux);
		vkc_buf_new(&vk, (16 + 256) * 4, vram ? VKC_VRAM : VKC_HOST, &dst);
		fill(&src);
		d = dst.map;
		s = src.map;
		d[1] = d[3] = ~0u;
		d[6] = INT32_MAX;
		d[7] = (uint32_t)INT32_MIN;
		add = hi = or = xor = 0;
		lo = and = ~0u;
		slo = INT32_MAX;
		shi = INT32_MIN;
		memset(bins, 0, sizeof(bins));
		for (uint32_t i = 0; i < n; i++) {
			add += s[i];
			lo = s[i] < lo ? s[i] : lo;
			hi = s[i] > hi ? s[i] : hi;
			and &= s[i] | 0xff;
			or |= s[i] & 0xff00ff;
			xor ^= s[i];
			slo = (int32_t)s[i] < slo ? (int32_t)s[i] : slo;
			shi = (int32_t)s[i] > shi ? (int32_t)s[i] : shi;
			bins[s[i] & 255]++;
		}
		run1(&p, &(struct push){ .dst = dst.va, .src = src.va, .aux = aux.va, .n = n }, n / 128);
		want32(d, 0, add);
		want32(d, 1, lo);
		want32(d, 2, hi);
		want32(d, 3, and);
		want32(d, 4, or);
		want32(d, 5, xor);
		want32(d, 6, (uint32_t)slo);
		want32(d, 7, (uint32_t)shi);
		/* whatever the order, what exchange took out and left in there add up */
		if (d[8] + d[9] != add)
			vkc_die(&vk, "exchange lost a value");
		check_list(aux.map, d[10], n);
		for (uint32_t i = 0; i < 256; i++)
			want32(d, 16 + i, bins[i]);
		vkc_buf_del(&vk, &src);
		vkc_buf_del(&vk, &dst);
		vkc_buf_del(&vk, &aux);
	}
	vkc_pipe_del(&vk, &p);
}

static int cmp64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_atomics64(void)
{
	const uint32_t n = 2048;
	uint64_t add = 0, lo = ~0ull, hi = 0, xor = 0, *d, *s;
	int64_t shi = INT64_MIN;
	struct vkc_buf src, dst, aux;
	struct vkc_pipe p;
	bool winner = false;

	PIPE(atomics64, &p);
	vkc_buf_new(&vk, n * 8, VKC_VRAM, &src);
	vkc_buf_new(&vk, n * 8, VKC_VRAM, &aux);
	vkc_buf_new(&vk, 8 * 8, VKC_VRAM, &dst);
	fill(&src);
	d = dst.map;
	s = src.map;
	d[1] = ~0ull;
	d[4] = (uint64_t)INT64_MIN;
	for (uint32_t i = 0; i < n; i++) {
		s[i] |= 1;
		add += s[i];
		lo = s[i] < lo ? s[i] : lo;
		hi = s[i] > hi ? s[i] : hi;
		xor ^= s[i];
		shi = (int64_t)s[i] > shi ? (int64_t)s[i] : shi;
	}
	run1(&p, &(struct push){ .dst = dst.va, .src = src.va, .aux = aux.va, .n = n }, n / 64);
	want64(d, 0, add);
	want64(d, 1, lo);
	want64(d, 2, hi);
	want64(d, 3, xor);
	want64(d, 4, (uint64_t)shi);
	want64(d, 7, 1);
	for (uint32_t i = 0; i < n; i++)
		winner |= d[6] == s[i];
	if (!winner)
		vkc_die(&vk, "compare and swap left %016llx", (unsigned long long)d[6]);
	/* each sum on the way is there once, and the first is 0: what was added in between are the inputs */
	qsort(aux.map, n, 8, cmp64);
	if (bsearch(&(uint64_t){ 0 }, aux.map, n, 8, cmp64) == NULL)
		vkc_die(&vk, "no addition returned 0");
	for (uint32_t i = 1; i < n; i++)
		if (((uint64_t *)aux.map)[i] == ((uint64_t *)aux.map)[i - 1])
			vkc_die(&vk, "two additions returned the same");
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &dst);
	vkc_buf_del(&vk, &aux);
	vkc_pipe_del(&vk, &p);
}

/* Lanes of a subgroup whose values meet a condition */
#define LANES(v, cond)                                          \
	({                                                      \
		uint32_t m_ = 0;                                \
		for (uint32_t k_ = 0; k_ < 32; k_++) {          \
			uint32_t x = (v)[k_];                   \
			if (cond)                               \
				m_ |= 1u << k_;                 \
		}                                               \
		m_;                                             \
	})

struct fold {
	uint32_t add, lo, hi, xor, and;
};

static struct fold fold(const uint32_t *v, uint32_t lanes)
{
	struct fold f = { .lo = ~0u, .and = ~0u };

	for (int k = 0; k < 32; k++) {
		if (!(lanes & 1u << k))
			continue;
		f.add += v[k];
		f.lo = v[k] < f.lo ? v[k] : f.lo;
		f.hi = v[k] > f.hi ? v[k] : f.hi;
		f.xor ^= v[k];
		f.and &= v[k];
	}
	return f;
}

static void check_subgroup(const uint32_t *d, uint32_t base, const uint32_t *v, uint32_t id)
{
	struct fold all = fold(v, ~0u);
	uint32_t third = LANES(v, x % 3 == 0), inc = 0, or = 0;
	bool same = true;

	for (uint32_t k = 1; k < 32; k++)
		same = same && v[k] >> 31 == v[0] >> 31;
	for (uint32_t k = 0; k < 32; k++) {
		uint32_t o = (base + k) * 32, mine = third & 1u << k ? third : ~third;
		struct fold f = fold(v, mine), eight = fold(v, 0xffu << (k & ~7u));

		want32(d, o + 0, 32u << 16 | 3u << 8 | id);
		want32(d, o + 1, k);
		want32(d, o + 2, LANES(v, x & 1));
		want32(d, o + 3, all.add);
		want32(d, o + 5, inc);
		inc += v[k];
		want32(d, o + 4, inc);
		want32(d, o + 6, all.lo);
		want32(d, o + 7, all.hi);
		want32(d, o + 8, all.xor);
		want32(d, o + 9, v[5]);
		want32(d, o + 10, v[0]);
		want32(d, o + 11, k == 0);
		want32(d, o + 12, v[(k * 7 + 3) & 31]);
		want32(d, o + 13, v[k ^ 9]);
		want32(d, o + 14, k >= 3 ? v[k - 3] : 0);
		want32(d, o + 15, k < 28 ? v[k + 4] : 0);
		want32(d, o + 16, eight.add);
		want32(d, o + 17, v[k ^ 1]);
		want32(d, o + 18, (LANES(v, (x & 3) == 3) == 0) | (LANES(v, (x & 63) == 63) != 0) << 1 |
					  (uint32_t)same << 2);
		want32(d, o + 19, (uint32_t)__builtin_popcount(LANES(v, x & 2)));
		want32(d, o + 20, (1u << k) - 1);
		want32(d, o + 21, ~((1u << k) - 1));
		if (mine == third) {
			want32(d, o + 22, third);
			want32(d, o + 23, f.add);
			want32(d, o + 24, k == (uint32_t)__builtin_ctz(third));
			want32(d, o + 25, v[__builtin_ctz(third)]);
			want32(d, o + 26, (uint32_t)__builtin_popcount(third & ((1u << k) - 1)));
		} else {
			or |= v[k];
			want32(d, o + 22, LANES(v, x & 4) & ~third);
			want32(d, o + 23, f.hi);
			want32(d, o + 24, (uint32_t)__builtin_popcount(~third));
			want32(d, o + 25, f.and);
			want32(d, o + 26, or);
		}
	}
}

static void test_subgroups(void)
{
	const uint32_t n = 96 * 12;
	struct vkc_buf src, dst;
	struct vkc_pipe p;
	uint32_t *v;

	PIPE(subgroup, &p);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &src);
	vkc_buf_new(&vk, n * 32 * 4, VKC_VRAM, &dst);
	fill(&src);
	v = src.map;
	/* patterns that the data would hardly have: all alike, all in the branch, none, one */
	for (uint32_t i = 0; i < 32; i++) {
		v[i] = 0x80000063;
		v[32 + i] = 3 * i;
		v[64 + i] = 3 * i + 1;
		v[96 + i] = i == 17 ? 9 : 64 * i * 3 + 1;
	}
	run1(&p, &(struct push){ .dst = dst.va, .src = src.va }, n / 96);
	for (uint32_t i = 0; i < n; i += 32)
		check_subgroup(dst.map, i, v + i, i / 32 % 3);
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &p);
}

static void check_where(const uint32_t *d, const uint32_t g[3])
{
	const uint32_t x = g[0] * 4, y = g[1] * 3, z = g[2] * 2;

	for (uint32_t i = 0; i < 3; i++)
		want32(d, i, x && y && z ? g[i] : 0);
	for (uint32_t i = 0; i < x * y * z; i++) {
		uint32_t ix = i % x, iy = i / x % y, iz = i / x / y;
		uint32_t local = iz % 2 * 12 + iy % 3 * 4 + ix % 4;

		want32(d, 16 + i, 1 + (local << 8) + (ix / 4 << 16) + (iy / 3 << 20) + (iz / 2 << 24));
	}
}

/* A grid in three dimensions, by vkCmdDispatch, and its size by vkCmdDispatchIndirect, from the CPU and the GPU */
static void test_indirect(void)
{
	struct vkc_buf src, size, dst;
	struct vkc_pipe where, count;
	VkCommandBuffer cmd;
	uint32_t ones = 0;
	const size_t bytes = (16 + 24 * 40 * 5 * 3) * 4;

	PIPE(where, &where);
	PIPE(count, &count);
	vkc_buf_new(&vk, 40 * 4, VKC_HOST, &src);
	vkc_buf_new(&vk, 64, VKC_VRAM, &size);
	vkc_buf_new(&vk, bytes, VKC_VRAM, &dst);
	/* direct, to compare with */
	cmd = vkc_begin(&vk);
	vkc_dispatch(cmd, &where, &(struct push){ .dst = dst.va }, PUSH_BYTES, 5, 4, 3);
	must_run(cmd);
	check_where(dst.map, (const uint32_t[3]){ 5, 4, 3 });
	for (int empty = 0; empty < 2; empty++) {
		/* size from the CPU, at an offset; then one dimension is 0 and nothing must run */
		const uint32_t g[3] = { 7, empty ? 0 : 2, 3 };

		memset(dst.map, 0, bytes);
		memcpy((char *)size.map + 20, g, sizeof(g));
		cmd = vkc_begin(&vk);
		vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, where.pipe);
		vkCmdPushConstants(cmd, where.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, PUSH_BYTES,
				   &(struct push){ .dst = dst.va });
		vkCmdDispatchIndirect(cmd, size.buf, 20);
		must_run(cmd);
		check_where(dst.map, g);
	}
	/* size from a shader, in the same submission; two more dispatches after it */
	fill(&src);
	for (uint32_t i = 0; i < 40; i++)
		ones += ((uint32_t *)src.map)[i] & 1;
	memset(dst.map, 0, bytes);
	cmd = vkc_begin(&vk);
	vkc_dispatch(cmd, &count, &(struct push){ .dst = size.va, .src = src.va, .n = 40, .a = 3, .b = 2 },
		     PUSH_BYTES, 1, 1, 1);
	vkc_barrier(cmd);
	vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, where.pipe);
	vkCmdPushConstants(cmd, where.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, PUSH_BYTES,
			   &(struct push){ .dst = dst.va });
	vkCmdDispatchIndirect(cmd, size.buf, 0);
	must_run(cmd);
	check_where(dst.map, (const uint32_t[3]){ ones, 3, 2 });
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &size);
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &where);
	vkc_pipe_del(&vk, &count);
}

static uint64_t counter(VkSemaphore sem)
{
	uint64_t v = 0;

	vkc_must(&vk, vkGetSemaphoreCounterValue(vk.dev, sem, &v), "vkGetSemaphoreCounterValue");
	return v;
}

static VkResult wait_for(VkSemaphore sem, uint64_t value, uint64_t ns)
{
	VkSemaphoreWaitInfo wait = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
				     .semaphoreCount = 1, .pSemaphores = &sem, .pValues = &value };

	return vkWaitSemaphores(vk.dev, &wait, ns);
}

/* The CPU's signal starts the first submission, which starts the second; nothing runs before. */
static void test_timeline(void)
{
	const uint32_t n = 1024;
	struct vkc_buf a, b, c;
	VkCommandBuffer cmd[2];
	VkSemaphoreSignalInfo go = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO, .value = 11 };
	VkSemaphore sem = vkc_timeline(&vk, 10);
	struct vkc_pipe p;

	PIPE(map, &p);
	vkc_buf_new(&vk, n * 4, VKC_HOST, &a);
	vkc_buf_new(&vk, n * 4, VKC_BAR, &b);
	vkc_buf_new(&vk, n * 4, VKC_HOST, &c);
	fill(&a);
	for (int i = 0; i < 2; i++)
		cmd[i] = vkc_begin(&vk);
	vkc_dispatch(cmd[0], &p, &(struct push){ .dst = b.va, .src = a.va, .n = n, .a = 3, .b = 5 }, PUSH_BYTES,
		     n / 64, 1, 1);
	vkc_dispatch(cmd[1], &p, &(struct push){ .dst = c.va, .src = b.va, .n = n, .a = 7, .b = 9 }, PUSH_BYTES,
		     n / 64, 1, 1);
	for (int i = 0; i < 2; i++)
		vkc_must(&vk, vkEndCommandBuffer(cmd[i]), "vkEndCommandBuffer");
	vkc_must(&vk, vkc_submit(&vk, cmd[0], sem, 11, sem, 12, VK_NULL_HANDLE), "first submission");
	vkc_must(&vk, vkc_submit(&vk, cmd[1], sem, 12, sem, 20, VK_NULL_HANDLE), "second submission");
	if (wait_for(sem, 11, 200000000) != VK_TIMEOUT)
		vkc_die(&vk, "a wait for what nobody signalled ended");
	want32((uint32_t[]){ (uint32_t)counter(sem) }, 0, 10);
	for (uint32_t i = 0; i < n; i++)
		want32(b.map, i, 0);
	go.semaphore = sem;
	vkc_must(&vk, vkSignalSemaphore(vk.dev, &go), "vkSignalSemaphore");
	vkc_must(&vk, wait_for(sem, 20, 60000000000ull), "vkWaitSemaphores");
	want32((uint32_t[]){ (uint32_t)counter(sem) }, 0, 20);
	for (uint32_t i = 0; i < n; i++)
		want32(c.map, i, mapped(mapped(((uint32_t *)a.map)[i], 3, 5), 7, 9));
	vkc_must(&vk, vkQueueWaitIdle(vk.queue), "vkQueueWaitIdle");
	vkFreeCommandBuffers(vk.dev, vk.pool, 2, cmd);
	vkDestroySemaphore(vk.dev, sem, NULL);
	vkc_buf_del(&vk, &a);
	vkc_buf_del(&vk, &b);
	vkc_buf_del(&vk, &c);
	vkc_pipe_del(&vk, &p);
}

static int cmp32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* A bitonic sort: 78 dispatches in a row, a barrier after each */
static void test_barriers(void)
{
	const uint32_t n = 4096;
	VkCommandBuffer cmd = vkc_begin(&vk);
	struct vkc_buf b;
	struct vkc_pipe p;
	uint32_t *want = malloc(n * 4);

	if (!want)
		vkc_die(&vk, "no memory");
	PIPE(bitonic, &p);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &b);
	fill(&b);
	memcpy(want, b.map, n * 4);
	qsort(want, n, 4, cmp32);
	for (uint32_t k = 2; k <= n; k *= 2) {
		for (uint32_t j = k / 2; j; j /= 2) {
			vkc_dispatch(cmd, &p, &(struct push){ .dst = b.va, .n = n, .a = k, .b = j }, PUSH_BYTES,
				     n / 256, 1, 1);
			vkc_barrier(cmd);
		}
	}
	must_run(cmd);
	for (uint32_t i = 0; i < n; i++)
		want32(b.map, i, want[i]);
	free(want);
	vkc_buf_del(&vk, &b);
	vkc_pipe_del(&vk, &p);
}

/* @ulp: of the right result, as Vulkan's precision table has it; @abs: where that is absolute. */
static void want_float(const float *got, uint32_t at, double want, double ulp, double abs)
{
	double g = (double)got[at], unit = ldexp(1, ilogb(want ? want : 1e-38) - 23);

	if (isnan(want) ? !isnan(g) : isinf(want) ? g != want : fabs(g - want) > ulp * unit + abs)
		vkc_die(&vk, "float %u is %.9g, not %.9g", at, g, want);
}

static void test_floats(void)
{
	const uint32_t n = 4096;
	struct vkc_buf src, dst;
	struct vkc_pipe p;
	float *v, *d;

	PIPE(floats, &p);
	vkc_buf_new(&vk, n * 8, VKC_HOST, &src);
	vkc_buf_new(&vk, n * 64, VKC_HOST, &dst);
	v = src.map;
	d = dst.map;
	/* within what sine, cosine and conversions are specified for: -pi to pi, and 0.01 to 100 */
	for (uint32_t i = 0; i < 2 * n; i++)
		v[i] = i & 1 ? 0.01f + (float)(rnd() >> 8) * 6e-6f : ((float)(rnd() >> 8) - 8388608) * 3.7e-7f;
	run1(&p, &(struct push){ .dst = dst.va, .src = src.va, .n = n }, n / 64);
	for (uint32_t i = 0; i < n; i++) {
		double x = (double)v[2 * i], y = (double)v[2 * i + 1];
		uint32_t o = i * 16;

		want_float(d, o + 0, (double)(v[2 * i] + v[2 * i + 1]), 0, 0);
		want_float(d, o + 1, (double)(v[2 * i] * v[2 * i + 1]), 0, 0);
		want_float(d, o + 2, x / y, 2.5, 0);
		/* fused or in two steps, as the compiler likes */
		if (d[o + 3] != fmaf(v[2 * i], v[2 * i + 1], 1.5f) && d[o + 3] != v[2 * i] * v[2 * i + 1] + 1.5f)
			want_float(d, o + 3, x * y + 1.5, 0, 0);
		want_float(d, o + 4, sqrt(fabs(x)), 4, 0);
		want_float(d, o + 5, 1 / sqrt(fabs(x)), 2, 0);
		want_float(d, o + 6, sin(x), 0, ldexp(1, -11));
		want_float(d, o + 7, cos(x), 0, ldexp(1, -11));
		want_float(d, o + 8, exp2(y), 3 + 2 * y, 0);
		want_float(d, o + 9, log2(fabs(x)), 3, ldexp(1, -21));
		want_float(d, o + 10, floor(x), 0, 0);
		want_float(d, o + 11, rint(x), 0, 0);
		want_float(d, o + 12, trunc(y), 0, 0);
		want_float(d, o + 13, fmin(x, y), 0, 0);
		want_float(d, o + 14, trunc(x) + trunc(y), 0, 0);
		want_float(d, o + 15, x < y ? x * 8 : x * 0.75 + y * 0.25, 3, 1e-6);
	}
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &p);
}

/* The bits of a double as a float, as a number */
static double single(double x)
{
	float f = (float)x;
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

static void test_doubles(void)
{
	const uint32_t n = 2048;
	struct vkc_buf src, dst;
	struct vkc_pipe p;
	double *v, *d;

	PIPE(doubles, &p);
	vkc_buf_new(&vk, n * 16, VKC_HOST, &src);
	vkc_buf_new(&vk, n * 64, VKC_HOST, &dst);
	v = src.map;
	d = dst.map;
	for (uint32_t i = 0; i < 2 * n; i++)
		v[i] = ((double)rnd() * 4294967296.0 + rnd()) * (rnd() & 1 ? 1e-11 : -1e-11);
	run1(&p, &(struct push){ .dst = dst.va, .src = src.va, .n = n }, n / 64);
	for (uint32_t i = 0; i < n; i++) {
		double x = v[2 * i], y = v[2 * i + 1];
		const double want[8] = { x + y, x * y, x / y, fma(x, y, 1.5), sqrt(fabs(x)), floor(x), fmin(x, y),
					 single(x) + (double)(int)(y * 0.125) };

		for (uint32_t k = 0; k < 8; k++) {
			double got = d[i * 8 + k];
			/* Vulkan lets division and square root be off as single precision is; ask for 1 ulp */
			double slack = k == 2 || k == 4 ? ldexp(1, ilogb(want[k]) - 52) : 0;

			/* fused or in two steps, as the compiler likes */
			if (k == 3 && got == x * y + 1.5)
				continue;
			if (fabs(got - want[k]) > slack)
				vkc_die(&vk, "double %u of pair %u is %.17g, not %.17g", k, i, got, want[k]);
		}
	}
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &p);
}

/* What flow.comp does */
static uint32_t flow(uint32_t x)
{
	uint32_t v = (x & 0xffff) | 1, steps = 0, mix = 0;

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
		for (uint32_t k = 0; k < (v & 3); k++) {
			if (k == 2)
				continue;
			mix = mix * 5 + k;
		}
	}
	return steps << 24 ^ mix;
}

static void test_control_flow(void)
{
	const uint32_t n = 8192;
	struct vkc_buf src, dst;
	struct vkc_pipe p;

	PIPE(flow, &p);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &src);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &dst);
	fill(&src);
	run1(&p, &(struct push){ .dst = dst.va, .src = src.va, .n = n }, n / 64);
	for (uint32_t i = 0; i < n; i++)
		want32(dst.map, i, flow(((uint32_t *)src.map)[i]));
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &p);
}

static void test_local_memory(void)
{
	const uint32_t n = 512;
	struct vkc_buf src, dst;
	struct vkc_pipe p;
	uint32_t want[24];

	PIPE(scratch, &p);
	vkc_buf_new(&vk, n * 96, VKC_VRAM, &src);
	vkc_buf_new(&vk, n * 96, VKC_VRAM, &dst);
	fill(&src);
	run1(&p, &(struct push){ .dst = dst.va, .src = src.va, .n = n }, n / 32);
	for (uint32_t i = 0; i < n; i++) {
		memcpy(want, (char *)src.map + i * 96, 96);
		qsort(want, 24, 4, cmp32);
		for (uint32_t k = 0; k < 24; k++)
			want32(dst.map, i * 24 + k, want[k]);
	}
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &p);
}

/*
 * Beyond the end of shared memory writes go nowhere and reads are 0: Vulkan promises nothing, but NVK masks the shader
 * cores' OOR_ADDR exception in its channels, so that the device is not lost.
 */
static void test_beyond_shared(void)
{
	struct vkc_buf dst;
	struct vkc_pipe p;

	PIPE(beyond, &p);
	vkc_buf_new(&vk, 128 * 4, VKC_HOST, &dst);
	for (uint32_t a = 0; a <= 0x10000; a = a ? a * 256 : 256) {
		run1(&p, &(struct push){ .dst = dst.va, .a = a }, 1);
		for (uint32_t i = 0; i < 64; i++) {
			want32(dst.map, i, a ? i + 1 : i + 100);
			want32(dst.map, 64 + i, a ? 0 : i + 100);
		}
	}
	vkc_buf_del(&vk, &dst);
	vkc_pipe_del(&vk, &p);
}

/* A uniform block and two storage blocks by a descriptor set; group size, factor and a switch by specialization */
static void test_descriptors(void)
{
	enum { N = 960, SHORT = 900, GROUP = 96 };
	const uint32_t spec_data[3] = { GROUP, 13, VK_TRUE };
	const VkSpecializationMapEntry entry[3] = { { 0, 0, 4 }, { 1, 4, 4 }, { 2, 8, 4 } };
	const VkSpecializationInfo spec = { 3, entry, sizeof(spec_data), spec_data };
	VkDescriptorSetLayoutBinding binding[3] = { 0 };
	VkDescriptorPoolSize sizes[2] = { { VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 1 },
					  { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2 } };
	VkDescriptorPoolCreateInfo pool_info = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
						 .maxSets = 1, .poolSizeCount = 2, .pPoolSizes = sizes };
	VkDescriptorSetAllocateInfo set_info = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
						 .descriptorSetCount = 1 };
	VkDescriptorBufferInfo info[3];
	VkWriteDescriptorSet write[3];
	struct vkc_buf buf[3];
	VkDescriptorPool pool;
	VkDescriptorSet set;
	VkCommandBuffer cmd;
	struct vkc_pipe p;
	uint32_t *t, *s;

	for (uint32_t i = 0; i < 3; i++) {
		vkc_buf_new(&vk, i ? N * 4 : 1024, i == 1 ? VKC_HOST : VKC_VRAM, &buf[i]);
		fill(&buf[i]);
		binding[i] = (VkDescriptorSetLayoutBinding){
			.binding = i, .descriptorCount = 1, .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
			.descriptorType = i ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER : VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER };
	}
	t = buf[0].map;
	s = buf[1].map;
	vkc_pipe_new(&vk, spv_descriptors, sizeof(spv_descriptors), 0, binding, 3, &spec, &p);
	vkc_must(&vk, vkCreateDescriptorPool(vk.dev, &pool_info, NULL, &pool), "vkCreateDescriptorPool");
	set_info.descriptorPool = pool;
	set_info.pSetLayouts = &p.set_layout;
	vkc_must(&vk, vkAllocateDescriptorSets(vk.dev, &set_info, &set), "vkAllocateDescriptorSets");
	for (uint32_t i = 0; i < 3; i++) {
		info[i] = (VkDescriptorBufferInfo){ buf[i].buf, 0, i == 1 ? SHORT * 4 : VK_WHOLE_SIZE };
		write[i] = (VkWriteDescriptorSet){
			.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = set, .dstBinding = i,
			.descriptorCount = 1, .descriptorType = binding[i].descriptorType, .pBufferInfo = &info[i] };
	}
	vkUpdateDescriptorSets(vk.dev, 3, write, 0, NULL);
	cmd = vkc_begin(&vk);
	vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, p.pipe);
	vkCmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, p.layout, 0, 1, &set, 0, NULL);
	vkCmdDispatch(cmd, N / GROUP, 1, 1);
	must_run(cmd);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t v = i < SHORT ? s[i] : 0;

		want32(buf[2].map, i, (v * 13 + t[(v & 63) * 4 + (i & 3)]) * 2 + SHORT);
	}
	vkDestroyDescriptorPool(vk.dev, pool, NULL);
	for (uint32_t i = 0; i < 3; i++)
		vkc_buf_del(&vk, &buf[i]);
	vkc_pipe_del(&vk, &p);
}

static void test_narrow(void)
{
	const uint32_t n = 1000;
	struct vkc_buf src, dst, aux;
	struct vkc_pipe p;

	PIPE(narrow, &p);
	vkc_buf_new(&vk, n * 2, VKC_HOST, &src);
	vkc_buf_new(&vk, n + 4, VKC_VRAM, &dst);
	vkc_buf_new(&vk, n * 2, VKC_VRAM, &aux);
	fill(&src);
	run1(&p, &(struct push){ .dst = dst.va, .src = src.va, .aux = aux.va, .n = n }, (n + 63) / 64);
	for (uint32_t i = 0; i < n; i++) {
		int8_t b = ((int8_t *)src.map)[i];
		uint16_t s = ((uint16_t *)src.map)[i];

		want32((uint32_t[]){ (uint8_t)((int8_t *)dst.map)[i] }, 0, (uint8_t)(b * 3 - (int8_t)(s >> 9)));
		want32((uint32_t[]){ ((uint16_t *)aux.map)[i] }, 0, (uint16_t)(s * 7 + (uint16_t)b));
	}
	want32((uint32_t[]){ (uint8_t)((int8_t *)dst.map)[n] }, 0, 0);
	vkc_buf_del(&vk, &src);
	vkc_buf_del(&vk, &dst);
	vkc_buf_del(&vk, &aux);
	vkc_pipe_del(&vk, &p);
}

/* Fill, update and copy commands around a dispatch, between the card's memory and the host's */
static void test_transfers(void)
{
	enum { N = 70000, AT = 1024, UPDATE = 512 };
	const VkBufferCopy whole = { 0, 0, N * 4 }, odd = { 3 * 4, 7 * 4, 1001 * 4 };
	struct vkc_buf a, b, c;
	uint32_t update[UPDATE];
	VkCommandBuffer cmd;
	struct vkc_pipe p;

	PIPE(map, &p);
	vkc_buf_new(&vk, N * 4, VKC_HOST, &a);
	vkc_buf_new(&vk, N * 4, VKC_VRAM, &b);
	vkc_buf_new(&vk, N * 4, VKC_VRAM, &c);
	for (uint32_t i = 0; i < UPDATE; i++)
		update[i] = rnd();
	cmd = vkc_begin(&vk);
	vkCmdFillBuffer(cmd, a.buf, 0, VK_WHOLE_SIZE, 0xdecade);
	vkc_barrier(cmd);
	vkCmdUpdateBuffer(cmd, a.buf, AT, sizeof(update), update);
	vkc_barrier(cmd);
	vkCmdCopyBuffer(cmd, a.buf, b.buf, 1, &whole);
	vkc_barrier(cmd);
	vkc_dispatch(cmd, &p, &(struct push){ .dst = c.va, .src = b.va, .n = N, .a = 1, .b = 2 }, PUSH_BYTES,
		     (N + 63) / 64, 1, 1);
	vkc_barrier(cmd);
	vkCmdCopyBuffer(cmd, c.buf, a.buf, 1, &odd);
	must_run(cmd);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t v = i >= AT / 4 && i < AT / 4 + UPDATE ? update[i - AT / 4] : 0xdecade;

		want32(b.map, i, v);
		want32(c.map, i, mapped(v, 1, 2));
	}
	for (uint32_t i = 0; i < 1001; i++)
		want32(a.map, i + 7, ((uint32_t *)c.map)[i + 3]);
	want32(a.map, 6, 0xdecade);
	want32(a.map, 1008, 0xdecade);
	vkc_buf_del(&vk, &a);
	vkc_buf_del(&vk, &b);
	vkc_buf_del(&vk, &c);
	vkc_pipe_del(&vk, &p);
}

/* Time stamps around a dispatch, and an event that the second half of the commands waits for */
static void test_queries(void)
{
	VkQueryPoolCreateInfo info = { .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
				       .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = 3 };
	VkEventCreateInfo event_info = { .sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO };
	VkMemoryBarrier2 mb = { .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
				.srcStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
				.srcAccessMask = VK_ACCESS_2_MEMORY_WRITE_BIT,
				.dstStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
				.dstAccessMask = VK_ACCESS_2_MEMORY_READ_BIT };
	VkDependencyInfo dep = { .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
				 .memoryBarrierCount = 1, .pMemoryBarriers = &mb };
	const uint32_t n = 16384;
	struct vkc_buf a, b, c;
	VkCommandBuffer cmd;
	struct vkc_pipe p;
	VkQueryPool pool;
	uint64_t t[3];
	VkEvent event;

	PIPE(map, &p);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &a);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &b);
	vkc_buf_new(&vk, n * 4, VKC_VRAM, &c);
	fill(&a);
	vkc_must(&vk, vkCreateQueryPool(vk.dev, &info, NULL, &pool), "vkCreateQueryPool");
	vkc_must(&vk, vkCreateEvent(vk.dev, &event_info, NULL, &event), "vkCreateEvent");
	cmd = vkc_begin(&vk);
	vkCmdResetQueryPool(cmd, pool, 0, 3);
	vkCmdWriteTimestamp2(cmd, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, pool, 0);
	vkc_dispatch(cmd, &p, &(struct push){ .dst = b.va, .src = a.va, .n = n, .a = 3, .b = 4 }, PUSH_BYTES,
		     n / 64, 1, 1);
	vkCmdWriteTimestamp2(cmd, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, pool, 1);
	vkCmdSetEvent2(cmd, event, &dep);
	vkCmdWaitEvents2(cmd, 1, &event, &dep);
	vkc_dispatch(cmd, &p, &(struct push){ .dst = c.va, .src = b.va, .n = n, .a = 5, .b = 6 }, PUSH_BYTES,
		     n / 64, 1, 1);
	vkCmdWriteTimestamp2(cmd, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, pool, 2);
	must_run(cmd);
	vkc_must(&vk, vkGetQueryPoolResults(vk.dev, pool, 0, 3, sizeof(t), t, 8,
					    VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT), "query results");
	if (!t[0] || t[1] <= t[0] || t[2] <= t[1])
		vkc_die(&vk, "time stamps %llu %llu %llu", (unsigned long long)t[0], (unsigned long long)t[1],
			(unsigned long long)t[2]);
	for (uint32_t i = 0; i < n; i++)
		want32(c.map, i, mapped(mapped(((uint32_t *)a.map)[i], 3, 4), 5, 6));
	vkDestroyEvent(vk.dev, event, NULL);
	vkDestroyQueryPool(vk.dev, pool, NULL);
	vkc_buf_del(&vk, &a);
	vkc_buf_del(&vk, &b);
	vkc_buf_del(&vk, &c);
	vkc_pipe_del(&vk, &p);
}

static const struct test {
	const char *name;
	void (*run)(void);
	/* or one of several alike */
	void (*run_op)(uint32_t op);
	uint32_t op;
} tests[] = {
	{ .name = "push-constants", .run = test_push_constants },
	{ .name = "device-address", .run = test_device_address },
	{ .name = "shared-memory", .run = test_shared_memory },
	{ .name = "int64-add", .run_op = test_int64, .op = 0 },
	{ .name = "int64-sub", .run_op = test_int64, .op = 1 },
	{ .name = "int64-mul", .run_op = test_int64, .op = 2 },
	{ .name = "int64-udiv", .run_op = test_int64, .op = 3 },
	{ .name = "int64-shl", .run_op = test_int64, .op = 4 },
	{ .name = "int64-shr", .run_op = test_int64, .op = 5 },
	{ .name = "int64-sar", .run_op = test_int64, .op = 6 },
	{ .name = "int64-umin", .run_op = test_int64, .op = 7 },
	{ .name = "int64-smax", .run_op = test_int64, .op = 8 },
	{ .name = "int64-logic", .run_op = test_int64, .op = 9 },
	{ .name = "int64-umul-wide", .run_op = test_int64, .op = 10 },
	{ .name = "int64-smul-wide", .run_op = test_int64, .op = 11 },
	{ .name = "int64-compare", .run_op = test_int64, .op = 12 },
	{ .name = "int64-abs", .run_op = test_int64, .op = 13 },
	{ .name = "int64-umod", .run_op = test_int64, .op = 14 },
	{ .name = "atomics", .run = test_atomics },
	{ .name = "atomics64", .run = test_atomics64 },
	{ .name = "subgroups", .run = test_subgroups },
	{ .name = "indirect", .run = test_indirect },
	{ .name = "timeline", .run = test_timeline },
	{ .name = "barriers", .run = test_barriers },
	{ .name = "floats", .run = test_floats },
	{ .name = "doubles", .run = test_doubles },
	{ .name = "control-flow", .run = test_control_flow },
	{ .name = "local-memory", .run = test_local_memory },
	{ .name = "beyond-shared", .run = test_beyond_shared },
	{ .name = "descriptors", .run = test_descriptors },
	{ .name = "narrow", .run = test_narrow },
	{ .name = "transfers", .run = test_transfers },
	{ .name = "queries", .run = test_queries },
};

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 0;
}

/* Run what is wanted.  Return: how many tests. */
static size_t run_all(int argc, char **argv)
{
	size_t ran = 0;

	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		if (!wanted(tests[i].name, argc, argv))
			continue;
		vk.test = tests[i].name;
		seed = 0x1234 + i;
		if (tests[i].run)
			tests[i].run();
		else
			tests[i].run_op(tests[i].op);
		ran++;
		if (!until)
			printf("PASS vk@%s\n", tests[i].name);
	}
	return ran;
}

int main(int argc, char **argv)
{
	size_t ran = 0, turns = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
			puts(tests[i].name);
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "--until")) {
		until = argv[2];
		argc -= 2;
		argv += 2;
	}
	vkc_open(&vk, "vk");
	do {
		ran += run_all(argc - 1, argv + 1);
		if (++turns == 1 && until)
			puts("turn 1");
	} while (until && access(until, F_OK));
	vkc_close(&vk);
	if (until && ran)
		printf("PASS vk@turns: %zu\n", turns);
	return ran ? 0 : 2;
}
