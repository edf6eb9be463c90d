"""What is carried between a folder here, a bucket, an instance and the outputs of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runctl.errors import UsageError
from runctl.model.codec import Value
from runctl.model.transfer import Trouble

Kind = Literal["here", "s3", "instance", "run"]
_HINT = "runctl transfer SOURCE TARGET: a path, s3://bucket/path, instance:ID:/path, or run:ID/path"


@dataclass(frozen=True)
class Place:
    """One end. ``name`` is the instance or the run; ``path`` is what is meant there.

    Of a bucket, ``path`` is the whole URL.
    """

    kind: Kind
    path: str
    name: str = ""

    @property
    def is_folder(self) -> bool:
        """Tell whether it is written as a folder: what comes gets into it."""
        return self.path.endswith("/")


def read_place(text: str) -> Place:
    """Read one end as it is typed, or raise UsageError."""
    if text.startswith("s3://"):
        return Place("s3", text)
    kind, mark, rest = text.partition(":")
    if kind == "instance" and mark:
        name, _, path = rest.partition(":")
        if not name or not path:
            raise UsageError(f"{text!r} names no path on an instance", hint=_HINT)
        return Place("instance", path, name)
    if kind == "run" and mark:
        name, _, path = rest.partition("/")
        if not name:
            raise UsageError(f"{text!r} names no run", hint=_HINT)
        return Place("run", path, name)
    if "://" in text or not text:
        raise UsageError(f"{text!r} is no place that anything is carried to or from", hint=_HINT)
    return Place("here", text)


class Carried(Value, frozen=True, kw_only=True):
    """What was carried, or would be. ``is_direct``: no byte came through this machine.

    ``unverified``: came whole, but its store tells no digest that can be computed there.
    """

    source: str
    target: str
    files: tuple[str, ...]
    size_bytes: int
    is_direct: bool
    is_dry_run: bool
    unverified: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
