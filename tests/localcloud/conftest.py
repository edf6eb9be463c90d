"""Local clouds for tests: one that all of a session share, and new ones.

``RUNCTL_TEST_TIER`` names the tier (auto, root, rootless, namespace, …); auto unless it is set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.localcloud.process import CloudProcess

TIER = os.environ.get("RUNCTL_TEST_TIER", "auto")
NewCloud = Callable[..., CloudProcess]


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """A cloud that runs for as long as the session: leave in it nothing that others would see."""
    made = CloudProcess(tmp_path_factory.mktemp("cloud"), TIER)
    try:
        made.start()
        yield made
    finally:
        made.purge()


@pytest.fixture
def new_cloud(tmp_path: Path) -> Iterator[NewCloud]:
    """Make clouds that are not started yet; they are purged with the test."""
    made: list[CloudProcess] = []

    def make(name: str = "cloud", tier: str = TIER) -> CloudProcess:
        made.append(CloudProcess(tmp_path / name, tier))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.purge()
