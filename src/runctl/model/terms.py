"""What a user agrees to when something is rented or sent, and how he is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from runctl.model.hyperparams import Hyperparameters
from runctl.model.instance import Offer
from runctl.model.travel import Concerns
from runctl.model.wish import InstanceWish

Fallback = Literal["none", "on-demand", "ask"]
Tell = Callable[[str], None]
Ask = Callable[[str], bool]


Accept = Callable[[Concerns], bool]


@dataclass(frozen=True)
class NextAttempt:
    """What is wanted of the next attempt of a run; all as it was unless said.

    ``checkpoint``: the one to go on from; None is the newest that verifies. ``on``: the target,
    ``wish``: what is rented there. ``hyperparams`` are changed from this attempt on.
    """

    checkpoint: str | None = None
    on: str | None = None
    wish: InstanceWish | None = None
    hyperparams: Hyperparameters = field(default_factory=dict)


def _stay_silent(_sentence: str) -> None: ...


def _accept_nothing(_concerns: Concerns) -> bool:
    return False


@dataclass(frozen=True)
class Terms:
    """``offers`` are those that were agreed to, cheapest first; None takes what there is.

    ``fallback`` is what happens where there is no spot: ``ask`` gets the question, if there is
    somebody to ask. ``tell`` gets a sentence for each thing that happens. ``accept`` hears of files
    that look like secrets, and of much code, before any is sent; what it does not accept stays.
    """

    offers: Sequence[Offer] | None = None
    tell: Tell = _stay_silent
    fallback: Fallback = "none"
    ask: Ask | None = None
    accept: Accept = _accept_nothing
