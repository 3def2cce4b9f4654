// SPDX-License-Identifier: MIT
/*
 * Owns the trace file: its writer, its reader and the loop that replays it.
 *
 * A line is STEP TIME_NS EVENT ARGS...; numbers of the arguments are
 * hexadecimal, bytes are hex pairs in memory order:
 *   rd REGION OFF BYTES        a host read and what it returned
 *   wr REGION OFF BYTES
 *   dma_map IOVA SIZE MEM R W  MEM: 1 with memory behind it
 *   dma_unmap IOVA SIZE
 *   dma_unmap_all
 *   irq N ON, irq_mask N ON
 *   attach ON                  a client came or went
 *   reset
 *   control JSON
 *   tick                       time moved before this step
 *   dma IOVA BYTES             what a DMA read returned, in the order of reads
 *   end
 *
 * Locks: gpu->lock held by the writers; replay is single threaded.
 */
#include "ledger/trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/control.h"
#include "pci/dma.h"
#include "pci/pci.h"

#define MAGIC "# gpu-model trace 1"

struct trace_line {
	uint64_t step, time;
	char *what, *args;	/* within text */
	unsigned int nr;	/* line number */
};

struct trace {
	FILE *f;		/* recording */
	bool replaying, diverged;
	char *text;
	struct trace_line *ev, *dma;
	size_t nr_ev, nr_dma, cur_ev, cur_dma;
};

bool trace_recording(const struct gpu *gpu)
{
	return gpu->trace && !gpu->trace->replaying;
}

bool trace_replaying(const struct gpu *gpu)
{
	return gpu->trace && gpu->trace->replaying;
}

/* --- writing --------------------------------------------------------------------- */

int trace_record_new(struct gpu *gpu, const char *path, struct trace **out)
{
	const struct gpu_config *c = &gpu->cfg;
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->f = fopen(path, "we");
	if (!t->f) {
		int ret = -errno;

		free(t);
		return ret;
	}
	fprintf(t->f, MAGIC " chip=%x vram=%llx sms=%d copy_engines=%d topology=%d seed=%llx late=%d\n", c->chip,
		(unsigned long long)c->vram_size, c->sms, c->copy_engines, c->topology,
		(unsigned long long)c->seed, c->late_invalidate);
	*out = t;
	return 0;
}

static void head(struct gpu *gpu)
{
	fprintf(gpu->trace->f, "%llu %llu ", (unsigned long long)gpu->step, (unsigned long long)gpu->now_ns);
}

static void put_hex(FILE *f, const uint8_t *p, size_t len)
{
	static const char digit[] = "0123456789abcdef";

	putc(' ', f);
	for (size_t i = 0; i < len; i++) {
		putc_unlocked(digit[p[i] >> 4], f);
		putc_unlocked(digit[p[i] & 15], f);
	}
	putc('\n', f);
}

void trace_event(struct gpu *gpu, const char *fmt, ...)
{
	va_list ap;

	if (!trace_recording(gpu))
		return;
	head(gpu);
	va_start(ap, fmt);
	vfprintf(gpu->trace->f, fmt, ap);
	va_end(ap);
	putc('\n', gpu->trace->f);
}

void trace_event_hex(struct gpu *gpu, const void *buf, size_t len, const char *fmt, ...)
{
	va_list ap;

	if (!trace_recording(gpu))
		return;
	head(gpu);
	va_start(ap, fmt);
	vfprintf(gpu->trace->f, fmt, ap);
	va_end(ap);
	put_hex(gpu->trace->f, buf, len);
}

void trace_dma_read_done(struct gpu *gpu, uint64_t iova, const void *buf, size_t len)
{
	trace_event_hex(gpu, buf, len, "dma %llx", (unsigned long long)iova);
}

void trace_del(struct trace **pt)
{
	struct trace *t = *pt;

	if (!t)
		return;
	if (t->f)
		fputs("# complete\n", t->f);
	if (t->f && fclose(t->f))
		fprintf(stderr, "gpu-model: the trace is not complete: %s\n", strerror(errno));
	free(t->text);
	free(t->ev);
	free(t->dma);
	free(t);
	*pt = NULL;
}

/* --- reading ----------------------------------------------------------------------- */

int trace_config(const char *path, struct gpu_config *cfg)
{
	unsigned long long vram, seed;
	unsigned int chip;
	int sms, ces, topology, late, n;
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	n = fscanf(f, MAGIC " chip=%x vram=%llx sms=%d copy_engines=%d topology=%d seed=%llx late=%d", &chip, &vram,
		   &sms, &ces, &topology, &seed, &late);
	fclose(f);
	if (n != 7)
		return -EINVAL;
	cfg->chip = chip;
	cfg->vram_size = vram;
	cfg->sms = sms;
	cfg->copy_engines = ces;
	cfg->topology = topology;
	cfg->seed = seed;
	cfg->late_invalidate = late;
	cfg->deterministic = true;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode @hex in place.  Return: bytes, -1 malformed. */
static ssize_t unhex(char *hex)
{
	uint8_t *out = (uint8_t *)hex;
	size_t n = 0;

	for (; hex[0] && hex[0] != ' '; hex += 2) {
		int hi = hex_digit(hex[0]), lo = hi < 0 ? -1 : hex_digit(hex[1]);

		if (lo < 0)
			return -1;
		out[n++] = (uint8_t)(hi << 4 | lo);
	}
	return (ssize_t)n;
}

static int read_all(const char *path, char **out)
{
	size_t cap = 1 << 16, n = 0, got;
	FILE *f = fopen(path, "re");
	char *buf;

	if (!f)
		return -errno;
	buf = malloc(cap + 1);
	while (buf && (got = fread(buf + n, 1, cap - n, f)) > 0) {
		n += got;
		if (n == cap) {
			char *bigger = realloc(buf, (cap *= 2) + 1);

			if (!bigger)
				free(buf);
			buf = bigger;
		}
	}
	fclose(f);
	if (!buf)
		return -ENOMEM;
	buf[n] = 0;
	*out = buf;
	return 0;
}

static int add_line(struct trace_line **v, size_t *nr, const struct trace_line *l)
{
	if (!(*nr & (*nr - 1))) {
		struct trace_line *p = realloc(*v, (*nr ? *nr * 2 : 1) * sizeof(*p));

		if (!p)
			return -ENOMEM;
		*v = p;
	}
	(*v)[(*nr)++] = *l;
	return 0;
}

static int parse(struct trace *t)
{
	char *save = NULL;
	unsigned int nr = 0;

	for (char *line = strtok_r(t->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct trace_line l = { .nr = ++nr };
		bool dma;
		char *p;
		int ret;

		if (line[0] == '#')
			continue;
		l.step = strtoull(line, &p, 10);
		if (p == line || *p != ' ')
			goto bad;
		l.time = strtoull(p, &l.what, 10);
		if (l.what == p || *l.what != ' ')
			goto bad;
		l.what++;
		p = strchr(l.what, ' ');
		if (p)
			*p++ = 0;
		l.args = p ? p : l.what + strlen(l.what);
		dma = !strcmp(l.what, "dma");
		ret = dma ? add_line(&t->dma, &t->nr_dma, &l) : add_line(&t->ev, &t->nr_ev, &l);
		if (ret)
			return ret;
		continue;
bad:
		fprintf(stderr, "gpu-model: trace line %u: not STEP TIME EVENT\n", nr);
		return -EINVAL;
	}
	return 0;
}

static void diverge(struct trace *t, const struct trace_line *l, const char *why)
{
	if (!t->diverged)
		fprintf(stderr, "gpu-model: trace line %u: %s\n", l ? l->nr : 0, why);
	t->diverged = true;
}

void trace_tick(struct gpu *gpu)
{
	struct trace *t = gpu->trace;

	if (t->cur_ev < t->nr_ev && t->ev[t->cur_ev].step == gpu->step && !strcmp(t->ev[t->cur_ev].what, "tick"))
		gpu->now_ns = t->ev[t->cur_ev++].time;
}

bool trace_dma_read(struct gpu *gpu, uint64_t iova, void *buf, size_t len)
{
	struct trace *t = gpu->trace;
	struct trace_line *l;
	ssize_t n;
	char *hex;

	if (!trace_replaying(gpu))
		return false;
	memset(buf, 0xff, len);
	l = t->cur_dma < t->nr_dma ? &t->dma[t->cur_dma++] : NULL;
	if (!l || strtoull(l->args, &hex, 16) != iova || *hex != ' ') {
		diverge(t, l, "another DMA read than recorded");
		return true;
	}
	n = unhex(hex + 1);
	if (n != (ssize_t)len)
		diverge(t, l, "a DMA read of another length than recorded");
	else
		memcpy(buf, hex + 1, len);
	return true;
}

static int apply_access(struct gpu *gpu, struct trace_line *l, bool write)
{
	unsigned long long off;
	unsigned int region;
	uint8_t *got;
	ssize_t n;
	int at = 0, ret = 0;

	if (sscanf(l->args, "%u %llx %n", &region, &off, &at) != 2 || !at)
		return -EINVAL;
	n = unhex(l->args + at);
	if (n <= 0)
		return -EINVAL;
	if (write) {
		pci_host_write(gpu, region, off, l->args + at, (size_t)n);
		return 0;
	}
	got = malloc((size_t)n);
	if (!got)
		return -ENOMEM;
	pci_host_read(gpu, region, off, got, (size_t)n);
	if (memcmp(got, l->args + at, (size_t)n)) {
		diverge(gpu->trace, l, "a read returns something else than recorded");
		ret = -EIO;
	}
	free(got);
	return ret;
}

static int apply(struct gpu *gpu, struct trace_line *l)
{
	unsigned long long a, b;
	int x, y, z;

	if (!strcmp(l->what, "rd") || !strcmp(l->what, "wr"))
		return apply_access(gpu, l, l->what[0] == 'w');
	if (!strcmp(l->what, "dma_map") && sscanf(l->args, "%llx %llx %d %d %d", &a, &b, &x, &y, &z) == 5)
		pci_host_dma_map(gpu, a, b, x ? DMA_FD_TRACE : -1, 0, y, z);
	else if (!strcmp(l->what, "dma_unmap") && sscanf(l->args, "%llx %llx", &a, &b) == 2)
		pci_host_dma_unmap(gpu, a, b);
	else if (!strcmp(l->what, "dma_unmap_all"))
		pci_host_dma_unmap_all(gpu);
	else if (!strcmp(l->what, "irq") && sscanf(l->args, "%d %d", &x, &y) == 2)
		pci_host_irq_set(gpu, (unsigned int)x, y ? DMA_FD_TRACE : -1);
	else if (!strcmp(l->what, "irq_mask") && sscanf(l->args, "%d %d", &x, &y) == 2)
		pci_host_irq_mask(gpu, (unsigned int)x, y);
	else if (!strcmp(l->what, "attach") && sscanf(l->args, "%d", &x) == 1)
		pci_host_attach(gpu, x);
	else if (!strcmp(l->what, "reset"))
		pci_host_reset(gpu);
	else if (!strcmp(l->what, "control"))
		return control_replay(gpu, l->args);
	else if (strcmp(l->what, "end") && strcmp(l->what, "tick"))
		return -EINVAL;
	return 0;
}

int trace_replay(struct gpu *gpu, const char *path)
{
	struct trace *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	t->replaying = true;
	ret = read_all(path, &t->text);
	if (!ret)
		ret = parse(t);
	if (ret) {
		trace_del(&t);
		return ret;
	}
	gpu->trace = t;
	while (t->cur_ev < t->nr_ev && !ret && !t->diverged) {
		struct trace_line *l = &t->ev[t->cur_ev];

		if (gpu->step < l->step) {
			fair_lock(&gpu->lock);
			gpu_engine_step(gpu);
			fair_unlock(&gpu->lock);
			continue;
		}
		t->cur_ev++;
		gpu->now_ns = l->time;
		ret = apply(gpu, l);
		if (ret == -EINVAL)
			fprintf(stderr, "gpu-model: trace line %u: event \"%s\" is malformed\n", l->nr, l->what);
	}
	if (t->diverged)
		ret = -EIO;
	gpu->trace = NULL;
	trace_del(&t);
	return ret;
}
