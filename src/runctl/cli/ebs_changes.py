"""``runctl aws ebs create``, ``attach``, ``detach``, ``resize`` and ``delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, require_consent, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.renting import Gibibytes
from runctl.errors import UsageError

if TYPE_CHECKING:
    from runctl.client import Volumes
    from runctl.model.instance import Volume
    from runctl.model.wish import VolumeWish


@click.command(cls=Command)
@click.argument("name")
@click.option("--size", type=Gibibytes(), required=True, help="In GiB, or as 100G.")
@click.option("--zone", help="Where it is made.")
@click.option("--instance", help="Made in the zone of this instance.")
@click.option("--iops", type=click.IntRange(3000), help="More than the 3000 that are free.")
@click.option("--throughput", type=click.IntRange(125), help="In MiB/s; 125 are free.")
@click.option("--project", help="A tag, to tell your volumes apart.")
@click.option("--persistent", is_flag=True, help="Protect it: a delete needs --unprotect.")
@dry_run_option
@yes_option
@pass_invocation
def create(invocation: Invocation, /, name: str, **options: Any) -> None:
    """Make a volume of type gp3, encrypted, which is called NAME.

    It costs until it is deleted. Typed again, it is the same volume; one of another size, or that
    is not protected as asked, is exit 5.
    """
    volumes = invocation.client().volumes()
    wish = _wish(volumes, name, options)
    words = tell_wish(volumes, wish)
    if options["dry_run"]:
        invocation.screen.show(wish, lambda: [f"would make {words}"], name)
        return
    if not options["yes"]:
        invocation.screen.note(words)
    require_consent(invocation.screen, "Make it?", is_given=options["yes"])
    with invocation.screen.working(f"making {name}"):
        show_volume(invocation, volumes.create(wish))


def _wish(volumes: Volumes, name: str, options: dict[str, Any]) -> VolumeWish:
    from runctl.model.wish import VolumeWish  # noqa: PLC0415

    return VolumeWish(
        name=name,
        gib=options["size"],
        place=place_of(volumes, name, options),
        iops=options["iops"],
        throughput_mibps=options["throughput"],
        project=options["project"],
        is_protected=options["persistent"],
    )


def place_of(volumes: Volumes, name: str, options: dict[str, Any]) -> str:
    """Return the zone where a volume is to be made, or raise UsageError."""
    if bool(options["zone"]) == bool(options["instance"]) or name.startswith("vol-"):
        wrong = "a name begins with vol-" if name.startswith("vol-") else "say one of the two"
        raise UsageError(
            f"a volume needs a name, and either --zone or --instance: {wrong}",
            hint="runctl aws ebs create data --size 100G --zone us-east-1a",
        )
    return str(options["zone"] or volumes.place_of(options["instance"]))


def tell_wish(volumes: Volumes, wish: VolumeWish) -> str:
    """Say what is wanted, and what it costs."""
    from runctl.model.money import format_cost  # noqa: PLC0415

    monthly = volumes.price(wish)
    price = "at an unknown price" if monthly is None else f"{format_cost(monthly)} a month"
    return f"{wish.name}: {wish.gib} GiB gp3, encrypted, in {wish.place}, {price}"


@click.command(cls=Command)
@click.argument("volume")
@click.argument("instance")
@dry_run_option
@pass_invocation
def attach(invocation: Invocation, volume: str, instance: str, *, dry_run: bool) -> None:
    """Attach VOLUME to INSTANCE, which has to be in its zone; both have to be yours.

    Of two at once one wins, and the other is exit 5.
    """
    volumes = invocation.client().volumes()
    if dry_run:
        show_volume(invocation, volumes.find(volume), f"would be attached to {instance}")
        return
    with invocation.screen.working(f"attaching {volume}"):
        show_volume(invocation, volumes.attach(volume, instance))


@click.command(cls=Command)
@click.argument("volume")
@dry_run_option
@yes_option
@pass_invocation
def detach(invocation: Invocation, volume: str, *, dry_run: bool, yes: bool) -> None:
    """Unmount VOLUME on its instance, and detach it; exit 5 where a process uses it."""
    volumes = invocation.client().volumes()
    if dry_run:
        show_volume(invocation, volumes.check_detach(volume), "would be detached")
        return
    require_consent(invocation.screen, f"Detach {volume}?", is_given=yes)
    with invocation.screen.working(f"detaching {volume}"):
        show_volume(invocation, volumes.detach(volume))


@click.command(cls=Command)
@click.argument("volume")
@click.argument("size", type=Gibibytes())
@dry_run_option
@yes_option
@pass_invocation
def resize(invocation: Invocation, volume: str, size: int, *, dry_run: bool, yes: bool) -> None:
    """Make VOLUME larger: to SIZE, in GiB or as 200G, also while it is in use.

    The file system on it grows with it, where an instance has it. It costs more from then on, and
    never shrinks.
    """
    volumes = invocation.client().volumes()
    found = volumes.check_resize(volume, size)
    words = f"{found.volume_id}: {found.gib} GiB, to be {size} GiB for good"
    if dry_run:
        show_volume(invocation, found, f"would be of {size} GiB")
        return
    if not yes:
        invocation.screen.note(words)
    require_consent(invocation.screen, "Make it larger?", is_given=yes)
    with invocation.screen.working(f"making {volume} larger"):
        made, problem = volumes.resize(volume, size)
    show_volume(invocation, made)
    if problem is not None:
        again = "type the same again once it can grow"
        invocation.screen.note(f"its file system is as large as before ({problem}): {again}")


@click.command(cls=Command)
@click.argument("volume")
@click.option("--unprotect", is_flag=True, help="Also if it was made with --persistent.")
@dry_run_option
@yes_option
@pass_invocation
def delete(
    invocation: Invocation, volume: str, *, unprotect: bool, dry_run: bool, yes: bool
) -> None:
    """Delete VOLUME, with all that is on it: there is no way back.

    Refused for one that is not yours, that is protected, or that is attached.
    """
    volumes = invocation.client().volumes()
    if dry_run:
        found = volumes.check_delete(volume, is_unprotected=unprotect)
        show_volume(invocation, found, "would be deleted")
        return
    require_consent(invocation.screen, f"Delete {volume}, with its data?", is_given=yes)
    with invocation.screen.working(f"deleting {volume}"):
        show_volume(invocation, volumes.delete(volume, is_unprotected=unprotect), "is deleted")


def show_volume(invocation: Invocation, one: Volume, words: str | None = None) -> None:
    """Show a volume, and what has become of it."""
    from runctl.cli.aws_pages import describe_volume  # noqa: PLC0415

    attached = f"attached to {one.instance_id}" if one.instance_id else one.state
    line = f"{describe_volume(one)}, {words or attached}"
    invocation.screen.show(one, lambda: [line], one.volume_id)
