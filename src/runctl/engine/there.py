"""What is asked about an attempt on another machine: of its signs of life, else of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import msgspec

from runctl.agent.confidential import pack
from runctl.agent.elsewhere import StartOrder
from runctl.agent.plan import BucketPlan
from runctl.engine.arrival.beginning import begin
from runctl.engine.arrival.parts import LinkedObjects
from runctl.engine.indexes import collect_indexes
from runctl.engine.regions import find_regions
from runctl.engine.session import Session, connect, provider_of
from runctl.engine.staging import stage_wheels
from runctl.errors import AuthError, ConfigError, NotFoundError, RunctlError, TransportError
from runctl.model.instance import InstanceState
from runctl.model.run import Attempt, Run
from runctl.model.spec import Spec
from runctl.providers.api import SupportsMarks

# An agent gives a sign of life each 15 s; a start, with all that has to arrive, takes less.
FRESH_TIME, QUIET_TIME = timedelta(seconds=20), timedelta(seconds=45)
_PROBE = (
    'for python in "$HOME"/.runctl/agents/*/bin/python; do '
    '[ ! -x "$python" ] || exec "$python" -I -m runctl.agent probe "$@"; done; echo "{}"'
)


def check_ledger(session: Session) -> BucketPlan:
    """Return how an instance reaches the ledger; ConfigError where it is on this machine alone."""
    if session.bucket is None:
        raise ConfigError(
            f"an instance cannot reach a ledger at {session.ledger.objects.url}",
            hint="runctl config set store.root s3://bucket/prefix",
        )
    return msgspec.structs.replace(session.bucket, profile=None, is_users=False)


def start(
    session: Session,
    spec: Spec,
    instance: str,
    attempt: int,
    secrets: Mapping[str, str] | None,
    is_queued: bool,
) -> bytes:
    provider = provider_of(session, spec)
    transport = provider.connect(instance)
    rental = session.ledger.claims(spec.run_id)[attempt - 1].rental
    order = StartOrder(
        run_id=spec.run_id,
        attempt=attempt,
        instance=instance,
        store=session.ledger.objects.url,
        is_exclusive=provider.is_exclusive,
        ends_instance=rental is not None and rental.ends_with_run,
        is_spot=rental is not None and rental.is_spot,
        bucket=check_ledger(session),
        regions=find_regions(session, spec),
        gpus=spec.gpus,
        is_queued=is_queued,
        secrets=_confidential(session, secrets),
        wheels=None if secrets is None else stage_wheels(session, spec, transport),
    )
    objects = cast(LinkedObjects, session.ledger.objects)  # a bucket, as was just checked
    told = begin(transport, order, objects, session.cache_dir, session.environ)
    if isinstance(provider, SupportsMarks):
        with suppress(AuthError):  # who may not tag it has a run all the same
            provider.mark(instance, spec.run_id, attempt)
    return told


def _confidential(session: Session, secrets: Mapping[str, str] | None) -> dict[str, str] | None:
    """Put the user's package indexes beside the secrets; None keeps what the instance has."""
    return None if secrets is None else pack(secrets, collect_indexes(session.environ))


def is_there(session: Session, run: Run) -> bool:
    """Tell whether the instance of the last attempt runs."""
    if run.last is None:
        return False
    try:
        found = provider_of(session, run.spec).describe(run.last.instance)
    except NotFoundError:
        _check_region(session, run.last)
        return False
    return found.state is InstanceState.RUNNING


def _check_region(session: Session, last: Attempt) -> None:
    """An instance that another region was asked for is not gone: it may train and cost."""
    place, region = last.rental.place if last.rental else None, session.account().region
    if place is not None and not place.startswith(region):
        raise ConfigError(
            f"{last.instance} is in {place}, and {region} was asked for it",
            hint=f"runctl config set aws.region {place.rstrip('abcdef')}",
        )


def is_alive(session: Session, run: Run) -> bool:
    """Tell whether the last attempt lives: it was heard of lately, or its processes are there.

    One sign of life that is missing asks the cloud whether there is an instance, two more ask
    the instance itself. Where it runs and does not answer nothing is known, and nothing is judged.
    A sign of life from the future is of a clock that is wrong, and says nothing.
    """
    if run.last is None or run.last.instance in session.ended:
        return False
    silence = _silence(session, run, run.last)
    if -FRESH_TIME <= silence <= FRESH_TIME:
        return True
    if not is_there(session, run):
        return False
    if -FRESH_TIME <= silence <= QUIET_TIME:
        return True
    try:
        found = _probe(session, run, run.last)
    except TransportError:
        return True
    return bool(found.get("is_reaper_alive") or found.get("is_agent_alive"))


def has_ended(session: Session, run: Run) -> bool:
    """Ask the provider whether it has ended the last attempt's instance; False where unknown.

    One that is about to end may still store what it has: its silence tells when that is over.
    """
    if run.last is None:
        return False
    with suppress(RunctlError):
        found = provider_of(session, run.spec).describe(run.last.instance)
        if found.state is InstanceState.TERMINATED:
            session.ended.add(run.last.instance)
    return run.last.instance in session.ended


def has_started(session: Session, run: Run) -> bool:
    """Tell whether there is a command whose end the instance could still tell."""
    if run.last is None or not is_there(session, run):
        return False
    return bool(_probe(session, run, run.last).get("is_started"))


def _silence(session: Session, run: Run, last: Attempt) -> timedelta:
    """Return for how long nothing was heard of the attempt."""
    beat = session.ledger.heartbeat(run.run_id, last.number)
    heard_at = max(last.claimed_at, last.updated_at or last.claimed_at)
    heard_at = heard_at if beat is None else max(heard_at, beat.at)
    return session.clock() - heard_at


def _probe(session: Session, run: Run, last: Attempt) -> dict[str, Any]:
    words = ("sh", "-c", _PROBE, "probe", run.run_id, str(last.number))
    done = connect(session, run.spec, last.instance).exec(words)
    if done.status != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines() or [str(done.status)]
        raise TransportError(f"{last.instance} could not tell how the run stands: {told[-1]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
