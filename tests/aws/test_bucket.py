"""A bucket as a store: the contract of all stores, its errors, and what faults do to it."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runctl.errors import (
    AuthError,
    NotFoundError,
    ObjectExists,
    ObjectMissing,
    RunctlError,
    TransportError,
)
from runctl.store.blobs import Blobs
from runctl.store.bucket import BucketObjects
from runctl.store.ledger import Ledger
from runctl.store.objects import Objects
from runctl.store.place import open_objects
from runctl.store.s3 import BucketAccess, BucketKeys
from runctl.testing.objects import SharedObjectsContract, keys
from tests.aws.bucketscene import REGION
from tests.aws.lossydoor import LossyDoor
from tests.localcloud.process import CloudProcess
from tests.records import RUN_ID, make_spec

pytestmark = pytest.mark.slow

PREFIX = "team a/ö+"
TURNS, PROCESSES = 20, 4
CREATE = """
import sys
from runctl.errors import ObjectExists
from runctl.store.place import open_objects
from runctl.store.s3 import BucketAccess, BucketKeys
url, endpoint, key, secret, me = sys.argv[1:]
access = BucketAccess("us-east-1", endpoint, lambda: BucketKeys(key, secret))
objects = open_objects(url, access)
print("ready", flush=True)
sys.stdin.readline()
won = []
for turn in range(20):
    try:
        objects.put(f"claims/{turn}", me.encode() * 1000, create=True)
        won.append(turn)
    except ObjectExists:
        pass
print(*won)
"""


class Place:
    """A bucket of its own in a local cloud, and ways to open it."""

    def __init__(self, cloud: CloudProcess, bucket: str) -> None:
        self.cloud, self.bucket = cloud, bucket
        self.url = f"s3://{bucket}/{PREFIX}"
        told = cloud.control("GET", "credentials")
        self.keys = BucketKeys(told["access_key_id"], told["secret_access_key"])

    def open(
        self,
        keys: Callable[[], BucketKeys] | None = None,
        *,
        bucket: str = "",
        endpoint: str = "",
    ) -> Objects:
        lend = keys or (lambda: self.keys)
        access = BucketAccess(REGION, endpoint or self.cloud.endpoint, lend)
        return open_objects(f"s3://{bucket or self.bucket}/{PREFIX}/", access)

    def fault(self, effect: str, **order: object) -> None:
        service = {} if effect == "truncate" else {"service": "s3"}
        document = {"effect": effect, "bucket": self.bucket, **service, **order}
        self.cloud.control("POST", "faults", document)

    def calls(self, cursor: str) -> list[str]:
        told = self.cloud.control("GET", f"events?cursor={cursor}")
        return [one["operation"] for one in told["events"] if one.get("bucket") == self.bucket]

    @property
    def cursor(self) -> str:
        return str(self.cloud.control("GET", "events")["cursor"])


@pytest.fixture
def place(local_cloud: CloudProcess, bucket: str) -> Place:
    return Place(local_cloud, bucket)


class TestBucketInS3(SharedObjectsContract):
    @pytest.fixture(autouse=True)
    def _in_a_local_cloud(self, local_cloud: CloudProcess) -> None:
        self.cloud = local_cloud

    def make_objects(self, folder: Path) -> Objects:
        name = f"contract-{secrets.token_hex(4)}"
        self.cloud.session().client("s3").create_bucket(Bucket=name)
        self.place = Place(self.cloud, name)
        return self.place.open()

    def open_again(self, objects: Objects) -> Objects:
        return self.place.open()

    def test_one_process_wins_a_race_to_create(self, objects: Objects) -> None:
        argv = [sys.executable, "-c", CREATE, self.place.url, self.cloud.endpoint,
                self.place.keys.access_key_id, self.place.keys.secret_access_key]  # fmt: skip
        racers = [
            subprocess.Popen(
                [*argv, str(me)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for me in range(PROCESSES)
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        won = [racer.communicate("go\n")[0].split() for racer in racers]
        assert sorted(int(turn) for turns in won for turn in turns) == list(range(TURNS))
        for me, turns in enumerate(won):
            assert all(objects.get(f"claims/{turn}") == b"%d" % me * 1000 for turn in turns)


# -- the prefix, and what a look costs


def test_the_prefix_stays_out_of_keys(place: Place) -> None:
    objects = place.open()
    objects.put("a/b", b"1")
    assert objects.url == place.url
    assert keys(objects, "") == ["a/b"]
    found = place.cloud.session().client("s3").list_objects_v2(Bucket=place.bucket)
    assert [entry["Key"] for entry in found["Contents"]] == [f"{PREFIX}/a/b"]


def test_a_look_behind_many_keys_is_one_request(place: Place) -> None:
    objects = place.open()
    for number in range(30):
        objects.put(f"events/{number:03d}", b"1")
    cursor = place.cursor
    assert keys(objects, "events/", after="events/027") == ["events/028", "events/029"]
    assert place.calls(cursor) == ["ListObjectsV2"]


def test_large_objects_travel_whole_with_their_checksum(place: Place) -> None:
    data = secrets.token_bytes(16 * 1024**2)
    place.open().put("blobs/x", memoryview(data), create=True)
    assert place.open().get("blobs/x") == data
    told = (
        place.cloud.session()
        .client("s3")
        .head_object(Bucket=place.bucket, Key=f"{PREFIX}/blobs/x", ChecksumMode="ENABLED")
    )
    assert told["ChecksumSHA256"]


# -- credentials


def test_keys_are_asked_for_again_when_they_expire(place: Place) -> None:
    asked: list[datetime] = []

    def lend() -> BucketKeys:
        asked.append(datetime.now(UTC))
        soon = asked[-1] + timedelta(seconds=1)
        return BucketKeys(place.keys.access_key_id, place.keys.secret_access_key, None, soon)

    objects = place.open(lend)
    for number in range(3):
        objects.put(f"{number}", b"1")
        time.sleep(0.2)  # what has just been lent is kept for a moment
    assert len(asked) == 3


def test_whoever_cannot_sign_is_told_why(place: Place) -> None:
    def fail() -> BucketKeys:
        raise AuthError("the session of SSO has expired")

    with pytest.raises(AuthError, match="the session of SSO has expired") as told:
        place.open(fail).get("a")
    assert told.value.hint == "aws sso login, or aws configure"


VERBS: list[Callable[[Objects], object]] = [
    lambda objects: objects.put("a", b"1"),
    lambda objects: objects.put("a", b"1", create=True),
    lambda objects: objects.get("a"),
    lambda objects: objects.delete("a"),
    lambda objects: list(objects.list("a/")),
    lambda objects: objects.list_folders("a/"),
]


@pytest.mark.parametrize("verb", VERBS)
def test_wrong_keys_and_absent_buckets_are_named(
    place: Place, verb: Callable[[Objects], object]
) -> None:
    with pytest.raises(AuthError) as told:
        verb(place.open(lambda: BucketKeys("AKIAWRONGWRONGWRONG0", "wrong")))
    assert told.value.hint
    with pytest.raises(NotFoundError, match="there is no bucket") as missing:
        verb(place.open(bucket=f"absent-{secrets.token_hex(4)}"))
    assert not isinstance(missing.value, ObjectMissing)
    assert str(missing.value.hint).startswith("aws s3 mb s3://")


def test_who_may_not_is_told_what(place: Place) -> None:
    place.open().put("a", b"1")
    place.fault("deny", count=1)
    with pytest.raises(AuthError, match="refused access to a: Access Denied"):
        place.open().get("a")


def test_what_is_denied_because_it_is_not_there_is_missing(place: Place) -> None:
    """S3 denies a key that is not there to whoever may list a part of the bucket only."""
    objects = place.open()
    objects.put("runs/b", b"1")
    place.fault("deny", count=1)
    assert objects.head("runs/a") is None
    place.fault("deny", count=1)
    with pytest.raises(ObjectMissing):
        objects.get("runs/c")
    place.fault("deny", count=2)  # the list, too
    with pytest.raises(AuthError):
        objects.head("runs/a")


# -- faults


def test_what_s3_refuses_for_now_is_sent_again(place: Place) -> None:
    objects = place.open()
    place.fault("throttle", count=2)
    objects.put("a", b"1", create=True)
    place.fault("error", code="InternalError", status=500, count=1)
    assert objects.get("a") == b"1"


@pytest.fixture
def door(place: Place) -> Iterator[LossyDoor]:
    with LossyDoor(place.cloud.endpoint) as made:
        yield made


def test_a_create_whose_connection_broke_is_sent_again(place: Place) -> None:
    place.fault("reset", operation="PutObject", count=1)
    place.open().put("a", b"mine", create=True)
    assert place.open().get("a") == b"mine"


def test_a_create_whose_answer_was_lost_meets_itself(place: Place, door: LossyDoor) -> None:
    """Why whoever creates compares: the second request finds what the first has written."""
    door.losing = 1
    with pytest.raises(ObjectExists):
        place.open(endpoint=door.endpoint).put("a", b"mine", create=True)
    assert (door.losing, place.open().get("a")) == (0, b"mine")


def test_a_record_whose_answer_was_lost_is_created_once(place: Place, door: LossyDoor) -> None:
    ledger, spec = Ledger(place.open(endpoint=door.endpoint)), make_spec()
    door.losing = 1
    ledger.create_run(spec)
    assert (door.losing, ledger.spec(RUN_ID)) == (0, spec)
    with pytest.raises(ObjectExists):
        ledger.create_run(make_spec(name="another"))


def test_a_blob_whose_answer_was_lost_is_whole(place: Place, door: LossyDoor) -> None:
    blobs = Blobs(place.open(endpoint=door.endpoint), lambda: datetime.now(UTC))
    door.losing = 1
    sent = blobs.put(b"some bytes")
    assert (door.losing, blobs.get(sent.part)) == (0, b"some bytes")


@pytest.mark.parametrize("effect", ["reset", "truncate", "throttle"])
def test_blobs_come_through_faults_whole(place: Place, effect: str) -> None:
    blobs, data = Blobs(place.open(), lambda: datetime.now(UTC)), secrets.token_bytes(300_000)
    for operation in ("PutObject", "GetObject", "HeadObject"):
        place.fault(effect, operation=operation, count=1)
    sent = blobs.put(data)
    assert blobs.get(sent.part) == data


def test_an_endpoint_that_is_gone_is_an_error_of_ours(place: Place) -> None:
    access = BucketAccess(REGION, "http://127.0.0.1:9", lambda: place.keys)
    objects = open_objects(place.url, access)
    assert isinstance(objects, BucketObjects)
    with pytest.raises(TransportError, match="did not answer") as told:
        objects.put("a", b"1", create=True)
    assert isinstance(told.value, RunctlError)
    assert told.value.hint
