"""The composition root: what every operation can reach."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from runctl.localcloud.access import Access
from runctl.localcloud.faults import Faults
from runctl.localcloud.identity import Identity
from runctl.localcloud.jobs import Jobs
from runctl.localcloud.journal import Journal
from runctl.localcloud.network import Network, Unconnected
from runctl.localcloud.pace import Pace
from runctl.localcloud.place import Place
from runctl.localcloud.registry import NoRegistry, Registry
from runctl.localcloud.state.records import Records

if TYPE_CHECKING:
    from runctl.localcloud.machines.tier import Tier

Settle = Callable[["Cloud", str, str], None]
SETTLERS: dict[str, Settle] = {}


def settles(kind: str) -> Callable[[Settle], Settle]:
    """Register what brings about the changes that are under way for records of a kind.

    It is called with a region and an id after a change, and at every start of the cloud for each
    record; it must look at the record, do what is still to be done, and be safe to repeat.
    """

    def register(function: Settle) -> Settle:
        SETTLERS[kind] = function
        return function

    return register


class Cloud:
    """One local cloud: its records, its clock, its machines."""

    def __init__(
        self,
        place: Place,
        tier: Tier,
        *,
        clock: Callable[[], float] = time.time,
        jobs: Jobs | None = None,
    ) -> None:
        self.place = place
        self.tier = tier
        self.clock = clock
        self.pace = Pace()
        self.records = Records(place.folder / "records.db")
        self.journal = Journal(place.folder / "events.jsonl", clock)
        self.identity = Identity(self.records, place.stamp.account, clock)
        self.faults = Faults(self)
        self.access = Access(self)
        self.jobs = jobs or Jobs()
        self.network: Network = Unconnected()
        self.registry: Registry = NoRegistry()
        self.closing: list[Callable[[], None]] = []
        """What else is to be closed with it."""

    @property
    def account(self) -> str:
        return self.place.stamp.account

    @cached_property
    def endpoint(self) -> str:
        """The URL under which all services answer, on the host and in the instances."""
        return f"http://127.0.0.1:{self.place.stamp.port}"

    def settle(self, kind: str, region: str, ident: str) -> None:
        """Bring about what the record says is under way; one at a time for each thing."""
        with self.jobs.alone(f"{kind}:{ident}"):
            SETTLERS[kind](self, region, ident)

    def settle_later(self, delay_s: float, kind: str, region: str, ident: str) -> None:
        """Do so after a while."""
        self.jobs.later(delay_s, lambda: self.settle(kind, region, ident))

    def resume(self) -> None:
        """Go on with everything that was under way when the cloud was last ended."""
        for kind in SETTLERS:
            for region in self.records.regions(kind):
                with self.records.transaction() as transaction:
                    idents = [ident for ident, _ in transaction.table(kind, region).items()]
                for ident in idents:
                    self._settle_soon(kind, region, ident)

    def _settle_soon(self, kind: str, region: str, ident: str) -> None:
        self.jobs.soon(lambda: self.settle(kind, region, ident))

    def close(self) -> None:
        """End what goes on in this process; the machines go on."""
        self.jobs.close()
        for close in self.closing:
            close()
        self.journal.close()
        self.records.close()
