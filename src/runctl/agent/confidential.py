"""What arrives with the start and is never recorded: secrets of the script, words for installers.

Both lie in one file that only the login user can read and that goes with the attempt. Variables
of installers (package indexes, whose URLs may hold credentials) bear a mark in front of their
names, which no variable can have: the script never gets them.
"""

from __future__ import annotations

from collections.abc import Mapping

_MARK = "installer: "


def pack(secrets: Mapping[str, str], installer: Mapping[str, str]) -> dict[str, str]:
    """Put both into one table."""
    return {**secrets, **{f"{_MARK}{name}": value for name, value in installer.items()}}


def of_script(packed: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in packed.items() if not name.startswith(_MARK)}


def of_installer(packed: Mapping[str, str]) -> dict[str, str]:
    marked = (name for name in packed if name.startswith(_MARK))
    return {name.removeprefix(_MARK): packed[name] for name in marked}
