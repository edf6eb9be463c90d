"""One instance for one token: looked for by its tag, and refused twice by AWS itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import ConflictError, RunctlError
from runctl.model.instance import GONE, Instance, Offer
from runctl.model.wish import InstanceWish
from runctl.providers.aws.describing import read_instance
from runctl.providers.aws.images import Image
from runctl.providers.aws.launching import launch_parameters
from runctl.providers.aws.quotas import QUOTA_CODES, used_up

Told = Mapping[str, Any]
Find = Callable[[], Instance | None]
_HINTS = {
    "InvalidBlockDeviceMapping": "type the same with another --root-volume-size",
    "InvalidGroup": "aws ec2 describe-security-groups",
    "InvalidKeyPair": "aws ec2 describe-key-pairs",
    "InvalidSubnet": "aws ec2 describe-subnets",
    "VPCIdNotSpecified": "type the same with --subnet: there is no default VPC",
}
"""By the beginning of AWS's code."""
TURNS = 8
"""So often may what a token rents have ended before, and be rented anew."""
_LOOKS_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
_PAUSES_S = (1.0, 2.0, 4.0, 8.0)


def create(
    account: Account,
    offer: Offer,
    wish: InstanceWish,
    image: Image,
    owner: str,
    token: str,
    find: Find,
) -> Instance:
    """Rent the offer; ``find`` returns what lives of the token.

    A client token is good for one instance, for as long as AWS remembers it: where that has
    ended, the next turn has another.
    """
    for turn in range(TURNS):
        asked = launch_parameters(offer, wish, image, owner, token, turn)
        made = _launch(account, offer, owner, asked, find)
        if made is not None:
            return made
    raise ConflictError(
        f"{offer.type} was rented {TURNS} times for the same purpose, and has ended each time",
        hint="runctl aws list --all",
    )


def _launch(
    account: Account, offer: Offer, owner: str, asked: dict[str, object], find: Find
) -> Instance | None:
    """Return the instance; None where the client token is that of one which has ended."""
    try:
        told = _run_instances(account, offer, asked)
    except RunctlError as error:
        code = error.details.get("aws_code")
        if code == "IdempotentInstanceTerminated":
            return None
        if code == "IdempotentParameterMismatch":
            return _await(find)
        if code in QUOTA_CODES:
            raise used_up(account, offer, error) from error
        error.hint = error.hint or _hint(str(code))
        raise
    made = read_instance(told["Instances"][0], owner)
    return None if made.state in GONE else made


def _hint(code: str) -> str:
    asked = "type the same with --dry-run: it shows what is asked for"
    return next((hint for start, hint in _HINTS.items() if code.startswith(start)), asked)


def _run_instances(account: Account, offer: Offer, asked: dict[str, object]) -> Told:
    """Call it, for as long as EC2 may not know a new instance profile yet: IAM tells it late."""
    for pause_s in _PAUSES_S:
        try:
            return _run_at_once(account, offer, asked)
        except RunctlError as error:
            if "IAM Instance Profile" not in error.message:
                raise
        time.sleep(pause_s)
    return _run_at_once(account, offer, asked)


def _run_at_once(account: Account, offer: Offer, asked: dict[str, object]) -> Told:
    with translated(f"{offer.type} could not be rented in {offer.place}"):
        told: Told = account.client("ec2").run_instances(**asked)
        return told


def _await(find: Find) -> Instance | None:
    """Look for what the same client token has made of a request that differed, as prices do.

    Its tag is seen within seconds; if it is not, nothing of it lives.
    """
    for pause_s in _LOOKS_S:
        time.sleep(pause_s)
        found = find()
        if found is not None:
            return found
    return None
