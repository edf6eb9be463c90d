"""``runctl aws ebs list`` and ``show``: the volumes that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from runctl.model.instance import Volume

_HEADER = (
    "ID", "NAME", "SIZE", "TYPE", "STATE", "PLACE", "INSTANCE", "USD/MONTH", "PROTECTED",
)  # fmt: skip


@click.command("list", cls=Command)
@pass_invocation
def list_(invocation: Invocation) -> None:
    """List the volumes that bear your owner tag, disks of instances too."""
    screen = invocation.screen
    found = invocation.client().volumes().list()
    rows = [_row(one) for one in found]
    screen.show(
        found,
        lambda: screen.show_table(_HEADER, rows) if rows else [],
        [one.volume_id for one in found],
    )
    if not found:
        screen.note("no volumes; to make one: runctl aws ebs create NAME --size 100G --zone ZONE")


@click.command(cls=Command)
@click.argument("volume")
@pass_invocation
def show(invocation: Invocation, volume: str) -> None:
    """Show VOLUME: its size, its state, its instance, and what it costs."""
    found = invocation.client().volumes().find(volume)
    names = [name.lower() for name in _HEADER]
    lines = [f"{name:<10} {cell}" for name, cell in zip(names, _row(found), strict=True)]
    invocation.screen.show(found, lambda: lines, found.volume_id)


def _row(one: Volume) -> tuple[str, ...]:
    from runctl.model.money import format_cost  # noqa: PLC0415

    return (
        one.volume_id,
        one.name or "-",
        f"{one.gib} GiB",
        one.type,
        one.state or "-",
        one.place or "-",
        one.instance_id or "-",
        "-" if one.usd_per_month is None else format_cost(one.usd_per_month),
        "yes" if one.is_protected else "no",
    )
