"""Spot requests: made by RunInstances and fleets, asked for by themselves, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2 import tokens
from runctl.localcloud.services.ec2.aliases import image_of
from runctl.localcloud.services.ec2.idents import SPOT_REQUEST, edit, find_all, new_id
from runctl.localcloud.services.ec2.images import image_for
from runctl.localcloud.services.ec2.keys import public_key
from runctl.localcloud.services.ec2.spot.options import check_options, check_price
from runctl.localcloud.services.ec2.spot.records import (
    KIND,
    OVER,
    end_request,
    fulfil,
    request_record,
)
from runctl.localcloud.services.ec2.tags import tags_in
from runctl.localcloud.services.ec2.types import type_of
from runctl.localcloud.services.quotas import check_vcpu_quota
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

DEFAULT_TYPE = "m1.small"
_WEEK_S = 7 * 86400.0
# What of a launch is of one launch only, and not to be repeated.
_ONCE = ("ClientToken", "DryRun", "MaxCount", "MinCount", "LaunchTemplate", "InstanceMarketOptions")


def make_spot_request(
    call: Call, instance: Record, options: dict[str, Any], launch: Mapping[str, Any]
) -> str:
    """Make the request of an instance that is being launched; it is fulfilled at once.

    ``options`` have the form of SpotOptions, and have been checked; ``launch`` are the parameters
    that the instance is made of. The instance gets what it has from its request.
    """
    check_price(instance["InstanceType"], call.region, options.get("MaxPrice"))
    ident, now = new_id(SPOT_REQUEST), call.cloud.clock()
    request = request_record(ident, now, options, kind=instance["InstanceType"], region=call.region)
    tags = [*launch.get("_TagSpecifications", []), *launch.get("TagSpecifications", [])]
    request |= {
        "LaunchSpecification": launch_of(instance),
        "Tags": tags_in(tags, SPOT_REQUEST),
        "_Launch": {name: value for name, value in launch.items() if name not in _ONCE},
    }
    fulfil(request, instance, now)
    call.table(KIND).put(ident, request)
    bind(instance, request)
    return ident


def bind(instance: Record, request: Record) -> None:
    """Give an instance what it has from its request."""
    ident = request["SpotInstanceRequestId"]
    instance |= {"SpotInstanceRequestId": ident, "_Spot": ident}
    if request["Type"] == "one-time":  # such an instance cannot be stopped, from inside either
        instance["_Attributes"]["InstanceInitiatedShutdownBehavior"] = "terminate"


def launch_of(instance: Record) -> Record:
    """Return a launch specification as it is described."""
    return {
        "BlockDeviceMappings": [],
        "EbsOptimized": instance["EbsOptimized"],
        "IamInstanceProfile": instance.get("IamInstanceProfile"),
        "ImageId": instance["ImageId"],
        "InstanceType": instance["InstanceType"],
        "KeyName": instance.get("KeyName"),
        "Monitoring": {"Enabled": instance["Monitoring"]["State"] == "enabled"},
        "Placement": {"AvailabilityZone": instance["Placement"]["AvailabilityZone"]},
        "SecurityGroups": instance["SecurityGroups"],
        "SubnetId": instance["SubnetId"],
    }


# ---------------------------------------------------------------- RequestSpotInstances


@operation("ec2", "RequestSpotInstances")
def request_spot_instances(call: Call) -> dict[str, Any]:
    """Ask for spot instances; each request is answered over time."""
    known = tokens.replay(call)
    if known is not None:
        return {"SpotInstanceRequests": find_all(call, SPOT_REQUEST, known.split(" "))}
    options = _options(call)
    check_options(options)
    launch, count = call.get("LaunchSpecification", {}), int(call.get("InstanceCount", 1))
    _check_launch(call, launch, count)
    made = [_add(call, options, launch) for _ in range(count)]
    tokens.remember(call, " ".join(one["SpotInstanceRequestId"] for one in made))
    return {"SpotInstanceRequests": made}


def _options(call: Call) -> dict[str, Any]:
    start, end, now = call.get("ValidFrom"), call.get("ValidUntil"), call.cloud.clock()
    if end is not None and end <= max(start or now, now):
        raise AwsError("InvalidTime", "The validUntil time must be in the future.")
    is_persistent = call.get("Type") == "persistent"
    return {
        "BlockDurationMinutes": call.get("BlockDurationMinutes"),
        "InstanceInterruptionBehavior": call.get("InstanceInterruptionBehavior"),
        "MaxPrice": call.get("SpotPrice"),
        "SpotInstanceType": call.get("Type"),
        "ValidUntil": end or (None if is_persistent else now + _WEEK_S),
    }


def _check_launch(call: Call, launch: dict[str, Any], count: int) -> None:
    """Refuse at once what can be seen to be wrong; the rest shows when it is launched."""
    if count < 1:
        raise AwsError(
            "InvalidParameterValue", f"Value ({count}) for parameter instanceCount is invalid."
        )
    if not launch.get("ImageId"):
        raise AwsError("MissingParameter", "The request must contain the parameter imageId")
    image_for(call, image_of(call, launch["ImageId"]))
    kind = launch.get("InstanceType", DEFAULT_TYPE)
    type_of(kind)
    if launch.get("KeyName"):
        public_key(call, launch["KeyName"])
    check_vcpu_quota(call, kind, True, count)


def _add(call: Call, options: dict[str, Any], launch: dict[str, Any]) -> Record:
    ident = new_id(SPOT_REQUEST)
    kind = launch.get("InstanceType", DEFAULT_TYPE)
    request = request_record(ident, call.cloud.clock(), options, kind=kind, region=call.region)
    request |= {
        "AvailabilityZoneGroup": call.get("AvailabilityZoneGroup"),
        "LaunchGroup": call.get("LaunchGroup"),
        "LaunchSpecification": _told(launch, kind),
        "ValidFrom": call.get("ValidFrom"),
        "Tags": tags_in(call.get("TagSpecifications", []), SPOT_REQUEST),
        "_Launch": launch,
        "_IsHidden": True,
    }
    call.table(KIND).put(ident, request)
    call.settle(KIND, ident)
    return request


def _told(launch: dict[str, Any], kind: str) -> Record:
    groups = [{"GroupId": ident} for ident in launch.get("SecurityGroupIds", [])]
    groups += [{"GroupName": name} for name in launch.get("SecurityGroups", [])]
    shown = {name: value for name, value in launch.items() if name != "UserData"}
    monitoring = launch.get("Monitoring", {"Enabled": False})
    return {**shown, "InstanceType": kind, "Monitoring": monitoring, "SecurityGroups": groups}


# ---------------------------------------------------------------- CancelSpotInstanceRequests


@operation("ec2", "CancelSpotInstanceRequests")
def cancel_spot_instance_requests(call: Call) -> dict[str, Any]:
    """Cancel requests; instances that run go on running, those that are stopped stay so."""
    answer = []
    for ident in call.get("SpotInstanceRequestIds"):
        request = edit(call, SPOT_REQUEST, ident)
        if request["State"] not in OVER:
            _cancel(request, call.cloud.clock())
        answer.append({"SpotInstanceRequestId": ident, "State": request["State"]})
        call.settle(KIND, ident)
    return {"CancelledSpotInstanceRequests": answer}


def _cancel(request: Record, now: float) -> None:
    codes = {
        "active": "request-canceled-and-instance-running",
        "disabled": request["Status"]["Code"],
        "open": "canceled-before-fulfillment",
    }
    end_request(request, "cancelled", codes[request["State"]], now)
