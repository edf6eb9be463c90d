"""Instances of EC2 as ours: what AWS says of them, and whether they are ours at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from runctl.aws.tags import OWNER_TAG, PRICE_TAG, PROJECT_TAG, RUN_TAG
from runctl.errors import NotFoundError
from runctl.model.instance import Instance, InstanceState

_STATES = {
    "pending": InstanceState.PENDING,
    "running": InstanceState.RUNNING,
    "stopping": InstanceState.STOPPING,
    "stopped": InstanceState.STOPPED,
    "shutting-down": InstanceState.ENDING,
    "terminated": InstanceState.TERMINATED,
}
_HALTED = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) GMT\)")


def read_instance(told: Mapping[str, Any], owner: str) -> Instance:
    """Read one instance of DescribeInstances."""
    tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
    return Instance(
        provider="aws",
        instance_id=told["InstanceId"],
        type=told["InstanceType"],
        state=_STATES[told["State"]["Name"]],
        is_ours=tags.get(OWNER_TAG) == owner,
        place=told.get("Placement", {}).get("AvailabilityZone"),
        image=told.get("ImageId"),
        name=tags.get("Name"),
        project=tags.get(PROJECT_TAG),
        is_spot=told.get("InstanceLifecycle") == "spot",
        launched_at=told.get("LaunchTime"),
        address=told.get("PublicIpAddress") or told.get("PrivateIpAddress"),
        run=tags.get(RUN_TAG),
        usd_per_hour=_read_price(tags.get(PRICE_TAG, "")),
        halted_at=_read_halt(told),
        state_reason=told.get("StateReason", {}).get("Message"),
        profile=told.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2] or None,
        key_name=told.get("KeyName"),
    )


def _read_halt(told: Mapping[str, Any]) -> datetime | None:
    """Read when it was stopped or ended: only the text of the transition has it, and not always."""
    if told["State"]["Name"] in ("pending", "running"):
        return None
    found = _HALTED.search(told.get("StateTransitionReason", ""))
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC) if found else None


def _read_price(text: str) -> Decimal | None:
    """Read the tag that the launch wrote; anybody may have changed it since."""
    with suppress(InvalidOperation):
        price = Decimal(text)
        return price if price.is_finite() and price >= 0 else None
    return None


def not_found(instance_id: str, region: str) -> NotFoundError:
    return NotFoundError(
        f"there is no instance {instance_id} in {region}",
        hint="runctl aws list; of another region: runctl config set aws.region REGION",
    )
