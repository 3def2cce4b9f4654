#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""svm_table.py DIR: what bench/svm measured, as tables and as DIR/svm.json."""
import glob
import json
import os
import re
import sys

MIB = 1 << 20


def load(path):
    """The rows of one boot, in order."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("bench: "):
                rows.append(json.loads(line[7:]))
    return rows


def outside_copy(row, registers):
    """CPU ns a 2 MiB block, without copying and without the emulator's traps."""
    ns = row["cpu_ns"]
    if row["device"] == "test_hmm":
        ns -= row["copy_ns"]
    else:
        ns -= row["mmio_read"] * registers["mmio_read_ns"] + row["mmio_write"] * registers["mmio_write_ns"]
    return ns / (row["bytes"] / (2 * MIB))


def counts(row):
    moved = row["ce_bytes_sys_to_vram"] + row["ce_bytes_vram_to_sys"]
    leaves = "/".join(str(row[f"pte_write_{size}"]) for size in ("4k", "64k", "2m"))
    return (f"{row['mmio_read'] + row['mmio_write']:7} {row['doorbell']:6} {row['ce_launch']:6} {moved / MIB:7.1f} "
            f"{row['replay']:6} {row['inval_all'] + row['inval_pdb']:6} {leaves:>14}")


def table(driver, rows):
    registers = next(row for row in rows if row["device"] == "registers")
    links = [i for i, row in enumerate(rows) if row["device"] == "link"]
    plain = [row for row in rows[:links[0] if links else None] if "op" in row]
    hmm = {(row["op"], row["kind"], row["bytes"]): row for row in plain if row["device"] == "test_hmm"}
    print(f"== {driver}: a register is read in {registers['mmio_read_ns'] / 1000:.1f} us, "
          f"written in {registers['mmio_write_ns'] / 1000:.1f} us")
    print(f"{'operation':9} {'kind':4} {'MiB':>4} {'us':>9} {'/test_hmm':>9} {'us/2M out.':>10} {'/test_hmm':>9} "
          f"{'MMIO':>7} {'doorb.':>6} {'launch':>6} {'MiB mvd':>7} {'replay':>6} {'inval.':>6} {'4k/64k/2m':>14}")
    for row in plain:
        if row["device"] == "test_hmm":
            continue
        beside = hmm.get((row["op"], row["kind"], row["bytes"]))
        if not row["wall_ns"]:  # less than what filling empty VRAM costs, which is taken off
            beside = None
        # Faults of the GPU are served by a thread of the driver's: what the caller used says nothing.
        own_cpu = row["op"] in ("prefetch", "back")
        outside = outside_copy(row, registers)
        row["wall_to_test_hmm"] = beside and row["wall_ns"] / beside["wall_ns"]
        row["outside_ns_2m"] = outside if own_cpu else None
        row["outside_to_test_hmm"] = beside and own_cpu and outside / outside_copy(beside, registers) or None
        wall = f"{row['wall_to_test_hmm']:9.2f}" if beside else f"{'-':>9}"
        cpu = f"{outside / 1000:10.1f}" if own_cpu else f"{'-':>10}"
        ratio = f"{row['outside_to_test_hmm']:9.2f}" if row["outside_to_test_hmm"] else f"{'-':>9}"
        took = f"{row['wall_ns'] / 1000:9.0f}" if row["wall_ns"] else f"{'-':>9}"
        print(f"{row['op']:9} {row['kind']:4} {row['bytes'] // MIB:4} {took} {wall} {cpu} {ratio} {counts(row)}"
              + (f"  {row['wrong_pages']} pages WRONG" if row["wrong_pages"] else ""))
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
    for path in sorted(glob.glob(f"{out}/svm-*.txt")):
        driver = re.sub(r"^svm-|\.txt$", "", os.path.basename(path))
        rows = load(path)
        if not any(row["device"] == "registers" for row in rows):
            print(f"bench: nothing measured on {driver}", file=sys.stderr)
            continue
        table(driver, rows)
        result[driver] = rows
    with open(f"{out}/svm.json", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
