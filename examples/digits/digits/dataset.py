"""The 1797 handwritten digits bundled with scikit-learn, split the same way for every run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
PIXELS = 64
_TEST_SAMPLES = 360
_BRIGHTEST = 16.0
_SPLIT_SEED = 20240229  # not --seed: runs with different seeds stay comparable


@dataclass(frozen=True)
class Dataset:
    """Images are float32 of shape (samples, 64) in [0, 1]; labels are int64 of shape (samples,)."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


def load_dataset() -> Dataset:
    """Read the digits and hold 360 of them back for testing."""
    # Imported late: it takes a second, and a refused resume should not have to wait for it.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    pixels, digits = load_digits(return_X_y=True)
    images = (pixels / _BRIGHTEST).astype(np.float32)
    labels = digits.astype(np.int64)
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(labels))
    test, train = order[:_TEST_SAMPLES], order[_TEST_SAMPLES:]
    return Dataset(images[train], labels[train], images[test], labels[test])
