"""What can be said of a checkpoint: whether it is whole, and what is inside."""

from __future__ import annotations

import math
from enum import Enum
from pathlib import Path
from typing import Protocol

import msgspec

TENSORS_LISTED = 10_000


class Wholeness(Enum):
    """Whether all of a checkpoint is there; UNKNOWN only where the format cannot tell."""

    WHOLE = "whole"
    TORN = "torn"
    UNKNOWN = "unknown"


class Verdict(msgspec.Struct, frozen=True):
    """A judgement on wholeness, with its reason in words."""

    wholeness: Wholeness
    reason: str


class TensorInfo(msgspec.Struct, frozen=True):
    """One array in a checkpoint; ``size_bytes`` is None where the element size is not known."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int | None


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What is inside a checkpoint.

    ``tensors`` holds the first TENSORS_LISTED; ``tensor_count`` and ``dtypes`` (arrays per
    dtype) count all of them. ``parameter_count`` counts the elements of every array that does
    not belong to an optimizer, a scheduler or a random generator; shared arrays count once.
    """

    format: str
    step: int | None = None
    epoch: float | int | None = None
    loss: float | None = None
    metrics: dict[str, float] = {}
    tensors: tuple[TensorInfo, ...] = ()
    tensor_count: int = 0
    parameter_count: int = 0
    dtypes: dict[str, int] = {}
    size_bytes: int
    notes: tuple[str, ...] = ()


class Format(Protocol):
    """A checkpoint format: one module, one line in ``table.py``, one sample maker."""

    @property
    def name(self) -> str: ...

    @property
    def suffixes(self) -> frozenset[str]:
        """Lower-case suffixes that claim a file whose content no format recognises."""

    def matches(self, path: Path, head: bytes) -> bool:
        """Whether the content (or, for a folder, what it holds) is of this format."""

    def check(self, path: Path, *, deep: bool) -> Verdict:
        """Judge wholeness; an IntegrityError that is raised means torn."""

    def describe(self, path: Path) -> Description:
        """Say what is inside, running nothing of it; IntegrityError when it cannot be read."""


def metric_of(description: Description, name: str) -> float | None:
    """A finite number by its name (``loss``, ``step``, ``epoch`` or a metric), or None."""
    direct = {"loss": description.loss, "step": description.step, "epoch": description.epoch}
    value = description.metrics.get(name, direct.get(name))
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def whole(reason: str) -> Verdict:
    """The verdict that nothing is missing."""
    return Verdict(Wholeness.WHOLE, reason)


def undecided(reason: str) -> Verdict:
    """The verdict that the format cannot tell."""
    return Verdict(Wholeness.UNKNOWN, reason)
