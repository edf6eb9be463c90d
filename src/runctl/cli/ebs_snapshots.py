"""``runctl aws ebs snapshot``, ``snapshot-list``, ``snapshot-delete`` and ``restore``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.ebs_changes import place_of, show_volume, tell_wish
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.parameters import Duration
from runctl.cli.renting import Gibibytes
from runctl.errors import UsageError

if TYPE_CHECKING:
    from runctl.model.volume import Snapshot

_HEADER = ("ID", "NAME", "SIZE", "STATE", "AGE", "VOLUME", "USD/MONTH")


@click.command(cls=Command)
@click.argument("volume")
@click.option("--name", help="How it is called; the volume and the time, unless said.")
@click.option(
    "--wait-timeout",
    type=Duration(),
    default="1h",
    show_default=True,
    help="Ends only the waiting.",
)
@dry_run_option
@yes_option
@pass_invocation
def snapshot(
    invocation: Invocation,
    volume: str,
    *,
    name: str | None,
    wait_timeout: timedelta,
    dry_run: bool,
    yes: bool,
) -> None:
    """Keep what VOLUME holds now, and return once that is whole.

    What is written to it later is not in it. With --name, typed again it is the same snapshot.
    """
    client, screen = invocation.client(), invocation.screen
    found = client.volumes().find(volume)
    called = name or f"{found.name or found.volume_id}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    price = _tell_price(client.snapshots().price(found.gib))
    words = f"a snapshot of {found.volume_id}, {called}: {price}"
    if dry_run:
        screen.show(found, lambda: [f"would make {words}"], found.volume_id)
        return
    if not yes:
        screen.note(words)
    require_consent(screen, "Make it?", is_given=yes)
    with screen.working(f"keeping what {volume} holds"):
        made = client.snapshots().create(found, called, wait_timeout)
    _show(invocation, made, made.state)


@click.command("snapshot-list", cls=Command)
@pass_invocation
def snapshot_list(invocation: Invocation) -> None:
    """List your snapshots, with the most that each costs."""
    screen = invocation.screen
    found = invocation.client().snapshots().list()
    rows = [_row(one) for one in found]
    screen.show(
        found,
        lambda: screen.show_table(_HEADER, rows) if rows else [],
        [one.snapshot_id for one in found],
    )
    if not found:
        screen.note("no snapshots; to make one: runctl aws ebs snapshot VOLUME")


@click.command("snapshot-delete", cls=Command)
@click.argument("snapshot")
@dry_run_option
@yes_option
@pass_invocation
def snapshot_delete(invocation: Invocation, snapshot: str, *, dry_run: bool, yes: bool) -> None:
    """Delete SNAPSHOT: there is no way back. Volumes that were made of it stay as they are."""
    snapshots = invocation.client().snapshots()
    if dry_run:
        _show(invocation, snapshots.check_delete(snapshot), "would be deleted")
        return
    require_consent(invocation.screen, f"Delete {snapshot}?", is_given=yes)
    _show(invocation, snapshots.delete(snapshot), "is deleted")


@click.command(cls=Command)
@click.argument("snapshot")
@click.argument("name")
@click.option("--size", type=Gibibytes(), help="In GiB, or as 100G; as large, unless said.")
@click.option("--zone", help="Where it is made.")
@click.option("--instance", help="Made in the zone of this instance.")
@click.option("--project", help="A tag, to tell your volumes apart.")
@click.option("--persistent", is_flag=True, help="Protect it: a delete needs --unprotect.")
@dry_run_option
@yes_option
@pass_invocation
def restore(invocation: Invocation, /, snapshot: str, name: str, **options: Any) -> None:
    """Make a volume that is called NAME, with what SNAPSHOT holds.

    Typed again, it is the same volume.
    """
    from runctl.model.wish import VolumeWish  # noqa: PLC0415

    client, screen = invocation.client(), invocation.screen
    found = client.snapshots().find(snapshot)
    gib = options["size"] or found.gib
    if gib < found.gib:
        raise UsageError(
            f"{found.snapshot_id} holds {found.gib} GiB, which do not fit into {gib}",
            hint=f"--size {found.gib}G, or leave it out",
        )
    wish = VolumeWish(
        name=name,
        gib=gib,
        place=place_of(client.volumes(), name, options),
        project=options["project"],
        is_protected=options["persistent"],
        snapshot=found.snapshot_id,
    )
    words = f"{tell_wish(client.volumes(), wish)}, of {found.snapshot_id}"
    if options["dry_run"]:
        screen.show(wish, lambda: [f"would make {words}"], name)
        return
    if not options["yes"]:
        screen.note(words)
    require_consent(screen, "Make it?", is_given=options["yes"])
    with screen.working(f"making {name}"):
        show_volume(invocation, client.volumes().create(wish))


def _tell_price(monthly: Any) -> str:
    from runctl.model.money import format_cost  # noqa: PLC0415

    if monthly is None:
        return "at an unknown price"
    return f"at most {format_cost(monthly)} a month, for what is written alone is paid"


def _show(invocation: Invocation, one: Snapshot, words: str) -> None:
    name = f" ({one.name})" if one.name else ""
    line = f"{one.snapshot_id}{name}: {one.gib} GiB of {one.volume_id}, {words}"
    invocation.screen.show(one, lambda: [line], one.snapshot_id)


def _row(one: Snapshot) -> tuple[str, ...]:
    from runctl.cli.sentences import tell_age  # noqa: PLC0415
    from runctl.model.money import format_cost  # noqa: PLC0415

    return (
        one.snapshot_id,
        one.name or "-",
        f"{one.gib} GiB",
        one.state if one.progress in (None, "100%") else f"{one.state} {one.progress}",
        tell_age(one.started_at),
        one.volume_id or "-",
        "-" if one.usd_per_month is None else f"≤ {format_cost(one.usd_per_month)}",
    )
