"""Sign odd messages with dkimpy and write down the body hashes that it puts into bh=.

usage: dkim_sign.py FOLDER

Writes FOLDER/relaxed/NAME.eml and FOLDER/simple/NAME.eml, and FOLDER/relaxed.want and FOLDER/simple.want with lines "bh NAME.eml".
"""
import os
import random
import re
import subprocess
import sys

import dkim

BODIES = {
    "empty": b"",
    "plain": b"Hello,\n\nthis is plain text.\n",
    "one-line-end": b"\n",
    "line-ends": b"\n\n\n\n",
    "blank-lines-first": b"\n\n\ntext\n",
    "blank-lines-last": b"text\n\n\n\n",
    "blank-lines-between": b"a\n\n\n\nb\n\nc\n",
    "no-last-newline": b"text\nmore",
    "no-last-newline-blank": b"text\nmore  \t",
    "one-byte": b"x",
    "only-blanks": b"   \n \t \n\t\n",
    "only-blanks-no-newline": b"text\n   ",
    "trailing-blanks": b"a \nb\t\nc \t \n",
    "trailing-blank-lines-with-blanks": b"a\n \n\t\n  \n",
    "leading-blanks": b" a\n\tb\n  \t c\n",
    "tabs": b"a\tb\t\tc \t d\n",
    "lone-cr": b"a\rb\r\rc\n\rd\n",
    "cr-at-the-end": b"a\r",
    "cr-before-line-end": b"a\r\r\nb\r\r\r\n",
    "cr-and-blanks": b"a \r b\r \nc\t\r\t\r\n",
    "only-cr": b"\r",
    "signature-dashes": b"text\n-- \nname\n",
    "from-line": b"\nFrom here on\n>From there\n",
    "dots": b".\n..\n.a\n",
    "binary": bytes(range(1, 256)) * 20,
    "nul": b"a\0b\0\n\0",
    "utf-8": "Grüße, 日本語  \u00a0 x \n".encode(),
    "form-feed": b"a \f b\v \n\f\n",
    "long-line": b"x" * 200000 + b"\n",
    "long-line-words": b"word  " * 50000 + b"\n",
    "long-blanks": b"a" + b" \t" * 1500 + b"b\n",
    "long-blanks-last": b"a" + b" " * 3000 + b"\n",
    "many-line-ends": b"a\n" + b"\n" * 100000,
    "many-line-ends-between": b"a\n" + b"\n" * 100000 + b"b\n",
    "large": b"The quick brown fox  jumps over \tthe lazy dog. \n" * 20000,
}
RANDOM = 300


def random_body(dice):
    """Any bytes, with many blanks and line ends among them."""
    parts = [b" ", b"\t", b"\n", b"\n", b"\r\n", b"\r", b"  ", b"\n\n", b" \n", b"\t\n", b"word", b"a", b"0123456789abcdef"]
    out = []
    for _ in range(dice.randrange(60)):
        if dice.random() < 0.1:
            out.append(bytes(dice.randrange(1, 256) for _ in range(dice.randrange(40))))
        else:
            out.append(dice.choice(parts))
    return b"".join(out)


def messages():
    """Pairs of a name and a message."""
    head = b"From: a@example.org\nTo: b@example.org\nSubject: %s\nDate: Mon, 24 Nov 1980 10:00:00 +0000\n"
    head += b"Message-ID: <%s@example.org>\n\n"
    dice = random.Random(6376)
    bodies = dict(BODIES)
    for i in range(RANDOM):
        bodies["random-%03d" % i] = random_body(dice)
    for name, body in bodies.items():
        message = head % (name.encode(), name.encode()) + body
        yield name + "-lf", message
        yield name + "-crlf", re.sub(b"\r?\n", b"\r\n", message)


def body_hash(message, form, key):
    # In SMTP every line ends in CRLF: a signer never sees a last line without one.
    if not message.endswith(b"\n"):
        message += b"\r\n"
    field = dkim.sign(message, b"s", b"example.org", key, canonicalize=(b"relaxed", form))
    return re.search(rb"bh=([^;]*)", re.sub(rb"\s", b"", field)).group(1), field


def main():
    folder = sys.argv[1]
    key = subprocess.run(["openssl", "genrsa", "1024"], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    for form in (b"relaxed", b"simple"):
        out = os.path.join(folder, form.decode())
        os.mkdir(out)
        with open(out + ".want", "wb") as want:
            for name, message in messages():
                bh, field = body_hash(message, form, key)
                with open(os.path.join(out, name + ".eml"), "wb") as eml:
                    eml.write(field + message)
                want.write(bh + b" " + name.encode() + b".eml\n")


main()
