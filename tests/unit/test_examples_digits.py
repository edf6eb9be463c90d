"""The digits example from within: any step is a safe place to stop, any write is all or none."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"
SAMPLES, BATCH, EPOCHS = 37, 8, 3  # the last batch of an epoch is a smaller one
STEPS = 5 * EPOCHS


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The example's package, imported as its scripts import it and forgotten afterwards."""
    handler, environ = signal.getsignal(signal.SIGTERM), dict(os.environ)
    monkeypatch.syspath_prepend(EXAMPLE)
    names = ("files", "network", "numpy_learner", "options", "progress", "training")
    yield SimpleNamespace(**{name: importlib.import_module(f"digits.{name}") for name in names})
    for name in [name for name in sys.modules if name.partition(".")[0] == "digits"]:
        del sys.modules[name]
    os.environ.clear()
    os.environ.update(environ)
    signal.signal(signal.SIGTERM, handler)


def make_trainer(digits: Any, resume: Path | None = None) -> Any:
    """A trainer on random images, at its start or at a checkpoint."""
    values = {"--epochs": EPOCHS, "--batch-size": BATCH, "--hidden": 6, "--checkpoint-every": 1}
    argv = [str(word) for pair in values.items() for word in pair]
    options = digits.options.parse_options("", argv)
    progress = digits.progress.Progress.start(options.seed)
    network = digits.network.Network(options.hidden, progress.rng)
    learner = digits.numpy_learner.NumpyLearner(network, progress.rng)
    if resume is not None:
        progress = learner.restore(resume, options)
    return digits.training.Trainer(options, learner, progress, make_dataset())


def make_dataset() -> SimpleNamespace:
    rng = np.random.default_rng(7)
    images = rng.random((SAMPLES, 64), dtype=np.float32)
    labels = rng.integers(0, 10, SAMPLES)
    return SimpleNamespace(
        train_images=images, train_labels=labels, test_images=images, test_labels=labels
    )


def test_every_step_is_a_safe_place_to_stop(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNCTL_CHECKPOINT_DIR", str(tmp_path / "whole"))
    make_trainer(digits).run()
    whole = sorted((tmp_path / "whole").iterdir())
    assert len(whole) == STEPS
    for checkpoint in whole[:-1]:
        folder = tmp_path / checkpoint.stem
        monkeypatch.setenv("RUNCTL_CHECKPOINT_DIR", str(folder))
        make_trainer(digits, checkpoint).run()
        assert len(list(folder.iterdir())) == STEPS - int(checkpoint.stem[5:])
        for path in folder.iterdir():
            assert path.read_bytes() == (tmp_path / "whole" / path.name).read_bytes()


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
def test_a_failed_write_leaves_what_was_there(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, old: bytes | None
) -> None:
    path = tmp_path / "step-000001.npz"
    if old is not None:
        path.write_bytes(old)
    seen: list[bytes | None] = []

    def fail(*_: object) -> None:
        seen.append(path.read_bytes() if path.exists() else None)
        raise OSError(28, "No space left on device")

    def write(file: BinaryIO) -> None:
        file.write(b"new" * 100_000)
        if broken == "write":
            fail()

    if broken != "write":
        monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[broken], fail)
    with pytest.raises(OSError, match="No space left"):
        digits.files.write_atomically(path, write)
    assert seen == [old]
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([] if old is None else [old])


def test_the_newest_of_a_folder_is_resumed_from(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNCTL_RESUME_FROM", str(tmp_path))
    names = ("step-000009.npz", "step-1000010.npz", "step-999999.npz", "step-best.npz")
    for name in (*names, ".step-2000000.npz.partial", "step-3000000.pt", "notes.txt"):
        (tmp_path / name).touch()
    assert digits.files.find_checkpoint(".npz") == tmp_path / "step-1000010.npz"
    assert digits.files.find_checkpoint(".pt") == tmp_path / "step-3000000.pt"


def test_an_empty_resume_variable_means_none(digits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNCTL_RESUME_FROM", "")
    assert digits.files.find_checkpoint(".npz") is None
