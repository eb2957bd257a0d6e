#!/usr/bin/env python3
"""slow.py OUT: many deliveries at the same time onto a disk whose syncs take 5 ms. tests/bench/run calls it.

A delivery has three syncs in a row, so one that waits for nobody takes 15 ms and a little. What parallel deliveries to one user add is
what they wait for each other. Those that sync at the same time share what the disk does for it: where the kernel counts that (BENCH_DIR on
a disk of its own), "flushes" says how often its cache was written for each message.
"""

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import engine
from engine import BUILD, shown

SYNC_US = 5000
SIZE = 4096


NAMES = ("floor", "dedup-lda", "dedup-lmtpd")
WORKERS = 100  # more than connections


def start_server(folder, env):
    """dedup-lmtpd with a mailbox and a ledger for each recipient. Returns the process."""
    home, socket = f"{folder}/dedup-lmtpd/%n", folder / "lmtp"
    command = [f"{BUILD}/shared/dedup-lmtpd", "-F", "-w", str(WORKERS), "-l", f"unix:{socket}", "-o", f"mailbox=maildir:{home}/M",
               "-o", f"ledger=bdb:{home}/L", "-o", f"log=file:{folder}/log"]
    with open(folder / "server.log", "ab") as log:
        server = subprocess.Popen(command, stderr=log, env=env)
    for _ in range(500):
        if socket.exists():
            return server
        time.sleep(0.02)
    raise SystemExit((folder / "server.log").read_text())


def subjects(folder, users, pid):
    """The floor, the agent and the server, each user with a mailbox and a ledger; {user} is bench.c's. LD_PRELOAD needs the shared programs."""
    for name in NAMES:
        for user in range(users):
            for sub in ("tmp", "new", "cur"):
                (folder / name / str(user) / "M" / sub).mkdir(parents=True)
    floor, ours = f"{folder}/floor/{{user}}", f"{folder}/dedup-lda/{{user}}"
    yield "\t".join(["floor", "new", "exec", f"{BUILD}/bench/floor", "maildir", f"{floor}/M", f"{floor}/log"])
    yield "\t".join(["dedup-lda", "dup", "exec", f"{BUILD}/shared/dedup-lda", "-o", f"mailbox=maildir:{ours}/M", "-o", f"ledger=bdb:{ours}/L",
                     "-o", f"log=file:{folder}/log"])
    yield "\t".join(["dedup-lmtpd", "dup", "lmtp", f"{folder}/lmtp", str(pid), "{user}@example.org"])


def judge_all(folder, name, users, run):
    found = {}
    for user in range(users):
        for number, copies in engine.numbers_in(folder / name / str(user) / "M").items():
            found[number] = found.get(number, 0) + copies
    return {"lost": sum(n not in found for n in run.numbers), "doubled": sum(c - 1 for c in found.values())}


def flushes(folder):
    """How often the folder's disk was told to write its cache, by whomever; None where nobody counts that (Documentation/block/stat.rst)."""
    device = os.stat(folder).st_dev
    try:
        return int(Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text().split()[15])
    except (OSError, IndexError):
        return None


def count_syncs(counter, folder, line, users, parallel, first):
    """Of a message, in a run of its own: system calls that sync, and what the disk has to do for them."""
    before, flushed = struct.unpack("Q", counter.read_bytes())[0], flushes(folder)
    env = preload(counter)
    (run,) = (r for (_, what), r in engine.run_bench(folder, [line.replace("\tdup\t", "\tnew\t")], env, j=parallel, n=4 * parallel + 32, s=SIZE,
                                                    u=users, w=0, k=first).items() if what == "new")
    number = len(run.numbers)
    return {
        "syncs": (struct.unpack("Q", counter.read_bytes())[0] - before) / number,
        "flushes": (flushes(folder) - flushed) / number if flushed is not None else None,
    }


def preload(counter):
    return dict(os.environ, LD_PRELOAD=f"{BUILD}/bench/slow_sync.so", SLOW_SYNC_US=str(SYNC_US), SLOW_SYNC_COUNT=str(counter))


def measure(folder, users, parallel):
    folder.mkdir()
    counter = folder / "syncs"
    counter.write_bytes(bytes(8))
    env = preload(counter)
    messages, rounds = 2 * parallel + 32, engine.setting("ROUNDS", 2, 8)
    results = {"users": users, "parallel": parallel}
    server = start_server(folder, env)
    lines = list(subjects(folder, users, server.pid))
    runs = engine.run_bench(folder, lines, env, j=parallel, n=messages, r=rounds, s=SIZE, u=users, w=users)
    for (name, what), run in runs.items():
        results[f"{name} {what}"] = run.summary()
    for number, name in enumerate(NAMES[1:], 1):
        results[f"{name} ratio"] = engine.ratio(runs[name, "new"], runs["floor", "new"])
        results[name] = judge_all(folder, name, users, runs[name, "new"])
        results[name] |= count_syncs(counter, folder, lines[number], users, parallel, number * 1000000)
    server.terminate()
    server.wait()
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
        for name in NAMES[1:]:
            ours, judged = c[f"{name} new"], c[name]
            rows.append([name, c["users"], c["parallel"], shown(c["floor new"]["rate"]), shown(ours["rate"]), shown(c[f"{name} ratio"]),
                         shown(ours["median ms"]), shown(ours["p99 ms"]), shown(judged["syncs"]), shown(judged["flushes"]),
                         shown(c[f"{name} dup"]["rate"]), judged["lost"], judged["doubled"], ours["failed"]])
    print(engine.table(["", "users", "in parallel", "floor, /s", "new, /s", "ratio", "median ms", "p99 ms", "syncs a message",
                        "flushes", "duplicates, /s", "lost", "doubled", "deferred"], rows))


main()
