"""``runctl aws train`` and ``monitor``: a run on an instance that is there already."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.launching import launch, launch_options
from runctl.cli.parameters import wait_timeout

instance_argument = click.argument("instance")


@click.command(cls=Command)
@instance_argument
@launch_options
@click.option(
    "--sync-code/--no-sync-code",
    default=True,
    help="Send the code of now, or use that of the project's last run on INSTANCE.",
)
@click.option("--wait", is_flag=True, help="Follow the run until it is over, and end as it does.")
@pass_invocation
def train(invocation: Invocation, /, instance: str, *, wait: bool, **options: Any) -> None:
    """Run SCRIPT on INSTANCE, and return once it has started.

    The same as runctl train --on aws:INSTANCE --detach; with --wait, without --detach. With
    --no-sync-code the files here are not looked at: SCRIPT runs as the project's last run on
    INSTANCE brought it.

    \b
    runctl aws train i-0123456789abcdef0 train.py --hyperparams epochs=5
    runctl aws monitor i-0123456789abcdef0 -f
    """
    is_detached = not wait and options["wait_timeout"] is None
    launch(invocation, {**options, "on": f"aws:{instance}", "detach": is_detached})


@click.command(cls=Command)
@instance_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the run is over.")
@wait_timeout
@pass_invocation
def monitor(
    invocation: Invocation, instance: str, *, follow: bool, wait_timeout: timedelta | None
) -> None:
    """Print the log of the run that was started last on INSTANCE.

    With -f, go on until that run is over, and end as it does.
    """
    from runctl.cli.logs import follow_log, print_log  # noqa: PLC0415

    client = invocation.client()
    run_id = client.instances().last_run(instance)
    if follow:
        follow_log(invocation, client, run_id, timeout=wait_timeout)
    else:
        print_log(invocation, client, run_id)
