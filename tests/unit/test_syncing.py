"""A folder held to a project: both sides in one process, over a pipe that the tests can cut."""

from __future__ import annotations

import ast
import fcntl
import hashlib
import io
import marshal
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from runctl.agent import receiving
from runctl.engine.syncing.memory import Memory
from runctl.engine.syncing.moving import Mirror, Place
from runctl.engine.syncing.watching import watch
from runctl.errors import (
    CapacityError,
    ConflictError,
    RunctlError,
    SnapshotMismatch,
    TransportError,
    TryAgain,
    UnsafePath,
)
from runctl.model.sync import Synced
from runctl.project import select_files
from tests.unit.test_architecture import imports

SHA = hashlib.sha256(b"x").hexdigest()


class Wire:
    """A transport whose other end is the receiver itself. It is cut after ``limit_bytes``."""

    is_live = False

    def __init__(self) -> None:
        self.count = 0
        self.limit_bytes: int | None = None
        self.change: Callable[[bytes], bytes] = bytes
        self.is_lost = False

    def stream(
        self, argv: Sequence[str], stdin: BinaryIO | None, stdout: BinaryIO
    ) -> tuple[int, bytes]:
        assert stdin is not None
        self.count += 1
        if self.is_lost:
            raise TransportError("the wire is lost")
        data = b"".join(iter(lambda: stdin.read(1 << 16), b""))
        start = io.BytesIO(self.change(data[: self.limit_bytes]))
        start.read(int(start.readline()))
        answer = receiving.receive(io.BufferedReader(start))
        stdout.write(b"unsure zstd all\n")
        stdout.write(zlib.compress(receiving.in_json(answer).encode()))
        return 0, b""


class Scene:
    def __init__(self, folder: Path) -> None:
        self.here, self.there, self.wire = folder / "project", folder / "there", Wire()
        self.cache = folder / "cache"
        self.here.mkdir()
        self.write("train.py", "print(1)\n")
        self.write("pkg/model.py", "m = 1\n" * 500)
        self.write("pkg/deep/er.py", "")
        (self.here / "pkg/empty").mkdir()
        (self.here / "link.py").symlink_to("pkg/model.py")
        (self.here / "train.py").chmod(0o755)

    def write(self, path: str, text: str) -> None:
        place = self.here / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        os.utime(place, (1e9, 1e9 + self.wire.count))

    def mirror(self, **options: Any) -> Mirror:
        place = Place(self.wire, "i-1", "box", str(self.there), **options)
        return Mirror(
            place, self.here, self.cache, lambda: select_files(self.here), lambda _all, _new: None
        )

    def sync(self, **options: Any) -> Synced:
        return self.mirror(**options).once()

    def difference(self) -> set[object]:
        return {*shape(self.here).items()} ^ {*shape(self.there).items()}


def shape(root: Path) -> dict[str, tuple[str, int, bytes | str]]:
    found: dict[str, tuple[str, int, bytes | str]] = {}
    for at, folders, files in os.walk(root):
        if receiving.PLACE in folders:
            folders.remove(receiving.PLACE)
        for name in (*folders, *files):
            path = Path(at, name)
            key = str(path.relative_to(root))
            mode = path.lstat().st_mode & 0o777
            if path.is_symlink():
                found[key] = ("link", 0, os.readlink(path))
            else:
                found[key] = ("is", mode, path.read_bytes() if path.is_file() else "")
    return found


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_every_file_folder_mode_and_link_arrives(scene: Scene) -> None:
    synced = scene.sync()
    assert scene.difference() == set()
    assert set(synced.changed) == set(shape(scene.here))
    assert synced.file_count == 4


def test_an_unchanged_tree_takes_one_exchange_and_the_size_of_the_receiver(scene: Scene) -> None:
    scene.sync()
    scene.wire.count = 0
    synced = scene.sync()
    assert (synced.changed, synced.removed, scene.wire.count) == ((), (), 1)
    assert synced.sent_bytes < len(zlib.compress(Path(receiving.__file__).read_bytes(), 9)) + 400


def test_what_has_changed_goes_in_one_exchange_and_no_more(scene: Scene) -> None:
    noise = os.urandom(200_000).hex()
    scene.write("big.txt", noise)
    scene.sync()
    scene.wire.count = 0
    (scene.here / "big.txt").rename(scene.here / "pkg/moved.txt")
    (scene.here / "pkg/deep/er.py").unlink()
    (scene.here / "pkg/deep").rmdir()
    (scene.here / "train.py").chmod(0o644)
    (scene.here / "link.py").unlink()
    (scene.here / "link.py").symlink_to("train.py")
    scene.write("pkg/model.py", "m = 2\n")
    synced = scene.sync()
    assert scene.difference() == set()
    assert set(synced.changed) == {"pkg/moved.txt", "train.py", "link.py", "pkg/model.py"}
    assert set(synced.removed) == {"big.txt", "pkg/deep", "pkg/deep/er.py"}
    assert scene.wire.count == 1
    assert synced.sent_bytes < 9000  # the moved file's 400,000 bytes were there


def test_a_file_becomes_a_folder_and_back(scene: Scene) -> None:
    scene.sync()
    (scene.here / "train.py").unlink()
    scene.write("train.py/inner.py", "1")
    scene.sync()
    assert scene.difference() == set()
    (scene.here / "train.py/inner.py").unlink()
    (scene.here / "train.py").rmdir()
    (scene.here / "train.py").symlink_to("pkg")
    scene.sync()
    assert scene.difference() == set()


def test_names_that_are_no_utf8_and_contents_that_are_equal(scene: Scene) -> None:
    for name in (b"caf\xe9.txt", b"new\nline", b"'quoted' \"twice\"", b" "):
        with open(os.path.join(os.fsencode(scene.here), name), "wb") as file:
            file.write(b"the same")
    scene.sync()
    assert scene.difference() == set()


def test_what_no_sync_brought_is_never_touched(scene: Scene) -> None:
    scene.there.mkdir()
    (scene.there / "outputs").mkdir()
    (scene.there / "outputs/result").write_text("mine")
    scene.sync()
    (scene.there / "pkg/deep/made.pyc").write_text("mine too")
    (scene.here / "pkg/deep/er.py").unlink()
    (scene.here / "pkg/deep").rmdir()
    scene.sync()
    assert (scene.there / "outputs/result").read_text() == "mine"
    assert (scene.there / "pkg/deep/made.pyc").read_text() == "mine too"
    assert not (scene.there / "pkg/deep/er.py").exists()


@pytest.mark.parametrize("is_synced", [False, True])
def test_what_was_written_there_is_a_conflict_unless_forced(scene: Scene, is_synced: bool) -> None:
    if is_synced:
        scene.sync()
    else:
        scene.there.mkdir()
    (scene.there / "train.py").write_text("edited there")
    scene.write("pkg/model.py", "m = 3\n")
    before = shape(scene.there)
    with pytest.raises(ConflictError, match=r"train\.py in .* was written there") as raised:
        scene.sync()
    assert "--force" in str(raised.value.hint)
    assert shape(scene.there) == before
    scene.sync(is_forced=True)
    assert scene.difference() == set()


def test_a_file_deleted_here_and_edited_there_is_a_conflict(scene: Scene) -> None:
    scene.sync()
    (scene.there / "train.py").write_text("edited there")
    (scene.here / "train.py").unlink()
    with pytest.raises(ConflictError):
        scene.sync()
    assert (scene.there / "train.py").read_text() == "edited there"


def test_a_folder_with_files_of_its_own_is_not_replaced_even_by_force(scene: Scene) -> None:
    (scene.there / "train.py").mkdir(parents=True)
    (scene.there / "train.py/mine").write_text("mine")
    with pytest.raises(ConflictError, match="a folder with files of its own"):
        scene.sync(is_forced=True)
    assert [path.name for path in scene.there.iterdir() if path.name != receiving.PLACE] == [
        "train.py"
    ]


def test_an_equal_file_is_taken_over(scene: Scene) -> None:
    scene.there.mkdir()
    (scene.there / "train.py").write_text("print(1)\n")
    scene.sync()
    assert scene.difference() == set()


def test_what_is_missing_there_is_brought_again(scene: Scene) -> None:
    scene.sync()
    (scene.there / "pkg/model.py").unlink()
    assert scene.sync().changed == ("pkg/model.py",)
    assert scene.difference() == set()


def test_another_project_does_not_take_its_place(scene: Scene, tmp_path: Path) -> None:
    scene.sync()
    scene.here = scene.here.rename(tmp_path / "another")
    with pytest.raises(ConflictError, match="holds another project, project"):
        scene.sync()


def test_a_laptop_that_remembers_nothing_sends_what_is_missing(scene: Scene) -> None:
    scene.sync()
    scene.cache = scene.cache.with_name("new")
    scene.write("train.py", "print(2)\n")
    (scene.here / "train.py").chmod(0o755)
    assert scene.sync().changed == ("train.py",)
    assert scene.difference() == set()


def test_a_memory_that_is_wrong_costs_one_more_exchange(scene: Scene) -> None:
    scene.sync()
    kept = next((scene.cache / "sync").iterdir())
    remembered = kept.read_bytes()
    scene.write("train.py", "print(2)\n")
    scene.sync()
    kept.write_bytes(remembered)
    scene.write("train.py", "print(3)\n")
    scene.wire.count = 0
    scene.sync()
    assert scene.wire.count == 2
    assert scene.difference() == set()
    kept.write_bytes(b"\0damaged")
    assert Memory.load(kept) == Memory()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_cut_changes_nothing_and_what_arrived_is_not_sent_again(
    scene: Scene, share: float
) -> None:
    for number in range(20):
        scene.write(f"data/{number}", os.urandom(50_000).hex())
    scene.sync()
    sizes = 20 * 50_000
    for number in range(20):
        scene.write(f"data/{number}", os.urandom(50_000).hex())
    before = shape(scene.there)
    scene.wire.limit_bytes = int(sizes * share)
    with pytest.raises(TransportError, match="cut"):
        scene.sync()
    assert shape(scene.there) == before
    scene.wire.limit_bytes = None
    synced = scene.sync()
    assert scene.difference() == set()
    assert synced.sent_bytes < sizes * (1.1 - share) + 70_000
    assert list((scene.there / receiving.PLACE / "staged").iterdir()) == []


@pytest.mark.parametrize("step", range(1, 12))
def test_a_receiver_that_is_killed_is_taken_up_at_any_step(
    scene: Scene, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.sync()
    for path in ("train.py", "pkg/model.py", "new/one.py", "new/two.py"):
        scene.write(path, f"changed {path}")
    scene.write("new/three.py", "changed new/one.py")
    (scene.here / "pkg/deep/er.py").unlink()
    (scene.here / "link.py").unlink()
    left = iter(range(step))
    for name in ("rename", "replace", "unlink", "mkdir"):
        monkeypatch.setattr(os, name, _dying(getattr(os, name), left))
    try:
        scene.sync()
    except BaseException as error:  # noqa: BLE001 - whatever a kill looks like
        assert isinstance(error, Killed | RunctlError)  # noqa: PT017
    monkeypatch.undo()
    for path, (_, _, data) in shape(scene.there).items():
        assert data in ("", b"") or path == "link.py" or data in _whole(scene, path)
    scene.sync()
    assert scene.difference() == set()


class Killed(BaseException):
    pass


def _dying(real: Callable[..., Any], left: Iterator[int]) -> Callable[..., Any]:
    def act(*words: Any, **options: Any) -> Any:
        if receiving.PLACE not in str(words) and "there" not in str(words):
            return real(*words, **options)
        if next(left, None) is None:
            raise Killed
        return real(*words, **options)

    return act


def _whole(scene: Scene, path: str) -> list[object]:
    """All contents that a file may have: never a part of one."""
    place = scene.here / path
    now = [place.read_bytes()] if place.is_file() else []
    return [*now, b"print(1)\n", b"m = 1\n" * 500]


def test_what_arrives_damaged_changes_nothing(scene: Scene) -> None:
    scene.write("data.bin", os.urandom(3000).hex())
    scene.sync()
    before = shape(scene.there)
    scene.write("data.bin", os.urandom(3000).hex())
    scene.wire.change = lambda data: data[:-1500] + bytes([data[-1500] ^ 255]) + data[-1499:]
    with pytest.raises(SnapshotMismatch):
        scene.sync()
    assert shape(scene.there) == before


def test_a_disk_without_room_changes_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.sync()
    before = shape(scene.there)
    scene.write("train.py", "print(2)\n")
    monkeypatch.setattr(receiving, "SPARE_BYTES", 1 << 60)
    with pytest.raises(CapacityError, match="nothing was changed"):
        scene.sync()
    assert shape(scene.there) == before


def test_a_second_sync_waits_and_then_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.sync()
    monkeypatch.setattr(receiving, "PATIENCE_S", 0.1)
    monkeypatch.setattr("runctl.agent.receiving.time.sleep", lambda _seconds: None)
    with open(scene.there / receiving.PLACE / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TryAgain, match="another sync"):
            scene.sync()


HOSTILE = [
    ["../out", "f", 0o644, 1, SHA, 1],
    ["/etc/out", "f", 0o644, 1, SHA, 1],
    ["a/../../out", "f", 0o644, 1, SHA, 1],
    ["", "f", 0o644, 1, SHA, 1],
    [f"{receiving.PLACE}/state", "f", 0o644, 1, SHA, 1],
    ["out", "l", 0o777, 0, "/etc"],
    ["out", "l", 0o777, 0, "../elsewhere"],
    ["link.py/under", "f", 0o644, 1, SHA, 1],
    ["nowhere/under", "f", 0o644, 1, SHA, 1],
]


@pytest.mark.parametrize("entry", HOSTILE, ids=lambda entry: repr(entry[0] + entry[1]))
def test_a_hostile_path_is_refused_where_it_would_be_written(
    scene: Scene, entry: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scene.sync()
    before = shape(tmp_path / "there")
    real = marshal.dumps

    def twist(value: Any, version: int) -> bytes:
        if "set" in value and "base" in value:
            value["set"] = [entry]
        return real(value, version)

    monkeypatch.setattr("runctl.engine.syncing.asking.marshal.dumps", twist)
    with pytest.raises(UnsafePath):
        scene.sync()
    monkeypatch.undo()
    assert shape(tmp_path / "there") == before
    assert not (tmp_path / "out").exists()


def test_a_link_there_in_place_of_a_folder_is_not_written_through(
    scene: Scene, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    scene.there.mkdir()
    (scene.there / "pkg").symlink_to(outside)
    with pytest.raises(ConflictError):
        scene.sync()
    assert list(outside.iterdir()) == []


def test_a_watch_brings_changes_and_outlives_a_lost_connection(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    pauses = iter(range(100))

    def pass_time(_seconds: float) -> None:
        number = next(pauses)
        scene.wire.is_lost = number == 0
        if number == 0:
            scene.write("train.py", "print(2)\n")

    monkeypatch.setattr("runctl.engine.syncing.watching.time.sleep", pass_time)
    found = watch(scene.mirror(), told.append, lambda: None)
    assert len(next(found).changed) == len(shape(scene.here))
    assert next(found).changed == ("train.py",)
    assert (scene.there / "train.py").read_text() == "print(2)\n"
    assert told == ["the wire is lost; trying again until it answers"]


def test_the_receiver_needs_the_standard_library_of_python_39_alone() -> None:
    text = Path(receiving.__file__).read_text()
    ast.parse(text, feature_version=(3, 9))
    taken = {module.partition(".")[0] for module, _ in imports(Path(receiving.__file__))}
    assert taken <= sys.stdlib_module_names
