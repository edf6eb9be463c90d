"""Whether a launch is typed anew or taken up: that is settled once the user knows of his run."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from runctl.cli.launching import attach
from runctl.cli.render import Screen
from runctl.errors import Interrupted, TransportError, TryAgain
from runctl.model.run import Run
from tests.records import make_spec


class Following:
    """A client whose following ends with an error."""

    config = SimpleNamespace(values=SimpleNamespace(run=SimpleNamespace(wait_timeout=None)))

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.settled: list[str] = []

    def follow(self, run_id: str, **_: object) -> Iterator[Any]:
        yield from self._end(run_id)

    def _end(self, run_id: str) -> Iterator[Any]:
        del run_id
        raise self.error

    def settle(self, run_id: str) -> None:
        self.settled.append(run_id)


def watch(error: BaseException, raised: type[BaseException]) -> list[str]:
    """Follow a run until the error; return what was settled."""
    screen, client, run = Screen(), Following(error), Run(spec=make_spec())
    screen.is_quiet = True
    invocation: Any = SimpleNamespace(screen=screen)
    with pytest.raises(raised):
        attach(invocation, client, run, is_detached=False, timeout=None)
    return [one for one in client.settled if one == run.run_id]


def test_who_detaches_or_stops_waiting_knows_of_his_run() -> None:
    assert watch(KeyboardInterrupt(), Interrupted)
    assert watch(TryAgain("it still runs"), TryAgain)


def test_whoever_loses_sight_of_it_takes_it_up_again() -> None:
    assert watch(TransportError("no network"), TransportError) == []
