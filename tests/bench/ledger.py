#!/usr/bin/env python3
"""ledger.py OUT: what a delivery costs as its ledger grows. tests/bench/run calls it.

The records are of the last six days, as a week's mail leaves them, so that the default window drops none while this runs.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import engine
from engine import BUILD, shown

SIZE = 4096
DAY = 86400
SPAN = 6 * DAY
PRUNE_AFTER = "3d"


def prepare(folder, records):
    """Returns the subject's line and what the ledger is like."""
    for sub in ("tmp", "new", "cur"):
        (folder / "M" / sub).mkdir(parents=True)
    begun = time.monotonic()
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


def recovery(folder, line):
    """A header that is not there counts as a process that died at work."""
    usual = sorted(one(folder, line, 5000000 + i) for i in range(5))[2]
    os.truncate(folder / "L" / "lock", 0)
    took = one(folder, line, 5000010)
    if "recovering" not in (folder / "log").read_text():
        raise SystemExit("bench: nothing was recovered")
    return usual, took


def prune(folder):
    """Half of the records are that old."""
    begun = time.monotonic()
    done = subprocess.run([BUILD / "dedupdb", "-l", f"bdb:{folder}/L", "prune", "--older-than", PRUNE_AFTER], check=True,
                          capture_output=True, text=True)
    return time.monotonic() - begun, done.stdout.strip()


def main():
    out = Path(sys.argv[1])
    numbers = engine.setting("RECORDS", [10000, 1000000], [10000, 1000000, 10000000])
    results = {"machine": engine.machine("."), "ledgers": []}
    lines, folders = [], {}
    for records in numbers:
        folders[records] = Path(f"ledger.{records}").resolve()
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
        facts["usual ms"], facts["recovery ms"] = recovery(folder, line)
        facts["prune s"], facts["pruned"] = prune(folder)
    engine.save(out / "bench-ledger.json", results)
    rows = []
    for f in results["ledgers"]:
        rows.append([f["records"], shown(f["bytes a record"]), shown(f["new"]["median ms"]), shown(f["to first"]),
                     shown(f["dup"]["median ms"]), shown(f["dup to first"]), shown(f["usual ms"]), shown(f["recovery ms"]),
                     shown(f["prune s"]), f["pruned"], f["lost"], f["doubled"]])
    print(engine.table(["records", "bytes each", "new ms", "ratio", "duplicate ms", "ratio", "usual ms", "after a crash ms", "prune s", "",
                        "lost", "doubled"], rows))


main()
