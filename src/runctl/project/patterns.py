"""``--include-pattern`` and ``--exclude-pattern``: globs as in ``.gitignore``, from the root.

``*.csv`` matches at any depth, ``data/`` a folder and all in it, ``data/*.csv`` and ``/notes``
from the root. Several stand in one text with commas between (``\\,`` is a comma in a name).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from runctl.errors import UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class Patterns:
    """Any number of patterns, none of them negated.

    Raises UsageError naming a pattern that cannot match, such as one that leads out of the root.
    """

    def __init__(self, texts: Sequence[str], option: str) -> None:
        self.globs = [_check(glob, option) for text in texts for glob in _split(text)]
        self._spec = _compile(self.globs, option) if self.globs else None
        self._parts = [_split_anchored(glob) for glob in self.globs]

    def __bool__(self) -> bool:
        return bool(self.globs)

    def find(self, path: str, *, is_folder: bool = False) -> str | None:
        """The pattern that matches the path or a folder above it, the last one if several do."""
        if self._spec is None:
            return None
        index = self._spec.check_file(path + "/" if is_folder else path).index
        return None if index is None else self.globs[index]

    def may_match_below(self, folder: str) -> bool:
        """May something in the folder match?"""
        return any(_may_match_below(parts, folder.split("/")) for parts in self._parts)

    def spell_out(self, folder: str) -> bool:
        """Does a pattern that may match in the folder have its very name, not a wildcard, for it?

        ``*.json`` is not meant to fish in ``.venv``; ``.venv/pyvenv.cfg`` is.
        """
        name = folder.rpartition("/")[2]
        return any(
            name in glob.strip("/").split("/") and _may_match_below(parts, folder.split("/"))
            for glob, parts in zip(self.globs, self._parts, strict=True)
        )


def pattern_of(path: str) -> str:
    """Return the pattern that matches this one path, relative to the root, and no other."""
    return "/" + re.sub(r"([\\*?\[,])", r"\\\1", path)


def _compile(globs: list[str], option: str) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - most commands are given no pattern

    spec = GitIgnoreSpec.from_lines(globs)
    for glob, pattern in zip(globs, spec.patterns, strict=True):
        if pattern.include is None:
            raise _not_a_pattern(glob, option, "it matches nothing")
    return spec


def _split(text: str) -> Iterator[str]:
    for part in re.split(r"(?<!\\),", text):
        if part.strip():
            yield part.strip().replace(r"\,", ",")


def _check(glob: str, option: str) -> str:
    glob = glob.removeprefix("./")
    if ".." in glob.split("/") or glob.startswith("~"):
        raise _not_a_pattern(glob, option, "it leads out of the project root")
    if glob.startswith("!"):
        raise _not_a_pattern(glob, option, "it starts with '!'")
    return "\\" + glob if glob.startswith("#") else glob


def _not_a_pattern(glob: str, option: str, why: str) -> UsageError:
    return UsageError(
        f"{option} {glob!r} is not a pattern: {why}",
        hint=f"write a glob relative to the project root: {option} 'data/' or {option} '*.csv'",
        pattern=glob,
    )


def _split_anchored(glob: str) -> list[str] | None:
    """The parts of a pattern that starts at the root; None for one that matches at any depth."""
    parts = glob.strip("/").split("/")
    return parts if glob.startswith("/") or len(parts) > 1 else None


def _may_match_below(parts: list[str] | None, folder: list[str]) -> bool:
    if parts is None:
        return True
    for part, name in zip(parts, folder, strict=False):
        if part == "**":
            return True
        if not fnmatchcase(name, part):
            return False
    return True
