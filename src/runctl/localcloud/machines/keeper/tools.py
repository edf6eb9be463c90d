"""Programs of the host that the keeper needs."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LAST_WORDS_BYTES = 4096


def run(argv: list[str], prepare: Callable[[], None] = lambda: None) -> None:
    """Run a program to its end; raise ``OSError`` with its own words where it fails.

    ``prepare`` is called in its process before it begins.
    """
    heard, said = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(argv, said, prepare)
    os.close(said)
    words = b""
    while chunk := os.read(heard, _LAST_WORDS_BYTES):
        words = (words + chunk)[-_LAST_WORDS_BYTES:]
    os.close(heard)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        told = words.decode(errors="replace").strip()
        raise OSError(0, f"{argv[0]} ended with {status}: {told}")


def _become(argv: list[str], said: int, prepare: Callable[[], None]) -> None:
    """Turn into the program; never returns."""
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        prepare()
        os.execvp(argv[0], argv)
    except OSError as fault:
        os.write(2, str(fault).encode())
    finally:
        os._exit(127)
