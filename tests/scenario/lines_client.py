# SPDX-License-Identifier: Apache-2.0
"""lines_client.py ADDRESS COUNT: sends that many lines to a source with `ack: true`, each again over a new connection until it is answered. ADDRESS: a
path, or a port of 127.0.0.1. Ends when there is a file "enough". Says how often a connection was refused, which a socket that somebody keeps open never is."""
import os
import socket
import sys
import time

address, count = sys.argv[1], int(sys.argv[2])
n_refused, n_connections = 0, 0


def connect():
    """A connection, however often it takes."""
    global n_refused, n_connections
    while True:
        try:
            if address.isdigit():
                one = socket.create_connection(("127.0.0.1", int(address)), timeout=60)
            else:
                one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                one.settimeout(60)
                one.connect(address)
            n_connections += 1
            return one
        except (ConnectionRefusedError, FileNotFoundError):
            n_refused += 1
            print("refused", flush=True)
            time.sleep(0.05)


connection = connect()
answers = connection.makefile("r")
for i in range(1, count + 1):
    if os.path.exists("enough"):
        break
    while True:
        try:
            connection.sendall(b"line %d\n" % i)
            if answers.readline() == "ok\n":
                break
        except OSError:
            pass
        connection.close()
        connection = connect()
        answers = connection.makefile("r")
    with open("sent.new", "w", encoding="ascii") as file:
        print(i, file=file)
    os.rename("sent.new", "sent")
if not os.path.exists("enough"):
    print(f"{n_refused} refused, {n_connections} connections")
