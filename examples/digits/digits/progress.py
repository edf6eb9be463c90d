"""Where a run stands between two steps: all that is not in the network or its optimizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _nothing() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass
class Progress:
    """Position in the data and state of the random numbers.

    `epoch` counts from 1 and is 0 before the first step; `index` is how many samples of
    `permutation` (int64, one entry per training sample) the epoch has used up.
    """

    rng: np.random.Generator
    step: int = 0
    epoch: int = 0
    index: int = 0
    loss: float = 0.0
    permutation: NDArray[np.int64] = field(default_factory=_nothing)

    @classmethod
    def start(cls, seed: int) -> Progress:
        """Give the progress of a run that has not taken a step."""
        return cls(np.random.default_rng(seed))

    @property
    def is_epoch_done(self) -> bool:
        """True when the next step needs a new permutation, so also before the first step."""
        return self.index >= len(self.permutation)

    def take_batch(self, samples: int, batch_size: int) -> NDArray[np.int64]:
        """Give the indices of the next batch; the last one of an epoch may be smaller."""
        if self.is_epoch_done:
            self.epoch += 1
            self.index = 0
            self.permutation = self.rng.permutation(samples)
        batch = self.permutation[self.index : self.index + batch_size]
        self.index += len(batch)
        self.step += 1
        return batch

    def to_fields(self) -> dict[str, int | float | str]:
        """Give all but the permutation as plain values, the random state as JSON text."""
        return {
            "step": self.step,
            "epoch": self.epoch,
            "index": self.index,
            "loss": self.loss,
            "rng_state": json.dumps(self.rng.bit_generator.state),
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], permutation: NDArray[np.int64]) -> Progress:
        """Rebuild what `to_fields` gave; raises KeyError or ValueError for anything else."""
        rng = np.random.default_rng()
        rng.bit_generator.state = json.loads(str(fields["rng_state"]))
        return cls(
            rng,
            step=int(fields["step"]),
            epoch=int(fields["epoch"]),
            index=int(fields["index"]),
            loss=float(fields["loss"]),
            permutation=permutation,
        )
