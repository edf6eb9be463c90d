"""Clouds of one's own for each test, that must leave nothing behind."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runctl.localcloud.machines.probe import probe
from runctl.localcloud.machines.results import Feature, TierReport
from tests.localcloud import census
from tests.localcloud.machines.workplace import Workplace

TIERS = ("root", "namespace", "bubblewrap", "plain")


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TierReport]:
    """What this host lets us have, by the tiers' names."""
    folder = tmp_path_factory.mktemp("probe")
    return {report.name: report for report in probe(str(folder))}


@pytest.fixture
def make_workplace(
    tmp_path: Path, reports: dict[str, TierReport]
) -> Iterator[Callable[[str], Workplace]]:
    """Make clouds, and see that nothing of them is left at the end."""
    made: list[Workplace] = []

    def make(name: str) -> Workplace:
        report = reports[name]
        if not report.is_usable:
            pytest.skip(f"no {name} tier here: {report.reason}")
        cloud_id = secrets.token_hex(3)
        made.append(Workplace(report, cloud_id, tmp_path / f"cloud-{cloud_id}"))
        return made[-1]

    yield make
    left = []
    for workplace in made:
        workplace.end()
        left += census.take(*workplace.marks).found
    assert left == []


@pytest.fixture(params=TIERS)
def anywhere(
    request: pytest.FixtureRequest, make_workplace: Callable[[str], Workplace]
) -> Workplace:
    """A cloud of each tier in turn."""
    name: str = request.param
    return make_workplace(name)


@pytest.fixture(params=TIERS)
def enclosed(
    request: pytest.FixtureRequest, make_workplace: Callable[[str], Workplace]
) -> Workplace:
    """A cloud of each tier whose instances have files of their own."""
    name: str = request.param
    workplace = make_workplace(name)
    workplace.need(Feature.OWN_FILES)
    return workplace


@pytest.fixture
def root(make_workplace: Callable[[str], Workplace]) -> Workplace:
    """A cloud of the root tier."""
    return make_workplace("root")
