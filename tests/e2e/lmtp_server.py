#!/usr/bin/python3
"""lmtp_server.py WHERE FOLDER: an LMTP server that does what a test says.

WHERE is the path of a Unix socket, or "tcp": then the port is written to FOLDER/port. What it has taken is in FOLDER: N.mail as it came,
with CRLF and without the doubled dots, written before the answer to the dot is sent; N.said the client's commands. FOLDER/script says how
to answer, one line for each step, and is read at each connection:

    STEP ANSWER         STEP is greeting, lhlo, mail, rcpt, data, dot or quit; in ANSWER \\r, \\n and \\xHH are what they are in Python
    STEP !close         the connection is closed instead
    STEP !hang          nothing is said, ever
    STEP !wait N ANSWER said after N seconds
    STEP !until FILE ANSWER said when that file is there
    STEP !flood         a line without an end
    STEP !drip          a byte now and then, for ever
    STEP !reset         the connection is reset
"""
import os
import socket
import struct
import sys
import threading
import time

ANSWERS = {
    "greeting": "220 test LMTP",
    "lhlo": "250-test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE",
    "mail": "250 2.1.0 ok", "rcpt": "250 2.1.5 ok", "data": "354 go on", "dot": "250 2.0.0 taken", "quit": "221 bye", "else": "500 5.5.2 what?",
}
where, folder = sys.argv[1:3]
numbering = threading.Lock()


class Gone(Exception):
    pass


class Session:
    def __init__(self, connection):
        self.connection = connection
        self.input = connection.makefile("rb")
        with numbering:  # a test that empties the folder begins again with 1
            self.number = 1 + sum(name.endswith(".said") for name in os.listdir(folder))
            self.said = open(f"{folder}/{self.number}.said", "wb", buffering=0)
        self.answers = dict(ANSWERS)
        if os.path.exists(f"{folder}/script"):
            with open(f"{folder}/script", encoding="ascii") as script:
                for line in script:
                    step, answer = line.rstrip("\n").split(" ", 1)
                    self.answers[step] = answer.encode().decode("unicode_escape")

    def send(self, text):
        self.connection.sendall(text.encode("latin-1"))

    def answer(self, step):
        text = self.answers[step]
        if text.startswith("!wait "):
            seconds, text = text[6:].split(" ", 1)
            time.sleep(float(seconds))
        if text.startswith("!until "):
            file, text = text[7:].split(" ", 1)
            while not os.path.exists(file):
                time.sleep(0.05)
        if text == "!close":
            raise Gone
        if text == "!reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Gone
        if text == "!hang":
            while True:
                time.sleep(60)
        while text == "!flood":
            self.send("250-" + "x" * 60000)
        while text == "!drip":
            self.send("2")
            time.sleep(0.05)
        self.send(text + "\r\n")
        return text

    def message(self):
        lines = []
        for line in self.input:
            if line == b".\r\n":
                with open(f"{folder}/{self.number}.part", "wb") as mail:
                    mail.writelines(l[1:] if l.startswith(b".") else l for l in lines)
                os.rename(f"{folder}/{self.number}.part", f"{folder}/{self.number}.mail")
                return
            lines.append(line)
        raise Gone

    def run(self):
        self.answer("greeting")
        for line in self.input:
            self.said.write(line)
            word = line.split(b" ")[0].strip().decode("latin-1").lower()
            answer = self.answer(word if word in self.answers else "else")
            if word == "quit":
                return
            if word == "data" and answer.startswith("354"):
                self.message()
                self.answer("dot")


def serve(connection):
    try:
        Session(connection).run()
    except (Gone, ConnectionError):
        pass
    connection.close()


if where == "tcp":
    listener = socket.socket(socket.AF_INET)
    listener.bind(("127.0.0.1", 0))
    with open(f"{folder}/port.new", "w", encoding="ascii") as port:
        port.write(str(listener.getsockname()[1]))
    listener.listen(64)
    os.rename(f"{folder}/port.new", f"{folder}/port")
else:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where + ".new")
    listener.listen(64)
    os.rename(where + ".new", where)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
