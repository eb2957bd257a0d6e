"""Messages of all kinds, as an MTA hands them over: letters.py FOLDER COUNT SEED makes files,
letters.py --mboxo FILE... prints an mboxo
of those that an mboxo can hold."""

import random
import sys

WORDS = ["one", "two", "From", ">", "caf\u00e9", "\u65e5\u672c", "=20", "tab\there", "  two  blanks", "."]


def quoted_both(body: bytes) -> bool:
    """Has it lines that an mboxo makes alike?"""
    lines = body.split(b"\n")
    return any(line.startswith(b"From ") for line in lines) and any(line.startswith(b">From ") for line in lines)


def body_lines(dice: random.Random, kind: int) -> list[bytes]:
    lines = ["a " + " ".join(dice.choices(WORDS, k=dice.randrange(0, 9))) for _ in range(dice.randrange(0, 30))]
    extra = {
        0: [b"From one", b">From two"],
        1: [b"From here on", b"", b"From there Fri Nov 20 12:00:00 2026", b"X-Not: a field"],
        2: [b"", b">From a quoted reply", b"text"],
        3: [b"", b">>From twice", b">>>From thrice"],
        4: [b"From one", b">>From two"],
        5: [bytes(dice.randrange(256) for _ in range(500)).replace(b"\n", b"").replace(b"\r", b"")],
        6: [b"x" * 5000, b"trailing blanks  \t ", b"", b"", b""],
        7: [b"y" * 76] * 9000,
        8: [b"From"],
        9: [b"", b"From "],
    }
    return [line.encode() for line in lines] + extra.get(kind, [])


def letter(dice: random.Random, number: int) -> bytes:
    kind = number % 16
    head = [b"Received: from a.example by b.example; Fri, 20 Nov 2026 12:00:00 +0000", b"From: a@example.org", b"To: b@example.org"]
    if kind == 10:
        head += [b"X-Huge: " + b"h" * 997, b"X-Long:"] + [b"\t%d %s" % (i, b"f" * 90) for i in range(3000)]
    if kind == 11:
        head += [b"X-Many: %d" % i for i in range(2000)]
    head.append(b"Date: Fri, 20 Nov 2026 12:%02d:%02d +0000" % (number // 60 % 60, number % 60))
    head.append(b"Subject: =?UTF-8?Q?caf=C3=A9?= %d\n\tfolded" % number)
    if kind != 12:
        head.append(b"Message-ID: <%d.%d@example.org>" % (number, dice.randrange(10**9)))
    if kind == 13:
        head += [b"Return-Path: <other@example.org>", b"Delivered-To: somebody@example.net", b"Resent-Message-ID: <r%d@x>" % number]
    if kind == 14:
        head += [b"List-Id: <list.example.org>", b"From : obsolete@example.org"]
    lines = body_lines(dice, kind)
    if kind == 15:
        lines = []
    text = b"\n".join(head + [b""] + lines)
    if dice.random() < 0.8:
        text += b"\n" * dice.choice([1, 1, 2])
    if dice.random() < 0.3 and b"\r" not in text:
        text = text.replace(b"\n", b"\r\n")
    if dice.random() < 0.3:
        text = b"From a@example.org  Fri Nov 20 12:00:00 2026\n" + text
    return text


def make(folder: str, count: int, seed: int) -> None:
    dice = random.Random(seed)
    for number in range(count):
        with open(f"{folder}/{number:03d}", "wb") as file:
            file.write(letter(dice, number))


def mboxo(files: list[str]) -> None:
    out = sys.stdout.buffer
    for name in files:
        with open(name, "rb") as file:
            text = file.read()
        if text.startswith(b"From "):
            text = text.split(b"\n", 1)[1]
        if quoted_both(text):
            continue
        out.write(b"From a@example.org  Fri Nov 20 12:00:00 2026\n")
        out.write((b"\n" + text).replace(b"\nFrom ", b"\n>From ")[1:])
        out.write(b"\n" if text.endswith(b"\n") else b"\n\n")


if __name__ == "__main__":
    if sys.argv[1] == "--mboxo":
        mboxo(sys.argv[2:])
    else:
        make(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
