"""Programs of the host that the keeper needs."""

from __future__ import annotations

import os

_QUIET = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0)]


def run(argv: list[str]) -> None:
    """Run a program to its end; raise ``OSError`` with its own last words where it fails."""
    heard, said = os.pipe2(os.O_CLOEXEC)
    actions = [*_QUIET, (os.POSIX_SPAWN_DUP2, said, 1), (os.POSIX_SPAWN_DUP2, said, 2)]
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
    except OSError as fault:
        os.close(heard)
        raise OSError(fault.errno, f"{argv[0]}: {fault.strerror}") from fault
    finally:
        os.close(said)
    with open(heard, "rb") as file:
        words = file.read(4096).decode(errors="replace").strip()
        while file.read(65536):
            pass
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise OSError(0, f"{argv[0]} ended with {status}: {words}")
