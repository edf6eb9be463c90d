"""``runctl s3 review``, ``watch`` and ``cleanup``: what there is, what comes, what is left over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import Duration
from runctl.cli.s3_looking import url_argument
from runctl.cli.s3_pages import tell_troubles
from runctl.cli.s3_reaching import reaching, storage_of
from runctl.cli.sentences import tell_count, tell_path
from runctl.errors import Interrupted, NotFoundError

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.model.transfer import Review, Sighting, UnfinishedUpload

_TIME = "%Y-%m-%d %H:%M:%SZ"


@click.command(cls=Command)
@url_argument
@reaching
@pass_invocation
def review(invocation: Invocation, url: str) -> None:
    """Sum up what is at URL: its folders, the largest objects, uploads that were never finished.

    \b
    runctl s3 review s3://bucket/outputs
    """
    screen = invocation.screen
    with screen.working(f"looking at {url}"):
        found = storage_of(invocation).review(url)
    if not found.object_count and not found.unfinished:
        hint = "runctl s3 list s3://bucket/"
        raise NotFoundError(f"there is nothing at {url}", hint=hint)
    screen.show(found, lambda: _review_lines(screen, found), str(found.size_bytes))


@click.command(cls=Command)
@url_argument
@click.option("--interval", type=Duration(), default="5s", show_default=True, help="Of looks.")
@reaching
@pass_invocation
def watch(invocation: Invocation, url: str, *, interval: timedelta) -> None:
    """Print what is written, changed and deleted at URL, until Ctrl-C.

    \b
    runctl s3 watch s3://bucket/outputs --interval 2s
    """
    screen = invocation.screen
    changes = storage_of(invocation).watch(url, interval)
    screen.note(f"watching {url}: Ctrl-C ends it")
    try:
        for sighting in changes:
            if screen.is_json:
                screen.show_line(sighting)
            else:
                screen.show_bytes(f"{_sighting_line(sighting)}\n".encode())
    except KeyboardInterrupt:
        raise Interrupted(f"{url} is no longer watched", hint=f"runctl s3 watch {url}") from None


@click.command(cls=Command)
@url_argument
@click.option(
    "--older-than", type=Duration(), default="1d", show_default=True, help="Begun so long ago."
)
@yes_option
@dry_run_option
@reaching
@pass_invocation
def cleanup(
    invocation: Invocation, url: str, *, older_than: timedelta, yes: bool, dry_run: bool
) -> int:
    """Give up the uploads at URL that were never finished: they cost, and no list shows them.

    No object is deleted. A younger one may still be going on.

    \b
    runctl s3 cleanup s3://bucket/outputs --dry-run
    """
    screen, storage = invocation.screen, storage_of(invocation)
    with screen.working(f"looking at {url}"):
        begun_before = datetime.now(UTC) - older_than
        found = [one for one in storage.unfinished(url) if one.begun_at < begun_before]
    if dry_run or not found:
        _show_uploads(screen, found, is_dry_run=True)
        screen.note("nothing was given up: this is --dry-run" if dry_run else "nothing to give up")
        return 0
    require_consent(screen, f"Give up {tell_count(len(found), 'upload')}?", is_given=yes)
    troubles = storage.give_up(found)
    failed = {trouble.name for trouble in troubles}
    _show_uploads(screen, [one for one in found if one.url not in failed], is_dry_run=False)
    return tell_troubles(screen, troubles)


def _show_uploads(screen: Screen, uploads: Sequence[UnfinishedUpload], *, is_dry_run: bool) -> None:
    document = {"is_dry_run": is_dry_run, "uploads": uploads}
    screen.show(document, lambda: _upload_lines(screen, uploads), [one.url for one in uploads])


def _upload_lines(screen: Screen, uploads: Sequence[UnfinishedUpload]) -> Iterator[str]:
    from runctl.model.quantities import format_size  # noqa: PLC0415

    rows = [
        (format_size(one.size_bytes), one.begun_at.strftime(_TIME), tell_path(one.url))
        for one in uploads
    ]
    yield from screen.show_table(("SIZE", "BEGUN", "UNFINISHED"), rows)


def _review_lines(screen: Screen, found: Review) -> Iterator[str]:
    from runctl.model.quantities import format_size  # noqa: PLC0415

    what = tell_count(found.object_count, "object")
    yield f"{format_size(found.size_bytes)} in {what} at {tell_path(found.url)}"
    for name, size_bytes in found.class_bytes.items():
        yield f"  {format_size(size_bytes)} of class {name}"
    rows = [
        (
            format_size(one.size_bytes),
            str(one.object_count),
            one.newest_at.strftime(_TIME),
            tell_path(one.name or "(in no folder)"),
        )
        for one in found.shares
    ]
    yield from ("", *screen.show_table(("SIZE", "OBJECTS", "NEWEST", "FOLDER"), rows))
    largest = [(format_size(one.size_bytes), tell_path(one.url)) for one in found.largest]
    yield from ("", *screen.show_table(("SIZE", "LARGEST"), largest))
    if found.unfinished:
        yield from ("", *_upload_lines(screen, found.unfinished))
        yield f"to give them up: runctl s3 cleanup {found.url}"


def _sighting_line(sighting: Sighting) -> str:
    from runctl.model.quantities import format_size  # noqa: PLC0415

    one = sighting.object
    when = one.modified_at.strftime(_TIME)
    return f"{when}  {sighting.what:7}  {format_size(one.size_bytes):>9}  {tell_path(one.url)}"
