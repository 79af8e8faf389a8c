# SPDX-License-Identifier: Apache-2.0
"""weir through its real runtime: plugins of this folder under `weir run`. Each function is one measurement."""

import json
import os
import pathlib
import signal
import statistics
import time

from runner.case import Failed, wait_until

RECOVERIES = 5  # kills, each of a fresh pipeline, whose median is one figure
IDLE_WORKERS = 8
SETTLE_S = 1.5  # until an idle pipeline has nothing left to do from its start


def on(pinned, *cpus):
    return {"cpu": [str(cpu) for cpu in cpus]} if pinned else {}


def flow(bench, shape, size, count, lane, pinned=True, in_place=False, batch=64, worker=None, **top):
    """source -> sink, source -> 2 workers -> sink, or 4 sources -> sink."""
    n_sources = 4 if shape == "many" else 1
    stages = [{"name": f"source{i}", "plugin": bench.plugin("source"), "count": count // n_sources, "size": size,
               "items_a_turn": batch, "in_place": in_place, **on(pinned, 0)} for i in range(n_sources)]
    if shape == "fan":
        stages.append({"name": "pass", "plugin": bench.plugin("pass"), "workers": 2, "lane": lane, "batch": batch, **on(pinned, 0, 1)})
    stages.append({"name": "sink", "plugin": bench.plugin("sink"), "count": count, "size": size, "producers": n_sources,
                   "in_turn": shape == "one-way", "file": "result.json", "lane": lane, "batch": batch, **on(pinned, 1)})
    if n_sources > 1:
        stages[-1]["from"] = [f"source{i}" for i in range(n_sources)]
    return bench.weir_result(stages, worker, **top)


def hops(bench, size, count, lane, hop, n_hops, one_processor):
    """source -> n hops -> sink: what a hop costs that copies (pass), or that hands on a reference (forward)."""
    cpus = [0] * (n_hops + 2) if one_processor else [0] * ((n_hops + 2) // 2) + [1] * ((n_hops + 3) // 2)
    stages = [{"name": "source", "plugin": bench.plugin("source"), "count": count, "size": size, "in_place": True, **on(True, cpus[0])}]
    stages += [{"name": f"hop{i}", "plugin": bench.plugin(hop), "lane": lane, **on(True, cpus[1 + i])} for i in range(n_hops)]
    stages.append({"name": "sink", "plugin": bench.plugin("sink"), "count": count, "size": size, "file": "result.json",
                   "lane": lane, **on(True, cpus[-1])})
    return bench.weir_result(stages)


def round_trip(bench, count, think_ns=0, one_processor=False):
    """
    source -> ping <-> echo. The source ends with its one item; the loop ends by itself. On one processor the pipeline as a whole is
    confined to it: who waits knows then that the other side needs it.
    """
    there, back = (0, 0) if one_processor else (0, 1)
    return bench.weir_result([
        {"name": "source", "plugin": bench.plugin("source"), "count": 1, **on(True, back)},
        {"name": "ping", "plugin": bench.plugin("ping"), "from": ["source", {"stage": "echo", "credit": 64}], "count": count,
         "think": f"{think_ns}ns", "file": "result.json", **on(True, there)},
        {"name": "echo", "plugin": bench.plugin("pass"), "from": "ping", **on(True, back)}], one_processor=one_processor)


def receive(bench, count):
    return bench.weir_result([
        {"name": "source", "plugin": bench.plugin("source"), "count": count, **on(True, 0)},
        {"name": "sink", "plugin": bench.plugin("receive"), "count": count, "file": "result.json", **on(True, 1)}])


# ---- what a process tree does when left alone, and when one of it is killed ----

def children(pid):
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in path.read_text().split()]
    return found


def cpu_ns(pid):
    """Processor time of all threads, in ns."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def is_worker(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "weir-worker"


def idle(bench, window_s):
    """Percent of one processor that 8 workers and the supervisor take while no item comes."""
    def workers(process):
        return [pid for pid in children(process.pid) if is_worker(pid)]

    def look(process):
        wait_until(lambda: len(workers(process)) == IDLE_WORKERS, process, "all workers were there")
        time.sleep(SETTLE_S)
        pids = workers(process)
        before, begun = [cpu_ns(pid) for pid in pids + [process.pid]], time.monotonic_ns()
        time.sleep(window_s)
        after, elapsed_ns = [cpu_ns(pid) for pid in pids + [process.pid]], time.monotonic_ns() - begun
        if process.poll() is not None or workers(process) != pids:
            raise Failed("a worker has ended meanwhile")
        used = [100 * (late - early) / elapsed_ns for early, late in zip(before, after)]
        return {"workers": sum(used[:-1]), "supervisor": used[-1]}

    return bench.weir_while([{"name": "source", "source": "exec", "command": ["sleep", "1000"]},
                             {"name": "pass", "plugin": bench.plugin("pass"), "workers": IDLE_WORKERS - 2},
                             {"name": "sink", "sink": "discard"}], look)


def recovery_once(bench, backoff):
    """Milliseconds from SIGKILL to the next generation's first item."""
    result = bench.folder / "result.json"

    def lives(generation):
        if not result.exists():
            return None
        told = json.loads(result.read_text())
        return told if told["generation"] >= generation else None

    def look(process):
        first = wait_until(lambda: lives(0), process, "an item had come")
        killed_ns = time.monotonic_ns()
        os.kill(first["pid"], signal.SIGKILL)
        second = wait_until(lambda: lives(1), process, "the next generation had an item")
        return (second["now_ns"] - killed_ns) / 1e6

    return bench.weir_while([{"name": "source", "source": "generate", "size": 64},
                             {"name": "sink", "plugin": bench.plugin("revive"), "file": "result.json",
                              "restart": {"backoff": backoff}}], look)


def recovery(bench, backoff):
    return {"value": statistics.median(recovery_once(bench, backoff) for _ in range(2 if bench.quick else RECOVERIES))}
