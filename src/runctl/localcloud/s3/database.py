"""The database of S3: one connection behind one lock.

A statement takes microseconds, and who holds the lock decides conditional writes, so that exactly
one of several writers wins.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (
    bucket TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, version TEXT NOT NULL,
    is_latest INTEGER NOT NULL, is_marker INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (bucket, key, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS upload (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS upload_place ON upload (bucket, key);
CREATE TABLE IF NOT EXISTS part (
    upload TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS completed (
    upload TEXT PRIMARY KEY, ended REAL NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
"""


class Database:
    """Every row; ``with database.locked()`` makes several statements one."""

    def __init__(self, path: Path, *, is_durable: bool = False) -> None:
        self._lock = RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing either way; a lost power supply might.
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'OFF'}")
        self._connection.executescript(_SCHEMA)
        self.undone: Callable[[], object] = lambda: None
        """Called after a transaction that failed: what was remembered of it is not so."""

    def locked(self) -> Database:
        """Return what makes the statements of a ``with`` one transaction, alone."""
        return self

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._depth == 0:
            try:
                self._connection.execute("BEGIN")
            except BaseException:
                self._lock.release()
                raise
        self._depth += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
            if kind is not None:
                self.undone()
        finally:
            self._lock.release()

    def ask(self, statement: str, *values: object) -> list[Any]:
        """Run one statement; return its rows."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
