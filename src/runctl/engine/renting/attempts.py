"""An instance rented for one attempt, and ended again where the attempt cannot be started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from runctl.engine.renting.choosing import Rented, rent
from runctl.engine.renting.readiness import UNKNOWN_S, await_ready
from runctl.errors import NotFoundError, RunctlError, TransportError, TryAgain
from runctl.model.instance import GONE, Instance
from runctl.model.quantities import format_duration, format_usd
from runctl.model.run import Run, State
from runctl.model.terms import Terms
from runctl.model.wish import InstanceWish
from runctl.providers.api import Provider

BOOT_TIME = timedelta(minutes=10)
OWN_END_S, LOOK_S = 120.0, 0.5
"""How long an instance may take to end by itself: its keeper gives runs 90 s of it."""


@contextmanager
def rented_for(
    provider: Provider,
    token: str,
    wish: InstanceWish,
    terms: Terms,
    is_taken: Callable[[str], bool],
) -> Iterator[Instance]:
    """Give an instance that is ready; the same token never rents a second one.

    It is ended where what it is for fails, unless it is to be kept, or ``is_taken``: somebody
    else who had the same in mind uses it. Raises what ``rent`` and ``await_ready`` raise.
    """
    rented = _rent(provider, token, wish, terms)
    ident = rented.instance.instance_id
    try:
        terms.tell(_describe(rented.instance))
        yield await_ready(provider, ident, BOOT_TIME)
    except BaseException as error:
        is_ended = wish.ends_on_request and _give_back(provider, ident, terms.tell, is_taken)
        if is_ended and isinstance(error, TryAgain):
            raise _never_ready(ident) from error
        raise


def _never_ready(ident: str) -> TransportError:
    return TransportError(
        f"{ident} has not answered within {format_duration(BOOT_TIME)}, and is ended",
        hint="type the same again, or with another --ami",
    )


def _rent(provider: Provider, token: str, wish: InstanceWish, terms: Terms) -> Rented:
    offers = provider.offers(wish) if terms.offers is None else terms.offers
    return rent(provider, offers, wish, token, terms.tell, fallback=terms.fallback, ask=terms.ask)


def _give_back(
    provider: Provider, ident: str, tell: Callable[[str], None], is_taken: Callable[[str], bool]
) -> bool:
    """End what was rented in vain; what made it vain is the error to be raised."""
    try:
        if is_taken(ident):
            tell(f"{ident} stays: somebody else has begun on it")
            return False
        _terminate(provider, ident)
    except RunctlError as error:
        tell(f"{ident} could not be ended, and costs on: {error.message}")
        tell(f"to end it: runctl aws terminate {ident}")
        return False
    tell(f"{ident} is ended")
    return True


def _terminate(provider: Provider, ident: str) -> None:
    """End an instance that may be so new that it is not known everywhere."""
    deadline = time.monotonic() + UNKNOWN_S
    while True:
        try:
            provider.terminate(ident)
            return
        except NotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_S)


def _describe(instance: Instance) -> str:
    price = instance.usd_per_hour
    cost = "at an unknown price" if price is None else f"at {format_usd(price)} an hour"
    market = "spot" if instance.is_spot else "on demand"
    return f"rented {instance.instance_id}: {instance.type} in {instance.place}, {market}, {cost}"


def due_to_end(run: Run) -> str | None:
    """Return the instance that ends with a run; None where it stays.

    What was not rented for the run stays, and what may hold unsaved work of a lost one.
    """
    last = run.last
    if last is None or not last.ends_instance:
        return None
    return last.instance if run.is_over and run.state is not State.LOST else None


def see_end(provider: Provider, ident: str, is_in_use: Callable[[Instance], bool]) -> Instance:
    """Return the instance once it has ended by itself; where it does not, end it.

    One that is in use by then, by another run, stays.
    """
    deadline = time.monotonic() + OWN_END_S
    while (found := provider.describe(ident)).state not in GONE:
        if time.monotonic() > deadline:
            if is_in_use(found):
                return found
            provider.terminate(ident)
        time.sleep(LOOK_S)
    return found
