"""Content-addressed code: one tree record, and packs that hold the files' bytes.

The tree's digest names the code. What is unpacked is held to the tree's digests, file
by file; a tree that names a path leading out is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from runctl.errors import RefusedError, SnapshotMismatch, UnsafePath
from runctl.model.checkpoint import Part
from runctl.model.codec import Record, Value, decode, encode, escape_name, unescape_name
from runctl.model.paths import check_relative
from runctl.store.blobs import Blobs

PACK_BYTES = 8 * 1024**2


class TreeFile(Value, frozen=True, kw_only=True, tag="file"):
    """A file: its bytes are the next ``size_bytes`` of the packs."""

    path: str
    mode: int
    size_bytes: int
    sha256: str


class TreeLink(Value, frozen=True, kw_only=True, tag="link"):
    path: str
    target: str


class TreeFolder(Value, frozen=True, kw_only=True, tag="folder"):
    """A folder that holds nothing."""

    path: str
    mode: int


Entry = TreeFile | TreeLink | TreeFolder


class Tree(Record, frozen=True, kw_only=True):
    """All entries, sorted by path; the files' bytes, end to end, are the packs."""

    entries: tuple[Entry, ...]
    packs: tuple[Part, ...]

    @property
    def total_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self.entries if isinstance(entry, TreeFile))


def store_tree(blobs: Blobs, root: Path, paths: Iterable[str]) -> tuple[Part, Tree]:
    """Store the named files, links and empty folders under ``root``; return the tree's blob."""
    entries: list[Entry] = []
    packs = list(_store_packs(blobs, root, sorted(paths), entries))
    tree = Tree(entries=tuple(entries), packs=tuple(packs))
    return blobs.put(encode(tree)).part, tree


def _store_packs(
    blobs: Blobs, root: Path, paths: Sequence[str], entries: list[Entry]
) -> Iterator[Part]:
    pack = bytearray()
    for path in paths:
        entry, data = _read_entry(root, path)
        entries.append(entry)
        pack += data
        while len(pack) >= PACK_BYTES:
            yield blobs.put(bytes(pack[:PACK_BYTES])).part
            del pack[:PACK_BYTES]
    if pack:
        yield blobs.put(bytes(pack)).part


def _read_entry(root: Path, path: str) -> tuple[Entry, bytes]:
    full, name = os.path.join(root, path), escape_name(path)
    status = os.lstat(full)
    if os.path.islink(full):
        return TreeLink(path=name, target=escape_name(os.readlink(full))), b""
    if os.path.isdir(full):
        return TreeFolder(path=name, mode=status.st_mode & 0o777), b""
    data = _read_file(full, path)
    digest = hashlib.sha256(data).hexdigest()
    mode = status.st_mode & 0o777
    return TreeFile(path=name, mode=mode, size_bytes=len(data), sha256=digest), data


def _read_file(full: str, path: str) -> bytes:
    try:
        return Path(full).read_bytes()
    except PermissionError as error:
        raise RefusedError(
            f"{full} cannot be read: {error.strerror}",
            hint=f"make it readable, or leave it out: --exclude-pattern '/{path}'",
        ) from error


def read_tree(blobs: Blobs, snapshot: str, size_bytes: int) -> Tree:
    data = blobs.get(Part(sha256=snapshot, size_bytes=size_bytes))
    return decode(data, Tree, key=f"blobs/{snapshot}")


def unpack_tree(blobs: Blobs, tree: Tree, folder: Path) -> None:
    """Write the tree into a folder that is empty or not there, each file verified.

    Raises SnapshotMismatch naming the file, or UnsafePath; nothing is written outside.
    """
    _check_paths(tree)
    folder.mkdir(parents=True, exist_ok=True)
    stream = _PackStream(blobs, tree.packs)
    links = []
    for entry in tree.entries:
        path = os.path.join(folder, check_relative(unescape_name(entry.path)))
        if isinstance(entry, TreeFile):
            _write_file(path, entry, stream.take(entry.size_bytes))
        elif isinstance(entry, TreeFolder):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, entry.mode & 0o777)
        else:
            links.append((path, entry))
    # Last, so that no file is ever written through a link.
    for path, link in links:
        _make_link(folder, path, link)
    for path, link in links:
        _check_link(folder, path, link)


def _check_paths(tree: Tree) -> None:
    """Raise before anything is written, unless each entry has a place of its own."""
    paths = [check_relative(unescape_name(entry.path)) for entry in tree.entries]
    taken = set(paths)
    for path in paths:
        if any(str(parent) in taken for parent in PurePosixPath(path).parents):
            raise UnsafePath(f"{path!r} stands below what is not a folder of files", path=path)
    if len(taken) < len(paths):
        raise SnapshotMismatch("the tree names a path twice")


def _write_file(path: str, entry: TreeFile, data: bytes) -> None:
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise SnapshotMismatch(f"{entry.path} does not equal the snapshot", path=entry.path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, entry.mode & 0o777)


def _make_link(root: Path, path: str, link: TreeLink) -> None:
    target = unescape_name(link.target)
    inside = os.path.normpath(os.path.join(os.path.dirname(path), target))
    if os.path.isabs(target) or not Path(inside).is_relative_to(root):
        raise UnsafePath(f"link {link.path} leads out to {link.target}", path=link.path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(target, path)


def _check_link(root: Path, path: str, link: TreeLink) -> None:
    """Links may lead out together where none does alone."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        os.unlink(path)
        raise UnsafePath(f"link {link.path} leads out to {link.target}", path=link.path)


class _PackStream:
    """The packs as one stream of bytes, a pack in memory at a time."""

    def __init__(self, blobs: Blobs, packs: Sequence[Part]) -> None:
        self._blobs = blobs
        self._packs = iter(packs)
        self._buffer = bytearray()

    def take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            part = next(self._packs, None)
            if part is None:
                raise SnapshotMismatch("the packs hold fewer bytes than the tree names")
            self._buffer += self._blobs.get(part)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data
