"""What a launch on AWS needs, looked at before it costs anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from runctl.aws.account import Account
from runctl.aws.names import instance_profile_name
from runctl.config import owner_id
from runctl.engine.session import Session
from runctl.errors import (
    AuthError,
    CapacityError,
    ConfigError,
    ConflictError,
    NotFoundError,
    ProviderError,
    RefusedError,
    RunctlError,
    TransportError,
)
from runctl.model.setup import Document, Finding, Verdict
from runctl.model.wish import InstanceWish
from runctl.providers.aws.preflight.belongings import look_at_groups, look_at_key
from runctl.providers.aws.preflight.caller import look_at_caller, look_at_region
from runctl.providers.aws.preflight.judging import judge
from runctl.providers.aws.preflight.ledger import look_at_ledger
from runctl.providers.aws.preflight.network import look_at_network
from runctl.providers.aws.preflight.profile import SYSTEMS_MANAGER, find_role, look_at_rights
from runctl.providers.aws.preflight.quota import look_at_quota
from runctl.providers.aws.setup.place import Place, find_place
from runctl.providers.aws.setup.policy import instance_statements, ledger_statements
from runctl.store.place import is_bucket
from runctl.store.s3 import split_url

NETWORK = "network"


def preflight(session: Session, wish: InstanceWish) -> list[Finding]:
    """Return what is there and what is missing; without credentials or region, that alone.

    A wish without profile or groups means those of ``runctl aws setup``.
    """
    account = session.account()
    found = _look_at_account(account)
    if all(one.verdict is not Verdict.FAILED for one in found):
        found += _look_for_essentials(session, account, wish)
        found += _look_for_others(session, account, wish)
    return found


def require(session: Session, wish: InstanceWish) -> list[Finding]:
    """Raise the first failure as the error that it would become, before it costs anything.

    A launch goes on without the others: on another type or market, in its VPC's default group.
    Returns what is not known.
    """
    account = session.account()
    found = _look_at_account(account)
    _raise_first(found)
    found += _look_for_essentials(session, account, wish)
    _raise_first(found)
    return [one for one in found if one.verdict is Verdict.UNKNOWN]


def examine(session: Session, wish: InstanceWish) -> list[Finding]:
    """Raise what an instance by itself cannot do without; return the rest that is not well.

    One that no run is started on from here needs neither a ledger nor rights in it; one with a
    key pair may be reached by SSH in a network that has no way out.
    """
    account = session.account()
    found = _look_at_account(account)
    _raise_first(found)
    found = list(_look_for_named(session, account, wish))
    has_way_in = wish.key_name is not None
    _raise_first([one for one in found if not (has_way_in and one.subject == NETWORK)])
    found += _look_at_uses(session, account, wish)
    return [one for one in found if one.verdict is not Verdict.OK]


def _raise_first(found: Sequence[Finding]) -> None:
    for one in found:
        if one.verdict is Verdict.FAILED:
            kind = _ERRORS.get(one.exit_code, ProviderError)
            raise kind(f"{one.subject}: {one.told}", hint=one.fix or "runctl aws check")


_ERRORS: dict[int, type[RunctlError]] = {
    kind.exit_code: kind
    for kind in (ConfigError, NotFoundError, ConflictError, AuthError, CapacityError,
                 TransportError, RefusedError)
}  # fmt: skip


def _look_at_account(account: Account) -> list[Finding]:
    return [
        judge("credentials", partial(look_at_caller, account), is_needed=True),
        judge("region", partial(look_at_region, account)),
    ]


def _look_for_essentials(
    session: Session, account: Account, wish: InstanceWish
) -> Iterator[Finding]:
    owner, url = owner_id(session.user_dir), session.ledger.objects.url
    yield judge("ledger", partial(look_at_ledger, account, url), is_needed=True)
    yield from _look_at_profile(account, find_place(account, owner), url, wish)
    yield from _look_for_named(session, account, wish)


def _look_for_named(session: Session, account: Account, wish: InstanceWish) -> Iterator[Finding]:
    if wish.key_name is not None:
        yield judge("key pair", partial(look_at_key, account, wish.key_name))
    if wish.security_groups:
        owner = owner_id(session.user_dir)
        yield judge("security group", partial(look_at_groups, account, wish, owner))
    yield judge(NETWORK, partial(look_at_network, account, wish))


def _look_at_uses(session: Session, account: Account, wish: InstanceWish) -> Iterator[Finding]:
    """Look at what matters once the instance is there: its role, how many there may be."""
    if wish.instance_profile is not None:
        place, url = find_place(account, owner_id(session.user_dir)), session.ledger.objects.url
        yield from _look_at_profile(account, place, url, wish)
    yield from _look_at_quotas(account, wish)


def _look_at_quotas(account: Account, wish: InstanceWish) -> Iterator[Finding]:
    for type_ in wish.types:
        look = partial(look_at_quota, account, type_, is_spot=wish.is_spot)
        yield judge(f"quota of {type_}", look)


def _look_for_others(session: Session, account: Account, wish: InstanceWish) -> Iterator[Finding]:
    yield from _look_at_quotas(account, wish)
    if not wish.security_groups:
        owner = owner_id(session.user_dir)
        yield judge("security group", partial(look_at_groups, account, wish, owner))


def _look_at_profile(
    account: Account, place: Place, url: str, wish: InstanceWish
) -> Iterator[Finding]:
    own_name = instance_profile_name(place.owner)
    name = wish.instance_profile or own_name
    yield judge("instance profile", lambda: f"{name}, of {find_role(account, name).name}")
    try:
        role = find_role(account, name)
    except RunctlError:
        return  # there is no role whose rights could be asked for
    wanted = _rights(place, url, is_own=name == own_name)
    fix = f"aws iam list-role-policies --role-name {role.name}"
    fix = "runctl aws setup" if name == own_name else fix
    yield judge("rights of the role", partial(look_at_rights, account, role, wanted, fix))


def _rights(place: Place, url: str, *, is_own: bool) -> Sequence[Document]:
    """Return what the role must be allowed; one of the user's own need not end instances."""
    wanted = [SYSTEMS_MANAGER]
    if is_bucket(url):
        wanted += ledger_statements(place, *split_url(url))
    return [*wanted, *(instance_statements(place) if is_own else ())]
