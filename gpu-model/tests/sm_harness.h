/* SPDX-License-Identifier: MIT */
/*
 * Plain memory under the shader cores: VA 0x7f0000000000 on, 4 KiB pages that a
 * test can take away and give back; counters of slices and translations.
 * Owned by the test's thread, but translate() runs in workers: pages change only
 * while none runs.
 */
#ifndef SM_HARNESS_H
#define SM_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sm/core.h"

#define VA 0x7f0000000000ull
#define MEM (16u << 20)
#define PAGES (MEM / 4096)

/* Places in the memory. */
#define AT_CODE 0x00000
#define AT_CB0 0x10000
#define AT_CB7 0x20000
#define AT_DATA 0x100000
#define AT_LOCAL 0x800000

enum page_kind { PG_OK, PG_AWAY, PG_RO, PG_NOHOST, PG_SPARSE, PG_SYSMEM, PG_NOCACHE };

struct plain {
	uint8_t *mem;
	uint8_t kind[PAGES];
	unsigned int begins, ends, translations;
};

#define FAULT_PTE 2	/* stands for any fault type */
#define FAULT_RO 6

static inline void plain_begin(void *priv)
{
	__atomic_add_fetch(&((struct plain *)priv)->begins, 1, __ATOMIC_RELAXED);
}

static inline void plain_end(void *priv)
{
	__atomic_add_fetch(&((struct plain *)priv)->ends, 1, __ATOMIC_RELAXED);
}

static inline uint8_t plain_translate(void *priv, void *space, enum sm_port port, uint64_t va,
				      enum sm_access access, struct sm_page *out)
{
	struct plain *p = priv;
	unsigned int n;
	uint8_t kind;

	__atomic_add_fetch(&p->translations, 1, __ATOMIC_RELAXED);
	if (va < VA || va >= VA + MEM)
		return 0;
	n = (va - VA) >> 12;
	kind = __atomic_load_n(&p->kind[n], __ATOMIC_ACQUIRE);
	if (kind == PG_AWAY)
		return FAULT_PTE;
	if (kind == PG_RO && (access == SM_WRITE || access == SM_ATOMIC))
		return FAULT_RO;
	out->va = VA + ((uint64_t)n << 12);
	out->size = 4096;
	out->host = kind == PG_NOHOST || kind == PG_SPARSE ? NULL : p->mem + ((size_t)n << 12);
	out->writable = out->atomic_ok = kind != PG_RO;
	out->sysmem = kind == PG_SYSMEM;
	out->sparse = kind == PG_SPARSE;
	out->nocache = kind == PG_NOCACHE;
	return SM_XLAT_OK;
}

static inline int plain_read(void *priv, void *space, enum sm_port port, uint64_t va, void *buf,
			     unsigned int len)
{
	memcpy(buf, ((struct plain *)priv)->mem + (va - VA), len);
	return 0;
}

static inline int plain_write(void *priv, void *space, enum sm_port port, uint64_t va, const void *buf,
			      unsigned int len)
{
	memcpy(((struct plain *)priv)->mem + (va - VA), buf, len);
	return 0;
}

static inline uint64_t plain_now(void *priv)
{
	return 123456789;
}

static const struct sm_ops plain_ops = {
	.slice_begin = plain_begin, .slice_end = plain_end, .translate = plain_translate,
	.read = plain_read, .write = plain_write, .now_ns = plain_now,
};

static inline struct plain *plain_new(void)
{
	struct plain *p = calloc(1, sizeof(*p));

	p->mem = aligned_alloc(4096, MEM);
	memset(p->mem, 0, MEM);
	return p;
}

static inline void plain_del(struct plain *p)
{
	free(p->mem);
	free(p);
}

static inline void *at(struct plain *p, uint32_t off)
{
	return p->mem + off;
}

static inline struct sm_launch plain_launch(struct plain *p, unsigned int grid, unsigned int block)
{
	struct sm_launch l = {
		.program_va = VA + AT_CODE, .code_base = VA + AT_CODE,
		.grid = { grid, 1, 1 }, .block = { block, 1, 1 }, .regs = 64,
		.local_va = VA + AT_LOCAL, .local_size_per_tpc = 0x100000, .crs_size = 0x800,
		.local_window = 0xff000000, .shared_window = 0xfe000000,
	};

	l.cb[0] = (struct sm_const_bank){ true, VA + AT_CB0, 65536 };
	l.cb[7] = (struct sm_const_bank){ true, VA + AT_CB7, 2048 };
	return l;
}

/* What rusticl puts into its auxiliary bank (mesa.md 1.7). */
static inline void plain_aux(struct plain *p, const struct sm_launch *l)
{
	memcpy((uint8_t *)at(p, AT_CB7) + 0x100, l->block, 12);
	memcpy((uint8_t *)at(p, AT_CB7) + 0x10c, l->grid, 12);
}

/* Lay code out with its scheduling words. */
static inline void plain_code(struct plain *p, uint32_t off, const uint64_t *words, size_t n)
{
	uint64_t *c = at(p, off);

	for (size_t j = 0; j < n; j++) {
		if (!((uintptr_t)c & 31))
			*c++ = 0x001f8000fc0007e0ull;
		*c++ = words[j];
	}
}

/* Read a golden kernel; programs uploaded in two parts come in one. */
static inline size_t golden_load(struct plain *p, uint32_t off, const char *name)
{
	static const char *const tries[] = { "tests/data/sm6x", "gpu-model/tests/data/sm6x" };
	const char *dir = getenv("GOLDEN");
	uint64_t *c = at(p, off);
	char path[512], line[512];
	size_t n = 0;
	FILE *f = NULL;

	for (size_t j = 0; !f && j < 2; j++) {
		snprintf(path, sizeof(path), "%s/%s.txt", dir ? dir : tries[j], name);
		f = fopen(path, "r");
	}
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		unsigned int o, lo, hi;

		if (sscanf(line, "%8x: %8x %8x", &o, &lo, &hi) == 3)
			c[n++] = (uint64_t)hi << 32 | lo;
	}
	fclose(f);
	return n;
}

/* Run to the end in this thread.  Return: number of events besides the one DONE. */
static inline int plain_run(struct sm_array *sm, struct sm_event *ev, int max)
{
	struct sm_event e[64];
	int n = 0, got;

	for (int turn = 0; turn < 1000000; turn++) {
		uint64_t ran = sm_step(sm, 10000);

		while ((got = sm_poll_events(sm, e, 64)))
			for (int j = 0; j < got; j++)
				if (n < max)
					ev[n++] = e[j];
		if (!ran || sm_idle(sm))
			break;
	}
	return n;
}

/* --- which rows of the opcode table were tested --------------------------------- */

static const char *cover_by[256];	/* by row: the first test that compared what it does */
static const char *cover_now;		/* the test that runs, NULL: one that compares nothing */

static inline int cover_begin(void **state)
{
	cover_now = *state;
	return 0;
}

/* Tests whose programs count as coverage. */
#define sm_test(f) cmocka_unit_test_prestate_setup_teardown(f, cover_begin, NULL, (void *)#f)

/* Tests that do not compare what each of their instructions does. */
#define sm_uncounted(f) cmocka_unit_test_prestate_setup_teardown(f, cover_begin, NULL, NULL)

static inline void cover(uint64_t word)
{
	const struct sm_row *r = sm_row_of(word);
	size_t n;

	if (r && cover_now && !cover_by[r - sm_rows(&n)])
		cover_by[r - sm_rows(&n)] = cover_now;
}

/*
 * Each row of the table is listed in Documentation/gpu-model-sm.rst with its test, and those that the
 * list gives to this program (@program) were tested in this run.  SM_COVER=1 prints the lines.
 */
static inline void cover_check(const char *program)
{
	static const char *const tries[] = { "../Documentation/gpu-model-sm.rst", "Documentation/gpu-model-sm.rst" };
	const struct sm_row *rows;
	char listed[256][64] = { "" }, line[256];
	unsigned int bad = 0;
	FILE *f = NULL;
	size_t n;

	rows = sm_rows(&n);
	for (size_t j = 0; j < n && getenv("SM_COVER"); j++)
		if (cover_by[j])
			fprintf(stderr, "   %04x, %s, %d, %s, %s\n", rows[j].match, rows[j].name, rows[j].form, program,
			       cover_by[j]);
	for (size_t j = 0; !f && j < 2; j++)
		f = fopen(tries[j], "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned int match;
		char name[64], form[64], where[64], test[64];

		if (sscanf(line, " %4x, %63[^,], %63[^,], %63[^,], %63s", &match, name, form, where, test) != 5)
			continue;
		for (size_t j = 0; j < n; j++) {
			if (rows[j].match != match)
				continue;
			snprintf(listed[j], sizeof(listed[j]), "%.62s", where);
			if (!strcmp(where, program) && (!cover_by[j] || strcmp(cover_by[j], test))) {
				print_error("%04x %s: the list says %s, it was tested by %s\n", match, rows[j].name,
					    test, cover_by[j] ? cover_by[j] : "nothing");
				bad++;
			}
		}
	}
	fclose(f);
	for (size_t j = 0; j < n; j++)
		if (!listed[j][0]) {
			print_error("%04x %s form %d: no test is listed\n", rows[j].match, rows[j].name, rows[j].form);
			bad++;
		}
	assert_int_equal(bad, 0);
}

/* --- words ------------------------------------------------------------------ */

#define RZ 255
#define PT 7

/* op: bits 63:48; guard PT; registers where most operations have them */
static inline uint64_t enc(unsigned int op, unsigned int d, unsigned int a, unsigned int b, unsigned int c)
{
	return (uint64_t)op << 48 | d | (uint64_t)a << 8 | (uint64_t)b << 20 | (uint64_t)c << 39 | 7ull << 16;
}

static inline uint64_t bit(int n)
{
	return 1ull << n;
}

static inline uint64_t fld(uint64_t v, int n)
{
	return v << n;
}

static inline uint64_t guard(uint64_t w, unsigned int p, bool not)
{
	return (w & ~(0xfull << 16)) | (uint64_t)p << 16 | (uint64_t)not << 19;
}

static inline uint64_t i_exit(void)
{
	return 0xe30000000007000full;
}

static inline uint64_t i_mov32(unsigned int d, uint32_t v)
{
	return 0x010000000007f000ull | d | (uint64_t)v << 20;
}

static inline uint64_t i_s2r(unsigned int d, unsigned int sr)
{
	return 0xf0c8000000070000ull | d | (uint64_t)sr << 20;
}

/* mov d, c[bank][off] */
static inline uint64_t i_movc(unsigned int d, unsigned int bank, unsigned int off)
{
	return 0x4c98078000070000ull | d | (uint64_t)(off / 4) << 20 | (uint64_t)bank << 34;
}

/* LDG/STG .E, size code 4: 32 bits */
static inline uint64_t i_ldg(unsigned int d, unsigned int a, int off, unsigned int size)
{
	return 0xeed0200000070000ull | d | a << 8 | (uint64_t)(off & 0xffffff) << 20 | (uint64_t)size << 48;
}

static inline uint64_t i_stg(unsigned int d, unsigned int a, int off, unsigned int size)
{
	return 0xeed8200000070000ull | d | a << 8 | (uint64_t)(off & 0xffffff) << 20 | (uint64_t)size << 48;
}

/* d = b << n, d = a + b */
static inline uint64_t i_shl(unsigned int d, unsigned int a, unsigned int n)
{
	return enc(0x3848, d, a, 0, 0) | (uint64_t)n << 20;
}

static inline uint64_t i_iadd(unsigned int d, unsigned int a, unsigned int b)
{
	return enc(0x5c10, d, a, b, 0);
}

static inline uint64_t i_iaddi(unsigned int d, unsigned int a, int v)
{
	return enc(0x3810, d, a, 0, 0) | (uint64_t)(v & 0x7ffff) << 20 | (v < 0 ? bit(56) : 0);
}

/* relative: @from and @to are byte offsets of words in the laid out code */
static inline uint64_t i_flow(unsigned int op, int from, int to)
{
	return (uint64_t)op << 48 | 0x7000f | (uint64_t)((to - from - 8) & 0xffffff) << 20;
}

/* Byte offset of the n-th word when laid out by plain_code(). */
static inline int place_of(int n)
{
	return (n / 3) * 32 + 8 + (n % 3) * 8;
}

#endif
