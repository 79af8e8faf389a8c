# SPDX-License-Identifier: Apache-2.0
"""handed.py [NAME=]ADDRESS... -- COMMAND...: runs it with listening sockets, as a service manager does. ADDRESS: a path, or a port (0: any) of 127.0.0.1;
its number is written to ./port. udp: a datagram socket."""
import os
import socket
import sys

cut = sys.argv.index("--")
names, sockets = [], []
for word in sys.argv[1:cut]:
    name, _, address = word.rpartition("=")
    if address == "udp":
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(("127.0.0.1", 0))
    elif address.isdigit():
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", int(address)))
        one.listen(64)
        with open("port", "w", encoding="ascii") as file:
            print(one.getsockname()[1], file=file)
    else:
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.bind(address)
        one.listen(64)
    names.append(name or "unknown")
    sockets.append(one)
for one in sockets:  # out of the way of the numbers that they are to have
    os.dup2(one.fileno(), one.fileno() + 100)
for i, one in enumerate(sockets):
    os.dup2(one.fileno() + 100, 3 + i, inheritable=True)
os.closerange(3 + len(sockets), 300)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=":".join(names))
os.execvp(sys.argv[cut + 1], sys.argv[cut + 1:])
