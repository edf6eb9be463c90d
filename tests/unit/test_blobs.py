"""Content-addressed bytes: sent once, verified when read, swept only when old and unnamed."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from runctl.errors import IntegrityError, UnsafePath
from runctl.model.checkpoint import Part
from runctl.model.paths import blob_key
from runctl.store.blobs import REFRESH_AGE, SWEEP_AGE, Blobs
from tests.records import NOW, FakeClock
from tests.stores import MemoryObjects


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def objects(clock: FakeClock) -> MemoryObjects:
    return MemoryObjects(clock)


@pytest.fixture
def blobs(objects: MemoryObjects, clock: FakeClock) -> Blobs:
    return Blobs(objects, clock)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_blob_is_named_by_its_digest(
    blobs: Blobs, objects: MemoryObjects, kind: type[bytes]
) -> None:
    part = blobs.put(kind(b"weights")).part
    assert part == Part(sha256=hashlib.sha256(b"weights").hexdigest(), size_bytes=7)
    assert objects.contents == {f"blobs/{part.sha256}": b"weights"}
    assert blobs.get(part) == b"weights"


def test_equal_bytes_are_sent_once(blobs: Blobs) -> None:
    assert [blobs.put(b"weights").sent_bytes for _ in range(3)] == [7, 0, 0]
    assert blobs.put(b"others").sent_bytes == 6


def test_a_blob_survives_a_power_loss(blobs: Blobs, objects: MemoryObjects) -> None:
    part = blobs.put(b"weights").part
    objects.lose_power()
    assert blobs.get(part) == b"weights"


@pytest.mark.parametrize("found", [b"weighty", b"weight", b"weights!", b""])
def test_other_bytes_are_an_integrity_error(
    blobs: Blobs, objects: MemoryObjects, found: bytes
) -> None:
    part = blobs.put(b"weights").part
    objects.damage(f"blobs/{part.sha256}", found)
    with pytest.raises(IntegrityError, match=part.sha256):
        blobs.get(part)


def test_a_missing_blob_is_an_integrity_error(blobs: Blobs, objects: MemoryObjects) -> None:
    part = blobs.put(b"weights").part
    objects.delete(f"blobs/{part.sha256}")
    for verb in (blobs.get, blobs.check_present):
        with pytest.raises(IntegrityError, match=part.sha256):
            verb(part)


def test_a_record_that_names_a_wrong_size_is_not_believed(blobs: Blobs) -> None:
    part = blobs.put(b"weights").part
    wrong = Part(sha256=part.sha256, size_bytes=8)
    for verb in (blobs.get, blobs.check_present):
        with pytest.raises(IntegrityError):
            verb(wrong)


def test_a_record_that_names_no_digest_is_refused(blobs: Blobs) -> None:
    with pytest.raises(UnsafePath):
        blobs.get(Part(sha256="../spec.json", size_bytes=1))


def test_a_truncated_blob_is_sent_again(blobs: Blobs, objects: MemoryObjects) -> None:
    part = blobs.put(b"weights").part
    objects.damage(f"blobs/{part.sha256}", b"wei")
    assert blobs.put(b"weights").sent_bytes == 7
    assert blobs.get(part) == b"weights"


def test_a_blob_that_the_sweep_may_soon_take_is_sent_again(
    blobs: Blobs, objects: MemoryObjects, clock: FakeClock
) -> None:
    blobs.put(b"weights")
    clock.advance(REFRESH_AGE.total_seconds())
    assert blobs.put(b"weights").sent_bytes == 7
    clock.advance((SWEEP_AGE - timedelta(seconds=1)).total_seconds())
    assert blobs.sweep([]) == 0


def test_what_was_found_fresh_is_safe_until_a_commit_can_name_it() -> None:
    """The time from being found to being swept must be long enough for any commit."""
    assert timedelta(hours=6) <= SWEEP_AGE - REFRESH_AGE


def test_the_sweep_takes_what_is_old_and_unnamed(
    blobs: Blobs, objects: MemoryObjects, clock: FakeClock
) -> None:
    named, _ = blobs.put(b"named").part, blobs.put(b"unnamed").part
    clock.advance(SWEEP_AGE.total_seconds() + 1)
    young = blobs.put(b"young").part
    assert blobs.sweep([named.sha256]) == len(b"unnamed")
    assert blobs.sweep([named.sha256]) == 0
    assert sorted(objects.contents) == sorted(f"blobs/{p.sha256}" for p in (named, young))


def test_a_blob_that_has_rotted_at_its_size_is_sent_again() -> None:
    objects = MemoryObjects(lambda: NOW)
    blobs = Blobs(objects, lambda: NOW)
    part = blobs.put(b"the bytes").part
    objects.damage(blob_key(part.sha256), b"rot bytes")
    assert blobs.put(b"the bytes").sent_bytes == 9
    assert blobs.get(part) == b"the bytes"
