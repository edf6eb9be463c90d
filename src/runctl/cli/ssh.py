"""``runctl ssh``: a shell, a command, a port on an instance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from runctl.cli.aws_options import not_mine_option
from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import read_forwards, transport_option
from runctl.cli.render import stdout_reserved
from runctl.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from runctl.client import Machine
    from runctl.model.access import Forward, SshHost


@click.command(cls=Command)
@click.argument("instance", metavar="INSTANCE|RUN")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--forward", multiple=True, metavar="[LOCAL:]PORT", help="Open a port of it on this machine."
)
@click.option("--config", is_flag=True, help="Print a Host block for ~/.ssh/config.")
@transport_option
@not_mine_option
@pass_invocation
def ssh(
    invocation: Invocation,
    *,
    instance: str,
    command: tuple[str, ...],
    forward: tuple[str, ...],
    config: bool,
    transport: str | None,
    not_mine: bool,
) -> int:
    """Open a shell on an instance, run COMMAND there, or bring ports of it here.

    The exit status is the command's own.

    \b
    runctl ssh @last
    runctl ssh i-0123456789abcdef0 -- nvidia-smi
    runctl ssh @last --forward 6006
    runctl ssh @last --config >> ~/.ssh/config
    """
    forwards = read_forwards(forward)
    if config and (command or forwards):
        raise UsageError(
            "--config goes alone: it prints, and connects nowhere",
            hint=f"runctl ssh {instance} --config",
        )
    way = transport or ("ssh" if config else None)
    client = invocation.client({"aws.transport": way})
    machine = client.machine(instance, is_foreign=not_mine)
    if config:
        _show_host(invocation, machine.ssh_host())
        return 0
    with stdout_reserved(is_reserved=not invocation.screen.is_text):
        status = _visit(invocation, machine, command, forwards)
    ident = machine.instance.instance_id
    invocation.screen.show({"instance_id": ident, "status": status}, list, ident)
    return status if status >= 0 else 128 - status


def _visit(
    invocation: Invocation, machine: Machine, command: Sequence[str], forwards: Sequence[Forward]
) -> int:
    ident = machine.instance.instance_id
    tell = invocation.screen.detail if command and not forwards else invocation.screen.note
    tell(f"{ident} {machine.way}")
    if not forwards:
        return machine.exec(command) if command else machine.shell()
    for one in forwards:
        tell(f"{one.address} is its port {one.remote_port}")
    try:
        return machine.forward(forwards, command)
    except KeyboardInterrupt:
        raise Interrupted(
            f"the ports of {ident} are closed", hint=f"runctl ssh {machine.alias}"
        ) from None


def _show_host(invocation: Invocation, host: SshHost) -> None:
    invocation.screen.show(host, lambda: _block(host), host.alias)


def _block(host: SshHost) -> Iterable[str]:
    yield f"Host {host.alias}"
    yield from (f"  {keyword} {value}" for keyword, value in host.options.items())
