// SPDX-License-Identifier: MIT
/**
 * TEST: nouveau svm lifetime
 * Category: Core
 * Mega feature: SVM
 * Sub-category: shared virtual memory
 * Functionality: the ends of processes, files, channels and mappings, in any order
 * Description: whatever ends first, nobody hangs, nothing leaks, data goes nowhere else
 */
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "igt.h"
#include "gpu_model.h"
#include "svm_test.h"

#include <drm.h>
#include <nouveau_drm.h>

IGT_TEST_DESCRIPTION("Whatever ends first, nobody hangs, nothing leaks, data goes nowhere else.");

#define NR (SZ_2M / SZ_4K)

/* Start a kernel on @p that adds for long. */
static void start_long(struct svm *svm, char *p)
{
	const struct nv_args args = { .dst = (uintptr_t)p, .value = 1 };

	igt_assert_eq(nv_launch(&svm->chan, &svm->add_same, 1u << 13, NV_THREADS, &args, sizeof(args)), 0);
	igt_assert_eq(nv_submit(&svm->chan), 0);
}

/* What is left when everybody is gone. */
static uint64_t blocks_left(void)
{
	uint64_t n = 0;
	int i;

	/* Blocks go where it is allowed to sleep: a moment later. */
	for (i = 0; i < 100; i++) {
		if (!svm_driver_counter("blocks", &n) || !n)
			break;
		usleep(50000);
	}
	return n;
}

/* Another client finds the GPU in order. */
static void others_work(void)
{
	struct svm svm;
	char *p = svm_alloc(SZ_2M, PAGES_4K);

	svm_open(&svm);
	svm_cpu_write_pages(p, NR, 0x4400);
	svm_gpu_check_pages(&svm, p, NR, 0x4400);
	svm_gpu_write_pages(&svm, p, NR, 0x4500);
	svm_cpu_check_pages(p, NR, 0x4500, false);
	svm_close(&svm);
	svm_free(p, SZ_2M);
	igt_assert_eq_u64(blocks_left(), 0);
}

enum end { EXIT, KILL, EXEC, CLOSE, UNMAP_THEN_EXIT };

/**
 * SUBTEST: %s-while-working
 * Description: a process ends by %arg[1] while its kernel runs on memory in VRAM and in RAM
 *
 * arg[1]:
 *
 * @exit: _exit()
 * @kill: SIGKILL
 * @exec: execve()
 * @close: closing its file, then it goes on
 * @unmap: unmapping the memory, then _exit()
 */
static void test_end(enum end end)
{
	int ready[2], st;
	pid_t pid;
	char c;

	igt_assert_eq(pipe(ready), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		struct svm svm;
		char *p = svm_alloc(2 * SZ_2M, PAGES_THP);

		svm_open(&svm);
		svm_cpu_write_pages(p, 2 * NR, 0x100);
		svm_gpu_write_pages(&svm, p, NR, 0x200);
		start_long(&svm, p + SZ_1M);
		c = 'x';
		if (write(ready[1], &c, 1) != 1)
			_exit(9);
		switch (end) {
		case EXIT:
			_exit(0);
		case KILL:
			for (;;)
				pause();
		case EXEC:
			execl("/bin/true", "true", (char *)NULL);
			_exit(8);
		case CLOSE:
			close(svm.dev.fd);
			*(volatile uint32_t *)(p + SZ_4K) += 1;
			_exit(*(volatile uint32_t *)(p + SZ_4K) == 0x202 ? 0 : 7);
		case UNMAP_THEN_EXIT:
			munmap(p, 2 * SZ_2M);
			_exit(0);
		}
	}
	igt_assert_eq((int)read(ready[0], &c, 1), 1);
	if (end == KILL)
		kill(pid, SIGKILL);
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	igt_assert_f(end == KILL ? WIFSIGNALED(st) : WIFEXITED(st) && WEXITSTATUS(st) == 0, "it ended with %#x\n", st);
	close(ready[0]);
	close(ready[1]);
	others_work();
}

static void send_fd(int socket, int fd)
{
	char byte = 'f', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	igt_assert_eq((int)sendmsg(socket, &msg, 0), 1);
}

static int receive_fd(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(socket, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/**
 * SUBTEST: passed-fd-%s
 * Description: a file is passed to another process, whose pages are refused, -EACCES; its owner %arg[1]
 *
 * arg[1]:
 *
 * @owner-lives: lives on, and its data is as it was
 * @owner-gone: is gone by then
 */
static void test_passed(bool gone)
{
	int s[2], st, fd;
	pid_t pid;
	char *p = svm_alloc(SZ_2M, PAGES_4K), c;

	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	svm_cpu_write_pages(p, NR, 0x100);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		struct svm svm;

		close(s[0]);
		svm_open(&svm);
		svm_cpu_write_pages(p, NR, 0x300);
		svm_gpu_write_pages(&svm, p, NR, 0x400);
		send_fd(s[1], svm.dev.fd);
		if (gone)
			_exit(0);
		if (read(s[1], &c, 1) != 1)
			_exit(9);
		svm_gpu_check_pages(&svm, p, NR, 0x400);
		svm_cpu_check_pages(p, NR, 0x400, false);
		_exit(0);
	}
	close(s[1]);
	fd = receive_fd(s[0]);
	igt_assert_fd(fd);
	if (gone)
		igt_assert_eq(waitpid(pid, &st, 0), pid);
	{
		const uint64_t to_vram = (uint64_t)NOUVEAU_SVM_BIND_TARGET__GPU_VRAM << NOUVEAU_SVM_BIND_TARGET_SHIFT;
		uint64_t pages = 0;
		int err = nv_svm_bind_raw(fd, to_vram, (uintptr_t)p, (uintptr_t)p + SZ_2M, NR, &pages);

		igt_assert_f(err == -EACCES, "SVM_BIND on another process's file: %d\n", err);
	}
	igt_assert_eq_u64(svm_count_pages(p, SZ_2M, PAGE_IN_RAM), NR);
	svm_cpu_check_pages(p, NR, 0x100, true);
	/* A second SVM_INIT would take the file over. */
	igt_assert_eq(nv_svm_init_raw(fd, NV_CUTOUT_BASE, NV_CUTOUT_SIZE), -EBUSY);
	if (!gone) {
		igt_assert_eq((int)write(s[0], "x", 1), 1);
		igt_assert_eq(waitpid(pid, &st, 0), pid);
	}
	igt_assert_f(WIFEXITED(st) && WEXITSTATUS(st) == 0, "the owner ended with %#x\n", st);
	close(fd);
	close(s[0]);
	svm_free(p, SZ_2M);
	others_work();
}

/**
 * SUBTEST: fd-outlives-owner
 * Description: the owner is gone, another process holds and then closes its file, with its channel on it
 */
static void test_fd_outlives(void)
{
	char *p = mmap(NULL, SZ_2M, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int s[2], st, fd;
	pid_t pid;

	igt_assert(p != MAP_FAILED);
	igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		struct svm svm;

		svm_open(&svm);
		svm_cpu_write_pages(p, NR, 0x300);
		svm_gpu_check_pages(&svm, p, NR, 0x300);
		send_fd(s[1], svm.dev.fd);
		_exit(0);
	}
	fd = receive_fd(s[0]);
	igt_assert_fd(fd);
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	igt_assert_eq(st, 0);
	close(fd);
	close(s[0]);
	close(s[1]);
	munmap(p, SZ_2M);
	others_work();
}

/**
 * SUBTEST: open-close
 * Description: clients come and go 50 times with data in VRAM: no mapping and no block is left
 */
static void test_open_close(void)
{
	uint64_t before = UINT64_MAX, after = 0;
	struct gpu_model *m;
	uint32_t i;

	for (i = 0; i < 50; i++) {
		char *p = svm_alloc(SZ_2M, i & 1 ? PAGES_THP : PAGES_4K);
		struct svm svm;

		svm_open(&svm);
		svm_cpu_write_pages(p, NR, i);
		if (i % 3)
			svm_bind_vram(&svm, p, SZ_2M);
		svm_gpu_check_pages(&svm, p, 64, i);
		if (i % 5 == 0)
			svm_free(p, SZ_2M);
		svm_close(&svm);
		if (i % 5) {
			svm_cpu_check_pages(p, NR, i, true);
			svm_free(p, SZ_2M);
		}
		if (i == 9 || i == 49) {
			igt_assert_eq_u64(blocks_left(), 0);
			m = gpu_model_open(0);
			igt_require(m);
			*(i == 9 ? &before : &after) = gpu_model_state(m, "channels");
			igt_assert_neq_u64(after, UINT64_MAX);
			gpu_model_close(m);
		}
	}
	igt_assert_eq_u64(before, after);
}

/**
 * SUBTEST: two-files-%s-first
 * Description: two files of a process on the same memory; the %arg[1] is closed first
 *
 * arg[1]:
 *
 * @first: first
 * @second: second
 */
static void test_two_files(bool second)
{
	char *p = svm_alloc(SZ_2M, PAGES_THP);
	struct svm svm[2];

	svm_open(&svm[0]);
	svm_open(&svm[1]);
	svm_cpu_write_pages(p, NR, 0x100);
	svm_gpu_check_pages(&svm[0], p, NR, 0x100);
	svm_gpu_write_pages(&svm[1], p, NR, 0x200);
	svm_gpu_check_pages(&svm[0], p, NR, 0x200);
	svm_close(&svm[second]);
	svm_gpu_check_pages(&svm[!second], p, NR, 0x200);
	svm_gpu_write_pages(&svm[!second], p, NR, 0x300);
	svm_close(&svm[!second]);
	svm_cpu_check_pages(p, NR, 0x300, false);
	svm_free(p, SZ_2M);
	igt_assert_eq_u64(blocks_left(), 0);
}

/**
 * SUBTEST: map-churn
 * Description: munmap, mremap and mprotect at any moment, with kernels at work beside: what stays is right
 */
static void test_churn(void)
{
	char *keep = svm_alloc(SZ_2M, PAGES_4K), *p, *q;
	const struct nv_args args = { .dst = (uintptr_t)keep, .value = 0x5000 };
	struct svm svm;
	uint32_t i;

	svm_open(&svm);
	for (i = 0; i < 60; i++) {
		size_t len = (1 + i % 7) * SZ_64K + (i % 3) * SZ_4K;

		p = mmap(NULL, 2 * SZ_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		igt_assert(p != MAP_FAILED);
		svm_cpu_write_pages(p, (uint32_t)(len / SZ_4K), 0x6000 + i);
		igt_assert_eq_u32(svm_gpu_read(&svm, p + len - SZ_4K), 0x6000 + i + (uint32_t)(len / SZ_4K) - 1);
		if (i & 1)
			svm_bind_vram(&svm, p, len);
		igt_assert_eq(nv_launch(&svm.chan, &svm.write_page, NR / NV_THREADS, NV_THREADS, &args, sizeof(args)), 0);
		igt_assert_eq(nv_submit(&svm.chan), 0);
		switch (i % 4) {
		case 0:
			igt_assert_eq(munmap(p, 2 * SZ_2M), 0);
			break;
		case 1:
			q = mremap(p, 2 * SZ_2M, 4 * SZ_2M, MREMAP_MAYMOVE);
			igt_assert(q != MAP_FAILED);
			svm_cpu_check_pages(q, (uint32_t)(len / SZ_4K), 0x6000 + i, true);
			munmap(q, 4 * SZ_2M);
			break;
		case 2:
			igt_assert_eq(mprotect(p, len, PROT_READ), 0);
			svm_cpu_check_pages(p, (uint32_t)(len / SZ_4K), 0x6000 + i, true);
			munmap(p, 2 * SZ_2M);
			break;
		default:
			igt_assert_eq(munmap(p + SZ_64K, 2 * SZ_2M - SZ_64K), 0);
			svm_cpu_check_pages(p, 16, 0x6000 + i, true);
			munmap(p, SZ_64K);
		}
		igt_assert_f(nv_wait(&svm.chan, 0) == 0, "turn %u: the kernel beside does not end\n", i);
		svm_cpu_check_pages(keep, NR, 0x5000, false);
		if (i % 10 == 9)
			igt_info("%u turns\n", i + 1);
	}
	svm_close(&svm);
	svm_free(keep, SZ_2M);
	igt_assert_eq_u64(blocks_left(), 0);
}

enum change { CHANGE_UNMAP, CHANGE_MOVE, CHANGE_PROTECT, CHANGE_DONTNEED, CHANGE_COLLAPSE, CHANGE_FORK, CHANGE_PAGEOUT,
	      CHANGE_TOUCH, CHANGE_LOCK, CHANGE_BIND };

static const char *const changes[] = {
	[CHANGE_UNMAP] = "unmap", [CHANGE_MOVE] = "move", [CHANGE_PROTECT] = "protect", [CHANGE_DONTNEED] = "dontneed",
	[CHANGE_COLLAPSE] = "collapse", [CHANGE_FORK] = "fork", [CHANGE_PAGEOUT] = "pageout", [CHANGE_TOUCH] = "touch",
	[CHANGE_LOCK] = "lock", [CHANGE_BIND] = "bind",
};

/* The last word of each page, which no kernel writes to. */
static volatile uint32_t *last_word(char *p, uint32_t page)
{
	return (volatile uint32_t *)(p + (page + 1) * SZ_4K) - 1;
}

/* What a child has inherited while a kernel was at work on it. Returns whether there was one (M10). */
static bool change_by_fork(char *p, uint32_t pages)
{
	pid_t pid = fork();
	uint32_t i;
	int st;

	if (pid < 0) {
		igt_assert_eq(errno, ENOMEM);
		return false;
	}
	if (!pid) {
		for (i = 0; i < pages; i++)
			if (*last_word(p, i) != 0x900 + i)
				_exit(1);
		_exit(0);
	}
	igt_assert_eq(waitpid(pid, &st, 0), pid);
	igt_assert_eq(st, 0);
	return true;
}

/* Change @len bytes at @p, of which a kernel uses those before @mine. Returns whether that was done. */
static bool change(struct svm *svm, enum change how, uint32_t turn, char *p, size_t len, char *mine)
{
	const size_t rest = (size_t)(p + len - mine);
	const uint32_t pages = (uint32_t)(len / SZ_4K);
	uint32_t i;
	void *q;

	switch (how) {
	case CHANGE_UNMAP:
		igt_assert_eq(munmap(mine, rest), 0);
		q = mmap(mine, rest, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		igt_assert(q == mine);
		break;
	case CHANGE_MOVE:
		q = mmap(NULL, rest, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		igt_assert(q != MAP_FAILED);
		igt_assert(mremap(mine, rest, rest, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
		svm_cpu_check_pages(q, (uint32_t)(rest / SZ_4K), 0x700 + turn, true);
		igt_assert(mremap(q, rest, rest, MREMAP_MAYMOVE | MREMAP_FIXED, mine) == mine);
		break;
	case CHANGE_PROTECT:
		igt_assert_eq(mprotect(mine, rest, PROT_READ), 0);
		igt_assert_eq(mprotect(p, len, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
		igt_assert_eq(mprotect(mine, rest, PROT_NONE), 0);
		igt_assert_eq(mprotect(p, len, PROT_READ | PROT_WRITE), 0);
		break;
	case CHANGE_DONTNEED:
		igt_assert_eq(madvise(mine, rest, MADV_DONTNEED), 0);
		for (i = 0; i < rest / SZ_4K; i++)
			igt_assert_eq_u32(*last_word(mine, i), 0);
		break;
	case CHANGE_COLLAPSE:
		/* Split by a page that goes. It may find that pages are in VRAM. */
		igt_assert_eq(madvise(mine + turn % 4 * SZ_4K, SZ_4K, MADV_DONTNEED), 0);
		madvise(p, len, MADV_COLLAPSE);
		break;
	case CHANGE_FORK:
		return change_by_fork(p, pages);
	case CHANGE_PAGEOUT:
		igt_assert_eq(madvise(p, len, MADV_PAGEOUT), 0);
		break;
	case CHANGE_TOUCH:
		for (i = turn % 16; i < pages; i += 16)
			igt_assert_eq_u32(*last_word(p, i), 0x900 + i);
		break;
	case CHANGE_LOCK:
		igt_assert_eq(mlock(p, len), 0);
		igt_assert_eq(munlock(p, len), 0);
		break;
	case CHANGE_BIND:
		igt_assert_eq(nv_svm_bind(&svm->dev, p, len, turn & 1, NULL), 0);
		break;
	}
	return true;
}

/**
 * SUBTEST: changed-while-working-%s
 * Description:
 *	memory changes by %arg[1] at any moment while a kernel adds to it, or to the first half of a block of which the
 *	other changes: no sum is lost, nothing else is found there
 *
 * arg[1]:
 *
 * @unmap: munmap() and another mapping in that place
 * @move: mremap(), away and back
 * @protect: mprotect() of that half, and of all with the rights that the kernel needs
 * @dontneed: MADV_DONTNEED
 * @collapse: a page that goes and MADV_COLLAPSE, so that huge pages split and come
 * @fork: a child that reads it
 * @pageout: reclaim, to swap
 * @touch: the CPU, which reads a word of some pages
 * @lock: mlock() and munlock()
 * @bind: SVM_BIND to VRAM and back
 */
static void test_changed(enum change how)
{
	const size_t len = 2 * SZ_2M;
	struct svm svm;
	struct svm_worker w = { .svm = &svm, .p = svm_alloc(len, PAGES_THP), .len = SZ_2M + SZ_1M };
	const uint32_t used = (uint32_t)(w.len / SZ_4K);
	uint64_t started = 0, now = 0;
	uint32_t turn, i, refused = 0;

	if (how == CHANGE_PAGEOUT)
		svm_swap_on(64 * SZ_1M);
	svm_open(&svm);
	svm_migrate_on_fault(true);
	for (i = 0; i < len / SZ_4K; i++)
		*last_word(w.p, i) = 0x900 + i;
	svm_driver_counter("invalidates", &started);
	svm_worker_begin(&w);
	svm_worker_goes_on(&w, 1);
	for (turn = 0; turn < 40; turn++) {
		if (how == CHANGE_MOVE)
			svm_cpu_write_pages(w.p + w.len, (uint32_t)((len - w.len) / SZ_4K), 0x700 + turn);
		refused += !change(&svm, how, turn, w.p, len, w.p + w.len);
		for (i = used; i < len / SZ_4K; i++)
			*last_word(w.p, i) = 0x900 + i;
		if (turn % 4 == 3)
			svm_worker_goes_on(&w, 1);
	}
	svm_driver_counter("invalidates", &now);
	igt_info("%u rounds, %" PRIu64 " invalidates, %u changes refused\n", w.rounds, now - started, refused);
	igt_assert_lte(refused, turn / 4);
	svm_worker_end(&w);
	for (i = 0; i < len / SZ_4K; i++)
		igt_assert_eq_u32(*last_word(w.p, i), 0x900 + i);
	svm_close(&svm);
	svm_free(w.p, len);
	if (how == CHANGE_PAGEOUT)
		svm_swap_off();
	igt_assert_eq_u64(blocks_left(), 0);
}

/* Mappings would hold the file. */
static void unmap_buffers(struct svm *svm)
{
	munmap(svm->chan.push.map, svm->chan.push.size);
	munmap(svm->chan.code.map, svm->chan.code.size);
	munmap(svm->chan.launch.map, svm->chan.launch.size);
	munmap(svm->chan.fence.map, svm->chan.fence.size);
	munmap(svm->out.map, svm->out.size);
}

/**
 * SUBTEST: %s-while-missing-%s
 * Description: a process ends by %arg[1] while service of its fault waits for a page that only it could supply (%arg[2])
 *
 * arg[1]:
 *
 * @exit: _exit()
 * @kill: SIGKILL
 *
 * arg[2]:
 *
 * @before: it opened userfaultfd before the GPU's file
 * @after: after it
 */
static void test_missing(enum end end, bool before)
{
	int ready[2], st, i;
	pid_t pid, got;
	char c;

	igt_assert_eq(pipe(ready), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		char *p = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct svm_slow slow;
		struct nv_args args = { .src = (uintptr_t)p };
		struct svm svm;

		/* Files are closed in an order of their own. */
		if (before)
			svm_slow_begin(&slow, p, SZ_64K);
		svm_open(&svm);
		if (!before)
			svm_slow_begin(&slow, p, SZ_64K);
		args.dst = svm.out.va;
		nv_use(&svm.chan, &svm.out);
		if (nv_launch(&svm.chan, &svm.read, 1, 1, &args, sizeof(args)) || nv_submit(&svm.chan) ||
		    !svm_slow_hit(&slow, 30000) || write(ready[1], "x", 1) != 1)
			_exit(1);
		/* Or they do for as long as service of the fault holds the address space. */
		unmap_buffers(&svm);
		if (end == KILL)
			pause();
		_exit(0);
	}
	close(ready[1]);
	igt_assert_eq((int)read(ready[0], &c, 1), 1);
	if (end == KILL)
		kill(pid, SIGKILL);
	for (i = 0, got = 0; i < 600 && !got; i++) {
		got = waitpid(pid, &st, WNOHANG);
		usleep(100000);
	}
	igt_assert_f(got == pid, "it does not end\n");
	close(ready[0]);
	others_work();
}

/* Wait until a counter of the driver's is more than @than. */
static bool counter_rises(const char *name, uint64_t than)
{
	uint64_t v = 0;
	int i;

	/* Each look takes a second or two while the lock cannot be had. */
	for (i = 0; i < 30; i++) {
		if (svm_driver_counter(name, &v) && v > than)
			return true;
		usleep(100000);
	}
	return false;
}

/* Collection waits for a page, and a fault for collection. Then the file is closed. */
static int close_collecting(void)
{
	char *a = mmap(NULL, 2 * SZ_2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p, *q;
	struct nv_args args;
	struct svm_slow slow;
	uint64_t faults;
	struct svm svm;

	p = (char *)(((uintptr_t)a + SZ_2M - 1) & ~(SZ_2M - 1));
	if (a == MAP_FAILED || mprotect(p, SZ_2M, PROT_READ | PROT_WRITE) ||
	    madvise(p, SZ_2M, MADV_NOHUGEPAGE))
		return 1;
	q = svm_alloc(SZ_2M, PAGES_4K);
	svm_open(&svm);
	/* All of it in one range and in VRAM, but for a page that nobody supplies. */
	svm_cpu_write_pages(p, NR, 0x100);
	svm_bind_vram(&svm, p, SZ_2M);
	if (svm_count_pages(p, SZ_2M, PAGE_IN_VRAM) != NR ||
	    madvise(p + SZ_4K, SZ_4K, MADV_DONTNEED))
		return 2;
	svm_slow_begin(&slow, p, SZ_2M);
	if (munmap(p + SZ_1M, SZ_1M) || !svm_slow_hit(&slow, 30000))
		return 3;

	args = (struct nv_args){ .dst = svm.out.va, .src = (uintptr_t)q };
	nv_use(&svm.chan, &svm.out);
	if (!svm_driver_counter("faults", &faults) ||
	    nv_launch(&svm.chan, &svm.read, 1, 1, &args, sizeof(args)) || nv_submit(&svm.chan) ||
	    !counter_rises("faults", faults))
		return 4;
	unmap_buffers(&svm);
	close(svm.dev.fd);
	return 0;
}

/**
 * SUBTEST: close-while-collecting
 * Description: a file is closed while a fault waits for collection, and that for a page that its
 *	process does not supply: the fault is cancelled, and the channel ends by itself
 */
static void test_close_collecting(void)
{
	uint64_t before, after;
	pid_t pid, got = 0;
	int st = -1, i;

	svm_migrate_on_fault(false);
	igt_require(svm_driver_counter("cancels", &before));
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid)
		_exit(close_collecting());
	for (i = 0; i < 1200 && !got; i++) {
		got = waitpid(pid, &st, WNOHANG);
		usleep(100000);
	}
	svm_migrate_on_fault(true);
	if (!got)
		kill(pid, SIGKILL);
	igt_assert_f(got == pid, "it does not end\n");
	igt_assert_f(WIFEXITED(st) && WEXITSTATUS(st) == 0, "it ended with %#x\n", st);
	igt_info("it took %d tenths of a second\n", i);
	/* Else the channel was torn down with its fault, after 15 s of patience. */
	igt_assert(svm_driver_counter("cancels", &after));
	igt_assert_eq_u64(after - before, 1);
	others_work();
}

/* Not in libdrm's header. */
#define IOCTL_SVM_BIND DRM_IOWR(DRM_COMMAND_BASE + DRM_NOUVEAU_SVM_BIND, struct drm_nouveau_svm_bind)

struct bind {
	int fd, err;
	char *p;
	uint64_t pages;
};

/* Not nv_svm_bind(): what is interrupted is not asked for again. */
static void *bind_once(void *arg)
{
	struct bind *b = arg;
	struct drm_nouveau_svm_bind bind = {
		.header = (uint64_t)NOUVEAU_SVM_BIND_COMMAND__MIGRATE << NOUVEAU_SVM_BIND_COMMAND_SHIFT |
			  (uint64_t)NOUVEAU_SVM_BIND_TARGET__GPU_VRAM << NOUVEAU_SVM_BIND_TARGET_SHIFT,
		.va_start = (uintptr_t)b->p,
		.va_end = (uintptr_t)b->p + SZ_64K,
		.npages = SZ_64K / SZ_4K,
	};

	b->err = ioctl(b->fd, IOCTL_SVM_BIND, &bind) ? -errno : 0;
	b->pages = bind.result;
	return NULL;
}

/* Return: false if it does not end within half a minute. */
static bool joined(pthread_t thread)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

static void on_signal(int sig)
{
}

/* 64 KiB that a range fits on, not there yet. */
static char *map_64k(void)
{
	char *p = mmap(NULL, 2 * SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	igt_assert(p != MAP_FAILED);
	return (char *)(((uintptr_t)p + SZ_64K - 1) & ~(SZ_64K - 1));
}

/**
 * SUBTEST: bind-interrupted
 * Description: SVM_BIND waits for a page that its process keeps back: a signal ends it, and faults are served again
 */
static void test_bind_interrupted(void)
{
	char *q = svm_alloc(SZ_2M, PAGES_4K);
	struct sigaction sa = { .sa_handler = on_signal };
	struct bind b = { .p = map_64k() };
	struct svm_slow slow;
	pthread_t thread;
	struct svm svm;
	uint32_t turn;

	igt_assert_eq(sigaction(SIGUSR1, &sa, NULL), 0);
	svm_open(&svm);
	b.fd = svm.dev.fd;
	svm_slow_begin(&slow, b.p, SZ_64K);
	for (turn = 0; turn < 3; turn++) {
		igt_assert_eq(pthread_create(&thread, NULL, bind_once, &b), 0);
		igt_assert_f(svm_slow_hit(&slow, 30000), "SVM_BIND does not ask for the page\n");
		igt_assert_eq(pthread_kill(thread, SIGUSR1), 0);
		igt_assert_f(joined(thread), "a signal does not end SVM_BIND\n");
		igt_assert_eq(b.err, -EINTR);
		igt_assert_eq_u64(b.pages, 0);
		/* Nobody waits for the page any more, so others get theirs. */
		igt_assert(!svm_slow_hit(&slow, 0));
		svm_cpu_write_pages(q, NR, 0x100 * turn);
		svm_gpu_check_pages(&svm, q, NR, 0x100 * turn);
	}
	/* Once more, and it comes. */
	igt_assert_eq(pthread_create(&thread, NULL, bind_once, &b), 0);
	igt_assert(svm_slow_hit(&slow, 30000));
	svm_slow_end(&slow, 0x700);
	igt_assert_f(joined(thread), "SVM_BIND does not end\n");
	igt_assert_eq(b.err, 0);
	igt_assert_eq_u64(b.pages, SZ_64K / SZ_4K);
	igt_assert_eq_u64(svm_count_pages(b.p, SZ_64K, PAGE_IN_VRAM), b.pages);
	svm_gpu_check_pages(&svm, b.p, SZ_64K / SZ_4K, 0x700);
	svm_close(&svm);
	svm_free(q, SZ_2M);
	munmap(b.p, SZ_64K);
	signal(SIGUSR1, SIG_DFL);
	others_work();
}

/**
 * SUBTEST: %s-while-binding
 * Description: a process ends by %arg[1] while its SVM_BIND waits for a page that only it could supply
 *
 * arg[1]:
 *
 * @exit: _exit()
 * @kill: SIGKILL
 */
static void test_binding(enum end end)
{
	int ready[2], st, i;
	pid_t pid, got;
	char c;

	igt_assert_eq(pipe(ready), 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		struct bind b = { .p = map_64k() };
		struct svm_slow slow;
		pthread_t thread;
		struct svm svm;

		svm_open(&svm);
		b.fd = svm.dev.fd;
		svm_slow_begin(&slow, b.p, SZ_64K);
		if (pthread_create(&thread, NULL, bind_once, &b) || !svm_slow_hit(&slow, 30000) ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		if (end == KILL)
			pause();
		_exit(0);
	}
	close(ready[1]);
	igt_assert_eq((int)read(ready[0], &c, 1), 1);
	if (end == KILL)
		kill(pid, SIGKILL);
	for (i = 0, got = 0; i < 600 && !got; i++) {
		got = waitpid(pid, &st, WNOHANG);
		usleep(100000);
	}
	igt_assert_f(got == pid, "it does not end\n");
	close(ready[0]);
	others_work();
}

/* Pages with a gap after each, so that the driver has a range for each. */
static void map_pages(char *base, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		igt_assert(mmap(base + 2 * i * SZ_4K, SZ_4K, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == base + 2 * i * SZ_4K);
}

struct unmapper {
	char *first, *second;
	uint32_t nr_first, nr_second, done;
	volatile bool over;
};

/* By turns. The last that the driver lists as garbage is of the first most of the time, and is freed early. */
static void *unmap_both(void *data)
{
	struct unmapper *u = data;

	for (; u->done < u->nr_second && !u->over; u->done++) {
		munmap(u->second + 2 * u->done * SZ_4K, SZ_4K);
		munmap(u->first + 2 * u->done * SZ_4K, SZ_4K);
		usleep(500);
	}
	return NULL;
}

/**
 * SUBTEST: unmap-while-closing
 * Description: munmap while the file is closed, of memory under two notifiers, with ranges that wait to be collected
 */
static void test_unmap_closing(void)
{
	const size_t window = 512 * SZ_1M;
	/* To free the first takes long. */
	struct unmapper u = { .nr_first = 3000, .nr_second = 1500 };
	uint64_t pages = 0;
	pthread_t thread;
	struct svm svm;
	uint32_t turn;
	char *area;

	for (turn = 0; turn < 3; turn++) {
		area = mmap(NULL, 3 * window, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		igt_assert(area != MAP_FAILED);
		u.first = (char *)(((uintptr_t)area + window - 1) & ~(window - 1));
		u.second = u.first + window;
		map_pages(u.first, u.nr_first);
		map_pages(u.second, u.nr_second);

		svm_open(&svm);
		igt_assert_eq(nv_svm_bind(&svm.dev, u.first, 2 * u.nr_first * SZ_4K, false, &pages), 0);
		igt_assert_lt_u64(u.nr_first * 9 / 10, pages);
		igt_assert_eq(nv_svm_bind(&svm.dev, u.second, 2 * u.nr_second * SZ_4K, false, &pages), 0);
		igt_assert_lt_u64(u.nr_second * 9 / 10, pages);

		u.done = 0;
		u.over = false;
		igt_assert_eq(pthread_create(&thread, NULL, unmap_both, &u), 0);
		svm_close(&svm);
		u.over = true;
		igt_assert_eq(pthread_join(thread, NULL), 0);
		igt_info("%u of %u pages by then\n", u.done, u.nr_second);
		igt_assert(u.done);
		igt_assert_eq(munmap(area, 3 * window), 0);
	}
	others_work();
}

int igt_main()
{
	static const char *const ends[] = { "exit", "kill", "exec", "close", "unmap" };
	unsigned int i;

	igt_fixture()
		svm_migrate_on_fault(true);
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		igt_describe("A process ends while its kernel runs");
		igt_subtest_f("%s-while-working", ends[i])
			test_end(i);
	}
	igt_describe("A process ends while its fault waits for it");
	for (i = 0; i < 4; i++)
		igt_subtest_f("%s-while-missing-%s", ends[i & 1], i & 2 ? "after" : "before")
			test_missing(i & 1 ? KILL : EXIT, !(i & 2));
	igt_describe("A file is closed while its fault waits for collection");
	igt_subtest("close-while-collecting")
		test_close_collecting();
	igt_describe("SVM_BIND is interrupted while it waits for a page");
	igt_subtest("bind-interrupted")
		test_bind_interrupted();
	igt_describe("A process ends while its SVM_BIND waits for it");
	igt_subtest("exit-while-binding")
		test_binding(EXIT);
	igt_subtest("kill-while-binding")
		test_binding(KILL);
	igt_describe("A file is passed to another process");
	igt_subtest("passed-fd-owner-lives")
		test_passed(false);
	igt_subtest("passed-fd-owner-gone")
		test_passed(true);
	igt_subtest("fd-outlives-owner")
		test_fd_outlives();
	igt_describe("Clients come and go");
	igt_subtest("open-close")
		test_open_close();
	igt_describe("Two files of a process");
	igt_subtest("two-files-first-first")
		test_two_files(false);
	igt_subtest("two-files-second-first")
		test_two_files(true);
	igt_describe("Mappings go while a file is closed");
	igt_subtest("unmap-while-closing")
		test_unmap_closing();
	igt_describe("Mappings change at any moment");
	igt_subtest("map-churn")
		test_churn();
	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		igt_describe("The memory that a kernel works on changes at any moment");
		igt_subtest_f("changed-while-working-%s", changes[i])
			test_changed((enum change)i);
	}
}
