/* SPDX-License-Identifier: MIT */
/*
 * What the ledger file and the control socket tell beside counters.
 * ledger/ledger.c, ledger/control.c.
 */
#ifndef STATE_H
#define STATE_H

#include <jansson.h>

#include "gpu.h"

/* Live objects as flat keys.  gpu->lock held. */
void state_put(struct gpu *gpu, void (*fn)(void *priv, const char *key, uint64_t val), void *priv);
/* The ledger as ledger_write_json() writes it.  A new reference.  Takes gpu->lock. */
json_t *ledger_json(struct gpu *gpu);

#endif
