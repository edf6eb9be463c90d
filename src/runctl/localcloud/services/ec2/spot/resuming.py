"""Instances that an interruption has stopped: EC2 starts them again when there is capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.services.ec2.instances.states import begin_again, state_of
from runctl.localcloud.services.ec2.spot.following import follow_start
from runctl.localcloud.services.ec2.spot.options import is_too_low
from runctl.localcloud.services.ec2.spot.records import KIND
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_BY_EC2 = ("instance-stopped-no-capacity", "instance-stopped-by-price")


def resume(cloud: Cloud, region: str, request: Record) -> None:
    """Start the instance of a disabled request, if it was not the user who stopped it."""
    if request["Status"]["Code"] not in _BY_EC2:
        return
    ident, instance_id = request["SpotInstanceRequestId"], request["InstanceId"]
    rest_s = request["_OpenSince"] + cloud.pace.spot_again_s - cloud.clock()
    if rest_s > 0:
        cloud.settle_later(rest_s, KIND, region, ident)
    elif _is_to_be_had(cloud, region, request):
        _start(cloud, region, instance_id)
        cloud.settle_later(0.0, "instance", region, instance_id)
    else:
        cloud.settle_later(cloud.pace.spot_again_s, KIND, region, ident)


def _is_to_be_had(cloud: Cloud, region: str, request: Record) -> bool:
    kind = request["LaunchSpecification"]["InstanceType"]
    zone = request["LaunchedAvailabilityZone"]
    if is_too_low(kind, region, request["_MaxPrice"]):
        return False
    return cloud.faults.capacity(region, zone, kind, is_spot=True) is None


def _start(cloud: Cloud, region: str, ident: str) -> None:
    now = cloud.clock()
    with cloud.records.transaction() as transaction:
        table = transaction.table("instance", region)
        found = table.get(ident)
        if found is not None and state_of(found) == "stopped":
            instance = table.edit(ident)
            begin_again(instance, now)
            follow_start(transaction, region, instance, now)
