#!/usr/bin/env python3
"""compare.py OUT: deliveries by this agent, by others and by the bare floor, side by side. tests/bench/run calls it."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import control
import engine
import syscalls
from engine import shown
from plot import draw

OURS = "dedup-lda"
SERVERS = ("dedup-lmtpd", "dovecot-lmtp")
LARGE = 10 * 1024 * 1024
SMALL = 4096
TRACED = 8  # messages
MARK = {"lost": "LOST {}", "doubled": "{} twice", "failed": "{} deferred"}


def effort(size, parallel):
    """Messages a round, rounds, and the seconds after which a subject sits out."""
    seconds = 8 if engine.FULL else 2
    if size >= LARGE:
        return max(3, parallel), engine.setting("ROUNDS", 2, 8), seconds
    return 24, engine.setting("ROUNDS", 5 if size == SMALL else 2, 40 if size == SMALL else 16), seconds


class Scene:
    """One kind of mailbox with everyone who delivers into it, fresh."""

    def __init__(self, folder, kind, large=False):
        self.folder = Path(folder).resolve()
        (self.folder / "home").mkdir(parents=True)  # dovecot-lda remembers there
        self.mailboxes, self.versions, self.subjects, self.servers, self.commands = {}, {}, [], [], {}
        script = [str(Path(__file__).parent / "subjects"), kind, str(self.folder)] + (["large"] if large else [])
        text = subprocess.run(script, check=True, capture_output=True, text=True).stdout
        for line in text.splitlines():
            what, rest = line.split("\t", 1)
            if what == "mailbox":
                name, path, version = rest.split("\t")
                self.mailboxes[name], self.versions[name] = path, version
            elif what == "server":
                name, *command = rest.split("\t")
                self.commands[name] = command
            elif "{pid}" not in rest:
                self.subjects.append(rest)
            else:
                name = rest.split("\t")[0]
                self.subjects.append(rest.replace("{pid}", str(self.start(name, *self.commands[name]))))

    def start(self, name, socket, *command):
        with open(self.folder / "errors", "ab") as errors:
            server = subprocess.Popen(command, stdout=errors, stderr=errors)
        self.servers.append(server)
        for _ in range(200):
            if Path(socket).exists() and server.poll() is None:
                return server.pid
            time.sleep(0.05)
        raise SystemExit(f"bench: {name} does not start: {(self.folder / 'errors').read_text()}")

    def run(self, subjects, **options):
        return engine.run_bench(self.folder, subjects, dict(os.environ, HOME=str(self.folder / "home")), **options)

    def stop_servers(self):
        for server in self.servers:
            server.terminate()
            server.wait(60)
        self.servers.clear()

    def stop(self):
        self.stop_servers()
        shutil.rmtree(self.folder)

    def exec_subjects(self):
        return [s for s in self.subjects if s.split("\t")[2] == "exec"]


def summarize(scene, runs, kind):
    """What the tables show for new or duplicate messages, by name."""
    floor, ours = runs["floor", "new"], runs[OURS, kind]
    agents = {}
    for (name, what), run in runs.items():
        if what != kind or not run.latencies:
            continue
        agents[name] = run.summary()
        agents[name]["to floor"] = engine.ratio(run, floor)
        agents[name]["ours to it"] = engine.ratio(ours, run)
        if name in scene.mailboxes:
            agents[name].update(engine.judge(scene.mailboxes[name], [r for (n, _), r in runs.items() if n == name]))
    return agents


def takes_part(subject, size, parallel):
    """Who was asked for. procmail sleeps 8 s for a lock that another one holds, so that a batch takes a minute: once is enough."""
    agents = os.environ.get("AGENTS", "").split()
    if agents and subject.split("\t")[0] not in agents + ["floor", OURS]:
        return False
    return not subject.startswith("procmail\t") or parallel == 1 or (engine.FULL and size == SMALL)


def measure(folder, kind, size, parallel):
    scene = Scene(folder, kind, size >= LARGE)
    try:
        messages, rounds, seconds = effort(size, parallel)
        scene.subjects = [s for s in scene.subjects if takes_part(s, size, parallel)]
        runs = scene.run(scene.subjects, j=parallel, n=messages, r=rounds, t=seconds, s=size)
        return [
            {"mailbox": kind, "bytes": size, "parallel": parallel, "kind": what, "agents": summarize(scene, runs, what)}
            for what in ("new", "dup")
        ], scene.versions
    finally:
        scene.stop()


def trace_programs(folder, kind, counts):
    scene = Scene(folder, kind)
    for what in ("new", "dup"):
        for subject in scene.exec_subjects():
            name = subject.split("\t")[0]
            if what == "dup" and subject.split("\t")[1] != "dup":
                continue
            scene.run([subject.replace("\tdup\t", "\tnew\t", 1)], n=1, w=0, s=SMALL, k=TRACED)
            path = scene.folder / f"{name}.{what}"
            line = syscalls.traced(subject, path).replace("\tdup\t", "\tnew\t", 1)
            run = scene.run([line], n=TRACED, w=0, s=SMALL)[name, "new"]
            if any(run.codes):
                raise SystemExit(f"bench: {name} does not deliver under strace: {run.codes}")
            calls, syncs = syscalls.count(path)
            counts[kind, what, name] = (calls / TRACED, syncs / TRACED)
    scene.stop()


def trace_server(folder, counts, name):
    """What a server does by itself is in every run: 1 message and 1 + TRACED messages differ by TRACED."""
    totals = {}
    for what in ("new", "dup"):
        for messages in (1, 1 + TRACED):
            scene = Scene(folder, "maildir")
            if name not in scene.commands:
                return scene.stop()
            scene.stop_servers()
            socket, *command = scene.commands[name]
            Path(socket).unlink(missing_ok=True)
            path = scene.folder / "trace"
            pid = scene.start(name, socket, "/usr/bin/strace", "-D", "-f", "-o", str(path), *command)
            line = f"{name}\tnew\tlmtp\t{socket}\t{pid}\tbob"
            if what == "dup":
                scene.run([line], n=1 + TRACED, w=0, s=SMALL)
            scene.run([line], n=messages, w=0, s=SMALL)
            scene.stop_servers()
            time.sleep(1)  # strace ends after what it traces
            totals[what, messages] = syscalls.count(path)
            scene.stop()
        (many, many_syncs), (one, one_syncs) = totals[what, 1 + TRACED], totals[what, 1]
        counts["maildir", what, name] = ((many - one) / TRACED, (many_syncs - one_syncs) / TRACED)
    return None


def trace(folder, kinds):
    counts = {}
    for kind in kinds:
        trace_programs(folder / "trace", kind, counts)
    if "maildir" in kinds:
        for name in SERVERS:
            trace_server(folder / "trace", counts, name)
    return [
        {"mailbox": kind, "kind": what, "agent": name, "calls": calls, "syncs": syncs}
        for (kind, what, name), (calls, syncs) in counts.items()
    ]


def marks(agent):
    return ", ".join(text.format(agent[key]) for key, text in MARK.items() if agent.get(key, 0) > 0)


def print_cell(cell, counts):
    what = {"new": "new", "dup": "duplicate"}[cell["kind"]]
    print(f"\n{cell['mailbox']}, {what} messages of {cell['bytes']} bytes, {cell['parallel']} in parallel\n")
    rows = []
    for name, a in sorted(cell["agents"].items(), key=lambda item: -item[1]["rate"]):
        seen = [c for c in counts if (c["mailbox"], c["kind"], c["agent"]) == (cell["mailbox"], cell["kind"], name)]
        seen = seen[0] if seen and cell["bytes"] == SMALL else {}
        rows.append(
            [name, shown(a["rate"]), shown(a["to floor"]), shown(a["ours to it"]), shown(a["median ms"]), shown(a["p99 ms"]),
             shown(a["cpu ms"]), shown(a["peak MiB"]), shown(seen.get("syncs")), shown(seen.get("calls")), marks(a)]
        )
    print(engine.table(["", "messages/s", "to floor", "ours to it", "median ms", "p99 ms", "CPU ms", "peak MiB", "syncs", "calls",
                        "wrong"], rows))


class Results:
    """Look a measurement up by what it is; None where it was not made."""

    def __init__(self, cells):
        self.cells = {(c["mailbox"], c["bytes"], c["parallel"], c["kind"]): c["agents"] for c in cells}

    def value(self, key, name=OURS, *, size=SMALL, parallel=1, kind="new", mailbox="maildir"):
        agents = self.cells.get((mailbox, size, parallel, kind), {})
        return agents[name][key] if name in agents else None

    def quotient(self, key, name, other, **where):
        a, b = self.value(key, name, **where), self.value(key, other, **where)
        return None if a is None or b is None else a / b


def targets(cells):
    """What this project aims at: (what, measured, sign, bound). A machine with other syncs gives other ratios."""
    r = Results(cells)
    return [
        ("4 KiB, new: rate to the floor's", r.value("to floor"), ">=", 0.85),
        ("4 KiB, new: rate to procmail's", r.value("ours to it", "procmail"), ">=", 1.8),
        ("4 KiB, new: rate to dovecot-lda's", r.value("ours to it", "dovecot-lda"), ">=", 5),
        ("4 KiB, new: rate to maildrop's", r.value("ours to it", "maildrop"), ">=", 3.5),
        ("4 KiB, new: rate to Dovecot LMTP's", r.value("ours to it", "dovecot-lmtp"), ">=", 2),
        ("4 KiB, duplicates: rate to procmail's", r.value("ours to it", "procmail", kind="dup"), ">=", 2.5),
        ("4 KiB, 8 in parallel: rate to the floor's", r.value("to floor", parallel=8), ">=", 0.6),
        ("4 KiB, 8 in parallel: rate to dovecot-lda's", r.value("ours to it", "dovecot-lda", parallel=8), ">=", 5),
        ("4 KiB, 8 in parallel: p99 to the floor's", r.quotient("p99 ms", OURS, "floor", parallel=8), "<=", 4),
        ("4 KiB, new: CPU to the floor's", r.quotient("cpu ms", OURS, "floor"), "<=", 1.6),
        ("10 MiB: peak memory, MiB", r.value("peak MiB", size=LARGE), "<=", 12),
        ("10 MiB: time to that of copy, SHA-256 and fsync", r.quotient("median ms", OURS, "hashcopy", size=LARGE), "<=", 1.15),
    ]


def print_targets(cells):
    rows = []
    for what, measured, sign, bound in targets(cells):
        if measured is not None:
            met = measured >= bound if sign == ">=" else measured <= bound
            rows.append([what, shown(measured), f"{sign} {bound}", "yes" if met else "no"])
    print("\n" + engine.table(["aim", "measured", "bound", "met"], rows))


def main():
    out = Path(sys.argv[1])
    control.check("control")
    sizes = engine.setting("SIZES", [SMALL, 102400, LARGE], [SMALL, 102400, LARGE])
    kinds = engine.setting("MAILBOXES", ["maildir", "mbox"], ["maildir", "mbox"])
    cells, versions = [], {}
    result = {"machine": engine.machine("."), "full": engine.FULL}
    for kind in kinds:
        for size in sizes:
            for parallel in engine.setting("PARALLEL", [1, 8] if size == SMALL else [1], [1, 8]):
                print(f"# {kind}, {size} bytes, {parallel} in parallel", file=sys.stderr, flush=True)
                more, found = measure(Path("scene"), kind, size, parallel)
                cells += more
                versions.update(found)
    result["versions"] = versions
    result["cells"] = cells
    result["system calls"] = trace(Path("."), kinds)
    engine.save(out / "bench.json", result)
    (out / "bench.svg").write_text(draw(result))
    for cell in cells:
        print_cell(cell, result["system calls"])
    print_targets(cells)
    m = result["machine"]
    print(f"\n{m['cpu']}, {m['cores']} cores, {m['kernel']}, {m['file system']}, fsync {shown(m['fsync ms']['median'])} ms, "
          f"commit {m['commit']}, {m['date']}")


main()
