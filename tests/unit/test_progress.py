"""The last step that a log tells of."""

from __future__ import annotations

import pytest

from runctl.model.progress import find_step


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (b'{"step": 3, "loss": 0.5}\n{"step": 4, "loss": 0.4}\n', 4),
        (b"step 40/90 loss 0.1\n", 40),
        (b"global_step=12, loss=3", 12),
        (b"[Step: 7]", 7),
        (b"step 0.5 is no count", None),
        (b"footstep 3, --step-delay=2", None),
        (b"nothing at all", None),
        (b"", None),
    ],
)
def test_the_last_step_is_found(text: bytes, step: int | None) -> None:
    assert find_step(text) == step
