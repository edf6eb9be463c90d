"""What a run leaves behind is stored once, whole, and comes back inside its folder."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from runctl.errors import ConflictError, IntegrityError, UnsafePath
from runctl.store.blobs import Blobs
from runctl.store.ledger import Ledger
from runctl.store.outputs import fetch_outputs, read_outputs, store_outputs
from tests.records import NOW, RUN_ID, FakeClock
from tests.stores import MemoryObjects


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(MemoryObjects(FakeClock()))


@pytest.fixture
def blobs(ledger: Ledger) -> Blobs:
    return Blobs(ledger.objects, FakeClock())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    (folder / "plots").mkdir(parents=True)
    (folder / "metrics.json").write_text("{}")
    (folder / "plots" / "loss curve.png").write_bytes(b"\x89PNG")
    return folder


def test_outputs_come_back(ledger: Ledger, blobs: Blobs, folder: Path, tmp_path: Path) -> None:
    stored = store_outputs(ledger, blobs, RUN_ID, 1, folder)
    assert read_outputs(ledger, RUN_ID, 1) == stored
    assert stored.size_bytes == 6
    fetch_outputs(blobs, stored, tmp_path / "back")
    assert (tmp_path / "back" / "metrics.json").read_text() == "{}"
    assert (tmp_path / "back" / "plots" / "loss curve.png").read_bytes() == b"\x89PNG"


def test_there_may_be_none(ledger: Ledger, blobs: Blobs, tmp_path: Path) -> None:
    assert read_outputs(ledger, RUN_ID, 1) is None
    assert store_outputs(ledger, blobs, RUN_ID, 1, tmp_path / "absent").files == ()
    found = read_outputs(ledger, RUN_ID, 1)
    assert found is not None
    assert found.files == ()


def test_what_was_stored_first_stands(ledger: Ledger, blobs: Blobs, folder: Path) -> None:
    first = store_outputs(ledger, blobs, RUN_ID, 1, folder)
    assert store_outputs(ledger, blobs, RUN_ID, 1, folder) == first
    (folder / "late.txt").write_text("written by something that outlived the command")
    assert store_outputs(ledger, blobs, RUN_ID, 1, folder) == first
    assert read_outputs(ledger, RUN_ID, 1) == first


def test_a_link_that_leads_out_is_not_followed(ledger: Ledger, blobs: Blobs, folder: Path) -> None:
    (folder / "secret").symlink_to("/etc/hostname")
    with pytest.raises(UnsafePath, match="secret"):
        store_outputs(ledger, blobs, RUN_ID, 1, folder)
    assert read_outputs(ledger, RUN_ID, 1) is None


def test_a_link_that_leads_out_does_not_cost_the_rest(
    ledger: Ledger, blobs: Blobs, folder: Path
) -> None:
    (folder / "secret").symlink_to("/etc/hostname")
    heard: list[UnsafePath] = []
    stored = store_outputs(ledger, blobs, RUN_ID, 1, folder, heard.append)
    assert [file.path for file in stored.files] == ["metrics.json", "plots/loss curve.png"]
    assert ["secret" in error.message for error in heard] == [True]


@pytest.mark.parametrize("path", ["../x", "/tmp/x", "plots/../../x", ""])
def test_a_path_that_leads_out_is_refused(
    ledger: Ledger, blobs: Blobs, folder: Path, tmp_path: Path, path: str
) -> None:
    stored = store_outputs(ledger, blobs, RUN_ID, 1, folder)
    files = (*stored.files, msgspec.structs.replace(stored.files[0], path=path))
    with pytest.raises(UnsafePath):
        fetch_outputs(blobs, msgspec.structs.replace(stored, files=files), tmp_path / "back")
    assert {entry.name for entry in tmp_path.iterdir()} <= {"outputs", "back"}


def test_damaged_outputs_are_named(
    ledger: Ledger, blobs: Blobs, folder: Path, tmp_path: Path
) -> None:
    stored = store_outputs(ledger, blobs, RUN_ID, 1, folder)
    digest = stored.files[0].parts[0].sha256
    ledger.objects.put(f"blobs/{digest}", b"!!")
    with pytest.raises(IntegrityError, match=digest):
        fetch_outputs(blobs, stored, tmp_path / "back")


def test_what_is_there_already_is_left_alone_and_nothing_else_is_overwritten(
    tmp_path: Path,
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "a.txt").write_text("a", encoding="utf-8")
    ledger = Ledger(MemoryObjects())
    blobs = Blobs(ledger.objects, lambda: NOW)
    outputs = store_outputs(ledger, blobs, RUN_ID, 1, made)
    target = tmp_path / "target"
    fetch_outputs(blobs, outputs, target)
    assert fetch_outputs(blobs, outputs, target) == [target / "a.txt"]
    (target / "a.txt").write_text("b", encoding="utf-8")
    with pytest.raises(ConflictError, match=r"a\.txt"):
        fetch_outputs(blobs, outputs, target)
    (target / "a.txt").unlink()
    (target / "a.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConflictError, match=r"a\.txt"):
        fetch_outputs(blobs, outputs, target)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_cannot_be_read_is_told_and_costs_no_other(
    tmp_path: Path, ledger: Ledger, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("closed.txt", "open.txt"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "closed.txt")
    told: list[UnsafePath] = []
    outputs = store_outputs(ledger, blobs, RUN_ID, 1, tmp_path, told.append)
    assert [file.path for file in outputs.files] == ["open.txt"]
    assert [error.message for error in told] == [f"{tmp_path / 'closed.txt'} cannot be read"]
