"""Hears from the machines: one that switched itself off, one that is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.machines.results import Event
from runctl.localcloud.services.ec2.instances.settling import lose

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud


def watch(cloud: Cloud) -> None:
    """Record the end of every machine that ends by itself."""
    cloud.tier.listen(lambda event: _hear(cloud, event))


def _hear(cloud: Cloud, event: Event) -> None:
    if event.kind != "ended":
        return
    region = region_of(cloud, event.instance_id)
    if region is not None:
        cloud.jobs.soon(lambda: lose(cloud, region, event.instance_id, event.reason or "lost"))


def region_of(cloud: Cloud, ident: str) -> str | None:
    """Return the region of an instance, wherever it is; None for one that is unknown."""
    with cloud.records.transaction() as transaction:
        for region in cloud.records.regions("instance"):
            if ident in transaction.table("instance", region):
                return region
    return None
