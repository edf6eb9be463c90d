"""Bring the wheels that were sent from the store, each whole and verified, or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from runctl.agent.environment.settings import Staged, StagedWheel
from runctl.agent.environment.staging import place
from runctl.errors import IntegrityError
from runctl.store.blobs import Blobs

WHEELS = "wheels"


def fetch_wheels(staged: Staged, blobs: Blobs) -> None:
    """Fetch those that are not here; raise IntegrityError naming one with other bytes."""
    for wheel in staged.wheels:
        target = place(staged.folder, wheel.sha256) / wheel.filename
        if not target.exists():
            _fetch(wheel, target, blobs)


def _fetch(wheel: StagedWheel, target: Path, blobs: Blobs) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, draft = hashlib.sha256(), target.with_name(f".{os.getpid()}.part")
    with draft.open("wb") as file:
        for part in wheel.parts:
            data = blobs.get(part)
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != wheel.sha256:
        draft.unlink()
        raise IntegrityError(f"the wheel {wheel.filename} arrived with other bytes")
    draft.replace(target)
