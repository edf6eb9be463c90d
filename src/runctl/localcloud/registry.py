"""The registry of container images: where it is, for those who are told by ECR."""

from __future__ import annotations

from typing import Protocol


class Registry(Protocol):
    """Serves images under one address."""

    def host(self, account: str, region: str) -> str:
        """Return what comes before the slash in an image's name: a host, perhaps with a port."""
        ...

    def address(self, account: str, region: str) -> str:
        """Return the URL to which one logs in."""
        ...


class NoRegistry:
    """Names the registry as AWS does; nothing answers there."""

    def host(self, account: str, region: str) -> str:
        """Return the name that AWS's own registry has."""
        return f"{account}.dkr.ecr.{region}.amazonaws.com"

    def address(self, account: str, region: str) -> str:
        """Return its URL."""
        return f"https://{self.host(account, region)}"
