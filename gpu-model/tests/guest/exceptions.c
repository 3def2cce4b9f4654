// SPDX-License-Identifier: MIT
/*
 * exceptions [NAME...]: what a kernel can do wrong, one by one.  A channel computes rightly, then raises one exception
 * of the shader cores.  nouveau must name it in its log, kill the channel, and it alone: another process's
 * channel computes all the while, rightly, and the next channel finds GR in order.  "alone": without the other.
 *
 * Prints result lines of Documentation/testing.rst, and the kernel's lines about each case.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nouveau_chan.h"

#define BO_SIZE 65536u
#define GEM_DOMAIN_GART 4u
#define WAIT_MS 120000u
#define LOG_LINES 64

/* What the other process has done; shared with it. */
struct other {
	uint32_t runs, wrong;
	int error;
};

struct fault {
	const char *name;
	/* the warp error in nouveau's log, NULL: see @trap */
	const char *error;
	/* the line that says so, after the device's name */
	const char *trap;
	void (*emit)(struct sm6x *p, uint64_t data);
	uint32_t shared;
	/* the channel goes on */
	bool survives;
};

static void raw(struct sm6x *p, uint64_t insn)
{
	sm6x_emit(p, insn, SM6X_SCHED_WAIT);
}

static void emit_illegal(struct sm6x *p, uint64_t data)
{
	(void)data;
	raw(p, 0xfff0ull << 48);
}

static void emit_misaligned_address(struct sm6x *p, uint64_t data)
{
	sm6x_mov32i(p, 2, (uint32_t)data + 2);
	sm6x_mov32i(p, 3, (uint32_t)(data >> 32));
	sm6x_ld(p, SM6X_B32, 4, 2, 0);
}

static void emit_misaligned_register(struct sm6x *p, uint64_t data)
{
	sm6x_mov32i(p, 2, (uint32_t)data);
	sm6x_mov32i(p, 3, (uint32_t)(data >> 32));
	sm6x_ld(p, SM6X_B64, 5, 2, 0);
}

static void emit_register(struct sm6x *p, uint64_t data)
{
	(void)data;
	sm6x_mov32i(p, 100, 1);
}

/* SSY without end: each pushes an entry */
static void emit_stack(struct sm6x *p, uint64_t data)
{
	uint32_t top = sm6x_size(p);

	(void)data;
	if (p->n % 4 == 0)
		top += 8;
	raw(p, 0xe290ull << 48 | 8 << 20);
	sm6x_bra(p, top);
}

static void emit_return(struct sm6x *p, uint64_t data)
{
	(void)data;
	raw(p, 0xe320ull << 48 | 0xf);
}

static void emit_misaligned_pc(struct sm6x *p, uint64_t data)
{
	(void)data;
	sm6x_bra(p, sm6x_size(p) + 0x24);
}

/* LDS and LDL of 32 bits: one word beyond, and 64 KiB beyond */
static void emit_shared(struct sm6x *p, uint64_t data)
{
	(void)data;
	raw(p, 0xef4cull << 48 | 256ull << 20 | SM6X_RZ << 8 | 4);
}

static void emit_local(struct sm6x *p, uint64_t data)
{
	(void)data;
	raw(p, 0xef44ull << 48 | 0x10000ull << 20 | SM6X_RZ << 8 | 4);
}

/* Bank 3 is not bound. */
static void emit_constant(struct sm6x *p, uint64_t data)
{
	(void)data;
	sm6x_mov_c(p, 4, 3, 0);
}

static void emit_ldc(struct sm6x *p, uint64_t data)
{
	(void)data;
	raw(p, 0xef94ull << 48 | 3ull << 36 | SM6X_RZ << 8 | 4);
}

static void emit_nothing(struct sm6x *p, uint64_t data)
{
	(void)p;
	(void)data;
}

/* nouveau gf100_mp_warp_error[], gk104_sked_error[] */
static const struct fault faults[] = {
	{ "illegal-instruction", "ILLEGAL_INSTR_ENCODING", NULL, emit_illegal, 0, false },
	{ "misaligned-address", "MISALIGNED_ADDR", NULL, emit_misaligned_address, 0, false },
	{ "misaligned-register", "MISALIGNED_REG", NULL, emit_misaligned_register, 0, false },
	{ "register-beyond-limit", "OOR_REG", NULL, emit_register, 0, false },
	{ "stack-overflow", "STACK_ERROR", NULL, emit_stack, 0, false },
	{ "return-without-call", "RET_EMPTY_STACK_ERROR", NULL, emit_return, 0, false },
	{ "misaligned-pc", "MISALIGNED_PC", NULL, emit_misaligned_pc, 0, false },
	{ "shared-memory", "OOR_ADDR", NULL, emit_shared, 256, false },
	{ "local-memory", "OOR_ADDR", NULL, emit_local, 0, false },
	{ "constant-bank", "INVALID_CONST_ADDR", NULL, emit_constant, 0, false },
	{ "constant-bank-ldc", "INVALID_CONST_ADDR_LDC", NULL, emit_ldc, 0, false },
	/* the scheduler of grids refuses the launch, and nouveau has nothing to kill */
	{ "shared-memory-size", NULL, "gr: SKED: 00200000 [SHARED_MEMORY_SIZE]", emit_nothing, 0x20000, true },
};

/* --- a channel that computes --- */

struct client {
	struct nv_dev dev;
	struct nv_chan chan;
	struct nv_bo bo;
};

static int client_open(struct client *c)
{
	if (nv_dev_open(&c->dev, NULL))
		return -ENODEV;
	if (nv_chan_new(&c->dev, NV_ENGINE_GR, &c->chan))
		return -ENODEV;
	return nv_bo_new(&c->dev, BO_SIZE, GEM_DOMAIN_GART, &c->bo);
}

static void client_close(struct client *c)
{
	nv_bo_del(&c->bo);
	nv_chan_del(&c->chan);
	nv_dev_close(&c->dev);
}

/* Return: 0, 1 for wrong results, or a negative errno. */
static int client_compute(struct client *c, uint32_t value)
{
	struct nv_args args = { .dst = c->bo.va, .value = value };
	struct sm6x prog = { 0 };
	struct nv_kernel kernel;
	uint32_t *w = c->bo.map;
	int ret;

	memset(w, 0, 4 * NV_THREADS * 4);
	c->chan.code_used = 0;
	nv_asm_write(&prog, 2);
	ret = nv_kernel_load(&c->chan, &prog, &kernel);
	nv_use(&c->chan, &c->bo);
	if (!ret)
		ret = nv_launch(&c->chan, &kernel, 4, NV_THREADS, &args, sizeof(args));
	if (!ret)
		ret = nv_submit(&c->chan);
	if (!ret)
		ret = nv_wait(&c->chan, WAIT_MS);
	for (uint32_t i = 0; i < 4 * NV_THREADS && !ret; i++)
		ret = w[i] != value + i;
	return ret;
}

static int client_fault(struct client *c, const struct fault *f, unsigned int wait_ms)
{
	struct sm6x prog;
	struct nv_kernel kernel;
	int ret;

	sm6x_init(&prog);
	f->emit(&prog, c->bo.va);
	sm6x_exit(&prog);
	c->chan.code_used = 0;
	ret = nv_kernel_load(&c->chan, &prog, &kernel);
	kernel.shared = f->shared;
	nv_use(&c->chan, &c->bo);
	if (!ret)
		ret = nv_launch(&c->chan, &kernel, 1, NV_THREADS, "", 0);
	if (!ret)
		ret = nv_submit(&c->chan);
	return ret ? ret : nv_wait(&c->chan, wait_ms);
}

/* --- the other process --- */

static void other_main(struct other *o)
{
	struct client c = { 0 };

	if (client_open(&c))
		o->error = -ENODEV;
	while (!o->error) {
		int ret = client_compute(&c, 7000 + o->runs);

		if (ret > 0)
			o->wrong++;
		else
			o->error = ret;
		__atomic_add_fetch(&o->runs, 1, __ATOMIC_RELEASE);
		usleep(2000);
	}
	_exit(1);
}

static uint32_t other_runs(const struct other *o)
{
	return __atomic_load_n(&o->runs, __ATOMIC_ACQUIRE);
}

/* Wait until it has done @n more.  Return: false if it does not. */
static bool other_goes_on(const struct other *o, uint32_t n)
{
	uint32_t from = other_runs(o);

	for (int turn = 0; turn < 60000; turn++) {
		if (other_runs(o) - from >= n)
			return true;
		if (o->error)
			return false;
		usleep(1000);
	}
	return false;
}

/* --- the kernel's log --- */

struct log {
	int fd;
	unsigned int n;
	char line[LOG_LINES][256];
};

static void log_start(struct log *l)
{
	lseek(l->fd, 0, SEEK_END);
	l->n = 0;
}

/* Take what is new; a record is "level,seq,time,flags;text". */
static void log_take(struct log *l)
{
	char buf[2048];
	ssize_t got;

	while ((got = read(l->fd, buf, sizeof(buf) - 1)) > 0 || errno == EPIPE) {
		char *text;

		if (got <= 0)
			continue;
		buf[got] = 0;
		text = strchr(buf, ';');
		if (!text || !strstr(text, "nouveau") || l->n == LOG_LINES)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		printf("| %s\n", text);
		snprintf(l->line[l->n++], sizeof(l->line[0]), "%s", text);
	}
}

static unsigned int log_count(const struct log *l, const char *what)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->n; i++)
		n += strstr(l->line[i], what) != NULL;
	return n;
}

/* --- the cases --- */

/* Return: NULL, or what nouveau's log lacks. */
static const char *check_log(const struct fault *f, const struct log *l, int chid)
{
	static char bad[320];
	char want[3][80];

	snprintf(want[0], sizeof(want[0]), "gr: TRAP ch %d ", chid);
	if (f->error)
		snprintf(want[1], sizeof(want[1]), "/MP trap: global 00000000 [] warp ");
	else
		snprintf(want[1], sizeof(want[1]), "%s", f->trap);
	snprintf(want[2], sizeof(want[2]), "[%s]", f->error ? f->error : "");
	for (int i = 0; i < (f->error ? 3 : 2); i++) {
		if (log_count(l, want[i]) != 1) {
			snprintf(bad, sizeof(bad), "%u lines with '%s'", log_count(l, want[i]), want[i]);
			return bad;
		}
	}
	if (!f->survives && !log_count(l, "CTXSW_TIMEOUT"))
		return "no CTXSW_TIMEOUT in the log";
	if (log_count(l, "killed!") != !f->survives)
		return "not one channel killed";
	return NULL;
}

static const char *run_case(const struct fault *f, const struct other *o, struct log *l)
{
	struct client c = { 0 };
	const char *bad = NULL;
	int ret;

	log_start(l);
	if (client_open(&c))
		return "no channel";
	if (client_compute(&c, 1000))
		return "a good kernel failed before";
	ret = client_fault(&c, f, WAIT_MS);
	if (ret != (f->survives ? 0 : -ENODEV))
		bad = ret ? "the wait ended with an error" : "the bad kernel went through";
	if (!bad && nv_chan_alive(&c.chan) != f->survives)
		bad = f->survives ? "the channel is gone" : "the channel lives on";
	if (!bad && !other_goes_on(o, 3))
		bad = "the other process's channel does not go on";
	log_take(l);
	if (!bad)
		bad = check_log(f, l, c.chan.id);
	client_close(&c);
	memset(&c, 0, sizeof(c));
	if (!bad && (client_open(&c) || client_compute(&c, 2000)))
		bad = "the next channel does not compute";
	client_close(&c);
	if (!bad && o->wrong)
		bad = "the other process got wrong results";
	return bad;
}

/*
 * Nobody else wants the engine: nothing kills the channel before it is closed, which must not hang; then the next one
 * computes.
 */
static const char *run_alone(struct log *l)
{
	struct client c = { 0 };
	const char *bad = NULL;

	log_start(l);
	if (client_open(&c) || client_compute(&c, 1000))
		return "a good kernel failed before";
	if (client_fault(&c, &faults[0], 8000) != -ETIMEDOUT)
		bad = "the wait did not time out";
	if (!bad && !nv_chan_alive(&c.chan))
		bad = "the channel is gone without anybody who wants the engine";
	client_close(&c);
	memset(&c, 0, sizeof(c));
	if (!bad && (client_open(&c) || client_compute(&c, 2000)))
		bad = "the next channel does not compute";
	client_close(&c);
	log_take(l);
	if (!bad && log_count(l, "[ILLEGAL_INSTR_ENCODING]") != 1)
		bad = "not one line about the exception";
	return bad;
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

/* Return: 1 if it failed. */
static int report(const char *name, const char *bad)
{
	if (bad)
		printf("FAIL exceptions/%s: %s\n", name, bad);
	else
		printf("PASS exceptions/%s\n", name);
	return bad != NULL;
}

int main(int argc, char **argv)
{
	struct other *o = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct log log = { .fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC) };
	int status = 0;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (o == MAP_FAILED || log.fd < 0) {
		puts("FAIL exceptions/open: no memory or no /dev/kmsg");
		return 1;
	}
	pid = fork();
	if (!pid)
		other_main(o);
	if (pid < 0 || !other_goes_on(o, 2)) {
		puts("FAIL exceptions/other: the other process does not compute");
		return 1;
	}
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		if (wanted(faults[i].name, argc, argv))
			status |= report(faults[i].name, run_case(&faults[i], o, &log));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (wanted("alone", argc, argv))
		status |= report("alone", run_alone(&log));
	return status;
}
