"""``runctl sync``: what of the project travels."""

from __future__ import annotations

from typing import Any

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import travel_options
from runctl.errors import UsageError


@click.command(cls=Command)
@travel_options
@click.option("--dry-run", is_flag=True, help="Say what would travel; send nothing.")
@pass_invocation
def sync(invocation: Invocation, /, *, dry_run: bool, **options: Any) -> None:
    """Say what of the project in this folder would travel, why, and what has changed.

    \b
    runctl sync --dry-run
    runctl sync --dry-run --explain data/x.csv --explain notebooks
    """
    if not dry_run:
        raise UsageError(
            "sync does nothing yet but say what would travel", hint="runctl sync --dry-run"
        )
    from runctl.cli.travel_pages import travel_page  # noqa: PLC0415
    from runctl.model.travel import TravelRequest  # noqa: PLC0415

    client, screen = invocation.client(), invocation.screen
    request = TravelRequest(
        project_root=options["project_root"],
        include=options["include"],
        exclude=options["exclude"],
        explain=options["explain"],
    )
    with screen.working("looking at the project"):
        plan = client.plan_travel(request)
    screen.show(plan, lambda: travel_page(plan), [one.path for one in plan.files])
