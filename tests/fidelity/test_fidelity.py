"""Every row of the table, and every story, against the cloud that ``--cloud`` names."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fidelity import rows
from tests.fidelity.table import Refused, Row, Story, World

MODULES = [
    importlib.import_module(f"{rows.__name__}.{found.name}")
    for found in pkgutil.iter_modules(rows.__path__)
]
ROWS: list[Row] = [row for module in MODULES for row in module.ROWS]
STORIES: list[Story] = [story for module in MODULES for story in getattr(module, "STORIES", [])]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.service}: {row.says}")
def test_row(row: Row, world: World) -> None:
    if isinstance(row.outcome, Refused):
        _expect_refusal(row, world, row.outcome)
        return
    answer = _call(row, world)
    assert row.outcome.check(answer) is not False, f"{row.source}: {answer}"


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.says)
def test_story(story: Story, world: World) -> None:
    story.play(world)


def test_the_table_is_large_and_says_each_thing_once() -> None:
    said = [f"{row.service} {row.says}" for row in ROWS] + [story.says for story in STORIES]
    assert len(said) == len(set(said))
    assert len(said) >= 300
    assert all(row.source for row in ROWS)


def _call(row: Row, world: World) -> Any:
    parameters = row.parameters(world) if callable(row.parameters) else row.parameters
    return getattr(world.client(row.service), row.call)(**parameters)


def _expect_refusal(row: Row, world: World, outcome: Refused) -> None:
    with pytest.raises(ClientError) as error:
        _call(row, world)
    response: Any = error.value.response
    assert response["Error"]["Code"] == outcome.code, response["Error"]
    assert outcome.words in response["Error"]["Message"]
    if outcome.status is not None:
        assert response["ResponseMetadata"]["HTTPStatusCode"] == outcome.status
