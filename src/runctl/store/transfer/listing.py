"""What stands on both sides, by names that are relative to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from runctl.errors import NotFoundError, RunctlError, UnsafePath
from runctl.store.files import files_under
from runctl.store.transfer.far import FarBucket, FarObject, SourceFile
from runctl.store.transfer.names import check_name, clashes, is_case_blind, is_partial

OnTrouble = Callable[[str, RunctlError], None]


class Chosen:
    """Which names take part: those that an include matches, if there are any, and no exclude."""

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = GitIgnoreSpec.from_lines(include) if include else None
        self._exclude = GitIgnoreSpec.from_lines(exclude) if exclude else None

    def __contains__(self, name: str) -> bool:
        if self._include is not None and not self._include.match_file(name):
            return False
        return self._exclude is None or not self._exclude.match_file(name)


def list_here(folder: Path, chosen: Chosen, on_trouble: OnTrouble) -> dict[str, SourceFile]:
    """Return the files of a folder; a link that leads out is a trouble, and not among them."""

    def escape(error: UnsafePath) -> None:
        name = os.path.relpath(str(error.details["path"]), folder)
        if name in chosen:
            on_trouble(name, error)

    found: dict[str, SourceFile] = {}
    for name in files_under(folder, escape) if folder.is_dir() else ():
        if is_partial(name) or name not in chosen:
            continue
        if not name.isascii() and any("\udc80" <= one <= "\udcff" for one in name):
            on_trouble(name, UnsafePath(f"{name!r} is not UTF-8, as a key must be", path=name))
            continue
        found[name] = look(folder / name)
    return found


def look(path: Path) -> SourceFile:
    """Return a file as it is now, or raise NotFoundError."""
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} is not there any more", hint="runctl s3 sync") from error
    return SourceFile(path, status.st_size, status.st_mtime_ns, status.st_ino)


def list_there(bucket: FarBucket, prefix: str, chosen: Chosen) -> dict[str, FarObject]:
    """Return the objects under a prefix (which ends in ``/``, or is empty)."""
    found = {one.key[len(prefix) :]: one for one in bucket.list(prefix)}
    return {name: one for name, one in found.items() if name in chosen and not _is_marker(one)}


def files_only(
    found: dict[str, FarObject], folder: Path, on_trouble: OnTrouble
) -> dict[str, FarObject]:
    """Return the objects that can be files in a folder; each other one is a trouble."""
    good = dict(_nameable(found, on_trouble))
    for name, reason in clashes(good, is_case_blind=is_case_blind(folder)).items():
        on_trouble(name, UnsafePath(f"{name!r} cannot be a file: {reason}", path=name))
        del good[name]
    return good


def _nameable(
    found: dict[str, FarObject], on_trouble: OnTrouble
) -> Iterator[tuple[str, FarObject]]:
    for name, one in found.items():
        try:
            yield check_name(name), one
        except UnsafePath as error:
            on_trouble(name, UnsafePath(f"{name!r} cannot be a file: {error.message}", path=name))


def _is_marker(found: FarObject) -> bool:
    """Consoles of stores write an empty object to show a folder."""
    return found.key.endswith("/") and found.size_bytes == 0
