"""Prices and quotas."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World

HISTORY = "DescribeSpotPriceHistory"
QUERY = "Finding services and products using AWS Price List Query API"
STANDARD = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
LIMITS = "Amazon EC2 endpoints and quotas"


def history(says: str, parameters: Parameters, check: Callable[[Any], object]) -> Row:
    outcome = Answered(lambda answer: check(answer["SpotPriceHistory"]))
    return Row(says, "ec2", "describe_spot_price_history", parameters, outcome, HISTORY)


def quota(says: str, call: str, parameters: Parameters, check: Callable[[Any], object]) -> Row:
    return Row(says, "service-quotas", call, parameters, Answered(check), LIMITS)


def refused_quota(says: str, call: str, parameters: Parameters, outcome: Refused) -> Row:
    return Row(says, "service-quotas", call, parameters, outcome, call)


ROWS = [
    history("spot prices are above nothing", {"InstanceTypes": ["m5.large"], "MaxResults": 20},
            lambda f: all(Decimal(one["SpotPrice"]) > 0 for one in f)),
    history("spot prices are of the types that were asked for",
            {"InstanceTypes": ["m5.large"], "MaxResults": 20},
            lambda f: {one["InstanceType"] for one in f} <= {"m5.large"}),
    history("spot prices are of the products that were asked for",
            {"ProductDescriptions": ["Linux/UNIX"], "MaxResults": 20},
            lambda f: {one["ProductDescription"] for one in f} <= {"Linux/UNIX"}),
    history("spot prices are of the zone that was asked for",
            lambda w: {"AvailabilityZone": f"{w.region}a", "MaxResults": 20},
            lambda f: len({one["AvailabilityZone"] for one in f}) <= 1),
    history("spot prices come newest first", {"InstanceTypes": ["m5.large"], "MaxResults": 20},
            lambda f: [one["Timestamp"] for one in f]
            == sorted((one["Timestamp"] for one in f), reverse=True)),
    history("spot prices are found by filters",
            {"Filters": [{"Name": "instance-type", "Values": ["m5.large"]}], "MaxResults": 20},
            lambda f: {one["InstanceType"] for one in f} <= {"m5.large"}),
    Row("an unknown zone has no prices", "ec2", "describe_spot_price_history",
        {"AvailabilityZone": "us-east-1z"}, Refused("InvalidParameterValue"), HISTORY),
    Row("an unknown filter of prices is an invalid parameter", "ec2",
        "describe_spot_price_history", {"Filters": [{"Name": "colour", "Values": ["red"]}]},
        Refused("InvalidParameterValue", "The filter 'colour' is invalid"), HISTORY),
    Row("asking for prices can be rehearsed", "ec2", "describe_spot_price_history",
        {"DryRun": True}, Refused("DryRunOperation"), "DryRun"),
    quota("a new account runs 5 standard vCPUs", "get_aws_default_service_quota", STANDARD,
          lambda a: a["Quota"]["Value"] == 5.0),
    quota("a quota has the name that is documented", "get_service_quota", STANDARD,
          lambda a: a["Quota"]["QuotaName"]
          == "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
    quota("the quota of GPU instances has its own code", "get_service_quota",
          {"ServiceCode": "ec2", "QuotaCode": "L-DB2E81BA"},
          lambda a: a["Quota"]["QuotaName"] == "Running On-Demand G and VT instances"),
    quota("the quota of GPU instances at spot has another", "get_service_quota",
          {"ServiceCode": "ec2", "QuotaCode": "L-3819A6DF"},
          lambda a: a["Quota"]["QuotaName"] == "All G and VT Spot Instance Requests"),
    quota("quotas of virtual processors can be raised", "get_service_quota", STANDARD,
          lambda a: a["Quota"]["Adjustable"] and not a["Quota"]["GlobalQuota"]),
    quota("a quota has an ARN of the account", "get_service_quota", STANDARD,
          lambda a: a["Quota"]["QuotaArn"].endswith(":ec2/L-1216C47A")),
    quota("a page of quotas is as long as it is asked to be", "list_service_quotas",
          {"ServiceCode": "ec2", "MaxResults": 3}, lambda a: len(a["Quotas"]) == 3),
    quota("the storage of gp3 volumes has a quota", "get_service_quota",
          {"ServiceCode": "ebs", "QuotaCode": "L-7A658B76"},
          lambda a: "gp3" in a["Quota"]["QuotaName"]),
    refused_quota("an unknown quota is missing", "get_service_quota",
                  {"ServiceCode": "ec2", "QuotaCode": "L-00000000"},
                  Refused("NoSuchResourceException")),
    refused_quota("an unknown service has no quotas", "list_service_quotas",
                  {"ServiceCode": "fidelity"}, Refused("NoSuchResourceException")),
    refused_quota("less than there is is not asked for", "request_service_quota_increase",
                  {**STANDARD, "DesiredValue": 1.0}, Refused("IllegalArgumentException")),
    refused_quota("an unknown request is missing", "get_requested_service_quota_change",
                  {"RequestId": "fidelity0123456789"}, Refused("NoSuchResourceException")),
]  # fmt: skip


def ask(world: World, **fields: str) -> list[Any]:
    wanted = [{"Type": "TERM_MATCH", "Field": one, "Value": two} for one, two in fields.items()]
    pricing = world.client("pricing", "us-east-1")
    answer = pricing.get_products(ServiceCode="AmazonEC2", Filters=wanted, FormatVersion="aws_v1")
    return [json.loads(text) for text in answer["PriceList"]]


def prices(document: Any) -> set[tuple[str, bool]]:
    """Return the units of on-demand prices, and whether they are above nothing."""
    return {
        (dimension["unit"], Decimal(dimension["pricePerUnit"]["USD"]) > 0)
        for offer in document["terms"]["OnDemand"].values()
        for dimension in offer["priceDimensions"].values()
    }


def instances_have_on_demand_prices(world: World) -> None:
    for where in ({"regionCode": "us-east-1"}, {"location": "US East (N. Virginia)"}):
        [found] = ask(
            world,
            instanceType="m5.large",
            operatingSystem="Linux",
            tenancy="Shared",
            preInstalledSw="NA",
            capacitystatus="Used",
            licenseModel="No License required",
            **where,
        )
        assert found["product"]["productFamily"] == "Compute Instance"
        assert found["product"]["attributes"]["usagetype"] == "BoxUsage:m5.large"
        assert prices(found) == {("Hrs", True)}
        [term] = found["terms"]["OnDemand"]
        assert term == f"{found['product']['sku']}.JRTCKXETXF"


def volumes_have_prices(world: World) -> None:
    where = {"volumeApiName": "gp3", "regionCode": "us-east-1"}
    [storage] = ask(world, productFamily="Storage", **where)
    assert prices(storage) == {("GB-Mo", True)}
    [iops] = ask(world, productFamily="System Operation", **where)
    assert iops["product"]["attributes"]["usagetype"] == "EBS:VolumeP-IOPS.gp3"
    [throughput] = ask(world, productFamily="Provisioned Throughput", **where)
    assert {unit for unit, _ in prices(throughput)} == {"GiBps-mo"}


def services_and_values_are_listed(world: World) -> None:
    pricing = world.client("pricing", "us-east-1")
    [service] = pricing.describe_services(ServiceCode="AmazonEC2")["Services"]
    assert {"instanceType", "regionCode", "termType"} <= set(service["AttributeNames"])
    found = pricing.get_attribute_values(ServiceCode="AmazonEC2", AttributeName="volumeApiName")
    assert {"gp2", "gp3"} <= {one["Value"] for one in found["AttributeValues"]}


STORIES = [
    Story("instances have on-demand prices", instances_have_on_demand_prices, QUERY),
    Story("volumes have prices for storage, IOPS and throughput", volumes_have_prices, QUERY),
    Story("the price list tells its services and values", services_and_values_are_listed, QUERY),
]
