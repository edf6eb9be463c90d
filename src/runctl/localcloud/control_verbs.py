"""What can be asked at the control endpoint: one function for each method and path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from runctl.localcloud import overview
from runctl.localcloud.data import region_facts
from runctl.localcloud.faults.changes import add_fault, clear_faults
from runctl.localcloud.faults.orders import Fault, Order, OrderRefused, check_order
from runctl.localcloud.faults.targets import check_calls
from runctl.localcloud.services import quotas
from runctl.localcloud.services.ec2.idents import INSTANCE, check_form
from runctl.localcloud.services.ec2.instances.watching import region_of
from runctl.localcloud.services.ec2.spot.interruption import interrupt, recommend_rebalance

if TYPE_CHECKING:
    from runctl.localcloud.control import Host

Given = Mapping[str, str]
Verb = Callable[["Host", Given, bytes], Any]
REGION = "us-east-1"
_LONGEST_WAIT_S = 30.0
_HIGHEST_QUOTA = 1e9


class Refusal(Exception):
    """What is asked cannot be done."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.code = code


class Interruption(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked to interrupt an instance."""

    instance: str
    notice_s: float = 120.0
    rebalance: bool = False
    """Only recommend to leave; nothing happens by itself."""


class Clearing(msgspec.Struct, forbid_unknown_fields=True):
    """Which faults are to go; all where none are named."""

    ids: list[str] | None = None


class QuotaChange(msgspec.Struct, forbid_unknown_fields=True):
    """The new value of a quota."""

    code: str
    value: float
    region: str = REGION


def status(host: Host, given: Given, body: bytes) -> Any:
    """Say how the cloud is doing."""
    del given, body
    return overview.describe(host.cloud, host.started)


def credentials(host: Host, given: Given, body: bytes) -> Any:
    """Return the throw-away credentials of the account's root."""
    del body
    region = _region(given.get("region", REGION))
    root = host.cloud.identity.root()
    return {
        "endpoint": host.cloud.endpoint,
        "region": region,
        "access_key_id": root["AccessKeyId"],
        "secret_access_key": root["SecretAccessKey"],
    }


def events(host: Host, given: Given, body: bytes) -> Any:
    """Return what happened after a cursor; ``wait`` seconds are waited where that is nothing."""
    del body
    wait_s = min(_number(given, "wait"), _LONGEST_WAIT_S)
    found, cursor = host.cloud.journal.read(given.get("cursor", ""), wait_s)
    since = _number(given, "since")
    return {"events": [one for one in found if one["time"] >= since], "cursor": cursor}


def reset(host: Host, given: Given, body: bytes) -> Any:
    """Take everything back to an empty cloud; return what there was."""
    del given, body
    gone = {"instances": overview.count_instances(host.cloud)}
    host.reset()
    return gone


def stop(host: Host, given: Given, body: bytes) -> Any:
    """End the process; return what goes on."""
    found = status(host, given, body)
    host.stop()
    return found


def interrupt_instance(host: Host, given: Given, body: bytes) -> Any:
    """Interrupt a spot instance, or recommend to leave it."""
    del given
    order = msgspec.json.decode(body, type=Interruption)
    check_form(INSTANCE, order.instance)
    region = region_of(host.cloud, order.instance)
    if region is None:
        raise Refusal(404, "not-found", f"there is no instance {order.instance}")
    if not 0 <= order.notice_s <= 10**6:
        raise Refusal(400, "malformed", "the notice is of 0 to 1000000 seconds")
    if order.rebalance:
        recommend_rebalance(host.cloud, region, order.instance)
        return {"instance": order.instance, "region": region, "action": "rebalance", "time": None}
    record = interrupt(host.cloud, region, order.instance, notice_s=order.notice_s)
    return {"instance": order.instance, "region": region, **record["_SpotAction"]}


def list_faults(host: Host, given: Given, body: bytes) -> Any:
    """Return all faults."""
    del given, body
    return {"faults": [_shown(fault) for fault in host.cloud.faults.all()]}


def order_fault(host: Host, given: Given, body: bytes) -> Any:
    """Put a fault in force."""
    del given
    order = msgspec.json.decode(body, type=Order)
    try:
        check_order(order)
        check_calls(order)
        if order.instance is not None and region_of(host.cloud, order.instance) is None:
            raise Refusal(404, "not-found", f"there is no instance {order.instance}")
        return _shown(add_fault(host.cloud, order))
    except OrderRefused as error:
        raise Refusal(400, error.code, str(error)) from error


def end_faults(host: Host, given: Given, body: bytes) -> Any:
    """End faults, and undo what lasts of them."""
    del given
    order = msgspec.json.decode(body, type=Clearing) if body else Clearing()
    try:
        return {"faults": [_shown(fault) for fault in clear_faults(host.cloud, order.ids)]}
    except KeyError as error:
        raise Refusal(404, "not-found", f"there is no fault {error.args[0]}") from error


def set_quota(host: Host, given: Given, body: bytes) -> Any:
    """Give the account another quota."""
    del given
    order = msgspec.json.decode(body, type=QuotaChange)
    if not 0 <= order.value < _HIGHEST_QUOTA:
        raise Refusal(400, "malformed", f"a quota is of 0 to {_HIGHEST_QUOTA:g}")
    _region(order.region)
    try:
        quotas.set_quota(host.cloud, order.region, order.code, order.value)
    except KeyError as error:
        raise Refusal(404, "not-found", f"there is no quota {order.code}") from error
    host.cloud.journal.note("quota", code=order.code, region=order.region, value=order.value)
    return {"code": order.code, "region": order.region, "value": order.value}


def _shown(fault: Fault) -> dict[str, Any]:
    """Return a fault as one flat document, with what was ordered and how it stands."""
    ordered = msgspec.to_builtins(fault.order)
    stands = ("id", "state", "seen", "hits", "made", "until", "problem")
    return {**{name: getattr(fault, name) for name in stands}, **ordered}


def _region(name: str) -> str:
    """Return a region that there is."""
    if name not in region_facts():
        raise Refusal(400, "malformed", f"there is no region {name}")
    return name


def _number(given: Given, name: str) -> float:
    try:
        return max(0.0, float(given.get(name, "0")))
    except ValueError:
        raise Refusal(400, "malformed", f"{name} is no number") from None


VERBS: dict[tuple[str, str], Verb] = {
    ("GET", "status"): status,
    ("GET", "credentials"): credentials,
    ("GET", "events"): events,
    ("POST", "reset"): reset,
    ("POST", "stop"): stop,
    ("POST", "interrupt"): interrupt_instance,
    ("GET", "faults"): list_faults,
    ("POST", "faults"): order_fault,
    ("POST", "faults/clear"): end_faults,
    ("PUT", "quotas"): set_quota,
}
"""By method and path, which is a pattern."""
