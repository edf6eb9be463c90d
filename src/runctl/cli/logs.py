"""``runctl logs``: what a run has printed."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import Moment, run_argument, wait_timeout


@click.command(cls=Command)
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the run is over.")
@click.option("--since", type=Moment(), help="Only what came after: 10m, 2026-01-31T12:00.")
@click.option("--attempt", type=click.IntRange(1), help="Of this attempt; the last unless said.")
@wait_timeout
@pass_invocation
def logs(
    invocation: Invocation,
    run: str,
    *,
    follow: bool,
    since: datetime | None,
    attempt: int | None,
    wait_timeout: timedelta | None,
) -> None:
    """Print the log of RUN, the last one unless named, as it was printed.

    With -f, go on until the run is over, through attempts still to come, and end as it does.
    """
    from runctl.cli.following import Viewer, conclude, detaching  # noqa: PLC0415

    client, screen = invocation.client(), invocation.screen
    run_id = client.find(run)
    if not (screen.is_json or screen.is_text):
        screen.show(None, list, run_id)
    viewer = Viewer(screen, is_log_only=True)
    if not follow:
        for part in client.logs(run_id, attempt=attempt, since=since):
            viewer.show_log(part)
        return
    found = client.status(run_id)
    with detaching(run_id, found.spec.name):
        first = attempt or max(1, len(found.attempts))
        updates = client.follow(run_id, attempt=first, since=since, timeout=wait_timeout)
        over = viewer.show(updates)
    conclude(client, over)
