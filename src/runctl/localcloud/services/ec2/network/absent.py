"""What the local cloud has none of, and is asked for all the same."""

from __future__ import annotations

import hashlib
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import apply, path
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.wire.errors import AwsError

# By operation: what it lists, by which ids, and what an unknown one is.
_ABSENT = {
    "DescribeAddresses": ("Addresses", "AllocationIds", "InvalidAllocationID.NotFound"),
    "DescribeCapacityReservations": (
        "CapacityReservations",
        "CapacityReservationIds",
        "InvalidCapacityReservationId.NotFound",
    ),
    "DescribeEgressOnlyInternetGateways": (
        "EgressOnlyInternetGateways",
        "EgressOnlyInternetGatewayIds",
        "InvalidEgressOnlyInternetGatewayId.NotFound",
    ),
    "DescribeHosts": ("Hosts", "HostIds", "InvalidHostID.NotFound"),
    "DescribeNatGateways": ("NatGateways", "NatGatewayIds", "NatGatewayNotFound"),
    "DescribePlacementGroups": (
        "PlacementGroups",
        "GroupNames",
        "InvalidPlacementGroup.Unknown",
    ),
    "DescribeReservedInstances": (
        "ReservedInstances",
        "ReservedInstancesIds",
        "InvalidReservedInstancesId",
    ),
    "DescribeTransitGateways": (
        "TransitGateways",
        "TransitGatewayIds",
        "InvalidTransitGatewayID.NotFound",
    ),
    "DescribeVpcEndpoints": ("VpcEndpoints", "VpcEndpointIds", "InvalidVpcEndpointId.NotFound"),
    "DescribeVpcPeeringConnections": (
        "VpcPeeringConnections",
        "VpcPeeringConnectionIds",
        "InvalidVpcPeeringConnectionID.NotFound",
    ),
    "DescribeVpnGateways": ("VpnGateways", "VpnGatewayIds", "InvalidVpnGatewayID.NotFound"),
}


@operation("ec2", *_ABSENT)
def describe_nothing(call: Call) -> dict[str, Any]:
    """List nothing; an id is always of something that does not exist."""
    member, parameter, code = _ABSENT[call.operation]
    if call.get("PublicIps"):
        raise AwsError(
            "InvalidAddress.NotFound", f"Address '{call.get('PublicIps')[0]}' not found."
        )
    if call.get(parameter):
        ident = call.get(parameter)[0]
        raise AwsError(code, f"The ID '{ident}' does not exist")
    return {member: []}


@operation("ec2", "DescribePrefixLists", "DescribeManagedPrefixLists")
def describe_prefix_lists(call: Call) -> dict[str, Any]:
    """List the prefix lists of AWS's own services by their names; what is in them is not known."""
    found = []
    for service in ("dynamodb", "s3"):
        name = f"com.amazonaws.{call.region}.{service}"
        ident = f"pl-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        arn = f"arn:aws:ec2:{call.region}:aws:prefix-list/{ident}"
        told = {"PrefixListId": ident, "PrefixListName": name, "PrefixListArn": arn, "Cidrs": []}
        found.append(
            {**told, "OwnerId": "AWS", "AddressFamily": "IPv4", "State": "create-complete"}
        )
    wanted = call.get("PrefixListIds")
    unknown = [one for one in wanted or () if one not in [each["PrefixListId"] for each in found]]
    if unknown:
        words = f"The prefix list ID '{unknown[0]}' does not exist"
        raise AwsError("InvalidPrefixListID.NotFound", words)
    known = {
        "owner-id": path("OwnerId"),
        "prefix-list-id": path("PrefixListId"),
        "prefix-list-name": path("PrefixListName"),
    }
    found = [one for one in found if not wanted or one["PrefixListId"] in wanted]
    return page(
        call, "PrefixLists", apply(known, call.get("Filters"), found), sort_by="PrefixListId"
    )
