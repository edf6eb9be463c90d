"""What goes wrong, and when: drawn from a seed, so that it can be had again."""

from __future__ import annotations

import random
from dataclasses import dataclass

EARLY_S, LATE_S = 8.0, 2.0
"""From the launch on, while the instance boots and the code arrives; after a checkpoint."""
LAST_CHECKPOINT = 9
EARLY_SHARE = 0.25
MOST = 4
NOTICE_S = 15.0
PROCESSES = ("agent", "reaper", "command", "everything")
LASTING = {"freeze": (1.0, 12.0), "network": (1.0, 25.0), "disk": (1.0, 10.0), "s3": (1.0, 10.0)}
"""What goes by again, and how long it lasts, in seconds."""
KINDS = (
    "interrupt",
    "terminate",
    *(f"kill {name}" for name in PROCESSES),
    "kill cli",
    *LASTING,
    "clock",
)
SKEW_S = 240
"""By so much the clock of who looks is wrong: AWS refuses requests from five minutes on."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, some seconds after so many checkpoints are safe.

    After 0 it is since the launch. ``for_s`` is 0 where it stays so.
    """

    after: int
    delay_s: float
    kind: str
    for_s: float = 0.0


@dataclass(frozen=True)
class Plan:
    """The faults of one training, in order, and by what the clock of its user is wrong."""

    seed: str
    faults: tuple[Fault, ...]
    skew_s: int = 0

    @property
    def is_only_interrupted(self) -> bool:
        """Whether a notice alone disturbs it, so that nothing at all may be lost."""
        return {fault.kind for fault in self.faults} <= {"interrupt", "kill cli", "clock"}


def draw(seed: str) -> Plan:
    """Return the plan of a seed: always the same."""
    dice = random.Random(seed)
    faults = [_draw_one(dice) for _ in range(dice.randint(1, MOST))]
    has_skew = any(fault.kind == "clock" for fault in faults)
    skew_s = dice.choice((-SKEW_S, SKEW_S)) if has_skew else 0
    return Plan(seed, tuple(sorted(faults, key=lambda fault: (fault.after, fault.delay_s))), skew_s)


def _draw_one(dice: random.Random) -> Fault:
    kind = dice.choice(KINDS)
    is_early = dice.random() < EARLY_SHARE
    after = 0 if is_early else dice.randint(1, LAST_CHECKPOINT)
    delay_s = round(dice.uniform(0.0, EARLY_S if is_early else LATE_S), 1)
    for_s = round(dice.uniform(*LASTING[kind]), 1) if kind in LASTING else 0.0
    return Fault(after, delay_s, kind, for_s)
