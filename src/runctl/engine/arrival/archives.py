"""Folders as archives whose bytes depend on nothing but the names, modes and bytes in them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

_LEVEL = 1  # the next ones save a twentieth, and take three times as long


def pack(files: Mapping[str, Path]) -> bytes:
    """Return a ``.tar.gz`` of files by their name in it."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_LEVEL, mtime=0) as compressed:
        with tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(files):
                _add(archive, name, files[name])
    return packed.getvalue()


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    entry = tarfile.TarInfo(name)
    data = path.read_bytes()
    entry.size = len(data)
    entry.mode = 0o755 if path.stat().st_mode & 0o111 else 0o644
    archive.addfile(entry, io.BytesIO(data))


def digest(files: Mapping[str, Path]) -> str:
    """Return the SHA-256 over names and bytes, in order: cheaper than the archive's own."""
    whole = hashlib.sha256()
    for name in sorted(files):
        data = files[name].read_bytes()
        whole.update(f"{name}\0{len(data)}\0".encode() + data)
    return whole.hexdigest()
