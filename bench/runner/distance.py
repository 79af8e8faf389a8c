# SPDX-License-Identifier: Apache-2.0
"""
How far the two processors are from each other, and whether they have stayed there.

A virtual processor is a thread of its host, which moves it as it likes: beside the other one, or to where each cache line takes many
times as long. Two figures are comparable only if they were measured at the same distance. So it is measured before and after each
measurement; where it is not the usual one, the measurement is made again.
"""

from runner.case import Failed

ALIKE = 1.5  # distances that differ by less are the same
LOOKS = 15  # that decide which one is usual
TRIES = 6  # of one measurement
COUNT = 20000  # round trips of a line, five times: 10 to 50 ms
# One processor alone, mostly waiting, or compared within one measurement: what lies between the processors does not count.
INDIFFERENT = ("hardware", "receive", "idle", "recovery", "stop of 64 workers", "overrun", "programs", "scrape")


def alike(one, other):
    return max(one, other) <= ALIKE * min(one, other)


def usual(distances):
    """The one that most are alike; of several the shortest."""
    return max(sorted(distances), key=lambda distance: sum(alike(distance, other) for other in distances))


class Distance:
    def __init__(self, look):
        """`look` measures it, in ns."""
        self.look, self.seen = look, [look() for _ in range(LOOKS)]
        self.usual_ns = usual(self.seen)
        self.again = self.elsewhere = 0

    def matters(self, case):
        return case.group not in INDIFFERENT and "one processor" not in case.column

    def is_usual(self):
        self.seen.append(self.look())
        return alike(self.seen[-1], self.usual_ns)

    def measure(self, measure):
        """measure() at the usual distance, if that can be had in a few tries; else the last one counts, and is told."""
        for left in reversed(range(TRIES)):
            before = self.is_usual()
            sample = measure()
            if before and self.is_usual():
                return sample
            self.again += left > 0
        self.elsewhere += 1
        return sample

    def result(self):
        return {"usual_ns": self.usual_ns, "min_ns": min(self.seen), "max_ns": max(self.seen), "again": self.again,
                "elsewhere": self.elsewhere}


def of_processors(bench):
    """None if it can't be measured."""
    def look():
        return bench.transport("distance", count=COUNT)["line_round_trip_ns"]

    try:
        return Distance(look)
    except Failed:
        return None
