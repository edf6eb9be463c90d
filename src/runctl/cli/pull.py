"""``runctl pull``: what a run has made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import needed_run
from runctl.cli.sentences import tell_path

if TYPE_CHECKING:
    from runctl.cli.render import Screen
    from runctl.model.views import PulledOutputs


@click.command(cls=Command)
@needed_run
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--into", metavar="FOLDER", help="Where to; a folder named after the run unless given."
)
@click.option("--dry-run", is_flag=True, help="List the outputs and their sizes; bring nothing.")
@pass_invocation
def pull(
    invocation: Invocation, run: str, paths: tuple[str, ...], *, into: str | None, dry_run: bool
) -> None:
    """Bring the outputs of RUN here, verified: all, or the files, folders and globs PATH.

    What is there already is never replaced by something else.

    \b
    runctl pull @last --dry-run
    runctl pull @last metrics.json 'plots/*.png' --into results
    """
    screen = invocation.screen
    folder = Path(into) if into is not None else None
    with screen.working(f"bringing the outputs of {run}"):
        found = invocation.client().outputs(run, folder, only=paths, is_dry_run=dry_run)
    if not found.is_final:
        screen.note(f"these are of attempt {found.attempt}, and the run goes on")
    screen.show(found, lambda: _lines(screen, found), found.run_id)


def _lines(screen: Screen, found: PulledOutputs) -> Iterator[str]:
    if not found.is_dry_run:
        yield from (tell_path(one.path) for one in found.files)
        return
    from runctl.model.quantities import format_size  # noqa: PLC0415

    rows = [(format_size(one.size_bytes), tell_path(one.name)) for one in found.files]
    yield from screen.show_table(("SIZE", "OUTPUT"), rows)
    total = format_size(found.total_bytes)
    yield f"{total} would come into {found.folder}; nothing was brought: this is --dry-run"
