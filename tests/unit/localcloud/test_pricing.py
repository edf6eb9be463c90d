"""Prices: what the table knows, in AWS's form; what it does not know, nowhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud import data
from runctl.localcloud.services.pricing.products import location_of, products
from tests.unit.localcloud.conftest import START, Rehearsal

NOW = datetime.fromtimestamp(START, UTC)
COMMON = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
    "termType": "OnDemand",
}


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


def ask(rehearsal: Rehearsal, service: str = "AmazonEC2", **fields: str) -> list[Any]:
    wanted = [
        {"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in fields.items()
    ]
    answer = rehearsal.client("pricing").get_products(ServiceCode=service, Filters=wanted)
    assert answer["FormatVersion"] == "aws_v1"
    return [json.loads(text) for text in answer["PriceList"]]


def price(document: Any) -> tuple[str, str]:
    [offer] = document["terms"]["OnDemand"].values()
    [dimension] = offer["priceDimensions"].values()
    return dimension["pricePerUnit"]["USD"], dimension["unit"]


def history(rehearsal: Rehearsal, region: str = "us-east-1", **parameters: Any) -> list[Any]:
    ec2 = rehearsal.client("ec2", region)
    return list(ec2.describe_spot_price_history(**parameters)["SpotPriceHistory"])


@pytest.mark.parametrize(
    "where", [{"regionCode": "us-east-1"}, {"location": "US East (N. Virginia)"}]
)
def test_on_demand_prices_come_as_aws_documents(
    rehearsal: Rehearsal, where: dict[str, str]
) -> None:
    [found] = ask(rehearsal, instanceType="g5.xlarge", **where, **COMMON)
    assert price(found) == ("1.0060000000", "Hrs")
    attributes = found["product"]["attributes"]
    assert found["product"]["productFamily"] == "Compute Instance"
    assert attributes["usagetype"] == "BoxUsage:g5.xlarge"
    assert (attributes["vcpu"], attributes["memory"], attributes["gpu"]) == ("4", "16 GiB", "1")
    assert attributes["instanceFamily"] == "GPU instance"
    assert attributes["storage"] == "1 x 250 SSD"
    sku = found["product"]["sku"]
    assert list(found["terms"]["OnDemand"]) == [f"{sku}.JRTCKXETXF"]


def test_regions_have_their_own_prices(rehearsal: Rehearsal) -> None:
    [found] = ask(rehearsal, instanceType="m5.large", location="EU (Ireland)", **COMMON)
    assert price(found)[0] == "0.1070000000"
    assert found["product"]["attributes"]["usagetype"] == "EU-BoxUsage:m5.large"


def test_what_the_table_lacks_has_no_price(rehearsal: Rehearsal) -> None:
    assert ask(rehearsal, instanceType="g5.xlarge", regionCode="sa-east-1") == []
    assert ask(rehearsal, instanceType="x1e.32xlarge") == []
    assert ask(rehearsal, instanceType="g5.xlarge", operatingSystem="Windows") == []
    assert ask(rehearsal, instanceType="p5e.48xlarge") == []
    assert all(product.usd > 0 for product in products())


def test_every_known_price_is_listed_once() -> None:
    known = [row for row in data.prices().values() if row["on_demand_usd_per_hour"]]
    instances = [one for one in products() if one.family == "Compute Instance"]
    assert len(instances) == len(known)
    assert len({product.sku for product in products()}) == len(products())


@pytest.mark.parametrize(
    ("family", "usage", "expected"),
    [
        ("Storage", "EBS:VolumeUsage.gp3", ("0.0800000000", "GB-Mo")),
        ("System Operation", "EBS:VolumeP-IOPS.gp3", ("0.0050000000", "IOPS-Mo")),
        ("Provisioned Throughput", "EBS:VolumeP-Throughput.gp3", ("40.9600000000", "GiBps-mo")),
    ],
)
def test_volumes_are_priced_by_storage_iops_and_throughput(
    rehearsal: Rehearsal, family: str, usage: str, expected: tuple[str, str]
) -> None:
    [found] = ask(rehearsal, volumeApiName="gp3", productFamily=family, regionCode="us-east-1")
    assert price(found) == expected
    assert found["product"]["attributes"]["usagetype"] == usage


def test_snapshots_and_addresses_are_priced(rehearsal: Rehearsal) -> None:
    [snapshot] = ask(rehearsal, productFamily="Storage Snapshot")
    assert price(snapshot) == ("0.0500000000", "GB-Mo")
    [address] = ask(rehearsal, "AmazonVPC", usagetype="PublicIPv4:InUseAddress")
    assert price(address) == ("0.0050000000", "Hrs")


def test_products_come_in_pages(rehearsal: Rehearsal) -> None:
    pricing = rehearsal.client("pricing")
    pages = list(pricing.get_paginator("get_products").paginate(ServiceCode="AmazonEC2"))
    assert len(pages) > 2
    assert len(pages[0]["PriceList"]) == 100
    texts = [text for page in pages for text in page["PriceList"]]
    assert len(texts) == len(set(texts)) == len([p for p in products() if p.service == "AmazonEC2"])
    bad = {"ServiceCode": "AmazonEC2", "NextToken": "nonsense"}
    assert refusal(pricing.get_products, **bad) == "InvalidNextTokenException"


def test_services_and_values_are_listed(rehearsal: Rehearsal) -> None:
    pricing = rehearsal.client("pricing")
    [service] = pricing.describe_services(ServiceCode="AmazonEC2")["Services"]
    assert {"instanceType", "regionCode", "volumeApiName", "termType"} <= set(
        service["AttributeNames"]
    )
    found = pricing.get_attribute_values(ServiceCode="AmazonEC2", AttributeName="volumeApiName")
    assert [one["Value"] for one in found["AttributeValues"]] == ["gp2", "gp3", "io2", "sc1", "st1"]
    assert refusal(pricing.describe_services, ServiceCode="AmazonNothing") == (
        "InvalidParameterException"
    )
    bad = {"ServiceCode": "AmazonEC2", "AttributeName": "colour"}
    assert refusal(pricing.get_attribute_values, **bad) == "InvalidParameterException"


def test_other_ways_to_filter(rehearsal: Rehearsal) -> None:
    def count(kind: str, field: str, value: str) -> int:
        wanted = [{"Type": kind, "Field": field, "Value": value}]
        return len(
            rehearsal.client("pricing").get_products(ServiceCode="AmazonEC2", Filters=wanted)[
                "PriceList"
            ]
        )

    assert count("ANY_OF", "volumeApiName", "gp2,st1") == 2
    assert count("CONTAINS", "usagetype", "VolumeUsage") == 5
    assert count("NONE_OF", "productFamily", "Compute Instance") == 9


def test_locations_are_named_as_the_list_names_them() -> None:
    assert location_of("eu-west-1") == "EU (Ireland)"
    assert location_of("us-west-2") == "US West (Oregon)"


def test_every_zone_that_offers_a_type_has_the_spot_price_of_the_table(
    rehearsal: Rehearsal,
) -> None:
    found = history(rehearsal, InstanceTypes=["m5.large"], ProductDescriptions=["Linux/UNIX"])
    assert {one["SpotPrice"] for one in found} == {"0.037500"}
    assert {one["AvailabilityZone"] for one in found} >= {"us-east-1a", "us-east-1b"}
    assert {one["ProductDescription"] for one in found} == {"Linux/UNIX"}
    assert all(NOW - timedelta(days=1) <= one["Timestamp"] <= NOW for one in found)
    moments = [one["Timestamp"] for one in found]
    assert moments == sorted(moments, reverse=True)


def test_unknown_spot_prices_have_no_history(rehearsal: Rehearsal) -> None:
    assert data.price_of("t3.micro", "us-east-1", is_spot=True) is None
    assert history(rehearsal, InstanceTypes=["t3.micro"]) == []
    assert history(rehearsal, "sa-east-1") == []
    assert history(rehearsal, ProductDescriptions=["Windows"]) == []


def test_the_history_is_narrowed_by_zone_filter_and_time(rehearsal: Rehearsal) -> None:
    [one] = history(rehearsal, InstanceTypes=["m5.large"], AvailabilityZone="us-east-1a")
    assert one["AvailabilityZone"] == "us-east-1a"
    wanted = [
        {"Name": "availability-zone-id", "Values": ["use1-az6"]},
        {"Name": "instance-type", "Values": ["m5.*"]},
        {"Name": "product-description", "Values": ["Linux/UNIX (Amazon VPC)"]},
    ]
    found = history(rehearsal, Filters=wanted)
    assert {one["AvailabilityZone"] for one in found} == {"us-east-1a"}
    before = NOW - timedelta(days=30)
    old = history(rehearsal, InstanceTypes=["m5.large"], StartTime=before, EndTime=before)
    assert old
    assert all(one["Timestamp"] <= before for one in old)


def test_the_history_is_the_same_when_asked_again(rehearsal: Rehearsal) -> None:
    asked: Any = {"InstanceTypes": ["m5.large", "g5.xlarge"], "StartTime": NOW}
    assert history(rehearsal, **asked) == history(rehearsal, **asked) != []


def test_the_history_comes_in_pages(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    answer = ec2.describe_spot_price_history(MaxResults=5)
    assert len(answer["SpotPriceHistory"]) == 5
    pages = ec2.get_paginator("describe_spot_price_history").paginate(
        PaginationConfig={"PageSize": 50}
    )
    found = [
        (one["InstanceType"], one["AvailabilityZone"])
        for p in pages
        for one in p["SpotPriceHistory"]
    ]
    assert len(found) == len(set(found)) == len(history(rehearsal))


def test_bad_zones_of_the_history_are_refused(rehearsal: Rehearsal) -> None:
    describe = rehearsal.client("ec2").describe_spot_price_history
    assert refusal(describe, AvailabilityZone="us-east-1z") == "InvalidParameterValue"
    assert refusal(describe, InstanceTypes=["t9.micro"]) == "InvalidParameterValue"
    both = {"AvailabilityZone": "us-east-1a", "AvailabilityZoneId": "use1-az6"}
    assert refusal(describe, **both) == "InvalidParameterCombination"


def test_prices_are_decimals_or_none() -> None:
    assert data.price_of("m5.large", "us-east-1", is_spot=False) == Decimal("0.096")
    assert data.price_of("m5.large", "sa-east-1", is_spot=False) is None
