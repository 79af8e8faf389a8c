# SPDX-License-Identifier: Apache-2.0
# What nobody should send to the console: http_hostile.py HOST PORT. Prints a line for each kind; exit 1 if any is served, or the console is gone.
import os
import socket
import sys
import time

HOST, PORT = sys.argv[1], int(sys.argv[2])
ME = f"{HOST}:{PORT}"
bad = 0


def ask(raw, read=True):
    with socket.create_connection((HOST, PORT), timeout=20) as s:
        s.sendall(raw)
        if not read:
            return b""
        got = b""
        try:
            while b"\r\n\r\n" not in got and len(got) < 65536:
                more = s.recv(4096)
                if not more:
                    break
                got += more
        except ConnectionResetError:
            pass
        return got


def expect(name, raw, *statuses):
    global bad
    got = ask(raw)
    status = got.split(b" ")[1].decode() if got.startswith(b"HTTP/1.") else "closed"
    fine = status in statuses
    print(f"{name}: {status}{'' if fine else ' WRONG, not ' + ' or '.join(statuses)}")
    bad += not fine
    return got


def request(line, *headers):
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1")


host = f"Host: {ME}"
for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"):
    expect(method, request(f"{method} /metrics HTTP/1.1", host, "Content-Length: 0"), "405", "400")
expect("another name", request("GET /metrics HTTP/1.1", "Host: evil.example"), "421")
expect("no name", request("GET /metrics HTTP/1.1"), "400", "421")
expect("another site", request("GET /api/now HTTP/1.1", host, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"), "403")
expect("a link from another site", request("GET / HTTP/1.1", host, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"), "200")
expect("a body", request("GET / HTTP/1.1", host, "Content-Length: 5") + b"hello", "413")
expect("a body without end", request("GET / HTTP/1.1", host, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n", "413")
expect("a long header", request("GET / HTTP/1.1", host, "X: " + "a" * 100000), "431", "400", "closed")
expect("many headers", request("GET / HTTP/1.1", host, *[f"X{i}: {i}" for i in range(20000)]), "431", "400", "closed")
expect("a long path", request("GET /" + "a" * 100000 + " HTTP/1.1", host), "414", "400", "431", "closed")
expect("a path up", request("GET /../../etc/passwd HTTP/1.1", host), "404")
expect("no such slot", request("GET /api/worker/99999999 HTTP/1.1", host), "404")
expect("a slot that is none", request("GET /api/worker/-1 HTTP/1.1", host), "404")
expect("a slot of letters", request("GET /api/worker/1e1 HTTP/1.1", host), "404")
expect("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300 + b"\r\n\r\n", "400", "closed")
expect("a line", b"hello\r\n\r\n", "400", "closed")
got = expect("the page", request("GET / HTTP/1.1", host), "200").decode("latin-1").lower()
for header in ("content-security-policy:", "x-content-type-options: nosniff", "cache-control: no-store"):
    if header not in got:
        print(f"no header {header}")
        bad += 1
if "access-control" in got:
    print("others may read it")
    bad += 1
# A byte now and then does not keep a connection: it has 15 s. Nightly, as that is how long it takes.
if os.environ.get("WEIR_NIGHTLY"):
    begun = time.monotonic()
    with socket.create_connection((HOST, PORT), timeout=20) as s:
        try:
            while time.monotonic() < begun + 60:
                s.sendall(b"G")
                time.sleep(0.5)
        except OSError:
            pass
    print(f"a request of a byte now and then: cut off after {time.monotonic() - begun:.0f} s")
    bad += time.monotonic() > begun + 50
# Many who say nothing: who comes then may be turned away, and is served once they are gone.
idle = []
for _ in range(80):
    idle.append(socket.create_connection((HOST, PORT), timeout=20))
for s in idle:
    s.close()
for _ in range(100):
    got = ask(request("GET /live HTTP/1.1", host))
    if got.startswith(b"HTTP/1.1 200"):
        break
else:
    print("nobody is served any more")
    bad += 1
sys.exit(bad > 0)
