"""Host keys that are known before the first connection, and pinned in files of our own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

_BLOCK = re.compile(
    r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL
)
_KEY = re.compile(r"\b(ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|ssh-rsa) ([A-Za-z0-9+/]+=*)")

_LOGIN = re.compile(r"Authorized keys from \S+ for user ([a-z_][a-z0-9_-]*)\+")
_USER = "# user "


def read_console(text: str) -> list[str]:
    """Return the host keys that cloud-init printed, as ``kind base64``; [] if there are none.

    The first whole block counts. Only user data runs earlier, and that is root's own.
    """
    found = _BLOCK.search(text)
    if found is None:
        return []
    return [f"{kind} {key}" for kind, key in _KEY.findall(found[1])]


def read_login(text: str) -> str | None:
    """Return the user whose keys cloud-init says let in; None unless it is exactly one."""
    found = set(_LOGIN.findall(text))
    return found.pop() if len(found) == 1 else None


def pin(path: Path, name: str, keys: Sequence[str], user: str) -> None:
    """Write a known_hosts file of one machine, and its login user as a comment.

    ``name`` is how ssh looks for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    lines = [f"{_USER}{user}", *(f"{name} {key}" for key in keys), ""]
    part.write_text("\n".join(lines), encoding="ascii")
    part.replace(path)


def pinned_user(path: Path) -> str | None:
    """Return the login user that was pinned with the keys; None if nothing was pinned."""
    try:
        first, _, _ = path.read_text(encoding="ascii").partition("\n")
    except FileNotFoundError:
        return None
    return first.removeprefix(_USER)


def control_folder(environ: Mapping[str, str], uid: int) -> Path | None:
    """Return a private folder with a short path for ssh's sockets; None if there is none."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime, "runctl") if runtime else Path(f"/tmp/runctl-{uid}")  # noqa: S108
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    is_private = found.st_uid == uid and found.st_mode & 0o170077 == 0o040000
    return folder if is_private else None
