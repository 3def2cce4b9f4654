#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""verdicts.py [--left] EXPECTED LIST RESULTS.json[.bz2]: piglit's results as result lines for vm/check.

LIST names each test that was to run, one a line; one without a result is a failure. All are to pass but those of
EXPECTED: lines of TEST, RESULT (fail, crash, timeout, skip), CAUSE and perhaps SUBTEST, split at tabs, and lines
"cause NAME: TEXT", which explain them.
A test that ends otherwise than listed fails here, one that passes included. A subtest has a line of its own,
with its name in the fourth column; where subtests are listed, all others of that test have to pass.
An expected skip stays a skip; an expected failure is a pass that says why. --left prints only the names of those that
fail here or have no result. Runs inside the tools tree.
"""

import bz2
import json
import sys


def read(path):
    opener = bz2.open if path.endswith(".bz2") else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as file:
        return json.load(file)


def read_expected(path):
    """(test, subtest) -> (result, cause), and cause -> its text."""
    expected, causes = {}, {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("cause "):
                name, _, text = line[6:].partition(": ")
                causes[name] = text
                continue
            columns = line.split("\t")
            if len(columns) not in (3, 4):
                sys.exit(f"{path}:{number}: not TEST, RESULT, CAUSE and perhaps SUBTEST")
            test, result, cause = columns[:3]
            expected[test, columns[3] if len(columns) == 4 else ""] = result, cause
    for result, cause in expected.values():
        if cause not in causes:
            sys.exit(f"{path}: no text for the cause {cause}")
    return expected, causes


def differences(name, data, expected):
    """What ended otherwise than expected, a text each."""
    subtests = {sub: got for sub, got in (data.get("subtests") or {}).items() if sub != "__type__"}
    listed = {sub: want for (test, sub), (want, _) in expected.items() if test == name and sub}
    # Without subtests' results, or with only the whole test listed, the test's own result is what counts.
    if not subtests or not listed:
        want = expected.get((name, ""), ("pass", ""))[0]
        if data.get("result", "incomplete") != want:
            yield f"{data.get('result', 'incomplete')}, expected {want}"
        for sub in listed:
            yield f"no result of {sub}"
        return
    for sub in sorted(set(subtests) | set(listed)):
        got, want = subtests.get(sub, "no result"), listed.get(sub, "pass")
        if got != want:
            yield f"{sub}: {got}, expected {want}"


def verdict(name, data, expected, causes):
    if data is None:
        return f"FAIL piglit/{name}: listed, but has no result"
    wrong = list(differences(name, data, expected))
    if wrong:
        return f"FAIL piglit/{name}: {'; '.join(wrong[:3])}"
    reasons = sorted({f"{want}, {cause}: {causes[cause]}" for (test, _), (want, cause) in expected.items()
                      if test == name})
    if expected.get((name, ""), ("",))[0] == "skip":
        return f"SKIP piglit/{name}: {reasons[0][6:]}"
    return f"PASS piglit/{name}" + (f": expected {reasons[0]}" if reasons else "")


def main():
    left = sys.argv[1] == "--left"
    expectations, list_file, results = sys.argv[1 + left:]
    expected, causes = read_expected(expectations)
    with open(list_file, encoding="utf-8") as file:
        names = [line.split("#")[0].strip() for line in file]
    try:
        tests = read(results)["tests"]
    except (OSError, ValueError, KeyError) as error:
        if not left:
            print(f"FAIL piglit/results: {error}")
        tests = {}
    for name in filter(None, names):
        text = verdict(name, tests.get(name), expected, causes)
        if not left:
            print(text)
        elif text.startswith("FAIL"):
            print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
