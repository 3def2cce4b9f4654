#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""merge.py OUT RESULTS.json[.bz2]...: adds piglit's results to those in OUT, if there are any.

The last file that has a test holds for it. OUT is replaced at once or not at all. The totals are left out: piglit counts
them when it reads OUT. Ends with 1, OUT as it was, when a file cannot be read. Runs inside the tools tree.
"""

import json
import os
import sys

from verdicts import read


def main():
    out = sys.argv[1]
    merged, tests = {}, {}
    for path in [out] * os.path.exists(out) + sys.argv[2:]:
        try:
            merged = read(path)
            tests |= merged["tests"]
        except (OSError, ValueError, KeyError) as error:
            print(f"merge.py: {path}: {error!r}", file=sys.stderr)
            return 1
    merged["tests"] = tests
    merged.pop("totals", None)
    with open(out + ".new", "w", encoding="utf-8") as file:
        json.dump(merged, file)
    os.replace(out + ".new", out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
