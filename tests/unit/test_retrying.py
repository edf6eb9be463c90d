"""Which ends are tried again: each word of ``--retry-on`` by itself."""

from __future__ import annotations

import pytest

from runctl.errors import UsageError
from runctl.model.events import Cause, ExitRecord, Trouble
from runctl.model.retrying import check_retry_on, is_retried
from tests.records import make_exit


@pytest.mark.parametrize(
    ("words", "retried"),
    [
        ("interruption", {"interrupted"}),
        ("lost", {"lost"}),
        ("exit", {"1", "137", "SIGKILL"}),
        ("exit:137", {"137", "SIGKILL"}),
        ("lost,exit:1", {"lost", "1"}),
    ],
)
def test_each_word_means_what_it_says(words: str, retried: set[str]) -> None:
    ends: dict[str, tuple[Cause, ExitRecord | None]] = {
        "interrupted": (Cause.INTERRUPTED, make_exit(0)),
        "lost": (Cause.LOST, None),
        "1": (Cause.EXIT, make_exit(1)),
        "137": (Cause.EXIT, make_exit(137)),
        "SIGKILL": (Cause.EXIT, make_exit(None, 9)),
        "stopped": (Cause.STOP, make_exit(1)),
        "limit": (Cause.LIMIT, make_exit(1)),
    }
    found = {name for name, end in ends.items() if is_retried(*end, tuple(words.split(",")))}
    assert found == retried


@pytest.mark.parametrize(
    ("words", "retried"),
    [
        ("hang", {"hang"}),
        ("oom", {"oom"}),
        ("gpu-lost", {"gpu-lost", "gpu-lost in a hang"}),
        ("exit", {"oom", "gpu-lost", "disk-full"}),
        ("lost", set()),
    ],
)
def test_a_trouble_is_tried_again_by_its_name(words: str, retried: set[str]) -> None:
    ends = {
        "hang": (Cause.TROUBLE, Trouble.HANG),
        "nan": (Cause.TROUBLE, Trouble.NAN),
        "gpu-lost in a hang": (Cause.TROUBLE, Trouble.GPU_LOST),
        "oom": (Cause.EXIT, Trouble.OOM),
        "gpu-lost": (Cause.EXIT, Trouble.GPU_LOST),
        "disk-full": (Cause.EXIT, Trouble.DISK_FULL),
    }
    record = make_exit(1)
    found = {name for name, (cause, it) in ends.items() if is_retried(cause, record, (words,), it)}
    assert found == retried


@pytest.mark.parametrize("word", ["interrupted", "exit:256", "exit:", "exit:-1", "all", "nan"])
def test_a_word_that_means_nothing_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match=word):
        check_retry_on(("lost", word))
