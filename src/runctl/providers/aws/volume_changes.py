"""Volumes of EBS made, attached, detached and deleted: ours alone, and awaited."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.aws.tags import OWNER_TAG, PROJECT_TAG, PROTECTED_TAG
from runctl.errors import ConflictError, NotFoundError, ProviderError, RefusedError, RunctlError
from runctl.model.instance import Volume
from runctl.model.wish import VolumeWish
from runctl.providers.aws.volumes import list_volumes, monthly_price

TURNS = 8
"""So often may what was made by a wish have been deleted, and be made anew."""
_LOOKS_S = (0.0, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0)
_DEVICES = tuple(f"/dev/sd{letter}" for letter in "fghijklmnop")  # as EC2 recommends
_GOING = frozenset({"deleting", "deleted"})


@dataclass(frozen=True)
class VolumeChanges:
    """What is done to the volumes of one owner."""

    account: Account
    owner: str

    def describe(self, volume_id: str) -> Volume:
        found = self._list("volume-id", volume_id)
        if not found:
            raise NotFoundError(
                f"there is no volume {volume_id} in {self.account.region}",
                hint="runctl aws ebs list",
            )
        return found[0]

    def price(self, wish: VolumeWish) -> Decimal | None:
        told = {"VolumeType": "gp3", **_shape(wish)}
        return monthly_price(self.account, told)

    def create(self, wish: VolumeWish) -> Volume:
        """Make it; a client token is good for one volume, also once that is deleted."""
        begun = self._named(wish)
        for turn in range(TURNS):
            begun = begun or self._make(wish, turn)
            if begun is not None:
                return self._await(
                    begun.volume_id, lambda one: one.state in ("available", "in-use")
                )
        raise ConflictError(
            f"the volume {wish.name} was made {TURNS} times, and deleted each time",
            hint="runctl aws ebs list",
        )

    def _named(self, wish: VolumeWish) -> Volume | None:
        living = [one for one in self._list("tag:Name", wish.name) if one.is_ours]
        for one in living:
            if one.state in _GOING:
                continue
            if (one.gib, one.place) != (wish.gib, wish.place):
                raise ConflictError(
                    f"{one.volume_id} bears the name {wish.name} already: {one.gib} GiB in "
                    f"{one.place}",
                    hint=f"runctl aws ebs show {one.volume_id}",
                )
            if one.snapshot != wish.snapshot:
                raise ConflictError(
                    f"{one.volume_id} bears the name {wish.name} already, and was made of "
                    f"{one.snapshot or 'no snapshot'}",
                    hint=f"runctl aws ebs show {one.volume_id}",
                )
            if wish.is_protected and not one.is_protected:
                raise ConflictError(
                    f"{one.volume_id} bears the name {wish.name} already, and is not protected",
                    hint=f"aws ec2 create-tags --resources {one.volume_id} "
                    f"--tags Key={PROTECTED_TAG},Value=yes",
                )
            return one
        return None

    def _make(self, wish: VolumeWish, turn: int) -> Volume | None:
        """Make it; None where what this token made is deleted."""
        try:
            with translated(f"the volume {wish.name} cannot be made"):
                told = self._ec2.create_volume(
                    AvailabilityZone=wish.place,
                    VolumeType="gp3",
                    Encrypted=True,
                    ClientToken=_client_token(self.owner, wish, turn),
                    TagSpecifications=[{"ResourceType": "volume", "Tags": self._tags(wish)}],
                    **_shape(wish),
                    **({"SnapshotId": wish.snapshot} if wish.snapshot else {}),
                )
            made = self._await(told["VolumeId"], lambda one: one.state != "creating")
        except NotFoundError:
            return None
        return None if made.state in _GOING else made

    def _tags(self, wish: VolumeWish) -> list[dict[str, str]]:
        protected = "yes" if wish.is_protected else None
        tags = {OWNER_TAG: self.owner, "Name": wish.name, PROJECT_TAG: wish.project}
        told = {**tags, PROTECTED_TAG: protected}
        return [{"Key": key, "Value": value} for key, value in told.items() if value]

    def attach(self, volume_id: str, instance_id: str) -> Volume:
        found = self.check_ours(volume_id)
        if found.instance_id not in (None, instance_id):
            raise _taken(volume_id, str(found.instance_id))
        if found.instance_id is None:
            self._attach(volume_id, instance_id)
        return self._await(volume_id, lambda one: one.is_attached)

    def _attach(self, volume_id: str, instance_id: str) -> None:
        taken = {one.device for one in self._list("attachment.instance-id", instance_id)}
        free = [device for device in _DEVICES if device not in taken]
        for device in free:
            try:
                with translated(
                    f"{volume_id} cannot be attached to {instance_id}",
                    hint=f"runctl aws ebs show {volume_id}",
                ):
                    self._ec2.attach_volume(
                        VolumeId=volume_id, InstanceId=instance_id, Device=device
                    )
                return
            except RunctlError as error:
                is_last = device == free[-1]
                # Another volume was attached there since it was looked at.
                if is_last or error.details.get("aws_code") != "InvalidParameterValue":
                    raise
        raise ConflictError(
            f"{instance_id} has no device name left for a volume",
            hint=f"runctl aws status {instance_id}",
        )

    def detach(self, volume_id: str) -> Volume:
        found = self.check_ours(volume_id)
        if found.instance_id is not None:
            self._detach(volume_id, found.instance_id)
        try:
            return self._await(volume_id, lambda one: one.state == "available")
        except ProviderError as error:
            raise ConflictError(
                f"{found.instance_id} does not let go of {volume_id}: it may be mounted",
                hint=f"runctl ssh {found.instance_id} -- findmnt",
            ) from error

    def _detach(self, volume_id: str, instance_id: str) -> None:
        try:
            with translated(f"{volume_id} cannot be detached", hint="runctl aws ebs list"):
                self._ec2.detach_volume(VolumeId=volume_id, InstanceId=instance_id)
        except RunctlError as error:
            if error.details.get("aws_code") != "IncorrectState":
                raise  # else the end of its instance has let go of it meanwhile

    def resize(self, volume_id: str, gib: int) -> Volume:
        """Make it larger; it is in use, and as fast as before a while later, all the time."""
        found = self.check_resize(volume_id, gib)
        if found.gib != gib:
            with translated(f"{volume_id} cannot be resized", hint="runctl aws ebs list"):
                self._ec2.modify_volume(VolumeId=volume_id, Size=gib)
        return self._await(volume_id, lambda one: one.gib == gib)

    def check_resize(self, volume_id: str, gib: int) -> Volume:
        found = self.check_ours(volume_id)
        if gib < found.gib:
            raise ConflictError(
                f"{volume_id} has {found.gib} GiB, and a volume never shrinks",
                hint=f"runctl aws ebs show {volume_id}",
            )
        return found

    def delete(self, volume_id: str, *, is_unprotected: bool) -> None:
        self.check_delete(volume_id, is_unprotected=is_unprotected)
        with translated(f"{volume_id} cannot be deleted", hint=f"runctl aws ebs show {volume_id}"):
            self._ec2.delete_volume(VolumeId=volume_id)
        try:
            self._await(volume_id, lambda one: one.state == "deleted")
        except NotFoundError:
            return  # what is deleted is soon not described any more

    def check_delete(self, volume_id: str, *, is_unprotected: bool) -> Volume:
        found = self.check_ours(volume_id)
        if found.is_protected and not is_unprotected:
            raise RefusedError(
                f"{volume_id} is protected: it was made with --persistent",
                hint=f"runctl aws ebs delete {volume_id} --unprotect",
            )
        if found.instance_id is not None:
            raise _taken(volume_id, found.instance_id)
        return found

    def check_ours(self, volume_id: str) -> Volume:
        found = self.describe(volume_id)
        if found.is_ours:
            return found
        raise RefusedError(
            f"{volume_id} does not bear your owner tag: it is not ours to change",
            hint="runctl aws ebs list",
        )

    def _await(self, volume_id: str, is_so: Callable[[Volume], bool]) -> Volume:
        for pause_s in _LOOKS_S:
            time.sleep(pause_s)
            found = self.describe(volume_id)
            if is_so(found):
                return found
        raise ProviderError(
            f"{volume_id} is still {found.state}", hint=f"runctl aws ebs show {volume_id}"
        )

    def _list(self, name: str, value: str) -> list[Volume]:
        return list_volumes(self.account, self.owner, {"Name": name, "Values": [value]})

    @property
    def _ec2(self) -> Any:
        return self.account.client("ec2")


def _taken(volume_id: str, instance_id: str) -> ConflictError:
    return ConflictError(
        f"{volume_id} is attached to {instance_id}", hint=f"runctl aws ebs detach {volume_id}"
    )


def _shape(wish: VolumeWish) -> dict[str, int]:
    told = {"Size": wish.gib, "Iops": wish.iops, "Throughput": wish.throughput_mibps}
    return {key: value for key, value in told.items() if value is not None}


def _client_token(owner: str, wish: VolumeWish, turn: int) -> str:
    words = "\0".join(map(str, (owner, wish, turn)))
    return hashlib.sha256(words.encode()).hexdigest()  # 64 characters, the most there may be
