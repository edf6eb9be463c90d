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


def read_console(text: str) -> list[str]:
    """Return the host keys that cloud-init printed, as ``kind base64``; [] if there are none.

    The first whole block counts: it is printed before anything of the user's runs.
    """
    found = _BLOCK.search(text)
    if found is None:
        return []
    return [f"{kind} {key}" for kind, key in _KEY.findall(found[1])]


def pin(path: Path, name: str, keys: Sequence[str]) -> None:
    """Write a known_hosts file that holds the keys of one machine; ``name`` is how ssh looks."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    part.write_text("".join(f"{name} {key}\n" for key in keys), encoding="ascii")
    part.replace(path)


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
