"""``runctl version``."""

from __future__ import annotations

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation


@click.command(cls=Command)
@pass_invocation
def version(invocation: Invocation) -> None:
    """Print the version of runctl."""
    import platform  # noqa: PLC0415

    from runctl.model import VERSION  # noqa: PLC0415

    document = {
        "version": VERSION,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    invocation.screen.show(document, lambda: [f"runctl {VERSION}"], VERSION)
