/* SPDX-License-Identifier: MIT */
/**
 * DOC: what the SVM tests have in common
 *
 * A client of nouveau's SVM with the ready-made kernels loaded, memory of a
 * known page kind, the question where a page lives, and the ledger of the GPU
 * between two moments.  Everything here asserts: a test that calls it goes on
 * only when it did what it says.
 */
#ifndef SVM_TEST_H
#define SVM_TEST_H

#include <pthread.h>

#include "igt.h"
#include "nouveau_chan.h"

#define SZ_4K 0x1000ul
#define SZ_64K 0x10000ul
#define SZ_1M 0x100000ul
#define SZ_2M 0x200000ul

/** struct svm - a client: file, channel, kernels */
struct svm {
	/** @dev: the file, SVM switched on */
	struct nv_dev dev;
	/** @chan: a GR channel */
	struct nv_chan chan;
	/** @out: a buffer in the cut-out for results, so that reading memory touches nothing else */
	struct nv_bo out;
	/** @read, ...: the ready-made programs; _page ones have a stride of 4 KiB */
	struct nv_kernel read, write, add, add_same, read_page, write_page, add_page, walk_page, chase;
};

void svm_open(struct svm *svm);
/** svm_open_on() - on GPU @index of the machine; skips when there is none. */
void svm_open_on(struct svm *svm, int index);
void svm_close(struct svm *svm);

/** svm_gpu_read() - word at @addr, as the GPU sees it. */
uint32_t svm_gpu_read(struct svm *svm, const void *addr);
/** svm_gpu_write() - the GPU writes @value to @addr. */
void svm_gpu_write(struct svm *svm, void *addr, uint32_t value);
/** svm_gpu_add() - the GPU adds @value to the word at @addr, atomically, by @threads threads at once. */
void svm_gpu_add(struct svm *svm, void *addr, uint32_t value, uint32_t threads);
/** svm_gpu_check_pages() - the GPU reads the first word of @n pages; each must be @first, @first + 1, ... */
void svm_gpu_check_pages(struct svm *svm, const void *addr, uint32_t n, uint32_t first);
/** svm_gpu_write_pages() - the GPU writes @first, @first + 1, ... to the first word of @n pages. */
void svm_gpu_write_pages(struct svm *svm, void *addr, uint32_t n, uint32_t first);
/** svm_gpu_try() - launch on a fault that may be fatal.  Return: 0, -ENODEV when the channel was killed. */
int svm_gpu_try(struct svm *svm, const struct nv_kernel *kernel, uint64_t dst, uint64_t src, uint32_t value);

/** svm_cpu_write_pages() - the first word of page i becomes @first + i, the last word its complement. */
void svm_cpu_write_pages(void *addr, uint32_t n, uint32_t first);
/** svm_cpu_check_pages() - check what svm_cpu_write_pages() or svm_gpu_write_pages() wrote; @whole: also the last words. */
void svm_cpu_check_pages(const void *addr, uint32_t n, uint32_t first, bool whole);

/** svm_cpu_try() - read a word that may raise SIGBUS.  Threads may do so at once.  Return: false when it did. */
bool svm_cpu_try(const void *addr, uint32_t *value);

/** svm_bind_vram() - SVM_BIND [addr, addr + len) to VRAM. With our driver all of it is there then. */
void svm_bind_vram(struct svm *svm, const void *addr, size_t len);
/** svm_bind_vram_dev() - the same for a file without kernels. */
void svm_bind_vram_dev(struct nv_dev *dev, const void *addr, size_t len);
/** svm_bind_vram_some() - the same where some of it may stay, or all: it is held, or is of a kind that does not move. */
void svm_bind_vram_some(struct svm *svm, const void *addr, size_t len);

/** svm_migrate_on_fault() - set the driver's policy.  Return: false when this driver has no such switch. */
bool svm_migrate_on_fault(bool on);

enum page_kind { PAGES_4K, PAGES_THP };

/** svm_alloc() - anonymous memory of @len bytes, aligned to 2 MiB, written by the CPU, of the page kind wanted. */
void *svm_alloc(size_t len, enum page_kind kind);
void svm_free(void *addr, size_t len);

enum page_place { PAGE_NOWHERE, PAGE_IN_RAM, PAGE_IN_VRAM, PAGE_SWAPPED };

/** svm_page_place() - where the page at @addr lives, by /proc/self/pagemap. */
enum page_place svm_page_place(const void *addr);
/** svm_count_pages() - pages of [addr, addr + len) that are at @place. */
size_t svm_count_pages(const void *addr, size_t len, enum page_place place);
/** svm_page_moves() - true while the page at @addr is being migrated, by /proc/self/pagemap. */
bool svm_page_moves(const void *addr);
/** svm_page_is_thp() - true when the page at @addr is part of a huge page in RAM. */
bool svm_page_is_thp(const void *addr);
/** svm_page_pfn() - frame number of a page in RAM, 0: not in RAM */
uint64_t svm_page_pfn(const void *addr);
/** svm_locked() - bytes that the process has locked of the mapping that begins at @addr, by /proc/self/smaps. */
uint64_t svm_locked(const void *addr);

/** svm_ledger_start() - wait until the GPU is idle, set all counters to 0. */
void svm_ledger_start(void);
/** svm_ledger_stop() - wait until the GPU is idle, take the counters. */
void svm_ledger_stop(void);
/** svm_ledger() - a counter between start and stop. */
uint64_t svm_ledger(const char *name);

/* --- the driver's own view; Linux 7.3's code has none --- */

/** svm_driver_open() - the driver's "svm" in debugfs.  Return: NULL when there is none. */
FILE *svm_driver_open(void);
/** svm_driver_counter() - a line of debugfs.  Return: false when there is none of this name. */
bool svm_driver_counter(const char *name, uint64_t *value);
/** svm_driver_range() - what is behind "leaves" of the range that starts at @addr.  Return: NULL when it is not listed. */
const char *svm_driver_range(const void *addr);
/** svm_fault_record() - what the driver recorded of the cancelled fault at @addr.  Return: its error, 0: nothing. */
int svm_fault_record(const void *addr);

/** svm_chan_inst() - address of the instance block of the client's channel, by the first GPU's registers. */
uint64_t svm_chan_inst(const struct svm *svm);

/** svm_log_start() - read the kernel's log, from now on. */
void svm_log_start(void);
/** svm_log_whole() - the same, from the first line that there is. */
void svm_log_whole(void);
/** svm_log_lines() - how many lines came since then with all of these texts; each may be NULL. */
unsigned int svm_log_lines(const char *with, const char *and_with);

/** svm_write_text() - write to a file of sysfs, cgroupfs or tracefs, emptied first.  Return: false when that fails. */
bool svm_write_text(const char *path, const char *text);
/** svm_must_write() - the same, where failing fails the test. */
void svm_must_write(const char *path, const char *text);

/**
 * svm_fail_in() - from now on the next @n injection points of a function of the driver's fail; 0 ends that.
 * The test is skipped when the driver has none.
 */
void svm_fail_in(const char *func, unsigned int n);
/** svm_fail_in_end() - end that, if the driver has any. */
void svm_fail_in_end(void);
/** svm_fail_in_left() - how many of them are still to fail. */
unsigned int svm_fail_in_left(void);

/** svm_trace_on() - record what the driver's trace points say, from now on. */
void svm_trace_on(void);
/** svm_trace_off() - no more; what was recorded stays. */
void svm_trace_off(void);
/** svm_trace_drop() - forget what was recorded. */
void svm_trace_drop(void);
/** svm_traced() - how often @event was recorded with all of these texts; each may be NULL. */
unsigned int svm_traced(const char *event, const char *with, const char *and_with);

/** svm_gpu_slot() - the first GPU's name on the PCI bus: "0000:00:03.0" */
void svm_gpu_slot(char slot[64]);
void svm_driver_unbind(const char *slot);
/** svm_driver_bind() - and wait for the render node, which is there when this returns. */
void svm_driver_bind(const char *slot);
/** svm_wait_node() - wait for the render node of a GPU that comes. */
void svm_wait_node(void);

/* --- the model's events --- */

struct gpu_model_inject;
/** svm_inject() - arm an injection point of the model; skips without one. */
void svm_inject(const struct gpu_model_inject *inj);
/** svm_copy_channel() - number of the channel that pages move on: the one on the copy engine since the last copy. */
uint64_t svm_copy_channel(void);
/**
 * svm_kill_channel() - a channel's PBDMA reports an error, upon which nouveau kills it.
 * Return: 0 when its interrupt has been served, -ETIMEDOUT when it is not killed, or a negative errno.
 */
int svm_kill_channel(uint64_t id);
/** svm_injected() - how often @point fired since the model started; disarms all. */
uint64_t svm_injected(const char *point);

/* --- pressure --- */

/** struct svm_vram - buffers that fill VRAM */
struct svm_vram {
	/** @bo: the buffers, @nr: how many */
	struct nv_bo *bo;
	uint32_t nr;
};

/** svm_vram_size() - bytes of VRAM, of the whole card, in blocks of 2 MiB. */
uint64_t svm_vram_size(struct svm *svm);
/** svm_vram_fill() - take all VRAM with buffers; what else is there has to go. */
void svm_vram_fill(struct svm *svm, struct svm_vram *fill);
void svm_vram_release(struct svm_vram *fill);

/** struct svm_busy - a kernel that runs until it is told to go on, and most of VRAM in buffers that it uses */
struct svm_busy {
	/** @svm: the client, @bo: the buffers */
	struct svm *svm;
	struct nv_bo bo[13];
};

/** svm_busy_begin() - start it; the last thing it will do is to read the word at @addr. */
void svm_busy_begin(struct svm *svm, struct svm_busy *busy, const void *addr);
/** svm_busy_begin_watch() - the same; it goes on by itself, too, as soon as that word is not @value any more. */
void svm_busy_begin_watch(struct svm *svm, struct svm_busy *busy, const void *addr, uint32_t value);
/** svm_busy_go() - it may go on. */
void svm_busy_go(struct svm_busy *busy);
/** svm_busy_end() - wait @timeout_ms until it has, give the buffers back.  Return: the word. */
uint32_t svm_busy_end(struct svm_busy *busy, unsigned int timeout_ms);

/** struct svm_worker - a kernel that adds one to the first word of each page of @p, again and again, by a thread */
struct svm_worker {
	/** @svm: the client; its channel is the thread's; @p: the memory, of zeroes; @len: bytes */
	struct svm *svm;
	char *p;
	size_t len;
	/** @rounds: how often it has; @err: what ended it too early; @stop: that it shall; @thread: it */
	uint32_t rounds;
	int err;
	bool stop;
	pthread_t thread;
};

/** svm_worker_begin() - start it. */
void svm_worker_begin(struct svm_worker *w);
/** svm_worker_goes_on() - wait until it has come @rounds further. */
void svm_worker_goes_on(struct svm_worker *w, uint32_t rounds);
/** svm_worker_end() - stop it, and look whether each sum is there. */
void svm_worker_end(struct svm_worker *w);

/** svm_pin() - pin pages for long, as a fixed buffer of io_uring.  Return: close it to end that. */
int svm_pin(void *addr, size_t len);
struct iovec;
/** svm_pin_all() - the same for @nr stretches. */
int svm_pin_all(const struct iovec *iov, unsigned int nr);

/** struct svm_slow - missing memory: who touches it waits until somebody supplies it (userfaultfd) */
struct svm_slow {
	/** @fd: of userfaultfd, @addr: the memory, @len: bytes */
	int fd;
	char *addr;
	size_t len;
};

/** svm_slow_begin() - from now on who touches [addr, addr + len) waits; it must be missing. */
void svm_slow_begin(struct svm_slow *slow, void *addr, size_t len);
/** svm_slow_hit() - Return: true as soon as somebody waits, false after @timeout_ms. */
bool svm_slow_hit(struct svm_slow *slow, int timeout_ms);
/** svm_slow_end() - the first word of page i is @first + i; who waits goes on. */
void svm_slow_end(struct svm_slow *slow, uint32_t first);

/** svm_swap_on() - swap to compressed memory (zram) of @size; skips when the kernel has none. */
void svm_swap_on(size_t size);
void svm_swap_off(void);

#define SVM_DISK "/run/nvsvm-disk"
/** svm_disk_on() - a file system with writeback, ext4 on zram of @size, at SVM_DISK; skips when the kernel has none. */
void svm_disk_on(size_t size);
/** svm_disk_again() - unmount it, and mount it again: what is read then, the disk has. */
void svm_disk_again(void);
void svm_disk_off(void);

/** svm_cgroup_enter() - this process goes into a new memory cgroup that may hold @max bytes of RAM. */
void svm_cgroup_enter(size_t max);
/** svm_cgroup_event() - how often @name happened in that cgroup, by its memory.events. */
uint64_t svm_cgroup_event(const char *name);
/** svm_cgroup_leave() - back to the root, and the cgroup is removed. */
void svm_cgroup_leave(void);

/** svm_has_pagemap() - Return: whether there are device pages, or some are being made. */
bool svm_has_pagemap(void);
/**
 * svm_services() - the driver's threads that serve address spaces
 * @own: those of this process's, as many as @max at most
 *
 * Return: how many are in @own; *@all, unless NULL, is how many there are of all processes.
 */
uint32_t svm_services(pid_t *own, uint32_t max, uint32_t *all);

/** svm_now_us() - Return: microseconds since some time before the test. */
uint64_t svm_now_us(void);

#endif
