#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""verdicts.py DRIVER TESTLIST RESULTS.json [KERNEL]: igt_runner's verdicts as result lines for vm/check.

TESTLIST names one test a line (igt@binary@subtest); one without a result is a failure, "not run: ...", which no list
of expected failures turns around (vm/lib/results). Lines in which nouveau reports a killed channel are no failure:
tests kill channels on purpose, and check themselves which die. On ours a skip is a failure but for those of
allowed-skips.txt beside this; KERNEL is vm/run's (debian).
"""

import fnmatch
import json
import os
import pathlib
import re
import sys

# What nouveau logs when it kills a channel, and when a submission comes just too late.
KILL = re.compile(r"nouveau .*: (fifo: fault |fifo:[0-9a-f:]+(\[.*\])? ?(rc scheduled|errored - disabling channel)|"
                  r".*: channel \d+ killed!|.*: error fencing pushbuf: -19)|nouveau .*fifo:\d+: rc scheduled")
# Reports that come and go with timing, by driver: the defect strikes in some runs of a test and not in others,
# so no list of expected failures can hold it.
RACES = {
    # Linux 7.3: the recovery of the killed channel resets GR while the cancel of its fault is still between
    # pausing and resuming context switches; the resume then gets no answer.
    "upstream": re.compile(r"WARNING: nvkm/(engine/gr/gf100\.c:\d+ at gf100_gr_fecs_|"
                           r"subdev/mmu/vmmgp100\.c:\d+ at gp100_vmm_mthd)"),
    # The debug kernel: nouveau_bo.c syncs pages that lie side by side in one go, and DMA debugging minds if they were
    # mapped in two. Documentation/testing.rst.
    "ours": re.compile(r"nouveau_bo_sync_for_(device|cpu)\+"),
}
# What a defect leaves behind for others to find, by driver: the first and the last line of a report.
AFTERMATH = {
    # A1, A2: the GPU writes to pages that are free. Whoever gets one next finds it poisoned in part, in another test often.
    "upstream": (re.compile(r"pagealloc: (memory corruption|single bit error)"),
                 re.compile(r"page dumped because: pagealloc: ")),
}
# What a test provokes on purpose: tests, then the first and the last line of a report of theirs (the same: one line).
PROVOKED = [
    # An eviction that is made to fail; TTM says so.
    (re.compile(r"igt@nouveau_svm_(inject|failnth)@evict-"), re.compile(r"\[TTM\] Buffer eviction failed"), None),
    # An allocation is made to fail; whoever asked for it says so.
    (re.compile(r"igt@nouveau_svm_failnth@(init|pagemap|life|channel)"),
     re.compile(r"debugfs: out of free dentries, |drm_sched_init: Failed to setup GPU scheduler--out of memory"
                r"|nouveau .*: (imem: OOM: |.*(Client|Device|MMU|VMM) allocation failed: -(12|19)$"
                r"|.*No supported (MEM|VMM) class$)"), None),
    # Memory runs short of a CPU fault twice in a row, and the access comes again.
    (re.compile(r"igt@nouveau_svm_failnth@short-beside-failed-copies"), re.compile(r"Huh VM_FAULT_OOM leaked out"), None),
    # The copy engine's channel cannot be made anew at once.
    (re.compile(r"igt@nouveau_svm_inject@replace-channel"), re.compile(r"svm: no copies until a channel is made"), None),
    # The copy engine hangs, and the channel is taken away from it.
    (re.compile(r"igt@nouveau_svm_wedged@"), re.compile(r"svm: off: the copy engine does not answer"), None),
    (re.compile(r"igt@nouveau_svm_wedged@"), re.compile(r"SCHED_ERROR 0a \[CTXSW_TIMEOUT\]"), None),
    (re.compile(r"igt@nouveau_svm_wedged@"), re.compile(r":fenceNonStallIntr\] \[BLOCK\] \(ret:-2\)"), None),
    # The model injects an error of the channel.
    (re.compile(r"igt@nouveau_svm_wedged@(idle-channel-)?killed"), re.compile(r"PBDMA\d+: 00004000 \[GPPTR\]"), None),
    (re.compile(r"igt@nouveau_svm_wedged@evict"), re.compile(r"\[TTM\] Buffer eviction failed"), None),
    (re.compile(r"igt@nouveau_svm_wedged@cpu-fault"), re.compile(r"svm: 1 blocks of data are lost with the device"),
     None),
    # The driver is bound anew; a display that is not there has no format.
    (re.compile(r"igt@nouveau_svm_(setup|wedged|unplug)@|igt@nouveau_svm_show@unbound|"
                r"igt@nouveau_svm_defects@(a11-unbind-|a13-|unload-)"),
     re.compile(r"\[drm\] No compatible format found"), None),
    # The device goes with data in its memory that no copy brings back.
    (re.compile(r"igt@nouveau_svm_(defects@(a11-unbind-copy-error|a13-surprise-removal)|unplug@surprise)"),
     re.compile(r"svm: [1-9]\d* blocks of data are lost with the device"), None),
    # It reads all ones from one moment on.
    (re.compile(r"igt@nouveau_svm_(defects@(a13-surprise-removal|dark-while-faulting)|unplug@surprise)"),
     re.compile(r"timer: the device does not answer|svm: off: the copy engine does not answer"), None),
    # make_device_exclusive() cannot wait for userfaultfd, of which CONFIG_DEBUG_VM tells with a stack.
    (re.compile(r"igt@nouveau_svm_fault@atomic-write-protected"), re.compile(r"FAULT_FLAG_ALLOW_RETRY missing"),
     re.compile(r"</TASK>")),
    # A page whose memory is made bad.
    (re.compile(r"igt@nouveau_svm_fault@poisoned-page-"), re.compile(r"(Injecting m|M)emory failure\b"), None),
    # An entry that is not valid in time, on purpose, or on a slow machine.
    (re.compile(r"igt@nouveau_svm_fault@(entry-never-valid|stale-)"), re.compile(r"svm: fault entry \d+ is not valid"),
     None),
    # The arguments of a submission come too late to be any good.
    (re.compile(r"igt@nouveau_svm_fault@look-while-submitting"), re.compile(r"push 0 buffer not in list"), None),
    # The channel of a process that ends is waited for when the fault of its shader is cancelled, which kills it.
    (re.compile(r"igt@nouveau_svm_lifetime@exit-while-working"), re.compile(r"failed to idle channel \d+ "), None),
    # A kernel that does not end is what the test is about: the end of its client waits for it, and then kills it.
    (re.compile(r"igt@nouveau_svm_unplug@unbind-while-vm-binding"),
     re.compile(r"failed to idle channel \d+ |SCHED_ERROR 0a \[CTXSW_TIMEOUT\]"), None),
    # Its fault is cancelled after 12 s, or on a slow machine after 16, and the channel is waited for 15; that it is
    # cancelled at all is what the test looks at.
    (re.compile(r"igt@nouveau_svm_lifetime@close-while-collecting"), re.compile(r"failed to idle channel \d+ "), None),
    # A memory cgroup that is too small for its process.
    (re.compile(r"igt@nouveau_svm_limits@memcg-oom"), re.compile(r"nouveau_svm(_lim|/\d+) invoked oom-killer"),
     re.compile(r"Memory cgroup out of memory: Killed process \d+ \(nouveau_svm_lim\)")),
]
KERNELS = ("debian", "debug", "kcsan")
LEVEL = re.compile(r"^<([0-7])> ")
# zram's size was set too often to be told each time.
NOISE = re.compile(r"set_capacity_and_notify: \d+ callbacks suppressed$")
RULE = re.compile(r"\] ={60,}$")
WARN_LEVEL = 4


def without_races(driver, lines):
    """The lines less the reports of a known race: from "cut here" to "end trace"."""
    race = RACES.get(driver)
    kept, report = [], None
    for line in lines:
        if "[ cut here ]" in line:
            report = []
        if report is None:
            kept.append(line)
            continue
        report.append(line)
        if "[ end trace " in line:
            if not race or not any(race.search(entry) for entry in report):
                kept += report
            report = None
    return kept + (report or [])


def without_reports(lines, begin, end):
    """The lines less those from one that is like BEGIN to one like END (None: one line); one that does not end is kept."""
    kept, report = [], None
    for line in lines:
        if report is None and begin.search(line):
            if end is not None:
                report = [line]
        elif report is None:
            kept.append(line)
        else:
            report.append(line)
            if end.search(line):
                report = None
    return kept + (report or [])


def without_provoked(name, lines):
    """The lines less the reports that the test provokes."""
    for test, begin, end in PROVOKED:
        if test.search(name):
            lines = without_reports(lines, begin, end)
    return lines


def without_kcsan(lines):
    """The lines less KCSAN's reports, whole or cut off: vm/run judges them, by whose functions they name."""
    kept, report = [], False
    for line, following in zip(lines, lines[1:] + [""]):
        if RULE.search(line) and (report or "BUG: KCSAN: " in following):
            report = not report
        elif RULE.search(line) and any("Reported by Kernel Concurrency Sanitizer" in entry for entry in kept):
            kept = []  # it began in the log of the test before
        elif not report:
            kept.append(line)
    return kept


def other_reports(driver, name, dmesg):
    """The first line of a report in the log that the test does not account for; None: there is none."""
    lines = without_races(driver, without_kcsan(dmesg.splitlines()))
    if driver in AFTERMATH:
        lines = without_reports(lines, *AFTERMATH[driver])
    for line in without_provoked(name, lines):
        level = LEVEL.match(line)
        if level and int(level.group(1)) <= WARN_LEVEL and not KILL.search(line) and not NOISE.search(line):
            return line.strip()
    return None


def first_failure(text):
    """What the test says went wrong."""
    lines = [line for line in text.splitlines() if "CRITICAL" in line]
    lines = [line.split("CRITICAL: ", 1)[1].strip() for line in lines]
    lines = [line for line in lines if not line.startswith(("Test assertion", "Last errno"))]
    return "; ".join(lines[:2])[:200].replace("\t", " ")


def why_skipped(text):
    """The requirement that is not met, and what the test says of it."""
    lines = [line.strip() for line in text.splitlines()]
    met = [i for i, line in enumerate(lines) if "requirement: " in line.lower()]
    if not met:
        return ""
    said = lines[met[-1] + 1:met[-1] + 2]
    return ": ".join([lines[met[-1]]] + [line for line in said if line and not line.startswith("Subtest ")])


def read_allowed(path):
    """The rows of allowed-skips.txt: kernel, test, reason."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        row = [field for field in line.split("\t") if field]
        if len(row) != 3 or row[0] not in KERNELS + ("any", "no-injection"):
            sys.exit(f"verdicts.py: {path.name}:{number}: not kernel, test and reason with tabs between")
        rows.append(tuple(row))
    return rows


def may_skip(allowed, kernel, name, reason):
    kernels = {kernel, "any"}
    if os.environ.get("NVSVM_INJECT") == "0":
        kernels.add("no-injection")
    return any(row[0] in kernels and fnmatch.fnmatchcase(name, row[1]) and row[2] in reason for row in allowed)


def verdict(driver, name, test, kernel, allowed):
    full = f"{driver}/{name}"
    result = "notrun" if test is None else test.get("result", "incomplete")
    if result == "notrun":
        return f"FAIL {full}: not run: listed, but has no result"
    if result == "pass":
        return f"PASS {full}"
    if result == "dmesg-warn":
        report = other_reports(driver, name, test.get("dmesg", ""))
        return f"PASS {full}" if report is None else f"FAIL {full}: the kernel's log: {report}"
    if result == "skip":
        reason = why_skipped(test.get("out", ""))
        if driver == "ours" and not may_skip(allowed, kernel, name, reason):
            return f"FAIL {full}: skipped: {reason or 'the test does not say why'}"
        return f"SKIP {full}: {reason}"
    return f"FAIL {full}: {result}: {first_failure(test.get('err', ''))}"


def main():
    driver, listing, results = sys.argv[1:4]
    kernel = sys.argv[4] if len(sys.argv) > 4 else "debian"
    if kernel not in KERNELS:
        sys.exit(f"verdicts.py: no kernel '{kernel}'")
    allowed = read_allowed(pathlib.Path(__file__).resolve().with_name("allowed-skips.txt"))
    try:
        with open(results, encoding="utf-8", errors="replace") as file:
            tests = json.load(file)["tests"]
    except (OSError, ValueError, KeyError) as error:
        print(f"FAIL {driver}/results.json: {error}")
        tests = {}
    with open(listing, encoding="utf-8") as file:
        names = [line.split("#")[0].strip() for line in file]
    for name in filter(None, names):
        parts = [key for key in tests if key.startswith(name + "@")] or [name]
        for key in parts:
            print(verdict(driver, key, tests.get(key), kernel, allowed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
