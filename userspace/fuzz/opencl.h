/* SPDX-License-Identifier: MIT */
/**
 * DOC: a kernel of clkernel.py as C
 *
 * What those kernels use of OpenCL C, so that a C compiler can say what a kernel computes: the text of the kernel is
 * included, as KERNEL_FILE, and KERNEL is its name.  Work items are coroutines that change at barriers, work groups
 * run one after the other, so nothing here is atomic.  Semantics: OpenCL C 3.0, sections 6.15.2 (math), 6.15.3
 * (integer functions); float functions are those of the C library, which is within the bounds that clkernel.py allows.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

typedef uint8_t uchar;
typedef uint32_t cl_uint;
typedef uint64_t cl_ulong;
#define uint cl_uint
#define ulong cl_ulong
/* OpenCL's int and long have 32 and 64 bits, as on every target of ours */
_Static_assert(sizeof(int) == 4 && sizeof(long) == 8, "a host of 64 bits");

#define __kernel
#define __global
#define __local static
#define reqd_work_group_size(x, y, z)
#define CLK_LOCAL_MEM_FENCE 1

#define STACK 65536
#define MAX_LOCAL 128

static struct item {
	ucontext_t context;
	char stack[STACK];
	int done;
} items[MAX_LOCAL];

static ucontext_t scheduler;
static uint group_id, local_id, local_size;
static const uint *arg_in;
static uint *arg_out, *arg_acc;
static ulong *arg_out64;
static float *arg_fo;

static inline ulong get_local_id(uint dim)
{
	return dim ? 0 : local_id;
}

static inline ulong get_global_id(uint dim)
{
	return dim ? 0 : group_id * local_size + local_id;
}

static inline void barrier(int fence)
{
	(void)fence;
	swapcontext(&items[local_id].context, &scheduler);
}

#define OF_KINDS(x, name) _Generic((x), int: name##_int, uint: name##_uint, ulong: name##_ulong)
#define MINMAX(type, suffix)                                                                                           \
	static inline type min_##suffix(type a, type b)                                                                \
	{                                                                                                              \
		return a < b ? a : b;                                                                                  \
	}                                                                                                              \
	static inline type max_##suffix(type a, type b)                                                                \
	{                                                                                                              \
		return a > b ? a : b;                                                                                  \
	}
MINMAX(int, int)
MINMAX(uint, uint)
MINMAX(ulong, ulong)
#define min(a, b) OF_KINDS((a) + (b), min)(a, b)
#define max(a, b) OF_KINDS((a) + (b), max)(a, b)

static inline int mul_hi_int(int a, int b)
{
	return (int)((int64_t)a * b >> 32);
}

static inline uint mul_hi_uint(uint a, uint b)
{
	return (uint)((ulong)a * b >> 32);
}
#define mul_hi(a, b) _Generic((a), int: mul_hi_int, uint: mul_hi_uint)(a, b)

static inline uint abs_diff(int a, int b)
{
	return a > b ? (uint)a - (uint)b : (uint)b - (uint)a;
}

static inline uint popcount(uint x)
{
	return (uint)__builtin_popcount(x);
}

static inline uint clz(uint x)
{
	return x ? (uint)__builtin_clz(x) : 32;
}

static inline uint rotate(uint x, uint by)
{
	return x << (by & 31) | x >> (-by & 31);
}

/* both factors have 24 bits at most, or the result is the implementation's choice */
static inline uint mad24(uint a, uint b, uint c)
{
	return a * b + c;
}

static inline uint bitselect(uint a, uint b, uint by)
{
	return (a & ~by) | (b & by);
}

static inline uint as_uint(float x)
{
	uint bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

#define fabs fabsf
#define fma fmaf
#define fmin fminf
#define fmax fmaxf
#define floor floorf
#define ceil ceilf
#define trunc truncf
#define fmod fmodf
#define sqrt sqrtf
#define rsqrt(x) (1.0f / sqrtf(x))
#define exp2 exp2f
#define log2 log2f
#define sin sinf
#define cos cosf

static inline void atomic_add(uint *p, uint x) { *p += x; }
static inline void atomic_sub(uint *p, uint x) { *p -= x; }
static inline void atomic_or(uint *p, uint x) { *p |= x; }
static inline void atomic_and(uint *p, uint x) { *p &= x; }
static inline void atomic_xor(uint *p, uint x) { *p ^= x; }
static inline void atomic_min(uint *p, uint x) { *p = min_uint(*p, x); }
static inline void atomic_max(uint *p, uint x) { *p = max_uint(*p, x); }

#include KERNEL_FILE

static void one_item(void)
{
	KERNEL(arg_in, arg_out, arg_out64, arg_fo, arg_acc);
	items[local_id].done = 1;
}

/* All work items of a launch.  Return: 0, -1: the kernel's work groups are too large. */
int launch(uint count, uint local, const uint *in, uint *out, ulong *out64, float *fo, uint *acc)
{
	uint left;

	if (local > MAX_LOCAL)
		return -1;
	arg_in = in;
	arg_out = out;
	arg_out64 = out64;
	arg_fo = fo;
	arg_acc = acc;
	local_size = local;
	for (group_id = 0; group_id < count / local; group_id++) {
		for (local_id = 0; local_id < local; local_id++) {
			struct item *item = &items[local_id];

			getcontext(&item->context);
			item->context.uc_stack.ss_sp = item->stack;
			item->context.uc_stack.ss_size = STACK;
			item->context.uc_link = &scheduler;
			item->done = 0;
			makecontext(&item->context, one_item, 0);
		}
		do {
			left = 0;
			for (local_id = 0; local_id < local; local_id++) {
				if (!items[local_id].done) {
					swapcontext(&scheduler, &items[local_id].context);
					left += !items[local_id].done;
				}
			}
		} while (left);
	}
	return 0;
}
