"""The faults in force: what a call asks of them before it is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from runctl.localcloud.faults.answers import denied, no_capacity, throttled, wanted
from runctl.localcloud.faults.hiding import Hiding
from runctl.localcloud.faults.orders import KIND, Fault, Order, matches
from runctl.localcloud.faults.rates import Rates
from runctl.localcloud.faults.storage import Disturbance
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.api import Call
    from runctl.localcloud.cloud import Cloud

_ALL = "Describe*"


class Faults:
    """The faults of a cloud. They are records, and survive the cloud's own restart.

    They are held in memory too, as every call asks for them. What they count is written a moment
    later: a call that is hit undoes its own changes, and the count must not be among them.
    """

    def __init__(self, cloud: Cloud, sleep: Callable[[float], None] = time.sleep) -> None:
        self._cloud = cloud
        self.sleep = sleep
        self._lock = threading.Lock()
        self._asking = threading.local()
        self._hiding = Hiding()
        self._rates = Rates()
        self._faults = self._load()

    # -- what calls ask

    def before(self, call: Call) -> None:
        """Refuse or delay a call, if a fault says so."""
        self._asking.decisions = {}
        for fault in self._of_call(call.service, call.operation, call.region):
            self._act(fault, call)

    def after(self, call: Call, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer, without what a fault hides."""
        if call.service != "ec2":
            return answer
        for fault in self._with_effect("hide"):
            if self._fits(fault.order, call.service, call.operation, call.region):
                answer = self._hiding.omit(call, answer, fault.order.delay_s or 0.0)
        return answer

    def capacity(
        self, region: str, zone: str, instance_type: str, *, is_spot: bool
    ) -> AwsError | None:
        """Return why an instance cannot be had there and now; None where it can."""
        market = "spot" if is_spot else "on-demand"
        for fault in [*self._decided(), *self._with_effect("capacity")]:
            order = fault.order
            fits = (
                order.market in (None, market)
                and matches(order.region, region)
                and matches(order.zone, zone)
                and matches(order.instance_type, instance_type)
            )
            if fits and self._hits_once(fault, zone=zone, instance_type=instance_type):
                return no_capacity(order, zone, instance_type, is_spot=is_spot)
        return None

    def of_s3(self, operation: str, bucket: str, key: str) -> Disturbance | None:
        """Return what is to happen to a request to S3; None for nothing."""
        found = Disturbance()
        for fault in self._with_effect(*found.EFFECTS):
            order = fault.order
            fits = (
                matches(order.service, "s3")
                and order.region is None
                and matches(order.operation, operation)
                and matches(order.bucket, bucket)
                and matches(order.key, key)
            )
            is_let = order.effect == "throttle" and self._rates.lets_through(
                fault, self._cloud.clock()
            )
            if fits and not is_let and self.hits(fault, operation=operation, bucket=bucket):
                found.add(order)
        return found if found.is_any else None

    def is_cut_off(self, ident: str) -> bool:
        """Whether an instance cannot be heard: its network is lost, or it is frozen."""
        return self.cut_off_since(ident) is not None

    def cut_off_since(self, ident: str) -> float | None:
        """Return since when an instance cannot be heard; None where it can be."""
        found = self._with_effect("network", "freeze")
        return min((one.made for one in found if one.order.instance == ident), default=None)

    # -- what keeps them

    def all(self) -> list[Fault]:
        """Return all faults, the oldest first, also those that are over."""
        return list(self._faults.values())

    def find(self, ident: str) -> Fault | None:
        """Return a fault."""
        return self._faults.get(ident)

    def put(self, fault: Fault) -> None:
        """Keep a fault as it is now; from now on it is in force, or no more."""
        with self._cloud.records.transaction() as transaction:
            transaction.table(KIND, "").put(fault.id, msgspec.to_builtins(fault))
        self._faults = {**self._faults, fault.id: fault}

    def forget(self, ident: str) -> None:
        """Forget a fault."""
        with self._cloud.records.transaction() as transaction:
            transaction.table(KIND, "").delete(ident)
        self._faults = {key: fault for key, fault in self._faults.items() if key != ident}

    def hits(self, fault: Fault, **details: object) -> bool:
        """Count a call that a fault matches; return whether the call is hit."""
        with self._lock:
            is_hit = fault.counts()
            if fault.is_spent and fault.state == "in-force":
                fault.state = "over"
        self._cloud.jobs.soon(lambda: self._write(fault.id))
        if is_hit:
            self._cloud.journal.note("fault", fault=fault.id, effect=fault.order.effect, **details)
        return is_hit

    # -- inside

    def _load(self) -> dict[str, Fault]:
        with self._cloud.records.transaction() as transaction:
            rows = transaction.table(KIND, "").items()
        return {ident: msgspec.convert(row, Fault) for ident, row in rows}

    def _write(self, ident: str) -> None:
        fault = self._faults.get(ident)
        if fault is not None:
            self.put(fault)

    def _with_effect(self, *effects: str) -> list[Fault]:
        if not self._faults:
            return []
        now = self._cloud.clock()
        found = [fault for fault in self._faults.values() if fault.is_in_force(now)]
        return [fault for fault in found if fault.order.effect in effects]

    def _of_call(self, service: str, operation: str, region: str) -> list[Fault]:
        """Return what may hit a call; what only delays it comes first."""
        found = self._with_effect("delay", "hide", "throttle", "deny", "error", "reset")
        fitting = [one for one in found if self._fits(one.order, service, operation, region)]
        return sorted(fitting, key=lambda fault: fault.order.effect != "delay")

    def _fits(self, order: Order, service: str, operation: str, region: str) -> bool:
        if order.effect == "hide":
            is_ours = service == "ec2" and matches(order.operation or _ALL, operation)
        else:
            is_ours = matches(order.service, service) and matches(order.operation, operation)
        is_of_s3 = order.bucket is not None or order.key is not None
        return is_ours and not is_of_s3 and matches(order.region, region)

    def _act(self, fault: Fault, call: Call) -> None:
        order, effect = fault.order, fault.order.effect
        hidden = self._hiding.refuse(call, order.delay_s or 0.0) if effect == "hide" else None
        if effect == "hide" and hidden is None:
            return
        if effect == "throttle" and self._rates.lets_through(fault, self._cloud.clock()):
            return
        if not self.hits(fault, service=call.service, operation=call.operation):
            return
        if effect == "delay":
            self.sleep(order.delay_s or 0.0)
        elif effect == "reset":
            raise ConnectionResetError(f"by {fault.id}")
        elif hidden is not None:
            raise hidden
        else:
            raise _ERRORS[effect](order, call)

    def _decided(self) -> list[Fault]:
        """Return what has hit this call already; it may be spent since."""
        decisions: dict[str, bool] = getattr(self._asking, "decisions", {})
        found = [self._faults.get(ident) for ident, is_hit in decisions.items() if is_hit]
        return [fault for fault in found if fault is not None]

    def _hits_once(self, fault: Fault, **details: object) -> bool:
        """Decide once for each call, which may ask for several zones."""
        decisions: dict[str, bool] = getattr(self._asking, "decisions", {})
        if fault.id not in decisions:
            decisions[fault.id] = self.hits(fault, **details)
        return decisions[fault.id]


_ERRORS: dict[str, Callable[[Order, Call], AwsError]] = {
    "deny": lambda _, call: denied(call),
    "error": lambda order, _: wanted(order),
    "throttle": lambda _, call: throttled(call.service),
}
