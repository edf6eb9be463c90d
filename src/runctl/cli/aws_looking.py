"""``runctl aws list``: the instances that are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from runctl.model.instance import Instance

_HEADER = ("ID", "TYPE", "STATE", "AGE", "PLACE", "MARKET", "NAME")


@click.command("list", cls=Command)
@click.option("--all", "-a", "is_all", is_flag=True, help="Those that are ended, too.")
@pass_invocation
def list_(invocation: Invocation, *, is_all: bool) -> None:
    """List the instances that bear your owner tag."""
    screen = invocation.screen
    found = invocation.client().instances().find(is_all=is_all)
    screen.show(
        found,
        lambda: screen.show_table(_HEADER, [_row(one) for one in found]) if found else [],
        [one.instance_id for one in found],
    )
    if not found:
        screen.note("no instances")


def _row(one: Instance) -> tuple[str, ...]:
    from runctl.cli.sentences import tell_age  # noqa: PLC0415

    return (
        one.instance_id,
        one.type,
        one.state.value,
        tell_age(one.launched_at) if one.launched_at else "-",
        one.place or "-",
        "spot" if one.is_spot else "on-demand",
        one.name or "-",
    )
