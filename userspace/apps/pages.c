// SPDX-License-Identifier: MIT
/* A picture of pages; pages.h has the interface. */
#include "pages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm.h>
#include <nouveau_drm.h>

#include "gpu_model.h"

#define PAGE 4096ul
#define PER_LINE 64
/* Documentation/admin-guide/mm/pagemap.rst */
#define PM_PRESENT (1ull << 63)
#define PM_SWAP (1ull << 62)

static bool coloured(void)
{
	return isatty(STDOUT_FILENO) || getenv("SVM_DEMO_COLOUR");
}

static const char *colour(const char *code)
{
	return coloured() ? code : "";
}

enum pages_place pages_place(const void *addr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t e = 0;

	if (fd < 0)
		return PAGES_NOWHERE;
	if (pread(fd, &e, sizeof(e), (off_t)((uintptr_t)addr / PAGE * sizeof(e))) != sizeof(e))
		e = 0;
	close(fd);
	if (e & PM_PRESENT)
		return PAGES_RAM;
	/* Without a swap device an entry that is not present is a page of the device. */
	return e & PM_SWAP ? PAGES_VRAM : PAGES_NOWHERE;
}

void pages_legend(void)
{
	printf("  each letter is a page of 4 KiB: %s.%s not touched yet   %sR%s in the computer's RAM   "
	       "%sV%s in the GPU's own memory (VRAM)\n",
	       colour("\033[90m"), colour("\033[0m"), colour("\033[30;42m"), colour("\033[0m"),
	       colour("\033[97;44m"), colour("\033[0m"));
}

void pages_show(const char *title, const void *start, const void *end)
{
	static const struct {
		char letter;
		const char *code;
	} look[] = {
		[PAGES_NOWHERE] = { '.', "\033[90m" },
		[PAGES_RAM] = { 'R', "\033[30;42m" },
		[PAGES_VRAM] = { 'V', "\033[97;44m" },
	};
	uintptr_t a = (uintptr_t)start & ~(PAGE - 1), e = (uintptr_t)end;
	size_t count[3] = { 0 }, n = 0;

	printf("  %s\n", title);
	for (; a < e; a += PAGE, n++) {
		enum pages_place p = pages_place((const void *)a);

		if (n % PER_LINE == 0)
			printf("%s    %#014lx ", n ? "\n" : "", (unsigned long)a);
		printf("%s%c%s", colour(look[p].code), look[p].letter, colour("\033[0m"));
		count[p]++;
	}
	printf("\n    %zu pages: %zu in RAM, %zu in VRAM\n", n, count[PAGES_RAM], count[PAGES_VRAM]);
}

/* --- what happened to each page --- */

#define TRACING "/sys/kernel/tracing/"

static uintptr_t mark_start;
static size_t mark_pages;
static uint8_t *mark_place;

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static void trace_start(void)
{
	if (write_text(TRACING "trace", "\n"))
		write_text(TRACING "events/nouveau_svm/enable", "1");
}

void pages_mark(const void *start, const void *end)
{
	size_t n;

	mark_start = (uintptr_t)start & ~(PAGE - 1);
	mark_pages = ((uintptr_t)end - mark_start + PAGE - 1) / PAGE;
	free(mark_place);
	mark_place = malloc(mark_pages);
	for (n = 0; mark_place && n < mark_pages; n++)
		mark_place[n] = (uint8_t)pages_place((const void *)(mark_start + n * PAGE));
}

/* Put @letter on the pages of [from, to). */
static void put_letters(char *what, unsigned long from, unsigned long to, char letter)
{
	size_t n = from < mark_start ? 0 : (from - mark_start) / PAGE;

	for (; n < mark_pages && mark_start + n * PAGE < to; n++)
		what[n] = letter;
}

/* The driver's own events, in their order.  Return: false when it has none. */
static bool read_trace(char *what)
{
	FILE *f = fopen(TRACING "trace", "re");
	unsigned long start, end, vram, error;
	char line[512], *at;

	if (!f || access(TRACING "events/nouveau_svm", F_OK)) {
		if (f)
			fclose(f);
		return false;
	}
	while (fgets(line, sizeof(line), f)) {
		if ((at = strstr(line, "nouveau_svm_range: ")) && (at = strstr(at, "start=")) &&
		    sscanf(at, "start=%li end=%li leaf=%*u vram=%lu ro=%*u error=%lu", (long *)&start, (long *)&end, &vram,
			   &error) == 4 && !error)
			put_letters(what, start, end, 'm');
	}
	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		if ((at = strstr(line, "nouveau_svm_fault: ")) && (at = strstr(at, "addr=")) &&
		    sscanf(at, "addr=%li", (long *)&start) == 1)
			put_letters(what, start & ~(PAGE - 1), (start & ~(PAGE - 1)) + 1, 'f');
	}
	fclose(f);
	return true;
}

void pages_changes(void)
{
	static const struct {
		char letter;
		const char *code, *means;
	} look[] = {
		{ 'f', "\033[97;41m", "the GPU faulted here" },
		{ 'm', "\033[30;43m", "mapped for the GPU by a fault nearby" },
		{ '>', "\033[97;44m", "moved to VRAM" },
		{ '<', "\033[30;42m", "came back to RAM" },
	};
	size_t count[4] = { 0 }, n, k;
	bool traced;
	char *what;

	if (!mark_place)
		return;
	what = malloc(mark_pages);
	if (!what)
		return;
	memset(what, '.', mark_pages);
	traced = read_trace(what);
	for (n = 0; n < mark_pages; n++) {
		enum pages_place now = pages_place((const void *)(mark_start + n * PAGE));

		if (now == PAGES_VRAM && mark_place[n] != PAGES_VRAM && what[n] != 'f')
			what[n] = '>';
		else if (now == PAGES_RAM && mark_place[n] == PAGES_VRAM)
			what[n] = '<';
	}
	printf("  what happened to each page:");
	for (n = 0; n < mark_pages; n++) {
		for (k = 0; k < 4 && look[k].letter != what[n]; k++)
			;
		if (n % PER_LINE == 0)
			printf("\n    %#014lx ", (unsigned long)(mark_start + n * PAGE));
		printf("%s%c%s", colour(k < 4 ? look[k].code : "\033[90m"), what[n], colour("\033[0m"));
		if (k < 4)
			count[k]++;
	}
	printf("\n   ");
	for (k = 0; k < 4; k++) {
		if (count[k])
			printf(" %c %s: %zu  ", look[k].letter, look[k].means, count[k]);
	}
	if (!traced)
		printf(" (this driver has no trace points: its faults and mappings are counted only)");
	printf("\n");
	free(what);
}

void pages_say(const char *fmt, ...)
{
	va_list ap;

	printf("\n%s", colour("\033[1m"));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("%s\n", colour("\033[0m"));
	fflush(stdout);
}

/* --- events of the hardware --- */

static char *counters;

static struct gpu_model *model(void)
{
	struct gpu_model *m = gpu_model_open(0);

	if (m)
		gpu_model_wait_idle(m, 30000);
	return m;
}

bool events_start(void)
{
	struct gpu_model *m = model();

	trace_start();
	if (!m)
		return false;
	gpu_model_ledger_reset(m);
	gpu_model_close(m);
	return true;
}

uint64_t events_get(const char *name)
{
	uint64_t v = 0;

	if (!counters || !gpu_model_field(counters, name, &v))
		return 0;
	return v;
}

void events_show(void)
{
	struct gpu_model *m = model();
	const char *reply;
	uint64_t maps;

	if (!m) {
		printf("  (no ledger: this GPU is not the emulated one)\n");
		return;
	}
	if (!gpu_model_call(m, &reply, "\"cmd\":\"ledger\"")) {
		free(counters);
		counters = strdup(reply);
	}
	gpu_model_close(m);
	maps = events_get("pte_write_4k") + events_get("pte_write_64k") + events_get("pte_write_2m");
	printf("  meanwhile the hardware saw: %lu page faults of the GPU (%lu reads, %lu writes, %lu atomics), %lu replays,\n"
	       "    %lu page-table entries written, %lu + %lu bytes copied to VRAM and back in %lu copies\n",
	       (unsigned long)events_get("fault_replayable"), (unsigned long)events_get("fault_read"),
	       (unsigned long)events_get("fault_write"), (unsigned long)events_get("fault_atomic"),
	       (unsigned long)events_get("replay"), (unsigned long)maps,
	       (unsigned long)events_get("ce_bytes_sys_to_vram"), (unsigned long)events_get("ce_bytes_vram_to_sys"),
	       (unsigned long)events_get("ce_launch"));
	fflush(stdout);
}

/* --- moving --- */

static int bind_to_vram(int fd, uintptr_t start, uintptr_t end)
{
	struct drm_nouveau_svm_bind bind = {
		.header = (uint64_t)NOUVEAU_SVM_BIND_TARGET__GPU_VRAM << NOUVEAU_SVM_BIND_TARGET_SHIFT,
		.va_start = start,
		.va_end = end,
		.npages = (end - start) / PAGE,
	};

	return ioctl(fd, DRM_IOWR(DRM_COMMAND_BASE + DRM_NOUVEAU_SVM_BIND, struct drm_nouveau_svm_bind), &bind) ?
		       -errno :
		       0;
}

int pages_to_vram(const void *start, const void *end)
{
	uintptr_t a = (uintptr_t)start & ~(PAGE - 1), e = ((uintptr_t)end + PAGE - 1) & ~(PAGE - 1);
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int err = -ENODEV;

	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		char target[64];
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = 0;
		if (strncmp(target, "/dev/dri/renderD", 16) == 0)
			err = bind_to_vram(atoi(entry->d_name), a, e);
	}
	closedir(dir);
	return err;
}
