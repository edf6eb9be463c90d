"""How far a training says that it is, in its own log: for telling losses, never for durability."""

from __future__ import annotations

import re

TAIL_BYTES = 64 * 1024
"""So much of the end of a log is looked at."""
LINE_BYTES = 200
"""So much of a line is told of."""
_STEP = re.compile(
    rb"""(?:^|[^\w-])"?(?:global_)?step"?\s*[:= ]\s*(\d{1,15})(?![\w.])""", re.IGNORECASE
)
_NAN = re.compile(
    rb"""[\w./-]*loss[\w./-]*["']?\s*[:= ]\s*["']?(?:(?:tensor|[\w.]*float\d*)\()?nan\b""",
    re.IGNORECASE,
)


def find_step(text: bytes) -> int | None:
    """Return the last step that a text tells of, such as ``"step": 40`` or ``step 40/90``."""
    found = _STEP.findall(text)
    return int(found[-1]) if found else None


def find_nan(text: bytes) -> str | None:
    """Return the first line that tells of a loss which is NaN; None where there is none.

    ``loss: nan``, ``"train_loss": NaN``, ``val/loss=nan``, ``'loss': tensor(nan)``.
    """
    for line in text.splitlines():
        if _NAN.search(line):
            return line.strip()[:LINE_BYTES].decode(errors="replace")
    return None
