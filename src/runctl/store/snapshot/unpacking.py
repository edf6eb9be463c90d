"""A snapshot as files: each held to its digest, none outside the folder, or an error by name."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from runctl.errors import IntegrityError, SnapshotMismatch, UnsafePath
from runctl.model.codec import unescape_name
from runctl.store.snapshot.packs import unpack
from runctl.store.snapshot.reading import PackSource, fetch, read_entries
from runctl.store.snapshot.records import Entry, FileEntry, FolderEntry, LinkEntry, Snapshot

_SHOWN = 3
# A folder that its owner cannot enter or clear could not be filled, and never be removed.
_OWNERS = 0o700

# Where a piece goes: the file's path in the folder, and the offset in it.
Places = Mapping[str, list[tuple[str, int]]]


def unpack_snapshot(source: PackSource, snapshot: Snapshot, folder: Path) -> None:
    """Write the tree into a folder that is empty or not there.

    Raises SnapshotMismatch naming what did not arrive, or UnsafePath before anything is written.
    """
    entries = read_entries(source, snapshot)
    files = {path: entry for path, entry in entries.items() if isinstance(entry, FileEntry)}
    if sum(entry.size_bytes for entry in files.values()) > snapshot.total_bytes:
        raise SnapshotMismatch(f"the files are larger than the {snapshot.total_bytes} bytes named")
    folder.mkdir(parents=True, exist_ok=True)
    _make_folders(folder, entries)
    _write_files(source, snapshot, folder, files)
    # Last, so that no file is ever written through a link.
    links = {path: entry for path, entry in entries.items() if isinstance(entry, LinkEntry)}
    _make_links(folder, links)


def _make_folders(root: Path, entries: Mapping[str, Entry]) -> None:
    for path, entry in entries.items():
        if isinstance(entry, FolderEntry):
            os.mkdir(root / path)
            os.chmod(root / path, entry.mode & 0o777 | _OWNERS)


def _write_files(
    source: PackSource, snapshot: Snapshot, folder: Path, files: Mapping[str, FileEntry]
) -> None:
    root = os.fspath(folder)
    for path, entry in files.items():
        if entry.pieces or not entry.size_bytes:
            # Who may only read his own file could not go on writing it.
            mode = 0o600 if entry.pieces else entry.mode
            _write_file(os.path.join(root, path), b"", mode)
    left = _places(files)
    damage = _write_pieces(source, snapshot, root, files, left)
    _check_complete(files, left, damage)
    _check_large(root, files)


def _places(files: Mapping[str, FileEntry]) -> defaultdict[str, list[tuple[str, int]]]:
    places: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for path, entry in files.items():
        offset = 0
        for part in entry.parts():
            places[part.sha256].append((path, offset))
            offset += part.size_bytes
    return places


def _write_pieces(
    source: PackSource,
    snapshot: Snapshot,
    root: str,
    files: Mapping[str, FileEntry],
    left: defaultdict[str, list[tuple[str, int]]],
) -> IntegrityError | None:
    """Write what the packs hold, and take it off what is left; return what was wrong with one.

    One that is damaged does not end it: only all others tell which files it has kept back.
    """
    damage: IntegrityError | None = None
    for _, data in fetch(source, snapshot.packs):
        try:
            for sha256, piece in unpack(data.result()):
                for path, offset in left.pop(sha256, ()):
                    _write_piece(os.path.join(root, path), files[path], piece, offset)
        except IntegrityError as error:
            damage = error
    return damage


def _write_piece(path: str, entry: FileEntry, piece: memoryview, offset: int) -> None:
    if not entry.pieces:
        _write_file(path, piece, entry.mode)
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    with open(descriptor, "wb", buffering=0) as file:
        file.seek(offset)
        _write_all(descriptor, piece)


def _write_file(path: str, data: bytes | memoryview, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        _write_all(descriptor, data)
        os.fchmod(descriptor, mode & 0o777)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _check_complete(
    files: Mapping[str, FileEntry], left: Places, damage: IntegrityError | None
) -> None:
    if not left:
        return
    paths = sorted({path for places in left.values() for path, _ in places})
    told = ", ".join(paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    why = damage.message if damage else "no pack holds their bytes"
    raise SnapshotMismatch(
        f"{told}{more} of {len(files)} files did not arrive as they were sent: {why}",
        path=paths[0],
        blob=damage.details.get("blob") if damage else None,
    )


def _check_large(root: str, files: Mapping[str, FileEntry]) -> None:
    """Hold each file that came in pieces to the digest of the whole."""
    for path, entry in files.items():
        if entry.pieces:
            with open(os.path.join(root, path), "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
                os.fchmod(file.fileno(), entry.mode & 0o777)
            if found != entry.sha256:
                raise SnapshotMismatch(f"{path} does not equal the snapshot", path=path)


def _make_links(root: Path, links: Mapping[str, LinkEntry]) -> None:
    for path, link in links.items():
        _make_link(root, path, link)
    _check_links(root, links)


def _make_link(root: Path, path: str, link: LinkEntry) -> None:
    target, place = unescape_name(link.target), os.path.join(root, path)
    inside = os.path.normpath(os.path.join(os.path.dirname(place), target))
    if os.path.isabs(target) or not Path(inside).is_relative_to(root):
        raise UnsafePath(f"link {path} leads out to {link.target}", path=path)
    os.symlink(target, place)


def _check_links(root: Path, links: Iterable[str]) -> None:
    """Links may lead out together where none does alone."""
    within = os.path.realpath(root)
    for path in links:
        place = os.path.join(root, path)
        if not Path(os.path.realpath(place)).is_relative_to(within):
            os.unlink(place)
            raise UnsafePath(f"link {path} leads out of the code", path=path)
