"""The services, one package or module each."""

from __future__ import annotations

from importlib import import_module

_MODULES = ("ec2.tags",)


def load() -> None:
    """Import every module that registers operations."""
    for name in _MODULES:
        import_module(f"{__name__}.{name}")
