# SPDX-License-Identifier: Apache-2.0
"""
An item that its stage never ends: how long after its deadline and the stage's grace is the process off the machine? Of ten numbers one is
never done, and one not at the first attempt. Each process that gets stuck says which item it was given, and when (bench/overrun.h); from then on
its end is waited for through a pidfd. And is everything as the spec says: what was never done a dead letter, all others delivered once, the
pipeline running meanwhile?
"""

import json
import os
import select
import subprocess
import time

from runner.case import Failed, last_words
from runner.stops import HANG_S, clean, percentile

DEADLINE_MS, GRACE_MS, ATTEMPTS = 100, 100, 2
EACH, FOR_EVER = 5, 10  # as in bench/overrun.h
LOOK_S = 0.001
COLUMNS = {"in for(;;);": "spin", "asleep in a system call, signals blocked": "sleep", "a program that hears only SIGKILL": "exec"}


def mill(bench, how, folder):
    common = {"name": "mill", "deadline": f"{DEADLINE_MS}ms", "grace": f"{GRACE_MS}ms",
              "dead_letter": {"attempts": ATTEMPTS, "path": str(folder / "letters")}}
    if how == "exec":
        return {**common, "exec": [str(bench.build / "bench/overrun-program"), str(folder)], "mode": "line"}
    return {**common, "plugin": bench.plugin("overrun"), "how": how, "folder": str(folder)}


class Overruns:
    """One pipeline, with some items on which its stage gets stuck."""

    def __init__(self, bench, how, items):
        self.bench, self.how, self.items = bench, how, items
        self.folder = bench.folder / "overrun"
        self.folder.mkdir()
        self.log = self.folder / "log"
        self.late_ms, self.phases = [], set()

    def stages(self):
        return [{"name": "numbers", "source": "generate", "count": self.items, "text": "{n}"}, mill(self.bench, self.how, self.folder),
                {"name": "out", "sink": "file", "path": str(self.folder / "out")}]

    def stuck(self):
        """(pid, when it was given the item) of a process that has got stuck, once for each."""
        for note in self.folder.glob("[0-9]*"):
            given_ns = int(note.read_text().split()[1])
            note.unlink()
            return int(note.name), given_ns
        return None

    def phase(self):
        done = subprocess.run([str(self.bench.build / "bin/weir"), "ps", "bench", "--json"], capture_output=True, text=True,
                              env=self.bench.weir_environment(), check=False)
        return json.loads(done.stdout)["phase"] if done.returncode == 0 else f"exit {done.returncode}"

    def wait_for_its_end(self, pid, given_ns):
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError as error:
            raise Failed("a stuck process was gone before its deadline, or before anybody looked") from error
        try:
            self.phases.add(self.phase())
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if not poll.poll(HANG_S * 1000):
                raise Failed(f"HANG: a process is there {HANG_S} s after it got stuck")
            self.late_ms.append((time.monotonic_ns() - given_ns) / 1e6 - DEADLINE_MS - GRACE_MS)
        finally:
            os.close(fd)

    def run(self):
        command = self.bench.weir_command(self.stages())
        end = time.monotonic() + HANG_S + self.items
        with self.log.open("w") as log, subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                         env=self.bench.weir_environment(), start_new_session=True) as process:
            try:
                while process.poll() is None:
                    stuck = self.stuck()
                    if stuck:
                        self.wait_for_its_end(*stuck)
                    elif time.monotonic() > end:
                        raise Failed("HANG: the pipeline does not end")
                    else:
                        time.sleep(LOOK_S)
            finally:
                if process.poll() is None:
                    self.bench.end(process)
        self.check(process.returncode)
        return self.late_ms

    def check(self, code):
        numbers = range(1, self.items + 1)
        never = [number for number in numbers if number % FOR_EVER == 0]
        twice = [number for number in numbers if number % EACH == 0 and number % FOR_EVER]
        delivered = sorted(int(line) for line in (self.folder / "out").read_text().split())
        letters = [json.loads(line) for line in (self.folder / "letters").read_text().splitlines()]
        if code != 3:
            raise Failed(f"exit {code} instead of 3: {last_words(self.log.read_text())}")
        if delivered != [number for number in numbers if number % FOR_EVER]:
            raise Failed("what was delivered is not each other item once")
        if sorted((int(letter["payload"]), letter["cause"], letter["attempts"]) for letter in letters) != \
                [(number, "deadline", ATTEMPTS) for number in never]:
            raise Failed("the dead letters are not the items that were never done")
        if len(self.late_ms) != ATTEMPTS * len(never) + len(twice):
            raise Failed(f"{len(self.late_ms)} processes got stuck instead of {ATTEMPTS * len(never) + len(twice)}")
        if self.phases != {"running"}:
            raise Failed(f"the pipeline was not running all the while: {', '.join(sorted(self.phases))}")


def measure(bench, how):
    overruns = Overruns(bench, how, 20 if bench.quick else 100)
    try:
        late_ms = overruns.run()
    finally:
        clean(overruns.folder)
    return {"p50": percentile(late_ms, 0.5), "p99": percentile(late_ms, 0.99), "max": max(late_ms)}


def add_overruns(bench):
    if not bench.has("overrun.so"):
        bench.skip("overruns", "its plugin is not built")
        return
    for column, how in COLUMNS.items():
        bench.add("overrun", column, "off the machine, ms", lambda how=how: measure(bench, how))
