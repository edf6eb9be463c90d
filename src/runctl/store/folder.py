"""A store in a local folder: durable, atomic, create-only where asked.

Ours rather than obstore's, which never calls fsync (see ADR 0011).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from runctl.errors import ObjectExists, ObjectMissing
from runctl.model.paths import RUNS, check_prefix, check_relative
from runctl.store.objects import Bytes, ObjectInfo

_TEMPORARY = ".tmp-"
_RACES = 8  # a delete beside us may remove the empty folder that we have just made


class FolderObjects:
    """Objects as files. A write is a temporary file, then a link (create) or a rename.

    ``must_exist``: the store was begun by somebody else. Where it is not there, it is out of
    reach (not mounted, renamed): every call raises OSError (ESTALE), and nothing is begun anew.
    """

    def __init__(self, root: Path, *, must_exist: bool = False) -> None:
        self._root = str(root.absolute())
        self._must_exist = must_exist

    @property
    def url(self) -> str:
        return self._root

    def put(self, key: str, data: Bytes, *, create: bool = False, durable: bool = True) -> None:
        path = self._path(key)
        temporary = self._write_beside(path, data)
        try:
            self._publish(temporary, path, key, create)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        if durable:
            _sync_folder(os.path.dirname(path))

    def get(self, key: str) -> bytes:
        try:
            with open(self._path(key), "rb", opener=_open_at_once) as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            self._check_reach()
            raise ObjectMissing(f"{self.url}/{key} does not exist", key=key) from error

    def head(self, key: str) -> ObjectInfo | None:
        try:
            status = os.stat(self._path(key))
        except (FileNotFoundError, NotADirectoryError):
            self._check_reach()
            return None
        return _info(key, status) if not _is_folder(status) else None

    def delete(self, key: str) -> None:
        path = self._path(key)
        if os.path.isdir(path):
            return  # a folder is no object
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
        self._check_reach()
        self._remove_empty(os.path.dirname(path))

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        folder = check_prefix(prefix)
        for info in self._walk(f"{folder}/" if folder else ""):
            if info.key.startswith(prefix) and info.key > after:
                yield info

    def list_folders(self, prefix: str) -> Sequence[str]:
        with suppress(FileNotFoundError, NotADirectoryError):
            with os.scandir(os.path.join(self._root, check_prefix(prefix))) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        self._check_reach()
        return []

    def _walk(self, folder: str) -> Iterator[ObjectInfo]:
        try:
            with os.scandir(os.path.join(self._root, folder)) as found:
                # A folder sorts as its name followed by a slash, as keys do.
                entries = sorted(found, key=lambda e: e.name + "/" * e.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            self._check_reach()
            return
        for entry in entries:
            if entry.is_dir():
                yield from self._walk(f"{folder}{entry.name}/")
            elif not entry.name.startswith(_TEMPORARY):
                with suppress(FileNotFoundError):
                    yield _info(folder + entry.name, entry.stat())

    def _check_reach(self) -> None:
        """Raise where the store is not there, or is the empty place where it is mounted."""
        if self._must_exist and not os.path.isdir(os.path.join(self._root, check_prefix(RUNS))):
            raise OSError(errno.ESTALE, "the store is out of reach", self._root)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_relative(key)}"

    def _write_beside(self, path: str, data: Bytes) -> str:
        temporary = f"{os.path.dirname(path)}/{_TEMPORARY}{os.urandom(8).hex()}"
        descriptor = self._open_new(temporary)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)  # else a power loss could leave the name with no bytes
        except BaseException as error:
            os.unlink(temporary)
            if isinstance(error, OSError):  # a full disk does not say which
                error.filename = error.filename or path
            raise
        finally:
            os.close(descriptor)
        return temporary

    def _open_new(self, path: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        for _ in range(_RACES):
            with suppress(FileNotFoundError):
                return os.open(path, flags, 0o600)
            self._check_reach()
            _make_folders(os.path.dirname(path), self._root if self._must_exist else "/")
        return os.open(path, flags, 0o600)

    def _publish(self, temporary: str, path: str, key: str, create: bool) -> None:
        if not create:
            os.replace(temporary, path)
            return
        try:
            os.link(temporary, path)
        except FileExistsError as error:
            raise ObjectExists(f"{self.url}/{key} exists already", key=key) from error

    def _remove_empty(self, folder: str) -> None:
        while len(folder) > len(self._root):
            try:
                os.rmdir(folder)
            except OSError:  # not empty, or gone: nothing to do
                return
            folder = os.path.dirname(folder)


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting: a pipe in the place of a record must not hold us up for ever."""
    return os.open(path, flags | os.O_NONBLOCK)


def _write_all(descriptor: int, data: Bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _make_folders(folder: str, root: str) -> None:
    """Make a folder and its parents below ``root``; each new name survives a power loss."""
    if folder == root or os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    _make_folders(parent, root)
    with suppress(FileExistsError, FileNotFoundError):
        os.mkdir(folder, 0o700)
        _sync_folder(parent)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_folder(status: os.stat_result) -> bool:
    return (status.st_mode & 0o170000) == 0o040000


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
    return ObjectInfo(key, status.st_size, modified_at)
