"""What travels and what stays, each with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

Kind = Literal["file", "link", "folder"]


class Selected(Struct, frozen=True):
    """One thing that travels.

    ``path`` is posix, relative to the root; bytes that are not UTF-8 are surrogate escapes. A
    ``folder`` is one in which nothing else travels. ``target`` is that of a link, as it stands.
    """

    path: str
    kind: Kind
    mode: int
    size_bytes: int
    reason: str
    target: str | None = None


class Skipped(Struct, frozen=True):
    """One thing that stays; for a folder, so does all in it that is not selected."""

    path: str
    reason: str
    is_folder: bool = False


class Selection(Struct, frozen=True):
    """The answer for one root, sorted by path; ``notes`` are sentences for the user."""

    root: Path
    entries: tuple[Selected, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        return [entry.path for entry in self.entries]

    @property
    def total_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self.entries)

    def explain(self, path: str) -> str:
        """One line: why the path, relative to the root, is in or out."""
        for entry in self.entries:
            if entry.path == path:
                return f"in: {entry.reason}"
        above = {path, *(path[:i] for i, char in enumerate(path) if char == "/")}
        for skipped in sorted(self.skipped, key=lambda each: -len(each.path)):
            if skipped.path in above:
                return f"out: {skipped.reason}"
        prefix = path + "/"
        if any(entry.path.startswith(prefix) for entry in self.entries):
            return "in: a folder that holds selected files"
        return "out: there is no such file"
