"""Fleets: what can be had, kept up, and ended."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.faults.changes import add_fault
from runctl.localcloud.faults.orders import Order
from tests.unit.localcloud.conftest import Rehearsal
from tests.unit.localcloud.test_instances import image


def template(rehearsal: Rehearsal) -> str:
    made = rehearsal.client("ec2").create_launch_template(
        LaunchTemplateName="t",
        LaunchTemplateData={"ImageId": image(rehearsal), "InstanceType": "t3.micro"},
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def fleet(rehearsal: Rehearsal, kind: str, count: int, **more: Any) -> Any:
    overrides = more.pop("overrides", [{"InstanceType": "t3.micro"}])
    specification = {"LaunchTemplateId": template(rehearsal), "Version": "$Latest"}
    return rehearsal.client("ec2").create_fleet(
        Type=kind,
        TargetCapacitySpecification={
            "TotalTargetCapacity": count,
            "DefaultTargetCapacityType": "spot",
        },
        LaunchTemplateConfigs=[
            {"LaunchTemplateSpecification": specification, "Overrides": overrides}
        ],
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "runctl:owner", "Value": "me"}]}
        ],
        **more,
    )


def alive(rehearsal: Rehearsal, ident: str) -> list[str]:
    found = rehearsal.client("ec2").describe_fleet_instances(FleetId=ident)["ActiveInstances"]
    return [one["InstanceId"] for one in found]


def test_an_instant_fleet_answers_with_its_instances(rehearsal: Rehearsal) -> None:
    answer = fleet(rehearsal, "instant", 2)
    [entry] = answer["Instances"]
    assert (entry["Lifecycle"], len(entry["InstanceIds"])) == ("spot", 2)
    found = rehearsal.client("ec2").describe_instances(InstanceIds=entry["InstanceIds"])
    tags = found["Reservations"][0]["Instances"][0]["Tags"]
    assert {"Key": "aws:ec2:fleet-id", "Value": answer["FleetId"]} in tags
    assert {"Key": "runctl:owner", "Value": "me"} in tags


def test_an_instant_fleet_tells_what_was_refused(rehearsal: Rehearsal) -> None:
    add_fault(rehearsal.cloud, Order(effect="capacity", instance_type="t3.micro"))
    both = [{"InstanceType": "t3.micro"}, {"InstanceType": "t3.small"}]
    answer = fleet(rehearsal, "instant", 1, overrides=both)
    assert answer["Instances"][0]["InstanceType"] == "t3.small"
    assert {one["ErrorCode"] for one in answer["Errors"]} <= {"InsufficientInstanceCapacity"}


def test_a_lost_instance_is_replaced(rehearsal: Rehearsal) -> None:
    ident = fleet(rehearsal, "maintain", 2)["FleetId"]
    rehearsal.advance(3)
    first = alive(rehearsal, ident)
    assert len(first) == 2
    rehearsal.client("ec2").terminate_instances(InstanceIds=[first[0]])
    rehearsal.advance(5)
    second = alive(rehearsal, ident)
    assert len(second) == 2
    assert first[0] not in second


def test_a_restart_doubles_nothing(rehearsal: Rehearsal) -> None:
    ident = fleet(rehearsal, "maintain", 2)["FleetId"]
    rehearsal.restart()
    rehearsal.advance(3)
    rehearsal.restart()
    rehearsal.advance(3)
    assert len(alive(rehearsal, ident)) == 2
    assert len(rehearsal.tier.machines) == 2


def test_an_expired_fleet_ends_its_instances(rehearsal: Rehearsal) -> None:
    ident = fleet(
        rehearsal,
        "maintain",
        1,
        ValidUntil=rehearsal.jobs.now + 30,
        TerminateInstancesWithExpiration=True,
    )["FleetId"]
    rehearsal.advance(10)
    assert len(alive(rehearsal, ident)) == 1
    rehearsal.advance(30)
    assert alive(rehearsal, ident) == []
    assert rehearsal.tier.machines == {}


@pytest.mark.parametrize(("ends", "left"), [(True, 0), (False, 1)])
def test_deleting(rehearsal: Rehearsal, ends: bool, left: int) -> None:
    ident = fleet(rehearsal, "maintain", 1)["FleetId"]
    rehearsal.advance(3)
    rehearsal.client("ec2").delete_fleets(FleetIds=[ident], TerminateInstances=ends)
    rehearsal.advance(5)
    assert len(rehearsal.tier.machines) == left
    found = rehearsal.client("ec2").describe_fleets(FleetIds=[ident])["Fleets"][0]
    assert found["FleetState"] == ("deleted" if ends else "deleted_running")


def test_a_smaller_target_cuts_back(rehearsal: Rehearsal) -> None:
    ident = fleet(rehearsal, "maintain", 3)["FleetId"]
    rehearsal.advance(3)
    rehearsal.client("ec2").modify_fleet(
        FleetId=ident, TargetCapacitySpecification={"TotalTargetCapacity": 1}
    )
    rehearsal.advance(3)
    assert len(alive(rehearsal, ident)) == 1


def test_too_much_of_one_kind(rehearsal: Rehearsal) -> None:
    with pytest.raises(ClientError, match="InvalidTargetCapacitySpecification"):
        rehearsal.client("ec2").create_fleet(
            TargetCapacitySpecification={
                "TotalTargetCapacity": 1,
                "SpotTargetCapacity": 1,
                "OnDemandTargetCapacity": 1,
            },
            LaunchTemplateConfigs=[
                {"LaunchTemplateSpecification": {"LaunchTemplateName": "none", "Version": "1"}}
            ],
        )
