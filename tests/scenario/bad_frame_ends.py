# SPDX-License-Identifier: Apache-2.0
"""Programs of docs/frame.md's tables of sinks and sources, by name: each misbehaves once (the file misbehaved-NAME says that it has) and is good from then on.

    bad_frame_ends.py PYTHON_FOLDER sink|source NAME

A sink adds the data of its items, a line each, to the file sink-NAME when it is good; a source gives 1 to 300, but never-reads
1 to 1000, so that what it is told is more than its pipe holds.
"""
import fcntl
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import weir  # noqa: E402
from raw_frames import IN, OUT, hear, say  # noqa: E402

AT_ONCE = 8
GIVEN = 20  # by a source, before it misbehaves
F_SETPIPE_SZ = 1031
LONG_ID = 1 << 60  # of nine bytes


# ---- sinks ----


def good_sink(name):
    out = os.open("sink-" + name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    weir.sink(lambda item: os.write(out, item.data + b"\n"), threads=AT_ONCE)


def bad_sink(name):
    hear()
    say("ready", 1, AT_ONCE)
    items = []
    while len(items) < AT_ONCE:
        message = hear()
        if message[0] == "item":
            items.append(message)
    if name == "gives":
        say("item", 1, b"x")
    elif name == "unknown-id":
        say("done", 4711)
    elif name == "twice":
        os.write(os.open("sink-" + name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), items[0][2] + b"\n")
        say("done", items[0][1])
        say("done", items[0][1])
    elif name == "no-id":
        say("done")
    elif name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        raise SystemExit("no such program: " + name)
    time.sleep(1000)


# ---- sources ----


def last(name):
    return 1000 if name == "never-reads" else 300


def good_source(name):
    def read(feed):
        for number in range((feed.position or 0) + 1, last(name) + 1):
            yield weir.New(str(number), position=number)

    weir.source(read)


def give(number):
    say("item", LONG_ID + number, str(number), {"position": number})


def stall(name):
    fcntl.fcntl(IN, F_SETPIPE_SZ, 4096)
    say("ready", 1)
    for number in range(1, last(name) + 1):
        give(number)
    time.sleep(1000)


def bad_source(name):
    hear()
    if name == "before-ready":
        give(1)
        time.sleep(1000)
    if name == "never-reads":
        stall(name)
    say("ready", 1)
    for number in range(1, GIVEN + 1):
        give(number)
    next_id = LONG_ID + GIVEN + 1
    if name == "answers":
        say("done", 1)
    elif name == "same-id":
        give(GIVEN)
    elif name == "no-id":
        say("item", "x")
    elif name == "no-data":
        say("item", next_id)
    elif name == "number":
        say("item", next_id, 5)
    elif name == "no-map":
        say("item", next_id, "x", 5)
    elif name == "position":
        say("item", next_id, "x", {"position": "x" * 300})
    elif name == "behind-end":
        say("end")
        give(GIVEN + 1)
    elif name == "ready-twice":
        say("ready", 1)
    elif name == "too-long":
        os.write(OUT, b"\x80\0\0\0")
    elif name == "prints":
        os.write(OUT, b"Traceback (most recent call last):\n")
    elif name == "half":
        os.write(OUT, b"\0\0\0\x40\x93")
        os._exit(3)
    elif name == "quits":
        os._exit(0)
    elif name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "closes-out":
        os.close(OUT)
    elif name == "bye":
        say("bye")
        os._exit(0)
    else:
        raise SystemExit("no such program: " + name)
    time.sleep(1000)


role, program = sys.argv[2:4]
marker = "misbehaved-%s-%s" % (role, program)
if os.path.exists(marker):
    {"sink": good_sink, "source": good_source}[role](program)
else:
    open(marker, "w").close()
    {"sink": bad_sink, "source": bad_source}[role](program)
