"""What every use case needs, put together once by the client."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.agent.plan import BucketPlan
from runctl.config import owner_id
from runctl.model.spec import Spec
from runctl.providers import open_provider
from runctl.providers.api import Provider, Surroundings
from runctl.store.ledger import Ledger
from runctl.transports.api import Transport

if TYPE_CHECKING:
    from runctl.aws.account import Account
    from runctl.config import Config
    from runctl.transports.instances import Ways


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Session:
    """Settings, ledger, and the ways to the world outside: clock, chance, environment.

    ``account`` gives the account of AWS that the settings name: one, for its clients take time.
    ``ended``: the instances of which their provider has said so; they never run again.
    """

    config: Config
    ledger: Ledger
    account: Callable[[], Account]
    environ: Mapping[str, str]
    user_dir: Path
    cache_dir: Path
    bucket: BucketPlan | None = None
    clock: Callable[[], datetime] = utc_now
    chance: Callable[[int], bytes] = field(default=os.urandom)
    ended: set[str] = field(default_factory=set)

    def nonce(self) -> str:
        return self.chance(8).hex()

    @cached_property
    def _providers(self) -> dict[str, Provider]:
        return {}

    def provider(self, name: str) -> Provider:
        """The provider of a name, such as ``aws``."""
        if name not in self._providers:
            surroundings = Surroundings(
                account=self.account, owner=lambda: owner_id(self.user_dir), ways=self.ways
            )
            self._providers[name] = open_provider(name, surroundings)
        return self._providers[name]

    def ways(self) -> Ways:
        """How instances of that account are reached; bytes for them pass through the ledger."""
        from runctl.aws.depot import Depot  # noqa: PLC0415
        from runctl.transports.instances import Ways  # noqa: PLC0415

        return Ways(
            account=self.account(),
            depot=Depot(self.account(), self.ledger.objects.url),
            folder=self.user_dir / "host-keys",
            home=Path(self.environ.get("HOME") or Path.home()),
            forced=self.config.values.aws.transport,
        )


def users_bucket(account: Account) -> BucketPlan:
    """Return how S3 is reached by this machine's agents: signed as the user's calls are."""
    from runctl.aws.bucket_access import bucket_endpoint  # noqa: PLC0415 - boto3 takes its time

    return BucketPlan(
        region=account.region,
        endpoint=bucket_endpoint(account),
        profile=account.profile,
        is_users=True,
    )


def provider_of(session: Session, spec: Spec) -> Provider:
    """Return the provider of a run's target, such as ``local`` or ``aws:i-0123456789abcdef0``."""
    return session.provider(spec.target.partition(":")[0])


def connect(session: Session, spec: Spec, instance: str) -> Transport:
    return provider_of(session, spec).connect(instance)
