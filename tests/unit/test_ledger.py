"""Records in the store: written once, fenced without clocks, folded into a run."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from runctl.errors import ObjectExists, RecordError, RecordVersionError, RunNotFound
from runctl.model.codec import encode
from runctl.model.events import (
    AttemptEnded,
    AttemptStarted,
    Body,
    Cause,
    CommandExited,
    Heartbeat,
    Request,
    RequestKind,
)
from runctl.model.ids import make_run_id
from runctl.model.paths import RunPaths
from runctl.model.run import State
from runctl.store.checkpoints import seal
from runctl.store.ledger import Ledger, counted_manifests, next_claim
from tests.records import (
    NOW,
    RUN_ID,
    make_claim,
    make_event,
    make_exit,
    make_manifest,
    make_spec,
    make_wanted,
)
from tests.stores import FaultyObjects, MemoryObjects, network_lost_for

STARTED = AttemptStarted(host="h", folder="/f", runctl_version="0", platform="p")
SUCCESS: list[Body] = [CommandExited(exit=make_exit(0)), AttemptEnded(cause=Cause.EXIT)]


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def ledger(objects: MemoryObjects) -> Ledger:
    ledger = Ledger(objects)
    ledger.create_run(make_spec())
    ledger.claim(RUN_ID, make_claim())
    return ledger


def tell(ledger: Ledger, *bodies: Body, attempt: int = 1, first: int = 1) -> None:
    for seq, body in enumerate(bodies, first):
        event = make_event(body, attempt, nonce=f"{attempt}/{seq}")
        ledger.append_event(RUN_ID, "agent", seq, event, durable=True)


def claim_next(ledger: Ledger, nonce: str = "second") -> None:
    run = ledger.load(RUN_ID)
    record = next_claim(
        ledger, run, make_wanted(nonce=nonce, now=NOW, instance="local", reason="lost")
    )
    ledger.claim(RUN_ID, record)


def commit(ledger: Ledger, attempt: int, seq: int) -> str:
    manifest = make_manifest(attempt, seq)
    ledger.create(manifest.key, seal(manifest))
    return manifest.key


# -- reading


def test_a_run_is_the_fold_of_its_events(ledger: Ledger) -> None:
    tell(ledger, STARTED, *SUCCESS)
    run = ledger.load(RUN_ID)
    assert (run.state, run.spec) == (State.SUCCEEDED, make_spec())


def test_ten_events_come_in_order(ledger: Ledger) -> None:
    tell(ledger, *[STARTED] * 11, AttemptEnded(cause=Cause.STOP), STARTED)
    assert ledger.load(RUN_ID).state is State.STOPPED


def test_an_unknown_run_is_named(ledger: Ledger) -> None:
    other = make_run_id(NOW, b"\7" * 4)
    with pytest.raises(RunNotFound, match=other) as caught:
        ledger.load(other)
    assert caught.value.hint == "runctl runs"


def test_runs_are_listed_newest_first_and_strangers_are_not(ledger: Ledger) -> None:
    newer = make_run_id(NOW.replace(year=2027), b"\7" * 4)
    ledger.create_run(make_spec(newer))
    ledger.objects.put("runs/not-a-run/spec.json", b"{}")
    assert ledger.run_ids() == [newer, RUN_ID]


def test_a_record_that_is_damaged_is_named(ledger: Ledger, objects: MemoryObjects) -> None:
    tell(ledger, STARTED)
    (key,) = ledger.event_keys(RUN_ID, 1)
    objects.damage(key, objects.get(key)[:-1])
    with pytest.raises(RecordError, match=key):
        ledger.load(RUN_ID)


def test_a_record_of_a_later_version_is_named(ledger: Ledger, objects: MemoryObjects) -> None:
    key = f"runs/{RUN_ID}/spec.json"
    objects.damage(key, objects.get(key).replace(b'"schema":1', b'"schema":2'))
    with pytest.raises(RecordVersionError, match=key):
        ledger.load(RUN_ID)


# -- writing once


def test_the_same_record_twice_is_one(ledger: Ledger) -> None:
    ledger.create_run(make_spec())
    ledger.claim(RUN_ID, make_claim())
    tell(ledger, STARTED)
    tell(ledger, STARTED)
    assert len(ledger.event_keys(RUN_ID, 1)) == 1


def test_another_record_under_the_key_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ObjectExists):
        ledger.create_run(make_spec(name="other"))
    with pytest.raises(ObjectExists):
        ledger.claim(RUN_ID, make_claim(nonce="a stranger's"))
    assert ledger.spec(RUN_ID).name == make_spec().name


def test_a_lost_answer_is_survived(objects: MemoryObjects) -> None:
    faulty = FaultyObjects(objects)
    faulty.fault, faulty.is_answer_lost = network_lost_for(range(1, 2)), True
    ledger = Ledger(faulty)
    with pytest.raises(ConnectionError):
        ledger.create_run(make_spec())
    ledger.create_run(make_spec())
    assert ledger.run_ids() == [RUN_ID]


def test_one_of_many_claims_the_attempt(ledger: Ledger) -> None:
    run = ledger.load(RUN_ID)

    def claim(number: int) -> bool:
        nonce = f"claimant-{number}"
        record = next_claim(
            ledger, run, make_wanted(nonce=nonce, now=NOW, instance="local", reason="lost")
        )
        try:
            ledger.claim(RUN_ID, record)
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(8))) == 1
    assert len(ledger.claims(RUN_ID)) == 2


# -- fencing


def test_a_claim_seals_what_was_told_until_then(ledger: Ledger) -> None:
    tell(ledger, STARTED)
    keys, manifest = ledger.event_keys(RUN_ID, 1), commit(ledger, 1, 1)
    claim_next(ledger)
    second = ledger.claims(RUN_ID)[1]
    assert (second.sealed_events, second.sealed_manifests) == (tuple(keys), (manifest,))


def test_what_a_thawed_predecessor_tells_never_enters_the_fold(ledger: Ledger) -> None:
    tell(ledger, STARTED)
    claim_next(ledger)
    before = ledger.load(RUN_ID)
    tell(ledger, *SUCCESS, first=2)
    assert ledger.load(RUN_ID) == before
    assert [attempt.state for attempt in before.attempts] == [State.LOST, State.PENDING]


def test_what_came_between_the_listing_and_the_claim_does_not_count_either(
    ledger: Ledger,
) -> None:
    run = ledger.load(RUN_ID)
    record = next_claim(
        ledger, run, make_wanted(nonce="n", now=NOW, instance="local", reason="lost")
    )
    tell(ledger, *SUCCESS)
    ledger.claim(RUN_ID, record)
    assert ledger.load(RUN_ID).attempts[0].state is State.LOST


def test_an_attempt_that_had_ended_keeps_its_end(ledger: Ledger) -> None:
    tell(ledger, CommandExited(exit=make_exit(1)), AttemptEnded(cause=Cause.EXIT))
    claim_next(ledger)
    assert ledger.load(RUN_ID).attempts[0].state is State.FAILED


def test_a_lost_attempt_lasted_until_its_last_sign_of_life(ledger: Ledger) -> None:
    tell(ledger, STARTED)
    beat(ledger, 3600)
    claim_next(ledger)
    beat(ledger, 7200)  # it thaws, which changes nothing
    [lost, _] = ledger.load(RUN_ID).attempts
    assert lost.end is not None
    assert (lost.end.seconds, lost.updated_at) == (3600, NOW + timedelta(seconds=3600))


def test_a_sign_of_life_that_cannot_be_read_keeps_nobody_from_going_on(ledger: Ledger) -> None:
    ledger.objects.put(RunPaths(RUN_ID).heartbeat(1), b"{", durable=False)
    claim_next(ledger)
    assert len(ledger.load(RUN_ID).attempts) == 2


def beat(ledger: Ledger, after_s: float) -> None:
    sign = Heartbeat(
        at=NOW + timedelta(seconds=after_s), attempt=1, phase=None, log_bytes=0,
        rss_bytes=1, disk_free_bytes=1, load=0.0,
    )  # fmt: skip
    ledger.beat(RUN_ID, sign)


def test_a_sealed_event_that_is_gone_is_not_passed_over_in_silence(ledger: Ledger) -> None:
    tell(ledger, STARTED)
    claim_next(ledger)
    (key,) = ledger.event_keys(RUN_ID, 1)
    ledger.objects.delete(key)
    with pytest.raises(Exception, match=key):
        ledger.load(RUN_ID)


def test_manifests_count_if_sealed_or_of_the_last_attempt(ledger: Ledger) -> None:
    imported, sealed = commit(ledger, 0, 1), commit(ledger, 1, 1)
    claim_next(ledger)
    orphan, own = commit(ledger, 1, 2), commit(ledger, 2, 1)
    assert counted_manifests(ledger, RUN_ID) == [imported, sealed, own]
    assert orphan in ledger.manifest_keys(RUN_ID, 1)
    ledger.objects.delete(sealed)
    assert counted_manifests(ledger, RUN_ID) == [imported, own]


def test_is_claimed_tells_a_predecessor_that_it_is_superseded(ledger: Ledger) -> None:
    assert not ledger.is_claimed(RUN_ID, 2)
    claim_next(ledger)
    assert ledger.is_claimed(RUN_ID, 2)


# -- the rest


def test_requests_come_back(ledger: Ledger) -> None:
    request = Request(request_id="q", requested_at=NOW, attempt=1, kind=RequestKind.STOP)
    ledger.put_request(RUN_ID, request)
    ledger.put_request(RUN_ID, request)
    assert list(ledger.requests(RUN_ID)) == [request]


def test_the_last_heartbeat_stands(ledger: Ledger) -> None:
    assert ledger.heartbeat(RUN_ID, 1) is None
    for log_bytes in (1, 2):
        ledger.beat(
            RUN_ID,
            Heartbeat(
                at=NOW,
                attempt=1,
                phase=None,
                log_bytes=log_bytes,
                rss_bytes=0,
                disk_free_bytes=0,
                load=0.0,
            ),
        )
    found = ledger.heartbeat(RUN_ID, 1)
    assert found is not None
    assert found.log_bytes == 2


def test_a_run_that_is_half_deleted_is_none_and_a_second_call_finishes(
    objects: MemoryObjects,
) -> None:
    faulty = FaultyObjects(objects)
    ledger = Ledger(faulty)
    ledger.create_run(make_spec())
    ledger.claim(RUN_ID, make_claim())
    tell(ledger, STARTED)
    objects.put("blobs/kept", b"")
    assert ledger.has_spec(RUN_ID)
    faulty.fault = network_lost_for(range(faulty.writes + 2, faulty.writes + 3))
    with pytest.raises(ConnectionError):
        ledger.delete_run(RUN_ID)
    assert not ledger.has_spec(RUN_ID)
    with pytest.raises(RunNotFound):
        ledger.load(RUN_ID)
    ledger.delete_run(RUN_ID)
    ledger.delete_run(RUN_ID)
    assert list(objects.contents) == ["blobs/kept"]


def test_what_is_written_is_the_canonical_encoding(ledger: Ledger, objects: MemoryObjects) -> None:
    assert objects.get(f"runs/{RUN_ID}/spec.json") == encode(make_spec())


class DistantObjects(MemoryObjects):
    """A bucket that answers to nobody before four are asking at once."""

    url = "s3://distant"

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(4, timeout=10)

    def get(self, key: str) -> bytes:
        if "/events/" in key:
            self.meeting.wait()
        return super().get(key)


def test_the_records_in_a_bucket_are_read_at_once_and_in_order() -> None:
    ledger = Ledger(DistantObjects())
    ledger.create_run(make_spec())
    ledger.claim(RUN_ID, make_claim())
    bodies: list[Body] = [STARTED, STARTED, *SUCCESS]
    for seq, body in enumerate(bodies, 1):
        ledger.append_event(RUN_ID, "agent", seq, make_event(body), durable=True)
    assert ledger.load(RUN_ID).state is State.SUCCEEDED
    found = ledger.events(ledger.event_keys(RUN_ID, 1))
    assert [event.body for event in found] == bodies
