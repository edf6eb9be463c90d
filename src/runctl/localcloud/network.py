"""The daemon's side of the machines' own networks."""

from __future__ import annotations

from typing import Protocol


class Network(Protocol):
    """Serves the metadata and the endpoint inside a machine, on its own listening sockets."""

    def connect(self, ident: str) -> None:
        """Begin to serve a machine that is up; again is harmless."""
        ...

    def disconnect(self, ident: str) -> None:
        """Stop serving a machine that is gone."""
        ...

    def cut(self, ident: str) -> None:
        """Hold back what a machine and the cloud say to each other, but for the metadata."""
        ...

    def mend(self, ident: str) -> None:
        """Let it pass again."""
        ...


class Unconnected:
    """A network for tests without a server."""

    def connect(self, ident: str) -> None:
        """Serve nothing."""

    def disconnect(self, ident: str) -> None:
        """Serve nothing."""

    def cut(self, ident: str) -> None:
        """Hold back nothing."""

    def mend(self, ident: str) -> None:
        """Let nothing pass."""
