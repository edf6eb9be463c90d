"""``runctl aws list``, ``status`` and ``wait``: the instances that are there, and what they are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from runctl.cli.aws_options import instances_argument, wait_timeout_option
from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.errors import AuthError

if TYPE_CHECKING:
    from runctl.client import Instances
    from runctl.model.instance_views import ListedInstance

GOALS = ("running", "ready", "stopped", "terminated")


@click.command("list", cls=Command)
@click.option("--all", "-a", "is_all", is_flag=True, help="Those that are ended, too.")
@click.option("--project", help="Only those of this project.")
@click.option("--region", help="In this region.")
@pass_invocation
def list_(invocation: Invocation, *, is_all: bool, project: str | None, region: str | None) -> None:
    """List the instances that bear your owner tag, the newest first.

    COST is the price at the launch times the time since, a dash where it is not known. LAST RUN
    is the one that was started last; runctl aws status says how it stands.
    """
    screen = invocation.screen
    instances = invocation.client({"aws.region": region}).instances()
    found = instances.find(is_all=is_all, project=project)
    screen.show(found, lambda: _table(invocation, found), [one.instance_id for one in found])
    _note_totals(invocation, instances, found)


def _table(invocation: Invocation, found: list[ListedInstance]) -> list[str]:
    from runctl.cli.aws_pages import TABLE_HEADER, table_row  # noqa: PLC0415

    rows = [table_row(one) for one in found]
    return list(invocation.screen.show_table(TABLE_HEADER, rows)) if rows else []


def _note_totals(invocation: Invocation, instances: Instances, found: list[ListedInstance]) -> None:
    from runctl.cli.aws_pages import tell_snapshot, tell_totals, tell_volume  # noqa: PLC0415

    screen = invocation.screen
    screen.note(tell_totals(found) if found else "no instances")
    try:
        spare, forgotten = instances.spare_volumes(), instances.spare_snapshots()
    except AuthError as error:  # who may not look at volumes has a list all the same
        screen.warn(f"whether volumes are left is not known: {error.message}")
        return
    for snapshot in forgotten:
        screen.note(f"of a volume that is gone, and costs: {tell_snapshot(snapshot)}")
    for volume in spare:
        screen.note(f"attached to nothing, and costs: {tell_volume(volume)}")


@click.command(cls=Command)
@click.argument("instance")
@pass_invocation
def status(invocation: Invocation, instance: str) -> None:
    """Show all of INSTANCE: its state, its cost, how it is reached, its disks and its runs."""
    from runctl.cli.aws_status_page import status_page  # noqa: PLC0415

    screen = invocation.screen
    with screen.working(f"asking {instance}"):
        found = invocation.client().instances().status(instance)
    screen.show(found, lambda: status_page(found), found.instance.instance_id)


@click.command(cls=Command)
@instances_argument
@click.option("--for", "goal", type=click.Choice(GOALS), required=True, help="What to wait for.")
@wait_timeout_option
@pass_invocation
def wait(
    invocation: Invocation, instances: tuple[str, ...], *, goal: str, wait_timeout: timedelta
) -> int:
    """Wait until each INSTANCE is running, ready, stopped or terminated.

    Ready is one that answers a command. One that has ended instead is exit 21; where only the
    waiting is over, it is 75.
    """
    from runctl.cli.aws_reports import conclude  # noqa: PLC0415
    from runctl.model.instance_views import Goal  # noqa: PLC0415

    client = invocation.client()
    with invocation.screen.working(f"waiting for {', '.join(instances)}"):
        reports = client.instances().wait(instances, Goal(goal), wait_timeout)
    return conclude(invocation, reports)
