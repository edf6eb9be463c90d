"""``runctl train``: run a training script, and follow it."""

from __future__ import annotations

from typing import Any

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.launching import (
    carry_out_there,
    collect_settings,
    detach_option,
    launch_options,
    read_request,
    settle,
)
from runctl.cli.rented import check_unrented, rent_for, rented_options
from runctl.cli.renting import renting_settings


@click.command(cls=Command)
@click.option("--on", metavar="TARGET", help="Where: local, aws:INSTANCE, or aws:TYPE to rent one.")
@launch_options
@detach_option
@rented_options
@pass_invocation
@click.pass_context
def train(context: click.Context, invocation: Invocation, /, **options: Any) -> None:
    """Run SCRIPT, a .py, a shell script or an executable, and follow it until it is over.

    ARGUMENTS after -- reach the script byte for byte. Ctrl-C detaches, and the run goes on.

    \b
    runctl train train.py --hyperparams epochs=5,lr=1e-3
    runctl train "my scripts/fit.sh" --detach -- --resume -x
    runctl train train.py --on aws:g6.xlarge --spot --max-cost 5

    An instance that is rented for the run ends with it, however that ends, unless --keep is given.
    """
    settings = collect_settings(options) | renting_settings(options)
    client = invocation.client(settle(invocation, options, settings))
    request, target = read_request(options), client.config.values.run.on
    if not client.is_to_rent(target):
        check_unrented(context, target)
        carry_out_there(invocation, client, request, options)
        return
    rent_for(invocation, client, request, options)
