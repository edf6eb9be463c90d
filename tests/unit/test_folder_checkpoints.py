"""The checkpoints of a plain folder: what is one, what is wrong with it, and what may go."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from runctl.agent import openfiles
from runctl.config import load
from runctl.engine import folder_checkpoints, grave
from runctl.engine.checkpoints import clean, open_folder
from runctl.engine.folder_checkpoints import FolderCheckpoints
from runctl.engine.session import Session
from runctl.errors import CheckpointNotFound, IntegrityError, RefusedError, UsageError
from runctl.model.views import CleanupItem, Verdict
from runctl.store.ledger import Ledger
from runctl.testing import format_samples as samples
from tests.instances import no_account
from tests.records import NOW
from tests.stores import MemoryObjects

LONG_AGO = NOW.timestamp() - 1000


class Folder:
    """A folder that a script has saved into, a while ago."""

    def __init__(self, home: Path) -> None:
        self.path = home / "saved"
        self.path.mkdir()
        self._session = Session(
            account=no_account,
            config=load(None, {}, {}, home / "config"),
            ledger=Ledger(MemoryObjects()),
            environ={},
            user_dir=home / "config",
            cache_dir=home / "cache",
            clock=lambda: NOW,
        )

    def save(self, name: str, step: int | None, *, loss: float = 0.5) -> Path:
        """Write a checkpoint of a step, which is also the second at which it was written."""
        state = samples.torch_state() | {"global_step": step, "loss": loss}
        if step is None:
            state = {"weight": samples.torch_tensor("0", (64, 8))}
        path = self.path / name
        samples.write_torch_zip(path, state, samples.torch_storages())
        return self.age(path, step or 0)

    def age(self, path: Path, seconds: float = 0) -> Path:
        os.utime(path, (LONG_AGO + seconds, LONG_AGO + seconds))
        return path

    def save_folder(self, step: int) -> Path:
        """Write a folder as Hugging Face's Trainer does."""
        path = samples.write_folder(self.path).rename(self.path / f"checkpoint-{step}")
        (path / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
        for file in path.iterdir():
            self.age(file, step)
        return path

    def open(self, path: Path | None = None) -> FolderCheckpoints:
        return open_folder(self._session, self.path, str(path or self.path))

    def verdicts(self, *, is_deep: bool = False) -> dict[str, str]:
        return {v.label: v.verdict.value for v in self.open().verify(None, is_deep=is_deep)}

    def clean(self, keep_last: int = 1, **options: object) -> dict[str, CleanupItem]:
        items = clean(self.open(), keep_last=keep_last, **options)  # type: ignore[arg-type]
        return {item.label: item for item in items}

    @property
    def names(self) -> list[str]:
        return sorted(os.listdir(self.path))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# -- what is a checkpoint


def test_checkpoints_are_listed_by_the_time_of_writing(folder: Folder) -> None:
    folder.save("b.pt", 2)
    folder.save("a.pt", 3)
    (folder.path / "notes.txt").write_text("no checkpoint")
    (folder.path / "config.json").write_text('{"lr": 0.1}')
    (folder.path / "state.json").write_text('{"step": 7}')
    folder.age(folder.path / "state.json", 9)
    (folder.path / ".hidden.pt").write_bytes((folder.path / "a.pt").read_bytes())
    (folder.path / "last.ckpt").symlink_to("a.pt")
    views = folder.open().views()
    assert [(view.label, view.step) for view in views] == [
        ("b.pt", 2),
        ("a.pt", 3),
        ("state.json", 7),
    ]
    assert views[0].written_at == datetime.fromtimestamp(LONG_AGO + 2, UTC)
    assert views[0].committed_at is None


def test_a_folder_may_be_a_checkpoint_itself_or_hold_them_beside_a_model(folder: Folder) -> None:
    inner = samples.write_folder(folder.path)
    assert [view.label for view in folder.open().views()] == [inner.name]
    assert [view.label for view in folder.open(inner).views()] == [inner.name]
    samples.write_safetensors(folder.path / "model.safetensors", samples.WEIGHTS)
    labels = [view.label for view in folder.open().views()]
    assert sorted(labels) == [inner.name, "model.safetensors"]


def test_a_file_is_a_place_with_one_checkpoint(folder: Folder) -> None:
    path = folder.save("a.pt", 1)
    folder.save("b.pt", 2)
    assert folder.open(path).describe("latest").view.label == "a.pt"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: b"",
    ],
)
def test_a_torn_file_is_bad_and_not_described(
    folder: Folder, damage: Callable[[bytes], bytes]
) -> None:
    path = folder.save("a.pt", 1)
    path.write_bytes(damage(path.read_bytes()))
    folder.age(path)
    (view,) = folder.open().views()
    assert (view.verdict, bool(view.reason)) == (Verdict.BAD, True)
    with pytest.raises(IntegrityError, match="is not whole"):
        folder.open().describe("a.pt")


def test_a_flipped_bit_is_found_by_a_deep_look(folder: Folder) -> None:
    folder.save("good.pt", 1)
    path = folder.save("flipped.pt", 2)
    data = bytearray(path.read_bytes())
    data[data.index(samples.raw_bytes((8,))) + 3] ^= 1
    path.write_bytes(data)
    folder.age(path)
    assert set(folder.verdicts().values()) == {"good"}
    assert folder.verdicts(is_deep=True) == {"good.pt": "good", "flipped.pt": "bad"}


def test_a_renamed_checkpoint_is_known_by_its_content(folder: Folder) -> None:
    folder.save("model.pt", 5).rename(folder.path / "model.backup")
    (view,) = folder.open().views()
    assert (view.label, view.format, view.step) == ("model.backup", "torch", 5)


def test_a_link_that_leads_out_makes_a_folder_bad(folder: Folder) -> None:
    inner = samples.write_folder(folder.path)
    outside = folder.path.parent / "outside.bin"
    outside.write_bytes(b"secret")
    (inner / "extra.bin").symlink_to(outside)
    (view,) = folder.open().views()
    assert view.verdict is Verdict.BAD
    assert "leads out" in view.reason


def test_a_hostile_pickle_is_described_and_not_run(folder: Folder, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data = samples.pickled({"step": 1, "x": samples.hostile(f"touch {canary}")})
    (folder.path / "x.pkl").write_bytes(data)
    notes = folder.open().describe("x.pkl").notes
    assert any("posix.system" in note for note in notes)
    folder.verdicts(is_deep=True)
    folder.open().choose("x.pkl")
    assert not canary.exists()


def test_a_name_that_is_not_utf_8_is_shown_and_found_both_ways(folder: Folder) -> None:
    name = os.fsdecode(b"odd\xe9-1.pt")
    folder.save("ascii.pt", 1).rename(folder.path / name)
    folder.save("z-2.pt", 2)
    (view,) = folder.open().verify(name, is_deep=True)
    assert view.label == "odd\\xe9-1.pt"
    assert folder.open().describe(view.label).view == folder.open().describe(name).view
    folder.save("ascii.pt", 3).rename(folder.path / os.fsdecode(b"odd\xe9-3.pt"))
    assert not folder.clean()[view.label].is_kept
    assert name not in folder.names


def test_what_is_not_there_is_not_found(folder: Folder) -> None:
    for which in ("latest", "a.pt", "step=1", "../secret", "\\xzz"):
        with pytest.raises(CheckpointNotFound):
            folder.open().describe(which)
    with pytest.raises(UsageError, match="only a run's checkpoint is downloaded"):
        folder.open().fetch("latest", folder.path)


# -- to resume from


def test_the_newest_whole_one_is_chosen_and_torn_ones_are_named(folder: Folder) -> None:
    folder.save("s-1.pt", 1)
    path = folder.save("s-2.pt", 2)
    path.write_bytes(path.read_bytes()[:-9])
    folder.age(path, 2)
    chosen = folder.open().choose(None)
    assert (chosen.path, chosen.step) == (str(folder.path / "s-1.pt"), 1)
    assert list(chosen.passed_over) == ["s-2.pt"]
    assert folder.open().describe("latest").notes[0].startswith("s-2.pt was passed over")
    with pytest.raises(IntegrityError, match=r"s-2.pt is not whole"):
        folder.open().choose("s-2.pt")
    (folder.path / "s-1.pt").unlink()
    with pytest.raises(CheckpointNotFound, match="is whole"):
        folder.open().choose(None)


# -- clean-up


def test_cleanup_deletes_old_checkpoints_and_nothing_else(folder: Folder) -> None:
    for step in (1, 2, 3):
        folder.save(f"step-{step}.pt", step)
    for name in ("notes-1.txt", "config-1.json", "config-2.json", ".hidden-1.pt"):
        (folder.path / name).write_text("{}")
        folder.age(folder.path / name)
    dry = folder.clean(is_dry_run=True)
    assert "step-1.pt" in folder.names
    assert folder.clean() == dry
    assert folder.names == [
        ".hidden-1.pt", "config-1.json", "config-2.json", "notes-1.txt", "step-3.pt",
    ]  # fmt: skip


def test_cleanup_deletes_whole_folders(folder: Folder) -> None:
    for step in (1, 2):
        folder.save_folder(step)
    assert not folder.clean()["checkpoint-1"].is_kept
    assert folder.names == ["checkpoint-2"]


def test_what_does_not_say_that_it_is_a_checkpoint_stays(folder: Folder) -> None:
    folder.save("data_1.pt", None)
    folder.save("data_2.pt", None)
    folder.save("model_1.pt", None)
    folder.save("model_2.pt", None)
    items = folder.clean()
    assert "it may be data" in items["data_1.pt"].reason
    assert folder.names == ["data_1.pt", "data_2.pt", "model_2.pt"]


def test_copied_files_keep_the_last_by_step_too(folder: Folder) -> None:
    for at, step in enumerate((300, 100, 50)):
        folder.age(folder.save(f"step-{step}.pt", step), at)
    folder.clean()
    assert folder.names == ["step-300.pt", "step-50.pt"]


@pytest.mark.parametrize("mode", ["ab", "rb"])
def test_an_open_file_stays(folder: Folder, mode: str) -> None:
    path = folder.save("step-1.pt", 1)
    folder.save("step-2.pt", 2)
    with path.open(mode):
        assert folder.clean()["step-1.pt"].reason == "a process has it open"
    assert not folder.clean()["step-1.pt"].is_kept


def test_a_mapped_file_is_seen_without_a_descriptor() -> None:
    mapped = os.path.realpath(msgspec._core.__file__)
    assert mapped in (openfiles.open_below(Path(mapped).parent) or ())


def test_a_file_of_another_process_stays(folder: Folder) -> None:
    path = folder.save("step-1.pt", 1)
    folder.save("step-2.pt", 2)
    with path.open("ab") as handle:
        holder = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=handle)
    try:
        assert folder.clean()["step-1.pt"].is_kept
    finally:
        holder.communicate()


def test_where_it_cannot_be_told_what_is_open_nothing_goes(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (1, 2):
        folder.save(f"step-{step}.pt", step)
    monkeypatch.setattr(folder_checkpoints, "open_below", lambda _: None)
    with pytest.raises(RefusedError, match="cannot be told"):
        folder.clean()
    assert len(folder.names) == 2


def test_lsof_tells_where_proc_does_not(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(status: int, out: bytes, err: bytes = b"") -> set[str] | None:
        done = subprocess.CompletedProcess([], status, out, err)
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
        return openfiles.open_below(folder.path)

    monkeypatch.setattr(os.path, "isdir", lambda _: False)
    root = os.fsencode(os.path.realpath(folder.path))
    assert answer(0, b"p1\nf3\nn" + root + b"/a.pt\nn/elsewhere\n") == {f"{os.fsdecode(root)}/a.pt"}
    assert answer(1, b"") == set()
    assert answer(1, b"", b"lsof: no permission") is None


@pytest.mark.parametrize(
    ("name", "text"), [("latest", "step-1.pt"), ("last_checkpoint.json", '{"path": "x/step-1.pt"}')]
)
def test_what_is_pointed_at_by_name_stays(folder: Folder, name: str, text: str) -> None:
    for step in (1, 2):
        folder.save(f"step-{step}.pt", step)
    (folder.path / name).write_text(text)
    assert folder.clean()["step-1.pt"].reason == f"the file {name} names it"


@pytest.mark.parametrize("place", ["last.ckpt", "../best.ckpt"])
def test_the_target_of_a_link_stays(folder: Folder, place: str) -> None:
    for step in (1, 2):
        folder.save(f"step-{step}.pt", step)
    (folder.path / place).symlink_to(folder.path / "step-1.pt")
    assert folder.clean()["step-1.pt"].reason == f"the link {Path(place).name} leads to it"


def test_a_folder_with_a_file_that_is_linked_stays(folder: Folder) -> None:
    for step in (1, 2):
        folder.save_folder(step)
    (folder.path / "best").symlink_to("checkpoint-1/trainer_state.json")
    assert folder.clean()["checkpoint-1"].is_kept


def test_what_was_written_just_now_stays(folder: Folder) -> None:
    path = folder.save("step-1.pt", 1)
    folder.save("step-2.pt", 2)
    os.utime(path, (NOW.timestamp() - 1,) * 2)
    folder.save("step-3.pt", 3)
    os.utime(folder.path / "step-3.pt", (NOW.timestamp(),) * 2)
    items = folder.clean()
    assert [label for label, item in items.items() if not item.is_kept] == ["step-2.pt"]
    assert items["step-1.pt"].reason == "it was written just now"


def test_only_what_was_agreed_upon_goes(folder: Folder) -> None:
    for step in (1, 2, 3):
        folder.save(f"step-{step}.pt", step)
    items = folder.clean(only=["step-2.pt", "step-3.pt"])
    assert items["step-1.pt"].reason == "it was not asked about"
    assert folder.names == ["step-1.pt", "step-3.pt"]


def test_what_changes_after_the_look_stays(folder: Folder) -> None:
    for step in (1, 2, 3):
        folder.save(f"step-{step}.pt", step)
    source = folder.open()
    views = source.views()
    folder.age(folder.save("step-1.pt", 1, loss=0.125), 4)
    (folder.path / "step-2.pt").unlink()
    assert source.discard(views[:2]) == {"step-1.pt": grave.CHANGED}
    assert folder.names == ["step-1.pt", "step-3.pt"]


def test_what_changes_at_the_last_moment_comes_back(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.save("step-1.pt", 1)
    source = folder.open()
    views = source.views()
    rename = Path.rename

    def write_and_rename(self: Path, target: Path) -> Path:
        if self == path:
            self.write_bytes(b"the script was faster")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", write_and_rename)
    assert source.discard(views) == {"step-1.pt": grave.CHANGED}
    assert path.read_bytes() == b"the script was faster"
    assert folder.names == ["step-1.pt"]


def test_a_killed_cleanup_is_finished_by_the_next(folder: Folder) -> None:
    for step in (1, 2):
        folder.save(f"step-{step}.pt", step)
    left = samples.write_folder(folder.path).rename(folder.path / f"{grave.PREFIX}0123")
    assert left.exists()
    folder.clean()
    assert folder.names == ["step-2.pt"]
