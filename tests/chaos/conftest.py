"""Every chaos test has a scene of its own, which ends all that it has started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.end_all()
