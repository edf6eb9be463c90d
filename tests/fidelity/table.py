"""The form of the table: a call, and the answer that AWS documents for it.

A row knows nothing of the local cloud: the same rows run against AWS with ``--cloud=aws``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class World(Protocol):
    """What rows may use. Things are made at their first use, tagged, and ended with the suite."""

    region: str
    account: str

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client."""
        ...

    def name(self, stem: str) -> str:
        """Return a name that nobody else has: ``stem`` and some hexadecimal digits."""
        ...

    def tags(self, kind: str) -> list[dict[str, Any]]:
        """Return TagSpecifications that say that a thing of a kind is the suite's."""
        ...

    def later(self, undo: Callable[[], object]) -> None:
        """Do it when the suite ends, in reverse order; its errors are reported."""
        ...

    @property
    def image(self) -> str:
        """The id of the newest AL2023 image for x86_64."""
        ...

    @property
    def instance(self) -> str:
        """The id of a running t3.micro with the instance profile, Online in Systems Manager."""
        ...

    @property
    def profile(self) -> str:
        """The name of an instance profile whose role Systems Manager accepts."""
        ...

    @property
    def volume(self) -> str:
        """The id of an available gp3 volume of 1 GiB, in the zone of ``instance``."""
        ...

    @property
    def bucket(self) -> str:
        """The name of an empty bucket."""
        ...


Parameters = Mapping[str, Any] | Callable[[World], Mapping[str, Any]]


@dataclass(frozen=True)
class Refused:
    """The call fails with this code; ``words`` stand in the message."""

    code: str
    words: str = ""
    status: int | None = None


@dataclass(frozen=True)
class Answered:
    """The call succeeds, and the check of its answer neither raises nor returns False."""

    check: Callable[[Any], object] = lambda _: True


@dataclass(frozen=True)
class Row:
    """One call and its documented answer."""

    says: str
    """What AWS documents, as a sentence; it is the name of the test."""
    service: str
    call: str
    """The name of the client's method."""
    parameters: Parameters
    outcome: Refused | Answered
    source: str
    """Where AWS says so: the name of the page or of the API reference's entry."""


@dataclass(frozen=True)
class Story:
    """Several calls in a row; ``play`` asserts what AWS documents of them."""

    says: str
    play: Callable[[World], None]
    source: str
