"""``runctl aws terminate``: the end of instances."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from runctl.cli.aws_options import (
    flush_timeout_option,
    force_option,
    instances_argument,
    not_mine_option,
)
from runctl.cli.aws_reports import conclude
from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from runctl.model.instance_views import InstancePlan


@click.command(cls=Command)
@instances_argument
@force_option
@flush_timeout_option
@not_mine_option
@yes_option
@dry_run_option
@pass_invocation
def terminate(
    invocation: Invocation,
    instances: tuple[str, ...],
    *,
    force: bool,
    flush_timeout: timedelta,
    not_mine: bool,
    yes: bool,
    dry_run: bool,
) -> int:
    """End each INSTANCE, for good, with the disks that are its own.

    Refused where a run is active on one, or where that cannot be known. With --force such a run
    is asked to save and ship what it has, and what came of that is said. One that has ended
    already is fine.
    """
    ours = invocation.client().instances()
    if dry_run or not yes:
        plans = ours.plan_end(instances, is_forced=force, is_foreign=not_mine)
        if dry_run:
            return _show_plans(invocation, plans)
        _ask(invocation, plans)
    with invocation.screen.working(f"ending {', '.join(instances)}"):
        reports = ours.terminate(
            instances, is_forced=force, is_foreign=not_mine, flush_time=flush_timeout
        )
    return conclude(invocation, reports)


def _show_plans(invocation: Invocation, plans: Sequence[InstancePlan]) -> int:
    screen, idents = invocation.screen, [plan.instance.instance_id for plan in plans]
    screen.show(plans, lambda: _lines(plans), idents)
    screen.note("nothing was ended: this is --dry-run")
    return 0


def _ask(invocation: Invocation, plans: Sequence[InstancePlan]) -> None:
    from runctl.cli.sentences import tell_count  # noqa: PLC0415

    screen = invocation.screen
    for line in _lines(plans):
        screen.note(line)
    what = tell_count(len(plans), "instance")
    require_consent(screen, f"End {what}, with the disks of their own?", is_given=False)


def _lines(plans: Sequence[InstancePlan]) -> list[str]:
    from runctl.cli.aws_pages import plan_lines  # noqa: PLC0415

    return [line for plan in plans for line in plan_lines(plan)]
