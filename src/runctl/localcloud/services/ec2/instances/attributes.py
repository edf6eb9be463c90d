"""Attributes of instances: termination protection, shutdown behaviour, metadata options."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.data import instance_type
from runctl.localcloud.services.ec2.idents import INSTANCE, VOLUME, edit, find
from runctl.localcloud.services.ec2.instances.states import check_state
from runctl.localcloud.services.ec2.types import cpu_options, type_of
from runctl.localcloud.services.ec2.volumes.records import attachment_to
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_PLAIN = {
    "disableApiStop": "DisableApiStop",
    "disableApiTermination": "DisableApiTermination",
    "instanceInitiatedShutdownBehavior": "InstanceInitiatedShutdownBehavior",
}
_FROM_RECORD: dict[str, tuple[str, Callable[[Record], Any]]] = {
    "blockDeviceMapping": ("BlockDeviceMappings", lambda i: i["BlockDeviceMappings"]),
    "ebsOptimized": ("EbsOptimized", lambda i: {"Value": i["EbsOptimized"]}),
    "enaSupport": ("EnaSupport", lambda i: {"Value": i["EnaSupport"]}),
    "groupSet": ("Groups", lambda i: i["SecurityGroups"]),
    "instanceType": ("InstanceType", lambda i: {"Value": i["InstanceType"]}),
    "kernel": ("KernelId", lambda _: {}),
    "productCodes": ("ProductCodes", lambda _: []),
    "ramdisk": ("RamdiskId", lambda _: {}),
    "rootDeviceName": ("RootDeviceName", lambda i: {"Value": i["RootDeviceName"]}),
    "sourceDestCheck": ("SourceDestCheck", lambda i: {"Value": i["SourceDestCheck"]}),
    "sriovNetSupport": ("SriovNetSupport", lambda _: {}),
    "userData": ("UserData", lambda i: {"Value": i["_UserData"]} if i["_UserData"] else {}),
}


@operation("ec2", "DescribeInstanceAttribute")
def describe_instance_attribute(call: Call) -> dict[str, Any]:
    """Return one attribute of one instance."""
    instance = find(call, INSTANCE, call.get("InstanceId"))
    name = call.get("Attribute")
    answer = {"InstanceId": instance["InstanceId"]}
    if name in _PLAIN:
        return answer | {_PLAIN[name]: {"Value": instance["_Attributes"][_PLAIN[name]]}}
    if name not in _FROM_RECORD:
        raise AwsError("UnsupportedOperation", f"The attribute {name} is not supported.")
    member, read = _FROM_RECORD[name]
    return answer | {member: read(instance)}


@operation("ec2", "ModifyInstanceAttribute")
def modify_instance_attribute(call: Call) -> None:
    """Change one attribute of one instance."""
    instance = edit(call, INSTANCE, call.get("InstanceId"))
    changes = _changes(call)
    for name, value in changes.items():
        _CHANGES[name](call, instance, value)
    if not changes:
        raise AwsError("InvalidParameterCombination", "No attributes specified.")


def _changes(call: Call) -> dict[str, Any]:
    found = {name: _plain_value(call.get(name)) for name in _CHANGES if call.get(name) is not None}
    name = call.get("Attribute")
    if name is not None and call.get("Value") is not None:
        found[name[:1].upper() + name[1:]] = call.get("Value")
    return {name: value for name, value in found.items() if name in _CHANGES}


def _plain_value(value: Any) -> Any:
    return value["Value"] if isinstance(value, dict) and "Value" in value else value


def _set_flag(name: str) -> Callable[[Call, Record, Any], None]:
    def change(call: Call, instance: Record, value: Any) -> None:
        del call
        instance["_Attributes"][name] = value in (True, "true")

    return change


def _set_behaviour(call: Call, instance: Record, value: Any) -> None:
    del call
    if value not in ("stop", "terminate"):
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({value}) for parameter instanceInitiatedShutdownBehavior is invalid.",
        )
    instance["_Attributes"]["InstanceInitiatedShutdownBehavior"] = value


def _set_type(call: Call, instance: Record, value: Any) -> None:
    del call
    check_state(instance, "stopped", verb="modified")
    if instance_type(value) is None:
        raise AwsError(
            "InvalidInstanceAttributeValue", f"Invalid value '{value}' for the instance type."
        )
    instance |= {"CpuOptions": cpu_options(value), "InstanceType": value}


def _set_user_data(call: Call, instance: Record, value: Any) -> None:
    del call
    check_state(instance, "stopped", verb="modified")
    instance["_UserData"] = base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _set_groups(call: Call, instance: Record, value: Any) -> None:
    table = call.table("security-group")
    groups = [table.get(ident) for ident in value]
    if None in groups:
        raise AwsError("InvalidGroup.NotFound", f"The security groups {value} do not exist")
    told = [
        {"GroupId": group["GroupId"], "GroupName": group["GroupName"]} for group in groups if group
    ]
    instance["SecurityGroups"] = told
    for interface in instance["NetworkInterfaces"]:
        interface["Groups"] = told


def _set_devices(call: Call, instance: Record, value: Any) -> None:
    known = {one["DeviceName"]: one for one in instance["BlockDeviceMappings"]}
    for change in value:
        if change["DeviceName"] not in known:
            raise AwsError(
                "InvalidInstanceAttributeValue",
                f"No device is currently mapped at {change['DeviceName']}",
            )
        ebs = known[change["DeviceName"]]["Ebs"]
        is_deleted = change.get("Ebs", {}).get("DeleteOnTermination")
        if is_deleted is not None:
            ebs["DeleteOnTermination"] = is_deleted
            attachment = attachment_to(edit(call, VOLUME, ebs["VolumeId"]), instance["InstanceId"])
            if attachment is not None:
                attachment["DeleteOnTermination"] = is_deleted


def _set_member(name: str) -> Callable[[Call, Record, Any], None]:
    def change(call: Call, instance: Record, value: Any) -> None:
        del call
        instance[name] = value in (True, "true")

    return change


_CHANGES: dict[str, Callable[[Call, Record, Any], None]] = {
    "BlockDeviceMappings": _set_devices,
    "DisableApiStop": _set_flag("DisableApiStop"),
    "DisableApiTermination": _set_flag("DisableApiTermination"),
    "EbsOptimized": _set_member("EbsOptimized"),
    "EnaSupport": _set_member("EnaSupport"),
    "Groups": _set_groups,
    "InstanceInitiatedShutdownBehavior": _set_behaviour,
    "InstanceType": _set_type,
    "SourceDestCheck": _set_member("SourceDestCheck"),
    "UserData": _set_user_data,
}


@operation("ec2", "ModifyInstanceMetadataOptions")
def modify_instance_metadata_options(call: Call) -> dict[str, Any]:
    """Change how the metadata of one instance may be read."""
    instance = edit(call, INSTANCE, call.get("InstanceId"))
    options = instance["MetadataOptions"]
    for name in (*options, "InstanceMetadataTags"):
        if call.get(name) is not None:
            options[name] = call.get(name)
    return {"InstanceId": instance["InstanceId"], "InstanceMetadataOptions": options}


@operation("ec2", "DescribeInstanceCreditSpecifications")
def describe_instance_credit_specifications(call: Call) -> dict[str, Any]:
    """Say how burstable instances are paid; others have none."""
    found = [find(call, INSTANCE, ident) for ident in call.get("InstanceIds", [])]
    specifications = [
        {"InstanceId": one["InstanceId"], "CpuCredits": one.get("_CpuCredits", "unlimited")}
        for one in found
        if type_of(one["InstanceType"]).get("BurstablePerformanceSupported")
    ]
    return {"InstanceCreditSpecifications": specifications}


@operation("ec2", "MonitorInstances", "UnmonitorInstances")
def monitor_instances(call: Call) -> dict[str, Any]:
    """Switch detailed monitoring, which changes nothing here but the word."""
    word = "enabled" if call.operation == "MonitorInstances" else "disabled"
    changed = [edit(call, INSTANCE, ident) for ident in call.get("InstanceIds", [])]
    for instance in changed:
        instance["Monitoring"] = {"State": word}
    return {
        "InstanceMonitorings": [
            {"InstanceId": one["InstanceId"], "Monitoring": one["Monitoring"]} for one in changed
        ]
    }
