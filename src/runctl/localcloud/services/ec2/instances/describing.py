"""What instances are like: by id, by filter, by status, by attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import INSTANCE, find_all
from runctl.localcloud.services.ec2.instances.states import state_of
from runctl.localcloud.services.ec2.instances.telling import told
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_INTERFACE = "NetworkInterfaces"
FILTERS: Mapping[str, Filter] = {
    "affinity": path("Placement", "Affinity"),
    "architecture": path("Architecture"),
    "availability-zone": path("Placement", "AvailabilityZone"),
    "block-device-mapping.attach-time": path("BlockDeviceMappings", "Ebs", "AttachTime"),
    "block-device-mapping.delete-on-termination": path(
        "BlockDeviceMappings", "Ebs", "DeleteOnTermination"
    ),
    "block-device-mapping.device-name": path("BlockDeviceMappings", "DeviceName"),
    "block-device-mapping.status": path("BlockDeviceMappings", "Ebs", "Status"),
    "block-device-mapping.volume-id": path("BlockDeviceMappings", "Ebs", "VolumeId"),
    "client-token": path("ClientToken"),
    "dns-name": path("PublicDnsName"),
    "hypervisor": path("Hypervisor"),
    "iam-instance-profile.arn": path("IamInstanceProfile", "Arn"),
    "iam-instance-profile.id": path("IamInstanceProfile", "Id"),
    "image-id": path("ImageId"),
    "instance-id": path("InstanceId"),
    "instance-lifecycle": path("InstanceLifecycle"),
    "instance-state-code": path("State", "Code"),
    "instance-state-name": path("State", "Name"),
    "instance-type": path("InstanceType"),
    "instance.group-id": path("SecurityGroups", "GroupId"),
    "instance.group-name": path("SecurityGroups", "GroupName"),
    "ip-address": path("PublicIpAddress"),
    "key-name": path("KeyName"),
    "launch-index": path("AmiLaunchIndex"),
    "metadata-options.http-tokens": path("MetadataOptions", "HttpTokens"),
    "monitoring-state": path("Monitoring", "State"),
    "network-interface.group-id": path(_INTERFACE, "Groups", "GroupId"),
    "network-interface.network-interface-id": path(_INTERFACE, "NetworkInterfaceId"),
    "network-interface.subnet-id": path(_INTERFACE, "SubnetId"),
    "network-interface.vpc-id": path(_INTERFACE, "VpcId"),
    "owner-id": path("_OwnerId"),
    "placement-group-name": path("Placement", "GroupName"),
    "platform-details": path("PlatformDetails"),
    "private-dns-name": path("PrivateDnsName"),
    "private-ip-address": path("PrivateIpAddress"),
    "reason": path("StateTransitionReason"),
    "requester-id": path("_RequesterId"),
    "reservation-id": path("_ReservationId"),
    "root-device-name": path("RootDeviceName"),
    "root-device-type": path("RootDeviceType"),
    "source-dest-check": path("SourceDestCheck"),
    "spot-instance-request-id": path("SpotInstanceRequestId"),
    "state-reason-code": path("StateReason", "Code"),
    "state-reason-message": path("StateReason", "Message"),
    "subnet-id": path("SubnetId"),
    "tenancy": path("Placement", "Tenancy"),
    "virtualization-type": path("VirtualizationType"),
    "vpc-id": path("VpcId"),
}


@operation("ec2", "DescribeInstances")
def describe_instances(call: Call) -> dict[str, Any]:
    """List instances by reservation."""
    found = apply(FILTERS, call.get("Filters"), [told(one) for one in _named(call)])
    if call.get("InstanceIds") and call.get("MaxResults"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        )
    answer = page(call, "Reservations", found, sort_by="InstanceId")
    return {**answer, "Reservations": reservations_of(answer["Reservations"])}


def reservations_of(instances: list[Record]) -> list[Record]:
    """Put instances that were launched together in one reservation."""
    found: dict[str, Record] = {}
    for instance in instances:
        ident = instance["_ReservationId"]
        empty = {"ReservationId": ident, "OwnerId": instance["_OwnerId"], "Instances": []}
        if "_RequesterId" in instance:
            empty["RequesterId"] = instance["_RequesterId"]
        found.setdefault(ident, empty)["Instances"].append(instance)
    return list(found.values())


def _named(call: Call) -> list[Record]:
    idents = call.get("InstanceIds")
    return find_all(call, INSTANCE, idents) if idents else call.table("instance").values()


@operation("ec2", "DescribeInstanceStatus")
def describe_instance_status(call: Call) -> dict[str, Any]:
    """List states and checks: of running instances, unless all are asked for."""
    found = [
        instance
        for instance in _named(call)
        if call.get("IncludeAllInstances") or state_of(instance) == "running"
    ]
    statuses = [_status_of(call.cloud, instance) for instance in found]
    statuses = apply(_STATUS_FILTERS, call.get("Filters"), statuses)
    return page(call, "InstanceStatuses", statuses, sort_by="InstanceId")


def _status_of(cloud: Cloud, instance: Record) -> Record:
    return {
        "InstanceId": instance["InstanceId"],
        "AvailabilityZone": instance["Placement"]["AvailabilityZone"],
        "InstanceState": instance["State"],
        "InstanceStatus": _check(cloud, instance),
        "SystemStatus": _check(cloud, instance, is_of_system=True),
        "Events": instance.get("_Events", []),
        "Tags": instance.get("Tags", []),
    }


def _check(cloud: Cloud, instance: Record, *, is_of_system: bool = False) -> Record:
    """Return a status check: an instance that cannot be heard fails its own, not the host's."""
    since = instance.get("_RunningSince")
    if state_of(instance) != "running" or since is None:
        return {"Status": "not-applicable"}
    silent_since = None if is_of_system else cloud.faults.cut_off_since(instance["InstanceId"])
    if silent_since is not None:
        return _found("impaired", "failed", silent_since)
    if cloud.clock() - since < cloud.pace.checks_s:
        return _found("initializing", "initializing")
    return _found("ok", "passed")


def _found(status: str, reachability: str, since: float | None = None) -> Record:
    detail = {"Name": "reachability", "Status": reachability, "ImpairedSince": since}
    return {"Status": status, "Details": [detail]}


_STATUS_FILTERS: Mapping[str, Filter] = {
    "availability-zone": path("AvailabilityZone"),
    "event.code": path("Events", "Code"),
    "instance-state-code": path("InstanceState", "Code"),
    "instance-state-name": path("InstanceState", "Name"),
    "instance-status.reachability": path("InstanceStatus", "Details", "Status"),
    "instance-status.status": path("InstanceStatus", "Status"),
    "system-status.reachability": path("SystemStatus", "Details", "Status"),
    "system-status.status": path("SystemStatus", "Status"),
}
