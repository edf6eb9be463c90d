"""Where an attempt lives on its instance: every local path is spelled here."""

from __future__ import annotations

from pathlib import Path

from runctl.agent import reaper


class AttemptFolder:
    """The folder of one attempt. Files that the reaper shares are named in ``reaper``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def of(instance_root: Path, run_id: str, attempt: int) -> AttemptFolder:
        return AttemptFolder(instance_root / "attempts" / run_id / str(attempt))

    @property
    def plan(self) -> Path:
        return self.path / reaper.PLAN

    @property
    def secrets(self) -> Path:
        return self.path / reaper.SECRETS

    @property
    def exports(self) -> Path:
        """The secrets as a shell reads them, for a container."""
        return self.path / "secrets.sh"

    @property
    def container_home(self) -> Path:
        return self.path / "home"

    @property
    def command(self) -> Path:
        return self.path / reaper.COMMAND

    @property
    def started(self) -> Path:
        return self.path / reaper.STARTED

    @property
    def exit(self) -> Path:
        return self.path / reaper.EXIT

    @property
    def output(self) -> Path:
        """What the command printed, as it came."""
        return self.path / reaper.OUTPUT

    @property
    def agent_lock(self) -> Path:
        return self.path / reaper.AGENT_LOCK

    @property
    def lock(self) -> Path:
        return self.path / reaper.LOCK

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def kills(self) -> Path:
        """How many processes the kernel had killed for want of memory before the command."""
        return self.path / "kills-before.json"

    @property
    def code(self) -> Path:
        return self.path / "code"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def resume(self) -> Path:
        return self.path / "resume"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def outputs(self) -> Path:
        return self.path / "outputs"
