"""``runctl aws create``: rent an instance of EC2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.aws_options import wait_timeout_option
from runctl.cli.command import Command
from runctl.cli.consent import dry_run_option, yes_option
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.cli.mounting import near_volumes, volume_option
from runctl.cli.renting import agree, asker, price_lines, read_wish, renting_options
from runctl.cli.renting import renting_settings as settings_of
from runctl.errors import Interrupted, RunctlError

if TYPE_CHECKING:
    from runctl.client import Client, Instances
    from runctl.model.instance import Instance, Offer
    from runctl.model.setup import Finding
    from runctl.model.volume import VolumeAsk
    from runctl.model.wish import InstanceWish


@click.command(cls=Command)
@click.argument("types", metavar="[TYPE]...", nargs=-1)
@renting_options
@volume_option
@click.option("--name", help="How it is called.")
@click.option("--wait", is_flag=True, help="Return once it answers a command.")
@wait_timeout_option
@dry_run_option
@yes_option
@pass_invocation
def create(invocation: Invocation, /, types: tuple[str, ...], **options: Any) -> None:
    """Rent an instance: of TYPE, or of the cheapest that has what is asked for.

    Its price is shown first. All that fits is tried, in all zones, the cheapest first. It bears
    your owner tag, its disk is encrypted, and its metadata takes tokens only (IMDSv2).

    \b
    runctl aws create g6.xlarge --ami dlami --ttl 8h --wait
    runctl aws create --gpu L4:1 --cpus 8 --spot --fallback ask --max-cost 20

    Killed and typed again it goes on with the instance that it has rented.
    """
    from runctl.model.volume import read_volumes  # noqa: PLC0415

    asks = read_volumes(options["volumes"])
    client = invocation.client(settings_of(options))
    instances, screen = client.instances(), invocation.screen
    wish = read_wish(client, options, types=types, name=options["name"])
    wish = near_volumes(invocation, client, wish, asks, is_strict=options["dry_run"])
    with screen.working("looking at what is needed, and for offers"):
        wish = instances.complete(wish)
        offers = instances.offers(wish)
        for finding in client.aws_setup().examine(wish):
            _tell(invocation, finding)
    if options["dry_run"]:
        _show_plan(invocation, offers, wish)
        return
    agree(invocation, offers, wish, is_given=options["yes"])
    _rent(invocation, client, offers, wish, asks, options)


def _tell(invocation: Invocation, finding: Finding) -> None:
    told = f"{finding.subject}: {finding.told}"
    if finding.verdict.value == "failed":
        invocation.screen.warn(f"{told}; see {finding.fix or 'runctl aws check'}")
    else:
        invocation.screen.detail(told)


def _rent(
    invocation: Invocation,
    client: Client,
    offers: Sequence[Offer],
    wish: InstanceWish,
    asks: Sequence[VolumeAsk],
    options: Mapping[str, Any],
) -> None:
    screen, instances = invocation.screen, client.instances()
    is_ready = bool(options["wait"] or asks)
    with (
        _interruptible("it may be rented already", "type the same again: it is taken up"),
        instances.creation(
            wish,
            offers,
            fallback=options["fallback"],
            ask=asker(invocation),
            tell=screen.note,
            volumes=asks,
        ) as rented,
    ):
        instance = rented.instance
        if is_ready:
            screen.note(f"{instance.instance_id} is rented; waiting until it answers")
            instance = _await(invocation, instances, instance, options["wait_timeout"])
        _mount(invocation, client, asks, instance)
        _show(invocation, instance, is_ready=is_ready)


def _mount(
    invocation: Invocation, client: Client, asks: Sequence[VolumeAsk], instance: Instance
) -> None:
    if not asks:
        return
    ident, screen = instance.instance_id, invocation.screen
    try:
        with screen.working("mounting the volumes"):
            client.volumes().mount(asks, instance, screen.note)
    except RunctlError:
        screen.note(f"{ident} goes on without, and costs; to end it: runctl aws terminate {ident}")
        raise


def _await(
    invocation: Invocation, instances: Instances, instance: Instance, timeout: timedelta
) -> Instance:
    ident = instance.instance_id
    with (
        _interruptible(f"{ident} goes on, and costs", _next(ident, is_ready=False)),
        invocation.screen.working("waiting until it answers"),
    ):
        return instances.await_ready(ident, timeout)


@contextmanager
def _interruptible(told: str, hint: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {told}", hint=hint) from None


def _show(invocation: Invocation, instance: Instance, *, is_ready: bool) -> None:
    ident = instance.instance_id
    words = (ident, instance.type, instance.state.value, instance.place or "-", instance.name or "")
    invocation.screen.show(instance, lambda: ["  ".join(filter(None, words))], ident)
    invocation.screen.note(_next(ident, is_ready=is_ready))


def _next(ident: str, *, is_ready: bool) -> str:
    wait = "" if is_ready else f"to wait for it: runctl aws wait {ident} --for ready; "
    train, end = f"runctl aws train {ident} SCRIPT", f"runctl aws terminate {ident}"
    return f"{wait}to train on it: {train}; to end it: {end}"


def _show_plan(invocation: Invocation, offers: Sequence[Offer], wish: InstanceWish) -> None:
    document = {"is_dry_run": True, "offers": offers, "wish": wish}

    def lines() -> Iterator[str]:
        yield from price_lines(offers, wish)
        yield from _plan(wish)

    idents = list(dict.fromkeys(one.type for one in offers))
    invocation.screen.show(document, lines, idents)
    invocation.screen.note("nothing was rented: this is --dry-run")


def _plan(wish: InstanceWish) -> Iterator[str]:
    from runctl.model.quantities import format_duration  # noqa: PLC0415

    size = f"{wish.root_gib} GiB" if wish.root_gib else "as large as the image's"
    told = {
        "image": wish.image,
        "disk": f"{size}, encrypted, gone with the instance",
        "profile": wish.instance_profile,
        "key pair": wish.key_name,
        "groups": ", ".join(wish.security_groups) or "the default one of its VPC",
        "subnet": wish.subnet,
        "name": wish.name,
        "project": wish.project,
        "idle": f"ends after {format_duration(wish.idle_stop)}" if wish.idle_stop else None,
    }
    yield from (f"{name:<9} {value}" for name, value in told.items() if value)
