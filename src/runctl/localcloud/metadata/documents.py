"""Documents that the metadata service writes, in the form in which AWS writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from runctl.localcloud.state.records import Record


def iso_time(moment: float) -> str:
    """Write epoch seconds as AWS does here."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_document(members: Mapping[str, object]) -> str:
    """Write JSON with a line for each member."""
    return json.dumps(members, indent=2, separators=(",", " : "))


def identity_document(account: str, region: str, instance: Record) -> str:
    """Write the instance identity document."""
    return write_document(
        {
            "accountId": account,
            "architecture": instance["Architecture"],
            "availabilityZone": instance["Placement"]["AvailabilityZone"],
            "billingProducts": None,
            "devpayProductCodes": None,
            "marketplaceProductCodes": None,
            "imageId": instance["ImageId"],
            "instanceId": instance["InstanceId"],
            "instanceType": instance["InstanceType"],
            "kernelId": None,
            "pendingTime": iso_time(instance["LaunchTime"]),
            "privateIp": instance.get("PrivateIpAddress"),
            "ramdiskId": None,
            "region": region,
            "version": "2017-09-30",
        }
    )
