#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""words.py KERNEL.cl: the words that the guest's Mesa makes of an OpenCL program for the GPU, on a host without one.

All arguments of its kernels have to be pointers. In the guest tree, after "make -C userspace/fuzz", with nogpu.so, whose memory the
code is uploaded to (Documentation/gpu-model-sm.rst has the command).
"""

import os
import subprocess
import sys
import tempfile

os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
os.environ["PYOPENCL_NO_CACHE"] = "1"

# pylint: disable=wrong-import-position
import pyopencl as cl


def memory():
    """What nogpu.so's node is mapped at, piece by piece."""
    with open("/proc/self/maps", encoding="ascii") as maps, open("/proc/self/mem", "rb") as mem:
        for line in maps:
            if "memfd:nogpu" in line:
                start, end = (int(x, 16) for x in line.split()[0].split("-"))
                mem.seek(start)
                yield mem.read(end - start)


def main():
    device = cl.get_platforms()[0].get_devices()[0]
    context = cl.Context([device])
    queue = cl.CommandQueue(context)
    with open(sys.argv[1], encoding="utf-8") as file:
        program = cl.Program(context, file.read()).build()
    buffers = [cl.Buffer(context, cl.mem_flags.READ_WRITE, 4096) for _ in range(16)]
    for kernel in program.all_kernels():
        size = kernel.get_work_group_info(cl.kernel_work_group_info.COMPILE_WORK_GROUP_SIZE, device)[0] or 32
        kernel(queue, (size,), (size,), *buffers[:kernel.num_args])
    # without a GPU it returns at once, and all has been uploaded by then
    queue.finish()
    with tempfile.NamedTemporaryFile() as file:
        for piece in memory():
            file.write(piece)
        file.flush()
        return subprocess.run([os.path.join(os.environ["O"], "words"), file.name], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
