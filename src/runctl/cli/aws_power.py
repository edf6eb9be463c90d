"""``runctl aws stop`` and ``start``: instances at rest, and up again with their disks."""

from __future__ import annotations

from datetime import timedelta

import click

from runctl.cli.aws_options import (
    flush_timeout_option,
    force_option,
    instances_argument,
    not_mine_option,
    wait_timeout_option,
)
from runctl.cli.aws_reports import conclude
from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation


@click.command(cls=Command)
@instances_argument
@force_option
@flush_timeout_option
@not_mine_option
@click.option("--wait", is_flag=True, help="Wait until it has stopped.")
@wait_timeout_option
@pass_invocation
def stop(
    invocation: Invocation,
    instances: tuple[str, ...],
    *,
    force: bool,
    flush_timeout: timedelta,
    not_mine: bool,
    wait: bool,
    wait_timeout: timedelta,
) -> int:
    """Stop each INSTANCE: it costs nothing then but its disks, which stay.

    Refused where a run is active on one. A spot instance of one time cannot be stopped.
    """
    client = invocation.client()
    with invocation.screen.working(f"stopping {', '.join(instances)}"):
        reports = client.instances().stop(
            instances,
            is_forced=force,
            is_foreign=not_mine,
            flush_time=flush_timeout,
            is_waiting=wait,
            timeout=wait_timeout,
        )
    return conclude(invocation, reports)


@click.command(cls=Command)
@instances_argument
@not_mine_option
@click.option("--wait", is_flag=True, help="Wait until it answers a command.")
@wait_timeout_option
@yes_option
@dry_run_option
@pass_invocation
def start(
    invocation: Invocation,
    instances: tuple[str, ...],
    *,
    not_mine: bool,
    wait: bool,
    wait_timeout: timedelta,
    yes: bool,
    dry_run: bool,
) -> int:
    """Start each INSTANCE that is stopped, with the disks that it had; it costs again."""
    from runctl.cli.aws_pages import tell_instance  # noqa: PLC0415
    from runctl.cli.sentences import tell_count  # noqa: PLC0415

    screen, ours = invocation.screen, invocation.client().instances()
    if dry_run or not yes:
        planned = ours.plan_start(instances, is_foreign=not_mine)
        if dry_run:
            lines = [f"would start {tell_instance(one)}" for one in planned]
            screen.show(planned, lambda: lines, [one.instance_id for one in planned])
            return 0
        for one in planned:
            screen.note(tell_instance(one))
        require_consent(screen, f"Start {tell_count(len(planned), 'instance')}?", is_given=yes)
    with screen.working(f"starting {', '.join(instances)}"):
        reports = ours.start(instances, is_foreign=not_mine, is_waiting=wait, timeout=wait_timeout)
    return conclude(invocation, reports)
