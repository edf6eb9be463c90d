"""``runctl aws check``: whether a launch would find all that it needs, before it costs anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.model.setup import Finding

_STYLES = {"ok": "green", "failed": "red", "unknown": "yellow"}


@click.command(cls=Command)
@click.option(
    "--instance-type", "types", metavar="TYPE", multiple=True,
    help="Check that the quota leaves room for it.",
)  # fmt: skip
@click.option("--spot", is_flag=True, help="Check the quota of spot instances.")
@click.option("--key-name", metavar="NAME", help="Check that there is this key pair.")
@click.option("--subnet", metavar="ID", help="Check the ways out of this subnet.")
@click.option("--on", "instance", metavar="INSTANCE", help="Let this one try to use the ledger.")
@pass_invocation
def check(
    invocation: Invocation,
    *,
    types: tuple[str, ...],
    spot: bool,
    key_name: str | None,
    subnet: str | None,
    instance: str | None,
) -> int:
    """Check credentials, region, ledger, instance profile, the rights of its role, security
    group and network; with --instance-type the quota, with --on the ledger as an instance sees it.

    What could not be looked at is unknown, never ok. The exit status is 0 if nothing failed, else
    that of the first failure.
    """
    from runctl.model.wish import InstanceWish  # noqa: PLC0415

    screen = invocation.screen
    wish = InstanceWish(types=types, is_spot=spot, key_name=key_name, subnet=subnet)
    with screen.working("looking at what is there"):
        found = invocation.client().aws_setup().check(wish, instance=instance)
    subjects = [one.subject for one in found if one.exit_code]
    screen.show(found, lambda: _lines(screen, found), subjects)
    return next((one.exit_code for one in found if one.exit_code), 0)


def _lines(screen: Screen, found: list[Finding]) -> Iterator[str]:
    width = max(len(one.subject) for one in found)
    for one in found:
        verdict = screen.paint(one.verdict.value.ljust(7), _STYLES[one.verdict.value], sys.stdout)
        yield f"{verdict}  {one.subject.ljust(width)}  {one.told}"
        for statement in one.missing:
            yield f"         missing  {json.dumps(statement)}"
        if one.fix is not None:
            yield f"         fix      {one.fix}"
