"""Names and values, one a line."""

from __future__ import annotations

from collections.abc import Iterator

Fact = tuple[str, str | None]


def align(*facts: Fact) -> Iterator[str]:
    """Lines of names and values, without those that have none."""
    known = [(name, value) for name, value in facts if value is not None]
    width = max((len(name) for name, _ in known), default=0)
    return (f"{name:<{width}}  {value}" for name, value in known)
