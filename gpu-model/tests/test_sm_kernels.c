// SPDX-License-Identifier: MIT
/*
 * The recorded OpenCL kernels, run on plain memory with arguments laid out as
 * rusticl does (mesa.md 1.7, 3.1), results checked against C; each in
 * deterministic mode and again with two workers.
 */
#include <math.h>

#include "tests/sm_harness.h"

static const int modes[] = { 0, 2 };

static void finish(struct sm_array *sm, int workers)
{
	struct sm_event ev[8];
	int n = 0;

	if (!workers) {
		n = plain_run(sm, ev, 8);
	} else {
		for (int t = 0; t < 20000 && n < 1; t++) {
			n = sm_poll_events(sm, ev, 8);
			if (!n)
				usleep(500);
		}
	}
	for (int j = 0; j < n; j++)
		if (ev[j].type != SM_EVENT_DONE)
			print_error("event %d error %x pc %llx word %016llx va %llx\n", ev[j].type,
				    ev[j].error, (unsigned long long)(ev[j].pc - VA),
				    (unsigned long long)ev[j].word, (unsigned long long)ev[j].va);
	assert_int_equal(n, 1);
	assert_int_equal(ev[0].type, SM_EVENT_DONE);
	assert_true(sm_idle(sm));
}

struct run {
	struct plain *p;
	struct sm_launch l;
	unsigned int arg;
	int workers;
};

static struct run *run_new(const char *name, int workers)
{
	struct run *r = calloc(1, sizeof(*r));

	r->p = plain_new();
	r->workers = workers;
	if (!golden_load(r->p, AT_CODE, name)) {
		plain_del(r->p);
		free(r);
		return NULL;
	}
	r->l = plain_launch(r->p, 1, 32);
	return r;
}

static void run_ptr(struct run *r, uint32_t off)
{
	uint64_t va = VA + off;

	r->arg = (r->arg + 7) & ~7u;
	memcpy((uint8_t *)at(r->p, AT_CB0) + r->arg, &va, 8);
	r->arg += 8;
}

static void run_u32(struct run *r, uint32_t v)
{
	memcpy((uint8_t *)at(r->p, AT_CB0) + r->arg, &v, 4);
	r->arg += 4;
}

static void run_go(struct run *r)
{
	struct sm_array *sm;

	plain_aux(r->p, &r->l);
	assert_int_equal(sm_new(4, r->workers, &plain_ops, r->p, &sm), 0);
	assert_true(sm_launch(sm, &r->l) > 0);
	finish(sm, r->workers);
	sm_del(&sm);
	assert_int_equal(r->p->begins, r->p->ends);
}

static void run_del(struct run *r)
{
	plain_del(r->p);
	free(r);
}

#define EACH_MODE(name)							\
	struct run *r;							\
	for (size_t mode = 0; mode < 2; mode++)				\
		if (!(r = run_new(name, modes[mode])))			\
			fail_msg("%s is not among the data", name);		\
		else

static uint32_t rnd_state = 1;
static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 17;
	rnd_state ^= rnd_state << 5;
	return rnd_state;
}

static void k_vecadd(void **state)
{
	EACH_MODE("vecadd") {
		enum { N = 10000 };
		float *a = at(r->p, AT_DATA), *b = a + 16384, *c = b + 16384;

		for (int j = 0; j < N; j++) {
			a[j] = j * 0.5f;
			b[j] = 1000 - j;
		}
		r->l.block[0] = 96;
		r->l.grid[0] = (N + 95) / 96;
		run_ptr(r, AT_DATA);
		run_ptr(r, AT_DATA + 65536);
		run_ptr(r, AT_DATA + 131072);
		run_u32(r, N);
		run_go(r);
		for (int j = 0; j < N; j++)
			assert_true(c[j] == a[j] + b[j]);
		assert_true(c[N] == 0);
		run_del(r);
	}
}

static void k_chase(void **state)
{
	EACH_MODE("chase") {
		struct node { uint64_t next; int v, pad; } *n = at(r->p, AT_DATA);
		int64_t sum = 0, *out = at(r->p, AT_DATA + 0x80000);

		for (int j = 0; j < 1000; j++) {
			int k = (j * 7 + 3) % 1000, next = ((j + 1) * 7 + 3) % 1000;

			n[k].v = j - 700;
			n[k].next = j == 999 ? 0 : VA + AT_DATA + next * sizeof(*n);
			sum += n[k].v;
		}
		run_ptr(r, AT_DATA + 3 * sizeof(*n));
		run_ptr(r, AT_DATA + 0x80000);
		r->l.block[0] = 1;
		run_go(r);
		assert_true(*out == sum);
		run_del(r);
	}
}

static void k_reduce(void **state)
{
	EACH_MODE("reduce") {
		enum { N = 5000 };
		int32_t *in = at(r->p, AT_DATA), *out = at(r->p, AT_DATA + 0x80000), sum = 0;

		for (int j = 0; j < N; j++)
			sum += in[j] = rnd() % 1000;
		run_ptr(r, AT_DATA);
		run_ptr(r, AT_DATA + 0x80000);
		run_u32(r, 0);		/* offset of l in shared memory */
		run_u32(r, 0);
		run_u32(r, N);
		/* the compiler may have put n at 0x14 or 0x18 */
		((uint32_t *)at(r->p, AT_CB0))[5] = N;
		((uint32_t *)at(r->p, AT_CB0))[6] = N;
		r->l.block[0] = 128;
		r->l.grid[0] = (N + 127) / 128;
		r->l.shared_size = 512;
		run_go(r);
		assert_int_equal(*out, sum);
		run_del(r);
	}
}

static void k_matmul(void **state)
{
	EACH_MODE("matmul") {
		enum { N = 32 };
		float *a = at(r->p, AT_DATA), *b = a + N * N, *c = b + N * N;

		for (int j = 0; j < N * N; j++) {
			a[j] = (int)(rnd() % 17) - 8;
			b[j] = (int)(rnd() % 13) - 6;
		}
		run_ptr(r, AT_DATA);
		run_ptr(r, AT_DATA + N * N * 4);
		run_ptr(r, AT_DATA + N * N * 8);
		run_u32(r, N);
		r->l.block[0] = r->l.block[1] = 8;
		r->l.grid[0] = r->l.grid[1] = N / 8;
		r->l.shared_size = 512;
		run_go(r);
		for (int y = 0; y < N; y++)
			for (int x = 0; x < N; x++) {
				float s = 0;

				for (int k = 0; k < N; k++)
					s = fmaf(a[y * N + k], b[k * N + x], s);
				assert_true(s == c[y * N + x]);
			}
		run_del(r);
	}
}

static void k_hist(void **state)
{
	EACH_MODE("hist") {
		enum { N = 20000, T = 4 * 64 };
		uint8_t *in = at(r->p, AT_DATA);
		uint32_t *h = at(r->p, AT_DATA + 0x80000), want[256] = { 0 };

		for (int j = 0; j < N; j++)
			want[in[j] = rnd() >> 9 & 255]++;
		run_ptr(r, AT_DATA);
		run_ptr(r, AT_DATA + 0x80000);
		run_u32(r, N);
		((uint32_t *)at(r->p, AT_CB0))[6] = T;
		((uint32_t *)at(r->p, AT_CB0))[8] = T;
		r->l.block[0] = 64;
		r->l.grid[0] = 4;
		r->l.shared_size = 1024;
		run_go(r);
		assert_memory_equal(h, want, sizeof(want));
		run_del(r);
	}
}

static void k_atom(void **state)
{
	EACH_MODE("atom") {
		uint32_t *p = at(r->p, AT_DATA), v = 1;
		enum { T = 200 };

		memset(p, 0, 64);
		p[1] = 1000;
		p[2] = ~0u;
		p[6] = 5;
		p[7] = 1;
		run_ptr(r, AT_DATA);
		run_ptr(r, AT_DATA + 0x1000);
		r->l.block[0] = 50;
		r->l.grid[0] = 4;
		run_go(r);
		assert_int_equal(p[0], T - 1);
		assert_int_equal(p[1], 0);
		assert_int_equal(p[2], 0);
		assert_int_equal(p[3], 255);
		v = 0;
		for (int j = 0; j < T; j++)
			v ^= j;
		assert_int_equal(p[4], v);
		assert_true(p[5] < T);
		assert_true(p[6] >= 6 && p[6] <= T);
		v = 1;
		for (int j = 0; j < T; j++)
			v = v * 3 + 1;
		assert_int_equal(p[7], v);
		run_del(r);
	}
}

static void k_i64(void **state)
{
	EACH_MODE("i64") {
		enum { N = 256 };
		static const uint64_t edge[] = {0,	    1,		~0ull, 1ull << 63, (1ull << 63) - 1,
						0xffffffff, 1ull << 32, 7};
		uint64_t *a = at(r->p, AT_DATA), wa[N];
		int64_t *b = at(r->p, AT_DATA + 0x4000), wb[N];

		for (int j = 0; j < N; j++) {
			uint64_t x, d;
			int64_t y, e;

			a[j] = j < 64 ? edge[j & 7] : (uint64_t)rnd() << 32 | rnd();
			b[j] = j < 64 ? (int64_t)edge[j >> 3]
				      : (int64_t)((uint64_t)rnd() << 32 | rnd()) >> (j & 63);
			x = a[j];
			y = b[j];
			d = (uint64_t)(y | 1);
			e = (int64_t)(x | 1);
			/*
			 * The source says x << (y & 63).  Mesa leaves the masking to SHF.L.W, but
			 * the upper half's SHF.L comes without .W, so that amounts of 64 and more
			 * clamp there (nv50_ir NVC0LegalizeSSA::handleShift).
			 */
			wa[j] = x << (y & 63);
			if ((uint32_t)y > 63)
				wa[j] &= 0xffffffff;
			wa[j] += x * (uint64_t)y + (x >> 3);
			wb[j] = (int64_t)(x / d) ^ (e == -1 ? 0 : y % e);
		}
		run_ptr(r, AT_DATA);
		run_ptr(r, AT_DATA + 0x4000);
		r->l.block[0] = N;
		run_go(r);
		for (int j = 0; j < N; j++) {
			if (a[j] != wa[j] || b[j] != wb[j])
				print_error("lane %d: %llx %llx want %llx %llx\n", j, (long long)a[j],
					    (long long)b[j], (long long)wa[j], (long long)wb[j]);
			assert_true(a[j] == wa[j]);
			assert_true(b[j] == wb[j]);
		}
		run_del(r);
	}
}

static void k_i32div(void **state)
{
	EACH_MODE("i32div") {
		enum { N = 256 };
		int32_t *a = at(r->p, AT_DATA), wa[N];
		uint32_t *b = at(r->p, AT_DATA + 0x4000), wb[N];

		for (int j = 0; j < N; j++) {
			a[j] = (int32_t)rnd() >> (j & 31);
			b[j] = rnd() >> (j >> 3 & 31);
			if (j == 1)
				a[j] = INT32_MIN;
			wa[j] = a[j] / (int)(b[j] | 1) + a[j] % 7;
			wb[j] = b[j] / 10u + (uint32_t)(((uint64_t)b[j] * (uint32_t)wa[j]) >> 32) +
				__builtin_popcount(b[j]) + (b[j] ? __builtin_clz(b[j]) : 32) +
				(b[j] << 5 | b[j] >> 27);
		}
		run_ptr(r, AT_DATA);
		run_ptr(r, AT_DATA + 0x4000);
		r->l.block[0] = N;
		run_go(r);
		for (int j = 0; j < N; j++) {
			assert_int_equal(a[j], wa[j]);
			assert_int_equal(b[j], wb[j]);
		}
		run_del(r);
	}
}

static void k_fmath(void **state)
{
	EACH_MODE("fmath") {
		enum { N = 256 };
		float *a = at(r->p, AT_DATA), in[N];

		for (int j = 0; j < N; j++)
			in[j] = a[j] = 0.03f + j * 0.05f;
		run_ptr(r, AT_DATA);
		r->l.block[0] = N;
		run_go(r);
		for (int j = 0; j < N; j++) {
			double x = in[j], w = sqrt(x) + sin(x) + exp2(x) + x / 3.1 + fmin(x, 1) + floor(x) +
					      (int)x + 1 / sqrt(x) + log2(x) + fabs(x) + x * x + 2;

			if (fabs(a[j] - w) > fabs(w) * 1e-5 + 1e-4)
				print_error("x %g got %.9g want %.9g\n", x, a[j], w);
			assert_true(fabs(a[j] - w) <= fabs(w) * 1e-5 + 1e-4);
		}
		run_del(r);
	}
}

/*
 * Its tables come in a constant buffer of rusticl's that the recording does not
 * hold; with zeroes in their place only the way through the code is checked.
 */
static void k_fprec(void **state)
{
	EACH_MODE("fprec") {
		float *a = at(r->p, AT_DATA);

		for (int j = 0; j < 256; j++)
			a[j] = (j - 100) * 3.7f;
		run_ptr(r, AT_DATA);
		for (int j = 0; j < 6; j++)
			run_ptr(r, AT_DATA + 0x8000);
		r->l.block[0] = 256;
		run_go(r);
		run_del(r);
	}
}

static void k_b8(void **state)
{
	EACH_MODE("b8") {
		uint8_t *a = at(r->p, AT_DATA);

		for (int j = 0; j < 512; j++)
			a[j] = j;
		run_ptr(r, AT_DATA);
		r->l.block[0] = 256;
		run_go(r);
		for (int j = 0; j < 256; j++)
			assert_int_equal(a[j], (uint8_t)(j + 3));
		assert_int_equal(a[256], 0);
		run_del(r);
	}
}

static void k_b16(void **state)
{
	EACH_MODE("b16") {
		uint16_t *a = at(r->p, AT_DATA);

		for (int j = 0; j < 512; j++)
			a[j] = j * 199;
		run_ptr(r, AT_DATA);
		r->l.block[0] = 256;
		run_go(r);
		for (int j = 0; j < 256; j++)
			assert_int_equal(a[j], (uint16_t)(j * 199 * 5));
		run_del(r);
	}
}

static void k_privarr(void **state)
{
	EACH_MODE("privarr") {
		enum { N = 1024, M = 50 };
		int32_t *a = at(r->p, AT_DATA), in[N];

		/* lanes read what others write unless written values stay valid: keep reads below */
		for (int j = 0; j < N; j++)
			in[j] = a[j] = j < 64 ? j * 5 + 1 : (int)(rnd() & 0xffff);
		run_ptr(r, AT_DATA);
		run_u32(r, M);
		r->l.block[0] = 1;
		r->l.grid[0] = 1;
		r->l.local_low = 0x100;
		run_go(r);
		{
			int p[64], s = 0;

			for (int k = 0; k < 64; k++)
				p[k] = in[0];
			for (int k = 0; k < M; k++)
				s += p[in[k] & 63];
			assert_int_equal(a[0], s);
		}
		run_del(r);
	}
}

static void k_vec4(void **state)
{
	EACH_MODE("vec4") {
		float *a = at(r->p, AT_DATA), in[256 * 4];

		for (int j = 0; j < 256 * 4; j++)
			in[j] = a[j] = j * 0.25f - 100;
		run_ptr(r, AT_DATA);
		run_ptr(r, AT_DATA + 0x8000);
		r->l.block[0] = 256;
		run_go(r);
		for (int j = 0; j < 256 * 4; j++)
			assert_true(a[j] == in[j] * in[(j & ~3) + 3 - (j & 3)] + 1.0f ||
				    a[j] == fmaf(in[j], in[(j & ~3) + 3 - (j & 3)], 1.0f));
		run_del(r);
	}
}

static int sw_ref(int v, const int *a)
{
	switch (v & 7) {
	case 0: return v + 1;
	case 1: return v * 3;
	case 2: return -v;
	case 3:
		for (int k = 0; k < v; k++) {
			if (a[k] == 5)
				break;
			if (a[k] == 6)
				continue;
			v += a[k];
		}
		return v;
	}
	return 0;
}

static void k_sw(void **state)
{
	EACH_MODE("sw") {
		enum { N = 32 };
		int *a = at(r->p, AT_DATA), in[64 + N];

		/* one warp: all lanes have read before any writes its result */
		for (int j = 0; j < N; j++)
			in[j] = a[j] = j == 20 ? 5 : j % 5 == 2 ? 6 : j % 3 == 0 ? 3 + 8 * (j % 4) : j;
		run_ptr(r, AT_DATA);
		r->l.block[0] = N;
		run_go(r);
		for (int j = 0; j < N; j++) {
			int w = sw_ref(in[j], in);

			if (a[j] != w)
				print_error("lane %d in %d got %d want %d\n", j, in[j], a[j], w);
			assert_int_equal(a[j], w);
		}
		run_del(r);
	}
}

static void k_c11(void **state)
{
	EACH_MODE("c11") {
		uint32_t *a = at(r->p, AT_DATA), *f = at(r->p, AT_DATA + 0x1000);

		run_ptr(r, AT_DATA);
		run_ptr(r, AT_DATA + 0x1000);
		r->l.block[0] = 64;
		r->l.grid[0] = 3;
		for (int j = 4; j < 16; j++)
			((uint32_t *)at(r->p, AT_CB0))[j] = 0;
		((uint32_t *)at(r->p, AT_CB0))[4] = 192;
		((uint32_t *)at(r->p, AT_CB0))[6] = 192;
		((uint32_t *)at(r->p, AT_CB0))[8] = 192;
		run_go(r);
		assert_int_equal(*a, 192);
		assert_int_equal(*f, 1);
		run_del(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(k_vecadd), cmocka_unit_test(k_chase), cmocka_unit_test(k_reduce),
		cmocka_unit_test(k_matmul), cmocka_unit_test(k_hist), cmocka_unit_test(k_atom),
		cmocka_unit_test(k_i64), cmocka_unit_test(k_i32div), cmocka_unit_test(k_fmath),
		cmocka_unit_test(k_fprec), cmocka_unit_test(k_b8), cmocka_unit_test(k_b16),
		cmocka_unit_test(k_privarr), cmocka_unit_test(k_vec4), cmocka_unit_test(k_sw),
		cmocka_unit_test(k_c11),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
