"""The contract that every object store keeps; subclass it with a maker.

::

    class TestFolder(ObjectsContract):
        def make_objects(self, folder): return FolderObjects(folder)

A store that several processes or machines can open also inherits from SharedObjectsContract.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runctl.errors import ObjectExists, ObjectMissing, UnsafePath
from runctl.store.objects import Objects

RACERS = 24
TORN_BYTES = 192 * 1024
ESCAPES = (
    "", "/", "/a", "a/", "a//b", ".", "..", "a/.", "./a", "a/..", "../a", "a/../b",
    "a/../../b", "a\0b", "a/\0",
)  # fmt: skip
ESCAPING_PREFIXES = ("../", "../a", "/", "/a", "a/../", "a/../../b", "a//b", "a/./b", "\0/a")
ODD_KEYS = (
    "a b", "ключ/ö.json", "100%", "%2e%2e/a", "a#b?c=d&e", "~x", "x:y", "name=value",
    "+", "日本/語", "🚂", "a'b\"c", "[a]*{b}", "...", "..a", "-", "deep/" * 20 + "a",
)  # fmt: skip
SORTED_KEYS = ("a", "a!/x", "a-b", "a.b/c", "a/b", "a/b.c", "a/b/c", "a0", "b", "é")


class ObjectsContract(ABC):
    """What holds for every store, seen by one process."""

    @abstractmethod
    def make_objects(self, folder: Path) -> Objects:
        """Open an empty store; ``folder`` is empty and may hold it."""

    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        return self.make_objects(tmp_path / "store")

    # -- put, get, head

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_what_was_put_is_got(
        self, objects: Objects, kind: Callable[[bytes], bytes | bytearray | memoryview]
    ) -> None:
        data = bytes(range(256)) * 700
        objects.put("a/b", kind(data))
        assert objects.get("a/b") == data

    def test_an_empty_object_is_an_object(self, objects: Objects) -> None:
        objects.put("a/empty", b"")
        assert objects.get("a/empty") == b""
        assert [info.size_bytes for info in objects.list("a/")] == [0]

    def test_a_buffer_may_be_used_again(self, objects: Objects) -> None:
        buffer = bytearray(b"first")
        objects.put("a", memoryview(buffer)[:3])
        buffer[:] = b"other"
        assert objects.get("a") == b"fir"

    def test_a_write_without_durability_is_read_at_once(self, objects: Objects) -> None:
        objects.put("a", b"1", durable=False)
        objects.put("b", b"2", create=True, durable=False)
        assert (objects.get("a"), objects.get("b")) == (b"1", b"2")

    def test_a_second_put_replaces(self, objects: Objects) -> None:
        objects.put("a", b"a longer first one")
        objects.put("a", b"second")
        assert objects.get("a") == b"second"
        assert [info.size_bytes for info in objects.list("")] == [6]

    def test_head_tells_size_and_time(self, objects: Objects) -> None:
        objects.put("a/b", b"12345")
        info = objects.head("a/b")
        assert info is not None
        assert (info.key, info.size_bytes) == ("a/b", 5)
        assert abs(info.modified_at - datetime.now(UTC)) < timedelta(minutes=10)
        assert list(objects.list("a/b")) == [info]

    @pytest.mark.parametrize("key", ["a", "a/b/c", "a/bc", "x", "a/b/c/d"])
    def test_what_is_not_there_is_missing(self, objects: Objects, key: str) -> None:
        """A folder, or a name below an object, is no object either."""
        objects.put("a/b", b"1")
        assert objects.head(key) is None
        with pytest.raises(ObjectMissing) as caught:
            objects.get(key)
        assert key in caught.value.message

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_odd_keys_come_back_as_they_are(self, objects: Objects, key: str) -> None:
        objects.put(f"runs/{key}", key.encode())
        assert objects.get(f"runs/{key}") == key.encode()
        assert [info.key for info in objects.list("runs/")] == [f"runs/{key}"]
        objects.delete(f"runs/{key}")
        assert list(objects.list("")) == []

    # -- create

    def test_create_refuses_a_key_that_is_taken(self, objects: Objects) -> None:
        objects.put("a", b"first", create=True)
        with pytest.raises(ObjectExists) as caught:
            objects.put("a", b"second", create=True)
        assert "a" in caught.value.message
        assert objects.get("a") == b"first"

    def test_create_refuses_a_large_body_as_well(self, objects: Objects) -> None:
        """A server may refuse it before it has read all, and hang up."""
        objects.put("a", b"first", create=True)
        for _ in range(3):
            with pytest.raises(ObjectExists):
                objects.put("a", bytes(8 << 20), create=True)

    def test_create_is_refused_after_a_put_and_allowed_after_a_delete(
        self, objects: Objects
    ) -> None:
        objects.put("a", b"first")
        with pytest.raises(ObjectExists):
            objects.put("a", b"second", create=True)
        objects.delete("a")
        objects.put("a", b"third", create=True)
        assert objects.get("a") == b"third"

    def test_one_thread_wins_a_race_to_create(self, objects: Objects) -> None:
        for turn in range(4):
            winners = race([objects] * RACERS, f"claims/{turn}")
            assert len(winners) == 1
            assert objects.get(f"claims/{turn}") == winners[0]

    # -- overwriting

    def test_a_reader_never_sees_a_torn_object(self, objects: Objects) -> None:
        versions = [bytes([number]) * (TORN_BYTES + number) for number in range(4)]
        objects.put("a", versions[0])
        is_over = threading.Event()

        def write() -> None:
            for turn in range(60):
                objects.put("a", versions[turn % 4], durable=False)
            is_over.set()

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while not is_over.is_set() and not writing.done():
                assert objects.get("a") in versions
            writing.result()

    # -- delete

    def test_delete_of_what_is_not_there_is_fine(self, objects: Objects) -> None:
        objects.put("a/b", b"1")
        for key in ("x", "a", "a/c", "a/b/c", "x/y/z"):
            objects.delete(key)
        assert objects.get("a/b") == b"1"

    def test_a_deleted_object_is_gone(self, objects: Objects) -> None:
        objects.put("a/b/c", b"1")
        objects.delete("a/b/c")
        objects.delete("a/b/c")
        assert objects.head("a/b/c") is None
        assert list(objects.list("")) == []
        assert list(objects.list_folders("a/")) == []

    def test_puts_and_deletes_of_neighbours_do_not_meet(self, objects: Objects) -> None:
        """Deleting the last object of a folder must not take the folder from under a put."""

        def work(name: int) -> None:
            for turn in range(25):
                objects.put(f"deep/er/{name}", b"%d" % turn, durable=False)
                assert objects.get(f"deep/er/{name}") == b"%d" % turn
                objects.delete(f"deep/er/{name}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert list(objects.list("")) == []

    # -- list

    def test_list_is_sorted_by_key(self, objects: Objects) -> None:
        put_all(objects, [key for key in reversed(SORTED_KEYS) if key not in ("a", "a/b")])
        expected = [key for key in SORTED_KEYS if key not in ("a", "a/b")]
        assert keys(objects, "") == expected

    @pytest.mark.parametrize(
        ("prefix", "found"),
        [
            ("runs/", ["runs/1/a", "runs/1/b", "runs/10/a", "runs/2/a"]),
            ("runs/1", ["runs/1/a", "runs/1/b", "runs/10/a"]),
            ("runs/1/", ["runs/1/a", "runs/1/b"]),
            ("runs/1/b", ["runs/1/b"]),
            ("ru", ["runs/1/a", "runs/1/b", "runs/10/a", "runs/2/a"]),
            ("runs/3", []),
            ("runs/1/b/", []),
            ("absent/folder/", []),
        ],
    )
    def test_a_prefix_may_end_inside_a_segment(
        self, objects: Objects, prefix: str, found: Sequence[str]
    ) -> None:
        put_all(objects, ["runs/10/a", "runs/1/b", "runs/2/a", "runs/1/a", "blobs/runs"])
        assert keys(objects, prefix) == found

    def test_list_begins_after_a_key(self, objects: Objects) -> None:
        put_all(objects, [f"e/{number:03d}" for number in range(20)])
        assert keys(objects, "e/", after="e/016") == ["e/017", "e/018", "e/019"]
        assert keys(objects, "e/", after="e/0165") == ["e/017", "e/018", "e/019"]
        assert keys(objects, "e/", after="e/019") == []
        assert len(keys(objects, "e/", after="a")) == 20

    def test_what_is_listed_may_be_deleted_meanwhile(self, objects: Objects) -> None:
        put_all(objects, [f"d/{number}/{number}" for number in range(10, 40)])
        for info in objects.list("d/"):
            objects.delete(info.key)
        assert keys(objects, "") == []

    def test_folders_are_listed_by_name(self, objects: Objects) -> None:
        put_all(objects, ["runs/b/spec", "runs/a/deep/spec", "runs/ab/x", "runs/file", "top"])
        assert list(objects.list_folders("runs/")) == ["a", "ab", "b"]
        assert list(objects.list_folders("runs/a/")) == ["deep"]
        assert list(objects.list_folders("runs/none/")) == []
        assert list(objects.list_folders("runs/file/")) == []
        assert list(objects.list_folders("")) == ["runs"]

    # -- nothing leads out

    @pytest.mark.parametrize("key", ESCAPES)
    def test_keys_that_lead_out_are_refused(self, objects: Objects, key: str) -> None:
        objects.put("a/b", b"1")
        verbs: list[Callable[[str], object]] = [
            lambda key: objects.put(key, b"2"),
            lambda key: objects.put(key, b"2", create=True),
            objects.get,
            objects.head,
            objects.delete,
        ]
        for verb in verbs:
            with pytest.raises(UnsafePath):
                verb(key)
        assert keys(objects, "") == ["a/b"]

    @pytest.mark.parametrize("prefix", ESCAPING_PREFIXES)
    def test_prefixes_that_lead_out_are_refused(self, objects: Objects, prefix: str) -> None:
        objects.put("a/b", b"1")
        with pytest.raises(UnsafePath):
            list(objects.list(prefix))
        with pytest.raises(UnsafePath):
            list(objects.list_folders(prefix.rstrip("/") + "/"))


class SharedObjectsContract(ObjectsContract):
    """For stores that can be opened more than once: all see one truth."""

    @abstractmethod
    def open_again(self, objects: Objects) -> Objects:
        """Open the same store once more, as another process would."""

    def test_what_one_wrote_the_other_reads(self, objects: Objects) -> None:
        other = self.open_again(objects)
        assert other is not objects
        objects.put("a/b", b"1", create=True)
        assert other.get("a/b") == b"1"
        with pytest.raises(ObjectExists):
            other.put("a/b", b"2", create=True)
        other.delete("a/b")
        assert objects.head("a/b") is None
        assert objects.url == other.url

    def test_one_of_many_openers_wins_a_race_to_create(self, objects: Objects) -> None:
        winners = race([self.open_again(objects) for _ in range(RACERS)], "claims/1")
        assert [objects.get("claims/1")] == winners


def race(stores: Sequence[Objects], key: str) -> list[bytes]:
    """Let each create the key at once with words of its own; return the words that won."""
    barrier = threading.Barrier(len(stores))

    def enter(number: int) -> bytes | None:
        words = b"%d " % number * 500
        barrier.wait()
        try:
            stores[number].put(key, words, create=True)
        except ObjectExists:
            return None
        return words

    with ThreadPoolExecutor(len(stores)) as pool:
        return [won for won in pool.map(enter, range(len(stores))) if won is not None]


def put_all(objects: Objects, wanted: Sequence[str]) -> None:
    for key in wanted:
        objects.put(key, key.encode(), durable=False)


def keys(objects: Objects, prefix: str, *, after: str = "") -> list[str]:
    return [info.key for info in objects.list(prefix, after=after)]
