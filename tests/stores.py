"""A store in memory that forgets as a disk does, and one that fails where it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from runctl.errors import ObjectExists, ObjectMissing
from runctl.model.paths import check_prefix, check_relative
from runctl.store.objects import Bytes, ObjectInfo, Objects

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class PowerLoss(BaseException):
    """Not an Exception: no code lives to catch it."""


class MemoryObjects:
    """The perfect model of a store. ``lose_power`` drops what was not written durably."""

    def __init__(self, clock: Callable[[], datetime] = lambda: EPOCH) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, datetime]] = {}
        self._kept: dict[str, tuple[bytes, datetime]] = {}

    @property
    def url(self) -> str:
        return "memory:"

    @property
    def contents(self) -> dict[str, bytes]:
        return {key: data for key, (data, _) in self._objects.items()}

    def lose_power(self) -> None:
        self._objects = dict(self._kept)

    def damage(self, key: str, data: bytes) -> None:
        self._objects[key] = self._kept[key] = (data, self._clock())

    def put(self, key: str, data: Bytes, *, create: bool = False, durable: bool = True) -> None:
        check_relative(key)
        with self._lock:
            if create and key in self._objects:
                raise ObjectExists(f"{key} exists already")
            self._objects[key] = (bytes(data), self._clock())
            if durable:
                self._kept[key] = self._objects[key]

    def get(self, key: str) -> bytes:
        try:
            return self._objects[check_relative(key)][0]
        except KeyError as error:
            raise ObjectMissing(f"{key} does not exist") from error

    def head(self, key: str) -> ObjectInfo | None:
        found = self._objects.get(check_relative(key))
        return ObjectInfo(key, len(found[0]), found[1]) if found else None

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(check_relative(key), None)
            self._kept.pop(key, None)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        with self._lock:
            found = sorted(key for key in self._objects if key.startswith(prefix) and key > after)
        return iter([info for key in found if (info := self.head(key)) is not None])

    def list_folders(self, prefix: str) -> Sequence[str]:
        check_prefix(prefix)
        below = [key.removeprefix(prefix) for key in self._objects if key.startswith(prefix)]
        return sorted({rest.split("/")[0] for rest in below if "/" in rest})


class FaultyObjects:
    """Another store, with faults.

    ``fault`` is asked at each write, numbered from 1, for what to raise, if anything; where
    ``is_answer_lost``, the write happens all the same, and only its answer is lost.
    """

    def __init__(self, inner: Objects) -> None:
        self.inner = inner
        self.writes = 0
        self.fault: Callable[[int], BaseException | None] = lambda _: None
        self.is_answer_lost = False
        self.written_keys: list[str] = []

    @property
    def url(self) -> str:
        return self.inner.url

    def put(self, key: str, data: Bytes, *, create: bool = False, durable: bool = True) -> None:
        self.writes += 1
        fault = self.fault(self.writes)
        if fault is not None and not self.is_answer_lost:
            raise fault
        self.written_keys.append(key)
        self.inner.put(key, data, create=create, durable=durable)
        if fault is not None:
            raise fault

    def get(self, key: str) -> bytes:
        return self.inner.get(key)

    def head(self, key: str) -> ObjectInfo | None:
        return self.inner.head(key)

    def delete(self, key: str) -> None:
        self.writes += 1
        fault = self.fault(self.writes)
        if fault is not None:
            raise fault
        self.inner.delete(key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        return self.inner.list(prefix, after=after)

    def list_folders(self, prefix: str) -> Sequence[str]:
        return self.inner.list_folders(prefix)


def power_lost_at(count: int) -> Callable[[int], BaseException | None]:
    """The machine goes off at this write; nothing after it happens either."""
    return lambda number: PowerLoss() if number >= count else None


def network_lost_for(numbers: range) -> Callable[[int], BaseException | None]:
    return lambda number: ConnectionError("the network is down") if number in numbers else None
