#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Differential fuzzer for the shader cores.

clfuzz.py run makes random OpenCL kernels from a seed, runs them on one OpenCL
device and writes what they computed, one JSON line a kernel.  The same seed
gives the same kernels everywhere, so that the run in the guest (rusticl on the
emulated GPU) and one on the host (pocl) can be compared by clfuzz.py diff.
Where they differ, others are asked: a C compiler without optimisation, which
takes the kernel's text as C (clfuzz.py c, opencl.h), and Mesa's llvmpipe, which
shares the front end with the GPU's driver and nothing of what makes or executes
its code.  clkernel.py makes the kernels.
"""
import argparse
import base64
import ctypes
import glob
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import time

from clkernel import ABSOLUTE, ACC_START, INPUTS, ITEMS, Kernel, PRELUDE, inputs

NO_DEVICE = 77       # exit status of a child that found no device

# The kernel's arguments, parts of one buffer: what creating, writing and reading it takes counts in the guest.  Type, number and room
# in bytes, which keeps each part aligned for sub-buffers of any device.
LAYOUT = {
    "in": ("u4", INPUTS, 4096), "out": ("u4", ITEMS * 6, 8192), "out64": ("u8", ITEMS * 6, 12288),
    "fo": ("u4", ITEMS * 2, 4096), "acc": ("u4", len(ACC_START), 4096),
}


def results(path):
    """
    Seed to result, of all parts of a file of results; one whose compiler died has the key "died".  A line that was being written when
    its process was killed is no result.
    """
    found = {}
    for part in sorted(glob.glob(glob.escape(path) + ".*")) + [path]:
        try:
            with open(part) as f:
                lines = f.readlines()
        except FileNotFoundError:
            continue
        for line in lines:
            try:
                r = json.loads(line)
            except ValueError:
                continue
            found[r["seed"]] = r
    return found


def pack(array):
    """The bytes of an array of numbers, as text."""
    return base64.b64encode(array.tobytes()).decode()


def unpack(text, size):
    """The numbers of @size bytes each that pack() packed."""
    data = base64.b64decode(text)
    return struct.unpack(f"<{len(data) // size}{'I' if size == 4 else 'Q'}", data)


def run(args):
    """
    Run all kernels that have no result yet, in --jobs processes.  Each writes a part of its own, PATH.0 and so on, so that one that is
    killed spoils its last line only.
    """
    if not args.resume:
        for part in glob.glob(glob.escape(args.out) + ".*") + [args.out]:
            if os.path.exists(part):
                os.unlink(part)
    open(args.out, "a").close()
    done = results(args.out)
    wanted = range(args.seed, args.seed + args.count) if args.seeds is None else args.seeds
    seeds = [s for s in wanted if s not in done]
    share = -(-len(seeds) // args.jobs)
    os.environ.setdefault("PYOPENCL_NO_CACHE", "1")
    with tempfile.TemporaryDirectory(prefix="clfuzz.") as cache:
        if not os.access(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), os.W_OK):
            os.environ["XDG_CACHE_HOME"] = cache
        jobs = []
        for n in range(args.jobs):
            pid = os.fork()
            if pid == 0:
                os._exit(supervise(args, f"{args.out}.{n}", seeds[n * share:(n + 1) * share]))
            jobs.append(pid)
        return 1 if any([os.waitpid(pid, 0)[1] for pid in jobs]) else 0


def supervise(args, path, seeds):
    """
    Run @seeds, in order.  A compiler that fails may take its process with it, so the device is used in a child: what has no result
    when the child ends is left to the next one.  A program of several kernels that failed is tried again with a program for each
    kernel, so that only the one at fault is noted as such.
    """
    first = 0
    careful = died = 0
    while first < len(seeds):
        pid = os.fork()
        if pid == 0:
            work(args, path, seeds[first:], careful)
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        if status == 0:
            break
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == NO_DEVICE:
            return 1
        done = results(path)
        before = first
        while first < len(seeds) and seeds[first] in done:
            first += 1
        careful = max(careful - (first - before), 0)
        if first == len(seeds):
            break
        if not careful:
            careful = args.per_program
            continue
        with open(path, "a") as out:
            json.dump({"seed": seeds[first], "died": status}, out)
            out.write("\n")
        died += 1
        first += 1
        careful -= 1
        if died > max(len(seeds) // 4, 1):
            print("clfuzz: the device fails too often, giving up", file=sys.stderr)
            return 1
    return 0


class Clock:
    """Seconds by what they were spent on."""

    def __init__(self):
        self.last = time.monotonic()
        self.spent = {}

    def lap(self, what):
        now = time.monotonic()
        self.spent[what] = self.spent.get(what, 0) + now - self.last
        self.last = now


def work(args, path, seeds, careful):
    """Run @seeds; the first @careful ones in programs of their own, to find which one kills."""
    import numpy as np
    import pyopencl as cl

    device = [d for p in cl.get_platforms() for d in p.get_devices() if args.device.lower() in d.name.lower()]
    if not device:
        print(f"clfuzz: no OpenCL device whose name has '{args.device}'", file=sys.stderr)
        os._exit(NO_DEVICE)
    device = device[0]
    ctx = cl.Context([device])
    queue = cl.CommandQueue(ctx)
    print(f"clfuzz: seeds {seeds[0]} to {seeds[-1]} on {device.name}", file=sys.stderr)
    clock = Clock()
    out = open(path, "a")
    out.write("\n")    # ends the line that a killed process left
    first = 0
    while first < len(seeds):
        kernels = [Kernel(s) for s in seeds[first:first + (1 if careful > 0 else args.per_program)]]
        first += len(kernels)
        careful -= 1
        clock.lap("texts")
        program = cl.Program(ctx, PRELUDE + "".join(k.text for k in kernels)).build(options=["-w"])
        clock.lap("building")
        for k in kernels:
            whole = np.zeros(sum(room for _, _, room in LAYOUT.values()), np.uint8)
            buf, at, end = {}, {}, 0
            for name, (kind, count, room) in LAYOUT.items():
                at[name] = end
                buf[name] = whole[end:end + room].view(kind)[:count]
                end += room
            buf["in"][:] = inputs(k.seed)
            buf["acc"][:] = ACC_START
            clock.lap("inputs")
            fn = cl.Kernel(program, f"k{k.seed}")
            if args.svm:
                fn(queue, (ITEMS,), (k.local,), *[cl.SVM(b) for b in buf.values()])
                queue.finish()
                clock.lap("running")
            else:
                mem = cl.Buffer(ctx, cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR, hostbuf=whole)
                parts = [mem.get_sub_region(at[name], LAYOUT[name][2]) for name in buf]
                clock.lap("buffers")
                fn(queue, (ITEMS,), (k.local,), *parts)
                queue.finish()
                clock.lap("running")
                cl.enqueue_copy(queue, whole, mem)
                queue.finish()
                clock.lap("buffers")
            json.dump({"seed": k.seed, **{name: pack(buf[name]) for name in ("out", "out64", "acc", "fo")}}, out)
            out.write("\n")
            out.flush()
            clock.lap("results")
    print("clfuzz: seconds of " + ", ".join(f"{what} {s:.1f}" for what, s in clock.spent.items()), file=sys.stderr)


def compile_c(args):
    """What gcc, without optimisation, makes of the kernels' texts: shows which of two devices is wrong."""
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory(prefix="clfuzz.") as tmp, open(args.out, "w") as out:
        for seed in args.seeds:
            k = Kernel(seed)
            text, lib = os.path.join(tmp, f"k{seed}.cl"), os.path.join(tmp, f"k{seed}.so")
            with open(text, "w") as f:
                f.write(PRELUDE + k.text)
            subprocess.run([args.cc, "-x", "c", "-std=gnu17", "-O0", "-ffp-contract=off", "-fwrapv", "-w", "-shared", "-fPIC",
                            f"-DKERNEL=k{seed}", f'-DKERNEL_FILE="{text}"', "-o", lib, os.path.join(here, "opencl.h"), "-lm"], check=True)
            data = {name: bytearray(count * int(kind[1])) for name, (kind, count, _) in LAYOUT.items()}
            struct.pack_into(f"<{INPUTS}I", data["in"], 0, *inputs(seed))
            struct.pack_into(f"<{len(ACC_START)}I", data["acc"], 0, *ACC_START)
            launch = ctypes.CDLL(lib).launch
            if launch(ITEMS, k.local, *[(ctypes.c_char * len(d)).from_buffer(d) for d in data.values()]):
                raise SystemExit(f"clfuzz: seed {seed}: work groups of {k.local}")
            json.dump({"seed": seed, **{name: base64.b64encode(data[name]).decode() for name in ("out", "out64", "acc", "fo")}}, out)
            out.write("\n")
    return 0


def as_float(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def ulps(a, b):
    """Distance of two floats in units of the last place of the larger."""
    x, y = as_float(a), as_float(b)
    if math.isnan(x) and math.isnan(y) or x == y:
        return 0.0
    if not (math.isfinite(x) and math.isfinite(y)):
        return math.inf
    unit = 2.0 ** (max(math.frexp(max(abs(x), abs(y)))[1] - 24, -149))
    return abs(x - y) / unit


def difference(seed, got, ref):
    """The first difference of two results of a kernel, as text; None: they agree."""
    if got is None or "died" in got:
        return "no result"
    for name, size in (("out", 4), ("out64", 8), ("acc", 4)):
        for at, (a, b) in enumerate(zip(unpack(ref[name], size), unpack(got[name], size), strict=True)):
            if a != b:
                return f"{name}[{at}] is {b:#x}, reference {a:#x}"
    bounds = Kernel(seed).ulps
    for at, (a, b) in enumerate(zip(unpack(ref["fo"], 4), unpack(got["fo"], 4), strict=True)):
        # both sides may err by the bound
        if ulps(a, b) > 2 * bounds[at % 2] and abs(as_float(a) - as_float(b)) > ABSOLUTE:
            return f"fo[{at}] is {as_float(b)!r}, reference {as_float(a)!r}: {ulps(a, b):.1f} ulp, allowed {bounds[at % 2]}"
    return None


def known_faults(path):
    """Seed to reason, of the kernels that a compiler is known to get wrong: lines of a seed, a space and the reason."""
    with open(path) as f:
        lines = [line.split(None, 1) for line in f if line.strip() and not line.startswith("#")]
    return {int(seed): reason.strip() for seed, reason in lines}


def diff(args):
    ref = results(args.reference)
    got = results(args.result)
    others = [(name, results(path)) for name, _, path in (text.partition("=") for text in args.opinion)]
    known = known_faults(args.known) if args.known else {}
    bad = agree = explained = 0
    for seed, r in sorted(ref.items()):
        if "died" in r:
            print(f"left out: seed {seed}, the reference's compiler died")
            continue
        g = got.get(seed)
        what = difference(seed, g, r)
        if what is None:
            agree += 1
            if seed in known:
                print(f"differs: seed {seed}: agrees, but is listed: {known[seed]}")
                bad += 1
        elif seed in known:
            print(f"explained: seed {seed}: {what}: {known[seed]}")
            explained += 1
        else:
            usable = g and "died" not in g
            same = [name for name, found in others if usable and seed in found and difference(seed, found[seed], g) is None]
            word = "explained" if same else "differs"
            print(f"{word}: seed {seed}: {what}" + (f": {' and '.join(same)} compute what the result has" if same else ""))
            explained += bool(same)
            bad += not same
    if agree + explained + bad < args.need:
        print(f"differs: {args.need - agree - explained - bad} kernels too few could be compared")
        bad += 1
    print(f"clfuzz: {agree} kernels agree, {explained} explained, {bad} differ")
    return 1 if bad else 0


def numbers(text):
    return [int(word) for word in text.split(",") if word]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = ap.add_subparsers(dest="command", required=True)
    p = sub.add_parser("run", help="run kernels on a device, write results")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--count", type=int, default=200)
    p.add_argument("--seeds", type=numbers, help="in place of --seed and --count: a list, by commas")
    p.add_argument("--per-program", type=int, default=10, help="kernels in one program")
    p.add_argument("--jobs", type=int, default=1, help="processes")
    p.add_argument("--resume", action="store_true", help="keep the results that are there, run the others")
    p.add_argument("--device", default="", help="part of the device's name")
    p.add_argument("--svm", action="store_true", help="system SVM pointers in place of buffers")
    p.add_argument("--out", required=True, help="file for the results")
    p = sub.add_parser("diff", help="compare two results; exit status 1 when they differ")
    p.add_argument("--need", type=int, default=1, help="kernels that must agree")
    p.add_argument("--opinion", metavar="NAME=FILE", action="append", default=[],
                   help="what another computes of the kernels that differ")
    p.add_argument("--known", help="list of kernels that a compiler gets wrong, each with its reason")
    p.add_argument("reference")
    p.add_argument("result")
    p = sub.add_parser("c", help="run kernels as C programs, write results")
    p.add_argument("--seeds", type=numbers, required=True, help="a list, by commas")
    p.add_argument("--cc", default="gcc-14", help="the compiler")
    p.add_argument("--out", required=True, help="file for the results")
    p = sub.add_parser("show", help="print the kernel of a seed")
    p.add_argument("seed", type=int)
    args = ap.parse_args()
    if args.command == "run":
        return run(args)
    if args.command == "c":
        return compile_c(args)
    if args.command == "show":
        print(PRELUDE + Kernel(args.seed).text)
        return 0
    return diff(args)


if __name__ == "__main__":
    sys.exit(main())
