"""``--volume``: what is wanted on an instance, what it costs, and that it is agreed to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from runctl.cli.consent import require_consent
from runctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from runctl.client import Client
    from runctl.model.volume import VolumeAsk, VolumePlan
    from runctl.model.wish import InstanceWish

volume_option = click.option(
    "--volume",
    "volumes",
    multiple=True,
    metavar="SRC:MOUNT[:ro]",
    help="A volume by id or name, or a new one such as 100G, at a folder there.",
)


def near_volumes(
    invocation: Invocation,
    client: Client,
    wish: InstanceWish,
    asks: Sequence[VolumeAsk],
    *,
    is_strict: bool = False,
) -> InstanceWish:
    """Return the wish for an instance in the zone of the volumes, whose price is shown.

    ``is_strict``: no instance that is there already may have them.
    """
    if not asks:
        return wish
    with invocation.screen.working("looking at the volumes"):
        plan = client.volumes().foresee(asks, "aws", is_strict=is_strict)
    for line in volume_lines(plan):
        invocation.screen.message(line)
    return client.volumes().near(wish, plan)


def agree_to_volumes(
    invocation: Invocation, client: Client, asks: Sequence[VolumeAsk], target: str, *, yes: bool
) -> None:
    """Return if what is to be made for an instance that is there is agreed to."""
    if not any(one.gib for one in asks):
        return
    for line in volume_lines(client.volumes().foresee(asks, target)):
        (invocation.screen.note if yes else invocation.screen.message)(line)
    hint = "what it costs is said above: type the same with --yes"
    require_consent(invocation.screen, "Make it?", is_given=yes, hint=hint)


def volume_lines(plan: VolumePlan) -> Iterator[str]:
    from runctl.cli.sentences import tell_foresight  # noqa: PLC0415 - no help needs it

    for one in plan.volumes:
        yield f"volume: {tell_foresight(one)}"
