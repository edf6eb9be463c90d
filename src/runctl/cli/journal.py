"""The debug log: each call of ``runctl``, and the traceback of each fault.

It lives under ``$XDG_STATE_HOME/runctl``. Where it cannot be written, all else goes on.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

LIMIT_BYTES = 1024**2
KEPT = 3
_ENV_VALUE = re.compile(r"(?s)^((?:--env=)?[A-Za-z_][A-Za-z0-9_]*=).*")


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
    """The command line without the values of ``--env``: they may be secret."""
    shown: list[str] = []
    for argument in arguments:
        is_env = argument.startswith("--env=") or (shown and shown[-1] == "--env")
        shown.append(_ENV_VALUE.sub(r"\1***", argument) if is_env else argument)
    return shlex.join(shown)


def _write(message: str, error: Exception | None) -> Path | None:
    import logging.handlers  # noqa: PLC0415 - help and completion do without

    path = log_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=LIMIT_BYTES, backupCount=KEPT, encoding="utf-8", errors="replace"
        )
    except OSError:
        return None
    failures: list[logging.LogRecord] = []
    handler.handleError = failures.append  # type: ignore[assignment,method-assign] # else it prints
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
    info = (type(error), error, error.__traceback__) if error else None
    handler.emit(logging.LogRecord("runctl", logging.INFO, "", 0, message, None, info))
    handler.close()
    return None if failures else path
