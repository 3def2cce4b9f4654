// SPDX-License-Identifier: MIT
/* The stand-in for IGT's test core; igt_core.h says what it is and why. */
#include <ctype.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "igt_core.h"

#define MAX_FRAMES 16
#define MAX_CHILDREN 256
#define NAME_LEN 256
#define LOG_SIZE 16384

enum result { RES_NONE, RES_SUCCESS, RES_SKIP, RES_FAIL };

/* A block that is being executed. */
struct frame {
	enum __igt_block kind;
	sigjmp_buf env;
	enum result result;	/* of this block, or of the group's fixtures: then its subtests inherit it */
	char name[NAME_LEN];
	struct timespec start;
	unsigned int passed, failed, skipped;	/* dynamic subtests */
};

static struct {
	struct frame frame[MAX_FRAMES];	/* [0] is the program itself */
	int depth;

	char prog[NAME_LEN];
	bool simple;
	bool list, describe;
	const char *describe_pattern;
	char *run, *dynamic;
	bool run_given, matched;
	bool sentinel;

	unsigned int passed, failed, skipped;

	char description[1024];		/* igt_describe() of the next subtest */
	const char *about;		/* IGT_TEST_DESCRIPTION() */

	enum igt_log_level level;
	char log[LOG_SIZE];		/* debug messages, shown when the subtest fails */
	size_t log_len;

	bool in_child;
	pid_t child[MAX_CHILDREN];
	int nr_children;
} core = { .level = IGT_LOG_INFO };

static struct frame *top(void)
{
	return &core.frame[core.depth];
}

static double since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static const char *result_name(enum result r)
{
	switch (r) {
	case RES_SUCCESS:
		return "SUCCESS";
	case RES_SKIP:
		return "SKIP";
	case RES_FAIL:
		return "FAIL";
	case RES_NONE:
		break;
	}
	return "INVALID";
}

/* A mark in the kernel log: the runner cuts the log at these. */
__igt_printf(1, 2) static void kmsg(const char *fmt, ...)
{
	char line[NAME_LEN * 2 + 64];
	va_list ap;
	int fd, n;

	if (getenv("IGT_NO_KMSG"))
		return;
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = snprintf(line, sizeof(line), "<5>[IGT] %s: ", core.prog);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	if (write(fd, line, (size_t)n) != n) {
		/* The log is a help to the reader; the verdict does not rest on it. */
	}
	close(fd);
}

/* A line of the protocol: on stdout, and on stderr when the runner wants it there too. */
__igt_printf(1, 2) static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
	if (!core.sentinel)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
}

/* --- messages --- */

static const char *const level_name[] = { "DEBUG", "INFO", "WARNING", "CRITICAL", "NONE" };

static void remember(const char *text, size_t len)
{
	if (len > LOG_SIZE)
		return;
	if (core.log_len + len > LOG_SIZE) {
		size_t drop = core.log_len + len - LOG_SIZE;

		memmove(core.log, core.log + drop, core.log_len - drop);
		core.log_len -= drop;
	}
	memcpy(core.log + core.log_len, text, len);
	core.log_len += len;
}

void igt_vlog(const char *domain, enum igt_log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	int n = 0;

	if (level != IGT_LOG_INFO)
		n = snprintf(line, sizeof(line), "(%s:%d) %s%s%s: ", core.prog, getpid(), domain ? domain : "",
			     domain ? "-" : "", level_name[level]);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	if (n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	remember(line, (size_t)n);
	if (level < core.level)
		return;
	if (level >= IGT_LOG_WARN) {
		fflush(stdout);
		fputs(line, stderr);
		fflush(stderr);
	} else {
		fputs(line, stdout);
		fflush(stdout);
	}
}

void igt_log(const char *domain, enum igt_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	igt_vlog(domain, level, fmt, ap);
	va_end(ap);
}

static void show_log(void)
{
	if (!core.log_len)
		return;
	fprintf(stderr, "**** DEBUG ****\n");
	fwrite(core.log, 1, core.log_len, stderr);
	fprintf(stderr, "****  END  ****\n");
	fflush(stderr);
}

/* --- start --- */

static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };

static void put(int fd, const char *s)
{
	if (write(fd, s, strlen(s)) < 0) {
		/* Nothing is left to be done in a signal handler. */
	}
}

/* Say which subtest crashed, then die of the signal: the runner sees both. */
static void on_fatal_signal(int sig)
{
	int i, fd;

	signal(sig, SIG_DFL);
	for (fd = STDOUT_FILENO; fd <= (core.sentinel ? STDERR_FILENO : STDOUT_FILENO); fd++) {
		if (core.in_child)
			break;
		for (i = core.depth; i > 0; i--) {
			const struct frame *f = &core.frame[i];

			if (f->kind != IGT_BLOCK_SUBTEST && f->kind != IGT_BLOCK_MULTI &&
			    f->kind != IGT_BLOCK_DYNAMIC)
				continue;
			put(fd, f->kind == IGT_BLOCK_DYNAMIC ? "Dynamic subtest " : "Subtest ");
			put(fd, f->name);
			put(fd, ": CRASH (0.000s)\n");
		}
	}
	raise(sig);
}

/* Memory that a test has used up costs that test, and not the runner, which is safe from it. */
static void oom_adjust_for_doom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	put(fd, "1000");
	close(fd);
}

static void init(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/');
	const char *level = getenv("IGT_LOG_LEVEL");
	size_t i;

	snprintf(core.prog, sizeof(core.prog), "%s", base ? base + 1 : argv[0]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	core.sentinel = getenv("IGT_SENTINEL_ON_STDERR") != NULL;
	core.frame[0].kind = IGT_BLOCK_GROUP;
	if (level) {
		for (i = 0; i < ARRAY_SIZE(level_name); i++) {
			if (!strncasecmp(level, level_name[i], 4))
				core.level = (enum igt_log_level)i;
		}
	}

	for (int a = 1; a < argc; a++) {
		const char *opt = argv[a];
		const char *val = strchr(opt, '=');
		bool takes = !strncmp(opt, "--run-subtest", 13) || !strncmp(opt, "--dynamic-subtest", 17) ||
			     !strncmp(opt, "--hook", 6);

		if (val)
			val++;
		else if (takes && a + 1 < argc)
			val = argv[++a];
		if (takes && !val) {
			fprintf(stderr, "%s: %s wants a value\n", core.prog, opt);
			exit(IGT_EXIT_INVALID);
		}
		if (!strncmp(opt, "--run-subtest", 13)) {
			free(core.run);
			core.run = strdup(val);
			core.run_given = true;
		} else if (!strncmp(opt, "--dynamic-subtest", 17)) {
			free(core.dynamic);
			core.dynamic = strdup(val);
		} else if (!strncmp(opt, "--hook", 6)) {
			fprintf(stderr, "%s: --hook is not supported\n", core.prog);
			exit(IGT_EXIT_INVALID);
		} else if (!strcmp(opt, "--list-subtests")) {
			core.list = true;
		} else if (!strcmp(opt, "--describe") || !strncmp(opt, "--describe=", 11)) {
			core.describe = true;
			core.describe_pattern = val ? val : "*";
		} else if (!strcmp(opt, "--help-description")) {
			printf("%s\n", core.about ? core.about : "no description");
			exit(IGT_EXIT_SUCCESS);
		} else if (!strcmp(opt, "--debug")) {
			core.level = IGT_LOG_DEBUG;
		} else if (!strcmp(opt, "--help")) {
			printf("Usage: %s [--list-subtests] [--run-subtest PATTERN] [--dynamic-subtest PATTERN]\n"
			       "       [--describe[=PATTERN]] [--help-description] [--debug]\n",
			       core.prog);
			exit(IGT_EXIT_SUCCESS);
		} else {
			fprintf(stderr, "%s: unknown option %s\n", core.prog, opt);
			exit(IGT_EXIT_INVALID);
		}
	}

	if (core.list || core.describe)
		return;
	for (i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		signal(fatal_signals[i], on_fatal_signal);
	oom_adjust_for_doom();
	kmsg("executing\n");
}

static void print_version(void)
{
	struct utsname u;

	uname(&u);
	printf("IGT-Version: 2.5-stand-in (%s) (%s: %s %s)\n", u.machine, u.sysname, u.release, u.machine);
	fflush(stdout);
}

void igt_subtest_init(int argc, char **argv)
{
	init(argc, argv);
	if (!core.list && !core.describe)
		print_version();
}

void igt_simple_init(int argc, char **argv)
{
	core.simple = true;
	init(argc, argv);
	/* A program without subtests: the runner then runs it whole. */
	if (core.list || core.run_given)
		exit(IGT_EXIT_INVALID);
	if (core.describe)
		exit(IGT_EXIT_SUCCESS);
	print_version();
}

static __igt_noreturn void leave_program(int code)
{
	fflush(stdout);
	fflush(stderr);
	if (!core.list && !core.describe)
		kmsg("exiting, ret=%d\n", code);
	exit(code);
}

void igt_exit(void)
{
	int code = IGT_EXIT_SUCCESS;

	if (core.list || core.describe)
		leave_program(IGT_EXIT_SUCCESS);
	if (core.simple)
		leave_program(IGT_EXIT_SUCCESS);
	if (core.run_given && !core.matched) {
		fprintf(stderr, "%s: unknown subtest: %s\n", core.prog, core.run);
		leave_program(IGT_EXIT_INVALID);
	}
	if (core.failed)
		code = IGT_EXIT_FAILURE;
	else if (!core.passed)
		code = IGT_EXIT_SKIP;
	leave_program(code);
}

/* --- blocks --- */

/* A comma list of globs; the last that matches decides, '!' negates. */
static bool selected(const char *patterns, const char *name)
{
	bool yes = false;
	char *copy, *p, *save = NULL;

	if (!patterns)
		return true;
	copy = strdup(patterns);
	if (!copy)
		abort();
	if (copy[0] == '!')
		yes = true;
	for (p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		bool neg = *p == '!';

		if (!fnmatch(p + neg, name, 0))
			yes = !neg;
	}
	free(copy);
	return yes;
}

static void check_name(const char *name)
{
	const char *c;

	for (c = name; *c; c++) {
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_') {
			fprintf(stderr, "%s: bad subtest name \"%s\"\n", core.prog, name);
			exit(IGT_EXIT_INVALID);
		}
	}
}

static void count(enum result r)
{
	if (r == RES_FAIL)
		core.failed++;
	else if (r == RES_SKIP)
		core.skipped++;
	else
		core.passed++;
}

static void report_subtest(const struct frame *f, enum result r)
{
	double secs = since(&f->start);

	if (r == RES_FAIL) {
		fprintf(stderr, "Subtest %s failed.\n", f->name);
		show_log();
	}
	say("Subtest %s: %s (%.3fs)\n", f->name, result_name(r), secs);
	kmsg("finished subtest %s, %s\n", f->name, result_name(r));
	count(r);
}

static void push(enum __igt_block kind, const char *name)
{
	struct frame *f;

	if (core.depth + 1 >= MAX_FRAMES) {
		fprintf(stderr, "%s: blocks nested too deep\n", core.prog);
		abort();
	}
	f = &core.frame[++core.depth];
	memset(f, 0, sizeof(*f));
	f->kind = kind;
	snprintf(f->name, sizeof(f->name), "%s", name);
	clock_gettime(CLOCK_MONOTONIC, &f->start);
}

static bool enter_subtest(enum __igt_block kind, const char *name, const char *file, int line)
{
	enum result inherited = top()->result;
	char description[sizeof(core.description)];

	check_name(name);
	memcpy(description, core.description, sizeof(description));
	core.description[0] = 0;
	if (core.list) {
		printf("%s\n", name);
		return false;
	}
	if (core.describe) {
		if (selected(core.describe_pattern, name))
			printf("SUB %s %s:%d:\n  %s\n\n", name, file, line,
			       description[0] ? description : "NO DOCUMENTATION!");
		return false;
	}
	if (!selected(core.run, name))
		return false;
	core.matched = true;
	core.log_len = 0;
	kmsg("starting subtest %s\n", name);
	say("Starting subtest: %s\n", name);
	push(kind, name);
	if (inherited == RES_SKIP || inherited == RES_FAIL) {
		report_subtest(top(), inherited);
		core.depth--;
		return false;
	}
	return true;
}

bool __igt_enter(enum __igt_block kind, const char *file, int line, const char *fmt, ...)
{
	char name[NAME_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);

	switch (kind) {
	case IGT_BLOCK_FIXTURE:
		if (core.list || core.describe || top()->result == RES_SKIP || top()->result == RES_FAIL)
			return false;
		push(kind, "fixture");
		return true;
	case IGT_BLOCK_GROUP: {
		enum result inherited = top()->result;

		core.description[0] = 0;
		push(kind, "group");
		top()->result = inherited;
		return true;
	}
	case IGT_BLOCK_SUBTEST:
	case IGT_BLOCK_MULTI:
		return enter_subtest(kind, name, file, line);
	case IGT_BLOCK_DYNAMIC:
		if (top()->kind != IGT_BLOCK_MULTI) {
			fprintf(stderr, "%s: dynamic subtest outside of its subtest\n", core.prog);
			abort();
		}
		check_name(name);
		if (!selected(core.dynamic, name))
			return false;
		kmsg("starting dynamic subtest %s\n", name);
		say("Starting dynamic subtest: %s\n", name);
		push(kind, name);
		return true;
	}
	return false;
}

sigjmp_buf *__igt_frame(void)
{
	return &top()->env;
}

static void end_children(void)
{
	int i, st;

	for (i = 0; i < core.nr_children; i++)
		kill(core.child[i], SIGKILL);
	for (i = 0; i < core.nr_children; i++)
		waitpid(core.child[i], &st, 0);
	core.nr_children = 0;
}

void __igt_leave(enum __igt_block kind)
{
	struct frame *f = top();
	struct frame *outer = &core.frame[core.depth - 1];
	enum result r = f->result;

	if (f->kind != kind || core.depth < 1)
		abort();
	if (kind != IGT_BLOCK_GROUP && core.nr_children) {
		/* A failed test may leave children; a good one waits for them. */
		if (r == RES_NONE) {
			fprintf(stderr, "%s: children were not waited for\n", core.prog);
			r = RES_FAIL;
		}
		end_children();
	}
	core.depth--;
	switch (kind) {
	case IGT_BLOCK_FIXTURE:
		if (r != RES_NONE)
			outer->result = r;
		break;
	case IGT_BLOCK_GROUP:
		break;
	case IGT_BLOCK_DYNAMIC:
		if (r == RES_NONE)
			r = RES_SUCCESS;
		if (r == RES_FAIL) {
			outer->failed++;
			fprintf(stderr, "Dynamic subtest %s failed.\n", f->name);
			show_log();
		} else if (r == RES_SKIP) {
			outer->skipped++;
		} else {
			outer->passed++;
		}
		core.log_len = 0;
		say("Dynamic subtest %s: %s (%.3fs)\n", f->name, result_name(r), since(&f->start));
		kmsg("finished dynamic subtest %s, %s\n", f->name, result_name(r));
		break;
	case IGT_BLOCK_MULTI:
		if (r == RES_NONE)
			r = f->failed ? RES_FAIL : f->passed ? RES_SUCCESS : RES_SKIP;
		else if (r == RES_SKIP && f->failed)
			r = RES_FAIL;
		if (r == RES_SKIP && !f->skipped)
			printf("No dynamic tests executed.\n");
		report_subtest(f, r);
		break;
	case IGT_BLOCK_SUBTEST:
		report_subtest(f, r == RES_NONE ? RES_SUCCESS : r);
		break;
	}
}

bool igt_only_list_subtests(void)
{
	return core.list || core.describe;
}

const char *igt_subtest_name(void)
{
	int i;

	for (i = core.depth; i > 0; i--) {
		if (core.frame[i].kind == IGT_BLOCK_SUBTEST || core.frame[i].kind == IGT_BLOCK_MULTI)
			return core.frame[i].name;
	}
	return NULL;
}

const char *igt_test_name(void)
{
	return core.prog;
}

void __igt_describe(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(core.description, sizeof(core.description), fmt, ap);
	va_end(ap);
}

void __igt_test_description(const char *text)
{
	core.about = text;
}

/* --- results --- */

static __igt_noreturn void finish(enum result r, int code)
{
	if (core.in_child) {
		fflush(NULL);
		_exit(code);
	}
	if (core.simple || core.depth == 0) {
		end_children();
		if (r == RES_FAIL)
			show_log();
		leave_program(code);
	}
	top()->result = r;
	siglongjmp(top()->env, 1);
}

void igt_fail(int exitcode)
{
	finish(exitcode == IGT_EXIT_SKIP ? RES_SKIP : RES_FAIL, exitcode);
}

void __igt_skip(const char *file, int line, const char *func, const char *check, const char *fmt, ...)
{
	va_list ap;

	if (check)
		printf("Test requirement not met in function %s, file %s:%d:\nTest requirement: %s\n", func, file,
		       line, check);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
	finish(RES_SKIP, IGT_EXIT_SKIP);
}

void __igt_fail(const char *file, int line, const char *func, const char *check, const char *fmt, ...)
{
	int err = errno;
	char text[1024];
	va_list ap;

	igt_critical("Test assertion failure function %s, file %s:%d:\n", func, file, line);
	if (check)
		igt_critical("Failed assertion: %s\n", check);
	if (err)
		igt_critical("Last errno: %d, %s\n", err, strerror(err));
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (text[0])
		igt_critical("%s", text);
	finish(RES_FAIL, IGT_EXIT_FAILURE);
}

void __igt_abort(const char *file, int line, const char *func, const char *check)
{
	igt_critical("Test abort in function %s, file %s:%d: %s\n", func, file, line, check);
	end_children();
	leave_program(IGT_EXIT_ABORT);
}

/* --- processes --- */

bool __igt_fork(void)
{
	pid_t pid;

	if (core.nr_children == MAX_CHILDREN) {
		fprintf(stderr, "%s: too many children\n", core.prog);
		abort();
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		__igt_fail(__FILE__, __LINE__, __func__, "fork()", "%s", "");
	if (pid == 0) {
		core.in_child = true;
		core.nr_children = 0;
		return true;
	}
	core.child[core.nr_children++] = pid;
	return false;
}

void __igt_child_done(void)
{
	fflush(NULL);
	_exit(IGT_EXIT_SUCCESS);
}

int __igt_waitchildren(void)
{
	int i, st, err = 0, n = core.nr_children;

	for (i = 0; i < n; i++) {
		if (waitpid(core.child[i], &st, 0) != core.child[i])
			st = IGT_EXIT_FAILURE << 8;
		if (!st)
			continue;
		if (WIFSIGNALED(st)) {
			igt_critical("child %d died of signal %d\n", i, WTERMSIG(st));
			err = 128 + WTERMSIG(st);
		} else {
			igt_critical("child %d failed with exit status %d\n", i, WEXITSTATUS(st));
			err = WEXITSTATUS(st);
		}
	}
	core.nr_children = 0;
	return err;
}

void igt_waitchildren(void)
{
	int err = __igt_waitchildren();

	if (err)
		igt_fail(err == IGT_EXIT_SKIP ? IGT_EXIT_SKIP : IGT_EXIT_FAILURE);
}

int igt_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret == -1 && (errno == EINTR || errno == EAGAIN));
	return ret;
}
