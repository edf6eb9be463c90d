"""The seam to an instance: run a command there, bring a file there, bring one back.

The contract is tested by ``runctl.testing.transports`` on each implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Completed:
    """How a command ended. ``status`` is negative where a signal ended it."""

    status: int
    stdout: bytes
    stderr: bytes


class Transport(Protocol):
    """Commands are argv lists, everywhere: nothing is ever pasted into a shell's text."""

    @property
    def name(self) -> str:
        """How it is called where one is forced: ``ssm``, ``ssh``."""
        ...

    def exec(self, argv: Sequence[str], *, stdin: bytes = b"") -> Completed:
        """Run a command to its end, or raise TransportError if it could not be run."""
        ...

    def attach(self, argv: Sequence[str]) -> int:
        """Run a command on the caller's own terminal; return its exit status."""
        ...

    def put(self, source: Path, target: str) -> None:
        """Bring a file to the instance, whole or not at all, with its mode."""
        ...

    def get(self, source: str, target: Path) -> None:
        """Bring a file back, whole or not at all, with its mode."""
        ...
