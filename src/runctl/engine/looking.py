"""What goes on on a machine: one look at it, or one after another, over any transport."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from runctl.agent import machine
from runctl.errors import InstanceLost, NotFoundError, TransportError
from runctl.model.codec import build
from runctl.model.instance import Instance, InstanceState
from runctl.model.machine import MachineLook
from runctl.transports.api import Transport

# An instance that goes down may refuse connections before its provider says so.
DOUBT = timedelta(seconds=30)
_RUNS = frozenset({InstanceState.PENDING, InstanceState.RUNNING})
_FIND = """
for python in "$HOME"/.runctl/agents/*/bin/python python3 /usr/libexec/platform-python; do
    ! command -v "$python" >/dev/null 2>&1 || exec "$python" -I -S - "$@"
done
echo "it has no Python" >&2
exit 127
"""


def look(
    transport: Transport, instance: str, at: datetime, *, is_detailed: bool = False
) -> MachineLook:
    """Look at a machine by one command; ``is_detailed``: at the processes of others, too.

    Raises TransportError where it cannot be reached, or has no Python of 3.9 or newer.
    """
    words = ["sh", "-c", _FIND, "look", *(["all"] if is_detailed else [])]
    done = transport.exec(words, stdin=Path(machine.__file__).read_bytes())
    try:
        fields = json.loads(done.stdout) if done.status == 0 else {}
        return build({**dict(fields), "instance": instance, "at": at}, MachineLook)
    except (ValueError, msgspec.ValidationError) as error:
        told = done.stderr.decode(errors="replace").strip().splitlines() or [str(done.status)]
        raise TransportError(
            f"{instance} cannot be looked at: {told[-1]}", hint=f"runctl ssh {instance} -- top -bn1"
        ) from error


def watch(
    look_now: Callable[[], MachineLook], describe: Callable[[], Instance], interval: timedelta
) -> Iterator[MachineLook]:
    """Look each ``interval``, until the instance ends: InstanceLost.

    TransportError where it runs, and could not be reached for half a minute.
    """
    answered = time.monotonic()
    while True:
        began = time.monotonic()
        try:
            found = look_now()
        except TransportError:
            check_runs(describe)
            if time.monotonic() - answered > DOUBT.total_seconds():
                raise
        else:
            answered = time.monotonic()
            yield found
        time.sleep(max(0.0, interval.total_seconds() - (time.monotonic() - began)))


def check_runs(describe: Callable[[], Instance]) -> None:
    """Raise InstanceLost where the instance does not run any more."""
    try:
        instance = describe()
    except NotFoundError as error:
        raise InstanceLost(error.message, hint="runctl aws list --all") from error
    if instance.state not in _RUNS:
        raise InstanceLost(
            f"{instance.instance_id} does not run any more: it is {instance.state.value}",
            hint="runctl aws list --all",
        )
