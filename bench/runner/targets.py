# SPDX-License-Identifier: Apache-2.0
"""What weir wants to reach, as data, and the verdicts. Each target is a number made of figures of one and the same run."""

import statistics

MIB = 1024 * 1024
HOPS = 3
GRACE_MS = 1000  # of the pipeline in stops.py
RING_8192 = "bare ring, 8192 slots"
GO = "Go channel (one process)"
GO_FREE = "Go channel (one process, never pinned)"
FILTER = "weir, 2 workers in order"


class Target:
    """
    `figures` are (group, column, row, field); `value` makes one number of them, which must be at least, or at most, `wanted`. What is less
    than `least` can not be: two runs were not alike.
    """

    def __init__(self, title, what, figures, value, wanted, at_least=True, unit="", least=0):
        self.title, self.what, self.figures, self.value = title, what, figures, value
        self.wanted, self.at_least, self.unit, self.least = wanted, at_least, unit, least

    def met(self, number):
        return number >= self.least and (number >= self.wanted if self.at_least else number <= self.wanted)


def quotient(mine, other):
    return mine / other


def difference(mine, other):
    return mine - other


def itself(mine):
    return mine


def share_of_a_copy(with_hops, without, copied_gb_per_s):
    """What one more hop costs, as a share of the time in which one core copies the item: rates in items a second."""
    return (1 / with_hops - 1 / without) / HOPS / (MIB / (copied_gb_per_s * 1e9))


def faster(title, column, mine, other, wanted, group="one way", field="rate"):
    return Target(title, f"{mine} : {other}", ((group, column, mine, field), (group, column, other, field)), quotient, wanted)


def as_quick(column, other, wanted):
    return Target(f"round trip, {column}, p50", f"weir : {other}",
                  (("round trip", column, "weir", "p50"), ("round trip", column, other, "p50")), quotient, wanted, at_least=False)


def built(column, lane, other, wanted):
    return faster(f"one way, {column}", column, f"weir, {lane} lane, built in place", other, wanted)


def hop(column):
    return Target(f"1 MiB forwarded, {column}", "a further hop : copying it once",
                  (("1 MiB over hops", column, f"weir, {HOPS} hops, forwarded", "rate"), ("1 MiB over hops", column, "weir, no hop", "rate"),
                   ("hardware", "GB/s", "memcpy, 1 MiB from lane to lane", "value")), share_of_a_copy, 0.05, at_least=False,
                  least=-0.05)


def chain(group, column, other, wanted):
    return faster(f"{group}, {column}", column, "weir, 256 KiB lanes", other, wanted, group=group)


def program(name, other, wanted):
    return faster(f"exec: {name}", name, FILTER, other, wanted, group="programs")


def commit(batch):
    return faster(f"commit record, batch {batch}", f"batch {batch}", "weir, with the commit record", "weir, without, stores made directly",
                  0.97, group="commit")


def observe():
    return faster("latencies measured", "64 B", "weir, latencies on", "weir, latencies off", 0.97, group="observe")


def recorder(column):
    return faster(f"flight recorder, {column}", column, "weir, recorded", "weir, recorder: off", 0.98, group="recorder")


def stop(order, machine, seen_ms):
    """An order to 64 workers: seen in time, over in time, and obeyed."""
    title, column = f"{order} of 64 workers, {machine}", f"{order}, {machine}"
    return (Target(title, "p99 of: seen by a worker", (("stop of 64 workers", column, "seen by each worker, ms", "p99"),), itself, seen_ms,
                   at_least=False, unit=" ms"),
            Target(title, "p99 of: all exited", (("stop of 64 workers", column, "all exited, ms", "p99"),), itself, GRACE_MS + 200,
                   at_least=False, unit=" ms"),
            Target(title, "items begun after that", (("stop of 64 workers", column, "items begun after that", "value"),), itself, 0,
                   at_least=False))


def overrun(column):
    return Target("overrun", f"{column}: the last one off the machine", (("overrun", column, "off the machine, ms", "max"),), itself, 100,
                  at_least=False, unit=" ms", least=0)


TARGETS = (
    faster("one way, 64 B", "64 B", "weir, 256 KiB lane", RING_8192, 0.8),
    faster("one way, 64 B", "64 B", "weir, 256 KiB lane", "ZeroMQ ipc", 10),
    faster("one way, 64 B", "64 B", "weir, 256 KiB lane", GO, 5),
    faster("one way, 64 B", "64 B", "weir, 256 KiB lane", "pipe, 64 a write", 2),
    faster("one way, 64 B", "64 B", "weir, 64 KiB lane", "bare ring, 64 KiB", 0.8),
    built("1 KiB", "1 MiB", "bare ring, 1 MiB", 0.85),
    built("1 KiB", "1 MiB", "ZeroMQ ipc", 14),
    built("64 KiB", "4 MiB", "bare ring, 4 MiB", 0.95),
    built("64 KiB", "4 MiB", "ZeroMQ ipc", 18),
    built("1 MiB", "4 MiB", "bare ring, 4 MiB", 0.9),
    built("1 MiB", "4 MiB", "ZeroMQ ipc", 7),
    built("1 MiB", "4 MiB", "seqpacket", 1.3),
    hop("two processors"),
    hop("one processor"),
    as_quick("spinning", "bare ring", 1.2),
    as_quick("adaptive", "bare ring, 2000 spins, then eventfd", 1.25),
    as_quick("asleep", "bare ring, eventfd", 1.1),
    as_quick("asleep", "bare ring, futex", 1.1),
    as_quick("asleep, one processor", "bare ring, eventfd", 1.25),
    as_quick("asleep, one processor", "bare ring, futex", 1.25),
    chain("1 -> 2 -> 1", "pinned", "bare rings, 256 KiB", 0.8),
    chain("1 -> 2 -> 1", "pinned", GO_FREE, 8),
    chain("1 -> 2 -> 1", "pinned", "ZeroMQ ipc", 10),
    chain("4 -> 1", "pinned", "bare rings, 256 KiB", 0.9),
    chain("4 -> 1", "unpinned", "bare rings, 256 KiB", 0.9),
    chain("4 -> 1", "pinned", GO_FREE, 7),
    commit(16),
    commit(64),
    observe(),
    recorder("64 B, one way"),
    recorder("64 B, 1 -> 2 -> 1"),
    Target("receive, scope and budget", "what watching them adds", (("receive", "ns", "weir_recv, scope and budget", "value"),
           ("receive", "ns", "weir_recv", "value")), difference, 5, at_least=False, unit=" ns", least=-5),
    program("grep", "parallel --pipe -k", 1.3),
    program("grep", "parallel --pipepart -k", 1.0),
    program("awk", "parallel --pipe -k", 1.3),
    program("awk", "parallel --pipepart -k", 1.0),
    Target("idle, 8 workers", "0.00 % of a processor", (("idle", "% of one processor", "weir, 8 workers", "value"),), itself, 0.005,
           at_least=False, unit=" %"),
    *stop("drain", "idle", 10),
    *stop("cancel", "idle", 10),
    *stop("drain", "saturated", 50),
    *stop("cancel", "saturated", 50),
    Target("scrape of 64 x 64", "ms", (("scrape", "ms", "64 stages of 64 workers", "value"),), itself, 100, at_least=False),
    Target("frame mode, 64 calls of 20 ms in one worker", "items a second, in threads",
           (("frame mode", "64 calls of 20 ms", "weir.py, threads", "value"),), itself, 2500, unit="/s"),
    overrun("in for(;;);"),
    overrun("asleep in a system call, signals blocked"),
    overrun("a program that hears only SIGKILL"),
)


class Verdict:
    """One target beside a record: the number of the medians, and the same number of each run, for its spread."""

    def __init__(self, target, number, numbers):
        self.target, self.number, self.numbers = target, number, numbers

    @property
    def measured(self):
        return self.number is not None

    @property
    def met(self):
        return self.measured and self.target.met(self.number)


def judge(target, results):
    places = {(result["group"], result["column"], result["row"]): result for result in results}
    spreads = [places.get(figure[:3], {}).get(figure[3]) for figure in target.figures]
    if not all(spreads):
        return Verdict(target, None, [])
    return Verdict(target, target.value(*(spread["median"] for spread in spreads)),
                   [target.value(*numbers) for numbers in zip(*(spread["values"] for spread in spreads))])


def cases_in_doubt(cases):
    """Those of the targets that some runs meet and others do not, whichever the medians say: more runs decide, for better or worse."""
    results = [case.result() for case in cases]
    verdicts = [verdict for verdict in judge_all(results) if verdict.measured and noise(verdict)]
    wanted = {figure[:3] for verdict in verdicts for figure in verdict.target.figures}
    return [case for case in cases if (case.group, case.column, case.row) in wanted]


def judge_all(results):
    return [judge(target, results) for target in TARGETS]


def tally(verdicts):
    """(met, not met, not measured)"""
    met, measured = sum(verdict.met for verdict in verdicts), sum(verdict.measured for verdict in verdicts)
    return met, measured - met, len(verdicts) - measured


def noise(verdict):
    """Share of the runs on the other side of the target than the median: 0 is clear, 0.5 a toss."""
    return statistics.fmean(verdict.target.met(number) != verdict.met for number in verdict.numbers)
