// SPDX-License-Identifier: MIT
/*
 * Random structured programs: nested conditions, loops with break and continue,
 * calls with early return, exits, all divergent, as the compilers lay them out,
 * against an interpreter of the same tree that knows one lane only.
 *
 * SM_FLOW_SEED and SM_FLOW_COUNT choose other programs.
 */
#include "tests/sm_harness.h"

enum kind { N_ADD, N_MAD, N_IF, N_LOOP, N_BREAK, N_CONT, N_EXIT, N_CALL, N_RET, N_BAR };

struct node {
	enum kind kind;
	uint32_t k, mask, val;
	struct node *a, *b;	/* bodies: lists */
	struct node *next;
};

#define FUNCS 3
#define MAX_WORDS 6000

static uint64_t seed;
static struct node pool[4000];
static int used;
static struct node *main_body, *func[FUNCS];

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

static struct node *node(enum kind kind)
{
	struct node *n = &pool[used++];

	memset(n, 0, sizeof(*n));
	n->kind = kind;
	n->k = rnd(1000);
	n->mask = (1u << rnd(5)) | (1u << rnd(3));
	n->val = rnd(2) ? 0 : n->mask;
	return n;
}

/* @loop: inside a loop; @fn: which function's body (may call later ones only), -1: main */
static struct node *list(int depth, bool loop, int fn)
{
	struct node *first = NULL, **tail = &first;

	for (int n = 1 + rnd(4); n > 0 && used < 3000; n--) {
		struct node *x;
		uint32_t r = rnd(20);

		if (r < 5 || depth > 5) {
			x = node(r & 1 ? N_ADD : N_MAD);
		} else if (r < 11) {
			x = node(N_IF);
			x->a = list(depth + 1, loop, fn);
			x->b = rnd(3) ? list(depth + 1, loop, fn) : NULL;
		} else if (r < 14 && depth < 4) {
			x = node(N_LOOP);
			x->k = 1 + rnd(6);
			x->a = list(depth + 1, true, fn);
		} else if (r < 16 && loop) {
			x = node(r & 1 ? N_BREAK : N_CONT);
		} else if (r == 16 && depth > 1) {
			x = node(N_EXIT);
			x->mask = 0x1f;	/* seldom */
			x->val = rnd(32);
		} else if (r < 19 && fn + 1 < FUNCS) {
			x = node(N_CALL);
			x->k = fn + 1 + rnd(FUNCS - fn - 1);
		} else if (fn >= 0) {
			x = node(N_RET);
		} else {
			x = node(N_ADD);
		}
		*tail = x;
		tail = &x->next;
	}
	return first;
}

/* --- one lane ----------------------------------------------------------------- */

enum end { GOES_ON, BREAKS, CONTINUES, EXITS, RETURNS };

static uint64_t steps;

static enum end lane(const struct node *n, uint32_t *v, uint32_t t)
{
	for (; n; n = n->next) {
		bool yes = ((*v ^ t) & n->mask) == n->val;
		enum end e = GOES_ON;

		steps++;
		switch (n->kind) {
		case N_ADD:
			*v += n->k;
			break;
		case N_MAD:
			*v = *v * 5 + n->k;
			break;
		case N_IF:
			e = lane(yes ? n->a : n->b, v, t);
			break;
		case N_LOOP:
			for (uint32_t c = 0; c < n->k; c++) {
				e = lane(n->a, v, t);
				if (e == CONTINUES)
					e = GOES_ON;
				if (e != GOES_ON)
					break;
			}
			if (e == BREAKS)
				e = GOES_ON;
			break;
		case N_CALL:
			e = lane(func[n->k], v, t);
			if (e == RETURNS)
				e = GOES_ON;
			break;
		case N_BREAK:
			e = yes ? BREAKS : GOES_ON;
			break;
		case N_CONT:
			e = yes ? CONTINUES : GOES_ON;
			break;
		case N_EXIT:
			e = yes ? EXITS : GOES_ON;
			break;
		case N_RET:
			e = yes ? RETURNS : GOES_ON;
			break;
		default:
			break;
		}
		if (e != GOES_ON)
			return e;
	}
	return GOES_ON;
}

/* --- code ----------------------------------------------------------------------- */

static uint64_t code[MAX_WORDS];
static int words;
static struct { int at, func; } calls[600];
static int nr_calls, func_at[FUNCS];

static int emit(uint64_t w)
{
	assert_true(words < MAX_WORDS);
	code[words] = w;
	return words++;
}

static void jump(int where, unsigned int op, int to, int pred, bool not)
{
	code[where] = guard(i_flow(op, place_of(where), place_of(to)), pred, not);
}

/* p0 = ((r8 ^ r0) & mask) == val */
static void test(const struct node *n)
{
	emit(enc(0x5c47, 10, 8, 0, 0) | fld(2, 41));
	emit(enc(0x0400, 10, 10, 0, 0) | fld(n->mask, 20));
	emit((enc(0x3660, 0, 10, 0, 0) & ~0xffull) | 7 | fld(2, 49) | fld(7, 39) | fld(n->val, 20));
}

static void gen(const struct node *n, int depth)
{
	for (; n; n = n->next) {
		int a, b, c;

		switch (n->kind) {
		case N_ADD:
			emit(i_iaddi(8, 8, n->k));
			break;
		case N_MAD:
			emit(i_mov32(11, n->k));
			emit(enc(0x3400, 8, 8, 0, 11) | fld(5, 20));
			break;
		case N_IF:
			a = emit(0);
			test(n);
			if (!n->b) {
				/* those who don't, wait at the end at once */
				emit(guard(0xf0f800000007000full, 0, true));
				gen(n->a, depth);
				emit(0xf0f800000007000full);
			} else {
				b = emit(0);
				gen(n->a, depth);
				emit(0xf0f800000007000full);
				jump(b, 0xe240, words, 0, true);
				gen(n->b, depth);
				emit(0xf0f800000007000full);
			}
			jump(a, 0xe290, words, PT, false);
			break;
		case N_LOOP:
			emit(i_mov32(20 + depth, 0));
			a = emit(0);
			b = words;
			emit((enc(0x3660, 0, 20 + depth, 0, 0) & ~0xffull) | 7 | fld(6, 49) | fld(7, 39) |
			     fld(n->k, 20));
			emit(guard(0xe34000000007000full, 0, false));
			c = emit(0);
			gen(n->a, depth + 1);
			emit(0xe35000000007000full);
			jump(c, 0xe2b0, words, PT, false);
			emit(i_iaddi(20 + depth, 20 + depth, 1));
			c = emit(0);
			jump(c, 0xe240, b, PT, false);
			jump(a, 0xe2a0, words, PT, false);
			break;
		case N_BREAK:
			test(n);
			emit(guard(0xe34000000007000full, 0, false));
			break;
		case N_CONT:
			test(n);
			emit(guard(0xe35000000007000full, 0, false));
			break;
		case N_EXIT:
			test(n);
			emit(guard(0xe30000000007000full, 0, false));
			break;
		case N_RET:
			test(n);
			emit(guard(0xe32000000007000full, 0, false));
			break;
		case N_CALL:
			assert_true(nr_calls < 600);
			calls[nr_calls].func = n->k;
			calls[nr_calls++].at = emit(0);
			break;
		default:
			break;
		}
	}
}

static void make(void)
{
	used = words = nr_calls = 0;
	for (int f = FUNCS - 1; f >= 0; f--)
		func[f] = list(2, false, f);
	main_body = list(0, false, -1);
	emit(i_s2r(0, 0x21));
	emit(i_s2r(1, 0x25));
	emit(i_mov32(4, 64));
	emit(enc(0x5a00, 0, 1, 4, 0));
	emit(i_shl(4, 0, 2));
	emit(i_mov32(2, (uint32_t)(VA + AT_DATA)));
	emit(i_iadd(2, 2, 4));
	emit(i_mov32(3, VA >> 32));
	emit(i_mov32(8, 0));
	gen(main_body, 0);
	emit(i_stg(8, 2, 0, 4));
	emit(i_exit());
	for (int f = 0; f < FUNCS; f++) {
		func_at[f] = words;
		gen(func[f], 4 + 4 * f);
		emit(0xe32000000007000full);
	}
	for (int k = 0; k < nr_calls; k++)
		jump(calls[k].at, 0xe260, func_at[calls[k].func], PT, false);
}

static void programs(void **state)
{
	const char *s = getenv("SM_FLOW_SEED"), *n = getenv("SM_FLOW_COUNT");
	uint64_t first = s ? strtoull(s, NULL, 0) : 1;
	int count = n ? atoi(n) : 400, run = 0;
	struct plain *p = plain_new();

	for (int k = 0; k < count; k++) {
		struct sm_launch l;
		struct sm_event ev[4];
		struct sm_array *sm;
		uint32_t want[128], *got;
		int e;

		seed = (first + k) * 0x9e3779b97f4a7c15ull;
		make();
		steps = 0;
		for (uint32_t t = 0; t < 128; t++) {
			want[t] = 0;
			if (lane(main_body, &want[t], t) == EXITS)
				want[t] = 0xdeadbeef;
		}
		if (steps > 4000000)
			continue;
		run++;
		l = plain_launch(p, 2, 64);
		l.crs_size = 0x2000;
		plain_code(p, AT_CODE, code, words);
		got = at(p, AT_DATA);
		for (int t = 0; t < 128; t++)
			got[t] = 0xdeadbeef;
		sm_new(1, 0, &plain_ops, p, &sm);
		sm_launch(sm, &l);
		e = plain_run(sm, ev, 4);
		if (e != 1 || ev[0].type != SM_EVENT_DONE)
			print_error("program %llu: event %d error %x\n", (unsigned long long)(first + k),
				    ev[0].type, ev[0].error);
		assert_int_equal(e, 1);
		assert_int_equal(ev[0].type, SM_EVENT_DONE);
		for (int t = 0; t < 128; t++) {
			if (got[t] != want[t])
				print_error("program %llu lane %d: %08x, want %08x\n",
					    (unsigned long long)(first + k), t, got[t], want[t]);
			assert_int_equal(got[t], want[t]);
		}
		sm_del(&sm);
	}
	plain_del(p);
	print_message("# %d programs\n", run);
	assert_true(run > count / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(programs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
