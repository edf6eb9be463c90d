"""Session tokens of the metadata service: signed, not stored, so they outlive a restart."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

_HEAD = struct.Struct(">8sd")
_MAGIC = b"\x01\x00\x00\x00imds"


def make_token(key: bytes, instance_id: str, expires_at: float) -> str:
    """Return a token that is good for one instance until a time (epoch seconds)."""
    head = _HEAD.pack(_MAGIC, expires_at)
    return base64.urlsafe_b64encode(head + _sign(key, instance_id, head)).decode()


def read_token(key: bytes, instance_id: str, token: str) -> float | None:
    """Return until when a token is good; None for what is no token of this instance."""
    try:
        data = base64.urlsafe_b64decode(token.encode())
    except (binascii.Error, ValueError):
        return None
    head, signature = data[: _HEAD.size], data[_HEAD.size :]
    if len(head) < _HEAD.size or not hmac.compare_digest(signature, _sign(key, instance_id, head)):
        return None
    magic, expires_at = _HEAD.unpack(head)
    return float(expires_at) if magic == _MAGIC else None


def _sign(key: bytes, instance_id: str, head: bytes) -> bytes:
    return hmac.new(key, instance_id.encode() + head, hashlib.sha256).digest()[:26]
