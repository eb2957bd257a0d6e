#!/usr/bin/env python3
"""An LMTP client for tests.

    lmtp_client.py ready SOCKET                 does a server greet?
    lmtp_client.py talk SOCKET                  send standard input, print what comes (LF for CRLF) until the server closes
    lmtp_client.py slow SOCKET PIECE SECONDS    the same, PIECE bytes at a time with a pause after each
    lmtp_client.py stall SOCKET N WHERE         open N sessions, say "ready", and hold them until standard input ends; WHERE is what each
                                                of them has sent: nothing, lhlo, half a message ("data"), or half a chunk ("bdat")
    lmtp_client.py crowd SOCKET N M             N sessions at the same time, each with M messages to box0..box7; prints how many replies
                                                were 250 and the longest wait in seconds
    lmtp_client.py many SOCKET N BAD            one message to N recipients, of whom those with a number divisible by BAD have an address that
                                                can't be a mailbox; prints "accepted replies in order"
    lmtp_client.py large SOCKET BYTES how       one message of that size by DATA or BDAT; prints the last reply

SOCKET is a path, or host:port.
"""

import socket
import sys
import threading
import time

TIMEOUT = 60  # s


def connect(where):
    if where.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(TIMEOUT)
        s.connect(where)
    else:
        host, port = where.rsplit(":", 1)
        s = socket.create_connection((host.strip("[]"), int(port)), TIMEOUT)
        s.settimeout(TIMEOUT)
    return s


class Session:
    """Commands and replies, one after the other."""

    def __init__(self, where):
        self.socket = connect(where)
        self.file = self.socket.makefile("rb")

    def reply(self):
        while True:
            line = self.file.readline()
            if not line or line[3:4] != b"-":
                return line.decode("latin-1").rstrip("\r\n")

    def say(self, line):
        self.socket.sendall(line.encode("latin-1") + b"\r\n")
        return self.reply()

    def begin(self, recipients):
        for line in ["MAIL FROM:<sender@example.net>"] + [f"RCPT TO:<{r}>" for r in recipients]:
            self.say(line)


def text(name, body="Text."):
    return f"Message-ID: <{name}@example.net>\r\nDate: today\r\n\r\n{body}\r\n"


def ready(where):
    with connect(where) as s:
        s.sendall(b"QUIT\r\n")
        return 0 if s.recv(4) == b"220 " else 1


def read_all(s):
    try:
        while data := s.recv(65536):
            sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
            sys.stdout.flush()
    except OSError as error:
        print(f"-- {error}")


def talk(where):
    s = connect(where)
    data = sys.stdin.buffer.read()

    def send():
        try:
            s.sendall(data)
        except OSError:
            pass

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    read_all(s)


def slow(where, piece, seconds):
    s = connect(where)
    data = sys.stdin.buffer.read()
    reader = threading.Thread(target=read_all, args=(s,))
    reader.start()
    try:
        for at in range(0, len(data), piece):
            s.sendall(data[at : at + piece])
            time.sleep(seconds)
    except OSError:
        pass
    reader.join()


def stall(where, n, how):
    held = []
    for _ in range(n):
        s = Session(where)
        if how != "nothing":
            s.reply()
            s.say("LHLO stalled.example")
        if how in ("data", "bdat"):
            s.begin(["stalled@example.org"])
        if how == "data":
            s.say("DATA")
            s.socket.sendall(text("stalled").encode())
        if how == "bdat":
            s.socket.sendall(b"BDAT 1000 LAST\r\n" + text("stalled").encode())
        held.append(s)
    print("ready", flush=True)
    sys.stdin.read()


def crowd(where, n, m):
    good, longest, lock = [0], [0.0], threading.Lock()

    def one(number):
        s = Session(where)
        s.reply()
        s.say("LHLO crowd.example")
        for i in range(m):
            start = time.monotonic()
            s.begin([f"box{number % 8}@example.org"])
            s.say("DATA")
            answer = s.say(text(f"crowd-{number}-{i}") + ".")
            with lock:
                good[0] += answer.startswith("250")
                longest[0] = max(longest[0], time.monotonic() - start)
        s.say("QUIT")

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(good[0])
    print(f"longest {longest[0]:.1f} s", file=sys.stderr)


def many(where, n, bad):
    s = Session(where)
    s.reply()
    s.say("LHLO many.example")
    names = [f".r{i}@example.org" if i % bad == 0 else f"r{i}@example.org" for i in range(1, n + 1)]
    lines = ["MAIL FROM:<sender@example.net>"] + [f"RCPT TO:<{name}>" for name in names]
    s.socket.sendall("".join(line + "\r\n" for line in lines).encode())
    answers = [s.reply() for _ in lines][1:]
    accepted = [a.startswith("250") for a in answers]
    assert accepted == [i % bad != 0 for i in range(1, n + 1)], answers
    s.say("DATA")
    first = s.say(text("many") + ".")
    replies = [first] + [s.reply() for _ in range(sum(accepted) - 1)]
    print(sum(accepted), sum(r.startswith("250 2.0.0") for r in replies), s.say("QUIT")[:3])


def large(where, size, how):
    s = Session(where)
    s.reply()
    s.say("LHLO large.example")
    s.begin(["large@example.org"])
    head = text("large").encode()
    chunk = (b"x" * 98 + b"\r\n") * 10000
    if how == "DATA":
        s.say("DATA")
        s.socket.sendall(head)
    else:
        s.socket.sendall(f"BDAT {len(head)}\r\n".encode() + head)
        s.reply()
    done = 0
    while done < size:
        if how == "BDAT":
            s.socket.sendall(f"BDAT {len(chunk)}\r\n".encode())
        s.socket.sendall(chunk)
        if how == "BDAT":
            s.reply()
        done += len(chunk)
    print(s.say("." if how == "DATA" else "BDAT 0 LAST")[:9])
    s.say("QUIT")


COMMANDS = {"ready": ready, "talk": talk, "slow": slow, "stall": stall, "crowd": crowd, "many": many, "large": large}

if __name__ == "__main__":
    arguments = [int(a) if a.isdigit() else float(a) if a.replace(".", "", 1).isdigit() else a for a in sys.argv[3:]]
    sys.exit(COMMANDS[sys.argv[1]](sys.argv[2], *arguments))
