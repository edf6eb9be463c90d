"""Every kind of damage to a committed checkpoint is found, and none of it gets out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from runctl.errors import (
    CheckpointChanged,
    CheckpointNotFound,
    IntegrityError,
    ObjectExists,
    UnsafePath,
)
from runctl.model.checkpoint import Manifest, Summary
from runctl.model.codec import encode, escape_name
from runctl.model.ids import make_run_id
from runctl.model.paths import RunPaths
from runctl.store import blobs as blobs_module
from runctl.store import files as files_module
from runctl.store.checkpoints import Checkpoints, Committed, fetch_newest, find, label_of, seal
from runctl.store.ledger import Ledger
from tests.records import NOW, RUN_ID, SUMMARY, FakeClock, make_claim, make_spec
from tests.stores import FaultyObjects, MemoryObjects

PART = 8


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "PART_BYTES", PART)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def objects(clock: FakeClock) -> MemoryObjects:
    return MemoryObjects(clock)


@pytest.fixture
def checkpoints(objects: MemoryObjects, clock: FakeClock) -> Checkpoints:
    ledger = Ledger(objects)
    ledger.create_run(make_spec())
    ledger.claim(RUN_ID, make_claim())
    return Checkpoints(ledger, RUN_ID, clock)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "script" / "last.ckpt"
    file.parent.mkdir()
    file.write_bytes(bytes(range(20)))
    file.chmod(0o640)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "script" / "checkpoint-5"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights").write_bytes(b"w" * 20)
    (folder / "deep" / "state").write_bytes(b"s" * 5)
    (folder / "empty").write_bytes(b"")
    return folder


def commit(checkpoints: Checkpoints, path: Path, seq: int = 1, attempt: int = 1) -> Committed:
    return checkpoints.commit(path, name=path.name, attempt=attempt, seq=seq, summary=SUMMARY)


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def rewrite(objects: MemoryObjects, manifest: Manifest, **changes: object) -> None:
    """Put another manifest in its place, its own digest right: only its content is wrong."""
    changed = msgspec.structs.replace(manifest, **changes)
    objects.damage(manifest.key, encode(seal(changed)))


def with_paths(manifest: Manifest, *paths: str) -> dict[str, object]:
    (file, *_) = manifest.files
    return {"files": tuple(msgspec.structs.replace(file, path=path) for path in paths)}


# -- what was committed comes back


def test_a_file_comes_back(checkpoints: Checkpoints, file: Path, tmp_path: Path) -> None:
    committed = commit(checkpoints, file)
    assert checkpoints.keys() == [committed.manifest.key]
    manifest = checkpoints.read(committed.manifest.key)
    assert manifest == committed.manifest
    assert (manifest.size_bytes, manifest.label, manifest.summary) == (20, "1/1", SUMMARY)
    assert [len(one.parts) for one in manifest.files] == [3]
    path = checkpoints.fetch(manifest, tmp_path / "resume")
    assert path == tmp_path / "resume" / "last.ckpt"
    assert path.read_bytes() == bytes(range(20))
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_comes_back(checkpoints: Checkpoints, folder: Path, tmp_path: Path) -> None:
    manifest = commit(checkpoints, folder).manifest
    assert manifest.is_folder
    path = checkpoints.fetch(manifest, tmp_path / "resume")
    assert contents(path) == contents(folder)
    assert contents(tmp_path / "resume").keys() == {f"checkpoint-5/{n}" for n in contents(folder)}


def test_odd_names_come_back(checkpoints: Checkpoints, tmp_path: Path) -> None:
    odd = os.fsdecode(b"new\nline \xff\\x41 'quoted'")
    folder = tmp_path / odd
    folder.mkdir()
    (folder / odd).write_bytes(b"1")
    path = checkpoints.fetch(commit(checkpoints, folder).manifest, tmp_path / "resume")
    assert path == tmp_path / "resume" / odd
    assert [entry.name for entry in path.iterdir()] == [odd]


def test_an_empty_folder_comes_back(checkpoints: Checkpoints, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    path = checkpoints.fetch(commit(checkpoints, tmp_path / "empty").manifest, tmp_path / "to")
    assert path.is_dir()


def test_equal_parts_are_sent_once(checkpoints: Checkpoints, file: Path) -> None:
    assert commit(checkpoints, file, 1).sent_bytes == 20
    file.write_bytes(bytes(range(16)) + b"more")
    assert commit(checkpoints, file, 2).sent_bytes == 4


def test_an_earlier_fetch_is_replaced(
    checkpoints: Checkpoints, file: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "resume" / "last.ckpt").mkdir(parents=True)
    (tmp_path / "resume" / ".last.ckpt.part").mkdir()
    path = checkpoints.fetch(commit(checkpoints, file).manifest, tmp_path / "resume")
    assert contents(tmp_path / "resume") == {"last.ckpt": path.read_bytes()}


# -- committing


def test_what_changes_while_it_is_read_is_not_committed(
    checkpoints: Checkpoints, objects: MemoryObjects, file: Path
) -> None:
    def write_and_go_on() -> bool:
        file.write_bytes(b"other bytes of the script")
        return False

    with pytest.raises(CheckpointChanged):
        checkpoints.commit(
            file, name="a", attempt=1, seq=1, summary=SUMMARY, is_cancelled=write_and_go_on
        )
    assert checkpoints.keys() == []


def test_a_cancelled_commit_leaves_no_manifest(checkpoints: Checkpoints, file: Path) -> None:
    with pytest.raises(CheckpointChanged):
        checkpoints.commit(
            file, name="a", attempt=1, seq=1, summary=SUMMARY, is_cancelled=lambda: True
        )
    assert checkpoints.keys() == []


def test_a_commit_done_again_is_the_same(
    checkpoints: Checkpoints, file: Path, clock: FakeClock
) -> None:
    """The time of the first one stands: what was committed is never written anew."""
    first = commit(checkpoints, file)
    clock.advance(5)
    assert commit(checkpoints, file).manifest == first.manifest
    assert checkpoints.keys() == [first.manifest.key]


def test_a_stranger_s_manifest_at_the_key_is_not_overwritten(
    checkpoints: Checkpoints, file: Path
) -> None:
    first = commit(checkpoints, file).manifest
    file.write_bytes(b"other")
    with pytest.raises(ObjectExists):
        commit(checkpoints, file)
    assert checkpoints.read(first.key) == first


def test_the_manifest_is_written_last(objects: MemoryObjects, file: Path) -> None:
    faulty = FaultyObjects(objects)
    ledger = Ledger(faulty)
    committed = commit(Checkpoints(ledger, RUN_ID, FakeClock()), file)
    assert len(faulty.written_keys) == 4
    assert faulty.written_keys[-1] == committed.manifest.key


def test_a_file_that_leads_out_is_refused(checkpoints: Checkpoints, folder: Path) -> None:
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(UnsafePath, match="link"):
        commit(checkpoints, folder)
    assert checkpoints.keys() == []


# -- damage

Damage = Callable[[MemoryObjects, Manifest], None]


def flip(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def second_blob(manifest: Manifest) -> str:
    return f"blobs/{manifest.files[0].parts[1].sha256}"


def move_manifest(objects: MemoryObjects, manifest: Manifest, key: str) -> None:
    objects.put(key, objects.get(manifest.key))
    objects.delete(manifest.key)


DAMAGES: dict[str, Damage] = {
    "flipped blob": lambda o, m: o.damage(second_blob(m), flip(o.get(second_blob(m)), 3)),
    "truncated blob": lambda o, m: o.damage(second_blob(m), o.get(second_blob(m))[:-1]),
    "longer blob": lambda o, m: o.damage(second_blob(m), o.get(second_blob(m)) + b"x"),
    "deleted blob": lambda o, m: o.delete(second_blob(m)),
    "empty manifest": lambda o, m: o.damage(m.key, b""),
    "truncated manifest": lambda o, m: o.damage(m.key, o.get(m.key)[:-1]),
    "half a manifest": lambda o, m: o.damage(m.key, o.get(m.key)[: len(o.get(m.key)) // 2]),
    "flipped manifest": lambda o, m: o.damage(m.key, o.get(m.key).replace(b"384", b"385")),
    "another step": lambda o, m: o.damage(m.key, o.get(m.key).replace(b'"step":7', b'"step":8')),
    "renamed manifest": lambda o, m: move_manifest(o, m, RunPaths(RUN_ID).manifest(1, 7)),
    "another run's": lambda o, m: rewrite(o, m, run_id=make_run_id(NOW, b"\7" * 4)),
    "another key's": lambda o, m: rewrite(o, m, key=RunPaths(RUN_ID).manifest(1, 7)),
    "other size": lambda o, m: rewrite(
        o,
        m,
        files=tuple(
            msgspec.structs.replace(
                f, parts=tuple(msgspec.structs.replace(p, size_bytes=9) for p in f.parts)
            )
            for f in m.files
        ),
    ),
    "no digest": lambda o, m: rewrite(
        o,
        m,
        files=tuple(
            msgspec.structs.replace(
                f, parts=tuple(msgspec.structs.replace(p, sha256="../x") for p in f.parts)
            )
            for f in m.files
        ),
    ),
    "no file": lambda o, m: rewrite(o, m, files=()),
    "two files in one": lambda o, m: rewrite(o, m, **with_paths(m, "a", "b")),
    "a name for nothing": lambda o, m: rewrite(o, m, name=".."),
    "an empty name": lambda o, m: rewrite(o, m, name=""),
    "a name no escape has": lambda o, m: rewrite(o, m, name="a\\b"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_found_and_the_last_good_one_is_taken(
    checkpoints: Checkpoints,
    objects: MemoryObjects,
    file: Path,
    tmp_path: Path,
    damage: Damage,
) -> None:
    good = commit(checkpoints, file, 1).manifest
    file.write_bytes(bytes(range(100, 120)))
    damage(objects, commit(checkpoints, file, 2).manifest)
    resume = tmp_path / "resume"
    choice = fetch_newest(checkpoints, resume)
    assert choice.manifest == good
    assert choice.path == resume / "last.ckpt"
    assert contents(resume)["last.ckpt"] == bytes(range(20))
    ((key, why),) = choice.passed_over.items()
    assert label_of(key) in ("1/2", "1/7")
    assert why


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_raises_and_leaves_nothing_under_the_final_name(
    checkpoints: Checkpoints,
    objects: MemoryObjects,
    file: Path,
    tmp_path: Path,
    damage: Damage,
) -> None:
    damage(objects, commit(checkpoints, file).manifest)
    (key,) = checkpoints.keys()
    resume = tmp_path / "resume"
    with pytest.raises(IntegrityError):
        checkpoints.fetch(checkpoints.read(key), resume)
    assert not (resume / "last.ckpt").exists()
    choice = fetch_newest(checkpoints, resume)
    assert (choice.manifest, choice.path, list(choice.passed_over)) == (None, None, [key])


@pytest.mark.parametrize("name", ["flipped blob", "truncated blob", "longer blob", "deleted blob"])
def test_verify_reads_as_deep_as_it_is_asked(
    checkpoints: Checkpoints, objects: MemoryObjects, file: Path, name: str
) -> None:
    manifest = commit(checkpoints, file).manifest
    checkpoints.verify(manifest, deep=True)
    DAMAGES[name](objects, manifest)
    with pytest.raises(IntegrityError, match=second_blob(manifest).removeprefix("blobs/")):
        checkpoints.verify(manifest, deep=True)
    if name != "flipped blob":
        with pytest.raises(IntegrityError):
            checkpoints.verify(manifest, deep=False)


def test_every_flipped_bit_of_a_manifest_is_seen(
    checkpoints: Checkpoints, objects: MemoryObjects, file: Path
) -> None:
    manifest = commit(checkpoints, file).manifest
    data = objects.get(manifest.key)
    for at in range(len(data)):
        for bit in (1, 0x20, 0x80):
            changed = bytearray(data)
            changed[at] ^= bit
            objects.damage(manifest.key, bytes(changed))
            try:
                assert checkpoints.read(manifest.key) == manifest, (at, bit)
            except IntegrityError:
                continue


@pytest.mark.parametrize(
    "path",
    ["../x", "/tmp/x", "a/../../x", "..", "", ".", "a//x", "a/./x", "a\0x", "deep/../../x"],
)
def test_a_path_that_leads_out_is_refused_and_nothing_is_written(
    checkpoints: Checkpoints,
    objects: MemoryObjects,
    folder: Path,
    tmp_path: Path,
    path: str,
) -> None:
    manifest = commit(checkpoints, folder).manifest
    before = contents(tmp_path)
    rewrite(objects, manifest, **with_paths(manifest, "good", path))
    with pytest.raises(UnsafePath):
        checkpoints.read(manifest.key)
    hostile = msgspec.structs.replace(manifest, **with_paths(manifest, path))
    with pytest.raises(UnsafePath):
        checkpoints.fetch(hostile, tmp_path / "resume")
    assert contents(tmp_path) == before
    assert fetch_newest(checkpoints, tmp_path / "resume").manifest is None


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b"), ("a/b/c", "a/b")])
def test_files_in_each_other_s_place_are_refused(
    checkpoints: Checkpoints, objects: MemoryObjects, folder: Path, paths: tuple[str, ...]
) -> None:
    manifest = commit(checkpoints, folder).manifest
    rewrite(objects, manifest, **with_paths(manifest, *paths))
    with pytest.raises(IntegrityError):
        checkpoints.read(manifest.key)


@pytest.mark.parametrize("name", ["a/..", "a/.", "..", ".", "/", "a\0b"])
def test_a_name_that_leads_out_is_refused(
    checkpoints: Checkpoints, file: Path, tmp_path: Path, name: str
) -> None:
    manifest = msgspec.structs.replace(commit(checkpoints, file).manifest, name=name)
    before = contents(tmp_path)
    with pytest.raises(UnsafePath):
        checkpoints.fetch(manifest, tmp_path / "resume")
    assert contents(tmp_path) == before


def test_a_fetch_replaces_nothing_before_it_is_whole(
    checkpoints: Checkpoints, objects: MemoryObjects, file: Path, tmp_path: Path
) -> None:
    resume = tmp_path / "resume"
    checkpoints.fetch(commit(checkpoints, file).manifest, resume)
    file.write_bytes(bytes(range(50, 70)))
    newer = commit(checkpoints, file, 2).manifest
    DAMAGES["deleted blob"](objects, newer)
    with pytest.raises(IntegrityError):
        checkpoints.fetch(newer, resume)
    assert (resume / "last.ckpt").read_bytes() == bytes(range(20))


# -- finding


def test_a_checkpoint_is_found_by_what_users_call_it(checkpoints: Checkpoints, file: Path) -> None:
    first, second = (commit(checkpoints, file, seq).manifest for seq in (1, 2))
    assert find(checkpoints, "latest") == second.key
    assert find(checkpoints, "1/1") == first.key
    assert find(checkpoints, first.key) == first.key
    assert find(checkpoints, "last.ckpt") == second.key
    assert find(checkpoints, "step=7") == second.key


@pytest.mark.parametrize("wanted", ["latest", "1/1", "last.ckpt", "step=7", ""])
def test_what_is_not_there_is_not_found(checkpoints: Checkpoints, wanted: str) -> None:
    with pytest.raises(CheckpointNotFound):
        find(checkpoints, wanted)


def test_damaged_ones_do_not_hide_the_others(
    checkpoints: Checkpoints, objects: MemoryObjects, file: Path
) -> None:
    first, second = (commit(checkpoints, file, seq).manifest for seq in (1, 2))
    objects.damage(second.key, b"{")
    assert find(checkpoints, "step=7") == first.key


def test_a_discarded_one_no_longer_exists(
    checkpoints: Checkpoints, file: Path, tmp_path: Path
) -> None:
    first, second = (commit(checkpoints, file, seq).manifest for seq in (1, 2))
    checkpoints.discard(second.key)
    assert checkpoints.keys() == [first.key]
    assert fetch_newest(checkpoints, tmp_path / "resume").manifest == first


def test_a_name_is_escaped_in_its_record(checkpoints: Checkpoints, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff")
    path.write_bytes(b"1")
    assert commit(checkpoints, path).manifest.name == escape_name(path.name) == "\\xff"


def test_parts_are_small_enough_for_any_store() -> None:
    assert blobs_module.PART_BYTES <= 64 * 1024**2


def test_a_summary_with_an_integer_where_a_float_may_stand_keeps_its_digest(
    tmp_path: Path,
) -> None:
    """What a checkpoint tells is typed by its format, not by us: 2 and 2.0 are one epoch."""
    ledger = Ledger(MemoryObjects())
    checkpoints = Checkpoints(ledger, RUN_ID, lambda: NOW)
    path = tmp_path / "a.json"
    path.write_text("{}", encoding="utf-8")
    summary = Summary(format="json", epoch=2, loss=1, metrics={"accuracy": 1})
    committed = checkpoints.commit(path, name="a.json", attempt=1, seq=1, summary=summary)
    assert checkpoints.read(committed.manifest.key).summary.epoch == 2
