// SPDX-License-Identifier: MIT
/*
 * svm-cases [--list | CASE...]: what OpenCL programs do with shared virtual memory, a case each, every result
 * checked against the CPU. A case runs in a process of its own, so that one that crashes is one failure.
 */
#include "clsvm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 4096u
#define PAGE 4096u

static const char source[] =
	"__kernel void add(__global uint *p, uint v) { p[get_global_id(0)] += v; }\n"
	"__kernel void add_bytes(__global uchar *p, uint v) { p[get_global_id(0)] += (uchar)v; }\n"
	"__kernel void copy(__global const uint *s, __global uint *d) { d[get_global_id(0)] = s[get_global_id(0)]; }\n"
	/* every other word is the CPU's */
	"__kernel void count(__global volatile uint *p, uint rounds)\n"
	"{\n"
	"	for (uint i = 0; i < rounds; i++)\n"
	"		p[2 * get_global_id(0)]++;\n"
	"}\n"
	"struct node { __global struct node *next; uint value; };\n"
	"__kernel void walk(__global struct node *n, __global uint *sum)\n"
	"{\n"
	"	for (*sum = 0; n; n = n->next)\n"
	"		*sum += n->value;\n"
	"}\n"
	"__kernel void reduce(__global const uint *in, __global uint *out, __local uint *part)\n"
	"{\n"
	"	__local uint fixed[64];\n"
	"	uint l = get_local_id(0), s;\n"
	"	part[l] = in[get_global_id(0)];\n"
	"	fixed[l] = 3 * part[l];\n"
	"	barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	for (s = get_local_size(0) / 2; s; s /= 2) {\n"
	"		if (l < s) {\n"
	"			part[l] += part[l + s];\n"
	"			fixed[l] += fixed[l + s];\n"
	"		}\n"
	"		barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	}\n"
	"	if (!l) {\n"
	"		out[2 * get_group_id(0)] = part[0];\n"
	"		out[2 * get_group_id(0) + 1] = fixed[0];\n"
	"	}\n"
	"}\n"
	"__kernel void say(__global const uint *p)\n"
	"{\n"
	"	printf(\"item %u has %08x and %.2f\\n\", (uint)get_global_id(0), p[get_global_id(0)],\n"
	"	       0.25f * (float)get_global_id(0));\n"
	"}\n";

static struct clsvm cl;

static void must(cl_int err, const char *what)
{
	if (err == CL_SUCCESS)
		return;
	fprintf(stderr, "%s: OpenCL error %d\n", what, err);
	exit(1);
}

static uint32_t *numbers(uint32_t *p, size_t n, uint32_t base)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = base + (uint32_t)i * 2654435761u;
	return p;
}

static bool are_numbers(const uint32_t *p, size_t n, uint32_t base)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] != base + (uint32_t)i * 2654435761u) {
			fprintf(stderr, "word %zu is %08x, expected %08x\n", i, p[i],
				base + (uint32_t)i * 2654435761u);
			return false;
		}
	}
	return true;
}

static uint32_t *svm_alloc(cl_svm_mem_flags flags, size_t size)
{
	uint32_t *p = clSVMAlloc(cl.context, flags, size, 0);

	if (!p) {
		fprintf(stderr, "clSVMAlloc: no memory\n");
		exit(1);
	}
	return p;
}

static cl_command_queue new_queue(cl_command_queue_properties properties)
{
	cl_command_queue queue;
	cl_int err;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	queue = clCreateCommandQueue(cl.context, cl.device, properties, &err);
#pragma GCC diagnostic pop
	must(err, "clCreateCommandQueue");
	return queue;
}

/* An "add" that waits for events and gives one, not waited for here. */
static cl_event start_add(cl_command_queue queue, uint32_t *p, size_t n, cl_uint v, cl_uint waits,
			  const cl_event *list)
{
	cl_event done;
	cl_kernel k;
	cl_int err;

	k = clCreateKernel(cl.program, "add", &err);
	must(err, "clCreateKernel");
	must(clSetKernelArgSVMPointer(k, 0, p), "clSetKernelArgSVMPointer");
	must(clSetKernelArg(k, 1, sizeof(v), &v), "clSetKernelArg");
	must(clEnqueueNDRangeKernel(queue, k, 1, NULL, &n, NULL, waits, list, &done), "clEnqueueNDRangeKernel");
	clReleaseKernel(k);
	return done;
}

struct ticker {
	volatile uint32_t *words;
	atomic_bool *stop;
	uint32_t laps;
};

static void *tick(void *data)
{
	struct ticker *t = data;
	uint32_t i;

	do {
		for (i = 0; i < N; i++)
			t->words[2 * i + 1]++;
		t->laps++;
	} while (!atomic_load(t->stop));
	return NULL;
}

/* The CPU and the GPU count in neighbouring words of the same pages, at the same time: nobody's count is lost. */
static bool threads(void)
{
	uint32_t *p = clsvm_alloc(2 * N * 4), i;
	const uint32_t rounds = 50;
	atomic_bool stop = false;
	struct ticker t = { p, &stop, 0 };
	pthread_t thread;
	bool ok = true;

	memset(p, 0, 2 * N * 4);
	if (pthread_create(&thread, NULL, tick, &t))
		return false;
	for (i = 0; i < 4; i++)
		clsvm_run(&cl, "count", N, 64, "pu", p, rounds);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	for (i = 0; i < N && ok; i++) {
		ok = p[2 * i] == 4 * rounds && p[2 * i + 1] == t.laps;
		if (!ok)
			fprintf(stderr, "pair %u: GPU %u of %u, CPU %u of %u\n", i, p[2 * i], 4 * rounds,
				p[2 * i + 1], t.laps);
	}
	free(p);
	return ok;
}

/* clSVMAlloc'd memory, coarse and fine: mapped for the CPU, unmapped for the kernel, both see the other's words. */
static bool svmalloc(void)
{
	static const cl_svm_mem_flags kind[] = {
		CL_MEM_READ_WRITE, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER,
	};
	bool ok = true;
	size_t i;

	for (i = 0; i < 2 && ok; i++) {
		uint32_t *p = svm_alloc(kind[i], N * 4);

		must(clEnqueueSVMMap(cl.queue, CL_TRUE, CL_MAP_WRITE, p, N * 4, 0, NULL, NULL), "clEnqueueSVMMap");
		numbers(p, N, 1);
		must(clEnqueueSVMUnmap(cl.queue, p, 0, NULL, NULL), "clEnqueueSVMUnmap");
		clsvm_run(&cl, "add", N, 64, "pu", p, 5u);
		must(clEnqueueSVMMap(cl.queue, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, p, N * 4, 0, NULL, NULL),
		     "clEnqueueSVMMap");
		ok = are_numbers(p, N, 6);
		numbers(p, N, 7);
		must(clEnqueueSVMUnmap(cl.queue, p, 0, NULL, NULL), "clEnqueueSVMUnmap");
		clsvm_run(&cl, "add", N, 64, "pu", p, 1u);
		must(clFinish(cl.queue), "clFinish");
		ok = ok && are_numbers(p, N, 8);
		clSVMFree(cl.context, p);
	}
	return ok;
}

/* Copies of odd sizes between malloc'd and clSVMAlloc'd memory, after the GPU wrote the source. */
static bool memcpy_all(void)
{
	uint32_t *p[4] = { clsvm_alloc(N * 4), svm_alloc(CL_MEM_READ_WRITE, N * 4), clsvm_alloc(N * 4),
			   svm_alloc(CL_MEM_READ_WRITE, N * 4) };
	bool ok = true;
	int i;

	for (i = 0; i < 8 && ok; i++) {
		uint32_t *from = p[i % 2], *to = p[2 + i / 2 % 2];
		const size_t size = N * 4 - 4 * (size_t)i;
		cl_event done;

		numbers(from, N, (uint32_t)i);
		memset(to, 0xee, N * 4);
		clsvm_run(&cl, "add", N, 64, "pu", from, 100u);
		must(clEnqueueSVMMemcpy(cl.queue, i & 4 ? CL_TRUE : CL_FALSE, to, from, size, 0, NULL, &done),
		     "clEnqueueSVMMemcpy");
		must(clWaitForEvents(1, &done), "clWaitForEvents");
		clReleaseEvent(done);
		ok = are_numbers(to, size / 4, (uint32_t)i + 100);
		if (ok && i && to[N - 1] != 0xeeeeeeee) {
			fprintf(stderr, "copy %d: a word behind the end is %08x\n", i, to[N - 1]);
			ok = false;
		}
	}
	free(p[0]);
	free(p[2]);
	clSVMFree(cl.context, p[1]);
	clSVMFree(cl.context, p[3]);
	return ok;
}

static bool fill(unsigned char *p)
{
	unsigned char pattern[128];
	size_t size, i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (unsigned char)(0x40 + i);
	for (size = 1; size <= sizeof(pattern); size *= 2) {
		memset(p, 0, N * 4);
		must(clEnqueueSVMMemFill(cl.queue, p, pattern, size, N * 2, 0, NULL, NULL), "clEnqueueSVMMemFill");
		clsvm_run(&cl, "add_bytes", N * 4, 64, "pu", p, 1u);
		for (i = 0; i < N * 4; i++) {
			unsigned char want = (unsigned char)((i < N * 2 ? pattern[i % size] : 0) + 1);

			if (p[i] != want) {
				fprintf(stderr, "pattern of %zu: byte %zu is %02x, expected %02x\n", size, i, p[i],
					want);
				return false;
			}
		}
	}
	return true;
}

static bool memfill(void)
{
	/* the pattern's size is the least alignment that OpenCL asks for */
	unsigned char *p = aligned_alloc(128, N * 4);
	bool ok = p && fill(p);

	free(p);
	return ok;
}

static bool memfill_svmalloc(void)
{
	void *p = svm_alloc(CL_MEM_READ_WRITE, N * 4);
	bool ok = fill(p);

	clSVMFree(cl.context, p);
	return ok;
}

/* To the device and back, with kernels and the CPU between; the data survives each. */
static bool migrate(void)
{
	const size_t words = 512 * 1024 / 4;
	uint32_t *p = svm_alloc(CL_MEM_READ_WRITE, words * 4);
	const void *list[] = { p };
	const size_t sizes[] = { words * 4 };
	uint32_t i;
	bool ok = true;

	numbers(p, words, 0);
	for (i = 0; i < 3 && ok; i++) {
		must(clEnqueueSVMMigrateMem(cl.queue, 1, list, sizes, 0, 0, NULL, NULL), "clEnqueueSVMMigrateMem");
		clsvm_run(&cl, "add", words, 64, "pu", p, 1u);
		must(clEnqueueSVMMigrateMem(cl.queue, 1, list, sizes, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, NULL),
		     "clEnqueueSVMMigrateMem to the host");
		must(clFinish(cl.queue), "clFinish");
		ok = are_numbers(p, words, i + 1);
	}
	clSVMFree(cl.context, p);
	return ok;
}

struct node {
	struct node *next;
	uint32_t value;
};

/* A list whose nodes are on the stack, in static and in allocated memory, and one of clSVMAlloc'd nodes. */
static bool pointers(void)
{
	static struct node in_data = { NULL, 100 };
	struct node on_stack = { &in_data, 20 }, *head = clsvm_alloc(sizeof(*head)), *svm[8];
	uint32_t *sum = svm_alloc(CL_MEM_READ_WRITE, 4), stack_sum = 0;
	cl_kernel k;
	cl_int err;
	bool ok;
	int i;

	head->next = &on_stack;
	head->value = 3;
	clsvm_run(&cl, "walk", 1, 1, "pp", head, &stack_sum);
	ok = stack_sum == 123;
	if (!ok)
		fprintf(stderr, "sum %u, expected 123\n", stack_sum);
	for (i = 0; i < 8; i++) {
		svm[i] = (struct node *)svm_alloc(CL_MEM_READ_WRITE, sizeof(struct node));
		svm[i]->next = i ? svm[i - 1] : NULL;
		svm[i]->value = 1u << i;
	}
	k = clCreateKernel(cl.program, "walk", &err);
	must(err, "clCreateKernel");
	must(clSetKernelArgSVMPointer(k, 0, svm[7]), "clSetKernelArgSVMPointer");
	must(clSetKernelArgSVMPointer(k, 1, sum), "clSetKernelArgSVMPointer");
	must(clSetKernelExecInfo(k, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(svm), svm), "clSetKernelExecInfo");
	must(clEnqueueNDRangeKernel(cl.queue, k, 1, NULL, &(size_t){ 1 }, NULL, 0, NULL, NULL),
	     "clEnqueueNDRangeKernel");
	must(clFinish(cl.queue), "clFinish");
	clReleaseKernel(k);
	if (*sum != 255) {
		fprintf(stderr, "sum %u, expected 255\n", *sum);
		ok = false;
	}
	for (i = 0; i < 8; i++)
		clSVMFree(cl.context, svm[i]);
	clSVMFree(cl.context, sum);
	free(head);
	return ok;
}

/* The same address is unmapped and mapped anew, with other memory each time: the GPU sees what is there now. */
static bool remap(void)
{
	const size_t size = N * 4;
	void *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t *copy = clsvm_alloc(size), i;
	FILE *file = tmpfile();
	bool ok = true;

	if (!file || at == MAP_FAILED || fwrite(numbers(copy, N, 77), 4, N, file) != N || fflush(file)) {
		perror("remap");
		return false;
	}
	for (i = 0; i < 8 && ok; i++) {
		const bool of_file = i % 4 == 3;
		const int flags = MAP_FIXED | (i % 4 == 1 ? MAP_SHARED : MAP_PRIVATE) | (of_file ? 0 : MAP_ANONYMOUS);
		uint32_t *p = mmap(at, size, PROT_READ | (of_file ? 0 : PROT_WRITE), flags, of_file ? fileno(file) : -1, 0);

		if (p == MAP_FAILED) {
			perror("mmap");
			return false;
		}
		if (!of_file)
			numbers(p, N, i);
		memset(copy, 0, size);
		clsvm_run(&cl, "copy", N, 64, "pp", p, copy);
		ok = are_numbers(copy, N, of_file ? 77 : i);
	}
	munmap(at, size);
	fclose(file);
	free(copy);
	return ok;
}

/* Bytes at odd addresses over page borders; the neighbours stay. */
static bool unaligned(void)
{
	unsigned char *p = clsvm_alloc(3 * PAGE);
	const size_t from = 4093, n = 4160;
	bool ok = true;
	size_t i;

	for (i = 0; i < 3 * PAGE; i++)
		p[i] = (unsigned char)(i * 7);
	clsvm_run(&cl, "add_bytes", n, 64, "pu", p + from, 9u);
	for (i = 0; i < 3 * PAGE && ok; i++) {
		unsigned char want = (unsigned char)(i * 7 + (i >= from && i < from + n ? 9 : 0));

		ok = p[i] == want;
		if (!ok)
			fprintf(stderr, "byte %zu is %02x, expected %02x\n", i, p[i], want);
	}
	free(p);
	return ok;
}

/* Local memory, an argument and one of a fixed size, with barriers. */
static bool local_memory(void)
{
	uint32_t *in = numbers(clsvm_alloc(N * 4), N, 11), *out = clsvm_alloc(N / 64 * 8), i, j;
	bool ok = true;

	clsvm_run(&cl, "reduce", N, 64, "ppl", in, out, (size_t)64 * 4);
	for (i = 0; i < N / 64 && ok; i++) {
		uint32_t sum = 0;

		for (j = 0; j < 64; j++)
			sum += in[64 * i + j];
		ok = out[2 * i] == sum && out[2 * i + 1] == 3 * sum;
		if (!ok)
			fprintf(stderr, "group %u: %08x and %08x, expected %08x and %08x\n", i, out[2 * i],
				out[2 * i + 1], sum, 3 * sum);
	}
	free(in);
	free(out);
	return ok;
}

static void CL_CALLBACK on_complete(cl_event event, cl_int status, void *data)
{
	(void)event;
	atomic_store((atomic_int *)data, status == CL_COMPLETE ? 1 : -1);
}

/* A user event holds a kernel back; then it runs, its call-back comes, its times are in order. */
static bool events(void)
{
	cl_command_queue queue = new_queue(CL_QUEUE_PROFILING_ENABLE);
	uint32_t *p = numbers(clsvm_alloc(N * 4), N, 0);
	cl_ulong queued, submit, start, end;
	atomic_int called = 0;
	cl_event gate, done;
	cl_int err, status;
	bool ok;
	int i;

	gate = clCreateUserEvent(cl.context, &err);
	must(err, "clCreateUserEvent");
	done = start_add(queue, p, N, 1, 1, &gate);
	must(clSetEventCallback(done, CL_COMPLETE, on_complete, &called), "clSetEventCallback");
	must(clFlush(queue), "clFlush");
	usleep(50000);
	must(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL),
	     "clGetEventInfo");
	ok = status != CL_COMPLETE && are_numbers(p, N, 0);
	if (!ok)
		fprintf(stderr, "the kernel did not wait for the user event\n");
	must(clSetUserEventStatus(gate, CL_COMPLETE), "clSetUserEventStatus");
	must(clWaitForEvents(1, &done), "clWaitForEvents");
	ok = are_numbers(p, N, 1) && ok;
	must(clGetEventProfilingInfo(done, CL_PROFILING_COMMAND_QUEUED, 8, &queued, NULL), "queued");
	must(clGetEventProfilingInfo(done, CL_PROFILING_COMMAND_SUBMIT, 8, &submit, NULL), "submit");
	must(clGetEventProfilingInfo(done, CL_PROFILING_COMMAND_START, 8, &start, NULL), "start");
	must(clGetEventProfilingInfo(done, CL_PROFILING_COMMAND_END, 8, &end, NULL), "end");
	if (!(queued && queued <= submit && submit <= start && start < end)) {
		fprintf(stderr, "queued %lu, submitted %lu, started %lu, ended %lu\n", queued, submit, start, end);
		ok = false;
	}
	for (i = 0; i < 1000 && !atomic_load(&called); i++)
		usleep(10000);
	if (atomic_load(&called) != 1) {
		fprintf(stderr, "the call-back said %d\n", atomic_load(&called));
		ok = false;
	}
	clReleaseEvent(gate);
	clReleaseEvent(done);
	clReleaseCommandQueue(queue);
	free(p);
	return ok;
}

/* Four queues take turns on one array, in the order that events say, and each works on one of its own. */
static bool queues(void)
{
	enum { COUNT = 4, ROUNDS = 4 };
	uint32_t *shared = numbers(clsvm_alloc(N * 4), N, 0), *own[COUNT];
	cl_command_queue queue[COUNT];
	cl_event last = NULL;
	bool ok = true;
	int i, r;

	for (i = 0; i < COUNT; i++) {
		queue[i] = new_queue(0);
		own[i] = numbers(clsvm_alloc(N * 4), N, (uint32_t)i);
	}
	for (r = 0; r < ROUNDS; r++) {
		for (i = 0; i < COUNT; i++) {
			cl_event next = start_add(queue[i], shared, N, 1u << i, last ? 1 : 0, last ? &last : NULL);

			if (last)
				clReleaseEvent(last);
			last = next;
			clReleaseEvent(start_add(queue[i], own[i], N, 10, 0, NULL));
			must(clFlush(queue[i]), "clFlush");
		}
	}
	for (i = 0; i < COUNT; i++)
		must(clFinish(queue[i]), "clFinish");
	clReleaseEvent(last);
	ok = are_numbers(shared, N, ROUNDS * ((1u << COUNT) - 1));
	for (i = 0; i < COUNT; i++) {
		ok = are_numbers(own[i], N, (uint32_t)i + 10 * ROUNDS) && ok;
		clReleaseCommandQueue(queue[i]);
		free(own[i]);
	}
	free(shared);
	return ok;
}

/* Two contexts on one device: a kernel of each on the same malloc'd memory in turn. */
static bool contexts(void)
{
	uint32_t *p = numbers(clsvm_alloc(N * 4), N, 0), i;
	struct clsvm other;
	bool ok;

	clsvm_open(&other, source);
	for (i = 0; i < 4; i++)
		clsvm_run(i % 2 ? &other : &cl, "add", N, 64, "pu", p, 1u << i);
	ok = are_numbers(p, N, 15);
	clsvm_close(&other);
	clsvm_run(&cl, "add", N, 64, "pu", p, 16u);
	ok = are_numbers(p, N, 31) && ok;
	free(p);
	return ok;
}

/* What kernels print comes out on standard output, a line an item. */
static bool kernel_printf(void)
{
	uint32_t *p = numbers(clsvm_alloc(64 * 4), 64, 0xabc), i, seen = 0;
	char name[] = "/tmp/svm-cases-XXXXXX", line[128], want[128];
	int fd = mkstemp(name), saved = dup(1);
	bool had[64] = { false };
	FILE *file;

	fflush(stdout);
	if (fd < 0 || saved < 0 || dup2(fd, 1) < 0) {
		perror("printf");
		return false;
	}
	clsvm_run(&cl, "say", 64, 8, "p", p);
	fflush(stdout);
	dup2(saved, 1);
	close(saved);
	lseek(fd, 0, SEEK_SET);
	file = fdopen(fd, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "item %u has", &i) != 1 || i >= 64 || had[i])
			break;
		snprintf(want, sizeof(want), "item %u has %08x and %.2f\n", i, p[i], 0.25 * i);
		if (strcmp(line, want))
			break;
		had[i] = true;
		seen++;
	}
	if (seen != 64)
		fprintf(stderr, "%u right lines of 64; the next one: %s\n", seen, line);
	if (file)
		fclose(file);
	unlink(name);
	free(p);
	return seen == 64;
}

/* Two processes with other data at the same address, both at work at once. The parent's device stays unused. */
static bool processes(void)
{
	void *const at = (void *)0x600000000000;
	uint32_t *p = mmap(at, N * 4, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	bool ok = true;
	int i, status;

	if (p != at) {
		perror("mmap");
		return false;
	}
	for (i = 0; i < 2; i++) {
		if (fork() == 0) {
			uint32_t base = 1000 * (uint32_t)i, r;

			numbers(p, N, base);
			clsvm_open(&cl, source);
			for (r = 0; r < 8; r++)
				clsvm_run(&cl, "add", N, 64, "pu", p, (cl_uint)i + 1);
			_exit(are_numbers(p, N, base + 8 * ((uint32_t)i + 1)) ? 0 : 1);
		}
	}
	for (i = 0; i < 2; i++) {
		if (wait(&status) < 0 || status) {
			fprintf(stderr, "a process ended with %#x\n", status);
			ok = false;
		}
	}
	return ok;
}

static const struct {
	const char *name;
	bool (*run)(void);
	bool opens;
} cases[] = {
	{ "threads", threads, true },
	{ "svmalloc", svmalloc, true },
	{ "memcpy", memcpy_all, true },
	{ "memfill", memfill, true },
	{ "memfill-svmalloc", memfill_svmalloc, true },
	{ "migrate", migrate, true },
	{ "pointers", pointers, true },
	{ "remap", remap, true },
	{ "unaligned", unaligned, true },
	{ "local-memory", local_memory, true },
	{ "events", events, true },
	{ "queues", queues, true },
	{ "contexts", contexts, true },
	{ "printf", kernel_printf, true },
	{ "processes", processes, false },
};

static bool wanted(int argc, char **argv, const char *name)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return argc < 2;
}

int main(int argc, char **argv)
{
	int status, failed = 0, ran = 0;
	size_t i;
	pid_t pid;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc > 1 && !strcmp(argv[1], "--list")) {
			puts(cases[i].name);
			continue;
		}
		if (!wanted(argc, argv, cases[i].name))
			continue;
		ran++;
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			alarm(120);
			if (cases[i].opens)
				clsvm_open(&cl, source);
			status = !cases[i].run();
			fflush(stdout);
			_exit(status);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0) {
			perror("fork");
			return 1;
		}
		if (!status)
			printf("PASS svm-cases@%s\n", cases[i].name);
		else if (WIFSIGNALED(status))
			printf("FAIL svm-cases@%s: %s\n", cases[i].name, strsignal(WTERMSIG(status)));
		else
			printf("FAIL svm-cases@%s: exit status %d\n", cases[i].name, WEXITSTATUS(status));
		failed += status != 0;
	}
	if (!ran && !(argc > 1 && !strcmp(argv[1], "--list"))) {
		fprintf(stderr, "no such case\n");
		return 2;
	}
	return failed != 0;
}
