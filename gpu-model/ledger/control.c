// SPDX-License-Identifier: MIT
/*
 * Owns the control socket: its thread, its connections, and the commands.
 *
 * Locks: commands that change the device are host events: gpu->lock, and
 * gpu->sm_gate where a host pointer is taken away.  Connections belong to the
 * thread.
 */
#include "ledger/control.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "hw/block.h"
#include "hw/mmu.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"
#include "ledger/sanitizer.h"
#include "ledger/state.h"
#include "ledger/trace.h"
#include "pci/dma.h"

#define MAX_CONNS 16
#define MAX_LINE 65536
#define WAIT_DEFAULT_MS 10000
#define WAIT_MAX_MS 3600000

/* --- commands -------------------------------------------------------------------- */

static void put(void *priv, const char *key, uint64_t val)
{
	json_object_set_new(priv, key, json_integer((json_int_t)val));
}

/* A number, or a string in C's notation for what needs 64 bits or hex.  Return: false when wrong. */
static bool get_u64(json_t *req, const char *key, uint64_t *out)
{
	json_t *v = json_object_get(req, key);
	const char *s = json_string_value(v);
	char *end;

	if (!v)
		return true;
	if (json_is_integer(v)) {
		*out = (uint64_t)json_integer_value(v);
		return true;
	}
	if (!s || !*s)
		return false;
	errno = 0;
	*out = strtoull(s, &end, 0);
	return !errno && !*end;
}

static const char *cmd_ledger(struct gpu *gpu, json_t *req, json_t *rep)
{
	for (int i = 0; i < LEDGER_NR; i++)
		put(rep, ledger_name(i), ledger_get(gpu->ledger, i));
	return NULL;
}

static const char *cmd_ledger_reset(struct gpu *gpu, json_t *req, json_t *rep)
{
	ledger_reset(gpu->ledger);
	return NULL;
}

static const char *cmd_sanitizer(struct gpu *gpu, json_t *req, json_t *rep)
{
	uint64_t total = 0;

	for (int i = 0; i < SAN_NR; i++) {
		put(rep, san_name(i), san_count(gpu, i));
		total += san_count(gpu, i);
	}
	put(rep, "total", total);
	return NULL;
}

static const char *cmd_sanitizer_reset(struct gpu *gpu, json_t *req, json_t *rep)
{
	san_reset(gpu);
	return NULL;
}

static const char *watch(struct gpu *gpu, json_t *req, bool on)
{
	const char *name = json_string_value(json_object_get(req, "aperture"));
	uint64_t addr = 0, len = 4096;
	enum aperture ap;
	int ret;

	if (name && !strcmp(name, "vram"))
		ap = AP_VRAM;
	else if (name && !strcmp(name, "sys"))
		ap = AP_SYS_COH;
	else
		return "aperture is \"vram\" or \"sys\"";
	if (!json_object_get(req, "addr") || !get_u64(req, "addr", &addr) || !get_u64(req, "len", &len) || !len)
		return "addr and len are numbers of bytes";
	ret = san_watch(gpu, ap, addr, len, on);
	/* Nobody keeps a host pointer that would go past the watch. */
	mmu_dma_changed(gpu);
	return ret == -ENOMEM ? "out of memory" : ret ? "the range wraps" : NULL;
}

static const char *cmd_watch(struct gpu *gpu, json_t *req, json_t *rep)
{
	return watch(gpu, req, true);
}

static const char *cmd_unwatch(struct gpu *gpu, json_t *req, json_t *rep)
{
	return watch(gpu, req, false);
}

static int find_point(json_t *req)
{
	const char *name = json_string_value(json_object_get(req, "point"));

	for (int i = 0; name && i < INJECT_NR; i++)
		if (!strcmp(name, inject_name(i)))
			return i;
	return -1;
}

static const char *cmd_inject(struct gpu *gpu, json_t *req, json_t *rep)
{
	struct inject_arm arm = { 0 };
	json_t *rate = json_object_get(req, "rate_gbps"), *launch = json_object_get(req, "launch_us");
	int id = find_point(req);

	if (id < 0)
		return "no such injection point";
	/* "the n-th" means once unless a count says otherwise */
	if (json_object_get(req, "nth"))
		arm.count = 1;
	if (!get_u64(req, "nth", &arm.nth) || !get_u64(req, "count", &arm.count) || !get_u64(req, "addr", &arm.addr) ||
	    !get_u64(req, "len", &arm.len) || !get_u64(req, "arg", &arm.arg) || !get_u64(req, "delay_us", &arm.delay_us))
		return "nth, count, addr, len, arg and delay_us are numbers";
	if ((rate && !json_is_number(rate)) || (launch && !json_is_number(launch)))
		return "rate_gbps and launch_us are numbers";
	arm.rate_gbps = json_number_value(rate);
	arm.launch_us = json_number_value(launch);
	if (arm.rate_gbps < 0 || arm.launch_us < 0 || arm.launch_us > 1e9 || arm.delay_us > 1000000000ull)
		return "a rate or a delay that is out of range";
	if (id == INJECT_go_dark)
		arm.count = 0;
	inject_arm(gpu, id, &arm);
	gpu_kick(gpu);
	return NULL;
}

static const char *cmd_disarm(struct gpu *gpu, json_t *req, json_t *rep)
{
	int id = json_object_get(req, "point") ? find_point(req) : INJECT_NR;

	if (id < 0)
		return "no such injection point";
	inject_disarm(gpu, id);
	return NULL;
}

static const char *cmd_injected(struct gpu *gpu, json_t *req, json_t *rep)
{
	for (int i = 0; i < INJECT_NR; i++)
		put(rep, inject_name(i), inject_fired(gpu, i));
	return NULL;
}

static const char *cmd_go_dark(struct gpu *gpu, json_t *req, json_t *rep)
{
	struct inject_arm arm = { 0 };

	inject_arm(gpu, INJECT_go_dark, &arm);
	return NULL;
}

static const char *cmd_unloaded(struct gpu *gpu, json_t *req, json_t *rep)
{
	size_t live = dma_live(gpu->dma);

	put(rep, "dma_maps", live);
	if (live)
		san_report(gpu, SAN_iova_leak, "%zu mappings", live);
	return NULL;
}

static const char *cmd_state(struct gpu *gpu, json_t *req, json_t *rep)
{
	state_put(gpu, put, rep);
	put(rep, "idle", gpu_idle(gpu));
	put(rep, "time_ns", gpu->now_ns);
	return NULL;
}

static const char *cmd_info(struct gpu *gpu, json_t *req, json_t *rep)
{
	json_object_set_new(rep, "chip", json_string(gpu->cfg.chip == CHIP_GP104 ? "gp104" : "gp100"));
	put(rep, "vram", gpu->vram_size);
	put(rep, "sms", (uint64_t)gpu->cfg.sms);
	put(rep, "copy_engines", (uint64_t)gpu->cfg.copy_engines);
	json_object_set_new(rep, "topology", json_string(gpu->cfg.topology == TOPOLOGY_REAL ? "real" : "single"));
	put(rep, "seed", gpu->cfg.seed);
	put(rep, "pid", (uint64_t)getpid());
	return NULL;
}

static const char *cmd_wait_idle(struct gpu *gpu, json_t *req, json_t *rep)
{
	uint64_t ms;

	if (!get_u64(req, "timeout_ms", &ms))
		return "timeout_ms is a number";
	return gpu_idle(gpu) ? NULL : "busy";
}

/* The socket's thread ends the process after the answer. */
static const char *cmd_quit(struct gpu *gpu, json_t *req, json_t *rep)
{
	return NULL;
}

static const struct command {
	const char *name;
	bool event;	/* changes the device: a host event, recorded in a trace */
	bool gate;	/* an event that takes host pointers away: with sm_gate exclusively */
	const char *(*run)(struct gpu *gpu, json_t *req, json_t *rep);	/* NULL, or what is wrong */
} commands[] = {
	{ "ledger", false, false, cmd_ledger },
	{ "ledger_reset", true, false, cmd_ledger_reset },
	{ "sanitizer", false, false, cmd_sanitizer },
	{ "sanitizer_reset", true, false, cmd_sanitizer_reset },
	{ "watch", true, true, cmd_watch },
	{ "unwatch", true, true, cmd_unwatch },
	{ "inject", true, false, cmd_inject },
	{ "disarm", true, false, cmd_disarm },
	{ "injected", false, false, cmd_injected },
	{ "go_dark", true, false, cmd_go_dark },
	{ "unloaded", true, false, cmd_unloaded },
	{ "wait_idle", false, false, cmd_wait_idle },
	{ "state", false, false, cmd_state },
	{ "info", false, false, cmd_info },
	{ "quit", false, false, cmd_quit },
};

static const struct command *find_command(json_t *req)
{
	const char *name = json_string_value(json_object_get(req, "cmd"));

	for (size_t i = 0; name && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static const char *run(struct gpu *gpu, const struct command *c, json_t *req, json_t *rep)
{
	const char *err;

	if (c->event) {
		gpu_lock(gpu);
		/* MMIO does not wait for a slice because this does */
		while (c->gate && !gpu_gate_try(gpu)) {
			gpu_unlock(gpu);
			nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
			gpu_lock(gpu);
		}
		if (gpu->trace) {
			char *text = json_dumps(req, JSON_COMPACT);

			trace_event(gpu, "control %s", text ? text : "{}");
			free(text);
		}
	} else {
		fair_lock(&gpu->lock);
	}
	err = c->run(gpu, req, rep);
	if (c->gate)
		gpu_gate_release(gpu, true);
	fair_unlock(&gpu->lock);
	return err;
}

json_t *control_request(struct gpu *gpu, json_t *req)
{
	const struct command *c = find_command(req);
	json_t *rep = json_object(), *id = json_object_get(req, "id");
	const char *err;

	if (!rep)
		return NULL;
	if (id)
		json_object_set(rep, "id", id);
	json_object_set_new(rep, "ok", json_true());
	if (!json_is_object(req))
		err = "not a JSON object on one line";
	else if (!json_is_string(json_object_get(req, "cmd")))
		err = "no cmd";
	else
		err = c ? run(gpu, c, req, rep) : "no such command";
	if (err) {
		json_object_set_new(rep, "ok", json_false());
		json_object_set_new(rep, "error", json_string(err));
	}
	return rep;
}

int control_replay(struct gpu *gpu, const char *text)
{
	json_t *req = json_loads(text, 0, NULL), *rep;
	const struct command *c = find_command(req);
	int ret = c && c->event ? 0 : -EINVAL;

	if (!ret) {
		rep = control_request(gpu, req);
		json_decref(rep);
	}
	json_decref(req);
	return ret;
}

/* --- socket ------------------------------------------------------------------------ */

struct conn {
	int fd;
	char *buf;
	size_t have;
	bool skip;		/* dropping an overlong line */
	json_t *waiting;	/* a wait_idle that isn't answered yet */
	uint64_t deadline;	/* ms */
};

struct control {
	struct gpu *gpu;
	pthread_t tid;
	bool started;
	int listen_fd, signal_fd, stop_fd;
	char *path;
	void (*quit)(void *priv);
	void *priv;
	struct conn conn[MAX_CONNS];
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void conn_close(struct conn *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	free(c->buf);
	json_decref(c->waiting);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

static void conn_send(struct conn *c, json_t *rep)
{
	char *text = rep ? json_dumps(rep, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	size_t len = text ? strlen(text) : 0, done = 0;
	bool ok = text;

	if (text)
		text[len++] = '\n';	/* in place of the terminator */
	while (ok && done < len) {
		ssize_t n = send(c->fd, text + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		ok = n > 0;
		done += ok ? (size_t)n : 0;
	}
	free(text);
	json_decref(rep);
	/* Nobody waits for a peer that doesn't read (SO_SNDTIMEO). */
	if (!ok)
		conn_close(c);
}

static bool is_cmd(json_t *req, const char *name)
{
	const char *cmd = json_string_value(json_object_get(req, "cmd"));

	return cmd && !strcmp(cmd, name);
}

/* Return: true when the process shall end. */
static bool conn_line(struct control *ctl, struct conn *c, const char *line, size_t len)
{
	json_t *req, *rep;
	bool quit;

	if (len && line[len - 1] == '\r')
		len--;
	if (!len)
		return false;
	req = json_loadb(line, len, 0, NULL);
	rep = control_request(ctl->gpu, req);
	quit = is_cmd(req, "quit");
	if (is_cmd(req, "wait_idle") && rep && !strcmp("busy", json_string_value(json_object_get(rep, "error")) ?: "")) {
		uint64_t ms = WAIT_DEFAULT_MS;

		get_u64(req, "timeout_ms", &ms);
		c->waiting = req;
		c->deadline = now_ms() + (ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms);
		json_decref(rep);
		return false;
	}
	json_decref(req);
	conn_send(c, rep);
	return quit;
}

/* Work off whole lines, up to one that has to wait. */
static bool conn_lines(struct control *ctl, struct conn *c)
{
	bool quit = false;
	char *nl;

	while (!quit && c->fd >= 0 && !c->waiting && (nl = memchr(c->buf, '\n', c->have))) {
		size_t len = (size_t)(nl - c->buf);

		if (!c->skip)
			quit = conn_line(ctl, c, c->buf, len);
		c->skip = false;
		if (c->fd < 0)
			break;
		c->have -= len + 1;
		memmove(c->buf, nl + 1, c->have);
	}
	if (c->fd >= 0 && c->have == MAX_LINE && !memchr(c->buf, '\n', c->have)) {
		bool told = c->skip;

		c->have = 0;
		c->skip = true;
		if (!told)
			conn_send(c, json_pack("{sbss}", "ok", 0, "error", "the line is too long"));
	}
	return quit;
}

static bool conn_read(struct control *ctl, struct conn *c)
{
	ssize_t n = recv(c->fd, c->buf + c->have, MAX_LINE - c->have, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		conn_close(c);
		return false;
	}
	c->have += (size_t)n;
	return conn_lines(ctl, c);
}

static bool conn_wait(struct control *ctl, struct conn *c)
{
	json_t *rep = control_request(ctl->gpu, c->waiting);
	bool busy = json_is_false(json_object_get(rep, "ok"));

	if (busy && now_ms() < c->deadline) {
		json_decref(rep);
		return false;
	}
	if (busy)
		json_object_set_new(rep, "error", json_string("still busy after timeout_ms"));
	json_decref(c->waiting);
	c->waiting = NULL;
	conn_send(c, rep);
	return c->fd >= 0 && conn_lines(ctl, c);
}

static void conn_accept(struct control *ctl)
{
	struct timeval tv = { .tv_sec = 1 };
	int fd = accept4(ctl->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct conn *c = NULL;

	if (fd < 0)
		return;
	for (int i = 0; i < MAX_CONNS && !c; i++)
		if (ctl->conn[i].fd < 0)
			c = &ctl->conn[i];
	if (c)
		c->buf = malloc(MAX_LINE);
	if (!c || !c->buf) {
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	c->fd = fd;
}

static void *control_main(void *priv)
{
	struct control *ctl = priv;
	bool quit = false;

	prctl(PR_SET_NAME, "gpu-control");
	while (!quit) {
		struct pollfd p[3 + MAX_CONNS];
		int timeout = -1;

		p[0] = (struct pollfd){ .fd = ctl->listen_fd, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = ctl->signal_fd, .events = POLLIN };
		p[2] = (struct pollfd){ .fd = ctl->stop_fd, .events = POLLIN };
		for (int i = 0; i < MAX_CONNS; i++) {
			struct conn *c = &ctl->conn[i];

			/* One that waits is not read: its peer is held back by the socket. */
			p[3 + i] = (struct pollfd){ .fd = c->fd, .events = c->waiting ? 0 : POLLIN };
			if (c->waiting)
				timeout = 1;
		}
		if (poll(p, ARRAY_SIZE(p), timeout) < 0 && errno != EINTR)
			break;
		if (p[2].revents)
			return NULL;
		if (p[1].revents)
			quit = true;
		for (int i = 0; i < MAX_CONNS && !quit; i++) {
			struct conn *c = &ctl->conn[i];

			if (c->waiting && p[3 + i].revents & (POLLHUP | POLLERR))
				conn_close(c);
			else if (c->fd >= 0 && c->waiting)
				quit = conn_wait(ctl, c);
			else if (c->fd >= 0 && p[3 + i].revents)
				quit = conn_read(ctl, c);
		}
		if (p[0].revents)
			conn_accept(ctl);
	}
	ctl->quit(ctl->priv);
	return NULL;
}

static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 8)) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

int control_new(struct gpu *gpu, const char *path, void (*quit)(void *priv), void *priv, struct control **out)
{
	struct control *ctl = calloc(1, sizeof(*ctl));
	sigset_t set;
	int ret;

	if (!ctl)
		return -ENOMEM;
	for (int i = 0; i < MAX_CONNS; i++)
		ctl->conn[i].fd = -1;
	ctl->gpu = gpu;
	ctl->quit = quit;
	ctl->priv = priv;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	ctl->listen_fd = -1;
	ctl->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	ctl->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (path) {
		ctl->path = strdup(path);
		ctl->listen_fd = listen_at(path);
		if (ctl->listen_fd < 0) {
			ret = ctl->listen_fd;
			free(ctl->path);
			ctl->path = NULL;
			control_del(&ctl);
			return ret;
		}
	}
	ret = pthread_create(&ctl->tid, NULL, control_main, ctl);
	if (ret) {
		control_del(&ctl);
		return -ret;
	}
	ctl->started = true;
	*out = ctl;
	return 0;
}

void control_del(struct control **pctl)
{
	struct control *ctl = *pctl;
	uint64_t one = 1;

	if (!ctl)
		return;
	if (ctl->started) {
		if (write(ctl->stop_fd, &one, sizeof(one)) == sizeof(one))
			pthread_join(ctl->tid, NULL);
	}
	for (int i = 0; i < MAX_CONNS; i++)
		conn_close(&ctl->conn[i]);
	if (ctl->path)
		unlink(ctl->path);
	free(ctl->path);
	if (ctl->listen_fd >= 0)
		close(ctl->listen_fd);
	if (ctl->signal_fd >= 0)
		close(ctl->signal_fd);
	if (ctl->stop_fd >= 0)
		close(ctl->stop_fd);
	free(ctl);
	*pctl = NULL;
}
