"""Who has which files open: by /proc, and where that is not there, by what lsof says."""

from __future__ import annotations

import os
import subprocess
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
        for pid in session_members(session)
        for target in _files_written(pid)
    )


def open_below(folder: Path) -> set[str] | None:
    """Return the files in a folder that any process we may see has open, or has mapped.

    Real paths. None where this machine cannot tell.
    """
    root = os.path.realpath(folder)
    found = _listed_by_proc() if os.path.isdir("/proc/self/fd") else _listed_by_lsof(root)
    return None if found is None else {path for path in found if path.startswith(f"{root}/")}


def _listed_by_proc() -> set[str]:
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    return {path for pid in pids for path in (*_files_open(pid), *_files_mapped(pid))}


def _listed_by_lsof(root: str) -> set[str] | None:
    try:
        done = subprocess.run(
            ["lsof", "-w", "-F", "n", "+D", root], capture_output=True, check=False
        )
    except OSError:
        return None
    # lsof exits with 1 where nothing is open, as it does where something went wrong.
    if done.returncode > 1 or (done.returncode == 1 and done.stderr.strip()):
        return None
    lines = done.stdout.split(b"\n")
    return {os.fsdecode(line[1:]) for line in lines if line.startswith(b"n/")}


def _files_open(pid: str) -> Iterator[str]:
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return  # it is another user's, or it has just ended
    for descriptor in descriptors:
        try:
            yield os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except OSError:
            continue


def _files_mapped(pid: str) -> Iterator[str]:
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            for line in file:
                fields = line.rstrip(b"\n").split(maxsplit=5)
                if len(fields) == 6 and fields[5].startswith(b"/"):
                    yield os.fsdecode(fields[5].replace(b"\\012", b"\n"))
    except OSError:
        return


def session_members(session: int) -> Iterator[str]:
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
