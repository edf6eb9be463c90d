"""What a success is worth that was not stored when the instance is taken back: nothing yet."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from runctl.agent.folder import AttemptFolder
from runctl.agent.link import ReaperLink
from runctl.agent.orders import Order
from runctl.agent.plan import Plan
from runctl.agent.supervisor import Supervisor
from runctl.model.events import AttemptEnded, Cause, CheckpointCommitted, OutputsStored
from runctl.store.ledger import Ledger
from tests.records import RUN_ID, make_claim, make_spec
from tests.stores import MemoryObjects

EXITED = AttemptEnded(cause=Cause.EXIT, message="the command exited")


class Ending:
    """An attempt whose command has exited, with a checkpoint and an output to be stored."""

    def __init__(self, path: Path, status: int) -> None:
        folder = AttemptFolder.of(path, RUN_ID, 1)
        for place in (folder.checkpoints, folder.outputs):
            place.mkdir(parents=True)
        (folder.checkpoints / "last.json").write_text('{"step": 9}', encoding="ascii")
        (folder.outputs / "report.txt").write_text("9", encoding="ascii")
        folder.output.write_bytes(b"")
        record = {"status": status, "signal": None, "started_at": 1.0, "ended_at": 2.0}
        folder.exit.write_text(json.dumps(record | {"seconds": 1.0}), encoding="ascii")
        plan = Plan(
            run_id=RUN_ID, attempt=1, instance="i-1", store="memory", base_python="python",
            instance_root=str(path), is_spot=True,
        )  # fmt: skip
        ledger = Ledger(MemoryObjects())
        ledger.create_run(make_spec())
        ledger.claim(RUN_ID, make_claim())
        self.supervisor = Supervisor(folder, plan, make_spec(), ledger, ReaperLink(-1, -1))

    def store(self, left_s: float | None) -> AttemptEnded:
        """Let it be stored; ``left_s`` is for how long the instance is there, if that ends."""
        made = self.supervisor
        made._watch.start()
        made._shipper.start()
        if left_s is not None:
            order = Order(Cause.INTERRUPTED, "taken back", deadline=time.monotonic() + left_s)
            made._orders.give(order)
        return made._upload(EXITED)

    def has_told(self, kind: type) -> bool:
        return self.supervisor._has_told(kind)


@pytest.mark.parametrize("left_s", [None, 60.0])
def test_what_was_stored_in_time_has_succeeded(tmp_path: Path, left_s: float | None) -> None:
    ending = Ending(tmp_path, 0)
    assert ending.store(left_s).cause is Cause.EXIT
    assert ending.has_told(CheckpointCommitted)
    assert ending.has_told(OutputsStored)


def test_what_could_not_be_stored_in_time_was_interrupted(tmp_path: Path) -> None:
    ending = Ending(tmp_path, 0)
    end = ending.store(-1.0)
    assert not ending.has_told(CheckpointCommitted)
    assert (end.cause, end.message) == (
        Cause.INTERRUPTED,
        "taken back; the command had ended, but not all that it made could be stored",
    )


def test_a_checkpoint_that_there_was_no_time_for_is_missed(tmp_path: Path) -> None:
    ending = Ending(tmp_path, 0)
    ending.supervisor._watch._speed.note(2**20, 1e9)
    assert ending.store(60.0).cause is Cause.INTERRUPTED
    assert ending.has_told(OutputsStored)


def test_what_failed_has_failed_all_the_same(tmp_path: Path) -> None:
    assert Ending(tmp_path, 1).store(-1.0).cause is Cause.EXIT
