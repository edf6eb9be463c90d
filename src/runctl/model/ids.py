"""Run ids, names of checkpoints, and the validation of what may stand in a key."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_TIME_DIGITS = 9
_RANDOM_DIGITS = 5
_HORIZON_MS = 32**_TIME_DIGITS - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUN_ID = re.compile(rf"[{ALPHABET}]{{{_TIME_DIGITS}}}-[{ALPHABET}]{{{_RANDOM_DIGITS}}}")
_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def make_run_id(now: datetime, entropy: bytes) -> str:
    """Return an id that sorts before every older one: time counts down, then chance.

    ``entropy`` is at least 4 bytes; ``now`` is aware.
    """
    elapsed_ms = (now - _EPOCH) // timedelta(milliseconds=1)
    chance = int.from_bytes(entropy[:4], "big")
    return f"{_base32(_HORIZON_MS - elapsed_ms, _TIME_DIGITS)}-{_base32(chance, _RANDOM_DIGITS)}"


def run_created_at(run_id: str) -> datetime:
    """Return the time, to the millisecond, at which this id was made."""
    counted_down = 0
    for digit in run_id[:_TIME_DIGITS]:
        counted_down = counted_down * 32 + ALPHABET.index(digit)
    return _EPOCH + timedelta(milliseconds=_HORIZON_MS - counted_down)


def is_run_id(text: str) -> bool:
    return _RUN_ID.fullmatch(text) is not None


def is_run_name(text: str) -> bool:
    return _RUN_NAME.fullmatch(text) is not None


def _base32(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 32)
        text = ALPHABET[digit] + text
    return text
