"""Public addresses: given while an instance runs, as on AWS; here they are the private ones."""

from __future__ import annotations

from runctl.localcloud.state.records import Record

_MEMBERS = ("PublicIpAddress", "PublicDnsName")


def take_public_address(instance: Record) -> None:
    """Show no public address of an instance that is stopped."""
    instance["_Public"] = {name: instance.get(name) for name in _MEMBERS}
    instance |= {"PublicIpAddress": None, "PublicDnsName": ""}


def give_public_address(instance: Record) -> None:
    """Show it again, of one that was started."""
    instance |= instance.pop("_Public", {})
