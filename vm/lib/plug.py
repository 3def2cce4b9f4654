#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plug.py SHARE QMP RUNS: takes GPUs out of a running machine and puts them in again, as its guest asks.

The guest of a vm/run with --qmp=QMP and --share=SHARE puts a file request.N there, "out gpu0" or "in gpu0"; the
answer is a file answer.N, "done" or what went wrong. "out" is answered when QEMU says that the device is gone, which
is when the guest has let it go. RUNS is that run's NVSVM_RUNS, where QEMU's command line tells what the GPU was.
Ends with the machine. Runs inside the tools tree.
"""

import glob
import json
import os
import shlex
import socket
import sys
import time

WAIT_FOR_MACHINE = 7200
WAIT_FOR_GUEST = 30


class Qmp:
    def __init__(self, path):
        deadline = time.monotonic() + WAIT_FOR_MACHINE
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.rest, self.events = b"", []
        self.receive(None)
        self.call("qmp_capabilities")

    def receive(self, seconds):
        """The next message; None when there is none in time. EOFError: the machine is gone."""
        self.socket.settimeout(seconds)
        while b"\n" not in self.rest:
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return None
            except ConnectionError:
                data = b""
            if not data:
                raise EOFError
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        message = json.loads(line)
        if "event" in message:
            self.events.append(message)
        return message

    def call(self, command, **arguments):
        self.socket.settimeout(None)
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            message = self.receive(None)
            if "error" in message:
                raise RuntimeError(f"{command}: {message['error'].get('desc')}")
            if "return" in message:
                return message["return"]

    def deleted(self, device):
        return any(message["event"] == "DEVICE_DELETED" and message.get("data", {}).get("device") == device
                   for message in self.events)


def devices(runs):
    """What QEMU was started with: the GPUs by their ids."""
    (command,) = glob.glob(os.path.join(runs, "run-*", "qemu.cmd"))
    with open(command, encoding="utf-8") as file:
        words = shlex.split(file.read())
    found = [json.loads(word) for word in words if word.startswith("{")]
    return {device["id"]: device for device in found if device.get("driver") == "vfio-user-pci"}


def serve(qmp, gpus, text):
    action, name = text.split()
    if action == "in":
        qmp.call("device_add", **gpus[name])
        return
    qmp.events.clear()
    qmp.call("device_del", id=name)
    deadline = time.monotonic() + WAIT_FOR_GUEST
    while not qmp.deleted(name):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the guest did not let {name} go in {WAIT_FOR_GUEST} s")
        qmp.receive(0.5)


def main():
    share, path, runs = sys.argv[1:4]
    qmp = Qmp(path)
    gpus = devices(runs)
    number = 0
    while True:
        request = os.path.join(share, f"request.{number}")
        if not os.path.exists(request):
            qmp.receive(0.1)
            continue
        answer = "done"
        with open(request, encoding="ascii") as file:
            text = file.read()
        try:
            serve(qmp, gpus, text)
        except (RuntimeError, KeyError, ValueError) as error:
            answer = str(error)
        with open(os.path.join(share, "answer"), "w", encoding="ascii") as file:
            file.write(answer)
        os.rename(file.name, os.path.join(share, f"answer.{number}"))
        print(f"{text}: {answer}", flush=True)
        number += 1


if __name__ == "__main__":
    try:
        main()
    except EOFError:
        pass
