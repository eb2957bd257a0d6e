#!/usr/bin/python3
"""redis_proxy.py PORT TARGET FILE: what lies between a client and a server of Redis, with faults.

It listens on 127.0.0.1:PORT and passes what it gets to 127.0.0.1:TARGET. The first line of FILE, read whenever something is to be
passed, says how:

    pass            as it is
    slow SECONDS    each reply is that late
    stall           nothing is passed, in either direction, until the line changes
    lose WORD       the request that has WORD in it is passed, its reply is not: both connections are closed
    last WORD       the same, and from then on no connection is taken
    late WORD S     the request that has WORD in it is passed S seconds later, whether or not its client is still there
    forget          nothing is passed on the connections that are there, and nobody is told; new ones work
    cut WORD        that request is not passed: both connections are closed
    modern N        the server says that it is version 7.2, and WAITAOF is answered for it: its disk has what was written, or not yet (0)

It says "ready" when it listens.
"""
import os
import re
import socket
import sys
import threading
import time

port, target, control = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
closed = threading.Event()


def mode():
    """The words of the line."""
    with open(control) as file:
        return file.readline().split() or ['pass']


def hold():
    """Wait while the line says stall."""
    while mode()[0] == 'stall':
        time.sleep(0.02)


def end(*sockets):
    """Close them, whoever reads from them."""
    for each in sockets:
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def late(data, seconds):
    """A request that arrives when its sender may be gone, on a connection of its own: that of its sender would be closed."""
    time.sleep(seconds)
    with socket.create_connection(('127.0.0.1', target)) as server:
        server.sendall(data)
        server.settimeout(2)
        server.recv(65536)


def request(data, client, server, swallow):
    """Pass a request. False: this connection has ended."""
    words = mode()
    if words[0] == 'modern' and b'WAITAOF' in data:
        client.sendall(b'*2\r\n:%d\r\n:0\r\n' % int(words[1]))
        return True
    concerned = len(words) > 1 and words[0] in ('lose', 'last', 'late', 'cut') and words[1].encode() in data.upper()
    if not concerned:
        server.sendall(data)
        return True
    if words[0] in ('lose', 'last'):
        swallow.set()
        if words[0] == 'last':
            closed.set()
        server.sendall(data)
        return True
    if words[0] == 'late':
        threading.Thread(target=late, args=(data, float(words[2])), daemon=True).start()
        return True
    end(client, server)
    return False


def requests(client, server, swallow):
    """What the client says."""
    begun = time.time()
    try:
        while data := client.recv(1 << 20):
            hold()
            if mode()[0] == 'forget' and begun < os.stat(control).st_mtime:
                continue
            if not request(data, client, server, swallow):
                return
    except OSError:
        pass
    end(client, server)


def replies(client, server, swallow):
    """What the server says."""
    try:
        while data := server.recv(1 << 20):
            hold()
            if swallow.is_set():
                break
            words = mode()
            if words[0] == 'slow':
                time.sleep(float(words[1]))
            if words[0] == 'modern':
                data = re.sub(rb'redis_version:\d+\.\d+', lambda old: b'redis_version:7.2'.ljust(len(old[0])), data)
            client.sendall(data)
    except OSError:
        pass
    end(client, server)


def serve():
    """One connection after another, each with two threads."""
    with socket.create_server(('127.0.0.1', port)) as listener:
        print('ready', flush=True)
        while True:
            client, _ = listener.accept()
            if closed.is_set():
                client.close()
                continue
            try:
                server = socket.create_connection(('127.0.0.1', target))
            except OSError:
                client.close()
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            swallow = threading.Event()
            for side in (requests, replies):
                threading.Thread(target=side, args=(client, server, swallow), daemon=True).start()


serve()
