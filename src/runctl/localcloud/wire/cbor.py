"""As much of CBOR (RFC 8949) as an error takes: a map of texts."""

from __future__ import annotations

from collections.abc import Mapping

_TEXT, _MAP = 0x60, 0xA0


def write_texts(texts: Mapping[str, str]) -> bytes:
    """Write a map of texts."""
    parts = [_text(part) for pair in texts.items() for part in pair]
    return _head(_MAP, len(texts)) + b"".join(parts)


def _text(text: str) -> bytes:
    data = text.encode()
    return _head(_TEXT, len(data)) + data


def _head(kind: int, length: int) -> bytes:
    """Write a kind and a length: in one byte, or in as many as it needs after it."""
    if length < 24:
        return bytes([kind | length])
    size = 1 if length < 1 << 8 else 2 if length < 1 << 16 else 4
    return bytes([kind | {1: 24, 2: 25, 4: 26}[size]]) + length.to_bytes(size, "big")
