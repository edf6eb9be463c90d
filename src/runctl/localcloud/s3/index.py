"""What is known of buckets, objects and uploads, in SQLite.

One connection behind one lock: a statement takes microseconds, and who holds the lock decides
conditional writes, so that exactly one of several writers wins.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

import msgspec

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
"""
NULL = "null"


class Piece(msgspec.Struct, array_like=True):
    """A file that holds a part of an object."""

    file: str
    size: int


class Stored(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One version of an object; without pieces it is a delete marker, or empty."""

    size: int = 0
    etag: str = ""
    modified: float = 0.0
    headers: dict[str, str] = {}
    """Content-Type and the like, and the user's own metadata, as they are told."""
    algorithm: str = ""
    checksum: str = ""
    is_composite: bool = False
    pieces: list[Piece] = []
    part_checksums: list[str] = []
    tags: list[tuple[str, str]] = []


@dataclass(slots=True)
class Version:
    """A version with its place."""

    key: str
    seq: int
    version: str
    is_latest: bool
    is_marker: bool
    stored: Stored


@dataclass(slots=True)
class Upload:
    """A multipart upload that is going on."""

    ident: str
    bucket: str
    key: str
    body: dict[str, Any] = field(default_factory=dict)


class Index:
    """Every row; ``with index.locked()`` makes several statements one."""

    def __init__(self, path: Path, *, is_durable: bool = False) -> None:
        self._lock = RLock()
        self._depth = 0
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing either way; a lost power supply might.
        self._database.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'OFF'}")
        self._database.executescript(_SCHEMA)
        [row] = self._database.execute("SELECT MAX(seq) FROM object").fetchall()
        self._seq = int(row[0] or 0)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Do what follows in one transaction, alone."""
        with self._lock:
            if self._depth == 0:
                self._database.execute("BEGIN")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._end("ROLLBACK")
                raise
            self._end("COMMIT")

    def _end(self, word: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._database.execute(word)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    # -- buckets

    def bucket(self, name: str) -> dict[str, Any] | None:
        """Return a bucket's settings; None where there is no such bucket."""
        rows = self._ask("SELECT body FROM bucket WHERE name = ?", name)
        return msgspec.json.decode(rows[0][0]) if rows else None

    def buckets(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all buckets, by name."""
        rows = self._ask("SELECT name, body FROM bucket ORDER BY name")
        return [(name, msgspec.json.decode(body)) for name, body in rows]

    def put_bucket(self, name: str, body: dict[str, Any]) -> None:
        """Add a bucket, or change its settings."""
        self._ask("INSERT OR REPLACE INTO bucket VALUES (?, ?)", name, msgspec.json.encode(body))

    def delete_bucket(self, name: str) -> None:
        """Remove a bucket."""
        self._ask("DELETE FROM bucket WHERE name = ?", name)

    def clear(self, name: str) -> None:
        """Remove a bucket with all that it holds."""
        for upload in self.uploads(name):
            self.delete_upload(upload.ident)
        self._ask("DELETE FROM object WHERE bucket = ?", name)
        self.delete_bucket(name)

    def is_empty(self, name: str) -> bool:
        """Whether a bucket holds no version and no upload."""
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
        self, bucket: str, key: str, version: str, stored: Stored, *, is_marker: bool = False
    ) -> list[Piece]:
        """Make a version the newest of its key; return the files that are of no use any more."""
        gone = self.remove(bucket, key, version) if version == NULL else []
        self._ask(
            "UPDATE object SET is_latest = 0 WHERE bucket = ? AND key = ? AND is_latest = 1",
            bucket,
            key,
        )
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
        return gone

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
        self._ask(
            "DELETE FROM object WHERE bucket = ? AND key = ? AND seq = ?", bucket, key, found.seq
        )
        if found.is_latest and (newest := self.latest(bucket, key)) is not None:
            self._ask(
                "UPDATE object SET is_latest = 1 WHERE bucket = ? AND key = ? AND seq = ?",
                bucket,
                key,
                newest.seq,
            )
        return found.stored.pieces

    def after(self, bucket: str, key: str, end: str, limit: int) -> list[Version]:
        """Return newest versions that are no markers, with keys after one and before another."""
        rows = self._ask(
            f"{_SELECT} AND key > ? AND key < ? AND is_latest = 1 AND is_marker = 0 "
            "ORDER BY key LIMIT ?",
            bucket,
            key,
            end,
            limit,
        )
        return [_version(row) for row in rows]

    def versions_after(self, bucket: str, key: str, seq: int, limit: int) -> list[Version]:
        """Return all versions after a place, by key, the newest of each first."""
        rows = self._ask(
            f"{_SELECT} AND (key > ? OR (key = ? AND seq < ?)) ORDER BY key, seq DESC LIMIT ?",
            bucket,
            key,
            key,
            seq,
            limit,
        )
        return [_version(row) for row in rows]

    # -- uploads

    def upload(self, ident: str) -> Upload | None:
        """Return an upload that is going on."""
        rows = self._ask("SELECT id, bucket, key, body FROM upload WHERE id = ?", ident)
        return _upload(rows[0]) if rows else None

    def uploads(self, bucket: str) -> list[Upload]:
        """Return the uploads of a bucket, by key."""
        rows = self._ask(
            "SELECT id, bucket, key, body FROM upload WHERE bucket = ? ORDER BY key, id", bucket
        )
        return [_upload(row) for row in rows]

    def put_upload(self, upload: Upload) -> None:
        """Begin an upload."""
        self._ask(
            "INSERT INTO upload VALUES (?, ?, ?, ?)",
            upload.ident,
            upload.bucket,
            upload.key,
            msgspec.json.encode(upload.body),
        )

    def delete_upload(self, ident: str) -> dict[int, Stored]:
        """End an upload; return the parts that it had."""
        parts = self.parts(ident)
        self._ask("DELETE FROM upload WHERE id = ?", ident)
        self._ask("DELETE FROM part WHERE upload = ?", ident)
        return parts

    def parts(self, ident: str) -> dict[int, Stored]:
        """Return the parts of an upload, by number."""
        rows = self._ask("SELECT number, body FROM part WHERE upload = ? ORDER BY number", ident)
        return {number: msgspec.json.decode(body, type=Stored) for number, body in rows}

    def put_part(self, ident: str, number: int, part: Stored) -> list[Piece]:
        """Add a part, or replace it; return the files that are of no use any more."""
        known = self.parts(ident).get(number) if self._has_part(ident, number) else None
        self._ask(
            "INSERT OR REPLACE INTO part VALUES (?, ?, ?)", ident, number, msgspec.json.encode(part)
        )
        return known.pieces if known else []

    def _has_part(self, ident: str, number: int) -> bool:
        return bool(self._ask("SELECT 1 FROM part WHERE upload = ? AND number = ?", ident, number))

    def files(self) -> set[str]:
        """Return the names of all files that something refers to."""
        bodies = self._ask("SELECT body FROM object UNION ALL SELECT body FROM part")
        stored = (msgspec.json.decode(body, type=Stored) for (body,) in bodies)
        return {piece.file for one in stored for piece in one.pieces}

    def _ask(self, statement: str, *values: object) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()


_SELECT = "SELECT key, seq, version, is_latest, is_marker, body FROM object WHERE bucket = ?"


def _version(row: tuple[Any, ...]) -> Version:
    key, seq, version, is_latest, is_marker, body = row
    stored = msgspec.json.decode(body, type=Stored)
    return Version(key, seq, version, bool(is_latest), bool(is_marker), stored)


def _upload(row: tuple[Any, ...]) -> Upload:
    ident, bucket, key, body = row
    return Upload(ident, bucket, key, msgspec.json.decode(body))
