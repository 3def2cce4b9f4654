// SPDX-License-Identifier: MIT
/*
 * svm-walk [NODES]: shared virtual memory without any library.
 *
 * A kernel of 14 machine instructions, put together by hand, follows a linked
 * list of malloc'd nodes; ioctls of the kernel's nouveau driver are all it takes.
 */
#include "nouveau_chan.h"
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
	struct node *next;
	uint32_t value, seen;
	char more[240];
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "svm-walk: %s: %s\n", what, strerror(-err));
	return 1;
}

static bool all_seen(const struct node *n, uint32_t mark)
{
	for (; n; n = n->next) {
		if (n->seen != mark)
			return false;
	}
	return true;
}

/* Let the GPU follow the list.  Return: 0 or a negative errno. */
static int walk(struct nv_chan *chan, const struct nv_kernel *chase, const struct node *head, uint32_t *sum,
		uint32_t mark)
{
	const struct nv_args args = { .dst = (uintptr_t)sum, .src = (uintptr_t)head, .value = mark };

	return nv_run(chan, chase, 1, 1, &args, sizeof(args));
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 500, i, want = 0, *sum = malloc(sizeof(*sum));
	char *lowest = NULL, *highest = NULL;
	struct node *head = NULL, *node;
	struct nv_kernel chase;
	struct nv_chan chan;
	struct nv_dev dev;
	struct sm6x prog;
	bool ok;
	int err;

	err = nv_dev_open(&dev, NULL);
	if (err)
		return fail("no GPU that nouveau drives", err);
	err = nv_svm_init(&dev);
	if (err)
		return fail("SVM_INIT", err);
	err = nv_chan_new(&dev, NV_ENGINE_GR, &chan);
	if (err)
		return fail("channel", err);
	nv_asm_chase(&prog);
	err = nv_kernel_load(&chan, &prog, &chase);
	if (err)
		return fail("kernel", err);

	pages_say("1. The CPU makes a linked list of %u nodes with malloc().", n);
	for (i = 0; i < n; i++) {
		node = malloc(sizeof(*node));
		if (!node)
			return 1;
		memset(node, 0, sizeof(*node));
		node->next = head;
		node->value = i;
		want += i;
		head = node;
		if (!lowest || (char *)node < lowest)
			lowest = (char *)node;
		if ((char *)(node + 1) > highest)
			highest = (char *)(node + 1);
	}
	*sum = 0;
	pages_legend();
	pages_show("where the list lives:", lowest, highest);

	pages_say("2. The GPU follows the pointers, adds up the values and marks each node.");
	events_start();
	err = walk(&chan, &chase, head, sum, 1);
	events_show();
	if (err)
		return fail("walk", err);
	pages_show("where the list lives now:", lowest, highest);
	ok = *sum == want && all_seen(head, 1);
	printf("  sum by the GPU %u, by the CPU %u: %s\n", *sum, want, ok ? "right" : "WRONG");

	pages_say("3. More nodes' worth of memory moves to VRAM before the GPU touches it, and is walked there.");
	/* A list of its own: 7.3's driver loses writes to pages that the GPU knew in RAM (defect A1). */
	lowest = highest = NULL;
	head = NULL;
	for (i = 0; i < n; i++) {
		node = malloc(sizeof(*node));
		if (!node)
			return 1;
		memset(node, 0, sizeof(*node));
		node->next = head;
		node->value = 2 * i;
		head = node;
		if (!lowest || (char *)node < lowest)
			lowest = (char *)node;
		if ((char *)(node + 1) > highest)
			highest = (char *)(node + 1);
	}
	events_start();
	err = pages_to_vram(lowest, highest);
	events_show();
	if (err)
		return fail("SVM_BIND", err);
	pages_show("where the second list lives:", lowest, highest);
	events_start();
	err = walk(&chan, &chase, head, sum, 2);
	events_show();
	if (err)
		return fail("walk", err);
	pages_show("after the walk:", lowest, highest);
	ok = *sum == 2 * want && ok;

	pages_say("4. The CPU reads the list: the pages come back by themselves.");
	events_start();
	ok = all_seen(head, 2) && ok;
	events_show();
	pages_show("where the second list lives now:", lowest, highest);
	nv_chan_del(&chan);
	nv_dev_close(&dev);
	printf("\n%s svm-walk: two lists of %u nodes\n", ok ? "PASS" : "FAIL", n);
	return ok ? 0 : 1;
}
