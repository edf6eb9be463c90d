"""Finding, listing, comparing and judging runs: what is read, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from runctl.config import load
from runctl.engine import outcome
from runctl.engine.catalog import Catalog
from runctl.engine.compare import compare
from runctl.engine.listing import list_runs
from runctl.engine.outcome import failure_of, judge
from runctl.engine.references import find_run
from runctl.engine.session import Session
from runctl.engine.tail import Tail
from runctl.errors import (
    AmbiguousRun,
    CommandFailed,
    InstanceLost,
    LimitReached,
    PhaseFailed,
    RecordError,
    RunNotFound,
    StoppedOnRequest,
    TransportError,
)
from runctl.model.events import AttemptEnded, AttemptStarted, Body, Cause, CommandExited, Phase
from runctl.model.hyperparams import Hyperparameter
from runctl.model.ids import make_run_id
from runctl.model.paths import RunPaths
from runctl.model.run import Run, State
from runctl.model.spec import Code
from runctl.model.views import RunSummary
from runctl.store.blobs import Blobs
from runctl.store.ledger import Ledger, next_claim
from runctl.store.snapshot import take_snapshot
from tests.instances import no_account
from tests.records import NOW, make_claim, make_event, make_exit, make_spec, make_wanted
from tests.stores import MemoryObjects

STARTED = AttemptStarted(host="h", folder="/f", runctl_version="0", platform="p")


class World:
    """A ledger with runs in it, and a session that looks at it."""

    def __init__(self, folder: Path) -> None:
        self.objects = MemoryObjects()
        self.ledger = Ledger(self.objects)
        self.folder = folder
        self.damaged: dict[str, Exception] = {}
        self.session = Session(
            account=no_account,
            config=load(None, {}, {}, folder / "config"),
            ledger=self.ledger,
            environ={},
            user_dir=folder / "config",
            cache_dir=folder / "cache",
            clock=lambda: NOW,
        )

    def add(self, age_hours: int, name: str, *bodies: Body, code: Code | None = None) -> str:
        created = NOW - timedelta(hours=age_hours)
        run_id = make_run_id(created, bytes(4))
        spec = msgspec.structs.replace(make_spec(), run_id=run_id, name=name, created_at=created)
        if code is not None:
            spec = msgspec.structs.replace(spec, code=code)
        self.ledger.create_run(spec)
        self.ledger.claim(run_id, make_claim())
        for seq, body in enumerate(bodies, 1):
            self.ledger.append_event(run_id, "agent", seq, make_event(body, 1), durable=True)
        return run_id

    def add_success(self, age_hours: int, name: str) -> str:
        exit_0 = CommandExited(exit=make_exit(0))
        return self.add(age_hours, name, STARTED, exit_0, AttemptEnded(cause=Cause.EXIT))

    def claim_next(self, run_id: str) -> None:
        run = self.ledger.load(run_id)
        record = next_claim(
            self.ledger, run, make_wanted(nonce="n", now=NOW, instance="local", reason="resumed")
        )
        self.ledger.claim(run_id, record)

    def tree(self, files: Mapping[str, str]) -> Code:
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        taken = take_snapshot(Blobs(self.objects, lambda: NOW), self.folder, files)
        return Code(
            snapshot=taken.snapshot.root,
            record=taken.record,
            file_count=len(files),
            total_bytes=taken.snapshot.total_bytes,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def _all_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "is_alive", lambda *_: False)


# -- which run is meant


def test_a_run_is_found_by_id_prefix_name_and_last(world: World) -> None:
    old, new = world.add_success(9000, "old"), world.add_success(1, "new")
    prefix = next(old[:n] for n in range(1, 10) if not new.startswith(old[:n]))
    assert find_run(world.session, old) == old
    assert find_run(world.session, prefix) == old
    assert find_run(world.session, "old") == old
    assert find_run(world.session, "@last") == new


def test_of_two_runs_with_one_name_the_newest_is_meant(world: World) -> None:
    world.add_success(5, "digits")
    newest = world.add_success(2, "digits")
    assert find_run(world.session, "digits") == newest


def test_an_ambiguous_prefix_names_the_candidates(world: World) -> None:
    first, second = world.add_success(2, "a"), world.add_success(1, "b")
    with pytest.raises(AmbiguousRun) as caught:
        find_run(world.session, first[:2])
    assert first in caught.value.message
    assert second in caught.value.message


def test_an_unknown_run_is_named_with_a_near_one(world: World) -> None:
    world.add_success(1, "digits-long")
    with pytest.raises(RunNotFound, match=r"digits-lung.*'digits-long' meant"):
        find_run(world.session, "digits-lung")


def test_last_of_no_runs_is_not_found(world: World) -> None:
    with pytest.raises(RunNotFound, match="no runs yet"):
        find_run(world.session, "@last")


# -- many runs


def test_a_run_that_is_over_is_read_once(world: World) -> None:
    run_id = world.add_success(1, "a")
    with Catalog(world.ledger, world.folder) as catalog:
        known = catalog.summary(run_id)
    for key in [info.key for info in world.objects.list("runs/") if "/events/" in info.key]:
        world.objects.delete(key)
    assert Catalog(world.ledger, world.folder).summary(run_id) == known


def test_a_later_claim_makes_the_catalog_look_again(world: World) -> None:
    run_id = world.add_success(1, "a")
    with Catalog(world.ledger, world.folder) as catalog:
        catalog.summary(run_id)
    world.claim_next(run_id)
    found = Catalog(world.ledger, world.folder).summary(run_id)
    assert (found.attempts, found.state) == (2, State.PENDING)


def test_a_damaged_cache_is_built_anew(world: World) -> None:
    run_id = world.add_success(1, "a")
    with Catalog(world.ledger, world.folder) as catalog:
        known = catalog.summary(run_id)
    next(world.folder.glob("runs-*.json")).write_bytes(b"{ not json")
    assert Catalog(world.ledger, world.folder).summary(run_id) == known


@pytest.mark.usefixtures("_all_dead")
def test_runs_are_filtered_and_cut(world: World) -> None:
    world.add_success(50, "old")
    world.add_success(3, "digits-a")
    world.add(2, "digits-b", STARTED)
    names = [run.name for run in listed(world)]
    assert names == ["digits-b", "digits-a", "old"]
    assert [run.name for run in listed(world, states=[State.SUCCEEDED], limit=1)] == ["digits-a"]
    assert [run.name for run in listed(world, name="digits-*")] == ["digits-b", "digits-a"]
    assert len(listed(world, newer_than=timedelta(hours=10))) == 2


@pytest.mark.usefixtures("_all_dead")
def test_a_run_that_says_it_lives_is_looked_after(world: World) -> None:
    world.add(2, "dead", STARTED)
    assert [run.state for run in listed(world)] == [State.LOST]


def listed(world: World, **filters: object) -> list[RunSummary]:
    wanted = {"states": (), "name": None, "newer_than": None, "limit": None, **filters}
    told = world.damaged.__setitem__
    return list(list_runs(world.session, on_damaged=told, **wanted))  # type: ignore[arg-type]


# -- how a run stands


@pytest.mark.parametrize("data", [b"", b"{", b'{"schema":99}', b"\xff"])
def test_a_damaged_run_hides_no_other(world: World, data: bytes) -> None:
    sound, broken = world.add_success(3, "sound"), world.add_success(2, "broken")
    world.objects.put(RunPaths(broken).spec, data)
    assert [run.run_id for run in listed(world)] == [sound]
    assert list(world.damaged) == [broken]
    assert find_run(world.session, "sound") == sound
    with pytest.raises(RunNotFound, match=f"run {broken} cannot be read"):
        find_run(world.session, "broken")


def test_a_damaged_record_says_what_to_do(world: World) -> None:
    run_id = world.add_success(2, "broken")
    world.objects.put(RunPaths(run_id).spec, b"{")
    with pytest.raises(RecordError) as caught:
        world.ledger.load(run_id)
    assert f"/runs/{run_id} out of the ledger" in (caught.value.hint or "")


@pytest.mark.usefixtures("_all_dead")
def test_a_run_that_ended_is_believed_whoever_is_dead(world: World) -> None:
    assert judge(world.session, world.add_success(1, "a")).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("bodies", "kind", "words"),
    [
        ([CommandExited(exit=make_exit(3)), AttemptEnded(cause=Cause.EXIT)], CommandFailed, "fail"),
        ([AttemptEnded(cause=Cause.STOP)], StoppedOnRequest, "was stopped"),
        ([AttemptEnded(cause=Cause.LIMIT)], LimitReached, "reached a limit"),
        ([AttemptEnded(cause=Cause.LOST)], InstanceLost, "was lost"),
        ([AttemptEnded(cause=Cause.PHASE, phase=Phase.ENVIRONMENT)], PhaseFailed, "failed"),
        ([AttemptEnded(cause=Cause.PHASE, phase=Phase.UPLOADING)], TransportError, "failed"),
    ],
)
def test_each_end_has_its_error(
    world: World, bodies: list[Body], kind: type[Exception], words: str
) -> None:
    error = failure_of(world.ledger.load(world.add(1, "a", *bodies)))
    assert type(error) is kind
    assert re.search(words, error.message)
    assert error.hint


def test_success_and_a_living_run_are_no_error(world: World) -> None:
    assert failure_of(world.ledger.load(world.add_success(1, "a"))) is None


def test_a_message_of_success_without_an_exit_record_is_no_success(world: World) -> None:
    end = AttemptEnded(cause=Cause.EXIT, message="the command exited with status 0")
    assert isinstance(failure_of(world.ledger.load(world.add(1, "a", end))), CommandFailed)


# -- the tail of a run


def test_the_tail_tells_each_event_once_and_folds_them(world: World) -> None:
    run_id = world.add(1, "a", STARTED)
    tail = Tail(world.ledger, run_id)
    assert [event.body for event in tail.new_events()] == [STARTED]
    assert tail.new_events() == []
    end = AttemptEnded(cause=Cause.STOP)
    world.ledger.append_event(run_id, "agent", 2, make_event(end, 1), durable=True)
    assert [event.body for event in tail.new_events()] == [end]
    assert tail.run.state is State.STOPPED


def test_the_tail_goes_on_to_the_next_attempt(world: World) -> None:
    run_id = world.add(1, "a", STARTED, AttemptEnded(cause=Cause.LOST))
    tail = Tail(world.ledger, run_id)
    tail.new_events()
    assert not tail.advance_attempt()
    world.claim_next(run_id)
    assert tail.advance_attempt()
    assert (tail.attempt, tail.new_events()) == (2, [])


# -- two runs


def test_runs_differ_in_hyperparameters_files_and_result(world: World) -> None:
    left = world.add(2, "a", AttemptEnded(cause=Cause.STOP), code=world.tree({"t.py": "1"}))
    right = world.add(1, "b", STARTED, code=world.tree({"t.py": "2", "new.py": ""}))
    runs = [world.ledger.load(run_id) for run_id in (left, right)]
    runs[1] = with_hyperparameter(runs[1], "lr", "1e-3")
    found = {(d.topic, d.key): (d.left, d.right) for d in compare(world.session, *runs)}
    assert found["hyperparameters", "lr"] == (None, "1e-3")
    assert found["result", "state"] == ("stopped", "preparing")
    assert found["files", "new.py"][0] is None
    assert found["files", "t.py"][0] != found["files", "t.py"][1]
    assert ("command", "script") not in found


def with_hyperparameter(run: Run, key: str, text: str) -> Run:
    params = {key: Hyperparameter(value=float(text), text=text)}
    command = msgspec.structs.replace(run.spec.command, hyperparams=params)
    spec = msgspec.structs.replace(run.spec, command=command)
    return msgspec.structs.replace(run, spec=spec)
