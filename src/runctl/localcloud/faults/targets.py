"""Whether there is anything that a fault can hit: otherwise a slip would never be noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.faults.orders import MACHINE_EFFECTS, Order, OrderRefused, matches
from runctl.localcloud.machines.results import Feature, State
from runctl.localcloud.wire.models import NAMES, operations_of

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_SERVICES = (*NAMES, "s3")
_OF_ONE = {"hide": "ec2", "truncate": "s3"}


def check_calls(order: Order) -> None:
    """Raise ``OrderRefused`` for a fault of calls that there are not."""
    services = [one for one in _SERVICES if matches(_OF_ONE.get(order.effect, order.service), one)]
    if not services:
        raise OrderRefused(f"there is no service {order.service}, but {', '.join(_SERVICES)}")
    if order.bucket is not None or order.key is not None:
        services = _only_s3(order, services)
    if services == ["s3"] and order.region is not None:
        raise OrderRefused("a fault of s3 takes no region: a bucket answers in all of them")
    if order.operation is not None and not _is_known(order, services):
        named = services[0] if len(services) == 1 else "no service"
        verb = "has no" if len(services) == 1 else "has an"
        what = "describing operation" if order.effect == "hide" else "operation"
        raise OrderRefused(f"{named} {verb} {what} {order.operation}")


def _only_s3(order: Order, services: list[str]) -> list[str]:
    if "s3" not in services:
        raise OrderRefused(f"buckets and keys are of s3, and not of {order.service}")
    return ["s3"]


def _is_known(order: Order, services: list[str]) -> bool:
    prefix = "Describe" if order.effect == "hide" else ""
    return any(
        name.startswith(prefix) and matches(order.operation, name)
        for service in services
        for name in operations_of(service)
    )


def check_machine(cloud: Cloud, order: Order) -> None:
    """Raise ``OrderRefused`` where the instance is in no state for it, or the tier has it not."""
    if order.effect not in MACHINE_EFFECTS:
        return
    report = cloud.tier.report
    if order.effect == "disk" and Feature.DISK_LIMIT not in report.features:
        raise OrderRefused(
            f"the tier {report.name} gives no instance a disk of a size, so that none can be full",
            code="UnsupportedOperation",
        )
    machine = cloud.tier.find(order.instance or "")
    if machine is None or machine.state != State.RUNNING:
        raise OrderRefused(
            f"{order.instance} does not run: a fault of the effect {order.effect} needs an "
            "instance that does",
            code="IncorrectInstanceState",
        )
