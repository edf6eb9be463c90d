"""The making of instances, for RunInstances, spot requests and fleets alike."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.aliases import image_of
from runctl.localcloud.services.ec2.idents import INSTANCE, new_id
from runctl.localcloud.services.ec2.images import image_for
from runctl.localcloud.services.ec2.instances.states import set_state
from runctl.localcloud.services.ec2.keys import public_key
from runctl.localcloud.services.ec2.network import Placement, place_of
from runctl.localcloud.services.ec2.profiles import profile_for
from runctl.localcloud.services.ec2.tags import tags_in
from runctl.localcloud.services.ec2.types import cpu_options, offered_zones, type_of
from runctl.localcloud.services.ec2.volumes import make_root_and_data_volumes
from runctl.localcloud.services.quotas import check_vcpu_quota
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_USER_DATA_BYTES = 16384
_DEFAULT_TYPE = "m1.small"


def create_instances(
    call: Call,
    parameters: dict[str, Any],
    count: int,
    *,
    is_spot: bool = False,
    spot_request: str | None = None,
) -> list[Record]:
    """Make ``count`` instances of one reservation, pending, or raise what AWS answers.

    ``parameters`` have the form of RunInstances'. ``spot_request`` is the request that they
    fulfil, where there is one already.
    """
    image = _image(call, parameters)
    kind = parameters.get("InstanceType", _DEFAULT_TYPE)
    _check_architecture(type_of(kind), image)
    _check_user_data(parameters.get("UserData", ""))
    is_spot = is_spot or spot_request is not None
    check_vcpu_quota(call, kind, is_spot, count)
    reservation = f"r-{secrets.token_hex(9)[:17]}"
    instances = []
    for index in range(count):
        ident = new_id(INSTANCE)
        place = _place(call, parameters, ident, is_spot=is_spot)
        instance = _record(call, parameters, image, place, ident)
        instance |= {"AmiLaunchIndex": index, "_ReservationId": reservation}
        if is_spot:
            instance |= {"InstanceLifecycle": "spot", "_Spot": spot_request}
        if spot_request is not None:
            instance["SpotInstanceRequestId"] = spot_request
        call.table("instance").put(ident, instance)
        devices = parameters.get("BlockDeviceMappings", [])
        make_root_and_data_volumes(call, instance, image, devices, _specifications(parameters))
        call.settle("instance", ident)
        instances.append(instance)
    return instances


def _image(call: Call, parameters: dict[str, Any]) -> Record:
    if not parameters.get("ImageId"):
        raise AwsError("MissingParameter", "The request must contain the parameter ImageId")
    image = image_for(call, image_of(call, parameters["ImageId"]))
    if image["State"] != "available":
        raise AwsError(
            "InvalidAMIID.Unavailable", f"The image ID '{image['ImageId']}' is not available"
        )
    return image


def _check_architecture(kind: Record, image: Record) -> None:
    supported = kind["ProcessorInfo"]["SupportedArchitectures"]
    if image["Architecture"] not in supported:
        raise AwsError(
            "InvalidParameterValue",
            f"The architecture '{','.join(supported)}' of the specified instance type does not "
            f"match the architecture '{image['Architecture']}' of the specified AMI. Specify an "
            "instance type and an AMI that have matching architectures, and try again. You can "
            "use 'describe-instance-types' or 'describe-images' to discover the architecture of "
            "the instance type or AMI.",
        )


def _check_user_data(text: str) -> None:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise AwsError("InvalidParameterValue", "Invalid BASE64 encoding of user data.") from error
    if len(data) > _USER_DATA_BYTES:
        raise AwsError("InvalidParameterValue", f"User data is limited to {_USER_DATA_BYTES} bytes")


def _place(call: Call, parameters: dict[str, Any], ident: str, *, is_spot: bool) -> Placement:
    kind = parameters.get("InstanceType", _DEFAULT_TYPE)
    zones = offered_zones(call.region, kind)
    if _is_open(parameters):
        parameters = _with_zone(call, parameters, kind, zones, is_spot=is_spot)
    place = place_of(call, parameters, ident)
    if place.zone not in zones:
        raise _unsupported(kind, place.zone, zones)
    fault = call.cloud.faults.capacity(call.region, place.zone, kind, is_spot=is_spot)
    if fault is not None:
        raise fault
    return place


def _is_open(parameters: dict[str, Any]) -> bool:
    """Whether AWS may choose the zone."""
    has_zone = bool(parameters.get("Placement", {}).get("AvailabilityZone"))
    return not (has_zone or parameters.get("SubnetId") or parameters.get("NetworkInterfaces"))


def _with_zone(
    call: Call, parameters: dict[str, Any], kind: str, zones: list[str], *, is_spot: bool
) -> dict[str, Any]:
    faults = call.cloud.faults
    free = [zone for zone in zones if not faults.capacity(call.region, zone, kind, is_spot=is_spot)]
    chosen = (free or zones)[:1]
    if not chosen:
        raise _unsupported(kind, call.region, zones)
    return {
        **parameters,
        "Placement": {**parameters.get("Placement", {}), "AvailabilityZone": chosen[0]},
    }


def _unsupported(kind: str, zone: str, zones: list[str]) -> AwsError:
    return AwsError(
        "Unsupported",
        f"Your requested instance type ({kind}) is not supported in your requested Availability "
        f"Zone ({zone}). Please retry your request by not specifying an Availability Zone or "
        f"choosing {', '.join(zones)}.",
    )


def _record(
    call: Call, parameters: dict[str, Any], image: Record, place: Placement, ident: str
) -> Record:
    now = call.cloud.clock()
    instance = {
        "InstanceId": ident,
        "ImageId": image["ImageId"],
        "InstanceType": parameters.get("InstanceType", _DEFAULT_TYPE),
        "LaunchTime": now,
        "StateTransitionReason": "",
        "ClientToken": parameters.get("ClientToken", ""),
        "ProductCodes": [],
        "Tags": _tags(parameters),
        **_of_image(image),
        **_of_place(parameters, place),
        **_of_options(parameters, image),
        "_OwnerId": call.cloud.account,
        "_UserData": parameters.get("UserData", ""),
        "_Attributes": _attributes(parameters),
        "_RunningSince": None,
        "_PendingSince": now,
        "_Image": {key: value for key, value in image.items() if key.startswith("_")},
    }
    set_state(instance, "pending")
    if parameters.get("KeyName"):
        instance |= {
            "KeyName": parameters["KeyName"],
            "_PublicKey": public_key(call, parameters["KeyName"]),
        }
    if parameters.get("IamInstanceProfile"):
        instance["IamInstanceProfile"] = profile_for(call, parameters["IamInstanceProfile"])
    return instance


def _tags(parameters: dict[str, Any]) -> list[Record]:
    """Return the tags of a template, under those of the call, and those that AWS sets itself."""
    given = tags_in(_specifications(parameters), INSTANCE)
    return [*given, *parameters.get("_SystemTags", [])]


def _specifications(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return [*parameters.get("_TagSpecifications", []), *parameters.get("TagSpecifications", [])]


def _of_image(image: Record) -> Record:
    return {
        "Architecture": image["Architecture"],
        "RootDeviceName": image["RootDeviceName"],
        "RootDeviceType": "ebs",
        "VirtualizationType": "hvm",
        "Hypervisor": "xen",
        "EnaSupport": True,
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "BootMode": image.get("BootMode", "uefi-preferred"),
        "CurrentInstanceBootMode": "uefi",
        "BlockDeviceMappings": [],
    }


def _of_place(parameters: dict[str, Any], place: Placement) -> Record:
    given = parameters.get("Placement", {})
    return {
        "Placement": {
            "GroupName": given.get("GroupName", ""),
            "Tenancy": given.get("Tenancy", "default"),
            "AvailabilityZone": place.zone,
        },
        "SubnetId": place.subnet_id,
        "VpcId": place.vpc_id,
        "PrivateIpAddress": place.private_address,
        "PrivateDnsName": place.private_name,
        "PublicDnsName": place.public_name,
        "PublicIpAddress": place.public_address,
        "SecurityGroups": place.groups,
        "NetworkInterfaces": place.interfaces,
        "SourceDestCheck": True,
    }


def _of_options(parameters: dict[str, Any], image: Record) -> Record:
    is_strict = image.get("ImdsSupport") == "v2.0"
    metadata = {
        "State": "applied",
        "HttpTokens": "required" if is_strict else "optional",
        "HttpPutResponseHopLimit": 2 if is_strict else 1,
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": "disabled",
        **parameters.get("MetadataOptions", {}),
    }
    kind = parameters.get("InstanceType", _DEFAULT_TYPE)
    cpu = parameters.get("CreditSpecification", {}).get("CpuCredits")
    options: Record = {
        "Monitoring": {
            "State": "enabled" if parameters.get("Monitoring", {}).get("Enabled") else "disabled"
        },
        "CpuOptions": {**cpu_options(kind), **parameters.get("CpuOptions", {})},
        "EbsOptimized": bool(parameters.get("EbsOptimized")),
        "MetadataOptions": metadata,
        "HibernationOptions": {"Configured": False},
        "EnclaveOptions": {"Enabled": False},
        "MaintenanceOptions": {"AutoRecovery": "default"},
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
    }
    return options | ({"_CpuCredits": cpu} if cpu else {})


def _attributes(parameters: dict[str, Any]) -> Record:
    return {
        "DisableApiTermination": bool(parameters.get("DisableApiTermination")),
        "DisableApiStop": bool(parameters.get("DisableApiStop")),
        "InstanceInitiatedShutdownBehavior": parameters.get(
            "InstanceInitiatedShutdownBehavior", "stop"
        ),
    }
