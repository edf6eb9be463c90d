"""Keys of a bucket as names of files, and which of them cannot be."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from runctl.errors import UnsafePath
from runctl.model.paths import check_relative

MARK = ".runctl-"
PART = ".part"
_LONGEST = 255  # bytes of one name, on the file systems of Linux and macOS


def is_partial(name: str) -> bool:
    """Tell a file that a download has not finished from others."""
    last = name.rpartition("/")[2]
    return last.startswith(MARK) and last.endswith(PART)


def check_name(name: str) -> str:
    """Return the name if a file in a folder can bear it, or raise UnsafePath."""
    check_relative(name)
    if any(len(os.fsencode(part)) > _LONGEST for part in name.split("/")):
        raise UnsafePath(f"{name!r} is longer than a file's name can be", path=name)
    if is_partial(name):
        raise UnsafePath(f"{name!r} is what an unfinished download is called", path=name)
    return name


def clashes(names: Iterable[str], *, is_case_blind: bool) -> Mapping[str, str]:
    """Return which names cannot be files beside the others, each with the reason."""
    wanted = sorted(names)
    folders = {parent for name in wanted for parent in _parents(name)}
    found = {name: "there are objects below it, as if it were a folder" for name in wanted
             if name in folders}  # fmt: skip
    if is_case_blind:
        first: dict[str, str] = {}
        for name in wanted:
            other = first.setdefault(_folded(name), name)
            if other != name:
                found[name] = f"on this file system it is the same name as {other!r}"
    return found


def is_case_blind(folder: Path) -> bool:
    """Tell whether names that differ in case only are one on the folder's file system.

    Nothing is written to find out: the name of the folder, or of one it is in, is looked at.
    """
    for place in (folder.absolute(), *folder.absolute().parents):
        other = place.with_name(place.name.swapcase()) if place.name else place
        if place.is_dir() and other.name != place.name:
            return other.exists() and other.samefile(place)
    return False


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
