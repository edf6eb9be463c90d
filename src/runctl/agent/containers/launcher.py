"""A training in a container: the reaper starts, signals and reaps ``docker run``.

Docker passes signals on to the training, and its status back. What only Docker knows (memory that
ran out, why a container did not start) it is asked for at the end.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from runctl.agent.command import TrainingCommand, build_command
from runctl.agent.containers.command import (
    contain,
    container_name,
    home_variables,
    options_of,
    places_of,
    python_of,
    write_exports,
)
from runctl.agent.containers.docker import find_docker, has_gpus
from runctl.agent.environment import Prepared
from runctl.agent.faults import print_fault
from runctl.agent.folder import AttemptFolder
from runctl.agent.launchers import Build
from runctl.agent.phases import Phases
from runctl.agent.plan import Plan
from runctl.model.events import ExitRecord, ImageReady
from runctl.model.spec import ContainerWish, Spec

_NOT_STARTED = (125, 126, 127)
"""How ``docker run`` ends where it could not start what it was told to."""


class Contained:
    """A container of the attempt's own, named after it."""

    def __init__(
        self, phases: Phases, plan: Plan, spec: Spec, wish: ContainerWish, folder: AttemptFolder
    ) -> None:
        self._phases, self._plan, self._spec = phases, plan, spec
        self._wish, self._folder = wish, folder
        self._name = container_name(plan.run_id, plan.attempt)
        self._leader: int | None = None

    def prepare(self, on_output: Callable[[bytes], None]) -> Build:
        return partial(self._build, self._phases.bring_image(self._wish, on_output))

    def _build(
        self, image: ImageReady, *, resume_from: Path | None, secrets: Mapping[str, str]
    ) -> TrainingCommand:
        docker, attempt = find_docker(), self._plan.attempt
        inner = build_command(
            self._spec, self._folder, attempt, self._inside(), resume_from, {}, {}
        )
        places = places_of(self._spec, self._folder, resume_from)
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
        exports = write_exports(self._folder.exports, secrets)
        words = [*options_of(self._spec, self._wish, attempt, docker.info())]
        words = [*(["--gpus=all"] if has_gpus() else []), *words]
        return contain(inner, docker, image.image_id, self._name, places, exports, words)

    def _inside(self) -> Prepared:
        """Return the image's own Python as an environment: nothing is installed in it."""
        return Prepared(
            python=Path(python_of(self._spec.environment.python)),
            python_version="",
            import_paths=(),
            environ=home_variables(self._folder),
            source=self._wish.image,
            lock_hash=None,
            key=None,
            installer=None,
            is_cached=True,
            packages={},
        )

    def find_leader(self) -> int | None:
        """The container's first process leads a session, as this instance numbers it."""
        if self._leader is None:
            self._leader = self._state().get("Pid") or None
        return self._leader

    def judge(self, record: ExitRecord) -> tuple[ExitRecord, str]:
        """Name what Docker knows; time and memory of ``docker run`` are not the training's."""
        state = self._state()
        record = replace(record, max_rss_bytes=0, cpu_seconds=0.0)
        error = state.get("Error") or None
        if not state and record.status in _NOT_STARTED:
            error = f"docker run ended with status {record.status}; what it said is in the log"
        is_out = bool(state.get("OOMKilled")) and record.status != 0
        return replace(record, error=record.error or error), _MEMORY if is_out else ""

    def clear(self) -> None:
        try:
            docker = find_docker()
            subprocess.run(docker.remove_argv(self._name), capture_output=True, check=False)
        except Exception:  # noqa: BLE001 - the end of the training must be told all the same
            print_fault()

    def _state(self) -> dict[str, Any]:
        found = find_docker().inspect("container", self._name) or {}
        state: dict[str, Any] = found.get("State", {})
        return state


_MEMORY = "memory ran out, as Docker says of its container"
