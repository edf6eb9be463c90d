"""Every transport, held to the contract of ``runctl.testing.transports``."""

from __future__ import annotations

from pathlib import Path

from runctl.testing.transports import TransportContract
from runctl.transports.api import Transport
from runctl.transports.local import LocalTransport


class TestLocalTransport(TransportContract):
    def make_transport(self) -> Transport:
        return LocalTransport()

    def remote_folder(self, folder: Path) -> str:
        return str(folder)
