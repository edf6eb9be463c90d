"""Snapshots of EBS: made, waited for, listed with what they cost at most, deleted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.aws.tags import OWNER_TAG
from runctl.errors import (
    ConflictError,
    NotFoundError,
    ProviderError,
    RefusedError,
    RunctlError,
    TryAgain,
)
from runctl.model.instance import Volume
from runctl.model.volume import Snapshot
from runctl.providers.aws.prices import listed_price

_PAGE = 1000
_FIRST_LOOK_S, _LAST_LOOK_S = 0.2, 5.0


@dataclass(frozen=True)
class Snapshots:
    """What is done to the snapshots of one owner."""

    account: Account
    owner: str

    def ours(self) -> list[Snapshot]:
        return self._list({"Name": f"tag:{OWNER_TAG}", "Values": [self.owner]})

    def describe(self, snapshot_id: str) -> Snapshot:
        found = self._list({"Name": "snapshot-id", "Values": [snapshot_id]})
        if not found:
            raise NotFoundError(
                f"there is no snapshot {snapshot_id} in {self.account.region}",
                hint="runctl aws ebs snapshot-list",
            )
        return found[0]

    def price(self, gib: int) -> Decimal | None:
        """Return what so much costs a month at most: only what is written is paid for."""
        wanted = {"productFamily": "Storage Snapshot"}
        with suppress(RunctlError):  # unknown, where the price list may not be read
            price = listed_price(
                self.account, wanted, ("GB-Mo",), "a snapshot", usage="EBS:SnapshotUsage"
            )
            return None if price is None else price * gib
        return None

    def create(self, volume: Volume, name: str, patience: timedelta) -> Snapshot:
        """Make it, unless one of this name and volume is there; return once it is whole."""
        begun = next((one for one in self.ours() if one.name == name), None)
        if begun is not None and begun.volume_id != volume.volume_id:
            raise ConflictError(
                f"{begun.snapshot_id} bears the name {name} already, and is of {begun.volume_id}",
                hint="runctl aws ebs snapshot-list",
            )
        ident = begun.snapshot_id if begun else self._make(volume, name)
        return self._await(ident, patience)

    def _make(self, volume: Volume, name: str) -> str:
        tags = {OWNER_TAG: self.owner, "Name": name}
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        what = f"no snapshot of {volume.volume_id} can be made"
        with translated(what, hint=f"runctl aws ebs show {volume.volume_id}"):
            told = self._ec2.create_snapshot(
                VolumeId=volume.volume_id,
                Description=f"{volume.name or volume.volume_id}, by runctl",
                TagSpecifications=[{"ResourceType": "snapshot", "Tags": listed}],
            )
        return str(told["SnapshotId"])

    def _await(self, ident: str, patience: timedelta) -> Snapshot:
        deadline, pause_s = time.monotonic() + patience.total_seconds(), _FIRST_LOOK_S
        while True:
            found = self.describe(ident)
            if found.state == "completed":
                return found
            if found.state != "pending":
                raise ProviderError(
                    f"{ident} is {found.state}", hint=f"runctl aws ebs snapshot-delete {ident}"
                )
            if time.monotonic() > deadline:
                raise TryAgain(
                    f"{ident} is not whole yet, and goes on ({found.progress})",
                    hint="runctl aws ebs snapshot-list",
                )
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, _LAST_LOOK_S)

    def check_delete(self, snapshot_id: str) -> Snapshot:
        found = self.describe(snapshot_id)
        if not found.is_ours:
            raise RefusedError(
                f"{snapshot_id} does not bear your owner tag: it is not ours to delete",
                hint="runctl aws ebs snapshot-list",
            )
        return found

    def delete(self, snapshot_id: str) -> None:
        self.check_delete(snapshot_id)
        of_it = f"Name=block-device-mapping.snapshot-id,Values={snapshot_id}"
        hint = f"aws ec2 describe-images --owners self --filters {of_it}"
        with translated(f"{snapshot_id} cannot be deleted", hint=hint):
            self._ec2.delete_snapshot(SnapshotId=snapshot_id)

    def _list(self, wanted: Mapping[str, Any]) -> list[Snapshot]:
        pages = self._ec2.get_paginator("describe_snapshots")
        asked = pages.paginate(Filters=[wanted], PaginationConfig={"PageSize": _PAGE})
        with translated("the snapshots cannot be listed"):
            told = [one for page in asked for one in page["Snapshots"]]
        price = self.price(1) if told else None
        return [_read(one, self.owner, price) for one in told]

    @property
    def _ec2(self) -> Any:
        return self.account.client("ec2")


def _read(told: Mapping[str, Any], owner: str, price: Decimal | None) -> Snapshot:
    tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
    return Snapshot(
        provider="aws",
        snapshot_id=told["SnapshotId"],
        volume_id=told.get("VolumeId"),
        gib=told["VolumeSize"],
        state=told["State"],
        progress=told.get("Progress") or None,
        started_at=told["StartTime"],
        name=tags.get("Name"),
        usd_per_month=None if price is None else price * told["VolumeSize"],
        is_ours=tags.get(OWNER_TAG) == owner,
    )
