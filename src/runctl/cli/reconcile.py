"""``runctl reconcile``: go on with runs whose instances were lost, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.errors import RunctlError

if TYPE_CHECKING:
    from runctl.client import Client
    from runctl.model.views import DueRun, Reconciled


@click.command(cls=Command)
@yes_option
@dry_run_option
@pass_invocation
def reconcile(invocation: Invocation, *, yes: bool, dry_run: bool) -> None:
    """Rent again for your runs that were interrupted or lost, and have retries left.

    It looks once, and is made for cron. To type it twice, or while somebody follows a run, does
    no harm: each attempt is started once.

    \b
    */5 * * * * runctl reconcile --yes --quiet
    """
    client, screen = invocation.client(), invocation.screen
    with screen.working("looking for runs that are to go on"):
        due = client.due_runs(on_damaged=lambda run_id, error: screen.warn(f"{run_id}: {error}"))
    for one in due:
        (screen.note if yes or dry_run else screen.message)(_describe(one))
    if dry_run or not due:
        screen.show(due, list, [one.run_id for one in due])
        screen.note("nothing was started: this is --dry-run" if due else "there is nothing to do")
        return
    require_consent(screen, "Rent an instance for each?", is_given=yes)
    done, failure = _go_on_with_all(invocation, client, due)
    screen.show(done, lambda: map(_tell, done), [one.run_id for one in done])
    if failure is not None:
        raise failure


def _go_on_with_all(
    invocation: Invocation, client: Client, due: list[DueRun]
) -> tuple[list[Reconciled], RunctlError | None]:
    """Go on with each; one that cannot keeps no other from it. Return the first error as well."""
    from runctl.model.views import Reconciled  # noqa: PLC0415

    done: list[Reconciled] = []
    failure: RunctlError | None = None
    for one in due:
        attempt, instance, problem = one.attempt, None, None
        try:
            with invocation.screen.working(f"going on with {one.name}"):
                run = client.relaunch(one.run_id, invocation.screen.note)
        except RunctlError as error:
            failure, problem = failure or error, error.message
        else:
            last = run.last if run else None
            attempt, instance = (last.number, last.instance) if last else (attempt, None)
        done.append(
            Reconciled(
                run_id=one.run_id,
                name=one.name,
                attempt=attempt,
                instance=instance,
                problem=problem,
            )
        )
    return done, failure


def _describe(one: DueRun) -> str:
    return f"{one.run_id}  {one.name}  {one.reason}; attempt {one.attempt} is due"


def _tell(one: Reconciled) -> str:
    if one.problem is not None:
        return f"{one.run_id}  {one.name}  cannot go on: {one.problem}"
    if one.instance is None:
        return f"{one.run_id}  {one.name}  is not due any more"
    return f"{one.run_id}  {one.name}  attempt {one.attempt} on {one.instance}"
