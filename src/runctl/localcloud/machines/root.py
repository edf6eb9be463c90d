"""The root tier: a network namespace with its own address, a disk with a size, block devices."""

from __future__ import annotations

import random
from ipaddress import IPv4Network

from runctl.localcloud.machines import addresses, disks, switch
from runctl.localcloud.machines.plan import Plan
from runctl.localcloud.machines.results import Feature
from runctl.localcloud.machines.tier import Tier


class RootTier(Tier):
    """Needs root."""

    FEATURES = frozenset(Feature)

    def _choose_network(self) -> IPv4Network:
        return addresses.choose_private(addresses.used_by_routes(), random.SystemRandom())

    def _prepare(self) -> None:
        with switch.host_lock():
            switch.make(self.cloud.id, self.addresses.network)

    def _complete(self, plan: Plan) -> None:
        plan["gateway"] = self.addresses.gateway
        plan["switch"] = switch.path(self.cloud.id)
        path = self.cloud.machine(plan["instance_id"])
        if Feature.DISK_LIMIT in self.report.features:
            plan["disk_image"] = disks.give(self.cloud.shared, path, plan["disk_bytes"])

    def _remove_residue(self, instance_id: str | None) -> None:
        super()._remove_residue(instance_id)
        if instance_id is None:
            with switch.host_lock():
                switch.remove(self.cloud.id)
        elif (address := self.addresses.of(instance_id)) is not None:
            switch.unplug(self.cloud.id, address)
