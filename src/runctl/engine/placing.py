"""On which instance an attempt goes."""

from __future__ import annotations

from runctl.engine.session import Session, provider_of
from runctl.errors import RefusedError, UsageError
from runctl.model.spec import Spec
from runctl.model.wish import InstanceWish
from runctl.providers.api import Provider


def place(session: Session, spec: Spec) -> str:
    """Return the instance of a first attempt; nothing is changed by it, here or elsewhere."""
    provider, named = provider_of(session, spec), spec.target.partition(":")[2]
    if provider.is_here:
        return find_named(session, spec, named) if named else _this_machine(provider, spec)
    from runctl.engine.there import check_ledger  # noqa: PLC0415 - only for instances

    check_ledger(session)
    if not named:
        raise UsageError(
            f"{spec.target} names no instance, and this version rents none",
            hint=f"runctl train SCRIPT --on {provider.name}:INSTANCE",
        )
    return find_named(session, spec, named)


def _this_machine(provider: Provider, spec: Spec) -> str:
    wish = InstanceWish()
    return provider.create(provider.offers(wish)[0], wish, spec.run_id).instance_id


def find_elsewhere(session: Session, spec: Spec, target: str) -> str:
    """Return the instance that a target such as ``aws:i-…`` names, for a run that goes on."""
    name, _, named = target.partition(":")
    if name != spec.target.partition(":")[0] or not named:
        raise UsageError(
            f"run {spec.name} is of {spec.target}; it cannot go on on {target!r}",
            hint=f"runctl resume {spec.run_id} --on {spec.target.partition(':')[0]}:INSTANCE",
        )
    return find_named(session, spec, named)


def find_named(session: Session, spec: Spec, named: str) -> str:
    """Return the id of an instance that is there and ours; NotFoundError or RefusedError else."""
    provider = provider_of(session, spec)
    instance = provider.describe(named)
    if not (instance.is_ours or provider.is_here):
        raise RefusedError(
            f"{named} does not bear your owner tag: it is not ours to run on",
            hint=f"aws ec2 create-tags --resources {named} "
            f"--tags Key=runctl:owner,Value={spec.owner}",
        )
    return instance.instance_id
