"""What is known of buckets and objects."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import msgspec

from runctl.localcloud.s3.database import Database
from runctl.localcloud.s3.paging import LAST
from runctl.localcloud.s3.rows import NULL, Piece, Stored, Version


class Index:
    """Buckets and the versions of objects; ``with index.locked()`` makes several steps one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ask = database.ask
        self._buckets: dict[str, dict[str, Any]] = {}
        database.undone = self._buckets.clear
        [row] = self._ask("SELECT MAX(seq) FROM object")
        self._seq = int(row[0] or 0)

    def locked(self) -> AbstractContextManager[None]:
        """Do what follows in one transaction, alone."""
        return self._database.locked()

    # -- buckets

    def bucket(self, name: str) -> dict[str, Any] | None:
        """Return a bucket's settings, not to be changed; None where there is no such bucket."""
        known = self._buckets.get(name)
        if known is None:
            with self._database.locked():
                rows = self._ask("SELECT body FROM bucket WHERE name = ?", name)
                if rows:
                    known = self._buckets[name] = msgspec.json.decode(rows[0][0])
        return known

    def buckets(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all buckets, by name."""
        rows = self._ask("SELECT name, body FROM bucket ORDER BY name")
        return [(name, msgspec.json.decode(body)) for name, body in rows]

    def put_bucket(self, name: str, body: dict[str, Any]) -> None:
        """Add a bucket, or change its settings."""
        self._ask("INSERT OR REPLACE INTO bucket VALUES (?, ?)", name, msgspec.json.encode(body))
        self._buckets.pop(name, None)

    def delete_bucket(self, name: str) -> None:
        """Remove a bucket."""
        self._ask("DELETE FROM bucket WHERE name = ?", name)
        self._buckets.pop(name, None)

    def is_empty(self, name: str) -> bool:
        """Whether a bucket holds no version of anything."""
        return not self._ask("SELECT 1 FROM object WHERE bucket = ? LIMIT 1", name)

    # -- objects

    def latest(self, bucket: str, key: str) -> Version | None:
        """Return the newest version of a key, a delete marker perhaps."""
        rows = self._ask(f"{_SELECT} AND key = ? ORDER BY seq DESC LIMIT 1", bucket, key)
        return _version(rows[0]) if rows else None

    def version(self, bucket: str, key: str, version: str) -> Version | None:
        """Return one version of a key."""
        rows = self._ask(f"{_SELECT} AND key = ? AND version = ?", bucket, key, version)
        return _version(rows[0]) if rows else None

    def add(
        self,
        bucket: str,
        key: str,
        version: str,
        stored: Stored,
        newest: Version | None,
        *,
        is_marker: bool = False,
    ) -> list[Piece]:
        """Put a version before what is the newest; return the files that are of no use any more."""
        gone = list[Piece]()
        if newest is not None and newest.version == version:
            gone = newest.stored.pieces
            self._delete(bucket, key, newest.seq)
        elif newest is not None:
            gone = self.remove(bucket, key, NULL) if version == NULL else []
            self._set_latest(bucket, key, newest.seq, 0)
        self._insert(bucket, key, version, stored, is_marker=is_marker)
        return gone

    def _insert(
        self, bucket: str, key: str, version: str, stored: Stored, *, is_marker: bool
    ) -> None:
        self._seq += 1
        self._ask(
            "INSERT INTO object VALUES (?, ?, ?, ?, 1, ?, ?)",
            bucket,
            key,
            self._seq,
            version,
            int(is_marker),
            msgspec.json.encode(stored),
        )

    def change(self, bucket: str, found: Version) -> None:
        """Write what is known of a version anew."""
        self._ask(
            "UPDATE object SET body = ? WHERE bucket = ? AND key = ? AND seq = ?",
            msgspec.json.encode(found.stored),
            bucket,
            found.key,
            found.seq,
        )

    def remove(self, bucket: str, key: str, version: str) -> list[Piece]:
        """Remove a version, if it is there; return its files."""
        found = self.version(bucket, key, version)
        if found is None:
            return []
        self._delete(bucket, key, found.seq)
        if found.is_latest and (newest := self.latest(bucket, key)) is not None:
            self._set_latest(bucket, key, newest.seq, 1)
        return found.stored.pieces

    def _delete(self, bucket: str, key: str, seq: int) -> None:
        self._ask("DELETE FROM object WHERE bucket = ? AND key = ? AND seq = ?", bucket, key, seq)

    def _set_latest(self, bucket: str, key: str, seq: int, is_latest: int) -> None:
        self._ask(
            "UPDATE object SET is_latest = ? WHERE bucket = ? AND key = ? AND seq = ?",
            is_latest,
            bucket,
            key,
            seq,
        )

    def after(self, bucket: str, key: str, prefix: str, limit: int) -> list[Version]:
        """Return the newest versions of keys with a prefix, after a key; no delete markers."""
        rows = self._ask(
            f"{_SELECT} AND key > ? AND key >= ? AND key < ? AND is_latest = 1 AND is_marker = 0 "
            "ORDER BY key LIMIT ?",
            bucket,
            key,
            prefix,
            prefix + LAST,
            limit,
        )
        return [_version(row) for row in rows]

    def versions_after(
        self, bucket: str, key: str, seq: int, prefix: str, limit: int
    ) -> list[Version]:
        """Return all versions of keys with a prefix after a place, the newest of each first."""
        rows = self._ask(
            f"{_SELECT} AND key >= ? AND key < ? AND (key > ? OR (key = ? AND seq < ?)) "
            "ORDER BY key, seq DESC LIMIT ?",
            bucket,
            max(prefix, key),
            prefix + LAST,
            key,
            key,
            seq,
            limit,
        )
        return [_version(row) for row in rows]

    def files(self) -> set[str]:
        """Return the names of all files that something refers to."""
        bodies = self._ask("SELECT body FROM object UNION ALL SELECT body FROM part")
        stored = (msgspec.json.decode(body, type=Stored) for (body,) in bodies)
        return {piece.file for one in stored for piece in one.pieces}


_SELECT = "SELECT key, seq, version, is_latest, is_marker, body FROM object WHERE bucket = ?"


def _version(row: tuple[Any, ...]) -> Version:
    key, seq, version, is_latest, is_marker, body = row
    stored = msgspec.json.decode(body, type=Stored)
    return Version(key, seq, version, bool(is_latest), bool(is_marker), stored)
