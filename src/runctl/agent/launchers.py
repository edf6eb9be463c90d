"""How the training is started and looked at: bare, or in a container. All else is the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from runctl.agent import reaper
from runctl.agent.command import TrainingCommand, build_command
from runctl.agent.folder import AttemptFolder
from runctl.agent.phases import Phases
from runctl.agent.plan import Plan
from runctl.model.events import ExitRecord
from runctl.model.spec import Spec


class Build(Protocol):
    """Makes the command, once the folders of the attempt are there."""

    def __call__(
        self, *, resume_from: Path | None, secrets: Mapping[str, str]
    ) -> TrainingCommand: ...


class Launcher(Protocol):
    """What a training is started by.

    The reaper starts the command that is built, signals it and reaps it, whatever that is.
    """

    def prepare(self, on_output: Callable[[bytes], None]) -> Build:
        """Bring what the training runs in; a phase of its own. Raises PhaseFailed."""

    def find_leader(self) -> int | None:
        """Return whose session the processes of the training are in; None before it is there."""

    def judge(self, record: ExitRecord) -> tuple[ExitRecord, str]:
        """Return the record, with what only the launcher knows; and if memory ran out, how so."""

    def clear(self) -> None:
        """Leave nothing of the training behind, once its end is known; again is harmless."""


class Bare:
    """A process of the instance, in the environment that the project declares."""

    def __init__(self, phases: Phases, plan: Plan, spec: Spec, folder: AttemptFolder) -> None:
        self._phases, self._plan, self._spec, self._folder = phases, plan, spec, folder

    def prepare(self, on_output: Callable[[bytes], None]) -> Build:
        prepared, attempt = self._phases.prepare_environment(on_output), self._plan.attempt
        return partial(
            build_command, self._spec, self._folder, attempt, prepared, environ=os.environ
        )

    def find_leader(self) -> int | None:
        started = reaper.read_json(str(self._folder.started))
        return started["pid"] if started else None

    def judge(self, record: ExitRecord) -> tuple[ExitRecord, str]:
        return record, ""

    def clear(self) -> None:
        """The reaper has ended all of it."""


def choose_launcher(phases: Phases, plan: Plan, spec: Spec, folder: AttemptFolder) -> Launcher:
    if spec.container is None:
        return Bare(phases, plan, spec, folder)
    from runctl.agent.containers.launcher import Contained  # noqa: PLC0415 - few runs need it

    return Contained(phases, plan, spec, spec.container, folder)
