"""The least of the tiers: plain processes, where nothing better can be had."""

from __future__ import annotations

import os
import pwd

from runctl.localcloud.machines.keeper.wiring import IMDS_PORT
from runctl.localcloud.machines.namespace import LoopbackTier
from runctl.localcloud.machines.plan import Plan
from runctl.localcloud.machines.results import Feature


class SharedNetworkTier(LoopbackTier):
    """Its instances share the host's network, and each has an address of it."""

    def _complete(self, plan: Plan) -> None:
        super()._complete(plan)
        plan["environment"] = moved(plan)
        if own_name() is None:
            plan["ssh_port"] = 0  # OpenSSH serves nobody who has no name


class PlainTier(SharedNetworkTier):
    """Always to be had."""

    FEATURES = frozenset({Feature.SSH, Feature.SUDO, Feature.FREEZER, Feature.MEMORY_LIMIT})

    def _complete(self, plan: Plan) -> None:
        super()._complete(plan)
        plan["ssh_user"] = own_name() or plan["login"]


def moved(plan: Plan) -> dict[str, str]:
    """Return the environment, with what was of 127.0.0.1 at the instance's address.

    It is no address of the world: who goes there goes past the proxy.
    """
    values = {**plan["environment"]}
    if "no_proxy" in values:
        values["no_proxy"] += f",{plan['address']}"
    for port in filter(None, (plan["endpoint_port"], plan["proxy_port"])):
        there = f"{plan['address']}:{port}"
        values = {name: value.replace(f"127.0.0.1:{port}", there) for name, value in values.items()}
    imds = f"http://{plan['address']}:{IMDS_PORT}"
    return {**values, "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds}


def own_name() -> str | None:
    """Return who we are; None where the host has no name for us."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None
