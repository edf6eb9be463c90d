"""What an agent that comes back commits: all that is left, once, in the order of writing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runctl.agent.checkpoint_watch import CheckpointWatch
from runctl.agent.journal import Journal
from runctl.model.events import CheckpointCommitted, Warned
from runctl.model.spec import CheckpointWish
from runctl.store.checkpoints import Checkpoints
from runctl.store.ledger import Ledger
from tests.records import NOW, RUN_ID, make_claim, make_spec
from tests.stores import FaultyObjects, MemoryObjects, PowerLoss, power_lost_at


class Agent:
    """One life of an agent over a folder that outlives it."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.checkpoints = Checkpoints(ledger, RUN_ID, lambda: NOW)
        self.journal = Journal(folder / "journal.jsonl", ledger, RUN_ID, 1, lambda: NOW)
        self.watch = CheckpointWatch(
            [folder / "checkpoints"],
            self.checkpoints,
            self.journal,
            1,
            CheckpointWish(),
            lambda: None,
            lambda: False,
        )

    def finish(self) -> list[str]:
        """Sweep; return the names in the order in which they were committed."""
        before = len(self.names())
        self.watch.finish(lambda: False)
        return self.names()[before:]

    def names(self) -> list[str]:
        return [b.name for b in self.journal.bodies if isinstance(b, CheckpointCommitted)]

    def labels(self) -> dict[str, str]:
        keys = self.checkpoints.keys()
        manifests = [self.checkpoints.read(key) for key in keys]
        return {manifest.name: manifest.label for manifest in manifests}


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger(MemoryObjects(lambda: NOW))
    ledger.create_run(make_spec())
    ledger.claim(RUN_ID, make_claim())
    return ledger


def write_checkpoint(folder: Path, step: int) -> None:
    path = folder / "checkpoints" / f"s-{step}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"step": step}), encoding="utf-8")
    os.utime(path, (step, step))


def test_the_order_of_writing_is_told_by_the_numbers(tmp_path: Path, ledger: Ledger) -> None:
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, step)
    agent = Agent(tmp_path, ledger)
    assert agent.finish() == ["s-3.json", "s-2.json", "s-1.json"]
    assert agent.labels() == {"s-1.json": "1/1", "s-2.json": "1/2", "s-3.json": "1/3"}


def test_an_agent_that_comes_back_commits_nothing_twice(tmp_path: Path, ledger: Ledger) -> None:
    write_checkpoint(tmp_path, 1)
    Agent(tmp_path, ledger).finish()
    write_checkpoint(tmp_path, 2)
    later = Agent(tmp_path, ledger)
    assert later.finish() == ["s-2.json"]
    assert later.labels() == {"s-1.json": "1/1", "s-2.json": "1/2"}


def test_what_was_cleaned_up_is_not_committed_again(tmp_path: Path, ledger: Ledger) -> None:
    for step in (1, 2, 3, 4):
        write_checkpoint(tmp_path, step)
    agent = Agent(tmp_path, ledger)
    agent.finish()
    for key in agent.checkpoints.keys()[:2]:
        agent.checkpoints.discard(key)
    later = Agent(tmp_path, ledger)
    assert later.finish() == []
    assert later.labels() == {"s-3.json": "1/3", "s-4.json": "1/4"}


def test_one_killed_while_it_swept_leaves_the_rest_in_order(tmp_path: Path, ledger: Ledger) -> None:
    for step in (1, 2, 3, 4):
        write_checkpoint(tmp_path, step)
    faulty = FaultyObjects(ledger.objects)
    first = Agent(tmp_path, Ledger(faulty))
    faulty.fault = power_lost_at(5)  # a blob and a manifest each: two are committed
    with pytest.raises(PowerLoss):
        first.finish()
    assert first.labels() == {"s-3.json": "1/3", "s-4.json": "1/4"}
    later = Agent(tmp_path, ledger)
    assert later.finish() == ["s-2.json", "s-1.json"]
    assert later.labels() == {f"s-{step}.json": f"1/{step}" for step in (1, 2, 3, 4)}


def test_one_that_cannot_be_read_is_named_and_does_not_hold_up_the_end(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (1, 2):
        write_checkpoint(tmp_path, step)
    monkeypatch.setattr(
        os, "access", lambda path, _: not str(path).rstrip("/").endswith("s-2.json")
    )
    agent = Agent(tmp_path, ledger)
    assert agent.finish() == ["s-1.json"]
    (warning,) = [body for body in agent.journal.bodies if isinstance(body, Warned)]
    assert (warning.code, "s-2.json" in warning.message) == ("unreadable", True)


def write_large(folder: Path, step: int) -> None:
    write_checkpoint(folder, step)
    path = folder / "checkpoints" / f"s-{step}.json"
    path.write_text(json.dumps({"step": step, "padding": str(step) * 2**21}), encoding="utf-8")
    os.utime(path, (step, step))


def test_what_would_not_arrive_in_time_is_not_begun(tmp_path: Path, ledger: Ledger) -> None:
    agent = Agent(tmp_path, ledger)
    write_large(tmp_path, 1)
    agent.watch.finish(lambda: False, None, lambda: 1e-6)  # how fast they are sent is unknown
    assert agent.names() == ["s-1.json"]
    write_large(tmp_path, 2)
    agent.watch.finish(lambda: False, None, lambda: 1e-6)
    assert agent.names() == ["s-1.json"]
    [warning] = [body for body in agent.journal.bodies if isinstance(body, Warned)]
    assert (warning.code, "s-2.json would take" in warning.message) == ("late", True)
    agent.watch.finish(lambda: False, None, lambda: 600.0)
    assert agent.names() == ["s-1.json", "s-2.json"]


def test_a_commit_that_the_deadline_overtakes_is_dropped(tmp_path: Path, ledger: Ledger) -> None:
    agent = Agent(tmp_path, ledger)
    write_checkpoint(tmp_path, 1)
    looks = iter(
        [False, False, True]
    )  # it is there while it is looked for, and over when it is read
    agent.watch.finish(lambda: next(looks, True), None, lambda: 1.0)
    assert agent.names() == []
    assert agent.labels() == {}
