"""A checkpoint from outside becomes a run's own, as attempt 0, before the first attempt."""

from __future__ import annotations

from pathlib import Path

from runctl.engine.session import Session
from runctl.errors import CheckpointNotFound, IntegrityError
from runctl.model.spec import Spec
from runctl.store.checkpoints import Checkpoints
from runctl.store.formats import Wholeness, check, describe
from runctl.store.summary import summarise

IMPORTED = 0


def import_checkpoint(session: Session, spec: Spec, path: Path) -> None:
    """Commit a checkpoint file or folder as 0/1 of the run, or raise what is wrong with it."""
    if not path.exists():
        raise CheckpointNotFound(f"there is no checkpoint {path}")
    verdict = check(path, deep=True)
    if verdict.wholeness is Wholeness.TORN:
        raise IntegrityError(f"checkpoint {path} is not whole: {verdict.reason}")
    checkpoints = Checkpoints(session.ledger, spec.run_id, session.clock)
    summary = summarise(describe(path))
    checkpoints.commit(path, name=path.name, attempt=IMPORTED, seq=1, summary=summary)
