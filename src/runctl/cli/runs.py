"""``runctl runs``: the list of runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import Duration
from runctl.errors import UsageError

if TYPE_CHECKING:
    from runctl.model.views import RunSummary

SHOWN = 20
_HEADER = ("ID", "NAME", "STATE", "AGE", "ATTEMPTS", "STEP", "CHECKPOINTS", "EXIT")


@click.command(cls=Command)
@click.option("--state", "states", multiple=True, metavar="STATE", help="Only in this state.")
@click.option("--name", help="Only with this in the name; a pattern such as 'a*' too.")
@click.option("--newer-than", type=Duration(), help="Only those not older than this.")
@click.option(
    "--limit", type=click.IntRange(0), default=SHOWN, show_default=True, help="0 shows all."
)
@pass_invocation
def runs(
    invocation: Invocation,
    states: tuple[str, ...],
    name: str | None,
    newer_than: timedelta | None,
    limit: int,
) -> None:
    """List runs, newest first."""
    from runctl.model.run import State  # noqa: PLC0415

    wanted = _check_states(states, [state.value for state in State])
    screen = invocation.screen
    found = invocation.client().runs(
        states=[State(state) for state in wanted],
        name=name,
        newer_than=newer_than,
        limit=limit + 1 if limit else None,
        on_damaged=lambda run_id, error: screen.warn(f"run {run_id} cannot be read: {error}"),
    )
    shown = found[:limit] if limit else found
    screen.show(
        shown,
        lambda: screen.show_table(_HEADER, [_row(run) for run in shown]) if shown else [],
        [run.run_id for run in shown],
    )
    if not shown:
        screen.note("there are no such runs" if states or name or newer_than else "no runs yet")
    if len(found) > len(shown):
        screen.note(f"there are more than {limit}: --limit 0 shows all")


def _check_states(states: tuple[str, ...], known: list[str]) -> list[str]:
    wanted = [state.strip() for item in states for state in item.split(",")]
    for state in wanted:
        if state not in known:
            raise UsageError(
                f"--state: there is no state {state!r}", hint=f"the states: {', '.join(known)}"
            )
    return wanted


def _row(run: RunSummary) -> tuple[str, ...]:
    from runctl.cli.sentences import tell_age  # noqa: PLC0415

    return (
        run.run_id,
        run.name,
        run.state.value,
        tell_age(run.created_at),
        str(run.attempts),
        "-" if run.last_step is None else str(run.last_step),
        str(run.checkpoint_count),
        "-" if run.exit_status is None else str(run.exit_status),
    )
