from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from runctl.agent.environment import Settings, cache, prepare
from runctl.agent.environment.interpreters import inspect
from runctl.errors import PhaseFailed, StoppedOnRequest


def make_env(env: Path, packages: dict[str, str] | None = None) -> cache.Complete:
    (env / "bin").mkdir(parents=True)
    (env / "bin" / "python").symlink_to(sys.executable)
    for name, version in (packages or {"signpost": "1.0"}).items():
        (env / "lib/python3.11/site-packages" / f"{name}-{version}.dist-info").mkdir(parents=True)
    found = cache.list_packages(env)
    return cache.Complete("key", "hash", "requirements.txt", "uv", "/p", "3.11.7", found)


def test_names_of_packages_are_normalised(tmp_path: Path) -> None:
    complete = make_env(tmp_path, {"Flit_Core.Extra": "1.0rc1"})
    assert complete.packages == {"flit-core-extra": "1.0rc1"}


def test_folder_is_taken_only_with_its_marker(tmp_path: Path) -> None:
    complete = make_env(tmp_path / "key")
    assert cache.find(tmp_path, "key") == (tmp_path / "key", None)
    cache.finish(tmp_path / "key", complete)
    assert cache.find(tmp_path, "key") == (tmp_path / "key", complete)


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 200, b'{"schema": 2}'])
def test_marker_that_cannot_be_read_is_none(tmp_path: Path, damage: bytes) -> None:
    cache.finish(tmp_path / "key", make_env(tmp_path / "key"))
    (tmp_path / "key" / cache.MARKER).write_bytes(damage)
    assert cache.find(tmp_path, "key") == (tmp_path / "key", None)


def test_everything_reaches_the_disk_before_the_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Power loss at any point of ``finish``: the marker is there only after the last sync."""
    seen: list[tuple[str, bool]] = []
    marker = tmp_path / "key" / cache.MARKER
    complete = make_env(tmp_path / "key")
    for name in ("_sync_file_system", "_sync_folder"):
        monkeypatch.setattr(
            cache, name, lambda folder, name=name: seen.append((name, marker.exists()))
        )
    cache.finish(tmp_path / "key", complete)
    assert seen == [("_sync_file_system", False), ("_sync_folder", True), ("_sync_folder", True)]


def test_clearing_takes_the_marker_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.finish(tmp_path / "key", make_env(tmp_path / "key"))
    monkeypatch.setattr("shutil.rmtree", lambda path: None)
    cache.clear(tmp_path / "key")
    assert cache.find(tmp_path, "key") == (tmp_path / "key", None)


def test_interpreter_that_is_gone_means_a_new_build(tmp_path: Path) -> None:
    cache.finish(tmp_path / "key", make_env(tmp_path / "key"))
    (tmp_path / "key/bin/python").unlink()
    (tmp_path / "key/bin/python").symlink_to(tmp_path / "gone")
    assert cache.find(tmp_path, "key") == (tmp_path / "key", None)


def test_changed_environment_is_passed_over(tmp_path: Path) -> None:
    cache.finish(tmp_path / "key", make_env(tmp_path / "key"))
    (tmp_path / "key/lib/python3.11/site-packages/stray-1.dist-info").mkdir()
    assert cache.find(tmp_path, "key") == (tmp_path / "key.1", None)


def test_lock_is_exclusive_and_waiting_for_it_can_be_cancelled(tmp_path: Path) -> None:
    with (
        cache.hold(tmp_path, "key", lambda: False),
        pytest.raises(StoppedOnRequest),
        cache.hold(tmp_path, "key", lambda: True),
    ):
        pytest.fail("the lock was given twice")
    with cache.hold(tmp_path, "key", lambda: True):
        pass


def test_what_is_no_interpreter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("not one")
    with pytest.raises(PhaseFailed, match="not a Python"):
        inspect(tmp_path / "python", tmp_path / "memory")


def test_folder_that_cannot_be_written_is_a_failure_of_the_phase(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("signpost\n")
    (tmp_path / "envs").write_text("a file where the folder should be")
    with pytest.raises(PhaseFailed, match="environment's folder"):
        prepare(
            tmp_path,
            Path("train.py"),
            Settings(),
            envs_root=tmp_path / "envs",
            base_python=Path(sys.executable),
            on_output=lambda data: None,
            is_cancelled=lambda: False,
            environ=os.environ,
        )
