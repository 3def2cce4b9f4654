// SPDX-License-Identifier: MIT
/*
 * svm-demo [-n NODES]: what shared virtual memory is, shown on a family tree.
 *
 * The program builds a binary tree of people out of separate malloc() calls and
 * hands the pointer to its root to an OpenCL kernel of stock Mesa.  The kernel
 * follows the pointers.  There is no buffer and no copy call in this file.
 */
#include "clsvm.h"
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>

static const char source[] =
	"typedef struct person { __global struct person *left, *right; uint age, greeted; char story[488]; } person;\n"
	"__kernel void greet(__global person *root, __global uint *sum)\n"
	"{\n"
	"	/* Walks the tree without a stack of its own: down by the bits of a path. */\n"
	"	uint lane = get_global_id(0), lanes = get_global_size(0), total = 0;\n"
	"	for (uint path = lane + 1; path; path += lanes) {\n"
	"		__global person *p = root;\n"
	"		for (uint bit = 31 - clz(path); bit && p; bit--)\n"
	"			p = path >> (bit - 1) & 1 ? p->right : p->left;\n"
	"		if (!p)\n"
	"			break;\n"
	"		p->age++;\n"
	"		p->greeted++;\n"
	"		total += p->age;\n"
	"	}\n"
	"	atomic_add(sum, total);\n"
	"}\n";

struct person {
	struct person *left, *right;
	uint32_t age, greeted;
	char story[488];
};

static char *lowest, *highest;

static struct person *make(uint32_t index, uint32_t n)
{
	struct person *p;

	if (index > n)
		return NULL;
	p = clsvm_alloc(sizeof(*p));
	if (!lowest || (char *)p < lowest)
		lowest = (char *)p;
	if ((char *)(p + 1) > highest)
		highest = (char *)(p + 1);
	p->age = index % 90;
	p->greeted = 0;
	snprintf(p->story, sizeof(p->story), "I am person number %u.", index);
	p->left = make(2 * index, n);
	p->right = make(2 * index + 1, n);
	return p;
}

static uint32_t add_up(const struct person *p, uint32_t greeted, uint32_t *wrong)
{
	if (!p)
		return 0;
	*wrong += p->greeted != greeted;
	return p->age + add_up(p->left, greeted, wrong) + add_up(p->right, greeted, wrong);
}

int main(int argc, char **argv)
{
	uint32_t n = (uint32_t)clsvm_option(argc, argv, 'n', 1000), wrong = 0, expected;
	uint32_t *sum = clsvm_alloc(sizeof(*sum));
	struct person *root;
	struct clsvm cl;
	bool ok = true;
	size_t at;
	double t;
	int err;

	pages_say("1. The CPU builds a tree of %u people with %u calls of malloc().", n, n);
	root = make(1, n);
	pages_legend();
	pages_show("where the tree lives:", lowest, highest);
	*sum = 0;
	expected = add_up(root, 0, &wrong) + n;

	clsvm_open(&cl, source);
	printf("  OpenCL device: %s; its kernel is compiled now\n", cl.name);
	pages_say("2. A hint to the driver: the GPU will need this soon. The tree moves to the GPU's memory; no pointer changes.");
	pages_mark(lowest, highest);
	events_start();
	err = pages_to_vram(lowest, highest);
	events_show();
	pages_changes();
	pages_show("where the tree lives now:", lowest, highest);
	if (err) {
		printf("  the driver refused: error %d\n", -err);
		ok = false;
	}

	pages_say("3. The GPU gets the pointer to the root, follows it to every person and greets them.");
	pages_mark(lowest, highest);
	events_start();
	t = clsvm_now();
	clsvm_run(&cl, "greet", 32, 32, "pp", root, sum);
	t = clsvm_now() - t;
	events_show();
	pages_changes();
	pages_show("where the tree lives now:", lowest, highest);

	pages_say("4. The CPU reads a third of the tree: each page that it touches comes back by itself.");
	pages_mark(lowest, highest);
	events_start();
	for (at = 0; at < (size_t)(highest - lowest) / 3; at += 4096)
		(void)*(volatile char *)(lowest + at);
	events_show();
	pages_changes();
	pages_show("where the tree lives now:", lowest, highest);
	printf("  the GPU's sum of all ages: %u, by the CPU: %u: %s\n", *sum, expected,
	       *sum == expected ? "right" : "WRONG");
	ok = *sum == expected && ok;

	pages_say("5. The GPU greets everybody again. What is in RAM it now reads there, after a page fault of its own.");
	*sum = 0;
	pages_mark(lowest, highest);
	events_start();
	clsvm_run(&cl, "greet", 32, 32, "pp", root, sum);
	events_show();
	pages_changes();
	pages_show("where the tree lives now:", lowest, highest);
	expected += n;

	pages_say("6. The CPU checks every person.");
	ok = *sum == expected && ok;
	ok = add_up(root, 2, &wrong) == expected && ok;
	ok = !wrong && ok;
	printf("  ages by the GPU: %u, by the CPU: %u; %u people were not greeted as they should\n", *sum, expected, wrong);
	clsvm_close(&cl);
	printf("\n");
	return clsvm_verdict(&cl, "svm-demo", ok, t, "%u people, one set of pointers for CPU and GPU", n);
}
