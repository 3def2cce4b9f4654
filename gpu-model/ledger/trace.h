/* SPDX-License-Identifier: MIT */
/*
 * Record and replay.  A trace is a text file, one host event a line, placed by
 * the engine step before which it happened:
 *   STEP TIME_NS EVENT ARGS...
 * Events: mmio, bar and config accesses, DMA map changes, reset, control
 * commands, and what DMA reads of system memory returned.  A replayed trace with
 * the same seed gives the same engine steps and the same ledger.
 * ledger/trace.c.  Recording implies deterministic mode.
 */
#ifndef TRACE_H
#define TRACE_H

#include "gpu.h"

int trace_record_new(struct gpu *gpu, const char *path, struct trace **out);
void trace_del(struct trace **t);
/* Run a trace to its end.  Return: 0, -EINVAL (line on stderr), or -EIO when a read differs. */
int trace_replay(struct gpu *gpu, const char *path);
/* The configuration that a trace was recorded with.  Return: 0, -errno, -EINVAL not a trace. */
int trace_config(const char *path, struct gpu_config *cfg);
/* Replaying: the time of the step that begins.  gpu->lock held. */
void trace_tick(struct gpu *gpu);
bool trace_recording(const struct gpu *gpu);
bool trace_replaying(const struct gpu *gpu);
/* Record a line; printf style, without newline. */
void trace_event(struct gpu *gpu, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, followed by @len bytes in hex. */
void trace_event_hex(struct gpu *gpu, const void *buf, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A DMA read of system memory: recorded, or answered from the trace.  Return: true when answered. */
bool trace_dma_read(struct gpu *gpu, uint64_t iova, void *buf, size_t len);
void trace_dma_read_done(struct gpu *gpu, uint64_t iova, const void *buf, size_t len);

#endif
