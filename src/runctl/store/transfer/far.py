"""The seam to a bucket that files are moved to and from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from runctl.errors import RunctlError

PIECE_BYTES = 16 * 1024**2
"""Larger files and objects travel in pieces of this size, several at once."""
PIECES_AT_ONCE = 6
MOST_PARTS = (
    10_000  # of one object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
)

Algorithm = Literal["md5", "sha256", "sha1", "crc32"]


@dataclass(frozen=True)
class FarObject:
    """One object; ``etag`` is as the store gives it, with its quotes."""

    key: str
    size_bytes: int
    etag: str
    modified_at: datetime
    storage_class: str = "STANDARD"


@dataclass(frozen=True)
class Digest:
    """What the store knows of an object's bytes: of pieces that follow one another."""

    algorithm: Algorithm
    pieces: tuple[tuple[int, bytes], ...]
    """Size and digest of each."""


@dataclass(frozen=True)
class SourceFile:
    """A local file as it was when it was listed: it must be the same while it is read."""

    path: Path
    size_bytes: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True)
class Stored:
    """What a store holds after an upload; ``resumed_bytes`` of it were there from before."""

    etag: str
    resumed_bytes: int = 0


class FarBucket(Protocol):
    """One bucket. Keys are as S3 has them; reads are of the very version that was listed."""

    @property
    def url(self) -> str: ...

    def list(self, prefix: str) -> Iterator[FarObject]:
        """Yield all objects whose key begins so, sorted."""
        ...

    def get(self, found: FarObject, start: int, length: int) -> bytes:
        """Return bytes of it, or raise ConflictError where it is another by now."""
        ...

    def stream(self, found: FarObject, start: int, length: int) -> Iterator[memoryview]:
        """Yield the same bytes as they come, a MiB or so at a time."""
        ...

    def put(self, key: str, data: bytes) -> Stored:
        """Store a small object; its SHA-256 is sent along, and compared by the store."""
        ...

    def put_file(self, key: str, file: SourceFile, on_bytes: Callable[[int], None]) -> Stored:
        """Store a large file in parts."""
        ...

    def digest(self, found: FarObject) -> Digest | None:
        """Return what the store knows of the bytes, but for its ETag; None if that is nothing."""
        ...

    def delete(self, keys: Sequence[str]) -> dict[str, RunctlError]:
        """Delete objects; return what could not be, by key."""
        ...
