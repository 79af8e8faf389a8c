# SPDX-License-Identifier: Apache-2.0
"""The lines of a file, each with the position behind it: what was read stays read, whatever is killed. configs/keep.yaml runs it."""

import sys

import weir


def read(feed: weir.Feed):
    with open(sys.argv[1], "rb") as file:
        file.seek(feed.position or 0)
        while line := file.readline():
            yield weir.New(line.rstrip(b"\n"), position=file.tell())


weir.source(read)
