# SPDX-License-Identifier: Apache-2.0
"""Load for the http source, and people who mean it badly.

http_load.py load PORT SECONDS CLIENTS ITEMS NAME
    Each client sends one request after the other, as fast as it is answered, each with so many items of its own. Writes ids of requests to NAME.202
    (taken in), NAME.no (refused) and NAME.unknown (no answer), and prints how often what was said. Ends with 1 if an answer took longer than HUNG_S.
http_load.py hostile PORT SECONDS SEED
    Halves, floods, resets, rubbish.
http_load.py unclear PORT
    Requests that end in two places. Ends with 1 if one is taken, waited for, or read on behind.
http_load.py check NAME OUT ITEMS
    OUT has a line "ID ITEM" for each item: of NAME.202 each once, of NAME.no none, of NAME.unknown all or none.
"""
import asyncio
import collections
import contextlib
import os
import random
import socket
import sys
import time

HUNG_S = 60.0
CONNECT_PAUSE_S = 0.005
REFUSED_PAUSE_S = 0.02


class Load:
    def __init__(self, port: int, seconds: float, items: int, name: str) -> None:
        self.port, self.items = port, items
        self.until = time.monotonic() + seconds
        self.said: collections.Counter[str] = collections.Counter()
        self.files = {what: open(f"{name}.{what}", "w", encoding="ascii") for what in ("202", "no", "unknown")}
        self.longest = 0.0

    async def answer(self, reader: asyncio.StreamReader) -> tuple[int, bool]:
        """Status, and whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines[1:])}
        await reader.readexactly(int(fields.get("content-length", "0")))
        status = int(lines[0].split()[1])
        if status in (429, 503) and int(fields.get("retry-after", "0")) < 1:
            raise SystemExit(f"{status} without Retry-After: {head!r}")
        return status, fields.get("connection", "").lower() != "close"

    async def ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: str) -> bool:
        body = "".join(f"{number} {i}\n" for i in range(self.items)).encode()
        began = time.monotonic()
        status, goes_on, what = 0, False, "unknown"
        try:
            writer.write(b"POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            status, goes_on = await asyncio.wait_for(self.answer(reader), HUNG_S)
            what = "202" if status == 202 else "no"
        except (OSError, EOFError):
            pass
        except asyncio.TimeoutError:
            raise SystemExit(f"request {number} hangs") from None
        self.longest = max(self.longest, time.monotonic() - began)
        self.files[what].write(number + "\n")
        self.said[str(status or "nothing")] += 1
        if what == "no":
            await asyncio.sleep(REFUSED_PAUSE_S)
        return goes_on

    async def client(self, name: str) -> None:
        number = 0
        while time.monotonic() < self.until:
            try:
                reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), HUNG_S)
            except OSError:
                self.said["nobody listens"] += 1
                await asyncio.sleep(CONNECT_PAUSE_S)
                continue
            goes_on = True
            while goes_on and time.monotonic() < self.until:
                number += 1
                goes_on = await self.ask(reader, writer, f"{name}.{number}")
            writer.close()

    async def run(self, clients: int, name: str) -> None:
        await asyncio.gather(*(self.client(f"{name}{i}") for i in range(clients)))
        for file in self.files.values():
            file.close()
        print(" ".join(f"{what}={n}" for what, n in sorted(self.said.items())), f"longest={self.longest:.2f}s")


def hostile(port: int, seconds: float, seed: int) -> None:
    chance, until, held = random.Random(seed), time.monotonic() + seconds, []
    head = b"POST /in HTTP/1.1\r\nHost: x\r\n"
    rubbish = [
        os.urandom(3000),
        b"\r\n" * 5000,
        b"GET /" + b"a" * 30000 + b" HTTP/1.1\r\n\r\n",
        head + b"X: y\r\n" * 9000,
        head + b"Content-Length: 99999999999999999999\r\n\r\n",
        head + b"Content-Length: -1\r\n\r\n",
        head + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n",
        head + b"Content-Length: 9000000\r\n\r\n" + b"x" * 60000,
        head + b"Content-Length: 400000\r\n\r\n" + b"bad " * 100000,
        head + b"Content-Length: 30\r\n\r\nhalf of a",
        head,
        b"P",
    ]
    while time.monotonic() < until:
        s = socket.socket()
        s.settimeout(0.5)
        try:
            s.connect(("127.0.0.1", port))
            s.sendall(chance.choice(rubbish))
            what = chance.randrange(3)
            if what == 0:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            elif what == 1 and len(held) < 100:
                held.append(s)
                continue
        except OSError:
            pass
        s.close()
    for s in held:
        s.close()


def unclear(port: int) -> None:
    """Requests that end in two places, as a proxy and a server may read them: each is refused at once, and what follows is not heard."""
    lengths = b"Content-Length: %d\r\n"
    chunks = b"Transfer-Encoding: chunked\r\n"
    for status, headers in [
        (b"400", lengths % 3 + lengths % 5),
        (b"400", lengths % 5 + lengths % 3),
        (b"400", lengths % 70 + chunks),
        (b"400", b"X-Y : a\r\n" + lengths % 3),
        (b"501", b"Transfer-Encoding: gzip, chunked\r\n"),
    ]:
        with socket.create_connection(("127.0.0.1", port), 20) as s:
            s.sendall(b"POST /in HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n3\r\none\r\n0\r\n\r\n"
                      b"POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nsmuggled")
            heard = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := s.recv(65536):
                    heard += piece
        if heard.count(b"HTTP/1.1 ") != 1 or not heard.startswith(b"HTTP/1.1 " + status):
            raise SystemExit(f"{headers!r}: {heard!r}")


def check(name: str, out: str, items: int) -> None:
    got: collections.Counter[str] = collections.Counter()
    with open(out, encoding="ascii") as lines:
        seen = [line for line in lines if line.count(" ") == 1]
    for line in set(seen):
        got[line.split()[0]] += 1
    if len(set(seen)) != len(seen):
        raise SystemExit(f"{len(seen) - len(set(seen))} items came twice")
    expected = {"202": {items}, "no": {0}, "unknown": {0, items}}
    for what, numbers in expected.items():
        with open(f"{name}.{what}", encoding="ascii") as ids:
            for number in ids.read().split():
                if got.pop(number, 0) not in numbers:
                    raise SystemExit(f"{number} of {name}.{what}: not all of its items, or too many, are in {out}")
    if got:
        raise SystemExit(f"{next(iter(got))} was never sent")


command, arguments = sys.argv[1], sys.argv[2:]
if command == "load":
    asyncio.run(Load(int(arguments[0]), float(arguments[1]), int(arguments[3]), arguments[4])
                .run(int(arguments[2]), arguments[4]))
elif command == "hostile":
    hostile(int(arguments[0]), float(arguments[1]), int(arguments[2]))
elif command == "unclear":
    unclear(int(arguments[0]))
else:
    check(arguments[0], arguments[1], int(arguments[2]))
