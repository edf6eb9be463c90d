"""The debug log: each call of ``runctl``, and the traceback of each fault.

It lives under ``$XDG_STATE_HOME/runctl``. Where it cannot be written, all else goes on.
"""

from __future__ import annotations

import os
import re
import shlex
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

LIMIT_BYTES = 1024**2
KEPT = 3
_BEARERS = ("--env=", "--build-arg=")
_ENV_VALUE = re.compile(r"(?s)^((?:--env=|--build-arg=)?[A-Za-z_][A-Za-z0-9_]*=).*")


def log_path() -> Path:
    given = os.environ.get("XDG_STATE_HOME", "")
    home = os.environ.get("HOME", "")
    root = Path(given) if given.startswith("/") else Path(home or Path.home(), ".local/state")
    return root / "runctl" / "debug.log"


def note_call(arguments: Sequence[str]) -> None:
    _write(f"call: runctl {_describe(arguments)}", None)


def note_fault(arguments: Sequence[str], error: Exception) -> Path | None:
    """Keep the traceback; return the log's path, or None where it could not be written."""
    return _write(f"fault in: runctl {_describe(arguments)}", error)


def _describe(arguments: Sequence[str]) -> str:
    """The command line without the values of ``--env`` and ``--build-arg``: they may be secret."""
    shown: list[str] = []
    for argument in arguments:
        is_env = argument.startswith(_BEARERS) or (shown and f"{shown[-1]}=" in _BEARERS)
        shown.append(_ENV_VALUE.sub(r"\1***", argument) if is_env else argument)
    return shlex.join(shown)


def _write(message: str, error: Exception | None) -> Path | None:
    """Append one entry at one stroke, so that commands side by side do not mix theirs.

    By hand, because every command pays for it, and the import of logging costs more than all
    that the log does.
    """
    path = log_path()
    entry = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, process {os.getpid()}: {message}\n"
    entry += "".join(traceback.format_exception(error)) if error else ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _rotate(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, entry.encode(errors="backslashreplace"))
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return path


def _rotate(path: Path) -> None:
    if not path.exists() or path.stat().st_size < LIMIT_BYTES:
        return
    names = [path, *(path.with_name(f"{path.name}.{n}") for n in range(1, KEPT + 1))]
    for newer, older in reversed([*pairwise(names)]):
        with suppress(FileNotFoundError):  # another command has just moved it
            newer.replace(older)
