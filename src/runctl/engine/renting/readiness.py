"""When an instance can be used: once it answers a command, and never after a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from runctl.errors import InstanceLost, NotFoundError, RefusedError, TransportError, TryAgain
from runctl.model.instance import Instance, InstanceState
from runctl.model.quantities import format_duration
from runctl.providers.api import Provider, SupportsReadiness

FIRST_PAUSE_S, LAST_PAUSE_S = 0.2, 2.0
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html: what was just made
# may not be known for a while.
UNKNOWN_S = 60.0
_COMING = frozenset({InstanceState.PENDING, InstanceState.RUNNING})


def await_ready(
    provider: Provider,
    instance_id: str,
    timeout: timedelta,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Instance:
    """Return the instance once it answers.

    Raises InstanceLost if it ended meanwhile, with what its provider says of that; TryAgain where
    only the waiting has ended.
    """
    began, pause = now(), FIRST_PAUSE_S
    while True:
        try:
            instance, told = _look(provider, instance_id)
        except NotFoundError as error:
            if now() - began > UNKNOWN_S:
                raise
            instance, told = None, error.message
        if instance is not None and told is None:
            return instance
        if now() + pause > began + timeout.total_seconds():
            raise _unready(instance_id, str(told), timeout)
        sleep(pause)
        pause = min(1.5 * pause, LAST_PAUSE_S)


def _look(provider: Provider, instance_id: str) -> tuple[Instance, str | None]:
    """Return the instance, and why it does not answer; None if it does."""
    instance = provider.describe(instance_id)
    if instance.state not in _COMING:
        raise _lost(instance)
    return instance, find_silence(provider, instance)


def find_silence(provider: Provider, instance: Instance) -> str | None:
    """Return why it does not answer; None if it does."""
    if instance.state is not InstanceState.RUNNING:
        return f"it is {instance.state.value}"
    try:
        if isinstance(provider, SupportsReadiness):
            return provider.silence_of(instance.instance_id)
        done = provider.connect(instance.instance_id).exec(["true"])
    except (TransportError, RefusedError) as error:
        return error.message
    return None if done.status == 0 else f"true ended there with status {done.status}"


def _lost(instance: Instance) -> InstanceLost:
    reason = f": {instance.state_reason}" if instance.state_reason else ""
    return InstanceLost(
        f"{instance.instance_id} is {instance.state.value} before it was ready{reason}",
        hint="runctl aws list --all, and then type the same again for another one",
        instance=instance.instance_id,
    )


def _unready(ident: str, told: str, timeout: timedelta) -> TryAgain:
    return TryAgain(
        f"{ident} does not answer after {format_duration(timeout)} ({told}); it goes on, and costs",
        hint=f"runctl aws wait {ident} --for ready",
        instance=ident,
    )
