"""Which images an instance type of EC2 can boot."""

from __future__ import annotations

import pytest

from runctl.providers.aws.types import architecture_of


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        (["x86_64"], "x86_64"),
        (["i386", "x86_64"], "x86_64"),  # as DescribeInstanceTypes tells of t2.micro
        (["arm64"], "arm64"),
        (["x86_64_mac"], "x86_64_mac"),
    ],
)
def test_the_first_architecture_of_64_bits_is_taken(listed: list[str], wanted: str) -> None:
    told = {"ProcessorInfo": {"SupportedArchitectures": listed}}
    assert architecture_of(told) == wanted
