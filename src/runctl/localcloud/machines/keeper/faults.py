"""A step that failed, and what was said."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class StepFailed(Exception):
    """The instance cannot be started."""

    def __init__(self, step: str, words: str) -> None:
        super().__init__(f"{step}: {words}")
        self.step = step
        self.words = words

    @classmethod
    @contextmanager
    def named(cls, step: str) -> Iterator[None]:
        """Name the step in which the system refuses."""
        try:
            yield
        except OSError as fault:
            raise cls(step, str(fault)) from fault


def leave() -> None:
    """End a process that was forked, at once; what it is failing of goes to its log."""
    kind, fault, trace = sys.exc_info()
    if kind is not None and fault is not None:
        sys.excepthook(kind, fault, trace)
        sys.stderr.flush()
    os._exit(1 if kind else 0)
