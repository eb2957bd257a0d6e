#!/usr/bin/env python3
"""ledger.py OUT: what a delivery costs as its ledger grows. tests/bench/run calls it.

The records are of the last six days, as a week's mail leaves them, so that the default window drops none while this runs.
LEDGERS=FOLDER keeps them there, and takes those that are there already, FOLDER/ledger.N: ten million take a quarter of an hour to make.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import engine
from engine import BUILD, shown

SIZE = 4096
DAY = 86400
SPAN = 6 * DAY
PRUNED = 10  # one in so many records is pruned
PARALLEL = 8
FINGERPRINT = re.compile(r"\bfp=([0-9a-f]{16})")


def prepare(folder, records):
    """Returns the subject's line and what the ledger is like."""
    for sub in ("tmp", "new", "cur"):
        (folder / "M" / sub).mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    if not (folder / "L").exists():
        subprocess.run([BUILD / "bench" / "fill", folder / "L", str(records), str(SPAN)], check=True)
    took = time.monotonic() - begun
    size = sum(f.stat().st_blocks * 512 for f in (folder / "L" / "env").iterdir() if f.name == "ledger.db")
    line = "\t".join([str(records), "dup", "exec", f"{BUILD}/dedup-lda", "-o", f"mailbox=maildir:{folder}/M", "-o", f"ledger=bdb:{folder}/L",
                      "-o", f"log=file:{folder}/log"])
    return line, {"records": records, "fill s": took, "bytes a record": size / records}


def one(folder, line, number):
    """Milliseconds that one new message takes."""
    run = engine.run_bench(folder, [line], n=1, w=0, s=SIZE, k=number)[line.split("\t")[0], "new"]
    if run.codes != [0]:
        raise SystemExit(f"bench: {line}: exit {run.codes}")
    return run.latencies[0] / 1000


def recovery(folder, line, number, spoil):
    """Milliseconds of the delivery that repairs the ledger, with the header changed by spoil()."""
    one(folder, line, number)
    path = folder / "L" / "lock"
    path.write_bytes(spoil(bytearray(path.read_bytes())))
    took = one(folder, line, number + 1)
    if "recovering" not in (folder / "log").read_text():
        raise SystemExit("bench: nothing was recovered")
    (folder / "log").write_text("")
    return took


def sealed(header):
    """A header with its checksum, as pack_checksum() makes it."""
    summed = bytes(header[:-8])
    total = 0xCBF29CE484222325 ^ len(summed)
    for at in range(0, len(summed), 8):
        total = (total ^ int.from_bytes(summed[at:at + 8], "little")) * 0x9E3779B97F4A7C15 & (1 << 64) - 1
        total ^= total >> 32
    return summed + total.to_bytes(8, sys.byteorder)


def killed(header):
    """As a process that died at work leaves it."""
    header[8] = 1
    return sealed(header)


def rebooted(header):
    """As another boot, which ended in good order, left it."""
    header[16] ^= 0xFF
    return sealed(header)


def crashed(header):
    """As a power cut leaves it: another boot, and files that are not as they were at the last section's end."""
    header[16] ^= 0xFF
    header[32] ^= 0xFF
    return sealed(header)


def command(folder, *words):
    """Milliseconds that a command of dedupdb takes: the median of five, and what it prints."""
    taken = []
    for _ in range(5):
        begun = time.monotonic()
        done = subprocess.run([BUILD / "dedupdb", "-l", f"bdb:{folder}/L", *words], check=True, capture_output=True, text=True)
        taken.append((time.monotonic() - begun) * 1000)
    return sorted(taken)[2], done.stdout


def prune(folder, line):
    """Prunes the oldest records while eight at a time are delivered. The milliseconds of each delivery before and beside it."""
    numbers = iter(range(6000000, 7000000, 200))

    def deliver():
        run = engine.run_bench(folder, [line], n=200, w=0, s=SIZE, j=PARALLEL, k=next(numbers))[line.split("\t")[0], "new"]
        if any(run.codes):
            raise SystemExit("bench: a delivery beside prune failed")
        return [latency / 1000 for latency in run.latencies]

    before = [ms for _ in range(5) for ms in deliver()]
    beside = []
    begun = time.monotonic()
    with subprocess.Popen([BUILD / "dedupdb", "-l", f"bdb:{folder}/L", "prune", "--older-than", f"{SPAN - SPAN // PRUNED}s"],
                          stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            beside += deliver()
        took = time.monotonic() - begun
        said = process.stdout.read().strip()
    return {"prune s": took, "pruned": said, "before": spread(before), "beside": spread(beside)}


def spread(taken):
    ordered = sorted(taken)
    return {"deliveries": len(ordered), "median ms": engine.percentile(ordered, 50), "p99 ms": engine.percentile(ordered, 99),
            "longest ms": ordered[-1]}


def main():
    out = Path(sys.argv[1])
    numbers = engine.setting("RECORDS", [10000, 1000000], [10000, 1000000, 10000000])
    results = {"machine": engine.machine("."), "ledgers": []}
    lines, folders = [], {}
    for records in numbers:
        folders[records] = Path(os.environ.get("LEDGERS", ".")).resolve() / f"ledger.{records}"
        line, facts = prepare(folders[records], records)
        lines.append(line)
        results["ledgers"].append(facts)
    runs = engine.run_bench(".", lines, n=20, r=engine.setting("ROUNDS", 5, 30), s=SIZE)
    first = str(numbers[0])
    for facts, line in zip(results["ledgers"], lines):
        name = str(facts["records"])
        folder = folders[facts["records"]]
        facts["new"], facts["dup"] = runs[name, "new"].summary(), runs[name, "dup"].summary()
        facts["to first"] = engine.latency_ratio(runs[name, "new"], runs[first, "new"])
        facts["dup to first"] = engine.latency_ratio(runs[name, "dup"], runs[first, "dup"])
        facts.update(engine.judge(folder / "M", [runs[name, "new"], runs[name, "dup"]]))
        facts["stat ms"], facts["stat"] = command(folder, "stat")
        facts["show ms"], _ = command(folder, "show", FINGERPRINT.findall((folder / "log").read_text())[-1])
        facts["killed ms"] = recovery(folder, line, 5000000, killed)
        facts["rebooted ms"] = recovery(folder, line, 5000002, rebooted)
        facts["power ms"] = recovery(folder, line, 5000004, crashed)
        facts["no header ms"] = recovery(folder, line, 5000006, lambda header: b"")
        facts.update(prune(folder, line))
    engine.save(out / "bench-ledger.json", results)
    ledgers = results["ledgers"]
    print(engine.table(["records", "bytes each", "new ms", "ratio", "duplicate ms", "ratio", "stat ms", "show ms", "lost", "doubled"], [
        [f["records"], shown(f["bytes a record"]), shown(f["new"]["median ms"]), shown(f["to first"]), shown(f["dup"]["median ms"]),
         shown(f["dup to first"]), shown(f["stat ms"]), shown(f["show ms"]), f["lost"], f["doubled"]] for f in ledgers]))
    print("\nOne delivery after kill -9 at work, an orderly reboot, a power cut, and the loss of the header, which it repairs:\n")
    print(engine.table(["records", "killed ms", "rebooted ms", "power ms", "no header ms"], [
        [f["records"]] + [shown(f[key]) for key in ("killed ms", "rebooted ms", "power ms", "no header ms")] for f in ledgers]))
    print(f"\nOne record in {PRUNED} is pruned while {PARALLEL} at a time are delivered:\n")
    print(engine.table(["records", "", "prune s", "median ms", "p99 ms", "longest ms", "before: median ms", "p99 ms", "longest ms"], [
        [f["records"], f["pruned"], shown(f["prune s"])] +
        [shown(f[when][key]) for when in ("beside", "before") for key in ("median ms", "p99 ms", "longest ms")] for f in ledgers]))


main()
