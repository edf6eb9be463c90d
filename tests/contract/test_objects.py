"""Every store, held to the contract of ``runctl.testing.objects``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore, S3Store

from runctl.errors import ObjectExists, TransportError
from runctl.store.bucket import BucketObjects
from runctl.store.folder import FolderObjects
from runctl.store.objects import Objects
from runctl.testing.objects import ObjectsContract, SharedObjectsContract, keys
from tests.stores import FaultyObjects, MemoryObjects

PROCESSES = 6

CREATE = """
import sys, pathlib
from runctl.errors import ObjectExists
from runctl.store.folder import FolderObjects
objects, me = FolderObjects(pathlib.Path(sys.argv[1])), sys.argv[2].encode()
print("ready", flush=True)
sys.stdin.readline()
won = []
for turn in range(40):
    try:
        objects.put(f"claims/{turn}", me * 1000, create=True, durable=False)
        won.append(turn)
    except ObjectExists:
        pass
print(*won)
"""


class TestFolderObjects(SharedObjectsContract):
    def make_objects(self, folder: Path) -> Objects:
        return FolderObjects(folder)

    def open_again(self, objects: Objects) -> Objects:
        return FolderObjects(Path(objects.url))

    def test_one_process_wins_a_race_to_create(self, objects: Objects) -> None:
        names = [chr(ord("a") + number) for number in range(PROCESSES)]
        racers = [_start_racer(objects.url, name) for name in names]
        won = {name: _release(racer) for name, racer in zip(names, racers, strict=True)}
        assert sorted(turn for turns in won.values() for turn in turns) == list(range(40))
        for name, turns in won.items():
            assert all(objects.get(f"claims/{turn}") == name.encode() * 1000 for turn in turns)

    def test_unfinished_writes_are_never_listed(
        self, objects: Objects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[list[str]] = []
        write = os.write

        def look_and_write(descriptor: int, data: bytes) -> int:
            seen.append(keys(objects, ""))
            return write(descriptor, data)

        objects.put("runs/a", b"1")
        monkeypatch.setattr(os, "write", look_and_write)
        objects.put("runs/b", b"2")
        assert seen == [["runs/a"]]

    def test_a_folder_in_a_relative_place_stays_where_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        objects = FolderObjects(Path("store"))
        monkeypatch.chdir("/")
        objects.put("a", b"1")
        assert (tmp_path / "store" / "a").read_bytes() == b"1"


class TestBucketObjects(SharedObjectsContract):
    bucket = MemoryStore()

    def make_objects(self, folder: Path) -> Objects:
        self.bucket = MemoryStore()
        return BucketObjects(self.bucket, "memory://bucket")

    def open_again(self, objects: Objects) -> Objects:
        return BucketObjects(self.bucket, objects.url)


def test_a_bucket_that_cannot_be_reached_is_an_error_of_ours() -> None:
    bucket = S3Store(
        "absent",
        endpoint="http://127.0.0.1:9",
        region="none",
        access_key_id="none",
        secret_access_key="none",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
    )
    objects = BucketObjects(bucket, "s3://absent")
    verbs: list[Callable[[str], object]] = [
        lambda key: objects.put(key, b"1"),
        objects.get,
        objects.head,
        objects.delete,
        lambda key: list(objects.list(key)),
        lambda key: objects.list_folders(f"{key}/"),
    ]
    for verb in verbs:
        with pytest.raises(TransportError, match="s3://absent did not answer"):
            verb("a")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_create_whose_connection_breaks_again_and_again_is_held_against_what_is_there(
    monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """S3 may refuse a large body before it has read it, and hang up: its answer is lost."""
    bucket = MemoryStore()
    objects = BucketObjects(bucket, "s3://b")
    if is_there:
        objects.put("a", b"first")

    def hang_up(*_: object, **__: object) -> None:
        raise GenericError("HTTP error: error sending request")

    monkeypatch.setattr("obstore.put", hang_up)
    with pytest.raises(ObjectExists if is_there else TransportError):
        objects.put("a", b"second", create=True)


class TestMemoryObjects(ObjectsContract):
    """The model that the tests of the commit protocol rest on."""

    def make_objects(self, folder: Path) -> Objects:
        return MemoryObjects(utc_now)


class TestFaultyObjects(ObjectsContract):
    """Without a fault it is the store that it holds."""

    def make_objects(self, folder: Path) -> Objects:
        return FaultyObjects(MemoryObjects(utc_now))


def utc_now() -> datetime:
    return datetime.now(UTC)


def _start_racer(root: str, name: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", CREATE, root, name]
    racer = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert racer.stdout is not None
    assert racer.stdout.readline() == "ready\n"
    return racer


def _release(racer: subprocess.Popen[str]) -> list[int]:
    out, _ = racer.communicate("go\n")
    assert racer.returncode == 0
    return [int(turn) for turn in out.split()]
