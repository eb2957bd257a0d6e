#!/usr/bin/python3
"""redis_hole.py PORT [full]: a port that takes connections and never says a word; with `full` its queue is full and it takes none."""
import socket
import sys
import time

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', int(sys.argv[1])))
listener.listen(0)
waiting = []
while len(sys.argv) > 2 and len(waiting) < 8:
    each = socket.socket()
    each.setblocking(False)
    each.connect_ex(listener.getsockname())
    waiting.append(each)
print('ready', flush=True)
time.sleep(600)
