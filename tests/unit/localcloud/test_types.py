"""Regions, zones, instance types, and which is offered where."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from runctl.localcloud import data
from runctl.localcloud.services.ec2.typefilters import TYPE_FILTERS
from runctl.localcloud.services.ec2.types import offered_zones, type_of, vcpus
from runctl.localcloud.wire.errors import AwsError
from tests.unit.localcloud.conftest import Rehearsal


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    found = error.value.response["Error"]
    return str(found["Code"]), str(found["Message"])


def names(rehearsal: Rehearsal, **filters: str) -> set[str]:
    """Return the types that match filters, whose names have ``__`` for ``.`` and ``_`` for ``-``"""
    wanted = [
        {"Name": name.replace("__", ".").replace("_", "-"), "Values": [value]}
        for name, value in filters.items()
    ]
    pages = rehearsal.client("ec2").get_paginator("describe_instance_types")
    return {
        one["InstanceType"]
        for page in pages.paginate(Filters=wanted)
        for one in page["InstanceTypes"]
    }


def test_types_are_what_aws_says(rehearsal: Rehearsal) -> None:
    answer = rehearsal.client("ec2").describe_instance_types(InstanceTypes=["g5.xlarge"])
    [found] = answer["InstanceTypes"]
    assert found["VCpuInfo"]["DefaultVCpus"] == 4
    assert found["MemoryInfo"]["SizeInMiB"] == 16384
    assert found["GpuInfo"]["Gpus"][0]["Name"] == "A10G"
    assert found["InstanceStorageInfo"]["Disks"][0] == {"SizeInGB": 250, "Count": 1, "Type": "ssd"}
    assert found["SupportedUsageClasses"] == ["on-demand", "spot"]


def test_every_documented_filter_is_known() -> None:
    shape = Loader().load_service_model("ec2", "service-2")["shapes"][
        "DescribeInstanceTypesRequest"
    ]
    text = shape["members"]["Filters"]["documentation"]
    missing = [name for name in TYPE_FILTERS if f"<code>{name}</code>" not in text]
    documented = {part.partition("</code>")[0] for part in text.split("<li> <p> <code>")[1:]}
    assert missing == []
    assert documented == set(TYPE_FILTERS)


def test_filters_and_wildcards(rehearsal: Rehearsal) -> None:
    assert names(rehearsal, instance_type="g5.x*") == {"g5.xlarge"}
    assert "t4g.micro" in names(
        rehearsal, processor_info__supported_architecture="arm64", instance_type="t*"
    )
    assert names(rehearsal, instance_type="p4d.*", network_info__efa_supported="true") == {
        "p4d.24xlarge"
    }
    assert "c5.metal" in names(rehearsal, bare_metal="true", instance_type="c5*")
    refused = refusal(
        rehearsal.client("ec2").describe_instance_types,
        Filters=[{"Name": "colour", "Values": ["red"]}],
    )
    assert refused == ("InvalidParameterValue", "The filter 'colour' is invalid")


def test_a_page_has_a_hundred_types(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    answer = ec2.describe_instance_types()
    assert len(answer["InstanceTypes"]) == 100
    again = ec2.describe_instance_types(NextToken=answer["NextToken"], MaxResults=5)
    assert len(again["InstanceTypes"]) == 5


@pytest.mark.slow
def test_all_pages_together_have_every_type(rehearsal: Rehearsal) -> None:
    assert len(names(rehearsal)) == len(data.offer("us-east-1").types)


def test_unknown_types_are_named(rehearsal: Rehearsal) -> None:
    describe = rehearsal.client("ec2").describe_instance_types
    assert refusal(describe, InstanceTypes=["t3.micro", "t9.a", "t9.b"]) == (
        "InvalidInstanceType",
        "The following supplied instance types do not exist: [t9.a, t9.b]",
    )
    with pytest.raises(AwsError, match=r"Invalid value 't9\.a' for InstanceType"):
        type_of("t9.a")


def test_a_type_that_the_region_lacks_is_shown_on_demand(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2", "us-west-1")
    assert refusal(ec2.describe_instance_types, InstanceTypes=["trn1.2xlarge"])[0] == (
        "InvalidInstanceType"
    )
    [found] = ec2.describe_instance_types(
        InstanceTypes=["trn1.2xlarge"], IncludeUnsupportedInRegion=True
    )["InstanceTypes"]
    assert found["InstanceType"] == "trn1.2xlarge"


def test_offerings_by_region_zone_and_zone_id(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    wanted = [{"Name": "instance-type", "Values": ["p4d.24xlarge"]}]

    def places(kind: str) -> set[str]:
        found = ec2.describe_instance_type_offerings(LocationType=kind, Filters=wanted)
        return {one["Location"] for one in found["InstanceTypeOfferings"]}

    assert places("region") == {"us-east-1"}
    assert places("availability-zone") == {f"us-east-1{letter}" for letter in "abcd"}
    assert places("availability-zone-id") == {f"use1-az{number}" for number in (1, 2, 4, 6)}
    assert places("availability-zone") == set(offered_zones("us-east-1", "p4d.24xlarge"))


def test_offerings_in_one_zone(rehearsal: Rehearsal) -> None:
    wanted = [
        {"Name": "location", "Values": ["us-east-1e"]},
        {"Name": "instance-type", "Values": ["t3.*", "p4d.*"]},
    ]
    pages = rehearsal.client("ec2").get_paginator("describe_instance_type_offerings")
    found = [
        one["InstanceType"]
        for page in pages.paginate(LocationType="availability-zone", Filters=wanted)
        for one in page["InstanceTypeOfferings"]
    ]
    assert found == []  # the oldest zone has neither


def test_vcpus_are_counted() -> None:
    assert (vcpus("t3.micro"), vcpus("p5.48xlarge")) == (2, 192)


def fitting(rehearsal: Rehearsal, architecture: str = "x86_64", **wanted: Any) -> set[str]:
    requirements = {"VCpuCount": {"Min": 0}, "MemoryMiB": {"Min": 0}, **wanted}
    pages = rehearsal.client("ec2").get_paginator("get_instance_types_from_instance_requirements")
    found = pages.paginate(
        ArchitectureTypes=[architecture],
        VirtualizationTypes=["hvm"],
        InstanceRequirements=requirements,
    )
    return {one["InstanceType"] for page in found for one in page["InstanceTypes"]}


def test_types_are_found_by_attributes(rehearsal: Rehearsal) -> None:
    size: Any = {"VCpuCount": {"Min": 4, "Max": 4}, "MemoryMiB": {"Min": 16384, "Max": 16384}}
    found = fitting(rehearsal, **size)
    assert {"m5.xlarge", "g5.xlarge"} <= found
    assert not found & {"t3.xlarge", "m6g.xlarge", "m5.large"}
    assert "t3.xlarge" in fitting(rehearsal, **size, BurstablePerformance="required")
    assert "m6g.xlarge" in fitting(rehearsal, "arm64", **size)
    plain = fitting(rehearsal, **size, AcceleratorCount={"Max": 0}, LocalStorage="excluded")
    assert "m5.xlarge" in plain
    assert not plain & {"g5.xlarge", "m5d.xlarge"}


def test_types_are_found_by_accelerator_and_name(rehearsal: Rehearsal) -> None:
    cards = fitting(rehearsal, AcceleratorNames=["a10g"], AcceleratorCount={"Min": 1, "Max": 1})
    assert "g5.xlarge" in cards
    assert not cards & {"g5.12xlarge", "g6.xlarge"}
    assert "trn1.2xlarge" in fitting(rehearsal, AcceleratorNames=["trainium"])
    large = fitting(rehearsal, AcceleratorTotalMemoryMiB={"Min": 300 * 1024})
    assert "p4d.24xlarge" in large
    assert "g5.xlarge" not in large
    several: Any = {"AllowedInstanceTypes": ["m5.*"], "ExcludedInstanceTypes": ["*large"]}
    assert fitting(rehearsal, **several) == set()
    metal: Any = {"AllowedInstanceTypes": ["c5.metal"]}
    assert fitting(rehearsal, **metal) == set()
    assert fitting(rehearsal, **metal, BareMetal="required") == {"c5.metal"}
    assert fitting(rehearsal, AllowedInstanceTypes=["m5.large"], CpuManufacturers=["amd"]) == set()


def test_regions_and_whether_they_need_opting_in(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    enabled = {one["RegionName"]: one for one in ec2.describe_regions()["Regions"]}
    assert len(enabled) == 17
    assert enabled["eu-central-1"] == {
        "RegionName": "eu-central-1",
        "Endpoint": "ec2.eu-central-1.amazonaws.com",
        "OptInStatus": "opt-in-not-required",
    }
    every = ec2.describe_regions(AllRegions=True)["Regions"]
    assert "me-south-1" in {one["RegionName"] for one in every} - enabled.keys()
    [disabled] = ec2.describe_regions(RegionNames=["me-south-1"])["Regions"]
    assert disabled["OptInStatus"] == "not-opted-in"
    assert refusal(ec2.describe_regions, RegionNames=["nowhere-1"]) == (
        "InvalidParameterValue",
        "Invalid region: [nowhere-1]",
    )


def test_every_region_has_zones_and_small_types() -> None:
    for region in data.region_names():
        assert len(data.offer(region).zones) >= 2
        assert len(offered_zones(region, "t3.micro")) >= 2


def test_zones_have_ids_and_groups(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    [zone] = ec2.describe_availability_zones(ZoneNames=["us-east-1a"])["AvailabilityZones"]
    assert (zone["ZoneId"], zone["ZoneType"]) == ("use1-az6", "availability-zone")
    assert (zone["GroupName"], zone["GroupLongName"]) == (
        "us-east-1-zg-1",
        "US East (N. Virginia) 1",
    )
    wanted = [{"Name": "zone-id", "Values": ["use1-az[1-3]", "use1-az?"]}]
    assert len(ec2.describe_availability_zones(Filters=wanted)["AvailabilityZones"]) == 6
    assert refusal(ec2.describe_availability_zones, ZoneNames=["us-east-1z"]) == (
        "InvalidParameterValue",
        "Invalid availability zone: [us-east-1z]",
    )


def test_one_type_is_decoded_without_the_others() -> None:
    data.instance_type.cache_clear()
    assert data.instance_type("t3.micro") is data.instance_type("t3.micro")
    assert data.instance_type("t9.micro") is None
    assert len(data.instance_type_names()) > 1000
