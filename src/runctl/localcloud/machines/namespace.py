"""The best rootless tier: a user namespace with a network, processes and files of its own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from ipaddress import IPv4Network

from runctl.localcloud.machines import addresses
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.results import Feature
from runctl.localcloud.machines.tier import KEEPER, Tier


class LoopbackTier(Tier):
    """Reached by the host at a loopback address of its own, at a port that needs no root."""

    ssh_port = 2222

    def _choose_network(self) -> IPv4Network:
        return addresses.choose_loopback(addresses.used_by_listeners(), random.SystemRandom())


class NamespaceTier(LoopbackTier):
    """Needs user namespaces; with newuidmap and a range of ids it has real users."""

    FEATURES = frozenset(Feature) - {
        Feature.PEERS,
        Feature.DISK_LIMIT,
        Feature.BLOCK_DEVICES,
        Feature.SYSTEMD,
    }

    def _remove_folder(self, path: str) -> None:
        super()._remove_folder(path)
        if not os.path.lexists(path):
            return
        argv = [sys.executable, "-I", "-S", KEEPER, "remove", path, str(self.report.users)]
        result = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise MachineError("destroy", result.stderr.strip())
