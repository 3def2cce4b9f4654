#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wake.py QMP RUNS: presses a key of a machine that is suspended to idle, until it wakes.

The machine is a vm/run with --qmp=QMP and NVSVM_RUNS=RUNS, whose guest lets the keyboard wake it and has
/sys/power/pm_debug_messages on: the kernel's log tells when it sleeps. Keys before that would keep it from sleeping.
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


def main():
    path, runs = sys.argv[1:3]
    qmp = Qmp(path)
    while not (logs := glob.glob(os.path.join(runs, "run-*", "dmesg"))):
        qmp.receive(0.1)
    asleep, rest, pressed = None, b"", 0
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
                qmp.call("send-key", keys=[{"type": "qcode", "data": "shift"}])
                pressed += 1
            qmp.receive(0.2)


if __name__ == "__main__":
    try:
        main()
    except EOFError:
        pass
