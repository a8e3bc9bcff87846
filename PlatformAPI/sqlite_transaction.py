"""One SQLite file, opened for one transaction: what the stores of a script that runs alone stand on."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT_S = 60
"""For another process or thread that writes."""


@contextmanager
def transaction(path: Path, table: str) -> Iterator[sqlite3.Connection]:
    """A connection of its own, so it is safe in threads and after a fork; an exception undoes what was written.

    `table` is the definition of the only table, made when it is not there.
    """
    database = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        database.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        with database:
            yield database
    finally:
        database.close()
