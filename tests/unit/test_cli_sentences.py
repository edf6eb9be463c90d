"""Words for what happens: short, and true at the edges."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runctl.cli.sentences import tell_count, tell_event, tell_exit, tell_seconds
from runctl.model.events import Body, Event, ExitRecord, Phase, PhaseFinished, ResumeChosen

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def told(body: Body) -> str | None:
    return tell_event(Event(nonce="n", at=NOW, attempt=1, body=body))


def ended(**fields: object) -> ExitRecord:
    known = {"status": None, "signal": None, "started_at": NOW, "ended_at": NOW, "seconds": 1.0}
    return ExitRecord(**{**known, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0s"), (0.26, "0.3s"), (59.97, "1m"), (61.4, "1m1s"), (3600.0, "1h")],
)
def test_seconds(seconds: float, text: str) -> None:
    assert tell_seconds(seconds) == text


def test_an_exit_has_its_status_or_its_signal_by_name() -> None:
    assert tell_exit(ended(status=3)) == "exit status 3"
    assert tell_exit(ended(signal=11, is_core_dumped=True)) == "ended by SIGSEGV, core dumped"
    assert tell_exit(ended(signal=250)) == "ended by signal 250"
    assert tell_exit(ended(error="no such file")) == "could not be started: no such file"


def test_a_count_of_one_is_singular() -> None:
    assert (tell_count(1, "run"), tell_count(0, "run")) == ("1 run", "0 runs")


def test_a_phase_has_its_notes_in_words() -> None:
    notes = {"cached": "false", "snapshot": "ab" * 32}
    done = PhaseFinished(phase=Phase.CODE, seconds=0.2, notes=notes)
    assert told(done) == "code 0.2s (not cached, snapshot abababababab)"


def test_checkpoints_passed_over_are_told_with_the_reason() -> None:
    chosen = ResumeChosen(checkpoint="1/2", step=40, passed_over={"1/3": "it is torn"})
    assert told(chosen) == "resumes from 1/2 (step 40); passed over 1/3: it is torn"
    assert told(ResumeChosen(checkpoint=None, step=None)) is None
    nothing = ResumeChosen(checkpoint=None, step=None, passed_over={"1/1": "it is torn"})
    assert told(nothing) == "no checkpoint to resume from; passed over 1/1: it is torn"
