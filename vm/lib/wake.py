#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wake.py QMP RUNS: wakes a machine that sleeps: from suspend to idle by a key and the power button in turn.

The machine is a vm/run with --qmp=QMP and NVSVM_RUNS=RUNS, whose guest lets one of them wake it and has
/sys/power/pm_debug_messages on: the kernel's log tells when it sleeps. Keys before that would keep it from sleeping.
From suspend to RAM the guest's own alarm wakes it; one that a slow host lets go by before the machine sleeps wakes
nobody, and the debug kernel lets nobody set one, so a machine that QEMU says has been suspended for long is woken by
QEMU.
Ends with the machine. Runs inside the tools tree.
"""

import glob
import os
import sys
import time

from plug import Qmp

ASLEEP = b"PM: suspend-to-idle"
AWAKE = b"PM: resume from suspend-to-idle"
# Kernel and host are idle by then, and so is the model.
PAUSE = 3
# What an alarm is given; the longest that a test sets is shorter.
ALARM = 120


def main():
    path, runs = sys.argv[1:3]
    qmp = Qmp(path)
    while not (logs := glob.glob(os.path.join(runs, "run-*", "dmesg"))):
        qmp.receive(0.1)
    asleep, rest, pressed, suspended = None, b"", 0, None
    with open(logs[0], "rb") as log:
        while True:
            rest += log.read()
            *lines, rest = rest.split(b"\n")
            for line in lines:
                if AWAKE in line:
                    print(f"awake after {pressed} keys", flush=True)
                    asleep = None
                elif ASLEEP in line:
                    asleep, pressed = time.monotonic(), 0
            if asleep is not None and time.monotonic() > asleep + PAUSE * (pressed + 1):
                if pressed % 2:
                    qmp.call("system_powerdown")
                else:
                    qmp.call("send-key", keys=[{"type": "qcode", "data": "shift"}])
                pressed += 1
            for event in qmp.events:
                suspended = {"SUSPEND": time.monotonic(), "WAKEUP": None}.get(event["event"], suspended)
            qmp.events.clear()
            if suspended is not None and time.monotonic() > suspended + ALARM:
                print("no alarm came", flush=True)
                qmp.call("system_wakeup")
                suspended = None
            qmp.receive(0.2)


if __name__ == "__main__":
    try:
        main()
    except EOFError:
        pass
