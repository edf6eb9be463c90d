"""Who rents machines: a lazy table, so that an SDK is imported only when it is used."""

from __future__ import annotations

from importlib import import_module

from runctl.errors import UsageError
from runctl.providers.api import Provider, Surroundings

_TABLE = {
    "aws": "runctl.providers.aws.provider:AwsProvider",
    "local": "runctl.providers.local:LocalProvider",
}


def names() -> list[str]:
    return sorted(_TABLE)


def open_provider(name: str, surroundings: Surroundings) -> Provider:
    """Return the provider of this name, or raise UsageError naming those there are."""
    if name not in _TABLE:
        raise UsageError(
            f"there is no provider {name!r}; there is {', '.join(names())}",
            hint="runctl train SCRIPT --on local",
        )
    module, _, kind = _TABLE[name].partition(":")
    provider: Provider = getattr(import_module(module), kind)(surroundings)
    return provider
