"""What a run has lost, with what only its log and its heartbeat know of a lost attempt."""

from __future__ import annotations

from runctl.engine.session import Session
from runctl.model.losses import Losses, Word, losses_of
from runctl.model.progress import TAIL_BYTES, find_step
from runctl.model.run import Attempt, Run, State
from runctl.store.logs import Log


def find_losses(session: Session, run: Run) -> Losses:
    """Return the losses of a run as it stands."""
    words = {one.number: _word(session, run, one) for one in run.attempts if _is_silent(one)}
    return losses_of(run, words)


def _is_silent(attempt: Attempt) -> bool:
    """Tell whether an attempt is over, and could not tell its last step itself."""
    if attempt.end is None or attempt.state is State.SUCCEEDED:
        return False
    return attempt.started_at is not None and attempt.end.last_step is None


def _word(session: Session, run: Run, attempt: Attempt) -> Word:
    beat = session.ledger.heartbeat(run.run_id, attempt.number)
    log = Log(session.ledger.objects, run.run_id, attempt.number)
    end = max((chunk.end for chunk in log.chunks()), default=0)
    tail = b"".join(frame.data for frame in log.read(max(0, end - TAIL_BYTES)))
    return Word(step=find_step(tail), heard_at=None if beat is None else beat.at)
