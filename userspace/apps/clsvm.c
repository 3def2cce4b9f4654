// SPDX-License-Identifier: MIT
/* OpenCL with plain pointers, in a few calls; clsvm.h has the interface. */
#include "clsvm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(cl_int err, const char *what)
{
	if (err == CL_SUCCESS)
		return;
	fprintf(stderr, "%s: OpenCL error %d\n", what, err);
	exit(1);
}

static bool follows_pointers(cl_device_id device)
{
	cl_device_svm_capabilities caps = 0;

	if (clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(caps), &caps, NULL) != CL_SUCCESS)
		return false;
	return caps & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM;
}

static bool find_device(struct clsvm *c)
{
	cl_platform_id platform[16];
	cl_device_id device[16];
	cl_uint np = 0, nd, p, d;

	if (clGetPlatformIDs(16, platform, &np) != CL_SUCCESS)
		return false;
	for (p = 0; p < np && p < 16; p++) {
		nd = 0;
		if (clGetDeviceIDs(platform[p], CL_DEVICE_TYPE_ALL, 16, device, &nd) != CL_SUCCESS)
			continue;
		for (d = 0; d < nd && d < 16; d++) {
			if (follows_pointers(device[d])) {
				c->device = device[d];
				return true;
			}
		}
	}
	return false;
}

static void build(struct clsvm *c, const char *source)
{
	cl_int err;

	c->program = clCreateProgramWithSource(c->context, 1, &source, NULL, &err);
	must(err, "clCreateProgramWithSource");
	err = clBuildProgram(c->program, 1, &c->device, "", NULL, NULL);
	if (err != CL_SUCCESS) {
		static char log[65536];

		clGetProgramBuildInfo(c->program, c->device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL);
		fprintf(stderr, "%s\n", log);
	}
	must(err, "clBuildProgram");
}

void clsvm_open(struct clsvm *c, const char *source)
{
	cl_int err;

	memset(c, 0, sizeof(*c));
	setenv("RUSTICL_ENABLE", "nouveau", 0);
	setenv("NOUVEAU_SVM", "1", 0);
	setenv("NOUVEAU_SHADER_WATCHDOG", "0", 0);
	if (!find_device(c)) {
		fprintf(stderr, "no OpenCL device with fine-grain system SVM\n");
		exit(1);
	}
	must(clGetDeviceInfo(c->device, CL_DEVICE_NAME, sizeof(c->name), c->name, NULL), "clGetDeviceInfo");
	c->context = clCreateContext(NULL, 1, &c->device, NULL, NULL, &err);
	must(err, "clCreateContext");
	c->piece = CLSVM_PIECE;
	/* The older call: Mesa reports OpenCL 1.2 for these GPUs, although it has the newer one. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	c->queue = clCreateCommandQueue(c->context, c->device, 0, &err);
#pragma GCC diagnostic pop
	must(err, "clCreateCommandQueue");
	build(c, source);
}

void clsvm_close(struct clsvm *c)
{
	clReleaseProgram(c->program);
	clReleaseCommandQueue(c->queue);
	clReleaseContext(c->context);
}

static void set_args(cl_kernel k, const char *args, va_list ap)
{
	cl_uint i;

	for (i = 0; args[i]; i++) {
		cl_uint u;
		cl_float f;

		switch (args[i]) {
		case 'p':
			must(clSetKernelArgSVMPointer(k, i, va_arg(ap, void *)), "clSetKernelArgSVMPointer");
			break;
		case 'u':
		case 'i':
			u = va_arg(ap, cl_uint);
			must(clSetKernelArg(k, i, sizeof(u), &u), "clSetKernelArg");
			break;
		case 'f':
			f = (cl_float)va_arg(ap, double);
			must(clSetKernelArg(k, i, sizeof(f), &f), "clSetKernelArg");
			break;
		case 'l':
			must(clSetKernelArg(k, i, va_arg(ap, size_t), NULL), "clSetKernelArg");
			break;
		default:
			abort();
		}
	}
}

static void run(struct clsvm *c, const char *name, cl_uint dims, const size_t *global, const size_t *local,
		const char *args, va_list ap)
{
	const cl_bool yes = CL_TRUE;
	cl_uint last = dims - 1;
	size_t rows = c->piece / (last ? global[0] : 1) / local[last] * local[last], at;
	cl_kernel k;
	cl_int err;

	if (rows < local[last])
		rows = local[last];

	k = clCreateKernel(c->program, name, &err);
	must(err, "clCreateKernel");
	set_args(k, args, ap);
	/* The kernel may follow any pointer of the process. */
	must(clSetKernelExecInfo(k, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, sizeof(yes), &yes),
	     "clSetKernelExecInfo");
	for (at = 0; at < global[last]; at += rows) {
		size_t offset[2] = { 0 }, part[2] = { global[0], global[last] };
		double start = clsvm_now();

		offset[last] = at;
		part[last] = global[last] - at < rows ? global[last] - at : rows;
		must(clEnqueueNDRangeKernel(c->queue, k, dims, offset, part, local, 0, NULL, NULL),
		     "clEnqueueNDRangeKernel");
		must(clFinish(c->queue), "clFinish");
		start = clsvm_now() - start;
		if (start > c->longest)
			c->longest = start;
	}
	clReleaseKernel(k);
}

void clsvm_run(struct clsvm *c, const char *kernel, size_t global, size_t local, const char *args, ...)
{
	va_list ap;

	va_start(ap, args);
	run(c, kernel, 1, &global, &local, args, ap);
	va_end(ap);
}

void clsvm_run2(struct clsvm *c, const char *kernel, const size_t global[2], const size_t local[2],
		const char *args, ...)
{
	va_list ap;

	va_start(ap, args);
	run(c, kernel, 2, global, local, args, ap);
	va_end(ap);
}

unsigned long clsvm_option(int argc, char **argv, char letter, unsigned long value)
{
	int i;

	for (i = 1; i + 1 < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1] == letter && !argv[i][2]) {
			char *end;
			unsigned long v = strtoul(argv[i + 1], &end, 0);

			if (!*argv[i + 1] || *end) {
				fprintf(stderr, "-%c wants a number\n", letter);
				exit(2);
			}
			return v;
		}
	}
	return value;
}

uint32_t clsvm_random(uint32_t *state)
{
	/* Marsaglia's xorshift */
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

double clsvm_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void *clsvm_alloc(size_t size)
{
	void *p = malloc(size);

	if (!p) {
		fprintf(stderr, "no memory for %zu bytes\n", size);
		exit(1);
	}
	return p;
}

int clsvm_verdict(const struct clsvm *c, const char *program, bool ok, double seconds, const char *fmt, ...)
{
	va_list ap;

	printf("%s %s: ", ok ? "PASS" : "FAIL", program);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (%.3f s on the GPU, longest launch %.3f s)\n", seconds, c->longest);
	return ok ? 0 : 1;
}
