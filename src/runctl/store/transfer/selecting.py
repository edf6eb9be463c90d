"""Keys that a pattern means, as in a shell: ``*`` and ``?`` stay within a folder, ``**`` not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

_SPECIAL = re.compile(r"[*?[]")


def is_pattern(path: str) -> bool:
    return _SPECIAL.search(path) is not None


def fixed_prefix(path: str) -> str:
    """Return what every key that the pattern means begins with."""
    found = _SPECIAL.search(path)
    return path if found is None else path[: found.start()]


def fixed_folder(path: str) -> str:
    """Return the folder that names are told from: the last one without a special character."""
    folder, slash, _ = fixed_prefix(path).rpartition("/")
    return folder + slash


def is_meant(key: str, pattern: str) -> bool:
    return _matches(key.split("/"), pattern.split("/"))


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not names
    if patterns[0] == "**":
        return _matches(names, patterns[1:]) or (bool(names) and _matches(names[1:], patterns))
    return bool(names) and fnmatchcase(names[0], patterns[0]) and _matches(names[1:], patterns[1:])
