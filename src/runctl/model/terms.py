"""What a user agrees to when something is rented, and how he is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from runctl.model.instance import Offer

Fallback = Literal["none", "on-demand", "ask"]
Tell = Callable[[str], None]
Ask = Callable[[str], bool]


def _stay_silent(_sentence: str) -> None: ...


@dataclass(frozen=True)
class Terms:
    """``offers`` are those that were agreed to, cheapest first; None takes what there is.

    ``fallback`` is what happens where there is no spot: ``ask`` gets the question, if there is
    somebody to ask. ``tell`` gets a sentence for each thing that happens.
    """

    offers: Sequence[Offer] | None = None
    tell: Tell = _stay_silent
    fallback: Fallback = "none"
    ask: Ask | None = None
