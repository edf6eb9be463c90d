"""Processes: started in sessions of their own, known by more than a number, ended."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # typing would cost as much memory as all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Fields = dict[str, Any]

_PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
_OOM_SCORE = "500"  # where memory runs out, the command goes first, not its reaper


def start_ticks(pid: int) -> str | None:
    """Return what tells this process from a later one of the same number, where it is known."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return None


def is_running(started: Fields) -> bool:
    """Tell whether the very process that was started is there, and not only unreaped."""
    if started["ticks"] is None:
        return _can_be_signalled(started["pid"])
    try:
        with open(f"/proc/{started['pid']}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return fields[0] != b"Z" and fields[19].decode() == started["ticks"]


def _can_be_signalled(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def prctl(option: int, value: int) -> None:
    """Ask the kernel, where it is Linux; elsewhere process groups must do."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - not for those who only look

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def children_of(parent: int) -> set[int]:
    """Return the living children of a process; none where there is no /proc."""
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return set()
    return {int(name) for name in names if name.isdigit() and _parent_of(name) == parent}


def _parent_of(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
            return -1 if state == b"Z" else int(parent)  # a zombie only waits to be reaped
    except (OSError, ValueError):
        return -1


def kill(send: Callable[[int, int], None], target: int, number: int) -> None:
    """Send a signal; who is gone, or not ours, does not get it."""
    try:
        send(target, number)
    except (ProcessLookupError, PermissionError):
        pass


def spawn(
    argv: list[str],
    cwd: str,
    env: dict[str, str],
    output: int,
    *,
    keep: tuple[int, ...] = (),
    is_agent: bool = False,
) -> tuple[int, str | None]:
    """Start a process in a session of its own; return its pid, and why it could not be."""
    error_read, error_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(argv, cwd, env, output, keep, error_write, is_agent)
    os.close(error_write)
    with open(error_read, "rb") as pipe:
        error = pipe.read().decode(errors="replace")
    return pid, error or None


def _become(
    argv: list[str],
    cwd: str,
    env: dict[str, str],
    output: int,
    keep: tuple[int, ...],
    error_write: int,
    is_agent: bool,
) -> None:
    """In the child: become the program, or report why not. Never returns."""
    try:
        os.setsid()
        if not is_agent:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            _raise_oom_score()
        _reset_signals()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for descriptor in keep:
            os.set_inheritable(descriptor, True)
        os.chdir(cwd)
        os.execvpe(argv[0], argv, env)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear it
        os.write(error_write, _why_not(argv[0], error).encode(errors="replace"))
    finally:
        os._exit(127)


def _why_not(program: str, error: BaseException) -> str:
    """Say which file is the trouble: of a script it is the one that its first line names."""
    if not isinstance(error, OSError) or not os.path.isfile(program):
        return str(error)
    with open(program, "rb") as file:
        first = file.readline(256)
    if not first.startswith(b"#!") or not os.access(program, os.X_OK):
        return f"{error.strerror}: {program}"
    interpreter = first[2:].strip().decode(errors="replace")
    return f"{error.strerror}: {interpreter!r}, which is named in the first line of {program}"


def _raise_oom_score() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(_OOM_SCORE)
    except OSError:
        pass


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def kill_command(started: Fields) -> bool:
    """Kill the group of a command, if it is the very process that was started."""
    if started["ticks"] is None or start_ticks(started["pid"]) != started["ticks"]:
        return False
    kill(os.killpg, started["pid"], signal.SIGKILL)
    return True
