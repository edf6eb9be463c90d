"""Which types fit, by descriptions in the form that AWS gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from runctl.aws.account import Account
from runctl.errors import NotFoundError, UsageError
from runctl.model.wish import InstanceWish
from runctl.providers.aws.types import MOST, find_types, gpus_of


def _gpu(name: str, count: int, gib: int = 24, **more: object) -> dict[str, Any]:
    return {"Name": name, "Count": count, "MemoryInfo": {"SizeInMiB": gib * 1024}, **more}


def _type(
    name: str, cpus: int, gib: int, *gpus: Mapping[str, Any], markets: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": cpus},
        "MemoryInfo": {"SizeInMiB": gib * 1024},
        "SupportedUsageClasses": list(markets or ("on-demand", "spot")),
        **({"GpuInfo": {"Gpus": list(gpus)}} if gpus else {}),
    }


KNOWN = [
    _type("g6.12xlarge", 48, 192, _gpu("L4", 4)),
    _type("g6.xlarge", 4, 16, _gpu("L4", 1)),
    _type("g6f.large", 2, 8, _gpu("L4", 1, 3, GpuPartitionSize=0.125)),
    _type("g6e.xlarge", 4, 32, _gpu("L40S", 1, 44)),
    _type("p4d.24xlarge", 96, 1152, _gpu("A100", 8, 40)),
    _type("p4de.24xlarge", 96, 1152, _gpu("A100", 8, 80)),
    _type("m7i.large", 2, 8),
    _type("m7i.2xlarge", 8, 32),
    _type("m5dn.2xlarge", 8, 32),
    _type("mac2.metal", 8, 16, markets=("on-demand",)),
]


class FakeEc2:
    def __init__(self, known: Sequence[dict[str, Any]]) -> None:
        self.known = {one["InstanceType"]: one for one in known}
        self.requirements: dict[str, Any] = {}

    def get_paginator(self, operation: str) -> FakeEc2:
        assert operation == "get_instance_types_from_instance_requirements"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self.requirements = asked
        return [{"InstanceTypes": [{"InstanceType": name} for name in self.known]}]

    def describe_instance_types(self, *, InstanceTypes: list[str]) -> dict[str, Any]:  # noqa: N803
        assert len(InstanceTypes) <= 100
        return {"InstanceTypes": [self.known[name] for name in InstanceTypes]}


class FakeAccount:
    region = "us-east-1"

    def __init__(self, known: Sequence[dict[str, Any]] = KNOWN) -> None:
        self.ec2 = FakeEc2(known)

    def client(self, service: str) -> FakeEc2:
        assert service == "ec2"
        return self.ec2


def _find(account: FakeAccount | None = None, **wish: Any) -> list[str]:
    return list(find_types(cast(Account, account or FakeAccount()), InstanceWish(**wish)))


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ({"gpu": "L4"}, ["g6.xlarge", "g6.12xlarge"]),
        ({"gpu": "l4", "gpu_count": 2}, ["g6.12xlarge"]),
        ({"gpu": "l40s", "memory_gib": 17}, ["g6e.xlarge"]),
        ({"gpu": "A100", "gpu_count": 8}, ["p4d.24xlarge", "p4de.24xlarge"]),
        ({"gpu": "A100-80GB"}, ["p4de.24xlarge"]),
        ({"gpu_count": 1, "cpus": 48}, ["g6.12xlarge", "p4d.24xlarge", "p4de.24xlarge"]),
        ({"types": ("g6.12xlarge", "m7i.large")}, ["m7i.large", "g6.12xlarge"]),
        ({"types": ("g6.12xlarge", "m7i.large"), "gpu": "L4"}, ["g6.12xlarge"]),
        ({"types": ("mac2.metal",)}, ["mac2.metal"]),
    ],
)
def test_what_has_enough_fits_the_smallest_first(wish: Any, found: list[str]) -> None:
    assert _find(**wish) == found


def test_of_the_same_size_the_plain_one_comes_first() -> None:
    assert _find(cpus=8, memory_gib=32)[:2] == ["m7i.2xlarge", "m5dn.2xlarge"]


def test_spot_leaves_out_what_is_not_sold_so() -> None:
    with pytest.raises(NotFoundError, match=r"none of mac2\.metal can be had as spot"):
        _find(types=("mac2.metal",), is_spot=True)


def test_no_more_than_some_are_looked_at() -> None:
    many = [_type(f"m{number}.large", 2, 8) for number in range(250)]
    assert len(_find(FakeAccount(many), cpus=1)) == MOST


def test_aws_is_asked_for_what_has_enough() -> None:
    account = FakeAccount()
    _find(account, cpus=8, memory_gib=32)
    asked = account.ec2.requirements
    assert asked["ArchitectureTypes"] == ["x86_64"]
    wanted = asked["InstanceRequirements"]
    assert (wanted["VCpuCount"], wanted["MemoryMiB"]) == ({"Min": 8}, {"Min": 32768})
    assert (wanted["AcceleratorCount"], wanted["InstanceGenerations"]) == ({"Max": 0}, ["current"])
    _find(account, gpu="A100", gpu_count=8)
    wanted = account.ec2.requirements["InstanceRequirements"]
    assert (wanted["AcceleratorTypes"], wanted["AcceleratorCount"]) == (["gpu"], {"Min": 8})
    assert "InstanceGenerations" not in wanted


def test_an_unknown_gpu_is_told_with_those_that_there_are() -> None:
    with pytest.raises(NotFoundError, match=r"with 1 L5; of those .* A100, L4, L40S"):
        _find(gpu="L5")


def test_nothing_is_not_enough_to_go_by() -> None:
    with pytest.raises(UsageError, match="no instance type"):
        _find()


def test_a_part_of_a_gpu_is_none() -> None:
    assert gpus_of(KNOWN[2]) == ()
    assert gpus_of(KNOWN[0]) == ("L4",) * 4
