"""A perceptron with one hidden layer and Adam, forward and backward by hand, in numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digits.dataset import CLASSES, PIXELS

DROPOUT = 0.1
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8

Array = NDArray[np.float32]
Labels = NDArray[np.int64]
Weights = dict[str, Array]


class Network:
    """Weights by name: `w1` (64, hidden), `b1` (hidden,), `w2` (hidden, 10), `b2` (10,)."""

    def __init__(self, hidden: int, rng: np.random.Generator) -> None:
        self.weights: Weights = {
            "w1": _draw(rng, PIXELS, hidden),
            "b1": np.zeros(hidden, np.float32),
            "w2": _draw(rng, hidden, CLASSES),
            "b2": np.zeros(CLASSES, np.float32),
        }

    def predict(self, images: Array) -> Labels:
        """Give the most likely digit of each image of (samples, 64)."""
        hidden = np.maximum(self._before_hidden(images), 0)
        guesses: Labels = np.argmax(self._scores(hidden), axis=1).astype(np.int64)
        return guesses

    def find_gradients(
        self, images: Array, labels: Labels, rng: np.random.Generator
    ) -> tuple[float, Weights]:
        """Give the mean cross-entropy of a batch and its gradient by each weight."""
        before = self._before_hidden(images)
        mask = draw_mask(rng, before.shape)
        hidden = np.maximum(before, 0) * mask
        chances = _softmax(self._scores(hidden))
        rows = np.arange(len(labels))
        loss = float(-np.log(np.maximum(chances[rows, labels], 1e-30)).mean())
        chances[rows, labels] -= 1
        error = chances / np.float32(len(labels))
        error_before = (error @ self.weights["w2"].T) * mask * (before > 0)
        return loss, {
            "w1": images.T @ error_before,
            "b1": error_before.sum(axis=0),
            "w2": hidden.T @ error,
            "b2": error.sum(axis=0),
        }

    def _before_hidden(self, images: Array) -> Array:
        return images @ self.weights["w1"] + self.weights["b1"]

    def _scores(self, hidden: Array) -> Array:
        return hidden @ self.weights["w2"] + self.weights["b2"]


class Adam:
    """Changes weights in place; `first` and `second` are the moments, shaped as the weights."""

    def __init__(self, weights: Weights) -> None:
        self.steps = 0
        self.first = {name: np.zeros_like(array) for name, array in weights.items()}
        self.second = {name: np.zeros_like(array) for name, array in weights.items()}

    def update(self, weights: Weights, gradients: Weights, lr: float) -> None:
        """Take one step down the gradients."""
        self.steps += 1
        scale = np.float32(lr / (1 - _BETA1**self.steps))
        for name, gradient in gradients.items():
            first, second = self.first[name], self.second[name]
            first += (1 - _BETA1) * (gradient - first)
            second += (1 - _BETA2) * (gradient**2 - second)
            spread = np.sqrt(second / (1 - _BETA2**self.steps)) + _EPSILON
            weights[name] -= scale * first / spread


def draw_mask(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Give a dropout mask: zero with the chance `DROPOUT`, else scaled up to keep the mean."""
    return ((rng.random(shape) >= DROPOUT) / (1 - DROPOUT)).astype(np.float32)


def _draw(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Give starting weights of (inputs, outputs), with the spread He et al. advise for ReLU."""
    weights: Array = rng.standard_normal((inputs, outputs)).astype(np.float32)
    return weights * np.float32(np.sqrt(2 / inputs))


def _softmax(scores: Array) -> Array:
    """Turn scores of (samples, classes) into chances that sum to 1 in each row."""
    powers: Array = np.exp(scores - scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers
