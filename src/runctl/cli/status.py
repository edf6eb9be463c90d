"""``runctl status``: how a run stands."""

from __future__ import annotations

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import run_argument


@click.command(cls=Command)
@run_argument
@pass_invocation
def status(invocation: Invocation, run: str) -> None:
    """Show how RUN stands, the last one unless named: attempts, phases, checkpoints, exit."""
    from runctl.cli.documents import describe_run  # noqa: PLC0415
    from runctl.cli.pages import status_page  # noqa: PLC0415

    client = invocation.client()
    found = client.status(run)
    losses = client.losses(found)
    document = {**describe_run(found), "losses": losses.attempts}
    invocation.screen.show(document, lambda: status_page(found, losses), found.run_id)
