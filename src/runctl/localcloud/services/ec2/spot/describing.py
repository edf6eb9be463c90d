"""What spot requests there are, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import SPOT_REQUEST, find_all, not_found
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.spot.records import KIND
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_LAUNCH = "LaunchSpecification"
_DEVICES = "BlockDeviceMappings"
_FILTERS: Mapping[str, Filter] = {
    "availability-zone-group": path("AvailabilityZoneGroup"),
    "create-time": path("CreateTime"),
    "fault-code": path("Fault", "Code"),
    "fault-message": path("Fault", "Message"),
    "instance-id": path("InstanceId"),
    "launch-group": path("LaunchGroup"),
    "launch.block-device-mapping.delete-on-termination": path(
        _LAUNCH, _DEVICES, "Ebs", "DeleteOnTermination"
    ),
    "launch.block-device-mapping.device-name": path(_LAUNCH, _DEVICES, "DeviceName"),
    "launch.block-device-mapping.snapshot-id": path(_LAUNCH, _DEVICES, "Ebs", "SnapshotId"),
    "launch.block-device-mapping.volume-size": path(_LAUNCH, _DEVICES, "Ebs", "VolumeSize"),
    "launch.block-device-mapping.volume-type": path(_LAUNCH, _DEVICES, "Ebs", "VolumeType"),
    "launch.group-id": path(_LAUNCH, "SecurityGroups", "GroupId"),
    "launch.group-name": path(_LAUNCH, "SecurityGroups", "GroupName"),
    "launch.image-id": path(_LAUNCH, "ImageId"),
    "launch.instance-type": path(_LAUNCH, "InstanceType"),
    "launch.kernel-id": path(_LAUNCH, "KernelId"),
    "launch.key-name": path(_LAUNCH, "KeyName"),
    "launch.monitoring-enabled": path(_LAUNCH, "Monitoring", "Enabled"),
    "launch.ramdisk-id": path(_LAUNCH, "RamdiskId"),
    "launched-availability-zone": path("LaunchedAvailabilityZone"),
    "network-interface.device-index": path(_LAUNCH, "NetworkInterfaces", "DeviceIndex"),
    "network-interface.subnet-id": path(_LAUNCH, "NetworkInterfaces", "SubnetId"),
    "product-description": path("ProductDescription"),
    "spot-instance-request-id": path("SpotInstanceRequestId"),
    "spot-price": path("SpotPrice"),
    "state": path("State"),
    "status-code": path("Status", "Code"),
    "status-message": path("Status", "Message"),
    "type": path("Type"),
    "valid-from": path("ValidFrom"),
    "valid-until": path("ValidUntil"),
}


@operation("ec2", "DescribeSpotInstanceRequests")
def describe_spot_instance_requests(call: Call) -> dict[str, Any]:
    """List spot requests; a new one is seen a moment after it was made, as on AWS."""
    idents = call.get("SpotInstanceRequestIds")
    found = find_all(call, SPOT_REQUEST, idents) if idents else call.table(KIND).values()
    hidden = [one["SpotInstanceRequestId"] for one in found if _is_hidden(call, one)]
    if idents and hidden:
        raise not_found(SPOT_REQUEST, hidden)
    seen = [one for one in found if one["SpotInstanceRequestId"] not in hidden]
    seen = apply(_FILTERS, call.get("Filters"), seen)
    return page(call, "SpotInstanceRequests", seen, sort_by="SpotInstanceRequestId")


def _is_hidden(call: Call, request: Record) -> bool:
    hidden_s = call.cloud.pace.spot_hidden_s if request.get("_IsHidden") else 0.0
    return bool(call.cloud.clock() < request["CreateTime"] + hidden_s)


@operation("ec2", "DescribeSpotDatafeedSubscription")
def describe_spot_datafeed_subscription(call: Call) -> None:
    """There is none, and AWS answers that with an error."""
    del call
    raise AwsError("InvalidSpotDatafeed.NotFound", "Spot datafeed subscription does not exist.")
