"""Which tiers this host lets us have."""

from __future__ import annotations

import os
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.namespace import NamespaceTier
from runctl.localcloud.machines.results import Feature, TierReport
from runctl.localcloud.machines.root import RootTier
from runctl.localcloud.machines.spec import CloudPlace
from runctl.localcloud.machines.tier import Tier

_TIERS = {"root": RootTier, "namespace": NamespaceTier}


def probe() -> list[TierReport]:
    """Return what can be had, best first."""
    return [
        TierReport("root", True, "", frozenset(Feature)),
        TierReport("namespace", True, "", frozenset(Feature), users=os.environ.get("U", "all")),
    ]


def open_tier(name: str, cloud: CloudPlace) -> Tier:
    """Return a tier of that name, or the best one for ``auto``; raise ``MachineError``."""
    for report in probe():
        if name in ("auto", report.name) and report.is_usable:
            return _TIERS[report.name](cloud, report)
    raise MachineError("tier", f"{name} cannot be had here")
