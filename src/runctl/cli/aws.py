"""``runctl aws``: instances of EC2, from the account's set-up to their end."""

from __future__ import annotations

from runctl.cli.command import LazyGroup

COMMANDS = {
    "list": ("runctl.cli.aws_looking:list_", "List your instances."),
}

aws = LazyGroup(
    "aws",
    COMMANDS,
    help="""Rent instances of EC2, train on them, end them.

An instance is yours if it bears your owner tag; no other is ever changed.
""",
)
