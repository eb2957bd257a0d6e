"""Agents that are wrong on purpose: what does not find their faults finds none in others. Run before each comparison."""

from pathlib import Path

import engine
import syscalls
from engine import BUILD

SIZE = 4096
MESSAGES = 3


def judged(folder, kind, what, argv):
    """What is found after MESSAGES new messages, and duplicates if what is "dup", went to a program."""
    runs = engine.run_bench(folder, ["\t".join(["control", what, "exec", *argv])], n=MESSAGES, w=0, s=SIZE)
    verdict = engine.judge(folder / kind, runs.values())
    verdict["failed"] = sum(run.summary()["failed"] for run in runs.values())
    return verdict


def expect(what, got, **wanted):
    for key, value in wanted.items():
        if got[key] != value:
            raise SystemExit(f"bench: {what}: {key} is {got[key]}, not {value}: the measurement itself is wrong")


def check(name):
    folder = Path(name).resolve()
    floor = str(BUILD / "bench" / "floor")
    for kind in ("maildir", "mbox"):
        home = folder / kind
        for sub in ("tmp", "new", "cur"):
            (home / "maildir" / sub).mkdir(parents=True)
        good = [floor, kind, str(home / kind), str(home / "log")]
        expect("a loser", judged(home, kind, "new", ["/bin/sh", "-c", "cat >/dev/null"]), lost=MESSAGES, doubled=0, failed=0)
        expect("one that defers", judged(home, kind, "new", ["/bin/sh", "-c", "cat >/dev/null; exit 75"]), lost=0, failed=MESSAGES)
        expect("a good one", judged(home, kind, "new", good), lost=0, doubled=0, failed=0)
        traced = syscalls.traced("\t".join(["control", "new", "exec", *good]), home / "trace").split("\t")[3:]
        expect("one that doubles", judged(home, kind, "dup", traced), lost=0, doubled=2 * MESSAGES, failed=0)
        expect("strace", {"syncs": syscalls.count(home / "trace")[1]}, syncs=2 * MESSAGES * 3)
