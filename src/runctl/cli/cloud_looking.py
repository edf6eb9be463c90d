"""``runctl cloud status``, ``env``, ``events``: looking at a local cloud."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from runctl.cli.cloud_options import name_option
from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import Moment
from runctl.errors import Interrupted

if TYPE_CHECKING:
    from runctl.model.cloud import CloudEvent


@click.command(cls=Command)
@name_option
@pass_invocation
def status(invocation: Invocation, *, name: str) -> None:
    """Show how the local cloud stands: its address, its tier and why, what is in it."""
    from runctl.cli.cloud_pages import status_page  # noqa: PLC0415

    found = invocation.client().cloud(name).status()
    invocation.screen.show(found, lambda: status_page(found), found.name)


@click.command(cls=Command)
@click.option(
    "--shell",
    type=click.Choice(["sh", "fish"]),
    default="sh",
    show_default=True,
    help="sh is for bash and zsh, too.",
)
@click.option("--region", help="Another region than us-east-1.")
@name_option
@pass_invocation
def env(invocation: Invocation, *, shell: str, region: str | None, name: str) -> None:
    """Print what leads the programs of a shell to the local cloud.

    \b
    eval "$(runctl cloud env)"
    runctl cloud env --shell fish | source

    The credentials are throw-away ones, and good for nothing else.
    """
    from runctl.cli.cloud_variables import leading, misleading  # noqa: PLC0415

    keys = invocation.client().cloud(name).keys(region)
    variables = leading(keys, os.environ)
    unset = misleading(os.environ)
    write = _write_fish if shell == "fish" else _write_sh
    document = {"variables": variables, "unset": unset}
    invocation.screen.show(document, lambda: write(variables, unset), keys.endpoint)


@click.command(cls=Command)
@click.option("-f", "--follow", is_flag=True, help="Go on until the local cloud is stopped.")
@click.option("--since", type=Moment(), help="Only what came after: 10m, 2026-01-31T12:00.")
@name_option
@pass_invocation
def events(invocation: Invocation, *, follow: bool, since: datetime | None, name: str) -> None:
    """Print what happened in the local cloud: calls, states of instances, faults, interruptions."""
    from runctl.cli.cloud_pages import event_line  # noqa: PLC0415

    cloud, screen = invocation.client().cloud(name), invocation.screen
    if not follow:
        found = list(cloud.events(since=since))
        names = [one.event for one in found]
        screen.show(found, lambda: [event_line(one) for one in found], names)
        return
    cloud.status()  # so that one that does not run is told
    try:
        for event in cloud.follow(since=since):
            _show_event(invocation, event)
        screen.note(f"the local cloud {name} does not run any more")
    except KeyboardInterrupt:
        raise Interrupted(
            f"the local cloud {name} goes on", hint="runctl cloud events -f"
        ) from None


def _show_event(invocation: Invocation, event: CloudEvent) -> None:
    from runctl.cli.cloud_pages import event_line  # noqa: PLC0415

    if invocation.screen.is_json:
        invocation.screen.show_line(event)
    else:
        invocation.screen.show(None, lambda: [event_line(event)], event.event)


def _write_sh(variables: Mapping[str, str], unset: Sequence[str]) -> Sequence[str]:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return [*lines, f"unset {' '.join(unset)}"]


def _write_fish(variables: Mapping[str, str], unset: Sequence[str]) -> Sequence[str]:
    lines = [f"set -gx {name} {shlex.quote(value)}" for name, value in variables.items()]
    return [*lines, *(f"set -e {name}" for name in unset)]
