"""The processes of an instance, found among those of the host."""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS = 200


def of_namespace(init: int) -> list[int]:
    """Return those in the pid namespace whose first process this is."""
    own = _namespace(init)
    return [pid for pid in _all() if own is not None and _namespace(pid) == own]


def descendants(ancestor: int) -> list[int]:
    """Return the children of a process, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for pid in _all():
        children.setdefault(_parent(pid), []).append(pid)
    found, left = [], [ancestor]
    while left:
        born = children.get(left.pop(), [])
        found += born
        left += born
    return found


def signal_others(number: int) -> None:
    """Send a signal to all others of the instance; to be called by its first process."""
    if os.getpid() != 1:
        _send(descendants(os.getpid()), number)
        return
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        pass  # there is nobody else


def signal_all(find: Callable[[], list[int]], number: int) -> None:
    """Send a signal until none is found that it has not been sent to."""
    sent: set[int] = set()
    while left := [pid for pid in find() if pid not in sent]:
        _send(left, number)
        sent.update(left)


def kill_descendants() -> None:
    """Kill all descendants of the caller, which adopts orphans."""
    for _ in range(_ROUNDS):
        found = descendants(os.getpid())
        if not found:
            return
        _send(found, signal.SIGKILL)
        _reap()
        time.sleep(0.002)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass  # all are gone


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # it has ended, or is not ours any more


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None
