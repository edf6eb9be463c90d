"""What this machine remembers of a folder on an instance: a cache, which may be deleted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from runctl.engine.syncing.tree import Entries, Entry
from runctl.store.snapshot import Remembered

Row = tuple[str, int, int]


class Kept(Struct, frozen=True, array_like=True):
    """Paths and ``what`` of each are joined by NUL: msgpack's text cannot hold all names of files.

    ``rows`` are kind, mode and size of the entries; None where nobody knows them.
    """

    format: int
    codec: str
    root: str
    look: str
    digest: str
    paths: bytes
    contents: bytes
    rows: tuple[Row, ...] | None
    file_paths: bytes
    files: tuple[Remembered, ...]


FORMAT = 2
_decoder = msgspec.msgpack.Decoder(Kept)


@dataclass
class Memory:
    """``entries`` are what the folder had after the last sync; None where nobody knows.

    ``root`` is the folder's full path there, and ``look`` how all looked from outside: where a
    sync's start sees the same again, nothing has changed there. ``digest`` is that of ``entries``.
    """

    entries: Entries | None = None
    files: dict[str, Remembered] = field(default_factory=dict)
    codec: str = "zlib"
    root: str = ""
    look: str = ""
    digest: str = ""

    @classmethod
    def load(cls, path: Path) -> Memory:
        try:
            kept = _decoder.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return cls()
        if kept.format != FORMAT:
            return cls()
        files = dict(zip(_split(kept.file_paths), kept.files, strict=True))
        entries = None if kept.rows is None else _entries(kept, kept.rows)
        return cls(entries, files, kept.codec, kept.root, kept.look, kept.digest)

    def save(self, path: Path) -> None:
        entries = self.entries or {}
        kept = Kept(
            format=FORMAT,
            codec=self.codec,
            root=self.root,
            look=self.look,
            digest=self.digest,
            paths=_joined(entries),
            contents=_joined(one.what for one in entries.values()),
            rows=None if self.entries is None else tuple(one[1:4] for one in entries.values()),
            file_paths=_joined(self.files),
            files=tuple(self.files.values()),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
        part.write_bytes(msgspec.msgpack.encode(kept))
        part.replace(path)


def _entries(kept: Kept, rows: tuple[Row, ...]) -> Entries:
    three = zip(_split(kept.paths), rows, _split(kept.contents), strict=True)
    return {path: Entry(path, *row, what) for path, row, what in three}


def _joined(texts: Iterable[str]) -> bytes:
    """Join them, each with a NUL behind it."""
    return os.fsencode("".join(f"{text}\0" for text in texts))


def _split(joined: bytes) -> list[str]:
    return os.fsdecode(joined).split("\0")[:-1]


def memory_path(cache: Path, project: Path, instance: str, folder: str) -> Path:
    named = "\0".join((str(project), instance, folder))
    return cache / "sync" / hashlib.sha256(os.fsencode(named)).hexdigest()[:32]
