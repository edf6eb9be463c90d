"""Whether a run asks for the end of its instance: not of one that is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.agent.folder import AttemptFolder
from runctl.agent.machine_end import END, ask_for_end
from runctl.agent.plan import Plan
from runctl.model.events import AttemptEnded, Cause
from runctl.store.ledger import Ledger
from tests.records import RUN_ID, make_claim, make_event, make_spec
from tests.stores import MemoryObjects


def make_plan(folder: Path) -> Plan:
    return Plan(
        run_id=RUN_ID, attempt=1, instance="i-1", store="memory", instance_root=str(folder),
        base_python="python", ends_instance=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "is_asked"), [(Cause.EXIT, True), (Cause.LOST, True), (Cause.INTERRUPTED, False)]
)
def test_what_is_taken_back_is_left_to_its_provider(
    tmp_path: Path, cause: Cause, is_asked: bool
) -> None:
    ledger = Ledger(MemoryObjects())
    ledger.create_run(make_spec())
    ledger.claim(RUN_ID, make_claim(instance="i-1"))
    event = make_event(AttemptEnded(cause=cause), 1)
    ledger.append_event(RUN_ID, "agent", 1, event, durable=True)
    ask_for_end(make_plan(tmp_path), AttemptFolder.of(tmp_path, RUN_ID, 1), ledger)
    assert (tmp_path / END).exists() is is_asked
