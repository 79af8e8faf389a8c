# SPDX-License-Identifier: Apache-2.0
"""Whole programs, as a user starts them: wall time, start and end included, each output compared with that of one process."""

import shutil
import subprocess
import time

from runner.case import Failed

FILTERS = {"cat": ["cat"], "grep": ["grep", "abc"], "awk": ["awk", "{ $2 = $2 * 2 } $2 % 10 == 0"]}
PARTS = 64


def make_input(path, size_mb):
    """Lines of 63 bytes: a number, a second one, letters; 'abc' in about one of eight."""
    words = ("river", "abc", "quick", "brown", "weir", "lazy", "over", "fox")
    text, chunk = "the water backs up behind it and passes in order ", []
    for i in range(200000):
        line = f"{i} {i * 7919 % 100003} {words[i % 8]} {text}"
        chunk.append(line[:62].ljust(62, "x"))
    block = ("\n".join(chunk) + "\n").encode()
    with path.open("wb") as file:
        left = size_mb * 1000000 // 63 * 63
        while left:
            left -= file.write(block[:left])


def shell_words(words):
    return " ".join("'" + word + "'" for word in words)


def parallel_words(words):
    """parallel hands its command to a shell once more."""
    return " ".join('"' + shell_words([word]).replace("$", "\\$") + '"' for word in words)


class Programs:
    def __init__(self, bench):
        self.bench, self.size_mb = bench, 30 if bench.quick else 300
        self.output = bench.folder / "out"

    def rate(self, filter_name, measure, in_order=True):
        seconds = measure()
        self.check(filter_name, in_order)
        return {"rate": self.size_mb / seconds}

    def check(self, filter_name, in_order):
        """All must give what one process gives; of what comes in any order, only as many bytes. A wrong result is no result."""
        expected = self.bench.folder / f"expected-{filter_name}"
        if not expected.exists():
            self.bench.call(["sh", "-c", f"{shell_words(FILTERS[filter_name])} < in > {expected}"], cwd=self.bench.folder)
        same = expected.stat().st_size == self.output.stat().st_size
        if in_order and same:
            same = subprocess.run(["cmp", "-s", expected, self.output], check=False).returncode == 0
        if not same:
            raise Failed("its output is not that of one process")
        self.output.unlink()

    def timed(self, command, to=">"):
        begun = time.monotonic()
        self.bench.call(["sh", "-c", f"{command} {to} {self.output}"], cwd=self.bench.folder)
        return time.monotonic() - begun

    def weir(self, words):
        stage = {"name": "filter", "exec": words, "workers": 2, "order": "fifo", "ok_exit": ["0", "1"], "block": "10MiB"}
        return self.bench.weir([{"name": "read", "source": "file", "path": "in"}] + ([stage] if words else []) +
                               [{"name": "write", "sink": "file", "path": "out"}])

    def add(self, filter_name, row, measure, in_order=True):
        self.bench.add("programs", filter_name, row, lambda: self.rate(filter_name, measure, in_order))

    def add_filter(self, name, words):
        self.add(name, "one process, no weir", lambda: self.timed(f"cat in | {shell_words(words)}"))
        self.add(name, "weir, 2 workers in order", lambda: self.weir(words))
        for row, options in (("parallel --pipe -k", "--pipe -k -j2 --block 10M {} < in"),
                             ("parallel --pipepart -k", "--pipepart -a in -k -j2 --block 10M {}")):
            if shutil.which("parallel"):
                self.add(name, row, lambda options=options:
                         self.timed("parallel --will-cite " + options.format(parallel_words(words))))
        # Appending: two programs that share a position in the file overwrite each other.
        self.add(name, f"xargs -P2, {PARTS} files cut before, any order",
                 lambda: self.timed(f"ls part.* | xargs -P2 -n1 {shell_words(words)}", to=">>"), in_order=False)


def add_programs(bench):
    programs = Programs(bench)
    make_input(bench.folder / "in", programs.size_mb)
    bench.call(["split", "-n", f"l/{PARTS}", "in", "part."], cwd=bench.folder)
    for name, words in FILTERS.items():
        programs.add_filter(name, words)
    programs.add("cat", "weir, file to file", lambda: programs.weir(None))
    if not shutil.which("parallel"):
        bench.skip("parallel --pipe, --pipepart", "GNU parallel is not installed")
