"""Asking before files are sent that look like secrets, or are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.cli.render import Screen, is_interactive
from runctl.cli.travel_pages import concern_lines

if TYPE_CHECKING:
    from runctl.model.travel import Concerns


def accept(screen: Screen, concerns: Concerns, *, is_given: bool) -> bool:
    """Say what is to be feared, and return whether the files may be sent all the same.

    What stays on this machine is noted, and nobody is asked.
    """
    is_staying = concerns.destination is None
    for line in concern_lines(concerns):
        (screen.note if is_staying else screen.warn)(line)
    if is_staying or is_given:
        return True
    return is_interactive() and screen.ask(f"Send it to {concerns.destination} all the same?")
