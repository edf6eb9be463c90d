"""An instance rented for one attempt, and ended again where the attempt cannot be started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from runctl.engine.renting.choosing import Rented, rent
from runctl.engine.renting.readiness import await_ready
from runctl.errors import RunctlError
from runctl.model.instance import GONE, Instance
from runctl.model.quantities import format_usd
from runctl.model.run import Run, State
from runctl.model.spec import Spec
from runctl.model.terms import Terms
from runctl.model.wish import InstanceWish
from runctl.providers.api import Provider

BOOT_TIME = timedelta(minutes=10)
OWN_END_S, LOOK_S = 45.0, 0.5
"""How long an instance that its run has ended may take to shut down by itself."""


@contextmanager
def rented_for(
    provider: Provider, spec: Spec, wish: InstanceWish, attempt: int, terms: Terms
) -> Iterator[Instance]:
    """Give an instance that is ready; the same attempt never rents a second one.

    Raises what ``rent`` and ``await_ready`` raise.
    """
    rented = _rent(provider, spec, wish, attempt, terms)
    terms.tell(_describe(rented.instance))
    ident = rented.instance.instance_id
    try:
        yield await_ready(provider, ident, BOOT_TIME)
    except BaseException:
        if spec.ends_instance:
            _give_back(provider, ident, terms.tell)
        raise


def _rent(provider: Provider, spec: Spec, wish: InstanceWish, attempt: int, terms: Terms) -> Rented:
    offers = provider.offers(wish) if terms.offers is None else terms.offers
    token = f"{spec.run_id}-{attempt}"
    return rent(provider, offers, wish, token, terms.tell, fallback=terms.fallback, ask=terms.ask)


def _give_back(provider: Provider, ident: str, tell: Callable[[str], None]) -> None:
    """End what was rented in vain; what made it vain is the error to be raised."""
    try:
        provider.terminate(ident)
    except RunctlError as error:
        tell(f"{ident} could not be ended, and costs on: {error.message}")
        tell(f"to end it: runctl aws terminate {ident}")
    else:
        tell(f"{ident} is ended")


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
    if last is None or last.rental is None or not last.rental.is_for_run:
        return None
    is_due = run.spec.ends_instance and run.is_over and run.state is not State.LOST
    return last.instance if is_due else None


def see_end(provider: Provider, ident: str) -> Instance:
    """Return the instance once it has ended by itself; where it does not, end it."""
    deadline = time.monotonic() + OWN_END_S
    while (found := provider.describe(ident)).state not in GONE:
        if time.monotonic() > deadline:
            provider.terminate(ident)
        time.sleep(LOOK_S)
    return found
