"""What can go wrong with an instance."""

from __future__ import annotations


class MachineError(Exception):
    """A step failed; ``words`` are the system's or the tool's own."""

    def __init__(self, step: str, words: str) -> None:
        super().__init__(f"{step}: {words}")
        self.step = step
        self.words = words


class VolumeBusy(MachineError):
    """A volume is mounted, or open, in the instance."""


class MachineGone(MachineError):
    """The instance does not run: it has ended, or its keeper is gone."""
