"""All parts of a set-up, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from runctl.aws.account import Account
from runctl.model.setup import SetupPart, SetupWish
from runctl.providers.aws.setup.blueprint import Blueprint
from runctl.providers.aws.setup.bucket import Bucket
from runctl.providers.aws.setup.group import Group
from runctl.providers.aws.setup.place import find_place
from runctl.providers.aws.setup.role import Policy, Profile, Role
from runctl.providers.aws.setup.settling import Part, settle
from runctl.providers.aws.setup.wishes import check_wish


def draw(account: Account, owner: str, wish: SetupWish) -> Blueprint:
    """Return what is wanted; a key that the bucket has is part of it, wished for or not."""
    check_wish(wish)
    plan = Blueprint(find_place(account, owner), wish)
    bucket = Bucket(account, plan)
    if wish.kms_key is None and bucket.is_there():
        wish = structs.replace(wish, kms_key=bucket.key())
    return Blueprint(plan.place, wish)


def make(account: Account, plan: Blueprint, *, is_dry_run: bool) -> tuple[SetupPart, ...]:
    """Make, or repair, each part; all are looked at before the first one is changed."""
    parts = _parts(account, plan)
    seen = [_told(part, [change.told for change in part.examine()]) for part in parts]
    return tuple(seen if is_dry_run else [_told(part, settle(part)) for part in parts])


def _told(part: Part, changes: Sequence[str]) -> SetupPart:
    return SetupPart(kind=part.kind, name=part.name, changes=tuple(changes))


def _parts(account: Account, plan: Blueprint) -> list[Part]:
    kinds = (Bucket, Role, Policy, Profile, Group)
    return [kind(account, plan) for kind in kinds]
