"""What an instance's console has printed."""

from __future__ import annotations

import base64
import os
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import INSTANCE, find
from runctl.localcloud.services.ec2.instances.states import state_of
from runctl.localcloud.wire.errors import AwsError

_LIMIT_BYTES = 64 << 10


@operation("ec2", "GetConsoleOutput")
def get_console_output(call: Call) -> dict[str, Any]:
    """Return the last 64 KiB that the console has printed, in base64."""
    instance = find(call, INSTANCE, call.get("InstanceId"))
    if state_of(instance) == "terminated":
        raise AwsError(
            "IncorrectInstanceState",
            f"The instance '{instance['InstanceId']}' has been terminated.",
        )
    text = _read_end(call, instance["InstanceId"])
    return {
        "InstanceId": instance["InstanceId"],
        "Output": base64.b64encode(text).decode() or None,
        "Timestamp": call.cloud.clock(),
    }


def _read_end(call: Call, ident: str) -> bytes:
    machine = call.cloud.tier.find(ident)
    if machine is None or not os.path.exists(machine.console):
        return b""
    with open(machine.console, "rb") as file:
        file.seek(max(0, os.path.getsize(machine.console) - _LIMIT_BYTES))
        return file.read()
