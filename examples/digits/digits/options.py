"""The command line of the trainers, and which of it must stay the same when a run is resumed."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class ResumeError(Exception):
    """A checkpoint cannot be resumed from; the message says which one and why."""


@dataclass(frozen=True)
class Options:
    """Parsed arguments; `step_delay` is in seconds, `checkpoint_every` in steps."""

    epochs: int
    lr: float
    batch_size: int
    hidden: int
    seed: int
    checkpoint_every: int
    log_every: int
    step_delay: float

    def hyperparameters(self) -> dict[str, int | float]:
        """Give what decides the final weights, as it is kept in a checkpoint."""
        return {
            "epochs": self.epochs,
            "lr": self.lr,
            "batch_size": self.batch_size,
            "hidden": self.hidden,
            "seed": self.seed,
        }


def parse_options(description: str, argv: Sequence[str] | None = None) -> Options:
    """Read the command line; a bad value exits with status 2 and names the argument."""
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add("--epochs", type=_count, default=20, help="passes over the training data (%(default)s)")
    add("--lr", type=_rate, default=0.003, help="learning rate of the first epoch (%(default)s)")
    add("--batch-size", type=_count, default=32, help="samples per step (%(default)s)")
    add("--hidden", type=_count, default=64, help="units of the hidden layer (%(default)s)")
    add("--seed", type=_seed, default=0, help="of weights, shuffling and dropout (%(default)s)")
    add("--checkpoint-every", type=_count, default=50, metavar="STEPS", help="(%(default)s)")
    add("--log-every", type=_count, default=1, metavar="STEPS", help="(%(default)s)")
    add("--step-delay", type=_seconds, default=0.0, metavar="SECONDS", help="slow down a demo")
    return Options(**vars(parser.parse_args(argv)))


def check_hyperparameters(saved: Mapping[str, int | float], wanted: Options, name: str) -> None:
    """Raise `ResumeError` unless `wanted` continues the run that wrote checkpoint `name`.

    Only the number of epochs may differ, and only grow: everything else would make a run that no
    undisturbed run can equal.
    """
    asked = wanted.hyperparameters()
    for key, value in asked.items():
        was = saved.get(key)
        if was == value or (key == "epochs" and was is not None and was < value):
            continue
        flag = "--" + key.replace("_", "-")
        raise ResumeError(f"{name} was made with {flag} {was}, this run asks for {flag} {value}")


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _seed(text: str) -> int:
    if (number := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def _rate(text: str) -> float:
    if not (math.isfinite(number := float(text)) and number > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _seconds(text: str) -> float:
    if not (math.isfinite(number := float(text)) and number >= 0):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return number
