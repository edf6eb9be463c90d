"""``runctl diff``: in what two runs differ."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from runctl.model.views import Difference

ABSENT = "-"


@click.command(cls=Command)
@click.argument("left")
@click.argument("right")
@pass_invocation
def diff(invocation: Invocation, left: str, right: str) -> None:
    """Show in what runs LEFT and RIGHT differ: spec, code, hyperparameters, result."""
    client = invocation.client()
    ids = client.find(left), client.find(right)
    found = client.diff(*ids)
    document = {"left": ids[0], "right": ids[1], "differences": found}
    invocation.screen.show(document, lambda: _page(found), ids)
    if not found:
        invocation.screen.note("these runs do not differ")


def _page(found: list[Difference]) -> Iterable[str]:
    for topic, differences in groupby(found, key=lambda one: one.topic):
        yield topic
        for one in differences:
            yield f"  {one.key}: {_text(one.left)} → {_text(one.right)}"


def _text(value: str | None) -> str:
    return ABSENT if value is None else value or '""'
