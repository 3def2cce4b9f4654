#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""svm-numpy [N]: numpy arrays, plain malloc'd memory, given to OpenCL kernels as pointers."""

import os
import sys

os.environ.setdefault("RUSTICL_ENABLE", "nouveau")
os.environ.setdefault("NOUVEAU_SVM", "1")
os.environ.setdefault("NOUVEAU_SHADER_WATCHDOG", "0")
os.environ.setdefault("PYOPENCL_NO_CACHE", "1")

# pylint: disable=wrong-import-position
import numpy as np
import pyopencl as cl

SOURCE = """
__kernel void saxpy(__global const float *x, __global float *y, float a)
{
	uint i = get_global_id(0);
	y[i] = fma(a, x[i], y[i]);
}

__kernel void count_bits(__global const uint *x, __global uchar *bits)
{
	bits[get_global_id(0)] = popcount(x[get_global_id(0)]);
}
"""


def find_device():
    for platform in cl.get_platforms():
        for device in platform.get_devices():
            if device.svm_capabilities & cl.device_svm_capabilities.FINE_GRAIN_SYSTEM:
                return device
    sys.exit("no OpenCL device with fine-grain system SVM")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
    device = find_device()
    context = cl.Context([device])
    queue = cl.CommandQueue(context)
    program = cl.Program(context, SOURCE).build()

    x = np.arange(count, dtype=np.float32)
    y = np.ones(count, dtype=np.float32)
    saxpy = cl.Kernel(program, "saxpy")
    saxpy(queue, (count,), (64,), cl.SVM(x), cl.SVM(y), np.float32(0.5))
    queue.finish()
    good = bool(np.array_equal(y, np.float32(0.5) * x + np.float32(1)))
    print(f"{'PASS' if good else 'FAIL'} svm-numpy/saxpy: {count} elements on {device.name}")

    words = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
    bits = np.zeros(count, dtype=np.uint8)
    count_bits = cl.Kernel(program, "count_bits")
    count_bits(queue, (count,), (64,), cl.SVM(words), cl.SVM(bits))
    queue.finish()
    wanted = np.unpackbits(words.view(np.uint8).reshape(count, 4), axis=1).sum(axis=1)
    right = bool(np.array_equal(bits, wanted))
    print(f"{'PASS' if right else 'FAIL'} svm-numpy/count-bits: {int(bits.sum())}, expected {int(wanted.sum())}")
    return 0 if good and right else 1


if __name__ == "__main__":
    sys.exit(main())
