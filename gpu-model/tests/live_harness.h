/* SPDX-License-Identifier: MIT */
/*
 * A GPU with its threads, as it runs behind QEMU: engine thread, SM workers, and a
 * client on a socket.  Channels are set up as in chan_harness.h before the engine
 * thread starts; from then on the device is touched by messages alone.
 */
#ifndef TESTS_LIVE_HARNESS_H
#define TESTS_LIVE_HARNESS_H

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "chan_harness.h"
#include "pci/pci.h"
#include "pci/vfio_user.h"

#define L_LINE 0x20000u		/* bytes of one line of the endless copy */
#define L_SRC 0x40000000ull
#define L_DST 0x50000000ull

struct live {
	struct harness h;
	struct chan gr, ce, spare;
	struct vfu *vfu;
	int fd[2];		/* the client's end and the model's */
	pthread_t server;
	pid_t server_tid;	/* atomic */
	bool started;
};

static H_UNUSED void live_config(struct gpu_config *cfg)
{
	cfg->deterministic = false;
	cfg->sms = 2;
}

/* A channel for GR on runlist 0, one for a copy engine on runlist 1. */
static H_UNUSED void live_new(struct live *l, void (*tweak)(struct gpu_config *cfg))
{
	struct chan *list[2] = { &l->gr, &l->spare }, *ce[1] = { &l->ce };

	memset(l, 0, sizeof(*l));
	h_new(&l->h, tweak);
	c_host_init(&l->h);
	c_new(&l->h, &l->gr, 3, 0);
	c_new(&l->h, &l->spare, 4, 0);
	c_new(&l->h, &l->ce, 5, 1);
	c_runlist(&l->h, 0, list, 2);
	c_runlist(&l->h, 1, ce, 1);
	l->fd[0] = l->fd[1] = -1;
}

/* A copy that never ends: lines of 128 KiB by 4 KiB pages, all onto the same place.  Return: where in VRAM. */
static H_UNUSED uint64_t live_copy(struct live *l)
{
	uint64_t src = h_alloc(&l->h, L_LINE), dst = h_alloc(&l->h, L_LINE);
	struct chan *k = &l->ce;

	for (uint64_t o = 0; o < L_LINE; o += 4096) {
		h_map(&l->h, &k->s, L_SRC + o, 12, AP_VRAM, src + o, 0);
		h_map(&l->h, &k->s, L_DST + o, 12, AP_VRAM, dst + o, 0);
	}
	p_1(k, 4, 0, 0xc1b5);
	p_inc(k, 4, 0x400, 8);
	p(k, L_SRC >> 32);
	p(k, (uint32_t)L_SRC);
	p(k, L_DST >> 32);
	p(k, (uint32_t)L_DST);
	p(k, 0);
	p(k, 0);
	p(k, L_LINE);
	p(k, 0xffffffff);
	p_1(k, 4, 0x300, 0x386);
	p_kick(k);
	return dst;
}

/* A grid that never ends, on all SMs. */
static H_UNUSED void live_grid(struct live *l)
{
	struct code k;

	objects(&l->gr);
	endless_kernel(&k);
	grid_of(&l->gr, &k, 16, 1);
	p_kick(&l->gr);
}

static H_UNUSED void *live_server(void *priv)
{
	struct live *l = priv;

	__atomic_store_n(&l->server_tid, gettid(), __ATOMIC_RELAXED);
	vfu_serve_fd(l->vfu, l->fd[1]);
	return NULL;
}

static H_UNUSED void live_send(struct live *l, uint16_t cmd, const void *p, uint32_t n)
{
	uint8_t msg[64] = { 0 };
	uint32_t size = 16 + n;

	assert_true(size <= sizeof(msg));
	memcpy(msg + 2, &cmd, 2);
	memcpy(msg + 4, &size, 4);
	memcpy(msg + 16, p, n);
	assert_int_equal(send(l->fd[0], msg, size, MSG_NOSIGNAL), size);
}

/* The reply's payload; fails on an error. */
static H_UNUSED void live_reply(struct live *l, void *p, uint32_t n)
{
	uint8_t msg[512];
	uint32_t size, have = 0;

	while (have < 16 || (memcpy(&size, msg + 4, 4), have < size)) {
		ssize_t r = recv(l->fd[0], msg + have, have < 16 ? 16 - have : size - have, 0);

		assert_true(r > 0);
		have += (uint32_t)r;
		if (have == 16) {
			memcpy(&size, msg + 4, 4);
			assert_true(size <= sizeof(msg));
		}
	}
	memcpy(&size, msg + 12, 4);
	assert_int_equal(size, 0);
	memcpy(p, msg + 16, n);
}

/*
 * Start the threads and the client.  The client's bus mastering is on; it maps no memory: the
 * harness's is there already, and goes with the client.
 */
static H_UNUSED void live_start(struct live *l)
{
	uint8_t version[8] = { 0, 0, 0, 0, '{', '}', 0 }, out[256];
	uint8_t command[20] = { 4, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 6, 0 };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, l->fd), 0);
	assert_int_equal(vfu_new(l->h.gpu, &l->vfu), 0);
	assert_int_equal(gpu_start(l->h.gpu), 0);
	assert_int_equal(pthread_create(&l->server, NULL, live_server, l), 0);
	l->started = true;
	live_send(l, 1, version, 7);
	live_reply(l, out, 4);
	live_send(l, 10, command, 18);
	live_reply(l, out, 16);
}

static H_UNUSED uint32_t live_rd(struct live *l, uint32_t addr)
{
	uint64_t off = addr;
	uint32_t q[4] = { (uint32_t)off, 0, 0, 4 }, r[5];

	live_send(l, 9, q, sizeof(q));
	live_reply(l, r, sizeof(r));
	return r[4];
}

static H_UNUSED void live_wr(struct live *l, uint32_t addr, uint32_t v)
{
	uint32_t q[5] = { addr, 0, 0, 4, v }, r[4];

	live_send(l, 10, q, sizeof(q));
	live_reply(l, r, sizeof(r));
}

/* VFIO_USER_DEVICE_RESET: ends what never ends. */
static H_UNUSED void live_reset(struct live *l)
{
	uint8_t r[1] = { 0 };

	live_send(l, 13, r, 0);
	live_reply(l, r, 0);
}

static H_UNUSED void live_del(struct live *l)
{
	if (l->started) {
		close(l->fd[0]);
		pthread_join(l->server, NULL);
		close(l->fd[1]);
		gpu_stop(l->h.gpu);
		vfu_del(&l->vfu);
	}
	h_del(&l->h);
}

static H_UNUSED uint64_t l_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

#endif
