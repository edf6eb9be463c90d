"""What moves between a folder and a bucket, before and after it has."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from runctl.model.codec import Value


class Action(Enum):
    UPLOAD = "upload"
    DOWNLOAD = "download"
    DELETE_THERE = "delete-there"
    DELETE_HERE = "delete-here"


DELETES = frozenset({Action.DELETE_THERE, Action.DELETE_HERE})


class Choice(Value, frozen=True, kw_only=True):
    """Which of the objects at a place are meant, by globs of their names below it."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


ALL = Choice()


class TransferRequest(Value, frozen=True, kw_only=True):
    """What is to move: ``direction`` is up, down or both; ``url`` an ``s3://bucket/prefix``.

    ``prefer`` (here, there or newer) settles what has changed on both sides. Deletes are refused
    above ``max_deletes``.
    """

    folder: str
    url: str
    direction: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    has_deletes: bool = False
    max_deletes: int = 1000
    prefer: str | None = None


class Move(Value, frozen=True, kw_only=True):
    """One thing to do; ``name`` is relative to both sides."""

    action: Action
    name: str
    size_bytes: int
    reason: str


class Trouble(Value, frozen=True, kw_only=True):
    """What could not be moved, and why; ``exit_code`` is that of the error."""

    name: str
    problem: str
    exit_code: int


class TransferReport(Value, frozen=True, kw_only=True):
    """What was done, or would be. ``unverified``: came whole, but its store tells no digest."""

    folder: str
    url: str
    is_dry_run: bool
    moves: tuple[Move, ...]
    unchanged_count: int
    moved_bytes: int
    resumed_bytes: int = 0
    unverified: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class StoredObject(Value, frozen=True, kw_only=True):
    """An object of a bucket; ``url`` names it whole."""

    url: str
    key: str
    size_bytes: int
    modified_at: datetime
    etag: str
    storage_class: str = "STANDARD"


class UnfinishedUpload(Value, frozen=True, kw_only=True):
    """Parts of an object that never became one; they cost as objects do. ``url`` is its own."""

    url: str
    upload_id: str
    begun_at: datetime
    size_bytes: int


class FolderShare(Value, frozen=True, kw_only=True):
    """All below one folder; ``name`` is empty for what stands in none."""

    name: str
    object_count: int
    size_bytes: int
    newest_at: datetime


class Review(Value, frozen=True, kw_only=True):
    """What there is at a place, summed up; ``class_bytes`` by class of storage."""

    url: str
    object_count: int
    size_bytes: int
    shares: tuple[FolderShare, ...]
    largest: tuple[StoredObject, ...]
    class_bytes: dict[str, int]
    unfinished: tuple[UnfinishedUpload, ...]


class Sighting(Value, frozen=True, kw_only=True):
    """What was seen of an object between two looks: new, changed or gone."""

    what: str
    object: StoredObject


class Verdict(Value, frozen=True, kw_only=True):
    """What reading an object back has shown: good, bad, or unknown where nothing tells a digest."""

    url: str
    size_bytes: int
    state: str
    reason: str = ""
