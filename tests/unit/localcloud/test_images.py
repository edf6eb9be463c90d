"""Images: found as people find them, made, copied, shared, taken away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.data import region_names
from runctl.localcloud.services.ec2.imagefamilies import FAMILIES
from runctl.localcloud.services.ec2.machineimages import public_parameters, published
from runctl.localcloud.services.ec2.volumes.files import volume_path
from tests.unit.localcloud.conftest import ACCOUNT, Rehearsal

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
BASE = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-ubuntu-22.04/latest/ami-id"
JAMMY = "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id"
NOBLE = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    found = error.value.response["Error"]
    return str(found["Code"]), str(found["Message"])


def find(rehearsal: Rehearsal, pattern: str, **more: Any) -> list[Any]:
    wanted = [{"Name": "name", "Values": [pattern]}]
    found = rehearsal.client("ec2").describe_images(Filters=wanted, **more)["Images"]
    return sorted(found, key=lambda image: str(image["CreationDate"]))


def image_of(rehearsal: Rehearsal, parameter: str, region: str = "us-east-1") -> str:
    ssm = rehearsal.client("ssm", region)
    return str(ssm.get_parameter(Name=parameter)["Parameter"]["Value"])


def run(rehearsal: Rehearsal, image: str, **more: Any) -> Any:
    ec2 = rehearsal.client("ec2")
    answer = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, **more
    )
    rehearsal.advance(2)
    ident = answer["Instances"][0]["InstanceId"]
    return ec2.describe_instances(InstanceIds=[ident])["Reservations"][0]["Instances"][0]


def make_image(rehearsal: Rehearsal, name: str = "made", **more: Any) -> str:
    instance = run(rehearsal, image_of(rehearsal, NOBLE))
    ec2 = rehearsal.client("ec2")
    answer = ec2.create_image(InstanceId=instance["InstanceId"], Name=name, **more)
    rehearsal.advance(2)
    return str(answer["ImageId"])


@pytest.mark.parametrize(
    ("pattern", "owner", "parameter"),
    [
        ("al2023-ami-2023.*-kernel-6.18-x86_64", "amazon", AL2023),
        ("ubuntu/images/hvm-ssd*/ubuntu-*-24.04-amd64-server-*", "099720109477", NOBLE),
        (
            "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) *",
            "898082745236",
            BASE,
        ),
    ],
)
def test_the_newest_by_name_is_the_one_that_the_public_parameter_names(
    rehearsal: Rehearsal, pattern: str, owner: str, parameter: str
) -> None:
    newest = find(rehearsal, pattern, Owners=[owner])[-1]
    assert newest["ImageId"] == image_of(rehearsal, parameter)
    assert newest["State"] == "available"
    assert newest["Public"]


def test_older_releases_are_listed_too_but_deprecated_ones_only_on_demand(
    rehearsal: Rehearsal,
) -> None:
    assert len(find(rehearsal, "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-*")) == 2
    pattern = "al2023-ami-2023.*-kernel-6.1-x86_64"
    assert len(find(rehearsal, pattern)) == 1
    old, new = find(rehearsal, pattern, IncludeDeprecated=True)
    assert old["DeprecationTime"] < new["CreationDate"]
    assert "DeprecationTime" not in new


def test_images_are_what_their_publishers_say(rehearsal: Rehearsal) -> None:
    [amazon] = find(rehearsal, "al2023-ami-2023.*-kernel-6.1-arm64")
    assert (amazon["RootDeviceName"], amazon["ImdsSupport"]) == ("/dev/xvda", "v2.0")
    assert (amazon["Architecture"], amazon["BootMode"]) == ("arm64", "uefi")
    ubuntu = find(rehearsal, "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*")[-1]
    assert (ubuntu["RootDeviceName"], ubuntu["ImageOwnerAlias"]) == ("/dev/sda1", "amazon")
    assert ubuntu["ImageLocation"] == f"amazon/{ubuntu['Name']}"
    assert ubuntu["BlockDeviceMappings"][0]["Ebs"]["VolumeType"] == "gp2"
    assert ubuntu["BlockDeviceMappings"][1] == {
        "DeviceName": "/dev/sdb",
        "VirtualName": "ephemeral0",
    }
    [learning] = find(rehearsal, "*PyTorch 2.9 (Ubuntu 24.04)*")
    assert learning["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 75


def test_there_are_images_without_a_python_new_enough_and_one_with_systemd() -> None:
    with_python = {family.name: family.has_python for family in FAMILIES}
    assert not any(has for name, has in with_python.items() if name.startswith("al2023"))
    assert not any(has for name, has in with_python.items() if "22.04" in name)
    assert all(has for name, has in with_python.items() if "24.04" in name)
    assert [one.name for one in FAMILIES if one.init == "systemd"] == [
        "runctl-rehearsal/ubuntu-24.04-amd64-systemd"
    ]


def test_ids_differ_between_regions_and_never_change() -> None:
    assert published("us-east-1").keys().isdisjoint(published("eu-west-1"))
    known = public_parameters("us-east-1")[NOBLE]
    published.cache_clear()
    public_parameters.cache_clear()
    assert public_parameters("us-east-1")[NOBLE] == known
    assert len({ident for region in region_names() for ident in published(region)}) == len(
        FAMILIES
    ) * len(region_names())


def test_images_are_found_by_their_public_parameter(rehearsal: Rehearsal) -> None:
    wanted = [{"Name": "public-ssm-parameter-name", "Values": [AL2023]}]
    [found] = rehearsal.client("ec2").describe_images(Filters=wanted)["Images"]
    assert found["ImageId"] == image_of(rehearsal, AL2023)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [(AL2023, ("required", 2)), (JAMMY, ("optional", 1))],
)
def test_an_image_for_imdsv2_makes_its_instances_require_tokens(
    rehearsal: Rehearsal, parameter: str, expected: tuple[str, int]
) -> None:
    options = run(rehearsal, image_of(rehearsal, parameter))["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == expected


def test_an_image_is_launched_by_its_parameter(rehearsal: Rehearsal) -> None:
    instance = run(rehearsal, f"resolve:ssm:{NOBLE}")
    assert instance["ImageId"] == image_of(rehearsal, NOBLE)
    unknown = {"ImageId": "resolve:ssm:/nowhere", "MinCount": 1, "MaxCount": 1}
    assert refusal(rehearsal.client("ec2").run_instances, **unknown)[0] == "InvalidParameterValue"


def test_bad_and_unknown_ids_are_refused(rehearsal: Rehearsal) -> None:
    describe = rehearsal.client("ec2").describe_images
    assert refusal(describe, ImageIds=["x"]) == (
        "InvalidAMIID.Malformed",
        'Invalid id: "x" (expecting "ami-...")',
    )
    assert refusal(describe, ImageIds=["ami-0123456789abcdef0"]) == (
        "InvalidAMIID.NotFound",
        "The image id '[ami-0123456789abcdef0]' does not exist",
    )
    elsewhere = image_of(rehearsal, NOBLE, "eu-west-1")
    assert refusal(describe, ImageIds=[elsewhere])[0] == "InvalidAMIID.NotFound"


def test_images_come_in_pages(rehearsal: Rehearsal) -> None:
    describe = rehearsal.client("ec2").describe_images
    every = {image["ImageId"] for image in describe()["Images"]}
    pages = list(rehearsal.client("ec2").get_paginator("describe_images").paginate(MaxResults=10))
    assert len(pages) > 1
    assert {image["ImageId"] for one in pages for image in one["Images"]} == every


def test_an_image_is_made_of_an_instance_with_snapshots(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    disks = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3, "VolumeType": "gp3"}}]
    instance = run(rehearsal, image_of(rehearsal, NOBLE), BlockDeviceMappings=disks)
    ident = ec2.create_image(
        InstanceId=instance["InstanceId"],
        Name="with data",
        Description="words",
        TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": "k", "Value": "v"}]}],
    )["ImageId"]
    assert ec2.describe_images(ImageIds=[ident])["Images"][0]["State"] == "pending"
    rehearsal.advance(2)
    [image] = ec2.describe_images(Owners=["self"])["Images"]
    assert (image["State"], image["Public"], image["OwnerId"]) == ("available", False, ACCOUNT)
    assert image["SourceInstanceId"] == instance["InstanceId"]
    assert image["Tags"] == [{"Key": "k", "Value": "v"}]
    sizes = {
        one["DeviceName"]: one["Ebs"]["VolumeSize"]
        for one in image["BlockDeviceMappings"]
        if "Ebs" in one
    }
    assert sizes == {"/dev/sda1": 8, "/dev/sdf": 3}
    assert rehearsal.tier.machines[instance["InstanceId"]].done.count("reboot") == 1


def test_data_disks_come_along_with_what_they_hold(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    disks = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}]
    first = run(rehearsal, image_of(rehearsal, NOBLE), BlockDeviceMappings=disks)
    with data_file(rehearsal, first).open("r+b") as file:
        file.write(b"precious")
    image = ec2.create_image(InstanceId=first["InstanceId"], Name="with data")["ImageId"]
    rehearsal.advance(2)
    second = run(rehearsal, image)
    assert data_file(rehearsal, second) != data_file(rehearsal, first)
    with data_file(rehearsal, second).open("rb") as file:
        assert file.read(8) == b"precious"


def data_file(rehearsal: Rehearsal, instance: Any) -> Path:
    """Return the file behind /dev/sdf."""
    [ident] = [
        one["Ebs"]["VolumeId"]
        for one in instance["BlockDeviceMappings"]
        if one["DeviceName"] == "/dev/sdf"
    ]
    return volume_path(rehearsal.cloud, ident)


def test_an_image_is_made_without_a_reboot_if_that_is_asked(rehearsal: Rehearsal) -> None:
    make_image(rehearsal, NoReboot=True)
    [machine] = rehearsal.tier.machines.values()
    assert "reboot" not in machine.done


def test_an_instance_of_an_image_of_ones_own_logs_in_as_its_ancestor(rehearsal: Rehearsal) -> None:
    ident = make_image(rehearsal)
    instance = run(rehearsal, ident)
    assert rehearsal.tier.machines[instance["InstanceId"]].spec.login == "ubuntu"


def test_a_pending_image_is_finished_after_a_restart(rehearsal: Rehearsal) -> None:
    instance = run(rehearsal, image_of(rehearsal, NOBLE))
    ec2 = rehearsal.client("ec2")
    ident = ec2.create_image(InstanceId=instance["InstanceId"], Name="made")["ImageId"]
    rehearsal.restart()
    rehearsal.advance(2)
    ec2 = rehearsal.client("ec2")
    assert ec2.describe_images(ImageIds=[ident])["Images"][0]["State"] == "available"


def test_names_of_images_are_checked_and_taken_once(rehearsal: Rehearsal) -> None:
    ident = make_image(rehearsal, "taken")
    ec2 = rehearsal.client("ec2")
    [instance] = rehearsal.tier.machines
    assert refusal(ec2.create_image, InstanceId=instance, Name="taken") == (
        "InvalidAMIName.Duplicate",
        f"AMI name taken is already in use by AMI {ident}",
    )
    assert (
        refusal(ec2.create_image, InstanceId=instance, Name="a:b")[0] == "InvalidAMIName.Malformed"
    )


def test_a_deregistered_image_is_unavailable_and_its_name_is_free(rehearsal: Rehearsal) -> None:
    ident = make_image(rehearsal)
    ec2 = rehearsal.client("ec2")
    answer = ec2.deregister_image(ImageId=ident, DeleteAssociatedSnapshots=True)
    assert [one["ReturnCode"] for one in answer["DeleteSnapshotResults"]] == ["success"]
    assert ec2.describe_images(ImageIds=[ident])["Images"] == []
    gone = ("InvalidAMIID.Unavailable", f"The image ID '{ident}' is no longer available")
    assert refusal(ec2.deregister_image, ImageId=ident) == gone
    launch = {"ImageId": ident, "MinCount": 1, "MaxCount": 1}
    assert refusal(ec2.run_instances, **launch) == gone
    assert make_image(rehearsal) != ident


def test_an_image_is_copied_to_another_region(rehearsal: Rehearsal) -> None:
    ident = make_image(rehearsal)
    ec2 = rehearsal.client("ec2", "us-west-2")
    copy = {"SourceImageId": ident, "SourceRegion": "us-east-1", "Name": "copied"}
    made = ec2.copy_image(**copy, ClientToken="once")["ImageId"]
    assert ec2.copy_image(**copy, ClientToken="once")["ImageId"] == made
    rehearsal.advance(2)
    [image] = ec2.describe_images(Owners=["self"])["Images"]
    assert (image["ImageId"], image["State"]) == (made, "available")
    assert (image["SourceImageId"], image["SourceImageRegion"]) == (ident, "us-east-1")
    unknown = {**copy, "SourceImageId": "ami-0123456789abcdef0"}
    assert refusal(ec2.copy_image, **unknown)[0] == "InvalidAMIID.NotFound"


def test_an_image_is_registered_of_a_snapshot(rehearsal: Rehearsal) -> None:
    first = make_image(rehearsal)
    ec2 = rehearsal.client("ec2")
    [image] = ec2.describe_images(ImageIds=[first])["Images"]
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    made = ec2.register_image(
        Name="registered",
        Architecture="x86_64",
        VirtualizationType="hvm",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
    )["ImageId"]
    rehearsal.advance(2)
    [image] = ec2.describe_images(ImageIds=[made])["Images"]
    assert image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 8
    result = ec2.deregister_image(ImageId=first, DeleteAssociatedSnapshots=True)
    assert result["DeleteSnapshotResults"][0]["ReturnCode"] == "skipped"
    nothing = {"Name": "nothing", "RootDeviceName": "/dev/xvda"}
    assert refusal(ec2.register_image, **nothing)[0] == "InvalidBlockDeviceMapping"


def test_launch_permissions_are_given_and_taken(rehearsal: Rehearsal) -> None:
    ident = make_image(rehearsal)
    ec2 = rehearsal.client("ec2")
    permission = {"Add": [{"UserId": "210987654321"}, {"Group": "all"}]}
    ec2.modify_image_attribute(ImageId=ident, LaunchPermission=permission)
    found = ec2.describe_image_attribute(ImageId=ident, Attribute="launchPermission")
    assert found["LaunchPermissions"] == permission["Add"]
    assert ident in [
        one["ImageId"] for one in ec2.describe_images(ExecutableUsers=["all"])["Images"]
    ]
    assert ec2.describe_images(ExecutableUsers=["210987654321"])["Images"][0]["Public"]
    ec2.modify_image_attribute(
        ImageId=ident,
        Attribute="launchPermission",
        OperationType="remove",
        UserGroups=["all"],
    )
    assert not ec2.describe_images(ImageIds=[ident])["Images"][0]["Public"]
    bad = {"ImageId": ident, "LaunchPermission": {"Add": [{"UserId": "me"}]}}
    assert refusal(ec2.modify_image_attribute, **bad)[0] == "InvalidAMIAttributeItemValue"
    ec2.reset_image_attribute(ImageId=ident, Attribute="launchPermission")
    found = ec2.describe_image_attribute(ImageId=ident, Attribute="launchPermission")
    assert found["LaunchPermissions"] == []


def test_the_images_of_others_are_not_changed(rehearsal: Rehearsal) -> None:
    ident = image_of(rehearsal, NOBLE)
    ec2 = rehearsal.client("ec2")
    words = f"Not authorized for image:{ident}"
    assert refusal(ec2.deregister_image, ImageId=ident) == ("AuthFailure", words)
    change = {"ImageId": ident, "Description": {"Value": "mine"}}
    assert refusal(ec2.modify_image_attribute, **change) == ("AuthFailure", words)
    look = {"ImageId": ident, "Attribute": "description"}
    assert refusal(ec2.describe_image_attribute, **look) == ("AuthFailure", words)


def test_an_image_is_disabled_and_deprecated(rehearsal: Rehearsal) -> None:
    ident = make_image(rehearsal)
    ec2 = rehearsal.client("ec2")
    ec2.disable_image(ImageId=ident)
    assert ec2.describe_images(ImageIds=[ident])["Images"] == []
    assert ec2.describe_images(ImageIds=[ident], IncludeDisabled=True)["Images"]
    launch = {"ImageId": ident, "MinCount": 1, "MaxCount": 1}
    assert refusal(ec2.run_instances, **launch)[0] == "InvalidAMIID.Unavailable"
    ec2.enable_image(ImageId=ident)
    ec2.enable_image_deprecation(ImageId=ident, DeprecateAt=rehearsal.jobs.now + 60)
    rehearsal.advance(600)
    assert ec2.describe_images(ImageIds=[ident])["Images"][0]["DeprecationTime"]
