"""The files that hold the bytes of volumes and snapshots."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

GIB = 1 << 30
_PIECE = 1 << 22


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


def make_blank(path: Path, size_bytes: int) -> None:
    """Make a sparse file, unless it is there; it has its name only once it is whole."""
    if path.exists():
        return
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.truncate(size_bytes)
    new.replace(path)


def make_volume(cloud: Cloud, ident: str, snapshot_id: str, size_bytes: int) -> Path:
    """Make the file of a volume, blank or with what its snapshot holds, unless it is there."""
    path, snapshot = volume_path(cloud, ident), snapshot_path(cloud, snapshot_id or "none")
    if snapshot.exists() and not path.exists():
        copy_sparse(snapshot, path, size_bytes)
    make_blank(path, size_bytes)
    return path


def copy_sparse(source: Path, target: Path, size_bytes: int) -> None:
    """Copy what a file holds, and not its holes; the copy may be larger than the source."""
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
        except OSError:
            break  # nothing but a hole is left
        at = os.lseek(descriptor, start, os.SEEK_HOLE)
        found.append((start, at))
    return found


def _copy(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        count = os.copy_file_range(source, target, min(end - start, _PIECE), start, start)
        if not count:
            break
        start += count


def grow(path: Path, size_bytes: int) -> None:
    """Make a file larger; what it holds stays."""
    if path.exists() and path.stat().st_size < size_bytes:
        os.truncate(path, size_bytes)


def remove(path: Path) -> None:
    """Remove a file, or what is half made of it."""
    for one in (path, path.with_suffix(".new")):
        if one.is_dir():
            shutil.rmtree(one)
        else:
            one.unlink(missing_ok=True)
