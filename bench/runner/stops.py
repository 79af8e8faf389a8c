# SPDX-License-Identifier: Apache-2.0
"""
A pipeline of 64 workers is told to drain, or to cancel: how long until each has seen it, until all have exited, and did anything begin after
that? Each repetition is a fresh pipeline. The supervisor says what it measured in its debug lines; the stages (plugins/stop.c) say when they
began their last item.

    quiet --> idle x20                        21 idle: no item ever comes
    flood --> busy x21                        21 busy: items of about a millisecond, 20 us of it on the processor
    press --> blocked x19 --> gate            21 blocked on full lanes: these, press and flood; gate is shut until an end is ordered
"""

import json
import math
import os
import pathlib
import re
import subprocess
import tempfile
import time

from runner.case import Failed, last_words, wait_until

WORKERS = 64
GRACE_MS, DRAIN_MS = 1000, 10000
HOGS = 2 * (os.cpu_count() or 1)
HANG_S = 60  # beyond all deadlines: then it is one
SEEN = re.compile(r"has seen the order to (\w+) .*\((\d+) ns, at (\d+)\)")
EXITED = re.compile(r"has exited (\d+) ns after the order to (\w+)")
ORDERS = ("drain", "cancel")


def percentile(values, share):
    """The least of the values that so many of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def stages(bench, folder):
    note = {"folder": str(folder), "lane": "64KiB"}
    return [{"name": "quiet", "source": "exec", "command": ["sleep", "1000"]},
            {"name": "flood", "plugin": bench.plugin("stop-source"), "folder": str(folder)},
            {"name": "press", "plugin": bench.plugin("stop-source"), "folder": str(folder)},
            {"name": "idle", "plugin": bench.plugin("stop-sink"), "from": "quiet", "workers": 20, **note},
            {"name": "busy", "plugin": bench.plugin("stop-sink"), "from": "flood", "workers": 21, "work": "20us", "pause": "1ms", **note},
            {"name": "blocked", "plugin": bench.plugin("stop-operator"), "from": "press", "workers": 19, **note},
            {"name": "gate", "plugin": bench.plugin("stop-sink"), "from": "blocked", "shut": True, **note}]


class Stop:
    """One repetition."""

    def __init__(self, bench, order, number):
        self.bench, self.order = bench, order
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"stop-{number}-", dir=bench.folder))
        self.log = self.folder / "log"
        self.weir = str(bench.build / "bin/weir")

    def states(self):
        done = subprocess.run([self.weir, "ps", "bench", "--json"], capture_output=True, text=True, env=self.bench.weir_environment(),
                              check=False)
        view = json.loads(done.stdout) if done.returncode == 0 else {"phase": "", "stages": []}
        if view["phase"] != "running":
            return {}
        return {stage["name"]: [worker["state"] for worker in stage["workers"]] for stage in view["stages"]}

    def settled(self):
        """Idle ones asleep for want of input, blocked ones for want of room; busy ones have begun."""
        states = self.states()
        return states and set(states["idle"]) == {"wait-in"} and set(states["blocked"]) == {"wait-out"} \
            and set(states["press"]) == {"wait-out"} and len(list(self.folder.glob("[0-9]*"))) == WORKERS - 1

    def run(self):
        command = self.bench.weir_command(stages(self.bench, self.folder), grace=f"{GRACE_MS}ms", drain=f"{DRAIN_MS}ms")
        command[2:3] = ["--verbose", "--json", "--progress=never"]
        with self.log.open("w") as log, subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                         env=self.bench.weir_environment(), start_new_session=True) as process:
            try:
                wait_until(self.settled, process, "all were idle, busy or blocked", seconds=HANG_S)
                self.bench.call([self.weir, self.order, "bench", "--no-wait"], env=self.bench.weir_environment())
                process.wait(timeout=HANG_S)
            except subprocess.TimeoutExpired as error:
                raise Failed(f"HANG: not ended {HANG_S} s after the order to {self.order}: {last_words(self.log.read_text())}") from error
            except Failed as error:
                raise Failed(f"{error}; weir said last: {last_words(self.log.read_text())}") from error
            finally:
                if process.poll() is None:
                    self.bench.end(process)
        return self.figures(process.returncode)

    def figures(self, code):
        text = self.log.read_text()
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        lines = [line for line in lines if line.get("type") == "log"]
        seen, exited, late = [], [], 0
        for line in lines:
            match = SEEN.search(line["message"])
            if match and match[1] == self.order:
                seen.append(int(match[2]) / 1e6)
                late += self.began_after(line, int(match[3]))
            match = EXITED.search(line["message"])
            if match:
                exited.append(int(match[1]) / 1e6)
        if len(seen) != WORKERS or len(exited) != WORKERS:
            raise Failed(f"{len(seen)} workers said that they saw the order to {self.order}, {len(exited)} exited, of {WORKERS}; "
                         f"exit {code}: {last_words(text)}")
        if code != (0 if self.order == "drain" else 3):
            raise Failed(f"exit {code} after the order to {self.order}: {last_words(text)}")
        return seen, max(exited), late

    def began_after(self, line, seen_ns):
        """A source may take nothing in after either order; nobody may begin anything after a cancel."""
        note = self.folder / str(line["pid"])
        if not note.exists() or (self.order == "drain" and line["stage"] not in ("flood", "press")):
            return 0
        return int.from_bytes(note.read_bytes(), "little") > seen_ns


def clean(folder):
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def with_hogs(hogs, what):
    """The machine is saturated: more loops that never sleep than it has processors."""
    processes = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(hogs)]
    try:
        if hogs:
            time.sleep(0.2)
        return what()
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(bench, order, saturated):
    seen, exited, late = [], [], 0

    def all_of_them():
        nonlocal late
        for number in range(bench.stops):
            stop = Stop(bench, order, number)
            one_seen, one_exited, one_late = stop.run()
            clean(stop.folder)
            seen.extend(one_seen)
            exited.append(one_exited)
            late += one_late

    with_hogs(HOGS if saturated else 0, all_of_them)
    return {"seen": {"p50": percentile(seen, 0.5), "p99": percentile(seen, 0.99), "max": max(seen)},
            "exited": {"p50": percentile(exited, 0.5), "p99": percentile(exited, 0.99), "max": max(exited)},
            "late": {"value": late}}


def add_stops(bench):
    if not bench.has("stop-sink.so"):
        bench.skip("stop of 64 workers", "its plugins are not built")
        return
    for saturated in (False, True):
        for order in ORDERS:
            column = f"{order}, {'saturated' if saturated else 'idle'}"
            for row, key in (("seen by each worker, ms", "seen"), ("all exited, ms", "exited"), ("items begun after that", "late")):
                bench.add("stop of 64 workers", column, row, lambda order=order, saturated=saturated, column=column, key=key:
                          bench.once(f"stop {column}", lambda: measure(bench, order, saturated))[key])
