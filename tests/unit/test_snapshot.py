"""Code as a tree and packs: what comes out equals what went in, or nothing gets out at all."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from runctl.errors import IntegrityError, RefusedError, SnapshotMismatch, UnsafePath
from runctl.model.codec import encode
from runctl.store import snapshot
from runctl.store.blobs import Blobs
from runctl.store.snapshot import (
    Entry,
    Tree,
    TreeFile,
    TreeFolder,
    TreeLink,
    read_tree,
    store_tree,
    unpack_tree,
)
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


def named_tree(blobs: Blobs, *entries: Entry, data: bytes = b"") -> Tree:
    return Tree(entries=entries, packs=(blobs.put(data).part,) if data else ())


def file(path: str, data: bytes, **changes: object) -> TreeFile:
    sha256 = hashlib.sha256(data).hexdigest()
    made = TreeFile(path=path, mode=0o644, size_bytes=len(data), sha256=sha256)
    return msgspec.structs.replace(made, **changes)


def test_a_tree_comes_back_as_it_was(blobs: Blobs, project: Path, tmp_path: Path) -> None:
    part, tree = store_tree(blobs, project, PATHS)
    assert read_tree(blobs, part.sha256, part.size_bytes) == tree
    unpack_tree(blobs, tree, tmp_path / "code")
    assert listing(tmp_path / "code") == listing(project)


def test_what_is_not_named_does_not_travel(blobs: Blobs, project: Path, tmp_path: Path) -> None:
    _, tree = store_tree(blobs, project, ["run.sh"])
    unpack_tree(blobs, tree, tmp_path / "code")
    assert list(listing(tmp_path / "code")) == ["run.sh"]


def test_equal_code_has_an_equal_digest(blobs: Blobs, project: Path) -> None:
    first, _ = store_tree(blobs, project, PATHS)
    os.utime(project / "train.py", (1, 1))
    assert store_tree(blobs, project, reversed(PATHS))[0] == first


@pytest.mark.parametrize("change", ["bytes", "mode", "link", "name"])
def test_any_change_changes_the_digest(blobs: Blobs, project: Path, change: str) -> None:
    first, _ = store_tree(blobs, project, PATHS)
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
    assert store_tree(blobs, project, paths)[0] != first


def test_files_cross_the_borders_of_packs(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "PACK_BYTES", 7)
    root = tmp_path / "project"
    root.mkdir()
    for size in (0, 1, 6, 7, 8, 30):
        (root / f"{size:02d}").write_bytes(os.urandom(size))
    _, tree = store_tree(blobs, root, os.listdir(root))
    assert [part.size_bytes for part in tree.packs] == [7] * 7 + [3]
    assert tree.total_bytes == 52
    unpack_tree(blobs, tree, tmp_path / "code")
    assert listing(tmp_path / "code") == listing(root)


def test_odd_names_come_back(blobs: Blobs, tmp_path: Path) -> None:
    names = ["new\nline", "it's", 'a"b', "back\\slash", os.fsdecode(b"\xff\xfe"), "ö", "-rf", " "]
    (tmp_path / "project").mkdir()
    for name in names:
        (tmp_path / "project" / name).write_text(name, errors="surrogateescape")
    (tmp_path / "project" / "link").symlink_to(names[4])
    part, _ = store_tree(blobs, tmp_path / "project", [*names, "link"])
    unpack_tree(blobs, read_tree(blobs, part.sha256, part.size_bytes), tmp_path / "code")
    assert listing(tmp_path / "code") == listing(tmp_path / "project")


# -- damage


def test_a_damaged_pack_is_named(
    blobs: Blobs, objects: MemoryObjects, project: Path, tmp_path: Path
) -> None:
    _, tree = store_tree(blobs, project, PATHS)
    key = f"blobs/{tree.packs[0].sha256}"
    whole = objects.get(key)
    for turn, damaged in enumerate((b"", whole[:-1], b"x" + whole[1:])):
        objects.damage(key, damaged)
        with pytest.raises(IntegrityError, match=tree.packs[0].sha256):
            unpack_tree(blobs, tree, tmp_path / f"code-{turn}")
    objects.delete(key)
    with pytest.raises(IntegrityError, match=tree.packs[0].sha256):
        unpack_tree(blobs, tree, tmp_path / "code")


def test_a_damaged_tree_is_never_read(blobs: Blobs, objects: MemoryObjects, project: Path) -> None:
    part, tree = store_tree(blobs, project, PATHS)
    objects.damage(f"blobs/{part.sha256}", encode(tree).replace(b"train.py", b"brain.py"))
    with pytest.raises(IntegrityError):
        read_tree(blobs, part.sha256, part.size_bytes)


@pytest.mark.parametrize("data", [b"other", b"code2", b""])
def test_a_file_that_does_not_equal_its_digest_is_named(
    blobs: Blobs, tmp_path: Path, data: bytes
) -> None:
    entry = file("train.py", b"code!")
    tree = named_tree(blobs, entry, data=data)
    with pytest.raises(SnapshotMismatch) as caught:
        unpack_tree(blobs, tree, tmp_path / "code")
    assert "train.py" in caught.value.message or "packs" in caught.value.message
    assert not (tmp_path / "code" / "train.py").exists()


# -- nothing leads out


@pytest.mark.parametrize("path", ["../x", "/tmp/runctl-x", "a/../../x", "..", "", "a//x", "a\0"])
def test_a_path_that_leads_out_is_refused_before_anything_is_written(
    blobs: Blobs, tmp_path: Path, path: str
) -> None:
    for entry in (file(path, b"1"), TreeLink(path=path, target="x"), TreeFolder(path=path, mode=1)):
        tree = named_tree(blobs, file("good", b"1"), entry, data=b"11")
        with pytest.raises(UnsafePath):
            unpack_tree(blobs, tree, tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../x", "a/../../x", "../code2/x", "/"])
def test_a_link_that_leads_out_is_refused(blobs: Blobs, tmp_path: Path, target: str) -> None:
    with pytest.raises(UnsafePath, match="link"):
        unpack_tree(blobs, named_tree(blobs, TreeLink(path="l", target=target)), tmp_path / "code")
    assert listing(tmp_path / "code") == {}


HOSTILE: list[Sequence[Entry]] = [
    # a file through a link
    [TreeLink(path="a", target="b"), file("a/x", b"1")],
    [TreeLink(path="a", target="../outside"), file("a/x", b"1")],
    # the same, the link sorted last
    [file("a/x", b"1"), TreeLink(path="a", target="/tmp")],
    # a link through a link
    [TreeLink(path="a", target="b"), TreeLink(path="a/x", target="y")],
    # a folder through a link
    [TreeLink(path="a", target="../outside"), TreeFolder(path="a/x", mode=0o755)],
    # links that lead out only together
    [
        TreeFolder(path="deep/er", mode=0o755),
        TreeLink(path="root", target="deep/er/up"),
        TreeLink(path="deep/up", target=".."),
        TreeLink(path="esc", target="deep/up/../outside"),
    ],
    [
        TreeFolder(path="d/e", mode=0o755),
        TreeLink(path="d/up", target=".."),
        TreeLink(path="z", target="d/up/../outside/x"),
    ],
]


@pytest.mark.parametrize("entries", HOSTILE)
def test_links_are_no_way_out(blobs: Blobs, tmp_path: Path, entries: Sequence[Entry]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tree = named_tree(blobs, *entries, data=b"1")
    with pytest.raises(UnsafePath):
        unpack_tree(blobs, tree, tmp_path / "code")
    assert list(outside.iterdir()) == []
    code = tmp_path / "code"
    assert all(Path(os.path.realpath(path)).is_relative_to(code) for path in code.rglob("*"))


def test_links_that_stay_inside_are_kept(blobs: Blobs, tmp_path: Path) -> None:
    tree = named_tree(
        blobs,
        file("pkg/mod.py", b"1"),
        TreeLink(path="current", target="pkg"),
        TreeLink(path="dangling", target="pkg/absent"),
        TreeLink(path="here", target="."),
        TreeLink(path="pkg/up", target="../current/mod.py"),
        data=b"1",
    )
    unpack_tree(blobs, tree, tmp_path / "code")
    assert (tmp_path / "code" / "pkg" / "up").read_bytes() == b"1"
    assert (tmp_path / "code" / "dangling").is_symlink()


def test_a_loop_of_links_is_harmless(blobs: Blobs, tmp_path: Path) -> None:
    tree = named_tree(blobs, TreeLink(path="a", target="b"), TreeLink(path="b", target="a"))
    unpack_tree(blobs, tree, tmp_path / "code")
    assert (tmp_path / "code" / "a").is_symlink()


@pytest.mark.parametrize("entries", [
    [file("a", b"1"), file("a", b"2")],
    [file("a", b"1"), TreeLink(path="a", target="b")],
    [file("a", b"1"), file("a/b", b"2")],
])  # fmt: skip
def test_two_entries_in_one_place_are_refused(
    blobs: Blobs, tmp_path: Path, entries: Sequence[Entry]
) -> None:
    with pytest.raises(IntegrityError):
        unpack_tree(blobs, named_tree(blobs, *entries, data=b"12"), tmp_path / "code")
    assert not (tmp_path / "code").exists()


def test_no_tree_sets_more_than_permissions(blobs: Blobs, tmp_path: Path) -> None:
    tree = named_tree(blobs, file("a", b"1", mode=0o6755), data=b"1")
    unpack_tree(blobs, tree, tmp_path / "code")
    assert stat.S_IMODE((tmp_path / "code" / "a").stat().st_mode) == 0o755


def test_what_is_there_is_never_written_over(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / "code" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        unpack_tree(blobs, named_tree(blobs, file("a", b"1"), data=b"1"), tmp_path / "code")
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"


def test_a_record_without_a_blob_behind_it_is_missing(blobs: Blobs) -> None:
    with pytest.raises(IntegrityError, match=SHA256):
        read_tree(blobs, SHA256, 7)


def test_a_file_that_cannot_be_read_is_refused_by_name(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "private").write_text("x")

    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(RefusedError, match="private cannot be read") as caught:
        store_tree(blobs, tmp_path, ["private"])
    assert caught.value.hint is not None
    assert "--exclude-pattern '/private'" in caught.value.hint
