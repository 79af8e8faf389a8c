# SPDX-License-Identifier: Apache-2.0
"""A Python program in frame mode that asks somebody slow: 64 calls of 20 ms at a time, in one worker. At most that is 3200 a second."""

import os
import pathlib

from runner.case import Failed

IN_FLIGHT = 64
CALL_S = 0.02
PYTHON = pathlib.Path(__file__).resolve().parents[2] / "python"
PROGRAM = """
import asyncio
import sys
import time

sys.dont_write_bytecode = True
import weir


def call(item):
    time.sleep({seconds})
    return item.data


async def call_async(item):
    await asyncio.sleep({seconds})
    return item.data


weir.serve({handler})
"""


def rate(bench, handler, count):
    """Items a second over the whole run, Python's start included; each must arrive once."""
    program, out = bench.folder / "frames.py", bench.folder / "out"
    program.write_text(PROGRAM.format(seconds=CALL_S, handler=handler))
    out.unlink(missing_ok=True)
    seconds = bench.weir([{"name": "numbers", "source": "generate", "count": count, "text": "{n}"},
                          {"name": "call", "exec": ["python3", str(program)], "mode": "frame", "in_flight": IN_FLIGHT,
                           "env": [f"PYTHONPATH={os.fspath(PYTHON)}"]},
                          {"name": "out", "sink": "file", "path": str(out)}])
    if sorted(int(line) for line in out.read_text().split()) != list(range(1, count + 1)):
        raise Failed("what was delivered is not each item once")
    return {"value": count / seconds}


def add_frames(bench):
    count = 2000 if bench.quick else 20000
    for row, handler in (("weir.py, threads", "call"), ("weir.py, asyncio", "call_async")):
        bench.add("frame mode", "64 calls of 20 ms", row, lambda handler=handler: rate(bench, handler, count))
