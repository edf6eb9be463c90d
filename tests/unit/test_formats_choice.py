"""How a format is chosen, and what the description of a checkpoint means."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from runctl.errors import CheckpointNotFound
from runctl.store.formats import Description, Wholeness, check, describe, inspect_format, metric_of
from runctl.testing import format_samples as samples


@pytest.mark.parametrize("name", ["a.bin", "a.ckpt", "a.safetensors", "a.json", "a.txt", "a"])
def test_content_comes_before_the_name(name: str, tmp_path: Path) -> None:
    samples.write_torch_zip(tmp_path / name, {}, {})
    assert inspect_format(tmp_path / name).name == "torch"
    samples.write_torch_legacy(tmp_path / name, {}, {})
    assert inspect_format(tmp_path / name).name == "torch-legacy"
    samples.write_npz(tmp_path / name)
    assert inspect_format(tmp_path / name).name == "npz"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.pt", "torch"), ("a.npz", "npz"), ("a.json", "json"), ("A.PKL", "pickle"),
     ("a.safetensors", "safetensors"), ("a.bin", "torch"), ("a.log", "unknown")],
)  # fmt: skip
def test_the_name_decides_where_the_content_is_cut(
    name: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"")
    assert inspect_format(tmp_path / name).name == expected


def test_what_nobody_knows_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"raw floats" * 100)
    assert check(tmp_path / "a.bin", deep=True).wholeness is Wholeness.UNKNOWN
    assert describe(tmp_path / "a.bin").size_bytes == 1000
    assert check(tmp_path, deep=True).wholeness is Wholeness.UNKNOWN


def test_nothing_at_all_is_not_found(tmp_path: Path) -> None:
    for look in (inspect_format, describe):
        with pytest.raises(CheckpointNotFound):
            look(tmp_path / "absent.pt")


def test_a_numbered_folder_without_its_last_file_is_not_called_whole(tmp_path: Path) -> None:
    path = samples.write_folder(tmp_path)
    (path / "trainer_state.json").unlink()
    assert check(path, deep=True).wholeness is Wholeness.UNKNOWN
    samples.write_torch_zip(path / "training_args.bin", {}, {})
    assert check(path, deep=True).wholeness is Wholeness.TORN


def test_the_folders_progress_comes_from_the_trainers_state(tmp_path: Path) -> None:
    found = describe(samples.write_folder(tmp_path))
    assert metric_of(found, "eval_f1") == 0.5
    assert metric_of(found, "loss") == samples.LOSS


def test_lightnings_layout_is_understood(tmp_path: Path) -> None:
    weights = {"state_dict": {"net.w": samples.torch_tensor("0", (2,))}}
    state = {"epoch": 2, "global_step": 70, **weights, "callbacks": {"best": {"step": 5}}}
    samples.write_torch_zip(tmp_path / "a.ckpt", state, {"0": bytes(8)})
    found = describe(tmp_path / "a.ckpt")
    assert (found.step, found.epoch, found.parameter_count) == (70, 2, 2)
    assert [each.name for each in found.tensors] == ["state_dict.net.w"]


def test_tied_weights_count_once_and_optimizers_never(tmp_path: Path) -> None:
    tied = samples.torch_tensor("0", (8,))
    state = {"a": tied, "b": tied, "optimizer": {"m": samples.torch_tensor("1", (8,))}}
    samples.write_torch_zip(tmp_path / "a.pt", state, {"0": bytes(32), "1": bytes(32)})
    found = describe(tmp_path / "a.pt")
    assert (found.tensor_count, found.parameter_count) == (3, 8)


def test_storages_that_are_missing_or_short_are_found_by_a_deep_check(tmp_path: Path) -> None:
    state = {"a": samples.torch_tensor("0", (8,))}
    samples.write_torch_zip(tmp_path / "a.pt", state, {})
    assert "missing" in check(tmp_path / "a.pt", deep=True).reason
    samples.write_torch_zip(tmp_path / "a.pt", state, {"0": bytes(31)})
    assert "shorter" in check(tmp_path / "a.pt", deep=True).reason


def test_metrics_that_are_not_numbers_do_not_compete(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"loss": math.nan, "val_loss": 2, "step": 4}))
    found = describe(tmp_path / "a.json")
    assert metric_of(found, "loss") is None
    assert metric_of(found, "absent") is None
    assert (metric_of(found, "val_loss"), metric_of(found, "step")) == (2.0, 4.0)
    assert metric_of(Description(format="x", size_bytes=0, loss=math.inf), "loss") is None


@pytest.mark.parametrize("magic", [b"\x04\x22\x4d\x18", b"ZF0x12"])
def test_foreign_compression_is_not_called_torn(magic: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.joblib").write_bytes(magic + bytes(100))
    assert check(tmp_path / "a.joblib", deep=True).wholeness is Wholeness.UNKNOWN
    assert "compressed" in describe(tmp_path / "a.joblib").notes[0]
