// SPDX-License-Identifier: MIT
/* What the SVM tests have in common; svm_test.h has the interface. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "gpu_model.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

#define OUT_SIZE (256u << 10)
#define MIGRATE_ON_FAULT "/sys/module/nouveau/parameters/svm_migrate_on_fault"

/* /proc/PID/pagemap and /proc/kpageflags: Documentation/admin-guide/mm/pagemap.rst */
#define PM_PRESENT (1ull << 63)
#define PM_SWAP (1ull << 62)
#define PM_SWAP_TYPE 0x1full
#define PM_PFN ((1ull << 55) - 1)
#define KPF_THP (1ull << 22)

static void load(struct svm *svm, struct nv_kernel *kernel, const struct sm6x *prog)
{
	igt_assert_eq(nv_kernel_load(&svm->chan, prog, kernel), 0);
}

static void open_fd(struct svm *svm, int fd)
{
	struct sm6x p;
	int err;

	memset(svm, 0, sizeof(*svm));
	igt_require_nouveau(fd);
	igt_assert_eq(nv_dev_init(&svm->dev, fd), 0);
	err = nv_svm_init(&svm->dev);
	igt_assert_f(err == 0, "SVM_INIT: %s\n", strerror(-err));
	err = nv_chan_new(&svm->dev, NV_ENGINE_GR, &svm->chan);
	igt_assert_f(err == 0, "channel: %s\n", strerror(-err));
	err = nv_bo_new(&svm->dev, OUT_SIZE, NOUVEAU_GEM_DOMAIN_GART, &svm->out);
	igt_assert_f(err == 0, "buffer: %s\n", strerror(-err));

	nv_asm_read(&p, 2);
	load(svm, &svm->read, &p);
	nv_asm_read(&p, 12);
	load(svm, &svm->read_page, &p);
	nv_asm_write(&p, 2);
	load(svm, &svm->write, &p);
	nv_asm_write(&p, 12);
	load(svm, &svm->write_page, &p);
	nv_asm_add(&p, 2);
	load(svm, &svm->add, &p);
	nv_asm_add(&p, 12);
	load(svm, &svm->add_page, &p);
	nv_asm_add(&p, 32);
	load(svm, &svm->add_same, &p);
	nv_asm_walk(&p, 12);
	load(svm, &svm->walk_page, &p);
	nv_asm_chase(&p);
	load(svm, &svm->chase, &p);
}

void svm_open(struct svm *svm)
{
	open_fd(svm, drm_open_driver_render(DRIVER_ANY));
}

void svm_open_on(struct svm *svm, int index)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/dri/renderD%d", 128 + index);
	fd = open(path, O_RDWR | O_CLOEXEC);
	igt_require_f(fd >= 0, "there is no GPU %d\n", index);
	open_fd(svm, fd);
}

void svm_close(struct svm *svm)
{
	nv_bo_del(&svm->out);
	nv_chan_del(&svm->chan);
	nv_dev_close(&svm->dev);
}

/* @n threads: whole CTAs of NV_THREADS, or one CTA of fewer. */
static int run(struct svm *svm, const struct nv_kernel *kernel, uint32_t n, const struct nv_args *args)
{
	uint32_t threads = n < NV_THREADS ? n : NV_THREADS;

	igt_assert(n % threads == 0);
	nv_use(&svm->chan, &svm->out);
	return nv_run(&svm->chan, kernel, n / threads, threads, args, sizeof(*args));
}

static void run_ok(struct svm *svm, const struct nv_kernel *kernel, uint32_t n, const struct nv_args *args)
{
	int err = run(svm, kernel, n, args);

	igt_assert_f(err == 0, "GPU: %s\n", strerror(-err));
}

uint32_t svm_gpu_read(struct svm *svm, const void *addr)
{
	const struct nv_args args = { .dst = svm->out.va, .src = (uintptr_t)addr };
	volatile uint32_t *out = svm->out.map;

	out[0] = 0xdeadbeef;
	run_ok(svm, &svm->read, 1, &args);
	return out[0];
}

void svm_gpu_write(struct svm *svm, void *addr, uint32_t value)
{
	const struct nv_args args = { .dst = (uintptr_t)addr, .value = value };

	run_ok(svm, &svm->write, 1, &args);
}

void svm_gpu_add(struct svm *svm, void *addr, uint32_t value, uint32_t threads)
{
	const struct nv_args args = { .dst = (uintptr_t)addr, .value = value };

	run_ok(svm, &svm->add_same, threads, &args);
}

void svm_gpu_check_pages(struct svm *svm, const void *addr, uint32_t n, uint32_t first)
{
	const struct nv_args args = { .dst = svm->out.va, .src = (uintptr_t)addr };
	volatile uint32_t *out = svm->out.map;
	uint32_t i;

	igt_assert(n * 4 <= OUT_SIZE);
	for (i = 0; i < n; i++)
		out[i] = 0xdeadbeef;
	run_ok(svm, &svm->read_page, n, &args);
	for (i = 0; i < n; i++)
		igt_assert_f(out[i] == first + i, "GPU reads %#x in page %u, expected %#x\n", out[i], i, first + i);
}

void svm_gpu_write_pages(struct svm *svm, void *addr, uint32_t n, uint32_t first)
{
	const struct nv_args args = { .dst = (uintptr_t)addr, .value = first };

	run_ok(svm, &svm->write_page, n, &args);
}

int svm_gpu_try(struct svm *svm, const struct nv_kernel *kernel, uint64_t dst, uint64_t src, uint32_t value)
{
	const struct nv_args args = { .dst = dst, .src = src, .value = value };

	return run(svm, kernel, 1, &args);
}

#define LAST_WORD (SZ_4K / 4 - 1)

void svm_cpu_write_pages(void *addr, uint32_t n, uint32_t first)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		volatile uint32_t *page = (volatile uint32_t *)((char *)addr + i * SZ_4K);

		page[0] = first + i;
		page[LAST_WORD] = ~(first + i);
	}
}

void svm_cpu_check_pages(const void *addr, uint32_t n, uint32_t first, bool whole)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		const volatile uint32_t *page = (const volatile uint32_t *)((const char *)addr + i * SZ_4K);
		uint32_t a = page[0], b = page[LAST_WORD];

		igt_assert_f(a == first + i, "CPU reads %#x in page %u, expected %#x\n", a, i, first + i);
		if (whole)
			igt_assert_f(b == ~(first + i), "CPU reads %#x at the end of page %u, expected %#x\n", b, i,
				     ~(first + i));
	}
}

/* Threads may try at once: each has a place of its own to go back to, and the last one puts the handler back. */
static _Thread_local sigjmp_buf bus_error;
static pthread_mutex_t bus_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction bus_old;
static unsigned int bus_users;

static void on_sigbus(int sig)
{
	siglongjmp(bus_error, 1);
}

static void bus_handler(bool get)
{
	struct sigaction sa = { .sa_handler = on_sigbus };

	pthread_mutex_lock(&bus_lock);
	if (get && !bus_users++)
		sigaction(SIGBUS, &sa, &bus_old);
	if (!get && !--bus_users)
		sigaction(SIGBUS, &bus_old, NULL);
	pthread_mutex_unlock(&bus_lock);
}

bool svm_cpu_try(const void *addr, uint32_t *value)
{
	volatile bool ok = false;

	bus_handler(true);
	if (!sigsetjmp(bus_error, 1)) {
		*value = *(const volatile uint32_t *)addr;
		ok = true;
	}
	bus_handler(false);
	return ok;
}

/* Return: how many pages it says are there now. */
static uint64_t bind_vram(struct nv_dev *dev, const void *addr, size_t len)
{
	uint64_t pages = 0;
	int err = nv_svm_bind(dev, addr, len, true, &pages);

	igt_assert_f(err == 0, "SVM_BIND: %s\n", strerror(-err));
	return pages;
}

void svm_bind_vram_dev(struct nv_dev *dev, const void *addr, size_t len)
{
	FILE *ours = svm_driver_open();
	uint64_t said;
	size_t there;

	if (ours)
		fclose(ours);
	/* From here on no malloc(): it may touch what lies beside and has moved too, and bring all of it back. */
	said = bind_vram(dev, addr, len);
	/* Upstream's moves what it can, and does not tell. */
	if (!ours)
		return;
	there = svm_count_pages(addr, len, PAGE_IN_VRAM);
	igt_assert_f(there == len / SZ_4K, "SVM_BIND: %zu pages of %zu are in VRAM, it says %" PRIu64 "\n", there,
		     len / SZ_4K, said);
}

void svm_bind_vram(struct svm *svm, const void *addr, size_t len)
{
	svm_bind_vram_dev(&svm->dev, addr, len);
}

void svm_bind_vram_some(struct svm *svm, const void *addr, size_t len)
{
	bind_vram(&svm->dev, addr, len);
}

bool svm_migrate_on_fault(bool on)
{
	int fd = open(MIGRATE_ON_FAULT, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, on ? "1" : "0", 1);
	close(fd);
	igt_assert_eq((int)n, 1);
	return true;
}

/* --- memory --- */

void *svm_alloc(size_t len, enum page_kind kind)
{
	size_t i;
	void *p;

	igt_assert_eq(posix_memalign(&p, SZ_2M, len), 0);
	igt_assert_eq(madvise(p, len, kind == PAGES_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), 0);
	/* A heap may hand out memory that was used before, with pages of another kind. */
	igt_assert_eq(madvise(p, len, MADV_DONTNEED), 0);
	for (i = 0; i < len; i += SZ_4K)
		*(volatile uint32_t *)((char *)p + i) = 0;
	for (i = 0; i < len; i += kind == PAGES_THP ? SZ_2M : SZ_4K) {
		bool thp = svm_page_is_thp((char *)p + i);

		igt_assert_f(thp == (kind == PAGES_THP), "page at %#zx is %sa huge page\n", i, thp ? "" : "not ");
	}
	return p;
}

void svm_free(void *addr, size_t len)
{
	igt_assert_eq(madvise(addr, len, MADV_DONTNEED), 0);
	free(addr);
}

static uint64_t read_u64(const char *path, uint64_t index)
{
	uint64_t v = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	igt_assert_f(fd >= 0, "%s: %s\n", path, strerror(errno));
	igt_assert_eq((int)pread(fd, &v, sizeof(v), (off_t)(index * sizeof(v))), (int)sizeof(v));
	close(fd);
	return v;
}

static uint64_t pagemap(const void *addr)
{
	return read_u64("/proc/self/pagemap", (uintptr_t)addr / SZ_4K);
}

static enum page_place place_of(uint64_t e)
{
	if (e & PM_PRESENT)
		return PAGE_IN_RAM;
	if (!(e & PM_SWAP))
		return PAGE_NOWHERE;
	/* Bits 0 to 4: swap areas count from 0, device-private pages have one of the last numbers. */
	return (e & PM_SWAP_TYPE) < 8 ? PAGE_SWAPPED : PAGE_IN_VRAM;
}

enum page_place svm_page_place(const void *addr)
{
	return place_of(pagemap(addr));
}

/* include/linux/swap.h, from the top: a marker, three for device memory, three for migration. */
bool svm_page_moves(const void *addr)
{
	uint64_t e = pagemap(addr), type = e & PM_SWAP_TYPE;

	return !(e & PM_PRESENT) && e & PM_SWAP && type >= 25 && type <= 27;
}

size_t svm_count_pages(const void *addr, size_t len, enum page_place place)
{
	uint64_t e[512];
	size_t n = 0, done, i;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	igt_assert_fd(fd);
	for (done = 0; done < len / SZ_4K; done += i) {
		size_t want = len / SZ_4K - done < ARRAY_SIZE(e) ? len / SZ_4K - done : ARRAY_SIZE(e);
		off_t at = (off_t)(((uintptr_t)addr / SZ_4K + done) * sizeof(e[0]));

		igt_assert_eq((int)pread(fd, e, want * sizeof(e[0]), at), (int)(want * sizeof(e[0])));
		for (i = 0; i < want; i++)
			n += place_of(e[i]) == place;
	}
	close(fd);
	return n;
}

uint64_t svm_page_pfn(const void *addr)
{
	uint64_t e = pagemap(addr);

	return e & PM_PRESENT ? e & PM_PFN : 0;
}

bool svm_page_is_thp(const void *addr)
{
	uint64_t pfn = svm_page_pfn(addr);

	return pfn && read_u64("/proc/kpageflags", pfn) & KPF_THP;
}

uint64_t svm_locked(const void *addr)
{
	uint64_t start, end, kib = UINT64_MAX;
	FILE *f = fopen("/proc/self/smaps", "re");
	bool here = false;
	char line[512];

	igt_assert(f);
	while (kib == UINT64_MAX && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			here = start == (uintptr_t)addr;
		else if (here && sscanf(line, "Locked: %" SCNu64, &start) == 1)
			kib = start;
	}
	fclose(f);
	igt_assert_f(kib != UINT64_MAX, "no mapping begins at %p\n", addr);
	return kib * 1024;
}

/* --- ledger --- */

static char *counters;	/* the reply to the last "ledger" */

/* The port has one owner at a time: hold it for the length of a command only. */
static struct gpu_model *model_when_idle(void)
{
	struct gpu_model *m = gpu_model_open(0);

	igt_require_f(m, "the ledger needs the emulated GPU\n");
	igt_assert_eq(gpu_model_wait_idle(m, 30000), 0);
	return m;
}

void svm_ledger_start(void)
{
	struct gpu_model *m = model_when_idle();

	igt_assert_eq(gpu_model_ledger_reset(m), 0);
	gpu_model_close(m);
}

void svm_ledger_stop(void)
{
	struct gpu_model *m = model_when_idle();
	const char *reply;

	igt_assert_eq(gpu_model_call(m, &reply, "\"cmd\":\"ledger\""), 0);
	free(counters);
	counters = strdup(reply);
	igt_assert(counters);
	igt_debug("ledger: %s\n", counters);
	gpu_model_close(m);
}

uint64_t svm_ledger(const char *name)
{
	uint64_t v = 0;

	igt_assert(counters);
	igt_assert_f(gpu_model_field(counters, name, &v), "the ledger has no counter \"%s\"\n", name);
	return v;
}

/* --- the driver's own view --- */

FILE *svm_driver_open(void)
{
	const char *dir = "/sys/kernel/debug/dri";
	DIR *d = opendir(dir);
	struct dirent *e;
	FILE *f = NULL;

	while (!f && d && (e = readdir(d))) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s/svm", dir, e->d_name);
		f = fopen(path, "re");
	}
	if (d)
		closedir(d);
	return f;
}

bool svm_driver_counter(const char *name, uint64_t *value)
{
	char line[256], key[64];
	FILE *f = svm_driver_open();
	bool found = false;
	uint64_t v;

	while (!found && f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %" SCNu64, key, &v) == 2 && !strcmp(key, name)) {
			*value = v;
			found = true;
		}
	}
	if (f)
		fclose(f);
	return found;
}

const char *svm_driver_range(const void *addr)
{
	static char line[256];
	uint64_t start, end;
	FILE *f = svm_driver_open();
	const char *found = NULL;
	int at;

	igt_assert(f);
	while (!found && fgets(line, sizeof(line), f)) {
		at = 0;
		if (sscanf(line, " range %" SCNx64 "-%" SCNx64 " leaves%n", &start, &end, &at) == 2 && at &&
		    start == (uintptr_t)addr)
			found = line + at;
	}
	fclose(f);
	if (found)
		line[strcspn(line, "\n")] = 0;
	return found;
}

int svm_fault_record(const void *addr)
{
	uint64_t page = (uintptr_t)addr & ~(SZ_4K - 1), at;
	FILE *f = svm_driver_open();
	unsigned int access, reason;
	int error, found = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " fault %" SCNx64 " access %u reason %u error %d", &at, &access, &reason, &error) ==
			    4 && at == page)
			found = error;
	if (f)
		fclose(f);
	return found;
}

/* Channel RAM, 8 bytes a channel: NV_PCCSR_CHANNEL_INST of open-gpu-doc's dev_fifo.ref.txt. */
#define PCCSR 0x800000
#define PCCSR_SIZE 0x8000
#define PCCSR_INST_PTR 0x0fffffffu

uint64_t svm_chan_inst(const struct svm *svm)
{
	int fd = open("/sys/class/drm/renderD128/device/resource0", O_RDONLY | O_SYNC | O_CLOEXEC);
	const volatile uint32_t *regs;
	uint32_t v;

	igt_assert_fd(fd);
	regs = mmap(NULL, PCCSR_SIZE, PROT_READ, MAP_SHARED, fd, PCCSR);
	igt_assert_f(regs != MAP_FAILED, "registers: %s\n", strerror(errno));
	v = regs[svm->chan.id * 2] & PCCSR_INST_PTR;
	munmap((void *)regs, PCCSR_SIZE);
	close(fd);
	igt_assert_f(v, "channel %d has no instance block\n", svm->chan.id);
	return (uint64_t)v << 12;
}

/* Each line that came, with what the kernel writes before it. */
static struct {
	char **line;
	unsigned int nr;
	int fd;
} kernel_log = { .fd = -1 };

static void log_from(int whence)
{
	while (kernel_log.nr)
		free(kernel_log.line[--kernel_log.nr]);
	if (kernel_log.fd < 0)
		kernel_log.fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	igt_assert_fd(kernel_log.fd);
	igt_assert_eq((int)lseek(kernel_log.fd, 0, whence), 0);
}

void svm_log_start(void)
{
	log_from(SEEK_END);
}

void svm_log_whole(void)
{
	log_from(SEEK_SET);
}

unsigned int svm_log_lines(const char *with, const char *and_with)
{
	unsigned int n = 0, i;
	char record[8192];
	ssize_t len;

	/* A record a read. EPIPE: some were overwritten before. */
	while ((len = read(kernel_log.fd, record, sizeof(record) - 1)) > 0) {
		record[len] = 0;
		kernel_log.line = realloc(kernel_log.line, (kernel_log.nr + 1) * sizeof(*kernel_log.line));
		igt_assert(kernel_log.line);
		kernel_log.line[kernel_log.nr] = strdup(record);
		igt_assert(kernel_log.line[kernel_log.nr++]);
	}
	igt_assert_f(errno == EAGAIN, "the kernel's log: %s\n", strerror(errno));
	for (i = 0; i < kernel_log.nr; i++)
		n += (!with || strstr(kernel_log.line[i], with)) &&
		     (!and_with || strstr(kernel_log.line[i], and_with));
	return n;
}

bool svm_write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

void svm_must_write(const char *path, const char *text)
{
	igt_assert_f(svm_write_text(path, text), "%s: %s\n", path, strerror(errno));
}

#define FAIL_IN "/sys/kernel/debug/nouveau_svm/fail-in"

void svm_fail_in(const char *func, unsigned int n)
{
	char text[96];

	snprintf(text, sizeof(text), "%u %s", n, func);
	igt_require_f(svm_write_text(FAIL_IN, text), "the driver has no injection points\n");
}

void svm_fail_in_end(void)
{
	svm_write_text(FAIL_IN, "0");
}

unsigned int svm_fail_in_left(void)
{
	unsigned int left;
	FILE *f = fopen(FAIL_IN, "re");

	igt_assert(f);
	igt_assert_eq(fscanf(f, "%u", &left), 1);
	fclose(f);
	return left;
}

#define TRACEFS "/sys/kernel/tracing/"

void svm_trace_drop(void)
{
	svm_must_write(TRACEFS "trace", "\n");
}

void svm_trace_on(void)
{
	svm_trace_drop();
	/* Names of tasks are recorded in schedule(), whose text would be changed: QEMU's TCG may run an int3 of that. */
	svm_must_write(TRACEFS "options/record-cmd", "0");
	svm_must_write(TRACEFS "events/nouveau_svm/enable", "1");
	svm_must_write(TRACEFS "tracing_on", "1");
}

void svm_trace_off(void)
{
	svm_must_write(TRACEFS "events/nouveau_svm/enable", "0");
}

unsigned int svm_traced(const char *event, const char *with, const char *and_with)
{
	FILE *f = fopen(TRACEFS "trace", "re");
	char line[1024], name[64];
	unsigned int n = 0;

	igt_assert(f);
	snprintf(name, sizeof(name), " %s: ", event);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, name) && (!with || strstr(line, with)) &&
		     (!and_with || strstr(line, and_with));
	fclose(f);
	return n;
}

void svm_gpu_slot(char slot[64])
{
	char link[256], *name;
	ssize_t n = readlink("/sys/class/drm/renderD128/device", link, sizeof(link) - 1);

	igt_assert_lt(0, (int)n);
	link[n] = 0;
	name = strrchr(link, '/');
	igt_assert(name && strlen(name + 1) < 64);
	strcpy(slot, name + 1);
}

void svm_driver_unbind(const char *slot)
{
	svm_must_write("/sys/bus/pci/drivers/nouveau/unbind", slot);
}

void svm_wait_node(void)
{
	int i;

	for (i = 0; i < 300 && access("/dev/dri/renderD128", F_OK); i++)
		usleep(100000);
	igt_assert_f(i < 300, "there is no render node\n");
}

void svm_driver_bind(const char *slot)
{
	svm_must_write("/sys/bus/pci/drivers/nouveau/bind", slot);
	svm_wait_node();
}

/* --- the model's events --- */

void svm_inject(const struct gpu_model_inject *inj)
{
	struct gpu_model *m = gpu_model_open(0);

	igt_require_f(m, "injection needs the emulated GPU\n");
	igt_assert_eq(gpu_model_inject(m, inj), 0);
	gpu_model_close(m);
}

uint64_t svm_copy_channel(void)
{
	struct gpu_model *m = gpu_model_open(0);
	uint64_t id;

	igt_assert(m);
	/* The first copy engine off the runlist of the graphics engine. */
	id = gpu_model_state(m, "engine.ce1.resident");
	gpu_model_close(m);
	igt_assert_f(id != UINT64_MAX && id, "no channel is on the copy engine\n");
	return id - 1;
}

int svm_kill_channel(uint64_t id)
{
	const struct gpu_model_inject inj = { .point = "chan_error", .nth = 1, .arg = id };
	struct gpu_model *m = gpu_model_open(0);
	int err = m ? gpu_model_inject(m, &inj) : -ENOENT, i;
	char key[32];

	snprintf(key, sizeof(key), "chan.%u.enabled", (unsigned int)id);
	for (i = 0; !err && gpu_model_state(m, key) == 1; i++) {
		if (i == 1000)
			err = -ETIMEDOUT;
		usleep(10000);
	}
	if (m)
		gpu_model_close(m);
	/* The rest of its interrupt's handler. */
	usleep(200000);
	return err;
}

uint64_t svm_injected(const char *point)
{
	struct gpu_model *m = gpu_model_open(0);
	uint64_t n;

	igt_require_f(m, "injection needs the emulated GPU\n");
	n = gpu_model_injected(m, point);
	gpu_model_disarm(m, NULL);
	gpu_model_close(m);
	return n;
}

/* --- pressure --- */

uint64_t svm_vram_size(struct svm *svm)
{
	uint64_t v = 0;

	/* What clients can have; the rest of the last block is the kernel's. */
	igt_assert_eq(nv_getparam(&svm->dev, NOUVEAU_GETPARAM_FB_SIZE, &v), 0);
	return (v + SZ_2M - 1) / SZ_2M * SZ_2M;
}

void svm_vram_fill(struct svm *svm, struct svm_vram *fill)
{
	/* As large as a block: what is left is smaller. */
	const uint64_t size = SZ_2M;
	uint32_t max = (uint32_t)(svm_vram_size(svm) / size) + 4;

	fill->bo = calloc(max, sizeof(*fill->bo));
	igt_assert(fill->bo);
	/* A buffer that finds no room makes TTM move others out: the last ones fill what is left. */
	for (fill->nr = 0; fill->nr < max; fill->nr++)
		if (nv_bo_new(&svm->dev, size, NOUVEAU_GEM_DOMAIN_VRAM, &fill->bo[fill->nr]))
			break;
	igt_assert_lte((int)max / 2, (int)fill->nr);
}

void svm_vram_release(struct svm_vram *fill)
{
	while (fill->nr)
		nv_bo_del(&fill->bo[--fill->nr]);
	free(fill->bo);
	fill->bo = NULL;
}

/* Words of the buffer for results. */
#define BUSY_GO 0
#define BUSY_READ 1

/* @watch: until the word is not args.value any more. */
static void asm_busy(struct sm6x *p, bool watch)
{
	enum { DST = 0, SRC = 2, VAL = 4, GO = 5, WAS = 6 };
	uint32_t top;

	sm6x_init(p);
	sm6x_mov_c(p, DST, 0, offsetof(struct nv_args, dst));
	sm6x_mov_c(p, DST + 1, 0, offsetof(struct nv_args, dst) + 4);
	sm6x_mov_c(p, SRC, 0, offsetof(struct nv_args, src));
	sm6x_mov_c(p, SRC + 1, 0, offsetof(struct nv_args, src) + 4);
	sm6x_mov_c(p, WAS, 0, offsetof(struct nv_args, value));
	top = sm6x_size(p);
	sm6x_ld(p, SM6X_B32, GO, DST, BUSY_GO * 4);
	if (watch) {
		sm6x_ld(p, SM6X_B32, VAL, SRC, 0);
		sm6x_isetp(p, 0, SM6X_EQ, VAL, WAS);
		p->guard = 0;
	}
	sm6x_isetp(p, 0, SM6X_EQ, GO, SM6X_RZ);
	p->guard = 0;
	sm6x_bra(p, top);
	p->guard = SM6X_PT;
	if (!watch)
		sm6x_ld(p, SM6X_B32, VAL, SRC, 0);
	sm6x_st(p, SM6X_B32, DST, BUSY_READ * 4, VAL);
	sm6x_exit(p);
}

static void busy_begin(struct svm *svm, struct svm_busy *busy, const void *addr, bool watch, uint32_t value)
{
	const struct nv_args args = { .dst = svm->out.va, .src = (uintptr_t)addr, .value = value };
	uint64_t size = svm_vram_size(svm) / 16;
	struct nv_kernel kernel;
	struct sm6x p;
	uint32_t i;

	busy->svm = svm;
	asm_busy(&p, watch);
	load(svm, &kernel, &p);
	((volatile uint32_t *)svm->out.map)[BUSY_GO] = 0;
	for (i = 0; i < ARRAY_SIZE(busy->bo); i++) {
		igt_assert_eq(nv_bo_new(&svm->dev, size, NOUVEAU_GEM_DOMAIN_VRAM, &busy->bo[i]), 0);
		nv_use(&svm->chan, &busy->bo[i]);
	}
	nv_use(&svm->chan, &svm->out);
	igt_assert_eq(nv_launch(&svm->chan, &kernel, 1, 1, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&svm->chan), 0);
}

void svm_busy_begin(struct svm *svm, struct svm_busy *busy, const void *addr)
{
	busy_begin(svm, busy, addr, false, 0);
}

void svm_busy_begin_watch(struct svm *svm, struct svm_busy *busy, const void *addr, uint32_t value)
{
	busy_begin(svm, busy, addr, true, value);
}

void svm_busy_go(struct svm_busy *busy)
{
	__atomic_store_n((uint32_t *)busy->svm->out.map + BUSY_GO, 1, __ATOMIC_RELEASE);
}

uint32_t svm_busy_end(struct svm_busy *busy, unsigned int timeout_ms)
{
	uint32_t i;

	igt_assert_eq(nv_wait(&busy->svm->chan, timeout_ms), 0);
	for (i = 0; i < ARRAY_SIZE(busy->bo); i++)
		nv_bo_del(&busy->bo[i]);
	return ((volatile uint32_t *)busy->svm->out.map)[BUSY_READ];
}

static void *worker_main(void *arg)
{
	struct svm_worker *w = arg;
	const struct nv_args args = { .dst = (uintptr_t)w->p, .value = 1 };

	while (!w->err && !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		w->err = nv_run(&w->svm->chan, &w->svm->add_page, (uint32_t)(w->len / SZ_4K) / NV_THREADS, NV_THREADS,
				&args, sizeof(args));
		__atomic_fetch_add(&w->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

void svm_worker_begin(struct svm_worker *w)
{
	w->rounds = 0;
	w->err = 0;
	w->stop = false;
	igt_assert_eq(pthread_create(&w->thread, NULL, worker_main, w), 0);
}

void svm_worker_goes_on(struct svm_worker *w, uint32_t rounds)
{
	uint32_t first = __atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE);
	uint64_t end = svm_now_us() + 60 * 1000000;

	while (__atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE) - first < rounds && svm_now_us() < end)
		usleep(1000);
	igt_assert_lte_u64(rounds, __atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE) - first);
}

void svm_worker_end(struct svm_worker *w)
{
	uint32_t i;

	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	pthread_join(w->thread, NULL);
	igt_assert_eq(w->err, 0);
	for (i = 0; i < w->len / SZ_4K; i++)
		igt_assert_eq_u32(*(volatile uint32_t *)(w->p + i * SZ_4K), w->rounds);
}

int svm_pin_all(const struct iovec *iov, unsigned int nr)
{
	struct io_uring_params params = { 0 };
	int fd = (int)syscall(__NR_io_uring_setup, 1, &params);

	igt_require_f(fd >= 0, "io_uring: %s\n", strerror(errno));
	igt_assert_f(syscall(__NR_io_uring_register, fd, IORING_REGISTER_BUFFERS, iov, nr) == 0,
		     "io_uring fixed buffer: %s\n", strerror(errno));
	return fd;
}

int svm_pin(void *addr, size_t len)
{
	const struct iovec iov = { .iov_base = addr, .iov_len = len };

	return svm_pin_all(&iov, 1);
}

void svm_slow_begin(struct svm_slow *slow, void *addr, size_t len)
{
	struct uffdio_register reg = { .range = { (uintptr_t)addr, len }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	slow->addr = addr;
	slow->len = len;
	slow->fd = (int)syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	igt_require_f(slow->fd >= 0, "userfaultfd: %s\n", strerror(errno));
	igt_assert_eq(ioctl(slow->fd, UFFDIO_API, &api), 0);
	igt_assert_eq(ioctl(slow->fd, UFFDIO_REGISTER, &reg), 0);
}

bool svm_slow_hit(struct svm_slow *slow, int timeout_ms)
{
	struct pollfd pfd = { .fd = slow->fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) == 1;
}

void svm_slow_end(struct svm_slow *slow, uint32_t first)
{
	uint32_t *page = aligned_alloc(SZ_4K, SZ_4K);
	size_t i;

	igt_assert(page);
	memset(page, 0, SZ_4K);
	for (i = 0; i < slow->len / SZ_4K; i++) {
		struct uffdio_copy copy = { .dst = (uintptr_t)slow->addr + i * SZ_4K, .src = (uintptr_t)page,
					    .len = SZ_4K };

		page[0] = first + (uint32_t)i;
		igt_assert_eq(ioctl(slow->fd, UFFDIO_COPY, &copy), 0);
	}
	free(page);
	close(slow->fd);
}

static void zram_on(size_t size)
{
	char text[32];

	igt_require_f(system("modprobe -q zram num_devices=1") == 0, "the kernel has no zram\n");
	/* Whoever used it last may have left it set up. */
	swapoff("/dev/zram0");
	umount2(SVM_DISK, MNT_DETACH);
	svm_write_text("/sys/block/zram0/reset", "1");
	snprintf(text, sizeof(text), "%zu", size);
	svm_must_write("/sys/block/zram0/disksize", text);
}

void svm_swap_on(size_t size)
{
	zram_on(size);
	igt_assert_eq(system("mkswap /dev/zram0 >/dev/null 2>&1"), 0);
	igt_assert_eq(swapon("/dev/zram0", 0), 0);
}

void svm_swap_off(void)
{
	igt_assert_eq(swapoff("/dev/zram0"), 0);
	svm_must_write("/sys/block/zram0/reset", "1");
}

static int disk_mount(void)
{
	return mount("/dev/zram0", SVM_DISK, "ext4", 0, NULL) ? errno : 0;
}

void svm_disk_on(size_t size)
{
	int err;

	zram_on(size);
	igt_assert_eq(system("mke2fs -q -F -t ext4 -b 4096 /dev/zram0"), 0);
	mkdir(SVM_DISK, 0755);
	err = disk_mount();
	igt_require_f(err != ENODEV, "the kernel has no ext4\n");
	igt_assert_f(!err, "mount: %s\n", strerror(err));
}

void svm_disk_again(void)
{
	igt_assert_f(umount(SVM_DISK) == 0, "umount: %s\n", strerror(errno));
	igt_assert_eq(disk_mount(), 0);
}

void svm_disk_off(void)
{
	igt_assert_f(umount(SVM_DISK) == 0, "umount: %s\n", strerror(errno));
	svm_must_write("/sys/block/zram0/reset", "1");
}

#define CGROUPS "/run/nvsvm-cgroup"
#define CGROUP CGROUPS "/test"

void svm_cgroup_enter(size_t max)
{
	char text[32];

	if (access(CGROUPS "/cgroup.procs", F_OK)) {
		mkdir(CGROUPS, 0755);
		igt_assert_eq(system("mount -t cgroup2 none " CGROUPS), 0);
	}
	svm_must_write(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755))
		igt_assert_eq(errno, EEXIST);
	snprintf(text, sizeof(text), "%zu", max);
	svm_must_write(CGROUP "/memory.max", text);
	svm_must_write(CGROUP "/cgroup.procs", "0");
}

uint64_t svm_cgroup_event(const char *name)
{
	FILE *f = fopen(CGROUP "/memory.events", "re");
	char line[256], key[64];
	uint64_t v, n = 0;

	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %" SCNu64, key, &v) == 2 && !strcmp(key, name))
			n = v;
	fclose(f);
	return n;
}

void svm_cgroup_leave(void)
{
	svm_must_write(CGROUPS "/cgroup.procs", "0");
	rmdir(CGROUP);
}

bool svm_has_pagemap(void)
{
	FILE *f = fopen("/proc/iomem", "re");
	bool there = false;
	char line[256];

	igt_assert(f);
	while (fgets(line, sizeof(line), f))
		there |= strstr(line, "nouveau-svm") != NULL;
	fclose(f);
	return there;
}

uint32_t svm_services(pid_t *own, uint32_t max, uint32_t *all)
{
	DIR *d = opendir("/proc");
	uint32_t nr = 0, any = 0;
	struct dirent *e;

	igt_assert(d);
	while ((e = readdir(d))) {
		char path[300], comm[64] = "";
		int pid = 0;
		FILE *f;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "re");
		/* It may be over. */
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) && sscanf(comm, "nouveau_svm/%d", &pid) == 1) {
			any++;
			if (pid == getpid() && nr < max)
				own[nr++] = atoi(e->d_name);
		}
		fclose(f);
	}
	closedir(d);
	if (all)
		*all = any;
	return nr;
}

uint64_t svm_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
