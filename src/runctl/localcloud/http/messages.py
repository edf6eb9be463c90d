"""What comes in and what goes out, whoever answers it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol


class Body(Protocol):
    """The bytes that follow the headers of a request, read once, as they come."""

    length: int | None
    """Bytes that were announced; None for chunked transfer coding."""

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes, all for -1; nothing at the end."""
        ...

    def readinto(self, buffer: memoryview) -> int:
        """Fill a part of the buffer; return how much, 0 at the end."""
        ...


@dataclass(slots=True)
class Request:
    """One request, as it was on the wire."""

    method: str
    path: str
    """Still percent-encoded; begins with a slash."""
    query: str
    """Still percent-encoded; without the question mark."""
    headers: dict[str, str]
    """By lower-case name; repeated ones are joined with commas."""
    body: Body
    via: str | None = None
    """The instance out of whose network it came; None for the loopback of the host."""


@dataclass(slots=True)
class FileSlice:
    """A part of a file, sent without passing through Python."""

    descriptor: int
    """Open for reading; closed by the server once it is sent."""
    offset: int
    length: int


@dataclass(slots=True)
class FileSlices:
    """Parts of several files, sent one after the other."""

    pieces: list[FileSlice]

    @property
    def length(self) -> int:
        return sum(piece.length for piece in self.pieces)

    def close(self) -> None:
        """Close the files, of an answer that is not sent."""
        for piece in self.pieces:
            os.close(piece.descriptor)


@dataclass(slots=True)
class Response:
    """One answer. ``Content-Length``, ``Date`` and ``Connection`` are the server's to add."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | FileSlice | FileSlices | Iterable[bytes] = b""
    """An iterable is sent in chunks, as its length is not known."""
    cut_after: int | None = None
    """A fault: the connection is reset after so many bytes of the body."""
    is_reset: bool = False
    """A fault: the connection is reset, and nothing is sent at all."""


class Responder(Protocol):
    """Answers requests; raises nothing."""

    def __call__(self, request: Request) -> Response: ...
