# SPDX-License-Identifier: Apache-2.0
"""Speaks to a holder as a supervisor would, and changes a byte of the estate that it keeps.

usage: holder_peer.py SOCKET OFFSET     XORs 1 into the byte there; prints "changed"
"""
import array
import os
import socket
import struct
import sys

MAGIC, VERSION, TAKE, OK = 0x444C4F48, 1, 3, 16
PACKET = struct.Struct("=IIIIQ")
ESTATE_MAGIC = 0x4554415453455257


def take(path):
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.connect(path)
    line.send(PACKET.pack(MAGIC, VERSION, TAKE, 0, 0))
    fds = array.array("i")
    while True:
        data, ancillary, _, _ = line.recvmsg(4096, socket.CMSG_SPACE(253 * 4))
        for _, _, payload in ancillary:
            fds.frombytes(payload)
        if PACKET.unpack(data)[2] == OK:
            return fds


def main():
    path, offset = sys.argv[1], int(sys.argv[2])
    for fd in take(path):
        try:
            magic = os.pread(fd, 8, 0)
        except OSError:
            continue
        if magic == struct.pack("=Q", ESTATE_MAGIC):
            byte = os.pread(fd, 1, offset)[0]
            os.pwrite(fd, bytes([byte ^ 1]), offset)
            print("changed")


main()
