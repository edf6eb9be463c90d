"""Fleets and interruptions of machines that run, while the cloud itself is killed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.localcloud.conftest import NewCloud
from tests.localcloud.process import CloudProcess
from tests.localcloud.test_daemon import AMI, PATIENCE_S, states


def make_fleet(cloud: CloudProcess, count: int) -> str:
    session = cloud.session()
    image = session.client("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
    ec2 = session.client("ec2")
    data = {"ImageId": image, "InstanceType": "t3.micro"}
    ec2.create_launch_template(LaunchTemplateName="template", LaunchTemplateData=data)
    specification = {"LaunchTemplateName": "template", "Version": "$Latest"}
    made = ec2.create_fleet(
        Type="maintain",
        TargetCapacitySpecification={
            "TotalTargetCapacity": count,
            "DefaultTargetCapacityType": "spot",
        },
        LaunchTemplateConfigs=[{"LaunchTemplateSpecification": specification}],
    )
    return str(made["FleetId"])


def running(cloud: CloudProcess) -> set[str]:
    return {ident for ident, state in states(cloud).items() if state == "running"}


def wait_for_running(cloud: CloudProcess, count: int, without: str = "") -> set[str]:
    end = time.monotonic() + PATIENCE_S
    while len(running(cloud)) != count or without in running(cloud):
        assert time.monotonic() < end, states(cloud)
        time.sleep(0.2)
    return running(cloud)


def wait_for_end(cloud: CloudProcess, count: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while list(states(cloud).values()) != ["terminated"] * count:
        assert time.monotonic() < end, states(cloud)
        time.sleep(0.2)


@pytest.mark.slow
def test_a_notice_and_a_fleet_survive_the_cloud(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    cloud.start()
    fleet = make_fleet(cloud, 2)
    cloud.kill()  # while they start
    cloud.start()
    first = sorted(wait_for_running(cloud, 2))
    cloud.control("POST", "interrupt", {"instance": first[0], "notice_s": 1.0})
    cloud.kill()
    cloud.start()
    second = wait_for_running(cloud, 2, without=first[0])
    assert first[1] in second
    ec2: Any = cloud.session().client("ec2")
    [lost] = ec2.describe_instances(InstanceIds=[first[0]])["Reservations"][0]["Instances"]
    assert lost["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    ec2.delete_fleets(FleetIds=[fleet], TerminateInstances=True)
    cloud.kill()
    cloud.start()
    wait_for_end(cloud, 3)
    assert list((cloud.folder / "machines").iterdir()) == []
