"""How a cloud is doing, as its control endpoint tells it."""

from __future__ import annotations

import os
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from runctl.localcloud.machines.results import Feature

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_COUNTED = {"volume": "volumes", "snapshot": "snapshots", "fleet": "fleets", "role": "roles"}


def describe(cloud: Cloud, started: float) -> dict[str, Any]:
    """Return what ``runctl cloud status`` shows; ``started`` is the process's first moment."""
    report = cloud.tier.report
    return {
        "id": cloud.place.stamp.id,
        "address": cloud.endpoint,
        "folder": str(cloud.place.folder),
        "account": cloud.account,
        "version": version("runctl"),
        "pid": os.getpid(),
        "uptime_s": round(cloud.clock() - started, 3),
        "memory_bytes": _memory_bytes(),
        "tier": {
            "name": report.name,
            "reason": report.reason,
            "features": sorted(report.features),
            "lacks": sorted(set(Feature) - report.features),
        },
        "instances": count_instances(cloud),
        "counts": {name: _count(cloud, kind) for kind, name in _COUNTED.items()},
        "faults": sum(fault.state == "in-force" for fault in cloud.faults.all()),
    }


def count_instances(cloud: Cloud) -> dict[str, int]:
    """Return how many instances are in which state, in all regions."""
    found: Counter[str] = Counter()
    with cloud.records.transaction() as transaction:
        for region in cloud.records.regions("instance"):
            rows = transaction.table("instance", region).values()
            found.update(row["State"]["Name"] for row in rows)
    return dict(sorted(found.items()))


def _count(cloud: Cloud, kind: str) -> int:
    with cloud.records.transaction() as transaction:
        return sum(len(transaction.table(kind, one)) for one in cloud.records.regions(kind))


def _memory_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
