"""An instance that is asked for, from the intent until the user knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from runctl.engine.mounting import look
from runctl.engine.renting.choosing import Rented, payable, rent
from runctl.engine.renting.intents import take_up
from runctl.engine.session import Session
from runctl.errors import ProviderError, RunctlError, TransportError
from runctl.model.codec import Value, encode
from runctl.model.instance import Offer
from runctl.model.terms import Terms
from runctl.model.volume import VolumeAsk
from runctl.model.wish import InstanceWish
from runctl.providers.api import Provider, SupportsDefaults

_SERVERS_FAULT = 500


def complete(provider: Provider, wish: InstanceWish) -> InstanceWish:
    """Return the wish with what the provider needs beside it."""
    return provider.complete(wish) if isinstance(provider, SupportsDefaults) else wish


def find_offers(provider: Provider, wish: InstanceWish) -> list[Offer]:
    """Return what can be had for what it may cost, cheapest first; RefusedError if nothing can."""
    return payable(provider.offers(wish), wish)


@contextmanager
def creation(
    session: Session,
    provider: Provider,
    wish: InstanceWish,
    terms: Terms,
    volumes: Sequence[VolumeAsk] = (),
) -> Iterator[Rented]:
    """Rent one of the offers of the terms; within, the user is told.

    ``volumes`` are to be free for it.
    Whoever is killed before the end, and asks for the very same again, gets the same instance.
    """
    intent = take_up(
        session.user_dir / "intents", asked_bytes(session, provider, wish), lambda: _token(session)
    )
    if intent.is_taken_up:
        terms.tell("taking up what was typed before, and was killed")
    try:
        if not intent.is_taken_up:
            look(provider, volumes)
        rented = rent(
            provider,
            terms.offers or (),
            wish,
            intent.token,
            terms.tell,
            fallback=terms.fallback,
            ask=terms.ask,
        )
    except RunctlError as error:
        if not is_undecided(error):
            intent.settle()
        raise
    try:
        yield rented
    finally:
        intent.settle()


def is_undecided(error: RunctlError) -> bool:
    """Tell whether the provider may have rented it: its answer is not known, or means little."""
    status = error.details.get("http_status")
    is_answered = isinstance(status, int) and status < _SERVERS_FAULT
    return isinstance(error, TransportError | ProviderError) and not is_answered


def asked_bytes(session: Session, provider: Provider, asked: Value) -> bytes:
    """Return what tells one request from another: what is asked of which account, and where."""
    account = session.config.values.aws
    where = (provider.name, account.profile or "", account.region or "")
    return "\0".join(where).encode() + b"\0" + encode(asked)


def _token(session: Session) -> str:
    return session.chance(16).hex()
