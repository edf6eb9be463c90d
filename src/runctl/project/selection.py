"""What travels and what stays, each with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from runctl.model.quantities import format_size

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

    def explain(self, path: str) -> tuple[bool, str]:
        """Say whether the path, relative to the root, is in, and why."""
        for entry in self.entries:
            if entry.path == path:
                return True, entry.reason
        inside = [one for one in self.entries if path == "." or one.path.startswith(path + "/")]
        above = {path, *(path[:i] for i, char in enumerate(path) if char == "/")}
        for skipped in sorted(self.skipped, key=lambda each: -len(each.path)):
            if skipped.path in above:
                return bool(inside), skipped.reason + self._tell_held(inside)
        if inside:
            return True, f"a folder in which {_count(inside)} travel" + self._tell_left(path)
        return False, "there is no such file, or nothing in it that travels"

    def _tell_held(self, inside: list[Selected]) -> str:
        return f"; but {_count(inside)} in it travel" if inside else ""

    def _tell_left(self, path: str) -> str:
        left = sum(path == "." or one.path.startswith(path + "/") for one in self.skipped)
        return f", and {left} stay" if left else ""


def _count(inside: list[Selected]) -> str:
    return f"{len(inside)} ({format_size(sum(one.size_bytes for one in inside))})"
