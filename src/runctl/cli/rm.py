"""``runctl rm``: delete runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.errors import RunActive, RunNotFound

if TYPE_CHECKING:
    from runctl.client import Client
    from runctl.model.run import Run


@click.command(cls=Command)
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
@yes_option
@dry_run_option
@pass_invocation
def rm(invocation: Invocation, names: tuple[str, ...], *, yes: bool, dry_run: bool) -> None:
    """Delete each RUN: its records, log, checkpoints and outputs. It must be over."""
    from runctl.cli.sentences import tell_count  # noqa: PLC0415

    client, screen = invocation.client(), invocation.screen
    found = _find_all(client, names)
    if dry_run:
        _show(invocation, found, None)
        screen.note("nothing was deleted: this is --dry-run")
        return
    for run in found:
        screen.note(_describe(run))
    what = tell_count(len(found), "run")
    require_consent(screen, f"Delete {what}, with all that was stored?", is_given=yes)
    with screen.working(f"deleting {what}"):
        freed = sum(client.remove(run.run_id).freed_bytes for run in found)
    _show(invocation, found, freed)


def _find_all(client: Client, names: Sequence[str]) -> list[Run]:
    """Every run, once; all must be over before the first one is deleted."""
    try:
        runs = {run.run_id: run for run in map(client.status, names)}
    except RunNotFound:
        client.finish_removals()  # it may be one that an earlier rm has begun to delete
        raise
    for run in runs.values():
        if not run.is_over and run.last is not None:
            raise RunActive(
                f"run {run.spec.name} is {run.state.value}",
                hint=f"runctl stop {run.run_id}",
                run=run.run_id,
            )
    return list(runs.values())


def _describe(run: Run) -> str:
    from runctl.cli.sentences import tell_count  # noqa: PLC0415

    count = sum(attempt.checkpoint_count for attempt in run.attempts)
    return f"{run.run_id}  {run.spec.name}  {run.state.value}  {tell_count(count, 'checkpoint')}"


def _show(invocation: Invocation, runs: list[Run], freed_bytes: int | None) -> None:
    from runctl.model.quantities import format_size  # noqa: PLC0415

    ids = [run.run_id for run in runs]
    is_dry = freed_bytes is None
    document = {"run_ids": ids, "freed_bytes": freed_bytes or 0, "is_dry_run": is_dry}
    verb = "would delete" if is_dry else "deleted"
    lines = [f"{verb} {_describe(run)}" for run in runs]
    if freed_bytes is not None:
        lines.append(f"freed {format_size(freed_bytes)}; what is not a day old is freed later")
    invocation.screen.show(document, lambda: lines, ids)
