"""The volumes of an attempt: mounted before its command, let go of after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runctl.agent import volume_root
from runctl.errors import ConflictError, PhaseFailed, RunctlError
from runctl.model.events import VolumeMounted
from runctl.model.volume import VolumePlace


def mount_volume(place: VolumePlace) -> VolumeMounted:
    """Mount an attached volume where it is wanted; ConflictError where that would do harm.

    Safe to do again.
    """
    mode = "ro" if place.is_read_only else "rw"
    label = place.name or place.volume_id
    who = (str(os.getuid()), str(os.getgid()))
    told = _as_root("mount", place.volume_id, place.path, mode, label, *who)
    return VolumeMounted(
        volume_id=place.volume_id,
        path=place.path,
        device=str(told["device"]),
        file_system=str(told["file_system"]),
        uuid=str(told["uuid"]),
        is_read_only=place.is_read_only,
        was_formatted=bool(told["was_formatted"]),
        was_mounted=bool(told["was_mounted"]),
    )


def unmount_volumes(mounts: Sequence[VolumeMounted]) -> list[str]:
    """Write down what is on the volumes and unmount them; return what stood in the way."""
    problems = []
    for mount in mounts:
        try:
            _as_root("unmount", mount.volume_id)
        except RunctlError as error:
            problems.append(error.message)
    return problems


def _as_root(*words: str) -> dict[str, Any]:
    python = [sys.executable, "-I", "-S", str(Path(volume_root.__file__))]
    sudo = ["sudo", "-n"] if os.getuid() else []
    try:
        done = subprocess.run([*sudo, *python, *words], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise PhaseFailed("volumes are mounted by root, and there is no sudo here") from error
    return read_answer(done.returncode, done.stdout, done.stderr)


def read_answer(status: int, stdout: bytes, stderr: bytes) -> dict[str, Any]:
    """Return the answer of ``volume_root``; ConflictError where it has refused."""
    if status == volume_root.REFUSED:
        raise ConflictError(json.loads(stdout)["error"], hint="runctl aws ebs list")
    if status:
        told = stderr.decode(errors="replace").strip().splitlines() or [f"status {status}"]
        raise PhaseFailed(f"volumes are mounted by root, which the user cannot be: {told[-1]}")
    answer: dict[str, Any] = json.loads(stdout)
    return answer
