"""``runctl docker images`` and ``prune``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runctl.cli.render import Screen
    from runctl.model.docker_image import ImageSummary

_HEADER = ("IMAGE", "PROJECT", "SIZE", "BUILT")


@click.command(cls=Command)
@pass_invocation
def images(invocation: Invocation) -> None:
    """List the images on this machine that you have built here, newest first."""
    screen = invocation.screen
    found = invocation.client().docker_images().list()
    _show(screen, found)
    if not found:
        screen.note("no images; to build one: runctl docker build")


@click.command(cls=Command)
@click.option("--keep", type=click.IntRange(0), default=3, show_default=True, help="Of a project.")
@dry_run_option
@yes_option
@pass_invocation
def prune(invocation: Invocation, *, keep: int, dry_run: bool, yes: bool) -> None:
    """Remove from this machine all but the newest images of each project that you have built.

    No registry is asked to forget anything, and no image of another's is looked at.
    """
    screen, kept = invocation.screen, invocation.client().docker_images()
    old = kept.choose_old(keep)
    if old and not dry_run:
        for one in old:
            screen.note(f"removes {one.reference}")
        require_consent(screen, f"Remove {len(old)} names of images?", is_given=yes)
        kept.remove(old)
    _show(screen, old)


def _show(screen: Screen, found: Sequence[ImageSummary]) -> None:
    rows = [_row(one) for one in found]
    screen.show(
        found,
        lambda: screen.show_table(_HEADER, rows) if rows else [],
        [one.reference for one in found],
    )


def _row(one: ImageSummary) -> tuple[str, ...]:
    from runctl.model.quantities import format_size  # noqa: PLC0415

    built = one.created_at.strftime("%Y-%m-%d %H:%M")
    return (one.reference, one.project or "-", format_size(one.size_bytes), built)
