"""Numbers of checkpoints: they tell the order of writing, also after an agent was killed."""

from __future__ import annotations

from runctl.agent.numbering import Numbering


def test_new_ones_are_numbered_above_all_others() -> None:
    numbering = Numbering()
    assert [numbering.take_next(ns) for ns in (10, 20, 15)] == [1, 2, 3]


def test_a_late_one_fills_the_gap_that_a_killed_agent_has_left() -> None:
    numbering = Numbering()
    numbering.note(1, 10)
    numbering.note(5, 50)
    assert numbering.take_between(40) == 4
    assert numbering.take_between(30) == 3
    assert numbering.take_between(60) == 6


def test_a_late_one_without_a_gap_is_not_lost() -> None:
    numbering = Numbering()
    numbering.note(1, 10)
    numbering.note(2, 50)
    assert numbering.take_between(40) == 3


def test_the_first_of_all_is_one() -> None:
    assert Numbering().take_between(40) == 1
