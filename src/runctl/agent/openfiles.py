"""Who holds a file open for writing, where the machine can tell (/proc)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_ACCESS_MODE = 0o3


def is_open_for_writing(path: Path, session: int | None) -> bool:
    """Tell whether a process of this session writes to the file, or to one in the folder."""
    if session is None:
        return False
    wanted = os.path.realpath(path)
    return any(
        target == wanted or target.startswith(f"{wanted}/")
        for pid in _session_members(session)
        for target in _files_written(pid)
    )


def _session_members(session: int) -> Iterator[str]:
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return
    for name in names:
        if name.isdigit() and _session_of(name) == session:
            yield name


def _session_of(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[3])
    except (OSError, IndexError):
        return -1


def _files_written(pid: str) -> Iterator[str]:
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for descriptor in descriptors:
        try:
            with open(f"/proc/{pid}/fdinfo/{descriptor}", encoding="ascii") as info:
                flags = int(info.read().split("flags:")[1].split()[0], 8)
            if flags & _ACCESS_MODE != os.O_RDONLY:
                yield os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except (OSError, IndexError):
            continue
