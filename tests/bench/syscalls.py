"""System calls and syncs of a delivery, counted by strace in a pass of its own."""

import re
from pathlib import Path

SYNCS = {"fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync"}
WRITES = {"write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "splice", "copy_file_range"}
CALL = re.compile(r"^(?:\d+\s+)?(\w+)\((-?\d+)?(.*)")
RESULT = re.compile(r"= (\d+)(?: |$)")


def count(path):
    """(calls, syncs) in the output of strace -f. A write to a file that is open with O_SYNC or O_DSYNC is a sync."""
    calls = syncs = 0
    synced = set()  # (process, descriptor)
    for line in Path(path).read_text(errors="replace").splitlines():
        match = CALL.match(line)
        if match is None:  # "<... resumed>", signals, exits
            continue
        name, fd, rest = match.groups()
        process = line.split(" ", 1)[0]
        calls += 1
        syncs += name in SYNCS or (name in WRITES and (process, fd) in synced)
        if name in ("open", "openat") and ("O_SYNC" in rest or "O_DSYNC" in rest):
            result = RESULT.search(rest)
            if result:
                synced.add((process, result[1]))
        elif name == "close":
            synced.discard((process, fd))
    return calls, syncs


def traced(line, path):
    """A subject's line, run under strace that appends to path."""
    name, dup, how, *argv = line.split("\t")
    return "\t".join([name, dup, how, "/usr/bin/strace", "-f", "-A", "-o", str(path), *argv])
