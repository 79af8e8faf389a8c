# SPDX-License-Identifier: Apache-2.0
"""Programs of docs/frame.md's table, by name: each misbehaves once (the file `misbehaved` says that it has) and is good from then on.

    bad_frames.py PYTHON_FOLDER NAME
"""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import weir  # noqa: E402
from raw_frames import IN, OUT, hear, say  # noqa: E402

AT_ONCE = 8


def take(n):
    """So many items."""
    items = []
    while len(items) < n:
        message = hear()
        if message[0] == "item":
            items.append(message)
    return items


def behave():
    def answer(item):
        return item.data

    weir.serve(answer, threads=AT_ONCE)


def misbehave(name):
    hear()
    if name == "before-ready":
        say("answer", 0, [b"x"])
        time.sleep(1000)
    if name == "late":
        time.sleep(1000)
    say("ready", 1, AT_ONCE)
    if name == "never-reads":
        time.sleep(1000)
    items = take(AT_ONCE)
    first = items[0][1]
    if name == "unknown-id":
        say("answer", 4711, [b"x"])
    elif name == "twice":
        say("answer", first, [items[0][2]])
        say("answer", first, [items[0][2]])
    elif name == "ready-twice":
        say("ready", 1)
    elif name == "too-long":
        os.write(OUT, b"\x80\0\0\0")
    elif name == "empty-frame":
        os.write(OUT, b"\0\0\0\0")
    elif name == "prints":
        os.write(OUT, b"Traceback (most recent call last):\n")
    elif name == "no-array":
        os.write(OUT, b"\0\0\0\x01\xc0")
    elif name == "odd-name":
        say("hullo", first)
    elif name == "no-bytes":
        say("answer", first, [5])
    elif name == "not-told":
        say("cancelled", first)
    elif name == "half":
        os.write(OUT, b"\0\0\0\x40\x93")
        os._exit(3)
    elif name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "closes-out":
        os.close(OUT)
    elif name == "closes-in":
        os.close(IN)
    elif name == "errors":
        for item in items:
            say("error", item[1], "not now")
        say("bye")
        os._exit(0)
    elif name == "bye":
        say("bye")
        os._exit(0)
    elif name != "silent":
        raise SystemExit("no such program: " + name)
    time.sleep(1000)


if os.path.exists("misbehaved"):
    behave()
else:
    open("misbehaved", "w").close()
    misbehave(sys.argv[2])
