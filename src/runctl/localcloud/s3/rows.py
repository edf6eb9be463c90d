"""What is kept of objects, their versions, and uploads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

NULL = "null"
"""The id of the version of a bucket that keeps none."""


class Piece(msgspec.Struct, array_like=True):
    """A file that holds a part of an object."""

    file: str
    size: int


class Stored(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One version of an object; without pieces it is a delete marker."""

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
    """Of an object whose parts were uploaded with checksums that the client has chosen."""
    tags: list[tuple[str, str]] = []

    @property
    def checksum_type(self) -> str:
        return "COMPOSITE" if self.is_composite else "FULL_OBJECT"

    @property
    def storage_class(self) -> str:
        return self.headers.get("x-amz-storage-class", "STANDARD")

    @property
    def parts_count(self) -> int:
        """How many parts it was uploaded in; 0 for what came in one request."""
        return int(self.etag.partition("-")[2] or 0)


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
