"""Durations and sizes: what people type, what they read, what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runctl.errors import UsageError
from runctl.model.quantities import (
    format_age,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("8h", timedelta(hours=8)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1.5h", timedelta(hours=1, minutes=30)),
        ("250ms", timedelta(milliseconds=250)),
        (" 10m5ms ", timedelta(minutes=10, milliseconds=5)),
        ("0s", timedelta()),
    ],
)
def test_parse_duration(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "30m1h", "1h1h", "-5s", "1x", "1 h", "9" * 12 + "d"])
def test_a_duration_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)
    assert repr(text) in caught.value.message
    assert "1h30m" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(days=2, seconds=1), "2d1s"),
        (timedelta(milliseconds=250), "0.25s"),
        (timedelta(seconds=-5), "-5s"),
    ],
)
def test_format_duration(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=59.9), "59s"),
        (timedelta(minutes=59, seconds=59), "59m"),
        (timedelta(hours=47), "1d"),
        (timedelta(seconds=-3), "0s"),
    ],
)
def test_format_age_rounds_down_to_one_unit(age: timedelta, text: str) -> None:
    assert format_age(age) == text


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("1k", 1024),
        ("512MiB", 512 * 1024**2),
        ("100G", 100 * 1024**3),
        ("100 GB", 100 * 1000**3),
        ("1.5GB", 1_500_000_000),
        ("2t", 2 * 1024**4),
    ],
)
def test_parse_size(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "x", "5i", "5ib", "5Gi", "-1", "1e3", "1,5G"])
def test_a_size_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert repr(text) in caught.value.message


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1KiB"),
        (1536, "1.5KiB"),
        (1024**2 - 1, "1MiB"),
        (3 * 1024**6, "3072PiB"),
        (-2048, "-2KiB"),
    ],
)
def test_format_size(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text
