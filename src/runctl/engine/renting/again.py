"""What is rented in the place of an instance that was lost: away from where it was, then wider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from runctl.engine.renting.choosing import payable
from runctl.errors import NotFoundError, RefusedError
from runctl.model.cost import run_cost
from runctl.model.instance import Offer, Rental
from runctl.model.run import Run
from runctl.model.wish import InstanceWish
from runctl.providers.api import Provider

_GIB = 1024**3


def with_money_left(wish: InstanceWish, run: Run, now: datetime) -> InstanceWish:
    """Return the wish with what the attempts have left of its ``max_cost``.

    Raises RefusedError where what they have cost is unknown.
    """
    if wish.max_cost is None:
        return wish
    spent = run_cost(run, now)
    if spent is None:
        raise RefusedError(
            f"--max-cost cannot be kept: what run {run.spec.name} has cost is unknown",
            hint=f"runctl status {run.run_id}",
        )
    return replace(wish, max_cost=max(Decimal(0), wish.max_cost - spent))


def find_again(provider: Provider, wish: InstanceWish, last: Rental | None) -> list[Offer]:
    """Return what can be had, cheapest first, but last where the last instance was lost."""
    offers = payable(provider.offers(wish), wish)
    return sorted(offers, key=lambda offer: _is_same(offer, last))


def find_wider(provider: Provider, wish: InstanceWish, missed: Sequence[Offer]) -> list[Offer]:
    """Return offers of other types and zones that have as much as the first that was missed.

    None of them costs more than that one does on demand: what the user has agreed to for spot is
    less, and what he would pay without it is the most that it is worth.
    """
    if not missed:
        return []
    first = missed[0]
    limit = first.on_demand_usd_per_hour if first.is_spot else first.usd_per_hour
    if limit is None:
        return []
    wider = _widened(wish, first)
    tried = {(one.type, one.place) for one in missed}
    try:
        found = payable(provider.offers(wider), wider)
    except (NotFoundError, RefusedError):
        return []
    return [
        one
        for one in found
        if (one.type, one.place) not in tried
        and one.usd_per_hour is not None
        and one.usd_per_hour <= limit
    ]


def _is_same(offer: Offer, last: Rental | None) -> bool:
    return last is not None and (offer.type, offer.place) == (last.type, last.place)


def _widened(wish: InstanceWish, offer: Offer) -> InstanceWish:
    return replace(
        wish,
        types=(),
        zones=(),
        gpu=offer.gpus[0] if offer.gpus else None,
        gpu_count=len(offer.gpus),
        cpus=offer.cpus,
        memory_gib=offer.memory_bytes // _GIB,
    )
