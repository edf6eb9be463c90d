"""A sync over a connection that is read while it runs: the receiver's start tells what it sees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from runctl.agent import receiving
from runctl.engine.syncing.moving import Mirror, Place
from runctl.errors import ConflictError, TransportError
from runctl.model.sync import Synced
from runctl.project import select_files

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="it plays an instance, which has the programs of GNU"
)


class Shell:
    """A transport to this machine: what is to run there runs in a shell here."""

    def __init__(self, programs: Path, home: Path) -> None:
        self.is_live = True
        self.count, self.home, self.path = 0, home, f"{programs}:/usr/bin:/bin"

    def stream(
        self, argv: Sequence[str], stdin: BinaryIO | None, stdout: BinaryIO
    ) -> tuple[int, bytes]:
        self.count += 1
        environ = {"PATH": self.path, "HOME": str(self.home)}
        done = subprocess.run(
            argv,
            cwd=self.home,
            env=environ,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
        return done.returncode, done.stderr


class Scene:
    def __init__(self, folder: Path) -> None:
        self.here, self.cache, home = folder / "project", folder / "cache", folder / "home"
        self.programs, self.there = folder / "programs", home / "work"
        for place in (self.here, home, self.programs):
            place.mkdir()
        (self.programs / "python3").symlink_to(Path(sys.executable).resolve())
        self.shell = Shell(self.programs, home)
        self.write("train.py", "print(1)\n")
        self.write("pkg/model.py", "m = 1\n" * 500)
        (self.here / "link.py").symlink_to("pkg/model.py")
        (self.here / "odd\nname").write_text("")

    def write(self, path: str, text: str) -> None:
        place = self.here / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        os.utime(place, (1e9, 1e9 + len(text)))

    def sync(self, folder: str = "~/work") -> Synced:
        place = Place(self.shell, "i-1", "box", folder)
        mirror = Mirror(
            place, self.here, self.cache, lambda: select_files(self.here), lambda _all, _new: None
        )
        return mirror.once()

    def lock(self) -> Path:
        return self.there / receiving.PLACE / "lock"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_first_sync_is_one_exchange(scene: Scene) -> None:
    synced = scene.sync()
    assert scene.shell.count == 1
    assert synced.folder == str(scene.there)
    assert (scene.there / "pkg/model.py").read_text() == "m = 1\n" * 500
    assert os.readlink(scene.there / "link.py") == "pkg/model.py"


@pytest.mark.parametrize("folder", ["~/work", "work", "~"])
@pytest.mark.parametrize("is_live", [True, False])
def test_a_folder_is_the_same_however_it_is_reached(
    scene: Scene, folder: str, is_live: bool
) -> None:
    scene.shell.is_live = is_live
    place = scene.there.parent if folder == "~" else scene.there
    assert scene.sync(folder).folder == str(place)
    scene.write("train.py", "print(22)\n")
    assert scene.sync(folder).changed == ("train.py",)
    assert scene.sync(folder).changed == ()
    assert (place / "train.py").read_text() == "print(22)\n"


def test_of_an_unchanged_tree_nothing_is_asked(scene: Scene) -> None:
    scene.sync()
    scene.lock().unlink()  # the receiver would make it anew
    synced = scene.sync()
    assert (synced.changed, synced.removed, synced.sent_bytes) == ((), (), 0)
    assert (synced.folder, synced.file_count) == (str(scene.there), 4)
    assert not scene.lock().exists()


@pytest.mark.parametrize("path", ["train.py", "odd\nname", "link.py", "pkg"])
def test_what_has_changed_there_is_seen(scene: Scene, path: str) -> None:
    scene.sync()
    there = scene.there / path
    if path == "pkg":
        there.chmod(0o700)
        assert scene.sync().changed == ("pkg",)
        return
    times = there.lstat()
    there.unlink()
    if path == "link.py":
        there.symlink_to("elsewhere")
    else:
        there.write_bytes(b"x" * times.st_size or b"x")
        os.utime(there, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ConflictError):
        scene.sync()


def test_a_file_that_is_gone_there_is_brought_again(scene: Scene) -> None:
    scene.sync()
    (scene.there / "train.py").unlink()
    assert scene.sync().changed == ("train.py",)
    assert (scene.there / "train.py").read_text() == "print(1)\n"


def test_a_folder_that_is_gone_there_is_brought_again_in_one_exchange(scene: Scene) -> None:
    scene.sync()
    subprocess.run(["rm", "-r", str(scene.there)], check=True)
    scene.shell.count = 0
    assert len(scene.sync().changed) == 5
    assert scene.shell.count == 1
    assert scene.sync().changed == ()


def test_the_receiver_is_sent_once(scene: Scene) -> None:
    program_bytes = scene.sync().sent_bytes - 1000
    scene.write("train.py", "print(22)\n")
    synced = scene.sync()
    assert synced.changed == ("train.py",)
    assert synced.sent_bytes < 600 < program_bytes
    assert (scene.there / "train.py").read_text() == "print(22)\n"


def test_a_torn_receiver_is_sent_again(scene: Scene) -> None:
    scene.sync()
    [kept] = (scene.there / receiving.PLACE).glob("receiver-*")
    kept.write_bytes(kept.read_bytes()[:100])
    scene.write("train.py", "print(22)\n")
    with pytest.raises(TransportError, match="without an answer"):
        scene.sync()
    assert scene.sync().changed == ("train.py",)


def test_where_stat_is_another_the_receiver_looks(scene: Scene) -> None:
    (scene.programs / "stat").write_text("#!/bin/sh\nexit 1\n")
    (scene.programs / "stat").chmod(0o755)
    scene.sync()
    assert scene.sync().changed == ()
    assert scene.sync().sent_bytes > 0
    (scene.there / "train.py").write_text("edited there")
    with pytest.raises(ConflictError):
        scene.sync()


def test_where_no_python_is_that_is_said(scene: Scene) -> None:
    scene.shell.path = str(scene.programs)
    for name in ("sh", "xargs", "stat", "sha256sum", "readlink"):
        (scene.programs / name).symlink_to(f"/usr/bin/{name}")
    (scene.programs / "python3").unlink()
    with pytest.raises(TransportError, match="it has no Python"):
        scene.sync()
