"""The training loop, the same for every kind of network."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from digits.dataset import Dataset, load_dataset
from digits.files import checkpoint_folder, find_checkpoint, output_folder, write_atomically
from digits.interruption import Interruption
from digits.options import Options, ResumeError
from digits.progress import Progress

_DECAY_PER_EPOCH = 0.95


class Learner(Protocol):
    """A network with its optimizer. Images are (samples, 64) float32, labels (samples,) int64."""

    suffix: str

    def learn(self, images: NDArray[np.float32], labels: NDArray[np.int64], lr: float) -> float:
        """Take one optimizer step and give the mean loss of the batch before it."""

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the most likely digit of each image."""

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Give the weights by name."""

    def write_model(self, file: BinaryIO) -> None:
        """Write the weights alone."""

    def write_checkpoint(self, file: BinaryIO, progress: Progress, options: Options) -> None:
        """Write all that `restore` needs."""

    def restore(self, path: Path, options: Options) -> Progress:
        """Go back to a checkpoint; raises ResumeError if it is not one of this very run."""


def train(options: Options, learner: Learner, progress: Progress) -> int:
    """Train to the end, from the start or from RUNCTL_RESUME_FROM, and give the exit status."""
    try:
        if checkpoint := find_checkpoint(learner.suffix):
            progress = learner.restore(checkpoint, options)
            emit(step=progress.step, epoch=progress.epoch, resumed_from=str(checkpoint))
    except ResumeError as error:
        print(f"cannot resume: {error}", file=sys.stderr)
        return 2
    trainer = Trainer(options, learner, progress, load_dataset())
    trainer.run()
    trainer.write_outputs()
    return 0


class Trainer:
    """One run: steps, metrics, checkpoints."""

    def __init__(
        self, options: Options, learner: Learner, progress: Progress, dataset: Dataset
    ) -> None:
        self.options = options
        self.learner = learner
        self.progress = progress
        self.dataset = dataset
        self.interruption = Interruption()

    @property
    def is_finished(self) -> bool:
        return self.progress.epoch >= self.options.epochs and self.progress.is_epoch_done

    def run(self) -> None:
        """Step until all epochs are done; a SIGTERM saves at the next boundary and ends it."""
        while not self.is_finished:
            self.take_step()
            if self.progress.is_epoch_done:
                emit(**self._where(), test_accuracy=self.measure_accuracy())
            self.interruption.pause(self.options.step_delay)
            self.save_if_due()

    def take_step(self) -> None:
        """Learn from one batch and print its metrics; a loss that is no number ends the run."""
        data, progress = self.dataset, self.progress
        batch = progress.take_batch(len(data.train_labels), self.options.batch_size)
        lr = self.options.lr * _DECAY_PER_EPOCH ** (progress.epoch - 1)
        progress.loss = self.learner.learn(data.train_images[batch], data.train_labels[batch], lr)
        if not math.isfinite(progress.loss):
            raise SystemExit(f"the loss of step {progress.step} is {progress.loss}: lower --lr")
        if progress.step % self.options.log_every == 0:
            emit(**self._where(), loss=progress.loss, lr=lr)

    def save_if_due(self) -> None:
        """Save every so many steps, at the end, and before giving way to a SIGTERM."""
        is_due = self.progress.step % self.options.checkpoint_every == 0
        if is_due or self.is_finished or self.interruption.is_requested:
            self.save()
        if self.interruption.is_requested:  # asked again: it may have come while saving
            self.interruption.obey()

    def save(self) -> None:
        path = checkpoint_folder() / f"step-{self.progress.step:06d}{self.learner.suffix}"
        write_atomically(
            path, lambda file: self.learner.write_checkpoint(file, self.progress, self.options)
        )
        emit(**self._where(), checkpoint=path.name)

    def write_outputs(self) -> None:
        """Write the model and its figures, and print the figures as the last line."""
        figures: dict[str, object] = {
            **self._where(),
            "final_accuracy": self.measure_accuracy(),
            "weights_sha256": digest(self.learner.weights()),
        }
        text = json.dumps({**figures, "hyperparameters": self.options.hyperparameters()}, indent=2)
        folder = output_folder()
        write_atomically(folder / f"model{self.learner.suffix}", self.learner.write_model)
        write_atomically(folder / "metrics.json", lambda file: _write_text(file, text + "\n"))
        emit(**figures)

    def measure_accuracy(self) -> float:
        """Give the share of the held-back digits that are read right, 0 to 1."""
        guesses = self.learner.predict(self.dataset.test_images)
        return float((guesses == self.dataset.test_labels).mean())

    def _where(self) -> dict[str, object]:
        return {"step": self.progress.step, "epoch": self.progress.epoch}


def emit(**figures: object) -> None:
    """Print one JSON line, at once: whoever follows the run should not have to wait for it."""
    print(json.dumps(figures, allow_nan=False), flush=True)


def digest(weights: dict[str, NDArray[np.float32]]) -> str:
    """Give the SHA-256 of names, types, shapes and bytes: equal only if every bit is."""
    total = hashlib.sha256()
    for name, array in sorted(weights.items()):
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _write_text(file: BinaryIO, text: str) -> None:
    file.write(text.encode())
