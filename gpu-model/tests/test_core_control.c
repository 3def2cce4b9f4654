// SPDX-License-Identifier: MIT
/*
 * The control socket: lines cut and joined anyhow, several connections, a
 * wait_idle that waits, peers that don't read, the end.  And its document names
 * all that there is.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "hw/block.h"
#include "ledger/control.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"
#include "ledger/sanitizer.h"

static struct gpu *gpu;
static struct control *control;
static char path[64];
static int quits;

static void quit(void *priv)
{
	__atomic_add_fetch((int *)priv, 1, __ATOMIC_SEQ_CST);
}

static int setup(void **state)
{
	struct gpu_config cfg;

	gpu_config_default(&cfg);
	cfg.vram_size = 256 * MiB;
	cfg.deterministic = true;
	cfg.verbose = -1;
	quits = 0;
	snprintf(path, sizeof(path), "/tmp/gpu-model-control-%d", (int)getpid());
	if (gpu_new(&cfg, &gpu) || control_new(gpu, path, quit, &quits, &control))
		return -1;
	return gpu_start(gpu);
}

static int teardown(void **state)
{
	control_del(&control);
	gpu_del(&gpu);
	return access(path, F_OK) == 0;
}

static int dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(sa.sun_path, path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Read one line.  It starts with @begin. */
static void hear(int fd, const char *begin)
{
	static char line[1 << 16];
	size_t n = 0;

	do {
		assert_int_equal(recv(fd, line + n, 1, 0), 1);
	} while (line[n++] != '\n' && n < sizeof(line) - 1);
	line[n] = 0;
	if (strncmp(line, begin, strlen(begin)))
		fail_msg("\"%s\" in place of \"%s\"", line, begin);
}

static void test_lines(void **state)
{
	int fd = dial();

	say(fd, "\n\r\n{\"cmd\":\"ledger_reset\",\"id\":1}\n{\"cmd\":\"no\",\"id\":[2]}\r\nnonsense\n{\"cmd\":");
	hear(fd, "{\"id\":1,\"ok\":true}\n");
	hear(fd, "{\"id\":[2],\"ok\":false,\"error\":\"no such command\"}\n");
	hear(fd, "{\"ok\":false,\"error\":\"not a JSON object on one line\"}\n");
	say(fd, "\"ledger_reset\",");
	say(fd, "\"id\":3}");
	say(fd, "\n");
	hear(fd, "{\"id\":3,\"ok\":true}\n");
	close(fd);
}

static void test_long_line(void **state)
{
	int fd = dial();
	char *big = malloc(200001);

	memset(big, 'x', 200000);
	big[200000] = 0;
	say(fd, big);
	hear(fd, "{\"ok\":false,\"error\":\"the line is too long\"}\n");
	say(fd, "\n{\"cmd\":\"ledger_reset\",\"id\":4}\n");
	hear(fd, "{\"id\":4,\"ok\":true}\n");
	free(big);
	close(fd);
}

static void test_connections(void **state)
{
	int fd[16], extra;
	char c;

	for (int i = 0; i < 16; i++)
		fd[i] = dial();
	for (int i = 15; i >= 0; i--)
		say(fd[i], "{\"cmd\":\"ledger_reset\",\"id\":5}\n");
	for (int i = 0; i < 16; i++)
		hear(fd[i], "{\"id\":5,\"ok\":true}\n");
	extra = dial();
	assert_int_equal(recv(extra, &c, 1, 0), 0);	/* one too many: closed */
	close(extra);
	for (int i = 0; i < 16; i++)
		close(fd[i]);
	usleep(50000);
	extra = dial();
	say(extra, "{\"cmd\":\"ledger_reset\",\"id\":6}\n");
	hear(extra, "{\"id\":6,\"ok\":true}\n");
	close(extra);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* With the engine thread held up behind a kick the GPU isn't idle. */
static void test_wait_idle(void **state)
{
	int fd = dial(), other = dial();
	uint64_t t0;

	say(fd, "{\"cmd\":\"wait_idle\",\"id\":1}\n");
	hear(fd, "{\"id\":1,\"ok\":true}\n");

	gpu_stop(gpu);		/* nobody serves the kick */
	gpu_kick(gpu);
	t0 = now_ms();
	say(fd, "{\"cmd\":\"wait_idle\",\"timeout_ms\":200,\"id\":2}\n{\"cmd\":\"ledger_reset\",\"id\":3}\n");
	/* Others don't wait */
	say(other, "{\"cmd\":\"ledger_reset\",\"id\":4}\n");
	hear(other, "{\"id\":4,\"ok\":true}\n");
	hear(fd, "{\"id\":2,\"ok\":false,\"error\":\"still busy after timeout_ms\"}\n");
	assert_true(now_ms() - t0 >= 200);
	hear(fd, "{\"id\":3,\"ok\":true}\n");

	say(fd, "{\"cmd\":\"wait_idle\",\"timeout_ms\":20000,\"id\":5}\n");
	usleep(20000);
	t0 = now_ms();
	assert_int_equal(gpu_start(gpu), 0);
	hear(fd, "{\"id\":5,\"ok\":true}\n");
	assert_true(now_ms() - t0 < 10000);
	close(fd);
	close(other);
}

/* Who waits and leaves, or asks and never reads, holds nobody up. */
static void test_rude_peers(void **state)
{
	int gone = dial(), deaf = dial(), fd = dial();

	gpu_stop(gpu);
	gpu_kick(gpu);
	say(gone, "{\"cmd\":\"wait_idle\",\"timeout_ms\":3600000}\n");
	usleep(20000);
	close(gone);
	for (int i = 0; i < 2000; i++)
		if (send(deaf, "{\"cmd\":\"ledger\"}\n", 17, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	say(fd, "{\"cmd\":\"ledger_reset\",\"id\":7}\n");
	hear(fd, "{\"id\":7,\"ok\":true}\n");
	close(deaf);
	close(fd);
}

static void test_quit(void **state)
{
	int fd = dial();

	say(fd, "{\"cmd\":\"quit\",\"id\":8}\n");
	hear(fd, "{\"id\":8,\"ok\":true}\n");
	for (int i = 0; i < 1000 && !__atomic_load_n(&quits, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	assert_int_equal(__atomic_load_n(&quits, __ATOMIC_SEQ_CST), 1);
	close(fd);
}

static void test_signal(void **state)
{
	kill(getpid(), SIGTERM);
	for (int i = 0; i < 1000 && !__atomic_load_n(&quits, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	assert_int_equal(__atomic_load_n(&quits, __ATOMIC_SEQ_CST), 1);
}

static void test_bad_path(void **state)
{
	struct control *c = NULL;
	char longer[200];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(control_new(gpu, longer, quit, &quits, &c), -ENAMETOOLONG);
	assert_int_equal(control_new(gpu, "/nonexistent/socket", quit, &quits, &c), -ENOENT);
	assert_null(c);
}

/* What the document must name, between double backquotes. */
static void named(const char *doc, const char *word)
{
	char quoted[64];

	snprintf(quoted, sizeof(quoted), "``%s``", word);
	if (!strstr(doc, quoted))
		fail_msg("Documentation/gpu-model-control.rst doesn't name %s", word);
}

static void test_document(void **state)
{
	static const char *const commands[] = {
		"ledger", "ledger_reset", "wait_idle", "sanitizer", "sanitizer_reset", "watch", "unwatch", "unloaded",
		"inject", "disarm", "injected", "go_dark", "info", "state", "quit",
	};
	FILE *f = fopen("../Documentation/gpu-model-control.rst", "r");
	static char doc[1 << 16];

	assert_non_null(f);
	assert_true(fread(doc, 1, sizeof(doc) - 1, f) > 1000);
	fclose(f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		named(doc, commands[i]);
	for (int i = 0; i < INJECT_NR; i++)
		named(doc, inject_name(i));
	for (int i = 0; i < SAN_NR; i++)
		named(doc, san_name(i));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_lines), T(test_long_line), T(test_connections), T(test_wait_idle), T(test_rude_peers),
		T(test_quit), T(test_signal), T(test_bad_path), cmocka_unit_test(test_document),
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
