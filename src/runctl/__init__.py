"""runctl runs a training script somewhere else as easily as here, and never loses the work."""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself would double the time that this import takes
if TYPE_CHECKING:
    from runctl.client import Client
    from runctl.errors import RunctlError
    from runctl.model import VERSION as __version__  # noqa: N811
    from runctl.model.run import Run, State
    from runctl.model.views import LaunchPlan, LaunchRequest, RunSummary

__all__ = [
    "Client",
    "LaunchPlan",
    "LaunchRequest",
    "Run",
    "RunSummary",
    "RunctlError",
    "State",
    "__version__",
]

_HOMES = {
    "Client": "runctl.client:Client",
    "LaunchPlan": "runctl.model.views:LaunchPlan",
    "LaunchRequest": "runctl.model.views:LaunchRequest",
    "Run": "runctl.model.run:Run",
    "RunSummary": "runctl.model.views:RunSummary",
    "RunctlError": "runctl.errors:RunctlError",
    "State": "runctl.model.run:State",
    "__version__": "runctl.model:VERSION",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: ``import runctl`` itself costs nothing."""
    from importlib import import_module  # noqa: PLC0415

    if name not in _HOMES:
        raise AttributeError(f"module 'runctl' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(module), attribute)
