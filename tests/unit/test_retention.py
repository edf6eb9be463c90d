"""Which checkpoints go, and which never do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runctl.engine.retention import find_best, numbers_in, plan, series_of
from runctl.errors import UsageError
from runctl.model.views import CheckpointView, CleanupItem, Verdict
from tests.records import NOW


def view(name: str, at: int = 0, *, label: str = "", **changes: object) -> CheckpointView:
    fields: dict[str, object] = {
        "label": label or name,
        "name": name,
        "format": "torch",
        "size_bytes": 1,
        "written_at": NOW + timedelta(seconds=at),
        "committed_at": NOW if label else None,
        "step": None,
        "epoch": None,
        "loss": None,
        "metrics": {},
        "verdict": Verdict.GOOD,
    }
    return CheckpointView(**{**fields, **changes})  # type: ignore[arg-type]


def planned(
    views: list[CheckpointView], keep_last: int = 1, *, is_order_certain: bool = True
) -> list[CleanupItem]:
    return plan(views, keep_last=keep_last, best=None, held={}, is_order_certain=is_order_certain)


def gone(items: list[CleanupItem]) -> list[str]:
    return [item.label for item in items if not item.is_kept]


def test_all_but_the_last_go() -> None:
    views = [view(f"step-{step}.pt", step, step=step) for step in (1, 2, 3, 4)]
    assert gone(planned(views, 2)) == ["step-1.pt", "step-2.pt"]
    assert [item.reason for item in planned(views, 2)][-1] == "of the last 2"


def test_the_last_of_each_series_stay() -> None:
    names = ["model-1.pt", "optimizer-1.pt", "best.pt", "model-2.pt", "optimizer-2.pt"]
    assert gone(planned([view(name) for name in names])) == ["model-1.pt", "optimizer-1.pt"]


@pytest.mark.parametrize(
    "names",
    [
        ["rank0.pt", "rank1.pt"],
        ["mp_rank_00_model.pt", "mp_rank_01_model.pt"],
        ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
        ["fold_0.pt", "fold_1.pt"],
        ["seed=1.pt", "seed=2.pt"],
        ["first.pt", "second.pt"],
    ],
)
def test_names_that_tell_parts_apart_are_no_series(names: list[str]) -> None:
    assert gone(planned([view(name) for name in names])) == []


def test_parts_of_one_step_count_as_one() -> None:
    names = {"a-1.pt": 1, "a-2.pt": 1, "a-3.pt": 2, "a-4.pt": 2}
    views = [view(name, step=step) for name, step in names.items()]
    assert gone(planned(views)) == ["a-1.pt", "a-2.pt"]


def test_a_name_that_is_written_again_counts_each_time() -> None:
    views = [view("last.ckpt", label=f"1/{seq}", step=7) for seq in (1, 2, 3)]
    assert gone(planned(views, 2)) == ["1/1"]


def test_what_is_not_whole_neither_counts_nor_goes() -> None:
    views = [
        view("s-1.pt"),
        view("s-2.pt", verdict=Verdict.BAD, reason="torn"),
        view("s-3.pt"),
        view("s-4.pt", verdict=Verdict.UNKNOWN, reason="cannot tell"),
        view("s-5.pt", verdict=Verdict.BAD, reason="torn"),
    ]
    items = planned(views)
    assert gone(items) == ["s-1.pt"]
    assert [item.reason for item in items[1:]] == [
        "bad: torn", "the last", "unknown: cannot tell", "bad: torn",
    ]  # fmt: skip


def test_what_is_in_use_stays_and_says_why() -> None:
    views = [view("s-1.pt"), view("s-2.pt")]
    held = {"s-1.pt": "it is open"}
    items = plan(views, keep_last=1, best=None, held=held, is_order_certain=True)
    assert [(item.is_kept, item.reason) for item in items] == [
        (True, "it is open"), (True, "the last"),
    ]  # fmt: skip


def test_where_times_may_lie_the_last_by_step_stay_too() -> None:
    views = [
        view("s-300.pt", 0, step=300),
        view("s-100.pt", 1, step=100),
        view("s-50.pt", 2, step=50),
    ]
    assert gone(planned(views, is_order_certain=False)) == ["s-100.pt"]
    assert gone(planned(views, is_order_certain=True)) == ["s-300.pt", "s-100.pt"]


def test_the_best_stays_with_what_was_saved_beside_it() -> None:
    views = [
        view(f"{name}-{step}.pt", step=step, loss=loss if name == "model" else None)
        for step, loss in ((1, 0.5), (2, 0.1), (3, 0.3))
        for name in ("model", "optimizer")
    ]
    best = find_best(views, "loss", None)
    items = plan(views, keep_last=1, best=best, held={}, is_order_certain=True)
    assert best.name == "model-2.pt"
    assert gone(items) == ["model-1.pt", "optimizer-1.pt"]
    assert items[3].reason == "goes with the best, model-2.pt"


def test_the_best_by_number_in_the_name_where_no_step_is_inside() -> None:
    views = [view(f"{n}-{i}.pt", loss=i if n == "m" else None) for i in (1, 2) for n in ("m", "o")]
    best = find_best(views, "loss", None)
    assert gone(plan(views, keep_last=1, best=best, held={}, is_order_certain=True)) == []


def test_best_looks_at_whole_ones_and_finite_numbers_and_takes_the_newest_of_equals() -> None:
    views = [
        view("a", loss=0.2),
        view("b", loss=0.2),
        view("c", loss=float("nan")),
        view("d", loss=float("-inf")),
        view("e", loss=0.0, verdict=Verdict.BAD),
    ]
    assert find_best(views, "loss", None).name == "b"


def test_best_by_another_metric_either_way() -> None:
    views = [view("a", metrics={"acc": 0.5}), view("b", metrics={"acc": 0.9})]
    assert find_best(views, "acc", is_maximised=True).name == "b"
    assert find_best(views, "acc", is_maximised=False).name == "a"
    with pytest.raises(UsageError, match="cannot be told") as caught:
        find_best(views, "acc", None)
    assert caught.value.hint == "--best acc --maximise, or --best acc --minimise"


def test_an_unknown_metric_names_those_there_are() -> None:
    views = [view("a", loss=1.0, step=3, metrics={"acc": 0.5})]
    with pytest.raises(UsageError, match="there are: acc, loss, step"):
        find_best(views, "f1", None)


def test_series() -> None:
    assert series_of("epoch=3-val_loss=0.25.ckpt") == "epoch=#-val_loss=#.ckpt"
    assert series_of("rank3-step100.pt") == "rank3-step#.pt"
    assert numbers_in("rank3-step100.pt") == ("100",)
