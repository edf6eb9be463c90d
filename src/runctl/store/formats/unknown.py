"""Whatever no format recognises: it may well be a checkpoint, but nothing can be said of it."""

from __future__ import annotations

from pathlib import Path

from runctl.store.formats.description import Description, Verdict, undecided


class Unknown:
    """Cannot judge wholeness."""

    name = "unknown"
    suffixes: frozenset[str] = frozenset()

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        return True

    def check(self, path: Path, *, deep: bool) -> Verdict:  # noqa: ARG002
        return undecided("runctl does not know this format, and cannot tell whether it is whole")

    def describe(self, path: Path) -> Description:
        note = "runctl does not know this format"
        return Description(format=self.name, size_bytes=path.stat().st_size, notes=(note,))
