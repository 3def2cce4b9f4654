# SPDX-License-Identifier: MIT
"""
The kernels of clfuzz.py: from a seed the text of a kernel, its input and the error bounds of its approximate results. The same seed gives
the same kernel for ever: results are kept by the hash of this file.

What a kernel may compute is limited to what OpenCL C defines:
  * integer results and float results of correctly rounded operations (+, -, *,
    fma, conversions) have to agree bit by bit;
  * division, square root and the transcendental functions may differ by the
    ulps that the OpenCL specification, section 7.4 "Relative error as ULPs",
    allows (embedded profile: 7.5); they are stored and used for nothing else;
  * floats are kept normal and finite (denormals and NaN payloads are the
    implementation's choice): fix() replaces everything else by a constant;
  * atomics are commutative and their results are not used, since the order of
    the work items is nobody's promise.

8-bit and 16-bit vector arithmetic, half and 64-bit atomics are left out: the
compiler of the stock stack (nv50_ir) refuses them.
"""
import random

ITEMS = 256          # work items a kernel
INPUTS = 1024        # words of random input

# Words that atomics work on, two for each operation: add, or, and, xor, min, max.
ACC_START = [0, 0, 0, 0, 0xffffffff, 0xffffffff, 0, 0, 0xffffffff, 0xffffffff, 0, 0]

PRELUDE = """
#pragma OPENCL FP_CONTRACT OFF
static float fix(float x)
{
	float a = fabs(x);
	return (a >= 1.0e-12f && a <= 1.0e12f) ? x : 1.5f;
}
static int f2i(float x) { return (x > -2.0e9f && x < 2.0e9f) ? (int)x : 7; }
static uint f2u(float x) { return (x >= 0.0f && x < 4.0e9f) ? (uint)x : 9u; }
"""

# Allowed difference in ulps, full profile values: the embedded profile allows more.
APPROX = {
    "{a} / {b}": 2.5, "sqrt(fabs({a}))": 3.0, "rsqrt(fabs({a}))": 2.0,
    "exp2(fmod({a}, 20.0f))": 3.0, "log2(fabs({a}))": 3.0, "sin(fmod({a}, 6.0f))": 4.0,
    "cos(fmod({a}, 6.0f))": 4.0, "1.0f / {b}": 2.5,
}
# sin near a multiple of pi, log2 near 1 and the like lose relative accuracy by
# cancellation; the specification bounds ulps, which the table above states, and
# below this magnitude an absolute bound replaces it (native range reduction).
ABSOLUTE = 2.0 ** -21


class Kernel:
    """One random kernel: its text and the error bounds of its approximate outputs."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.seed = seed
        self.local = self.r.choice([32, 64, 128])
        self.ulps = []
        self.loops = 0
        self.text = self.make()

    def pick(self, seq):
        return seq[self.r.randrange(len(seq))]

    def const_u(self):
        c = self.r.randrange(6)
        if c == 0:
            return self.pick(["0u", "1u", "0xffffffffu", "0x80000000u", "0x7fffffffu", "31u", "32u", "33u"])
        if c == 1:
            return f"{1 << self.r.randrange(32)}u"
        return f"0x{self.r.getrandbits(self.pick([4, 8, 16, 20, 32])):x}u"

    def const_l(self):
        return f"0x{self.r.getrandbits(self.pick([8, 32, 33, 63, 64])):x}ul"

    def const_f(self):
        return f"{self.r.choice([-1, 1]) * self.r.choice([0.5, 1.0, 1.25, 3.0, 0.1, 100.0, 1e-3, self.r.uniform(0.01, 50)]):.6e}f"

    def u(self, d):
        """A uint expression."""
        if d <= 0:
            return self.pick([f"u{self.r.randrange(6)}", f"u{self.r.randrange(6)}", self.const_u(), "gid", "lid"])
        a, b = (lambda: self.u(d - 1)), (lambda: self.u(d - 1))
        t = self.r.randrange(26)
        if t < 8:
            return f"({a()} {self.pick(['+', '-', '*', '&', '|', '^'])} {b()})"
        if t < 10:
            return f"({a()} {self.pick(['<<', '>>'])} ({b()} & 31u))"
        return [
            lambda: f"({a()} / ({b()} | 1u))",
            lambda: f"({a()} % ({b()} | 1u))",
            lambda: f"({self.cond(d - 1)} ? {a()} : {b()})",
            lambda: f"min({a()}, {b()})",
            lambda: f"max({a()}, {b()})",
            lambda: f"popcount({a()})",
            lambda: f"clz({a()})",
            lambda: f"rotate({a()}, {b()})",
            lambda: f"mul_hi({a()}, {b()})",
            lambda: f"mad24({a()} & 0xffffffu, {b()} & 0xffu, {self.u(0)})",
            lambda: f"(uint)({self.i(d - 1)})",
            lambda: f"(uint)({self.ul(d - 1)} >> {self.r.randrange(33)})",
            lambda: f"f2u({self.f(d - 1)})",
            # of what memory holds: NIR computes what is cut to 8 bits in 8 bits, which nv50_ir does not cut (its defect too)
            lambda: f"(uint)(uchar)in[{a()} & {INPUTS - 1}u]",
            lambda: f"in[{a()} & {INPUTS - 1}u]",
            lambda: f"bitselect({a()}, {b()}, {self.u(0)})",
        ][t - 10]()

    def i(self, d):
        """An int expression; arithmetic goes through uint, where wrapping is defined."""
        if d <= 0:
            return self.pick([f"i{self.r.randrange(4)}", f"i{self.r.randrange(4)}", f"(int){self.const_u()}"])
        a, b = (lambda: self.i(d - 1)), (lambda: self.i(d - 1))
        t = self.r.randrange(13)
        return [
            lambda: f"(int)((uint){a()} {self.pick(['+', '-', '*'])} (uint){b()})",
            lambda: f"(int)((uint){a()} {self.pick(['&', '|', '^'])} (uint){b()})",
            # with lid, lest a mask follow: nv50_ir takes that for a field of an unsigned number (its defect too)
            lambda: f"(int)((uint)({a()} >> ({self.u(d - 1)} & 31u)) + lid)",
            lambda: f"({a()} / (({b()} & 0x7fff) | 1))",
            lambda: f"({a()} % (({b()} & 0x7fffff) | 1))",
            lambda: f"({self.cond(d - 1)} ? {a()} : {b()})",
            lambda: f"min({a()}, {b()})",
            lambda: f"max({a()}, {b()})",
            lambda: f"mul_hi({a()}, {b()})",
            lambda: f"(int)abs_diff({a()}, {b()})",
            lambda: f"f2i({self.f(d - 1)})",
            lambda: f"(int)(short){a()}",
            lambda: f"(int)({self.u(d - 1)})",
        ][t]()

    def ul(self, d):
        """A ulong expression."""
        if d <= 0:
            return self.pick([f"l{self.r.randrange(3)}", f"l{self.r.randrange(3)}", self.const_l()])
        a, b = (lambda: self.ul(d - 1)), (lambda: self.ul(d - 1))
        t = self.r.randrange(9)
        return [
            lambda: f"({a()} {self.pick(['+', '-', '*'])} {b()})",
            lambda: f"({a()} {self.pick(['&', '|', '^'])} {b()})",
            # "& 63u" is what OpenCL C does anyway, so NIR drops it, and nv50_ir's SHF of the
            # upper word, which lacks .W, then gets the whole amount: Mesa's defect, not a test
            # (Documentation/gpu-model-sm.rst has the proof for both)
            lambda: f"({a()} << ({self.u(d - 1)} & 31u))" if self.r.randrange(2) else f"({a()} << {self.r.randrange(64)})",
            lambda: f"({a()} >> ({self.u(d - 1)} & 31u))" if self.r.randrange(2) else f"({a()} >> {self.r.randrange(64)})",
            lambda: f"((ulong){self.u(d - 1)} * (ulong){self.u(d - 1)})",
            lambda: f"({self.cond(d - 1)} ? {a()} : {b()})",
            lambda: f"(ulong)(long){self.i(d - 1)}",
            lambda: f"((ulong){self.u(d - 1)} << 32 | {self.u(d - 1)})",
            # no constant among max's operands: nv50_ir swaps them in the lower word's half alone (also its defect)
            lambda: f"({a()} / ({b()} | 1ul))" if self.r.randrange(4) == 0 else f"max({a()} + gid, {b()} + lid)",
        ][t]()

    def f(self, d):
        """A float expression whose every step is correctly rounded."""
        if d <= 0:
            return self.pick([f"f{self.r.randrange(4)}", f"f{self.r.randrange(4)}", self.const_f()])
        a, b = (lambda: self.f(d - 1)), (lambda: self.f(d - 1))
        t = self.r.randrange(14)
        return [
            lambda: f"fix({a()} + {b()})",
            lambda: f"fix({a()} - {b()})",
            lambda: f"fix({a()} * {b()})",
            lambda: f"fix(fma({a()}, {b()}, {self.f(0)}))",
            lambda: f"fmin({a()}, {b()})",
            lambda: f"fmax({a()}, {b()})",
            lambda: f"fabs({a()})",
            lambda: f"(-({a()}))",
            lambda: f"fix(floor({a()}))",
            lambda: f"fix(ceil({a()}))",
            lambda: f"fix(trunc({a()}))",
            lambda: f"fix((float)({self.i(d - 1)}))",
            lambda: f"fix((float)({self.u(d - 1)}))",
            lambda: f"({self.cond(d - 1)} ? {a()} : {b()})",
        ][t]()

    def cond(self, d):
        op = self.pick(["<", "<=", ">", ">=", "==", "!="])
        t = self.r.randrange(6)
        if t < 2:
            return f"({self.u(d)} {op} {self.u(d)})"
        if t == 2:
            return f"({self.i(d)} {op} {self.i(d)})"
        if t == 3:
            return f"({self.f(d)} {op} {self.f(d)})"
        if t == 4:
            return f"({self.ul(d)} {op} {self.ul(d)})"
        return f"({self.cond(0) if d > 0 else 'gid > 100u'} {self.pick(['&&', '||'])} {self.u(0)} {op} {self.u(0)})"

    def assign(self, d=3):
        t = self.r.randrange(10)
        if t < 4:
            return f"u{self.r.randrange(6)} {self.pick(['=', '=', '+=', '^='])} {self.u(d)};"
        if t < 6:
            return f"i{self.r.randrange(4)} = {self.i(d)};"
        if t < 8:
            return f"f{self.r.randrange(4)} = {self.f(d)};"
        return f"l{self.r.randrange(3)} {self.pick(['=', '+=', '^='])} {self.ul(d)};"

    def block(self, depth, n):
        return "\n".join(self.stmt(depth) for _ in range(n))

    def stmt(self, depth):
        t = self.r.randrange(12) if depth > 0 else self.r.randrange(6)
        if t < 5:
            return self.assign()
        if t == 5:
            op = self.pick(["add", "sub", "or", "and", "xor", "min", "max"])
            # one operation a word: mixed operations on one word do not commute
            slot = ["add", "or", "and", "xor", "min", "max"].index(op if op != "sub" else "add")
            return f"atomic_{op}(&acc[{slot * 2 + self.r.randrange(2)}], {self.u(1)});"
        if t < 8:
            other = f" else {{\n{self.block(depth - 1, self.r.randrange(1, 3))}\n}}" if self.r.randrange(2) else ""
            return f"if ({self.cond(1)}) {{\n{self.block(depth - 1, self.r.randrange(1, 4))}\n}}{other}"
        if t < 10:
            self.loops += 1
            v = f"n{self.loops}"
            leave = self.r.randrange(4)
            inner = self.block(depth - 1, self.r.randrange(1, 3))
            if leave == 0:
                inner += f"\nif ({self.cond(1)}) break;"
            elif leave == 1:
                inner = f"if ({self.cond(1)}) continue;\n" + inner
            bound = self.pick([f"{self.r.randrange(1, 9)}u", f"({self.u(0)} & 7u)"])
            return f"for (uint {v} = 0, e{v} = {bound}; {v} < e{v}; {v}++) {{\nu{self.r.randrange(6)} += {v};\n{inner}\n}}"
        if t == 10:
            cases = "".join(f"case {k}: {self.assign(2)} {self.pick(['break;', ''])}\n" for k in range(self.r.randrange(2, 5)))
            return f"switch ({self.u(1)} & 3u) {{\n{cases}default: {self.assign(2)}\n}}"
        return f"pa[{self.u(0)} & 7u] = {self.u(2)};\nu{self.r.randrange(6)} ^= pa[{self.u(0)} & 7u];"

    def exchange(self):
        """Local memory and barriers: at the top level only, where control flow is uniform."""
        k = self.r.randrange(3)
        n = self.local
        if k == 0:
            return (f"lm[lid] = {self.u(2)};\nbarrier(CLK_LOCAL_MEM_FENCE);\n"
                    f"u{self.r.randrange(6)} ^= lm[(lid + {self.r.randrange(n)}u) & {n - 1}u];\nbarrier(CLK_LOCAL_MEM_FENCE);")
        if k == 1:
            return (f"lm[lid] = {self.u(2)};\nbarrier(CLK_LOCAL_MEM_FENCE);\n"
                    f"for (uint s = {n // 2}u; s > 0u; s >>= 1) {{ if (lid < s) lm[lid] += lm[lid + s]; barrier(CLK_LOCAL_MEM_FENCE); }}\n"
                    f"u{self.r.randrange(6)} += lm[0];\nbarrier(CLK_LOCAL_MEM_FENCE);")
        return (f"lm[lid] = 0u;\nbarrier(CLK_LOCAL_MEM_FENCE);\n"
                f"atomic_add(&lm[{self.u(1)} & {n - 1}u], {self.u(1)});\nbarrier(CLK_LOCAL_MEM_FENCE);\n"
                f"u{self.r.randrange(6)} ^= lm[lid];\nbarrier(CLK_LOCAL_MEM_FENCE);")

    def make(self):
        body = []
        for _ in range(self.r.randrange(2, 6)):
            body.append(self.exchange() if self.r.randrange(5) == 0 else self.stmt(2))
        approx = []
        for slot in range(2):
            form = self.pick(list(APPROX))
            self.ulps.append(APPROX[form])
            approx.append(f"fo[gid * 2u + {slot}u] = " +
                          form.format(a=f"fix(f{self.r.randrange(4)})", b=f"fix(f{self.r.randrange(4)})") + ";")
        decl = "\n".join(
            [f"uint u{k} = in[(gid * {self.r.randrange(1, 9)}u + {self.r.randrange(INPUTS)}u) & {INPUTS - 1}u];" for k in range(6)] +
            [f"int i{k} = (int)in[(gid + {self.r.randrange(INPUTS)}u) & {INPUTS - 1}u] {self.pick(['', '/ 65536', '& 0xff'])};" for k in range(4)] +
            [f"ulong l{k} = ((ulong)u{k} << {self.r.randrange(33)}) ^ u{k + 1};" for k in range(3)] +
            [f"float f{k} = fix((float)((int)(u{k} & 0xffffu) - 32768) * ({self.const_f()}));" for k in range(4)])
        stores = "\n".join([f"out[gid * 6u + {k}u] = u{k};" for k in range(6)] +
                           [f"out64[gid * 6u + {k}u] = l{k};" for k in range(3)] +
                           [f"out64[gid * 6u + {k + 3}u] = (ulong)(uint)i{k} << 32 | as_uint(f{k});" for k in range(3)])
        nl = "\n"
        return f"""
__kernel __attribute__((reqd_work_group_size({self.local}, 1, 1)))
void k{self.seed}(__global const uint *in, __global uint *out, __global ulong *out64,
		__global float *fo, __global uint *acc)
{{
	__local uint lm[{self.local}];
	uint gid = (uint)get_global_id(0), lid = (uint)get_local_id(0);
	uint pa[8];
	for (uint q = 0; q < 8u; q++) pa[q] = in[(gid + q) & {INPUTS - 1}u];
	{decl}
	{nl.join(body)}
	{stores}
	{nl.join(approx)}
}}
"""


def inputs(seed):
    r = random.Random(seed ^ 0x5eed)
    edge = [0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 31, 32, 33, 0x3f800000, 0x7f7fffff]
    return [edge[r.randrange(len(edge))] if r.randrange(8) == 0 else r.getrandbits(32) for _ in range(INPUTS)]
