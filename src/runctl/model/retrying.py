"""Which ends of an attempt are tried again: the words of ``--retry-on``."""

from __future__ import annotations

import re

from runctl.errors import UsageError
from runctl.model.events import Cause, ExitRecord, Trouble

INTERRUPTION, LOST, EXIT = "interruption", "lost", "exit"
TROUBLES = (Trouble.OOM, Trouble.HANG, Trouble.GPU_LOST)
"""Those that another attempt may not meet."""
_WORDS = (INTERRUPTION, LOST, EXIT, *TROUBLES)
_STATUS = re.compile(rf"{EXIT}:([0-9]{{1,3}})")
_SIGNALLED = 128
"""A shell puts the end by a signal so: 137 is SIGKILL."""


def check_retry_on(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words, or raise UsageError for one that means nothing."""
    for word in words:
        if word not in _WORDS and not _is_status(word):
            raise UsageError(
                f"--retry-on: {word!r} is none of {', '.join(_WORDS)} and exit:STATUS",
                hint="write --retry-on interruption,lost,exit:137",
            )
    return words


def is_retried(
    cause: Cause,
    record: ExitRecord | None,
    words: tuple[str, ...],
    trouble: Trouble | None = None,
) -> bool:
    """Tell whether an attempt that ended so is tried again; ``exit`` is any status but 0."""
    if trouble in TROUBLES and trouble in words:
        return True
    if cause is Cause.INTERRUPTED:
        return INTERRUPTION in words
    if cause is Cause.LOST:
        return LOST in words
    if cause is not Cause.EXIT:
        return False
    return EXIT in words or (record is not None and f"{EXIT}:{_status(record)}" in words)


def _status(record: ExitRecord) -> int | None:
    return record.status if record.signal is None else _SIGNALLED + record.signal


def _is_status(word: str) -> bool:
    found = _STATUS.fullmatch(word)
    return found is not None and int(found[1]) < 256
