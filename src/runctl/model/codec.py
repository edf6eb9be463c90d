"""Records as bytes: strict typed JSON with a schema version.

An unknown version is a clear error and never a guess; a field that is missing,
misspelt or of another type is an error that names its path.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import Any, TypeVar

import msgspec

from runctl.errors import RecordError, RecordVersionError

SCHEMA = 1


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a record; it is versioned by the record that holds it."""


class Record(Value, frozen=True, kw_only=True):
    """What stands alone under a key of the ledger."""

    schema: int = SCHEMA


class _Header(msgspec.Struct):
    schema: int


R = TypeVar("R", bound=Record)
V = TypeVar("V", bound=Value)

_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")

_encoder = msgspec.json.Encoder(order="deterministic")
_header = msgspec.json.Decoder(_Header)
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
# What msgspec knows of a type can be seen by another thread while it is still being put
# together, and is then read through null pointers: decoders are made one at a time.
_making = Lock()


def encode(record: Value) -> bytes:
    """Return the one canonical encoding of a record, so that equal records are equal bytes."""
    return _encoder.encode(record)


def decode(data: bytes, kind: type[R], *, key: str) -> R:
    """Read a record, or raise RecordError or RecordVersionError naming its key."""
    _check_version(data, key)
    try:
        record: R = _decoder(kind).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"record {key} is malformed: {error}", key=key) from error
    return record


def build(fields: object, kind: type[V]) -> V:
    """Return a value from plain fields, as strictly as a record is read."""
    with _making:
        return msgspec.convert(fields, kind)


def _decoder(kind: type[R]) -> msgspec.json.Decoder[Any]:
    with _making:
        if kind not in _decoders:
            _decoders[kind] = msgspec.json.Decoder(kind)
        return _decoders[kind]


def _check_version(data: bytes, key: str) -> None:
    try:
        schema = _header.decode(data).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"record {key} is malformed: {error}", key=key) from error
    if schema != SCHEMA:
        raise RecordVersionError(
            f"record {key} has schema version {schema}; this runctl reads version {SCHEMA}",
            hint="upgrade runctl to the version that wrote it",
            key=key,
        )


def escape_name(name: str) -> str:
    """Make any file name or argument valid Unicode: a byte outside UTF-8 becomes ``\\xNN``.

    ``name`` is as Python gives it (surrogateescape); ``unescape_name`` is the exact inverse.
    """
    if "\\" not in name and _is_utf8(name):
        return name  # as nearly all are
    doubled = name.replace("\\", "\\\\")
    if doubled.isascii():
        return doubled
    return "".join(
        f"\\x{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in doubled
    )


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def unescape_name(escaped: str) -> str:
    """Return the name that ``escape_name`` was given, or raise RecordError: it gave no such."""
    if "\\" not in escaped and _is_utf8(escaped):
        return escaped
    pieces = escaped.split("\\\\")
    name = "\\".join(_ESCAPED.sub(_unescape_byte, piece) for piece in pieces)
    if escape_name(name) != escaped:
        raise RecordError(f"{escaped!r} is not an escaped name")
    return name


def _unescape_byte(found: re.Match[str]) -> str:
    return chr(0xDC00 + int(found[1], 16))
