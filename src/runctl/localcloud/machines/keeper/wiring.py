"""The network of an instance: its link, its addresses, and what listens in it for the cloud."""

from __future__ import annotations

import os
import socket

from runctl.localcloud.machines.keeper import kernel
from runctl.localcloud.machines.keeper.netlink import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.plan import Plan

IMDS = "169.254.169.254"
IMDS_PORT = 1338
"""Of the instance's address, where it has no network of its own."""
NOTICES = "\0local-cloud/notices"
BRIDGE = "br0"
_BACKLOG = 512


class Wiring:
    """The plug in the cloud's switch, where it has one; else a network of its own."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._link = _link(plan["address"])

    @property
    def has_switch(self) -> bool:
        """Whether the instance has a link to others."""
        return self._plan["switch"] is not None

    def plug(self, namespace: int) -> None:
        """Connect the instance's network to the switch; what was left of it before goes."""
        if self._plan["switch"] is None:
            return
        with _Switch(self._plan["switch"]) as network:
            _delete(network, self._link)
            mac = b"\x02\x00" + socket.inet_aton(self._plan["address"])
            network.add_pair(self._link, "eth0", namespace, mac)
            network.set_master(self._link, BRIDGE)
            network.set_up(self._link)

    def unplug(self) -> None:
        """Remove the link."""
        if self._plan["switch"] is not None:
            unplug_from(self._plan["switch"], self._plan["address"])

    def set_connected(self, *, is_connected: bool) -> None:
        """Pull the cable, or put it in."""
        if self._plan["switch"] is not None:
            with _Switch(self._plan["switch"]) as network:
                network.set_up(self._link, is_up=is_connected)

    def set_up_inside(self) -> None:
        """Give the addresses; to be called in the instance's network."""
        network = Network()
        network.set_up("lo")
        network.add_address("lo", IMDS, 32)
        if self._plan["gateway"] is not None and self.has_switch:
            network.add_address("eth0", self._plan["address"], self._plan["prefix"])
            network.set_up("eth0")
            network.add_default_route(self._plan["gateway"], "eth0")
        network.close()

    def listen_outside(self) -> dict[str, socket.socket]:
        """Return what listens on the host's side, for an instance that the host cannot reach."""
        if self.has_switch:
            return {}
        ports = {"ssh": self._plan["ssh_port"]}
        if not self._has_own_network:
            others = ("imds", IMDS_PORT), ("endpoint", self._plan["endpoint_port"]), (
                "proxy", self._plan["proxy_port"],
            )  # fmt: skip
            ports |= {name: port for name, port in others if port is not None}
        address = self._plan["address"]
        return {name: listen((address, port)) for name, port in ports.items() if port}

    @property
    def _has_own_network(self) -> bool:
        return self._plan["tier"] in ("root", "namespace")

    def listen(self) -> dict[str, socket.socket]:
        """Return what listens for the cloud, by name; to be called in the instance's network.

        ``notices`` is where systemd says that it is up.
        """
        wanted = {"imds": (IMDS, 80), "ssh": ("0.0.0.0", 22) if self.has_switch else None}  # noqa: S104
        for name, port in (
            ("endpoint", self._plan["endpoint_port"]),
            ("proxy", self._plan["proxy_port"]),
        ):
            wanted[name] = None if port is None else ("127.0.0.1", port)
        found = {name: listen(place) for name, place in wanted.items() if place is not None}
        if self._plan["init"] == "systemd":
            found["notices"] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            found["notices"].bind(NOTICES)
        return found


def listen(place: tuple[str, int]) -> socket.socket:
    """Return a socket that listens there."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(place)
    made.listen(_BACKLOG)
    return made


def unplug_from(switch: str, address: str) -> None:
    """Remove the link of the instance that has this address; there may be none."""
    with _Switch(switch) as network:
        _delete(network, _link(address))


def _link(address: str) -> str:
    return "i" + socket.inet_aton(address).hex()


class _Switch:
    """Speaks rtnetlink in the switch's namespace; the caller stays where it is."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> Network:
        own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            kernel.enter(there, "net")
            self._network = Network()
            kernel.enter(own, "net")
        finally:
            os.close(own)
            os.close(there)
        return self._network

    def __exit__(self, *_: object) -> None:
        self._network.close()


def _delete(network: Network, name: str) -> None:
    try:
        network.delete(name)
    except OSError:
        pass  # there was none
