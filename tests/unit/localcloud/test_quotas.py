"""Quotas: what stops a launch, and what an account sees of it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.services.quotas import set_quota
from runctl.localcloud.services.quotatable import BY_CODE, QUOTAS, quota_of
from tests.unit.localcloud.conftest import Rehearsal

AMI = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
STANDARD, SPOT = "L-1216C47A", "L-34B43A08"


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    found = error.value.response["Error"]
    return str(found["Code"]), str(found["Message"])


def launch(rehearsal: Rehearsal, count: int, kind: str = "t3.micro", **more: Any) -> dict[str, Any]:
    image = rehearsal.client("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
    return {"ImageId": image, "InstanceType": kind, "MinCount": count, "MaxCount": count, **more}


@pytest.mark.parametrize(
    ("kind", "on_demand", "spot"),
    [
        ("t3.micro", STANDARD, SPOT),
        ("im4gn.large", STANDARD, SPOT),
        ("g5.xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("gr6.4xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("vt1.3xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("p4d.24xlarge", "L-417A185B", "L-7212CCBC"),
        ("p5.48xlarge", "L-417A185B", "L-C4BD4855"),
        ("p5en.48xlarge", "L-417A185B", "L-C4BD4855"),
        ("inf2.xlarge", "L-1945791B", "L-B5D1601B"),
        ("trn1.2xlarge", "L-2C3B7624", "L-6B0D517C"),
        ("dl1.24xlarge", "L-6E869C2A", "L-85EED4F7"),
        ("x2gd.large", "L-7295265B", "L-E3A00192"),
        ("f2.6xlarge", "L-74FC7D96", "L-88CF9481"),
        ("hpc7a.12xlarge", "L-F7808C92", SPOT),
        ("u-6tb1.metal", "L-43DA4232", SPOT),
    ],
)
def test_every_family_has_its_quota(kind: str, on_demand: str, spot: str) -> None:
    assert quota_of(kind, is_spot=False).code == on_demand
    assert quota_of(kind, is_spot=True).code == spot


def test_codes_are_told_once_and_values_suffice() -> None:
    assert len(BY_CODE) == len(QUOTAS)
    assert quota_of("t3.micro", is_spot=False).value >= 1000 * 2


def test_a_launch_over_the_quota_is_refused(rehearsal: Rehearsal) -> None:
    set_quota(rehearsal.cloud, "us-east-1", STANDARD, 5)
    ec2 = rehearsal.client("ec2")
    ec2.run_instances(**launch(rehearsal, 2))
    code, words = refusal(ec2.run_instances, **launch(rehearsal, 1))
    assert code == "VcpuLimitExceeded"
    assert "your current vCPU limit of 5 allows" in words
    assert len(ec2.describe_instances()["Reservations"]) == 1


def test_ended_instances_do_not_count_and_other_markets_neither(rehearsal: Rehearsal) -> None:
    set_quota(rehearsal.cloud, "us-east-1", STANDARD, 2)
    ec2 = rehearsal.client("ec2")
    spot: Any = {"InstanceMarketOptions": {"MarketType": "spot"}}
    [made] = ec2.run_instances(**launch(rehearsal, 1))["Instances"]
    ec2.run_instances(**launch(rehearsal, 1, **spot))
    assert refusal(ec2.run_instances, **launch(rehearsal, 1))[0] == "VcpuLimitExceeded"
    rehearsal.advance(2)
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    rehearsal.advance(2)
    ec2.run_instances(**launch(rehearsal, 1))


def test_a_spot_launch_over_the_quota_is_refused_in_other_words(rehearsal: Rehearsal) -> None:
    set_quota(rehearsal.cloud, "us-east-1", SPOT, 1)
    spot: Any = {"InstanceMarketOptions": {"MarketType": "spot"}}
    assert refusal(rehearsal.client("ec2").run_instances, **launch(rehearsal, 1, **spot)) == (
        "MaxSpotInstanceCountExceeded",
        "Max spot instance count exceeded",
    )


def test_quotas_are_told_as_they_are_and_as_aws_gives_them(rehearsal: Rehearsal) -> None:
    quotas = rehearsal.client("service-quotas")
    asked = {"ServiceCode": "ec2", "QuotaCode": "L-DB2E81BA"}
    found = quotas.get_service_quota(**asked)["Quota"]
    assert found["QuotaName"] == "Running On-Demand G and VT instances"
    assert (found["Value"], found["Adjustable"], found["Unit"]) == (256.0, True, "None")
    assert found["QuotaArn"].endswith(":ec2/L-DB2E81BA")
    assert quotas.get_aws_default_service_quota(**asked)["Quota"]["Value"] == 0.0
    set_quota(rehearsal.cloud, "us-east-1", "L-DB2E81BA", 8)
    rehearsal.restart()
    quotas = rehearsal.client("service-quotas")
    assert quotas.get_service_quota(**asked)["Quota"]["Value"] == 8.0
    elsewhere = rehearsal.client("service-quotas", "eu-west-1")
    assert elsewhere.get_service_quota(**asked)["Quota"]["Value"] == 256.0


def test_quotas_are_listed_by_service(rehearsal: Rehearsal) -> None:
    quotas = rehearsal.client("service-quotas")
    codes = [one["ServiceCode"] for one in quotas.list_services()["Services"]]
    assert codes == ["ebs", "ec2"]
    volumes = {one["QuotaCode"] for one in quotas.list_service_quotas(ServiceCode="ebs")["Quotas"]}
    assert {"L-7A658B76", "L-D18FCD1D", "L-309BACF6"} <= volumes
    pages = quotas.get_paginator("list_service_quotas").paginate(
        ServiceCode="ec2", PaginationConfig={"PageSize": 7}
    )
    found = [one["QuotaCode"] for page in pages for one in page["Quotas"]]
    assert len(found) == len(set(found)) == sum(one.service == "ec2" for one in QUOTAS)
    assert refusal(quotas.list_service_quotas, ServiceCode="ec2", NextToken="bm9uc2Vuc2U=")[0] == (
        "InvalidPaginationTokenException"
    )


def test_unknown_quotas_and_services_are_refused(rehearsal: Rehearsal) -> None:
    get = rehearsal.client("service-quotas").get_service_quota
    unknown = {"ServiceCode": "nothing", "QuotaCode": STANDARD}
    assert refusal(get, **unknown)[0] == "NoSuchResourceException"
    assert refusal(get, ServiceCode="ec2", QuotaCode="L-00000000")[0] == "NoSuchResourceException"
    assert refusal(get, ServiceCode="ebs", QuotaCode=STANDARD)[0] == "NoSuchResourceException"
    with pytest.raises(KeyError):
        set_quota(rehearsal.cloud, "us-east-1", "L-00000000", 1)


def test_more_is_asked_for_once(rehearsal: Rehearsal) -> None:
    quotas = rehearsal.client("service-quotas")
    asked = {"ServiceCode": "ec2", "QuotaCode": STANDARD, "DesiredValue": 4096.0}
    made = quotas.request_service_quota_increase(**asked)["RequestedQuota"]
    assert (made["Status"], made["DesiredValue"]) == ("PENDING", 4096.0)
    assert refusal(quotas.request_service_quota_increase, **asked) == (
        "ResourceAlreadyExistsException",
        "Only one open service quota increase request is allowed per quota.",
    )
    less = {**asked, "QuotaCode": SPOT, "DesiredValue": 1.0}
    assert refusal(quotas.request_service_quota_increase, **less)[0] == "IllegalArgumentException"
    listed = quotas.list_requested_service_quota_change_history(Status="PENDING")
    assert [one["Id"] for one in listed["RequestedQuotas"]] == [made["Id"]]
    of_spot = quotas.list_requested_service_quota_change_history_by_quota(
        ServiceCode="ec2", QuotaCode=SPOT
    )
    assert of_spot["RequestedQuotas"] == []
    got = quotas.get_requested_service_quota_change(RequestId=made["Id"])
    assert got["RequestedQuota"]["QuotaCode"] == STANDARD
