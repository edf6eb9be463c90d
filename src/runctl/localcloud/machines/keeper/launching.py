"""Start one command: as a session of its own, as a user, with its streams."""

from __future__ import annotations

import json
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.manner import Manner
    from runctl.localcloud.machines.plan import Message

_LARGEST_REQUEST = 1 << 24
_RESET = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGCHLD,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
)
"""Signals that we or Python do not leave as they were."""


def start(descriptors: list[int], manner: Manner) -> int:
    """Start what the request says; the descriptors are the request and the three streams.

    Return the process. What cannot be started ends with 126 or 127, and says why on its standard
    error, as a shell does.
    """
    pid = os.fork()
    if pid == 0:
        _become(descriptors, manner)
    return pid


def _become(descriptors: list[int], manner: Manner) -> None:
    """Turn into the command; never returns."""
    try:
        request: Message = json.loads(os.pread(descriptors[0], _LARGEST_REQUEST, 0))
        for number, descriptor in enumerate(descriptors[1:4]):
            os.dup2(descriptor, number)
        _forget_the_runner()
        environment = manner.become(request["user"])
        _enter(request["cwd"] or environment["HOME"])
        environment |= request["environment"]
        os.execvpe(request["argv"][0], request["argv"], environment)
    except (OSError, KeyError, ValueError) as fault:
        os.write(2, f"cannot run the command: {fault}\n".encode())
        os._exit(127 if isinstance(fault, FileNotFoundError) else 126)


def _forget_the_runner() -> None:
    os.setsid()
    os.umask(0o022)
    os.closerange(3, 1 << 16)
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError:
        os.chdir("/")
