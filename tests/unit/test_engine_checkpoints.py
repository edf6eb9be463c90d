"""The checkpoints of a run, by the client's verbs: damage is named, and what is needed stays."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from runctl.config import load
from runctl.engine.checkpoints import clean, open_source
from runctl.engine.run_checkpoints import RunCheckpoints
from runctl.engine.session import Session
from runctl.errors import (
    CheckpointNotFound,
    ConflictError,
    IntegrityError,
    RunNotFound,
    UsageError,
)
from runctl.model.checkpoint import Manifest, Summary
from runctl.model.codec import encode, escape_name
from runctl.model.events import AttemptStarted, Body, ResumeChosen
from runctl.model.views import CleanupItem, Verdict
from runctl.store.checkpoints import Checkpoints, seal
from runctl.store.formats import describe
from runctl.store.ledger import Ledger
from runctl.store.summary import summarise
from runctl.testing import format_samples as samples
from tests.instances import no_account
from tests.records import NOW, RUN_ID, SUMMARY, make_claim, make_event, make_spec
from tests.stores import MemoryObjects

STARTED = AttemptStarted(host="h", folder="/f", runctl_version="0", platform="p")


class World:
    """A run with real checkpoint files in a store in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = MemoryObjects(lambda: NOW)
        self.ledger = Ledger(self.objects)
        self.ledger.create_run(make_spec())
        self.ledger.claim(RUN_ID, make_claim())
        self.session = Session(
            account=no_account,
            config=load(None, {}, {}, folder / "config"),
            ledger=self.ledger,
            environ={"HOME": str(folder)},
            user_dir=folder / "config",
            cache_dir=folder / "cache",
            clock=lambda: NOW,
        )
        self.store = Checkpoints(self.ledger, RUN_ID, lambda: NOW)
        self.source = RunCheckpoints(self.session, RUN_ID)

    def commit(self, step: int, name: str = "", *, attempt: int = 1, loss: float = 0.5) -> Manifest:
        file = self.folder / (name or f"step-{step}.pt")
        state = samples.torch_state() | {"global_step": step, "loss": loss}
        samples.write_torch_zip(file, state, samples.torch_storages())
        seq = len(self.store.attempt_keys(attempt)) + 1
        summary = summarise(describe(file))
        return self.store.commit(
            file, name=file.name, attempt=attempt, seq=seq, summary=summary
        ).manifest

    def lose_blob(self, manifest: Manifest) -> str:
        key = f"blobs/{manifest.files[0].parts[0].sha256}"
        self.objects.delete(key)
        return key

    def flip(self, manifest: Manifest) -> None:
        key = f"blobs/{manifest.files[0].parts[0].sha256}"
        data = bytearray(self.objects.get(key))
        data[len(data) // 2] ^= 1
        self.objects.damage(key, bytes(data))

    def forge(self, manifest: Manifest, **changes: object) -> None:
        """Replace a manifest by one that is sealed as it should be, and says something else."""
        forged = msgspec.structs.replace(manifest, **changes)
        self.objects.damage(manifest.key, encode(seal(forged)))

    def claim_next(self, **changes: object) -> None:
        keys = tuple(self.store.attempt_keys(1))
        self.ledger.claim(RUN_ID, make_claim(2, sealed_manifests=keys, **changes))

    def clean(self, keep_last: int = 1, **options: object) -> list[CleanupItem]:
        return clean(self.source, keep_last=keep_last, **options)  # type: ignore[arg-type]

    @property
    def labels(self) -> list[str]:
        return [view.label for view in self.source.views()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_list_shows_what_is_committed_oldest_first(world: World) -> None:
    world.commit(1)
    world.commit(2, loss=0.25)
    first, second = world.source.views()
    assert (first.label, first.name, first.verdict) == ("1/1", "step-1.pt", Verdict.GOOD)
    assert (second.step, second.loss, second.format) == (2, 0.25, "torch")
    assert second.committed_at == NOW


def test_a_lost_blob_makes_a_checkpoint_bad(world: World) -> None:
    world.lose_blob(world.commit(1))
    (view,) = world.source.views()
    assert (view.verdict, view.committed_at) == (Verdict.BAD, None)
    assert "is missing" in view.reason


def test_a_flipped_bit_is_found_by_a_deep_look_alone(world: World) -> None:
    world.commit(1)
    world.flip(world.commit(2))
    shallow = world.source.verify(None, is_deep=False)
    deep = world.source.verify(None, is_deep=True)
    assert [view.verdict for view in shallow] == [Verdict.GOOD, Verdict.GOOD]
    assert [view.verdict for view in deep] == [Verdict.GOOD, Verdict.BAD]
    assert [view.label for view in world.source.verify("step=2", is_deep=True)] == ["1/2"]


@pytest.mark.parametrize("data", [b"", b"{", b'{"schema": 99}', b"\xff\xfe"])
def test_a_damaged_manifest_is_bad_and_named(world: World, data: bytes) -> None:
    world.objects.damage(world.commit(1).key, data)
    (view,) = world.source.views()
    assert (view.label, view.verdict) == ("1/1", Verdict.BAD)
    assert "1/1" in world.labels


def test_a_renamed_manifest_is_not_believed(world: World) -> None:
    first, second = world.commit(1), world.commit(2)
    world.objects.damage(second.key, world.objects.get(first.key))
    assert [view.verdict for view in world.source.views()] == [Verdict.GOOD, Verdict.BAD]


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", ".."])
def test_a_manifest_that_leads_out_writes_nothing(world: World, name: str) -> None:
    manifest = world.commit(1)
    file = msgspec.structs.replace(manifest.files[0], path=name)
    world.forge(manifest, is_folder=True, files=(file,))
    assert world.source.views()[0].verdict is Verdict.BAD
    with pytest.raises(IntegrityError, match="leads out"):
        world.source.fetch("1/1", world.folder / "in" / "here")
    assert not list(world.folder.rglob("evil*"))


def test_a_name_that_leads_out_is_cut_or_refused(world: World) -> None:
    world.forge(world.commit(1), name="../../evil.pt")
    found = world.source.fetch("1/1", world.folder / "in" / "here")
    assert Path(found.path).parent == world.folder / "in" / "here"
    world.forge(world.commit(2), name="..")
    with pytest.raises(IntegrityError):
        world.source.fetch("1/2", world.folder / "in" / "here")


def test_info_tells_tensors_and_keeps_nothing(world: World) -> None:
    world.commit(3)
    detail = world.source.describe("latest")
    assert {tensor.name for tensor in detail.tensors} >= {"model.weight", "model.bias"}
    assert (detail.view.label, detail.parameter_count) == ("1/1", samples.PARAMETERS)
    assert detail.files == {"step-3.pt": detail.view.size_bytes}
    assert list((world.folder / "cache").iterdir()) == []


def test_info_of_the_latest_falls_back_and_says_so(world: World) -> None:
    world.commit(1)
    world.lose_blob(world.commit(2))
    detail = world.source.describe("latest")
    assert detail.view.label == "1/1"
    assert detail.notes[0].startswith("1/2 was passed over: blob")
    with pytest.raises(IntegrityError, match="checkpoint 1/2 is not whole"):
        world.source.describe("1/2")


def test_a_hostile_pickle_is_described_and_not_run(world: World, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    file = tmp_path / "hostile.pkl"
    file.write_bytes(samples.pickled({"step": 1, "x": samples.hostile(f"touch {canary}")}))
    world.store.commit(file, name=file.name, attempt=1, seq=1, summary=Summary(format="pickle"))
    detail = world.source.describe("hostile.pkl")
    assert any("posix.system" in note for note in detail.notes)
    assert world.source.verify(None, is_deep=True)[0].verdict is Verdict.GOOD
    assert not canary.exists()


def test_download_brings_the_bytes_and_may_be_typed_again(world: World) -> None:
    world.commit(1)
    folder = world.folder / "new" / "folder"
    for _ in range(2):
        found = world.source.fetch("latest", folder)
        assert Path(found.path).read_bytes() == (world.folder / "step-1.pt").read_bytes()
    assert os.listdir(folder) == ["step-1.pt"]
    assert (found.label, found.step) == ("1/1", 1)


def test_download_of_a_folder_and_of_a_name_that_is_not_utf_8(world: World, tmp_path: Path) -> None:
    path = samples.write_folder(tmp_path)
    odd = os.fsdecode(b"odd\xe9")
    path = path.rename(tmp_path / odd)
    world.store.commit(path, name=odd, attempt=1, seq=1, summary=SUMMARY)
    for _ in range(2):
        found = Path(world.source.fetch(escape_name(odd), tmp_path / "there").path)
    names = sorted(os.listdir(path))
    assert found.name == odd
    assert sorted(os.listdir(found)) == names
    assert all((found / name).read_bytes() == (path / name).read_bytes() for name in names)


def test_download_never_replaces_what_is_there(world: World) -> None:
    world.commit(1)
    folder = world.folder / "there"
    folder.mkdir()
    (folder / "step-1.pt").write_bytes(b"mine")
    with pytest.raises(ConflictError, match="is there already"):
        world.source.fetch("latest", folder)
    assert (folder / "step-1.pt").read_bytes() == b"mine"
    assert os.listdir(folder) == ["step-1.pt"]


def test_download_of_what_is_bad_leaves_nothing(world: World) -> None:
    world.commit(1)
    world.flip(world.commit(2))
    with pytest.raises(IntegrityError, match="1/2 is not whole"):
        world.source.fetch("1/2", world.folder / "there")
    assert os.listdir(world.folder / "there") == []
    found = world.source.fetch("latest", world.folder / "there")
    assert (found.label, list(found.passed_over)) == ("1/1", ["1/2"])


def test_download_into_a_file_is_refused(world: World) -> None:
    world.commit(1)
    (world.folder / "taken").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot be written"):
        world.source.fetch("latest", world.folder / "taken")


@pytest.mark.parametrize("which", ["latest", "7/7", "step=9", "no.pt"])
def test_what_is_not_there_is_not_found(world: World, which: str) -> None:
    if which != "latest":
        world.commit(1)
    for ask in (world.source.describe, lambda which: world.source.fetch(which, world.folder)):
        with pytest.raises(CheckpointNotFound) as caught:
            ask(which)
        assert caught.value.hint == f"runctl checkpoint list {RUN_ID}"


def test_cleanup_keeps_the_last_and_the_best(world: World) -> None:
    for step, loss in ((1, 0.9), (2, 0.1), (3, 0.5), (4, 0.4)):
        world.commit(step, loss=loss)
    dry = world.clean(best="loss", is_dry_run=True)
    assert world.labels == ["1/1", "1/2", "1/3", "1/4"]
    assert world.clean(best="loss") == dry
    assert world.labels == ["1/2", "1/4"]
    assert [view.verdict for view in world.source.verify(None, is_deep=True)] == [Verdict.GOOD] * 2
    assert all(item.is_kept for item in world.clean(best="loss"))


def test_cleanup_counts_whole_ones_and_leaves_the_bad(world: World) -> None:
    for step in (1, 2, 3):
        manifest = world.commit(step)
    world.lose_blob(manifest)
    world.clean()
    assert world.labels == ["1/2", "1/3"]


def test_cleanup_leaves_what_an_active_attempt_needs(world: World) -> None:
    manifests = [world.commit(step) for step in (1, 2, 3)]
    world.claim_next(resume_from=manifests[0].key)
    world.commit(2, attempt=2)
    world.commit(3, attempt=2)
    items = {item.label: item for item in world.clean()}
    assert world.labels == ["1/1", "2/2"]
    assert "was resumed from it" in items["1/1"].reason
    assert "newest of attempt 2" in items["2/2"].reason


def test_cleanup_leaves_what_the_agent_has_chosen(world: World) -> None:
    for step in (1, 2, 3):
        world.commit(step)
    world.claim_next()
    bodies: list[Body] = [STARTED, ResumeChosen(checkpoint="1/2", step=2)]
    for seq, body in enumerate(bodies, 1):
        world.ledger.append_event(RUN_ID, "agent", seq, make_event(body, 2), durable=True)
    world.clean()
    assert world.labels == ["1/2", "1/3"]


def test_cleanup_sees_a_resume_that_comes_meanwhile(world: World) -> None:
    manifests = [world.commit(step) for step in (1, 2, 3)]
    views = world.source.views()
    assert "1/1" not in world.source.held(views)
    world.claim_next(resume_from=manifests[0].key)
    stayed = world.source.discard(views[:2])
    assert set(stayed) == {"1/1"}
    assert world.labels == ["1/1", "1/3"]


def test_at_least_one_stays(world: World) -> None:
    with pytest.raises(UsageError):
        world.clean(0)


def test_a_run_wins_over_a_folder_of_its_name_and_says_so(world: World, tmp_path: Path) -> None:
    (tmp_path / "digits-1").mkdir()
    found = open_source(world.session, tmp_path, "digits-1")
    assert (found.place.run_id, found.place.path) == (RUN_ID, None)
    assert found.place.notes == ("digits-1 is also a folder here: ./digits-1 names it",)
    assert open_source(world.session, tmp_path, "./digits-1").place.run_id is None


def test_what_is_no_run_may_be_a_folder(world: World, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    assert open_source(world.session, tmp_path, "saved").place.path == str(tmp_path / "saved")
    assert open_source(world.session, tmp_path, "~/saved").place.path == str(tmp_path / "saved")
    with pytest.raises(RunNotFound):
        open_source(world.session, tmp_path, "nothing")
    with pytest.raises(CheckpointNotFound, match="there is no folder a/b"):
        open_source(world.session, tmp_path, "a/b")
