"""A local folder as a store: in which order bytes reach the disk, and what a full one leaves."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from runctl.errors import ObjectExists
from runctl.store.folder import FolderObjects


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def objects(root: Path) -> FolderObjects:
    return FolderObjects(root)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that decide what survives a power loss, in their order."""
    calls: list[str] = []

    def watch(name: str) -> None:
        real = getattr(os, name)

        def noted(*arguments: object, **named: object) -> object:
            told = name
            if name == "fsync":
                mode = os.fstat(arguments[0]).st_mode  # type: ignore[arg-type]
                told = "fsync folder" if stat.S_ISDIR(mode) else "fsync file"
            calls.append(told)
            return real(*arguments, **named)

        monkeypatch.setattr(os, name, noted)

    for name in ("write", "fsync", "replace", "link", "mkdir"):
        watch(name)
    return calls


def test_a_durable_put_syncs_file_then_publishes_then_syncs_folder(
    objects: FolderObjects, calls: list[str]
) -> None:
    objects.put("a", b"1")
    calls.clear()
    objects.put("a", b"2")
    assert calls == ["write", "fsync file", "replace", "fsync folder"]


def test_a_durable_create_syncs_file_then_links_then_syncs_folder(
    objects: FolderObjects, calls: list[str]
) -> None:
    objects.put("a", b"1")
    calls.clear()
    objects.put("b", b"2", create=True)
    assert calls == ["write", "fsync file", "link", "fsync folder"]


def test_new_folders_are_synced_into_their_parents(
    objects: FolderObjects, root: Path, calls: list[str]
) -> None:
    root.mkdir()
    calls.clear()
    objects.put("a/b/c", b"1")
    assert calls == [
        *["mkdir", "fsync folder"] * 2,
        *["write", "fsync file", "replace", "fsync folder"],
    ]


def test_a_put_that_need_not_be_durable_syncs_its_bytes_and_not_its_name(
    objects: FolderObjects, calls: list[str]
) -> None:
    objects.put("a", b"1")
    calls.clear()
    objects.put("b", b"1", durable=False)
    objects.put("c", b"1", durable=False, create=True)
    assert calls == ["write", "fsync file", "replace", "write", "fsync file", "link"]


@pytest.mark.parametrize("is_create", [True, False])
@pytest.mark.parametrize("written", [0, 5])
def test_a_full_disk_leaves_nothing(
    objects: FolderObjects,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_create: bool,
    written: int,
) -> None:
    objects.put("runs/kept", b"kept")
    write, left = os.write, [written]

    def write_until_full(descriptor: int, data: bytes) -> int:
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, bytes(data[: left.pop()]))

    if written == 0:
        left.clear()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write_until_full)
        with pytest.raises(OSError, match="No space left"):
            objects.put("runs/new", b"much too long", create=is_create)
    assert files(root) == ["runs/kept"]
    assert objects.head("runs/new") is None
    objects.put("runs/new", b"now there is room", create=True)


@pytest.mark.parametrize("is_create", [True, False])
def test_a_disk_that_cannot_sync_leaves_nothing(
    objects: FolderObjects, root: Path, monkeypatch: pytest.MonkeyPatch, is_create: bool
) -> None:
    objects.put("runs/kept", b"kept")

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            objects.put("runs/new", b"1", create=is_create)
        with pytest.raises(OSError, match="Input/output"):
            objects.put("runs/kept", b"2")
    assert files(root) == ["runs/kept"]
    assert objects.get("runs/kept") == b"kept"


def test_a_short_write_is_gone_on_with(
    objects: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
        objects.put("a", b"0123456789")
    assert objects.get("a") == b"0123456789"


def test_a_refused_create_leaves_no_temporary_file(objects: FolderObjects, root: Path) -> None:
    objects.put("runs/a", b"1")
    with pytest.raises(ObjectExists):
        objects.put("runs/a", b"2", create=True)
    assert files(root) == ["runs/a"]


def test_what_a_killed_writer_left_is_not_listed(objects: FolderObjects, root: Path) -> None:
    objects.put("runs/a", b"1")
    (root / "runs" / ".tmp-0123456789abcdef").write_bytes(b"half")
    assert [info.key for info in objects.list("")] == ["runs/a"]
    assert [info.key for info in objects.list("runs/.tmp-")] == []


def test_only_the_owner_can_read_it(objects: FolderObjects, root: Path) -> None:
    """Logs and code may hold what is nobody else's business."""
    objects.put("runs/a", b"1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")]}
    assert modes == {"store": 0o700, "runs": 0o700, "a": 0o600}


def test_an_emptied_folder_goes_and_the_root_stays(objects: FolderObjects, root: Path) -> None:
    objects.put("a/b/c", b"1")
    objects.put("a/d", b"1")
    objects.delete("a/b/c")
    assert sorted(path.name for path in root.rglob("*")) == ["a", "d"]
    objects.delete("a/d")
    assert root.is_dir()
    assert list(root.iterdir()) == []


def test_a_store_that_is_not_there_yet_is_empty(objects: FolderObjects, root: Path) -> None:
    assert list(objects.list("")) == []
    assert list(objects.list_folders("runs/")) == []
    assert objects.head("a") is None
    objects.delete("a")
    assert not root.exists()


def test_a_pipe_in_the_place_of_an_object_holds_nobody_up(
    objects: FolderObjects, root: Path
) -> None:
    objects.put("a", b"1")
    os.mkfifo(root / "pipe")
    assert objects.get("pipe") == b""
