#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cl-loop.py FILE: OpenCL on buffers, without shared virtual memory, over and over until FILE is there.

Prints "turn 1" after the first turn, and at the end "PASS cl-loop turns: N" when each result was right.
"""
import os
import sys

import numpy as np
import pyopencl as cl

SOURCE = '''
kernel void step(global const uint *a, global const uint *b, global uint *c)
{
	uint i = get_global_id(0), v = a[i];

	for (uint k = 0; k < 20; k++)
		v = v * 1664525u + b[i];
	c[i] = v;
}
'''
N = 4096


def main(stop):
    device = [d for p in cl.get_platforms() for d in p.get_devices() if 'GP1' in d.name or 'NV' in d.name][0]
    ctx = cl.Context([device])
    queue = cl.CommandQueue(ctx)
    program = cl.Program(ctx, SOURCE).build()
    rng = np.random.default_rng(1)
    turns = 0
    while turns == 0 or not os.path.exists(stop):
        a, b = (rng.integers(0, 2**32, N, dtype=np.uint32) for _ in range(2))
        flags = cl.mem_flags.READ_ONLY | cl.mem_flags.COPY_HOST_PTR
        bufs = [cl.Buffer(ctx, flags, hostbuf=x) for x in (a, b)]
        out = cl.Buffer(ctx, cl.mem_flags.WRITE_ONLY, a.nbytes)
        program.step(queue, (N,), (64,), *bufs, out)
        got = np.empty_like(a)
        cl.enqueue_copy(queue, got, out)
        want = a.copy()
        for _ in range(20):
            want = want * np.uint32(1664525) + b
        assert np.array_equal(got, want), f'turn {turns}: {np.flatnonzero(got != want)[:5]}'
        turns += 1
        if turns == 1:
            print('turn 1', flush=True)
    print(f'PASS cl-loop turns: {turns}')


if __name__ == '__main__':
    main(sys.argv[1])
