# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scikit-learn==1.9.1", "torch==2.13.0"]
# ///
"""Train a small network on handwritten digits, in torch, so that it can be stopped at any step.

The same arguments, metrics and promises as train.py; checkpoints are .pt files.
"""

from __future__ import annotations

import sys

from digits.options import parse_options
from digits.progress import Progress
from digits.torch_learner import TorchLearner
from digits.training import train


def main() -> int:
    options = parse_options("Train a small network on handwritten digits, in torch.")
    return train(options, TorchLearner(options.hidden, options.seed), Progress.start(options.seed))


if __name__ == "__main__":
    sys.exit(main())
