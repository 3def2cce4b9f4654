#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
programs.py DIR OUT: run the programs of userspace/apps in DIR, write what they took to OUT as JSON.

A program tells the seconds of its launches and of the longest one; compiling is not in them. Where there is the model's
control port, its counters of each program go along. Without it (pocl on the host) each program runs twice and the
second run counts, since pocl compiles for a work-group size at the first launch and keeps the result.
"""
import json
import re
import subprocess
import sys

PORT = "/dev/virtio-ports/gpu-model.0"
PROGRAMS = [
    "vecadd -n 1048576", "chase -n 16384", "treesearch -n 16384 -q 65536", "reduce -n 1048576",
    "histogram -n 4194304", "matmul -n 128", "nbody -n 512 -s 2", "sort -n 4096",
    "mandelbrot -w 256 -h 256 -i 256",
]
COUNTERS = ["warp_instruction", "fault_replayable", "ce_bytes_sys_to_vram", "grid", "doorbell"]


class Model:
    """The model's control port, if there is one."""

    def __init__(self):
        try:
            self.port = open(PORT, "r+b", buffering=0)
        except OSError:
            self.port = None

    def call(self, **request):
        if not self.port:
            return {}
        self.port.write(json.dumps(request).encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n"):
            reply += self.port.read(65536) or b""
        return json.loads(reply)


def run(directory, line):
    """Run one program.  Return what it says, None when it says nothing."""
    name, *arguments = line.split()
    try:
        out = subprocess.run([f"{directory}/{name}", *arguments], capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return None
    m = re.search(r"^(PASS|FAIL) \w+: (.*) \(([0-9.]+) s on the GPU, longest launch ([0-9.]+) s\)", out.stdout, re.M)
    if not m:
        print(f"{line}: {out.stdout[-200:]} {out.stderr[-200:]}", file=sys.stderr)
        return None
    return {"program": name, "arguments": arguments, "ok": m[1] == "PASS" and out.returncode == 0, "what": m[2],
            "seconds": float(m[3]), "longest": float(m[4])}


def main():
    directory, path = sys.argv[1:]
    model = Model()
    rows = []
    for line in PROGRAMS:
        if not model.port:
            run(directory, line)
        model.call(cmd="ledger_reset")
        row = run(directory, line)
        if not row:
            continue
        ledger = model.call(cmd="ledger")
        row["counters"] = {name: ledger[name] for name in COUNTERS if name in ledger}
        rows.append(row)
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
