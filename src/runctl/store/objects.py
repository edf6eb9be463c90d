"""The seam to an object store: five verbs, with a conditional create.

Keys are relative, use ``/`` and never lead out of the store; what ``list`` brings back is
held to the same rule. Reads see every write that returned. The contract is tested by
``runctl.testing.objects`` on each implementation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True)
class ObjectInfo:
    key: str
    size_bytes: int
    modified_at: datetime


class Objects(Protocol):
    """Where a ledger lives."""

    @property
    def url(self) -> str:
        """The place, as a user would write it."""
        ...

    def put(self, key: str, data: Bytes, *, create: bool = False, durable: bool = True) -> None:
        """Store ``data`` under ``key``, whole or not at all.

        ``create``: raise ObjectExists, and change nothing, if the key is taken.
        ``durable``: it survives a power loss once this returns; else it may be gone after one,
        but never in part.
        """
        ...

    def get(self, key: str) -> bytes:
        """Return all bytes, or raise ObjectMissing."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of the object, or None where there is none."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; one that is not there is no error."""
        ...

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose key begins with ``prefix`` and sorts after ``after``, sorted."""
        ...

    def list_folders(self, prefix: str) -> Sequence[str]:
        """Return the sorted names that stand directly under ``prefix`` (which ends in ``/``)."""
        ...
