"""Faults of machines: done once, there until they are undone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from runctl.localcloud.cloud import Cloud, settles
from runctl.localcloud.faults.orders import KIND, MACHINE_EFFECTS, Fault
from runctl.localcloud.machines.errors import MachineError

if TYPE_CHECKING:
    from runctl.localcloud.machines.machine import Machine

Act = Callable[[Cloud, "Machine"], None]


@settles(KIND)
def settle_fault(cloud: Cloud, region: str, ident: str) -> None:
    """Do what a fault is to do, or undo what it has done, once its time is over."""
    del region
    fault = cloud.faults.find(ident)
    if fault is None or fault.state == "over":
        return
    now = cloud.clock()
    if fault.state == "ending" or (fault.until is not None and fault.until <= now):
        end(cloud, fault)
        return
    try:
        begin(cloud, fault)
    except MachineError as error:
        fault.problem = str(error)
        cloud.faults.put(fault)
    if fault.until is not None:
        cloud.settle_later(fault.until - now, KIND, "", ident)


def begin(cloud: Cloud, fault: Fault) -> None:
    """Do it to the machine; again is harmless. Raises ``MachineError`` where it cannot be done."""
    if fault.order.effect not in MACHINE_EFFECTS:
        return
    ident = fault.order.instance or ""
    machine = cloud.tier.find(ident)
    if machine is None:
        raise MachineError(fault.order.effect, f"there is no machine of {ident}")
    if fault.order.effect == "kill" and fault.hits:
        return
    _DO[fault.order.effect](cloud, machine)
    if not fault.hits:
        cloud.faults.hits(fault, instance=ident)


def end(cloud: Cloud, fault: Fault) -> None:
    """Undo it, as far as there is something left that it was done to."""
    ident = fault.order.instance or ""
    machine = cloud.tier.find(ident) if ident else None
    if not _is_held_by_another(cloud, fault):
        if fault.order.effect == "network":
            cloud.network.mend(ident)
        with suppress(MachineError):  # it has ended meanwhile, and its fault with it
            if machine is not None:
                _UNDO[fault.order.effect](machine)
    fault.state = "over"
    cloud.faults.put(fault)
    cloud.journal.note("fault-over", fault=fault.id, effect=fault.order.effect)


def end_with(cloud: Cloud, ident: str, *effects: str) -> None:
    """End faults of an instance that has ended, or starts anew one day: on other hardware."""
    for fault in cloud.faults.all():
        is_meant = fault.order.instance == ident and fault.order.effect in effects
        if is_meant and fault.state == "in-force":
            end(cloud, fault)


def _is_held_by_another(cloud: Cloud, fault: Fault) -> bool:
    mine = (fault.order.effect, fault.order.instance)
    return any(
        (other.order.effect, other.order.instance) == mine
        for other in cloud.faults.all()
        if other.id != fault.id and other.is_in_force(cloud.clock())
    )


def _cut(cloud: Cloud, machine: Machine) -> None:
    cloud.network.cut(machine.id)
    machine.set_connected(is_connected=False)


def _kill(cloud: Cloud, machine: Machine) -> None:
    """Kill the first process, with SIGKILL, and all others with it: the hardware has failed."""
    del cloud
    with suppress(ProcessLookupError):
        os.kill(int(machine.hello()["init"]), signal.SIGKILL)


_DO: dict[str, Act] = {
    "disk": lambda _, machine: machine.fill_disk(),
    "freeze": lambda _, machine: machine.freeze(),
    "kill": _kill,
    "network": _cut,
}
_UNDO: dict[str, Callable[[Machine], None]] = {
    "disk": lambda machine: machine.free_disk(),
    "freeze": lambda machine: machine.thaw(),
    "kill": lambda _: None,
    "network": lambda machine: machine.set_connected(is_connected=True),
}
