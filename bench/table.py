#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""table.py DIR: what bench/run measured as a table, and as DIR/bench.json."""
import json
import re
import sys


def load(path):
    try:
        with open(path) as f:
            return json.load(f)
    except OSError as e:
        print(f"bench: {e}", file=sys.stderr)
        return []


def model_rates(path):
    """What bench_sm printed."""
    rates = []
    with open(path) as f:
        for line in f:
            m = re.match(r"(\w+)\s+workers (\d+)\s+([0-9.]+) Mlane-instr/s\s+([0-9.]+) a core", line)
            if m:
                rates.append({"loop": m[1], "workers": int(m[2]), "mlane_s": float(m[3]), "mlane_s_core": float(m[4])})
    return rates


def clpeak_figures(path):
    """What clpeak printed, each figure under its test's title."""
    figures = {}
    part = ""
    try:
        with open(path) as f:
            for line in f:
                m = re.match(r"\s+(\w[\w ]*?)\s*:\s*([0-9.]+)\s*(us)?$", line)
                if m and m[3]:
                    figures[m[1]] = float(m[2])
                elif m:
                    figures[f"{part} {m[1]}".strip()] = float(m[2])
                elif re.match(r"\s+\w[^:]*\(.*\)$", line):
                    part = line.strip()
    except OSError as e:
        print(f"bench: {e}", file=sys.stderr)
    return figures


def bound(row, latency):
    """
    What a program's time goes to: the instructions at the integer loop's rate on one core; its grids
    at the launch latency that clpeak measured; page faults, which are what is left.
    """
    total = row["seconds"]
    cores = min((row["cores_share"] or 0) * total, total)
    launches = min(row["counters"].get("grid", 0) * latency / 1e6, total - cores)
    rest = total - cores - launches
    faults = row["counters"].get("fault_replayable", 0)
    shares = {"cores": cores, "launches": launches, "page faults": rest}
    each = f", {1000 * rest / faults:.1f} ms a fault" if faults else ""
    return (f"bound by {max(shares, key=shares.get)}: cores {100 * cores / total:.0f} %, launches {100 * launches / total:.0f} %, "
            f"the rest {100 * rest / total:.0f} %{each}")


def main():
    out = sys.argv[1]
    guest = load(f"{out}/guest.json")
    native = {row["program"]: row for row in load(f"{out}/pocl.json")}
    model = model_rates(f"{out}/model.txt")
    clpeak = clpeak_figures(f"{out}/clpeak.txt")
    core = next((row["mlane_s_core"] for row in model if row["loop"] == "int" and row["workers"] == 1), 0)
    print(f"{'program':12} {'emulated':>9} {'longest':>8} {'pocl':>9} {'pocl/emul.':>10} {'M lane/s':>9} {'cores':>6} "
          f"{'faults':>7} {'grids':>5} {'doorb.':>6}  work")
    for row in guest:
        n = native.get(row["program"])
        row["pocl_seconds"] = n and n["seconds"]
        row["ratio"] = n["seconds"] / row["seconds"] if n and row["seconds"] else None
        counters = row["counters"]
        lanes = 32 * counters.get("warp_instruction", 0)
        rate = lanes / row["seconds"] / 1e6 if row["seconds"] else 0
        row["mlane_s"] = rate
        # the share of the time that one core would take for as many instructions of the integer loop
        row["cores_share"] = rate / core if core else None
        share = f"{100 * rate / core:5.0f}%" if core else f"{'-':>6}"
        ratio = f"{row['ratio']:10.4f}" if row["ratio"] is not None else f"{'-':>10}"
        print(f"{row['program']:12} {row['seconds']:9.3f} {row['longest']:8.3f} "
              f"{n['seconds'] if n else float('nan'):9.4f} {ratio} {rate:9.1f} {share} "
              f"{counters.get('fault_replayable', 0):7} {counters.get('grid', 0):5} {counters.get('doorbell', 0):6}  {row['what']}"
              f"{'' if row['ok'] else '  WRONG'}")
    slow = [row for row in guest if row["ratio"] is not None and row["ratio"] < 0.1]
    if slow:
        print("slower than a tenth of pocl:")
    for row in slow:
        row["bound"] = bound(row, clpeak.get("Kernel launch latency", 0))
        print(f"{row['program']:12} {row['bound']}")
    with open(f"{out}/bench.json", "w") as f:
        json.dump({"programs": guest, "model": model, "clpeak": clpeak, "ledger": load(f"{out}/ledger.json")}, f, indent=1)
    print(f"JSON: {out}/bench.json")


if __name__ == "__main__":
    main()
