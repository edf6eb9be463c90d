"""EC2 instances: launching, describing, states, attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fidelity.table import Answered, Refused, Row, Story, World
from tests.fidelity.world import code_of, wait_until

UNKNOWN = "i-0123456789abcdef0"
RUN = "RunInstances"
CODES = "Error codes for the Amazon EC2 API"


def launch(world: World, **more: Any) -> dict[str, Any]:
    """Parameters of a launch that would succeed."""
    return {
        "ImageId": world.image,
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
        "TagSpecifications": world.tags("instance"),
        **more,
    }


def refused_launch(says: str, outcome: Refused, source: str = CODES, **more: Any) -> Row:
    return Row(says, "ec2", "run_instances", lambda world: launch(world, **more), outcome, source)


def refused(says: str, call: str, parameters: Mapping[str, Any], outcome: Refused) -> Row:
    return Row(says, "ec2", call, parameters, outcome, CODES)


def only(answer: Mapping[str, Any]) -> Any:
    [reservation] = answer["Reservations"]
    [instance] = reservation["Instances"]
    return instance


def of_instance(says: str, name: str, value: Any, source: str = "DescribeInstances") -> Row:
    """A filter by which the running instance is found."""

    def parameters(world: World) -> dict[str, Any]:
        values = value(world) if callable(value) else value
        both = [
            {"Name": "instance-id", "Values": [world.instance]},
            {"Name": name, "Values": values},
        ]
        return {"Filters": both}

    outcome = Answered(lambda answer: only(answer) is not None)
    return Row(says, "ec2", "describe_instances", parameters, outcome, source)


def attribute(name: str, member: str, value: Any) -> Row:
    return Row(
        f"the attribute {name} of an instance is {value}",
        "ec2",
        "describe_instance_attribute",
        lambda world: {"InstanceId": world.instance, "Attribute": name},
        Answered(lambda answer: answer[member] == value),
        "DescribeInstanceAttribute",
    )


def described(says: str, check: Any, source: str = "API_Instance") -> Row:
    return Row(
        says,
        "ec2",
        "describe_instances",
        lambda world: {"InstanceIds": [world.instance]},
        Answered(lambda answer: check(only(answer))),
        source,
    )


ROWS = [
    # -- ids
    refused(
        "an unknown instance is InvalidInstanceID.NotFound",
        "describe_instances",
        {"InstanceIds": [UNKNOWN]},
        Refused("InvalidInstanceID.NotFound", f"'{UNKNOWN}' does not exist", 400),
    ),
    refused(
        "several unknown instances are all named",
        "describe_instances",
        {"InstanceIds": [UNKNOWN, UNKNOWN.replace("0123", "9999")]},
        Refused("InvalidInstanceID.NotFound", "do not exist"),
    ),
    refused(
        "an ill-formed instance id is InvalidInstanceID.Malformed",
        "describe_instances",
        {"InstanceIds": ["nonsense"]},
        Refused("InvalidInstanceID.Malformed", 'Invalid id: "nonsense"', 400),
    ),
    *(
        refused(
            f"{call} of an unknown instance is InvalidInstanceID.NotFound",
            call,
            {"InstanceIds": [UNKNOWN]},
            Refused("InvalidInstanceID.NotFound", UNKNOWN),
        )
        for call in (
            "start_instances",
            "stop_instances",
            "reboot_instances",
            "terminate_instances",
            "monitor_instances",
            "describe_instance_status",
        )
    ),
    refused(
        "the console of an unknown instance is InvalidInstanceID.NotFound",
        "get_console_output",
        {"InstanceId": UNKNOWN},
        Refused("InvalidInstanceID.NotFound"),
    ),
    # -- filters and pages
    refused(
        "an unknown filter of instances is named",
        "describe_instances",
        {"Filters": [{"Name": "nonsense", "Values": ["x"]}]},
        Refused("InvalidParameterValue", "The filter 'nonsense' is invalid"),
    ),
    refused(
        "a page of fewer than five instances is refused",
        "describe_instances",
        {"MaxResults": 1},
        Refused("InvalidParameterValue"),
    ),
    Row(
        "ids and a page size of instances do not go together",
        "ec2",
        "describe_instances",
        lambda world: {"InstanceIds": [world.instance], "MaxResults": 5},
        Refused("InvalidParameterCombination"),
        "DescribeInstances",
    ),
    Row(
        "a filter that nothing matches gives no reservations",
        "ec2",
        "describe_instances",
        {"Filters": [{"Name": "tag:nobody", "Values": ["has", "this"]}]},
        Answered(lambda answer: answer["Reservations"] == []),
        "DescribeInstances",
    ),
    of_instance("instances are found by state", "instance-state-name", ["pending", "running"]),
    of_instance("instances are found by the code of a state", "instance-state-code", ["16"]),
    of_instance("instances are found by type, with a wildcard", "instance-type", ["t3.*"]),
    of_instance("instances are found by a wildcard of one letter", "instance-type", ["t?.micro"]),
    of_instance("instances are found by a tag's value", "tag:runctl:owner", ["fidelity-*"]),
    of_instance("instances are found by a tag's key", "tag-key", ["runctl:owner"]),
    of_instance("instances are found by image", "image-id", lambda world: [world.image]),
    of_instance("instances are found by architecture", "architecture", ["x86_64"]),
    of_instance("instances are found by the type of their root", "root-device-type", ["ebs"]),
    of_instance("instances are found by hypervisor", "hypervisor", ["xen"]),
    of_instance("instances are found by tenancy", "tenancy", ["default"]),
    of_instance("instances are found by platform", "platform-details", ["Linux/UNIX"]),
    of_instance(
        "instances are found by whether the source is checked", "source-dest-check", ["true"]
    ),
    of_instance("instances are found by monitoring", "monitoring-state", ["disabled"]),
    of_instance("instances are found by launch index", "launch-index", ["0"]),
    of_instance(
        "instances are found by how a device is deleted",
        "block-device-mapping.delete-on-termination",
        ["true"],
    ),
    of_instance(
        "instances are found by how the metadata is read",
        "metadata-options.http-tokens",
        ["required"],
    ),
    of_instance(
        "instances are found by profile",
        "iam-instance-profile.arn",
        lambda world: [f"arn:aws:iam::{world.account}:instance-profile/{world.profile}"],
    ),
    Row(
        "on-demand instances have no lifecycle to be found by",
        "ec2",
        "describe_instances",
        lambda world: {
            "Filters": [
                {"Name": "instance-id", "Values": [world.instance]},
                {"Name": "instance-lifecycle", "Values": ["spot"]},
            ]
        },
        Answered(lambda answer: answer["Reservations"] == []),
        "DescribeInstances",
    ),
    # -- what an instance is like
    described(
        "a running instance has state 16", lambda i: i["State"] == {"Code": 16, "Name": "running"}
    ),
    described(
        "Amazon Linux 2023 has its root at /dev/xvda", lambda i: i["RootDeviceName"] == "/dev/xvda"
    ),
    described(
        "the root volume is attached, and deleted with the instance",
        lambda i: (
            (
                i["BlockDeviceMappings"][0]["Ebs"]["Status"],
                i["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"],
            )
            == ("attached", True)
        ),
    ),
    described(
        "the private name of an instance is made of its address",
        lambda i: i["PrivateDnsName"].startswith(f"ip-{i['PrivateIpAddress'].replace('.', '-')}."),
    ),
    described(
        "an instance has one interface, attached at index 0",
        lambda i: [one["Attachment"]["DeviceIndex"] for one in i["NetworkInterfaces"]] == [0],
    ),
    described(
        "the interface has the groups of the instance",
        lambda i: i["NetworkInterfaces"][0]["Groups"] == i["SecurityGroups"],
    ),
    described(
        "metadata options that were asked for are applied",
        lambda i: (
            (i["MetadataOptions"]["State"], i["MetadataOptions"]["HttpTokens"])
            == ("applied", "required")
        ),
    ),
    described(
        "the hop limit is 1 unless it is said",
        lambda i: i["MetadataOptions"]["HttpPutResponseHopLimit"] >= 1,
    ),
    described("a t3 runs on Nitro, with ENA", lambda i: i["EnaSupport"] is True),
    described("an on-demand instance has no lifecycle", lambda i: "InstanceLifecycle" not in i),
    described("nothing has happened to it yet", lambda i: i["StateTransitionReason"] == ""),
    # -- attributes
    attribute("disableApiTermination", "DisableApiTermination", {"Value": False}),
    attribute("disableApiStop", "DisableApiStop", {"Value": False}),
    attribute(
        "instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior", {"Value": "stop"}
    ),
    attribute("instanceType", "InstanceType", {"Value": "t3.micro"}),
    attribute("rootDeviceName", "RootDeviceName", {"Value": "/dev/xvda"}),
    attribute("sourceDestCheck", "SourceDestCheck", {"Value": True}),
    attribute("userData", "UserData", {}),
    Row(
        "an attribute that does not exist is refused",
        "ec2",
        "describe_instance_attribute",
        lambda world: {"InstanceId": world.instance, "Attribute": "nonsense"},
        Refused("InvalidParameterValue"),
        "DescribeInstanceAttribute",
    ),
    Row(
        "the type of a running instance cannot be changed",
        "ec2",
        "modify_instance_attribute",
        lambda world: {"InstanceId": world.instance, "InstanceType": {"Value": "t3.small"}},
        Refused("IncorrectInstanceState"),
        CODES,
    ),
    Row(
        "a shutdown behaviour that does not exist is refused",
        "ec2",
        "modify_instance_attribute",
        lambda world: {
            "InstanceId": world.instance,
            "InstanceInitiatedShutdownBehavior": {"Value": "explode"},
        },
        Refused("InvalidParameterValue"),
        "ModifyInstanceAttribute",
    ),
    Row(
        "status of running instances alone is told, unless all are asked for",
        "ec2",
        "describe_instance_status",
        lambda world: {"InstanceIds": [world.instance]},
        Answered(
            lambda answer: (
                [one["InstanceState"]["Name"] for one in answer["InstanceStatuses"]] == ["running"]
            )
        ),
        "DescribeInstanceStatus",
    ),
    Row(
        "a running instance can be started again, which changes nothing",
        "ec2",
        "start_instances",
        lambda world: {"InstanceIds": [world.instance]},
        Answered(
            lambda answer: answer["StartingInstances"][0]["CurrentState"]["Name"] == "running"
        ),
        "StartInstances",
    ),
    # -- dry runs
    Row(
        "a dry run of a launch that would succeed is DryRunOperation",
        "ec2",
        "run_instances",
        lambda world: launch(world, DryRun=True),
        Refused("DryRunOperation", "Request would have succeeded", 412),
        RUN,
    ),
    Row(
        "a dry run of a termination is DryRunOperation",
        "ec2",
        "terminate_instances",
        lambda world: {"InstanceIds": [world.instance], "DryRun": True},
        Refused("DryRunOperation", "DryRun flag is set", 412),
        "TerminateInstances",
    ),
    # -- launches that are refused
    refused_launch(
        "an unknown image is InvalidAMIID.NotFound",
        Refused("InvalidAMIID.NotFound", "does not exist"),
        ImageId="ami-0123456789abcdef0",
    ),
    refused_launch(
        "an ill-formed image id is InvalidAMIID.Malformed",
        Refused("InvalidAMIID.Malformed"),
        ImageId="nonsense",
    ),
    refused_launch(
        "an unknown type is InvalidParameterValue",
        Refused("InvalidParameterValue", "nonsense.large"),
        InstanceType="nonsense.large",
    ),
    refused_launch(
        "a type of another architecture than the image is refused",
        Refused("InvalidParameterValue", "architecture"),
        InstanceType="t4g.micro",
    ),
    refused_launch(
        "an unknown key pair is InvalidKeyPair.NotFound",
        Refused("InvalidKeyPair.NotFound", "The key pair 'nobody-has-this' does not exist"),
        KeyName="nobody-has-this",
    ),
    refused_launch(
        "an unknown security group is InvalidGroup.NotFound",
        Refused("InvalidGroup.NotFound"),
        SecurityGroupIds=["sg-0123456789abcdef0"],
    ),
    refused_launch(
        "an unknown subnet is InvalidSubnetID.NotFound",
        Refused("InvalidSubnetID.NotFound"),
        SubnetId="subnet-0123456789abcdef0",
    ),
    refused_launch(
        "an unknown instance profile is InvalidParameterValue",
        Refused("InvalidParameterValue", "Invalid IAM Instance Profile"),
        IamInstanceProfile={"Name": "nobody-has-this"},
    ),
    refused_launch(
        "a zone that does not exist is InvalidParameterValue",
        Refused("InvalidParameterValue", "us-east-1-1a"),
        Placement={"AvailabilityZone": "us-east-1-1a"},
    ),
    refused_launch(
        "fewer than one instance is refused",
        Refused("InvalidParameterValue"),
        MinCount=0,
        MaxCount=0,
    ),
    refused_launch(
        "a maximum below the minimum is refused",
        Refused("InvalidParameterValue"),
        MinCount=2,
        MaxCount=1,
    ),
    refused_launch(
        "user data beyond 16 KiB is refused",
        Refused("InvalidParameterValue", "16384"),
        UserData="x" * 20000,
    ),
    refused_launch(
        "a tag key that begins with aws: is refused",
        Refused("InvalidParameterValue", "reserved"),
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "aws:mine", "Value": "x"}]}
        ],
    ),
    refused_launch(
        "a tag key that is given twice is refused",
        Refused("InvalidParameterValue", "Duplicate tag key 'a' specified"),
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": v} for v in ("1", "2")]}
        ],
    ),
    refused_launch(
        "a kind that cannot be tagged is refused",
        Refused("InvalidParameterValue", "nonsense"),
        TagSpecifications=[{"ResourceType": "nonsense", "Tags": [{"Key": "a", "Value": "b"}]}],
    ),
    refused_launch(
        "interfaces and security groups do not go together",
        Refused("InvalidParameterCombination"),
        NetworkInterfaces=[{"DeviceIndex": 0, "AssociatePublicIpAddress": True}],
        SecurityGroupIds=["sg-0123456789abcdef0"],
    ),
    refused_launch(
        "a one-time spot instance is not stopped by an interruption",
        Refused("InvalidParameterCombination"),
        InstanceMarketOptions={
            "MarketType": "spot",
            "SpotOptions": {
                "SpotInstanceType": "one-time",
                "InstanceInterruptionBehavior": "stop",
            },
        },
    ),
    refused_launch(
        "a root volume smaller than its snapshot is refused",
        Refused("InvalidBlockDeviceMapping", "is smaller than  snapshot"),
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 1}}],
    ),
    Row(
        "a launch without an image is MissingParameter",
        "ec2",
        "run_instances",
        {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1},
        Refused("MissingParameter", "ImageId"),
        CODES,
    ),
    refused_launch(
        "an unknown launch template is refused",
        Refused("InvalidLaunchTemplateId.NotFound"),
        LaunchTemplate={"LaunchTemplateId": "lt-0123456789abcdef0"},
    ),
    # -- tags
    refused(
        "a tag on what does not exist is that thing's NotFound",
        "create_tags",
        {"Resources": ["vol-0123456789abcdef0"], "Tags": [{"Key": "a", "Value": "b"}]},
        Refused("InvalidVolume.NotFound"),
    ),
    refused(
        "an unknown filter of tags is refused",
        "describe_tags",
        {"Filters": [{"Name": "nonsense", "Values": ["x"]}]},
        Refused("InvalidParameterValue"),
    ),
    Row(
        "tags are listed with what they are on",
        "ec2",
        "describe_tags",
        lambda world: {"Filters": [{"Name": "resource-id", "Values": [world.instance]}]},
        Answered(
            lambda answer: (
                ("runctl:owner", "instance")
                in {(one["Key"], one["ResourceType"]) for one in answer["Tags"]}
            )
        ),
        "DescribeTags",
    ),
]


def _one_token_makes_one_instance(world: World) -> None:
    ec2, token = world.client("ec2"), world.name("token")
    first = ec2.run_instances(**launch(world, ClientToken=token))
    ident = first["Instances"][0]["InstanceId"]
    world.later(lambda: ec2.terminate_instances(InstanceIds=[ident]))
    second = ec2.run_instances(**launch(world, ClientToken=token))
    assert [one["InstanceId"] for one in second["Instances"]] == [ident]
    assert second["ReservationId"] == first["ReservationId"]
    other = launch(world, ClientToken=token, InstanceType="t3.small")
    assert code_of(ec2.run_instances, **other) == "IdempotentParameterMismatch"


def _a_life(world: World) -> None:
    ec2 = world.client("ec2")
    [made] = ec2.run_instances(**launch(world))["Instances"]
    ident = made["InstanceId"]
    world.later(lambda: ec2.terminate_instances(InstanceIds=[ident]))
    assert made["State"] == {"Code": 0, "Name": "pending"}
    assert _is_bare(made)
    _wait(ec2, "instance_running", ident)
    [stopping] = ec2.stop_instances(InstanceIds=[ident])["StoppingInstances"]
    assert (stopping["PreviousState"]["Code"], stopping["CurrentState"]["Code"]) == (16, 64)
    _wait(ec2, "instance_stopped", ident)
    stopped = only(ec2.describe_instances(InstanceIds=[ident]))
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert "PublicIpAddress" not in stopped
    assert stopped["PrivateIpAddress"] == made["PrivateIpAddress"]
    ec2.start_instances(InstanceIds=[ident])
    _wait(ec2, "instance_running", ident)
    [ending] = ec2.terminate_instances(InstanceIds=[ident])["TerminatingInstances"]
    assert (ending["PreviousState"]["Code"], ending["CurrentState"]["Code"]) == (16, 32)
    _wait(ec2, "instance_terminated", ident)
    ended = only(ec2.describe_instances(InstanceIds=[ident]))
    assert ended["StateTransitionReason"].startswith("User initiated (")
    assert "PrivateIpAddress" not in ended
    [again] = ec2.terminate_instances(InstanceIds=[ident])["TerminatingInstances"]
    assert again["CurrentState"]["Code"] == 48
    assert code_of(ec2.start_instances, InstanceIds=[ident]) == "IncorrectInstanceState"


def _is_bare(made: Mapping[str, Any]) -> bool:
    """Tell whether it has nothing yet of what comes while it is pending."""
    has_begun = made["StateReason"] == {"Code": "pending", "Message": "pending"}
    return has_begun and "PublicIpAddress" not in made and made["BlockDeviceMappings"] == []


def _shutdown_from_inside_ends(world: World) -> None:
    ec2 = world.client("ec2")
    wanted = {
        "UserData": "#!/bin/sh\nshutdown -h now\n",
        "InstanceInitiatedShutdownBehavior": "terminate",
    }
    [made] = ec2.run_instances(**launch(world, **wanted))["Instances"]
    ident = made["InstanceId"]
    world.later(lambda: ec2.terminate_instances(InstanceIds=[ident]))

    def has_ended() -> bool:
        found = only(ec2.describe_instances(InstanceIds=[ident]))
        return bool(found["State"]["Name"] == "terminated")

    wait_until(has_ended, "it never ended")
    ended = only(ec2.describe_instances(InstanceIds=[ident]))
    assert ended["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def _protection_holds(world: World) -> None:
    ec2 = world.client("ec2")
    [made] = ec2.run_instances(**launch(world, DisableApiTermination=True))["Instances"]
    ident = made["InstanceId"]

    def end() -> None:
        ec2.modify_instance_attribute(InstanceId=ident, DisableApiTermination={"Value": False})
        ec2.terminate_instances(InstanceIds=[ident])

    world.later(end)
    assert code_of(ec2.terminate_instances, InstanceIds=[ident]) == "OperationNotPermitted"


def _user_data_runs_at_first_boot(world: World) -> None:
    ec2 = world.client("ec2")
    text = "#!/bin/sh\necho fidelity-user-data-$(id -u)\n"
    [made] = ec2.run_instances(**launch(world, UserData=text))["Instances"]
    ident = made["InstanceId"]
    world.later(lambda: ec2.terminate_instances(InstanceIds=[ident]))
    _wait(ec2, "instance_running", ident)

    def is_said() -> bool:
        output = ec2.get_console_output(InstanceId=ident, Latest=True).get("Output", "")
        return "fidelity-user-data-0" in output

    wait_until(is_said, "user data never said anything on the console")


def _tags_come_and_go(world: World) -> None:
    ec2, ident = world.client("ec2"), world.instance
    ec2.create_tags(Resources=[ident], Tags=[{"Key": "x", "Value": "1"}, {"Key": "y", "Value": ""}])
    ec2.create_tags(Resources=[ident], Tags=[{"Key": "x", "Value": "2"}])
    ec2.delete_tags(Resources=[ident], Tags=[{"Key": "y", "Value": "not this one"}])
    assert _tags(ec2, ident) == {"x": "2", "y": ""}
    ec2.delete_tags(Resources=[ident], Tags=[{"Key": "x"}, {"Key": "y", "Value": ""}])
    assert _tags(ec2, ident) == {}


def _tags(ec2: Any, ident: str) -> dict[str, str]:
    tags = only(ec2.describe_instances(InstanceIds=[ident])).get("Tags", [])
    return {one["Key"]: one["Value"] for one in tags if one["Key"] != "runctl:owner"}


def _wait(ec2: Any, what: str, ident: str) -> None:
    ec2.get_waiter(what).wait(InstanceIds=[ident], WaiterConfig={"Delay": 1, "MaxAttempts": 300})


STORIES = [
    Story("one client token makes one instance", _one_token_makes_one_instance, RUN),
    Story("an instance goes through its states", _a_life, "Amazon EC2 instance state changes"),
    Story(
        "a shutdown from inside ends an instance that is to end with it",
        _shutdown_from_inside_ends,
        "Change instance initiated shutdown behavior",
    ),
    Story(
        "a protected instance cannot be terminated",
        _protection_holds,
        "Change termination protection",
    ),
    Story(
        "user data runs as root at the first boot",
        _user_data_runs_at_first_boot,
        "Run commands when you launch an EC2 instance with user data input",
    ),
    Story("tags are put over each other, and taken away by value", _tags_come_and_go, "DeleteTags"),
]
