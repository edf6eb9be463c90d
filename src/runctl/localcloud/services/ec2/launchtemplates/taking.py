"""GetLaunchTemplateData: the template of which an instance could have been made."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import INSTANCE, find
from runctl.localcloud.state.records import Record

_SAME = ("EbsOptimized", "ImageId", "InstanceType", "KeyName")
_WITH_IOPS = ("gp3", "io1", "io2")
_OPTIONS = ("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "InstanceMetadataTags")


@operation("ec2", "GetLaunchTemplateData")
def get_launch_template_data(call: Call) -> dict[str, Any]:
    """Return what would launch such an instance again."""
    instance = find(call, INSTANCE, call.get("InstanceId"))
    data = {name: instance.get(name) for name in _SAME}
    profile = instance.get("IamInstanceProfile")
    attributes = instance["_Attributes"]
    data |= {
        "BlockDeviceMappings": _devices(call, instance),
        "DisableApiStop": attributes["DisableApiStop"],
        "DisableApiTermination": attributes["DisableApiTermination"],
        "IamInstanceProfile": {"Arn": profile["Arn"]} if profile else None,
        "InstanceInitiatedShutdownBehavior": attributes["InstanceInitiatedShutdownBehavior"],
        "MetadataOptions": {name: instance["MetadataOptions"].get(name) for name in _OPTIONS},
        "Monitoring": {"Enabled": instance["Monitoring"]["State"] == "enabled"},
        "NetworkInterfaces": [_interface(one) for one in instance["NetworkInterfaces"]],
        "Placement": instance["Placement"],
        "TagSpecifications": _tags(instance),
        "UserData": instance["_UserData"] or None,
    }
    return {"LaunchTemplateData": data}


def _devices(call: Call, instance: Record) -> list[Record]:
    volumes = call.table("volume")
    return [
        {
            "DeviceName": one["DeviceName"],
            "Ebs": {
                "DeleteOnTermination": one["Ebs"]["DeleteOnTermination"],
                **_disk(volumes.get(one["Ebs"]["VolumeId"]) or {}),
            },
        }
        for one in instance["BlockDeviceMappings"]
    ]


def _disk(volume: Record) -> Record:
    names = ["SnapshotId", "VolumeType"]
    names += ["Iops"] if volume.get("VolumeType") in _WITH_IOPS else []
    names += ["Throughput"] if volume.get("VolumeType") == "gp3" else []
    same = {name: volume.get(name) or None for name in names}
    return same | {"Encrypted": bool(volume.get("Encrypted")), "VolumeSize": volume.get("Size")}


def _interface(interface: Record) -> Record:
    attachment = interface["Attachment"]
    return {
        "AssociatePublicIpAddress": bool(interface.get("Association")),
        "DeleteOnTermination": attachment["DeleteOnTermination"],
        "Description": interface.get("Description"),
        "DeviceIndex": attachment["DeviceIndex"],
        "Groups": [group["GroupId"] for group in interface["Groups"]],
        "InterfaceType": interface["InterfaceType"],
        "SubnetId": interface["SubnetId"],
    }


def _tags(instance: Record) -> list[Record]:
    own = [tag for tag in instance.get("Tags", []) if not tag["Key"].startswith("aws:")]
    return [{"ResourceType": "instance", "Tags": own}] if own else []
