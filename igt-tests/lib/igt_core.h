/* SPDX-License-Identifier: MIT */
/**
 * DOC: the IGT test interface, in the small
 *
 * No Debian package ships the headers of the Intel graphics tests (IGT), only
 * its runner.  This file offers the part of the interface that our tests use,
 * under the names and with the meaning of today's IGT, so that the same test
 * source builds inside an IGT tree.  The protocol to the runner (options,
 * lines on stdout, marks in the kernel log, exit codes) was taken from
 * observing igt_runner 2.5; Documentation/testing.rst describes it.
 *
 * A test is a tree of blocks: fixtures, groups, subtests, dynamic subtests.
 * Each block pushes a frame; a failure or a skip jumps to the innermost frame
 * that can carry a result.
 */
#ifndef IGT_CORE_H
#define IGT_CORE_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define IGT_EXIT_SUCCESS 0
#define IGT_EXIT_SKIP 77
#define IGT_EXIT_INVALID 79
#define IGT_EXIT_FAILURE 98
#define IGT_EXIT_ABORT 112

enum igt_log_level {
	IGT_LOG_DEBUG,
	IGT_LOG_INFO,
	IGT_LOG_WARN,
	IGT_LOG_CRITICAL,
	IGT_LOG_NONE,
};

#define IGT_LOG_DOMAIN ((const char *)NULL)

#define __igt_paste2(a, b) a##b
#define __igt_paste(a, b) __igt_paste2(a, b)
#define IGT_UNIQUE(prefix) __igt_paste(prefix, __LINE__)

#define __igt_printf(f, a) __attribute__((format(printf, f, a)))
#define __igt_noreturn __attribute__((noreturn))

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* What a block is; see __igt_enter(). */
enum __igt_block { IGT_BLOCK_FIXTURE, IGT_BLOCK_GROUP, IGT_BLOCK_SUBTEST, IGT_BLOCK_MULTI, IGT_BLOCK_DYNAMIC };

void igt_subtest_init(int argc, char **argv);
void igt_simple_init(int argc, char **argv);
__igt_noreturn void igt_exit(void);

bool __igt_enter(enum __igt_block kind, const char *file, int line, const char *fmt, ...) __igt_printf(4, 5);
void __igt_leave(enum __igt_block kind);
sigjmp_buf *__igt_frame(void);

/*
 * One block: entered at most once, left once, also when a jump cut its body
 * short (then sigsetjmp() returns non-zero and the body is passed over).
 */
#define __igt_block_loop(kind, ...)                                                                \
	for (bool IGT_UNIQUE(__igt_in) = __igt_enter(kind, __FILE__, __LINE__, __VA_ARGS__);       \
	     IGT_UNIQUE(__igt_in); __igt_leave(kind), IGT_UNIQUE(__igt_in) = false)                \
		if (sigsetjmp(*__igt_frame(), 1) == 0)

/**
 * igt_main() - the body of a test program with subtests.
 *
 * Written ``int igt_main()``, as upstream does since late 2025.
 */
#define igt_main()                                                                                 \
	__igt_is_test;                                                                             \
	static void __igt_body(void);                                                              \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		igt_subtest_init(argc, argv);                                                      \
		__igt_body();                                                                      \
		igt_exit();                                                                        \
	}                                                                                          \
	static void __igt_body(void)

/** igt_simple_main() - the body of a test program without subtests. */
#define igt_simple_main()                                                                          \
	__igt_is_test;                                                                             \
	static void __igt_body(void);                                                              \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		igt_simple_init(argc, argv);                                                       \
		__igt_body();                                                                      \
		igt_exit();                                                                        \
	}                                                                                          \
	static void __igt_body(void)

extern int __igt_is_test;

#define igt_fixture() __igt_block_loop(IGT_BLOCK_FIXTURE, "%s", "")
#define igt_subtest_group() __igt_block_loop(IGT_BLOCK_GROUP, "%s", "")
#define igt_subtest(name) __igt_block_loop(IGT_BLOCK_SUBTEST, "%s", name)
#define igt_subtest_f(...) __igt_block_loop(IGT_BLOCK_SUBTEST, __VA_ARGS__)
#define igt_subtest_with_dynamic(name) __igt_block_loop(IGT_BLOCK_MULTI, "%s", name)
#define igt_subtest_with_dynamic_f(...) __igt_block_loop(IGT_BLOCK_MULTI, __VA_ARGS__)
#define igt_dynamic(name) __igt_block_loop(IGT_BLOCK_DYNAMIC, "%s", name)
#define igt_dynamic_f(...) __igt_block_loop(IGT_BLOCK_DYNAMIC, __VA_ARGS__)

bool igt_only_list_subtests(void);
const char *igt_subtest_name(void);
const char *igt_test_name(void);

void __igt_describe(const char *fmt, ...) __igt_printf(1, 2);
#define igt_describe(text) __igt_describe("%s", text)
#define igt_describe_f(...) __igt_describe(__VA_ARGS__)

void __igt_test_description(const char *text);
#define IGT_TEST_DESCRIPTION(text)                                                                 \
	__attribute__((constructor)) static void IGT_UNIQUE(__igt_description)(void)               \
	{                                                                                          \
		__igt_test_description(text);                                                      \
	}                                                                                          \
	extern int __igt_is_test

/* Results */
__igt_noreturn void __igt_skip(const char *file, int line, const char *func, const char *check, const char *fmt,
			       ...) __igt_printf(5, 6);
__igt_noreturn void __igt_fail(const char *file, int line, const char *func, const char *check, const char *fmt,
			       ...) __igt_printf(5, 6);
__igt_noreturn void igt_fail(int exitcode);
__igt_noreturn void __igt_abort(const char *file, int line, const char *func, const char *check);

#define igt_skip(...) __igt_skip(__FILE__, __LINE__, __func__, NULL, __VA_ARGS__)
#define igt_skip_on(expr)                                                                          \
	do {                                                                                       \
		if (expr)                                                                          \
			__igt_skip(__FILE__, __LINE__, __func__, "!(" #expr ")", "%s", "");        \
	} while (0)
#define igt_skip_on_f(expr, ...)                                                                   \
	do {                                                                                       \
		if (expr)                                                                          \
			__igt_skip(__FILE__, __LINE__, __func__, "!(" #expr ")", __VA_ARGS__);     \
	} while (0)
#define igt_require(expr)                                                                          \
	do {                                                                                       \
		if (!(expr))                                                                       \
			__igt_skip(__FILE__, __LINE__, __func__, #expr, "%s", "");                 \
	} while (0)
#define igt_require_f(expr, ...)                                                                   \
	do {                                                                                       \
		if (!(expr))                                                                       \
			__igt_skip(__FILE__, __LINE__, __func__, #expr, __VA_ARGS__);              \
	} while (0)
#define igt_assert(expr)                                                                           \
	do {                                                                                       \
		if (!(expr))                                                                       \
			__igt_fail(__FILE__, __LINE__, __func__, #expr, "%s", "");                 \
	} while (0)
#define igt_assert_f(expr, ...)                                                                    \
	do {                                                                                       \
		if (!(expr))                                                                       \
			__igt_fail(__FILE__, __LINE__, __func__, #expr, __VA_ARGS__);              \
	} while (0)
#define igt_fail_on(expr) igt_assert(!(expr))
#define igt_fail_on_f(expr, ...) igt_assert_f(!(expr), __VA_ARGS__)
#define igt_abort_on_f(expr, ...)                                                                  \
	do {                                                                                       \
		if (expr) {                                                                        \
			igt_critical(__VA_ARGS__);                                                 \
			__igt_abort(__FILE__, __LINE__, __func__, #expr);                          \
		}                                                                                  \
	} while (0)

#define __igt_assert_cmp(type, fmt, a, op, b)                                                      \
	do {                                                                                       \
		type IGT_UNIQUE(__igt_a) = (a), IGT_UNIQUE(__igt_b) = (b);                         \
		if (!(IGT_UNIQUE(__igt_a) op IGT_UNIQUE(__igt_b)))                                 \
			__igt_fail(__FILE__, __LINE__, __func__, #a " " #op " " #b,                \
				   "error: " fmt " " #op " " fmt "\n", IGT_UNIQUE(__igt_a),        \
				   IGT_UNIQUE(__igt_b));                                           \
	} while (0)
#define igt_assert_eq(a, b) __igt_assert_cmp(int, "%d", a, ==, b)
#define igt_assert_neq(a, b) __igt_assert_cmp(int, "%d", a, !=, b)
#define igt_assert_lt(a, b) __igt_assert_cmp(int, "%d", a, <, b)
#define igt_assert_lte(a, b) __igt_assert_cmp(int, "%d", a, <=, b)
#define igt_assert_eq_u32(a, b) __igt_assert_cmp(uint32_t, "%#" PRIx32, a, ==, b)
#define igt_assert_eq_u64(a, b) __igt_assert_cmp(uint64_t, "%#" PRIx64, a, ==, b)
#define igt_assert_neq_u32(a, b) __igt_assert_cmp(uint32_t, "%#" PRIx32, a, !=, b)
#define igt_assert_neq_u64(a, b) __igt_assert_cmp(uint64_t, "%#" PRIx64, a, !=, b)
#define igt_assert_lt_u64(a, b) __igt_assert_cmp(uint64_t, "%#" PRIx64, a, <, b)
#define igt_assert_lte_u64(a, b) __igt_assert_cmp(uint64_t, "%#" PRIx64, a, <=, b)
#define igt_assert_fd(fd) igt_assert_f((fd) >= 0, "file descriptor " #fd " is %d\n", (fd))

/* Messages */
void igt_log(const char *domain, enum igt_log_level level, const char *fmt, ...) __igt_printf(3, 4);
void igt_vlog(const char *domain, enum igt_log_level level, const char *fmt, va_list ap);
#define igt_debug(...) igt_log(IGT_LOG_DOMAIN, IGT_LOG_DEBUG, __VA_ARGS__)
#define igt_info(...) igt_log(IGT_LOG_DOMAIN, IGT_LOG_INFO, __VA_ARGS__)
#define igt_warn(...) igt_log(IGT_LOG_DOMAIN, IGT_LOG_WARN, __VA_ARGS__)
#define igt_critical(...) igt_log(IGT_LOG_DOMAIN, IGT_LOG_CRITICAL, __VA_ARGS__)
#define igt_warn_on(expr)                                                                          \
	({                                                                                         \
		bool IGT_UNIQUE(__igt_w) = !!(expr);                                               \
		if (IGT_UNIQUE(__igt_w))                                                           \
			igt_warn("%s:%d: %s\n", __FILE__, __LINE__, #expr);                        \
		IGT_UNIQUE(__igt_w);                                                               \
	})

/* Processes: igt_fork(i, n) runs its body in n children, igt_waitchildren() fails if one of them failed. */
bool __igt_fork(void);
__igt_noreturn void __igt_child_done(void);
#define igt_fork(child, nr)                                                                        \
	for (int child = 0; child < (int)(nr); child++)                                            \
		if (__igt_fork())                                                                  \
			for (;; __igt_child_done())
int __igt_waitchildren(void);
void igt_waitchildren(void);

#define do_ioctl(fd, req, arg)                                                                     \
	do {                                                                                       \
		igt_assert_f(igt_ioctl((fd), (req), (arg)) == 0, "ioctl " #req ": %s\n",           \
			     strerror(errno));                                                     \
		errno = 0;                                                                         \
	} while (0)
#define do_ioctl_err(fd, req, arg, err)                                                            \
	do {                                                                                       \
		igt_assert_eq(igt_ioctl((fd), (req), (arg)), -1);                                  \
		igt_assert_eq(errno, err);                                                         \
		errno = 0;                                                                         \
	} while (0)
int igt_ioctl(int fd, unsigned long request, void *arg);

#endif
