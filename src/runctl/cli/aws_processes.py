"""``runctl aws processes``: what goes on on an instance."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from runctl.cli.aws_options import not_mine_option
from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import Duration, transport_option
from runctl.errors import Interrupted

if TYPE_CHECKING:
    from runctl.client import Machine
    from runctl.model.machine import MachineLook


@click.command(cls=Command)
@click.argument("instance", metavar="INSTANCE|RUN")
@click.option("-w", "--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option("--interval", type=Duration(), default="2s", show_default=True, help="With -w.")
@click.option("--detailed", is_flag=True, help="Each core, and the processes of others.")
@transport_option
@not_mine_option
@pass_invocation
def processes(
    invocation: Invocation,
    *,
    instance: str,
    watch: bool,
    interval: timedelta,
    detailed: bool,
    transport: str | None,
    not_mine: bool,
) -> None:
    """Show what goes on on an instance: processor, memory, disks, GPUs, and processes of runs.

    \b
    runctl aws processes @last
    runctl aws processes i-0123456789abcdef0 -w --detailed
    """
    client = invocation.client({"aws.transport": transport})
    machine = client.machine(instance, is_foreign=not_mine)
    if watch:
        _watch(invocation, machine, interval, is_detailed=detailed)
        return
    with invocation.screen.working("looking"):
        found = machine.look(is_detailed=detailed)
    _show(invocation, machine, found, is_detailed=detailed, is_watched=False)


def _watch(
    invocation: Invocation, machine: Machine, interval: timedelta, *, is_detailed: bool
) -> None:
    try:
        for found in machine.watch(interval, is_detailed=is_detailed):
            _show(invocation, machine, found, is_detailed=is_detailed, is_watched=True)
    except KeyboardInterrupt:
        ident = machine.instance.instance_id
        raise Interrupted(
            f"{ident} is no longer watched", hint=f"runctl aws processes {ident} -w"
        ) from None


def _show(
    invocation: Invocation,
    machine: Machine,
    found: MachineLook,
    *,
    is_detailed: bool,
    is_watched: bool,
) -> None:
    from runctl.cli.machine_page import machine_page  # noqa: PLC0415

    screen = invocation.screen
    title = f"{found.instance}  {machine.instance.type}  {machine.way}"
    if is_watched and screen.is_json:
        screen.show_line(found)
    elif is_watched and screen.is_text:
        screen.redraw(machine_page(screen, title, found, is_detailed=is_detailed))
    else:
        screen.show(
            found,
            lambda: machine_page(screen, title, found, is_detailed=is_detailed),
            found.instance,
        )
