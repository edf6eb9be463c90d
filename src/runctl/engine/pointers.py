"""Which checkpoints of a folder something points at: a link, or a small file with their name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

POINTER_BYTES = 4096
_POINTER = re.compile(r"latest|last|best|current|^checkpoint$", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s\"'/:,;=]+")


def pointed_at(folder: Path, paths: Sequence[Path]) -> dict[Path, str]:
    """Return those of ``paths`` that a link in the folder, or in the one above, leads to.

    Frameworks keep the newest or the best in a link (``last.ckpt``) or by name in a small text
    file (``latest``, ``last_checkpoint``); either makes it one in use.
    """
    found: dict[Path, str] = {}
    by_real = {os.path.realpath(path): path for path in paths}
    for link in _links([folder, folder.resolve().parent]):
        for place in _place_and_parents(os.path.realpath(link)):
            if place in by_real:
                found[by_real[place]] = f"the link {link.name} leads to it"
    by_name = {path.name: path for path in paths}
    for file in _pointers(folder):
        for word in _BETWEEN.split(_text(file)):
            if word in by_name and by_name[word] != file:
                found[by_name[word]] = f"the file {file.name} names it"
    return found


def _links(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                yield from [Path(entry.path) for entry in entries if entry.is_symlink()]
        except OSError:
            continue  # the folder above may be closed to us


def _place_and_parents(path: str) -> Iterator[str]:
    yield path
    yield from map(str, Path(path).parents)


def _pointers(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [
            Path(entry.path)
            for entry in entries
            if _POINTER.search(entry.name)
            and entry.is_file(follow_symlinks=False)
            and entry.stat().st_size <= POINTER_BYTES
        ]


def _text(file: Path) -> str:
    """Return the content, names in it as Python gives them; of one that cannot be read, none."""
    try:
        return os.fsdecode(file.read_bytes()[:POINTER_BYTES])
    except OSError:
        return ""
