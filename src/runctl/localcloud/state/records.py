"""Records in SQLite, held in memory too, and changed in transactions.

A record has the form in which AWS answers it, so that describing is returning it; members that
begin with an underscore are the cloud's own, and no model names them. A committed record is never
changed in place: ``edit`` gives a copy, which takes its place at the commit. So whoever holds one
may read it without a lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import msgspec

Record = dict[str, Any]
_Place = tuple[str, str]  # kind, region

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    kind TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, region, id)
) WITHOUT ROWID
"""


class Records:
    """Every record of a cloud, by kind, region and id."""

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # What is committed survives the death of the process; of the machine, not the last moments.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(_SCHEMA)
        self._rows: dict[_Place, dict[str, Record]] = {}
        self._open: Transaction | None = None
        for kind, region, ident, body in self._database.execute("SELECT * FROM record"):
            self._rows.setdefault((kind, region), {})[ident] = msgspec.json.decode(body)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Change records, all or none; one at a time. A transaction inside one is a part of it."""
        with self._lock:
            if self._open is not None:
                yield self._open
                return
            self._open = Transaction(self._rows)
            try:
                yield self._open
                self._commit(self._open)
            finally:
                self._open = None

    @contextmanager
    def attempt(self) -> Iterator[Transaction]:
        """Change records inside the open transaction, so that an error undoes these changes alone.

        What was got with ``edit`` before must not be edited again inside.
        """
        outer = self._open
        if outer is None:
            raise RuntimeError("an attempt is a part of a transaction")
        inner = self._open = outer.nested()
        try:
            yield inner
        finally:
            self._open = outer
        outer.take(inner)

    def peek(self, kind: str, region: str, ident: str) -> Record | None:
        """Return a committed record to read, without waiting for whoever is changing others."""
        return self._rows.get((kind, region), {}).get(ident)

    def regions(self, kind: str) -> list[str]:
        """Return the regions that have records of a kind."""
        with self._lock:
            return sorted(region for found, region in self._rows if found == kind)

    def clear(self, *, but: tuple[str, str, str]) -> None:
        """Forget everything, at one stroke, but for one record, named by kind, region and id."""
        kind, region, ident = but
        with self._lock:
            self._database.execute(
                "DELETE FROM record WHERE NOT (kind = ? AND region = ? AND id = ?)", but
            )
            kept = self._rows.get((kind, region), {})[ident]
            self._rows.clear()
            self._rows[kind, region] = {ident: kept}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _commit(self, transaction: Transaction) -> None:
        changes = transaction.changes()
        if not changes:
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for (kind, region), ident, record in changes:
                self._write(kind, region, ident, record)
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        transaction.publish()

    def _write(self, kind: str, region: str, ident: str, record: Record | None) -> None:
        if record is None:
            self._database.execute(
                "DELETE FROM record WHERE kind = ? AND region = ? AND id = ?", (kind, region, ident)
            )
            return
        self._database.execute(
            "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)",
            (kind, region, ident, msgspec.json.encode(record)),
        )


class Transaction:
    """A view of all records in which this transaction's changes are seen already."""

    def __init__(
        self, rows: dict[_Place, dict[str, Record]], outer: Transaction | None = None
    ) -> None:
        self._rows = rows
        self._outer = outer
        self._tables: dict[_Place, Table] = {}

    def table(self, kind: str, region: str) -> Table:
        """Return the records of a kind in a region (``""`` for what has no region)."""
        place = (kind, region)
        if place not in self._tables:
            rows = self._outer.view(place) if self._outer else self._rows.get(place, {})
            self._tables[place] = Table(rows)
        return self._tables[place]

    def nested(self) -> Transaction:
        """Return a transaction that begins with what this one sees."""
        return Transaction(self._rows, self)

    def view(self, place: _Place) -> dict[str, Record]:
        """Return the records of a place as they are seen now."""
        kind, region = place
        return dict(self.table(kind, region).items())

    def take(self, inner: Transaction) -> None:
        """Make the changes of a nested transaction one's own."""
        for (kind, region), ident, record in inner.changes():
            self.table(kind, region).changed[ident] = record

    def changes(self) -> list[tuple[_Place, str, Record | None]]:
        """Return every change: the new record, or None for one that goes."""
        return [
            (place, ident, record)
            for place, table in self._tables.items()
            for ident, record in table.changed.items()
        ]

    def publish(self) -> None:
        """Put the changes in place."""
        for place, ident, record in self.changes():
            rows = self._rows.setdefault(place, {})
            if record is None:
                rows.pop(ident, None)
            else:
                rows[ident] = record


class Table:
    """The records of one kind in one region, as a transaction sees them."""

    def __init__(self, rows: dict[str, Record]) -> None:
        self._rows = rows
        self.changed: dict[str, Record | None] = {}

    def get(self, ident: str) -> Record | None:
        """Return a record to read, or None."""
        if ident in self.changed:
            return self.changed[ident]
        return self._rows.get(ident)

    def edit(self, ident: str) -> Record:
        """Return a copy of a record to change; KeyError where there is none."""
        record = self.changed.get(ident) if ident in self.changed else None
        if record is None:
            if ident in self.changed:
                raise KeyError(ident)
            record = msgspec.json.decode(msgspec.json.encode(self._rows[ident]))
            self.changed[ident] = record
        return record

    def put(self, ident: str, record: Record) -> Record:
        """Add a record, or replace one; return it."""
        self.changed[ident] = record
        return record

    def delete(self, ident: str) -> None:
        """Remove a record, if it is there."""
        self.changed[ident] = None

    def items(self) -> list[tuple[str, Record]]:
        """Return ids and records, oldest first; those of this transaction come last."""
        kept = [(i, r) for i, r in self._rows.items() if i not in self.changed]
        return kept + [(i, r) for i, r in self.changed.items() if r is not None]

    def values(self) -> list[Record]:
        """Return the records, oldest first."""
        return [record for _, record in self.items()]

    def __contains__(self, ident: object) -> bool:
        return isinstance(ident, str) and self.get(ident) is not None

    def __len__(self) -> int:
        return len(self.items())
