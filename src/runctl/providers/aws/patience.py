"""Waiting until EC2 says what it was told: it is not consistent at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from runctl.model.instance import Instance, InstanceState

_LOOKS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


def await_state(
    describe: Callable[[], Instance], wanted: Collection[InstanceState]
) -> Instance | None:
    """Return the instance once it is described in one of the states; None after 16 s."""
    for pause_s in _LOOKS_S:
        time.sleep(pause_s)
        found = describe()
        if found.state in wanted:
            return found
    return None
