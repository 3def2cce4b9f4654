// SPDX-License-Identifier: MIT
/* treesearch [-n NODES] [-q QUERIES]: each work item looks a key up in a malloc'd binary tree. */
#include "clsvm.h"

#include <stdlib.h>

static const char source[] =
	"typedef struct node { __global struct node *left, *right; uint key; uint value; } node;\n"
	"__kernel void search(__global node *root, __global const uint *key, __global uint *value, uint n)\n"
	"{\n"
	"	uint i = get_global_id(0);\n"
	"	if (i >= n)\n"
	"		return;\n"
	"	__global node *t = root;\n"
	"	uint k = key[i], v = 0xffffffff;\n"
	"	while (t) {\n"
	"		if (k == t->key) {\n"
	"			v = t->value;\n"
	"			break;\n"
	"		}\n"
	"		t = k < t->key ? t->left : t->right;\n"
	"	}\n"
	"	value[i] = v;\n"
	"}\n";

struct node {
	struct node *left, *right;
	uint32_t key, value;
};

static struct node *insert(struct node *root, uint32_t key, uint32_t value)
{
	struct node **at = &root;

	while (*at && (*at)->key != key)
		at = key < (*at)->key ? &(*at)->left : &(*at)->right;
	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			abort();
		(*at)->key = key;
	}
	(*at)->value = value;
	return root;
}

static uint32_t find(const struct node *t, uint32_t key)
{
	while (t && t->key != key)
		t = key < t->key ? t->left : t->right;
	return t ? t->value : 0xffffffff;
}

static void drop(struct node *t)
{
	if (!t)
		return;
	drop(t->left);
	drop(t->right);
	free(t);
}

int main(int argc, char **argv)
{
	size_t n = clsvm_option(argc, argv, 'n', 4096), q = clsvm_option(argc, argv, 'q', 2048), i, bad = 0;
	uint32_t *key = clsvm_alloc(q * 4), *value = clsvm_alloc(q * 4), seed = 7;
	struct node *root = NULL;
	struct clsvm cl;
	double t;

	for (i = 0; i < n; i++)
		root = insert(root, clsvm_random(&seed) % (2 * (uint32_t)n), (uint32_t)i);
	for (i = 0; i < q; i++)
		key[i] = clsvm_random(&seed) % (2 * (uint32_t)n);
	clsvm_open(&cl, source);
	/* a key takes some forty dependent steps */
	cl.piece = CLSVM_PIECE / 16;
	t = clsvm_now();
	clsvm_run(&cl, "search", (q + 63) / 64 * 64, 64, "pppu", root, key, value, (cl_uint)q);
	t = clsvm_now() - t;
	for (i = 0; i < q; i++)
		bad += value[i] != find(root, key[i]);
	clsvm_close(&cl);
	drop(root);
	free(key);
	free(value);
	return clsvm_verdict(&cl, "treesearch", !bad, t, "%zu keys in a tree of %zu, %zu wrong", q, n, bad);
}
