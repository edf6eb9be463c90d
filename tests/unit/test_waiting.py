"""Waiting for an instance: what is enough, what will never be, and when only the waiting ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runctl.engine.waiting import wait_for
from runctl.errors import ConflictError, InstanceLost, TryAgain
from runctl.model.instance import Instance, InstanceState
from runctl.model.instance_views import Goal
from tests.instances import FakeProvider, make_instance

PENDING, RUNNING = InstanceState.PENDING, InstanceState.RUNNING
STOPPING, STOPPED = InstanceState.STOPPING, InstanceState.STOPPED
ENDING, TERMINATED = InstanceState.ENDING, InstanceState.TERMINATED


class Changing(FakeProvider):
    """One instance that goes from state to state each time it is described, and stays in the last.

    ``silences`` are what it says when it is asked whether it answers.
    """

    def __init__(self, *states: InstanceState, silences: tuple[str, ...] = ()) -> None:
        super().__init__([])
        self.states, self.silences = list(states), list(silences)

    def describe(self, instance_id: str) -> Instance:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return make_instance(instance_id, state=state, state_reason="no capacity")

    def silence_of(self, instance_id: str) -> str | None:
        return self.silences.pop(0) if self.silences else None


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept, each time."""
    pauses: list[float] = []
    monkeypatch.setattr("runctl.engine.waiting.time.sleep", pauses.append)
    return pauses


@pytest.mark.parametrize(
    ("goal", "states"),
    [
        (Goal.RUNNING, [PENDING, RUNNING]),
        (Goal.READY, [PENDING, RUNNING]),
        (Goal.STOPPED, [RUNNING, STOPPING, STOPPED]),
        (Goal.TERMINATED, [RUNNING, ENDING]),
        (Goal.TERMINATED, [STOPPED, TERMINATED]),
    ],
)
def test_it_is_described_until_it_is_so(goal: Goal, states: list[InstanceState]) -> None:
    assert wait_for(Changing(*states), "i-1", goal, None).state is states[-1]


def test_ready_is_one_that_answers(slept: list[float]) -> None:
    provider = Changing(RUNNING, silences=("it boots", "it boots"))
    wait_for(provider, "i-1", Goal.READY, None)
    assert provider.silences == []
    assert slept == pytest.approx([0.2, 0.3])


@pytest.mark.parametrize("goal", [Goal.RUNNING, Goal.READY, Goal.STOPPED])
def test_one_that_has_ended_instead_is_lost(goal: Goal) -> None:
    with pytest.raises(InstanceLost, match=rf"i-1 has ended.*{goal.value}: no capacity"):
        wait_for(Changing(PENDING, TERMINATED), "i-1", goal, None)


def test_one_that_is_stopped_runs_only_if_somebody_starts_it() -> None:
    with pytest.raises(ConflictError, match="is stopped, and nothing starts it") as caught:
        wait_for(Changing(STOPPED), "i-1", Goal.RUNNING, None)
    assert caught.value.hint == "runctl aws start i-1"


def test_only_the_waiting_ends_in_time() -> None:
    provider = Changing(RUNNING, silences=("it boots",) * 9)
    with pytest.raises(TryAgain, match="i-1 is not ready yet: it boots") as caught:
        wait_for(provider, "i-1", Goal.READY, timedelta())
    assert caught.value.hint == "runctl aws wait i-1 --for ready"
