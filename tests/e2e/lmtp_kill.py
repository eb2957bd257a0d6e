#!/usr/bin/env python3
"""Kill the worker of an LMTP server at each system call that it makes for a message.

    lmtp_kill.py SOCKET MASTER BOX FIRST STEP

The server has two workers at most. One serves a bystander for the whole time. The other one is killed when it begins its n-th system call, for n =
FIRST, FIRST + STEP ... of those that a first message has shown; then the message is sent again, until it is accepted, and once more. Afterwards it must be there
once, whatever was said before, and the bystander must not have noticed anything. BOX is where the mailbox of box@example.org is: a Maildir, or an
mbox. Prints points, accepted (first tries that were answered with 250 before the kill), and what was wrong: lost, doubled, unknown (the last try
was no duplicate), disturbed (the bystander).
"""

import os
import re
import signal
import subprocess
import sys
import time

from lmtp_client import Session, text


def children(pid):
    out = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(p) for p in out.split()]


def is_socket(path):
    try:
        return os.readlink(path).startswith("socket:")
    except OSError:  # closed meanwhile
        return False


def sockets(pid):
    """How many it has open; none when it is dead."""
    folder = f"/proc/{pid}/fd"
    try:
        return sum(is_socket(f"{folder}/{fd}") for fd in os.listdir(folder))
    except OSError:
        return 0


def idle_worker(master):
    """The one that has the listening socket only."""
    for _ in range(200):
        free = [p for p in children(master) if sockets(p) == 1]
        if len(free) == 1:
            return free[0]
        time.sleep(0.02)
    sys.exit("there is no worker that waits")


def goes_on(pid):
    """Does it wait for a connection again, after all that it does for a message?"""
    for _ in range(500):
        open_sockets = sockets(pid)
        if open_sockets == 0:
            return False
        if open_sockets == 1:
            return True
        time.sleep(0.01)
    return True


def attach(pid, *options):
    command = ["strace", "-p", str(pid), *options]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = tracer.stderr.readline()
    if "attached" not in line:
        sys.exit(f"can't attach: {line}")
    return tracer


def calls_of_message(where, master):
    """What a new worker does for a message: a system call and how often it was made before, in order."""
    send(where, "first")  # what is made once is made
    os.kill(idle_worker(master), signal.SIGKILL)
    worker = idle_worker(master)
    tracer = attach(worker, "-o", "calls")
    send(where, "shown")
    goes_on(worker)
    tracer.terminate()
    tracer.wait()
    os.kill(worker, signal.SIGKILL)
    seen = {}
    calls = []
    with open("calls", encoding="utf-8", errors="replace") as f:
        for name in re.findall(r"^([a-z0-9_]+)\(", f.read(), re.M):
            seen[name] = seen.get(name, 0) + 1
            calls.append((name, seen[name]))
    return calls


def send(where, name):
    """One message in one session. The reply, or "" when the session broke."""
    try:
        session = Session(where)
        session.reply()
        session.say("LHLO kill.example")
        session.begin(["box@example.org"])
        session.say("DATA")
        reply = session.say(text(name) + ".")
        session.socket.close()
        return reply
    except OSError:
        return ""


def copies(box, name):
    pattern = re.compile(rb"^Message-ID: <" + name.encode() + rb"@", re.M)
    if os.path.isfile(box):
        with open(box, "rb") as f:
            return len(pattern.findall(f.read()))
    n = 0
    for sub in ("new", "cur"):
        folder = os.path.join(box, sub)
        for entry in os.listdir(folder) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, entry), "rb") as f:
                n += len(pattern.findall(f.read()))
    return n


def main(where, master, box, first, step):
    count = {"points": 0, "accepted": 0, "lost": 0, "doubled": 0, "unknown": 0, "disturbed": 0}
    bystander = Session(where)
    bystander.reply()
    bystander.say("LHLO bystander.example")
    calls = calls_of_message(where, master)
    for n in range(first, len(calls), step):
        name = f"kill-{n}"
        worker = idle_worker(master)
        tracer = attach(worker, "-o", "/dev/null", "-e", f"inject={calls[n][0]}:signal=KILL:when={calls[n][1]}")
        accepted = send(where, name).startswith("250")
        killed = not goes_on(worker)
        if not killed:
            os.kill(worker, signal.SIGKILL)
        tracer.wait()
        count["points"] += killed
        count["accepted"] += accepted
        again = ""
        deadline = time.monotonic() + 30
        while not again.startswith("250") and time.monotonic() < deadline:
            again = send(where, name)
        count["unknown"] += not send(where, name).endswith("duplicate")
        there = copies(box, name)
        count["lost"] += there == 0
        count["doubled"] += there > 1
        bystander.begin(["bystander@example.org"])
        bystander.say("DATA")
        count["disturbed"] += not bystander.say(text(f"bystander-{n}") + ".").startswith("250")
    print(" ".join(f"{key}={value}" for key, value in count.items()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
