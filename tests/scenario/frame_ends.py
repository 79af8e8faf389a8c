# SPDX-License-Identifier: Apache-2.0
"""Good programs in frame mode at the ends of a pipeline, for the scenarios.

    frame_ends.py PYTHON_FOLDER sink FILE [batch=N] [refuse=TEXT] [fail=TEXT] [slow=SECONDS] [end=kill|exit]

A sink adds a line "IDENTITY ATTEMPT DATA PID" to the file for each item, and each batch in one write.

    frame_ends.py PYTHON_FOLDER source FILE [count=N] [lost=yes] [values=yes] [large=N] [pad=BYTES] [rest=SECONDS] [end=kill|exit] [forever=yes]

A source gives the numbers from 1 to N (forever: and then waits), with their positions unless they are `lost`; it adds a line for whatever it is told.
"""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import weir  # noqa: E402

options = dict((word + "=").split("=")[:2] for word in sys.argv[4:])


def sink(path):
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def judge(item):
        if item.data == options.get("refuse", "").encode():
            raise weir.Refuse("not this one")
        if item.data == options.get("fail", "").encode():
            raise ValueError("what is this")

    def store(items):
        for item in items:
            judge(item)
        os.write(out, b"".join(b"%s %d %s %d\n" % (item.identity.encode(), item.attempt, item.data, os.getpid()) for item in items))
        time.sleep(float(options.get("slow") or 0))  # stored, and not answered

    batch = int(options.get("batch") or 0)
    weir.sink(store if batch else lambda item: store([item]), batch=batch)
    end()


def source(path):
    told = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(*words):
        os.write(told, (" ".join(str(word) for word in words) + "\n").encode())

    def data(number):
        if number == int(options.get("large") or 0):
            return b"x" * 200000
        return {"n": number} if "values" in options else str(number).ljust(int(options.get("pad") or 0))

    def read(feed):
        tell("begin", feed.position["at"] if feed.position else 0)
        try:
            for number in range((feed.position or {"at": 0})["at"] + 1, int(options["count"]) + 1):
                yield weir.New(data(number), position=None if "lost" in options else {"at": number}, tag=number)
                time.sleep(float(options.get("rest") or 0))
            while "forever" in options and not feed.wait(0.01):
                yield None
        finally:
            tell("closed", feed.stopping)

    def accepted(news):
        tell("accepted", *(new.tag for new in news))

    def refused(new, why):
        tell("refused", new.tag, why)

    weir.source(read, accepted=accepted, refused=refused)
    end()


def end():
    if options.get("end") == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if options.get("end") == "exit":
        sys.exit(7)


{"sink": sink, "source": source}[sys.argv[2]](sys.argv[3])
