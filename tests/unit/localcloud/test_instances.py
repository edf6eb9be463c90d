"""Instances from pending to terminated, and back from the dead of the cloud's own process."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.faults.changes import add_fault, clear_faults
from runctl.localcloud.faults.orders import Order
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.results import Feature
from tests.unit.localcloud.conftest import Rehearsal

AMI = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


def image(rehearsal: Rehearsal) -> str:
    return str(rehearsal.client("ssm").get_parameter(Name=AMI)["Parameter"]["Value"])


def run(rehearsal: Rehearsal, count: int = 1, **more: Any) -> list[str]:
    answer = rehearsal.client("ec2").run_instances(
        ImageId=image(rehearsal), InstanceType="t3.micro", MinCount=count, MaxCount=count, **more
    )
    return [one["InstanceId"] for one in answer["Instances"]]


def describe(rehearsal: Rehearsal, ident: str) -> Any:
    found = rehearsal.client("ec2").describe_instances(InstanceIds=[ident])
    return found["Reservations"][0]["Instances"][0]


def state(rehearsal: Rehearsal, ident: str) -> str:
    return str(describe(rehearsal, ident)["State"]["Name"])


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


def test_an_instance_is_pending_and_then_runs(rehearsal: Rehearsal) -> None:
    [ident] = run(rehearsal)
    assert state(rehearsal, ident) == "pending"
    rehearsal.advance(0.1)
    assert state(rehearsal, ident) == "pending"
    rehearsal.advance(1)
    found = describe(rehearsal, ident)
    assert found["State"] == {"Code": 16, "Name": "running"}
    assert found["PublicIpAddress"] == found["PrivateIpAddress"]
    assert found["BlockDeviceMappings"][0]["DeviceName"] == "/dev/sda1"
    assert found["RootDeviceName"] == "/dev/sda1"
    assert rehearsal.tier.machines[ident].spec.login == "ubuntu"


def test_what_a_pending_instance_does_not_have_yet(rehearsal: Rehearsal) -> None:
    [ident] = run(rehearsal)
    found = describe(rehearsal, ident)
    assert found["StateReason"] == {"Code": "pending", "Message": "pending"}
    assert "PublicIpAddress" not in found
    assert (found["PublicDnsName"], found["BlockDeviceMappings"]) == ("", [])
    [interface] = found["NetworkInterfaces"]
    assert "Association" not in interface
    assert interface["Attachment"]["Status"] == "attaching"
    rehearsal.advance(1)
    found = describe(rehearsal, ident)
    assert "StateReason" not in found
    [interface] = found["NetworkInterfaces"]
    assert interface["Association"]["PublicIp"] == found["PublicIpAddress"]
    assert interface["Attachment"]["Status"] == "attached"


def test_a_stopped_instance_has_no_public_address(rehearsal: Rehearsal) -> None:
    ec2, [ident] = rehearsal.client("ec2"), run(rehearsal)
    rehearsal.advance(1)
    ec2.stop_instances(InstanceIds=[ident])
    rehearsal.advance(1)
    found = describe(rehearsal, ident)
    assert "PublicIpAddress" not in found
    assert found["BlockDeviceMappings"]
    [interface] = ec2.describe_network_interfaces()["NetworkInterfaces"]
    for one in (interface, found["NetworkInterfaces"][0]):
        assert "Association" not in one
        assert "Association" not in one["PrivateIpAddresses"][0]


@pytest.mark.parametrize("can_hide", [True, False])
def test_an_image_without_python_starts_where_python_cannot_be_hidden(
    rehearsal: Rehearsal, can_hide: bool
) -> None:
    features = rehearsal.tier.report.features - (set() if can_hide else {Feature.HIDE_PYTHON})
    rehearsal.tier.report = dataclasses.replace(rehearsal.tier.report, features=features)
    ami = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = rehearsal.client("ssm").get_parameter(Name=ami)["Parameter"]["Value"]
    [made] = rehearsal.client("ec2").run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1
    )["Instances"]
    rehearsal.advance(1)
    assert rehearsal.tier.machines[made["InstanceId"]].spec.has_python is not can_hide


def test_an_instance_ends_and_leaves_nothing(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    [ident] = run(rehearsal)
    rehearsal.advance(1)
    [volume] = ec2.describe_volumes()["Volumes"]
    answer = ec2.terminate_instances(InstanceIds=[ident])["TerminatingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == (
        "running",
        "shutting-down",
    )
    rehearsal.advance(1)
    found = describe(rehearsal, ident)
    assert found["State"]["Name"] == "terminated"
    assert found["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert rehearsal.tier.machines == {}
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert refusal(ec2.describe_volumes, VolumeIds=[volume["VolumeId"]]) == "InvalidVolume.NotFound"
    rehearsal.advance(3700)
    assert refusal(ec2.describe_instances, InstanceIds=[ident]) == "InvalidInstanceID.NotFound"


def test_the_console_is_read_for_a_while_after_the_end(
    rehearsal: Rehearsal, tmp_path: Path
) -> None:
    ec2, [ident] = rehearsal.client("ec2"), run(rehearsal)
    rehearsal.advance(1)
    printed = tmp_path / "console"
    printed.write_text("the last words")
    rehearsal.tier.machines[ident].console = str(printed)
    ec2.terminate_instances(InstanceIds=[ident])
    rehearsal.advance(1)
    assert state(rehearsal, ident) == "terminated"
    assert ec2.get_console_output(InstanceId=ident)["Output"] == "the last words"
    rehearsal.advance(3700)
    assert list((rehearsal.cloud.place.folder / "consoles").iterdir()) == []


def test_none_can_hibernate(rehearsal: Rehearsal) -> None:
    ec2, [ident] = rehearsal.client("ec2"), run(rehearsal)
    rehearsal.advance(1)
    code = refusal(ec2.stop_instances, InstanceIds=[ident], Hibernate=True)
    assert code == "UnsupportedHibernationConfiguration"
    assert state(rehearsal, ident) == "running"


def test_processors_are_told_by_core_and_thread(rehearsal: Rehearsal) -> None:
    [ident] = run(rehearsal)
    assert describe(rehearsal, ident)["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 2}


def test_another_type_is_one_that_there_is(rehearsal: Rehearsal) -> None:
    ec2, [ident] = rehearsal.client("ec2"), run(rehearsal)
    change = {"InstanceId": ident, "InstanceType": {"Value": "m5.xlarge"}}
    rehearsal.advance(1)
    assert refusal(ec2.modify_instance_attribute, **change) == "IncorrectInstanceState"
    ec2.stop_instances(InstanceIds=[ident])
    rehearsal.advance(1)
    unknown = {**change, "InstanceType": {"Value": "t9.micro"}}
    assert refusal(ec2.modify_instance_attribute, **unknown) == "InvalidInstanceAttributeValue"
    ec2.modify_instance_attribute(**change)
    found = describe(rehearsal, ident)
    assert found["InstanceType"] == "m5.xlarge"
    assert found["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 2}


def test_terminating_twice_is_harmless(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    [ident] = run(rehearsal)
    rehearsal.advance(1)
    ec2.terminate_instances(InstanceIds=[ident])
    rehearsal.advance(1)
    [answer] = ec2.terminate_instances(InstanceIds=[ident])["TerminatingInstances"]
    assert answer["CurrentState"]["Name"] == "terminated"
    assert refusal(ec2.start_instances, InstanceIds=[ident]) == "IncorrectInstanceState"


def test_stop_and_start_keep_disk_and_address(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    [ident] = run(rehearsal)
    rehearsal.advance(1)
    before = describe(rehearsal, ident)
    ec2.stop_instances(InstanceIds=[ident])
    assert state(rehearsal, ident) == "stopping"
    rehearsal.advance(1)
    assert state(rehearsal, ident) == "stopped"
    ec2.start_instances(InstanceIds=[ident])
    rehearsal.advance(1)
    after = describe(rehearsal, ident)
    assert after["State"]["Name"] == "running"
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"]
    assert after["BlockDeviceMappings"] == before["BlockDeviceMappings"]
    assert rehearsal.tier.machines[ident].spec.address == after["PrivateIpAddress"]


def test_one_client_token_makes_one_instance(rehearsal: Rehearsal) -> None:
    first, second = (run(rehearsal, ClientToken="t") for _ in range(2))
    assert first == second
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        run(rehearsal, count=2, ClientToken="t")


def test_several_instances_are_one_reservation(rehearsal: Rehearsal) -> None:
    idents = run(rehearsal, count=3)
    [reservation] = rehearsal.client("ec2").describe_instances()["Reservations"]
    found = sorted(reservation["Instances"], key=lambda one: one["AmiLaunchIndex"])
    assert [one["InstanceId"] for one in found] == idents
    assert len({one["PrivateIpAddress"] for one in found}) == 3


def test_a_dry_run_changes_nothing(rehearsal: Rehearsal) -> None:
    with pytest.raises(ClientError, match="DryRunOperation"):
        run(rehearsal, DryRun=True)
    assert rehearsal.client("ec2").describe_instances()["Reservations"] == []
    assert rehearsal.tier.addresses == {}


def test_a_launch_that_fails_is_told_and_leaves_nothing(rehearsal: Rehearsal) -> None:
    rehearsal.tier.refusal = MachineError("mount", "no space left on device")
    [ident] = run(rehearsal)
    rehearsal.advance(1)
    found = describe(rehearsal, ident)
    assert found["State"]["Name"] == "terminated"
    assert found["StateReason"]["Code"] == "Server.InternalError"
    assert "no space left" in found["StateReason"]["Message"]


def test_a_start_that_fails_puts_it_back_with_its_disk(rehearsal: Rehearsal) -> None:
    ec2, [ident] = rehearsal.client("ec2"), run(rehearsal)
    rehearsal.advance(1)
    ec2.stop_instances(InstanceIds=[ident])
    rehearsal.advance(1)
    rehearsal.tier.refusal = MachineError("mount", "no space left on device")
    ec2.start_instances(InstanceIds=[ident])
    rehearsal.advance(1)
    found = describe(rehearsal, ident)
    assert found["State"]["Name"] == "stopped"
    assert found["StateReason"]["Code"] == "Server.InternalError"
    assert found["BlockDeviceMappings"]
    rehearsal.tier.refusal = None
    ec2.start_instances(InstanceIds=[ident])
    rehearsal.advance(1)
    assert state(rehearsal, ident) == "running"


def test_other_groups_are_those_of_the_interface_too(rehearsal: Rehearsal) -> None:
    ec2, [ident] = rehearsal.client("ec2"), run(rehearsal)
    group = ec2.create_security_group(GroupName="other", Description="d")["GroupId"]
    ec2.modify_instance_attribute(InstanceId=ident, Groups=[group])
    found = describe(rehearsal, ident)
    told = [{"GroupId": group, "GroupName": "other"}]
    assert found["SecurityGroups"] == found["NetworkInterfaces"][0]["Groups"] == told


@pytest.mark.parametrize(("behaviour", "end"), [("stop", "stopped"), ("terminate", "terminated")])
def test_shutdown_from_inside(rehearsal: Rehearsal, behaviour: str, end: str) -> None:
    from runctl.localcloud.services.ec2.instances.watching import watch  # noqa: PLC0415

    watch(rehearsal.cloud)
    [ident] = run(rehearsal, InstanceInitiatedShutdownBehavior=behaviour)
    rehearsal.advance(1)
    rehearsal.tier.lose(ident, "poweroff")
    rehearsal.advance(1)
    found = describe(rehearsal, ident)
    assert found["State"]["Name"] == end
    assert found["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_protection(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    [ident] = run(rehearsal, DisableApiTermination=True)
    assert refusal(ec2.terminate_instances, InstanceIds=[ident]) == "OperationNotPermitted"
    ec2.modify_instance_attribute(InstanceId=ident, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[ident])


# ---------------------------------------------------------------- the cloud itself is killed


def test_a_pending_instance_goes_on_starting(rehearsal: Rehearsal) -> None:
    [ident] = run(rehearsal)
    rehearsal.restart()
    rehearsal.advance(1)
    assert state(rehearsal, ident) == "running"
    assert len(rehearsal.tier.machines) == 1


def test_an_ending_instance_goes_on_ending(rehearsal: Rehearsal) -> None:
    [ident] = run(rehearsal)
    rehearsal.advance(1)
    rehearsal.client("ec2").terminate_instances(InstanceIds=[ident])
    rehearsal.restart()
    rehearsal.advance(1)
    assert state(rehearsal, ident) == "terminated"
    assert rehearsal.tier.machines == {}


def test_a_running_instance_whose_machine_died_is_stopped(rehearsal: Rehearsal) -> None:
    [ident] = run(rehearsal)
    rehearsal.advance(1)
    rehearsal.tier.lose(ident)  # nobody listens
    rehearsal.restart()
    rehearsal.advance(1)
    found = describe(rehearsal, ident)
    assert found["State"]["Name"] == "stopped"
    assert found["StateReason"]["Code"] == "Server.InternalError"


# ---------------------------------------------------------------- spot


def spot(rehearsal: Rehearsal, **options: Any) -> str:
    market = {"MarketType": "spot", "SpotOptions": options}
    return run(rehearsal, InstanceMarketOptions=market)[0]


def test_a_spot_instance_has_its_request(rehearsal: Rehearsal) -> None:
    ident = spot(rehearsal)
    found = describe(rehearsal, ident)
    assert found["InstanceLifecycle"] == "spot"
    [request] = rehearsal.client("ec2").describe_spot_instance_requests(
        SpotInstanceRequestIds=[found["SpotInstanceRequestId"]]
    )["SpotInstanceRequests"]
    assert (request["State"], request["InstanceId"]) == ("active", ident)
    assert request["Status"]["Code"] == "fulfilled"


def test_an_interruption_is_announced_and_then_happens(rehearsal: Rehearsal) -> None:
    from runctl.localcloud.services.ec2.spot.interruption import interrupt  # noqa: PLC0415

    ident = spot(rehearsal)
    rehearsal.advance(1)
    interrupt(rehearsal.cloud, "us-east-1", ident, notice_s=120)
    rehearsal.advance(60)
    assert state(rehearsal, ident) == "running"
    rehearsal.restart()  # the notice survives it
    rehearsal.advance(61)
    found = describe(rehearsal, ident)
    assert found["State"]["Name"] == "terminated"
    assert found["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    [request] = rehearsal.client("ec2").describe_spot_instance_requests()["SpotInstanceRequests"]
    assert request["State"] == "closed"
    assert request["Status"]["Code"] == "instance-terminated-no-capacity"


def test_a_one_time_spot_instance_cannot_be_stopped(rehearsal: Rehearsal) -> None:
    ident = spot(rehearsal)
    rehearsal.advance(1)
    ec2 = rehearsal.client("ec2")
    assert refusal(ec2.stop_instances, InstanceIds=[ident]) == "UnsupportedOperation"


# ---------------------------------------------------------------- refusals


def test_refused_capacity(rehearsal: Rehearsal) -> None:
    order = Order(effect="capacity", instance_type="t3.*", zone="us-east-1[ab]")
    add_fault(rehearsal.cloud, order)
    [ident] = run(rehearsal)  # another zone is free
    assert describe(rehearsal, ident)["Placement"]["AvailabilityZone"] == "us-east-1c"
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        run(rehearsal, Placement={"AvailabilityZone": "us-east-1a"})
    clear_faults(rehearsal.cloud)
    run(rehearsal, Placement={"AvailabilityZone": "us-east-1a"})


def test_the_nth_call_fails(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    order = Order(effect="throttle", operation="DescribeInstances", after=1, count=1)
    add_fault(rehearsal.cloud, order)
    ec2.describe_instances()
    assert refusal(ec2.describe_instances) == "RequestLimitExceeded"
    ec2.describe_instances()


def test_a_new_instance_is_not_seen_at_once(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    order = Order(effect="hide", operation="DescribeInstances", delay_s=5.0)
    add_fault(rehearsal.cloud, order)
    [ident] = run(rehearsal)
    assert refusal(ec2.describe_instances, InstanceIds=[ident]) == "InvalidInstanceID.NotFound"
    rehearsal.advance(6)
    assert state(rehearsal, ident) == "running"
