"""Which checkpoints stay and which may go: decided from what is known of them, nothing touched.

Names that differ in their numbers only are a series, and the last N of *each* series stay: the
optimizer's file beside the model's, or a ``best.pt``, never falls victim to its neighbours. The
number of a rank, shard, fold or seed tells one file from another, and not sooner from later.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from runctl.errors import UsageError
from runctl.model.views import CheckpointView, CleanupItem, Verdict

_NUMBER = re.compile(
    r"((?:rank|shard|part|worker|proc|node|gpu|layer|fold|seed|split|trial|run|expert|rng_state"
    r"|random_states)[-_=. ]?\d+|\d+[-_ ]?of[-_ ]?\d+)|(\d+(?:\.\d+)?(?:e[-+]?\d+)?)",
    re.IGNORECASE,
)
_LOSS_LIKE = re.compile(r"loss|err|perplexity|ppl|mse|mae|rmse|wer|cer|fid|nll", re.IGNORECASE)


def plan(
    views: Sequence[CheckpointView],
    *,
    keep_last: int,
    best: CheckpointView | None,
    held: Mapping[str, str],
    is_order_certain: bool,
) -> list[CleanupItem]:
    """Say of each checkpoint (given oldest first) whether it stays, and why.

    ``held`` has the labels of those in use, with the reason. Only a whole one counts towards
    the last N, and only a whole one may go.
    """
    whole = [view for view in views if view.verdict is Verdict.GOOD]
    reasons = {view.label: f"{view.verdict.value}: {view.reason}" for view in views}
    reasons = {view.label: reasons[view.label] for view in views if view not in whole}
    reasons |= _companions(whole, best)
    for members in _by_series(whole).values():
        for ordered in _orders(members, is_order_certain=is_order_certain):
            reasons |= dict.fromkeys(_last(ordered, keep_last), _last_words(keep_last))
    reasons |= held
    return [_item(view, reasons.get(view.label), keep_last) for view in views]


def find_best(
    views: Sequence[CheckpointView], metric: str, is_maximised: bool | None
) -> CheckpointView:
    """Return the best whole checkpoint by a metric, the newest of equals.

    Raises UsageError, naming the metrics that there are, where none has this one; and where
    its name does not tell whether low is good.
    """
    valued = [
        (value, view)
        for view in views
        if view.verdict is Verdict.GOOD and (value := value_of(view, metric)) is not None
    ]
    if not valued:
        names = sorted({name for view in views for name in metrics_of(view)})
        raise UsageError(
            f"no checkpoint has the metric {metric!r}; there are: {', '.join(names) or 'none'}",
            hint=f"--best {names[0]}" if names else "runctl checkpoint cleanup … without --best",
            metrics=names,
        )
    if is_maximised is None and not _LOSS_LIKE.search(metric):
        raise UsageError(
            f"whether a high {metric} is good or bad cannot be told from its name",
            hint=f"--best {metric} --maximise, or --best {metric} --minimise",
        )
    pick = max if is_maximised else min
    wanted = pick(value for value, _ in valued)
    return [view for value, view in valued if value == wanted][-1]


def value_of(view: CheckpointView, metric: str) -> float | None:
    """Return a finite number by its name: ``loss``, ``step``, ``epoch`` or a metric."""
    return metrics_of(view).get(metric)


def metrics_of(view: CheckpointView) -> dict[str, float]:
    direct = {"loss": view.loss, "step": view.step, "epoch": view.epoch}
    found = {name: float(value) for name, value in direct.items() if value is not None}
    return {name: v for name, v in (found | view.metrics).items() if math.isfinite(v)}


def series_of(name: str) -> str:
    """Return the name with its numbers taken out, but for those that tell files apart."""
    return _NUMBER.sub(lambda found: found[1] or "#", name)


def numbers_in(name: str) -> tuple[str, ...]:
    """Return the numbers that ``series_of`` takes out."""
    return tuple(found[2] for found in _NUMBER.finditer(name) if found[2])


def _by_series(views: Iterable[CheckpointView]) -> dict[str, list[CheckpointView]]:
    found: dict[str, list[CheckpointView]] = {}
    for view in views:
        found.setdefault(series_of(view.name), []).append(view)
    return found


def _orders(members: list[CheckpointView], *, is_order_certain: bool) -> list[list[CheckpointView]]:
    """Return the orders that may be the true one: a copied folder has lost its times."""
    steps = [view.step for view in members]
    if is_order_certain or None in steps:
        return [members]
    return [members, sorted(members, key=lambda view: view.step or 0)]


def _last(ordered: Sequence[CheckpointView], count: int) -> list[str]:
    """Return the labels of the last ``count``; files of one and the same step count as one."""
    generations: dict[tuple[str, int], set[str]] = {}
    labels: list[str] = []
    left = count
    for view in reversed(ordered):
        names = generations.get((_attempt(view), view.step)) if view.step is not None else None
        if names is not None and view.name not in names:
            names.add(view.name)
            labels.append(view.label)
        elif left:
            left -= 1
            labels.append(view.label)
            if view.step is not None:
                generations[_attempt(view), view.step] = {view.name}
    return labels


def _companions(views: Sequence[CheckpointView], best: CheckpointView | None) -> dict[str, str]:
    """Return the best, and what was saved together with it under other names."""
    if best is None:
        return {}
    goes_along = {
        view.label: f"goes with the best, {best.name}" for view in views if _is_beside(view, best)
    }
    return goes_along | {best.label: "the best"}


def _is_beside(view: CheckpointView, best: CheckpointView) -> bool:
    if _attempt(view) != _attempt(best) or series_of(view.name) == series_of(best.name):
        return False
    is_same_step = view.step is not None and view.step == best.step
    numbers = numbers_in(view.name)
    return is_same_step or (bool(numbers) and numbers == numbers_in(best.name))


def _attempt(view: CheckpointView) -> str:
    return view.label.partition("/")[0] if view.committed_at else ""


def _last_words(keep_last: int) -> str:
    return "the last" if keep_last == 1 else f"of the last {keep_last}"


def _item(view: CheckpointView, reason: str | None, keep_last: int) -> CleanupItem:
    return CleanupItem(
        label=view.label,
        name=view.name,
        size_bytes=view.size_bytes,
        is_kept=reason is not None,
        reason=reason or f"not {_last_words(keep_last)}",
    )
