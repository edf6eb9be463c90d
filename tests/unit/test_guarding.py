"""What keeps an instance from being stopped or ended, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runctl.config import load
from runctl.engine import flushing, follow, outcome
from runctl.engine.ending import end, plan_end
from runctl.engine.fleet import Leave
from runctl.engine.guarding import check, look
from runctl.engine.power import Patience, start, stop
from runctl.engine.session import Session
from runctl.errors import ConflictError, RefusedError, RunFinished, TransportError, TryAgain
from runctl.model.events import (
    AttemptEnded,
    AttemptStarted,
    Body,
    Cause,
    CheckpointCommitted,
    CommandExited,
)
from runctl.model.ids import make_run_id
from runctl.model.instance import InstanceState, Rental
from runctl.model.paths import RunPaths
from runctl.model.run import Run
from runctl.model.spec import Limits
from runctl.store.ledger import Ledger, next_claim
from tests.instances import FakePower, FakeProvider, make_instance, no_account
from tests.records import NOW, make_claim, make_event, make_exit, make_spec
from tests.stores import MemoryObjects

HERE, THERE = make_instance("i-1"), make_instance("i-2")
STARTED = AttemptStarted(host="h", folder="/f", runctl_version="0", platform="p")
SAVED = CheckpointCommitted(
    name="last.ckpt", seq=1, step=120, size_bytes=3, sent_bytes=3, written_ns=1, lag_seconds=0.1
)
FAILED = (STARTED, CommandExited(exit=make_exit(3)), AttemptEnded(cause=Cause.EXIT))
SUCCEEDED = (STARTED, CommandExited(exit=make_exit(0)), AttemptEnded(cause=Cause.EXIT))


class InBucket(MemoryObjects):
    """It is read as a bucket is: several records at once."""

    @property
    def url(self) -> str:
        return "s3://bucket/me"


class World:
    """A ledger with runs in it, and a session that looks at it."""

    def __init__(self, folder: Path) -> None:
        self.objects = InBucket()
        self.ledger = Ledger(self.objects)
        self.session = Session(
            account=no_account,
            config=load(None, {}, {}, folder / "config"),
            ledger=self.ledger,
            environ={},
            user_dir=folder / "config",
            cache_dir=folder / "cache",
            clock=lambda: NOW,
        )
        self._made = 0

    def add(self, instance: str, *bodies: Body, **spec: object) -> str:
        self._made += 1
        run_id = make_run_id(NOW - timedelta(hours=self._made), bytes(4))
        self.ledger.create_run(make_spec(run_id, name=f"run-{self._made}", **spec))
        self.ledger.claim(run_id, make_claim(instance=instance))
        for seq, body in enumerate(bodies, 1):
            self.ledger.append_event(run_id, "agent", seq, make_event(body, 1), durable=True)
        return run_id

    def go_on(self, run_id: str, instance: str) -> None:
        run = self.ledger.load(run_id)
        record = next_claim(self.ledger, run, make_claim(instance=instance, nonce="n"))
        self.ledger.claim(run_id, record)

    def damage(self, *keys: str) -> None:
        for key in keys:
            self.objects.damage(key, b"{")

    def active(self) -> dict[str, list[str]]:
        """Return the runs that are active on either of the two instances."""
        found = look(self.session, [HERE, THERE])
        assert not found.problems
        return {ident: [run.run_id for run in runs] for ident, runs in found.runs.items()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(autouse=True)
def alive(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """All attempts live, unless it is said that none does."""

    def set_alive(is_so: bool) -> None:
        monkeypatch.setattr(outcome, "is_alive", lambda *_: is_so)
        monkeypatch.setattr(follow, "is_alive", lambda *_: is_so)

    set_alive(True)
    return set_alive


def test_a_run_is_active_on_the_instance_of_its_last_attempt(world: World) -> None:
    run_id = world.add("i-1", *FAILED)
    world.add("i-1", *SUCCEEDED)
    world.add("i-9", STARTED)
    assert world.active() == {}
    world.go_on(run_id, "i-2")
    assert world.active() == {"i-2": [run_id]}


def test_one_whose_processes_are_gone_is_not_active(
    world: World, alive: Callable[[bool], None]
) -> None:
    run_id = world.add("i-1", STARTED)
    assert world.active() == {"i-1": [run_id]}
    alive(False)
    assert world.active() == {}


def test_one_that_is_about_to_be_retried_is_active(world: World) -> None:
    run_id = world.add("i-1", *FAILED, limits=Limits(retries=1))
    marked = make_instance("i-1", run=run_id)
    assert [run.run_id for run in look(world.session, [marked]).runs["i-1"]] == [run_id]


def test_a_refusal_names_the_run_the_step_and_what_to_type(world: World) -> None:
    run_id = world.add("i-1", STARTED, SAVED)
    with pytest.raises(
        RefusedError, match=r"run-1 .* is preparing, .*last\.ckpt \(step 120\)"
    ) as e:
        check(world.session, [THERE, HERE], Leave(), "stop")
    assert e.value.hint == f"runctl stop {run_id}, or runctl aws stop i-1 --force"
    assert check(world.session, [HERE], Leave(is_forced=True), "stop").runs["i-1"]
    check(world.session, [THERE], Leave(), "stop")


def test_a_run_that_cannot_be_read_is_one_that_may_be_active(world: World) -> None:
    run_id = world.add("i-1", *SUCCEEDED)
    world.damage(RunPaths(run_id).spec)
    found = look(world.session, [HERE, THERE])
    assert list(found.problems) == ["i-1"]  # its claim still tells where it was
    world.damage(RunPaths(run_id).claim(1))
    assert set(look(world.session, [HERE, THERE]).problems) == {"i-1", "i-2"}
    with pytest.raises(RefusedError, match="cannot be known") as caught:
        check(world.session, [THERE], Leave(), "terminate")
    assert caught.value.hint == "runctl aws terminate i-2 --force"


@pytest.mark.parametrize("error", [TransportError("no network"), OSError("no disk")])
def test_a_ledger_that_cannot_be_read_is_a_refusal(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: object) -> list[str]:
        raise error

    monkeypatch.setattr(Ledger, "run_ids", fail)
    with pytest.raises(RefusedError, match=f"cannot be known: {error}"):
        check(world.session, [HERE], Leave(), "terminate")
    forced = check(world.session, [HERE], Leave(is_forced=True), "terminate")
    assert forced.problems == {"i-1": str(error)}


def test_a_run_that_the_ledger_does_not_know_may_be_active(world: World) -> None:
    marked = make_instance("i-1", run="0123456789-00000")
    assert "another ledger" in look(world.session, [marked]).problems["i-1"]
    at_rest = make_instance("i-1", run="0123456789-00000", state=InstanceState.STOPPED)
    assert look(world.session, [at_rest]).problems == {}


def test_what_has_ended_is_not_looked_after(world: World) -> None:
    world.add("i-1", STARTED)
    ended = make_instance("i-1", state=InstanceState.TERMINATED)
    assert check(world.session, [ended], Leave(), "terminate").runs == {}


# -- the end


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (TryAgain("it is still stopping"), "it is still stopping"),
        (TransportError("no network"), "no network"),
        (RunFinished("it is over"), None),  # by itself, meanwhile
    ],
)
def test_whether_a_run_could_be_flushed_is_said_and_it_ends_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, problem: str | None
) -> None:
    def fail(*_: object, **__: object) -> Run:
        raise error

    monkeypatch.setattr(flushing, "stop", fail)
    world.add("i-1", STARTED, SAVED)
    provider = FakeProvider([HERE])
    [report] = end(world.session, provider, ["i-1"], Leave(is_forced=True))
    [flush] = report.flushes
    assert (flush.problem, flush.run.last_step) == (problem, 120)
    assert provider.ended == ["i-1"]
    assert report.instance.state is InstanceState.TERMINATED


def test_all_are_looked_at_before_the_first_is_touched(world: World) -> None:
    world.add("i-2", STARTED)
    provider = FakeProvider([HERE, THERE, make_instance("i-3", is_ours=False)])
    for references in (["i-1", "i-2"], ["i-1", "i-3"]):
        for act in (end, plan_end):
            with pytest.raises(RefusedError):
                act(world.session, provider, references, Leave())
    assert provider.ended == []
    [report] = end(world.session, provider, ["i-1", "i-1"], Leave())
    assert provider.ended == ["i-1"]
    [again] = end(world.session, provider, ["i-1"], Leave())
    assert (report.was_so, again.was_so) == (False, True)
    assert provider.ended == ["i-1"]


def test_what_fails_with_one_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = FakeProvider([HERE, THERE])
    terminate = provider.terminate

    def fail_with_one(instance_id: str, *, is_foreign: bool = False) -> None:
        if instance_id == "i-1":
            raise TransportError("no network", hint="try again")
        terminate(instance_id, is_foreign=is_foreign)

    monkeypatch.setattr(provider, "terminate", fail_with_one)
    first, second = end(world.session, provider, ["i-1", "i-2"], Leave())
    assert first.failure is not None
    assert (first.failure.exit_code, first.failure.message) == (9, "no network")
    assert (second.failure, provider.ended) == (None, ["i-2"])


# -- stop and start


def test_a_stop_looks_at_all_of_them_before_the_first_is_touched(world: World) -> None:
    provider = FakePower([HERE, THERE], rigid=["i-2"])
    with pytest.raises(ConflictError, match="i-2 cannot be stopped"):
        stop(world.session, provider, ["i-1", "i-2"], Leave(), Patience())
    world.add("i-2", STARTED)
    provider.rigid = ()
    with pytest.raises(RefusedError, match="i-2 has an active run"):
        stop(world.session, provider, ["i-1", "i-2"], Leave(), Patience())
    assert provider.describe("i-1").state is InstanceState.RUNNING


def test_a_run_that_ends_its_instance_cannot_be_kept_by_a_stop(world: World) -> None:
    run_id = make_run_id(NOW, bytes(4))
    world.ledger.create_run(make_spec(run_id, name="run-1"))
    rental = Rental(
        type="m5.large", place=None, is_spot=True, usd_per_hour=None, since=NOW, ends_with_run=True
    )
    world.ledger.claim(run_id, replace(make_claim(instance="i-1"), rental=rental))
    provider = FakePower([HERE])
    with pytest.raises(ConflictError, match="run run-1 ends i-1") as caught:
        stop(world.session, provider, ["i-1"], Leave(is_forced=True), Patience())
    assert caught.value.hint == "runctl aws terminate i-1 --force"
    assert provider.describe("i-1").state is InstanceState.RUNNING


def test_what_is_so_already_is_said(world: World) -> None:
    provider = FakePower([HERE])
    words = (world.session, provider, ["i-1"], Leave(), Patience())
    for change, state in ((stop, InstanceState.STOPPED), (start, InstanceState.RUNNING)):
        first, second = change(*words)[0], change(*words)[0]
        assert (first.was_so, second.was_so) == (False, True)
        assert first.instance.state is second.instance.state is state


def test_what_cannot_be_stopped_at_all_is_said(world: World) -> None:
    with pytest.raises(ConflictError, match="of fake can be neither stopped nor started"):
        stop(world.session, FakeProvider([HERE]), ["i-1"], Leave(), Patience())
