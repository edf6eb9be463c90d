"""Content-addressed bytes: ``blobs/<sha256>``, at most 64 MiB each, sent once.

The sweep deletes what no record names and is older than SWEEP_AGE; a blob found to be
older than REFRESH_AGE is therefore sent again before a record relies on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from runctl.errors import IntegrityError, ObjectMissing
from runctl.model.checkpoint import Part
from runctl.model.paths import BLOBS, blob_key
from runctl.store.objects import Bytes, Objects

PART_BYTES = 16 * 1024**2
REFRESH_AGE = timedelta(hours=12)
SWEEP_AGE = timedelta(hours=24)

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Sent:
    """A stored part, and how many bytes had to travel for it."""

    part: Part
    sent_bytes: int


class Blobs:
    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects = objects
        self._clock = clock

    def put(self, data: Bytes) -> Sent:
        """Store the bytes unless the store has them; durable once this returns."""
        part = Part(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
        if self._is_there(part, data):
            return Sent(part, 0)
        self._objects.put(blob_key(part.sha256), data)
        return Sent(part, part.size_bytes)

    def age(self, part: Part) -> timedelta | None:
        """Return how long ago a blob of this size was written; None where there is none."""
        info = self._objects.head(blob_key(part.sha256))
        if info is None or info.size_bytes != part.size_bytes:
            return None
        return self._clock() - info.modified_at

    def delete(self, part: Part) -> None:
        self._objects.delete(blob_key(part.sha256))

    def get(self, part: Part) -> bytes:
        """Return the bytes, or raise IntegrityError where they are gone or are not the same."""
        try:
            data = self._objects.get(blob_key(part.sha256))
        except ObjectMissing as error:
            raise IntegrityError(f"blob {part.sha256} is missing", blob=part.sha256) from error
        found = hashlib.sha256(data).hexdigest()
        if found != part.sha256 or len(data) != part.size_bytes:
            raise IntegrityError(
                f"blob {part.sha256} holds other bytes (SHA-256 {found}, {len(data)} bytes)",
                blob=part.sha256,
            )
        return data

    def check_present(self, part: Part) -> None:
        """Raise IntegrityError unless a blob of this size is there; its bytes are not read."""
        info = self._objects.head(blob_key(part.sha256))
        if info is None:
            raise IntegrityError(f"blob {part.sha256} is missing", blob=part.sha256)
        if info.size_bytes != part.size_bytes:
            raise IntegrityError(
                f"blob {part.sha256} has {info.size_bytes} bytes, not {part.size_bytes}",
                blob=part.sha256,
            )

    def sweep(self, referenced: Iterable[str]) -> int:
        """Delete old blobs that no record names; return the bytes freed."""
        keep, limit, freed = set(referenced), self._clock() - SWEEP_AGE, 0
        for info in self._objects.list(BLOBS):
            if info.key.removeprefix(BLOBS) not in keep and info.modified_at < limit:
                self._objects.delete(info.key)
                freed += info.size_bytes
        return freed

    def _is_there(self, part: Part, data: Bytes) -> bool:
        """Tell whether the store holds these very bytes, and for long enough.

        They are read back: a blob that has rotted must not be relied on a second time.
        """
        key = blob_key(part.sha256)
        info = self._objects.head(key)
        if info is None or info.size_bytes != part.size_bytes:
            return False
        if info.modified_at <= self._clock() - REFRESH_AGE:
            return False
        try:
            return self._objects.get(key) == data
        except ObjectMissing:
            return False
