# SPDX-License-Identifier: Apache-2.0
"""One figure of the table, and what all of them need: programs, a folder, pipelines."""

import json
import os
import signal
import statistics
import subprocess
import time

TIMEOUT_S = 300


class Failed(Exception):
    """A case that did not end well; its text says why."""


def last_words(text):
    return " | ".join(text.strip().splitlines()[-3:]) or "nothing"


class Case:
    """One cell: `measure` gives a dictionary of numbers, once a run."""

    def __init__(self, group, column, row, measure):
        self.group, self.column, self.row, self.measure = group, column, row, measure
        self.samples, self.error = [], None

    @property
    def name(self):
        return f"{self.group}/{self.column}/{self.row}"

    def take(self, distance=None):
        """distance: of the processors, which must be the same for all (distance.py)."""
        if self.error:
            return
        try:
            self.samples.append(distance.measure(self.measure) if distance and distance.matters(self) else self.measure())
        except Failed as error:
            self.error = str(error)

    def result(self):
        result = {"group": self.group, "column": self.column, "row": self.row}
        if self.error:
            result["error"] = self.error
        for key in self.samples[0] if self.samples else []:
            values = [sample[key] for sample in self.samples]
            result[key] = {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}
        return result


class Bench:
    def __init__(self, build, folder, quick, stops=0):
        self.build, self.folder, self.quick = build, folder, quick
        self.stops = stops or (2 if quick else 10)
        self.skipped, self.cases = [], []
        self.of_this_run = {}
        self.run_dir = folder / "run"
        self.run_dir.mkdir(mode=0o700)

    def has(self, program):
        return (self.build / "bench" / program).exists()

    def add(self, group, column, row, measure):
        self.cases.append(Case(group, column, row, measure))

    def skip(self, what, why):
        self.skipped.append(f"{what} SKIPPED: {why}")

    def count(self, full, part=10):
        return max(400, full // part) if self.quick else full

    def once(self, key, measure):
        """For cases that come out of one measurement: it is made once a run."""
        if key not in self.of_this_run:
            try:
                self.of_this_run[key] = measure()
            except Failed as error:
                self.of_this_run[key] = error
        if isinstance(self.of_this_run[key], Failed):
            raise self.of_this_run[key]
        return self.of_this_run[key]

    def measure_all(self, cases, runs, tell, what="run", distance=None):
        """All cases once, then all again, every second time backwards: a machine that drifts does so under all of them."""
        for run in range(runs):
            self.of_this_run = {}
            for number, case in enumerate(cases if run % 2 == 0 else list(reversed(cases))):
                tell(f"{what} {run + 1}/{runs}, {number + 1}/{len(cases)}: {case.name}")
                case.take(distance)
        tell("")

    # ---- programs ----

    def call(self, command, **more):
        with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, start_new_session=True, **more) as process:
            try:
                output, errors = process.communicate(timeout=TIMEOUT_S)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Failed(f"not done after {TIMEOUT_S} s") from error
                raise
        if process.returncode != 0:
            raise Failed(f"exit {process.returncode}: {last_words(errors)}")
        return output

    def transport(self, program, **options):
        words = [self.build / "bench" / program]
        for name, value in options.items():
            words += [f"--{name.replace('_', '-')}"] if value is True else [f"--{name}", value]
        if program not in ("go", "hardware", "distance", "scrape"):
            words += ["--folder", self.folder]
        return json.loads(self.call(words))

    # ---- pipelines ----

    def plugin(self, name):
        return str(self.build / "bench" / f"{name}.so")

    def weir_command(self, stages, **top):
        spec = self.folder / "spec.yaml"
        lines = ["pipeline: bench"] + [f"{key}: {json.dumps(value)}" for key, value in top.items()]
        spec.write_text("\n".join(lines) + "\nstages:\n" + "".join(f"  - {json.dumps(stage)}\n" for stage in stages))
        return [str(self.build / "bin/weir"), "run", "--quiet", str(spec)]

    def weir_environment(self, worker=None):
        environment = {**os.environ, "WEIR_RUN_DIR": str(self.run_dir)}
        if worker:
            environment["WEIR_WORKER"] = str(self.build / "bench" / worker)
        return environment

    def weir(self, stages, worker=None, one_processor=False, **top):
        """Runs a pipeline to its end; returns the seconds that it took. `worker`: another weir-worker of the build; `top`: keys of the spec."""
        command = (["taskset", "-c", "0"] if one_processor else []) + self.weir_command(stages, **top)
        begun = time.monotonic()
        self.call(command, cwd=self.folder, env=self.weir_environment(worker))
        return time.monotonic() - begun

    def weir_result(self, stages, worker=None, one_processor=False, **top):
        """The same; one of the stages writes its figures into the file result.json."""
        result = self.folder / "result.json"
        result.unlink(missing_ok=True)
        self.weir(stages, worker, one_processor, **top)
        return json.loads(result.read_text())

    def weir_while(self, stages, look):
        """Starts a pipeline that does not end by itself, calls look(process), and ends it. What it says at its end is not judged."""
        (self.folder / "result.json").unlink(missing_ok=True)
        with (self.folder / "errors").open("w+") as errors, \
                subprocess.Popen(self.weir_command(stages, drain="2s", grace="200ms"), cwd=self.folder, stdin=subprocess.DEVNULL,
                                 stdout=errors, stderr=errors, env=self.weir_environment(), start_new_session=True) as process:
            try:
                return look(process)
            except Failed as error:
                errors.seek(0)
                raise Failed(f"{error}; weir said: {last_words(errors.read())}") from error
            finally:
                self.end(process)

    @staticmethod
    def end(process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until(look, process, what, seconds=20):
    """Until look() gives something; it is returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        if process.poll() is not None:
            raise Failed(f"weir ended with {process.returncode} before {what}")
        time.sleep(0.005)
    raise Failed(f"not {what} after {seconds} s")
