"""EC2 as a provider: what bears our owner tag is ours, and nothing else is ever ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.aws.tags import ATTEMPT_TAG, OWNER_TAG, RUN_TAG, TOKEN_TAG
from runctl.errors import RunctlError, TransportError
from runctl.model.instance import GONE, Instance, Offer, Volume
from runctl.model.volume import Snapshot
from runctl.model.wish import InstanceWish, VolumeWish
from runctl.providers.api import Surroundings
from runctl.providers.aws import ending, power
from runctl.providers.aws.creation import create
from runctl.providers.aws.defaults import complete
from runctl.providers.aws.describing import not_found, read_instance
from runctl.providers.aws.images import Image, find_image
from runctl.providers.aws.offers import list_offers
from runctl.providers.aws.snapshots import Snapshots
from runctl.providers.aws.types import architecture_of, describe_types
from runctl.providers.aws.volume_changes import VolumeChanges
from runctl.providers.aws.volumes import list_volumes
from runctl.transports.api import Transport

_ABSENT = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})
_LIVING = ["pending", "running", "stopping", "stopped"]
_PAGE = 1000  # the most that DescribeInstances gives at once

# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
_TYPE = re.compile(r"[a-z][a-z0-9-]*\.(metal|(nano|micro|small|medium|([0-9]+x)?large)|metal-.*)")


class AwsProvider:
    name = "aws"
    is_here = False
    is_exclusive = True

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._image_for = cache(self._find_image)  # of a type, which is tried in several places

    def names_type(self, text: str) -> bool:
        return _TYPE.fullmatch(text) is not None

    def offers(self, wish: InstanceWish) -> Sequence[Offer]:
        return list_offers(self._account, wish)

    def complete(self, wish: InstanceWish) -> InstanceWish:
        return complete(self._account, self._owner, wish)

    def create(self, offer: Offer, wish: InstanceWish, token: str) -> Instance:
        def find() -> Instance | None:
            return self._find_begun(token)

        begun = find()
        if begun is not None:
            return begun
        image = self._image_for(offer.type, wish.image)
        return create(self._account, offer, wish, image, self._owner, token, find)

    def describe(self, instance_id: str) -> Instance:
        return read_instance(self._told(instance_id), self._owner)

    def find(self) -> Sequence[Instance]:
        return self._instances(_filter(f"tag:{OWNER_TAG}", self._owner))

    def terminate(self, instance_id: str, *, is_foreign: bool = False) -> None:
        self._check_ours(instance_id, is_foreign=is_foreign)
        ending.terminate(self._ec2, instance_id, partial(self.describe, instance_id))

    def check_stop(self, instance_id: str) -> None:
        power.check_stop(self._ec2, self._told(instance_id))

    def stop(self, instance_id: str, *, is_foreign: bool = False) -> None:
        self._check_ours(instance_id, is_foreign=is_foreign)
        self.check_stop(instance_id)
        power.stop(self._ec2, instance_id, partial(self.describe, instance_id))

    def start(self, instance_id: str, *, is_foreign: bool = False) -> None:
        self._check_ours(instance_id, is_foreign=is_foreign)
        power.start(self._ec2, instance_id, partial(self.describe, instance_id))

    def volumes(self, instance_id: str) -> Sequence[Volume]:
        return list_volumes(
            self._account, self._owner, _filter("attachment.instance-id", instance_id)
        )

    def spare_volumes(self) -> Sequence[Volume]:
        ours = _filter(f"tag:{OWNER_TAG}", self._owner)
        return list_volumes(self._account, self._owner, ours, _filter("status", "available"))

    def our_volumes(self) -> Sequence[Volume]:
        ours = _filter(f"tag:{OWNER_TAG}", self._owner)
        return list_volumes(self._account, self._owner, ours)

    def describe_volume(self, volume_id: str) -> Volume:
        return self._volumes.describe(volume_id)

    def price_volume(self, wish: VolumeWish) -> Decimal | None:
        return self._volumes.price(wish)

    def create_volume(self, wish: VolumeWish) -> Volume:
        return self._volumes.create(wish)

    def attach_volume(self, volume_id: str, instance_id: str) -> Volume:
        self._check_ours(instance_id, is_foreign=False)
        return self._volumes.attach(volume_id, instance_id)

    def detach_volume(self, volume_id: str) -> Volume:
        return self._volumes.detach(volume_id)

    def delete_volume(self, volume_id: str, *, is_unprotected: bool = False) -> None:
        self._volumes.delete(volume_id, is_unprotected=is_unprotected)

    def check_volume_ours(self, volume_id: str) -> Volume:
        return self._volumes.check_ours(volume_id)

    def check_volume_delete(self, volume_id: str, *, is_unprotected: bool = False) -> Volume:
        return self._volumes.check_delete(volume_id, is_unprotected=is_unprotected)

    def check_volume_resize(self, volume_id: str, gib: int) -> Volume:
        return self._volumes.check_resize(volume_id, gib)

    def resize_volume(self, volume_id: str, gib: int) -> Volume:
        return self._volumes.resize(volume_id, gib)

    def our_snapshots(self) -> Sequence[Snapshot]:
        return self._snapshots.ours()

    def describe_snapshot(self, snapshot_id: str) -> Snapshot:
        return self._snapshots.describe(snapshot_id)

    def price_snapshot(self, gib: int) -> Decimal | None:
        return self._snapshots.price(gib)

    def snapshot_volume(self, volume: Volume, name: str, patience: timedelta) -> Snapshot:
        return self._snapshots.create(volume, name, patience)

    def check_snapshot_delete(self, snapshot_id: str) -> Snapshot:
        return self._snapshots.check_delete(snapshot_id)

    def delete_snapshot(self, snapshot_id: str) -> None:
        self._snapshots.delete(snapshot_id)

    def connect(self, instance_id: str) -> Transport:
        if self.describe(instance_id).state in GONE:
            raise TransportError(f"{instance_id} is terminated", hint="runctl runs")
        return self._surroundings.ways().reach(instance_id)

    def instance_root(self, instance_id: str, environ: Mapping[str, str]) -> Path:
        """Ask the instance: its login user's home is known to nobody else."""
        del environ  # that of this machine
        done = self.connect(instance_id).exec(["sh", "-c", 'printf %s "$HOME"'])
        return Path(done.stdout.decode()) / ".runctl" / "instance"

    def mark(self, instance_id: str, run_id: str, attempt: int) -> None:
        tags = {RUN_TAG: run_id, ATTEMPT_TAG: str(attempt)}
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        with translated(f"{instance_id} cannot be tagged with its run"):
            self._ec2.create_tags(Resources=[instance_id], Tags=listed)

    def silence_of(self, instance_id: str) -> str | None:
        return self._surroundings.ways().silence_of(instance_id)

    # -- looking

    def _check_ours(self, instance_id: str, *, is_foreign: bool) -> None:
        ending.check_ours(self.describe(instance_id), self._owner, is_foreign=is_foreign)

    def _told(self, instance_id: str) -> Mapping[str, Any]:
        try:
            with translated(f"{instance_id} cannot be described"):
                told = self._ec2.describe_instances(InstanceIds=[instance_id])
        except RunctlError as error:
            if error.details.get("aws_code") in _ABSENT:
                raise not_found(instance_id, self._account.region) from error
            raise
        found: Mapping[str, Any] = told["Reservations"][0]["Instances"][0]
        return found

    def _find_begun(self, token: str) -> Instance | None:
        found = self._instances(
            _filter(f"tag:{OWNER_TAG}", self._owner),
            _filter(f"tag:{TOKEN_TAG}", token),
            _filter("instance-state-name", *_LIVING),
        )
        return found[0] if found else None

    def _find_image(self, type_: str, name: str) -> Image:
        types = describe_types(self._account, [type_])
        return find_image(self._account, name, architecture_of(types[type_]))

    def _instances(self, *filters: Mapping[str, Any]) -> list[Instance]:
        pages = self._ec2.get_paginator("describe_instances").paginate(
            Filters=list(filters), PaginationConfig={"PageSize": _PAGE}
        )
        with translated("the instances cannot be listed"):
            told = [group for page in pages for group in page["Reservations"]]
        found = (one for group in told for one in group["Instances"])
        return [read_instance(one, self._owner) for one in found]

    @property
    def _volumes(self) -> VolumeChanges:
        return VolumeChanges(self._account, self._owner)

    @property
    def _snapshots(self) -> Snapshots:
        return Snapshots(self._account, self._owner)

    @property
    def _ec2(self) -> Any:
        return self._account.client("ec2")

    @cached_property
    def _account(self) -> Account:
        return self._surroundings.account()

    @cached_property
    def _owner(self) -> str:
        return self._surroundings.owner()


def _filter(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}
