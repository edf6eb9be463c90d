"""A command that neither prints nor saves is ended, and no other is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from runctl.agent.hanging import HangWatch
from runctl.agent.orders import Order, Orders
from runctl.model.events import Cause, Trouble


class FakeTime:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    made = FakeTime()
    monkeypatch.setattr("runctl.agent.hanging.time", made)
    return made


@pytest.fixture
def orders() -> Orders:
    return Orders()


@pytest.fixture
def watch_with(tmp_path: Path, orders: Orders, time: FakeTime) -> Callable[..., HangWatch]:
    def make(timeout_s: float | None = 30.0, tool: str | None = "py-spy") -> HangWatch:
        timeout = None if timeout_s is None else timedelta(seconds=timeout_s)
        (tmp_path / "saved").mkdir()
        return HangWatch(timeout, tmp_path / "log", [tmp_path / "saved"], orders, lambda: tool)

    return make


def pass_time(time: FakeTime, watch: HangWatch, seconds: int) -> None:
    for _ in range(seconds):
        watch.look()
        time.now += 1


@pytest.mark.parametrize(("tool", "signal"), [("py-spy", None), (None, "SIGABRT")])
def test_what_hangs_is_ended_and_where_is_told(
    time: FakeTime,
    watch_with: Callable[..., HangWatch],
    orders: Orders,
    tool: str | None,
    signal: str | None,
) -> None:
    watch = watch_with(tool=tool)
    pass_time(time, watch, 30)
    assert not orders.is_given()
    pass_time(time, watch, 2)
    order = orders.current
    assert order is not None
    assert (order.cause, order.trouble, order.signal) == (Cause.TROUBLE, Trouble.HANG, signal)
    assert "no output and no checkpoint for 30s" in order.reason
    assert (tool or "faulthandler") in order.reason


@pytest.mark.parametrize("name", ["log", "saved/step-1"])
def test_a_line_or_a_file_begins_the_time_anew(
    time: FakeTime,
    watch_with: Callable[..., HangWatch],
    orders: Orders,
    tmp_path: Path,
    name: str,
) -> None:
    watch = watch_with()
    pass_time(time, watch, 29)
    (tmp_path / name).write_text("x")
    pass_time(time, watch, 29)
    assert not orders.is_given()
    pass_time(time, watch, 3)
    assert orders.is_given()


def test_nothing_is_ended_where_that_was_not_asked_for(
    time: FakeTime, watch_with: Callable[..., HangWatch], orders: Orders
) -> None:
    watch = watch_with(timeout_s=None)
    time.now += 1e6
    pass_time(time, watch, 3)
    assert not orders.is_given()


def test_what_is_ended_already_is_left_to_that(
    time: FakeTime, watch_with: Callable[..., HangWatch], orders: Orders
) -> None:
    watch = watch_with()
    orders.give(Order(Cause.STOP, "asked for"))
    pass_time(time, watch, 60)
    assert orders.current == Order(Cause.STOP, "asked for")
