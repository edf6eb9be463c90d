"""The files that hold the bytes of volumes and snapshots."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

GIB = 1 << 30
_PIECE = 1 << 22
_BLOCK = 512
_NOT_COPIED = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What copy_file_range says where the kernel or the file system cannot do it."""


def volume_path(cloud: Cloud, ident: str) -> Path:
    """Return the file of a volume."""
    return _folder(cloud, "volumes") / ident


def snapshot_path(cloud: Cloud, ident: str) -> Path:
    """Return the file of a snapshot."""
    return _folder(cloud, "snapshots") / ident


def _folder(cloud: Cloud, name: str) -> Path:
    folder = cloud.place.folder / name
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def make_volume(cloud: Cloud, ident: str, snapshot_id: str, size_bytes: int) -> Path:
    """Make the file of a volume, blank or with what its snapshot holds, unless it is there."""
    path, snapshot = volume_path(cloud, ident), snapshot_path(cloud, snapshot_id or "none")
    if snapshot.exists() and not path.exists():
        copy_sparse(snapshot, path, size_bytes)
    make_blank(path, size_bytes)
    return path


def make_blank(path: Path, size_bytes: int) -> None:
    """Make a sparse file, unless it is there; it has its name only once it is whole."""
    if path.exists():
        return
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.truncate(size_bytes)
    new.replace(path)


def copy_sparse(source: Path, target: Path, size_bytes: int) -> None:
    """Copy what a file holds, and not its holes; the copy may be larger than the source.

    It has its name only once it is whole. Where the file system can share blocks, it does.
    """
    new = target.with_suffix(".new")
    with source.open("rb") as old, new.open("wb") as file:
        file.truncate(max(size_bytes, os.fstat(old.fileno()).st_size))
        for start, end in _extents(old.fileno()):
            _copy(old.fileno(), file.fileno(), start, end)
    new.replace(target)


def _extents(descriptor: int) -> list[tuple[int, int]]:
    found, at, size = [], 0, os.fstat(descriptor).st_size
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as fault:
            if fault.errno != errno.ENXIO:
                raise
            break  # nothing but a hole is left
        at = os.lseek(descriptor, start, os.SEEK_HOLE)
        found.append((start, at))
    return found


def _copy(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        count = _copy_piece(source, target, start, min(end - start, _PIECE))
        if not count:
            break
        start += count


def _copy_piece(source: int, target: int, start: int, length: int) -> int:
    try:
        return os.copy_file_range(source, target, length, start, start)
    except OSError as fault:
        if fault.errno not in _NOT_COPIED:
            raise
    os.lseek(target, start, os.SEEK_SET)
    return os.sendfile(target, source, start, length)


def used_bytes(path: Path) -> int:
    """Return how much room a sparse file takes."""
    return path.stat().st_blocks * _BLOCK if path.exists() else 0


def remove(path: Path) -> None:
    """Remove a file, or what is half made of it."""
    for one in (path, path.with_suffix(".new")):
        if one.is_dir():
            shutil.rmtree(one)
        else:
            one.unlink(missing_ok=True)
