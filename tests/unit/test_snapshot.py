"""Code as nodes and packs: what comes out equals what went in, or nothing gets out at all."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard
from msgspec.structs import replace

from runctl.errors import IntegrityError, RefusedError, SnapshotMismatch, UnsafePath
from runctl.model.checkpoint import Part
from runctl.model.codec import encode
from runctl.store.blobs import Blobs
from runctl.store.objects import ObjectInfo
from runctl.store.snapshot import (
    Entry,
    FileEntry,
    FolderEntry,
    LinkEntry,
    Memory,
    Node,
    Snapshot,
    break_seal,
    load_memory,
    read_leaves,
    read_snapshot,
    save_memory,
    stamp_of,
    take_snapshot,
    taking,
    unpack_snapshot,
)
from runctl.store.snapshot.memory import TICK_NS
from runctl.store.snapshot.packs import pack, unpack
from tests.records import SHA256, FakeClock
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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "pkg" / "empty").mkdir(parents=True)
    (root / "train.py").write_text("print('hello')\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "pkg" / "__init__.py").write_bytes(b"")
    (root / "latest").symlink_to("pkg/__init__.py")
    (root / "pkg" / "up").symlink_to("../train.py")
    return root


PATHS = ["train.py", "run.sh", "pkg/__init__.py", "pkg/empty", "latest", "pkg/up"]


def listing(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Every entry with its kind and mode, and its bytes or target."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(root.rglob("*")):
        name, mode = str(path.relative_to(root)), path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[name] = (0, str(path.readlink()))
        elif stat.S_ISREG(mode):
            found[name] = (stat.S_IMODE(mode), path.read_bytes())
        else:
            found[name] = (-1, b"")
    return found


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file(name: str, data: bytes = b"1", mode: int = 0o644) -> FileEntry:
    return FileEntry(name=name, mode=mode, size_bytes=len(data), sha256=sha(data))


def named(blobs: Blobs, *folders: tuple[str, Sequence[Entry]], count: int = 99) -> Snapshot:
    """A snapshot of folders, each by the name that stands in the one before it; "" is the root."""
    nodes: dict[str, bytes] = {}
    inner: tuple[Entry, ...] = ()
    for name, entries in reversed(folders):
        data = encode(Node(entries=(*entries, *inner)))
        nodes[sha(data)] = data
        inner = (FolderEntry(name=name, mode=0o755, sha256=sha(data)),)
    return Snapshot(
        root=sha(data),
        nodes=(blobs.put(pack(nodes)).part,),
        packs=(blobs.put(pack({sha(b"1"): b"1"})).part,),
        entry_count=count,
        total_bytes=99,
    )


def look(blobs: Blobs, project: Path, memory: Memory) -> taking.Taken:
    """Take a snapshot of files that were last changed a while ago."""
    return take_snapshot(blobs, project, PATHS, memory, lambda: 2**62)


def test_a_tree_comes_back_as_it_was(blobs: Blobs, project: Path, tmp_path: Path) -> None:
    taken = take_snapshot(blobs, project, PATHS)
    unpack_snapshot(blobs, read_snapshot(blobs, taken.record), tmp_path / "code")
    assert listing(tmp_path / "code") == listing(project)
    assert sorted(read_leaves(blobs, taken.record)) == sorted(PATHS)


def test_nothing_at_all_is_a_tree(blobs: Blobs, tmp_path: Path) -> None:
    unpack_snapshot(blobs, take_snapshot(blobs, tmp_path, []).snapshot, tmp_path / "code")
    assert list((tmp_path / "code").iterdir()) == []


def test_equal_code_has_an_equal_digest(blobs: Blobs, project: Path) -> None:
    first = take_snapshot(blobs, project, PATHS)
    os.utime(project / "train.py", (1, 1))
    again = take_snapshot(blobs, project, reversed(PATHS))
    assert again.snapshot.root == first.snapshot.root


@pytest.mark.parametrize("change", ["bytes", "mode", "link", "name"])
def test_any_change_changes_the_digest(blobs: Blobs, project: Path, change: str) -> None:
    first = take_snapshot(blobs, project, PATHS)
    paths = list(PATHS)
    if change == "bytes":
        (project / "train.py").write_text("print('hellp')\n")
    elif change == "mode":
        (project / "train.py").chmod(0o755)
    elif change == "link":
        (project / "latest").unlink()
        (project / "latest").symlink_to("train.py")
    else:
        (project / "train.py").rename(project / "main.py")
        paths[0] = "main.py"
    again = take_snapshot(blobs, project, paths, first.memory)
    assert again.snapshot.root != first.snapshot.root


def test_a_file_larger_than_a_pack_comes_in_pieces(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "PACK_BYTES", 7)
    data = os.urandom(30)
    (tmp_path / "large").write_bytes(data)
    taken = take_snapshot(blobs, tmp_path, ["large"])
    entry = read_leaves(blobs, taken.record)["large"]
    assert isinstance(entry, FileEntry)
    assert [piece.size_bytes for piece in entry.pieces] == [7, 7, 7, 7, 2]
    unpack_snapshot(blobs, taken.snapshot, tmp_path / "code")
    assert (tmp_path / "code" / "large").read_bytes() == data


def test_pieces_that_make_another_file_than_is_named_are_refused(
    blobs: Blobs, tmp_path: Path
) -> None:
    piece = Part(sha256=sha(b"1"), size_bytes=1)
    entry = FileEntry(name="l", mode=0o644, size_bytes=2, sha256=sha(b"12"), pieces=(piece, piece))
    with pytest.raises(SnapshotMismatch, match="l does not equal the snapshot"):
        unpack_snapshot(blobs, named(blobs, ("", [entry])), tmp_path / "code")


# -- what is remembered


def test_an_unchanged_tree_costs_one_request_and_reads_no_file(
    blobs: Blobs, objects: MemoryObjects, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = look(blobs, project, Memory())
    asked: list[str] = []
    answer = objects.head

    def count(key: str) -> ObjectInfo | None:
        asked.append(key)
        return answer(key)

    monkeypatch.setattr(objects, "head", count)
    monkeypatch.setattr(objects, "put", None)
    monkeypatch.setattr(objects, "get", None)
    monkeypatch.setattr(taking, "_opened", None)
    again = look(blobs, project, first.memory)
    assert (again.record, len(asked)) == (first.record, 1)


def test_a_change_sends_what_has_changed_alone(blobs: Blobs, project: Path) -> None:
    first = look(blobs, project, Memory())
    (project / "train.py").write_text("print('other')\n")
    again = look(blobs, project, first.memory)
    (added,) = set(again.snapshot.packs) - set(first.snapshot.packs)
    assert [sha256 for sha256, _ in unpack(blobs.get(added))] == [sha(b"print('other')\n")]
    assert set(first.snapshot.packs) <= set(again.snapshot.packs)


@pytest.mark.parametrize(("since_ns", "is_read"), [(0, True), (TICK_NS, True), (2**62, False)])
def test_a_file_edited_in_the_tick_of_its_reading_is_read_anew(
    blobs: Blobs, project: Path, since_ns: int, is_read: bool
) -> None:
    """An edit that no time tells of: the file looks as it did when other bytes were read."""
    first = look(blobs, project, Memory())
    (project / "train.py").write_text("print('hellp')\n")
    stamp = stamp_of((project / "train.py").stat())
    changed_ns = max(stamp.modified_ns, stamp.changed_ns)
    alike = replace(first.memory.files["train.py"], stamp=stamp, read_ns=changed_ns + since_ns)
    memory = replace(first.memory, files={**first.memory.files, "train.py": alike})
    again = take_snapshot(blobs, project, PATHS, memory)
    entry = read_leaves(blobs, again.record)["train.py"]
    assert isinstance(entry, FileEntry)
    assert (entry.sha256 == sha(b"print('hellp')\n")) is is_read


@pytest.mark.parametrize("age", [timedelta(hours=7), timedelta(hours=13), timedelta(days=3)])
def test_old_packs_are_sent_again_before_they_are_relied_on(
    blobs: Blobs, clock: FakeClock, objects: MemoryObjects, project: Path, age: timedelta
) -> None:
    first = look(blobs, project, Memory())
    clock.now += age
    again = look(blobs, project, first.memory)
    blobs.sweep(())  # as if no run named it yet
    for part in (again.record, *again.snapshot.nodes, *again.snapshot.packs):
        info = objects.head(f"blobs/{part.sha256}")
        assert info is not None
        assert clock.now - info.modified_at < timedelta(hours=12)


def test_a_damaged_pack_is_mended_once_its_seal_is_broken(
    blobs: Blobs, objects: MemoryObjects, project: Path, tmp_path: Path
) -> None:
    first = look(blobs, project, Memory())
    objects.damage(f"blobs/{first.snapshot.packs[0].sha256}", b"rotten")
    break_seal(blobs, first.record)
    again = look(blobs, project, first.memory)
    unpack_snapshot(blobs, read_snapshot(blobs, again.record), tmp_path / "code")
    assert listing(tmp_path / "code") == listing(project)


def test_what_is_remembered_may_be_lost(blobs: Blobs, project: Path, tmp_path: Path) -> None:
    memory = look(blobs, project, Memory()).memory
    save_memory(tmp_path / "deep" / "memory", memory)
    assert load_memory(tmp_path / "deep" / "memory") == memory
    for damage in (b"", b"\xff", b"\x80garbage"):
        (tmp_path / "deep" / "memory").write_bytes(damage)
        assert load_memory(tmp_path / "deep" / "memory") == Memory()
    assert load_memory(tmp_path / "nowhere") == Memory()


# -- damage


def test_a_damaged_pack_names_a_file(
    blobs: Blobs, objects: MemoryObjects, project: Path, tmp_path: Path
) -> None:
    taken = take_snapshot(blobs, project, ["train.py"])
    key = f"blobs/{taken.snapshot.packs[0].sha256}"
    whole = objects.get(key)
    for turn, damaged in enumerate((b"", whole[:-1], b"x" + whole[1:], None)):
        if damaged is None:
            objects.delete(key)
        else:
            objects.damage(key, damaged)
        with pytest.raises(SnapshotMismatch, match=r"train\.py"):
            unpack_snapshot(blobs, taken.snapshot, tmp_path / f"code-{turn}")


@pytest.mark.parametrize("data", [
    b"", b"x", zstandard.compress(b""), zstandard.compress(b"\0\0\0\1"),
    zstandard.compress(bytes(64 << 20)), pack({SHA256: b"1"}),
], ids=["empty", "no-frame", "no-count", "no-index", "bomb", "other-bytes"])  # fmt: skip
def test_what_is_no_pack_is_refused(data: bytes) -> None:
    with pytest.raises(SnapshotMismatch):
        list(unpack(data))


def test_a_record_without_a_blob_behind_it_is_missing(blobs: Blobs) -> None:
    with pytest.raises(IntegrityError, match=SHA256):
        read_snapshot(blobs, Part(sha256=SHA256, size_bytes=7))


# -- nothing leads out


@pytest.mark.parametrize("name", ["../x", "/tmp/runctl-x", "a/x", "..", ".", "", "a\0"])
def test_a_name_that_leads_out_is_refused_before_anything_is_written(
    blobs: Blobs, tmp_path: Path, name: str
) -> None:
    folder = FolderEntry(name=name, mode=0o755, sha256=SHA256)
    for entry in (file(name), LinkEntry(name=name, target="x"), folder):
        with pytest.raises(UnsafePath):
            unpack_snapshot(blobs, named(blobs, ("", [file("good"), entry])), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("entries", [
    [file("a"), file("a")],
    [file("a"), LinkEntry(name="a", target="b")],
    [FolderEntry(name="a", mode=0o755, sha256=SHA256)],
], ids=["twice", "file-and-link", "no-node"])  # fmt: skip
def test_a_tree_that_cannot_be_is_refused_before_anything_is_written(
    blobs: Blobs, tmp_path: Path, entries: Sequence[Entry]
) -> None:
    with pytest.raises(SnapshotMismatch):
        unpack_snapshot(blobs, named(blobs, ("", entries)), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


def test_more_than_is_named_is_refused_before_anything_is_written(
    blobs: Blobs, tmp_path: Path
) -> None:
    """A node may stand in many places, so that few of them are a tree without end."""
    entries = [file(str(number)) for number in range(10)]
    with pytest.raises(SnapshotMismatch, match="more than the 5 entries"):
        unpack_snapshot(blobs, named(blobs, ("", entries), count=5), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../x", "a/../../x", "/"])
def test_a_link_that_leads_out_is_refused(blobs: Blobs, tmp_path: Path, target: str) -> None:
    snapshot = named(blobs, ("", [LinkEntry(name="l", target=target)]))
    with pytest.raises(UnsafePath, match="link"):
        unpack_snapshot(blobs, snapshot, tmp_path / "code")
    assert listing(tmp_path / "code") == {}


def test_links_that_lead_out_only_together_are_refused(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    links = [LinkEntry(name="z", target="d/up/../outside/x")]
    snapshot = named(blobs, ("", links), ("d", [LinkEntry(name="up", target="..")]))
    with pytest.raises(UnsafePath, match="leads out"):
        unpack_snapshot(blobs, snapshot, tmp_path / "code")
    assert not (tmp_path / "code" / "z").is_symlink()


def test_links_that_stay_inside_are_kept(blobs: Blobs, tmp_path: Path) -> None:
    links = [LinkEntry(name="here", target="."), LinkEntry(name="dangling", target="pkg/absent")]
    inside: list[Entry] = [file("mod"), LinkEntry(name="up", target="../here/pkg/mod")]
    unpack_snapshot(blobs, named(blobs, ("", links), ("pkg", inside)), tmp_path / "code")
    assert (tmp_path / "code" / "pkg" / "up").read_bytes() == b"1"
    assert (tmp_path / "code" / "dangling").is_symlink()


def test_no_tree_sets_more_than_permissions(blobs: Blobs, tmp_path: Path) -> None:
    unpack_snapshot(blobs, named(blobs, ("", [file("a", mode=0o6755)])), tmp_path / "code")
    assert stat.S_IMODE((tmp_path / "code" / "a").stat().st_mode) == 0o755


def test_what_is_there_is_never_written_over(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / "code" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        unpack_snapshot(blobs, named(blobs, ("", [file("a")])), tmp_path / "code")
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"


def test_a_file_that_cannot_be_read_is_refused_by_name(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "private").write_text("x")

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(taking, "open", refuse, raising=False)
    with pytest.raises(RefusedError, match="private cannot be read") as caught:
        take_snapshot(blobs, tmp_path, ["private"])
    assert caught.value.hint is not None
    assert "--exclude-pattern '/private'" in caught.value.hint
