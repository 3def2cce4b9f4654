/* SPDX-License-Identifier: MIT */
/**
 * DOC: the emulated GPU's control port, seen from a test in the guest
 *
 * The model listens on a virtio-serial port named "gpu-model.N" (N: the GPU's
 * index).  A request is a JSON object on a line, so is its reply;
 * Documentation/gpu-model-control.rst lists the commands.  A port has one owner
 * at a time: a second gpu_model_open() waits for it, 10 seconds at most.
 *
 * On a machine without the model gpu_model_open() returns NULL: skip then.
 */
#ifndef GPU_MODEL_H
#define GPU_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct gpu_model;

/** gpu_model_open() - Return: the control port of GPU @index, NULL (errno set; ENOENT: no model). */
struct gpu_model *gpu_model_open(int index);
void gpu_model_close(struct gpu_model *m);

/**
 * gpu_model_call() - one command.
 * @reply: set to the reply's line, valid until the next call; may be NULL.
 * @fmt: the members of the request without braces and id: "\"cmd\":\"info\"".
 *
 * Return: 0, -EREMOTEIO when the model refuses (it says why on stderr), -ETIMEDOUT, -errno.
 */
int gpu_model_call(struct gpu_model *m, const char **reply, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** gpu_model_field() - a number of a reply.  Return: false when it isn't there. */
bool gpu_model_field(const char *reply, const char *name, uint64_t *out);

/** gpu_model_ledger() - a counter, UINT64_MAX when the model doesn't answer or doesn't know it. */
uint64_t gpu_model_ledger(struct gpu_model *m, const char *name);
int gpu_model_ledger_reset(struct gpu_model *m);

/** gpu_model_sanitizer() - the count of a finding, or of all with "total"; UINT64_MAX on failure. */
uint64_t gpu_model_sanitizer(struct gpu_model *m, const char *name);
int gpu_model_sanitizer_reset(struct gpu_model *m);

/** gpu_model_state() - a live object's number ("dma_maps", "idle"), UINT64_MAX on failure. */
uint64_t gpu_model_state(struct gpu_model *m, const char *name);

/** gpu_model_wait_idle() - until engines and shader cores are idle.  Return: 0, -EREMOTEIO still busy. */
int gpu_model_wait_idle(struct gpu_model *m, unsigned int timeout_ms);

/** gpu_model_watch() - from now on any access to these bytes' pages is a finding. @sys: bus address, not VRAM. */
int gpu_model_watch(struct gpu_model *m, bool sys, uint64_t addr, uint64_t len);
int gpu_model_unwatch(struct gpu_model *m, bool sys, uint64_t addr, uint64_t len);

/** struct gpu_model_inject - an injected fault; members that are 0 are not sent. */
struct gpu_model_inject {
	/** @point: its name */
	const char *point;
	/** @nth: fires at this visit from now; 0: at each */
	uint64_t nth;
	/** @count: how many times; 0: once with @nth, else until disarmed */
	uint64_t count;
	/** @addr, @len: restricts it, in bytes of the address space that the point means */
	uint64_t addr, len;
	/** @arg: the point's own */
	uint64_t arg;
	/** @delay_us: for late things */
	uint64_t delay_us;
	/** @rate_gbps: "link": gigabytes a second */
	double rate_gbps;
	/** @launch_us: "link": microseconds a launch */
	double launch_us;
};
int gpu_model_inject(struct gpu_model *m, const struct gpu_model_inject *inj);
/** gpu_model_disarm() - @point NULL: all. */
int gpu_model_disarm(struct gpu_model *m, const char *point);
/** gpu_model_injected() - how often @point fired since the model started. */
uint64_t gpu_model_injected(struct gpu_model *m, const char *point);

/** gpu_model_go_dark() - surprise removal: reads are all ones from now on. */
int gpu_model_go_dark(struct gpu_model *m);
/** gpu_model_unloaded() - the driver is gone: mappings that are left become a finding. */
int gpu_model_unloaded(struct gpu_model *m);

#endif
