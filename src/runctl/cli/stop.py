"""``runctl stop``: end a run."""

from __future__ import annotations

from datetime import timedelta

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import run_argument, wait_timeout


@click.command(cls=Command)
@run_argument
@click.option("--now", is_flag=True, help="SIGKILL at once.")
@wait_timeout
@pass_invocation
def stop(invocation: Invocation, run: str, *, now: bool, wait_timeout: timedelta | None) -> None:
    """Stop RUN, the last one unless named, and wait until it is over.

    The script gets SIGTERM, and SIGKILL once the grace of the run has passed. What it saves
    meanwhile is kept, and runctl resume goes on from there.
    """
    from runctl.cli.documents import describe_run  # noqa: PLC0415
    from runctl.cli.sentences import tell_summary  # noqa: PLC0415

    client, screen = invocation.client(), invocation.screen
    with screen.working(f"stopping {run}"):
        over = client.stop(run, is_now=now, timeout=wait_timeout)
    screen.show(describe_run(over), lambda: [tell_summary(over)], over.run_id)
    screen.note(f"to go on: runctl resume {over.run_id}")
