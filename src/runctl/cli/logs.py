"""``runctl logs``: what a run has printed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import Moment, run_argument, wait_timeout

if TYPE_CHECKING:
    from runctl.cli.following import Viewer
    from runctl.client import Client


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
    client = invocation.client()
    run_id = client.find(run)
    if follow:
        follow_log(invocation, client, run_id, attempt=attempt, since=since, timeout=wait_timeout)
    else:
        print_log(invocation, client, run_id, attempt=attempt, since=since)


def print_log(
    invocation: Invocation,
    client: Client,
    run_id: str,
    *,
    attempt: int | None = None,
    since: datetime | None = None,
) -> None:
    """Print what is there of a log."""
    viewer = _viewer(invocation, run_id)
    for part in client.logs(run_id, attempt=attempt, since=since):
        viewer.show_log(part)


def follow_log(
    invocation: Invocation,
    client: Client,
    run_id: str,
    *,
    attempt: int | None = None,
    since: datetime | None = None,
    timeout: timedelta | None = None,
) -> None:
    """Print a log until its run is over, and end as the run does."""
    from runctl.cli.following import conclude, detaching  # noqa: PLC0415

    viewer = _viewer(invocation, run_id)
    found = client.status(run_id)
    with detaching(run_id, found.spec.name):
        first = attempt or max(1, len(found.attempts))
        over = viewer.show(client.follow(run_id, attempt=first, since=since, timeout=timeout))
    conclude(client, over)


def _viewer(invocation: Invocation, run_id: str) -> Viewer:
    from runctl.cli.following import Viewer  # noqa: PLC0415

    screen = invocation.screen
    if not (screen.is_json or screen.is_text):
        screen.show(None, list, run_id)
    return Viewer(screen, is_log_only=True)
