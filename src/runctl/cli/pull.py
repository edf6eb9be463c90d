"""``runctl pull``: what a run has made."""

from __future__ import annotations

from pathlib import Path

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import needed_run


@click.command(cls=Command)
@needed_run
@click.argument("folder", required=False)
@pass_invocation
def pull(invocation: Invocation, run: str, folder: str | None) -> None:
    """Bring the outputs of RUN, verified, into FOLDER, which is named after it unless given."""
    client, screen = invocation.client(), invocation.screen
    found = client.status(run)
    target = Path(folder or found.spec.name)
    with screen.working(f"bringing the outputs of {found.spec.name}"):
        paths = client.outputs(found.run_id, target)
    document = {"run_id": found.run_id, "folder": target, "paths": paths}
    screen.show(document, lambda: map(str, paths), found.run_id)
