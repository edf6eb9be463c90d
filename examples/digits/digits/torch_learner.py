"""The same network in torch, with its checkpoints as .pt files."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import nn

from digits.dataset import CLASSES, PIXELS
from digits.network import DROPOUT, Array, Labels, Weights
from digits.options import Options, ResumeError, check_hyperparameters
from digits.progress import Progress

_UNREADABLE = (
    *(OSError, RuntimeError, ValueError, KeyError, EOFError),
    *(pickle.UnpicklingError, zipfile.BadZipFile),
)


class TorchLearner:
    """A `digits.training.Learner` on the CPU; dropout draws from torch's own random numbers."""

    suffix = ".pt"

    def __init__(self, hidden: int, seed: int) -> None:
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(mode=True)
        torch.manual_seed(seed)
        self.model = nn.Sequential(
            nn.Linear(PIXELS, hidden), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(hidden, CLASSES)
        )
        self.optimizer = torch.optim.Adam(self.model.parameters())

    def learn(self, images: Array, labels: Labels, lr: float) -> float:
        self.model.train()
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.zero_grad()
        scores = self.model(torch.from_numpy(images))
        loss = nn.functional.cross_entropy(scores, torch.from_numpy(labels))
        torch.autograd.backward(loss)
        self.optimizer.step()
        return float(loss.item())

    def predict(self, images: Array) -> Labels:
        self.model.eval()
        with torch.no_grad():
            guesses: Labels = self.model(torch.from_numpy(images)).argmax(dim=1).numpy()
        return guesses

    def weights(self) -> Weights:
        return {name: tensor.numpy() for name, tensor in self.model.state_dict().items()}

    def write_model(self, file: BinaryIO) -> None:
        torch.save(self.model.state_dict(), file)

    def write_checkpoint(self, file: BinaryIO, progress: Progress, options: Options) -> None:
        fields: dict[str, Any] = {
            **progress.to_fields(),
            "permutation": torch.from_numpy(progress.permutation),
            "hyperparameters": json.dumps(options.hyperparameters()),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "torch_rng_state": torch.get_rng_state(),
        }
        torch.save(fields, file)

    def restore(self, path: Path, options: Options) -> Progress:
        try:
            _check_sums(path)
            fields = torch.load(path, weights_only=True)
            check_hyperparameters(json.loads(fields["hyperparameters"]), options, path.name)
            self.model.load_state_dict(fields["model"])
            self.optimizer.load_state_dict(fields["optimizer"])
            torch.set_rng_state(fields["torch_rng_state"])
            permutation = fields["permutation"].numpy().astype(np.int64)
            return Progress.from_fields(fields, permutation)
        except _UNREADABLE as error:
            raise ResumeError(f"{path} is not a whole checkpoint of this script: {error}") from None


def _check_sums(path: Path) -> None:
    """Raise BadZipFile for a damaged file, which torch.load would take as it is."""
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"{damaged} does not match its checksum")
