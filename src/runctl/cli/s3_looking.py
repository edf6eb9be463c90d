"""``runctl s3 list``, ``du`` and ``verify``: nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.s3_choosing import choice_of, choosing
from runctl.cli.s3_reaching import reaching, storage_of
from runctl.cli.sentences import tell_count, tell_path
from runctl.errors import IntegrityError, NotFoundError
from runctl.model.transfer import ALL

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.model.transfer import StoredObject, Verdict

URL_ONLY_BUCKET = 2
"""So many slashes has the URL of a bucket without more."""

url_argument = click.argument("url", metavar="URL")


@click.command("list", cls=Command)
@url_argument
@click.option("-r", "--recursive", is_flag=True, help="All below URL, not one level.")
@choosing
@reaching
@pass_invocation
def list_(
    invocation: Invocation, /, url: str, *, recursive: bool, **globs: tuple[str, ...]
) -> None:
    """List what is at URL: an object, or with a slash at its end one level of a folder.

    \b
    runctl s3 list s3://bucket/runs/
    runctl s3 list 's3://bucket/runs/**/*.pt'
    """
    screen, storage, choice = invocation.screen, storage_of(invocation), choice_of(globs)
    is_level = url.endswith("/") or url.count("/") == URL_ONLY_BUCKET
    folders: list[str] = []
    with screen.working(f"listing {url}"):
        if is_level and not recursive and choice == ALL:
            folders, objects = storage.find_level(url)
        else:
            objects = storage.find(url, choice)
    if not folders and not objects:
        hint = f"runctl s3 list {url.rstrip('/')}/"
        raise NotFoundError(f"there is nothing at {url}", hint=hint)
    document = {"folders": folders, "objects": objects}
    names = [*folders, *(one.url for one in objects)]
    screen.show(document, lambda: _list_lines(screen, folders, objects), names)


@click.command(cls=Command)
@url_argument
@choosing
@reaching
@pass_invocation
def du(invocation: Invocation, /, url: str, **globs: tuple[str, ...]) -> None:
    """Say how many objects there are at URL, and how large they are together."""
    from runctl.model.quantities import format_size  # noqa: PLC0415

    with invocation.screen.working(f"counting {url}"):
        objects = storage_of(invocation).find(url, choice_of(globs))
    total = sum(one.size_bytes for one in objects)
    document = {"url": url, "object_count": len(objects), "size_bytes": total}
    line = f"{format_size(total)} in {tell_count(len(objects), 'object')} at {tell_path(url)}"
    invocation.screen.show(document, lambda: [line], str(total))


@click.command(cls=Command)
@url_argument
@choosing
@reaching
@pass_invocation
def verify(invocation: Invocation, /, url: str, **globs: tuple[str, ...]) -> int:
    """Read all objects at URL back, and compare them with the digests that S3 keeps of them.

    The exit status is 10 if one is bad. Of some objects S3 keeps no digest that can be computed
    here: they are unknown.
    """
    screen = invocation.screen
    with screen.working(f"reading {url}"):
        verdicts = storage_of(invocation).verify(url, choice_of(globs))
    screen.show(verdicts, lambda: _verdict_lines(screen, verdicts), [one.url for one in verdicts])
    is_bad = any(one.state == "bad" for one in verdicts)
    return IntegrityError.exit_code if is_bad else 0


def _list_lines(
    screen: Screen, folders: Sequence[str], objects: Sequence[StoredObject]
) -> Iterator[str]:
    from runctl.model.quantities import format_size  # noqa: PLC0415

    rows = [("", "", tell_path(folder)) for folder in folders]
    for one in objects:
        when = one.modified_at.strftime("%Y-%m-%d %H:%M:%SZ")
        rows.append((format_size(one.size_bytes), when, tell_path(one.url)))
    yield from screen.show_table(("SIZE", "MODIFIED", "OBJECT"), rows)


def _verdict_lines(screen: Screen, verdicts: Sequence[Verdict]) -> Iterator[str]:
    rows = [(one.state, tell_path(one.url), tell_path(one.reason)) for one in verdicts]
    yield from screen.show_table(("STATE", "OBJECT", "BY"), rows)
