/* SPDX-License-Identifier: MIT */
/*
 * The control socket: JSON, one object a line; Documentation/gpu-model-control.rst.
 * ledger/control.c.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <jansson.h>

#include "gpu.h"

struct control;

/**
 * control_new() - listen at @path (NULL: no socket) and serve in a thread of its own.
 * @quit: called, from that thread, for the command "quit" and on SIGTERM or SIGINT, which the
 *	caller has blocked in all threads.
 * Return: 0 or -errno.
 */
int control_new(struct gpu *gpu, const char *path, void (*quit)(void *priv), void *priv, struct control **out);
void control_del(struct control **c);

/*
 * control_request() - answer one request; never NULL but for want of memory.
 * wait_idle answers at once whether the GPU is idle now; the socket's thread polls it.
 */
json_t *control_request(struct gpu *gpu, json_t *req);

/* A command from a trace.  Return: 0 or -EINVAL. */
int control_replay(struct gpu *gpu, const char *json);

#endif
