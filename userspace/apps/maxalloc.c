// SPDX-License-Identifier: MIT
/*
 * maxalloc.so: preloaded, makes an OpenCL program see a smaller CL_DEVICE_MAX_MEM_ALLOC_SIZE, of MAXALLOC bytes. clpeak, which has
 * no option for it, sizes the buffers of its bandwidth test by that: 1 GiB each, where Mesa says 2 GiB. Nothing else is changed.
 * No state, no locks.
 */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

cl_int clGetDeviceInfo(cl_device_id device, cl_device_info name, size_t size, void *value, size_t *size_ret)
{
	cl_int (*next)(cl_device_id, cl_device_info, size_t, void *, size_t *);
	const char *limit = getenv("MAXALLOC");
	void *symbol = dlsym(RTLD_NEXT, "clGetDeviceInfo");
	cl_ulong have, want;
	cl_int err;

	if (!symbol)
		return CL_INVALID_DEVICE;
	memcpy(&next, &symbol, sizeof(next));
	err = next(device, name, size, value, size_ret);
	if (err == CL_SUCCESS && name == CL_DEVICE_MAX_MEM_ALLOC_SIZE && value && limit) {
		want = strtoull(limit, NULL, 0);
		memcpy(&have, value, sizeof(have));
		if (want && want < have)
			memcpy(value, &want, sizeof(want));
	}
	return err;
}
