"""Where a value comes from, to the line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

OriginKind = Literal["flag", "env", "project", "user", "default"]


class Origin(Struct, frozen=True):
    """``source`` is a file's path or a variable's name; ``line`` counts from 1."""

    kind: OriginKind
    source: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        if self.kind == "flag":
            return "the command line"
        if self.kind == "env":
            return f"the variable {self.source}"
        place = f", line {self.line}" if self.line else ""
        return "the default" if self.source is None else f"{self.source}{place}"


def find_line(text: str, path: Sequence[str]) -> int | None:
    """The line on which valid TOML sets ``path``; None where it is spelled in some odd way.

    A line that names the last part is where it is set if all above it is whole TOML that does not
    set it yet: so neither a comment, a text of several lines nor another table can mislead.
    """
    lines = text.splitlines()
    for number in range(len(lines), 0, -1):
        if path[-1] in lines[number - 1] and _is_unset(lines[: number - 1], path):
            return number
    return None


def _is_unset(lines: list[str], path: Sequence[str]) -> bool:
    try:
        table: object = tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return False
    for part in path:
        if not isinstance(table, dict) or part not in table:
            return True
        table = table[part]
    return False
