"""A step that failed, and what was said."""

from __future__ import annotations

import os
import sys


class StepFailed(Exception):
    """The instance cannot be started."""

    def __init__(self, step: str, words: str) -> None:
        super().__init__(f"{step}: {words}")
        self.step = step
        self.words = words


class Step:
    """Names the step in which the system refuses."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, OSError):
            raise StepFailed(self._name, str(fault)) from fault


def leave() -> None:
    """End a process that was forked, at once; what it is failing of goes to its log."""
    kind, fault, trace = sys.exc_info()
    if kind is not None and fault is not None:
        sys.excepthook(kind, fault, trace)
        sys.stderr.flush()
    os._exit(1 if kind else 0)
