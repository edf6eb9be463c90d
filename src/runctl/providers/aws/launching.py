"""What RunInstances is asked for: safe by default, tagged from its first moment on."""

from __future__ import annotations

import hashlib
from typing import Any

from runctl.aws.tags import OWNER_TAG, PRICE_TAG, PROJECT_TAG, TOKEN_TAG
from runctl.model.instance import Offer
from runctl.model.wish import InstanceWish
from runctl.providers.aws.images import Image
from runctl.providers.aws.keeper import has_keeper, user_data

# Tagged with the launch, so that nothing of ours is ever without an owner.
_TAGGED = ("instance", "volume", "network-interface")


def launch_parameters(
    offer: Offer, wish: InstanceWish, image: Image, owner: str, token: str, turn: int
) -> dict[str, Any]:
    """Return the parameters of RunInstances; the same token, turn and offer give the same."""
    asked: dict[str, Any] = {
        "ClientToken": _client_token(offer, owner, token, turn),
        "ImageId": image.image_id,
        "InstanceType": offer.type,
        "MinCount": 1,
        "MaxCount": 1,
        "Placement": {"AvailabilityZone": offer.place},
        # Two hops: a container on the instance needs the role as well.
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        "BlockDeviceMappings": [_root(image, wish)],
        "TagSpecifications": _tags(offer, wish, owner, token),
    }
    if offer.is_spot:
        asked["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": _spot(wish)}
    return asked | _given(wish) | _keeper(wish)


def _client_token(offer: Offer, owner: str, token: str, turn: int) -> str:
    words = "\0".join((owner, token, offer.type, offer.place, str(offer.is_spot), str(turn)))
    return hashlib.sha256(words.encode()).hexdigest()  # 64 characters, the most there may be


def _root(image: Image, wish: InstanceWish) -> dict[str, Any]:
    volume: dict[str, Any] = {"Encrypted": True, "DeleteOnTermination": True, "VolumeType": "gp3"}
    if wish.root_gib is not None:
        volume["VolumeSize"] = wish.root_gib
    return {"DeviceName": image.root_device, "Ebs": volume}


def _tags(offer: Offer, wish: InstanceWish, owner: str, token: str) -> list[dict[str, Any]]:
    price = None if offer.usd_per_hour is None else f"{offer.usd_per_hour:f}"
    tags = {
        OWNER_TAG: owner,
        TOKEN_TAG: token,
        PRICE_TAG: price,
        PROJECT_TAG: wish.project,
        "Name": wish.name,
    }
    listed = [{"Key": key, "Value": value} for key, value in tags.items() if value]
    kinds = (*_TAGGED, "spot-instances-request") if offer.is_spot else _TAGGED
    return [{"ResourceType": kind, "Tags": listed} for kind in kinds]


def _spot(wish: InstanceWish) -> dict[str, Any]:
    """One time only: a persistent request would launch again what was ended."""
    options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    if wish.spot_max_price is not None:
        options["MaxPrice"] = str(wish.spot_max_price)
    return options


def _given(wish: InstanceWish) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if wish.instance_profile:
        given["IamInstanceProfile"] = {"Name": wish.instance_profile}
    if wish.key_name:
        given["KeyName"] = wish.key_name
    if wish.subnet:
        given["SubnetId"] = wish.subnet
    if wish.security_groups:
        given["SecurityGroupIds"] = list(wish.security_groups)
    return given


def _keeper(wish: InstanceWish) -> dict[str, Any]:
    """What switches itself off is to be gone, also where it was rented on demand."""
    if not has_keeper(wish):
        return {}
    return {"UserData": user_data(wish), "InstanceInitiatedShutdownBehavior": "terminate"}
