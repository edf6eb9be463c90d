"""How often a store is looked at, and how: each look at a bucket costs money, and time."""

from __future__ import annotations

from dataclasses import dataclass

from runctl.store.place import is_bucket


@dataclass(frozen=True)
class Pace:
    """Seconds between two looks, and between two writes of the same kind."""

    follow_s: float
    """Who follows a run looks for what is new of it."""
    wait_s: float
    """Who waits for the end of a run."""
    judge_s: float
    """Who looks whether the processes of a run live: all its records are read."""
    mailbox_s: float
    """The agent looks for requests and for a later claim."""
    beat_s: float
    """The agent gives a sign of life."""
    ship_s: float
    """The agent ships what was printed."""
    readers: int
    """So many records are read at once: each read from a bucket waits for the network."""


FOLDER = Pace(follow_s=0.05, wait_s=0.2, judge_s=2, mailbox_s=0.25, beat_s=5, ship_s=0.5, readers=1)
BUCKET = Pace(follow_s=1, wait_s=2, judge_s=15, mailbox_s=2, beat_s=15, ship_s=1, readers=16)


def pace_of(url: str) -> Pace:
    """Return the pace of the store at a place."""
    return BUCKET if is_bucket(url) else FOLDER
