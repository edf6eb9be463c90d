"""What every use case needs, put together once by the client."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.agent.plan import BucketPlan
from runctl.model.spec import Spec
from runctl.providers import open_provider
from runctl.providers.api import Provider
from runctl.store.ledger import Ledger
from runctl.transports.api import Transport

if TYPE_CHECKING:
    from runctl.config import Config


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Session:
    """Settings, ledger, and the ways to the world outside: clock, chance, environment."""

    config: Config
    ledger: Ledger
    environ: Mapping[str, str]
    user_dir: Path
    cache_dir: Path
    bucket: BucketPlan | None = None
    clock: Callable[[], datetime] = utc_now
    chance: Callable[[int], bytes] = field(default=os.urandom)

    def nonce(self) -> str:
        return self.chance(8).hex()


def provider_of(spec: Spec) -> Provider:
    """Return the provider of a run's target, such as ``local`` or ``aws:g5.xlarge``."""
    return open_provider(spec.target.partition(":")[0])


def connect(spec: Spec, instance: str) -> Transport:
    return provider_of(spec).connect(instance)
