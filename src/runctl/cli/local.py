"""``runctl local``: ``train`` on this machine, whatever the settings say."""

from __future__ import annotations

from typing import Any

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.launching import detach_option, launch, launch_options


@click.command(cls=Command)
@launch_options
@detach_option
@pass_invocation
def local(invocation: Invocation, /, **options: Any) -> None:
    """Run SCRIPT on this machine, and follow it until it is over.

    The same as runctl train --on local.
    """
    launch(invocation, {**options, "on": "local"})
