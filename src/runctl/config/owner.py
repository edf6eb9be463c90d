"""Who the user is: an id made once, which tags all that runctl creates."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from runctl.config.durable import written_beside
from runctl.errors import ConfigError

_FORM = re.compile(r"usr-[a-z2-7]{16}")


def owner_id(user_dir: Path, make_token: Callable[[int], bytes] = os.urandom) -> str:
    """The id in the file ``owner`` of the user's folder, made on first use.

    Whoever comes first makes it, whole or not at all; all others read it.
    Raises ConfigError when it cannot be kept, or is not an id.
    """
    path = user_dir / "owner"
    try:
        if not path.exists():
            user_dir.mkdir(parents=True, exist_ok=True)
            token = base64.b32encode(make_token(10)).decode().lower()
            _create(path, f"usr-{token}\n")
        return _check(path, path.read_bytes().decode(errors="replace").strip())
    except OSError as error:
        raise ConfigError(
            f"your owner id cannot be kept in {path}: {error.strerror}",
            hint="set XDG_CONFIG_HOME to a folder that can be written, and keep it there",
            path=str(path),
        ) from error


def _create(path: Path, text: str) -> None:
    """Make the file at one stroke: a hard link appears with all its bytes, or fails."""
    with written_beside(path, text.encode(), 0o644) as temporary, suppress(FileExistsError):
        path.hardlink_to(temporary)


def _check(path: Path, text: str) -> str:
    if not _FORM.fullmatch(text):
        raise ConfigError(
            f"{path} does not hold an owner id: what runctl made could not be told from the rest",
            hint=f"put back the id that tags your instances, or start anew: rm {path}",
            path=str(path),
        )
    return text
