#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bind.py CHECK...: does nouveau bind cleanly?  Runs in the guest, prints result lines of Documentation/testing.rst.

CHECKs:
    bind      each GPU has its driver, its render node, its MSI, and nothing but known lines in the log
    use       an OpenCL device comes up on it
    copies=N  the copy engine carries N patterns to VRAM and back on each, and the ledger counts them
    rounds=N  unbind and bind; the model does not grow after the second round
    loads=N   the same with rmmod and modprobe
    flr       function level reset while nobody drives the device
    rescan    the bus forgets the device and finds it again
    plug=N    the host takes a GPU out of the running machine and puts it in again (vm/lib/plug.py), each in turn,
              while those that stay copy; the model lets all go and does not grow after the second round
    meet      waits for another machine with the same share to come as far; MEET names this one and PEER the other
    left      waits until the host says that the other machine has ended
    unload    rmmod leaves no DMA mapping (meant for a machine with an IOMMU)

COPIES in the environment is the program built of copies.c.

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
    r"drm: svm: on(, with migration)?$",  # our driver's one line on SVM
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
    return {key: state[key] for key in ("process.anon_kb", "process.fds")}


def check_leak(name, before, after):
    grown = after["process.anon_kb"] - before["process.anon_kb"]
    files = after["process.fds"] - before["process.fds"]
    print(f"{name}: model's memory {before['process.anon_kb']} to {after['process.anon_kb']} KiB, "
          f"files {before['process.fds']} to {after['process.fds']}")
    bad = not all(before.values()) and "the model does not know its size"
    bad = bad or (grown > LEAK_KB and f"the model grew by {grown} KiB")
    report(name, bad or (files > 0 and f"{files} files more are open"))


def check_rounds(count):
    bad, before, times = None, None, []
    for turn in range(count):
        if turn == 2:
            before = live()
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
        check_leak("rounds-leak", before, live())
    check_log("rounds-log")


def check_loads(count):
    bad, before = None, None
    for turn in range(count):
        if turn == 2:
            before = live()
        for argv in (["modprobe", "-r", "nouveau"], ["modprobe", "nouveau"]):
            done = subprocess.run(argv, stderr=subprocess.PIPE, check=False)
            if done.returncode:
                bad = bad or f"round {turn}: {' '.join(argv)}: {done.stderr.decode().strip()}"
        bad = bad or wait_bound(len(gpus()))
        if bad:
            break
    report("loads", bad)
    if before and not bad:
        check_leak("loads-leak", before, live())
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


def node_of(gpu):
    (name,) = [name for name in os.listdir(f"/sys/bus/pci/devices/{gpu}/drm") if name.startswith("renderD")]
    return f"/dev/dri/{name}"


def start_copies(index, gpu, turns, seed):
    return subprocess.Popen([os.environ["COPIES"], node_of(gpu), str(index), str(turns), str(seed)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def end_copies(process):
    text = process.communicate()[1].decode().strip()
    return process.returncode and f"{text or 'no reason'} (status {process.returncode})"


COPIES_DONE = []


def check_copies(turns):
    bad = None
    for index, gpu in enumerate(gpus()):
        # another pattern each time: what another machine or GPU has left must not look right
        bad = bad or end_copies(start_copies(index, gpu, turns, int.from_bytes(os.urandom(4), "little")))
    COPIES_DONE.append(None)
    report(f"copies-{len(COPIES_DONE)}", bad)


def wait_file(path, seconds):
    for _ in range(seconds * 10):
        if os.path.exists(path):
            return None
        time.sleep(0.1)
    return f"no {path} after {seconds} s"


MEETINGS = []


def check_meet():
    MEETINGS.append(None)
    with open(f"/mnt/share/{os.environ['MEET']}.{len(MEETINGS)}", "w", encoding="ascii"):
        pass
    # the other one may have to wait for its turn to boot
    report(f"meet-{len(MEETINGS)}", wait_file(f"/mnt/share/{os.environ['PEER']}.{len(MEETINGS)}", 900))


def check_left():
    report("left", wait_file(f"/mnt/share/{os.environ['PEER']}.ended", 120))


class Host:
    """The other side of vm/lib/plug.py."""

    def __init__(self):
        self.number = 0

    def ask(self, text, seconds=60):
        path = f"/mnt/share/request.{self.number}"
        with open(f"{path}.new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(f"{path}.new", path)
        answer = f"/mnt/share/answer.{self.number}"
        self.number += 1
        for _ in range(seconds * 20):
            if os.path.exists(answer):
                text = read(answer)
                return None if text == "done" else text
            time.sleep(0.05)
        return f"no answer to '{text}'"


def plug_round(host, found, turn):
    """Takes one GPU out and puts it in again. Return: None, or what went wrong."""
    index = turn % len(found)
    others = [(number, gpu) for number, gpu in enumerate(found) if number != index]
    running = [start_copies(number, gpu, 20, turn) for number, gpu in others]
    bad = host.ask(f"out gpu{index}")
    left = [gpu for _, gpu in others]
    bad = bad or (gpus() != left and f"{gpus()} is on the bus without {found[index]}")
    bad = bad or wait_bound(len(left))
    state = control({"cmd": "state"}, index)
    bad = bad or (state["dma_maps"] and f"{state['dma_maps']} DMA mappings without a machine")
    bad = bad or host.ask(f"in gpu{index}")
    bad = bad or wait_on_bus(found) or wait_bound(len(found))
    for process in running:
        bad = bad or end_copies(process)
    return bad or end_copies(start_copies(index, found[index], 2, turn))


def wait_on_bus(found, seconds=30):
    for _ in range(seconds * 20):
        if gpus() == found:
            return None
        time.sleep(0.05)
    return f"{gpus()} on the bus, not {found}"


def check_plug(count):
    host, found, bad, before = Host(), gpus(), None, None
    indices = range(len(found))
    for turn in range(count):
        if turn == 2:
            before = [live(index) for index in indices]
        bad = plug_round(host, found, turn)
        if bad:
            bad = f"round {turn}: {bad}"
            break
    report("plug", bad)
    if before and not bad:
        for index in indices:
            check_leak(f"plug-leak-{index}", before[index], live(index))
    check_log("plug-log")


def check_unload():
    done = subprocess.run(["modprobe", "-r", "nouveau"], stderr=subprocess.PIPE, check=False)
    bad = done.returncode and done.stderr.decode().strip()
    for index, _ in enumerate(gpus()):
        answer = control({"cmd": "unloaded"}, index)
        if not bad and (not answer["ok"] or answer["dma_maps"]):
            bad = f"GPU {index}: {answer}"
    report("unload", bad)


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
         "rescan": lambda _: check_rescan(), "copies": check_copies, "plug": check_plug,
         "unload": lambda _: check_unload(), "meet": lambda _: check_meet(), "left": lambda _: check_left()}[name](int(count or 0))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
