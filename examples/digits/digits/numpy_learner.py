"""The numpy network as the training loop sees it, with its checkpoints as .npz files."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from digits.network import Adam, Array, Labels, Network, Weights
from digits.options import Options, ResumeError, check_hyperparameters
from digits.progress import Progress

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


class NumpyLearner:
    """A `digits.training.Learner`; `rng` is the one its `Progress` holds, for shuffling too."""

    suffix = ".npz"

    def __init__(self, network: Network, rng: np.random.Generator) -> None:
        self.network = network
        self.optimizer = Adam(network.weights)
        self.rng = rng

    def learn(self, images: Array, labels: Labels, lr: float) -> float:
        loss, gradients = self.network.find_gradients(images, labels, self.rng)
        self.optimizer.update(self.network.weights, gradients, lr)
        return loss

    def predict(self, images: Array) -> Labels:
        return self.network.predict(images)

    def weights(self) -> Weights:
        return self.network.weights

    def write_model(self, file: BinaryIO) -> None:
        np.savez(file, allow_pickle=False, **self.network.weights)

    def write_checkpoint(self, file: BinaryIO, progress: Progress, options: Options) -> None:
        fields = {name: np.array(value) for name, value in progress.to_fields().items()}
        fields["hyperparameters"] = np.array(json.dumps(options.hyperparameters()))
        fields["permutation"] = progress.permutation
        for part, arrays in self._parts().items():
            fields |= {f"{part}.{name}": array for name, array in arrays.items()}
        np.savez(file, allow_pickle=False, **fields)

    def restore(self, path: Path, options: Options) -> Progress:
        try:
            with np.load(path, allow_pickle=False) as file:
                fields = dict(file)
            check_hyperparameters(json.loads(str(fields["hyperparameters"])), options, path.name)
            for part, arrays in self._parts().items():
                arrays |= {name: fields[f"{part}.{name}"] for name in arrays}
            progress = Progress.from_fields(fields, fields["permutation"])
        except _UNREADABLE as error:
            raise ResumeError(f"{path} is not a whole checkpoint of this script: {error}") from None
        self.rng, self.optimizer.steps = progress.rng, progress.step
        return progress

    def _parts(self) -> dict[str, Weights]:
        optimizer = self.optimizer
        return {
            "model": self.network.weights,
            "adam_first": optimizer.first,
            "adam_second": optimizer.second,
        }
