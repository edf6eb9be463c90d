"""What an owner needs in an account of AWS: made, printed, taken away."""

from __future__ import annotations

from runctl.config import owner_id
from runctl.engine.session import Session
from runctl.model.setup import Document, SetupReport, SetupWish, TeardownReport
from runctl.providers.aws.setup.ledger import LedgerGone
from runctl.providers.aws.setup.making import draw, find_kept, make, remove
from runctl.providers.aws.setup.printing import FORMS


def set_up(session: Session, wish: SetupWish, *, is_dry_run: bool) -> SetupReport:
    """Make what is missing, repair what differs; safe to do again.

    ``store_root`` is that of the set-up, whether it is in force or not.
    """
    account = session.account()
    plan = draw(account, owner_id(session.user_dir), wish)
    return SetupReport(
        account_id=plan.place.account_id,
        region=plan.place.region,
        owner=plan.place.owner,
        parts=make(account, plan, is_dry_run=is_dry_run),
        store_root=plan.store_root,
        origin="setup",
        is_dry_run=is_dry_run,
    )


def print_setup(session: Session, wish: SetupWish, form: str) -> Document:
    """Return the same for another tool: ``terraform``, ``cloudformation`` or ``json``."""
    plan = draw(session.account(), owner_id(session.user_dir), wish)
    return FORMS[form](plan)


def tear_down(session: Session, *, with_ledger: bool, is_dry_run: bool) -> TeardownReport:
    """Take away what ``set_up`` made; the ledger only ``with_ledger``, and only this owner's."""
    account = session.account()
    plan = draw(account, owner_id(session.user_dir), SetupWish())
    kept = find_kept(account, plan, with_ledger=with_ledger)
    if with_ledger and session.config.values.store.root == plan.store_root:
        kept += ("store.root still leads there: runctl config set --user store.root none",)
    count, size_bytes = LedgerGone(account, plan).measure() if with_ledger else (0, 0)
    return TeardownReport(
        account_id=plan.place.account_id,
        region=plan.place.region,
        owner=plan.place.owner,
        parts=remove(account, plan, with_ledger=with_ledger, is_dry_run=is_dry_run),
        kept=kept,
        object_count=count,
        object_bytes=size_bytes,
        is_dry_run=is_dry_run,
    )
