"""The switch of a cloud's root tier: a bridge in a namespace of its own, a cable to the host.

Being in its own namespace, it is untouched by what the host does to forwarded packets.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Network

from runctl.localcloud.machines.keeper import kernel
from runctl.localcloud.machines.keeper.netlink import Network
from runctl.localcloud.machines.keeper.wiring import BRIDGE, unplug_from

NAMESPACES = "/run/netns"
_UPLINK = "host"
_HOST_LOCK = "/run/lock/runctl-local-cloud"
"""Of all clouds of this host: none may choose a network while another does."""


def name(cloud_id: str) -> str:
    """Return the name of the switch's namespace."""
    return f"rcl{cloud_id}"


def path(cloud_id: str) -> str:
    """Return the file of the switch's namespace."""
    return f"{NAMESPACES}/{name(cloud_id)}"


def link(cloud_id: str) -> str:
    """Return the name of the host's link to the switch."""
    return f"rcl{cloud_id}h"


def make(cloud_id: str, network: IPv4Network) -> None:
    """Make the switch; one that is there stays, one that is half made is finished."""
    if os.path.exists(f"/sys/class/net/{link(cloud_id)}") and _is_mount(path(cloud_id)):
        return
    remove(cloud_id)
    _in_a_thread(lambda: _make(cloud_id))
    host = Network()
    try:
        host.add_address(link(cloud_id), str(network[1]), network.prefixlen)
        host.set_up(link(cloud_id))
    finally:
        host.close()


def remove(cloud_id: str) -> None:
    """Remove the switch, and its cable; one that is not there stays so."""
    host = Network()
    with suppress(OSError):
        host.delete(link(cloud_id))
    host.close()
    while _is_mount(path(cloud_id)):
        kernel.unmount(path(cloud_id))
    with suppress(FileNotFoundError):
        os.unlink(path(cloud_id))


def unplug(cloud_id: str, address: str) -> None:
    """Remove the link of an instance whose keeper could not; it may be gone."""
    if _is_mount(path(cloud_id)):
        _in_a_thread(lambda: unplug_from(path(cloud_id), address))


@contextmanager
def host_lock() -> Iterator[None]:
    """Let no other cloud of this host choose its network, or make its switch, meanwhile."""
    os.makedirs(os.path.dirname(_HOST_LOCK), exist_ok=True)
    with open(_HOST_LOCK, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(cloud_id: str) -> None:
    """Make the namespace and what is in it; for a thread that ends with it."""
    host = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        kernel.unshare("net")
        inside = Network()
        inside.set_up("lo")
        inside.add_bridge(BRIDGE)
        inside.set_up(BRIDGE)
        inside.add_pair(_UPLINK, link(cloud_id), host)
        inside.set_master(_UPLINK, BRIDGE)
        inside.set_up(_UPLINK)
        inside.close()
        os.makedirs(NAMESPACES, exist_ok=True)
        os.close(os.open(path(cloud_id), os.O_CREAT | os.O_RDONLY, 0o444))
        kernel.bind("/proc/thread-self/ns/net", path(cloud_id))
    finally:
        os.close(host)


def _in_a_thread(work: Callable[[], None]) -> None:
    """Run on a thread of its own, whose namespaces end with it; raise what it raises."""
    faults: list[OSError] = []

    def run() -> None:
        try:
            work()
        except OSError as fault:
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]


def _is_mount(path: str) -> bool:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return any(line.split()[4] == path for line in file)
