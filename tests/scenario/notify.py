# SPDX-License-Identifier: Apache-2.0
"""A socket as systemd has it for notices, for the scenarios: notify.py SOCKET FILE

One line in FILE for each message, its assignments parted by ' | '; a barrier (whoever waits for that is let go) is the line BARRIER.
Ends when its standard input does.
"""
import array
import os
import select
import socket
import sys

notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notices.bind(sys.argv[1])
with open(sys.argv[2], "a", buffering=1) as out:
    while sys.stdin.buffer not in select.select([notices, sys.stdin.buffer], [], [])[0]:
        data, ancillary, _, _ = notices.recvmsg(65536, 1024)
        if data:
            text = data.decode()
            out.write(("BARRIER" if text == "BARRIER=1" else " | ".join(text.strip("\n").split("\n"))) + "\n")
        for _, _, content in ancillary:
            for fd in array.array("i", content):
                os.close(fd)
