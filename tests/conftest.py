"""What every test has in common: Hypothesis profiles, and what unit tests may not do.

``HYPOTHESIS_PROFILE`` chooses a profile; the Makefile sets it. In CI the examples are the same
each time, so that a red build is about the change at hand; elsewhere they are new each time, and
what they find is kept in ``.hypothesis`` and tried first.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.scene import Scene

EXAMPLES = {"quick": 40, "full": 200, "soak": 5000}
WITHOUT_SOCKETS = {"unit", "property"}
HERE = Path(__file__).parent

for name, examples in EXAMPLES.items():
    settings.register_profile(
        name, max_examples=examples, deadline=None, derandomize="CI" in os.environ
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# A shell that starts us in the background has Ctrl-C ignored, for all that we start as well.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--cloud=aws`` runs the scenarios that know no cloud on AWS; it costs money."""
    parser.addoption("--cloud", choices=("local", "aws"), default="local", help="where to run")


@pytest.fixture(autouse=True)
def _neither_socket_nor_sleep(request: pytest.FixtureRequest) -> None:
    """Make a socket of any family, and any sleep, fail the unit or property test it is in."""
    if request.path.relative_to(HERE).parts[0] in WITHOUT_SOCKETS:
        request.getfixturevalue("socket_disabled")
        request.getfixturevalue("monkeypatch").setattr(time, "sleep", _refuse_to_sleep)


def _refuse_to_sleep(seconds: float) -> None:
    pytest.fail(f"a unit test slept for {seconds} s: pass a clock instead")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A user of one's own, and an end to all that was started for it."""
    made = Scene(tmp_path)
    yield made
    made.end_all()
