"""``runctl transfer``: files from anywhere to anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import transport_option
from runctl.cli.s3_pages import tell_troubles
from runctl.cli.sentences import tell_count, tell_path
from runctl.errors import Interrupted

if TYPE_CHECKING:
    from runctl.model.carriage import Carried


@click.command(cls=Command)
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@transport_option
@dry_run_option
@pass_invocation
def transfer(
    invocation: Invocation, source: str, target: str, *, transport: str | None, dry_run: bool
) -> int:
    """Carry the file, or what is in the folder, SOURCE to TARGET.

    Each is a path here, s3://bucket/path, instance:ID:/path, or run:ID/path for outputs of a run.
    A file comes into TARGET where that ends in a slash. Between S3 and an instance nothing comes
    through this machine.

    \b
    runctl transfer data instance:i-0123456789abcdef0:work/data
    runctl transfer s3://bucket/sets instance:trainer:/data/sets
    runctl transfer run:@last/plots s3://bucket/plots
    """
    screen = invocation.screen
    carriage = invocation.client({"aws.transport": transport}).carriage(source, target)
    try:
        with screen.working(f"carrying {source}"):
            found = carriage.plan() if dry_run else carriage.run()
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; each file that has its name is whole",
            hint=f"runctl transfer {source} {target}",
        ) from None
    screen.show(found, lambda: _lines(found), list(found.files))
    if dry_run:
        screen.note("nothing was carried: this is --dry-run")
    if found.unverified:
        what = tell_count(len(found.unverified), "file")
        screen.warn(f"{what} came whole, but the store tells no digest of them")
    return tell_troubles(screen, found.troubles)


def _lines(found: Carried) -> Iterator[str]:
    from runctl.model.quantities import format_size  # noqa: PLC0415

    if found.is_dry_run:
        yield from (tell_path(name) for name in found.files)
    verb = "would carry" if found.is_dry_run else "carried"
    way = ", directly" if found.is_direct else ""
    what = tell_count(len(found.files), "file")
    yield f"{verb} {what} ({format_size(found.size_bytes)}) to {tell_path(found.target)}{way}"
