"""Machines on paper: they are up at once, and do nothing."""

from __future__ import annotations

from typing import Any


class PaperTier:
    """Remembers what it was asked for."""

    name = "paper"

    def __init__(self) -> None:
        self.launched: dict[str, Any] = {}
        self.destroyed: list[str] = []

    def launch(self, spec: Any) -> None:
        self.launched[spec.id] = spec

    def find(self, ident: str) -> Any:
        return None

    def destroy(self, ident: str) -> None:
        self.launched.pop(ident, None)
        self.destroyed.append(ident)
