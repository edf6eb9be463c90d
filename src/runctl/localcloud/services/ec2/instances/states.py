"""The states of an instance, and what may be done in which."""

from __future__ import annotations

from datetime import UTC, datetime

from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
ALIVE = frozenset({"pending", "running", "stopping", "stopped"})


def state_of(instance: Record) -> str:
    """Return the name of the state."""
    return str(instance["State"]["Name"])


def set_state(instance: Record, name: str) -> None:
    """Put an instance in a state."""
    instance["State"] = {"Code": CODES[name], "Name": name}


def begin_again(instance: Record, now: float) -> None:
    """Put a stopped instance in pending."""
    set_state(instance, "pending")
    instance |= {"LaunchTime": now, "_PendingSince": now, "StateTransitionReason": ""}
    instance.pop("StateReason", None)


def give_reason(instance: Record, code: str, words: str, transition: str) -> None:
    """Say why an instance changes its state; ``transition`` is the older, shorter form."""
    instance["StateReason"] = {"Code": code, "Message": words}
    instance["StateTransitionReason"] = transition


def requested_at(now: float) -> str:
    """Return the older form of "a user asked for it"."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"User initiated ({moment} GMT)"


def check_state(instance: Record, *allowed: str, verb: str) -> None:
    """Raise what AWS says of an instance that is not in one of these states."""
    if state_of(instance) not in allowed:
        raise AwsError(
            "IncorrectInstanceState",
            f"The instance '{instance['InstanceId']}' is not in a state from which it can be "
            f"{verb}.",
        )


def change_of(instance: Record, before: str) -> Record:
    """Return what the changing calls answer for one instance."""
    return {
        "InstanceId": instance["InstanceId"],
        "CurrentState": instance["State"],
        "PreviousState": {"Code": CODES[before], "Name": before},
    }
