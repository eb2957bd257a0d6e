#!/usr/bin/env python3
"""slow.py OUT: many deliveries at the same time onto a disk whose syncs take 5 ms. tests/bench/run calls it.

A delivery has three syncs in a row, so one that waits for nobody takes 15 ms and a little. What parallel deliveries to one user add is
what they wait for each other: the ledger's lock is held during the second sync.
"""

import os
import struct
import sys
from pathlib import Path

import engine
from engine import BUILD, shown

SYNC_US = 5000
SIZE = 4096


def subjects(folder, users):
    """The floor and the agent, each user with a mailbox and a ledger; {user} is bench.c's. LD_PRELOAD needs the shared agent."""
    for name in ("floor", "dedup-lda"):
        for user in range(users):
            for sub in ("tmp", "new", "cur"):
                (folder / name / str(user) / "M" / sub).mkdir(parents=True)
    floor, ours = f"{folder}/floor/{{user}}", f"{folder}/dedup-lda/{{user}}"
    yield "\t".join(["floor", "new", "exec", f"{BUILD}/bench/floor", "maildir", f"{floor}/M", f"{floor}/log"])
    yield "\t".join(["dedup-lda", "dup", "exec", f"{BUILD}/shared/dedup-lda", "-o", f"mailbox=maildir:{ours}/M", "-o", f"ledger=bdb:{ours}/L",
                     "-o", f"log=file:{folder}/log"])


def judge_all(folder, users, run):
    found = {}
    for user in range(users):
        for number, copies in engine.numbers_in(folder / "dedup-lda" / str(user) / "M").items():
            found[number] = found.get(number, 0) + copies
    return {"lost": sum(n not in found for n in run.numbers), "doubled": sum(c - 1 for c in found.values())}


def measure(folder, users, parallel):
    folder.mkdir()
    counter = folder / "syncs"
    counter.write_bytes(bytes(8))
    env = dict(os.environ, LD_PRELOAD=f"{BUILD}/bench/slow_sync.so", SLOW_SYNC_US=str(SYNC_US), SLOW_SYNC_COUNT=str(counter))
    messages, rounds = 2 * parallel + 32, engine.setting("ROUNDS", 2, 8)
    lines = list(subjects(folder, users))
    results = {"users": users, "parallel": parallel}
    runs = engine.run_bench(folder, lines, env, j=parallel, n=messages, r=rounds, s=SIZE, u=users, w=users)
    for (name, what), run in runs.items():
        results[f"{name} {what}"] = run.summary()
    results["ratio"] = engine.ratio(runs["dedup-lda", "new"], runs["floor", "new"])
    results.update(judge_all(folder, users, runs["dedup-lda", "new"]))
    before = struct.unpack("Q", counter.read_bytes())[0]
    more = engine.run_bench(folder, lines[1:], env, j=parallel, n=messages, s=SIZE, u=users, w=0, k=1000000)
    syncs = struct.unpack("Q", counter.read_bytes())[0] - before
    results["syncs"] = syncs / len(more["dedup-lda", "new"].numbers)
    return results


def main():
    out = Path(sys.argv[1])
    results = {"machine": engine.machine("."), "sync us": SYNC_US, "cells": []}
    for users in (1, 8):
        for parallel in engine.setting("PARALLEL", [1, 8, 64], [1, 8, 64]):
            results["cells"].append(measure(Path(f"slow.{users}.{parallel}").resolve(), users, parallel))
    engine.save(out / "bench-slow.json", results)
    rows = []
    for c in results["cells"]:
        ours, floor = c["dedup-lda new"], c["floor new"]
        rows.append([c["users"], c["parallel"], shown(floor["rate"]), shown(ours["rate"]), shown(c["ratio"]), shown(ours["median ms"]),
                     shown(ours["p99 ms"]), shown(c["syncs"]), shown(c["dedup-lda dup"]["rate"]), c["lost"], c["doubled"],
                     ours["failed"]])
    print(engine.table(["users", "in parallel", "floor, /s", "new, /s", "ratio", "median ms", "p99 ms", "syncs a message",
                        "duplicates, /s", "lost", "doubled", "deferred"], rows))


main()
