"""``runctl cloud interrupt``, ``fault``, ``quota``: breaking a local cloud on purpose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from runctl.cli.cloud_options import name_option
from runctl.cli.command import Command, Group
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import Duration, together

EFFECTS = (
    "capacity", "throttle", "deny", "error", "delay", "hide", "reset", "truncate", "network",
    "freeze", "disk", "kill",
)  # fmt: skip


@click.command(cls=Command)
@click.argument("instance")
@click.option("--notice", type=Duration(), default="120s", show_default=True, help="Until the end.")
@click.option("--rebalance", is_flag=True, help="Only recommend to leave: the earlier signal.")
@name_option
@pass_invocation
def interrupt(
    invocation: Invocation, instance: str, *, notice: timedelta, rebalance: bool, name: str
) -> None:
    """Interrupt the spot instance INSTANCE: a notice in its metadata, and then its end."""
    from runctl.cli.sentences import tell_seconds  # noqa: PLC0415

    cloud = invocation.client().cloud(name)
    told = cloud.interrupt(instance, notice=notice, is_rebalance=rebalance)
    after = "" if told.time is None else f" in {tell_seconds(notice.total_seconds())}"
    line = f"{told.instance}: {told.action}{after}"
    invocation.screen.show(told, lambda: [line], told.instance)


@click.group(cls=Group)
def fault() -> None:
    """Break something on purpose, and mend it again."""


selectors = together(
    click.option("--service", metavar="PATTERN", help="Calls of this service, such as ec2."),
    click.option("--operation", metavar="PATTERN", help="Calls such as Describe*."),
    click.option("--region", metavar="PATTERN", help="In this region."),
    click.option("--zone", metavar="PATTERN", help="In this zone."),
    click.option("--type", "instance_type", metavar="PATTERN", help="Of types such as g5.*."),
    click.option("--market", type=click.Choice(["spot", "on-demand"]), help="Of this market."),
    click.option("--instance", metavar="ID", help="This instance."),
    click.option("--bucket", metavar="PATTERN", help="Requests to S3: of this bucket."),
    click.option("--key", metavar="PATTERN", help="Requests to S3: of this key."),
)
details = together(
    click.option("--code", help="The error code to answer."),
    click.option("--message", help="The words to answer."),
    click.option("--status", type=click.IntRange(400, 599), help="The HTTP status to answer."),
    click.option("--delay", type=Duration(), help="How long a call waits, or a thing is hidden."),
    click.option(
        "--rate", type=click.FloatRange(0, min_open=True), help="Calls a second that pass."
    ),
    click.option("--bytes", type=click.IntRange(0), help="Of a body, before it is cut off."),
    click.option("--after", type=click.IntRange(0), default=0, help="Leave so many calls alone."),
    click.option("--count", type=click.IntRange(1), help="And hit so many; all unless said."),
    click.option("--for", "for_", type=Duration(), help="And then mend it; never unless said."),
)


@fault.command(short_help="Put a fault in force.")
@click.argument("effect", type=click.Choice(EFFECTS), metavar="EFFECT")
@selectors
@details
@name_option
@pass_invocation
def add(invocation: Invocation, /, effect: str, *, name: str, **options: Any) -> None:
    """Put a fault in force. What it is about, all options together say; EFFECT is one of

    \b
    capacity  no capacity:   --type g5.* --zone us-east-1a --market spot
    throttle  asked too often:          --service ec2 --rate 2, or --count 5
    deny      not authorised:           --service ssm --operation SendCommand
    error     any answer:    --operation RunInstances --code InternalError --after 2 --count 1
    delay     a slow answer:                --service s3 --delay 2s
    hide      new things are not found yet: --delay 5s
    reset     the connection is reset:      --service s3 --operation GetObject --count 1
    truncate  the body is cut off:          --bucket b --key '*.pt' --bytes 1000 --count 1
    network   an instance loses its network:    --instance i-… --for 30s
    freeze    all its processes stop:           --instance i-… --for 30s
    disk      its disk is full:                 --instance i-…
    kill      its hardware fails:               --instance i-…
    """
    from runctl.cli.cloud_pages import fault_row  # noqa: PLC0415
    from runctl.model.cloud import FaultOrder  # noqa: PLC0415

    order = FaultOrder(
        effect=effect,
        delay_s=_seconds(options.pop("delay")),
        for_s=_seconds(options.pop("for_")),
        **options,
    )
    made = invocation.client().cloud(name).add_fault(order)
    invocation.screen.show(made, lambda: ["  ".join(fault_row(made))], made.id)


@fault.command("list")
@name_option
@pass_invocation
def list_(invocation: Invocation, *, name: str) -> None:
    """List faults, the oldest first, also those that are over."""
    from runctl.cli.cloud_pages import FAULT_HEADER, fault_row  # noqa: PLC0415

    screen = invocation.screen
    found = invocation.client().cloud(name).faults()
    rows = [fault_row(one) for one in found]
    screen.show(
        found,
        lambda: screen.show_table(FAULT_HEADER, rows) if rows else [],
        [one.id for one in found],
    )
    if not found:
        screen.note("there is no fault")


@fault.command()
@click.argument("faults", metavar="[FAULT]...", nargs=-1)
@name_option
@pass_invocation
def clear(invocation: Invocation, faults: tuple[str, ...], *, name: str) -> None:
    """End each FAULT, all unless named, and undo what lasts of it."""
    gone = invocation.client().cloud(name).clear_faults(faults)
    ids = [one.id for one in gone]
    invocation.screen.show(gone, lambda: [f"cleared {ident}" for ident in ids], ids)


@click.command(cls=Command)
@click.argument("code")
@click.argument("value", type=click.FloatRange(0))
@click.option("--region", help="Of this region; us-east-1 unless said.")
@name_option
@pass_invocation
def quota(
    invocation: Invocation, code: str, value: float, *, region: str | None, name: str
) -> None:
    """Let the quota CODE be VALUE, such as L-DB2E81BA for G instances on demand."""
    invocation.client().cloud(name).set_quota(code, value, region=region)
    document = {"code": code, "value": value, "region": region or "us-east-1"}
    invocation.screen.show(document, lambda: [f"{code} is {value:g}"], code)


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()
