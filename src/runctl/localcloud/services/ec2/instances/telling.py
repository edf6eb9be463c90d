"""Instances as they are told: the record has from the start what AWS shows only later."""

from __future__ import annotations

from runctl.localcloud.services.ec2.instances.states import state_of
from runctl.localcloud.state.records import Record

_WITHOUT_ADDRESS = ("pending", "stopped")
_PENDING = {"Code": "pending", "Message": "pending"}


def told(instance: Record) -> Record:
    """Return an instance without what it does not have yet, or no more while it is stopped."""
    state = state_of(instance)
    if state not in _WITHOUT_ADDRESS:
        return instance
    interfaces = [told_interface(one, state) for one in instance["NetworkInterfaces"]]
    shown = {
        **instance,
        "PublicIpAddress": None,
        "PublicDnsName": "",
        "NetworkInterfaces": interfaces,
    }
    if state == "pending" and not instance.get("_HasRun"):
        shown |= {"BlockDeviceMappings": [], "StateReason": _PENDING}
    return shown


def told_interface(interface: Record, state: str) -> Record:
    """Return the interface of an instance in a state as it is told."""
    if state not in _WITHOUT_ADDRESS:
        return interface
    addresses = [{**one, "Association": None} for one in interface["PrivateIpAddresses"]]
    shown = {**interface, "Association": None, "PrivateIpAddresses": addresses}
    if state == "pending":
        shown["Attachment"] = {**interface["Attachment"], "Status": "attaching"}
    return shown
