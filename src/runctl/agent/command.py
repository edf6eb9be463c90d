"""The command line and the variables of the training process."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from runctl.agent.environment import Prepared
from runctl.agent.folder import AttemptFolder
from runctl.model.codec import Value, unescape_name
from runctl.model.hyperparams import to_arguments
from runctl.model.spec import Command, Spec

_SHELLS = {".bash": "bash", ".zsh": "zsh"}


class TrainingCommand(Value, frozen=True, kw_only=True):
    """What the reaper starts.

    ``end``: the command that ends it where signals do not, for what runs in a container;
    ``beside``: what a command is put behind, to run where the training does.
    """

    argv: list[str]
    cwd: str
    env: dict[str, str]
    grace_s: float
    end: list[str] = []
    beside: list[str] = []


def build_command(
    spec: Spec,
    folder: AttemptFolder,
    attempt: int,
    prepared: Prepared,
    resume_from: Path | None,
    secrets: Mapping[str, str],
    environ: Mapping[str, str],
) -> TrainingCommand:
    code, wish = folder.code, spec.command
    cwd = code / unescape_name(wish.cwd)
    script = _as_operand(os.path.relpath(code / unescape_name(wish.script), cwd))
    arguments = [*to_arguments(wish.hyperparams), *map(unescape_name, wish.arguments)]
    own = _own_variables(spec, folder, attempt, resume_from)
    env = {**environ, **prepared.environ, **_env_of(wish), **secrets, **own}
    if resume_from is None:
        env.pop("RUNCTL_RESUME_FROM", None)
    return TrainingCommand(
        argv=[*_launcher(cwd / script, script, prepared.python), *arguments],
        cwd=str(cwd),
        env=env,
        grace_s=spec.limits.grace.total_seconds(),
    )


def _own_variables(
    spec: Spec, folder: AttemptFolder, attempt: int, resume_from: Path | None
) -> dict[str, str]:
    own = {
        "RUNCTL_RUN_ID": spec.run_id,
        "RUNCTL_ATTEMPT": str(attempt),
        "RUNCTL_CHECKPOINT_DIR": str(checkpoint_folder(spec, folder)),
        "RUNCTL_DATA_DIR": str(folder.data),
        "RUNCTL_OUTPUT_DIR": str(folder.outputs),
        "PYTHONUNBUFFERED": "1",
    }
    if resume_from is not None:
        own["RUNCTL_RESUME_FROM"] = str(resume_from)
    if spec.limits.hang_timeout is not None:  # then SIGABRT prints where the threads stand
        own["PYTHONFAULTHANDLER"] = "1"
    if spec.gpus:
        own["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, spec.gpus))
    return own


def checkpoint_folder(spec: Spec, folder: AttemptFolder) -> Path:
    """Return the folder that the script is told to use: its own, where it has named one."""
    if spec.checkpoint.folder is None:
        return folder.checkpoints
    return folder.code / unescape_name(spec.command.cwd) / unescape_name(spec.checkpoint.folder)


def watched_folders(spec: Spec, folder: AttemptFolder) -> list[Path]:
    """Return where checkpoints may appear; ``checkpoints/`` is where most scripts put them."""
    usual = folder.code / unescape_name(spec.command.cwd) / "checkpoints"
    return list(dict.fromkeys([checkpoint_folder(spec, folder), usual]))


def _env_of(wish: Command) -> dict[str, str]:
    return {key: unescape_name(value) for key, value in wish.env.items()}


def _as_operand(script: str) -> str:
    """Keep a name that begins with a dash from being read as an option."""
    return f"./{script}" if script.startswith("-") else script


def _launcher(path: Path, script: str, python: Path) -> list[str]:
    """Return what runs the script: Python, the script itself, or the shell that it names."""
    if path.suffix.lower() == ".py":
        return [str(python), script]
    with path.open("rb") as file:
        first = file.readline(256)
    if os.access(path, os.X_OK) and (first.startswith(b"#!") or b"\0" in first):
        return [os.path.join(".", script)]
    return [*(_shebang(first) or [_SHELLS.get(path.suffix, "sh")]), script]


def _shebang(first: bytes) -> list[str]:
    """Return what the first line names; without one it is text for a shell, as a shell has it."""
    return shlex.split(os.fsdecode(first[2:]).strip()) if first.startswith(b"#!") else []
