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

    found = invocation.client().status(run)
    invocation.screen.show(describe_run(found), lambda: status_page(found), found.run_id)
