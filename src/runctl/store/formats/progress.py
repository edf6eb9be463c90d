"""Which numbers in a checkpoint say how far training was, and how well it went."""

from __future__ import annotations

import re

METRICS_LIMIT = 200
NAME_LIMIT = 100
_STEPS = ("global_step", "step", "steps", "iteration", "iter", "iter_num", "num_updates",
          "current_step", "num_timesteps", "n_iter_", "t_")  # fmt: skip
_EPOCHS = ("epoch", "current_epoch", "epochs", "last_epoch")
_LOSSES = ("loss", "train_loss", "training_loss", "loss_", "val_loss", "valid_loss",
           "validation_loss", "eval_loss", "test_loss", "best_loss", "best_val_loss")  # fmt: skip
_CONTAINERS = {
    "trainer_state", "state", "trainer", "training", "training_state", "train_state", "progress",
    "meta", "metadata", "info", "checkpoint", "extra", "extra_state", "counters", "best",
}  # fmt: skip
_METRIC_CONTAINERS = {
    "metrics", "metric", "results", "scores", "score", "eval", "evaluation", "history", "logs",
    "callback_metrics", "best_metrics", "val_metrics", "eval_metrics", "train_metrics", "stats",
}  # fmt: skip
_METRIC_WORDS = re.compile(
    r"loss|acc|score|f1|auc|perplexity|ppl|error|mse|mae|rmse|bleu|rouge|wer|cer|iou|dice|"
    r"precision|recall|reward|best|metric|psnr|fid|r2"
)
_BOOKKEEPING = re.compile(r"optim|sched|rng|random|generator|exp_avg|momentum_buffer|scaler")
DEPTH_LIMIT = 3

Path = tuple[str, ...]


class Progress:
    """Step, epoch, loss and metrics; a number closer to the root wins over a deeper one."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self._numbers: dict[str, tuple[int, int | float]] = {}

    def would_take(self, path: Path) -> bool:
        """Whether a number at this place says something about progress."""
        if not path or len(path) > DEPTH_LIMIT:
            return False
        *parents, leaf = (normal(each) for each in path)
        return _is_telling(leaf, parents)

    def take(self, path: Path, value: float) -> bool:
        """Take in a number; False when its place says that it is something else."""
        if not path or len(path) > DEPTH_LIMIT:
            return False
        *parents, leaf = (normal(each) for each in path)
        if not _is_within(parents) or (isinstance(value, int) and not _is_telling(leaf, parents)):
            return False
        self._keep(path[-1], leaf, len(path), value)
        return _is_telling(leaf, parents)

    @property
    def step(self) -> int | None:
        value = self._first(_STEPS)
        return int(value) if value is not None and value == value // 1 else None

    @property
    def epoch(self) -> int | float | None:
        return self._first(_EPOCHS)

    @property
    def loss(self) -> float | None:
        value = self._first(_LOSSES)
        return None if value is None else float(value)

    def _first(self, names: tuple[str, ...]) -> int | float | None:
        found = [self._numbers[name][1] for name in names if name in self._numbers]
        return found[0] if found else None

    def _keep(self, name: str, leaf: str, depth: int, value: float) -> None:
        if abs(value) > 1e300 and isinstance(value, int):
            return
        is_new = leaf not in self._numbers
        if len(self._numbers) >= METRICS_LIMIT and is_new:
            return
        if is_new or self._numbers[leaf][0] > depth:
            self._numbers[leaf] = (depth, value)
            if leaf not in _STEPS + _EPOCHS and name.isprintable():
                self.metrics[name[:NAME_LIMIT]] = float(value)


def _is_within(parents: list[str]) -> bool:
    return all(each in _CONTAINERS or each in _METRIC_CONTAINERS for each in parents)


def _is_telling(leaf: str, parents: list[str]) -> bool:
    if not _is_within(parents):
        return False
    if parents and parents[-1] in _METRIC_CONTAINERS:
        return not leaf.isdigit()
    return leaf in _STEPS + _EPOCHS + _LOSSES or bool(_METRIC_WORDS.search(leaf))


def normal(name: str) -> str:
    """A name as it is compared: lower case, words joined by underscores."""
    return re.sub(r"[^a-z0-9_]+", "_", name[:NAME_LIMIT].lower())


def is_bookkeeping(path: Path) -> bool:
    """Whether an array here belongs to an optimizer, a scheduler or a random generator."""
    return any(_BOOKKEEPING.search(normal(each)) for each in path)
