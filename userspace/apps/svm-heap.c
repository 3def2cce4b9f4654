// SPDX-License-Identifier: MIT
/*
 * svm-heap [-r ROUNDS] [-m MIB] [-t THREADS] [-s SEED] [-p THP] [-g 0]: a program's whole heap goes to VRAM and
 * comes back, again and again, while malloc() lives in it.
 *
 * All of [heap] is named to SVM_BIND, which malloc's own bookkeeping is in: chunk headers, free lists, pages
 * never touched.  Each byte is compared with a copy outside the heap.  THREADS threads write to chunks of
 * their own meanwhile, as an OpenCL library's do.  THP 0 switches huge pages off, 1 leaves the system's
 * choice, 2 asks for them.  -g 0: the GPU itself writes nothing.
 */
#include "clsvm.h"
#include "nouveau_chan.h"
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define CHUNKS 65536u
#define WORDS 32u	/* that one launch writes */

struct chunk {
	uint32_t *p;
	uint32_t words, key;
};

/* All of this lies outside the heap: static, or mmap'd. */
static struct chunk *chunks;
static uint32_t nr_chunks, state = 1;
static char *shadow;
static size_t shadow_size;
static bool stop;
static uint32_t bad_words;

static void *outside(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static uint32_t word_of(const struct chunk *c, uint32_t n)
{
	return (c->key + n) * 2654435761u;
}

static void fill(struct chunk *c)
{
	uint32_t n;

	for (n = 0; n < c->words; n++)
		c->p[n] = word_of(c, n);
}

static uint32_t wrong(const struct chunk *c)
{
	uint32_t n, bad = 0;

	for (n = 0; n < c->words; n++)
		bad += c->p[n] != word_of(c, n);
	return bad;
}

/* Not by stdio, which would allocate. */
static bool find_heap(char **start, char **end)
{
	static char text[1 << 20];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ssize_t got, len = 0;
	char *line, *name;

	if (fd < 0)
		return false;
	while (len < (ssize_t)sizeof(text) - 1 && (got = read(fd, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
		len += got;
	close(fd);
	text[len] = 0;
	/* madvise() cuts it into several mappings, one behind the other */
	*start = *end = NULL;
	for (name = text; (name = strstr(name, "[heap]")); name++) {
		char *from, *to;

		for (line = name; line > text && line[-1] != '\n'; line--)
			;
		if (sscanf(line, "%p-%p", (void **)&from, (void **)&to) != 2)
			return false;
		if (!*start)
			*start = from;
		*end = to;
	}
	return *start != NULL;
}

/* Copy what is there; pages never touched stay so, their copy is zero as they will read. */
static void snapshot(const char *start, const char *end)
{
	const char *a;

	if (madvise(shadow, shadow_size, MADV_DONTNEED))
		perror("madvise");
	for (a = start; a < end; a += PAGE)
		if (pages_place(a) != PAGES_NOWHERE)
			memcpy(shadow + (a - start), a, PAGE);
}

/* Compare in an order that @stride makes.  Return: pages that differ. */
static uint32_t compare(const char *start, const char *end, size_t stride, const char *when)
{
	size_t pages = (size_t)(end - start) / PAGE, n, at = 0;
	uint32_t bad = 0;

	for (n = 0; n < pages; n++, at = (at + stride) % pages) {
		const char *a = start + at * PAGE, *s = shadow + at * PAGE;
		size_t k;

		if (!memcmp(a, s, PAGE))
			continue;
		for (k = 0; a[k] == s[k]; k++)
			;
		if (bad++ < 8)
			fprintf(stderr, "%s: page %zu of %zu (%p) differs from byte %zu on: %02x, should be %02x\n", when,
				at, pages, (const void *)a, k, (uint8_t)a[k], (uint8_t)s[k]);
	}
	return bad;
}

/* Give back and take anew, so that malloc's lists are walked and changed. */
static uint32_t churn(uint32_t count)
{
	uint32_t n, bad = 0;

	for (n = 0; n < count; n++) {
		struct chunk *c = &chunks[clsvm_random(&state) % nr_chunks];
		uint32_t size = clsvm_random(&state) & 3 ? 4 + clsvm_random(&state) % 60 : 4 + clsvm_random(&state) % 4000;

		if (c->p) {
			bad += wrong(c) != 0;
			free(c->p);
			c->p = NULL;
			if (clsvm_random(&state) & 1)
				continue;
		}
		c->words = size;
		c->key = clsvm_random(&state);
		c->p = clsvm_alloc(size * 4);
		fill(c);
	}
	return bad;
}

struct writer {
	pthread_t thread;
	struct chunk *own;
	uint32_t nr, passes;
};

/* Rewrites its chunks and looks whether they still hold what it wrote. */
static void *write_on(void *arg)
{
	struct writer *w = arg;
	uint32_t n;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (n = 0; n < w->nr; n++) {
			struct chunk *c = &w->own[n];
			uint32_t bad = wrong(c);

			if (bad)
				__atomic_add_fetch(&bad_words, bad, __ATOMIC_RELAXED);
			c->key += 0x9e3779b9u;
			fill(c);
		}
		w->passes++;
	}
	return NULL;
}

/* The GPU writes the first words of a few chunks; the copy follows. */
static int gpu_writes(struct nv_chan *chan, const struct nv_kernel *k, const char *start, const char *end)
{
	uint32_t n;

	for (n = 0; n < 24; n++) {
		struct chunk *c = &chunks[clsvm_random(&state) % nr_chunks];
		struct nv_args args = { .dst = (uintptr_t)c->p, .value = clsvm_random(&state) };
		uint32_t i;
		int err;

		if (!c->p || c->words < WORDS || (char *)c->p < start || (char *)(c->p + WORDS) > end)
			continue;
		err = nv_run(chan, k, 1, WORDS, &args, sizeof(args));
		if (err)
			return err;
		for (i = 0; i < WORDS; i++) {
			uint32_t v = args.value + i;

			memcpy(shadow + ((char *)(c->p + i) - start), &v, 4);
		}
		/* from now on the chunk's own words are not those of its key: forget them */
		c->words = 0;
	}
	return 0;
}

/* A child sees the heap as it was. */
static uint32_t in_child(const char *start, const char *end)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return 1;
	if (!pid)
		_exit(compare(start, end, 1, "in the child") ? 1 : 0);
	waitpid(pid, &status, 0);
	return status != 0;
}

int main(int argc, char **argv)
{
	uint32_t rounds = (uint32_t)clsvm_option(argc, argv, 'r', 12);
	uint32_t mib = (uint32_t)clsvm_option(argc, argv, 'm', 12);
	uint32_t nr_threads = (uint32_t)clsvm_option(argc, argv, 't', 2);
	uint32_t thp = (uint32_t)clsvm_option(argc, argv, 'p', 1);
	uint32_t gpu = (uint32_t)clsvm_option(argc, argv, 'g', 1);
	static struct writer writers[16];
	uint32_t n, k, round, bad = 0;
	uint64_t moved = 0;
	struct nv_kernel write;
	struct nv_chan chan;
	struct nv_dev dev;
	struct sm6x prog;
	char *start, *end;
	int err;

	state = (uint32_t)clsvm_option(argc, argv, 's', 1);
	if (nr_threads > 16 || !state)
		return 2;
	if (!thp)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	err = nv_dev_open(&dev, NULL);
	if (!err)
		err = nv_svm_init(&dev);
	if (!err)
		err = nv_chan_new(&dev, NV_ENGINE_GR, &chan);
	if (!err) {
		nv_asm_write(&prog, 2);
		err = nv_kernel_load(&chan, &prog, &write);
	}
	if (err) {
		fprintf(stderr, "svm-heap: no GPU to write with: %s\n", strerror(-err));
		return 1;
	}

	chunks = outside(CHUNKS * sizeof(*chunks));
	shadow_size = ((size_t)mib << 21) + (64ul << 20);
	shadow = outside(shadow_size);
	for (k = 0; k < nr_threads; k++) {
		writers[k].nr = 64;
		writers[k].own = outside(64 * sizeof(struct chunk));
	}
	for (nr_chunks = n = 0; n < mib << 20 && nr_chunks < CHUNKS; nr_chunks++) {
		struct chunk *c = &chunks[nr_chunks];

		c->words = clsvm_random(&state) & 3 ? 4 + clsvm_random(&state) % 60 : 4 + clsvm_random(&state) % 4000;
		c->key = clsvm_random(&state);
		c->p = clsvm_alloc(c->words * 4);
		fill(c);
		n += c->words * 4;
		/* between the others, so that pages are shared with them */
		for (k = 0; k < nr_threads && nr_chunks % 16 == 0 && nr_chunks / 16 < 64; k++) {
			struct chunk *o = &writers[k].own[nr_chunks / 16];

			o->words = 400;
			o->key = clsvm_random(&state);
			o->p = clsvm_alloc(o->words * 4);
			fill(o);
		}
	}
	for (k = 0; k < nr_threads; k++) {
		while (writers[k].nr && !writers[k].own[writers[k].nr - 1].p)
			writers[k].nr--;
	}
	churn(nr_chunks / 4);

	for (round = 0; round < rounds && !err; round++) {
		bool threads = nr_threads && round % 3 == 2;
		uint64_t pages = 0;

		if (!find_heap(&start, &end) || (size_t)(end - start) > shadow_size) {
			fprintf(stderr, "svm-heap: no [heap] of a size that was expected\n");
			return 1;
		}
		if (thp == 2 && madvise((void *)(((uintptr_t)start + (2ul << 20) - 1) & ~((2ul << 20) - 1)),
					((size_t)(end - start) - (2ul << 20)) & ~(PAGE - 1), MADV_HUGEPAGE))
			perror("madvise");
		if (threads) {
			stop = false;
			for (k = 0; k < nr_threads; k++) {
				if (pthread_create(&writers[k].thread, NULL, write_on, &writers[k]))
					return 1;
			}
			for (n = 0; n < 4; n++) {
				err = nv_svm_bind(&dev, start, (size_t)(end - start), true, &pages);
				if (err)
					break;
				moved += pages;
				bad += churn(500);
			}
			__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
			for (k = 0; k < nr_threads; k++)
				pthread_join(writers[k].thread, NULL);
		} else {
			snapshot(start, end);
			err = nv_svm_bind(&dev, start, (size_t)(end - start), true, &pages);
			moved += pages;
			if (!err && gpu)
				err = gpu_writes(&chan, &write, start, end);
			if (round % 4 == 1)
				bad += in_child(start, end);
			/* some pages stay where they are between two binds of all */
			if (round & 1) {
				bad += compare(start, start + ((end - start) / 3 & ~(PAGE - 1)), 1, "a third of it");
				if (!err)
					err = nv_svm_bind(&dev, start, (size_t)(end - start), true, &pages);
			}
			bad += compare(start, end, round & 2 ? 1 : 514229, "all of it");
		}
		for (k = 0; k < nr_threads; k++)
			for (n = 0; n < writers[k].nr; n++)
				bad_words += wrong(&writers[k].own[n]);
		for (n = 0; n < nr_chunks; n++)
			if (chunks[n].p && wrong(&chunks[n]))
				bad++;
		bad += churn(nr_chunks / 8);
		printf("round %u: heap of %zu KiB, %lu pages said to be in VRAM, %u faults so far%s\n", round,
		       (size_t)(end - start) >> 10, (unsigned long)pages, bad + bad_words, threads ? ", with threads" : "");
		fflush(stdout);
	}
	if (err)
		fprintf(stderr, "svm-heap: %s\n", strerror(-err));
	nv_chan_del(&chan);
	nv_dev_close(&dev);
	for (n = 0; n < nr_chunks; n++)
		free(chunks[n].p);
	printf("%s svm-heap: %u rounds, %lu pages moved, %u pages or chunks and %u words of threads wrong\n",
	       !err && !bad && !bad_words && moved ? "PASS" : "FAIL", rounds, (unsigned long)moved, bad, bad_words);
	return !err && !bad && !bad_words && moved ? 0 : 1;
}
