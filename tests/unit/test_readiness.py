"""When an instance can be used, with a clock that only pauses move."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from runctl.engine.renting.readiness import LAST_PAUSE_S, await_ready
from runctl.errors import InstanceLost, NotFoundError, TransportError, TryAgain
from runctl.model.instance import Instance, InstanceState
from runctl.transports.api import Completed, Transport
from tests.instances import FakeProvider, make_instance

RUNNING = make_instance("i-1")
PENDING = make_instance("i-1", state=InstanceState.PENDING)


class Booting(FakeProvider):
    """Each look finds the next state; the last one stays. So does each silence."""

    def __init__(self, states: Sequence[Instance], silences: Sequence[str | None]) -> None:
        super().__init__([])
        self.states, self.silences = list(states), list(silences)
        self.asked = 0

    def describe(self, instance_id: str) -> Instance:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def silence_of(self, instance_id: str) -> str | None:
        self.asked += 1
        silence = self.silences.pop(0) if len(self.silences) > 1 else self.silences[0]
        if silence == "broken":
            raise TransportError("the line broke")
        return silence


class Clock:
    def __init__(self) -> None:
        self.time = 0.0
        self.longest = 0.0

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.longest = max(self.longest, seconds)


def _await(provider: FakeProvider, timeout_s: float = 60.0) -> tuple[Instance, Clock]:
    clock = Clock()
    limit = timedelta(seconds=timeout_s)
    found = await_ready(provider, "i-1", limit, now=lambda: clock.time, sleep=clock.sleep)
    return found, clock


def test_it_is_ready_once_it_answers() -> None:
    provider = Booting([PENDING, PENDING, RUNNING], ["not heard of", "broken", None])
    found, clock = _await(provider)
    assert found == RUNNING
    assert provider.asked == 3  # and never while it was pending
    assert clock.longest <= LAST_PAUSE_S


class Unheard(Booting):
    """EC2 does not know it yet: for so many looks, which are of seconds in the end."""

    looks = 5

    def describe(self, instance_id: str) -> Instance:
        self.looks -= 1
        if self.looks >= 0:
            raise NotFoundError(f"there is no instance {instance_id}")
        return super().describe(instance_id)


def test_one_that_is_not_known_yet_is_waited_for_a_while() -> None:
    provider = Unheard([RUNNING], [None])
    assert _await(provider)[0] == RUNNING
    provider.looks = 1000
    with pytest.raises(NotFoundError):
        _await(provider, 600.0)


def test_what_answers_at_once_is_not_waited_for() -> None:
    assert _await(Booting([RUNNING], [None]))[1].time == 0.0


def test_one_that_ended_is_lost_with_its_reason() -> None:
    gone = make_instance("i-1", state=InstanceState.TERMINATED, state_reason="Spot interruption")
    with pytest.raises(InstanceLost, match="terminated before it was ready: Spot int") as caught:
        _await(Booting([PENDING, gone], ["not heard of"]))
    assert caught.value.exit_code == 21


def test_the_end_of_the_waiting_says_how_to_go_on() -> None:
    with pytest.raises(TryAgain, match=r"i-1 does not answer after 30s \(the line broke\)") as end:
        _await(Booting([RUNNING], ["broken"]), 30.0)
    assert end.value.exit_code == 75
    assert end.value.hint == "runctl aws wait i-1 --for ready"


class Reached(FakeProvider):
    """It knows nothing of readiness: a command is tried."""

    def __init__(self, statuses: Sequence[int]) -> None:
        super().__init__([RUNNING])
        self.statuses = list(statuses)
        self.commands: list[Sequence[str]] = []

    def connect(self, instance_id: str) -> Transport:
        return self  # type: ignore[return-value]

    def exec(self, argv: Sequence[str], *, stdin: bytes = b"") -> Completed:
        assert stdin == b""
        self.commands.append(argv)
        return Completed(self.statuses.pop(0), b"", b"")


def test_others_are_ready_once_true_is_true() -> None:
    provider = Reached([127, 0])
    assert _await(provider)[0] == RUNNING
    assert provider.commands == [["true"], ["true"]]
