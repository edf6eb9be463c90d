"""Durations and sizes as people type and read them: ``1h30m``, ``512MiB``.

Durations: one or more of ``w d h m s ms``, largest first, each once; ages are durations too.
Sizes: ``K M G T P`` and ``KiB … PiB`` are powers of 1024, ``KB … PB`` powers of 1000, as in
coreutils; a bare number is a count of bytes. A bare number is *not* a duration: seconds or
minutes would be a guess.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from runctl.errors import UsageError

_DURATION_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_DURATION_TEXT = re.compile(
    "".join(rf"(?:(?P<{unit}>[0-9]+(?:\.[0-9]+)?){unit})?" for unit in _DURATION_UNITS)
)
_MICROSECOND = timedelta(microseconds=1)
_SIZE_TEXT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([kmgtp])(b|ib)?|b)?", re.IGNORECASE)
_SIZE_PREFIXES = ("", "K", "M", "G", "T", "P")


def parse_duration(text: str) -> timedelta:
    """Read ``90s``, ``1h30m``, ``1.5h``; to the microsecond.

    Raises UsageError naming the text.
    """
    match = _DURATION_TEXT.fullmatch(text.strip())
    parts = {unit: amount for unit, amount in match.groupdict().items() if amount} if match else {}
    if not parts:
        raise _not_a_duration(text)
    micros = sum(Decimal(n) * (_DURATION_UNITS[u] // _MICROSECOND) for u, n in parts.items())
    try:
        return timedelta(microseconds=int(micros))
    except OverflowError:
        raise _not_a_duration(text) from None


def _not_a_duration(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a duration",
        hint="write a number with its unit, such as 90s, 30m, 8h, 2d or 1h30m",
        text=text,
    )


def format_duration(duration: timedelta) -> str:
    """The shortest exact text: ``1h30m``, ``0.25s``; ``parse_duration`` reads it back."""
    if duration < timedelta():
        return "-" + format_duration(-duration)
    parts: list[str] = []
    for unit in ("d", "h", "m"):
        count, duration = divmod(duration, _DURATION_UNITS[unit])
        parts += [f"{count}{unit}"] if count else []
    if duration or not parts:
        parts.append(f"{_format_seconds(duration)}s")
    return "".join(parts)


def _format_seconds(duration: timedelta) -> str:
    seconds, rest = divmod(duration, _DURATION_UNITS["s"])
    return f"{seconds}.{rest.microseconds:06}".rstrip("0").rstrip(".")


def format_age(age: timedelta) -> str:
    """One unit, rounded down, for tables: ``40s``, ``3h``, ``12d``."""
    for unit in ("d", "h", "m"):
        if age >= _DURATION_UNITS[unit]:
            return f"{age // _DURATION_UNITS[unit]}{unit}"
    return f"{max(age, timedelta()) // _DURATION_UNITS['s']}s"


def parse_size(text: str) -> int:
    """Read ``100G``, ``512MiB``, ``1.5GB`` or a count of bytes, rounded down to whole bytes.

    Raises UsageError naming the text.
    """
    match = _SIZE_TEXT.fullmatch(text.strip())
    if match is None:
        raise _not_a_size(text)
    base = 1000 if (match[3] or "").lower() == "b" else 1024
    return int(Decimal(match[1]) * base ** _SIZE_PREFIXES.index((match[2] or "").upper()))


def _not_a_size(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a size",
        hint="write a number with its unit, such as 100G, 512MiB or 1.5TB",
        text=text,
    )


def format_size(size_bytes: int) -> str:
    """At most one decimal, in powers of 1024: ``512B``, ``1.5GiB``; exact below 1 KiB."""
    if size_bytes < 0:
        return "-" + format_size(-size_bytes)
    if size_bytes < 1024:
        return f"{size_bytes}B"
    amount, prefix = size_bytes / 1024, 1
    # 1023.95 and more would round to "1024.0", which is one of the next unit.
    while amount >= 1023.95 and prefix < len(_SIZE_PREFIXES) - 1:
        amount, prefix = amount / 1024, prefix + 1
    return f"{amount:.1f}".removesuffix(".0") + f"{_SIZE_PREFIXES[prefix]}iB"


def format_usd(amount: Decimal) -> str:
    """Cents at least, and below 100 dollars as much as four digits: ``$1.006``, ``$0.20``."""
    digits = f"{amount:.4f}".rstrip("0")
    cents = f"{amount:.2f}"
    return f"${digits if len(digits) > len(cents) and amount < 100 else cents}"
