"""Files as parts in the store, and back: verified on the way in and on the way out."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runctl.errors import CheckpointChanged, UnsafePath
from runctl.model.checkpoint import CheckpointFile, Part
from runctl.model.codec import escape_name, unescape_name
from runctl.model.paths import check_relative
from runctl.store.blobs import PART_BYTES, Blobs

# (relative path, size, time of modification in ns, inode) of each file, sorted
Signature = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class StoredFile:
    file: CheckpointFile
    sent_bytes: int


def sign(path: Path) -> Signature:
    """Return what changes when a file, or any file of a folder, is written: cheap, no reading."""
    return tuple(sorted(_sign_file(path, file) for file in files_under(path)))


def sign_entry(entry: os.DirEntry[str]) -> Signature:
    """Return the signature of what stands in a folder: one call for a file."""
    if entry.is_dir():
        return sign(Path(entry.path))
    return (_describe("", entry.stat()),)


def files_under(path: Path, on_escape: Callable[[UnsafePath], None] | None = None) -> Iterator[str]:
    """Yield the regular files of a folder, relative to it; a single file is ``""``.

    A link that leads out raises UnsafePath, or is passed over where ``on_escape`` hears of it.
    """
    if not path.is_dir():
        yield ""
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        inside = os.path.relpath(folder, path)
        for name in sorted(names):
            file = os.path.join(folder, name)
            try:
                if _is_regular(file, path):
                    yield name if inside == "." else os.path.join(inside, name)
            except UnsafePath as error:
                if on_escape is None:
                    raise
                on_escape(error)


def store_file(
    blobs: Blobs, path: Path, name: str, is_cancelled: Callable[[], bool] = lambda: False
) -> StoredFile:
    """Store one file part by part, through one buffer, whatever its size."""
    parts: list[Part] = []
    sent_bytes = 0
    with path.open("rb", buffering=0) as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        for data in _read_parts(file.fileno()):
            if is_cancelled():
                raise CheckpointChanged(f"the commit of {name} was cancelled")
            sent = blobs.put(data)
            parts.append(sent.part)
            sent_bytes += sent.sent_bytes
    return StoredFile(
        CheckpointFile(path=escape_name(name), mode=mode, parts=tuple(parts)), sent_bytes
    )


def fetch_file(blobs: Blobs, file: CheckpointFile, path: Path) -> None:
    """Write a stored file, each part verified, durable once this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        for part in file.parts:
            out.write(blobs.get(part))
        out.flush()
        os.fsync(out.fileno())
    path.chmod(file.mode & 0o777)


def is_same_file(file: CheckpointFile, path: Path) -> bool:
    """Tell whether a local file holds the very bytes of a stored one."""
    if path.stat().st_size != file.size_bytes:
        return False
    with path.open("rb", buffering=0) as found:
        parts = (found.read(part.size_bytes) for part in file.parts)
        hashes = [hashlib.sha256(data).hexdigest() for data in parts]
    return hashes == [part.sha256 for part in file.parts]


def file_name(file: CheckpointFile) -> str:
    """Return the file's path inside its folder, or raise UnsafePath."""
    return check_relative(unescape_name(file.path))


def _sign_file(path: Path, file: str) -> tuple[str, int, int, int]:
    return _describe(file, os.stat(path / file))


def _describe(file: str, status: os.stat_result) -> tuple[str, int, int, int]:
    return (file, status.st_size, status.st_mtime_ns, status.st_ino)


def _is_regular(file: str, root: Path) -> bool:
    """Sockets and pipes hold no bytes to keep; a link that leads out is refused by name."""
    if os.path.islink(file) and not Path(os.path.realpath(file)).is_relative_to(root.resolve()):
        raise UnsafePath(f"{file} is a link that leads out of {root}", path=file)
    return os.path.isfile(file)


def _read_parts(descriptor: int) -> Iterator[memoryview]:
    """Yield the file in parts, through one buffer that is used again."""
    size_bytes = min(PART_BYTES, max(1, os.fstat(descriptor).st_size))
    buffer = memoryview(bytearray(size_bytes))
    while filled := _fill(descriptor, buffer):
        yield buffer[:filled]


def _fill(descriptor: int, buffer: memoryview) -> int:
    filled = 0
    while filled < len(buffer):
        count = os.readv(descriptor, [buffer[filled:]])
        if count == 0:
            break
        filled += count
    return filled
