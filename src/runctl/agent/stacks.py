"""Where the threads of a training stand: by py-spy, which needs nothing of the script.

It is taken from the training's own PATH, or run by uv, which fetches it where there is an index.
A kernel that lets only a parent look (Ubuntu's ptrace_scope) lets root look as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from runctl.agent import reaper
from runctl.agent.environment.uv import find_uv
from runctl.agent.folder import AttemptFolder
from runctl.agent.openfiles import session_members

TOOL = "py-spy"
DUMP_TIMEOUT_S = 20.0
_MOST = 16
"""So many processes are looked at: those of a data loader stand at the same place."""


def dump_stacks(folder: AttemptFolder, find_leader: Callable[[], int | None]) -> str | None:
    """Append the stacks to the log; return the tool, or None where it cannot look.

    ``find_leader`` tells whose session the processes of the training are in.
    """
    leader = find_leader()
    command = reaper.read_json(str(folder.command)) or {}
    environ: Mapping[str, str] = command.get("env", os.environ)
    found = list(_dump_all(leader, environ))
    if not found:
        return None
    try:
        with folder.output.open("ab") as log:
            log.write(b"\n".join([b"", b"runctl: the stacks of a training that hangs", *found]))
    except OSError:  # a full disk
        return None
    return TOOL


def _dump_all(leader: int | None, environ: Mapping[str, str]) -> Iterator[bytes]:
    for tool in _tools(environ):
        found = [_dump(tool, pid, environ) for pid in _pythons(leader)]
        if any(found):
            yield from filter(None, found)
            return


def _tools(environ: Mapping[str, str]) -> Iterator[list[str]]:
    own = shutil.which(TOOL, path=environ.get("PATH"))
    uv = find_uv(os.environ)
    tool = [own] if own else [str(uv), "tool", "run", "--quiet", TOOL] if uv else []
    if tool:
        yield tool
        yield ["sudo", "-n", *tool]


def _dump(tool: list[str], pid: str, environ: Mapping[str, str]) -> bytes | None:
    argv = [*tool, "dump", "--pid", pid]
    try:
        done = subprocess.run(
            argv, env=dict(environ), capture_output=True, check=True, timeout=DUMP_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout or None


def _pythons(leader: int | None) -> list[str]:
    """Return the processes of the command that are Python; the command where none can be told."""
    if leader is None:
        return []
    found = [pid for pid in session_members(leader) if _is_python(pid)]
    return sorted(found, key=int)[:_MOST] or [str(leader)]


def _is_python(pid: str) -> bool:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name.startswith("python")
    except OSError:
        return False
