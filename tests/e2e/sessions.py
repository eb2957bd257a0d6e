#!/usr/bin/env python3
"""sessions.py FILE: type what the sessions of a Markdown file show, and compare what comes.

A session is a block of code whose first line begins with "$ ". They are played in their order, in the home $HOME, which stands in the
file as /home/joe. What is different each time (times, ages, digits of fingerprints, the ledger's size, names of files) is not compared,
nor is white space, since nothing goes to a terminal here. A comment <!-- do NAME --> makes what no command can: see STEPS.

With --record the file is printed with what comes now. Prints TAP otherwise.
"""
import os
import re
import shutil
import subprocess
import sys
import time

HOME = os.environ['HOME']
JOE = '/home/joe'
NOW = int(time.time())


def letter(number, name, received='mx.example.org', subject='Minutes'):
    return (f'Received: from {received}\nMessage-ID: <{name}>\nDate: Fri, 20 Nov 2026 12:00:00 +0000\n'
            f'From: ann@example.org\nTo: joe@example.com\nSubject: {subject} {number}\n\nThe text of {number}.\n')


def write(path, text, age=0):
    path = os.path.join(HOME, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as to:
        to.write(text)
    if age:
        os.utime(path, (NOW - age, NOW - age))


def deliver(name):
    with open(os.path.join(HOME, name)) as message:
        return subprocess.run(['dedup-lda'], stdin=message, stderr=subprocess.DEVNULL).returncode


def use():
    """A Maildir that was in use before: three new messages, an old one, sent ones, and letters that will come."""
    for folder in ('', '.Sent/'):
        for part in 'cur', 'new', 'tmp':
            os.makedirs(f'{HOME}/Maildir/{folder}{part}', exist_ok=True)
    for n, (age, part, flags) in enumerate([(3600, 'new', ''), (7200, 'cur', ':2,S'), (90000, 'cur', ':2,RS'), (900000, 'cur', ':2,S')]):
        write(f'Maildir/{part}/{NOW - age}.M{n}P731.mx{flags}', letter(n, f'2026112{n}.471{n}@example.org'), age)
    write(f'Maildir/.Sent/cur/{NOW - 800}.M8P731.mx:2,S', letter(8, 'sent.1@example.com'), 800)
    write('letter.eml', letter('the letter', '4F2.1@mx1.example.org'))
    write('other.eml', letter('the other one', '4F2.2@mx1.example.org'))


def copies():
    """A delivery that came twice, two hours ago, before there was a ledger."""
    for n, seconds in enumerate((0, 187)):
        write(f'Maildir/{"cur" if n == 0 else "new"}/{NOW - 7000 + seconds}.M{n}P15945.mx{":2,S" if n == 0 else ""}',
              letter('copies', '20261120.4711@example.com', f'mx{n}.example.org'), 7000 - seconds)


def twice():
    use()
    for _ in range(2):
        assert deliver('letter.eml') == 0


def crash():
    """The other message is decided and not published; that was more than an hour ago."""
    os.chmod(f'{HOME}/Maildir/new', 0o500)
    assert deliver('other.eml') == 75
    os.chmod(f'{HOME}/Maildir/new', 0o700)
    subprocess.run(['ledger_edit', f'{HOME}/.dedup-lda', 'age', '4000'], check=True)


def at(seconds):
    return time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime(1795176000 + seconds))


def hops(number, relay, address, queue_id, seconds):
    """A message that was sent to a relay, and came from there to mx2.example.org so many seconds later."""
    return (f'Received: from {relay} ({relay} [{address}])\n\tby mx2.example.org (Postfix) with ESMTPS id {queue_id}\n'
            f'\tfor <joe@example.com>; {at(seconds)}\n'
            f'Received: from [10.1.2.3] (dsl.example.com [198.51.100.9])\n\tby {relay} (Postfix) with ESMTPSA id 4Xa{number:02};\n'
            f'\t{at(0)}\nMessage-ID: <{number}@{relay}>\nDate: {at(0)}\n\nThe text of {number}.\n')


def gaps():
    """A ledger of its own: eighty messages, most of which came once."""
    shutil.rmtree(f'{HOME}/.dedup-lda', ignore_errors=True)
    write('.dedup-lda.conf', 'trusted-hosts = mx2.example.org\n')
    relay, other = ('relay.example.com', '192.0.2.7'), ('mail.example.net', '192.0.2.9')
    delays = [(relay, d) for d in (303, 302, 304, 303, 307, 302, 303, 305, 302, 303, 306, 1503)] + [(other, d) for d in (4, 31, 9)]
    for number in range(80):
        host, delay = delays[number] if number < len(delays) else (other, None)
        write('first.eml', hops(number, *host, f'4XaB{number:02}', 5))
        assert deliver('first.eml') == 0
        if delay:
            write('copy.eml', hops(number, *host, f'4XaC{number:02}', 5 + delay))
            assert deliver('copy.eml') == 0
    subprocess.run(['ledger_edit', f'{HOME}/.dedup-lda', 'age', '95'], check=True)
    assert deliver('first.eml') == 0


# Others would talk to a mail server, and have tests of their own.
PLAYED = ('dedupdb', 'dedup-lda', 'head', 'rm')
STEPS = {'gaps': gaps, 'use': use, 'copies': copies, 'twice': twice, 'crash': crash}

# What differs each time, and what stands for it.
MASKS = [
    (r'20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\+\d\d:\d\d|Z)', 'TIME'),
    (r'\b[0-9a-f]{16,64}\b', 'HEX'),
    (r'\b\d{10}\b(\.M\d+P\d+\w*\.[\w.,=:]+)?', 'NUMBER'),
    (r'\b\d+ ?[smhdw]( \d+[smhdw])?\b', 'AGE'),
    (r'\b[\d.]+ [KM]iB', 'SIZE'),
    (r'"age":\d+', '"age":N'),
    (r'(waited_ms +)\d+', r'\1N'),
    (r'[ \t]+', ' '),
]


def masked(lines):
    text = '\n'.join(lines)
    for pattern, to in MASKS:
        text = re.sub(pattern, to, text)
    return text.strip()


def fingerprint():
    shown = subprocess.run(['dedupdb', 'show', 'letter.eml'], cwd=HOME, capture_output=True, text=True).stdout
    return re.search(r'^fingerprint +(\w+)', shown, re.M).group(1)


def typed(command):
    """Its output, as a person sees it; a fingerprint that is typed is the letter's."""
    command = command.replace(JOE, HOME)
    command = re.sub(r'\b[0-9a-f]{16}\b', lambda _: fingerprint()[:16], command)
    done = subprocess.run(['sh', '-c', command], cwd=HOME, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL)
    return done.stdout.replace(HOME, JOE).splitlines()


def play(lines, record):
    number, at = 0, 0
    while at < len(lines):
        line = lines[at]
        at += 1
        step = re.match(r'<!-- do (\w+) -->$', line)
        if step:
            STEPS[step.group(1)]()
        if record:
            print(re.sub(r'\b[0-9a-f]{16}\b', lambda _: fingerprint()[:16], line) if line.startswith('    $ ') else line)
        if not line.startswith('    $ ') or line.split()[1] not in PLAYED:
            continue
        command, wanted = line[6:], []
        while at < len(lines) and lines[at].startswith('    ') and not lines[at].startswith('    $ ') or \
                at + 1 < len(lines) and lines[at] == '' and lines[at + 1].startswith('    ') and not lines[at + 1].startswith('    $ '):
            wanted.append(lines[at][4:])
            at += 1
        got = typed(command)
        if record:
            print('\n'.join('    ' + line if line else '' for line in got).rstrip('\n') + ('\n' if got else ''), end='')
            continue
        number += 1
        good = masked(wanted) == masked(got)
        print(f'{"ok" if good else "not ok"} {number} - {command}')
        if not good:
            print('\n'.join([f'# got: {l}' for l in got] + [f'# in the file: {l}' for l in wanted]))
    if not record:
        print(f'1..{number}')


if __name__ == '__main__':
    with open(sys.argv[-1]) as text:
        play(text.read().splitlines(), '--record' in sys.argv)
