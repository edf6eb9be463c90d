"""Holds a mounted file system still while its volume is copied.

The instance thaws it by itself after a while, whatever becomes of the cloud's process.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.machine import CommandRequest
from runctl.localcloud.machines.results import Feature, State

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud
    from runctl.localcloud.machines.machine import Machine

_THAW_S = 30
_PATIENCE_S = 3.0
_POLL_S = 0.01
_SAYS = b"frozen\n"
_SCRIPT = r"""
node=$(readlink -f "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$1") || exit 0
rest=$2 over=
set -- $(stat -c '0x%t 0x%T' "$node")
wanted=$(($1)):$(($2))
while read -r _ _ device _ target _; do
    [ "$device" = "$wanted" ] || continue
    place=$(printf '%b' "$(printf '%s' "$target" | sed 's/\\/\\0/g')")
    trap over=1 TERM
    fsfreeze -f "$place"
    case $? in 0) ;; 143) fsfreeze -u "$place"; exit ;; *) exit ;; esac
    echo frozen
    while [ -z "$over" ] && [ "$rest" -gt 0 ]; do sleep 0.1; rest=$((rest - 1)); done
    fsfreeze -u "$place"
    exit
done < /proc/self/mountinfo
"""


@contextmanager
def frozen(cloud: Cloud, region: str, volume_id: str) -> Iterator[None]:
    """Hold still what is mounted of a volume; where that cannot be done, it is left as it is."""
    machine = _machine_of(cloud, region, volume_id)
    name = f"freeze-{uuid4()}"
    if machine is not None and not _freeze(machine, name, volume_id):
        machine = None
    try:
        yield
    finally:
        if machine is not None:
            _thaw(machine, name)


def _machine_of(cloud: Cloud, region: str, volume_id: str) -> Machine | None:
    """Return the running machine that has the volume as a block device, if there is one."""
    volume = cloud.records.peek("volume", region, volume_id)
    if volume is None or Feature.BLOCK_DEVICES not in cloud.tier.report.features:
        return None
    for attachment in volume["Attachments"]:
        machine = cloud.tier.find(attachment["InstanceId"])
        if machine is not None and machine.state == State.RUNNING:
            return machine
    return None


def _freeze(machine: Machine, name: str, volume_id: str) -> bool:
    argv = ("/bin/sh", "-c", _SCRIPT, "sh", volume_id.replace("-", ""), str(_THAW_S * 10))
    try:
        machine.exec(CommandRequest(id=name, argv=argv, timeout_s=2 * _THAW_S))
        return _wait(machine, name)
    except MachineError:
        return False


def _wait(machine: Machine, name: str) -> bool:
    end = time.monotonic() + _PATIENCE_S
    status = machine.command(name)
    while status is not None and status.state == "running":
        if _has_said(status.stdout):
            return True
        if time.monotonic() > end:
            machine.signal(name, signal.SIGTERM)
            break
        time.sleep(_POLL_S)
        status = machine.command(name)
    return False


def _has_said(path: str) -> bool:
    said = Path(path)
    return said.exists() and said.read_bytes() == _SAYS


def _thaw(machine: Machine, name: str) -> None:
    try:
        machine.signal(name, signal.SIGTERM)
    except MachineError:
        return  # with the machine its mounts have gone
