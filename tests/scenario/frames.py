# SPDX-License-Identifier: Apache-2.0
"""A good program in frame mode, for the scenarios.

    frames.py PYTHON_FOLDER [async] [poison=TEXT] [slow=TEXT] [deaf=TEXT] [refuse=TEXT] [fail=TEXT] [delay=SECONDS] [max=N] [twice] [held] [together=N]
"""
import asyncio
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import weir  # noqa: E402

options = dict((word + "=").split("=")[:2] for word in sys.argv[2:])
delay = float(options.get("delay", "0"))
told = set()


def text(item):
    return item.data.decode() if isinstance(item.data, bytes) else str(item.data["n"])


def judge(item):
    if text(item) == options.get("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    if text(item) == options.get("refuse"):
        raise weir.Refuse("not this one")
    if text(item) == options.get("fail"):
        raise ValueError("what is this")
    if text(item) == options.get("deaf"):
        time.sleep(1000)


def hold(item):
    """Until the file `go` is there; every other one stops when it is told to, and the others do not hear."""
    print("holds", text(item))
    while not os.path.exists("go"):
        if int(text(item)) % 2 and item.cancelled:
            print("told to stop:", item.cause, text(item))
            raise weir.Cancelled
        time.sleep(0.01)


def stop_together(item):
    """Only when so many items were told to stop does any: until then each takes of its grace."""
    item.wait(1000)
    told.add(text(item))
    while len(told) < int(options["together"]):
        time.sleep(0.01)
    raise weir.Cancelled


def result(item):
    if isinstance(item.data, dict):
        return dict(item.data, seen=True)
    return item.data


def answer(item):
    judge(item)
    if text(item) == options.get("slow"):
        print("at work on", text(item), "with %.1f s left" % item.left(), "attempt", item.attempt)
        if item.wait(1000):
            print("told to stop:", item.cause)
            raise weir.Cancelled
    if "held" in options:
        hold(item)
    if "together" in options:
        stop_together(item)
    time.sleep(delay)
    if "twice" in options:
        return (part for part in (item.data, item.data))
    return result(item)


async def answer_async(item):
    judge(item)
    if text(item) == options.get("slow"):
        await asyncio.sleep(1000)
    await asyncio.sleep(delay)
    return result(item)


if "env" in options:
    print("env:", " ".join(sorted(name for name in os.environ if name.startswith(("WEIR_", "MY_", "SECRET")))))
weir.serve(answer_async if "async" in options else answer, max_items=int(options.get("max", "0")))
