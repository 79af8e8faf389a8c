# SPDX-License-Identifier: Apache-2.0
"""A server for the sink http, which behaves as the path says. Takes each item once, by what Weir-Items says.

    http_server.py PORT_FILE ITEMS_FILE [CERTIFICATE KEY [CLIENTS]]

CLIENTS: certificates of those whom it lets in. A line in ITEMS_FILE: the item's identity, a tab, the item. ITEMS_FILE.twice: identities that came again. ITEMS_FILE.requests: a line for each request.
"""
import gzip
import json
import os
import random
import socket
import ssl
import sys
import threading
import time

lock = threading.Lock()
seen = set()
flaky = random.Random(int(os.environ.get("WEIR_SEED", "1")))


def identities(text):
    """Weir-Items: RUN-PRODUCER-INPUT:SEQUENCE[+N],...;..."""
    for group in text.split(";"):
        producer, sequences = group.split(":")
        for sequence in sequences.split(","):
            first, _, more = sequence.partition("+")
            for i in range(int(more or 0) + 1):
                yield f"{producer}:{int(first) + i}" if "." not in first else f"{producer}:{first}"


def items_of(headers, body):
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    kind = headers["content-type"]
    if kind == "application/json" and body[:1] == b"[":
        return [json.dumps(v, separators=(",", ":")).encode() for v in json.loads(body)]
    return body.splitlines() if kind in ("application/x-ndjson", "text/plain") else [body]


def take(headers, items, out):
    names = list(identities(headers["weir-items"]))
    key = headers["idempotency-key"]
    assert len(names) == len(items), f"{len(names)} names for {len(items)} items"
    assert names[0] in key and (len(names) > 1) == ("/" in key), key
    with lock:
        for name, item in zip(names, items):
            with open(out if name not in seen else out + ".twice", "ab") as file:
                file.write(name.encode() + b"\t" + item + b"\n")
            seen.add(name)


def answer(client, status, text="", more=""):
    client.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{more}\r\n{text}".encode())


class Connection:
    def __init__(self, client, out):
        self.client, self.out, self.buffer = client, out, b""

    def fill(self, enough):
        while not enough():
            if self.buffer[:1] == b"\x16":  # somebody who speaks TLS to us
                answer(self.client, 400, "speak HTTP")
                raise EOFError
            more = self.client.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more

    def request(self):
        self.fill(lambda: b"\r\n\r\n" in self.buffer)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
        n = int(headers.get("content-length", "0"))
        self.fill(lambda: len(self.buffer) >= n)
        body, self.buffer = self.buffer[:n], self.buffer[n:]
        method, path, _ = first.split(" ")
        return method, path, headers, body

    def serve(self):
        while True:
            method, path, headers, body = self.request()
            items = items_of(headers, body)
            with lock, open(self.out + ".requests", "a") as file:
                print(time.monotonic(), method, path, len(items), headers["idempotency-key"], file=file)
            if self.behave(path.split("?")[0].split("/")[1:], headers, items):
                return

    def behave(self, path, headers, items):
        """True: the connection ends."""
        client, word = self.client, path[0]
        if word == "ok":
            take(headers, items, self.out)
            answer(client, 204)
        elif word == "flaky":
            return self.be_flaky(headers, items)
        elif word == "status":
            answer(client, int(path[1]), "because I say so\n", "".join(f"{h}\r\n" for h in path[2:]))
        elif word == "limit":
            if len(items) > int(path[1]):
                answer(client, 413, "too many")
            else:
                take(headers, items, self.out)
                answer(client, 200)
        elif word == "picky":
            if any(b"bad" in item for item in items):
                answer(client, 422, "one of them is bad")
            else:
                take(headers, items, self.out)
                answer(client, 200)
        elif word == "gate":
            while not os.path.exists("go"):
                time.sleep(0.01)
            take(headers, items, self.out)
            answer(client, 200)
        elif word == "never":
            time.sleep(3600)
        elif word == "half":
            client.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nhalf")
            time.sleep(3600)
        elif word == "short":
            client.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nshort")
            return True
        elif word == "close":
            return True
        elif word == "garbage":
            client.sendall(b"\0\1\2 this is no answer\r\n\r\n")
            return True
        elif word == "huge":
            client.sendall(f"HTTP/1.1 {path[1]} X\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            if path[1] == "200":
                take(headers, items, self.out)
            while True:
                client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        elif word == "first":
            client.sendall(b"HTTP/1.1 103 X\r\nLink: </a>\r\n\r\nHTTP/1.1 100 X\r\n\r\n")
            take(headers, items, self.out)
            answer(client, 200)
        elif word == "firsts":
            while True:
                client.sendall(b"HTTP/1.1 103 X\r\n\r\n")
                time.sleep(0.01)
        elif word == "loop":
            answer(client, 302, "", f"Location: /loop/{len(path)}\r\n")
        elif word == "elsewhere":
            answer(client, 302, "", "Location: ftp://127.0.0.1/\r\n")
        elif word == "moved":
            answer(client, 308, "", "Location: /ok\r\n")
        elif word == "auth":
            with open("token") as file:
                good = headers.get((path + ["authorization"])[1]) == file.read().strip()
            if good:
                take(headers, items, self.out)
            answer(client, 200 if good else 401, "" if good else "who are you?")
        elif word == "headers":
            client.sendall(b"HTTP/1.1 200 X\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(2000)) + b"\r\n")
        return False

    def be_flaky(self, headers, items):
        with lock:
            lot = flaky.random()
        if lot < 0.06:
            answer(self.client, 503, "not now", "Retry-After: 0\r\n")
        elif lot < 0.08:
            answer(self.client, 429, "slowly")
        elif lot < 0.10:
            return True
        else:
            take(headers, items, self.out)
            if lot < 0.12:  # taken, and nobody hears of it
                return True
            if lot < 0.14:
                answer(self.client, 500, "taken, in truth")
                return False
            answer(self.client, 200, "taken")
        return False


def serve(client, context, out):
    try:
        with context.wrap_socket(client, server_side=True) if context else client as connection:
            Connection(connection, out).serve()
    except (EOFError, OSError):
        pass
    except Exception:
        import traceback
        with open(out + ".errors", "a") as file:
            traceback.print_exc(file=file)


def main():
    port_file, out = sys.argv[1:3]
    context = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
    if len(sys.argv) > 5:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(sys.argv[5])
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    open(out, "ab").close()
    with open(port_file + ".new", "w") as file:
        print(listener.getsockname()[1], file=file)
    os.rename(port_file + ".new", port_file)
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(client, context, out), daemon=True).start()


main()
