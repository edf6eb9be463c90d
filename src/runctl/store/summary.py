"""What a checkpoint says of itself, in the words of its manifest."""

from __future__ import annotations

from runctl.model.checkpoint import Summary
from runctl.store.formats import Description


def summarise(found: Description) -> Summary:
    """Return the part of a description that is kept in the ledger."""
    return Summary(
        format=found.format,
        step=found.step,
        epoch=None if found.epoch is None else float(found.epoch),
        loss=found.loss,
        metrics=found.metrics,
        parameter_count=found.parameter_count,
    )
