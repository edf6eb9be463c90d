"""What was equal on both sides when it was last moved or compared: a cache, and no more.

A file is taken for equal without being read if both its signature and the object's ETag are what
they were then.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import msgspec

from runctl.store.transfer.far import FarObject, SourceFile

_YOUNG_NS = 2_000_000_000  # it may be written once more within one tick of its file system's clock


class Agreed(msgspec.Struct, frozen=True, array_like=True):
    size_bytes: int
    mtime_ns: int
    inode: int
    etag: str


class Known:
    """The record of one folder and one place in a bucket, kept in the cache."""

    def __init__(self, cache_dir: Path, folder: Path, url: str) -> None:
        name = hashlib.sha256(os.fsencode(f"{folder.resolve()}\0{url}")).hexdigest()[:32]
        self._path = cache_dir / "transfers" / f"{name}.known"
        self._agreed = self._read()

    def of(self, name: str) -> Agreed | None:
        return self._agreed.get(name)

    def is_file(self, name: str, here: SourceFile) -> bool:
        """Tell whether a file is as it was when both sides were equal."""
        agreed = self.of(name)
        told = (here.size_bytes, here.mtime_ns, here.inode)
        return agreed is not None and told == (agreed.size_bytes, agreed.mtime_ns, agreed.inode)

    def is_object(self, name: str, there: FarObject) -> bool:
        agreed = self.of(name)
        return agreed is not None and agreed.etag == there.etag

    def note(self, name: str, here: SourceFile, etag: str) -> None:
        self._agreed[name] = Agreed(here.size_bytes, here.mtime_ns, here.inode, etag)

    def forget(self, name: str) -> None:
        self._agreed.pop(name, None)

    def save(self) -> None:
        """Write all but what is so young that a later change could have the same time."""
        now = time.time_ns()
        kept = {name: one for name, one in self._agreed.items() if now - one.mtime_ns > _YOUNG_NS}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(msgspec.json.encode(kept))
        draft.replace(self._path)

    def _read(self) -> dict[str, Agreed]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Agreed])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}  # it only spares work
