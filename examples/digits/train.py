"""Train a small network on handwritten digits, in numpy, so that it can be stopped at any step.

Metrics are JSON lines on stdout. A run that is interrupted and resumed through RUNCTL_RESUME_FROM
ends with the same weights, bit for bit, as one that was left alone.
"""

from __future__ import annotations

import sys

from digits.network import Network
from digits.numpy_learner import NumpyLearner
from digits.options import parse_options
from digits.progress import Progress
from digits.training import train


def main() -> int:
    options = parse_options("Train a small network on handwritten digits, in numpy.")
    progress = Progress.start(options.seed)
    learner = NumpyLearner(Network(options.hidden, progress.rng), progress.rng)
    return train(options, learner, progress)


if __name__ == "__main__":
    sys.exit(main())
