# SPDX-License-Identifier: Apache-2.0
"""Is the arithmetic of the table right? Figures whose ratios are known by hand, and the texts that must come of them."""

import pathlib
import statistics
import tempfile
import unittest

from runner import cases, table, targets
from runner.case import Bench, Case, Failed
from runner.distance import Distance, LOOKS, TRIES, usual


def spread(*values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": list(values)}


def record_of(*results):
    return {"commit": "abc", "changed": False, "date": "today", "quick": False, "runs": 3, "only": "", "versions": {"weir": "1"},
            "machine": {"processors": 2, "processor": "P", "system": "S", "load_before": 0, "load_after": 0, "stolen_percent": 0},
            "skipped": [], "results": list(results)}


def cell(group, column, row, **fields):
    return {"group": group, "column": column, "row": row, **fields}


class Distances(unittest.TestCase):
    def measured(self, distances):
        """What six measurements give, numbered from 1, where the processors are so far apart before and after each."""
        looks = iter([100.0] * LOOKS + distances)
        distance, made = Distance(lambda: next(looks)), []
        kept = distance.measure(lambda: made.append(None) or len(made))
        return kept, distance.again, distance.elsewhere

    def test_the_usual_one(self):
        self.assertEqual(usual([60, 490, 500, 70, 480]), 480)
        self.assertEqual(usual([60, 490]), 60)

    def test_one_that_stays(self):
        self.assertEqual(self.measured([110.0, 90.0]), (1, 0, 0))

    def test_one_that_moves_is_measured_again(self):
        self.assertEqual(self.measured([100.0, 490.0, 490.0, 100.0, 100.0]), (3, 2, 0))

    def test_one_that_never_comes_back_is_told(self):
        self.assertEqual(self.measured([490.0] * TRIES), (TRIES, TRIES - 1, 1))


class Targets(unittest.TestCase):
    def verdict(self, title, what, *results):
        found = [target for target in targets.TARGETS if target.title == title and what in target.what]
        self.assertEqual(len(found), 1)
        return targets.judge(found[0], results)

    def test_at_least(self):
        ring = cell("one way", "64 B", "bare ring, 8192 slots", rate=spread(100, 110, 90))
        for rate, met in ((79, False), (80, True)):
            verdict = self.verdict("one way, 64 B", "8192", ring, cell("one way", "64 B", "weir, 256 KiB lane", rate=spread(rate, rate, rate)))
            self.assertAlmostEqual(verdict.number, rate / 100)
            self.assertEqual(verdict.met, met)

    def test_each_run_is_compared_with_itself(self):
        verdict = self.verdict("one way, 64 B", "8192", cell("one way", "64 B", "bare ring, 8192 slots", rate=spread(100, 50, 200)),
                               cell("one way", "64 B", "weir, 256 KiB lane", rate=spread(90, 45, 60)))
        self.assertEqual([round(number, 2) for number in verdict.numbers], [0.9, 0.9, 0.3])
        self.assertAlmostEqual(verdict.number, 0.6)
        self.assertEqual(table.verdict_words(verdict), "NOT met, but not in every run")

    def test_at_most(self):
        ring = cell("round trip", "spinning", "bare ring", p50=spread(400, 400, 400))
        for p50, met in ((480, True), (481, False)):
            self.assertEqual(self.verdict("round trip, spinning, p50", "bare ring", ring,
                                          cell("round trip", "spinning", "weir", p50=spread(p50, p50, p50))).met, met)

    def test_difference(self):
        verdict = self.verdict("receive, scope and budget", "", cell("receive", "ns", "weir_recv", value=spread(10, 12, 11)),
                               cell("receive", "ns", "weir_recv, scope and budget", value=spread(15, 17, 16)))
        self.assertEqual((verdict.number, verdict.met), (5, True))

    def test_what_can_not_be_is_not_met(self):
        verdict = self.verdict("receive, scope and budget", "", cell("receive", "ns", "weir_recv", value=spread(100)),
                               cell("receive", "ns", "weir_recv, scope and budget", value=spread(50)))
        self.assertFalse(verdict.met)
        self.assertIn("measure again", table.verdict_words(verdict))

    def test_share_of_a_copy(self):
        # 100 us an item without hops, 130 us over three: 10 us a hop; a copy at 10.48576 GB/s takes 100 us.
        verdict = self.verdict("1 MiB forwarded, one processor", "", cell("1 MiB over hops", "one processor", "weir, no hop", rate=spread(10000)),
                               cell("1 MiB over hops", "one processor", "weir, 3 hops, forwarded", rate=spread(1e6 / 130)),
                               cell("hardware", "GB/s", "memcpy, 1 MiB from lane to lane", value=spread(10.48576)))
        self.assertAlmostEqual(verdict.number, 0.1)
        self.assertFalse(verdict.met)

    def test_what_failed_is_not_met(self):
        verdict = self.verdict("one way, 64 B", "8192", cell("one way", "64 B", "bare ring, 8192 slots", error="died"),
                               cell("one way", "64 B", "weir, 256 KiB lane", rate=spread(1)))
        self.assertEqual((verdict.measured, verdict.met), (False, False))
        self.assertEqual(targets.tally([verdict]), (0, 0, 1))

    def test_every_figure_is_a_case(self):
        """A target that names a figure which nobody measures could never be met."""
        class Everything(Bench):
            def has(self, program):
                return True

            def call(self, command, **more):
                return ""

        with tempfile.TemporaryDirectory() as folder:
            bench = Everything(pathlib.Path("/nowhere"), pathlib.Path(folder), True)
            for add in cases.ALL:
                if add is not cases.add_programs:
                    add(bench)
        names = {(case.group, case.column, case.row) for case in bench.cases}
        self.assertEqual(len(names), len(bench.cases), "two cases have the same name")
        for target in targets.TARGETS:
            for figure in target.figures:
                if figure[0] != "programs":
                    self.assertIn(figure[:3], names)
        self.assertLessEqual({case.group for case in bench.cases}, {title for title, _ in table.GROUPS})


class Tables(unittest.TestCase):
    def test_figures(self):
        self.assertEqual(table.figure(cell("one way", "64 B", "x", rate=spread(2e6, 3e6, 1e6))), "2.00 [1.00..3.00]")
        self.assertEqual(table.figure(cell("one way", "1 MiB", "x", rate=spread(1), bytes_per_s=spread(21.5e9))), "21.5 [21.5..21.5]")
        self.assertEqual(table.figure(cell("round trip", "asleep", "x", p50=spread(5, 7, 6), p99=spread(9), p999=spread(10))), "6 / 9 / 10 [5..7]")
        self.assertEqual(table.figure(cell("one way", "64 B", "x", error="died")), "failed")

    def test_whole(self):
        text = table.whole(record_of(cell("one way", "64 B", "weir, 256 KiB lane", rate=spread(8e7, 9e7, 7e7)),
                                     cell("one way", "64 B", "ZeroMQ ipc", rate=spread(8e6, 8e6, 8e6)),
                                     cell("one way", "1 KiB", "ZeroMQ ipc", error="died")))
        self.assertIn("| 64 B, M/s ", text)
        self.assertIn("80.0 [70.0..90.0]", text)
        self.assertIn(f"**Targets**: 1 met, 0 NOT met, {len(targets.TARGETS) - 1} not measured", text)
        self.assertRegex(text, r"\| one way, 64 B +\| weir, 256 KiB lane : ZeroMQ ipc +\| 10.00 +\| 8.75..11.25 +\| >= 10 +\| met, but not in every run +\|")
        self.assertIn("FAILED one way/1 KiB/ZeroMQ ipc: died", text)

    def test_readme(self):
        record = record_of(cell("one way", "64 B", "weir, 256 KiB lane", rate=spread(8e7)))
        once = table.in_readme(f"a\n{table.README_BEGIN}\nold\n{table.README_END}\nb\n", record)
        self.assertTrue(once.startswith("a\n") and once.endswith("\nb\n"))
        self.assertNotIn("old", once)
        self.assertIn("| weir ", once)
        self.assertEqual(once, table.in_readme(once, record))
        for wrong in ("", table.README_BEGIN, table.README_END + table.README_BEGIN, (table.README_BEGIN + table.README_END) * 2):
            self.assertRaises(ValueError, table.in_readme, wrong, record)


class Cases(unittest.TestCase):
    def test_spread_and_failure(self):
        values = iter((3, 1, 2))
        case = Case("g", "c", "r", lambda: {"rate": next(values)})
        for _ in range(3):
            case.take()
        self.assertEqual(case.result()["rate"], {"median": 2, "min": 1, "max": 3, "values": [3, 1, 2]})

        def fail():
            raise Failed("why")
        case = Case("g", "c", "r", fail)
        case.take()
        self.assertEqual(case.result(), {"group": "g", "column": "c", "row": "r", "error": "why"})

    def test_doubt(self):
        """Cases are measured again where the runs are at odds over their target, and only those."""
        cases = [Case(*figure[:3], None) for target in targets.TARGETS[:2] for figure in target.figures]
        cases = list({case.name: case for case in cases}.values())  # weir, the ring, ZeroMQ
        for case, rates in zip(cases, ((10, 10, 10), (10, 20, 10), (0.5, 0.4, 0.3))):
            case.samples = [{"rate": rate} for rate in rates]
        self.assertEqual([case.row for case in targets.cases_in_doubt(cases)], [cases[0].row, cases[1].row])
        cases[1].samples = [{"rate": 10}] * 3
        self.assertEqual(targets.cases_in_doubt(cases), [])
        self.assertEqual(targets.cases_in_doubt(cases[:1]), [])

    def test_order(self):
        """Every second run goes backwards; what is measured once is measured once a run."""
        with tempfile.TemporaryDirectory() as folder:
            bench, seen = Bench(pathlib.Path("/nowhere"), pathlib.Path(folder), True), []
            for row in "ab":
                bench.add("g", "c", row, lambda row=row: {"value": bench.once("x", lambda: seen.append(row) or len(seen))})
            bench.measure_all(bench.cases, 2, lambda text: None)
        self.assertEqual(seen, ["a", "b"])
        self.assertEqual([case.result()["value"]["values"] for case in bench.cases], [[1, 2], [1, 2]])


def main():
    suite = unittest.defaultTestLoader.loadTestsFromName(__name__)
    return 0 if unittest.TextTestRunner().run(suite).wasSuccessful() else 1
