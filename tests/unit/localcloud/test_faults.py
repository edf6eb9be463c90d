"""Faults of calls and of capacity: whom they hit, how often, and in whose words."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.faults.changes import add_fault, clear_faults
from runctl.localcloud.faults.orders import Order, OrderRefused, check_order
from runctl.localcloud.wire.errors import AwsError
from tests.unit.localcloud.conftest import Rehearsal

REFUSED = {"region": "us-east-1", "zone": "us-east-1a", "instance_type": "t3.micro"}


def add(rehearsal: Rehearsal, **order: Any) -> str:
    made = Order(**order)
    check_order(made)
    return add_fault(rehearsal.cloud, made).id


def fails(call: Any, **parameters: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    response: Any = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def capacity(rehearsal: Rehearsal, *, is_spot: bool = False, **changes: str) -> AwsError | None:
    return rehearsal.cloud.faults.capacity(**{**REFUSED, **changes}, is_spot=is_spot)


def events(rehearsal: Rehearsal, name: str) -> list[dict[str, Any]]:
    return [one for one in rehearsal.cloud.journal.read("")[0] if one["event"] == name]


# ---------------------------------------------------------------- calls


@pytest.mark.parametrize(
    ("service", "call", "parameters", "answer"),
    [
        ("ec2", "describe_volumes", {}, ("RequestLimitExceeded", 503)),
        ("ssm", "describe_instance_information", {}, ("ThrottlingException", 400)),
        ("iam", "list_roles", {}, ("Throttling", 400)),
        ("sts", "get_caller_identity", {}, ("Throttling", 400)),
        ("service-quotas", "list_services", {}, ("TooManyRequestsException", 400)),
    ],
)
def test_each_service_throttles_in_its_own_words(
    rehearsal: Rehearsal, service: str, call: str, parameters: Any, answer: tuple[str, int]
) -> None:
    add(rehearsal, effect="throttle")
    assert fails(getattr(rehearsal.client(service), call), **parameters) == answer


@pytest.mark.parametrize(
    ("service", "call", "answer"),
    [
        ("ec2", "describe_volumes", ("UnauthorizedOperation", 403)),
        ("ssm", "describe_instance_information", ("AccessDeniedException", 400)),
        ("iam", "list_roles", ("AccessDenied", 403)),
    ],
)
def test_each_service_denies_in_its_own_words(
    rehearsal: Rehearsal, service: str, call: str, answer: tuple[str, int]
) -> None:
    add(rehearsal, effect="deny", service=service)
    assert fails(getattr(rehearsal.client(service), call)) == answer


def test_the_third_and_fourth_call_fail(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    ident = add(
        rehearsal, effect="error", operation="DescribeVol*", code="InternalError", after=2, count=2
    )
    ec2.describe_instances()  # another operation does not count
    ec2.describe_volumes()
    ec2.describe_volumes()
    assert fails(ec2.describe_volumes) == ("InternalError", 500)
    assert fails(ec2.describe_volumes) == ("InternalError", 500)
    ec2.describe_volumes()
    fault = rehearsal.cloud.faults.find(ident)
    assert fault is not None
    assert (fault.state, fault.hits) == ("over", 2)
    assert [one["operation"] for one in events(rehearsal, "fault")] == ["DescribeVolumes"] * 2


def test_an_error_may_have_any_code_words_and_status(rehearsal: Rehearsal) -> None:
    add(rehearsal, effect="error", service="ssm", code="Odd", message="so it is", status=418)
    with pytest.raises(ClientError, match="so it is"):
        rehearsal.client("ssm").describe_instance_information()
    rehearsal.client("ec2").describe_volumes()


def test_calls_are_throttled_to_a_rate(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    add(rehearsal, effect="throttle", rate=2.0)
    for _ in range(2):
        ec2.describe_volumes()
    assert fails(ec2.describe_volumes)[0] == "RequestLimitExceeded"
    rehearsal.advance(0.5)
    ec2.describe_volumes()
    assert fails(ec2.describe_volumes)[0] == "RequestLimitExceeded"


def test_a_call_is_delayed_and_then_answered(rehearsal: Rehearsal) -> None:
    slept: list[float] = []
    rehearsal.cloud.faults.sleep = slept.append
    add(rehearsal, effect="error", operation="DescribeVolumes", code="Odd")
    add(rehearsal, effect="delay", operation="DescribeVolumes", delay_s=2.5, count=1)
    ec2 = rehearsal.client("ec2")
    assert fails(ec2.describe_volumes)[0] == "Odd"  # it is slow, and then it fails
    assert fails(ec2.describe_volumes)[0] == "Odd"
    assert slept == [2.5]


def test_a_connection_is_reset(rehearsal: Rehearsal) -> None:
    add(rehearsal, effect="reset", operation="DescribeVolumes", count=1)
    ec2 = rehearsal.client("ec2")
    with pytest.raises(ClientError):
        ec2.describe_volumes()
    [said] = events(rehearsal, "fault")
    assert said["effect"] == "reset"
    ec2.describe_volumes()


def test_a_fault_ends_with_its_time(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    ident = add(rehearsal, effect="throttle", service="ec2", for_s=10.0)
    assert fails(ec2.describe_volumes)[0] == "RequestLimitExceeded"
    rehearsal.advance(9.9)
    assert fails(ec2.describe_volumes)[0] == "RequestLimitExceeded"
    rehearsal.advance(0.2)
    ec2.describe_volumes()
    fault = rehearsal.cloud.faults.find(ident)
    assert fault is not None
    assert fault.state == "over"
    assert [one["fault"] for one in events(rehearsal, "fault-over")] == [ident]


def test_faults_and_their_counts_survive_a_restart(rehearsal: Rehearsal) -> None:
    add(rehearsal, effect="throttle", service="ec2", count=2)
    add(rehearsal, effect="throttle", service="ssm", for_s=10.0)
    assert fails(rehearsal.client("ec2").describe_volumes)[0] == "RequestLimitExceeded"
    rehearsal.advance()
    rehearsal.restart()
    assert fails(rehearsal.client("ec2").describe_volumes)[0] == "RequestLimitExceeded"
    rehearsal.client("ec2").describe_volumes()
    ssm = rehearsal.client("ssm")
    assert fails(ssm.describe_instance_information)[0] == "ThrottlingException"
    rehearsal.advance(11)
    ssm.describe_instance_information()


def test_only_the_named_fault_is_cleared(rehearsal: Rehearsal) -> None:
    first = add(rehearsal, effect="throttle", service="ec2")
    second = add(rehearsal, effect="throttle", service="ssm")
    assert [one.id for one in clear_faults(rehearsal.cloud, [first])] == [first]
    rehearsal.client("ec2").describe_volumes()
    assert [one.id for one in rehearsal.cloud.faults.all()] == [second]
    with pytest.raises(KeyError):
        clear_faults(rehearsal.cloud, [second, first])
    assert [one.id for one in rehearsal.cloud.faults.all()] == [second]


# ---------------------------------------------------------------- capacity


def test_each_market_has_its_own_words(rehearsal: Rehearsal) -> None:
    add(rehearsal, effect="capacity", instance_type="t3.*")
    on_demand, spot = capacity(rehearsal), capacity(rehearsal, is_spot=True)
    assert on_demand is not None
    assert spot is not None
    assert on_demand.code == spot.code == "InsufficientInstanceCapacity"
    assert "t3.micro capacity in the Availability Zone you requested (us-east-1a)" in str(on_demand)
    assert "no Spot capacity available" in str(spot)


@pytest.mark.parametrize(
    "other",
    [
        {"zone": "us-east-1b"},
        {"instance_type": "m5.large"},
        {"region": "eu-west-1", "zone": "eu-west-1a"},
    ],
)
def test_capacity_is_refused_to_none_but_those_meant(
    rehearsal: Rehearsal, other: dict[str, str]
) -> None:
    order = {"region": "us-*", "zone": "us-east-1a", "instance_type": "t3.*", "market": "spot"}
    add(rehearsal, effect="capacity", **order)
    assert capacity(rehearsal, is_spot=True) is not None
    assert capacity(rehearsal, is_spot=False) is None
    assert capacity(rehearsal, is_spot=True, **other) is None


def test_a_quota_may_be_what_is_missing(rehearsal: Rehearsal) -> None:
    add(rehearsal, effect="capacity", code="VcpuLimitExceeded")
    refused = capacity(rehearsal)
    assert refused is not None
    assert (refused.code, refused.status) == ("VcpuLimitExceeded", 400)
    with pytest.raises(OrderRefused, match="the code is none of"):
        add(rehearsal, effect="capacity", code="Odd")


def test_one_launch_is_refused_and_counts_once(rehearsal: Rehearsal) -> None:
    """A launch asks for each zone, and what it changed is undone; it is counted all the same."""
    add(rehearsal, effect="capacity", count=1)
    ec2, ssm = rehearsal.client("ec2"), rehearsal.client("ssm")
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    order = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    assert fails(ec2.run_instances, **order) == ("InsufficientInstanceCapacity", 500)
    assert len(ec2.run_instances(**order)["Instances"]) == 1


# ---------------------------------------------------------------- what is new is not seen


def test_a_new_volume_is_hidden_for_a_while(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    add(rehearsal, effect="hide", delay_s=5.0)
    ident = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    assert fails(ec2.describe_volumes, VolumeIds=[ident]) == ("InvalidVolume.NotFound", 400)
    assert ec2.describe_volumes()["Volumes"] == []
    ec2.create_tags(Resources=[ident], Tags=[{"Key": "a", "Value": "b"}])  # it describes nothing
    rehearsal.advance(5.1)
    assert ec2.describe_volumes(VolumeIds=[ident])["Volumes"][0]["VolumeId"] == ident
    assert len(ec2.describe_volumes()["Volumes"]) == 1


def test_other_calls_may_not_find_it_either(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    add(rehearsal, effect="hide", operation="CreateTags", delay_s=5.0)
    ident = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    assert ec2.describe_volumes(VolumeIds=[ident])["Volumes"]
    tags = [{"Key": "a", "Value": "b"}]
    assert fails(ec2.create_tags, Resources=[ident], Tags=tags)[0] == "InvalidVolume.NotFound"


def test_a_thing_without_a_date_is_hidden_from_when_it_is_asked_for(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    [vpc] = ec2.describe_vpcs()["Vpcs"]
    add(rehearsal, effect="hide", operation="DescribeVpcs", delay_s=5.0)
    assert fails(ec2.describe_vpcs, VpcIds=[vpc["VpcId"]])[0] == "InvalidVpcID.NotFound"
    rehearsal.advance(6)
    assert ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"]


# ---------------------------------------------------------------- S3


def test_what_happens_to_a_request_to_s3_adds_up(rehearsal: Rehearsal) -> None:
    faults = rehearsal.cloud.faults
    assert faults.of_s3("GetObject", "b", "k") is None
    add(rehearsal, effect="delay", service="s3", delay_s=1.0)
    add(rehearsal, effect="throttle", bucket="b", operation="PutObject", count=1)
    add(rehearsal, effect="truncate", key="*.pt", bytes=10, after=1, count=1)
    slow = faults.of_s3("PutObject", "b", "k")
    assert slow is not None
    assert slow.error is not None
    assert (slow.delay_s, slow.error.code, slow.error.status) == (1.0, "SlowDown", 503)
    first, second = (faults.of_s3("GetObject", "b", "a.pt") for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.cut_after, second.cut_after, second.error) == (None, 10, None)


def test_faults_of_s3_do_not_hit_others(rehearsal: Rehearsal) -> None:
    add(rehearsal, effect="error", bucket="b*", code="Odd")
    add(rehearsal, effect="error", service="s3", code="Odd")
    rehearsal.client("ec2").describe_volumes()
    add(rehearsal, effect="reset", service="ec2")
    odd = rehearsal.cloud.faults.of_s3("ListBuckets", "", "")
    assert odd is not None
    assert not odd.is_reset


# ---------------------------------------------------------------- orders


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"effect": "throttle", "zone": "us-east-1a"}, "takes no zone"),
        ({"effect": "network", "instance": "i-1", "count": 1}, "counts no calls"),
        ({"effect": "delay"}, "needs its delay"),
        ({"effect": "error"}, "needs its code"),
        ({"effect": "freeze"}, "needs its instance"),
        ({"effect": "delay", "delay_s": 0.0}, "needs its delay|must be above 0"),
        ({"effect": "throttle", "rate": -1.0}, "rate must be above 0"),
        ({"effect": "throttle", "for_s": -1.0}, "end must be above 0"),
        ({"effect": "throttle", "count": 0}, "count at least 1"),
        ({"effect": "throttle", "after": -1}, "after is at least 0"),
        ({"effect": "error", "code": "a", "status": 200}, "400 to 599"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(order: Any, words: str) -> None:
    with pytest.raises(OrderRefused, match=words):
        check_order(Order(**order))
