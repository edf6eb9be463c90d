"""What goes wrong, into the agent's own log; a disk with no room for it is no further fault."""

from __future__ import annotations

import traceback


def print_fault() -> None:
    """Print the exception that is being handled."""
    try:
        traceback.print_exc()
    except OSError:
        return
