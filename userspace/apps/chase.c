// SPDX-License-Identifier: MIT
/* chase [-n N]: the GPU follows a linked list of separately malloc'd nodes, adds up and marks them. */
#include "clsvm.h"

#include <stdlib.h>

static const char source[] =
	"typedef struct node { __global struct node *next; int value; int seen; } node;\n"
	"__kernel void chase(__global node *head, __global long *sum)\n"
	"{\n"
	"	long s = 0;\n"
	"	for (__global node *n = head; n; n = n->next) {\n"
	"		s += n->value;\n"
	"		n->seen = 1;\n"
	"	}\n"
	"	*sum = s;\n"
	"}\n";

struct node {
	struct node *next;
	int value, seen;
};

int main(int argc, char **argv)
{
	size_t n = clsvm_option(argc, argv, 'n', 4096), i, unseen = 0;
	struct node *head = NULL, *node;
	long sum = 0, *got = clsvm_alloc(sizeof(*got));
	uint32_t seed = 1;
	struct clsvm cl;
	double t;
	bool ok;

	for (i = 0; i < n; i++) {
		node = clsvm_alloc(sizeof(*node) + clsvm_random(&seed) % 200);
		node->next = head;
		node->value = (int)(clsvm_random(&seed) % 2000) - 1000;
		node->seen = 0;
		sum += node->value;
		head = node;
	}
	*got = -1;
	clsvm_open(&cl, source);
	t = clsvm_now();
	clsvm_run(&cl, "chase", 1, 1, "pp", head, got);
	t = clsvm_now() - t;
	ok = *got == sum;
	clsvm_close(&cl);
	while ((node = head)) {
		unseen += node->seen != 1;
		head = node->next;
		free(node);
	}
	free(got);
	return clsvm_verdict(&cl, "chase", ok && !unseen, t, "%zu nodes, %zu not seen, sum %s", n, unseen,
			     ok ? "right" : "wrong");
}
