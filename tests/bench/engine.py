"""What the measurements share: run tests/bench/bench.c and other programs, read what they print, count mail, know the machine."""

import datetime
import json
import math
import mmap
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

BUILD = Path(os.environ["BUILD"])
FULL = os.environ.get("BENCH", "quick") == "full"
MESSAGE_ID = re.compile(rb"^Message-ID: <(\d{10})\.bench@", re.M)
HEADER_BYTES = 8192  # more than any agent puts before the Message-ID


def setting(name, quick, full):
    """A number or numbers from the environment, else what goes with BENCH."""
    text = os.environ.get(name)
    if text is None:
        return full if FULL else quick
    values = text.split()
    if not isinstance(quick, list):
        return int(values[0])
    return [int(v) if v.isdigit() else v for v in values]


def output(*command):
    """What a command prints, on one line; nothing if there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return " ".join(done.stdout.split())


def fsync_ms(folder, times=200):
    """Median and 99th percentile of an append of 4 KiB with its fsync."""
    path = Path(folder) / "fsync"
    taken = []
    with open(path, "ab", buffering=0) as f:
        for _ in range(times):
            f.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fsync(f.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    path.unlink()
    return {"median": statistics.median(taken), "p99": percentile(sorted(taken), 99)}


def machine(folder):
    cpu = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": os.environ.get("COMMIT", "unknown"),
        "cpu": cpu[0] if cpu else "unknown",
        "cores": os.cpu_count(),
        "kernel": output("uname", "-sr"),
        "system": output("sh", "-c", ". /etc/os-release; echo $PRETTY_NAME"),
        "file system": output("stat", "-f", "-c", "%T", str(folder)),
        "fsync ms": fsync_ms(folder),
        "load before": os.getloadavg()[0],
        "libraries": output(str(BUILD / "dedup-lda"), "-V"),
    }


def percentile(ordered, p):
    """Nearest rank."""
    return ordered[max(0, math.ceil(len(ordered) * p / 100) - 1)]


class Run:
    """What one run of bench.c measured for one subject, new or dup."""

    def __init__(self):
        self.latencies = []
        self.cpu_us = 0
        self.rss_kib = 0
        self.rounds = {}  # round: (messages, us)
        self.numbers = []
        self.codes = []

    def add_delivery(self, round_, number, latency, cpu, rss, code):
        self.numbers.append(number)
        self.codes.append(code)
        if round_ >= 0:
            self.latencies.append(latency)
            self.cpu_us += cpu
            self.rss_kib = max(self.rss_kib, rss)

    def add_batch(self, round_, us, cpu, rss):
        if round_ >= 0:
            self.rounds[round_] = (len(self.latencies) - sum(n for n, _ in self.rounds.values()), us)
            self.cpu_us += cpu
            self.rss_kib = max(self.rss_kib, rss)

    def rate(self, round_):
        messages, us = self.rounds[round_]
        return messages / us * 1e6

    def summary(self):
        ordered = sorted(self.latencies)
        return {
            "messages": len(ordered),
            "rate": len(ordered) / sum(us for _, us in self.rounds.values()) * 1e6,
            "median ms": statistics.median(ordered) / 1000,
            "p99 ms": percentile(ordered, 99) / 1000,
            "cpu ms": self.cpu_us / len(ordered) / 1000,
            "peak MiB": self.rss_kib / 1024,
            "failed": sum(code != 0 for code in self.codes),
        }


def ratio(a, b):
    """The median over the rounds that both took part in of a's rate to b's: what slowed a round down slowed both."""
    both = [a.rate(r) / b.rate(r) for r in a.rounds if r in b.rounds]
    return statistics.median(both) if both else None


def latency_ratio(a, b):
    """Of the median latencies."""
    return statistics.median(a.latencies) / statistics.median(b.latencies)


def run_bench(folder, subjects, env=None, **options):
    """Run bench.c on lines of subjects; options are its letters. Returns {(name, "new" or "dup"): Run}."""
    listing = Path(folder).resolve() / "subjects.list"
    listing.write_text("".join(line + "\n" for line in subjects))
    command = [str(BUILD / "bench" / "bench")]
    for letter, value in options.items():
        command += ["-" + letter, str(value)]
    with open(Path(folder).resolve() / "errors", "ab") as errors:
        done = subprocess.run(
            command + [str(listing)], cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True, check=False, env=env
        )
    if done.returncode != 0:
        raise SystemExit("\n".join(p.read_text()[-1000:] for p in [*Path(folder).glob("*/*.log"), Path(folder) / "errors"]))
    runs = {}
    for line in done.stdout.splitlines():
        kind, name, what, *rest = line.split("\t")
        run = runs.setdefault((name, what), Run())
        (run.add_delivery if kind == "D" else run.add_batch)(*map(int, rest))
    return runs


def numbers_in(mailbox):
    """How often each message is in a Maildir or an mbox."""
    found = {}
    path = Path(mailbox)
    if path.is_dir():
        for sub in ("new", "cur"):
            for file in (path / sub).iterdir():
                with open(file, "rb") as f:
                    match = MESSAGE_ID.search(f.read(HEADER_BYTES))
                number = int(match[1]) if match else -1
                found[number] = found.get(number, 0) + 1
    elif path.exists() and path.stat().st_size > 0:
        with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as bytes_:
            for match in MESSAGE_ID.finditer(bytes_):
                found[int(match[1])] = found.get(int(match[1]), 0) + 1
    return found


def judge(mailbox, runs):
    """Compare a mailbox with what was handed over: messages that are lost although the agent took them, and too many copies."""
    found = numbers_in(mailbox)
    taken, handed = set(), set()
    for run in runs:
        handed.update(run.numbers)
        taken.update(n for n, code in zip(run.numbers, run.codes) if code == 0)
    return {
        "lost": sum(n not in found for n in taken),
        "doubled": sum(copies - 1 for copies in found.values()),
        "strange": sum(n not in handed for n in found),
    }


def save(path, value):
    Path(path).write_text(json.dumps(value, indent="\t") + "\n")


def table(head, rows):
    """Columns for a terminal; also a table in Markdown."""
    cells = [head] + [[str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = []
    for row in cells:
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("| " + " | ".join(padded) + " |")
    lines.insert(1, "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|")
    return "\n".join(lines)


def shown(value, digits=2):
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{1 if abs(value) >= 10 else digits}f}"
