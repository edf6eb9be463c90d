"""What is printed as JSON, where that is more than a typed result as it stands."""

from __future__ import annotations

from datetime import UTC, datetime

from runctl.model.cost import run_cost
from runctl.model.events import Event
from runctl.model.run import Run


def describe_run(run: Run) -> dict[str, object]:
    """A run with what one asks of it first; ``spec`` and ``attempts`` hold the rest."""
    last, checkpoint = run.last, run.last_checkpoint
    return {
        "run_id": run.run_id,
        "name": run.spec.name,
        "state": run.state,
        "is_over": run.is_over,
        "created_at": run.spec.created_at,
        "ended_at": run.ended_at,
        "exit_status": last.exit.status if last and last.exit else None,
        "exit_signal": last.exit.signal if last and last.exit else None,
        "checkpoint_count": sum(attempt.checkpoint_count for attempt in run.attempts),
        "durable_step": checkpoint.step if checkpoint else None,
        "cost_usd": run_cost(run, datetime.now(UTC)),
        "spec": run.spec,
        "attempts": run.attempts,
    }


def describe_end(run: Run) -> dict[str, object]:
    return {"type": "run", **describe_run(run)}


def describe_event(event: Event) -> dict[str, object]:
    return {"type": "event", "at": event.at, "attempt": event.attempt, "event": event.body}


def describe_log(attempt: int, start: int, text: str) -> dict[str, object]:
    return {"type": "log", "attempt": attempt, "start": start, "text": text}
