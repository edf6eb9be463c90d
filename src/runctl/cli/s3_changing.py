"""``runctl s3 cp`` and ``rm``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.s3_choosing import choice_of, choosing
from runctl.cli.s3_pages import tell_troubles
from runctl.cli.s3_reaching import encrypting, reaching, storage_of
from runctl.cli.sentences import tell_count, tell_path
from runctl.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from runctl.client import Storage
    from runctl.model.transfer import Choice, StoredObject


@click.command(cls=Command)
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@choosing
@encrypting
@pass_invocation
def cp(invocation: Invocation, /, source: str, target: str, **globs: tuple[str, ...]) -> int:
    """Copy the object, all below the folder, or what the pattern SOURCE means to TARGET.

    The store copies by itself: no byte comes here.
    """
    screen = invocation.screen
    with screen.working(f"copying {source}"):
        copied, troubles = storage_of(invocation).copy(source, target, choice_of(globs))
    document = {"copied": copied, "troubles": troubles}
    screen.show(document, lambda: [f"copied {tell_count(len(copied), 'object')}"], copied)
    return tell_troubles(screen, troubles)


@click.command(cls=Command)
@click.argument("url", metavar="URL")
@click.option("-r", "--recursive", is_flag=True, help="All below URL.")
@choosing
@yes_option
@dry_run_option
@reaching
@pass_invocation
def rm(
    invocation: Invocation,
    /,
    url: str,
    *,
    recursive: bool,
    yes: bool,
    dry_run: bool,
    **globs: tuple[str, ...],
) -> int:
    """Delete the object URL, or what its ``*`` mean; with -r all below it, too.

    \b
    runctl s3 rm 's3://bucket/tmp/*.part' --dry-run
    """
    screen, storage = invocation.screen, storage_of(invocation)
    found = _find(storage, url, choice_of(globs), is_recursive=recursive)
    if dry_run:
        _show(invocation, found, "would delete")
        screen.note("nothing was deleted: this is --dry-run")
        return 0
    what = tell_count(len(found), "object")
    require_consent(screen, f"Delete {what} at {url}?", is_given=yes)
    with screen.working(f"deleting {what}"):
        troubles = storage.delete(found)
    left = {trouble.name for trouble in troubles}
    _show(invocation, [one for one in found if one.key not in left], "deleted")
    return tell_troubles(screen, troubles)


def _find(storage: Storage, url: str, choice: Choice, *, is_recursive: bool) -> list[StoredObject]:
    found = storage.find(url, choice)
    if not found:
        raise NotFoundError(f"there is nothing at {url}", hint="runctl s3 list s3://bucket/")
    folder = f"{url.rstrip('/')}/"
    if is_recursive or not any(one.url.startswith(folder) for one in found):
        return found
    single = [one for one in found if one.url == url]
    if not single:
        raise RefusedError(
            f"{url} is a folder, of {tell_count(len(found), 'object')}",
            hint=f"runctl s3 rm -r {url} --dry-run",
        )
    return single


def _show(invocation: Invocation, objects: list[StoredObject], verb: str) -> None:
    urls = [one.url for one in objects]
    document = {"is_dry_run": verb != "deleted", "objects": urls}
    invocation.screen.show(document, lambda: [f"{verb} {tell_path(url)}" for url in urls], urls)
