"""``runctl exec``: a command beside the training."""

from __future__ import annotations

import shlex

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import needed_run
from runctl.cli.render import stdout_reserved
from runctl.errors import CommandFailed


@click.command(name="exec", cls=Command)
@needed_run
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_invocation
def exec_(invocation: Invocation, run: str, command: tuple[str, ...]) -> None:
    """Run COMMAND in the folder and environment of RUN.

    What it prints comes as it is; with --output json or id, on standard error.

    \b
    runctl exec @last -- nvidia-smi
    runctl exec @last -- python -c 'import torch; print(torch.__version__)'
    """
    client, screen = invocation.client(), invocation.screen
    run_id = client.find(run)
    with stdout_reserved(is_reserved=not screen.is_text):
        status = client.exec(run_id, command)
    if status != 0:
        raise CommandFailed(
            f"{shlex.join(command)} {_tell_status(status)}",
            hint=f"runctl status {run_id}",
            run=run_id,
            status=status,
        )
    screen.show({"run_id": run_id, "status": status}, list, run_id)


def _tell_status(status: int) -> str:
    from runctl.cli.sentences import name_signal  # noqa: PLC0415

    return f"ended with status {status}" if status >= 0 else f"was ended by {name_signal(-status)}"
