#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""svm_table.py DIR NAME...: what bench/svm measured, as tables and as DIR/svm.json.

Ends with 1 when there is nothing of a NAME (svm-DRIVER or svm-DRIVER-counted), when data of ours was wrong, or when ours
costs more than it may.
"""
import glob
import json
import os
import re
import sys

MIB = 1 << 20

# The most that ours may cost (Documentation/costs.rst): CPU outside the copy, beside test_hmm, and registers a block
# of 2 MiB out of 64 MiB. Interrupts come as they come, hence the room above what is measured.
RATIO_MOST = 1.25
MMIO_MOST = {"prefetch": 24, "back": 32, "fault": 128, "migrate": 160, "evict": 64}


def load(path):
    """The rows of one boot, in order."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("bench: "):
                rows.append(json.loads(line[7:]))
    return rows


def outside_copy(row, registers):
    """CPU ns, without copying and without registers: what stands for them in a boot that counts is next to nothing."""
    ns = row["cpu_ns"]
    if row["device"] == "test_hmm":
        ns -= row["copy_ns"]
    else:
        ns -= row["mmio_read"] * registers["mmio_read_ns"] + row["mmio_write"] * registers["mmio_write_ns"]
    return ns


def counts(row):
    moved = row["ce_bytes_sys_to_vram"] + row["ce_bytes_vram_to_sys"]
    leaves = "/".join(str(row[f"pte_write_{size}"]) for size in ("4k", "64k", "2m"))
    return (f"{row['mmio_read'] + row['mmio_write']:7} {row['doorbell']:6} {row['ce_launch']:6} {moved / MIB:7.1f} "
            f"{row['replay']:6} {row['inval_all'] + row['inval_pdb']:6} {leaves:>14}")


def beside(rows, stand_in=None):
    """Rows of operations but for those over a declared link, and test_hmm's of the same or of what stands in for it."""
    stand_in = stand_in or {}
    end = next((i for i, row in enumerate(rows) if row["device"] == "link"), None)
    plain = [row for row in rows[:end] if "op" in row]
    hmm = {(row["op"], row["kind"], row["bytes"]): row for row in plain if row["device"] == "test_hmm"}
    return [(row, hmm.get((stand_in.get(row["op"], row["op"]), row["kind"], row["bytes"])))
            for row in plain if row["device"] != "test_hmm"]


def counted_table(driver, rows):
    """What a boot whose time is instructions says of work for the CPU. Returns what is more than ours may cost."""
    over = []
    registers = next(row for row in rows if row["device"] == "registers")
    print(f"== {driver}: instructions of who does the work, thousands a block of 2 MiB, without copying")
    print(f"{'operation':9} {'kind':4} {'MiB':>4} {'driver':>8} {'test_hmm':>8} {'ratio':>6} {'MMIO/2M':>7}")
    # test_hmm moves nothing on a fault of its device: it has to be told to.
    for row, hmm in beside(rows, {"migrate": "prefetch"}):
        # Upstream serves faults of the GPU in a work queue.
        if not hmm or (row["op"] == "fault" and driver == "upstream"):
            continue
        blocks = row["bytes"] / (2 * MIB)
        own, other = (outside_copy(one, registers) / blocks / 1000 for one in (row, hmm))
        row["outside_kinsn_2m"], row["outside_to_test_hmm"] = own, own / other
        mmio = (row["mmio_read"] + row["mmio_write"]) / blocks
        print(f"{row['op']:9} {row['kind']:4} {row['bytes'] // MIB:4} {own:8.0f} {other:8.0f} {own / other:6.2f} "
              f"{mmio:7.1f}")
        what = f"{row['op']}, {row['kind']}, {row['bytes'] // MIB} MiB"
        if own / other > RATIO_MOST:
            over.append(f"{what}: {own / other:.2f} x test_hmm")
        if blocks == 32 and mmio > MMIO_MOST.get(row["op"], mmio):
            over.append(f"{what}: {mmio:.1f} registers a block")
    for row in [row for row in rows if row["device"] == "profile"]:
        print(f"  prefetch, once more, traced: {row['function']:32} {row['calls']:5} calls, "
              f"{row['ns'] / (row['bytes'] / (2 * MIB)) / 1e3:7.1f} thousand a block with what it calls")
    return over if driver == "ours" else []


def timed_table(driver, rows):
    registers = next(row for row in rows if row["device"] == "registers")
    print(f"== {driver}: a register is read in {registers['mmio_read_ns'] / 1000:.1f} us, "
          f"written in {registers['mmio_write_ns'] / 1000:.1f} us")
    print(f"{'operation':9} {'kind':4} {'MiB':>4} {'us':>9} {'/test_hmm':>9} "
          f"{'MMIO':>7} {'doorb.':>6} {'launch':>6} {'MiB mvd':>7} {'replay':>6} {'inval.':>6} {'4k/64k/2m':>14}")
    for row, hmm in beside(rows):
        # less than what the same costs on empty memory, which is taken off
        if not row["wall_ns"] or (hmm and not hmm["wall_ns"]):
            hmm = None
        row["wall_to_test_hmm"] = hmm and row["wall_ns"] / hmm["wall_ns"]
        wall = f"{row['wall_to_test_hmm']:9.2f}" if hmm else f"{'-':>9}"
        took = f"{row['wall_ns'] / 1000:9.0f}" if row["wall_ns"] else f"{'-':>9}"
        print(f"{row['op']:9} {row['kind']:4} {row['bytes'] // MIB:4} {took} {wall} {counts(row)}"
              + (f"  {row['wrong_pages']} pages WRONG" if row["wrong_pages"] else ""))
    links = [i for i, row in enumerate(rows) if row["device"] == "link"]
    if len(links) == 2:
        link = rows[links[0]]
        for row in [row for row in rows[links[0] + 1:links[1]] if "op" in row]:
            ideal = row["bytes"] / link["rate_gbps"] + row["ce_launch"] * link["launch_us"] * 1000
            mmio = row["mmio_read"] * registers["mmio_read_ns"] + row["mmio_write"] * registers["mmio_write_ns"]
            rest = row["wall_ns"] - row["cpu_ns"]
            print(f"link of {link['rate_gbps']} GB/s and {link['launch_us']} us a launch, prefetch of {row['bytes'] // MIB} MiB: "
                  f"{100 * ideal / row['wall_ns']:.0f} % of the link; {row['wall_ns'] / 1e6:.2f} ms = {mmio / 1e6:.2f} registers + "
                  f"{(row['cpu_ns'] - mmio) / 1e6:.2f} kernel + {rest / 1e6:.2f} waiting for copies ({ideal / 1e6:.2f} on the link)")
    for row in [row for row in rows if row["device"] == "profile"]:
        print(f"  once more, traced: {row['function']:32} {row['calls']:5} calls, {row['ns'] / 1e6:7.2f} ms, "
              f"{row['ns'] / (row['bytes'] / (2 * MIB)) / 1e3:7.1f} us a block with what it calls")


def main():
    out = sys.argv[1]
    result = {}
    over, bad = [], []
    for path in sorted(glob.glob(f"{out}/svm-*.txt")):
        driver = re.sub(r"^svm-|\.txt$", "", os.path.basename(path))
        rows = load(path)
        if not any(row["device"] == "registers" for row in rows):
            continue
        if driver.endswith("-counted"):
            over += counted_table(driver.removesuffix("-counted"), rows)
        else:
            timed_table(driver, rows)
        result[driver] = rows
        # Upstream's loses copies: N1 of Documentation/defects.rst.
        if driver.split("-")[0] == "ours":
            bad += [f"{driver}: {row['device']}, {row['op']}, {row['kind']}, {row['bytes'] // MIB} MiB: "
                    f"{row['wrong_pages']} pages are wrong" for row in rows if row.get("wrong_pages")]
    with open(f"{out}/svm.json", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    measured = [name for name in sys.argv[2:] if any("op" in row for row in result.get(name.removeprefix("svm-"), []))]
    bad += [f"nothing measured: {name}" for name in sys.argv[2:] if name not in measured]
    for line in bad:
        print(f"bench: {line}", file=sys.stderr)
    for line in over:
        print(f"bench: more than it may cost: {line}", file=sys.stderr)
    return 1 if over or bad else 0


if __name__ == "__main__":
    sys.exit(main())
