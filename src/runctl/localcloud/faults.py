"""Faults that were asked for: what AWS does on a bad day, when the user says so.

A fault is a record: what it concerns (selectors, with ``*`` and ``?``), what it does, and how long
it lasts (``after`` so many matches, for ``count`` matches, until a time). What lasts on a machine
(its network, its disk, its processes) is in ``mishaps.py``.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.api import Call
    from runctl.localcloud.cloud import Cloud

KIND = "fault"
SELECTORS = ("service", "operation", "region", "zone", "type", "market", "bucket", "key")
_THROTTLING = {"ec2": "RequestLimitExceeded", "s3": "SlowDown", "iam": "Throttling"}
_DENIED = {"ec2": "UnauthorizedOperation", "s3": "AccessDenied", "iam": "AccessDenied"}


class Faults:
    """The faults in force; they are records, and survive the cloud's own restart."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._known: list[Record] | None = None

    # -- asked for by the user

    def add(self, kind: str, **details: Any) -> Record:
        """Put a fault in force: capacity, throttle, deny, error, delay, hide, s3."""
        ident = f"fault-{secrets.token_hex(4)}"
        lasting = details.pop("for_s", None)
        fault = {
            "Id": ident,
            "Kind": kind,
            "After": details.pop("after", 0) or 0,
            "Count": details.pop("count", None),
            "Until": None if lasting is None else self._cloud.clock() + lasting,
            "Seen": 0,
            "Done": 0,
            **{name: value for name, value in details.items() if value is not None},
        }
        with self._cloud.records.transaction() as transaction:
            transaction.table(KIND, "").put(ident, fault)
        self._known = None
        self._cloud.journal.note("fault-added", fault=ident, kind=kind)
        return fault

    def all(self) -> list[Record]:
        """Return the faults that are in force."""
        if self._known is None:
            with self._cloud.records.transaction() as transaction:
                self._known = transaction.table(KIND, "").values()
        now = self._cloud.clock()
        return [one for one in self._known if one["Until"] is None or one["Until"] > now]

    def clear(self, idents: Iterable[str] | None = None) -> list[Record]:
        """End faults, all unless some are named; return those that were in force."""
        with self._cloud.records.transaction() as transaction:
            table = transaction.table(KIND, "")
            gone = [one for ident, one in table.items() if idents is None or ident in idents]
            for one in gone:
                table.delete(one["Id"])
        self._known = None
        return gone

    # -- asked by the operations

    def before(self, call: Call) -> None:
        """Refuse or delay a call, if a fault says so."""
        if not self.all():
            return
        told = {"service": call.service, "operation": call.operation, "region": call.region}
        for fault in self._matching(("throttle", "deny", "error", "delay", "hide"), told):
            if fault["Kind"] != "hide" or _is_new(self._cloud, call, fault):
                self._strike(fault, call.service, call.parameters)

    def capacity(self, region: str, zone: str, kind: str, *, is_spot: bool) -> AwsError | None:
        """Return what AWS answers where there is no capacity; None where there is."""
        told = {"region": region, "zone": zone, "type": kind}
        told["market"] = "spot" if is_spot else "on-demand"
        for fault in self._matching(("capacity",), told):
            self._note(fault)
            if is_spot:
                words = "There is no Spot capacity available that matches your request."
                return AwsError("InsufficientInstanceCapacity", words, 500)
            return AwsError(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient {kind} capacity in the Availability Zone "
                f"you requested ({zone}). Our system will be working on provisioning additional "
                "capacity. You can currently get this capacity by not specifying an Availability "
                "Zone in your request or choosing another one.",
                500,
            )
        return None

    def of_s3(self, operation: str, bucket: str, key: str) -> Record | None:
        """Return the fault that a request to S3 meets."""
        if not self.all():
            return None
        told = {"service": "s3", "operation": operation, "bucket": bucket, "key": key}
        for fault in self._matching(("s3", "throttle", "deny", "error", "delay"), told):
            self._note(fault)
            return fault
        return None

    # -- inside

    def _matching(self, kinds: tuple[str, ...], told: dict[str, str]) -> list[Record]:
        """Return the faults whose turn it is; those that wait for theirs have seen one more."""
        return [
            fault
            for fault in self.all()
            if fault["Kind"] in kinds and _concerns(fault, told) and self._is_due(fault)
        ]

    def _is_due(self, fault: Record) -> bool:
        if fault["Seen"] < fault["After"]:
            self._change(fault, "Seen")
            return False
        return fault["Count"] is None or fault["Done"] < fault["Count"]

    def _strike(self, fault: Record, service: str, parameters: dict[str, Any]) -> None:
        self._note(fault)
        if fault["Kind"] == "delay":
            time.sleep(fault.get("delay_s", 1.0))
            return
        raise error_of(fault, service, parameters)

    def _note(self, fault: Record) -> None:
        self._change(fault, "Done")
        self._cloud.journal.note("fault", fault=fault["Id"], kind=fault["Kind"])

    def _change(self, fault: Record, counter: str) -> None:
        with self._cloud.records.transaction() as transaction:
            table = transaction.table(KIND, "")
            if fault["Id"] in table:
                table.edit(fault["Id"])[counter] += 1
        self._known = None


def _concerns(fault: Record, told: dict[str, str]) -> bool:
    """Whether a fault is about what happens; it must not ask for what is not told."""
    wanted = {name: fault[name] for name in SELECTORS if fault.get(name)}
    return all(fnmatchcase(told.get(name, ""), pattern) for name, pattern in wanted.items())


def error_of(fault: Record, service: str, parameters: dict[str, Any]) -> AwsError:
    """Return the error that a fault amounts to, in the service's own words."""
    if fault["Kind"] == "throttle":
        code = fault.get("code") or _THROTTLING.get(service, "ThrottlingException")
        return AwsError(code, "Request limit exceeded.", 503 if service in ("ec2", "s3") else 400)
    if fault["Kind"] == "deny":
        code = fault.get("code") or _DENIED.get(service, "AccessDeniedException")
        return AwsError(code, "You are not authorized to perform this operation.", 403)
    if fault["Kind"] == "hide":
        idents = [one for value in parameters.values() if isinstance(value, list) for one in value]
        words = ", ".join(str(one) for one in idents if isinstance(one, str))
        return AwsError("InvalidInstanceID.NotFound", f"The instance ID '{words}' does not exist")
    words = fault.get("message") or "An internal error has occurred"
    return AwsError(fault.get("code") or "InternalError", words, fault.get("status") or 500)


def _is_new(cloud: Cloud, call: Call, fault: Record) -> bool:
    """Whether a describing call names an instance that is too young to be seen."""
    for ident in call.get("InstanceIds") or ():
        instance = cloud.records.peek("instance", call.region, ident)
        if instance and cloud.clock() - instance["LaunchTime"] < fault.get("delay_s", 5.0):
            return True
    return False
