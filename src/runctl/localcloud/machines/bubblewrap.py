"""The middle tier: files and processes of its own, by bubblewrap."""

from __future__ import annotations

from runctl.localcloud.machines.plain import SharedNetworkTier
from runctl.localcloud.machines.results import Feature


class BubblewrapTier(SharedNetworkTier):
    """Needs bwrap, and that it may make user namespaces."""

    FEATURES = frozenset(
        {
            Feature.OWN_FILES,
            Feature.OWN_PROCESSES,
            Feature.SSH,
            Feature.SUDO,
            Feature.FREEZER,
            Feature.MEMORY_LIMIT,
        }
    )
