# SPDX-License-Identifier: MIT
"""Boots the machine, runs one command in it, judges the kernel's log. The inner half of vm/run.

Owns every process of a run: one gpu-model a GPU, virtiofsd, QEMU. Runs inside the tools tree, in a mount
name space of its own, so what the guest sees is put together by bind mounts and one virtiofsd serves it (the share has its own).
Each child gets SIGKILL when this process dies, whatever the reason (PR_SET_PDEATHSIG).

Exit status: the command's own; or one of the STATUS_* below.
"""

import argparse
import contextlib
import ctypes
import json
import os
import re
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

STATUS_TIMEOUT = 124      # the time limit passed
STATUS_KERNEL = 70        # panic, oops, BUG, WARN, lockdep, KASAN, kmemleak, stall in the guest's log
STATUS_SANITIZER = 71     # the GPU model's sanitizer found something
STATUS_MACHINE = 72       # the machine did not start, or went away before the command ended
STATUS_DRIVER = 73        # the driver did not load or bind (from guest-init)

# What in the kernel's log makes a run fail.
REPORT = re.compile(
    r"Kernel panic - not syncing|\bBUG: |\bOops: |\bOops\b.*\[#\d+\]|general protection fault|"
    r"WARNING: |INFO: possible |INFO: suspicious |possible circular locking|"
    r"INFO: task .* blocked for more than|rcu: INFO: .* (stall|detected)|soft lockup|hard LOCKUP|"
    r"kmemleak: \d+ new suspected|UBSAN: |KASAN: |KFENCE: |DEBUG_LOCKS_WARN_ON|sleeping function called from|"
    r"list_(add|del) corruption|refcount_t: |Bad page state|Bad rss-counter state")
# Reports after which the guest may not go on: the command gets this many seconds more.
FATAL = re.compile(r"Kernel panic|\bBUG: (?!K[AC]SAN: )|\bOops|general protection fault|soft lockup|hard LOCKUP")
FATAL_GRACE = 45

# A data race is a report if one side of it is ours; elsewhere in the kernel there are many. Ours: our files, and what
# patches/ put into others.
RACE = re.compile(r"BUG: KCSAN: ")
OUR_NAME = (r"\b(nouveau_(\w*_)?svm_\w+|nouveau_debugfs_svm|nvkm_vmm_(raw_)?pfn_\w+|nv\w+_raw_pfn\w+|"
            r"gp100_vmm_(flush|fault_cancel)\w*|nouveau_bo_(clear|new_vram)|"
            r"nouveau_drm_(call_(enter|exit)|ioctl_waits|clients_fini|device_(del|fini|release))|"
            r"nouveau_ttm_(release|unmap|put|get_unless_zero))\b")
OUR_RACE = re.compile(OUR_NAME)
OUR_FRAME = re.compile(OUR_NAME + r"(\.\w+)*\+0x")
RACE_SIDE = re.compile(r"\bto 0x[0-9a-f]+ of \d+ bytes by |race at unknown origin")
RACE_FRAME = re.compile(r" [\w.]+\+0x[0-9a-f]+/0x")
RACE_END = re.compile(r"Reported by Kernel Concurrency Sanitizer|={60,}$")
# A function of the kernel's that works on what is ours has us as its caller; mm's own races are deeper below us.
RACE_FRAMES = 2

# The last line that guest-init sends to the kernel's log; the console may lag behind the command's status.
LOG_END = "guest: the command ended"
LOG_END_WAIT = 5
QUIT_TIMEOUT = 60         # of a model on a host that is busy

# Directories of failed runs that are kept.
KEPT_RUNS = 20

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
MS_BIND, MS_REC = 4096, 16384


class Race:
    """A report of KCSAN's, line by line. It is ours if a function of ours is in the title, or one of the first two of a
    side, or anywhere in both."""

    def __init__(self, title):
        self.title = title.strip()
        self.ours = bool(OUR_RACE.search(title))
        self.sides = 0
        self.depth = 0
        self.with_us = set()

    def add(self, line):
        """Return: false, that was the end of it."""
        if RACE_END.search(line):
            return False
        if RACE_SIDE.search(line):
            self.sides += 1
            self.depth = 0
        elif RACE_FRAME.search(line):
            self.depth += 1
            if self.sides and OUR_FRAME.search(line):
                self.with_us.add(self.sides)
                self.ours = self.ours or self.depth <= RACE_FRAMES or len(self.with_us) > 1
        return True


class Failure(Exception):
    """Something outside the guest went wrong; the text says what, and what mends it."""


class Interrupted(Exception):
    """SIGINT, SIGTERM or SIGHUP."""


def say(text):
    print(f"run: {text}", file=sys.stderr, flush=True)


def bind(source, target, recursive=False):
    """Bind-mounts source at target, read-only."""
    if LIBC.mount(source.encode(), target.encode(), None, MS_BIND | (MS_REC if recursive else 0), None):
        raise Failure(f"cannot mount {source} at {target}: {os.strerror(ctypes.get_errno())}")
    # mount(8) keeps the flags that the name space locks (nosuid, nodev)
    subprocess.run(["mount", "-o", "remount,bind,ro", target], stderr=subprocess.DEVNULL, check=False)


def parse_size(text):
    match = re.fullmatch(r"(\d+)([MG])i?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is no size like 3G or 2048M")
    return text.rstrip("i")


def regex(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"'{text}': {error}") from error


def options(argv):
    parser = argparse.ArgumentParser(
        prog="vm/run", usage="vm/run [options] -- COMMAND [ARGUMENT]...", allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Boots the guest, runs COMMAND in it as root with the checkout at /mnt/src (its working\n"
                    "directory, read-only), prints its output, returns its exit status.",
        epilog="exit status: COMMAND's own, or 70 the kernel's log holds a report, 71 sanitizer findings,\n"
               "72 the machine did not come up or went away, 73 nouveau did not bind, 124 time limit.")
    add = parser.add_argument
    add("--driver", choices=("ours", "upstream", "fixes", "debian"), default="ours",
        help="nouveau.ko: 7.3's code with our changes (default), the same kernel's own SVM code switched on, "
             "that with the fixes for backports, Debian's binary")
    add("--kernel", choices=("debian", "debug", "kcsan"), default="debian",
        help="debug: one with KASAN, lockdep, kmemleak and more; kcsan: one that looks for data races")
    add("--share", metavar="DIR", help="a directory of the host, at /mnt/share, writable")
    add("--ledger", metavar="FILE", help="the GPU model's counters as JSON (FILE.N for GPU N > 0)")
    add("--model", metavar="ARGS", action="append", default=[],
        help="arguments for gpu-model, split at blanks; a word without -- gets one: topology=single")
    add("--gpus", metavar="N", type=int, default=1, help="GPUs in the machine (default 1)")
    add("--iommu", action="store_true", help="intel-iommu in the machine, strict in the guest")
    add("--mem", metavar="SIZE", type=parse_size, default="3G", help="memory (default 3G)")
    add("--cpus", metavar="N", type=int, default=2, help="CPUs (default 2)")
    add("--count-time", action="store_true",
        help="the guest's time is what it executes: 1 ns an instruction, whatever else the host does (emulated)")
    add("--append", metavar="ARGS", action="append", default=[], help="more for the kernel's command line")
    add("--qmp", metavar="SOCKET", help="a QMP socket of QEMU's for the caller")
    add("--timeout", metavar="S", type=float, default=600, help="time limit, boot included (default 600)")
    add("--no-load", action="store_true", help="leave loading nouveau to COMMAND")
    add("--expect-crash", metavar="REGEX", type=regex,
        help="succeed if and only if REGEX shows up in the kernel's log")
    add("--allow-log", metavar="REGEX", type=regex, action="append", default=[],
        help="a report in the kernel's log that matches is no failure")
    add("--allow-findings", action="store_true", help="findings of the model's sanitizer are no failure")
    add("--qemu", metavar="ARGS", action="append", default=[], help="more arguments for QEMU")
    add("--keep", action="store_true", help="keep build/run-PID/ even on success")
    add("--verbose", action="store_true", help="the kernel's log on stderr as it comes")
    if "--" not in argv:
        if "-h" in argv or "--help" in argv:
            parser.parse_args(["--help"])
        parser.error("'-- COMMAND' is missing")
    cut = argv.index("--")
    result = parser.parse_args(argv[:cut])
    result.command = argv[cut + 1:]
    if not result.command:
        parser.error("COMMAND is missing")
    if result.gpus < 0 or result.gpus > 8:
        parser.error("--gpus is 0 to 8")
    return result


class Machine:
    """One boot."""

    def __init__(self, opts, env):
        self.opts = opts
        self.top = env["NVSVM_TOP"]
        self.guest = env["NVSVM_GUEST"]
        self.modules = env.get("NVSVM_MODULES", "")
        self.kernel = env.get("NVSVM_KERNEL", "")
        self.cache = env["NVSVM_CACHE"]
        with open("/etc/nouveau-svm-abi", encoding="ascii") as file:
            self.abi = file.read().strip()
        self.runs = os.path.realpath(env.get("NVSVM_RUNS") or os.path.join(self.top, "build"))
        self.run_dir = os.path.join(self.runs, f"run-{os.getpid()}")
        self.log_path = os.path.join(self.run_dir, "dmesg")
        self.sockets = None
        self.children = []      # (name, Popen), in the order of their start
        self.models = []        # (Popen, control path)
        self.qemu = None
        self.reports = []
        self.race = None
        self.fatal_at = None
        self.expected = False
        self.result = None
        self.log_complete = False
        self.started = time.monotonic()

    # -- processes ---------------------------------------------------------------------------------

    def spawn(self, name, argv, log=None):
        def child():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        out = open(log, "ab") if log else subprocess.DEVNULL  # noqa: SIM115
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   preexec_fn=child, start_new_session=True)
        if log:
            out.close()
        self.children.append((name, process))
        return process

    def wait_socket(self, path, process, name, log):
        deadline = time.monotonic() + 20
        while not os.path.exists(path):
            if process.poll() is not None:
                raise Failure(f"{name} ended with {process.returncode}: {tail(log, 5)}")
            if time.monotonic() > deadline:
                raise Failure(f"{name} does not listen at its socket: {tail(log, 5)}")
            time.sleep(0.01)

    def stop(self):
        for _, process in reversed(self.children):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 2
        for _, process in reversed(self.children):
            try:
                process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)

    # -- what the guest sees -----------------------------------------------------------------------

    def compose_root(self):
        """The guest's root: the guest tree, read-only, with kernel modules, checkout and share bound in."""
        root = self.guest
        bind(root, root)
        modules = f"/usr/lib/modules/{self.abi}"
        if self.kernel:
            bind(os.path.join(self.modules, "lib"), f"{root}/usr/lib/modules")
        elif self.modules:
            # over the tools tree's own modules, in this name space only: updates/ and the indexes for it
            bind(os.path.join(self.modules, "updates"), f"{modules}/updates")
            for name in os.listdir(self.modules):
                if name.startswith("modules.") and os.path.exists(f"{modules}/{name}"):
                    bind(os.path.join(self.modules, name), f"{modules}/{name}")
        if not self.kernel:
            bind("/usr/lib/modules", f"{root}/usr/lib/modules", recursive=True)
        bind(self.top, f"{root}/mnt/src", recursive=True)
        bind(self.run_dir, f"{root}/mnt/run")
        firmware = os.path.join(self.top, "build", "firmware", "nvidia")
        if os.path.isdir(firmware):
            bind(firmware, f"{root}/usr/lib/firmware/nvidia")
        return root

    def sweep_runs(self):
        """Logs of failed runs stay for reading; the oldest of many go."""
        old = [os.path.join(self.runs, name) for name in os.listdir(self.runs)
               if re.fullmatch(r"run-\d+", name) and not os.path.exists(f"/proc/{name[4:]}")]
        for path in sorted(old, key=os.path.getmtime)[:-KEPT_RUNS]:
            shutil.rmtree(path, ignore_errors=True)

    def write_run_dir(self):
        os.makedirs(self.run_dir, exist_ok=True)
        self.sweep_runs()
        with open(os.path.join(self.run_dir, "command"), "w", encoding="utf-8") as file:
            file.write("exec " + shlex.join(self.opts.command) + "\n")
        with open(os.path.join(self.run_dir, "settings"), "w", encoding="utf-8") as file:
            load = int(not self.opts.no_load and self.opts.gpus > 0)
            file.write(f"NVSVM_LOAD={load}\nNVSVM_GPUS={self.opts.gpus}\n"
                       f"NVSVM_SHARE={int(bool(self.opts.share))}\n"
                       f"export NVSVM_DRIVER={self.opts.driver} NVSVM_GPUS\n")

    # -- start -------------------------------------------------------------------------------------

    def start_models(self):
        binary = os.path.join(self.top, "build", "gpu-model", "gpu-model")
        if self.opts.gpus and not os.access(binary, os.X_OK):
            raise Failure("build/gpu-model/gpu-model is not there. Please run: make model")
        extra = []
        for words in self.opts.model:
            extra += [w if w.startswith("-") else f"--{w}" for w in shlex.split(words)]
        for index in range(self.opts.gpus):
            sock = os.path.join(self.sockets, f"gpu{index}")
            control = os.path.join(self.sockets, f"ctl{index}")
            log = os.path.join(self.run_dir, f"gpu-model.{index}.log")
            argv = [binary, f"--socket={sock}", f"--control={control}", f"--ledger={self.ledger_path(index)}"]
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.ledger_path(index))
            process = self.spawn(f"gpu-model {index}", argv + extra, log)
            self.wait_socket(sock, process, "gpu-model", log)
            self.wait_socket(control, process, "gpu-model", log)
            self.models.append((process, control))

    def ledger_path(self, index):
        base = self.opts.ledger or os.path.join(self.run_dir, "ledger.json")
        return base + (f".{index}" if index else "")

    def start_virtiofsd(self, tag, directory, cache):
        """Serves directory; returns its socket. "always" trusts the guest's cache: for what does not change
        under it (every process that starts costs ten times as much without); "auto" for what may."""
        sock = os.path.join(self.sockets, f"fs-{tag}")
        log = os.path.join(self.run_dir, f"virtiofsd-{tag}.log")
        process = self.spawn(f"virtiofsd {tag}", [
            "/usr/libexec/virtiofsd", f"--socket-path={sock}", f"--shared-dir={directory}",
            "--sandbox=none", "--announce-submounts", f"--cache={cache}", "--inode-file-handles=never",
            "--log-level=error"], log)
        self.wait_socket(sock, process, "virtiofsd", log)
        return sock

    def start_file_systems(self):
        file_systems = {"root": self.start_virtiofsd("root", self.compose_root(), "always")}
        if self.opts.share:
            file_systems["share"] = self.start_virtiofsd("share", os.path.realpath(self.opts.share), "auto")
        return file_systems

    def accel(self):
        wanted = os.environ.get("NVSVM_ACCEL", "")
        if wanted in ("tcg", "kvm"):
            return wanted
        return "kvm" if kvm_boots(self.cache, self.abi) else "tcg"

    def qemu_argv(self, file_systems):
        opts, run = self.opts, self.run_dir
        if self.accel() == "kvm" and not opts.count_time:
            accel = ["-accel", "kvm" + (",kernel-irqchip=split" if opts.iommu else ""), "-cpu", "host"]
        else:
            # without the string features memset_io() makes 8-byte writes; with them single bytes
            accel = ["-accel", "tcg,thread=" + ("single" if opts.count_time else "multi"),
                     "-cpu", "max,-erms,-fsrm,-fsrs,-fzrm"]
            if opts.count_time:
                # asleep it goes on with the host's: what the guest waits for, the model, is outside
                accel += ["-icount", "shift=0,sleep=on"]
        append = ["console=ttyS0", "loglevel=7", "panic=-1", "no_timer_check", "mitigations=off",
                  # igt_runner cuts the log by lines that tests write there: none may be dropped
                  "printk.devkmsg=on",
                  # not needed here, and two seconds of every boot
                  "apparmor=0", "audit=0", "lsm=", "cryptomgr.notests", "tsc=reliable",
                  "root=root", "rootfstype=virtiofs", "rw", "init=/mnt/src/vm/lib/guest-init"]
        argv = ["qemu-system-x86_64", *accel, "-name", "nouveau-svm", "-smp", str(opts.cpus), "-m", opts.mem,
                "-object", f"memory-backend-memfd,id=mem,size={opts.mem},share=on",
                "-machine", "q35,memory-backend=mem",
                "-nodefaults", "-display", "none", "-vga", "none", "-no-reboot", "-no-user-config",
                "-chardev", f"socket,id=log,path={self.sockets}/log", "-serial", "chardev:log",
                "-qmp", f"unix:{self.sockets}/qmp,server=on,wait=off"]
        if opts.iommu:
            argv += ["-device", "intel-iommu,caching-mode=on"]
            append += ["intel_iommu=on", "iommu.strict=1"]
        for tag, path in file_systems.items():
            argv += ["-chardev", f"socket,id=fs-{tag},path={path}",
                     "-device", f"vhost-user-fs-pci,chardev=fs-{tag},tag={tag},queue-size=1024"]
        argv += ["-device", "virtio-serial-pci,id=ports,max_ports=31"]
        for name in ("stdout", "stderr", "result"):
            argv += ["-chardev", f"socket,id={name},path={self.sockets}/{name}",
                     "-device", f"virtserialport,bus=ports.0,chardev={name},name={name}"]
        for index, (_, control) in enumerate(self.models):
            argv += ["-chardev", f"socket,id=ctl{index},path={control}",
                     "-device", f"virtserialport,bus=ports.0,chardev=ctl{index},name=gpu-model.{index}"]
        for index in range(len(self.models)):
            # room for a GPU's BARs, so that one can be plugged in again
            argv += ["-device", f"pcie-root-port,id=rp{index},bus=pcie.0,chassis={index + 1},slot={index + 1},"
                                "mem-reserve=32M,pref64-reserve=1G",
                     "-device", json.dumps({
                         "driver": "vfio-user-pci", "id": f"gpu{index}", "bus": f"rp{index}",
                         "socket": {"type": "unix", "path": os.path.join(self.sockets, f"gpu{index}")}})]
        if opts.qmp:
            argv += ["-qmp", f"unix:{os.path.realpath(opts.qmp)},server=on,wait=off"]
        for words in opts.append:
            append += shlex.split(words)
        for words in opts.qemu:
            argv += shlex.split(words)
        image = f"/usr/lib/modules/{self.abi}/vmlinuz"
        if self.kernel:
            image = os.path.join(self.kernel, "vmlinuz")
            append += ["kasan_multi_shot", "page_poison=1", "init_on_alloc=0"]
            # KASAN asks the CPU's features where its shadow begins (pgtable_l5_enabled()). identify_cpu() clears and
            # reads them anew with interrupts on: one in between, likely on a slow host, and all memory seems wild.
            argv[argv.index("-cpu") + 1] += ",-la57"
        argv += ["-kernel", image, "-append", " ".join(append)]
        with open(os.path.join(run, "qemu.cmd"), "w", encoding="utf-8") as file:
            file.write(shlex.join(argv) + "\n")
        return argv

    # -- the run -----------------------------------------------------------------------------------

    def run(self):
        self.sockets = tempfile.mkdtemp(prefix="nvsvm-", dir="/tmp")
        self.write_run_dir()
        listeners = {}
        for name in ("log", "stdout", "stderr", "result"):
            listeners[name] = socket.socket(socket.AF_UNIX)
            listeners[name].bind(os.path.join(self.sockets, name))
            listeners[name].listen(1)
        self.start_models()
        argv = self.qemu_argv(self.start_file_systems())
        self.qemu = self.spawn("qemu", argv, os.path.join(self.run_dir, "qemu.log"))
        connections = self.accept(listeners)
        status = self.follow(connections)
        self.finish_log(connections["log"])
        findings = self.collect_ledgers()
        return self.verdict(status, findings)

    def accept(self, listeners):
        connections = {}
        for name, listener in listeners.items():
            deadline = time.monotonic() + 30
            listener.settimeout(0.2)
            while name not in connections:
                try:
                    connections[name] = listener.accept()[0]
                except TimeoutError:
                    if self.qemu.poll() is not None or time.monotonic() > deadline:
                        raise Failure("QEMU did not start: "
                                      + tail(os.path.join(self.run_dir, "qemu.log"), 8)) from None
            listener.close()
        return connections

    def follow(self, connections):
        """Passes output on until the command's status arrives; returns it, or one of STATUS_*."""
        deadline = self.started + self.opts.timeout
        self.log_file = open(self.log_path, "wb")  # noqa: SIM115
        self.log_rest = b""
        open_ports = dict(connections)
        with selectors.DefaultSelector() as selector:
            for name, connection in connections.items():
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ, name)
            while True:
                now = time.monotonic()
                limit = deadline if self.fatal_at is None else min(deadline, self.fatal_at + FATAL_GRACE)
                if self.expected or self.result is not None:
                    break
                if now >= limit:
                    return STATUS_TIMEOUT if limit == deadline else STATUS_KERNEL
                for key, _ in selector.select(min(limit - now, 1)):
                    if not self.receive(key.data, key.fileobj):
                        selector.unregister(key.fileobj)
                        open_ports.pop(key.data)
                if not open_ports or (self.qemu.poll() is not None and not selector.select(0)):
                    return STATUS_MACHINE
            self.drain(selector)
        return 0 if self.expected else self.result

    def drain(self, selector):
        """What was written before the status is read before the end: ports and console are queues of their own."""
        quiet_since = started = time.monotonic()
        while True:
            now = time.monotonic()
            if now - started > 2 * LOG_END_WAIT:  # a kernel that never stops talking
                return
            complete = self.log_complete or self.expected or now - started > LOG_END_WAIT
            if complete and now - quiet_since > 0.05:
                return
            for key, _ in selector.select(0.02):
                if self.receive(key.data, key.fileobj):
                    quiet_since = time.monotonic()
                else:
                    selector.unregister(key.fileobj)

    def receive(self, name, connection):
        try:
            data = connection.recv(1 << 16)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        if not data:
            return False
        if name == "log":
            self.receive_log(data)
        elif name == "result":
            self.result_text = getattr(self, "result_text", "") + data.decode("ascii", "replace")
            if self.result_text.endswith("\n"):
                self.result = int(self.result_text)
        else:
            stream = sys.stdout.buffer if name == "stdout" else sys.stderr.buffer
            try:
                stream.write(data)
                stream.flush()
            except BrokenPipeError:
                raise Interrupted("nobody reads the output") from None
        return True

    def receive_log(self, data):
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"")
        self.log_file.write(data)
        self.log_file.flush()
        if self.opts.verbose:
            sys.stderr.buffer.write(data)
            sys.stderr.flush()
        *lines, self.log_rest = (self.log_rest + data).split(b"\n")
        for raw in lines:
            self.judge_line(raw.decode("utf-8", "replace"))

    def judge_line(self, line):
        if self.opts.expect_crash and self.opts.expect_crash.search(line):
            self.expected = True
        if LOG_END in line:
            self.log_complete = True
        if self.race and not self.race.add(line):
            self.end_race()
        if any(allowed.search(line) for allowed in self.opts.allow_log):
            return
        if RACE.search(line):
            self.end_race()
            self.race = Race(line)
            return
        if REPORT.search(line) and not re.search(r"\bNOTE:|No errors detected", line):
            self.reports.append(line.strip())
            if FATAL.search(line) and self.fatal_at is None:
                self.fatal_at = time.monotonic()

    def end_race(self):
        if self.race and self.race.ours:
            self.reports.append(self.race.title)
        self.race = None

    def finish_log(self, connection):
        """Ends the machine and takes what the log still holds."""
        self.quit_qemu()
        deadline = time.monotonic() + 2
        connection.setblocking(True)
        connection.settimeout(0.5)
        while time.monotonic() < deadline:
            try:
                data = connection.recv(1 << 16)
            except (TimeoutError, ConnectionError):
                break
            if not data:
                break
            self.receive_log(data)
        if self.log_rest:
            self.judge_line(self.log_rest.decode("utf-8", "replace"))
        self.end_race()
        self.log_file.close()

    def quit_qemu(self):
        if self.qemu.poll() is not None:
            return
        try:
            with socket.socket(socket.AF_UNIX) as qmp:
                qmp.settimeout(3)
                qmp.connect(os.path.join(self.sockets, "qmp"))
                stream = qmp.makefile("rw")
                stream.readline()
                stream.write('{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n')
                stream.flush()
            self.qemu.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.qemu.kill()
            self.qemu.wait()

    def collect_ledgers(self):
        """Ends each model and reads the ledger that it leaves; returns the sanitizer's findings as {name: count}."""
        findings = {}
        for index, (process, control) in enumerate(self.models):
            self.quit_model(process, control)
            try:
                with open(self.ledger_path(index), encoding="utf-8") as file:
                    counts = json.load(file)["sanitizer"]
            except (OSError, ValueError, KeyError) as error:
                say(f"GPU {index}: no ledger: {error}")
                findings[f"gpu-model {index} left no ledger, status {process.poll()}"] = 1
                continue
            for name, count in counts.items():
                if count:
                    findings[name] = findings.get(name, 0) + count
        return findings

    def quit_model(self, process, control):
        """The model writes its ledger when it ends; on a busy host that takes a while."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(QUIT_TIMEOUT)
                client.connect(control)
                client.sendall(b'{"cmd":"quit","id":1}\n')
                client.recv(4096)
            process.wait(QUIT_TIMEOUT)
        except (OSError, subprocess.TimeoutExpired) as error:
            if process.poll() is None:
                say(f"gpu-model does not end: {error}")

    # -- the verdict -------------------------------------------------------------------------------

    def verdict(self, status, findings):
        if self.opts.expect_crash:
            if self.expected:
                return 0
            say(f"the log does not show what was expected: {self.opts.expect_crash.pattern}")
            self.show_log()
            return STATUS_KERNEL
        if self.reports:
            say(f"the kernel's log holds {len(self.reports)} report(s):")
            for line in self.reports[:8]:
                say(f"  {line}")
            self.show_log()
            return STATUS_KERNEL
        refused = self.refused_maps()
        if refused:
            say(f"gpu-model refused {len(refused)} change(s) of the DMA map, the first:")
            say(f"  {refused[0]}")
            return status or STATUS_SANITIZER
        if status == STATUS_TIMEOUT and self.result is None:
            say(f"time limit of {self.opts.timeout:g} s passed")
            self.show_log()
        elif status == STATUS_MACHINE and self.result is None:
            say("the machine went away before the command ended: "
                + tail(os.path.join(self.run_dir, "qemu.log"), 5))
            self.show_log()
        if findings and not self.opts.allow_findings:
            say("THE GPU MODEL'S SANITIZER FOUND:")
            for name, count in findings.items():
                say(f"  {name}: {count}")
            return status or STATUS_SANITIZER
        return status

    def refused_maps(self):
        """What QEMU says of mappings that a model did not take or give up: data is wrong from there on."""
        with open(os.path.join(self.run_dir, "qemu.log"), encoding="utf-8", errors="replace") as file:
            return [line.strip() for line in file if "vfio_container_dma_" in line and " = -" in line]

    def show_log(self):
        say(f"last lines of {os.path.relpath(self.log_path, self.top)}:")
        sys.stderr.write(tail(self.log_path, 30) + "\n")
        sys.stderr.flush()


def tail(path, count):
    try:
        with open(path, "rb") as file:
            return b"\n".join(file.read().rstrip().split(b"\n")[-count:]).decode("utf-8", "replace")
    except OSError:
        return "(no log)"


def kvm_boots(cache, abi):
    """A /dev/kvm that opens is no proof: does our kernel really come up with it? Asked once a host boot."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    known = os.path.join(cache, "kvm-probe")
    try:
        with open(known, encoding="ascii") as file:
            saved_boot, answer = file.read().split()
        if saved_boot == boot:
            return answer == "yes"
    except (OSError, ValueError):
        pass
    argv = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-M", "q35", "-m", "512M", "-nodefaults",
            "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", f"/usr/lib/modules/{abi}/vmlinuz",
            "-append", "console=ttyS0 panic=-1 root=/dev/none"]
    try:
        out = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False,
                             preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)).stdout
    except subprocess.TimeoutExpired:
        out = b""
    answer = b"Unable to mount root fs" in out
    with open(f"{known}.{os.getpid()}", "w", encoding="ascii") as file:
        file.write(f"{boot} {'yes' if answer else 'no'}\n")
    os.rename(f"{known}.{os.getpid()}", known)
    say(f"KVM {'boots' if answer else 'does not boot'} our kernel here: "
        f"using {'KVM' if answer else 'TCG (emulation)'}")
    return answer


def on_signal(number, _frame):
    raise Interrupted(number)


def main():
    opts = options(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    machine = Machine(opts, os.environ)
    status = STATUS_MACHINE
    try:
        status = machine.run()
    except Failure as failure:
        say(f"error: {failure}")
    except Interrupted as reason:
        number = reason.args[0]
        status = 128 + number if isinstance(number, int) else 141
        say(f"interrupted ({number})")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        machine.stop()
    if status == 0 and not opts.keep:
        shutil.rmtree(machine.run_dir, ignore_errors=True)
    elif os.path.isdir(machine.run_dir):
        say(f"status {status}; logs are in {os.path.relpath(machine.run_dir, machine.top)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
