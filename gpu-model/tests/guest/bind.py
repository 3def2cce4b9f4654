#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bind.py CHECK...: does nouveau bind cleanly?  Runs in the guest, prints result lines of Documentation/testing.rst.

CHECKs:
    bind      each GPU has its driver, its render node, its MSI, and nothing but known lines in the log
    use       an OpenCL device comes up on it
    rounds=N  unbind and bind; the model does not grow after the second round
    loads=N   the same with rmmod and modprobe
    flr       function level reset while nobody drives the device
    rescan    the bus forgets the device and finds it again

The list of harmless lines is that of Documentation/gpu-model.rst.
"""

import glob
import json
import os
import re
import subprocess
import sys
import time

PREFIX = os.environ.get("BIND_PREFIX", "bind")
DRIVER = "/sys/bus/pci/drivers/nouveau"
# a leak of one object in each round would be more than this over all of them
LEAK_KB = 256

HARMLESS = [re.compile(text) for text in (
    r"NVIDIA GP10[04] \(13[04]000a1\)$",
    r"bios: version 86\.0[04]\.00\.00\.00$",
    r"fb: \d+ MiB (GDDR5|HBM2)$",
    r"drm: (VRAM|GART): \d+ MiB$",
    r"drm: MM: using COPY for buffer copies$",
    r"Initialized nouveau [\d.]+ for ",
    r"enabling device \(",
    r"pmu: firmware unavailable$",
    r"drm: BIT table '[ADLT]' not found$",
    r"\[drm\] No compatible format found$",
    r"\[drm\] Cannot find any crtc or sizes$",
    r"nouveau: loading out-of-tree module|nouveau: module verification failed",
    # around suspend
    r"DRM: (suspending|resuming|Moving pinned).*$|drm: (suspending|resuming|re-enabling|evicting|waiting|saving).*$",
)]


def report(name, bad=None):
    print(f"FAIL {PREFIX}/{name}: {bad}" if bad else f"PASS {PREFIX}/{name}", flush=True)


def gpus():
    return sorted(path.rsplit("/", 1)[1] for path in glob.glob("/sys/bus/pci/devices/*")
                  if read(f"{path}/vendor") == "0x10de")


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read().strip()


def write(path, text):
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        return error.strerror
    return None


def control(command, index=0):
    """One command to the model's control socket, by the virtio port."""
    with open(f"/dev/virtio-ports/gpu-model.{index}", "r+b", buffering=0) as port:
        port.write((json.dumps(command) + "\n").encode())
        answer = b""
        while not answer.endswith(b"\n"):
            answer += port.read(65536)
    return json.loads(answer)


def log_lines():
    text = subprocess.run(["dmesg"], stdout=subprocess.PIPE, check=True).stdout.decode(errors="replace")
    return [line for line in text.splitlines() if re.search(r"nouveau", line)]


def unknown_lines(lines):
    return [line for line in lines if not any(known.search(line) for known in HARMLESS)]


def check_log(name):
    bad = unknown_lines(log_lines())
    report(name, bad and f"{len(bad)} lines, first: {bad[0]}")


def wait_bound(count, seconds=30):
    for _ in range(seconds * 20):
        nodes = glob.glob("/dev/dri/renderD*")
        if len(nodes) == count and all(os.path.exists(f"{DRIVER}/{gpu}") for gpu in gpus()):
            return None
        time.sleep(0.05)
    return f"{len(glob.glob('/dev/dri/renderD*'))} render nodes for {count} GPUs"


def check_bind():
    report("render-node", wait_bound(len(gpus())))
    check_log("log")
    msi = [gpu for gpu in gpus() if not os.listdir(f"/sys/bus/pci/devices/{gpu}/msi_irqs")]
    report("msi", msi and f"none for {msi}")


def live(index=0):
    state = control({"cmd": "state"}, index)
    return {key: state[key] for key in state if key == "process.anon_kb" or key == "dma_maps"}, state


def check_leak(name, before, after):
    grown = after["process.anon_kb"] - before["process.anon_kb"]
    print(f"{name}: model's memory {before['process.anon_kb']} to {after['process.anon_kb']} KiB")
    report(name, grown > LEAK_KB and f"the model grew by {grown} KiB")


def check_rounds(count):
    bad, before, times = None, None, []
    for turn in range(count):
        if turn == 2:
            before = live()[0]
        for gpu in gpus():
            bad = bad or write(f"{DRIVER}/unbind", gpu)
        if glob.glob("/dev/dri/renderD*"):
            bad = bad or "a render node is left"
        start = time.monotonic()
        for gpu in gpus():
            bad = bad or write(f"{DRIVER}/bind", gpu)
        bad = bad or wait_bound(len(gpus()))
        times.append(time.monotonic() - start)
        if bad:
            bad = f"round {turn}: {bad}"
            break
    report("rounds", bad)
    print(f"bind: {min(times):.2f} to {max(times):.2f} s")
    if before and not bad:
        check_leak("rounds-leak", before, live()[0])
    check_log("rounds-log")


def check_loads(count):
    bad, before = None, None
    for turn in range(count):
        if turn == 2:
            before = live()[0]
        for argv in (["modprobe", "-r", "nouveau"], ["modprobe", "nouveau"]):
            done = subprocess.run(argv, stderr=subprocess.PIPE, check=False)
            if done.returncode:
                bad = bad or f"round {turn}: {' '.join(argv)}: {done.stderr.decode().strip()}"
        bad = bad or wait_bound(len(gpus()))
        if bad:
            break
    report("loads", bad)
    if before and not bad:
        check_leak("loads-leak", before, live()[0])
    check_log("loads-log")


def check_use():
    """A client gets a channel with GR's classes on each GPU."""
    env = dict(os.environ, RUSTICL_ENABLE="nouveau")
    text = subprocess.run(["clinfo", "-l"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                          check=False).stdout.decode(errors="replace")
    found = len(re.findall(r"Device #\d+: NV13[04]", text))
    # rusticl leaves GP100 out: Mesa has SVM above chipset 130 only, hence no device
    wanted = sum(1 for gpu in gpus() if read(f"/sys/bus/pci/devices/{gpu}/device") == "0x1bb3")
    report("use", found < wanted and f"{found} OpenCL devices of {wanted}: {text.strip()[-200:]}")
    check_log("use-log")


def check_flr():
    """Whatever a function level reset leaves behind, the driver must find the board as after power-on."""
    for gpu in gpus():
        bad = write(f"{DRIVER}/unbind", gpu)
        write(f"/sys/bus/pci/devices/{gpu}/reset_method", "flr")
        bad = bad or write(f"/sys/bus/pci/devices/{gpu}/reset", "1")
        bad = bad or write(f"{DRIVER}/bind", gpu)
        report("flr", bad or wait_bound(len(gpus())))
    check_log("flr-log")


def check_rescan():
    """The bus forgets each GPU and finds it again."""
    found = gpus()
    bad = None
    for gpu in found:
        bad = bad or write(f"/sys/bus/pci/devices/{gpu}/remove", "1")
    if gpus():
        bad = bad or "still on the bus"
    bad = bad or write("/sys/bus/pci/rescan", "1")
    if gpus() != found:
        bad = bad or f"found {gpus()}, not {found}"
    report("rescan", bad or wait_bound(len(found)))
    check_log("rescan-log")


def main(checks):
    for check in checks:
        name, _, count = check.partition("=")
        {"bind": lambda _: check_bind(), "rounds": check_rounds, "loads": check_loads,
         "use": lambda _: check_use(), "flr": lambda _: check_flr(),
         "rescan": lambda _: check_rescan()}[name](int(count or 0))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
