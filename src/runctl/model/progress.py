"""How far a training says that it is, in its own log: for telling losses, never for durability."""

from __future__ import annotations

import re

TAIL_BYTES = 64 * 1024
"""So much of the end of a log is looked at."""
_STEP = re.compile(
    rb"""(?:^|[^\w-])"?(?:global_)?step"?\s*[:= ]\s*(\d{1,15})(?![\w.])""", re.IGNORECASE
)


def find_step(text: bytes) -> int | None:
    """Return the last step that a text tells of, such as ``"step": 40`` or ``step 40/90``."""
    found = _STEP.findall(text)
    return int(found[-1]) if found else None
