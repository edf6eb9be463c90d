"""The daemon's side of the machines' networks: who answers on the sockets that listen in them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from runctl.localcloud.cables import Cable, CableListener
from runctl.localcloud.machines.errors import MachineError

if TYPE_CHECKING:
    from runctl.localcloud.machines.tier import Tier

_LOG = logging.getLogger(__name__)
METADATA = "imds"
"""Reached although the cable is cut, as on AWS, where the host itself answers."""


class Service(Protocol):
    """Serves on sockets that listen already."""

    def serve(self, listener: socket.socket, via: str | None = None) -> None: ...

    def drop(self, listener: socket.socket) -> None: ...


@dataclass
class _Connection:
    """What is served in one machine."""

    boot: tuple[int, int]
    """Its keeper's process, and how often it has booted: at each boot the sockets are new."""
    cable: Cable = field(default_factory=Cable)
    served: list[tuple[Service, socket.socket]] = field(default_factory=list)


class MachineNetwork:
    """Serves, in each machine: the metadata, the endpoint of all services, the way out."""

    def __init__(self, tier: Tier, services: Mapping[str, Service]) -> None:
        self._tier = tier
        self._services = services
        self._lock = Lock()
        self._connections: dict[str, _Connection] = {}
        self._cut: set[str] = set()

    def connect(self, ident: str) -> None:
        """Begin to serve a machine that is up; again is harmless."""
        machine = self._tier.find(ident)
        if machine is None:
            return
        try:
            said = machine.hello()
            boot = (said["pid"], said["boots"])
            known = self._connections.get(ident)
            if known is not None and known.boot == boot:
                return
            listeners = machine.listeners()
        except MachineError as error:
            _LOG.warning("%s cannot be connected: %s", ident, error)
            return
        self.disconnect(ident)
        self._serve(ident, _Connection(boot), listeners)

    def disconnect(self, ident: str) -> None:
        """Stop serving a machine that is gone."""
        with self._lock:
            connection = self._connections.pop(ident, None)
        if connection is None:
            return
        connection.cable.remove()
        for service, listener in connection.served:
            service.drop(listener)

    def close(self) -> None:
        """Stop serving all machines."""
        for ident in list(self._connections):
            self.disconnect(ident)

    def cut(self, ident: str) -> None:
        """Hold back what a machine and the cloud say to each other, but for the metadata."""
        self._cut.add(ident)
        with self._lock:
            if ident in self._connections:
                self._connections[ident].cable.cut()

    def mend(self, ident: str) -> None:
        """Let it pass again."""
        self._cut.discard(ident)
        with self._lock:
            if ident in self._connections:
                self._connections[ident].cable.mend()

    def _serve(
        self, ident: str, connection: _Connection, listeners: Mapping[str, socket.socket]
    ) -> None:
        if ident in self._cut:
            connection.cable.cut()
        for name, listener in listeners.items():
            if name not in self._services:
                listener.close()
                continue
            cable = Cable() if name == METADATA else connection.cable
            taken = CableListener(listener, cable)
            self._services[name].serve(taken, ident)
            connection.served.append((self._services[name], taken))
        with self._lock:
            self._connections[ident] = connection
