"""``runctl train``: run a training script, and follow it."""

from __future__ import annotations

from typing import Any

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.launching import detach_option, launch, launch_options


@click.command(cls=Command)
@click.option("--on", metavar="TARGET", help="Where: local, or aws:i-… for an instance.")
@launch_options
@detach_option
@pass_invocation
def train(invocation: Invocation, /, **options: Any) -> None:
    """Run SCRIPT, a .py, a shell script or an executable, and follow it until it is over.

    ARGUMENTS after -- reach the script byte for byte. Ctrl-C detaches, and the run goes on.

    \b
    runctl train train.py --hyperparams epochs=5,lr=1e-3
    runctl train "my scripts/fit.sh" --detach -- --resume -x
    """
    launch(invocation, options)
