"""The services, one package or module each."""

from __future__ import annotations

from importlib import import_module

_MODULES = (
    "ec2.tags",
    "ec2.profiles",
    "iam.account",
    "iam.attachments",
    "iam.managed",
    "iam.profiles",
    "iam.roles",
    "iam.simulation",
    "iam.users",
    "sts",
)


def load() -> None:
    """Import every module that registers operations."""
    for name in _MODULES:
        import_module(f"{__name__}.{name}")
