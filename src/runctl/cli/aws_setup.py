"""``runctl aws setup``: what an owner's instances need in the account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import together

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.client import AwsSetup
    from runctl.model.setup import SetupPart, SetupReport, SetupWish

FORMS = ("terraform", "cloudformation", "json")

wish_options = together(
    click.option(
        "--read", "reads", metavar="S3-URL", multiple=True,
        help="Let instances read s3://bucket/prefix, too.",
    ),
    click.option(
        "--write", "writes", metavar="S3-URL", multiple=True,
        help="Let instances write below s3://bucket/prefix, for --output-s3.",
    ),
    click.option("--kms-key", metavar="ARN", help="Encrypt the bucket with this key of KMS."),
    click.option(
        "--ecr", "repositories", metavar="REPO", multiple=True,
        help="Let instances pull images of this repository.",
    ),
    click.option(
        "--ssh-from", metavar="CIDR", multiple=True,
        help="Open port 22 to these addresses; else nothing comes in.",
    ),
)  # fmt: skip


@click.command(cls=Command)
@wish_options
@click.option("--print", "form", type=click.Choice(FORMS), help="Print it for another tool.")
@dry_run_option
@yes_option
@pass_invocation
def setup(
    invocation: Invocation, /, *, form: str | None, dry_run: bool, yes: bool, **wished: Any
) -> None:
    """Make a bucket, a role with its profile, and a security group. Safe to do again.

    What is there is compared and repaired, and set to what is typed now: a --read or --write
    that is left out is taken away again.
    """
    from msgspec import structs  # noqa: PLC0415

    from runctl.model.setup import SetupWish  # noqa: PLC0415

    wish = SetupWish(**wished)
    aws = invocation.client().aws_setup()
    if form is not None:
        _print(invocation.screen, aws, wish, form)
        return
    with invocation.screen.working("looking at what is there"):
        plan = aws.make(wish, is_dry_run=True)
    if dry_run:
        _show(invocation.screen, plan)
        invocation.screen.note("nothing was changed: this is --dry-run")
        return
    if plan.is_complete:
        _show(invocation.screen, structs.replace(plan, is_dry_run=False))
        return
    _make(invocation.screen, aws, wish, plan, is_agreed=yes)


def _print(screen: Screen, aws: AwsSetup, wish: SetupWish, form: str) -> None:
    document = aws.render(form, wish)  # type: ignore[arg-type]
    text = json.dumps(document, indent=2).splitlines()
    screen.show(document, lambda: text, form)
    if form == "terraform":
        screen.note("keep it as runctl.tf.json: Terraform reads this form by its name")


def _make(
    screen: Screen, aws: AwsSetup, wish: SetupWish, plan: SetupReport, *, is_agreed: bool
) -> None:
    if not is_agreed:
        for line in _lines(plan):
            screen.note(line)
    place = f"account {plan.account_id}, {plan.region}"
    require_consent(screen, f"Make this in {place}?", is_given=is_agreed)
    with screen.working("making it"):
        report = aws.make(wish)
    _show(screen, report)
    if report.is_store_root_written:
        screen.note("runs are kept in the bucket from now on, those on this machine, too")
        screen.note("to keep a project's runs here: runctl config set store.root ~/runctl-ledger")


def _show(screen: Screen, report: SetupReport) -> None:
    screen.show(report, lambda: _lines(report), report.store_root)


def _lines(report: SetupReport) -> Iterator[str]:
    parts = [(f"{one.kind} {one.name}", tell_changes(one, report)) for one in report.parts]
    parts.append(("store.root", _tell_root(report)))
    width = max(len(name) for name, _ in parts)
    for name, told in parts:
        yield f"{name.ljust(width)}  {told}"


def tell_changes(part: SetupPart, report: SetupReport) -> str:
    if not part.changes:
        return "as it should be"
    return ("would be: " if report.is_dry_run else "") + ", ".join(part.changes)


def _tell_root(report: SetupReport) -> str:
    if not report.is_store_root_written:
        return f"stays {report.store_root} ({report.origin})"
    verb = "would be" if report.is_dry_run else "is now"
    return f"{verb} {report.store_root}"
