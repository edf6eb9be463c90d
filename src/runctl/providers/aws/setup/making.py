"""All parts of a set-up, in the order in which they are made, or taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import structs

from runctl.aws.account import Account
from runctl.model.setup import SetupPart, SetupWish
from runctl.providers.aws.setup.blueprint import Blueprint
from runctl.providers.aws.setup.bucket import Bucket
from runctl.providers.aws.setup.group import Group
from runctl.providers.aws.setup.ledger import BucketGone, LedgerGone
from runctl.providers.aws.setup.place import find_place
from runctl.providers.aws.setup.removing import (
    GroupGone,
    PolicyGone,
    ProfileGone,
    RoleGone,
    check_no_instances,
    other_regions,
)
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
    return _settle_all(_parts(account, plan), is_dry_run=is_dry_run)


def _settle_all(parts: Sequence[Part], *, is_dry_run: bool) -> tuple[SetupPart, ...]:
    seen = [_told(part, [change.told for change in part.examine()]) for part in parts]
    return tuple(seen if is_dry_run else [_told(part, settle(part)) for part in parts])


def _told(part: Part, changes: Sequence[str]) -> SetupPart:
    return SetupPart(kind=part.kind, name=part.name, changes=tuple(changes))


def _parts(account: Account, plan: Blueprint) -> list[Part]:
    kinds = (Bucket, Role, Policy, Profile, Group)
    return [kind(account, plan) for kind in kinds]


def remove(
    account: Account, plan: Blueprint, *, with_ledger: bool, is_dry_run: bool
) -> tuple[SetupPart, ...]:
    """Take away each part; all are looked at before the first one goes.

    Raises RefusedError while instances of the owner live, and for what is not ours.
    """
    check_no_instances(account, plan)
    kinds: list[Callable[[Account, Blueprint], Part]]
    kinds = [GroupGone, ProfileGone, PolicyGone, RoleGone]
    kinds += [LedgerGone, BucketGone] if with_ledger else []
    return _settle_all([kind(account, plan) for kind in kinds], is_dry_run=is_dry_run)


def find_kept(account: Account, plan: Blueprint, *, with_ledger: bool) -> tuple[str, ...]:
    """Return sentences on what a removal leaves."""
    kept = []
    others = other_regions(RoleGone(account, plan))
    if others:
        kept.append(f"role and instance profile stay: {', '.join(others)} needs them")
    bucket = BucketGone(account, plan)
    if not with_ledger:
        kept.append(f"the ledger stays, in {plan.store_root}")
    elif bucket.is_there() and bucket.is_shared():
        kept.append(f"the bucket stays: {bucket.name} holds what is not yours")
    return tuple(kept)
