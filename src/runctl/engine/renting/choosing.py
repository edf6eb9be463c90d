"""The cheapest offer that can be had: one after the other, and never silently another market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import msgspec

from runctl.errors import CapacityError, RefusedError
from runctl.model.instance import Instance, Offer
from runctl.model.quantities import format_duration, format_usd
from runctl.model.terms import Ask, Fallback, Tell
from runctl.model.wish import InstanceWish
from runctl.providers.api import Provider

SHORTEST = timedelta(minutes=5)
"""An instance takes a good part of that to boot."""
_OTHERWISE = "type the same with another --zone or --instance-type"
_WITHOUT_SPOT = "type the same with --fallback on-demand, or with another --zone or --instance-type"


@dataclass(frozen=True)
class Rented:
    """``offer`` is what was taken; None where an earlier call with the token had rented another."""

    instance: Instance
    offer: Offer | None


def rent(
    provider: Provider,
    offers: Sequence[Offer],
    wish: InstanceWish,
    token: str,
    tell: Tell,
    *,
    fallback: Fallback = "none",
    ask: Ask | None = None,
) -> Rented:
    """Rent the first of the offers that can be had; the same token never rents a second one.

    ``tell`` gets a sentence for each that cannot; ``ask``, the question whether to go on without
    spot. Raises CapacityError, with the difference in price, where there is no spot and nobody
    has agreed to more, and whatever else goes wrong at once.
    """
    try:
        return _rent_any(provider, offers, wish, token, tell)
    except CapacityError as error:
        if not wish.is_spot:
            raise
        missed = error
    instead = without_spot(offers)
    told = f"{missed.message}; {_tell_difference(instead[0], offers[0])}"
    if not _is_agreed(fallback, ask, told):
        hint = missed.hint if "quota" in missed.details else _WITHOUT_SPOT
        raise CapacityError(told, hint=hint, **missed.details) from missed
    tell(f"{told}; going on without spot")
    wish = msgspec.structs.replace(wish, is_spot=False, spot_max_price=None)
    return _rent_any(provider, instead, wish, token, tell)


def limited(wish: InstanceWish, offer: Offer) -> InstanceWish:
    """Return the wish with what its ``max_cost`` makes of ``ttl`` at the price of an offer.

    Raises RefusedError where that cannot be told, or is too short to be of any use.
    """
    if wish.max_cost is None:
        return wish
    if offer.usd_per_hour is None:
        raise RefusedError(
            f"--max-cost cannot be kept: what {offer.type} costs is unknown ({offer.note})",
            hint="type the same with --ttl in place of --max-cost",
        )
    seconds = int(wish.max_cost / offer.usd_per_hour * 3600)
    paid = timedelta(seconds=min(seconds, 10**9))  # that is 31 years
    if paid < SHORTEST:
        raise RefusedError(
            f"{format_usd(wish.max_cost)} pays for {format_duration(paid)} of {_tell(offer)}",
            hint="type the same with a larger --max-cost",
        )
    ttl = paid if wish.ttl is None else min(paid, wish.ttl)
    return msgspec.structs.replace(wish, ttl=ttl)


def without_spot(offers: Sequence[Offer]) -> list[Offer]:
    """Return the same types and places on demand, cheapest first."""
    return sorted(
        (
            msgspec.structs.replace(
                offer,
                is_spot=False,
                usd_per_hour=offer.on_demand_usd_per_hour,
                on_demand_usd_per_hour=None,
            )
            for offer in offers
        ),
        key=lambda offer: (offer.usd_per_hour is None, offer.usd_per_hour or Decimal(0)),
    )


def _rent_any(
    provider: Provider, offers: Sequence[Offer], wish: InstanceWish, token: str, tell: Tell
) -> Rented:
    missed: list[CapacityError] = []
    full: set[str] = set()  # types that no quota is left for, in any place
    for offer in _within(payable(offers, wish), wish):
        if offer.type in full:
            continue
        try:
            return _taken(provider.create(offer, limited(wish, offer), token), offers)
        except CapacityError as error:
            missed.append(error)
            full |= {offer.type} if "quota" in error.details else set()
            tell(error.message)
    raise _exhausted(offers, missed)


def payable(offers: Sequence[Offer], wish: InstanceWish) -> list[Offer]:
    """Return the offers that keep ``max_cost``; RefusedError where none does."""
    refused: list[RefusedError] = []
    kept: list[Offer] = []
    for offer in offers:
        try:
            limited(wish, offer)
        except RefusedError as error:
            refused.append(error)
        else:
            kept.append(offer)
    if not kept and refused:
        raise refused[0]
    return kept


def _within(offers: Sequence[Offer], wish: InstanceWish) -> list[Offer]:
    """Return what costs no more than the limit on spot, or CapacityError if all cost more.

    Where a price is unknown, the provider is told the limit, and keeps it.
    """
    limit = wish.spot_max_price
    if limit is None or not wish.is_spot:
        return list(offers)
    kept = [one for one in offers if one.usd_per_hour is None or one.usd_per_hour <= limit]
    if not kept:
        raise CapacityError(
            f"the cheapest spot price is {_tell(offers[0])}: more than {format_usd(limit)}",
            hint=f"type the same with --spot-max-price {offers[0].usd_per_hour:f}",
        )
    return kept


def _taken(instance: Instance, offers: Sequence[Offer]) -> Rented:
    """Name the offer by what the instance is: an earlier call may have taken another."""
    mine = (instance.type, instance.place, instance.is_spot)
    found = (one for one in offers if (one.type, one.place, one.is_spot) == mine)
    return Rented(instance, next(found, None))


def _exhausted(offers: Sequence[Offer], missed: Sequence[CapacityError]) -> CapacityError:
    quota = next((one for one in missed if "quota" in one.details), None)
    if quota is not None or len(missed) == 1:
        told = quota or missed[0]
        return CapacityError(told.message, hint=told.hint or _OTHERWISE, **told.details)
    types = ", ".join(dict.fromkeys(one.type for one in offers))
    places = ", ".join(dict.fromkeys(one.place for one in offers))
    market = "spot" if offers[0].is_spot else "on demand"
    return CapacityError(f"there is no {types} to be had in {places} ({market})", hint=_OTHERWISE)


def _is_agreed(fallback: Fallback, ask: Ask | None, told: str) -> bool:
    if fallback == "ask" and ask is not None:
        return ask(f"{told}. Go on without spot?")
    return fallback == "on-demand"


def _tell_difference(instead: Offer, spot: Offer) -> str:
    if instead.usd_per_hour is None:
        return f"what {instead.type} costs on demand is unknown"
    if spot.usd_per_hour is None:
        return f"on demand it is {_tell(instead)}"
    more = format_usd(instead.usd_per_hour - spot.usd_per_hour)
    return f"on demand it is {_tell(instead)}: {more} an hour more"


def _tell(offer: Offer) -> str:
    price = offer.usd_per_hour
    return f"{offer.type} at {'an unknown price' if price is None else format_usd(price)} an hour"
