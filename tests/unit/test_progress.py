"""The last step that a log tells of."""

from __future__ import annotations

import pytest

from runctl.model.progress import find_nan, find_step


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


@pytest.mark.parametrize(
    "line",
    [
        "step 5 loss: nan",
        '{"step": 5, "loss": NaN}',
        "epoch 1 train_loss=nan lr=0.1",
        "{'val/loss': tensor(nan, device='cuda:0')}",
        "loss nan",
        "'loss': np.float32(nan)",
    ],
)
def test_a_loss_that_is_no_number_is_found(line: str) -> None:
    assert find_nan(f"loss: 0.5\n{line}\nloss: 1\n".encode()) == line


@pytest.mark.parametrize(
    "line",
    [
        "loss: 0.1",
        "accuracy: nan",
        "loss: nano",
        "the loss is fine; nan elsewhere",
        "",
        "nan",
        "lossy",
    ],
)
def test_what_is_no_loss_is_left_alone(line: str) -> None:
    assert find_nan(line.encode()) is None
