"""What user data asks for: scripts to run at the first boot, and a little of cloud-config."""

from __future__ import annotations

import binascii
import json
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.plan import Message

_SCRIPT, _CONFIG, _MIME = b"#!", b"#cloud-config", b"content-type:"
_TYPES = {"text/x-shellscript": "script", "text/cloud-config": "config"}


class UserData:
    """The parts of it, in their order."""

    def __init__(self) -> None:
        self.scripts: list[bytes] = []
        self.config: Message = {}
        self.ignored: list[str] = []
        """What could not be understood, in words for the console."""

    def add(self, kind: str, raw: bytes) -> None:
        """Add a part."""
        if kind == "script":
            self.scripts.append(raw)
        elif kind == "config":
            self._configure(raw)
        else:
            self.ignored.append(f"a part of type {kind}")

    def _configure(self, raw: bytes) -> None:
        text = raw.decode(errors="replace")
        body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        try:
            config = json.loads(body)
        except ValueError:
            self.ignored.append("cloud-config that is not written as JSON")
            return
        if isinstance(config, dict):
            self.config |= config


def parse(encoded: str | None) -> UserData:
    """Return what there is in user data as RunInstances takes it; nothing is not an error."""
    found = UserData()
    if not encoded:
        return found
    try:
        raw = _unpacked(binascii.a2b_base64(encoded))
    except (binascii.Error, zlib.error) as fault:
        found.ignored.append(f"user data that cannot be decoded: {fault}")
        return found
    for kind, part in _parts(raw):
        found.add(kind, part)
    return found


def _parts(raw: bytes) -> list[tuple[str, bytes]]:
    head = raw.lstrip()[:4096].lower()
    if raw.startswith(_SCRIPT):
        return [("script", raw)]
    if raw.startswith(_CONFIG):
        return [("config", raw)]
    if _MIME in head and (b"multipart/" in head or b"text/" in head):
        return _mime_parts(raw)
    return [("unknown", raw)] if raw.strip() else []


def _mime_parts(raw: bytes) -> list[tuple[str, bytes]]:
    import email  # noqa: PLC0415 - rarely wanted, and dear

    found = []
    for part in email.message_from_bytes(raw.lstrip()).walk():
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True)
        body = _unpacked(payload if isinstance(payload, bytes) else b"")
        kind = _TYPES.get(part.get_content_type(), part.get_content_type())
        found += _parts(body) if kind == "text/plain" else [(kind, body)]
    return found


def _unpacked(raw: bytes) -> bytes:
    return zlib.decompress(raw, 31) if raw.startswith(b"\x1f\x8b") else raw
