#!/usr/bin/python3
"""redis_web.py PORT: a server that is no Redis. Whatever it is asked, its answer is one of HTTP."""
import socket
import sys

with socket.create_server(('127.0.0.1', int(sys.argv[1]))) as listener:
    print('ready', flush=True)
    while True:
        client, _ = listener.accept()
        client.recv(4096)
        client.sendall(b'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
        client.close()
