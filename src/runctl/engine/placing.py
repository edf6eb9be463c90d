"""On which instance an attempt goes: one that is there, or one that is rented for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from runctl.engine.naming import find_instance
from runctl.engine.renting.attempts import rented_for
from runctl.engine.session import Session, provider_of
from runctl.errors import RefusedError, UsageError
from runctl.model.events import Claim, Relocation
from runctl.model.instance import Instance, Rental
from runctl.model.run import Attempt, Run
from runctl.model.spec import Spec
from runctl.model.terms import Tell, Terms
from runctl.model.volume import VolumePlace
from runctl.model.wish import InstanceWish
from runctl.providers.api import Provider
from runctl.store.ledger import next_claim


@dataclass(frozen=True)
class Placement:
    """``rental`` is what the attempt pays for; None where nothing is paid.

    ``nonce``, if any, is that of the claim which is to be made at this place. ``volumes`` are
    attached to the instance.
    """

    instance: str
    rental: Rental | None = None
    nonce: str = ""
    volumes: tuple[VolumePlace, ...] = ()


def is_to_rent(session: Session, target: str) -> bool:
    """Tell whether a target such as ``aws:g5.xlarge`` or ``aws`` means an instance to be rented."""
    name, _, named = target.partition(":")
    provider = session.provider(name)
    return not provider.is_here and (not named or provider.names_type(named))


@contextmanager
def placed(session: Session, spec: Spec, attempt: int, terms: Terms) -> Iterator[Placement]:
    """Give the instance of an attempt, ready for it.

    One that was rented for it is ended again where the attempt cannot be started, unless it
    was to be kept. Nothing else is changed.
    """
    provider, named = provider_of(session, spec), spec.target.partition(":")[2]
    if provider.is_here:
        yield on_instance(session, spec, named) if named else _this_machine(provider, spec)
        return
    from runctl.engine.there import check_ledger  # noqa: PLC0415 - only for instances

    check_ledger(session)
    if spec.wish is None:
        yield on_instance(session, spec, _named(spec, provider))
        return
    nonce, wish, terms = session.nonce(), *_near_volumes(provider, spec, spec.wish, attempt, terms)

    def is_taken(ident: str) -> bool:
        return _is_claimed_by_another(session, spec.run_id, attempt, nonce, ident)

    with rented_for(provider, f"{spec.run_id}-{attempt}", wish, terms, is_taken) as instance:
        since = instance.launched_at or session.clock()
        rental = _rental(instance, since, ends_with_run=wish.ends_on_request)
        yield Placement(instance.instance_id, rental, nonce)


def _near_volumes(
    provider: Provider, spec: Spec, wish: InstanceWish, attempt: int, terms: Terms
) -> tuple[InstanceWish, Terms]:
    """Return what is rented in the zone of the run's volumes, where it has any."""
    if not spec.volumes:
        return wish, terms
    from runctl.engine import mounting  # noqa: PLC0415 - few runs have any

    stem = spec.run_id if attempt > 1 else None
    plan = mounting.look(provider, spec.volumes, instances=None, stem=stem)
    return mounting.within(wish, plan), mounting.terms_within(terms, plan)


def with_volumes(
    session: Session, spec: Spec, placement: Placement, earlier: Sequence[Attempt], tell: Tell
) -> Placement:
    """Return the place with the run's volumes attached to its instance.

    What the instance of an earlier attempt has is moved; ConflictError where another has it.
    """
    if not spec.volumes:
        return placement
    from runctl.engine.mounting import attach_all  # noqa: PLC0415 - few runs have any

    provider = provider_of(session, spec)
    before = {one.instance for one in earlier}
    instance = provider.describe(placement.instance)
    places = attach_all(
        provider, spec.volumes, instance, stem=spec.run_id, before=before, tell=tell
    )
    return replace(placement, volumes=places)


def _is_claimed_by_another(
    session: Session, run_id: str, attempt: int, nonce: str, ident: str
) -> bool:
    """Tell whether somebody else starts this attempt on this very instance."""
    claims = session.ledger.claims(run_id)
    if len(claims) < attempt:
        return False
    found = claims[attempt - 1]
    return found.nonce != nonce and found.instance == ident


def _named(spec: Spec, provider: Provider) -> str:
    named = spec.target.partition(":")[2]
    if not named or provider.names_type(named):
        raise UsageError(
            f"{spec.target} names no instance, and no wish says what to rent",
            hint=f"runctl train SCRIPT --on {provider.name}:INSTANCE",
        )
    return named


def _this_machine(provider: Provider, spec: Spec) -> Placement:
    wish = InstanceWish()
    return Placement(provider.create(provider.offers(wish)[0], wish, spec.run_id).instance_id)


def elsewhere(session: Session, spec: Spec, target: str) -> Placement:
    """Place the next attempt where a target such as ``aws:i-…`` or ``local`` leads."""
    provider, named = provider_of(session, spec), target.partition(":")[2]
    if named:
        return on_instance(session, spec, named)
    if provider.is_here:
        return _this_machine(provider, spec)
    raise UsageError(
        f"{target!r} names no instance", hint=f"runctl resume {spec.run_id} --on {target}:INSTANCE"
    )


def find_relocation(
    session: Session, spec: Spec, target: str | None, wish: InstanceWish | None
) -> Relocation | None:
    """Return what changes where a target is of another provider than the run; None if it is not.

    Raises UsageError for a provider that there is none of, ConfigError where it cannot reach the
    ledger, and RefusedError where the run has volumes, which are not there.
    """
    if target is None or target.partition(":")[0] == spec.target.partition(":")[0]:
        return None
    provider = session.provider(target.partition(":")[0])
    if spec.volumes:
        raise RefusedError(
            f"run {spec.name} needs the volumes of {spec.target}, which are not on {target}",
            hint=f"runctl resume {spec.run_id}",
        )
    if not provider.is_here:
        from runctl.engine.there import check_ledger  # noqa: PLC0415 - only for instances

        check_ledger(session)
    return Relocation(target=target, wish=wish)


def on_instance(session: Session, spec: Spec, named: str) -> Placement:
    """Place an attempt on an instance that is there and ours: it pays from now on.

    Raises NotFoundError or RefusedError.
    """
    provider = provider_of(session, spec)
    instance = find_instance(provider, named)
    if provider.is_here:
        return Placement(instance.instance_id)
    if not instance.is_ours:
        raise RefusedError(
            f"{named} does not bear your owner tag: it is not ours to run on",
            hint=f"aws ec2 create-tags --resources {instance.instance_id} "
            f"--tags Key=runctl:owner,Value={spec.owner}",
        )
    return Placement(instance.instance_id, _rental(instance, session.clock(), ends_with_run=False))


def _rental(instance: Instance, since: datetime, *, ends_with_run: bool) -> Rental:
    return Rental(
        type=instance.type,
        place=instance.place,
        is_spot=instance.is_spot,
        usd_per_hour=instance.usd_per_hour,
        since=since,
        ends_with_run=ends_with_run,
    )


def claim_on(
    session: Session, run: Run, placement: Placement, *, reason: str, resume_from: str | None = None
) -> Claim:
    """Return the claim of the next attempt, at its place."""
    wanted = Claim(
        nonce=placement.nonce or session.nonce(),
        attempt=len(run.attempts) + 1,
        claimed_at=session.clock(),
        instance=placement.instance,
        reason=reason,
        rental=placement.rental,
        resume_from=resume_from,
        volumes=placement.volumes,
    )
    return next_claim(session.ledger, run, wanted)
