"""What all that rents shares: its options, the wish they amount to, the price shown first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from runctl.cli.consent import require_consent
from runctl.cli.invocation import Invocation
from runctl.cli.parameters import Duration, split_lists, together
from runctl.errors import UsageError

if TYPE_CHECKING:
    from runctl.client import Client
    from runctl.model.instance import Offer
    from runctl.model.wish import InstanceWish

FALLBACKS = ("none", "on-demand", "ask")
SHOWN = 5
_GPU = re.compile(r"([A-Za-z][A-Za-z0-9 _.-]*)(?::([1-9][0-9]{0,2}))?")
_GIB = 1024**3
_SETTINGS = {
    "ami": "aws.ami",
    "iam_instance_profile": "aws.instance_profile",
    "subnet": "aws.subnet",
    "key_name": "aws.key_name",
}


class Dollars(click.ParamType[Decimal]):
    """An amount of US dollars, more than 0."""

    name = "usd"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            amount = Decimal(str(value).removeprefix("$"))
        except InvalidOperation:
            amount = Decimal(0)
        if not (amount.is_finite() and 0 < amount < 10**9):
            self.fail(f"{value!r} is not an amount of US dollars, such as 0.50", param, ctx)
        return amount


class Span(Duration):
    """A duration that is more than none at all."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | str:
        found = super().convert(value, param, ctx)
        if found == timedelta():
            self.fail(f"{value!r} is no time at all", param, ctx)
        return found


class Gibibytes(click.ParamType[int]):
    """A size: a bare number is of GiB, and parts of one are rounded up."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from runctl.model.quantities import parse_size  # noqa: PLC0415

        text = str(value)
        try:
            size_gib = int(text) if text.isdecimal() else -(-parse_size(text) // _GIB)
        except UsageError as error:
            self.fail(error.message, param, ctx)
        if not 0 < size_gib < 1 << 20:
            self.fail(f"{text!r} is not a size that there is, such as 100G", param, ctx)
        return size_gib


renting_options = together(
    click.option(
        "--instance-type", multiple=True, metavar="TYPE", help="Such as g6.xlarge; or several."
    ),
    click.option("--gpu", metavar="NAME[:COUNT]", help="At least this, such as L4:1."),
    click.option("--cpus", type=click.IntRange(1), help="At least so many."),
    click.option("--memory", type=Gibibytes(), help="At least so much, in GiB or as 32G."),
    click.option("--spot", is_flag=True, help="Of the spot market: cheaper, and interrupted."),
    click.option("--spot-max-price", type=Dollars(), help="An hour, at most."),
    click.option(
        "--fallback",
        type=click.Choice(FALLBACKS),
        default="none",
        show_default=True,
        help="Where there is no spot.",
    ),
    click.option("--zone", multiple=True, help="Only there; or several."),
    click.option("--key-name", help="The key pair, for SSH."),
    click.option("--security-group", multiple=True, metavar="GROUP", help="By id or name."),
    click.option("--subnet", metavar="ID", help="Only there."),
    click.option("--ami", metavar="IMAGE", help="ami-…, al2023, ubuntu or dlami."),
    click.option("--root-volume-size", type=Gibibytes(), help="In GiB, or as 100G."),
    click.option("--iam-instance-profile", metavar="NAME", help="What it may do in AWS."),
    click.option("--project", help="A tag, to tell your instances apart."),
    click.option("--ttl", type=Span(), help="Terminate it so long after its start."),
    click.option("--idle-stop", type=Span(), help="Terminate it so long after its last run."),
    click.option("--max-cost", type=Dollars(), help="Terminate it before it costs more."),
)


def renting_settings(options: Mapping[str, Any]) -> dict[str, object]:
    """Return what of the options is a setting, for the client."""
    given: dict[str, object] = {key: options[name] for name, key in _SETTINGS.items()}
    given["aws.security_groups"] = split_lists(options["security_group"]) or None
    return given


def read_wish(
    client: Client, options: Mapping[str, Any], *, types: Sequence[str] = (), name: str | None
) -> InstanceWish:
    """Return the wish that options and settings amount to, or raise UsageError.

    ``types`` are named elsewhere on the command line. The type in the settings counts where
    nothing else says what is wanted.
    """
    from runctl.model.wish import InstanceWish  # noqa: PLC0415

    aws = client.config.values.aws
    _check_spot(options)
    gpu, gpu_count = _read_gpu(options["gpu"])
    named = tuple(dict.fromkeys((*types, *split_lists(options["instance_type"]))))
    is_said = named or gpu or options["cpus"] or options["memory"]
    usual = (aws.instance_type,) if aws.instance_type and not is_said else ()
    return InstanceWish(
        types=named or usual,
        gpu=gpu,
        gpu_count=gpu_count,
        cpus=options["cpus"] or 0,
        memory_gib=options["memory"] or 0,
        is_spot=options["spot"],
        spot_max_price=options["spot_max_price"],
        zones=split_lists(options["zone"]),
        image=aws.ami,
        root_gib=options["root_volume_size"],
        instance_profile=aws.instance_profile,
        key_name=aws.key_name,
        security_groups=aws.security_groups,
        subnet=aws.subnet,
        project=options["project"],
        name=name,
        ttl=options["ttl"],
        idle_stop=options["idle_stop"],
        max_cost=options["max_cost"],
    )


def _check_spot(options: Mapping[str, Any]) -> None:
    if options["spot"]:
        return
    for option, is_given in (
        ("--spot-max-price", options["spot_max_price"] is not None),
        ("--fallback", options["fallback"] != "none"),
    ):
        if is_given:
            raise UsageError(f"{option} is about --spot, which is not given", hint="add --spot")


def _read_gpu(text: str | None) -> tuple[str | None, int]:
    if text is None:
        return None, 0
    match = _GPU.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--gpu: {text!r} is not a name with a count", hint="write --gpu L4, or --gpu A100:8"
        )
    return match[1], int(match[2] or 1)


def asker(invocation: Invocation) -> Callable[[str], bool] | None:
    """Return how to ask the user for ``--fallback ask``; None where there is no terminal."""
    from runctl.cli.render import is_interactive  # noqa: PLC0415

    return invocation.screen.ask if is_interactive() else None


def agree(
    invocation: Invocation, offers: Sequence[Offer], wish: InstanceWish, *, is_given: bool
) -> None:
    """Show what it costs, and return if that is agreed to; RefusedError if not."""
    screen = invocation.screen
    for line in price_lines(offers, wish):
        (screen.note if is_given else screen.message)(line)  # who is asked has to see it
    what = "the first of these that can be had" if len(offers) > 1 else offers[0].type
    hint = "what it costs is said above: type the same with --yes"
    require_consent(screen, f"Rent {what}?", is_given=is_given, hint=hint)


def price_lines(offers: Sequence[Offer], wish: InstanceWish) -> Iterator[str]:
    """Yield what the offers cost, in the order in which they are tried, and the most it can be."""
    groups = [list(group) for _, group in groupby(offers, lambda one: (one.type, one.usd_per_hour))]
    for group in groups[:SHOWN]:
        yield _tell_offers(group)
    if len(groups) > SHOWN:
        yield f"… and {sum(map(len, groups[SHOWN:]))} more, as far as {_tell_last(offers)}"
    yield _tell_most(offers, wish)
    if offers[0].gpus and wish.image in ("al2023", "ubuntu"):
        yield f"{wish.image} has no driver for GPUs: --ami dlami has one"


def _tell_offers(alike: Sequence[Offer]) -> str:
    """Say what an offer is that several places have at one price, an hour and a day."""
    from runctl.model.quantities import format_size, format_usd  # noqa: PLC0415

    offer = alike[0]
    gpus = f", {len(offer.gpus)} {offer.gpus[0]}" if offer.gpus else ""
    what = f"{offer.type} ({offer.cpus} CPUs, {format_size(offer.memory_bytes)}{gpus})"
    price, beside = offer.usd_per_hour, offer.on_demand_usd_per_hour
    told = "at an unknown price"
    if price is not None:
        told = f"{format_usd(price)} an hour, {format_usd(round(price * 24, 2))} a day"
    told += f" (on demand {format_usd(beside)} an hour)" if beside is not None else ""
    note = f"; {offer.note}" if offer.note else ""
    market = "spot" if offer.is_spot else "on demand"
    return f"{what} {market}: {told}, in {', '.join(one.place for one in alike)}{note}"


def _tell_last(offers: Sequence[Offer]) -> str:
    from runctl.model.quantities import format_usd  # noqa: PLC0415

    last = offers[-1].usd_per_hour
    price = "an unknown price" if last is None else f"{format_usd(last)} an hour"
    return f"{offers[-1].type} at {price}"


def _tell_most(offers: Sequence[Offer], wish: InstanceWish) -> str:
    """Say the most that the instance itself can cost; its disk and its traffic come on top."""
    from runctl.model.quantities import format_duration, format_usd  # noqa: PLC0415

    if wish.max_cost is not None:
        return f"it ends by itself before it costs more than {format_usd(wish.max_cost)}"
    if wish.ttl is None and wish.ends_on_request:
        return "it costs until the run is over, and ends with it"
    if wish.ttl is None:
        return "it costs until you end it: --ttl or --max-cost end it by itself"
    ends = f"it ends by itself after {format_duration(wish.ttl)}"
    prices = [offer.usd_per_hour for offer in offers]
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        return ends
    hours = Decimal(int(wish.ttl.total_seconds())) / 3600
    return f"{ends}: at most {format_usd(round(max(known) * hours, 2))}"
