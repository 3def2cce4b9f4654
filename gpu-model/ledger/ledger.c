// SPDX-License-Identifier: MIT
/*
 * Owns the counters' names and the JSON that tells of them.
 * Locks: counters are relaxed atomics; "live" needs gpu->lock, taken here.
 */
#include "ledger/ledger.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "hw/block.h"
#include "ledger/sanitizer.h"
#include "ledger/state.h"
#include "pci/dma.h"

enum kind { EXACT, TIMING };

static const struct {
	const char *name, *what;
	enum kind kind;
} counters[] = {
#define X(id, k, text) { .name = #id, .what = text, .kind = k },
	LEDGER_COUNTERS(X)
#undef X
};

void ledger_reset(struct ledger *l)
{
	for (int i = 0; i < LEDGER_NR; i++)
		__atomic_store_n(&l->v[i], 0, __ATOMIC_RELAXED);
}

uint64_t ledger_get(const struct ledger *l, enum ledger_id id)
{
	return __atomic_load_n(&l->v[id], __ATOMIC_RELAXED);
}

const char *ledger_name(enum ledger_id id)
{
	return counters[id].name;
}

bool ledger_is_exact(enum ledger_id id)
{
	return counters[id].kind == EXACT;
}

static void put(void *priv, const char *key, uint64_t val)
{
	json_object_set_new(priv, key, json_integer((json_int_t)val));
}

void state_put(struct gpu *gpu, void (*fn)(void *priv, const char *key, uint64_t val), void *priv)
{
	fn(priv, "dma_maps", dma_live(gpu->dma));
	fn(priv, "undescribed_registers", hw_undescribed(gpu));
	fn(priv, "engine_steps", gpu->step);
	for (const struct hw_block *const *b = hw_block_list(gpu); *b; b++)
		if ((*b)->state)
			(*b)->state(gpu, fn, priv);
}

json_t *ledger_json(struct gpu *gpu)
{
	json_t *root = json_object(), *kind[2] = { json_object(), json_object() };
	json_t *san = json_object(), *live = json_object();

	for (int i = 0; i < LEDGER_NR; i++)
		put(kind[counters[i].kind], counters[i].name, ledger_get(gpu->ledger, i));
	for (int i = 0; i < SAN_NR; i++)
		put(san, san_name(i), san_count(gpu, i));
	/* Not a host event: time stays. */
	fair_lock(&gpu->lock);
	state_put(gpu, put, live);
	fair_unlock(&gpu->lock);
	json_object_set_new(root, "exact", kind[EXACT]);
	json_object_set_new(root, "timing", kind[TIMING]);
	json_object_set_new(root, "sanitizer", san);
	json_object_set_new(root, "live", live);
	return root;
}

int ledger_write_json(struct gpu *gpu, const char *path)
{
	json_t *root = ledger_json(gpu);
	int ret = -ENOMEM;

	if (!root)
		return ret;
	if (!strcmp(path, "-")) {
		ret = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) ? -EIO : 0;
		puts("");
		if (fflush(stdout))
			ret = -EIO;
	} else {
		/* A reader never sees half a ledger. */
		size_t n = strlen(path) + 5;
		char *tmp = malloc(n);

		if (tmp) {
			snprintf(tmp, n, "%s.new", path);
			ret = json_dump_file(root, tmp, JSON_INDENT(2) | JSON_PRESERVE_ORDER) ? -EIO : 0;
			if (!ret && rename(tmp, path))
				ret = -errno;
			free(tmp);
		}
	}
	json_decref(root);
	return ret;
}
