# SPDX-License-Identifier: Apache-2.0
"""The pipeline that is hurt, whoever starts it again, whoever feeds it, and what came out of it.

  feeder --> in --> read --> program --> hurt --> once --> lines (file)        supervisor <-- started again whenever it is killed,
                             exec       plugin    state --> rows (sqlite)                    as Restart=on-failure would (Manager)
"""
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time

LINE_BYTES = 10  # of each item, with its newline
AHEAD = 2000  # items that are fed and have not arrived: who is slow is given less
BURST = 20
PAUSE_S = 0.01
REPEATED = 10  # each so many-th comes once more ...
LATER = 500  # ... so many items later; the keyed state knows it
NO_RESTART = (0, 1, 2, 3, 4, 5)  # as in systemd/weir@.service
AT_WORK = ("ready", "busy", "wait-in", "wait-out", "wait-ext")

SPEC = """\
pipeline: sweep
drain: 120s
restart: {{type: permanent, intensity: 100000, period: 10s, backoff: 5ms, backoff_max: 100ms}}
stages:
  - {{name: read, source: file, path: {folder}/in, follow: true}}
  - {{name: program, exec: [cat], mode: line, order: fifo, workers: {{min: 1, max: 4, start: 2, target_age: 0}}, {time}}}
  - {{name: hurt, plugin: {plugin}, file: {folder}/harm, order: fifo, workers: 2, {time}, version: {version}, does: {does}{more}}}
  - {{name: once, operator: dedupe, key: 'field(1)', last: 100000, dead_letter: {{attempts: 100}}}}
  - {{name: lines, from: once, sink: file, path: {disk}/out, on_full: wait, dead_letter: {{attempts: 100}}}}
  - {{name: rows, from: once, sink: sqlite, path: {disk}/rows.db, table: t, columns: {{n: .}}, create: CREATE TABLE t (n TEXT), batch: 500,
     dead_letter: {{attempts: 100}}}}
"""
TIME = "deadline: 500ms, grace: 100ms, dead_letter: {attempts: 100}"


class Manager(threading.Thread):
    """Starts the pipeline, and starts it again when it was killed; ends when it ended by itself."""

    def __init__(self, folder, command):
        super().__init__(daemon=True)
        self.folder, self.command = folder, command
        self.process, self.code, self.starts, self.is_over = None, None, 0, False
        self.begun = threading.Event()

    def run(self):
        with open(self.folder + "/log", "ab") as log:
            while True:
                self.process = subprocess.Popen(self.command, stderr=log, stdout=subprocess.DEVNULL, cwd=self.folder)
                self.starts += 1
                self.begun.set()
                self.code = self.process.wait()
                if self.is_over or self.code in NO_RESTART:
                    return
                time.sleep(0.02)


class Feeder(threading.Thread):
    """Appends to the file that is read, as fast as what is fed arrives."""

    def __init__(self, path, arrived):
        super().__init__(daemon=True)
        self.path, self.arrived = path, arrived
        self.fed, self.lines, self.is_over = 0, 0, False

    def run(self):
        with open(self.path, "ab", buffering=0) as file:
            while not self.is_over:
                if self.fed - self.arrived() < AHEAD:
                    numbers = []
                    for n in range(self.fed + 1, self.fed + BURST + 1):
                        numbers.append(n)
                        if n % REPEATED == 0 and n > LATER:
                            numbers.append(n - LATER)
                    file.write(b"".join(b"%09d\n" % n for n in numbers))
                    self.fed += BURST
                    self.lines += len(numbers)
                time.sleep(PAUSE_S)


class Pipeline:
    def __init__(self, folder, disk, plugin, weir="weir"):
        self.folder, self.disk, self.plugin, self.weir = folder, disk, plugin, weir
        self.version, self.seen = 0, []  # seen: workers, when it was last asked for them
        self.write_spec()
        open(folder + "/in", "w").close()
        self.manager = Manager(folder, [weir, "run", "--json", "--keep", folder + "/keep", folder + "/spec.yaml"])
        self.feeder = Feeder(folder + "/in", self.arrived)

    def write_spec(self, does="nothing", more="", broken=False):
        text = SPEC.format(folder=self.folder, disk=self.disk, plugin=self.plugin, time=TIME, version=self.version, does=does, more=more)
        with open(self.folder + "/spec.new", "w") as file:
            file.write(text.replace("does:", "dose:") if broken else text)
        os.rename(self.folder + "/spec.new", self.folder + "/spec.yaml")

    def start(self):
        self.manager.start()
        self.manager.begun.wait()
        self.feeder.start()

    # ---- what is asked of it

    def command(self, *arguments, timeout=60):
        """Exit code and standard output of `weir ARGUMENTS`; None: no answer in that time."""
        try:
            done = subprocess.run([self.weir, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout)
        except subprocess.TimeoutExpired:
            return None, b""
        return done.returncode, done.stdout

    def stages(self):
        """Of `weir ps`; None: nobody answers, or it does not run."""
        code, said = self.command("ps", "sweep", "--json", timeout=20)
        if code != 0:
            return None
        view = json.loads(said)
        view = view[0] if isinstance(view, list) else view
        self.seen = [w["pid"] for s in view["stages"] for w in s["workers"] if w["pid"]]
        return view["stages"] if view["phase"] == "running" else None

    def workers(self, *names):
        """Process ids of those that live, of these stages or of all."""
        return [w["pid"] for s in self.stages() or [] if not names or s["name"] in names for w in s["workers"] if w["pid"]]

    def supervisor(self):
        return self.manager.process.pid

    def programs(self):
        """Of the workers of `program`."""
        pids = []
        for worker in self.workers("program"):
            try:
                with open("/proc/%d/task/%d/children" % (worker, worker)) as file:
                    pids += [int(pid) for pid in file.read().split()]
            except OSError:
                pass  # it has just died
        return pids

    # ---- what came out

    def lines(self):
        try:
            return os.stat(self.disk + "/out").st_size // LINE_BYTES
        except OSError:
            return 0

    def rows(self):
        try:
            with sqlite3.connect("file:%s/rows.db?mode=ro" % self.disk, uri=True, timeout=0) as base:
                return base.execute("SELECT coalesce(max(rowid), 0) FROM t").fetchone()[0]
        except sqlite3.Error:
            return 0  # it is locked, or not there yet

    def arrived(self):
        """By the file alone: looking into the database holds others up."""
        return self.lines()

    def is_whole(self):
        """Everybody who is to work does."""
        stages = self.stages()
        return bool(stages) and all(sum(w["state"] in AT_WORK for w in s["workers"]) == s["wanted"] for s in stages)

    def is_healed(self, mark):
        return self.lines() >= mark and self.rows() >= mark and self.is_whole()

    # ---- the end

    def give_up(self):
        """It is ended as it stands."""
        self.feeder.is_over = self.manager.is_over = True
        self.manager.process.kill()
        for pid in self.seen:
            kill(pid)  # who was stopped does not hear that its supervisor is gone
        return []

    def end(self):
        """Drains it. Returns what is wrong, in words."""
        self.feeder.is_over = True
        self.feeder.join()
        self.command("drain", "sweep", timeout=200)
        self.manager.join(200)
        if self.manager.is_alive():
            return ["it does not end"]
        return self.check() if self.summary() else ["it has ended without a word"]

    def summary(self):
        with open(self.folder + "/log", errors="replace") as log:
            lines = [line for line in log if '"type":"summary"' in line]
        return json.loads(lines[-1]) if lines else None

    def check(self):
        wrong, summary, n = [], self.summary(), self.feeder.fed
        ledger = summary["view"]["ledger"]
        repeats = self.feeder.lines - n
        if self.manager.code != 0:
            wrong.append("exit code %s" % self.manager.code)
        for name, expected in dict(accepted=n + repeats, delivered=2 * n, filtered=repeats, dead_lettered=0, rejected=0).items():
            if ledger[name] != expected:
                wrong.append("%s %s instead of %d" % (name, ledger[name], expected))
        if not summary.get("balanced"):
            wrong.append("the ledger does not balance")
        with open(self.disk + "/out", "rb") as file:
            if file.read() != b"".join(b"%09d\n" % i for i in range(1, n + 1)):
                wrong.append("the file does not have each item once and in order")
        with sqlite3.connect(self.disk + "/rows.db") as base:
            if [int(row[0]) for row in base.execute("SELECT n FROM t ORDER BY rowid")] != list(range(1, n + 1)):
                wrong.append("the table does not have each item once and in order")
        return wrong


def kill(pid, number=signal.SIGKILL):
    """False: it has gone meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
