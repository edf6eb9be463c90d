"""This machine as an instance: always there, free of charge, and never ours to end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from runctl.errors import NotFoundError, RefusedError
from runctl.model.instance import Instance, InstanceState, Offer
from runctl.model.wish import InstanceWish
from runctl.providers.api import Surroundings
from runctl.transports.api import Transport
from runctl.transports.local import LocalTransport

INSTANCE_ID = "local"
_TYPE = "this-machine"


class LocalProvider:
    name = "local"
    is_here = True
    is_exclusive = False  # several runs go on at once, unless they claim the same GPUs

    def __init__(self, surroundings: Surroundings) -> None:
        del surroundings  # this machine is all there is to it

    def names_type(self, text: str) -> bool:
        del text
        return False

    def offers(self, wish: InstanceWish) -> Sequence[Offer]:
        del wish  # it is as it is
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return [
            Offer(
                provider=self.name,
                type=_TYPE,
                place=INSTANCE_ID,
                usd_per_hour=Decimal(0),
                cpus=os.cpu_count() or 1,
                memory_bytes=memory_bytes,
            )
        ]

    def create(self, offer: Offer, wish: InstanceWish, token: str) -> Instance:
        del offer, wish, token  # there is one, and it is there
        return self.describe(INSTANCE_ID)

    def describe(self, instance_id: str) -> Instance:
        if instance_id != INSTANCE_ID:
            raise NotFoundError(f"there is no local instance {instance_id!r}")
        return Instance(
            provider=self.name,
            instance_id=INSTANCE_ID,
            type=_TYPE,
            state=InstanceState.RUNNING,
            is_ours=False,
        )

    def find(self) -> Sequence[Instance]:
        return []  # we created none

    def terminate(self, instance_id: str, *, is_foreign: bool = False) -> None:
        del is_foreign  # whatever is said
        self.describe(instance_id)
        raise RefusedError("this machine was not created by runctl and is not ours to end")

    def connect(self, instance_id: str) -> Transport:
        self.describe(instance_id)
        return LocalTransport()

    def instance_root(self, instance_id: str, environ: Mapping[str, str]) -> Path:
        self.describe(instance_id)
        home, given = environ.get("HOME") or Path.home(), environ.get("XDG_STATE_HOME", "")
        # A relative path in an XDG variable is to be ignored, says the standard.
        state = Path(given) if given.startswith("/") else Path(home) / ".local" / "state"
        return state / "runctl" / "instance"
