# SPDX-License-Identifier: Apache-2.0
"""Rows in an SQLite file, many in one transaction; what comes again after a kill is known by its identity. configs/keep.yaml runs it."""

import sqlite3
import sys
from typing import List

import weir

database = sqlite3.connect(sys.argv[1], check_same_thread=False)  # weir.sink() calls in a thread of its own, one at a time
database.execute("CREATE TABLE IF NOT EXISTS lines (identity TEXT PRIMARY KEY, line TEXT)")


def store(items: List[weir.Item]) -> None:
    with database:  # all of them, or none
        database.executemany("INSERT OR IGNORE INTO lines VALUES (?, ?)", [(item.identity, item.data.decode()) for item in items])


weir.sink(store, batch=500)
