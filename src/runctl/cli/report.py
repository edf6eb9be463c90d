"""``runctl report``: what a run has lost, and what that has cost."""

from __future__ import annotations

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import run_argument


@click.command(cls=Command)
@run_argument
@click.option("--markdown", is_flag=True, help="As a table of Markdown.")
@pass_invocation
def report(invocation: Invocation, run: str, *, markdown: bool) -> None:
    """Show what RUN, the last one unless named, has lost: steps, time and money of each attempt.

    A step is lost where it is done again. The last step is what the log tells of; what is safe is
    what the ledger holds.
    """
    from runctl.cli.loss_pages import HEADER, loss_rows, markdown_page, tell_losses  # noqa: PLC0415

    client, screen = invocation.client(), invocation.screen
    found = client.losses(client.status(run))
    if markdown and screen.is_text:
        screen.show(found, lambda: markdown_page(found), found.run_id)
        return
    screen.show(found, lambda: screen.show_table(HEADER, loss_rows(found)), found.run_id)
    screen.note(tell_losses(found))
