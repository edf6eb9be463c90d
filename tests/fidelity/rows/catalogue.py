"""What is offered: regions, zones, instance types, images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import code_of

NOWHERE = "ami-0123456789abcdef0"
CODES = "Error codes for the Amazon EC2 API"
NEWEST = "al2023-ami-2023.*-kernel-6.1-x86_64"
Check = Callable[[Any], object]


def refused(
    says: str, call: str, parameters: Parameters, code: str, words: str = "", source: str = CODES
) -> Row:
    return Row(says, "ec2", call, parameters, Refused(code, words), source)


def regions(says: str, parameters: Parameters, check: Check) -> Row:
    outcome = Answered(lambda answer: check(answer["Regions"]))
    return Row(says, "ec2", "describe_regions", parameters, outcome, "DescribeRegions")


def zones(says: str, parameters: Parameters, check: Check) -> Row:
    outcome = Answered(lambda answer: check(answer["AvailabilityZones"]))
    source = "DescribeAvailabilityZones"
    return Row(says, "ec2", "describe_availability_zones", parameters, outcome, source)


def types(says: str, parameters: Parameters, check: Check) -> Row:
    outcome = Answered(lambda answer: check(answer["InstanceTypes"]))
    return Row(says, "ec2", "describe_instance_types", parameters, outcome, "DescribeInstanceTypes")


def offerings(says: str, parameters: Parameters, check: Check) -> Row:
    outcome = Answered(lambda answer: check(answer["InstanceTypeOfferings"]))
    source = "DescribeInstanceTypeOfferings"
    return Row(says, "ec2", "describe_instance_type_offerings", parameters, outcome, source)


def images(says: str, parameters: Parameters, check: Check) -> Row:
    outcome = Answered(lambda answer: check(answer["Images"]))
    return Row(says, "ec2", "describe_images", parameters, outcome, "DescribeImages")


def of_type(name: str, check: Check) -> Row:
    return types(
        f"{name} is what the documentation says", {"InstanceTypes": [name]}, lambda f: check(f[0])
    )


def by(name: str, *values: str, **more: Any) -> dict[str, Any]:
    return {"Filters": [{"Name": name, "Values": list(values)}], **more}


def both(*filters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"Filters": [one for part in filters for one in part["Filters"]], **more}


def every(member: str, value: object) -> Check:
    """Something was found, and this holds for all of it."""
    return lambda found: bool(found) and all(one[member] == value for one in found)


def names(found: Any, member: str = "InstanceType") -> set[str]:
    return {one[member] for one in found}


REGIONS = [
    regions("a region has an endpoint", {"RegionNames": ["us-east-1"]},
            lambda f: f[0]["Endpoint"] == "ec2.us-east-1.amazonaws.com"),
    regions("us-east-1 needs no opting in", {"RegionNames": ["us-east-1"]},
            every("OptInStatus", "opt-in-not-required")),
    regions("all regions are more than the enabled ones", {"AllRegions": True},
            lambda f: {"me-south-1", "af-south-1", "eu-central-1"} <= names(f, "RegionName")),
    regions("regions are found by name with wildcards", by("region-name", "us-west-?"),
            lambda f: names(f, "RegionName") == {"us-west-1", "us-west-2"}),
    regions("regions are found by their opt-in status",
            by("opt-in-status", "opt-in-not-required"),
            every("OptInStatus", "opt-in-not-required")),
    refused("an unknown region is an invalid parameter", "describe_regions",
            {"RegionNames": ["nowhere-1"]}, "InvalidParameterValue", "nowhere-1"),
    refused("an unknown filter of regions is an invalid parameter", "describe_regions",
            by("colour", "red"), "InvalidParameterValue", "The filter 'colour' is invalid"),
    refused("describing regions can be rehearsed", "describe_regions", {"DryRun": True},
            "DryRunOperation", "Request would have succeeded", "DryRun"),
    zones("zones are those of the region", by("zone-type", "availability-zone"),
          lambda f: len({one["RegionName"] for one in f}) == 1),
    zones("a zone has an id that is the same for all accounts",
          by("zone-type", "availability-zone"),
          lambda f: all("-az" in one["ZoneId"] for one in f)),
    zones("zones are found by state", by("state", "available"), every("State", "available")),
    zones("a zone belongs to a group", by("zone-type", "availability-zone"),
          lambda f: all(one["GroupName"] == f"{one['RegionName']}-zg-1" for one in f)),
    zones("a zone needs no opting in", by("zone-type", "availability-zone"),
          every("OptInStatus", "opt-in-not-required")),
    refused("an unknown zone is an invalid parameter", "describe_availability_zones",
            {"ZoneNames": ["us-east-1z"]}, "InvalidParameterValue", "us-east-1z"),
]  # fmt: skip

TYPES = [
    of_type("t3.micro", lambda one: one["VCpuInfo"]["DefaultVCpus"] == 2
            and one["MemoryInfo"]["SizeInMiB"] == 1024 and one["BurstablePerformanceSupported"]),
    of_type("m5.large", lambda one: one["MemoryInfo"]["SizeInMiB"] == 8192
            and one["Hypervisor"] == "nitro" and not one["InstanceStorageSupported"]),
    of_type("g5.xlarge", lambda one: one["GpuInfo"]["Gpus"][0]["Name"] == "A10G"
            and one["InstanceStorageInfo"]["TotalSizeInGB"] == 250),
    of_type("t4g.micro", lambda one: one["ProcessorInfo"]["SupportedArchitectures"] == ["arm64"]),
    types("types are found by name with wildcards", by("instance-type", "t3.mi*"),
          lambda f: names(f) == {"t3.micro"}),
    types("several values of a filter are alternatives",
          by("instance-type", "t3.micro", "m5.large"),
          lambda f: names(f) == {"t3.micro", "m5.large"}),
    types("several filters have all to match",
          both(by("instance-type", "t3.*"), by("vcpu-info.default-vcpus", "8")),
          lambda f: names(f) == {"t3.2xlarge"}),
    types("types are found by memory",
          both(by("instance-type", "t3.*"), by("memory-info.size-in-mib", "512")),
          lambda f: names(f) == {"t3.nano"}),
    types("types are found by architecture",
          both(by("instance-type", "t*.micro"),
               by("processor-info.supported-architecture", "arm64")),
          lambda f: "t4g.micro" in names(f) and "t3.micro" not in names(f)),
    types("types are found by whether they have local disks",
          both(by("instance-type", "m5*.large"), by("instance-storage-supported", "true")),
          lambda f: "m5d.large" in names(f) and "m5.large" not in names(f)),
    types("types are found by their baseline of EBS",
          both(by("instance-type", "m5.large"), by("ebs-info.nvme-support", "required")),
          lambda f: names(f) == {"m5.large"}),
    types("a page of types is as long as it is asked to be", {"MaxResults": 5},
          lambda f: len(f) == 5),
    types("a page of types is a hundred long at most", {}, lambda f: len(f) <= 100),
    refused("unknown types are named", "describe_instance_types",
            {"InstanceTypes": ["t3.micro", "t9.micro"]}, "InvalidInstanceType",
            "The following supplied instance types do not exist: [t9.micro]"),
    refused("an unknown filter of types is an invalid parameter", "describe_instance_types",
            by("colour", "red"), "InvalidParameterValue", "The filter 'colour' is invalid"),
    refused("describing types can be rehearsed", "describe_instance_types", {"DryRun": True},
            "DryRunOperation", "", "DryRun"),
    offerings("offerings are the region's by default",
              lambda w: by("instance-type", "t3.micro"), every("LocationType", "region")),
    offerings("offerings by zone name zones",
              by("instance-type", "t3.micro", LocationType="availability-zone"),
              lambda f: len(f) >= 2 and all(one["Location"][-1].isalpha() for one in f)),
    offerings("offerings by zone id name ids",
              by("instance-type", "t3.micro", LocationType="availability-zone-id"),
              lambda f: bool(f) and all("-az" in one["Location"] for one in f)),
    offerings("offerings of a place are found by it",
              lambda w: both(by("location", f"{w.region}a"), by("instance-type", "m5.*"),
                             LocationType="availability-zone"),
              lambda f: len({one["Location"] for one in f}) == 1),
    offerings("a type that nobody has is offered nowhere", by("instance-type", "t9.micro"),
              lambda f: f == []),
]  # fmt: skip

IMAGES = [
    refused("an image id begins with ami-", "describe_images", {"ImageIds": ["image"]},
            "InvalidAMIID.Malformed", 'Invalid id: "image"'),
    refused("an unknown image is not found", "describe_images", {"ImageIds": [NOWHERE]},
            "InvalidAMIID.NotFound", f"The image id '[{NOWHERE}]' does not exist"),
    refused("an unknown image is not launched", "run_instances",
            {"ImageId": NOWHERE, "MinCount": 1, "MaxCount": 1}, "InvalidAMIID.NotFound",
            f"The image id '[{NOWHERE}]' does not exist"),
    refused("an unknown type is not launched",  "run_instances",
            lambda w: {"ImageId": w.image, "InstanceType": "t9.micro", "MinCount": 1,
                       "MaxCount": 1},
            "InvalidParameterValue", "t9.micro"),
    refused("an unknown filter of images is an invalid parameter", "describe_images",
            by("colour", "red"), "InvalidParameterValue", "The filter 'colour' is invalid"),
    refused("an image of an unknown instance is not made", "create_image",
            {"InstanceId": "i-0123456789abcdef0", "Name": "nothing"},
            "InvalidInstanceID.NotFound"),
    refused("an image's name has no colon", "create_image",
            lambda w: {"InstanceId": w.instance, "Name": "a:b:c", "NoReboot": True},
            "InvalidAMIName.Malformed", "between 3 and 128 characters"),
    refused("an unknown image is not deregistered", "deregister_image", {"ImageId": NOWHERE},
            "InvalidAMIID.NotFound"),
    refused("an unknown image is not copied", "copy_image",
            lambda w: {"SourceImageId": NOWHERE, "SourceRegion": w.region, "Name": "nothing"},
            "InvalidAMIID.NotFound"),
    refused("another's image is not deregistered", "deregister_image",
            lambda w: {"ImageId": w.image}, "AuthFailure", "Not authorized for image"),
    refused("another's image is not changed", "modify_image_attribute",
            lambda w: {"ImageId": w.image, "Description": {"Value": "mine"}},
            "AuthFailure", "Not authorized for image"),
    refused("another's launch permissions are not told", "describe_image_attribute",
            lambda w: {"ImageId": w.image, "Attribute": "launchPermission"},
            "AuthFailure", "Not authorized for image"),
    images("images of Amazon Linux are Amazon's", lambda w: {"ImageIds": [w.image]},
           every("ImageOwnerAlias", "amazon")),
    images("Amazon Linux 2023 is published with IMDSv2 only", lambda w: {"ImageIds": [w.image]},
           every("ImdsSupport", "v2.0")),
    images("the root of Amazon Linux is /dev/xvda", lambda w: {"ImageIds": [w.image]},
           every("RootDeviceName", "/dev/xvda")),
    images("a public image says so", lambda w: {"ImageIds": [w.image]}, every("Public", True)),
    images("an image has a snapshot for its root", lambda w: {"ImageIds": [w.image]},
           lambda f: f[0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"].startswith("snap-")),
    images("images are found by name with wildcards", by("name", NEWEST, Owners=["amazon"]),
           every("Architecture", "x86_64")),
    images("the images of Ubuntu are Canonical's",
           by("name", "ubuntu/images/hvm-ssd*/ubuntu-*-24.04-amd64-server-*",
              Owners=["099720109477"]), every("OwnerId", "099720109477")),
    images("the root of Ubuntu is /dev/sda1",
           by("name", "ubuntu/images/hvm-ssd*/ubuntu-*-24.04-amd64-server-*",
              Owners=["099720109477"]), every("RootDeviceName", "/dev/sda1")),
    images("Deep Learning AMIs are found by name",
           by("name", "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) *",
              Owners=["amazon"]), every("State", "available")),
    images("images are found by architecture and owner",
           both(by("name", "al2023-ami-2023.*"), by("architecture", "arm64"), Owners=["amazon"]),
           every("Architecture", "arm64")),
    images("images that nobody owns are not found",
           by("name", NEWEST, Owners=["210987654321"]), lambda f: f == []),
    images("public images may be launched by all",
           by("name", NEWEST, Owners=["amazon"], ExecutableUsers=["all"]), every("Public", True)),
    images("a public image is not launched by special permission",
           by("name", NEWEST, ExecutableUsers=["self"]), lambda f: f == []),
]  # fmt: skip

ROWS = REGIONS + TYPES + IMAGES


def an_image_is_made_and_taken_away(world: World) -> None:
    ec2, name = world.client("ec2"), world.name("fidelity")
    ident = ec2.create_image(
        InstanceId=world.instance,
        Name=name,
        NoReboot=True,
        TagSpecifications=world.tags("image") + world.tags("snapshot"),
    )["ImageId"]
    [image] = ec2.describe_images(ImageIds=[ident])["Images"]
    assert (image["Name"], image["Public"]) == (name, False)
    assert image["SourceInstanceId"] == world.instance
    ec2.get_waiter("image_available").wait(ImageIds=[ident])
    [image] = ec2.describe_images(Owners=["self"], **by("name", name))["Images"]
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    again = {"InstanceId": world.instance, "Name": name, "NoReboot": True}
    assert code_of(ec2.create_image, **again) == "InvalidAMIName.Duplicate"
    assert code_of(ec2.delete_snapshot, SnapshotId=snapshot) == "InvalidSnapshot.InUse"
    ec2.deregister_image(ImageId=ident)
    ec2.delete_snapshot(SnapshotId=snapshot)


def launch_permissions_are_given_and_taken(world: World) -> None:
    ec2 = world.client("ec2")
    ident = ec2.copy_image(
        SourceImageId=world.image,
        SourceRegion=world.region,
        Name=world.name("fidelity"),
        TagSpecifications=world.tags("image") + world.tags("snapshot"),
    )["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[ident])
    [image] = ec2.describe_images(ImageIds=[ident])["Images"]
    assert image["OwnerId"] == world.account
    shared = {"UserId": "210987654321"}
    ec2.modify_image_attribute(ImageId=ident, LaunchPermission={"Add": [shared]})
    asked = {"ImageId": ident, "Attribute": "launchPermission"}
    assert ec2.describe_image_attribute(**asked)["LaunchPermissions"] == [shared]
    bad = {"ImageId": ident, "LaunchPermission": {"Add": [{"UserId": "me"}]}}
    assert code_of(ec2.modify_image_attribute, **bad) == "InvalidAMIAttributeItemValue"
    ec2.reset_image_attribute(**asked)
    assert ec2.describe_image_attribute(**asked)["LaunchPermissions"] == []
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.deregister_image(ImageId=ident)
    ec2.delete_snapshot(SnapshotId=snapshot)


STORIES = [
    Story(
        "an image of an instance is pending, then available; its name and snapshot are taken",
        an_image_is_made_and_taken_away,
        "CreateImage",
    ),
    Story(
        "launch permissions of a copied image are given and taken",
        launch_permissions_are_given_and_taken,
        "ModifyImageAttribute",
    ),
]
