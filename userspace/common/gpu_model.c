// SPDX-License-Identifier: MIT
/* See gpu_model.h. */
#include "gpu_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"
#define OPEN_TIMEOUT_MS 10000
#define REPLY_TIMEOUT_MS 20000
#define REPLY_MAX (1 << 20)

struct gpu_model {
	int fd;
	unsigned int id;
	char *buf;
	size_t have;	/* bytes in buf */
	size_t taken;	/* of these: the line handed out by the last call */
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Find the device node of the port called @name.  Return: 0 or -errno. */
static int find_port(const char *name, char *node, size_t size)
{
	DIR *dir = opendir(PORTS);
	struct dirent *d;
	int ret = -ENOENT;

	if (!dir)
		return -errno;
	while (ret && (d = readdir(dir))) {
		char path[512], got[128];
		FILE *f;

		snprintf(path, sizeof(path), PORTS "/%s/name", d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(got, sizeof(got), f)) {
			got[strcspn(got, "\n")] = 0;
			if (!strcmp(got, name)) {
				snprintf(node, size, "/dev/%s", d->d_name);
				ret = 0;
			}
		}
		fclose(f);
	}
	closedir(dir);
	return ret;
}

struct gpu_model *gpu_model_open(int index)
{
	uint64_t end = now_ms() + OPEN_TIMEOUT_MS;
	char name[32], node[300];
	struct gpu_model *m;
	int ret;

	snprintf(name, sizeof(name), "gpu-model.%d", index);
	ret = find_port(name, node, sizeof(node));
	if (ret) {
		errno = -ret;
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->buf = malloc(REPLY_MAX);
	m->fd = -1;
	while (m->buf && m->fd < 0) {
		m->fd = open(node, O_RDWR | O_CLOEXEC);
		if (m->fd < 0 && (errno != EBUSY || now_ms() > end))
			break;
		if (m->fd < 0)
			usleep(10000);
	}
	if (m->fd < 0) {
		ret = errno;
		gpu_model_close(m);
		errno = ret;
		return NULL;
	}
	/* An id that replies to a former owner of the port don't have; and end a line that it left half. */
	m->id = (unsigned int)getpid() % 100000 * 1000;
	if (write(m->fd, "\n", 1) != 1) {
		gpu_model_close(m);
		errno = EIO;
		return NULL;
	}
	return m;
}

void gpu_model_close(struct gpu_model *m)
{
	if (!m)
		return;
	if (m->fd >= 0)
		close(m->fd);
	free(m->buf);
	free(m);
}

static int send_line(struct gpu_model *m, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(m->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Read the next line into buf, NUL terminated; its length goes to taken. */
static int read_line(struct gpu_model *m, uint64_t end)
{
	char *nl;

	memmove(m->buf, m->buf + m->taken, m->have - m->taken);
	m->have -= m->taken;
	m->taken = 0;
	while (!(nl = memchr(m->buf, '\n', m->have))) {
		struct pollfd p = { .fd = m->fd, .events = POLLIN };
		uint64_t now = now_ms();
		ssize_t n;

		if (m->have == REPLY_MAX)
			return -EMSGSIZE;
		if (now >= end || !poll(&p, 1, (int)(end - now)))
			return -ETIMEDOUT;
		n = read(m->fd, m->buf + m->have, REPLY_MAX - m->have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)	/* 0: the host's end is closed */
			return n ? -errno : -EPIPE;
		m->have += (size_t)n;
	}
	*nl = 0;
	m->taken = (size_t)(nl - m->buf) + 1;
	return 0;
}

static int vcall(struct gpu_model *m, unsigned int timeout_ms, const char *fmt, va_list ap)
{
	uint64_t end = now_ms() + timeout_ms, id;
	char line[1024];
	int at, n, ret;

	at = snprintf(line, sizeof(line), "{\"id\":%u,", ++m->id);
	n = vsnprintf(line + at, sizeof(line) - (size_t)at - 2, fmt, ap);
	if (n < 0 || n >= (int)sizeof(line) - at - 2)
		return -EMSGSIZE;
	at += n;
	line[at++] = '}';
	line[at++] = '\n';
	ret = send_line(m, line, (size_t)at);
	do {
		if (!ret)
			ret = read_line(m, end);
		if (ret)
			return ret;
	} while (!gpu_model_field(m->buf, "id", &id) || id != m->id);
	if (strstr(m->buf, "\"ok\":true"))
		return 0;
	fprintf(stderr, "gpu model refuses %.*s: %s\n", at - 1, line, m->buf);
	return -EREMOTEIO;
}

int gpu_model_call(struct gpu_model *m, const char **reply, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vcall(m, REPLY_TIMEOUT_MS, fmt, ap);
	va_end(ap);
	if (reply)
		*reply = m->buf;
	return ret;
}

bool gpu_model_field(const char *reply, const char *name, uint64_t *out)
{
	size_t len = strlen(name);
	const char *p = reply;

	/* Replies are flat objects in compact form; a name is followed by ":. */
	while ((p = strstr(p, name))) {
		if (p > reply && p[-1] == '"' && p[len] == '"' && p[len + 1] == ':') {
			char *end;

			*out = strtoull(p + len + 2, &end, 10);
			return end != p + len + 2;
		}
		p += len;
	}
	return false;
}

static uint64_t query(struct gpu_model *m, const char *cmd, const char *name)
{
	const char *reply;
	uint64_t v;

	if (gpu_model_call(m, &reply, "\"cmd\":\"%s\"", cmd))
		return UINT64_MAX;
	if (gpu_model_field(reply, name, &v))
		return v;
	fprintf(stderr, "gpu model: %s knows no %s\n", cmd, name);
	return UINT64_MAX;
}

uint64_t gpu_model_ledger(struct gpu_model *m, const char *name)
{
	return query(m, "ledger", name);
}

int gpu_model_ledger_reset(struct gpu_model *m)
{
	return gpu_model_call(m, NULL, "\"cmd\":\"ledger_reset\"");
}

uint64_t gpu_model_sanitizer(struct gpu_model *m, const char *name)
{
	return query(m, "sanitizer", name);
}

int gpu_model_sanitizer_reset(struct gpu_model *m)
{
	return gpu_model_call(m, NULL, "\"cmd\":\"sanitizer_reset\"");
}

uint64_t gpu_model_state(struct gpu_model *m, const char *name)
{
	return query(m, "state", name);
}

/* va_list needs a function of its own: this call waits longer than others. */
static int call_for(struct gpu_model *m, unsigned int timeout_ms, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vcall(m, timeout_ms, fmt, ap);
	va_end(ap);
	return ret;
}

int gpu_model_wait_idle(struct gpu_model *m, unsigned int timeout_ms)
{
	return call_for(m, timeout_ms + REPLY_TIMEOUT_MS, "\"cmd\":\"wait_idle\",\"timeout_ms\":%u", timeout_ms);
}

static int watch(struct gpu_model *m, const char *cmd, bool sys, uint64_t addr, uint64_t len)
{
	return gpu_model_call(m, NULL, "\"cmd\":\"%s\",\"aperture\":\"%s\",\"addr\":\"%#llx\",\"len\":\"%#llx\"", cmd,
			      sys ? "sys" : "vram", (unsigned long long)addr, (unsigned long long)len);
}

int gpu_model_watch(struct gpu_model *m, bool sys, uint64_t addr, uint64_t len)
{
	return watch(m, "watch", sys, addr, len);
}

int gpu_model_unwatch(struct gpu_model *m, bool sys, uint64_t addr, uint64_t len)
{
	return watch(m, "unwatch", sys, addr, len);
}

int gpu_model_inject(struct gpu_model *m, const struct gpu_model_inject *inj)
{
	const struct {
		const char *name;
		uint64_t val;
	} number[] = {
		{ "nth", inj->nth }, { "count", inj->count }, { "addr", inj->addr },
		{ "len", inj->len }, { "arg", inj->arg }, { "delay_us", inj->delay_us },
	};
	char args[512];
	int at = 0;

	args[0] = 0;
	for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++)
		if (number[i].val)
			at += snprintf(args + at, sizeof(args) - (size_t)at, ",\"%s\":\"%#llx\"", number[i].name,
				       (unsigned long long)number[i].val);
	if (inj->rate_gbps > 0)
		at += snprintf(args + at, sizeof(args) - (size_t)at, ",\"rate_gbps\":%.6f", inj->rate_gbps);
	if (inj->launch_us > 0)
		snprintf(args + at, sizeof(args) - (size_t)at, ",\"launch_us\":%.6f", inj->launch_us);
	return gpu_model_call(m, NULL, "\"cmd\":\"inject\",\"point\":\"%s\"%s", inj->point, args);
}

int gpu_model_disarm(struct gpu_model *m, const char *point)
{
	return point ? gpu_model_call(m, NULL, "\"cmd\":\"disarm\",\"point\":\"%s\"", point) :
		       gpu_model_call(m, NULL, "\"cmd\":\"disarm\"");
}

uint64_t gpu_model_injected(struct gpu_model *m, const char *point)
{
	return query(m, "injected", point);
}

int gpu_model_go_dark(struct gpu_model *m)
{
	return gpu_model_call(m, NULL, "\"cmd\":\"go_dark\"");
}

int gpu_model_unloaded(struct gpu_model *m)
{
	return gpu_model_call(m, NULL, "\"cmd\":\"unloaded\"");
}
