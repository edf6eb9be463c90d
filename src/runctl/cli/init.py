"""``runctl init``: what a project needs to begin with."""

from __future__ import annotations

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation


@click.command(cls=Command)
@pass_invocation
def init(invocation: Invocation) -> None:
    """Make your owner id, and an empty .runctl.toml in this project. Safe to do again."""
    owner, made = invocation.client().init()
    invocation.screen.show(
        {"owner": owner, "made": made},
        lambda: [f"owner  {owner}", *(f"made   {path}" for path in made)],
        owner,
    )
    if not made:
        invocation.screen.note("everything was there already")
