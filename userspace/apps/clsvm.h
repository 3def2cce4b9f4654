/* SPDX-License-Identifier: MIT */
/**
 * DOC: OpenCL with plain pointers, in a few calls
 *
 * What the programs here have in common: one device with fine-grain system
 * SVM, one queue, one program, and kernels that take pointers from malloc().
 * A call that fails ends the program with a message that says which.
 */
#ifndef CLSVM_H
#define CLSVM_H

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct clsvm - an open device with a program built for it */
struct clsvm {
	/** @device: it, @context, @queue, @program: what it is used through */
	cl_device_id device;
	cl_context context;
	cl_command_queue queue;
	cl_program program;
	/** @name: the device's name */
	char name[128];
	/** @piece: work items that one launch gets at most; larger ranges are cut along their last dimension */
	size_t piece;
	/** @longest: seconds of the longest launch so far */
	double longest;
};

/** CLSVM_PIECE - what clsvm_open() sets @piece to: no launch of a streaming kernel takes long */
#define CLSVM_PIECE (1u << 22)

/**
 * clsvm_open() - open the first device that can follow the process's own pointers.
 * @source: OpenCL C of all kernels.
 *
 * Switches on Mesa's OpenCL for nouveau and its SVM, unless the environment
 * says otherwise.
 */
void clsvm_open(struct clsvm *c, const char *source);
void clsvm_close(struct clsvm *c);

/**
 * clsvm_run() - run a kernel and wait for it.
 * @global: work items, @local: in a group.
 *
 * In pieces, by the global offset, when there are many work items: get_global_id() is what it would be in one
 * launch, get_global_size() is not.
 * @args: a letter an argument: p pointer, u uint, i int, f float, l bytes of local memory (size_t).
 */
void clsvm_run(struct clsvm *c, const char *kernel, size_t global, size_t local, const char *args, ...);
/** clsvm_run2() - the same in two dimensions. */
void clsvm_run2(struct clsvm *c, const char *kernel, const size_t global[2], const size_t local[2],
		const char *args, ...);

/** clsvm_option() - the number after -@letter on the command line, or @value. */
unsigned long clsvm_option(int argc, char **argv, char letter, unsigned long value);
/** clsvm_random() - a small generator, the same numbers on every machine. */
uint32_t clsvm_random(uint32_t *state);
/** clsvm_now() - seconds. */
double clsvm_now(void);
/** clsvm_alloc() - malloc() that does not fail. */
void *clsvm_alloc(size_t size);
/**
 * clsvm_verdict() - print the verdict.
 * @seconds: what all launches took, @c gives what the longest one took.
 *
 * Return: the program's exit status.
 */
int clsvm_verdict(const struct clsvm *c, const char *program, bool ok, double seconds, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

#endif
