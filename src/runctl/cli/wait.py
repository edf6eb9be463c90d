"""``runctl wait``: until a run is over."""

from __future__ import annotations

from datetime import timedelta

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import run_argument, wait_timeout


@click.command(cls=Command)
@run_argument
@wait_timeout
@pass_invocation
def wait(invocation: Invocation, run: str, wait_timeout: timedelta | None) -> None:
    """Wait until RUN, the last one unless named, is over; end with its exit status."""
    from runctl.cli.documents import describe_run  # noqa: PLC0415
    from runctl.cli.following import conclude, detaching  # noqa: PLC0415
    from runctl.cli.sentences import tell_summary  # noqa: PLC0415

    client, screen = invocation.client(), invocation.screen
    found = client.status(run)
    timeout = client.config.values.run.wait_timeout if wait_timeout is None else wait_timeout
    with detaching(found.run_id, found.spec.name), screen.working(f"waiting for {found.spec.name}"):
        over = client.wait(found.run_id, timeout)
    conclude(client, over)
    screen.show(describe_run(over), lambda: [tell_summary(over)], over.run_id)
