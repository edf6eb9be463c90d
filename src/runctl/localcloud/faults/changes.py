"""How faults come and go."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from runctl.localcloud.faults import lasting
from runctl.localcloud.faults.orders import KIND, MACHINE_EFFECTS, Fault, Order, OrderRefused
from runctl.localcloud.faults.targets import check_machine
from runctl.localcloud.machines.errors import MachineError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud


def add_fault(cloud: Cloud, order: Order) -> Fault:
    """Put a fault in force, which has been checked; raise ``OrderRefused`` if it cannot be done."""
    check_machine(cloud, order)
    now = cloud.clock()
    until = None if order.for_s is None else now + order.for_s
    fault = Fault(id=f"fault-{secrets.token_hex(4)}", order=order, made=now, until=until)
    cloud.faults.put(fault)
    try:
        lasting.begin(cloud, fault)
    except MachineError as error:
        cloud.faults.forget(fault.id)
        raise OrderRefused(str(error)) from error
    if order.effect == "kill":
        fault.state = "over"
        cloud.faults.put(fault)
    cloud.journal.note("fault-added", fault=fault.id, effect=order.effect)
    if until is not None:
        cloud.settle_later(until - now, KIND, "", fault.id)
    return fault


def clear_faults(cloud: Cloud, idents: Iterable[str] | None = None) -> list[Fault]:
    """End faults, all where no ids are given, and forget them; raise KeyError for an unknown."""
    known = {fault.id: fault for fault in cloud.faults.all()}
    wanted = list(known) if idents is None else list(dict.fromkeys(idents))
    faults = [known[ident] for ident in wanted]
    for fault in faults:
        if fault.order.effect in MACHINE_EFFECTS and fault.state != "over":
            fault.state = "ending"  # a kill in between leaves it to the next start
            cloud.faults.put(fault)
            lasting.end(cloud, fault)
        cloud.faults.forget(fault.id)
        cloud.journal.note("fault-cleared", fault=fault.id, effect=fault.order.effect)
    return faults
