"""What runs by itself inside: user data at the first boot, /etc/rc.local at each."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.keeper import Keeper


class FirstBoot:
    """Starts them after the instance is up, as cloud-init does."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def begin(self) -> None:
        """Start what is due at this boot."""
