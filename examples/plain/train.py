"""Fit a line through noisy points. Knows nothing of runctl, and not much of anything else.

A stand-in for the script everybody has: prints text, writes pickles into its own folder as they
come, handles no signal. `--resume` takes one of its pickles.
"""

from __future__ import annotations

import argparse
import pickle
import random
import time
from dataclasses import dataclass
from pathlib import Path

CHECKPOINTS = Path("checkpoints")
SLOPE, INTERCEPT = 3.0, -1.0


@dataclass
class Line:
    slope: float = 0.0
    intercept: float = 0.0

    def learn(self, x: float, y: float, rate: float) -> float:
        """Take one step of gradient descent and give the squared error before it."""
        error = self.slope * x + self.intercept - y
        self.slope -= rate * error * x
        self.intercept -= rate * error
        return error**2


def draw_point(step: int) -> tuple[float, float]:
    """Give the point of a step; the same for every run."""
    rng = random.Random(step)  # noqa: S311
    x = rng.uniform(-1, 1)
    return x, SLOPE * x + INTERCEPT + rng.gauss(0, 0.05)


def save(step: int, line: Line, loss: float) -> None:
    CHECKPOINTS.mkdir(exist_ok=True)
    with (CHECKPOINTS / f"line-{step}.pkl").open("wb") as file:
        pickle.dump(
            {"step": step, "loss": loss, "slope": line.slope, "intercept": line.intercept}, file
        )


def load(path: Path) -> tuple[int, Line]:
    with path.open("rb") as file:
        saved = pickle.load(file)
    return saved["step"], Line(saved["slope"], saved["intercept"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit a line through noisy points.")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--delay", type=float, default=0.01, help="seconds per step")
    parser.add_argument("--save-every", type=int, default=50, help="steps")
    parser.add_argument("--resume", type=Path, metavar="PICKLE")
    options = parser.parse_args()

    done, line = load(options.resume) if options.resume else (0, Line())
    print(f"Fitting a line, from step {done} to {options.steps}")
    for step in range(done + 1, options.steps + 1):
        loss = line.learn(*draw_point(step), rate=0.1)
        time.sleep(options.delay)
        if step % 20 == 0:
            print(f"step {step}/{options.steps}  loss {loss:.5f}")
        if step % options.save_every == 0:
            save(step, line, loss)
            print(f"saved {CHECKPOINTS}/line-{step}.pkl")
    print(f"Done: y = {line.slope!r} * x + {line.intercept!r}")


if __name__ == "__main__":
    main()
