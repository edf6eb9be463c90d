"""What an attempt has made is brought home: checkpoints, log and outputs, by the deadline."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from runctl.agent import reaper
from runctl.agent.checkpoint_watch import CheckpointWatch
from runctl.agent.folder import AttemptFolder
from runctl.agent.journal import Journal, retry_until_done
from runctl.agent.ledger_access import access_of
from runctl.agent.orders import Orders
from runctl.agent.plan import Plan
from runctl.agent.shipper import Shipper
from runctl.agent.stopper import read_exit
from runctl.errors import UnsafePath
from runctl.model.events import (
    AttemptEnded,
    Cause,
    CheckpointCommitted,
    OutputsStored,
    Phase,
    ResumeChosen,
    StopBegun,
    Warned,
)
from runctl.model.progress import TAIL_BYTES, find_step
from runctl.model.spec import Spec
from runctl.store.blobs import Blobs
from runctl.store.checkpoints import Checkpoints
from runctl.store.ledger import Ledger
from runctl.store.outputs import Outputs, read_outputs, store_outputs

if TYPE_CHECKING:
    from runctl.agent.publishing import Publisher


@dataclass(frozen=True)
class Attempted:
    """Which attempt it is, where its things are, and who may end it."""

    folder: AttemptFolder
    plan: Plan
    spec: Spec
    ledger: Ledger
    journal: Journal
    orders: Orders


class Homecoming:
    """``start`` before the command, ``finish`` and ``sum_up`` after it."""

    def __init__(
        self,
        at: Attempted,
        watch: CheckpointWatch,
        shipper: Shipper,
        checkpoints: Checkpoints,
        blobs: Blobs,
    ) -> None:
        self._at, self._watch, self._shipper = at, watch, shipper
        self._checkpoints, self._blobs = checkpoints, blobs
        self._publisher: Publisher | None = None

    def start(self) -> None:
        """Begin to put checkpoints where they are wanted as well, if they are."""
        at = self._at
        if at.spec.published_to is None:
            return
        from runctl.agent.publishing import Publisher  # noqa: PLC0415 - few runs publish

        place = (at.spec.run_id, at.plan.attempt)
        access = access_of(at.plan.reach(at.spec.published_to))
        self._publisher = Publisher(
            at.spec.published_to, access, *place, self._checkpoints, self._blobs
        )
        self._publisher.start()

    def finish(self, end: AttemptEnded) -> AttemptEnded:
        """Store what is left; return the end, or another where that was cut off or failed."""
        orders = self._at.orders
        # The checkpoints first: a log that cannot be stored must not keep them waiting.
        self._watch.finish(orders.is_cut_off, self._doubtful_from_ns(), orders.left_s)
        self._shipper.finish(orders.is_cut_off)
        if orders.is_superseded():
            return end
        self._store_outputs_in_time()
        end = self._publish(end)
        return self._cut_short(end) or end

    def sum_up(self, end: AttemptEnded) -> AttemptEnded:
        """Return the end with what the attempt has come to."""
        durable_step = self._durable_step()
        return msgspec.structs.replace(
            end,
            seconds=reaper.read_age_s(str(self._at.folder.path)),
            log_bytes=self._shipper.shipped_bytes,
            last_step=_find_last_step(self._at.folder.output, durable_step),
            durable_step=durable_step,
        )

    def _cut_short(self, end: AttemptEnded) -> AttemptEnded | None:
        """Return the end of a success that could not be stored in time: it is to be done again."""
        order, left_s = self._at.orders.current, self._at.orders.left_s()
        if order is None or left_s is None or (left_s > 0 and not self._watch.has_missed):
            return None
        if not self._has_succeeded() or end.cause not in (Cause.EXIT, Cause.PHASE):
            return None
        message = f"{order.reason}; the command had ended, but not all that it made could be stored"
        return AttemptEnded(cause=order.cause, message=message)

    def _has_succeeded(self) -> bool:
        return self._at.folder.exit.exists() and read_exit(self._at.folder).status == 0

    def _publish(self, end: AttemptEnded) -> AttemptEnded:
        """Put checkpoints and outputs where they are wanted as well; what fails is told."""
        at = self._at
        if self._publisher is None:
            return end
        outputs = read_outputs(at.ledger, at.spec.run_id, at.plan.attempt)
        problem = self._publisher.finish(at.orders.is_cut_off, outputs)
        if problem is None:
            return end
        at.journal.append(Warned(code="output-s3", message=problem))
        if end.cause is not Cause.EXIT or not self._has_succeeded():
            return end  # it has failed already, and why matters more
        hint = f"runctl aws setup --write {at.spec.published_to}"
        return AttemptEnded(cause=Cause.PHASE, phase=Phase.UPLOADING, message=problem, hint=hint)

    def _durable_step(self) -> int | None:
        """Return the step that the next attempt would go on from."""
        bodies = self._at.journal.bodies
        found = [body for body in bodies if isinstance(body, CheckpointCommitted)]
        if found:
            return max(found, key=lambda body: body.seq).step
        return next((b.step for b in bodies if isinstance(b, ResumeChosen)), None)

    def _doubtful_from_ns(self) -> int | None:
        """Return since when the command may have died over a checkpoint; None if it did not."""
        if not self._at.folder.exit.exists():
            return 0  # the reaper was killed: when and how the command ended is not known
        record = read_exit(self._at.folder)
        was_stopped = any(isinstance(body, StopBegun) for body in self._at.journal.bodies)
        if record.signal is None and (record.status == 0 or was_stopped):
            return None
        return int((record.ended_at - self._at.spec.checkpoint.settle).timestamp() * 1e9)

    def _store_outputs_in_time(self) -> None:
        """Store them; where there is a deadline, let it cut them off: the end must be told."""
        left_s = self._at.orders.left_s()
        if left_s is None:
            self._store_outputs()
            return
        thread = threading.Thread(target=self._store_outputs, name="outputs", daemon=True)
        thread.start()
        thread.join(max(0.0, left_s))

    def _store_outputs(self) -> None:
        at = self._at
        place = (at.spec.run_id, at.plan.attempt, at.folder.outputs)
        stored: list[Outputs] = []
        escapes: set[str] = set()

        def note(error: UnsafePath) -> None:
            escapes.add(error.message)

        def store() -> None:
            escapes.clear()
            stored.append(store_outputs(at.ledger, self._blobs, *place, note))

        retry_until_done(store)
        for message in sorted(escapes):
            at.journal.append(Warned(code="outputs", message=f"{message}; it was not stored"))
        if stored[0].files:
            count, size_bytes = len(stored[0].files), stored[0].size_bytes
            at.journal.append(OutputsStored(file_count=count, size_bytes=size_bytes))


def _find_last_step(output: Path, durable_step: int | None) -> int | None:
    """Return the last step that the end of the log tells of; no less than is safe."""
    try:
        with output.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            told = find_step(file.read())
    except FileNotFoundError:
        told = None
    return max((step for step in (told, durable_step) if step is not None), default=None)
