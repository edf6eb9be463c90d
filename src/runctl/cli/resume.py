"""``runctl resume``: the next attempt of a run."""

from __future__ import annotations

from datetime import timedelta

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.launching import attach
from runctl.cli.parameters import run_argument, wait_timeout


@click.command(cls=Command)
@run_argument
@click.option("--from", "checkpoint", metavar="CHECKPOINT", help="The newest good one unless said.")
@click.option("--on", metavar="TARGET", help="Another instance: aws:i-…")
@click.option("--detach", is_flag=True, help="Return once the attempt has started.")
@wait_timeout
@pass_invocation
def resume(
    invocation: Invocation,
    run: str,
    *,
    checkpoint: str | None,
    on: str | None,
    detach: bool,
    wait_timeout: timedelta | None,
) -> None:
    """Go on with RUN, the last one unless named, which did not succeed, from a checkpoint."""
    client = invocation.client()
    with invocation.screen.working(f"resuming {run}"):
        found = client.resume(run, checkpoint=checkpoint, on=on)
    attach(invocation, client, found, is_detached=detach, timeout=wait_timeout)
