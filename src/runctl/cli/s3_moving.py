"""``runctl s3 upload``, ``download`` and ``sync``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import split_lists
from runctl.cli.s3_pages import conclude, move_lines, plan_lines, transfer_line
from runctl.cli.s3_reaching import encrypting, reaching, storage_of

if TYPE_CHECKING:
    from runctl.client import PlannedTransfer
    from runctl.model.transfer import Move

F = TypeVar("F", bound=Callable[..., object])


def _choosing(command: F) -> F:
    """The options of all that moves more than one file."""
    for option in (
        dry_run_option,
        click.option("--events", is_flag=True, help="Print a line of JSON for each file."),
        click.option(
            "--exclude-pattern", "--exclude", "exclude", multiple=True, metavar="GLOB,…",
            help="Leave these where they are.",
        ),
        click.option(
            "--include-pattern", "--include", "include", multiple=True, metavar="GLOB,…",
            help="Move these only.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(cls=Command)
@click.argument("source", metavar="PATH")
@click.argument("url", metavar="URL")
@_choosing
@encrypting
@pass_invocation
def upload(invocation: Invocation, /, source: str, url: str, **options: Any) -> int:
    """Send the file or the folder PATH to URL; what is there and equal is not sent again.

    \b
    runctl s3 upload data s3://bucket/data --exclude '*.tmp'
    runctl s3 upload model.pt s3://bucket/models/
    """
    return _transfer(invocation, options, folder=source, url=url, direction="up")


@click.command(cls=Command)
@click.argument("url", metavar="URL")
@click.argument("target", metavar="PATH", default=".")
@_choosing
@reaching
@pass_invocation
def download(invocation: Invocation, /, url: str, target: str, **options: Any) -> int:
    """Fetch the object, or all below the folder, URL to PATH, verified.

    \b
    runctl s3 download s3://bucket/data data --include '*.parquet'
    """
    return _transfer(invocation, options, folder=target, url=url, direction="down")


@click.command(cls=Command)
@click.argument("folder", metavar="FOLDER")
@click.argument("url", metavar="URL")
@click.option(
    "--direction", type=click.Choice(("up", "down", "both")), default="up", show_default=True,
    help="Which side is written to.",
)  # fmt: skip
@click.option("--delete", "has_deletes", is_flag=True, help="Delete what the other side lacks.")
@click.option(
    "--max-delete", "max_deletes", type=click.IntRange(0), default=1000, show_default=True,
    help="Refuse to delete more.",
)  # fmt: skip
@click.option(
    "--prefer", type=click.Choice(("here", "there", "newer")),
    help="With both: what is kept of a file that has changed on both sides.",
)  # fmt: skip
@yes_option
@_choosing
@encrypting
@pass_invocation
def sync(invocation: Invocation, /, **options: Any) -> int:
    """Make FOLDER and URL equal: only what differs moves.

    What is deleted is told first, and goes only once all copies have come through.

    \b
    runctl s3 sync data s3://bucket/data --delete --dry-run
    runctl s3 sync data s3://bucket/data --direction both --prefer newer
    """
    return _transfer(invocation, options)


def _transfer(invocation: Invocation, options: dict[str, Any], **more: str) -> int:
    from runctl.model.transfer import TransferRequest  # noqa: PLC0415

    given = {**options, **more}
    is_dry_run, has_events = given.pop("dry_run"), given.pop("events")
    is_agreed = given.pop("yes", False)
    given |= {name: split_lists(given[name]) for name in ("include", "exclude")}
    request, screen = TransferRequest(**given), invocation.screen
    with screen.working(f"looking at {request.folder} and {request.url}"):
        planned = storage_of(invocation).plan(request)
    if is_dry_run:
        plan = planned.plan
        screen.show(plan, lambda: plan_lines(plan), [move.name for move in plan.moves])
        screen.note("nothing was moved: this is --dry-run")
        return conclude(screen, plan)
    _ask_for_deletes(invocation, planned, is_agreed=is_agreed)
    return _run(invocation, planned, has_events=has_events)


def _ask_for_deletes(invocation: Invocation, planned: PlannedTransfer, *, is_agreed: bool) -> None:
    deletes, screen = planned.deletes, invocation.screen
    if not deletes or is_agreed:
        return
    from runctl.cli.sentences import tell_count  # noqa: PLC0415

    for line in move_lines(deletes):
        screen.note(line)
    require_consent(screen, f"Delete {tell_count(len(deletes), 'file')}?", is_given=False)


def _run(invocation: Invocation, planned: PlannedTransfer, *, has_events: bool) -> int:
    screen = invocation.screen

    def tell(move: Move) -> None:
        if has_events:
            screen.show_line({"type": "move", "move": move})

    with screen.counting(sum(move.size_bytes for move in planned.copies)) as count:
        report = planned.run(tell, count)
    if has_events:
        screen.show_line({"type": "transfer", "transfer": report})
    else:
        screen.show(report, lambda: [transfer_line(report)], [move.name for move in report.moves])
    return conclude(screen, report)
