"""``runctl aws teardown``: what ``runctl aws setup`` made is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.client import AwsSetup
    from runctl.model.setup import SetupPart, TeardownReport


@click.command(cls=Command)
@click.option("--delete-ledger", is_flag=True, help="Delete all your runs in the bucket, too.")
@dry_run_option
@yes_option
@pass_invocation
def teardown(invocation: Invocation, *, delete_ledger: bool, dry_run: bool, yes: bool) -> None:
    """Take away your security group, instance profile, role and its policy.

    It is refused while instances of yours live. Bucket and ledger stay; with --delete-ledger
    your part of the bucket is deleted, and the bucket only if nothing else is in it.
    """
    screen, aws = invocation.screen, invocation.client().aws_setup()
    with screen.working("looking at what is there"):
        plan = aws.remove(with_ledger=delete_ledger, is_dry_run=True)
    if dry_run:
        _show(screen, plan)
        screen.note("nothing was changed: this is --dry-run")
        return
    if not plan.is_complete:
        _ask(screen, plan, is_given=yes)
    _show(screen, _remove(screen, aws, with_ledger=delete_ledger))


def _remove(screen: Screen, aws: AwsSetup, *, with_ledger: bool) -> TeardownReport:
    with screen.working("taking it away"):
        return aws.remove(with_ledger=with_ledger)


def _ask(screen: Screen, plan: TeardownReport, *, is_given: bool) -> None:
    if not is_given:
        for line in _lines(plan):
            screen.note(line)
    things = sum(bool(part.changes) for part in plan.parts)
    ledger = f", {_tell_amount(plan)} of your ledger among them" if plan.object_count else ""
    place = f"account {plan.account_id}, {plan.region}"
    require_consent(screen, f"Take away {things} things{ledger}, in {place}?", is_given=is_given)


def _tell_amount(report: TeardownReport) -> str:
    from runctl.cli.sentences import tell_count  # noqa: PLC0415
    from runctl.model.quantities import format_size  # noqa: PLC0415

    return f"{tell_count(report.object_count, 'object')} ({format_size(report.object_bytes)})"


def _show(screen: Screen, report: TeardownReport) -> None:
    screen.show(report, lambda: _lines(report), [part.name for part in report.parts])


def _lines(report: TeardownReport) -> Iterator[str]:
    names = [f"{part.kind} {part.name}" for part in report.parts]
    width = max(map(len, names))
    for name, part in zip(names, report.parts, strict=True):
        yield f"{name.ljust(width)}  {_tell(part, report)}"
    yield from report.kept


def _tell(part: SetupPart, report: TeardownReport) -> str:
    if not part.changes:
        return "nothing to do"
    amount = f": {_tell_amount(report)}" if part.kind == "ledger" else ""
    return ("would be: " if report.is_dry_run else "") + ", ".join(part.changes) + amount
