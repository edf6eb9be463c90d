"""The set-up of an account of AWS, as its owner sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import structs

from runctl.model.setup import Document, Finding, SetupReport, SetupWish, TeardownReport
from runctl.model.wish import InstanceWish

# Imported where they are used: a command pays only for what it does.
if TYPE_CHECKING:
    from runctl.client.client import Client
    from runctl.engine.session import Session

_ROOT = "store.root"


class AwsSetup:
    """What ``Client.aws_setup`` returns: of the account, region and owner that are configured."""

    def __init__(self, client: Client, session: Session) -> None:
        self._client = client
        self._session = session

    def make(self, wish: SetupWish | None = None, *, is_dry_run: bool = False) -> SetupReport:
        """Make what is missing, repair what differs, and lead the ledger to the bucket.

        ``store.root`` is written into the user's file where no source sets it. RefusedError for
        what is there under our names, and is not ours.
        """
        from runctl.engine.cloud_setup import set_up  # noqa: PLC0415

        report = set_up(self._session, wish or SetupWish(), is_dry_run=is_dry_run)
        config = self._client.config
        is_free = config.origin(_ROOT).kind in ("default", "user")
        is_unset = is_free and config.values.store.root is None  # teardown says how to set none
        if is_unset and not is_dry_run:
            setting = self._client.set_config(_ROOT, report.store_root, is_user=True)
        else:
            setting = config.setting(_ROOT)
        return structs.replace(
            report,
            store_root=report.store_root if is_unset else setting.text,
            origin=str(setting.origin),
            is_store_root_written=is_unset,
        )

    def render(
        self,
        form: Literal["terraform", "cloudformation", "json"],
        wish: SetupWish | None = None,
    ) -> Document:
        """Return the same for Terraform or CloudFormation, or the policies alone."""
        from runctl.engine.cloud_setup import print_setup  # noqa: PLC0415

        return print_setup(self._session, wish or SetupWish(), form)

    def check(
        self, wish: InstanceWish | None = None, *, instance: str | None = None
    ) -> list[Finding]:
        """Return what a launch needs, and whether it is there.

        ``instance``: also let that one try to use the ledger with its own role.
        """
        from runctl.engine.preflight import preflight  # noqa: PLC0415

        found = preflight(self._session, wish or InstanceWish())
        if instance is not None:
            from runctl.engine.preflight_there import look_from  # noqa: PLC0415

            found.append(look_from(self._session, instance))
        return found

    def require(self, wish: InstanceWish) -> list[Finding]:
        """Raise the first thing that a launch would lack; return what could not be looked at."""
        from runctl.engine.preflight import require  # noqa: PLC0415

        return require(self._session, wish)

    def examine(self, wish: InstanceWish) -> list[Finding]:
        """Raise what an instance cannot do without; return what else is missing or not known."""
        from runctl.engine.preflight import examine  # noqa: PLC0415

        return examine(self._session, wish)

    def remove(self, *, with_ledger: bool = False, is_dry_run: bool = False) -> TeardownReport:
        """Take away what ``make`` made. RefusedError while instances of the owner live.

        ``with_ledger``: also delete what is below the owner's prefix of the bucket.
        """
        from runctl.engine.cloud_setup import tear_down  # noqa: PLC0415

        return tear_down(self._session, with_ledger=with_ledger, is_dry_run=is_dry_run)
