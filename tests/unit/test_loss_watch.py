"""A loss that is no number ends the command, however its line arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.agent.loss_watch import LossWatch
from runctl.agent.orders import Orders
from runctl.model.events import Cause, Trouble


class FakeTime:
    now = 1000.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture(autouse=True)
def _time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runctl.agent.loss_watch.time", FakeTime())


def look_after(log: Path, *pieces: str, is_on: bool = True, before: str | None = None) -> Orders:
    if before is not None:
        log.write_text(before)
    orders = Orders()
    watch = LossWatch(log, orders, is_on=is_on)
    watch.look()
    for piece in pieces:
        with log.open("a") as file:
            file.write(piece)
        watch.look()
    return orders


@pytest.mark.parametrize(
    "pieces", [("loss: nan\n",), ("loss: 1\nlo", "ss: n", "an\n"), ("50%| loss=nan\r", "51%|")]
)
def test_it_is_found(tmp_path: Path, pieces: tuple[str, ...]) -> None:
    order = look_after(tmp_path / "log", *pieces).current
    assert order is not None
    assert (order.cause, order.trouble) == (Cause.TROUBLE, Trouble.NAN)
    assert "nan" in order.reason


def test_an_agent_that_comes_back_finds_what_was_just_printed(tmp_path: Path) -> None:
    assert look_after(tmp_path / "log", before="loss: nan\n").is_given()


@pytest.mark.parametrize("pieces", [("loss: 0.5\n", "loss: 0.4\n"), ("loss: n", "ow 0.5\n")])
def test_numbers_end_nothing(tmp_path: Path, pieces: tuple[str, ...]) -> None:
    assert not look_after(tmp_path / "log", *pieces).is_given()


def test_nothing_is_ended_where_that_was_not_asked_for(tmp_path: Path) -> None:
    assert not look_after(tmp_path / "log", "loss: nan\n", is_on=False).is_given()
