"""Which instance somebody wants to look into, and the ports that lead there."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from runctl.engine.naming import find_instance
from runctl.engine.references import find_run
from runctl.engine.session import Session, provider_of
from runctl.errors import ConflictError, RefusedError, RunctlError, RunNotFound, TryAgain
from runctl.model.access import Forward
from runctl.model.instance import GONE, Instance, InstanceState

_ID = re.compile(r"i-[0-9a-f]{8,17}")
_STILL = frozenset({InstanceState.STOPPING, InstanceState.STOPPED})


def find_visited(
    session: Session, reference: str, *, is_foreign: bool = False
) -> tuple[Instance, str]:
    """Return the instance that is meant, and what to call it: its id, or the run's name.

    ``reference`` is ``i-…``, ``aws:`` and an id or a name, or a run: the instance of its last
    attempt; where there is no such run, the name of an instance. Raises RefusedError where it is
    not ours, unless ``is_foreign`` allows that, and ConflictError where it does not run, or is
    this very machine.
    """
    provider, _, named = reference.rpartition(":")
    if provider == "aws" or _ID.fullmatch(reference):
        instance = find_instance(session.provider("aws"), named)
        alias = instance.instance_id
    else:
        instance, alias = _of_run_or_named(session, reference)
    _check_ours(instance, is_foreign=is_foreign)
    _check_runs(instance)
    return instance, alias


def _of_run_or_named(session: Session, reference: str) -> tuple[Instance, str]:
    try:
        run_id = find_run(session, reference)
    except RunNotFound as error:
        try:
            named = find_instance(session.provider("aws"), reference)
        except RunctlError:
            raise error from None
        return named, named.instance_id
    return _of_run(session, run_id)


def _of_run(session: Session, run_id: str) -> tuple[Instance, str]:
    run = session.ledger.load(run_id)
    provider = provider_of(session, run.spec)
    if provider.is_here:
        raise ConflictError(
            f"run {run.spec.name} is on this very machine",
            hint=f"runctl exec {run.run_id} -- bash",
        )
    if run.last is None:
        raise TryAgain(
            f"run {run.spec.name} has no instance yet", hint=f"runctl status {run.run_id}"
        )
    return provider.describe(run.last.instance), run.spec.name


def _check_ours(instance: Instance, *, is_foreign: bool) -> None:
    if not (instance.is_ours or is_foreign):
        raise RefusedError(
            f"{instance.instance_id} does not bear your owner tag: it is not yours",
            hint="runctl aws list shows yours; --not-mine visits this one all the same",
        )


def _check_runs(instance: Instance) -> None:
    ident, state = instance.instance_id, instance.state
    if state in GONE:
        raise ConflictError(f"{ident} has ended: it is {state.value}", hint="runctl aws list")
    if state in _STILL:
        raise ConflictError(
            f"{ident} does not run: it is {state.value}",
            hint=f"runctl aws start {ident}",
        )


def check_ports(forwards: Sequence[Forward], reference: str) -> None:
    """Raise ConflictError if a port of this machine is taken; the hint has the next free one."""
    taken = [one for one in forwards if not _is_free(one.local_port)]
    if not taken:
        return
    used = {one.local_port for one in forwards}
    words = [f"--forward {_free(one, used)}:{one.remote_port}" for one in forwards]
    raise ConflictError(
        f"port {taken[0].local_port} of this machine is taken",
        hint=f"runctl ssh {reference} {' '.join(words)}",
        port=taken[0].local_port,
    )


def _free(one: Forward, used: set[int]) -> int:
    """Return its own port, or the next one that is free and not asked for by another."""
    if _is_free(one.local_port):
        return one.local_port
    above = (port for port in range(one.local_port + 1, 1 << 16) if port not in used)
    found = next(filter(_is_free, above), 0)
    used.add(found)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as ssh does
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
