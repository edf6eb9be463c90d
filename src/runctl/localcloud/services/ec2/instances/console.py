"""What an instance's console has printed."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.idents import INSTANCE, find

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_LIMIT_BYTES = 64 << 10


@operation("ec2", "GetConsoleOutput")
def get_console_output(call: Call) -> dict[str, Any]:
    """Return the last 64 KiB that the console has printed, in base64."""
    ident = find(call, INSTANCE, call.get("InstanceId"))["InstanceId"]
    kept = _kept(call.cloud, ident)
    text = kept.read_bytes() if kept.exists() else _read_end(call.cloud, ident)
    return {
        "InstanceId": ident,
        "Output": base64.b64encode(text).decode() or None,
        "Timestamp": call.cloud.clock(),
    }


def keep_console(cloud: Cloud, ident: str) -> None:
    """Keep what the console of an instance that ends has printed, for as long as it is told of."""
    text = _read_end(cloud, ident)
    if text:
        _kept(cloud, ident).parent.mkdir(exist_ok=True, mode=0o700)
        _kept(cloud, ident).write_bytes(text)


def forget_console(cloud: Cloud, ident: str) -> None:
    """Forget what was kept."""
    _kept(cloud, ident).unlink(missing_ok=True)


def _kept(cloud: Cloud, ident: str) -> Path:
    return cloud.place.folder / "consoles" / ident


def _read_end(cloud: Cloud, ident: str) -> bytes:
    machine = cloud.tier.find(ident)
    if machine is None or not os.path.exists(machine.console):
        return b""
    with open(machine.console, "rb") as file:
        file.seek(max(0, os.path.getsize(machine.console) - _LIMIT_BYTES))
        return file.read()
