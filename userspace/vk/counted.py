#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""counted.py [--nowait] OUT COMMAND...: run COMMAND, and write what the GPU model counted meanwhile to OUT.

One counter a line.  Counting begins and ends with an idle GPU, unless "--nowait".  The exit status is COMMAND's.
"""
import json
import os
import subprocess
import sys

PORT = '/dev/virtio-ports/gpu-model.0'


def call(port, **request):
    os.write(port, json.dumps(request).encode() + b'\n')
    reply = b''
    while not reply.endswith(b'\n'):
        reply += os.read(port, 65536)
    reply = json.loads(reply)
    if not reply['ok']:
        sys.exit(f'{request}: {reply["error"]}')
    return reply


def main(out, command, wait=True):
    port = os.open(PORT, os.O_RDWR)
    if wait:
        call(port, cmd='wait_idle', timeout_ms=60000)
    call(port, cmd='ledger_reset')
    status = subprocess.run(command, check=False).returncode
    if wait:
        call(port, cmd='wait_idle', timeout_ms=60000)
    counters = call(port, cmd='ledger')
    with open(out, 'w') as f:
        for name, value in sorted(counters.items()):
            if name not in ('ok', 'id'):
                print(name, value, file=f)
    return status


if __name__ == '__main__':
    args = sys.argv[1:]
    nowait = args[0] == '--nowait'
    sys.exit(main(args[nowait], args[nowait + 1:], not nowait))
