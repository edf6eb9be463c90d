"""The instances of one provider, as their user sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.errors import RunNotFound
from runctl.model.instance import GONE, Instance

# Imported where they are used: a command pays only for what it does.
if TYPE_CHECKING:
    from runctl.engine.session import Session
    from runctl.providers.api import Provider


class Instances:
    """What ``Client.instances`` returns. Instances are named by id."""

    def __init__(self, session: Session, provider: Provider) -> None:
        self._session = session
        self._provider = provider

    def find(self, *, is_all: bool = False) -> list[Instance]:
        """Return the instances that bear our owner tag; ``is_all``: those that are ended, too."""
        found = self._provider.find()
        return [one for one in found if is_all or one.state not in GONE]

    def last_run(self, instance_id: str) -> str:
        """Return the id of the run that was started last on an instance; RunNotFound if none."""
        run_id = self._provider.describe(instance_id).run
        if run_id is None:
            raise RunNotFound(
                f"no run was started on {instance_id}",
                hint=f"runctl aws train {instance_id} SCRIPT",
            )
        return run_id
