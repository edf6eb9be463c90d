"""Which keys a pattern means."""

from __future__ import annotations

import pytest

from runctl.store.transfer.selecting import fixed_folder, fixed_prefix, is_meant


@pytest.mark.parametrize(
    ("pattern", "meant", "not_meant"),
    [
        ("a/*.csv", ["a/1.csv", "a/.csv"], ["a/b/1.csv", "a/1.csv.gz", "b/1.csv"]),
        ("a/**/*.pt", ["a/1.pt", "a/b/c/1.pt"], ["a/b/1.bin", "1.pt"]),
        ("a/**", ["a/1", "a/b/c"], ["ab", "b/a/1"]),
        ("step-?[0-4].npz", ["step-12.npz"], ["step-19.npz", "step-1.npz", "x/step-12.npz"]),
        ("*/x", ["a/x", "ü b/x"], ["x", "a/b/x"]),
    ],
)
def test_a_star_stays_within_a_folder_and_two_do_not(
    pattern: str, meant: list[str], not_meant: list[str]
) -> None:
    assert [key for key in (*meant, *not_meant) if is_meant(key, pattern)] == meant


def test_where_a_pattern_begins() -> None:
    assert [fixed_prefix("a/b*/c"), fixed_folder("a/b*/c")] == ["a/b", "a/"]
    assert [fixed_prefix("a/b"), fixed_folder("*")] == ["a/b", ""]
